/*
 * agent/flood - a storm of one command, counted
 *
 * Shape:     while the spool is over half, and only then, events are shown to this first. Of those that are the same in everything
 *            but time, serial, process, parent process and duration, the first XT_FLOOD_PASS in XT_FLOOD_MS go on; the others are
 *            counted, and one event of action `flood` tells of them: the fields that they share, exectrail.count, event.start
 *            (of the first) and @timestamp (of the last), event.reason (executed or exited).
 * Limits:    XT_FLOOD_KINDS kinds at once; what does not fit goes on as it is.
 * Ownership: events are copied.
 * Threads:   one at a time.
 */
#pragma once
#include "event/event.h"

#define XT_FLOOD_KINDS 256
#define XT_FLOOD_PASS  20
#define XT_FLOOD_MS    10000

typedef struct xt_flood xt_flood;

XT_MUST_USE int xt_flood_new(xt_flood **ret);
xt_flood *xt_flood_free(xt_flood *flood); /* accepts NULL, returns NULL */
/* True: it is counted, and goes no further. now_ms: monotonic. */
bool xt_flood_take(xt_flood *flood, xt_slice event, int64_t now_ms);
/* Appends the summaries that are due, or all; how many there were. */
unsigned xt_flood_put(xt_flood *flood, int64_t now_ms, bool all, xt_buf *out);
/* Events that were counted since the start. */
uint64_t xt_flood_counted(const xt_flood *flood);

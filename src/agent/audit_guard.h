/*
 * agent/audit_guard - when to set back what others changed of audit, and when to leave it
 *
 * Shape:     one state for each thing that may drift (agent/audit_watch.h). What drifts is set back at once; if it drifts again
 *            soon, somebody else wants it otherwise, and each time the wait before the next try is twice as long.
 * Units:     milliseconds of a monotonic clock.
 * Threads:   one at a time.
 */
#pragma once
#include "agent/audit_watch.h"

#define XT_GUARD_WAIT_MS     10000  /* before the second try; */
#define XT_GUARD_MAX_WAIT_MS 600000 /* no longer than this, and after so long without a drift all is forgotten */

typedef enum xt_guard_verdict {
    XT_GUARD_NOTHING,
    XT_GUARD_REPAIR, /* now; tell xt_guard_tried */
    XT_GUARD_WAIT,   /* it drifted again, and it is too soon: the first time that this is asked */
} xt_guard_verdict;

typedef struct xt_guard_state {
    unsigned n_tries; /* without a long peace between */
    int64_t next_ms, last_ms;
    bool is_waiting;
} xt_guard_state;

typedef struct xt_guard {
    xt_guard_state states[XT_WATCH_DRIFTS];
    uint64_t n_repaired;
} xt_guard;

xt_guard_verdict xt_guard_next(xt_guard *guard, xt_watch_drift what, bool has_drifted, int64_t now_ms);
/* A try was made; how long the next one has to wait. */
int64_t xt_guard_tried(xt_guard *guard, xt_watch_drift what, bool succeeded, int64_t now_ms);
int64_t xt_guard_wait_ms(const xt_guard *guard, xt_watch_drift what, int64_t now_ms);

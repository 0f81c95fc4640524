/*
 * server/gather - for how long agents are asked to gather events before they make a batch of them
 *
 * Shape:     what costs is the batch, not the event. A server to which few batches come asks for nothing, and each agent sends after a
 *            tenth of a second; to which many come asks for more and more, up to XT_GATHER_MAX_MS, and for less again when
 *            few come.
 * Units:     ms of the monotonic clock.
 * Threads:   the loop's.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XT_GATHER_MANY 5000 /* batches a second: a third of what one writer commits */

typedef struct xt_gather {
    unsigned ms;        /* what agents are told */
    uint64_t n_batches; /* that came since the last look: whoever takes one counts it here */
    uint64_t per_s;     /* as the last look found it */
    int64_t looked_ms;
    unsigned n_calm; /* looks that found few, one after the other */
} xt_gather;

/* n_hosts: that may come at once, each with what waited. */
void xt_gather_init(xt_gather *gather, size_t n_hosts, int64_t now_ms);
/* Looks once a second, however often it is called; true: ms is another one. is_behind: the writer has more than it can do. */
bool xt_gather_look(xt_gather *gather, bool is_behind, int64_t now_ms);

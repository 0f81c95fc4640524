/*
 * query/ends - how and when the processes of some execs ended, for who shows both in one row
 *
 * Shape:     an `exited` event is one of its own, with the exec's id in exectrail.of and the same host and serial. It is looked for by
 *            serial, from the first exec's time until an hour after the last one's; where some are not found by then
 *            until XT_ENDS_MS after. What runs longer is shown as running: the event is still there for who asks for it.
 * Errors:    XT_QUERY_E_CANCELLED; <0 memory or I/O.
 */
#pragma once
#include "query/query.h"

#define XT_ENDS_MS (INT64_C(24) * 3600 * 1000)

typedef struct xt_end {
    xt_hash128 of;   /* the exec's event.id */
    xt_hash128 host; /* of its host's id: an end that another host tells of is none of this exec */
    int64_t time_ms;
    uint32_t serial; /* the exec's */
    bool found, has_code, has_duration, has_signal;
    uint64_t code, duration_ns, signal; /* code: an INT, cast */
} xt_end;

/* Whether this event is an exec whose end can be looked for: event.id has to be there, derived. */
bool xt_end_init(xt_end *end, const xt_event *event);
/* Stored fields that xt_end_init needs. */
xt_field_set xt_end_fields(void);
/* Fills those that are found. cancel may be NULL. Their order is changed. */
XT_MUST_USE int xt_ends_find(xt_store *store, xt_end *ends, size_t n, const atomic_bool *cancel,
                             xt_problem *reterr_problem);
/* Of those, by the exec's id: borrowed, or NULL. */
const xt_end *xt_ends_of(const xt_end *ends, size_t n, xt_hash128 of, uint32_t serial);
/* Puts process.exit_code, event.duration and process.exit_signal on the exec's row. */
void xt_end_apply(const xt_end *end, xt_event *event);
/* Whether a query asks for ends themselves: then they are rows as all others. */
bool xt_ends_are_asked(const xt_field_set *fields);

/*
 * server/forward - events and alerts sent on to other systems, and where each of these stands
 *
 * Shape:     a forward is a name, what (events that match a query, or alerts), where to and in which form; a row of state.db. It has a thread of its
 *            own, which reads the store (no queue beside it) and keeps a position: what the target surely has.
 * Promise:   at least once. What is in the store when its turn comes is sent; what the target may have had before is sent again after a
 *            kill or a failure (event.id tells). What left the store before its turn is counted and said (forward-gap).
 * Failures:  tried again after 250 ms, doubling, at most 60 s, for ever. forward-failed once it has failed for 3 s, forward-resumed then.
 * Errors:    XT_APP_E_* with a problem; <0.
 * Threads:   any.
 * Limits:    XT_FORWARDS_MAX. A forward holds one batch: 512 KiB, or one event.
 */
#pragma once
#include "query/follow.h"
#include "server/forward_sink.h"

#define XT_FORWARDS_MAX       32u
#define XT_FORWARD_NAME_BYTES 64u

typedef struct xt_forward_spec {
    const char *name;
    const char *query; /* KQL; of alerts the lowest level that is sent, empty: all */
    const char *target;
    const char *ca, *cert, *key, *bearer_file, *headers_file; /* paths, empty: none */
    bool alerts, bulk, gzip;
    xt_forward_format format;
    uint64_t rotate_bytes;
    unsigned n_keep;
    bool from_start; /* when added: all that there is, else what comes from now on */
} xt_forward_spec;

typedef struct xt_forward_state {
    xt_follow_position at; /* of alerts: arrival is their number */
    uint64_t n_sent, n_bytes, n_refused, n_cut, n_textless;
    int64_t sent_ms, event_ms; /* when it last sent something; the latest event's time of that */
    bool paused;
} xt_forward_state;

typedef struct xt_forward_info {
    xt_forward_spec spec;
    xt_forward_state state; /* what is settled */
    const char *word;       /* running, failing, paused, off (no server runs) */
    uint64_t n_behind;      /* rows of the store, or alerts, that it has not passed */
    int64_t failing_ms;     /* since when, 0: it does not */
    char error[400];        /* the last, while it fails */
    char refusal[120];
} xt_forward_info;

XT_MUST_USE int xt_app_forward_add(xt_app *app, const xt_forward_spec *spec, xt_slice who, xt_problem *reterr_problem);
typedef enum xt_forward_order { XT_FORWARD_PAUSE, XT_FORWARD_RESUME, XT_FORWARD_REMOVE } xt_forward_order;
XT_MUST_USE int xt_app_forward_set(xt_app *app, const char *name, xt_forward_order order, xt_slice who,
                                   xt_problem *reterr_problem);
/* By name; NULL: all. XT_APP_E_NOT_FOUND. */
XT_MUST_USE int xt_app_forwards_list(xt_app *app, const char *name,
                                     int (*each)(void *context, const xt_forward_info *info), void *context,
                                     xt_problem *reterr_problem);

bool xt_forward_format_by_name(xt_slice name, xt_forward_format *ret);
const char *xt_forward_format_name(xt_forward_format format);

/* Of the app: reads the rows, and starts those that are not paused where the server runs. */
typedef struct xt_forwards xt_forwards;
XT_MUST_USE int xt_forwards_open(xt_app *app, bool runs, xt_forwards **ret, xt_problem *reterr_problem);
xt_forwards *
xt_forwards_close(xt_forwards *forwards); /* accepts NULL, returns NULL; settles what it can in a few seconds */

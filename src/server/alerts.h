/*
 * server/alerts - a match becomes an alert, once
 *
 * Shape:     an alert is keyed by host, rule and parent (the parent's executable, else its pid). An event within ten minutes (event
 *            time) of one that is not closed is folded into it. Each (rule, event id) is folded once, however often it is told.
 * Notice:    a new alert, and one whose level rises, puts a message into the outbox in the same transaction.
 * Errors:    <0 errno with a problem.
 * Threads:   any; raising inside a transaction of the caller.
 */
#pragma once
#include "server/app.h"

/* event: whole, with its SERVER fields. Inside xt_state_begin. */
XT_MUST_USE int xt_alerts_raise(xt_app *app, xt_event *event, const xt_match *match, xt_arena *arena,
                                xt_problem *reterr_problem);
/*
 * Looks at the events that arrived since alerts were last known to be whole, and makes those that are missing. When they
 * are more than max_events it is left to the maintenance thread. ret_cost (may be NULL): what was read of segments.
 */
XT_MUST_USE int xt_alerts_refill(xt_app *app, uint64_t max_events, xt_scan_cost *ret_cost, xt_problem *reterr_problem);
/* Remembers that the alerts of all that arrived up to here are there. */
XT_MUST_USE int xt_alerts_mark(xt_app *app, uint64_t arrival, xt_problem *reterr_problem);
/* Remembers how far alerts are whole, and forgets foldings of long ago. Now and then. */
XT_MUST_USE int xt_alerts_settle(xt_app *app, bool prune, xt_problem *reterr_problem);
/*
 * Calls the alerts that are new, or whose level rose, since `after`, in the order in which they were told; told: what to go on after. The alert is as it
 * is now. each: >0 ends it, <0 too and is returned.
 */
XT_MUST_USE int xt_alerts_each_told(xt_app *app, int64_t after, int64_t limit,
                                    int (*each)(void *context, const xt_alert *alert, int64_t told), void *context,
                                    xt_problem *reterr_problem);
/* The `told` of the latest. */
XT_MUST_USE int xt_alerts_last_told(xt_app *app, int64_t *ret, xt_problem *reterr_problem);
/* What stands for a rule and an event in the table of those that were told: the first XT_ALERT_PAIR_BYTES of this. */
#define XT_ALERT_PAIR_BYTES 12
xt_hash128 xt_alert_pair(xt_slice rule_id, xt_slice event_id);
/* What the alerts are keyed by that an event is folded into: a hash of host id, rule and parent, as hex digits. */
void xt_alert_key(const xt_event *event, xt_slice rule_id, char ret[static 33]);
/* One alert as JSON; document as it is, or null when empty. Used by the outbox and by whoever shows alerts. */
void xt_alert_json(const xt_alert *alert, xt_buf *out);

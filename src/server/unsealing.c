/*
 * The event comes before the answer: it is a batch of one in a stream of its own, by the same writer as all others, so it
 * is in the ledger, can be searched, matched by rules, and cannot be taken out again.
 */
#include "server/app_parts.h"
#include "server/own_batch.h"

#define MAX_REASON 500

static void fill(xt_event *ret, const xt_event *of, xt_slice event_id, xt_slice own_id, int64_t now_ms, xt_slice who,
                 xt_slice message)
{
    xt_event_reset(ret);
    xt_event_set_num(ret, XT_F_TIME, (uint64_t)now_ms);
    xt_event_set_bytes(ret, XT_F_EVENT_ID, own_id);
    xt_event_set_bytes(ret, XT_F_ACTION, XT_S("unsealed-secrets"));
    /* lists of one: count, length, bytes */
    xt_event_set_bytes(ret, XT_F_CATEGORY, XT_S("\x01\x04host"));
    xt_event_set_bytes(ret, XT_F_EVENT_TYPE,
                       XT_S("\x01\x06"
                            "access"));
    xt_event_set_bytes(ret, XT_F_OUTCOME, XT_S("success"));
    xt_event_set_bytes(ret, XT_F_HOST, xt_event_bytes(of, XT_F_HOST));
    if (xt_event_has(of, XT_F_HOST_ID))
        xt_event_set_bytes(ret, XT_F_HOST_ID, xt_event_bytes(of, XT_F_HOST_ID));
    xt_event_set_bytes(ret, XT_F_USER, who);
    xt_event_set_bytes(ret, XT_F_OF, event_id);
    xt_event_set_bytes(ret, XT_F_MESSAGE, message);
}

static int enter(xt_app *app, const xt_event *of, xt_slice event_id, xt_slice who, xt_slice message)
{
    xt_event event;
    char own_id[33];
    int r = xt_own_batch_id(own_id);
    if (r < 0)
        return xt_error_trace(r);
    fill(&event, of, event_id, xt_slice_of(own_id, 32), xt_clock_wall_ms(app->clock), who, message);
    return xt_own_batch_enter(app, &event);
}

int xt_app_note_unsealing(xt_app *app, const xt_event *event, xt_slice event_id, xt_slice who, xt_slice reason,
                          xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf message = XT_BUF_INIT;
    reason = xt_slice_trim(reason);
    if (reason.n == 0 || reason.n > MAX_REASON) {
        xt_problem_source(reterr_problem, "reason");
        xt_problem_set(reterr_problem, "to unseal secrets a reason is needed, of at most %d bytes", MAX_REASON);
        return XT_APP_E_INVALID;
    }
    xt_buf_printf(&message, "%.*s unseals the secrets of event %.*s: %.*s", XT_S_ARGS(who), XT_S_ARGS(event_id),
                  XT_S_ARGS(reason));
    int r = xt_buf_done(&message);
    if (r == 0)
        r = enter(app, event, event_id, who, xt_buf_slice(&message));
    if (r < 0)
        xt_problem_set(reterr_problem, "the unsealing could not be written down, so it is refused");
    return xt_error_trace(r);
}

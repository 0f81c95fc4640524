/* The event comes before the answer (server/note.h). */
#include <errno.h>

#include "server/app_parts.h"
#include "server/note.h"

#define MAX_REASON 500

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
    const xt_note note = {.host_name = xt_event_bytes(event, XT_F_HOST),
                          .host_id = xt_event_bytes(event, XT_F_HOST_ID),
                          .type = XT_S("\x01\x06"
                                       "access"),
                          .action = XT_S("unsealed-secrets"),
                          .user = who,
                          .of = event_id,
                          .message = xt_buf_slice(&message)};
    int r = xt_buf_done(&message);
    if (r == 0)
        r = xt_note_enter(app, &note);
    if (r)
        xt_problem_set(reterr_problem, "the unsealing could not be written down, so it is refused");
    return xt_error_fold(r);
}

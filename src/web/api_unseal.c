/* What an event's secrets are sealed in, for the owner of the key: who asks, and why, is an event before the answer. */
#include <errno.h>

#include "base/base64.h"
#include "web/api.h"
#include "web/request.h"
#include "web/respond.h"

static int find(xt_app *app, const xt_request *request, xt_event *ret, xt_problem *problem)
{
    xt_hash128 id;
    bool found = false;
    int r = 0;
    if (xt_hash128_parse(request->params[0], &id))
        r = xt_store_event_find(xt_app_store(app), id, 0, request->arena, ret, &found, problem);
    if (r)
        return xt_error_fold(r);
    if (!found)
        xt_problem_set(problem, "there is no event of this id");
    else if (!xt_event_has(ret, XT_F_SEALED))
        xt_problem_set(problem, "no secrets are sealed in this event");
    else
        return 0;
    xt_problem_excerpt(problem, request->params[0]);
    return XT_APP_E_NOT_FOUND;
}

static int answer(xt_request *request, xt_response *response, xt_slice id, const xt_event *event)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT, bound = XT_BUF_INIT, text = XT_BUF_INIT;
    xt_json json = xt_json_to(&out);
    int r = xt_secret_seal_bound(event, request->arena, &bound);
    if (r < 0)
        return xt_error_trace(r);
    xt_base64_put(&text, xt_buf_slice(&bound));
    xt_json_object_begin(&json);
    xt_json_field_string(&json, "id", id);
    xt_json_field_string(&json, "sealed", xt_event_bytes(event, XT_F_SEALED));
    xt_json_field_string(&json, "bound", xt_buf_slice(&text));
    xt_json_object_end(&json);
    xt_buf_putc(&out, '\n');
    return text.failed ? xt_error_origin(-ENOMEM) : xt_respond_json(response, 200, &out);
}

int xt_api_event_unseal(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_event event;
    xt_hash128 hash;
    char id[33] = "";
    int r = find(app, request, &event, &problem);
    if (r == 0 && xt_hash128_parse(request->params[0], &hash)) {
        xt_hash128_format(hash, id);
        r = xt_app_note_unsealing(app, &event, xt_slice_str(id), xt_request_asker(request),
                                  xt_request_get(request, "reason"), &problem);
    }
    return r ? xt_respond_app_failure(response, r, &problem) : answer(request, response, xt_slice_str(id), &event);
}

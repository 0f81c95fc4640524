/* Policies of groups of hosts, their roll-outs, pauses. */
#include "server/policies.h"
#include "web/api.h"
#include "web/list_writer.h"
#include "web/request.h"
#include "web/respond.h"

#include <stdio.h>

#define MAX_POLICY_BYTES 65536
#define MAX_SOAK_S       604800
#define MAX_PAUSE_S      86400

static const char *const columns[] = {"group", "version", "state", "rolled",  "before",  "wave",
                                      "hosts", "have",    "said",  "refused", "changed", "why"};

static void put_text(xt_json *json, const char *key, const char *value)
{
    xt_json_field_string(json, key, xt_slice_str(value));
}

static void put_info(xt_json *json, const xt_policy_info *info)
{
    put_text(json, "group", info->group);
    xt_json_field_u64(json, "version", info->version);
    xt_json_field_time(json, "made", info->made_ms);
    put_text(json, "by", info->who);
    put_text(json, "state", info->state);
    xt_json_field_u64(json, "rolled_version", info->rolled_version);
    xt_json_field_u64(json, "previous", info->previous);
    put_text(json, "waves", info->waves);
    xt_json_field_u64(json, "wave", info->wave);
    xt_json_field_u64(json, "percent", info->percent);
    xt_json_field_time(json, "wave_began", info->wave_ms);
    xt_json_field_i64(json, "soak_s", info->soak_ms / 1000);
    put_text(json, "reason", info->reason);
    xt_json_field_u64(json, "hosts", info->n_hosts);
    xt_json_field_u64(json, "have", info->n_have);
    xt_json_field_u64(json, "applied", info->n_applied);
    xt_json_field_u64(json, "refused", info->n_refused);
}

static void put_cells(xt_list *list, const xt_policy_info *info)
{
    char wave[32];
    snprintf(wave, sizeof wave, "%u: %u %%", info->wave, info->percent);
    xt_list_cell(list, xt_slice_str(info->group));
    xt_list_cell_u64(list, info->version);
    xt_list_cell(list, xt_slice_str(info->state));
    xt_list_cell_u64(list, info->rolled_version);
    xt_list_cell_u64(list, info->previous);
    xt_list_cell(list, info->wave ? xt_slice_str(wave) : XT_S("-"));
    xt_list_cell_u64(list, info->n_hosts);
    xt_list_cell_u64(list, info->n_have);
    xt_list_cell_u64(list, info->n_applied);
    xt_list_cell_u64(list, info->n_refused);
    xt_list_cell_time(list, info->made_ms);
    xt_list_cell(list, info->reason[0] ? xt_slice_str(info->reason) : XT_S("-"));
}

static int on_info(void *context, const xt_policy_info *info)
{
    xt_list *list = context;
    if (xt_list_is_json(list)) {
        put_info(xt_list_json(list), info);
        xt_list_json_done(list);
    } else {
        put_cells(list, info);
    }
    return xt_buf_done(&list->out);
}

int xt_api_policies(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_list list;
    int r = xt_list_begin(&list, request, "policies", columns, XT_COUNT_OF(columns), &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_policies_list(app, on_info, &list, &problem);
    if (r == 0)
        return xt_list_end(&list, response);
    xt_list_fini(&list);
    return xt_respond_app_failure(response, r, &problem);
}

/* ------------------------------------------------------------------------------------------------- versions */

static int on_version(void *context, const xt_policy_version *v)
{
    xt_list *list = context;
    if (xt_list_is_json(list)) {
        xt_json *json = xt_list_json(list);
        xt_json_field_u64(json, "version", v->version);
        xt_json_field_time(json, "made", v->made_ms);
        put_text(json, "by", v->who);
        xt_json_field_string(json, "text", v->text);
        xt_list_json_done(list);
    } else {
        xt_list_cell_u64(list, v->version);
        xt_list_cell_time(list, v->made_ms);
        xt_list_cell(list, xt_slice_str(v->who));
        xt_list_cell_u64(list, v->text.n);
    }
    return xt_buf_done(&list->out);
}

int xt_api_policy_history(xt_app *app, xt_request *request, xt_response *response)
{
    static const char *const of_versions[] = {"version", "made", "by", "bytes"};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_list list;
    int r = xt_list_begin(&list, request, "versions", of_versions, XT_COUNT_OF(of_versions), &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_policy_versions(app, request->params[0], 0, on_version, &list, &problem);
    if (r == 0)
        return xt_list_end(&list, response);
    xt_list_fini(&list);
    return xt_respond_app_failure(response, r, &problem);
}

static int take_text(void *context, const xt_policy_version *v)
{
    xt_buf *out = context;
    if (out->n == 0)
        xt_buf_put(out, v->text);
    return xt_buf_done(out);
}

int xt_api_policy_text(xt_app *app, xt_request *request, xt_response *response)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t version;
    int r = xt_request_number(request, "version", 0, UINT32_MAX, &version, &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_policy_versions(app, request->params[0], version, take_text, &out, &problem);
    return r ? xt_respond_app_failure(response, r, &problem)
             : xt_respond_text(response, "text/plain; charset=utf-8", &out);
}

/* -------------------------------------------------------------------------------------------------- changes */

static int answer_done(xt_response *response, int r, xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_buf_puts(&out, "{}\n");
    return r ? xt_respond_app_failure(response, r, problem) : xt_respond_json(response, 200, &out);
}

int xt_api_policy_set(xt_app *app, xt_request *request, xt_response *response)
{
    XT_CLEANUP(xt_buf_fini) xt_buf body = XT_BUF_INIT, out = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t version = 0;
    int r = xt_request_body(request, MAX_POLICY_BYTES, &body, &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_policy_set(app, request->params[0], xt_buf_slice(&body), xt_request_asker(request), &version, &problem);
    if (r)
        return xt_respond_app_failure(response, r, &problem);
    xt_buf_printf(&out, "{\"version\":%llu}\n", (unsigned long long)version);
    return xt_respond_json(response, 200, &out);
}

int xt_api_policy_roll_out(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t version, soak_s;
    int r = xt_request_number(request, "version", 0, UINT32_MAX, &version, &problem);
    if (r == 0)
        r = xt_request_number(request, "soak", XT_ROLLOUT_SOAK_MS / 1000, MAX_SOAK_S, &soak_s, &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_policy_roll_out(app, request->params[0], version, xt_request_get(request, "waves"),
                               (int64_t)soak_s * 1000, xt_request_asker(request), &problem);
    return answer_done(response, r, &problem);
}

int xt_api_policy_halt(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_app_policy_halt(app, request->params[0], xt_request_get(request, "why"), xt_request_asker(request),
                               &problem);
    return answer_done(response, r, &problem);
}

int xt_api_policy_resume(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_app_policy_resume(app, request->params[0], xt_request_asker(request), &problem);
    return answer_done(response, r, &problem);
}

int xt_api_policy_roll_back(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_app_policy_roll_back(app, request->params[0], xt_request_asker(request), &problem);
    return answer_done(response, r, &problem);
}

int xt_api_host_pause(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t seconds;
    int r = xt_request_number(request, "seconds", 3600, MAX_PAUSE_S, &seconds, &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_pause(app, request->params[0], (int64_t)seconds * 1000, xt_request_get(request, "why"),
                     xt_request_asker(request), &problem);
    return answer_done(response, r, &problem);
}

int xt_api_host_resume(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r =
        xt_app_pause(app, request->params[0], 0, xt_request_get(request, "why"), xt_request_asker(request), &problem);
    return answer_done(response, r, &problem);
}

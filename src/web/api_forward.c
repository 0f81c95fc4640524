/* Forwards: added, listed, paused, resumed, removed. What they read secrets from are paths; nothing of the files is ever shown. */
#include "server/forward.h"
#include "web/api.h"
#include "web/list_writer.h"
#include "web/request.h"
#include "web/respond.h"

static const char *const columns[] = {"name", "what",    "target",  "form",   "state",   "behind",
                                      "sent", "refused", "missing", "latest", "failing", "error"};

static void put_text(xt_json *json, const char *key, const char *value)
{
    if (value && value[0])
        xt_json_field_string(json, key, xt_slice_str(value));
}

static void put_spec(xt_json *json, const xt_forward_spec *spec)
{
    put_text(json, "name", spec->name);
    put_text(json, "what", spec->alerts ? "alerts" : "events");
    put_text(json, spec->alerts ? "level" : "q", spec->query);
    put_text(json, "to", spec->target);
    put_text(json, "form", xt_forward_format_name(spec->format));
    xt_json_field_bool(json, "bulk", spec->bulk);
    xt_json_field_bool(json, "gzip", spec->gzip);
    put_text(json, "ca", spec->ca);
    put_text(json, "cert", spec->cert);
    put_text(json, "key", spec->key);
    put_text(json, "bearer_file", spec->bearer_file);
    put_text(json, "headers_file", spec->headers_file);
    if (spec->rotate_bytes) {
        xt_json_field_u64(json, "rotate_bytes", spec->rotate_bytes);
        xt_json_field_u64(json, "keep", spec->n_keep);
    }
}

static void put_state(xt_json *json, const xt_forward_info *info)
{
    const xt_forward_state *state = &info->state;

    put_text(json, "state", info->word);
    xt_json_field_u64(json, "behind", info->n_behind);
    xt_json_field_u64(json, "sent", state->n_sent);
    xt_json_field_u64(json, "bytes", state->n_bytes);
    xt_json_field_u64(json, "refused", state->n_refused);
    xt_json_field_u64(json, "cut", state->n_cut);
    xt_json_field_u64(json, "without_text", state->n_textless);
    xt_json_field_u64(json, "missing", state->at.n_gone);
    xt_json_field_time(json, "sent_at", state->sent_ms);
    xt_json_field_time(json, "latest", state->event_ms);
    xt_json_field_time(json, "failing_since", info->failing_ms);
    put_text(json, "error", info->error);
    put_text(json, "refusal", info->refusal);
}

static void put_cells(xt_list *list, const xt_forward_info *info)
{
    const xt_forward_spec *spec = &info->spec;

    xt_list_cell(list, xt_slice_str(spec->name));
    xt_list_cell(list, spec->alerts ? XT_S("alerts") : xt_slice_str(spec->query[0] ? spec->query : "*"));
    xt_list_cell(list, xt_slice_str(spec->target));
    xt_list_cell(list, spec->bulk ? XT_S("bulk") : xt_slice_str(xt_forward_format_name(spec->format)));
    xt_list_cell(list, xt_slice_str(info->word));
    xt_list_cell_u64(list, info->n_behind);
    xt_list_cell_u64(list, info->state.n_sent);
    xt_list_cell_u64(list, info->state.n_refused);
    xt_list_cell_u64(list, info->state.at.n_gone);
    xt_list_cell_time(list, info->state.event_ms);
    xt_list_cell_time(list, info->failing_ms);
    xt_list_cell(list, xt_slice_str(info->error));
}

static int on_forward(void *context, const xt_forward_info *info)
{
    xt_list *list = context;

    if (!xt_list_is_json(list)) {
        put_cells(list, info);
        return 0;
    }
    xt_json *json = xt_list_json(list);
    put_spec(json, &info->spec);
    put_state(json, info);
    xt_list_json_done(list);
    return 0;
}

static int answer_list(xt_app *app, xt_request *request, xt_response *response, const char *name)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_list list;
    int r = xt_list_begin(&list, request, "forwards", columns, XT_COUNT_OF(columns), &problem);

    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_forwards_list(app, name, on_forward, &list, &problem);
    if (r == 0)
        return xt_list_end(&list, response);
    xt_list_fini(&list);
    return xt_respond_app_failure(response, r, &problem);
}

int xt_api_forwards(xt_app *app, xt_request *request, xt_response *response)
{
    return answer_list(app, request, response, NULL);
}

/* The first parameter of the path as a C string. */
static int name_of(const xt_request *request, const char **ret, xt_problem *problem)
{
    xt_slice copy = xt_arena_copy(request->arena, request->params[0]);

    *ret = copy.p;
    if (copy.p && xt_slice_find_byte(copy, '\0') < 0)
        return 0;
    xt_problem_set(problem, "that is no name for a forward");
    return copy.p ? XT_REQUEST_E_BAD : -ENOMEM;
}

int xt_api_forward(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    const char *name;
    int r = name_of(request, &name, &problem);

    return r ? xt_respond_failure(response, r, 400, &problem) : answer_list(app, request, response, name);
}

/* ------------------------------------------------------------------------------------------------ adding */

/* A parameter that names a file of this machine: whole, and only from who owns it. */
static int read_path(const xt_request *request, const char *name, const char **ret, xt_problem *problem)
{
    int r = xt_request_text(request, name, ret, problem);

    if (r || !*ret || !**ret)
        return r;
    if (!request->is_local) {
        xt_problem_set(problem, "%s names a file of the server's machine: that is for who asks there", name);
        xt_problem_hint(problem, "on that machine: exectrail forward add --data DIR ...");
        return XT_REQUEST_E_BAD;
    }
    if ((*ret)[0] != '/') {
        xt_problem_set(problem, "%s is a whole path, from / on", name);
        return XT_REQUEST_E_BAD;
    }
    return 0;
}

static int read_paths(const xt_request *request, xt_forward_spec *spec, xt_problem *problem)
{
    const struct {
        const char *name;
        const char **to;
    } paths[] = {{"ca", &spec->ca},
                 {"cert", &spec->cert},
                 {"key", &spec->key},
                 {"bearer_file", &spec->bearer_file},
                 {"headers_file", &spec->headers_file}};
    int r = 0;

    for (size_t i = 0; r == 0 && i < XT_COUNT_OF(paths); i++)
        r = read_path(request, paths[i].name, paths[i].to, problem);
    if (r == 0 && !request->is_local && spec->target && strncmp(spec->target, "file:", 5) == 0) {
        xt_problem_set(problem, "a forward to a file is for who asks on the server's own machine");
        xt_problem_hint(problem, "there: exectrail forward add --data DIR ...");
        r = XT_REQUEST_E_BAD;
    }
    return r;
}

static int read_words(const xt_request *request, xt_forward_spec *spec, xt_problem *problem)
{
    xt_slice what = xt_request_get(request, "what"), format = xt_request_get(request, "form");
    xt_slice from = xt_request_get(request, "from");

    spec->alerts = xt_slice_eq(what, XT_S("alerts"));
    spec->from_start = xt_slice_eq(from, XT_S("start"));
    spec->bulk = xt_request_flag(request, "bulk");
    spec->gzip = xt_request_flag(request, "gzip");
    if (what.n && !spec->alerts && !xt_slice_eq(what, XT_S("events")))
        xt_problem_set(problem, "what is events or alerts");
    else if (from.n && !spec->from_start && !xt_slice_eq(from, XT_S("now")))
        xt_problem_set(problem, "from is now or start");
    else if (format.n && !xt_forward_format_by_name(format, &spec->format))
        xt_problem_set(problem, "form is ecs, raw or cef");
    else if (spec->alerts && xt_request_get(request, "q").n)
        xt_problem_set(problem, "alerts are not chosen by a query");
    else if (!spec->alerts && xt_request_get(request, "level").n)
        xt_problem_set(problem, "a level is one of alerts");
    return xt_problem_is_set(problem) ? XT_REQUEST_E_BAD : 0;
}

static int read_spec(const xt_request *request, xt_forward_spec *spec, xt_problem *problem)
{
    uint64_t keep = 0;
    int r = xt_request_text(request, "name", &spec->name, problem);

    if (r == 0)
        r = xt_request_text(request, "to", &spec->target, problem);
    if (r == 0)
        r = xt_request_text(request, "q", &spec->query, problem);
    if (r == 0)
        r = read_words(request, spec, problem);
    if (r == 0 && spec->alerts)
        r = xt_request_text(request, "level", &spec->query, problem);
    if (r == 0)
        r = read_paths(request, spec, problem);
    if (r == 0)
        r = xt_request_number(request, "rotate_bytes", 0, UINT64_C(1) << 50, &spec->rotate_bytes, problem);
    if (r == 0)
        r = xt_request_number(request, "keep", 5, 1000, &keep, problem);
    spec->n_keep = (unsigned)keep;
    if (r == 0 && (!spec->name || !spec->target)) {
        xt_problem_set(problem, "a forward needs a name and a target (to)");
        r = XT_REQUEST_E_BAD;
    }
    return r;
}

int xt_api_forward_add(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_forward_spec spec = {.format = XT_FORWARD_ECS};
    const char **texts[] = {&spec.query, &spec.ca, &spec.cert, &spec.key, &spec.bearer_file, &spec.headers_file};
    int r = read_spec(request, &spec, &problem);

    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    for (size_t i = 0; i < XT_COUNT_OF(texts); i++)
        *texts[i] = *texts[i] ? *texts[i] : "";
    r = xt_app_forward_add(app, &spec, xt_request_asker(request), &problem);
    return r ? xt_respond_app_failure(response, r, &problem) : answer_list(app, request, response, spec.name);
}

static int set(xt_app *app, xt_request *request, xt_response *response, xt_forward_order order)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    const char *name;
    int r = name_of(request, &name, &problem);

    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_forward_set(app, name, order, xt_request_asker(request), &problem);
    xt_buf_puts(&out, "{}\n");
    return r ? xt_respond_app_failure(response, r, &problem) : xt_respond_json(response, 200, &out);
}

int xt_api_forward_pause(xt_app *app, xt_request *request, xt_response *response)
{
    return set(app, request, response, XT_FORWARD_PAUSE);
}

int xt_api_forward_resume(xt_app *app, xt_request *request, xt_response *response)
{
    return set(app, request, response, XT_FORWARD_RESUME);
}

int xt_api_forward_remove(xt_app *app, xt_request *request, xt_response *response)
{
    return set(app, request, response, XT_FORWARD_REMOVE);
}

#include "web/search_params.h"

#include <errno.h>

#include "base/json_out.h"
#include "base/timestamp.h"
#include "query/ends.h"

#define MAX_SECONDS 86400
#define MAX_MIB     4096

static int find_noise(const xt_request *request, xt_noise *ret, xt_problem *reterr_problem)
{
    static const char *const names[] = {[XT_NOISE_SHOW] = "show", [XT_NOISE_HIDE] = "hide", [XT_NOISE_ONLY] = "only"};
    xt_slice wanted = xt_request_get(request, "noise");
    for (size_t i = 0; i < XT_COUNT_OF(names); i++)
        if (wanted.n == 0 || xt_slice_eq(wanted, xt_slice_str(names[i]))) {
            *ret = (xt_noise)i;
            return 0;
        }
    xt_problem_source(reterr_problem, "noise");
    xt_problem_set(reterr_problem, "noise must be show, hide or only");
    xt_problem_excerpt(reterr_problem, wanted);
    return XT_REQUEST_E_BAD;
}

/* timeout=SECONDS, memory=MIB, explain=1. */
static int find_budgets(const xt_request *request, xt_query *query, xt_problem *reterr_problem)
{
    uint64_t seconds, mib;
    int r = xt_request_number(request, "timeout", 0, MAX_SECONDS, &seconds, reterr_problem);
    if (r == 0)
        r = xt_request_number(request, "memory", 0, MAX_MIB, &mib, reterr_problem);
    if (r)
        return r;
    query->max_ms = (int64_t)seconds * 1000;
    query->max_memory_bytes = (size_t)mib << 20;
    query->explain = xt_request_flag(request, "explain");
    return 0;
}

static int compile(xt_search_params *params, xt_slice kql, bool stages, xt_problem *reterr_problem)
{
    int r = stages ? xt_pipe_compile(kql, params->now_ms, &params->pipe, reterr_problem)
                   : xt_filter_compile(kql, params->now_ms, &params->filter, reterr_problem);
    params->query.filter = params->pipe ? xt_pipe_filter(params->pipe) : params->filter;
    if (r <= 0)
        return r;
    if (reterr_problem) {
        xt_problem_source(reterr_problem, "query");
        if (!reterr_problem->line)
            xt_problem_at(reterr_problem, 1, reterr_problem->column);
    }
    return XT_REQUEST_E_BAD;
}

static int init(xt_search_params *params, xt_app *app, const xt_request *request, xt_slice kql, bool stages,
                xt_problem *reterr_problem)
{
    *params = (xt_search_params){.now_ms = xt_clock_wall_ms(xt_app_clock(app))};
    xt_query *query = &params->query;
    query->cancel = request->cancelled;
    params->has_from = xt_request_get(request, "from").n > 0;
    params->has_to = xt_request_get(request, "to").n > 0;
    int r = xt_request_time(request, "from", params->now_ms, false, 0, &query->from_ms, reterr_problem);
    if (r == 0)
        r = xt_request_time(request, "to", params->now_ms, true, XT_TIMESTAMP_MAX_MS, &query->to_ms, reterr_problem);
    if (r == 0)
        r = find_noise(request, &query->noise, reterr_problem);
    if (r == 0)
        r = find_budgets(request, query, reterr_problem);
    if (r == 0)
        r = compile(params, kql.p ? kql : xt_request_get(request, "q"), stages, reterr_problem);
    return r;
}

int xt_search_params_init(xt_search_params *params, xt_app *app, const xt_request *request, xt_slice kql,
                          xt_problem *reterr_problem)
{
    return init(params, app, request, kql, false, reterr_problem);
}

int xt_search_params_init_pipe(xt_search_params *params, xt_app *app, const xt_request *request,
                               xt_problem *reterr_problem)
{
    return init(params, app, request, XT_S_NULL, true, reterr_problem);
}

int xt_search_params_fold(xt_search_params *params, const xt_request *request, bool otherwise,
                          xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf kql = XT_BUF_INIT;
    xt_slice ends = xt_request_get(request, "ends"), q = xt_slice_trim(xt_request_get(request, "q"));
    bool fold = ends.n ? xt_slice_eq(ends, XT_S("fold")) : otherwise;

    if (ends.n && !fold && !xt_slice_eq(ends, XT_S("rows"))) {
        xt_problem_source(reterr_problem, "ends");
        xt_problem_set(reterr_problem, "ends must be rows or fold");
        return XT_REQUEST_E_BAD;
    }
    xt_field_set fields = xt_filter_fields(params->query.filter);
    if (!fold || (params->pipe && xt_pipe_stages(params->pipe) > 0) || xt_ends_are_asked(&fields) ||
        params->query.noise == XT_NOISE_ONLY)
        return 0;
    xt_buf_printf(&kql, q.n ? "(%.*s) and not action:exited" : "%.*snot action:exited", XT_S_ARGS(q));
    if (xt_buf_done(&kql))
        return xt_error_origin(-ENOMEM);
    params->pipe = xt_pipe_free(params->pipe);
    params->filter = xt_filter_free(params->filter);
    params->folds = true;
    return compile(params, xt_buf_slice(&kql), true, reterr_problem);
}

void xt_search_params_fini(xt_search_params *params)
{
    params->filter = xt_filter_free(params->filter);
    params->pipe = xt_pipe_free(params->pipe);
}

int xt_search_fields(const xt_request *request, const char *name, xt_field *ret, size_t max, size_t *ret_n,
                     xt_problem *reterr_problem)
{
    xt_slice list = xt_request_get(request, name);
    *ret_n = 0;
    if (list.n == 0)
        return 0;
    int r = xt_fields_parse(list, ret, max, ret_n, reterr_problem);
    xt_problem_source(reterr_problem, name);
    return r > 0 ? XT_REQUEST_E_BAD : r;
}

void xt_row_with_cursor(xt_slice document, xt_slice cursor, xt_buf *out)
{
    /* Inside of a string the quotes would be escaped: this is the member and nothing else. */
    xt_slice member = XT_S("\"exectrail\":{");
    ptrdiff_t at = xt_slice_find(document, member);
    size_t split = at >= 0 ? (size_t)at + member.n : document.n - 1;
    xt_slice tail = xt_slice_skip(document, split);
    xt_buf_put(out, xt_slice_head(document, split));
    if (at < 0)
        xt_buf_puts(out, split > 1 ? ",\"exectrail\":{" : "\"exectrail\":{");
    xt_buf_puts(out, "\"cursor\":");
    xt_json json = xt_json_to(out);
    xt_json_string(&json, cursor);
    if (at < 0)
        xt_buf_putc(out, '}');
    else if (!xt_slice_starts(tail, XT_S("}")))
        xt_buf_putc(out, ',');
    xt_buf_put(out, tail);
}

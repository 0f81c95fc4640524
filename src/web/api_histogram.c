/* Without from the first event of the store begins it, without to the last one ends it: an empty store gives one empty bucket. */
#include <errno.h>

#include "web/api.h"
#include "web/respond.h"
#include "web/search_params.h"

#define BUCKETS     60
#define MAX_BUCKETS 2000

typedef struct histogram {
    int64_t from_ms, to_ms, interval_ms;
    size_t n;
    xt_query_bucket *buckets;
    xt_answer answer;
} histogram;

/* The shortest of the usual intervals that needs no more than that many buckets. */
static int64_t nice_interval(int64_t span_ms, uint64_t n_buckets)
{
    static const int64_t second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;
    const int64_t usual[] = {1,           2,        5,          10,         20,          50,          100,
                             200,         500,      second,     2 * second, 5 * second,  10 * second, 15 * second,
                             30 * second, minute,   2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute,
                             hour,        2 * hour, 3 * hour,   6 * hour,   12 * hour,   day,         2 * day,
                             7 * day,     14 * day, 30 * day,   90 * day,   365 * day};
    for (size_t i = 0; i < XT_COUNT_OF(usual); i++)
        if (span_ms / usual[i] < (int64_t)n_buckets)
            return usual[i];
    return span_ms / (int64_t)n_buckets + 1;
}

static int find_range(xt_app *app, const xt_search_params *params, histogram *h)
{
    xt_store_stats stats;
    int r = xt_store_stats_get(xt_app_store(app), &stats);
    if (r)
        return xt_error_trace(r);
    bool is_empty = stats.n_events == 0;
    h->from_ms = params->has_from ? params->query.from_ms : is_empty ? params->now_ms : stats.first_ms;
    h->to_ms = params->has_to ? params->query.to_ms : is_empty ? params->now_ms : stats.last_ms;
    if (params->has_from && !params->has_to && h->to_ms < h->from_ms)
        h->to_ms = params->now_ms > h->from_ms ? params->now_ms : h->from_ms;
    if (!params->has_from && h->from_ms > h->to_ms)
        h->from_ms = h->to_ms;
    return 0;
}

static int plan(xt_app *app, const xt_request *request, xt_search_params *params, histogram *h, xt_problem *problem)
{
    uint64_t wanted;
    int r = xt_request_number(request, "buckets", BUCKETS, MAX_BUCKETS, &wanted, problem);
    if (r == 0)
        r = find_range(app, params, h);
    if (r)
        return r;
    if (h->to_ms < h->from_ms) {
        xt_problem_source(problem, "to");
        xt_problem_set(problem, "the end of the range is before its beginning");
        return XT_REQUEST_E_BAD;
    }
    h->interval_ms = nice_interval(h->to_ms - h->from_ms, wanted > 1 ? wanted - 1 : 1);
    if (!params->has_from) /* nothing is older: whole intervals look better */
        h->from_ms -= h->from_ms % h->interval_ms;
    h->n = (size_t)((h->to_ms - h->from_ms) / h->interval_ms) + 1;
    params->query.from_ms = h->from_ms;
    params->query.to_ms = h->to_ms;
    h->buckets = xt_arena_array(request->arena, h->n, sizeof *h->buckets);
    return h->buckets ? 0 : xt_error_origin(-ENOMEM);
}

static int answer_histogram(const histogram *h, xt_response *response)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_json json = xt_json_to(&out);
    xt_json_object_begin(&json);
    xt_json_field_i64(&json, "from", h->from_ms);
    xt_json_field_i64(&json, "to", h->to_ms);
    xt_json_field_i64(&json, "interval_ms", h->interval_ms);
    xt_json_key(&json, XT_S("buckets"));
    xt_json_array_begin(&json);
    for (size_t i = 0; i < h->n; i++) {
        xt_json_array_begin(&json);
        xt_json_u64(&json, h->buckets[i].count);
        xt_json_u64(&json, h->buckets[i].n_alerts);
        xt_json_array_end(&json);
    }
    xt_json_array_end(&json);
    xt_json_answer(&json, &h->answer);
    xt_json_object_end(&json);
    xt_buf_putc(&out, '\n');
    return xt_respond_json(response, 200, &out);
}

int xt_api_histogram(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_search_params params;
    histogram h = {.n = 0};
    int r = xt_search_params_init_pipe(&params, app, request, &problem);
    if (r == 0)
        r = plan(app, request, &params, &h, &problem);
    if (r == 0) {
        r = xt_query_histogram(xt_app_store(app), &params.query, h.interval_ms, h.buckets, h.n, &h.answer, &problem);
        r = r == XT_QUERY_E_CANCELLED ? -EPIPE : r;
    }
    xt_search_params_fini(&params);
    return r ? xt_respond_failure(response, r, 400, &problem) : answer_histogram(&h, response);
}

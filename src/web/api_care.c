/* Room, retention and legal holds of the store. */
#include "web/api.h"
#include "web/list_writer.h"
#include "web/request.h"
#include "web/respond.h"

#define DAY_MS INT64_C(86400000)

static void put_limit(xt_json *json, const char *key, uint64_t limit)
{
    if (limit)
        xt_json_field_u64(json, key, limit);
}

static void put_group_ages(xt_json *json, const xt_app *app)
{
    size_t n;
    const xt_group_age *ages = xt_app_group_ages(app, &n);

    if (n == 0)
        return;
    xt_json_key(json, XT_S("retain_groups"));
    xt_json_object_begin(json);
    for (size_t i = 0; i < n; i++)
        xt_json_field_u64(json, ages[i].group, (uint64_t)ages[i].max_age_ms);
    xt_json_object_end(json);
}

/* What retention would do next, and how long it is until then at the present rate; -1: never, or nobody knows. */
static void put_forecast(xt_json *json, const xt_store_limits *limits, const xt_store_room *room, int64_t now_ms)
{
    int64_t best = -1;
    const char *why = "";
    int64_t by_age = limits->max_age_ms && room->next_id ? room->next_newest_ms + limits->max_age_ms - now_ms : -1;

    if (by_age >= 0 || (limits->max_age_ms && room->next_id)) {
        best = by_age > 0 ? by_age : 0;
        why = "age";
    }
    if (limits->max_bytes && room->bytes_a_day) {
        uint64_t left = room->bytes_used < limits->max_bytes ? limits->max_bytes - room->bytes_used : 0;
        int64_t ms = (int64_t)((double)left / (double)room->bytes_a_day * (double)DAY_MS);
        if (best < 0 || ms < best) {
            best = ms;
            why = "bytes";
        }
    }
    if (room->bytes_a_day) { /* without a limit the disk is one */
        uint64_t left = room->bytes_free > limits->min_free_bytes ? room->bytes_free - limits->min_free_bytes : 0;
        int64_t ms = (int64_t)((double)left / (double)room->bytes_a_day * (double)DAY_MS);
        if (best < 0 || ms < best) {
            best = ms;
            why = limits->min_free_bytes ? "free" : "disk-full";
        }
    }
    xt_json_key(json, XT_S("next"));
    xt_json_object_begin(json);
    xt_json_field_u64(json, "segment", room->next_id);
    xt_json_field_u64(json, "rows", room->next_rows);
    xt_json_field_u64(json, "bytes", room->next_bytes);
    xt_json_field_time(json, "newest", room->next_newest_ms);
    if (best >= 0) {
        xt_json_field_string(json, "why", xt_slice_str(why));
        xt_json_field_u64(json, "in_ms", (uint64_t)best);
    }
    xt_json_object_end(json);
}

static int count_hold(void *context, const xt_store_hold *hold)
{
    (void)hold;
    ++*(uint64_t *)context;
    return 0;
}

int xt_api_store(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_store_stats stats = {.n_events = 0};
    xt_store_room room = {.bytes_used = 0};
    const xt_store_limits *limits = xt_app_limits(app);
    uint64_t n_holds = 0;
    (void)request;
    int r = xt_store_stats_get(xt_app_store(app), &stats);
    if (r == 0)
        r = xt_store_room_get(xt_app_store(app), &room);
    if (r == 0)
        r = xt_store_each_hold(xt_app_store(app), count_hold, &n_holds, &problem);
    if (r)
        return xt_respond_failure(response, r, 500, &problem);
    xt_json json = xt_json_to(&out);
    xt_json_object_begin(&json);
    xt_json_field_u64(&json, "events", stats.n_events);
    xt_json_field_u64(&json, "open_events", stats.n_open_events);
    xt_json_field_u64(&json, "segments", stats.n_segments);
    xt_json_field_u64(&json, "damaged", stats.n_damaged);
    xt_json_field_bool(&json, "storing", !xt_store_is_full(xt_app_store(app)));
    xt_json_field_time(&json, "first", stats.n_events ? stats.first_ms : 0);
    xt_json_field_time(&json, "last", stats.n_events ? stats.last_ms : 0);
    xt_json_field_u64(&json, "bytes", room.bytes_used);
    xt_json_field_u64(&json, "bytes_free", room.bytes_free);
    xt_json_field_u64(&json, "bytes_total", room.bytes_total);
    xt_json_field_u64(&json, "bytes_a_day", room.bytes_a_day);
    xt_json_field_u64(&json, "holds", n_holds);
    put_limit(&json, "retain_ms", (uint64_t)limits->max_age_ms);
    put_group_ages(&json, app);
    put_limit(&json, "retain_bytes", limits->max_bytes);
    put_limit(&json, "min_free_bytes", limits->min_free_bytes);
    put_forecast(&json, limits, &room, xt_clock_wall_ms(xt_app_clock(app)));
    xt_json_object_end(&json);
    xt_buf_putc(&out, '\n');
    return xt_respond_json(response, 200, &out);
}

/* ------------------------------------------------------------------------------------------------ holds */

static int put_hold(void *context, const xt_store_hold *hold)
{
    xt_list *list = context;

    if (xt_list_is_json(list)) {
        xt_json *json = xt_list_json(list);
        xt_json_field_u64(json, "id", hold->id);
        xt_json_field_time(json, "placed", hold->at_ms);
        xt_json_field_string(json, "who", hold->who);
        xt_json_field_string(json, "query", hold->query);
        xt_json_field_string(json, "reason", hold->reason);
        xt_list_json_done(list);
    } else {
        xt_list_cell_u64(list, hold->id);
        xt_list_cell_time(list, hold->at_ms);
        xt_list_cell(list, hold->who);
        xt_list_cell(list, hold->query);
        xt_list_cell(list, hold->reason);
    }
    return xt_buf_done(&list->out);
}

int xt_api_holds(xt_app *app, xt_request *request, xt_response *response)
{
    static const char *const columns[] = {"id", "placed", "who", "query", "reason"};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_list list;
    int r = xt_list_begin(&list, request, "holds", columns, XT_COUNT_OF(columns), &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_store_each_hold(xt_app_store(app), put_hold, &list, &problem);
    if (r == 0)
        return xt_list_end(&list, response);
    xt_list_fini(&list);
    return xt_respond_failure(response, r, 500, &problem);
}

static xt_slice who(const xt_request *request)
{
    return request->user[0] ? xt_slice_str(request->user) : XT_S("command line");
}

int xt_api_hold_add(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    uint64_t id;
    int r = xt_app_hold_add(app, xt_request_get(request, "q"), xt_request_get(request, "reason"), who(request), &id,
                            &problem);
    if (r)
        return xt_respond_app_failure(response, r, &problem);
    xt_buf_printf(&out, "{\"id\":%llu}\n", (unsigned long long)id);
    return xt_respond_json(response, 200, &out);
}

int xt_api_hold_remove(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    uint64_t id = 0;
    int r = 0;
    xt_problem_set(&problem, "a hold is named by its number");
    if (!xt_slice_parse_u64(request->params[0], &id))
        return xt_response_problem(response, 400, &problem);
    problem = XT_PROBLEM_INIT;
    r = xt_app_hold_remove(app, id, who(request), &problem);
    if (r)
        return xt_respond_app_failure(response, r, &problem);
    xt_buf_puts(&out, "{}\n");
    return xt_respond_json(response, 200, &out);
}

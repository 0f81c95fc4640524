#include <errno.h>

#include "web/api.h"
#include "web/list_writer.h"
#include "web/respond.h"

typedef struct counts {
    uint64_t n_hosts, n_connected;
} counts;

static int on_host(void *context, const xt_host *host)
{
    counts *c = context;
    c->n_hosts++;
    c->n_connected += host->connected;
    return 0;
}

static void put_store(xt_json *json, const xt_store_stats *stats)
{
    xt_json_field_u64(json, "events", stats->n_events);
    xt_json_field_u64(json, "open_events", stats->n_open_events);
    xt_json_field_u64(json, "segments", stats->n_segments);
    xt_json_field_u64(json, "damaged", stats->n_damaged);
    xt_json_field_u64(json, "bytes", stats->bytes_on_disk);
    xt_json_field_time(json, "first", stats->n_events ? stats->first_ms : 0);
    xt_json_field_time(json, "last", stats->n_events ? stats->last_ms : 0);
}

int xt_api_status(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_store_stats stats = {.n_events = 0};
    counts c = {0};
    uint64_t n_alerts = 0;
    (void)request;
    int r = xt_store_stats_get(xt_app_store(app), &stats);
    if (r == 0)
        r = xt_app_hosts_list(app, on_host, &c, &problem);
    if (r == 0)
        r = xt_app_alerts_count(app, "open", &n_alerts, &problem);
    if (r)
        return xt_respond_app_failure(response, r, &problem);
    xt_ruleset *rules = xt_app_rules(app);
    xt_json json = xt_json_to(&out);
    xt_json_object_begin(&json);
    xt_json_field_string(&json, "version", XT_S(XT_VERSION));
    xt_json_field_bool(&json, "demo", xt_app_is_demo(app));
    xt_json_field_time(&json, "now", xt_clock_wall_ms(xt_app_clock(app)));
    put_store(&json, &stats);
    bool full = xt_store_is_full(xt_app_store(app));
    xt_json_field_bool(&json, "storing", !full);
    if (full)
        xt_json_field_string(&json, "problem", XT_S("the disk is full: no event is accepted until there is room"));
    xt_json_field_u64(&json, "hosts", c.n_hosts);
    xt_json_field_u64(&json, "hosts_connected", c.n_connected);
    xt_json_field_u64(&json, "alerts_open", n_alerts);
    xt_json_field_u64(&json, "rules", xt_ruleset_count(rules));
    xt_json_object_end(&json);
    xt_ruleset_unref(rules);
    xt_buf_putc(&out, '\n');
    return xt_respond_json(response, 200, &out);
}

static const char *type_name(xt_type type)
{
    static const char *const names[] = {
        [XT_TIME] = "time", [XT_UINT] = "number", [XT_INT] = "number",     [XT_TEXT] = "text",
        [XT_LIST] = "list", [XT_PATHS] = "paths", [XT_RECORDS] = "records"};
    return names[type];
}

int xt_api_fields(xt_app *app, xt_request *request, xt_response *response)
{
    static const char *const columns[] = {"name", "alias", "type", "help"};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_list list;
    (void)app;
    int r = xt_list_begin(&list, request, "fields", columns, XT_COUNT_OF(columns), &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    for (unsigned id = 1; id < XT_F_END; id++) {
        const xt_field_info *info = xt_field_find(id);
        if (!info)
            continue;
        const char *values[] = {info->name, info->alias, type_name(info->type), info->help};
        xt_json *json = xt_list_is_json(&list) ? xt_list_json(&list) : NULL;
        for (size_t i = 0; i < XT_COUNT_OF(values); i++) {
            if (json)
                xt_json_field_string(json, columns[i], xt_slice_str(values[i]));
            else
                xt_list_cell(&list, xt_slice_str(values[i]));
        }
        if (json)
            xt_list_json_done(&list);
    }
    return xt_list_end(&list, response);
}

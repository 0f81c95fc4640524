#include "web/api.h"
#include "web/list_writer.h"
#include "web/respond.h"

static const char *const columns[] = {"host",    "group", "connected", "last seen", "audit",   "completeness", "lost",
                                      "backlog", "spool", "dropped",   "events",    "version", "blind"};

static void put_text(xt_json *json, const char *key, const char *value)
{
    xt_json_field_string(json, key, xt_slice_str(value));
}

static void put_host(xt_json *json, const xt_host *host)
{
    put_text(json, "id", host->id);
    put_text(json, "name", host->name);
    put_text(json, "group", host->group);
    xt_json_field_bool(json, "connected", host->connected);
    xt_json_field_bool(json, "revoked", host->revoked);
    xt_json_field_bool(json, "imported", host->imported);
    xt_json_field_time(json, "enrolled", host->enrolled_ms);
    xt_json_field_time(json, "last_seen", host->last_seen_ms);
    xt_json_field_time(json, "last_event", host->last_event_ms);
    put_text(json, "audit_mode", host->audit_mode);
    put_text(json, "completeness", host->completeness);
    put_text(json, "blind", host->blind);
    xt_json_field_u64(json, "lost", host->lost);
    xt_json_field_u64(json, "backlog", host->backlog);
    xt_json_field_u64(json, "spool_batches", host->spool_batches);
    xt_json_field_u64(json, "spool_dropped", host->spool_dropped);
    put_text(json, "agent_version", host->agent_version);
    xt_json_field_u64(json, "events", host->n_events);
    xt_json_field_u64(json, "cpu_us", host->cpu_us);
    xt_json_field_u64(json, "rss_bytes", host->rss_bytes);
    put_text(json, "address", host->address);
    put_text(json, "os", host->os);
    put_text(json, "boot_id", host->boot_id);
}

static void put_word(xt_list *list, const char *value)
{
    xt_list_cell(list, value[0] || list->format == XT_LIST_CSV ? xt_slice_str(value) : XT_S("-"));
}

static void put_cells(xt_list *list, const xt_host *host)
{
    const char *connected = host->revoked ? "revoked" : host->imported ? "imported" : host->connected ? "yes" : "no";
    put_word(list, host->name);
    put_word(list, host->group);
    xt_list_cell(list, xt_slice_str(connected));
    xt_list_cell_time(list, host->last_seen_ms);
    put_word(list, host->audit_mode);
    put_word(list, host->completeness);
    xt_list_cell_u64(list, host->lost);
    xt_list_cell_u64(list, host->backlog);
    xt_list_cell_u64(list, host->spool_batches);
    xt_list_cell_u64(list, host->spool_dropped);
    xt_list_cell_u64(list, host->n_events);
    put_word(list, host->agent_version);
    put_word(list, host->blind);
}

static int on_host(void *context, const xt_host *host)
{
    xt_list *list = context;
    if (xt_list_is_json(list)) {
        put_host(xt_list_json(list), host);
        xt_list_json_done(list);
    } else {
        put_cells(list, host);
    }
    return xt_buf_done(&list->out);
}

int xt_api_hosts(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_list list;
    int r = xt_list_begin(&list, request, "hosts", columns, XT_COUNT_OF(columns), &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_hosts_list(app, on_host, &list, &problem);
    if (r == 0)
        return xt_list_end(&list, response);
    xt_list_fini(&list);
    return xt_respond_app_failure(response, r, &problem);
}

static int revoke(xt_app *app, xt_request *request, xt_response *response, bool revoked)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    int r = xt_app_host_revoke(app, request->params[0], revoked, &problem);
    xt_buf_puts(&out, "{}\n");
    return r ? xt_respond_app_failure(response, r, &problem) : xt_respond_json(response, 200, &out);
}

int xt_api_host_revoke(xt_app *app, xt_request *request, xt_response *response)
{
    return revoke(app, request, response, true);
}

int xt_api_host_restore(xt_app *app, xt_request *request, xt_response *response)
{
    return revoke(app, request, response, false);
}

int xt_api_host_group(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    int r = xt_app_host_group(app, request->params[0], xt_request_get(request, "group"), &problem);
    xt_buf_puts(&out, "{}\n");
    return r ? xt_respond_app_failure(response, r, &problem) : xt_respond_json(response, 200, &out);
}

/* What came from hosts without our agent: counters since the server's start; and the tokens of who sends over HTTP. */
#include "server/intake.h"
#include "server/sender_tokens.h"
#include "server/syslog_door.h"
#include "web/api.h"
#include "web/list_writer.h"
#include "web/request.h"
#include "web/respond.h"

static void put_intake(xt_json *json, const xt_intake_stats *stats)
{
    const xt_senders_stats *senders = &stats->senders;
    xt_json_field_u64(json, "hosts", senders->n_hosts);
    xt_json_field_u64(json, "lines", senders->n_lines + senders->n_other + senders->n_repeated);
    xt_json_field_u64(json, "records", senders->n_records);
    xt_json_field_u64(json, "other", senders->n_other);
    xt_json_field_u64(json, "repeated", senders->n_repeated);
    xt_json_field_u64(json, "unparsed", senders->n_unparsed);
    xt_json_field_u64(json, "late", senders->n_late);
    xt_json_field_u64(json, "timeout", senders->n_timeout);
    xt_json_field_u64(json, "open_bytes", senders->n_open_bytes);
    xt_json_field_u64(json, "events", stats->n_events);
    xt_json_field_u64(json, "known", stats->n_known);
    xt_json_field_u64(json, "stored", stats->n_stored);
    xt_json_field_u64(json, "not_stored", stats->n_refused);
    xt_json_field_u64(json, "bytes_due", stats->n_bytes_due);
}

static void put_syslog(xt_json *json, const xt_syslog_stats *stats)
{
    xt_json_field_u64(json, "messages", stats->n_messages);
    xt_json_field_u64(json, "bytes", stats->n_bytes);
    xt_json_field_u64(json, "cut", stats->n_cut);
    xt_json_field_u64(json, "overflowed", stats->n_overflowed);
    xt_json_field_u64(json, "strangers", stats->n_strangers);
    xt_json_field_u64(json, "refused", stats->n_refused);
    xt_json_field_u64(json, "connections", stats->n_connections);
}

int xt_api_senders(xt_app *app, xt_request *request, xt_response *response)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_intake *intake = NULL;
    (void)request;
    int r = xt_app_intake(app, &intake);
    if (r)
        return xt_respond_failure(response, r, 500, &problem);
    xt_intake_stats stats = xt_intake_stats_get(intake);
    xt_syslog_stats syslog = xt_app_syslog_stats(app);
    xt_json json = xt_json_to(&out);
    xt_json_object_begin(&json);
    put_intake(&json, &stats);
    put_syslog(&json, &syslog);
    xt_json_object_end(&json);
    xt_buf_putc(&out, '\n');
    return xt_respond_json(response, 200, &out);
}

static int on_token(void *context, const xt_sender_token *token)
{
    xt_list *list = context;
    if (xt_list_is_json(list)) {
        xt_json *json = xt_list_json(list);
        xt_json_field_string(json, "name", xt_slice_str(token->name));
        xt_json_field_time(json, "made", token->made_ms);
        xt_json_field_time(json, "used", token->used_ms);
        xt_list_json_done(list);
    } else {
        xt_list_cell(list, xt_slice_str(token->name));
        xt_list_cell_time(list, token->made_ms);
        xt_list_cell_time(list, token->used_ms);
    }
    return xt_buf_done(&list->out);
}

int xt_api_sender_tokens(xt_app *app, xt_request *request, xt_response *response)
{
    static const char *const columns[] = {"name", "made", "used"};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_list list;
    int r = xt_list_begin(&list, request, "senders", columns, XT_COUNT_OF(columns), &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_senders_list(app, on_token, &list, &problem);
    if (r == 0)
        return xt_list_end(&list, response);
    xt_list_fini(&list);
    return xt_respond_app_failure(response, r, &problem);
}

int xt_api_sender_token_new(xt_app *app, xt_request *request, xt_response *response)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT, token = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_app_sender_add(app, xt_request_get(request, "name"), &token, &problem);
    if (r)
        return xt_respond_app_failure(response, r, &problem);
    xt_json json = xt_json_to(&out);
    xt_json_object_begin(&json);
    xt_json_field_string(&json, "token", xt_buf_slice(&token));
    xt_json_object_end(&json);
    xt_buf_putc(&out, '\n');
    return xt_respond_json(response, 200, &out);
}

int xt_api_sender_token_remove(xt_app *app, xt_request *request, xt_response *response)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_app_sender_remove(app, request->params[0], &problem);
    xt_buf_puts(&out, "{}\n");
    return r ? xt_respond_app_failure(response, r, &problem) : xt_respond_json(response, 200, &out);
}

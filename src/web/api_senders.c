/* What came from hosts without our agent: counters since the server's start. */
#include "server/intake.h"
#include "server/syslog_door.h"
#include "web/api.h"
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

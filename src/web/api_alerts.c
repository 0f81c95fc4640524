#include <errno.h>

#include "web/api.h"
#include "web/list_writer.h"
#include "web/request.h"
#include "web/respond.h"

#define ALERTS     100
#define MAX_ALERTS 100000

static const char *const columns[] = {"id",   "status", "level", "first", "last",
                                      "host", "user",   "count", "rule",  "name"};

static xt_slice text(const char *z)
{
    return xt_slice_str(z);
}

/* The rule's author stands in the match document alone. */
static xt_slice author_of(const xt_alert *alert, xt_ruleset *rules)
{
    const xt_rule_info *info = rules ? xt_ruleset_find(rules, text(alert->rule_id)) : NULL;
    return info ? info->author : XT_S("");
}

static void put_alert(xt_json *json, const xt_alert *alert, xt_ruleset *rules)
{
    xt_json_field_u64(json, "id", alert->id);
    xt_json_field_string(json, "status", text(alert->status));
    xt_json_field_u64(json, "count", alert->count);
    xt_json_field_time(json, "first", alert->first_ms);
    xt_json_field_time(json, "last", alert->last_ms);
    xt_json_field_string(json, "host", text(alert->host));
    xt_json_field_string(json, "user", text(alert->user));
    xt_json_field_string(json, "acked_by", text(alert->acked_by));
    xt_json_key(json, XT_S("rule"));
    xt_json_object_begin(json);
    xt_json_field_string(json, "id", text(alert->rule_id));
    xt_json_field_string(json, "name", text(alert->rule_title));
    xt_json_field_string(json, "level", text(alert->level));
    xt_json_field_string(json, "author", author_of(alert, rules));
    xt_json_object_end(json);
    xt_json_key(json, XT_S("event"));
    if (alert->document.n > 0)
        xt_json_raw(json, alert->document);
    else
        xt_json_null(json);
}

typedef struct alerts {
    xt_list list;
    xt_ruleset *rules;
} alerts;

static int on_listed(void *context, const xt_alert *alert)
{
    alerts *all = context;
    xt_list *list = &all->list;
    if (xt_list_is_json(list)) {
        put_alert(xt_list_json(list), alert, all->rules);
        xt_list_json_done(list);
        return xt_buf_done(&list->out);
    }
    xt_list_cell_u64(list, alert->id);
    xt_list_cell(list, text(alert->status));
    xt_list_cell(list, text(alert->level));
    xt_list_cell_time(list, alert->first_ms);
    xt_list_cell_time(list, alert->last_ms);
    xt_list_cell(list, text(alert->host));
    xt_list_cell(list, text(alert->user));
    xt_list_cell_u64(list, alert->count);
    xt_list_cell(list, text(alert->rule_id));
    xt_list_cell(list, text(alert->rule_title));
    return xt_buf_done(&list->out);
}

static int check_status(const char *status, xt_problem *problem)
{
    static const char *const known[] = {"open", "acknowledged", "closed"};
    for (size_t i = 0; status && i < XT_COUNT_OF(known); i++)
        if (strcmp(status, known[i]) == 0)
            return 0;
    if (!status)
        return 0;
    xt_problem_source(problem, "status");
    xt_problem_set(problem, "status must be open, acknowledged or closed");
    xt_problem_excerpt(problem, text(status));
    return XT_REQUEST_E_BAD;
}

int xt_api_alerts(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    alerts all = {.rules = NULL};
    const char *status;
    uint64_t limit;
    int r = xt_request_text(request, "status", &status, &problem);
    if (r == 0 && status && !status[0])
        status = NULL;
    if (r == 0)
        r = check_status(status, &problem);
    if (r == 0)
        r = xt_request_number(request, "limit", ALERTS, MAX_ALERTS, &limit, &problem);
    if (r == 0)
        r = xt_list_begin(&all.list, request, "alerts", columns, XT_COUNT_OF(columns), &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    all.rules = xt_app_rules(app);
    r = xt_app_alerts_list(app, status, limit ? limit : MAX_ALERTS, on_listed, &all, &problem);
    all.rules = xt_ruleset_unref(all.rules);
    if (r == 0)
        return xt_list_end(&all.list, response);
    xt_list_fini(&all.list);
    return xt_respond_app_failure(response, r, &problem);
}

typedef struct one_alert {
    xt_json json;
    xt_ruleset *rules;
} one_alert;

static int on_one(void *context, const xt_alert *alert)
{
    one_alert *one = context;
    xt_json_object_begin(&one->json);
    put_alert(&one->json, alert, one->rules);
    xt_json_object_end(&one->json);
    return 0;
}

static int parse_id(const xt_request *request, uint64_t *ret, xt_problem *problem)
{
    if (xt_slice_parse_u64(request->params[0], ret))
        return 0;
    xt_problem_set(problem, "the id of an alert is a whole number");
    xt_problem_excerpt(problem, request->params[0]);
    return XT_APP_E_NOT_FOUND;
}

int xt_api_alert(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    one_alert one = {.json = xt_json_to(&out)};
    uint64_t id;
    int r = parse_id(request, &id, &problem);
    if (r == 0) {
        one.rules = xt_app_rules(app);
        r = xt_app_alert_get(app, id, on_one, &one, &problem);
        one.rules = xt_ruleset_unref(one.rules);
    }
    xt_buf_putc(&out, '\n');
    return r ? xt_respond_app_failure(response, r, &problem) : xt_respond_json(response, 200, &out);
}

static int set(xt_app *app, xt_request *request, xt_response *response, const char *status)
{
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t id;
    int r = parse_id(request, &id, &problem);
    if (r == 0)
        r = xt_app_alert_set(app, id, status, request->user, &problem);
    return r ? xt_respond_app_failure(response, r, &problem) : xt_api_alert(app, request, response);
}

int xt_api_alert_ack(xt_app *app, xt_request *request, xt_response *response)
{
    return set(app, request, response, "acknowledged");
}

int xt_api_alert_close(xt_app *app, xt_request *request, xt_response *response)
{
    return set(app, request, response, "closed");
}

int xt_api_alert_reopen(xt_app *app, xt_request *request, xt_response *response)
{
    return set(app, request, response, "open");
}

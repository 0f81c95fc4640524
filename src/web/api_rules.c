#include "web/api.h"
#include "web/list_writer.h"
#include "web/request.h"
#include "web/respond.h"

static const char *const columns[] = {"level", "enabled", "id", "title", "status", "file", "line"};

static void put_rule(xt_json *json, const xt_rule_info *rule)
{
    xt_json_field_string(json, "id", rule->id);
    xt_json_field_string(json, "title", rule->title);
    xt_json_field_string(json, "level", xt_slice_str(xt_level_name(rule->level)));
    xt_json_field_string(json, "status", rule->status);
    xt_json_field_string(json, "author", rule->author);
    xt_json_field_string(json, "description", rule->description);
    xt_json_key(json, XT_S("tags"));
    xt_json_array_begin(json);
    for (size_t i = 0; i < rule->n_tags; i++)
        xt_json_string(json, rule->tags[i]);
    xt_json_array_end(json);
    xt_json_field_string(json, "file", xt_slice_str(rule->file));
    xt_json_field_u64(json, "line", rule->line);
    xt_json_field_bool(json, "enabled", rule->enabled);
}

static void put_cells(xt_list *list, const xt_rule_info *rule)
{
    xt_list_cell(list, xt_slice_str(xt_level_name(rule->level)));
    xt_list_cell(list, rule->enabled ? XT_S("yes") : XT_S("no"));
    xt_list_cell(list, rule->id);
    xt_list_cell(list, rule->title);
    xt_list_cell(list, rule->status);
    xt_list_cell(list, xt_slice_str(rule->file));
    xt_list_cell_u64(list, rule->line);
}

static void on_refused(void *context, const xt_problem *problem)
{
    xt_problem_json(problem, context);
}

static void put_rest(xt_app *app, const xt_ruleset *rules, xt_json *json)
{
    xt_ruleset_stats stats = xt_ruleset_stats_get(rules);
    xt_json_key(json, XT_S("refused"));
    xt_json_array_begin(json);
    xt_app_rules_refused(app, on_refused, json);
    xt_json_array_end(json);
    xt_json_field_u64(json, "noise", stats.n_noise);
    xt_json_field_u64(json, "not_ours", stats.n_not_ours);
}

int xt_api_rules(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_list list;
    int r = xt_list_begin(&list, request, "rules", columns, XT_COUNT_OF(columns), &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    xt_ruleset *rules = xt_app_rules(app);
    for (size_t i = 0; i < xt_ruleset_count(rules); i++) {
        const xt_rule_info *rule = xt_ruleset_rule(rules, i);
        if (xt_list_is_json(&list)) {
            put_rule(xt_list_json(&list), rule);
            xt_list_json_done(&list);
        } else {
            put_cells(&list, rule);
        }
    }
    xt_json *json = xt_list_rest(&list);
    if (json)
        put_rest(app, rules, json);
    xt_ruleset_unref(rules);
    return xt_list_end(&list, response);
}

int xt_api_rules_reload(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_app_rules_reload(app, &problem);
    return r ? xt_respond_app_failure(response, r, &problem) : xt_api_rules(app, request, response);
}

/* event=ID: of the store. The answer is text, a line a selection and field. */
int xt_api_rule_explain(xt_app *app, xt_request *request, xt_response *response)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_hash128 id;
    xt_event event;
    bool found = false;
    int r = 0;
    if (xt_hash128_parse(xt_request_get(request, "event"), &id))
        r = xt_store_event_find(xt_app_store(app), id, 0, request->arena, &event, &found, &problem);
    if (r == 0 && !found) {
        xt_problem_set(&problem, "there is no event of this id");
        xt_problem_excerpt(&problem, xt_request_get(request, "event"));
        return xt_respond_failure(response, 1, 404, &problem);
    }
    if (r == 0) {
        xt_ruleset *rules = xt_app_rules(app);
        r = xt_ruleset_explain(rules, request->params[0], &event, request->arena, &out, &problem);
        xt_ruleset_unref(rules);
    }
    return r ? xt_respond_failure(response, r, 404, &problem)
             : xt_respond_text(response, "text/plain; charset=utf-8", &out);
}

/* search?by=: how many events for each distinct value of up to four fields. */
#include <errno.h>

#include "web/api.h"
#include "web/list_writer.h"
#include "web/respond.h"
#include "web/search_params.h"

#define JSON_GROUPS 100

typedef struct groups {
    xt_field by[XT_QUERY_MAX_BY];
    const char *columns[XT_QUERY_MAX_BY + 1];
    size_t n_by;
    xt_query_group *items;
    size_t n;
    xt_answer answer;
} groups;

static void put_object(xt_list *list, const groups *g, const xt_query_group *group)
{
    xt_json *json = xt_list_json(list);
    xt_json_key(json, XT_S("values"));
    xt_json_array_begin(json);
    for (size_t i = 0; i < g->n_by; i++) {
        if (group->values[i].p)
            xt_json_string(json, group->values[i]);
        else
            xt_json_null(json);
    }
    xt_json_array_end(json);
    xt_json_field_u64(json, "count", group->count);
    xt_list_json_done(list);
}

static void put_row(xt_list *list, const groups *g, const xt_query_group *group)
{
    for (size_t i = 0; i < g->n_by; i++)
        xt_list_cell(list, group->values[i].p || list->format == XT_LIST_CSV ? group->values[i] : XT_S("-"));
    xt_list_cell_u64(list, group->count);
}

static int answer_groups(xt_list *list, const groups *g, xt_response *response)
{
    for (size_t i = 0; i < g->n; i++) {
        if (xt_list_is_json(list))
            put_object(list, g, &g->items[i]);
        else
            put_row(list, g, &g->items[i]);
    }
    xt_json *json = xt_list_rest(list);
    if (json)
        xt_json_answer(json, &g->answer);
    list->answer = &g->answer;
    return xt_list_end(list, response);
}

static int run(xt_app *app, xt_request *request, const xt_search_params *params, groups *g, xt_problem *problem)
{
    xt_slice format = xt_request_get(request, "format");
    bool json = format.n == 0 || xt_slice_eq(format, XT_S("json"));
    xt_query_key keys[XT_QUERY_MAX_BY] = {{XT_F_INVALID, 0}};
    uint64_t limit;
    int r = xt_search_fields(request, "by", g->by, XT_COUNT_OF(g->by), &g->n_by, problem);
    if (r == 0)
        r = xt_request_number(request, "limit", json ? JSON_GROUPS : 0, XT_QUERY_MAX_GROUPS, &limit, problem);
    if (r)
        return r;
    for (size_t i = 0; i < g->n_by; i++) {
        g->columns[i] = xt_field_find(g->by[i])->name;
        keys[i].field = g->by[i];
    }
    g->columns[g->n_by] = "count";
    return xt_query_by(xt_app_store(app), &params->query, keys, g->n_by, limit, request->arena, &g->items, &g->n,
                       &g->answer, problem);
}

int xt_api_by(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_search_params params;
    groups g = {.n_by = 0};
    xt_list list;
    int r = xt_search_params_init(&params, app, request, XT_S_NULL, &problem);
    if (r == 0)
        r = run(app, request, &params, &g, &problem);
    xt_search_params_fini(&params);
    if (r == XT_QUERY_E_CANCELLED)
        return -EPIPE;
    if (r == 0)
        r = xt_list_begin(&list, request, "groups", g.columns, g.n_by + 1, &problem);
    return r ? xt_respond_failure(response, r, 400, &problem) : answer_groups(&list, &g, response);
}

/* search?q=... with a stage that makes a table: columns with names and types, and rows. */
#include <errno.h>

#include "query/kql_term.h"
#include "web/api.h"
#include "web/list_writer.h"
#include "web/respond.h"
#include "web/search_params.h"

#define JSON_ROWS 10000

typedef struct table {
    xt_list list;
    const xt_field_info *const *columns;
    const char *names[XT_PIPE_MAX_COLUMNS];
    size_t n_columns;
    xt_buf cell;
} table;

static void put_items(xt_json *json, xt_slice list)
{
    xt_list_iter iter = xt_list_iterate(list);
    xt_json_array_begin(json);
    for (xt_slice item; xt_list_next(&iter, &item);)
        xt_json_string(json, item);
    xt_json_array_end(json);
}

static void put_value(table *t, xt_json *json, const xt_field_info *column, const xt_cell *cell)
{
    if (!cell->has) {
        xt_json_null(json);
    } else if (column->type == XT_LIST) {
        put_items(json, cell->text);
    } else {
        xt_buf_reset(&t->cell);
        xt_cell_put(column, cell, &t->cell);
        if (xt_column_is_number(column))
            xt_json_raw(json, xt_buf_slice(&t->cell));
        else
            xt_json_string(json, xt_buf_slice(&t->cell));
    }
}

/* A list is one cell: its items with commas between them. */
static void put_cell(table *t, const xt_field_info *column, const xt_cell *cell)
{
    xt_buf_reset(&t->cell);
    if (!cell->has && t->list.format == XT_LIST_TABLE) {
        xt_buf_putc(&t->cell, '-');
    } else if (cell->has && column->type == XT_LIST) {
        xt_list_iter iter = xt_list_iterate(cell->text);
        bool first = true;
        for (xt_slice item; xt_list_next(&iter, &item); first = false) {
            xt_buf_puts(&t->cell, first ? "" : ", ");
            xt_buf_put(&t->cell, item);
        }
    } else {
        xt_cell_put(column, cell, &t->cell);
    }
    xt_list_cell(&t->list, xt_buf_slice(&t->cell));
}

static int on_row(void *context, const xt_cell *cells)
{
    table *t = context;
    bool is_object = t->list.format == XT_LIST_NDJSON;
    xt_json *json = is_object ? xt_list_json(&t->list) : &t->list.json;
    if (!xt_list_is_json(&t->list)) {
        for (size_t i = 0; i < t->n_columns; i++)
            put_cell(t, t->columns[i], &cells[i]);
        return xt_buf_done(&t->list.out);
    }
    if (!is_object)
        xt_json_array_begin(json);
    for (size_t i = 0; i < t->n_columns; i++) {
        if (is_object)
            xt_json_key(json, xt_slice_str(xt_column_name(t->columns[i])));
        put_value(t, json, t->columns[i], &cells[i]);
    }
    if (is_object)
        xt_list_json_done(&t->list);
    else
        xt_json_array_end(json);
    return xt_buf_done(&t->list.out);
}

static const char *type_of(const xt_field_info *column)
{
    return column->type == XT_TIME       ? "time"
           : column->type == XT_LIST     ? "list"
           : xt_column_is_number(column) ? "number"
                                         : "text";
}

static void put_columns(const table *t, xt_json *json)
{
    xt_json_key(json, XT_S("columns"));
    xt_json_array_begin(json);
    for (size_t i = 0; i < t->n_columns; i++) {
        xt_json_object_begin(json);
        xt_json_field_string(json, "name", xt_slice_str(xt_column_name(t->columns[i])));
        xt_json_field_string(json, "type", xt_slice_str(type_of(t->columns[i])));
        if (t->columns[i]->id != XT_F_INVALID)
            xt_json_field_string(json, "field", xt_slice_str(t->columns[i]->name));
        xt_json_object_end(json);
    }
    xt_json_array_end(json);
}

static void put_filter(const xt_pipe *pipe, xt_json *json)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_pipe_filter_print(pipe, &text);
    xt_json_field_string(json, "filter", xt_buf_slice(&text));
    json->out->failed |= text.failed;
}

static int run(xt_app *app, xt_request *request, const xt_search_params *params, table *t, xt_answer *answer,
               xt_problem *problem)
{
    xt_pipe_run spec = {.query = params->query, .on_row = on_row, .context = t};
    for (size_t i = 0; i < t->n_columns; i++)
        t->names[i] = xt_column_name(t->columns[i]);
    int r = xt_list_begin(&t->list, request, "rows", t->names, t->n_columns, problem);
    bool json = r == 0 && t->list.format == XT_LIST_JSON;
    if (r == 0)
        r = xt_request_number(request, "limit", json ? JSON_ROWS : 0, json ? JSON_ROWS : UINT64_MAX, &spec.limit,
                              problem);
    if (json && spec.limit == 0)
        spec.limit = JSON_ROWS;
    if (r == 0)
        r = xt_pipe_run_on(xt_app_store(app), params->pipe, &spec, answer, problem);
    return r;
}

int xt_api_table(xt_app *app, xt_request *request, xt_response *response, const xt_search_params *params)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_answer answer;
    table t = {.cell = XT_BUF_INIT};
    t.columns = xt_pipe_columns(params->pipe, &t.n_columns);
    int r = run(app, request, params, &t, &answer, &problem);
    xt_buf_fini(&t.cell);
    if (r) {
        xt_list_fini(&t.list);
        return r == XT_QUERY_E_CANCELLED ? -EPIPE : xt_respond_failure(response, r, 400, &problem);
    }
    xt_json *json = xt_list_rest(&t.list);
    if (json) {
        put_columns(&t, json);
        put_filter(params->pipe, json);
        xt_json_answer(json, &answer);
    }
    t.list.answer = &answer;
    return xt_list_end(&t.list, response);
}

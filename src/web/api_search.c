/*
 * Rows are rendered as they come. JSON is gathered (it is bounded by its limit), the other formats are sent in pieces;
 * their first piece goes out when there is one, so that what is wrong with a request can still be said by status.
 */
#include <errno.h>

#include "query/ends.h"
#include "web/api.h"
#include "web/respond.h"
#include "web/search_params.h"

#define JSON_ROWS      100
#define JSON_MAX_ROWS  10000
#define JSON_MAX_BYTES (256u << 20)
#define PIECE_BYTES    (64u << 10)
#define ROW_ARENA      (64u << 20)
#define FOLD_ROWS      1000 /* rows that wait until the ends of their processes are looked for together */
#define FOLD_BYTES     (8u << 20)

typedef struct rows_out {
    xt_request *request;
    xt_response *response;
    bool is_json;
    xt_render render;
    xt_field fields[XT_SEARCH_MAX_FIELDS];
    size_t n_fields;
    xt_arena arena; /* of one row */
    xt_buf out;     /* rendered, not sent */
    xt_buf row;     /* JSON: one row */
    xt_buf last;    /* cursor of the last row */
    uint64_t n_rows;
    /* where ends are folded: rows that wait (event and cursor, each a block), and the execs among them */
    xt_store *store; /* NULL: they are not */
    xt_buf waiting;
    xt_buf ends; /* xt_end after xt_end */
    uint64_t n_waiting;
    xt_arena id_arena;
} rows_out;

static int begin_rows(rows_out *rows)
{
    static const char *const types[] = {"text/plain; charset=utf-8", "application/x-ndjson", "text/csv; charset=utf-8",
                                        "text/plain; charset=utf-8"};
    static const char *const names[] = {"txt", "ndjson", "csv", "log"};
    XT_CLEANUP(xt_buf_fini) xt_buf extra = XT_BUF_INIT;
    xt_buf_puts(&extra, "Trailer: Exectrail-Answer\r\n");
    if (xt_request_flag(rows->request, "download"))
        xt_buf_printf(&extra, "Content-Disposition: attachment; filename=\"exectrail.%s\"\r\n",
                      names[rows->render.format]);
    xt_buf_putc(&extra, '\0');
    int r = xt_buf_done(&extra);
    return r ? xt_error_trace(r) : rows->response->begin(rows->response, 200, types[rows->render.format], extra.p);
}

static int send_rows(rows_out *rows)
{
    int r = xt_buf_done(&rows->out);
    if (r == 0 && !rows->response->begun)
        r = begin_rows(rows);
    if (r == 0 && rows->out.n > 0)
        r = rows->response->write(rows->response, xt_buf_slice(&rows->out));
    xt_buf_reset(&rows->out);
    return r;
}

static int put_json_row(rows_out *rows, xt_event *event, xt_slice cursor)
{
    xt_buf_reset(&rows->row);
    int r = rows->n_fields ? xt_event_json_fields(event, rows->fields, rows->n_fields, &rows->arena, &rows->row)
                           : xt_event_json(event, 0, &rows->arena, &rows->row);
    if (r == 0)
        r = xt_buf_done(&rows->row);
    if (r)
        return xt_error_trace(r);
    if (rows->n_rows > 0)
        xt_buf_putc(&rows->out, ',');
    if (cursor.n)
        xt_row_with_cursor(xt_buf_slice(&rows->row), cursor, &rows->out);
    else
        xt_buf_put(&rows->out, xt_buf_slice(&rows->row));
    xt_buf_reset(&rows->last);
    xt_buf_put(&rows->last, cursor);
    return xt_buf_done(&rows->out);
}

static int put_row(rows_out *rows, xt_event *event, xt_slice cursor)
{
    int r = rows->is_json ? put_json_row(rows, event, cursor) : xt_render_row(&rows->render, event, &rows->arena);
    xt_arena_reset(&rows->arena);
    rows->n_rows++;
    if (r == 0 && !rows->is_json && rows->out.n >= PIECE_BYTES)
        r = send_rows(rows);
    return r;
}

/* event.id, derived; its bytes live until the next call. */
static int id_of(rows_out *rows, xt_event *event)
{
    xt_field_set id = {{0, 0}};

    xt_arena_reset(&rows->id_arena);
    xt_field_set_add(&id, XT_F_EVENT_ID);
    return xt_event_derive(event, id, &rows->id_arena);
}

static int put_waiting(rows_out *rows, const xt_end *ends, size_t n_ends, xt_reader *reader)
{
    xt_slice bytes = xt_reader_block(reader), cursor = xt_reader_block(reader);
    xt_event event;
    xt_end wish;
    int r = xt_event_decode(bytes, &event, NULL);

    if (r)
        return r > 0 ? xt_error_origin(-EBADMSG) : xt_error_trace(r);
    xt_event named = event;
    r = id_of(rows, &named);
    const xt_end *end = r == 0 && xt_end_init(&wish, &named) ? xt_ends_of(ends, n_ends, wish.of, wish.serial) : NULL;
    if (end)
        xt_end_apply(end, &event);
    return r ? r : put_row(rows, &event, cursor);
}

/* The rows that wait, each exec with its end. */
static int flush_waiting(rows_out *rows)
{
    xt_problem problem = XT_PROBLEM_INIT;
    size_t n = rows->ends.n / sizeof(xt_end);
    xt_end *ends = n ? (xt_end *)(void *)rows->ends.p : NULL;
    xt_reader reader = xt_reader_of(xt_buf_slice(&rows->waiting));
    int r = xt_ends_find(rows->store, ends, n, rows->request->cancelled, &problem);

    r = r > 0 ? -EPIPE : r;
    for (uint64_t i = 0; r == 0 && i < rows->n_waiting; i++)
        r = put_waiting(rows, ends, n, &reader);
    rows->n_waiting = 0;
    xt_buf_reset(&rows->waiting);
    xt_buf_reset(&rows->ends);
    return r;
}

static int on_row(void *context, xt_event *event, xt_slice cursor)
{
    XT_CLEANUP(xt_buf_fini) xt_buf encoded = XT_BUF_INIT;
    rows_out *rows = context;
    xt_end end;

    if (!rows->store)
        return put_row(rows, event, cursor);
    xt_event_encode(event, &encoded);
    xt_buf_put_block(&rows->waiting, xt_buf_slice(&encoded));
    xt_buf_put_block(&rows->waiting, cursor);
    int r = encoded.failed ? xt_error_origin(-ENOMEM) : id_of(rows, event);
    if (r == 0 && xt_end_init(&end, event))
        xt_buf_put(&rows->ends, xt_slice_of(&end, sizeof end));
    rows->n_waiting++;
    if (r == 0 && (rows->waiting.failed || rows->ends.failed))
        r = xt_error_origin(-ENOMEM);
    if (r == 0 && (rows->n_waiting >= FOLD_ROWS || rows->waiting.n >= FOLD_BYTES))
        r = flush_waiting(rows);
    return r;
}

static int on_event(void *context, xt_event *event)
{
    return on_row(context, event, XT_S_NULL);
}

static int end_json(rows_out *rows, const xt_answer *answer)
{
    xt_buf_puts(&rows->out, "],\"next\":");
    xt_json json = xt_json_to(&rows->out);
    if (answer->truncated && rows->last.n)
        xt_json_string(&json, xt_buf_slice(&rows->last));
    else
        xt_json_null(&json);
    xt_buf_putc(&rows->out, ',');
    XT_CLEANUP(xt_buf_fini) xt_buf rest = XT_BUF_INIT;
    json = xt_json_to(&rest);
    xt_json_object_begin(&json);
    xt_json_answer(&json, answer);
    xt_json_object_end(&json);
    xt_buf_put(&rows->out, xt_slice_skip(xt_buf_slice(&rest), 1));
    xt_buf_putc(&rows->out, '\n');
    rows->out.failed |= rest.failed;
    return xt_respond_json(rows->response, 200, &rows->out);
}

static int end_stream(rows_out *rows, const xt_answer *answer)
{
    XT_CLEANUP(xt_buf_fini) xt_buf summary = XT_BUF_INIT;
    xt_json json = xt_json_to(&summary);
    xt_json_object_begin(&json);
    xt_json_answer(&json, answer);
    xt_json_object_end(&json);
    int r = send_rows(rows);
    return r == 0 ? rows->response->end(rows->response, xt_buf_slice(&summary)) : r;
}

/* sort=F, sort=F:asc, sort=F:desc */
static int parse_sort(const xt_request *request, xt_query_rows *spec, xt_problem *problem)
{
    xt_slice rest = xt_request_get(request, "sort"), name;
    if (rest.n == 0)
        return 0;
    (void)xt_slice_cut(&rest, ':', &name);
    xt_problem_source(problem, "sort");
    if (rest.p && !xt_slice_eq(rest, XT_S("asc")) && !xt_slice_eq(rest, XT_S("desc"))) {
        xt_problem_set(problem, "a sort direction is asc or desc");
        xt_problem_excerpt(problem, rest);
        return XT_REQUEST_E_BAD;
    }
    xt_field field;
    size_t n;
    int r = xt_fields_parse(name, &field, 1, &n, problem);
    xt_problem_source(problem, "sort");
    if (r)
        return r > 0 ? XT_REQUEST_E_BAD : r;
    spec->sort_field = field == XT_F_TIME ? XT_F_INVALID : field;
    spec->oldest_first = rest.p && xt_slice_eq(rest, XT_S("asc"));
    return 0;
}

static int find_format(rows_out *rows, xt_problem *problem)
{
    xt_slice format = xt_request_get(rows->request, "format");
    rows->is_json = format.n == 0 || xt_slice_eq(format, XT_S("json"));
    rows->render.format = XT_FORMAT_NDJSON;
    if (rows->is_json || xt_format_by_name(format, &rows->render.format))
        return 0;
    xt_problem_source(problem, "format");
    xt_problem_set(problem, "there is no format of this name");
    xt_problem_excerpt(problem, format);
    xt_problem_hint(problem, "json, ndjson, csv, table or raw");
    return XT_REQUEST_E_BAD;
}

/* What keep left of the events. */
static void keep_fields(rows_out *rows, const xt_pipe *pipe)
{
    const xt_field_info *const *columns = xt_pipe_columns(pipe, &rows->n_fields);
    for (size_t i = 0; i < rows->n_fields; i++)
        rows->fields[i] = columns[i]->id;
}

static int plan_rows(rows_out *rows, const xt_pipe *pipe, xt_query_rows *spec, xt_problem *problem)
{
    bool json = rows->is_json;
    int r =
        xt_search_fields(rows->request, "fields", rows->fields, XT_COUNT_OF(rows->fields), &rows->n_fields, problem);
    if (xt_pipe_stages(pipe) > 0)
        keep_fields(rows, pipe);
    if (r == 0)
        r = xt_request_number(rows->request, "limit", json ? JSON_ROWS : 0, json ? JSON_MAX_ROWS : UINT64_MAX,
                              &spec->limit, problem);
    if (r == 0)
        r = parse_sort(rows->request, spec, problem);
    if (r)
        return r;
    if (json && spec->limit == 0)
        spec->limit = JSON_MAX_ROWS;
    rows->render.fields = rows->n_fields ? rows->fields : NULL;
    rows->render.n_fields = rows->n_fields;
    rows->render.out = &rows->out;
    spec->fields = xt_render_fields(&rows->render);
    if (rows->store)
        xt_field_set_add_all(&spec->fields, xt_end_fields());
    spec->after = xt_request_get(rows->request, "after");
    spec->on_row = on_row;
    spec->context = rows;
    return 0;
}

static int query_rows(xt_app *app, const xt_pipe *pipe, const xt_query_rows *spec, xt_answer *answer,
                      xt_problem *problem)
{
    if (xt_pipe_stages(pipe) == 0)
        return xt_query_rows_run(xt_app_store(app), spec, answer, problem);
    xt_pipe_run run = {.query = spec->query,
                       .fields = spec->fields,
                       .limit = spec->limit,
                       .on_event = on_event,
                       .context = spec->context};
    return xt_pipe_run_on(xt_app_store(app), pipe, &run, answer, problem);
}

static int run_rows(xt_app *app, rows_out *rows, const xt_pipe *pipe, const xt_query_rows *spec, xt_problem *problem)
{
    xt_answer answer;
    if (rows->is_json) {
        rows->out.max_bytes = JSON_MAX_BYTES;
        xt_buf_puts(&rows->out, "{\"rows\":[");
    } else {
        xt_render_begin(&rows->render);
    }
    int r = query_rows(app, pipe, spec, &answer, problem);
    if (r == XT_QUERY_E_BAD_CURSOR)
        xt_problem_source(problem, "after");
    if (r == XT_QUERY_E_CANCELLED)
        return -EPIPE;
    if (r)
        return r > 0 ? XT_REQUEST_E_BAD : r;
    r = rows->n_waiting ? flush_waiting(rows) : 0;
    if (r)
        return r;
    return rows->is_json ? end_json(rows, &answer) : end_stream(rows, &answer);
}

/* In a table an exec and its end are one row, unless somebody asks for ends; in JSON when it is asked for, else never. */
static int plan_ends(xt_app *app, rows_out *rows, xt_search_params *params, xt_problem *problem)
{
    bool is_table = !rows->is_json && rows->render.format == XT_FORMAT_TABLE;
    xt_field_set shown = {{0, 0}};

    if (!rows->is_json && !is_table)
        return 0;
    xt_field asked[XT_SEARCH_MAX_FIELDS];
    size_t n;
    int r = xt_search_fields(rows->request, "fields", asked, XT_COUNT_OF(asked), &n, problem);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (asked[i] == XT_F_ACTION || asked[i] == XT_F_OF)
            xt_field_set_add(&shown, asked[i]);
    if (r == 0)
        r = xt_search_params_fold(params, rows->request, is_table && !xt_ends_are_asked(&shown), problem);
    if (r == 0 && params->folds)
        rows->store = xt_app_store(app);
    return r;
}

static int search_rows(xt_app *app, xt_request *request, xt_response *response, xt_search_params *params)
{
    xt_problem problem = XT_PROBLEM_INIT;
    rows_out rows = {.request = request, .response = response};
    xt_arena_init(&rows.arena, ROW_ARENA);
    xt_arena_init(&rows.id_arena, ROW_ARENA);
    int r = find_format(&rows, &problem);
    if (r == 0)
        r = plan_ends(app, &rows, params, &problem);
    xt_query_rows spec = {.query = params->query};
    if (r == 0)
        r = plan_rows(&rows, params->pipe, &spec, &problem);
    if (r == 0)
        r = run_rows(app, &rows, params->pipe, &spec, &problem);
    xt_arena_fini(&rows.arena);
    xt_arena_fini(&rows.id_arena);
    xt_buf_fini(&rows.waiting);
    xt_buf_fini(&rows.ends);
    xt_buf_fini(&rows.out);
    xt_buf_fini(&rows.row);
    xt_buf_fini(&rows.last);
    return r ? xt_respond_failure(response, r, 400, &problem) : 0;
}

static int search_count(xt_app *app, xt_request *request, xt_response *response, const xt_search_params *params)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_answer answer;
    int r = xt_query_count(xt_app_store(app), &params->query, &answer, &problem);
    if (r)
        return r == XT_QUERY_E_CANCELLED ? -EPIPE : xt_respond_failure(response, r, 500, &problem);
    xt_slice format = xt_request_get(request, "format");
    if (format.n > 0 && !xt_slice_ends(format, XT_S("json"))) {
        xt_buf_put_dec(&out, answer.n_matched);
        xt_buf_putc(&out, '\n');
        return xt_respond_answer(response, "text/plain; charset=utf-8", &out, &answer);
    }
    xt_json json = xt_json_to(&out);
    xt_json_object_begin(&json);
    xt_json_field_u64(&json, "count", answer.n_matched);
    xt_json_answer(&json, &answer);
    xt_json_object_end(&json);
    xt_buf_putc(&out, '\n');
    return xt_respond_json(response, 200, &out);
}

/* What a query with stages says itself is not said beside it. */
static int check_stages(const xt_request *request, xt_problem *problem)
{
    static const struct {
        const char *param, *stage;
    } said[] = {{"sort", "| sort FIELD desc"},
                {"fields", "| keep FIELD, FIELD"},
                {"count", "| stats count()"},
                {"after", "| limit N, or a narrower query: stages have no cursor"}};
    for (size_t i = 0; i < XT_COUNT_OF(said); i++) {
        xt_slice value = xt_request_get(request, said[i].param);
        if (value.n == 0 || xt_slice_eq(value, XT_S("time:desc"))) /* the order that stages begin with */
            continue;
        xt_problem_source(problem, said[i].param);
        xt_problem_set(problem, "a query with stages takes no %s", said[i].param);
        xt_problem_hint(problem, "%s", said[i].stage);
        return XT_REQUEST_E_BAD;
    }
    return 0;
}

int xt_api_search(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_search_params params;
    if (xt_request_get(request, "by").n > 0)
        return xt_api_by(app, request, response);
    int r = xt_search_params_init_pipe(&params, app, request, &problem);
    if (r == 0 && xt_pipe_stages(params.pipe) > 0)
        r = check_stages(request, &problem);
    if (r)
        r = xt_respond_failure(response, r, 400, &problem);
    else if (!xt_pipe_gives_events(params.pipe))
        r = xt_api_table(app, request, response, &params);
    else if (xt_request_flag(request, "count"))
        r = search_count(app, request, response, &params);
    else
        r = search_rows(app, request, response, &params);
    xt_search_params_fini(&params);
    return r;
}

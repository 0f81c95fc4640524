/* Who, from where, from when to when: taken from the rows; how many: counted, so that a limit does not change it. */
#include <errno.h>

#include "web/api.h"
#include "web/respond.h"
#include "web/search_params.h"

#define ROWS      2000
#define MAX_ROWS  10000
#define MAX_BYTES (256u << 20)
#define ROW_ARENA (64u << 20)

typedef struct session {
    xt_search_params params;
    xt_slice host;
    uint64_t ses;
    xt_slice user, login, from; /* in the request's arena; p NULL: not seen */
    int64_t first_ms, last_ms;
    uint64_t n_events, n_hidden, n_alerts;
    uint64_t n_rows;
    xt_arena *kept;
    xt_arena arena;
    xt_buf rows;
    xt_answer answer;
} session;

static void put_quoted(xt_buf *out, xt_slice text)
{
    xt_buf_putc(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"' || text.p[i] == '\\')
            xt_buf_putc(out, '\\');
        xt_buf_putc(out, text.p[i]);
    }
    xt_buf_putc(out, '"');
}

static void keep(session *s, xt_slice *to, const xt_event *event, xt_field field)
{
    if (!to->p && xt_event_has(event, field))
        *to = xt_arena_copy(s->kept, xt_event_bytes(event, field));
}

static int on_row(void *context, xt_event *event, xt_slice cursor)
{
    session *s = context;
    XT_CLEANUP(xt_buf_fini) xt_buf row = XT_BUF_INIT;
    keep(s, &s->user, event, XT_F_USER);
    keep(s, &s->login, event, XT_F_LOGIN);
    keep(s, &s->from, event, XT_F_FROM);
    if (s->n_rows++ > 0)
        xt_buf_putc(&s->rows, ',');
    int r = xt_event_json(event, 0, &s->arena, &row);
    xt_arena_reset(&s->arena);
    if (r)
        return xt_error_trace(r);
    xt_row_with_cursor(xt_buf_slice(&row), cursor, &s->rows);
    s->rows.failed |= row.failed;
    return xt_buf_done(&s->rows);
}

/* The time of the session's first (or last) event. */
static int on_end(void *context, xt_event *event, xt_slice cursor)
{
    (void)cursor;
    *(int64_t *)context = (int64_t)xt_event_num(event, XT_F_TIME, 0);
    return 0;
}

static int find_end(xt_store *store, const session *s, bool first, int64_t *ret, xt_problem *problem)
{
    xt_answer answer;
    xt_query_rows spec = {
        .query = s->params.query, .limit = 1, .oldest_first = first, .on_row = on_end, .context = ret};
    xt_field_set_add(&spec.fields, XT_F_TIME);
    return xt_query_rows_run(store, &spec, &answer, problem);
}

static int count(xt_app *app, xt_request *request, session *s, xt_slice kql, xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_search_params alerts;
    xt_store *store = xt_app_store(app);
    xt_query query = s->params.query;
    xt_answer answer;
    query.noise = XT_NOISE_HIDE;
    int r = xt_query_count(store, &query, &answer, problem);
    if (r)
        return r;
    s->n_hidden = answer.n_hidden;
    s->n_events = answer.n_matched + answer.n_hidden;
    xt_buf_printf(&text, "(%.*s) and rule:*", XT_S_ARGS(kql));
    r = xt_buf_done(&text);
    if (r)
        return r;
    r = xt_search_params_init(&alerts, app, request, xt_buf_slice(&text), problem);
    alerts.query.noise = XT_NOISE_SHOW;
    if (r == 0)
        r = xt_query_count(store, &alerts.query, &answer, problem);
    s->n_alerts = r == 0 ? answer.n_matched : 0;
    xt_search_params_fini(&alerts);
    return r;
}

static int look(xt_app *app, xt_request *request, session *s, xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf kql = XT_BUF_INIT;
    const xt_render documents = {.format = XT_FORMAT_NDJSON};
    xt_query_rows spec = {.oldest_first = true, .on_row = on_row, .context = s};
    xt_buf_puts(&kql, "host:");
    put_quoted(&kql, s->host);
    xt_buf_printf(&kql, " and ses:%llu", (unsigned long long)s->ses);
    int r = xt_buf_done(&kql);
    if (r == 0)
        r = xt_request_number(request, "limit", ROWS, MAX_ROWS, &spec.limit, problem);
    if (r == 0)
        r = xt_search_params_init(&s->params, app, request, xt_buf_slice(&kql), problem);
    if (r)
        return r;
    spec.limit = spec.limit ? spec.limit : MAX_ROWS;
    spec.query = s->params.query;
    spec.fields = xt_render_fields(&documents);
    spec.after = xt_request_get(request, "after");
    r = xt_query_rows_run(xt_app_store(app), &spec, &s->answer, problem);
    if (r == 0)
        r = count(app, request, s, xt_buf_slice(&kql), problem);
    s->params.query.noise = XT_NOISE_SHOW;
    if (r == 0)
        r = find_end(xt_app_store(app), s, true, &s->first_ms, problem);
    if (r == 0)
        r = find_end(xt_app_store(app), s, false, &s->last_ms, problem);
    return r;
}

static void put_text(xt_json *json, const char *key, xt_slice text)
{
    if (text.p)
        xt_json_field_string(json, key, text);
}

static int answer_session(session *s, xt_response *response)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_json json = xt_json_to(&out);
    xt_json_object_begin(&json);
    xt_json_field_string(&json, "host", s->host);
    xt_json_field_u64(&json, "ses", s->ses);
    put_text(&json, "user", s->user);
    put_text(&json, "login", s->login);
    put_text(&json, "from", s->from);
    xt_json_field_time(&json, "first", s->first_ms);
    xt_json_field_time(&json, "last", s->last_ms);
    xt_json_field_u64(&json, "n_events", s->n_events);
    xt_json_field_u64(&json, "n_hidden", s->n_hidden);
    xt_json_field_u64(&json, "n_alerts", s->n_alerts);
    xt_json_field_bool(&json, "partial", s->answer.partial || s->answer.scan.n_damaged > 0);
    xt_json_field_bool(&json, "truncated", s->answer.truncated);
    xt_json_key(&json, XT_S("rows"));
    xt_json_array_begin(&json);
    if (s->rows.n > 0)
        xt_json_raw(&json, xt_buf_slice(&s->rows));
    xt_json_array_end(&json);
    xt_json_object_end(&json);
    xt_buf_putc(&out, '\n');
    return xt_respond_json(response, 200, &out);
}

int xt_api_session(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    session s = {.host = request->params[0], .kept = request->arena, .rows = {.max_bytes = MAX_BYTES}};
    if (!xt_slice_parse_u64(request->params[1], &s.ses)) {
        xt_problem_set(&problem, "a session is a whole number");
        xt_problem_excerpt(&problem, request->params[1]);
        return xt_response_problem(response, 400, &problem);
    }
    xt_arena_init(&s.arena, ROW_ARENA);
    int r = look(app, request, &s, &problem);
    if (r == 0 && s.n_events == 0) {
        xt_problem_set(&problem, "there is no session %llu of this host", (unsigned long long)s.ses);
        xt_problem_excerpt(&problem, s.host);
        r = xt_response_problem(response, 404, &problem);
    } else if (r == 0) {
        r = answer_session(&s, response);
    } else {
        r = xt_respond_failure(response, r, 400, &problem);
    }
    xt_search_params_fini(&s.params);
    xt_arena_fini(&s.arena);
    xt_buf_fini(&s.rows);
    return r;
}

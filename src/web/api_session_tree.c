/* A session's processes: all its events are read once, oldest first, and then the tree is answered. */
#include "base/timestamp.h"
#include "base/utf8.h"
#include "query/session_tree.h"
#include "web/api.h"
#include "web/respond.h"
#include "web/search_params.h"

#define ARENA_BYTES ((size_t)256 << 20)
#define MAX_BYTES   ((size_t)512 << 20)

typedef enum tree_format { TREE_JSON, TREE_NDJSON, TREE_TEXT } tree_format;

typedef struct tree_request {
    xt_search_params params;
    xt_slice host, ses;
    tree_format format;
    xt_arena arena;
    xt_session_tree tree;
    xt_answer answer;
    xt_slice login, from; /* in the arena */
    int64_t first_ms, last_ms;
    uint64_t n_events;
    bool full; /* more than the arena holds: the tree has what came first */
} tree_request;

static int read_format(const xt_request *request, tree_format *ret, xt_problem *problem)
{
    static const char *const names[] = {"json", "ndjson", "text"};
    xt_slice name = xt_request_get(request, "format");

    *ret = TREE_JSON;
    for (size_t i = 0; i < XT_COUNT_OF(names); i++)
        if (xt_slice_eq(name, xt_slice_str(names[i]))) {
            *ret = (tree_format)i;
            return 0;
        }
    if (name.n == 0)
        return 0;
    xt_problem_set(problem, "there is no such format of a session");
    xt_problem_source(problem, "format");
    xt_problem_excerpt(problem, name);
    xt_problem_hint(problem, "json, ndjson or text");
    return XT_REQUEST_E_BAD;
}

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

static int on_event(void *context, xt_event *event, xt_slice cursor)
{
    tree_request *t = context;
    int64_t time_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0);

    (void)cursor;
    if (t->n_events++ == 0)
        t->first_ms = time_ms;
    t->last_ms = time_ms;
    if (!t->login.n)
        t->login = xt_arena_copy(&t->arena, xt_event_bytes(event, XT_F_LOGIN));
    if (!t->from.n)
        t->from = xt_arena_copy(&t->arena, xt_event_bytes(event, XT_F_FROM));
    int r = xt_session_tree_add(&t->tree, event);
    t->full = r == XT_SESSION_E_FULL;
    return r;
}

static int look(xt_app *app, xt_request *request, tree_request *t, xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf kql = XT_BUF_INIT;
    xt_query_rows rows = {.oldest_first = true, .on_row = on_event, .context = t, .fields = xt_session_tree_fields()};

    xt_buf_puts(&kql, "host:");
    put_quoted(&kql, t->host);
    xt_buf_printf(&kql, " and ses:%.*s", XT_S_ARGS(t->ses));
    int r = xt_buf_done(&kql);
    if (r == 0)
        r = read_format(request, &t->format, problem);
    if (r == 0)
        r = xt_search_params_init(&t->params, app, request, xt_buf_slice(&kql), problem);
    if (r != 0)
        return r;
    rows.query = t->params.query;
    r = xt_query_rows_run(xt_app_store(app), &rows, &t->answer, problem);
    xt_session_tree_done(&t->tree);
    return r;
}

static void put_processes(const tree_request *t, xt_buf *out)
{
    bool any = false;

    for (uint32_t i = XT_SESSION_NONE; (i = xt_session_tree_next(&t->tree, i)) != XT_SESSION_NONE;) {
        if (t->format == TREE_JSON && any)
            xt_buf_putc(out, ',');
        if (t->format == TREE_TEXT)
            xt_session_process_text(&t->tree, i, out);
        else
            xt_session_process_json(&t->tree, i, out);
        any = true;
    }
}

static void put_head(const tree_request *t, xt_buf *out)
{
    char first[25], last[25];

    xt_timestamp_format(t->first_ms, first);
    xt_timestamp_format(t->last_ms, last);
    xt_buf_printf(out, "session %.*s of ", XT_S_ARGS(t->ses));
    xt_text_visible(out, t->host);
    if (t->login.n) {
        xt_buf_puts(out, ", login ");
        xt_text_visible(out, t->login);
    }
    if (t->from.n) {
        xt_buf_puts(out, " from ");
        xt_text_visible(out, t->from);
    }
    xt_buf_printf(out, ", %s to %s, %u processes, %llu events\n", first, last, t->tree.n,
                  (unsigned long long)t->n_events);
    if (t->full)
        xt_buf_puts(out, "(the session is too long: only what came first is shown)\n");
}

static int answer_json(const tree_request *t, xt_response *response, xt_buf *out)
{
    xt_json json = xt_json_to(out);

    xt_json_object_begin(&json);
    xt_json_field_string(&json, "host", t->host);
    xt_json_field_string(&json, "ses", t->ses);
    if (t->login.n)
        xt_json_field_string(&json, "login", t->login);
    if (t->from.n)
        xt_json_field_string(&json, "from", t->from);
    xt_json_field_time(&json, "first", t->first_ms);
    xt_json_field_time(&json, "last", t->last_ms);
    xt_json_field_u64(&json, "n_events", t->n_events);
    xt_json_field_u64(&json, "n_processes", t->tree.n);
    xt_json_field_bool(&json, "partial", t->answer.partial || t->answer.scan.n_damaged > 0);
    xt_json_field_bool(&json, "truncated", t->full);
    xt_json_key(&json, XT_S("processes"));
    xt_json_array_begin(&json);
    put_processes(t, out);
    xt_json_array_end(&json);
    xt_json_object_end(&json);
    xt_buf_putc(out, '\n');
    return xt_respond_json(response, 200, out);
}

static int answer_tree(const tree_request *t, xt_response *response)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = {.max_bytes = MAX_BYTES};

    if (t->format == TREE_JSON)
        return answer_json(t, response, &out);
    if (t->format == TREE_TEXT)
        put_head(t, &out);
    put_processes(t, &out);
    const char *type = t->format == TREE_TEXT ? "text/plain; charset=utf-8" : "application/x-ndjson";
    return xt_respond_answer(response, type, &out, &t->answer);
}

int xt_api_session_tree(xt_app *app, xt_request *request, xt_response *response)
{
    tree_request t = {.host = request->params[0], .ses = request->params[1]};
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t number;
    int r;

    if (!xt_slice_parse_u64(t.ses, &number)) {
        xt_problem_set(&problem, "a session is a whole number");
        xt_problem_excerpt(&problem, t.ses);
        return xt_response_problem(response, 400, &problem);
    }
    xt_arena_init(&t.arena, ARENA_BYTES);
    xt_session_tree_init(&t.tree, &t.arena);
    r = look(app, request, &t, &problem);
    if (r == 0 && t.n_events == 0) {
        xt_problem_set(&problem, "there is no session %llu of this host", (unsigned long long)number);
        xt_problem_excerpt(&problem, t.host);
        xt_problem_hint(&problem, "exectrail search --by host,ses lists what there is");
        r = xt_response_problem(response, 404, &problem);
    } else {
        r = r == 0 ? answer_tree(&t, response) : xt_respond_failure(response, r, 400, &problem);
    }
    xt_search_params_fini(&t.params);
    xt_session_tree_fini(&t.tree);
    xt_arena_fini(&t.arena);
    return r;
}

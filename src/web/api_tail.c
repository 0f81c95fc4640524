/*
 * Waits for the store, then asks it for what arrived since: a round. A round's rows go out oldest first; behind them
 * stands the arrival number that the next one begins at, as an id of its own, so that a client that comes back (Last-Event-ID)
 * misses nothing. Rows of a round carry the number the round began at: a client cut in the middle sees some of them again.
 */
#include <errno.h>

#include "web/api.h"
#include "web/respond.h"
#include "web/search_params.h"

#define HEARTBEAT_MS 10000
#define WAIT_MS      250 /* how soon a cancel is noticed */
#define PIECE_BYTES  (64u << 10)
#define ROW_ARENA    (64u << 20)

typedef struct tail {
    xt_app *app;
    xt_request *request;
    xt_response *response;
    xt_query_rows spec;
    xt_arena arena;
    xt_buf out;
    uint64_t arrival;
    bool by_cookie; /* the session may end meanwhile */
} tail;

static bool is_cancelled(const tail *t)
{
    return t->request->cancelled && atomic_load(t->request->cancelled);
}

static int send_out(tail *t)
{
    int r = xt_buf_done(&t->out);
    if (r == 0 && t->out.n > 0)
        r = t->response->write(t->response, xt_buf_slice(&t->out));
    xt_buf_reset(&t->out);
    return r;
}

static int on_row(void *context, xt_event *event, xt_slice cursor)
{
    tail *t = context;
    (void)cursor;
    xt_buf_printf(&t->out, "event: row\nid: %llu\ndata: ", (unsigned long long)t->arrival);
    int r = xt_event_json(event, 0, &t->arena, &t->out);
    xt_buf_puts(&t->out, "\n\n");
    xt_arena_reset(&t->arena);
    return r == 0 && t->out.n >= PIECE_BYTES ? send_out(t) : r;
}

static int run_round(tail *t)
{
    xt_answer answer;
    xt_problem problem = XT_PROBLEM_INIT;
    t->spec.after_arrival = t->arrival;
    int r = xt_query_rows_run(xt_app_store(t->app), &t->spec, &answer, &problem);
    if (r)
        return r > 0 ? -EPIPE : r;
    if (answer.n_hidden > 0)
        xt_buf_printf(&t->out, "event: hidden\ndata: %llu\n\n", (unsigned long long)answer.n_hidden);
    t->arrival = answer.scan.last_arrival;
    if (t->out.n > 0 || answer.n_matched > 0)
        xt_buf_printf(&t->out, "id: %llu\n\n", (unsigned long long)t->arrival);
    return send_out(t);
}

static bool may_go_on(tail *t)
{
    char user[64];
    return !t->by_cookie || xt_app_role_of(t->app, t->request->cookie, XT_S_NULL, user) >= XT_ROLE_VIEWER;
}

static int follow(tail *t)
{
    const xt_clock *clock = xt_app_clock(t->app);
    int64_t beat = xt_clock_mono_ms(clock);
    int r = 0;
    while (r == 0 && !is_cancelled(t)) {
        if (xt_store_wait(xt_app_store(t->app), t->arrival, WAIT_MS) > t->arrival)
            r = run_round(t);
        if (r == 0 && xt_clock_mono_ms(clock) - beat >= HEARTBEAT_MS) {
            beat = xt_clock_mono_ms(clock);
            r = may_go_on(t) ? t->response->write(t->response, XT_S(":\n\n")) : -EPIPE;
        }
    }
    return r;
}

/* after=, else Last-Event-ID, else now. */
static int find_start(tail *t, xt_problem *problem)
{
    uint64_t now = xt_store_wait(xt_app_store(t->app), UINT64_MAX, 0);
    uint64_t resumed = now;
    if (t->request->last_event_id.n > 0 && !xt_slice_parse_u64(t->request->last_event_id, &resumed))
        resumed = now;
    return xt_request_number(t->request, "after", resumed, UINT64_MAX, &t->arrival, problem);
}

static int stream(tail *t)
{
    int r = t->response->begin(t->response, 200, "text/event-stream", "X-Accel-Buffering: no\r\n");
    if (r == 0) {
        xt_buf_printf(&t->out, "retry: 1000\nid: %llu\n\n", (unsigned long long)t->arrival);
        r = send_out(t);
    }
    return r == 0 ? follow(t) : r;
}

int xt_api_tail(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_search_params params;
    tail t = {.app = app, .request = request, .response = response};
    const xt_render documents = {.format = XT_FORMAT_NDJSON};
    t.by_cookie = request->cookie.n > 0 && request->api_token.n == 0 && request->user[0];
    int r = xt_search_params_init(&params, app, request, XT_S_NULL, &problem);
    if (r == 0)
        r = xt_search_params_fold(&params, request, false, &problem);
    if (r == 0)
        r = find_start(&t, &problem);
    if (r) {
        xt_search_params_fini(&params);
        return xt_respond_failure(response, r, 400, &problem);
    }
    xt_arena_init(&t.arena, ROW_ARENA);
    t.spec = (xt_query_rows){.query = params.query,
                             .fields = xt_render_fields(&documents),
                             .oldest_first = true,
                             .on_row = on_row,
                             .context = &t};
    r = stream(&t);
    if (r == 0)
        r = response->end(response, XT_S_NULL);
    xt_arena_fini(&t.arena);
    xt_buf_fini(&t.out);
    xt_search_params_fini(&params);
    return r;
}

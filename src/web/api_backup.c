/*
 * A backup is written by this process, on this machine: only who is on it may ask for one. What comes of it is one line of
 * JSON; with progress=1 lines come before it that say how far it is, and what fails then is told in the last.
 */
#include <errno.h>

#include "server/backup.h"
#include "web/api.h"
#include "web/request.h"
#include "web/respond.h"

#define TELL_EVERY_MS 200

typedef struct backing_up {
    const xt_clock *clock;
    const xt_request *request;
    xt_response *response;
    bool tells;
    int64_t told_ms; /* monotonic */
    xt_buf problems; /* elements of a list */
} backing_up;

static void on_problem(void *context, const xt_problem *problem)
{
    backing_up *b = context;
    xt_json json = xt_json_to(&b->problems);
    if (b->problems.n)
        xt_buf_putc(&b->problems, ',');
    xt_problem_json(problem, &json);
}

static int line_write(backing_up *b, const xt_buf *line)
{
    int r = xt_buf_done(line);
    if (r == 0 && !b->response->begun)
        r = b->response->begin(b->response, 200, "application/x-ndjson", "");
    return r == 0 ? b->response->write(b->response, xt_buf_slice(line)) : r;
}

static int on_progress(void *context, uint64_t n_done, uint64_t n_total)
{
    XT_CLEANUP(xt_buf_fini) xt_buf line = XT_BUF_INIT;
    backing_up *b = context;
    int64_t now_ms = xt_clock_mono_ms(b->clock);
    if (b->request->cancelled && atomic_load(b->request->cancelled))
        return -EPIPE;
    if (!b->tells || now_ms < b->told_ms + TELL_EVERY_MS)
        return 0;
    b->told_ms = now_ms;
    xt_json json = xt_json_to(&line);
    xt_json_object_begin(&json);
    xt_json_field_u64(&json, "done", n_done);
    xt_json_field_u64(&json, "total", n_total);
    xt_json_object_end(&json);
    xt_buf_putc(&line, '\n');
    return line_write(b, &line);
}

static void result_put(const xt_backup_result *result, const xt_buf *problems, xt_buf *out)
{
    xt_json json = xt_json_to(out);
    xt_json_object_begin(&json);
    xt_json_field_string(&json, "generation", xt_slice_str(result->generation));
    xt_json_field_u64(&json, "events", result->n_events);
    xt_json_field_u64(&json, "pending", result->n_pending);
    xt_json_field_u64(&json, "segments", result->n_segments);
    xt_json_field_u64(&json, "ledger", result->ledger_id);
    xt_json_field_u64(&json, "files", result->n_files);
    xt_json_field_u64(&json, "bytes", result->n_bytes);
    xt_json_field_u64(&json, "copied_files", result->n_copied);
    xt_json_field_u64(&json, "copied_bytes", result->bytes_copied);
    xt_json_field_u64(&json, "pruned", result->n_pruned);
    xt_json_key(&json, XT_S("problems"));
    xt_json_array_begin(&json);
    if (problems->n)
        xt_json_raw(&json, xt_buf_slice(problems));
    xt_json_array_end(&json);
    xt_json_object_end(&json);
    out->failed |= problems->failed;
    xt_buf_putc(out, '\n');
}

/* The answer has begun: the failure is its last line. */
static int failure_write(backing_up *b, int r, xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf line = XT_BUF_INIT;
    xt_json json = xt_json_to(&line);
    if (!xt_problem_is_set(problem))
        xt_problem_set(problem, "%s", strerror(r < 0 ? -r : EINVAL));
    xt_json_object_begin(&json);
    xt_json_key(&json, XT_S("error"));
    xt_problem_json(problem, &json);
    xt_json_object_end(&json);
    xt_buf_putc(&line, '\n');
    r = line_write(b, &line);
    return r == 0 ? b->response->end(b->response, XT_S_NULL) : r;
}

static int answer(backing_up *b, int r, const xt_backup_result *result, xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf line = XT_BUF_INIT;
    if (r && (!b->response->begun || r == -EPIPE || r == -ECANCELED))
        return xt_respond_app_failure(b->response, r, problem);
    if (r)
        return failure_write(b, r, problem);
    result_put(result, &b->problems, &line);
    if (!b->response->begun)
        return xt_respond_json(b->response, 200, &line);
    r = line_write(b, &line);
    return r == 0 ? b->response->end(b->response, XT_S_NULL) : r;
}

int xt_api_backup(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    backing_up b = {.clock = xt_app_clock(app), .request = request, .response = response};
    xt_backup_wish wish = {.report = on_problem, .progress = on_progress, .context = &b};
    xt_backup_result result;
    uint64_t keep = 0;
    if (!request->is_local) {
        xt_problem_set(&problem, "a backup is written on the server's machine, and asked for there");
        xt_problem_hint(&problem, "exectrail store backup --data DIR TO");
        return xt_response_problem(response, 403, &problem);
    }
    int r = xt_request_text(request, "to", &wish.to, &problem);
    if (r == 0)
        r = xt_request_number(request, "keep", 0, 1000000, &keep, &problem);
    if (r == 0 && !wish.to) {
        xt_problem_source(&problem, "to");
        xt_problem_set(&problem, "where to?");
        r = XT_REQUEST_E_BAD;
    }
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    wish.keep = (unsigned)keep;
    b.tells = xt_request_flag(request, "progress");
    r = xt_app_backup(app, &wish, &result, &problem);
    r = answer(&b, r, &result, &problem);
    xt_buf_fini(&b.problems);
    return r;
}

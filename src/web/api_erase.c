/*
 * Erasing may take an hour, so its answer is lines of JSON: one after each segment, the result as the last. A client that
 * goes ends it between two segments; asking for the same again goes on.
 */
#include <errno.h>

#include "server/erase.h"
#include "web/api.h"
#include "web/list_writer.h"
#include "web/request.h"
#include "web/respond.h"

static int put_backup(void *context, int64_t at_ms, xt_slice place, xt_slice generation)
{
    xt_json *json = context;
    xt_json_object_begin(json);
    xt_json_field_time(json, "at", at_ms);
    xt_json_field_string(json, "place", place);
    xt_json_field_string(json, "generation", generation);
    xt_json_object_end(json);
    return 0;
}

static int put_backups(xt_app *app, xt_json *json, uint64_t ledger_id, xt_problem *problem)
{
    xt_json_key(json, XT_S("backups"));
    xt_json_array_begin(json);
    int r = xt_app_backups_before(app, ledger_id, put_backup, json, problem);
    xt_json_array_end(json);
    return r;
}

/* ------------------------------------------------------------------------------------------------ erasing */

static int send_line(xt_response *response, xt_buf *line)
{
    xt_buf_putc(line, '\n');
    int r = xt_buf_done(line);
    if (r == 0 && !response->begun)
        r = response->begin(response, 200, "application/x-ndjson", "");
    if (r == 0)
        r = response->write(response, xt_buf_slice(line));
    xt_buf_reset(line);
    return r;
}

static int on_progress(void *context, uint64_t n_done, uint64_t n_segments, uint64_t n_rows)
{
    XT_CLEANUP(xt_buf_fini) xt_buf line = XT_BUF_INIT;
    xt_json json = xt_json_to(&line);
    xt_json_object_begin(&json);
    xt_json_key(&json, XT_S("progress"));
    xt_json_object_begin(&json);
    xt_json_field_u64(&json, "done", n_done);
    xt_json_field_u64(&json, "of", n_segments);
    xt_json_field_u64(&json, "events", n_rows);
    xt_json_object_end(&json);
    xt_json_object_end(&json);
    return send_line(context, &line);
}

static void put_held(xt_json *json, const xt_erase_answer *answer)
{
    xt_json_key(json, XT_S("held"));
    xt_json_array_begin(json);
    for (size_t i = 0; i < answer->n_holds; i++) {
        xt_json_object_begin(json);
        xt_json_field_u64(json, "hold", answer->holds[i].id);
        xt_json_field_u64(json, "events", answer->holds[i].n_rows);
        xt_json_object_end(json);
    }
    xt_json_array_end(json);
}

static int send_result(xt_app *app, xt_response *response, const xt_erase_answer *answer, bool is_dry,
                       xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf line = XT_BUF_INIT;
    xt_json json = xt_json_to(&line);
    xt_json_object_begin(&json);
    xt_json_key(&json, XT_S("result"));
    xt_json_object_begin(&json);
    if (answer->number)
        xt_json_field_u64(&json, "erasure", answer->number);
    xt_json_field_bool(&json, "dry_run", is_dry);
    xt_json_field_u64(&json, "events", answer->n_rows);
    xt_json_field_u64(&json, "segments", answer->n_segments);
    xt_json_field_u64(&json, "alerts", answer->n_alerts);
    if (answer->salt[0] && answer->number) {
        xt_json_field_string(&json, "query_sha256", xt_slice_str(answer->sha256));
        xt_json_field_string(&json, "salt", xt_slice_str(answer->salt));
    }
    put_held(&json, answer);
    xt_json_key(&json, XT_S("not_looked_at"));
    xt_json_array_begin(&json);
    for (size_t i = 0; i < answer->n_problems; i++)
        xt_problem_json(&answer->problems[i], &json);
    xt_json_array_end(&json);
    /* What a dry run finds may be in every one of them. */
    uint64_t before = is_dry && answer->n_rows ? UINT64_MAX : answer->last_ledger_id;
    int r = put_backups(app, &json, before, problem);
    xt_json_object_end(&json);
    xt_json_object_end(&json);
    if (r == 0)
        r = send_line(response, &line);
    return r == 0 ? response->end(response, XT_S_NULL) : r;
}

static int send_failure(xt_response *response, int r, xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf line = XT_BUF_INIT;
    xt_json json = xt_json_to(&line);
    if (!response->begun || r == -EPIPE)
        return xt_respond_app_failure(response, r, problem);
    if (!xt_problem_is_set(problem))
        xt_problem_set(problem, "it ended early: %s", strerror(r < 0 ? -r : EIO));
    xt_json_object_begin(&json);
    xt_json_key(&json, XT_S("error"));
    xt_problem_json(problem, &json);
    xt_json_object_end(&json);
    r = send_line(response, &line);
    return r == 0 ? response->end(response, XT_S_NULL) : r;
}

int xt_api_erase(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_erase_answer answer;
    xt_erase_args args = {.query = xt_request_get(request, "q"),
                          .reason = xt_request_get(request, "reason"),
                          .who = xt_request_asker(request),
                          .is_dry = xt_request_flag(request, "dry_run"),
                          .is_private = xt_request_flag(request, "private"),
                          .cancelled = request->cancelled,
                          .progress = on_progress,
                          .context = response};
    int r = xt_app_erase(app, &args, &answer, &problem);
    r = r ? send_failure(response, r, &problem) : send_result(app, response, &answer, args.is_dry, &problem);
    xt_erase_answer_fini(&answer);
    return r;
}

/* ------------------------------------------------------------------------------------------------ what was erased */

typedef struct erasures {
    xt_app *app;
    xt_list *list;
    xt_problem *problem;
} erasures;

void xt_erasure_json(const xt_erasure *erasure, xt_json *json)
{
    xt_json_field_u64(json, "id", erasure->number);
    xt_json_field_time(json, "at", erasure->first_ms);
    xt_json_field_time(json, "until", erasure->last_ms);
    xt_json_field_string(json, "who", erasure->who);
    xt_json_field_u64(json, "events", erasure->n_rows);
    xt_json_field_u64(json, "segments", erasure->n_segments);
    if (erasure->sha256.n)
        xt_json_field_string(json, "query_sha256", erasure->sha256);
    else
        xt_json_field_string(json, "query", erasure->query);
    xt_json_field_string(json, "reason", erasure->reason);
}

static int count_backup(void *context, int64_t at_ms, xt_slice place, xt_slice generation)
{
    (void)at_ms;
    (void)place;
    (void)generation;
    ++*(uint64_t *)context;
    return 0;
}

static int put_cells(const erasures *e, const xt_erasure *erasure)
{
    uint64_t n_backups = 0;
    int r = xt_app_backups_before(e->app, erasure->last_ledger_id, count_backup, &n_backups, e->problem);
    xt_list_cell_u64(e->list, erasure->number);
    xt_list_cell_time(e->list, erasure->first_ms);
    xt_list_cell(e->list, erasure->who);
    xt_list_cell_u64(e->list, erasure->n_rows);
    xt_list_cell_u64(e->list, n_backups);
    xt_list_cell(e->list, erasure->sha256.n ? XT_S("(private)") : erasure->query);
    xt_list_cell(e->list, erasure->reason);
    return r;
}

static int on_erasure(void *context, const xt_erasure *erasure)
{
    const erasures *e = context;
    int r = 0;
    if (xt_list_is_json(e->list)) {
        xt_json *json = xt_list_json(e->list);
        xt_erasure_json(erasure, json);
        r = put_backups(e->app, json, erasure->last_ledger_id, e->problem);
        xt_list_json_done(e->list);
    } else {
        r = put_cells(e, erasure);
    }
    return r == 0 ? xt_buf_done(&e->list->out) : r;
}

int xt_api_erasures(xt_app *app, xt_request *request, xt_response *response)
{
    static const char *const columns[] = {"id", "at", "who", "events", "backups", "query", "reason"};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_list list;
    erasures e = {.app = app, .list = &list, .problem = &problem};
    int r = xt_list_begin(&list, request, "erasures", columns, XT_COUNT_OF(columns), &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_erasures(app, on_erasure, NULL, &e, &problem);
    if (r == 0)
        return xt_list_end(&list, response);
    xt_list_fini(&list);
    return xt_respond_failure(response, r, 500, &problem);
}

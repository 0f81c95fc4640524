/*
 * _bulk: each document becomes a line or an event of the intake; when all are durable the items are answered, in their
 * order. A document that came before is answered as if it had not: whoever sends again wants to hear that it is there.
 *
 * A request is refused as a whole (429) when the intake is full or its events are not durable in time; the client sends it again,
 * and what was stored meanwhile is recognised.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "input/bulk_body.h"
#include "input/ecs_document.h"
#include "server/intake.h"
#include "web/es.h"
#include "web/request.h"
#include "web/respond.h"

enum {
    MAX_BODY = 64 << 20, /* unpacked */
    MAX_ITEMS = 100000,
    SETTLE_MS = 30000,
};

typedef struct outcome {
    const char *action;
    xt_slice index, id;
    int status;
    const char *error, *reason; /* NULL: it is stored */
} outcome;

/* Which parts of the answer are asked for (filter_path); all, when it is not there. */
typedef struct wishes {
    bool took, errors, ids, result, status, error;
} wishes;

typedef struct job {
    xt_app *app;
    xt_request *request;
    xt_intake *intake;
    xt_slice index;
    outcome *items;
    size_t n, cap, n_errors;
    uint64_t n_made; /* ids */
    int64_t begin_ms;
} job;

/* ---- what is asked for ---- */

static bool ends_with(xt_slice path, const char *name)
{
    return xt_slice_eq(path, xt_slice_str(name)) || xt_slice_eq(path, XT_S("*")) || xt_slice_eq(path, XT_S("**"));
}

static void wish_item(wishes *w, xt_slice path)
{
    xt_slice action, rest = path;
    (void)xt_slice_cut(&rest, '.', &action); /* create, index or * */
    bool all = rest.n == 0 || ends_with(rest, "**");
    w->status |= all || ends_with(rest, "status");
    w->error |= all || ends_with(rest, "error") || xt_slice_starts(rest, XT_S("error."));
    w->result |= all || ends_with(rest, "result");
    w->ids |= all || ends_with(rest, "_id") || ends_with(rest, "_index");
}

static wishes wishes_of(const xt_request *request)
{
    xt_slice paths = xt_request_get(request, "filter_path"), path, first;
    wishes w = {0};
    if (paths.n == 0)
        return (wishes){true, true, true, true, true, true};
    while (xt_slice_cut(&paths, ',', &path)) {
        xt_slice rest = path;
        w.took |= ends_with(path, "took");
        w.errors |= ends_with(path, "errors");
        if (xt_slice_cut(&rest, '.', &first) && ends_with(first, "items"))
            wish_item(&w, rest);
    }
    return w;
}

/* ---- one document ---- */

static void fail(job *j, outcome *item, int status, const char *type, const xt_problem *problem)
{
    xt_slice reason = xt_arena_copy(j->request->arena, xt_slice_str(problem->sentence));
    item->status = status;
    item->error = type;
    item->reason = reason.p ? reason.p : "no memory";
    j->n_errors++;
}

static int take_document(job *j, outcome *item, xt_slice document)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_arena arena;
    xt_arena_init(&arena, 32 * XT_ECS_MAX_BYTES);
    xt_ecs_document *d = xt_arena_alloc(&arena, sizeof *d);
    int r = d ? xt_ecs_document_read(document, &arena, d, &problem) : xt_error_origin(-ENOMEM);
    if (r == 0)
        r = d->is_line ? xt_intake_line_kept(j->intake, d->host, d->line)
                       : xt_intake_event(j->intake, &d->event, &arena);
    else if (r > 0)
        fail(j, item, 400, "document_parsing_exception", &problem);
    xt_arena_fini(&arena);
    return r < 0 ? xt_error_trace(r) : 0;
}

static int make_id(job *j, xt_slice *ret)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%llx-%llu", (unsigned long long)j->begin_ms, (unsigned long long)j->n_made++);
    *ret = xt_arena_copy(j->request->arena, xt_slice_of(text, (size_t)n));
    return ret->p ? 0 : xt_error_origin(-ENOMEM);
}

static int add(job *j, const xt_bulk_item *from)
{
    if (j->n == j->cap) {
        size_t cap = j->cap ? 2 * j->cap : 256;
        outcome *grown = reallocarray(j->items, cap, sizeof *grown);
        if (!grown)
            return xt_error_origin(-ENOMEM);
        j->items = grown;
        j->cap = cap;
    }
    outcome *item = &j->items[j->n++];
    *item = (outcome){
        .action = from->action, .index = from->index.p ? from->index : j->index, .id = from->id, .status = 201};
    if (!item->index.p)
        item->index = XT_S("exectrail");
    int r = item->id.p ? 0 : make_id(j, &item->id);
    if (r)
        return r;
    if (xt_intake_is_full(j->intake))
        return -EAGAIN; /* what was taken is known when it comes again */
    if (strcmp(from->action, "create") == 0 || strcmp(from->action, "index") == 0)
        return take_document(j, item, from->document);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_problem_set(&problem, "what is stored is never changed: create or index only");
    fail(j, item, 400, "illegal_argument_exception", &problem);
    return 0;
}

/* ---- the answer ---- */

static void put_item(xt_json *json, const outcome *item, const wishes *w)
{
    xt_json_object_begin(json);
    xt_json_key(json, xt_slice_str(item->action));
    xt_json_object_begin(json);
    if (w->ids) {
        xt_json_field_string(json, "_index", item->index);
        xt_json_field_string(json, "_id", item->id);
    }
    if (w->result && !item->error) {
        xt_json_field_u64(json, "_version", 1);
        xt_json_field_string(json, "result", XT_S("created"));
    }
    if (w->status)
        xt_json_field_u64(json, "status", (uint64_t)item->status);
    if (w->error && item->error) {
        xt_json_key(json, XT_S("error"));
        xt_json_object_begin(json);
        xt_json_field_string(json, "type", xt_slice_str(item->error));
        xt_json_field_string(json, "reason", xt_slice_str(item->reason));
        xt_json_object_end(json);
    }
    xt_json_object_end(json);
    xt_json_object_end(json);
}

static int answer(const job *j, xt_response *response)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    wishes w = wishes_of(j->request);
    bool has_items = w.ids || w.result || w.status || (w.error && j->n_errors > 0);
    xt_json json = xt_json_to(&out);
    xt_json_object_begin(&json);
    if (w.took)
        xt_json_field_u64(&json, "took", (uint64_t)(xt_clock_mono_ms(&xt_clock_system) - j->begin_ms));
    if (w.errors)
        xt_json_field_bool(&json, "errors", j->n_errors > 0);
    if (has_items) {
        xt_json_key(&json, XT_S("items"));
        xt_json_array_begin(&json);
        for (size_t i = 0; i < j->n; i++)
            put_item(&json, &j->items[i], &w);
        xt_json_array_end(&json);
    }
    xt_json_object_end(&json);
    return xt_es_answer(response, 200, &out, "");
}

static int refuse_busy(xt_response *response)
{
    return xt_es_error(response, 429, "es_rejected_execution_exception",
                       "events cannot be stored fast enough now, or not at all: send them again", "Retry-After: 5\r\n");
}

/* ---- the request ---- */

static int read_body(xt_request *request, xt_buf *out, xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf packed = XT_BUF_INIT;
    bool is_gzip = xt_slice_eq_nocase(request->content_encoding, XT_S("gzip"));
    int r = xt_request_body(request, MAX_BODY, is_gzip ? &packed : out, problem);
    if (r || !is_gzip)
        return r > 0 ? XT_BULK_E_END : r;
    return xt_bulk_gunzip(xt_buf_slice(&packed), MAX_BODY, out, problem);
}

static int take_all(job *j, xt_slice body, xt_problem *problem)
{
    xt_bulk_reader reader = {.rest = body};
    xt_bulk_item item;
    int r = 0;
    while (r == 0 && (r = xt_bulk_next(&reader, j->request->arena, &item, problem)) == 0) {
        if (j->n == MAX_ITEMS) {
            xt_problem_set(problem, "a request has at most %d documents", MAX_ITEMS);
            return XT_BULK_E_MALFORMED;
        }
        r = add(j, &item);
    }
    return r == XT_BULK_E_END ? 0 : r;
}

static int run(job *j, xt_response *response)
{
    XT_CLEANUP(xt_buf_fini) xt_buf body = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    int r = read_body(j->request, &body, &problem);
    if (r == XT_BULK_E_END)
        return xt_es_error(response, 413, "content_too_long_exception", problem.sentence, "");
    if (r > 0)
        return xt_es_error(response, 400, "parse_exception", problem.sentence, "");
    if (r == 0 && (xt_intake_is_full(j->intake) || xt_store_is_full(xt_app_store(j->app))))
        return refuse_busy(response);
    if (r == 0)
        r = take_all(j, xt_buf_slice(&body), &problem);
    int kept = r < 0 ? r : xt_intake_keep(j->intake, SETTLE_MS);
    if (r > 0 && kept == 0)
        return xt_es_error(response, 400, "illegal_argument_exception", problem.sentence, "");
    if (r == 0 && kept == 0 && j->n == 0)
        return xt_es_error(response, 400, "parse_exception", "request body is required", "");
    if (kept == -ETIMEDOUT || kept == -EAGAIN || kept == -ENOMEM || kept == -ENOSPC)
        return refuse_busy(response);
    if (kept < 0)
        return xt_es_error(response, 500, "exception", strerror(-kept), "");
    return answer(j, response);
}

int xt_es_bulk(xt_app *app, xt_request *request, xt_response *response, xt_slice index)
{
    job j = {.app = app, .request = request, .begin_ms = xt_clock_mono_ms(&xt_clock_system)};
    int r = xt_app_intake(app, &j.intake);
    if (r)
        return xt_error_trace(r);
    if (index.p)
        j.index = xt_percent_decode(index, false, request->arena);
    r = run(&j, response);
    free(j.items);
    return r;
}

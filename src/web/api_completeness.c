/*
 * What is proved of a time: of the fleet as a list, of one host with its evidence. Evidence are the gaps, and what the ledger has of
 * the host's streams since the time began: what was made in it can have come no sooner.
 */
#include "web/api.h"
#include "web/list_writer.h"
#include "web/request.h"
#include "web/respond.h"

#define DAY_MS INT64_C(86400000)

static void put_seconds(xt_json *json, const char *key, int64_t ms)
{
    xt_json_field_u64(json, key, (uint64_t)(ms > 0 ? (ms + 999) / 1000 : 0));
}

void xt_completeness_json(const xt_completeness *of, xt_json *json)
{
    xt_json_field_time(json, "from", of->from_ms);
    xt_json_field_time(json, "to", of->to_ms);
    xt_json_field_bool(json, "complete", of->complete);
    xt_json_field_u64(json, "kernel_lost", of->n[XT_GAP_KERNEL]);
    xt_json_field_u64(json, "agent_lost", of->n[XT_GAP_AGENT]);
    xt_json_field_u64(json, "unaudited", of->n[XT_GAP_UNAUDITED]);
    xt_json_field_u64(json, "unseen", of->n[XT_GAP_UNSEEN]);
    xt_json_field_u64(json, "canaries_lost", of->n[XT_GAP_CANARY]);
    xt_json_field_u64(json, "spool_dropped", of->n[XT_GAP_SPOOL]);
    xt_json_field_u64(json, "new_streams", of->n_gaps[XT_GAP_STREAM]);
    put_seconds(json, "silent_s", of->ms[XT_GAP_SILENT]);
    put_seconds(json, "stopped_s", of->ms[XT_GAP_STOPPED]);
    put_seconds(json, "audit_off_s", of->ms[XT_GAP_OFF]);
    put_seconds(json, "audit_taken_s", of->ms[XT_GAP_TAKEN]);
    put_seconds(json, "paused_s", of->ms[XT_GAP_PAUSED]);
    put_seconds(json, "hidden_s", of->ms[XT_GAP_BLIND]);
    put_seconds(json, "unproven_s", of->ms[XT_GAP_MODE]);
    xt_json_field_bool(json, "waiting", of->waiting);
    xt_json_field_time(json, "arrived_until", of->settled_ms);
    xt_json_field_time(json, "first_heartbeat", of->first_ms);
}

int xt_completeness_times(xt_app *app, const xt_request *request, xt_completeness_wish *ret, xt_problem *problem)
{
    int64_t now_ms = xt_clock_wall_ms(xt_app_clock(app));
    int r = xt_request_time(request, "from", now_ms, false, now_ms - DAY_MS, &ret->from_ms, problem);
    return r ? r : xt_request_time(request, "to", now_ms, true, now_ms, &ret->to_ms, problem);
}

/* -------------------------------------------------------------------------------------------------- the fleet */

static void put_cells(xt_list *list, const xt_completeness *of)
{
    int64_t unwatched_ms = of->ms[XT_GAP_SILENT] + of->ms[XT_GAP_STOPPED] + of->ms[XT_GAP_OFF] + of->ms[XT_GAP_TAKEN] +
                           of->ms[XT_GAP_PAUSED];
    xt_list_cell(list, xt_slice_str(of->name[0] ? of->name : of->id));
    xt_list_cell(list, of->complete ? XT_S("yes") : XT_S("no"));
    xt_list_cell_u64(list, of->n[XT_GAP_KERNEL]);
    xt_list_cell_u64(list, of->n[XT_GAP_AGENT] + of->n[XT_GAP_UNAUDITED] + of->n[XT_GAP_UNSEEN]);
    xt_list_cell_u64(list, of->n[XT_GAP_SPOOL]);
    xt_list_cell_u64(list, of->n_gaps[XT_GAP_STREAM]);
    xt_list_cell_u64(list, (uint64_t)(unwatched_ms + 999) / 1000);
    xt_list_cell_u64(list, (uint64_t)(of->ms[XT_GAP_BLIND] + of->ms[XT_GAP_MODE] + 999) / 1000);
    xt_list_cell(list, of->waiting ? XT_S("yes") : XT_S("no"));
    xt_list_cell_time(list, of->from_ms);
    xt_list_cell_time(list, of->to_ms);
}

static int on_one(void *context, const xt_completeness *of)
{
    xt_list *list = context;
    if (xt_list_is_json(list)) {
        xt_json *json = xt_list_json(list);
        xt_json_field_string(json, "id", xt_slice_str(of->id));
        xt_json_field_string(json, "name", xt_slice_str(of->name));
        xt_completeness_json(of, json);
        xt_list_json_done(list);
    } else {
        put_cells(list, of);
    }
    return xt_buf_done(&list->out);
}

int xt_api_completeness(xt_app *app, xt_request *request, xt_response *response)
{
    static const char *const columns[] = {"host",    "complete",    "kernel lost", "agent lost",
                                          "dropped", "new streams", "unwatched s", "unproven s",
                                          "waiting", "from",        "to"};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_completeness_wish wish = {.host = xt_request_get(request, "host"),
                                 .since_first = xt_request_flag(request, "since_first")};
    xt_list list;
    int r = xt_completeness_times(app, request, &wish, &problem);
    if (r == 0)
        r = xt_list_begin(&list, request, "completeness", columns, XT_COUNT_OF(columns), &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    const xt_completeness_calls calls = {.host = on_one, .context = &list};
    r = xt_app_completeness(app, &wish, &calls, &problem);
    if (r == 0)
        return xt_list_end(&list, response);
    xt_list_fini(&list);
    return xt_respond_app_failure(response, r, &problem);
}

/* --------------------------------------------------------------------------------------------------- one host */

typedef struct proof {
    xt_app *app;
    xt_problem *problem;
    xt_json json, gaps;
    xt_buf gaps_text;
    bool complete;
} proof;

static int on_gap(void *context, const xt_gap *gap)
{
    xt_json *json = &((proof *)context)->gaps;
    xt_json_object_begin(json);
    xt_json_field_string(json, "kind", xt_slice_str(xt_gap_name(gap->kind)));
    xt_json_field_string(json, "what", xt_slice_str(xt_gap_words(gap->kind)));
    xt_json_field_time(json, "from", gap->from_ms);
    xt_json_field_time(json, "to", gap->to_ms);
    if (xt_gap_counts(gap->kind))
        xt_json_field_u64(json, "n", gap->n);
    xt_json_object_end(json);
    return 0;
}

static int on_received(void *context, const xt_received *received)
{
    proof *p = context;
    char id[33], hash[33];
    xt_hash128_format(received->stream, id);
    xt_hash128_format(received->hash, hash);
    xt_json_object_begin(&p->json);
    xt_json_field_string(&p->json, "stream", xt_slice_str(id));
    xt_json_field_u64(&p->json, "first_batch", received->first);
    xt_json_field_u64(&p->json, "last_batch", received->last);
    xt_json_field_u64(&p->json, "events", received->n_events);
    xt_json_field_u64(&p->json, "missing_batches", received->n_missing);
    xt_json_field_string(&p->json, "last_hash", xt_slice_str(hash));
    xt_json_field_time(&p->json, "first_received", received->first_ms);
    xt_json_field_time(&p->json, "last_received", received->last_ms);
    xt_json_field_bool(&p->json, "chained", received->chained);
    xt_json_object_end(&p->json);
    p->complete &= received->n_missing == 0 && received->chained;
    return 0;
}

static int on_host(void *context, const xt_completeness *of)
{
    proof *p = context;
    xt_json_object_begin(&p->json);
    xt_json_field_string(&p->json, "id", xt_slice_str(of->id));
    xt_json_field_string(&p->json, "name", xt_slice_str(of->name));
    xt_completeness_json(of, &p->json);
    xt_json_array_end(&p->gaps);
    xt_json_key(&p->json, XT_S("gaps"));
    xt_json_raw(&p->json, xt_buf_slice(&p->gaps_text));
    xt_buf_reset(&p->gaps_text);
    p->gaps = xt_json_to(&p->gaps_text);
    xt_json_array_begin(&p->gaps);
    xt_json_key(&p->json, XT_S("ledger"));
    xt_json_array_begin(&p->json);
    int r = xt_store_each_received(xt_app_store(p->app), xt_slice_str(of->id), of->from_ms, on_received, p, p->problem);
    xt_json_array_end(&p->json);
    xt_json_object_end(&p->json);
    p->complete &= of->complete;
    return r;
}

int xt_api_host_completeness(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_completeness_wish wish = {.host = request->params[0]};
    proof p = {.app = app, .problem = &problem, .json = xt_json_to(&out), .gaps_text = XT_BUF_INIT, .complete = true};
    const xt_completeness_calls calls = {.gap = on_gap, .host = on_host, .context = &p};
    int r = xt_completeness_times(app, request, &wish, &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    p.gaps = xt_json_to(&p.gaps_text);
    xt_json_array_begin(&p.gaps);
    xt_json_object_begin(&p.json);
    xt_json_key(&p.json, XT_S("hosts"));
    xt_json_array_begin(&p.json);
    r = xt_app_completeness(app, &wish, &calls, &problem);
    xt_json_array_end(&p.json);
    xt_json_field_bool(&p.json, "complete", p.complete);
    xt_json_object_end(&p.json);
    out.failed |= p.gaps_text.failed;
    xt_buf_fini(&p.gaps_text);
    xt_buf_putc(&out, '\n');
    return r ? xt_respond_app_failure(response, r, &problem) : xt_respond_json(response, 200, &out);
}

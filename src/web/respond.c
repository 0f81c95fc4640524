#include "web/respond.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "base/timestamp.h"

static int respond(xt_response *response, int status, const char *content_type, const xt_buf *body)
{
    char length[64];
    int r = xt_buf_done(body);
    if (r)
        return xt_error_trace(r);
    snprintf(length, sizeof length, "Content-Length: %zu\r\n", body->n);
    r = response->begin(response, status, content_type, length);
    if (r == 0 && body->n > 0)
        r = response->write(response, xt_buf_slice(body));
    return r == 0 ? response->end(response, XT_S_NULL) : r;
}

int xt_respond_json(xt_response *response, int status, const xt_buf *body)
{
    return respond(response, status, "application/json", body);
}

int xt_respond_text(xt_response *response, const char *content_type, const xt_buf *body)
{
    return respond(response, 200, content_type, body);
}

int xt_respond_answer(xt_response *response, const char *content_type, const xt_buf *body, const xt_answer *answer)
{
    XT_CLEANUP(xt_buf_fini) xt_buf summary = XT_BUF_INIT;
    xt_json json = xt_json_to(&summary);
    int r = xt_buf_done(body);
    if (r)
        return xt_error_trace(r);
    xt_json_object_begin(&json);
    xt_json_answer(&json, answer);
    xt_json_object_end(&json);
    r = response->begin(response, 200, content_type, "");
    if (r == 0 && body->n > 0)
        r = response->write(response, xt_buf_slice(body));
    return r == 0 ? response->end(response, xt_buf_slice(&summary)) : r;
}

static void put_if(xt_json *json, const char *key, const char *text)
{
    if (text[0])
        xt_json_field_string(json, key, xt_slice_str(text));
}

void xt_problem_json(const xt_problem *problem, xt_json *json)
{
    xt_json_object_begin(json);
    xt_json_field_string(json, "sentence", xt_slice_str(problem->sentence));
    put_if(json, "hint", problem->hint);
    put_if(json, "source", problem->source);
    if (problem->line)
        xt_json_field_u64(json, "line", problem->line);
    if (problem->column)
        xt_json_field_u64(json, "column", problem->column);
    put_if(json, "excerpt", problem->excerpt);
    xt_json_object_end(json);
}

int xt_response_problem(xt_response *response, int status, const xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf body = XT_BUF_INIT;
    xt_json json = xt_json_to(&body);
    xt_json_object_begin(&json);
    xt_json_key(&json, XT_S("error"));
    xt_problem_json(problem, &json);
    xt_json_object_end(&json);
    xt_buf_putc(&body, '\n');
    return xt_respond_json(response, status, &body);
}

int xt_respond_failure(xt_response *response, int r, int status, xt_problem *problem)
{
    assert(r && problem);
    if (response->begun || r == -EPIPE || r == -ECANCELED)
        return r < 0 ? r : -EPIPE;
    if (!xt_problem_is_set(problem))
        xt_problem_set(problem, "%s", r < 0 ? strerror(-r) : "the request cannot be answered");
    if (r < 0)
        status = r == -ENOMEM || r == -EAGAIN || r == -ENOSPC ? 503 : 500;
    return xt_response_problem(response, status, problem);
}

int xt_respond_app_failure(xt_response *response, int r, xt_problem *problem)
{
    static const int statuses[] = {[XT_APP_E_LOCKED] = 503,  [XT_APP_E_NOT_FOUND] = 404, [XT_APP_E_DENIED] = 403,
                                   [XT_APP_E_EXPIRED] = 403, [XT_APP_E_USED] = 403,      [XT_APP_E_INVALID] = 400};
    int status = r > 0 && r < (int)XT_COUNT_OF(statuses) ? statuses[r] : 500;
    return xt_respond_failure(response, r, status, problem);
}

void xt_json_field_time(xt_json *json, const char *key, int64_t t_ms)
{
    char text[25];
    xt_timestamp_format(t_ms, text);
    xt_json_key(json, xt_slice_str(key));
    if (t_ms)
        xt_json_string(json, xt_slice_str(text));
    else
        xt_json_null(json);
}

static void put_terms(xt_json *json, const xt_query_cost *cost)
{
    xt_json_key(json, XT_S("terms"));
    xt_json_array_begin(json);
    for (unsigned i = 0; i < cost->n_terms; i++) {
        const xt_query_term *term = &cost->terms[i];
        xt_json_object_begin(json);
        xt_json_field_string(json, "term", xt_slice_str(term->text));
        xt_json_field_u64(json, "values_looked_at", term->n_values_looked_at);
        xt_json_field_u64(json, "values_matched", term->n_values_matched);
        xt_json_field_u64(json, "dictionary_chunks_read", term->n_chunks_read);
        xt_json_field_u64(json, "dictionary_chunks_skipped", term->n_chunks_skipped);
        xt_json_object_end(json);
    }
    xt_json_array_end(json);
}

static void put_stages(xt_json *json, const xt_query_cost *cost)
{
    xt_json_key(json, XT_S("stages"));
    xt_json_array_begin(json);
    for (unsigned i = 0; i < cost->n_stages; i++) {
        const xt_query_stage *stage = &cost->stages[i];
        xt_json_object_begin(json);
        xt_json_field_string(json, "stage", xt_slice_str(stage->text));
        xt_json_field_u64(json, "rows_in", stage->n_in);
        xt_json_field_u64(json, "rows_out", stage->n_out);
        xt_json_object_end(json);
    }
    xt_json_array_end(json);
}

static void put_explain(xt_json *json, const xt_answer *answer)
{
    const xt_query_cost *cost = &answer->cost;
    const struct {
        const char *name;
        uint64_t n;
    } counts[] = {
        {"segments", answer->scan.n_segments},
        {"segments_skipped", answer->scan.n_segments_skipped},
        {"parts", cost->n_parts + answer->scan.n_parts_skipped},
        {"parts_skipped_by_time", answer->scan.n_parts_skipped},
        {"parts_skipped_by_range", cost->n_skipped_range},
        {"parts_skipped_by_values", cost->n_skipped_values},
        {"parts_read", cost->n_read},
        {"rows_read", cost->n_rows_read},
        {"chunks_read", cost->n_chunks_read},
        {"bytes_read", cost->n_bytes_read},
        {"threads", cost->n_threads},
        {"plan_us", (uint64_t)cost->plan_us},
        {"values_us", (uint64_t)cost->values_us},
        {"filter_us", (uint64_t)cost->filter_us},
        {"work_us", (uint64_t)cost->work_us},
        {"finish_us", (uint64_t)cost->finish_us},
        {"took_us", (uint64_t)answer->took_us},
    };
    xt_json_key(json, XT_S("explain"));
    xt_json_object_begin(json);
    for (size_t i = 0; i < XT_COUNT_OF(counts); i++)
        xt_json_field_u64(json, counts[i].name, counts[i].n);
    put_terms(json, cost);
    if (cost->n_stages)
        put_stages(json, cost);
    xt_json_object_end(json);
}

void xt_json_answer(xt_json *json, const xt_answer *answer)
{
    xt_slice rest = xt_slice_str(answer->scan.damaged), name;
    xt_json_field_u64(json, "total", answer->n_matched);
    xt_json_field_u64(json, "hidden", answer->n_hidden);
    xt_json_field_bool(json, "partial", answer->partial || answer->scan.n_damaged > 0);
    if (answer->reason)
        xt_json_field_string(json, "reason", xt_slice_str(answer->reason));
    xt_json_field_bool(json, "truncated", answer->truncated);
    if (answer->n_cut_values)
        xt_json_field_u64(json, "cut_values", answer->n_cut_values);
    xt_json_key(json, XT_S("skipped"));
    xt_json_array_begin(json);
    while (answer->scan.n_damaged && xt_slice_cut(&rest, ',', &name))
        xt_json_string(json, xt_slice_trim(name));
    xt_json_array_end(json);
    xt_json_field_u64(json, "took_ms", (uint64_t)(answer->took_us + 500) / 1000);
    if (answer->explain)
        put_explain(json, answer);
}

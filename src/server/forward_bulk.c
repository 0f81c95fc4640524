/*
 * 409 is a document that is there already: of a batch that was sent before. An id is looked for in what was sent, where it stands as
 * server/forward_form wrote it: hexadecimal digits, nothing escaped.
 */
#include "server/forward_bulk.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

/* {"create":{"_id":"HERE"}} */
static xt_slice id_of(xt_slice message)
{
    xt_slice id = xt_slice_skip(message, sizeof "{\"create\":{\"_id\":\"" - 1);
    ptrdiff_t end = xt_slice_find_byte(id, '"');
    return xt_slice_head(id, end < 0 ? 0 : (size_t)end);
}

static int strange(xt_problem *problem, const char *what)
{
    xt_problem_set(problem, "the target's answer is not one to what was sent: %s", what);
    return XT_SINK_E_AWAY;
}

static int judge_one(const json_t *item, xt_slice id, xt_bulk_verdict *verdict, xt_problem *problem)
{
    const json_t *of = json_object_get(item, "create"), *status_of = json_object_get(of, "status");
    const char *answered = json_string_value(json_object_get(of, "_id"));
    const char *why = json_string_value(json_object_get(json_object_get(of, "error"), "type"));
    json_int_t status = json_integer_value(status_of);

    if (!answered || !xt_slice_eq(xt_slice_str(answered), id))
        return strange(problem, "another document stands where this one was");
    if (!json_is_integer(status_of))
        return strange(problem, "a document has no status");
    if ((status >= 200 && status < 300) || status == 409)
        return 0;
    if (status >= 400 && status < 500 && status != 429) {
        verdict->n_refused++;
        snprintf(verdict->refusal, sizeof verdict->refusal, "%d %.80s", (int)status, why ? why : "");
        return 0;
    }
    xt_problem_set(problem, "the target answered %d for a document", (int)status);
    return XT_SINK_E_AWAY;
}

int xt_bulk_answer_judge(xt_slice answer, const xt_forward_batch *batch, size_t from, size_t to, xt_bulk_verdict *ret,
                         xt_problem *reterr_problem)
{
    json_t *document = json_loadb(answer.p ? answer.p : "", answer.n, 0, NULL);
    const json_t *items = json_object_get(document, "items");
    xt_bulk_verdict verdict = {0};
    int r = 0;

    if (!json_is_array(items))
        r = strange(reterr_problem, "it has no items");
    else if (json_array_size(items) != to - from)
        r = strange(reterr_problem, "it has another number of items");
    for (size_t i = from; r == 0 && i < to; i++)
        r = judge_one(json_array_get(items, i - from), id_of(xt_forward_batch_part(batch, i, i + 1)), &verdict,
                      reterr_problem);
    json_decref(document);
    if (r == 0)
        *ret = verdict;
    return r;
}

/*
 * One erasure is under way at a time, so its tombstones follow each other in the ledger, with rows of other kinds between.
 * A tombstone that does not hold is reported, and counted with the others by what its row says.
 */
#include <errno.h>
#include <stdlib.h>

#include "server/app_parts.h"
#include "server/erase.h"
#include "server/tombstone.h"

typedef struct erasures {
    int (*each)(void *context, const xt_erasure *erasure);
    void (*report)(void *context, const xt_problem *problem);
    void *context;
    xt_ledger_key *key; /* made when there is a tombstone */
    const xt_app *app;
    xt_erasure open;  /* number 0: there is none */
    json_t *document; /* of its first tombstone: its texts */
    xt_problem *problem;
} erasures;

static int flush(erasures *e)
{
    int r = e->open.number ? e->each(e->context, &e->open) : 0;

    json_decref(e->document);
    e->document = NULL;
    e->open = (xt_erasure){0};
    return r;
}

static void tell(const erasures *e, const xt_tombstone *t, const char *what)
{
    xt_problem problem = XT_PROBLEM_INIT;

    xt_problem_source(&problem, "ledger");
    xt_problem_set(&problem, "row %llu: the tombstone of segment %016llx %s", (unsigned long long)t->ledger_id,
                   (unsigned long long)t->segment, what);
    if (e->report)
        e->report(e->context, &problem);
}

static bool is_same(const xt_erasure *open, const xt_tombstone *t, const xt_tombstone_text *text)
{
    return open->number == t->erasure && xt_slice_eq(open->who, text->who) && xt_slice_eq(open->reason, text->reason) &&
           xt_slice_eq(open->query, text->query) && xt_slice_eq(open->sha256, text->sha256);
}

static int on_tombstone(void *context, const xt_tombstone *t)
{
    erasures *e = context;
    xt_tombstone_text text;
    json_t *document;
    int r = e->key ? 0 : xt_ledger_key_get(e->app->data, &e->key, e->problem);

    if (r < 0)
        return xt_error_trace(r);
    const char *wrong = xt_tombstone_check(t, e->key, &document, &text);
    if (wrong)
        tell(e, t, wrong);
    if (!is_same(&e->open, t, &text)) {
        r = flush(e);
        e->open = (xt_erasure){.number = t->erasure,
                               .first_ms = t->at_ms,
                               .who = text.who,
                               .reason = text.reason,
                               .query = text.query,
                               .sha256 = text.sha256};
        e->document = document;
    } else {
        json_decref(document);
    }
    e->open.n_rows += t->n_rows;
    e->open.n_segments++;
    e->open.last_ms = t->at_ms;
    e->open.last_ledger_id = t->ledger_id;
    return r;
}

int xt_app_erasures(xt_app *app, int (*each)(void *context, const xt_erasure *erasure),
                    void (*report)(void *context, const xt_problem *problem), void *context, xt_problem *reterr_problem)
{
    erasures e = {.each = each, .report = report, .context = context, .app = app, .problem = reterr_problem};
    int r = xt_store_each_tombstone(app->store, on_tombstone, &e, reterr_problem);

    if (r == 0)
        r = flush(&e);
    json_decref(e.document);
    xt_ledger_key_free(e.key);
    return r;
}

/*
 * A hold is a row of pending.db for as long as it lasts, and a row of the ledger for when it came and when it went, whose
 * note says all of it as JSON: so who placed it, and who removed it, can be read after both are gone.
 */
#include <errno.h>

#include "base/json_out.h"
#include "store/store_private.h"

void xt_store_hold_note(xt_buf *out, const xt_pending_hold *hold, xt_slice who)
{
    xt_json json = xt_json_to(out);

    xt_json_object_begin(&json);
    xt_json_field_u64(&json, "hold", hold->id);
    xt_json_field_string(&json, "who", who);
    xt_json_field_string(&json, "query", hold->query);
    xt_json_field_string(&json, "reason", hold->reason);
    xt_json_object_end(&json);
}

typedef struct hold_find {
    uint64_t id;
    xt_buf note;
    xt_slice who;
    bool found;
} hold_find;

static int on_hold(void *context, const xt_pending_hold *hold)
{
    hold_find *find = context;

    if (hold->id == find->id) {
        find->found = true;
        xt_store_hold_note(&find->note, hold, find->who);
    }
    return 0;
}

static xt_ledger_row ledger_row(const xt_store *store, xt_ledger_kind kind, uint64_t id, const xt_buf *note)
{
    return (xt_ledger_row){
        .kind = kind, .at_ms = xt_clock_wall_ms(store->clock), .first = id, .last = id, .note = xt_buf_slice(note)};
}

static int add_locked(xt_store *store, xt_pending_hold *hold, xt_problem *reterr_problem)
{
    xt_pending *pending = store->pending;
    XT_CLEANUP(xt_buf_fini) xt_buf note = XT_BUF_INIT;
    int r = xt_pending_begin(pending, reterr_problem);

    /* The ledger's rows never go, so that an id is never given twice. */
    hold->id = xt_pending_head(pending).id + 1;
    hold->at_ms = xt_clock_wall_ms(store->clock);
    xt_store_hold_note(&note, hold, hold->who);
    xt_ledger_row row = ledger_row(store, XT_LEDGER_HOLD, hold->id, &note);
    if (r == 0)
        r = xt_buf_done(&note);
    if (r == 0)
        r = xt_pending_put_hold(pending, hold, reterr_problem);
    if (r == 0)
        r = xt_pending_put_ledger(pending, &row, reterr_problem);
    if (r == 0)
        r = xt_pending_commit(pending, reterr_problem);
    if (r < 0)
        xt_pending_rollback(pending);
    return r;
}

int xt_store_hold_add(xt_store *store, xt_slice query, xt_slice reason, xt_slice who, uint64_t *ret_id,
                      xt_problem *reterr_problem)
{
    xt_pending_hold hold = {.query = query, .reason = reason, .who = who};

    /* A retirement under way that does not know of it finds the count changed, and is not committed. */
    pthread_mutex_lock(&store->write_lock);
    int r = add_locked(store, &hold, reterr_problem);
    atomic_fetch_add(&store->n_hold_changes, r == 0);
    pthread_mutex_unlock(&store->write_lock);
    if (r == 0)
        *ret_id = hold.id;
    return r;
}

static int remove_locked(xt_store *store, hold_find *find, xt_problem *reterr_problem)
{
    xt_pending *pending = store->pending;
    int r = xt_pending_each_hold(pending, on_hold, find, reterr_problem);

    if (r == 0 && !find->found) {
        xt_problem_set(reterr_problem, "there is no hold %llu", (unsigned long long)find->id);
        return XT_STORE_E_UNKNOWN;
    }
    if (r == 0)
        r = xt_buf_done(&find->note);
    if (r < 0)
        return xt_error_trace(r);
    xt_ledger_row row = ledger_row(store, XT_LEDGER_RELEASED, find->id, &find->note);
    r = xt_pending_begin(pending, reterr_problem);
    if (r == 0)
        r = xt_pending_drop_hold(pending, find->id, reterr_problem);
    if (r == 0)
        r = xt_pending_put_ledger(pending, &row, reterr_problem);
    if (r == 0)
        r = xt_pending_commit(pending, reterr_problem);
    if (r < 0)
        xt_pending_rollback(pending);
    return r;
}

int xt_store_hold_remove(xt_store *store, uint64_t id, xt_slice who, xt_problem *reterr_problem)
{
    hold_find find = {.id = id, .who = who};

    pthread_mutex_lock(&store->write_lock);
    int r = remove_locked(store, &find, reterr_problem);
    atomic_fetch_add(&store->n_hold_changes, r == 0);
    pthread_mutex_unlock(&store->write_lock);
    xt_buf_fini(&find.note);
    return r;
}

typedef struct hold_context {
    int (*fn)(void *context, const xt_store_hold *hold);
    void *context;
} hold_context;

static int hand_on(void *context, const xt_pending_hold *hold)
{
    const hold_context *c = context;
    xt_store_hold h = {hold->id, hold->at_ms, hold->query, hold->reason, hold->who};

    return c->fn(c->context, &h);
}

int xt_store_each_hold(xt_store *store, int (*fn)(void *context, const xt_store_hold *hold), void *context,
                       xt_problem *reterr_problem)
{
    hold_context c = {fn, context};

    pthread_mutex_lock(&store->write_lock);
    int r = xt_pending_each_hold(store->pending, hand_on, &c, reterr_problem);
    pthread_mutex_unlock(&store->write_lock);
    return r;
}

unsigned xt_store_hold_changes(const xt_store *store)
{
    return atomic_load(&store->n_hold_changes);
}

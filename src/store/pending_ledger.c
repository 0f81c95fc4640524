/*
 * The ledger says what was received and what became of it. A row's chain is the SHA-256 of the chain before it and of
 * its own values, so that a row taken out, put in or changed breaks every later link.
 */
#include "store/pending_private.h"

static int ledger_chain(const xt_digest *before, uint64_t id, const xt_ledger_row *row, xt_digest *ret)
{
    char bytes[256];
    xt_buf buf = XT_BUF_ON(bytes);
    xt_digest note = {{0}};
    int r = row->note.n ? xt_digest_of(row->note, &note) : 0;

    xt_buf_put(&buf, xt_slice_of(before->b, sizeof before->b));
    xt_buf_put_u64(&buf, id);
    xt_buf_put_u64(&buf, row->kind);
    xt_buf_put_u64(&buf, (uint64_t)row->at_ms);
    xt_buf_put_u64(&buf, row->n_events);
    xt_buf_put_u64(&buf, row->first_arrival);
    xt_buf_put(&buf, xt_slice_of(row->subject.b, sizeof row->subject.b));
    xt_buf_put_u64(&buf, row->first);
    xt_buf_put_u64(&buf, row->last);
    xt_buf_put(&buf, xt_slice_of(row->hash.b, sizeof row->hash.b));
    xt_buf_put(&buf, xt_slice_of(row->digest.b, sizeof row->digest.b));
    xt_buf_put(&buf, xt_slice_of(note.b, sizeof note.b));
    return r < 0 ? xt_error_trace(r) : xt_digest_of(xt_buf_slice(&buf), ret);
}

int xt_pending_put_ledger(xt_pending *pending, const xt_ledger_row *row, xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = pending->stmts[XT_PENDING_PUT_LEDGER];
    uint64_t id = pending->now.head.id + 1;
    xt_digest chain;
    int r = ledger_chain(&pending->now.head.chain, id, row, &chain);

    if (r < 0)
        return xt_error_trace(r);
    xt_pending_bind_u64(stmt, 1, id);
    xt_pending_bind_u64(stmt, 2, row->kind);
    sqlite3_bind_int64(stmt, 3, row->at_ms);
    xt_pending_bind_u64(stmt, 4, row->n_events);
    xt_pending_bind_u64(stmt, 5, row->first_arrival);
    xt_pending_bind_hash(stmt, 6, &row->subject);
    xt_pending_bind_u64(stmt, 7, row->first);
    xt_pending_bind_u64(stmt, 8, row->last);
    xt_pending_bind_hash(stmt, 9, &row->hash);
    sqlite3_bind_blob(stmt, 10, row->digest.b, sizeof row->digest.b, SQLITE_STATIC);
    xt_sqlite_bind_slice(stmt, 11, row->note.n ? row->note : XT_S(""));
    sqlite3_bind_blob(stmt, 12, chain.b, sizeof chain.b, SQLITE_STATIC);
    r = xt_pending_run(pending, XT_PENDING_PUT_LEDGER, "writing the ledger", reterr_problem);
    if (r == 0) {
        if (row->kind == XT_LEDGER_RECEIVED)
            pending->now.marks.last_arrival = row->first_arrival + row->n_events - 1;
        pending->now.head = (xt_ledger_head){id, chain};
    }
    return r;
}

typedef struct ledger_context {
    int (*fn)(void *context, const xt_ledger_head *at, const xt_ledger_row *row, bool chained);
    void *context;
    xt_ledger_head before;
} ledger_context;

static int on_ledger(void *context, sqlite3_stmt *stmt)
{
    ledger_context *c = context;
    uint64_t id = xt_pending_column_u64(stmt, 0);
    xt_ledger_row row = {
        .kind = (xt_ledger_kind)sqlite3_column_int(stmt, 1),
        .at_ms = sqlite3_column_int64(stmt, 2),
        .n_events = xt_pending_column_u64(stmt, 3),
        .first_arrival = xt_pending_column_u64(stmt, 4),
        .subject = xt_pending_column_hash(stmt, 5),
        .first = xt_pending_column_u64(stmt, 6),
        .last = xt_pending_column_u64(stmt, 7),
        .hash = xt_pending_column_hash(stmt, 8),
        .digest = xt_pending_column_digest(stmt, 9),
        .note = xt_sqlite_slice(stmt, 10),
    };
    xt_ledger_head at = {id, xt_pending_column_digest(stmt, 11)};
    xt_digest chain;
    int r = ledger_chain(&c->before.chain, id, &row, &chain);
    if (r < 0)
        return xt_error_trace(r);
    bool chained = id == c->before.id + 1 && memcmp(chain.b, at.chain.b, sizeof chain.b) == 0;

    c->before = at;
    return c->fn(c->context, &at, &row, chained);
}

int xt_pending_each_ledger(xt_pending *pending,
                           int (*fn)(void *context, const xt_ledger_head *at, const xt_ledger_row *row, bool chained),
                           void *context, xt_problem *reterr_problem)
{
    ledger_context c = {.fn = fn, .context = context};
    return xt_pending_select(
        pending,
        "SELECT id, kind, at_ms, n_events, first_arrival, subject, first, last, hash, digest, note, chain"
        " FROM ledger ORDER BY id",
        NULL, on_ledger, &c, reterr_problem);
}

typedef struct erased_context {
    int (*fn)(void *context, uint64_t id, const xt_ledger_row *row);
    void *context;
} erased_context;

static int on_erased(void *context, sqlite3_stmt *stmt)
{
    const erased_context *c = context;
    xt_ledger_row row = {
        .kind = XT_LEDGER_ERASED,
        .at_ms = sqlite3_column_int64(stmt, 1),
        .n_events = xt_pending_column_u64(stmt, 2),
        .first_arrival = xt_pending_column_u64(stmt, 3),
        .first = xt_pending_column_u64(stmt, 4),
        .last = xt_pending_column_u64(stmt, 5),
        .note = xt_sqlite_slice(stmt, 6),
    };
    return c->fn(c->context, xt_pending_column_u64(stmt, 0), &row);
}

int xt_pending_each_erased(xt_pending *pending, int (*fn)(void *context, uint64_t id, const xt_ledger_row *row),
                           void *context, xt_problem *reterr_problem)
{
    erased_context c = {fn, context};
    return xt_pending_select(
        pending, "SELECT id, at_ms, n_events, first_arrival, first, last, note FROM ledger WHERE kind = 10 ORDER BY id",
        NULL, on_erased, &c, reterr_problem);
}

typedef struct replaced_context {
    xt_hash128 hash;
    bool found;
} replaced_context;

static int on_replaced(void *context, sqlite3_stmt *stmt)
{
    replaced_context *c = context;

    c->found |= xt_hash128_eq(xt_pending_column_hash(stmt, 0), c->hash);
    return 0;
}

int xt_pending_was_replaced(xt_pending *pending, uint64_t id, xt_hash128 hash, bool *ret, xt_problem *reterr_problem)
{
    replaced_context c = {.hash = hash};
    int64_t bound = (int64_t)id;
    int r = xt_pending_select(pending, "SELECT hash FROM ledger WHERE kind IN (3, 5) AND first = ?1", &bound,
                              on_replaced, &c, reterr_problem);

    if (r == 0)
        *ret = c.found;
    return r;
}

typedef struct sealed_context {
    uint64_t id, n_rows;
    bool found;
} sealed_context;

static int on_sealed(void *context, sqlite3_stmt *stmt)
{
    sealed_context *c = context;

    c->found |= xt_pending_column_u64(stmt, 0) != c->id && xt_pending_column_u64(stmt, 1) >= c->n_rows;
    return 0;
}

int xt_pending_was_sealed_anew(xt_pending *pending, uint64_t id, uint64_t first_arrival, uint64_t n_rows, bool *ret,
                               xt_problem *reterr_problem)
{
    sealed_context c = {.id = id, .n_rows = n_rows};
    int64_t bound = (int64_t)first_arrival;
    int r = xt_pending_select(pending, "SELECT first, n_events FROM ledger WHERE kind = 2 AND first_arrival = ?1",
                              &bound, on_sealed, &c, reterr_problem);

    if (r == 0)
        *ret = c.found;
    return r;
}

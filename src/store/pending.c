/*
 * SQLite keeps what changes; what never changes is in segments. Ids of rows and segments are given by us and not by
 * SQLite, which would use the ids of deleted rows again. Marks and the ledger's head are held in memory beside the
 * tables, and go back with a transaction that is rolled back.
 *
 * A ledger row's chain is the SHA-256 of the chain before it and of the row's own values, so that a row taken out, put
 * in or changed breaks every later link.
 */
#include "store/pending.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "io/sqlite/sqlite_copy.h"

static const xt_sqlite_migration migrations[] = {
    {1, "CREATE TABLE marks(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE pending(id INTEGER PRIMARY KEY, stream BLOB NOT NULL, number INTEGER NOT NULL,"
        " n_events INTEGER NOT NULL, first_arrival INTEGER NOT NULL, received_ms INTEGER NOT NULL,"
        " codec INTEGER NOT NULL, checksum INTEGER NOT NULL, derived BLOB NOT NULL, frame BLOB NOT NULL);"
        "CREATE TABLE streams(stream BLOB PRIMARY KEY, host_id TEXT, number INTEGER NOT NULL, hash BLOB NOT NULL,"
        " sealed_number INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
        "CREATE TABLE segments(id INTEGER PRIMARY KEY, n_rows INTEGER NOT NULL, first_arrival INTEGER NOT NULL,"
        " last_arrival INTEGER NOT NULL, min_ms INTEGER NOT NULL, max_ms INTEGER NOT NULL, bytes INTEGER NOT NULL,"
        " made_ms INTEGER NOT NULL, hash BLOB NOT NULL);"
        "CREATE TABLE ledger(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
        " n_events INTEGER NOT NULL, first_arrival INTEGER NOT NULL, subject BLOB NOT NULL, first INTEGER NOT NULL,"
        " last INTEGER NOT NULL, hash BLOB NOT NULL, digest BLOB NOT NULL, note TEXT NOT NULL, chain BLOB NOT NULL);"
        "CREATE TABLE holds(id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, query TEXT NOT NULL,"
        " reason TEXT NOT NULL, who TEXT NOT NULL);"
        "INSERT INTO marks VALUES ('last_row', 0), ('next_segment', 1), ('sealed_arrival', 0), ('sealed_row', 0);"},
};

enum {
    PUT_ROW,
    PUT_STREAM,
    PUT_WATERMARK,
    PUT_LEDGER,
    PUT_SEGMENT,
    DELETE_SEGMENT,
    PUT_HOLD,
    DELETE_HOLD,
    PUT_MARK,
    SET_ASIDE,
    DELETE_ROWS,
    N_STATEMENTS
};

static const char *const statements[N_STATEMENTS] = {
    [PUT_ROW] = "INSERT INTO pending(id, stream, number, n_events, first_arrival, received_ms, codec, checksum,"
                " derived, frame) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [PUT_STREAM] = "INSERT INTO streams(stream, host_id, number, hash) VALUES (?1, ?2, ?3, ?4)"
                   " ON CONFLICT(stream) DO UPDATE SET host_id = ?2, number = ?3, hash = ?4",
    [PUT_WATERMARK] = "UPDATE streams SET sealed_number = ?2 WHERE stream = ?1",
    [PUT_LEDGER] = "INSERT INTO ledger(id, kind, at_ms, n_events, first_arrival, subject, first, last, hash, digest,"
                   " note, chain) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [PUT_SEGMENT] =
        "INSERT INTO segments(id, n_rows, first_arrival, last_arrival, min_ms, max_ms, bytes, made_ms, hash)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [DELETE_SEGMENT] = "DELETE FROM segments WHERE id = ?1",
    [PUT_HOLD] = "INSERT INTO holds(id, at_ms, query, reason, who) VALUES (?1, ?2, ?3, ?4, ?5)",
    [DELETE_HOLD] = "DELETE FROM holds WHERE id = ?1",
    [PUT_MARK] = "UPDATE marks SET value = ?2 WHERE name = ?1",
    [SET_ASIDE] = "UPDATE pending SET id = -id WHERE id = ?1",
    [DELETE_ROWS] = "DELETE FROM pending WHERE id > 0 AND id <= ?1",
};

#define KEEP_FREE_PAGES 1024 /* which the next batches take */

typedef struct pending_state {
    xt_pending_marks marks;
    xt_ledger_head head;
} pending_state;

struct xt_pending {
    sqlite3 *db;
    sqlite3_stmt *stmts[N_STATEMENTS];
    pending_state now, before; /* before: when the transaction began */
};

/* ------------------------------------------------------------------------------------------------ statements */

static void bind_hash(sqlite3_stmt *stmt, int i, const xt_hash128 *hash)
{
    sqlite3_bind_blob(stmt, i, hash->b, sizeof hash->b, SQLITE_STATIC);
}

static void bind_u64(sqlite3_stmt *stmt, int i, uint64_t v)
{
    sqlite3_bind_int64(stmt, i, (int64_t)v);
}

static uint64_t column_u64(sqlite3_stmt *stmt, int i)
{
    return (uint64_t)sqlite3_column_int64(stmt, i);
}

static xt_hash128 column_hash(sqlite3_stmt *stmt, int i)
{
    xt_slice s = xt_sqlite_slice(stmt, i);
    xt_hash128 hash = {{0}};

    if (s.n == sizeof hash.b)
        memcpy(hash.b, s.p, s.n);
    return hash;
}

/* Runs a statement that gives no rows. */
static int run(xt_pending *pending, int which, const char *doing, xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = pending->stmts[which];
    int rc = sqlite3_step(stmt);
    int r = xt_sqlite_error(pending->db, rc, doing, reterr_problem);

    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return r;
}

static xt_digest column_digest(sqlite3_stmt *stmt, int i)
{
    xt_slice s = xt_sqlite_slice(stmt, i);
    xt_digest digest = {{0}};

    if (s.n == sizeof digest.b)
        memcpy(digest.b, s.p, s.n);
    return digest;
}

typedef int (*row_fn)(void *context, sqlite3_stmt *stmt);

/* Calls fn for every row of a query; bound (may be NULL) is its parameter 1. */
static int each(xt_pending *pending, const char *sql, const int64_t *bound, row_fn fn, void *context,
                xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = NULL;
    int rc, r = xt_sqlite_prepare(pending->db, sql, &stmt, reterr_problem);

    if (r < 0)
        return xt_error_trace(r);
    if (bound)
        sqlite3_bind_int64(stmt, 1, *bound);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && r == 0)
        r = fn(context, stmt);
    if (r == 0)
        r = xt_sqlite_error(pending->db, rc, "reading pending.db", reterr_problem);
    sqlite3_finalize(stmt);
    return r;
}

/* ------------------------------------------------------------------------------------------------ open, close */

static int on_mark(void *context, sqlite3_stmt *stmt)
{
    xt_pending_marks *marks = context;
    xt_slice name = xt_sqlite_slice(stmt, 0);
    int64_t value = sqlite3_column_int64(stmt, 1);

    if (xt_slice_eq(name, XT_S("sealed_row")))
        marks->sealed_row = value;
    else if (xt_slice_eq(name, XT_S("last_row")))
        marks->last_row = value;
    else if (xt_slice_eq(name, XT_S("sealed_arrival")))
        marks->sealed_arrival = (uint64_t)value;
    else if (xt_slice_eq(name, XT_S("next_segment")))
        marks->next_segment = (uint64_t)value;
    return 0;
}

static int on_bounds(void *context, sqlite3_stmt *stmt)
{
    xt_pending_marks *marks = context;
    int64_t last = sqlite3_column_int64(stmt, 0), first = sqlite3_column_int64(stmt, 1);

    if (last > marks->last_row)
        marks->last_row = last;
    if (first < 0 && first >= -XT_PENDING_MAX_NUMBER && -first > marks->last_row)
        marks->last_row = -first;
    marks->n_damaged = column_u64(stmt, 2);
    return 0;
}

static int on_last_arrival(void *context, sqlite3_stmt *stmt)
{
    ((xt_pending_marks *)context)->last_arrival = column_u64(stmt, 0);
    return 0;
}

static int on_head(void *context, sqlite3_stmt *stmt)
{
    pending_state *state = context;

    state->head = (xt_ledger_head){column_u64(stmt, 0), column_digest(stmt, 1)};
    return 0;
}

/* What counting on from would never reach in earnest: so no number that is made from these overflows. */
static int marks_check(const xt_pending_marks *marks, const xt_ledger_head *head, xt_problem *reterr_problem)
{
    bool good = marks->sealed_row >= 0 && marks->sealed_row <= XT_PENDING_MAX_NUMBER && marks->last_row >= 0 &&
                marks->last_row <= XT_PENDING_MAX_NUMBER && marks->sealed_arrival <= XT_PENDING_MAX_NUMBER &&
                marks->last_arrival <= XT_PENDING_MAX_NUMBER && marks->next_segment >= 1 &&
                marks->next_segment <= XT_PENDING_MAX_NUMBER && head->id <= XT_PENDING_MAX_NUMBER;

    if (good)
        return 0;
    xt_problem_set(reterr_problem,
                   "pending.db is damaged: a number that counts rows, events or segments is out of range");
    xt_problem_hint(reterr_problem, "restore it from a backup");
    return xt_error_origin(-EBADMSG);
}

static int state_load(xt_pending *pending, xt_problem *reterr_problem)
{
    pending_state *now = &pending->now;
    int r = each(pending, "SELECT name, value FROM marks", NULL, on_mark, &now->marks, reterr_problem);

    if (r == 0)
        r = each(pending, /* each by the tree of ids alone; both in one select would read all rows */
                 "SELECT (SELECT max(id) FROM pending), (SELECT min(id) FROM pending),"
                 " (SELECT count(*) FROM pending WHERE id < 0)",
                 NULL, on_bounds, &now->marks, reterr_problem);
    if (r == 0)
        r = each(pending, "SELECT id, chain FROM ledger ORDER BY id DESC LIMIT 1", NULL, on_head, now, reterr_problem);
    if (r == 0)
        r = each(pending, "SELECT first_arrival + n_events - 1 FROM ledger WHERE kind = 1 ORDER BY id DESC LIMIT 1",
                 NULL, on_last_arrival, &now->marks, reterr_problem);
    if (now->marks.last_row < now->marks.sealed_row)
        now->marks.last_row = now->marks.sealed_row;
    return r == 0 ? marks_check(&now->marks, &now->head, reterr_problem) : r;
}

int xt_pending_open(const char *path, xt_pending **ret, xt_problem *reterr_problem)
{
    xt_pending *pending = calloc(1, sizeof *pending);

    if (!pending)
        return xt_error_origin(-ENOMEM);
    int r = xt_sqlite_open(path, migrations, XT_COUNT_OF(migrations), &pending->db, reterr_problem);
    if (r == XT_SQLITE_E_NEWER)
        r = XT_PENDING_E_NEWER;
    /* A log of 4,096 pages is checkpointed by the commit that fills it: batches are written twice, in bigger pieces. */
    if (r == 0)
        r = xt_sqlite_exec(pending->db, "PRAGMA wal_autocheckpoint = 4096; PRAGMA journal_size_limit = 67108864;",
                           reterr_problem);
    for (int i = 0; i < N_STATEMENTS && r == 0; i++)
        r = xt_sqlite_prepare(pending->db, statements[i], &pending->stmts[i], reterr_problem);
    if (r == 0)
        r = state_load(pending, reterr_problem);
    if (r != 0) {
        xt_pending_close(pending);
        return r;
    }
    *ret = pending;
    return 0;
}

static int open_to_read(const char *path, int (*open)(const char *path, sqlite3 **ret, xt_problem *reterr_problem),
                        xt_pending **ret, xt_problem *reterr_problem)
{
    xt_pending *pending = calloc(1, sizeof *pending);

    if (!pending)
        return xt_error_origin(-ENOMEM);
    int r = open(path, &pending->db, reterr_problem);
    if (r == 0)
        r = state_load(pending, reterr_problem);
    if (r != 0) {
        xt_pending_close(pending);
        return r;
    }
    *ret = pending;
    return 0;
}

int xt_pending_open_snapshot(const char *path, xt_pending **ret, xt_problem *reterr_problem)
{
    return open_to_read(path, xt_sqlite_open_snapshot, ret, reterr_problem);
}

int xt_pending_open_still(const char *path, xt_pending **ret, xt_problem *reterr_problem)
{
    return open_to_read(path, xt_sqlite_open_still, ret, reterr_problem);
}

xt_ledger_head xt_pending_head(const xt_pending *pending)
{
    return pending->now.head;
}

sqlite3 *xt_pending_db(xt_pending *pending)
{
    return pending->db;
}

xt_pending *xt_pending_close(xt_pending *pending)
{
    if (pending) {
        for (int i = 0; i < N_STATEMENTS; i++)
            sqlite3_finalize(pending->stmts[i]);
        xt_sqlite_close(pending->db);
        free(pending);
    }
    return NULL;
}

xt_pending_marks xt_pending_marks_get(const xt_pending *pending)
{
    return pending->now.marks;
}

/* ------------------------------------------------------------------------------------------------ transactions */

int xt_pending_begin(xt_pending *pending, xt_problem *reterr_problem)
{
    pending->before = pending->now;
    return xt_sqlite_exec(pending->db, "BEGIN IMMEDIATE", reterr_problem);
}

int xt_pending_commit(xt_pending *pending, xt_problem *reterr_problem)
{
    return xt_sqlite_exec(pending->db, "COMMIT", reterr_problem);
}

void xt_pending_rollback(xt_pending *pending)
{
    if (!sqlite3_get_autocommit(pending->db))
        sqlite3_exec(pending->db, "ROLLBACK", NULL, NULL, NULL);
    pending->now = pending->before;
}

/* ------------------------------------------------------------------------------------------------ putting */

static uint64_t row_checksum(const xt_pending_row *row)
{
    char head[64];
    xt_buf buf = XT_BUF_ON(head);

    xt_buf_put(&buf, xt_slice_of(row->stream.b, sizeof row->stream.b));
    xt_buf_put_u64(&buf, row->number);
    xt_buf_put_u64(&buf, row->n_events);
    xt_buf_put_u64(&buf, row->first_arrival);
    xt_buf_put_u32(&buf, row->codec);
    XXH64_hash_t h = XXH3_64bits(buf.p, buf.n);
    h = XXH3_64bits_withSeed(row->derived.p, row->derived.n, h);
    return XXH3_64bits_withSeed(row->frame.p, row->frame.n, h);
}

int xt_pending_put_row(xt_pending *pending, const xt_pending_row *row, xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = pending->stmts[PUT_ROW];

    sqlite3_bind_int64(stmt, 1, row->id);
    bind_hash(stmt, 2, &row->stream);
    bind_u64(stmt, 3, row->number);
    bind_u64(stmt, 4, row->n_events);
    bind_u64(stmt, 5, row->first_arrival);
    sqlite3_bind_int64(stmt, 6, row->received_ms);
    sqlite3_bind_int64(stmt, 7, row->codec);
    bind_u64(stmt, 8, row_checksum(row));
    xt_sqlite_bind_blob(stmt, 9, row->derived);
    xt_sqlite_bind_blob(stmt, 10, row->frame);
    int r = run(pending, PUT_ROW, "storing a batch", reterr_problem);
    if (r == 0)
        pending->now.marks.last_row = row->id;
    return r;
}

int xt_pending_put_stream(xt_pending *pending, const xt_pending_stream *stream, xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = pending->stmts[PUT_STREAM];

    bind_hash(stmt, 1, &stream->stream);
    xt_sqlite_bind_slice(stmt, 2, stream->host_id);
    bind_u64(stmt, 3, stream->number);
    bind_hash(stmt, 4, &stream->hash);
    return run(pending, PUT_STREAM, "storing a stream's number", reterr_problem);
}

int xt_pending_set_watermark(xt_pending *pending, xt_hash128 stream, uint64_t sealed_number, xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = pending->stmts[PUT_WATERMARK];

    bind_hash(stmt, 1, &stream);
    bind_u64(stmt, 2, sealed_number);
    return run(pending, PUT_WATERMARK, "storing a stream's watermark", reterr_problem);
}

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
    sqlite3_stmt *stmt = pending->stmts[PUT_LEDGER];
    uint64_t id = pending->now.head.id + 1;
    xt_digest chain;
    int r = ledger_chain(&pending->now.head.chain, id, row, &chain);

    if (r < 0)
        return xt_error_trace(r);
    bind_u64(stmt, 1, id);
    bind_u64(stmt, 2, row->kind);
    sqlite3_bind_int64(stmt, 3, row->at_ms);
    bind_u64(stmt, 4, row->n_events);
    bind_u64(stmt, 5, row->first_arrival);
    bind_hash(stmt, 6, &row->subject);
    bind_u64(stmt, 7, row->first);
    bind_u64(stmt, 8, row->last);
    bind_hash(stmt, 9, &row->hash);
    sqlite3_bind_blob(stmt, 10, row->digest.b, sizeof row->digest.b, SQLITE_STATIC);
    xt_sqlite_bind_slice(stmt, 11, row->note.n ? row->note : XT_S(""));
    sqlite3_bind_blob(stmt, 12, chain.b, sizeof chain.b, SQLITE_STATIC);
    r = run(pending, PUT_LEDGER, "writing the ledger", reterr_problem);
    if (r == 0) {
        if (row->kind == XT_LEDGER_RECEIVED)
            pending->now.marks.last_arrival = row->first_arrival + row->n_events - 1;
        pending->now.head = (xt_ledger_head){id, chain};
    }
    return r;
}

static int put_mark(xt_pending *pending, const char *name, uint64_t value, xt_problem *reterr_problem)
{
    xt_sqlite_bind_slice(pending->stmts[PUT_MARK], 1, xt_slice_str(name));
    bind_u64(pending->stmts[PUT_MARK], 2, value);
    return run(pending, PUT_MARK, "storing a mark", reterr_problem);
}

static int put_marks(xt_pending *pending, xt_problem *reterr_problem)
{
    const xt_pending_marks *marks = &pending->now.marks;
    int r = put_mark(pending, "sealed_row", (uint64_t)marks->sealed_row, reterr_problem);

    if (r == 0)
        r = put_mark(pending, "last_row", (uint64_t)marks->last_row, reterr_problem);
    if (r == 0)
        r = put_mark(pending, "sealed_arrival", marks->sealed_arrival, reterr_problem);
    if (r == 0)
        r = put_mark(pending, "next_segment", marks->next_segment, reterr_problem);
    return r;
}

static int put_segment(xt_pending *pending, const xt_pending_segment *segment, xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = pending->stmts[PUT_SEGMENT];

    bind_u64(stmt, 1, segment->id);
    bind_u64(stmt, 2, segment->n_rows);
    bind_u64(stmt, 3, segment->first_arrival);
    bind_u64(stmt, 4, segment->last_arrival);
    sqlite3_bind_int64(stmt, 5, segment->min_ms);
    sqlite3_bind_int64(stmt, 6, segment->max_ms);
    bind_u64(stmt, 7, segment->bytes);
    sqlite3_bind_int64(stmt, 8, segment->made_ms);
    bind_hash(stmt, 9, &segment->hash);
    int r = run(pending, PUT_SEGMENT, "adding a segment to the catalog", reterr_problem);
    if (r == 0 && pending->now.marks.next_segment <= segment->id)
        pending->now.marks.next_segment = segment->id + 1;
    return r;
}

int xt_pending_put_segment(xt_pending *pending, const xt_pending_segment *segment, int64_t sealed_row,
                           xt_problem *reterr_problem)
{
    int r = put_segment(pending, segment, reterr_problem);

    if (r < 0)
        return xt_error_trace(r);
    pending->now.marks.sealed_row = sealed_row;
    pending->now.marks.sealed_arrival = segment->last_arrival;
    return put_marks(pending, reterr_problem);
}

int xt_pending_drop_segment(xt_pending *pending, uint64_t id, xt_problem *reterr_problem)
{
    bind_u64(pending->stmts[DELETE_SEGMENT], 1, id);
    return run(pending, DELETE_SEGMENT, "taking a segment out of the catalog", reterr_problem);
}

int xt_pending_add_segment(xt_pending *pending, const xt_pending_segment *segment, xt_problem *reterr_problem)
{
    int r = put_segment(pending, segment, reterr_problem);

    return r == 0 ? put_marks(pending, reterr_problem) : r;
}

int xt_pending_replace_segments(xt_pending *pending, const uint64_t *ids, size_t n, const xt_pending_segment *merged,
                                xt_problem *reterr_problem)
{
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        r = xt_pending_drop_segment(pending, ids[i], reterr_problem);
    return r == 0 ? xt_pending_add_segment(pending, merged, reterr_problem) : r;
}

int xt_pending_put_hold(xt_pending *pending, const xt_pending_hold *hold, xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = pending->stmts[PUT_HOLD];

    bind_u64(stmt, 1, hold->id);
    sqlite3_bind_int64(stmt, 2, hold->at_ms);
    xt_sqlite_bind_slice(stmt, 3, hold->query);
    xt_sqlite_bind_slice(stmt, 4, hold->reason);
    xt_sqlite_bind_slice(stmt, 5, hold->who);
    return run(pending, PUT_HOLD, "storing a hold", reterr_problem);
}

int xt_pending_drop_hold(xt_pending *pending, uint64_t id, xt_problem *reterr_problem)
{
    bind_u64(pending->stmts[DELETE_HOLD], 1, id);
    return run(pending, DELETE_HOLD, "removing a hold", reterr_problem);
}

int xt_pending_set_aside(xt_pending *pending, int64_t id, xt_problem *reterr_problem)
{
    sqlite3_bind_int64(pending->stmts[SET_ASIDE], 1, id);
    int r = run(pending, SET_ASIDE, "setting a damaged batch aside", reterr_problem);
    if (r == 0)
        pending->now.marks.n_damaged++;
    return r;
}

/* ------------------------------------------------------------------------------------------------ deleting */

static int on_number(void *context, sqlite3_stmt *stmt)
{
    *(int64_t *)context = sqlite3_column_int64(stmt, 0);
    return 0;
}

int xt_pending_delete_sealed(xt_pending *pending, unsigned n, bool *ret_left, xt_problem *reterr_problem)
{
    int64_t first = 0, sealed = pending->now.marks.sealed_row;
    int r = each(pending, "SELECT id FROM pending WHERE id > 0 ORDER BY id LIMIT 1", NULL, on_number, &first,
                 reterr_problem);

    if (r < 0)
        return xt_error_trace(r);
    if (first == 0 || first > sealed) {
        *ret_left = false;
        return 0;
    }
    int64_t upto = sealed - first >= n ? first + n - 1 : sealed;
    sqlite3_bind_int64(pending->stmts[DELETE_ROWS], 1, upto);
    r = run(pending, DELETE_ROWS, "deleting sealed batches", reterr_problem);
    if (r == 0)
        *ret_left = upto < sealed;
    return r;
}

int xt_pending_checkpoint(xt_pending *pending, xt_problem *reterr_problem)
{
    sqlite3_busy_timeout(pending->db, 0); /* what a snapshot needs stays in the log: nobody waits for its end */
    int r = xt_sqlite_exec(pending->db, "PRAGMA wal_checkpoint(TRUNCATE)", reterr_problem);
    sqlite3_busy_timeout(pending->db, XT_SQLITE_BUSY_MS);
    return r;
}

int xt_pending_give_back(xt_pending *pending, unsigned n_pages, bool *ret_gave, xt_problem *reterr_problem)
{
    int64_t n_free = 0, n_all = 0;
    char sql[64];
    int r = each(pending, "PRAGMA freelist_count", NULL, on_number, &n_free, reterr_problem);

    if (r == 0)
        r = each(pending, "PRAGMA page_count", NULL, on_number, &n_all, reterr_problem);
    if (r < 0)
        return xt_error_trace(r);
    *ret_gave = n_free >= KEEP_FREE_PAGES && n_free >= n_all / 2;
    if (!*ret_gave)
        return 0;
    snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%u)", n_pages);
    return xt_sqlite_exec(pending->db, sql, reterr_problem);
}

int xt_pending_shrink(xt_pending *pending, xt_problem *reterr_problem)
{
    int r = xt_sqlite_exec(pending->db, "VACUUM", reterr_problem);

    return r == 0 ? xt_pending_checkpoint(pending, reterr_problem) : r;
}

/* ------------------------------------------------------------------------------------------------ reading */

typedef struct stream_context {
    int (*fn)(void *context, const xt_pending_stream *stream);
    void *context;
} stream_context;

static int on_stream(void *context, sqlite3_stmt *stmt)
{
    const stream_context *c = context;
    xt_pending_stream stream = {
        .stream = column_hash(stmt, 0),
        .host_id = xt_sqlite_slice(stmt, 1),
        .number = column_u64(stmt, 2),
        .hash = column_hash(stmt, 3),
        .sealed_number = column_u64(stmt, 4),
    };
    return c->fn(c->context, &stream);
}

int xt_pending_each_stream(xt_pending *pending, int (*fn)(void *context, const xt_pending_stream *stream),
                           void *context, xt_problem *reterr_problem)
{
    stream_context c = {fn, context};
    return each(pending, "SELECT stream, host_id, number, hash, sealed_number FROM streams", NULL, on_stream, &c,
                reterr_problem);
}

typedef struct segment_context {
    int (*fn)(void *context, const xt_pending_segment *segment);
    void *context;
} segment_context;

static int on_segment(void *context, sqlite3_stmt *stmt)
{
    const segment_context *c = context;
    xt_pending_segment segment = {
        .id = column_u64(stmt, 0),
        .n_rows = column_u64(stmt, 1),
        .first_arrival = column_u64(stmt, 2),
        .last_arrival = column_u64(stmt, 3),
        .min_ms = sqlite3_column_int64(stmt, 4),
        .max_ms = sqlite3_column_int64(stmt, 5),
        .bytes = column_u64(stmt, 6),
        .made_ms = sqlite3_column_int64(stmt, 7),
        .hash = column_hash(stmt, 8),
    };
    return c->fn(c->context, &segment);
}

int xt_pending_each_segment(xt_pending *pending, int (*fn)(void *context, const xt_pending_segment *segment),
                            void *context, xt_problem *reterr_problem)
{
    segment_context c = {fn, context};
    return each(pending,
                "SELECT id, n_rows, first_arrival, last_arrival, min_ms, max_ms, bytes, made_ms, hash FROM segments"
                " ORDER BY id",
                NULL, on_segment, &c, reterr_problem);
}

typedef struct row_context {
    int (*fn)(void *context, const xt_pending_row *row, bool intact);
    void *context;
} row_context;

static int on_row(void *context, sqlite3_stmt *stmt)
{
    const row_context *c = context;
    xt_pending_row row = {
        .id = sqlite3_column_int64(stmt, 0),
        .stream = column_hash(stmt, 1),
        .number = column_u64(stmt, 2),
        .n_events = column_u64(stmt, 3),
        .first_arrival = column_u64(stmt, 4),
        .received_ms = sqlite3_column_int64(stmt, 5),
        .codec = (uint32_t)sqlite3_column_int64(stmt, 6),
        .derived = xt_sqlite_slice(stmt, 8),
        .frame = xt_sqlite_slice(stmt, 9),
    };
    return c->fn(c->context, &row, row_checksum(&row) == column_u64(stmt, 7));
}

int xt_pending_each_row(xt_pending *pending, int (*fn)(void *context, const xt_pending_row *row, bool intact),
                        void *context, xt_problem *reterr_problem)
{
    row_context c = {fn, context};
    return each(pending,
                "SELECT id, stream, number, n_events, first_arrival, received_ms, codec, checksum, derived, frame"
                " FROM pending WHERE id > ?1 ORDER BY id",
                &pending->now.marks.sealed_row, on_row, &c, reterr_problem);
}

typedef struct ledger_context {
    int (*fn)(void *context, const xt_ledger_head *at, const xt_ledger_row *row, bool chained);
    void *context;
    xt_ledger_head before;
} ledger_context;

static int on_ledger(void *context, sqlite3_stmt *stmt)
{
    ledger_context *c = context;
    uint64_t id = column_u64(stmt, 0);
    xt_ledger_row row = {
        .kind = (xt_ledger_kind)sqlite3_column_int(stmt, 1),
        .at_ms = sqlite3_column_int64(stmt, 2),
        .n_events = column_u64(stmt, 3),
        .first_arrival = column_u64(stmt, 4),
        .subject = column_hash(stmt, 5),
        .first = column_u64(stmt, 6),
        .last = column_u64(stmt, 7),
        .hash = column_hash(stmt, 8),
        .digest = column_digest(stmt, 9),
        .note = xt_sqlite_slice(stmt, 10),
    };
    xt_ledger_head at = {id, column_digest(stmt, 11)};
    xt_digest chain;
    int r = ledger_chain(&c->before.chain, id, &row, &chain);
    if (r < 0)
        return xt_error_trace(r);
    bool chained = id == c->before.id + 1 && memcmp(chain.b, at.chain.b, sizeof chain.b) == 0;

    c->before = at;
    return c->fn(c->context, &at, &row, chained);
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
        .n_events = column_u64(stmt, 2),
        .first_arrival = column_u64(stmt, 3),
        .first = column_u64(stmt, 4),
        .last = column_u64(stmt, 5),
        .note = xt_sqlite_slice(stmt, 6),
    };
    return c->fn(c->context, column_u64(stmt, 0), &row);
}

int xt_pending_each_erased(xt_pending *pending, int (*fn)(void *context, uint64_t id, const xt_ledger_row *row),
                           void *context, xt_problem *reterr_problem)
{
    erased_context c = {fn, context};
    return each(pending,
                "SELECT id, at_ms, n_events, first_arrival, first, last, note FROM ledger WHERE kind = 10 ORDER BY id",
                NULL, on_erased, &c, reterr_problem);
}

typedef struct hold_context {
    int (*fn)(void *context, const xt_pending_hold *hold);
    void *context;
} hold_context;

static int on_hold(void *context, sqlite3_stmt *stmt)
{
    const hold_context *c = context;
    xt_pending_hold hold = {
        .id = column_u64(stmt, 0),
        .at_ms = sqlite3_column_int64(stmt, 1),
        .query = xt_sqlite_slice(stmt, 2),
        .reason = xt_sqlite_slice(stmt, 3),
        .who = xt_sqlite_slice(stmt, 4),
    };
    return c->fn(c->context, &hold);
}

int xt_pending_each_hold(xt_pending *pending, int (*fn)(void *context, const xt_pending_hold *hold), void *context,
                         xt_problem *reterr_problem)
{
    hold_context c = {fn, context};
    return each(pending, "SELECT id, at_ms, query, reason, who FROM holds ORDER BY id", NULL, on_hold, &c,
                reterr_problem);
}

typedef struct replaced_context {
    xt_hash128 hash;
    bool found;
} replaced_context;

static int on_replaced(void *context, sqlite3_stmt *stmt)
{
    replaced_context *c = context;

    c->found |= xt_hash128_eq(column_hash(stmt, 0), c->hash);
    return 0;
}

int xt_pending_was_replaced(xt_pending *pending, uint64_t id, xt_hash128 hash, bool *ret, xt_problem *reterr_problem)
{
    replaced_context c = {.hash = hash};
    int64_t bound = (int64_t)id;
    int r = each(pending, "SELECT hash FROM ledger WHERE kind IN (3, 5) AND first = ?1", &bound, on_replaced, &c,
                 reterr_problem);

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

    c->found |= column_u64(stmt, 0) != c->id && column_u64(stmt, 1) >= c->n_rows;
    return 0;
}

int xt_pending_was_sealed_anew(xt_pending *pending, uint64_t id, uint64_t first_arrival, uint64_t n_rows, bool *ret,
                               xt_problem *reterr_problem)
{
    sealed_context c = {.id = id, .n_rows = n_rows};
    int64_t bound = (int64_t)first_arrival;
    int r = each(pending, "SELECT first, n_events FROM ledger WHERE kind = 2 AND first_arrival = ?1", &bound, on_sealed,
                 &c, reterr_problem);

    if (r == 0)
        *ret = c.found;
    return r;
}

int xt_pending_each_ledger(xt_pending *pending,
                           int (*fn)(void *context, const xt_ledger_head *at, const xt_ledger_row *row, bool chained),
                           void *context, xt_problem *reterr_problem)
{
    ledger_context c = {.fn = fn, .context = context};
    return each(pending,
                "SELECT id, kind, at_ms, n_events, first_arrival, subject, first, last, hash, digest, note, chain"
                " FROM ledger ORDER BY id",
                NULL, on_ledger, &c, reterr_problem);
}

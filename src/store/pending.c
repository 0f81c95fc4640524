/*
 * SQLite keeps what changes; what never changes is in segments. Ids of rows and segments are given by us and not by
 * SQLite, which would use the ids of deleted rows again. Marks and the ledger's head are held in memory beside the
 * tables, and go back with a transaction that is rolled back. Here are the tables, opening, transactions and the
 * file's size; what stands in the tables is in pending_rows.c, pending_catalog.c and pending_ledger.c.
 */
#include "store/pending.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/sqlite/sqlite_copy.h"
#include "store/pending_private.h"

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

static const char *const statements[XT_PENDING_N_STATEMENTS] = {
    [XT_PENDING_PUT_ROW] =
        "INSERT INTO pending(id, stream, number, n_events, first_arrival, received_ms, codec, checksum,"
        " derived, frame) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [XT_PENDING_PUT_STREAM] = "INSERT INTO streams(stream, host_id, number, hash) VALUES (?1, ?2, ?3, ?4)"
                              " ON CONFLICT(stream) DO UPDATE SET host_id = ?2, number = ?3, hash = ?4",
    [XT_PENDING_PUT_WATERMARK] = "UPDATE streams SET sealed_number = ?2 WHERE stream = ?1",
    [XT_PENDING_PUT_LEDGER] =
        "INSERT INTO ledger(id, kind, at_ms, n_events, first_arrival, subject, first, last, hash, digest,"
        " note, chain) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [XT_PENDING_PUT_SEGMENT] =
        "INSERT INTO segments(id, n_rows, first_arrival, last_arrival, min_ms, max_ms, bytes, made_ms, hash)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [XT_PENDING_DELETE_SEGMENT] = "DELETE FROM segments WHERE id = ?1",
    [XT_PENDING_PUT_HOLD] = "INSERT INTO holds(id, at_ms, query, reason, who) VALUES (?1, ?2, ?3, ?4, ?5)",
    [XT_PENDING_DELETE_HOLD] = "DELETE FROM holds WHERE id = ?1",
    [XT_PENDING_PUT_MARK] = "UPDATE marks SET value = ?2 WHERE name = ?1",
    [XT_PENDING_SET_ASIDE] = "UPDATE pending SET id = -id WHERE id = ?1",
    [XT_PENDING_DELETE_ROWS] = "DELETE FROM pending WHERE id > 0 AND id <= ?1",
};

#define KEEP_FREE_PAGES 1024 /* which the next batches take */

/* ------------------------------------------------------------------------------------------------ statements */

void xt_pending_bind_hash(sqlite3_stmt *stmt, int i, const xt_hash128 *hash)
{
    sqlite3_bind_blob(stmt, i, hash->b, sizeof hash->b, SQLITE_STATIC);
}

void xt_pending_bind_u64(sqlite3_stmt *stmt, int i, uint64_t v)
{
    sqlite3_bind_int64(stmt, i, (int64_t)v);
}

uint64_t xt_pending_column_u64(sqlite3_stmt *stmt, int i)
{
    return (uint64_t)sqlite3_column_int64(stmt, i);
}

xt_hash128 xt_pending_column_hash(sqlite3_stmt *stmt, int i)
{
    xt_slice s = xt_sqlite_slice(stmt, i);
    xt_hash128 hash = {{0}};

    if (s.n == sizeof hash.b)
        memcpy(hash.b, s.p, s.n);
    return hash;
}

xt_digest xt_pending_column_digest(sqlite3_stmt *stmt, int i)
{
    xt_slice s = xt_sqlite_slice(stmt, i);
    xt_digest digest = {{0}};

    if (s.n == sizeof digest.b)
        memcpy(digest.b, s.p, s.n);
    return digest;
}

int xt_pending_run(xt_pending *pending, int which, const char *doing, xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = pending->stmts[which];
    int rc = sqlite3_step(stmt);
    int r = xt_sqlite_error(pending->db, rc, doing, reterr_problem);

    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return r;
}

int xt_pending_select(xt_pending *pending, const char *sql, const int64_t *bound, xt_pending_row_fn fn, void *context,
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
    marks->n_damaged = xt_pending_column_u64(stmt, 2);
    return 0;
}

static int on_last_arrival(void *context, sqlite3_stmt *stmt)
{
    ((xt_pending_marks *)context)->last_arrival = xt_pending_column_u64(stmt, 0);
    return 0;
}

static int on_head(void *context, sqlite3_stmt *stmt)
{
    xt_pending_state *state = context;

    state->head = (xt_ledger_head){xt_pending_column_u64(stmt, 0), xt_pending_column_digest(stmt, 1)};
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
    xt_pending_state *now = &pending->now;
    int r = xt_pending_select(pending, "SELECT name, value FROM marks", NULL, on_mark, &now->marks, reterr_problem);

    if (r == 0)
        r = xt_pending_select(pending, /* each by the tree of ids alone; both in one select would read all rows */
                              "SELECT (SELECT max(id) FROM pending), (SELECT min(id) FROM pending),"
                              " (SELECT count(*) FROM pending WHERE id < 0)",
                              NULL, on_bounds, &now->marks, reterr_problem);
    if (r == 0)
        r = xt_pending_select(pending, "SELECT id, chain FROM ledger ORDER BY id DESC LIMIT 1", NULL, on_head, now,
                              reterr_problem);
    if (r == 0)
        r = xt_pending_select(pending,
                              "SELECT first_arrival + n_events - 1 FROM ledger WHERE kind = 1 ORDER BY id DESC LIMIT 1",
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
    for (int i = 0; i < XT_PENDING_N_STATEMENTS && r == 0; i++)
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
        for (int i = 0; i < XT_PENDING_N_STATEMENTS; i++)
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

/* ------------------------------------------------------------------------------------------------ deleting */

static int on_number(void *context, sqlite3_stmt *stmt)
{
    *(int64_t *)context = sqlite3_column_int64(stmt, 0);
    return 0;
}

int xt_pending_delete_sealed(xt_pending *pending, unsigned n, bool *ret_left, xt_problem *reterr_problem)
{
    int64_t first = 0, sealed = pending->now.marks.sealed_row;
    int r = xt_pending_select(pending, "SELECT id FROM pending WHERE id > 0 ORDER BY id LIMIT 1", NULL, on_number,
                              &first, reterr_problem);

    if (r < 0)
        return xt_error_trace(r);
    if (first == 0 || first > sealed) {
        *ret_left = false;
        return 0;
    }
    int64_t upto = sealed - first >= n ? first + n - 1 : sealed;
    sqlite3_bind_int64(pending->stmts[XT_PENDING_DELETE_ROWS], 1, upto);
    r = xt_pending_run(pending, XT_PENDING_DELETE_ROWS, "deleting sealed batches", reterr_problem);
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
    int r = xt_pending_select(pending, "PRAGMA freelist_count", NULL, on_number, &n_free, reterr_problem);

    if (r == 0)
        r = xt_pending_select(pending, "PRAGMA page_count", NULL, on_number, &n_all, reterr_problem);
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

/*
 * What SQLite hands us from pending.db: values of the catalog, the ledger, the marks, the streams, the pending rows and
 * the holds, changed to anything. Whatever they are, the store opens or says why not; opened, it can be read, verified,
 * appended to, sealed, merged and retired from, and opened again. A change of the ledger is seen by verifying.
 *
 * The input is a list of changes to a store of one segment, one hold and two pending batches: u8 what is done, u8 which
 * column, u8 which row, u8 type of the value and its bytes.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MAX_CHANGES 6

typedef struct column {
    const char *table, *key, *name;
} column;

static const column columns[] = {
    {"marks", "name", "value"},
    {"marks", "name", "name"},
    {"segments", "id", "id"},
    {"segments", "id", "n_rows"},
    {"segments", "id", "first_arrival"},
    {"segments", "id", "last_arrival"},
    {"segments", "id", "min_ms"},
    {"segments", "id", "max_ms"},
    {"segments", "id", "bytes"},
    {"segments", "id", "made_ms"},
    {"segments", "id", "hash"},
    {"ledger", "id", "id"},
    {"ledger", "id", "kind"},
    {"ledger", "id", "at_ms"},
    {"ledger", "id", "n_events"},
    {"ledger", "id", "first_arrival"},
    {"ledger", "id", "subject"},
    {"ledger", "id", "first"},
    {"ledger", "id", "last"},
    {"ledger", "id", "hash"},
    {"ledger", "id", "digest"},
    {"ledger", "id", "note"},
    {"ledger", "id", "chain"},
    {"streams", "stream", "stream"},
    {"streams", "stream", "host_id"},
    {"streams", "stream", "number"},
    {"streams", "stream", "hash"},
    {"streams", "stream", "sealed_number"},
    {"pending", "id", "id"},
    {"pending", "id", "stream"},
    {"pending", "id", "number"},
    {"pending", "id", "n_events"},
    {"pending", "id", "first_arrival"},
    {"pending", "id", "received_ms"},
    {"pending", "id", "codec"},
    {"pending", "id", "checksum"},
    {"pending", "id", "derived"},
    {"pending", "id", "frame"},
    {"holds", "id", "id"},
    {"holds", "id", "at_ms"},
    {"holds", "id", "query"},
    {"holds", "id", "reason"},
    {"holds", "id", "who"},
};

/* What the ledger's rows mean to us: numbers as SQLite reads them, hashes of another length are none. */
#define AS_NUMBER(c) "CAST(" c " AS INTEGER)||','||"
#define AS_BYTES(c, n) \
    "CASE length(CAST(" c " AS BLOB)) WHEN " n " THEN hex(" c ") ELSE hex(zeroblob(" n ")) END||','||"
#define LEDGER_MEANING                                                                                        \
    "SELECT coalesce(group_concat(m), '') FROM (SELECT " AS_NUMBER("id") AS_NUMBER("kind") AS_NUMBER("at_ms") \
        AS_NUMBER("n_events") AS_NUMBER("first_arrival") AS_BYTES("subject", "16") AS_NUMBER("first")         \
            AS_NUMBER("last") AS_BYTES("hash", "16") AS_BYTES("digest", "32")                                 \
                AS_BYTES("chain", "32") "hex(CAST(note AS BLOB)) AS m FROM ledger ORDER BY id)"

/* ------------------------------------------------------------------------------------------------ folders */

static char root[64], origin[80], dir[80];

static void folder_empty(const char *path, bool remove)
{
    DIR *d = opendir(path);
    char sub[400];

    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(sub, sizeof sub, "%s/%s", path, e->d_name);
        if (unlink(sub) < 0)
            folder_empty(sub, true);
    }
    if (d)
        closedir(d);
    if (remove)
        rmdir(path);
}

static void file_copy(const char *from, const char *to)
{
    XT_CLEANUP(xt_buf_fini) xt_buf bytes = XT_BUF_INIT;
    int r = xt_vfs_read_file(&xt_vfs_system, from, SIZE_MAX, &bytes);
    assert(r == 0);
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert(fd >= 0);
    ssize_t put = write(fd, bytes.p, bytes.n);
    assert(put == (ssize_t)bytes.n);
    close(fd);
}

static void folder_restore(void)
{
    char from[200], to[200];

    folder_empty(dir, true);
    mkdir(dir, 0700);
    snprintf(to, sizeof to, "%s/segments", dir);
    mkdir(to, 0700);
    snprintf(from, sizeof from, "%s/pending.db", origin);
    snprintf(to, sizeof to, "%s/pending.db", dir);
    file_copy(from, to);
    snprintf(from, sizeof from, "%s/segments/0000000000000001.xts", origin);
    snprintf(to, sizeof to, "%s/segments/0000000000000001.xts", dir);
    file_copy(from, to);
}

static void root_remove(void)
{
    folder_empty(root, true);
}

/* ------------------------------------------------------------------------------------------------ the store */

/* A batch of three events, the number-th of stream 1. */
static int batch_append(xt_store *store, uint64_t number, xt_hash128 *chain, int *ret_outcome, xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf events = XT_BUF_INIT;
    xt_event event;

    for (uint64_t i = 0; i < 3; i++) {
        xt_event_reset(&event);
        xt_event_set_num(&event, XT_F_TIME, 1700000000000 + number * 10 + i);
        xt_event_set_num(&event, XT_F_PID, number * 3 + i);
        xt_event_set_bytes(&event, XT_F_CWD, i % 2 ? XT_S("/tmp") : XT_S("/root"));
        xt_event_batch_put(&events, &event);
    }
    xt_store_batch batch = {.stream = {{1}},
                            .number = number,
                            .n_events = 3,
                            .chain = *chain,
                            .hash = xt_slice_hash128(xt_buf_slice(&events)),
                            .host_id = XT_S("0123456789abcdef0123456789abcdef"),
                            .frame = xt_buf_slice(&events),
                            .events = xt_buf_slice(&events)};
    *chain = batch.hash;
    return xt_store_append(store, &batch, 1, ret_outcome, problem);
}

static void origin_make(void)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_hash128 chain = {{0}};
    xt_store *store = NULL;
    uint64_t hold;
    int outcome = -1;

    snprintf(root, sizeof root, "%s/xt-catalog-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    char *made = mkdtemp(root);
    assert(made);
    atexit(root_remove);
    snprintf(origin, sizeof origin, "%s/origin", root);
    snprintf(dir, sizeof dir, "%s/data", root);
    int r = xt_store_open(origin, NULL, &store, &problem);
    for (uint64_t number = 1; number <= 4 && r == 0; number++) {
        r = batch_append(store, number, &chain, &outcome, &problem);
        if (r == 0 && number == 2)
            r = xt_store_compact(store, &problem);
    }
    if (r == 0)
        r = xt_store_hold_add(store, XT_S("pid:1"), XT_S("case"), XT_S("me"), &hold, &problem);
    assert(r == 0);
    xt_store_close(store);
}

/* ------------------------------------------------------------------------------------------------ changes */

static void value_bind(sqlite3_stmt *stmt, int i, xt_reader *in)
{
    uint8_t type = xt_reader_u8(in);

    switch (type % 6) {
    case 0:
        sqlite3_bind_int64(stmt, i, (int64_t)xt_reader_u64(in));
        break;
    case 1:
        sqlite3_bind_int(stmt, i, (int8_t)xt_reader_u8(in));
        break;
    case 2:
        sqlite3_bind_double(stmt, i, (double)xt_reader_u64(in) / 3);
        break;
    case 3:
        sqlite3_bind_zeroblob(stmt, i, xt_reader_u8(in));
        break;
    default: {
        size_t n = xt_reader_u8(in);
        xt_slice bytes = xt_reader_bytes(in, n < xt_reader_left(in) ? n : xt_reader_left(in));
        if (type % 6 == 4)
            sqlite3_bind_text(stmt, i, bytes.n ? bytes.p : "", (int)bytes.n, SQLITE_TRANSIENT);
        else
            sqlite3_bind_blob(stmt, i, bytes.n ? bytes.p : "", (int)bytes.n, SQLITE_TRANSIENT);
    }
    }
}

static xt_slice meaning(sqlite3 *db, xt_arena *arena)
{
    sqlite3_stmt *stmt = NULL;
    xt_slice s = XT_S_NULL;

    sqlite3_prepare_v2(db, LEDGER_MEANING, -1, &stmt, NULL);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        s = xt_arena_copy(
            arena, xt_slice_of((const char *)sqlite3_column_text(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0)));
    sqlite3_finalize(stmt);
    return s;
}

/* What the schema refuses is not done. *ret_rows_changed: the ledger has others. */
static void change(sqlite3 *db, xt_reader *in, bool *ret_rows_changed)
{
    uint8_t what = xt_reader_u8(in);
    const column *c = &columns[xt_reader_u8(in) % XT_COUNT_OF(columns)];
    uint8_t row = xt_reader_u8(in);
    sqlite3_stmt *stmt = NULL;
    char sql[400];

    bool deletes = what % 8 >= 6;
    if (deletes)
        snprintf(sql, sizeof sql, "DELETE FROM %s WHERE %s = (SELECT %s FROM %s LIMIT 1 OFFSET ?2) OR %s = ?1",
                 c->table, c->key, c->key, c->table, c->name);
    else
        snprintf(sql, sizeof sql, "UPDATE OR IGNORE %s SET %s = ?1 WHERE %s = (SELECT %s FROM %s LIMIT 1 OFFSET ?2)",
                 c->table, c->name, c->key, c->key, c->table);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return;
    value_bind(stmt, 1, in);
    sqlite3_bind_int(stmt, 2, row % 8);
    sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    if (deletes && strcmp(c->table, "ledger") == 0)
        *ret_rows_changed = true;
}

/* Makes the changes; whether a value of the ledger's rows is another now. */
static bool changes_make(const uint8_t *data, size_t n)
{
    xt_reader in = xt_reader_of(xt_slice_of((const char *)data, n));
    bool rows_changed = false;
    char path[200];
    sqlite3 *db;
    xt_arena arena;

    xt_arena_init(&arena, (size_t)8 << 20);
    snprintf(path, sizeof path, "%s/pending.db", dir);
    int rc = sqlite3_open(path, &db);
    assert(rc == SQLITE_OK);
    sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
    xt_slice before = meaning(db, &arena);
    for (int i = 0; i < MAX_CHANGES && xt_reader_left(&in) > 3; i++)
        change(db, &in, &rows_changed);
    bool changed = !rows_changed && !xt_slice_eq(before, meaning(db, &arena));
    sqlite3_close(db);
    xt_arena_fini(&arena);
    return changed;
}

/* ------------------------------------------------------------------------------------------------ use */

static int choose_none(void *context, struct xt_scan *scan, uint64_t *const *masks, xt_problem *reterr_problem)
{
    return 0;
}

static int count_row(void *context, const xt_event *event, uint64_t arrival)
{
    ++*(uint64_t *)context;
    return 0;
}

static int count_hold(void *context, const xt_store_hold *hold)
{
    *(uint64_t *)context += hold->query.n + hold->reason.n + hold->who.n;
    return 0;
}

static void count_problem(void *context, const xt_problem *problem)
{
    assert(xt_problem_is_set(problem));
    ++*(uint64_t *)context;
}

static void named(int r, const xt_problem *problem)
{
    assert(r == 0 || r == -ENOMEM || xt_problem_is_set(problem));
}

/* max_rows: no event is there twice, and none that was not put there. */
static void look(xt_store *store, bool ledger_changed, uint64_t max_rows)
{
    xt_scan_spec spec = {.to_ms = XT_TIMESTAMP_MAX_MS};
    const xt_field_set all = {{~UINT64_C(0), ~UINT64_C(0)}};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_ledger_check check = {0};
    uint64_t n = 0, n_problems = 0;
    xt_store_stats stats;
    xt_store_room room;

    named(xt_scan_each(store, &spec, all, count_row, &n, NULL, &problem), &problem);
    assert(n <= max_rows);
    problem = XT_PROBLEM_INIT;
    int r = xt_store_verify(store, count_problem, &n_problems, &check, &problem);
    named(r, &problem);
    assert(r != 0 || !ledger_changed || (n_problems > 0 && !(check.chain_ok && check.counts_ok)));
    r = xt_store_stats_get(store, &stats);
    r = r ? r : xt_store_room_get(store, &room);
    assert(r == 0);
    problem = XT_PROBLEM_INIT;
    named(xt_store_each_hold(store, count_hold, &n, &problem), &problem);
}

static void work(xt_store *store)
{
    const xt_store_choice none = {choose_none, NULL};
    const xt_store_limits limits = {.max_bytes = 1};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_hash128 stream = {{1}}, chain;
    xt_retire_why why;
    uint64_t number;
    int outcome;

    int r = xt_store_stream_get(store, stream, &number, &chain);
    for (int i = 0; i < 2 && r == 0; i++)
        r = batch_append(store, ++number, &chain, &outcome, &problem);
    named(r, &problem);
    problem = XT_PROBLEM_INIT;
    named(xt_store_compact(store, &problem), &problem);
    problem = XT_PROBLEM_INIT;
    named(xt_store_retain(store, &limits, &none, &why, &problem), &problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!root[0])
        origin_make();
    folder_restore();
    bool ledger_changed = changes_make(data, n);
    for (int again = 0; again < 2; again++) {
        xt_problem problem = XT_PROBLEM_INIT;
        xt_store *store = NULL;
        int r = xt_store_open(dir, NULL, &store, &problem);
        named(r, &problem);
        if (r == 0) {
            look(store, ledger_changed, 12 + again * 6);
            work(store);
            look(store, ledger_changed, 18 + again * 6);
        }
        xt_store_close(store);
    }
    return 0;
}

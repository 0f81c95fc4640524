/*
 * A table as a user of SQLite would have it: types, no index while rows come in; indexes and full text are made at the
 * end. Many rows a transaction, synchronous as the bench asks of the others too.
 */
#include <errno.h>
#include <stdlib.h>

#include "columns.h"
#include "io/sqlite/sqlite_db.h"
#include "sink.h"

#define TRANSACTION_ROWS 100000

typedef struct table {
    xt_sink sink;
    sqlite3 *db;
    sqlite3_stmt *insert;
    xt_buf scratch;
    uint64_t n;
} table;

static const char index_sql[] = "CREATE INDEX by_time ON events(time);"
                                "CREATE INDEX by_host ON events(host, time);"
                                "CREATE INDEX by_user ON events(user, time);"
                                "CREATE INDEX by_exe ON events(exe, time);"
                                "CREATE VIRTUAL TABLE text USING fts5(cmd, content='events', tokenize='trigram',"
                                " detail='none');"
                                "INSERT INTO text(text) VALUES('rebuild');"
                                "ANALYZE;"
                                "PRAGMA wal_checkpoint(TRUNCATE);";

static int step(table *t)
{
    int rc = sqlite3_step(t->insert);
    sqlite3_reset(t->insert);
    return rc == SQLITE_DONE ? 0 : xt_error_origin(-EIO);
}

static int put(xt_sink *sink, unsigned host, const xt_event *event)
{
    table *t = (table *)sink;
    size_t from[64] = {0};
    xt_buf_reset(&t->scratch);
    for (unsigned i = 0; i < xt_event_n_columns; i++) {
        int64_t num = 0;
        from[i] = t->scratch.n;
        bool has = xt_event_column_get(event, &xt_event_columns[i], &t->scratch, &num);
        if (!has)
            sqlite3_bind_null(t->insert, (int)i + 1);
        else if (xt_event_columns[i].is_number)
            sqlite3_bind_int64(t->insert, (int)i + 1, num);
        else
            from[i] |= SIZE_MAX / 2 + 1;
    }
    from[xt_event_n_columns] = t->scratch.n;
    for (unsigned i = 0; i < xt_event_n_columns; i++) { /* the scratch memory stays where it is now */
        size_t begin = from[i] & SIZE_MAX / 2, end = from[i + 1] & SIZE_MAX / 2;
        if (from[i] != begin)
            sqlite3_bind_text(t->insert, (int)i + 1, t->scratch.p + begin, (int)(end - begin), SQLITE_STATIC);
    }
    int r = step(t);
    if (r == 0 && ++t->n % TRANSACTION_ROWS == 0)
        r = xt_sqlite_exec(t->db, "COMMIT; BEGIN", NULL);
    return r;
}

static int finish(xt_sink *sink, xt_problem *reterr_problem)
{
    table *t = (table *)sink;
    int r = xt_sqlite_exec(t->db, "COMMIT", reterr_problem);
    return r ? r : xt_sqlite_exec(t->db, index_sql, reterr_problem);
}

static void sink_free(xt_sink *sink)
{
    table *t = (table *)sink;
    sqlite3_finalize(t->insert);
    xt_sqlite_close(t->db);
    xt_buf_fini(&t->scratch);
    free(t);
}

static int make_table(table *t, xt_problem *reterr_problem)
{
    xt_buf create = XT_BUF_INIT, insert = XT_BUF_INIT;
    xt_buf_puts(&create, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-262144;"
                         "CREATE TABLE events(id INTEGER PRIMARY KEY");
    xt_buf_puts(&insert, "INSERT INTO events VALUES(NULL");
    for (unsigned i = 0; i < xt_event_n_columns; i++) {
        xt_buf_printf(&create, ",\"%s\" %s", xt_event_columns[i].name,
                      xt_event_columns[i].is_number ? "INTEGER" : "TEXT");
        xt_buf_puts(&insert, ",?");
    }
    xt_buf_puts(&create, "); BEGIN");
    xt_buf_puts(&insert, ")");
    xt_buf_putc(&create, '\0');
    xt_buf_putc(&insert, '\0');
    int r = xt_buf_done(&create) < 0 || xt_buf_done(&insert) < 0 ? -ENOMEM : 0;
    if (r == 0)
        r = xt_sqlite_exec(t->db, create.p, reterr_problem);
    if (r == 0)
        r = xt_sqlite_prepare(t->db, insert.p, &t->insert, reterr_problem);
    xt_buf_fini(&create);
    xt_buf_fini(&insert);
    return r;
}

int xt_sink_sqlite_open(const char *path, xt_sink **ret, xt_problem *reterr_problem)
{
    table *t = calloc(1, sizeof *t);
    if (!t)
        return xt_error_origin(-ENOMEM);
    t->sink = (xt_sink){put, finish, sink_free};
    int r = xt_sqlite_open(path, NULL, 0, &t->db, reterr_problem);
    if (r == 0)
        r = make_table(t, reterr_problem);
    if (r) {
        sink_free(&t->sink);
        return xt_error_fold(r);
    }
    *ret = &t->sink;
    return 0;
}

/*
 * io/sqlite - SQLite as this project uses it: one place for pragmas, statements and errors
 *
 * Errors:    <0 errno (SQLITE_FULL -ENOSPC, IOERR -EIO, NOMEM -ENOMEM, BUSY -EBUSY, CORRUPT -EBADMSG ...), with a problem.
 * Ownership: bound text and bytes are borrowed until the statement is reset or bound anew.
 * Threads:   one connection, one thread at a time.
 * Format:    WAL, synchronous FULL, foreign keys on; user_version numbers the schema, migrations run in order.
 */
#pragma once
#include <sqlite3.h>

#include "base/problem.h"

#define XT_SQLITE_BUSY_MS 5000 /* so long a statement waits for another process */

enum {
    XT_SQLITE_E_NEWER = 1, /* user_version is above the last migration: a later version wrote it */
};

typedef struct xt_sqlite_migration {
    int version;     /* from 1, ascending */
    const char *sql; /* brings version - 1 to version */
} xt_sqlite_migration;

/* Opens or makes the file (mode 0600) and migrates it; XT_SQLITE_E_NEWER. */
XT_MUST_USE int xt_sqlite_open(const char *path, const xt_sqlite_migration *migrations, size_t n, sqlite3 **ret,
                               xt_problem *reterr_problem);
sqlite3 *xt_sqlite_close(sqlite3 *db); /* accepts NULL, returns NULL */
/* 0 for OK, ROW and DONE; else the errno and a problem that says what was being done (db may be NULL). */
int xt_sqlite_error(sqlite3 *db, int rc, const char *doing, xt_problem *reterr_problem);
XT_MUST_USE int xt_sqlite_exec(sqlite3 *db, const char *sql, xt_problem *reterr_problem);
XT_MUST_USE int xt_sqlite_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, xt_problem *reterr_problem);
/*
 * Makes sure that nothing of what was deleted is left in the file or in its write-ahead log: both are written anew. -EBUSY:
 * another connection reads; the log may hold it still. Takes memory of the database's size.
 */
XT_MUST_USE int xt_sqlite_scrub(sqlite3 *db, xt_problem *reterr_problem);
void xt_sqlite_bind_slice(sqlite3_stmt *stmt, int i, xt_slice text); /* text; NULL when p is NULL */
void xt_sqlite_bind_blob(sqlite3_stmt *stmt, int i, xt_slice bytes);
/* Borrowed until the next step or reset. */
xt_slice xt_sqlite_slice(sqlite3_stmt *stmt, int i);

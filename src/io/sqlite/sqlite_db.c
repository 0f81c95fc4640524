/*
 * A database is opened with its pragmas, then brought to the newest schema, each migration in a transaction of its
 * own that also sets user_version: a kill between two leaves a database of the version it says.
 */
#include "io/sqlite/sqlite_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int errno_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EBADMSG;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_CANTOPEN:
        return -ENOENT;
    case SQLITE_TOOBIG:
        return -E2BIG;
    case SQLITE_CONSTRAINT:
        return -EEXIST;
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_ERROR:
        return -EINVAL;
    default:
        return -EIO;
    }
}

int xt_sqlite_error(sqlite3 *db, int rc, const char *doing, xt_problem *reterr_problem)
{
    int r = errno_of(rc);

    if (r == 0)
        return 0;
    const char *path = db ? sqlite3_db_filename(db, "main") : NULL;
    xt_problem_set(reterr_problem, "%s failed: %s", doing, db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
    if (path && path[0])
        xt_problem_source(reterr_problem, path);
    return xt_error_origin(r);
}

int xt_sqlite_exec(sqlite3 *db, const char *sql, xt_problem *reterr_problem)
{
    return xt_sqlite_error(db, sqlite3_exec(db, sql, NULL, NULL, NULL), "a database statement", reterr_problem);
}

int xt_sqlite_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);

    if (rc != SQLITE_OK)
        return xt_sqlite_error(db, rc, "preparing a database statement", reterr_problem);
    *ret = stmt;
    return 0;
}

static int version_get(sqlite3 *db, int *ret, xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = NULL;
    int r = xt_sqlite_prepare(db, "PRAGMA user_version", &stmt, reterr_problem);

    if (r < 0)
        return xt_error_trace(r);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *ret = sqlite3_column_int(stmt, 0);
    else
        r = xt_sqlite_error(db, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc, "reading the schema's version",
                            reterr_problem);
    sqlite3_finalize(stmt);
    return r;
}

static int migration_run(sqlite3 *db, const xt_sqlite_migration *migration, xt_problem *reterr_problem)
{
    char set_version[48];
    int r = xt_sqlite_exec(db, "BEGIN IMMEDIATE", reterr_problem);

    if (r < 0)
        return xt_error_trace(r);
    snprintf(set_version, sizeof set_version, "PRAGMA user_version = %d", migration->version);
    r = xt_sqlite_exec(db, migration->sql, reterr_problem);
    if (r == 0)
        r = xt_sqlite_exec(db, set_version, reterr_problem);
    if (r == 0)
        r = xt_sqlite_exec(db, "COMMIT", reterr_problem);
    if (r < 0 && !sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

static int migrate(sqlite3 *db, const xt_sqlite_migration *migrations, size_t n, xt_problem *reterr_problem)
{
    int version = 0, newest = n ? migrations[n - 1].version : 0;
    int r = version_get(db, &version, reterr_problem);

    if (r < 0)
        return xt_error_trace(r);
    if (version > newest) {
        xt_problem_set(reterr_problem, "the database has schema %d, this version knows %d", version, newest);
        xt_problem_source(reterr_problem, sqlite3_db_filename(db, "main"));
        xt_problem_hint(reterr_problem, "use the version that wrote it, or a later one");
        return XT_SQLITE_E_NEWER;
    }
    for (size_t i = 0; i < n; i++) {
        if (migrations[i].version <= version)
            continue;
        r = migration_run(db, &migrations[i], reterr_problem);
        if (r < 0)
            return xt_error_trace(r);
    }
    return 0;
}

static int set_up(sqlite3 *db, xt_problem *reterr_problem)
{
    int rc = sqlite3_extended_result_codes(db, 1);

    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(db, XT_SQLITE_BUSY_MS);
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db,
                          "PRAGMA auto_vacuum = INCREMENTAL;" /* before anything is in it, else without effect */
                          "PRAGMA journal_mode = WAL;"
                          "PRAGMA synchronous = FULL;"
                          "PRAGMA foreign_keys = ON;"
                          "PRAGMA trusted_schema = OFF;"
                          "PRAGMA temp_store = MEMORY;",
                          NULL, NULL, NULL);
    return xt_sqlite_error(db, rc, "opening the database", reterr_problem);
}

int xt_sqlite_open(const char *path, const xt_sqlite_migration *migrations, size_t n, sqlite3 **ret,
                   xt_problem *reterr_problem)
{
    sqlite3 *db = NULL;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); /* its other files get the mode of this one */
    if (fd >= 0)
        close(fd);
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    int r = xt_sqlite_error(db, rc, "opening the database", reterr_problem);

    if (r == 0)
        r = set_up(db, reterr_problem);
    if (r == 0)
        r = migrate(db, migrations, n, reterr_problem);
    if (r != 0) {
        sqlite3_close_v2(db);
        return r;
    }
    *ret = db;
    return 0;
}

sqlite3 *xt_sqlite_close(sqlite3 *db)
{
    sqlite3_close_v2(db);
    return NULL;
}

/* The pragma's row says whether it came to its end. */
static int log_truncate(sqlite3 *db, xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = NULL;
    bool busy = false;
    int r = xt_sqlite_prepare(db, "PRAGMA wal_checkpoint(TRUNCATE)", &stmt, reterr_problem);

    if (r < 0)
        return xt_error_trace(r);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        busy = sqlite3_column_int(stmt, 0) != 0;
    r = xt_sqlite_error(db, rc, "emptying the write-ahead log", reterr_problem);
    sqlite3_finalize(stmt);
    return r == 0 && busy ? -EBUSY : r;
}

int xt_sqlite_scrub(sqlite3 *db, xt_problem *reterr_problem)
{
    int r = xt_sqlite_exec(db, "VACUUM", reterr_problem);

    if (r < 0)
        return xt_error_trace(r);
    sqlite3_busy_timeout(db, 0); /* who waits is the caller, without his locks */
    r = log_truncate(db, reterr_problem);
    sqlite3_busy_timeout(db, XT_SQLITE_BUSY_MS);
    return r;
}

void xt_sqlite_bind_slice(sqlite3_stmt *stmt, int i, xt_slice text)
{
    if (text.p)
        sqlite3_bind_text64(stmt, i, text.p, text.n, SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_null(stmt, i);
}

void xt_sqlite_bind_blob(sqlite3_stmt *stmt, int i, xt_slice bytes)
{
    if (bytes.n)
        sqlite3_bind_blob64(stmt, i, bytes.p, bytes.n, SQLITE_STATIC);
    else
        sqlite3_bind_zeroblob(stmt, i, 0);
}

xt_slice xt_sqlite_slice(sqlite3_stmt *stmt, int i)
{
    const void *p = sqlite3_column_blob(stmt, i);

    return xt_slice_of(p, (size_t)sqlite3_column_bytes(stmt, i));
}

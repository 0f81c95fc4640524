/*
 * The copy is made in pieces, so that who asked for it can end it. It is written without a journal: a copy that is not
 * whole is thrown away.
 */
#include "io/sqlite/sqlite_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PAGES_A_STEP 256

int xt_sqlite_open_snapshot(const char *path, sqlite3 **ret, xt_problem *reterr_problem)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    int r = xt_sqlite_error(db, rc, "opening a database to be copied", reterr_problem);

    if (r == 0)
        r = xt_sqlite_exec(db, "BEGIN; SELECT count(*) FROM sqlite_schema;", reterr_problem);
    if (r < 0) {
        xt_sqlite_close(db);
        return xt_error_trace(r);
    }
    *ret = db;
    return 0;
}

int xt_sqlite_open_still(const char *path, sqlite3 **ret, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf uri = XT_BUF_INIT;
    sqlite3 *db = NULL;

    xt_buf_puts(&uri, "file:");
    for (const char *p = path; *p; p++)
        if (strchr("?#%", *p))
            xt_buf_printf(&uri, "%%%02X", (unsigned char)*p);
        else
            xt_buf_putc(&uri, *p);
    xt_buf_puts(&uri, "?immutable=1");
    xt_buf_putc(&uri, '\0');
    int r = xt_buf_done(&uri);
    if (r < 0)
        return xt_error_trace(r);
    int rc = sqlite3_open_v2(uri.p, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    r = xt_sqlite_error(db, rc, "opening the copy of a database", reterr_problem);
    if (r < 0) {
        xt_sqlite_close(db);
        return xt_error_trace(r);
    }
    *ret = db;
    return 0;
}

static int pages_copy(sqlite3_backup *backup, int page_bytes, int (*step)(void *context, uint64_t n_bytes),
                      void *context)
{
    int rc, left = -1;

    do {
        rc = sqlite3_backup_step(backup, PAGES_A_STEP);
        int before = left < 0 ? sqlite3_backup_pagecount(backup) : left;
        left = sqlite3_backup_remaining(backup);
        uint64_t n = before > left ? (uint64_t)(before - left) * (uint64_t)page_bytes : 0;
        if ((rc == SQLITE_OK || rc == SQLITE_DONE) && step && step(context, n) != 0)
            return SQLITE_INTERRUPT;
    } while (rc == SQLITE_OK);
    return rc;
}

static int page_bytes_of(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    int n = 0;

    if (sqlite3_prepare_v2(db, "PRAGMA page_size", -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
        n = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}

static int copy_to(sqlite3 *from, sqlite3 *to, int (*step)(void *context, uint64_t n_bytes), void *context,
                   xt_problem *reterr_problem)
{
    int r = xt_sqlite_exec(to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;", reterr_problem);

    if (r < 0)
        return xt_error_trace(r);
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    if (!backup)
        return xt_sqlite_error(to, sqlite3_errcode(to), "copying a database", reterr_problem);
    int rc = pages_copy(backup, page_bytes_of(from), step, context);
    sqlite3_backup_finish(backup);
    if (rc == SQLITE_INTERRUPT)
        return -ECANCELED;
    return rc == SQLITE_DONE ? 0 : xt_sqlite_error(to, rc, "copying a database", reterr_problem);
}

int xt_sqlite_copy(sqlite3 *from, const char *path, int (*step)(void *context, uint64_t n_bytes), void *context,
                   xt_problem *reterr_problem)
{
    sqlite3 *to = NULL;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0) {
        int r = -errno;
        xt_problem_set(reterr_problem, "the copy of a database cannot be made: %s", strerror(-r));
        xt_problem_source(reterr_problem, path);
        return xt_error_origin(r);
    }
    close(fd);
    int rc = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    int r = xt_sqlite_error(to, rc, "opening the copy of a database", reterr_problem);
    if (r == 0)
        r = copy_to(from, to, step, context, reterr_problem);
    rc = sqlite3_close(to);
    return r == 0 ? xt_sqlite_error(NULL, rc, "closing the copy of a database", reterr_problem) : r;
}

/*
 * io/sqlite/sqlite_copy - a database as it is in one moment, and a copy of it while others write on
 *
 * Errors:    <0 errno with a problem. -ECANCELED: step wanted no more.
 * Threads:   as io/sqlite/sqlite_db.h.
 * Source:    SQLite's online backup; of a source within a read transaction it copies what that transaction sees.
 */
#pragma once
#include "io/sqlite/sqlite_db.h"

/*
 * Another way into a database that this process has open: within a read transaction, which sees it as it is now. While
 * it is open the write-ahead log cannot begin anew.
 */
XT_MUST_USE int xt_sqlite_open_snapshot(const char *path, sqlite3 **ret, xt_problem *reterr_problem);
/* A database that nobody writes: nothing is locked, nothing is made beside it, whatever its folder allows. */
XT_MUST_USE int xt_sqlite_open_still(const char *path, sqlite3 **ret, xt_problem *reterr_problem);
/*
 * Writes a new file at path (mode 0600); it is not synced. After each piece step (may be NULL) is told how many bytes
 * were copied since the last; its non-zero ends it. A file that is not whole is left to the caller to remove.
 */
XT_MUST_USE int xt_sqlite_copy(sqlite3 *from, const char *path, int (*step)(void *context, uint64_t n_bytes),
                               void *context, xt_problem *reterr_problem);

#include <errno.h>

#include "io/sqlite/sqlite_db.h"
#include "store_fixture.h"

static const xt_sqlite_migration migrations[] = {
    {1, "CREATE TABLE t(a INTEGER, b BLOB, c TEXT);"},
    {2, "ALTER TABLE t ADD COLUMN d INTEGER; CREATE INDEX t_a ON t(a);"},
    {3, "CREATE TABLE broken("},
};

static int64_t number_of(sqlite3 *db, const char *sql)
{
    xt_problem problem = XT_PROBLEM_INIT;
    sqlite3_stmt *stmt = NULL;
    must(xt_sqlite_prepare(db, sql, &stmt, &problem), &problem);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t v = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return v;
}

static void migrations_run_once_and_in_order(void **state)
{
    char *dir = folder_new(), path[100];
    xt_problem problem = XT_PROBLEM_INIT;
    sqlite3 *db = NULL;

    snprintf(path, sizeof path, "%s/a.db", dir);
    must(xt_sqlite_open(path, migrations, 1, &db, &problem), &problem);
    assert_int_equal(number_of(db, "PRAGMA user_version"), 1);
    assert_int_equal(number_of(db, "PRAGMA synchronous"), 2);
    assert_int_equal(number_of(db, "PRAGMA foreign_keys"), 1);
    assert_int_equal(number_of(db, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"), 1);
    db = xt_sqlite_close(db);
    must(xt_sqlite_open(path, migrations, 2, &db, &problem), &problem);
    assert_int_equal(number_of(db, "PRAGMA user_version"), 2);
    must(xt_sqlite_exec(db, "INSERT INTO t(d) VALUES (5)", &problem), &problem);
    db = xt_sqlite_close(db);
    /* A migration that cannot run leaves the version before it. */
    assert_int_equal(xt_sqlite_open(path, migrations, 3, &db, &problem), -EINVAL);
    assert_true(xt_problem_is_set(&problem));
    assert_null(db);
    must(xt_sqlite_open(path, migrations, 2, &db, &problem), &problem);
    assert_int_equal(number_of(db, "SELECT d FROM t"), 5);
    db = xt_sqlite_close(db);
    assert_int_equal(xt_sqlite_open(path, migrations, 1, &db, &problem), XT_SQLITE_E_NEWER);
    assert_null(db);
    folder_drop(dir);
}

static void any_bytes_are_kept(void **state)
{
    char *dir = folder_new(), path[100];
    xt_problem problem = XT_PROBLEM_INIT;
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;

    snprintf(path, sizeof path, "%s/a.db", dir);
    must(xt_sqlite_open(path, migrations, 1, &db, &problem), &problem);
    must(xt_sqlite_prepare(db, "INSERT INTO t(a, b, c) VALUES (?, ?, ?)", &stmt, &problem), &problem);
    sqlite3_bind_int(stmt, 1, 1);
    xt_sqlite_bind_blob(stmt, 2, XT_S("a\0b"));
    xt_sqlite_bind_slice(stmt, 3, XT_S(""));
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_reset(stmt);
    xt_sqlite_bind_blob(stmt, 2, XT_S_NULL);
    xt_sqlite_bind_slice(stmt, 3, XT_S_NULL);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
    must(xt_sqlite_prepare(db, "SELECT b, c, c IS NULL FROM t ORDER BY rowid", &stmt, &problem), &problem);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_true(xt_slice_eq(xt_sqlite_slice(stmt, 0), XT_S("a\0b")));
    assert_int_equal(sqlite3_column_int(stmt, 2), 0);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(xt_sqlite_slice(stmt, 0).n, 0);
    assert_int_equal(sqlite3_column_int(stmt, 2), 1);
    sqlite3_finalize(stmt);
    assert_int_equal(xt_sqlite_exec(db, "no such thing", &problem), -EINVAL);
    assert_non_null(strstr(problem.sentence, "syntax"));
    assert_int_equal(xt_sqlite_error(NULL, SQLITE_FULL, "writing", &problem), -ENOSPC);
    assert_int_equal(xt_sqlite_error(NULL, SQLITE_IOERR_FSYNC, "writing", &problem), -EIO);
    assert_int_equal(xt_sqlite_error(NULL, SQLITE_DONE, "writing", &problem), 0);
    xt_sqlite_close(db);
    folder_drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(migrations_run_once_and_in_order),
        cmocka_unit_test(any_bytes_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

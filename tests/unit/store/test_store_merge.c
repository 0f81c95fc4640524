/* Merging: when it happens, what it leaves alone, what a kill may leave of it, and that verify sees all of it. */
#include <fcntl.h>
#include <sqlite3.h>

#include "store_fixture.h"

static int64_t now_ms = 1800000000000;

static int64_t clock_now(const xt_clock *clock)
{
    return now_ms;
}

static const xt_clock the_clock = {clock_now, clock_now, NULL};
static const xt_store_settings settings = {.clock = &the_clock};

typedef struct fixture {
    char *dir;
    xt_store *store;
    sender s;
    truth t;
} fixture;

static void begin(fixture *f, uint64_t seed)
{
    f->dir = folder_new();
    f->store = store_open(f->dir, &settings);
    sender_init(&f->s, seed);
    truth_init(&f->t);
}

static void end(fixture *f)
{
    xt_store_close(f->store);
    sender_fini(&f->s);
    truth_fini(&f->t);
    folder_drop(f->dir);
}

static void reopen(fixture *f)
{
    xt_store_close(f->store);
    f->store = store_open(f->dir, &settings);
}

static void seal_some(fixture *f, unsigned n_segments, uint64_t n_events)
{
    xt_problem problem = XT_PROBLEM_INIT;
    for (unsigned i = 0; i < n_segments; i++) {
        xt_store_batch batch = sender_next(&f->s, n_events, &f->t);
        assert_int_equal(append_one(f->store, &batch), 0);
        must(xt_store_seal(f->store, &problem), &problem);
    }
}

static bool merge(fixture *f)
{
    xt_problem problem = XT_PROBLEM_INIT;
    bool done = false;
    must(xt_store_merge_due(f->store, &done, &problem), &problem);
    return done;
}

/* All is there, in that many segments, nothing is damaged. */
static void must_be_whole(fixture *f, size_t n_segments)
{
    xt_scan_info info;
    assert_int_equal(truth_compare(&f->t, f->store, &info), f->t.n);
    assert_int_equal(info.n_segments, n_segments);
    assert_int_equal(info.n_damaged, 0);
}

static void count_problem(void *context, const xt_problem *problem)
{
    ++*(int *)context;
}

static int n_reported(fixture *f)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_ledger_check check;
    int n = 0;
    must(xt_store_verify(f->store, count_problem, &n, &check, &problem), &problem);
    assert_int_equal(check.chain_ok && check.counts_ok, n == 0);
    return n;
}

static char *file_of(const fixture *f, unsigned id, const char *suffix)
{
    char *path;
    assert_true(asprintf(&path, "%s/segments/%016x%s", f->dir, id, suffix) > 0);
    return path;
}

static void copy_file(const char *from, const char *to)
{
    xt_buf bytes = XT_BUF_INIT;
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, from, 1 << 30, &bytes), 0);
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, bytes.p, bytes.n), bytes.n);
    close(fd);
    xt_buf_fini(&bytes);
}

static void young_segments_are_left_alone(void **state)
{
    fixture f;
    begin(&f, 11);
    seal_some(&f, 8, 40);
    assert_false(merge(&f));
    must_be_whole(&f, 8);
    now_ms += 11 * 60 * 1000;
    seal_some(&f, 1, 40); /* a young one behind them */
    assert_true(merge(&f));
    must_be_whole(&f, 2);
    assert_false(merge(&f)); /* nothing that is worth it */
    assert_int_equal(n_reported(&f), 0);
    reopen(&f);
    must_be_whole(&f, 2);
    assert_int_equal(n_reported(&f), 0);
    end(&f);
}

/* What arrived after a moment is told exactly as long as it is not merged, and never left out. */
static int count_row(void *context, const xt_event *event, uint64_t arrival)
{
    ++*(size_t *)context;
    return 0;
}

static void the_tail_stays_exact(void **state)
{
    fixture f;
    xt_problem problem = XT_PROBLEM_INIT;
    size_t n = 0;
    begin(&f, 12);
    seal_some(&f, 8, 40);
    for (uint64_t after = 0; after <= 320; after += 17, n = 0) {
        xt_scan_spec spec = {.to_ms = XT_TIMESTAMP_MAX_MS, .after_arrival = after};
        must(xt_scan_each(f.store, &spec, ALL_FIELDS, count_row, &n, NULL, &problem), &problem);
        assert_int_equal(n, 320 - after);
    }
    now_ms += 11 * 60 * 1000;
    assert_true(merge(&f));
    seal_some(&f, 1, 40);
    xt_scan_spec spec = {.to_ms = XT_TIMESTAMP_MAX_MS, .after_arrival = 330};
    must(xt_scan_each(f.store, &spec, ALL_FIELDS, count_row, &n, NULL, &problem), &problem);
    assert_int_equal(n, 30);
    end(&f);
}

static void what_a_kill_leaves_is_put_right(void **state)
{
    fixture f;
    begin(&f, 13);
    seal_some(&f, 8, 30);
    char *input = file_of(&f, 3, ".xts"), *kept = file_of(&f, 3, ".kept");
    copy_file(input, kept);
    now_ms += 11 * 60 * 1000;
    assert_true(merge(&f));
    assert_int_equal(access(input, F_OK), -1);
    /* Killed before the inputs were unlinked. */
    assert_int_equal(rename(kept, input), 0);
    reopen(&f);
    must_be_whole(&f, 1);
    assert_int_equal(access(input, F_OK), -1);
    /* Killed before the merged file got its name; and a file that was not finished. */
    char *merged = file_of(&f, 9, ".xts"), *beside = file_of(&f, 9, ".tmp"), *other = file_of(&f, 10, ".tmp");
    copy_file(merged, other);
    assert_int_equal(rename(merged, beside), 0);
    reopen(&f);
    must_be_whole(&f, 1);
    assert_int_equal(access(beside, F_OK), -1);
    assert_int_equal(access(other, F_OK), -1);
    assert_int_equal(n_reported(&f), 0);
    free(input);
    free(kept);
    free(merged);
    free(beside);
    free(other);
    end(&f);
}

static void a_damaged_input_is_left_alone(void **state)
{
    fixture f;
    begin(&f, 14);
    seal_some(&f, 20, 30);
    char *path = file_of(&f, 2, ".xts");
    int fd = open(path, O_RDWR);
    char c;
    assert_int_equal(pread(fd, &c, 1, 60), 1);
    c ^= 1;
    assert_int_equal(pwrite(fd, &c, 1, 60), 1);
    close(fd);
    now_ms += 11 * 60 * 1000;
    for (int i = 0; i < 5; i++)
        (void)merge(&f);
    xt_scan_info info;
    assert_int_equal(truth_compare(&f.t, f.store, &info), f.t.n - 30);
    assert_true(info.n_segments < 20 && info.n_damaged == 1);
    assert_non_null(strstr(info.damaged, "0000000000000002.xts"));
    assert_true(access(path, F_OK) == 0);
    free(path);
    end(&f);
}

static void verify_holds_the_catalog_against_the_ledger(void **state)
{
    static const char *const changes[] = {
        "DELETE FROM segments WHERE id = 9",
        "UPDATE segments SET n_rows = n_rows + 1 WHERE id = 9",
        "UPDATE segments SET hash = zeroblob(16) WHERE id = 9",
        "CREATE TEMP TABLE t AS SELECT * FROM segments; UPDATE t SET id = 3; INSERT INTO segments SELECT * FROM t",
    };
    for (size_t i = 0; i < XT_COUNT_OF(changes); i++) {
        fixture f;
        char path[300];
        sqlite3 *db;
        begin(&f, 15);
        seal_some(&f, 8, 10);
        now_ms += 11 * 60 * 1000;
        assert_true(merge(&f));
        assert_int_equal(n_reported(&f), 0);
        f.store = xt_store_close(f.store);
        snprintf(path, sizeof path, "%s/pending.db", f.dir);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, changes[i], NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        f.store = store_open(f.dir, &settings);
        assert_true(n_reported(&f) > 0);
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(young_segments_are_left_alone),
        cmocka_unit_test(the_tail_stays_exact),
        cmocka_unit_test(what_a_kill_leaves_is_put_right),
        cmocka_unit_test(a_damaged_input_is_left_alone),
        cmocka_unit_test(verify_holds_the_catalog_against_the_ledger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

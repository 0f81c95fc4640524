/* What is damaged or strange in the folder is named, kept, and does not stand in the way of the rest. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>

#include "store_fixture.h"

static void sql(const char *dir, const char *text)
{
    char path[300];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/pending.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void append_some(xt_store *store, sender *s, truth *t, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        xt_store_batch batch = sender_next(s, 5, t);
        assert_int_equal(append_one(store, &batch), 0);
    }
}

static void a_damaged_batch_is_set_aside(void **state)
{
    char *dir = folder_new();
    xt_store *store = store_open(dir, NULL);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_scan_info info;
    sender s;
    truth t;

    truth_init(&t);
    sender_init(&s, 71);
    append_some(store, &s, &t, 4);
    xt_store_close(store);
    sql(dir, "UPDATE pending SET frame = zeroblob(length(frame)) WHERE id IN (2, 4)");
    for (int again = 0; again < 2; again++) {
        store = store_open(dir, NULL);
        assert_int_equal(truth_compare(&t, store, &info), t.n - 10); /* the others, under their own arrivals */
        assert_true(info.n_damaged >= 1);
        assert_non_null(strstr(info.damaged, "pending"));
        append_some(store, &s, &t, 1);
        assert_int_equal(truth_compare(&t, store, &info), t.n - 10);
        must(xt_store_compact(store, &problem), &problem);
        assert_int_equal(truth_compare(&t, store, &info), t.n - 10);
        xt_store_close(store);
    }
    sender_fini(&s);
    truth_fini(&t);
    folder_drop(dir);
}

static void count_problem(void *context, const xt_problem *problem)
{
    ++*(int *)context;
}

static int n_reported(const char *dir, xt_ledger_check *check)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_store *store = store_open(dir, NULL);
    int n = 0;
    must(xt_store_verify(store, count_problem, &n, check, &problem), &problem);
    xt_store_close(store);
    return n;
}

static void a_changed_ledger_is_seen(void **state)
{
    static const char *const changes[] = {
        "UPDATE ledger SET n_events = n_events + 1 WHERE id = 2",
        "DELETE FROM ledger WHERE id = 2",
        "UPDATE ledger SET hash = zeroblob(16) WHERE id = 3",
        "UPDATE ledger SET subject = zeroblob(16) WHERE id = 1",
        "UPDATE ledger SET id = 100 WHERE id = 3",
    };

    for (size_t i = 0; i < XT_COUNT_OF(changes); i++) {
        char *dir = folder_new();
        xt_store *store = store_open(dir, NULL);
        xt_problem problem = XT_PROBLEM_INIT;
        xt_ledger_check check;
        sender s;
        truth t;

        truth_init(&t);
        sender_init(&s, 72);
        append_some(store, &s, &t, 3);
        must(xt_store_seal(store, &problem), &problem);
        append_some(store, &s, &t, 3);
        xt_store_close(store);
        assert_int_equal(n_reported(dir, &check), 0);
        assert_int_equal(check.n_rows, 7);
        assert_int_equal(check.n_received, 30);
        assert_int_equal(check.n_sealed, 15);
        assert_int_equal(check.n_pending, 15);
        sql(dir, changes[i]);
        assert_true(n_reported(dir, &check) > 0);
        assert_false(check.chain_ok);
        sender_fini(&s);
        truth_fini(&t);
        folder_drop(dir);
    }
}

static void a_swapped_segment_is_seen(void **state)
{
    char *dir = folder_new(), *other = folder_new(), command[300];
    xt_problem problem = XT_PROBLEM_INIT;
    xt_scan_info info;
    sender s;
    truth t;

    truth_init(&t);
    for (int i = 0; i < 2; i++) {
        xt_store *store = store_open(i ? other : dir, NULL);
        sender_init(&s, 73 + (uint64_t)i);
        append_some(store, &s, i ? NULL : &t, 2);
        must(xt_store_seal(store, &problem), &problem);
        xt_store_close(store);
        sender_fini(&s);
    }
    snprintf(command, sizeof command, "%s/segments/0000000000000001.xts", other);
    char to[300];
    snprintf(to, sizeof to, "%s/segments/0000000000000001.xts", dir);
    assert_int_equal(rename(command, to), 0);
    xt_store *store = store_open(dir, NULL);
    assert_int_equal(truth_compare(&t, store, &info), 0);
    assert_int_equal(info.n_damaged, 1);
    xt_store_close(store);
    truth_fini(&t);
    folder_drop(dir);
    folder_drop(other);
}

/* Without its pending.db a folder still has its segments: they are not taken for leavings. */
static void segments_without_a_catalog_are_kept(void **state)
{
    char *dir = folder_new(), path[300];
    xt_store *store = store_open(dir, NULL);
    xt_problem problem = XT_PROBLEM_INIT;
    struct stat st;
    sender s;
    truth t;

    truth_init(&t);
    sender_init(&s, 75);
    append_some(store, &s, &t, 2);
    must(xt_store_compact(store, &problem), &problem);
    xt_store_close(store);
    const char *const gone[] = {"pending.db", "pending.db-wal", "pending.db-shm"};
    for (size_t i = 0; i < XT_COUNT_OF(gone); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, gone[i]);
        unlink(path);
    }
    store = store_open(dir, NULL);
    xt_store_stats stats;
    must(xt_store_stats_get(store, &stats), &problem);
    assert_int_equal(stats.n_damaged, 1);
    snprintf(path, sizeof path, "%s/segments/0000000000000001.xts.stray", dir);
    assert_int_equal(stat(path, &st), 0);
    xt_store_close(store);
    sender_fini(&s);
    truth_fini(&t);
    folder_drop(dir);
}

/* A store with one small segment and nothing pending; the segment's path. */
static char *small_store(const char *dir, truth *t)
{
    xt_store *store = store_open(dir, NULL);
    xt_problem problem = XT_PROBLEM_INIT;
    char *path;
    sender s;

    sender_init(&s, 41);
    for (int i = 0; i < 5; i++) {
        xt_store_batch batch = sender_next(&s, 3, t);
        assert_int_equal(append_one(store, &batch), 0);
    }
    must(xt_store_compact(store, &problem), &problem);
    xt_store_close(store);
    sender_fini(&s);
    assert_true(asprintf(&path, "%s/segments/0000000000000001.xts", dir) > 0);
    return path;
}

static void file_write(const char *path, xt_slice bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.p, bytes.n), bytes.n);
    close(fd);
}

/* The store opens, gives no wrong row, and names the segment. */
static void must_be_named(const char *dir, const truth *t, const char *what)
{
    xt_store *store = store_open(dir, NULL);
    xt_ledger_check check;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_scan_info info;

    truth_compare(t, store, &info);
    if (info.n_damaged != 1 || !strstr(info.damaged, "0000000000000001.xts"))
        fail_msg("%s is not named: %zu %s", what, (size_t)info.n_damaged, info.damaged);
    must(xt_store_verify(store, NULL, NULL, &check, &problem), &problem);
    xt_store_close(store);
}

/* Of a file's bytes and lengths every step-th is tried; XT_TORTURE=N: every one, with N of the eight bits of each byte. */
static void no_flipped_byte_goes_unseen(void **state)
{
    const char *given = getenv("XT_TORTURE");
    size_t n_bits = given ? strtoul(given, NULL, 10) : 1, step = given ? 1 : 37;
    char *dir = folder_new(), what[40];
    xt_buf file = XT_BUF_INIT;
    truth t;

    truth_init(&t);
    char *path = small_store(dir, &t);
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, 1 << 30, &file), 0);
    for (size_t at = 0; at < file.n; at += step)
        for (size_t bit = 0; bit < n_bits; bit++) {
            char mask = (char)(1 << (at + bit) % 8);
            file.p[at] ^= mask;
            file_write(path, xt_buf_slice(&file));
            snprintf(what, sizeof what, "byte %zu", at);
            must_be_named(dir, &t, what);
            file.p[at] ^= mask;
        }
    for (size_t n = 0; n < file.n; n += given ? 1 : 1 + file.n / 20) {
        file_write(path, xt_slice_head(xt_buf_slice(&file), n));
        snprintf(what, sizeof what, "length %zu", n);
        must_be_named(dir, &t, what);
    }
    unlink(path);
    must_be_named(dir, &t, "a missing file");
    file_write(path, xt_buf_slice(&file));
    xt_store *store = store_open(dir, NULL);
    assert_int_equal(truth_compare(&t, store, NULL), t.n);
    xt_store_close(store);
    if (given)
        fprintf(stderr, "%zu bytes, %zu bits of each, and each length: all named\n", file.n, n_bits);
    xt_buf_fini(&file);
    truth_fini(&t);
    free(path);
    folder_drop(dir);
}

static void a_later_version_is_refused(void **state)
{
    char *dir = folder_new();
    xt_store *store = NULL;
    xt_problem problem = XT_PROBLEM_INIT;

    xt_store_close(store_open(dir, NULL));
    sql(dir, "PRAGMA user_version = 99");
    assert_int_equal(xt_store_open(dir, NULL, &store, &problem), XT_STORE_E_NEWER);
    assert_true(xt_problem_is_set(&problem));
    folder_drop(dir);
}

static void derived_entries(void **state)
{
    xt_buf out = XT_BUF_INIT;
    xt_derived_writer writer = xt_derived_write_to(&out);
    xt_derived_reader reader;
    xt_event event;

    xt_event_reset(&event);
    xt_event_set_bytes(&event, XT_F_NOISE, XT_S("a"));
    xt_derived_put(&writer, 0, &event);
    xt_event_set_bytes(&event, XT_F_NOISE, XT_S("b"));
    xt_derived_put(&writer, 1, &event);
    xt_derived_put(&writer, 300, &event);
    assert_int_equal(xt_derived_read(xt_buf_slice(&out), &reader), 0);
    for (uint64_t i = 0; i < 302; i++) {
        xt_event_reset(&event);
        xt_event_set_num(&event, XT_F_PID, 1);
        assert_int_equal(xt_derived_apply(&reader, i, &event), 0);
        assert_int_equal(xt_event_has(&event, XT_F_NOISE), i < 2 || i == 300);
        assert_true(xt_event_has(&event, XT_F_PID));
    }
    assert_false(reader.ready);
    /* An entry that was passed over, a truncated one, another version. */
    assert_int_equal(xt_derived_read(xt_buf_slice(&out), &reader), 0);
    assert_true(xt_derived_apply(&reader, 1, &event) > 0);
    for (size_t n = 1; n < out.n; n++) {
        int r = xt_derived_read(xt_slice_head(xt_buf_slice(&out), n), &reader);
        for (uint64_t i = 0; r == 0 && i < 302; i++)
            r = xt_derived_apply(&reader, i, &event);
        assert_true(r >= 0);
    }
    out.p[0] = 2;
    assert_true(xt_derived_read(xt_buf_slice(&out), &reader) > 0);
    assert_int_equal(xt_derived_read(XT_S_NULL, &reader), 0);
    xt_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_batch_is_set_aside), cmocka_unit_test(a_changed_ledger_is_seen),
        cmocka_unit_test(a_swapped_segment_is_seen),    cmocka_unit_test(segments_without_a_catalog_are_kept),
        cmocka_unit_test(a_later_version_is_refused),   cmocka_unit_test(derived_entries),
        cmocka_unit_test(no_flipped_byte_goes_unseen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

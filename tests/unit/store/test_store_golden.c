/*
 * A data folder written by the first version of this format opens, and holds just the events that stand beside it. Every
 * later version has to pass this. XT_GOLDEN_WRITE=DIR writes such a folder anew, for a new version's own.
 */
#include <fcntl.h>

#include "store_fixture.h"

static int64_t now_ms = 1800000000000;

static int64_t clock_now(const xt_clock *clock)
{
    return now_ms;
}

static const xt_clock the_clock = {clock_now, clock_now, NULL};
static const xt_store_settings settings = {.clock = &the_clock};

static void file_write(const char *dir, const char *name, xt_slice bytes)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.p, bytes.n), bytes.n);
    close(fd);
}

static void golden_write(const char *dir)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_buf events = XT_BUF_INIT;
    bool done = false;
    sender s;
    truth t;

    xt_store *store = store_open(dir, &settings);
    truth_init(&t);
    sender_init(&s, 2026);
    for (unsigned i = 0; i < 11; i++) {
        xt_store_batch batch = sender_next(&s, 12, &t);
        assert_int_equal(append_one(store, &batch), 0);
        if (i < 10)
            must(xt_store_seal(store, &problem), &problem);
        now_ms += i == 7 ? 11 * 60 * 1000 : 0;
        if (i == 7)
            must(xt_store_merge_due(store, &done, &problem), &problem);
    }
    assert_true(done); /* a merged segment, two sealed ones, a pending batch */
    must(xt_store_maintain(store, &problem), &problem);
    xt_store_close(store);
    for (size_t i = 0; i < t.n; i++)
        xt_buf_put_block(&events, t.events[i]);
    file_write(dir, "events.bin", xt_buf_slice(&events));
    xt_buf_fini(&events);
    sender_fini(&s);
    truth_fini(&t);
}

static void copy_all(const char *from, const char *to)
{
    char sub[600], target[600];
    DIR *dir = opendir(from);
    xt_buf bytes = XT_BUF_INIT;

    assert_non_null(dir);
    mkdir(to, 0700);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(sub, sizeof sub, "%s/%s", from, e->d_name);
        snprintf(target, sizeof target, "%s/%s", to, e->d_name);
        if (strcmp(e->d_name, "segments") == 0) {
            copy_all(sub, target);
            continue;
        }
        xt_buf_reset(&bytes);
        assert_int_equal(xt_vfs_read_file(&xt_vfs_system, sub, 1 << 26, &bytes), 0);
        file_write(to, e->d_name, xt_buf_slice(&bytes));
    }
    closedir(dir);
    xt_buf_fini(&bytes);
}

static void truth_read(truth *t, const char *dir)
{
    char path[600];
    xt_buf bytes = XT_BUF_INIT;
    xt_event event;

    snprintf(path, sizeof path, "%s/events.bin", dir);
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, 1 << 26, &bytes), 0);
    for (xt_reader reader = xt_reader_of(xt_buf_slice(&bytes)); xt_reader_left(&reader) && !reader.failed;) {
        assert_int_equal(xt_event_decode(xt_reader_block(&reader), &event, NULL), 0);
        truth_add(t, &event);
    }
    xt_buf_fini(&bytes);
}

static void a_folder_of_version_2_opens(void **state)
{
    const char *data = getenv("XT_TEST_DATA");
    char from[600], *dir = folder_new();
    xt_problem problem = XT_PROBLEM_INIT;
    xt_ledger_check check;
    xt_scan_info info;
    truth t;

    snprintf(from, sizeof from, "%s/store/version-2", data ? data : "tests/data");
    copy_all(from, dir);
    truth_init(&t);
    truth_read(&t, dir);
    assert_int_equal(t.n, 132);
    for (int round = 0; round < 3; round++) {
        xt_store *store = store_open(dir, NULL);
        assert_int_equal(truth_compare(&t, store, &info), t.n);
        assert_int_equal(info.n_damaged, 0);
        assert_int_equal(info.n_segments, round == 0 ? 3 : round == 1 ? 3 : 1);
        must(xt_store_verify(store, NULL, NULL, &check, &problem), &problem);
        assert_true(check.chain_ok && check.counts_ok);
        if (round == 1)
            must(xt_store_compact(store, &problem), &problem);
        xt_store_close(store);
    }
    truth_fini(&t);
    folder_drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_folder_of_version_2_opens)};
    if (getenv("XT_GOLDEN_WRITE"))
        golden_write(getenv("XT_GOLDEN_WRITE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A real file system of a few MB that fills up: what was acknowledged is there, queries are answered, what is old can be
 * retired, and when there is room events are accepted again. Needs the right to mount; XT_SMALL_FS names a mounted one
 * to use instead.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include "store_fixture.h"

#define N_PER_BATCH 40

static char *small_fs(void)
{
    const char *given = getenv("XT_SMALL_FS");
    char *dir = given ? folder_new_in(given) : folder_new_in("/tmp");

    if (given)
        return dir;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("small", dir, "tmpfs", 0, "size=16m") < 0) {
        folder_drop(dir);
        return NULL;
    }
    return dir;
}

static char *small_fs_end(char *dir)
{
    if (!getenv("XT_SMALL_FS"))
        umount(dir);
    return folder_drop(dir);
}

/* Takes all room but n bytes. */
static void fill_up(const char *dir, uint64_t n)
{
    char path[300];
    static char zeros[4096];
    struct statvfs fs;

    snprintf(path, sizeof path, "%s/ballast", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    while (fstatvfs(fd, &fs) == 0 && fs.f_bavail * fs.f_frsize > n)
        if (write(fd, zeros, sizeof zeros) < (ssize_t)sizeof zeros)
            break;
    close(fd);
}

static uint64_t verify(xt_store *store)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_ledger_check check;

    must(xt_store_verify(store, NULL, NULL, &check, &problem), &problem);
    assert_true(check.chain_ok && check.counts_ok);
    return check.n_retired;
}

/* Appends until it is refused; each segment has ten batches. */
static void append_until_full(xt_store *store, sender *s, truth *t)
{
    xt_problem problem = XT_PROBLEM_INIT;

    for (int i = 1; i < 2000; i++) {
        sender before = *s;
        size_t n = t->n;
        int outcome = -1;
        xt_store_batch batch = sender_next(s, N_PER_BATCH, t);
        int r = xt_store_append(store, &batch, 1, &outcome, &problem);
        if (r == 0 && i % 10 == 0)
            assert_true((xt_store_seal(store, &problem) == 0 && xt_store_maintain(store, &problem) == 0) ||
                        xt_store_is_full(store)); /* any of them may be what finds it full */
        if (r == 0)
            continue;
        assert_int_equal(r, -ENOSPC);
        t->n = n; /* not acknowledged */
        s->number = before.number;
        s->last = before.last;
        assert_true(xt_store_is_full(store));
        return;
    }
    fail_msg("the disk never filled up");
}

static void a_full_disk_is_survived(void **state)
{
    char *mounted = small_fs(), dir[200], path[300];
    xt_store_settings settings = {.keeps_reserve = true};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_store_room room;
    xt_retire_why why;
    struct stat st;
    sender s;
    truth t;

    if (!mounted)
        skip();
    snprintf(dir, sizeof dir, "%s/data", mounted);
    truth_init(&t);
    sender_init(&s, 51);
    xt_store *store = store_open(dir, &settings);
    must(xt_store_maintain(store, &problem), &problem);
    snprintf(path, sizeof path, "%s/reserve", dir);
    assert_int_equal(stat(path, &st), 0);
    append_until_full(store, &s, &t);
    assert_true(t.n > 500);
    assert_int_equal(truth_compare(&t, store, NULL), t.n);
    fill_up(mounted, 0);
    must(xt_store_maintain(store, &problem), &problem);
    assert_true(xt_store_is_full(store));
    verify(store);

    xt_store_close(store); /* and on the full disk it opens */
    store = store_open(dir, &settings);
    assert_true(xt_store_is_full(store));
    assert_int_equal(truth_compare(&t, store, NULL), t.n);
    must(xt_store_maintain(store, &problem), &problem);
    assert_true(xt_store_is_full(store));

    must(xt_store_room_get(store, &room), &problem);
    xt_store_limits limits = {.max_bytes = room.bytes_used / 3};
    int n_retired = 0;
    do {
        must(xt_store_retain(store, &limits, NULL, &why, &problem), &problem);
        n_retired += why != XT_RETIRE_NOT;
    } while (why && n_retired < 2);
    assert_true(n_retired > 0);
    snprintf(path, sizeof path, "%s/ballast", mounted);
    assert_int_equal(unlink(path), 0);
    while (why)
        must(xt_store_retain(store, &limits, NULL, &why, &problem), &problem);
    must(xt_store_maintain(store, &problem), &problem);
    if (xt_store_is_full(store)) {
        must(xt_store_room_get(store, &room), &problem);
        fail_msg("%llu used, %llu free of %llu", (unsigned long long)room.bytes_used,
                 (unsigned long long)room.bytes_free, (unsigned long long)room.bytes_total);
    }
    size_t n = truth_compare(&t, store, NULL);
    assert_int_equal(verify(store), t.n - n);
    xt_store_batch batch = sender_next(&s, 5, &t);
    assert_int_equal(append_one(store, &batch), 0);
    assert_int_equal(truth_compare(&t, store, NULL), n + 5);
    xt_store_close(store);
    store = store_open(dir, &settings);
    assert_int_equal(truth_compare(&t, store, NULL), n + 5);
    verify(store);
    xt_store_close(store);
    sender_fini(&s);
    truth_fini(&t);
    small_fs_end(mounted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_full_disk_is_survived)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event/event.h"
#include "wire/spool.h"

static char dir[64];

static void put_event(xt_buf *out, xt_slice text)
{
    xt_event event;
    xt_event_reset(&event);
    xt_event_set_bytes(&event, XT_F_MESSAGE, text);
    xt_event_batch_put(out, &event);
}

static void tombstone(void *context, const xt_spool_loss *loss, xt_buf *out)
{
    char text[32];
    snprintf(text, sizeof text, "dropped %llu",
             (unsigned long long)(loss->n_events[0] + loss->n_events[1] + loss->n_events[2] + loss->n_unknown));
    put_event(out, xt_slice_str(text));
}

static int make_dir(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/xt-spool-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

/* Calls fn for every file of the spool; how many there were. */
static unsigned each_file(void (*fn)(const char *path))
{
    unsigned n = 0;
    char path[512];
    DIR *folder = opendir(dir);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (strstr(path, ".spool"))
            n++;
        if (fn)
            fn(path);
    }
    closedir(folder);
    return n;
}

static void remove_file(const char *path)
{
    unlink(path);
}

static int remove_dir(void **state)
{
    each_file(remove_file);
    return rmdir(dir);
}

static xt_spool *open_spool(uint64_t max_bytes)
{
    const xt_spool_settings settings = {
        .vfs = &xt_vfs_system, .dir = dir, .max_bytes = max_bytes, .tombstone = tombstone};
    xt_spool *spool = NULL;
    assert_int_equal(xt_spool_open(&settings, &spool, NULL), 0);
    return spool;
}

/* A batch of two events that name i. */
static void put(xt_spool *spool, unsigned i)
{
    char text[32];
    snprintf(text, sizeof text, "batch %u", i);
    xt_buf events = XT_BUF_INIT;
    put_event(&events, xt_slice_str(text));
    put_event(&events, xt_slice_str(text));
    assert_int_equal(xt_spool_put(spool, xt_buf_slice(&events), 2, NULL), 0);
    xt_buf_fini(&events);
}

typedef struct seen {
    uint64_t number;
    xt_hash128 hash, chain, stream;
    char text[32]; /* MESSAGE of the first event */
} seen;

static bool take(xt_spool *spool, uint64_t after, seen *ret)
{
    xt_buf payload = XT_BUF_INIT, events = XT_BUF_INIT;
    assert_int_equal(xt_spool_next(spool, after, &ret->number, &payload, NULL), 0);
    if (ret->number) {
        xt_batch batch;
        xt_event event;
        assert_int_equal(xt_batch_decode(xt_buf_slice(&payload), &batch, NULL), 0);
        assert_int_equal(xt_batch_events(&batch, &events, NULL), 0);
        assert_int_equal(batch.number, ret->number);
        ret->hash = xt_batch_hash(xt_buf_slice(&payload));
        ret->chain = batch.chain;
        ret->stream = batch.stream;
        xt_slice rest = xt_buf_slice(&events), bytes;
        assert_true(xt_event_batch_next(&rest, &bytes));
        assert_int_equal(xt_event_decode(bytes, &event, NULL), 0);
        xt_slice text = xt_event_bytes(&event, XT_F_MESSAGE);
        snprintf(ret->text, sizeof ret->text, "%.*s", XT_S_ARGS(text));
    }
    xt_buf_fini(&payload);
    xt_buf_fini(&events);
    return ret->number != 0;
}

static void test_order_and_chain(void **state)
{
    xt_spool *spool = open_spool(1 << 20);
    seen batch, again;
    assert_false(take(spool, 0, &batch));
    for (unsigned i = 1; i <= 5; i++)
        put(spool, i);
    xt_hash128 before = {{0}};
    for (unsigned i = 1; i <= 5; i++) {
        char text[32];
        snprintf(text, sizeof text, "batch %u", i);
        assert_true(take(spool, i - 1, &batch));
        assert_int_equal(batch.number, i);
        assert_string_equal(batch.text, text);
        assert_true(xt_hash128_eq(batch.chain, before));
        before = batch.hash;
    }
    assert_false(take(spool, 5, &batch));
    assert_true(take(spool, 2, &batch) && take(spool, 2, &again));
    assert_true(xt_hash128_eq(batch.hash, again.hash));
    assert_string_equal(batch.text, "batch 3");
    xt_spool_close(spool);
}

static void test_ack_and_reopen(void **state)
{
    xt_spool *spool = open_spool(1 << 20);
    seen batch, again;
    for (unsigned i = 1; i <= 4; i++)
        put(spool, i);
    assert_true(take(spool, 0, &batch) && take(spool, 1, &batch) && take(spool, 2, &batch));
    assert_int_equal(xt_spool_ack(spool, 2, NULL), 0);
    assert_int_equal(xt_spool_stats_get(spool).n_batches, 2);
    assert_int_equal(xt_spool_stats_get(spool).n_events, 4);
    xt_hash128 stream = xt_spool_stream(spool);
    xt_spool_close(spool);

    spool = open_spool(1 << 20);
    assert_true(xt_hash128_eq(xt_spool_stream(spool), stream));
    assert_int_equal(xt_spool_stats_get(spool).n_batches, 2);
    assert_true(take(spool, 2, &again));
    assert_true(xt_hash128_eq(again.hash, batch.hash));
    put(spool, 5);
    assert_true(take(spool, 3, &batch) && take(spool, 4, &batch));
    assert_string_equal(batch.text, "batch 5");
    assert_int_equal(xt_spool_ack(spool, 5, NULL), 0);
    assert_int_equal(xt_spool_stats_get(spool).n_batches, 0);
    assert_int_equal(xt_spool_stats_get(spool).n_bytes, 0);
    xt_spool_close(spool);
    spool = open_spool(1 << 20);
    put(spool, 6);
    assert_true(take(spool, 5, &again));
    assert_int_equal(again.number, 6);
    assert_true(xt_hash128_eq(again.chain, batch.hash));
    xt_spool_close(spool);
}

static void cut_by_three(const char *path)
{
    struct stat st;
    if (strstr(path, ".spool") && stat(path, &st) == 0)
        assert_int_equal(truncate(path, st.st_size - 3), 0);
}

static void test_torn_tail(void **state)
{
    xt_spool *spool = open_spool(1 << 20);
    seen batch;
    put(spool, 1);
    put(spool, 2);
    xt_spool_close(spool);
    assert_int_equal(each_file(cut_by_three), 1);
    spool = open_spool(1 << 20);
    assert_int_equal(xt_spool_stats_get(spool).n_batches, 1);
    put(spool, 3);
    assert_true(take(spool, 0, &batch));
    assert_true(take(spool, 1, &batch));
    assert_string_equal(batch.text, "batch 3");
    assert_false(take(spool, 2, &batch));
    xt_spool_close(spool);
}

/* Batches of incompressible bytes beyond the bound: the first stays because it was sent, numbers have no hole, and what is there plus what tombstones count is what was put. */
static void test_bound(void **state)
{
    xt_spool *spool = open_spool(256 << 10);
    uint32_t x = 12345;
    seen batch;
    put(spool, 1);
    assert_true(take(spool, 0, &batch));
    char *noise = malloc(16384);
    for (unsigned i = 2; i <= 60; i++) {
        for (unsigned k = 0; k < 16384; k++)
            noise[k] = (char)((x = x * 1103515245 + 12345) >> 16);
        xt_buf events = XT_BUF_INIT;
        put_event(&events, xt_slice_of(noise, 16384));
        assert_int_equal(xt_spool_put(spool, xt_buf_slice(&events), 1, NULL), 0);
        xt_buf_fini(&events);
    }
    free(noise);
    xt_spool_stats stats = xt_spool_stats_get(spool);
    assert_in_range(stats.n_bytes, 100 << 10, (256 + 65 + 64) << 10);
    assert_true(stats.n_dropped_events > 20);
    xt_spool_close(spool);
    spool = open_spool(256 << 10);
    uint64_t n = 0, n_tombs = 0, n_lost = 0;
    xt_hash128 before = {{0}};
    while (take(spool, n, &batch)) {
        assert_int_equal(batch.number, ++n);
        assert_true(xt_hash128_eq(batch.chain, before));
        before = batch.hash;
        if (strncmp(batch.text, "dropped ", 8) == 0) {
            n_tombs++;
            n_lost += strtoull(batch.text + 8, NULL, 10);
        }
    }
    assert_true(n_tombs > 0);
    assert_int_equal(n_lost, xt_spool_stats_get(spool).n_dropped_events);
    /* The first batch held two events, all others one. */
    assert_int_equal(n - n_tombs + n_lost, 60);
    xt_spool_close(spool);
}

/* Event i of that action, of bytes that do not pack. */
static void put_action(xt_spool *spool, const char *action, unsigned n, unsigned *next)
{
    static char noise[3000];
    static uint32_t x = 7;
    xt_buf events = XT_BUF_INIT;
    for (unsigned i = 0; i < n; i++) {
        xt_event event;
        xt_event_reset(&event);
        for (unsigned k = 0; k < sizeof noise; k++)
            noise[k] = (char)((x = x * 1103515245 + 12345) >> 16);
        xt_event_set_bytes(&event, XT_F_ACTION, xt_slice_str(action));
        xt_event_set_num(&event, XT_F_PID, ++*next);
        xt_event_set_bytes(&event, XT_F_ORIGINAL, xt_slice_of(noise, sizeof noise));
        xt_event_batch_put(&events, &event);
    }
    assert_int_equal(xt_spool_put(spool, xt_buf_slice(&events), n, NULL), 0);
    xt_buf_fini(&events);
}

/* What is there, in the order in which it goes: of each action the pids; events that tombstones count. */
typedef struct held {
    unsigned n_exited, n_executed, n_others, first_exited, first_executed, last;
    uint64_t n_lost;
} held;

static held take_all(xt_spool *spool)
{
    held h = {0};
    for (uint64_t number = 0;;) {
        xt_buf payload = XT_BUF_INIT, events = XT_BUF_INIT;
        xt_batch batch;
        xt_event event;
        xt_slice rest, bytes;
        assert_int_equal(xt_spool_next(spool, number, &number, &payload, NULL), 0);
        if (!number) {
            xt_buf_fini(&payload);
            return h;
        }
        assert_int_equal(xt_batch_decode(xt_buf_slice(&payload), &batch, NULL), 0);
        assert_int_equal(xt_batch_events(&batch, &events, NULL), 0);
        for (rest = xt_buf_slice(&events); xt_event_batch_next(&rest, &bytes);) {
            assert_int_equal(xt_event_decode(bytes, &event, NULL), 0);
            xt_slice action = xt_event_bytes(&event, XT_F_ACTION), text = xt_event_bytes(&event, XT_F_MESSAGE);
            unsigned pid = (unsigned)xt_event_num(&event, XT_F_PID, 0);
            if (xt_slice_starts(text, XT_S("dropped "))) {
                uint64_t n;
                assert_true(xt_slice_parse_u64(xt_slice_skip(text, 8), &n));
                h.n_lost += n;
                continue;
            }
            assert_true(pid > 0 && pid != h.last);
            h.last = pid;
            if (xt_slice_eq(action, XT_S("exited"))) {
                h.first_exited = h.n_exited++ ? h.first_exited : pid;
            } else if (xt_slice_eq(action, XT_S("executed"))) {
                h.first_executed = h.n_executed++ ? h.first_executed : pid;
            } else {
                h.n_others++;
            }
        }
        xt_buf_fini(&payload);
        xt_buf_fini(&events);
    }
}

/* Ends go before executions, executions before logins; of each the oldest. */
static void test_ranks(void **state)
{
    xt_spool *spool = open_spool(1 << 20);
    unsigned next = 0;
    for (unsigned i = 0; i < 40; i++) { /* 600 KiB: all fits */
        put_action(spool, "exited", 2, &next);
        put_action(spool, "executed", 2, &next);
        put_action(spool, "logged-in", 1, &next);
    }
    assert_int_equal(xt_spool_stats_get(spool).n_dropped_events, 0);
    for (unsigned i = 0; i < 50; i++) /* what is still too much is ends */
        put_action(spool, "executed", 4, &next);
    held h = take_all(spool);
    assert_int_equal(h.n_others, 40);
    assert_int_equal(h.n_executed, 280);
    assert_true(h.n_exited < 80 && h.n_exited > 0 && h.first_exited > 10);
    assert_int_equal(h.n_exited + h.n_lost, 80);
    xt_spool_close(spool);
    remove_dir(NULL);
    make_dir(NULL);

    spool = open_spool(1 << 20);
    next = 0;
    for (unsigned i = 0; i < 250; i++) {
        put_action(spool, "exited", 1, &next);
        put_action(spool, "executed", 4, &next);
        if (i % 10 == 0)
            put_action(spool, "ran-sudo", 1, &next);
    }
    h = take_all(spool);
    assert_int_equal(h.n_others, 25);
    assert_true(h.n_executed > 200 && h.n_executed < 1000 && h.first_executed > 100);
    assert_int_equal(h.n_exited + h.n_executed + h.n_others + h.n_lost, next);
    assert_int_equal(h.n_lost, xt_spool_stats_get(spool).n_dropped_events);
    xt_spool_close(spool);
}

static uint64_t disk_used;

static void add_size(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    disk_used += (uint64_t)st.st_size;
}

static uint64_t disk_room(void *context)
{
    const uint64_t all = 300000;
    disk_used = 0;
    each_file(add_size);
    return disk_used < all ? all - disk_used : 0;
}

static uint64_t no_room(void *context)
{
    return 0;
}

/* The last of a disk is not ours: less than max_bytes is taken, and with nothing left nothing is. */
static void test_room_of_the_disk(void **state)
{
    xt_spool *spool = NULL;
    unsigned next = 0;
    xt_spool_settings settings = {.vfs = &xt_vfs_system, .dir = dir, .max_bytes = 8 << 20, .tombstone = tombstone};
    assert_int_equal(xt_spool_open(&settings, &spool, NULL), 0);
    put_action(spool, "executed", 1, &next);
    xt_spool_close(spool);
    settings.room = disk_room;
    assert_int_equal(xt_spool_open(&settings, &spool, NULL), 0);
    for (unsigned i = 0; i < 300; i++) {
        put_action(spool, "executed", 1, &next);
        assert_true(xt_spool_stats_get(spool).n_bytes < 310000);
    }
    held h = take_all(spool);
    assert_int_equal(h.n_executed + h.n_lost, 301);
    assert_int_equal(h.last, next); /* the newest stay */
    xt_spool_close(spool);
    settings.room = no_room;
    assert_int_equal(xt_spool_open(&settings, &spool, NULL), 0);
    xt_buf events = XT_BUF_INIT;
    put_event(&events, XT_S("x"));
    assert_int_equal(xt_spool_put(spool, xt_buf_slice(&events), 1, NULL), -ENOSPC);
    xt_buf_fini(&events);
    xt_spool_close(spool);
}

static void test_welcome(void **state)
{
    xt_spool *spool = open_spool(1 << 20);
    seen batch;
    for (unsigned i = 1; i <= 3; i++)
        put(spool, i);
    assert_true(take(spool, 0, &batch) && take(spool, 1, &batch));
    xt_hash128 stream = xt_spool_stream(spool);
    /* The receiver has both; then one that claims another past of number 2 gets a new stream with what waits. */
    assert_int_equal(xt_spool_welcome(spool, 2, batch.hash, NULL), 0);
    assert_int_equal(xt_spool_stats_get(spool).n_batches, 1);
    assert_int_equal(xt_spool_welcome(spool, 2, batch.hash, NULL), 0);
    assert_int_equal(xt_spool_welcome(spool, 2, (xt_hash128){{1}}, NULL), XT_SPOOL_E_RENEWED);
    assert_false(xt_hash128_eq(xt_spool_stream(spool), stream));
    assert_true(take(spool, 0, &batch));
    assert_int_equal(batch.number, 1);
    assert_string_equal(batch.text, "batch 3");
    assert_true(xt_hash128_eq(batch.chain, (xt_hash128){{0}}));
    /* More than was ever sent: a power failure took our past. */
    assert_int_equal(xt_spool_welcome(spool, 9, batch.hash, NULL), XT_SPOOL_E_RENEWED);
    assert_int_equal(xt_spool_welcome(spool, 0, (xt_hash128){{0}}, NULL), 0);
    assert_int_equal(xt_spool_stats_get(spool).n_batches, 1);
    xt_spool_close(spool);
}

static ssize_t full_pwrite(const xt_vfs *vfs, int fd, const void *p, size_t n, uint64_t offset)
{
    return *(int *)vfs->context ? -ENOSPC : xt_vfs_system.pwrite(vfs, fd, p, n, offset);
}

static void test_full_disk(void **state)
{
    int full = 0;
    xt_vfs vfs = xt_vfs_system;
    vfs.pwrite = full_pwrite;
    vfs.context = &full;
    const xt_spool_settings settings = {.vfs = &vfs, .dir = dir, .max_bytes = 1 << 20, .tombstone = tombstone};
    xt_spool *spool = NULL;
    assert_int_equal(xt_spool_open(&settings, &spool, NULL), 0);
    put(spool, 1);
    full = 1;
    xt_buf events = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    put_event(&events, XT_S("x"));
    assert_int_equal(xt_spool_put(spool, xt_buf_slice(&events), 1, &problem), -ENOSPC);
    assert_true(xt_problem_is_set(&problem));
    xt_buf_fini(&events);
    full = 0;
    put(spool, 2);
    seen batch;
    assert_true(take(spool, 0, &batch) && take(spool, 1, &batch));
    assert_string_equal(batch.text, "batch 2");
    xt_spool_close(spool);
}

/* A number that was never given out, whatever a power failure took, deletes nothing. */
static void test_absurd_welcome(void **state)
{
    seen batch;
    xt_spool *spool = open_spool(1 << 20);
    for (unsigned i = 1; i <= 5; i++)
        put(spool, i);
    assert_true(take(spool, 0, &batch));
    xt_spool_close(spool);
    spool = open_spool(1 << 20);
    static const uint64_t absurd[] = {100000, UINT64_C(1) << 40, UINT64_MAX};
    for (size_t i = 0; i < XT_COUNT_OF(absurd); i++)
        assert_int_equal(xt_spool_welcome(spool, absurd[i], (xt_hash128){{7}}, NULL), XT_SPOOL_E_RENEWED);
    for (unsigned i = 1; i <= 5; i++) {
        char text[32];
        snprintf(text, sizeof text, "batch %u", i);
        assert_true(take(spool, i - 1, &batch));
        assert_string_equal(batch.text, text);
    }
    xt_spool_close(spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order_and_chain, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_ack_and_reopen, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_torn_tail, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_bound, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_ranks, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_room_of_the_disk, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_welcome, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_absurd_welcome, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_full_disk, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

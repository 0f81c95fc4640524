/* Serials in any order against a list of which were seen; the file against a kill at each store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/serial_count.h"

#define SETTLE 4000
#define BOOT   "0123456789abcdef0123456789abcdef"

static uint32_t random_next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* One number in eight never comes, others come up to seven places late; a list says what is missing. */
static void what_is_missing_is_counted(void **state)
{
    enum { N = 5000 };
    static bool seen[N + 8];
    for (uint32_t seed = 1; seed < 40; seed++) {
        xt_serial_count c = {.max = 0};
        uint32_t first = UINT32_MAX - N / 2, order[N], rng = seed; /* it wraps in the middle */
        uint64_t missing = 0, told = 0;
        for (uint32_t i = 0; i < N; i++)
            order[i] = i;
        for (uint32_t i = 1; i + 8 < N; i++) {
            uint32_t j = i + random_next(&rng) % 8, k = order[i];
            order[i] = order[j];
            order[j] = k;
        }
        memset(seen, 0, sizeof seen);
        for (uint32_t i = 0; i < N; i++) {
            if (order[i] == 0 || order[i] == N - 1 || random_next(&rng) % 8) {
                xt_serial_count_see(&c, first + order[i]);
                seen[order[i]] = true;
            }
            if (i % 100 == 0) {
                xt_serial_count_turn(&c, (int64_t)i * 1000, SETTLE);
                told += c.newly;
            }
        }
        for (uint32_t i = 0; i < N; i++)
            missing += !seen[i];
        for (int i = 1; i <= 3; i++) {
            xt_serial_count_turn(&c, (int64_t)(N + i * 100) * 1000, SETTLE);
            told += c.newly;
        }
        assert_int_equal(c.n_missing, missing);
        assert_int_equal(told, missing);
        assert_true(missing > N / 16);
    }
}

static void what_may_still_come_is_not_missing(void **state)
{
    xt_serial_count c = {.max = 0};
    xt_serial_count_see(&c, 10);
    xt_serial_count_turn(&c, 1000, SETTLE);
    xt_serial_count_see(&c, 13);
    xt_serial_count_turn(&c, 6000, SETTLE); /* 13 is the mark now */
    assert_int_equal(c.newly, 0);
    xt_serial_count_turn(&c, 8000, SETTLE);
    assert_int_equal(c.newly, 0);
    xt_serial_count_turn(&c, 11000, SETTLE);
    assert_int_equal(c.newly, 2);
    assert_int_equal((uint32_t)c.from, 11);
    assert_int_equal((uint32_t)c.to, 12);
    assert_int_equal(c.since_ms, 1000);
    xt_serial_count_see(&c, 12); /* after all */
    xt_serial_count_turn(&c, 16000, SETTLE);
    assert_int_equal(c.newly, 0);
    assert_int_equal(c.n_missing, 1);
    xt_serial_count_see(&c, 5); /* older than all: not ours to count */
    assert_int_equal(c.n, 3);
}

static void a_restart_counts_what_lay_between(void **state)
{
    char folder[] = "/tmp/xt-serials-XXXXXX", path[64];
    xt_serial_count c = {.max = 0}, again;
    xt_serial_file *file;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/serials", folder);
    assert_int_equal(xt_serial_file_read(path, BOOT, &again), -ENOENT);
    assert_int_equal(xt_serial_file_open(path, BOOT, &file), 0);
    assert_int_equal(xt_serial_file_read(path, BOOT, &again), -ENOENT);
    xt_serial_count_see(&c, 100);
    xt_serial_count_turn(&c, 50000, SETTLE);
    xt_serial_count_see(&c, 102);
    xt_serial_file_put(file, &c);
    file = xt_serial_file_close(file); /* killed */
    assert_int_equal(xt_serial_file_read(path, "another boot", &again), -ENOENT);
    assert_int_equal(xt_serial_file_read(path, BOOT, &again), 0);
    xt_serial_count_turn(&again, 60000, SETTLE);
    assert_int_equal(again.newly, 1); /* 101 was under way */
    for (int64_t ms = 65000; ms < 90000; ms += 5000)
        xt_serial_count_turn(&again, ms, SETTLE); /* quiet */
    xt_serial_count_see(&again, 111);
    xt_serial_count_turn(&again, 90000, SETTLE);
    assert_int_equal(again.newly, 0);
    xt_serial_count_turn(&again, 95000, SETTLE);
    assert_int_equal(again.newly, 8);
    assert_int_equal(again.n_missing, 9);
    assert_int_equal(again.since_ms, 50000);
    unlink(path);
    rmdir(folder);
}

/* Whatever bytes of a put are there when the process is killed, the put before it or this one is read. */
static void a_kill_leaves_a_count_that_holds(void **state)
{
    char folder[] = "/tmp/xt-serials-XXXXXX", path[64], before[256], after[256];
    xt_serial_count c = {.max = 0}, again;
    xt_serial_file *file;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/serials", folder);
    assert_int_equal(xt_serial_file_open(path, BOOT, &file), 0);
    for (uint32_t i = 1; i < 6; i++) {
        int fd = open(path, O_RDWR);
        ssize_t n = read(fd, before, sizeof before);
        xt_serial_count_see(&c, i);
        xt_serial_file_put(file, &c);
        assert_int_equal(pread(fd, after, sizeof after, 0), n);
        for (ssize_t cut = 0; i > 1 && cut <= n; cut++) {
            assert_int_equal(pwrite(fd, after, (size_t)cut, 0), cut);
            assert_int_equal(pwrite(fd, before + cut, (size_t)(n - cut), cut), n - cut);
            assert_int_equal(xt_serial_file_read(path, BOOT, &again), 0);
            assert_true(again.n == i || again.n == i - 1);
        }
        assert_int_equal(pwrite(fd, after, (size_t)n, 0), n);
        close(fd);
    }
    xt_serial_file_close(file);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_is_counted),
        cmocka_unit_test(what_may_still_come_is_not_missing),
        cmocka_unit_test(a_restart_counts_what_lay_between),
        cmocka_unit_test(a_kill_leaves_a_count_that_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

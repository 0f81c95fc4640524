/* The rules of the joiner one by one; real captures are in test_audit_corpus.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "audit/joiner.h"

enum { LOGIN = 1006, USER_CMD = 1123, DAEMON_START = 1200, SYSCALL = 1300, PATH = 1302, CONFIG = 1305, EXECVE = 1309 };
enum { EOE = 1320, PROCTITLE = 1327, KERNEL = 2000 };

static xt_joiner *joiner_of(xt_joiner_settings settings)
{
    xt_joiner *joiner;
    assert_int_equal(xt_joiner_new(&settings, &joiner), 0);
    return joiner;
}

static xt_joiner *joiner_plain(void)
{
    xt_joiner *joiner;
    assert_int_equal(xt_joiner_new(NULL, &joiner), 0);
    return joiner;
}

static int push_from(xt_joiner *joiner, const char *node, uint16_t type, uint32_t serial, int64_t now_ms)
{
    char body[64]; /* gone when this returns: the joiner must have copied it */
    snprintf(body, sizeof body, "t=%u", type);
    xt_record record = {
        .type = type, .serial = serial, .time_ms = 1000, .node = xt_slice_str(node), .body = xt_slice_str(body)};
    int r = xt_joiner_push(joiner, &record, now_ms);
    memset(body, 'X', sizeof body);
    return r;
}

static int push(xt_joiner *joiner, uint16_t type, uint32_t serial, int64_t now_ms)
{
    return push_from(joiner, "", type, serial, now_ms);
}

/* The next group as "serial/flags: type type"; "" when there is none. */
static void check_next(xt_joiner *joiner, int64_t now_ms, const char *want)
{
    xt_buf text = XT_BUF_INIT;
    const xt_group *group = xt_joiner_next(joiner, now_ms);
    if (group)
        xt_buf_printf(&text, "%.*s%u/%u:", XT_S_ARGS(group->node), group->serial, group->flags);
    for (size_t i = 0; group && i < group->n_records; i++) {
        const xt_record *r = &group->records[i];
        char body[64];
        snprintf(body, sizeof body, "t=%u", r->type);
        assert_true(xt_slice_eq(r->body, xt_slice_str(body)));
        assert_true(xt_slice_eq(r->node, group->node));
        assert_int_equal(r->serial, group->serial);
        xt_buf_printf(&text, " %u", r->type);
    }
    if (!xt_slice_eq(xt_buf_slice(&text), xt_slice_str(want)))
        fail_msg("got <%.*s>, not <%s>", XT_S_ARGS(xt_buf_slice(&text)), want);
    xt_buf_fini(&text);
}

static void test_eoe(void **state)
{
    xt_joiner *joiner = joiner_plain();
    assert_int_equal(push(joiner, SYSCALL, 7, 0), 0);
    assert_int_equal(push(joiner, EXECVE, 7, 0), 0);
    check_next(joiner, 0, "");
    assert_int_equal(push(joiner, SYSCALL, 8, 0), 0);
    assert_int_equal(push(joiner, PROCTITLE, 7, 0), 0);
    check_next(joiner, 0, "");
    assert_int_equal(push(joiner, EOE, 7, 0), 0);
    check_next(joiner, 0, "7/1: 1300 1309 1327");
    assert_int_equal(push(joiner, EOE, 8, 0), 0);
    check_next(joiner, 0, "8/1: 1300");
    check_next(joiner, 0, "");
    xt_joiner_stats stats = xt_joiner_stats_get(joiner);
    assert_int_equal(stats.n_records, 6);
    assert_int_equal(stats.n_groups, 2);
    assert_int_equal(stats.n_eoe, 2);
    xt_joiner_free(joiner);
}

static void test_interleaved(void **state)
{
    xt_joiner *joiner = joiner_plain();
    const uint16_t types[] = {SYSCALL, EXECVE, PATH, PROCTITLE, EOE};
    for (size_t t = 0; t < XT_COUNT_OF(types); t++)
        for (uint32_t serial = 30; serial < 33; serial++)
            assert_int_equal(push(joiner, types[t], serial, 0), 0);
    /* 31 and 32 had no PROCTITLE yet when 30 was ended by theirs, whose serial is later */
    check_next(joiner, 0, "30/0: 1300 1309 1302 1327");
    check_next(joiner, 0, "31/0: 1300 1309 1302 1327");
    check_next(joiner, 0, "32/1: 1300 1309 1302 1327");
    check_next(joiner, 0, "");
    xt_joiner_free(joiner);
}

static void test_proctitle_and_later_serial(void **state)
{
    xt_joiner *joiner = joiner_plain();
    assert_int_equal(push(joiner, SYSCALL, 7, 0), 0);
    assert_int_equal(push(joiner, SYSCALL, 9, 0), 0);
    check_next(joiner, 0, ""); /* a successor alone ends nothing */
    assert_int_equal(push(joiner, PROCTITLE, 7, 0), 0);
    check_next(joiner, 0, "");
    assert_int_equal(push(joiner, PATH, 7, 0), 0);
    assert_int_equal(push(joiner, SYSCALL, 6, 0), 0); /* an earlier one does not */
    assert_int_equal(push(joiner, PATH, 7, 0), 0);    /* nor one of its own */
    check_next(joiner, 0, "");
    assert_int_equal(push(joiner, DAEMON_START, 5000, 0), 0); /* auditd's own numbers do not */
    check_next(joiner, 0, "5000/0: 1200");
    check_next(joiner, 0, "");
    assert_int_equal(push(joiner, PATH, 9, 0), 0);
    check_next(joiner, 0, "7/0: 1300 1327 1302 1302");
    check_next(joiner, 0, "");
    xt_joiner_free(joiner);
}

static void test_serial_wraps(void **state)
{
    xt_joiner *joiner = joiner_plain();
    assert_int_equal(push(joiner, SYSCALL, UINT32_MAX, 0), 0);
    assert_int_equal(push(joiner, PROCTITLE, UINT32_MAX, 0), 0);
    assert_int_equal(push(joiner, SYSCALL, 1, 0), 0);
    check_next(joiner, 0, "4294967295/0: 1300 1327");
    xt_joiner_free(joiner);
}

static void test_single_types(void **state)
{
    xt_joiner *joiner = joiner_plain();
    assert_int_equal(push(joiner, USER_CMD, 1, 0), 0);
    check_next(joiner, 0, "1/0: 1123");
    assert_int_equal(push(joiner, KERNEL, 2, 0), 0);
    check_next(joiner, 0, "2/0: 2000");
    assert_int_equal(push(joiner, 2400, 3, 0), 0);
    check_next(joiner, 0, "3/0: 2400");
    assert_int_equal(push(joiner, SYSCALL, 4, 0), 0);
    assert_int_equal(push(joiner, USER_CMD, 4, 0), 0);
    check_next(joiner, 0, "");
    assert_int_equal(push(joiner, EOE, 4, 0), 0);
    check_next(joiner, 0, "4/1: 1300 1123");
    assert_int_equal(push(joiner, LOGIN, 5, 0), 0);
    check_next(joiner, 0, "");
    assert_int_equal(push(joiner, SYSCALL, 5, 0), 0);
    assert_int_equal(push(joiner, PROCTITLE, 5, 0), 0);
    assert_int_equal(push(joiner, USER_CMD, 6, 0), 0);
    check_next(joiner, 0, "5/0: 1006 1300 1327");
    check_next(joiner, 0, "6/0: 1123");
    xt_joiner_free(joiner);
}

static void test_time(void **state)
{
    xt_joiner *joiner = joiner_of((xt_joiner_settings){.timeout_ms = 100});
    assert_int_equal(push(joiner, CONFIG, 1, 1000), 0);
    assert_int_equal(push(joiner, SYSCALL, 2, 1050), 0);
    check_next(joiner, 1099, "");
    assert_int_equal(push(joiner, SYSCALL, 1, 1099), 0);
    check_next(joiner, 500, ""); /* a step back is ignored */
    check_next(joiner, 1149, "");
    check_next(joiner, 1150, "2/2: 1300");
    check_next(joiner, 1199, "1/2: 1305 1300");
    assert_int_equal(push(joiner, PROCTITLE, 3, 1200), 0);
    check_next(joiner, 1300, "3/0: 1327"); /* nothing is missing but the end mark */
    assert_int_equal(xt_joiner_stats_get(joiner).n_timeout, 2);
    xt_joiner_free(joiner);
}

static void test_late(void **state)
{
    xt_joiner *joiner = joiner_plain();
    assert_int_equal(push(joiner, EOE, 7, 0), 0); /* alone: nothing to tell */
    check_next(joiner, 0, "");
    assert_int_equal(push(joiner, SYSCALL, 7, 0), 0);
    assert_int_equal(push(joiner, PROCTITLE, 7, 0), 0);
    assert_int_equal(push(joiner, SYSCALL, 8, 0), 0);
    assert_int_equal(push(joiner, EOE, 7, 0), 0);
    assert_int_equal(push(joiner, PROCTITLE, 7, 0), 0);
    check_next(joiner, 0, "7/0: 1300 1327");
    check_next(joiner, 0, "");
    assert_int_equal(push(joiner, PATH, 7, 0), XT_JOINER_E_LATE);
    check_next(joiner, 0, "7/16: 1302");
    assert_int_equal(push(joiner, EOE, 8, 0), 0);
    check_next(joiner, 0, "8/1: 1300");
    assert_int_equal(push(joiner, PROCTITLE, 8, 0), XT_JOINER_E_LATE); /* its first: not a duplicate */
    check_next(joiner, 0, "8/16: 1327");
    assert_int_equal(push(joiner, PROCTITLE, 8, 0), 0);
    check_next(joiner, 0, "");
    assert_int_equal(xt_joiner_stats_get(joiner).n_late, 2);
    xt_joiner_free(joiner);
}

static void test_nodes(void **state)
{
    xt_joiner *joiner = joiner_plain();
    assert_int_equal(push_from(joiner, "a", SYSCALL, 7, 0), 0);
    assert_int_equal(push_from(joiner, "b", SYSCALL, 7, 0), 0);
    assert_int_equal(push_from(joiner, "", SYSCALL, 7, 0), 0);
    assert_int_equal(push_from(joiner, "a", PROCTITLE, 7, 0), 0);
    assert_int_equal(push_from(joiner, "b", PATH, 8, 0), 0);
    check_next(joiner, 0, ""); /* later, but of another node */
    assert_int_equal(push_from(joiner, "a", PATH, 8, 0), 0);
    check_next(joiner, 0, "a7/0: 1300 1327");
    assert_int_equal(push_from(joiner, "", EOE, 7, 0), 0);
    check_next(joiner, 0, "7/1: 1300");
    assert_int_equal(push_from(joiner, "b", EOE, 7, 0), 0);
    check_next(joiner, 0, "b7/1: 1300");
    check_next(joiner, 0, "");
    xt_joiner_free(joiner);
}

static void test_same_serial_at_another_time(void **state)
{
    xt_joiner *joiner = joiner_plain();
    xt_record record = {.type = SYSCALL, .serial = 5, .time_ms = 1};
    assert_int_equal(xt_joiner_push(joiner, &record, 0), 0);
    record.time_ms = 2; /* after a reboot */
    assert_int_equal(xt_joiner_push(joiner, &record, 0), 0);
    xt_joiner_finish(joiner);
    assert_int_equal(xt_joiner_next(joiner, 0)->time_ms, 1);
    assert_int_equal(xt_joiner_next(joiner, 0)->time_ms, 2);
    assert_null(xt_joiner_next(joiner, 0));
    xt_joiner_free(joiner);
}

static void test_bound_of_groups(void **state)
{
    xt_joiner *joiner = joiner_of((xt_joiner_settings){.max_groups = 2});
    assert_int_equal(push(joiner, SYSCALL, 1, 0), 0);
    assert_int_equal(push(joiner, SYSCALL, 2, 0), 0);
    assert_int_equal(push(joiner, PATH, 1, 0), 0);
    assert_int_equal(push(joiner, SYSCALL, 3, 0), 0);
    check_next(joiner, 0, "2/4: 1300");
    check_next(joiner, 0, "");
    assert_int_equal(push(joiner, EOE, 2, 0), 0); /* swallowed */
    assert_int_equal(push(joiner, PATH, 2, 0), XT_JOINER_E_LATE);
    check_next(joiner, 0, "2/16: 1302");
    assert_int_equal(xt_joiner_stats_get(joiner).n_evicted, 1);
    xt_joiner_finish(joiner);
    check_next(joiner, 0, "1/2: 1300 1302");
    check_next(joiner, 0, "3/2: 1300");
    check_next(joiner, 0, "");
    xt_joiner_free(joiner);
}

static xt_record long_record(uint32_t serial, size_t n)
{
    static char text[100000];
    memset(text, 'v', sizeof text);
    return (xt_record){.type = EXECVE, .serial = serial, .time_ms = 1, .body = xt_slice_of(text, n)};
}

static void test_bound_of_bytes(void **state)
{
    xt_joiner *joiner = joiner_of((xt_joiner_settings){.max_bytes = 10000});
    for (uint32_t serial = 1; serial <= 3; serial++) {
        xt_record record = long_record(serial, 4000);
        assert_int_equal(xt_joiner_push(joiner, &record, 0), 0);
    }
    const xt_group *group = xt_joiner_next(joiner, 0);
    assert_int_equal(group->serial, 1);
    assert_int_equal(group->flags, XT_GROUP_EVICTED);
    assert_null(xt_joiner_next(joiner, 0));
    xt_joiner_free(joiner);
}

static void test_bound_of_a_group(void **state)
{
    xt_joiner *joiner = joiner_of((xt_joiner_settings){.max_group_bytes = 10000});
    xt_record record = long_record(1, 4000);
    for (int i = 0; i < 5; i++)
        assert_int_equal(xt_joiner_push(joiner, &record, 0), 0);
    record.body.n = 1; /* would fit, but what is kept has no holes */
    assert_int_equal(xt_joiner_push(joiner, &record, 0), 0);
    record.type = EOE;
    assert_int_equal(xt_joiner_push(joiner, &record, 0), 0);
    const xt_group *group = xt_joiner_next(joiner, 0);
    assert_int_equal(group->n_records, 2);
    assert_int_equal(group->n_dropped, 4);
    assert_int_equal(group->flags, XT_GROUP_EOE | XT_GROUP_TRUNCATED);
    assert_int_equal(xt_joiner_stats_get(joiner).n_truncated, 1);
    xt_joiner_free(joiner);
}

/* Of every size up to far above a block, text and enrichment come back; a group of 16 MiB does too. */
static void test_sizes(void **state)
{
    xt_joiner *joiner = joiner_plain();
    for (uint32_t serial = 1; serial < 40; serial++) {
        for (uint32_t i = 0; i < 30; i++) {
            xt_record record = long_record(serial, (serial * 2500 + i * 177) % 100000);
            record.enriched = xt_slice_of(record.body.p, i);
            assert_int_equal(xt_joiner_push(joiner, &record, 0), 0);
        }
        xt_record end = {.type = EOE, .serial = serial, .time_ms = 1};
        assert_int_equal(xt_joiner_push(joiner, &end, 0), 0);
        const xt_group *group = xt_joiner_next(joiner, 0);
        assert_int_equal(group->n_records, 30);
        for (uint32_t i = 0; i < 30; i++) {
            xt_record want = long_record(serial, (serial * 2500 + i * 177) % 100000);
            assert_true(xt_slice_eq(group->records[i].body, want.body));
            assert_int_equal(group->records[i].enriched.n, i);
            assert_ptr_not_equal(group->records[i].body.p, want.body.p);
        }
    }
    xt_joiner_free(joiner);
}

/* What was given out stays valid while more is pushed. */
static void test_given_group_stays(void **state)
{
    xt_joiner *joiner = joiner_plain();
    assert_int_equal(push(joiner, USER_CMD, 1, 0), 0);
    const xt_group *group = xt_joiner_next(joiner, 0);
    xt_slice body = group->records[0].body;
    for (uint32_t serial = 2; serial < 50; serial++)
        assert_int_equal(push(joiner, USER_CMD, serial, 0), 0);
    assert_true(xt_slice_eq(body, XT_S("t=1123")));
    assert_int_equal(group->serial, 1);
    xt_joiner_free(joiner); /* with groups that nobody took */
}

/* Serials that come down: no group is ended by a later one, and the list of waiting ones stays cheap to keep. */
static void test_descending(void **state)
{
    xt_joiner *joiner = joiner_plain();
    for (uint32_t serial = 5000; serial > 0; serial--) {
        assert_int_equal(push(joiner, SYSCALL, serial, 0), 0);
        assert_int_equal(push(joiner, PROCTITLE, serial, 0), 0);
    }
    check_next(joiner, 0, "");
    assert_int_equal(push(joiner, SYSCALL, 5001, 0), 0);
    for (uint32_t serial = 1; serial <= 5000; serial++)
        assert_int_equal(xt_joiner_next(joiner, 0)->serial, serial);
    check_next(joiner, 0, "");
    xt_joiner_free(joiner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eoe),
        cmocka_unit_test(test_interleaved),
        cmocka_unit_test(test_proctitle_and_later_serial),
        cmocka_unit_test(test_serial_wraps),
        cmocka_unit_test(test_single_types),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_same_serial_at_another_time),
        cmocka_unit_test(test_bound_of_groups),
        cmocka_unit_test(test_bound_of_bytes),
        cmocka_unit_test(test_bound_of_a_group),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_given_group_stays),
        cmocka_unit_test(test_descending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "agent/flood.h"

typedef struct command {
    const char *action, *exe, *cwd;
    uint64_t uid;
} command;

static const command usual = {"executed", "/usr/bin/ls", "/srv", 1000};

/* Its times, serials and pids are all different. */
static bool take(xt_flood *flood, const command *c, unsigned i, int64_t now_ms)
{
    xt_buf bytes = XT_BUF_INIT;
    char entity[17];
    xt_event event;
    xt_event_reset(&event);
    snprintf(entity, sizeof entity, "%016x", i);
    xt_event_set_num(&event, XT_F_TIME, 1700000000000 + i);
    xt_event_set_num(&event, XT_F_SERIAL, i);
    xt_event_set_bytes(&event, XT_F_ACTION, xt_slice_str(c->action));
    xt_event_set_num(&event, XT_F_UID, c->uid);
    xt_event_set_num(&event, XT_F_PID, 100 + i);
    xt_event_set_num(&event, XT_F_PPID, 50 + i);
    xt_event_set_bytes(&event, XT_F_PARENT_ENTITY, xt_slice_str(entity));
    xt_event_set_bytes(&event, XT_F_EXE, xt_slice_str(c->exe));
    xt_event_set_bytes(&event, XT_F_CWD, xt_slice_str(c->cwd));
    xt_event_encode(&event, &bytes);
    bool taken = xt_flood_take(flood, xt_buf_slice(&bytes), now_ms);
    xt_buf_fini(&bytes);
    return taken;
}

static void test_counts(void **state)
{
    xt_flood *flood;
    xt_buf out = XT_BUF_INIT;
    xt_event event;
    unsigned n_taken = 0;
    assert_int_equal(xt_flood_new(&flood), 0);
    for (unsigned i = 0; i < 1000; i++)
        n_taken += take(flood, &usual, i, 1000 + i);
    assert_int_equal(n_taken, 1000 - XT_FLOOD_PASS);
    assert_int_equal(xt_flood_put(flood, 5000, false, &out), 0);
    assert_int_equal(xt_flood_put(flood, 1000 + XT_FLOOD_MS, false, &out), 1);
    xt_slice rest = xt_buf_slice(&out), bytes;
    assert_true(xt_event_batch_next(&rest, &bytes));
    assert_int_equal(xt_event_decode(bytes, &event, NULL), 0);
    assert_true(xt_slice_eq(xt_event_bytes(&event, XT_F_ACTION), XT_S("flood")));
    assert_true(xt_slice_eq(xt_event_bytes(&event, XT_F_REASON), XT_S("executed")));
    assert_true(xt_slice_eq(xt_event_bytes(&event, XT_F_CWD), XT_S("/srv")));
    assert_int_equal(xt_event_num(&event, XT_F_COUNT, 0), n_taken);
    assert_int_equal(xt_event_num(&event, XT_F_START, 0), 1700000000000 + XT_FLOOD_PASS);
    assert_int_equal(xt_event_num(&event, XT_F_TIME, 0), 1700000000999);
    assert_int_equal(xt_event_num(&event, XT_F_UID, 0), 1000);
    assert_false(xt_event_has(&event, XT_F_PID) || xt_event_has(&event, XT_F_PARENT_ENTITY));
    /* Another turn: the first ones go on again. */
    for (unsigned i = 0; i < XT_FLOOD_PASS; i++)
        assert_false(take(flood, &usual, i, 12000));
    assert_true(take(flood, &usual, 99, 12000));
    assert_int_equal(xt_flood_put(flood, 12001, true, &out), 1);
    assert_int_equal(xt_flood_put(flood, 12001, true, &out), 0);
    assert_int_equal(xt_flood_counted(flood), n_taken + 1);
    xt_buf_fini(&out);
    xt_flood_free(flood);
}

/* What differs in anything that matters is another kind; what comes slowly is no storm; other events are never counted. */
static void test_what_is_no_storm(void **state)
{
    const command others[] = {{"executed", "/usr/bin/ls", "/", 1000},
                              {"executed", "/usr/bin/id", "/srv", 1000},
                              {"executed", "/usr/bin/ls", "/srv", 0},
                              {"exited", "/usr/bin/ls", "/srv", 1000}};
    const command login = {"logged-in", "/usr/sbin/sshd", "/", 0};
    xt_flood *flood;
    assert_int_equal(xt_flood_new(&flood), 0);
    for (unsigned i = 0; i < XT_FLOOD_PASS; i++) {
        assert_false(take(flood, &usual, i, 1000));
        for (size_t k = 0; k < XT_COUNT_OF(others); k++)
            assert_false(take(flood, &others[k], i, 1000));
    }
    for (unsigned i = 0; i < 200; i++) {
        assert_false(take(flood, &login, i, 2000));
        assert_false(take(flood, &(command){"executed", "/usr/bin/cron-job", "/", 0}, i, 1000 + i * 1000));
    }
    assert_true(take(flood, &usual, 900, 2000));
    assert_false(xt_flood_take(flood, XT_S("no event"), 2000));
    /* More kinds than there is room for: all go on. */
    for (unsigned i = 0; i < 3 * XT_FLOOD_KINDS; i++)
        assert_false(take(flood, &(command){"executed", "/bin/x", "/", 5000 + i}, i, 3000));
    xt_flood_free(flood);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_what_is_no_storm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

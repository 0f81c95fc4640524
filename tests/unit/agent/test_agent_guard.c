/* When what others changed of audit is set back, and what `protect` asks of the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/audit_guard.h"
#include "agent/cpu_brake.h"
#include "agent/protect.h"

static void test_at_once_then_later_and_later(void **state)
{
    xt_guard guard = {0};
    int64_t now_ms = 5, wait_ms = XT_GUARD_WAIT_MS;
    assert_int_equal(xt_guard_next(&guard, XT_WATCH_RULES, false, now_ms), XT_GUARD_NOTHING);
    for (unsigned i = 0; i < 12; i++) {
        assert_int_equal(xt_guard_next(&guard, XT_WATCH_RULES, true, now_ms), XT_GUARD_REPAIR);
        assert_int_equal(xt_guard_tried(&guard, XT_WATCH_RULES, true, now_ms), wait_ms);
        assert_int_equal(xt_guard_next(&guard, XT_WATCH_RULES, false, now_ms + 1), XT_GUARD_NOTHING);
        assert_int_equal(xt_guard_next(&guard, XT_WATCH_RULES, true, now_ms + 2), XT_GUARD_WAIT);
        assert_int_equal(xt_guard_next(&guard, XT_WATCH_RULES, true, now_ms + wait_ms - 1), XT_GUARD_NOTHING);
        assert_int_equal(xt_guard_wait_ms(&guard, XT_WATCH_RULES, now_ms + wait_ms - 1), 1);
        now_ms += wait_ms;
        wait_ms = 2 * wait_ms < XT_GUARD_MAX_WAIT_MS ? 2 * wait_ms : XT_GUARD_MAX_WAIT_MS;
    }
    assert_int_equal(guard.n_repaired, 12);
}

static void test_peace_forgets(void **state)
{
    xt_guard guard = {0};
    assert_int_equal(xt_guard_tried(&guard, XT_WATCH_SWITCH, true, 0), XT_GUARD_WAIT_MS);
    assert_int_equal(xt_guard_tried(&guard, XT_WATCH_SWITCH, false, 20000), 2 * XT_GUARD_WAIT_MS);
    assert_int_equal(guard.n_repaired, 1);
    /* another one does not wait for this one */
    assert_int_equal(xt_guard_next(&guard, XT_WATCH_BACKLOG, true, 20001), XT_GUARD_REPAIR);
    assert_int_equal(xt_guard_next(&guard, XT_WATCH_SWITCH, true, 20000 + XT_GUARD_MAX_WAIT_MS), XT_GUARD_REPAIR);
    assert_int_equal(xt_guard_tried(&guard, XT_WATCH_SWITCH, true, 20000 + XT_GUARD_MAX_WAIT_MS), XT_GUARD_WAIT_MS);
}

static void test_limits(void **state)
{
    const uint64_t gib = 1ULL << 30;
    xt_protect_limits host = xt_protect_limits_of(XT_PROTECT_HOST, 64 * gib, 250);
    xt_protect_limits record = xt_protect_limits_of(XT_PROTECT_RECORD, 64 * gib, 250);
    assert_int_equal(host.wait_ticks, 0);
    assert_int_equal(record.wait_ticks, 250);
    assert_int_equal(xt_protect_limits_of(XT_PROTECT_RECORD, gib, 100).wait_ticks, 100);
    assert_true(record.audit_bytes > host.audit_bytes);
    for (uint64_t bytes = gib / 4; bytes <= 1024 * gib;
         bytes *= 2) { /* twice the sockets, and 2.3 KB a record of the backlog */
        xt_protect_limits limits = xt_protect_limits_of(XT_PROTECT_RECORD, bytes, 1000);
        assert_true(2 * (limits.audit_bytes + limits.connector_bytes) + 2304ULL * limits.backlog_limit <= bytes / 4);
        assert_int_equal(limits.wait_ticks, 1000);
    }
    assert_string_equal(xt_protect_name(XT_PROTECT_HOST), "host");
    assert_string_equal(xt_protect_name(XT_PROTECT_RECORD), "record");
    assert_true(xt_protect_limits_get(XT_PROTECT_RECORD).wait_ticks >= 100);
}

static void test_brake(void **state)
{
    xt_brake brake = {.limit = 20};
    uint64_t cpu_us = 7000000;
    int64_t now_ms = 1000;
    assert_int_equal(xt_brake_turn(&brake, cpu_us, now_ms), 0);
    assert_int_equal(xt_brake_turn(&brake, cpu_us + 9000000, now_ms + 500), 0); /* too soon to say */
    assert_int_equal(xt_brake_turn(&brake, cpu_us += 1100000, now_ms += 5000), 1);
    assert_int_equal(brake.percent, 22);
    assert_int_equal(xt_brake_turn(&brake, cpu_us += 1050000, now_ms += 5000), 1);
    assert_int_equal(brake.step, XT_BRAKE_CONTEXT);
    assert_int_equal(xt_brake_turn(&brake, cpu_us += 2000000, now_ms += 5000), 0); /* there is no more to leave out */
    for (int64_t calm_ms = 0; calm_ms <= XT_BRAKE_CALM_MS - 5000; calm_ms += 5000)
        assert_int_equal(xt_brake_turn(&brake, cpu_us += 500000, now_ms += 5000), 0);
    assert_int_equal(xt_brake_turn(&brake, cpu_us += 800000, now_ms += 5000), 0); /* 16: below, and not well below */
    for (int64_t calm_ms = 0; calm_ms < XT_BRAKE_CALM_MS; calm_ms += 5000)
        assert_int_equal(xt_brake_turn(&brake, cpu_us += 500000, now_ms += 5000), 0);
    assert_int_equal(xt_brake_turn(&brake, cpu_us += 500000, now_ms += 5000), -1);
    assert_int_equal(brake.step, XT_BRAKE_ENDS);
    for (unsigned step = 0; step < XT_BRAKE_STEPS; step++)
        assert_non_null(xt_brake_sentence(step));
    brake.limit = 0; /* taken away: all of it ends at once */
    assert_int_equal(xt_brake_turn(&brake, cpu_us += 500000, now_ms += 5000), -1);
    assert_int_equal(brake.step, XT_BRAKE_NONE);
    xt_brake none = {0};
    assert_int_equal(xt_brake_turn(&none, 0, 1) + xt_brake_turn(&none, 99000000, 9001), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_once_then_later_and_later),
        cmocka_unit_test(test_peace_forgets),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_brake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

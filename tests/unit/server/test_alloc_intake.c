/* Memory that is refused while something of a sender is taken: it is sent again then, and is there once. */
#include "server/intake.h"

#include "server_fixture.h"

#include "../alloc_faults.h"
#include "server/app_parts.h"

static fixture *f;
static xt_intake *intake;
static unsigned serial;

static uint64_t count_stored(void)
{
    xt_store_stats stats;
    assert_int_equal(xt_intake_settle(intake, 30000), 0);
    assert_int_equal(xt_store_stats_get(xt_app_store(f->app), &stats), 0);
    return stats.n_events;
}

/* One command of a new serial, and a message of the next: both are whole then. */
static int feed_lines(void)
{
    static const struct {
        const char *type, *rest;
    } lines[] = {
        {"SYSCALL",
         "arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=1 pid=2 comm=\"x\" exe=\"/bin/x\" key=(null)"},
        {"EXECVE", "argc=2 a0=\"x\" a1=\"evil\""},
        {"PROCTITLE", "proctitle=\"x\""},
        {"USER_LOGIN", "pid=1 uid=0 auid=0 ses=1 msg='op=login res=success'"},
    };
    int r = 0;
    for (unsigned i = 0; i < XT_COUNT_OF(lines) && r >= 0; i++) {
        char line[300];
        snprintf(line, sizeof line, "type=%s msg=audit(1700000000.12%u:%u): %s", lines[i].type, i / 3, serial + i / 3,
                 lines[i].rest);
        r = xt_intake_line_kept(intake, XT_S("web"), xt_slice_str(line));
    }
    return r < 0 ? r : 0;
}

static int feed_event(void)
{
    xt_event event;
    xt_arena arena;
    xt_arena_init(&arena, 1 << 20);
    xt_event_reset(&event);
    xt_event_set_bytes(&event, XT_F_HOST, XT_S("beat"));
    xt_event_set_num(&event, XT_F_TIME, (uint64_t)T0);
    xt_event_set_num(&event, XT_F_SERIAL, serial);
    xt_event_set_bytes(&event, XT_F_ACTION, XT_S("executed"));
    int r = xt_intake_event(intake, &event, &arena);
    xt_arena_fini(&arena);
    return r;
}

/* The Nth request of memory is refused, for each N that there is; and what comes behind it is not. */
static unsigned each_refusal(int (*feed)(void), uint64_t n_each)
{
    unsigned n_refused = 0;
    for (unsigned n = 1;; n++, serial += 2) {
        uint64_t before = count_stored();
        alloc_faults.fail_at = n;
        alloc_faults.n_calls = 0;
        alloc_faults.is_armed = true;
        int r = feed();
        bool failed = alloc_has_failed();
        alloc_faults.is_armed = false;
        if (failed)
            n_refused++;
        if (r) {
            assert_int_equal(r, -ENOMEM);
            assert_int_equal(feed(), 0); /* the sender has heard of it */
        }
        uint64_t stored = count_stored() - before;
        if (stored != n_each)
            fail_msg("request %u refused: %lu events instead of %lu", n, (unsigned long)stored, (unsigned long)n_each);
        if (!failed)
            return n_refused;
    }
}

static void lines(void **state)
{
    f = *state;
    fixture_open(f);
    assert_int_equal(xt_app_intake(f->app, &intake), 0);
    serial = 1000;
    assert_true(each_refusal(feed_lines, 2) > 0);
    fixture_close(f);
}

static void events(void **state)
{
    f = *state;
    fixture_open(f);
    assert_int_equal(xt_app_intake(f->app, &intake), 0);
    serial = 1000;
    assert_true(each_refusal(feed_event, 1) > 0);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(events, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

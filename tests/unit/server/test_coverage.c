/* Heartbeats one after the other, and what they show; times are small numbers, for only their differences matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/coverage.h"

#define S INT64_C(1000)
#define T (1000000 * S)

static xt_heartbeat beat_of(uint64_t run, int64_t unbroken_s, int64_t age_s)
{
    return (xt_heartbeat){.enabled = 1,
                          .audit_mode = XT_S("owner"),
                          .state = XT_BEAT_WATCHING,
                          .process = 1,
                          .run = run,
                          .unbroken_ms = (uint64_t)(unbroken_s * S),
                          .age_ms = (uint64_t)(age_s * S)};
}

static void assert_gap(const xt_gap *gap, xt_gap_kind kind, int64_t from_ms, int64_t to_ms, uint64_t n)
{
    assert_int_equal(gap->kind, kind);
    assert_int_equal(gap->from_ms - T, from_ms - T);
    assert_int_equal(gap->to_ms - T, to_ms - T);
    assert_int_equal(gap->n, n);
}

static void an_unbroken_run_has_no_gap(void **state)
{
    xt_coverage c = {.first_ms = 0};
    xt_gap gaps[XT_GAPS_AT_ONCE];
    xt_heartbeat beat = beat_of(7, 10, 0);

    assert_int_equal(xt_coverage_beat(&c, &beat, T, gaps), 0);
    assert_int_equal(c.first_ms, T - 10 * S);
    beat = beat_of(7, 15, 0);
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 5 * S, gaps), 0);
    beat = beat_of(7, 3615, 0); /* an hour without a connection */
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 3605 * S, gaps), 0);
    assert_int_equal(c.to_ms, T + 3605 * S);
    assert_int_equal(xt_coverage_ends(&c, T, T + 3605 * S, T + 3610 * S, gaps), 0);
}

static void a_restart_is_a_gap(void **state)
{
    xt_coverage c = {.first_ms = 0};
    xt_gap gaps[XT_GAPS_AT_ONCE];
    xt_heartbeat beat = beat_of(7, 10, 0);

    assert_int_equal(xt_coverage_beat(&c, &beat, T, gaps), 0);
    beat = beat_of(8, 5, 0);
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 30 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_SILENT, T, T + 25 * S, 0);
    beat = beat_of(9, 0, 40); /* kept while there was no connection */
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 100 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_SILENT, T + 30 * S, T + 60 * S, 0);
    beat = beat_of(10, 20, 0);
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 100 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_SILENT, T + 60 * S, T + 80 * S, 0);
}

static void the_switch_off_is_told_from_silence(void **state)
{
    xt_coverage c = {.first_ms = 0};
    xt_gap gaps[XT_GAPS_AT_ONCE];
    xt_heartbeat beat = beat_of(7, 0, 0), off = beat_of(0, 0, 0);

    off.state = XT_BEAT_OFF;
    assert_int_equal(xt_coverage_beat(&c, &beat, T, gaps), 0);
    assert_int_equal(xt_coverage_beat(&c, &off, T + 5 * S, gaps), 0);
    assert_int_equal(xt_coverage_ends(&c, T, T + 8 * S, T + 8 * S, gaps), 1); /* at once, not only when it is over */
    assert_gap(&gaps[0], XT_GAP_OFF, T, T + 8 * S, 0);
    beat = beat_of(8, 0, 0);
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 10 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_OFF, T, T + 10 * S, 0);
    off.state = XT_BEAT_TAKEN;
    assert_int_equal(xt_coverage_beat(&c, &off, T + 15 * S, gaps), 0);
    beat = beat_of(9, 0, 0);
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 20 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_TAKEN, T + 10 * S, T + 20 * S, 0);
}

static void losses_are_counted_once(void **state)
{
    xt_coverage c = {.first_ms = 0};
    xt_gap gaps[XT_GAPS_AT_ONCE];
    xt_heartbeat beat = beat_of(7, 0, 0);

    beat.lost = 100; /* of which 98 before the agent began */
    beat.lost_since_start = 2;
    assert_int_equal(xt_coverage_beat(&c, &beat, T, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_KERNEL, T, T, 2);
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 5 * S, gaps), 0);
    beat.lost = 110;
    beat.n_unread = 3;
    beat.n_truncated = 1;
    beat.spool_dropped_events = 50;
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 10 * S, gaps), 3);
    assert_gap(&gaps[0], XT_GAP_KERNEL, T + 5 * S, T + 10 * S, 10);
    assert_gap(&gaps[1], XT_GAP_AGENT, T + 5 * S, T + 10 * S, 4);
    assert_gap(&gaps[2], XT_GAP_SPOOL, T + 5 * S, T + 10 * S, 50);
    beat.lost = 4; /* auditctl --reset-lost, and four more */
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 15 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_KERNEL, T + 10 * S, T + 15 * S, 4);
    beat.process = 2; /* a start: what the agent itself counts begins anew */
    beat.n_unread = 5;
    beat.n_truncated = 0;
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 20 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_AGENT, T + 15 * S, T + 20 * S, 5);
}

static void unaudited_execs_are_a_gap(void **state)
{
    xt_coverage c = {.first_ms = 0}, back;
    xt_gap gaps[XT_GAPS_AT_ONCE];
    xt_heartbeat beat = beat_of(7, 0, 0);
    xt_buf out = XT_BUF_INIT;

    assert_int_equal(xt_coverage_beat(&c, &beat, T, gaps), 0);
    beat.n_exec_unaudited = 9; /* explained ones do not count */
    beat.n_exec_unexplained = 3;
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 5 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_UNAUDITED, T, T + 5 * S, 3);
    beat.n_exec_unexplained = 2; /* audit's event came late */
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 10 * S, gaps), 0);
    xt_coverage_put(&c, &out);
    xt_coverage_get(xt_buf_slice(&out), &back);
    assert_int_equal(back.n_unaudited, 2);
    assert_int_equal(xt_coverage_beat(&back, &beat, T + 15 * S, gaps), 0);
    xt_coverage_get(xt_slice_head(xt_buf_slice(&out), out.n - 6), &back); /* of a server that did not know it */
    assert_int_equal(back.beat_ms, T + 10 * S);
    assert_int_equal(back.n_unaudited, 0);
    xt_buf_fini(&out);
}

/* Up to when it came back: the time since the one that came back last is not known to be whole. */
static void a_lost_canary_is_a_gap_until_one_is_back(void **state)
{
    xt_coverage c = {.first_ms = 0};
    xt_gap gaps[XT_GAPS_AT_ONCE];
    xt_heartbeat beat = beat_of(7, 0, 0);

    beat.time_ms = 5000 * S; /* by the host's own clock */
    beat.canary_ms = 4980 * S;
    assert_int_equal(xt_coverage_beat(&c, &beat, T, gaps), 0);
    beat.time_ms = 5045 * S;
    beat.n_canary_lost = 1;
    beat.canary_is_lost = 1;
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 45 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_CANARY, T - 20 * S, T + 45 * S, 1);
    beat.time_ms = 5050 * S; /* still */
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 50 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_CANARY, T + 45 * S, T + 50 * S, 0);
    beat.time_ms = 5055 * S; /* it is back, and the time up to then counts */
    beat.canary_ms = 5053 * S;
    beat.canary_is_lost = 0;
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 55 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_CANARY, T + 50 * S, T + 55 * S, 0);
    beat.time_ms = 5060 * S;
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 60 * S, gaps), 0);
    beat.time_ms = 5065 * S; /* lost and back between two heartbeats, and the clock was set far back */
    beat.canary_ms = 64 * S;
    beat.time_ms = 65 * S;
    beat.n_canary_lost = 2;
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 65 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_CANARY, T + 60 * S, T + 65 * S, 1);
    beat.process = 2; /* a start counts anew */
    beat.n_canary_lost = 0;
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 70 * S, gaps), 0);
}

static void a_planned_stop_is_told_from_silence(void **state)
{
    xt_coverage c = {.first_ms = 0};
    xt_gap gaps[XT_GAPS_AT_ONCE];
    xt_heartbeat beat = beat_of(7, 0, 0), stopped = beat_of(0, 0, 0);

    stopped.state = XT_BEAT_STOPPED;
    assert_int_equal(xt_coverage_beat(&c, &beat, T, gaps), 0);
    assert_int_equal(xt_coverage_beat(&c, &stopped, T + 2 * S, gaps), 0);
    assert_int_equal(xt_coverage_ends(&c, T, T + 4 * S, T + 4 * S, gaps), 1); /* at once */
    assert_gap(&gaps[0], XT_GAP_STOPPED, T, T + 4 * S, 0);
    beat = beat_of(8, 0, 0);
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 90 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_STOPPED, T, T + 90 * S, 0);
    beat = beat_of(9, 0, 0); /* killed */
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 99 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_SILENT, T + 90 * S, T + 99 * S, 0);
}

/* What the disk never had an agent counts anew when it starts; the spool's own count goes on. */
static void drops_are_counted_once_over_a_start(void **state)
{
    xt_coverage c = {.first_ms = 0};
    xt_gap gaps[XT_GAPS_AT_ONCE];
    xt_heartbeat beat = beat_of(7, 0, 0);

    assert_int_equal(xt_coverage_beat(&c, &beat, T, gaps), 0);
    beat.spool_dropped_events = 105;
    beat.n_unspooled = 5;
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 5 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_SPOOL, T, T + 5 * S, 105);
    beat.process = 2;
    beat.spool_dropped_events = 103; /* three more from the spool, none of the memory's */
    beat.n_unspooled = 0;
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 10 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_SPOOL, T + 5 * S, T + 10 * S, 3);
    beat.spool_dropped_events = 104;
    beat.n_unspooled = 1;
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 15 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_SPOOL, T + 10 * S, T + 15 * S, 1);
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 20 * S, gaps), 0);
}

/* The time before the heartbeat before this one is part of it, where they may have been made then. */
static void unseen_events_are_a_gap_since_they_were_made(void **state)
{
    xt_coverage c = {.first_ms = 0};
    xt_gap gaps[XT_GAPS_AT_ONCE];
    xt_heartbeat beat = beat_of(7, 0, 0);

    assert_int_equal(xt_coverage_beat(&c, &beat, T, gaps), 0);
    beat.n_unseen = 40;
    beat.unseen_ms = 12 * S;
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 5 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_UNSEEN, T - 7 * S, T + 5 * S, 40);
    beat.n_unseen = 38; /* two came after all */
    beat.unseen_ms = 17 * S;
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 10 * S, gaps), 0);
    beat.n_unseen = 39;
    beat.unseen_ms = 1 * S; /* never shorter than the heartbeats are apart */
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 15 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_UNSEEN, T + 10 * S, T + 15 * S, 1);
    xt_coverage_hello(&c, true, c.stream, T + 20 * S, gaps); /* another boot counts anew */
    beat.n_unseen = 2;
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 25 * S, gaps), 1);
    assert_int_equal(gaps[0].n, 2);
}

static void a_boot_and_a_stream_begin_anew(void **state)
{
    xt_coverage c = {.first_ms = 0};
    xt_gap gaps[XT_GAPS_AT_ONCE];
    xt_hash128 stream = {{1}}, other = {{2}};
    xt_heartbeat beat = beat_of(7, 0, 0);

    assert_int_equal(xt_coverage_hello(&c, true, stream, T - S, gaps), 0);
    beat.lost = 9;
    beat.spool_batches = 3;
    beat.spool_dropped_events = 9;
    assert_int_equal(xt_coverage_beat(&c, &beat, T, gaps), 1);
    assert_int_equal(xt_coverage_hello(&c, true, stream, T + 2 * S, gaps), 0);
    beat.lost = 10; /* all of them since the boot */
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 3 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_KERNEL, T, T + 3 * S, 10);
    assert_int_equal(xt_coverage_hello(&c, false, other, T + 4 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_STREAM, T + 3 * S, T + 4 * S, 3);
    beat.spool_dropped_events = 10;
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 5 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_SPOOL, T + 3 * S, T + 5 * S, 10);
}

static void what_cannot_be_proved_is_not(void **state)
{
    xt_coverage c = {.first_ms = 0};
    xt_gap gaps[XT_GAPS_AT_ONCE];
    xt_heartbeat beat = beat_of(7, 0, 0);

    assert_int_equal(xt_coverage_ends(&c, T, T + S, T + 2 * S, gaps), 1); /* there never was a heartbeat */
    assert_gap(&gaps[0], XT_GAP_SILENT, T, T + S, 0);
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 10 * S, gaps), 0);
    beat.audit_mode = XT_S("multicast");
    beat.blind = XT_S("-a never,exit -S execve");
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 15 * S, gaps), 2);
    assert_gap(&gaps[0], XT_GAP_BLIND, T + 10 * S, T + 15 * S, 0);
    assert_gap(&gaps[1], XT_GAP_MODE, T + 10 * S, T + 15 * S, 0);
    assert_int_equal(xt_coverage_ends(&c, T, T + 90 * S, T + 60 * S, gaps), 2);
    assert_gap(&gaps[0], XT_GAP_SILENT, T, T + 10 * S, 0);
    assert_gap(&gaps[1], XT_GAP_SILENT, T + 15 * S, T + 60 * S, 0);
}

static void an_old_agent_is_judged_by_its_rhythm(void **state)
{
    xt_coverage c = {.first_ms = 0};
    xt_gap gaps[XT_GAPS_AT_ONCE];
    xt_heartbeat beat = {.enabled = 1, .audit_mode = XT_S("owner")};

    assert_int_equal(xt_coverage_beat(&c, &beat, T, gaps), 0);
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 5 * S, gaps), 0);
    assert_int_equal(xt_coverage_beat(&c, &beat, T + 30 * S, gaps), 1);
    assert_gap(&gaps[0], XT_GAP_SILENT, T + 5 * S, T + 30 * S, 0);
}

static void it_is_written_and_read(void **state)
{
    xt_coverage c = {.first_ms = T,
                     .to_ms = T + 1,
                     .beat_ms = T + 2,
                     .settled_ms = T + 3,
                     .run = UINT64_MAX,
                     .process = 5,
                     .state = 2,
                     .lost = 7,
                     .n_unread = 8,
                     .n_dropped = 9,
                     .n_waiting = 10,
                     .n_unaudited = 12,
                     .n_unseen = 13,
                     .n_unspooled = 14,
                     .n_canary_lost = 15,
                     .canary_ms = 16,
                     .is_canary_lost = 1,
                     .stream = {{11}}},
                back;
    char bytes[256];
    xt_buf out = XT_BUF_ON(bytes);

    xt_coverage_put(&c, &out);
    assert_int_equal(xt_buf_done(&out), 0);
    xt_coverage_get(xt_buf_slice(&out), &back);
    assert_memory_equal(&c, &back, sizeof c);
    xt_coverage_get(xt_slice_head(xt_buf_slice(&out), out.n - 7), &back); /* the last six may be missing, no other */
    assert_int_equal(back.first_ms, 0);
    xt_coverage_get(XT_S(""), &back);
    assert_int_equal(back.first_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unbroken_run_has_no_gap),
        cmocka_unit_test(a_restart_is_a_gap),
        cmocka_unit_test(the_switch_off_is_told_from_silence),
        cmocka_unit_test(losses_are_counted_once),
        cmocka_unit_test(unaudited_execs_are_a_gap),
        cmocka_unit_test(a_lost_canary_is_a_gap_until_one_is_back),
        cmocka_unit_test(a_planned_stop_is_told_from_silence),
        cmocka_unit_test(drops_are_counted_once_over_a_start),
        cmocka_unit_test(unseen_events_are_a_gap_since_they_were_made),
        cmocka_unit_test(a_boot_and_a_stream_begin_anew),
        cmocka_unit_test(what_cannot_be_proved_is_not),
        cmocka_unit_test(an_old_agent_is_judged_by_its_rhythm),
        cmocka_unit_test(it_is_written_and_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

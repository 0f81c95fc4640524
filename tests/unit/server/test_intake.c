#include "server/intake.h"

#include <pthread.h>

#include "server_fixture.h"

#include "server/app_parts.h"
#include "server/import_known.h"
#include "server/intake_private.h"
#include "server/sender_tokens.h"

enum { THREADS = 4, LINES = 600 };

static uint64_t count_stored(fixture *f)
{
    xt_store_stats stats;
    assert_int_equal(xt_store_stats_get(xt_app_store(f->app), &stats), 0);
    return stats.n_events;
}

static xt_intake *intake_of(fixture *f)
{
    xt_intake *intake = NULL;
    assert_int_equal(xt_app_intake(f->app, &intake), 0);
    return intake;
}

static void login(char line[static 200], unsigned serial)
{
    snprintf(line, 200,
             "type=USER_LOGIN msg=audit(1700000000.123:%u): pid=1 uid=0 auid=0 ses=1 msg='op=login res=success'",
             serial);
}

typedef struct feeder {
    fixture *f;
    unsigned number;
} feeder;

/* Of each line, two threads bring the same; some ask for an answer in between. */
static void *feed(void *context)
{
    feeder *of = context;
    xt_intake *intake = intake_of(of->f);
    char line[200], host[16];
    snprintf(host, sizeof host, "h%u", of->number / 2);
    for (unsigned i = 0; i < LINES; i++) {
        login(line, i);
        if (of->number % 2 ? xt_intake_line_kept(intake, xt_slice_str(host), xt_slice_str(line)) < 0
                           : xt_intake_line(intake, xt_slice_str(host), xt_slice_str(line)) < 0)
            abort();
        if (i % 100 == 99 && xt_intake_keep(intake, 30000) != 0)
            abort();
    }
    return NULL;
}

static void many_threads_store_each_event_once(void **state)
{
    fixture *f = *state;
    pthread_t threads[THREADS];
    feeder feeders[THREADS];
    fixture_open(f);
    for (unsigned i = 0; i < THREADS; i++) {
        feeders[i] = (feeder){f, i};
        assert_int_equal(pthread_create(&threads[i], NULL, feed, &feeders[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(xt_intake_settle(intake_of(f), 30000), 0);
    xt_intake_stats stats = xt_intake_stats_get(intake_of(f));
    assert_int_equal(stats.n_stored, THREADS / 2 * LINES);
    assert_int_equal(stats.senders.n_repeated, THREADS / 2 * LINES);
    assert_int_equal(stats.n_refused, 0);
    assert_int_equal(count_stored(f), THREADS / 2 * LINES);
    fixture_close(f);
}

/* What was stored is known after a restart, when neither lines nor ids are remembered any more; by whatever way it came. */
static void what_the_store_has_is_left_out(void **state)
{
    fixture *f = *state;
    char line[200];
    fixture_open(f);
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 10; i++) {
            login(line, i);
            assert_int_equal(xt_intake_line(intake_of(f), XT_S("web"), xt_slice_str(line)), 0);
        }
        assert_int_equal(xt_intake_settle(intake_of(f), 30000), 0);
        assert_int_equal(count_stored(f), 10);
        assert_int_equal(xt_intake_stats_get(intake_of(f)).n_known, round ? 10 : 0);
        fixture_close(f);
        fixture_open(f);
    }
    fixture_close(f);
}

#define SYSCALL                                                                                                   \
    "type=SYSCALL msg=audit(1700000000.123:7): arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=1 pid=2 " \
    "comm=\"x\" exe=\"/bin/x\" key=(null)"
#define EXECVE "type=EXECVE msg=audit(1700000000.123:7): argc=2 a0=\"x\" a1=\"evil\""

static int64_t count_rows(fixture *f)
{
    int64_t n = -1;
    assert_int_equal(
        xt_state_number(f->app->state, NULL, &n, "SELECT count(*) FROM open_records WHERE length(box) > 0", ""), 0);
    return n;
}

/* An event that the closing of the server found half is given out then; a kill, which keeps it, is in tests/e2e/test_bulk.py. */
static void what_waits_is_given_out_at_the_end(void **state)
{
    fixture *f = *state;
    fixture_open(f);
    assert_int_equal(xt_intake_line_kept(intake_of(f), XT_S("web"), XT_S(SYSCALL)), 0);
    assert_int_equal(xt_intake_line_kept(intake_of(f), XT_S("web"), XT_S(EXECVE)), 0);
    assert_int_equal(xt_intake_keep(intake_of(f), 30000), 0);
    assert_int_equal(count_stored(f), 0);
    assert_int_equal(count_rows(f), 1);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(count_stored(f), 1);
    assert_int_equal(count_rows(f), 0);
    uint64_t n = 0; /* detection is on */
    assert_int_equal(xt_app_alerts_count(f->app, "open", &n, NULL), 0);
    assert_int_equal(n, 1);
    fixture_close(f);
}

/* When the event has been given out, what was kept of it goes. */
static void rows_go_with_what_they_are_of(void **state)
{
    fixture *f = *state;
    char line[200];
    fixture_open(f);
    assert_int_equal(xt_intake_line_kept(intake_of(f), XT_S("web"), XT_S(SYSCALL)), 0);
    assert_int_equal(xt_intake_keep(intake_of(f), 30000), 0);
    assert_int_equal(count_rows(f), 1);
    assert_int_equal(
        xt_intake_line(intake_of(f), XT_S("web"), XT_S("type=PROCTITLE msg=audit(1700000000.123:7): proctitle=\"x\"")),
        0);
    login(line, 8); /* a later one: the first is whole */
    assert_int_equal(xt_intake_line(intake_of(f), XT_S("web"), xt_slice_str(line)), 0);
    for (unsigned i = 0; i < 1500 && (count_stored(f) < 2 || count_rows(f) > 0); i++)
        usleep(20000);
    assert_int_equal(count_stored(f), 2);
    assert_int_equal(count_rows(f), 0);
    fixture_close(f);
}

/* What is known goes from events and index alike, so that whoever fails behind it can begin again. */
static void known_events_leave_no_trace(void **state)
{
    xt_intake_load l = {.n = 0};
    (void)state;
    for (unsigned round = 0; round < 64; round++) { /* each way of being known among six */
        xt_buf_reset(&l.events);
        xt_buf_reset(&l.index);
        char want[16] = "";
        for (unsigned i = 0; i < 6; i++) {
            xt_buf_printf(&l.events, "%.*s", (int)i, "aabbccddeeff" + 2 * i); /* the first is empty */
            xt_import_event entry = {.time_ms = i, .end = l.events.n, .known = round >> i & 1};
            xt_buf_put(&l.index, xt_slice_of(&entry, sizeof entry));
        }
        l.n = 6;
        xt_intake_drop_known(&l);
        size_t n_left = 6 - (size_t)__builtin_popcount(round);
        assert_int_equal(l.n, n_left);
        assert_int_equal(l.index.n, n_left * sizeof(xt_import_event));
        const xt_import_event *index = (const void *)l.index.p;
        size_t end = 0;
        for (unsigned i = 0, k = 0; i < 6; i++) {
            if (round >> i & 1)
                continue;
            snprintf(want, sizeof want, "%.*s", (int)i, "aabbccddeeff" + 2 * i);
            assert_int_equal(index[k].time_ms, i);
            assert_true(xt_slice_eq(xt_slice_of(l.events.p + end, index[k].end - end), xt_slice_str(want)));
            end = index[k++].end;
        }
        assert_int_equal(l.events.n, end);
        xt_intake_drop_known(&l); /* again: nothing changes */
        assert_int_equal(l.n, n_left);
        assert_int_equal(l.events.n, end);
    }
    xt_buf_fini(&l.events);
    xt_buf_fini(&l.index);
}

static int count_token(void *context, const xt_sender_token *token)
{
    (void)token;
    ++*(unsigned *)context;
    return 0;
}

static void tokens(void **state)
{
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf token = XT_BUF_INIT, second = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    unsigned n = 0;
    fixture_open(f);
    assert_int_equal(xt_app_sender_add(f->app, XT_S("beats"), &token, &problem), 0);
    assert_int_equal(xt_app_sender_add(f->app, XT_S("beats"), &second, &problem), XT_APP_E_INVALID);
    assert_int_equal(xt_app_sender_add(f->app, XT_S("a b"), &second, &problem), XT_APP_E_INVALID);
    assert_int_equal(xt_app_sender_add(f->app, XT_S("more"), &second, &problem), 0);
    assert_true(xt_app_may_send(f->app, xt_buf_slice(&token)));
    assert_false(xt_app_may_send(f->app, XT_S("")));
    assert_false(xt_app_may_send(f->app, XT_S("beats")));
    assert_int_equal(xt_app_senders_list(f->app, count_token, &n, &problem), 0);
    assert_int_equal(n, 2);
    char name[64];
    assert_int_equal(xt_app_role_of(f->app, XT_S_NULL, xt_buf_slice(&token), name), XT_ROLE_NONE);
    assert_int_equal(xt_app_sender_remove(f->app, XT_S("beats"), &problem), 0);
    assert_int_equal(xt_app_sender_remove(f->app, XT_S("beats"), &problem), XT_APP_E_NOT_FOUND);
    assert_false(xt_app_may_send(f->app, xt_buf_slice(&token)));
    assert_true(xt_app_may_send(f->app, xt_buf_slice(&second)));
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_threads_store_each_event_once, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_the_store_has_is_left_out, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_waits_is_given_out_at_the_end, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(rows_go_with_what_they_are_of, fixture_setup, fixture_teardown),
        cmocka_unit_test(known_events_leave_no_trace),
        cmocka_unit_test_setup_teardown(tokens, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

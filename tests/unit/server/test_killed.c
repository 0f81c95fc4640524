/* The server is killed under load again and again: what it acknowledged is there, once, and so are its alerts. */
#include "server_fixture.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { KILLS = 8, IN_FLIGHT = 16 };

/* What the child tells through shared memory, up to the moment of its death. */
typedef struct told {
    atomic_uint_least64_t acked;
    atomic_int n_done;
} told;

static void on_done(void *context, int outcome, uint64_t number)
{
    told *t = context;
    if (outcome == 0)
        atomic_store(&t->acked, number);
    atomic_fetch_add(&t->n_done, 1);
}

/* Every fifth event is one that a rule matches. */
static void load_until_killed(fixture *f, told *t)
{
    XT_CLEANUP(xt_buf_fini) xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT;
    fixture_stream s = {.stream = {{7}}};
    int n_sent = 0;

    if (xt_app_open(&f->settings, &f->app, NULL) ||
        xt_store_stream_get(xt_app_store(f->app), s.stream, &s.number, &s.chain))
        _exit(2);
    for (;; n_sent++) {
        uint32_t serial = (uint32_t)s.number + 1;
        xt_buf_reset(&events);
        xt_buf_reset(&payload);
        fixture_event(&events, HOST, T0 + serial, serial, "/usr/bin/id", serial % 5 ? "plain" : "evil", "/usr/bin/php");
        fixture_batch(&s, xt_buf_slice(&events), 1, &payload);
        while (n_sent - atomic_load(&t->n_done) >= IN_FLIGHT)
            usleep(100);
        if (xt_app_ingest(f->app, XT_S(HOST), xt_buf_slice(&payload), on_done, t))
            _exit(3);
        if (serial % 200 == 0 && xt_store_seal(xt_app_store(f->app), NULL))
            _exit(4);
    }
}

static uint64_t alert_events(fixture *f)
{
    fixture_alerts a;
    uint64_t sum = 0;

    fixture_alerts_get(f, NULL, &a);
    assert_true(a.n <= XT_COUNT_OF(a.all));
    for (size_t i = 0; i < a.n; i++)
        sum += a.all[i].count;
    return sum;
}

static void killed_under_load(void **state)
{
    fixture *f = *state;
    told *t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t before = 0;

    assert_ptr_not_equal(t, MAP_FAILED);
    for (int i = 0; i < KILLS; i++) {
        atomic_store(&t->n_done, 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            load_until_killed(f, t);
        assert_true(fixture_until(&t->n_done, 20 + i * 37));
        usleep((useconds_t)(i * 1700));
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));

        xt_hash128 stream = {{7}}, hash;
        uint64_t number = 0;
        fixture_open(f);
        assert_int_equal(xt_store_stream_get(xt_app_store(f->app), stream, &number, &hash), 0);
        assert_true(number >= atomic_load(&t->acked));
        assert_true(number > before);
        assert_int_equal(fixture_count(f, ""), number);
        assert_int_equal(fixture_count(f, "cmd:evil"), number / 5);
        assert_int_equal(alert_events(f), number / 5);
        fixture_close(f);
        before = number;
    }
    munmap(t, sizeof *t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_under_load, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What one host may bring about beside its events: heartbeats, gaps, notes. */
#include "server_fixture.h"

#include "server/app_parts.h"
#include "server/host_rows.h"

#define S INT64_C(1000)

static void admit(fixture *f, const char *id, const char *name)
{
    const xt_enroll enroll = {.host_name = xt_slice_str(name), .machine_id = xt_slice_str(name)};
    assert_int_equal(xt_hosts_admit(f->app->hosts, &enroll, "", "", "", id), 0);
}

/* An agent that began anew just now, or says so. */
static void beat(fixture *f, const char *id, uint64_t run)
{
    const xt_heartbeat m = {
        .enabled = 1, .state = XT_BEAT_WATCHING, .process = run, .run = run, .audit_mode = XT_S("owner")};
    xt_hosts_heartbeat(f->app->hosts, xt_slice_str(id), &m);
}

typedef struct gaps {
    size_t n;
    int64_t covered_ms, to_ms; /* of silence; as far as it was looked at */
} gaps;

static int on_gap(void *context, const xt_gap *gap)
{
    gaps *g = context;
    int64_t from_ms = gap->from_ms > g->to_ms ? gap->from_ms : g->to_ms;

    g->n++;
    assert_int_equal(gap->kind, XT_GAP_SILENT);
    if (gap->to_ms > from_ms) {
        g->covered_ms += gap->to_ms - from_ms;
        g->to_ms = gap->to_ms;
    }
    return 0;
}

static gaps gaps_of(fixture *f, const char *id)
{
    gaps g = {0};

    assert_int_equal(xt_hosts_flush(f->app->hosts, NULL), 0);
    assert_int_equal(xt_host_gaps_load(f->app->state, id, 0, INT64_MAX, on_gap, &g, NULL), 0);
    return g;
}

/* A close enters what waits to be noted. */
static void note_all(fixture *f)
{
    fixture_close(f);
    fixture_open(f);
}

/* A host that begins anew each second for an hour: rows and notes have a bound, and what was not watched is in them all the same. */
static void gaps_have_a_bound(void **state)
{
    enum { N = 3600 };
    fixture *f = *state;

    fixture_open(f);
    admit(f, HOST, "loud");
    admit(f, OTHER, "quiet");
    beat(f, HOST, 1);
    beat(f, OTHER, 1);
    for (unsigned i = 0; i < N; i++) {
        atomic_fetch_add(&fixture_now, S);
        beat(f, HOST, i + 2);
    }
    beat(f, OTHER, 2);
    gaps loud = gaps_of(f, HOST), quiet = gaps_of(f, OTHER);
    assert_int_equal(loud.covered_ms, N * S);
    assert_in_range(loud.n, 2, 128 + N / 10 + 2);
    assert_int_equal(quiet.n, 1);
    assert_int_equal(quiet.covered_ms, N * S);
    note_all(f);
    assert_in_range(fixture_count(f, "action:gap and host:loud"), 1, 16 + N / 10 + 1);
    assert_int_equal(fixture_count(f, "action:gap and host:quiet"), 1);
    assert_true(fixture_count(f, "action:gap and host:loud and message:*such*") > 0);
}

/* At one moment: what comes then is joined, whatever it is flushed with. */
static void heartbeats_have_a_bound(void **state)
{
    fixture *f = *state;

    fixture_open(f);
    admit(f, HOST, "loud");
    beat(f, HOST, 1);
    for (unsigned turn = 0; turn < 10; turn++) {
        atomic_fetch_add(&fixture_now, 5 * S);
        for (unsigned i = 0; i < 5000; i++)
            beat(f, HOST, turn * 5000 + i + 2);
        (void)gaps_of(f, HOST);
    }
    assert_in_range(gaps_of(f, HOST).n, 1, 300);
    assert_int_equal(gaps_of(f, HOST).covered_ms, 50 * S);
    atomic_fetch_add(&fixture_now, 7200 * S);
    beat(f, HOST, 99999999); /* hours later it is said once more, with how many there were meanwhile */
    beat(f, HOST, 99999999);
    note_all(f);
    assert_int_equal(fixture_count(f, "action:heartbeats-over"), 2);
    assert_int_equal(fixture_count(f, "action:heartbeats-over and message:*49*"), 1);
}

/* What an agent kept while there was no connection is taken whole, and what it says each few seconds too. */
static void an_agents_heartbeats_are_none_too_many(void **state)
{
    fixture *f = *state;

    fixture_open(f);
    admit(f, HOST, "web-1");
    for (unsigned i = 0; i < 65; i++)
        beat(f, HOST, 1);
    for (unsigned i = 0; i < 1000; i++) {
        atomic_fetch_add(&fixture_now, S / 2);
        beat(f, HOST, 1);
    }
    note_all(f);
    assert_int_equal(fixture_count(f, "action:heartbeats-over"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gaps_have_a_bound, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(heartbeats_have_a_bound, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(an_agents_heartbeats_are_none_too_many, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

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

static xt_slice id_of_name(fixture *f, const char *name, char ret[static 33])
{
    return xt_hosts_id_of(f->app->hosts, xt_slice_str(name), ret) ? xt_slice_of(ret, 32) : XT_S("");
}

static void hello(fixture *f, const char *id, const char *name)
{
    const xt_hello m = {.host_id = xt_slice_str(id), .host_name = xt_slice_str(name), .boot_id = xt_slice_str(name)};
    bool other;
    assert_int_equal(xt_hosts_hello(f->app->hosts, &m, "", &other), 0);
}

#define THIRD "11111111111111111111111111111111"

/* The latest enrolled of a name, whatever else has it; names change, and hosts are revoked. */
static void names_lead_to_hosts(void **state)
{
    fixture *f = *state;
    char id[33];

    fixture_open(f);
    xt_hosts_count(f->app->hosts, XT_S("imported"), XT_S("web"), 1, T0);
    assert_int_equal(id_of_name(f, "web", id).n, 0);
    admit(f, HOST, "web");
    admit(f, OTHER, "web");
    admit(f, THIRD, "db");
    assert_string_equal(id_of_name(f, "web", id).p, OTHER);
    hello(f, OTHER, "db");
    assert_string_equal(id_of_name(f, "web", id).p, HOST);
    assert_string_equal(id_of_name(f, "db", id).p, THIRD); /* the later one, whenever it got its name */
    assert_int_equal(xt_hosts_revoke(f->app->hosts, XT_S("db"), true, XT_S("me"), NULL), 0);
    assert_string_equal(id_of_name(f, "db", id).p, OTHER);
    hello(f, HOST, "db");
    assert_int_equal(id_of_name(f, "web", id).n, 0);
    hello(f, OTHER, "web");
    assert_string_equal(id_of_name(f, "web", id).p, OTHER);
    assert_string_equal(id_of_name(f, "db", id).p, HOST);
    assert_int_equal(xt_hosts_set_group(f->app->hosts, XT_S("web"), XT_S("g"), NULL), 0);
    char group[XT_HOST_GROUP_BYTES];
    xt_hosts_group_of(f->app->hosts, XT_S(OTHER), group);
    assert_string_equal(group, "g");
}

typedef struct listed {
    size_t n;
    uint64_t n_events, n_rest;
} listed;

static int on_host(void *context, const xt_host *host)
{
    listed *l = context;
    l->n++;
    l->n_events += host->n_events;
    l->n_rest += strcmp(host->name, XT_HOSTS_REST) == 0 ? host->n_events : 0;
    return 0;
}

/* Whoever may send says whose events these are; rows for that have a bound, and nothing is left out. */
static void senders_make_no_rows_without_end(void **state)
{
    enum { MAX = 50, N = 1000 };
    fixture *f = *state;
    listed l = {0};
    char name[40];

    fixture_open(f);
    xt_hosts_limit_sent(f->app->hosts, MAX);
    for (unsigned i = 0; i < 2 * N; i++) { /* each comes twice */
        snprintf(name, sizeof name, "invented-%u", i % N);
        xt_hosts_count(f->app->hosts, xt_slice_str(name), xt_slice_str(name), 1, T0);
    }
    admit(f, HOST, "web"); /* who has an agent is none of them */
    xt_hosts_count(f->app->hosts, XT_S(HOST), XT_S("web"), 1, T0);
    assert_int_equal(xt_hosts_list(f->app->hosts, on_host, &l), 0);
    assert_int_equal(l.n, MAX + 2);
    assert_int_equal(l.n_events, 2 * N + 1);
    assert_int_equal(l.n_rest, 2 * (N - MAX));
    note_all(f);
    assert_int_equal(fixture_count(f, "action:hosts-over"), 1);
    xt_hosts_limit_sent(f->app->hosts, MAX); /* they are known, and no more are let in */
    xt_hosts_count(f->app->hosts, XT_S("another"), XT_S("another"), 1, T0);
    l = (listed){0};
    assert_int_equal(xt_hosts_list(f->app->hosts, on_host, &l), 0);
    assert_int_equal(l.n, MAX + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gaps_have_a_bound, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(heartbeats_have_a_bound, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(names_lead_to_hosts, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(senders_make_no_rows_without_end, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(an_agents_heartbeats_are_none_too_many, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

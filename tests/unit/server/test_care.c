/* Retention as the server does it by itself, and holds in the language of queries. */
#include "server_fixture.h"

#define DAY_MS INT64_C(86400000)

static void ingest(fixture *f, fixture_stream *s, int64_t t_ms, uint32_t n)
{
    xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;

    for (uint32_t i = 0; i < n; i++)
        fixture_event(&events, HOST, t_ms + i, i, "/bin/echo", i % 4 ? "odd" : "even", "/bin/bash");
    fixture_batch(s, xt_buf_slice(&events), n, &payload);
    assert_int_equal(fixture_ingest(f, HOST, xt_buf_slice(&payload)), 0);
    assert_int_equal(xt_store_seal(xt_app_store(f->app), &problem), 0);
    xt_buf_fini(&events);
    xt_buf_fini(&payload);
}

/* The maintenance thread has its own time: at most ten seconds from one look to the next. */
static void wait_for(fixture *f, const char *kql, uint64_t n)
{
    for (int i = 0; i < 1500 && fixture_count(f, kql) != n; i++)
        usleep(10000);
    assert_int_equal(fixture_count(f, kql), n);
}

static void the_server_retires_but_for_what_is_held(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t id;

    fixture_open(f);
    ingest(f, &s, T0, 100);
    atomic_store(&fixture_now, T0 + 3 * DAY_MS);
    ingest(f, &s, T0 + 3 * DAY_MS, 100);
    xt_slice query = XT_S("cmd:even"), who = XT_S("alice");
    assert_int_equal(xt_app_hold_add(f->app, query, XT_S(" "), who, &id, &problem), XT_APP_E_INVALID);
    assert_int_equal(xt_app_hold_add(f->app, XT_S("cmd:("), XT_S("case"), who, &id, &problem), XT_APP_E_INVALID);
    assert_int_equal(xt_app_hold_add(f->app, query, XT_S("case"), who, &id, &problem), 0);
    fixture_close(f);
    f->settings.limits.max_age_ms = 2 * DAY_MS;
    fixture_open(f);
    wait_for(f, "", 125);
    assert_int_equal(fixture_count(f, "cmd:even"), 50);
    assert_int_equal(xt_app_hold_remove(f->app, id + 1, who, &problem), XT_APP_E_NOT_FOUND);
    assert_int_equal(xt_app_hold_remove(f->app, id, who, &problem), 0);
    fixture_close(f); /* opened anew it looks at once */
    fixture_open(f);
    wait_for(f, "", 100);
    fixture_close(f);
}

/* The host's group decides, the one that it is in now. */
static void rows_go_by_the_group_of_their_host(void **state)
{
    static const xt_group_age ages[] = {{.group = "web", .max_age_ms = 10 * DAY_MS}, {.group = "vault"}};
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}}, o = {.stream = {{2}}};
    xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;

    f->settings.group_ages = ages;
    f->settings.n_group_ages = XT_COUNT_OF(ages);
    f->settings.limits.max_age_ms = 20 * DAY_MS;
    fixture_open(f);
    for (uint32_t i = 0; i < 10; i++)
        fixture_event(&events, OTHER, T0 + i, i, "/bin/echo", "other", "/bin/bash");
    fixture_batch(&o, xt_buf_slice(&events), 10, &payload);
    assert_int_equal(fixture_ingest(f, OTHER, xt_buf_slice(&payload)), 0);
    ingest(f, &s, T0, 10);
    assert_int_equal(xt_store_compact(xt_app_store(f->app), &problem), 0);
    assert_int_equal(xt_app_host_group(f->app, XT_S(HOST), XT_S("web"), &problem), 0);
    fixture_close(f);
    atomic_store(&fixture_now, T0 + 12 * DAY_MS);
    fixture_open(f);
    wait_for(f, "", 10);
    assert_int_equal(fixture_count(f, "cmd:other"), 10);
    assert_int_equal(xt_app_host_group(f->app, XT_S(OTHER), XT_S("vault"), &problem), 0);
    fixture_close(f);
    atomic_store(&fixture_now, T0 + 500 * DAY_MS);
    fixture_open(f);
    usleep(1200000); /* it has looked */
    assert_int_equal(fixture_count(f, ""), 10);
    assert_int_equal(xt_app_host_group(f->app, XT_S(OTHER), XT_S(""), &problem), 0);
    fixture_close(f);
    fixture_open(f);
    wait_for(f, "", 0);
    xt_ledger_check check;
    assert_int_equal(xt_store_verify(xt_app_store(f->app), NULL, NULL, &check, &problem), 0);
    assert_true(check.chain_ok && check.counts_ok && check.n_retired == 20);
    xt_buf_fini(&events);
    xt_buf_fini(&payload);
    fixture_close(f);
}

static void a_head_is_signed(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_buf head = XT_BUF_INIT;
    unsigned char chain[32];
    char path[120];
    struct stat st;
    uint64_t id;

    fixture_open(f);
    ingest(f, &s, T0, 10);
    assert_int_equal(xt_app_ledger_head(f->app, &head, &problem), 0);
    assert_int_equal(xt_app_ledger_head_read(xt_buf_slice(&head), &id, chain, &problem), 0);
    assert_int_equal(id, 2);
    snprintf(path, sizeof path, "%s/ledger.key", f->data);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    for (size_t i = 0; i < head.n; i++) { /* no digit of it can be changed */
        char c = head.p[i];
        if (c < '0' || c > '8')
            continue;
        head.p[i]++;
        assert_int_equal(xt_app_ledger_head_read(xt_buf_slice(&head), &id, chain, &problem), XT_APP_E_INVALID);
        head.p[i] = c;
    }
    assert_int_equal(xt_app_ledger_head_read(XT_S("{}"), &id, chain, &problem), XT_APP_E_INVALID);
    assert_int_equal(xt_app_ledger_head_read(XT_S("no JSON"), &id, chain, &problem), XT_APP_E_INVALID);
    xt_buf_fini(&head);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_server_retires_but_for_what_is_held, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(rows_go_by_the_group_of_their_host, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_head_is_signed, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

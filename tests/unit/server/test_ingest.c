#include "server_fixture.h"

#include "server/alerts.h"
#include "server/app_parts.h"

static void ingested_is_durable_and_searchable(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT;

    fixture_open(f);
    for (uint32_t i = 0; i < 100; i++)
        fixture_event(&events, HOST, T0 + i, i, "/bin/echo", i % 2 ? "odd" : "even", "/bin/bash");
    fixture_batch(&s, xt_buf_slice(&events), 100, &payload);
    assert_int_equal(fixture_ingest(f, HOST, xt_buf_slice(&payload)), 0);
    assert_int_equal(fixture_count(f, ""), 100);
    assert_int_equal(fixture_ingest(f, HOST, xt_buf_slice(&payload)), XT_STORE_E_DUPLICATE);
    assert_int_equal(fixture_count(f, "cmd:odd"), 50);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(fixture_count(f, "cmd:odd"), 50);
    assert_int_equal(fixture_ingest(f, HOST, xt_buf_slice(&payload)), XT_STORE_E_DUPLICATE);
    assert_int_equal(fixture_count(f, ""), 100);
    xt_buf_fini(&events);
    xt_buf_fini(&payload);
}

static int one_host(void *context, const xt_host *host)
{
    *(xt_host *)context = *host;
    return 0;
}

static void hosts_count_what_they_sent(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT;
    xt_host host = {0};

    fixture_open(f);
    fixture_event(&events, HOST, T0 + 7, 1, "/bin/echo", "a", "/bin/bash");
    fixture_event(&events, HOST, T0 + 5, 2, "/bin/echo", "b", "/bin/bash");
    fixture_batch(&s, xt_buf_slice(&events), 2, &payload);
    assert_int_equal(fixture_ingest(f, HOST, xt_buf_slice(&payload)), 0);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(xt_app_hosts_list(f->app, one_host, &host, NULL), 0);
    assert_string_equal(host.id, HOST);
    assert_string_equal(host.name, "web-1");
    assert_int_equal(host.n_events, 2);
    assert_int_equal(host.last_event_ms, T0 + 7);
    xt_buf_fini(&events);
    xt_buf_fini(&payload);
}

/* One event of the host with this serial (0: none) and this field, in a batch of its own; the stream stays where it was. */
static int say(fixture *f, fixture_stream s, uint32_t serial, xt_field field, xt_slice value)
{
    XT_CLEANUP(xt_buf_fini) xt_buf events = XT_BUF_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    xt_event event;

    xt_event_reset(&event);
    xt_event_set_num(&event, XT_F_TIME, T0);
    if (serial)
        xt_event_set_num(&event, XT_F_SERIAL, serial);
    xt_event_set_bytes(&event, XT_F_HOST_ID, XT_S(HOST));
    xt_event_set_bytes(&event, field, value);
    xt_event_batch_put(&events, &event);
    fixture_batch(&s, xt_buf_slice(&events), 1, &payload);
    return fixture_ingest(f, HOST, xt_buf_slice(&payload));
}

static void what_a_host_may_not_say(void **state)
{
    const struct {
        xt_field field;
        xt_slice value;
    } refused[] = {
        {XT_F_HOST_ID, XT_S(OTHER)},
        {XT_F_NOISE, XT_S("hide-me")},
        {XT_F_HOST_GROUP, XT_S("web")},
        {XT_F_EVENT_ID, XT_S("1\"}}\n{\"delete\":{\"_index\":\"x\"}}")}, /* it would stand in the _bulk of a forward */
        {XT_F_EVENT_ID, XT_S("0123456789abcdef0123456789abcdeg")},
        {XT_F_EVENT_ID, XT_S("0123456789abcdef0123456789abcdef")}, /* it has a serial, of which its id follows */
    };
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};

    fixture_open(f);
    for (size_t i = 0; i < XT_COUNT_OF(refused); i++)
        assert_int_equal(say(f, s, 1, refused[i].field, refused[i].value), XT_STORE_E_CORRUPT);
    assert_int_equal(fixture_ingest(f, HOST, XT_S("no batch at all")), XT_STORE_E_CORRUPT);
    assert_int_equal(fixture_count(f, ""), 0);
    assert_int_equal(say(f, s, 0, XT_F_EVENT_ID, XT_S("0123456789abcdef0123456789abcdef")), 0);
    assert_int_equal(fixture_count(f, ""), 1);
}

/* A late record's event has an id of its own, and names one of its host's. */
static void ids_of_late_records(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    const struct {
        const char *host;
        int outcome;
    } of[] = {{OTHER, XT_STORE_E_CORRUPT}, {HOST, 0}};

    fixture_open(f);
    for (size_t i = 0; i < XT_COUNT_OF(of); i++) {
        XT_CLEANUP(xt_buf_fini) xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT;
        fixture_stream next = s;
        char id[33];
        xt_event event;
        xt_event_reset(&event);
        xt_hash128_format(xt_event_id_of(xt_slice_str(of[i].host), T0, 7), id);
        xt_event_set_num(&event, XT_F_TIME, T0);
        xt_event_set_num(&event, XT_F_SERIAL, 7);
        xt_event_set_bytes(&event, XT_F_HOST_ID, XT_S(HOST));
        xt_event_set_bytes(&event, XT_F_EVENT_ID, XT_S("0123456789abcdef0123456789abcdef"));
        xt_event_set_bytes(&event, XT_F_OF, xt_slice_of(id, 32));
        xt_event_batch_put(&events, &event);
        fixture_batch(&next, xt_buf_slice(&events), 1, &payload);
        assert_int_equal(fixture_ingest(f, HOST, xt_buf_slice(&payload)), of[i].outcome);
    }
    assert_int_equal(fixture_count(f, ""), 1);
}

static void a_gap_is_named(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    xt_buf events = XT_BUF_INIT, first = XT_BUF_INIT, second = XT_BUF_INIT;

    fixture_open(f);
    fixture_event(&events, HOST, T0, 1, "/bin/echo", "a", "/bin/bash");
    fixture_batch(&s, xt_buf_slice(&events), 1, &first);
    fixture_batch(&s, xt_buf_slice(&events), 1, &second);
    assert_int_equal(fixture_ingest(f, HOST, xt_buf_slice(&second)), XT_STORE_E_GAP);
    assert_int_equal(fixture_ingest(f, HOST, xt_buf_slice(&first)), 0);
    assert_int_equal(fixture_ingest(f, HOST, xt_buf_slice(&second)), 0);
    xt_buf_fini(&events);
    xt_buf_fini(&first);
    xt_buf_fini(&second);
}

/* A few kilobytes that become many megabytes, of one host. */
static void bomb_make(fixture_stream *s, xt_buf *payload)
{
    enum { WORD = 1 << 20, N = 34 };
    XT_CLEANUP(xt_buf_fini) xt_buf events = XT_BUF_INIT;
    char *word = calloc(1, WORD + 1);

    assert_non_null(word);
    memset(word, 'x', WORD);
    for (uint32_t i = 0; i < N; i++)
        fixture_event(&events, HOST, T0 + i, (uint32_t)s->number * N + i, "/bin/echo", word, "/bin/bash");
    free(word);
    fixture_batch(s, xt_buf_slice(&events), N, payload);
    assert_true(payload->n < WORD);
}

typedef struct beside {
    fixture *f;
    xt_hash128 stream;
    uint64_t number; /* of that stream, stored when the other batch was told of */
    fixture_waiter w;
} beside;

static void look_beside(void *context, int outcome, uint64_t number)
{
    beside *b = context;
    xt_hash128 hash;

    assert_int_equal(xt_store_stream_get(b->f->app->store, b->stream, &b->number, &hash), 0);
    fixture_done(&b->w, outcome, number);
}

/* Whoever sends little waits for one of them at most: that which was at work when he came. */
static void bombs_hold_nobody_up(void **state)
{
    enum { BOMBS = 2 };
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}}, good = {.stream = {{2}}};
    beside b = {.f = f, .stream = s.stream};
    fixture_waiter w = {0};
    xt_buf bombs[BOMBS] = {XT_BUF_INIT}, events = XT_BUF_INIT, payload = XT_BUF_INIT;

    fixture_open(f);
    for (unsigned i = 0; i < BOMBS; i++)
        bomb_make(&s, &bombs[i]);
    fixture_event(&events, OTHER, T0, 1, "/bin/echo", "a", "/bin/bash");
    fixture_batch(&good, xt_buf_slice(&events), 1, &payload);
    for (unsigned i = 0; i < BOMBS; i++)
        assert_int_equal(xt_app_ingest(f->app, XT_S(HOST), xt_buf_slice(&bombs[i]), fixture_done, &w), 0);
    assert_int_equal(xt_app_ingest(f->app, XT_S(OTHER), xt_buf_slice(&payload), look_beside, &b), 0);
    assert_true(fixture_until(&w.n, BOMBS));
    assert_true(fixture_until(&b.w.n, 1));
    assert_int_equal(w.outcome, 0);
    assert_int_equal(b.w.outcome, 0);
    assert_in_range(b.number, 0, 1);
    for (unsigned i = 0; i < BOMBS; i++)
        xt_buf_fini(&bombs[i]);
    xt_buf_fini(&events);
    xt_buf_fini(&payload);
}

/* More events than any agent puts into one: refused as a whole, before they are looked at. */
static void too_many_events(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    XT_CLEANUP(xt_buf_fini) xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT, most = XT_BUF_INIT;
    xt_event event;

    fixture_open(f);
    xt_event_reset(&event);
    xt_event_set_num(&event, XT_F_TIME, T0);
    xt_event_set_bytes(&event, XT_F_HOST_ID, XT_S(HOST));
    for (unsigned i = 0; i < XT_BATCH_MAX_EVENTS; i++)
        xt_event_batch_put(&events, &event);
    fixture_batch(&s, xt_buf_slice(&events), XT_BATCH_MAX_EVENTS, &most);
    xt_event_batch_put(&events, &event);
    s = (fixture_stream){.stream = {{1}}};
    fixture_batch(&s, xt_buf_slice(&events), XT_BATCH_MAX_EVENTS + 1, &payload);
    assert_int_equal(fixture_ingest(f, HOST, xt_buf_slice(&payload)), XT_STORE_E_CORRUPT);
    assert_int_equal(fixture_ingest(f, HOST, xt_buf_slice(&most)), 0);
    assert_int_equal(fixture_count(f, ""), XT_BATCH_MAX_EVENTS);
}

/* Many batches at once: every done is called, in order, none is lost over a close. */
static void close_finishes_the_queue(void **state)
{
    enum { N = 300 };
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    fixture_waiter w = {0};
    xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT;

    fixture_open(f);
    for (uint32_t i = 0; i < N; i++) {
        xt_buf_reset(&events);
        xt_buf_reset(&payload);
        fixture_event(&events, HOST, T0 + i, i, "/bin/echo", "a", "/bin/bash");
        fixture_batch(&s, xt_buf_slice(&events), 1, &payload);
        assert_int_equal(xt_app_ingest(f->app, XT_S(HOST), xt_buf_slice(&payload), fixture_done, &w), 0);
    }
    fixture_close(f);
    assert_int_equal(atomic_load(&w.n), N);
    assert_int_equal(w.outcome, 0);
    assert_int_equal(w.number, N);
    fixture_open(f);
    assert_int_equal(fixture_count(f, ""), N);
    xt_buf_fini(&events);
    xt_buf_fini(&payload);
}

/* ------------------------------------------------------------------------------------------------ alerts */

static void send_one(fixture *f, fixture_stream *s, int64_t t_ms, uint32_t serial, const char *argument,
                     const char *parent)
{
    xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT;

    fixture_event(&events, HOST, t_ms, serial, "/usr/bin/id", argument, parent);
    fixture_batch(s, xt_buf_slice(&events), 1, &payload);
    assert_int_equal(fixture_ingest(f, HOST, xt_buf_slice(&payload)), 0);
    xt_buf_fini(&events);
    xt_buf_fini(&payload);
}

static void alerts_fold_by_host_rule_and_parent(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    fixture_alerts a;

    fixture_open(f);
    send_one(f, &s, T0, 1, "harmless", "/usr/bin/php");
    fixture_alerts_get(f, NULL, &a);
    assert_int_equal(a.n, 0);
    send_one(f, &s, T0 + 1000, 2, "evil", "/usr/bin/php");
    send_one(f, &s, T0 + 2000, 3, "evil", "/usr/bin/php");
    fixture_alerts_get(f, NULL, &a);
    assert_int_equal(a.n, 1);
    assert_int_equal(a.all[0].count, 2);
    assert_int_equal(a.all[0].first_ms, T0 + 1000);
    assert_int_equal(a.all[0].last_ms, T0 + 2000);
    assert_string_equal(a.all[0].status, "open");
    assert_string_equal(a.all[0].level, "high");
    assert_string_equal(a.all[0].host, "web-1");
    assert_string_equal(a.all[0].user, "www-data");
    assert_string_equal(a.all[0].rule_title, "Evil in the arguments");
    assert_non_null(strstr(a.document, "/usr/bin/id evil"));
    assert_non_null(strstr(a.document, a.all[0].event_id));
    send_one(f, &s, T0 + 2500, 4, "evil", "/usr/sbin/nginx"); /* another parent */
    fixture_alerts_get(f, NULL, &a);
    assert_int_equal(a.n, 2);
    send_one(f, &s, T0 + 2000 + 600001, 5, "evil", "/usr/bin/php"); /* past the window */
    fixture_alerts_get(f, NULL, &a);
    assert_int_equal(a.n, 3);
    send_one(f, &s, T0 + 2500 + 600000, 6, "evil", "/usr/sbin/nginx"); /* just within */
    fixture_alerts_get(f, NULL, &a);
    assert_int_equal(a.n, 3);
    assert_int_equal(fixture_count(f, "rule:*"), 5);
    assert_int_equal(fixture_count(f, "level:high"), 5);
}

static void status_of_an_alert(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    fixture_alerts a;

    fixture_open(f);
    send_one(f, &s, T0, 1, "evil", "/usr/bin/php");
    fixture_alerts_get(f, NULL, &a);
    uint64_t id = a.all[0].id;
    assert_int_equal(xt_app_alert_set(f->app, id, "acknowledged", "bob", NULL), 0);
    send_one(f, &s, T0 + 1, 2, "evil", "/usr/bin/php");
    fixture_alerts_get(f, "acknowledged", &a);
    assert_int_equal(a.n, 1);
    assert_int_equal(a.all[0].count, 2);
    assert_string_equal(a.all[0].acked_by, "bob");
    assert_int_equal(xt_app_alert_set(f->app, id, "closed", "bob", NULL), 0);
    send_one(f, &s, T0 + 2, 3, "evil", "/usr/bin/php"); /* a closed one takes no more */
    fixture_alerts_get(f, "open", &a);
    assert_int_equal(a.n, 1);
    assert_int_equal(a.all[0].count, 1);
    assert_int_equal(xt_app_alert_set(f->app, id, "gone", "bob", NULL), XT_APP_E_INVALID);
    assert_int_equal(xt_app_alert_set(f->app, 4711, "open", "bob", NULL), XT_APP_E_NOT_FOUND);
    a.n = 0;
    assert_int_equal(xt_app_alert_get(f->app, id, fixture_keep_alert, &a, NULL), 0);
    assert_int_equal(a.n, 1);
    assert_int_equal(xt_app_alert_get(f->app, 4711, fixture_keep_alert, &a, NULL), XT_APP_E_NOT_FOUND);
}

/* An event that comes in two batches (a spool that was copied) counts once. */
static void an_event_is_folded_once(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}}, other = {.stream = {{2}}};
    fixture_alerts a;

    fixture_open(f);
    send_one(f, &s, T0, 1, "evil", "/usr/bin/php");
    send_one(f, &other, T0, 1, "evil", "/usr/bin/php");
    fixture_alerts_get(f, NULL, &a);
    assert_int_equal(a.n, 1);
    assert_int_equal(a.all[0].count, 1);
}

/* What a kill between the events' commit and that of their alerts leaves: state.db without the alerts. */
static void forget_alerts(const fixture *f, const char *sql)
{
    char path[200];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/state.db", f->data);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void alerts_are_made_again_once(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    fixture_alerts a;

    fixture_open(f);
    send_one(f, &s, T0, 1, "evil", "/usr/bin/php");
    send_one(f, &s, T0 + 1, 2, "harmless", "/usr/bin/php");
    send_one(f, &s, T0 + 2, 3, "evil", "/usr/sbin/nginx");
    fixture_close(f);
    forget_alerts(f, "DELETE FROM alerts; DELETE FROM folded; DELETE FROM meta");
    for (int i = 0; i < 3; i++) {
        fixture_open(f);
        fixture_alerts_get(f, NULL, &a);
        assert_int_equal(a.n, 2);
        assert_int_equal(a.all[0].count, 1);
        assert_int_equal(a.all[1].count, 1);
        assert_string_equal(a.all[0].level, "high");
        assert_string_equal(a.all[0].rule_title, "Evil in the arguments");
        assert_non_null(strstr(a.document, "/usr/bin/id evil"));
        fixture_close(f);
    }
}

/* Sealed meanwhile: what arrived behind the mark is still looked at. */
static void alerts_are_made_again_of_sealed_events(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    fixture_alerts a;

    fixture_open(f);
    send_one(f, &s, T0, 1, "evil", "/usr/bin/php");
    assert_int_equal(xt_store_seal(xt_app_store(f->app), NULL), 0);
    fixture_close(f);
    forget_alerts(f, "DELETE FROM alerts; DELETE FROM folded; UPDATE meta SET value = 0");
    fixture_open(f);
    fixture_alerts_get(f, NULL, &a);
    assert_int_equal(a.n, 1);
}

/* An acknowledged alert whose events are told again stays as it is. */
static void alerts_are_not_doubled(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    fixture_alerts a;

    fixture_open(f);
    send_one(f, &s, T0, 1, "evil", "/usr/bin/php");
    send_one(f, &s, T0, 2, "evil", "/usr/bin/php");
    fixture_close(f);
    forget_alerts(f, "UPDATE meta SET value = 0");
    fixture_open(f);
    fixture_alerts_get(f, NULL, &a);
    assert_int_equal(a.n, 1);
    assert_int_equal(a.all[0].count, 2);
}

static int64_t alerts_mark(fixture *f)
{
    int64_t mark = -1;
    assert_int_equal(
        xt_state_number(f->app->state, NULL, &mark, "SELECT value FROM meta WHERE name = 'alerts_arrival'", ""), 0);
    return mark;
}

/* Looking for alerts that are missing reads nothing where no event raised one. */
static void events_without_alerts_are_not_read(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    xt_scan_cost cost;
    fixture_alerts a;

    fixture_open(f);
    send_one(f, &s, T0, 1, "evil", "/usr/bin/php");
    assert_int_equal(xt_store_seal(xt_app_store(f->app), NULL), 0);
    for (uint32_t i = 2; i < 6; i++) {
        send_one(f, &s, T0 + i, i, "harmless", "/usr/bin/php");
        assert_int_equal(xt_store_seal(xt_app_store(f->app), NULL), 0);
    }
    assert_int_equal(xt_alerts_mark(f->app, 1, NULL), 0);
    assert_int_equal(xt_alerts_refill(f->app, UINT64_MAX, &cost, NULL), 0);
    assert_int_equal(cost.n_bytes_read, 0);
    assert_int_equal(xt_alerts_mark(f->app, 0, NULL), 0);
    assert_int_equal(xt_alerts_refill(f->app, UINT64_MAX, &cost, NULL), 0);
    assert_int_not_equal(cost.n_bytes_read, 0);
    fixture_alerts_get(f, NULL, &a);
    assert_int_equal(a.n, 1);
    assert_int_equal(a.all[0].count, 1);
}

/* Many are left to the maintenance thread; until then nothing says that alerts are whole. */
static void many_alerts_are_made_again_later(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    fixture_alerts a = {0};

    fixture_open(f);
    send_one(f, &s, T0, 1, "evil", "/usr/bin/php");
    assert_int_equal(xt_store_seal(xt_app_store(f->app), NULL), 0);
    assert_int_equal(xt_state_run(f->app->state, NULL, NULL, "DELETE FROM alerts", ""), 0);
    assert_int_equal(xt_state_run(f->app->state, NULL, NULL, "DELETE FROM folded", ""), 0);
    assert_int_equal(xt_alerts_mark(f->app, 0, NULL), 0);
    assert_int_equal(xt_alerts_refill(f->app, 0, NULL, NULL), 0);
    send_one(f, &s, T0 + 1, 2, "harmless", "/usr/bin/php");
    assert_int_equal(alerts_mark(f), 0);
    for (int i = 0; i < 200 && (a.n == 0 || alerts_mark(f) == 0); i++) {
        usleep(50000);
        fixture_alerts_get(f, NULL, &a);
    }
    assert_int_equal(a.n, 1);
    assert_true(alerts_mark(f) > 0);
}

static void the_mark_comes_with_the_alerts(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};

    fixture_open(f);
    for (uint32_t i = 1; i < 4; i++) {
        send_one(f, &s, T0 + i, i, "evil", "/usr/bin/php");
        assert_int_equal(alerts_mark(f), i);
    }
}

/* ------------------------------------------------------------------------------------------------- rules */

static void count_refused(void *context, const xt_problem *problem)
{
    ++*(int *)context;
}

static void rules_are_loaded_again(void **state)
{
    fixture *f = *state;
    char path[200];
    int n_refused = 0;

    fixture_open(f);
    xt_ruleset *set = xt_app_rules(f->app);
    assert_int_equal(xt_ruleset_count(set), 1);
    snprintf(path, sizeof path, "%s/bad.yml", f->rules);
    fixture_write(path, "title: no detection\nlogsource: {product: linux, category: process_creation}\n");
    bool loaded = false;
    for (int i = 0; i < 100 && !loaded; i++) { /* the maintenance thread looks every two seconds */
        usleep(100000);
        xt_ruleset *now = xt_app_rules(f->app);
        loaded = now != set;
        xt_ruleset_unref(now);
    }
    assert_true(loaded);
    xt_app_rules_refused(f->app, count_refused, &n_refused);
    assert_int_equal(n_refused, 1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(xt_app_rules_reload(f->app, NULL), 0);
    n_refused = 0;
    xt_app_rules_refused(f->app, count_refused, &n_refused);
    assert_int_equal(n_refused, 0);
    xt_ruleset_unref(set);
}

static void own_rules_are_built_in(void **state)
{
    fixture *f = *state;
    int n_refused = 0;

    f->settings.no_own_rules = false;
    f->settings.n_rules = 0;
    fixture_open(f);
    xt_ruleset *set = xt_app_rules(f->app);
    assert_true(xt_ruleset_stats_get(set).n_rules > 0);
    assert_true(xt_ruleset_stats_get(set).n_noise > 0);
    xt_app_rules_refused(f->app, count_refused, &n_refused);
    assert_int_equal(n_refused, 0);
    xt_ruleset_unref(set);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ingested_is_durable_and_searchable),
        TEST(hosts_count_what_they_sent),
        TEST(what_a_host_may_not_say),
        TEST(ids_of_late_records),
        TEST(bombs_hold_nobody_up),
        TEST(too_many_events),
        TEST(a_gap_is_named),
        TEST(close_finishes_the_queue),
        TEST(alerts_fold_by_host_rule_and_parent),
        TEST(status_of_an_alert),
        TEST(an_event_is_folded_once),
        TEST(alerts_are_made_again_once),
        TEST(alerts_are_made_again_of_sealed_events),
        TEST(alerts_are_not_doubled),
        TEST(events_without_alerts_are_not_read),
        TEST(many_alerts_are_made_again_later),
        TEST(the_mark_comes_with_the_alerts),
        TEST(rules_are_loaded_again),
        TEST(own_rules_are_built_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

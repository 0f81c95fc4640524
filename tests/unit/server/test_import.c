#include "server_fixture.h"

#include "server/app_parts.h"

/* Two execs of one shell, its own exec first; serials from `serial` on, a second apart. */
static void put_exec(xt_buf *out, int64_t t_ms, unsigned serial, unsigned pid, unsigned ppid, const char *exe,
                     const char *arg)
{
    xt_buf_printf(
        out,
        "type=SYSCALL msg=audit(%lld.%03d:%u): arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4"
        " items=0 ppid=%u pid=%u auid=1000 uid=1000 gid=1000 euid=1000 suid=1000 fsuid=1000 egid=1000"
        " sgid=1000 fsgid=1000 tty=pts0 ses=3 comm=\"x\" exe=\"%s\" key=(null)\n"
        "type=EXECVE msg=audit(%lld.%03d:%u): argc=2 a0=\"%s\" a1=\"%s\"\n"
        "type=PROCTITLE msg=audit(%lld.%03d:%u): proctitle=\"x\"\n",
        (long long)t_ms / 1000, (int)(t_ms % 1000), serial, ppid, pid, exe, (long long)t_ms / 1000, (int)(t_ms % 1000),
        serial, exe, arg, (long long)t_ms / 1000, (int)(t_ms % 1000), serial);
}

static xt_import_stats import_text(fixture *f, const char *host, xt_slice text, size_t piece, bool compact)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_import_stats stats = {0};
    xt_import *import = NULL;

    assert_int_equal(xt_import_open(f->app, host, "test.log", &import, &problem), 0);
    for (size_t at = 0; at < text.n; at += piece)
        assert_int_equal(xt_import_feed(import, xt_slice_head(xt_slice_skip(text, at), piece), &problem), 0);
    assert_int_equal(xt_import_finish(import, compact, &stats, &problem), 0);
    return stats;
}

/* Lines count from 1 in each file, and what is wrong names the file that it is in. */
static void each_file_has_its_own_lines(void **state)
{
    fixture *f = *state;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_import_stats stats = {0};
    char name[] = "audit.log.1";
    xt_slice first =
                 XT_S("type=SYSCALL msg=audit(1700000000.123:7): arch=c000003e syscall=59 success=yes exit=0 items=0 "
                      "ppid=1 pid=2 comm=\"x\" exe=\"/bin/x\" key=(null)\n"),
             second = XT_S("type=EXECVE msg=audit(1700000000.123:7): argc=1 a0=\"x\"\ntype=PROCTITLE "
                           "msg=audit(1700000000.123:7): proctitle=\"x\"\nbroken\n");

    fixture_open(f);
    for (int cut = 0; cut < 2; cut++) {
        xt_import *import = NULL;
        assert_int_equal(xt_import_open(f->app, "web", name, &import, &problem), 0);
        memset(name, 'x', sizeof name - 1); /* it is not held on to */
        assert_int_equal(xt_import_feed(import, first, &problem), 0);
        if (cut)
            assert_int_equal(xt_import_feed(import, XT_S("type=PATH msg"), &problem), 0);
        assert_int_equal(xt_import_begin(import, "audit.log", 0, &problem), 0);
        assert_int_equal(xt_import_begin(import, "audit.log", 0, &problem), 0);
        assert_int_equal(xt_import_feed(import, second, &problem), 0);
        assert_int_equal(xt_import_finish(import, false, &stats, &problem), 0);
        assert_int_equal(stats.n_unparsed, 1 + cut);
        assert_string_equal(stats.problem.source, cut ? "audit.log.1" : "audit.log");
        assert_int_equal(stats.problem.line, cut ? 2 : 3);
        memcpy(name, "audit.log.1", sizeof name);
    }
    assert_int_equal(fixture_count(f, "exe:/bin/x and args:x"), 1);
}

static int one_host(void *context, const xt_host *host)
{
    *(xt_host *)context = *host;
    return 0;
}

static void imported_is_searchable_once(void **state)
{
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_host host = {0};

    for (unsigned i = 0; i < 500; i++)
        put_exec(&text, T0 + i * 1000, i, 5000 + i, 4000, "/usr/bin/id", i % 5 ? "plain" : "evil");
    fixture_open(f);
    xt_import_stats stats = import_text(f, "db-17", xt_buf_slice(&text), 777, false);
    assert_int_equal(stats.n_bytes, text.n);
    assert_int_equal(stats.n_lines, 1500);
    assert_int_equal(stats.n_events, 500);
    assert_int_equal(stats.n_unparsed, 0);
    assert_int_equal(stats.n_duplicate, 0);
    assert_int_equal(fixture_count(f, "cmd:evil"), 100);
    assert_int_equal(fixture_count(f, "host:db-17 and exe:/usr/bin/id"), 500);
    stats = import_text(f, "db-17", xt_buf_slice(&text), 100000, true);
    assert_int_equal(stats.n_events, 0);
    assert_int_equal(stats.n_duplicate, 500);
    stats = import_text(f, "db-17", xt_buf_slice(&text), 100000, false); /* they are sealed by now */
    assert_int_equal(stats.n_duplicate, 500);
    put_exec(&text, T0 + 5, 9999, 1, 1, "/usr/bin/id", "new");
    stats = import_text(f, "db-17", xt_buf_slice(&text), 100000, false);
    assert_int_equal(stats.n_events, 1);
    assert_int_equal(stats.n_duplicate, 500);
    assert_int_equal(fixture_count(f, ""), 501);
    stats = import_text(f, "db-18", xt_buf_slice(&text), 100000, false); /* another host's are others */
    assert_int_equal(stats.n_events, 501);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(fixture_count(f, ""), 1002);
    assert_int_equal(fixture_count(f, "rule:*"), 200);
    assert_int_equal(xt_app_hosts_list(f->app, one_host, &host, NULL), 0);
    assert_true(host.imported);
}

/* A record that comes when its group is long stored is an event of its own; both are known the next time. */
static void late_records_are_kept(void **state)
{
    enum { N = 9000 };
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_slice late = XT_S("type=CWD msg=audit(1790000000.000:0): cwd=\"/late\"\n");
    xt_import_stats stats;
    xt_import *import = NULL;

    for (unsigned i = 0; i < N; i++)
        put_exec(&text, T0 + i, i, 5000 + i % 1000, 4000, "/usr/bin/id", "x");
    fixture_open(f);
    import_text(f, "other", late, 100, false);
    assert_int_equal(xt_import_open(f->app, "web", "test.log", &import, NULL), 0);
    assert_int_equal(xt_import_feed(import, xt_buf_slice(&text), NULL), 0);
    assert_int_equal(xt_import_feed(import, late, NULL), 0);
    assert_int_equal(xt_import_finish(import, false, &stats, NULL), 0);
    assert_int_equal(stats.n_duplicate, 0);
    assert_int_equal(stats.n_events, N + 1);
    assert_int_equal(fixture_count(f, "host:web and flags:late"), 1);
    xt_buf_put(&text, late);
    stats = import_text(f, "web", xt_buf_slice(&text), 65536, false);
    assert_int_equal(stats.n_duplicate, N + 1);
    assert_int_equal(stats.n_events, 0);
}

/* Sums of hashes, as rows stand in no promised order. */
typedef struct content {
    uint64_t n_events, n_alerts, events, alerts;
    bool shows_secret;
    xt_buf scratch;
} content;

static int add_event(void *context, const xt_event *event, uint64_t arrival)
{
    content *c = context;

    (void)arrival;
    xt_buf_reset(&c->scratch);
    xt_event_encode(event, &c->scratch);
    c->shows_secret |= xt_slice_find(xt_buf_slice(&c->scratch), XT_S("hUnter2")) >= 0;
    c->events += xt_slice_hash(xt_buf_slice(&c->scratch));
    c->n_events++;
    return 0;
}

static int add_alert(void *context, const xt_alert *alert)
{
    content *c = context;

    xt_buf_reset(&c->scratch);
    xt_buf_printf(&c->scratch, "%s %s %s %s %llu %lld %lld %.*s", alert->rule_id, alert->event_id, alert->host,
                  alert->status, (unsigned long long)alert->count, (long long)alert->first_ms,
                  (long long)alert->last_ms, XT_S_ARGS(alert->document));
    c->alerts += xt_slice_hash(xt_buf_slice(&c->scratch));
    c->n_alerts++;
    return 0;
}

/* What an import came to: every event with all its fields, every alert. */
static content content_of(fixture *f)
{
    content c = {0};
    xt_scan_spec spec = {.to_ms = XT_TIMESTAMP_MAX_MS};
    xt_field_set all = {{UINT64_MAX, UINT64_MAX}};

    assert_int_equal(xt_scan_each(xt_app_store(f->app), &spec, all, add_event, &c, NULL, NULL), 0);
    assert_int_equal(xt_app_alerts_list(f->app, NULL, 0, add_alert, &c, NULL), 0);
    xt_buf_fini(&c.scratch);
    return c;
}

static void assert_same(content a, content b)
{
    assert_int_equal(a.n_events, b.n_events);
    assert_int_equal(a.n_alerts, b.n_alerts);
    assert_true(a.events == b.events);
    assert_true(a.alerts == b.alerts);
}

/* The folder is gone: what comes begins anew. */
static void forget(fixture *f)
{
    char *paths[] = {f->data, NULL};

    fixture_close(f);
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *e; (e = fts_read(tree)) != NULL;)
        if (e->fts_info != FTS_D)
            (void)remove(e->fts_accpath);
    fts_close(tree);
}

/* More than two row groups of two hosts, with parents, secrets, typed lines, garbage, late records, rules that match. */
static void put_much(xt_buf *text, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char arg[32];
        snprintf(arg, sizeof arg, "%s%u", i % 89 == 7 ? "--password=hUnter2" : i % 97 ? "word" : "evil", i);
        if (i % 3 == 0)
            xt_buf_puts(text, "node=other ");
        size_t at = text->n;
        put_exec(text, T0 + i * 3, i, 5000 + i % 3000, 5000 + (i * 7) % 3000, i % 5 ? "/usr/bin/id" : "/bin/sh", arg);
        if (i % 3 == 0) { /* node= stands before each record */
            XT_CLEANUP(xt_buf_fini) xt_buf lines = XT_BUF_INIT;
            xt_slice rest = xt_slice_skip(xt_buf_slice(text), at), line;
            while (rest.n && xt_slice_cut(&rest, '\n', &line))
                xt_buf_printf(&lines, "%s%.*s\n", lines.n ? "node=other " : "", XT_S_ARGS(line));
            text->n = at;
            xt_buf_put(text, xt_buf_slice(&lines));
        }
        if (i % 1000 == 17)
            xt_buf_printf(text, "garbage %u\n", i);
        if (i % 2000 == 1999)
            xt_buf_printf(text, "type=CWD msg=audit(%lld.%03d:%u): cwd=\"/late\"\n",
                          (long long)(T0 + (i - 50) * 3) / 1000, (int)((T0 + (i - 50) * 3) % 1000), i - 50);
        if (i % 777 == 1)
            xt_buf_printf(text,
                          "type=TTY msg=audit(%lld.%03d:%u): tty pid=9 uid=0 auid=1000 ses=3 major=136 minor=0 "
                          "comm=\"bash\" data=6C730D\n",
                          (long long)(T0 + i * 3) / 1000, (int)((T0 + i * 3) % 1000), 1000000 + i);
    }
}

/* One thread or many, one piece or many: the same events, the same alerts. */
static void threads_change_nothing(void **state)
{
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    content first = {0};
    static const unsigned cores[] = {1, 2, 5};

    put_much(&text, 40000);
    f->settings.seal_rows = 17000;
    for (size_t i = 0; i < XT_COUNT_OF(cores); i++) {
        f->settings.n_cores = cores[i];
        fixture_open(f);
        xt_import_stats stats = import_text(f, "web", xt_buf_slice(&text), 100003, i == 1);
        assert_int_equal(stats.n_unparsed, 40);
        assert_int_equal(stats.n_events, fixture_count(f, ""));
        assert_true(stats.n_events > 40000);
        if (i == 0)
            first = content_of(f);
        assert_same(content_of(f), first);
        assert_true(first.n_alerts > 1);
        assert_false(first.shows_secret);
        assert_true(fixture_count(f, "redactions:*") > 300);
        assert_true(fixture_count(f, "flags:late") > 0);
        stats = import_text(f, "web", xt_buf_slice(&text), 1 << 20, false);
        assert_int_equal(stats.n_events, 0);
        assert_same(content_of(f), first);
        forget(f);
    }
}

/* A copy of a file, a file that begins in the middle of the one before, one that goes on with its last event. */
static void files_that_overlap(void **state)
{
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;

    f->settings.seal_rows = 9000;
    for (unsigned n = 1000; n <= 30000; n *= 30) {
        xt_buf_reset(&text);
        for (unsigned i = 0; i < n; i++)
            put_exec(&text, T0 + i, i, 5000 + i % 1000, 4000, "/usr/bin/id", i % 50 ? "x" : "evil");
        fixture_open(f);
        import_text(f, "web", xt_buf_slice(&text), 65536, false);
        content whole = content_of(f);
        forget(f);
        fixture_open(f);
        size_t third = xt_slice_skip(xt_buf_slice(&text), text.n / 3).n, back = text.n / 9;
        while (text.p[text.n - third - 1] != '\n')
            third--;
        while (text.p[text.n - third - back - 1] != '\n')
            back--;
        const xt_slice files[] = {
            xt_slice_head(xt_buf_slice(&text), text.n - third),
            xt_slice_skip(xt_buf_slice(&text), text.n - third - back),
            xt_slice_head(xt_buf_slice(&text), text.n - third),
            xt_buf_slice(&text),
        };
        xt_import *import = NULL;
        xt_import_stats stats;
        assert_int_equal(xt_import_open(f->app, "web", "log", &import, NULL), 0);
        for (size_t i = 0; i < XT_COUNT_OF(files); i++) {
            assert_int_equal(xt_import_begin(import, "log", i + 1, NULL), 0);
            assert_int_equal(xt_import_feed(import, files[i], NULL), 0);
        }
        assert_int_equal(xt_import_finish(import, false, &stats, NULL), 0);
        assert_int_equal(stats.n_events, n);
        assert_true(stats.n_duplicate > n);
        assert_same(content_of(f), whole);
        forget(f);
    }
}

/* What an import that was given up had stored stays, the rest comes the next time. */
static void given_up_and_again(void **state)
{
    enum { N = 60000, ROWS = 25000 };
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_import *import = NULL;
    xt_ledger_check check;

    f->settings.seal_rows = ROWS;
    for (unsigned i = 0; i < N; i++)
        xt_buf_printf(&text, "type=USER_LOGIN msg=audit(%lld.%03d:%u): pid=1 uid=0 auid=0 ses=1 msg='op=login'\n",
                      (long long)(T0 + i) / 1000, (int)((T0 + i) % 1000), i);
    fixture_open(f);
    assert_int_equal(xt_import_open(f->app, "web", "log", &import, NULL), 0);
    assert_int_equal(xt_import_feed(import, xt_slice_head(xt_buf_slice(&text), text.n - text.n / 20), NULL), 0);
    for (int i = 0; i < 60000 && fixture_count(f, "") == 0; i++)
        usleep(1000);
    xt_import_abort(import);
    uint64_t before = fixture_count(f, "");
    assert_true(before > 0 && before < N && before % ROWS == 0);
    fixture_close(f);
    fixture_open(f);
    xt_import_stats stats = import_text(f, "web", xt_buf_slice(&text), 1 << 20, true);
    assert_int_equal(stats.n_duplicate, before);
    assert_int_equal(stats.n_events, N - before);
    assert_int_equal(fixture_count(f, ""), N);
    assert_int_equal(xt_store_verify(xt_app_store(f->app), NULL, NULL, &check, NULL), 0);
    assert_true(check.chain_ok && check.counts_ok);
}

static void parents_are_known(void **state)
{
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;

    put_exec(&text, T0, 1, 200, 100, "/usr/sbin/nginx", "-D");
    put_exec(&text, T0 + 10, 2, 300, 200, "/bin/sh", "evil");
    fixture_open(f);
    import_text(f, "web", xt_buf_slice(&text), 4096, false);
    assert_int_equal(fixture_count(f, "parent.exe:/usr/sbin/nginx and parent.cmd:\"/usr/sbin/nginx -D\""), 1);
}

static void an_enrolled_host_is_the_same(void **state)
{
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_enroll m = {.host_name = XT_S("web-1")};
    char id[33], kql[64];

    put_exec(&text, T0, 1, 200, 100, "/bin/sh", "x");
    fixture_open(f);
    assert_int_equal(xt_hosts_enroll(f->app->hosts, &m, "", "", "", id, NULL), 0);
    assert_int_equal(xt_hosts_admit(f->app->hosts, &m, "", "", "", id), 0);
    import_text(f, "web-1", xt_buf_slice(&text), 4096, false);
    snprintf(kql, sizeof kql, "host.id:%s", id);
    assert_int_equal(fixture_count(f, kql), 1);
    xt_hash128_format(xt_event_import_host_id(XT_S("stranger")), id);
    import_text(f, "stranger", xt_buf_slice(&text), 4096, false);
    snprintf(kql, sizeof kql, "host.id:%s", id);
    assert_int_equal(fixture_count(f, kql), 1);
}

static void what_is_no_record_is_kept(void **state)
{
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;

    put_exec(&text, T0, 1, 200, 100, "/bin/sh", "x");
    xt_buf_puts(&text, "this is no audit record\n");
    put_exec(&text, T0 + 1, 2, 201, 100, "/bin/sh", "y");
    fixture_open(f);
    xt_import_stats stats = import_text(f, "web", xt_buf_slice(&text), 4096, false);
    assert_int_equal(stats.n_unparsed, 1);
    assert_int_equal(stats.n_events, 3);
    assert_int_equal(fixture_count(f, "action:unparsed and raw:*audit\\ record*"), 1);
    stats = import_text(f, "web", xt_buf_slice(&text), 4096, false);
    assert_int_equal(stats.n_duplicate, 3);
}

static void a_host_is_needed(void **state)
{
    fixture *f = *state;
    xt_import *import = NULL;
    xt_problem problem = XT_PROBLEM_INIT;

    fixture_open(f);
    assert_int_equal(xt_import_open(f->app, "", "x", &import, &problem), XT_APP_E_INVALID);
    assert_non_null(strstr(problem.hint, "--host"));
    assert_int_equal(xt_import_open(f->app, "web", "x", &import, &problem), 0);
    assert_int_equal(xt_import_feed(import, XT_S("type=SYSCALL msg=audit(1.0"), &problem), 0);
    xt_import_abort(import);
}

static void stamps(void **state)
{
    size_t at, n;
    int64_t t;

    assert_true(xt_demo_stamp(XT_S("node=a type=X msg=audit(1790000000.042:7): x"), &at, &n, &t));
    assert_int_equal(t, INT64_C(1790000000042));
    assert_int_equal(at, 24);
    assert_int_equal(n, 14);
    assert_false(xt_demo_stamp(XT_S("type=X msg=audit(1790000000:7): x"), &at, &n, &t));
    assert_false(xt_demo_stamp(XT_S("type=X msg=audit(17900000"), &at, &n, &t));
    assert_false(xt_demo_stamp(XT_S("nothing"), &at, &n, &t));
}

/* With the system's clock: the replay is of now, at the capture's pace, and goes round. */
static void demo_replays(void **state)
{
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    char path[100];

    put_exec(&text, 1600000000000, 1, 200, 100, "/usr/sbin/nginx", "-D");
    put_exec(&text, 1600000000300, 2, 300, 200, "/bin/sh", "evil");
    put_exec(&text, 1600000000000 + 86400000, 3, 301, 200, "/bin/sh", "next day");
    xt_buf_putc(&text, '\0');
    snprintf(path, sizeof path, "%s/capture.log", f->dir);
    fixture_write(path, text.p);
    f->settings.demo = path;
    f->settings.clock = NULL;
    fixture_open(f);
    assert_true(xt_app_is_demo(f->app));
    int64_t begun = xt_clock_wall_ms(&xt_clock_system);
    for (int i = 0; i < 400 && fixture_count(f, "cmd:evil") == 0; i++)
        usleep(10000);
    assert_int_equal(fixture_count(f, "cmd:evil and host:demo"), 1);
    int64_t took = xt_clock_wall_ms(&xt_clock_system) - begun;
    assert_true(took < 4500); /* the pause to the next day has not begun yet */
    fixture_close(f);
    f->settings.demo = NULL;
    fixture_open(f);
    xt_store_stats stats;
    assert_int_equal(xt_store_stats_get(xt_app_store(f->app), &stats), 0);
    assert_true(stats.first_ms >= begun - 1000 && stats.last_ms <= begun + 10000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(imported_is_searchable_once),
        TEST(each_file_has_its_own_lines),
        TEST(late_records_are_kept),
        TEST(threads_change_nothing),
        TEST(files_that_overlap),
        TEST(given_up_and_again),
        TEST(parents_are_known),
        TEST(an_enrolled_host_is_the_same),
        TEST(what_is_no_record_is_kept),
        TEST(a_host_is_needed),
        TEST(stamps),
        TEST(demo_replays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

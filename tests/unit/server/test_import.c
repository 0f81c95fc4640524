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
        assert_int_equal(xt_import_begin(import, "audit.log", &problem), 0);
        assert_int_equal(xt_import_begin(import, "audit.log", &problem), 0);
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
    for (int i = 0; i < 10000 && fixture_count(f, "host:web and serial:0") == 0; i++)
        usleep(1000);
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
        TEST(parents_are_known),
        TEST(an_enrolled_host_is_the_same),
        TEST(what_is_no_record_is_kept),
        TEST(a_host_is_needed),
        TEST(stamps),
        TEST(demo_replays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

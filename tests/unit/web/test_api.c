/* What the routes answer about a small real capture; counts are compared with the text itself and with each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/timestamp.h"
#include "web/request.h"
#include "web/search_params.h"
#include "web_fixture.h"

static web w;

/* Distinct audit(…) stamps of the file: what an event is. */
static size_t stamps_in(const char *path)
{
    static char seen[2000][48];
    char line[65536];
    size_t n = 0;
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        const char *at = strstr(line, "msg=audit(");
        size_t length = at ? strcspn(at, ")") : 0, i = 0;
        if (!at || length >= sizeof seen[0])
            continue;
        for (i = 0; i < n && strncmp(seen[i], at, length) != 0; i++)
            ;
        if (i == n)
            memcpy(seen[n++], at, length);
    }
    fclose(f);
    return n;
}

static bool body_has(const web_answer *a, const char *what)
{
    return xt_slice_find(xt_buf_slice(&a->body), xt_slice_str(what)) >= 0;
}

static size_t lines_of(const web_answer *a)
{
    size_t n = 0;
    for (size_t i = 0; i < a->body.n; i++)
        n += a->body.p[i] == '\n';
    return n;
}

static void test_status(void **state)
{
    char file[512];
    (void)state;
    web_capture(file, "session.log");
    json_t *d = web_get(&w, "/api/v1/status");
    assert_int_equal(number_at(d, "events"), stamps_in(file));
    assert_int_equal(number_at(d, "hosts"), 1);
    assert_true(number_at(d, "rules") > 0);
    assert_true(json_is_false(json_object_get(d, "demo")));
    assert_string_equal(json_string_value(json_object_get(d, "first")), "2026-11-22T13:33:52.337Z");
    json_decref(d);
    d = web_get(&w, "/api/v1/fields");
    assert_true(json_array_size(json_object_get(d, "fields")) >= 60);
    json_decref(d);
}

/* Every row once, whatever the pages. */
static void test_pages(void **state)
{
    char target[1024];
    json_t *all = web_get(&w, "/api/v1/search?limit=10000");
    size_t n = json_array_size(json_object_get(all, "rows")), seen = 0;
    char next[512] = "";
    (void)state;
    assert_int_equal(number_at(all, "total"), n);
    assert_true(json_is_null(json_object_get(all, "next")));
    do {
        snprintf(target, sizeof target, "/api/v1/search?limit=7&after=%s", next);
        json_t *d = web_get(&w, target);
        json_t *rows = json_object_get(d, "rows");
        for (size_t i = 0; i < json_array_size(rows); i++, seen++) {
            json_t *a = json_array_get(rows, i), *b = json_array_get(json_object_get(all, "rows"), seen);
            assert_true(json_equal(a, b));
            assert_non_null(json_string_value(json_object_get(json_object_get(a, "exectrail"), "cursor")));
        }
        const char *cursor = json_string_value(json_object_get(d, "next"));
        snprintf(next, sizeof next, "%s", cursor ? cursor : "");
        json_decref(d);
    } while (next[0]);
    assert_int_equal(seen, n);
    json_decref(all);
}

/* What is no JSON document says in its trailer whether it is whole. */
static void assert_summary(const web_answer *a, size_t n)
{
    json_t *d = json_loadb(a->summary.p ? a->summary.p : "", a->summary.n, 0, NULL);
    assert_int_equal(number_at(d, "total"), n);
    json_decref(d);
}

static void test_search_formats(void **state)
{
    web_answer a = {.status = 0};
    (void)state;
    json_t *d = web_get(&w, "/api/v1/search?count=1&q=exe%3A*");
    size_t n = (size_t)number_at(d, "count");
    json_decref(d);
    assert_true(n > 3);
    assert_int_equal(web_ask(&w, "GET", "/api/v1/search?format=ndjson&q=exe:*&download=1", NULL, &a), 200);
    assert_int_equal(lines_of(&a), n);
    assert_true(xt_slice_starts(xt_buf_slice(&a.head), XT_S("application/x-ndjson\n")));
    assert_true(xt_slice_find(xt_buf_slice(&a.head), XT_S("attachment; filename=\"exectrail.ndjson\"")) >= 0);
    assert_summary(&a, n);
    assert_int_equal(
        web_ask(&w, "GET", "/api/v1/search?format=csv&q=exe:*&fields=exe,pid&sort=pid:asc&limit=3", NULL, &a), 200);
    assert_int_equal(lines_of(&a), 4);
    assert_true(xt_slice_starts(xt_buf_slice(&a.body), XT_S("process.executable,process.pid\r\n")));
    assert_int_equal(web_ask(&w, "GET", "/api/v1/search?format=table&count=1&q=exe:*", NULL, &a), 200);
    char text[32];
    snprintf(text, sizeof text, "%zu\n", n);
    assert_true(xt_slice_eq(xt_buf_slice(&a.body), xt_slice_str(text)));
    assert_summary(&a, n);
    assert_int_equal(web_ask(&w, "GET", "/api/v1/search?format=csv&by=host&q=exe:*", NULL, &a), 200);
    assert_summary(&a, n);
    assert_int_equal(web_ask(&w, "GET", "/api/v1/search?format=raw&limit=1", NULL, &a), 200);
    assert_true(body_has(&a, "msg=audit("));
    d = web_get(&w, "/api/v1/search?fields=exe&limit=1&q=exe:*");
    assert_non_null(
        json_string_value(json_object_get(json_array_get(json_object_get(d, "rows"), 0), "process.executable")));
    json_decref(d);
    web_answer_reset(&a);
}

/* What a query did stands in its answer when it was asked for, also behind a stream. */
static void test_explain(void **state)
{
    web_answer a = {.status = 0};
    (void)state;
    json_t *d = web_get(&w, "/api/v1/search?q=exe%3A*%20and%20not%20cmd%3Azzzz&explain=1&timeout=60&memory=64");
    json_t *explain = json_object_get(d, "explain"), *terms = json_object_get(explain, "terms");
    assert_true(number_at(explain, "parts") > 0);
    assert_true(number_at(explain, "parts_read") > 0);
    assert_true(number_at(explain, "rows_read") >= number_at(d, "total"));
    assert_int_equal(json_array_size(terms), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(terms, 0), "term")), "exe:*");
    assert_int_equal(number_at(json_array_get(terms, 1), "values_matched"), 0);
    json_decref(d);
    d = web_get(&w, "/api/v1/search?q=exe%3A*");
    assert_null(json_object_get(d, "explain"));
    json_decref(d);
    assert_int_equal(web_ask(&w, "GET", "/api/v1/search?by=exe&format=csv&explain=1", NULL, &a), 200);
    assert_true(xt_slice_find(xt_buf_slice(&a.summary), XT_S("\"explain\":{")) >= 0);
    assert_int_equal(web_ask(&w, "GET", "/api/v1/search?timeout=soon", NULL, &a), 400);
    assert_true(body_has(&a, "timeout"));
    web_answer_reset(&a);
}

static void test_by(void **state)
{
    web_answer a = {.status = 0};
    (void)state;
    json_t *d = web_get(&w, "/api/v1/search?by=comm,exe&q=exe:*&limit=10000");
    size_t i, sum = 0;
    json_t *group;
    json_array_foreach(json_object_get(d, "groups"), i, group)
    {
        assert_int_equal(json_array_size(json_object_get(group, "values")), 2);
        sum += (size_t)number_at(group, "count");
    }
    assert_int_equal(sum, number_at(d, "total"));
    assert_int_equal(web_ask(&w, "GET", "/api/v1/search?by=comm,exe&q=exe:*&format=csv", NULL, &a), 200);
    assert_int_equal(lines_of(&a), i + 1);
    json_decref(d);
    web_answer_reset(&a);
}

static void test_histogram(void **state)
{
    static const char *const targets[] = {"/api/v1/histogram", "/api/v1/histogram?buckets=7",
                                          "/api/v1/histogram?from=2026-11-22&to=2026-11-23",
                                          "/api/v1/histogram?from=2026-11-22T13:33:52.337Z&buckets=1"};
    (void)state;
    json_t *all = web_get(&w, "/api/v1/search?count=1");
    for (size_t t = 0; t < XT_COUNT_OF(targets); t++) {
        json_t *d = web_get(&w, targets[t]), *bucket, *buckets = json_object_get(d, "buckets");
        long long sum = 0;
        size_t i;
        json_array_foreach(buckets, i, bucket) sum += json_integer_value(json_array_get(bucket, 0));
        assert_int_equal(sum, number_at(all, "count"));
        assert_int_equal(number_at(d, "total"), sum);
        assert_true(number_at(d, "from") + number_at(d, "interval_ms") * (long long)i > number_at(d, "to"));
        assert_true(t != 1 || i <= 7);
        json_decref(d);
    }
    json_decref(all);
}

static void test_event(void **state)
{
    char target[256];
    web_answer a = {.status = 0};
    (void)state;
    json_t *d = web_get(&w, "/api/v1/search?limit=1&q=action:executed");
    const char *id = json_string_value(
        json_object_get(json_object_get(json_array_get(json_object_get(d, "rows"), 0), "event"), "id"));
    snprintf(target, sizeof target, "/api/v1/events/%s", id);
    json_t *event = web_get(&w, target);
    assert_string_equal(json_string_value(json_object_get(json_object_get(event, "event"), "id")), id);
    assert_true(json_array_size(json_object_get(json_object_get(event, "auditd"), "records")) > 1);
    assert_int_equal(web_ask(&w, "GET", "/api/v1/events/00000000000000000000000000000000", NULL, &a), 404);
    assert_int_equal(web_ask(&w, "GET", "/api/v1/events/nonsense", NULL, &a), 404);
    assert_int_equal(web_ask(&w, "GET", "/api/v1/events/x?time=soon", NULL, &a), 400);
    json_decref(event);
    json_decref(d);
    web_answer_reset(&a);
}

static void test_session(void **state)
{
    web_answer a = {.status = 0};
    char target[256];
    (void)state;
    json_t *by = web_get(&w, "/api/v1/search?by=ses&limit=1&q=ses:*");
    json_t *top = json_array_get(json_object_get(by, "groups"), 0);
    const char *ses = json_string_value(json_array_get(json_object_get(top, "values"), 0));
    snprintf(target, sizeof target, "/api/v1/sessions/h1/%s", ses);
    json_t *d = web_get(&w, target), *row;
    assert_int_equal(number_at(d, "n_events"), number_at(top, "count"));
    assert_int_equal(json_array_size(json_object_get(d, "rows")), number_at(top, "count"));
    const char *before = "";
    size_t i;
    json_array_foreach(json_object_get(d, "rows"), i, row)
    {
        const char *time = json_string_value(json_object_get(row, "@timestamp"));
        assert_true(strcmp(time, before) >= 0);
        before = time;
    }
    assert_string_equal(json_string_value(json_object_get(d, "last")), before);
    snprintf(target, sizeof target, "/api/v1/sessions/h1/%s?limit=2", ses);
    json_t *few = web_get(&w, target);
    assert_int_equal(number_at(few, "n_events"), number_at(d, "n_events"));
    assert_string_equal(json_string_value(json_object_get(few, "last")), before);
    assert_int_equal(json_array_size(json_object_get(few, "rows")), 2);
    snprintf(target, sizeof target, "/api/v1/sessions/h1/%s/tree", ses);
    json_t *tree = web_get(&w, target), *processes = json_object_get(tree, "processes");
    assert_int_equal(number_at(tree, "n_events"), number_at(top, "count"));
    assert_int_equal(json_array_size(processes), number_at(tree, "n_processes"));
    assert_true(json_array_size(processes) > 0);
    json_array_foreach(processes, i, row)
        assert_true(json_is_string(json_object_get(row, "start")) && json_is_array(json_object_get(row, "steps")));
    json_decref(tree);
    snprintf(target, sizeof target, "/api/v1/sessions/h1/%s/tree?format=text", ses);
    assert_int_equal(web_ask(&w, "GET", target, NULL, &a), 200);
    assert_true(xt_slice_find(xt_buf_slice(&a.body), XT_S("session ")) >= 0);
    snprintf(target, sizeof target, "/api/v1/sessions/h1/%s/tree?format=tree", ses);
    assert_int_equal(web_ask(&w, "GET", target, NULL, &a), 400);
    assert_int_equal(web_ask(&w, "GET", "/api/v1/sessions/h1/999999/tree", NULL, &a), 404);
    assert_int_equal(web_ask(&w, "GET", "/api/v1/sessions/h1/x/tree", NULL, &a), 400);
    assert_int_equal(web_ask(&w, "GET", "/api/v1/sessions/h1/999999", NULL, &a), 404);
    assert_int_equal(web_ask(&w, "GET", "/api/v1/sessions/h1/x", NULL, &a), 400);
    assert_int_equal(web_ask(&w, "GET", "/api/v1/sessions/a%22%5C%20or%2F%20*/1", NULL, &a), 404);
    json_decref(few);
    json_decref(d);
    json_decref(by);
    web_answer_reset(&a);
}

#define EXEC(serial, argc, args)                                                                                       \
    "type=SYSCALL msg=audit(1800000000.100:" serial "): arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=1 "   \
    "pid=7" serial " auid=0 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=9 comm=\"auditctl\" " \
    "exe=\"/usr/sbin/auditctl\" key=\"exec\"\n"                                                                        \
    "type=EXECVE msg=audit(1800000000.100:" serial "): argc=" argc " " args "\n"

/* A session in which one event of two raised an alert. */
static void test_session_alerts(void **state)
{
    char file[128];
    web_answer a = {.status = 0};
    (void)state;
    snprintf(file, sizeof file, "%s/two.log", w.data);
    FILE *f = fopen(file, "w");
    fputs(EXEC("1", "1", "a0=\"auditctl\"") EXEC("2", "2", "a0=\"auditctl\" a1=\"-D\""), f);
    fclose(f);
    assert_int_equal(web_ask(&w, "POST", "/api/v1/import?host=two", file, &a), 200);
    json_t *d = web_get(&w, "/api/v1/sessions/two/9");
    assert_int_equal(number_at(d, "n_events"), 2);
    assert_int_equal(number_at(d, "n_alerts"), 1);
    json_decref(d);
    web_answer_reset(&a);
}

static void test_alerts(void **state)
{
    web_answer a = {.status = 0};
    char target[256];
    (void)state;
    json_t *d = web_get(&w, "/api/v1/alerts?status=open");
    json_t *alert = json_array_get(json_object_get(d, "alerts"), 0);
    size_t n = json_array_size(json_object_get(d, "alerts"));
    long long id = number_at(alert, "id");
    assert_true(n > 0);
    assert_non_null(json_string_value(json_object_get(json_object_get(alert, "rule"), "level")));
    assert_true(json_is_object(json_object_get(alert, "event")));
    static const char *const steps[][2] = {{"ack", "acknowledged"}, {"close", "closed"}, {"reopen", "open"}};
    for (size_t i = 0; i < XT_COUNT_OF(steps); i++) {
        snprintf(target, sizeof target, "/api/v1/alerts/%lld/%s", id, steps[i][0]);
        assert_int_equal(web_ask(&w, "POST", target, NULL, &a), 200);
        snprintf(target, sizeof target, "/api/v1/alerts/%lld", id);
        json_t *one = web_get(&w, target);
        assert_string_equal(json_string_value(json_object_get(one, "status")), steps[i][1]);
        json_decref(one);
    }
    assert_int_equal(web_ask(&w, "GET", "/api/v1/alerts?format=ndjson", NULL, &a), 200);
    assert_int_equal(lines_of(&a), n);
    assert_int_equal(web_ask(&w, "GET", "/api/v1/alerts?format=table", NULL, &a), 200);
    assert_int_equal(lines_of(&a), n + 1);
    assert_int_equal(web_ask(&w, "GET", "/api/v1/alerts?status=odd", NULL, &a), 400);
    assert_int_equal(web_ask(&w, "POST", "/api/v1/alerts/424242/ack", NULL, &a), 404);
    assert_int_equal(web_ask(&w, "GET", "/api/v1/alerts/x", NULL, &a), 404);
    json_decref(d);
    web_answer_reset(&a);
}

static void test_rules_and_hosts(void **state)
{
    web_answer a = {.status = 0};
    (void)state;
    json_t *d = web_get(&w, "/api/v1/rules");
    assert_true(json_array_size(json_object_get(d, "rules")) > 0);
    assert_int_equal(json_array_size(json_object_get(d, "refused")), 0);
    assert_true(number_at(d, "noise") >= 0 && number_at(d, "not_ours") >= 0);
    const char *rule = json_string_value(json_object_get(json_array_get(json_object_get(d, "rules"), 0), "id"));
    json_t *found = web_get(&w, "/api/v1/search?q=action%3Aexecuted&limit=1");
    json_t *row = json_array_get(json_object_get(found, "rows"), 0);
    const char *event = json_string_value(json_object_get(json_object_get(row, "event"), "id"));
    char path[300];
    assert_non_null(event);
    snprintf(path, sizeof path, "/api/v1/rules/%s/explain?event=%s", rule, event);
    assert_int_equal(web_ask(&w, "GET", path, NULL, &a), 200);
    assert_true(xt_slice_find(xt_buf_slice(&a.body), XT_S("  selection ")) > 0);
    snprintf(path, sizeof path, "/api/v1/rules/nothing/explain?event=%s", event);
    assert_int_equal(web_ask(&w, "GET", path, NULL, &a), 404);
    snprintf(path, sizeof path, "/api/v1/rules/%s/explain?event=%032d", rule, 7);
    assert_int_equal(web_ask(&w, "GET", path, NULL, &a), 404);
    json_decref(found);
    assert_int_equal(web_ask(&w, "POST", "/api/v1/rules/reload", NULL, &a), 200);
    json_decref(d);
    d = web_get(&w, "/api/v1/hosts");
    json_t *host = json_array_get(json_object_get(d, "hosts"), 0);
    assert_string_equal(json_string_value(json_object_get(host, "name")), "h1");
    assert_true(json_is_true(json_object_get(host, "imported")));
    json_decref(d);
    web_answer_reset(&a);
}

static void test_users_and_tokens(void **state)
{
    web_answer a = {.status = 0};
    (void)state;
    assert_int_equal(web_ask(&w, "POST", "/api/v1/users?name=ann&role=analyst", NULL, &a), 200);
    assert_true(body_has(&a, "\"ann\""));
    assert_int_equal(web_ask(&w, "POST", "/api/v1/users?name=bob&role=king", NULL, &a), 400);
    assert_int_equal(web_ask(&w, "POST", "/api/v1/users?role=viewer", NULL, &a), 400);
    assert_int_equal(web_ask(&w, "POST", "/api/v1/users/ann/link", NULL, &a), 200);
    assert_true(body_has(&a, "\"path\":\"/#login="));
    assert_int_equal(web_ask(&w, "POST", "/api/v1/users/nobody-at-all/link", NULL, &a), 404);
    assert_int_equal(web_ask(&w, "POST", "/api/v1/tokens?valid=5m&uses=2", NULL, &a), 200);
    assert_true(body_has(&a, "\"token\":\""));
    assert_int_equal(web_ask(&w, "POST", "/api/v1/tokens?valid=soon", NULL, &a), 400);
    web_answer_reset(&a);
}

static void test_problems(void **state)
{
    static const char *const bad[] = {"q=usr:alice",  "from=yesterdayish", "to=x",
                                      "limit=x",      "limit=10001",       "noise=loud",
                                      "format=xml",   "fields=nil",        "sort=exe:down",
                                      "sort=nil",     "after=bogus",       "by=nil",
                                      "by=a,b,c,d,e", "count=1&q=(",       "format=ndjson&after=bogus"};
    char target[256];
    web_answer a = {.status = 0};
    (void)state;
    for (size_t i = 0; i < XT_COUNT_OF(bad); i++) {
        snprintf(target, sizeof target, "/api/v1/search?%s", bad[i]);
        if (web_ask(&w, "GET", target, NULL, &a) != 400)
            print_message("%s\n", target);
        assert_int_equal(a.status, 400);
        assert_true(body_has(&a, "{\"error\":{\"sentence\":\""));
    }
    web_ask(&w, "GET", "/api/v1/search?q=user:a+and+(cmd:x", NULL, &a);
    json_t *d = json_loadb(a.body.p, a.body.n, 0, NULL), *error = json_object_get(d, "error");
    assert_string_equal(json_string_value(json_object_get(error, "source")), "query");
    assert_int_equal(number_at(error, "line"), 1);
    assert_true(number_at(error, "column") > 1);
    json_decref(d);
    assert_int_equal(web_ask(&w, "GET", "/api/v1/nothing", NULL, &a), 404);
    assert_int_equal(web_ask(&w, "GET", "/elsewhere/x", NULL, &a), 404);
    assert_int_equal(web_ask(&w, "POST", "/api/v1/search", NULL, &a), 405);
    assert_true(xt_slice_find(xt_buf_slice(&a.head), XT_S("Allow: GET, HEAD\r\n")) >= 0);
    web_answer_reset(&a);
}

static void test_import(void **state)
{
    char file[512];
    web_answer a = {.status = 0};
    (void)state;
    web_capture(file, "args.log");
    assert_int_equal(web_ask(&w, "POST", "/api/v1/import?host=h2&compact=1", file, &a), 200);
    json_t *d = json_loadb(a.body.p, a.body.n, 0, NULL);
    assert_int_equal(number_at(d, "events"), stamps_in(file));
    json_decref(d);
    d = web_get(&w, "/api/v1/search?count=1&q=host:h2");
    assert_int_equal(number_at(d, "count"), stamps_in(file));
    json_decref(d);
    assert_int_equal(web_ask(&w, "POST", "/api/v1/import?host=h3&session=1&more=1", file, &a), 400);
    d = web_get(&w, "/api/v1/verify");
    assert_true(json_is_true(json_object_get(d, "ok")));
    json_decref(d);
    assert_int_equal(web_ask(&w, "POST", "/api/v1/seal", NULL, &a), 200);
    web_answer_reset(&a);
}

static void test_row_with_cursor(void **state)
{
    static const char *const cases[][2] = {
        {"{}", "{\"exectrail\":{\"cursor\":\"c\"}}"},
        {"{\"a\":1}", "{\"a\":1,\"exectrail\":{\"cursor\":\"c\"}}"},
        {"{\"a\":\"\\\"exectrail\\\":{\",\"exectrail\":{\"noise\":\"n\"},\"b\":2}",
         "{\"a\":\"\\\"exectrail\\\":{\",\"exectrail\":{\"cursor\":\"c\",\"noise\":\"n\"},\"b\":2}"},
        {"{\"exectrail\":{}}", "{\"exectrail\":{\"cursor\":\"c\"}}"},
    };
    (void)state;
    for (size_t i = 0; i < XT_COUNT_OF(cases); i++) {
        XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
        xt_row_with_cursor(xt_slice_str(cases[i][0]), XT_S("c"), &out);
        assert_true(xt_slice_eq(xt_buf_slice(&out), xt_slice_str(cases[i][1])));
    }
}

static void test_query_text(void **state)
{
    xt_arena arena;
    (void)state;
    xt_arena_init(&arena, 1 << 20);
    const xt_param *params = xt_query_parse(XT_S("&a=1%202&b=x+y%zz%4&&c&a=3&=v&d=%3d%"), &arena);
    const xt_request request = {.query = params};
    assert_true(xt_slice_eq(xt_request_get(&request, "a"), XT_S("1 2")));
    assert_true(xt_slice_eq(xt_request_get(&request, "b"), XT_S("x y%zz%4")));
    assert_true(xt_request_get(&request, "c").p && xt_request_get(&request, "c").n == 0);
    assert_true(xt_slice_eq(xt_request_get(&request, "d"), XT_S("=%")));
    assert_null(xt_request_get(&request, "e").p);
    xt_arena_fini(&arena);
}

static int open_all(void **state)
{
    (void)state;
    web_open(&w);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    web_close(&w);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_search_formats),
        cmocka_unit_test(test_explain),
        cmocka_unit_test(test_by),
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_event),
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_alerts),
        cmocka_unit_test(test_rules_and_hosts),
        cmocka_unit_test(test_users_and_tokens),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_row_with_cursor),
        cmocka_unit_test(test_query_text),
        cmocka_unit_test(test_import),
        cmocka_unit_test(test_session_alerts),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}

/* What only shows over HTTP: page files, login, live tail, imports in pieces, refused addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "door_fixture.h"
#include "web/imports.h"
#include "web/page_files.h"

static house h;

static xt_slice body_of(const xt_buf *answer)
{
    ptrdiff_t at = xt_slice_find(xt_buf_slice(answer), XT_S("\r\n\r\n"));
    return at < 0 ? XT_S_NULL : xt_slice_skip(xt_buf_slice(answer), (size_t)at + 4);
}

static const xt_embedded *embedded(const char *name)
{
    const xt_embedded *files = xt_embedded_page[0].path ? xt_embedded_page : xt_embedded_fallback;
    for (; files->path; files++)
        if (strcmp(files->path, name) == 0)
            return files;
    return NULL;
}

static void test_page(void **state)
{
    static const struct {
        const char *accept;
        bool packed;
    } cases[] = {{"", false},
                 {"Accept-Encoding: gzip, deflate, br\r\n", true},
                 {"Accept-Encoding: identity\r\n", false},
                 {"Accept-Encoding: gzip;q=0\r\n", false},
                 {"Accept-Encoding: gzip;q=0.5\r\n", true},
                 {"Accept-Encoding: *\r\n", true},
                 {"Accept-Encoding: deflate\r\n", false}};
    const xt_embedded *plain = embedded("index.html"), *packed = embedded("index.html.gz");
    (void)state;
    assert_non_null(plain);
    for (size_t i = 0; i < XT_COUNT_OF(cases); i++) {
        const xt_embedded *file = cases[i].packed && packed ? packed : plain;
        assert_int_equal(house_ask(&h, false, "GET", "/", cases[i].accept, ""), 200);
        assert_true(xt_slice_eq(body_of(&h.out), xt_slice_of(file->bytes, file->n)));
        assert_true(has(&h.out, "Content-Encoding: gzip\r\n") == (file != plain));
        assert_true(has(&h.out, "Vary: Accept-Encoding\r\n"));
        assert_true(has(&h.out, "Cache-Control: no-cache\r\n"));
    }
    const char *const always[] = {
        "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src "
        "'self' "
        "data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'\r\n",
        "X-Content-Type-Options: nosniff\r\n", "Referrer-Policy: no-referrer\r\n"};
    const char *const targets[] = {"/", "/api/v1/me", "/nothing"};
    for (size_t t = 0; t < XT_COUNT_OF(targets); t++) {
        house_ask(&h, false, "GET", targets[t], "", "");
        for (size_t i = 0; i < XT_COUNT_OF(always); i++)
            assert_true(has(&h.out, always[i]));
    }
    assert_true(has(&h.out, "Cache-Control: no-store\r\n"));
}

static void test_page_caching(void **state)
{
    char headers[256], target[256];
    (void)state;
    snprintf(headers, sizeof headers, "If-None-Match: \"%.16s\"\r\n", embedded("index.html")->sha256);
    assert_int_equal(house_ask(&h, false, "GET", "/", headers, ""), 304);
    assert_int_equal(body_of(&h.out).n, 0);
    assert_int_equal(house_ask(&h, false, "GET", "/", "If-None-Match: \"other\"\r\n", ""), 200);
    for (const xt_embedded *file = xt_embedded_page; file->path; file++) {
        snprintf(target, sizeof target, "/%s", file->path);
        assert_int_equal(house_ask(&h, false, "GET", target, "", ""), 200);
        assert_true(has(&h.out, "max-age=31536000, immutable") == (strchr(file->path, '-') != NULL));
        assert_true(xt_slice_eq(body_of(&h.out), xt_slice_of(file->bytes, file->n)));
    }
}

static void test_login(void **state)
{
    char cookie[256], headers[512];
    (void)state;
    house_login(&h, "vera", "viewer", cookie);
    assert_true(has(&h.out, "; HttpOnly; SameSite=Strict\r\n"));
    assert_false(has(&h.out, "Secure")); /* plain HTTP */
    assert_int_equal(house_ask(&h, false, "GET", "/api/v1/me", cookie, ""), 200);
    assert_true(has(&h.out, "{\"user\":\"vera\",\"role\":\"viewer\"}"));
    snprintf(headers, sizeof headers, "%sOrigin: http://h:1\r\n", cookie);
    assert_int_equal(house_ask(&h, false, "POST", "/api/v1/logout", headers, ""), 204);
    assert_true(has(&h.out, "Max-Age=0"));
    assert_int_equal(house_ask(&h, false, "GET", "/api/v1/me", cookie, ""), 401);
    assert_int_equal(house_ask(&h, false, "POST", "/api/v1/login", "", "{\"secret\":\"x\"}"), 403);
    assert_true(has(&h.out, "user link"));
    assert_int_equal(house_ask(&h, false, "POST", "/api/v1/login", "", "{"), 400);
    assert_int_equal(house_ask(&h, false, "POST", "/api/v1/login", "", "{\"secret\":7}"), 400);
    assert_int_equal(house_ask(&h, false, "POST", "/api/v1/login", "", ""), 400);
}

/* A head that announces a large body; the body does not come. The status, 0: nothing is answered. */
static int announce(const char *target, const char *headers)
{
    XT_CLEANUP(xt_buf_fini) xt_buf request = XT_BUF_INIT;
    xt_buf_printf(&request, "POST %s HTTP/1.1\r\nHost: h:1\r\n%s\r\n", target, headers);
    xt_buf_putc(&request, '\0');
    int fd = client_tcp(h.port);
    uint64_t status = 0;
    xt_buf_reset(&h.out);
    client_send(fd, request.p);
    if (client_read(fd, &h.out, "\r\n\r\n", 1))
        (void)!xt_slice_parse_u64(xt_slice_of(h.out.p + 9, 3), &status);
    close(fd);
    return (int)status;
}

/* Who may not send is told so before the body is taken. */
static void test_strangers_bodies(void **state)
{
    static const struct {
        const char *target, *headers;
        int status;
    } cases[] = {
        {"/es/_bulk", "Content-Length: 33554432\r\n", 401},
        {"/es/_bulk", "Content-Length: 33554432\r\nAuthorization: ApiKey bm9ib2R5Om5vdGhpbmc=\r\n", 401},
        {"/es/_bulk", "Transfer-Encoding: chunked\r\n", 401},
        {"/api/v1/import?host=a", "Content-Length: 33554432\r\n", 401},
        {"/api/v1/import?host=a", "Content-Length: 33554432\r\nExpect: 100-continue\r\n", 401},
        {"/api/v1/login", "Content-Length: 33554432\r\n", 413},
        {"/api/v1/nothing", "Content-Length: 33554432\r\n", 404},
        {"/api/v1/search", "Content-Length: 33554432\r\n", 405},
    };
    (void)state;
    for (size_t i = 0; i < XT_COUNT_OF(cases); i++) {
        int status = announce(cases[i].target, cases[i].headers);
        if (status != cases[i].status)
            print_message("%s %s: %d\n", cases[i].target, cases[i].headers, status);
        assert_int_equal(status, cases[i].status);
    }
}

#define RECORD(serial, word)                                                                                           \
    "type=SYSCALL msg=audit(1800000000." serial ":1" serial "): arch=c000003e syscall=59 success=yes exit=0 items=1 "  \
    "ppid=1 pid=7 auid=1001 uid=1001 gid=1001 euid=1001 suid=1001 fsuid=1001 egid=1001 sgid=1001 fsgid=1001 tty=pts0 " \
    "ses=7 comm=\"w\" exe=\"/usr/bin/w\" key=\"exec\"\n"                                                               \
    "type=EXECVE msg=audit(1800000000." serial ":1" serial "): argc=2 a0=\"w\" a1=\"" word "\"\n"

static void import(const char *query, const char *text, int status)
{
    char target[256];
    snprintf(target, sizeof target, "/api/v1/import?host=live%s", query);
    assert_int_equal(house_ask(&h, true, "POST", target, "", text), status);
}

static void test_tail(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    (void)state;
    int fd = client_unix(h.control);
    client_send(fd, "GET /api/v1/tail?q=cmd:needle HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(client_read(fd, &out, "retry: 1000", 1));
    assert_true(has(&out, "Content-Type: text/event-stream\r\n"));
    import("", RECORD("101", "needle-one") RECORD("102", "hay"), 200);
    assert_true(client_read(fd, &out, "needle-one", 1));
    import("", RECORD("103", "needle-two") RECORD("104", "needle-three"), 200);
    assert_true(client_read(fd, &out, "needle-three", 1));
    close(fd);
    assert_false(has(&out, "hay"));
    assert_true(has(&out, "event: row\nid: "));
    ptrdiff_t two = xt_slice_find(xt_buf_slice(&out), XT_S("needle-two")),
              three = xt_slice_find(xt_buf_slice(&out), XT_S("needle-three"));
    assert_true(two > 0 && two < three); /* oldest first */
    /* from a place given: all of it again, in one connection */
    xt_buf_reset(&out);
    fd = client_unix(h.control);
    client_send(fd, "GET /api/v1/tail?q=cmd:needle&after=0 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(client_read(fd, &out, "event: row", 3));
    close(fd);
}

static void test_tail_hides_noise(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    char expected[64];
    (void)state;
    json_t *d = web_get(&h.web, "/api/v1/search?count=1&noise=hide");
    long long hidden = number_at(d, "hidden");
    json_decref(d);
    if (hidden == 0) {
        print_message("no noise in this capture\n");
        return;
    }
    snprintf(expected, sizeof expected, "event: hidden\ndata: %lld\n", hidden);
    int fd = client_unix(h.control);
    client_send(fd, "GET /api/v1/tail?after=0&noise=hide HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(client_read(fd, &out, expected, 1));
    close(fd);
}

static void test_import_in_pieces(void **state)
{
    (void)state;
    import("&session=s1&more=1", RECORD("201", "piece-one") "type=SYSCALL msg=audit(1800000", 200);
    import("&session=s1&more=1&next=1",
           "000.202:1202): arch=c000003e syscall=59 success=yes exit=0 pid=1 comm=\"x\" exe=\"/piece\"\n", 200);
    import("&session=s1&next=1", RECORD("203", "piece-two"), 200);
    assert_true(has(&h.out, "\"events\":3,") && has(&h.out, "\"unparsed\":0,"));
    json_t *d = web_get(&h.web, "/api/v1/search?count=1&q=exe:/piece+or+cmd:piece");
    assert_int_equal(number_at(d, "count"), 3);
    json_decref(d);
    for (int i = 0; i < 16; i++) {
        char query[64];
        snprintf(query, sizeof query, "&session=open%d&more=1", i);
        import(query, "", 200);
    }
    import("&session=one-too-many&more=1", "", 503);
    import("&session=open3", "", 200); /* a place is free again */
    import("&session=one-too-many&more=1", "", 200);
    import("&more=1", "", 400);
    import("&session=one-too-many&next=1", "", 200);
    import("&session=s1&next=1", RECORD("204", "piece-three"), 409); /* that import is over */
    import("&session=gone&more=1&next=1", "", 409);
    import("&session=gone&more=1", "", 200); /* no place was kept for it */
}

static void test_refused_address(void **state)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_door *door;
    const xt_door_settings settings = {.address = "0.0.0.0:0"};
    (void)state;
    loop_stop(&h.loop);
    assert_int_equal(xt_door_open(h.web.app, h.loop.base, &settings, &door, &problem), XT_DOOR_E_LISTEN);
    assert_non_null(strstr(problem.sentence, "TLS"));
    loop_start(&h.loop);
}

static int64_t fake_ms;

static int64_t fake_clock(const xt_clock *clock)
{
    (void)clock;
    return fake_ms;
}

static void test_idle_imports_are_dropped(void **state)
{
    const xt_clock clock = {.wall_ms = fake_clock, .mono_ms = fake_clock};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_imports *imports;
    xt_import *import = NULL, *taken = NULL;
    (void)state;
    assert_int_equal(xt_imports_new(&clock, &imports), 0);
    assert_int_equal(xt_import_open(h.web.app, "idle", "test", &import, &problem), 0);
    assert_int_equal(xt_imports_take(imports, XT_S("a"), &taken), 0);
    assert_null(taken);
    assert_int_equal(xt_imports_take(imports, XT_S("a"), &taken), XT_IMPORTS_E_BUSY);
    fake_ms = XT_IMPORTS_IDLE_MS * 2;
    xt_imports_sweep(imports); /* in a hand: stays */
    xt_imports_give(imports, XT_S("a"), import);
    fake_ms += XT_IMPORTS_IDLE_MS - 1;
    xt_imports_sweep(imports);
    assert_int_equal(xt_imports_take(imports, XT_S("a"), &taken), 0);
    assert_ptr_equal(taken, import);
    xt_imports_give(imports, XT_S("a"), taken);
    fake_ms += XT_IMPORTS_IDLE_MS;
    xt_imports_sweep(imports);
    assert_int_equal(xt_imports_take(imports, XT_S("a"), &taken), 0);
    assert_null(taken);
    xt_imports_free(imports);
}

static int set_up(void **state)
{
    (void)state;
    house_open(&h);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    house_close(&h);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page),
        cmocka_unit_test(test_page_caching),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_strangers_bodies),
        cmocka_unit_test(test_tail),
        cmocka_unit_test(test_tail_hides_noise),
        cmocka_unit_test(test_import_in_pieces),
        cmocka_unit_test(test_refused_address),
        cmocka_unit_test(test_idle_imports_are_dropped),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "io/http/http_head.h"

static int parse(const char *text, xt_http_head *ret)
{
    const char *sentence = NULL;
    int status = xt_http_head_parse(xt_slice_str(text), ret, &sentence);
    if (status != 0)
        assert_non_null(sentence);
    return status;
}

#define assert_slice(s, z) assert_true(xt_slice_eq((s), xt_slice_str(z)))

static void test_parts(void **state)
{
    xt_http_head head;
    (void)state;
    assert_int_equal(parse("GET /a/b%20c?q=1&r=%2F HTTP/1.1\r\nHost: x:1\r\ncookie:  a=b \r\n\r\n", &head), 0);
    assert_string_equal(head.method, "GET");
    assert_slice(head.path, "/a/b%20c");
    assert_slice(head.query, "q=1&r=%2F");
    assert_slice(xt_http_head_find(&head, XT_S("COOKIE")), "a=b");
    assert_null(xt_http_head_find(&head, XT_S("Origin")).p);
    assert_true(head.keep_alive);
    assert_int_equal(parse("GET http://host:80/p HTTP/1.1\r\nConnection: Close, x\r\n\r\n", &head), 0);
    assert_slice(head.path, "/p");
    assert_slice(head.query, "");
    assert_false(head.keep_alive);
    assert_int_equal(parse("POST /p HTTP/1.0\r\nContent-Length: 12\r\n\r\n", &head), 0);
    assert_false(head.keep_alive);
    assert_int_equal(head.length, 12);
    assert_int_equal(parse("POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\nExpect: 100-continue\r\n\r\n", &head), 0);
    assert_true(head.chunked && head.expects_continue);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"", 400},
        {"GET\r\n\r\n", 400},
        {"GET /\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\n\r\n", 505},
        {"GET  / HTTP/1.1\r\n\r\n", 400},
        {"G(T / HTTP/1.1\r\n\r\n", 400},
        {"GETGETGETGETGETGET / HTTP/1.1\r\n\r\n", 400},
        {"GET p HTTP/1.1\r\n\r\n", 400},
        {"GET /\x01 HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nA: b\nB: c\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nA: b\x01\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
    };
    xt_http_head head;
    (void)state;
    for (size_t i = 0; i < XT_COUNT_OF(cases); i++) {
        int status = parse(cases[i].text, &head);
        if (status != cases[i].status)
            print_message("case %zu\n", i);
        assert_int_equal(status, cases[i].status);
    }
}

static void test_many_headers(void **state)
{
    char text[8192];
    xt_http_head head;
    (void)state;
    for (int n = XT_HTTP_MAX_HEADERS; n <= XT_HTTP_MAX_HEADERS + 1; n++) {
        xt_buf out = XT_BUF_ON(text);
        xt_buf_puts(&out, "GET / HTTP/1.1\r\n");
        for (int i = 0; i < n; i++)
            xt_buf_puts(&out, "A: b\r\n");
        xt_buf_puts(&out, "\r\n");
        const char *sentence;
        assert_int_equal(xt_http_head_parse(xt_buf_slice(&out), &head, &sentence), n > XT_HTTP_MAX_HEADERS ? 431 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_many_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

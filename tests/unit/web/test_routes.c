/* Every route of the table, asked as nobody, viewer, analyst and admin: who may what stands here a second time, on purpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "door_fixture.h"
#include "web/route.h"

static const struct {
    const char *method, *pattern;
    xt_role least;
} expected[] = {
    {"GET", "/", XT_ROLE_NONE},
    {"GET", "/{file}", XT_ROLE_NONE},
    {"POST", "/api/v1/login", XT_ROLE_NONE},
    {"POST", "/api/v1/logout", XT_ROLE_NONE},
    {"GET", "/api/v1/me", XT_ROLE_VIEWER},
    {"GET", "/api/v1/status", XT_ROLE_VIEWER},
    {"GET", "/api/v1/fields", XT_ROLE_VIEWER},
    {"GET", "/api/v1/search", XT_ROLE_VIEWER},
    {"GET", "/api/v1/histogram", XT_ROLE_VIEWER},
    {"GET", "/api/v1/events/{id}", XT_ROLE_VIEWER},
    {"POST", "/api/v1/events/{id}/unseal", XT_ROLE_ANALYST},
    {"GET", "/api/v1/tail", XT_ROLE_VIEWER},
    {"GET", "/api/v1/sessions/{host}/{ses}", XT_ROLE_VIEWER},
    {"GET", "/api/v1/sessions/{host}/{ses}/tree", XT_ROLE_VIEWER},
    {"GET", "/api/v1/alerts", XT_ROLE_VIEWER},
    {"GET", "/api/v1/alerts/{id}", XT_ROLE_VIEWER},
    {"POST", "/api/v1/alerts/{id}/ack", XT_ROLE_ANALYST},
    {"POST", "/api/v1/alerts/{id}/close", XT_ROLE_ANALYST},
    {"POST", "/api/v1/alerts/{id}/reopen", XT_ROLE_ANALYST},
    {"GET", "/api/v1/senders", XT_ROLE_VIEWER},
    {"GET", "/api/v1/senders/tokens", XT_ROLE_ADMIN},
    {"POST", "/api/v1/senders/tokens", XT_ROLE_ADMIN},
    {"POST", "/api/v1/senders/tokens/{name}/remove", XT_ROLE_ADMIN},
    {"GET", "/api/v1/hosts", XT_ROLE_VIEWER},
    {"POST", "/api/v1/hosts/{host}/revoke", XT_ROLE_ADMIN},
    {"POST", "/api/v1/hosts/{host}/restore", XT_ROLE_ADMIN},
    {"POST", "/api/v1/hosts/{host}/group", XT_ROLE_ADMIN},
    {"POST", "/api/v1/hosts/{host}/quarantine", XT_ROLE_ADMIN},
    {"POST", "/api/v1/hosts/{host}/release", XT_ROLE_ADMIN},
    {"POST", "/api/v1/hosts/{host}/pause", XT_ROLE_ADMIN},
    {"POST", "/api/v1/hosts/{host}/resume", XT_ROLE_ADMIN},
    {"GET", "/api/v1/policies", XT_ROLE_VIEWER},
    {"GET", "/api/v1/policies/{group}", XT_ROLE_VIEWER},
    {"GET", "/api/v1/policies/{group}/text", XT_ROLE_VIEWER},
    {"POST", "/api/v1/policies/{group}", XT_ROLE_ADMIN},
    {"POST", "/api/v1/policies/{group}/roll-out", XT_ROLE_ADMIN},
    {"POST", "/api/v1/policies/{group}/halt", XT_ROLE_ADMIN},
    {"POST", "/api/v1/policies/{group}/resume", XT_ROLE_ADMIN},
    {"POST", "/api/v1/policies/{group}/rollback", XT_ROLE_ADMIN},
    {"GET", "/api/v1/hosts/{host}/completeness", XT_ROLE_VIEWER},
    {"GET", "/api/v1/completeness", XT_ROLE_VIEWER},
    {"GET", "/api/v1/inventory", XT_ROLE_VIEWER},
    {"POST", "/api/v1/inventory", XT_ROLE_ADMIN},
    {"GET", "/api/v1/cas", XT_ROLE_ADMIN},
    {"POST", "/api/v1/cas/rotate", XT_ROLE_ADMIN},
    {"POST", "/api/v1/cas/retire", XT_ROLE_ADMIN},
    {"GET", "/api/v1/rules", XT_ROLE_VIEWER},
    {"GET", "/api/v1/rules/{rule}/explain", XT_ROLE_VIEWER},
    {"POST", "/api/v1/rules/reload", XT_ROLE_ADMIN},
    {"POST", "/api/v1/tokens", XT_ROLE_ADMIN},
    {"GET", "/api/v1/tokens", XT_ROLE_ADMIN},
    {"POST", "/api/v1/tokens/{id}/revoke", XT_ROLE_ADMIN},
    {"GET", "/api/v1/users", XT_ROLE_ADMIN},
    {"POST", "/api/v1/users", XT_ROLE_ADMIN},
    {"POST", "/api/v1/users/{name}/link", XT_ROLE_ADMIN},
    {"POST", "/api/v1/import", XT_ROLE_ADMIN},
    {"POST", "/api/v1/seal", XT_ROLE_ADMIN},
    {"GET", "/api/v1/store", XT_ROLE_ADMIN},
    {"GET", "/api/v1/holds", XT_ROLE_ADMIN},
    {"POST", "/api/v1/holds", XT_ROLE_ADMIN},
    {"POST", "/api/v1/holds/{id}/remove", XT_ROLE_ADMIN},
    {"GET", "/api/v1/erasures", XT_ROLE_ADMIN},
    {"POST", "/api/v1/erasures", XT_ROLE_ADMIN},
    {"GET", "/api/v1/forwards", XT_ROLE_ADMIN},
    {"GET", "/api/v1/forwards/{name}", XT_ROLE_ADMIN},
    {"POST", "/api/v1/forwards", XT_ROLE_ADMIN},
    {"POST", "/api/v1/forwards/{name}/pause", XT_ROLE_ADMIN},
    {"POST", "/api/v1/forwards/{name}/resume", XT_ROLE_ADMIN},
    {"POST", "/api/v1/forwards/{name}/remove", XT_ROLE_ADMIN},
    {"POST", "/api/v1/backup", XT_ROLE_ADMIN},
    {"GET", "/api/v1/verify/head", XT_ROLE_ADMIN},
    {"GET", "/api/v1/verify", XT_ROLE_ADMIN},
};

static house h;
static char cookies[4][256];

/* The pattern with something in each {…}; the tail with a query that is refused, so that it ends. */
static void fill(const char *pattern, char out[static 256])
{
    size_t n = 0;
    for (; *pattern && n < 200; pattern++) {
        if (*pattern != '{') {
            out[n++] = *pattern;
            continue;
        }
        out[n++] = '7';
        pattern = strchr(pattern, '}');
    }
    out[n] = '\0';
    if (strstr(out, "/tail"))
        snprintf(out + n, 256 - n, "?q=(");
}

static void test_roles(void **state)
{
    char target[256], headers[1500];
    size_t n = 0;
    (void)state;
    for (const xt_route *route = xt_routes; route->method; route++, n++) {
        assert_true(n < XT_COUNT_OF(expected));
        assert_string_equal(route->method, expected[n].method);
        assert_string_equal(route->pattern, expected[n].pattern);
        fill(route->pattern, target);
        for (unsigned role = XT_ROLE_NONE; role <= XT_ROLE_ADMIN; role++) {
            if (strstr(target, "logout") && role != XT_ROLE_NONE)
                continue; /* would end the session that the rest needs */
            snprintf(headers, sizeof headers, "Origin: http://h:1\r\n%s", cookies[role]);
            int status = house_ask(&h, false, route->method, target, headers, "");
            bool refused = status == 401 || (status == 403 && has(&h.out, "this needs the role"));
            if (refused != (role < expected[n].least))
                print_message("%s %s as %s: %d\n", route->method, target, xt_role_name((xt_role)role), status);
            assert_true(refused == (role < expected[n].least));
            assert_true(!refused || (status == 401) == (role == XT_ROLE_NONE));
            assert_true(has(&h.out, "Content-Security-Policy: default-src 'none'; script-src 'self'"));
            assert_true(status == 500 || status == 503 ? false : true);
        }
        assert_false(house_ask(&h, true, route->method, target, "", "") == 401); /* control.sock is admin */
    }
    assert_int_equal(n, XT_COUNT_OF(expected));
}

static void test_tokens(void **state)
{
    char path[256], token[128] = "", headers[1500];
    (void)state;
    snprintf(path, sizeof path, "%s/admin.token", h.web.data);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(token, sizeof token, f));
    fclose(f);
    token[strcspn(token, "\n")] = '\0';
    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", token);
    assert_int_equal(house_ask(&h, false, "GET", "/api/v1/me", headers, ""), 200);
    assert_true(has(&h.out, "\"role\":\"admin\""));
    assert_int_equal(house_ask(&h, false, "POST", "/api/v1/seal", headers, ""),
                     200); /* no cookie: no Origin asked for */
    snprintf(headers, sizeof headers, "Authorization: Bearer wrong\r\n%s", cookies[XT_ROLE_ADMIN]);
    assert_int_equal(house_ask(&h, false, "GET", "/api/v1/me", headers, ""), 401); /* the cookie does not stand in */
    assert_int_equal(house_ask(&h, false, "GET", "/api/v1/me", "Cookie: exectrail=wrong\r\n", ""), 401);
    assert_int_equal(house_ask(&h, false, "GET", "/api/v1/me", "Authorization: Basic eDp5\r\n", ""), 401);
}

/* What a page of another site could make a browser send. */
static void test_other_sites(void **state)
{
    static const struct {
        const char *headers;
        int status;
    } cases[] = {
        {"Origin: http://h:1\r\n", 200},
        {"Origin: https://H:1\r\n", 200},
        {"Origin: http://h:2\r\n", 403},
        {"Origin: http://evil.h:1\r\n", 403},
        {"Origin: http://h:1.evil\r\n", 403},
        {"Origin: null\r\n", 403},
        {"", 403},
        {"Sec-Fetch-Site: same-origin\r\n", 200},
        {"Sec-Fetch-Site: same-site\r\n", 403},
        {"Sec-Fetch-Site: cross-site\r\n", 403},
        {"Origin: http://evil\r\nSec-Fetch-Site: same-origin\r\n", 403},
    };
    char headers[1500];
    (void)state;
    for (size_t i = 0; i < XT_COUNT_OF(cases); i++) {
        snprintf(headers, sizeof headers, "%s%s", cases[i].headers, cookies[XT_ROLE_ADMIN]);
        assert_int_equal(house_ask(&h, false, "POST", "/api/v1/seal", headers, ""), cases[i].status);
    }
    snprintf(headers, sizeof headers, "Origin: http://evil\r\n%s", cookies[XT_ROLE_ADMIN]);
    assert_int_equal(house_ask(&h, false, "GET", "/api/v1/me", headers, ""), 200);
    assert_int_equal(house_ask(&h, false, "POST", "/api/v1/login", "Origin: http://evil\r\n", "{}"), 403);
}

static void test_paths(void **state)
{
    (void)state;
    assert_int_equal(house_ask(&h, false, "GET", "/api/v1/nothing", "", ""), 404);
    assert_int_equal(house_ask(&h, false, "GET", "/no/such/page", "", ""), 404);
    assert_int_equal(house_ask(&h, false, "GET", "/..%2f..%2fetc%2fpasswd", "", ""), 404);
    assert_int_equal(house_ask(&h, false, "GET", "//", "", ""), 404);
    assert_int_equal(house_ask(&h, false, "DELETE", "/api/v1/me", "", ""), 405);
    assert_true(has(&h.out, "Allow: GET, HEAD\r\n"));
    assert_int_equal(house_ask(&h, false, "PATCH", "/api/v1/users", "", ""), 405);
    assert_true(has(&h.out, "Allow: GET, HEAD, POST\r\n"));
    assert_int_equal(house_ask(&h, false, "HEAD", "/", "", ""), 200);
    assert_true(xt_slice_ends(xt_buf_slice(&h.out), XT_S("\r\n\r\n")));
}

static int set_up(void **state)
{
    (void)state;
    house_open(&h);
    house_login(&h, "vera", "viewer", cookies[XT_ROLE_VIEWER]);
    house_login(&h, "anna", "analyst", cookies[XT_ROLE_ANALYST]);
    house_login(&h, "adam", "admin", cookies[XT_ROLE_ADMIN]);
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
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_other_sites),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

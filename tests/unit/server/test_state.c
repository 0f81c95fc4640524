#include "server_fixture.h"

#include "io/tls.h"
#include <errno.h>

#include "server/app_parts.h"
#include "server/silence.h"
#include "server/tokens.h"
#include "wire/token.h"

/* ------------------------------------------------------------------------------------------ first start */

static mode_t mode_of(const fixture *f, const char *name)
{
    char path[200];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", f->data, name);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static xt_buf content_of(const fixture *f, const char *name)
{
    char path[200];
    xt_buf out = XT_BUF_INIT;
    snprintf(path, sizeof path, "%s/%s", f->data, name);
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, 1 << 20, &out), 0);
    return out;
}

static void first_start_makes_keys_and_keeps_them(void **state)
{
    fixture *f = *state;
    static const char *const names[] = {"ca.pem", "ca.key", "server.pem", "server.key", "admin.token"};
    xt_buf before[5], after;
    xt_app *second = NULL;

    fixture_open(f);
    assert_int_equal(mode_of(f, "ca.key"), 0600);
    assert_int_equal(mode_of(f, "server.key"), 0600);
    assert_int_equal(mode_of(f, "admin.token"), 0600);
    assert_int_equal(mode_of(f, "ca.pem"), 0644);
    assert_int_equal(xt_app_open(&f->settings, &second, NULL), XT_APP_E_LOCKED);
    for (size_t i = 0; i < 5; i++)
        before[i] = content_of(f, names[i]);
    fixture_close(f);
    fixture_open(f);
    for (size_t i = 0; i < 5; i++) {
        after = content_of(f, names[i]);
        assert_true(xt_slice_eq(xt_buf_slice(&before[i]), xt_buf_slice(&after)));
        xt_buf_fini(&after);
    }
    fixture_close(f);
    f->settings.server_names = "log.example.org";
    fixture_open(f);
    after = content_of(f, "server.pem");
    assert_false(xt_slice_eq(xt_buf_slice(&before[2]), xt_buf_slice(&after)));
    xt_buf_fini(&after);
    after = content_of(f, "ca.pem");
    assert_true(xt_slice_eq(xt_buf_slice(&before[0]), xt_buf_slice(&after)));
    xt_buf_fini(&after);
    for (size_t i = 0; i < 5; i++)
        xt_buf_fini(&before[i]);
}

/* The CA is what agents pin: a lost key is said, never replaced. */
static void a_lost_ca_key_is_an_error(void **state)
{
    fixture *f = *state;
    xt_problem problem = XT_PROBLEM_INIT;
    char path[200];

    fixture_open(f);
    fixture_close(f);
    snprintf(path, sizeof path, "%s/ca.key", f->data);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(xt_app_open(&f->settings, &f->app, &problem), -ENOENT);
    assert_non_null(strstr(problem.sentence, "ca.key"));
    assert_int_equal(access(path, F_OK), -1);
}

static void admin_token_is_admin(void **state)
{
    fixture *f = *state;
    char name[64];

    fixture_open(f);
    xt_buf token = content_of(f, "admin.token");
    assert_int_equal(xt_app_role_of(f->app, XT_S_NULL, xt_buf_slice(&token), name), XT_ROLE_ADMIN);
    token.p[0] = token.p[0] == 'a' ? 'b' : 'a';
    assert_int_equal(xt_app_role_of(f->app, XT_S_NULL, xt_buf_slice(&token), name), XT_ROLE_NONE);
    assert_int_equal(xt_app_role_of(f->app, XT_S_NULL, XT_S_NULL, name), XT_ROLE_NONE);
    assert_string_equal(name, "");
    xt_buf_fini(&token);
}

/* ----------------------------------------------------------------------------------------------- tokens */

static int enroll_with(fixture *f, const char *token_text, char host_id[33])
{
    XT_CLEANUP(xt_buf_fini) xt_buf key = XT_BUF_INIT, csr = XT_BUF_INIT, cert = XT_BUF_INIT;
    xt_token token;
    char secret[32];

    assert_int_equal(xt_token_parse(xt_slice_str(token_text), &token, NULL), 0);
    memcpy(secret, token.id, 16);
    memcpy(secret + 16, token.secret, 16);
    assert_int_equal(xt_tls_key_make(&key), 0);
    assert_int_equal(xt_tls_csr_make(xt_buf_slice(&key), XT_S("web-1"), &csr), 0);
    xt_enroll m = {.version = 1,
                   .secret = xt_slice_of(secret, sizeof secret),
                   .csr_der = xt_buf_slice(&csr),
                   .host_name = XT_S("web-1"),
                   .os = XT_S("Debian 12")};
    int r = xt_tokens_enroll(f->app, &m, "127.0.0.1:1", host_id, &cert, NULL);
    if (r == 0)
        assert_true(xt_slice_starts(xt_buf_slice(&cert), XT_S("-----BEGIN CERTIFICATE-----")));
    return r;
}

static char *new_token_for(fixture *f, int64_t valid_ms, uint64_t uses, const char *group)
{
    xt_buf text = XT_BUF_INIT;
    assert_int_equal(xt_app_token_new(f->app, valid_ms, uses, xt_slice_str(group), &text, NULL), 0);
    xt_buf_putc(&text, '\0');
    assert_int_equal(xt_buf_done(&text), 0);
    return text.p;
}

static char *new_token(fixture *f, int64_t valid_ms, uint64_t uses)
{
    return new_token_for(f, valid_ms, uses, "");
}

static int count_host(void *context, const xt_host *host)
{
    ++*(int *)context;
    assert_string_equal(host->name, "web-1");
    assert_int_equal(host->enrolled_ms, T0);
    return 0;
}

static uint64_t refusal(fixture *f, const char *id)
{
    return xt_hosts_refusal(f->app->hosts, xt_slice_str(id), XT_S("boot"), XT_S("machine"));
}

static void token_life(void **state)
{
    fixture *f = *state;
    char id[33], second[33];
    int n = 0;

    fixture_open(f);
    char *once = new_token(f, 60000, 1), *brief = new_token(f, 60000, 0);
    assert_int_equal(enroll_with(f, once, id), 0);
    assert_int_equal(strlen(id), 32);
    assert_int_equal(enroll_with(f, once, second), XT_APP_E_USED);
    assert_int_equal(enroll_with(f, brief, second), 0);
    assert_string_not_equal(id, second);
    assert_int_equal(enroll_with(f, brief, second), 0);
    atomic_fetch_add(&fixture_now, 60000);
    assert_int_equal(enroll_with(f, brief, second), XT_APP_E_EXPIRED);
    atomic_fetch_sub(&fixture_now, 60000);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(enroll_with(f, once, second), XT_APP_E_USED);
    assert_int_equal(xt_app_hosts_list(f->app, count_host, &n, NULL), 0);
    assert_int_equal(n, 3);
    assert_int_equal(refusal(f, id), 0);
    assert_int_equal(xt_app_host_revoke(f->app, xt_slice_str(id), true, XT_S("tests"), NULL), 0);
    assert_int_equal(refusal(f, id), XT_REFUSED_REVOKED);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(refusal(f, id), XT_REFUSED_REVOKED);
    assert_int_equal(refusal(f, OTHER), XT_REFUSED_UNKNOWN);
    assert_int_equal(xt_app_host_revoke(f->app, XT_S("no-such"), true, XT_S("tests"), NULL), XT_APP_E_NOT_FOUND);
    free(once);
    free(brief);
}

static void send_one(fixture *f, fixture_stream *s, const char *host_id, uint32_t serial)
{
    xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT;

    fixture_event(&events, host_id, T0 + serial, serial, "/bin/echo", serial == 2 ? "evil" : "x", "/bin/sh");
    fixture_batch(s, xt_buf_slice(&events), 1, &payload);
    assert_int_equal(fixture_ingest(f, host_id, xt_buf_slice(&payload)), 0);
    xt_buf_fini(&events);
    xt_buf_fini(&payload);
}

static int find_group(void *context, const xt_host *host)
{
    assert_string_equal(host->group, context);
    return 1;
}

/* As the keeper does; how many events of silence there are then. */
static uint64_t silences(fixture *f, xt_silence *silence)
{
    assert_int_equal(xt_silence_look(silence, f->app->hosts, f->app->notes, atomic_load(&fixture_now)), 0);
    assert_int_equal(xt_notes_enter(f->app->notes, f->app), 0);
    return fixture_count(f, "action:silent-host");
}

static void beat(fixture *f, const char *id, uint64_t beat_state)
{
    const xt_heartbeat m = {.enabled = 1, .audit_mode = XT_S("owner"), .state = beat_state, .process = 1, .run = 1};
    xt_hosts_heartbeat(f->app->hosts, xt_slice_str(id), &m);
}

/* In steps as the keeper's. */
static uint64_t silences_after(fixture *f, xt_silence *silence, int64_t ms)
{
    uint64_t n = 0;

    for (int64_t step_ms; ms > 0; ms -= step_ms) {
        step_ms = ms < 5000 ? ms : 5000;
        atomic_fetch_add(&fixture_now, step_ms);
        n = silences(f, silence);
    }
    return n;
}

/* Everybody's heartbeat is old by a clock that was set, and nobody fell silent; nor does such a clock hide who does. */
static void a_clock_that_is_set_silences_nobody(void **state)
{
    fixture *f = *state;
    char id[33];
    xt_silence silence;

    fixture_open(f);
    char *token = new_token(f, 60000, 0);
    xt_silence_init(&silence, atomic_load(&fixture_now));
    assert_int_equal(enroll_with(f, token, id), 0);
    beat(f, id, XT_BEAT_WATCHING);
    assert_int_equal(silences_after(f, &silence, 5000), 0);
    atomic_fetch_add(&fixture_now, 3600000);
    assert_int_equal(silences(f, &silence), 0);
    beat(f, id, XT_BEAT_WATCHING);
    assert_int_equal(silences_after(f, &silence, XT_SILENCE_MS - 5000), 0);
    atomic_fetch_add(&fixture_now, -7200000);
    assert_int_equal(silences(f, &silence), 0);
    assert_int_equal(silences_after(f, &silence, XT_SILENCE_MS + 5000), 1);
    xt_silence_fini(&silence);
    free(token);
}

static void a_silent_host_is_told_of_once(void **state)
{
    fixture *f = *state;
    char id[33];
    xt_silence silence;

    fixture_open(f);
    char *token = new_token(f, 60000, 0);
    xt_silence_init(&silence, atomic_load(&fixture_now));
    assert_int_equal(enroll_with(f, token, id), 0);
    assert_int_equal(silences_after(f, &silence, XT_SILENCE_MS), 0); /* it never came */
    beat(f, id, XT_BEAT_WATCHING);
    assert_int_equal(silences_after(f, &silence, XT_SILENCE_MS - 5000), 0);
    assert_int_equal(silences_after(f, &silence, 5000), 1);
    assert_int_equal(silences_after(f, &silence, XT_SILENCE_MS), 1);
    beat(f, id, XT_BEAT_WATCHING);
    atomic_fetch_add(&fixture_now, 5000);
    assert_int_equal(silences(f, &silence), 1);
    assert_int_equal(silences_after(f, &silence, XT_SILENCE_MS), 2); /* again, for it was back */
    beat(f, id, XT_BEAT_WATCHING);
    beat(f, id, XT_BEAT_STOPPED); /* it says so */
    assert_int_equal(silences_after(f, &silence, 2 * XT_SILENCE_MS), 2);
    beat(f, id, XT_BEAT_WATCHING);
    xt_silence_fini(&silence);
    atomic_fetch_add(&fixture_now, 2 * XT_SILENCE_MS);
    xt_silence_init(&silence, atomic_load(&fixture_now)); /* the server was away itself */
    assert_int_equal(silences(f, &silence), 2);
    xt_silence_fini(&silence);
    free(token);
}

/* The token says which group a host comes into; what it sends carries the one it is in then. */
static void hosts_have_groups(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    xt_buf text = XT_BUF_INIT;
    fixture_alerts alerts;
    char id[33];

    fixture_open(f);
    assert_int_equal(xt_app_token_new(f->app, 60000, 1, XT_S("a b"), &text, NULL), XT_APP_E_INVALID);
    assert_int_equal(xt_app_token_new(f->app, 60000, 1, XT_S("a=b"), &text, NULL), XT_APP_E_INVALID);
    char *token = new_token_for(f, 60000, 1, "web.eu-1");
    assert_int_equal(enroll_with(f, token, id), 0);
    send_one(f, &s, id, 1);
    assert_int_equal(fixture_count(f, "group:web.eu-1"), 1);
    fixture_close(f);
    fixture_open(f);
    char before[] = "web.eu-1", behind[] = "db";
    assert_int_equal(xt_app_hosts_list(f->app, find_group, before, NULL), 1);
    assert_int_equal(xt_app_host_group(f->app, XT_S("web-1"), XT_S("d b"), NULL), XT_APP_E_INVALID);
    assert_int_equal(xt_app_host_group(f->app, XT_S("web-2"), XT_S("db"), NULL), XT_APP_E_NOT_FOUND);
    assert_int_equal(xt_app_host_group(f->app, XT_S("web-1"), XT_S("db"), NULL), 0);
    send_one(f, &s, id, 2);
    assert_int_equal(fixture_count(f, "group:db"), 1);
    assert_int_equal(fixture_count(f, "group:web.eu-1"), 1);
    fixture_alerts_get(f, NULL, &alerts);
    assert_int_equal(alerts.n, 1);
    assert_non_null(strstr(alerts.document, "\"group\":\"db\""));
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(fixture_count(f, "group:db"), 1); /* from pending rows too */
    assert_int_equal(xt_app_hosts_list(f->app, find_group, behind, NULL), 1);
    assert_int_equal(xt_app_host_group(f->app, xt_slice_str(id), XT_S(""), NULL), 0);
    send_one(f, &s, id, 3);
    assert_int_equal(fixture_count(f, "not group:*"), 1);
    free(token);
}

static void unknown_token_and_wrong_secret(void **state)
{
    fixture *f = *state;
    xt_token token;
    xt_buf forged = XT_BUF_INIT;
    char id[33];
    int n = 0;

    fixture_open(f);
    char *text = new_token(f, 60000, 1);
    assert_int_equal(xt_token_parse(xt_slice_str(text), &token, NULL), 0);
    token.secret[0] ^= 1;
    xt_token_format(&token, &forged);
    xt_buf_putc(&forged, '\0');
    assert_int_equal(enroll_with(f, forged.p, id), XT_APP_E_NOT_FOUND);
    token.secret[0] ^= 1;
    token.id[0] ^= 1;
    xt_buf_reset(&forged);
    xt_token_format(&token, &forged);
    xt_buf_putc(&forged, '\0');
    assert_int_equal(enroll_with(f, forged.p, id), XT_APP_E_NOT_FOUND);
    assert_int_equal(xt_app_hosts_list(f->app, count_host, &n, NULL), 0);
    assert_int_equal(n, 0);
    assert_int_equal(enroll_with(f, text, id), 0); /* neither attempt used it up */
    xt_buf_fini(&forged);
    free(text);
}

/* A request that is no request: the token's use is not counted, no host is left. */
static void bad_request_uses_nothing(void **state)
{
    fixture *f = *state;
    xt_buf cert = XT_BUF_INIT;
    xt_token token;
    char secret[32], id[33];

    fixture_open(f);
    char *text = new_token(f, 60000, 1);
    assert_int_equal(xt_token_parse(xt_slice_str(text), &token, NULL), 0);
    memcpy(secret, token.id, 16);
    memcpy(secret + 16, token.secret, 16);
    xt_enroll m = {.version = 1, .secret = xt_slice_of(secret, 32), .csr_der = XT_S("junk"), .host_name = XT_S("x")};
    int n = 0;
    assert_int_equal(xt_tokens_enroll(f->app, &m, "", id, &cert, NULL), XT_APP_E_INVALID);
    assert_int_equal(xt_app_hosts_list(f->app, count_host, &n, NULL), 0);
    assert_int_equal(n, 0);
    assert_int_equal(enroll_with(f, text, id), 0);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(xt_app_hosts_list(f->app, count_host, &n, NULL), 0);
    assert_int_equal(n, 1);
    xt_buf_fini(&cert);
    free(text);
}

/* ------------------------------------------------------------------------------------------------ users */

static xt_role role_by_cookie(fixture *f, const xt_buf *cookie, char name[64])
{
    return xt_app_role_of(f->app, xt_buf_slice(cookie), XT_S_NULL, name);
}

static void link_becomes_a_session_once(void **state)
{
    fixture *f = *state;
    xt_buf link = XT_BUF_INIT, cookie = XT_BUF_INIT, none = XT_BUF_INIT;
    char name[64];

    fixture_open(f);
    assert_int_equal(xt_app_user_link(f->app, "alice", &link, NULL), 0);
    assert_int_equal(link.n, 64);
    assert_int_equal(xt_app_login(f->app, XT_S("nonsense"), &none, NULL), XT_APP_E_DENIED);
    assert_int_equal(xt_app_login(f->app, xt_buf_slice(&link), &cookie, NULL), 0);
    assert_int_equal(xt_app_login(f->app, xt_buf_slice(&link), &none, NULL), XT_APP_E_USED);
    assert_int_equal(none.n, 0);
    assert_int_equal(role_by_cookie(f, &cookie, name), XT_ROLE_ADMIN); /* the first user is */
    assert_string_equal(name, "alice");
    assert_int_equal(role_by_cookie(f, &link, name), XT_ROLE_NONE);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(role_by_cookie(f, &cookie, name), XT_ROLE_ADMIN);
    assert_int_equal(xt_app_user_add(f->app, "alice", XT_ROLE_VIEWER, NULL), 0);
    assert_int_equal(role_by_cookie(f, &cookie, name), XT_ROLE_VIEWER); /* a change works at once */
    atomic_fetch_add(&fixture_now, 12 * 3600 * 1000 + 1);
    assert_int_equal(role_by_cookie(f, &cookie, name), XT_ROLE_NONE);
    atomic_store(&fixture_now, T0);
    assert_int_equal(xt_app_logout(f->app, xt_buf_slice(&cookie)), 0);
    assert_int_equal(role_by_cookie(f, &cookie, name), XT_ROLE_NONE);
    xt_buf_fini(&link);
    xt_buf_fini(&cookie);
    xt_buf_fini(&none);
}

static int keep_user(void *context, const char *name, xt_role role, int64_t last_login_ms)
{
    xt_buf_printf(context, "%s=%s;", name, xt_role_name(role));
    return 0;
}

static void links_expire_and_need_a_user(void **state)
{
    fixture *f = *state;
    xt_buf link = XT_BUF_INIT, cookie = XT_BUF_INIT, names = XT_BUF_INIT;

    fixture_open(f);
    assert_int_equal(xt_app_user_link(f->app, "alice", &link, NULL), 0);
    atomic_fetch_add(&fixture_now, 10 * 60 * 1000 + 1);
    assert_int_equal(xt_app_login(f->app, xt_buf_slice(&link), &cookie, NULL), XT_APP_E_EXPIRED);
    assert_int_equal(xt_app_user_link(f->app, "bob", &link, NULL), XT_APP_E_NOT_FOUND);
    assert_int_equal(xt_app_user_add(f->app, "bob", XT_ROLE_ANALYST, NULL), 0);
    assert_int_equal(xt_app_user_add(f->app, "two words", XT_ROLE_ANALYST, NULL), XT_APP_E_INVALID);
    assert_int_equal(xt_app_user_add(f->app, "", XT_ROLE_ANALYST, NULL), XT_APP_E_INVALID);
    assert_int_equal(xt_app_user_add(f->app, "local", XT_ROLE_ANALYST, NULL), XT_APP_E_INVALID);
    assert_int_equal(xt_app_users_list(f->app, keep_user, &names, NULL), 0);
    assert_true(xt_slice_eq(xt_buf_slice(&names), XT_S("alice=admin;bob=analyst;")));
    xt_buf_fini(&link);
    xt_buf_fini(&cookie);
    xt_buf_fini(&names);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_start_makes_keys_and_keeps_them),
        TEST(a_lost_ca_key_is_an_error),
        TEST(admin_token_is_admin),
        TEST(token_life),
        TEST(a_clock_that_is_set_silences_nobody),
        TEST(a_silent_host_is_told_of_once),
        TEST(hosts_have_groups),
        TEST(unknown_token_and_wrong_secret),
        TEST(bad_request_uses_nothing),
        TEST(link_becomes_a_session_once),
        TEST(links_expire_and_need_a_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Orders as a server signs them: what is taken, what is refused, what a start finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/policy_store.h"
#include "io/tls.h"
#include "io/tls_trust.h"
#include "io/vfs.h"
#include "wire/token.h"

#define HOST  "00112233445566778899aabbccddeeff"
#define OTHER "ffeeddccbbaa99887766554433221100"
#define NOW   INT64_C(1790000000000)
#define UP    INT64_C(500000)

static char dir[64];
static xt_buf key, ca, key2, ca2; /* the server's, and another one */
static xt_policy_time now;        /* as the agent sees it; open_store sets it */

static void path_of(const char *name, char ret[128])
{
    snprintf(ret, 128, "%s/%s", dir, name);
}

static void write_file(const char *name, xt_slice content)
{
    char path[128];
    path_of(name, path);
    assert_int_equal(xt_vfs_replace_file(&xt_vfs_system, path, content, 0600), 0);
}

/* By a host whose clocks say that, up_ms after UP. */
static void open_store(xt_policy_store *store, const char *token, const char *host, int64_t wall_ms, int64_t up_ms)
{
    now.wall_ms = wall_ms;
    now.up_ms = UP + up_ms;
    xt_policy_store_open(store, dir, token, host, &now);
}

static int set_up(void **state)
{
    char path[128];
    snprintf(dir, sizeof dir, "/tmp/xt-policy-XXXXXX");
    assert_non_null(mkdtemp(dir));
    path_of("shipper", path);
    assert_int_equal(mkdir(path, 0700), 0);
    key = ca = key2 = ca2 = XT_BUF_INIT;
    now = (xt_policy_time){.wall_ms = NOW, .up_ms = UP, .boot_id = "boot-1"};
    assert_int_equal(xt_tls_key_make(&key), 0);
    assert_int_equal(xt_tls_ca_make(xt_buf_slice(&key), &ca), 0);
    assert_int_equal(xt_tls_key_make(&key2), 0);
    assert_int_equal(xt_tls_ca_make(xt_buf_slice(&key2), &ca2), 0);
    write_file("shipper/ca.pem", xt_buf_slice(&ca));
    return 0;
}

static int tear_down(void **state)
{
    static const char *const files[] = {"shipper/ca.pem", "shipper", "policy", "policy-ca.pem", "policy-pin", ""};
    for (size_t i = 0; i < XT_COUNT_OF(files); i++) {
        char path[128];
        path_of(files[i], path);
        remove(path);
    }
    xt_buf *const bufs[] = {&key, &ca, &key2, &ca2};
    for (size_t i = 0; i < XT_COUNT_OF(bufs); i++)
        xt_buf_fini(bufs[i]);
    return 0;
}

/* A POLICY message, as bytes. */
static xt_buf message(const xt_buf *signer, const char *host, uint64_t serial, const char *text, xt_slice bundle,
                      xt_slice vouch)
{
    xt_buf order = XT_BUF_INIT, signature = XT_BUF_INIT, out = XT_BUF_INIT;
    const xt_policy_order o = {.host_id = xt_slice_str(host),
                               .serial = serial,
                               .made_ms = NOW,
                               .name = XT_S("web"),
                               .version = 3,
                               .text = xt_slice_str(text),
                               .pause_ms = 60000};
    assert_int_equal(xt_policy_order_sign(&o, xt_buf_slice(signer), &order, &signature), 0);
    const xt_policy_message m = {
        .order = xt_buf_slice(&order), .signature = xt_buf_slice(&signature), .ca_pem = bundle, .vouch = vouch};
    xt_policy_message_put(&out, &m);
    xt_buf_fini(&order);
    xt_buf_fini(&signature);
    return out;
}

/* What becomes of a message; 0: it was kept. */
static int take(xt_policy_store *store, xt_buf bytes)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_policy_message m;
    xt_policy_order order;
    int r = xt_policy_store_take(store, xt_buf_slice(&bytes), &now, &m, &order, &problem);
    if (r == XT_ORDER_E_REFUSED)
        assert_true(xt_problem_is_set(&problem));
    if (r == 0)
        r = xt_policy_store_keep(store, &m, &now, &problem);
    xt_buf_fini(&bytes);
    return r;
}

static int plain(xt_policy_store *store, const xt_buf *signer, const char *host, uint64_t serial, const char *text)
{
    return take(store, message(signer, host, serial, text, xt_buf_slice(&ca), XT_S_NULL));
}

static void test_orders(void **state)
{
    xt_policy_store store;
    open_store(&store, NULL, HOST, NOW, 0);
    assert_false(xt_policy_store_has_order(&store));
    assert_int_equal(plain(&store, &key, HOST, 10, "exits = off\n"), 0);
    assert_int_equal(plain(&store, &key, HOST, 9, "exits = on\n"), XT_ORDER_E_OLD);
    assert_int_equal(plain(&store, &key, HOST, 10, "exits = on\n"), XT_ORDER_E_REFUSED);
    assert_int_equal(plain(&store, &key, OTHER, 11, "exits = on\n"), XT_ORDER_E_REFUSED);
    assert_int_equal(plain(&store, &key2, HOST, 12, "exits = on\n"), XT_ORDER_E_REFUSED);
    assert_true(xt_slice_eq(store.order.text, XT_S("exits = off\n")));
    assert_int_equal(plain(&store, &key, HOST, 13, "exits = on\n"), 0);
    xt_policy_store_close(&store);
    open_store(&store, NULL, HOST, NOW, 0);
    assert_true(xt_slice_eq(store.order.text, XT_S("exits = on\n")));
    assert_int_equal(store.order.serial, 13);
    xt_policy_store_close(&store);
}

/* A pause counts from when it was ordered, and no clock that is set makes it longer. */
static void test_pauses(void **state)
{
    xt_policy_store store;
    open_store(&store, NULL, HOST, NOW + 20000, 0); /* it was kept back for 20 s */
    assert_int_equal(plain(&store, &key, HOST, 10, ""), 0);
    assert_int_equal(xt_policy_store_left_ms(&store, &now), 40000);
    now.wall_ms = NOW - 3600000; /* an hour back while it lasts */
    now.up_ms = UP + 30000;
    assert_int_equal(xt_policy_store_left_ms(&store, &now), 10000);
    xt_policy_store_close(&store);
    open_store(&store, NULL, HOST, NOW - 3600000, 35000); /* also at a start */
    assert_int_equal(xt_policy_store_left_ms(&store, &now), 5000);
    xt_policy_store_close(&store);
    open_store(&store, NULL, HOST, NOW - 3600000, 41000);
    assert_int_equal(store.pause_end_ms, 0);
    xt_policy_store_close(&store);
    /* after a reboot the wall clock tells, and at most what was left when it was written down */
    open_store(&store, NULL, HOST, NOW - 3600000, 25000);
    xt_policy_store_note(&store, &now);
    xt_policy_store_close(&store);
    now.boot_id = "boot-2";
    open_store(&store, NULL, HOST, NOW - 3600000, -UP);
    assert_int_equal(xt_policy_store_left_ms(&store, &now), 15000);
    xt_policy_store_close(&store);
    open_store(&store, NULL, HOST, NOW + 50000, -UP);
    assert_int_equal(xt_policy_store_left_ms(&store, &now), 10000);
    /* one that ended stays so */
    xt_policy_store_unpause(&store, &now);
    xt_policy_store_close(&store);
    open_store(&store, NULL, HOST, NOW, -UP);
    assert_int_equal(store.pause_end_ms, 0);
    xt_policy_store_close(&store);
    /* a clock behind the server's: never longer than ordered; one ahead of it: over when it comes */
    open_store(&store, NULL, HOST, NOW - 7200000, 0);
    assert_int_equal(plain(&store, &key, HOST, 11, ""), 0);
    assert_int_equal(xt_policy_store_left_ms(&store, &now), 60000);
    now.wall_ms = NOW + 61000;
    assert_int_equal(plain(&store, &key, HOST, 12, ""), 0);
    assert_int_equal(store.pause_end_ms, 0);
    xt_policy_store_close(&store);
}

/* Which host this is, and which order was its last one, is no word of the shipper's. */
static void test_bound(void **state)
{
    xt_policy_store store;
    char path[128];
    open_store(&store, NULL, HOST, NOW, 0);
    assert_int_equal(plain(&store, &key, HOST, 10, "exits = off\n"), 0);
    xt_policy_store_close(&store);
    open_store(&store, NULL, OTHER, NOW, 0);
    assert_true(store.is_other_host && xt_policy_store_has_order(&store));
    assert_int_equal(plain(&store, &key, OTHER, 11, "exits = on\n"), XT_ORDER_E_REFUSED);
    assert_int_equal(plain(&store, &key, HOST, 12, "exits = off\n"), 0);
    xt_policy_store_close(&store);
    /* an order that is lost does not let an older one in */
    path_of("policy", path);
    assert_int_equal(remove(path), 0);
    open_store(&store, NULL, HOST, NOW, 0);
    assert_false(store.is_other_host || xt_policy_store_has_order(&store));
    assert_int_equal(plain(&store, &key, HOST, 10, "exits = off\n"), XT_ORDER_E_OLD);
    assert_int_equal(plain(&store, &key, HOST, 12, "exits = on\n"), XT_ORDER_E_REFUSED);
    assert_int_equal(plain(&store, &key, HOST, 12, "exits = off\n"), 0);
    xt_policy_store_close(&store);
    /* root's word: another token */
    open_store(&store, "xt1.another", OTHER, NOW, 0);
    assert_false(store.is_other_host || xt_policy_store_has_order(&store));
    assert_int_equal(plain(&store, &key, OTHER, 2, ""), 0);
    xt_policy_store_close(&store);
    open_store(&store, "xt1.another", HOST, NOW, 0); /* which stays in the settings */
    assert_true(store.is_other_host);
    xt_policy_store_close(&store);
}

static void test_same_bytes_are_no_news(void **state)
{
    xt_policy_store store;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_policy_message m;
    xt_policy_order order;
    open_store(&store, NULL, HOST, NOW, 0);
    xt_buf bytes = message(&key, HOST, 10, "exits = off\n", xt_buf_slice(&ca), XT_S_NULL);
    assert_int_equal(xt_policy_store_take(&store, xt_buf_slice(&bytes), &now, &m, &order, &problem), 0);
    assert_int_equal(xt_policy_store_keep(&store, &m, &now, &problem), 0);
    assert_int_equal(xt_policy_store_take(&store, xt_buf_slice(&bytes), &now, &m, &order, &problem),
                     XT_POLICY_STORE_SAME);
    xt_buf_fini(&bytes);
    xt_policy_store_close(&store);
}

/* Each byte of what the shipper passes on, changed: it is refused, or the order is the same. */
static void test_forged(void **state)
{
    xt_policy_store store;
    open_store(&store, NULL, HOST, NOW, 0);
    xt_buf bytes = message(&key, HOST, 10, "exits = off\n", xt_buf_slice(&ca), XT_S_NULL);
    for (size_t i = 0; i < bytes.n; i++) {
        xt_problem problem = XT_PROBLEM_INIT;
        xt_policy_message m;
        xt_policy_order order;
        bytes.p[i] ^= 1;
        int r = xt_policy_store_take(&store, xt_buf_slice(&bytes), &now, &m, &order, &problem);
        bytes.p[i] ^= 1;
        assert_true(r == XT_ORDER_E_REFUSED || (r == 0 && xt_slice_eq(order.text, XT_S("exits = off\n")) &&
                                                order.serial == 10 && order.version == 3));
    }
    xt_buf_fini(&bytes);
    xt_policy_store_close(&store);
}

static void test_trust(void **state)
{
    xt_buf both = XT_BUF_INIT, vouch = XT_BUF_INIT, wrong = XT_BUF_INIT;
    xt_policy_store store;
    xt_buf_put(&both, xt_buf_slice(&ca));
    xt_buf_put(&both, xt_buf_slice(&ca2));
    assert_int_equal(xt_tls_bundle_sign(xt_buf_slice(&both), xt_buf_slice(&key), &vouch), 0);
    assert_int_equal(xt_tls_bundle_sign(xt_buf_slice(&both), xt_buf_slice(&key2), &wrong), 0);
    open_store(&store, NULL, HOST, NOW, 0);
    /* the shipper's file is asked once: another one in its place is of no use */
    write_file("shipper/ca.pem", xt_buf_slice(&ca2));
    assert_int_equal(take(&store, message(&key2, HOST, 10, "", xt_buf_slice(&ca2), XT_S_NULL)), XT_ORDER_E_REFUSED);
    assert_int_equal(take(&store, message(&key2, HOST, 10, "", xt_buf_slice(&both), xt_buf_slice(&wrong))),
                     XT_ORDER_E_REFUSED);
    xt_policy_store_close(&store);
    open_store(&store, NULL, HOST, NOW, 0);
    assert_int_equal(take(&store, message(&key2, HOST, 10, "", xt_buf_slice(&both), XT_S_NULL)), XT_ORDER_E_REFUSED);
    /* a CA that is trusted vouches for the next */
    assert_int_equal(take(&store, message(&key2, HOST, 10, "", xt_buf_slice(&both), xt_buf_slice(&vouch))), 0);
    xt_policy_store_close(&store);
    open_store(&store, NULL, HOST, NOW, 0);
    assert_true(xt_policy_store_has_order(&store));
    xt_policy_store_close(&store);
    xt_buf_fini(&both);
    xt_buf_fini(&vouch);
    xt_buf_fini(&wrong);
}

/* An enrolment token that pins that CA. */
static const char *token_of(const xt_buf *pinned, xt_buf *out)
{
    xt_token token = {.id = {1}};
    assert_int_equal(xt_tls_fingerprint(xt_buf_slice(pinned), token.ca_sha256), 0);
    xt_token_format(&token, out);
    xt_buf_putc(out, '\0');
    return out->p;
}

/* A TRUST message, as the shipper passes it on. */
static int trust(xt_policy_store *store, const xt_buf *bundle, const xt_buf *signer, const xt_buf *second)
{
    XT_CLEANUP(xt_buf_fini) xt_buf bytes = XT_BUF_INIT, vouch = XT_BUF_INIT, vouch2 = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    assert_int_equal(xt_tls_bundle_sign(xt_buf_slice(bundle), xt_buf_slice(signer), &vouch), 0);
    if (second)
        assert_int_equal(xt_tls_bundle_sign(xt_buf_slice(bundle), xt_buf_slice(second), &vouch2), 0);
    const xt_trust m = {
        .ca_pem = xt_buf_slice(bundle), .signature = xt_buf_slice(&vouch), .signature2 = xt_buf_slice(&vouch2)};
    xt_trust_put(&bytes, &m);
    int r = xt_policy_store_trust(store, xt_buf_slice(&bytes), &problem);
    assert_true(r != XT_ORDER_E_REFUSED || xt_problem_is_set(&problem));
    return r;
}

/* A CA takes the other's place while no order comes: the next one, of the new CA, is believed all the same. */
static void test_trust_without_orders(void **state)
{
    xt_buf both = XT_BUF_INIT, text = XT_BUF_INIT;
    xt_policy_store store;
    xt_buf_put(&both, xt_buf_slice(&ca));
    xt_buf_put(&both, xt_buf_slice(&ca2));
    open_store(&store, NULL, HOST, NOW, 0);
    assert_int_equal(plain(&store, &key, HOST, 5, ""), 0);
    assert_int_equal(trust(&store, &ca2, &key2, NULL), XT_ORDER_E_REFUSED);
    assert_int_equal(trust(&store, &both, &key2, NULL), XT_ORDER_E_REFUSED);
    assert_int_equal(trust(&store, &both, &key, &key2), 0);
    assert_int_equal(trust(&store, &both, &key, &key2), XT_POLICY_STORE_SAME);
    /* the order in force, signed by the other */
    assert_int_equal(take(&store, message(&key2, HOST, 5, "", xt_buf_slice(&both), XT_S_NULL)), XT_POLICY_STORE_SAME);
    assert_int_equal(trust(&store, &ca2, &key2, NULL), 0);
    xt_policy_store_close(&store);
    open_store(&store, NULL, HOST, NOW, 0);
    assert_true(xt_policy_store_has_order(&store)); /* though the CA that signed it first is gone */
    assert_int_equal(take(&store, message(&key, HOST, 10, "", xt_buf_slice(&ca2), XT_S_NULL)), XT_ORDER_E_REFUSED);
    assert_int_equal(take(&store, message(&key2, HOST, 10, "", xt_buf_slice(&ca2), XT_S_NULL)), 0);
    /* the list of both is signed by the new one too: it brings nothing back, at a later start neither */
    assert_int_equal(trust(&store, &both, &key, &key2), XT_ORDER_E_REFUSED);
    xt_policy_store_close(&store);
    write_file("policy-ca.pem", xt_buf_slice(&both));
    write_file("shipper/ca.pem", xt_buf_slice(&ca));
    open_store(&store, token_of(&ca, &text), HOST, NOW, 0);
    assert_int_equal(take(&store, message(&key, HOST, 20, "", xt_buf_slice(&both), XT_S_NULL)), XT_ORDER_E_REFUSED);
    assert_int_equal(take(&store, message(&key2, HOST, 21, "", xt_buf_slice(&ca2), XT_S_NULL)), 0);
    xt_policy_store_close(&store);
    xt_buf_fini(&both);
    xt_buf_fini(&text);
}

/* With a token it is what the token pins, and nothing else. */
static void test_pinned_by_token(void **state)
{
    xt_buf text = XT_BUF_INIT;
    xt_policy_store store;
    token_of(&ca2, &text);
    open_store(&store, text.p, HOST, NOW, 0);
    assert_int_equal(store.trusted.n, 0);
    xt_policy_store_close(&store);
    write_file("shipper/ca.pem", xt_buf_slice(&ca2));
    open_store(&store, text.p, HOST, NOW, 0);
    assert_true(xt_slice_eq(xt_buf_slice(&store.trusted), xt_buf_slice(&ca2)));
    xt_policy_store_close(&store);
    xt_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_orders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pauses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_same_bytes_are_no_news, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trust, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trust_without_orders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pinned_by_token, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/x509v3.h>

#include "io/tls.h"
#include "io/tls_pem.h"

/* One CA with a server and a host, and a stranger's CA with a server. */
static struct {
    xt_buf ca_key, ca, server_key, server, host_key, csr, host;
    xt_buf other_ca_key, other_ca, other_server;
} f;

static xt_slice s(const xt_buf *buf)
{
    return xt_buf_slice(buf);
}

static int setup(void **state)
{
    assert_int_equal(xt_tls_key_make(&f.ca_key), 0);
    assert_int_equal(xt_tls_ca_make(s(&f.ca_key), &f.ca), 0);
    assert_int_equal(xt_tls_key_make(&f.server_key), 0);
    assert_int_equal(xt_tls_server_cert_make(s(&f.ca), s(&f.ca_key), s(&f.server_key), "localhost,127.0.0.1, ::1", 30,
                                             &f.server, NULL),
                     0);
    assert_int_equal(xt_tls_key_make(&f.host_key), 0);
    assert_int_equal(xt_tls_csr_make(s(&f.host_key), XT_S("web-1"), &f.csr), 0);
    assert_int_equal(xt_tls_host_cert_make(s(&f.ca), s(&f.ca_key), s(&f.csr), XT_S("0123456789abcdef0123456789abcdef"),
                                           30, &f.host, NULL),
                     0);
    assert_int_equal(xt_tls_key_make(&f.other_ca_key), 0);
    assert_int_equal(xt_tls_ca_make(s(&f.other_ca_key), &f.other_ca), 0);
    assert_int_equal(xt_tls_server_cert_make(s(&f.other_ca), s(&f.other_ca_key), s(&f.server_key), "localhost", 30,
                                             &f.other_server, NULL),
                     0);
    return 0;
}

static int teardown(void **state)
{
    xt_buf *all[] = {&f.ca_key, &f.ca,   &f.server_key,   &f.server,   &f.host_key,
                     &f.csr,    &f.host, &f.other_ca_key, &f.other_ca, &f.other_server};
    for (size_t i = 0; i < XT_COUNT_OF(all); i++)
        xt_buf_fini(all[i]);
    return 0;
}

/* A handshake over a pair of memory buffers; true when both sides end it. */
static bool shake(SSL_CTX *server_context, SSL_CTX *client_context, char peer[64], xt_problem *client_problem)
{
    SSL *server = SSL_new(server_context), *client = SSL_new(client_context);
    BIO *a = NULL, *b = NULL;
    assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
    SSL_set_bio(server, a, a);
    SSL_set_bio(client, b, b);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    int server_r = 0, client_r = 0;
    for (int i = 0; i < 20 && !(server_r == 1 && client_r == 1); i++) {
        client_r = SSL_do_handshake(client);
        if (client_r != 1 && SSL_get_error(client, client_r) == SSL_ERROR_SSL)
            break;
        server_r = SSL_do_handshake(server);
        if (server_r != 1 && SSL_get_error(server, server_r) == SSL_ERROR_SSL)
            break;
    }
    bool ok = server_r == 1 && client_r == 1;
    if (ok) {
        xt_tls_peer_name(server, peer, 64);
        assert_string_equal(SSL_get_version(client), "TLSv1.3");
        char byte;
        assert_int_equal(SSL_write(client, "x", 1), 1);
        assert_int_equal(SSL_read(server, &byte, 1), 1);
    } else {
        xt_tls_problem(client, client_problem);
    }
    SSL_free(server);
    SSL_free(client);
    SSL_CTX_free(server_context);
    SSL_CTX_free(client_context);
    return ok;
}

static SSL_CTX *server_with(const xt_buf *ca, const xt_buf *cert, const xt_buf *key)
{
    SSL_CTX *context = NULL;
    assert_int_equal(xt_tls_server_context(s(ca), s(cert), s(key), &context, NULL), 0);
    return context;
}

static SSL_CTX *client_with(const xt_buf *ca, xt_slice cert, xt_slice key)
{
    SSL_CTX *context = NULL;
    assert_int_equal(xt_tls_client_context(s(ca), cert, key, &context, NULL), 0);
    return context;
}

static void test_mutual(void **state)
{
    char peer[64] = "?";
    assert_true(shake(server_with(&f.ca, &f.server, &f.server_key), client_with(&f.ca, s(&f.host), s(&f.host_key)),
                      peer, NULL));
    assert_string_equal(peer, "0123456789abcdef0123456789abcdef");
}

static void test_without_certificate(void **state)
{
    char peer[64] = "?";
    assert_true(
        shake(server_with(&f.ca, &f.server, &f.server_key), client_with(&f.ca, XT_S_NULL, XT_S_NULL), peer, NULL));
    assert_string_equal(peer, "");
}

static void test_host_is_no_server(void **state)
{
    char peer[64];
    xt_problem problem = XT_PROBLEM_INIT;
    assert_false(
        shake(server_with(&f.ca, &f.host, &f.host_key), client_with(&f.ca, XT_S_NULL, XT_S_NULL), peer, &problem));
    assert_non_null(strstr(problem.sentence, "role"));
}

static void test_server_is_no_host(void **state)
{
    char peer[64] = "?";
    SSL_CTX *client = client_with(&f.ca, s(&f.server), s(&f.server_key));
    SSL_CTX *server = server_with(&f.ca, &f.server, &f.server_key);
    assert_false(shake(server, client, peer, NULL));
}

static void test_wrong_ca(void **state)
{
    char peer[64];
    xt_problem problem = XT_PROBLEM_INIT;
    assert_false(shake(server_with(&f.other_ca, &f.other_server, &f.server_key),
                       client_with(&f.ca, XT_S_NULL, XT_S_NULL), peer, &problem));
    assert_non_null(strstr(problem.sentence, "another CA"));
    assert_false(shake(server_with(&f.other_ca, &f.other_server, &f.server_key),
                       client_with(&f.other_ca, s(&f.host), s(&f.host_key)), peer, &problem));
}

static SSL_CTX *client_pinned(const xt_buf *ca)
{
    uint8_t fingerprint[32];
    SSL_CTX *context = NULL;
    assert_int_equal(xt_tls_fingerprint(s(ca), fingerprint), 0);
    assert_int_equal(xt_tls_pinned_context(fingerprint, &context, NULL), 0);
    return context;
}

static void test_pinned(void **state)
{
    char peer[64];
    xt_problem problem = XT_PROBLEM_INIT;
    assert_true(shake(server_with(&f.ca, &f.server, &f.server_key), client_pinned(&f.ca), peer, NULL));
    assert_false(shake(server_with(&f.other_ca, &f.other_server, &f.server_key), client_pinned(&f.ca), peer, &problem));
    assert_non_null(strstr(problem.sentence, "another CA"));
    /* Pinned to the right CA, but who answers is a host of it. */
    assert_false(shake(server_with(&f.ca, &f.host, &f.host_key), client_pinned(&f.ca), peer, &problem));
    assert_non_null(strstr(problem.sentence, "role"));
    /* The pinned CA sent along with a leaf of another CA. */
    assert_false(shake(server_with(&f.ca, &f.other_server, &f.server_key), client_pinned(&f.ca), peer, &problem));
    /* The server's certificate pinned in place of the CA's. */
    assert_false(shake(server_with(&f.ca, &f.server, &f.server_key), client_pinned(&f.server), peer, &problem));
}

static void test_names_of_server(void **state)
{
    X509 *cert = xt_tls_cert_read(s(&f.server));
    assert_int_equal(X509_check_host(cert, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(cert, "elsewhere", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(cert, "::1", 0), 1);
    X509_free(cert);
}

static void test_bad_input(void **state)
{
    xt_buf out = XT_BUF_INIT;
    SSL_CTX *context = NULL;
    uint8_t fingerprint[32];
    xt_problem problem = XT_PROBLEM_INIT;
    assert_int_equal(xt_tls_fingerprint(XT_S("no pem"), fingerprint), -EBADMSG);
    assert_int_equal(xt_tls_ca_make(XT_S("no pem"), &out), -EBADMSG);
    assert_int_equal(xt_tls_client_context(XT_S(""), XT_S_NULL, XT_S_NULL, &context, &problem), -EBADMSG);
    assert_int_equal(xt_tls_server_context(s(&f.ca), s(&f.server), s(&f.host_key), &context, &problem), -EBADMSG);
    assert_non_null(strstr(problem.sentence, "does not belong"));
    assert_int_equal(xt_tls_host_cert_make(s(&f.other_ca), s(&f.ca_key), s(&f.csr), XT_S("h"), 1, &out, &problem),
                     -EBADMSG);
    /* A flipped bit in the request breaks its own signature. */
    char csr[2048];
    assert_true(f.csr.n < sizeof csr);
    for (size_t i = 0; i < f.csr.n; i += 7) {
        memcpy(csr, f.csr.p, f.csr.n);
        csr[i] ^= 1;
        assert_int_equal(
            xt_tls_host_cert_make(s(&f.ca), s(&f.ca_key), xt_slice_of(csr, f.csr.n), XT_S("h"), 1, &out, &problem),
            -EBADMSG);
    }
    assert_int_equal(out.n, 0);
    xt_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutual),
        cmocka_unit_test(test_without_certificate),
        cmocka_unit_test(test_host_is_no_server),
        cmocka_unit_test(test_server_is_no_host),
        cmocka_unit_test(test_wrong_ca),
        cmocka_unit_test(test_pinned),
        cmocka_unit_test(test_names_of_server),
        cmocka_unit_test(test_bad_input),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

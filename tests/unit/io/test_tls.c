#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "io/tls.h"
#include "io/tls_pem.h"
#include "io/tls_trust.h"

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
                                           30 * 86400, &f.host, NULL),
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

static xt_tls_peer seen; /* by the server, of the last handshake */

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
        xt_tls_peer_get(server, &seen);
        assert_string_equal(seen.fault == XT_TLS_PEER_GOOD ? seen.name : "", peer);
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
    assert_true(shake(server, client, peer, NULL)); /* but it has no name there */
    assert_string_equal(peer, "");
    assert_int_equal(seen.fault, XT_TLS_PEER_OTHER);
}

static void test_wrong_ca(void **state)
{
    char peer[64];
    xt_problem problem = XT_PROBLEM_INIT;
    assert_false(shake(server_with(&f.other_ca, &f.other_server, &f.server_key),
                       client_with(&f.ca, XT_S_NULL, XT_S_NULL), peer, &problem));
    assert_non_null(strstr(problem.sentence, "another CA"));
    assert_true(shake(server_with(&f.other_ca, &f.other_server, &f.server_key),
                      client_with(&f.other_ca, s(&f.host), s(&f.host_key)), peer, &problem));
    assert_string_equal(peer, "");
    assert_int_equal(seen.fault, XT_TLS_PEER_CA);
}

/* The same host and key under a validity of -from..to seconds from now, as its server sees it. */
static xt_tls_fault fault_of_span(long from_s, long to_s)
{
    xt_buf pem = XT_BUF_INIT;
    char peer[64] = "?";
    X509 *cert = xt_tls_cert_read(s(&f.host));
    EVP_PKEY *key = xt_tls_key_read(s(&f.ca_key));
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
    long n = BIO_get_mem_data(bio, &text);
    xt_buf_put(&pem, xt_slice_of(text, (size_t)n));
    BIO_free(bio);
    X509_free(cert);
    EVP_PKEY_free(key);
    assert_true(
        shake(server_with(&f.ca, &f.server, &f.server_key), client_with(&f.ca, s(&pem), s(&f.host_key)), peer, NULL));
    assert_int_equal(peer[0] == '\0', seen.fault != XT_TLS_PEER_GOOD);
    xt_buf_fini(&pem);
    return seen.fault;
}

static void test_faults_are_told_apart(void **state)
{
    uint8_t fingerprint[32];
    assert_int_equal(fault_of_span(-100, 100), XT_TLS_PEER_GOOD);
    assert_int_equal(xt_tls_fingerprint(s(&f.ca), fingerprint), 0);
    assert_memory_equal(seen.ca_sha256, fingerprint, 32);
    assert_true(seen.to_ms - seen.from_ms == 200000);
    assert_int_equal(fault_of_span(-100, -50), XT_TLS_PEER_EXPIRED);
    assert_int_equal(fault_of_span(50, 100), XT_TLS_PEER_EARLY);
    assert_string_equal(seen.name, "0123456789abcdef0123456789abcdef");
}

/* Two CAs in one bundle: hosts and servers of either are known. */
static void test_bundle(void **state)
{
    xt_buf both = XT_BUF_INIT, turned = XT_BUF_INIT;
    char peer[64] = "?";
    xt_buf_put(&both, s(&f.ca));
    xt_buf_put(&both, s(&f.other_ca));
    xt_buf_put(&turned, s(&f.other_ca));
    xt_buf_put(&turned, s(&f.ca));
    assert_true(shake(server_with(&turned, &f.other_server, &f.server_key),
                      client_with(&both, s(&f.host), s(&f.host_key)), peer, NULL));
    assert_string_equal(peer, "0123456789abcdef0123456789abcdef");
    assert_true(shake(server_with(&both, &f.server, &f.server_key), client_with(&turned, s(&f.host), s(&f.host_key)),
                      peer, NULL));
    assert_true(xt_tls_bundle_is_good(s(&both)));
    assert_false(xt_tls_bundle_is_good(XT_S("")));
    assert_false(xt_tls_bundle_is_good(s(&f.host))); /* no CA */
    xt_buf_puts(&both, "rest");
    assert_false(xt_tls_bundle_is_good(s(&both)));
    xt_buf_fini(&both);
    xt_buf_fini(&turned);
}

static void test_bundle_is_vouched_for(void **state)
{
    xt_buf both = XT_BUF_INIT, signature = XT_BUF_INIT;
    xt_buf_put(&both, s(&f.ca));
    xt_buf_put(&both, s(&f.other_ca));
    assert_int_equal(xt_tls_bundle_sign(s(&both), s(&f.ca_key), &signature), 0);
    assert_true(xt_tls_bundle_is_signed(s(&both), s(&signature), s(&f.ca)));
    assert_true(xt_tls_bundle_is_signed(s(&both), s(&signature), s(&both)));
    assert_false(xt_tls_bundle_is_signed(s(&both), s(&signature), s(&f.other_ca)));
    assert_false(xt_tls_bundle_is_signed(s(&f.ca), s(&signature), s(&f.ca)));
    assert_false(xt_tls_bundle_is_signed(s(&both), XT_S_NULL, s(&f.ca)));
    signature.p[8] ^= 1;
    assert_false(xt_tls_bundle_is_signed(s(&both), s(&signature), s(&f.ca)));
    xt_buf_fini(&both);
    xt_buf_fini(&signature);
}

static void test_certificate_of_a_key(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf cert = XT_BUF_INIT;
    const xt_slice id = XT_S("0123456789abcdef0123456789abcdef");
    int64_t from_ms, to_ms;
    assert_int_equal(xt_tls_cert_fits(s(&f.host), s(&f.host_key), id), 0);
    assert_int_equal(xt_tls_cert_fits(s(&f.host), s(&f.server_key), id), -EBADMSG);
    assert_int_equal(xt_tls_cert_fits(s(&f.host), s(&f.host_key), XT_S("another")), -EBADMSG);
    assert_int_equal(xt_tls_cert_fits(XT_S("junk"), s(&f.host_key), id), -EBADMSG);
    assert_int_equal(xt_tls_host_cert_make(s(&f.ca), s(&f.ca_key), s(&f.csr), id, 20, &cert, NULL), 0);
    assert_int_equal(xt_tls_cert_span(s(&cert), &from_ms, &to_ms), 0);
    assert_int_equal(to_ms - from_ms, 22000); /* short-lived ones are dated back by a tenth, not by a day */
    assert_int_equal(xt_tls_cert_span(XT_S("junk"), &from_ms, &to_ms), -EBADMSG);
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
    assert_int_equal(xt_tls_host_cert_make(s(&f.other_ca), s(&f.ca_key), s(&f.csr), XT_S("h"), 86400, &out, &problem),
                     -EBADMSG);
    /* A flipped bit in the request breaks its own signature. */
    char csr[2048];
    assert_true(f.csr.n < sizeof csr);
    for (size_t i = 0; i < f.csr.n; i += 7) {
        memcpy(csr, f.csr.p, f.csr.n);
        csr[i] ^= 1;
        assert_int_equal(
            xt_tls_host_cert_make(s(&f.ca), s(&f.ca_key), xt_slice_of(csr, f.csr.n), XT_S("h"), 86400, &out, &problem),
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
        cmocka_unit_test(test_faults_are_told_apart),
        cmocka_unit_test(test_bundle),
        cmocka_unit_test(test_bundle_is_vouched_for),
        cmocka_unit_test(test_certificate_of_a_key),
        cmocka_unit_test(test_host_is_no_server),
        cmocka_unit_test(test_server_is_no_host),
        cmocka_unit_test(test_wrong_ca),
        cmocka_unit_test(test_pinned),
        cmocka_unit_test(test_names_of_server),
        cmocka_unit_test(test_bad_input),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

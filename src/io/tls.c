/*
 * How it works: one base context for both sides, then what each side must check. The role of a server is checked in the
 * verify callback, beside OpenSSL's own chain and purpose checks, so that a certificate of the same CA without
 * the role fails the handshake itself. A pinned context does its own verification: it looks the pinned CA up in what
 * the server sent and then verifies the leaf with that CA as the only trust.
 */
#include "io/tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "io/tls_pem.h"
#include "io/tls_trust.h"

#define LATER_MESSAGES 16 /* of a connection */

static int no_passphrase(char *p, int n, int writing, void *context)
{
    return -1;
}

X509 *xt_tls_cert_read(xt_slice pem)
{
    BIO *bio = pem.n > 0 && pem.n < INT_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return cert;
}

EVP_PKEY *xt_tls_key_read(xt_slice pem)
{
    BIO *bio = pem.n > 0 && pem.n < INT_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

/* The end entity's certificate is one that our CA gave to a server. */
static bool cert_is_server(X509 *cert)
{
    char unit[64];
    int n = X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_organizationalUnitName, unit, sizeof unit);
    bool usage =
        (X509_get_extension_flags(cert) & EXFLAG_XKUSAGE) && (X509_get_extended_key_usage(cert) & XKU_SSL_SERVER);
    return usage && n > 0 && strlen(unit) == (size_t)n && strcmp(unit, XT_TLS_SERVER_UNIT) == 0;
}

static int verify_role(int ok, X509_STORE_CTX *store)
{
    if (!ok || X509_STORE_CTX_get_error_depth(store) != 0)
        return ok;
    if (cert_is_server(X509_STORE_CTX_get_current_cert(store)))
        return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

static X509 *find_pinned(STACK_OF(X509) * sent, const uint8_t *fingerprint)
{
    for (int i = 0; sent && i < sk_X509_num(sent); i++) {
        uint8_t digest[EVP_MAX_MD_SIZE];
        unsigned n = 0;
        X509 *cert = sk_X509_value(sent, i);
        if (X509_digest(cert, EVP_sha256(), digest, &n) == 1 && n == 32 && CRYPTO_memcmp(digest, fingerprint, 32) == 0)
            return cert;
    }
    return NULL;
}

/* X509_V_OK, or why the leaf is not a server's under this CA. */
static int verify_under(X509 *leaf, STACK_OF(X509) * sent, X509 *ca)
{
    X509_STORE *trust = X509_STORE_new();
    X509_STORE_CTX *inner = X509_STORE_CTX_new();
    int error = X509_V_ERR_OUT_OF_MEM;
    if (trust && inner && X509_STORE_add_cert(trust, ca) == 1 && X509_STORE_CTX_init(inner, trust, leaf, sent) == 1 &&
        X509_STORE_CTX_set_default(inner, "ssl_server") == 1) {
        error = X509_verify_cert(inner) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(inner);
        if (error == X509_V_OK && !cert_is_server(leaf))
            error = X509_V_ERR_APPLICATION_VERIFICATION;
        else if (error == X509_V_OK && X509_STORE_CTX_get_num_untrusted(inner) < 1)
            error = X509_V_ERR_INVALID_CA; /* the CA itself came as the leaf */
    }
    X509_STORE_CTX_free(inner);
    X509_STORE_free(trust);
    return error;
}

static int verify_pinned(X509_STORE_CTX *store, void *context)
{
    const uint8_t *fingerprint = context;
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    X509 *ca = find_pinned(sent, fingerprint);
    int error = leaf && ca ? verify_under(leaf, sent, ca) : X509_V_ERR_CERT_UNTRUSTED;
    X509_STORE_CTX_set_error(store, error);
    return error == X509_V_OK;
}

/*
 * A client's certificate that is not good does not end the handshake, for an alert says less than a refusal does: the verdict
 * (the first error, never V_OK) stays with the connection, and who asks for the peer's name gets none.
 */
static int verify_later(X509_STORE_CTX *store, void *context)
{
    if (X509_verify_cert(store) != 1 && X509_STORE_CTX_get_error(store) == X509_V_OK)
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
    return 1;
}

/*
 * Messages of TLS itself that come behind the handshake: keys are changed, tickets given. Each is worked on within SSL_read, which looks
 * for the next one before it returns; a peer that sends nothing else would keep its caller there. Our own programs send none.
 */
static int later_index_value = -1;
static CRYPTO_ONCE later_once = CRYPTO_ONCE_STATIC_INIT;

static void later_index_init(void)
{
    later_index_value = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static void count_later(int is_written, int version, int type, const void *bytes, size_t n, SSL *ssl, void *context)
{
    const uint8_t *message = bytes;
    if (is_written || type != SSL3_RT_HANDSHAKE || n == 0 ||
        (message[0] != SSL3_MT_KEY_UPDATE && message[0] != SSL3_MT_NEWSESSION_TICKET))
        return;
    uintptr_t count = (uintptr_t)SSL_get_ex_data(ssl, later_index_value) + 1;
    if (SSL_set_ex_data(ssl, later_index_value, (void *)count) != 1 || count > LATER_MESSAGES)
        (void)shutdown(SSL_get_fd(ssl), SHUT_RDWR); /* SSL_read ends with the bytes that it has */
}

static SSL_CTX *context_base(const SSL_METHOD *method)
{
    SSL_CTX *context = SSL_CTX_new(method);
    if (!context)
        return NULL;
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (CRYPTO_THREAD_run_once(&later_once, later_index_init) == 1 && later_index_value >= 0)
        SSL_CTX_set_msg_callback(context, count_later);
    int groups[] = {NID_X9_62_prime256v1};
    if (SSL_CTX_set_num_tickets(context, 0) == 1 && SSL_CTX_set1_groups(context, groups, 1) == 1)
        return context;
    SSL_CTX_free(context);
    return NULL;
}

static int use_own(SSL_CTX *context, xt_slice cert_pem, xt_slice key_pem, xt_problem *reterr_problem)
{
    X509 *cert = xt_tls_cert_read(cert_pem);
    EVP_PKEY *key = xt_tls_key_read(key_pem);
    int r = 0;
    if (!cert || !key) {
        xt_problem_set(reterr_problem, "the %s is not readable as PEM", cert ? "key" : "certificate");
        r = -EBADMSG;
    } else if (SSL_CTX_use_certificate(context, cert) != 1 || SSL_CTX_use_PrivateKey(context, key) != 1) {
        xt_problem_set(reterr_problem, "the key does not belong to the certificate");
        r = -EBADMSG;
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return r < 0 ? xt_error_origin(r) : 0;
}

/* Trusts the CAs; a server also names them to clients, and sends the first, so that an enrolling host can find what its token pins. */
static int use_ca(SSL_CTX *context, xt_slice ca_pem, bool send, xt_problem *reterr_problem)
{
    unsigned n = 0;
    bool ok = true;
    xt_slice block;
    while (ok && xt_tls_pem_next(&ca_pem, &block)) {
        X509 *ca = xt_tls_cert_read(block);
        if (!ca || n == XT_TLS_MAX_CAS) {
            X509_free(ca);
            n = 0;
            break;
        }
        ok = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca) == 1 &&
             (!send || SSL_CTX_add_client_CA(context, ca) == 1) &&
             (!send || n > 0 || SSL_CTX_add1_chain_cert(context, ca) == 1);
        n++;
        X509_free(ca);
    }
    ERR_clear_error();
    if (n == 0) {
        xt_problem_set(reterr_problem, "the CA's certificate is not readable as PEM");
        return xt_error_origin(-EBADMSG);
    }
    return ok ? 0 : xt_error_origin(-ENOMEM);
}

int xt_tls_server_context(xt_slice ca_pem, xt_slice cert_pem, xt_slice key_pem, SSL_CTX **ret,
                          xt_problem *reterr_problem)
{
    SSL_CTX *context = context_base(TLS_server_method());
    if (!context)
        return xt_error_origin(-ENOMEM);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(context, verify_later, NULL);
    int r = use_own(context, cert_pem, key_pem, reterr_problem);
    if (r >= 0)
        r = use_ca(context, ca_pem, true, reterr_problem);
    if (r < 0) {
        SSL_CTX_free(context);
        return xt_error_trace(r);
    }
    *ret = context;
    return 0;
}

int xt_tls_client_context(xt_slice ca_pem, xt_slice cert_pem, xt_slice key_pem, SSL_CTX **ret,
                          xt_problem *reterr_problem)
{
    SSL_CTX *context = context_base(TLS_client_method());
    if (!context)
        return xt_error_origin(-ENOMEM);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, verify_role);
    int r = use_ca(context, ca_pem, false, reterr_problem);
    if (r >= 0 && cert_pem.n > 0)
        r = use_own(context, cert_pem, key_pem, reterr_problem);
    if (r < 0) {
        SSL_CTX_free(context);
        return xt_error_trace(r);
    }
    *ret = context;
    return 0;
}

static void pin_free(void *parent, void *pin, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
    free(pin);
}

/* Where a context keeps the fingerprint it pins, so that it is freed with it. */
static int pin_index_value = -1;
static CRYPTO_ONCE pin_once = CRYPTO_ONCE_STATIC_INIT;

static void pin_index_init(void)
{
    pin_index_value = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, pin_free);
}

static int pin_index(void)
{
    return CRYPTO_THREAD_run_once(&pin_once, pin_index_init) == 1 ? pin_index_value : -1;
}

int xt_tls_pinned_context(const uint8_t fingerprint[static 32], SSL_CTX **ret, xt_problem *reterr_problem)
{
    SSL_CTX *context = context_base(TLS_client_method());
    uint8_t *pin = malloc(32);
    if (!context || !pin || pin_index() < 0 || SSL_CTX_set_ex_data(context, pin_index(), pin) != 1) {
        free(pin);
        SSL_CTX_free(context);
        xt_problem_set(reterr_problem, "out of memory");
        return xt_error_origin(-ENOMEM);
    }
    memcpy(pin, fingerprint, 32);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(context, verify_pinned, pin);
    *ret = context;
    return 0;
}

void xt_tls_peer_name(const SSL *ssl, char *ret, size_t n)
{
    ret[0] = '\0';
    X509 *cert = SSL_get_verify_result(ssl) == X509_V_OK ? SSL_get0_peer_certificate(ssl) : NULL;
    if (!cert)
        return;
    int length = X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, ret, (int)n);
    if (length < 0 || strlen(ret) != (size_t)length)
        ret[0] = '\0';
}

static bool explain_verify(long result, xt_problem *reterr_problem)
{
    switch (result) {
    case X509_V_OK:
        return false;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        xt_problem_set(reterr_problem, "the peer's certificate has expired");
        xt_problem_hint(reterr_problem, "check the clocks of both sides, else renew the certificate");
        return true;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        xt_problem_set(reterr_problem, "the peer's certificate is not valid yet");
        xt_problem_hint(reterr_problem, "check the clocks of both sides");
        return true;
    case X509_V_ERR_APPLICATION_VERIFICATION:
    case X509_V_ERR_INVALID_PURPOSE:
        xt_problem_set(reterr_problem, "the peer's certificate does not have the role that it is used for");
        xt_problem_hint(reterr_problem, "something else answers there: check the address");
        return true;
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        xt_problem_set(reterr_problem, "the peer's certificate is of another CA than the one that is trusted here");
        xt_problem_hint(reterr_problem,
                        "check the address; if the server was set up anew, enrol again with a new token");
        return true;
    default:
        xt_problem_set(reterr_problem, "the peer's certificate was refused: %s", X509_verify_cert_error_string(result));
        return true;
    }
}

void xt_tls_problem_of(const SSL *ssl, unsigned long code, xt_problem *reterr_problem)
{
    if (ssl && explain_verify(SSL_get_verify_result(ssl), reterr_problem))
        return;
    if (code == 0) {
        xt_problem_set(reterr_problem, "the peer closed the connection during the TLS handshake");
        return;
    }
    const char *reason = ERR_reason_error_string(code);
    xt_problem_set(reterr_problem, "TLS failed: %s", reason ? reason : "unknown error");
    switch (ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        xt_problem_hint(reterr_problem, "the other side does not speak TLS 1.3: check address and port");
        break;
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
        xt_problem_hint(reterr_problem, "the other side does not accept our certificate: enrol again with a new token");
        break;
    default:
        break;
    }
}

void xt_tls_problem(const SSL *ssl, xt_problem *reterr_problem)
{
    unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    xt_tls_problem_of(ssl, code, reterr_problem);
}

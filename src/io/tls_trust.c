#include "io/tls_trust.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "io/tls.h"
#include "io/tls_pem.h"

static int64_t time_ms(const ASN1_TIME *t)
{
    struct tm parts = {0};
    return ASN1_TIME_to_tm(t, &parts) == 1 ? (int64_t)timegm(&parts) * 1000 : 0;
}

static xt_tls_fault fault_of(long error)
{
    switch (error) {
    case X509_V_OK:
        return XT_TLS_PEER_GOOD;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return XT_TLS_PEER_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return XT_TLS_PEER_EARLY;
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return XT_TLS_PEER_CA;
    default:
        return XT_TLS_PEER_OTHER;
    }
}

static void name_get(X509 *cert, char *ret, size_t n)
{
    int length = X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, ret, (int)n);
    if (length < 0 || strlen(ret) != (size_t)length)
        ret[0] = '\0';
}

static bool key_get(X509 *cert, uint8_t ret[static 32])
{
    unsigned char *der = NULL;
    unsigned n = 0;
    int n_der = i2d_PUBKEY(X509_get0_pubkey(cert), &der);
    bool ok = n_der > 0 && EVP_Digest(der, (size_t)n_der, ret, &n, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    return ok;
}

void xt_tls_peer_get(const SSL *ssl, xt_tls_peer *ret)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);
    STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
    unsigned n = 0;
    *ret = (xt_tls_peer){.fault = XT_TLS_PEER_NONE};
    if (!cert)
        return;
    ret->fault = fault_of(SSL_get_verify_result(ssl));
    name_get(cert, ret->name, sizeof ret->name);
    ret->from_ms = time_ms(X509_get0_notBefore(cert));
    ret->to_ms = time_ms(X509_get0_notAfter(cert));
    if (ret->fault == XT_TLS_PEER_GOOD &&
        (!chain || sk_X509_num(chain) < 2 || ret->name[0] == '\0' || !key_get(cert, ret->key_sha256) ||
         X509_digest(sk_X509_value(chain, sk_X509_num(chain) - 1), EVP_sha256(), ret->ca_sha256, &n) != 1))
        ret->fault = XT_TLS_PEER_OTHER;
}

int xt_tls_cert_span(xt_slice cert_pem, int64_t *ret_from_ms, int64_t *ret_to_ms)
{
    X509 *cert = xt_tls_cert_read(cert_pem);
    if (!cert)
        return xt_error_origin(-EBADMSG);
    *ret_from_ms = time_ms(X509_get0_notBefore(cert));
    *ret_to_ms = time_ms(X509_get0_notAfter(cert));
    X509_free(cert);
    return 0;
}

int xt_tls_cert_fits(xt_slice cert_pem, xt_slice key_pem, xt_slice host_id)
{
    X509 *cert = xt_tls_cert_read(cert_pem);
    EVP_PKEY *key = xt_tls_key_read(key_pem);
    char name[64] = "";
    bool ok = cert && key && X509_check_private_key(cert, key) == 1;
    if (ok)
        name_get(cert, name, sizeof name);
    ok = ok && xt_slice_eq(xt_slice_str(name), host_id);
    X509_free(cert);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return ok ? 0 : xt_error_origin(-EBADMSG);
}

bool xt_tls_pem_next(xt_slice *rest, xt_slice *ret)
{
    static const char end[] = "-----END ";
    ptrdiff_t at = xt_slice_find(*rest, XT_S("-----BEGIN "));
    if (at < 0)
        return false;
    xt_slice text = xt_slice_skip(*rest, (size_t)at);
    ptrdiff_t last = xt_slice_find(text, xt_slice_str(end));
    if (last < 0)
        return false;
    ptrdiff_t line = xt_slice_find_byte(xt_slice_skip(text, (size_t)last), '\n');
    size_t n = line < 0 ? text.n : (size_t)(last + line + 1);
    *ret = xt_slice_head(text, n);
    *rest = xt_slice_skip(text, n);
    return true;
}

bool xt_tls_bundle_is_good(xt_slice bundle_pem)
{
    unsigned n = 0;
    xt_slice block;
    while (xt_tls_pem_next(&bundle_pem, &block)) {
        X509 *cert = ++n <= XT_TLS_MAX_CAS ? xt_tls_cert_read(block) : NULL;
        bool good = cert && X509_check_ca(cert) == 1;
        X509_free(cert);
        ERR_clear_error();
        if (!good)
            return false;
    }
    return n > 0 && xt_slice_trim(bundle_pem).n == 0;
}

int xt_tls_bundle_sign(xt_slice bundle_pem, xt_slice key_pem, xt_buf *ret_signature)
{
    EVP_PKEY *key = xt_tls_key_read(key_pem);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    unsigned char bytes[256];
    size_t n = sizeof bytes;
    bool ok = key && digest && EVP_DigestSignInit(digest, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(digest, bytes, &n, (const unsigned char *)bundle_pem.p, bundle_pem.n) == 1;
    EVP_MD_CTX_free(digest);
    EVP_PKEY_free(key);
    ERR_clear_error();
    if (!ok)
        return xt_error_origin(-EBADMSG);
    xt_buf_put(ret_signature, xt_slice_of(bytes, n));
    return xt_buf_done(ret_signature);
}

static bool is_signed_by(xt_slice bundle_pem, xt_slice signature, X509 *ca)
{
    EVP_PKEY *key = ca ? X509_get0_pubkey(ca) : NULL;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool ok = key && digest && EVP_DigestVerifyInit(digest, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(digest, (const unsigned char *)signature.p, signature.n,
                               (const unsigned char *)bundle_pem.p, bundle_pem.n) == 1;
    EVP_MD_CTX_free(digest);
    ERR_clear_error();
    return ok;
}

bool xt_tls_bundle_is_signed(xt_slice bundle_pem, xt_slice signature, xt_slice trusted_pem)
{
    bool found = false;
    xt_slice block;
    while (!found && signature.n > 0 && xt_tls_pem_next(&trusted_pem, &block)) {
        X509 *ca = xt_tls_cert_read(block);
        found = is_signed_by(bundle_pem, signature, ca);
        X509_free(ca);
    }
    return found;
}

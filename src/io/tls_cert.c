/*
 * How it works: every certificate is built by the same three steps (blank, extensions, sign), so that a role differs from
 * another in its list of extensions alone. Names that came from outside never pass through OpenSSL's extension
 * language: alternative names are built as objects.
 */
#include "io/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "io/tls_pem.h"

#define DAY_SECONDS      INT64_C(86400)
#define CA_DAYS          7300
#define BACKDATE_SECONDS DAY_SECONDS /* hosts whose clock is behind must not refuse a new certificate */
#define MAX_NAMES        64

static int bio_take(BIO *bio, bool written, xt_buf *out)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    if (written && n > 0)
        xt_buf_put(out, xt_slice_of(p, (size_t)n));
    if (p && n > 0)
        OPENSSL_cleanse(p, (size_t)n);
    BIO_free(bio);
    if (!written)
        return xt_error_origin(-ENOMEM);
    return xt_buf_done(out);
}

static int cert_format(X509 *cert, xt_buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (!bio)
        return xt_error_origin(-ENOMEM);
    return bio_take(bio, PEM_write_bio_X509(bio, cert) == 1, out);
}

int xt_tls_key_make(xt_buf *ret_key_pem)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    if (!key || !bio) {
        EVP_PKEY_free(key);
        BIO_free(bio);
        return xt_error_origin(-ENOMEM);
    }
    bool written = PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1;
    EVP_PKEY_free(key);
    return bio_take(bio, written, ret_key_pem);
}

static bool name_add(X509_NAME *name, const char *field, xt_slice text)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)text.p, (int)text.n, -1, 0) ==
           1;
}

static bool serial_set(X509 *cert)
{
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    bytes[0] = (unsigned char)((bytes[0] & 0x3f) | 0x40); /* positive, and always 16 bytes */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return ok;
}

static bool dates_set(X509 *cert, int64_t valid_s)
{
    int64_t back_s = valid_s / 10 < BACKDATE_SECONDS ? valid_s / 10 : BACKDATE_SECONDS;
    return X509_gmtime_adj(X509_getm_notBefore(cert), (long)-back_s) &&
           X509_time_adj_ex(X509_getm_notAfter(cert), (int)(valid_s / DAY_SECONDS), (long)(valid_s % DAY_SECONDS),
                            NULL);
}

/* A version 3 certificate with serial, dates, subject and key, not signed yet; NULL when OpenSSL is out of memory. */
static X509 *cert_blank(EVP_PKEY *key, xt_slice unit, xt_slice common_name, int64_t valid_s)
{
    X509 *cert = X509_new();
    if (!cert)
        return NULL;
    X509_NAME *subject = X509_get_subject_name(cert);
    if (X509_set_version(cert, X509_VERSION_3) == 1 && serial_set(cert) && dates_set(cert, valid_s) &&
        name_add(subject, "OU", unit) && name_add(subject, "CN", common_name) && X509_set_pubkey(cert, key) == 1)
        return cert;
    X509_free(cert);
    return NULL;
}

static bool extension_add(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool ok = extension && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

int xt_tls_ca_make(xt_slice key_pem, xt_buf *ret_cert_pem)
{
    EVP_PKEY *key = xt_tls_key_read(key_pem);
    if (!key)
        return xt_error_origin(-EBADMSG);
    X509 *cert = cert_blank(key, XT_S("exectrail"), XT_S("exectrail CA"), CA_DAYS * DAY_SECONDS);
    int r = -ENOMEM;
    if (cert && X509_set_issuer_name(cert, X509_get_subject_name(cert)) == 1 &&
        extension_add(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        extension_add(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        extension_add(cert, cert, NID_subject_key_identifier, "hash") && X509_sign(cert, key, EVP_sha256()) > 0)
        r = cert_format(cert, ret_cert_pem);
    X509_free(cert);
    EVP_PKEY_free(key);
    return xt_error_trace(r);
}

int xt_tls_csr_make(xt_slice key_pem, xt_slice common_name, xt_buf *ret_der)
{
    EVP_PKEY *key = xt_tls_key_read(key_pem);
    if (!key)
        return xt_error_origin(-EBADMSG);
    X509_REQ *req = X509_REQ_new();
    unsigned char *der = NULL;
    int n = -1;
    if (req && X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1 &&
        name_add(X509_REQ_get_subject_name(req), "CN", common_name) && X509_REQ_set_pubkey(req, key) == 1 &&
        X509_REQ_sign(req, key, EVP_sha256()) > 0)
        n = i2d_X509_REQ(req, &der);
    if (n > 0)
        xt_buf_put(ret_der, xt_slice_of(der, (size_t)n));
    OPENSSL_free(der);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
    return n > 0 ? xt_buf_done(ret_der) : xt_error_origin(-ENOMEM);
}

typedef struct authority {
    X509 *cert;
    EVP_PKEY *key;
} authority;

static void ca_fini(authority *ca)
{
    X509_free(ca->cert);
    EVP_PKEY_free(ca->key);
}

static int ca_init(authority *ca, xt_slice cert_pem, xt_slice key_pem, xt_problem *reterr_problem)
{
    ca->cert = xt_tls_cert_read(cert_pem);
    ca->key = xt_tls_key_read(key_pem);
    if (ca->cert && ca->key && X509_check_private_key(ca->cert, ca->key) == 1)
        return 0;
    xt_problem_set(reterr_problem, !ca->cert  ? "the CA's certificate is no PEM certificate"
                                   : !ca->key ? "the CA's key is no PEM key"
                                              : "the CA's key does not belong to its certificate");
    ca_fini(ca);
    ERR_clear_error();
    return xt_error_origin(-EBADMSG);
}

static bool ca_sign(const authority *ca, X509 *cert, const char *usage)
{
    return X509_set_issuer_name(cert, X509_get_subject_name(ca->cert)) == 1 &&
           extension_add(cert, ca->cert, NID_basic_constraints, "critical,CA:FALSE") &&
           extension_add(cert, ca->cert, NID_key_usage, "critical,digitalSignature") &&
           extension_add(cert, ca->cert, NID_ext_key_usage, usage) &&
           extension_add(cert, ca->cert, NID_authority_key_identifier, "keyid:always") &&
           X509_sign(cert, ca->key, EVP_sha256()) > 0;
}

/* The CSR's key, proven by its signature; NULL with a problem. */
static EVP_PKEY *csr_key(xt_slice der, xt_problem *reterr_problem)
{
    const unsigned char *p = (const unsigned char *)der.p;
    X509_REQ *req = der.n > 0 && der.n < 65536 ? d2i_X509_REQ(NULL, &p, (long)der.n) : NULL;
    EVP_PKEY *key = req ? X509_REQ_get_pubkey(req) : NULL;
    char group[32] = "";
    if (!key || X509_REQ_verify(req, key) != 1)
        xt_problem_set(reterr_problem, "the certificate request is not valid, or not signed by its own key");
    else if (!EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1 ||
             strcmp(group, SN_X9_62_prime256v1) != 0)
        xt_problem_set(reterr_problem, "the certificate request holds another kind of key than P-256");
    else {
        X509_REQ_free(req);
        return key;
    }
    ERR_clear_error();
    EVP_PKEY_free(key);
    X509_REQ_free(req);
    return NULL;
}

int xt_tls_csr_key(xt_slice csr_der, uint8_t ret[static 32], xt_problem *reterr_problem)
{
    EVP_PKEY *key = csr_key(csr_der, reterr_problem);
    unsigned char *der = NULL;
    unsigned n = 0;
    if (!key)
        return xt_error_origin(-EBADMSG);
    int n_der = i2d_PUBKEY(key, &der);
    bool ok = n_der > 0 && EVP_Digest(der, (size_t)n_der, ret, &n, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    return ok ? 0 : xt_error_origin(-ENOMEM);
}

int xt_tls_host_cert_make(xt_slice ca_cert_pem, xt_slice ca_key_pem, xt_slice csr_der, xt_slice host_id,
                          int64_t valid_s, xt_buf *ret_cert_pem, xt_problem *reterr_problem)
{
    authority ca;
    int r = ca_init(&ca, ca_cert_pem, ca_key_pem, reterr_problem);
    if (r < 0)
        return xt_error_trace(r);
    EVP_PKEY *key = csr_key(csr_der, reterr_problem);
    if (!key) {
        ca_fini(&ca);
        return xt_error_origin(-EBADMSG);
    }
    X509 *cert = cert_blank(key, XT_S("exectrail host"), host_id, valid_s);
    r = cert && ca_sign(&ca, cert, "clientAuth") ? cert_format(cert, ret_cert_pem) : -ENOMEM;
    X509_free(cert);
    EVP_PKEY_free(key);
    ca_fini(&ca);
    return xt_error_trace(r);
}

static bool alternative_push(GENERAL_NAMES *all, const char *text)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *value = a2i_IPADDRESS(text);
    int kind = value ? GEN_IPADD : GEN_DNS;
    if (!value) {
        value = ASN1_IA5STRING_new();
        if (value && ASN1_STRING_set(value, text, -1) != 1) {
            ASN1_STRING_free(value);
            value = NULL;
        }
    }
    if (!name || !value) {
        GENERAL_NAME_free(name);
        ASN1_STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(name, kind, value);
    if (sk_GENERAL_NAME_push(all, name) > 0)
        return true;
    GENERAL_NAME_free(name);
    return false;
}

static bool alternatives_add(X509 *cert, const char *names)
{
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    bool ok = all != NULL;
    xt_slice rest = xt_slice_str(names), piece;
    for (unsigned i = 0; ok && i < MAX_NAMES && xt_slice_cut(&rest, ',', &piece); i++) {
        char text[256];
        piece = xt_slice_trim(piece);
        if (piece.n == 0 || piece.n >= sizeof text)
            continue;
        memcpy(text, piece.p, piece.n);
        text[piece.n] = '\0';
        ok = alternative_push(all, text);
    }
    if (ok && sk_GENERAL_NAME_num(all) > 0)
        ok = X509_add1_ext_i2d(cert, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(all);
    ERR_clear_error(); /* a DNS name leaves "bad ip address" behind */
    return ok;
}

int xt_tls_server_cert_make(xt_slice ca_cert_pem, xt_slice ca_key_pem, xt_slice server_key_pem, const char *names,
                            int days, xt_buf *ret_cert_pem, xt_problem *reterr_problem)
{
    authority ca;
    int r = ca_init(&ca, ca_cert_pem, ca_key_pem, reterr_problem);
    if (r < 0)
        return xt_error_trace(r);
    EVP_PKEY *key = xt_tls_key_read(server_key_pem);
    if (!key) {
        xt_problem_set(reterr_problem, "the server's key is no PEM key");
        ca_fini(&ca);
        return xt_error_origin(-EBADMSG);
    }
    X509 *cert = cert_blank(key, XT_S(XT_TLS_SERVER_UNIT), XT_S("exectrail server"), days * DAY_SECONDS);
    bool ok = cert && alternatives_add(cert, names) && ca_sign(&ca, cert, "serverAuth");
    r = ok ? cert_format(cert, ret_cert_pem) : -ENOMEM;
    X509_free(cert);
    EVP_PKEY_free(key);
    ca_fini(&ca);
    return xt_error_trace(r);
}

int xt_tls_fingerprint(xt_slice cert_pem, uint8_t ret[static 32])
{
    X509 *cert = xt_tls_cert_read(cert_pem);
    unsigned n = 0;
    bool ok = cert && X509_digest(cert, EVP_sha256(), ret, &n) == 1 && n == 32;
    X509_free(cert);
    return ok ? 0 : xt_error_origin(-EBADMSG);
}

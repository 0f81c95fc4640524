/*
 * Each file is written whole (beside, synced, renamed), the key before the certificate that needs it: a kill between two
 * of them leaves a key without a certificate, and the next start makes the certificate for it.
 */
#include "server/pki.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include <openssl/x509v3.h>

#include "io/tls.h"
#include "io/tls_pem.h"
#include "io/vfs.h"
#include "server/secret.h"

enum { SERVER_DAYS = 825, HOST_DAYS = 825, RENEW_DAYS = 30, MAX_FILE_BYTES = 1 << 20 };

static int path_of(char *ret, size_t n, const char *dir, const char *name)
{
    int k = snprintf(ret, n, "%s/%s", dir, name);

    return k < 0 || (size_t)k >= n ? xt_error_origin(-ENAMETOOLONG) : 0;
}

static int write_file(const char *dir, const char *name, xt_slice content, mode_t mode, xt_problem *reterr_problem)
{
    char path[4096];
    int r = path_of(path, sizeof path, dir, name);

    if (r == 0)
        r = xt_vfs_replace_file(&xt_vfs_system, path, content, mode);
    if (r) {
        xt_problem_set(reterr_problem, "%s/%s cannot be written: %s", dir, name, strerror(-r));
        xt_problem_hint(reterr_problem, "check the folder's owner and the free space");
    }
    return xt_error_trace(r);
}

/* 1: there is no such file. */
static int read_file(const char *dir, const char *name, xt_buf *out, xt_problem *reterr_problem)
{
    char path[4096];
    int r = path_of(path, sizeof path, dir, name);

    if (r == 0)
        r = xt_vfs_read_file(&xt_vfs_system, path, MAX_FILE_BYTES, out);
    if (r == -ENOENT)
        return 1;
    if (r)
        xt_problem_set(reterr_problem, "%s/%s cannot be read: %s", dir, name, strerror(-r));
    return xt_error_trace(r);
}

static int load_key(const char *dir, const char *name, xt_buf *out, xt_problem *reterr_problem)
{
    int r = read_file(dir, name, out, reterr_problem);

    if (r <= 0)
        return xt_error_trace(r);
    r = xt_tls_key_make(out);
    if (r)
        return xt_error_trace(r);
    return xt_error_trace(write_file(dir, name, xt_buf_slice(out), 0600, reterr_problem));
}

/* Made only where no certificate is: a new key under an old one would lock every agent out. */
static int load_ca_key(const char *dir, bool may_make, xt_buf *out, xt_problem *reterr_problem)
{
    if (may_make)
        return xt_error_trace(load_key(dir, "ca.key", out, reterr_problem));
    int r = read_file(dir, "ca.key", out, reterr_problem);
    if (r > 0) {
        xt_problem_set(reterr_problem, "%s/ca.key is missing while ca.pem is there", dir);
        xt_problem_hint(reterr_problem, "restore it from a backup; without it no host can be enrolled");
        return xt_error_origin(-ENOENT);
    }
    return xt_error_trace(r);
}

static int load_ca(const char *dir, xt_pki *pki, xt_problem *reterr_problem)
{
    int found = read_file(dir, "ca.pem", &pki->ca_pem, reterr_problem), r;

    if (found < 0)
        return xt_error_trace(found);
    r = load_ca_key(dir, found > 0, &pki->ca_key_pem, reterr_problem);
    if (r)
        return xt_error_trace(r);
    if (found > 0) {
        r = xt_tls_ca_make(xt_buf_slice(&pki->ca_key_pem), &pki->ca_pem);
        if (r == 0)
            r = write_file(dir, "ca.pem", xt_buf_slice(&pki->ca_pem), 0644, reterr_problem);
    }
    if (r)
        return xt_error_trace(r);
    r = xt_tls_fingerprint(xt_buf_slice(&pki->ca_pem), pki->ca_sha256);
    if (r)
        xt_problem_set(reterr_problem, "%s/ca.pem is no certificate", dir);
    return xt_error_trace(r);
}

static bool cert_has_name(X509 *cert, xt_slice name)
{
    char z[256];

    xt_text_copy(z, sizeof z, name);
    return X509_check_ip_asc(cert, z, 0) == 1 || X509_check_host(cert, z, 0, 0, NULL) == 1;
}

/* Still good for these names, and for some time? */
static bool cert_serves(xt_slice pem, xt_slice names)
{
    X509 *cert = xt_tls_cert_read(pem);
    time_t soon = time(NULL) + (time_t)RENEW_DAYS * 86400;
    bool good = cert && X509_cmp_time(X509_get0_notAfter(cert), &soon) > 0;
    xt_slice name;

    while (good && xt_slice_cut(&names, ',', &name)) {
        name = xt_slice_trim(name);
        good = name.n == 0 || cert_has_name(cert, name);
    }
    X509_free(cert);
    return good;
}

static int load_server(const char *dir, const char *names, xt_pki *pki, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf all = XT_BUF_INIT;
    int r = load_key(dir, "server.key", &pki->key_pem, reterr_problem);

    if (r)
        return xt_error_trace(r);
    xt_buf_printf(&all, "%s%s%s", XT_PKI_NAMES, names && *names ? "," : "", names ? names : "");
    r = read_file(dir, "server.pem", &pki->cert_pem, reterr_problem);
    if (r < 0 || xt_buf_done(&all))
        return xt_error_trace(r < 0 ? r : -ENOMEM);
    if (r == 0 && cert_serves(xt_buf_slice(&pki->cert_pem), xt_buf_slice(&all)))
        return 0;
    xt_buf_reset(&pki->cert_pem);
    xt_buf_putc(&all, '\0');
    if (xt_buf_done(&all))
        return xt_error_origin(-ENOMEM);
    r = xt_tls_server_cert_make(xt_buf_slice(&pki->ca_pem), xt_buf_slice(&pki->ca_key_pem), xt_buf_slice(&pki->key_pem),
                                all.p, SERVER_DAYS, &pki->cert_pem, reterr_problem);
    if (r)
        return xt_error_trace(r);
    return xt_error_trace(write_file(dir, "server.pem", xt_buf_slice(&pki->cert_pem), 0644, reterr_problem));
}

static int load_admin_token(const char *dir, xt_pki *pki, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    char secret[XT_SECRET_DIGITS + 1];
    int r = read_file(dir, "admin.token", &text, reterr_problem);

    if (r < 0)
        return xt_error_trace(r);
    if (r > 0) {
        r = xt_secret_make(secret);
        xt_buf_puts(&text, r ? "" : secret);
        if (r == 0)
            r = write_file(dir, "admin.token", xt_buf_slice(&text), 0600, reterr_problem);
        if (r)
            return xt_error_trace(r);
    }
    return xt_error_trace(xt_secret_hash(xt_slice_trim(xt_buf_slice(&text)), pki->admin_sha256));
}

int xt_pki_open(const char *dir, const char *names, xt_pki *ret, xt_problem *reterr_problem)
{
    xt_pki pki = {0};
    int r = load_ca(dir, &pki, reterr_problem);

    if (r == 0)
        r = load_server(dir, names, &pki, reterr_problem);
    if (r == 0)
        r = load_admin_token(dir, &pki, reterr_problem);
    if (r) {
        xt_pki_fini(&pki);
        return xt_error_trace(r);
    }
    *ret = pki;
    return 0;
}

void xt_pki_fini(xt_pki *pki)
{
    xt_buf_fini(&pki->ca_pem);
    xt_buf_fini(&pki->ca_key_pem);
    xt_buf_fini(&pki->cert_pem);
    xt_buf_fini(&pki->key_pem);
}

int xt_pki_context(const xt_pki *pki, SSL_CTX **ret, xt_problem *reterr_problem)
{
    return xt_error_trace(xt_tls_server_context(xt_buf_slice(&pki->ca_pem), xt_buf_slice(&pki->cert_pem),
                                                xt_buf_slice(&pki->key_pem), ret, reterr_problem));
}

int xt_pki_sign(const xt_pki *pki, xt_slice csr_der, xt_slice host_id, xt_buf *ret_pem, xt_problem *reterr_problem)
{
    int r = xt_tls_host_cert_make(xt_buf_slice(&pki->ca_pem), xt_buf_slice(&pki->ca_key_pem), csr_der, host_id,
                                  HOST_DAYS, ret_pem, reterr_problem);
    return r < 0 ? xt_error_trace(r) : r;
}

/*
 * Each file is written whole (beside, synced, renamed), the key before the certificate that needs it: a kill between two
 * of them leaves a key without a certificate, and the next start makes the certificate for it. So it is with a second CA:
 * its key is added to ca.key, then its certificate to ca.pem. A server's certificate that is not of the first CA is made
 * anew, which undoes half a retirement.
 */
#include "server/pki.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "io/tls.h"
#include "io/tls_pem.h"
#include "io/tls_trust.h"
#include "io/vfs.h"
#include "server/secret.h"
#include "wire/message.h"
#include "wire/policy_order.h"

enum { SERVER_DAYS = 825, RENEW_DAYS = 30, MAX_FILE_BYTES = 1 << 20 };

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

static int problem_of_pem(const char *dir, const char *what, xt_problem *reterr_problem)
{
    xt_problem_set(reterr_problem, "%s/ca.pem: %s", dir, what);
    xt_problem_hint(reterr_problem, "restore ca.pem and ca.key from a backup");
    return xt_error_origin(-EBADMSG);
}

/* The key in ca.key that belongs to the certificate. */
static bool find_key(xt_slice cert_pem, xt_slice keys, xt_buf *ret)
{
    X509 *cert = xt_tls_cert_read(cert_pem);
    bool found = false;
    xt_slice block;

    while (cert && !found && xt_tls_pem_next(&keys, &block)) {
        EVP_PKEY *key = xt_tls_key_read(block);
        found = key && X509_check_private_key(cert, key) == 1;
        EVP_PKEY_free(key);
        ERR_clear_error();
        if (found)
            xt_buf_put(ret, block);
    }
    X509_free(cert);
    return found;
}

/* One more CA of ca.pem, with its key. */
static int add_ca(xt_pki *pki, xt_slice cert_pem, xt_slice keys, xt_problem *reterr_problem)
{
    if (pki->n_cas == XT_PKI_MAX_CAS)
        return problem_of_pem(pki->dir, "it holds more CAs than belong there", reterr_problem);
    xt_pki_ca *ca = &pki->cas[pki->n_cas++];
    if (xt_tls_fingerprint(cert_pem, ca->sha256))
        return problem_of_pem(pki->dir, "it holds something that is no certificate", reterr_problem);
    xt_buf_put(&ca->cert_pem, cert_pem);
    if (!find_key(cert_pem, keys, &ca->key_pem))
        return problem_of_pem(pki->dir, "ca.key does not hold the key of one of its CAs", reterr_problem);
    return xt_error_trace(xt_buf_done(&ca->cert_pem) ? -ENOMEM : xt_buf_done(&ca->key_pem));
}

/* The bundle, and each CA's signature of it. */
static int vouch(xt_pki *pki)
{
    int r = 0;

    xt_buf_reset(&pki->bundle);
    for (unsigned i = 0; i < pki->n_cas; i++)
        xt_buf_put(&pki->bundle, xt_buf_slice(&pki->cas[i].cert_pem));
    r = xt_buf_done(&pki->bundle);
    for (unsigned i = 0; r == 0 && i < pki->n_cas; i++) {
        xt_buf_reset(&pki->cas[i].vouches);
        r = xt_tls_bundle_sign(xt_buf_slice(&pki->bundle), xt_buf_slice(&pki->cas[i].key_pem), &pki->cas[i].vouches);
    }
    return xt_error_trace(r);
}

static int load_cas(xt_pki *pki, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf certs = XT_BUF_INIT, keys = XT_BUF_INIT;
    int found = read_file(pki->dir, "ca.pem", &certs, reterr_problem), r;

    if (found < 0)
        return xt_error_trace(found);
    r = load_ca_key(pki->dir, found > 0, &keys, reterr_problem);
    if (r == 0 && found > 0) {
        r = xt_tls_ca_make(xt_buf_slice(&keys), &certs);
        if (r == 0)
            r = write_file(pki->dir, "ca.pem", xt_buf_slice(&certs), 0644, reterr_problem);
    }
    xt_slice rest = xt_buf_slice(&certs), block;
    while (r == 0 && xt_tls_pem_next(&rest, &block))
        r = add_ca(pki, block, xt_buf_slice(&keys), reterr_problem);
    if (r == 0 && pki->n_cas == 0)
        r = problem_of_pem(pki->dir, "it holds no certificate", reterr_problem);
    return xt_error_trace(r ? r : vouch(pki));
}

static bool cert_has_name(X509 *cert, xt_slice name)
{
    char z[256];

    xt_text_copy(z, sizeof z, name);
    return X509_check_ip_asc(cert, z, 0) == 1 || X509_check_host(cert, z, 0, 0, NULL) == 1;
}

/* Of this CA, and still good for these names for some time? */
static bool cert_serves(xt_slice pem, xt_slice ca_pem, xt_slice names)
{
    X509 *cert = xt_tls_cert_read(pem), *ca = xt_tls_cert_read(ca_pem);
    time_t soon = time(NULL) + (time_t)RENEW_DAYS * 86400;
    bool good = cert && ca && X509_verify(cert, X509_get0_pubkey(ca)) == 1 &&
                X509_cmp_time(X509_get0_notAfter(cert), &soon) > 0;
    xt_slice name;

    while (good && xt_slice_cut(&names, ',', &name)) {
        name = xt_slice_trim(name);
        good = name.n == 0 || cert_has_name(cert, name);
    }
    X509_free(cert);
    X509_free(ca);
    ERR_clear_error();
    return good;
}

/* names: ended by a NUL behind it. */
static void put_names(const xt_pki *pki, xt_buf *out)
{
    const char *more = pki->names ? pki->names : "";
    xt_buf_printf(out, "%s%s%s", XT_PKI_NAMES, *more ? "," : "", more);
    xt_buf_putc(out, '\0');
}

/* A certificate of the server under that CA, written down. */
static int make_server(xt_pki *pki, const xt_pki_ca *ca, xt_buf *ret, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf names = XT_BUF_INIT;
    int r;

    put_names(pki, &names);
    r = xt_buf_done(&names);
    if (r == 0)
        r = xt_tls_server_cert_make(xt_buf_slice(&ca->cert_pem), xt_buf_slice(&ca->key_pem),
                                    xt_buf_slice(&pki->key_pem), names.p, SERVER_DAYS, ret, reterr_problem);
    if (r == 0)
        r = write_file(pki->dir, "server.pem", xt_buf_slice(ret), 0644, reterr_problem);
    return xt_error_trace(r);
}

/* *ret_made: the certificate that was there was of no use any more. */
static int refresh_server(xt_pki *pki, bool *ret_made, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf names = XT_BUF_INIT, made = XT_BUF_INIT;
    xt_pki_ca *ca = &pki->cas[0];

    put_names(pki, &names);
    if (xt_buf_done(&names))
        return xt_error_origin(-ENOMEM);
    *ret_made = !cert_serves(xt_buf_slice(&pki->cert_pem), xt_buf_slice(&ca->cert_pem),
                             xt_slice_head(xt_buf_slice(&names), names.n - 1));
    int r = *ret_made ? make_server(pki, ca, &made, reterr_problem) : 0;
    if (r == 0 && *ret_made) {
        xt_buf_fini(&pki->cert_pem);
        pki->cert_pem = made;
        made = XT_BUF_INIT;
    }
    return xt_error_trace(r);
}

static int load_server(xt_pki *pki, xt_problem *reterr_problem)
{
    bool made;
    int r = load_key(pki->dir, "server.key", &pki->key_pem, reterr_problem);

    if (r == 0)
        r = read_file(pki->dir, "server.pem", &pki->cert_pem, reterr_problem);
    return xt_error_trace(r < 0 ? r : refresh_server(pki, &made, reterr_problem));
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

int xt_pki_open(const char *dir, const char *names, int64_t host_valid_s, xt_pki *ret, xt_problem *reterr_problem)
{
    xt_pki pki = {.dir = strdup(dir),
                  .names = names ? strdup(names) : NULL,
                  .host_valid_s = host_valid_s ? host_valid_s : XT_PKI_HOST_S,
                  .generation = 1};
    int r = pki.dir && (!names || pki.names) ? load_cas(&pki, reterr_problem) : xt_error_origin(-ENOMEM);

    if (r == 0)
        r = load_server(&pki, reterr_problem);
    if (r == 0)
        r = load_admin_token(dir, &pki, reterr_problem);
    if (r) {
        xt_pki_fini(&pki);
        return xt_error_trace(r);
    }
    *ret = pki;
    pthread_mutex_init(&ret->lock, NULL);
    return 0;
}

static void ca_fini(xt_pki_ca *ca)
{
    xt_buf_fini(&ca->cert_pem);
    xt_buf_fini(&ca->key_pem);
    xt_buf_fini(&ca->vouches);
    *ca = (xt_pki_ca){.cert_pem = XT_BUF_INIT};
}

void xt_pki_fini(xt_pki *pki)
{
    for (unsigned i = 0; i < XT_PKI_MAX_CAS; i++)
        ca_fini(&pki->cas[i]);
    xt_buf_fini(&pki->bundle);
    xt_buf_fini(&pki->cert_pem);
    xt_buf_fini(&pki->key_pem);
    pthread_mutex_destroy(&pki->lock); /* all zeros is a mutex, too */
    free(pki->dir);
    free(pki->names);
    pki->dir = pki->names = NULL;
}

int xt_pki_context(xt_pki *pki, SSL_CTX **ret, xt_problem *reterr_problem)
{
    pthread_mutex_lock(&pki->lock);
    int r = xt_tls_server_context(xt_buf_slice(&pki->bundle), xt_buf_slice(&pki->cert_pem), xt_buf_slice(&pki->key_pem),
                                  ret, reterr_problem);
    pthread_mutex_unlock(&pki->lock);
    return xt_error_trace(r);
}

int xt_pki_sign(xt_pki *pki, xt_slice csr_der, xt_slice host_id, xt_buf *ret_pem, xt_problem *reterr_problem)
{
    pthread_mutex_lock(&pki->lock);
    const xt_pki_ca *ca = &pki->cas[pki->n_cas - 1];
    int r = xt_tls_host_cert_make(xt_buf_slice(&ca->cert_pem), xt_buf_slice(&ca->key_pem), csr_der, host_id,
                                  pki->host_valid_s, ret_pem, reterr_problem);
    pthread_mutex_unlock(&pki->lock);
    return r < 0 ? xt_error_trace(r) : r;
}

int xt_pki_sign_policy(xt_pki *pki, xt_slice order, xt_buf *ret_signature, uint8_t ret_ca_sha256[static 32])
{
    pthread_mutex_lock(&pki->lock);
    const xt_pki_ca *ca = &pki->cas[pki->n_cas - 1];
    int r = xt_tls_bundle_sign(order, xt_buf_slice(&ca->key_pem), ret_signature);
    memcpy(ret_ca_sha256, ca->sha256, sizeof ca->sha256);
    pthread_mutex_unlock(&pki->lock);
    return xt_error_trace(r);
}

void xt_pki_pin(xt_pki *pki, uint8_t ret[static 32])
{
    pthread_mutex_lock(&pki->lock);
    memcpy(ret, pki->cas[0].sha256, 32);
    pthread_mutex_unlock(&pki->lock);
}

void xt_pki_bundle_put(xt_pki *pki, xt_buf *out)
{
    pthread_mutex_lock(&pki->lock);
    xt_buf_put(out, xt_buf_slice(&pki->bundle));
    pthread_mutex_unlock(&pki->lock);
}

void xt_pki_trust_put(xt_pki *pki, bool renew, uint64_t spread_ms, xt_buf *out)
{
    pthread_mutex_lock(&pki->lock);
    xt_trust trust = {.ca_pem = xt_buf_slice(&pki->bundle),
                      .signature = xt_buf_slice(&pki->cas[0].vouches),
                      .signature2 = pki->n_cas > 1 ? xt_buf_slice(&pki->cas[1].vouches) : XT_S_NULL,
                      .renew = renew,
                      .spread_ms = spread_ms};
    xt_trust_put(out, &trust);
    pthread_mutex_unlock(&pki->lock);
}

uint64_t xt_pki_trust_hash(xt_pki *pki)
{
    pthread_mutex_lock(&pki->lock);
    uint64_t hash = xt_slice_hash(xt_buf_slice(&pki->bundle));
    pthread_mutex_unlock(&pki->lock);
    return hash;
}

bool xt_pki_knows(xt_pki *pki, const uint8_t ca_sha256[static 32], bool *ret_signs)
{
    bool found = false;

    pthread_mutex_lock(&pki->lock);
    for (unsigned i = 0; i < pki->n_cas && !found; i++) {
        found = memcmp(pki->cas[i].sha256, ca_sha256, 32) == 0;
        *ret_signs = i == pki->n_cas - 1;
    }
    pthread_mutex_unlock(&pki->lock);
    *ret_signs &= found;
    return found;
}

void xt_pki_id(const uint8_t ca_sha256[static 32], char ret[static XT_PKI_ID_DIGITS + 1])
{
    for (unsigned i = 0; i < XT_PKI_ID_DIGITS / 2; i++)
        snprintf(ret + 2 * i, 3, "%02x", ca_sha256[i]);
}

unsigned xt_pki_list(xt_pki *pki, xt_pki_entry ret[static XT_PKI_MAX_CAS])
{
    pthread_mutex_lock(&pki->lock);
    unsigned n = pki->n_cas;
    for (unsigned i = 0; i < n; i++) {
        ret[i] = (xt_pki_entry){.is_servers = i == 0, .signs_hosts = i == n - 1};
        xt_pki_id(pki->cas[i].sha256, ret[i].id);
        if (xt_tls_cert_span(xt_buf_slice(&pki->cas[i].cert_pem), &ret[i].from_ms, &ret[i].to_ms))
            ret[i].from_ms = ret[i].to_ms = 0; /* it was readable when it was loaded */
    }
    pthread_mutex_unlock(&pki->lock);
    return n;
}

static int refuse_state(xt_problem *reterr_problem, const char *sentence, const char *hint)
{
    xt_problem_set(reterr_problem, "%s", sentence);
    xt_problem_hint(reterr_problem, "%s", hint);
    return XT_PKI_E_STATE;
}

/* ca.key and ca.pem of the first and of a second CA (may be NULL), in the order that a kill does no harm in. */
static int write_cas(xt_pki *pki, const xt_pki_ca *first, const xt_pki_ca *second, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf certs = XT_BUF_INIT, keys = XT_BUF_INIT;
    const xt_pki_ca *const all[] = {first, second};
    int r;

    for (unsigned i = 0; i < XT_COUNT_OF(all) && all[i]; i++) {
        xt_buf_put(&certs, xt_buf_slice(&all[i]->cert_pem));
        xt_buf_put(&keys, xt_buf_slice(&all[i]->key_pem));
    }
    r = xt_buf_done(&certs) ? -ENOMEM : xt_buf_done(&keys);
    if (r == 0 && second)
        r = write_file(pki->dir, "ca.key", xt_buf_slice(&keys), 0600, reterr_problem);
    if (r == 0)
        r = write_file(pki->dir, "ca.pem", xt_buf_slice(&certs), 0644, reterr_problem);
    if (r == 0 && !second)
        r = write_file(pki->dir, "ca.key", xt_buf_slice(&keys), 0600, reterr_problem);
    return xt_error_trace(r);
}

static int rotate(xt_pki *pki, xt_problem *reterr_problem)
{
    xt_pki_ca made = {.cert_pem = XT_BUF_INIT};

    if (pki->n_cas == XT_PKI_MAX_CAS)
        return refuse_state(reterr_problem, "a CA is being replaced already",
                            "first retire the old one: exectrail ca retire");
    int r = xt_tls_key_make(&made.key_pem);
    if (r == 0)
        r = xt_tls_ca_make(xt_buf_slice(&made.key_pem), &made.cert_pem);
    if (r == 0)
        r = xt_tls_fingerprint(xt_buf_slice(&made.cert_pem), made.sha256);
    if (r == 0)
        r = write_cas(pki, &pki->cas[0], &made, reterr_problem);
    if (r) {
        ca_fini(&made);
        return xt_error_trace(r);
    }
    pki->cas[pki->n_cas++] = made;
    return xt_error_trace(vouch(pki));
}

int xt_pki_rotate(xt_pki *pki, xt_problem *reterr_problem)
{
    pthread_mutex_lock(&pki->lock);
    int r = rotate(pki, reterr_problem);
    pthread_mutex_unlock(&pki->lock);
    if (r == 0)
        atomic_fetch_add(&pki->generation, 1);
    return r < 0 ? xt_error_trace(r) : r;
}

static int retire(xt_pki *pki, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf cert = XT_BUF_INIT;

    if (pki->n_cas < XT_PKI_MAX_CAS)
        return refuse_state(reterr_problem, "there is one CA, and it is in use",
                            "make another first: exectrail ca rotate");
    int r = make_server(pki, &pki->cas[1], &cert, reterr_problem);
    if (r == 0)
        r = write_cas(pki, &pki->cas[1], NULL, reterr_problem);
    if (r)
        return xt_error_trace(r);
    ca_fini(&pki->cas[0]);
    pki->cas[0] = pki->cas[1];
    pki->cas[1] = (xt_pki_ca){.cert_pem = XT_BUF_INIT};
    pki->n_cas--;
    xt_buf_fini(&pki->cert_pem);
    pki->cert_pem = cert;
    cert = XT_BUF_INIT;
    return xt_error_trace(vouch(pki));
}

int xt_pki_retire(xt_pki *pki, xt_problem *reterr_problem)
{
    pthread_mutex_lock(&pki->lock);
    int r = retire(pki, reterr_problem);
    pthread_mutex_unlock(&pki->lock);
    if (r == 0)
        atomic_fetch_add(&pki->generation, 1);
    return r < 0 ? xt_error_trace(r) : r;
}

int xt_pki_keep(xt_pki *pki, xt_problem *reterr_problem)
{
    bool made = false;

    pthread_mutex_lock(&pki->lock);
    int r = refresh_server(pki, &made, reterr_problem);
    pthread_mutex_unlock(&pki->lock);
    if (r == 0 && made)
        atomic_fetch_add(&pki->generation, 1);
    return xt_error_trace(r);
}

/*
 * Key and certificate stand in one file, so that one rename exchanges both: a key without its certificate opens no door.
 */
#include "agent/identity.h"

#include <errno.h>
#include <sys/random.h>

#include "io/tls.h"
#include "io/tls_trust.h"
#include "io/vfs.h"

#define MAX_PEM_BYTES 65536

static int failed(int r, const char *name, const char *doing, xt_problem *reterr_problem)
{
    xt_problem_source(reterr_problem, name);
    xt_problem_set(reterr_problem, "cannot be %s: %s", doing, strerror(-r));
    xt_problem_hint(reterr_problem, "check the state folder, its owner and its free space");
    return xt_error_trace(r);
}

static int read_one(const char *name, xt_buf *out, xt_problem *reterr_problem)
{
    xt_buf_reset(out);
    int r = xt_vfs_read_file(&xt_vfs_system, name, MAX_PEM_BYTES, out);
    if (r == -ENOENT)
        return XT_IDENTITY_E_NONE;
    return r < 0 ? failed(r, name, "read", reterr_problem) : 0;
}

static int write_one(const char *name, xt_slice content, mode_t mode, xt_problem *reterr_problem)
{
    int r = xt_vfs_replace_file(&xt_vfs_system, name, content, mode);
    return r < 0 ? failed(r, name, "written", reterr_problem) : 0;
}

static bool set_host_id(xt_identity *identity, xt_slice text)
{
    xt_hash128 id;
    text = xt_slice_trim(text);
    if (!xt_hash128_parse(text, &id))
        return false;
    xt_hash128_format(id, identity->host_id);
    return true;
}

/* A file of key and certificate. A half one (there is none: it is renamed whole) counts as none. */
static int read_pair(const char *name, xt_buf *key, xt_buf *cert, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    int r = read_one(name, &text, reterr_problem);
    if (r != 0)
        return r;
    xt_slice rest = xt_buf_slice(&text), first, second;
    if (!xt_tls_pem_next(&rest, &first) || !xt_tls_pem_next(&rest, &second))
        return XT_IDENTITY_E_NONE;
    xt_buf_reset(key);
    xt_buf_reset(cert);
    xt_buf_put(key, first);
    xt_buf_put(cert, second);
    return xt_buf_done(key) < 0 ? -ENOMEM : xt_buf_done(cert);
}

static int write_pair(const char *name, xt_slice key, xt_slice cert, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_buf_put(&text, key);
    xt_buf_put(&text, cert);
    int r = xt_buf_done(&text);
    return r < 0 ? xt_error_trace(r) : write_one(name, xt_buf_slice(&text), 0600, reterr_problem);
}

static int read_own(xt_identity *identity, xt_problem *reterr_problem)
{
    int r = read_pair("identity.pem", &identity->key, &identity->cert, reterr_problem);
    if (r != XT_IDENTITY_E_NONE)
        return r;
    r = read_one("cert.pem", &identity->cert, reterr_problem);
    return r == 0 ? read_one("key.pem", &identity->key, reterr_problem) : r;
}

int xt_identity_read(xt_identity *identity, xt_problem *reterr_problem)
{
    xt_buf id = XT_BUF_INIT;
    int r = read_own(identity, reterr_problem);
    if (r == 0)
        r = read_one("ca.pem", &identity->ca, reterr_problem);
    if (r == 0)
        r = read_one("host-id", &id, reterr_problem);
    if (r == 0 && !set_host_id(identity, xt_buf_slice(&id)))
        r = XT_IDENTITY_E_NONE;
    if (r == 0) {
        r = read_pair("next.pem", &identity->next_key, &identity->next_cert, reterr_problem);
        if (r == XT_IDENTITY_E_NONE)
            r = 0;
    }
    xt_buf_fini(&id);
    if (r == 0) {
        int p = xt_vfs_read_file(&xt_vfs_system, "trust", MAX_PEM_BYTES * XT_IDENTITY_PROOFS, &identity->proofs);
        if (p < 0)
            xt_buf_reset(&identity->proofs); /* they are asked for again */
    }
    return r;
}

int xt_identity_request(xt_identity *identity, xt_slice host_name, xt_buf *ret_csr_der, xt_problem *reterr_problem)
{
    int r = identity->host_id[0] ? 0 : read_one("key.pem", &identity->key, reterr_problem);
    if (r == XT_IDENTITY_E_NONE) {
        r = xt_tls_key_make(&identity->key);
        if (r == 0)
            r = write_one("key.pem", xt_buf_slice(&identity->key), 0600, reterr_problem);
    }
    if (r == 0)
        r = xt_tls_csr_make(xt_buf_slice(&identity->key), xt_slice_head(host_name, 64), ret_csr_der);
    return r;
}

static bool answer_fits(const xt_identity *identity, const xt_enrolled *enrolled, const uint8_t ca_sha256[static 32])
{
    uint8_t fingerprint[32];
    bool stays = !identity->host_id[0] || xt_slice_eq(enrolled->host_id, xt_slice_str(identity->host_id));
    return stays && enrolled->ca_pem.n < MAX_PEM_BYTES / 2 && enrolled->cert_pem.n < MAX_PEM_BYTES / 2 &&
           xt_tls_fingerprint(enrolled->ca_pem, fingerprint) == 0 && memcmp(fingerprint, ca_sha256, 32) == 0 &&
           xt_tls_bundle_is_good(enrolled->ca_pem) &&
           xt_tls_cert_fits(enrolled->cert_pem, xt_buf_slice(&identity->key), enrolled->host_id) == 0;
}

int xt_identity_accept(xt_identity *identity, const xt_enrolled *enrolled, const uint8_t ca_sha256[static 32],
                       xt_problem *reterr_problem)
{
    if (!answer_fits(identity, enrolled, ca_sha256) || !set_host_id(identity, enrolled->host_id)) {
        xt_problem_set(reterr_problem, "the server's answer to the enrolment does not fit the token");
        return xt_error_origin(-EBADMSG);
    }
    xt_identity_next_drop(identity);
    xt_buf_reset(&identity->cert);
    xt_buf_reset(&identity->ca);
    xt_buf_put(&identity->cert, enrolled->cert_pem);
    xt_buf_put(&identity->ca, enrolled->ca_pem);
    int r = xt_buf_done(&identity->cert) < 0 ? -ENOMEM : xt_buf_done(&identity->ca);
    if (r == 0)
        r = write_one("ca.pem", enrolled->ca_pem, 0644, reterr_problem);
    if (r == 0)
        r = write_one("host-id", xt_slice_str(identity->host_id), 0644, reterr_problem);
    if (r == 0)
        r = write_pair("identity.pem", xt_buf_slice(&identity->key), enrolled->cert_pem, reterr_problem);
    if (r == 0)
        (void)xt_vfs_system.unlink(&xt_vfs_system, "key.pem"); /* it stands in the other now */
    return r;
}

int64_t xt_identity_renewal_ms(const xt_identity *identity, int64_t *ret_span_ms)
{
    int64_t from_ms, to_ms;
    uint32_t chance = 0;
    *ret_span_ms = 0;
    if (xt_tls_cert_span(xt_buf_slice(&identity->cert), &from_ms, &to_ms) < 0 || to_ms <= from_ms)
        return INT64_MAX;
    if (getrandom(&chance, sizeof chance, 0) != sizeof chance)
        chance = 0;
    *ret_span_ms = to_ms - from_ms;
    /* from 60 to 67 hundredths: a fleet that was enrolled in an hour does not renew in an hour */
    return from_ms + *ret_span_ms / 100 * 60 + *ret_span_ms / 100 * (chance % 1000) * 7 / 1000;
}

int xt_identity_next_request(xt_slice host_name, xt_buf *ret_key_pem, xt_buf *ret_csr_der)
{
    int r = xt_tls_key_make(ret_key_pem);
    return r < 0 ? xt_error_trace(r)
                 : xt_tls_csr_make(xt_buf_slice(ret_key_pem), xt_slice_head(host_name, 64), ret_csr_der);
}

int xt_identity_next_accept(xt_identity *identity, xt_slice key_pem, xt_slice cert_pem, xt_problem *reterr_problem)
{
    if (cert_pem.n > MAX_PEM_BYTES / 2 || xt_tls_cert_fits(cert_pem, key_pem, xt_slice_str(identity->host_id)) != 0) {
        xt_problem_set(reterr_problem, "the server's new certificate is not one for this host's new key");
        return XT_IDENTITY_E_REFUSED;
    }
    int r = write_pair("next.pem", key_pem, cert_pem, reterr_problem);
    if (r < 0)
        return r;
    xt_buf_reset(&identity->next_key);
    xt_buf_reset(&identity->next_cert);
    xt_buf_put(&identity->next_key, key_pem);
    xt_buf_put(&identity->next_cert, cert_pem);
    return xt_buf_done(&identity->next_key) < 0 ? -ENOMEM : xt_buf_done(&identity->next_cert);
}

static void swap(xt_buf *a, xt_buf *b)
{
    xt_buf kept = *a;
    *a = *b;
    *b = kept;
}

int xt_identity_next_keep(xt_identity *identity, xt_problem *reterr_problem)
{
    int r = xt_vfs_system.rename(&xt_vfs_system, "next.pem", "identity.pem");
    if (r == 0)
        r = xt_vfs_system.sync_folder(&xt_vfs_system, ".");
    if (r < 0)
        return failed(r, "identity.pem", "written", reterr_problem);
    swap(&identity->key, &identity->next_key);
    swap(&identity->cert, &identity->next_cert);
    xt_buf_reset(&identity->next_key);
    xt_buf_reset(&identity->next_cert);
    (void)xt_vfs_system.unlink(&xt_vfs_system, "cert.pem");
    (void)xt_vfs_system.unlink(&xt_vfs_system, "key.pem");
    return 0;
}

void xt_identity_next_drop(xt_identity *identity)
{
    xt_buf_reset(&identity->next_key);
    xt_buf_reset(&identity->next_cert);
    (void)xt_vfs_system.unlink(&xt_vfs_system, "next.pem");
}

/* The CAs that the newest proof names. */
static xt_slice proved(const xt_identity *identity)
{
    xt_reader reader = xt_reader_of(xt_buf_slice(&identity->proofs));
    xt_trust last = {.renew = 0};
    while (xt_reader_left(&reader) > 0 && xt_trust_decode(xt_reader_block(&reader), &last, NULL) == 0)
        continue;
    return last.ca_pem;
}

uint64_t xt_identity_trust_hash(const xt_identity *identity)
{
    xt_slice ours = xt_buf_slice(&identity->ca);
    return xt_slice_eq(proved(identity), ours) ? xt_slice_hash(ours) : 0;
}

/* One more, and of the others the last ones. */
static int put_proof(xt_identity *identity, xt_slice message, xt_problem *reterr_problem)
{
    xt_buf next = XT_BUF_INIT;
    xt_slice blocks[XT_IDENTITY_PROOFS - 1] = {XT_S_NULL};
    xt_reader reader = xt_reader_of(xt_buf_slice(&identity->proofs));
    size_t n = 0;
    for (; xt_reader_left(&reader) > 0 && !reader.failed; n++)
        blocks[n % XT_COUNT_OF(blocks)] = xt_reader_block(&reader);
    size_t kept = n < XT_COUNT_OF(blocks) ? n : XT_COUNT_OF(blocks);
    for (size_t i = n - kept; i < n; i++)
        xt_buf_put_block(&next, blocks[i % XT_COUNT_OF(blocks)]);
    xt_buf_put_block(&next, message);
    int r = xt_buf_done(&next);
    if (r == 0)
        r = write_one("trust", xt_buf_slice(&next), 0600, reterr_problem);
    xt_buf_fini(r == 0 ? &identity->proofs : &next);
    if (r == 0)
        identity->proofs = next;
    return r;
}

/* The proof is written first: with it alone, the CAs of ca.pem are proved to nobody, and it is asked for again. */
int xt_identity_trust(xt_identity *identity, xt_slice message, bool *ret_changed, xt_problem *reterr_problem)
{
    xt_slice ours = xt_buf_slice(&identity->ca);
    xt_trust trust;
    int r = xt_trust_decode(message, &trust, reterr_problem);
    if (r != 0)
        return r;
    *ret_changed = !xt_slice_eq(ours, trust.ca_pem);
    if (message.n > MAX_PEM_BYTES || !xt_tls_bundle_is_good(trust.ca_pem) ||
        !(xt_tls_bundle_is_signed(trust.ca_pem, trust.signature, ours) ||
          xt_tls_bundle_is_signed(trust.ca_pem, trust.signature2, ours))) {
        xt_problem_set(reterr_problem, "the server names CAs that no CA trusted here vouches for");
        return XT_IDENTITY_E_REFUSED;
    }
    r = xt_slice_eq(proved(identity), trust.ca_pem) ? 0 : put_proof(identity, message, reterr_problem);
    if (r == 0 && *ret_changed)
        r = write_one("ca.pem", trust.ca_pem, 0644, reterr_problem);
    if (r < 0 || !*ret_changed)
        return r;
    xt_buf_reset(&identity->ca);
    xt_buf_put(&identity->ca, trust.ca_pem);
    return xt_buf_done(&identity->ca);
}

void xt_identity_fini(xt_identity *identity)
{
    xt_buf *const all[] = {&identity->key,      &identity->cert,      &identity->ca,
                           &identity->next_key, &identity->next_cert, &identity->proofs};
    for (size_t i = 0; i < XT_COUNT_OF(all); i++)
        xt_buf_fini(all[i]);
}

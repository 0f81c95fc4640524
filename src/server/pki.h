/*
 * server/pki - who the server is: its CAs, its certificate, the admin token
 *
 * Shape:     made on the first start, read on later ones: DIR/ca.pem, ca.key, server.pem, server.key, admin.token; the
 *            keys and the token are 0600. The server's certificate is made anew when a name is missing from it or
 *            fewer than 30 days are left.
 * Rotation:  ca.pem holds one CA, or two while one takes the other's place: the first is the one of the server's certificate and
 *            of new tokens, the last one signs hosts, and hosts of both are let in. Retiring takes the first away.
 * Errors:    <0 errno with a problem that names the file; XT_PKI_E_STATE: there is nothing to rotate or retire now.
 * Ownership: what is asked for is copied out.
 * Threads:   any, after open. `generation` changes after everything else has.
 */
#pragma once
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/problem.h"
#include "wire/message.h"

enum {
    XT_PKI_E_STATE = 1,
};

#define XT_PKI_NAMES     "localhost,127.0.0.1,::1"
#define XT_PKI_MAX_CAS   2
#define XT_PKI_ID_DIGITS 16 /* of a CA's fingerprint: how people name it */
#define XT_PKI_HOST_S    (INT64_C(90) * 86400)

typedef struct xt_pki_ca {
    xt_buf cert_pem, key_pem;
    xt_buf vouches; /* its signature of the bundle */
    uint8_t sha256[32];
} xt_pki_ca;

typedef struct xt_pki {
    char *dir, *names;
    int64_t host_valid_s;
    uint8_t admin_sha256[32];         /* of the admin token's text */
    atomic_uint_least64_t generation; /* changes whenever what is below does */
    pthread_mutex_t lock;
    xt_pki_ca cas[XT_PKI_MAX_CAS];
    unsigned n_cas;
    xt_buf bundle, cert_pem, key_pem;
} xt_pki;

/* One CA, for a list. */
typedef struct xt_pki_entry {
    char id[XT_PKI_ID_DIGITS + 1];
    int64_t from_ms, to_ms;
    bool is_servers, signs_hosts;
} xt_pki_entry;

/* names: more names for the server's certificate, comma separated, may be NULL. host_valid_s: how long hosts' certificates last, 0: XT_PKI_HOST_S. */
XT_MUST_USE int xt_pki_open(const char *dir, const char *names, int64_t host_valid_s, xt_pki *ret,
                            xt_problem *reterr_problem);
void xt_pki_fini(xt_pki *pki);
XT_MUST_USE int xt_pki_context(xt_pki *pki, SSL_CTX **ret, xt_problem *reterr_problem);
/* A host's certificate for the key of its request. */
XT_MUST_USE int xt_pki_sign(xt_pki *pki, xt_slice csr_der, xt_slice host_id, xt_buf *ret_pem,
                            xt_problem *reterr_problem);
/* Signs the bytes of an order to a host (wire/policy_order.h) by the CA that signs hosts, and says which that is. */
XT_MUST_USE int xt_pki_sign_policy(xt_pki *pki, xt_slice order, xt_buf *ret_signature,
                                   uint8_t ret_ca_sha256[static 32]);
/* What a token pins. */
void xt_pki_pin(xt_pki *pki, uint8_t ret[static 32]);
void xt_pki_bundle_put(xt_pki *pki, xt_buf *out);
/* A TRUST message; and the hash by which a hello says that its host has that bundle already. */
void xt_pki_trust_put(xt_pki *pki, bool renew, uint64_t spread_ms, xt_buf *out);
uint64_t xt_pki_trust_hash(xt_pki *pki);
/* Is it one of the CAs here, and the one that signs hosts now? */
bool xt_pki_knows(xt_pki *pki, const uint8_t ca_sha256[static 32], bool *ret_signs);
void xt_pki_id(const uint8_t ca_sha256[static 32], char ret[static XT_PKI_ID_DIGITS + 1]);
/* Calls each CA, the server's first. */
unsigned xt_pki_list(xt_pki *pki, xt_pki_entry ret[static XT_PKI_MAX_CAS]);
/* A second CA, which signs hosts from now on. */
XT_MUST_USE int xt_pki_rotate(xt_pki *pki, xt_problem *reterr_problem);
/* The first goes: the server's certificate is of the second from now on, and hosts of the first are refused. */
XT_MUST_USE int xt_pki_retire(xt_pki *pki, xt_problem *reterr_problem);
/* The server's certificate is made anew before it ends. */
XT_MUST_USE int xt_pki_keep(xt_pki *pki, xt_problem *reterr_problem);

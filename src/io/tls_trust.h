/*
 * io/tls_trust - certificates looked at: who the peer is and what is wrong with it, lists of CAs and who vouches for them
 *
 * Shape:     a bundle is a text of CA certificates in PEM, at most XT_TLS_MAX_CAS. Who gives out a new bundle signs its bytes with
 *            the keys of its CAs (ECDSA, SHA-256); who takes it wants the signature of one that it trusts already.
 * Errors:    <0 errno; -EBADMSG what does not hold together.
 * Threads:   any.
 */
#pragma once
#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/problem.h"

#define XT_TLS_MAX_CAS 4

typedef enum xt_tls_fault {
    XT_TLS_PEER_GOOD,
    XT_TLS_PEER_NONE, /* it sent no certificate */
    XT_TLS_PEER_EXPIRED,
    XT_TLS_PEER_EARLY, /* its time has not begun */
    XT_TLS_PEER_CA,    /* of a CA that is not trusted */
    XT_TLS_PEER_OTHER, /* anything else: a role that is not its, a damaged one */
} xt_tls_fault;

typedef struct xt_tls_peer {
    xt_tls_fault fault;
    char name[64];          /* common name; of a certificate that is not good it proves nothing */
    int64_t from_ms, to_ms; /* validity */
    uint8_t ca_sha256[32];  /* the CA it was verified with, zeros when it is not good */
    uint8_t key_sha256[32]; /* of its public key, as xt_tls_csr_key has it */
} xt_tls_peer;

/* The certificate of a server's client, after the handshake. */
void xt_tls_peer_get(const SSL *ssl, xt_tls_peer *ret);
/* When a certificate is valid. */
XT_MUST_USE int xt_tls_cert_span(xt_slice cert_pem, int64_t *ret_from_ms, int64_t *ret_to_ms);
/* That the key is the certificate's, and the certificate that host's. */
XT_MUST_USE int xt_tls_cert_fits(xt_slice cert_pem, xt_slice key_pem, xt_slice host_id);
/* Cuts the next block of PEM, its BEGIN and END lines included, off *rest; false when there is none. */
bool xt_tls_pem_next(xt_slice *rest, xt_slice *ret);
/* True when all of it is a bundle of CAs. */
bool xt_tls_bundle_is_good(xt_slice bundle_pem);
XT_MUST_USE int xt_tls_bundle_sign(xt_slice bundle_pem, xt_slice key_pem, xt_buf *ret_signature);
/* True when one of the CAs in trusted_pem signed it. */
bool xt_tls_bundle_is_signed(xt_slice bundle_pem, xt_slice signature, xt_slice trusted_pem);

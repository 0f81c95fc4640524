/*
 * agent/identity - who this host is to the server: key, certificate, CAs, host id
 *
 * Shape:     files in the shipper's folder (its working folder): identity.pem (key and certificate in one, 0600), ca.pem (the
 *            CAs trusted), host-id; key.pem until the host is enrolled (made here and never sent). identity.pem is written
 *            last: with it the host is enrolled. Before there was identity.pem, key.pem and cert.pem were it.
 * Trust:     the last messages that named CAs stand in `trust`, oldest first, at most XT_IDENTITY_PROOFS. The collector
 *            gets them at each start, for it follows a CA only by what the one before signed.
 * Renewal:   a new key and its certificate wait in next.pem until a server has welcomed them; then that file takes the place
 *            of identity.pem by one rename. Whatever is cut short, one of the two works.
 * Errors:    XT_IDENTITY_E_NONE: not enrolled yet. XT_IDENTITY_E_REFUSED: what the server gave does not fit, and nothing changed.
 * Threads:   one at a time.
 */
#pragma once
#include "base/buf.h"
#include "base/problem.h"
#include "wire/message.h"

enum {
    XT_IDENTITY_E_NONE = 1,
    XT_IDENTITY_E_REFUSED = 2,
};

#define XT_IDENTITY_PROOFS 4

typedef struct xt_identity {
    xt_buf key, cert, ca;
    xt_buf next_key, next_cert; /* empty: none waits */
    xt_buf proofs;              /* TRUST messages, a block each: why those CAs, for who does not believe this process */
    char host_id[33];           /* empty: not enrolled */
} xt_identity;

XT_MUST_USE int xt_identity_read(xt_identity *identity, xt_problem *reterr_problem);
/* The key that is there, or a new one; and the request for a certificate made with it. */
XT_MUST_USE int xt_identity_request(xt_identity *identity, xt_slice host_name, xt_buf *ret_csr_der,
                                    xt_problem *reterr_problem);
/* What the server gave: its CA must be the one that the token pins, and a host that was enrolled keeps its id. */
XT_MUST_USE int xt_identity_accept(xt_identity *identity, const xt_enrolled *enrolled,
                                   const uint8_t ca_sha256[static 32], xt_problem *reterr_problem);
/* When the certificate should be renewed: at about two thirds of its time. Wall time in ms, another one each time. */
int64_t xt_identity_renewal_ms(const xt_identity *identity, int64_t *ret_span_ms);
/* A new key, in memory alone, and the request made with it. */
XT_MUST_USE int xt_identity_next_request(xt_slice host_name, xt_buf *ret_key_pem, xt_buf *ret_csr_der);
/* The certificate for it: both wait from now on. */
XT_MUST_USE int xt_identity_next_accept(xt_identity *identity, xt_slice key_pem, xt_slice cert_pem,
                                        xt_problem *reterr_problem);
static inline bool xt_identity_has_next(const xt_identity *identity)
{
    return identity->next_cert.n > 0;
}
/* They were welcomed: they are the identity now. */
XT_MUST_USE int xt_identity_next_keep(xt_identity *identity, xt_problem *reterr_problem);
/* They are of no use. */
void xt_identity_next_drop(xt_identity *identity);
/* Other CAs (a TRUST message), if one that is trusted vouches for them. *ret_changed: they are not the ones there were. */
XT_MUST_USE int xt_identity_trust(xt_identity *identity, xt_slice message, bool *ret_changed,
                                  xt_problem *reterr_problem);
/* What a hello says of the CAs: 0 where there is no proof of them, so that the server sends one. */
uint64_t xt_identity_trust_hash(const xt_identity *identity);
void xt_identity_fini(xt_identity *identity);

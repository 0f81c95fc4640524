/*
 * agent/identity - who this host is to the server: key, certificate, CA, host id
 *
 * Shape:     files in the shipper's folder (its working folder): key.pem (0600, made here and never sent), ca.pem, cert.pem,
 *            host-id. The certificate is written last: with it the host is enrolled.
 * Errors:    XT_IDENTITY_E_NONE: not enrolled yet.
 * Threads:   one at a time.
 */
#pragma once
#include "base/buf.h"
#include "base/problem.h"
#include "wire/message.h"

enum {
    XT_IDENTITY_E_NONE = 1,
};

typedef struct xt_identity {
    xt_buf key, cert, ca;
    char host_id[33];
} xt_identity;

XT_MUST_USE int xt_identity_read(xt_identity *identity, xt_problem *reterr_problem);
/* The key that is there, or a new one; and the request for a certificate made with it. */
XT_MUST_USE int xt_identity_request(xt_identity *identity, xt_slice host_name, xt_buf *ret_csr_der,
                                    xt_problem *reterr_problem);
/* What the server gave: its CA must be the one that the token pins. */
XT_MUST_USE int xt_identity_accept(xt_identity *identity, const xt_enrolled *enrolled,
                                   const uint8_t ca_sha256[static 32], xt_problem *reterr_problem);
void xt_identity_fini(xt_identity *identity);

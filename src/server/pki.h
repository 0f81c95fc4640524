/*
 * server/pki - who the server is: its CA, its certificate, the admin token
 *
 * Shape:     made on the first start, read on later ones: DIR/ca.pem, ca.key, server.pem, server.key, admin.token; the
 *            keys and the token are 0600. The server's certificate is made anew when a name is missing from it or
 *            fewer than 30 days are left; the CA stays: agents pin it.
 * Errors:    <0 errno with a problem that names the file.
 * Ownership: slices belong to the object.
 * Threads:   immutable after open.
 */
#pragma once
#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/problem.h"

typedef struct xt_pki {
    xt_buf ca_pem, ca_key_pem, cert_pem, key_pem;
    uint8_t ca_sha256[32];
    uint8_t admin_sha256[32]; /* of the admin token's text */
} xt_pki;

#define XT_PKI_NAMES "localhost,127.0.0.1,::1"

/* names: more names for the server's certificate, comma separated, may be NULL. */
XT_MUST_USE int xt_pki_open(const char *dir, const char *names, xt_pki *ret, xt_problem *reterr_problem);
void xt_pki_fini(xt_pki *pki);
XT_MUST_USE int xt_pki_context(const xt_pki *pki, SSL_CTX **ret, xt_problem *reterr_problem);
/* A host's certificate for the key of its request. */
XT_MUST_USE int xt_pki_sign(const xt_pki *pki, xt_slice csr_der, xt_slice host_id, xt_buf *ret_pem,
                            xt_problem *reterr_problem);

/*
 * wire/token - the enrolment token: text that a person pastes
 *
 * Format:    "xt1." then base64url without padding of: 16 bytes token id, 32 bytes SHA-256 of the CA certificate's DER,
 *            16 bytes random secret, 4 bytes XXH3-64's low half of what is before (typing errors are told from wrong tokens).
 *            The server keeps id, SHA-256 of the secret, expiry and uses; never the secret.
 */
#pragma once
#include "base/problem.h"

enum {
    XT_TOKEN_E_INVALID = 1,
};

typedef struct xt_token {
    uint8_t id[16];
    uint8_t ca_sha256[32];
    uint8_t secret[16];
} xt_token;

void xt_token_format(const xt_token *token, xt_buf *out);
XT_MUST_USE int xt_token_parse(xt_slice text, xt_token *ret, xt_problem *reterr_problem);
/* What ENROLL.secret carries: id and secret, 32 bytes. */

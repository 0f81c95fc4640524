/*
 * server/tokens - enrolment: a token becomes a host with a certificate
 *
 * Errors:    XT_APP_E_NOT_FOUND (no such token, or a wrong secret), XT_APP_E_EXPIRED, XT_APP_E_USED, XT_APP_E_INVALID
 *            (the request for a certificate), XT_TOKENS_E_REVOKED, XT_TOKENS_E_OTHER_HOST (it cannot come again as the host
 *            that it says), each with a problem that says what to do.
 * Threads:   any.
 */
#pragma once
#include "server/app.h"
#include "wire/message.h"

enum {
    XT_TOKENS_E_REVOKED = 100, /* beside XT_APP_E_* */
    XT_TOKENS_E_OTHER_HOST = 101,
};

/* Hex digest of the key of a request for a certificate. XT_APP_E_INVALID. */
XT_MUST_USE int xt_tokens_key(xt_slice csr_der, char ret[static 65], xt_problem *reterr_problem);
/* Checks the token, makes the host, signs its key, counts the use: all of it or nothing. ret_pem: the host's certificate. */
XT_MUST_USE int xt_tokens_enroll(xt_app *app, const xt_enroll *enroll, const char *address, char ret_id[static 33],
                                 xt_buf *ret_pem, xt_problem *reterr_problem);

/*
 * server/tokens - enrolment: a token becomes a host with a certificate
 *
 * Errors:    XT_APP_E_NOT_FOUND (no such token, or a wrong secret), XT_APP_E_EXPIRED, XT_APP_E_USED, XT_APP_E_INVALID
 *            (the request for a certificate), each with a problem that says what to do.
 * Threads:   any.
 */
#pragma once
#include "server/app.h"
#include "wire/message.h"

/* Checks the token, makes the host, signs its key, counts the use: all of it or nothing. ret_pem: the host's certificate. */
XT_MUST_USE int xt_tokens_enroll(xt_app *app, const xt_enroll *enroll, const char *address, char ret_id[static 33],
                                 xt_buf *ret_pem, xt_problem *reterr_problem);

/*
 * server/sender_tokens - tokens with which others may send events over HTTP, and do nothing else
 *
 * Shape:     each has a name, by which it is listed and removed; the text is shown once, its SHA-256 is kept.
 * Errors:    <0 errno; XT_APP_E_INVALID (the name is none, or taken), XT_APP_E_NOT_FOUND.
 * Threads:   any.
 */
#pragma once
#include "server/app.h"

typedef struct xt_sender_token {
    char name[64];
    int64_t made_ms, used_ms; /* used_ms: to the hour; 0: never */
} xt_sender_token;

XT_MUST_USE int xt_app_sender_add(xt_app *app, xt_slice name, xt_buf *out, xt_problem *reterr_problem);
XT_MUST_USE int xt_app_senders_list(xt_app *app, int (*each)(void *context, const xt_sender_token *token),
                                    void *context, xt_problem *reterr_problem);
XT_MUST_USE int xt_app_sender_remove(xt_app *app, xt_slice name, xt_problem *reterr_problem);
/* Whether whoever has this may send; admin.token may. */
bool xt_app_may_send(xt_app *app, xt_slice token);

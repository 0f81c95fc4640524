/* server/app_tls - the server's certificate for doors other than the agents' (the page beyond this machine). */
#pragma once
#include <openssl/ssl.h>

#include "server/app.h"

/* Freed with SSL_CTX_free. */
XT_MUST_USE int xt_app_tls_context(xt_app *app, SSL_CTX **ret, xt_problem *reterr_problem);

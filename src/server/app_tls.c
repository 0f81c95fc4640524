#include "server/app_tls.h"

#include "server/app_parts.h"

int xt_app_tls_context(xt_app *app, SSL_CTX **ret, xt_problem *reterr_problem)
{
    return xt_pki_context(&app->pki, ret, reterr_problem);
}

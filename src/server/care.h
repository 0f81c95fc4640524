/*
 * server/care - what the server does for its store besides filling and asking it: retention and holds
 *
 * Threads:   xt_care_keep from the maintenance thread; all else from any.
 */
#pragma once
#include "server/app.h"

typedef struct xt_care xt_care;

XT_MUST_USE int xt_care_new(xt_store *store, const xt_app_settings *settings, xt_care **ret);
xt_care *xt_care_free(xt_care *care); /* accepts NULL, returns NULL */
/* A turn of the maintenance thread: retires what the limits say, a few segments at most. */
XT_MUST_USE int xt_care_keep(xt_app *app, xt_problem *reterr_problem);
/* Another one: writes the ledger's signed head to the log, once an hour. */
void xt_care_tell_head(xt_app *app);

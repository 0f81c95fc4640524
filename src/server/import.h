/*
 * server/import - audit text into the store: the parts beside app.h
 *
 * Shape:     xt_import of app.h for a file; a live one (demo) gives groups out by the clock and keeps batches small.
 * Threads:   one import, one thread at a time; done comes from the writer.
 */
#pragma once
#include "server/app.h"

XT_MUST_USE int xt_import_open_live(xt_app *app, const char *host, const char *source, xt_import **ret,
                                    xt_problem *reterr_problem);
/* Lets time pass (monotonic milliseconds) and sends what is finished. */
XT_MUST_USE int xt_import_tick(xt_import *import, int64_t now_ms, xt_problem *reterr_problem);

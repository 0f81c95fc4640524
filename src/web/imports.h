/*
 * web/imports - imports that come in several requests
 *
 * Shape:     a table of open imports by the session id that the client chose. A request takes one out, feeds it, and puts it
 *            back or finishes it; so each is in one hand at a time.
 * Errors:    XT_IMPORTS_E_*.
 * Threads:   any.
 * Limits:    XT_IMPORTS_MAX at once; one that nobody feeds for XT_IMPORTS_IDLE_MS is dropped by the next sweep: what
 *            it had stored stays.
 */
#pragma once
#include "server/app.h"

#define XT_IMPORTS_MAX     16
#define XT_IMPORTS_IDLE_MS 60000
#define XT_IMPORTS_ID_MAX  64

enum {
    XT_IMPORTS_E_BUSY = 1, /* another request feeds this import */
    XT_IMPORTS_E_FULL = 2,
};

typedef struct xt_imports xt_imports;
XT_MUST_USE int xt_imports_new(const xt_clock *clock, xt_imports **ret);
xt_imports *xt_imports_free(xt_imports *imports); /* aborts those that are open; accepts NULL, returns NULL */

/* Takes the import of this id out; *ret NULL with a place kept for it where there was none. */
XT_MUST_USE int xt_imports_take(xt_imports *imports, xt_slice id, xt_import **ret);
/* Gives it back; NULL: it is over, its place is free. */
void xt_imports_give(xt_imports *imports, xt_slice id, xt_import *import);
/* Drops what is idle for too long. */
void xt_imports_sweep(xt_imports *imports);

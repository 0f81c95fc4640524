/*
 * server/import_bulk - the events of a great import on their way into segments
 *
 * Shape:     events are judged (noise, rules) and gathered as rows. When a bulk of them is full, those that are known are left
 *            out, the others packed on all cores, and the writer commits them.
 * Known:     what arrived before the import began, and what another file of this import had: a file may be given twice,
 *            packed and not, or overlap with another. Twins within one file are late records, and both stay.
 * Errors:    <0 errno with a problem; then the import is at its end. What was committed stays.
 * Threads:   one at a time; counts from any.
 * Limits:    XT_IMPORT_BULK_BYTES of rows in memory, for all imports of a server together.
 */
#pragma once
#include "server/app.h"

#define XT_IMPORT_BULK_BYTES ((size_t)160 << 20)

typedef struct xt_import_bulk xt_import_bulk;

/* arrival: the store's newest when the import began. */
XT_MUST_USE int xt_import_bulk_new(xt_app *app, xt_hash128 stream, uint64_t arrival, xt_import_bulk **ret);
xt_import_bulk *
xt_import_bulk_free(xt_import_bulk *in); /* gives up what is not committed; accepts NULL, returns NULL */
/* The event gets the server's fields. file: number of its file, never less than that of the one before. */
XT_MUST_USE int xt_import_bulk_add(xt_import_bulk *in, xt_event *event, uint32_t file, xt_problem *reterr_problem);
/* Waits until all of it is durable. */
XT_MUST_USE int xt_import_bulk_finish(xt_import_bulk *in, xt_problem *reterr_problem);
/* How many were stored, and were known, so far. */
void xt_import_bulk_counts(xt_import_bulk *in, uint64_t *ret_stored, uint64_t *ret_known);

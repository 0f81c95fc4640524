/*
 * server/import_known - which events of a batch does the store have already
 *
 * Shape:     events are named by event.id. Only what arrived before the import began counts, so that the answer does not depend on
 *            how far the writer has come with the import's own batches.
 * Errors:    <0 memory or I/O.
 */
#pragma once
#include "store/store.h"

typedef struct xt_import_event {
    xt_hash128 id;
    int64_t time_ms;
    size_t end;    /* of its bytes in a batch */
    uint32_t file; /* number of the file that it is of */
    bool known;
} xt_import_event;

XT_MUST_USE int xt_import_event_id(const xt_event *event, xt_hash128 *ret);
/* Sets `known` where the store has an event of that id that arrived not later than `arrival`. *ret_n: how many. */
XT_MUST_USE int xt_import_mark_known(xt_store *store, uint64_t arrival, xt_import_event *events, size_t n,
                                     size_t *ret_n, xt_problem *reterr_problem);
/*
 * Sets `known` where an event of an earlier file has the same id. before (none: NULL, 0): events of files of this import
 * that came before; files do not descend in either.
 */
XT_MUST_USE int xt_import_mark_repeated(xt_import_event *before, size_t n_before, xt_import_event *events, size_t n);

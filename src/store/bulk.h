/*
 * store/bulk - many rows at once that become a segment without having been pending: what an import is made of
 *
 * Shape:     rows are added to blocks that nobody else sees; write packs them into a file beside (ID.tmp); commit gives
 *            them arrival numbers and makes the segment exist: ONE transaction adds it to the catalog, the batch to its
 *            stream and both to the ledger; then the file gets its name. A kill leaves all of it or nothing.
 * Errors:    <0 errno with a problem: nothing is stored, and the file is gone (or, after a commit whose end is not known,
 *            opening the store tells).
 * Threads:   add, leave out and write from any one thread at a time, beside everything else; commit from the one writer
 *            thread of the store.
 * Limits:    the caller ends a bulk by its rows and bytes: all of it is in memory.
 */
#pragma once
#include "store/store.h"

#define XT_BULK_MAX_ROWS (8u * XT_STORE_GROUP_ROWS)

typedef struct xt_bulk xt_bulk;

XT_MUST_USE int xt_bulk_new(xt_store *store, xt_bulk **ret);
xt_bulk *xt_bulk_free(xt_bulk *bulk); /* accepts NULL, returns NULL; a file that was not committed is removed */

/* Appends a row with the event's stored fields. */
XT_MUST_USE int xt_bulk_add(xt_bulk *bulk, const xt_event *event);
uint32_t xt_bulk_rows(const xt_bulk *bulk); /* XT_BULK_MAX_ROWS: it takes no more */
size_t xt_bulk_bytes(const xt_bulk *bulk);  /* of memory */
/* The row (in order of adding) does not become one of the segment. */
XT_MUST_USE int xt_bulk_leave_out(xt_bulk *bulk, uint32_t row);
uint32_t xt_bulk_rows_left(const xt_bulk *bulk); /* that were not left out */

/* Rows that stay, by host, in no order. last_ms: the newest one's time. */
XT_MUST_USE int xt_bulk_each_host(xt_bulk *bulk,
                                  int (*fn)(void *context, xt_slice host_id, xt_slice host, uint64_t n_rows,
                                            int64_t last_ms),
                                  void *context);

/* Writes the file, on so many threads; at least one row stays. Takes long. */
XT_MUST_USE int xt_bulk_write(xt_bulk *bulk, unsigned n_threads, xt_problem *reterr_problem);
/* As batch `number` of a stream, which has to be the next. *ret_last_arrival: of its rows. */
XT_MUST_USE int xt_bulk_commit(xt_bulk *bulk, xt_hash128 stream, uint64_t number, xt_slice host_id,
                               uint64_t *ret_last_arrival, xt_problem *reterr_problem);

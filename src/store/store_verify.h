/*
 * store/store_verify - what the records of a pending.db say, held against each other
 *
 * Shape:     the ledger's chain and counts, streams, holds, pending rows' checksums, and the catalog against the ledger; no
 *            segment is looked at. What does not hold together is reported; it is no error.
 * Errors:    <0 errno with a problem.
 * Threads:   those of store/pending.h.
 */
#pragma once
#include "store/pending.h"
#include "store/store.h"

/* A segment of the catalog, and the SHA-256 that the ledger has of its file (all zero: none). */
typedef struct xt_named_segment {
    xt_pending_segment row;
    xt_digest digest;
} xt_named_segment;

/* ret_named: an xt_named_segment for each segment of the catalog is appended, by id. */
XT_MUST_USE int xt_verify_records(xt_pending *pending, void (*report)(void *context, const xt_problem *problem),
                                  void *context, xt_ledger_check *ret, xt_buf *ret_named, xt_problem *reterr_problem);

/*
 * store/store_replace - segments leave, others take their places: one transaction
 *
 * Shape:     a new file is written beside (ID.tmp), synced, and its name too; then ONE transaction changes catalog and
 *            ledger; only then it gets its name and those that left are unlinked. What a kill leaves of this is done when
 *            the store is opened: as for merging (store_merge.c).
 * Errors:    <0 errno with a problem: nothing has changed, or (a failed commit) opening the store tells. -ECANCELED: a
 *            segment that was to leave is gone already.
 * Threads:   under merge_lock.
 */
#pragma once
#include "store/store_private.h"

/* A segment that leaves, and what is kept of it. */
typedef struct xt_replaced {
    xt_segment *old;        /* retained by the caller */
    uint64_t n_keep;        /* rows that stay; 0: none, and no file is written */
    const uint64_t *keep;   /* a bit a row */
    xt_segment *kept;       /* made by xt_replaced_make; NULL: none */
    xt_digest digest;       /* of that file */
    xt_ledger_kind entered; /* HELD or REWRITTEN */
    xt_ledger_kind left;    /* RETIRED or REPLACED */
    uint64_t n_left;        /* what the row of the one that left counts */
} xt_replaced;

/* What the catalog says of a segment. */
xt_pending_segment xt_store_catalog_row(const xt_segment_info *info);

/*
 * Writes the file of the rows that stay; nothing is changed. >0: the old one is damaged (store/segment.h); -ECANCELED also:
 * a step ended it.
 */
XT_MUST_USE int xt_replaced_make(xt_store *store, xt_replaced *one, const xt_segment_steps *steps,
                                 xt_problem *reterr_problem);
/*
 * Commits them all, and more (may be NULL) as the last row of the ledger; then the files. n_hold_changes: what
 * xt_store_hold_changes was before it was asked what is held; -ECANCELED: it is another now.
 */
XT_MUST_USE int xt_replaced_commit(xt_store *store, xt_replaced *all, size_t n, const xt_ledger_row *more,
                                   unsigned n_hold_changes, xt_problem *reterr_problem);
/* Gives back what make made; files that were not committed are removed. */
void xt_replaced_fini(xt_store *store, xt_replaced *one);

/* A bit for each row of the segment, all 0, and some to spare; NULL: no memory. */
uint64_t *xt_store_rows_new(const xt_segment *segment);
/* Sets those of the rows that are meant, and counts them. */
XT_MUST_USE int xt_store_rows_choose(xt_store *store, xt_segment *segment, const xt_store_choice *choice,
                                     uint64_t *rows, uint64_t *ret_n, xt_problem *reterr_problem);

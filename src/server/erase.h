/*
 * server/erase - events erased by a query, and the tombstones that say so
 *
 * Shape:     erase takes what the query matches, of all that was durable when it was asked, out of segments, pending rows,
 *            alerts and messages, and out of the bytes of all files; what a legal hold matches stays. The ledger keeps a
 *            signed tombstone for each segment.
 * Errors:    <0 errno; XT_APP_E_INVALID: the query or the reason; XT_APP_E_LOCKED: another erasure is under way;
 *            -ECANCELED. After any of the last three, and a kill, the same erasure again does what is left to do.
 * Ownership: slices given to a callback are valid during the call.
 * Threads:   any; it runs on the caller's.
 * Format:    docs/segment-format.md, "Tombstones"
 */
#pragma once
#include <stdatomic.h>

#include "server/app.h"

typedef struct xt_erase_args {
    xt_slice query, reason, who;
    bool is_dry;                  /* only counted */
    bool is_private;              /* the tombstone keeps a hash in the place of the query */
    const atomic_bool *cancelled; /* may be NULL */
    /* After each segment: how many are done, how many there are, rows so far. <0 ends it and is returned. May be NULL. */
    int (*progress)(void *context, uint64_t n_done, uint64_t n_segments, uint64_t n_rows);
    void *context;
} xt_erase_args;

typedef struct xt_erase_hold {
    uint64_t id, n_rows; /* rows that this hold keeps, though the query matches them */
} xt_erase_hold;

typedef struct xt_erase_answer {
    uint64_t number; /* of the erasure; 0: nothing was erased */
    uint64_t n_rows, n_segments, n_alerts, last_ledger_id;
    xt_erase_hold *holds;
    size_t n_holds;
    xt_problem *problems; /* what could not be looked at, or nobody can tell of what matches */
    size_t n_problems;
    char salt[33], sha256[65]; /* private: the hash in the tombstone is that of salt and query; else "" */
} xt_erase_answer;

/* *ret is also set (and to be freed) where it fails. */
XT_MUST_USE int xt_app_erase(xt_app *app, const xt_erase_args *args, xt_erase_answer *ret, xt_problem *reterr_problem);
void xt_erase_answer_fini(xt_erase_answer *answer);

/* All tombstones of an erasure together. */
typedef struct xt_erasure {
    uint64_t number, n_rows, n_segments, last_ledger_id;
    int64_t first_ms, last_ms;
    xt_slice who, reason;
    xt_slice query, sha256; /* one of them is empty */
} xt_erasure;
/*
 * In the order of the ledger. report (may be NULL) is told of tombstones that do not say what their row says, or whose
 * signature by DIR/ledger.key does not hold.
 */
XT_MUST_USE int xt_app_erasures(xt_app *app, int (*each)(void *context, const xt_erasure *erasure),
                                void (*report)(void *context, const xt_problem *problem), void *context,
                                xt_problem *reterr_problem);
/* The backups whose ledger ends before that row: they hold what was erased with it. */
XT_MUST_USE int xt_app_backups_before(xt_app *app, uint64_t ledger_id,
                                      int (*each)(void *context, int64_t at_ms, xt_slice place, xt_slice generation),
                                      void *context, xt_problem *reterr_problem);

/*
 * store/pending - pending.db: batches not sealed yet, streams, the catalog of segments and the ledger
 *
 * Shape:     the caller brackets changes with begin and commit; what was put between is there wholly or not at all.
 * Errors:    <0 errno with a problem; after a failed put or commit the caller rolls back. XT_PENDING_E_NEWER at open;
 *            -EBADMSG there: marks that cannot be.
 * Ownership: rows and slices given to a callback are valid during the call.
 * Threads:   one at a time (the store's write lock).
 * Format:    docs/segment-format.md, "pending.db"
 */
#pragma once
#include "io/sqlite/sqlite_db.h"
#include "store/digest.h"

#define XT_PENDING_MAX_NUMBER (INT64_C(1) << 60) /* of what is counted: a greater one is damage */

enum {
    XT_PENDING_E_NEWER = 1,
};

typedef struct xt_pending xt_pending;

typedef struct xt_pending_row {
    int64_t id; /* from 1, consecutive, never used again */
    xt_hash128 stream;
    uint64_t number, n_events, first_arrival;
    int64_t received_ms;
    uint32_t codec; /* event/batch_codec.h */
    xt_slice frame, derived;
} xt_pending_row;

typedef struct xt_pending_stream {
    xt_hash128 stream, hash;
    xt_slice host_id;
    uint64_t number, sealed_number;
} xt_pending_stream;

typedef struct xt_pending_segment {
    uint64_t id, n_rows, first_arrival, last_arrival, bytes;
    int64_t min_ms, max_ms, made_ms;
    xt_hash128 hash; /* of the directory's bytes */
} xt_pending_segment;

/* Every segment enters the ledger by one of SEALED, MERGED, HELD and REWRITTEN, and leaves it by RETIRED or REPLACED. */
typedef enum xt_ledger_kind {
    XT_LEDGER_RECEIVED = 1,
    XT_LEDGER_SEALED = 2,
    XT_LEDGER_RETIRED = 3,  /* a segment is gone; n_events: its rows, but for those that are in the HELD one before */
    XT_LEDGER_MERGED = 4,   /* a segment made of the REPLACED ones that follow, which are gone */
    XT_LEDGER_REPLACED = 5, /* a segment whose rows are in the merged or rewritten one */
    XT_LEDGER_HELD =
        6, /* a segment of those rows of a RETIRED one, which follows, that a legal hold or their host's age keeps */
    XT_LEDGER_HOLD = 7,      /* a legal hold was placed; the note says which */
    XT_LEDGER_RELEASED = 8,  /* a legal hold was removed */
    XT_LEDGER_REWRITTEN = 9, /* a segment made of a REPLACED one without the rows that were erased */
    XT_LEDGER_ERASED = 10,   /* a tombstone: n_events rows were erased from the REPLACED segment before it */
} xt_ledger_kind;

typedef struct xt_ledger_row {
    xt_ledger_kind kind;
    int64_t at_ms;
    uint64_t n_events, first_arrival;
    xt_hash128 subject; /* RECEIVED: the stream; else zero */
    /*
     * RECEIVED: batch numbers; SEALED, MERGED, HELD, REWRITTEN: segment id twice; REPLACED, RETIRED: its id, and that of
     * the one that has its rows (0: none); HOLD, RELEASED: id of the hold twice; ERASED: number of the erasure, which all
     * its segments share; id of that segment
     */
    uint64_t first, last;
    xt_hash128 hash;  /* RECEIVED: of the last batch; of a segment its directory's; else zero */
    xt_digest digest; /* of a segment that enters: of its file; else zero */
    xt_slice note;    /* HOLD, RELEASED, ERASED: JSON, and what signs it; else empty */
} xt_ledger_row;

typedef struct xt_ledger_head {
    uint64_t id; /* of the last row; 0: there is none */
    xt_digest chain;
} xt_ledger_head;

typedef struct xt_pending_hold {
    uint64_t id;
    int64_t at_ms;
    xt_slice query, reason, who;
} xt_pending_hold;

typedef struct xt_pending_marks {
    int64_t sealed_row, last_row; /* rows up to sealed_row are in segments; last_row: greatest id ever given */
    uint64_t sealed_arrival;      /* arrivals up to here are sealed */
    uint64_t last_arrival;        /* of the last batch in the ledger */
    uint64_t next_segment;        /* id of the next segment */
    uint64_t n_damaged;           /* rows that were set aside */
} xt_pending_marks;

XT_MUST_USE int xt_pending_open(const char *path, xt_pending **ret, xt_problem *reterr_problem);
/* Another way into the same file, for reading alone: what it shows is as it was now, whatever is written from now on. */
XT_MUST_USE int xt_pending_open_snapshot(const char *path, xt_pending **ret, xt_problem *reterr_problem);
/* A copy of such a file, which nobody writes; for reading alone. */
XT_MUST_USE int xt_pending_open_still(const char *path, xt_pending **ret, xt_problem *reterr_problem);
xt_pending *xt_pending_close(xt_pending *pending); /* accepts NULL, returns NULL */
xt_pending_marks xt_pending_marks_get(const xt_pending *pending);
xt_ledger_head xt_pending_head(const xt_pending *pending);
sqlite3 *xt_pending_db(xt_pending *pending); /* for SQLite's backup */

XT_MUST_USE int xt_pending_begin(xt_pending *pending, xt_problem *reterr_problem);
XT_MUST_USE int xt_pending_commit(xt_pending *pending, xt_problem *reterr_problem);
void xt_pending_rollback(xt_pending *pending);

/* Within a transaction. */
XT_MUST_USE int xt_pending_put_row(xt_pending *pending, const xt_pending_row *row, xt_problem *reterr_problem);
XT_MUST_USE int xt_pending_put_stream(xt_pending *pending, const xt_pending_stream *stream, xt_problem *reterr_problem);
XT_MUST_USE int xt_pending_set_watermark(xt_pending *pending, xt_hash128 stream, uint64_t sealed_number,
                                         xt_problem *reterr_problem);
XT_MUST_USE int xt_pending_put_ledger(xt_pending *pending, const xt_ledger_row *row, xt_problem *reterr_problem);
/* Adds the segment to the catalog and moves the marks: rows up to sealed_row are in it. */
XT_MUST_USE int xt_pending_put_segment(xt_pending *pending, const xt_pending_segment *segment, int64_t sealed_row,
                                       xt_problem *reterr_problem);
/* Takes a merged segment's inputs out of the catalog and puts it there. */
XT_MUST_USE int xt_pending_replace_segments(xt_pending *pending, const uint64_t *ids, size_t n,
                                            const xt_pending_segment *merged, xt_problem *reterr_problem);
/* Takes a segment out of the catalog; puts one there that does not come from pending rows. */
XT_MUST_USE int xt_pending_drop_segment(xt_pending *pending, uint64_t id, xt_problem *reterr_problem);
XT_MUST_USE int xt_pending_add_segment(xt_pending *pending, const xt_pending_segment *segment,
                                       xt_problem *reterr_problem);
XT_MUST_USE int xt_pending_put_hold(xt_pending *pending, const xt_pending_hold *hold, xt_problem *reterr_problem);
XT_MUST_USE int xt_pending_drop_hold(xt_pending *pending, uint64_t id, xt_problem *reterr_problem);
/* Whether the ledger says that this segment was replaced by another one, or retired. */
XT_MUST_USE int xt_pending_was_replaced(xt_pending *pending, uint64_t id, xt_hash128 hash, bool *ret,
                                        xt_problem *reterr_problem);
/* Whether rows from this arrival on, at least n of them, were sealed into a segment of another id. */
XT_MUST_USE int xt_pending_was_sealed_anew(xt_pending *pending, uint64_t id, uint64_t first_arrival, uint64_t n_rows,
                                           bool *ret, xt_problem *reterr_problem);
/* Takes a damaged row out of the way of sealing and deleting: it is kept, its id made negative. */
XT_MUST_USE int xt_pending_set_aside(xt_pending *pending, int64_t id, xt_problem *reterr_problem);

/* Deletes at most n sealed rows; *ret_left tells whether there are more. */
XT_MUST_USE int xt_pending_delete_sealed(xt_pending *pending, unsigned n, bool *ret_left, xt_problem *reterr_problem);
/* Brings the write-ahead log into the file and truncates it. */
int xt_pending_checkpoint(xt_pending *pending, xt_problem *reterr_problem);
/* When half of the file and more is free: gives up to n_pages of it back, with the next checkpoint. */
XT_MUST_USE int xt_pending_give_back(xt_pending *pending, unsigned n_pages, bool *ret_gave, xt_problem *reterr_problem);
/* Truncates the write-ahead log and gives free pages back. */
XT_MUST_USE int xt_pending_shrink(xt_pending *pending, xt_problem *reterr_problem);

/* Everything there is, in ascending order. A callback's non-zero ends it and is returned. */
XT_MUST_USE int xt_pending_each_stream(xt_pending *pending, int (*fn)(void *context, const xt_pending_stream *stream),
                                       void *context, xt_problem *reterr_problem);
XT_MUST_USE int xt_pending_each_segment(xt_pending *pending,
                                        int (*fn)(void *context, const xt_pending_segment *segment), void *context,
                                        xt_problem *reterr_problem);
/* Rows behind the sealed ones; intact: the row's checksum holds. */
XT_MUST_USE int xt_pending_each_row(xt_pending *pending,
                                    int (*fn)(void *context, const xt_pending_row *row, bool intact), void *context,
                                    xt_problem *reterr_problem);
XT_MUST_USE int xt_pending_each_hold(xt_pending *pending, int (*fn)(void *context, const xt_pending_hold *hold),
                                     void *context, xt_problem *reterr_problem);
/* The rows of kind ERASED alone. */
XT_MUST_USE int xt_pending_each_erased(xt_pending *pending,
                                       int (*fn)(void *context, uint64_t id, const xt_ledger_row *row), void *context,
                                       xt_problem *reterr_problem);
/* chained: the row's chain is that of its content and of the row before it. */
XT_MUST_USE int xt_pending_each_ledger(xt_pending *pending,
                                       int (*fn)(void *context, const xt_ledger_head *at, const xt_ledger_row *row,
                                                 bool chained),
                                       void *context, xt_problem *reterr_problem);

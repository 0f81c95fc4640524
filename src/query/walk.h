/*
 * query/walk - the parts of a query on all cores, each with the rows that count
 *
 * Shape:     what rows, counts, groups and histograms have in common: the scan, the filter, the range of time, noise,
 *            threads, budgets. An operator has one state a thread, which it is given with each part; when the walk has
 *            ended it merges the states, on the caller's thread.
 * Errors:    XT_QUERY_E_CANCELLED; <0 memory or I/O; what the operator returned.
 * Ownership: a part and all that was read of it are valid during the call; its arena is reset by the next.
 * Threads:   a walk belongs to one thread; `each` and `may_match` are called by up to n_threads at once.
 */
#pragma once
#include "query/matches.h"
#include "query/query.h"

#define XT_WALK_MAX_THREADS 64

typedef struct xt_walk xt_walk;

/* A part of the scan with at least one row that counts. */
typedef struct xt_walk_part {
    const xt_walk *walk;
    xt_scan_reader *reader;
    const xt_zone *zone;
    size_t part;    /* its number in the scan */
    uint64_t *mask; /* bit i: row i counts */
    size_t n_words;
    uint64_t n_rows; /* that count */
    xt_arena *arena;
    xt_problem *problem;
} xt_walk_part;

/*
 * Takes a part into the state of the thread. XT_SCAN_E_DAMAGED leaves the part out: then the state must be as it was.
 * Any other outcome but 0 ends the walk.
 */
typedef int xt_walk_each(void *state, const xt_walk_part *part);

struct xt_walk {
    /* set by the caller before open */
    xt_store *store;
    const xt_query *query;
    uint64_t after_arrival;
    /* set before open, may be changed before each run */
    xt_field_set fields; /* stored fields that `each` reads: of a part where one of them is damaged it hears nothing */
    int64_t from_ms, to_ms;                                /* those of the query, or narrower */
    bool (*may_match)(void *context, const xt_zone *zone); /* besides the filter's own; may be NULL */
    void *context;

    /* of open */
    unsigned n_threads;
    xt_scan *scan;
    xt_matches *matches;
    struct xt_walk_thread *threads;
    int64_t deadline_us; /* 0: none */
    uint64_t n_gave_up;

    /* of run */
    xt_walk_each *each;
    atomic_size_t next;
    atomic_bool stopped;
    _Atomic(const char *) reason; /* why it ended early and the answer is partial */
};

XT_MUST_USE int xt_walk_open(xt_walk *walk, xt_problem *reterr_problem);
/* Gives all parts to `each`; states: n_threads of them. May be called again. */
XT_MUST_USE int xt_walk_run(xt_walk *walk, xt_walk_each *each, void *const *states, xt_problem *reterr_problem);
/* Ends the run soon, as a budget does: the answer is partial. reason: static. Of any thread. */
void xt_walk_stop(const xt_walk *walk, const char *reason);
/* Rows that counted in all runs so far. */
uint64_t xt_walk_matched(const xt_walk *walk);
/* Of a thread, for what comes after a run. */
xt_scan_reader *xt_walk_reader(xt_walk *walk, unsigned thread);
/* Says in the answer what was done and met (NULL: does not). Accepts a walk that was not opened. */
void xt_walk_close(xt_walk *walk, xt_answer *answer);
int64_t xt_walk_now_us(void);

/* The column, or NULL when no row of the part has it. */
XT_MUST_USE int xt_walk_column(const xt_walk_part *part, xt_field field, const xt_column **ret);
static inline bool xt_column_has(const xt_column *column, uint32_t row)
{
    return !column->present || (column->present[row / 8] >> row % 8 & 1);
}
/* The code in its dictionary of a local code that is not 0. */
static inline uint32_t xt_column_code(const xt_column *column, uint32_t local)
{
    return column->values ? column->values[local - 1] : local - 1;
}
/* All rows that count, one after the other. */
typedef struct xt_walk_rows {
    const uint64_t *mask;
    size_t n_words, word;
    uint64_t bits; /* of that word, not given yet */
} xt_walk_rows;
static inline xt_walk_rows xt_walk_rows_of(const xt_walk_part *part)
{
    return (xt_walk_rows){part->mask, part->n_words, 0, part->n_words ? part->mask[0] : 0};
}
static inline bool xt_walk_rows_next(xt_walk_rows *rows, uint32_t *ret)
{
    for (; !rows->bits; rows->bits = rows->mask[rows->word])
        if (++rows->word >= rows->n_words)
            return false;
    *ret = (uint32_t)(rows->word * 64) + (uint32_t)__builtin_ctzll(rows->bits);
    rows->bits &= rows->bits - 1;
    return true;
}
/* The next row from `row` on that counts; n_rows of the zone at the end. */
static inline uint32_t xt_walk_row(const xt_walk_part *part, uint32_t row)
{
    size_t w = row / 64;
    if (w >= part->n_words)
        return part->zone->n_rows;
    uint64_t bits = part->mask[w] & (UINT64_MAX << row % 64);
    while (!bits && ++w < part->n_words)
        bits = part->mask[w];
    return bits ? (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(bits) : part->zone->n_rows;
}

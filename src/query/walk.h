/*
 * query/walk - the blocks of a query, each with the rows that count
 *
 * Shape:     what rows, counts, groups and histograms have in common: the scan, the filter, the range of time, noise.
 * Errors:    XT_QUERY_E_CANCELLED; <0 memory or I/O.
 * Ownership: block and mask are valid until the next call; the arena is reset by each.
 */
#pragma once
#include "query/query.h"

typedef struct xt_walk {
    /* set by the caller before open */
    xt_store *store;
    const xt_query *query;
    xt_field_set fields; /* besides those of filter and noise */
    uint64_t after_arrival;
    int64_t from_ms, to_ms;                                /* those of the query, or narrower */
    bool (*may_match)(void *context, const xt_zone *zone); /* besides the filter's own; may be NULL */
    void *context;

    /* of the block that next gave */
    const xt_block *block; /* NULL at the end */
    uint64_t *mask;
    size_t n_words;
    uint64_t n_rows; /* bits set in mask */

    xt_arena arena;
    xt_scan *scan;
    uint64_t n_hidden, n_gave_up;
} xt_walk;

XT_MUST_USE int xt_walk_open(xt_walk *walk, xt_problem *reterr_problem);
XT_MUST_USE int xt_walk_next(xt_walk *walk, xt_problem *reterr_problem);
/* Adds what the scan says of itself to the answer (NULL: does not). */
void xt_walk_close(xt_walk *walk, xt_answer *answer);
int64_t xt_walk_now_us(void);

static inline const xt_column *xt_walk_column(const xt_walk *walk, xt_field field)
{
    const xt_column *column = walk->block->columns[field];
    return column && column->kind != XT_COLUMN_ABSENT ? column : NULL;
}
static inline int64_t xt_walk_time(const xt_walk *walk, uint32_t row)
{
    return (int64_t)walk->block->columns[XT_F_TIME]->numbers[row];
}
/* The next row from `row` on that counts; n_rows of the block at the end. */
static inline uint32_t xt_walk_row(const xt_walk *walk, uint32_t row)
{
    size_t w = row / 64;
    if (w >= walk->n_words)
        return walk->block->n_rows;
    uint64_t bits = walk->mask[w] & (UINT64_MAX << row % 64);
    while (!bits && ++w < walk->n_words)
        bits = walk->mask[w];
    return bits ? (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(bits) : walk->block->n_rows;
}

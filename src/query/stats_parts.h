/*
 * query/stats_parts - a stats stage that stands directly behind the filter, on codes of columns
 *
 * Shape:     rows in no order: the cells of `by`, then those that are computed.
 * Errors:    as xt_query_by; more groups or values than may be held: the answer is partial.
 * Ownership: rows live in the arena.
 */
#pragma once
#include "query/pipe_row.h"
#include "query/query.h"

typedef struct xt_stats_rows {
    xt_cell *cells; /* n times as many as the stage has columns */
    size_t n;
    uint64_t n_cut; /* cells of values() that hold the first values alone */
} xt_stats_rows;

XT_MUST_USE int xt_stats_parts(xt_store *store, const xt_query *query, const xt_stage *stage, xt_arena *arena,
                               xt_stats_rows *ret, xt_answer *ret_answer, xt_problem *reterr_problem);

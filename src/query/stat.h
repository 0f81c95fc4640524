/*
 * query/stat - what stats computes: the numbers that go along, and what they end as
 *
 * Shape:     counts, sums, averages, and least and greatest numbers are a state that rows are added to; distinct values, and
 *            least and greatest texts, need the values themselves.
 */
#pragma once
#include "query/pipe_row.h"

__extension__ typedef __int128 xt_sum __attribute__((aligned(8))); /* arenas align to 8 */

typedef struct xt_stat_state {
    uint64_t n; /* numbers added */
    xt_sum sum;
    uint64_t min, max; /* as xt_term_key */
} xt_stat_state;

/* Needs the distinct values, not a state. */
bool xt_stat_needs_values(const xt_stage_stat *stat);
static inline void xt_stat_add(xt_stat_state *state, bool is_signed, uint64_t key, uint64_t number)
{
    if (!state->n || key < state->min)
        state->min = key;
    if (!state->n || key > state->max)
        state->max = key;
    state->n++;
    state->sum += is_signed ? (xt_sum)(int64_t)number : (xt_sum)number;
}
void xt_stat_merge(xt_stat_state *state, const xt_stat_state *more);
xt_cell xt_stat_cell(const xt_stage_stat *stat, const xt_stat_state *state);
/*
 * From n distinct values, in any order (sorted by the call). *ret_cut: there are more than XT_PIPE_MAX_VALUES, of which the first were
 * taken. Texts live in the arena or are borrowed from the values.
 */
XT_MUST_USE int xt_stat_of_values(const xt_stage_stat *stat, xt_cell *values, size_t n, xt_arena *arena, xt_cell *ret,
                                  bool *ret_cut);

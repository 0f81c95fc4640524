/* Sums are made in 128 bits, which 2^64 numbers cannot pass. */
#include "query/stat.h"

#include <errno.h>
#include <stdlib.h>

#include "query/kql_term.h"
#include "query/pipe.h"
#include "query/term.h"

bool xt_stat_needs_values(const xt_stage_stat *stat)
{
    if (stat->stat == XT_STAT_COUNT_DISTINCT || stat->stat == XT_STAT_VALUES)
        return true;
    return (stat->stat == XT_STAT_MIN || stat->stat == XT_STAT_MAX) && !xt_cell_is_number(stat->of);
}

void xt_stat_merge(xt_stat_state *state, const xt_stat_state *more)
{
    if (more->n && (!state->n || more->min < state->min))
        state->min = more->min;
    if (more->n && (!state->n || more->max > state->max))
        state->max = more->max;
    state->n += more->n;
    state->sum += more->sum;
}

static xt_cell sum_cell(const xt_stage_stat *stat, const xt_stat_state *state)
{
    bool is_signed = stat->of->type == XT_INT;
    bool fits = is_signed ? state->sum >= INT64_MIN && state->sum <= INT64_MAX : state->sum <= (xt_sum)UINT64_MAX;

    return (xt_cell){.has = fits, .number = fits ? (uint64_t)state->sum : 0};
}

xt_cell xt_stat_cell(const xt_stage_stat *stat, const xt_stat_state *state)
{
    if (stat->stat == XT_STAT_COUNT)
        return (xt_cell){.has = true, .number = state->n};
    if (!state->n)
        return (xt_cell){.has = false};
    switch (stat->stat) {
    case XT_STAT_SUM:
        return sum_cell(stat, state);
    case XT_STAT_AVG:
        return (xt_cell){.has = true, .number = xt_real_encode((double)state->sum / (double)state->n)};
    case XT_STAT_MIN:
        return (xt_cell){.has = true, .number = xt_term_key(stat->of->type, state->min)};
    default:
        return (xt_cell){.has = true, .number = xt_term_key(stat->of->type, state->max)};
    }
}

static int by_value(const void *a, const void *b, void *context)
{
    const xt_stage_stat *stat = context;
    const xt_cell *x = a, *y = b;

    if (stat->of->type == XT_LIST) /* its items are texts here */
        return xt_slice_cmp(x->text, y->text);
    return xt_cell_cmp(stat->of, false, x, y);
}

static int list_of(const xt_stage_stat *stat, const xt_cell *values, size_t n, xt_arena *arena, xt_slice *ret)
{
    XT_CLEANUP(xt_buf_fini) xt_buf list = XT_BUF_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf item = XT_BUF_INIT;

    xt_buf_put_varint(&list, n);
    for (size_t i = 0; i < n; i++) {
        xt_buf_reset(&item);
        xt_cell_put(stat->of, &values[i], &item);
        xt_buf_put_block(&list, xt_buf_slice(&item));
        list.failed |= item.failed;
    }
    *ret = xt_arena_copy(arena, xt_buf_slice(&list));
    return xt_buf_done(&list) || !ret->p ? xt_error_origin(-ENOMEM) : 0;
}

int xt_stat_of_values(const xt_stage_stat *stat, xt_cell *values, size_t n, xt_arena *arena, xt_cell *ret,
                      bool *ret_cut)
{
    xt_cell cell = {.has = n > 0};
    int r = 0;

    *ret_cut = false;
    if (stat->stat == XT_STAT_COUNT_DISTINCT) {
        *ret = (xt_cell){.has = true, .number = n};
        return 0;
    }
    xt_stage_stat by = *stat;
    if (n)
        qsort_r(values, n, sizeof *values, by_value, &by);
    if (stat->stat == XT_STAT_VALUES && n) {
        *ret_cut = n > XT_PIPE_MAX_VALUES;
        r = list_of(stat, values, *ret_cut ? XT_PIPE_MAX_VALUES : n, arena, &cell.text);
    } else if (n) {
        cell = values[stat->stat == XT_STAT_MIN ? 0 : n - 1];
    }
    *ret = cell;
    return r;
}

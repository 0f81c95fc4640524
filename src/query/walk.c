/*
 * The order of the tests is that of their cost: the block's zone, the filter, then time and noise of the rows left.
 */
#include "query/walk.h"

#include <errno.h>
#include <time.h>

#include "query/filter.h"

#define WALK_MAX_BYTES (256u << 20)

int64_t xt_walk_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static bool walk_may_match(void *context, const xt_zone *zone)
{
    xt_walk *walk = context;
    union {
        const xt_filter *constant;
        void *context;
    } filter = {walk->query->filter};

    return (!walk->may_match || walk->may_match(walk->context, zone)) && xt_filter_may_match(filter.context, zone);
}

int xt_walk_open(xt_walk *walk, xt_problem *reterr_problem)
{
    const xt_query *query = walk->query;

    xt_arena_init(&walk->arena, WALK_MAX_BYTES);
    xt_field_set_add_all(&walk->fields, xt_filter_fields(query->filter));
    if (query->noise != XT_NOISE_SHOW) {
        xt_field_set_add(&walk->fields, XT_F_NOISE);
        xt_field_set_add(&walk->fields, XT_F_RULES);
    }
    walk->n_gave_up = xt_filter_gave_up(query->filter);
    xt_scan_spec spec = {
        .from_ms = walk->from_ms,
        .to_ms = walk->to_ms,
        .after_arrival = walk->after_arrival,
        .fields = walk->fields,
        .may_match = walk_may_match,
        .context = walk,
    };
    return xt_scan_open(walk->store, &spec, &walk->scan, reterr_problem);
}

static void keep_times(xt_walk *walk)
{
    const xt_block *block = walk->block;

    if (block->min_ms >= walk->from_ms && block->max_ms <= walk->to_ms)
        return;
    for (uint32_t row = xt_walk_row(walk, 0); row < block->n_rows; row = xt_walk_row(walk, row + 1)) {
        int64_t t = xt_walk_time(walk, row);
        if (t < walk->from_ms || t > walk->to_ms)
            walk->mask[row / 64] &= ~(UINT64_C(1) << row % 64);
    }
}

static bool has_code(const xt_column *column, uint32_t row)
{
    return column && column->codes[row] != 0;
}

/* Noise is what a noise rule tagged and no detection rule matched. */
static void keep_noise(xt_walk *walk)
{
    const xt_column *noise = xt_walk_column(walk, XT_F_NOISE), *rules = xt_walk_column(walk, XT_F_RULES);
    bool only = walk->query->noise == XT_NOISE_ONLY;

    if (!noise && !only)
        return;
    for (uint32_t row = xt_walk_row(walk, 0); row < walk->block->n_rows; row = xt_walk_row(walk, row + 1)) {
        bool is_noise = has_code(noise, row) && !has_code(rules, row);
        if (is_noise == only)
            continue;
        walk->mask[row / 64] &= ~(UINT64_C(1) << row % 64);
        walk->n_hidden += !only;
    }
}

int xt_walk_next(xt_walk *walk, xt_problem *reterr_problem)
{
    const xt_query *query = walk->query;

    if (query->cancel && atomic_load_explicit(query->cancel, memory_order_relaxed)) {
        xt_problem_set(reterr_problem, "the query was cancelled");
        return XT_QUERY_E_CANCELLED;
    }
    int r = xt_scan_next(walk->scan, &walk->block, reterr_problem);
    if (r || !walk->block)
        return r;
    xt_arena_reset(&walk->arena);
    walk->n_words = (walk->block->n_rows + 63) / 64;
    walk->mask = xt_arena_alloc(&walk->arena, walk->n_words * sizeof *walk->mask);
    if (!walk->mask)
        return xt_error_origin(-ENOMEM);
    r = xt_filter_run(query->filter, walk->block, &walk->arena, walk->mask);
    if (r)
        return xt_error_trace(r);
    keep_times(walk);
    if (query->noise != XT_NOISE_SHOW)
        keep_noise(walk);
    walk->n_rows = 0;
    for (size_t w = 0; w < walk->n_words; w++)
        walk->n_rows += (uint64_t)__builtin_popcountll(walk->mask[w]);
    return 0;
}

void xt_walk_close(xt_walk *walk, xt_answer *answer)
{
    if (walk->scan && answer) {
        xt_scan_info before = answer->scan;
        answer->scan = xt_scan_info_get(walk->scan);
        answer->scan.n_blocks += before.n_blocks;
        answer->scan.n_blocks_skipped += before.n_blocks_skipped;
        answer->scan.n_rows_read += before.n_rows_read;
        if (before.n_damaged > answer->scan.n_damaged) { /* what an earlier scan met stays said */
            answer->scan.n_damaged = before.n_damaged;
            memcpy(answer->scan.damaged, before.damaged, sizeof before.damaged);
        }
        answer->n_hidden = walk->n_hidden;
        answer->partial |= xt_filter_gave_up(walk->query->filter) != walk->n_gave_up;
    }
    walk->scan = xt_scan_close(walk->scan);
    xt_arena_fini(&walk->arena);
}

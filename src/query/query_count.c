/*
 * Counts and histograms: bits of the mask, and the time of each row where a block reaches over a bucket's edge.
 */
#include "query/walk.h"

int xt_query_count(xt_store *store, const xt_query *query, xt_answer *ret, xt_problem *reterr_problem)
{
    xt_walk walk = {.store = store, .query = query, .from_ms = query->from_ms, .to_ms = query->to_ms};
    xt_answer answer = {.took_us = -xt_walk_now_us()};
    int r = xt_walk_open(&walk, reterr_problem);

    while (r == 0 && (r = xt_walk_next(&walk, reterr_problem)) == 0 && walk.block)
        answer.n_matched += walk.n_rows;
    xt_walk_close(&walk, &answer);
    answer.took_us += xt_walk_now_us();
    if (r == 0)
        *ret = answer;
    return r;
}

typedef struct histogram {
    int64_t from_ms, interval_ms;
    xt_query_bucket *buckets;
    size_t n;
} histogram;

static void count_alerts(const histogram *h, const xt_walk *walk)
{
    const xt_column *rules = xt_walk_column(walk, XT_F_RULES);

    if (!rules)
        return;
    for (uint32_t row = xt_walk_row(walk, 0); row < walk->block->n_rows; row = xt_walk_row(walk, row + 1))
        if (rules->codes[row])
            h->buckets[(xt_walk_time(walk, row) - h->from_ms) / h->interval_ms].n_alerts++;
}

static void count_block(const histogram *h, const xt_walk *walk)
{
    int64_t first = walk->block->min_ms - h->from_ms, last = walk->block->max_ms - h->from_ms;

    if (first >= 0 && first / h->interval_ms == last / h->interval_ms) {
        h->buckets[first / h->interval_ms].count += walk->n_rows;
        return;
    }
    for (uint32_t row = xt_walk_row(walk, 0); row < walk->block->n_rows; row = xt_walk_row(walk, row + 1))
        h->buckets[(xt_walk_time(walk, row) - h->from_ms) / h->interval_ms].count++;
}

int xt_query_histogram(xt_store *store, const xt_query *query, int64_t interval_ms, xt_query_bucket *buckets, size_t n,
                       xt_answer *ret, xt_problem *reterr_problem)
{
    histogram h = {query->from_ms, interval_ms, buckets, n};
    xt_walk walk = {.store = store, .query = query, .from_ms = query->from_ms, .to_ms = query->to_ms};
    xt_answer answer = {.took_us = -xt_walk_now_us()};
    int64_t end;

    memset(buckets, 0, n * sizeof *buckets);
    if (!__builtin_mul_overflow(interval_ms, (int64_t)n, &end) && !__builtin_add_overflow(end, h.from_ms - 1, &end) &&
        end < walk.to_ms)
        walk.to_ms = end;
    xt_field_set_add(&walk.fields, XT_F_RULES);
    int r = xt_walk_open(&walk, reterr_problem);
    while (r == 0 && (r = xt_walk_next(&walk, reterr_problem)) == 0 && walk.block) {
        answer.n_matched += walk.n_rows;
        if (walk.n_rows == 0)
            continue;
        count_block(&h, &walk);
        count_alerts(&h, &walk);
    }
    xt_walk_close(&walk, &answer);
    answer.took_us += xt_walk_now_us();
    if (r == 0)
        *ret = answer;
    return r;
}

/*
 * Counts and histograms: bits of the mask, and the time of each row where a part reaches over a bucket's edge. Rows that
 * follow each other lie in the same bucket nearly always, so that a division is rare.
 */
#include <assert.h>
#include <errno.h>

#include "query/walk.h"

static int count_none(void *state, const xt_walk_part *part)
{
    (void)state, (void)part; /* the walk counts */
    return 0;
}

int xt_query_count(xt_store *store, const xt_query *query, xt_answer *ret, xt_problem *reterr_problem)
{
    static void *const states[XT_WALK_MAX_THREADS];
    xt_walk walk = {.store = store, .query = query, .from_ms = query->from_ms, .to_ms = query->to_ms};
    xt_answer answer = {.took_us = -xt_walk_now_us()};
    int r = xt_walk_open(&walk, reterr_problem);

    if (r == 0)
        r = xt_walk_run(&walk, count_none, states, reterr_problem);
    if (r == 0)
        answer.n_matched = xt_walk_matched(&walk);
    xt_walk_close(&walk, &answer);
    answer.took_us += xt_walk_now_us();
    if (r == 0)
        *ret = answer;
    return r;
}

/* ------------------------------------------------------------------------------------------------ histogram */

typedef struct histogram {
    int64_t from_ms, interval_ms;
    xt_query_bucket *buckets;
    size_t n;
} histogram;

/* The bucket of a time; *begin_ms is its beginning, kept from call to call. */
static inline size_t bucket_of(const histogram *h, int64_t t, int64_t *begin_ms)
{
    if ((uint64_t)(t - *begin_ms) >= (uint64_t)h->interval_ms)
        *begin_ms = t - (t - h->from_ms) % h->interval_ms;
    return (size_t)((*begin_ms - h->from_ms) / h->interval_ms);
}

static void count_alerts(const histogram *h, const xt_walk_part *part, const xt_column *times, const xt_column *rules)
{
    int64_t begin_ms = h->from_ms;

    for (uint32_t row = xt_walk_row(part, 0); row < part->zone->n_rows; row = xt_walk_row(part, row + 1))
        if (rules->codes[row])
            h->buckets[bucket_of(h, (int64_t)times->numbers[row], &begin_ms)].n_alerts++;
}

static void count_times(const histogram *h, const xt_walk_part *part, const uint64_t *times)
{
    int64_t begin_ms = h->from_ms;
    size_t bucket = 0;

    for (size_t w = 0; w < part->n_words; w++)
        for (uint64_t bits = part->mask[w]; bits; bits &= bits - 1) {
            int64_t t = (int64_t)times[w * 64 + (size_t)__builtin_ctzll(bits)];
            if ((uint64_t)(t - begin_ms) >= (uint64_t)h->interval_ms)
                bucket = bucket_of(h, t, &begin_ms);
            h->buckets[bucket].count++;
        }
}

static int count_part(void *state, const xt_walk_part *part)
{
    const histogram *h = state;
    const xt_column *times, *rules;
    int64_t first = part->zone->min_ms - h->from_ms, last = part->zone->max_ms - h->from_ms;
    bool one = first >= 0 && first / h->interval_ms == last / h->interval_ms;
    int r = xt_walk_column(part, XT_F_RULES, &rules);

    if (r == 0 && (rules || !one))
        r = xt_walk_column(part, XT_F_TIME, &times);
    if (r)
        return r;
    if (one)
        h->buckets[first / h->interval_ms].count += part->n_rows;
    else
        count_times(h, part, times->numbers);
    if (rules)
        count_alerts(h, part, times, rules);
    return 0;
}

/* The first thread counts into the caller's buckets, the others into their own. */
static int states_make(const xt_walk *walk, histogram *states, void **pointers, xt_arena *arena)
{
    for (unsigned i = 0; i < walk->n_threads; i++) {
        states[i] = states[0];
        pointers[i] = &states[i];
        if (i > 0)
            states[i].buckets = xt_arena_array(arena, states[0].n, sizeof *states[0].buckets);
        if (!states[i].buckets)
            return xt_error_origin(-ENOMEM);
    }
    return 0;
}

static void states_merge(const xt_walk *walk, histogram *states)
{
    for (unsigned i = 1; i < walk->n_threads; i++) {
        assert(states[i].buckets);
        for (size_t b = 0; b < states[0].n; b++) {
            states[0].buckets[b].count += states[i].buckets[b].count;
            states[0].buckets[b].n_alerts += states[i].buckets[b].n_alerts;
        }
    }
}

int xt_query_histogram(xt_store *store, const xt_query *query, int64_t interval_ms, xt_query_bucket *buckets, size_t n,
                       xt_answer *ret, xt_problem *reterr_problem)
{
    histogram states[XT_WALK_MAX_THREADS] = {{query->from_ms, interval_ms, buckets, n}};
    void *pointers[XT_WALK_MAX_THREADS];
    xt_walk walk = {.store = store, .query = query, .from_ms = query->from_ms, .to_ms = query->to_ms};
    xt_answer answer = {.took_us = -xt_walk_now_us()};
    xt_arena arena;
    int64_t end;

    assert(buckets);
    memset(buckets, 0, n * sizeof *buckets);
    if (!__builtin_mul_overflow(interval_ms, (int64_t)n, &end) &&
        !__builtin_add_overflow(end, query->from_ms - 1, &end) && end < walk.to_ms)
        walk.to_ms = end;
    xt_field_set_add(&walk.fields, XT_F_RULES);
    xt_arena_init(&arena, SIZE_MAX);
    int r = xt_walk_open(&walk, reterr_problem);
    if (r == 0)
        r = states_make(&walk, states, pointers, &arena);
    if (r == 0)
        r = xt_walk_run(&walk, count_part, pointers, reterr_problem);
    if (r == 0) {
        states_merge(&walk, states);
        answer.n_matched = xt_walk_matched(&walk);
    }
    xt_walk_close(&walk, &answer);
    xt_arena_fini(&arena);
    answer.took_us += xt_walk_now_us();
    if (r == 0)
        *ret = answer;
    return r;
}

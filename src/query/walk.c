/*
 * Threads take the next part from a counter, newest first. The order of the tests of a part is that of their cost: its
 * zone, its distinct values, then the rows: time, filter, noise. A walk of few parts stays on the caller's thread.
 */
#include "query/walk.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "query/filter.h"

#define PART_MAX_BYTES   (256u << 20)
#define PART_KEEP_BYTES  (16u << 20)
#define PARTS_PER_THREAD 4 /* fewer are not worth a thread */

typedef struct xt_walk_thread {
    xt_walk *walk;
    void *state;
    xt_scan_reader *reader;
    xt_arena arena;
    xt_problem problem;
    int result;
    uint64_t n_matched, n_hidden;
    xt_query_cost cost;
    pthread_t thread;
} walk_thread;

int64_t xt_walk_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ------------------------------------------------------------------------------------------------ rows of a part */

static void mask_fill(xt_walk_part *part)
{
    memset(part->mask, 0xff, part->n_words * sizeof *part->mask);
    if (part->zone->n_rows % 64)
        part->mask[part->n_words - 1] = (UINT64_C(1) << part->zone->n_rows % 64) - 1;
}

static void mask_count(xt_walk_part *part)
{
    part->n_rows = 0;
    for (size_t w = 0; w < part->n_words; w++)
        part->n_rows += (uint64_t)__builtin_popcountll(part->mask[w]);
}

int xt_walk_column(const xt_walk_part *part, xt_field field, const xt_column **ret)
{
    int r = xt_scan_column(part->reader, field, ret, part->problem);

    if (r == 0 && (*ret)->kind == XT_COLUMN_ABSENT)
        *ret = NULL;
    return r;
}

/* Clears the rows whose number is not in min .. max; of those without one too. */
static void keep_range(xt_walk_part *part, const uint64_t *numbers, uint64_t min, uint64_t max)
{
    for (size_t w = 0; w < part->n_words; w++) {
        uint32_t n = part->zone->n_rows - (uint32_t)w * 64;
        uint64_t bits = 0;
        for (uint32_t i = 0; i < (n < 64 ? n : 64); i++)
            bits |= (uint64_t)(numbers[w * 64 + i] - min <= max - min) << i;
        part->mask[w] &= bits;
    }
}

static int keep_times(xt_walk_part *part)
{
    const xt_walk *walk = part->walk;
    const xt_column *times;
    const uint64_t *arrivals;
    int r = 0;

    if (part->zone->first_arrival <= walk->after_arrival) {
        r = xt_scan_arrivals(part->reader, &arrivals, part->problem);
        if (r == 0 && arrivals)
            keep_range(part, arrivals, walk->after_arrival + 1, UINT64_MAX);
    }
    if (r || (part->zone->min_ms >= walk->from_ms && part->zone->max_ms <= walk->to_ms))
        return r;
    r = xt_walk_column(part, XT_F_TIME, &times);
    if (r == 0 && times)
        keep_range(part, times->numbers, (uint64_t)walk->from_ms, (uint64_t)walk->to_ms);
    return r;
}

/* Noise is what a noise rule tagged and no detection rule matched. */
static int keep_noise(xt_walk_part *part, uint64_t *n_hidden)
{
    bool only = part->walk->query->noise == XT_NOISE_ONLY;
    const xt_column *noise, *rules;
    int r = xt_walk_column(part, XT_F_NOISE, &noise);

    if (r == 0)
        r = xt_walk_column(part, XT_F_RULES, &rules);
    if (r || (!noise && !only))
        return r;
    for (size_t w = 0; w < part->n_words; w++) {
        uint32_t n = part->zone->n_rows - (uint32_t)w * 64;
        uint64_t bits = 0;
        for (uint32_t i = 0; noise && i < (n < 64 ? n : 64); i++)
            bits |= (uint64_t)(noise->codes[w * 64 + i] && !(rules && rules->codes[w * 64 + i])) << i;
        *n_hidden += only ? 0 : (uint64_t)__builtin_popcountll(part->mask[w] & bits);
        part->mask[w] &= only ? bits : ~bits;
    }
    return 0;
}

/* A damaged column is met here, before the operator changes its state. */
static int read_fields(const xt_walk_part *part)
{
    const xt_field_set *fields = &part->walk->fields;
    const xt_column *column;
    int r = 0;

    for (unsigned word = 0; word < XT_COUNT_OF(fields->bits) && r == 0; word++)
        for (uint64_t bits = fields->bits[word]; bits && r == 0; bits &= bits - 1) {
            const xt_field_info *info = xt_field_find(word * 64 + (unsigned)__builtin_ctzll(bits));
            if (info && !(info->flags & XT_VIRTUAL))
                r = xt_scan_column(part->reader, info->id, &column, part->problem);
        }
    return r;
}

/* ------------------------------------------------------------------------------------------------ parts */

static bool zone_may_match(const xt_walk *walk, const xt_zone *zone)
{
    return walk->from_ms <= walk->to_ms && zone->max_ms >= walk->from_ms && zone->min_ms <= walk->to_ms &&
           (!walk->may_match || walk->may_match(walk->context, zone)) && xt_filter_may_match(walk->query->filter, zone);
}

/* The rows that count; n_rows 0 when there are none. */
static int part_find_rows(walk_thread *t, xt_walk_part *part, uint64_t *n_hidden)
{
    const xt_walk *walk = t->walk;
    int64_t begin_us = xt_walk_now_us();
    bool may = true;
    int r = xt_filter_run_values(walk->query->filter, walk->matches, part->reader, part->arena, &may, part->problem);

    int64_t values_us = xt_walk_now_us();
    t->cost.values_us += values_us - begin_us;
    if (r || !may) {
        t->cost.n_skipped_values += r == 0;
        return r;
    }
    mask_fill(part);
    r = keep_times(part);
    if (r == 0)
        r = xt_filter_run(walk->query->filter, walk->matches, part->reader, part->arena, part->mask, part->problem);
    if (r == 0 && walk->query->noise != XT_NOISE_SHOW)
        r = keep_noise(part, n_hidden);
    if (r == 0) {
        mask_count(part);
        t->cost.n_read++;
        t->cost.n_rows_read += part->zone->n_rows;
    }
    t->cost.filter_us += xt_walk_now_us() - values_us;
    return r;
}

static int part_run(walk_thread *t, size_t i)
{
    xt_walk *walk = t->walk;
    const xt_zone *zone = xt_scan_zone(walk->scan, i);
    xt_walk_part part = {.walk = walk,
                         .reader = t->reader,
                         .zone = zone,
                         .part = i,
                         .n_words = (zone->n_rows + 63) / 64,
                         .arena = &t->arena,
                         .problem = &t->problem};
    uint64_t n_hidden = 0;

    if (!zone_may_match(walk, zone)) {
        t->cost.n_skipped_range++;
        return 0;
    }
    xt_arena_reset(&t->arena);
    xt_scan_reader_begin(t->reader, i);
    part.mask = xt_arena_alloc(&t->arena, part.n_words * sizeof *part.mask);
    if (!part.mask)
        return xt_error_origin(-ENOMEM);
    int r = part_find_rows(t, &part, &n_hidden);
    if (r == 0 && part.n_rows) {
        int64_t begin_us = xt_walk_now_us();
        r = read_fields(&part);
        if (r == 0)
            r = walk->each(t->state, &part);
        t->cost.work_us += xt_walk_now_us() - begin_us;
    }
    if (r == XT_SCAN_E_DAMAGED)
        return 0;
    t->n_matched += r == 0 ? part.n_rows : 0;
    t->n_hidden += r == 0 ? n_hidden : 0;
    return r;
}

void xt_walk_stop(const xt_walk *walk, const char *reason)
{
    union {
        const xt_walk *constant;
        xt_walk *walk;
    } of = {walk};
    const char *none = NULL;

    atomic_compare_exchange_strong(&of.walk->reason, &none, reason);
    atomic_store(&of.walk->stopped, true);
}

static bool is_cancelled(const xt_walk *walk)
{
    return walk->query->cancel && atomic_load_explicit(walk->query->cancel, memory_order_relaxed);
}

/* By anybody: the client, the clock, another thread's failure. */
static bool walk_has_ended(void *context)
{
    xt_walk *walk = context;

    if (walk->deadline_us && xt_walk_now_us() > walk->deadline_us)
        xt_walk_stop(walk, "the query's time was up");
    if (is_cancelled(walk))
        atomic_store(&walk->stopped, true);
    return atomic_load(&walk->stopped);
}

static void *work(void *context)
{
    walk_thread *t = context;
    xt_walk *walk = t->walk;
    size_t i, n = xt_scan_parts(walk->scan);

    while (t->result == 0 && !walk_has_ended(walk) && (i = atomic_fetch_add(&walk->next, 1)) < n) {
        t->result = part_run(t, i);
        if (t->result == XT_MATCHES_E_ENDED)
            t->result = 0;
    }
    if (is_cancelled(walk)) {
        xt_problem_set(&t->problem, "the query was cancelled");
        t->result = XT_QUERY_E_CANCELLED;
    }
    if (t->result)
        atomic_store(&walk->stopped, true);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ walk */

static unsigned threads_for(const xt_query *query, size_t n_parts)
{
    long n_cores = query->n_threads ? (long)query->n_threads : sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = n_parts / PARTS_PER_THREAD + 1;

    if (n_cores < 1)
        n_cores = 1;
    n = n < (size_t)n_cores ? n : (size_t)n_cores;
    return n < XT_WALK_MAX_THREADS ? (unsigned)n : XT_WALK_MAX_THREADS;
}

static int threads_make(xt_walk *walk)
{
    walk->threads = calloc(walk->n_threads, sizeof *walk->threads);
    if (!walk->threads)
        return xt_error_origin(-ENOMEM);
    for (unsigned i = 0; i < walk->n_threads; i++) {
        walk_thread *t = &walk->threads[i];
        t->walk = walk;
        t->problem = XT_PROBLEM_INIT;
        xt_arena_init(&t->arena, PART_MAX_BYTES);
        t->arena.keep_bytes = PART_KEEP_BYTES;
        t->reader = xt_scan_reader_new(walk->scan);
        if (!t->reader)
            return xt_error_origin(-ENOMEM);
    }
    return 0;
}

int xt_walk_open(xt_walk *walk, xt_problem *reterr_problem)
{
    const xt_query *query = walk->query;
    xt_scan_spec spec = {.from_ms = walk->from_ms, .to_ms = walk->to_ms, .after_arrival = walk->after_arrival};
    int64_t begin_us = xt_walk_now_us();

    walk->n_gave_up = xt_filter_gave_up(query->filter);
    walk->deadline_us = query->max_ms ? begin_us + query->max_ms * 1000 : 0;
    int r = xt_scan_open(walk->store, &spec, &walk->scan, reterr_problem);
    if (r)
        return xt_error_trace(r);
    walk->n_threads = threads_for(query, xt_scan_parts(walk->scan));
    r = xt_matches_new(xt_scan_sources(walk->scan), query->filter->n_leaves, walk_has_ended, walk, &walk->matches);
    if (r == 0)
        r = threads_make(walk);
    if (r == 0)
        walk->threads[0].cost.plan_us = xt_walk_now_us() - begin_us;
    return xt_error_trace(r);
}

int xt_walk_run(xt_walk *walk, xt_walk_each *each, void *const *states, xt_problem *reterr_problem)
{
    bool started[XT_WALK_MAX_THREADS] = {false};
    int r = 0;

    walk->each = each;
    atomic_store(&walk->next, 0);
    atomic_store(&walk->stopped, false);
    for (unsigned i = 0; i < walk->n_threads; i++) {
        walk->threads[i].state = states[i];
        walk->threads[i].result = 0;
        started[i] = i > 0 && pthread_create(&walk->threads[i].thread, NULL, work, &walk->threads[i]) == 0;
    }
    work(&walk->threads[0]); /* those that could not be started are not missed */
    for (unsigned i = 1; i < walk->n_threads; i++)
        if (started[i])
            pthread_join(walk->threads[i].thread, NULL);
    for (unsigned i = 0; i < walk->n_threads && r == 0; i++) {
        r = walk->threads[i].result;
        if (r && reterr_problem)
            *reterr_problem = walk->threads[i].problem;
    }
    return r;
}

uint64_t xt_walk_matched(const xt_walk *walk)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < walk->n_threads; i++)
        n += walk->threads[i].n_matched;
    return n;
}

xt_scan_reader *xt_walk_reader(xt_walk *walk, unsigned thread)
{
    return walk->threads[thread].reader;
}

static void cost_add(xt_query_cost *to, const walk_thread *t)
{
    xt_scan_cost read = xt_scan_reader_cost(t->reader);

    to->n_skipped_range += t->cost.n_skipped_range;
    to->n_skipped_values += t->cost.n_skipped_values;
    to->n_read += t->cost.n_read;
    to->n_rows_read += t->cost.n_rows_read;
    to->plan_us += t->cost.plan_us;
    to->values_us += t->cost.values_us;
    to->filter_us += t->cost.filter_us;
    to->work_us += t->cost.work_us;
    to->n_chunks_read += read.n_chunks_read;
    to->n_bytes_read += read.n_bytes_read;
}

static void terms_report(const xt_walk *walk, xt_query_cost *cost)
{
    const xt_filter_node *leaves[XT_QUERY_EXPLAINED_TERMS];

    cost->n_terms = (unsigned)xt_filter_leaves(walk->query->filter, leaves, XT_COUNT_OF(leaves));
    for (unsigned i = 0; i < cost->n_terms; i++) {
        xt_query_term *term = &cost->terms[i];
        xt_matches_info info = xt_matches_info_get(walk->matches, leaves[i]->leaf);
        xt_buf text = XT_BUF_INIT;
        xt_kql_print(leaves[i]->tree, &text);
        snprintf(term->text, sizeof term->text, "%.*s", XT_S_ARGS(xt_buf_slice(&text)));
        xt_buf_fini(&text);
        term->n_chunks_read = info.n_chunks_read;
        term->n_chunks_skipped = info.n_chunks_skipped;
        term->n_values_looked_at = info.n_values_looked_at;
        term->n_values_matched = info.n_values_matched;
    }
}

static void walk_report(xt_walk *walk, xt_answer *answer)
{
    xt_query_cost *cost = &answer->cost;

    answer->scan = xt_scan_info_get(walk->scan);
    answer->n_hidden = 0;
    for (unsigned i = 0; i < walk->n_threads; i++) {
        cost_add(cost, &walk->threads[i]);
        answer->n_hidden += walk->threads[i].n_hidden;
    }
    cost->n_threads = walk->n_threads;
    cost->n_parts = xt_scan_parts(walk->scan);
    answer->explain = walk->query->explain;
    if (answer->explain)
        terms_report(walk, cost);
    if (xt_filter_gave_up(walk->query->filter) != walk->n_gave_up)
        answer->reason = "an expression passed its limit of steps on some values";
    if (atomic_load(&walk->reason))
        answer->reason = atomic_load(&walk->reason);
    answer->partial |= answer->reason != NULL;
}

void xt_walk_close(xt_walk *walk, xt_answer *answer)
{
    bool whole = walk->threads && walk->threads[walk->n_threads - 1].reader;

    if (whole && answer)
        walk_report(walk, answer);
    for (unsigned i = 0; walk->threads && i < walk->n_threads; i++) {
        xt_scan_reader_free(walk->threads[i].reader);
        xt_arena_fini(&walk->threads[i].arena);
    }
    free(walk->threads);
    walk->threads = NULL;
    walk->matches = xt_matches_free(walk->matches);
    walk->scan = xt_scan_close(walk->scan);
}

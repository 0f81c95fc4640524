/*
 * Groups are counted on codes: per part each key gives a code per row, a tuple of codes is one number, and its rows are
 * counted in an array or a hash table. Only the distinct tuples of a part become values (query/keys), and are added to the
 * groups of the thread (query/groups). A list counts for each of its distinct items.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "query/groups.h"

#define DENSE_TUPLES 65536 /* of a part, that an array holds */

typedef struct tuple_count {
    uint64_t tuple;
    uint64_t count;
} tuple_count;

/* A thread's. */
typedef struct grouping {
    xt_keys *keys;
    size_t n_by;
    xt_groups groups;
    /* of the part at hand */
    const xt_walk_part *part;
    xt_key_column by[XT_QUERY_MAX_BY];
    tuple_count *counts;
    size_t n_counts;
} grouping;

/* ------------------------------------------------------------------------------------------------ tuples */

static uint64_t tuple_of(const grouping *g, uint32_t row)
{
    uint64_t tuple = 0;

    for (size_t k = 0; k < g->n_by; k++)
        tuple = tuple * g->by[k].n_codes + (g->by[k].codes ? g->by[k].codes[row] : 0);
    return tuple;
}

/* All rows' tuples at once, column by column: the loops are vectorised. */
static const uint32_t *tuples_of_all(grouping *g)
{
    uint32_t n_rows = g->part->zone->n_rows;
    uint32_t *tuples;

    if (g->n_by == 1 && g->by[0].codes)
        return g->by[0].codes;
    tuples = xt_arena_array(g->part->arena, n_rows, sizeof *tuples);
    for (size_t k = 0; tuples && k < g->n_by; k++) {
        const uint32_t *codes = g->by[k].codes;
        uint32_t n_codes = g->by[k].n_codes;
        for (uint32_t row = 0; row < n_rows; row++)
            tuples[row] = tuples[row] * n_codes + (codes ? codes[row] : 0);
    }
    return tuples;
}

/* Two arrays of counts, so that a tuple that follows itself does not wait for its own count. */
static int count_dense(grouping *g, uint64_t n_tuples)
{
    const xt_walk_part *part = g->part;
    uint32_t *even = xt_arena_array(part->arena, n_tuples, sizeof *even);
    uint32_t *odd = xt_arena_array(part->arena, n_tuples, sizeof *odd);
    const uint32_t *tuples = part->n_rows * 4 > part->zone->n_rows ? tuples_of_all(g) : NULL;
    uint32_t n_rows = part->zone->n_rows;

    g->counts = xt_arena_alloc(part->arena, (n_tuples < part->n_rows ? n_tuples : part->n_rows) * sizeof *g->counts);
    if (!even || !odd || !g->counts || (!tuples && part->n_rows * 4 > n_rows))
        return xt_error_origin(-ENOMEM);
    if (tuples && part->n_rows == n_rows) {
        for (uint32_t row = 0; row + 1 < n_rows; row += 2) {
            even[tuples[row]]++;
            odd[tuples[row + 1]]++;
        }
        if (n_rows % 2)
            even[tuples[n_rows - 1]]++;
    } else {
        for (uint32_t row = xt_walk_row(part, 0); row < n_rows; row = xt_walk_row(part, row + 1))
            even[tuples ? tuples[row] : tuple_of(g, row)]++;
    }
    g->n_counts = 0;
    for (uint64_t i = 0; i < n_tuples; i++)
        if (even[i] + odd[i])
            g->counts[g->n_counts++] = (tuple_count){i, (uint64_t)even[i] + odd[i]};
    return 0;
}

static int count_hashed(grouping *g)
{
    const xt_walk_part *part = g->part;
    size_t size = 64, n = 0;

    while (size < 2 * part->n_rows)
        size *= 2;
    tuple_count *slots = xt_arena_array(part->arena, size, sizeof *slots);
    if (!slots)
        return xt_error_origin(-ENOMEM);
    for (uint32_t row = xt_walk_row(part, 0); row < part->zone->n_rows; row = xt_walk_row(part, row + 1)) {
        uint64_t tuple = tuple_of(g, row), hash = tuple * UINT64_C(0x9e3779b97f4a7c15);
        size_t i = (hash ^ hash >> 29) & (size - 1);
        while (slots[i].count && slots[i].tuple != tuple)
            i = (i + 1) & (size - 1);
        slots[i].tuple = tuple;
        slots[i].count++;
    }
    for (size_t i = 0; i < size; i++)
        if (slots[i].count)
            slots[n++] = slots[i];
    g->counts = slots;
    g->n_counts = n;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ values */

/* A tuple's codes, and what they stand for. */
static int tuple_values(grouping *g, uint64_t tuple, const xt_key_values **ret)
{
    int r = 0;

    for (size_t k = g->n_by; k-- > 0 && r == 0;) {
        uint32_t code = (uint32_t)(tuple % g->by[k].n_codes);
        tuple /= g->by[k].n_codes;
        r = xt_keys_values(g->keys, g->part, &g->by[k], code, &ret[k]);
    }
    return r;
}

/* Every combination of the values of the keys from k on. */
static int add_tuples(grouping *g, const xt_key_values *const *values, size_t k, xt_group *key, uint64_t count)
{
    int r = 0;

    if (k == g->n_by)
        return xt_groups_add(&g->groups, key, count);
    key->values[k] = 0;
    if (values[k]->n == 0) {
        key->absent |= 1u << k;
        r = add_tuples(g, values, k + 1, key, count);
        key->absent &= ~(1u << k);
    }
    for (uint32_t i = 0; i < values[k]->n && r == 0; i++) {
        key->values[k] = values[k]->items[i];
        r = add_tuples(g, values, k + 1, key, count);
    }
    return r;
}

/* What cannot be read is met before anything is added. */
static int add_counts(grouping *g)
{
    const xt_key_values *values[XT_QUERY_MAX_BY];
    int r = 0;

    for (size_t i = 0; i < g->n_counts && r == 0; i++)
        r = tuple_values(g, g->counts[i].tuple, values);
    for (size_t i = 0; i < g->n_counts && r == 0; i++) {
        xt_group key = {.absent = 0};
        r = tuple_values(g, g->counts[i].tuple, values);
        if (r == 0)
            r = add_tuples(g, values, 0, &key, g->counts[i].count);
    }
    return r;
}

/* n_codes are at most 2^15 + 1 of a part, so that four of them make less than 2^64. */
static int count_part(void *state, const xt_walk_part *part)
{
    grouping *g = state;
    uint64_t n_tuples = 1;
    int r = 0;

    g->part = part;
    for (size_t k = 0; k < g->n_by && r == 0; k++) {
        r = xt_keys_load(g->keys, part, k, &g->by[k]);
        if (r == 0 && __builtin_mul_overflow(n_tuples, g->by[k].n_codes, &n_tuples))
            r = xt_error_origin(-EOVERFLOW);
    }
    if (r)
        return r;
    bool dense = n_tuples <= DENSE_TUPLES && n_tuples <= 4096 + 8 * part->n_rows;
    r = dense ? count_dense(g, n_tuples) : count_hashed(g);
    if (r == 0)
        r = add_counts(g);
    if (r != XT_KEYS_E_FULL)
        return r;
    xt_walk_stop(part->walk, "there are more groups than the query may hold");
    return 0;
}

/* ------------------------------------------------------------------------------------------------ answer */

static int cmp_values(const grouping *g, const xt_group *a, const xt_group *b)
{
    char x[32], y[32];

    for (size_t k = 0; k < g->n_by; k++) {
        bool no_a = a->absent >> k & 1, no_b = b->absent >> k & 1;
        if (no_a || no_b) {
            if (no_a != no_b)
                return no_a - no_b;
            continue;
        }
        if (a->values[k] == b->values[k])
            continue;
        int r = xt_slice_cmp(xt_keys_text(g->keys, k, a->values[k], x), xt_keys_text(g->keys, k, b->values[k], y));
        if (r)
            return r;
    }
    return 0;
}

static int by_count(const void *x, const void *y, void *context)
{
    const xt_group *a = x, *b = y;

    return a->count != b->count ? (a->count > b->count ? -1 : 1) : cmp_values(context, a, b);
}

static int give_group(const grouping *g, const xt_group *group, xt_arena *arena, xt_query_group *ret)
{
    char scratch[32];

    ret->count = group->count;
    for (size_t k = 0; k < g->n_by; k++) {
        if (group->absent >> k & 1)
            continue;
        ret->values[k] = xt_arena_copy(arena, xt_keys_text(g->keys, k, group->values[k], scratch));
        if (!ret->values[k].p)
            return xt_error_origin(-ENOMEM);
    }
    return 0;
}

static int give_groups(grouping *g, uint64_t limit, xt_arena *arena, xt_query_group **ret, size_t *ret_n,
                       xt_answer *answer)
{
    xt_groups *groups = &g->groups;
    size_t n = limit && limit < groups->n ? (size_t)limit : groups->n;
    xt_query_group *out = xt_arena_array(arena, n + 1, sizeof *out);
    int r = 0;

    if (!out)
        return xt_error_origin(-ENOMEM);
    if (groups->n)
        qsort_r(groups->items, groups->n, sizeof *groups->items, by_count, g);
    for (size_t i = 0; i < n && r == 0; i++)
        r = give_group(g, &groups->items[i], arena, &out[i]);
    answer->truncated = n < groups->n;
    *ret = out;
    *ret_n = n;
    return r;
}

static int check_fields(const xt_query_key *by, size_t n_by, xt_problem *problem)
{
    assert(n_by >= 1 && n_by <= XT_QUERY_MAX_BY);
    for (size_t k = 0; k < n_by; k++) {
        const xt_field_info *info = xt_field_find(by[k].field);
        if (info && info->type != XT_RECORDS && info->type != XT_PATHS)
            continue;
        xt_problem_set(problem, "events cannot be counted by %s", info ? info->name : "this field");
        return XT_KQL_E_SYNTAX;
    }
    return 0;
}

/* All into the first one's groups. */
static int merge(xt_walk *walk, grouping *states)
{
    for (unsigned i = 1; i < walk->n_threads; i++)
        for (size_t j = 0; j < states[i].groups.n; j++) {
            const xt_group *group = &states[i].groups.items[j];
            int r = xt_groups_add(&states[0].groups, group, group->count);
            if (r == XT_KEYS_E_FULL)
                xt_walk_stop(walk, "there are more groups than the query may hold");
            else if (r)
                return xt_error_trace(r);
        }
    return 0;
}

static int run(xt_walk *walk, grouping *states, xt_answer *answer, xt_problem *problem)
{
    void *pointers[XT_WALK_MAX_THREADS];

    for (unsigned i = 0; i < walk->n_threads; i++) {
        states[i] = (grouping){.keys = states[0].keys, .n_by = states[0].n_by, .groups = {.keys = states[0].keys}};
        pointers[i] = &states[i];
    }
    walk->fields = xt_keys_fields(states[0].keys);
    int r = xt_walk_run(walk, count_part, pointers, problem);
    answer->cost.finish_us -= xt_walk_now_us();
    return r ? r : merge(walk, states);
}

int xt_query_by(xt_store *store, const xt_query *query, const xt_query_key *by, size_t n_by, uint64_t limit,
                xt_arena *arena, xt_query_group **ret, size_t *ret_n, xt_answer *ret_answer, xt_problem *reterr_problem)
{
    xt_walk walk = {.store = store, .query = query, .from_ms = query->from_ms, .to_ms = query->to_ms};
    xt_answer answer = {.took_us = -xt_walk_now_us()};
    grouping *states = calloc(XT_WALK_MAX_THREADS, sizeof *states);
    size_t max_bytes = query->max_memory_bytes ? query->max_memory_bytes : XT_QUERY_MEMORY_BYTES;
    int r = check_fields(by, n_by, reterr_problem);

    if (r == 0)
        r = states ? xt_walk_open(&walk, reterr_problem) : xt_error_origin(-ENOMEM);
    if (r == 0) {
        states[0].n_by = n_by;
        r = xt_keys_new(by, n_by, xt_scan_sources(walk.scan), max_bytes, &states[0].keys);
    }
    if (r == 0)
        r = run(&walk, states, &answer, reterr_problem);
    if (r == 0)
        r = give_groups(&states[0], limit, arena, ret, ret_n, &answer);
    if (r == 0)
        answer.n_matched = xt_walk_matched(&walk);
    answer.cost.finish_us += xt_walk_now_us();
    xt_walk_close(&walk, &answer);
    for (unsigned i = 0; states && i < XT_WALK_MAX_THREADS; i++)
        xt_groups_fini(&states[i].groups);
    if (states)
        xt_keys_free(states[0].keys);
    free(states);
    answer.took_us += xt_walk_now_us();
    if (r == 0)
        *ret_answer = answer;
    return r;
}

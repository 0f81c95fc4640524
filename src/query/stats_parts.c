/*
 * Of a part the tuples of codes become local groups, numbered from 0. Numbers are added to the states of local groups row by row;
 * of what needs distinct values the distinct pairs (local group, code) are found, in a bitmap where they are few. Only then
 * local groups and codes become values (query/keys): a local group stands for several groups where a field has several
 * values. All that may turn out to be damaged is read before a group is touched.
 */
#include "query/stats_parts.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "query/filter.h"
#include "query/groups.h"
#include "query/pairs.h"
#include "query/stat.h"
#include "query/term.h"
#include "query/walk.h"

#define DENSE_TUPLES 65536      /* of a part, that an array holds */
#define FEW_PAIRS    65536      /* of a part, that have a byte each */
#define DENSE_PAIRS  (8u << 20) /* of a part, that a bitmap holds */
#define NO_GROUP     UINT32_MAX
#define AHEAD        6 /* groups that are fetched to the processor's cache before they are needed */

/* What one query computes; shared by its threads. */
typedef struct stats_plan {
    const xt_stage *stage;
    xt_keys *keys; /* those of by, then one for each stat that needs values */
    size_t n_by;
    bool only_counts;                 /* of no row its group is wanted */
    size_t key_of[XT_PIPE_MAX_STATS]; /* of stats that need values */
} stats_plan;

/* A stat of the part at hand. */
typedef struct part_stat {
    const uint64_t *numbers; /* by row */
    const uint8_t *present;  /* bits, NULL: all */
    xt_stat_state *states;   /* by local group */
    xt_key_column codes;
    xt_pair *pairs; /* local group, code */
    size_t n_pairs;
} part_stat;

/* A thread's. */
typedef struct stats_state {
    const stats_plan *plan;
    xt_groups groups;
    xt_stat_state *states; /* by group and stat */
    size_t cap_states;     /* groups */
    xt_pairs pairs;
    /* of the part at hand */
    const xt_walk_part *part;
    xt_key_column by[XT_PIPE_MAX_BY];
    uint32_t *locals; /* by row; NULL: all 0 */
    uint64_t *tuples; /* by local group */
    uint64_t *counts;
    uint32_t n_locals;
    part_stat stats[XT_PIPE_MAX_STATS];
} stats_state;

/* ------------------------------------------------------------------------------------------------ local groups */

static uint64_t tuple_of(const stats_state *s, uint32_t row)
{
    uint64_t tuple = 0;

    for (size_t k = 0; k < s->plan->n_by; k++)
        tuple = tuple * s->by[k].n_codes + (s->by[k].codes ? s->by[k].codes[row] : 0);
    return tuple;
}

static bool is_whole(const xt_walk_part *part)
{
    return part->n_rows == part->zone->n_rows;
}

/* The tuple of each row, those that do not count too; key by key, since a loop over one column is a fast one. */
static const uint32_t *tuples_of_rows(const stats_state *s)
{
    const xt_walk_part *part = s->part;
    const uint32_t *first = s->by[0].codes;
    uint32_t n = part->zone->n_rows;

    if (s->plan->n_by == 1 && first)
        return first;
    uint32_t *tuples = xt_arena_alloc(part->arena, n * sizeof *tuples);
    if (!tuples)
        return NULL;
    if (first)
        memcpy(tuples, first, n * sizeof *tuples);
    else
        memset(tuples, 0, n * sizeof *tuples);
    for (size_t k = 1; k < s->plan->n_by; k++) {
        const uint32_t *codes = s->by[k].codes;
        uint32_t n_codes = s->by[k].n_codes;
        for (uint32_t row = 0; row < n && codes; row++)
            tuples[row] = tuples[row] * n_codes + codes[row];
    }
    return tuples;
}

/* Neighbours have the same tuple often: four counters for each let them not wait for each other. */
static void count_whole(const uint32_t *tuples, uint32_t n_rows, uint32_t *counts, uint64_t n_tuples)
{
    uint32_t *b = counts + n_tuples, *c = b + n_tuples, *d = c + n_tuples, row = 0;

    for (; row + 4 <= n_rows; row += 4) {
        counts[tuples[row]]++;
        b[tuples[row + 1]]++;
        c[tuples[row + 2]]++;
        d[tuples[row + 3]]++;
    }
    for (; row < n_rows; row++)
        counts[tuples[row]]++;
    for (uint64_t i = 0; i < n_tuples; i++)
        counts[i] += b[i] + c[i] + d[i];
}

/* Takes the rows that do not count off again. */
static void uncount_others(const xt_walk_part *part, const uint32_t *tuples, uint32_t *counts)
{
    for (uint32_t w = 0; w < part->n_words; w++) {
        uint32_t n = part->zone->n_rows - w * 64;
        uint64_t others = ~part->mask[w] & (n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX);
        for (; others; others &= others - 1)
            counts[tuples[w * 64 + (unsigned)__builtin_ctzll(others)]]--;
    }
}

static int locals_dense(stats_state *s, uint64_t n_tuples)
{
    const xt_walk_part *part = s->part;
    xt_walk_rows rows = xt_walk_rows_of(part);
    uint32_t n_rows = part->zone->n_rows;
    bool by_four = 2 * part->n_rows >= n_rows && 4 * n_tuples <= n_rows;
    const uint32_t *tuples = tuples_of_rows(s);
    uint32_t *counts = xt_arena_array(part->arena, (by_four ? 4 : 1) * n_tuples, sizeof *counts);

    if (!tuples || !counts)
        return xt_error_origin(-ENOMEM);
    if (by_four) {
        count_whole(tuples, n_rows, counts, n_tuples);
        uncount_others(part, tuples, counts);
    } else {
        for (uint32_t row; xt_walk_rows_next(&rows, &row);)
            counts[tuples[row]]++;
    }
    for (uint64_t tuple = 0; tuple < n_tuples; tuple++) {
        uint32_t n = counts[tuple];
        if (n == 0)
            continue;
        s->tuples[s->n_locals] = tuple;
        s->counts[s->n_locals] = n;
        counts[tuple] = s->n_locals++;
    }
    if (!s->plan->only_counts)
        for (uint32_t row = 0; row < n_rows; row++)
            s->locals[row] = counts[tuples[row]]; /* of a row that does not count: any */
    return 0;
}

static int locals_hashed(stats_state *s)
{
    const xt_walk_part *part = s->part;
    xt_walk_rows rows = xt_walk_rows_of(part);
    size_t size = 64;

    while (size < 2 * part->n_rows)
        size *= 2;
    uint32_t *slots = xt_arena_alloc(part->arena, size * sizeof *slots);
    if (!slots)
        return xt_error_origin(-ENOMEM);
    memset(slots, 0xff, size * sizeof *slots);
    for (uint32_t row; xt_walk_rows_next(&rows, &row);) {
        uint64_t tuple = tuple_of(s, row), hash = tuple * UINT64_C(0x9e3779b97f4a7c15);
        size_t i = (hash ^ hash >> 29) & (size - 1);
        while (slots[i] != NO_GROUP && s->tuples[slots[i]] != tuple)
            i = (i + 1) & (size - 1);
        if (slots[i] == NO_GROUP) {
            slots[i] = s->n_locals;
            s->tuples[s->n_locals++] = tuple;
        }
        s->locals[row] = slots[i];
        s->counts[slots[i]]++;
    }
    return 0;
}

static int find_locals(stats_state *s)
{
    const xt_walk_part *part = s->part;
    uint64_t n_tuples = 1;
    int r = 0;

    for (size_t k = 0; k < s->plan->n_by && r == 0; k++) {
        r = xt_keys_load(s->plan->keys, part, k, &s->by[k]);
        if (r == 0 && __builtin_mul_overflow(n_tuples, s->by[k].n_codes, &n_tuples))
            r = xt_error_origin(-EOVERFLOW);
    }
    if (r)
        return r;
    assert(n_tuples > 0); /* that it is absent is a code, too */
    size_t n_most = n_tuples < part->n_rows ? n_tuples : part->n_rows;
    s->locals = NULL;
    s->n_locals = 0;
    s->tuples = xt_arena_array(part->arena, n_most, sizeof *s->tuples);
    s->counts = xt_arena_array(part->arena, n_most, sizeof *s->counts);
    if (n_tuples > 1)
        s->locals = xt_arena_alloc(part->arena, part->zone->n_rows * sizeof *s->locals);
    if (!s->tuples || !s->counts || (n_tuples > 1 && !s->locals))
        return xt_error_origin(-ENOMEM);
    if (n_tuples == 1) {
        s->n_locals = 1;
        s->counts[0] = part->n_rows;
        return 0;
    }
    bool dense = n_tuples <= DENSE_TUPLES && n_tuples <= 4096 + 8 * part->n_rows;
    return dense ? locals_dense(s, n_tuples) : locals_hashed(s);
}

/* ------------------------------------------------------------------------------------------------ numbers */

/* How many arguments each row has. */
static int load_argc(const xt_walk_part *part, const xt_column *args, part_stat *stat)
{
    uint64_t *numbers = xt_arena_array(part->arena, part->zone->n_rows, sizeof *numbers);
    uint8_t *present = xt_arena_array(part->arena, part->zone->n_rows / 8 + 1, 1);
    uint64_t *counts = xt_arena_array(part->arena, (size_t)args->n_values + 1, sizeof *counts);

    if (!numbers || !present || !counts)
        return xt_error_origin(-ENOMEM);
    for (uint32_t row = xt_walk_row(part, 0); row < part->zone->n_rows; row = xt_walk_row(part, row + 1)) {
        uint32_t local = args->codes[row];
        xt_arena_mark mark = xt_arena_mark_get(part->arena);
        xt_slice entry;
        if (local && !counts[local]) { /* one more, so that 0 is unknown */
            int r = xt_dict_entry(part->reader, args->dict, xt_column_code(args, local), part->arena, &entry,
                                  part->problem);
            if (r)
                return r;
            counts[local] = xt_list_count(entry) + 1;
            xt_arena_mark_reset(part->arena, mark);
        }
        if (local) {
            numbers[row] = counts[local] - 1;
            present[row / 8] |= (uint8_t)(1 << row % 8);
        }
    }
    stat->numbers = numbers;
    stat->present = present;
    return 0;
}

static int load_numbers(const xt_walk_part *part, xt_field field, part_stat *stat)
{
    const xt_column *column;
    int r = xt_walk_column(part, field == XT_F_ARGC ? XT_F_ARGS : field, &column);

    stat->numbers = NULL;
    if (r || !column)
        return r;
    if (field == XT_F_ARGC)
        return load_argc(part, column, stat);
    stat->numbers = column->numbers;
    stat->present = column->present;
    return 0;
}

static int add_numbers(stats_state *s, const xt_field_info *of, part_stat *stat)
{
    const xt_walk_part *part = s->part;
    xt_walk_rows rows = xt_walk_rows_of(part);
    bool is_signed = of->type != XT_UINT;

    stat->states = xt_arena_array(part->arena, s->n_locals, sizeof *stat->states);
    if (!stat->states)
        return xt_error_origin(-ENOMEM);
    if (!stat->numbers)
        return 0;
    for (uint32_t row; xt_walk_rows_next(&rows, &row);) {
        if (stat->present && !(stat->present[row / 8] >> row % 8 & 1))
            continue;
        uint64_t number = stat->numbers[row];
        xt_stat_add(&stat->states[s->locals ? s->locals[row] : 0], is_signed, xt_term_key(of->type, number), number);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ distinct values */

static int pairs_dense(stats_state *s, part_stat *stat)
{
    const xt_walk_part *part = s->part;
    xt_walk_rows rows = xt_walk_rows_of(part);
    uint64_t n_codes = stat->codes.n_codes, n_bits = s->n_locals * n_codes;
    uint64_t *bits = xt_arena_array(part->arena, n_bits / 64 + 1, sizeof *bits);

    if (!bits)
        return xt_error_origin(-ENOMEM);
    for (uint32_t row; xt_walk_rows_next(&rows, &row);) {
        uint64_t i = (s->locals ? s->locals[row] : 0) * n_codes + stat->codes.codes[row];
        bits[i / 64] |= UINT64_C(1) << i % 64;
    }
    for (uint64_t w = 0; w <= n_bits / 64; w++)
        for (uint64_t word = bits[w]; word; word &= word - 1) {
            uint64_t i = w * 64 + (unsigned)__builtin_ctzll(word);
            stat->pairs[stat->n_pairs++] = (xt_pair){.group = (uint32_t)(i / n_codes), .value = i % n_codes};
        }
    return 0;
}

/* The same with a byte each, which a row need not read. */
static int pairs_few(stats_state *s, part_stat *stat)
{
    const xt_walk_part *part = s->part;
    xt_walk_rows rows = xt_walk_rows_of(part);
    const uint32_t *codes = stat->codes.codes, *locals = s->locals;
    uint32_t n_codes = stat->codes.n_codes, n_bytes = s->n_locals * n_codes, n_rows = part->zone->n_rows;
    uint8_t *seen = xt_arena_array(part->arena, n_bytes, 1);

    if (!seen)
        return xt_error_origin(-ENOMEM);
    if (is_whole(part) && locals)
        for (uint32_t row = 0; row < n_rows; row++)
            seen[locals[row] * n_codes + codes[row]] = 1;
    else
        for (uint32_t row; xt_walk_rows_next(&rows, &row);)
            seen[(locals ? locals[row] : 0) * n_codes + codes[row]] = 1;
    for (uint32_t i = 0; i < n_bytes; i++)
        if (seen[i])
            stat->pairs[stat->n_pairs++] = (xt_pair){.group = i / n_codes, .value = i % n_codes};
    return 0;
}

static int pairs_hashed(stats_state *s, part_stat *stat)
{
    const xt_walk_part *part = s->part;
    xt_pairs seen = {.keys = NULL};
    int r = 0;

    for (uint32_t row = xt_walk_row(part, 0); row < part->zone->n_rows && r == 0; row = xt_walk_row(part, row + 1)) {
        xt_pair pair = {.group = s->locals ? s->locals[row] : 0, .value = stat->codes.codes[row]};
        bool is_new;
        r = xt_pairs_add(&seen, &pair, &is_new);
        if (r == 0 && is_new)
            stat->pairs[stat->n_pairs++] = pair;
    }
    xt_pairs_fini(&seen);
    return xt_error_trace(r);
}

/* Finds the pairs, and looks at what their codes stand for. */
static int find_pairs(stats_state *s, size_t key, part_stat *stat)
{
    const xt_walk_part *part = s->part;
    const xt_key_values *values;
    int r = xt_keys_load(s->plan->keys, part, key, &stat->codes);

    stat->n_pairs = 0;
    if (r || !stat->codes.codes)
        return r;
    stat->pairs = xt_arena_array(part->arena, part->n_rows, sizeof *stat->pairs);
    if (!stat->pairs)
        return xt_error_origin(-ENOMEM);
    uint64_t n_possible = (uint64_t)s->n_locals * stat->codes.n_codes;
    r = n_possible <= FEW_PAIRS     ? pairs_few(s, stat)
        : n_possible <= DENSE_PAIRS ? pairs_dense(s, stat)
                                    : pairs_hashed(s, stat);
    for (size_t i = 0; i < stat->n_pairs && r == 0; i++)
        r = xt_keys_values(s->plan->keys, part, &stat->codes, (uint32_t)stat->pairs[i].value, &values);
    return r;
}

/* ------------------------------------------------------------------------------------------------ groups */

/* Room for one group more. */
static int states_grow(stats_state *s)
{
    size_t n_stats = s->plan->stage->n_stats, cap = s->cap_states ? 2 * s->cap_states : 128;

    if (s->groups.n < s->cap_states)
        return 0;
    assert(n_stats > 0);
    if (!xt_keys_charge(s->plan->keys, (cap - s->cap_states) * n_stats * sizeof *s->states))
        return XT_KEYS_E_FULL;
    xt_stat_state *states = realloc(s->states, cap * n_stats * sizeof *states);
    if (!states)
        return xt_error_origin(-ENOMEM);
    memset(states + s->cap_states * n_stats, 0, (cap - s->cap_states) * n_stats * sizeof *states);
    s->states = states;
    s->cap_states = cap;
    return 0;
}

static int group_place(stats_state *s, const xt_group *key, size_t *ret)
{
    int r = states_grow(s);

    return r ? r : xt_groups_place(&s->groups, key, ret);
}

/* The pairs of each local group lie together. */
typedef struct local_pairs {
    const xt_pair *first;
    size_t n;
} local_pairs;

static int by_local(const void *a, const void *b)
{
    const xt_pair *x = a, *y = b;

    return (x->group > y->group) - (x->group < y->group);
}

/* Adds a local group to one that it stands for. */
static int add_local(stats_state *s, const xt_group *key, uint32_t local, const local_pairs *pairs)
{
    const xt_stage *stage = s->plan->stage;
    const xt_key_values *values;
    bool is_new;
    size_t group;
    int r = group_place(s, key, &group);

    if (r)
        return r;
    s->groups.items[group].count += s->counts[local];
    for (size_t i = 0; i < stage->n_stats && r == 0; i++) {
        part_stat *stat = &s->stats[i];
        if (stat->states)
            xt_stat_merge(&s->states[group * stage->n_stats + i], &stat->states[local]);
        for (size_t j = 0; j < pairs[i].n && r == 0; j++) {
            r = xt_keys_values(s->plan->keys, s->part, &stat->codes, (uint32_t)pairs[i].first[j].value, &values);
            for (uint32_t v = 0; r == 0 && v < values->n; v++)
                r = xt_pairs_add(&s->pairs, &(xt_pair){(uint32_t)group, (uint32_t)i, values->items[v]}, &is_new);
        }
    }
    return r;
}

/* Every combination of the values of the keys from k on. */
static int add_tuples(stats_state *s, const xt_key_values *const *values, size_t k, xt_group *key, uint32_t local,
                      const local_pairs *pairs)
{
    int r = 0;

    if (k == s->plan->n_by)
        return add_local(s, key, local, pairs);
    key->values[k] = 0;
    if (values[k]->n == 0) {
        key->absent |= 1u << k;
        r = add_tuples(s, values, k + 1, key, local, pairs);
        key->absent &= ~(1u << k);
    }
    for (uint32_t i = 0; i < values[k]->n && r == 0; i++) {
        key->values[k] = values[k]->items[i];
        r = add_tuples(s, values, k + 1, key, local, pairs);
    }
    return r;
}

static int tuple_values(stats_state *s, uint64_t tuple, const xt_key_values **ret)
{
    int r = 0;

    for (size_t k = s->plan->n_by; k-- > 0 && r == 0;) {
        uint32_t code = (uint32_t)(tuple % s->by[k].n_codes);
        tuple /= s->by[k].n_codes;
        r = xt_keys_values(s->plan->keys, s->part, &s->by[k], code, &ret[k]);
    }
    return r;
}

/* The group that a local one stands for; false: it stands for several. */
static bool is_one_group(const stats_state *s, const xt_key_values *const *values, xt_group *ret)
{
    *ret = (xt_group){.absent = 0};
    for (size_t k = 0; k < s->plan->n_by; k++) {
        if (values[k]->n > 1)
            return false;
        if (values[k]->n == 0)
            ret->absent |= 1u << k;
        else
            ret->values[k] = values[k]->items[0];
    }
    return true;
}

/* Looks at what all the codes stand for, before a group is touched. single[local]: it is keys[local] alone. */
static int locals_resolve(stats_state *s, xt_group *keys, bool *single)
{
    const xt_key_values *values[XT_PIPE_MAX_BY];
    int r = 0;

    for (uint32_t i = 0; i < s->n_locals && r == 0; i++) {
        r = tuple_values(s, s->tuples[i], values);
        if (r == 0)
            single[i] = is_one_group(s, values, &keys[i]);
    }
    return r;
}

/* The pairs of a local group; *at: of those before, for the next call. */
static void pairs_of(const stats_state *s, uint32_t local, size_t *at, local_pairs *ret)
{
    for (size_t i = 0; i < s->plan->stage->n_stats; i++) {
        size_t begin = at[i];
        while (at[i] < s->stats[i].n_pairs && s->stats[i].pairs[at[i]].group == local)
            at[i]++;
        ret[i] = (local_pairs){s->stats[i].pairs + begin, at[i] - begin};
    }
}

static int add_locals(stats_state *s)
{
    const xt_key_values *values[XT_PIPE_MAX_BY];
    local_pairs pairs[XT_PIPE_MAX_STATS] = {{NULL, 0}};
    size_t at[XT_PIPE_MAX_STATS] = {0};
    xt_group *keys = xt_arena_alloc(s->part->arena, s->n_locals * sizeof *keys), key = {.absent = 0};
    bool *single = xt_arena_alloc(s->part->arena, s->n_locals * sizeof *single);
    int r = keys && single ? locals_resolve(s, keys, single) : xt_error_origin(-ENOMEM);

    for (size_t i = 0; i < s->plan->stage->n_stats; i++)
        if (s->stats[i].n_pairs)
            qsort(s->stats[i].pairs, s->stats[i].n_pairs, sizeof *s->stats[i].pairs, by_local);
    for (uint32_t local = 0; local < s->n_locals && r == 0; local++) {
        if (local + 2 * AHEAD < s->n_locals && single[local + 2 * AHEAD])
            xt_groups_expect(&s->groups, &keys[local + 2 * AHEAD]);
        if (local + AHEAD < s->n_locals && single[local + AHEAD])
            xt_groups_expect_item(&s->groups, &keys[local + AHEAD]);
        pairs_of(s, local, at, pairs);
        if (single[local]) {
            r = add_local(s, &keys[local], local, pairs);
            continue;
        }
        r = tuple_values(s, s->tuples[local], values);
        if (r == 0)
            r = add_tuples(s, values, 0, &key, local, pairs);
    }
    return r;
}

static int take_part(void *state, const xt_walk_part *part)
{
    stats_state *s = state;
    const xt_stage *stage = s->plan->stage;

    s->part = part;
    int r = find_locals(s);
    for (size_t i = 0; i < stage->n_stats && r == 0; i++) {
        s->stats[i] = (part_stat){.n_pairs = 0};
        if (xt_stat_needs_values(&stage->stats[i]))
            r = find_pairs(s, s->plan->key_of[i], &s->stats[i]);
        else if (stage->stats[i].of)
            r = load_numbers(part, stage->stats[i].of->id, &s->stats[i]);
    }
    for (size_t i = 0; i < stage->n_stats && r == 0; i++)
        if (stage->stats[i].of && !xt_stat_needs_values(&stage->stats[i]))
            r = add_numbers(s, stage->stats[i].of, &s->stats[i]);
    if (r == 0)
        r = add_locals(s);
    if (r != XT_KEYS_E_FULL)
        return r;
    xt_walk_stop(part->walk, "there are more groups or distinct values than the query may hold");
    return 0;
}

/* ------------------------------------------------------------------------------------------------ answer */

/* All into the first one's. */
static int merge_one(stats_state *to, const stats_state *from)
{
    size_t n_stats = to->plan->stage->n_stats;
    uint32_t *places = malloc((from->groups.n + 1) * sizeof *places);
    bool is_new;
    int r = places ? 0 : xt_error_origin(-ENOMEM);

    for (size_t j = 0; j < from->groups.n && r == 0; j++) {
        size_t group;
        r = group_place(to, &from->groups.items[j], &group);
        if (r)
            break;
        places[j] = (uint32_t)group;
        to->groups.items[group].count += from->groups.items[j].count;
        for (size_t i = 0; i < n_stats; i++)
            xt_stat_merge(&to->states[group * n_stats + i], &from->states[j * n_stats + i]);
    }
    for (size_t i = 0; i < from->pairs.n_slots && r == 0; i++) {
        xt_pair pair = from->pairs.slots[i];
        if (pair.group == UINT32_MAX)
            continue;
        pair.group = places[pair.group];
        r = xt_pairs_add(&to->pairs, &pair, &is_new);
    }
    free(places);
    return r;
}

static int merge(xt_walk *walk, stats_state *states)
{
    int r = 0;

    for (unsigned i = 1; i < walk->n_threads && r == 0; i++)
        r = merge_one(&states[0], &states[i]);
    if (r == XT_KEYS_E_FULL) {
        xt_walk_stop(walk, "there are more groups or distinct values than the query may hold");
        r = 0;
    }
    return r;
}

/* A value of key k as a cell of the column. */
static int value_cell(const xt_keys *keys, size_t k, const xt_field_info *column, uint64_t value, xt_arena *arena,
                      xt_cell *ret)
{
    char scratch[32];

    *ret = (xt_cell){.has = true, .number = value};
    if (xt_keys_is_number(keys, k))
        return 0;
    xt_slice text = xt_keys_text(keys, k, value, scratch);
    if (xt_cell_is_number(column)) /* argc is a text of the dictionary */
        return xt_slice_parse_u64(text, &ret->number) ? 0 : xt_error_origin(-EINVAL);
    ret->text = xt_arena_copy(arena, text);
    return ret->text.p ? 0 : xt_error_origin(-ENOMEM);
}

/* The pairs of a group and stat as values. */
static int values_cell(const stats_state *s, const xt_pair *pairs, size_t n, size_t i, xt_arena *arena, xt_cell *ret,
                       bool *ret_cut)
{
    const xt_stage_stat *stat = &s->plan->stage->stats[i];
    bool only_counts = stat->stat == XT_STAT_COUNT_DISTINCT;
    xt_cell *values = xt_arena_array(arena, only_counts ? 1 : n + 1, sizeof *values);
    int r = values ? 0 : xt_error_origin(-ENOMEM);

    for (size_t j = 0; j < n && !only_counts && r == 0; j++)
        r = value_cell(s->plan->keys, s->plan->key_of[i], stat->of, pairs[j].value, arena, &values[j]);
    return r ? r : xt_stat_of_values(stat, values, n, arena, ret, ret_cut);
}

static int row_cells(const stats_state *s, size_t group, const xt_pair **pair, xt_arena *arena, xt_cell *cells,
                     uint64_t *n_cut)
{
    const xt_stage *stage = s->plan->stage;
    const xt_group *g = &s->groups.items[group];
    const xt_pair *end = s->pairs.slots + s->pairs.n;
    int r = 0;

    for (size_t k = 0; k < s->plan->n_by && r == 0; k++)
        if (!(g->absent >> k & 1))
            r = value_cell(s->plan->keys, k, stage->keys[k].of, g->values[k], arena, &cells[k]);
    for (size_t i = 0; i < stage->n_stats && r == 0; i++) {
        xt_cell *cell = &cells[s->plan->n_by + i];
        const xt_pair *begin = *pair;
        bool cut = false;
        while (*pair < end && (*pair)->group == group && (*pair)->set == i)
            (*pair)++;
        if (xt_stat_needs_values(&stage->stats[i]))
            r = values_cell(s, begin, (size_t)(*pair - begin), i, arena, cell, &cut);
        else if (stage->stats[i].stat == XT_STAT_COUNT)
            *cell = (xt_cell){.has = true, .number = g->count};
        else
            *cell = xt_stat_cell(&stage->stats[i], &s->states[group * stage->n_stats + i]);
        *n_cut += cut;
    }
    return r;
}

static int give_rows(stats_state *s, xt_arena *arena, xt_stats_rows *ret)
{
    const xt_stage *stage = s->plan->stage;
    xt_group all = {.absent = 0};
    size_t n_cells = s->plan->n_by + stage->n_stats, place;
    int r = s->plan->n_by ? 0 : group_place(s, &all, &place); /* no rows are one group without by */

    xt_pairs_sort(&s->pairs);
    const xt_pair *pair = s->pairs.slots;
    xt_stats_rows rows = {.n = s->groups.n};
    rows.cells = xt_arena_array(arena, rows.n * n_cells + 1, sizeof *rows.cells);
    if (r == 0 && !rows.cells)
        r = xt_error_origin(-ENOMEM);
    for (size_t g = 0; g < rows.n && r == 0; g++)
        r = row_cells(s, g, &pair, arena, &rows.cells[g * n_cells], &rows.n_cut);
    if (r == 0)
        *ret = rows;
    return r > 0 ? xt_error_origin(-ENOMEM) : r;
}

/* ------------------------------------------------------------------------------------------------ run */

/* Neither filter nor time leave a row out. */
static bool is_of_all(const xt_walk *walk)
{
    if (!xt_filter_is_all(walk->query->filter) || walk->query->noise != XT_NOISE_SHOW ||
        xt_scan_info_get(walk->scan).n_parts_skipped)
        return false;
    for (size_t i = 0; i < xt_scan_parts(walk->scan); i++) {
        const xt_zone *zone = xt_scan_zone(walk->scan, i);
        if (zone->min_ms < walk->from_ms || zone->max_ms > walk->to_ms)
            return false;
    }
    return true;
}

static int plan_make(stats_plan *plan, const xt_query *query, const xt_walk *walk)
{
    const xt_stage *stage = plan->stage;
    size_t n = 0, max_bytes = query->max_memory_bytes ? query->max_memory_bytes : XT_QUERY_MEMORY_BYTES;
    xt_query_key keys[XT_KEYS_MAX];

    _Static_assert(XT_PIPE_MAX_BY + XT_PIPE_MAX_STATS <= XT_KEYS_MAX, "each column may need a key");
    for (size_t k = 0; k < stage->n_keys; k++)
        keys[n++] = (xt_query_key){stage->keys[k].of->id, stage->keys[k].bin_ms};
    plan->only_counts = true;
    for (size_t i = 0; i < stage->n_stats; i++)
        plan->only_counts &= !stage->stats[i].of;
    for (size_t i = 0; i < stage->n_stats; i++)
        if (stage->stats[i].of && xt_stat_needs_values(&stage->stats[i])) {
            plan->key_of[i] = n;
            keys[n++] = (xt_query_key){stage->stats[i].of->id, 0};
        }
    plan->n_by = stage->n_keys;
    int r = xt_keys_new(keys, n, xt_scan_sources(walk->scan), max_bytes, &plan->keys);
    if (r == 0 && is_of_all(walk))
        xt_keys_want_all(plan->keys);
    return r;
}

static int run(xt_walk *walk, const stats_plan *plan, stats_state *states, xt_problem *problem)
{
    void *pointers[XT_WALK_MAX_THREADS];

    assert(walk->n_threads > 0);
    for (unsigned i = 0; i < walk->n_threads; i++) {
        states[i] = (stats_state){.plan = plan, .groups = {.keys = plan->keys}, .pairs = {.keys = plan->keys}};
        pointers[i] = &states[i];
    }
    walk->fields = xt_keys_fields(plan->keys);
    for (size_t i = 0; i < plan->stage->n_stats; i++)
        if (plan->stage->stats[i].of)
            xt_field_set_add_all(&walk->fields, xt_field_sources(plan->stage->stats[i].of->id));
    int r = xt_walk_run(walk, take_part, pointers, problem);
    return r ? r : merge(walk, states);
}

static void states_free(stats_state *states)
{
    for (unsigned i = 0; states && i < XT_WALK_MAX_THREADS; i++) {
        xt_groups_fini(&states[i].groups);
        xt_pairs_fini(&states[i].pairs);
        free(states[i].states);
    }
    free(states);
}

int xt_stats_parts(xt_store *store, const xt_query *query, const xt_stage *stage, xt_arena *arena, xt_stats_rows *ret,
                   xt_answer *ret_answer, xt_problem *reterr_problem)
{
    xt_walk walk = {.store = store, .query = query, .from_ms = query->from_ms, .to_ms = query->to_ms};
    xt_answer answer = {.took_us = -xt_walk_now_us()};
    stats_plan plan = {.stage = stage};
    stats_state *states = calloc(XT_WALK_MAX_THREADS, sizeof *states);
    int r = states ? xt_walk_open(&walk, reterr_problem) : xt_error_origin(-ENOMEM);

    if (r == 0)
        r = plan_make(&plan, query, &walk);
    if (r == 0)
        r = run(&walk, &plan, states, reterr_problem);
    answer.cost.finish_us -= xt_walk_now_us();
    if (r == 0)
        r = give_rows(&states[0], arena, ret);
    answer.cost.finish_us += xt_walk_now_us();
    if (r == 0)
        answer.n_matched = xt_walk_matched(&walk);
    xt_walk_close(&walk, &answer);
    states_free(states);
    xt_keys_free(plan.keys);
    answer.took_us += xt_walk_now_us();
    if (r == 0)
        *ret_answer = answer;
    return r;
}

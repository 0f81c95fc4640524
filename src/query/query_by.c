/*
 * Groups are counted on codes: per block each field gives a code per row (that of its dictionary, or of a small one
 * made here for numbers), a tuple of codes is one number, and its rows are counted in an array or a hash table. Only
 * the distinct tuples of a block become text: they are translated to values that are the same for all blocks
 * (interned, so that a pointer is the value) and added to the groups. A list counts for each of its distinct items.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "query/field_values.h"
#include "query/walk.h"

#define BY_MAX_BYTES (512u << 20)
#define BY_DENSE     65536 /* tuples of a block that an array holds */

/* A distinct value of one field: its address is what groups are keyed by. */
typedef struct value {
    xt_slice text;
} value;

typedef struct group {
    const value *values[XT_QUERY_MAX_BY];
    uint64_t count;
} group;

typedef struct values {
    const value **items;
    size_t n;
} values;

/* One field of one block. */
typedef struct by_column {
    xt_field field;
    const xt_column *column;
    const uint32_t *codes; /* NULL: absent throughout */
    uint32_t n_codes;      /* with 0, absent */
    uint64_t *numbers;     /* of a dictionary made here: number of code - 1 */
    const xt_slice *texts; /* or its texts */
    values *translated;    /* per code, when it was met */
} by_column;

typedef struct grouping {
    xt_walk walk;
    by_column by[XT_QUERY_MAX_BY];
    size_t n_by;
    xt_map interned[XT_QUERY_MAX_BY];
    xt_map groups;
    group **list;
    size_t n_list, cap_list;
    xt_arena arena; /* values and groups: as long as the query */
    bool full;
} grouping;

static const value absent = {{NULL, 0}};

/* ------------------------------------------------------------------------------------------------ codes of a block */

typedef struct number_slot {
    uint64_t number;
    uint32_t code; /* 0: free */
} number_slot;

static size_t table_size(uint64_t n)
{
    size_t size = 64;

    while (size < 2 * n)
        size *= 2;
    return size;
}

static uint64_t mix(uint64_t v)
{
    v *= UINT64_C(0x9e3779b97f4a7c15);
    return v ^ v >> 29;
}

static bool is_present(const xt_column *column, uint32_t row)
{
    return !column->present || (column->present[row / 8] >> row % 8 & 1);
}

static uint32_t number_code(number_slot *slots, size_t size, by_column *by, uint64_t number)
{
    size_t i = mix(number) & (size - 1);

    while (slots[i].code && slots[i].number != number)
        i = (i + 1) & (size - 1);
    if (!slots[i].code) {
        slots[i] = (number_slot){number, by->n_codes++};
        by->numbers[slots[i].code - 1] = number;
    }
    return slots[i].code;
}

/* A dictionary of the numbers of the rows that count. */
static int encode_numbers(grouping *g, by_column *by)
{
    const xt_walk *walk = &g->walk;
    size_t size = table_size(walk->n_rows);
    number_slot *slots = xt_arena_array(&g->walk.arena, size, sizeof *slots);
    uint32_t *codes = xt_arena_array(&g->walk.arena, walk->block->n_rows, sizeof *codes);

    by->numbers = xt_arena_array(&g->walk.arena, walk->n_rows, sizeof *by->numbers);
    if (!slots || !codes || !by->numbers)
        return xt_error_origin(-ENOMEM);
    by->n_codes = 1;
    for (uint32_t row = xt_walk_row(walk, 0); row < walk->block->n_rows; row = xt_walk_row(walk, row + 1))
        if (is_present(by->column, row))
            codes[row] = number_code(slots, size, by, by->column->numbers[row]);
    by->codes = codes;
    return 0;
}

/* event.id and entity ids: each row's own text. */
static int encode_derived(grouping *g, by_column *by)
{
    const xt_walk *walk = &g->walk;
    xt_arena *arena = &g->walk.arena;
    uint32_t *codes = xt_arena_array(arena, walk->block->n_rows, sizeof *codes);
    xt_slice *texts = xt_arena_array(arena, walk->n_rows, sizeof *texts);
    xt_field_set wanted = {{0, 0}};
    xt_event event;

    if (!codes || !texts)
        return xt_error_origin(-ENOMEM);
    xt_field_set_add(&wanted, by->field);
    by->n_codes = 1;
    for (uint32_t row = xt_walk_row(walk, 0); row < walk->block->n_rows; row = xt_walk_row(walk, row + 1)) {
        xt_block_event(walk->block, row, &event);
        int r = xt_event_derive(&event, wanted, arena);
        if (r)
            return xt_error_trace(r);
        if (!xt_event_has(&event, by->field))
            continue;
        texts[by->n_codes - 1] = event.values[by->field].bytes;
        codes[row] = by->n_codes++;
    }
    by->codes = codes;
    by->texts = texts;
    return 0;
}

static xt_field stored_field(xt_field field)
{
    return field == XT_F_CMD || field == XT_F_ARGC ? XT_F_ARGS : field == XT_F_PATH ? XT_F_PATHS : field;
}

static int load_column(grouping *g, by_column *by)
{
    int r = 0;

    *by = (by_column){.field = by->field, .n_codes = 1};
    by->column = xt_walk_column(&g->walk, stored_field(by->field));
    if (by->field == XT_F_EVENT_ID || by->field == XT_F_ENTITY) {
        r = encode_derived(g, by);
    } else if (by->column && by->column->kind == XT_COLUMN_NUMBERS) {
        r = encode_numbers(g, by);
    } else if (by->column) {
        by->codes = by->column->codes;
        by->texts = by->column->dict;
        by->n_codes = by->column->n_dict + 1;
    }
    if (r)
        return xt_error_trace(r);
    by->translated = xt_arena_array(&g->walk.arena, by->n_codes, sizeof *by->translated);
    return by->translated ? 0 : xt_error_origin(-ENOMEM);
}

/* ------------------------------------------------------------------------------------------------ translation */

static int intern(grouping *g, size_t k, xt_slice text, const value **ret)
{
    value *found = xt_map_find(&g->interned[k], text);

    if (!found) {
        found = xt_arena_new(&g->arena, value);
        xt_slice copy = xt_arena_copy(&g->arena, text);
        if (!found || !copy.p)
            return xt_error_origin(-ENOMEM);
        found->text = copy;
        int r = xt_map_put(&g->interned[k], copy, found, NULL);
        if (r)
            return xt_error_trace(r);
    }
    *ret = found;
    return 0;
}

static int values_of_code(grouping *g, const by_column *by, uint32_t code, xt_slice **ret, size_t *ret_n)
{
    xt_arena *arena = &g->walk.arena;

    if (!by->numbers)
        return xt_field_values(by->field, by->texts[code - 1], arena, ret, ret_n);
    *ret = xt_arena_new(arena, xt_slice);
    *ret_n = 1;
    return *ret ? xt_field_number_text(by->field, by->numbers[code - 1], arena, *ret) : xt_error_origin(-ENOMEM);
}

static int translate(grouping *g, size_t k, uint32_t code)
{
    by_column *by = &g->by[k];
    values *out = &by->translated[code];
    xt_slice *texts = NULL;
    size_t n = 0;

    if (out->items)
        return 0;
    int r = code ? values_of_code(g, by, code, &texts, &n) : 0;
    if (r)
        return xt_error_trace(r);
    out->items = xt_arena_array(&g->walk.arena, n + 1, sizeof *out->items);
    if (!out->items)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < n && r == 0; i++)
        r = intern(g, k, texts[i], &out->items[i]);
    out->n = n;
    if (n == 0)
        out->items[out->n++] = &absent;
    return xt_error_trace(r);
}

static int list_append(grouping *g, group *new)
{
    if (g->n_list == g->cap_list) {
        size_t cap = g->cap_list ? 2 * g->cap_list : 256;
        group **list = realloc(g->list, cap * sizeof(*list));
        if (!list)
            return xt_error_origin(-ENOMEM);
        g->list = list;
        g->cap_list = cap;
    }
    g->list[g->n_list++] = new;
    return 0;
}

/* A new group when there is room; what does not find room makes the answer partial. */
static int add_count(grouping *g, const group *key, uint64_t count)
{
    xt_slice bytes = xt_slice_of(key->values, sizeof key->values);
    group *found = xt_map_find(&g->groups, bytes);

    if (!found && (g->full || g->n_list == XT_QUERY_MAX_GROUPS)) {
        g->full = true;
        return 0;
    }
    if (!found) {
        found = xt_arena_new(&g->arena, group);
        if (!found)
            return xt_error_origin(-ENOMEM);
        *found = *key;
        found->count = 0;
        int r = xt_map_put(&g->groups, xt_slice_of(found->values, sizeof found->values), found, NULL);
        if (r == 0)
            r = list_append(g, found);
        if (r)
            return xt_error_trace(r);
    }
    found->count += count;
    return 0;
}

/* Every combination of the values of the fields from k on. */
static int add_tuples(grouping *g, const uint32_t *codes, size_t k, group *key, uint64_t count)
{
    if (k == g->n_by)
        return add_count(g, key, count);
    int r = translate(g, k, codes[k]);
    const values *of = &g->by[k].translated[codes[k]];
    for (size_t i = 0; r == 0 && i < of->n; i++) {
        key->values[k] = of->items[i];
        r = add_tuples(g, codes, k + 1, key, count);
    }
    return xt_error_trace(r);
}

static int add_tuple(grouping *g, uint64_t tuple, uint64_t count)
{
    uint32_t codes[XT_QUERY_MAX_BY] = {0};
    group key = {.count = 0};

    for (size_t k = g->n_by; k-- > 0;) {
        codes[k] = (uint32_t)(tuple % g->by[k].n_codes);
        tuple /= g->by[k].n_codes;
    }
    return add_tuples(g, codes, 0, &key, count);
}

/* ------------------------------------------------------------------------------------------------ counting */

static uint64_t tuple_of(const grouping *g, uint32_t row)
{
    uint64_t tuple = 0;

    for (size_t k = 0; k < g->n_by; k++)
        tuple = tuple * g->by[k].n_codes + (g->by[k].codes ? g->by[k].codes[row] : 0);
    return tuple;
}

static int count_dense(grouping *g, uint64_t n_tuples)
{
    const xt_walk *walk = &g->walk;
    uint32_t *counts = xt_arena_array(&g->walk.arena, n_tuples, sizeof *counts);
    const uint32_t *codes = g->by[0].codes;
    int r = 0;

    if (!counts)
        return xt_error_origin(-ENOMEM);
    if (g->n_by == 1 && codes && walk->n_rows == walk->block->n_rows)
        for (uint32_t row = 0; row < walk->block->n_rows; row++)
            counts[codes[row]]++;
    else
        for (uint32_t row = xt_walk_row(walk, 0); row < walk->block->n_rows; row = xt_walk_row(walk, row + 1))
            counts[tuple_of(g, row)]++;
    for (uint64_t i = 0; i < n_tuples && r == 0; i++)
        if (counts[i])
            r = add_tuple(g, i, counts[i]);
    return xt_error_trace(r);
}

typedef struct tuple_slot {
    uint64_t tuple;
    uint64_t count; /* 0: free */
} tuple_slot;

static int count_hashed(grouping *g)
{
    const xt_walk *walk = &g->walk;
    size_t size = table_size(walk->n_rows);
    tuple_slot *slots = xt_arena_array(&g->walk.arena, size, sizeof *slots);
    int r = 0;

    if (!slots)
        return xt_error_origin(-ENOMEM);
    for (uint32_t row = xt_walk_row(walk, 0); row < walk->block->n_rows; row = xt_walk_row(walk, row + 1)) {
        uint64_t tuple = tuple_of(g, row);
        size_t i = mix(tuple) & (size - 1);
        while (slots[i].count && slots[i].tuple != tuple)
            i = (i + 1) & (size - 1);
        slots[i].tuple = tuple;
        slots[i].count++;
    }
    for (size_t i = 0; i < size && r == 0; i++)
        if (slots[i].count)
            r = add_tuple(g, slots[i].tuple, slots[i].count);
    return xt_error_trace(r);
}

/* n_codes are at most 2^15 + 1 of a row group, so that four of them make less than 2^64. */
static int count_block(grouping *g)
{
    uint64_t n_tuples = 1;
    int r = 0;

    for (size_t k = 0; k < g->n_by && r == 0; k++) {
        r = load_column(g, &g->by[k]);
        if (__builtin_mul_overflow(n_tuples, g->by[k].n_codes, &n_tuples))
            return xt_error_origin(-EOVERFLOW);
    }
    if (r)
        return xt_error_trace(r);
    return n_tuples <= BY_DENSE ? count_dense(g, n_tuples) : count_hashed(g);
}

/* ------------------------------------------------------------------------------------------------ answer */

static int cmp_values(const group *a, const group *b)
{
    for (size_t k = 0; k < XT_QUERY_MAX_BY && a->values[k]; k++) {
        if (a->values[k] == b->values[k])
            continue;
        bool no_a = a->values[k] == &absent, no_b = b->values[k] == &absent;
        return no_a || no_b ? no_a - no_b : xt_slice_cmp(a->values[k]->text, b->values[k]->text);
    }
    return 0;
}

static int by_count(const void *x, const void *y)
{
    const group *a = *(group *const *)x, *b = *(group *const *)y;

    return a->count != b->count ? (a->count > b->count ? -1 : 1) : cmp_values(a, b);
}

static int give_groups(grouping *g, uint64_t limit, xt_arena *arena, xt_query_group **ret, size_t *ret_n,
                       xt_answer *answer)
{
    size_t n = limit && limit < g->n_list ? (size_t)limit : g->n_list;
    xt_query_group *out = xt_arena_array(arena, n + 1, sizeof *out);

    if (!out)
        return xt_error_origin(-ENOMEM);
    if (g->n_list)
        qsort(g->list, g->n_list, sizeof(*g->list), by_count);
    for (size_t i = 0; i < n; i++) {
        out[i].count = g->list[i]->count;
        for (size_t k = 0; k < g->n_by; k++) {
            if (g->list[i]->values[k] == &absent)
                continue;
            out[i].values[k] = xt_arena_copy(arena, g->list[i]->values[k]->text);
            if (!out[i].values[k].p)
                return xt_error_origin(-ENOMEM);
        }
    }
    answer->truncated = n < g->n_list;
    answer->partial |= g->full;
    *ret = out;
    *ret_n = n;
    return 0;
}

static int check_fields(const xt_field *by, size_t n_by, xt_problem *problem)
{
    assert(n_by >= 1 && n_by <= XT_QUERY_MAX_BY);
    for (size_t k = 0; k < n_by; k++) {
        const xt_field_info *info = xt_field_find(by[k]);
        if (info && info->type != XT_RECORDS && info->type != XT_PATHS)
            continue;
        xt_problem_set(problem, "events cannot be counted by %s", info ? info->name : "this field");
        return XT_KQL_E_SYNTAX;
    }
    return 0;
}

static void grouping_fini(grouping *g)
{
    xt_map_fini(&g->groups);
    for (size_t k = 0; k < XT_QUERY_MAX_BY; k++)
        xt_map_fini(&g->interned[k]);
    free(g->list);
    xt_arena_fini(&g->arena);
}

int xt_query_by(xt_store *store, const xt_query *query, const xt_field *by, size_t n_by, uint64_t limit,
                xt_arena *arena, xt_query_group **ret, size_t *ret_n, xt_answer *ret_answer, xt_problem *reterr_problem)
{
    grouping g = {.walk = {.store = store, .query = query, .from_ms = query->from_ms, .to_ms = query->to_ms},
                  .n_by = n_by};
    xt_answer answer = {.took_us = -xt_walk_now_us()};
    int r = check_fields(by, n_by, reterr_problem);

    if (r)
        return r;
    xt_arena_init(&g.arena, BY_MAX_BYTES);
    for (size_t k = 0; k < n_by; k++) {
        g.by[k].field = by[k];
        xt_field_set_add_all(&g.walk.fields, xt_field_sources(by[k]));
    }
    r = xt_walk_open(&g.walk, reterr_problem);
    while (r == 0 && (r = xt_walk_next(&g.walk, reterr_problem)) == 0 && g.walk.block) {
        answer.n_matched += g.walk.n_rows;
        if (g.walk.n_rows)
            r = count_block(&g);
    }
    xt_walk_close(&g.walk, &answer);
    if (r == 0)
        r = give_groups(&g, limit, arena, ret, ret_n, &answer);
    grouping_fini(&g);
    answer.took_us += xt_walk_now_us();
    if (r == 0)
        *ret_answer = answer;
    return r;
}

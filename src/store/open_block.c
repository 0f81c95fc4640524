/*
 * A block only grows: arrays of codes and numbers are filled behind the last row that a view shows, and an array that
 * must grow is copied while the old one stays for the views that have it. So one tail block serves batches of one
 * event as well as of thousands, without merging, and a view costs the column heads and the bitmaps of presence
 * (whose last byte the writer would else share with readers).
 *
 * Arrays start small and grow eightfold, which wastes at most a seventh on what is left behind. They come zeroed, and
 * zero is absent, so that a column needs no work for rows that do not have it.
 *
 * The dictionary's table keeps 32 bits of a seeded hash beside the code; a value equal to that of the row before is
 * found without hashing, which is most of what audit events have.
 */
#include "store/open_block.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <xxhash.h>

#define FIRST_CAP      64u
#define GROWTH         8u
#define FIRST_SLOTS    64u
#define ROW_TEXT_BYTES 16 /* what an entry costs beside its text, roughly */

typedef struct open_column {
    uint8_t kind; /* XT_COLUMN_* */
    bool is_signed;
    uint32_t cap;       /* rows that the array has room for */
    uint32_t n_present; /* rows that have a value */
    uint32_t last_code;
    uint32_t *codes;
    uint64_t *numbers;
    uint8_t *present; /* of NUMBERS */
    xt_slice *dict;
    uint32_t n_dict, cap_dict;
    uint64_t min, max;
} open_column;

typedef struct slot {
    uint32_t hash;
    uint32_t code; /* 0: free */
} slot;

typedef struct slot_table {
    slot *slots;
    uint32_t n_slots; /* a power of two, or 0 */
} slot_table;

typedef struct block_state {
    uint32_t n_rows;
    int64_t min_ms, max_ms;
    size_t text_bytes;
    open_column columns[XT_F_END];
} block_state;

struct xt_open_block {
    _Atomic(uint32_t) n_refs;
    uint64_t first_arrival, seed;
    bool closed; /* takes no more rows */
    xt_arena arena;
    block_state state;
    slot_table tables[XT_F_END];
};

struct xt_open_mark {
    block_state state;
};

xt_open_block *xt_open_block_new(uint64_t first_arrival, uint64_t seed)
{
    xt_open_block *block = calloc(1, sizeof *block);

    if (!block)
        return NULL;
    atomic_init(&block->n_refs, 1);
    block->first_arrival = first_arrival;
    block->seed = seed;
    xt_arena_init(&block->arena, SIZE_MAX);
    return block;
}

void xt_open_block_close(xt_open_block *block)
{
    block->closed = true;
    for (unsigned f = 0; f < XT_F_END; f++) {
        free(block->tables[f].slots);
        block->tables[f] = (slot_table){0};
    }
}

xt_open_block *xt_open_block_unref(xt_open_block *block)
{
    if (block && atomic_fetch_sub_explicit(&block->n_refs, 1, memory_order_acq_rel) == 1) {
        xt_open_block_close(block);
        xt_arena_fini(&block->arena);
        free(block);
    }
    return NULL;
}

uint32_t xt_open_block_rows(const xt_open_block *block)
{
    return block->state.n_rows;
}

size_t xt_open_block_bytes(const xt_open_block *block)
{
    size_t n = block->arena.used_bytes;

    for (unsigned f = 0; f < XT_F_END; f++)
        n += block->tables[f].n_slots * sizeof(slot);
    return n;
}

bool xt_open_block_is_full(const xt_open_block *block)
{
    return block->closed || block->state.n_rows >= XT_STORE_GROUP_ROWS ||
           block->state.text_bytes >= XT_OPEN_BLOCK_MAX_BYTES;
}

/* ------------------------------------------------------------------------------------------------ growing */

static void *grown(xt_arena *arena, const void *old, size_t n_old, size_t n_new, size_t each_bytes)
{
    void *p = xt_arena_array(arena, n_new, each_bytes);

    if (p && n_old)
        memcpy(p, old, n_old * each_bytes);
    return p;
}

/* Room for n rows in the column's arrays. */
static int column_grow(xt_open_block *block, open_column *column, uint32_t n)
{
    uint32_t cap = column->cap ? column->cap : FIRST_CAP;

    while (cap < n)
        cap *= GROWTH;
    if (cap > XT_STORE_GROUP_ROWS)
        cap = XT_STORE_GROUP_ROWS;
    if (column->kind == XT_COLUMN_CODES) {
        uint32_t *codes = grown(&block->arena, column->codes, column->cap, cap, sizeof *codes);
        if (!codes)
            return -ENOMEM;
        column->codes = codes;
    } else {
        uint64_t *numbers = grown(&block->arena, column->numbers, column->cap, cap, sizeof *numbers);
        uint8_t *present = grown(&block->arena, column->present, column->cap / 8, cap / 8, 1);
        if (!numbers || !present)
            return -ENOMEM;
        column->numbers = numbers;
        column->present = present;
    }
    column->cap = cap;
    return 0;
}

static int dict_grow(xt_open_block *block, open_column *column)
{
    uint32_t cap = column->cap_dict ? column->cap_dict * GROWTH : FIRST_CAP;
    xt_slice *dict = grown(&block->arena, column->dict, column->n_dict, cap, sizeof *dict);

    if (!dict)
        return -ENOMEM;
    column->dict = dict;
    column->cap_dict = cap;
    return 0;
}

static uint32_t hash_of(const xt_open_block *block, xt_slice s)
{
    return (uint32_t)XXH3_64bits_withSeed(s.p, s.n, block->seed);
}

static void slot_put(slot_table *table, slot new)
{
    uint32_t mask = table->n_slots - 1, i = new.hash &mask;

    while (table->slots[i].code)
        i = (i + 1) & mask;
    table->slots[i] = new;
}

/* A table with room for n entries at most half full; keeps what the old one held. */
static int table_grow(slot_table *table, uint32_t n)
{
    uint32_t n_slots = table->n_slots ? table->n_slots : FIRST_SLOTS;

    while (n_slots / 2 < n)
        n_slots *= 2;
    slot_table bigger = {calloc(n_slots, sizeof(slot)), n_slots};
    if (!bigger.slots)
        return -ENOMEM;
    for (uint32_t i = 0; i < table->n_slots; i++)
        if (table->slots[i].code)
            slot_put(&bigger, table->slots[i]);
    free(table->slots);
    *table = bigger;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ adding */

static uint32_t dict_find(const open_column *column, const slot_table *table, uint32_t hash, xt_slice value)
{
    uint32_t mask = table->n_slots - 1;

    if (!table->n_slots)
        return 0;
    for (uint32_t i = hash & mask; table->slots[i].code; i = (i + 1) & mask)
        if (table->slots[i].hash == hash && xt_slice_eq(column->dict[table->slots[i].code - 1], value))
            return table->slots[i].code;
    return 0;
}

static int dict_add(xt_open_block *block, open_column *column, slot_table *table, uint32_t hash, xt_slice value)
{
    if (column->n_dict == column->cap_dict && dict_grow(block, column) < 0)
        return -ENOMEM;
    if (column->n_dict >= table->n_slots / 2 && table_grow(table, column->n_dict + 1) < 0)
        return -ENOMEM;
    char *p = xt_arena_alloc(&block->arena, value.n);
    if (!p)
        return -ENOMEM;
    if (value.n)
        memcpy(p, value.p, value.n);
    column->dict[column->n_dict++] = xt_slice_of(p, value.n);
    slot_put(table, (slot){hash, column->n_dict});
    block->state.text_bytes += value.n + ROW_TEXT_BYTES;
    return 0;
}

static int column_add_bytes(xt_open_block *block, xt_field f, uint32_t row, xt_slice value)
{
    open_column *column = &block->state.columns[f];
    slot_table *table = &block->tables[f];

    column->kind = XT_COLUMN_CODES;
    if (row >= column->cap && column_grow(block, column, row + 1) < 0)
        return -ENOMEM;
    uint32_t code = column->last_code;
    if (!code || !xt_slice_eq(column->dict[code - 1], value)) {
        uint32_t hash = hash_of(block, value);
        code = dict_find(column, table, hash, value);
        if (!code) {
            if (dict_add(block, column, table, hash, value) < 0)
                return -ENOMEM;
            code = column->n_dict;
        }
    }
    column->codes[row] = column->last_code = code;
    column->n_present++;
    return 0;
}

static int column_add_number(xt_open_block *block, const xt_field_info *info, uint32_t row, uint64_t v)
{
    open_column *column = &block->state.columns[info->id];

    if (column->kind == XT_COLUMN_ABSENT) {
        column->kind = XT_COLUMN_NUMBERS;
        column->is_signed = info->type != XT_UINT;
        column->min = column->max = v;
    }
    if (row >= column->cap && column_grow(block, column, row + 1) < 0)
        return -ENOMEM;
    column->numbers[row] = v;
    column->present[row / 8] |= (uint8_t)(1u << row % 8);
    column->n_present++;
    uint64_t flip = (uint64_t)column->is_signed << 63; /* makes two's complement order as unsigned */
    if ((v ^ flip) < (column->min ^ flip))
        column->min = v;
    if ((v ^ flip) > (column->max ^ flip))
        column->max = v;
    return 0;
}

static int column_add(xt_open_block *block, const xt_event *event, unsigned f)
{
    const xt_field_info *info = xt_field_find(f);

    if (!info || info->flags & XT_VIRTUAL)
        return 0;
    if (info->type == XT_TIME || info->type == XT_UINT || info->type == XT_INT)
        return column_add_number(block, info, block->state.n_rows, event->values[f].num);
    return column_add_bytes(block, info->id, block->state.n_rows, event->values[f].bytes);
}

int xt_open_block_add(xt_open_block *block, const xt_event *event)
{
    int64_t time_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0);

    assert(!xt_open_block_is_full(block));
    for (unsigned word = 0; word < XT_COUNT_OF(event->present.bits); word++)
        for (uint64_t bits = event->present.bits[word]; bits; bits &= bits - 1) {
            unsigned f = word * 64 + (unsigned)__builtin_ctzll(bits);
            if (f < XT_F_END && column_add(block, event, f) < 0)
                return xt_error_origin(-ENOMEM);
        }
    block_state *state = &block->state;
    if (state->n_rows == 0 || time_ms < state->min_ms)
        state->min_ms = time_ms;
    if (state->n_rows == 0 || time_ms > state->max_ms)
        state->max_ms = time_ms;
    state->n_rows++;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ going back */

xt_open_mark *xt_open_mark_new(const xt_open_block *block)
{
    xt_open_mark *mark = malloc(sizeof *mark);

    if (mark)
        xt_open_mark_set(mark, block);
    return mark;
}

xt_open_mark *xt_open_mark_free(xt_open_mark *mark)
{
    free(mark);
    return NULL;
}

void xt_open_mark_set(xt_open_mark *mark, const xt_open_block *block)
{
    mark->state = block->state;
}

/* Makes the rows from n on absent again, in the arrays that the column had then. */
static void column_clear_from(open_column *column, uint32_t n)
{
    if (n >= column->cap)
        return;
    if (column->codes)
        memset(column->codes + n, 0, (column->cap - n) * sizeof *column->codes);
    if (column->numbers)
        memset(column->numbers + n, 0, (column->cap - n) * sizeof *column->numbers);
    if (column->present) {
        column->present[n / 8] &= (uint8_t)((1u << n % 8) - 1);
        memset(column->present + n / 8 + 1, 0, column->cap / 8 - n / 8 - 1);
    }
}

static int table_rebuild(const xt_open_block *block, const open_column *column, slot_table *table)
{
    free(table->slots);
    *table = (slot_table){0};
    if (!column->n_dict)
        return 0;
    if (table_grow(table, column->n_dict) < 0)
        return -ENOMEM;
    for (uint32_t i = 0; i < column->n_dict; i++)
        slot_put(table, (slot){hash_of(block, column->dict[i]), i + 1});
    return 0;
}

void xt_open_block_back(xt_open_block *block, const xt_open_mark *mark)
{
    bool was_closed = block->closed;

    block->closed = false;
    for (unsigned f = 0; f < XT_F_END; f++) {
        uint32_t n_dict = block->state.columns[f].n_dict;
        open_column *column = &block->state.columns[f];
        *column = mark->state.columns[f];
        column_clear_from(column, mark->state.n_rows);
        if ((was_closed || n_dict != column->n_dict) && table_rebuild(block, column, &block->tables[f]) < 0)
            block->closed = true; /* without its table a dictionary cannot grow */
    }
    block->state.n_rows = mark->state.n_rows;
    block->state.min_ms = mark->state.min_ms;
    block->state.max_ms = mark->state.max_ms;
    block->state.text_bytes = mark->state.text_bytes;
}

/* ------------------------------------------------------------------------------------------------ views */

static size_t present_bytes(uint32_t n_rows)
{
    return (n_rows + 7) / 8;
}

/* The head of one column as it is now; a bitmap that is needed is copied to *bitmap, which moves on. */
static xt_open_column column_view(const open_column *column, uint32_t n_rows, uint8_t **bitmap)
{
    xt_open_column out = {.kind = column->kind};

    if (column->kind == XT_COLUMN_CODES) {
        out.codes = column->codes;
        out.dict = column->dict;
        out.n_dict = column->n_dict;
    } else if (column->kind == XT_COLUMN_NUMBERS) {
        out.numbers = column->numbers;
        if (column->n_present < n_rows) {
            memcpy(*bitmap, column->present, present_bytes(n_rows));
            out.present = *bitmap;
            *bitmap += present_bytes(n_rows);
        }
    }
    return out;
}

/* Makes every column's array reach the last row; counts the bitmaps that a view needs. */
static int columns_level(xt_open_block *block, size_t *ret_n_bitmaps)
{
    uint32_t n_rows = block->state.n_rows;
    size_t n = 0;

    for (unsigned f = 0; f < XT_F_END; f++) {
        open_column *column = &block->state.columns[f];
        if (column->kind == XT_COLUMN_ABSENT)
            continue;
        if (column->cap < n_rows && column_grow(block, column, n_rows) < 0)
            return -ENOMEM;
        n += column->kind == XT_COLUMN_NUMBERS && column->n_present < n_rows;
    }
    *ret_n_bitmaps = n;
    return 0;
}

xt_open_view *xt_open_view_new(xt_open_block *block)
{
    const block_state *state = &block->state;
    size_t n_bitmaps;

    if (columns_level(block, &n_bitmaps) < 0)
        return NULL;
    xt_open_view *view = malloc(sizeof *view + n_bitmaps * present_bytes(state->n_rows));
    if (!view)
        return NULL;
    uint8_t *bitmap = (uint8_t *)(view + 1);
    atomic_init(&view->n_refs, 1);
    atomic_fetch_add_explicit(&block->n_refs, 1, memory_order_relaxed);
    view->block = block;
    view->n_rows = state->n_rows;
    view->min_ms = state->min_ms;
    view->max_ms = state->max_ms;
    view->first_arrival = block->first_arrival;
    for (unsigned f = 0; f < XT_F_END; f++) {
        view->columns[f] = column_view(&state->columns[f], state->n_rows, &bitmap);
        view->min[f] = state->columns[f].min;
        view->max[f] = state->columns[f].max;
    }
    return view;
}

xt_open_view *xt_open_view_ref(xt_open_view *view)
{
    atomic_fetch_add_explicit(&view->n_refs, 1, memory_order_relaxed);
    return view;
}

xt_open_view *xt_open_view_unref(xt_open_view *view)
{
    if (view && atomic_fetch_sub_explicit(&view->n_refs, 1, memory_order_acq_rel) == 1) {
        xt_open_block_unref(view->block);
        free(view);
    }
    return NULL;
}

/*
 * What a dictionary's code stands for is kept per (key, source) in an array that all threads read without a lock; who
 * finds nothing there looks the entry up and enters it under the lock. Numbers get the codes of a dictionary that is
 * made for the part; binned times those of their bins.
 */
#include "query/keys.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/map.h"
#include "query/field_values.h"

#define MAX_BINS    4096 /* of a part, for which an array is used */
#define WHOLE_AFTER 4    /* a quarter of a dictionary one by one: then its chunks are entered whole */

typedef _Atomic(const xt_key_values *) known_value;

/* What the entries of a dictionary stand for, by code. */
typedef struct known_values {
    atomic_uint n_single; /* entered one by one */
    known_value values[];
} known_values;

struct xt_keys {
    xt_query_key keys[XT_KEYS_MAX];
    size_t n;
    uint32_t n_sources;
    size_t max_bytes;
    bool wants_all;
    _Atomic(size_t) n_bytes;
    pthread_mutex_t chunk_lock; /* a chunk of a dictionary is entered by one thread */
    pthread_mutex_t lock;       /* what follows */
    xt_arena arena;
    xt_map map; /* text -> its place in texts */
    xt_slice *texts;
    size_t n_texts, cap_texts;
    _Atomic(known_values *) known[]; /* by key and source: arrays by code in the dictionary */
};

int xt_keys_new(const xt_query_key *keys, size_t n, uint32_t n_sources, size_t max_bytes, xt_keys **ret)
{
    xt_keys *new = calloc(1, sizeof *new + n *n_sources * sizeof new->known[0]);

    if (!new)
        return xt_error_origin(-ENOMEM);
    memcpy(new->keys, keys, n * sizeof *keys);
    new->n = n;
    new->n_sources = n_sources;
    new->max_bytes = max_bytes;
    xt_arena_init(&new->arena, SIZE_MAX);
    pthread_mutex_init(&new->chunk_lock, NULL);
    pthread_mutex_init(&new->lock, NULL);
    *ret = new;
    return 0;
}

xt_keys *xt_keys_free(xt_keys *keys)
{
    if (keys) {
        for (size_t i = 0; i < keys->n * keys->n_sources; i++)
            free(atomic_load(&keys->known[i]));
        xt_map_fini(&keys->map);
        free(keys->texts);
        xt_arena_fini(&keys->arena);
        pthread_mutex_destroy(&keys->chunk_lock);
        pthread_mutex_destroy(&keys->lock);
        free(keys);
    }
    return NULL;
}

void xt_keys_want_all(xt_keys *keys)
{
    keys->wants_all = true;
}

bool xt_keys_charge(xt_keys *keys, size_t n_bytes)
{
    return atomic_fetch_add_explicit(&keys->n_bytes, n_bytes, memory_order_relaxed) + n_bytes <= keys->max_bytes;
}

xt_field_set xt_keys_fields(const xt_keys *keys)
{
    xt_field_set fields = {{0, 0}};

    for (size_t k = 0; k < keys->n; k++)
        xt_field_set_add_all(&fields, xt_field_sources(keys->keys[k].field));
    return fields;
}

static bool is_made_of_row(xt_field field)
{
    return field == XT_F_EVENT_ID || field == XT_F_ENTITY;
}

bool xt_keys_is_number(const xt_keys *keys, size_t k)
{
    const xt_field_info *info = xt_field_find(keys->keys[k].field);

    return info->id != XT_F_ARGC && (info->type == XT_UINT || info->type == XT_INT || info->type == XT_TIME);
}

/* ------------------------------------------------------------------------------------------------ codes of a part */

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

static uint32_t number_code(number_slot *slots, size_t size, xt_key_column *column, uint64_t number)
{
    uint64_t hash = number * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (hash ^ hash >> 29) & (size - 1);

    while (slots[i].code && slots[i].number != number)
        i = (i + 1) & (size - 1);
    if (!slots[i].code) {
        slots[i] = (number_slot){number, column->n_codes++};
        column->numbers[slots[i].code - 1] = number;
    }
    return slots[i].code;
}

/* A dictionary of the numbers of the rows that count. */
static int load_numbers(const xt_walk_part *part, xt_key_column *column)
{
    xt_walk_rows rows = xt_walk_rows_of(part);
    const xt_column *from = column->column;
    size_t size = table_size(part->n_rows);
    number_slot *slots = xt_arena_array(part->arena, size, sizeof *slots);
    uint32_t *codes = xt_arena_array(part->arena, part->zone->n_rows, sizeof *codes), last_code = 0;
    uint64_t last = 0;

    column->numbers = xt_arena_array(part->arena, part->n_rows, sizeof *column->numbers);
    if (!slots || !codes || !column->numbers)
        return xt_error_origin(-ENOMEM);
    for (uint32_t row; xt_walk_rows_next(&rows, &row);) {
        if (!xt_column_has(from, row))
            continue;
        if (!last_code || from->numbers[row] != last)
            last_code = number_code(slots, size, column, from->numbers[row]);
        last = from->numbers[row];
        codes[row] = last_code;
    }
    column->codes = codes;
    return 0;
}

static int64_t bin_of(int64_t t, int64_t bin_ms)
{
    int64_t rest = t % bin_ms;

    return t - (rest < 0 ? rest + bin_ms : rest);
}

/* Times of neighbours lie in one bin nearly always, so that a division is rare. */
static int load_bins(const xt_walk_part *part, int64_t bin_ms, xt_key_column *column)
{
    int64_t first = bin_of(part->zone->min_ms, bin_ms);
    uint64_t n_bins = (uint64_t)(part->zone->max_ms - first) / (uint64_t)bin_ms + 1;
    uint32_t *codes = xt_arena_array(part->arena, part->zone->n_rows, sizeof *codes), code = 1;
    const uint64_t *times = column->column->numbers;
    int64_t begin = first;

    column->numbers = xt_arena_array(part->arena, n_bins, sizeof *column->numbers);
    if (!codes || !column->numbers)
        return xt_error_origin(-ENOMEM);
    for (uint64_t i = 0; i < n_bins; i++)
        column->numbers[i] = (uint64_t)(first + (int64_t)i * bin_ms);
    for (uint32_t row = 0; row < part->zone->n_rows; row++) {
        int64_t t = (int64_t)times[row];
        if ((uint64_t)(t - begin) >= (uint64_t)bin_ms) {
            code = (uint32_t)((t - first) / bin_ms) + 1;
            begin = first + (int64_t)(code - 1) * bin_ms;
        }
        codes[row] = code;
    }
    column->codes = codes;
    column->n_codes = (uint32_t)n_bins + 1;
    return 0;
}

/* Many bins in one part: as any numbers. */
static int load_wide_bins(const xt_walk_part *part, int64_t bin_ms, xt_key_column *column)
{
    uint64_t *numbers = xt_arena_array(part->arena, part->zone->n_rows, sizeof *numbers);
    xt_column *binned = xt_arena_new(part->arena, xt_column);

    if (!numbers || !binned)
        return xt_error_origin(-ENOMEM);
    *binned = *column->column;
    for (uint32_t row = 0; row < part->zone->n_rows; row++)
        numbers[row] = (uint64_t)bin_of((int64_t)column->column->numbers[row], bin_ms);
    binned->numbers = numbers;
    column->column = binned;
    return load_numbers(part, column);
}

/* event.id and entity ids: each row's own text. */
static int load_derived(const xt_walk_part *part, xt_field field, xt_key_column *column)
{
    uint32_t *codes = xt_arena_array(part->arena, part->zone->n_rows, sizeof *codes);
    xt_field_set wanted = {{0, 0}};
    xt_event event;

    column->texts = xt_arena_array(part->arena, part->n_rows, sizeof *column->texts);
    if (!codes || !column->texts)
        return xt_error_origin(-ENOMEM);
    xt_field_set_add(&wanted, field);
    for (uint32_t row = xt_walk_row(part, 0); row < part->zone->n_rows; row = xt_walk_row(part, row + 1)) {
        int r = xt_scan_event(part->reader, row, xt_field_sources(field), part->arena, &event, part->problem);
        if (r == 0)
            r = xt_event_derive(&event, wanted, part->arena);
        if (r)
            return r;
        if (!xt_event_has(&event, field))
            continue;
        column->texts[column->n_codes - 1] = event.values[field].bytes;
        codes[row] = column->n_codes++;
    }
    column->codes = codes;
    return 0;
}

static xt_field stored_field(xt_field field)
{
    return field == XT_F_CMD || field == XT_F_ARGC ? XT_F_ARGS : field == XT_F_PATH ? XT_F_PATHS : field;
}

int xt_keys_load(const xt_keys *keys, const xt_walk_part *part, size_t k, xt_key_column *ret)
{
    const xt_query_key *key = &keys->keys[k];
    int r = 0;

    *ret = (xt_key_column){.k = k, .n_codes = 1};
    if (!is_made_of_row(key->field))
        r = xt_walk_column(part, stored_field(key->field), &ret->column);
    if (r)
        return r;
    if (is_made_of_row(key->field)) {
        r = load_derived(part, key->field, ret);
    } else if (ret->column && ret->column->kind == XT_COLUMN_CODES) {
        ret->codes = ret->column->codes;
        ret->n_codes = ret->column->n_values + 1;
    } else if (ret->column && key->bin_ms > 0 && key->field == XT_F_TIME) {
        bool few = (part->zone->max_ms - part->zone->min_ms) / key->bin_ms < MAX_BINS - 1;
        r = few && !ret->column->present ? load_bins(part, key->bin_ms, ret) : load_wide_bins(part, key->bin_ms, ret);
    } else if (ret->column) {
        r = load_numbers(part, ret);
    }
    if (r)
        return r;
    ret->known = xt_arena_array(part->arena, ret->n_codes, sizeof(*ret->known));
    return ret->known ? 0 : xt_error_origin(-ENOMEM);
}

/* ------------------------------------------------------------------------------------------------ values */

/* Under the lock: the place of the text among those met. */
static int text_enter(xt_keys *keys, xt_slice text, uint64_t *ret)
{
    uint64_t *place = xt_map_find(&keys->map, text);

    if (place) {
        *ret = *place;
        return 0;
    }
    if (!xt_keys_charge(keys, text.n + sizeof *place + 2 * sizeof(xt_slice) + 2 * sizeof(xt_map_entry)))
        return XT_KEYS_E_FULL;
    if (keys->n_texts == keys->cap_texts) {
        size_t cap = keys->cap_texts ? 2 * keys->cap_texts : 256;
        xt_slice *texts = realloc(keys->texts, cap * sizeof *texts);
        if (!texts)
            return xt_error_origin(-ENOMEM);
        keys->texts = texts;
        keys->cap_texts = cap;
    }
    xt_slice copy = xt_arena_copy(&keys->arena, text);
    place = xt_arena_new(&keys->arena, uint64_t);
    if (!copy.p || !place)
        return xt_error_origin(-ENOMEM);
    *ret = *place = keys->n_texts;
    keys->texts[keys->n_texts++] = copy;
    return xt_map_put(&keys->map, copy, place, NULL);
}

static int values_enter(xt_keys *keys, const xt_slice *texts, size_t n, const xt_key_values **ret)
{
    int r = xt_keys_charge(keys, sizeof **ret + n * sizeof(*ret)->items[0]) ? 0 : XT_KEYS_E_FULL;

    if (r)
        return r;
    pthread_mutex_lock(&keys->lock);
    xt_key_values *values = xt_arena_alloc(&keys->arena, sizeof *values + n * sizeof values->items[0]);
    if (!values)
        r = xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < n && r == 0; i++)
        r = text_enter(keys, texts[i], &values->items[i]);
    pthread_mutex_unlock(&keys->lock);
    if (r)
        return r;
    values->n = (uint32_t)n;
    *ret = values;
    return 0;
}

static known_values *known_of_source(xt_keys *keys, const xt_walk_part *part, const xt_key_column *column)
{
    _Atomic(known_values *) *place = &keys->known[column->k * keys->n_sources + part->zone->source];
    known_values *known = atomic_load(place);

    if (known)
        return known;
    size_t n_bytes = sizeof(known_values) + column->column->dict->n * sizeof(known_value);
    known_values *new = calloc(1, n_bytes);
    if (new && !atomic_compare_exchange_strong(place, &known, new)) {
        free(new);
        return known;
    }
    if (new)
        (void)xt_keys_charge(keys, n_bytes);
    return new;
}

static int entry_enter(xt_keys *keys, const xt_walk_part *part, size_t k, xt_slice entry, known_value *known)
{
    const xt_key_values *values;
    xt_slice *texts;
    size_t n;
    int r = xt_field_values(keys->keys[k].field, entry, part->arena, &texts, &n);

    if (r == 0)
        r = values_enter(keys, texts, n, &values);
    if (r == 0)
        atomic_store_explicit(known, values, memory_order_release);
    return r;
}

/* All entries of the chunk that holds the code: who wants all of a dictionary reads and unpacks each chunk once so. */
static int chunk_enter(xt_keys *keys, const xt_walk_part *part, const xt_key_column *column, uint32_t code,
                       known_value *known)
{
    const xt_dict *dict = column->column->dict;
    uint32_t chunk = 0, end = dict->n_chunks;
    const xt_slice *entries;

    while (end - chunk > 1) {
        uint32_t middle = chunk + (end - chunk) / 2;
        *(dict->firsts[middle] <= code ? &chunk : &end) = middle;
    }
    int r = xt_dict_chunk(part->reader, dict, chunk, &entries, part->problem);
    for (uint32_t i = dict->firsts[chunk]; r == 0 && i < dict->firsts[chunk + 1]; i++) {
        xt_arena_mark mark = xt_arena_mark_get(part->arena);
        if (!atomic_load_explicit(&known[i], memory_order_acquire))
            r = entry_enter(keys, part, column->k, entries[i - dict->firsts[chunk]], &known[i]);
        xt_arena_mark_reset(part->arena, mark);
    }
    return r;
}

/* What an entry of a dictionary stands for. */
static int values_of_entry(xt_keys *keys, const xt_walk_part *part, const xt_key_column *column, uint32_t local,
                           const xt_key_values **ret)
{
    known_values *known = known_of_source(keys, part, column);
    uint32_t code = xt_column_code(column->column, local);
    xt_slice entry;
    int r = 0;

    if (!known)
        return xt_error_origin(-ENOMEM);
    *ret = atomic_load_explicit(&known->values[code], memory_order_acquire);
    if (*ret)
        return 0;
    if (keys->wants_all || atomic_fetch_add(&known->n_single, 1) > column->column->dict->n / WHOLE_AFTER) {
        pthread_mutex_lock(&keys->chunk_lock);
        if (!atomic_load_explicit(&known->values[code], memory_order_acquire)) /* by another thread, meanwhile */
            r = chunk_enter(keys, part, column, code, known->values);
        pthread_mutex_unlock(&keys->chunk_lock);
    } else {
        xt_arena_mark mark = xt_arena_mark_get(part->arena);
        r = xt_dict_entry(part->reader, column->column->dict, code, part->arena, &entry, part->problem);
        if (r == 0)
            r = entry_enter(keys, part, column->k, entry, &known->values[code]);
        xt_arena_mark_reset(part->arena, mark);
    }
    *ret = atomic_load_explicit(&known->values[code], memory_order_acquire);
    return r;
}

static int value_of_number(const xt_walk_part *part, uint64_t number, const xt_key_values **ret)
{
    xt_key_values *values = xt_arena_alloc(part->arena, sizeof *values + sizeof values->items[0]);

    if (!values)
        return xt_error_origin(-ENOMEM);
    values->n = 1;
    values->items[0] = number;
    *ret = values;
    return 0;
}

int xt_keys_values(xt_keys *keys, const xt_walk_part *part, xt_key_column *column, uint32_t code,
                   const xt_key_values **ret)
{
    static const xt_key_values absent = {.n = 0};
    int r = 0;

    if (!column->known[code] && code == 0)
        column->known[code] = &absent;
    else if (!column->known[code] && column->numbers)
        r = value_of_number(part, column->numbers[code - 1], &column->known[code]);
    else if (!column->known[code] && column->texts)
        r = values_enter(keys, &column->texts[code - 1], 1, &column->known[code]);
    else if (!column->known[code])
        r = values_of_entry(keys, part, column, code, &column->known[code]);
    if (r == 0)
        *ret = column->known[code];
    return r;
}

xt_slice xt_keys_text(const xt_keys *keys, size_t k, uint64_t value, char *scratch)
{
    if (!xt_keys_is_number(keys, k))
        return keys->texts[value];
    return xt_field_number_write(keys->keys[k].field, value, scratch);
}

/*
 * A store in memory for tests of queries: events in arrival order, cut into parts of any size, so that parts overlap
 * in time as badly as the test likes. Neighbouring parts are one source and share dictionaries, some of them sorted, cut
 * into small chunks with filters that are exact. It stands in for store_scan.c: same functions, same promises.
 */
#pragma once
#include <pthread.h>
#include <unistd.h>

#include "store/scan_cells.h"
#include "unit/query/query_fixture.h"

#define FAKE_MAX_PARTS  512
#define FAKE_PER_SOURCE 3 /* parts */

struct xt_store {
    const xt_event *events;
    uint32_t n;
    const uint32_t *block_ends; /* ascending, the last is n */
    uint32_t n_blocks;
    atomic_uint n_scans, n_read; /* how often scans were opened, parts begun */
    unsigned pause_us;           /* of each part that is begun */
    uint32_t damaged;            /* this part (from 1) cannot be read with ARGS */
};

typedef struct fake_dict {
    xt_dict dict; /* first */
    xt_field field;
    xt_slice *entries;
    uint32_t begin, *codes; /* of the source's events, from event `begin` on: 0 absent, else code + 1 */
    uint32_t firsts[1000];
} fake_dict;

typedef struct fake_part {
    xt_zone zone; /* first */
    uint32_t block, begin;
} fake_part;

struct xt_scan {
    xt_store *store;
    xt_scan_spec spec;
    fake_part parts[FAKE_MAX_PARTS];
    uint32_t n;
    pthread_mutex_t lock; /* what follows */
    xt_arena arena;
    fake_dict *dicts[FAKE_MAX_PARTS / FAKE_PER_SOURCE + 1][XT_F_END];
    xt_scan_info info;
};

struct xt_scan_reader {
    xt_scan *scan;
    const fake_part *part;
    xt_arena arena;
    xt_column *columns[XT_F_END];
};

static UNUSED uint32_t fake_begin(const xt_store *store, uint32_t b)
{
    return b ? store->block_ends[b - 1] : 0;
}

static UNUSED bool fake_is_number(xt_field field)
{
    xt_type type = xt_field_find(field)->type;

    return type == XT_UINT || type == XT_INT || type == XT_TIME;
}

/* ------------------------------------------------------------------------------------------------ scan */

static int fake_order(const void *a, const void *b)
{
    const xt_zone *x = a, *y = b;

    return (x->max_ms < y->max_ms) - (x->max_ms > y->max_ms);
}

static bool fake_range(const xt_zone *zone, xt_field field, uint64_t *ret_min, uint64_t *ret_max)
{
    (void)zone, (void)field, (void)ret_min, (void)ret_max;
    return false;
}

static fake_part fake_part_of(const xt_store *store, uint32_t b)
{
    uint32_t begin = fake_begin(store, b), end = store->block_ends[b];
    fake_part part = {.block = b, .begin = begin};

    part.zone = (xt_zone){.n_rows = end - begin,
                          .source = b / FAKE_PER_SOURCE,
                          .min_ms = INT64_MAX,
                          .max_ms = INT64_MIN,
                          .first_arrival = begin + 1,
                          .last_arrival = end,
                          .number_range = fake_range};
    for (uint32_t i = begin; i < end; i++) {
        int64_t t = (int64_t)store->events[i].values[XT_F_TIME].num;
        part.zone.min_ms = t < part.zone.min_ms ? t : part.zone.min_ms;
        part.zone.max_ms = t > part.zone.max_ms ? t : part.zone.max_ms;
    }
    return part;
}

int xt_scan_open(xt_store *store, const xt_scan_spec *spec, xt_scan **ret, xt_problem *reterr_problem)
{
    xt_scan *scan = calloc(1, sizeof *scan);

    (void)reterr_problem;
    scan->store = store;
    scan->spec = *spec;
    xt_arena_init(&scan->arena, 256 << 20);
    pthread_mutex_init(&scan->lock, NULL);
    assert_true(store->n_blocks <= FAKE_MAX_PARTS);
    for (uint32_t b = 0; b < store->n_blocks; b++) {
        fake_part part = fake_part_of(store, b);
        if (part.zone.max_ms < spec->from_ms || part.zone.min_ms > spec->to_ms ||
            part.zone.last_arrival <= spec->after_arrival)
            scan->info.n_parts_skipped++;
        else
            scan->parts[scan->n++] = part;
    }
    qsort(scan->parts, scan->n, sizeof scan->parts[0], fake_order);
    scan->info.last_arrival = store->n;
    store->n_scans++;
    *ret = scan;
    return 0;
}

xt_scan *xt_scan_close(xt_scan *scan)
{
    if (scan) {
        xt_arena_fini(&scan->arena);
        pthread_mutex_destroy(&scan->lock);
        free(scan);
    }
    return NULL;
}

size_t xt_scan_parts(const xt_scan *scan)
{
    return scan->n;
}

uint32_t xt_scan_sources(const xt_scan *scan)
{
    return scan->store->n_blocks / FAKE_PER_SOURCE + 1;
}

const xt_zone *xt_scan_zone(const xt_scan *scan, size_t part)
{
    return &scan->parts[part].zone;
}

xt_scan_info xt_scan_info_get(xt_scan *scan)
{
    return scan->info;
}

/* ------------------------------------------------------------------------------------------------ dictionaries */

static int fake_entry_order(const void *a, const void *b)
{
    return xt_slice_cmp(*(const xt_slice *)a, *(const xt_slice *)b);
}

static uint32_t fake_code(const fake_dict *dict, xt_slice value)
{
    for (uint32_t i = 0; i < dict->dict.n; i++)
        if (xt_slice_eq(dict->entries[i], value))
            return i + 1;
    return 0;
}

static void fake_dict_fill(xt_scan *scan, uint32_t source, fake_dict *dict)
{
    const xt_store *store = scan->store;
    uint32_t first = source * FAKE_PER_SOURCE, last = first + FAKE_PER_SOURCE - 1, begin = fake_begin(store, first);
    uint32_t end = store->block_ends[last < store->n_blocks ? last : store->n_blocks - 1];

    dict->entries = xt_arena_array(&scan->arena, end - begin, sizeof *dict->entries);
    dict->codes = xt_arena_array(&scan->arena, end - begin, sizeof *dict->codes);
    dict->begin = begin;
    for (uint32_t i = begin; i < end; i++)
        if (xt_event_has(&store->events[i], dict->field) &&
            !fake_code(dict, store->events[i].values[dict->field].bytes))
            dict->entries[dict->dict.n++] = store->events[i].values[dict->field].bytes;
    if (source % 2 && dict->dict.n) {
        qsort(dict->entries, dict->dict.n, sizeof *dict->entries, fake_entry_order);
        dict->dict.sorted = true;
    }
    for (uint32_t i = begin; i < end; i++)
        if (xt_event_has(&store->events[i], dict->field))
            dict->codes[i - begin] = fake_code(dict, store->events[i].values[dict->field].bytes);
}

static fake_dict *fake_dict_of(xt_scan *scan, uint32_t source, xt_field field)
{
    uint32_t per_chunk = 1 + source % 5;

    pthread_mutex_lock(&scan->lock);
    fake_dict *dict = scan->dicts[source][field];
    if (!dict) {
        dict = xt_arena_new(&scan->arena, fake_dict);
        dict->field = field;
        fake_dict_fill(scan, source, dict);
        dict->dict.firsts = dict->firsts;
        for (uint32_t i = 0; i < dict->dict.n; i += per_chunk)
            dict->firsts[++dict->dict.n_chunks] = i + per_chunk < dict->dict.n ? i + per_chunk : dict->dict.n;
        scan->dicts[source][field] = dict;
    }
    pthread_mutex_unlock(&scan->lock);
    return dict;
}

int xt_scan_dict(xt_scan_reader *reader, xt_field field, const xt_dict **ret, xt_problem *reterr_problem)
{
    fake_dict *dict = fake_dict_of(reader->scan, reader->part->zone.source, field);

    (void)reterr_problem;
    *ret = dict->dict.n ? &dict->dict : NULL;
    return 0;
}

int xt_dict_chunk(xt_scan_reader *reader, const xt_dict *dict, uint32_t chunk, const xt_slice **ret_entries,
                  xt_problem *reterr_problem)
{
    (void)reader, (void)reterr_problem;
    *ret_entries = ((const fake_dict *)dict)->entries + dict->firsts[chunk];
    return 0;
}

/* Of a list the items joined by one space count, of other values their bytes. */
static bool fake_holds(xt_field field, xt_slice entry, xt_slice literal)
{
    if (xt_field_find(field)->type != XT_LIST)
        return xt_slice_find_nocase(entry, literal) >= 0;
    xt_buf joined = XT_BUF_INIT;
    xt_list_iter iter = xt_list_iterate(entry);
    for (xt_slice item; xt_list_next(&iter, &item); xt_buf_putc(&joined, ' '))
        xt_buf_put(&joined, item);
    bool yes = xt_slice_find_nocase(xt_buf_slice(&joined), literal) >= 0;
    xt_buf_fini(&joined);
    return yes;
}

int xt_dict_may_hold(xt_scan_reader *reader, const xt_dict *dict, uint32_t chunk, xt_slice literal, bool *ret,
                     xt_problem *reterr_problem)
{
    const fake_dict *fake = (const fake_dict *)dict;

    (void)reader, (void)reterr_problem;
    assert_true(literal.n >= 3);
    for (size_t i = 0; i < literal.n; i++)
        assert_false(literal.p[i] >= 'A' && literal.p[i] <= 'Z');
    *ret = false;
    for (uint32_t i = dict->firsts[chunk]; i < dict->firsts[chunk + 1]; i++)
        *ret |= fake_holds(fake->field, fake->entries[i], literal);
    return 0;
}

int xt_dict_holds(xt_scan_reader *reader, const xt_dict *dict, uint32_t chunk, xt_slice literal, bool *ret,
                  xt_problem *reterr_problem)
{
    return xt_dict_may_hold(reader, dict, chunk, literal, ret, reterr_problem);
}

int xt_dict_entry(xt_scan_reader *reader, const xt_dict *dict, uint32_t code, xt_arena *arena, xt_slice *ret,
                  xt_problem *reterr_problem)
{
    (void)reader, (void)reterr_problem;
    assert_true(code < dict->n);
    *ret = xt_arena_copy(arena, ((const fake_dict *)dict)->entries[code]);
    assert_non_null(ret->p);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ reader */

xt_scan_reader *xt_scan_reader_new(xt_scan *scan)
{
    xt_scan_reader *reader = calloc(1, sizeof *reader);

    reader->scan = scan;
    xt_arena_init(&reader->arena, 64 << 20);
    return reader;
}

xt_scan_reader *xt_scan_reader_free(xt_scan_reader *reader)
{
    if (reader)
        xt_arena_fini(&reader->arena);
    free(reader);
    return NULL;
}

xt_scan_cost xt_scan_reader_cost(const xt_scan_reader *reader)
{
    (void)reader;
    return (xt_scan_cost){0};
}

const xt_zone *xt_scan_reader_zone(const xt_scan_reader *reader)
{
    return &reader->part->zone;
}

void xt_scan_reader_begin(xt_scan_reader *reader, size_t part)
{
    reader->part = &reader->scan->parts[part];
    reader->scan->store->n_read++;
    if (reader->scan->store->pause_us)
        usleep(reader->scan->store->pause_us);
    memset(reader->columns, 0, sizeof reader->columns);
    xt_arena_reset(&reader->arena);
}

/* Whole columns are there anyway. */
void xt_scan_reader_rows(xt_scan_reader *reader, const uint32_t *rows, size_t n)
{
    (void)reader, (void)rows, (void)n;
}

int xt_scan_cells(xt_scan_reader *reader, xt_field field, const xt_cells **ret, xt_problem *reterr_problem)
{
    (void)reader, (void)field, (void)reterr_problem;
    *ret = NULL;
    return 0;
}

size_t xt_scan_place_of(const xt_scan_reader *reader, uint32_t row)
{
    (void)reader;
    return row;
}

static void fake_codes(xt_scan_reader *reader, const fake_dict *dict, xt_column *column)
{
    uint32_t n_rows = reader->part->zone.n_rows;
    uint32_t *codes = xt_arena_array(&reader->arena, n_rows, sizeof *codes);
    uint32_t *values = xt_arena_array(&reader->arena, dict->dict.n, sizeof *values);

    uint32_t *locals = xt_arena_array(&reader->arena, dict->dict.n + 1, sizeof *locals);
    const uint32_t *of_rows = dict->codes + reader->part->begin - dict->begin;

    for (uint32_t i = 0; i < n_rows; i++)
        locals[of_rows[i]] = 1;
    locals[0] = 0;
    for (uint32_t code = 1; code <= dict->dict.n; code++)
        if (locals[code]) {
            values[column->n_values] = code - 1;
            locals[code] = ++column->n_values;
        }
    for (uint32_t i = 0; i < n_rows; i++)
        codes[i] = locals[of_rows[i]];
    column->codes = codes;
    column->values = values;
    column->dict = &dict->dict;
    column->kind = column->n_values ? XT_COLUMN_CODES : XT_COLUMN_ABSENT;
}

static void fake_numbers(xt_scan_reader *reader, xt_field field, const xt_event *events, xt_column *column)
{
    uint32_t n_rows = reader->part->zone.n_rows, n_present = 0;
    uint64_t *numbers = xt_arena_array(&reader->arena, n_rows, sizeof *numbers);
    uint8_t *present = xt_arena_array(&reader->arena, (n_rows + 7) / 8, 1);

    for (uint32_t i = 0; i < n_rows; i++) {
        if (!xt_event_has(&events[i], field))
            continue;
        n_present++;
        numbers[i] = events[i].values[field].num;
        present[i / 8] |= (uint8_t)(1 << i % 8);
    }
    column->kind = n_present ? XT_COLUMN_NUMBERS : XT_COLUMN_ABSENT;
    column->numbers = numbers;
    column->present = n_present == n_rows ? NULL : present;
}

int xt_scan_column(xt_scan_reader *reader, xt_field field, const xt_column **ret, xt_problem *reterr_problem)
{
    xt_scan *scan = reader->scan;
    const xt_event *events = scan->store->events + reader->part->begin;

    (void)reterr_problem;
    if (reader->part->block + 1 == scan->store->damaged && field == XT_F_ARGS) {
        pthread_mutex_lock(&scan->lock);
        scan->info.n_damaged = 1;
        snprintf(scan->info.damaged, sizeof scan->info.damaged, "block %u", reader->part->block);
        pthread_mutex_unlock(&scan->lock);
        return XT_SCAN_E_DAMAGED;
    }
    if (!reader->columns[field]) {
        xt_column *column = xt_arena_new(&reader->arena, xt_column);
        if (fake_is_number(field))
            fake_numbers(reader, field, events, column);
        else
            fake_codes(reader, fake_dict_of(scan, reader->part->zone.source, field), column);
        reader->columns[field] = column;
    }
    *ret = reader->columns[field];
    return 0;
}

int xt_scan_values(xt_scan_reader *reader, xt_field field, const xt_column **ret, xt_problem *reterr_problem)
{
    return xt_scan_column(reader, field, ret, reterr_problem);
}

int xt_scan_arrivals(xt_scan_reader *reader, const uint64_t **ret, xt_problem *reterr_problem)
{
    uint64_t *arrivals = xt_arena_array(&reader->arena, reader->part->zone.n_rows, sizeof *arrivals);

    (void)reterr_problem;
    for (uint32_t i = 0; i < reader->part->zone.n_rows; i++)
        arrivals[i] = reader->part->begin + 1 + i;
    *ret = arrivals;
    return 0;
}

/*
 * A scan holds a picture and the list of its parts (views and row groups) in the order of the answer; nothing of it
 * changes after opening but the names of damaged segments, under a lock. A reader looks at a part's columns when they
 * are asked for: of a view they are there, of a segment they are read into the reader's arena, which the next part uses
 * again. Chunks of a segment's dictionary that single values were wanted of stay in the store's cache, and so do those of
 * dictionaries that have few; reading through a big one leaves nothing behind.
 */
#include "store/dict_cache.h"
#include "store/scan_cells.h"
#include "store/segment_format.h"
#include "store/store_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define KEPT_CHUNKS       4  /* a dictionary of so many chunks is kept when it is read through */
#define MAX_MISSES        16 /* chunks read for single values of a part, before all of its values are read at once */
#define MAX_BYTES_OF_PART ((size_t)64 << 20)
#define KEEP_BYTES        ((size_t)16 << 20)

typedef struct scan_part {
    xt_zone zone; /* first, so that the one is the other */
    uint32_t group;
    const xt_open_view *view; /* or */
    const xt_segment *segment;
} scan_part;

struct xt_scan {
    xt_scan_spec spec;
    xt_store *store;
    xt_picture *picture;
    scan_part *parts;
    size_t n_parts;
    uint32_t n_sources;
    pthread_mutex_t lock; /* info */
    xt_scan_info info;
};

/* A column of the part at hand. */
typedef struct read_column {
    bool has_values, has_rows; /* what was read of it */
    xt_column column;
    /* of a view, which has a dictionary of its own */
    xt_dict dict;
    uint32_t firsts[2];
    const xt_slice *entries;
    /* of a segment */
    bool has_cells;
    xt_cells cells;       /* of the reader's rows */
    xt_dict_block *block; /* the chunk used last; stays from part to part */
    unsigned n_misses;    /* chunks that were read for single values of this part */
    xt_slice *of_part;    /* the part's values, once reading chunk after chunk for them was given up */
} read_column;

struct xt_scan_reader {
    xt_scan *scan;
    const scan_part *part;
    xt_segment_reader *files;
    xt_arena arena; /* of the part */
    const uint64_t *arrivals;
    const uint32_t *rows; /* those that are asked for; NULL: any */
    size_t n_rows;
    read_column columns[XT_F_END];
};

/* ------------------------------------------------------------------------------------------------ parts */

/* Newest first; of the same time what arrived later. */
static int part_order(const void *a, const void *b)
{
    const xt_zone *x = a, *y = b;

    if (x->max_ms != y->max_ms)
        return x->max_ms > y->max_ms ? -1 : 1;
    return x->first_arrival > y->first_arrival ? -1 : x->first_arrival < y->first_arrival;
}

static void part_put(xt_scan *scan, scan_part new)
{
    const xt_scan_spec *spec = &scan->spec;

    if (new.zone.max_ms < spec->from_ms || new.zone.min_ms > spec->to_ms ||
        new.zone.last_arrival <= spec->after_arrival)
        scan->info.n_parts_skipped++;
    else
        scan->parts[scan->n_parts++] = new;
}

static bool view_range(const xt_zone *zone, xt_field f, uint64_t *ret_min, uint64_t *ret_max)
{
    const xt_open_view *view = ((const scan_part *)zone)->view;

    if (view->columns[f].kind != XT_COLUMN_NUMBERS)
        return false;
    *ret_min = view->min[f];
    *ret_max = view->max[f];
    return true;
}

static bool group_range(const xt_zone *zone, xt_field f, uint64_t *ret_min, uint64_t *ret_max)
{
    const scan_part *part = (const scan_part *)zone;

    return xt_segment_range(part->segment, part->group, f, ret_min, ret_max);
}

static void view_put(xt_scan *scan, const xt_open_view *view)
{
    xt_zone zone = {.n_rows = view->n_rows,
                    .source = scan->n_sources++,
                    .min_ms = view->min_ms,
                    .max_ms = view->max_ms,
                    .first_arrival = view->first_arrival,
                    .last_arrival = view->first_arrival + view->n_rows - 1,
                    .number_range = view_range};

    part_put(scan, (scan_part){.zone = zone, .view = view});
}

static void segment_put(xt_scan *scan, const xt_segment *segment)
{
    const xt_segment_info *info = xt_segment_info_get(segment);
    size_t before = scan->n_parts;
    uint32_t source = scan->n_sources++;

    for (uint32_t g = 0; g < info->n_groups; g++) {
        xt_segment_group group = xt_segment_group_get(segment, g);
        xt_zone zone = {.n_rows = group.n_rows,
                        .source = source,
                        .segment = info->id,
                        .group = g,
                        .min_ms = group.min_ms,
                        .max_ms = group.max_ms,
                        .first_arrival = info->first_arrival,
                        .last_arrival = info->last_arrival,
                        .number_range = group_range};
        /* Where merging dropped the arrivals they lie within the segment's. */
        (void)xt_segment_range(segment, g, XT_SEGMENT_ARRIVAL, &zone.first_arrival, &zone.last_arrival);
        part_put(scan, (scan_part){.zone = zone, .group = g, .segment = segment});
    }
    scan->info.n_segments_skipped += scan->n_parts == before;
}

static int parts_collect(xt_scan *scan)
{
    const xt_picture *picture = scan->picture;
    size_t n = picture->n_views;

    for (size_t i = 0; i < picture->segments->n; i++)
        n += xt_segment_info_get(picture->segments->items[i])->n_groups;
    scan->parts = calloc(n ? n : 1, sizeof *scan->parts);
    if (!scan->parts)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < picture->n_views; i++)
        view_put(scan, picture->views[i]);
    for (size_t i = 0; i < picture->segments->n; i++)
        segment_put(scan, picture->segments->items[i]);
    qsort(scan->parts, scan->n_parts, sizeof *scan->parts, part_order);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ scan */

/* Takes over the reference to the picture. */
static int scan_new(xt_store *store, const xt_scan_spec *spec, xt_picture *picture, xt_scan **ret)
{
    xt_scan *scan = calloc(1, sizeof *scan);

    if (!scan) {
        xt_picture_unref(picture);
        return xt_error_origin(-ENOMEM);
    }
    scan->spec = *spec;
    if (spec->from_ms <= 0)
        scan->spec.from_ms = INT64_MIN;
    if (spec->to_ms >= XT_TIMESTAMP_MAX_MS)
        scan->spec.to_ms = INT64_MAX;
    scan->store = store;
    scan->picture = picture;
    scan->info.n_segments = scan->picture->segments->n;
    scan->info.last_arrival = scan->picture->last_arrival;
    scan->info.n_damaged = atomic_load(&store->n_damaged);
    memcpy(scan->info.damaged, store->damaged, sizeof scan->info.damaged);
    pthread_mutex_init(&scan->lock, NULL);
    if (parts_collect(scan) < 0) {
        xt_scan_close(scan);
        return xt_error_origin(-ENOMEM);
    }
    *ret = scan;
    return 0;
}

int xt_scan_open(xt_store *store, const xt_scan_spec *spec, xt_scan **ret, xt_problem *reterr_problem)
{
    (void)reterr_problem;
    return scan_new(store, spec, xt_picture_take(store), ret);
}

int xt_scan_open_segment(xt_store *store, xt_segment *segment, xt_scan **ret)
{
    static const xt_scan_spec all = {.to_ms = XT_TIMESTAMP_MAX_MS};
    xt_segment_list *list = xt_segment_list_with(NULL, segment);
    xt_picture *picture = list ? xt_picture_new(list, NULL, 0, xt_segment_info_get(segment)->last_arrival) : NULL;

    xt_segment_list_unref(list);
    return picture ? scan_new(store, &all, picture, ret) : xt_error_origin(-ENOMEM);
}

uint32_t xt_scan_group(const xt_scan *scan, size_t part)
{
    return scan->parts[part].group;
}

xt_scan *xt_scan_close(xt_scan *scan)
{
    if (scan) {
        xt_picture_unref(scan->picture);
        pthread_mutex_destroy(&scan->lock);
        free(scan->parts);
        free(scan);
    }
    return NULL;
}

size_t xt_scan_parts(const xt_scan *scan)
{
    return scan->n_parts;
}

uint32_t xt_scan_sources(const xt_scan *scan)
{
    return scan->n_sources;
}

const xt_zone *xt_scan_zone(const xt_scan *scan, size_t part)
{
    return &scan->parts[part].zone;
}

xt_scan_info xt_scan_info_get(xt_scan *scan)
{
    pthread_mutex_lock(&scan->lock);
    xt_scan_info info = scan->info;
    pthread_mutex_unlock(&scan->lock);
    return info;
}

/* Names the segment in the answer, once. */
static void damaged_note(xt_scan *scan, const xt_segment *segment)
{
    const char *name = xt_segment_name(segment);

    pthread_mutex_lock(&scan->lock);
    xt_buf names = XT_BUF_ON(scan->info.damaged);
    names.n = strlen(scan->info.damaged);
    if (xt_slice_find(xt_buf_slice(&names), xt_slice_str(name)) < 0) {
        scan->info.n_damaged++;
        if (names.n)
            xt_buf_puts(&names, ",");
        xt_buf_puts(&names, name);
        scan->info.damaged[names.n] = '\0';
    }
    pthread_mutex_unlock(&scan->lock);
}

/* ------------------------------------------------------------------------------------------------ reader */

xt_scan_reader *xt_scan_reader_new(xt_scan *scan)
{
    xt_scan_reader *reader = calloc(1, sizeof *reader);

    if (!reader)
        return NULL;
    reader->scan = scan;
    xt_arena_init(&reader->arena, SIZE_MAX);
    reader->arena.keep_bytes = KEEP_BYTES; /* of a part the next needs as much */
    reader->files = xt_segment_reader_new();
    return reader->files ? reader : xt_scan_reader_free(reader);
}

xt_scan_reader *xt_scan_reader_free(xt_scan_reader *reader)
{
    if (reader) {
        xt_segment_reader_free(reader->files);
        for (unsigned f = 0; f < XT_F_END; f++)
            xt_dict_block_unref(reader->columns[f].block);
        xt_arena_fini(&reader->arena);
        free(reader);
    }
    return NULL;
}

xt_scan_cost xt_scan_reader_cost(const xt_scan_reader *reader)
{
    xt_scan_cost cost;

    xt_segment_reader_cost(reader->files, &cost.n_bytes_read, &cost.n_chunks_read, &cost.n_dict_chunks_read);
    return cost;
}

const xt_zone *xt_scan_reader_zone(const xt_scan_reader *reader)
{
    return &reader->part->zone;
}

void xt_scan_reader_begin(xt_scan_reader *reader, size_t part)
{
    reader->part = &reader->scan->parts[part];
    reader->arrivals = NULL;
    reader->rows = NULL;
    for (unsigned f = 0; f < XT_F_END; f++) {
        read_column *c = &reader->columns[f];
        c->has_values = c->has_rows = c->has_cells = false;
        c->n_misses = 0;
        c->of_part = NULL;
    }
    xt_arena_reset(&reader->arena);
}

static void view_column_set(read_column *c, const xt_open_column *from)
{
    c->has_values = c->has_rows = true;
    c->column = (xt_column){.kind = from->kind,
                            .numbers = from->numbers,
                            .present = from->present,
                            .codes = from->codes,
                            .n_values = from->n_dict};
    c->entries = from->dict;
    c->firsts[0] = 0;
    c->firsts[1] = from->n_dict;
    c->dict = (xt_dict){.n = from->n_dict, .n_chunks = from->n_dict > 0, .firsts = c->firsts};
    c->column.dict = from->kind == XT_COLUMN_CODES ? &c->dict : NULL;
}

/* What reading a segment said: >0 is damage, which is named. */
static int read_result(xt_scan_reader *reader, int r)
{
    if (r <= 0)
        return xt_error_trace(r);
    damaged_note(reader->scan, reader->part->segment);
    return XT_SCAN_E_DAMAGED;
}

int xt_scan_column(xt_scan_reader *reader, xt_field field, const xt_column **ret, xt_problem *reterr_problem)
{
    const scan_part *part = reader->part;
    read_column *c = &reader->columns[field];
    int r = 0;

    if (!c->has_rows && part->view) {
        view_column_set(c, &part->view->columns[field]);
    } else if (!c->has_rows) {
        r = xt_segment_read(reader->files, part->segment, part->group, field, &reader->arena, &c->column,
                            reterr_problem);
        c->has_values = c->has_rows = r == 0;
    }
    if (r == 0)
        *ret = &c->column;
    return read_result(reader, r);
}

int xt_scan_values(xt_scan_reader *reader, xt_field field, const xt_column **ret, xt_problem *reterr_problem)
{
    const scan_part *part = reader->part;
    read_column *c = &reader->columns[field];

    if (part->view)
        return xt_scan_column(reader, field, ret, reterr_problem);
    int r = c->has_values ? 0
                          : xt_segment_read_values(reader->files, part->segment, part->group, field, &reader->arena,
                                                   &c->column, reterr_problem);
    c->has_values |= r == 0;
    if (r == 0)
        *ret = &c->column;
    return read_result(reader, r);
}

void xt_scan_reader_rows(xt_scan_reader *reader, const uint32_t *rows, size_t n)
{
    reader->rows = rows;
    reader->n_rows = n;
}

int xt_scan_cells(xt_scan_reader *reader, xt_field field, const xt_cells **ret, xt_problem *reterr_problem)
{
    const scan_part *part = reader->part;
    read_column *c = &reader->columns[field];
    int r = 0;

    *ret = NULL;
    if (!reader->rows || part->view || c->has_rows)
        return 0;
    if (!c->has_cells)
        r = xt_segment_read_cells(reader->files, part->segment, part->group, field, reader->rows, reader->n_rows,
                                  &reader->arena, &c->cells, reterr_problem);
    c->has_cells |= r == 0;
    if (r == 0)
        *ret = &c->cells;
    return read_result(reader, r);
}

size_t xt_scan_place_of(const xt_scan_reader *reader, uint32_t row)
{
    size_t low = 0, high = reader->n_rows;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (reader->rows[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    assert(reader->rows[low] == row);
    return low;
}

static int view_arrivals(xt_scan_reader *reader)
{
    const xt_zone *zone = &reader->part->zone;
    uint64_t *arrivals = xt_arena_alloc(&reader->arena, zone->n_rows * sizeof *arrivals);

    if (!arrivals)
        return xt_error_origin(-ENOMEM);
    for (uint32_t row = 0; row < zone->n_rows; row++)
        arrivals[row] = zone->first_arrival + row;
    reader->arrivals = arrivals;
    return 0;
}

int xt_scan_arrivals(xt_scan_reader *reader, const uint64_t **ret, xt_problem *reterr_problem)
{
    const scan_part *part = reader->part;
    int r = 0;

    if (!reader->arrivals)
        r = part->view ? view_arrivals(reader)
                       : xt_segment_read_arrivals(reader->files, part->segment, part->group, &reader->arena,
                                                  &reader->arrivals, reterr_problem);
    if (r == 0)
        *ret = reader->arrivals;
    return read_result(reader, r);
}

/* ------------------------------------------------------------------------------------------------ dictionaries */

int xt_scan_dict(xt_scan_reader *reader, xt_field field, const xt_dict **ret, xt_problem *reterr_problem)
{
    const xt_column *column;
    int r = 0;

    if (reader->part->segment) {
        *ret = xt_segment_dict(reader->part->segment, field);
        return 0;
    }
    r = xt_scan_column(reader, field, &column, reterr_problem);
    if (r == 0)
        *ret = column->dict;
    return r;
}

static const xt_slice *view_entries(const xt_dict *dict)
{
    return ((const read_column *)((const char *)dict - offsetof(read_column, dict)))->entries;
}

/* Makes the chunk of a segment's dictionary its column's block. */
static int block_turn_to(xt_scan_reader *reader, xt_field field, uint32_t chunk, bool keep, xt_problem *reterr_problem)
{
    const xt_segment *segment = reader->part->segment;
    xt_dict_cache *cache = reader->scan->store->dict_cache;
    read_column *c = &reader->columns[field];

    if (c->block && xt_dict_block_is(c->block, segment, field, chunk))
        return 0;
    xt_dict_block_unref(c->block);
    c->block = xt_dict_cache_find(cache, segment, field, chunk);
    if (c->block)
        return 0;
    c->n_misses++;
    return read_result(
        reader, xt_dict_cache_read(cache, reader->files, segment, field, chunk, keep, &c->block, reterr_problem));
}

int xt_dict_chunk(xt_scan_reader *reader, const xt_dict *dict, uint32_t chunk, const xt_slice **ret_entries,
                  xt_problem *reterr_problem)
{
    if (reader->part->view) {
        *ret_entries = view_entries(dict) + dict->firsts[chunk];
        return 0;
    }
    xt_field field = xt_segment_dict_field(dict);
    int r = block_turn_to(reader, field, chunk, dict->n_chunks <= KEPT_CHUNKS, reterr_problem);
    if (r == 0)
        *ret_entries = xt_dict_block_entries(reader->columns[field].block);
    return r;
}

int xt_dict_may_hold(xt_scan_reader *reader, const xt_dict *dict, uint32_t chunk, xt_slice literal, bool *ret,
                     xt_problem *reterr_problem)
{
    *ret = true;
    if (reader->part->view)
        return 0;
    return read_result(reader, xt_segment_may_hold(reader->files, reader->part->segment, xt_segment_dict_field(dict),
                                                   chunk, literal, ret, reterr_problem));
}

/*
 * The longest run of the literal that stands in the stored form as it is: what ends there at a space, which between the
 * items of a list is an end, and at the bytes that are escaped.
 */
static xt_slice longest_run(xt_slice literal)
{
    xt_slice best = {NULL, 0};
    size_t n;

    for (size_t i = 0; i < literal.n; i += n + 1) {
        for (n = 0; i + n < literal.n && literal.p[i + n] != ' ' && (unsigned char)literal.p[i + n] > 1;)
            n++;
        if (n > best.n)
            best = xt_slice_of(literal.p + i, n);
    }
    return best;
}

int xt_dict_holds(xt_scan_reader *reader, const xt_dict *dict, uint32_t chunk, xt_slice literal, bool *ret,
                  xt_problem *reterr_problem)
{
    xt_slice run = longest_run(literal);

    *ret = true;
    if (reader->part->view || run.n == 0)
        return 0;
    xt_field field = xt_segment_dict_field(dict);
    xt_dict_block *block = xt_dict_cache_find(reader->scan->store->dict_cache, reader->part->segment, field, chunk);
    xt_dict_block_unref(block);
    if (block)
        return 0;
    return read_result(
        reader, xt_segment_chunk_holds(reader->files, reader->part->segment, field, chunk, run, ret, reterr_problem));
}

/* The place of the last of n ascending values that is not above v. */
static uint32_t place_of(const uint32_t *values, uint32_t n, uint32_t v)
{
    uint32_t low = 0, high = n;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (values[middle] <= v)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/*
 * Copies all values of the part, going once through the dictionary: who wants many rows wants most of them, and in the
 * order of rows each would be a chunk to be read.
 */
static int part_values_read(xt_scan_reader *reader, xt_field field, xt_problem *reterr_problem)
{
    read_column *c = &reader->columns[field];
    const xt_dict *dict = c->column.dict;
    size_t limit = reader->arena.used_bytes + MAX_BYTES_OF_PART;
    xt_slice *values = xt_arena_alloc(&reader->arena, c->column.n_values * sizeof *values);

    if (!values)
        return xt_error_origin(-ENOMEM);
    for (uint32_t i = 0; i < c->column.n_values && reader->arena.used_bytes < limit; i++) {
        uint32_t code = c->column.values[i], chunk = place_of(dict->firsts, dict->n_chunks, code);
        int r = block_turn_to(reader, field, chunk, false, reterr_problem);
        if (r != 0)
            return r;
        values[i] = xt_arena_copy(&reader->arena, xt_dict_block_entries(c->block)[code - dict->firsts[chunk]]);
        if (!values[i].p)
            return xt_error_origin(-ENOMEM);
    }
    if (reader->arena.used_bytes < limit)
        c->of_part = values;
    c->n_misses = 0;
    return 0;
}

static int segment_entry(xt_scan_reader *reader, const xt_dict *dict, uint32_t code, xt_slice *ret,
                         xt_problem *reterr_problem)
{
    xt_field field = xt_segment_dict_field(dict);
    read_column *c = &reader->columns[field];
    uint32_t chunk = place_of(dict->firsts, dict->n_chunks, code);
    int r = 0;

    if (!c->of_part && c->n_misses > MAX_MISSES && c->has_values)
        r = part_values_read(reader, field, reterr_problem);
    if (r == 0 && c->of_part) {
        uint32_t place = place_of(c->column.values, c->column.n_values, code);
        if (c->column.values[place] == code) {
            *ret = c->of_part[place];
            return 0;
        }
    }
    if (r == 0)
        r = block_turn_to(reader, field, chunk, true, reterr_problem);
    if (r == 0)
        *ret = xt_dict_block_entries(c->block)[code - dict->firsts[chunk]];
    return r;
}

int xt_dict_entry(xt_scan_reader *reader, const xt_dict *dict, uint32_t code, xt_arena *arena, xt_slice *ret,
                  xt_problem *reterr_problem)
{
    xt_slice entry;

    if (reader->part->view) {
        entry = view_entries(dict)[code];
    } else {
        int r = segment_entry(reader, dict, code, &entry, reterr_problem);
        if (r != 0)
            return r;
    }
    xt_slice copy = xt_arena_copy(arena, entry);
    if (!copy.p)
        return xt_error_origin(-ENOMEM);
    *ret = copy;
    return 0;
}

/*
 * A scan holds a picture and the list of its parts (views and row groups) in the order of the answer; nothing of it
 * changes after opening but the names of damaged segments, under a lock. A reader looks at a part's columns when they
 * are asked for: of a view they are there, of a segment they are read into the reader's arena, which the next part uses
 * again.
 */
#include "store/store_private.h"

#include <errno.h>
#include <stdlib.h>

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
    bool is_read;
    xt_column column;
    xt_dict dict;
    uint32_t firsts[2];
    const xt_slice *entries;
} read_column;

struct xt_scan_reader {
    xt_scan *scan;
    const scan_part *part;
    xt_segment_reader *files;
    xt_arena arena; /* of the part */
    const uint64_t *arrivals;
    xt_scan_cost cost;
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

    for (uint32_t g = 0; g < info->n_groups; g++) {
        xt_segment_group group = xt_segment_group_get(segment, g);
        xt_zone zone = {.n_rows = group.n_rows,
                        .source = scan->n_sources++, /* a row group of version 1 has dictionaries of its own */
                        .min_ms = group.min_ms,
                        .max_ms = group.max_ms,
                        .first_arrival = group.first_arrival,
                        .last_arrival = group.first_arrival + group.n_rows - 1,
                        .number_range = group_range};
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

int xt_scan_open(xt_store *store, const xt_scan_spec *spec, xt_scan **ret, xt_problem *reterr_problem)
{
    xt_scan *scan = calloc(1, sizeof *scan);

    (void)reterr_problem;
    if (!scan)
        return xt_error_origin(-ENOMEM);
    scan->spec = *spec;
    if (spec->from_ms <= 0)
        scan->spec.from_ms = INT64_MIN;
    if (spec->to_ms >= XT_TIMESTAMP_MAX_MS)
        scan->spec.to_ms = INT64_MAX;
    scan->store = store;
    scan->picture = xt_picture_take(store);
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
    reader->files = xt_segment_reader_new(scan->store->vfs);
    return reader->files ? reader : xt_scan_reader_free(reader);
}

xt_scan_reader *xt_scan_reader_free(xt_scan_reader *reader)
{
    if (reader) {
        xt_segment_reader_free(reader->files);
        xt_arena_fini(&reader->arena);
        free(reader);
    }
    return NULL;
}

xt_scan_cost xt_scan_reader_cost(const xt_scan_reader *reader)
{
    return reader->cost;
}

const xt_zone *xt_scan_reader_zone(const xt_scan_reader *reader)
{
    return &reader->part->zone;
}

void xt_scan_reader_begin(xt_scan_reader *reader, size_t part)
{
    reader->part = &reader->scan->parts[part];
    reader->arrivals = NULL;
    for (unsigned f = 0; f < XT_F_END; f++)
        reader->columns[f].is_read = false;
    xt_arena_reset(&reader->arena);
}

static void column_set(read_column *c, const xt_open_column *from)
{
    c->is_read = true;
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

int xt_scan_column(xt_scan_reader *reader, xt_field field, const xt_column **ret, xt_problem *reterr_problem)
{
    const scan_part *part = reader->part;
    read_column *c = &reader->columns[field];
    xt_open_column column;
    int r = 0;

    if (!c->is_read && part->view) {
        column_set(c, &part->view->columns[field]);
    } else if (!c->is_read) {
        r = xt_segment_read(reader->files, part->segment, part->group, field, &reader->arena, &column, reterr_problem);
        if (r == 0)
            column_set(c, &column);
        reader->cost.n_chunks_read += r == 0 && column.kind != XT_COLUMN_ABSENT;
    }
    if (r > 0) {
        damaged_note(reader->scan, part->segment);
        return XT_SCAN_E_DAMAGED;
    }
    if (r == 0)
        *ret = &c->column;
    return xt_error_trace(r);
}

int xt_scan_values(xt_scan_reader *reader, xt_field field, const xt_column **ret, xt_problem *reterr_problem)
{
    return xt_scan_column(reader, field, ret, reterr_problem);
}

int xt_scan_arrivals(xt_scan_reader *reader, const uint64_t **ret, xt_problem *reterr_problem)
{
    const xt_zone *zone = &reader->part->zone;

    (void)reterr_problem;
    if (!reader->arrivals) {
        uint64_t *arrivals = xt_arena_alloc(&reader->arena, zone->n_rows * sizeof *arrivals);
        if (!arrivals)
            return xt_error_origin(-ENOMEM);
        for (uint32_t row = 0; row < zone->n_rows; row++)
            arrivals[row] = zone->first_arrival + row;
        reader->arrivals = arrivals;
    }
    *ret = reader->arrivals;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ dictionaries */

int xt_scan_dict(xt_scan_reader *reader, xt_field field, const xt_dict **ret, xt_problem *reterr_problem)
{
    const xt_column *column;
    int r = xt_scan_column(reader, field, &column, reterr_problem);

    if (r == 0)
        *ret = column->dict;
    return r;
}

static read_column *column_of(xt_scan_reader *reader, const xt_dict *dict)
{
    return (read_column *)((char *)reader->columns + ((const char *)dict - (const char *)&reader->columns[0].dict) /
                                                         sizeof(read_column) * sizeof(read_column));
}

int xt_dict_chunk(xt_scan_reader *reader, const xt_dict *dict, uint32_t chunk, const xt_slice **ret_entries,
                  xt_problem *reterr_problem)
{
    (void)reterr_problem;
    *ret_entries = column_of(reader, dict)->entries + dict->firsts[chunk];
    reader->cost.n_dict_chunks_read++;
    return 0;
}

int xt_dict_may_hold(xt_scan_reader *reader, const xt_dict *dict, uint32_t chunk, xt_slice literal, bool *ret,
                     xt_problem *reterr_problem)
{
    (void)reader, (void)dict, (void)chunk, (void)literal, (void)reterr_problem;
    *ret = true;
    return 0;
}

int xt_dict_entry(xt_scan_reader *reader, const xt_dict *dict, uint32_t code, xt_arena *arena, xt_slice *ret,
                  xt_problem *reterr_problem)
{
    (void)reterr_problem;
    xt_slice copy = xt_arena_copy(arena, column_of(reader, dict)->entries[code]);
    if (!copy.p)
        return xt_error_origin(-ENOMEM);
    *ret = copy;
    return 0;
}

/*
 * A scan holds a picture and the list of its parts (views and row groups) in the order of the answer. A part's columns
 * are looked at when its turn comes: of a view they are there, of a segment they are read into the scan's arena, which
 * the next part uses again.
 */
#include "store/store_private.h"

#include <errno.h>
#include <stdlib.h>

typedef struct scan_part {
    int64_t min_ms, max_ms;
    uint64_t first_arrival;
    uint32_t n_rows, group;
    const xt_open_view *view; /* or */
    const xt_segment *segment;
} scan_part;

typedef struct part_zone {
    xt_zone zone; /* first, so that the one is the other */
    const scan_part *part;
} part_zone;

struct xt_scan {
    xt_scan_spec spec;
    xt_picture *picture;
    xt_segment_reader *reader;
    scan_part *parts;
    size_t n_parts, next;
    xt_scan_info info;
    xt_arena arena;
    xt_column columns[XT_F_END];
    xt_block block;
};

/* ------------------------------------------------------------------------------------------------ parts */

/* Newest first; of the same time what arrived later. */
static int part_order(const void *a, const void *b)
{
    const scan_part *x = a, *y = b;

    if (x->max_ms != y->max_ms)
        return x->max_ms > y->max_ms ? -1 : 1;
    return x->first_arrival > y->first_arrival ? -1 : x->first_arrival < y->first_arrival;
}

static void part_put(xt_scan *scan, scan_part new)
{
    const xt_scan_spec *spec = &scan->spec;
    uint64_t end = new.first_arrival + new.n_rows;

    if (new.max_ms < spec->from_ms || new.min_ms > spec->to_ms || end - 1 <= spec->after_arrival)
        scan->info.n_blocks_skipped++;
    else
        scan->parts[scan->n_parts++] = new;
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
    for (size_t i = 0; i < picture->n_views; i++) {
        const xt_open_view *view = picture->views[i];
        part_put(scan, (scan_part){view->min_ms, view->max_ms, view->first_arrival, view->n_rows, 0, view, NULL});
    }
    for (size_t i = 0; i < picture->segments->n; i++) {
        const xt_segment *segment = picture->segments->items[i];
        for (uint32_t g = 0; g < xt_segment_info_get(segment)->n_groups; g++) {
            xt_segment_group group = xt_segment_group_get(segment, g);
            part_put(scan,
                     (scan_part){group.min_ms, group.max_ms, group.first_arrival, group.n_rows, g, NULL, segment});
        }
    }
    qsort(scan->parts, scan->n_parts, sizeof *scan->parts, part_order);
    return 0;
}

static bool zone_range(const xt_zone *zone, xt_field f, uint64_t *ret_min, uint64_t *ret_max)
{
    const scan_part *part = ((const part_zone *)zone)->part;

    if (part->segment)
        return xt_segment_range(part->segment, part->group, f, ret_min, ret_max);
    if (part->view->columns[f].kind != XT_COLUMN_NUMBERS)
        return false;
    *ret_min = part->view->min[f];
    *ret_max = part->view->max[f];
    return true;
}

static bool part_may_match(const xt_scan *scan, const scan_part *part)
{
    part_zone zone = {{part->n_rows, part->min_ms, part->max_ms, zone_range}, part};

    return !scan->spec.may_match || scan->spec.may_match(scan->spec.context, &zone.zone);
}

/* ------------------------------------------------------------------------------------------------ scan */

int xt_scan_open(xt_store *store, const xt_scan_spec *spec, xt_scan **ret, xt_problem *reterr_problem)
{
    xt_scan *scan = calloc(1, sizeof *scan);

    if (!scan)
        return xt_error_origin(-ENOMEM);
    scan->spec = *spec;
    if (spec->from_ms <= 0)
        scan->spec.from_ms = INT64_MIN;
    if (spec->to_ms >= XT_TIMESTAMP_MAX_MS)
        scan->spec.to_ms = INT64_MAX;
    xt_field_set_add(&scan->spec.fields, XT_F_TIME);
    xt_arena_init(&scan->arena, SIZE_MAX);
    scan->picture = xt_picture_take(store);
    scan->reader = xt_segment_reader_new(store->vfs);
    scan->info.n_segments = scan->picture->segments->n;
    scan->info.last_arrival = scan->picture->last_arrival;
    scan->info.n_damaged = atomic_load(&store->n_damaged);
    memcpy(scan->info.damaged, store->damaged, sizeof scan->info.damaged);
    if (!scan->reader || parts_collect(scan) < 0) {
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
        xt_segment_reader_free(scan->reader);
        xt_arena_fini(&scan->arena);
        free(scan->parts);
        free(scan);
    }
    return NULL;
}

xt_scan_info xt_scan_info_get(const xt_scan *scan)
{
    return scan->info;
}

/* Names the segment in the answer, once. */
static void damaged_note(xt_scan *scan, const xt_segment *segment)
{
    xt_buf names = XT_BUF_ON(scan->info.damaged);
    const char *name = xt_segment_name(segment);

    names.n = strlen(scan->info.damaged);
    if (xt_slice_find(xt_buf_slice(&names), xt_slice_str(name)) >= 0)
        return;
    scan->info.n_damaged++;
    if (names.n)
        xt_buf_puts(&names, ",");
    xt_buf_puts(&names, name);
    scan->info.damaged[names.n] = '\0';
}

static bool is_wanted(const xt_scan *scan, unsigned f)
{
    const xt_field_info *info = xt_field_set_has(&scan->spec.fields, (xt_field)f) ? xt_field_find(f) : NULL;

    return info && !(info->flags & XT_VIRTUAL);
}

/* The wanted columns of a part. >0: damaged. */
static int part_read(xt_scan *scan, const scan_part *part, xt_problem *reterr_problem)
{
    xt_block *block = &scan->block;

    *block = (xt_block){part->n_rows, part->min_ms, part->max_ms, {NULL}, part->first_arrival};
    for (unsigned f = 1; f < XT_F_END; f++) {
        if (!is_wanted(scan, f))
            continue;
        block->columns[f] = &scan->columns[f];
        if (part->view) {
            scan->columns[f] = part->view->columns[f];
            continue;
        }
        int r = xt_segment_read(scan->reader, part->segment, part->group, (xt_field)f, &scan->arena, &scan->columns[f],
                                reterr_problem);
        if (r != 0)
            return r;
    }
    return 0;
}

/* A bitmap without its first n bits. */
static const uint8_t *bits_skip(xt_arena *arena, const uint8_t *bits, uint32_t n, uint32_t n_left)
{
    uint8_t *out = xt_arena_array(arena, (n_left + 7) / 8, 1);

    for (uint32_t i = 0; out && i < n_left; i++)
        if (bits[(n + i) / 8] >> (n + i) % 8 & 1)
            out[i / 8] |= (uint8_t)(1u << i % 8);
    return out;
}

/* Leaves out the first n rows of the block. */
static int block_skip(xt_scan *scan, uint32_t n)
{
    xt_block *block = &scan->block;

    block->n_rows -= n;
    block->first_arrival += n;
    for (unsigned f = 1; f < XT_F_END; f++) {
        xt_column *column = &scan->columns[f];
        if (!block->columns[f])
            continue;
        if (column->kind == XT_COLUMN_CODES)
            column->codes += n;
        if (column->kind == XT_COLUMN_NUMBERS)
            column->numbers += n;
        if (column->kind == XT_COLUMN_NUMBERS && column->present) {
            column->present = bits_skip(&scan->arena, column->present, n, block->n_rows);
            if (!column->present)
                return xt_error_origin(-ENOMEM);
        }
    }
    return 0;
}

int xt_scan_next(xt_scan *scan, const xt_block **ret, xt_problem *reterr_problem)
{
    while (scan->next < scan->n_parts) {
        const scan_part *part = &scan->parts[scan->next++];
        if (!part_may_match(scan, part)) {
            scan->info.n_blocks_skipped++;
            continue;
        }
        xt_arena_reset(&scan->arena);
        xt_problem problem = XT_PROBLEM_INIT; /* of damage, which is no failure of ours */
        int r = part_read(scan, part, &problem);
        if (r < 0 && reterr_problem)
            *reterr_problem = problem;
        if (r > 0) {
            damaged_note(scan, part->segment);
            continue;
        }
        if (r == 0 && part->first_arrival <= scan->spec.after_arrival)
            r = block_skip(scan, (uint32_t)(scan->spec.after_arrival + 1 - part->first_arrival));
        if (r < 0)
            return xt_error_trace(r);
        scan->info.n_blocks++;
        scan->info.n_rows_read += scan->block.n_rows;
        *ret = &scan->block;
        return 0;
    }
    *ret = NULL;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ rows */

void xt_block_event(const xt_block *block, uint32_t row, xt_event *ret)
{
    xt_event_reset(ret);
    for (unsigned f = 1; f < XT_F_END; f++) {
        const xt_column *column = block->columns[f];
        if (!column || column->kind == XT_COLUMN_ABSENT)
            continue;
        if (column->kind == XT_COLUMN_NUMBERS) {
            if (!column->present || column->present[row / 8] >> row % 8 & 1)
                xt_event_set_num(ret, (xt_field)f, column->numbers[row]);
        } else if (column->codes[row]) {
            xt_event_set_bytes(ret, (xt_field)f, column->dict[column->codes[row] - 1]);
        }
    }
}

/* What a search for one event looks for, and where it was found. */
typedef struct wanted_event {
    xt_hash128 id;
    char text[33]; /* id in hex, as EVENT_ID holds it where it is stored */
    uint64_t arrival;
    bool found;
} wanted_event;

static bool row_is(const xt_block *block, uint32_t row, const wanted_event *sought)
{
    xt_event event;

    xt_block_event(block, row, &event);
    if (xt_event_has(&event, XT_F_EVENT_ID))
        return xt_slice_eq_nocase(xt_event_bytes(&event, XT_F_EVENT_ID), xt_slice_of(sought->text, 32));
    if (!xt_event_has(&event, XT_F_SERIAL))
        return false;
    return xt_hash128_eq(sought->id, xt_event_id_of(xt_event_bytes(&event, XT_F_HOST_ID),
                                                    (int64_t)xt_event_num(&event, XT_F_TIME, 0),
                                                    (uint32_t)xt_event_num(&event, XT_F_SERIAL, 0)));
}

/* Where in the store: by the few fields that an id is made of. */
static int sought_find(xt_store *store, wanted_event *sought, int64_t from_ms, int64_t to_ms,
                       xt_problem *reterr_problem)
{
    xt_scan_spec spec = {.from_ms = from_ms, .to_ms = to_ms};
    const xt_block *block;
    xt_scan *scan;

    xt_field_set_add(&spec.fields, XT_F_SERIAL);
    xt_field_set_add(&spec.fields, XT_F_HOST_ID);
    xt_field_set_add(&spec.fields, XT_F_EVENT_ID);
    int r = xt_scan_open(store, &spec, &scan, reterr_problem);
    if (r < 0)
        return xt_error_trace(r);
    while (!sought->found && (r = xt_scan_next(scan, &block, reterr_problem)) == 0 && block)
        for (uint32_t row = block->n_rows; row-- > 0 && !sought->found;) {
            int64_t time_ms = block->columns[XT_F_TIME]->kind ? (int64_t)block->columns[XT_F_TIME]->numbers[row] : 0;
            if (time_ms < spec.from_ms || time_ms > spec.to_ms || !row_is(block, row, sought))
                continue;
            sought->found = true;
            sought->arrival = block->first_arrival + row;
        }
    xt_scan_close(scan);
    return r;
}

static int event_copy(const xt_event *from, xt_arena *arena, xt_event *ret)
{
    *ret = *from;
    for (unsigned f = 1; f < XT_F_END; f++) {
        const xt_field_info *info = xt_event_has(from, (xt_field)f) ? xt_field_find(f) : NULL;
        if (!info || info->type == XT_TIME || info->type == XT_UINT || info->type == XT_INT)
            continue;
        ret->values[f].bytes = xt_arena_copy(arena, from->values[f].bytes);
        if (!ret->values[f].bytes.p)
            return xt_error_origin(-ENOMEM);
    }
    return 0;
}

/* Reads the block that holds one arrival, with all fields, and copies the row. */
static int arrival_read(xt_store *store, uint64_t arrival, xt_arena *arena, xt_event *ret, bool *ret_found,
                        xt_problem *reterr_problem)
{
    xt_scan_spec spec = {
        .to_ms = XT_TIMESTAMP_MAX_MS, .after_arrival = arrival - 1, .fields = {{~UINT64_C(0), ~UINT64_C(0)}}};
    const xt_block *block;
    xt_event event;
    xt_scan *scan;
    int r = xt_scan_open(store, &spec, &scan, reterr_problem);

    if (r < 0)
        return xt_error_trace(r);
    size_t kept = 0;
    for (size_t i = 0; i < scan->n_parts; i++)
        if (scan->parts[i].first_arrival <= arrival && arrival - scan->parts[i].first_arrival < scan->parts[i].n_rows)
            scan->parts[kept++] = scan->parts[i];
    scan->n_parts = kept;
    r = xt_scan_next(scan, &block, reterr_problem);
    if (r == 0 && block) {
        xt_block_event(block, (uint32_t)(arrival - block->first_arrival), &event);
        r = event_copy(&event, arena, ret);
        if (r == 0)
            *ret_found = true;
    }
    xt_scan_close(scan);
    return r;
}

int xt_store_event_find(xt_store *store, xt_hash128 id, int64_t time_hint_ms, xt_arena *arena, xt_event *ret,
                        bool *ret_found, xt_problem *reterr_problem)
{
    wanted_event sought = {.id = id};
    bool found = false;
    int r = 0;

    xt_hash128_format(id, sought.text);
    if (time_hint_ms > 0)
        r = sought_find(store, &sought, time_hint_ms, time_hint_ms, reterr_problem);
    if (r == 0 && !sought.found)
        r = sought_find(store, &sought, 0, XT_TIMESTAMP_MAX_MS, reterr_problem);
    if (r == 0 && sought.found)
        r = arrival_read(store, sought.arrival, arena, ret, &found, reterr_problem);
    if (r == 0)
        *ret_found = found;
    return r;
}

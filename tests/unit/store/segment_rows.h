/*
 * A segment's rows as events, by reading everything in it; and the truth they are held against.
 */
#pragma once
#include <errno.h>

#include "store/segment.h"
#include "store_fixture.h"

/* A segment opened with all its dictionaries read. */
typedef struct rows_reader {
    xt_segment *segment;
    xt_segment_reader *reader;
    xt_arena dicts, columns;
    xt_slice *values[XT_F_END];
    xt_column column[XT_F_END];
    const uint64_t *arrivals;
} rows_reader;

static UNUSED void rows_close(rows_reader *rows)
{
    xt_segment_reader_free(rows->reader);
    xt_segment_unref(rows->segment);
    xt_arena_fini(&rows->dicts);
    xt_arena_fini(&rows->columns);
}

/* 0, or what opening or reading a dictionary said. */
static UNUSED int rows_open(rows_reader *rows, const xt_vfs *vfs, const char *path, xt_problem *problem)
{
    *rows = (rows_reader){0};
    xt_arena_init(&rows->dicts, SIZE_MAX);
    xt_arena_init(&rows->columns, SIZE_MAX);
    rows->reader = xt_segment_reader_new();
    int r = rows->reader ? xt_segment_open(vfs, path, &rows->segment, problem) : -ENOMEM;
    for (unsigned f = 1; f < XT_F_END && r == 0; f++) {
        const xt_dict *dict = xt_segment_dict(rows->segment, (xt_field)f);
        if (!dict)
            continue;
        rows->values[f] = xt_arena_alloc(&rows->dicts, dict->n * sizeof(xt_slice));
        if (!rows->values[f])
            return -ENOMEM;
        for (uint32_t i = 0; i < dict->n_chunks && r == 0; i++) {
            xt_slice *entries = NULL;
            r = xt_segment_read_dict(rows->reader, rows->segment, (xt_field)f, i, false, &rows->dicts, &entries,
                                     problem);
            if (r == 0)
                memcpy(rows->values[f] + dict->firsts[i], entries,
                       (dict->firsts[i + 1] - dict->firsts[i]) * sizeof *entries);
        }
    }
    return r;
}

static UNUSED int rows_group(rows_reader *rows, uint32_t group, xt_problem *problem)
{
    int r = 0;
    xt_arena_reset(&rows->columns);
    for (unsigned f = 1; f < XT_F_END && r == 0; f++)
        r = xt_segment_read(rows->reader, rows->segment, group, (xt_field)f, &rows->columns, &rows->column[f], problem);
    if (r == 0)
        r = xt_segment_read_arrivals(rows->reader, rows->segment, group, &rows->columns, &rows->arrivals, problem);
    return r;
}

static UNUSED void rows_event(const rows_reader *rows, uint32_t row, xt_event *ret)
{
    xt_event_reset(ret);
    for (unsigned f = 1; f < XT_F_END; f++) {
        const xt_column *column = &rows->column[f];
        if (column->kind == XT_COLUMN_NUMBERS && (!column->present || column->present[row / 8] >> row % 8 & 1))
            xt_event_set_num(ret, (xt_field)f, column->numbers[row]);
        if (column->kind == XT_COLUMN_CODES && column->codes[row])
            xt_event_set_bytes(ret, (xt_field)f, rows->values[f][column->values[column->codes[row] - 1]]);
    }
}

/* Views of n events of the truth from `from` on, in blocks of at most each_rows; how many. */
static UNUSED size_t views_make(const truth *t, size_t from, size_t n, uint32_t each_rows, xt_open_view **views)
{
    xt_open_block *block = NULL;
    size_t n_views = 0;

    for (size_t i = from; i < from + n; i++) {
        xt_event event;
        if (!block)
            block = xt_open_block_new(i + 1, 7);
        assert_int_equal(xt_event_decode(t->events[i], &event, NULL), 0);
        assert_int_equal(xt_open_block_add(block, &event), 0);
        if (xt_open_block_rows(block) == each_rows || i + 1 == from + n) {
            views[n_views++] = xt_open_view_new(block);
            block = xt_open_block_unref(block);
        }
    }
    return n_views;
}

static UNUSED void segment_make(const char *path, uint64_t id, const truth *t, size_t from, size_t n,
                                uint32_t each_rows)
{
    xt_open_view **views = calloc(n, sizeof(xt_open_view *));
    xt_problem problem = XT_PROBLEM_INIT;
    xt_segment_info info;
    size_t n_views = views_make(t, from, n, each_rows, views);

    must(xt_segment_write(&xt_vfs_system, path, id, 5, id % 2, views, n_views, &info, &problem), &problem);
    assert_int_equal(info.n_rows, n);
    for (size_t i = 0; i < n_views; i++)
        xt_open_view_unref(views[i]);
    free(views);
}

/* n random events with host ids of three hosts, times that go back and forth, and serials. */
static UNUSED void truth_fill(truth *t, dice *d, size_t n)
{
    xt_arena arena;
    xt_arena_init(&arena, SIZE_MAX);
    for (size_t i = 0; i < n; i++) {
        static const char *const hosts[] = {"h2", "h1", "h3"};
        xt_event event;
        dice_event(d, 1700000000000 + (int64_t)dice_below(d, 400), dice_below(d, 9) == 0, &arena, &event);
        if (dice_below(d, 9))
            xt_event_set_bytes(&event, XT_F_HOST_ID, xt_slice_str(hosts[dice_below(d, 3)]));
        if (dice_below(d, 9))
            xt_event_set_num(&event, XT_F_TIME, 1700000000000u + dice_below(d, 400));
        truth_add(t, &event);
        xt_arena_reset(&arena);
    }
    xt_arena_fini(&arena);
}

/* The order that rows of a segment have: -1, 0, 1. */
static UNUSED int event_order(const xt_event *a, const xt_event *b)
{
    int c = (int)xt_event_has(a, XT_F_HOST_ID) - (int)xt_event_has(b, XT_F_HOST_ID);
    xt_slice x = xt_event_bytes(a, XT_F_HOST_ID), y = xt_event_bytes(b, XT_F_HOST_ID);
    if (!c)
        c = memcmp(x.p ? x.p : "", y.p ? y.p : "", x.n < y.n ? x.n : y.n);
    if (!c)
        c = (x.n > y.n) - (x.n < y.n);
    int64_t s = (int64_t)xt_event_num(a, XT_F_TIME, 0), u = (int64_t)xt_event_num(b, XT_F_TIME, 0);
    if (!c)
        c = (s > u) - (s < u);
    uint64_t v = xt_event_num(a, XT_F_SERIAL, 0), w = xt_event_num(b, XT_F_SERIAL, 0);
    return c ? c : (v > w) - (v < w);
}

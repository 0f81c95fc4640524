/*
 * The best rows so far stand in a heap (row_heap); a block that cannot hold a better one is not read. Only what keys and
 * filter need is read at first; the events of the rows that are left at the end are fetched. All rows in bounded memory
 * are pages of this: each begins behind the last row of the page before, and time makes it skip the blocks that are done.
 */
#include <errno.h>
#include <stdlib.h>

#include "query/field_values.h"
#include "query/row_heap.h"
#include "query/term.h"
#include "query/walk.h"

#define ROWS_PAGE      65536
#define ROWS_MAX_BYTES (64u << 20)

typedef struct rows_run {
    const xt_query_rows *rows;
    xt_walk walk;
    xt_row_heap heap;
    bool has_after;
    xt_row_key after;
    xt_arena after_arena;
    bool stopped; /* by on_row */
} rows_run;

/* ------------------------------------------------------------------------------------------------ keys */

/* The first bytes of the text that stands for the row; false: absent. */
static int sort_text(const xt_field_info *info, const xt_event *event, xt_arena *arena, xt_slice *ret, bool *ret_has)
{
    xt_slice bytes = event->values[info->id].bytes, *texts = &bytes;
    size_t n = 1;

    if (info->type != XT_TEXT) { /* what was derived for `path` is a list like that of `key` */
        int r = xt_field_values(info->type == XT_LIST ? XT_F_KEY : info->id, bytes, arena, &texts, &n);
        if (r)
            return xt_error_trace(r);
    }
    *ret_has = n > 0;
    if (n > 0)
        *ret = xt_slice_head(texts[0], XT_ROW_SORT_BYTES);
    return 0;
}

static int sort_key(rows_run *run, uint32_t row, xt_row_key *key)
{
    xt_arena *arena = &run->walk.arena;
    const xt_field_info *info = xt_field_find(run->heap.order.sort_field);
    xt_arena_mark mark = xt_arena_mark_get(arena);
    xt_field_set wanted = {{0, 0}};
    char bytes[XT_ROW_SORT_BYTES];
    xt_event event;

    xt_field_set_add(&wanted, info->id);
    xt_block_event(run->walk.block, row, &event);
    int r = xt_event_derive(&event, wanted, arena);
    if (r || !xt_event_has(&event, info->id))
        return xt_error_trace(r);
    if (info->type == XT_UINT || info->type == XT_INT || info->type == XT_TIME) {
        key->has_sort = true;
        key->sort_number = xt_term_key(info->type, event.values[info->id].num);
        return 0;
    }
    r = sort_text(info, &event, arena, &key->sort_text, &key->has_sort);
    if (r || !key->has_sort)
        return xt_error_trace(r);
    xt_slice head = xt_slice_of(bytes, key->sort_text.n);
    if (head.n)
        memcpy(bytes, key->sort_text.p, head.n);
    xt_arena_mark_reset(arena, mark);
    key->sort_text = xt_arena_copy(arena, head);
    return key->sort_text.p ? 0 : xt_error_origin(-ENOMEM);
}

static int row_key(rows_run *run, uint32_t row, xt_row_key *ret)
{
    const xt_block *block = run->walk.block;
    const xt_column *host = xt_walk_column(&run->walk, XT_F_HOST_ID), *serial = xt_walk_column(&run->walk, XT_F_SERIAL);
    xt_row_key key = {.time_ms = xt_walk_time(&run->walk, row), .arrival = block->first_arrival + row};

    if (host && host->codes[row])
        key.host_id = xt_slice_head(host->dict[host->codes[row] - 1], 255);
    if (serial && (!serial->present || (serial->present[row / 8] >> row % 8 & 1)))
        key.serial = serial->numbers[row] + 1;
    int r = run->heap.order.sort_field ? sort_key(run, row, &key) : 0;
    *ret = key;
    return xt_error_trace(r);
}

/* By time alone: the row cannot be among the best. */
static bool is_too_late(const rows_run *run, int64_t min_ms, int64_t max_ms)
{
    if (run->heap.order.sort_field || run->heap.n < run->heap.limit)
        return false;
    int64_t worst = run->heap.items[0].key.time_ms;
    return run->heap.order.reverse ? min_ms > worst : max_ms < worst;
}

static int offer_row(rows_run *run, uint32_t row)
{
    int64_t t = xt_walk_time(&run->walk, row);
    xt_row_key key;

    if (is_too_late(run, t, t)) {
        run->heap.refused = true;
        return 0;
    }
    int r = row_key(run, row, &key);
    if (r)
        return xt_error_trace(r);
    if (run->has_after && xt_row_key_cmp(&run->heap.order, &key, &run->after) <= 0)
        return 0;
    return xt_row_heap_offer(&run->heap, &key, run->walk.block);
}

/* The end that holds the best rows comes first, so that most of the others are refused by their time. */
static int offer_block(rows_run *run)
{
    const xt_walk *walk = &run->walk;
    int r = 0;

    if (run->heap.order.reverse) {
        for (uint32_t row = xt_walk_row(walk, 0); r == 0 && row < walk->block->n_rows; row = xt_walk_row(walk, row + 1))
            r = offer_row(run, row);
        return r;
    }
    for (size_t w = walk->n_words; w-- > 0 && r == 0;)
        for (uint64_t bits = walk->mask[w]; bits && r == 0;) {
            unsigned bit = 63 - (unsigned)__builtin_clzll(bits);
            bits &= ~(UINT64_C(1) << bit);
            r = offer_row(run, (uint32_t)(w * 64) + bit);
        }
    return r;
}

static bool zone_may_match(void *context, const xt_zone *zone)
{
    rows_run *run = context;
    bool late = is_too_late(run, zone->min_ms, zone->max_ms);

    run->heap.refused |= late;
    return !late;
}

/* ------------------------------------------------------------------------------------------------ pages */

static void walk_init(rows_run *run, xt_store *store)
{
    const xt_query_rows *rows = run->rows;
    xt_walk *walk = &run->walk;

    *walk = (xt_walk){.store = store, .query = &rows->query, .after_arrival = rows->after_arrival};
    walk->from_ms = rows->query.from_ms;
    walk->to_ms = rows->query.to_ms;
    walk->may_match = zone_may_match;
    walk->context = run;
    if (run->heap.order.sort_field)
        xt_field_set_add_all(&walk->fields, xt_field_sources(run->heap.order.sort_field));
    xt_field_set_add(&walk->fields, XT_F_TIME);
    xt_field_set_add(&walk->fields, XT_F_HOST_ID);
    xt_field_set_add(&walk->fields, XT_F_SERIAL);
    if (!run->has_after || run->heap.order.sort_field)
        return;
    if (run->heap.order.reverse && run->after.time_ms > walk->from_ms)
        walk->from_ms = run->after.time_ms;
    if (!run->heap.order.reverse && run->after.time_ms < walk->to_ms)
        walk->to_ms = run->after.time_ms;
}

/* What the rows should carry, in stored fields. */
static xt_field_set row_fields(const xt_query_rows *rows)
{
    xt_field_set set = {{0, 0}};

    for (unsigned f = 1; f < XT_F_END; f++)
        if (xt_field_set_has(&rows->fields, (xt_field)f))
            xt_field_set_add_all(&set, xt_field_sources((xt_field)f));
    xt_field_set_add(&set, XT_F_HOST_ID);
    xt_field_set_add(&set, XT_F_SERIAL);
    return set;
}

static int page_find(rows_run *run, xt_store *store, size_t limit, xt_answer *answer, xt_problem *problem)
{
    xt_row_heap_begin(&run->heap, limit);
    walk_init(run, store);
    int r = xt_walk_open(&run->walk, problem);
    while (r == 0 && (r = xt_walk_next(&run->walk, problem)) == 0 && run->walk.block) {
        if (run->walk.n_rows == 0)
            continue;
        r = offer_block(run);
        if (r == 0)
            r = xt_row_heap_keep(&run->heap);
    }
    xt_walk_close(&run->walk, answer);
    if (r)
        return r;
    xt_row_heap_sort(&run->heap);
    return xt_row_heap_fetch(&run->heap, store, row_fields(run->rows), run->rows->query.cancel, answer, problem);
}

static int row_give(rows_run *run, const xt_row_entry *e, xt_buf *cursor)
{
    xt_event event;
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_event_decode(xt_slice_of(e->event, e->n_event), &event, &problem);

    if (r)
        return xt_error_fold(r);
    xt_buf_reset(cursor);
    xt_row_cursor_put(&run->heap.order, &e->key, cursor);
    r = xt_buf_done(cursor);
    return r ? xt_error_trace(r) : run->rows->on_row(run->rows->context, &event, xt_buf_slice(cursor));
}

/* Where the next page begins. */
static int remember_after(rows_run *run, const xt_row_key *key)
{
    xt_arena_reset(&run->after_arena);
    run->after = *key;
    run->after.host_id = xt_arena_copy(&run->after_arena, key->host_id);
    run->after.sort_text = xt_arena_copy(&run->after_arena, key->sort_text);
    run->has_after = true;
    return run->after.host_id.p && run->after.sort_text.p ? 0 : xt_error_origin(-ENOMEM);
}

/* Gives the best `n` rows of the page. */
static int page_give(rows_run *run, size_t n, xt_answer *answer)
{
    const xt_row_heap *heap = &run->heap;
    xt_buf cursor = XT_BUF_INIT;
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++) {
        const xt_row_entry *e = &heap->items[heap->n - 1 - i];
        if (!e->event)
            continue;
        r = row_give(run, e, &cursor);
        answer->n_matched += r >= 0;
    }
    run->stopped = r > 0;
    if (r == 0 && n)
        r = remember_after(run, &heap->items[heap->n - n].key);
    xt_buf_fini(&cursor);
    return run->stopped ? 0 : r;
}

/* The row behind the last one asked for is looked for as well: it tells that there would be more. */
static int run_pages(rows_run *run, xt_store *store, xt_answer *answer, xt_problem *problem)
{
    uint64_t limit = run->rows->limit ? run->rows->limit : UINT64_MAX - 1;
    bool ended = false;
    int r = 0;

    while (r == 0 && !ended && !run->stopped && !answer->truncated) {
        uint64_t left = limit - answer->n_matched;
        r = page_find(run, store, left + 1 < ROWS_PAGE ? (size_t)left + 1 : ROWS_PAGE, answer, problem);
        if (r == 0) {
            ended = !run->heap.refused;
            answer->truncated = run->heap.n > left;
            size_t n = run->heap.n > left ? (size_t)left : run->heap.n;
            r = page_give(run, n, answer);
        }
    }
    answer->truncated |= run->stopped;
    return r;
}

int xt_query_rows_run(xt_store *store, const xt_query_rows *rows, xt_answer *ret, xt_problem *reterr_problem)
{
    rows_run run = {.rows = rows, .heap = {.order = {rows->sort_field, rows->oldest_first}}};
    xt_arena cursor_arena;
    xt_answer answer = {.took_us = -xt_walk_now_us()};
    int r = 0;

    run.heap.max_bytes = rows->max_memory_bytes ? rows->max_memory_bytes : ROWS_MAX_BYTES;
    xt_arena_init(&cursor_arena, 64 << 10);
    xt_arena_init(&run.after_arena, 64 << 10);
    if (rows->after.n) {
        r = xt_row_cursor_parse(&run.heap.order, rows->after, &cursor_arena, &run.after, reterr_problem);
        run.has_after = r == 0;
    }
    if (r == 0)
        r = run_pages(&run, store, &answer, reterr_problem);
    xt_row_heap_fini(&run.heap);
    xt_arena_fini(&run.after_arena);
    xt_arena_fini(&cursor_arena);
    answer.took_us += xt_walk_now_us();
    if (r == 0)
        *ret = answer;
    return r;
}

/*
 * The best rows so far stand in a heap whose top is the worst of them; a block that cannot hold a better one is not
 * read. Within a block only keys are compared (texts borrowed from the block); what is still in the heap when the
 * block is done is copied. All rows in bounded memory are pages of this: each begins behind the last row of the page
 * before, and time makes it skip the blocks that are done.
 *
 * A page ends early when its events pass max_memory_bytes: the worst go, and come with the next page.
 */
#include <errno.h>
#include <stdlib.h>

#include "query/field_values.h"
#include "query/match.h"
#include "query/row_order.h"
#include "query/walk.h"

#define ROWS_PAGE      65536
#define ROWS_MAX_BYTES (64u << 20)

typedef struct entry {
    xt_row_key key;
    uint32_t row;   /* of the block at hand, while bytes is empty */
    xt_slice bytes; /* the event, encoded */
    char *memory;   /* holds bytes and the key's texts */
} entry;

typedef struct row_heap {
    entry *items;
    size_t n, cap, limit;
    size_t n_bytes;
} row_heap;

typedef struct rows_run {
    const xt_query_rows *rows;
    xt_row_order order;
    xt_walk walk;
    row_heap heap;
    bool has_after;
    xt_row_key after;
    xt_arena after_arena;
    bool refused; /* a row that belongs behind this page was seen */
    size_t max_bytes;
    bool stopped; /* by on_row */
    bool has_new; /* entries that are not copied yet */
    xt_buf encoded;
} rows_run;

/* ------------------------------------------------------------------------------------------------ heap */

static void entry_fini(row_heap *heap, entry *e)
{
    heap->n_bytes -= e->bytes.n;
    free(e->memory);
}

static void sift_down(rows_run *run, size_t i)
{
    row_heap *heap = &run->heap;
    entry e = heap->items[i];

    for (size_t child; (child = 2 * i + 1) < heap->n; i = child) {
        if (child + 1 < heap->n &&
            xt_row_key_cmp(&run->order, &heap->items[child + 1].key, &heap->items[child].key) > 0)
            child++;
        if (xt_row_key_cmp(&run->order, &heap->items[child].key, &e.key) <= 0)
            break;
        heap->items[i] = heap->items[child];
    }
    heap->items[i] = e;
}

static void sift_up(rows_run *run, size_t i)
{
    row_heap *heap = &run->heap;
    entry e = heap->items[i];

    for (; i > 0 && xt_row_key_cmp(&run->order, &e.key, &heap->items[(i - 1) / 2].key) > 0; i = (i - 1) / 2)
        heap->items[i] = heap->items[(i - 1) / 2];
    heap->items[i] = e;
}

static int heap_grow(row_heap *heap)
{
    size_t cap = heap->cap ? 2 * heap->cap : 64;
    entry *items = realloc(heap->items, cap * sizeof *items);

    if (!items)
        return xt_error_origin(-ENOMEM);
    heap->items = items;
    heap->cap = cap;
    return 0;
}

/* Keeps the row if it is among the best. */
static int heap_offer(rows_run *run, const xt_row_key *key, uint32_t row)
{
    row_heap *heap = &run->heap;

    if (heap->n == heap->limit) {
        run->refused = true;
        if (xt_row_key_cmp(&run->order, key, &heap->items[0].key) >= 0)
            return 0;
        run->has_new = true;
        entry_fini(heap, &heap->items[0]);
        heap->items[0] = (entry){.key = *key, .row = row};
        sift_down(run, 0);
        return 0;
    }
    if (heap->n == heap->cap) {
        int r = heap_grow(heap);
        if (r)
            return xt_error_trace(r);
    }
    run->has_new = true;
    heap->items[heap->n++] = (entry){.key = *key, .row = row};
    sift_up(run, heap->n - 1);
    return 0;
}

static int worst_first(const void *a, const void *b, void *order)
{
    return xt_row_key_cmp(order, &((const entry *)b)->key, &((const entry *)a)->key);
}

static void heap_sort(rows_run *run)
{
    if (run->heap.n > 1)
        qsort_r(run->heap.items, run->heap.n, sizeof *run->heap.items, worst_first, &run->order);
}

/* ------------------------------------------------------------------------------------------------ keeping rows */

static int entry_keep(rows_run *run, entry *e)
{
    xt_event event;
    xt_slice host_id = e->key.host_id, sort_text = e->key.sort_text;

    xt_block_event(run->walk.block, e->row, &event);
    xt_buf_reset(&run->encoded);
    xt_event_encode(&event, &run->encoded);
    int r = xt_buf_done(&run->encoded);
    size_t n = run->encoded.n;
    char *p = r == 0 ? malloc(n + host_id.n + sort_text.n + 1) : NULL;
    if (!p)
        return xt_error_origin(-ENOMEM);
    memcpy(p, run->encoded.p, n);
    if (host_id.n)
        memcpy(p + n, host_id.p, host_id.n);
    if (sort_text.n)
        memcpy(p + n + host_id.n, sort_text.p, sort_text.n);
    e->memory = p;
    e->bytes = xt_slice_of(p, n);
    e->key.host_id = xt_slice_of(p + n, host_id.n);
    e->key.sort_text = xt_slice_of(p + n + host_id.n, sort_text.n);
    run->heap.n_bytes += n;
    return 0;
}

/* Drops the first n entries, the worst of a sorted heap, and looks for no more than what is left. */
static void drop_worst(rows_run *run, size_t n)
{
    row_heap *heap = &run->heap;

    for (size_t i = 0; i < n; i++)
        entry_fini(heap, &heap->items[i]);
    memmove(heap->items, heap->items + n, (heap->n - n) * sizeof *heap->items);
    heap->n -= n;
    heap->limit = heap->n;
    run->refused = true;
}

/* Copies what came from the block, best first, as far as memory goes. An array sorted worst first is a heap. */
static int keep_block(rows_run *run)
{
    row_heap *heap = &run->heap;
    size_t n_bytes = 0;

    if (!run->has_new)
        return 0;
    heap_sort(run);
    run->has_new = false;
    for (size_t i = heap->n; i-- > 0;) {
        int r = heap->items[i].memory ? 0 : entry_keep(run, &heap->items[i]);
        if (r)
            return xt_error_trace(r);
        n_bytes += heap->items[i].bytes.n;
        if (n_bytes > run->max_bytes && i > 0) {
            drop_worst(run, i);
            break;
        }
    }
    return 0;
}

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
    const xt_field_info *info = xt_field_find(run->order.sort_field);
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
        key->sort_number = xt_match_key(info->type, event.values[info->id].num);
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
    int r = run->order.sort_field ? sort_key(run, row, &key) : 0;
    *ret = key;
    return xt_error_trace(r);
}

/* By time alone: the row cannot be among the best. */
static bool is_too_late(const rows_run *run, int64_t min_ms, int64_t max_ms)
{
    if (run->order.sort_field || run->heap.n < run->heap.limit)
        return false;
    int64_t worst = run->heap.items[0].key.time_ms;
    return run->order.reverse ? min_ms > worst : max_ms < worst;
}

static int offer_row(rows_run *run, uint32_t row)
{
    int64_t t = xt_walk_time(&run->walk, row);
    xt_row_key key;

    if (is_too_late(run, t, t)) {
        run->refused = true;
        return 0;
    }
    int r = row_key(run, row, &key);
    if (r)
        return xt_error_trace(r);
    if (run->has_after && xt_row_key_cmp(&run->order, &key, &run->after) <= 0)
        return 0;
    return heap_offer(run, &key, row);
}

/* The end that holds the best rows comes first, so that most of the others are refused by their time. */
static int offer_block(rows_run *run)
{
    const xt_walk *walk = &run->walk;
    int r = 0;

    if (run->order.reverse) {
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

    run->refused |= late;
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
    for (unsigned f = 1; f < XT_F_END; f++)
        if (xt_field_set_has(&rows->fields, (xt_field)f))
            xt_field_set_add_all(&walk->fields, xt_field_sources((xt_field)f));
    if (run->order.sort_field)
        xt_field_set_add_all(&walk->fields, xt_field_sources(run->order.sort_field));
    xt_field_set_add(&walk->fields, XT_F_TIME);
    xt_field_set_add(&walk->fields, XT_F_HOST_ID);
    xt_field_set_add(&walk->fields, XT_F_SERIAL);
    if (!run->has_after || run->order.sort_field)
        return;
    if (run->order.reverse && run->after.time_ms > walk->from_ms)
        walk->from_ms = run->after.time_ms;
    if (!run->order.reverse && run->after.time_ms < walk->to_ms)
        walk->to_ms = run->after.time_ms;
}

static int page_find(rows_run *run, xt_store *store, size_t limit, xt_answer *answer, xt_problem *problem)
{
    run->heap.limit = limit;
    run->refused = false;
    walk_init(run, store);
    int r = xt_walk_open(&run->walk, problem);
    while (r == 0 && (r = xt_walk_next(&run->walk, problem)) == 0 && run->walk.block) {
        if (run->walk.n_rows == 0)
            continue;
        r = offer_block(run);
        if (r == 0)
            r = keep_block(run);
    }
    xt_walk_close(&run->walk, answer);
    heap_sort(run);
    return r;
}

static int row_give(rows_run *run, const entry *e, xt_buf *cursor)
{
    xt_event event;
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_event_decode(e->bytes, &event, &problem);

    if (r)
        return xt_error_fold(r);
    xt_buf_reset(cursor);
    xt_row_cursor_put(&run->order, &e->key, cursor);
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
    row_heap *heap = &run->heap;
    xt_buf cursor = XT_BUF_INIT;
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++) {
        r = row_give(run, &heap->items[heap->n - 1 - i], &cursor);
        answer->n_matched += r >= 0;
    }
    run->stopped = r > 0;
    if (r == 0 && n)
        r = remember_after(run, &heap->items[heap->n - n].key);
    xt_buf_fini(&cursor);
    return run->stopped ? 0 : r;
}

static void heap_clear(row_heap *heap)
{
    for (size_t i = 0; i < heap->n; i++)
        entry_fini(heap, &heap->items[i]);
    heap->n = 0;
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
            ended = !run->refused;
            answer->truncated = run->heap.n > left;
            size_t n = run->heap.n > left ? (size_t)left : run->heap.n;
            r = page_give(run, n, answer);
        }
        heap_clear(&run->heap);
    }
    answer->truncated |= run->stopped;
    return r;
}

int xt_query_rows_run(xt_store *store, const xt_query_rows *rows, xt_answer *ret, xt_problem *reterr_problem)
{
    rows_run run = {.rows = rows, .order = {rows->sort_field, rows->oldest_first}};
    xt_arena cursor_arena;
    xt_answer answer = {.took_us = -xt_walk_now_us()};
    int r = 0;

    run.max_bytes = rows->max_memory_bytes ? rows->max_memory_bytes : ROWS_MAX_BYTES;
    xt_arena_init(&cursor_arena, 64 << 10);
    xt_arena_init(&run.after_arena, 64 << 10);
    if (rows->after.n) {
        r = xt_row_cursor_parse(&run.order, rows->after, &cursor_arena, &run.after, reterr_problem);
        run.has_after = r == 0;
    }
    if (r == 0)
        r = run_pages(&run, store, &answer, reterr_problem);
    free(run.heap.items);
    xt_buf_fini(&run.encoded);
    xt_arena_fini(&run.after_arena);
    xt_arena_fini(&cursor_arena);
    answer.took_us += xt_walk_now_us();
    if (r == 0)
        *ret = answer;
    return r;
}

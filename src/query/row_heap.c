/*
 * Finding rows needs few columns, giving them needs all, so events are fetched by a second scan that reads only the
 * blocks with a row of the heap in them. A block is known by its times; if the store has sealed in between and a row is
 * not found that way, a third scan looks in all blocks of the time that is left. Arrival numbers say which row.
 */
#include "query/row_heap.h"

#include <errno.h>
#include <stdlib.h>

static void entry_fini(xt_row_heap *heap, xt_row_entry *e)
{
    heap->n_bytes -= e->n_event;
    free(e->texts);
    free(e->event);
}

void xt_row_heap_begin(xt_row_heap *heap, size_t limit)
{
    for (size_t i = 0; i < heap->n; i++)
        entry_fini(heap, &heap->items[i]);
    heap->n = 0;
    heap->limit = limit;
    heap->refused = heap->has_new = false;
}

void xt_row_heap_fini(xt_row_heap *heap)
{
    xt_row_heap_begin(heap, 0);
    free(heap->items);
    heap->items = NULL;
}

static bool is_worse(const xt_row_heap *heap, size_t a, size_t b)
{
    return xt_row_key_cmp(&heap->order, &heap->items[a].key, &heap->items[b].key) > 0;
}

static void swap(xt_row_heap *heap, size_t a, size_t b)
{
    xt_row_entry e = heap->items[a];

    heap->items[a] = heap->items[b];
    heap->items[b] = e;
}

static void sift_down(xt_row_heap *heap)
{
    size_t i = 0;

    for (size_t child; (child = 2 * i + 1) < heap->n; i = child) {
        if (child + 1 < heap->n && is_worse(heap, child + 1, child))
            child++;
        if (!is_worse(heap, child, i))
            break;
        swap(heap, child, i);
    }
}

static void sift_up(xt_row_heap *heap)
{
    for (size_t i = heap->n - 1; i > 0 && is_worse(heap, i, (i - 1) / 2); i = (i - 1) / 2)
        swap(heap, i, (i - 1) / 2);
}

static int grow(xt_row_heap *heap)
{
    size_t cap = heap->cap ? 2 * heap->cap : 64;
    xt_row_entry *items = realloc(heap->items, cap * sizeof *items);

    if (!items)
        return xt_error_origin(-ENOMEM);
    heap->items = items;
    heap->cap = cap;
    return 0;
}

int xt_row_heap_offer(xt_row_heap *heap, const xt_row_key *key, const xt_block *block)
{
    xt_row_entry e = {.key = *key, .min_ms = block->min_ms, .max_ms = block->max_ms};

    if (heap->n == heap->limit) {
        heap->refused = true;
        if (xt_row_key_cmp(&heap->order, key, &heap->items[0].key) >= 0)
            return 0;
        entry_fini(heap, &heap->items[0]);
        heap->items[0] = e;
        sift_down(heap);
    } else {
        int r = heap->n == heap->cap ? grow(heap) : 0;
        if (r)
            return xt_error_trace(r);
        heap->items[heap->n++] = e;
        sift_up(heap);
    }
    heap->has_new = true;
    return 0;
}

static int keep_texts(xt_row_entry *e)
{
    xt_slice host_id = e->key.host_id, sort_text = e->key.sort_text;
    char *p = malloc(host_id.n + sort_text.n + 1);

    if (!p)
        return xt_error_origin(-ENOMEM);
    if (host_id.n)
        memcpy(p, host_id.p, host_id.n);
    if (sort_text.n)
        memcpy(p + host_id.n, sort_text.p, sort_text.n);
    e->texts = p;
    e->key.host_id = xt_slice_of(p, host_id.n);
    e->key.sort_text = xt_slice_of(p + host_id.n, sort_text.n);
    return 0;
}

int xt_row_heap_keep(xt_row_heap *heap)
{
    for (size_t i = 0; heap->has_new && i < heap->n; i++) {
        int r = heap->items[i].texts ? 0 : keep_texts(&heap->items[i]);
        if (r)
            return xt_error_trace(r);
    }
    heap->has_new = false;
    return 0;
}

static int worst_first(const void *a, const void *b, void *order)
{
    return xt_row_key_cmp(order, &((const xt_row_entry *)b)->key, &((const xt_row_entry *)a)->key);
}

void xt_row_heap_sort(xt_row_heap *heap)
{
    if (heap->n > 1)
        qsort_r(heap->items, heap->n, sizeof *heap->items, worst_first, &heap->order);
}

/* ------------------------------------------------------------------------------------------------ events */

typedef struct fetch {
    xt_row_heap *heap;
    bool any_block;
    size_t n_left; /* entries without an event */
    int64_t from_ms, to_ms;
    xt_buf encoded;
} fetch;

static bool holds_entry(void *context, const xt_zone *zone)
{
    const fetch *f = context;

    for (size_t i = 0; i < f->heap->n; i++) {
        const xt_row_entry *e = &f->heap->items[i];
        if (!e->event && (f->any_block ? e->key.time_ms >= zone->min_ms && e->key.time_ms <= zone->max_ms
                                       : e->min_ms == zone->min_ms && e->max_ms == zone->max_ms))
            return true;
    }
    return false;
}

static void measure(fetch *f)
{
    f->n_left = 0;
    f->from_ms = INT64_MAX;
    f->to_ms = INT64_MIN;
    for (size_t i = 0; i < f->heap->n; i++) {
        const xt_row_entry *e = &f->heap->items[i];
        if (e->event)
            continue;
        f->n_left++;
        f->from_ms = e->key.time_ms < f->from_ms ? e->key.time_ms : f->from_ms;
        f->to_ms = e->key.time_ms > f->to_ms ? e->key.time_ms : f->to_ms;
    }
}

static int fill_entry(fetch *f, xt_row_entry *e, const xt_block *block)
{
    xt_event event;

    xt_block_event(block, (uint32_t)(e->key.arrival - block->first_arrival), &event);
    xt_buf_reset(&f->encoded);
    xt_event_encode(&event, &f->encoded);
    int r = xt_buf_done(&f->encoded);
    e->event = r == 0 ? malloc(f->encoded.n + 1) : NULL;
    if (!e->event)
        return xt_error_origin(-ENOMEM);
    memcpy(e->event, f->encoded.p, f->encoded.n);
    e->n_event = f->encoded.n;
    f->heap->n_bytes += e->n_event;
    return 0;
}

/* The worst go until the events of the others fit. */
static void drop_worst(xt_row_heap *heap)
{
    size_t n = 0;

    while (heap->n_bytes > heap->max_bytes && n + 1 < heap->n)
        entry_fini(heap, &heap->items[n++]);
    if (n == 0)
        return;
    memmove(heap->items, heap->items + n, (heap->n - n) * sizeof *heap->items);
    heap->n -= n;
    heap->limit = heap->n;
    heap->refused = true;
}

static int fill_block(fetch *f, const xt_block *block)
{
    xt_row_heap *heap = f->heap;

    for (size_t i = heap->n; i-- > 0;) {
        xt_row_entry *e = &heap->items[i];
        if (e->event || e->key.arrival < block->first_arrival || e->key.arrival - block->first_arrival >= block->n_rows)
            continue;
        int r = fill_entry(f, e, block);
        if (r)
            return xt_error_trace(r);
        if (heap->n_bytes > heap->max_bytes) {
            size_t before = heap->n;
            drop_worst(heap);
            i -= before - heap->n < i ? before - heap->n : i;
        }
    }
    return 0;
}

static void add_damage(xt_answer *answer, const xt_scan *scan)
{
    xt_scan_info info = xt_scan_info_get(scan);

    if (info.n_damaged > answer->scan.n_damaged) {
        answer->scan.n_damaged = info.n_damaged;
        memcpy(answer->scan.damaged, info.damaged, sizeof info.damaged);
    }
}

static int scan_events(fetch *f, xt_store *store, xt_field_set fields, const atomic_bool *cancel, xt_answer *answer,
                       xt_problem *problem)
{
    xt_scan_spec spec = {
        .from_ms = f->from_ms, .to_ms = f->to_ms, .fields = fields, .may_match = holds_entry, .context = f};
    const xt_block *block = NULL;
    xt_scan *scan;
    int r = xt_scan_open(store, &spec, &scan, problem);

    if (r)
        return xt_error_trace(r);
    while ((r = xt_scan_next(scan, &block, problem)) == 0 && block && (r = fill_block(f, block)) == 0)
        if (cancel && atomic_load_explicit(cancel, memory_order_relaxed)) {
            xt_problem_set(problem, "the query was cancelled");
            r = XT_QUERY_E_CANCELLED;
            break;
        }
    add_damage(answer, scan);
    xt_scan_close(scan);
    return r;
}

int xt_row_heap_fetch(xt_row_heap *heap, xt_store *store, xt_field_set fields, const atomic_bool *cancel,
                      xt_answer *answer, xt_problem *reterr_problem)
{
    fetch f = {.heap = heap, .encoded = XT_BUF_INIT};
    int r = 0;

    for (int i = 0; i < 2 && r == 0; i++) {
        measure(&f);
        f.any_block = i > 0;
        if (f.n_left)
            r = scan_events(&f, store, fields, cancel, answer, reterr_problem);
    }
    xt_buf_fini(&f.encoded);
    return r;
}

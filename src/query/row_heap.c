/*
 * Finding rows needs few columns, giving them needs all, so events are fetched when it is known which (row_fetch). The
 * hash that tells rows of the same time, host and serial apart needs all columns as well: it is made for those alone
 * that are compared with such a row.
 */
#include "query/row_heap.h"

#include <errno.h>
#include <stdlib.h>

#define TIES_AT_ONCE 128

void xt_row_entry_fini(xt_row_heap *heap, xt_row_entry *e)
{
    heap->n_bytes -= e->n_event;
    /* The analyzer does not see that each entry of the heap has texts of its own. */
    free(e->texts); /* NOLINT(clang-analyzer-unix.Malloc) */
    free(e->event);
    e->texts = e->event = NULL;
    e->n_event = 0;
}

void xt_row_heap_begin(xt_row_heap *heap, size_t limit)
{
    for (size_t i = 0; i < heap->n; i++)
        xt_row_entry_fini(heap, &heap->items[i]);
    heap->n = 0;
    heap->limit = limit;
    heap->refused = heap->has_new = false;
}

void xt_row_heap_fini(xt_row_heap *heap)
{
    xt_row_heap_begin(heap, 0);
    free(heap->items);
    heap->items = NULL;
    heap->reader = xt_scan_reader_free(heap->reader);
}

/* ------------------------------------------------------------------------------------------------ ties */

static int row_hash(xt_scan_reader *reader, uint32_t row, uint64_t *ret)
{
    xt_event event;
    xt_arena arena;
    xt_buf encoded = XT_BUF_INIT;

    xt_arena_init(&arena, SIZE_MAX);
    int r = xt_scan_event(reader, row, (xt_field_set){{UINT64_MAX, UINT64_MAX}}, &arena, &event, NULL);
    if (r == 0) {
        xt_event_encode(&event, &encoded);
        r = xt_buf_done(&encoded);
    }
    if (r == 0)
        *ret = xt_slice_hash(xt_buf_slice(&encoded));
    xt_buf_fini(&encoded);
    xt_arena_fini(&arena);
    return r == XT_SCAN_E_DAMAGED ? 0 : r;
}

static void tie_make(xt_row_heap *heap, xt_row_key *key, xt_scan_reader *reader, uint32_t row)
{
    key->has_tie = true;
    int r = row_hash(reader, row, &key->tie);
    if (r && !heap->result)
        heap->result = r;
}

void xt_row_heap_part(xt_row_heap *heap, size_t part, xt_scan_reader *reader)
{
    heap->at_hand = reader;
    heap->part_at_hand = part;
}

void xt_row_heap_tie(xt_row_heap *heap, xt_row_key *key, uint32_t row)
{
    if (!key->has_tie)
        tie_make(heap, key, heap->at_hand, row);
}

/* Of a row of another part: as all columns are read for it, some more rows of that part get theirs. */
static void entry_tie(xt_row_heap *heap, xt_row_entry *e)
{
    size_t n = 0;

    if (e->key.has_tie)
        return;
    if (heap->at_hand && e->part == heap->part_at_hand) {
        tie_make(heap, &e->key, heap->at_hand, e->row);
        return;
    }
    if (!heap->reader)
        heap->reader = xt_scan_reader_new(heap->scan);
    if (!heap->reader) {
        heap->result = xt_error_origin(-ENOMEM);
        return;
    }
    xt_scan_reader_begin(heap->reader, e->part);
    tie_make(heap, &e->key, heap->reader, e->row);
    for (size_t i = 0; i < heap->n && n < TIES_AT_ONCE; i++)
        if (heap->items[i].part == e->part && !heap->items[i].key.has_tie) {
            tie_make(heap, &heap->items[i].key, heap->reader, heap->items[i].row);
            n++;
        }
}

static int cmp_entries(xt_row_heap *heap, xt_row_entry *a, xt_row_entry *b)
{
    int r = xt_row_key_cmp(&heap->order, &a->key, &b->key);

    if (r || (a->key.has_tie && b->key.has_tie) || a == b)
        return r;
    entry_tie(heap, a);
    entry_tie(heap, b);
    return xt_row_key_cmp(&heap->order, &a->key, &b->key);
}

/* ------------------------------------------------------------------------------------------------ heap */

static bool is_worse(xt_row_heap *heap, size_t a, size_t b)
{
    return cmp_entries(heap, &heap->items[a], &heap->items[b]) > 0;
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

static void entry_move(xt_row_entry *to, xt_row_entry *from)
{
    *to = *from;
    from->texts = from->event = NULL;
    from->n_event = 0;
}

/* What `e` holds is the heap's then, or freed. */
static int entry_offer(xt_row_heap *heap, xt_row_entry *e)
{
    if (heap->n == heap->limit) {
        heap->refused = true;
        if (cmp_entries(heap, e, &heap->items[0]) >= 0) {
            xt_row_entry_fini(heap, e);
            return 0;
        }
        xt_row_entry_fini(heap, &heap->items[0]);
        entry_move(&heap->items[0], e);
        sift_down(heap);
    } else {
        int r = heap->n == heap->cap ? grow(heap) : 0;
        if (r) {
            xt_row_entry_fini(heap, e);
            return xt_error_trace(r);
        }
        entry_move(&heap->items[heap->n++], e);
        sift_up(heap);
    }
    return heap->result;
}

int xt_row_heap_offer(xt_row_heap *heap, const xt_row_key *key, size_t part, uint32_t row)
{
    xt_row_entry e = {.key = *key, .part = part, .row = row};

    heap->has_new = true;
    return entry_offer(heap, &e);
}

int xt_row_heap_merge(xt_row_heap *heap, xt_row_heap *from)
{
    heap->refused |= from->refused;
    for (; from->n > 0; from->n--) {
        xt_row_entry *e = &from->items[from->n - 1];
        int r = entry_offer(heap, e);
        if (r)
            return xt_error_trace(r);
    }
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
    return xt_row_key_cmp_untied(order, &((const xt_row_entry *)b)->key, &((const xt_row_entry *)a)->key);
}

static int worst_tie_first(const void *a, const void *b, void *order)
{
    return xt_row_key_cmp(order, &((const xt_row_entry *)b)->key, &((const xt_row_entry *)a)->key);
}

/* Sorted but for ties; then each run of rows that are the same is sorted by them. */
void xt_row_heap_sort(xt_row_heap *heap)
{
    xt_row_entry *items = heap->items;
    size_t end;

    if (heap->n > 1)
        qsort_r(items, heap->n, sizeof *items, worst_first, &heap->order);
    for (size_t begin = 0; begin < heap->n; begin = end) {
        for (end = begin + 1; end < heap->n; end++)
            if (xt_row_key_cmp_untied(&heap->order, &items[begin].key, &items[end].key) != 0)
                break;
        if (end - begin == 1)
            continue;
        for (size_t i = begin; i < end; i++)
            entry_tie(heap, &items[i]);
        qsort_r(items + begin, end - begin, sizeof *items, worst_tie_first, &heap->order);
    }
}

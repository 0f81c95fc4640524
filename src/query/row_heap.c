/*
 * Finding rows needs few columns, giving them needs all, so events are fetched when it is known which, part by part. The
 * hash that tells rows of the same time, host and serial apart needs all columns as well: it is made for those alone
 * that are compared with such a row.
 */
#include "query/row_heap.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define TIES_AT_ONCE 128

static void entry_fini(xt_row_heap *heap, xt_row_entry *e)
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
            entry_fini(heap, e);
            return 0;
        }
        entry_fini(heap, &heap->items[0]);
        entry_move(&heap->items[0], e);
        sift_down(heap);
    } else {
        int r = heap->n == heap->cap ? grow(heap) : 0;
        if (r) {
            entry_fini(heap, e);
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

/* ------------------------------------------------------------------------------------------------ events */

typedef struct fetch {
    xt_row_heap *heap;
    xt_scan_reader *reader;
    xt_field_set fields;
    xt_arena arena; /* of one row */
    xt_buf encoded;
    size_t n_dropped; /* of the worst, at the front */
} fetch;

static int by_place(const void *a, const void *b)
{
    const xt_row_entry *x = *(xt_row_entry *const *)a, *y = *(xt_row_entry *const *)b;

    if (x->part != y->part)
        return x->part < y->part ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static int fill_entry(fetch *f, xt_row_entry *e, xt_problem *problem)
{
    xt_event event;

    xt_arena_reset(&f->arena);
    int r = xt_scan_event(f->reader, e->row, f->fields, &f->arena, &event, problem);
    if (r)
        return r;
    xt_buf_reset(&f->encoded);
    xt_event_encode(&event, &f->encoded);
    r = xt_buf_done(&f->encoded);
    e->event = r == 0 ? malloc(f->encoded.n + 1) : NULL;
    if (!e->event)
        return xt_error_origin(-ENOMEM);
    memcpy(e->event, f->encoded.p, f->encoded.n);
    e->n_event = f->encoded.n;
    f->heap->n_bytes += e->n_event;
    return 0;
}

/* The worst go until the events of the others fit. */
static void drop_worst(fetch *f)
{
    xt_row_heap *heap = f->heap;

    while (heap->n_bytes > heap->max_bytes && f->n_dropped + 1 < heap->n)
        entry_fini(heap, &heap->items[f->n_dropped++]);
}

static void close_ranks(fetch *f)
{
    xt_row_heap *heap = f->heap;

    if (f->n_dropped == 0)
        return;
    heap->n -= f->n_dropped;
    memmove(heap->items, heap->items + f->n_dropped, heap->n * sizeof *heap->items);
    heap->limit = heap->n;
    heap->refused = true;
}

/* Entries in the order of their places, so that each part is read once. */
static int fetch_all(fetch *f, xt_row_entry *const *places, size_t n, const atomic_bool *cancel, xt_problem *problem)
{
    size_t part = SIZE_MAX, damaged = SIZE_MAX;

    for (size_t i = 0; i < n; i++) {
        xt_row_entry *e = places[i];
        assert(e);
        if ((size_t)(e - f->heap->items) < f->n_dropped || e->part == damaged)
            continue;
        if (e->part != part && cancel && atomic_load_explicit(cancel, memory_order_relaxed)) {
            xt_problem_set(problem, "the query was cancelled");
            return XT_QUERY_E_CANCELLED;
        }
        if (e->part != part)
            xt_scan_reader_begin(f->reader, e->part);
        part = e->part;
        int r = fill_entry(f, e, problem);
        if (r == XT_SCAN_E_DAMAGED)
            damaged = part;
        else if (r)
            return xt_error_trace(r);
        drop_worst(f);
    }
    return 0;
}

int xt_row_heap_fetch(xt_row_heap *heap, xt_scan_reader *reader, xt_field_set fields, const atomic_bool *cancel,
                      xt_problem *reterr_problem)
{
    fetch f = {.heap = heap, .reader = reader, .fields = fields, .encoded = XT_BUF_INIT};
    xt_row_entry **places = calloc(heap->n + 1, sizeof(*places));

    if (!places)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < heap->n; i++)
        places[i] = &heap->items[i];
    if (heap->n > 1)
        qsort(places, heap->n, sizeof(*places), by_place);
    xt_arena_init(&f.arena, SIZE_MAX);
    int r = fetch_all(&f, places, heap->n, cancel, reterr_problem);
    close_ranks(&f);
    xt_arena_fini(&f.arena);
    xt_buf_fini(&f.encoded);
    free(places);
    return r;
}

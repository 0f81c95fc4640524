/*
 * Threads take part after part, and of each the rows that are wanted, at once. Should their events not fit, the rest is
 * fetched by one thread, which drops the worst entry for each that is too much.
 */
#include "query/row_fetch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "query/query.h"

#define PARTS_PER_THREAD 4 /* fewer are not worth a thread */

enum {
    E_FULL = 100, /* more than max_bytes */
};

typedef struct fetch {
    xt_row_heap *heap;
    xt_field_set fields;
    const atomic_bool *cancel;
    xt_row_entry **places; /* in the order of parts and rows */
    size_t *begins;        /* of each part's places; n_parts + 1 */
    size_t n_parts;
    bool drops; /* one thread alone */
    size_t n_dropped;
    atomic_size_t next, n_bytes;
    atomic_bool stopped;
} fetch;

typedef struct fetcher {
    fetch *of;
    xt_scan_reader *reader;
    xt_arena arena; /* of a row */
    xt_buf encoded;
    uint32_t *rows; /* of a part */
    pthread_t thread;
    bool started;
    int result;
    xt_problem problem;
} fetcher;

/* ------------------------------------------------------------------------------------------------ rows */

static int fill_entry(fetcher *t, xt_row_entry *e)
{
    xt_event event;

    xt_arena_reset(&t->arena);
    int r = xt_scan_event(t->reader, e->row, t->of->fields, &t->arena, &event, &t->problem);
    if (r)
        return r;
    xt_buf_reset(&t->encoded);
    xt_event_encode(&event, &t->encoded);
    r = xt_buf_done(&t->encoded);
    e->event = r == 0 ? malloc(t->encoded.n + 1) : NULL;
    if (!e->event)
        return xt_error_origin(-ENOMEM);
    memcpy(e->event, t->encoded.p, t->encoded.n);
    e->n_event = t->encoded.n;
    atomic_fetch_add(&t->of->n_bytes, e->n_event);
    return 0;
}

/* The worst go until the events of the others fit. */
static void drop_worst(fetch *f)
{
    xt_row_heap *heap = f->heap;

    while (atomic_load(&f->n_bytes) > heap->max_bytes && f->n_dropped + 1 < heap->n) {
        xt_row_entry *e = &heap->items[f->n_dropped++];
        atomic_fetch_sub(&f->n_bytes, e->n_event);
        heap->n_bytes += e->n_event; /* which fini takes off */
        xt_row_entry_fini(heap, e);
    }
}

static int part_fetch(fetcher *t, size_t part)
{
    fetch *f = t->of;
    size_t begin = f->begins[part], n = f->begins[part + 1] - begin;
    int r = 0;

    for (size_t i = 0; i < n; i++)
        t->rows[i] = f->places[begin + i]->row;
    xt_scan_reader_begin(t->reader, f->places[begin]->part);
    xt_scan_reader_rows(t->reader, t->rows, n);
    for (size_t i = begin; i < begin + n && r == 0; i++) {
        xt_row_entry *e = f->places[i];
        if ((size_t)(e - f->heap->items) < f->n_dropped || e->event)
            continue;
        r = fill_entry(t, e);
        if (r == 0 && f->drops)
            drop_worst(f);
        else if (r == 0 && atomic_load(&f->n_bytes) > f->heap->max_bytes)
            r = E_FULL;
    }
    return r == XT_SCAN_E_DAMAGED ? 0 : xt_error_trace(r);
}

static void *work(void *context)
{
    fetcher *t = context;
    fetch *f = t->of;
    size_t part;

    while (t->result == 0 && !atomic_load(&f->stopped) && (part = atomic_fetch_add(&f->next, 1)) < f->n_parts) {
        t->result = part_fetch(t, part);
        if (t->result == 0 && f->cancel && atomic_load_explicit(f->cancel, memory_order_relaxed)) {
            xt_problem_set(&t->problem, "the query was cancelled");
            t->result = XT_QUERY_E_CANCELLED;
        }
    }
    if (t->result)
        atomic_store(&f->stopped, true);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ places */

static int by_place(const void *a, const void *b)
{
    const xt_row_entry *x = *(xt_row_entry *const *)a, *y = *(xt_row_entry *const *)b;

    if (x->part != y->part)
        return x->part < y->part ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static int places_make(fetch *f)
{
    xt_row_heap *heap = f->heap;

    f->places = calloc(heap->n + 1, sizeof(*f->places));
    f->begins = calloc(heap->n + 1, sizeof(*f->begins));
    if (!f->places || !f->begins)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < heap->n; i++)
        f->places[i] = &heap->items[i];
    if (heap->n > 1)
        qsort(f->places, heap->n, sizeof(*f->places), by_place);
    for (size_t i = 0; i < heap->n; i++)
        if (i == 0 || f->places[i]->part != f->places[i - 1]->part)
            f->begins[f->n_parts++] = i;
    f->begins[f->n_parts] = heap->n;
    return 0;
}

static void close_ranks(fetch *f)
{
    xt_row_heap *heap = f->heap;

    heap->n_bytes += atomic_load(&f->n_bytes);
    if (f->n_dropped == 0)
        return;
    heap->n -= f->n_dropped;
    memmove(heap->items, heap->items + f->n_dropped, heap->n * sizeof *heap->items);
    heap->limit = heap->n;
    heap->refused = true;
}

/* ------------------------------------------------------------------------------------------------ threads */

/* What the threads said: the first that failed; E_FULL where none did worse. */
static int fetch_run(fetch *f, fetcher *threads, size_t n, xt_problem *reterr_problem)
{
    int r = 0;

    atomic_store(&f->next, 0);
    atomic_store(&f->stopped, false);
    for (size_t i = 0; i < n; i++) {
        threads[i].result = 0;
        threads[i].started = i > 0 && pthread_create(&threads[i].thread, NULL, work, &threads[i]) == 0;
    }
    work(&threads[0]); /* those that could not be started are not missed */
    for (size_t i = 0; i < n; i++) {
        fetcher *t = &threads[i];
        if (t->started)
            pthread_join(t->thread, NULL);
        if (t->result == 0 || (r != 0 && r != E_FULL))
            continue;
        r = t->result;
        if (reterr_problem)
            *reterr_problem = t->problem;
    }
    return r;
}

static int fetchers_init(fetch *f, fetcher *threads, xt_scan_reader *const *readers, size_t n)
{
    int r = 0;

    for (size_t i = 0; i < n; i++) {
        threads[i] = (fetcher){.of = f, .reader = readers[i], .encoded = XT_BUF_INIT, .problem = XT_PROBLEM_INIT};
        xt_arena_init(&threads[i].arena, SIZE_MAX);
        threads[i].rows = calloc(f->heap->n + 1, sizeof *threads[i].rows);
        if (!threads[i].rows)
            r = xt_error_origin(-ENOMEM);
    }
    return r;
}

/* As many of the best as there is memory for. */
static int fetch_some(fetch *f, fetcher *threads, size_t n, xt_problem *reterr_problem)
{
    int r = fetch_run(f, threads, n, reterr_problem);

    if (r != E_FULL)
        return r;
    f->drops = true;
    drop_worst(f);
    return fetch_run(f, threads, 1, reterr_problem);
}

int xt_row_fetch(xt_row_heap *heap, xt_scan_reader *const *readers, size_t n_readers, xt_field_set fields,
                 const atomic_bool *cancel, xt_problem *reterr_problem)
{
    fetch f = {.heap = heap, .fields = fields, .cancel = cancel};
    int r = places_make(&f);
    size_t n = f.n_parts / PARTS_PER_THREAD + 1;

    n = n < n_readers ? n : n_readers;
    fetcher *threads = calloc(n, sizeof *threads);
    if (r == 0)
        r = threads ? fetchers_init(&f, threads, readers, n) : xt_error_origin(-ENOMEM);
    if (r == 0)
        r = fetch_some(&f, threads, n, reterr_problem);
    close_ranks(&f);
    for (size_t i = 0; threads && i < n; i++) {
        xt_arena_fini(&threads[i].arena);
        xt_buf_fini(&threads[i].encoded);
        free(threads[i].rows);
    }
    free(threads);
    free(f.places);
    free(f.begins);
    return r;
}

/*
 * The best rows so far stand in a heap a thread (row_heap); what cannot hold a better row is not read, and the threads
 * tell each other from which time on that is so. Only what keys and filter need is read at first; the events of the rows
 * that are left at the end are fetched. All rows in bounded memory are pages of this, of one picture of the store: each
 * begins behind the last row of the page before, and time makes it skip the parts that are done.
 */
#include <errno.h>
#include <stdlib.h>

#include "query/field_values.h"
#include "query/row_fetch.h"
#include "query/term.h"
#include "query/walk.h"

#define ROWS_PAGE      65536
#define ROWS_MAX_BYTES (64u << 20)

typedef struct rows_run {
    const xt_query_rows *rows;
    xt_walk walk;
    xt_row_order order;
    size_t limit; /* of the page */
    bool has_after;
    xt_row_key after;
    xt_arena after_arena;
    _Atomic(uint64_t) n_same; /* rows met that are the same as `after` */
    _Atomic(int64_t) bound;   /* by time: rows beyond it are not among the best */
    atomic_bool refused;      /* some were met */
    bool stopped;             /* by on_row */
} rows_run;

/* The sort key of a local code. */
typedef struct sort_value {
    bool is_known, has;
    uint64_t number;
    xt_slice text;
} sort_value;

/* A thread's. */
typedef struct rows_state {
    rows_run *run;
    xt_row_heap heap;
    /* of the part at hand */
    const xt_walk_part *part;
    const xt_column *times, *hosts, *serials, *sort;
    xt_slice *host_texts;    /* by local code */
    sort_value *sort_values; /* by local code */
} rows_state;

/* ------------------------------------------------------------------------------------------------ sort keys */

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

/* An event holds what the sort field is made of: its value. */
static int sort_value_of(const xt_field_info *info, xt_event *event, xt_arena *arena, sort_value *ret)
{
    xt_field_set wanted = {{0, 0}};
    xt_slice text = XT_S_NULL;

    xt_field_set_add(&wanted, info->id);
    ret->is_known = true;
    int r = xt_event_derive(event, wanted, arena);
    if (r || !xt_event_has(event, info->id))
        return xt_error_trace(r);
    if (info->type == XT_UINT || info->type == XT_INT || info->type == XT_TIME) {
        ret->has = true;
        ret->number = xt_term_key(info->type, event->values[info->id].num);
        return 0;
    }
    r = sort_text(info, event, arena, &text, &ret->has);
    if (r || !ret->has)
        return xt_error_trace(r);
    ret->text = xt_arena_copy(arena, text);
    return ret->text.p ? 0 : xt_error_origin(-ENOMEM);
}

/* A value of a dictionary is looked at once a part. */
static int sort_value_of_code(rows_state *s, xt_field stored, uint32_t local, sort_value **ret)
{
    const xt_walk_part *part = s->part;
    const xt_field_info *info = xt_field_find(s->run->order.sort_field);
    xt_slice entry;
    xt_event event;

    *ret = &s->sort_values[local];
    if ((*ret)->is_known || local == 0)
        return 0;
    int r =
        xt_dict_entry(part->reader, s->sort->dict, xt_column_code(s->sort, local), part->arena, &entry, part->problem);
    if (r)
        return r;
    xt_event_reset(&event);
    xt_event_set_bytes(&event, stored, entry);
    return sort_value_of(info, &event, part->arena, *ret);
}

static xt_field stored_field(xt_field field)
{
    return field == XT_F_CMD || field == XT_F_ARGC ? XT_F_ARGS : field == XT_F_PATH ? XT_F_PATHS : field;
}

static int sort_key(rows_state *s, uint32_t row, xt_row_key *key)
{
    xt_field field = s->run->order.sort_field;
    const xt_walk_part *part = s->part;
    sort_value own = {0}, *value = &own;
    xt_event event;
    int r = 0;

    if (field == XT_F_EVENT_ID || field == XT_F_ENTITY) {
        r = xt_scan_event(part->reader, row, xt_field_sources(field), part->arena, &event, part->problem);
        if (r == 0)
            r = sort_value_of(xt_field_find(field), &event, part->arena, &own);
    } else if (s->sort && s->sort->kind == XT_COLUMN_CODES) {
        r = sort_value_of_code(s, stored_field(field), s->sort->codes[row], &value);
    } else if (s->sort && xt_column_has(s->sort, row)) {
        own = (sort_value){true, true, xt_term_key(xt_field_find(field)->type, s->sort->numbers[row]), XT_S_NULL};
    }
    key->has_sort = value->has;
    key->sort_number = value->number;
    key->sort_text = value->text;
    return r;
}

/* ------------------------------------------------------------------------------------------------ keys */

static int host_of(rows_state *s, uint32_t row, xt_slice *ret)
{
    uint32_t local = s->hosts ? s->hosts->codes[row] : 0;
    xt_slice text;
    int r = 0;

    if (local && !s->host_texts[local].p) {
        r = xt_dict_entry(s->part->reader, s->hosts->dict, xt_column_code(s->hosts, local), s->part->arena, &text,
                          s->part->problem);
        if (r == 0)
            s->host_texts[local] = xt_slice_head(text, 255);
    }
    *ret = local ? s->host_texts[local] : XT_S_NULL;
    return r;
}

static int row_key(rows_state *s, uint32_t row, xt_row_key *ret)
{
    xt_row_key key = {.time_ms = (int64_t)s->times->numbers[row]};

    int r = host_of(s, row, &key.host_id);
    if (s->serials && xt_column_has(s->serials, row))
        key.serial = s->serials->numbers[row] + 1;
    if (r == 0 && s->run->order.sort_field)
        r = sort_key(s, row, &key);
    *ret = key;
    return r;
}

/* By time alone: the row cannot be among the best. */
static bool is_too_late(rows_run *run, int64_t min_ms, int64_t max_ms)
{
    int64_t bound = atomic_load_explicit(&run->bound, memory_order_relaxed);

    return run->order.reverse ? min_ms > bound : max_ms < bound;
}

/* A full heap tells the others what it does not need. */
static void bound_narrow(rows_state *s)
{
    rows_run *run = s->run;
    int64_t bound = atomic_load(&run->bound);

    if (run->order.sort_field || s->heap.n < s->heap.limit)
        return;
    int64_t worst = s->heap.items[0].key.time_ms;
    while ((run->order.reverse ? worst < bound : worst > bound) &&
           !atomic_compare_exchange_weak(&run->bound, &bound, worst))
        ;
}

/* Whether the row stands behind the place where the page begins. */
static bool is_after(rows_state *s, uint32_t row, xt_row_key *key)
{
    rows_run *run = s->run;
    int r = xt_row_key_cmp(&run->order, key, &run->after);

    if (r == 0 && run->after.has_tie) {
        xt_row_heap_tie(&s->heap, key, row);
        r = xt_row_key_cmp(&run->order, key, &run->after);
        if (r == 0)
            return atomic_fetch_add(&run->n_same, 1) >= run->after.n_same;
    }
    return r > 0;
}

static int offer_row(rows_state *s, uint32_t row)
{
    rows_run *run = s->run;
    int64_t t = (int64_t)s->times->numbers[row];
    xt_row_key key;

    if (is_too_late(run, t, t)) {
        s->heap.refused = true;
        return 0;
    }
    int r = row_key(s, row, &key);
    if (r)
        return r;
    if (run->has_after && !is_after(s, row, &key))
        return s->heap.result;
    r = xt_row_heap_offer(&s->heap, &key, s->part->part, row);
    if (r == 0 && s->heap.n == s->heap.limit)
        bound_narrow(s);
    return xt_error_trace(r);
}

/* ------------------------------------------------------------------------------------------------ parts */

static int part_columns(rows_state *s)
{
    const xt_walk_part *part = s->part;
    xt_field field = s->run->order.sort_field;

    s->sort = NULL;
    s->host_texts = NULL;
    s->sort_values = NULL;
    int r = xt_walk_column(part, XT_F_TIME, &s->times);
    if (r == 0)
        r = xt_walk_column(part, XT_F_HOST_ID, &s->hosts);
    if (r == 0)
        r = xt_walk_column(part, XT_F_SERIAL, &s->serials);
    if (r == 0 && field && field != XT_F_EVENT_ID && field != XT_F_ENTITY)
        r = xt_walk_column(part, stored_field(field), &s->sort);
    if (r == 0 && s->hosts)
        s->host_texts = xt_arena_array(part->arena, (size_t)s->hosts->n_values + 1, sizeof *s->host_texts);
    if (r == 0 && s->sort && s->sort->kind == XT_COLUMN_CODES)
        s->sort_values = xt_arena_array(part->arena, (size_t)s->sort->n_values + 1, sizeof *s->sort_values);
    if (r == 0 && ((s->hosts && !s->host_texts) || (s->sort && s->sort->kind == XT_COLUMN_CODES && !s->sort_values)))
        r = xt_error_origin(-ENOMEM);
    return r;
}

/* The end that holds the best rows comes first, so that most of the others are refused by their time. */
static int offer_part(void *state, const xt_walk_part *part)
{
    rows_state *s = state;

    s->part = part;
    xt_row_heap_part(&s->heap, part->part, part->reader);
    int r = part_columns(s);
    if (r == 0 && !s->times)
        return 0;
    if (s->run->order.reverse) {
        for (uint32_t row = xt_walk_row(part, 0); r == 0 && row < part->zone->n_rows; row = xt_walk_row(part, row + 1))
            r = offer_row(s, row);
    } else {
        for (size_t w = part->n_words; w-- > 0 && r == 0;)
            for (uint64_t bits = part->mask[w]; bits && r == 0;) {
                unsigned bit = 63 - (unsigned)__builtin_clzll(bits);
                bits &= ~(UINT64_C(1) << bit);
                r = offer_row(s, (uint32_t)(w * 64) + bit);
            }
    }
    xt_row_heap_part(&s->heap, SIZE_MAX, NULL);
    int kept = xt_row_heap_keep(&s->heap);
    return r ? r : kept;
}

static bool zone_may_match(void *context, const xt_zone *zone)
{
    rows_run *run = context;
    bool late = is_too_late(run, zone->min_ms, zone->max_ms);

    if (late)
        atomic_store_explicit(&run->refused, true, memory_order_relaxed);
    return !late;
}

/* ------------------------------------------------------------------------------------------------ pages */

static void walk_init(rows_run *run, xt_store *store)
{
    const xt_query_rows *rows = run->rows;
    xt_walk *walk = &run->walk;

    walk->store = store;
    walk->query = &rows->query;
    walk->after_arrival = rows->after_arrival;
    walk->from_ms = rows->query.from_ms;
    walk->to_ms = rows->query.to_ms;
    walk->may_match = zone_may_match;
    walk->context = run;
    if (run->order.sort_field)
        xt_field_set_add_all(&walk->fields, xt_field_sources(run->order.sort_field));
    xt_field_set_add(&walk->fields, XT_F_TIME);
    xt_field_set_add(&walk->fields, XT_F_HOST_ID);
    xt_field_set_add(&walk->fields, XT_F_SERIAL);
}

/* The next page's. */
static void walk_narrow(rows_run *run)
{
    xt_walk *walk = &run->walk;

    atomic_store(&run->bound, run->order.reverse ? INT64_MAX : INT64_MIN);
    atomic_store(&run->refused, false);
    atomic_store(&run->n_same, 0);
    if (!run->has_after || run->order.sort_field)
        return;
    if (run->order.reverse && run->after.time_ms > walk->from_ms)
        walk->from_ms = run->after.time_ms;
    if (!run->order.reverse && run->after.time_ms < walk->to_ms)
        walk->to_ms = run->after.time_ms;
}

/* What the rows should carry, in stored fields; what the order is made of always comes. */
static xt_field_set row_fields(const xt_query_rows *rows)
{
    xt_field_set set = {{0, 0}};

    for (unsigned f = 1; f < XT_F_END; f++)
        if (xt_field_set_has(&rows->fields, (xt_field)f))
            xt_field_set_add_all(&set, xt_field_sources((xt_field)f));
    xt_field_set_add(&set, XT_F_TIME);
    xt_field_set_add(&set, XT_F_HOST_ID);
    xt_field_set_add(&set, XT_F_SERIAL);
    return set;
}

static int page_find(rows_run *run, rows_state *states, size_t limit, xt_answer *answer, xt_problem *problem)
{
    void *pointers[XT_WALK_MAX_THREADS];
    xt_scan_reader *readers[XT_WALK_MAX_THREADS];
    xt_row_heap *heap = &states[0].heap;

    walk_narrow(run);
    for (unsigned i = 0; i < run->walk.n_threads; i++) {
        xt_row_heap_begin(&states[i].heap, limit);
        pointers[i] = &states[i];
        readers[i] = xt_walk_reader(&run->walk, i);
    }
    int r = xt_walk_run(&run->walk, offer_part, pointers, problem);
    answer->cost.finish_us -= xt_walk_now_us();
    for (unsigned i = 1; i < run->walk.n_threads && r == 0; i++)
        r = xt_row_heap_merge(heap, &states[i].heap);
    if (r)
        return r;
    heap->refused |= atomic_load(&run->refused);
    xt_row_heap_sort(heap);
    if (heap->result)
        return xt_error_trace(heap->result);
    r = xt_row_fetch(heap, readers, run->walk.n_threads, row_fields(run->rows), run->rows->query.cancel, problem);
    answer->cost.finish_us += xt_walk_now_us();
    return r;
}

static int row_give(rows_run *run, const xt_row_entry *e, xt_buf *cursor)
{
    xt_event event;
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_event_decode(xt_slice_of(e->event, e->n_event), &event, &problem);

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

/* How many rows, with this one, are the same as it, were given and follow each other. */
static uint64_t count_same(const rows_run *run, const xt_row_heap *heap, size_t i)
{
    xt_row_key *key = &heap->items[i].key;
    const xt_row_key *before = i + 1 < heap->n ? &heap->items[i + 1].key : run->has_after ? &run->after : NULL;

    if (!before || !key->has_tie || !before->has_tie || xt_row_key_cmp(&run->order, before, key) != 0)
        return 1;
    return before->n_same + 1;
}

/* Gives the best `n` rows of the page. */
static int page_give(rows_run *run, const xt_row_heap *heap, size_t n, xt_answer *answer)
{
    xt_buf cursor = XT_BUF_INIT;
    int r = 0;

    for (size_t i = heap->n; i-- > heap->n - n && r == 0;) {
        xt_row_entry *e = &heap->items[i];
        e->key.n_same = count_same(run, heap, i);
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
static int run_pages(rows_run *run, rows_state *states, xt_answer *answer, xt_problem *problem)
{
    uint64_t limit = run->rows->limit ? run->rows->limit : UINT64_MAX - 1;
    const xt_row_heap *heap = &states[0].heap;
    bool ended = false;
    int r = 0;

    while (r == 0 && !ended && !run->stopped && !answer->truncated) {
        uint64_t left = limit - answer->n_matched;
        r = page_find(run, states, left + 1 < ROWS_PAGE ? (size_t)left + 1 : ROWS_PAGE, answer, problem);
        if (r == 0) {
            ended = !heap->refused || atomic_load(&run->walk.reason);
            answer->truncated = heap->n > left;
            r = page_give(run, heap, heap->n > left ? (size_t)left : heap->n, answer);
        }
    }
    answer->truncated |= run->stopped;
    return r;
}

static int run_states(rows_run *run, xt_answer *answer, xt_problem *problem)
{
    rows_state *states = calloc(run->walk.n_threads, sizeof *states);
    size_t max_bytes = run->rows->max_memory_bytes;

    if (!states)
        return xt_error_origin(-ENOMEM);
    for (unsigned i = 0; i < run->walk.n_threads; i++) {
        states[i].run = run;
        states[i].heap.order = run->order;
        states[i].heap.scan = run->walk.scan;
        states[i].heap.max_bytes = max_bytes ? max_bytes : ROWS_MAX_BYTES;
    }
    int r = run_pages(run, states, answer, problem);
    for (unsigned i = 0; i < run->walk.n_threads; i++)
        xt_row_heap_fini(&states[i].heap);
    free(states);
    return r;
}

int xt_query_rows_run(xt_store *store, const xt_query_rows *rows, xt_answer *ret, xt_problem *reterr_problem)
{
    rows_run run = {.rows = rows, .order = {rows->sort_field, rows->oldest_first}};
    xt_arena cursor_arena;
    xt_answer answer = {.took_us = -xt_walk_now_us()};
    int r = 0;

    xt_arena_init(&cursor_arena, 64 << 10);
    xt_arena_init(&run.after_arena, 64 << 10);
    if (rows->after.n) {
        r = xt_row_cursor_parse(&run.order, rows->after, &cursor_arena, &run.after, reterr_problem);
        run.has_after = r == 0;
    }
    if (r == 0) {
        walk_init(&run, store);
        walk_narrow(&run);
        r = xt_walk_open(&run.walk, reterr_problem);
        if (r == 0)
            r = run_states(&run, &answer, reterr_problem);
        xt_walk_close(&run.walk, &answer);
    }
    xt_arena_fini(&run.after_arena);
    xt_arena_fini(&cursor_arena);
    answer.took_us += xt_walk_now_us();
    if (r == 0)
        *ret = answer;
    return r;
}

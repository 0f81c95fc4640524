/*
 * Open views hold consecutive arrivals: there the position is an arrival number. Of a segment the rows stand in another order, and
 * merging drops their arrivals; so segments are passed whole, row by row, and the position names the segment and the row.
 * Ranges of arrival of segments overlap (an import is a segment that came between the rows of another one): those that do
 * are passed together, as a cluster, in ascending order of ids. A segment that appears while a cluster is under way (sealed from
 * views) has a greater id than all of them, so that it cannot be taken for one that is done. Behind the last the rest of the views that lie within the
 * cluster's range is given; then the position is an arrival number again. Rows of a segment that are known to have
 * arrived before that number were given from a view and are passed over.
 */
#include "query/follow.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "query/filter.h"

#define PART_MAX_BYTES  ((size_t)256 << 20)
#define PART_KEEP_BYTES ((size_t)16 << 20)
#define LOOK_EVERY      64 /* rows: at the clock and at cancel */

/* A segment's parts, or a view. */
typedef struct source {
    uint64_t id; /* 0: a view */
    uint64_t first, last;
    size_t begin, n; /* of parts */
} source;

typedef struct run {
    const xt_follow *spec;
    xt_follow_position at;
    xt_scan *scan;
    xt_scan_reader *reader;
    xt_matches *matches;
    xt_arena arena, row_arena;
    size_t *parts; /* numbers of parts, by source */
    source *views, *segments;
    size_t n_views, n_segments;
    int64_t until_ms; /* 0: no limit */
    unsigned n_looks;
    bool has_passed, stopped;
    xt_problem *problem;
} run;

/* What is given of a part. */
typedef struct piece {
    size_t part;
    const xt_zone *zone;
    uint32_t from, to; /* rows */
    size_t n_words;
    uint64_t *there, *mask; /* rows that were not given before; those of them that match */
} piece;

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_cancelled(void *context)
{
    run *r = context;

    if (r->spec->cancel && atomic_load_explicit(r->spec->cancel, memory_order_relaxed))
        r->stopped = true;
    return r->stopped;
}

/* Not before something was passed, so that a run gets on however short its time is. */
static bool has_ended(run *r)
{
    if (r->until_ms && r->has_passed && now_ms() >= r->until_ms)
        r->stopped = true;
    return is_cancelled(r);
}

/* ------------------------------------------------------------------------------------------------ sources */

/* Views in the order of arrival, segments in that of their ids and groups. */
static int part_order(const void *a, const void *b, void *context)
{
    const xt_zone *x = xt_scan_zone(context, *(const size_t *)a), *y = xt_scan_zone(context, *(const size_t *)b);

    if (x->segment != y->segment)
        return x->segment < y->segment ? -1 : 1;
    if (x->segment)
        return x->group < y->group ? -1 : x->group > y->group;
    return x->first_arrival < y->first_arrival ? -1 : x->first_arrival > y->first_arrival;
}

static source *source_of(run *r, const xt_zone *zone, size_t part)
{
    if (!zone->segment) {
        r->views[r->n_views] =
            (source){.first = zone->first_arrival, .last = zone->last_arrival, .begin = part, .n = 0};
        return &r->views[r->n_views++];
    }
    if (r->n_segments == 0 || r->segments[r->n_segments - 1].id != zone->segment)
        r->segments[r->n_segments++] =
            (source){.id = zone->segment, .first = zone->first_arrival, .last = zone->last_arrival, .begin = part};
    return &r->segments[r->n_segments - 1];
}

static int sources_collect(run *r)
{
    size_t n = xt_scan_parts(r->scan);

    r->parts = calloc(n + 1, sizeof *r->parts);
    r->views = calloc(n + 1, sizeof *r->views);
    r->segments = calloc(n + 1, sizeof *r->segments);
    if (!r->parts || !r->views || !r->segments)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < n; i++)
        r->parts[i] = i;
    qsort_r(r->parts, n, sizeof *r->parts, part_order, r->scan);
    for (size_t i = 0; i < n; i++) {
        const xt_zone *zone = xt_scan_zone(r->scan, r->parts[i]);
        source *s = source_of(r, zone, i);
        s->n++;
        s->first = zone->first_arrival < s->first ? zone->first_arrival : s->first;
        s->last = zone->last_arrival > s->last ? zone->last_arrival : s->last;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ rows */

static void keep_rows(uint64_t *mask, uint32_t from, uint32_t to, size_t n_words)
{
    for (size_t w = 0; w < n_words; w++) {
        uint64_t low = w * 64, bits = UINT64_MAX;
        if (from > low)
            bits = from - low >= 64 ? 0 : bits << (from - low);
        if (to < low + 64)
            bits = to <= low ? 0 : bits & (UINT64_MAX >> (low + 64 - to));
        mask[w] &= bits;
    }
}

static uint64_t count_rows(const uint64_t *mask, uint32_t from, uint32_t to)
{
    uint64_t n = 0;

    for (uint32_t i = from; i < to;) {
        uint64_t bits = mask[i / 64] >> i % 64;
        uint32_t step = 64 - i % 64;
        if (to - i < step) {
            bits &= (UINT64_C(1) << (to - i)) - 1;
            step = to - i;
        }
        n += (uint64_t)__builtin_popcountll(bits);
        i += step;
    }
    return n;
}

/* Which rows are left to be given, and which of them match. */
static int piece_choose(run *r, piece *p)
{
    const uint64_t *arrivals = NULL;
    bool may = xt_filter_may_match(r->spec->filter, p->zone);
    int e = 0;

    memset(p->there, 0xff, p->n_words * sizeof *p->there);
    keep_rows(p->there, p->from, p->to, p->n_words);
    if (p->zone->segment && p->zone->first_arrival <= r->at.arrival)
        e = xt_scan_arrivals(r->reader, &arrivals, r->problem);
    for (uint32_t i = p->from; e == 0 && arrivals && i < p->to; i++)
        if (arrivals[i] <= r->at.arrival)
            p->there[i / 64] &= ~(UINT64_C(1) << i % 64);
    memcpy(p->mask, p->there, p->n_words * sizeof *p->mask);
    if (e == 0 && may)
        e = xt_filter_run_values(r->spec->filter, r->matches, r->reader, &r->arena, &may, r->problem);
    if (e == 0 && may)
        e = xt_filter_run(r->spec->filter, r->matches, r->reader, &r->arena, p->mask, r->problem);
    if (e == 0 && !may)
        memset(p->mask, 0, p->n_words * sizeof *p->mask);
    return e;
}

static int rows_list(run *r, const piece *p, uint32_t **ret, size_t *ret_n)
{
    size_t max = count_rows(p->mask, 0, p->zone->n_rows), n = 0;
    uint32_t *rows = xt_arena_alloc(&r->arena, (max + 1) * sizeof *rows);

    if (!rows)
        return xt_error_origin(-ENOMEM);
    for (size_t w = 0; w < p->n_words; w++)
        for (uint64_t bits = p->mask[w]; bits; bits &= bits - 1)
            rows[n++] = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(bits);
    *ret = rows;
    *ret_n = n;
    return 0;
}

/* Moves the position behind the rows from `from` on, before `to`. */
static void move_on(run *r, const piece *p, uint32_t from, uint32_t to)
{
    if (to <= from)
        return;
    r->has_passed = true;
    r->at.n_seen += count_rows(p->there, from, to);
    if (p->zone->segment) {
        r->at.row = (uint64_t)p->zone->group * XT_STORE_GROUP_ROWS + to;
        return;
    }
    uint64_t arrival = p->zone->first_arrival + to - 1;
    if (!r->at.upto) { /* else a hole is counted at the end of the cluster */
        r->at.n_gone += arrival - r->at.arrival - (to - from);
        r->at.n_seen = 0;
    }
    r->at.arrival = arrival;
}

static int give_row(run *r, const piece *p, uint32_t row)
{
    xt_event event;

    xt_arena_reset(&r->row_arena);
    int e = xt_scan_event(r->reader, row, r->spec->fields, &r->row_arena, &event, r->problem);
    if (e)
        return e;
    e = r->spec->on_row(r->spec->context, &event, &r->at);
    r->stopped |= e != 0;
    return e < 0 ? e : 0;
}

/* *ret_to: rows before this were passed. */
static int give_rows(run *r, const piece *p, uint32_t *ret_to)
{
    uint32_t *rows, from = p->from;
    size_t n;
    int e = rows_list(r, p, &rows, &n);

    if (e)
        return e;
    xt_scan_reader_rows(r->reader, rows, n);
    for (size_t i = 0; i < n && e == 0 && !r->stopped; i++) {
        if (r->n_looks++ % LOOK_EVERY == 0 && has_ended(r))
            break;
        move_on(r, p, from, rows[i] + 1);
        from = rows[i] + 1;
        e = give_row(r, p, rows[i]);
    }
    *ret_to = r->stopped ? from : p->to;
    move_on(r, p, from, *ret_to);
    return e;
}

/* Rows from .. to of a part. What of it cannot be read is passed and not counted as seen, so that it counts as gone. */
static int give_part(run *r, size_t part, uint32_t from, uint32_t to)
{
    piece p = {.part = part, .zone = xt_scan_zone(r->scan, part), .from = from, .to = to};
    uint32_t passed = from;

    if (from >= to || has_ended(r))
        return 0;
    p.n_words = (p.zone->n_rows + 63) / 64;
    xt_arena_reset(&r->arena);
    xt_scan_reader_begin(r->reader, part);
    p.there = xt_arena_alloc(&r->arena, p.n_words * sizeof *p.there);
    p.mask = xt_arena_alloc(&r->arena, p.n_words * sizeof *p.mask);
    if (!p.there || !p.mask)
        return xt_error_origin(-ENOMEM);
    int e = piece_choose(r, &p);
    if (e == 0)
        e = give_rows(r, &p, &passed);
    if (e == XT_MATCHES_E_ENDED)
        return 0;
    if (e == XT_SCAN_E_DAMAGED)
        r->at.row = (uint64_t)p.zone->group * XT_STORE_GROUP_ROWS + to;
    return e == XT_SCAN_E_DAMAGED ? 0 : xt_error_trace(e);
}

/* ------------------------------------------------------------------------------------------------ order */

/* Rows of views that arrived behind the position and before `end`. */
static int give_views(run *r, uint64_t end)
{
    int e = 0;

    for (size_t i = 0; i < r->n_views && e == 0 && !r->stopped; i++) {
        const source *v = &r->views[i];
        if (v->last <= r->at.arrival || v->first >= end)
            continue;
        uint64_t from = r->at.arrival >= v->first ? r->at.arrival + 1 - v->first : 0;
        uint64_t to = end <= v->last ? end - v->first : v->last + 1 - v->first;
        e = give_part(r, r->parts[v->begin], (uint32_t)from, (uint32_t)to);
    }
    return e;
}

static int give_segment(run *r, const source *s)
{
    int e = 0;

    if (r->at.segment != s->id) {
        r->at.segment = s->id;
        r->at.row = 0;
    }
    for (size_t i = 0; i < s->n && e == 0 && !r->stopped; i++) {
        size_t part = r->parts[s->begin + i];
        const xt_zone *zone = xt_scan_zone(r->scan, part);
        uint64_t first = (uint64_t)zone->group * XT_STORE_GROUP_ROWS;
        uint64_t from = r->at.row > first ? r->at.row - first : 0;
        if (from < zone->n_rows)
            e = give_part(r, part, (uint32_t)from, zone->n_rows);
    }
    if (e == 0 && !r->stopped)
        r->at.row = UINT64_MAX >> 1; /* all of them, also those that were not asked for because they are old */
    return e;
}

/* The cluster takes in what overlaps it; the segment of it that comes next, or NULL. */
static const source *cluster_next(run *r)
{
    const source *next = NULL;

    for (bool grows = true; grows;) {
        grows = false;
        for (size_t i = 0; i < r->n_segments; i++) {
            const source *s = &r->segments[i];
            if (s->first <= r->at.upto && s->last > r->at.upto) {
                r->at.upto = s->last;
                grows = true;
            }
        }
    }
    for (size_t i = 0; i < r->n_segments && !next; i++) {
        const source *s = &r->segments[i];
        bool is_done = s->id < r->at.segment || (s->id == r->at.segment && r->at.row == UINT64_MAX >> 1);
        if (s->last > r->at.base && s->last <= r->at.upto && !is_done)
            next = s;
    }
    return next;
}

static void cluster_end(run *r)
{
    xt_follow_position *at = &r->at;

    at->arrival = at->upto > at->arrival ? at->upto : at->arrival;
    if (at->arrival - at->base > at->n_seen)
        at->n_gone += at->arrival - at->base - at->n_seen;
    *at = (xt_follow_position){.arrival = at->arrival, .n_gone = at->n_gone};
}

static int give_cluster(run *r)
{
    const source *s;
    int e = 0;

    while (e == 0 && !r->stopped && (s = cluster_next(r)))
        e = give_segment(r, s);
    if (e == 0 && !r->stopped)
        e = give_views(r, r->at.upto + 1);
    if (e == 0 && !r->stopped)
        cluster_end(r);
    return e;
}

/* The segment that begins first of those behind the position. */
static const source *first_segment(const run *r)
{
    const source *first = NULL;

    for (size_t i = 0; i < r->n_segments; i++)
        if (r->segments[i].last > r->at.arrival && (!first || r->segments[i].first < first->first))
            first = &r->segments[i];
    return first;
}

/* All that there is. */
static int give_all(run *r, uint64_t last)
{
    const source *s;
    int e = 0;

    while (e == 0 && !r->stopped) {
        if (r->at.upto) {
            e = give_cluster(r);
            continue;
        }
        s = first_segment(r);
        e = give_views(r, s ? s->first : UINT64_MAX);
        if (e || r->stopped || !s)
            break;
        r->at.upto = s->last;
        r->at.base = r->at.arrival;
    }
    if (e == 0 && !r->stopped && last > r->at.arrival) {
        r->at.n_gone += last - r->at.arrival;
        r->at.arrival = last;
    }
    return e;
}

/* ------------------------------------------------------------------------------------------------ run */

static int run_open(run *r, xt_store *store)
{
    xt_scan_spec spec = {.to_ms = XT_TIMESTAMP_MAX_MS, .after_arrival = r->at.arrival};

    xt_arena_init(&r->arena, PART_MAX_BYTES);
    r->arena.keep_bytes = PART_KEEP_BYTES;
    xt_arena_init(&r->row_arena, SIZE_MAX);
    int e = xt_scan_open(store, &spec, &r->scan, r->problem);
    if (e == 0)
        e = sources_collect(r);
    if (e == 0)
        e = xt_matches_new(xt_scan_sources(r->scan), r->spec->filter->n_leaves, is_cancelled, r, &r->matches);
    if (e == 0)
        r->reader = xt_scan_reader_new(r->scan);
    return e == 0 && !r->reader ? xt_error_origin(-ENOMEM) : xt_error_trace(e);
}

static void run_close(run *r)
{
    xt_scan_reader_free(r->reader);
    xt_matches_free(r->matches);
    xt_scan_close(r->scan);
    xt_arena_fini(&r->arena);
    xt_arena_fini(&r->row_arena);
    free(r->parts);
    free(r->views);
    free(r->segments);
}

int xt_follow_run(xt_store *store, const xt_follow *follow, xt_follow_position *position, uint64_t *ret_last,
                  xt_problem *reterr_problem)
{
    run r = {.spec = follow, .at = *position, .problem = reterr_problem};
    uint64_t last = 0;

    r.until_ms = follow->max_ms ? now_ms() + follow->max_ms : 0;
    int e = run_open(&r, store);
    if (e == 0) {
        last = xt_scan_info_get(r.scan).last_arrival;
        e = give_all(&r, last);
    }
    run_close(&r);
    if (e)
        return xt_error_trace(e);
    *position = r.at;
    *ret_last = last;
    return 0;
}

xt_follow_position xt_follow_now(xt_store *store)
{
    return (xt_follow_position){.arrival = xt_store_wait(store, UINT64_MAX, 0)};
}

void xt_follow_fence(const xt_follow_position *oldest, const xt_follow_position *newest, uint64_t *ret_lo,
                     uint64_t *ret_hi)
{
    *ret_lo = oldest->arrival;
    *ret_hi = newest->upto > newest->arrival ? newest->upto : newest->arrival;
}

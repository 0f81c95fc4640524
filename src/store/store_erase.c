/*
 * Segment after segment: which rows are meant is found as for holds when a segment is retired; then the rows that stay are
 * written beside (store_replace.c), what the caller knows of the others goes, and one transaction puts the one in the place
 * of the other, with a tombstone. A kill leaves either; the next erasure of the same finds what is left to do.
 *
 * Merging and retiring go on between two segments. So what was looked at is remembered by id: a merged segment has a new
 * one and is looked at again, and since merging only ever makes fewer of them this comes to an end.
 */
#include <errno.h>
#include <stdlib.h>

#include "store/store_pace.h"
#include "store/store_replace.h"

#define WAIT_NS 20000000

struct xt_erasing {
    xt_store *store;
    uint64_t number, upto;
    uint64_t *seen; /* ids */
    size_t n_seen;
};

/* One segment under way. */
typedef struct erase_job {
    xt_erasing *erasing;
    const xt_erase_orders *orders;
    xt_segment *segment;
    uint64_t *rows; /* that are meant and not held */
    uint64_t n_rows;
    xt_problem *problem;
} erase_job;

int xt_store_erase_open(xt_store *store, xt_erasing **ret, xt_problem *reterr_problem)
{
    xt_erasing *erasing = calloc(1, sizeof *erasing);

    if (!erasing)
        return xt_error_origin(-ENOMEM);
    erasing->store = store;
    int r = xt_store_seal(store, reterr_problem);
    if (r < 0) {
        free(erasing);
        return xt_error_trace(r);
    }
    pthread_mutex_lock(&store->write_lock);
    erasing->upto = xt_pending_marks_get(store->pending).sealed_arrival;
    erasing->number = xt_pending_head(store->pending).id + 1; /* its first row has this id or a later one */
    pthread_mutex_unlock(&store->write_lock);
    *ret = erasing;
    return 0;
}

xt_erasing *xt_store_erase_close(xt_erasing *erasing)
{
    if (erasing)
        free(erasing->seen);
    free(erasing);
    return NULL;
}

uint64_t xt_store_erase_number(const xt_erasing *erasing)
{
    return erasing->number;
}

uint64_t xt_store_erase_upto(const xt_erasing *erasing)
{
    return erasing->upto;
}

/* ------------------------------------------------------------------------------------------------ which one */

static int seen_add(xt_erasing *erasing, uint64_t id)
{
    uint64_t *seen = reallocarray(erasing->seen, erasing->n_seen + 1, sizeof *seen);

    if (!seen)
        return xt_error_origin(-ENOMEM);
    erasing->seen = seen;
    erasing->seen[erasing->n_seen++] = id;
    return 0;
}

static bool is_to_do(const xt_erasing *erasing, const xt_segment *segment)
{
    const xt_segment_info *info = xt_segment_info_get(segment);

    for (size_t i = 0; i < erasing->n_seen; i++)
        if (erasing->seen[i] == info->id)
            return false;
    return info->first_arrival <= erasing->upto;
}

/* A segment that was not looked at, retained, or NULL; how many more there are. */
static xt_segment *segment_take(const xt_erasing *erasing, uint64_t *ret_left)
{
    xt_picture *picture = xt_picture_take(erasing->store);
    xt_segment *segment = NULL;
    uint64_t n = 0;

    for (size_t i = 0; i < picture->segments->n; i++)
        if (is_to_do(erasing, picture->segments->items[i])) {
            n++;
            segment = segment ? segment : xt_segment_ref(picture->segments->items[i]);
        }
    xt_picture_unref(picture);
    *ret_left = n ? n - 1 : 0;
    return segment;
}

/* ------------------------------------------------------------------------------------------------ which rows */

static size_t words_of(const erase_job *job)
{
    return ((size_t)xt_segment_info_get(job->segment)->n_rows + 63) / 64;
}

/* What is meant and one hold keeps: counted, and added to all that is kept. */
static int hold_apply(erase_job *job, size_t i, uint64_t *kept)
{
    uint64_t *held = xt_store_rows_new(job->segment), n = 0;
    int r =
        held ? xt_store_rows_choose(job->erasing->store, job->segment, &job->orders->holds[i], held, &n, job->problem)
             : xt_error_origin(-ENOMEM);

    for (size_t w = 0; w < words_of(job) && r == 0; w++) {
        uint64_t both = held[w] & job->rows[w];
        job->orders->n_held[i] += (uint64_t)__builtin_popcountll(both);
        kept[w] |= both;
    }
    free(held);
    return r;
}

static int holds_apply(erase_job *job)
{
    uint64_t *kept = xt_store_rows_new(job->segment);
    int r = kept ? 0 : xt_error_origin(-ENOMEM);

    for (size_t i = 0; i < job->orders->n_holds && r == 0; i++)
        r = hold_apply(job, i, kept);
    for (size_t w = 0; w < words_of(job) && r == 0; w++) {
        job->rows[w] &= ~kept[w];
        job->n_rows -= (uint64_t)__builtin_popcountll(kept[w]);
    }
    free(kept);
    return r;
}

static int rows_choose(erase_job *job)
{
    int r = xt_store_rows_choose(job->erasing->store, job->segment, job->orders->what, job->rows, &job->n_rows,
                                 job->problem);

    return r == 0 && job->n_rows > 0 && job->orders->n_holds > 0 ? holds_apply(job) : r;
}

/* ------------------------------------------------------------------------------------------------ replacing */

/* The rows of the segment that stay. */
static uint64_t *keep_new(const erase_job *job)
{
    uint64_t n_rows = xt_segment_info_get(job->segment)->n_rows, *keep = xt_store_rows_new(job->segment);

    for (size_t w = 0; keep && w < words_of(job); w++)
        keep[w] = ~job->rows[w];
    if (keep && n_rows % 64)
        keep[n_rows / 64] &= (UINT64_C(1) << n_rows % 64) - 1;
    return keep;
}

static int before_call(void *context, xt_scan *scan, uint64_t *const *masks, xt_problem *reterr_problem)
{
    const erase_job *job = context;

    return job->orders->before(job->orders->context, scan, masks, reterr_problem);
}

static int commit(erase_job *job, xt_replaced *one)
{
    const xt_erase_orders *orders = job->orders;
    xt_erasing *erasing = job->erasing;
    const xt_store_choice before = {before_call, job};
    XT_CLEANUP(xt_buf_fini) xt_buf note = XT_BUF_INIT;
    xt_tombstone tombstone = {.erasure = erasing->number,
                              .segment = xt_segment_info_get(job->segment)->id,
                              .n_rows = job->n_rows,
                              .at_ms = xt_clock_wall_ms(erasing->store->clock)};
    uint64_t n;
    int r = orders->note(orders->context, &tombstone, &note, job->problem);

    if (r == 0)
        r = xt_buf_done(&note);
    if (r == 0 && orders->before)
        r = xt_store_rows_choose(erasing->store, job->segment, &before, job->rows, &n, job->problem);
    if (r != 0)
        return r;
    xt_ledger_row row = {.kind = XT_LEDGER_ERASED,
                         .at_ms = tombstone.at_ms,
                         .n_events = job->n_rows,
                         .first_arrival = xt_segment_info_get(job->segment)->first_arrival,
                         .first = tombstone.erasure,
                         .last = tombstone.segment,
                         .note = xt_buf_slice(&note)};
    return xt_replaced_commit(erasing->store, one, 1, &row, orders->n_hold_changes, job->problem);
}

static int rows_erase(erase_job *job)
{
    xt_store_pace pace = {.store = job->erasing->store,
                          .in_background = true,
                          .stops = job->orders->stops,
                          .context = job->orders->context};
    xt_segment_steps steps = xt_store_pace_begin(&pace);
    uint64_t n_rows = xt_segment_info_get(job->segment)->n_rows, *keep = keep_new(job);
    xt_replaced one = {.old = job->segment,
                       .n_keep = n_rows - job->n_rows,
                       .keep = keep,
                       .entered = XT_LEDGER_REWRITTEN,
                       .left = XT_LEDGER_REPLACED,
                       .n_left = n_rows};
    int r = keep ? xt_replaced_make(pace.store, &one, &steps, job->problem) : xt_error_origin(-ENOMEM);

    if (r == 0 && one.kept) /* before it can be looked at */
        r = seen_add(job->erasing, xt_segment_info_get(one.kept)->id);
    if (r == 0)
        r = commit(job, &one);
    xt_replaced_fini(pace.store, &one);
    free(keep);
    return r;
}

static int segment_erase(erase_job *job, xt_erase_step *step)
{
    step->segment = xt_segment_info_get(job->segment)->id;
    job->rows = xt_store_rows_new(job->segment);
    int r = job->rows ? rows_choose(job) : xt_error_origin(-ENOMEM);
    step->n_rows = job->n_rows;
    if (r == 0 && job->n_rows > 0 && !job->orders->is_dry)
        r = rows_erase(job);
    free(job->rows);
    return r > 0 ? XT_ERASE_E_DAMAGED : r;
}

/* Verifying may take hours: who asked may give up. */
static int lock_take(const xt_store_pace *pace)
{
    static const struct timespec pause = {0, WAIT_NS};

    while (pthread_mutex_trylock(&pace->store->merge_lock) != 0) {
        if (xt_store_pace_stops(pace))
            return -ECANCELED;
        nanosleep(&pause, NULL);
    }
    return 0;
}

int xt_store_erase_next(xt_erasing *erasing, const xt_erase_orders *orders, xt_erase_step *ret,
                        xt_problem *reterr_problem)
{
    xt_store_pace pace = {.store = erasing->store, .stops = orders->stops, .context = orders->context};
    erase_job job = {.erasing = erasing, .orders = orders, .problem = reterr_problem};
    xt_erase_step step = {0};
    int r = xt_store_pace_stops(&pace) ? -ECANCELED : lock_take(&pace);

    if (r < 0)
        return r;
    for (size_t i = 0; i < orders->n_holds; i++)
        orders->n_held[i] = 0;
    job.segment = segment_take(erasing, &step.n_left);
    r = job.segment ? segment_erase(&job, &step) : XT_ERASE_E_END;
    pthread_mutex_unlock(&erasing->store->merge_lock);
    if (r >= 0 && job.segment && seen_add(erasing, step.segment) < 0)
        r = xt_error_origin(-ENOMEM);
    xt_segment_unref(job.segment);
    xt_store_note_error(erasing->store, r);
    if (r >= 0)
        *ret = step;
    return r;
}

/* ------------------------------------------------------------------------------------------------ tombstones */

typedef struct tombstones {
    int (*fn)(void *context, const xt_tombstone *tombstone);
    void *context;
} tombstones;

static int on_erased(void *context, uint64_t id, const xt_ledger_row *row)
{
    const tombstones *t = context;
    xt_tombstone tombstone = {.erasure = row->first,
                              .ledger_id = id,
                              .segment = row->last,
                              .n_rows = row->n_events,
                              .at_ms = row->at_ms,
                              .note = row->note};

    return t->fn(t->context, &tombstone);
}

int xt_store_each_tombstone(xt_store *store, int (*fn)(void *context, const xt_tombstone *tombstone), void *context,
                            xt_problem *reterr_problem)
{
    tombstones t = {fn, context};
    xt_pending *snapshot = NULL;
    int r = xt_store_snapshot(store, &snapshot, reterr_problem);

    if (r == 0)
        r = xt_pending_each_erased(snapshot, on_erased, &t, reterr_problem);
    xt_pending_close(snapshot);
    return r;
}

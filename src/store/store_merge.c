/*
 * Merging makes few big segments of many small ones: rows of a host come to stand side by side, values that several
 * segments have are stored once, and a query has less to open.
 *
 * Neighbours in arrival are merged when together they are several times as big as the biggest of them, so that a row is
 * rewritten about once for each factor of eight in size. What is younger than the tail's horizon is left alone: a merged
 * segment does not know which of its rows arrived when.
 *
 * The file is written beside (ID.tmp), synced, and its name too; then ONE transaction takes the inputs out of the catalog,
 * puts the result there and writes it all to the ledger; only then the file gets its name and the inputs are unlinked. So a
 * file ID.tmp that the catalog names is a segment (opening gives it its name), one that it does not name is nothing, and an
 * input that is still there is known from the ledger. Readers hold their files open and are not disturbed.
 */
#include "store/segment_merge.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "store/store_pace.h"
#include "store/store_replace.h"

#define MAX_ROWS       (UINT64_C(16) << 20)
#define MAX_INPUTS     16
#define RATIO          7  /* rows of all to rows of the biggest: from here on merging is worth it */
#define RATIO_OF_ALL   10 /* the same when everything is to be merged, in eighths */
#define RETRY_AFTER_MS (60 * 1000)

typedef struct merge_job {
    xt_store *store;
    xt_segment *inputs[MAX_INPUTS]; /* retained */
    size_t n;
    uint64_t id;
    xt_digest digest; /* of the merged file */
    bool in_background;
} merge_job;

/* ------------------------------------------------------------------------------------------------ choice */

static int arrival_order(const void *a, const void *b)
{
    const xt_segment *const *x = a, *const *y = b;
    uint64_t first_x = xt_segment_info_get(*x)->first_arrival, first_y = xt_segment_info_get(*y)->first_arrival;

    return first_x < first_y ? -1 : first_x > first_y;
}

static bool may_merge(const xt_store *store, const xt_segment *segment, bool in_background)
{
    const xt_segment_info *info = xt_segment_info_get(segment);

    for (size_t i = 0; i < store->n_unmergeable; i++)
        if (store->unmergeable[i] == info->id)
            return false;
    return !in_background || info->made_ms <= xt_clock_wall_ms(store->clock) - store->merge_horizon_ms;
}

bool xt_store_fence_set(xt_store *store, const void *owner, uint64_t lo, uint64_t hi)
{
    size_t i = 0;

    pthread_mutex_lock(&store->picture_lock);
    while (i < store->n_fences && store->fences[i].owner != owner)
        i++;
    bool has_room = i < XT_STORE_MAX_FENCES;
    if (has_room)
        store->fences[i] = (struct xt_store_fence){owner, lo, hi};
    if (has_room && i == store->n_fences)
        store->n_fences++;
    pthread_mutex_unlock(&store->picture_lock);
    return has_room;
}

void xt_store_fence_remove(xt_store *store, const void *owner)
{
    pthread_mutex_lock(&store->picture_lock);
    for (size_t i = 0; i < store->n_fences; i++)
        if (store->fences[i].owner == owner)
            store->fences[i--] = store->fences[--store->n_fences];
    pthread_mutex_unlock(&store->picture_lock);
}

/* Whether a segment of these arrivals would be one that a fence forbids. */
static bool is_fenced(xt_store *store, uint64_t first, uint64_t last)
{
    bool found = false;

    pthread_mutex_lock(&store->picture_lock);
    for (size_t i = 0; i < store->n_fences && !found; i++)
        found = first <= store->fences[i].hi && last > store->fences[i].lo;
    pthread_mutex_unlock(&store->picture_lock);
    return found;
}

/* Of all runs of neighbours the one whose rows are the greatest multiple of its biggest segment's. */
static void inputs_choose(merge_job *job, xt_segment *const *segments, size_t n)
{
    uint64_t best = job->in_background ? RATIO * 8 : RATIO_OF_ALL;
    size_t best_first = 0, best_n = 0;

    for (size_t first = 0; first < n; first++) {
        uint64_t rows = 0, biggest = 1, last = 0;
        for (size_t i = first; i < n && i - first < MAX_INPUTS; i++) {
            const xt_segment_info *info = xt_segment_info_get(segments[i]);
            uint64_t more = info->n_rows;
            last = info->last_arrival > last ? info->last_arrival : last;
            rows += more;
            biggest = more > biggest ? more : biggest;
            if (rows > MAX_ROWS || !may_merge(job->store, segments[i], job->in_background) ||
                is_fenced(job->store, xt_segment_info_get(segments[first])->first_arrival, last))
                break;
            if (i > first && rows * 8 / biggest >= best) {
                best = rows * 8 / biggest;
                best_first = first;
                best_n = i - first + 1;
            }
        }
    }
    for (size_t i = 0; i < best_n; i++)
        job->inputs[job->n++] = xt_segment_ref(segments[best_first + i]);
}

/* Whether the disk has room for the result beside its inputs, and as much again for those who append. */
static bool has_room(const merge_job *job)
{
    struct statvfs fs;
    uint64_t bytes = 0;

    for (size_t i = 0; i < job->n; i++)
        bytes += xt_segment_info_get(job->inputs[i])->bytes;
    return statvfs(job->store->segments_dir, &fs) < 0 || (uint64_t)fs.f_bavail * fs.f_frsize / 2 >= bytes;
}

static int job_init(merge_job *job, xt_store *store, bool in_background)
{
    *job = (merge_job){.store = store, .in_background = in_background};
    xt_picture *picture = xt_picture_take(store);
    size_t n = picture->segments->n;
    xt_segment **segments = calloc(n + 1, sizeof(xt_segment *));

    if (segments) {
        memcpy(segments, picture->segments->items, n * sizeof(xt_segment *));
        qsort(segments, n, sizeof(xt_segment *), arrival_order);
        inputs_choose(job, segments, n);
    }
    free(segments);
    xt_picture_unref(picture);
    return segments ? 0 : xt_error_origin(-ENOMEM);
}

static void job_fini(merge_job *job)
{
    for (size_t i = 0; i < job->n; i++)
        xt_segment_unref(job->inputs[i]);
}

/* ------------------------------------------------------------------------------------------------ file and catalog */

static int ledger_put(const merge_job *job, const xt_segment_info *merged, xt_problem *reterr_problem)
{
    xt_ledger_row row = {
        .kind = XT_LEDGER_MERGED,
        .at_ms = merged->made_ms,
        .n_events = merged->n_rows,
        .first_arrival = merged->first_arrival,
        .first = merged->id,
        .last = merged->id,
        .hash = merged->hash,
        .digest = job->digest,
    };
    int r = xt_pending_put_ledger(job->store->pending, &row, reterr_problem);

    for (size_t i = 0; i < job->n && r == 0; i++) {
        const xt_segment_info *info = xt_segment_info_get(job->inputs[i]);
        row.kind = XT_LEDGER_REPLACED;
        row.n_events = info->n_rows;
        row.first_arrival = info->first_arrival;
        row.first = info->id;
        row.hash = info->hash;
        row.digest = (xt_digest){{0}};
        r = xt_pending_put_ledger(job->store->pending, &row, reterr_problem);
    }
    return r;
}

static int catalog_replace(const merge_job *job, const xt_segment_info *merged, xt_problem *reterr_problem)
{
    xt_pending *pending = job->store->pending;
    xt_pending_segment row = xt_store_catalog_row(merged);
    uint64_t ids[MAX_INPUTS];
    int r = xt_pending_begin(pending, reterr_problem);

    for (size_t i = 0; i < job->n; i++)
        ids[i] = xt_segment_info_get(job->inputs[i])->id;
    if (r == 0)
        r = xt_pending_replace_segments(pending, ids, job->n, &row, reterr_problem);
    if (r == 0)
        r = ledger_put(job, merged, reterr_problem);
    if (r == 0)
        r = xt_pending_commit(pending, reterr_problem);
    if (r < 0)
        xt_pending_rollback(pending);
    return r;
}

static bool is_input(const merge_job *job, const xt_segment *segment)
{
    for (size_t i = 0; i < job->n; i++)
        if (job->inputs[i] == segment)
            return true;
    return false;
}

/* The picture of now with the merged segment in the place of its inputs. *ret_found: how many of them were there. */
static int picture_with(const merge_job *job, xt_segment *merged, size_t *ret_found, xt_picture **ret)
{
    const xt_picture *now = job->store->picture;
    xt_segment_list *list = xt_segment_list_with(NULL, NULL);
    int r = list ? xt_segment_list_add(&list, merged) : xt_error_origin(-ENOMEM);

    *ret_found = 0;
    for (size_t i = 0; i < now->segments->n && r == 0; i++) {
        if (is_input(job, now->segments->items[i]))
            ++*ret_found;
        else
            r = xt_segment_list_add(&list, now->segments->items[i]);
    }
    if (r == 0) {
        *ret = xt_picture_new(list, now->views, now->n_views, now->last_arrival);
        r = *ret ? 0 : xt_error_origin(-ENOMEM);
    }
    if (list)
        xt_segment_list_unref(list);
    return r;
}

/*
 * The commit that puts one for many. Under the write lock. *ret_tried: the file may be named by the catalog, whatever is
 * returned.
 */
static int merge_commit(const merge_job *job, xt_segment *merged, bool *ret_tried, xt_problem *reterr_problem)
{
    xt_store *store = job->store;
    xt_picture *picture = NULL;
    size_t n_found = 0;
    int r = picture_with(job, merged, &n_found, &picture);

    if (r == 0 && n_found != job->n) /* retired meanwhile: what was merged is not what there is */
        r = xt_error_origin(-ECANCELED);
    if (r == 0) {
        *ret_tried = true;
        r = catalog_replace(job, xt_segment_info_get(merged), reterr_problem);
        if (r < 0)
            xt_store_commit_failed(store, job->id);
    }
    if (r < 0) {
        xt_picture_unref(picture);
        return xt_error_trace(r);
    }
    xt_store_commit_done(store);
    xt_picture_swap(store, picture);
    return 0;
}

/* The merged file gets its name; when that is sure, its inputs go. What fails here is done when the store is opened. */
static void files_replace(const merge_job *job)
{
    const xt_vfs *vfs = job->store->vfs;

    if (!xt_store_name_file(job->store, job->id) || vfs->sync_folder(vfs, job->store->segments_dir) < 0)
        return;
    for (size_t i = 0; i < job->n; i++) {
        char *input = xt_store_segment_path(job->store, xt_segment_info_get(job->inputs[i])->id, ".xts");
        if (input)
            vfs->unlink(vfs, input);
        free(input);
    }
}

/* It is left alone from now on. */
static int unmergeable_add(xt_store *store, uint64_t id)
{
    uint64_t *ids = reallocarray(store->unmergeable, store->n_unmergeable + 1, sizeof *ids);

    if (!ids)
        return xt_error_origin(-ENOMEM);
    store->unmergeable = ids;
    store->unmergeable[store->n_unmergeable++] = id;
    return 0;
}

/* Writes the file beside and opens it. */
static int merged_make(merge_job *job, const char *beside, xt_segment **ret, xt_problem *reterr_problem)
{
    xt_store *store = job->store;
    xt_store_pace pace = {.store = store, .in_background = job->in_background};
    xt_segment_steps steps = xt_store_pace_begin(&pace);
    xt_segment_info info;
    size_t bad = SIZE_MAX;

    int r = xt_segment_merge(store->vfs, beside, job->id, xt_clock_wall_ms(store->clock), job->inputs, job->n, &steps,
                             &bad, &info, reterr_problem);
    if (r == 0)
        r = xt_digest_of_file(store->vfs, beside, &job->digest, NULL);
    if (r == 0)
        r = store->vfs->sync_folder(store->vfs, store->segments_dir);
    if (r == 0)
        r = xt_segment_open(store->vfs, beside, ret, reterr_problem);
    if (r > 0 && bad < job->n) {
        r = unmergeable_add(store, xt_segment_info_get(job->inputs[bad])->id);
        return r < 0 ? r : -ECANCELED; /* the others may be merged yet */
    }
    return r > 0 ? xt_error_origin(-EIO) : r;
}

static int job_run_at(merge_job *job, const char *beside, xt_problem *reterr_problem)
{
    xt_store *store = job->store;
    xt_segment *merged = NULL;
    bool tried = false;
    int r = merged_make(job, beside, &merged, reterr_problem);

    if (r == 0) {
        pthread_mutex_lock(&store->write_lock);
        r = merge_commit(job, merged, &tried, reterr_problem);
        pthread_mutex_unlock(&store->write_lock);
    }
    if (r == 0)
        files_replace(job);
    else if (!tried)
        store->vfs->unlink(store->vfs, beside);
    xt_segment_unref(merged);
    return r;
}

static int job_run(merge_job *job, xt_problem *reterr_problem)
{
    xt_store *store = job->store;

    pthread_mutex_lock(&store->write_lock);
    job->id = store->next_segment++;
    pthread_mutex_unlock(&store->write_lock);
    char *beside = xt_store_segment_path(store, job->id, ".tmp");
    int r = beside ? job_run_at(job, beside, reterr_problem) : xt_error_origin(-ENOMEM);
    free(beside);
    return r;
}

int xt_store_merge(xt_store *store, bool in_background, bool *ret_done, xt_problem *reterr_problem)
{
    merge_job job;
    int64_t now_ms = xt_clock_mono_ms(store->clock);
    int r = 0;

    *ret_done = false;
    if (!in_background)
        pthread_mutex_lock(&store->merge_lock);
    else if (pthread_mutex_trylock(&store->merge_lock) != 0)
        return 0; /* verifying may take hours; closing must not wait for it */
    if (!atomic_load(&store->merging_stops) && (!in_background || store->merge_after_ms <= now_ms)) {
        r = job_init(&job, store, in_background);
        if (r == 0 && job.n > 1 && has_room(&job)) {
            r = job_run(&job, reterr_problem);
            *ret_done = r == 0;
        }
        if (r < 0)
            store->merge_after_ms = now_ms + RETRY_AFTER_MS;
        job_fini(&job);
    }
    pthread_mutex_unlock(&store->merge_lock);
    return r == -ECANCELED ? 0 : r;
}

int xt_store_merge_due(xt_store *store, bool *ret_done, xt_problem *reterr_problem)
{
    return xt_store_merge(store, true, ret_done, reterr_problem);
}

void xt_store_merge_stop(xt_store *store)
{
    atomic_store(&store->merging_stops, true);
}

/*
 * Sealing in three steps: under the write lock the tail is closed and what is open is noted; without it the file is
 * written beside, synced and renamed; under it again one transaction makes the segment exist, and a new picture shows
 * it in the place of its rows. Appending goes on during the second, which is the long one.
 *
 * A commit that failed may yet be found done after a crash. So the file that it names is left alone, and the next
 * sealing takes another id; when that one is committed the first is no longer needed.
 */
#include "store/store_private.h"
#include "store/store_replace.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define DELETE_STEP_ROWS 64
#define GIVE_BACK_PAGES  512 /* at once; appending waits for it */

typedef struct watermark {
    xt_hash128 stream;
    uint64_t number;
} watermark;

/* What one sealing takes. */
typedef struct sealing {
    xt_picture *picture; /* its views are sealed */
    int64_t last_row;
    uint64_t n_rows_pending;
    uint64_t id;
    bool is_small;    /* nobody waits for it */
    xt_digest digest; /* of the file */
    watermark *watermarks;
    size_t n_watermarks;
} sealing;

/* ------------------------------------------------------------------------------------------------ failed commits */

void xt_store_commit_failed(xt_store *store, uint64_t id)
{
    uint64_t *ids = reallocarray(store->failed_ids, store->n_failed_ids + 1, sizeof *ids);

    if (!ids)
        return; /* the file is found when the store is opened */
    store->failed_ids = ids;
    store->failed_ids[store->n_failed_ids++] = id;
}

void xt_store_commit_done(xt_store *store)
{
    static const char *const suffixes[] = {".xts", ".tmp"};

    while (store->n_failed_ids > 0) {
        uint64_t id = store->failed_ids[--store->n_failed_ids];
        for (size_t i = 0; i < XT_COUNT_OF(suffixes); i++) {
            char *path = xt_store_segment_path(store, id, suffixes[i]);
            if (path)
                store->vfs->unlink(store->vfs, path);
            free(path);
        }
    }
}

/* ------------------------------------------------------------------------------------------------ sealing */

static int watermarks_note(xt_store *store, sealing *s)
{
    size_t i = 0;

    s->watermarks = calloc(store->streams.n + 1, sizeof *s->watermarks);
    if (!s->watermarks)
        return xt_error_origin(-ENOMEM);
    for (xt_map_entry *entry; (entry = xt_map_next(&store->streams, &i)) != NULL;) {
        const xt_stream *stream = entry->value;
        if (stream->sealed_number != stream->number)
            s->watermarks[s->n_watermarks++] = (watermark){stream->key, stream->number};
    }
    return 0;
}

/* Closes the tail and notes what is open now. Under the write lock. */
static int sealing_begin(xt_store *store, sealing *s)
{
    xt_pending_marks marks = xt_pending_marks_get(store->pending);
    int r = watermarks_note(store, s);

    if (r < 0)
        return xt_error_trace(r);
    if (store->tail)
        xt_open_block_close(store->tail);
    store->tail = xt_open_block_unref(store->tail);
    s->picture = xt_picture_take(store);
    s->last_row = marks.last_row;
    s->id = store->next_segment++;
    s->n_rows_pending = atomic_load(&store->n_pending_rows);
    return 0;
}

static int segment_make(xt_store *store, sealing *s, xt_segment **ret, xt_problem *reterr_problem)
{
    char *path = xt_store_segment_path(store, s->id, ".xts"), *beside = xt_store_segment_path(store, s->id, ".tmp");
    xt_segment_info info;
    int r = path && beside ? 0 : -ENOMEM;

    if (r == 0)
        r = xt_segment_write(store->vfs, beside, s->id, xt_clock_wall_ms(store->clock), s->is_small, s->picture->views,
                             s->picture->n_views, &info, reterr_problem);
    if (r == 0)
        r = xt_digest_of_file(store->vfs, beside, &s->digest, NULL);
    if (r == 0)
        r = store->vfs->rename(store->vfs, beside, path);
    if (r == 0)
        r = store->vfs->sync_folder(store->vfs, store->segments_dir);
    if (r == 0)
        r = xt_segment_open(store->vfs, path, ret, reterr_problem);
    if (r != 0 && path && beside) {
        store->vfs->unlink(store->vfs, beside);
        store->vfs->unlink(store->vfs, path);
    }
    if (r < 0 && !xt_problem_is_set(reterr_problem))
        xt_problem_set(reterr_problem, "sealing failed: %s", strerror(-r));
    free(beside);
    free(path);
    return r > 0 ? xt_error_origin(-EIO) : r; /* what cannot be read back is not committed */
}

static int catalog_put(xt_store *store, const sealing *s, const xt_segment_info *info, xt_problem *reterr_problem)
{
    xt_pending_segment row = xt_store_catalog_row(info);
    xt_ledger_row ledger = {
        .kind = XT_LEDGER_SEALED,
        .at_ms = info->made_ms,
        .n_events = info->n_rows,
        .first_arrival = info->first_arrival,
        .first = info->id,
        .last = info->id,
        .hash = info->hash,
        .digest = s->digest,
    };
    int r = xt_pending_begin(store->pending, reterr_problem);

    if (r == 0)
        r = xt_pending_put_segment(store->pending, &row, s->last_row, reterr_problem);
    for (size_t i = 0; i < s->n_watermarks && r == 0; i++)
        r = xt_pending_set_watermark(store->pending, s->watermarks[i].stream, s->watermarks[i].number, reterr_problem);
    if (r == 0)
        r = xt_pending_put_ledger(store->pending, &ledger, reterr_problem);
    if (r == 0)
        r = xt_pending_commit(store->pending, reterr_problem);
    if (r < 0)
        xt_pending_rollback(store->pending);
    return r;
}

/* The picture of now, with the segment in the place of the views that it was made of: those come first. */
static int picture_with(xt_store *store, const sealing *s, xt_segment *segment, xt_picture **ret)
{
    const xt_picture *now = store->picture;
    size_t n_gone = s->picture->n_views;
    xt_segment_list *list = xt_segment_list_with(now->segments, segment);

    if (!list)
        return xt_error_origin(-ENOMEM);
    *ret = xt_picture_new(list, now->views + n_gone, now->n_views - n_gone, now->last_arrival);
    xt_segment_list_unref(list);
    return *ret ? 0 : xt_error_origin(-ENOMEM);
}

/* The commit that makes the segment exist. Under the write lock. */
static int sealing_commit(xt_store *store, const sealing *s, xt_segment *segment, xt_problem *reterr_problem)
{
    xt_picture *picture = NULL;
    int r = picture_with(store, s, segment, &picture);

    if (r == 0)
        r = catalog_put(store, s, xt_segment_info_get(segment), reterr_problem);
    if (r < 0) {
        xt_store_commit_failed(store, s->id);
        xt_picture_unref(picture);
        return xt_error_trace(r);
    }
    xt_store_commit_done(store);
    for (size_t i = 0; i < s->n_watermarks; i++) {
        const watermark *mark = &s->watermarks[i];
        xt_stream *stream = xt_map_find(&store->streams, xt_slice_of(mark->stream.b, sizeof mark->stream.b));
        if (stream)
            stream->sealed_number = mark->number;
    }
    atomic_fetch_sub(&store->n_pending_rows, s->n_rows_pending);
    store->oldest_open_ms = picture->n_views ? xt_clock_mono_ms(store->clock) : 0;
    xt_picture_swap(store, picture);
    return 0;
}

static int seal_locked(xt_store *store, bool is_small, xt_problem *reterr_problem)
{
    sealing s = {.is_small = is_small};
    xt_segment *segment = NULL;

    pthread_mutex_lock(&store->write_lock);
    int r = sealing_begin(store, &s);
    pthread_mutex_unlock(&store->write_lock);
    if (r == 0 && s.picture->n_views > 0) {
        r = segment_make(store, &s, &segment, reterr_problem);
        if (r == 0) {
            pthread_mutex_lock(&store->write_lock);
            r = sealing_commit(store, &s, segment, reterr_problem);
            pthread_mutex_unlock(&store->write_lock);
        }
    }
    xt_segment_unref(segment);
    xt_picture_unref(s.picture);
    free(s.watermarks);
    return r;
}

static int seal(xt_store *store, bool is_small, xt_problem *reterr_problem)
{
    pthread_mutex_lock(&store->seal_lock);
    int r = seal_locked(store, is_small, reterr_problem);
    pthread_mutex_unlock(&store->seal_lock);
    xt_store_note_error(store, r);
    return r;
}

int xt_store_seal(xt_store *store, xt_problem *reterr_problem)
{
    return seal(store, false, reterr_problem);
}

/* ------------------------------------------------------------------------------------------------ upkeep */

static int delete_step(xt_store *store, bool *ret_left, xt_problem *reterr_problem)
{
    pthread_mutex_lock(&store->write_lock);
    int r = xt_pending_delete_sealed(store->pending, DELETE_STEP_ROWS, ret_left, reterr_problem);
    pthread_mutex_unlock(&store->write_lock);
    return r;
}

int xt_store_delete_sealed(xt_store *store, xt_problem *reterr_problem)
{
    bool left = true;
    int r = 0;

    while (left && r == 0) {
        struct timespec pause = {0, 500000};
        r = delete_step(store, &left, reterr_problem);
        if (left && atomic_load(&store->n_appending) > 0)
            nanosleep(&pause, NULL); /* a mutex is not fair: the writer goes first */
    }
    return r;
}

/* When most of pending.db is free, as after a burst, a little of it goes back to the file system. */
static int give_back(xt_store *store, xt_problem *reterr_problem)
{
    bool gave = false;

    pthread_mutex_lock(&store->write_lock);
    int r = xt_pending_give_back(store->pending, GIVE_BACK_PAGES, &gave, reterr_problem);
    if (r == 0 && store->gives_back && !gave)
        r = xt_pending_checkpoint(store->pending, reterr_problem);
    if (r == 0)
        store->gives_back = gave;
    pthread_mutex_unlock(&store->write_lock);
    return r;
}

static size_t n_segments(xt_store *store)
{
    xt_picture *picture = xt_picture_take(store);
    size_t n = picture->segments->n;

    xt_picture_unref(picture);
    return n;
}

int xt_store_compact(xt_store *store, xt_problem *reterr_problem)
{
    bool merged = true;
    int r = seal(store, true, reterr_problem);

    /* Each leaves a segment less at least. What others seal meanwhile is not waited for: that may never end. */
    for (size_t n = n_segments(store); r == 0 && merged && n > 0; n--)
        r = xt_store_merge(store, false, &merged, reterr_problem);
    if (r == 0)
        r = xt_store_delete_sealed(store, reterr_problem);
    if (r < 0)
        return xt_error_trace(r);
    pthread_mutex_lock(&store->write_lock);
    r = xt_pending_shrink(store->pending, reterr_problem);
    pthread_mutex_unlock(&store->write_lock);
    return r;
}

static bool seal_is_due(xt_store *store)
{
    xt_picture *picture = xt_picture_take(store);
    uint64_t n_rows = xt_picture_open_rows(picture);

    xt_picture_unref(picture);
    pthread_mutex_lock(&store->write_lock);
    int64_t oldest_ms = store->oldest_open_ms;
    pthread_mutex_unlock(&store->write_lock);
    return n_rows >= store->seal_rows ||
           (n_rows > 0 && oldest_ms && xt_clock_mono_ms(store->clock) - oldest_ms >= store->seal_after_ms);
}

int xt_store_maintain(xt_store *store, xt_problem *reterr_problem)
{
    xt_store_room_keep(store);
    if (xt_store_is_full(store))
        return 0; /* all of it needs room */
    int r = seal_is_due(store) ? xt_store_seal(store, reterr_problem) : 0;
    if (r == 0)
        r = xt_store_delete_sealed(store, reterr_problem);
    if (r == 0)
        r = give_back(store, reterr_problem);
    xt_store_note_error(store, r);
    return xt_error_trace(r);
}

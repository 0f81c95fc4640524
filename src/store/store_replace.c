/*
 * The order of writing is that of merging, so that opening the store knows what to do after a kill at any point. A file
 * whose commit failed is left alone: it may be found done.
 */
#include "store/store_replace.h"

#include <errno.h>
#include <stdlib.h>

#include "store/segment_select.h"

xt_pending_segment xt_store_catalog_row(const xt_segment_info *info)
{
    return (xt_pending_segment){
        .id = info->id,
        .n_rows = info->n_rows,
        .first_arrival = info->first_arrival,
        .last_arrival = info->last_arrival,
        .bytes = info->bytes,
        .min_ms = info->min_ms,
        .max_ms = info->max_ms,
        .made_ms = info->made_ms,
        .hash = info->hash,
    };
}

static int kept_write(xt_store *store, xt_replaced *one, uint64_t id, const char *beside, const xt_segment_steps *steps,
                      xt_problem *reterr_problem)
{
    xt_segment_info info;
    int r = xt_segment_select(store->vfs, beside, id, xt_clock_wall_ms(store->clock), one->old, one->keep, one->n_keep,
                              steps, &info, reterr_problem);

    if (r == 0)
        r = xt_digest_of_file(store->vfs, beside, &one->digest, NULL);
    if (r == 0)
        r = store->vfs->sync_folder(store->vfs, store->segments_dir);
    if (r == 0)
        r = xt_segment_open(store->vfs, beside, &one->kept, reterr_problem);
    if (r < 0 && !xt_problem_is_set(reterr_problem))
        xt_problem_set(reterr_problem, "writing a segment failed: %s", strerror(-r));
    return r;
}

int xt_replaced_make(xt_store *store, xt_replaced *one, const xt_segment_steps *steps, xt_problem *reterr_problem)
{
    if (one->n_keep == 0)
        return 0;
    pthread_mutex_lock(&store->write_lock);
    uint64_t id = store->next_segment++;
    pthread_mutex_unlock(&store->write_lock);
    char *beside = xt_store_segment_path(store, id, ".tmp");
    int r = beside ? kept_write(store, one, id, beside, steps, reterr_problem) : xt_error_origin(-ENOMEM);
    if (r != 0 && beside)
        store->vfs->unlink(store->vfs, beside);
    free(beside);
    return r;
}

void xt_replaced_fini(xt_store *store, xt_replaced *one)
{
    if (one->kept) {
        char *beside = xt_store_segment_path(store, xt_segment_info_get(one->kept)->id, ".tmp");
        if (beside)
            store->vfs->unlink(store->vfs, beside);
        free(beside);
    }
    one->kept = xt_segment_unref(one->kept);
}

/* ------------------------------------------------------------------------------------------------ picture */

static bool leaves(const xt_replaced *all, size_t n, const xt_segment *segment)
{
    for (size_t i = 0; i < n; i++)
        if (all[i].old == segment)
            return true;
    return false;
}

/* The picture of now without those that leave, with those that come. -ECANCELED: not all of them are there. */
static int picture_make(const xt_store *store, const xt_replaced *all, size_t n, xt_picture **ret)
{
    const xt_picture *now = store->picture;
    xt_segment_list *list = xt_segment_list_with(NULL, NULL);
    size_t n_found = 0;
    int r = list ? 0 : xt_error_origin(-ENOMEM);

    for (size_t i = 0; i < n && r == 0; i++)
        if (all[i].kept)
            r = xt_segment_list_add(&list, all[i].kept);
    for (size_t i = 0; i < now->segments->n && r == 0; i++) {
        if (leaves(all, n, now->segments->items[i]))
            n_found++;
        else
            r = xt_segment_list_add(&list, now->segments->items[i]);
    }
    if (r == 0 && n_found != n)
        r = xt_error_origin(-ECANCELED);
    if (r == 0) {
        *ret = xt_picture_new(list, now->views, now->n_views, now->last_arrival);
        r = *ret ? 0 : xt_error_origin(-ENOMEM);
    }
    xt_segment_list_unref(list);
    return r;
}

/* ------------------------------------------------------------------------------------------------ catalog */

static int kept_put(xt_pending *pending, const xt_replaced *one, int64_t now_ms, xt_problem *reterr_problem)
{
    const xt_segment_info *info = xt_segment_info_get(one->kept);
    xt_pending_segment row = xt_store_catalog_row(info);
    xt_ledger_row ledger = {
        .kind = one->entered,
        .at_ms = now_ms,
        .n_events = info->n_rows,
        .first_arrival = info->first_arrival,
        .first = info->id,
        .last = info->id,
        .hash = info->hash,
        .digest = one->digest,
    };
    int r = xt_pending_add_segment(pending, &row, reterr_problem);

    return r == 0 ? xt_pending_put_ledger(pending, &ledger, reterr_problem) : r;
}

static int old_drop(xt_pending *pending, const xt_replaced *one, int64_t now_ms, xt_problem *reterr_problem)
{
    const xt_segment_info *info = xt_segment_info_get(one->old);
    xt_ledger_row ledger = {
        .kind = one->left,
        .at_ms = now_ms,
        .n_events = one->n_left,
        .first_arrival = info->first_arrival,
        .first = info->id,
        .last = one->kept ? xt_segment_info_get(one->kept)->id : 0,
        .hash = info->hash,
    };
    int r = xt_pending_drop_segment(pending, info->id, reterr_problem);

    return r == 0 ? xt_pending_put_ledger(pending, &ledger, reterr_problem) : r;
}

static int catalog_change(xt_store *store, const xt_replaced *all, size_t n, const xt_ledger_row *more,
                          xt_problem *reterr_problem)
{
    xt_pending *pending = store->pending;
    int64_t now_ms = xt_clock_wall_ms(store->clock);
    int r = xt_pending_begin(pending, reterr_problem);

    for (size_t i = 0; i < n && r == 0; i++) {
        if (all[i].kept)
            r = kept_put(pending, &all[i], now_ms, reterr_problem);
        if (r == 0)
            r = old_drop(pending, &all[i], now_ms, reterr_problem);
    }
    if (r == 0 && more)
        r = xt_pending_put_ledger(pending, more, reterr_problem);
    if (r == 0)
        r = xt_pending_commit(pending, reterr_problem);
    if (r < 0)
        xt_pending_rollback(pending);
    return r;
}

/* Under the write lock. *ret_tried: the new files may be named by the catalog, whatever is returned. */
static int commit_locked(xt_store *store, const xt_replaced *all, size_t n, const xt_ledger_row *more, bool *ret_tried,
                         xt_problem *reterr_problem)
{
    xt_picture *picture = NULL;
    int r = picture_make(store, all, n, &picture);

    if (r == 0) {
        *ret_tried = true;
        r = catalog_change(store, all, n, more, reterr_problem);
        for (size_t i = 0; i < n && r < 0; i++)
            if (all[i].kept)
                xt_store_commit_failed(store, xt_segment_info_get(all[i].kept)->id);
    }
    if (r < 0) {
        xt_picture_unref(picture);
        return xt_error_trace(r);
    }
    xt_store_commit_done(store);
    xt_picture_swap(store, picture);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ files */

static bool is_in_store(xt_store *store, uint64_t id)
{
    xt_picture *picture = xt_picture_take(store);
    bool found = false;

    for (size_t i = 0; i < picture->segments->n && !found; i++)
        found = xt_segment_info_get(picture->segments->items[i])->id == id;
    xt_picture_unref(picture);
    return found;
}

bool xt_store_name_file(xt_store *store, uint64_t id)
{
    char *beside = xt_store_segment_path(store, id, ".tmp"), *path = xt_store_segment_path(store, id, ".xts");
    bool named = beside && path && store->vfs->rename(store->vfs, beside, path) == 0;

    if (named && !is_in_store(store, id)) /* who took it out looked for a file of that name too early */
        store->vfs->unlink(store->vfs, path);
    free(beside);
    free(path);
    return named;
}

static void files_change(xt_store *store, xt_replaced *all, size_t n)
{
    bool named = true, any = false;

    for (size_t i = 0; i < n; i++) {
        if (!all[i].kept)
            continue;
        any = true;
        named &= xt_store_name_file(store, xt_segment_info_get(all[i].kept)->id);
        all[i].kept = xt_segment_unref(all[i].kept);
    }
    if (!named || (any && store->vfs->sync_folder(store->vfs, store->segments_dir) < 0))
        return;
    for (size_t i = 0; i < n; i++) {
        char *path = xt_store_segment_path(store, xt_segment_info_get(all[i].old)->id, ".xts");
        if (path)
            store->vfs->unlink(store->vfs, path);
        free(path);
    }
}

int xt_replaced_commit(xt_store *store, xt_replaced *all, size_t n, const xt_ledger_row *more, unsigned n_hold_changes,
                       xt_problem *reterr_problem)
{
    bool tried = false;

    pthread_mutex_lock(&store->write_lock);
    int r = atomic_load(&store->n_hold_changes) == n_hold_changes
                ? commit_locked(store, all, n, more, &tried, reterr_problem)
                : xt_error_origin(-ECANCELED);
    pthread_mutex_unlock(&store->write_lock);
    if (r == 0)
        files_change(store, all, n);
    else if (tried) /* not to be unlinked by fini */
        for (size_t i = 0; i < n; i++)
            all[i].kept = xt_segment_unref(all[i].kept);
    return r;
}

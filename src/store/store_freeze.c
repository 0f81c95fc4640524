/*
 * Catalog and picture change together under the write lock, so that a snapshot of the one and the list of the other that
 * are taken under it are of the same moment. Only the list is kept of the picture: its views are memory.
 */
#include "store/store_freeze.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/store_private.h"

struct xt_frozen {
    xt_pending *pending;
    size_t n;
    xt_segment *segments[]; /* NULL: released */
};

static int freeze_locked(xt_store *store, const char *path, xt_frozen **ret, xt_problem *reterr_problem)
{
    xt_picture *picture = xt_picture_take(store);
    xt_frozen *frozen = calloc(1, sizeof *frozen + picture->segments->n * sizeof *frozen->segments);
    int r = frozen ? xt_pending_open_snapshot(path, &frozen->pending, reterr_problem) : xt_error_origin(-ENOMEM);

    for (size_t i = 0; r == 0 && i < picture->segments->n; i++)
        frozen->segments[frozen->n++] = xt_segment_ref(picture->segments->items[i]);
    xt_picture_unref(picture);
    if (r == 0)
        *ret = frozen;
    else
        free(frozen);
    return r;
}

int xt_store_freeze(xt_store *store, xt_frozen **ret, xt_problem *reterr_problem)
{
    char *path;

    if (asprintf(&path, "%s/pending.db", store->dir) < 0)
        return xt_error_origin(-ENOMEM);
    pthread_mutex_lock(&store->write_lock);
    int r = freeze_locked(store, path, ret, reterr_problem);
    pthread_mutex_unlock(&store->write_lock);
    free(path);
    return r;
}

xt_frozen *xt_frozen_free(xt_frozen *frozen)
{
    if (frozen) {
        for (size_t i = 0; i < frozen->n; i++)
            xt_segment_unref(frozen->segments[i]);
        xt_pending_close(frozen->pending);
        free(frozen);
    }
    return NULL;
}

xt_pending *xt_frozen_pending(xt_frozen *frozen)
{
    return frozen->pending;
}

void xt_frozen_thaw(xt_frozen *frozen)
{
    frozen->pending = xt_pending_close(frozen->pending);
}

static size_t place_of(const xt_frozen *frozen, uint64_t id)
{
    size_t i = 0;

    while (i < frozen->n && !(frozen->segments[i] && xt_segment_info_get(frozen->segments[i])->id == id))
        i++;
    return i;
}

const xt_segment *xt_frozen_segment(const xt_frozen *frozen, uint64_t id)
{
    size_t i = place_of(frozen, id);

    return i < frozen->n ? frozen->segments[i] : NULL;
}

void xt_frozen_release(xt_frozen *frozen, uint64_t id)
{
    size_t i = place_of(frozen, id);

    if (i < frozen->n)
        frozen->segments[i] = xt_segment_unref(frozen->segments[i]);
}

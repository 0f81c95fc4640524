/*
 * The picture is swapped under a lock that is held for a pointer and a count; everything it leads to is immutable.
 */
#include "store/store_private.h"

#include <errno.h>
#include <stdlib.h>

xt_picture *xt_picture_take(xt_store *store)
{
    pthread_mutex_lock(&store->picture_lock);
    xt_picture *picture = store->picture;
    atomic_fetch_add_explicit(&picture->n_refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&store->picture_lock);
    return picture;
}

xt_picture *xt_picture_unref(xt_picture *picture)
{
    if (picture && atomic_fetch_sub_explicit(&picture->n_refs, 1, memory_order_acq_rel) == 1) {
        for (size_t i = 0; i < picture->n_views; i++)
            xt_open_view_unref(picture->views[i]);
        xt_segment_list_unref(picture->segments);
        free(picture);
    }
    return NULL;
}

xt_picture *xt_picture_new(xt_segment_list *segments, xt_open_view *const *views, size_t n, uint64_t last_arrival)
{
    xt_picture *picture = malloc(sizeof *picture + n * sizeof *picture->views);

    if (!picture)
        return NULL;
    atomic_init(&picture->n_refs, 1);
    picture->last_arrival = last_arrival;
    atomic_fetch_add_explicit(&segments->n_refs, 1, memory_order_relaxed);
    picture->segments = segments;
    picture->n_views = n;
    for (size_t i = 0; i < n; i++)
        picture->views[i] = xt_open_view_ref(views[i]);
    return picture;
}

void xt_picture_swap(xt_store *store, xt_picture *picture)
{
    pthread_mutex_lock(&store->picture_lock);
    xt_picture *old = store->picture;
    store->picture = picture;
    pthread_cond_broadcast(&store->arrived);
    pthread_mutex_unlock(&store->picture_lock);
    xt_picture_unref(old);
}

xt_segment_list *xt_segment_list_with(const xt_segment_list *old, xt_segment *more)
{
    size_t n_old = old ? old->n : 0;
    xt_segment_list *list = malloc(sizeof *list + (n_old + 1) * sizeof *list->items);

    if (!list)
        return NULL;
    atomic_init(&list->n_refs, 1);
    for (size_t i = 0; i < n_old; i++)
        list->items[i] = xt_segment_ref(old->items[i]);
    if (more)
        list->items[n_old] = xt_segment_ref(more);
    list->n = n_old + (more ? 1 : 0);
    return list;
}

int xt_segment_list_add(xt_segment_list **list, xt_segment *segment)
{
    xt_segment_list *bigger = realloc(*list, sizeof *bigger + ((*list)->n + 1) * sizeof *bigger->items);

    if (!bigger)
        return xt_error_origin(-ENOMEM);
    bigger->items[bigger->n++] = xt_segment_ref(segment);
    *list = bigger;
    return 0;
}

xt_segment_list *xt_segment_list_unref(xt_segment_list *list)
{
    if (list && atomic_fetch_sub_explicit(&list->n_refs, 1, memory_order_acq_rel) == 1) {
        for (size_t i = 0; i < list->n; i++)
            xt_segment_unref(list->items[i]);
        free(list);
    }
    return NULL;
}

uint64_t xt_store_wait(xt_store *store, uint64_t arrival, int timeout_ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&store->picture_lock);
    while (store->picture->last_arrival <= arrival)
        if (pthread_cond_timedwait(&store->arrived, &store->picture_lock, &until) != 0)
            break;
    uint64_t last = store->picture->last_arrival;
    pthread_mutex_unlock(&store->picture_lock);
    return last;
}

/*
 * The segments of the catalog are opened by their footers; chunks are checked when they are read.
 *
 * A file that no catalog row names is what a kill between rename and commit left: when all its rows are pending still,
 * or the ledger says that they were sealed into another segment or that a merged one took its place, it is removed. Any
 * other such file is kept under another name and reported, for it may be all that is left of something (a pending.db that
 * was put back from a backup, for one). One that cannot be read now is left alone; the next opening may know.
 * A merged file that the catalog names may still stand beside its name, as ID.tmp: it is given it.
 */
#include "store/store_private.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct loading {
    xt_store *store;
    xt_segment_list *list;
    uint64_t *ids; /* of the catalog, ascending */
    size_t n_ids, cap_ids;
} loading;

static int id_add(loading *l, uint64_t id)
{
    if (l->n_ids == l->cap_ids) {
        size_t cap = l->cap_ids ? l->cap_ids * 2 : 64;
        uint64_t *ids = reallocarray(l->ids, cap, sizeof *ids);
        if (!ids)
            return xt_error_origin(-ENOMEM);
        l->ids = ids;
        l->cap_ids = cap;
    }
    l->ids[l->n_ids++] = id;
    return 0;
}

static bool is_what_was_sealed(const xt_segment *segment, const xt_pending_segment *row)
{
    const xt_segment_info *info = xt_segment_info_get(segment);

    return info->id == row->id && info->bytes == row->bytes && xt_hash128_eq(info->hash, row->hash);
}

/*
 * Where the segment's file stands: a merged one is given its name, where a kill came between commit and rename; if that
 * fails it is read where it is.
 */
static char *segment_place(xt_store *store, uint64_t id)
{
    char *path = xt_store_segment_path(store, id, ".xts"), *beside = xt_store_segment_path(store, id, ".tmp");
    bool moved = true;

    if (path && beside && access(path, F_OK) < 0 && access(beside, F_OK) == 0) {
        moved = store->vfs->rename(store->vfs, beside, path) == 0;
        if (moved)
            (void)store->vfs->sync_folder(store->vfs, store->segments_dir); /* else it happens again */
    }
    free(moved ? beside : path);
    return moved ? path : beside;
}

static int on_segment(void *context, const xt_pending_segment *row)
{
    loading *l = context;
    xt_segment *segment = NULL;
    char *path = segment_place(l->store, row->id);
    int r = path ? id_add(l, row->id) : -ENOMEM;

    if (r == 0)
        r = xt_segment_open(l->store->vfs, path, &segment, NULL);
    if (r > 0 || (r == 0 && !is_what_was_sealed(segment, row))) {
        xt_store_name_damaged(l->store, "%s", strrchr(path, '/') + 1);
        r = 0;
    } else if (r == 0) {
        r = xt_segment_list_add(&l->list, segment);
    }
    xt_segment_unref(segment);
    free(path);
    return r;
}

static int id_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/*
 * Whether a file means nothing any more: its rows are pending still (renamed and not committed), or were sealed into
 * another one after its commit had failed, or are in a merged one.
 */
/* Not 0: it cannot be told now. */
static int left_over_check(const xt_store *store, const char *path, bool *ret)
{
    xt_pending_marks marks = xt_pending_marks_get(store->pending);
    xt_segment *segment = NULL;
    bool replaced = false, anew = false;
    int r = xt_segment_open(store->vfs, path, &segment, NULL);

    if (r != 0)
        return r;
    const xt_segment_info *info = xt_segment_info_get(segment);
    bool pending = info->first_arrival > marks.sealed_arrival && info->last_arrival <= marks.last_arrival;
    r = xt_pending_was_replaced(store->pending, info->id, info->hash, &replaced, NULL);
    if (r == 0)
        r = xt_pending_was_sealed_anew(store->pending, info->id, info->first_arrival, info->n_rows, &anew, NULL);
    *ret = pending || replaced || anew;
    xt_segment_unref(segment);
    return r;
}

static void stray_look(xt_store *store, const char *name, const char *path)
{
    bool left_over = false;
    char *aside;

    if (left_over_check(store, path, &left_over) != 0) {
        xt_store_name_damaged(store, "%s", name);
    } else if (left_over) {
        store->vfs->unlink(store->vfs, path);
    } else if (asprintf(&aside, "%s.stray", path) >= 0) {
        store->vfs->rename(store->vfs, path, aside);
        xt_store_name_damaged(store, "%s.stray", name);
        free(aside);
    }
}

/* beside: it never got its name, so that nothing means it. No file that is made from now on takes its place. */
static void stray_put_away(xt_store *store, const char *name, uint64_t id, bool beside)
{
    char *path;

    if (asprintf(&path, "%s/%s", store->segments_dir, name) < 0)
        return;
    if (id >= store->next_segment)
        store->next_segment = id + 1;
    if (beside)
        store->vfs->unlink(store->vfs, path);
    else
        stray_look(store, name, path);
    free(path);
}

/* Looks at every file of the folder that the catalog does not name. */
static void strays_put_away(const loading *l)
{
    DIR *dir = opendir(l->store->segments_dir);

    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        xt_slice name = xt_slice_str(entry->d_name);
        uint64_t id;
        bool beside = xt_slice_ends(name, XT_S(".tmp"));
        if (!beside && !xt_slice_ends(name, XT_S(".xts")))
            continue;
        if (!xt_slice_parse_hex(xt_slice_head(name, name.n - 4), &id))
            continue;
        if (!l->n_ids || !bsearch(&id, l->ids, l->n_ids, sizeof id, id_order))
            stray_put_away(l->store, entry->d_name, id, beside);
    }
    if (dir)
        closedir(dir);
}

int xt_store_load_segments(xt_store *store, xt_problem *reterr_problem)
{
    loading l = {.store = store, .list = xt_segment_list_with(NULL, NULL)};
    xt_picture *picture = NULL;
    int r = l.list ? 0 : xt_error_origin(-ENOMEM);

    if (r == 0)
        r = xt_pending_each_segment(store->pending, on_segment, &l, reterr_problem);
    if (r == 0) {
        strays_put_away(&l);
        picture = xt_picture_new(l.list, NULL, 0, store->next_arrival - 1);
        if (picture)
            xt_picture_swap(store, picture);
        else
            r = xt_error_origin(-ENOMEM);
    }
    xt_segment_list_unref(l.list);
    free(l.ids);
    return r;
}

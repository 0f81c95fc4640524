/*
 * Segments that were rewritten are unlinked when the new ones have their names; a failure there leaves a file that the
 * ledger knows as replaced, which is removed here as it would be when the store is opened. What stays is what this store
 * cannot answer for: segments that it could not open, files that nothing names, batches whose checksum does not hold.
 *
 * SQLite leaves what was deleted in free pages and in its write-ahead log until these are written again. So pending.db is
 * written anew, which takes as long as what is in it is big: with everything sealed, little but the ledger.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "store/store_private.h"

#define SCRUB_TRIES   100
#define SCRUB_WAIT_NS 100000000

typedef struct scrubbing {
    xt_store *store;
    xt_picture *picture;
    xt_buf catalog; /* ids */
    void (*report)(void *context, const xt_problem *problem);
    void *context;
} scrubbing;

static void tell(const scrubbing *s, const char *source, const char *sentence)
{
    xt_problem problem = XT_PROBLEM_INIT;

    xt_problem_source(&problem, source);
    xt_problem_set(&problem, "%s", sentence);
    if (s->report)
        s->report(s->context, &problem);
}

/* ------------------------------------------------------------------------------------------------ files */

static int on_segment(void *context, const xt_pending_segment *row)
{
    scrubbing *s = context;

    xt_buf_put(&s->catalog, xt_slice_of((const char *)&row->id, sizeof row->id));
    return xt_buf_done(&s->catalog);
}

static bool is_catalogued(const scrubbing *s, uint64_t id)
{
    for (size_t at = 0; at < s->catalog.n; at += sizeof id)
        if (memcmp(s->catalog.p + at, &id, sizeof id) == 0)
            return true;
    return false;
}

static bool is_read(const scrubbing *s, uint64_t id)
{
    for (size_t i = 0; i < s->picture->segments->n; i++)
        if (xt_segment_info_get(s->picture->segments->items[i])->id == id)
            return true;
    return false;
}

/* A commit that failed may yet be found done after a crash: its file is not nothing. */
static bool is_in_doubt(const scrubbing *s, uint64_t id)
{
    bool in_doubt = false;

    pthread_mutex_lock(&s->store->write_lock);
    for (size_t i = 0; i < s->store->n_failed_ids; i++)
        in_doubt |= s->store->failed_ids[i] == id;
    pthread_mutex_unlock(&s->store->write_lock);
    return in_doubt;
}

/* Whether it is one that was replaced and should be gone, and is now. */
static bool replaced_remove(const scrubbing *s, const char *path)
{
    xt_store *store = s->store;
    xt_segment *segment = NULL;
    bool replaced = false;

    if (xt_segment_open(store->vfs, path, &segment, NULL) != 0)
        return false;
    const xt_segment_info *info = xt_segment_info_get(segment);
    pthread_mutex_lock(&store->write_lock);
    int r = xt_pending_was_replaced(store->pending, info->id, info->hash, &replaced, NULL);
    pthread_mutex_unlock(&store->write_lock);
    xt_segment_unref(segment);
    return r == 0 && replaced && store->vfs->unlink(store->vfs, path) == 0;
}

static int file_look(const scrubbing *s, const char *name)
{
    xt_slice text = xt_slice_str(name);
    bool is_beside = xt_slice_ends(text, XT_S(".tmp")), is_segment = is_beside || xt_slice_ends(text, XT_S(".xts"));
    uint64_t id = 0;
    char *path;

    if (is_segment && xt_slice_parse_hex(xt_slice_head(text, text.n - 4), &id)) {
        if (is_read(s, id))
            return 0;
        if (is_catalogued(s, id)) {
            tell(s, name, "this segment is damaged: it was not looked at");
            return 0;
        }
    }
    if (asprintf(&path, "%s/%s", s->store->segments_dir, name) < 0)
        return xt_error_origin(-ENOMEM);
    bool gone = is_beside && !is_in_doubt(s, id) && s->store->vfs->unlink(s->store->vfs, path) == 0;
    if (!gone && (!is_segment || !replaced_remove(s, path)))
        tell(s, name, "no row of the catalog names this file: it was not looked at");
    free(path);
    return 0;
}

static int folder_look(const scrubbing *s)
{
    DIR *dir = opendir(s->store->segments_dir);
    int r = 0;

    if (!dir)
        return xt_error_origin(-errno);
    for (struct dirent *e; r == 0 && (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.')
            r = file_look(s, e->d_name);
    closedir(dir);
    return r == 0 ? s->store->vfs->sync_folder(s->store->vfs, s->store->segments_dir) : r;
}

/* While nobody merges, retires or seals: a file that is being written is no stray one. */
static int files_scrub(scrubbing *s, xt_problem *reterr_problem)
{
    xt_store *store = s->store;

    pthread_mutex_lock(&store->merge_lock);
    pthread_mutex_lock(&store->seal_lock);
    pthread_mutex_lock(&store->write_lock);
    int r = xt_pending_each_segment(store->pending, on_segment, s, reterr_problem);
    pthread_mutex_unlock(&store->write_lock);
    s->picture = xt_picture_take(store);
    if (r == 0)
        r = folder_look(s);
    xt_picture_unref(s->picture);
    pthread_mutex_unlock(&store->seal_lock);
    pthread_mutex_unlock(&store->merge_lock);
    xt_buf_fini(&s->catalog);
    return r;
}

/* ------------------------------------------------------------------------------------------------ pending.db */

static int pending_scrub(xt_store *store, xt_problem *reterr_problem)
{
    static const struct timespec pause = {0, SCRUB_WAIT_NS};
    int r = xt_store_delete_sealed(store, reterr_problem);

    for (unsigned i = 0; r == 0; i++) {
        pthread_mutex_lock(&store->write_lock);
        r = xt_sqlite_scrub(xt_pending_db(store->pending), reterr_problem);
        pthread_mutex_unlock(&store->write_lock);
        if (r != -EBUSY || i == SCRUB_TRIES)
            break;
        r = 0;
        nanosleep(&pause, NULL);
    }
    if (r == -EBUSY)
        xt_problem_set(reterr_problem,
                       "pending.db is read by another process all the time: what was erased may be left in "
                       "its write-ahead log");
    return r;
}

int xt_store_scrub(xt_store *store, void (*report)(void *context, const xt_problem *problem), void *context,
                   xt_problem *reterr_problem)
{
    scrubbing s = {.store = store, .report = report, .context = context};
    int r = files_scrub(&s, reterr_problem);

    if (r == 0)
        r = pending_scrub(store, reterr_problem);
    xt_store_note_error(store, r);
    if (r < 0)
        return xt_error_trace(r);
    pthread_mutex_lock(&store->write_lock);
    uint64_t n_aside = xt_pending_marks_get(store->pending).n_damaged;
    pthread_mutex_unlock(&store->write_lock);
    if (n_aside)
        tell(&s, "pending.db", "it has damaged batches that were set aside: they were not looked at");
    return 0;
}

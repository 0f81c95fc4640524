/*
 * Opening: the lock, pending.db, the catalogued segments' footers, then the pending rows that are not sealed. What is
 * damaged is named and left out; only what would make everything that follows wrong (no lock, no pending.db, a later
 * version) ends it.
 */
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEAL_ROWS        262144
#define SEAL_AFTER_MS    (10 * 60 * 1000)
#define MERGE_AFTER_MS   (10 * 60 * 1000)
/* Of unpacked dictionary chunks: what a page of rows and the small dictionaries of some hundred segments need. */
#define DICT_CACHE_BYTES ((size_t)24 << 20)

void xt_store_name_damaged(xt_store *store, const char *format, ...)
{
    xt_buf names = XT_BUF_ON(store->damaged);
    va_list args;

    names.n = strlen(store->damaged);
    if (names.n)
        xt_buf_puts(&names, ",");
    va_start(args, format);
    xt_buf_vprintf(&names, format, args);
    va_end(args);
    store->damaged[names.n] = '\0';
    atomic_fetch_add(&store->n_damaged, 1);
}

char *xt_store_segment_path(const xt_store *store, uint64_t id, const char *suffix)
{
    char *path;

    return asprintf(&path, "%s/%016llx%s", store->segments_dir, (unsigned long long)id, suffix) < 0 ? NULL : path;
}

/* ------------------------------------------------------------------------------------------------ folder */

static int folder_make(xt_store *store, const char *path, xt_problem *reterr_problem)
{
    int r = store->vfs->mkdir(store->vfs, path, 0700);

    if (r < 0 && r != -EEXIST) {
        xt_problem_set(reterr_problem, "the folder cannot be made: %s", strerror(-r));
        xt_problem_source(reterr_problem, path);
        return xt_error_origin(r);
    }
    return 0;
}

/* Half of what was restored would be taken for all there is. */
static int restore_check(const xt_store *store, xt_problem *reterr_problem)
{
    char *path;

    if (asprintf(&path, "%s/" XT_STORE_RESTORING, store->dir) < 0)
        return xt_error_origin(-ENOMEM);
    int r = access(path, F_OK) == 0 ? XT_STORE_E_RESTORING : 0;
    if (r) {
        xt_problem_set(reterr_problem, "a backup is being restored into this folder, or was not to its end");
        xt_problem_source(reterr_problem, store->dir);
        xt_problem_hint(reterr_problem, "empty it, and restore again");
    }
    free(path);
    return r;
}

/* The name of DIR itself is to outlive a power cut too; whoever made it, now or before. */
static int parent_sync(const xt_store *store)
{
    const char *slash = strrchr(store->dir, '/');
    size_t n = slash ? (size_t)(slash - store->dir) : 0;
    char *parent = slash ? strndup(store->dir, n ? n : 1) : strdup(".");
    int r = parent ? store->vfs->sync_folder(store->vfs, parent) : -ENOMEM;

    free(parent);
    return r == -EACCES ? 0 : r; /* it is not ours, and was there before us */
}

static int folder_lock(xt_store *store, xt_problem *reterr_problem)
{
    char *path;

    if (asprintf(&path, "%s/lock", store->dir) < 0)
        return xt_error_origin(-ENOMEM);
    int r = 0, fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        r = -errno;
    else if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        r = errno == EWOULDBLOCK ? XT_STORE_E_LOCKED : -errno;
    if (r == XT_STORE_E_LOCKED)
        xt_problem_set(reterr_problem, "another process has this folder");
    else if (r < 0)
        xt_problem_set(reterr_problem, "the lock cannot be had: %s", strerror(-r));
    if (r == 0)
        store->lock_fd = fd;
    else if (fd >= 0)
        close(fd);
    if (r != 0)
        xt_problem_source(reterr_problem, path);
    free(path);
    return r;
}

/* ------------------------------------------------------------------------------------------------ loading */

static int on_stream(void *context, const xt_pending_stream *from)
{
    xt_store *store = context;
    xt_stream *stream = calloc(1, sizeof *stream);

    if (!stream)
        return xt_error_origin(-ENOMEM);
    *stream = (xt_stream){from->stream, from->hash, xt_slice_hash128(from->host_id), from->number, from->sealed_number};
    int r = xt_map_put(&store->streams, xt_slice_of(stream->key.b, sizeof stream->key.b), stream, NULL);
    if (r < 0)
        free(stream);
    return r;
}

static int pending_load(xt_store *store, xt_problem *reterr_problem)
{
    char *path;

    if (asprintf(&path, "%s/pending.db", store->dir) < 0)
        return xt_error_origin(-ENOMEM);
    int r = xt_pending_open(path, &store->pending, reterr_problem);
    free(path);
    if (r == XT_PENDING_E_NEWER)
        return XT_STORE_E_NEWER;
    if (r == 0)
        r = xt_pending_each_stream(store->pending, on_stream, store, reterr_problem);
    if (r < 0)
        return xt_error_trace(r);
    xt_pending_marks marks = xt_pending_marks_get(store->pending);
    store->next_arrival = marks.sealed_arrival + 1;
    store->next_segment = marks.next_segment;
    if (marks.n_damaged)
        xt_store_name_damaged(store, "pending (%llu)", (unsigned long long)marks.n_damaged);
    return 0;
}

/* An empty picture, so that there is one from the start on. */
static int picture_init(xt_store *store)
{
    xt_segment_list *none = xt_segment_list_with(NULL, NULL);

    if (none)
        store->picture = xt_picture_new(none, NULL, 0, store->next_arrival - 1);
    xt_segment_list_unref(none);
    return store->picture ? 0 : xt_error_origin(-ENOMEM);
}

static int load(xt_store *store, xt_problem *reterr_problem)
{
    int r = folder_make(store, store->dir, reterr_problem);

    if (r == 0)
        r = folder_make(store, store->segments_dir, reterr_problem);
    if (r == 0)
        r = restore_check(store, reterr_problem);
    if (r == 0)
        r = folder_lock(store, reterr_problem);
    if (r == 0)
        xt_store_room_begin(store);
    if (r == 0)
        r = pending_load(store, reterr_problem);
    if (r == 0)
        r = picture_init(store);
    if (r == 0)
        r = xt_store_load_segments(store, reterr_problem);
    if (r == 0)
        r = xt_store_rebuild(store, reterr_problem);
    if (r == 0)
        r = store->vfs->sync_folder(store->vfs, store->dir);
    if (r == 0)
        r = parent_sync(store);
    return r;
}

static void locks_init(xt_store *store)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&store->merge_lock, NULL);
    pthread_mutex_init(&store->seal_lock, NULL);
    pthread_mutex_init(&store->write_lock, NULL);
    pthread_mutex_init(&store->picture_lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&store->arrived, &attr);
    pthread_condattr_destroy(&attr);
}

int xt_store_open(const char *dir, const xt_store_settings *settings, xt_store **ret, xt_problem *reterr_problem)
{
    static const xt_store_settings defaults;
    const xt_store_settings *s = settings ? settings : &defaults;
    xt_store *store = calloc(1, sizeof *store);

    if (!store)
        return xt_error_origin(-ENOMEM);
    locks_init(store);
    store->lock_fd = -1;
    store->vfs = s->vfs ? s->vfs : &xt_vfs_system;
    store->clock = s->clock ? s->clock : &xt_clock_system;
    store->seal_rows = s->seal_rows ? s->seal_rows : SEAL_ROWS;
    store->keeps_reserve = s->keeps_reserve;
    store->seal_after_ms = s->seal_after_ms ? s->seal_after_ms : SEAL_AFTER_MS;
    store->merge_horizon_ms = s->merge_after_ms ? s->merge_after_ms : MERGE_AFTER_MS;
    if (getrandom(&store->seed, sizeof store->seed, GRND_NONBLOCK) < 0)
        store->seed = (uint64_t)(uintptr_t)store;
    store->dir = strdup(dir);
    store->dict_cache = xt_dict_cache_new(DICT_CACHE_BYTES);
    int r = -ENOMEM;
    if (store->dir && store->dict_cache && asprintf(&store->segments_dir, "%s/segments", dir) >= 0)
        r = load(store, reterr_problem);
    else
        store->segments_dir = NULL;
    if (r != 0) {
        xt_store_close(store);
        return r;
    }
    *ret = store;
    return 0;
}

xt_store *xt_store_close(xt_store *store)
{
    if (!store)
        return NULL;
    xt_store_merge_stop(store);
    pthread_mutex_lock(&store->merge_lock); /* waits for a merging and a sealing under way */
    pthread_mutex_lock(&store->seal_lock);
    pthread_mutex_unlock(&store->seal_lock);
    pthread_mutex_unlock(&store->merge_lock);
    xt_open_block_unref(store->tail);
    xt_picture_unref(store->picture);
    xt_pending_close(store->pending);
    size_t i = 0;
    for (xt_map_entry *entry; (entry = xt_map_next(&store->streams, &i)) != NULL;)
        free(entry->value);
    xt_map_fini(&store->streams);
    xt_buf_fini(&store->scratch);
    xt_dict_cache_free(store->dict_cache);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    pthread_cond_destroy(&store->arrived);
    pthread_mutex_destroy(&store->picture_lock);
    pthread_mutex_destroy(&store->write_lock);
    pthread_mutex_destroy(&store->seal_lock);
    pthread_mutex_destroy(&store->merge_lock);
    free(store->unmergeable);
    free(store->held_whole);
    free(store->age_looks);
    free(store->failed_ids);
    free(store->segments_dir);
    free(store->dir);
    free(store);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ figures */

/* By stat alone: opening and closing the file would end SQLite's locks on it. */
static uint64_t file_bytes(const xt_store *store, const char *suffix)
{
    char *path;
    struct stat st = {0};

    if (asprintf(&path, "%s/pending.db%s", store->dir, suffix) < 0)
        return 0;
    uint64_t bytes = stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
    free(path);
    return bytes;
}

static void stats_add(xt_store_stats *stats, uint64_t n_rows, int64_t min_ms, int64_t max_ms)
{
    if (stats->n_events == 0 || min_ms < stats->first_ms)
        stats->first_ms = min_ms;
    if (stats->n_events == 0 || max_ms > stats->last_ms)
        stats->last_ms = max_ms;
    stats->n_events += n_rows;
}

uint64_t xt_picture_open_rows(const xt_picture *picture)
{
    uint64_t n = 0;

    for (size_t i = 0; i < picture->n_views; i++)
        n += picture->views[i]->n_rows;
    return n;
}

int xt_store_stats_get(xt_store *store, xt_store_stats *ret)
{
    xt_picture *picture = xt_picture_take(store);
    xt_store_stats stats = {
        .n_segments = picture->segments->n,
        .n_open_events = xt_picture_open_rows(picture),
        .n_damaged = atomic_load(&store->n_damaged),
        .n_pending_rows = atomic_load(&store->n_pending_rows),
        .bytes_on_disk = file_bytes(store, "") + file_bytes(store, "-wal"),
    };

    for (size_t i = 0; i < picture->n_views; i++)
        stats_add(&stats, picture->views[i]->n_rows, picture->views[i]->min_ms, picture->views[i]->max_ms);
    for (size_t i = 0; i < picture->segments->n; i++) {
        const xt_segment_info *info = xt_segment_info_get(picture->segments->items[i]);
        stats_add(&stats, info->n_rows, info->min_ms, info->max_ms);
        stats.bytes_on_disk += info->bytes;
    }
    xt_picture_unref(picture);
    *ret = stats;
    return 0;
}

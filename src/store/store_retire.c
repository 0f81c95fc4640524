/*
 * Retention takes whole segments, the one with the oldest newest row first, one a call. What it measures is what the
 * limits speak of: the blocks that are allocated below DIR, as du counts them, and what statvfs says is free.
 *
 * Held rows: which they are is asked for each segment when its turn comes. A segment of which every row is held stays as
 * it is, and is remembered until a hold comes or goes, so that it is not asked again and again.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/store_pace.h"
#include "store/store_replace.h"

#define DAY_MS           INT64_C(86400000)
#define MAX_FOLDER_DEPTH 16

/* ------------------------------------------------------------------------------------------------ measuring */

/* Allocated bytes of all below the folder that fd is, which is closed. */
static uint64_t folder_bytes(int fd, unsigned depth)
{
    DIR *dir = fdopendir(fd);
    uint64_t bytes = 0;
    struct stat st;

    if (!dir) {
        close(fd);
        return 0;
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (strcmp(e->d_name, "..") == 0 || fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        bool is_folder = S_ISDIR(st.st_mode) && strcmp(e->d_name, ".") != 0;
        int sub = is_folder && depth < MAX_FOLDER_DEPTH
                      ? openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                      : -1;
        if (sub >= 0)
            bytes += folder_bytes(sub, depth + 1);
        else
            bytes += (uint64_t)st.st_blocks * 512;
    }
    closedir(dir);
    return bytes;
}

static int room_measure(const xt_store *store, xt_store_room *room)
{
    struct statvfs fs;
    int fd = open(store->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return xt_error_origin(-errno);
    if (fstatvfs(fd, &fs) < 0) {
        int r = -errno;
        close(fd);
        return xt_error_origin(r);
    }
    room->bytes_free = (uint64_t)fs.f_bavail * fs.f_frsize;
    room->bytes_total = (uint64_t)fs.f_blocks * fs.f_frsize;
    room->bytes_used = folder_bytes(fd, 0);
    return 0;
}

/* When a segment's newest row came: a host's clock may be ahead, the server's own says at most when. */
static int64_t newest_ms(const xt_segment *segment)
{
    const xt_segment_info *info = xt_segment_info_get(segment);

    return info->max_ms < info->made_ms ? info->max_ms : info->made_ms;
}

static bool is_held_whole(const xt_store *store, uint64_t id)
{
    for (size_t i = 0; i < store->n_held_whole; i++)
        if (store->held_whole[i] == id)
            return true;
    return false;
}

/* The segment whose turn it is, retained; NULL: none. Under merge_lock. */
static xt_segment *oldest_take(xt_store *store)
{
    xt_picture *picture = xt_picture_take(store);
    xt_segment *oldest = NULL;

    for (size_t i = 0; i < picture->segments->n; i++) {
        xt_segment *segment = picture->segments->items[i];
        if (!is_held_whole(store, xt_segment_info_get(segment)->id) &&
            (!oldest || newest_ms(segment) < newest_ms(oldest)))
            oldest = segment;
    }
    oldest = oldest ? xt_segment_ref(oldest) : NULL;
    xt_picture_unref(picture);
    return oldest;
}

/* What segments of the last day weigh; of less than a day, as if it went on like that. */
static uint64_t growth_measure(xt_store *store)
{
    xt_picture *picture = xt_picture_take(store);
    int64_t now_ms = xt_clock_wall_ms(store->clock), first_ms = now_ms;
    uint64_t bytes = 0;

    for (size_t i = 0; i < picture->segments->n; i++) {
        const xt_segment_info *info = xt_segment_info_get(picture->segments->items[i]);
        int64_t from_ms = info->min_ms, to_ms = newest_ms(picture->segments->items[i]);
        int64_t since_ms = now_ms - DAY_MS;
        if (to_ms < since_ms || to_ms > now_ms)
            continue;
        double part = from_ms >= since_ms ? 1 : (double)(to_ms - since_ms) / (double)(to_ms - from_ms);
        bytes += (uint64_t)((double)info->bytes * part);
        from_ms = from_ms < since_ms ? since_ms : from_ms;
        first_ms = from_ms < first_ms ? from_ms : first_ms;
    }
    xt_picture_unref(picture);
    int64_t span_ms = now_ms - first_ms;
    return span_ms > 0 ? (uint64_t)((double)bytes * (double)DAY_MS / (double)span_ms) : 0;
}

int xt_store_room_get(xt_store *store, xt_store_room *ret)
{
    xt_store_room room = {.bytes_a_day = growth_measure(store)};
    int r = room_measure(store, &room);

    if (r < 0)
        return xt_error_trace(r);
    /* Without the lock of those who retire: what is said of the next one may be old when it is read. */
    xt_picture *picture = xt_picture_take(store);
    for (size_t i = 0; i < picture->segments->n; i++) {
        const xt_segment_info *info = xt_segment_info_get(picture->segments->items[i]);
        int64_t newest = newest_ms(picture->segments->items[i]);
        if (room.next_id && newest >= room.next_newest_ms)
            continue;
        room.next_id = info->id;
        room.next_rows = info->n_rows;
        room.next_bytes = info->bytes;
        room.next_newest_ms = newest;
    }
    xt_picture_unref(picture);
    *ret = room;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ retiring */

static int why_retire(const xt_store *store, const xt_store_limits *limits, const xt_segment *oldest,
                      xt_retire_why *ret)
{
    xt_store_room room = {0};

    *ret = XT_RETIRE_NOT;
    if (limits->max_age_ms && newest_ms(oldest) < xt_clock_wall_ms(store->clock) - limits->max_age_ms)
        *ret = XT_RETIRE_AGE;
    if (*ret || (!limits->max_bytes && !limits->min_free_bytes))
        return 0;
    int r = room_measure(store, &room);
    if (r < 0)
        return xt_error_trace(r);
    if (limits->max_bytes && room.bytes_used > limits->max_bytes)
        *ret = XT_RETIRE_BYTES;
    else if (room.bytes_free < limits->min_free_bytes)
        *ret = XT_RETIRE_FREE;
    return 0;
}

static int held_whole_add(xt_store *store, uint64_t id)
{
    uint64_t *ids = reallocarray(store->held_whole, store->n_held_whole + 1, sizeof *ids);

    if (!ids)
        return xt_error_origin(-ENOMEM);
    store->held_whole = ids;
    store->held_whole[store->n_held_whole++] = id;
    return 0;
}

int xt_store_rows_choose(xt_store *store, xt_segment *segment, const xt_store_choice *choice, uint64_t *rows,
                         uint64_t *ret_n, xt_problem *reterr_problem)
{
    const xt_segment_info *info = xt_segment_info_get(segment);
    xt_scan *scan = NULL;
    int r = xt_scan_open_segment(store, segment, &scan);

    if (r < 0)
        return xt_error_trace(r);
    size_t n_parts = xt_scan_parts(scan);
    uint64_t **masks = calloc(n_parts + 1, sizeof *masks);
    for (size_t i = 0; masks && i < n_parts; i++)
        masks[i] = rows + (size_t)xt_scan_group(scan, i) * (XT_STORE_GROUP_ROWS / 64);
    r = masks ? choice->choose(choice->context, scan, masks, reterr_problem) : xt_error_origin(-ENOMEM);
    free(masks);
    xt_scan_close(scan);
    *ret_n = 0;
    for (uint64_t word = 0; word < (info->n_rows + 63) / 64; word++)
        *ret_n += (uint64_t)__builtin_popcountll(rows[word]);
    return r;
}

uint64_t *xt_store_rows_new(const xt_segment *segment)
{
    return calloc((size_t)xt_segment_info_get(segment)->n_groups * (XT_STORE_GROUP_ROWS / 64) + 1, sizeof(uint64_t));
}

static int retire_one(xt_store *store, xt_replaced *one, xt_problem *reterr_problem)
{
    xt_store_pace pace = {.store = store, .in_background = true};
    xt_segment_steps steps = xt_store_pace_begin(&pace);
    int r = xt_replaced_make(store, one, &steps, reterr_problem);

    if (r == 0)
        r = xt_replaced_commit(store, one, 1, NULL, store->holds_seen, reterr_problem);
    xt_replaced_fini(store, one);
    return r;
}

/* *ret_stays: not retired, for all of it is held or nobody can tell. */
static int retire(xt_store *store, xt_segment *segment, const xt_store_choice *held, bool *ret_stays,
                  xt_problem *reterr_problem)
{
    const xt_segment_info *info = xt_segment_info_get(segment);
    xt_replaced one = {.old = segment, .entered = XT_LEDGER_HELD, .left = XT_LEDGER_RETIRED};
    uint64_t *rows = held ? xt_store_rows_new(segment) : NULL;
    int r = !held || rows ? 0 : xt_error_origin(-ENOMEM);

    if (r == 0 && held)
        r = xt_store_rows_choose(store, segment, held, rows, &one.n_keep, reterr_problem);
    one.keep = rows;
    one.n_left = info->n_rows - one.n_keep;
    if (r == 0 && one.n_keep < info->n_rows)
        r = retire_one(store, &one, reterr_problem);
    else
        *ret_stays = r >= 0;
    *ret_stays |= r > 0;
    free(rows);
    return *ret_stays ? held_whole_add(store, info->id) : r;
}

static int retain_locked(xt_store *store, const xt_store_limits *limits, const xt_store_choice *held,
                         xt_retire_why *ret_why, xt_problem *reterr_problem)
{
    unsigned changes = atomic_load(&store->n_hold_changes);

    if (store->holds_seen != changes)
        store->n_held_whole = 0;
    store->holds_seen = changes;
    for (;;) {
        xt_segment *oldest = oldest_take(store);
        bool stays = false;
        *ret_why = XT_RETIRE_NOT;
        if (!oldest)
            return 0;
        int r = why_retire(store, limits, oldest, ret_why);
        if (r == 0 && *ret_why)
            r = retire(store, oldest, held, &stays, reterr_problem);
        xt_segment_unref(oldest);
        if (r < 0 || !stays)
            return r;
    }
}

int xt_store_retain(xt_store *store, const xt_store_limits *limits, const xt_store_choice *held, xt_retire_why *ret_why,
                    xt_problem *reterr_problem)
{
    xt_retire_why why = XT_RETIRE_NOT;
    int r = 0;

    *ret_why = why;
    if (limits->max_age_ms || limits->max_bytes || limits->min_free_bytes) {
        if (pthread_mutex_trylock(&store->merge_lock) != 0)
            return 0;
        if (xt_store_is_full(store))
            xt_store_reserve_release(store);
        r = retain_locked(store, limits, held, &why, reterr_problem);
        pthread_mutex_unlock(&store->merge_lock);
    }
    if (r == -ECANCELED) { /* a hold came meanwhile: the next call asks again */
        why = XT_RETIRE_NOT;
        r = 0;
    }
    if (r == 0)
        *ret_why = why;
    return r;
}

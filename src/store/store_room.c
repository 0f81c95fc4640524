/*
 * A full disk. DIR/reserve is a file of nothing that takes room while there is some. When a write finds the disk full the
 * store stops accepting batches; it goes on answering, for reading needs no room. To retire a segment SQLite has to write:
 * some pages to its write-ahead log, perhaps 32 KiB to the log's index. So before anything is retired on a full disk, and
 * before SQLite is opened on one, the reserve is given back, and nobody else may take that room, for batches are refused
 * until the reserve could be made again and some more is free.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/store_private.h"

#define RESERVE_BYTES   ((uint64_t)512 << 10)
#define FULL_BYTES      ((uint64_t)64 << 10) /* less free is none */
#define AGAIN_MAX_BYTES ((uint64_t)16 << 20) /* free beside the reserve, before batches are accepted again */
#define AGAIN_SHARE     64                   /* of the file system, where that is less */

static char *reserve_path(const xt_store *store)
{
    char *path;

    return asprintf(&path, "%s/reserve", store->dir) < 0 ? NULL : path;
}

/* What is free for us, and how much of that there has to be after it was full; false: nobody knows. */
static bool room_look(const xt_store *store, uint64_t *ret_free, uint64_t *ret_again)
{
    struct statvfs fs;

    if (statvfs(store->dir, &fs) < 0)
        return false;
    uint64_t share = (uint64_t)fs.f_blocks * fs.f_frsize / AGAIN_SHARE;
    *ret_free = (uint64_t)fs.f_bavail * fs.f_frsize;
    *ret_again = share > AGAIN_MAX_BYTES ? AGAIN_MAX_BYTES : share;
    return true;
}

static bool reserve_is_there(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && (uint64_t)st.st_blocks * 512 >= RESERVE_BYTES;
}

/* True when it is there, or was made. */
static bool reserve_make(const xt_store *store)
{
    char *path = reserve_path(store);
    bool made = path && reserve_is_there(path);

    if (path && !made) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        made = fd >= 0 && posix_fallocate(fd, 0, (off_t)RESERVE_BYTES) == 0;
        if (fd >= 0)
            close(fd);
        if (!made)
            unlink(path);
    }
    free(path);
    return made;
}

void xt_store_reserve_release(const xt_store *store)
{
    char *path = reserve_path(store);

    if (path)
        unlink(path);
    free(path);
}

void xt_store_room_begin(xt_store *store)
{
    uint64_t n_free, again;

    if (room_look(store, &n_free, &again) && n_free < FULL_BYTES) {
        xt_store_reserve_release(store);
        atomic_store(&store->is_full, true);
    }
}

void xt_store_room_keep(xt_store *store)
{
    uint64_t n_free, again;

    if (!room_look(store, &n_free, &again))
        return;
    if (!atomic_load(&store->is_full)) {
        if (store->keeps_reserve && n_free >= again + RESERVE_BYTES)
            (void)reserve_make(store); /* if not now, then later */
        return;
    }
    char *path = store->keeps_reserve ? reserve_path(store) : NULL;
    bool there = !store->keeps_reserve || (path && reserve_is_there(path));
    free(path);
    if (n_free >= again + (there ? 0 : RESERVE_BYTES) && (there || reserve_make(store)))
        atomic_store(&store->is_full, false);
}

void xt_store_note_error(xt_store *store, int r)
{
    uint64_t n_free, again;
    bool full = r == -ENOSPC || r == -EDQUOT;

    /* The index of a write-ahead log that cannot grow is an I/O error to SQLite. */
    if (r == -EIO && room_look(store, &n_free, &again))
        full = n_free < FULL_BYTES;
    if (full)
        atomic_store(&store->is_full, true);
}

bool xt_store_is_full(const xt_store *store)
{
    return atomic_load(&store->is_full);
}

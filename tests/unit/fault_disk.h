/*
 * A machine whose files fail and which goes down. The Nth call (of our table, and of SQLite's where a test has that too, counted
 * together) gives an error, alone, some times in a row or with all that come after it.
 *
 * What a disk would hold after the machine went down is kept beside the real files: of each file the content of its last
 * sync and the sectors written since; of the folders the names as they were when the folder was synced, and what was
 * made, renamed and unlinked since. Going down leaves any part of what was not synced: none, all, or sector by sector
 * and name by name as the dice fall. A sync that fails may lose what it was to write for good, as the kernel's does.
 * Who includes it has cmocka, folder_remove and dice_below.
 */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dice.h"
#include "io/vfs.h"

#ifndef UNUSED
#define UNUSED __attribute__((unused))
#endif

#define SECTOR_BYTES 512
#define MAX_FILES    4096
#define MAX_NAMES    1024
#define MAX_CHANGES  4096
#define MAX_FDS      1024
#define PATH_BYTES   200

typedef struct disk_bytes {
    char *p;
    size_t n;
} disk_bytes;

typedef struct disk_file {
    bool is_folder;
    disk_bytes now, synced;
    bool *dirty; /* a flag a sector of now */
    size_t n_dirty;
} disk_file;

typedef struct disk_name {
    char path[PATH_BYTES];
    disk_file *file; /* NULL: there is no such name any more */
} disk_name;

typedef struct disk_names {
    disk_name items[MAX_NAMES];
    size_t n;
} disk_names;

/* A change of a folder that is not synced yet: `path` is the file's from now on (NULL: nobody's), `from` no longer. */
typedef struct disk_change {
    char from[PATH_BYTES], path[PATH_BYTES];
    disk_file *file;
} disk_change;

typedef struct faults {
    unsigned n_calls, fail_at, n_fails; /* fail_at 0: never */
    unsigned down_at;                   /* from this call on nothing is done any more; 0: never */
    int error;
} faults;

static faults the_faults;
static struct {
    char root[PATH_BYTES];
    disk_file *files[MAX_FILES];
    size_t n_files;
    disk_names now, synced;
    disk_change changes[MAX_CHANGES];
    size_t n_changes;
    disk_file *fds[MAX_FDS];
    dice d;
} disk;

/* n_fails calls from fail_at on give this error; those before and after are done. */
static void faults_begin(unsigned fail_at, unsigned n_fails, int error)
{
    the_faults = (faults){.fail_at = fail_at, .n_fails = n_fails, .error = error};
}

static bool fails(void)
{
    unsigned n = ++the_faults.n_calls;

    if (the_faults.down_at && n >= the_faults.down_at)
        return true;
    return the_faults.fail_at && n >= the_faults.fail_at && n - the_faults.fail_at < the_faults.n_fails;
}

static int fault_error(void)
{
    return the_faults.down_at && the_faults.n_calls >= the_faults.down_at ? EIO : the_faults.error;
}

static bool failed_ever(void)
{
    return (the_faults.fail_at && the_faults.n_calls >= the_faults.fail_at) ||
           (the_faults.down_at && the_faults.n_calls >= the_faults.down_at);
}

/* How many seeds the long form has; 0: the short one. */
static UNUSED unsigned torture(void)
{
    const char *text = getenv("XT_TORTURE");
    return text ? (unsigned)strtoul(text, NULL, 10) : 0;
}

/* ------------------------------------------------------------------------------------------------ the disk */

static void disk_resize(disk_bytes *b, size_t n)
{
    b->p = realloc(b->p, n + 1);
    if (n > b->n)
        memset(b->p + b->n, 0, n - b->n);
    b->n = n;
}

static disk_file *disk_file_new(bool is_folder)
{
    assert_true(disk.n_files < MAX_FILES);
    disk_file *file = calloc(1, sizeof *file);
    file->is_folder = is_folder;
    disk.files[disk.n_files++] = file;
    return file;
}

static bool is_ours(const char *path)
{
    size_t n = strlen(disk.root);
    return n && strncmp(path, disk.root, n) == 0 && path[n] == '/';
}

static disk_name *disk_name_find(disk_names *names, const char *path)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->items[i].path, path) == 0)
            return &names->items[i];
    return NULL;
}

static disk_file *disk_find(const char *path)
{
    disk_name *name = disk_name_find(&disk.now, path);
    return name ? name->file : NULL;
}

static void disk_name_set(disk_names *names, const char *path, disk_file *file)
{
    disk_name *name = disk_name_find(names, path);

    if (!name) {
        assert_true(names->n < MAX_NAMES);
        name = &names->items[names->n++];
        snprintf(name->path, sizeof name->path, "%s", path);
    }
    name->file = file;
}

static void disk_change_apply(disk_names *names, const disk_change *change)
{
    if (change->from[0])
        disk_name_set(names, change->from, NULL);
    if (change->path[0])
        disk_name_set(names, change->path, change->file);
}

/* from "": a new name; path "": unlinked. */
static void disk_change_note(const char *from, const char *path, disk_file *file)
{
    if (!is_ours(path[0] ? path : from))
        return;
    assert_true(disk.n_changes < MAX_CHANGES);
    disk_change *change = &disk.changes[disk.n_changes++];
    snprintf(change->from, sizeof change->from, "%s", from);
    snprintf(change->path, sizeof change->path, "%s", path);
    change->file = file;
    disk_change_apply(&disk.now, change);
}

static bool stands_in(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/' && !strchr(path + n + 1, '/');
}

/* No change is of two folders. */
static void disk_sync_folder(const char *path)
{
    size_t n = 0;

    for (size_t i = 0; i < disk.n_changes; i++) {
        disk_change *change = &disk.changes[i];
        if (stands_in(change->path[0] ? change->path : change->from, path))
            disk_change_apply(&disk.synced, change);
        else
            disk.changes[n++] = *change;
    }
    disk.n_changes = n;
}

static void disk_mark(disk_file *file, size_t from, size_t to)
{
    size_t n = (file->now.n + SECTOR_BYTES - 1) / SECTOR_BYTES;

    if (n > file->n_dirty) {
        file->dirty = realloc(file->dirty, n);
        memset(file->dirty + file->n_dirty, 0, n - file->n_dirty);
        file->n_dirty = n;
    }
    for (size_t at = from / SECTOR_BYTES; at * SECTOR_BYTES < to; at++)
        file->dirty[at] = true;
}

static void disk_write(disk_file *file, const void *p, size_t n, uint64_t offset)
{
    if (!file || n == 0)
        return;
    if (offset + n > file->now.n)
        disk_resize(&file->now, offset + n);
    memcpy(file->now.p + offset, p, n);
    disk_mark(file, offset, offset + n);
}

static void disk_truncate(disk_file *file, uint64_t size)
{
    if (!file)
        return;
    size_t before = file->now.n;
    disk_resize(&file->now, size);
    if (size > before)
        disk_mark(file, before, size);
}

/* The sector of the file as it is now goes to b, as far as b reaches. */
static void sector_copy(const disk_file *file, size_t sector, disk_bytes *b)
{
    size_t at = sector * SECTOR_BYTES, end = at + SECTOR_BYTES;

    end = end < file->now.n ? end : file->now.n;
    end = end < b->n ? end : b->n;
    if (at < end)
        memcpy(b->p + at, file->now.p + at, end - at);
}

/* failed: half of it, by the dice, is lost; later syncs do not know of it. */
static void disk_sync(disk_file *file, bool failed)
{
    if (!file)
        return;
    if (!failed)
        disk_resize(&file->synced, file->now.n);
    for (size_t i = 0; i < file->n_dirty; i++) {
        if (!file->dirty[i] || (failed && dice_below(&disk.d, 2)))
            continue;
        file->dirty[i] = false;
        if (!failed)
            sector_copy(file, i, &file->synced);
    }
}

static void disk_load(const char *folder)
{
    DIR *dir = opendir(folder);
    char path[PATH_BYTES * 2];

    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        xt_buf bytes = XT_BUF_INIT;
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.' || xt_slice_ends(xt_slice_str(path), XT_S("-shm")) || stat(path, &st) < 0)
            continue;
        disk_file *file = disk_file_new(S_ISDIR(st.st_mode));
        disk_name_set(&disk.now, path, file);
        disk_name_set(&disk.synced, path, file);
        if (file->is_folder) {
            disk_load(path);
            continue;
        }
        assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, SIZE_MAX, &bytes), 0);
        disk_write(file, bytes.p, bytes.n, 0);
        disk_sync(file, false);
        xt_buf_fini(&bytes);
    }
    closedir(dir);
}

static void disk_free(void)
{
    for (size_t i = 0; i < disk.n_files; i++) {
        free(disk.files[i]->now.p);
        free(disk.files[i]->synced.p);
        free(disk.files[i]->dirty);
        free(disk.files[i]);
    }
    memset(&disk, 0, sizeof disk);
}

/* All that is below root now is on the disk. Nobody has a file of it open. */
static UNUSED void disk_begin(const char *root, uint64_t seed)
{
    disk_free();
    snprintf(disk.root, sizeof disk.root, "%s", root);
    disk.d.state = seed;
    disk_load(root);
}

/* How much of what was not synced is there all the same. */
typedef enum disk_luck { LUCK_NONE, LUCK_ALL, LUCK_SOME } disk_luck;

static bool lucky(disk_luck luck)
{
    return luck == LUCK_ALL || (luck == LUCK_SOME && dice_below(&disk.d, 2));
}

static void file_leave(const char *path, const disk_file *file, disk_luck luck)
{
    disk_bytes left = {0};

    disk_resize(&left, file->synced.n);
    memcpy(left.p, file->synced.p ? file->synced.p : "", file->synced.n);
    if (lucky(luck))
        disk_resize(&left, file->now.n);
    for (size_t i = 0; i < file->n_dirty; i++)
        if (file->dirty[i] && lucky(luck))
            sector_copy(file, i, &left);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd >= 0) { /* else its folder is gone */
        assert_int_equal(write(fd, left.p, left.n), left.n);
        close(fd);
    }
    free(left.p);
}

/* The machine went down: the folder is as the disk has it, and on from there. */
static UNUSED void disk_crash(void)
{
    disk_luck names = (disk_luck)dice_below(&disk.d, 3), bytes = (disk_luck)dice_below(&disk.d, 3);
    char root[PATH_BYTES];

    snprintf(root, sizeof root, "%s", disk.root);
    for (size_t i = 0; i < disk.n_changes; i++)
        if (lucky(names))
            disk_change_apply(&disk.synced, &disk.changes[i]);
    folder_remove(root);
    assert_int_equal(mkdir(root, 0700), 0);
    for (int depth = 0; depth < 2; depth++) /* what is in a folder that is gone is gone */
        for (size_t i = 0; i < disk.synced.n; i++)
            if (disk.synced.items[i].file && disk.synced.items[i].file->is_folder)
                mkdir(disk.synced.items[i].path, 0700);
    for (size_t i = 0; i < disk.synced.n; i++)
        if (disk.synced.items[i].file && !disk.synced.items[i].file->is_folder)
            file_leave(disk.synced.items[i].path, disk.synced.items[i].file, bytes);
    disk_begin(root, dice_next(&disk.d));
}

/* ------------------------------------------------------------------------------------------------ our table */

static int fault_open(const xt_vfs *vfs, const char *path, int flags, mode_t mode)
{
    if (fails())
        return -fault_error();
    int fd = xt_vfs_system.open(&xt_vfs_system, path, flags, mode);
    if (fd < 0)
        return fd;
    assert_true(fd < MAX_FDS);
    disk.fds[fd] = disk_find(path);
    if (!disk.fds[fd] && flags & O_CREAT && is_ours(path)) {
        disk.fds[fd] = disk_file_new(false);
        disk_change_note("", path, disk.fds[fd]);
    } else if (flags & O_TRUNC) {
        disk_truncate(disk.fds[fd], 0);
    }
    return fd;
}

static int fault_close(const xt_vfs *vfs, int fd)
{
    disk.fds[fd] = NULL;
    return xt_vfs_system.close(&xt_vfs_system, fd);
}

static ssize_t fault_pread(const xt_vfs *vfs, int fd, void *p, size_t n, uint64_t offset)
{
    return fails() ? -fault_error() : xt_vfs_system.pread(&xt_vfs_system, fd, p, n, offset);
}

static ssize_t fault_pwrite(const xt_vfs *vfs, int fd, const void *p, size_t n, uint64_t offset)
{
    bool failed = fails();
    ssize_t put = xt_vfs_system.pwrite(&xt_vfs_system, fd, p, failed ? n / 2 : n, offset); /* half of it arrives */

    if (put > 0)
        disk_write(disk.fds[fd], p, (size_t)put, offset);
    return failed ? -fault_error() : put;
}

static int fault_fdatasync(const xt_vfs *vfs, int fd)
{
    bool failed = fails();
    disk_sync(disk.fds[fd], failed);
    return failed ? -fault_error() : 0;
}

static int fault_truncate(const xt_vfs *vfs, int fd, uint64_t size)
{
    if (fails())
        return -fault_error();
    disk_truncate(disk.fds[fd], size);
    return xt_vfs_system.truncate(&xt_vfs_system, fd, size);
}

static int fault_size(const xt_vfs *vfs, int fd, uint64_t *ret)
{
    return fails() ? -fault_error() : xt_vfs_system.size(&xt_vfs_system, fd, ret);
}

static int fault_rename(const xt_vfs *vfs, const char *from, const char *to)
{
    if (fails())
        return -fault_error();
    int r = xt_vfs_system.rename(&xt_vfs_system, from, to);
    if (r == 0)
        disk_change_note(from, to, disk_find(from));
    return r;
}

static int fault_unlink(const xt_vfs *vfs, const char *path)
{
    if (fails())
        return -fault_error();
    int r = xt_vfs_system.unlink(&xt_vfs_system, path);
    if (r == 0)
        disk_change_note(path, "", NULL);
    return r;
}

static int fault_mkdir(const xt_vfs *vfs, const char *path, mode_t mode)
{
    if (fails())
        return -fault_error();
    int r = xt_vfs_system.mkdir(&xt_vfs_system, path, mode);
    if (r == 0)
        disk_change_note("", path, disk_file_new(true));
    return r;
}

static int fault_sync_folder(const xt_vfs *vfs, const char *path)
{
    if (fails())
        return -fault_error();
    disk_sync_folder(path);
    return 0;
}

static const xt_vfs fault_vfs = {
    .open = fault_open,
    .close = fault_close,
    .pread = fault_pread,
    .pwrite = fault_pwrite,
    .fdatasync = fault_fdatasync,
    .truncate = fault_truncate,
    .size = fault_size,
    .rename = fault_rename,
    .unlink = fault_unlink,
    .mkdir = fault_mkdir,
    .sync_folder = fault_sync_folder,
};

/*
 * The system's table calls the kernel and turns -1 into -errno; EINTR is repeated where the call may be repeated.
 * The helpers below it are written on the table alone, so that a test's table reaches every path of them.
 */
#include "io/vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_PIECE_BYTES ((size_t)64 << 10)

static int system_open(const xt_vfs *vfs, const char *path, int flags, mode_t mode)
{
    int fd;

    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

/* EINTR: Linux has closed the descriptor all the same. */
static int system_close(const xt_vfs *vfs, int fd)
{
    return close(fd) < 0 && errno != EINTR ? -errno : 0;
}

static ssize_t system_pread(const xt_vfs *vfs, int fd, void *p, size_t n, uint64_t offset)
{
    ssize_t r;

    do
        r = pread(fd, p, n, (off_t)offset);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}

static ssize_t system_pwrite(const xt_vfs *vfs, int fd, const void *p, size_t n, uint64_t offset)
{
    ssize_t r;

    do
        r = pwrite(fd, p, n, (off_t)offset);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}

static int system_fdatasync(const xt_vfs *vfs, int fd)
{
    return fdatasync(fd) < 0 ? -errno : 0;
}

static int system_truncate(const xt_vfs *vfs, int fd, uint64_t size)
{
    return ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

static int system_size(const xt_vfs *vfs, int fd, uint64_t *ret)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    *ret = (uint64_t)st.st_size;
    return 0;
}

static int system_rename(const xt_vfs *vfs, const char *from, const char *to)
{
    return rename(from, to) < 0 ? -errno : 0;
}

static int system_unlink(const xt_vfs *vfs, const char *path)
{
    return unlink(path) < 0 ? -errno : 0;
}

static int system_mkdir(const xt_vfs *vfs, const char *path, mode_t mode)
{
    return mkdir(path, mode) < 0 ? -errno : 0;
}

static int system_sync_folder(const xt_vfs *vfs, const char *path)
{
    int fd = system_open(vfs, path, O_RDONLY | O_DIRECTORY, 0);

    if (fd < 0)
        return fd;
    int r = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return r;
}

const xt_vfs xt_vfs_system = {
    .open = system_open,
    .close = system_close,
    .pread = system_pread,
    .pwrite = system_pwrite,
    .fdatasync = system_fdatasync,
    .truncate = system_truncate,
    .size = system_size,
    .rename = system_rename,
    .unlink = system_unlink,
    .mkdir = system_mkdir,
    .sync_folder = system_sync_folder,
};

int xt_vfs_read_all(const xt_vfs *vfs, int fd, void *p, size_t n, uint64_t offset)
{
    char *to = p;

    while (n > 0) {
        ssize_t got = vfs->pread(vfs, fd, to, n, offset);
        if (got <= 0)
            return got < 0 ? (int)got : -EIO;
        to += got;
        n -= (size_t)got;
        offset += (uint64_t)got;
    }
    return 0;
}

int xt_vfs_write_all(const xt_vfs *vfs, int fd, const void *p, size_t n, uint64_t offset)
{
    const char *from = p;

    while (n > 0) {
        ssize_t put = vfs->pwrite(vfs, fd, from, n, offset);
        if (put <= 0)
            return put < 0 ? (int)put : -EIO;
        from += put;
        n -= (size_t)put;
        offset += (uint64_t)put;
    }
    return 0;
}

/* Reads to the end rather than to fstat's size: files of /proc have none. */
static int read_to_end(const xt_vfs *vfs, int fd, size_t max_bytes, xt_buf *out)
{
    for (size_t n = 0;;) {
        char *to = xt_buf_reserve(out, READ_PIECE_BYTES);
        if (!to)
            return -ENOMEM;
        ssize_t got = vfs->pread(vfs, fd, to, READ_PIECE_BYTES, n);
        if (got <= 0)
            return (int)got;
        if ((size_t)got > max_bytes - n)
            return -EFBIG;
        n += (size_t)got;
        out->n += (size_t)got;
    }
}

int xt_vfs_read_file(const xt_vfs *vfs, const char *path, size_t max_bytes, xt_buf *out)
{
    size_t before = out->n;
    int fd = vfs->open(vfs, path, O_RDONLY, 0);

    if (fd < 0)
        return fd;
    int r = read_to_end(vfs, fd, max_bytes, out);
    if (r < 0)
        out->n = before;
    vfs->close(vfs, fd);
    return r;
}

static int write_synced(const xt_vfs *vfs, const char *path, xt_slice content, mode_t mode)
{
    int fd = vfs->open(vfs, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode);

    if (fd < 0)
        return fd;
    int r = xt_vfs_write_all(vfs, fd, content.p, content.n, 0);
    if (r == 0)
        r = vfs->fdatasync(vfs, fd);
    int closed = vfs->close(vfs, fd);
    return r ? r : closed;
}

/* The folder that path stands in, as a new string. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return strdup(".");
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

int xt_vfs_replace_file(const xt_vfs *vfs, const char *path, xt_slice content, mode_t mode)
{
    char *folder = folder_of(path), *beside = NULL;
    int r = -ENOMEM;

    if (folder && asprintf(&beside, "%s.new", path) < 0)
        beside = NULL;
    if (folder && beside) {
        r = write_synced(vfs, beside, content, mode);
        if (r == 0)
            r = vfs->rename(vfs, beside, path);
        if (r < 0)
            vfs->unlink(vfs, beside);
        else
            r = vfs->sync_folder(vfs, folder);
    }
    free(beside);
    free(folder);
    return r < 0 ? xt_error_origin(r) : 0;
}

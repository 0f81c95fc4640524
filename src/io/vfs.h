/*
 * io/vfs - files behind a table, so that tests can fail the Nth call, tear writes and lose unsynced data
 *
 * Errors:    negative errno, as the system gave it. An fsync that failed is never retried on the same file: whoever
 *            gets it treats the file as lost.
 * Ownership: xt_vfs_system is a constant; a test's vfs lives as long as what uses it.
 * Threads:   calls on different files from any thread; one file's writes from one thread.
 */
#pragma once
#include <sys/types.h>

#include "base/buf.h"

typedef struct xt_vfs xt_vfs;
struct xt_vfs {
    /* A descriptor (>= 0) or -errno; flags as open(2), O_CLOEXEC is added. */
    int (*open)(const xt_vfs *vfs, const char *path, int flags, mode_t mode);
    int (*close)(const xt_vfs *vfs, int fd);
    ssize_t (*pread)(const xt_vfs *vfs, int fd, void *p, size_t n, uint64_t offset);
    ssize_t (*pwrite)(const xt_vfs *vfs, int fd, const void *p, size_t n, uint64_t offset);
    int (*fdatasync)(const xt_vfs *vfs, int fd);
    int (*truncate)(const xt_vfs *vfs, int fd, uint64_t size);
    int (*size)(const xt_vfs *vfs, int fd, uint64_t *ret);
    int (*rename)(const xt_vfs *vfs, const char *from, const char *to);
    int (*unlink)(const xt_vfs *vfs, const char *path);
    int (*mkdir)(const xt_vfs *vfs, const char *path, mode_t mode);
    int (*sync_folder)(const xt_vfs *vfs, const char *path);
    void *context;
};

extern const xt_vfs xt_vfs_system;

/* All n bytes or an error (-EIO at the end of the file). */
XT_MUST_USE int xt_vfs_read_all(const xt_vfs *vfs, int fd, void *p, size_t n, uint64_t offset);
XT_MUST_USE int xt_vfs_write_all(const xt_vfs *vfs, int fd, const void *p, size_t n, uint64_t offset);
/* The whole file appended to out; -EFBIG above max_bytes. */
XT_MUST_USE int xt_vfs_read_file(const xt_vfs *vfs, const char *path, size_t max_bytes, xt_buf *out);
/* Written beside, synced, renamed, folder synced: the old content or the new one, never half. */
XT_MUST_USE int xt_vfs_replace_file(const xt_vfs *vfs, const char *path, xt_slice content, mode_t mode);

/*
 * Files that fail: the Nth call of both tables (ours and SQLite's, counted together) gives an error, alone or with all
 * that come after it. A crash then loses what was not synced: files written since their last sync are torn, renames
 * whose folder was not synced are undone.
 */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>

#include "store_fixture.h"

#define MAX_FILES 64

typedef struct faults {
    unsigned n_calls, fail_at; /* fail_at 0: never */
    bool forever;              /* fails from then on */
    int error;
    struct {
        int fd;
        char path[300];
        bool dirty;
    } files[MAX_FILES];
    size_t n_files;
    struct {
        char from[300], to[300];
        bool synced;
    } renames[MAX_FILES];
    size_t n_renames;
} faults;

static faults the_faults;

static bool fails(void)
{
    unsigned n = ++the_faults.n_calls;
    return the_faults.fail_at && (the_faults.forever ? n >= the_faults.fail_at : n == the_faults.fail_at);
}

static bool failed_ever(void)
{
    return the_faults.fail_at && the_faults.n_calls >= the_faults.fail_at;
}

static void faults_begin(unsigned fail_at, bool forever, int error)
{
    the_faults = (faults){.fail_at = fail_at, .forever = forever, .error = error};
}

/* ------------------------------------------------------------------------------------------------ our table */

/* The name stands for another file from now on, or for none. */
static void forget(const char *path)
{
    for (size_t i = 0; i < the_faults.n_files; i++)
        if (strcmp(the_faults.files[i].path, path) == 0)
            the_faults.files[i].path[0] = '\0';
    for (size_t i = 0; i < the_faults.n_renames; i++)
        if (strcmp(the_faults.renames[i].to, path) == 0)
            the_faults.renames[i].synced = true;
}

static int fault_open(const xt_vfs *vfs, const char *path, int flags, mode_t mode)
{
    if (fails())
        return -the_faults.error;
    int fd = xt_vfs_system.open(&xt_vfs_system, path, flags, mode);
    if (fd >= 0 && flags & O_TRUNC)
        forget(path);
    if (fd >= 0 && (flags & O_ACCMODE) != O_RDONLY && the_faults.n_files < MAX_FILES) {
        the_faults.files[the_faults.n_files].fd = fd;
        the_faults.files[the_faults.n_files].dirty = true;
        snprintf(the_faults.files[the_faults.n_files++].path, 300, "%s", path);
    }
    return fd;
}

static void mark(int fd, bool dirty)
{
    for (size_t i = 0; i < the_faults.n_files; i++)
        if (the_faults.files[i].fd == fd)
            the_faults.files[i].dirty = dirty;
}

static int fault_close(const xt_vfs *vfs, int fd)
{
    for (size_t i = 0; i < the_faults.n_files; i++)
        if (the_faults.files[i].fd == fd)
            the_faults.files[i].fd = -1;
    return xt_vfs_system.close(&xt_vfs_system, fd);
}

static ssize_t fault_pread(const xt_vfs *vfs, int fd, void *p, size_t n, uint64_t offset)
{
    return fails() ? -the_faults.error : xt_vfs_system.pread(&xt_vfs_system, fd, p, n, offset);
}

static ssize_t fault_pwrite(const xt_vfs *vfs, int fd, const void *p, size_t n, uint64_t offset)
{
    mark(fd, true);
    if (fails()) { /* half of it arrives */
        if (xt_vfs_system.pwrite(&xt_vfs_system, fd, p, n / 2, offset) < 0)
            return -EIO;
        return -the_faults.error;
    }
    return xt_vfs_system.pwrite(&xt_vfs_system, fd, p, n, offset);
}

static int fault_fdatasync(const xt_vfs *vfs, int fd)
{
    if (fails())
        return -the_faults.error;
    mark(fd, false);
    return 0;
}

static int fault_truncate(const xt_vfs *vfs, int fd, uint64_t size)
{
    return fails() ? -the_faults.error : xt_vfs_system.truncate(&xt_vfs_system, fd, size);
}

static int fault_size(const xt_vfs *vfs, int fd, uint64_t *ret)
{
    return fails() ? -the_faults.error : xt_vfs_system.size(&xt_vfs_system, fd, ret);
}

static int fault_rename(const xt_vfs *vfs, const char *from, const char *to)
{
    if (fails())
        return -the_faults.error;
    int r = xt_vfs_system.rename(&xt_vfs_system, from, to);
    if (r == 0)
        forget(to);
    for (size_t i = 0; r == 0 && i < the_faults.n_files; i++)
        if (strcmp(the_faults.files[i].path, from) == 0)
            snprintf(the_faults.files[i].path, 300, "%s", to);
    if (r == 0 && the_faults.n_renames < MAX_FILES) {
        snprintf(the_faults.renames[the_faults.n_renames].from, 300, "%s", from);
        snprintf(the_faults.renames[the_faults.n_renames].to, 300, "%s", to);
        the_faults.renames[the_faults.n_renames++].synced = false;
    }
    return r;
}

static int fault_unlink(const xt_vfs *vfs, const char *path)
{
    if (fails())
        return -the_faults.error;
    int r = xt_vfs_system.unlink(&xt_vfs_system, path);
    if (r == 0)
        forget(path);
    return r;
}

static int fault_mkdir(const xt_vfs *vfs, const char *path, mode_t mode)
{
    return fails() ? -the_faults.error : xt_vfs_system.mkdir(&xt_vfs_system, path, mode);
}

static int fault_sync_folder(const xt_vfs *vfs, const char *path)
{
    if (fails())
        return -the_faults.error;
    for (size_t i = 0; i < the_faults.n_renames; i++)
        the_faults.renames[i].synced = true;
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

/* The machine went down: what no sync has made durable is torn or gone. */
static UNUSED void crash_files(dice *d)
{
    for (size_t i = 0; i < the_faults.n_files; i++) {
        struct stat st;
        if (!the_faults.files[i].dirty || stat(the_faults.files[i].path, &st) < 0 || st.st_size == 0)
            continue;
        int fd = open(the_faults.files[i].path, O_WRONLY);
        assert_true(fd >= 0);
        static const char zeros[512];
        off_t at = (off_t)dice_below(d, (uint64_t)st.st_size);
        assert_true(pwrite(fd, zeros, sizeof zeros, at) > 0);
        if (dice_below(d, 2))
            assert_int_equal(ftruncate(fd, at), 0);
        close(fd);
    }
    for (size_t i = the_faults.n_renames; i-- > 0;)
        if (!the_faults.renames[i].synced)
            rename(the_faults.renames[i].to, the_faults.renames[i].from);
}

/* ------------------------------------------------------------------------------------------------ SQLite's table */

typedef struct fault_file {
    sqlite3_file base;
    sqlite3_file *real;
} fault_file;

static sqlite3_vfs *real_vfs;
static sqlite3_vfs sqlite_vfs;

#define REAL(file)        (((fault_file *)(file))->real)
#define PASS(call, error) (fails() ? (error) : REAL(file)->pMethods->call)

static int f_close(sqlite3_file *file)
{
    return REAL(file)->pMethods ? REAL(file)->pMethods->xClose(REAL(file)) : SQLITE_OK;
}
static int f_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at)
{
    return PASS(xRead(REAL(file), p, n, at), SQLITE_IOERR_READ);
}
static int f_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
    return PASS(xWrite(REAL(file), p, n, at), the_faults.error == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE);
}
static int f_truncate(sqlite3_file *file, sqlite3_int64 n)
{
    return PASS(xTruncate(REAL(file), n), SQLITE_IOERR_TRUNCATE);
}
static int f_sync(sqlite3_file *file, int flags)
{
    return fails() ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}
static int f_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    return PASS(xFileSize(REAL(file), ret), SQLITE_IOERR_FSTAT);
}
static int f_lock(sqlite3_file *file, int n)
{
    return REAL(file)->pMethods->xLock(REAL(file), n);
}
static int f_unlock(sqlite3_file *file, int n)
{
    return REAL(file)->pMethods->xUnlock(REAL(file), n);
}
static int f_reserved(sqlite3_file *file, int *ret)
{
    return REAL(file)->pMethods->xCheckReservedLock(REAL(file), ret);
}
static int f_control(sqlite3_file *file, int op, void *arg)
{
    return REAL(file)->pMethods->xFileControl(REAL(file), op, arg);
}
static int f_sector(sqlite3_file *file)
{
    return REAL(file)->pMethods->xSectorSize(REAL(file));
}
static int f_device(sqlite3_file *file)
{
    return REAL(file)->pMethods->xDeviceCharacteristics(REAL(file));
}
static int f_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    return REAL(file)->pMethods->xShmMap(REAL(file), page, size, extend, ret);
}
static int f_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return REAL(file)->pMethods->xShmLock(REAL(file), offset, n, flags);
}
static void f_shm_barrier(sqlite3_file *file)
{
    REAL(file)->pMethods->xShmBarrier(REAL(file));
}
static int f_shm_unmap(sqlite3_file *file, int delete)
{
    return REAL(file)->pMethods->xShmUnmap(REAL(file), delete);
}

static const sqlite3_io_methods fault_methods = {
    .iVersion = 2,
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_reserved,
    .xFileControl = f_control,
    .xSectorSize = f_sector,
    .xDeviceCharacteristics = f_device,
    .xShmMap = f_shm_map,
    .xShmLock = f_shm_lock,
    .xShmBarrier = f_shm_barrier,
    .xShmUnmap = f_shm_unmap,
};

static int f_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    fault_file *f = (fault_file *)file;
    f->base.pMethods = NULL;
    f->real = (sqlite3_file *)(f + 1);
    if (fails())
        return SQLITE_CANTOPEN;
    int rc = real_vfs->xOpen(real_vfs, name, f->real, flags, ret_flags);
    if (rc == SQLITE_OK)
        f->base.pMethods = &fault_methods;
    return rc;
}

/* SQLite's default from here on. */
static UNUSED void fault_sqlite_register(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    sqlite_vfs = *real_vfs;
    sqlite_vfs.zName = "faults";
    sqlite_vfs.szOsFile += (int)sizeof(fault_file);
    sqlite_vfs.xOpen = f_open;
    sqlite_vfs.pNext = NULL;
    assert_int_equal(sqlite3_vfs_register(&sqlite_vfs, 1), SQLITE_OK);
}

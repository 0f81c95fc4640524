/* What is in tests/unit/fault_disk.h, for SQLite too. */
#pragma once
#include <sqlite3.h>

#include "store_fixture.h"

#include "../fault_disk.h"

/* ------------------------------------------------------------------------------------------------ SQLite's table */

typedef struct fault_file {
    sqlite3_file base;
    sqlite3_file *real;
    disk_file *disk;
    bool is_new_log; /* its first sync is one of its folder too, as SQLite's own table has it */
    char path[PATH_BYTES];
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
    bool failed = fails();
    int put = failed ? n / 2 : n;
    int rc = put ? REAL(file)->pMethods->xWrite(REAL(file), p, put, at) : SQLITE_OK;

    if (rc == SQLITE_OK)
        disk_write(((fault_file *)file)->disk, p, (size_t)put, (uint64_t)at);
    return !failed ? rc : fault_error() == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}
static int f_truncate(sqlite3_file *file, sqlite3_int64 n)
{
    if (fails())
        return SQLITE_IOERR_TRUNCATE;
    disk_truncate(((fault_file *)file)->disk, (uint64_t)n);
    return REAL(file)->pMethods->xTruncate(REAL(file), n);
}
static int f_sync(sqlite3_file *file, int flags)
{
    fault_file *f = (fault_file *)file;
    bool failed = fails();

    disk_sync(f->disk, failed);
    if (failed)
        return SQLITE_IOERR_FSYNC;
    if (f->is_new_log) {
        char folder[PATH_BYTES];
        snprintf(folder, sizeof folder, "%s", f->path);
        *strrchr(folder, '/') = '\0';
        disk_sync_folder(folder);
        f->is_new_log = false;
    }
    return SQLITE_OK;
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

static void f_note(fault_file *f, const char *name, int flags)
{
    if (!name || !is_ours(name))
        return; /* a temporary file */
    snprintf(f->path, sizeof f->path, "%s", name);
    f->disk = disk_find(name);
    if (!f->disk) { /* SQLite makes it now, or who opens it did, without a table */
        f->disk = disk_file_new(false);
        disk_change_note("", name, f->disk);
        f->is_new_log = flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL);
    }
}

static int f_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    fault_file *f = (fault_file *)file;
    memset(f, 0, sizeof *f);
    f->real = (sqlite3_file *)(f + 1);
    if (fails())
        return SQLITE_CANTOPEN;
    int rc = real_vfs->xOpen(real_vfs, name, f->real, flags, ret_flags);
    if (rc == SQLITE_OK) {
        f->base.pMethods = &fault_methods;
        f_note(f, name, flags);
    }
    return rc;
}

static int f_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    char folder[PATH_BYTES];

    if (fails())
        return SQLITE_IOERR_DELETE;
    int rc = real_vfs->xDelete(real_vfs, name, 0);
    if (rc == SQLITE_OK && disk_find(name))
        disk_change_note(name, "", NULL);
    snprintf(folder, sizeof folder, "%s", name);
    *strrchr(folder, '/') = '\0';
    if (rc == SQLITE_OK && sync_folder)
        disk_sync_folder(folder);
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
    sqlite_vfs.xDelete = f_delete;
    sqlite_vfs.pNext = NULL;
    assert_int_equal(sqlite3_vfs_register(&sqlite_vfs, 1), SQLITE_OK);
}

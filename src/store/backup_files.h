/*
 * store/backup_files - the files of a backup folder, each under the SHA-256 of its bytes
 *
 * Shape:     a file is written as N.tmp, synced, and only then named; so what has a name is whole, unless the disk lost it,
 *            which its name tells. What is there already is not copied again, whoever put it there.
 * Errors:    <0 errno with a problem: the folder's. XT_BACKUP_E_*: below, with a problem. -ECANCELED: step wanted no more.
 * Threads:   one at a time; of several processes one at a time may write (server/backup_folder.h).
 */
#pragma once
#include <sqlite3.h>

#include "base/map.h"
#include "base/problem.h"
#include "store/digest.h"

enum {
    XT_BACKUP_E_UNREADABLE = 1, /* what was to be copied cannot be read */
    XT_BACKUP_E_MISSING = 2,    /* there is no such file */
    XT_BACKUP_E_DAMAGED = 3,    /* its bytes are not those of its name */
};

typedef struct xt_backup_files {
    const xt_vfs *vfs;
    char *dir;
    char *piece;       /* what is being copied */
    uint64_t n_temps;  /* names given */
    uint64_t n_copied; /* files that were not there before */
    uint64_t bytes_copied;
    int (*step)(void *context, uint64_t n_bytes); /* after each piece that was read; non-zero ends it; may be NULL */
    void *context;
} xt_backup_files;

XT_MUST_USE int xt_backup_files_init(xt_backup_files *files, const xt_vfs *vfs, const char *dir);
void xt_backup_files_fini(xt_backup_files *files);

/* Whether it is there, by its name and size. */
bool xt_backup_files_have(const xt_backup_files *files, const xt_digest *digest, uint64_t n_bytes);

/* Where bytes come from: like pread, 0 at the end, <0 errno. */
typedef struct xt_backup_input {
    ssize_t (*read)(const void *context, void *p, size_t n, uint64_t at);
    const void *context;
} xt_backup_input;
XT_MUST_USE int xt_backup_files_put(xt_backup_files *files, const xt_backup_input *input, xt_digest *ret_digest,
                                    uint64_t *ret_bytes, xt_problem *reterr_problem);
/* The same of the file at path. */
XT_MUST_USE int xt_backup_files_put_file(xt_backup_files *files, const char *path, xt_digest *ret_digest,
                                         uint64_t *ret_bytes, xt_problem *reterr_problem);
/* The same of a database, by SQLite. */
XT_MUST_USE int xt_backup_files_put_database(xt_backup_files *files, sqlite3 *db, xt_digest *ret_digest,
                                             uint64_t *ret_bytes, xt_problem *reterr_problem);
/* Makes the names of all that was put durable. */
XT_MUST_USE int xt_backup_files_sync(const xt_backup_files *files, xt_problem *reterr_problem);

/* Reads it: 0, XT_BACKUP_E_MISSING, XT_BACKUP_E_DAMAGED. */
XT_MUST_USE int xt_backup_files_check(xt_backup_files *files, const xt_digest *digest, uint64_t n_bytes,
                                      xt_problem *reterr_problem);
/* Copies it to a new file at path, synced; where that is not its bytes (MISSING, DAMAGED) no file is left. */
XT_MUST_USE int xt_backup_files_get(xt_backup_files *files, const xt_digest *digest, uint64_t n_bytes, const char *path,
                                    mode_t mode, xt_problem *reterr_problem);
/* DIR/NAME of a file, to be freed; NULL: no memory. */
char *xt_backup_files_path(const xt_backup_files *files, const xt_digest *digest);

/* Removes what an end without warning left half written. */
void xt_backup_files_tidy(const xt_backup_files *files);
/* Removes the files whose digest (32 bytes) is no key of the map; how many. */
uint64_t xt_backup_files_sweep(const xt_backup_files *files, const xt_map *keep);

/*
 * server/backup_folder - a folder of backups
 *
 * Shape:     TO/files/SHA256 (what generations are made of, shared by them), TO/generations/NAME.json (a manifest each), TO/lock.
 *            A generation exists from the moment that its manifest has its name.
 * Errors:    <0 errno with a problem; XT_BACKUP_FOLDER_E_* with a problem.
 * Threads:   one at a time; several processes read it, or one writes (flock).
 */
#pragma once
#include "server/backup_manifest.h"
#include "store/backup_files.h"

enum {
    XT_BACKUP_FOLDER_E_BUSY = 1,    /* another process writes it, or reads it while this one wants to write */
    XT_BACKUP_FOLDER_E_FOREIGN = 2, /* there is something, and no backup */
    XT_BACKUP_FOLDER_E_UNKNOWN = 3, /* there is no such generation */
    XT_BACKUP_FOLDER_E_BAD = 4,     /* its manifest is damaged */
};

typedef struct xt_backup_folder {
    const xt_vfs *vfs;
    char *path; /* absolute */
    char *generations;
    xt_backup_files files;
    int lock_fd;
} xt_backup_folder;

/* To write it: made where it is absent or empty (mode 0700). What an end without warning left half written is removed. */
XT_MUST_USE int xt_backup_folder_open_to_write(xt_backup_folder *folder, const xt_vfs *vfs, const char *path,
                                               xt_problem *reterr_problem);
/* To read it, on a medium that cannot be written too. */
XT_MUST_USE int xt_backup_folder_open_to_read(xt_backup_folder *folder, const xt_vfs *vfs, const char *path,
                                              xt_problem *reterr_problem);
void xt_backup_folder_close(xt_backup_folder *folder);

typedef struct xt_backup_names {
    char (*names)[XT_BACKUP_NAME_BYTES + 1];
    size_t n;
} xt_backup_names;
/* Of all generations, the oldest first; the caller frees names. */
XT_MUST_USE int xt_backup_folder_names(const xt_backup_folder *folder, xt_backup_names *ret,
                                       xt_problem *reterr_problem);
/* Reads a generation's manifest; name NULL: the newest. fini is the caller's in any case. */
XT_MUST_USE int xt_backup_folder_manifest(const xt_backup_folder *folder, const char *name, xt_backup_manifest *ret,
                                          xt_problem *reterr_problem);
/* Makes the generation exist; its files are there and synced. */
XT_MUST_USE int xt_backup_folder_add(const xt_backup_folder *folder, const xt_backup_manifest *manifest,
                                     xt_problem *reterr_problem);
/*
 * Removes all but the newest `keep` generations (0: none is removed), then every file that none of the rest names; where
 * one of their manifests cannot be read no file is removed, and that is the problem. *ret_pruned: how many went.
 */
XT_MUST_USE int xt_backup_folder_prune(const xt_backup_folder *folder, unsigned keep, size_t *ret_pruned,
                                       xt_problem *reterr_problem);

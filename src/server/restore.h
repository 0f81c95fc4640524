/*
 * server/restore - a generation of a backup becomes a data folder
 *
 * Shape:     every file is held against its SHA-256 while it is copied; what is wrong ends it, and nothing is left.
 *            DIR/restoring stands there until all is done and synced: no store opens such a folder.
 * Changed:   enrolment tokens, login links and sessions of then are void; the list of backups has those of the folder.
 * Errors:    <0 errno with a problem; XT_APP_E_INVALID (no place for it, or the backup is damaged), XT_APP_E_NOT_FOUND,
 *            XT_APP_E_LOCKED, with a problem. -ECANCELED: progress wanted no more.
 */
#pragma once
#include "server/backup.h"

typedef struct xt_restore_wish {
    const char *from;       /* folder of backups, absolute */
    const char *generation; /* NULL: the newest */
    const char *data;       /* absolute; made where it is absent, else empty */
    xt_backup_report report;
    int (*progress)(void *context, uint64_t n_done, uint64_t n_total);
    void *context;
} xt_restore_wish;

typedef struct xt_restored {
    char generation[XT_BACKUP_NAME_BYTES + 1];
    int64_t at_ms;
    uint64_t n_events, n_segments, n_files, n_bytes, n_problems;
} xt_restored;

XT_MUST_USE int xt_restore(const xt_vfs *vfs, const xt_restore_wish *wish, xt_restored *ret,
                           xt_problem *reterr_problem);
/* Opens the restored folder and enters an event (restored-store) that says from when it is and that later ones are gone. */
XT_MUST_USE int xt_restore_note(const char *data, const xt_restored *restored, xt_problem *reterr_problem);

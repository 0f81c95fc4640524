/*
 * server/backup - a generation of a backup, taken beside everything else that goes on
 *
 * Shape:     one moment: state.db and pending.db are frozen together, with the segments that the catalog names in it; then
 *            they are copied, at leisure. Of the segments those are copied that the folder does not have. Every other file
 *            of the data folder is copied too (keys, the CA, the admin token, rules): a backup is as secret as they are.
 * Damage:    a segment whose bytes are not those that the ledger has the SHA-256 of is reported; a good copy that the
 *            folder has is taken for it, else it is copied as it is and marked. One that cannot be read is reported and
 *            named in the manifest. The rest is kept all the same.
 * Errors:    <0 errno with a problem: no generation was made, the former ones stand. XT_APP_E_INVALID (not a place for a backup),
 *            XT_APP_E_LOCKED (another process has it), with a problem. -ECANCELED: progress wanted no more.
 * Threads:   any; one backup at a time to a folder.
 */
#pragma once
#include "server/app.h"
#include "server/backup_folder.h"
#include "server/state_db.h"

typedef struct xt_backup_source {
    const xt_vfs *vfs;
    const xt_clock *clock;
    const char *data;
    xt_store *store;
    xt_state *state;
} xt_backup_source;

typedef void (*xt_backup_report)(void *context, const xt_problem *problem);

typedef struct xt_backup_wish {
    const char *to;                                                    /* absolute; made where it is absent */
    unsigned keep;                                                     /* generations that stay, this one too; 0: all */
    xt_backup_report report;                                           /* what is wrong and does not end it */
    int (*progress)(void *context, uint64_t n_done, uint64_t n_total); /* bytes; non-zero ends it; may be NULL */
    void *context;
} xt_backup_wish;

typedef struct xt_backup_result {
    char generation[XT_BACKUP_NAME_BYTES + 1];
    uint64_t n_events, n_pending, n_segments, ledger_id; /* in it; pending: of the events, not sealed */
    uint64_t n_files, n_bytes;                           /* it is made of */
    uint64_t n_copied, bytes_copied;                     /* were not there before */
    uint64_t n_pruned;                                   /* generations */
    uint64_t n_problems;                                 /* reported */
} xt_backup_result;

XT_MUST_USE int xt_backup_take(const xt_backup_source *source, const xt_backup_wish *wish, xt_backup_result *ret,
                               xt_problem *reterr_problem);
XT_MUST_USE int xt_app_backup(xt_app *app, const xt_backup_wish *wish, xt_backup_result *ret,
                              xt_problem *reterr_problem);
/* What a folder's outcome is here. */
int xt_backup_outcome(int r);

/*
 * server/backup_check - whether a backup is whole
 *
 * Shape:     every file against the SHA-256 in the manifest; the manifest against its own; the frozen records against each
 *            other (store/store_verify.h); the segments against the ledger; the signed head against the ledger. A file that
 *            several generations share is read once, and reported for each.
 * Errors:    as xt_backup_take; what is wrong with the backup is reported and is no error. XT_APP_E_NOT_FOUND: there is no
 *            such generation.
 * Threads:   any; beside others that read the folder.
 */
#pragma once
#include "server/backup.h"

typedef struct xt_backup_checked {
    uint64_t n_generations, n_bad; /* bad: something of it was reported */
    uint64_t n_files, n_bytes;     /* read */
    uint64_t n_problems;
} xt_backup_checked;

/* generation NULL: all of them. */
XT_MUST_USE int xt_backup_check(const xt_vfs *vfs, const char *place, const char *generation, xt_backup_report report,
                                int (*progress)(void *context, uint64_t n_done, uint64_t n_total), void *context,
                                xt_backup_checked *ret, xt_problem *reterr_problem);

/*
 * server/backup_other_files - what a data folder has besides databases and segments, into a backup
 *
 * Shape:     every file but those that mean something to a running server alone (lock, reserve, server.json, control.sock)
 *            or are not done yet (*.new, *.tmp). So keys, certificates, the admin token, and rules that are kept there.
 * Errors:    <0 errno with a problem; what cannot be read or is no file is reported.
 */
#pragma once
#include "server/backup.h"

typedef struct xt_backup_others {
    const xt_backup_source *source;
    xt_backup_files *files;
    xt_backup_manifest *manifest;
    xt_backup_report report;
    void *context;
} xt_backup_others;

XT_MUST_USE int xt_backup_others_put(xt_backup_others *others, xt_problem *reterr_problem);

/*
 * server/backup_place - where backups go to, or one is restored to
 *
 * Errors:    XT_APP_E_INVALID with a problem; <0 errno with a problem.
 */
#pragma once
#include "base/problem.h"
#include "io/vfs.h"

/* The folder's one true path (to be freed), there or not yet; refused where it is the other one or below it. */
XT_MUST_USE int xt_backup_place(const char *path, const char *other, char **ret, xt_problem *reterr_problem);
/* Makes the name of such a path durable: syncs the folder that it stands in. */
XT_MUST_USE int xt_backup_place_sync(const xt_vfs *vfs, const char *path);

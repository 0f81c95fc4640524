/*
 * server/backup_rows - state.db's list of backups, held against the folder that they are in
 *
 * Errors:    <0 errno with a problem; >0 XT_BACKUP_FOLDER_E_*.
 */
#pragma once
#include "server/backup_folder.h"
#include "server/backup_table.h"

/* Of the rows of that folder just those of its generations stay; what is missing is added. */
XT_MUST_USE int xt_backup_rows_settle(xt_state *state, const xt_backup_folder *folder, xt_problem *reterr_problem);

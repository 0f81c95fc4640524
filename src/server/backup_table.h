/*
 * server/backup_table - state.db's list of the backups that were taken from this data folder
 *
 * Shape:     a row a generation; it goes when the generation is pruned. A backup that somebody copied, moved or deleted
 *            with other tools is not followed: the list says what was made, and where.
 * Errors:    <0 errno with a problem.
 * Threads:   any.
 */
#pragma once
#include "server/state_db.h"

typedef struct xt_backup_row {
    int64_t id;
    int64_t at_us;       /* the moment it shows, unix microseconds */
    xt_slice place;      /* the folder it was written to, absolute */
    xt_slice generation; /* its name there */
    uint64_t ledger_id;  /* of the last row of the ledger that is in it; 0: none */
} xt_backup_row;

/* Adds the row (id is given by the table); one of the same place and generation is replaced. */
XT_MUST_USE int xt_backup_table_add(xt_state *state, const xt_backup_row *row, xt_problem *reterr_problem);
/* Not being there is no error. */
XT_MUST_USE int xt_backup_table_remove(xt_state *state, xt_slice place, xt_slice generation,
                                       xt_problem *reterr_problem);
/* The oldest first. The lock is held and the row valid during the call; fn's non-zero ends it and is returned. */
XT_MUST_USE int xt_backup_table_each(xt_state *state, int (*fn)(void *context, const xt_backup_row *row), void *context,
                                     xt_problem *reterr_problem);

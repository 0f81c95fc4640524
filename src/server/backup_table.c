/* One table, one statement a function. */
#include "server/backup_table.h"

int xt_backup_table_add(xt_state *state, const xt_backup_row *row, xt_problem *reterr_problem)
{
    return xt_error_trace(xt_state_run(
        state, reterr_problem, NULL, "INSERT OR REPLACE INTO backup(at, place, generation, ledger_id) VALUES(?,?,?,?)",
        "issi", row->at_us, row->place, row->generation, (int64_t)row->ledger_id));
}

int xt_backup_table_remove(xt_state *state, xt_slice place, xt_slice generation, xt_problem *reterr_problem)
{
    return xt_error_trace(xt_state_run(
        state, reterr_problem, NULL, "DELETE FROM backup WHERE place = ? AND generation = ?", "ss", place, generation));
}

static int each(xt_state *state, int (*fn)(void *context, const xt_backup_row *row), void *context,
                xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;
    int more, r = xt_state_select(state, reterr_problem, &stmt,
                                  "SELECT id, at, place, generation, ledger_id FROM backup ORDER BY at, id", "");

    if (r < 0)
        return xt_error_trace(r);
    while ((more = xt_state_next(state, stmt, reterr_problem)) == 1) {
        r = fn(context, &(xt_backup_row){.id = sqlite3_column_int64(stmt, 0),
                                         .at_us = sqlite3_column_int64(stmt, 1),
                                         .place = xt_sqlite_slice(stmt, 2),
                                         .generation = xt_sqlite_slice(stmt, 3),
                                         .ledger_id = (uint64_t)sqlite3_column_int64(stmt, 4)});
        if (r)
            return r;
    }
    return xt_error_trace(more);
}

int xt_backup_table_each(xt_state *state, int (*fn)(void *context, const xt_backup_row *row), void *context,
                         xt_problem *reterr_problem)
{
    xt_state_lock(state);
    int r = each(state, fn, context, reterr_problem);
    xt_state_unlock(state);
    return r;
}

/*
 * store/pending_private - what the parts of pending.db share
 */
#pragma once
#include "store/pending.h"

/* Those that are prepared at open; pending.c has their text. */
enum {
    XT_PENDING_PUT_ROW,
    XT_PENDING_PUT_STREAM,
    XT_PENDING_PUT_WATERMARK,
    XT_PENDING_PUT_LEDGER,
    XT_PENDING_PUT_SEGMENT,
    XT_PENDING_DELETE_SEGMENT,
    XT_PENDING_PUT_HOLD,
    XT_PENDING_DELETE_HOLD,
    XT_PENDING_PUT_MARK,
    XT_PENDING_SET_ASIDE,
    XT_PENDING_DELETE_ROWS,
    XT_PENDING_N_STATEMENTS
};

typedef struct xt_pending_state {
    xt_pending_marks marks;
    xt_ledger_head head;
} xt_pending_state;

struct xt_pending {
    sqlite3 *db;
    sqlite3_stmt *stmts[XT_PENDING_N_STATEMENTS];
    xt_pending_state now, before; /* before: when the transaction began */
};

/* Parameters and columns of a statement. A column of another length is all zero. */
void xt_pending_bind_hash(sqlite3_stmt *stmt, int i, const xt_hash128 *hash);
void xt_pending_bind_u64(sqlite3_stmt *stmt, int i, uint64_t v);
uint64_t xt_pending_column_u64(sqlite3_stmt *stmt, int i);
xt_hash128 xt_pending_column_hash(sqlite3_stmt *stmt, int i);
xt_digest xt_pending_column_digest(sqlite3_stmt *stmt, int i);

/* Runs a statement that gives no rows; its parameters are cleared. */
XT_MUST_USE int xt_pending_run(xt_pending *pending, int which, const char *doing, xt_problem *reterr_problem);

typedef int (*xt_pending_row_fn)(void *context, sqlite3_stmt *stmt);

/* Calls fn for every row of a query; bound (may be NULL) is its parameter 1. What fn returns but 0 ends it. */
XT_MUST_USE int xt_pending_select(xt_pending *pending, const char *sql, const int64_t *bound, xt_pending_row_fn fn,
                                  void *context, xt_problem *reterr_problem);

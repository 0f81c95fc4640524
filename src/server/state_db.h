/*
 * server/state_db - state.db: all that changes and is not an event
 *
 * Shape:     one SQLite connection behind one lock: hosts, tokens, users, logins, sessions, alerts, outbox, backups. Whoever runs
 *            a statement holds the lock; what is read is copied out before the lock goes, so that a slow reader of
 *            an answer never holds up the writer.
 * Values:    `types` says what follows, a letter a parameter:  i int64_t   s xt_slice text   b xt_slice blob   z const char *
 * Errors:    <0 errno with a problem (io/sqlite).
 * Threads:   any; the lock may be taken again by the thread that has it.
 */
#pragma once
#include "io/sqlite/sqlite_db.h"

typedef struct xt_state xt_state;

XT_MUST_USE int xt_state_open(const char *path, xt_state **ret, xt_problem *reterr_problem);
xt_state *xt_state_close(xt_state *state); /* accepts NULL, returns NULL */

void xt_state_lock(xt_state *state);
void xt_state_unlock(xt_state *state);

/* Takes the lock and begins; end commits when r is 0, else rolls back, gives the lock back and returns r or the commit's error. */
XT_MUST_USE int xt_state_begin(xt_state *state, xt_problem *reterr_problem);
XT_MUST_USE int xt_state_end(xt_state *state, int r, xt_problem *reterr_problem);

/* A statement without rows; *ret_changes (may be NULL): rows it touched. Takes the lock by itself. */
XT_MUST_USE int xt_state_run(xt_state *state, xt_problem *reterr_problem, int64_t *ret_changes, const char *sql,
                             const char *types, ...);
/* The first column of the first row as a number; *ret is untouched when there is no row. Takes the lock by itself. */
XT_MUST_USE int xt_state_number(xt_state *state, xt_problem *reterr_problem, int64_t *ret, const char *sql,
                                const char *types, ...);
/* The first n columns of it as numbers. */
XT_MUST_USE int xt_state_numbers(xt_state *state, xt_problem *reterr_problem, int64_t *ret, int n, const char *sql,
                                 const char *types, ...);
/* A statement with rows, for callers that hold the lock. Parameters are borrowed until it is finished. */
XT_MUST_USE int xt_state_select(xt_state *state, xt_problem *reterr_problem, sqlite3_stmt **ret, const char *sql,
                                const char *types, ...);
/* 1: a row is there; 0: no more; <0 errno. */
XT_MUST_USE int xt_state_next(xt_state *state, sqlite3_stmt *stmt, xt_problem *reterr_problem);
void xt_state_finish(sqlite3_stmt **stmt); /* for XT_CLEANUP */
/* As xt_sqlite_scrub. */
XT_MUST_USE int xt_state_scrub(xt_state *state, xt_problem *reterr_problem);
int64_t xt_state_last_id(xt_state *state);
/* Column i as text, cut to what fits, NUL-ended. */
void xt_state_text(sqlite3_stmt *stmt, int i, char *ret, size_t n);

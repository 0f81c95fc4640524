/*
 * server/host_rows - hosts and the gaps in their coverage as rows of state.db
 *
 * Errors:    <0 errno with a problem.
 * Threads:   any.
 */
#pragma once
#include "server/app.h"
#include "server/state_db.h"

/* In the order of their enrolment; each's non-zero ends it. key: hex digest of the host's public key, may be empty. */
XT_MUST_USE int xt_host_rows_load(xt_state *state, int (*each)(void *context, const xt_host *host, const char *key),
                                  void *context, xt_problem *reterr_problem);
XT_MUST_USE int xt_host_row_save(xt_state *state, const xt_host *host, const char *key, xt_problem *reterr_problem);
/*
 * A gap that counts, close behind one of its kind, is added to it: a loss every five seconds is a row an hour. So is one of any kind
 * that joins, and with it what lies between them: a gap may get longer, never shorter.
 */
XT_MUST_USE int xt_host_gap_save(xt_state *state, const char *host_id, const xt_gap *gap, bool joins,
                                 xt_problem *reterr_problem);
/* Those that are in [from_ms, to_ms) with a part, by their ends. */
XT_MUST_USE int xt_host_gaps_load(xt_state *state, const char *host_id, int64_t from_ms, int64_t to_ms,
                                  int (*each)(void *context, const xt_gap *gap), void *context,
                                  xt_problem *reterr_problem);
/* Those of long ago go. */
XT_MUST_USE int xt_host_gaps_prune(xt_state *state, int64_t now_ms, xt_problem *reterr_problem);

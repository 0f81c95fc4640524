/*
 * server/forward_rows - forwards as rows of state.db
 *
 * Errors:    <0 errno with a problem.
 */
#pragma once
#include "server/forward.h"
#include "server/state_db.h"

XT_MUST_USE int xt_forward_rows_each(xt_state *state,
                                     int (*each)(void *context, const xt_forward_spec *spec,
                                                 const xt_forward_state *at),
                                     void *context, xt_problem *reterr_problem);
XT_MUST_USE int xt_forward_row_put(xt_state *state, const xt_forward_spec *spec, int64_t made_ms,
                                   xt_problem *reterr_problem);
XT_MUST_USE int xt_forward_row_save(xt_state *state, const char *name, const xt_forward_state *at,
                                    xt_problem *reterr_problem);
XT_MUST_USE int xt_forward_row_remove(xt_state *state, const char *name, xt_problem *reterr_problem);

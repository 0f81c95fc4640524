/*
 * server/ledger_head - the ledger's head, signed with the data folder's key
 *
 * Errors:    <0 errno with a problem.
 * Threads:   any.
 */
#pragma once
#include "store/store.h"

/* One JSON object; xt_app_ledger_head_read reads it. data: the folder that has the key, which is made where it is absent. */
XT_MUST_USE int xt_ledger_head_sign(const char *data, int64_t at_ms, const xt_ledger_check *check, xt_buf *out,
                                    xt_problem *reterr_problem);

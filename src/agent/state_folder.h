/*
 * agent/state_folder - STATE: root's part and the shipper's
 *
 * Shape:     STATE belongs to who runs the agent: status, audit-before, lock. STATE/shipper (0700) belongs to the shipper's
 *            user: identity and spool. The unprivileged process can write nothing that root reads.
 * Errors:    <0 errno with a problem; a lock that another agent holds is waited for.
 */
#pragma once
#include "agent/privilege.h"

#define XT_STATE_LOCK_WAIT_MS 10000

/* *ret_folder: descriptor of STATE/shipper. *ret_lock: held until it is closed in all processes. */
XT_MUST_USE int xt_state_folder_open(const char *path, const xt_privilege_user *user, int *ret_folder, int *ret_lock,
                                     xt_problem *reterr_problem);

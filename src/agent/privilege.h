/*
 * agent/privilege - what a process gives up for good
 *
 * Shape:     users and groups of an unprivileged user, no capability, no_new_privs.
 * Source:    capabilities(7), prctl(2).
 */
#pragma once
#include <sys/types.h>

#include "base/problem.h"

typedef struct xt_privilege_user {
    uid_t uid;
    gid_t gid;
} xt_privilege_user;

/* The user of that name; NULL: exectrail when there is one, else nobody. */
XT_MUST_USE int xt_privilege_user_find(const char *name, xt_privilege_user *ret, xt_problem *reterr_problem);
/*
 * Root's user stays, for STATE is root's; of the capabilities those that watching takes: AUDIT_CONTROL (rules, switch),
 * AUDIT_READ (listening beside an owner), AUDIT_WRITE, NET_ADMIN (buffers beyond the limit, the process connector), SYS_PTRACE
 * (/proc/PID/exe of any process), DAC_READ_SEARCH (files of any user). Those that are not there are not asked for.
 */
XT_MUST_USE int xt_privilege_keep(void);
/*
 * The unprivileged user, who may read all files (DAC_READ_SEARCH) and what processes execute (SYS_PTRACE), and write none. Without root's
 * rights the user stays as it is.
 */
XT_MUST_USE int xt_privilege_read(const xt_privilege_user *user);
/* Without root's rights the user stays as it is; the rest is done. */
XT_MUST_USE int xt_privilege_drop(const xt_privilege_user *user);

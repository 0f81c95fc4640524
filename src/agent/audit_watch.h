/*
 * agent/audit_watch - taking the kernel's audit, and giving it back as it was
 *
 * Shape:     open decides the mode and changes what that mode needs: rules, backlog, switch, ownership. What it changed
 *            is in STATE/audit-before (and STATE/audit-rules, its rules) first, so that a start after a kill knows what to
 *            give back.
 * Errors:    XT_WATCH_E_REFUSED with a problem: the kernel gives no audit here, or not in the mode asked for.
 * Threads:   one at a time; the socket of the records may be read by another thread.
 */
#pragma once
#include <sys/types.h>

#include "agent/agent_settings.h"
#include "agent/rule_book.h"
#include "audit/netlink.h"

enum {
    XT_WATCH_E_REFUSED = 1,
};

typedef enum xt_watch_mode {
    XT_WATCH_OWNER,
    XT_WATCH_MULTICAST,
    XT_WATCH_PLUGIN,
    XT_WATCH_TEXT,
    XT_WATCH_AF_UNIX,
    XT_WATCH_FOLLOW,
} xt_watch_mode;

/* What others may change under us. */
typedef enum xt_watch_drift {
    XT_WATCH_SWITCH,  /* enabled is 0 */
    XT_WATCH_SOCKET,  /* the records go to another process, or to none */
    XT_WATCH_RULES,   /* rules that are wanted are not loaded */
    XT_WATCH_BACKLOG, /* limit and wait */
    XT_WATCH_DRIFTS,
} xt_watch_drift;

/* What was there before us; kept in STATE/audit-before while we watch. */
typedef struct xt_watch_before {
    uint32_t enabled, backlog_limit, backlog_wait_time, failure;
} xt_watch_before;

typedef struct xt_watch {
    const xt_agent_settings *settings;
    xt_watch_mode mode;
    xt_netlink *control, *records; /* records: NULL when they come as text */
    xt_rule_book book;             /* the rules that are wanted */
    bool paused;                   /* the exec rules are not among them */
    xt_watch_before before;
    xt_protect_limits limits; /* what `protect` wants on this host */
    bool changed;             /* there is something to give back */
    bool owned;               /* the socket too */
    bool adopted;             /* and an agent before this one told the kernel so */
    pid_t owner;              /* what the kernel's status calls the owner while it is us; 0: it is not */
    xt_audit_status status;   /* as last read */
    xt_buf blind;             /* rules that hide execs, one a line */
    char rules_hash[33];
} xt_watch;

/* Can the kernel be asked at all? Nothing is changed. */
XT_MUST_USE int xt_watch_probe(xt_problem *reterr_problem);
/*
 * Loads the exec rules; optional rules that an agent before this one left stay, until a change says what is wanted.
 * adopt_fd: the audit socket of an agent before this one, which adopt_owner told the kernel of, or -1. It is taken as the own one
 * when the kernel still says so; watch->adopted tells.
 */
XT_MUST_USE int xt_watch_open(const xt_agent_settings *settings, int adopt_fd, pid_t adopt_owner, xt_watch *ret,
                              xt_problem *reterr_problem);
/* Whether the kernel's status, as last read, says that the records come here. */
bool xt_watch_is_owner(const xt_watch *watch);
/*
 * Other optional rules from now on; without_exec: not the exec rules either (a pause). strict: when the kernel refuses one,
 * everything is as it was, and the problem names it; else it is left out. Rules for what is not there are left out in any case.
 */
XT_MUST_USE int xt_watch_change(xt_watch *watch, const xt_rule_book *groups, bool without_exec, bool strict,
                                xt_problem *reterr_problem);
/* True while a change has taken the exec rules away. */
static inline bool xt_watch_is_paused(const xt_watch *watch)
{
    return watch->paused;
}
/* Gives back everything; records may still be read from the socket until close. Says what failed in the log. */
void xt_watch_restore(xt_watch *watch);
void xt_watch_close(xt_watch *watch);
/* Reads status again. */
XT_MUST_USE int xt_watch_status(xt_watch *watch, xt_problem *reterr_problem);
/* Reads the rules again: what of the book is loaded, blind, rules_hash. */
XT_MUST_USE int xt_watch_rules(xt_watch *watch, xt_problem *reterr_problem);

/* By what was read last. Nothing has, where nothing was changed: the settings are locked, or another owner's. */
bool xt_watch_has_drifted(const xt_watch *watch, xt_watch_drift what);
/* Says what it is like, for an event. */
void xt_watch_drift_put(const xt_watch *watch, xt_watch_drift what, xt_buf *out);
/* Sets it back. Read status and rules again afterwards. */
XT_MUST_USE int xt_watch_repair(xt_watch *watch, xt_watch_drift what, xt_problem *reterr_problem);

const char *xt_watch_mode_name(xt_watch_mode mode);
/* auditd stands between the kernel and us. */
static inline bool xt_watch_is_behind_auditd(xt_watch_mode mode)
{
    return mode == XT_WATCH_PLUGIN || mode == XT_WATCH_AF_UNIX || mode == XT_WATCH_FOLLOW;
}
const char *xt_watch_completeness(xt_watch_mode mode);

/*
 * server/policies - what the hosts of each group are to do: versions, roll-outs in waves, pauses, and the signed orders that say so
 *
 * Shape:     a policy belongs to a group of hosts, or to XT_POLICY_ALL_HOSTS: those whose group has none. Its versions never change. A
 *            roll-out gives one version to more and more hosts, by a hash of their ids, and halts by itself when it harms them
 *            (server/wave_judge.h). An order (wire/policy_order.h) is all that one host is to do; it is made when that
 *            differs from its last one.
 * Errors:    <0 errno; XT_APP_E_* with a problem.
 * Threads:   any.
 */
#pragma once
#include "server/app.h"
#include "server/hosts.h"
#include "server/pki.h"
#include "server/state_db.h"

#define XT_POLICY_ALL_HOSTS "all"
#define XT_ROLLOUT_WAVES    "1,10,50,100"
#define XT_ROLLOUT_SOAK_MS  INT64_C(600000)

typedef struct xt_policies xt_policies;
XT_MUST_USE int xt_policies_new(xt_state *state, const xt_clock *clock, xt_pki *pki, xt_hosts *hosts, xt_notes *notes,
                                xt_policies **ret);
xt_policies *xt_policies_free(xt_policies *policies);

/* Grows when an order may have changed. */
uint64_t xt_policies_generation(xt_policies *policies);
/*
 * The POLICY message for a host, unless it is the order *serial; *serial is its number then. The same order comes again when another CA
 * signs now. 1: out holds it; 0: nothing to send.
 */
XT_MUST_USE int xt_policies_order(xt_policies *policies, xt_slice host_id, uint64_t *serial, xt_buf *out,
                                  xt_problem *reterr_problem);
/* What a host said of its order: kept in memory, the last of each host, until keep writes all of it down in one go. */
XT_MUST_USE int xt_policies_stated(xt_policies *policies, xt_slice host_id, const xt_policy_state *state);
XT_MUST_USE int xt_policies_keep(xt_policies *policies, xt_problem *reterr_problem);
/* Every few seconds: waves go on, or halt. */
XT_MUST_USE int xt_policies_turn(xt_policies *policies, xt_problem *reterr_problem);

/* ------------------------------------------------------------------------------------- what people do with them */

/* A new version of the group's policy; in force when it is rolled out. */
XT_MUST_USE int xt_app_policy_set(xt_app *app, xt_slice group, xt_slice text, xt_slice who, uint64_t *ret_version,
                                  xt_problem *reterr_problem);
/* version 0: the newest. waves: percent, growing, ending with 100. */
XT_MUST_USE int xt_app_policy_roll_out(xt_app *app, xt_slice group, uint64_t version, xt_slice waves, int64_t soak_ms,
                                       xt_slice who, xt_problem *reterr_problem);
XT_MUST_USE int xt_app_policy_halt(xt_app *app, xt_slice group, xt_slice why, xt_slice who, xt_problem *reterr_problem);
XT_MUST_USE int xt_app_policy_resume(xt_app *app, xt_slice group, xt_slice who, xt_problem *reterr_problem);
/* All hosts have the version before the roll-out again. */
XT_MUST_USE int xt_app_policy_roll_back(xt_app *app, xt_slice group, xt_slice who, xt_problem *reterr_problem);

typedef struct xt_policy_info {
    char group[XT_HOST_GROUP_BYTES], who[64];
    uint64_t version; /* the newest */
    int64_t made_ms;
    char state[16];                    /* draft, rolling, halted, done, back */
    uint64_t rolled_version, previous; /* of the last roll-out; 0: none */
    char waves[64], reason[256];
    unsigned wave, percent; /* from 1 */
    int64_t wave_ms, soak_ms;
    uint64_t n_hosts, n_have, n_applied, n_refused; /* in the group; those that are to have it, said so, refused */
} xt_policy_info;
XT_MUST_USE int xt_app_policies_list(xt_app *app, int (*each)(void *context, const xt_policy_info *info), void *context,
                                     xt_problem *reterr_problem);
typedef struct xt_policy_version {
    uint64_t version;
    int64_t made_ms;
    char who[64];
    xt_slice text;
} xt_policy_version;
/* The newest first; version 0: all. XT_APP_E_NOT_FOUND. */
XT_MUST_USE int xt_app_policy_versions(xt_app *app, xt_slice group, uint64_t version,
                                       int (*each)(void *context, const xt_policy_version *v), void *context,
                                       xt_problem *reterr_problem);

/* what: a host (id or name) or a group; for_ms at most a day; 0: the pause ends. */
XT_MUST_USE int xt_app_pause(xt_app *app, xt_slice what, int64_t for_ms, xt_slice why, xt_slice who,
                             xt_problem *reterr_problem);
typedef struct xt_host_policy {
    char policy[96]; /* "web 3"; empty: none */
    char state[24];  /* sent, in force, pinned, refused */
    char said[256];
    int64_t paused_until_ms;
} xt_host_policy;
/* Of one host; false: it was never sent one. */
bool xt_app_host_policy(xt_app *app, xt_slice host_id, xt_host_policy *ret);

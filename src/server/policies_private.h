/*
 * server/policies_private - what policies.c (orders), policy_rollout.c (waves) and policy_admin.c (people) share
 *
 * Locks:     the state's first; `lock` is for the samples alone, and `stated`, and held during nothing else.
 */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "server/policies.h"
#include "server/wave_judge.h"

struct xt_policies {
    xt_state *state;
    const xt_clock *clock;
    xt_pki *pki;
    xt_hosts *hosts;
    xt_notes *notes;
    atomic_uint_least64_t generation;
    atomic_bool is_used; /* false: nobody ever rolled out or paused anything, and no host needs to be looked up */
    pthread_mutex_t lock;
    xt_map samples; /* host id -> xt_sample, never removed before free */
    xt_map stated;  /* host id -> xt_stated, what hosts said and is not written down yet */
};

typedef struct xt_sample {
    char host[33]; /* the map's key */
    xt_wave_host wave;
    uint64_t serial, group, version; /* of the host's last order: its group's hash; 0: none known */
    uint64_t refused;                /* the serial that it refused, 0: none */
} xt_sample;

/* Of that host; the caller has `lock`. NULL: no memory. */
xt_sample *xt_policies_sample(xt_policies *p, xt_slice host_id);

typedef struct xt_stated {
    char host[33]; /* the map's key */
    uint64_t serial, outcome;
    int64_t at_ms;
    char said[401];
} xt_stated;

typedef struct xt_rollout {
    char group[XT_HOST_GROUP_BYTES], waves[64], state[16], reason[256];
    uint64_t version, previous, bound;
    unsigned wave; /* from 0 */
    int64_t soak_ms, wave_ms;
} xt_rollout;

/* XT_APP_E_NOT_FOUND without a problem: there is none. */
XT_MUST_USE int xt_rollout_load(xt_policies *p, xt_slice group, xt_rollout *ret, xt_problem *problem);
enum {
    XT_ROLLOUT_E_CHANGED = 100, /* somebody did something with it meanwhile */
};
/* Saves it if it is still as it `was` when it was read (version 0: there was none). */
XT_MUST_USE int xt_rollout_swap(xt_policies *p, const xt_rollout *was, const xt_rollout *next, xt_problem *problem);
/* The roll-out that decides for a host of that group: its own, else that of all hosts. */
XT_MUST_USE int xt_rollout_of(xt_policies *p, xt_slice group, xt_rollout *ret, xt_problem *problem);
/* Which version a host is to have; 0: none. */
uint64_t xt_rollout_version(const xt_rollout *r, xt_slice host_id);
/* Percent of its wave, from the list of waves; 100 behind its end. */
unsigned xt_rollout_percent(const xt_rollout *r);
/* Chooses the hosts of the wave. */
XT_MUST_USE int xt_rollout_choose(xt_policies *p, xt_rollout *r, xt_problem *problem);
/* True when the roll-out of `group` decides for a host of host_group. */
XT_MUST_USE int xt_rollout_decides(xt_policies *p, const xt_rollout *r, const char *host_group, bool *ret,
                                   xt_problem *problem);
void xt_policies_changed(xt_policies *p);
void xt_policies_note(xt_policies *p, const char *action, xt_slice who, const char *message);

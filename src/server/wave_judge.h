/*
 * server/wave_judge - whether a policy harms the hosts that have it, from their heartbeats
 *
 * Shape:     what a host lost and what its agent cost is counted in two spans: before it had the policy, and since. Sums over the hosts of the
 *            waves are held against the same hosts before and against those that do not have it yet.
 * Units:     times in ms of the server; cpu in us of the agent's processes.
 * Errors:    none.
 * Threads:   one at a time; values.
 */
#pragma once
#include "base/slice.h"

enum {
    XT_WAVE_SILENT_MS = 30000, /* six heartbeats: a host is silent */
    XT_WAVE_MIN_MS = 20000,    /* of hosts together, before a sum means something */
    XT_WAVE_MIN_LOST = 10,     /* records */
};

typedef struct xt_wave_span {
    uint64_t lost, cpu_us;
    int64_t ms;
} xt_wave_span;

typedef struct xt_wave_host {
    bool is_known, has_policy;
    uint64_t lost, cpu_us; /* as last seen; counters that may begin anew */
    int64_t at_ms;
    xt_wave_span before, since; /* since: the policy, or without it since the wave began */
    bool was_silent, is_silent, is_refused;
} xt_wave_host;

/* What heartbeats say of it now; seen_ms: when the last one came. The span before forgets: it is of the last half hour or so. */
void xt_wave_host_take(xt_wave_host *host, uint64_t lost, uint64_t cpu_us, int64_t seen_ms, int64_t now_ms);
/* It has the policy from now on (or, taken back, no more). */
void xt_wave_host_give(xt_wave_host *host, bool has_policy);
/* A wave begins: what comes of hosts without the policy is counted apart from what was. */
void xt_wave_host_mark(xt_wave_host *host);

typedef struct xt_wave_side {
    uint64_t n_hosts, n_silent, n_refused; /* silent now and not when the span began */
    xt_wave_span before, since;
} xt_wave_side;

void xt_wave_side_add(xt_wave_side *side, const xt_wave_host *host);

typedef enum xt_wave_verdict {
    XT_WAVE_GOOD,
    XT_WAVE_LOSES, /* more than twice the records an hour that are lost before or elsewhere */
    XT_WAVE_COSTS, /* more than half as much CPU again as is explained by before and elsewhere, and half a percent of a core */
    XT_WAVE_SILENCES, /* a share of hosts that is more than 5 percent, and twice that of the others, fell silent */
    XT_WAVE_REFUSED,  /* more than 5 percent of the hosts refuse it */
} xt_wave_verdict;

/* with: the hosts that have the policy; without: those that do not. reason: a sentence, where it is not good. */
xt_wave_verdict xt_wave_judge(const xt_wave_side *with, const xt_wave_side *without, char reason[static 256]);

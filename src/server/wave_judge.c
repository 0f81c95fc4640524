#include "server/wave_judge.h"

#include <stdio.h>

#define FORGET_MS       900000 /* a span of twice that is halved */
#define LOSS_FACTOR     2.0
#define CPU_FACTOR      1.5
#define CPU_LEAST       0.005 /* of a core */
#define SHARE_LEAST     0.05
#define SHARE_FACTOR    2.0
#define MAX_DISTANCE_MS 120000 /* between two heartbeats that are held against each other */

static uint64_t more(uint64_t before, uint64_t now)
{
    return now >= before ? now - before : now;
}

static void span_add(xt_wave_span *to, const xt_wave_span *span)
{
    to->lost += span->lost;
    to->cpu_us += span->cpu_us;
    to->ms += span->ms;
}

static void forget(xt_wave_span *span)
{
    if (span->ms < 2 * FORGET_MS)
        return;
    span->lost /= 2;
    span->cpu_us /= 2;
    span->ms /= 2;
}

void xt_wave_host_take(xt_wave_host *host, uint64_t lost, uint64_t cpu_us, int64_t seen_ms, int64_t now_ms)
{
    host->is_silent = now_ms - seen_ms > XT_WAVE_SILENT_MS;
    int64_t ms = seen_ms - host->at_ms;
    if (host->is_known && ms <= 0)
        return;
    if (host->is_known && ms <= MAX_DISTANCE_MS) {
        const xt_wave_span now = {more(host->lost, lost), more(host->cpu_us, cpu_us), ms};
        span_add(&host->since, &now);
        if (!host->has_policy)
            span_add(&host->before, &now);
        forget(&host->before);
    }
    host->is_known = true;
    host->lost = lost;
    host->cpu_us = cpu_us;
    host->at_ms = seen_ms;
}

void xt_wave_host_give(xt_wave_host *host, bool has_policy)
{
    if (host->has_policy == has_policy)
        return;
    host->has_policy = has_policy;
    if (!has_policy && host->since.ms > 0)
        host->before = host->since; /* of the version before the next one */
    host->since = (xt_wave_span){0};
    host->was_silent = host->is_silent;
    host->is_refused = false;
}

void xt_wave_host_mark(xt_wave_host *host)
{
    if (host->has_policy)
        return;
    host->was_silent = host->is_silent;
    host->since = (xt_wave_span){0};
}

void xt_wave_side_add(xt_wave_side *side, const xt_wave_host *host)
{
    side->n_hosts++;
    side->n_silent += host->is_silent && !host->was_silent;
    side->n_refused += host->is_refused;
    span_add(&side->before, &host->before);
    span_add(&side->since, &host->since);
}

static double loss_of(const xt_wave_span *span) /* records an hour and host */
{
    return span->ms > 0 ? (double)span->lost * 3600000.0 / (double)span->ms : 0;
}

static double cpu_of(const xt_wave_span *span) /* of a core */
{
    return span->ms > 0 ? (double)span->cpu_us / 1000.0 / (double)span->ms : 0;
}

static double share(uint64_t n, uint64_t of)
{
    return of ? (double)n / (double)of : 0;
}

static double max(double a, double b)
{
    return a > b ? a : b;
}

/* What the policy is held against: the same hosts before, and in the same time those that do not have it. */
xt_wave_verdict xt_wave_judge(const xt_wave_side *with, const xt_wave_side *without, char reason[static 256])
{
    double silent = share(with->n_silent, with->n_hosts), others_silent = share(without->n_silent, without->n_hosts);
    double refused = share(with->n_refused, with->n_hosts);
    reason[0] = '\0';
    if (refused > SHARE_LEAST) {
        snprintf(reason, 256, "%llu of %llu hosts refuse it", (unsigned long long)with->n_refused,
                 (unsigned long long)with->n_hosts);
        return XT_WAVE_REFUSED;
    }
    if (silent > SHARE_LEAST && silent > SHARE_FACTOR * others_silent) {
        snprintf(reason, 256, "%llu of %llu hosts that have it fell silent, of the others %llu of %llu",
                 (unsigned long long)with->n_silent, (unsigned long long)with->n_hosts,
                 (unsigned long long)without->n_silent, (unsigned long long)without->n_hosts);
        return XT_WAVE_SILENCES;
    }
    if (with->since.ms < XT_WAVE_MIN_MS)
        return XT_WAVE_GOOD;
    double lost = loss_of(&with->since), usual = max(loss_of(&with->before), loss_of(&without->since));
    if (with->since.lost >= XT_WAVE_MIN_LOST && lost > LOSS_FACTOR * usual) {
        snprintf(reason, 256, "hosts that have it lose %.0f records an hour each, before or without it %.0f", lost,
                 usual);
        return XT_WAVE_LOSES;
    }
    double cpu = cpu_of(&with->since), before = max(cpu_of(&with->before), cpu_of(&without->since));
    if (with->before.ms + without->since.ms >= XT_WAVE_MIN_MS && cpu > CPU_FACTOR * before + CPU_LEAST) {
        snprintf(reason, 256, "agents that have it take %.2f %% of a core, before or without it %.2f %%", cpu * 100,
                 before * 100);
        return XT_WAVE_COSTS;
    }
    return XT_WAVE_GOOD;
}

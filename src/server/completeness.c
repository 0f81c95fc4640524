/*
 * What hosts' coverage and the gaps in it say of a time. Heartbeats are written with some delay: so all is written down first,
 * and then read from one place.
 */
#include <errno.h>

#include "server/app_parts.h"
#include "server/host_rows.h"
#include "server/secret.h"

typedef struct asking {
    xt_app *app;
    const xt_completeness_wish *wish;
    const xt_completeness_calls *calls;
    xt_problem *problem;
    int64_t now_ms;
    bool any;
    xt_completeness of; /* of the host that is looked at */
} asking;

static bool is_meant(const xt_host *host, xt_slice wish)
{
    if (wish.n)
        return xt_slice_eq(xt_slice_str(host->id), wish) ||
               (!host->revoked && xt_slice_eq(xt_slice_str(host->name), wish));
    return !host->revoked;
}

static int take_gap(void *context, const xt_gap *gap)
{
    asking *a = context;
    xt_completeness *of = &a->of;
    unsigned kind = (unsigned)gap->kind < XT_GAP_KINDS ? (unsigned)gap->kind : 0;
    int64_t from_ms = gap->from_ms > of->from_ms ? gap->from_ms : of->from_ms;
    int64_t to_ms = gap->to_ms < of->to_ms ? gap->to_ms : of->to_ms;

    if (!xt_gap_counts(gap->kind) && from_ms >= to_ms)
        return 0; /* it ends where the time begins */
    of->n[kind] += gap->n;
    of->n_gaps[kind]++;
    of->ms[kind] += xt_gap_counts(gap->kind) || to_ms < from_ms ? 0 : to_ms - from_ms;
    of->complete = false;
    return a->calls->gap ? a->calls->gap(a->calls->context, gap) : 0;
}

static int look_at(void *context, const xt_host *host)
{
    asking *a = context;
    const xt_coverage *c = &host->coverage;
    xt_gap ends[XT_GAPS_AT_ONCE];

    if (host->imported || !is_meant(host, a->wish->host))
        return 0;
    a->any = true;
    a->of = (xt_completeness){.from_ms = a->wish->from_ms,
                              .to_ms = a->wish->to_ms < a->now_ms ? a->wish->to_ms : a->now_ms,
                              .first_ms = c->first_ms,
                              .settled_ms = c->settled_ms,
                              .complete = c->first_ms != 0};
    xt_text_copy(a->of.id, sizeof a->of.id, xt_slice_str(host->id));
    xt_text_copy(a->of.name, sizeof a->of.name, xt_slice_str(host->name));
    if (a->wish->since_first && c->first_ms > a->of.from_ms)
        a->of.from_ms = c->first_ms < a->of.to_ms ? c->first_ms : a->of.to_ms;
    int64_t slack_ms = a->now_ms - a->of.to_ms < XT_COVERAGE_TAIL_MS ? XT_COVERAGE_TAIL_MS : 0;
    a->of.waiting = c->first_ms && c->settled_ms < a->of.to_ms - slack_ms;
    a->of.complete &= !a->of.waiting;
    int r = xt_host_gaps_load(a->app->state, host->id, a->of.from_ms, a->of.to_ms, take_gap, a, a->problem);
    unsigned n = xt_coverage_ends(c, a->of.from_ms, a->of.to_ms, a->now_ms, ends);
    for (unsigned i = 0; r == 0 && i < n; i++)
        r = take_gap(a, &ends[i]);
    return r ? r : a->calls->host(a->calls->context, &a->of);
}

int xt_app_completeness(xt_app *app, const xt_completeness_wish *wish, const xt_completeness_calls *calls,
                        xt_problem *reterr_problem)
{
    asking a = {.app = app, .wish = wish, .calls = calls, .problem = reterr_problem};

    a.now_ms = xt_clock_wall_ms(app->clock);
    if (wish->from_ms >= wish->to_ms || wish->from_ms >= a.now_ms) {
        xt_problem_set(reterr_problem, "the time begins %s",
                       wish->from_ms >= wish->to_ms ? "when it is over" : "in the future");
        xt_problem_source(reterr_problem, "from");
        return XT_APP_E_INVALID;
    }
    int r = xt_hosts_flush(app->hosts, reterr_problem);
    if (r == 0)
        r = xt_hosts_list(app->hosts, look_at, &a);
    if (r == 0 && wish->host.n && !a.any) {
        xt_problem_set(reterr_problem, "no enrolled host has this id or name");
        xt_problem_excerpt(reterr_problem, wish->host);
        return XT_APP_E_NOT_FOUND;
    }
    return r;
}

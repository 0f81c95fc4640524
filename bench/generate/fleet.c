/*
 * Time goes in steps. In each step every host gets its share of events by the hour and what it is, begins as many trees as
 * that needs (debts are carried on), and plays what is due. So a run of any length covers the same week.
 */
#include "fleet.h"

#include <errno.h>
#include <stdlib.h>

#include "fleet_private.h"

#define SCRATCH_BYTES ((size_t)1 << 20)
#define MINUTE_MS     60000
#define HOUR_MS       3600000
#define STEP_EVENTS   20000 /* about so many a step */
#define MAX_STEP_MS   (10 * MINUTE_MS)
#define DEPLOY_MS     (4 * MINUTE_MS)
#define DEPLOY_FACTOR 8
#define ODD_SHARE     40 /* one in so many of the odd trees is played at all */

/* ------------------------------------------------------------------------------------------------ the deck */

/* How often a role runs a tree: the roles do not run the same things. */
static unsigned copies_of(const xt_fleet *f, unsigned role, uint32_t index)
{
    const xt_tree *tree = &f->trees[index];
    uint64_t what = xt_mix((tree->root >= 0 ? (uint64_t)tree->root * 8 : index * UINT64_C(64)) + role);
    if (tree->n_samples == 0 || (tree->is_odd && xt_mix(index) % ODD_SHARE))
        return 0;
    return 1 + (unsigned)(what % 3);
}

static int make_deck(xt_fleet *f, unsigned role)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->n_trees; i++)
        n += copies_of(f, role, i);
    f->deck[role] = calloc(n + 1, sizeof *f->deck[role]);
    if (!f->deck[role])
        return xt_error_origin(-ENOMEM);
    for (uint32_t i = 0; i < f->n_trees; i++)
        for (unsigned k = copies_of(f, role, i); k > 0; k--)
            f->deck[role][f->n_deck[role]++] = &f->trees[i];
    return 0;
}

/* A script with many trees that are not odd. */
static void choose_deploy(xt_fleet *f, unsigned role)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < f->n_roots; i++) {
        const xt_root *root = &f->roots[i];
        bool fits =
            root->has_session && root->own.n_samples && root->n_trees >= 8 && !f->trees[root->first_tree].is_odd;
        if (fits && (best == UINT32_MAX || xt_mix(i * 8 + role) < xt_mix(best * 8 + role)))
            best = i;
    }
    f->deploys[role] = best;
}

/* ------------------------------------------------------------------------------------------------ rhythm */

static bool is_workday(int64_t since_ms)
{
    return since_ms / XT_FLEET_DAY_MS % 7 < 5;
}

/* The deploys of a role go through its hosts one after the other. */
static bool deploys(const xt_host *host, int64_t since_ms)
{
    int64_t in_day = since_ms % XT_FLEET_DAY_MS, late = (int64_t)(host->index * 37 % 15) * MINUTE_MS;
    int64_t first = 10 * HOUR_MS + (int64_t)host->role * 25 * MINUTE_MS + late;
    int64_t second = 15 * HOUR_MS + (int64_t)host->role * 17 * MINUTE_MS + late;
    return is_workday(since_ms) && host->role != 7 &&
           ((in_day >= first && in_day < first + DEPLOY_MS) || (in_day >= second && in_day < second + DEPLOY_MS));
}

/* Against a quiet night. */
static double rhythm(const xt_host *host, int64_t since_ms)
{
    static const double by_hour[24] = {1.0, 1.0, 1.3, 1.1, 1.0, 1.0, 1.1, 1.4, 2.2, 3.0, 3.4, 3.3,
                                       2.6, 3.1, 3.4, 3.3, 3.0, 2.4, 1.8, 1.5, 1.3, 1.2, 1.1, 1.0};
    double busy = by_hour[since_ms / HOUR_MS % 24];
    if (!is_workday(since_ms))
        busy = 1 + (busy - 1) * 0.2;
    return host->weight * busy * (deploys(host, since_ms) ? DEPLOY_FACTOR : 1);
}

static int64_t step_ms(const xt_fleet *f)
{
    int64_t week_ms = XT_FLEET_DAYS * XT_FLEET_DAY_MS;
    int64_t ms = f->settings.n_events ? STEP_EVENTS * (week_ms / (int64_t)f->settings.n_events + 1) : MAX_STEP_MS;
    ms -= ms % MINUTE_MS;
    return ms < MINUTE_MS ? MINUTE_MS : ms > MAX_STEP_MS ? MAX_STEP_MS : ms;
}

static double weigh_all(const xt_fleet *f)
{
    double total = 0;
    for (int64_t at = 0; at < XT_FLEET_DAYS * XT_FLEET_DAY_MS; at += step_ms(f))
        for (unsigned i = 0; i < XT_FLEET_HOSTS; i++)
            total += rhythm(&f->hosts[i], at);
    return total;
}

/* ------------------------------------------------------------------------------------------------ a step */

static const xt_tree *choose(xt_fleet *f, xt_host *host, int64_t since_ms)
{
    uint32_t deploy = f->deploys[host->role];
    if (deploy != UINT32_MAX && deploys(host, since_ms) && xt_random_below(&host->random, 4)) {
        const xt_root *root = &f->roots[deploy];
        const xt_tree *tree = &f->trees[root->first_tree + xt_random_below(&host->random, root->n_trees)];
        if (tree->n_samples)
            return tree;
    }
    return f->deck[host->role][xt_random_below(&host->random, f->n_deck[host->role])];
}

static int begin_due(xt_fleet *f, xt_host *host, int64_t from_ms, int64_t to_ms)
{
    int64_t since_ms = from_ms - XT_FLEET_START_MS;
    host->owed += (double)f->settings.n_events * rhythm(host, since_ms) / f->total_weight;
    while (host->owed > 0) {
        const xt_tree *tree = choose(f, host, since_ms);
        int64_t at = from_ms + (int64_t)xt_random_below(&host->random, (uint64_t)(to_ms - from_ms));
        if (!tree->has_session) /* cron and timers */
            at = at - at % MINUTE_MS + 1004 + (int64_t)xt_random_below(&host->random, 400);
        if (at < host->boot_ms)
            at = host->boot_ms + 20000;
        host->owed -= tree->n_samples;
        int r = xt_host_begin(host, tree, at);
        if (r < 0)
            return xt_error_trace(r);
    }
    return 0;
}

static int run_host(xt_fleet *f, xt_host *host, int64_t from_ms, int64_t to_ms)
{
    if (host->reboot_ms < to_ms) {
        xt_host_boot(host, f, host->reboot_ms);
        host->reboot_ms = INT64_MAX;
    }
    int r = begin_due(f, host, from_ms, to_ms);
    while (r == 0 && xt_host_next_ms(host) < to_ms && f->truth.n_events < f->settings.n_events)
        r = xt_play_next(f, host);
    return r;
}

int xt_fleet_run(xt_fleet *f)
{
    int64_t step = step_ms(f), now_ms = XT_FLEET_START_MS;
    int r = 0;
    for (; r == 0 && f->truth.n_events < f->settings.n_events; now_ms += step)
        for (unsigned i = 0; r == 0 && i < XT_FLEET_HOSTS; i++)
            r = run_host(f, &f->hosts[i], now_ms, now_ms + step);
    return r;
}

/* ------------------------------------------------------------------------------------------------ making */

static int read_ids(xt_fleet *f, xt_problem *reterr_problem)
{
    xt_slice rest = xt_slice_str(f->settings.hosts), line, name;
    for (unsigned i = 0; i < XT_FLEET_HOSTS; i++) {
        xt_host *host = &f->hosts[i];
        if (!xt_slice_cut(&rest, '\n', &line) || !xt_slice_cut(&line, ' ', &name) || line.n != 32 ||
            !xt_slice_eq(name, xt_slice_str(host->name))) {
            xt_problem_set(reterr_problem, "the list of hosts has no id for %s in line %u", host->name, i + 1);
            return -EINVAL;
        }
        memcpy(host->id, line.p, 32);
    }
    return 0;
}

static int make_hosts(xt_fleet *f, xt_problem *reterr_problem)
{
    f->hosts = calloc(XT_FLEET_HOSTS, sizeof *f->hosts);
    if (!f->hosts)
        return xt_error_origin(-ENOMEM);
    for (unsigned i = 0; i < XT_FLEET_HOSTS; i++) {
        int r = xt_host_init(&f->hosts[i], f, i);
        if (r < 0)
            return xt_error_trace(r);
    }
    return f->settings.hosts ? read_ids(f, reterr_problem) : 0;
}

static int fill(xt_fleet *f, xt_problem *reterr_problem)
{
    static const xt_slice scan[] = {
        {"nmap", 4}, {"-sS", 3}, {"-T4", 3}, {"-p", 2}, {"1-1024", 6}, {"10.20.0.0/22", 12},
    };
    f->scan = xt_capture_command(f->capture, "/usr/bin/nmap", scan, XT_COUNT_OF(scan));
    f->trees = xt_capture_trees(f->capture, &f->n_trees);
    f->roots = xt_capture_roots(f->capture, &f->n_roots);
    f->n_scratch = SCRATCH_BYTES;
    f->scratch = malloc(SCRATCH_BYTES);
    int r = f->scratch ? xt_truth_init(&f->truth, f->capture) : xt_error_origin(-ENOMEM);
    for (unsigned role = 0; role < XT_N_ROLES && r == 0; role++) {
        r = make_deck(f, role);
        choose_deploy(f, role);
        if (r == 0 && f->n_deck[role] == 0) {
            xt_problem_set(reterr_problem, "the captures hold no processes");
            r = -EINVAL;
        }
    }
    if (r == 0)
        r = make_hosts(f, reterr_problem);
    if (r == 0)
        f->total_weight = weigh_all(f);
    f->next_nmap = f->settings.n_events / 50;
    f->next_needle = f->settings.n_events / 5;
    return r;
}

int xt_fleet_new(const xt_fleet_settings *settings, xt_capture *capture, xt_fleet **ret, xt_problem *reterr_problem)
{
    xt_fleet *f = calloc(1, sizeof *f);
    if (!f)
        return xt_error_origin(-ENOMEM);
    f->settings = *settings;
    f->capture = capture;
    int r = fill(f, reterr_problem);
    if (r < 0) {
        xt_fleet_free(f);
        return xt_error_trace(r);
    }
    *ret = f;
    return 0;
}

xt_fleet *xt_fleet_free(xt_fleet *f)
{
    if (!f)
        return NULL;
    for (unsigned i = 0; f->hosts && i < XT_FLEET_HOSTS; i++)
        xt_host_fini(&f->hosts[i]);
    for (unsigned role = 0; role < XT_N_ROLES; role++)
        free(f->deck[role]);
    xt_truth_fini(&f->truth);
    free(f->hosts);
    free(f->scratch);
    free(f);
    return NULL;
}

const char *xt_fleet_host_name(const xt_fleet *f, unsigned host)
{
    return f->hosts[host].name;
}

const char *xt_fleet_host_id(const xt_fleet *f, unsigned host)
{
    return f->hosts[host].id;
}

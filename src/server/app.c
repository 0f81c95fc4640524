/*
 * Parts are opened from the ground up and closed the other way round: store (which takes the folder's lock), keys, state, hosts,
 * rules, outbox, alerts that a kill may have left out, writer, forwards, maintenance, demo. The maintenance thread seals, looks at the rule files,
 * writes the hosts down and repairs alerts: nothing there is urgent, so one thread does it all in turn.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/pipeline.h"
#include "io/vfs.h"
#include "server/alerts.h"
#include "server/app_parts.h"
#include "server/host_rows.h"
#include "server/intake.h"
#include "server/silence.h"

enum {
    KEEPER_MS = 500,
    RULES_EVERY = 4, /* turns of the keeper */
    HOSTS_EVERY = 4,
    PRUNE_EVERY = 7200,       /* an hour */
    REFILL_AT_START = 500000, /* events: of more alerts are looked for while the server answers */
};

/* -------------------------------------------------------------------------------------------- maintenance */

static bool keeper_waits(xt_app *app)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += KEEPER_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&app->keeper_lock);
    while (!app->keeper_stop)
        if (pthread_cond_timedwait(&app->keeper_wake, &app->keeper_lock, &until) == ETIMEDOUT)
            break;
    bool stop = app->keeper_stop;
    pthread_mutex_unlock(&app->keeper_lock);
    return !stop;
}

static void report(int r, const char *doing, const xt_problem *problem, int *last)
{
    if (r && r != *last) /* once, not twice a second */
        xt_log(XT_LOG_ERROR, "%s: %s", doing,
               xt_problem_is_set(problem) ? problem->sentence : strerror(r < 0 ? -r : r));
    *last = r;
}

static int keep_rules(xt_app *app, xt_problem *reterr_problem)
{
    bool loaded = false;
    int r = xt_rules_watch_poll(app->rules, &loaded, reterr_problem);

    if (loaded && r == 0) {
        xt_ruleset *set = xt_app_rules(app);
        xt_ruleset_stats stats = xt_ruleset_stats_get(set);
        xt_log(XT_LOG_INFO, "rules loaded again: %zu in force, %zu refused", stats.n_rules, stats.n_refused);
        xt_ruleset_unref(set);
    }
    return r;
}

static void keep_alerts(xt_app *app, uint64_t turn, int *last)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = 0;

    if (atomic_load(&app->alerts_failed) != atomic_load(&app->alerts_repaired)) {
        pthread_mutex_lock(&app->erase_lock);
        r = xt_alerts_refill(app, UINT64_MAX, NULL, &problem);
        pthread_mutex_unlock(&app->erase_lock);
    }
    if (r == 0)
        r = xt_alerts_settle(app, turn % PRUNE_EVERY == 0, &problem);
    report(r, "alerts", &problem, last);
}

/* Says once that the disk is full, and once that it is not any more. */
static void keep_told(xt_app *app, bool *told)
{
    bool full = xt_store_is_full(app->store);

    if (full && !*told)
        xt_log(
            XT_LOG_ERROR,
            "%s: the disk is full: no event is acknowledged until there is room (agents keep theirs); what is stored "
            "can be asked for",
            app->data);
    if (!full && *told)
        xt_log(XT_LOG_INFO, "%s: there is room on the disk again: events are accepted", app->data);
    *told = full;
}

static int keep_certificate(xt_app *app, xt_problem *reterr_problem)
{
    uint64_t before = atomic_load(&app->pki.generation);
    int r = xt_pki_keep(&app->pki, reterr_problem);

    if (r == 0 && atomic_load(&app->pki.generation) != before)
        xt_app_fleet_changed(app);
    return xt_error_trace(r);
}

static void *keep(void *context)
{
    xt_app *app = context;
    bool told = false;
    xt_silence silence;
    int last_notes = 0, last_pki = 0, last_store = 0, last_care = 0, last_rules = 0, last_hosts = 0, last_alerts = 0,
        last_policies = 0, last_silence = 0;

    xt_silence_init(&silence, xt_clock_wall_ms(app->clock));
    for (uint64_t turn = 1; keeper_waits(app); turn++) {
        xt_problem problem = XT_PROBLEM_INIT;
        report(xt_store_maintain(app->store, &problem), "store", &problem, &last_store);
        problem = XT_PROBLEM_INIT;
        keep_told(app, &told);
        report(xt_silence_look(&silence, app->hosts, app->notes, xt_clock_wall_ms(app->clock)), "silent hosts",
               &problem, &last_silence);
        problem = XT_PROBLEM_INIT;
        report(xt_notes_enter(app->notes, app), "events of the server's own", &problem, &last_notes);
        if (turn % PRUNE_EVERY == 0)
            report(keep_certificate(app, &problem), "the server's certificate", &problem, &last_pki);
        if (turn % PRUNE_EVERY == 0)
            report(xt_host_gaps_prune(app->state, xt_clock_wall_ms(app->clock), &problem), "hosts", &problem,
                   &last_hosts);
        problem = XT_PROBLEM_INIT;
        xt_care_tell_head(app);
        report(xt_care_keep(app, &problem), "retention", &problem, &last_care);
        problem = XT_PROBLEM_INIT;
        if (turn % RULES_EVERY == 0)
            report(keep_rules(app, &problem), "rules", &problem, &last_rules);
        problem = XT_PROBLEM_INIT;
        if (turn % HOSTS_EVERY == 0)
            report(xt_hosts_flush(app->hosts, &problem), "hosts", &problem, &last_hosts);
        report(xt_policies_keep(app->policies, &problem), "policies", &problem, &last_policies);
        if (turn % HOSTS_EVERY == 0)
            report(xt_policies_turn(app->policies, &problem), "policies", &problem, &last_policies);
        if (turn % HOSTS_EVERY == 0)
            keep_alerts(app, turn, &last_alerts);
    }
    xt_silence_fini(&silence);
    return NULL;
}

static void *merge(void *context)
{
    xt_app *app = context;
    int last = 0;

    while (keeper_waits(app)) {
        xt_problem problem = XT_PROBLEM_INIT;
        bool done;
        report(xt_store_merge_due(app->store, &done, &problem), "merging segments", &problem, &last);
    }
    return NULL;
}

static int keeper_start(xt_app *app)
{
    int r = -pthread_create(&app->keeper, NULL, keep, app);

    app->keeper_runs = r == 0;
    if (r == 0)
        r = -pthread_create(&app->merger, NULL, merge, app);
    app->merger_runs = app->keeper_runs && r == 0;
    return xt_error_trace(r);
}

static void keeper_end(xt_app *app)
{
    pthread_mutex_lock(&app->keeper_lock);
    app->keeper_stop = true;
    pthread_cond_broadcast(&app->keeper_wake);
    pthread_mutex_unlock(&app->keeper_lock);
    if (app->store)
        xt_store_merge_stop(app->store);
    if (app->keeper_runs)
        pthread_join(app->keeper, NULL);
    if (app->merger_runs)
        pthread_join(app->merger, NULL);
}

/* ------------------------------------------------------------------------------------------ open and close */

static int make_folder(const char *path, xt_problem *reterr_problem)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    int r = -errno;
    xt_problem_set(reterr_problem, "%s: the data folder cannot be made: %s", path, strerror(-r));
    xt_problem_hint(reterr_problem, "name another one with --data DIR");
    return xt_error_origin(r);
}

static int open_store(xt_app *app, const xt_app_settings *settings, xt_problem *reterr_problem)
{
    xt_store_settings store = {.clock = app->clock,
                               .keeps_reserve = settings->keeps_reserve,
                               .seal_rows = settings->seal_rows,
                               .seal_after_ms = settings->seal_after_ms,
                               .merge_after_ms = settings->merge_after_ms};
    int r = make_folder(app->data, reterr_problem);

    if (r == 0)
        r = xt_store_open(app->data, &store, &app->store, reterr_problem);
    if (r == XT_STORE_E_LOCKED)
        return XT_APP_E_LOCKED;
    if (r > 0)
        return XT_APP_E_INVALID; /* written by a later version: the problem says so */
    return xt_error_trace(r);
}

static int open_secrets(xt_app *app, const xt_app_settings *settings, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    const char *path = settings->secret_rules;

    if (!path)
        return xt_error_trace(xt_secret_rules_builtin(&app->secrets));
    int r = xt_vfs_read_file(&xt_vfs_system, path, 1 << 20, &text);
    if (r < 0)
        xt_problem_set(reterr_problem, "%s: the table of secrets cannot be read: %s", path, strerror(-r));
    else if (xt_secret_rules_parse(xt_buf_slice(&text), path, &app->secrets, reterr_problem) != 0)
        return XT_APP_E_INVALID;
    return xt_error_trace(r);
}

static int open_state(xt_app *app, xt_problem *reterr_problem)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/state.db", app->data);

    if (n < 0 || (size_t)n >= sizeof path)
        return xt_error_origin(-ENAMETOOLONG);
    int r = xt_state_open(path, &app->state, reterr_problem);
    if (r == 0)
        r = xt_notes_new(&app->notes);
    if (r == 0)
        r = xt_hosts_open(app->state, app->clock, app->notes, &app->hosts, reterr_problem);
    if (r == 0)
        r = xt_policies_new(app->state, app->clock, &app->pki, app->hosts, app->notes, &app->policies);
    return xt_error_trace(r);
}

static int open_parts(xt_app *app, const xt_app_settings *settings, xt_problem *reterr_problem)
{
    int r = open_store(app, settings, reterr_problem);

    if (r)
        return r;
    r = xt_pki_open(app->data, settings->server_names, settings->host_cert_s, &app->pki, reterr_problem);
    if (r == 0)
        r = xt_care_new(app->store, settings, &app->care);
    if (r == 0)
        r = open_state(app, reterr_problem);
    if (r == 0)
        xt_hosts_limit_sent(app->hosts, settings->max_sent_hosts);
    if (r == 0)
        r = open_secrets(app, settings, reterr_problem);
    if (r == 0)
        r = xt_rules_watch_open(settings, &app->rules, reterr_problem);
    if (r == 0)
        r = xt_outbox_open(app->state, app->clock, settings->webhook, &app->outbox, reterr_problem);
    if (r == 0)
        r = xt_alerts_refill(app, REFILL_AT_START, NULL, reterr_problem);
    if (r == 0)
        r = xt_writer_open(app, &app->writer);
    if (r == 0)
        r = xt_forwards_open(app, settings->runs_forwards, &app->forwards, reterr_problem);
    if (r == 0)
        r = keeper_start(app);
    if (r == 0 && settings->demo)
        r = xt_demo_open(app, settings->demo, &app->demo, reterr_problem);
    return r < 0 ? xt_error_trace(r) : r;
}

static xt_app *app_new(const xt_app_settings *settings)
{
    xt_app *app = calloc(1, sizeof *app);
    pthread_condattr_t attr;

    if (!app)
        return NULL;
    app->data = strdup(settings->data);
    app->clock = settings->clock ? settings->clock : &xt_clock_system;
    app->is_demo = settings->demo != NULL;
    app->n_cores = settings->n_cores ? settings->n_cores : xt_cores();
    app->bulk_rows = settings->seal_rows;
    app->keeps_secrets = settings->keeps_secrets;
    app->seals_secrets = settings->seal_to != NULL;
    if (settings->seal_to)
        app->seal_to = *settings->seal_to;
    pthread_mutex_init(&app->fleet_lock, NULL);
    pthread_mutex_init(&app->intake_lock, NULL);
    pthread_mutex_init(&app->keeper_lock, NULL);
    pthread_mutex_init(&app->erase_one, NULL);
    pthread_mutex_init(&app->erase_lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&app->keeper_wake, &attr);
    pthread_condattr_destroy(&attr);
    return app;
}

int xt_app_open(const xt_app_settings *settings, xt_app **ret, xt_problem *reterr_problem)
{
    xt_app *app = app_new(settings);
    int r = app && app->data ? open_parts(app, settings, reterr_problem) : xt_error_origin(-ENOMEM);

    if (r) {
        xt_app_close(app);
        return r;
    }
    *ret = app;
    return 0;
}

static void write_down(xt_app *app)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int last = 0;

    report(xt_hosts_flush(app->hosts, &problem), "hosts", &problem, &last);
    keep_alerts(app, 1, &last);
}

static void enter_notes(xt_app *app)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int last = 0;

    report(xt_notes_enter(app->notes, app), "events of the server's own", &problem, &last);
}

xt_app *xt_app_close(xt_app *app)
{
    if (!app)
        return NULL;
    xt_demo_close(app->demo);
    app->intake = xt_intake_close(app->intake);
    xt_forwards_close(app->forwards);
    keeper_end(app);
    bool whole = app->writer != NULL;
    if (whole)
        enter_notes(app);
    app->writer = xt_writer_close(app->writer);
    if (whole)
        write_down(app);
    xt_outbox_close(app->outbox);
    xt_rules_watch_close(app->rules);
    xt_policies_free(app->policies);
    xt_hosts_close(app->hosts);
    xt_notes_free(app->notes);
    xt_state_close(app->state);
    xt_pki_fini(&app->pki);
    xt_secret_rules_unref(app->secrets);
    xt_care_free(app->care);
    xt_store_close(app->store);
    pthread_cond_destroy(&app->keeper_wake);
    pthread_mutex_destroy(&app->keeper_lock);
    pthread_mutex_destroy(&app->erase_one);
    pthread_mutex_destroy(&app->erase_lock);
    pthread_mutex_destroy(&app->fleet_lock);
    pthread_mutex_destroy(&app->intake_lock);
    free(app->data);
    free(app);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------- the rest */

xt_store *xt_app_store(xt_app *app)
{
    return app->store;
}

const xt_clock *xt_app_clock(const xt_app *app)
{
    return app->clock;
}

const char *xt_app_data(const xt_app *app)
{
    return app->data;
}

const xt_secret_seal_key *xt_app_seal_key(const xt_app *app)
{
    return app->seals_secrets ? &app->seal_to : NULL;
}

bool xt_app_is_demo(const xt_app *app)
{
    return app->is_demo;
}

xt_ruleset *xt_app_rules(xt_app *app)
{
    return xt_rules_watch_get(app->rules);
}

int xt_app_rules_reload(xt_app *app, xt_problem *reterr_problem)
{
    return xt_rules_watch_load(app->rules, reterr_problem);
}

void xt_app_rules_refused(xt_app *app, void (*each)(void *context, const xt_problem *problem), void *context)
{
    xt_rules_watch_refused(app->rules, each, context);
}

int xt_app_ingest(xt_app *app, xt_slice host_id, xt_slice payload, xt_app_done_fn done, void *context)
{
    xt_writer_put_args args = {.host_id = host_id, .payload = payload, .done = done, .context = context};

    return xt_writer_put(app->writer, &args);
}

int xt_app_host_group(xt_app *app, xt_slice host, xt_slice group, xt_problem *reterr_problem)
{
    return xt_hosts_set_group(app->hosts, host, group, reterr_problem);
}

/*
 * The events are durable before their alerts are written: a kill between the two would lose an alert. So state.db keeps the
 * arrival number up to which alerts are whole (written lazily, never too high), and after a start the events behind it that
 * carry rule.id are looked at again; the table `folded` makes that harmless for those that are there.
 */
#include <errno.h>

#include "base/timestamp.h"
#include "server/alerts.h"
#include "server/app_parts.h"

enum {
    KEEP_FOLDED_MS = 24 * 60 * 60 * 1000,
    REFILL_BYTES = 64 << 20,
};

typedef struct refill {
    xt_app *app;
    xt_ruleset *rules;
    xt_arena arena;
    xt_problem *problem;
} refill;

/* The rule of that id, or one that says as much as its id when it is gone by now. */
static xt_match match_of(const refill *f, xt_slice rule_id, const xt_event *event, xt_rule_info *gone)
{
    xt_match match = {.rule = gone, .level = XT_LEVEL_MEDIUM};

    *gone = (xt_rule_info){.id = rule_id, .title = rule_id, .author = XT_S(""), .file = "", .enabled = true};
    for (size_t i = 0; i < xt_ruleset_count(f->rules); i++)
        if (xt_slice_eq(xt_ruleset_rule(f->rules, i)->id, rule_id)) {
            match.rule = xt_ruleset_rule(f->rules, i);
            match.level = match.rule->level;
        }
    (void)xt_level_by_name(xt_event_bytes(event, XT_F_RULE_LEVEL), &match.level);
    return match;
}

static int raise_missing(refill *f, xt_hash128 id, int64_t t_ms, xt_slice rule_id, xt_problem *reterr_problem)
{
    xt_event event;
    bool found = false;
    int r = xt_store_event_find(f->app->store, id, t_ms, &f->arena, &event, &found, reterr_problem);

    if (r || !found)
        return xt_error_fold(r);
    xt_rule_info gone;
    xt_match match = match_of(f, rule_id, &event, &gone);
    r = xt_state_begin(f->app->state, reterr_problem);
    if (r == 0)
        r = xt_state_end(f->app->state, xt_alerts_raise(f->app, &event, &match, &f->arena, reterr_problem),
                         reterr_problem);
    return xt_error_trace(r);
}

static int look_at(refill *f, const xt_event *event, xt_problem *reterr_problem)
{
    xt_event copy = *event;
    xt_field_set wanted = {{0, 0}};
    xt_list_iter rules = xt_list_iterate(xt_event_bytes(event, XT_F_RULES));
    xt_hash128 id;
    xt_slice rule;

    xt_field_set_add(&wanted, XT_F_EVENT_ID);
    int r = xt_event_derive(&copy, wanted, &f->arena);
    xt_slice id_text = xt_event_bytes(&copy, XT_F_EVENT_ID);
    while (r == 0 && xt_hash128_parse(id_text, &id) && xt_list_next(&rules, &rule)) {
        xt_hash128 pair = xt_alert_pair(rule, id_text);
        int64_t n = 0;
        r = xt_state_number(f->app->state, reterr_problem, &n, "SELECT count(*) FROM folded WHERE pair = ?", "b",
                            xt_slice_of((const char *)pair.b, XT_ALERT_PAIR_BYTES));
        if (r == 0 && n == 0)
            r = raise_missing(f, id, (int64_t)xt_event_num(&copy, XT_F_TIME, 0), rule, reterr_problem);
    }
    return xt_error_trace(r);
}

static int on_row(void *context, const xt_event *event, uint64_t arrival)
{
    refill *f = context;

    (void)arrival;
    xt_arena_reset(&f->arena);
    return xt_event_has(event, XT_F_RULES) ? look_at(f, event, f->problem) : 0;
}

static int look_through(refill *f, uint64_t after, xt_problem *reterr_problem)
{
    static const xt_field fields[] = {XT_F_TIME, XT_F_SERIAL, XT_F_EVENT_ID, XT_F_HOST_ID, XT_F_RULES, XT_F_RULE_LEVEL};
    xt_scan_spec spec = {.to_ms = XT_TIMESTAMP_MAX_MS, .after_arrival = after};
    xt_field_set wanted = {{0, 0}};

    for (size_t i = 0; i < XT_COUNT_OF(fields); i++)
        xt_field_set_add(&wanted, fields[i]);
    f->problem = reterr_problem;
    return xt_error_trace(xt_scan_each(f->app->store, &spec, wanted, on_row, f, NULL, reterr_problem));
}

int xt_alerts_refill(xt_app *app, xt_problem *reterr_problem)
{
    refill f = {.app = app, .rules = xt_app_rules(app)};
    unsigned failed = atomic_load(&app->alerts_failed);
    xt_store_stats stats;
    int64_t whole = 0;
    int r = xt_store_stats_get(app->store, &stats);

    xt_arena_init(&f.arena, REFILL_BYTES);
    if (r == 0)
        r = xt_state_number(app->state, reterr_problem, &whole, "SELECT value FROM meta WHERE name = 'alerts_arrival'",
                            "");
    if (r == 0 && stats.n_events > 0) {
        uint64_t newest = xt_store_wait(app->store, 0, 0);
        uint64_t sealed = newest > stats.n_open_events ? newest - stats.n_open_events : 0;
        r = look_through(&f, (uint64_t)whole < sealed ? (uint64_t)whole : sealed, reterr_problem);
        if (r == 0)
            atomic_store(&app->alerts_arrival, newest);
    }
    if (r == 0)
        atomic_store(&app->alerts_repaired, failed);
    xt_arena_fini(&f.arena);
    xt_ruleset_unref(f.rules);
    return xt_error_trace(r);
}

int xt_alerts_settle(xt_app *app, bool prune, xt_problem *reterr_problem)
{
    int64_t whole = (int64_t)atomic_load(&app->alerts_arrival);
    int64_t kept = 0;
    int r =
        xt_state_number(app->state, reterr_problem, &kept, "SELECT value FROM meta WHERE name = 'alerts_arrival'", "");

    if (r == 0 && kept != whole)
        r = xt_state_run(app->state, reterr_problem, NULL,
                         "INSERT OR REPLACE INTO meta(name, value) VALUES('alerts_arrival', ?)", "i", whole);
    if (r == 0 && prune)
        r = xt_state_run(app->state, reterr_problem, NULL, "DELETE FROM folded WHERE made_ms < ?", "i",
                         xt_clock_wall_ms(app->clock) - KEEP_FOLDED_MS);
    return xt_error_trace(r);
}

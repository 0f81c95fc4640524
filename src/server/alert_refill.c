/*
 * The events are durable before their alerts are written: a kill between the two would lose an alert. So state.db keeps the
 * arrival number up to which alerts are whole (written with alerts, else lazily, never too high), and after a start the
 * events behind it that carry rule.id are looked at again; the table `folded` makes that harmless for those that are there.
 * A start does not wait for it when there are many, as when state.db was lost.
 */
#include <errno.h>

#include "base/timestamp.h"
#include "server/alerts.h"
#include "server/app_parts.h"

enum {
    KEEP_FOLDED_MS = 24 * 60 * 60 * 1000,
    REFILL_BYTES = 64 << 20,
    COMMIT_EVERY = 256, /* alerts */
};

typedef struct refill {
    xt_app *app;
    xt_ruleset *rules;
    uint64_t after; /* the arrival behind which it looks */
    xt_scan *scan;
    xt_scan_reader *reader;
    xt_arena arena;    /* of a row */
    unsigned n_raised; /* in the transaction under way; 0: there is none */
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

/* Ends the transaction, if there is one: it holds the lock that the writer's alerts wait for. */
static int raised_commit(refill *f, int r)
{
    if (f->n_raised == 0)
        return r;
    f->n_raised = 0;
    return xt_state_end(f->app->state, r, f->problem);
}

static int raise_missing(refill *f, uint32_t row, xt_slice rule_id)
{
    xt_event event;
    xt_rule_info gone;
    int r = xt_scan_event(f->reader, row, (xt_field_set){{UINT64_MAX, UINT64_MAX}}, &f->arena, &event, f->problem);

    if (r)
        return r;
    if (f->n_raised == 0)
        r = xt_state_begin(f->app->state, f->problem);
    if (r)
        return xt_error_trace(r);
    xt_match match = match_of(f, rule_id, &event, &gone);
    f->n_raised++;
    r = xt_alerts_raise(f->app, &event, &match, &f->arena, f->problem);
    return f->n_raised == COMMIT_EVERY || r ? raised_commit(f, r) : 0;
}

static int row_look_at(refill *f, uint32_t row)
{
    static const xt_field fields[] = {XT_F_TIME, XT_F_SERIAL, XT_F_EVENT_ID, XT_F_HOST_ID, XT_F_RULES};
    xt_field_set few = {{0, 0}}, id = {{0, 0}};
    xt_event event;
    xt_slice rule;

    xt_arena_reset(&f->arena);
    for (size_t i = 0; i < XT_COUNT_OF(fields); i++)
        xt_field_set_add(&few, fields[i]);
    xt_field_set_add(&id, XT_F_EVENT_ID);
    int r = xt_scan_event(f->reader, row, few, &f->arena, &event, f->problem);
    if (r == 0)
        r = xt_event_derive(&event, id, &f->arena);
    xt_slice id_text = r == 0 ? xt_event_bytes(&event, XT_F_EVENT_ID) : XT_S_NULL;
    xt_list_iter rules = xt_list_iterate(id_text.n ? xt_event_bytes(&event, XT_F_RULES) : XT_S_NULL);
    while (r == 0 && xt_list_next(&rules, &rule)) {
        xt_hash128 pair = xt_alert_pair(rule, id_text);
        int64_t n = 0;
        r = xt_state_number(f->app->state, f->problem, &n, "SELECT count(*) FROM folded WHERE pair = ?", "b",
                            xt_slice_of((const char *)pair.b, XT_ALERT_PAIR_BYTES));
        if (r == 0 && n == 0)
            r = raise_missing(f, row, rule);
    }
    return r;
}

/* Most parts have no event that raised an alert, which their segment's directory tells: nothing of them is read. */
static int part_look_at(refill *f, size_t part)
{
    const uint64_t *arrivals = NULL;
    const xt_column *rules;

    xt_scan_reader_begin(f->reader, part);
    int r = xt_scan_values(f->reader, XT_F_RULES, &rules, f->problem);
    if (r || rules->kind == XT_COLUMN_ABSENT)
        return r;
    r = xt_scan_column(f->reader, XT_F_RULES, &rules, f->problem);
    if (r == 0)
        r = xt_scan_arrivals(f->reader, &arrivals, f->problem);
    for (uint32_t row = 0; r == 0 && row < xt_scan_reader_zone(f->reader)->n_rows; row++)
        if (rules->codes[row] && (!arrivals || arrivals[row] > f->after))
            r = row_look_at(f, row);
    return raised_commit(f, r);
}

static bool is_to_end(xt_app *app)
{
    pthread_mutex_lock(&app->keeper_lock);
    bool ends = app->keeper_stop;
    pthread_mutex_unlock(&app->keeper_lock);
    return ends;
}

/* *ret_whole: it came to the end. */
static int look_through(refill *f, bool *ret_whole)
{
    xt_scan_spec spec = {.to_ms = XT_TIMESTAMP_MAX_MS, .after_arrival = f->after};
    size_t n = 0, i = 0;
    int r = xt_scan_open(f->app->store, &spec, &f->scan, f->problem);

    if (r == 0) {
        n = xt_scan_parts(f->scan);
        f->reader = xt_scan_reader_new(f->scan);
        r = f->reader ? 0 : xt_error_origin(-ENOMEM);
    }
    for (; r == 0 && i < n && !is_to_end(f->app); i++) {
        r = part_look_at(f, i);
        r = r == XT_SCAN_E_DAMAGED ? 0 : r; /* every answer names it */
    }
    *ret_whole = r == 0 && i == n;
    return xt_error_fold(r);
}

static int mark_get(xt_app *app, int64_t *ret, xt_problem *reterr_problem)
{
    return xt_state_number(app->state, reterr_problem, ret, "SELECT value FROM meta WHERE name = 'alerts_arrival'", "");
}

/* The arrival behind which alerts may be missing. Open events are looked at in any case. */
static int after_get(xt_app *app, uint64_t *ret_after, uint64_t *ret_newest, xt_problem *reterr_problem)
{
    xt_store_stats stats;
    int64_t whole = 0;
    int r = xt_store_stats_get(app->store, &stats);

    if (r == 0)
        r = mark_get(app, &whole, reterr_problem);
    if (r)
        return xt_error_trace(r);
    *ret_newest = xt_store_wait(app->store, 0, 0);
    uint64_t sealed = *ret_newest > stats.n_open_events ? *ret_newest - stats.n_open_events : 0;
    *ret_after = (uint64_t)whole < sealed ? (uint64_t)whole : sealed;
    return 0;
}

int xt_alerts_refill(xt_app *app, uint64_t max_events, xt_scan_cost *ret_cost, xt_problem *reterr_problem)
{
    refill f = {.app = app, .problem = reterr_problem};
    unsigned failed = atomic_load(&app->alerts_failed);
    uint64_t newest = 0;
    bool whole = false;
    int r = after_get(app, &f.after, &newest, reterr_problem);

    if (r == 0 && newest - f.after > max_events) {
        atomic_store(&app->alerts_arrival, f.after);
        atomic_fetch_add(&app->alerts_failed, 1); /* the maintenance thread takes the time that it needs */
        return 0;
    }
    f.rules = xt_app_rules(app);
    xt_arena_init(&f.arena, REFILL_BYTES);
    if (r == 0)
        r = look_through(&f, &whole);
    if (whole) {
        if (newest > 0)
            atomic_store(&app->alerts_arrival, newest);
        atomic_store(&app->alerts_repaired, failed);
    }
    if (f.reader && ret_cost)
        *ret_cost = xt_scan_reader_cost(f.reader);
    xt_scan_reader_free(f.reader);
    xt_scan_close(f.scan);
    xt_arena_fini(&f.arena);
    xt_ruleset_unref(f.rules);
    return xt_error_trace(r);
}

int xt_alerts_mark(xt_app *app, uint64_t arrival, xt_problem *reterr_problem)
{
    return xt_state_run(app->state, reterr_problem, NULL,
                        "INSERT OR REPLACE INTO meta(name, value) VALUES('alerts_arrival', ?)", "i", (int64_t)arrival);
}

int xt_alerts_settle(xt_app *app, bool prune, xt_problem *reterr_problem)
{
    int64_t whole = (int64_t)atomic_load(&app->alerts_arrival);
    int64_t kept = 0;
    int r = mark_get(app, &kept, reterr_problem);

    if (r == 0 && kept != whole)
        r = xt_alerts_mark(app, (uint64_t)whole, reterr_problem);
    if (r == 0 && prune)
        r = xt_state_run(app->state, reterr_problem, NULL, "DELETE FROM folded WHERE made_ms < ?", "i",
                         xt_clock_wall_ms(app->clock) - KEEP_FOLDED_MS);
    return xt_error_trace(r);
}

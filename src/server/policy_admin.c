/* What people do with policies. Each is an event (server/note.h) that says who. */
#include <errno.h>
#include <stdio.h>

#include "audit/policy.h"
#include "server/app_parts.h"
#include "server/policies_private.h"
#include "server/secret.h"
#include "wire/policy_order.h"

enum { CHECK_BYTES = 8 << 20, MAX_WAVES = 16 };

static int invalid(xt_problem *problem, const char *sentence, const char *hint)
{
    xt_problem_set(problem, "%s", sentence);
    xt_problem_hint(problem, "%s", hint);
    return XT_APP_E_INVALID;
}

static int no_policy(xt_problem *problem, xt_slice group)
{
    xt_problem_set(problem, "there is no policy of this group, or no such version");
    xt_problem_excerpt(problem, group);
    xt_problem_hint(problem, "exectrail policy list");
    return XT_APP_E_NOT_FOUND;
}

/* ------------------------------------------------------------------------------------------------- versions */

static int check_text(xt_slice group, xt_slice text, xt_problem *problem)
{
    char source[XT_HOST_GROUP_BYTES + 8];
    xt_buf out = XT_BUF_ON(source);
    xt_policy policy;
    xt_arena arena;
    xt_buf_printf(&out, "policy %.*s", XT_S_ARGS(group));
    source[out.n] = '\0';
    xt_arena_init(&arena, CHECK_BYTES);
    int r = xt_policy_parse(text, source, NULL, &arena, &policy, problem);
    xt_arena_fini(&arena);
    return r > 0 ? XT_APP_E_INVALID : r;
}

static int newest(xt_policies *p, xt_slice group, int64_t *ret, xt_problem *problem)
{
    *ret = 0;
    return xt_state_number(p->state, problem, ret, "SELECT coalesce(max(version), 0) FROM policies WHERE grp = ?", "s",
                           group);
}

int xt_app_policy_set(xt_app *app, xt_slice group, xt_slice text, xt_slice who, uint64_t *ret_version,
                      xt_problem *reterr_problem)
{
    xt_policies *p = app->policies;
    char note[160];
    int64_t last = 0;
    int r = group.n ? xt_host_group_check(group, reterr_problem)
                    : invalid(reterr_problem, "a policy is of a group of hosts", "all is those that have none");
    if (r == 0)
        r = check_text(group, text, reterr_problem);
    if (r == 0)
        r = xt_state_begin(p->state, reterr_problem);
    if (r)
        return r;
    r = newest(p, group, &last, reterr_problem);
    if (r == 0)
        r = xt_state_run(p->state, reterr_problem, NULL,
                         "INSERT INTO policies(grp, version, text, who, made_ms) VALUES(?, ?, ?, ?, ?)", "sibsi", group,
                         last + 1, text, who, xt_clock_wall_ms(p->clock));
    r = xt_state_end(p->state, r, reterr_problem);
    if (r)
        return xt_error_trace(r);
    *ret_version = (uint64_t)last + 1;
    snprintf(note, sizeof note, "policy %.*s has version %lld", XT_S_ARGS(group), (long long)last + 1);
    xt_policies_note(p, "set-policy", who, note);
    return 0;
}

int xt_app_policy_versions(xt_app *app, xt_slice group, uint64_t version,
                           int (*each)(void *context, const xt_policy_version *v), void *context,
                           xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;
    uint64_t n = 0;
    xt_state_lock(app->state);
    int r = xt_state_select(app->state, reterr_problem, &stmt,
                            "SELECT version, made_ms, who, text FROM policies WHERE grp = ? AND (? = 0 OR version = ?) "
                            "ORDER BY version DESC",
                            "sii", group, (int64_t)version, (int64_t)version);
    while (r == 0 && (r = xt_state_next(app->state, stmt, reterr_problem)) == 1) {
        xt_policy_version v = {.version = (uint64_t)sqlite3_column_int64(stmt, 0),
                               .made_ms = sqlite3_column_int64(stmt, 1),
                               .text = xt_sqlite_slice(stmt, 3)};
        xt_state_text(stmt, 2, v.who, sizeof v.who);
        r = each(context, &v);
        n++;
    }
    xt_state_finish(&stmt);
    stmt = NULL;
    xt_state_unlock(app->state);
    return r == 0 && n == 0 ? no_policy(reterr_problem, group) : r;
}

/* ------------------------------------------------------------------------------------------------- roll-outs */

static bool waves_are_good(xt_slice waves)
{
    xt_slice one;
    uint64_t last = 0, percent = 0;
    unsigned n = 0;
    while (xt_slice_cut(&waves, ',', &one)) {
        if (!xt_slice_parse_u64(xt_slice_trim(one), &percent) || percent <= last || percent > 100 || n++ == MAX_WAVES)
            return false;
        last = percent;
    }
    return last == 100;
}

/* Somebody did something with the same roll-out in the same moment. */
static int changed(xt_problem *problem, int outcome)
{
    return outcome == XT_ROLLOUT_E_CHANGED ? invalid(problem, "somebody else changed this roll-out in the same moment",
                                                     "look at it, then try again")
                                           : outcome;
}

/* What the hosts have that are not in a wave of the new one. */
static uint64_t previous_of(const xt_rollout *old)
{
    bool all = strcmp(old->state, "rolling") == 0 && old->bound == UINT64_MAX;
    return all || strcmp(old->state, "done") == 0 ? old->version : old->previous;
}

static int is_version(xt_policies *p, xt_slice group, uint64_t version, xt_problem *problem)
{
    int64_t found = 0;
    int r = xt_state_number(p->state, problem, &found, "SELECT count(*) FROM policies WHERE grp = ? AND version = ?",
                            "si", group, (int64_t)version);
    return r ? r : found ? 0 : no_policy(problem, group);
}

int xt_app_policy_roll_out(xt_app *app, xt_slice group, uint64_t version, xt_slice waves, int64_t soak_ms, xt_slice who,
                           xt_problem *reterr_problem)
{
    xt_policies *p = app->policies;
    xt_rollout old = {.version = 0}, r = {.soak_ms = soak_ms, .wave_ms = xt_clock_wall_ms(p->clock)};
    int64_t last = 0;
    char note[256];
    if (waves.n == 0)
        waves = XT_S(XT_ROLLOUT_WAVES);
    if (!waves_are_good(waves) || waves.n >= sizeof r.waves)
        return invalid(reterr_problem, "waves are percents that grow and end with 100",
                       "1,10,50,100; or 100 for all at once");
    int outcome = newest(p, group, &last, reterr_problem);
    r.version = version ? version : (uint64_t)last;
    if (outcome == 0)
        outcome = is_version(p, group, r.version, reterr_problem);
    if (outcome)
        return outcome;
    outcome = xt_rollout_load(p, group, &old, reterr_problem);
    if (outcome && outcome != XT_APP_E_NOT_FOUND)
        return outcome;
    r.previous = outcome == 0 ? previous_of(&old) : 0;
    xt_text_copy(r.group, sizeof r.group, group);
    xt_text_copy(r.waves, sizeof r.waves, waves);
    xt_text_copy(r.state, sizeof r.state, XT_S("rolling"));
    outcome = xt_rollout_choose(p, &r, reterr_problem);
    if (r.bound == UINT64_MAX && soak_ms == 0)
        xt_text_copy(r.state, sizeof r.state, XT_S("done")); /* nobody wants it to be watched */
    if (outcome == 0)
        outcome = xt_rollout_swap(p, &old, &r, reterr_problem);
    if (outcome)
        return changed(reterr_problem, outcome);
    snprintf(note, sizeof note, "policy %s %llu is rolled out in waves of %s %%, each for %lld s", r.group,
             (unsigned long long)r.version, r.waves, (long long)soak_ms / 1000);
    xt_policies_note(p, "rolled-out-policy", who, note);
    xt_policies_changed(p);
    return 0;
}

/* One of the small ones: from a state to another. */
static int change(xt_app *app, xt_slice group, const char *from, const char *to, const char *action, const char *words,
                  xt_slice why, xt_slice who, xt_problem *problem)
{
    xt_policies *p = app->policies;
    xt_rollout r, was;
    char note[400];
    int outcome = xt_rollout_load(p, group, &r, problem);
    if (outcome)
        return outcome == XT_APP_E_NOT_FOUND ? no_policy(problem, group) : outcome;
    if (from && strcmp(r.state, from) != 0) {
        xt_problem_set(problem, "the roll-out of this policy is not %s", from);
        xt_problem_excerpt(problem, xt_slice_str(r.state));
        return XT_APP_E_INVALID;
    }
    was = r;
    xt_text_copy(r.state, sizeof r.state, xt_slice_str(to));
    xt_text_copy(r.reason, sizeof r.reason, why);
    r.wave_ms = xt_clock_wall_ms(p->clock);
    outcome = xt_rollout_swap(p, &was, &r, problem);
    if (outcome)
        return changed(problem, outcome);
    snprintf(note, sizeof note, "the roll-out of policy %s %llu %s%s%.*s", r.group, (unsigned long long)r.version,
             words, why.n ? ": " : "", (int)(why.n < 200 ? why.n : 200), why.n ? why.p : "");
    xt_policies_note(p, action, who, note);
    xt_policies_changed(p);
    return 0;
}

int xt_app_policy_halt(xt_app *app, xt_slice group, xt_slice why, xt_slice who, xt_problem *reterr_problem)
{
    return change(app, group, "rolling", "halted", "halted-policy", "is halted", why, who, reterr_problem);
}

int xt_app_policy_resume(xt_app *app, xt_slice group, xt_slice who, xt_problem *reterr_problem)
{
    return change(app, group, "halted", "rolling", "resumed-policy", "goes on", XT_S_NULL, who, reterr_problem);
}

int xt_app_policy_roll_back(xt_app *app, xt_slice group, xt_slice who, xt_problem *reterr_problem)
{
    return change(app, group, NULL, "back", "rolled-back-policy", "is taken back", XT_S_NULL, who, reterr_problem);
}

/* ------------------------------------------------------------------------------------------------------ lists */

typedef struct census {
    xt_policies *p;
    xt_policy_info *info;
    xt_rollout rollout;
    xt_problem *problem;
} census;

static int count_host(void *context, const xt_host *host)
{
    census *c = context;
    bool decides = false;
    int64_t row[2] = {0, 0};
    if (host->revoked || host->imported)
        return 0;
    int r = xt_rollout_decides(c->p, &c->rollout, host->group, &decides, c->problem);
    if (r || !decides)
        return r;
    c->info->n_hosts++;
    if (c->rollout.version == 0 || xt_rollout_version(&c->rollout, xt_slice_str(host->id)) != c->rollout.version)
        return 0;
    c->info->n_have++;
    r = xt_state_numbers(c->p->state, c->problem, row, 2,
                         "SELECT version, outcome FROM policy_orders WHERE host = ? AND grp = ?", "zz", host->id,
                         c->rollout.group);
    if (r == 0 && (uint64_t)row[0] == c->rollout.version) {
        c->info->n_applied += row[1] == XT_POLICY_APPLIED || row[1] == XT_POLICY_PINNED;
        c->info->n_refused += row[1] == XT_POLICY_REFUSED;
    }
    return r;
}

static int fill_info(xt_policies *p, xt_policy_info *info, xt_problem *problem)
{
    census c = {.p = p, .info = info, .problem = problem};
    int r = xt_policies_keep(p, problem);
    if (r)
        return r;
    r = xt_rollout_load(p, xt_slice_str(info->group), &c.rollout, problem);
    if (r && r != XT_APP_E_NOT_FOUND)
        return r;
    if (r) {
        xt_text_copy(c.rollout.group, sizeof c.rollout.group, xt_slice_str(info->group));
        xt_text_copy(c.rollout.state, sizeof c.rollout.state, XT_S("draft"));
    }
    xt_text_copy(info->state, sizeof info->state, xt_slice_str(c.rollout.state));
    xt_text_copy(info->waves, sizeof info->waves, xt_slice_str(c.rollout.waves));
    xt_text_copy(info->reason, sizeof info->reason, xt_slice_str(c.rollout.reason));
    info->rolled_version = c.rollout.version;
    info->previous = c.rollout.previous;
    info->wave = c.rollout.version ? c.rollout.wave + 1 : 0;
    info->percent = c.rollout.version ? xt_rollout_percent(&c.rollout) : 0;
    info->wave_ms = c.rollout.wave_ms;
    info->soak_ms = c.rollout.soak_ms;
    return xt_hosts_list(p->hosts, count_host, &c);
}

int xt_app_policies_list(xt_app *app, int (*each)(void *context, const xt_policy_info *info), void *context,
                         xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf rows = XT_BUF_INIT;
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;
    xt_state_lock(app->state);
    int r = xt_state_select(app->state, reterr_problem, &stmt,
                            "SELECT grp, version, who, made_ms FROM policies AS p WHERE version = (SELECT max(version) "
                            "FROM policies WHERE grp = p.grp) ORDER BY grp",
                            "");
    while (r == 0 && (r = xt_state_next(app->state, stmt, reterr_problem)) == 1) {
        xt_policy_info info = {.version = (uint64_t)sqlite3_column_int64(stmt, 1),
                               .made_ms = sqlite3_column_int64(stmt, 3)};
        xt_state_text(stmt, 0, info.group, sizeof info.group);
        xt_state_text(stmt, 2, info.who, sizeof info.who);
        xt_buf_put(&rows, xt_slice_of(&info, sizeof info));
        r = 0;
    }
    xt_state_finish(&stmt);
    stmt = NULL;
    xt_state_unlock(app->state);
    if (r == 0)
        r = xt_buf_done(&rows);
    for (size_t at = 0; r == 0 && at < rows.n; at += sizeof(xt_policy_info)) {
        xt_policy_info info;
        memcpy(&info, rows.p + at, sizeof info);
        r = fill_info(app->policies, &info, reterr_problem);
        if (r == 0)
            r = each(context, &info);
    }
    return r;
}

bool xt_app_host_policy(xt_app *app, xt_slice host_id, xt_host_policy *ret)
{
    static const char *const outcomes[] = {"sent", "in force", "refused", "pinned"};
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;
    if (xt_policies_keep(app->policies, NULL))
        return false;
    xt_state_lock(app->state);
    int r =
        xt_state_select(app->state, NULL, &stmt,
                        "SELECT grp, version, outcome, said, until_ms FROM policy_orders WHERE host = ?", "s", host_id);
    bool found = r == 0 && xt_state_next(app->state, stmt, NULL) == 1;
    *ret = (xt_host_policy){0};
    if (found) {
        char group[XT_HOST_GROUP_BYTES];
        int64_t outcome = sqlite3_column_int64(stmt, 2), until_ms = sqlite3_column_int64(stmt, 4);
        xt_state_text(stmt, 0, group, sizeof group);
        if (group[0])
            snprintf(ret->policy, sizeof ret->policy, "%s %lld", group, (long long)sqlite3_column_int64(stmt, 1));
        snprintf(ret->state, sizeof ret->state, "%s", outcomes[outcome >= 0 && outcome < 4 ? outcome : 0]);
        xt_state_text(stmt, 3, ret->said, sizeof ret->said);
        ret->paused_until_ms = until_ms > xt_clock_wall_ms(app->clock) ? until_ms : 0;
    }
    xt_state_finish(&stmt);
    stmt = NULL;
    xt_state_unlock(app->state);
    return found;
}

/* ----------------------------------------------------------------------------------------------------- pauses */

typedef struct search {
    xt_slice what;
    char id[33], name[256];
    bool is_group;
} search;

static int match(void *context, const xt_host *host)
{
    search *s = context;
    if (host->revoked || host->imported)
        return 0;
    if (xt_slice_eq(xt_slice_str(host->id), s->what) || xt_slice_eq(xt_slice_str(host->name), s->what)) {
        xt_text_copy(s->id, sizeof s->id, xt_slice_str(host->id));
        xt_text_copy(s->name, sizeof s->name, xt_slice_str(host->name));
    }
    s->is_group |= xt_slice_eq(xt_slice_str(host->group), s->what);
    return 0;
}

int xt_app_pause(xt_app *app, xt_slice what, int64_t for_ms, xt_slice why, xt_slice who, xt_problem *reterr_problem)
{
    xt_policies *p = app->policies;
    char scope[XT_HOST_GROUP_BYTES + 8], note[512];
    xt_buf out = XT_BUF_ON(scope);
    search s = {.what = what, .is_group = xt_slice_eq(what, XT_S(XT_POLICY_ALL_HOSTS))};
    int64_t now_ms = xt_clock_wall_ms(p->clock);
    if (for_ms < 0 || for_ms > (int64_t)XT_PAUSE_MAX_MS)
        return invalid(reterr_problem, "a pause is at most a day", "give --for 1h");
    int r = xt_hosts_list(p->hosts, match, &s);
    if (r)
        return r;
    if (!s.id[0] && !s.is_group) {
        xt_problem_set(reterr_problem, "no host and no group has this name");
        xt_problem_excerpt(reterr_problem, what);
        return XT_APP_E_NOT_FOUND;
    }
    if (s.id[0])
        xt_buf_puts(&out, s.id);
    else
        xt_buf_printf(&out, "group:%.*s", XT_S_ARGS(what));
    r = xt_state_run(p->state, reterr_problem, NULL,
                     "INSERT OR REPLACE INTO policy_pauses(scope, until_ms, who, why) VALUES(?, ?, ?, ?)", "siss",
                     xt_buf_slice(&out), for_ms ? now_ms + for_ms : 0, who, why.n ? xt_slice_head(why, 200) : XT_S(""));
    if (r)
        return xt_error_trace(r);
    xt_buf text = XT_BUF_ON(note);
    xt_buf_printf(&text, "%s %.*s ", s.id[0] ? "host" : "group", (int)(what.n < 100 ? what.n : 100), what.p);
    if (for_ms)
        xt_buf_printf(&text, "is paused for %lld s", (long long)for_ms / 1000);
    else
        xt_buf_puts(&text, "is paused no more");
    if (why.n)
        xt_buf_printf(&text, ": %.*s", (int)(why.n < 200 ? why.n : 200), why.p);
    note[text.n] = '\0';
    xt_policies_note(p, for_ms ? "paused-host" : "resumed-host", who, note);
    xt_policies_changed(p);
    return 0;
}

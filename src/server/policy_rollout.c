/*
 * The hosts of a wave are those whose hash is at most a bound, which is chosen so that they are the wave's percent, one at least. So who has
 * a version can be told of any host at any time, and a later wave holds the earlier ones.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "server/policies_private.h"
#include "server/secret.h"

enum { BEGINS_MS = 8000 }; /* longer than a turn: a wave that began since the one before */

int xt_rollout_load(xt_policies *p, xt_slice group, xt_rollout *ret, xt_problem *problem)
{
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;
    xt_state_lock(p->state);
    int r = xt_state_select(p->state, problem, &stmt,
                            "SELECT grp, version, previous, waves, wave, bound, soak_ms, wave_ms, state, reason FROM "
                            "policy_rollouts WHERE grp = ?",
                            "s", group);
    if (r == 0 && (r = xt_state_next(p->state, stmt, problem)) == 1) {
        *ret = (xt_rollout){
            .version = (uint64_t)sqlite3_column_int64(stmt, 1),
            .previous = (uint64_t)sqlite3_column_int64(stmt, 2),
            .wave = (unsigned)sqlite3_column_int64(stmt, 4),
            .bound = (uint64_t)sqlite3_column_int64(stmt, 5),
            .soak_ms = sqlite3_column_int64(stmt, 6),
            .wave_ms = sqlite3_column_int64(stmt, 7),
        };
        xt_state_text(stmt, 0, ret->group, sizeof ret->group);
        xt_state_text(stmt, 3, ret->waves, sizeof ret->waves);
        xt_state_text(stmt, 8, ret->state, sizeof ret->state);
        xt_state_text(stmt, 9, ret->reason, sizeof ret->reason);
        r = 0;
    } else if (r == 0) {
        r = XT_APP_E_NOT_FOUND;
    }
    xt_state_finish(&stmt);
    stmt = NULL;
    xt_state_unlock(p->state);
    return r;
}

static int save(xt_policies *p, const xt_rollout *r, xt_problem *problem)
{
    return xt_error_trace(xt_state_run(
        p->state, problem, NULL,
        "INSERT OR REPLACE INTO policy_rollouts(grp, version, previous, waves, wave, bound, soak_ms, wave_ms, "
        "state, reason) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "ziiziiiizz", r->group, (int64_t)r->version, (int64_t)r->previous, r->waves, (int64_t)r->wave,
        (int64_t)r->bound, r->soak_ms, r->wave_ms, r->state, r->reason));
}

int xt_rollout_swap(xt_policies *p, const xt_rollout *was, const xt_rollout *next, xt_problem *problem)
{
    xt_rollout now = {.version = 0};
    xt_state_lock(p->state);
    int r = xt_rollout_load(p, xt_slice_str(next->group), &now, problem);
    if (r == XT_APP_E_NOT_FOUND)
        r = 0;
    bool same = now.version == was->version && now.wave == was->wave && now.wave_ms == was->wave_ms &&
                strcmp(now.state, was->state) == 0;
    if (r == 0)
        r = same ? save(p, next, problem) : XT_ROLLOUT_E_CHANGED;
    xt_state_unlock(p->state);
    return r;
}

int xt_rollout_of(xt_policies *p, xt_slice group, xt_rollout *ret, xt_problem *problem)
{
    int r = group.n > 0 ? xt_rollout_load(p, group, ret, problem) : XT_APP_E_NOT_FOUND;
    return r == XT_APP_E_NOT_FOUND ? xt_rollout_load(p, XT_S(XT_POLICY_ALL_HOSTS), ret, problem) : r;
}

uint64_t xt_rollout_version(const xt_rollout *r, xt_slice host_id)
{
    if (strcmp(r->state, "back") == 0)
        return r->previous;
    return strcmp(r->state, "done") == 0 || xt_slice_hash(host_id) <= r->bound ? r->version : r->previous;
}

unsigned xt_rollout_percent(const xt_rollout *r)
{
    xt_slice rest = xt_slice_str(r->waves), one;
    uint64_t percent = 100;
    for (unsigned i = 0; xt_slice_cut(&rest, ',', &one); i++)
        if (i == r->wave && xt_slice_parse_u64(xt_slice_trim(one), &percent))
            return (unsigned)percent;
    return 100;
}

int xt_rollout_decides(xt_policies *p, const xt_rollout *r, const char *host_group, bool *ret, xt_problem *problem)
{
    xt_rollout own;
    if (strcmp(r->group, XT_POLICY_ALL_HOSTS) != 0) {
        *ret = strcmp(r->group, host_group) == 0;
        return 0;
    }
    int found = host_group[0] ? xt_rollout_load(p, xt_slice_str(host_group), &own, problem) : XT_APP_E_NOT_FOUND;
    *ret = found == XT_APP_E_NOT_FOUND;
    return found == XT_APP_E_NOT_FOUND ? 0 : found;
}

/* ------------------------------------------------------------------------------------------------- the hosts */

/* A pass over the hosts that a roll-out decides for. */
typedef struct pass {
    xt_policies *p;
    const xt_rollout *rollout;
    int (*each)(struct pass *pass, const xt_host *host);
    xt_problem *problem;
    xt_buf hashes;         /* of each, u64 */
    xt_wave_side sides[2]; /* without the version, with it */
    int64_t now_ms;
    bool marks;
} pass;

static int on_host(void *context, const xt_host *host)
{
    pass *w = context;
    bool decides = false;
    if (host->revoked || host->imported)
        return 0;
    int r = xt_rollout_decides(w->p, w->rollout, host->group, &decides, w->problem);
    return r == 0 && decides ? w->each(w, host) : r;
}

static int put_hash(pass *w, const xt_host *host)
{
    xt_buf_put_u64(&w->hashes, xt_slice_hash(xt_slice_str(host->id)));
    return xt_buf_done(&w->hashes);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

int xt_rollout_choose(xt_policies *p, xt_rollout *r, xt_problem *problem)
{
    unsigned percent = xt_rollout_percent(r);
    pass w = {.p = p, .rollout = r, .each = put_hash, .problem = problem};
    int outcome = xt_hosts_list(p->hosts, on_host, &w);
    size_t n = w.hashes.n / sizeof(uint64_t), wanted = (n * percent + 99) / 100;
    uint64_t *hashes = (uint64_t *)(void *)w.hashes.p;
    if (outcome == 0 && (percent >= 100 || n == 0)) {
        r->bound = percent >= 100 ? UINT64_MAX : UINT64_MAX / 100 * percent;
    } else if (outcome == 0) {
        qsort(hashes, n, sizeof *hashes, compare);
        uint64_t bound = hashes[wanted > 0 ? wanted - 1 : 0];
        r->bound = bound > r->bound ? bound : r->bound; /* never fewer than before */
    }
    xt_buf_fini(&w.hashes);
    return outcome;
}

/* ------------------------------------------------------------------------------------------------- judging */

/* Of every host, whether a roll-out decides for it or not: what was before one begins is known then. */
static int take_sample(void *context, const xt_host *host)
{
    pass *w = context;
    if (host->revoked || host->imported)
        return 0;
    pthread_mutex_lock(&w->p->lock);
    xt_sample *sample = xt_policies_sample(w->p, xt_slice_str(host->id));
    if (sample)
        xt_wave_host_take(&sample->wave, host->lost + host->spool_dropped, host->cpu_us, host->coverage.beat_ms,
                          w->now_ms);
    pthread_mutex_unlock(&w->p->lock);
    return sample ? 0 : xt_error_origin(-ENOMEM);
}

/* This version, and not one that was before it. */
static bool refuses(const xt_sample *sample, const xt_rollout *rollout)
{
    return sample->refused && sample->refused == sample->serial && sample->version == rollout->version &&
           sample->group == xt_slice_hash(xt_slice_str(rollout->group));
}

static int judge_host(pass *w, const xt_host *host)
{
    xt_slice id = xt_slice_str(host->id);
    bool has_policy = xt_rollout_version(w->rollout, id) == w->rollout->version;
    pthread_mutex_lock(&w->p->lock);
    xt_sample *known = xt_map_find(&w->p->samples, id);
    xt_wave_host *sample = known ? &known->wave : NULL;
    if (sample && sample->is_known) {
        if (w->marks)
            xt_wave_host_mark(sample);
        xt_wave_host_give(sample, has_policy);
        sample->is_refused = refuses(known, w->rollout);
        xt_wave_side_add(&w->sides[has_policy], sample);
    }
    pthread_mutex_unlock(&w->p->lock);
    return 0;
}

static int go_on(xt_policies *p, const xt_rollout *was, int64_t now_ms, xt_problem *problem)
{
    char text[160];
    xt_rollout r = *was;
    int outcome = 0;
    if (r.bound == UINT64_MAX || xt_rollout_percent(&r) >= 100) {
        xt_text_copy(r.state, sizeof r.state, XT_S("done"));
        snprintf(text, sizeof text, "policy %s %llu is rolled out to all of its hosts", r.group,
                 (unsigned long long)r.version);
    } else {
        r.wave++;
        r.wave_ms = now_ms;
        outcome = xt_rollout_choose(p, &r, problem);
        snprintf(text, sizeof text, "policy %s %llu goes to %u %% of its hosts", r.group, (unsigned long long)r.version,
                 xt_rollout_percent(&r));
    }
    if (outcome == 0)
        outcome = xt_rollout_swap(p, was, &r, problem);
    if (outcome)
        return outcome;
    xt_policies_note(p, "rolled-out-policy", XT_S_NULL, text);
    xt_policies_changed(p);
    return 0;
}

static int halt(xt_policies *p, const xt_rollout *was, const char *reason, xt_problem *problem)
{
    char text[400];
    xt_rollout r = *was;
    xt_text_copy(r.state, sizeof r.state, XT_S("halted"));
    xt_text_copy(r.reason, sizeof r.reason, xt_slice_str(reason));
    int outcome = xt_rollout_swap(p, was, &r, problem);
    if (outcome)
        return outcome;
    snprintf(text, sizeof text, "the roll-out of policy %s %llu halts by itself at %u %%: %s", r.group,
             (unsigned long long)r.version, xt_rollout_percent(&r), reason);
    xt_log(XT_LOG_WARN, "%s", text);
    xt_policies_note(p, "halted-policy", XT_S_NULL, text);
    return 0;
}

static int turn_one(xt_policies *p, xt_slice group, xt_problem *problem)
{
    char reason[256];
    xt_rollout r;
    int outcome = xt_rollout_load(p, group, &r, problem);
    if (outcome)
        return outcome == XT_APP_E_NOT_FOUND ? 0 : outcome;
    int64_t now_ms = xt_clock_wall_ms(p->clock);
    pass w = {.p = p, .rollout = &r, .each = judge_host, .problem = problem, .now_ms = now_ms};
    w.marks = now_ms - r.wave_ms < BEGINS_MS;
    outcome = xt_hosts_list(p->hosts, on_host, &w);
    if (outcome || strcmp(r.state, "rolling") != 0)
        return outcome;
    if (xt_wave_judge(&w.sides[1], &w.sides[0], reason) != XT_WAVE_GOOD)
        outcome = halt(p, &r, reason, problem);
    else if (now_ms - r.wave_ms >= r.soak_ms)
        outcome = go_on(p, &r, now_ms, problem);
    return outcome == XT_ROLLOUT_E_CHANGED ? 0 : outcome; /* what somebody did meanwhile holds */
}

static int list_groups(xt_policies *p, xt_buf *out, xt_problem *problem)
{
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;
    xt_state_lock(p->state);
    int r = xt_state_select(p->state, problem, &stmt, "SELECT grp FROM policy_rollouts ORDER BY grp", "");
    while (r == 0 && (r = xt_state_next(p->state, stmt, problem)) == 1) {
        xt_buf_put_block(out, xt_sqlite_slice(stmt, 0));
        r = 0;
    }
    xt_state_finish(&stmt);
    stmt = NULL;
    xt_state_unlock(p->state);
    return r ? r : xt_buf_done(out);
}

int xt_policies_turn(xt_policies *p, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf groups = XT_BUF_INIT;
    pass w = {.p = p, .problem = reterr_problem, .now_ms = xt_clock_wall_ms(p->clock)};
    int r = xt_hosts_list(p->hosts, take_sample, &w);
    if (r == 0)
        r = list_groups(p, &groups, reterr_problem);
    xt_reader reader = xt_reader_of(xt_buf_slice(&groups));
    while (r == 0 && xt_reader_left(&reader) > 0)
        r = turn_one(p, xt_reader_block(&reader), reterr_problem);
    return xt_error_fold(r);
}

/*
 * What a start-up file runs and what a person types are the same programs, below the same shell. Three things together
 * tell them apart, and a doubt in any of them shows the event:
 *
 *   when   the shell has just begun (argv[0] begins with `-`, a terminal, no arguments), and each exec follows the one
 *          before it within `quiet`: nobody reads a prompt and types that fast. `max` ends it in any case;
 *   what   the rule's own list of programs and arguments that start-up files run (`startup`), and what those run in turn;
 *   order  the first exec that is not on the list ends it for good: a script sent down the line has no pauses, but
 *          begins with something of its own.
 *
 * Before the shell, PAM runs the message of the day as root: `session`, run by the very process that the kernel's LOGIN
 * record named, and what it runs in turn, until the first exec that is none of these. So the command of `ssh HOST COMMAND`
 * is never hidden: no process of the user's is a child of that one.
 *
 * A session is kept only while one of the two is under way. Pids are remembered for that time alone, so that a pid used
 * again cannot inherit a tag.
 */
#include "detect/noise.h"

#include <errno.h>
#include <stdlib.h>

#include "detect/ruleset.h"
#include "detect/sigma_match.h"

#define MAX_SESSIONS 16384
#define MAX_TAGGED   32 /* processes whose children are tagged too; the oldest is forgotten first */

struct session {
    struct {
        xt_hash128 host;
        uint64_t ses;
    } key;
    struct session *older, *newer;
    bool is_shell;     /* a login shell is starting; else PAM is at work */
    uint64_t root_pid; /* the login shell, or the process of the LOGIN record */
    int64_t start_ms, last_ms;
    uint64_t tagged[MAX_TAGGED];
    unsigned n_tagged; /* ever; the ring holds the last ones */
};

struct xt_noise_state {
    xt_map sessions;
    struct session *newest, *oldest;
};

int xt_noise_state_new(xt_noise_state **ret)
{
    *ret = calloc(1, sizeof **ret);
    return *ret ? 0 : xt_error_origin(-ENOMEM);
}

static void unlink_session(xt_noise_state *state, struct session *s)
{
    *(s->older ? &s->older->newer : &state->oldest) = s->newer;
    *(s->newer ? &s->newer->older : &state->newest) = s->older;
    s->older = s->newer = NULL;
}

static void link_newest(xt_noise_state *state, struct session *s)
{
    s->older = state->newest;
    *(state->newest ? &state->newest->newer : &state->oldest) = s;
    state->newest = s;
}

static void drop_session(xt_noise_state *state, struct session *s)
{
    xt_map_remove(&state->sessions, xt_slice_of(&s->key, sizeof s->key));
    unlink_session(state, s);
    free(s);
}

xt_noise_state *xt_noise_state_free(xt_noise_state *state)
{
    if (!state)
        return NULL;
    while (state->oldest)
        drop_session(state, state->oldest);
    xt_map_fini(&state->sessions);
    free(state);
    return NULL;
}

static void set_key(struct session *s, const xt_event *event)
{
    xt_slice id = xt_event_bytes(event, XT_F_HOST_ID);

    s->key.host = xt_slice_hash128(id.n ? id : xt_event_bytes(event, XT_F_HOST));
    s->key.ses = xt_event_num(event, XT_F_SES, 0);
}

static struct session *find_session(xt_noise_state *state, const xt_event *event)
{
    struct session like;

    set_key(&like, event);
    return xt_map_find(&state->sessions, xt_slice_of(&like.key, sizeof like.key));
}

/* Begins anew for the event's session, with its process as the root. */
static int begin_session(xt_noise_state *state, const xt_event *event, bool is_shell)
{
    struct session *s = find_session(state, event);
    int r;

    if (s) {
        unlink_session(state, s);
    } else {
        if (state->sessions.n >= MAX_SESSIONS)
            drop_session(state, state->oldest);
        s = calloc(1, sizeof *s);
        if (!s)
            return xt_error_origin(-ENOMEM);
        set_key(s, event);
        r = xt_map_put(&state->sessions, xt_slice_of(&s->key, sizeof s->key), s, NULL);
        if (r) {
            free(s);
            return xt_error_trace(r);
        }
    }
    link_newest(state, s);
    s->is_shell = is_shell;
    s->root_pid = xt_event_num(event, XT_F_PID, 0);
    s->start_ms = s->last_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0);
    s->n_tagged = 0;
    return 0;
}

static bool is_tagged(const struct session *s, uint64_t pid)
{
    for (unsigned i = 0; i < s->n_tagged && i < MAX_TAGGED; i++)
        if (s->tagged[i] == pid)
            return true;
    return false;
}

static void remember(struct session *s, const xt_event *event)
{
    uint64_t pid = xt_event_num(event, XT_F_PID, 0);
    int64_t time_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0);

    if (!is_tagged(s, pid))
        s->tagged[s->n_tagged++ % MAX_TAGGED] = pid;
    if (time_ms > s->last_ms)
        s->last_ms = time_ms;
}

/* Alone on its command line, under a name that begins with `-`, at a terminal. */
static bool is_login_shell(const xt_event *event)
{
    xt_slice tty = xt_event_bytes(event, XT_F_TTY), args = xt_event_bytes(event, XT_F_ARGS), name;
    xt_list_iter iter = xt_list_iterate(args);

    return xt_sigma_is_process(event) && tty.n && !xt_slice_eq(tty, XT_S("(none)")) && xt_list_count(args) == 1 &&
           xt_list_next(&iter, &name) && name.n > 1 && name.p[0] == '-';
}

static bool is_over(const xt_noise_rule *rule, const struct session *s, const xt_event *event)
{
    int64_t time_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0);

    return time_ms - s->start_ms > rule->max_ms || (s->is_shell && time_ms - s->last_ms > rule->quiet_ms);
}

/* True when the rule's list, or a tagged parent, says that this exec belongs to the start. */
static bool belongs(xt_sigma_match *m, const xt_noise_rule *rule, const struct session *s)
{
    uint64_t pid = xt_event_num(m->event, XT_F_PID, 0), ppid = xt_event_num(m->event, XT_F_PPID, 0);
    bool listed = false;

    if (xt_sigma_is_process(m->event) && s->is_shell)
        listed = xt_sigma_match_eval(m, rule->startup);
    else if (xt_sigma_is_process(m->event))
        listed = ppid == s->root_pid && xt_sigma_match_eval(m, rule->session);
    if (!listed && !is_tagged(s, pid) && !is_tagged(s, ppid))
        return false;
    return !rule->shown || !xt_sigma_match_eval(m, rule->shown);
}

static int tag_session(const xt_noise_rule *rule, xt_noise_state *state, struct session *s, xt_sigma_match *m,
                       bool *ret_tagged)
{
    if (is_over(rule, s, m->event)) {
        drop_session(state, s);
        return 0;
    }
    *ret_tagged = belongs(m, rule, s);
    if (m->error)
        return 0; /* told at the end of the match */
    if (*ret_tagged)
        remember(s, m->event);
    else if (xt_sigma_is_process(m->event))
        drop_session(state, s);
    return 0;
}

static int tag_login_shell(const xt_noise_rule *rule, xt_noise_state *state, xt_sigma_match *m, bool *ret_tagged)
{
    const xt_event *event = m->event;
    struct session *s;

    if (!xt_event_has(event, XT_F_SES) || !xt_event_has(event, XT_F_PID))
        return 0;
    if (xt_slice_eq(xt_event_bytes(event, XT_F_ACTION), XT_S("changed-login-id")))
        return begin_session(state, event, false);
    if (!xt_slice_eq(xt_event_bytes(event, XT_F_ACTION), XT_S("executed")))
        return 0;
    if (is_login_shell(event))
        return begin_session(state, event, true);
    s = find_session(state, event);
    return s ? tag_session(rule, state, s, m, ret_tagged) : 0;
}

static int tag_by_rule(const xt_noise_rule *rule, xt_noise_state *state, xt_sigma_match *m, bool *ret_tagged)
{
    *ret_tagged = false;
    if (rule->kind == XT_NOISE_LOGIN_SHELL)
        return tag_login_shell(rule, state, m, ret_tagged);
    *ret_tagged = (rule->scope == XT_SIGMA_EVENT || xt_sigma_is_process(m->event)) &&
                  xt_sigma_match_eval(m, rule->detection.condition);
    return 0;
}

/* Every rule sees the event, so that no state misses one; the first that fits names it. */
static int tag_by_all(const xt_ruleset *set, xt_noise_state *state, xt_sigma_match *m, xt_slice *ret_name)
{
    for (size_t i = 0; i < set->n_noise; i++) {
        bool tagged;
        int r = tag_by_rule(&set->noise[i], state, m, &tagged);
        if (r)
            return xt_error_trace(r);
        if (tagged && ret_name->n == 0)
            *ret_name = set->noise[i].name;
    }
    return 0;
}

int xt_noise_tag(const xt_ruleset *set, xt_noise_state *state, const xt_event *event, xt_arena *arena,
                 xt_slice *ret_name)
{
    xt_arena_mark mark = xt_arena_mark_get(arena);
    xt_slice name = XT_S("");
    xt_sigma_match m;
    int r = 0, ended;

    if (set->n_noise) {
        r = xt_sigma_match_begin(&m, &set->program, event, arena);
        if (!r) {
            r = tag_by_all(set, state, &m, &name);
            ended = xt_sigma_match_end(&m);
            r = r ? r : ended;
        }
        xt_arena_mark_reset(arena, mark);
    }
    if (r)
        return xt_error_trace(r);
    *ret_name = name;
    return 0;
}

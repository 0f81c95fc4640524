/*
 * How it works: what is in force is the host's own settings, with what the server's order says laid over them where the host lets it.
 * An order is checked here, by the process that carries it out: the shipper only passes it on. Rules are changed before
 * anything else, because only they can be refused: then nothing else has changed.
 *
 * A pause takes all of the agent's rules away and stops the canary; execs of that time are not held against audit.
 */
#include "agent/beat_book.h"
#include "agent/channel.h"
#include "agent/collector_private.h"
#include "agent/rule_groups.h"
#include "audit/policy.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "base/utf8.h"

#define POLICY_ARENA_BYTES ((size_t)4 << 20)
#define OTHER_HOST         "policies for that one are refused (to enrol anew, remove STATE/shipper)"
#define NOTE_MS            60000 /* how often it is written down what is left of a pause */
#define EXCUSED_MS         1000  /* rules take effect a little later than they are loaded */

/* ---------------------------------------------------------------------------------------------------- settings */

static const char *source_of(const xt_policy_order *order, char ret[static 128])
{
    xt_buf out = {.p = ret, .cap = 128, .max_bytes = 127};
    xt_buf_printf(&out, "policy %.*s %llu", (int)(order->name.n < 64 ? order->name.n : 64), order->name.p,
                  (unsigned long long)order->version);
    ret[out.n] = '\0';
    return ret;
}

static xt_policy_time now_of(const xt_collector *c)
{
    return (xt_policy_time){
        .wall_ms = xt_clock_wall_ms(&xt_clock_system), .up_ms = xt_beat_now_ms(), .boot_id = c->base_settings->boot_id};
}

/* When the pause will end, by the wall clock as it is now; 0: there is none. */
static int64_t paused_until_ms(const xt_collector *c)
{
    const xt_policy_time now = now_of(c);
    int64_t left_ms = xt_policy_store_left_ms(&c->policy.store, &now);
    return left_ms ? now.wall_ms + left_ms : 0;
}

static unsigned allowed(const xt_collector *c)
{
    return c->base_settings->policy_words;
}

/* The optional rules: the host's own, and the policy's where it lets it. */
static int make_groups(xt_collector *c, const xt_policy *policy, xt_rule_is_folder is_folder, xt_rule_book *out,
                       xt_problem *problem)
{
    int r = xt_rule_groups_add(out, xt_slice_str(c->base_settings->rules), is_folder, problem);
    for (size_t i = 0; r == 0 && (allowed(c) & XT_POLICY_RULES) && i < policy->n_groups; i++) {
        const xt_policy_group *group = &policy->groups[i];
        char name[40];
        xt_buf z = XT_BUF_ON(name);
        xt_buf_put(&z, group->name);
        name[z.n] = '\0';
        for (size_t k = 0; r == 0 && k < group->n; k++)
            r = xt_rule_book_add(out, name, group->rules[k].data, group->rules[k].n_bytes, problem);
    }
    return r;
}

static void send_spool(xt_collector *c)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_buf_put_varint(&out, c->effective.spool_bytes);
    if (xt_buf_done(&out) < 0 || xt_collector_send(c, XT_CHANNEL_SPOOL, xt_buf_slice(&out)) < 0)
        xt_log(XT_LOG_DEBUG, "the bound of the spool was not taken");
}

/* What can be changed while the agent runs. */
static void lay_over(xt_collector *c, const xt_policy *policy)
{
    unsigned has = policy->has & allowed(c);
    const xt_agent_settings *base = c->base_settings;
    c->effective.exits = has & XT_POLICY_EXITS ? policy->exits : base->exits;
    c->effective.canary_ms = has & XT_POLICY_CANARY ? policy->canary_s * 1000 : base->canary_ms;
    c->effective.protect = !(has & XT_POLICY_PROTECT) ? base->protect
                           : policy->protects_record  ? XT_PROTECT_RECORD
                                                      : XT_PROTECT_HOST;
    c->effective.cpu_limit = has & XT_POLICY_CPU ? (unsigned)policy->cpu_percent : base->cpu_limit;
    c->effective.spool_bytes = has & XT_POLICY_SPOOL ? policy->spool_mib << 20 : base->spool_bytes;
}

/* The backlog follows `protect`; the connector's buffer at the next start. What the agent changes itself is no drift. */
static void put_protect(xt_collector *c)
{
    xt_problem problem = XT_PROBLEM_INIT;
    c->watch.limits = xt_protect_limits_get(c->effective.protect);
    if (xt_watch_has_drifted(&c->watch, XT_WATCH_BACKLOG) &&
        xt_watch_repair(&c->watch, XT_WATCH_BACKLOG, &problem) != 0)
        xt_log_problem(XT_LOG_WARN, &problem);
    if (c->watch.control && xt_watch_status(&c->watch, &problem) == 0) {
        c->seen.backlog_limit = c->watch.status.backlog_limit;
        c->seen.backlog_wait_time = c->watch.status.backlog_wait_time;
    }
    memcpy(c->seen.rules_hash, c->watch.rules_hash, sizeof c->seen.rules_hash);
}

static void put_in_force(xt_collector *c)
{
    put_protect(c);
    bool paused = xt_watch_is_paused(&c->watch);
    c->canary.interval_ms = paused ? 0 : c->effective.canary_ms;
    send_spool(c);
}

/* ---------------------------------------------------------------------------------------------------- telling */

void xt_collector_policy_tell(xt_collector *c)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    const xt_policy_state state = {
        .serial = c->policy.serial,
        .outcome = c->policy.outcome,
        .paused_until_ms = (uint64_t)paused_until_ms(c),
        .sentence = xt_slice_str(c->policy.sentence),
    };
    if (c->family.shipper_fd < 0)
        return;
    xt_policy_state_put(&out, &state);
    if (xt_buf_done(&out) < 0 || xt_collector_send(c, XT_CHANNEL_POLICY_STATE, xt_buf_slice(&out)) < 0)
        xt_log(XT_LOG_DEBUG, "the policy's state was not taken");
}

static void conclude(xt_collector *c, uint64_t serial, uint64_t outcome, const char *sentence)
{
    size_t n = strlen(sentence), room = sizeof c->policy.sentence - 1;
    c->policy.serial = serial;
    c->policy.outcome = outcome;
    memmove(c->policy.sentence, sentence, n < room ? n : room);
    c->policy.sentence[n <= room ? n : xt_text_mark_cut(c->policy.sentence, room)] = '\0';
    xt_collector_policy_tell(c);
}

static void say_pause(xt_collector *c, const xt_policy_order *order)
{
    char until[25];
    xt_timestamp_format(paused_until_ms(c), until);
    xt_log(XT_LOG_WARN, "paused until %s by %.*s: %.*s", until, XT_S_ARGS(order->who), XT_S_ARGS(order->why));
    xt_collector_say(c, "paused", "nothing is recorded until %s: paused by %.*s: %.*s", until, XT_S_ARGS(order->who),
                     XT_S_ARGS(order->why));
}

static void say_resumed(xt_collector *c, const char *how)
{
    xt_log(XT_LOG_INFO, "the pause is over: %s", how);
    xt_collector_say(c, "resumed", "recording goes on: %s", how);
}

/* ---------------------------------------------------------------------------------------------------- orders */

static void excuse(xt_collector *c)
{
    if (c->witness)
        xt_witness_excuse(c->witness, (uint64_t)(xt_clock_mono_ms(&xt_clock_system) + EXCUSED_MS) * 1000000);
}

/* Carries out what the order says; <>0: nothing changed. */
static int apply(xt_collector *c, const xt_policy_order *order, bool paused, bool strict, xt_arena *arena,
                 xt_problem *problem)
{
    char source[128];
    xt_policy policy = {0};
    xt_rule_book groups;
    int r = xt_policy_parse(order->text, source_of(order, source), xt_rule_is_folder_now, arena, &policy, problem);
    if (r != 0)
        return r;
    xt_rule_book_init(&groups);
    r = paused ? 0 : make_groups(c, &policy, xt_rule_is_folder_now, &groups, problem);
    if (r == 0 && paused)
        excuse(c);
    if (r == 0 && c->watch.mode != XT_WATCH_TEXT)
        r = xt_watch_change(&c->watch, &groups, paused, strict, problem);
    if (r == 0 && !paused)
        excuse(c);
    xt_rule_book_fini(&groups);
    if (r == 0) {
        lay_over(c, &policy);
        put_in_force(c);
        c->policy.pinned = policy.has & ~allowed(c);
    }
    return r;
}

static void refuse(xt_collector *c, uint64_t serial, const char *name, const xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_problem_format(problem, &text);
    xt_buf_putc(&text, '\0');
    const char *sentence = xt_buf_done(&text) == 0 ? text.p : problem->sentence;
    xt_log(XT_LOG_ERROR, "%s is refused, and everything is as it was: %s", name, sentence);
    xt_collector_say(c, "policy-refused", "%s is refused, and everything is as it was: %s", name, sentence);
    if (serial)
        conclude(c, serial, XT_POLICY_REFUSED, sentence);
}

static void applied(xt_collector *c, const xt_policy_order *order, const char *name)
{
    xt_log(XT_LOG_INFO, "%s is in force", order->name.n ? name : "no policy");
    xt_collector_say(c, "policy-applied", "%s is in force%s", order->name.n ? name : "no policy",
                     c->policy.pinned ? "; the host's own settings keep some of it away" : "");
    conclude(c, order->serial, c->policy.pinned ? XT_POLICY_PINNED : XT_POLICY_APPLIED, "");
}

/* A pause that the host does not allow is no reason to refuse the rest. */
static bool wants_pause(const xt_collector *c, const xt_policy_order *order)
{
    return (allowed(c) & XT_POLICY_PAUSE) && xt_policy_pause_left_ms(order, xt_clock_wall_ms(&xt_clock_system)) > 0;
}

/* Kept back on its way, or this host's clock is ahead of the server's. */
static void say_late(xt_collector *c, const xt_policy_order *order)
{
    if (order->pause_ms == 0 || !(allowed(c) & XT_POLICY_PAUSE))
        return;
    xt_log(XT_LOG_WARN, "a pause came that was over already, by this host's clock");
    xt_collector_say(c, "resumed", "a pause came that was over already, by this host's clock: recording goes on");
}

static void carry_out(xt_collector *c, const xt_policy_message *message, const xt_policy_order *order)
{
    char name[128];
    xt_problem problem = XT_PROBLEM_INIT;
    const xt_policy_time now = now_of(c);
    xt_arena arena;
    bool was_paused = xt_watch_is_paused(&c->watch), paused = wants_pause(c, order);
    bool same = xt_policy_store_has_order(&c->policy.store) && c->policy.store.order.version == order->version &&
                xt_slice_eq(c->policy.store.order.name, order->name) &&
                xt_slice_eq(c->policy.store.order.text, order->text);
    xt_arena_init(&arena, POLICY_ARENA_BYTES);
    source_of(order, name);
    int r = allowed(c) ? apply(c, order, paused, true, &arena, &problem) : XT_ORDER_E_REFUSED;
    if (!allowed(c))
        xt_problem_set(&problem, "the host's own settings say: policy = off");
    if (r == 0) {
        xt_problem later = XT_PROBLEM_INIT;
        r = xt_policy_store_keep(&c->policy.store, message, &now, &problem);
        if (r != 0 && xt_policy_store_has_order(&c->policy.store) &&
            apply(c, &c->policy.store.order, was_paused, false, &arena, &later) != 0)
            xt_log_problem(XT_LOG_ERROR, &later);
    }
    if (r != 0) {
        refuse(c, order->serial, name, &problem);
    } else {
        if (!paused)
            c->policy.store.pause_end_ms = 0;
        if (!same)
            applied(c, &c->policy.store.order, name);
        else
            conclude(c, order->serial, c->policy.pinned ? XT_POLICY_PINNED : XT_POLICY_APPLIED, "");
        if (paused)
            say_pause(c, &c->policy.store.order);
        else if (was_paused)
            say_resumed(c, "somebody ended the pause");
        else
            say_late(c, &c->policy.store.order);
        xt_collector_beat(c);
    }
    xt_arena_fini(&arena);
}

static void take(xt_collector *c, xt_slice payload)
{
    xt_policy_message message;
    xt_policy_order order;
    xt_problem problem = XT_PROBLEM_INIT;
    const xt_policy_time now = now_of(c);
    int r = xt_policy_store_take(&c->policy.store, payload, &now, &message, &order, &problem);
    if (r != 0 && r != XT_POLICY_STORE_SAME) {
        refuse(c, 0, "what came as a policy", &problem);
    } else if (r == 0) {
        carry_out(c, &message, &order);
        return;
    }
    xt_collector_policy_tell(c);
}

void xt_collector_policy_take(xt_collector *c, xt_slice payload)
{
    if (c->watching && !c->end && xt_policy_gate_order(&c->policy.gate, payload, xt_clock_mono_ms(&xt_clock_system)))
        take(c, payload);
}

/* What came too soon, and what came too often. */
static void gate_turn(xt_collector *c)
{
    XT_CLEANUP(xt_buf_fini) xt_buf order = XT_BUF_INIT;
    int64_t now_ms = xt_clock_mono_ms(&xt_clock_system);
    if (xt_policy_gate_next(&c->policy.gate, now_ms, &order))
        take(c, xt_buf_slice(&order));
    uint64_t n = xt_policy_gate_tell(&c->policy.gate, now_ms);
    if (n == 0)
        return;
    xt_log(XT_LOG_WARN, "%llu messages about policies were passed over: too many, or too long", (unsigned long long)n);
    xt_collector_say(c, "policy-refused", "%llu messages about policies were passed over: too many, or too long",
                     (unsigned long long)n);
}

/* The shipper says which CAs there are now; that one of those before vouches for them is seen here. */
void xt_collector_trust_take(xt_collector *c, xt_slice payload)
{
    xt_problem problem = XT_PROBLEM_INIT;
    if (!c->watching || c->end || !xt_policy_gate_open(&c->policy.gate, xt_clock_mono_ms(&xt_clock_system)))
        return;
    int r = xt_policy_store_trust(&c->policy.store, payload, &problem);
    if (r == 0) {
        xt_log(XT_LOG_INFO, "the CAs whose policies are believed changed: the one before vouches for them");
        xt_collector_say(c, "policy-ca-changed",
                         "the CAs whose policies are believed changed: the one before vouches for them");
    } else if (r != XT_POLICY_STORE_SAME) {
        xt_log_problem(XT_LOG_WARN, &problem);
    }
}

/* ---------------------------------------------------------------------------------------------- start, turns */

/* The policy that stands in the state folder; nothing where it cannot be read any more, which the log says. */
static void stored_policy(xt_collector *c, xt_rule_is_folder is_folder, xt_arena *arena, xt_policy *ret)
{
    xt_problem wrong = XT_PROBLEM_INIT;
    char source[128];
    const xt_policy_order *order = &c->policy.store.order;
    *ret = (xt_policy){0};
    if (!xt_policy_store_has_order(&c->policy.store) || !allowed(c) ||
        xt_policy_parse(order->text, source_of(order, source), is_folder, arena, ret, &wrong) == 0)
        return;
    xt_log_problem(XT_LOG_WARN, &wrong);
    *ret = (xt_policy){0};
}

/* Mistakes in the rules are found before audit is changed; which of their paths are folders is asked later. */
int xt_collector_policy_open(xt_collector *c, xt_problem *problem)
{
    xt_policy policy;
    xt_rule_book groups;
    xt_arena arena;
    const xt_policy_time now = now_of(c);
    if (c->family.shipper_fd >= 0)
        xt_policy_store_open(&c->policy.store, c->base_settings->state, c->base_settings->token, c->host_id, &now);
    xt_arena_init(&arena, POLICY_ARENA_BYTES);
    xt_rule_book_init(&groups);
    stored_policy(c, NULL, &arena, &policy);
    if (xt_policy_store_has_order(&c->policy.store) && allowed(c)) {
        c->policy.pinned = policy.has & ~allowed(c);
        c->policy.serial = c->policy.store.order.serial;
        c->policy.outcome = c->policy.pinned ? XT_POLICY_PINNED : XT_POLICY_APPLIED;
        lay_over(c, &policy);
    }
    int r = make_groups(c, &policy, NULL, &groups, problem);
    xt_rule_book_fini(&groups);
    xt_arena_fini(&arena);
    return r;
}

/* Where audit is locked no rule can be changed; after a pause they come with the exec rules. */
int xt_collector_policy_groups(xt_collector *c, xt_problem *problem)
{
    xt_policy policy;
    xt_rule_book groups;
    xt_arena arena;
    if (!c->watch.changed || xt_watch_is_paused(&c->watch))
        return 0;
    xt_arena_init(&arena, POLICY_ARENA_BYTES);
    xt_rule_book_init(&groups);
    stored_policy(c, xt_rule_is_folder_now, &arena, &policy);
    int r = make_groups(c, &policy, xt_rule_is_folder_now, &groups, problem);
    if (r == 0)
        r = xt_watch_change(&c->watch, &groups, false, false, problem);
    if (r == 0) {
        put_protect(c);
        xt_collector_beat_soon(c);
    }
    xt_rule_book_fini(&groups);
    xt_arena_fini(&arena);
    return r;
}

/* After the watch began: a pause that lasts goes on. */
void xt_collector_policy_begin(xt_collector *c)
{
    xt_problem problem = XT_PROBLEM_INIT;
    if (c->policy.store.is_other_host) {
        xt_log(XT_LOG_WARN, "this host is bound to the id %s, and its shipper says %s: " OTHER_HOST,
               c->policy.store.host_id, c->host_id);
        xt_collector_say(c, "policy-refused", "this host is bound to the id %s, and its shipper says %s: " OTHER_HOST,
                         c->policy.store.host_id, c->host_id);
    }
    if (c->policy.store.pause_end_ms && (allowed(c) & XT_POLICY_PAUSE)) {
        if (xt_watch_change(&c->watch, NULL, true, true, &problem) == 0)
            say_pause(c, &c->policy.store.order);
        else
            xt_log_problem(XT_LOG_WARN, &problem);
    }
    put_in_force(c);
    xt_collector_policy_tell(c);
}

void xt_collector_policy_turn(xt_collector *c)
{
    gate_turn(c);
    if (!xt_watch_is_paused(&c->watch))
        return;
    excuse(c);
    const xt_policy_time now = now_of(c);
    if (now.up_ms < c->policy.store.pause_end_ms) {
        if (now.up_ms - c->policy.noted_ms >= NOTE_MS)
            xt_policy_store_note(&c->policy.store, &now);
        if (now.up_ms - c->policy.noted_ms >= NOTE_MS)
            c->policy.noted_ms = now.up_ms;
        return;
    }
    xt_problem problem = XT_PROBLEM_INIT;
    xt_arena arena;
    xt_arena_init(&arena, POLICY_ARENA_BYTES);
    int r = apply(c, &c->policy.store.order, false, false, &arena, &problem);
    xt_arena_fini(&arena);
    if (r != 0) {
        xt_log_problem(XT_LOG_ERROR, &problem); /* tried again at the next turn */
        return;
    }
    xt_policy_store_unpause(&c->policy.store, &now);
    say_resumed(c, "its time is over");
    conclude(c, c->policy.serial, c->policy.outcome, c->policy.sentence);
    xt_collector_beat(c);
}

void xt_collector_policy_close(xt_collector *c)
{
    xt_policy_gate_fini(&c->policy.gate);
    xt_policy_store_close(&c->policy.store);
}

void xt_collector_policy_status(const xt_collector *c, xt_buf *out)
{
    static const char *const outcomes[] = {"none", "in force", "refused", "in force, but for what this host pins"};
    const xt_policy_store *store = &c->policy.store;
    char name[128];
    if (c->policy.serial == 0)
        return;
    xt_buf_printf(out, "policy=%s: %s\n",
                  xt_policy_store_has_order(store) && store->order.name.n ? source_of(&store->order, name) : "none",
                  outcomes[c->policy.outcome < 4 ? c->policy.outcome : 0]);
    if (c->policy.sentence[0])
        xt_buf_printf(out, "policy_refused=%s\n", c->policy.sentence);
    if (store->pause_end_ms)
        xt_buf_printf(out, "paused_until_ms=%lld\npaused_by=%.*s: %.*s\n", (long long)paused_until_ms(c),
                      XT_S_ARGS(store->order.who), XT_S_ARGS(store->order.why));
}

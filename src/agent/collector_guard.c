/*
 * How it works: at a heartbeat, and soon after a record that tells of a change of audit's settings, what the kernel has is held
 * against what it had and against what the agent set. The heartbeat that shows the drift goes out before it is set back, so
 * that the server knows of the gap, and another one follows at once.
 */
#include <unistd.h>

#include "agent/collector_private.h"
#include "base/clock.h"
#include "base/log.h"

static void say_number(xt_collector *c, const char *what, uint32_t *seen, uint32_t now)
{
    if (now != *seen) {
        xt_log(XT_LOG_WARN, "%s went from %u to %u", what, *seen, now);
        xt_collector_say(c, "audit-changed", "%s went from %u to %u", what, *seen, now);
    }
    *seen = now;
}

static void say_rules(xt_collector *c)
{
    XT_CLEANUP(xt_buf_fini) xt_buf lines = XT_BUF_INIT;
    xt_hash128 blind = xt_slice_hash128(xt_buf_slice(&c->watch.blind));
    if (strcmp(c->seen.rules_hash, c->watch.rules_hash) != 0 && c->seen.rules_hash[0]) {
        xt_watch_drift_put(&c->watch, XT_WATCH_RULES, &lines);
        xt_collector_say(c, "audit-changed", "the loaded audit rules changed (hash %s, was %s): %.*s",
                         c->watch.rules_hash, c->seen.rules_hash, XT_S_ARGS(xt_buf_slice(&lines)));
    }
    if (!xt_hash128_eq(blind, c->seen.blind) && c->watch.blind.n > 0) {
        xt_slice rest = xt_buf_slice(&c->watch.blind), line;
        while (rest.n > 0 && xt_slice_cut(&rest, '\n', &line))
            xt_log(XT_LOG_WARN, "a rule that is not ours hides commands: %.*s", XT_S_ARGS(line));
        xt_collector_say(c, "audit-changed", "rules that are not the agent's hide commands: %.*s",
                         XT_S_ARGS(xt_slice_head(xt_buf_slice(&c->watch.blind), 800)));
    }
    memcpy(c->seen.rules_hash, c->watch.rules_hash, sizeof c->seen.rules_hash);
    c->seen.blind = blind;
}

void xt_collector_guard_see(xt_collector *c)
{
    const xt_audit_status *s = &c->watch.status;
    c->seen.enabled = s->enabled;
    c->seen.audit_pid = s->pid;
    c->seen.backlog_limit = s->backlog_limit;
    c->seen.backlog_wait_time = s->backlog_wait_time;
    c->seen.rate_limit = s->rate_limit;
    c->seen.failure = s->failure;
    memcpy(c->seen.rules_hash, c->watch.rules_hash, sizeof c->seen.rules_hash);
    c->seen.blind = xt_slice_hash128(XT_S_NULL);
    if (s->rate_limit > 0)
        xt_log(XT_LOG_WARN, "audit's rate limit is %u records a second: beyond it records are lost", s->rate_limit);
    if (s->failure == 2)
        xt_log(XT_LOG_WARN, "audit's failure mode is 2: a record that is lost ends this host (auditctl -f)");
}

void xt_collector_guard_compare(xt_collector *c)
{
    const xt_audit_status *s = &c->watch.status;
    bool was_locked = c->seen.enabled == 2;
    say_number(c, "the kernel's audit switch (enabled)", &c->seen.enabled, s->enabled);
    if (s->enabled == 2 && !was_locked)
        xt_collector_say(c, "audit-changed",
                         "audit's settings are locked until the next boot: nothing can be set back");
    say_number(c, "the process that owns the audit socket", &c->seen.audit_pid, s->pid);
    say_number(c, "audit's backlog limit", &c->seen.backlog_limit, s->backlog_limit);
    say_number(c, "audit's backlog wait time (ticks)", &c->seen.backlog_wait_time, s->backlog_wait_time);
    say_number(c, "audit's rate limit (records a second)", &c->seen.rate_limit, s->rate_limit);
    say_number(c, "audit's failure mode", &c->seen.failure, s->failure);
    say_rules(c);
}

/* True when something was set back. */
static bool repair(xt_collector *c, xt_watch_drift what, int64_t now_ms)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_watch_drift_put(&c->watch, what, &text);
    int r = xt_watch_repair(&c->watch, what, &problem);
    int64_t wait_ms = xt_guard_tried(&c->guard, what, r == 0, now_ms);
    if (r == 0) {
        xt_log(XT_LOG_WARN, "set back: %.*s", XT_S_ARGS(xt_buf_slice(&text)));
        xt_collector_say(c, "audit-repaired", "set back: %.*s", XT_S_ARGS(xt_buf_slice(&text)));
    } else {
        xt_log_problem(XT_LOG_WARN, &problem);
        xt_collector_say(c, "audit-not-repaired", "%.*s cannot be set back (%s); the next try is in %lld s",
                         XT_S_ARGS(xt_buf_slice(&text)), r < 0 ? strerror(-r) : problem.sentence,
                         (long long)wait_ms / 1000);
    }
    return r == 0;
}

void xt_collector_guard_repair(xt_collector *c)
{
    int64_t now_ms = xt_clock_mono_ms(&xt_clock_system);
    bool is_changed = false;
    if (!c->settings->repair || c->watch.status.enabled == 2 || c->end)
        return;
    for (unsigned what = 0; what < XT_WATCH_DRIFTS; what++) {
        switch (xt_guard_next(&c->guard, what, xt_watch_has_drifted(&c->watch, what), now_ms)) {
        case XT_GUARD_REPAIR:
            is_changed |= repair(c, what, now_ms);
            break;
        case XT_GUARD_WAIT: {
            XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
            xt_watch_drift_put(&c->watch, what, &text);
            xt_collector_say(c, "audit-not-repaired",
                             "%.*s was changed again after it was set back %u times: somebody wants it otherwise; the "
                             "next try is in %lld s",
                             XT_S_ARGS(xt_buf_slice(&text)), c->guard.states[what].n_tries,
                             (long long)(xt_guard_wait_ms(&c->guard, what, now_ms) + 999) / 1000);
            break;
        }
        default:
            break;
        }
    }
    if (is_changed)
        xt_collector_beat_soon(c);
}

void xt_collector_brake(xt_collector *c, uint64_t cpu_us)
{
    c->brake.limit = c->settings->cpu_limit;
    int change = xt_brake_turn(&c->brake, cpu_us, xt_clock_mono_ms(&xt_clock_system));
    if (change == 0)
        return;
    if (c->witness)
        xt_witness_frugal(c->witness, c->brake.step >= XT_BRAKE_CONTEXT);
    xt_log(XT_LOG_WARN, "%u %% of a CPU, the limit is %u: %s", c->brake.percent, c->brake.limit,
           xt_brake_sentence(c->brake.step));
    xt_collector_say(c, "cpu-limit", "the agent takes %u %% of a CPU, the limit is %u: %s from now on",
                     c->brake.percent, c->brake.limit, xt_brake_sentence(c->brake.step));
}

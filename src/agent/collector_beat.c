/*
 * How it works: a heartbeat reads the kernel's status, compares it with the one before, makes an event of every loss and
 * every change, and tells the shipper and STATE/status. The file is also what the next start measures its gap from.
 */
#include "agent/beat_book.h"
#include "agent/channel.h"
#include "agent/collector_private.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "wire/message.h"

#define RULES_EVERY 6                  /* heartbeats */
#define MAX_WAITING ((size_t)24 << 20) /* for the shipper: what one ring gave, and heartbeats of hours */
#define SETTLE_MS   4000               /* an event comes within that, or not at all */

static bool has_kernel(const xt_collector *c)
{
    return c->watch.control != NULL;
}

static unsigned long long ull(uint64_t v)
{
    return v;
}

static void say_lost(xt_collector *c, uint64_t *seen, uint64_t now, const char *what)
{
    if (now != *seen) {
        xt_log(XT_LOG_WARN, "%llu %s", ull(now - *seen), what);
        xt_collector_say(c, "lost", "%llu %s; %llu since the agent began", ull(now - *seen), what, ull(now));
    }
    *seen = now;
}

/* u32 in the kernel: it may wrap, and auditctl --reset-lost sets it to 0. */
static void compare_lost(xt_collector *c)
{
    uint32_t now = c->watch.status.lost;
    uint32_t before = (uint32_t)c->seen.lost;
    c->seen.lost = now;
    if (now < before)
        c->lost_at_start = 0;
    uint32_t more = now < before ? now : now - before;
    if (more == 0)
        return;
    c->lost_ms = xt_clock_mono_ms(&xt_clock_system);
    xt_log(XT_LOG_WARN, "the kernel lost %u audit records", more);
    xt_collector_say(c, "lost", "the kernel lost %u audit records (lost was %u, is %u)", more, before, now);
}

static void compare_serials(xt_collector *c)
{
    xt_serial_count *s = &c->serials;
    char since[25];
    xt_serial_count_turn(s, xt_beat_now_ms(), SETTLE_MS);
    if (!s->newly)
        return;
    xt_timestamp_format(xt_clock_wall_ms(&xt_clock_system) - (xt_beat_now_ms() - s->since_ms), since);
    xt_log(XT_LOG_WARN, "%llu audit events were made since %s and never seen", ull(s->newly), since);
    xt_collector_say(c, "lost",
                     "%llu audit events were made since %s and never seen: serials between %u and %u are missing",
                     ull(s->newly), since, (uint32_t)s->from, (uint32_t)s->to);
}

/* What was seen and is on disk, of this boot; what the last agent saw and did not get there counts as not seen. */
static void restore_serials(xt_collector *c)
{
    char path[PATH_MAX];
    if (c->watch.mode == XT_WATCH_TEXT || c->input.marks || c->out_fd >= 0) /* a log holds several boots */
        return;
    int n = snprintf(path, sizeof path, "%s/shipper/%s", c->settings->state, XT_SERIAL_FILE);
    if (n > 0 && n < (int)sizeof path && xt_serial_file_read(path, c->settings->boot_id, &c->serials) < 0)
        c->serials = (xt_serial_count){.max = 0};
}

static void compare(xt_collector *c)
{
    xt_netlink_counters counters = c->ring ? xt_ring_counters(c->ring) : (xt_netlink_counters){0};
    if (c->ring)
        say_lost(c, &c->seen.ring_dropped, xt_ring_dropped(c->ring),
                 "audit records found no room in the agent's own memory");
    say_lost(c, &c->seen.n_truncated, counters.n_truncated,
             "audit records were longer than the kernel's limit and cut");
    say_lost(c, &c->seen.n_overruns, counters.n_overruns,
             "times the kernel dropped records because this listener was too slow");
    compare_serials(c);
    if (!has_kernel(c))
        return;
    compare_lost(c);
    xt_collector_guard_compare(c);
}

static void put_witness(xt_collector *c, xt_heartbeat *beat)
{
    beat->n_canary_sent = c->canary.n_sent;
    beat->n_canary_lost = c->canary.n_lost;
    beat->canary_ms = (uint64_t)c->canary.back_ms;
    beat->canary_is_lost = c->canary.is_lost;
    beat->canary_took_ms = (uint64_t)c->canary.took_ms;
    if (!c->witness)
        return;
    xt_witness_stats stats = xt_witness_stats_get(c->witness);
    beat->witness = 1;
    beat->n_exec_both = stats.n_both;
    for (size_t i = 0; i < XT_COUNT_OF(stats.n_unaudited); i++)
        beat->n_exec_unaudited += stats.n_unaudited[i];
    beat->n_exec_unexplained = stats.n_unaudited[XT_UNAUDITED_UNKNOWN];
    beat->n_exec_unwitnessed = stats.n_unwitnessed;
    beat->n_witness_gaps = c->n_gaps;
}

/* The mode's sentence, unless the second witness or the canary told otherwise. */
static void put_completeness(xt_collector *c, xt_heartbeat *beat)
{
    xt_buf out = XT_BUF_ON(c->completeness);
    beat->completeness = xt_slice_str(xt_watch_completeness(c->watch.mode));
    if (c->input.lost_ms > 0)
        xt_buf_puts(&out, "incomplete: auditd's socket is not connected, and no record comes");
    else if (beat->n_exec_unexplained + beat->n_canary_lost > 0)
        xt_buf_printf(&out, "incomplete: since the agent began %llu execs have no audit event, %llu canaries were lost",
                      ull(beat->n_exec_unexplained), ull(beat->n_canary_lost));
    else if (beat->n_witness_gaps > 0)
        xt_buf_printf(&out, "%.*s; the second witness missed %llu messages", XT_S_ARGS(beat->completeness),
                      ull(beat->n_witness_gaps));
    xt_slice alarm = xt_collector_alarm(c);
    if (alarm.n > 0) {
        if (out.n == 0)
            xt_buf_put(&out, beat->completeness);
        xt_buf_puts(&out, "; ");
        xt_buf_put(&out, xt_slice_head(alarm, sizeof c->completeness - 1 - out.n));
    }
    if (c->brake.step > XT_BRAKE_NONE)
        xt_buf_printf(&out, "%s; CPU limit: %s", out.n > 0 ? "" : xt_watch_completeness(c->watch.mode),
                      xt_brake_sentence(c->brake.step));
    if (out.n > 0)
        beat->completeness = xt_buf_slice(&out);
}

static xt_heartbeat heartbeat(xt_collector *c)
{
    const xt_audit_status *s = &c->watch.status;
    xt_netlink_counters counters = c->ring ? xt_ring_counters(c->ring) : (xt_netlink_counters){0};
    xt_heartbeat beat = {
        .time_ms = (uint64_t)xt_clock_wall_ms(&xt_clock_system),
        .enabled = s->enabled,
        .audit_pid = xt_watch_is_owner(&c->watch) ? (uint32_t)getpid() : s->pid,
        .failure = s->failure,
        .lost = s->lost,
        .backlog = s->backlog,
        .backlog_limit = s->backlog_limit,
        .backlog_wait_time = s->backlog_wait_time,
        .backlog_wait_time_actual = s->backlog_wait_time_actual,
        .lost_since_start = (uint32_t)(s->lost - c->lost_at_start),
        .n_events = c->n_events,
        .n_truncated = counters.n_truncated,
        .n_unread = (c->ring ? xt_ring_dropped(c->ring) : 0) + counters.n_overruns,
        .n_forged = counters.n_forged,
        .n_unparsed = c->decoder ? xt_decoder_stats_get(c->decoder).n_unparsed : 0,
        .rules_hash = xt_slice_str(c->watch.rules_hash),
        .audit_mode = xt_slice_str(xt_watch_mode_name(c->watch.mode)),
        .blind = xt_buf_slice(&c->watch.blind),
    };
    const uint32_t pids[] = {(uint32_t)getpid(), (uint32_t)c->family.shipper, (uint32_t)c->family.helper,
                             (uint32_t)c->family.digester};
    for (size_t i = 0; i < XT_COUNT_OF(pids); i++)
        if (pids[i])
            xt_proc_cost(pids[i], &beat.cpu_us, &beat.rss_bytes);
    beat.n_unseen = c->serials.n_missing;
    beat.unseen_ms = c->serials.n_missing ? (uint64_t)(xt_beat_now_ms() - c->serials.since_ms) : 0;
    beat.state = xt_watch_is_paused(&c->watch) ? XT_BEAT_PAUSED : XT_BEAT_UNKNOWN; /* agent/beat_book says more */
    put_witness(c, &beat);
    put_completeness(c, &beat);
    return beat;
}

static void put_witness_status(xt_collector *c, const xt_heartbeat *beat, xt_buf *out)
{
    xt_buf_printf(out, "witness=%llu\nwitness_off=%.*s\nexec_both=%llu\nexec_unaudited=%llu\nexec_unexplained=%llu\n",
                  ull(beat->witness), XT_S_ARGS(xt_buf_slice(&c->witness_off)), ull(beat->n_exec_both),
                  ull(beat->n_exec_unaudited), ull(beat->n_exec_unexplained));
    xt_buf_printf(out,
                  "exec_unwitnessed=%llu\nwitness_gaps=%llu\ncanary_interval_ms=%llu\ncanary_sent=%llu\n"
                  "canary_lost=%llu\ncanary_ms=%llu\ncanary_took_ms=%llu\n",
                  ull(beat->n_exec_unwitnessed), ull(beat->n_witness_gaps), ull(c->canary.interval_ms),
                  ull(beat->n_canary_sent), ull(beat->n_canary_lost), ull(beat->canary_ms), ull(beat->canary_took_ms));
}

static void status_put(xt_collector *c, const xt_heartbeat *beat, bool ended, xt_buf *out)
{
    xt_buf_printf(out, "pid=%d\ntime_ms=%llu\nstarted_ms=%lld\nended=%u\nhost=%s\nboot=%s\nversion=%s\n", getpid(),
                  ull(beat->time_ms), (long long)c->started_ms, ended, c->settings->host_name, c->settings->boot_id,
                  XT_VERSION);
    xt_buf_printf(out, "audit_mode=%.*s\ncompleteness=%.*s\nrules_hash=%.*s\n", XT_S_ARGS(beat->audit_mode),
                  XT_S_ARGS(beat->completeness), XT_S_ARGS(beat->rules_hash));
    xt_buf_printf(out, "enabled=%llu\naudit_pid=%llu\nfailure=%llu\nlost=%llu\nlost_since_start=%llu\nbacklog=%llu\n",
                  ull(beat->enabled), ull(beat->audit_pid), ull(beat->failure), ull(beat->lost),
                  ull(beat->lost_since_start), ull(beat->backlog));
    xt_buf_printf(out, "cpu_limit=%u\ncpu_percent=%u\ncpu_step=%s\n", c->brake.limit, c->brake.percent,
                  xt_brake_sentence(c->brake.step));
    xt_buf_printf(out, "protect=%s\nrepaired=%llu\n", xt_protect_name(c->settings->protect), ull(c->guard.n_repaired));
    xt_buf_printf(out, "backlog_limit=%llu\nbacklog_wait_time=%llu\nbacklog_wait_time_actual=%llu\n",
                  ull(beat->backlog_limit), ull(beat->backlog_wait_time), ull(beat->backlog_wait_time_actual));
    xt_buf_printf(
        out,
        "events=%llu\ntruncated=%llu\nforged=%llu\nunparsed=%llu\ndropped_here=%llu\ncpu_us=%llu\nrss_bytes=%llu\n",
        ull(beat->n_events), ull(beat->n_truncated), ull(beat->n_forged), ull(beat->n_unparsed),
        ull(c->seen.ring_dropped), ull(beat->cpu_us), ull(beat->rss_bytes));
    xt_buf_printf(out, "unseen=%llu\n", ull(beat->n_unseen));
    put_witness_status(c, beat, out);
    if (c->digests) {
        xt_digest_desk_stats digests = xt_digest_desk_stats_get(c->digests);
        xt_buf_printf(out, "digests=1\ndigests_known=%llu\ndigests_unknown=%llu\n", ull(digests.n_known),
                      ull(digests.n_unknown));
    }
    xt_collector_policy_status(c, out);
    xt_collector_care_put(c, out);
    xt_slice rest = beat->blind, line;
    while (rest.n > 0 && xt_slice_cut(&rest, '\n', &line))
        xt_buf_printf(out, "blind=%.*s\n", XT_S_ARGS(line));
    xt_buf_put(out, xt_buf_slice(&c->report));
}

static void status_write(xt_collector *c, const xt_heartbeat *beat, bool ended)
{
    xt_buf out = XT_BUF_INIT;
    status_put(c, beat, ended, &out);
    int r = xt_buf_done(&out);
    if (r == 0)
        r = xt_state_file_write(c->settings->state, "status", xt_buf_slice(&out));
    if (r < 0)
        xt_log(XT_LOG_DEBUG, "%s/status cannot be written: %s", c->settings->state, strerror(-r));
    xt_buf_fini(&out);
}

void xt_collector_status_write(xt_collector *c, bool ended)
{
    xt_heartbeat beat = heartbeat(c);
    status_write(c, &beat, ended);
}

static void send_beat(xt_collector *c, const xt_heartbeat *beat)
{
    if (c->family.shipper_fd < 0)
        return;
    if (xt_channel_waiting(&c->to_shipper) > MAX_WAITING) {
        c->held.n_beats++;
        return;
    }
    xt_buf out = XT_BUF_INIT;
    xt_heartbeat_put(&out, beat);
    if (xt_buf_done(&out) < 0 || xt_collector_send(c, XT_CHANNEL_HEARTBEAT, xt_buf_slice(&out)) < 0)
        xt_log(XT_LOG_DEBUG, "a heartbeat was not taken");
    xt_buf_fini(&out);
}

void xt_collector_beat(xt_collector *c)
{
    xt_problem problem = XT_PROBLEM_INIT;
    c->last_beat_ms = xt_clock_mono_ms(&xt_clock_system);
    if (has_kernel(c)) {
        int r = xt_watch_status(&c->watch, &problem);
        if (r == 0 && (c->n_beats % RULES_EVERY == 0 || c->is_beat_due))
            r = xt_watch_rules(&c->watch, &problem);
        if (r != 0)
            xt_log_problem(XT_LOG_WARN, &problem);
    }
    c->n_beats++;
    c->is_beat_due = false;
    xt_collector_context_save(c);
    xt_collector_log_turn(c);
    compare(c);
    xt_heartbeat beat = heartbeat(c);
    status_write(c, &beat, false);
    (void)xt_notify_say(&c->family.notify, "STATUS=%s, %llu events; %.*s", xt_watch_mode_name(c->watch.mode),
                        ull(beat.n_events), XT_S_ARGS(beat.completeness));
    send_beat(c, &beat);
    xt_collector_brake(c, beat.cpu_us);
    if (has_kernel(c))
        xt_collector_guard_repair(c);
}

/* Audit is given back already: it is not asked. */
void xt_collector_beat_last(xt_collector *c)
{
    xt_heartbeat beat = heartbeat(c);
    beat.state = XT_BEAT_STOPPED;
    send_beat(c, &beat);
}

void xt_collector_beat_soon(xt_collector *c)
{
    c->is_beat_due = true;
}

/* The sentence about the time between the last status file and now; nothing when this is the first start. */
static void put_gap(xt_collector *c, xt_buf *out)
{
    xt_state_file file;
    if (xt_collector_adopted_put(c, out) || xt_state_file_read(c->settings->state, "status", &file) < 0)
        return;
    int64_t from_ms = (int64_t)xt_state_file_number(&file, "time_ms");
    bool same_boot = xt_slice_eq(xt_state_file_text(&file, "boot"), xt_slice_str(c->settings->boot_id));
    bool ended = xt_state_file_number(&file, "ended") != 0;
    char from[25], to[25];
    xt_timestamp_format(from_ms, from);
    xt_timestamp_format(c->started_ms, to);
    xt_buf_printf(out, "; not watching from %s to %s (%s)", from, to,
                  !same_boot ? "the host was booted meanwhile"
                  : ended    ? "the agent was stopped"
                             : "the agent was killed or broke down");
    if (same_boot && has_kernel(c))
        xt_buf_printf(out, ", kernel lost %u records meanwhile",
                      (uint32_t)(c->lost_at_start - xt_state_file_number(&file, "lost")));
    xt_state_file_fini(&file);
}

void xt_collector_begin(xt_collector *c)
{
    char text[512];
    xt_buf gap = XT_BUF_ON(text);
    c->seen = (xt_beat_seen){.lost = c->watch.status.lost};
    xt_collector_guard_see(c);
    restore_serials(c);
    put_gap(c, &gap);
    if (c->watch.mode == XT_WATCH_MULTICAST && c->watch.status.pid > 0)
        xt_buf_printf(&gap, "; process %u owns the audit socket", c->watch.status.pid);
    xt_collector_status_write(c, false); /* killed from here on, the next agent knows since when */
    xt_log(XT_LOG_INFO, "watching as %s%.*s", xt_watch_mode_name(c->watch.mode), XT_S_ARGS(xt_buf_slice(&gap)));
    xt_collector_say(c, "agent-started", "watching begins, mode %s%.*s", xt_watch_mode_name(c->watch.mode),
                     XT_S_ARGS(xt_buf_slice(&gap)));
    if (xt_collector_adopted_broken(c))
        xt_collector_note(c, "agent-process-ended", xt_slice_skip(xt_buf_slice(&gap), 2)); /* "; " */
}

/*
 * How it works: rights go in the order in which they are needed: the mount namespace takes root's, the filter comes last. What
 * cannot be had on this kernel is said in the status and the agent goes on, for it watches as well without.
 *
 * Once a second the other processes' states are read from /proc, which costs less than questions and answers and
 * tells one that was stopped from one that waits for a name service. Whoever is stopped is sent on: SIGCONT takes no right
 * within a session.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/collector_private.h"
#include "agent/privilege.h"
#include "agent/sandbox.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/timestamp.h"

#define LOOK_MS    1000
#define ALARM_MS   600000 /* so long a heartbeat repeats it */
#define SILENT_MS  60000  /* of the shipper: a slow disk may keep it for long */
#define UNMOVED_MS 10000  /* of the receiver, which moves twice a second */
#define MAX_FILES  512
#define FEEDS      3 /* within the time that the service manager gives */

static bool is_read_only(const char *path)
{
    struct statvfs st;
    return statvfs(path, &st) == 0 && (st.f_flag & ST_RDONLY);
}

static void describe(char *out, size_t n, const char *text)
{
    snprintf(out, n, "%s", text);
}

/* Where audit.log is written, for it is renamed there. */
static bool log_folder(const char *path, char ret[static PATH_MAX])
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (n == 0 || n >= PATH_MAX)
        return false;
    memcpy(ret, path, n);
    ret[n] = '\0';
    return true;
}

static int contain_files(xt_collector *c)
{
    char folder[PATH_MAX];
    const char *const writable[] = {c->settings->state, folder};
    int r = xt_sandbox_mounts(writable, log_folder(c->settings->write_log, folder) ? 2 : 1);
    if (r == 0)
        describe(c->care.files, sizeof c->care.files,
                 "read-only but for the state folder (a mount namespace of its own)");
    else if (r == XT_SANDBOX_E_LINKS)
        describe(c->care.files, sizeof c->care.files,
                 "read-only but for the state folder; links of /proc lead out of that (a kernel before 5.14?)");
    else if (r > 0 && is_read_only("/usr"))
        describe(c->care.files, sizeof c->care.files, "read-only by the unit");
    else
        describe(c->care.files, sizeof c->care.files, "writable: this process may not make a mount namespace");
    return r < 0 ? xt_error_trace(r) : 0;
}

int xt_collector_contain(xt_collector *c)
{
    pid_t of_host = c->family.shipper > 0 ? c->family.shipper : c->family.helper;
    xt_own_files_init(&c->care.own_files, c->settings->state, c->settings->path, of_host);
    describe(c->care.filter, sizeof c->care.filter, "filtered");
    if (geteuid() != 0) {
        describe(c->care.files, sizeof c->care.files, "as the user may: the agent does not run as root");
    } else {
        int r = contain_files(c);
        if (r < 0)
            return r;
    }
    int r = xt_sandbox_limits(MAX_FILES);
    if (r == 0)
        r = xt_privilege_keep();
    if (r == 0)
        r = xt_sandbox_filter(c->settings->input == XT_INPUT_SOCKET ? XT_SANDBOX_COLLECTOR_BESIDE
                                                                    : XT_SANDBOX_COLLECTOR);
    if (r > 0)
        describe(c->care.filter, sizeof c->care.filter, "not filtered: neither this build nor this kernel can");
    return r < 0 ? xt_error_trace(r) : 0;
}

/* ---- the others ---- */

static void look_at(xt_collector *c, pid_t pid, const char *name, bool *is_stopped)
{
    bool was_stopped = *is_stopped;
    *is_stopped = pid > 0 && xt_proc_state((uint32_t)pid) == 'T';
    if (!*is_stopped || was_stopped)
        return;
    bool goes_on = c->settings->supervised && kill(pid, SIGCONT) == 0;
    xt_log(XT_LOG_WARN, "the %s process %d was stopped by a signal", name, pid);
    xt_collector_say(c, "agent-process-stopped", "the %s process %d of the agent was stopped by a signal%s", name, pid,
                     goes_on ? "; it was sent on" : "");
    xt_collector_beat(c);
}

static void look_at_files(xt_collector *c)
{
    XT_CLEANUP(xt_buf_fini) xt_buf words = XT_BUF_INIT;
    if (!xt_own_files_next(&c->care.own_files, &words))
        return;
    xt_log(XT_LOG_WARN, "%.*s", XT_S_ARGS(xt_buf_slice(&words)));
    xt_collector_say(c, "agent-files-changed", "%.*s", XT_S_ARGS(xt_buf_slice(&words)));
    xt_collector_beat(c);
}

void xt_collector_reported(xt_collector *c)
{
    const xt_state_file report = {.text = c->report};
    uint64_t n = xt_state_file_number(&report, "collector_stopped");
    c->care.reported_ms = xt_clock_mono_ms(&xt_clock_system);
    if (n > c->care.n_stopped) { /* the event is the shipper's */
        xt_collector_note(c, "agent-process-stopped", XT_S("the collector process was stopped by a signal"));
        xt_collector_beat(c);
    }
    c->care.n_stopped = n;
}

void xt_collector_care_close(xt_collector *c)
{
    xt_own_files_fini(&c->care.own_files);
}

static bool is_alive(const xt_collector *c, int64_t now_ms)
{
    return (c->family.shipper <= 0 || now_ms - c->care.reported_ms < SILENT_MS) &&
           (!c->receiver || now_ms - c->care.received_ms < UNMOVED_MS);
}

static void look_at_receiver(xt_collector *c, int64_t now_ms)
{
    unsigned n = c->receiver ? xt_receiver_turns(c->receiver) : 0;
    if (n != c->care.n_turns || c->care.received_ms == 0)
        c->care.received_ms = now_ms;
    c->care.n_turns = n;
}

static void feed(xt_collector *c, int64_t now_ms)
{
    const xt_notify *notify = &c->family.notify;
    if (notify->watchdog_ms == 0 || now_ms - c->care.fed_ms < notify->watchdog_ms / FEEDS)
        return;
    if (!is_alive(c, now_ms)) {
        xt_log(XT_LOG_ERROR,
               "the shipper or the receiver does not move: the service manager is not told that all is well");
        return;
    }
    c->care.fed_ms = now_ms;
    (void)xt_notify_say(notify, "WATCHDOG=1");
}

void xt_collector_look(xt_collector *c, int64_t now_ms)
{
    if (c->care.reported_ms == 0)
        c->care.reported_ms = now_ms;
    look_at_receiver(c, now_ms);
    feed(c, now_ms);
    if (now_ms - c->care.looked_ms < LOOK_MS)
        return;
    c->care.looked_ms = now_ms;
    if (!c->decoder)
        return;
    xt_collector_keep(c);
    c->owes_ready = c->owes_ready && xt_notify_say(&c->family.notify, "READY=1") < 0;
    look_at_files(c);
    look_at(c, c->family.shipper, "shipper", &c->care.is_stopped[0]);
    look_at(c, c->family.helper, "helper", &c->care.is_stopped[1]);
    look_at(c, c->family.digester, "digest", &c->care.is_stopped[2]);
}

int64_t xt_collector_look_ms(const xt_collector *c, int64_t now_ms)
{
    int64_t left_ms = c->care.looked_ms + LOOK_MS - now_ms;
    int64_t feed_ms = c->care.fed_ms + c->family.notify.watchdog_ms / FEEDS - now_ms;
    if (c->family.notify.watchdog_ms > 0 && feed_ms < left_ms)
        left_ms = feed_ms;
    return left_ms > 0 ? left_ms : 0;
}

void xt_collector_note(xt_collector *c, const char *action, xt_slice message)
{
    static const char *const alarms[] = {"agent-process-stopped", "agent-process-ended", "audit-changed", "canary-lost",
                                         "agent-files-changed",   "audit-not-repaired",  "witness-lost"};
    xt_buf out = XT_BUF_ON(c->care.alarm);
    char at[25];
    for (size_t i = 0; i < XT_COUNT_OF(alarms); i++) {
        if (strcmp(action, alarms[i]) != 0)
            continue;
        c->care.alarmed_ms = xt_clock_wall_ms(&xt_clock_system);
        xt_timestamp_format(c->care.alarmed_ms, at);
        c->care.alarm[0] = '\0';
        xt_buf_printf(&out, "%s %s: ", at, action);
        xt_buf_put(&out, xt_slice_head(message, sizeof c->care.alarm - out.n - 2));
        xt_buf_putc(&out, '\0');
    }
}

xt_slice xt_collector_alarm(const xt_collector *c)
{
    bool is_fresh = c->care.alarmed_ms > 0 && xt_clock_wall_ms(&xt_clock_system) - c->care.alarmed_ms < ALARM_MS;
    return is_fresh ? xt_slice_str(c->care.alarm) : XT_S_NULL;
}

static void put_handover(const xt_collector *c, xt_buf *status)
{
    char text[512];
    xt_buf out = XT_BUF_ON(text);
    xt_buf_puts(status, "handover=");
    if (xt_collector_adopted_put(c, &out))
        xt_buf_put(status, xt_slice_skip(xt_buf_slice(&out), 2)); /* "; " */
    else if (c->watch.owned && c->kept_owner == c->watch.owner)
        xt_buf_puts(status, "the service manager keeps the audit socket for the next agent");
    else
        xt_buf_puts(status, "none: nobody keeps the audit socket while the agent is replaced");
    xt_buf_putc(status, '\n');
}

void xt_collector_care_put(const xt_collector *c, xt_buf *status)
{
    put_handover(c, status);
    xt_buf_printf(status,
                  "shipper_pid=%d\nhelper_pid=%d\ndigester_pid=%d\nfiles=%s\nfilter=%s\nsupervised=%u\nwatchdog_ms=%"
                  "lld\nalarm=%s\n",
                  c->family.shipper, c->family.helper, c->family.digester, c->care.files, c->care.filter,
                  c->settings->supervised, (long long)c->family.notify.watchdog_ms, c->care.alarm);
}

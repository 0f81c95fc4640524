/*
 * How it works: signals come through a descriptor, so the loop is one poll. Records are decoded on this thread; names and
 * parents are asked with a bound. Whatever ends the loop, the same way out gives back the audit state first, then
 * takes what still stood in the socket, and then lets the shipper finish.
 */
#include "agent/collector.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/channel.h"
#include "agent/collector_private.h"
#include "agent/memory_trim.h"
#include "agent/own_event.h"
#include "agent/shipper_words.h"
#include "base/clock.h"
#include "base/log.h"
#include "wire/message.h"

#define HOLD_BYTES     ((size_t)4 << 20) /* that wait for the shipper; then records are not read any more */
#define FLUSH_MS       100               /* events are handed on when they are this old; */
#define FLUSH_BUSY     50                /* where these many have come by then, a busy host's cost less */
#define FLUSH_BUSY_MS  400               /* in larger groups */
#define TICK_MS        100               /* while groups may be open */
#define TURN_MS        50                /* apart are turns for the witness alone */
#define BUSY_TURN_MS   150               /* and without the ring, while it is woken often anyway */
#define OPEN_MS        3000              /* how long after the last record that may be */
#define MEMORY_BYTES   ((size_t)24 << 20)
#define MAX_PROCESSES  16384
#define END_WAIT_MS    8000
#define MAX_MESSAGE    (XT_POLICY_MESSAGE_BYTES + XT_FRAME_HEADER_BYTES) /* of the shipper: there is no longer one */
#define MAX_LAST_READS 32
#define READY_MS       3000 /* how long the service manager waits for an enrolment */
#define BEAT_SOON_MS   500
#define STALL_MS       3000 /* that a turn comes too late, and the agent stood still */

/* What was tried in vain changes nothing that a heartbeat could show. */
static void note_refused(xt_collector *c, const xt_event *event)
{
    char text[160];
    xt_buf out = XT_BUF_ON(text);
    uint64_t pid = xt_event_num(event, XT_F_PID, 0);
    if (!xt_slice_eq(xt_event_bytes(event, XT_F_OUTCOME), XT_S("failure")) || pid == (uint64_t)getpid())
        return;
    xt_buf_printf(&out, "process %llu (", (unsigned long long)pid);
    xt_buf_put(&out, xt_slice_head(xt_event_bytes(event, XT_F_EXE), 64));
    xt_buf_puts(&out, ") tried to change audit, and the kernel refused");
    xt_collector_note(c, "audit-changed", xt_buf_slice(&out));
}

/* The decoder knows the parents that it saw; the others are asked of /proc. */
static int on_event(void *context, xt_event *event, xt_arena *arena)
{
    xt_collector *c = context;
    xt_slice action = xt_event_bytes(event, XT_F_ACTION);
    int r = 0;
    if (!xt_collector_input_is_new(c, event))
        return 0;
    if (c->canary.is_asked)
        r = xt_collector_canary_see(c, event, arena);
    if (r == 0 && c->witness)
        r = xt_witness_meet(c->witness, event, c->decoder_ms, arena);
    else if (r == 0 && c->procs && xt_slice_eq(action, XT_S("executed")) && !xt_event_has(event, XT_F_PARENT_EXE))
        r = xt_proc_table_apply(c->procs, event, arena);
    if (xt_slice_eq(action, XT_S("changed-audit-configuration")) ||
        xt_own_event_has_flag(event, XT_S("missing-execve")))
        xt_canary_hurry(&c->canary, c->decoder_ms);
    if (c->watch.mode != XT_WATCH_TEXT && !c->input.marks && xt_event_has(event, XT_F_SERIAL) &&
        !xt_slice_eq(action, XT_S("amended")))
        xt_serial_count_see(&c->serials, (uint32_t)xt_event_num(event, XT_F_SERIAL, 0));
    if (xt_slice_eq(action, XT_S("changed-audit-configuration"))) {
        note_refused(c, event);
        xt_collector_beat_soon(c);
    }
    if (r >= 0 && c->log)
        xt_log_writer_put(c->log, event);
    return r < 0 ? xt_error_trace(r) : xt_collector_emit(c, event, arena);
}

static void on_problem(void *context, const xt_problem *problem)
{
    xt_log_problem(XT_LOG_WARN, problem);
}

static int seed(void *context, const xt_proc_info *info)
{
    xt_collector *c = context;
    return xt_proc_table_seed(c->procs, info, xt_slice_str(c->host_id), xt_slice_str(c->settings->boot_id));
}

static const char *source_name(const xt_agent_settings *settings)
{
    static const char *const names[] = {"the kernel", "standard input", "auditd's socket", "file"};
    return settings->input == XT_INPUT_FILE ? settings->input_path : names[settings->input];
}

static int make_decoder(xt_collector *c)
{
    bool local = c->watch.mode != XT_WATCH_TEXT; /* text may be of another host: its pids and ids mean nothing here */
    int r = xt_name_cache_new(local ? c->family.helper_fd : -1, &xt_clock_system, &c->names);
    if (r == 0 && local && !c->witness)
        r = xt_proc_table_new(MAX_PROCESSES, xt_proc_read, &c->reader, &c->procs);
    if (r == 0 && c->procs)
        r = xt_proc_read_all(&c->reader, seed, c);
    const xt_decoder_settings settings = {
        .origin = xt_collector_origin(c),
        .names = local ? xt_name_cache_source(c->names) : NULL,
        .secrets = c->settings->secrets,
        .seal_to = c->settings->seals ? &c->settings->seal_key : NULL,
        .live = true,
        .leaves_parents = c->witness != NULL,
        .source = source_name(c->settings),
        .max_memory_bytes = MEMORY_BYTES,
        .on_event = on_event,
        .on_problem = on_problem,
        .context = c,
    };
    return r == 0 ? xt_decoder_new(&settings, &c->decoder) : r;
}

static void on_message(xt_collector *c, const xt_frame *frame)
{
    xt_hash128 id;
    if ((int)frame->type == XT_CHANNEL_IDENTITY && !c->watching && xt_hash128_parse(frame->payload, &id)) {
        xt_hash128_format(id, c->host_id);
    } else if ((int)frame->type == XT_CHANNEL_REPORT) {
        xt_buf_reset(&c->report);
        xt_shipper_words_take(frame->payload, &c->report);
        xt_collector_reported(c);
    } else if ((int)frame->type == XT_CHANNEL_POLICY) {
        xt_collector_policy_take(c, frame->payload);
    } else if ((int)frame->type == XT_CHANNEL_TRUST) {
        xt_collector_trust_take(c, frame->payload);
    }
}

/* -EPIPE: the shipper has closed its end, or speaks what it should not. */
static int on_shipper(xt_collector *c)
{
    int r = xt_channel_receive(c->family.shipper_fd, &c->in);
    xt_slice rest = xt_buf_slice(&c->in);
    xt_frame frame;
    size_t taken;
    while (r >= 0 && (r = xt_channel_next(rest, &frame, &taken)) == 0) {
        on_message(c, &frame);
        rest = xt_slice_skip(rest, taken);
    }
    xt_buf_consume(&c->in, c->in.n - rest.n);
    if (c->in.n > MAX_MESSAGE)
        return -EPIPE;
    return r < 0 ? r : r == XT_FRAME_E_CORRUPT ? -EPIPE : 0;
}

/* True when that child has ended; says how when it should not have. */
static bool child_ended(xt_collector *c, pid_t *pid, const char *name, bool expected)
{
    int status;
    pid_t which = *pid;
    if (which <= 0 || waitpid(which, &status, WNOHANG) != which)
        return false;
    const char *then =
        xt_collector_can_leave(c) ? "the agent is started anew" : "the audit state is given back and the agent ends";
    if (WIFSIGNALED(status))
        xt_log(XT_LOG_ERROR, "the %s process was killed by signal %d: %s", name, WTERMSIG(status), then);
    else if (!expected && WEXITSTATUS(status) == 0)
        xt_log(XT_LOG_ERROR, "the %s process ended by itself: %s", name, then);
    if (!expected && xt_collector_can_leave(c)) {
        c->leaves = true;
        c->is_whole = pid == &c->family.helper; /* which holds nothing */
        snprintf(c->reason, sizeof c->reason, "its %s process %d %s %d", name, which,
                 WIFSIGNALED(status) ? "was killed by signal" : "ended by itself with",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        *pid = 0;
        xt_collector_say(c, "agent-process-ended", "%s; the agent is started anew", c->reason);
    }
    bool is_good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    c->failed |= !expected || !is_good;
    c->is_whole &= is_good || pid == &c->family.helper;
    *pid = 0;
    return true;
}

/* What is recorded is recorded without digests then. */
static void digester_ended(xt_collector *c)
{
    int status;
    pid_t pid = c->family.digester;
    if (pid <= 0 || waitpid(pid, &status, WNOHANG) != pid)
        return;
    c->family.digester = 0;
    if (c->end || !c->decoder)
        return;
    xt_log(XT_LOG_ERROR, "the digest process ended: executables have no digests until the agent is started anew");
    xt_collector_say(c, "agent-process-ended",
                     "the digest process %d of the agent ended: executables have no digests until it is started anew",
                     pid);
}

static void on_signal(xt_collector *c, int fd)
{
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo != SIGCHLD) {
        c->end = true;
        xt_collector_stop_take(c, info.ssi_pid, info.ssi_uid);
    }
    if (info.ssi_signo == SIGUSR2 && xt_collector_can_leave(c)) {
        c->leaves = c->is_whole = true;
        snprintf(c->reason, sizeof c->reason, XT_LEAVE_REASON);
    }
    if (child_ended(c, &c->family.shipper, "shipper", false) || child_ended(c, &c->family.helper, "helper", false))
        c->end = true;
    digester_ended(c);
}

/* Whoever is killed closes what it has a moment before it can be waited for; how it ended decides what comes next. */
static void shipper_gone(xt_collector *c)
{
    const struct timespec rest = {.tv_nsec = 5000000};
    for (unsigned i = 0; i < 200 && !c->end && !child_ended(c, &c->family.shipper, "shipper", false); i++)
        nanosleep(&rest, NULL);
    c->end = c->failed = true;
}

static int take_ring(xt_collector *c)
{
    xt_slice rest = xt_ring_take(c->ring);
    xt_netlink_message message;
    int r = xt_collector_witness_take(c, rest);
    while (r == 0 && xt_ring_next(&rest, &message))
        if (message.type != XT_PROC_CONNECTOR_TYPE)
            r = xt_decoder_feed_payload(c->decoder, message.type, message.payload);
    return r;
}

static int64_t flush_ms(const xt_collector *c)
{
    int64_t ms = c->n_out >= FLUSH_BUSY ? FLUSH_BUSY_MS : FLUSH_MS;
    return c->digests && xt_digest_desk_waits(c->digests) ? ms + XT_DIGEST_WAIT_MS : ms;
}

static int64_t beat_ms(const xt_collector *c)
{
    return c->is_beat_due ? BEAT_SOON_MS : XT_BEAT_MS;
}

static int wait_ms(const xt_collector *c, int64_t now_ms)
{
    int64_t left = c->last_beat_ms + beat_ms(c) - now_ms;
    int64_t look_ms = xt_collector_look_ms(c, now_ms);
    left = look_ms < left ? look_ms : left;
    int64_t tick_ms = TICK_MS, turn_ms = TURN_MS;
    if (c->receiver && xt_receiver_is_busy(c->receiver)) /* what the last batch left open or unmet is in the next one */
        tick_ms = turn_ms = BUSY_TURN_MS;
    if (now_ms - c->last_input_ms < OPEN_MS && left > tick_ms)
        left = tick_ms;
    if (c->n_out > 0 && c->out_ms + flush_ms(c) - now_ms < left)
        left = c->out_ms + flush_ms(c) - now_ms;
    if (c->held.is)
        return left > 0 ? (int)left : 0;
    int64_t witness_ms = xt_collector_witness_wait_ms(c);
    if (witness_ms >= 0 && witness_ms < left)
        left = witness_ms > turn_ms ? witness_ms : turn_ms;
    int64_t input_ms = xt_collector_input_wait_ms(c);
    if (input_ms >= 0 && input_ms < left)
        left = input_ms;
    return left > 0 ? (int)left : 0;
}

/*
 * The decoder's clock goes on before it is fed, so that what comes now does not look as old as the last turn, and by one
 * step at most: after a stall the second half of an event stands in the ring, and must not find the first one given up.
 */
static int decoder_tick(xt_collector *c, int64_t now_ms)
{
    int64_t passed = now_ms - c->turn_ms;
    c->turn_ms = now_ms;
    c->decoder_ms += passed < 2 * TICK_MS ? passed : 2 * TICK_MS;
    return xt_decoder_tick(c->decoder, c->decoder_ms);
}

/* What the kernel had no room for meanwhile is told by its counter, or by the witness (docs/agent.md). */
static void say_stalled(xt_collector *c, int64_t late_ms)
{
    xt_log(XT_LOG_WARN, "the agent did not run for %lld ms", (long long)late_ms);
    xt_collector_say(
        c, "agent-stalled",
        "the agent did not run for %lld ms: it was stopped, or got no CPU; records waited in the kernel meanwhile, "
        "and what had no room there is told as lost or exec-unaudited",
        (long long)late_ms);
    xt_collector_beat_soon(c);
}

/*
 * The shipper takes nothing, somebody stopped it or its disk hangs: up to a bound what was decoded waits for it here, and then
 * records are left where they are, in the ring and in the kernel's sockets. All but what needs records goes on.
 */
static void hold(xt_collector *c, int64_t now_ms)
{
    size_t n = xt_channel_waiting(&c->to_shipper);
    if (!c->held.is && n > HOLD_BYTES) {
        c->held.is = true;
        c->held.since_ms = now_ms;
        xt_log(XT_LOG_WARN, "the shipper takes nothing: records wait in the kernel from now on");
    } else if (c->held.is && n < HOLD_BYTES / 2) {
        c->held.is = false;
        xt_log(XT_LOG_WARN, "the shipper goes on; records waited for %lld ms", (long long)(now_ms - c->held.since_ms));
        xt_collector_say(
            c, "agent-stalled",
            "the shipper took nothing: for %lld ms records waited in the kernel, and what had no room there "
            "is told as lost; %llu heartbeats had no room here",
            (long long)(now_ms - c->held.since_ms), (unsigned long long)c->held.n_beats);
        c->held.n_beats = 0;
        xt_collector_beat_soon(c);
    }
}

/* What is decoded, and what is made of it; its clock stands while nothing is read. */
static int take_records(xt_collector *c, bool is_ring, bool is_input, int64_t now_ms)
{
    if (c->held.is) {
        c->turn_ms = now_ms;
        return 0;
    }
    int r = decoder_tick(c, now_ms);
    if (r == 0 && (is_ring || is_input)) {
        c->last_input_ms = now_ms;
        r = is_ring ? take_ring(c) : 0;
        if (r == 0 && is_input)
            r = xt_collector_input_take(c);
    }
    if (r == 0)
        r = xt_collector_input_turn(c, now_ms);
    return r == 0 ? xt_collector_witness_turn(c) : r;
}

static short shipper_events(const xt_collector *c)
{
    return xt_channel_waiting(&c->to_shipper) > 0 ? POLLIN | POLLOUT : POLLIN;
}

static int turn(xt_collector *c, int signals)
{
    struct pollfd fds[] = {
        {.fd = signals, .events = POLLIN},
        {.fd = c->family.shipper_fd, .events = shipper_events(c)},
        {.fd = c->ring && !c->held.is ? xt_ring_fd(c->ring) : -1, .events = POLLIN},
        {.fd = c->held.is ? -1 : xt_collector_input_fd(c), .events = POLLIN},
        {.fd = c->family.canary_fd, .events = POLLIN},
        {.fd = c->digests && !xt_digest_desk_is_gone(c->digests) ? c->family.digester_fd : -1, .events = POLLIN},
    };
    int64_t now_ms = xt_clock_mono_ms(&xt_clock_system);
    int wait = wait_ms(c, now_ms), r;
    if (poll(fds, XT_COUNT_OF(fds), wait) < 0)
        return errno == EINTR ? 0 : xt_error_origin(-errno);
    int64_t due_ms = c->turn_ms + wait; /* turn_ms: when the last one began, what it did included */
    now_ms = xt_clock_mono_ms(&xt_clock_system);
    if (now_ms - due_ms >= STALL_MS)
        say_stalled(c, now_ms - due_ms);
    if (fds[0].revents)
        on_signal(c, signals);
    if (fds[1].revents && (xt_channel_pump(&c->to_shipper) == -EPIPE || on_shipper(c) == -EPIPE))
        shipper_gone(c);
    hold(c, now_ms);
    if (fds[4].revents)
        xt_collector_canary_answer(c);
    r = take_records(c, fds[2].revents != 0, fds[3].revents != 0, now_ms);
    if (c->digests)
        xt_digest_desk_turn(c->digests);
    xt_collector_look(c, now_ms);
    xt_collector_policy_turn(c);
    if (r == 0 && now_ms - c->last_beat_ms >= beat_ms(c))
        xt_collector_beat(c);
    return r == 0 && c->n_out > 0 && now_ms - c->out_ms >= flush_ms(c) ? xt_collector_flush(c) : r;
}

/* A host that is not enrolled yet is not kept from booting. */
static void wait_identity(xt_collector *c, int signals)
{
    int64_t ready_ms = xt_clock_mono_ms(&xt_clock_system) + READY_MS;
    while (c->family.shipper_fd >= 0 && !c->host_id[0] && !c->end) {
        struct pollfd fds[] = {{.fd = signals, .events = POLLIN}, {.fd = c->family.shipper_fd, .events = POLLIN}};
        int64_t now_ms = xt_clock_mono_ms(&xt_clock_system);
        xt_collector_look(c, now_ms);
        if (now_ms >= ready_ms && c->settings->supervised) {
            (void)xt_notify_say(&c->family.notify, "READY=1\nSTATUS=waiting to be enrolled; nothing is recorded yet");
            ready_ms = INT64_MAX;
        }
        if (poll(fds, XT_COUNT_OF(fds), (int)xt_collector_look_ms(c, now_ms)) < 0)
            continue;
        if (fds[0].revents)
            on_signal(c, signals);
        if (fds[1].revents && on_shipper(c) == -EPIPE)
            c->end = c->failed = true;
    }
}

static int send_ready(xt_collector *c)
{
    if (c->family.shipper_fd < 0)
        return 0;
    const xt_hello hello = {
        .audit_mode = xt_slice_str(xt_watch_mode_name(c->watch.mode)),
        .completeness = xt_slice_str(xt_watch_completeness(c->watch.mode)),
        .trust = xt_slice_hash(xt_buf_slice(&c->policy.store.trusted)),
    };
    xt_buf out = XT_BUF_INIT;
    xt_hello_put(&out, &hello);
    int r = xt_buf_done(&out);
    if (r == 0)
        r = xt_collector_send(c, XT_CHANNEL_READY, xt_buf_slice(&out));
    xt_buf_fini(&out);
    return r;
}

static int begin(xt_collector *c, xt_problem *problem)
{
    xt_handover *from = &c->family.inherited;
    int r = xt_collector_policy_open(c, problem);
    if (r == 0)
        r = xt_watch_open(c->settings, from->audit_fd, from->owner, &c->watch, problem);
    if (r != 0)
        return r;
    c->watching = true;
    if (c->watch.adopted)
        from->audit_fd = -1;
    else if (from->audit_fd >= 0) {
        close(from->audit_fd); /* while it is open, nobody else can take audit */
        from->audit_fd = -1;
        xt_handover_drop(&c->family.notify, from->owner);
    }
    c->started_ms = xt_clock_wall_ms(&xt_clock_system);
    c->turn_ms = xt_clock_mono_ms(&xt_clock_system);
    c->lost_at_start = c->watch.status.lost;
    c->reader.secrets = c->settings->secrets;
    r = xt_collector_witness_open(c);
    if (r == 0)
        xt_collector_keep(c);
    if (r == 0 && (c->watch.records || c->connector))
        r = xt_ring_open(&c->ring);
    if (r == 0 && c->ring)
        r = xt_receiver_start(c->watch.records, c->connector, c->ring, &c->receiver);
    if (r == 0)
        r = make_decoder(c);
    if (r == 0)
        r = xt_collector_context_open(c);
    if (r == 0)
        r = xt_collector_log_open(c, problem);
    if (r == 0 && c->family.digester_fd >= 0 && c->watch.mode != XT_WATCH_TEXT)
        r = xt_digest_desk_new(c->family.digester_fd, &c->digests);
    if (r == 0)
        r = xt_collector_input_open(c, problem);
    if (r == 0) {
        xt_collector_begin(c);
        r = xt_collector_adopt(c);
    }
    if (r == 0)
        r = xt_collector_flush(c);
    if (r == 0)
        r = send_ready(c);
    if (r == 0) {
        xt_collector_policy_begin(c);
        c->owes_ready = xt_notify_say(&c->family.notify, "READY=1") < 0;
        xt_collector_beat(c);
        r = xt_collector_policy_groups(c, problem);
        xt_memory_trim();
    }
    if (r < 0)
        xt_problem_set(problem, "the agent cannot begin: %s", strerror(-r));
    return r;
}

/* At the end the shipper is waited for, and for so long; false: it takes nothing. */
static bool wait_shipper(xt_collector *c, int64_t until_ms)
{
    int64_t now_ms;
    while (xt_channel_waiting(&c->to_shipper) > HOLD_BYTES) {
        struct pollfd fd = {.fd = c->family.shipper_fd, .events = POLLOUT};
        if ((now_ms = xt_clock_mono_ms(&xt_clock_system)) >= until_ms)
            return false;
        if (poll(&fd, 1, (int)(until_ms - now_ms)) > 0 && xt_channel_pump(&c->to_shipper) < 0)
            return false;
    }
    return true;
}

/* What still stands in the sockets may be more than the ring holds. */
static int take_last(xt_collector *c)
{
    int r = 0;
    int64_t until_ms = xt_clock_mono_ms(&xt_clock_system) + END_WAIT_MS;
    if (!c->receiver || !c->decoder)
        return 0;
    xt_receiver_end(c->receiver);
    while (r == 0 && !xt_receiver_is_done(c->receiver)) {
        if (!wait_shipper(c, until_ms)) {
            xt_log(XT_LOG_ERROR, "the shipper takes nothing: records that the kernel still holds are lost");
            c->is_whole = false;
            return -EPIPE;
        }
        struct pollfd fd = {.fd = xt_ring_fd(c->ring), .events = POLLIN};
        if (poll(&fd, 1, TICK_MS) > 0 && (r = decoder_tick(c, xt_clock_mono_ms(&xt_clock_system))) == 0)
            r = take_ring(c);
    }
    return r;
}

/* Whatever the loop ended with: give back, take what is left, pass it on. */
static void wind_up(xt_collector *c)
{
    int r = 0;
    c->end = true; /* no policy is taken any more */
    if (c->family.shipper > 0)
        kill(c->family.shipper, SIGCONT);
    if (c->decoder)
        xt_collector_beat(c);
    if (c->watching && !c->leaves) {
        xt_watch_restore(&c->watch);
        xt_collector_drop(c);
    }
    r = take_last(c);
    c->receiver = xt_receiver_stop(c->receiver);
    if (c->decoder && c->ring && r == 0)
        r = decoder_tick(c, xt_clock_mono_ms(&xt_clock_system));
    if (c->decoder && c->ring && r == 0)
        r = take_ring(c);
    if (c->decoder && r == 0 && !c->leaves && !c->input.marks) /* of a file, what is open is read again */
        r = xt_decoder_finish(c->decoder);
    if (c->witness && r == 0)
        r = xt_collector_witness_finish(c);
    if (c->decoder && r == 0) {
        xt_collector_stop_say(c);
        r = xt_collector_flush(c);
    }
    if (r < 0 && r != -EPIPE)
        xt_log(XT_LOG_ERROR, "the last events could not be passed on: %s", strerror(-r));
}

/*
 * Lets the shipper finish. Signals that end them cannot be sent to the children, which are of another user: the shipper
 * has an alarm of its own, and the helper ends with its parent.
 */
static void end_family(xt_collector *c, int signals)
{
    (void)xt_notify_say(&c->family.notify, "STOPPING=1");
    xt_channel_type end = c->leaves ? XT_CHANNEL_LEAVE : XT_CHANNEL_END;
    if (c->family.shipper > 0 && xt_collector_send(c, end, XT_S_NULL) < 0)
        xt_log(XT_LOG_DEBUG, "the shipper is gone already");
    int64_t end_ms = xt_clock_mono_ms(&xt_clock_system) + END_WAIT_MS;
    while (c->family.shipper > 0 && !child_ended(c, &c->family.shipper, "shipper", true)) {
        int64_t left_ms = end_ms - xt_clock_mono_ms(&xt_clock_system);
        if (left_ms <= 0) {
            c->is_whole = false;
            break; /* it ends itself a little later, see agent/shipper.c */
        }
        struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                               {.fd = c->family.shipper_fd, .events = shipper_events(c)}};
        poll(fds, XT_COUNT_OF(fds), (int)left_ms);
        if (fds[1].revents && xt_channel_pump(&c->to_shipper) < 0)
            poll(fds, 1, 20); /* it is gone, and about to be waited for */
        struct signalfd_siginfo info;
        if (fds[0].revents && read(signals, &info, sizeof info) < 0)
            continue;
        if (fds[1].revents && on_shipper(c) == -EPIPE)
            poll(fds, 1, 20); /* it has closed and is about to end */
    }
    for (unsigned i = 0; i < MAX_LAST_READS && c->family.shipper_fd >= 0 && on_shipper(c) == 0; i++)
        continue; /* its last report */
    if (c->leaves)
        xt_collector_leave(c);
    if (c->watching)
        xt_collector_status_write(c, true);
}

static void fini(xt_collector *c)
{
    xt_decoder_free(c->decoder);
    c->digests = xt_digest_desk_free(c->digests);
    xt_log_writer_close(c->log);
    xt_collector_input_close(c);
    xt_collector_context_close(c);
    xt_collector_witness_close(c);
    xt_collector_policy_close(c);
    xt_collector_care_close(c);
    xt_proc_table_free(c->procs);
    xt_proc_reader_fini(&c->reader);
    xt_name_cache_free(c->names);
    if (c->watching)
        xt_watch_close(&c->watch);
    xt_ring_close(c->ring);
    xt_handover_fini(&c->family.inherited);
    xt_buf_fini(&c->in);
    xt_buf_fini(&c->out);
    xt_channel_queue_fini(&c->to_shipper);
    xt_buf_fini(&c->report);
    if (c->out_fd > STDERR_FILENO)
        close(c->out_fd);
}

static int open_output(xt_collector *c)
{
    const char *path = c->settings->output;
    c->out_fd = -1;
    if (!path)
        return 0;
    c->out_fd = strcmp(path, "-") == 0 ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (c->out_fd >= 0)
        return 0;
    xt_log(XT_LOG_ERROR, "%s: cannot be written: %s", path, strerror(errno));
    return -1;
}

static int signals_open(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGUSR2);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int contain(xt_collector *c)
{
    int r = xt_collector_contain(c);
    if (r < 0)
        xt_log(XT_LOG_ERROR, "the agent cannot give up the rights that it does not need: %s", strerror(-r));
    return r;
}

static void loop(xt_collector *c, int signals)
{
    xt_problem problem = XT_PROBLEM_INIT;
    wait_identity(c, signals);
    if (c->end)
        return;
    int r = begin(c, &problem);
    if (r != 0) {
        xt_log_problem(XT_LOG_ERROR, &problem);
        c->failed = true;
        return;
    }
    while (r == 0 && !c->end)
        r = turn(c, signals);
    if (r == -EPIPE && c->out_fd < 0)
        shipper_gone(c);
    if (r < 0 && r != -EPIPE)
        xt_log(XT_LOG_ERROR, "the agent cannot go on: %s", strerror(-r));
    c->failed |= r < 0 && !(r == -EPIPE && c->out_fd == STDOUT_FILENO);
}

int xt_collector_run(const xt_agent_settings *settings, const xt_collector_family *family)
{
    xt_collector c = {.base_settings = settings, .effective = *settings, .family = *family};
    c.settings = &c.effective;
    xt_handover_read_note(&c.family.inherited);
    c.to_shipper = XT_CHANNEL_QUEUE_ON(family->shipper_fd);
    int signals = signals_open();
    if (signals < 0) {
        xt_log(XT_LOG_ERROR, "signals cannot be received: %s", strerror(errno));
        return 1;
    }
    if (family->shipper_fd < 0)
        xt_hash128_format(xt_event_import_host_id(xt_slice_str(settings->host_name)), c.host_id);
    if (open_output(&c) == 0 && contain(&c) == 0)
        loop(&c, signals);
    else
        c.failed = true;
    wind_up(&c);
    end_family(&c, signals);
    fini(&c);
    close(signals);
    return c.failed ? 1 : 0;
}

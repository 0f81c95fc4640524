/*
 * How it works: the ring holds the connector's messages and audit's records as they came; of one batch the messages are
 * taken first (agent/receiver.h). What the witness and the canary find becomes events here. An exec that audit left out
 * for no known reason makes a heartbeat and a canary come at once, so that what is wrong is told together.
 */
#include <errno.h>
#include <unistd.h>

#include "agent/collector_private.h"
#include "agent/helper.h"
#include "agent/own_event.h"
#include "agent/witness_event.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/timestamp.h"

#define MAX_TASKS       65536
#define BOUND_MS        4000  /* an event whose end is not told is given up after 2000 (audit/joiner.h) */
#define BOUND_PLUGIN_MS 12000 /* auditd's queues lie between */
#define RELISTEN_MS     10000
#define RELISTEN_EXECS  20 /* in a row that the connector did not tell of */
#define HURRY_MS        2000
#define LOST_MS         10000 /* records lost no longer ago are named as a cause */
#define EVENT_BYTES     (1 << 20)

/* ---- what the witness asks and tells ---- */

static bool ask_process(void *context, uint32_t pid, xt_proc_info *ret)
{
    xt_collector *c = context;
    return xt_proc_read(&c->reader, pid, ret);
}

static xt_slice ask_cgroup(void *context, uint32_t pid)
{
    xt_collector *c = context;
    return xt_proc_read_cgroup(&c->reader, pid);
}

static unsigned ask_threads(void *context, uint32_t pid)
{
    (void)context;
    return xt_proc_threads(pid);
}

static bool ask_kernel(void *context, uint32_t pid)
{
    (void)context;
    return xt_proc_is_kernel(pid);
}

/* Records stand in the kernel's queue: whoever is overdue may be among them. */
static bool ask_behind(void *context)
{
    xt_collector *c = context;
    return c->watch.control && xt_watch_status(&c->watch, NULL) == 0 && c->watch.status.backlog > 0;
}

static int on_exited(void *context, const xt_task *task)
{
    xt_collector *c = context;
    xt_event event;
    const xt_event_origin origin = xt_collector_origin(c);
    if (!c->settings->exits || c->brake.step >= XT_BRAKE_ENDS)
        return 0;
    xt_arena_reset(&c->witness_arena);
    int r = xt_exited_event(task, &origin, xt_witness_wall_ms(c->witness, task->end_ns), &c->witness_arena, &event);
    return r < 0 ? xt_error_trace(r) : xt_collector_emit(c, &event, &c->witness_arena);
}

static void hurry(xt_collector *c)
{
    int64_t mono_ms = xt_clock_mono_ms(&xt_clock_system);
    if (mono_ms - c->hurried_ms < HURRY_MS)
        return;
    c->hurried_ms = mono_ms;
    xt_canary_hurry(&c->canary, c->decoder_ms);
    xt_collector_beat(c);
}

static int on_unaudited(void *context, const xt_task *task, xt_program *program, xt_unaudited reason)
{
    xt_collector *c = context;
    xt_event event;
    char text[256];
    xt_buf message = XT_BUF_ON(text);
    const xt_event_origin origin = xt_collector_origin(c);
    if (reason == XT_UNAUDITED_UNKNOWN)
        hurry(c);
    xt_buf_puts(&message, "the process connector told of an exec that audit has no event of");
    if (reason == XT_UNAUDITED_UNKNOWN && c->lost_ms > 0 && xt_clock_mono_ms(&xt_clock_system) - c->lost_ms < LOST_MS)
        xt_buf_puts(&message, "; records of audit were lost at that time");
    xt_arena_reset(&c->witness_arena);
    if (program->uid == UINT32_MAX)
        program->uid = xt_proc_uid(task->pid);
    int r = xt_unaudited_event(task, program, reason, &origin, xt_buf_slice(&message), &c->witness_arena, &event);
    return r < 0 ? xt_error_trace(r) : xt_collector_emit(c, &event, &c->witness_arena);
}

/* ---- opening ---- */

static int seed(void *context, const xt_proc_info *info)
{
    return xt_witness_seed(((xt_collector *)context)->witness, info);
}

static int witness_new(xt_collector *c)
{
    const xt_witness_settings settings = {
        .max_tasks = MAX_TASKS,
        .bound_ms = xt_watch_is_behind_auditd(c->watch.mode) ? BOUND_PLUGIN_MS : BOUND_MS,
        .is_ordered = !xt_watch_is_behind_auditd(c->watch.mode),
        .wall_ms = xt_clock_wall_ms(&xt_clock_system),
        .mono_ms = xt_clock_mono_ms(&xt_clock_system),
        .calls = {ask_process, ask_cgroup, ask_threads, ask_kernel, ask_behind, on_unaudited, on_exited, c},
    };
    int r = xt_witness_new(&settings, &c->witness);
    if (r == 0)
        r = xt_proc_read_all(&c->reader, seed, c);
    return r < 0 ? xt_error_trace(r) : 0;
}

int xt_collector_witness_open(xt_collector *c)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = 0;
    xt_arena_init(&c->witness_arena, EVENT_BYTES);
    c->hurried_ms = INT64_MIN / 2;
    if (c->watch.mode == XT_WATCH_TEXT) {
        xt_buf_puts(&c->witness_off, "records come as text from elsewhere");
        return 0;
    }
    xt_canary_init(&c->canary, c->family.canary_fd >= 0 ? c->settings->canary_ms : 0, (uint32_t)c->family.helper,
                   c->watch.mode == XT_WATCH_OWNER, c->decoder_ms);
    if (!c->settings->witness) {
        xt_buf_puts(&c->witness_off, "switched off (--witness)");
        return 0;
    }
    r = xt_collector_adopt_connector(c);
    if (r == XT_PROC_CONNECTOR_E_ABSENT)
        r = xt_proc_connector_open(xt_protect_limits_get(c->settings->protect).connector_bytes, &c->connector,
                                   &problem);
    if (r == 0)
        return xt_error_trace(witness_new(c));
    if (r > 0) {
        xt_log_problem(XT_LOG_WARN, &problem);
        xt_buf_puts(&c->witness_off, problem.sentence);
    }
    return r < 0 ? xt_error_trace(r) : 0;
}

void xt_collector_witness_close(xt_collector *c)
{
    c->witness = xt_witness_free(c->witness);
    c->connector = xt_proc_connector_close(c->connector);
    xt_buf_fini(&c->witness_off);
    xt_arena_fini(&c->witness_arena);
}

/* ---- the canary ---- */

static void canary_failed(xt_collector *c, const char *reason, const char *sentence)
{
    xt_event event;
    char scratch[64];
    const xt_event_origin origin = xt_collector_origin(c);
    xt_log(XT_LOG_ERROR, "%s", sentence);
    xt_arena_reset(&c->witness_arena);
    xt_own_event_fill(&event, &origin, xt_clock_wall_ms(&xt_clock_system), "canary-lost", xt_slice_str(sentence),
                      scratch);
    xt_event_set_bytes(&event, XT_F_OUTCOME, XT_S("failure"));
    xt_event_set_bytes(&event, XT_F_REASON, xt_slice_str(reason));
    if (c->canary.pid)
        xt_event_set_num(&event, XT_F_PID, c->canary.pid);
    if (xt_collector_emit(c, &event, &c->witness_arena) < 0)
        xt_log(XT_LOG_WARN, "an event of action canary-lost was not taken");
    xt_collector_note(c, "canary-lost", xt_slice_str(sentence));
    hurry(c);
}

int xt_collector_canary_see(xt_collector *c, xt_event *event, xt_arena *arena)
{
    char names[128], sentence[256];
    xt_buf missing = XT_BUF_ON(names), out = XT_BUF_ON(sentence);
    bool was_lost = c->canary.is_lost;
    int r = xt_canary_take(&c->canary, event, xt_clock_wall_ms(&xt_clock_system), c->decoder_ms, &missing);
    if (r == XT_CANARY_E_OTHER)
        return 0;
    if (r == XT_CANARY_E_INCOMPLETE) {
        xt_buf_printf(&out,
                      "a known exec came back without records that belong to it: %.*s. An exclude rule hides them, "
                      "or they are lost",
                      XT_S_ARGS(xt_buf_slice(&missing)));
        xt_buf_putc(&out, '\0');
        canary_failed(c, "incomplete", sentence);
    } else if (was_lost) {
        c->canary.is_lost = false;
        xt_collector_say(c, "canary-returned", "a known exec came back whole again, within %lld ms",
                         (long long)c->canary.took_ms);
    }
    return xt_own_event_flag(event, XT_S("canary"), arena);
}

static void canary_turn(xt_collector *c)
{
    if (xt_canary_next(&c->canary, c->decoder_ms) &&
        xt_helper_ask(c->family.canary_fd, XT_HELPER_CANARY, 0, xt_slice_str(c->canary.word)) < 0)
        xt_canary_executed(&c->canary, 0, c->decoder_ms);
    if (xt_canary_expired(&c->canary, c->decoder_ms))
        canary_failed(
            c, "not-recorded",
            "a known exec was not recorded: audit is off, has another owner, hides it by a rule, or is stuck");
}

/* It lives (else its end were heard of), and does not listen: what stays readable for ever is not waited for. */
static void canary_gone(xt_collector *c)
{
    close(c->family.canary_fd);
    c->family.canary_fd = -1;
    c->canary.interval_ms = 0;
    c->canary.is_asked = false;
    c->canary.is_lost = true;
    canary_failed(c, "no-helper",
                  "the helper process has closed the socket on which it is asked for canaries: there are no more");
}

void xt_collector_canary_answer(xt_collector *c)
{
    static xt_helper_answer answer;
    int r = xt_helper_take(c->family.canary_fd, 0, &answer);
    if (r < 0 && r != -EAGAIN && !c->end)
        canary_gone(c);
    if (r < 0)
        return;
    xt_reader reader = xt_reader_of(answer.data);
    uint32_t pid = xt_reader_u32(&reader);
    if (pid == 0)
        xt_log(XT_LOG_WARN, "the helper process could not execute the canary");
    xt_canary_executed(&c->canary, pid, c->decoder_ms);
}

/* ---- turns ---- */

int xt_collector_witness_take(xt_collector *c, xt_slice batch)
{
    int r = 0;
    xt_netlink_message message;
    if (!c->witness)
        return 0;
    xt_witness_clocks(c->witness, xt_clock_wall_ms(&xt_clock_system), xt_clock_mono_ms(&xt_clock_system),
                      c->decoder_ms);
    while (r == 0 && xt_ring_next(&batch, &message))
        if (message.type == XT_PROC_CONNECTOR_TYPE)
            r = xt_witness_take(c->witness, message.payload, c->decoder_ms);
    return r;
}

static void say_gaps(xt_collector *c)
{
    xt_number_gap gap;
    char from[25];
    bool some = false;
    while (xt_witness_gap(c->witness, c->decoder_ms, &gap)) {
        uint32_t n = gap.to - gap.from + 1;
        some = true;
        c->n_gaps += n;
        xt_timestamp_format(xt_clock_wall_ms(&xt_clock_system) - (c->decoder_ms - gap.since_ms), from);
        xt_collector_say(c, "witness-gap",
                         "%u messages of the process connector are missing: numbers %u to %u of CPU %u, before %s", n,
                         gap.from, gap.to, gap.cpu, from);
    }
    if (some)
        xt_witness_sweep(c->witness, xt_proc_is_gone, c->decoder_ms);
}

static void say_refused(xt_collector *c)
{
    uint64_t n = xt_witness_task_stats(c->witness).n_refused;
    if (n > c->n_refused)
        xt_collector_say(c, "witness-gap",
                         "%llu processes found no room in the table of processes: their execs are not "
                         "held against audit",
                         (unsigned long long)(n - c->n_refused));
    c->n_gaps += n - c->n_refused;
    c->n_refused = n;
}

/* Older kernels count all listeners together: one that leaves twice silences the others. */
static void check_silence(xt_collector *c)
{
    xt_witness_stats stats = xt_witness_stats_get(c->witness);
    int64_t mono_ms = xt_clock_mono_ms(&xt_clock_system);
    if (stats.n_in_row < RELISTEN_EXECS || mono_ms - c->relistened_ms < RELISTEN_MS)
        return;
    c->relistened_ms = mono_ms;
    xt_collector_say(c, "witness-lost",
                     "the process connector did not tell of the last %llu execs that audit told of: listening anew",
                     (unsigned long long)stats.n_in_row);
    if (xt_proc_connector_listen(c->connector) < 0)
        xt_log(XT_LOG_WARN, "the process connector cannot be listened to again: %s", strerror(errno));
}

int xt_collector_witness_turn(xt_collector *c)
{
    if (c->canary.interval_ms > 0)
        canary_turn(c);
    if (!c->witness)
        return 0;
    say_gaps(c);
    say_refused(c);
    check_silence(c);
    return xt_witness_turn(c->witness, c->decoder_ms);
}

int xt_collector_witness_finish(xt_collector *c)
{
    return xt_witness_finish(c->witness);
}

int64_t xt_collector_witness_wait_ms(const xt_collector *c)
{
    int64_t wait_ms = c->canary.interval_ms > 0 ? xt_canary_wait_ms(&c->canary, c->decoder_ms) : -1;
    int64_t other_ms = c->witness ? xt_witness_wait_ms(c->witness, c->decoder_ms) : -1;
    return wait_ms < 0 || (other_ms >= 0 && other_ms < wait_ms) ? other_ms : wait_ms;
}

/*
 * How it works: see task_table.h for who runs what. An exec that audit has not told of within NOTE_MS is read from
 * /proc, for the process may be gone when the bound is over; once such a one waits, audit may be deaf, and the others are
 * read as soon as they come. An end waits END_MS: when another thread than the first executes a program, the kernel
 * tells of the end of the first one, and then of the exec.
 *
 * A control group is read when all messages of a batch are known, for processes that have not ended in it: to look for one
 * that is gone costs as much as its whole decoding. Where it is too late it is the parent's. A parent whose last
 * SAME children were where it is, or gone too soon, is believed for the next ones; each SAME_EVERY-th is looked at again.
 */
#include "agent/witness.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/own_event.h"
#include "event/secret_redact.h"

#define SLACK_MS     50
#define STEP_MS      20   /* by which clocks may differ from one turn to the next and were not set */
#define STEPPED_MS   5000 /* after a clock was set, times of the two streams are not compared */
#define NOTE_MS      50
#define END_MS       200
#define FRESH        256
#define SAME         8
#define SAME_EVERY   16
#define MAX_READS    500 /* of /proc for execs that audit has not told of, a second */
#define KTHREADD     2
#define MAX_EARLY_MS 2000
#define BEGIN_MS     200 /* an exec that began before the rules were there may end after; such a one is not expected */

typedef struct early {
    uint32_t pid;
    int64_t time_ms, arrived_ms;
} early;

struct xt_witness {
    xt_witness_settings settings;
    xt_task_table *tasks;
    xt_gap_list gaps;
    xt_witness_stats stats;
    uint64_t expected_ns;     /* by the connector: from when on audit must have told of an exec too */
    int64_t offset_ms;        /* wall time less the connector's */
    int64_t stepped_until_ms; /* of now */
    int64_t reads_ms;         /* the second that n_reads counts in */
    unsigned n_reads;
    size_t n_noted;        /* unmet and read */
    uint32_t fresh[FRESH]; /* have executed, and their control groups are not read yet */
    size_t n_fresh;
    bool is_frugal;
    early early[XT_WITNESS_EARLY];
    size_t n_early;
};

const char *xt_unaudited_name(xt_unaudited reason)
{
    static const char *const names[] = {"kernel-helper", "no-audit-context", "unknown"};
    return names[reason];
}

int xt_witness_new(const xt_witness_settings *settings, xt_witness **ret)
{
    xt_witness *w = calloc(1, sizeof *w);
    if (!w)
        return xt_error_origin(-ENOMEM);
    w->settings = *settings;
    w->offset_ms = settings->wall_ms - settings->mono_ms;
    w->expected_ns = (uint64_t)(settings->mono_ms + BEGIN_MS) * 1000000;
    w->stepped_until_ms = INT64_MIN;
    int r = xt_task_table_new(settings->max_tasks, &w->tasks);
    if (r < 0) {
        free(w);
        return xt_error_trace(r);
    }
    *ret = w;
    return 0;
}

xt_witness *xt_witness_free(xt_witness *w)
{
    if (w)
        xt_task_table_free(w->tasks);
    free(w);
    return NULL;
}

xt_witness_stats xt_witness_stats_get(const xt_witness *w)
{
    return w->stats;
}

xt_task_stats xt_witness_task_stats(const xt_witness *w)
{
    return xt_task_stats_get(w->tasks);
}

void xt_witness_clocks(xt_witness *w, int64_t wall_ms, int64_t mono_ms, int64_t now_ms)
{
    int64_t step = wall_ms - mono_ms - w->offset_ms;
    if (step > STEP_MS || step < -STEP_MS)
        w->stepped_until_ms = now_ms + STEPPED_MS;
    w->offset_ms += step;
}

int64_t xt_witness_wall_ms(const xt_witness *w, uint64_t time_ns)
{
    return w->offset_ms + (int64_t)(time_ns / 1000000);
}

bool xt_witness_gap(xt_witness *w, int64_t now_ms, xt_number_gap *ret)
{
    return xt_gap_list_take(&w->gaps, now_ms, false, ret);
}

void xt_witness_sweep(xt_witness *w, bool (*is_gone)(uint32_t pid), int64_t now_ms)
{
    xt_task_sweep(w->tasks, is_gone, now_ms);
}

/* A program that was not seen executed, as /proc has it. */
static int program_read(xt_witness *w, xt_task *task, const xt_proc_info *info)
{
    xt_program *p;
    int r = xt_task_exec_alone(w->tasks, task, &p);
    if (r == 0) {
        p->state = XT_PROGRAM_READ;
        r = xt_program_fill(w->tasks, p, info, XT_S_NULL);
    }
    task->has_executed = false;
    task->sid = info->sid;
    if (task->ppid == 0)
        task->ppid = info->ppid;
    return r < 0 ? xt_error_trace(r) : 0;
}

int xt_witness_seed(xt_witness *w, const xt_proc_info *info)
{
    xt_task *task = NULL;
    int r = xt_task_get(w->tasks, info->pid, &task);
    if (r < 0 || !task)
        return r < 0 ? xt_error_trace(r) : 0;
    if (task->start_ns == 0)
        task->is_seeded = true;
    return task->program ? 0 : program_read(w, task, info);
}

/* ---- the connector's messages ---- */

static bool may_read(xt_witness *w, int64_t now_ms)
{
    if (now_ms - w->reads_ms >= 1000) {
        w->reads_ms = now_ms;
        w->n_reads = 0;
    }
    return w->n_reads++ < MAX_READS;
}

/* What /proc says of a process whose exec audit has not told of. */
static int note(xt_witness *w, xt_program *p, int64_t now_ms)
{
    xt_proc_info info;
    p->is_noted = true;
    w->n_noted++;
    if (p->task->program != p || !may_read(w, now_ms) ||
        !w->settings.calls.read(w->settings.calls.context, p->pid, &info))
        return 0;
    if (p->task->sid == 0)
        p->task->sid = info.sid;
    if (p->task->ppid == 0) /* the message of its fork was lost */
        p->task->ppid = info.ppid;
    return xt_error_trace(xt_program_fill(w->tasks, p, &info, XT_S_NULL));
}

static void count_same(xt_task *parent, bool is_same)
{
    if (parent)
        parent->n_same = !is_same ? 0 : parent->n_same >= SAME ? SAME : (uint8_t)(parent->n_same + 1);
}

static int read_cgroup(xt_witness *w, xt_task *task)
{
    xt_task *parent = xt_task_find(w->tasks, task->ppid);
    task->is_cgroup_read = false;
    if (parent && task->cgroup && parent->n_same >= SAME && parent->n_same < SAME + SAME_EVERY) {
        parent->n_same++;
        return 0;
    }
    xt_slice text = w->settings.calls.cgroup(w->settings.calls.context, task->pid);
    xt_cgroup *group;
    if (text.n == 0) {
        count_same(parent, true);
        return 0;
    }
    int r = xt_cgroup_get(xt_task_cgroups(w->tasks), text, &group);
    if (r < 0)
        return xt_error_trace(r);
    count_same(parent, parent && group == parent->cgroup);
    xt_cgroup_unref(xt_task_cgroups(w->tasks), task->cgroup);
    task->cgroup = group;
    task->is_cgroup_read = true;
    return 0;
}

static int read_fresh(xt_witness *w)
{
    int r = 0;
    for (size_t i = 0; i < w->n_fresh; i++) {
        xt_task *task = xt_task_find(w->tasks, w->fresh[i]);
        if (task && !task->is_ended && r == 0)
            r = read_cgroup(w, task);
    }
    w->n_fresh = 0;
    return r;
}

/* Its control group is to be read. */
static int put_fresh(xt_witness *w, xt_task *task)
{
    task->is_cgroup_read = false;
    if (w->is_frugal)
        return 0;
    int r = w->n_fresh == FRESH ? read_fresh(w) : 0;
    w->fresh[w->n_fresh++] = task->pid;
    return r;
}

void xt_witness_frugal(xt_witness *w, bool is_frugal)
{
    w->is_frugal = is_frugal;
    w->n_fresh = 0;
}

/* True when audit's event of this exec was there before the message. */
static bool was_early(xt_witness *w, uint32_t pid)
{
    for (size_t i = 0; i < w->n_early; i++) {
        if (w->early[i].pid != pid)
            continue;
        w->early[i] = w->early[--w->n_early];
        return true;
    }
    return false;
}

static void met(xt_witness *w)
{
    w->stats.n_both++;
}

static int on_exec(xt_witness *w, const xt_proc_message *m, int64_t now_ms)
{
    xt_task *task = NULL;
    if (was_early(w, m->pid)) {
        met(w);
        task = xt_task_find(w->tasks, m->pid);
        return task ? put_fresh(w, task) : 0;
    }
    int r = xt_task_get(w->tasks, m->pid, &task);
    if (r == 0 && task)
        r = xt_task_exec(w->tasks, task, m->time_ns, now_ms);
    if (r == 0 && task)
        r = put_fresh(w, task);
    if (r == 0 && task && w->n_noted > 0)
        r = note(w, task->program, now_ms);
    return r < 0 ? xt_error_trace(r) : 0;
}

static int on_fork(xt_witness *w, const xt_proc_message *m)
{
    xt_task *task;
    if (m->thread == m->pid)
        return xt_error_trace(xt_task_fork(w->tasks, m->pid, m->parent, m->time_ns, &task));
    task = xt_task_find(w->tasks, m->pid);
    if (task)
        task->has_threads = true;
    return 0;
}

/* The first thread may end while others go on; then the last of them ends the process. */
static void on_exit_message(xt_witness *w, const xt_proc_message *m, int64_t now_ms)
{
    xt_task *task = xt_task_find(w->tasks, m->pid);
    bool is_first = m->thread == m->pid;
    if (!task || task->is_ended || (!is_first && !task->is_leader_gone))
        return;
    if (task->has_threads && w->settings.calls.threads(w->settings.calls.context, m->pid) > 1) {
        if (is_first)
            task->code = m->code;
        task->is_leader_gone = true;
        return;
    }
    xt_task_end(w->tasks, task, m->time_ns, is_first ? m->code : task->code, now_ms);
}

static int dispatch(xt_witness *w, const xt_proc_message *m, int64_t now_ms)
{
    xt_task *task;
    switch (m->kind) {
    case XT_PROC_FORK:
        return on_fork(w, m);
    case XT_PROC_EXEC:
        return on_exec(w, m, now_ms);
    case XT_PROC_EXIT:
        on_exit_message(w, m, now_ms);
        return 0;
    case XT_PROC_UID:
    case XT_PROC_SID:
        task = xt_task_find(w->tasks, m->pid);
        if (task && m->kind == XT_PROC_UID)
            task->uid = m->uid;
        else if (task)
            task->sid = m->pid;
        return 0;
    default:
        return 0;
    }
}

int xt_witness_take(xt_witness *w, xt_slice payload, int64_t now_ms)
{
    xt_proc_message m;
    w->stats.n_messages++;
    w->stats.n_in_row = 0;
    if (xt_proc_message_parse(payload, &m) != 0) {
        w->stats.n_foreign++;
        return 0;
    }
    if (m.kind == XT_PROC_ACK)
        return 0;
    xt_gap_list_see(&w->gaps, m.cpu, m.number, now_ms);
    return dispatch(w, &m, now_ms);
}

/* ---- audit's events ---- */

static uint64_t time_ns_of(const xt_witness *w, const xt_event *event, int64_t slack_ms)
{
    int64_t ms = (int64_t)xt_event_num(event, XT_F_TIME, 0) - w->offset_ms + slack_ms;
    return ms > 0 ? (uint64_t)ms * 1000000 : 0;
}

static void put_early(xt_witness *w, uint32_t pid, const xt_event *event, int64_t now_ms)
{
    if (w->settings.is_ordered || w->n_early == XT_WITNESS_EARLY) {
        w->stats.n_unwitnessed++;
        w->stats.n_in_row++;
        return;
    }
    w->early[w->n_early++] = (early){pid, (int64_t)xt_event_num(event, XT_F_TIME, 0), now_ms};
}

static uint32_t id_of(const xt_event *event, xt_field f)
{
    return (uint32_t)xt_event_num(event, f, UINT32_MAX);
}

static int fill_program(xt_witness *w, xt_program *p, const xt_event *event)
{
    xt_buf marks = XT_BUF_INIT;
    if (xt_event_has(event, XT_F_REDACTIONS))
        xt_secret_marks_of_parent(event, XT_TASK_MAX_CMD, &marks);
    const xt_proc_info info = {
        .start_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0),
        .exe = xt_event_bytes(event, XT_F_EXE),
        .comm = xt_event_bytes(event, XT_F_COMM),
        .marks = xt_buf_slice(&marks),
    };
    int r = xt_program_fill(w->tasks, p, &info, xt_event_bytes(event, XT_F_ARGS));
    xt_buf_fini(&marks);
    p->serial = id_of(event, XT_F_SERIAL);
    p->uid = id_of(event, XT_F_UID);
    p->auid = id_of(event, XT_F_AUID);
    p->ses = id_of(event, XT_F_SES);
    p->event_id = xt_event_id_of(xt_event_bytes(event, XT_F_HOST_ID), info.start_ms, p->serial);
    return r < 0 ? xt_error_trace(r) : 0;
}

/* An exec that was told as left out, and audit tells of it after all: the event names the one that said so. */
static int meet_late(xt_witness *w, xt_task *task, uint64_t from_ns, xt_event *event, xt_arena *arena)
{
    xt_program *p = task ? task->program : NULL;
    if (!p || p->state != XT_PROGRAM_UNAUDITED || p->time_ns < from_ns || p->pid != task->pid)
        return 0;
    char *of = xt_arena_alloc(arena, 33);
    if (!of)
        return xt_error_origin(-ENOMEM);
    xt_hash128_format(p->event_id, of);
    xt_event_set_bytes(event, XT_F_OF, xt_slice_of(of, 32));
    w->stats.n_unaudited[p->reason]--;
    w->stats.n_late++;
    met(w);
    p->state = XT_PROGRAM_RECORDED;
    return 1;
}

/* An exec event without an unmet message. */
static int meet_alone(xt_witness *w, uint32_t pid, uint64_t from_ns, xt_event *event, int64_t now_ms, xt_arena *arena,
                      xt_task **ret_task)
{
    xt_program *p;
    *ret_task = xt_task_find(w->tasks, pid);
    int r = meet_late(w, *ret_task, from_ns, event, arena);
    if (r != 0)
        return r < 0 ? xt_error_trace(r) : 0;
    put_early(w, pid, event, now_ms);
    r = xt_task_get(w->tasks, pid, ret_task);
    if (r == 0 && *ret_task && (r = xt_task_exec_alone(w->tasks, *ret_task, &p)) == 0)
        p->state = XT_PROGRAM_RECORDED;
    return r < 0 ? xt_error_trace(r) : 0;
}

/* The successful exec of a pid: its unmet message, or one that there was no message for. */
static int meet_exec(xt_witness *w, uint32_t pid, xt_event *event, int64_t now_ms, xt_arena *arena, xt_task **ret_task)
{
    uint64_t from_ns = now_ms < w->stepped_until_ms ? 0 : time_ns_of(w, event, -SLACK_MS);
    xt_program *p = xt_program_ref(xt_task_unmet(w->tasks, pid, from_ns));
    xt_task *task = p ? p->task : NULL;
    int r = 0;
    if (p) {
        met(w);
        w->n_noted -= p->is_noted;
        p->is_noted = false;
        xt_program_meet(w->tasks, p, XT_PROGRAM_RECORDED);
    } else {
        r = meet_alone(w, pid, from_ns, event, now_ms, arena, &task);
        if (r == 0 && task)
            p = xt_program_ref(task->program);
    }
    if (r == 0 && p)
        r = fill_program(w, p, event);
    if (p)
        xt_program_unref(w->tasks, p);
    if (task)
        task->is_seeded = false;
    if (task && xt_event_has(event, XT_F_UID))
        task->uid = id_of(event, XT_F_UID);
    *ret_task = task;
    return r < 0 ? xt_error_trace(r) : 0;
}

static int put_entity(xt_event *event, xt_field f, const xt_program *p, xt_arena *arena)
{
    char *text = xt_arena_alloc(arena, XT_EVENT_ENTITY_LEN);
    if (!text)
        return xt_error_origin(-ENOMEM);
    xt_event_entity_of(xt_event_bytes(event, XT_F_HOST_ID), xt_event_bytes(event, XT_F_BOOT_ID), p->pid, p->start_ms,
                       text);
    xt_event_set_bytes(event, f, xt_slice_of(text, XT_EVENT_ENTITY_LEN));
    return 0;
}

static int put_text(xt_event *event, xt_field f, xt_slice text, xt_arena *arena)
{
    xt_slice copy = text.n > 0 ? xt_arena_copy(arena, text) : XT_S_NULL;
    if (text.n > 0 && !copy.p)
        return xt_error_origin(-ENOMEM);
    if (text.n > 0)
        xt_event_set_bytes(event, f, copy);
    return 0;
}

static int put_parent(xt_event *event, const xt_program *p, xt_arena *arena)
{
    int r = put_text(event, XT_F_PARENT_EXE, p->exe, arena);
    if (r == 0)
        r = put_text(event, XT_F_PARENT_COMM, p->comm, arena);
    if (r == 0)
        r = put_text(event, XT_F_PARENT_CMD, p->cmd, arena);
    if (r == 0 && p->marks.n > 0)
        r = xt_secret_marks_add(event, p->marks, arena);
    if (r == 0 && p->state != XT_PROGRAM_UNMET)
        r = put_entity(event, XT_F_PARENT_ENTITY, p, arena);
    if (r == 0 && (p->state == XT_PROGRAM_READ || p->is_noted))
        r = xt_own_event_flag(event, XT_S("parent-inferred"), arena);
    return r;
}

/* What the parent ran when it forked; of another parent (the first one ended) what that one runs. */
static int find_parent(xt_witness *w, const xt_task *task, const xt_event *event, xt_program **ret)
{
    uint32_t ppid = id_of(event, XT_F_PPID);
    xt_task *parent;
    xt_proc_info info;
    *ret = task && task->ppid == ppid ? task->parent : NULL;
    if (*ret)
        return 0;
    parent = xt_task_find_at(w->tasks, ppid, time_ns_of(w, event, SLACK_MS));
    if ((!parent || !parent->program) && ppid > 0 && w->settings.calls.read(w->settings.calls.context, ppid, &info) &&
        info.start_ms <= (int64_t)xt_event_num(event, XT_F_TIME, 0)) {
        int r = xt_task_get(w->tasks, ppid, &parent);
        if (r == 0 && parent && !parent->program)
            r = program_read(w, parent, &info);
        if (r < 0)
            return xt_error_trace(r);
    }
    *ret = parent ? parent->program : NULL;
    return 0;
}

static int put_leader(xt_witness *w, xt_task *task, xt_event *event, xt_arena *arena)
{
    xt_proc_info info;
    if (task->sid == 0 && w->settings.calls.read(w->settings.calls.context, task->pid, &info))
        task->sid = info.sid;
    if (task->sid == 0)
        return 0;
    xt_event_set_num(event, XT_F_LEADER, task->sid);
    const xt_task *leader = xt_task_find(w->tasks, task->sid);
    const xt_program *p = leader ? leader->program : NULL;
    return p && p->state != XT_PROGRAM_UNMET ? put_entity(event, XT_F_LEADER_ENTITY, p, arena) : 0;
}

static int put_cgroup(const xt_task *task, xt_event *event, xt_arena *arena)
{
    const xt_cgroup *group = task->cgroup;
    if (!group || group->container.n + group->unit.n == 0)
        return 0;
    int r = put_text(event, XT_F_CONTAINER, group->container, arena);
    if (r == 0)
        r = put_text(event, XT_F_UNIT, group->unit, arena);
    if (r == 0 && !task->is_cgroup_read)
        r = xt_own_event_flag(event, XT_S("cgroup-inferred"), arena);
    return r;
}

/* A failed exec left the process what it was; the caller's executable tells whether that is what we think. */
static int put_unchanged(const xt_task *task, xt_event *event, xt_arena *arena)
{
    const xt_program *p = task->program;
    xt_slice exe;
    if (!p || p->state == XT_PROGRAM_UNMET || !task->has_executed ||
        !xt_recs_find(xt_event_bytes(event, XT_F_RECORDS), XT_S("exe"), 0, &exe) || !xt_slice_eq(exe, p->exe))
        return 0;
    return put_entity(event, XT_F_ENTITY, p, arena);
}

static int meet_execution(xt_witness *w, xt_event *event, int64_t now_ms, xt_arena *arena, xt_task **ret_task)
{
    xt_program *parent = NULL;
    xt_task *task = NULL;
    bool is_own = xt_event_is_own_entity(event);
    uint32_t pid = id_of(event, XT_F_PID);
    int r = is_own ? meet_exec(w, pid, event, now_ms, arena, &task) : 0;
    if (!is_own)
        task = xt_task_find_at(w->tasks, pid, time_ns_of(w, event, SLACK_MS));
    if (r == 0)
        r = find_parent(w, task, event, &parent);
    if (r == 0 && parent)
        r = put_parent(event, parent, arena);
    if (r == 0 && task && !is_own)
        r = put_unchanged(task, event, arena);
    *ret_task = task;
    return r < 0 ? xt_error_trace(r) : 0;
}

int xt_witness_meet(xt_witness *w, xt_event *event, int64_t now_ms, xt_arena *arena)
{
    xt_task *task = NULL;
    int r = read_fresh(w);
    if (r < 0 || !xt_event_has(event, XT_F_PID))
        return r < 0 ? xt_error_trace(r) : 0;
    if (xt_slice_eq(xt_event_bytes(event, XT_F_ACTION), XT_S("executed")))
        r = meet_execution(w, event, now_ms, arena, &task);
    else
        task = xt_task_find_at(w->tasks, id_of(event, XT_F_PID), time_ns_of(w, event, SLACK_MS));
    if (r == 0 && task)
        r = put_leader(w, task, event, arena);
    if (r == 0 && task)
        r = put_cgroup(task, event, arena);
    return r < 0 ? xt_error_trace(r) : 0;
}

/* ---- time ---- */

static xt_unaudited reason_of(xt_witness *w, const xt_task *task)
{
    if (task->ppid == KTHREADD ||
        (task->ppid > 0 && w->settings.calls.is_kernel(w->settings.calls.context, task->ppid)))
        return XT_UNAUDITED_KERNEL_HELPER;
    return task->is_seeded ? XT_UNAUDITED_NO_CONTEXT : XT_UNAUDITED_UNKNOWN;
}

static int declare(xt_witness *w, xt_program *p)
{
    xt_task *task = p->task;
    xt_unaudited reason = reason_of(w, task);
    int r = 0;
    w->n_noted -= p->is_noted;
    p->start_ms = xt_witness_wall_ms(w, p->time_ns);
    p->uid = task->uid;
    xt_program_ref(p);
    if (p->time_ns < w->expected_ns) {
        xt_program_meet(w->tasks, p, XT_PROGRAM_READ);
    } else {
        w->stats.n_unaudited[reason]++;
        p->reason = (uint8_t)reason;
        xt_program_meet(w->tasks, p, XT_PROGRAM_UNAUDITED);
        r = w->settings.calls.unaudited(w->settings.calls.context, task, p, reason);
    }
    xt_program_unref(w->tasks, p);
    return r;
}

void xt_witness_excuse(xt_witness *w, uint64_t until_ns)
{
    if (until_ns > w->expected_ns)
        w->expected_ns = until_ns;
}

static bool is_overdue(const xt_witness *w, const xt_program *p, int64_t now_ms)
{
    int64_t waited_ms = now_ms - p->arrived_ms;
    if (waited_ms < w->settings.bound_ms)
        return false;
    return waited_ms >= 2 * w->settings.bound_ms || !w->settings.calls.is_behind ||
           !w->settings.calls.is_behind(w->settings.calls.context);
}

static int turn_unmet(xt_witness *w, int64_t now_ms)
{
    int r = 0;
    xt_program *p;
    while (r == 0 && (p = xt_task_oldest_unmet(w->tasks)) != NULL && is_overdue(w, p, now_ms))
        r = declare(w, p);
    for (p = xt_task_oldest_unmet(w->tasks); r == 0 && p && now_ms - p->arrived_ms >= NOTE_MS; p = p->newer)
        if (!p->is_noted)
            r = note(w, p, now_ms);
    return r;
}

static int tell_end(xt_witness *w, xt_task *task)
{
    const xt_program *p = task->program;
    int r = 0;
    if (p && task->has_executed && task->code >= 0 &&
        (p->state == XT_PROGRAM_RECORDED || p->state == XT_PROGRAM_UNAUDITED))
        r = w->settings.calls.exited(w->settings.calls.context, task);
    xt_task_drop(w->tasks, task);
    return r;
}

static int turn_ended(xt_witness *w, int64_t now_ms)
{
    int r = 0;
    xt_task *task;
    while (r == 0 && (task = xt_task_first_ended(w->tasks)) != NULL && now_ms - task->ended_ms >= END_MS &&
           !task->first_unmet)
        r = tell_end(w, task);
    return r;
}

int xt_witness_finish(xt_witness *w)
{
    int r = 0;
    xt_task *task;
    while (r == 0 && (task = xt_task_first_ended(w->tasks)) != NULL)
        r = tell_end(w, task);
    return r;
}

static void turn_early(xt_witness *w, int64_t now_ms)
{
    for (size_t i = 0; i < w->n_early;) {
        if (now_ms - w->early[i].arrived_ms < MAX_EARLY_MS) {
            i++;
            continue;
        }
        w->early[i] = w->early[--w->n_early];
        w->stats.n_unwitnessed++;
        w->stats.n_in_row++;
    }
}

int xt_witness_turn(xt_witness *w, int64_t now_ms)
{
    int r = read_fresh(w);
    turn_early(w, now_ms);
    if (r == 0)
        r = turn_unmet(w, now_ms);
    if (r == 0)
        r = turn_ended(w, now_ms);
    return r;
}

int64_t xt_witness_wait_ms(const xt_witness *w, int64_t now_ms)
{
    const xt_program *p = xt_task_oldest_unmet(w->tasks);
    const xt_task *task = xt_task_first_ended(w->tasks);
    int64_t wait_ms = -1;
    if (p)
        wait_ms = p->arrived_ms + (p->is_noted ? w->settings.bound_ms : NOTE_MS) - now_ms;
    if (task && !task->first_unmet && (wait_ms < 0 || task->ended_ms + END_MS - now_ms < wait_ms))
        wait_ms = task->ended_ms + END_MS - now_ms;
    return wait_ms < 0 && (p || task) ? 0 : wait_ms;
}

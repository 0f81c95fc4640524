#include "agent/witness_event.h"

#include <errno.h>
#include <sys/wait.h>

#include "agent/own_event.h"
#include "event/secret_redact.h"

static void set_unless(xt_event *event, xt_field f, uint32_t value, uint32_t unset)
{
    if (value != unset)
        xt_event_set_num(event, f, value);
}

static void set_text(xt_event *event, xt_field f, xt_slice text)
{
    if (text.n > 0)
        xt_event_set_bytes(event, f, text);
}

/* As wait(2) has it. */
static void set_code(xt_event *event, int32_t code)
{
    if (WIFSIGNALED(code)) {
        xt_event_set_num(event, XT_F_EXIT_CODE, 128 + (uint64_t)WTERMSIG(code));
        xt_event_set_num(event, XT_F_SIGNAL, (uint64_t)WTERMSIG(code));
        if (WCOREDUMP(code))
            xt_event_set_bytes(event, XT_F_FLAGS,
                               XT_S("\x01\x0b"
                                    "core-dumped"));
    } else {
        xt_event_set_num(event, XT_F_EXIT_CODE, (uint64_t)WEXITSTATUS(code));
    }
}

int xt_exited_event(const xt_task *task, const xt_event_origin *origin, int64_t end_ms, xt_arena *arena, xt_event *ret)
{
    const xt_program *p = task->program;
    char *of = xt_arena_alloc(arena, 33);
    if (!of)
        return xt_error_origin(-ENOMEM);
    if (end_ms <= p->start_ms) /* what began in this millisecond ends in the next: event.id is made of the time */
        end_ms = p->start_ms + 1;
    xt_own_event_head(ret, origin, end_ms, "exited");
    if (p->state == XT_PROGRAM_RECORDED) {
        xt_event_set_num(ret, XT_F_SERIAL, p->serial);
    } else {
        char *id = xt_arena_alloc(arena, 33);
        if (!id)
            return xt_error_origin(-ENOMEM);
        xt_hash128_format(xt_slice_hash128(xt_slice_of(p->event_id.b, sizeof p->event_id.b)), id);
        xt_event_set_bytes(ret, XT_F_EVENT_ID, xt_slice_of(id, 32));
    }
    xt_hash128_format(p->event_id, of);
    xt_event_set_bytes(ret, XT_F_OF, xt_slice_of(of, 32));
    xt_event_set_bytes(ret, XT_F_CATEGORY, XT_S("\x01\x07process"));
    xt_event_set_bytes(ret, XT_F_EVENT_TYPE,
                       XT_S("\x01\x03"
                            "end"));
    xt_event_set_num(ret, XT_F_PID, task->pid);
    set_unless(ret, XT_F_UID, p->uid, UINT32_MAX);
    set_unless(ret, XT_F_AUID, p->auid, UINT32_MAX);
    set_unless(ret, XT_F_SES, p->ses, UINT32_MAX);
    set_text(ret, XT_F_EXE, p->exe);
    set_text(ret, XT_F_COMM, p->comm);
    set_code(ret, task->code);
    if (p->time_ns > 0 && task->end_ns > p->time_ns)
        xt_event_set_num(ret, XT_F_DURATION, (task->end_ns - p->time_ns) / 1000 * 1000);
    return 0;
}

/* Each ended by NUL, as a list. */
static int put_args(xt_event *event, xt_slice argv, xt_arena *arena)
{
    size_t n = 0;
    for (size_t i = 0; i < argv.n; i++)
        n += argv.p[i] == '\0';
    if (n == 0)
        return 0;
    xt_slice *items = xt_arena_array(arena, n, sizeof *items);
    size_t cap = argv.n + 10 * (n + 1);
    xt_buf out = {.p = xt_arena_alloc(arena, cap), .cap = cap, .max_bytes = cap};
    if (!items || !out.p)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < n; i++)
        if (!xt_slice_cut(&argv, '\0', &items[i]))
            items[i] = XT_S_NULL;
    xt_list_put(&out, items, n);
    xt_event_set_bytes(event, XT_F_ARGS, xt_buf_slice(&out));
    return xt_buf_done(&out);
}

int xt_unaudited_event(const xt_task *task, xt_program *p, xt_unaudited reason, const xt_event_origin *origin,
                       xt_slice message, xt_arena *arena, xt_event *ret)
{
    char *id = xt_arena_alloc(arena, 64);
    if (!id)
        return xt_error_origin(-ENOMEM);
    xt_own_event_fill(ret, origin, p->start_ms, "exec-unaudited", message, id);
    if (!xt_hash128_parse(xt_slice_of(id, 32), &p->event_id))
        return xt_error_origin(-EINVAL);
    xt_event_set_bytes(ret, XT_F_CATEGORY, XT_S("\x01\x07process"));
    xt_event_set_bytes(ret, XT_F_EVENT_TYPE, XT_S("\x01\x05start"));
    xt_event_set_bytes(ret, XT_F_REASON, xt_slice_str(xt_unaudited_name(reason)));
    xt_event_set_num(ret, XT_F_PID, task->pid);
    set_unless(ret, XT_F_PPID, task->ppid, 0);
    set_unless(ret, XT_F_UID, p->uid, UINT32_MAX);
    set_unless(ret, XT_F_LEADER, task->sid, 0);
    set_text(ret, XT_F_EXE, p->exe);
    set_text(ret, XT_F_COMM, p->comm);
    if (task->parent) {
        set_text(ret, XT_F_PARENT_EXE, task->parent->exe);
        set_text(ret, XT_F_PARENT_COMM, task->parent->comm);
        set_text(ret, XT_F_PARENT_CMD, task->parent->cmd);
    }
    if (task->parent && task->parent->marks.n > 0) {
        int r = xt_secret_marks_add(ret, task->parent->marks, arena);
        if (r < 0)
            return xt_error_trace(r);
    }
    if (task->cgroup) {
        set_text(ret, XT_F_CONTAINER, task->cgroup->container);
        set_text(ret, XT_F_UNIT, task->cgroup->unit);
    }
    return put_args(ret, p->argv, arena);
}

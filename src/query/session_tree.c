/*
 * Events come in the order of their times, so that the latest process of a pid is the one that an event means, unless
 * something says that the pid is another process by now. New pids grow until they go round: when a process that was not
 * there before has a pid far below that of the one before it, they did.
 */
#include "query/session_tree.h"

#include <errno.h>
#include <stdlib.h>

#define WRAP_DISTANCE    1024 /* processes that start together may execute in another order than they were forked in */
#define MONITOR_DISTANCE 8    /* pids */
#define MAX_LOOKS        (UINT64_C(1) << 26)
#define KEY_BYTES        (255 + 4)

void xt_session_tree_init(xt_session_tree *tree, xt_arena *arena)
{
    *tree = (xt_session_tree){.arena = arena, .first_root = XT_SESSION_NONE, .last_root = XT_SESSION_NONE};
}

void xt_session_tree_fini(xt_session_tree *tree)
{
    xt_map_fini(&tree->by_pid);
    free(tree->processes);
}

xt_field_set xt_session_tree_fields(void)
{
    static const xt_field fields[] = {
        XT_F_TIME,    XT_F_SERIAL, XT_F_ACTION, XT_F_OUTCOME,    XT_F_HOST,       XT_F_HOST_ID,
        XT_F_BOOT_ID, XT_F_UID,    XT_F_USER,   XT_F_EUID,       XT_F_EUSER,      XT_F_LOGIN,
        XT_F_FROM,    XT_F_PID,    XT_F_PPID,   XT_F_ENTITY,     XT_F_EXE,        XT_F_COMM,
        XT_F_ARGS,    XT_F_CWD,    XT_F_TTY,    XT_F_PARENT_EXE, XT_F_PARENT_CMD, XT_F_PARENT_COMM,
        XT_F_EXIT,    XT_F_NOISE,  XT_F_RULES,  XT_F_SYSCALL,    XT_F_RECORDS,    XT_F_EXIT_CODE,
    };
    xt_field_set set = {{0, 0}};

    for (size_t i = 0; i < XT_COUNT_OF(fields); i++)
        xt_field_set_add(&set, fields[i]);
    return set;
}

/* ------------------------------------------------------------------------------------------------ processes */

/* One step of looking about; false when there were too many of them: then nothing is guessed any more. */
static bool may_look(xt_session_tree *tree)
{
    return ++tree->n_looks <= MAX_LOOKS;
}

static xt_slice pid_key(char room[static KEY_BYTES], xt_slice boot, uint32_t pid)
{
    boot = xt_slice_head(boot, 255);
    memcpy(room, &pid, sizeof pid);
    memcpy(room + sizeof pid, boot.p ? boot.p : "", boot.n);
    return xt_slice_of(room, sizeof pid + boot.n);
}

static uint32_t find(const xt_session_tree *tree, xt_slice boot, uint32_t pid)
{
    char room[KEY_BYTES];
    uintptr_t at = (uintptr_t)xt_map_find(&tree->by_pid, pid_key(room, boot, pid));

    return at ? (uint32_t)(at - 1) : XT_SESSION_NONE;
}

static int enter(xt_session_tree *tree, uint32_t i)
{
    const xt_session_process *p = tree->processes[i];
    char room[KEY_BYTES];
    xt_slice key = xt_arena_copy(tree->arena, pid_key(room, p->boot, p->pid));

    if (!key.p)
        return XT_SESSION_E_FULL;
    return xt_map_put(&tree->by_pid, key, (void *)((uintptr_t)i + 1), NULL);
}

static int grow(xt_session_tree *tree)
{
    uint32_t cap = tree->cap ? tree->cap * 2 : 64;

    if (tree->n == XT_SESSION_MAX_PROCESSES)
        return XT_SESSION_E_FULL;
    if (tree->n < tree->cap)
        return 0;
    xt_session_process **processes = reallocarray(tree->processes, cap, sizeof *processes);
    if (!processes)
        return xt_error_origin(-ENOMEM);
    tree->processes = processes;
    tree->cap = cap;
    return 0;
}

static void seen_now(xt_session_tree *tree, xt_session_process *p)
{
    p->wraps = tree->wraps;
    p->busy = ++tree->n_busy;
}

static void child_append(xt_session_tree *tree, uint32_t i)
{
    xt_session_process *p = tree->processes[i];
    bool is_root = p->parent == XT_SESSION_NONE;
    uint32_t *first = is_root ? &tree->first_root : &tree->processes[p->parent]->first_child;
    uint32_t *last = is_root ? &tree->last_root : &tree->processes[p->parent]->last_child;

    p->next = XT_SESSION_NONE;
    if (*last == XT_SESSION_NONE)
        *first = i;
    else
        tree->processes[*last]->next = i;
    *last = i;
}

static void child_remove(xt_session_tree *tree, uint32_t i)
{
    const xt_session_process *p = tree->processes[i];
    bool is_root = p->parent == XT_SESSION_NONE;
    uint32_t *at = is_root ? &tree->first_root : &tree->processes[p->parent]->first_child;
    uint32_t *last = is_root ? &tree->last_root : &tree->processes[p->parent]->last_child;
    uint32_t before = XT_SESSION_NONE;

    while (*at != i) {
        (void)may_look(tree);
        before = *at;
        at = &tree->processes[before]->next;
    }
    *at = p->next;
    if (*last == i)
        *last = before;
}

/* A new process, below parent. */
static int process_add(xt_session_tree *tree, const xt_session_process *from, uint32_t *ret)
{
    int r = grow(tree);
    if (r != 0)
        return r;
    xt_session_process *p = xt_arena_alloc(tree->arena, sizeof *p);
    uint32_t i = tree->n;
    if (!p)
        return XT_SESSION_E_FULL;
    *p = *from;
    p->first_child = p->last_child = XT_SESSION_NONE;
    seen_now(tree, p);
    tree->processes[i] = p;
    r = enter(tree, i);
    if (r != 0)
        return r;
    tree->n++;
    child_append(tree, i);
    *ret = i;
    return 0;
}

static xt_slice base_name(xt_slice path)
{
    for (size_t i = path.n; i > 0; i--)
        if (path.p[i - 1] == '/')
            return xt_slice_skip(path, i);
    return path;
}

/* What a process that forked without an exec is a copy of: the latest one that executed this and has not ended. */
static uint32_t original_of(xt_session_tree *tree, xt_slice boot, xt_slice exe, xt_slice cmd)
{
    for (uint32_t i = tree->n; i-- > 0 && may_look(tree);) {
        const xt_session_process *p = tree->processes[i];
        if (!p->unseen && !p->has_end && xt_slice_eq(p->boot, boot) && xt_slice_eq(p->exe, exe) &&
            (!cmd.n || xt_slice_eq(p->cmd, cmd)))
            return i;
    }
    return XT_SESSION_NONE;
}

/* Whether the program forks a process that watches over the one that it runs for another user. */
static bool has_monitor(xt_slice exe)
{
    static const char *const names[] = {"sudo", "su", "doas", "runuser", "pkexec"};
    xt_slice name = base_name(exe);

    for (size_t i = 0; i < XT_COUNT_OF(names); i++)
        if (xt_slice_eq(name, xt_slice_str(names[i])))
            return true;
    return false;
}

/* Nothing is known of a parent but its pid: it is the monitor of the latest such program, when its pid is soon behind. */
static uint32_t monitored_by(xt_session_tree *tree, xt_slice boot, uint32_t pid)
{
    for (uint32_t i = tree->n; i-- > 0 && may_look(tree);) {
        const xt_session_process *p = tree->processes[i];
        if (!p->has_end && xt_slice_eq(p->boot, boot) && pid > p->pid && pid - p->pid <= MONITOR_DISTANCE &&
            has_monitor(p->exe))
            return i;
    }
    return XT_SESSION_NONE;
}

static bool is_shell(xt_slice exe)
{
    static const char *const names[] = {"sh", "bash", "dash", "zsh", "ksh", "mksh", "fish", "busybox"};
    xt_slice name = base_name(exe);

    for (size_t i = 0; i < XT_COUNT_OF(names); i++)
        if (xt_slice_eq(name, xt_slice_str(names[i])))
            return true;
    return false;
}

/* The parent is most likely a fork of a shell that went on: the one of this user and terminal that was busy last. */
static uint32_t shell_of(xt_session_tree *tree, xt_slice boot, const xt_event *event)
{
    uint64_t uid = xt_event_num(event, XT_F_UID, UINT64_MAX), euid = xt_event_num(event, XT_F_EUID, UINT64_MAX);
    xt_slice tty = xt_event_bytes(event, XT_F_TTY);
    uint32_t found = XT_SESSION_NONE;

    for (uint32_t i = 0; i < tree->n && may_look(tree); i++) {
        const xt_session_process *p = tree->processes[i];
        if (p->has_end || p->unseen || !xt_slice_eq(p->boot, boot) || p->who.uid != uid || p->who.euid != euid ||
            !is_shell(p->exe) || !xt_slice_eq(p->last->tty, tty))
            continue;
        if (found == XT_SESSION_NONE || p->busy > tree->processes[found]->busy)
            found = i;
    }
    return found;
}

/* The parent executed nothing in this session that we know of. */
static int unseen_add(xt_session_tree *tree, const xt_event *event, xt_slice boot, uint32_t ppid, uint32_t *ret)
{
    xt_slice exe = xt_event_bytes(event, XT_F_PARENT_EXE), cmd = xt_event_bytes(event, XT_F_PARENT_CMD);
    uint32_t original = exe.n ? original_of(tree, boot, exe, cmd) : monitored_by(tree, boot, ppid);
    if (original == XT_SESSION_NONE && !exe.n)
        original = shell_of(tree, boot, event);
    xt_session_process p = {
        .parent = original,
        .pid = ppid,
        .unseen = true,
        .guessed = original != XT_SESSION_NONE,
        .start_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0),
        .boot = boot,
        .exe = xt_arena_copy(tree->arena, exe),
        .cmd = xt_arena_copy(tree->arena, cmd.n ? cmd : xt_event_bytes(event, XT_F_PARENT_COMM)),
    };

    if (original != XT_SESSION_NONE) {
        p.ppid = tree->processes[original]->pid;
        p.who = tree->processes[original]->who;
        if (!p.exe.n)
            p.exe = tree->processes[original]->exe;
    }
    return process_add(tree, &p, ret);
}

/* The event's parent, by its pid; what it executes is another program than ours did: the pid is another process. */
static int parent_find(xt_session_tree *tree, const xt_event *event, xt_slice boot, uint32_t *ret)
{
    uint32_t ppid = (uint32_t)xt_event_num(event, XT_F_PPID, 0);
    xt_slice exe = xt_event_bytes(event, XT_F_PARENT_EXE);

    *ret = XT_SESSION_NONE;
    if (ppid == 0)
        return 0;
    uint32_t i = find(tree, boot, ppid);
    if (i != XT_SESSION_NONE) {
        xt_session_process *p = tree->processes[i];
        if (!p->has_end && (!exe.n || !p->exe.n || xt_slice_eq(p->exe, exe))) {
            seen_now(tree, p);
            *ret = i;
            return 0;
        }
    }
    return unseen_add(tree, event, boot, ppid, ret);
}

/* Whether somebody above the process had this pid, or it is that of init: who gets the children of one that ended. */
static bool may_inherit(xt_session_tree *tree, const xt_session_process *p, uint32_t ppid, xt_slice parent_comm)
{
    if (ppid == 1 || xt_slice_eq(parent_comm, XT_S("systemd")))
        return true;
    for (uint32_t i = p->parent; i != XT_SESSION_NONE && may_look(tree); i = tree->processes[i]->parent)
        if (tree->processes[i]->pid == ppid)
            return true;
    return false;
}

static bool is_another(xt_session_tree *tree, const xt_session_process *p, const xt_event *event)
{
    uint32_t ppid = (uint32_t)xt_event_num(event, XT_F_PPID, 0);

    if (p->has_end || p->wraps != tree->wraps)
        return true;
    return p->ppid && ppid && p->ppid != ppid && !may_inherit(tree, p, ppid, xt_event_bytes(event, XT_F_PARENT_COMM));
}

static void pid_note(xt_session_tree *tree, uint32_t pid)
{
    if (tree->newest_pid && (uint64_t)pid + WRAP_DISTANCE < tree->newest_pid)
        tree->wraps++;
    tree->newest_pid = pid;
}

static bool is_above(xt_session_tree *tree, uint32_t above, uint32_t i)
{
    while (i != XT_SESSION_NONE && i != above && may_look(tree))
        i = tree->processes[i]->parent;
    return i == above || tree->n_looks > MAX_LOOKS;
}

/* A process that was known as a parent alone says itself whose child it is. */
static void place(xt_session_tree *tree, uint32_t i, const xt_event *event)
{
    xt_session_process *p = tree->processes[i];
    uint32_t ppid = (uint32_t)xt_event_num(event, XT_F_PPID, 0);

    if (!p->unseen || (p->parent != XT_SESSION_NONE && !p->guessed) || ppid == 0)
        return;
    uint32_t parent = find(tree, p->boot, ppid);
    if (parent == XT_SESSION_NONE || tree->processes[parent]->has_end || is_above(tree, i, parent))
        return;
    child_remove(tree, i);
    p->parent = parent;
    p->ppid = ppid;
    p->guessed = false;
    child_append(tree, i);
    seen_now(tree, tree->processes[parent]);
}

static int process_of(xt_session_tree *tree, const xt_event *event, bool may_be_new, uint32_t *ret)
{
    uint32_t pid = (uint32_t)xt_event_num(event, XT_F_PID, 0);
    xt_slice boot = xt_event_bytes(event, XT_F_BOOT_ID);
    uint32_t parent, i = pid ? find(tree, boot, pid) : XT_SESSION_NONE;

    *ret = XT_SESSION_NONE;
    if (pid == 0)
        return 0;
    if (i != XT_SESSION_NONE && (!may_be_new || !is_another(tree, tree->processes[i], event))) {
        place(tree, i, event);
        *ret = i;
        return 0;
    }
    if (i == XT_SESSION_NONE)
        pid_note(tree, pid);
    boot = xt_arena_copy(tree->arena, boot);
    int r = parent_find(tree, event, boot, &parent);
    if (r != 0)
        return r;
    xt_session_process p = {
        .parent = parent,
        .pid = pid,
        .ppid = (uint32_t)xt_event_num(event, XT_F_PPID, 0),
        .start_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0),
        .boot = boot,
        .unseen = true, /* until it executes */
    };
    if (parent != XT_SESSION_NONE)
        p.who = tree->processes[parent]->who;
    return process_add(tree, &p, ret);
}

/* ------------------------------------------------------------------------------------------------ steps */

static xt_session_who who_of(const xt_session_tree *tree, const xt_event *event)
{
    xt_session_who who = {.known = xt_event_has(event, XT_F_UID) && xt_event_has(event, XT_F_EUID)};

    if (who.known) {
        who.uid = xt_event_num(event, XT_F_UID, 0);
        who.euid = xt_event_num(event, XT_F_EUID, 0);
        who.user = xt_arena_copy(tree->arena, xt_event_bytes(event, XT_F_USER));
        who.euser = xt_arena_copy(tree->arena, xt_event_bytes(event, XT_F_EUSER));
    }
    return who;
}

/*
 * What made the change: a system call itself; a file whose owner the process became (the user id stays); else what ran in
 * the process or its parent before.
 */
static xt_slice change_by(const xt_session_tree *tree, const xt_session_process *p, const xt_session_step *step)
{
    if (step->did == XT_SESSION_BECAME)
        return step->by;
    if (step->from.uid == step->to.uid)
        return base_name(step->exe);
    if (p->exe.n)
        return base_name(p->exe);
    return p->parent != XT_SESSION_NONE ? base_name(tree->processes[p->parent]->exe) : XT_S_NULL;
}

static bool who_differs(const xt_session_who *a, const xt_session_who *b)
{
    return a->known && b->known && (a->uid != b->uid || a->euid != b->euid);
}

static xt_slice copy(const xt_session_tree *tree, const xt_event *event, xt_field field)
{
    return xt_arena_copy(tree->arena, xt_event_bytes(event, field));
}

static int step_add(xt_session_tree *tree, uint32_t i, xt_session_did did, xt_event *event)
{
    xt_session_process *p = tree->processes[i];
    xt_session_step *step = xt_arena_alloc(tree->arena, sizeof *step);
    xt_field_set derived = {{0, 0}};

    xt_field_set_add(&derived, XT_F_CMD);
    xt_field_set_add(&derived, XT_F_EVENT_ID);
    xt_field_set_add(&derived, XT_F_ENTITY);
    if (!step || xt_event_derive(event, derived, tree->arena) < 0)
        return XT_SESSION_E_FULL;
    *step = (xt_session_step){
        .did = did,
        .time_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0),
        .action = copy(tree, event, XT_F_ACTION),
        .cmd = copy(tree, event, XT_F_CMD),
        .exe = copy(tree, event, XT_F_EXE),
        .cwd = copy(tree, event, XT_F_CWD),
        .tty = copy(tree, event, XT_F_TTY),
        .entity = copy(tree, event, XT_F_ENTITY),
        .event_id = copy(tree, event, XT_F_EVENT_ID),
        .error = did == XT_SESSION_FAILED ? (int64_t)xt_event_num(event, XT_F_EXIT, 0) : 0,
        .from = p->who,
        .to = who_of(tree, event),
        .by = copy(tree, event, XT_F_SYSCALL),
        .is_alert = xt_event_has(event, XT_F_RULES),
        .is_noise = xt_event_has(event, XT_F_NOISE),
    };
    if (did == XT_SESSION_REPORTED && !step->cmd.n) {
        xt_slice said;
        if (xt_recs_find(xt_event_bytes(event, XT_F_RECORDS), XT_S("cmd"), 0, &said))
            step->cmd = xt_arena_copy(tree->arena, said);
        step->refused = xt_slice_eq(xt_event_bytes(event, XT_F_OUTCOME), XT_S("failure"));
    }
    step->changed = did != XT_SESSION_REPORTED && who_differs(&step->from, &step->to);
    step->by = step->changed ? change_by(tree, p, step) : XT_S_NULL;
    if (step->to.known && did != XT_SESSION_REPORTED)
        p->who = step->to;
    if (p->last)
        p->last->next = step;
    else
        p->first = step;
    p->last = step;
    seen_now(tree, p);
    return 0;
}

static int executed(xt_session_tree *tree, xt_event *event)
{
    bool failed = xt_slice_eq(xt_event_bytes(event, XT_F_OUTCOME), XT_S("failure"));
    uint32_t i;
    int r = process_of(tree, event, true, &i);

    if (r == 0 && i != XT_SESSION_NONE)
        r = step_add(tree, i, failed ? XT_SESSION_FAILED : XT_SESSION_EXECUTED, event);
    if (r != 0 || i == XT_SESSION_NONE || failed)
        return r;
    xt_session_process *p = tree->processes[i];
    p->unseen = p->guessed = false;
    p->exe = p->last->exe;
    p->cmd = p->last->cmd;
    if (!p->ppid)
        p->ppid = (uint32_t)xt_event_num(event, XT_F_PPID, 0);
    return 0;
}

/* What exit_group() was given: its low byte is the exit code. */
static bool given_code(const xt_event *event, int64_t *ret)
{
    xt_slice a0;
    uint64_t code;

    if (!xt_recs_find(xt_event_bytes(event, XT_F_RECORDS), XT_S("a0"), 0, &a0) || !xt_slice_parse_hex(a0, &code))
        return false;
    *ret = (int64_t)(code & 0xff);
    return true;
}

static int ended(xt_session_tree *tree, xt_event *event, bool by_call)
{
    uint32_t i;
    int r = process_of(tree, event, false, &i);

    if (r == 0 && i != XT_SESSION_NONE && !tree->processes[i]->has_end)
        r = step_add(tree, i, XT_SESSION_EXITED, event);
    if (r != 0 || i == XT_SESSION_NONE || tree->processes[i]->has_end)
        return r;
    xt_session_process *p = tree->processes[i];
    p->has_end = true;
    p->end_ms = p->last->time_ms;
    p->has_exit_code = by_call ? given_code(event, &p->exit_code) : xt_event_has(event, XT_F_EXIT_CODE);
    if (!by_call && p->has_exit_code)
        p->exit_code = (int64_t)xt_event_num(event, XT_F_EXIT_CODE, 0);
    return 0;
}

static int noted(xt_session_tree *tree, xt_event *event, xt_session_did did)
{
    uint32_t i;
    int r = process_of(tree, event, false, &i);

    return r == 0 && i != XT_SESSION_NONE ? step_add(tree, i, did, event) : r;
}

int xt_session_tree_add(xt_session_tree *tree, xt_event *event)
{
    xt_slice action = xt_event_bytes(event, XT_F_ACTION), call = xt_event_bytes(event, XT_F_SYSCALL);
    bool failed = xt_slice_eq(xt_event_bytes(event, XT_F_OUTCOME), XT_S("failure"));

    if (xt_slice_eq(action, XT_S("executed")))
        return executed(tree, event);
    if (xt_slice_eq(action, XT_S("exited")))
        return ended(tree, event, false);
    if (xt_slice_eq(call, XT_S("exit_group")))
        return ended(tree, event, true);
    if (xt_slice_eq(action, XT_S("changed-identity")) && !failed)
        return noted(tree, event, XT_SESSION_BECAME);
    if (xt_slice_eq(action, XT_S("ran-sudo")) || xt_slice_eq(action, XT_S("crashed-program")))
        return noted(tree, event, XT_SESSION_REPORTED);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ order */

uint32_t xt_session_tree_next(const xt_session_tree *tree, uint32_t process)
{
    if (process == XT_SESSION_NONE)
        return tree->first_root;
    if (tree->processes[process]->first_child != XT_SESSION_NONE)
        return tree->processes[process]->first_child;
    while (process != XT_SESSION_NONE && tree->processes[process]->next == XT_SESSION_NONE)
        process = tree->processes[process]->parent;
    return process == XT_SESSION_NONE ? XT_SESSION_NONE : tree->processes[process]->next;
}

void xt_session_tree_done(xt_session_tree *tree)
{
    for (uint32_t i = XT_SESSION_NONE; (i = xt_session_tree_next(tree, i)) != XT_SESSION_NONE;) {
        xt_session_process *p = tree->processes[i];
        p->depth = p->parent == XT_SESSION_NONE ? 0 : tree->processes[p->parent]->depth + 1;
    }
}

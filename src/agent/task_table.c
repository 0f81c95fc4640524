/*
 * How it works: tasks hang in a hash table by their pids, which the kernel hands out one after the other. Ended tasks
 * stand in the order in which they ended, unmet programs in the order in which they came; both leave from anywhere. Tasks
 * and programs are taken from lists of free ones, for on a busy host they come and go by the thousand.
 */
#include "agent/task_table.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_CMD_FULL   256
#define MAX_TEXT_BYTES ((size_t)6 << 20)
#define MAX_FREE       1024
#define N_BUCKETS      8192 /* a power of two */

struct xt_task_table {
    xt_task *buckets[N_BUCKETS]; /* by the low bits of the pid */
    xt_cgroup_set cgroups;
    size_t max_tasks;
    xt_task *first_ended, *last_ended;
    xt_program *oldest, *newest; /* unmet */
    xt_task *free_tasks;
    xt_program *free_programs;
    size_t n_free_tasks, n_free_programs;
    xt_task_stats stats;
};

int xt_task_table_new(size_t max_tasks, xt_task_table **ret)
{
    xt_task_table *table = calloc(1, sizeof *table);
    if (!table)
        return xt_error_origin(-ENOMEM);
    table->max_tasks = max_tasks;
    *ret = table;
    return 0;
}

xt_cgroup_set *xt_task_cgroups(xt_task_table *table)
{
    return &table->cgroups;
}

xt_task_stats xt_task_stats_get(const xt_task_table *table)
{
    return table->stats;
}

/* ---- programs ---- */

static xt_program *program_new(xt_task_table *table)
{
    xt_program *p = table->free_programs;
    if (p) {
        table->free_programs = p->next;
        table->n_free_programs--;
        memset(p, 0, sizeof *p);
    } else {
        p = calloc(1, sizeof *p);
    }
    if (!p)
        return NULL;
    p->n_refs = 1;
    p->auid = p->ses = p->uid = UINT32_MAX;
    table->stats.n_programs++;
    return p;
}

static size_t text_bytes(const xt_program *p)
{
    return p->exe.n + p->comm.n + p->cmd.n + p->marks.n + p->argv.n;
}

static void text_free(xt_task_table *table, xt_program *p)
{
    table->stats.n_text_bytes -= text_bytes(p);
    free(p->text);
    p->text = NULL;
    p->exe = p->comm = p->cmd = p->marks = p->argv = XT_S_NULL;
}

xt_program *xt_program_ref(xt_program *p)
{
    if (p)
        p->n_refs++;
    return p;
}

xt_program *xt_program_unref(xt_task_table *table, xt_program *p)
{
    if (!p || --p->n_refs > 0)
        return NULL;
    text_free(table, p);
    table->stats.n_programs--;
    if (table->n_free_programs < MAX_FREE) {
        p->next = table->free_programs;
        table->free_programs = p;
        table->n_free_programs++;
    } else {
        free(p);
    }
    return NULL;
}

static void program_set(xt_task_table *table, xt_program **at, xt_program *p)
{
    xt_program *old = *at;
    *at = xt_program_ref(p);
    xt_program_unref(table, old);
}

/* Those that wait hold a reference. */
static void unmet_add(xt_task_table *table, xt_task *task, xt_program *p)
{
    p->task = task;
    p->next = NULL;
    p->older = table->newest;
    p->newer = NULL;
    *(table->newest ? &table->newest->newer : &table->oldest) = p;
    table->newest = p;
    *(task->last_unmet ? &task->last_unmet->next : &task->first_unmet) = p;
    task->last_unmet = p;
    table->stats.n_unmet++;
    xt_program_ref(p);
}

static void unmet_remove(xt_task_table *table, xt_program *p)
{
    xt_task *task = p->task;
    xt_program **at = &task->first_unmet, *before = NULL;
    for (; *at != p; at = &before->next)
        before = *at;
    *at = p->next;
    if (task->last_unmet == p)
        task->last_unmet = before;
    *(p->older ? &p->older->newer : &table->oldest) = p->newer;
    *(p->newer ? &p->newer->older : &table->newest) = p->older;
    p->task = NULL;
    p->next = p->older = p->newer = NULL;
    table->stats.n_unmet--;
    xt_program_unref(table, p);
}

static size_t joined_bytes(xt_slice args)
{
    xt_list_iter iter = xt_list_iterate(args);
    size_t n = 0;
    for (xt_slice arg; xt_list_next(&iter, &arg);)
        n += arg.n + 1;
    return n > 0 ? n - 1 : 0;
}

static size_t join(xt_slice args, char *out, size_t max)
{
    xt_list_iter iter = xt_list_iterate(args);
    size_t n = 0;
    for (xt_slice arg; n < max && xt_list_next(&iter, &arg);) {
        if (n > 0)
            out[n++] = ' ';
        arg = xt_slice_head(arg, max - n);
        if (arg.n > 0)
            memcpy(out + n, arg.p, arg.n);
        n += arg.n;
    }
    return n;
}

static xt_slice put_text(char **p, xt_slice s)
{
    char *start = *p;
    if (s.n > 0)
        memcpy(start, s.p, s.n);
    *p += s.n;
    return xt_slice_of(start, s.n);
}

int xt_program_fill(xt_task_table *table, xt_program *p, const xt_proc_info *info, xt_slice args)
{
    size_t max_cmd = table->stats.n_text_bytes < MAX_TEXT_BYTES ? XT_TASK_MAX_CMD : MAX_CMD_FULL;
    xt_slice exe = xt_slice_head(info->exe, XT_TASK_MAX_CMD), comm = xt_slice_head(info->comm, 64);
    xt_slice argv = args.n > 0 ? XT_S_NULL : xt_slice_head(info->argv, max_cmd);
    size_t n_cmd = args.n > 0 ? joined_bytes(args) : info->cmd.n;
    if (n_cmd > max_cmd)
        n_cmd = max_cmd;
    char *text = malloc(exe.n + comm.n + n_cmd + info->marks.n + argv.n + 1);
    if (!text)
        return xt_error_origin(-ENOMEM);
    text_free(table, p);
    p->text = text;
    p->exe = put_text(&text, exe);
    p->comm = put_text(&text, comm);
    if (args.n > 0) {
        p->cmd = xt_slice_of(text, join(args, text, n_cmd));
        text += p->cmd.n;
    } else {
        p->cmd = put_text(&text, xt_slice_head(info->cmd, n_cmd));
    }
    p->marks = put_text(&text, info->marks);
    p->argv = put_text(&text, argv);
    table->stats.n_text_bytes += text_bytes(p);
    p->start_ms = info->start_ms;
    return 0;
}

void xt_program_meet(xt_task_table *table, xt_program *p, xt_program_state state)
{
    p->state = state;
    if (p->task)
        unmet_remove(table, p);
}

xt_program *xt_task_oldest_unmet(const xt_task_table *table)
{
    return table->oldest;
}

xt_program *xt_task_unmet(xt_task_table *table, uint32_t pid, uint64_t from_ns)
{
    xt_program *found = NULL;
    for (xt_task *task = xt_task_find(table, pid); task; task = xt_task_older(task)) {
        xt_program *p = task->first_unmet;
        while (p && p->time_ns < from_ns)
            p = p->next;
        if (p)
            found = p;
    }
    return found;
}

/* ---- tasks ---- */

static xt_task **bucket_of(xt_task_table *table, uint32_t pid)
{
    return &table->buckets[pid & (N_BUCKETS - 1)];
}

static xt_task *next_of_pid(xt_task *task, uint32_t pid)
{
    while (task && task->pid != pid)
        task = task->next;
    return task;
}

xt_task *xt_task_find(xt_task_table *table, uint32_t pid)
{
    return next_of_pid(*bucket_of(table, pid), pid);
}

xt_task *xt_task_older(const xt_task *task)
{
    return next_of_pid(task->next, task->pid);
}

xt_task *xt_task_find_at(xt_task_table *table, uint32_t pid, uint64_t time_ns)
{
    xt_task *task = xt_task_find(table, pid);
    while (task && task->start_ns > time_ns)
        task = xt_task_older(task);
    return task;
}

static xt_task *task_alloc(xt_task_table *table)
{
    xt_task *task = table->free_tasks;
    if (!task)
        return calloc(1, sizeof *task);
    table->free_tasks = task->next;
    table->n_free_tasks--;
    memset(task, 0, sizeof *task);
    return task;
}

static void task_free(xt_task_table *table, xt_task *task)
{
    if (table->n_free_tasks >= MAX_FREE) {
        free(task);
        return;
    }
    task->next = table->free_tasks;
    table->free_tasks = task;
    table->n_free_tasks++;
}

/* A new use of the pid; *ret NULL where there is no room. */
static int task_add(xt_task_table *table, uint32_t pid, xt_task **ret)
{
    *ret = NULL;
    if (table->stats.n_tasks >= table->max_tasks) {
        table->stats.n_refused++;
        return 0;
    }
    xt_task *task = task_alloc(table), **bucket = bucket_of(table, pid);
    if (!task)
        return xt_error_origin(-ENOMEM);
    task->pid = pid;
    task->uid = UINT32_MAX;
    task->next = *bucket;
    *bucket = task;
    table->stats.n_tasks++;
    *ret = task;
    return 0;
}

int xt_task_fork(xt_task_table *table, uint32_t pid, uint32_t parent_pid, uint64_t time_ns, xt_task **ret)
{
    xt_task *parent = xt_task_find(table, parent_pid), *last = xt_task_find(table, pid), *task;
    if (last && !last->is_ended)
        xt_task_end(table, last, time_ns, -1, 0);
    int r = task_add(table, pid, &task);
    if (r == 0 && task) {
        task->start_ns = time_ns;
        task->ppid = parent_pid;
    }
    if (r == 0 && task && parent) {
        task->sid = parent->sid;
        task->uid = parent->uid;
        task->program = xt_program_ref(parent->program);
        task->parent = xt_program_ref(parent->program);
        task->cgroup = xt_cgroup_ref(parent->cgroup);
    }
    if (r == 0)
        *ret = task;
    return r;
}

int xt_task_get(xt_task_table *table, uint32_t pid, xt_task **ret)
{
    xt_task *task = xt_task_find(table, pid);
    if (!task)
        return task_add(table, pid, ret);
    *ret = task;
    return 0;
}

/* Out of the list of those that ended. */
static void ended_remove(xt_task_table *table, xt_task *task)
{
    *(task->prev_ended ? &task->prev_ended->next_ended : &table->first_ended) = task->next_ended;
    *(task->next_ended ? &task->next_ended->prev_ended : &table->last_ended) = task->prev_ended;
    task->prev_ended = task->next_ended = NULL;
    task->is_ended = false;
}

int xt_task_exec_alone(xt_task_table *table, xt_task *task, xt_program **ret)
{
    xt_program *p = program_new(table);
    if (!p)
        return xt_error_origin(-ENOMEM);
    xt_program_unref(table, task->program);
    p->pid = task->pid;
    task->program = p;
    task->has_executed = true;
    *ret = p;
    return 0;
}

int xt_task_exec(xt_task_table *table, xt_task *task, uint64_t time_ns, int64_t now_ms)
{
    xt_program *p;
    if (task->is_ended)
        ended_remove(table, task);
    task->is_leader_gone = task->has_threads = false;
    int r = xt_task_exec_alone(table, task, &p);
    if (r < 0)
        return xt_error_trace(r);
    p->time_ns = time_ns;
    p->arrived_ms = now_ms;
    unmet_add(table, task, p);
    return 0;
}

void xt_task_end(xt_task_table *table, xt_task *task, uint64_t time_ns, int32_t code, int64_t now_ms)
{
    if (task->is_ended)
        return;
    task->is_ended = true;
    task->end_ns = time_ns;
    task->code = code;
    task->ended_ms = now_ms;
    task->next_ended = NULL;
    task->prev_ended = table->last_ended;
    *(table->last_ended ? &table->last_ended->next_ended : &table->first_ended) = task;
    table->last_ended = task;
}

xt_task *xt_task_first_ended(const xt_task_table *table)
{
    return table->first_ended;
}

void xt_task_drop(xt_task_table *table, xt_task *task)
{
    if (task->is_ended)
        ended_remove(table, task);
    for (xt_program *p = task->first_unmet, *next; p; p = next) {
        next = p->next;
        unmet_remove(table, p);
    }
    xt_task **at = bucket_of(table, task->pid);
    while (*at != task)
        at = &(*at)->next;
    *at = task->next;
    program_set(table, &task->program, NULL);
    program_set(table, &task->parent, NULL);
    xt_cgroup_unref(&table->cgroups, task->cgroup);
    table->stats.n_tasks--;
    task_free(table, task);
}

void xt_task_sweep(xt_task_table *table, bool (*is_gone)(uint32_t pid), int64_t now_ms)
{
    for (size_t i = 0; i < N_BUCKETS; i++)
        for (xt_task *task = table->buckets[i]; task; task = task->next)
            if (!task->is_ended && is_gone(task->pid))
                xt_task_end(table, task, 0, -1, now_ms);
}

xt_task_table *xt_task_table_free(xt_task_table *table)
{
    if (!table)
        return NULL;
    for (size_t i = 0; i < N_BUCKETS; i++)
        while (table->buckets[i])
            xt_task_drop(table, table->buckets[i]);
    for (xt_task *task; (task = table->free_tasks) != NULL; free(task))
        table->free_tasks = task->next;
    for (xt_program *p; (p = table->free_programs) != NULL; free(p))
        table->free_programs = p->next;
    xt_cgroup_set_fini(&table->cgroups);
    free(table);
    return NULL;
}

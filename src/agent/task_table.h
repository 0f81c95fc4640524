/*
 * agent/task_table - which process runs what, as the kernel's process connector tells
 *
 * Shape:     tasks (one use of a pid each) and programs (one exec each). A forked task runs its parent's program until it
 *            executes one itself; both the program and that of the parent at the fork are counted references, so they
 *            outlive the processes. A program is first an exec that the connector told of (unmet, in order), and is met
 *            when audit's event of that exec fills it.
 * Method:    the connector tells of a batch of events before audit's records of the same batch are read. So a fork takes
 *            the program, not its text: what the program is may become known later.
 * Reuse:     a pid may be used again while the last use still waits for its records: a task is known by (pid, start).
 * Units:     _ns: CLOCK_MONOTONIC as the connector has it; _ms of `now` the caller's clock, of start_ms wall time.
 * Limits:    max_tasks; beyond it a fork enters nothing, and such a process is asked of /proc when it matters. The texts
 *            of all programs together stay below 6 MiB: beyond it command lines are kept up to 256 bytes.
 * Threads:   one at a time.
 */
#pragma once
#include "agent/cgroup.h"
#include "event/proc_table.h"

#define XT_TASK_MAX_CMD 8192

typedef struct xt_task xt_task;

typedef enum xt_program_state {
    XT_PROGRAM_UNMET,     /* the connector told of the exec, audit has not yet */
    XT_PROGRAM_RECORDED,  /* audit's event is there */
    XT_PROGRAM_UNAUDITED, /* it did not come: an event of our own stands for it */
    XT_PROGRAM_READ,      /* known from /proc, its exec was not seen */
} xt_program_state;

typedef struct xt_program {
    uint32_t n_refs;
    xt_program_state state;
    uint64_t time_ns;    /* of the exec, by the connector */
    int64_t arrived_ms;  /* when we were told */
    int64_t start_ms;    /* the exec event's time, or the process's start */
    uint32_t serial;     /* of the exec event */
    uint32_t auid, ses;  /* UINT32_MAX: unset */
    uint32_t uid;        /* UINT32_MAX: not known */
    xt_hash128 event_id; /* of the event, when there is one */
    uint32_t pid;        /* of the process that executed it */
    bool is_noted;       /* unmet, and its texts are what /proc said */
    uint8_t reason;      /* of an unaudited one: xt_unaudited (agent/witness.h) */
    xt_slice exe, comm, cmd, marks;
    xt_slice argv;                           /* of a noted one: each argument ended by NUL */
    char *text;                              /* where all five stand */
    xt_task *task;                           /* whose exec it is, while unmet */
    struct xt_program *next, *older, *newer; /* unmet: the task's next, and of all */
} xt_program;

struct xt_task {
    struct xt_task *next; /* with the same hash; of one pid the latest use comes first */
    struct xt_task *prev_ended, *next_ended;
    uint32_t pid, ppid; /* ppid at the fork */
    uint32_t sid;       /* 0: not known */
    uint32_t uid;       /* UINT32_MAX: not known */
    uint64_t start_ns;  /* 0: before we looked */
    uint64_t end_ns;
    int64_t ended_ms;
    int32_t code;
    uint8_t n_same; /* children in a row that were in its control group */
    bool is_ended, has_threads, is_leader_gone;
    bool is_seeded;               /* it was there when we came, and audit has not told of it since */
    bool has_executed;            /* the program is its own */
    bool is_cgroup_read;          /* and not inherited */
    xt_program *program, *parent; /* may be NULL: not known */
    xt_program *first_unmet, *last_unmet;
    xt_cgroup *cgroup;
};

typedef struct xt_task_table xt_task_table;

XT_MUST_USE int xt_task_table_new(size_t max_tasks, xt_task_table **ret);
xt_task_table *xt_task_table_free(xt_task_table *table);
xt_cgroup_set *xt_task_cgroups(xt_task_table *table);

/* The latest use of the pid; NULL when there is none. */
xt_task *xt_task_find(xt_task_table *table, uint32_t pid);
/* The use of the same pid before. */
xt_task *xt_task_older(const xt_task *task);
/* The one that had the pid at that time. */
xt_task *xt_task_find_at(xt_task_table *table, uint32_t pid, uint64_t time_ns);
/* 0, and NULL where the table is full. A use of that pid whose end was not told ends. */
XT_MUST_USE int xt_task_fork(xt_task_table *table, uint32_t pid, uint32_t parent, uint64_t time_ns, xt_task **ret);
/* The latest use of the pid, made if there is none; its past is not known. */
XT_MUST_USE int xt_task_get(xt_task_table *table, uint32_t pid, xt_task **ret);
/* An exec that the connector told of; a task that seemed to have ended (its first thread had) goes on. */
XT_MUST_USE int xt_task_exec(xt_task_table *table, xt_task *task, uint64_t time_ns, int64_t now_ms);
/* The oldest unmet exec of that pid with a time from from_ns on; NULL: none. */
xt_program *xt_task_unmet(xt_task_table *table, uint32_t pid, uint64_t from_ns);
/* An exec that the connector did not tell of. */
XT_MUST_USE int xt_task_exec_alone(xt_task_table *table, xt_task *task, xt_program **ret);
/* What it is: texts are copied. args: a list, or empty for info->cmd. */
XT_MUST_USE int xt_program_fill(xt_task_table *table, xt_program *program, const xt_proc_info *info, xt_slice args);
/* Its wait ends. Hold a reference: its task may run another program by now. */
void xt_program_meet(xt_task_table *table, xt_program *program, xt_program_state state);
/* The unmet exec that waits longest, and the one behind it; NULL: none. */
xt_program *xt_task_oldest_unmet(const xt_task_table *table);
xt_program *xt_program_ref(xt_program *program);
xt_program *xt_program_unref(xt_task_table *table, xt_program *program);

/* The process has ended; it stays until xt_task_drop. */
void xt_task_end(xt_task_table *table, xt_task *task, uint64_t time_ns, int32_t code, int64_t now_ms);
/* The one that ended first. */
xt_task *xt_task_first_ended(const xt_task_table *table);
/* Forgets an ended task; its unmet execs too. */
void xt_task_drop(xt_task_table *table, xt_task *task);
/* Ends, without a code, each task for which is_gone says so (after messages were lost). */
void xt_task_sweep(xt_task_table *table, bool (*is_gone)(uint32_t pid), int64_t now_ms);

typedef struct xt_task_stats {
    size_t n_tasks, n_programs, n_unmet, n_text_bytes;
    uint64_t n_refused;
} xt_task_stats;
xt_task_stats xt_task_stats_get(const xt_task_table *table);

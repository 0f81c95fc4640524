/*
 * query/session_tree - one login session as the processes that it was
 *
 * Shape:     fed with the session's events, oldest first; then the processes in the order of a tree: a parent before its
 *            children, siblings by their start. A process has steps: what it executed (an exec in the same process is
 *            another step, not another process), what it failed to execute, how it changed its identity, how it ended.
 * Parents:   the process that had the parent's pid then. One that executed nothing in this session (a forked shell, what
 *            opened the session) stands there as `unseen`; where its own end does not tell whose child it was, that is guessed: it
 *            is a copy of the process that runs the same program, the monitor of the sudo whose pid is just before, or a
 *            fork of the shell of the same user and terminal that was busy last.
 * Pids:      a pid is another process when the old one was seen to end, when its boot or parent is another, or when the
 *            pids of new processes have gone round since. Where none of that is known two processes may be taken for one
 *            that executed twice.
 * Identity:  who a process is comes from each record's uid and euid. A change is seen against what the process was before,
 *            or its parent: sudo, su, a set-user-ID file, setuid().
 * Ends:      of exited events; of exit_group() where a rule records it. Else it is not known when a process ended.
 * Errors:    -ENOMEM. XT_SESSION_E_FULL: the arena is full or there are too many processes; what is there stays usable.
 * Ownership: everything lives in the arena, which outlives the tree.
 * Limits:    XT_SESSION_MAX_PROCESSES.
 */
#pragma once
#include "base/map.h"
#include "event/event.h"

#define XT_SESSION_MAX_PROCESSES 100000
#define XT_SESSION_NONE          UINT32_MAX

enum {
    XT_SESSION_E_FULL = 1,
};

typedef struct xt_session_who {
    bool known;
    uint64_t uid, euid;
    xt_slice user, euser; /* names; empty: not known */
} xt_session_who;

typedef enum xt_session_did {
    XT_SESSION_EXECUTED,
    XT_SESSION_FAILED,   /* to execute */
    XT_SESSION_BECAME,   /* another user, by a system call */
    XT_SESSION_REPORTED, /* sudo's own record, a crash */
    XT_SESSION_EXITED,
} xt_session_did;

typedef struct xt_session_step {
    struct xt_session_step *next;
    xt_session_did did;
    int64_t time_ms;
    xt_slice action, cmd, exe, cwd, tty, entity, event_id;
    int64_t error;           /* FAILED: negative errno */
    bool changed;            /* from and to differ */
    xt_session_who from, to; /* before and after this step */
    xt_slice by;             /* changed: the program or system call that did it */
    bool refused;            /* REPORTED: as not allowed */
    bool is_alert, is_noise;
} xt_session_step;

typedef struct xt_session_process {
    uint32_t parent, depth; /* XT_SESSION_NONE: of nobody here */
    uint32_t pid, ppid;     /* 0: not known */
    bool unseen, guessed;   /* it executed nothing here; where it stands is a guess */
    bool has_end, has_exit_code;
    int64_t start_ms, end_ms; /* start: of its first event here */
    int64_t exit_code;
    xt_slice exe, cmd; /* the last that it executed */
    xt_session_who who;
    xt_session_step *first, *last;
    uint32_t first_child, last_child, next; /* XT_SESSION_NONE: there is none */
    uint32_t wraps;                         /* of the pids, when it was seen last */
    uint32_t busy;                          /* grows: when it was seen last, or a child of it */
    xt_slice boot;
} xt_session_process;

typedef struct xt_session_tree {
    xt_arena *arena;
    xt_session_process **processes;
    uint32_t n, cap;
    uint32_t first_root, last_root;
    xt_map by_pid; /* the latest of each boot and pid */
    uint32_t wraps, newest_pid, n_busy;
    uint64_t n_looks; /* steps of guessing: they are bounded */
} xt_session_tree;

void xt_session_tree_init(xt_session_tree *tree, xt_arena *arena);
void xt_session_tree_fini(xt_session_tree *tree);
/* Stored fields that an event must carry. */
xt_field_set xt_session_tree_fields(void);
/* Enters the next event; of a kind that says nothing of processes: nothing. */
XT_MUST_USE int xt_session_tree_add(xt_session_tree *tree, xt_event *event);
/* The process behind this one in the order of the tree; from XT_SESSION_NONE on, to XT_SESSION_NONE. */
uint32_t xt_session_tree_next(const xt_session_tree *tree, uint32_t process);
/* Sets every depth. */
void xt_session_tree_done(xt_session_tree *tree);

/* One JSON object a line (docs/api.md), or text for people: a line a step. */
void xt_session_process_json(const xt_session_tree *tree, uint32_t process, xt_buf *out);
void xt_session_process_text(const xt_session_tree *tree, uint32_t process, xt_buf *out);

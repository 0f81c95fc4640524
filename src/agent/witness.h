/*
 * agent/witness - what the process connector says, held against audit
 *
 * Shape:     messages of the connector and audit's exec events go in, the connector's first (agent/receiver keeps that
 *            order). Each exec must be told of by both. An exec event leaves with its parent, its session's leader, its
 *            container and unit; the end of a process, an exec that audit left out, and a hole in the messages are told by
 *            calls.
 * Method:    the k-th exec of a process in one stream is the k-th in the other; times only keep an exec that audit left
 *            out from passing for the next one of the same pid. An exec event may be up to SLACK_MS older than the
 *            message, for the kernel's coarse clock stamps the call's beginning.
 *            An exec is told as left out when the bound is over; while audit is behind, when it is over twice. If audit's
 *            event still comes, it says so (exectrail.of) and the exec counts as told of by both.
 * Losses:    a message of the connector that is lost makes no exec look left out: one that the connector did not tell of is
 *            not expected, and an event that has no message takes the next one of its pid, never the other way round.
 * Errors:    -ENOMEM.
 * Units:     now_ms: the caller's clock, which must not run while the caller does not.
 * Threads:   one at a time.
 */
#pragma once
#include "agent/gap_list.h"
#include "agent/proc_message.h"
#include "agent/task_table.h"

#define XT_WITNESS_EARLY 64

typedef enum xt_unaudited {
    XT_UNAUDITED_KERNEL_HELPER, /* the kernel itself executed it, where there is no system call to audit */
    XT_UNAUDITED_NO_CONTEXT,    /* the process is older than our watch, and audit never told of it: audit leaves those
                                   alone that were forked before it was first switched on */
    XT_UNAUDITED_UNKNOWN,
} xt_unaudited;
const char *xt_unaudited_name(xt_unaudited reason);

typedef struct xt_witness_calls {
    xt_proc_lookup_fn read; /* /proc */
    xt_slice (*cgroup)(void *context, uint32_t pid);
    unsigned (*threads)(void *context, uint32_t pid);
    bool (*is_kernel)(void *context, uint32_t pid);
    bool (*is_behind)(void *context); /* records of audit are still on their way; may be NULL */
    int (*unaudited)(void *context, const xt_task *task, xt_program *program, xt_unaudited reason);
    int (*exited)(void *context, const xt_task *task);
    void *context;
} xt_witness_calls;

typedef struct xt_witness_settings {
    size_t max_tasks;
    int64_t bound_ms; /* within which the other one must have told */
    bool is_ordered; /* what the connector said comes before audit's event: an exec that it did not tell of is missed */
    int64_t wall_ms, mono_ms; /* now, by both clocks: what a message's time is as wall time */
    xt_witness_calls calls;
} xt_witness_settings;

typedef struct xt_witness_stats {
    uint64_t n_messages, n_foreign;
    uint64_t n_both; /* execs told of by both */
    uint64_t n_unaudited[XT_UNAUDITED_UNKNOWN + 1];
    uint64_t n_unwitnessed; /* audit's alone */
    uint64_t n_in_row;      /* of those, since the connector's last message of any kind */
    uint64_t n_late;        /* audit's event came after the exec was told as left out; no longer in n_unaudited */
} xt_witness_stats;

typedef struct xt_witness xt_witness;
XT_MUST_USE int xt_witness_new(const xt_witness_settings *settings, xt_witness **ret);
xt_witness *xt_witness_free(xt_witness *witness);
xt_witness_stats xt_witness_stats_get(const xt_witness *witness);
xt_task_stats xt_witness_task_stats(const xt_witness *witness);

/* A process that is there already. */
XT_MUST_USE int xt_witness_seed(xt_witness *witness, const xt_proc_info *info);
/* A message of the connector; what it is not is counted. */
XT_MUST_USE int xt_witness_take(xt_witness *witness, xt_slice payload, int64_t now_ms);
/* An event of audit's: a successful exec is met, any exec gets what is known of its process. */
XT_MUST_USE int xt_witness_meet(xt_witness *witness, xt_event *event, int64_t now_ms, xt_arena *arena);
/* Time passes: tells of ends, and of execs that audit left out. */
XT_MUST_USE int xt_witness_turn(xt_witness *witness, int64_t now_ms);
/* What was executed before that time of the connector's is not held against audit: nothing was recorded. */
void xt_witness_excuse(xt_witness *witness, uint64_t until_ns);
/* Tells of all ends; execs that audit has not told of stay untold. */
XT_MUST_USE int xt_witness_finish(xt_witness *witness);
/* How wall time and the connector's time are to each other now; a clock that was set is noticed. */
void xt_witness_clocks(xt_witness *witness, int64_t wall_ms, int64_t mono_ms, int64_t now_ms);
int64_t xt_witness_wall_ms(const xt_witness *witness, uint64_t time_ns);
/* Numbers that are missing for good. */
bool xt_witness_gap(xt_witness *witness, int64_t now_ms, xt_number_gap *ret);
/* Frugal: control groups are not read, so that they are the parents' (the CPU brake). */
void xt_witness_frugal(xt_witness *witness, bool is_frugal);
/* After a gap: processes whose end was not told are forgotten. */
void xt_witness_sweep(xt_witness *witness, bool (*is_gone)(uint32_t pid), int64_t now_ms);
/* Milliseconds until the next turn has something to do; -1: nothing waits. */
int64_t xt_witness_wait_ms(const xt_witness *witness, int64_t now_ms);

/*
 * server/intake - events of senders that are not our agents, on their way into the store
 *
 * Shape:     lines of audit text (input/senders) and events go in from any door; a thread of its own takes what has gathered, leaves out
 *            what the store has, and hands it to the writer as one batch: noise, rules and alerts as with any other.
 *            One batch is under way at a time; the next one gathers meanwhile.
 * Known:     an event is left out when its id came lately or the store has it, by whatever way: an import, an agent. One that is
 *            flagged late is kept: the same lines do not come to be late (input/senders).
 * Failure:   a batch that cannot be stored (the disk is full) is tried again until it can; what comes meanwhile gathers up to
 *            XT_INTAKE_BYTES, then the intake is full: whoever can wait has to.
 * Errors:    <0 errno; >0 those of input/senders.
 * Threads:   any.
 */
#pragma once
#include "input/senders.h"
#include "server/app.h"

#define XT_INTAKE_BYTES ((size_t)16 << 20)

typedef struct xt_intake xt_intake;

typedef struct xt_intake_stats {
    xt_senders_stats senders;
    uint64_t n_events;    /* that were put, by lines or as events */
    uint64_t n_known;     /* left out of them */
    uint64_t n_stored;    /* durable */
    uint64_t n_refused;   /* that the store will not take: none, but for a mistake of ours */
    uint64_t n_bytes_due; /* waiting to be stored */
} xt_intake_stats;

XT_MUST_USE int xt_intake_open(xt_app *app, xt_intake **ret);
/* Gives out all that waits for records, and stores it, waiting for room on disk some seconds at most. Accepts NULL, returns NULL. */
xt_intake *xt_intake_close(xt_intake *intake);
/* The intake of an app, opened when it is first asked for, closed with the app. */
XT_MUST_USE int xt_app_intake(xt_app *app, xt_intake **ret);

XT_MUST_USE int xt_intake_line(xt_intake *intake, xt_slice host, xt_slice line);
/* The same of one that hears of it when it is durable (keep). */
XT_MUST_USE int xt_intake_line_kept(xt_intake *intake, xt_slice host, xt_slice line);
/* The event is whole, but for its host's id, which is set; its secrets are taken out here. */
XT_MUST_USE int xt_intake_event(xt_intake *intake, xt_event *event, xt_arena *arena);
/* Nothing more should be put in now. */
bool xt_intake_is_full(xt_intake *intake);
/* Waits until all events given out so far are durable. 0; -ETIMEDOUT. */
XT_MUST_USE int xt_intake_settle(xt_intake *intake, int64_t timeout_ms);
/*
 * The lines and events put so far are durable when this returns 0: those of whole events in the store, the records that wait
 * for more where they are found after a kill. -ETIMEDOUT.
 */
XT_MUST_USE int xt_intake_keep(xt_intake *intake, int64_t timeout_ms);
xt_intake_stats xt_intake_stats_get(xt_intake *intake);

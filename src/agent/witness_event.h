/*
 * agent/witness_event - events that the second witness makes: exited, exec-unaudited
 *
 * Shape:     exited: small, for there is one for each exec. Its serial is the exec's and its time a later one, so that its
 *            event.id needs no place; exectrail.of is the exec event's id.
 *            exec-unaudited: what the process connector and /proc tell of an exec that audit has no event of.
 * Ownership: the events borrow from what is given and from the arena.
 */
#pragma once
#include "agent/witness.h"
#include "event/from_audit.h"

/* end_ms: wall time. -ENOMEM. */
XT_MUST_USE int xt_exited_event(const xt_task *task, const xt_event_origin *origin, int64_t end_ms, xt_arena *arena,
                                xt_event *ret);
/* Gives the program the event's id. message: what is to be said besides. */
XT_MUST_USE int xt_unaudited_event(const xt_task *task, xt_program *program, xt_unaudited reason,
                                   const xt_event_origin *origin, xt_slice message, xt_arena *arena, xt_event *ret);

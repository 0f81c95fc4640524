/*
 * wire/event_rank - which events go first when there is no room for all
 *
 * Shape:     three ranks, by what the host itself can tell: which commands raised an alert only the server knows, so nothing that a
 *            rule of detection commonly asks for is in the least one.
 */
#pragma once
#include "event/event.h"

typedef enum xt_event_rank {
    XT_RANK_END,   /* ends of processes, and the agent's own canaries */
    XT_RANK_EXEC,  /* executions */
    XT_RANK_FIRST, /* all else: logins, sudo, changes of audit, what the agent itself says, other audit rules */
    XT_N_RANKS
} xt_event_rank;

xt_event_rank xt_event_rank_get(const xt_event *event);

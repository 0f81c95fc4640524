/*
 * agent/policy_relay - orders of policies on their way from the server to the collector, and what it says of them
 *
 * Shape:     nothing is judged here, for whoever holds this process must not be able to. One order is under way at a time; of those
 *            that come meanwhile the last one waits.
 * Errors:    <0: the collector is gone.
 * Threads:   one at a time.
 */
#pragma once
#include "base/buf.h"

typedef struct xt_policy_relay {
    xt_buf order; /* the last one that came */
    xt_buf state; /* what the collector said last; empty: nothing yet */
    bool waits, asked;
} xt_policy_relay;

void xt_policy_relay_fini(xt_policy_relay *relay);
XT_MUST_USE int xt_policy_relay_order(xt_policy_relay *relay, int collector_fd, xt_slice order);
XT_MUST_USE int xt_policy_relay_answer(xt_policy_relay *relay, int collector_fd, xt_slice state);

/*
 * agent/policy_gate - how often the collector looks at what its shipper says of policies
 *
 * Shape:     each look costs signatures to be checked, and a refusal is an event; so after XT_GATE_BURST at once there is one in
 *            XT_GATE_EACH_MS. A shipper that is itself has one order unanswered at most; it is never passed over, the last order waits.
 * Units:     now_ms: monotonic.
 * Limits:    one order of XT_POLICY_MESSAGE_BYTES waits.
 * Threads:   one at a time.
 */
#pragma once
#include "base/buf.h"

#define XT_GATE_BURST   8
#define XT_GATE_EACH_MS 2000
#define XT_GATE_TELL_MS 60000

typedef struct xt_policy_gate {
    int64_t paid_ms;   /* until then all looks are paid for */
    xt_buf waiting;    /* the last order that came too soon; empty: none */
    uint64_t n_passed; /* messages passed over since it was told */
    int64_t told_ms;
} xt_policy_gate;

void xt_policy_gate_fini(xt_policy_gate *gate);
/* Whether one may be looked at now; false: it is passed over, and counted. */
bool xt_policy_gate_open(xt_policy_gate *gate, int64_t now_ms);
/* The same of an order: false: it waits, in the place of one that waits already. */
bool xt_policy_gate_order(xt_policy_gate *gate, xt_slice payload, int64_t now_ms);
/* The order that waits, when it may be looked at now; it is the caller's to end. */
bool xt_policy_gate_next(xt_policy_gate *gate, int64_t now_ms, xt_buf *ret);
/* How many were passed over, once a minute at most; 0: there is nothing to tell. */
uint64_t xt_policy_gate_tell(xt_policy_gate *gate, int64_t now_ms);

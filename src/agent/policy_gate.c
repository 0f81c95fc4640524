#include "agent/policy_gate.h"

#include "wire/policy_order.h"

void xt_policy_gate_fini(xt_policy_gate *gate)
{
    xt_buf_fini(&gate->waiting);
}

static bool pays(xt_policy_gate *gate, int64_t now_ms)
{
    int64_t from_ms = gate->paid_ms > now_ms ? gate->paid_ms : now_ms;
    if (from_ms + XT_GATE_EACH_MS - now_ms > XT_GATE_BURST * XT_GATE_EACH_MS)
        return false;
    gate->paid_ms = from_ms + XT_GATE_EACH_MS;
    return true;
}

bool xt_policy_gate_open(xt_policy_gate *gate, int64_t now_ms)
{
    bool is_open = pays(gate, now_ms);
    gate->n_passed += !is_open;
    return is_open;
}

bool xt_policy_gate_order(xt_policy_gate *gate, xt_slice payload, int64_t now_ms)
{
    if (payload.n > XT_POLICY_MESSAGE_BYTES) {
        gate->n_passed++;
        return false;
    }
    if (gate->waiting.n == 0 && pays(gate, now_ms))
        return true;
    gate->n_passed += gate->waiting.n > 0;
    xt_buf_reset(&gate->waiting);
    xt_buf_put(&gate->waiting, payload);
    if (xt_buf_done(&gate->waiting) < 0) {
        xt_buf_reset(&gate->waiting);
        gate->n_passed++;
    }
    return false;
}

bool xt_policy_gate_next(xt_policy_gate *gate, int64_t now_ms, xt_buf *ret)
{
    if (gate->waiting.n == 0 || !pays(gate, now_ms))
        return false;
    *ret = gate->waiting;
    gate->waiting = XT_BUF_INIT;
    return true;
}

uint64_t xt_policy_gate_tell(xt_policy_gate *gate, int64_t now_ms)
{
    uint64_t n = gate->n_passed;
    if (n == 0 || (gate->told_ms && now_ms - gate->told_ms < XT_GATE_TELL_MS))
        return 0;
    gate->n_passed = 0;
    gate->told_ms = now_ms;
    return n;
}

#include "agent/audit_guard.h"

static int64_t wait_after(unsigned n_tries)
{
    int64_t wait_ms = XT_GUARD_WAIT_MS;
    for (unsigned i = 1; i < n_tries && wait_ms < XT_GUARD_MAX_WAIT_MS; i++)
        wait_ms *= 2;
    return wait_ms < XT_GUARD_MAX_WAIT_MS ? wait_ms : XT_GUARD_MAX_WAIT_MS;
}

xt_guard_verdict xt_guard_next(xt_guard *guard, xt_watch_drift what, bool has_drifted, int64_t now_ms)
{
    xt_guard_state *state = &guard->states[what];
    if (state->n_tries > 0 && now_ms - state->last_ms >= XT_GUARD_MAX_WAIT_MS)
        *state = (xt_guard_state){0};
    if (!has_drifted)
        return XT_GUARD_NOTHING;
    if (state->n_tries == 0 || now_ms >= state->next_ms)
        return XT_GUARD_REPAIR;
    state->last_ms = now_ms;
    if (state->is_waiting)
        return XT_GUARD_NOTHING;
    state->is_waiting = true;
    return XT_GUARD_WAIT;
}

int64_t xt_guard_tried(xt_guard *guard, xt_watch_drift what, bool succeeded, int64_t now_ms)
{
    xt_guard_state *state = &guard->states[what];
    state->n_tries++;
    state->last_ms = now_ms;
    state->next_ms = now_ms + wait_after(state->n_tries);
    state->is_waiting = false;
    guard->n_repaired += succeeded;
    return state->next_ms - now_ms;
}

int64_t xt_guard_wait_ms(const xt_guard *guard, xt_watch_drift what, int64_t now_ms)
{
    return guard->states[what].next_ms > now_ms ? guard->states[what].next_ms - now_ms : 0;
}

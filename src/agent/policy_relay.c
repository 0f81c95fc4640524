#include "agent/policy_relay.h"

#include "agent/channel.h"
#include "wire/policy_order.h"

void xt_policy_relay_fini(xt_policy_relay *relay)
{
    xt_buf_fini(&relay->order);
    xt_buf_fini(&relay->state);
}

static int pass(xt_policy_relay *relay, int collector_fd)
{
    if (!relay->waits || relay->asked)
        return 0;
    relay->waits = false;
    relay->asked = true;
    return xt_channel_send(collector_fd, XT_CHANNEL_POLICY, xt_buf_slice(&relay->order));
}

int xt_policy_relay_order(xt_policy_relay *relay, int collector_fd, xt_slice order)
{
    xt_buf_reset(&relay->order);
    xt_buf_put(&relay->order, order);
    relay->waits = order.n <= XT_POLICY_MESSAGE_BYTES && xt_buf_done(&relay->order) == 0;
    return pass(relay, collector_fd);
}

int xt_policy_relay_answer(xt_policy_relay *relay, int collector_fd, xt_slice state)
{
    relay->asked = false;
    xt_buf_reset(&relay->state);
    xt_buf_put(&relay->state, state);
    if (xt_buf_done(&relay->state) < 0)
        xt_buf_reset(&relay->state);
    return pass(relay, collector_fd);
}

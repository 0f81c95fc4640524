#include "agent/own_event.h"

#include <sys/random.h>

void xt_own_event_fill(xt_event *ret, const xt_event_origin *origin, int64_t time_ms, const char *action,
                       xt_slice message, char scratch[static 64])
{
    xt_hash128 id;
    if (getrandom(id.b, sizeof id.b, 0) != sizeof id.b)
        id = xt_slice_hash128(message);
    xt_hash128_format(id, scratch);
    xt_event_reset(ret);
    xt_event_set_num(ret, XT_F_TIME, (uint64_t)time_ms);
    xt_event_set_bytes(ret, XT_F_EVENT_ID, xt_slice_of(scratch, 32));
    xt_event_set_bytes(ret, XT_F_ACTION, xt_slice_str(action));
    /* lists of one: count, length, bytes */
    xt_event_set_bytes(ret, XT_F_CATEGORY, XT_S("\x01\x04host"));
    xt_event_set_bytes(ret, XT_F_EVENT_TYPE, XT_S("\x01\x04info"));
    xt_event_set_bytes(ret, XT_F_OUTCOME, XT_S("unknown"));
    xt_event_set_bytes(ret, XT_F_HOST, origin->host_name);
    if (origin->host_id.n > 0)
        xt_event_set_bytes(ret, XT_F_HOST_ID, origin->host_id);
    if (origin->boot_id.n > 0)
        xt_event_set_bytes(ret, XT_F_BOOT_ID, origin->boot_id);
    xt_event_set_bytes(ret, XT_F_MESSAGE, message);
}

void xt_own_event_put(xt_buf *out, const xt_event_origin *origin, int64_t time_ms, const char *action, xt_slice message)
{
    xt_event event;
    char scratch[64];
    xt_own_event_fill(&event, origin, time_ms, action, message, scratch);
    xt_event_batch_put(out, &event);
}

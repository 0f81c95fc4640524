#include "wire/event_rank.h"

xt_event_rank xt_event_rank_get(const xt_event *event)
{
    xt_slice action = xt_event_bytes(event, XT_F_ACTION), flag;
    xt_list_iter flags = xt_list_iterate(xt_event_bytes(event, XT_F_FLAGS));
    if (xt_slice_eq(action, XT_S("exited")))
        return XT_RANK_END;
    if (!xt_slice_eq(action, XT_S("executed")))
        return XT_RANK_FIRST;
    while (xt_list_next(&flags, &flag))
        if (xt_slice_eq(flag, XT_S("canary")))
            return XT_RANK_END;
    return XT_RANK_EXEC;
}

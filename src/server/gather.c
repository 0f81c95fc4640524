/*
 * Twice the time makes at most half of the batches. So it is doubled while many come, and halved only when a third of many come:
 * the half never brings many back at once, and what is asked for comes to rest. A writer that is behind takes what it can, and how
 * much more would come cannot be seen: then it is four times as long.
 */
#include "server/gather.h"

#include "wire/message.h"

enum {
    LOOK_MS = 1000,
    FIRST_MS = 125, /* doubled three times it is the most */
    FEW = XT_GATHER_MANY / 3,
    CALM_LOOKS = 5,
};

static unsigned longer(unsigned ms, unsigned times)
{
    unsigned next_ms = ms ? ms * times : FIRST_MS;

    return next_ms < XT_GATHER_MAX_MS ? next_ms : XT_GATHER_MAX_MS;
}

void xt_gather_init(xt_gather *gather, size_t n_hosts, int64_t now_ms)
{
    *gather = (xt_gather){.looked_ms = now_ms};
    while (gather->ms < XT_GATHER_MAX_MS && n_hosts * 1000 > (size_t)XT_GATHER_MANY * (gather->ms + 100))
        gather->ms = longer(gather->ms, 2);
}

bool xt_gather_look(xt_gather *gather, bool is_behind, int64_t now_ms)
{
    unsigned before_ms = gather->ms;
    int64_t passed_ms = now_ms - gather->looked_ms;

    if (passed_ms < LOOK_MS)
        return false;
    uint64_t per_s = gather->n_batches * 1000 / (uint64_t)passed_ms;
    bool is_few = per_s < FEW; /* then it is not small batches that keep the writer busy */
    gather->n_calm = is_few ? gather->n_calm + 1 : 0;
    if (!is_few && (is_behind || per_s > XT_GATHER_MANY))
        gather->ms = longer(gather->ms, is_behind ? 4 : 2);
    if (gather->n_calm >= CALM_LOOKS) {
        gather->ms = gather->ms > FIRST_MS ? gather->ms / 2 : 0;
        gather->n_calm = 0;
    }
    gather->per_s = per_s;
    gather->n_batches = 0;
    gather->looked_ms = now_ms;
    return gather->ms != before_ms;
}

#include "agent/thin.h"

#include "event/event.h"

uint64_t xt_thin_events(xt_buf *events, uint64_t n, unsigned rank, xt_spool_loss *loss)
{
    xt_slice rest = xt_buf_slice(events), bytes;
    xt_buf left = XT_BUF_INIT;
    uint64_t n_left = 0;

    while (xt_event_batch_next(&rest, &bytes)) {
        xt_event event;
        xt_event_rank of = xt_event_decode(bytes, &event, NULL) == 0 ? xt_event_rank_get(&event) : XT_RANK_FIRST;
        if (of <= rank) {
            loss->n_events[of]++;
        } else {
            xt_buf_put_block(&left, bytes);
            n_left++;
        }
    }
    if (xt_buf_done(&left) < 0) {
        loss->n_unknown += n_left;
        xt_buf_reset(&left);
        n_left = 0;
    }
    xt_buf_fini(events);
    *events = left;
    return n_left;
}

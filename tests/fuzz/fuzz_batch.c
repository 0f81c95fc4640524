/* A batch's payload as a server reads it; what can be read is encoded again and holds the same events. */
#include <assert.h>
#include <stdlib.h>

#include "event/event.h"
#include "wire/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xt_batch batch, back;
    xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT, again = XT_BUF_INIT;
    events.max_bytes = again.max_bytes = 8 << 20;
    if (xt_batch_decode(xt_slice_of(data, n), &batch, NULL) == 0 && xt_batch_events(&batch, &events, NULL) == 0) {
        xt_slice rest = xt_buf_slice(&events), bytes;
        xt_event event;
        while (xt_event_batch_next(&rest, &bytes))
            (void)!xt_event_decode(bytes, &event, NULL);
        if (xt_batch_encode(batch.stream, batch.number, batch.n_events, batch.chain, xt_buf_slice(&events), &payload) ==
            0) {
            assert(xt_batch_decode(xt_buf_slice(&payload), &back, NULL) == 0);
            assert(xt_batch_events(&back, &again, NULL) == 0);
            assert(xt_slice_eq(xt_buf_slice(&again), xt_buf_slice(&events)));
        }
    }
    xt_buf_fini(&events);
    xt_buf_fini(&payload);
    xt_buf_fini(&again);
    return 0;
}

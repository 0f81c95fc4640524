/* A slim batch as a server reads it; what expands is slimmed again and holds the same events. */
#include <assert.h>
#include <stdlib.h>

#include "event/batch_slim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xt_buf events = XT_BUF_INIT, slim = XT_BUF_INIT, again = XT_BUF_INIT;
    if (n < 3)
        return 0;
    size_t raw_bytes = data[0] | (size_t)data[1] << 8 | (size_t)(data[2] & 7) << 16;
    if (xt_batch_expand(xt_slice_of(data + 3, n - 3), raw_bytes, &events) == 0) {
        assert(events.n == raw_bytes);
        if (xt_batch_slim(xt_buf_slice(&events), &slim) == 0) {
            assert(xt_batch_expand(xt_buf_slice(&slim), events.n, &again) == 0);
            assert(xt_slice_eq(xt_buf_slice(&again), xt_buf_slice(&events)));
        }
    }
    xt_buf_fini(&events);
    xt_buf_fini(&slim);
    xt_buf_fini(&again);
    return 0;
}

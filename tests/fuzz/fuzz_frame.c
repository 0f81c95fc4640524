/* Frames cut off a stream of foreign bytes; what is cut is put together again to the same bytes. */
#include <assert.h>
#include <stdlib.h>

#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xt_slice rest = xt_slice_of(data, n);
    xt_frame frame;
    size_t taken;
    while (xt_frame_next(rest, &frame, &taken, NULL) == 0) {
        xt_buf again = XT_BUF_INIT;
        xt_frame_put(&again, (xt_frame_type)frame.type, frame.payload);
        assert(xt_buf_done(&again) < 0 || xt_slice_eq(xt_buf_slice(&again), xt_slice_head(rest, taken)));
        xt_buf_fini(&again);
        rest = xt_slice_skip(rest, taken);
    }
    return 0;
}

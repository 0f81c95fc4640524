/* Canonical bytes: whatever is accepted is whole, and encodes to bytes that mean the same. */
#include <assert.h>

#include "event/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xt_event event = {0}, again = {0};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_slice rest = xt_slice_of(data, n), bytes;
    while (xt_event_batch_next(&rest, &bytes))
        (void)!xt_event_decode(bytes, &event, NULL);
    int r = xt_event_decode(xt_slice_of(data, n), &event, &problem);
    assert(r >= 0 && (r == 0 || problem.sentence[0]));
    if (r != 0)
        return 0;
    xt_buf once = XT_BUF_INIT, twice = XT_BUF_INIT;
    xt_event_encode(&event, &once);
    assert(xt_buf_done(&once) == 0 && xt_event_decode(xt_buf_slice(&once), &again, NULL) == 0);
    assert(memcmp(&event.present, &again.present, sizeof event.present) == 0);
    xt_event_encode(&again, &twice);
    assert(xt_slice_eq(xt_buf_slice(&once), xt_buf_slice(&twice)));
    xt_slice value;
    (void)xt_recs_find(xt_event_bytes(&event, XT_F_RECORDS), XT_S("a"), 1, &value);
    xt_buf_fini(&once);
    xt_buf_fini(&twice);
    return 0;
}

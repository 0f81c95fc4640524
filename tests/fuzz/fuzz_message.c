/* Every message's payload, told apart by the first byte; what can be read is put and read again to the same bytes. */
#include <assert.h>

#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define CASE(number, name)                                                     \
    case number: {                                                             \
        xt_##name m, back;                                                     \
        if (xt_##name##_decode(payload, &m, NULL) == 0) {                      \
            xt_##name##_put(&once, &m);                                        \
            assert(xt_##name##_decode(xt_buf_slice(&once), &back, NULL) == 0); \
            xt_##name##_put(&twice, &back);                                    \
        }                                                                      \
        break;                                                                 \
    }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    xt_slice payload = xt_slice_of(data + 1, n - 1);
    xt_buf once = XT_BUF_INIT, twice = XT_BUF_INIT;
    switch (data[0] % 10) {
        CASE(0, enroll)
        CASE(1, enrolled)
        CASE(2, hello)
        CASE(3, welcome)
        CASE(4, ack)
        CASE(5, refused)
        CASE(6, heartbeat)
        CASE(7, renew)
        CASE(8, renewed)
        CASE(9, trust)
    }
    assert(xt_slice_eq(xt_buf_slice(&once), xt_buf_slice(&twice)));
    xt_buf_fini(&once);
    xt_buf_fini(&twice);
    return 0;
}

/*
 * How it works: the checksum covers type, flags, reserved and payload. The length stands outside, since it decides what
 * is hashed: a wrong one makes the checksum wrong too. So a flipped bit anywhere closes the connection instead of
 * becoming another message.
 */
#include "wire/frame.h"

#define XXH_STATIC_LINKING_ONLY
#include <assert.h>
#include <xxhash.h>

static uint64_t frame_hash(const void *head, xt_slice payload)
{
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    XXH3_64bits_reset(&state);
    XXH3_64bits_update(&state, head, 4);
    if (payload.n > 0)
        XXH3_64bits_update(&state, payload.p, payload.n);
    return XXH3_64bits_digest(&state);
}

void xt_frame_put(xt_buf *out, xt_frame_type type, xt_slice payload)
{
    assert(payload.n <= XT_FRAME_MAX_BYTES);
    const uint8_t head[4] = {(uint8_t)type, 0, 0, 0};
    xt_buf_put_u32(out, (uint32_t)payload.n);
    xt_buf_put(out, xt_slice_of(head, sizeof head));
    xt_buf_put_u64(out, frame_hash(head, payload));
    xt_buf_put(out, payload);
}

int xt_frame_next(xt_slice bytes, xt_frame *ret, size_t *ret_n, xt_problem *reterr_problem)
{
    if (bytes.n < XT_FRAME_HEADER_BYTES)
        return XT_FRAME_E_MORE;
    xt_reader reader = xt_reader_of(bytes);
    uint32_t n = xt_reader_u32(&reader);
    if (n > XT_FRAME_MAX_BYTES) {
        xt_problem_set(reterr_problem, "a frame claims %u bytes, more than a frame may have", n);
        return XT_FRAME_E_CORRUPT;
    }
    xt_slice head = xt_reader_bytes(&reader, 4);
    uint64_t hash = xt_reader_u64(&reader);
    if (xt_reader_left(&reader) < n)
        return XT_FRAME_E_MORE;
    xt_slice payload = xt_reader_bytes(&reader, n);
    if (frame_hash(head.p, payload) != hash) {
        xt_problem_set(reterr_problem, "the checksum of a frame of %u bytes is wrong", n);
        return XT_FRAME_E_CORRUPT;
    }
    if (head.p[1] != 0 || head.p[2] != 0 || head.p[3] != 0) {
        xt_problem_set(reterr_problem, "a frame has flags that this version does not know");
        return XT_FRAME_E_CORRUPT;
    }
    *ret = (xt_frame){.type = (uint8_t)head.p[0], .payload = payload};
    *ret_n = XT_FRAME_HEADER_BYTES + n;
    return 0;
}

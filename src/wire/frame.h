/*
 * wire/frame - what goes over the connection between agent and server
 *
 * Format:    u32 LE payload bytes, u8 type, u8 flags (0), u16 LE reserved (0), u64 LE XXH3-64 of type, flags, reserved
 *            and payload, then the payload. Little endian throughout; messages below are sequences of varints and
 *            blocks (base/buf.h) and may grow at the end: readers ignore what is behind what they know.
 * Errors:    XT_FRAME_E_MORE: not all of it is here yet. XT_FRAME_E_CORRUPT: close the connection.
 * Limits:    XT_FRAME_MAX_BYTES; a frame above it is CORRUPT before anything is allocated.
 * Order:     agent: HELLO (or ENROLL), then BATCH, HEARTBEAT (or their short forms), RENEW and POLICY_STATE at will. server: WELCOME (or ENROLLED or
 *            REFUSED), then ACK, TRUST and POLICY at will, RENEWED for a RENEW, REFUSED and close at any time.
 */
#pragma once
#include "base/problem.h"

#define XT_FRAME_HEADER_BYTES 16
#define XT_FRAME_MAX_BYTES    (32u << 20)
#define XT_WIRE_VERSION       1

enum {
    XT_FRAME_E_MORE = 1,
    XT_FRAME_E_CORRUPT = 2,
};

typedef enum xt_frame_type {
    XT_FRAME_ENROLL = 1,
    XT_FRAME_ENROLLED = 2,
    XT_FRAME_HELLO = 3,
    XT_FRAME_WELCOME = 4,
    XT_FRAME_BATCH = 5,
    XT_FRAME_ACK = 6,
    XT_FRAME_HEARTBEAT = 7,
    XT_FRAME_REFUSED = 8,
    XT_FRAME_RENEW = 9,
    XT_FRAME_RENEWED = 10,
    XT_FRAME_TRUST = 11,
    XT_FRAME_POLICY = 12,
    XT_FRAME_POLICY_STATE = 13,
    XT_FRAME_BATCH_SHORT = 14, /* wire/short_form.h */
    XT_FRAME_HEARTBEAT_SHORT = 15,
} xt_frame_type;

typedef struct xt_frame {
    uint8_t type;
    xt_slice payload;
} xt_frame;

void xt_frame_put(xt_buf *out, xt_frame_type type, xt_slice payload);
/* Cuts a frame off the front of bytes; *ret_n is how many bytes it took. */
XT_MUST_USE int xt_frame_next(xt_slice bytes, xt_frame *ret, size_t *ret_n, xt_problem *reterr_problem);

/*
 * wire/batch - events on their way: numbered, chained, compressed
 *
 * Format:    payload of a BATCH frame: u8 version 1, 16 bytes stream, varint number, varint n_events, 16 bytes chain (hash of
 *            the batch before it in the stream, zeros for number 1), varint codec
 *            (event/batch_codec.h), varint raw_bytes, block data. The hash of a batch is XXH3-128 of the payload.
 *            Data, decompressed: canonical events (event/event.h batch). A tombstone of batches that had to go is a
 *            batch whose events say so (action dropped).
 * Limits:    XT_BATCH_MAX_RAW_BYTES decompressed; a claim above it is corrupt before anything is allocated. A server takes
 *            XT_BATCH_MAX_EVENTS of a host in one: three times what an agent holds when its disk takes nothing.
 */
#pragma once
#include "base/arena.h"
#include "base/problem.h"
#include "event/batch_codec.h"

#define XT_BATCH_MAX_RAW_BYTES (48u << 20)
#define XT_BATCH_MAX_EVENTS    65536

enum {
    XT_BATCH_E_CORRUPT = 1,
    XT_BATCH_E_DICTIONARY = 2, /* compressed with a dictionary we do not have */
};

typedef struct xt_batch {
    xt_hash128 stream;
    uint64_t number, n_events;
    xt_hash128 chain;
    uint64_t codec, raw_bytes;
    xt_slice data;
} xt_batch;

/* Head and data as a payload. */
void xt_batch_put(const xt_batch *batch, xt_buf *out);
/* The events packed with zstd, and head and data as a payload. */
XT_MUST_USE int xt_batch_encode(xt_hash128 stream, uint64_t number, uint64_t n_events, xt_hash128 chain,
                                xt_slice events, xt_buf *out);
XT_MUST_USE int xt_batch_decode(xt_slice payload, xt_batch *ret, xt_problem *reterr_problem);
/* The canonical events of a batch, appended to out; counts are checked. */
XT_MUST_USE int xt_batch_events(const xt_batch *batch, xt_buf *out, xt_problem *reterr_problem);
xt_hash128 xt_batch_hash(xt_slice payload);

/*
 * wire/spool - batches that wait for their acknowledgement, on the sender's disk
 *
 * Shape:     a folder: `stream` (the stream's random id and how far it was sent and acknowledged) and append-only files of
 *            records with checksums. A batch gets its number and its chain when it is first read for sending, in the
 *            order in which it was put, so that numbers and chain have no holes whatever had to go.
 * Bounds:    max_bytes; when it is passed the oldest files that were never sent go, and a tombstone takes their
 *            place at the end: a batch of one event (the caller makes it) that says how many batches and events went.
 * Crash:     what was put survives the process; a torn tail is cut at the last good record when it is opened again. What a
 *            power failure took is found at the next welcome: the spool then begins a new stream with all it holds.
 * Errors:    XT_SPOOL_E_RENEWED: the receiver knows another past of this stream; a new one was begun, say hello again.
 * Threads:   one at a time.
 */
#pragma once
#include "io/vfs.h"
#include "wire/batch.h"

enum {
    XT_SPOOL_E_RENEWED = 1,
};

typedef struct xt_spool xt_spool;
typedef struct xt_spool_settings {
    const xt_vfs *vfs;
    const char *dir; /* made when it is absent */
    uint64_t max_bytes;
    /* Appends one event (xt_event_batch_put) that says what went. */
    void (*tombstone)(void *context, uint64_t n_batches, uint64_t n_events, xt_buf *out);
    void *context;
} xt_spool_settings;

typedef struct xt_spool_stats {
    uint64_t n_batches, n_events, n_bytes;        /* waiting */
    uint64_t n_dropped_batches, n_dropped_events; /* since the stream began */
    uint64_t sent_number, acked_number;
} xt_spool_stats;

XT_MUST_USE int xt_spool_open(const xt_spool_settings *settings, xt_spool **ret, xt_problem *reterr_problem);
xt_spool *xt_spool_close(xt_spool *spool); /* accepts NULL, returns NULL */
/* What is put from now on is packed with this codec (event/batch_codec.h); XT_CODEC_ZSTD at first. */
void xt_spool_set_codec(xt_spool *spool, uint64_t codec);
/* Another bound from now on; what is above it goes with the next put. */
void xt_spool_limit(xt_spool *spool, uint64_t max_bytes);
xt_hash128 xt_spool_stream(const xt_spool *spool);
XT_MUST_USE int xt_spool_put(xt_spool *spool, xt_slice events, uint64_t n_events, xt_problem *reterr_problem);
/* The payload of batch after + 1, appended to out; *ret_number 0 when there is none yet. `after` is at least what is acknowledged. */
XT_MUST_USE int xt_spool_next(xt_spool *spool, uint64_t after, uint64_t *ret_number, xt_buf *out,
                              xt_problem *reterr_problem);
/* Everything up to this number may go; numbers never sent or gone before change nothing. */
XT_MUST_USE int xt_spool_ack(xt_spool *spool, uint64_t number, xt_problem *reterr_problem);
/* What the receiver has of the stream: acknowledged up to number when its hash agrees, else XT_SPOOL_E_RENEWED. */
XT_MUST_USE int xt_spool_welcome(xt_spool *spool, uint64_t number, xt_hash128 hash, xt_problem *reterr_problem);
xt_spool_stats xt_spool_stats_get(const xt_spool *spool);

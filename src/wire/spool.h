/*
 * wire/spool - batches that wait for their acknowledgement, on the sender's disk
 *
 * Shape:     a folder: `stream` (the stream's random id, how far it was sent and acknowledged, what went) and append-only
 *            files of records with checksums. A batch gets its number and its chain when it is first read for sending, in the
 *            order in which it was put, so that numbers and chain have no holes whatever had to go.
 * Bounds:    max_bytes, and what `room` leaves of the disk. When one is passed, room is made among what was never sent: first
 *            events of the least rank (wire/event_rank.h) go, the oldest before the others, then those of the next; at last whole
 *            files, the oldest first. A tombstone stands at the end for what went: a batch of one event (the caller makes it).
 * Crash:     what was put survives the process; a torn tail is cut at the last good record when it is opened again. What
 *            xt_spool_sync has written survives a power failure. What one took of what was sent is found at the next welcome: what is
 *            left of it is not sent again, and a new stream begins with what came later. A tombstone is neither lost nor doubled.
 * Errors:    XT_SPOOL_E_RENEWED: the receiver knows another past of this stream; a new one was begun, say hello again.
 *            <0: the disk. Nothing is half done: the same call may be made again.
 * Threads:   one at a time.
 */
#pragma once
#include "io/vfs.h"
#include "wire/batch.h"
#include "wire/event_rank.h"

enum {
    XT_SPOOL_E_RENEWED = 1,
};

/* What went. */
typedef struct xt_spool_loss {
    uint64_t n_batches;
    uint64_t n_events[XT_N_RANKS];
    uint64_t n_unknown;      /* events of which not even that could be read */
    uint64_t n_damaged;      /* of all those, such as the disk gave back damaged; the others had no room */
    uint64_t from_ms, to_ms; /* times of the events; 0: not known */
} xt_spool_loss;

typedef struct xt_spool xt_spool;
typedef struct xt_spool_settings {
    const xt_vfs *vfs;
    const char *dir; /* made when it is absent */
    uint64_t max_bytes;
    uint64_t (*room)(void *context); /* how many bytes more the disk may give; NULL: any */
    /* Appends one event (xt_event_batch_put) that says what went. */
    void (*tombstone)(void *context, const xt_spool_loss *loss, xt_buf *out);
    void *context;
} xt_spool_settings;

typedef struct xt_spool_stats {
    uint64_t n_batches, n_events, n_bytes;        /* waiting */
    uint64_t max_bytes;                           /* what it may grow to now */
    uint64_t n_dropped_batches, n_dropped_events; /* since the stream began */
    uint64_t sent_number, acked_number;
    bool is_shedding; /* the last put had to make room */
} xt_spool_stats;

XT_MUST_USE int xt_spool_open(const xt_spool_settings *settings, xt_spool **ret, xt_problem *reterr_problem);
xt_spool *xt_spool_close(xt_spool *spool); /* accepts NULL, returns NULL */
/* What is put from now on is packed with this codec (event/batch_codec.h); XT_CODEC_ZSTD at first. */
void xt_spool_set_codec(xt_spool *spool, uint64_t codec);
/* Another bound from now on; what is above it goes with the next put. */
void xt_spool_limit(xt_spool *spool, uint64_t max_bytes);
xt_hash128 xt_spool_stream(const xt_spool *spool);
/* -ENOSPC: neither is there room nor can any be made; nothing was put. */
XT_MUST_USE int xt_spool_put(xt_spool *spool, xt_slice events, uint64_t n_events, xt_problem *reterr_problem);
/* The payload of batch after + 1, appended to out; *ret_number 0 when there is none yet. `after` is at least what is acknowledged. */
XT_MUST_USE int xt_spool_next(xt_spool *spool, uint64_t after, uint64_t *ret_number, xt_buf *out,
                              xt_problem *reterr_problem);
/* Everything up to this number may go; numbers never sent or gone before change nothing. */
XT_MUST_USE int xt_spool_ack(xt_spool *spool, uint64_t number, xt_problem *reterr_problem);
/* What the receiver has of the stream: acknowledged up to number when its hash agrees, else XT_SPOOL_E_RENEWED. */
XT_MUST_USE int xt_spool_welcome(xt_spool *spool, uint64_t number, xt_hash128 hash, xt_problem *reterr_problem);
/* What was put and not synced yet is on the disk when this returns. */
XT_MUST_USE int xt_spool_sync(xt_spool *spool, xt_problem *reterr_problem);
xt_spool_stats xt_spool_stats_get(const xt_spool *spool);

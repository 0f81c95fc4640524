/*
 * wire/spool - batches that wait for their acknowledgement, on the sender's disk
 *
 * Shape:     a folder: `stream` (random id, made with the spool), and append-only files of batch payloads with checksums.
 *            Numbers and chain are the spool's: a batch gets them when it is put.
 * Bounds:    max_bytes; when it is passed the oldest unsent go, and the next batch put is a tombstone that says
 *            which numbers and how many events: numbers and chain stay whole.
 * Crash:     what was put survives the process; a torn tail is cut at the last good batch when it is opened again.
 * Threads:   one at a time.
 */
#pragma once
#include "io/vfs.h"
#include "wire/batch.h"

typedef struct xt_spool xt_spool;
typedef struct xt_spool_stats {
    uint64_t n_batches, n_events, n_bytes;        /* waiting */
    uint64_t n_dropped_batches, n_dropped_events; /* since it was made */
    uint64_t last_number, acked_number;
} xt_spool_stats;

XT_MUST_USE int xt_spool_open(const xt_vfs *vfs, const char *dir, uint64_t max_bytes, xt_spool **ret, xt_problem *reterr_problem);
xt_spool *xt_spool_close(xt_spool *spool);
xt_hash128 xt_spool_stream(const xt_spool *spool);
XT_MUST_USE int xt_spool_put(xt_spool *spool, xt_slice events, uint64_t n_events, xt_problem *reterr_problem);
/* The payload of the first batch with a number above `after`; *ret_number 0 when there is none. Appended to out. */
XT_MUST_USE int xt_spool_next(xt_spool *spool, uint64_t after, uint64_t *ret_number, xt_buf *out, xt_problem *reterr_problem);
/* Everything up to this number may go. */
XT_MUST_USE int xt_spool_ack(xt_spool *spool, uint64_t number, xt_problem *reterr_problem);
xt_spool_stats xt_spool_stats_get(const xt_spool *spool);

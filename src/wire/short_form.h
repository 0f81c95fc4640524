/*
 * wire/short_form - batches and heartbeats without what both ends of a connection know already
 *
 * Shape:     both ends keep the stream, the last batch and the last heartbeat that went over the connection. A short batch is the
 *            one after that; expanded it is the very payload that the sender's spool has, so its hash is the same.
 *            A short heartbeat is the difference to the one before, which may have been a short one too.
 * Format:    BATCH_SHORT: varint n_events, varint codec (2: the dictionary of the welcome), then the data to the end.
 *            HEARTBEAT_SHORT: message.h, xt_heartbeat_put_change.
 * Errors:    XT_SHORT_E_CORRUPT: close the connection.
 * Limits:    used where both peers say XT_FEATURE_SHORT; the whole forms may come at any time all the same.
 * Threads:   one at a time.
 */
#pragma once
#include "wire/batch.h"
#include "wire/message.h"

enum {
    XT_SHORT_E_CORRUPT = 1,
};

typedef struct xt_short_form {
    xt_hash128 stream, chain; /* chain: of batch `number` */
    uint64_t number, dictionary;
    xt_buf beat; /* payload of the last heartbeat; empty: none yet */
} xt_short_form;

/* At the welcome; what was known before is forgotten. */
void xt_short_begin(xt_short_form *form, xt_hash128 stream, const xt_welcome *welcome);
void xt_short_fini(xt_short_form *form);

/* True: the batch is the next one, and its short form is appended. */
bool xt_short_batch_put(const xt_short_form *form, const xt_batch *batch, xt_buf *out);
/* The whole payload appended to out. */
XT_MUST_USE int xt_short_batch_expand(const xt_short_form *form, xt_slice payload, xt_buf *out,
                                      xt_problem *reterr_problem);
/* The batch went over, in whatever form. payload: the whole one. */
void xt_short_batch_went(xt_short_form *form, uint64_t number, xt_slice payload);

/* True: there was a heartbeat before, and the difference is appended. Either way this is the last one now. */
bool xt_short_beat_put(xt_short_form *form, const xt_heartbeat *beat, xt_buf *out);
/* ret: its slices point into the form. payload: the whole one, or (is_short) the difference. */
XT_MUST_USE int xt_short_beat_take(xt_short_form *form, xt_slice payload, bool is_short, xt_heartbeat *ret,
                                   xt_problem *reterr_problem);

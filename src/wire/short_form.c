/*
 * Why: a batch's head repeats the stream's id and the hash of the batch before, 32 bytes that nothing can compress, and of a
 * heartbeat's 60 members a dozen change. On a quiet host these were most of the bytes.
 */
#include "wire/short_form.h"

#include <errno.h>

#define CODEC_OF_WELCOME 2

void xt_short_begin(xt_short_form *form, xt_hash128 stream, const xt_welcome *welcome)
{
    form->stream = stream;
    form->number = welcome->number;
    form->chain = welcome->hash;
    form->dictionary = welcome->dictionary;
    xt_buf_reset(&form->beat);
}

void xt_short_fini(xt_short_form *form)
{
    xt_buf_fini(&form->beat);
}

static int corrupt(xt_problem *reterr_problem, const char *sentence)
{
    xt_problem_set(reterr_problem, "%s", sentence);
    return XT_SHORT_E_CORRUPT;
}

/* ------------------------------------------------------------------------------------------------ batches */

bool xt_short_batch_put(const xt_short_form *form, const xt_batch *batch, xt_buf *out)
{
    uint64_t raw_bytes;
    if (batch->number != form->number + 1 || !xt_hash128_eq(batch->stream, form->stream) ||
        !xt_hash128_eq(batch->chain, form->chain) || batch->codec == CODEC_OF_WELCOME ||
        xt_codec_raw_bytes(batch->codec, batch->data, &raw_bytes) != 0 || raw_bytes != batch->raw_bytes)
        return false;
    bool of_welcome = form->dictionary && batch->codec == form->dictionary;
    xt_buf_put_varint(out, batch->n_events);
    xt_buf_put_varint(out, of_welcome ? CODEC_OF_WELCOME : batch->codec);
    xt_buf_put(out, batch->data);
    return true;
}

int xt_short_batch_expand(const xt_short_form *form, xt_slice payload, xt_buf *out, xt_problem *reterr_problem)
{
    xt_reader reader = xt_reader_of(payload);
    xt_batch batch = {.stream = form->stream, .number = form->number + 1, .chain = form->chain};
    batch.n_events = xt_reader_varint(&reader);
    batch.codec = xt_reader_varint(&reader);
    batch.data = xt_reader_bytes(&reader, xt_reader_left(&reader));
    if (batch.codec == CODEC_OF_WELCOME)
        batch.codec = form->dictionary;
    if (reader.failed || xt_codec_raw_bytes(batch.codec, batch.data, &batch.raw_bytes) != 0)
        return corrupt(reterr_problem, "a short batch does not hold together");
    xt_batch_put(&batch, out);
    return xt_buf_done(out);
}

void xt_short_batch_went(xt_short_form *form, uint64_t number, xt_slice payload)
{
    form->number = number;
    form->chain = xt_batch_hash(payload);
}

/* ------------------------------------------------------------------------------------------------ heartbeats */

static bool beat_before(const xt_short_form *form, xt_heartbeat *ret)
{
    return form->beat.n > 0 && xt_heartbeat_decode(xt_buf_slice(&form->beat), ret, NULL) == 0;
}

bool xt_short_beat_put(xt_short_form *form, const xt_heartbeat *beat, xt_buf *out)
{
    xt_heartbeat before;
    bool known = beat_before(form, &before);
    if (known)
        xt_heartbeat_put_change(out, &before, beat);
    xt_buf_reset(&form->beat);
    xt_heartbeat_put(&form->beat, beat);
    if (xt_buf_done(&form->beat) < 0)
        xt_buf_reset(&form->beat); /* the next one is a whole one; this one the peer can read */
    return known;
}

int xt_short_beat_take(xt_short_form *form, xt_slice payload, bool is_short, xt_heartbeat *ret,
                       xt_problem *reterr_problem)
{
    xt_heartbeat before, beat;
    xt_buf whole = XT_BUF_INIT;
    if (is_short && !beat_before(form, &before))
        return corrupt(reterr_problem, "a heartbeat tells a difference to none");
    int r = is_short ? xt_heartbeat_decode_change(payload, &before, &beat, reterr_problem)
                     : xt_heartbeat_decode(payload, &beat, reterr_problem);
    if (r != 0)
        return r < 0 ? xt_error_trace(r) : XT_SHORT_E_CORRUPT;
    xt_heartbeat_put(&whole, &beat);
    r = xt_buf_done(&whole);
    if (r < 0) {
        xt_buf_fini(&whole);
        return xt_error_trace(r);
    }
    xt_buf_fini(&form->beat);
    form->beat = whole;
    return beat_before(form, ret) ? 0 : corrupt(reterr_problem, "a heartbeat does not hold together");
}

/*
 * How it works: event/batch_codec packs and unpacks. The claim of raw bytes is checked against the limit before anything is
 * allocated, against what the packed data claims before anything is unpacked, and against the events inside afterwards: three
 * places where a hostile count ends.
 */
#include "wire/batch.h"

#include "event/event.h"

#define BATCH_VERSION 1

void xt_batch_put(const xt_batch *batch, xt_buf *out)
{
    xt_buf_put_u8(out, BATCH_VERSION);
    xt_buf_put(out, xt_slice_of(batch->stream.b, sizeof batch->stream.b));
    xt_buf_put_varint(out, batch->number);
    xt_buf_put_varint(out, batch->n_events);
    xt_buf_put(out, xt_slice_of(batch->chain.b, sizeof batch->chain.b));
    xt_buf_put_varint(out, batch->codec);
    xt_buf_put_varint(out, batch->raw_bytes);
    xt_buf_put_block(out, batch->data);
}

int xt_batch_encode(xt_hash128 stream, uint64_t number, uint64_t n_events, xt_hash128 chain, xt_slice events,
                    xt_buf *out)
{
    xt_buf packed = XT_BUF_INIT;
    xt_batch batch = {.stream = stream, .number = number, .n_events = n_events, .chain = chain, .raw_bytes = events.n};
    int r = xt_codec_pack(events, XT_CODEC_ZSTD, &packed, &batch.codec);
    if (r >= 0) {
        batch.data = xt_buf_slice(&packed);
        xt_batch_put(&batch, out);
        r = xt_buf_done(out);
    }
    xt_buf_fini(&packed);
    return xt_error_trace(r);
}

static void get_hash(xt_reader *reader, xt_hash128 *ret)
{
    xt_slice bytes = xt_reader_bytes(reader, sizeof ret->b);
    if (bytes.n == sizeof ret->b)
        memcpy(ret->b, bytes.p, sizeof ret->b);
}

static int corrupt(xt_problem *reterr_problem, uint64_t number, const char *why)
{
    xt_problem_set(reterr_problem, "batch %llu: %s", (unsigned long long)number, why);
    return XT_BATCH_E_CORRUPT;
}

int xt_batch_decode(xt_slice payload, xt_batch *ret, xt_problem *reterr_problem)
{
    xt_reader reader = xt_reader_of(payload);
    xt_batch batch = {0};
    if (xt_reader_u8(&reader) != BATCH_VERSION)
        return corrupt(reterr_problem, 0, "its version is not known here");
    get_hash(&reader, &batch.stream);
    batch.number = xt_reader_varint(&reader);
    batch.n_events = xt_reader_varint(&reader);
    get_hash(&reader, &batch.chain);
    batch.codec = xt_reader_varint(&reader);
    batch.raw_bytes = xt_reader_varint(&reader);
    batch.data = xt_reader_block(&reader);
    if (reader.failed)
        return corrupt(reterr_problem, batch.number, "it ends too early");
    if (batch.number == 0 || batch.raw_bytes > XT_BATCH_MAX_RAW_BYTES)
        return corrupt(reterr_problem, batch.number, "its number or size is impossible");
    if (batch.n_events > batch.raw_bytes)
        return corrupt(reterr_problem, batch.number, "it claims more events than bytes");
    if (batch.codec == XT_CODEC_PLAIN && batch.raw_bytes != batch.data.n)
        return corrupt(reterr_problem, batch.number, "it claims another size than it has");
    *ret = batch;
    return 0;
}

static int check_events(xt_slice events, const xt_batch *batch, xt_problem *reterr_problem)
{
    uint64_t n = 0;
    xt_slice event;
    while (xt_event_batch_next(&events, &event))
        n++;
    if (events.n != 0)
        return corrupt(reterr_problem, batch->number, "its events are cut off");
    return n == batch->n_events
               ? 0
               : corrupt(reterr_problem, batch->number, "it holds another number of events than it claims");
}

int xt_batch_events(const xt_batch *batch, xt_buf *out, xt_problem *reterr_problem)
{
    size_t before = out->n;
    uint64_t claimed = 0;
    if (!xt_codec_is_known(batch->codec)) {
        xt_problem_set(reterr_problem, "batch %llu was compressed with the dictionary %llu, which is not here",
                       (unsigned long long)batch->number, (unsigned long long)batch->codec);
        return XT_BATCH_E_DICTIONARY;
    }
    if (xt_codec_raw_bytes(batch->codec, batch->data, &claimed) != 0 || claimed != batch->raw_bytes)
        return corrupt(reterr_problem, batch->number, "its compressed data disagrees with its size");
    int r = xt_codec_unpack(batch->codec, batch->data, batch->raw_bytes, out);
    if (r > 0)
        r = corrupt(reterr_problem, batch->number, "its compressed data is damaged");
    if (r == 0)
        r = check_events(xt_slice_skip(xt_buf_slice(out), before), batch, reterr_problem);
    if (r != 0 && !out->failed)
        out->n = before;
    return r;
}

xt_hash128 xt_batch_hash(xt_slice payload)
{
    return xt_slice_hash128(payload);
}

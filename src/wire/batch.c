/*
 * How it works: a batch is compressed with zstd when that makes it smaller, else kept plain. The claim of raw bytes is
 * checked against the limit before anything is allocated, against zstd's own frame header before anything is
 * decompressed, and against the events inside afterwards: three places where a hostile count ends.
 */
#include "wire/batch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <zstd.h>

#include "event/event.h"

#define BATCH_VERSION 1
#define ZSTD_LEVEL    3
#define CODEC_PLAIN   0
#define CODEC_ZSTD    1

/* One context a thread, kept until the thread ends: making one costs more than a small batch. */
static pthread_once_t compressor_once = PTHREAD_ONCE_INIT;
static pthread_key_t compressor_key;

static void compressor_free(void *context)
{
    ZSTD_freeCCtx(context);
}

static void compressor_begin(void)
{
    if (pthread_key_create(&compressor_key, compressor_free))
        abort(); /* a process has a thousand keys; we take one */
}

static ZSTD_CCtx *compressor_get(void)
{
    pthread_once(&compressor_once, compressor_begin);
    ZSTD_CCtx *context = pthread_getspecific(compressor_key);
    if (context)
        return context;
    context = ZSTD_createCCtx();
    if (context && pthread_setspecific(compressor_key, context)) {
        ZSTD_freeCCtx(context);
        return NULL;
    }
    return context;
}

static int compress(xt_slice events, xt_buf *out)
{
    ZSTD_CCtx *compressor = compressor_get();
    char *room = compressor ? xt_buf_reserve(out, ZSTD_compressBound(events.n)) : NULL;
    if (!room)
        return xt_error_origin(-ENOMEM);
    size_t n = ZSTD_compressCCtx(compressor, room, ZSTD_compressBound(events.n), events.p, events.n, ZSTD_LEVEL);
    if (ZSTD_isError(n))
        return xt_error_origin(-ENOMEM);
    out->n += n;
    return 0;
}

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

int xt_batch_pack(xt_slice events, xt_buf *out, uint64_t *ret_codec)
{
    size_t before = out->n;
    int r = compress(events, out);
    if (r < 0)
        return xt_error_trace(r);
    bool smaller = out->n - before < events.n;
    if (!smaller) {
        out->n = before;
        xt_buf_put(out, events);
    }
    *ret_codec = smaller ? CODEC_ZSTD : CODEC_PLAIN;
    return xt_buf_done(out);
}

int xt_batch_encode(xt_hash128 stream, uint64_t number, uint64_t n_events, xt_hash128 chain, xt_slice events,
                    xt_buf *out)
{
    xt_buf packed = XT_BUF_INIT;
    xt_batch batch = {.stream = stream, .number = number, .n_events = n_events, .chain = chain, .raw_bytes = events.n};
    int r = xt_batch_pack(events, &packed, &batch.codec);
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
    if (batch.codec == CODEC_PLAIN && batch.raw_bytes != batch.data.n)
        return corrupt(reterr_problem, batch.number, "it claims another size than it has");
    *ret = batch;
    return 0;
}

static int unpack(const xt_batch *batch, xt_buf *out, xt_problem *reterr_problem)
{
    if (ZSTD_getFrameContentSize(batch->data.p, batch->data.n) != batch->raw_bytes)
        return corrupt(reterr_problem, batch->number, "its compressed data disagrees with its size");
    char *room = xt_buf_reserve(out, batch->raw_bytes);
    if (!room)
        return xt_error_origin(-ENOMEM);
    size_t n = ZSTD_decompress(room, batch->raw_bytes, batch->data.p, batch->data.n);
    if (ZSTD_isError(n) || n != batch->raw_bytes)
        return corrupt(reterr_problem, batch->number, "its compressed data is damaged");
    out->n += n;
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
    int r = 0;
    if (batch->codec == CODEC_PLAIN) {
        xt_buf_put(out, batch->data);
        r = xt_buf_done(out);
    } else if (batch->codec == CODEC_ZSTD) {
        r = unpack(batch, out, reterr_problem);
    } else {
        xt_problem_set(reterr_problem, "batch %llu was compressed with the dictionary %llu, which is not here",
                       (unsigned long long)batch->number, (unsigned long long)batch->codec);
        return XT_BATCH_E_DICTIONARY;
    }
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

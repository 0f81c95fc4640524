/*
 * A dictionary is stored packed and is unpacked when it is first asked for; the two forms that zstd makes of it are shared by
 * all threads. The level is chosen by measurements (docs/decisions/032-few-bytes-on-the-wire.md). A claim of raw bytes is held against
 * the caller's limit before anything is allocated, against zstd's own header before anything is unpacked, and against
 * what came out afterwards.
 */
#include "event/batch_codec.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <zstd.h>

#include "event/batch_slim.h"

#define ZSTD_LEVEL       3
#define DICTIONARY_LEVEL 3
#define KEPT_BYTES       ((size_t)1 << 20) /* that a thread keeps between two batches */
#define DICTIONARY_BYTES ((size_t)1 << 20) /* no dictionary is larger */

/* ------------------------------------------------------------------------------------------------ dictionaries */

extern const char xt_dictionary_1[];
extern const size_t xt_dictionary_1_bytes;

typedef struct dictionary {
    uint64_t id;
    const char *packed;
    const size_t *n_packed;
    xt_buf bytes;
    ZSTD_CDict *packing;
    ZSTD_DDict *unpacking;
} dictionary;

/* A row is never removed; the last one is the newest. */
static dictionary dictionaries[] = {
    {.id = 32769, .packed = xt_dictionary_1, .n_packed = &xt_dictionary_1_bytes},
};
static pthread_once_t dictionaries_once = PTHREAD_ONCE_INIT;

static void open_one(dictionary *d)
{
    unsigned long long n = ZSTD_getFrameContentSize(d->packed, *d->n_packed);
    char *to = n <= DICTIONARY_BYTES ? xt_buf_reserve(&d->bytes, n) : NULL;
    if (!to || ZSTD_decompress(to, n, d->packed, *d->n_packed) != n || ZSTD_getDictID_fromDict(to, n) != d->id)
        abort(); /* not the program that was built */
    d->bytes.n = n;
    d->packing = ZSTD_createCDict(to, n, DICTIONARY_LEVEL);
    d->unpacking = ZSTD_createDDict(to, n);
}

static void open_all(void)
{
    for (size_t i = 0; i < XT_COUNT_OF(dictionaries); i++)
        open_one(&dictionaries[i]);
}

static const dictionary *find(uint64_t id)
{
    pthread_once(&dictionaries_once, open_all);
    for (size_t i = 0; i < XT_COUNT_OF(dictionaries); i++)
        if (dictionaries[i].id == id)
            return &dictionaries[i];
    return NULL;
}

uint64_t xt_codec_newest(void)
{
    return dictionaries[XT_COUNT_OF(dictionaries) - 1].id;
}

bool xt_codec_is_known(uint64_t codec)
{
    return codec <= XT_CODEC_ZSTD || find(codec);
}

xt_slice xt_codec_dictionary(size_t n, uint64_t *ret_id)
{
    if (n >= XT_COUNT_OF(dictionaries))
        return XT_S_NULL;
    *ret_id = dictionaries[n].id;
    return xt_buf_slice(&find(dictionaries[n].id)->bytes);
}

/* ------------------------------------------------------------------------------------------------ contexts */

typedef struct contexts {
    ZSTD_CCtx *packing;
    ZSTD_DCtx *unpacking;
    xt_buf slim;
} contexts;

static pthread_once_t contexts_once = PTHREAD_ONCE_INIT;
static pthread_key_t contexts_key;

static void contexts_free(void *context)
{
    contexts *c = context;
    ZSTD_freeCCtx(c->packing);
    ZSTD_freeDCtx(c->unpacking);
    xt_buf_fini(&c->slim);
    free(c);
}

static void contexts_begin(void)
{
    if (pthread_key_create(&contexts_key, contexts_free))
        abort(); /* a process has a thousand keys; we take one */
}

/* The thread's own, kept until it ends: making them costs more than a small batch. NULL: no memory. */
static contexts *contexts_get(void)
{
    pthread_once(&contexts_once, contexts_begin);
    contexts *c = pthread_getspecific(contexts_key);
    if (c)
        return c;
    c = calloc(1, sizeof *c);
    if (c && pthread_setspecific(contexts_key, c)) {
        free(c);
        return NULL;
    }
    return c;
}

/* ------------------------------------------------------------------------------------------------ packing */

static int pack_frame(contexts *c, xt_slice bytes, const dictionary *d, xt_buf *out)
{
    if (!c->packing)
        c->packing = ZSTD_createCCtx();
    size_t bound = ZSTD_compressBound(bytes.n), n;
    char *room = c->packing ? xt_buf_reserve(out, bound) : NULL;
    if (!room)
        return xt_error_origin(-ENOMEM);
    ZSTD_CCtx_reset(c->packing, ZSTD_reset_session_and_parameters);
    if (d) {
        ZSTD_CCtx_setParameter(c->packing, ZSTD_c_dictIDFlag, 0);
        n = ZSTD_CCtx_refCDict(c->packing, d->packing);
    } else {
        n = ZSTD_CCtx_setParameter(c->packing, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    }
    if (!ZSTD_isError(n))
        n = ZSTD_compress2(c->packing, room, bound, bytes.p, bytes.n);
    if (ZSTD_isError(n))
        return xt_error_origin(-ENOMEM);
    out->n += n;
    return 0;
}

/* XT_SLIM_E_NOT: not with a dictionary. */
static int pack_slim(contexts *c, xt_slice events, const dictionary *d, xt_buf *out)
{
    xt_buf_reset(&c->slim);
    int r = xt_batch_slim(events, &c->slim);
    if (r != 0)
        return r;
    xt_buf_put_varint(out, events.n);
    return xt_error_trace(pack_frame(c, xt_buf_slice(&c->slim), d, out));
}

int xt_codec_pack(xt_slice events, uint64_t codec, xt_buf *out, uint64_t *ret_codec)
{
    size_t before = out->n;
    const dictionary *d = codec > XT_CODEC_ZSTD ? find(codec) : NULL;
    contexts *c = contexts_get();
    int r = !c ? xt_error_origin(-ENOMEM) : d ? pack_slim(c, events, d, out) : XT_SLIM_E_NOT;
    if (r == XT_SLIM_E_NOT) {
        d = NULL;
        out->n = before;
        r = codec == XT_CODEC_PLAIN ? 0 : pack_frame(c, events, NULL, out);
    }
    if (r < 0)
        return xt_error_trace(r);
    bool smaller = out->n > before && out->n - before < events.n;
    if (!smaller) {
        out->n = before;
        xt_buf_put(out, events);
    }
    *ret_codec = !smaller ? XT_CODEC_PLAIN : d ? d->id : XT_CODEC_ZSTD;
    return xt_buf_done(out);
}

/* ------------------------------------------------------------------------------------------------ unpacking */

int xt_codec_raw_bytes(uint64_t codec, xt_slice packed, uint64_t *ret)
{
    xt_reader reader = xt_reader_of(packed);
    uint64_t n = packed.n;
    if (codec == XT_CODEC_ZSTD)
        n = ZSTD_getFrameContentSize(packed.p, packed.n);
    else if (codec != XT_CODEC_PLAIN)
        n = xt_reader_varint(&reader);
    if (reader.failed || n == ZSTD_CONTENTSIZE_ERROR || n == ZSTD_CONTENTSIZE_UNKNOWN)
        return XT_CODEC_E_CORRUPT;
    *ret = n;
    return 0;
}

static int unpack_frame(contexts *c, xt_slice packed, const dictionary *d, size_t max_bytes, xt_buf *out)
{
    unsigned long long n = ZSTD_getFrameContentSize(packed.p, packed.n);
    if (n > max_bytes) /* an error is a great number too */
        return XT_CODEC_E_CORRUPT;
    if (!c->unpacking)
        c->unpacking = ZSTD_createDCtx();
    char *room = c->unpacking ? xt_buf_reserve(out, n + 1) : NULL;
    if (!room)
        return xt_error_origin(-ENOMEM);
    size_t got = d ? ZSTD_decompress_usingDDict(c->unpacking, room, n, packed.p, packed.n, d->unpacking)
                   : ZSTD_decompressDCtx(c->unpacking, room, n, packed.p, packed.n);
    if (ZSTD_isError(got) || got != n)
        return XT_CODEC_E_CORRUPT;
    out->n += got;
    return 0;
}

static int unpack_slim(contexts *c, xt_slice packed, const dictionary *d, size_t max_bytes, xt_buf *out)
{
    xt_reader reader = xt_reader_of(packed);
    uint64_t raw_bytes = xt_reader_varint(&reader);
    if (reader.failed || raw_bytes > max_bytes)
        return XT_CODEC_E_CORRUPT;
    xt_buf_reset(&c->slim);
    int r = unpack_frame(c, xt_slice_of(reader.p, xt_reader_left(&reader)), d, max_bytes, &c->slim);
    if (r == 0)
        r = xt_batch_expand(xt_buf_slice(&c->slim), raw_bytes, out);
    if (c->slim.cap > KEPT_BYTES)
        xt_buf_fini(&c->slim);
    return r > 0 ? XT_CODEC_E_CORRUPT : r;
}

int xt_codec_unpack(uint64_t codec, xt_slice packed, size_t max_bytes, xt_buf *out)
{
    size_t before = out->n;
    const dictionary *d = codec > XT_CODEC_ZSTD ? find(codec) : NULL;
    contexts *c = contexts_get();
    int r;
    if (!c)
        return xt_error_origin(-ENOMEM);
    if (codec > XT_CODEC_ZSTD && !d)
        return XT_CODEC_E_UNKNOWN;
    if (d) {
        r = unpack_slim(c, packed, d, max_bytes, out);
    } else if (codec == XT_CODEC_ZSTD) {
        r = unpack_frame(c, packed, NULL, max_bytes, out);
    } else {
        xt_buf_put(out, xt_slice_head(packed, max_bytes));
        r = packed.n > max_bytes ? XT_CODEC_E_CORRUPT : xt_buf_done(out);
    }
    if (r != 0 && !out->failed)
        out->n = before;
    return r < 0 ? xt_error_trace(r) : r;
}

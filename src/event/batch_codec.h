/*
 * event/batch_codec - canonical batches packed, as they go over the wire and stand in the spool and in pending.db
 *
 * Shape:     a codec is a number: XT_CODEC_PLAIN the batch as it is, XT_CODEC_ZSTD a zstd frame of it, any other the id of
 *            a dictionary: varint raw bytes, then a zstd frame, without the id, of the slimmed batch (event/batch_slim.h).
 *            Each dictionary that a released agent ever used stays in the table, for what was stored with it.
 * Errors:    XT_CODEC_E_CORRUPT, XT_CODEC_E_UNKNOWN: there is no such dictionary here.
 * Limits:    raw_bytes is believed up to the caller's limit; nothing is allocated before it was looked at.
 * Threads:   any. Dictionaries are unpacked once; a thread keeps a context for each direction until it ends.
 */
#pragma once
#include "base/buf.h"

#define XT_CODEC_PLAIN 0
#define XT_CODEC_ZSTD  1

enum {
    XT_CODEC_E_CORRUPT = 1,
    XT_CODEC_E_UNKNOWN = 2,
};

/* The dictionary that agents of this version use. */
uint64_t xt_codec_newest(void);
bool xt_codec_is_known(uint64_t codec);
/* The n-th dictionary of the table, from 0; empty past the last. */
xt_slice xt_codec_dictionary(size_t n, uint64_t *ret_id);

/* Appends the batch packed with that codec, or with a lesser one where that is smaller; *ret_codec says which. */
XT_MUST_USE int xt_codec_pack(xt_slice events, uint64_t codec, xt_buf *out, uint64_t *ret_codec);
/* How long the batch is, as the packed bytes claim; nothing else is looked at. */
XT_MUST_USE int xt_codec_raw_bytes(uint64_t codec, xt_slice packed, uint64_t *ret);
/* Appends the batch. max_bytes: a longer one is corrupt. */
XT_MUST_USE int xt_codec_unpack(uint64_t codec, xt_slice packed, size_t max_bytes, xt_buf *out);

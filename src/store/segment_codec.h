/*
 * store/segment_codec - a column chunk's raw bytes from its values, and back
 *
 * Errors:    decoding is of foreign bytes: false when they do not hold together.
 * Limits:    at most XT_STORE_GROUP_ROWS values a chunk.
 * Format:    docs/segment-format.md, "Encodings"
 */
#pragma once
#include "base/buf.h"

/* Frame of reference, with the base that needs the narrower width of the signed and the unsigned least value. */
void xt_segment_put_for(xt_buf *out, const uint64_t *values, uint32_t n);
/* Differences, under a frame of reference of their own. scratch: n values. */
void xt_segment_put_delta(xt_buf *out, const uint64_t *values, uint32_t n, uint64_t *scratch);
/*
 * Codes (0 absent, else 1 to n_values) in order of first appearance: which code each new one is, then distances from the
 * newest. Every code occurs. scratch: the greater of n and n_values; order: n_values + 1.
 */
void xt_segment_put_recent(xt_buf *out, const uint32_t *codes, uint32_t n, uint32_t n_values, uint64_t *scratch,
                           uint32_t *order);
/* Codes below 65,536 as they are. */
void xt_segment_put_words(xt_buf *out, const uint32_t *codes, uint32_t n);
void xt_segment_put_dict(xt_buf *out, const xt_slice *dict, uint32_t n, uint64_t *scratch);

/* Takes one frame of reference of n values off the reader. */
XT_MUST_USE bool xt_segment_next_for(xt_reader *reader, uint64_t *values, uint32_t n);
/* Exactly n values are read and nothing may be left. */
XT_MUST_USE bool xt_segment_get_for(xt_slice raw, uint64_t *values, uint32_t n);
XT_MUST_USE bool xt_segment_get_delta(xt_slice raw, uint64_t *values, uint32_t n);
/* Codes of any encoding that codes may have; each is checked against n_values. scratch: n_values + 1. */
XT_MUST_USE bool xt_segment_get_codes(uint8_t encoding, xt_slice raw, uint32_t *codes, uint32_t n, uint32_t n_values,
                                      uint64_t *scratch);
/*
 * The same of a few places alone, ascending and below n (codes: not checked against n_values): of for and delta 64 bits.
 * RECENT cannot be read so: false.
 */
XT_MUST_USE bool xt_segment_pick_for(xt_slice raw, uint32_t n, const uint32_t *places, size_t n_places, uint64_t *ret);
XT_MUST_USE bool xt_segment_pick_delta(xt_slice raw, uint32_t n, const uint32_t *places, size_t n_places,
                                       uint64_t *ret);
XT_MUST_USE bool xt_segment_pick_words(xt_slice raw, uint32_t n, const uint32_t *places, size_t n_places,
                                       uint64_t *ret);
/* Entries point into raw. */
XT_MUST_USE bool xt_segment_get_dict(xt_slice raw, xt_slice *dict, uint32_t n);

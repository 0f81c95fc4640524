/*
 * store/segment_directory - what a segment says of itself: its row groups, and where each chunk stands
 *
 * Shape:     fields in the order of the file; of each its dictionary's chunks, then a place for every row group. Chunks
 *            stand one behind the other in this order (dictionary, filters, then a and b of each group), so that the
 *            file holds no offsets: they follow from the sizes.
 * Errors:    decoding is of foreign bytes: XT_SEGMENT_E_DAMAGED with a problem, or -ENOMEM.
 * Limits:    XT_SEGMENT_MAX_GROUPS, XT_SEGMENT_MAX_FIELDS.
 * Format:    docs/segment-format.md, "Directory"
 */
#pragma once
#include "base/arena.h"
#include "store/segment_format.h"
#include "store/store.h"

typedef struct xt_segment_chunk {
    uint64_t checksum;                /* XXH3-64 of the stored bytes */
    uint32_t stored_bytes, raw_bytes; /* 0 and 0: there is none */
    uint8_t encoding, codec;
} xt_segment_chunk;

/* A column of a row group. */
typedef struct xt_segment_place {
    uint64_t offset; /* of a; b follows it */
    uint64_t low;    /* NUMBERS: least value; CODES: number of values */
    uint64_t high;   /* NUMBERS: greatest value; CODES: the code when there is one value */
    xt_segment_chunk a, b;
    uint8_t encoding;
    uint8_t source; /* SAME: field */
} xt_segment_place;

typedef struct xt_segment_dict_chunk {
    uint64_t offset;
    xt_segment_chunk chunk;
    uint32_t first, n;                /* its entries */
    uint32_t filter_at, filter_bytes; /* within the chunk of filters */
} xt_segment_dict_chunk;

typedef struct xt_segment_field {
    uint16_t id;
    uint8_t kind;
    uint32_t n_dict, n_dict_chunks;
    xt_dict dict; /* the same, for readers */
    xt_segment_dict_chunk *dict_chunks;
    uint64_t filter_offset;
    xt_segment_chunk filter; /* stored_bytes 0: none */
    xt_segment_place *places;
} xt_segment_field;

typedef struct xt_segment_rows {
    int64_t min_ms, max_ms;
    uint32_t n_rows;
} xt_segment_rows;

typedef struct xt_segment_directory {
    xt_segment_head head;
    xt_segment_rows *groups;
    xt_segment_field *fields;
    uint8_t index[XT_F_END]; /* by field id: place in fields + 1; 0: no row has it */
} xt_segment_directory;

/* Appends the raw bytes. scratch: the greatest of groups and dictionary chunks, u64 each. */
void xt_segment_directory_encode(const xt_segment_directory *directory, xt_buf *out, uint64_t *scratch);
/* Arrays come from the arena. data_end: where the directory begins in the file. False: it does not hold together. */
XT_MUST_USE int xt_segment_directory_decode(xt_slice raw, uint64_t data_end, xt_arena *arena, xt_segment_directory *ret,
                                            bool *ret_sound);

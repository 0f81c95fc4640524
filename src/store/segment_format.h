/*
 * store/segment_format - the bytes of a segment file as structs
 *
 * Format:    little endian, packed, described in docs/segment-format.md:
 *            header, chunks of row group 0, of row group 1, ..., footer (head, groups, columns), trailer.
 */
#pragma once
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "segments are read and written as structs: a big-endian machine needs conversions here"
#endif

#define XT_SEGMENT_MAGIC         "xtsegm\r\n"
#define XT_SEGMENT_END_MAGIC     "xtend.\r\n"
#define XT_SEGMENT_VERSION       1
#define XT_SEGMENT_MAX_CHUNK_RAW (UINT32_C(128) << 20) /* bytes of a chunk, unpacked */
#define XT_SEGMENT_MAX_GROUPS    65536u

enum {
    XT_SEGMENT_NUMBERS = 1, /* chunk a: values of the rows that have one; chunk b: bitmap of those, empty: all */
    XT_SEGMENT_CODES = 2,   /* chunk a: a code a row; chunk b: the dictionary */
};

enum {
    XT_SEGMENT_FOR = 1,    /* base u64, width u8, planes: v = base + x */
    XT_SEGMENT_DELTA = 2,  /* first u64, base u64, width u8, planes of n - 1: v = before + base + x */
    XT_SEGMENT_RECENT = 3, /* as FOR, of codes: 0 absent, 1 the next new one, k + 1 the k-th newest */
    XT_SEGMENT_BITMAP = 4, /* bit i of byte i / 8: row i has a value */
    XT_SEGMENT_DICT = 5,   /* lengths as FOR, then the bytes of all entries */
};

enum {
    XT_SEGMENT_STORED = 0,
    XT_SEGMENT_ZSTD = 1,
};

typedef struct __attribute__((packed)) xt_segment_header {
    char magic[8];
    uint16_t version;
    uint16_t reserved;
    uint32_t compatible;   /* flags that a reader may not know */
    uint32_t incompatible; /* flags that a reader must know */
    uint32_t reserved2;
    uint64_t id;
    uint64_t checksum; /* XXH3-64 of the bytes before */
} xt_segment_header;
_Static_assert(sizeof(xt_segment_header) == 40, "header");

typedef struct __attribute__((packed)) xt_segment_footer {
    uint64_t id;
    int64_t made_ms;
    uint64_t n_rows;
    uint64_t first_arrival, last_arrival;
    int64_t min_ms, max_ms;
    uint32_t n_groups, n_columns; /* columns of all groups */
} xt_segment_footer;
_Static_assert(sizeof(xt_segment_footer) == 64, "footer");

typedef struct __attribute__((packed)) xt_segment_footer_group {
    uint64_t first_arrival;
    int64_t min_ms, max_ms;
    uint32_t n_rows, n_columns;
} xt_segment_footer_group;
_Static_assert(sizeof(xt_segment_footer_group) == 32, "group");

typedef struct __attribute__((packed)) xt_segment_chunk {
    uint64_t offset;
    uint32_t stored_bytes, raw_bytes;
    uint8_t encoding, codec;
    uint16_t reserved;
    uint32_t reserved2;
    uint64_t checksum; /* XXH3-64 of the stored bytes */
} xt_segment_chunk;
_Static_assert(sizeof(xt_segment_chunk) == 32, "chunk");

typedef struct __attribute__((packed)) xt_segment_column {
    uint16_t field;
    uint8_t kind;
    uint8_t reserved;
    uint32_t n_dict;
    uint64_t min, max; /* NUMBERS */
    xt_segment_chunk a, b;
} xt_segment_column;
_Static_assert(sizeof(xt_segment_column) == 88, "column");

typedef struct __attribute__((packed)) xt_segment_trailer {
    uint64_t footer_offset;
    uint32_t footer_bytes;
    uint32_t reserved;
    uint8_t footer_hash[16]; /* XXH3-128, canonical (big endian) */
    char magic[8];
} xt_segment_trailer;
_Static_assert(sizeof(xt_segment_trailer) == 40, "trailer");

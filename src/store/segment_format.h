/*
 * store/segment_format - the bytes of a segment file: fixed structs and numbers
 *
 * Format:    little endian, packed, described in docs/segment-format.md: header, chunks field by field, directory, trailer.
 */
#pragma once
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "segments are read and written as structs: a big-endian machine needs conversions here"
#endif

#define XT_SEGMENT_MAGIC         "xtsegm\r\n"
#define XT_SEGMENT_END_MAGIC     "xtend.\r\n"
#define XT_SEGMENT_VERSION       2
#define XT_SEGMENT_MAX_CHUNK_RAW (UINT32_C(128) << 20) /* bytes of a chunk, unpacked */
#define XT_SEGMENT_MAX_GROUPS    4096u
#define XT_SEGMENT_MAX_FIELDS    128u
#define XT_SEGMENT_ARRIVAL       0 /* the field that holds arrival numbers */

enum {
    XT_SEGMENT_NUMBERS = 1,
    XT_SEGMENT_CODES = 2,
};

/* How a column of a row group is stored. */
enum {
    XT_SEGMENT_ABSENT = 0, /* no row has it */
    XT_SEGMENT_CONST = 1,  /* all rows have one value: no chunk */
    XT_SEGMENT_SAME = 2,   /* NUMBERS: as the column `source` of this group: no chunk */
    XT_SEGMENT_PLAIN = 3,  /* NUMBERS: chunk a presence, chunk b values; CODES: chunk a the values, chunk b codes */
};

enum {
    XT_SEGMENT_FOR = 1,    /* base u64, width u8, planes: v = base + x */
    XT_SEGMENT_DELTA = 2,  /* first u64, base u64, width u8, planes of n - 1: v = before + base + x */
    XT_SEGMENT_RECENT = 3, /* codes in order of first appearance, and which code each of those is */
    XT_SEGMENT_BITMAP = 4, /* bit i of byte i / 8: row i has a value */
    XT_SEGMENT_DICT = 5,   /* dictionary chunk: lengths as FOR, then the bytes of all entries */
    XT_SEGMENT_TEXT = 6,   /* dictionary chunk: entries in stored form, each with its end */
    XT_SEGMENT_WORDS = 7,  /* codes as u16 */
    XT_SEGMENT_FILTER = 8, /* the 3-gram filters of a dictionary's chunks */
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

typedef struct __attribute__((packed)) xt_segment_head {
    uint64_t id;
    int64_t made_ms;
    uint64_t n_rows;
    uint64_t first_arrival, last_arrival;
    int64_t min_ms, max_ms;
    uint32_t n_groups, n_fields;
    uint32_t level;
    uint32_t reserved;
} xt_segment_head;
_Static_assert(sizeof(xt_segment_head) == 72, "head");

typedef struct __attribute__((packed)) xt_segment_trailer {
    uint64_t directory_offset;
    uint32_t stored_bytes, raw_bytes; /* of the directory: one zstd frame */
    uint8_t hash[16];                 /* XXH3-128 of the stored bytes, canonical (big endian) */
    char magic[8];
} xt_segment_trailer;
_Static_assert(sizeof(xt_segment_trailer) == 40, "trailer");

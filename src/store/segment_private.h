/*
 * store/segment_private - the inside of a segment and of its readers, for the files that read segments
 */
#pragma once
#include <zstd.h>

#include "store/segment.h"
#include "store/segment_directory.h"

struct xt_segment {
    _Atomic(uint32_t) n_refs;
    uint64_t serial; /* no other segment that this process opens has it */
    const xt_vfs *vfs;
    char *path;
    char name[24]; /* ID.xts, whatever the file is called while it is made */
    int fd;
    xt_segment_info info;
    xt_arena arena; /* the directory's */
    xt_segment_directory directory;
};

struct xt_segment_reader {
    ZSTD_DCtx *zstd;
    xt_buf stored, raw;
    uint64_t *scratch; /* XT_STORE_GROUP_ROWS + 1 */
    uint64_t n_bytes, n_chunks, n_dict_chunks;
    uint64_t filter_of; /* serial of the segment whose filters of a field are in `filter`; 0: none */
    unsigned filter_field;
    xt_buf filter;
    uint64_t dict_of; /* serial of the segment of which a dictionary's chunk is in `dict`; 0: none */
    const xt_segment_dict_chunk *dict_chunk;
    xt_buf dict;
};

/* NULL: no row has it. */
const xt_segment_field *xt_segment_field_find(const xt_segment *segment, unsigned field);
/* Reads and unpacks a chunk to the reader's own room, valid until the next. */
XT_MUST_USE int xt_segment_chunk_read(xt_segment_reader *reader, const xt_segment *segment,
                                      const xt_segment_chunk *chunk, uint64_t offset, xt_slice *ret,
                                      xt_problem *reterr_problem);
/* The bitmap of a column and how many of its rows have a value; *ret NULL: all have. */
XT_MUST_USE int xt_segment_presence_read(xt_segment_reader *reader, const xt_segment *segment,
                                         const xt_segment_place *place, uint32_t n_rows, xt_arena *arena,
                                         const uint8_t **ret, uint32_t *ret_n, xt_problem *reterr_problem);
/* How many of the first n are set. */
uint32_t xt_segment_bits_count(const uint8_t *bits, uint32_t n);
/* XT_SEGMENT_E_DAMAGED. */
int xt_segment_undecodable(const xt_segment *segment, uint64_t offset, xt_problem *reterr_problem);

/*
 * store/segment - one sealed file: written once from views of open blocks, then read column by column
 *
 * Shape:     row groups (one a view) of columns; a column is a dictionary and codes, or numbers and their presence.
 * Errors:    writing: <0 errno, nothing of the file is left but perhaps its temporary name. Reading: <0 errno that is
 *            not the file's fault (memory), XT_SEGMENT_E_DAMAGED and XT_SEGMENT_E_NEWER with a problem.
 * Ownership: counted. What is read lives in the caller's arena.
 * Threads:   immutable after open; may be read by many threads. No descriptor is kept.
 * Format:    docs/segment-format.md
 */
#pragma once
#include "store/open_block.h"

enum {
    XT_SEGMENT_E_DAMAGED = 1,
    XT_SEGMENT_E_NEWER = 2,
};

typedef struct xt_segment xt_segment;

typedef struct xt_segment_info {
    uint64_t id, n_rows, first_arrival, last_arrival, bytes;
    int64_t min_ms, max_ms, made_ms;
    xt_hash128 hash; /* of the footer's bytes */
    uint32_t n_groups;
} xt_segment_info;

typedef struct xt_segment_group {
    uint32_t n_rows;
    uint64_t first_arrival;
    int64_t min_ms, max_ms;
} xt_segment_group;

/* Writes the file at path, a row group for each view, and syncs it; path is made anew. Views ascend in arrival. */
XT_MUST_USE int xt_segment_write(const xt_vfs *vfs, const char *path, uint64_t id, int64_t made_ms,
                                 xt_open_view *const *views, size_t n, xt_segment_info *ret,
                                 xt_problem *reterr_problem);

/* Reads the header and the footer. */
XT_MUST_USE int xt_segment_open(const xt_vfs *vfs, const char *path, xt_segment **ret, xt_problem *reterr_problem);
xt_segment *xt_segment_ref(xt_segment *segment);
xt_segment *xt_segment_unref(xt_segment *segment); /* accepts NULL, returns NULL */
const xt_segment_info *xt_segment_info_get(const xt_segment *segment);
const char *xt_segment_name(const xt_segment *segment); /* without the folder */
xt_segment_group xt_segment_group_get(const xt_segment *segment, uint32_t group);
/* Least and greatest number of a column in a row group; false: no such number column there. */
bool xt_segment_range(const xt_segment *segment, uint32_t group, xt_field field, uint64_t *ret_min, uint64_t *ret_max);

/* Where one thread reads segments: the open file and what decompressing needs. */
typedef struct xt_segment_reader xt_segment_reader;
XT_MUST_USE xt_segment_reader *xt_segment_reader_new(const xt_vfs *vfs);
xt_segment_reader *xt_segment_reader_free(xt_segment_reader *reader); /* accepts NULL, returns NULL */
/* The column of a row group, its arrays in the arena; kind ABSENT when no row has it. */
XT_MUST_USE int xt_segment_read(xt_segment_reader *reader, const xt_segment *segment, uint32_t group, xt_field field,
                                xt_arena *arena, xt_open_column *ret, xt_problem *reterr_problem);
/* For fuzzing: checksums are computed and not compared, so that what stands behind them is reached. */
void xt_segment_ignore_checksums(bool ignore);

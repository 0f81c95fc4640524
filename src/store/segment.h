/*
 * store/segment - one sealed file, read column by column
 *
 * Shape:     row groups of columns; a column is numbers and their presence, or codes into a dictionary that all row
 *            groups share. Rows stand in the order of (host id, time, serial), not of arrival.
 * Errors:    <0 errno that is not the file's fault (memory), XT_SEGMENT_E_DAMAGED and XT_SEGMENT_E_VERSION with a problem.
 * Ownership: counted; the file is held open, so that it may be unlinked while it is read. What is read lives in the
 *            caller's arena.
 * Threads:   immutable after open; may be read by many threads, each with a reader of its own.
 * Format:    docs/segment-format.md
 */
#pragma once
#include "store/open_block.h"

enum {
    XT_SEGMENT_E_DAMAGED = 1,
    XT_SEGMENT_E_VERSION = 2, /* written by another version, which this one does not read */
};

typedef struct xt_segment xt_segment;

typedef struct xt_segment_info {
    uint64_t id, n_rows, first_arrival, last_arrival, bytes;
    int64_t min_ms, max_ms, made_ms;
    xt_hash128 hash; /* of the directory's bytes, which hold the checksum of every chunk */
    uint32_t n_groups;
    uint32_t level; /* 0: as it was sealed; above: merged so often */
} xt_segment_info;

typedef struct xt_segment_group {
    uint32_t n_rows;
    int64_t min_ms, max_ms;
} xt_segment_group;

/*
 * Writes the file at path from the views' rows, sorted, and syncs it; path is made anew. Views ascend in arrival. is_small:
 * packed smaller, at twice the cost, for what nobody waits for.
 */
XT_MUST_USE int xt_segment_write(const xt_vfs *vfs, const char *path, uint64_t id, int64_t made_ms, bool is_small,
                                 xt_open_view *const *views, size_t n, xt_segment_info *ret,
                                 xt_problem *reterr_problem);

/* Reads the header and the directory. */
XT_MUST_USE int xt_segment_open(const xt_vfs *vfs, const char *path, xt_segment **ret, xt_problem *reterr_problem);
xt_segment *xt_segment_ref(xt_segment *segment);
xt_segment *xt_segment_unref(xt_segment *segment); /* accepts NULL, returns NULL */
const xt_segment_info *xt_segment_info_get(const xt_segment *segment);
const char *xt_segment_name(const xt_segment *segment); /* ID.xts */
/* Bytes of the file as they are, like pread; to be copied. */
XT_MUST_USE ssize_t xt_segment_pread(const xt_segment *segment, void *p, size_t n, uint64_t at);
xt_segment_group xt_segment_group_get(const xt_segment *segment, uint32_t group);
/* Least and greatest number of a column in a row group; false: no such number column there. */
bool xt_segment_range(const xt_segment *segment, uint32_t group, xt_field field, uint64_t *ret_min, uint64_t *ret_max);
/* The dictionary of a field, NULL when it has none: owned by the segment. */
const xt_dict *xt_segment_dict(const xt_segment *segment, xt_field field);
xt_field xt_segment_dict_field(const xt_dict *dict); /* whose it is */
/* No other segment that this process opens has it. */
uint64_t xt_segment_serial(const xt_segment *segment);
/* What is known of the whole file's shape, for who prints it. */
const struct xt_segment_directory *xt_segment_directory_get(const xt_segment *segment);

/* Where one thread reads segments: what decompressing needs. */
typedef struct xt_segment_reader xt_segment_reader;
XT_MUST_USE xt_segment_reader *xt_segment_reader_new(void);
xt_segment_reader *xt_segment_reader_free(xt_segment_reader *reader); /* accepts NULL, returns NULL */
/* Bytes and chunks read from files since it was made. */
void xt_segment_reader_cost(const xt_segment_reader *reader, uint64_t *ret_bytes, uint64_t *ret_chunks,
                            uint64_t *ret_dict_chunks);

/* The column of a row group, its arrays in the arena; kind ABSENT when no row has it. */
XT_MUST_USE int xt_segment_read(xt_segment_reader *reader, const xt_segment *segment, uint32_t group, xt_field field,
                                xt_arena *arena, xt_column *ret, xt_problem *reterr_problem);
/* The same of CODES without the rows: which values occur. */
XT_MUST_USE int xt_segment_read_values(xt_segment_reader *reader, const xt_segment *segment, uint32_t group,
                                       xt_field field, xt_arena *arena, xt_column *ret, xt_problem *reterr_problem);
/* What a few rows have in a column. */
typedef struct xt_cells {
    const uint64_t *numbers; /* by place in the list of rows; NULL: it has no numbers */
    const uint32_t *codes;   /* 0: absent, else the code in dict + 1; NULL: it has no codes */
    const bool *present;     /* of numbers; NULL: all have one */
    const xt_dict *dict;
} xt_cells;
/* Of these rows alone, ascending: what is cheaper than the column. Both NULL where no row of the group has it. */
XT_MUST_USE int xt_segment_read_cells(xt_segment_reader *reader, const xt_segment *segment, uint32_t group,
                                      xt_field field, const uint32_t *rows, size_t n, xt_arena *arena, xt_cells *ret,
                                      xt_problem *reterr_problem);
/* The arrival number of each row; *ret NULL where merging dropped them. */
XT_MUST_USE int xt_segment_read_arrivals(xt_segment_reader *reader, const xt_segment *segment, uint32_t group,
                                         xt_arena *arena, const uint64_t **ret, xt_problem *reterr_problem);
/* The entries of a chunk of the field's dictionary, as canonical values or in stored form (store/dict_form.h). */
XT_MUST_USE int xt_segment_read_dict(xt_segment_reader *reader, const xt_segment *segment, xt_field field,
                                     uint32_t chunk, bool stored, xt_arena *arena, xt_slice **ret_entries,
                                     xt_problem *reterr_problem);
/* Whether an entry of the chunk may hold the literal (in lower case): false only when none does. */
XT_MUST_USE int xt_segment_may_hold(xt_segment_reader *reader, const xt_segment *segment, xt_field field,
                                    uint32_t chunk, xt_slice literal, bool *ret, xt_problem *reterr_problem);
/*
 * The same, surely, for a literal without escapes: the chunk is read and searched, not taken apart. The next
 * xt_segment_read_dict of that chunk need not read it again.
 */
XT_MUST_USE int xt_segment_chunk_holds(xt_segment_reader *reader, const xt_segment *segment, xt_field field,
                                       uint32_t chunk, xt_slice literal, bool *ret, xt_problem *reterr_problem);
/* What rewrites segments, which may take minutes, asks now and then whether to go on. */
typedef struct xt_segment_steps {
    int (*step)(void *context, uint64_t n_values); /* n_values: read since; non-zero ends it */
    void *context;
} xt_segment_steps;

/* For fuzzing: checksums are computed and not compared, so that what stands behind them is reached. */
void xt_segment_ignore_checksums(bool ignore);

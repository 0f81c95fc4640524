/*
 * store/segment_writer - a segment file, written field by field
 *
 * Shape:     open; then for each field that any row has: begin, the entries of its dictionary in order (CODES), a column
 *            for each row group in order; then close. All row groups but the last have XT_STORE_GROUP_ROWS rows.
 * Errors:    sticky: what fails is told by close, which then leaves nothing but perhaps the file's name.
 * Ownership: nothing given is kept.
 * Threads:   one at a time.
 * Limits:    memory: a column of one row group, a chunk of the dictionary, four bytes an entry, 80 a field and row group.
 * Format:    docs/segment-format.md
 */
#pragma once
#include "base/problem.h"
#include "store/segment.h"
#include "store/segment_directory.h"

typedef struct xt_segment_writer xt_segment_writer;

typedef struct xt_segment_layout {
    uint64_t id, n_rows, first_arrival, last_arrival;
    int64_t made_ms;
    uint32_t level;  /* 0: sealed, with arrival numbers; above: merged, with filters */
    bool is_small;   /* packed smaller, at twice the cost */
    bool no_filters; /* though of a level above 0 */
} xt_segment_layout;

/* path is made anew. */
XT_MUST_USE int xt_segment_writer_open(const xt_vfs *vfs, const char *path, const xt_segment_layout *layout,
                                       xt_segment_writer **ret, xt_problem *reterr_problem);
uint32_t xt_segment_writer_group_rows(const xt_segment_writer *writer, uint32_t group);
/* Begins a field; XT_SEGMENT_ARRIVAL is one of numbers. */
void xt_segment_writer_begin(xt_segment_writer *writer, unsigned field);
/* The next entry of the dictionary: in stored form (store/dict_form.h), above the one before. */
void xt_segment_writer_entry(xt_segment_writer *writer, xt_slice stored);
/* The next row group's column; ABSENT, NUMBERS, or CODES with codes of the whole dictionary (0 absent, entry + 1). */
void xt_segment_writer_column(xt_segment_writer *writer, const xt_column *column);
/* Whether something failed, so that there is no use in going on. */
bool xt_segment_writer_failed(const xt_segment_writer *writer);
/*
 * Fields of codes may be written by several threads, each to a part of its own, and put into the whole in turn. A part
 * takes one field after the other: begin, entries, columns, take.
 */
typedef struct xt_segment_piece {
    xt_buf bytes;
    xt_segment_field field;
    int error;
} xt_segment_piece;
/* NULL: no memory. It is ended by abort. */
XT_MUST_USE xt_segment_writer *xt_segment_writer_part(const xt_segment_writer *whole);
void xt_segment_writer_take(xt_segment_writer *part, xt_segment_piece *ret);
/* The piece is gone then. */
void xt_segment_writer_put(xt_segment_writer *whole, xt_segment_piece *piece);
void xt_segment_piece_fini(xt_segment_piece *piece);

/* What is written so far is on disk: less is left to be synced by close. */
XT_MUST_USE int xt_segment_writer_sync(xt_segment_writer *writer, xt_problem *reterr_problem);
/* The arrivals that the layout did not know yet. */
void xt_segment_writer_set_arrivals(xt_segment_writer *writer, uint64_t first, uint64_t last);
/* Gives up: the file is removed. Accepts NULL, returns NULL. */
xt_segment_writer *xt_segment_writer_abort(xt_segment_writer *writer);
/* Ends the file and syncs it; frees the writer in any case. */
XT_MUST_USE int xt_segment_writer_close(xt_segment_writer *writer, xt_segment_info *ret, xt_problem *reterr_problem);

/*
 * store/segment_build - the fields of a segment from open views
 *
 * Shape:     the rows of the views, sorted, but for those that are left out; the writer that comes back has all fields and
 *            waits for its arrivals, where the layout does not know them, and for close.
 * Errors:    <0 errno with a problem, and no file.
 * Limits:    memory: 32 bytes a row, and for each of the threads the distinct values of the field under way; packed fields
 *            wait in memory for those before them.
 */
#pragma once
#include "store/segment_writer.h"

#define XT_SEGMENT_BUILD_MAX_THREADS 16

/*
 * The layout's n_rows is not read. Arrivals are stored row by row at level 0 alone. left_out (may be NULL): by view NULL or
 * a bit a row, bit i mod 64 of word i / 64; at least one row stays. n_threads: 1: nobody but the caller.
 */
XT_MUST_USE int xt_segment_build(const xt_vfs *vfs, const char *path, const xt_segment_layout *layout,
                                 xt_open_view *const *views, size_t n, const uint64_t *const *left_out,
                                 unsigned n_threads, xt_segment_writer **ret, xt_problem *reterr_problem);

/*
 * store/segment_merge - several segments into one
 *
 * Errors:    <0 errno; XT_SEGMENT_E_DAMAGED when an input cannot be read whole (*ret_bad says which), XT_SEGMENT_E_VERSION
 *            when it has fields that this version does not know: then nothing may be merged with it.
 * Limits:    inputs: XT_SEGMENT_MERGE_MAX; rows of all: a segment's most. Memory: a byte a row, four bytes an entry of the
 *            dictionary under way, a column of one row group of each input.
 */
#pragma once
#include "store/segment.h"

#define XT_SEGMENT_MERGE_MAX 64u

/*
 * Writes the file at path (made anew, synced) from the inputs' rows, sorted, as one of a level above theirs. steps and
 * ret_bad may be NULL. -ECANCELED: a step ended it.
 */
XT_MUST_USE int xt_segment_merge(const xt_vfs *vfs, const char *path, uint64_t id, int64_t made_ms,
                                 xt_segment *const *inputs, size_t n, const xt_segment_steps *steps, size_t *ret_bad,
                                 xt_segment_info *ret, xt_problem *reterr_problem);

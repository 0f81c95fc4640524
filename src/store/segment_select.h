/*
 * store/segment_select - a segment made of some of another's rows
 *
 * Shape:     the rows keep their order, and their arrivals where they have them; a value that only other rows had is not
 *            in the new file's dictionaries.
 * Errors:    as store/segment_merge.h: <0 errno, XT_SEGMENT_E_DAMAGED, XT_SEGMENT_E_VERSION.
 * Limits:    memory: a bit and four bytes an entry of the dictionary under way, columns of two row groups.
 */
#pragma once
#include "store/segment.h"

/*
 * Writes the file at path (made anew, synced). keep: bit i mod 64 of word i / 64 says that row i stays, in the order of the
 * file; n_keep of them are set, at least one. steps may be NULL. -ECANCELED: a step ended it.
 */
XT_MUST_USE int xt_segment_select(const xt_vfs *vfs, const char *path, uint64_t id, int64_t made_ms,
                                  const xt_segment *from, const uint64_t *keep, uint64_t n_keep,
                                  const xt_segment_steps *steps, xt_segment_info *ret, xt_problem *reterr_problem);

/*
 * query/row_fetch - the events of the rows that are left in a heap, read from their parts alone
 *
 * Errors:    XT_QUERY_E_CANCELLED, <0 memory or I/O.
 * Threads:   as many as there are readers, when there are parts enough.
 */
#pragma once
#include "query/row_heap.h"

/*
 * Reads `fields` of each entry of a sorted heap. When the events pass max_bytes the worst entries go and the limit
 * sinks to what is left. An event that cannot be read stays NULL.
 */
XT_MUST_USE int xt_row_fetch(xt_row_heap *heap, xt_scan_reader *const *readers, size_t n_readers, xt_field_set fields,
                             const atomic_bool *cancel, xt_problem *reterr_problem);

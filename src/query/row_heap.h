/*
 * query/row_heap - the best rows so far, and their events
 *
 * Shape:     a heap whose top is the worst of at most `limit` entries; sorted worst first it still is one. An entry is
 *            first a key whose texts are borrowed from the block at hand; xt_row_heap_keep copies them when the block
 *            is done; xt_row_heap_fetch reads the events of those that are left, from their blocks alone.
 * Errors:    -ENOMEM.
 */
#pragma once
#include "query/row_order.h"

typedef struct xt_row_entry {
    xt_row_key key;
    int64_t min_ms, max_ms; /* of the block that it stands in: how fetch knows the block */
    char *texts;            /* of the key; NULL: borrowed */
    char *event;            /* encoded; NULL: not fetched */
    size_t n_event;
} xt_row_entry;

typedef struct xt_row_heap {
    xt_row_order order;
    xt_row_entry *items;
    size_t n, cap, limit;
    size_t n_bytes, max_bytes; /* of events */
    bool refused;              /* a row that belongs behind these was seen */
    bool has_new;              /* entries with borrowed texts */
} xt_row_heap;

void xt_row_heap_fini(xt_row_heap *heap);
/* Forgets the entries, and looks for the best `limit` rows (at least 1) from now on. */
void xt_row_heap_begin(xt_row_heap *heap, size_t limit);
/* Keeps the row if it is among the best. */
XT_MUST_USE int xt_row_heap_offer(xt_row_heap *heap, const xt_row_key *key, const xt_block *block);
XT_MUST_USE int xt_row_heap_keep(xt_row_heap *heap);
/* Worst first. */
void xt_row_heap_sort(xt_row_heap *heap);
/*
 * Reads `fields` of each entry of a sorted heap. When the events pass max_bytes the worst entries go and the limit
 * sinks to what is left. An event that is no longer there (retired, damaged) stays NULL. Damage is added to the answer.
 */
XT_MUST_USE int xt_row_heap_fetch(xt_row_heap *heap, xt_store *store, xt_field_set fields, const atomic_bool *cancel,
                                  xt_answer *answer, xt_problem *reterr_problem);

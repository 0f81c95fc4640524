/*
 * query/row_heap - the best rows so far, and their events
 *
 * Shape:     a heap whose top is the worst of at most `limit` entries; sorted worst first it still is one. An entry is
 *            first a key whose texts are borrowed from the part at hand; xt_row_heap_keep copies them when the part is
 *            done; xt_row_fetch reads the events of those that are left.
 * Errors:    -ENOMEM. What reading for a tie met is kept in `result`: whoever offers asks for it in the end.
 * Threads:   one at a time.
 */
#pragma once
#include "query/row_order.h"

typedef struct xt_row_entry {
    xt_row_key key;
    size_t part; /* of the scan */
    uint32_t row;
    char *texts; /* of the key; NULL: borrowed */
    char *event; /* encoded; NULL: not fetched */
    size_t n_event;
} xt_row_entry;

typedef struct xt_row_heap {
    xt_row_order order;
    xt_scan *scan;
    xt_scan_reader *at_hand; /* of the part that rows are offered from */
    size_t part_at_hand;
    xt_scan_reader *reader; /* for ties of rows of other parts; made when it is needed */
    xt_row_entry *items;
    size_t n, cap, limit;
    size_t n_bytes, max_bytes; /* of events */
    bool refused;              /* a row that belongs behind these was seen */
    bool has_new;              /* entries with borrowed texts */
    int result;                /* of making ties; a row that cannot be read has the tie 0 */
} xt_row_heap;

void xt_row_heap_fini(xt_row_heap *heap);
/* Forgets the entries, and looks for the best `limit` rows (at least 1) from now on. */
void xt_row_heap_begin(xt_row_heap *heap, size_t limit);
/* Keeps the row if it is among the best. */
XT_MUST_USE int xt_row_heap_offer(xt_row_heap *heap, const xt_row_key *key, size_t part, uint32_t row);
XT_MUST_USE int xt_row_heap_keep(xt_row_heap *heap);
/* Turns to the part that rows are offered from. */
void xt_row_heap_part(xt_row_heap *heap, size_t part, xt_scan_reader *reader);
/* Gives the key of a row of the part at hand its tie. */
void xt_row_heap_tie(xt_row_heap *heap, xt_row_key *key, uint32_t row);
/* Moves the entries of another one, whose texts are kept, here. */
XT_MUST_USE int xt_row_heap_merge(xt_row_heap *heap, xt_row_heap *from);
/* Worst first. */
void xt_row_heap_sort(xt_row_heap *heap);
/* Gives back what an entry holds. */
void xt_row_entry_fini(xt_row_heap *heap, xt_row_entry *e);

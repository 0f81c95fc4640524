/*
 * store/open_block - up to XT_STORE_GROUP_ROWS rows in memory: columns that grow, and pictures of them that do not
 *
 * Shape:     one column a stored field: numbers, or codes into a dictionary of distinct values in order of first
 *            appearance. Rows are consecutive arrivals.
 * Ownership: block and view are counted; a view holds its block. All bytes of a block live until its last unref.
 * Threads:   the block is written by one thread at a time. A view is immutable and may be read by any thread beside
 *            the writer: what it points at lies below its n_rows and is never written again.
 * Errors:    -ENOMEM leaves the block as it was at the last mark when the caller goes back to it.
 * Limits:    full at XT_STORE_GROUP_ROWS rows or about XT_OPEN_BLOCK_MAX_BYTES of dictionary text.
 */
#pragma once
#include "store/store.h"

#define XT_OPEN_BLOCK_MAX_BYTES ((size_t)64 << 20)

typedef struct xt_open_block xt_open_block;
typedef struct xt_open_mark xt_open_mark;

/* A column of a view, and of a row group as it is read whole. */
typedef struct xt_open_column {
    int kind;                /* XT_COLUMN_*; ABSENT: no row has it */
    const uint64_t *numbers; /* NUMBERS: n_rows values (INT cast) */
    const uint8_t *present;  /* NUMBERS: bit i of byte i/8: row i has it; NULL: all have */
    const uint32_t *codes;   /* CODES: n_rows; 0 absent, else entry code-1 */
    const xt_slice *dict;    /* CODES: n_dict entries */
    uint32_t n_dict;
} xt_open_column;

/* A fixed picture of the first rows of a block. */
typedef struct xt_open_view {
    _Atomic(uint32_t) n_refs;
    xt_open_block *block;
    uint32_t n_rows;
    int64_t min_ms, max_ms;
    uint64_t first_arrival;
    xt_open_column columns[XT_F_END];
    uint64_t min[XT_F_END], max[XT_F_END]; /* of number columns that are not absent */
} xt_open_view;

/* seed: of the dictionaries' hash, the same for the process. NULL: no memory. */
XT_MUST_USE xt_open_block *xt_open_block_new(uint64_t first_arrival, uint64_t seed);
xt_open_block *xt_open_block_unref(xt_open_block *block); /* accepts NULL, returns NULL */
uint32_t xt_open_block_rows(const xt_open_block *block);
size_t xt_open_block_bytes(const xt_open_block *block); /* of memory, roughly */
bool xt_open_block_is_full(const xt_open_block *block);

/* Appends a row with the event's stored fields (virtual ones are left out); its bytes are copied. */
XT_MUST_USE int xt_open_block_add(xt_open_block *block, const xt_event *event);
/* No row will be added any more: the memory that only adding needs is given back. */
void xt_open_block_close(xt_open_block *block);

/* Where the block stands now, to go back to. NULL: no memory. */
XT_MUST_USE xt_open_mark *xt_open_mark_new(const xt_open_block *block);
xt_open_mark *xt_open_mark_free(xt_open_mark *mark); /* accepts NULL, returns NULL */
/* Makes the mark say where the block stands now. */
void xt_open_mark_set(xt_open_mark *mark, const xt_open_block *block);
/* Forgets the rows since the mark. -ENOMEM: the block may take no more rows (it is then full). */
void xt_open_block_back(xt_open_block *block, const xt_open_mark *mark);

/* NULL: no memory. */
XT_MUST_USE xt_open_view *xt_open_view_new(xt_open_block *block);
xt_open_view *xt_open_view_ref(xt_open_view *view);
xt_open_view *xt_open_view_unref(xt_open_view *view); /* accepts NULL, returns NULL */

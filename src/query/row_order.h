/*
 * query/row_order - the order of rows, and a place in it as text
 *
 * Shape:     a key per row; keys compare in the order of query.h. With a sort field its value comes first: greatest
 *            first, texts by their first XT_ROW_SORT_BYTES bytes, absent ones last. The hash of the content that ends the
 *            order is only made where two rows are the same before it.
 * Format:    cursor: base64url (no padding) of u8 version 2, u8 flags (1 reverse, 2 has a hash), varint sort field, zigzag
 *            time, varint serial, block host id, varint rows given of those that are the same, with a hash u64 hash, with
 *            a sort field u8 present, varint number, block text; u32 checksum (low half of XXH3-64 of what stands before).
 * Errors:    XT_QUERY_E_BAD_CURSOR: not one of ours, damaged, or of another order.
 * Ownership: texts are borrowed.
 */
#pragma once
#include "query/query.h"

#define XT_ROW_SORT_BYTES 256

typedef struct xt_row_order {
    xt_field sort_field; /* XT_F_INVALID: by time */
    bool reverse;
} xt_row_order;

typedef struct xt_row_key {
    int64_t time_ms;
    uint64_t serial; /* plus one; 0: absent */
    xt_slice host_id;
    bool has_sort;
    uint64_t sort_number; /* an unsigned key in the order of the type */
    xt_slice sort_text;
    bool has_tie;
    uint64_t tie;    /* hash of the row's content */
    uint64_t n_same; /* of a cursor: rows that are the same in all this and were given, this one too */
} xt_row_key;

/* <0 when a comes before b; 0: they are the same, or would have to be told apart by a tie that one of them lacks. */
int xt_row_key_cmp(const xt_row_order *order, const xt_row_key *a, const xt_row_key *b);
/* Without ties. */
int xt_row_key_cmp_untied(const xt_row_order *order, const xt_row_key *a, const xt_row_key *b);
void xt_row_cursor_put(const xt_row_order *order, const xt_row_key *key, xt_buf *out);
/* The key's texts live in the arena. */
XT_MUST_USE int xt_row_cursor_parse(const xt_row_order *order, xt_slice cursor, xt_arena *arena, xt_row_key *ret,
                                    xt_problem *reterr_problem);

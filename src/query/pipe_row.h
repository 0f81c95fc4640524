/*
 * query/pipe_row - a row between stages: a cell a column
 *
 * Shape:     what a cell holds follows from the column's type: a number as it is stored, a text, a list (xt_list). A number with
 *            decimals (XT_COLUMN_REAL) is an INT in the same order: xt_real_decode.
 * Ownership: texts are borrowed.
 */
#pragma once
#include "event/event.h"
#include "query/kql_pipe.h"

typedef struct xt_cell {
    bool has;
    uint64_t number;
    xt_slice text;
} xt_cell;

bool xt_cell_is_number(const xt_field_info *column);
/* Order of a column: numbers by value, texts by bytes, lists by their first item; absent last, whichever the direction. */
int xt_cell_cmp(const xt_field_info *column, bool descending, const xt_cell *a, const xt_cell *b);
/* Bytes that are the same for the same cell alone, and say where they end. */
void xt_cell_key(const xt_field_info *column, const xt_cell *cell, xt_buf *out);
/* As text: numbers decimal, times RFC 3339; of a list it is not asked. Nothing when absent. */
void xt_cell_put(const xt_field_info *column, const xt_cell *cell, xt_buf *out);
/* A field of an event; what is virtual must have been derived. */
xt_cell xt_cell_of_event(const xt_event *event, const xt_field_info *column);

/*
 * audit/field_row - tables of names of fields, and reading a record by one (audit_field.c)
 *
 * Shape:     an array of rows, each beginning with an xt_row_name. Rows stand in the order in which the kernel writes
 *            the fields, so the one behind the last found is tried first.
 */
#pragma once
#include "audit/record.h"

typedef struct xt_row_name {
    char text[8]; /* padded with NULs */
    uint8_t n;
} xt_row_name;
#define XT_ROW_NAME(literal)         \
    {                                \
        literal, sizeof(literal) - 1 \
    }

typedef struct xt_row_table {
    const void *rows;
    size_t row_bytes, n;
} xt_row_table;
#define XT_ROW_TABLE(rows)                           \
    {                                                \
        (rows), sizeof((rows)[0]), XT_COUNT_OF(rows) \
    }

/* Number of the row with that name, or table->n. *cursor: 0 at first. */
size_t xt_row_find(const xt_row_table *table, xt_slice name, size_t *cursor);
/* The next field of a text as xt_audit_field_next gives it, and its row. False at the end. */
bool xt_row_next(const xt_row_table *table, xt_slice *rest, size_t *cursor, xt_audit_field *ret, size_t *ret_row);

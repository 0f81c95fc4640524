/*
 * event/field_row - tables of names of fields (inside of event/ only)
 *
 * Shape:     an array of rows, each beginning with `char name[8]`, padded with NUL. Rows stand in the order in which the
 *            kernel writes the fields, so the one behind the last found is tried first.
 */
#pragma once
#include "base/slice.h"

/* Number of the row with that name, or n. *cursor: 0 at first. */
size_t xt_row_find(const void *rows, size_t row_bytes, size_t n, xt_slice name, size_t *cursor);

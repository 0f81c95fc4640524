/*
 * query/field_values - what an entry of a column says, as texts: for groups and for sorting
 *
 * Shape:     a text is itself, a list its distinct items, arguments for cmd one joined text, paths their names.
 * Errors:    -ENOMEM when the arena is full.
 * Ownership: texts are borrowed from the entry or live in the arena.
 */
#pragma once
#include "event/event.h"

XT_MUST_USE int xt_field_values(xt_field field, xt_slice entry, xt_arena *arena, xt_slice **ret, size_t *ret_n);
/* A stored number as text in `to`, 32 bytes. */
xt_slice xt_field_number_write(xt_field field, uint64_t number, char *to);
/* A stored number as text in the arena: decimal, times as RFC 3339. */
XT_MUST_USE int xt_field_number_text(xt_field field, uint64_t number, xt_arena *arena, xt_slice *ret);

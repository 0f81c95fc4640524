/*
 * bench/generate/columns - an event as a row of typed columns, for stores that are not made for audit events
 *
 * Shape:     a list of columns; numbers or text. What the kernel said is in them whole, but for the bounds between
 *            arguments: cmd is the arguments joined by one space, as people search it.
 */
#pragma once
#include "event/event.h"

typedef struct xt_event_column {
    const char *name;
    xt_field field;
    bool is_number;
} xt_event_column;

extern const xt_event_column xt_event_columns[];
extern const unsigned xt_event_n_columns;

/* False: the event has no such value. Text is appended to out, a number is in *ret_num. */
bool xt_event_column_get(const xt_event *event, const xt_event_column *column, xt_buf *out, int64_t *ret_num);

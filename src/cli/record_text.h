/*
 * cli/record_text - the records of an event as lines for people
 *
 * Format:    one line a record, indented: its type, then NAME=VALUE for every field, and with meanings (VALUE's meaning)
 *            behind it where it says more; of arch and syscall then the number with the name as its meaning. Values as
 *            by xt_text_visible.
 */
#pragma once
#include "event/event.h"

/* -ENOMEM. */
XT_MUST_USE int xt_record_text_put(const xt_event *event, bool with_meanings, xt_arena *arena, xt_buf *out);

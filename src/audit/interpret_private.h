/*
 * audit/interpret_private - what fields and arguments are both interpreted as (inside of audit/ only)
 *
 * Shape:     each appends its text, or gives false and appends nothing.
 */
#pragma once
#include "audit/interpret.h"

bool xt_interpret_open_flags(uint32_t arch, uint64_t flags, xt_buf *out);
bool xt_interpret_signal(uint64_t number, xt_buf *out);
/* One, by number. */
bool xt_interpret_capability(uint64_t number, xt_buf *out);
bool xt_interpret_personality(uint64_t value, xt_buf *out);

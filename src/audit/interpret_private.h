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
bool xt_interpret_capabilities(uint64_t set, xt_buf *out);
/* NAME(text) of an error. */
bool xt_interpret_error(uint64_t number, xt_buf *out);
/* Of a mode without the kind of file. */
bool xt_interpret_rights(uint64_t mode, xt_buf *out);
/* The name behind its first `skip` bytes, in small letters; NULL: false. */
bool xt_interpret_lower(const char *name, size_t skip, xt_buf *out);
bool xt_interpret_device(xt_slice text, xt_buf *out);
bool xt_interpret_title(xt_slice title, xt_buf *out);
/* Keys of several rules. */
bool xt_interpret_rule_keys(xt_slice text, xt_buf *out);
/* What was typed; false when there is no key in it that is no character (something may have been appended). */
bool xt_interpret_typed(xt_slice typed, xt_buf *out);
bool xt_interpret_permissions(uint64_t mask, xt_buf *out);

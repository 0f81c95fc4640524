/*
 * event/secret_redact - secrets leave an event before it goes anywhere
 *
 * Shape:     every copy of a command line: ARGS, PARENT_CMD, ORIGINAL, and in RECORDS the titles (PROCTITLE), sudo's
 *            cmd=, what was typed (TTY) and all other fields. Only the value goes; [redacted] stands in its place, and
 *            REDACTIONS gains WHERE:OFFSET:RULE: args[2]:2:mysql-password is byte 2 of the third argument as it
 *            is now. A value that stays but looks like a secret sets the flag secret-suspected.
 * Method:    a filter looks at all bytes first; an event that it lets pass costs nothing else and stays as it is.
 * Errors:    -ENOMEM: the event may be half done then and must not go out.
 * Ownership: new bytes are in the arena.
 * Limits:    linear in the event.
 */
#pragma once
#include "base/arena.h"
#include "event/event.h"
#include "event/secret_rules.h"
#include "event/secret_seal.h"

/* rules NULL: nothing is done. values: gains what is taken out, to be sealed; may be NULL. */
XT_MUST_USE int xt_secret_redact(const xt_secret_rules *rules, xt_event *event, xt_secret_values *values,
                                 xt_arena *arena);
/*
 * Arguments that end with NUL each, as /proc has them: appended to out with their secrets gone. marks: what goes to
 * REDACTIONS of an event that has them as PARENT_CMD, a block each.
 */
XT_MUST_USE int xt_secret_redact_argv(const xt_secret_rules *rules, xt_slice argv, xt_arena *arena, xt_buf *out,
                                      xt_buf *marks);
/* The same of an event's own arguments, for when it is the parent of another; offsets beyond max_bytes are left out. */
void xt_secret_marks_of_parent(const xt_event *event, size_t max_bytes, xt_buf *marks);
/* Adds such marks to the event. */
XT_MUST_USE int xt_secret_marks_add(xt_event *event, xt_slice marks, xt_arena *arena);

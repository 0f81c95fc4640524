/*
 * event/tty_table - the unfinished lines of all terminals, and what they give to events
 *
 * Shape:     events of a stream go through xt_tty_apply in their order. One with TTY records (keystrokes, by
 *            pam_tty_audit) or USER_TTY records (a line, by the shell) receives TTY_LINE, the lines finished in it, and
 *            TTY_UNFINISHED, the line that goes on in a later record; and the terminal's name where it has none.
 * Method:    a line goes on where host, session, login, terminal, process and its name are the same. A late record
 *            (its event is an amendment) is read by itself: it came before, or belongs before what came.
 * Secrets:   what was typed at a program that asks for passwords (tty_program.c) is the line <masked>, its keystrokes
 *            leave RECORDS, and the flag is masked; unless settings say otherwise.
 * Flags set: masked, truncated, injected (keys that a program put into the terminal by TIOCSTI).
 * Errors:    -ENOMEM, also when the arena is full.
 * Limits:    MAX_STATES unfinished lines, MAX_BYTES for all together: the least recently used goes first (it was given
 *            out as unfinished before). A line: XT_TTY_LINE_MAX. Of an unfinished line the last 1024 keys are shown.
 * Threads:   one at a time.
 * Source:    linux drivers/tty/tty_audit.c, kernel/audit.c (USER_TTY).
 */
#pragma once
#include "event/event.h"

typedef struct xt_tty_table xt_tty_table;

XT_MUST_USE int xt_tty_table_new(bool shows_secrets, xt_tty_table **ret);
xt_tty_table *xt_tty_table_free(xt_tty_table *table);

/* Whether a record of this type holds what was typed: only events with one need xt_tty_apply. */
bool xt_tty_is_typed(uint16_t record_type);
XT_MUST_USE int xt_tty_apply(xt_tty_table *table, xt_event *event, xt_arena *arena);

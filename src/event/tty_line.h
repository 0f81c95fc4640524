/*
 * event/tty_line - the keys of one line, edited as a line editor edits them (inside of event/ only)
 *
 * Shape:     keys in, until one ends the line; then the line as text. What a key does is what readline does in its
 *            Emacs mode as bash sets it up. A key whose effect cannot be known (history, completion, undo) is named in
 *            the line (<up>), and so is every later key that would have to know what that one brought.
 * Errors:    -ENOMEM.
 * Limits:    XT_TTY_LINE_MAX keys a line and bytes of text: the rest is left out and `is_truncated`. Editing in the
 *            middle of long lines is paid from a budget that grows with what was typed; without it keys are named
 *            instead of applied, and `is_truncated`. So the cost is linear in the bytes typed.
 * Ownership: init and fini.
 */
#pragma once
#include "event/tty_keys.h"

#define XT_TTY_LINE_MAX (64u << 10)

enum {
    XT_TTY_LINE_ENDS = 1, /* the key ended the line: put it, then reset */
};

typedef struct xt_tty_cells {
    uint32_t *p; /* keys */
    size_t n, cap;
} xt_tty_cells;

typedef struct xt_tty_line {
    xt_tty_cells cells;
    xt_tty_cells killed; /* what ^U, ^K, ^W and their kin took last: outlives the line */
    size_t cursor;
    uint64_t budget; /* cells that may still be moved */
    bool edits;      /* false: full-screen programs, where every control key is named */
    bool in_paste;
    bool takes_literally; /* behind ^V */
    bool is_after_x;      /* behind ^X */
    bool has_killed;      /* the key before was a kill: the next adds to it */
    bool is_truncated;
    bool is_spent; /* the budget was too small once: no edits until the line ends */
} xt_tty_line;

void xt_tty_line_init(xt_tty_line *line, bool edits);
void xt_tty_line_fini(xt_tty_line *line);
/* Empties the line for the next one. */
void xt_tty_line_reset(xt_tty_line *line);

/* 0, XT_TTY_LINE_ENDS, or -ENOMEM. */
XT_MUST_USE int xt_tty_line_key(xt_tty_line *line, uint32_t key);

/* Appends the text from cell `from` on, at most XT_TTY_LINE_MAX bytes. False: cut. */
bool xt_tty_line_put(const xt_tty_line *line, size_t from, xt_buf *out);

/* Bytes of memory held. */
size_t xt_tty_line_memory(const xt_tty_line *line);

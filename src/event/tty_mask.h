/*
 * event/tty_mask - keystrokes in a line that is no record (inside of event/ only)
 *
 * Shape:     damaged lines are kept as they stand, but for keys typed at a program that asks for passwords:
 *            comm="sudo" data=68756E... becomes comm="sudo" data=<masked>.
 * Errors:    -ENOMEM when the arena is full.
 */
#pragma once
#include "base/arena.h"

/* *line is replaced by a copy in the arena if something in it is masked. */
XT_MUST_USE int xt_tty_mask_line(xt_slice *line, xt_arena *arena);

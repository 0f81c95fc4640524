/*
 * event/tty_program - what a program does with the keys typed at it (inside of event/ only)
 *
 * Shape:     by the task's name (comm). The name is chosen by the process, so a name alone never hides what is typed
 *            at a shell.
 * Limits:    names of programs that ask for passwords are a list; others are not known to ask.
 */
#pragma once
#include "base/slice.h"

typedef enum xt_tty_use {
    XT_TTY_USE_LINES,  /* edits lines as readline does, or the kernel has edited them before */
    XT_TTY_USE_SCREEN, /* editors, pagers: every key is a command of its own */
    XT_TTY_USE_SECRET, /* asks for passwords, or passes keys on to where they are asked */
} xt_tty_use;

/* comm: at most 15 bytes are compared; exe: path of the executable, empty when not known. */
xt_tty_use xt_tty_program_use(xt_slice comm, xt_slice exe);

/*
 * cli/progress - how far a long command is, on standard error
 *
 * Shape:     on a terminal one line that is drawn over itself, at most ten times a second; else a line every ten seconds.
 * Threads:   one at a time.
 */
#pragma once
#include "base/slice.h"

typedef struct xt_progress {
    bool is_quiet, is_terminal, is_drawn;
    uint64_t n_total; /* bytes; 0: not known */
    int64_t begun_ms, shown_ms;
} xt_progress;

void xt_progress_begin(xt_progress *progress, uint64_t n_total, bool is_quiet);
/* name: what is at work now. Costs nothing when it is not yet time to show it. */
void xt_progress_show(xt_progress *progress, const char *name, uint64_t n_bytes, uint64_t n_events);
/* Takes the line off the terminal: before anything else is printed, and at the end. */
void xt_progress_clear(xt_progress *progress);

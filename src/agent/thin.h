/*
 * agent/thin - takes the least important events out of a batch that waits in memory
 *
 * Shape:     events of a rank (wire/event_rank.h) and of those below it go, and are counted by rank.
 * Errors:    without memory for what is left all of it goes, and is counted as unknown.
 */
#pragma once
#include "wire/spool.h"

/* events: n of them. Returns how many are left. */
uint64_t xt_thin_events(xt_buf *events, uint64_t n, unsigned rank, xt_spool_loss *loss);

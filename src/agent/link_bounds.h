/*
 * agent/link_bounds - how much a server, which may have been taken over, makes an agent do
 *
 * Shape:     counts of one link, over all its connections; all zero at first.
 * Units:     now_ms is monotonic.
 * Limits:    a frame XT_LINK_READ_BYTES, which is also what is taken at once; behind that XT_LINK_BYTES_PER_S. 60 messages a minute of
 *            one connection that are no acknowledgements, for each may cost a signature or an event. Of the log 20 lines since a
 *            server has last worked, then one a minute.
 * Threads:   one at a time.
 */
#pragma once
#include "wire/frame.h"

#define XT_LINK_READ_BYTES  ((size_t)1 << 20) /* the longest message is an order, 128 KiB */
#define XT_LINK_BYTES_PER_S ((size_t)128 << 10)
#define XT_LINK_REST_S      1 /* for who has sent too much */

typedef struct xt_link_bounds {
    unsigned n_messages, n_lines;
    int64_t messages_ms, line_ms, bytes_ms;
    size_t n_bytes; /* taken, less what was due since */
} xt_link_bounds;

/* Another connection begins. */
void xt_link_bounds_begin(xt_link_bounds *bounds);
/* Counts bytes that were worked on; false: none for XT_LINK_REST_S now. */
bool xt_link_bounds_bytes(xt_link_bounds *bounds, size_t n, int64_t now_ms);
/* Counts a message; false: it is more than a server has a reason for. */
bool xt_link_bounds_message(xt_link_bounds *bounds, int64_t now_ms);
/* Counts a line of the log; false: it is not to be written. */
bool xt_link_bounds_line(xt_link_bounds *bounds, int64_t now_ms);
/* A server acknowledged something. */
void xt_link_bounds_worked(xt_link_bounds *bounds);
/* As xt_frame_next, with the limit of this. */
XT_MUST_USE int xt_link_bounds_frame(xt_slice bytes, xt_frame *ret, size_t *ret_n, xt_problem *reterr_problem);

/*
 * agent/audisp_stream - what auditd writes to its plugins and to its af_unix socket
 *
 * Shape:     bytes go in as they were read; text and records come out by calls, in order.
 * Errors:    XT_AUDISP_E_CORRUPT with a problem: a binary stream that is none from here on. Close it, and open it anew.
 * Ownership: what a call gets is valid during the call.
 * Threads:   one at a time.
 * Format:    format = string: lines as in audit.log. format = binary: four numbers of 32 bits in the machine's order, which
 *            are version (0 or 1), length of this head (16), record type and length of the data; then the data. That is
 *            what the kernel gave (version 0), or a line without its newline (version 1). auditd's own socket puts up to
 *            8,970 bytes behind each head, whatever the length; what is behind the data is left over in its memory.
 * Source:    auditd 3.0.9 (builtin_af_unix), libaudit.h (struct audit_dispatcher_header, MAX_AUDIT_MESSAGE_LENGTH); what was
 *            read from a socket of each.
 */
#pragma once
#include "base/buf.h"
#include "base/problem.h"

enum {
    XT_AUDISP_E_CORRUPT = 1,
};

typedef struct xt_audisp_calls {
    int (*text)(void *context, xt_slice bytes); /* lines, cut anywhere */
    int (*record)(void *context, uint16_t type, xt_slice payload);
    void *context;
} xt_audisp_calls;

typedef enum xt_audisp_form { XT_AUDISP_UNKNOWN, XT_AUDISP_STRING, XT_AUDISP_BINARY } xt_audisp_form;

typedef struct xt_audisp_stream {
    xt_audisp_form form;
    enum { XT_AUDISP_OPEN, XT_AUDISP_EXACT, XT_AUDISP_PADDED } framing; /* OPEN: the second head will tell */
    xt_buf in;
    size_t n_given; /* of `in`: the first record, while its end is not known */
} xt_audisp_stream;

void xt_audisp_stream_fini(xt_audisp_stream *stream);
/* What follows comes from a new connection. */
void xt_audisp_stream_reset(xt_audisp_stream *stream);
/* 0, XT_AUDISP_E_CORRUPT, or what a call returned that was not 0. */
XT_MUST_USE int xt_audisp_stream_feed(xt_audisp_stream *stream, xt_slice bytes, const xt_audisp_calls *calls,
                                      xt_problem *reterr_problem);

/*
 * input/syslog_frame - the messages of a stream of syslog
 *
 * Shape:     bytes in pieces go in, messages come out by a call each. Both framings of RFC 6587 in any mixture: "LENGTH SP" in front
 *            of a message that begins with "<", or a newline or NUL behind it.
 * Errors:    what a call returns other than 0 ends the feed and is returned. A length that the stream does not keep makes wrong messages,
 *            never anything else: there is nothing in the format that would tell.
 * Ownership: a message is valid during its call; whole ones are cut from what was fed.
 * Threads:   one at a time.
 * Limits:    XT_SYSLOG_MAX_MESSAGE bytes of a message: what is longer is cut there, marked, and the rest passed over.
 * Source:    RFC 6587, RFC 5425.
 */
#pragma once
#include "base/buf.h"

#define XT_SYSLOG_MAX_MESSAGE ((size_t)64 << 10)

typedef struct xt_syslog_framer {
    int (*on_message)(void *context, xt_slice message, bool is_cut);
    void *context;
    xt_buf partial; /* of a message that has not ended */
    size_t want;    /* bytes of a counted message that are still to come */
    bool is_counted, skips;
} xt_syslog_framer;

void xt_syslog_framer_init(xt_syslog_framer *framer, int (*on_message)(void *context, xt_slice message, bool is_cut),
                           void *context);
void xt_syslog_framer_fini(xt_syslog_framer *framer);
XT_MUST_USE int xt_syslog_framer_feed(xt_syslog_framer *framer, xt_slice bytes);
/* The stream has ended: a message without its end is given out, marked as cut. */
XT_MUST_USE int xt_syslog_framer_finish(xt_syslog_framer *framer);

/*
 * input/syslog_message - one syslog message: who says it is from, and its text
 *
 * Shape:     a view of the message. What does not look like a header is text: nothing is refused.
 * Ownership: all slices are cut from the caller's bytes.
 * Format:    RFC 5424 (<PRI>1 TIME HOST APP PROCID MSGID DATA TEXT, a byte order mark before the text left out) or RFC 3164 as it is
 *            met: <PRI> may be missing; the time is "Nov 23 15:04:05", with a year behind the day or the time, or RFC 3339; the
 *            host may be missing; the tag ends with ": ", and so does what rsyslog's imfile puts there.
 * Limits:    linear in the message.
 * Source:    RFC 5424, RFC 3164.
 */
#pragma once
#include "base/slice.h"

typedef struct xt_syslog_message {
    xt_slice host; /* empty: it does not say */
    xt_slice app;  /* application or tag, empty where there is none */
    xt_slice text; /* behind the header, without spaces in front and newlines or NULs at the end */
} xt_syslog_message;

void xt_syslog_message_parse(xt_slice message, xt_syslog_message *ret);

/*
 * agent/shipper_words - what of the shipper's report goes into STATE/status
 *
 * Shape:     lines of name=value come; those whose name is in the table are taken, each name once, its first line. So a
 *            shipper that was taken over cannot speak in the collector's name in a file of root's.
 * Format:    a number is decimal digits, text is one line in which nothing can move a cursor.
 * Limits:    XT_SHIPPER_WORD_BYTES a value; what is longer is cut.
 * Threads:   any.
 */
#pragma once
#include "base/buf.h"

#define XT_SHIPPER_WORD_BYTES 1024

/* Appends what is taken of the report. */
void xt_shipper_words_take(xt_slice report, xt_buf *out);

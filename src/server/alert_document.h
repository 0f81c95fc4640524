/*
 * server/alert_document - the match document of an alert, small in state.db
 *
 * Shape:     documents are alike: the same names, the same rules, the same programs. Packed with a text of ours as the
 *            dictionary one takes a seventh of its bytes, where zstd alone would leave more than half.
 * Format:    a zstd frame (level 3, raw dictionary: the text in alert_document.c, which never changes), or the document as it
 *            is, which begins with a brace.
 * Errors:    -ENOMEM. Unpacking: -EIO when the bytes are not a document.
 * Threads:   any.
 */
#pragma once
#include "base/buf.h"

/* Appends. */
XT_MUST_USE int xt_alert_document_pack(xt_slice document, xt_buf *out);
XT_MUST_USE int xt_alert_document_unpack(xt_slice stored, xt_buf *out);

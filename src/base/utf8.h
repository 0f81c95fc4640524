/*
 * base/utf8 - text that may hold any byte, made safe to show and reversible
 *
 * Format:    invalid UTF-8 bytes, U+0000-001F and U+007F are written \xHH (two lower-case digits) and every
 *            backslash is doubled. Undone exactly by xt_text_unescape.
 * Source:    RFC 3629 (no overlong forms, no surrogates, at most U+10FFFF).
 */
#pragma once
#include "base/buf.h"

/* How many bytes at the front are in 0x20-0x7e and neither `"` nor `\`: what every text format takes as it is. */
size_t xt_text_plain_head(xt_slice s);

/* Bytes of the valid sequence at the front of s (1 to 4), or 0 when there is none. */
size_t xt_utf8_sequence(xt_slice s);
bool xt_utf8_is_valid(xt_slice s);

/* Valid UTF-8 without U+0000-001F and U+007F: needs no escaping. Fast for ASCII. */
bool xt_text_is_clean(xt_slice s);
void xt_text_escape(xt_buf *out, xt_slice s);
/* False (out holds what came before) at a backslash that is not `\\` or `\xHH`. */
XT_MUST_USE bool xt_text_unescape(xt_buf *out, xt_slice s);

/*
 * For terminals: like escape, and also C1 controls, bidi controls, zero width and line separators become \u{XXXX};
 * backslashes stay single. Not reversible; no byte of it can move a cursor.
 */
void xt_text_visible(xt_buf *out, xt_slice s);
/* Of text that was cut at n bytes, n > 3: ends with a whole character and an ellipsis; how many bytes that are. */
size_t xt_text_mark_cut(char *text, size_t n);
/* As many whole characters of it as the room in out lets in (out does not fail); false when some were left out. */
bool xt_text_visible_head(xt_buf *out, xt_slice s);

/*
 * event/json_text - strings and numbers of JSON written to memory that was measured before (inside of event/ only)
 *
 * Format:    strings as in event_json.h: without escaping while the text is clean, else `\xHH` and doubled backslashes.
 */
#pragma once
#include "base/slice.h"

/* Bytes that a string of n bytes needs at most, quotes included. */
static inline size_t xt_json_text_bound(size_t n, bool escape)
{
    return 2 + n * (escape ? 5 : 2);
}
/*
 * The string with its quotes; where the next byte goes. NULL when it is not clean and `escape` is false.
 * *has_backslash becomes true when one was written as it is, undoubled.
 */
char *xt_json_text_string(char *p, xt_slice s, bool escape, bool *has_backslash);
/* At most 20 bytes. */
char *xt_json_text_dec(char *p, uint64_t v);

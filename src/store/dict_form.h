/*
 * store/dict_form - entries of a dictionary as they are stored and ordered
 *
 * Shape:     a text is its bytes and an end; a list its items, each with its end, and an end of the list: so the bytes of
 *            like lists stand side by side, without lengths between them. Byte order of the stored form is the
 *            dictionary's order; for texts it is that of the texts themselves. Other types are stored as they are.
 * Errors:    decoding is of foreign bytes: false when they do not hold together.
 * Format:    docs/segment-format.md, "Dictionaries"
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "event/schema.h"

/* Whether entries of this type have a stored form of their own (TEXT and LIST). */
static inline bool xt_dict_is_text(xt_type type)
{
    return type == XT_TEXT || type == XT_LIST;
}

/* Appends the stored form of a value of the canonical event; of a type that has none the value itself. */
void xt_dict_put_stored(xt_buf *out, xt_type type, xt_slice value);
/* Cuts n entries in stored form off raw, which they fill exactly. type: TEXT or LIST. */
XT_MUST_USE bool xt_dict_cut(xt_type type, xt_slice raw, xt_slice *entries, uint32_t n);
/*
 * Makes the canonical values of n entries in stored form, in place: texts point into what they were, lists into the
 * arena. -ENOMEM; *ret_sound false: foreign bytes that do not hold together.
 */
XT_MUST_USE int xt_dict_values(xt_type type, xt_slice *entries, uint32_t n, xt_arena *arena, bool *ret_sound);
/* Byte order; the shorter first. */
int xt_dict_order(xt_slice a, xt_slice b);

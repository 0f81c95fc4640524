/*
 * agent/json_member - one text out of a JSON document, without reading the rest into anything
 *
 * Shape:     member by member down to a string.
 * Limits:    linear in the document; keys are compared as written (one with an escape is found by nobody).
 * Source:    RFC 8259. What is no JSON has no members, or those before it breaks.
 */
#pragma once
#include "base/buf.h"

/* The value of the object's member of that name, as it is written; false: there is none, or this is no object. */
bool xt_json_member(xt_slice object, xt_slice name, xt_slice *ret_value);
/* Appends what the string says, as UTF-8. False: it is no string, or breaks off. */
bool xt_json_text(xt_slice value, xt_buf *out);

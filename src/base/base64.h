/*
 * base/base64 - bytes as text that fits anywhere: base64url without padding
 *
 * Source:    RFC 4648, section 5.
 */
#pragma once
#include "base/buf.h"

void xt_base64_put(xt_buf *out, xt_slice bytes);
/* Appends the bytes. Strict (no padding, no stray bits), so that bytes have one spelling; false: out holds a part then. */
XT_MUST_USE bool xt_base64_get(xt_buf *out, xt_slice text);

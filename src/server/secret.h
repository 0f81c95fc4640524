/*
 * server/secret - random secrets and what is kept of them
 *
 * Shape:     a secret is random bytes shown as hex; only its SHA-256 is ever stored or compared.
 * Errors:    <0 errno.
 */
#pragma once
#include "base/buf.h"

#define XT_SECRET_BYTES  32
#define XT_SECRET_DIGITS (2 * XT_SECRET_BYTES)

XT_MUST_USE int xt_secret_random(void *p, size_t n);
/* XT_SECRET_DIGITS hex digits, NUL-ended. */
XT_MUST_USE int xt_secret_make(char ret[static XT_SECRET_DIGITS + 1]);
XT_MUST_USE int xt_secret_hash(xt_slice secret, uint8_t ret[static 32]);
/* In constant time. */
bool xt_secret_eq(const void *a, const void *b, size_t n);
/* Copies s, cut to what fits, NUL-ended. */
void xt_text_copy(char *ret, size_t n, xt_slice s);

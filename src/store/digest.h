/*
 * store/digest - SHA-256 of what must not be changed by anybody unseen
 *
 * Errors:    <0 errno.
 * Source:    FIPS 180-4, by OpenSSL.
 */
#pragma once
#include "base/slice.h"
#include "io/vfs.h"

typedef struct xt_digest {
    unsigned char b[32];
} xt_digest;

static inline bool xt_digest_eq(const xt_digest *a, const xt_digest *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}
/* 64 lower-case hex digits, NUL-ended; and back. */
void xt_digest_format(const xt_digest *digest, char ret[static 65]);
XT_MUST_USE bool xt_digest_parse(xt_slice text, xt_digest *ret);
XT_MUST_USE int xt_digest_of(xt_slice bytes, xt_digest *ret);
/* Of a whole file; ret_bytes (may be NULL): how long it is. */
XT_MUST_USE int xt_digest_of_file(const xt_vfs *vfs, const char *path, xt_digest *ret, uint64_t *ret_bytes);

/*
 * input/recent - which of many hashes were seen lately
 *
 * Shape:     two tables; when the newer is half full it takes the place of the older: so the last n are known, and some of the n
 *            before.
 * Units:     hashes of 64 bits that are well mixed.
 * Threads:   one at a time.
 * Limits:    32 bytes for each of n.
 */
#pragma once
#include "base/slice.h"

typedef struct xt_recent {
    uint64_t *newer, *older; /* 0: free */
    size_t mask, n;
} xt_recent;

/* n: a power of two. -ENOMEM. */
XT_MUST_USE int xt_recent_init(xt_recent *recent, size_t n);
void xt_recent_fini(xt_recent *recent);
/* Whether it is known. */
bool xt_recent_has(const xt_recent *recent, uint64_t hash);
/* None is known any more. */
void xt_recent_clear(xt_recent *recent);
/* Whether it was known; it is from now on. */
bool xt_recent_put(xt_recent *recent, uint64_t hash);

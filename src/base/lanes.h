/*
 * base/lanes - sixteen bytes compared at once
 *
 * Shape:     xt_lanes is a vector of the compiler; comparisons give 0xff or 0 a byte (`v == c`, `a | b`), and
 *            xt_lanes_mask gathers those into one bit a byte, the first byte lowest.
 * Limits:    a load reads XT_LANES bytes: the caller has them.
 */
#pragma once
#include <endian.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define XT_LANES 16
typedef int8_t xt_lanes __attribute__((vector_size(XT_LANES)));
typedef uint64_t xt_lane_halves __attribute__((vector_size(XT_LANES)));

static inline xt_lanes xt_lanes_load(const char *p)
{
    xt_lanes v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline unsigned xt_lanes_mask(xt_lanes v)
{
#ifdef __SSE2__
    return (unsigned)_mm_movemask_epi8((__m128i)v);
#else
    uint64_t halves[2];
    memcpy(halves, &v, sizeof halves);
    /* bit i of byte i, then all bytes added into the highest */
    const uint64_t diagonal = UINT64_C(0x8040201008040201), ones = UINT64_C(0x0101010101010101);
    return (unsigned)((le64toh(halves[0]) & diagonal) * ones >> 56) |
           (unsigned)((le64toh(halves[1]) & diagonal) * ones >> 56) << 8;
#endif
}

/* The first c from p on, or NULL: for what is mostly near, memchr does the rest. */
static inline const char *xt_lanes_find_near(const char *p, const char *end, char c)
{
    for (int i = 0; i < 4 && end - p >= XT_LANES; i++, p += XT_LANES) {
        unsigned found = xt_lanes_mask(xt_lanes_load(p) == c);
        if (found)
            return p + __builtin_ctz(found);
    }
    if (end - p >= XT_LANES)
        return (const char *)memchr(p, c, (size_t)(end - p));
    while (p < end && *p != c)
        p++;
    return p < end ? p : NULL;
}

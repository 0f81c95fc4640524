/*
 * event/pack - varints written to memory that was measured before (inside of event/ only)
 *
 * Shape:     a size function, and a put function that returns where the next byte goes. The caller has measured.
 */
#pragma once
#include "base/slice.h"

#define XT_PACK_MAX_VARINT 10

static inline size_t xt_pack_varint_size(uint64_t v)
{
    return v < 0x80 ? 1 : ((size_t)(63 - __builtin_clzll(v)) / 7) + 1;
}
static inline size_t xt_pack_block_size(xt_slice s)
{
    return xt_pack_varint_size(s.n) + s.n;
}
static inline char *xt_pack_varint(char *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (char)(v | 0x80);
        v >>= 7;
    }
    *p++ = (char)v;
    return p;
}
static inline char *xt_pack_bytes(char *p, xt_slice s)
{
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    return p + s.n;
}
static inline char *xt_pack_block(char *p, xt_slice s)
{
    return xt_pack_bytes(xt_pack_varint(p, s.n), s);
}
static inline uint64_t xt_pack_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}
static inline int64_t xt_pack_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

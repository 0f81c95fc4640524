/*
 * event/json_text - strings and numbers of JSON written to memory that was measured before (inside of event/ only)
 *
 * Format:    strings as in event_json.h: without escaping while the text is clean, else `\xHH` and doubled backslashes.
 */
#pragma once
#include "base/lanes.h"
#include "base/slice.h"

/* Bytes that a string of n bytes needs at most, quotes included. */
static inline size_t xt_json_text_bound(size_t n, bool escape)
{
    return 2 + n * (escape ? 5 : 2);
}
/*
 * The inside of a string; where the next byte goes. NULL when it is not clean and `escape` is false. *has_backslash
 * becomes true when there was one.
 */
char *xt_json_text_put(char *p, xt_slice s, bool escape, bool *has_backslash);
/* At most 20 bytes. */
char *xt_json_text_dec(char *p, uint64_t v);

/* A literal, without its NUL. */
#define XT_JSON_TEXT_PUT(p, literal) ((char *)memcpy((p), "" literal, sizeof(literal) - 1) + sizeof(literal) - 1)

/* One bit for each byte that is a quote, a backslash, below 0x20, 0x7f or above. */
static inline unsigned xt_json_text_care(xt_lanes v)
{
    return xt_lanes_mask((v < 0x20) | (v == 0x7f) | (v == '"') | (v == '\\'));
}

/* The first and the last 8 bytes of a text of 8 to 16, as lanes; the same with 4 and 4, and with up to 3 bytes. */
static inline xt_lanes xt_json_text_copy8(char *p, xt_slice s)
{
    uint64_t a, b;
    memcpy(&a, s.p, 8);
    memcpy(&b, s.p + s.n - 8, 8);
    memcpy(p, &a, 8);
    memcpy(p + s.n - 8, &b, 8);
    return (xt_lanes)(xt_lane_halves){a, b};
}
static inline xt_lanes xt_json_text_copy4(char *p, xt_slice s)
{
    uint32_t a, b;
    memcpy(&a, s.p, 4);
    memcpy(&b, s.p + s.n - 4, 4);
    memcpy(p, &a, 4);
    memcpy(p + s.n - 4, &b, 4);
    uint64_t both = (uint64_t)a << 32 | b;
    return (xt_lanes)(xt_lane_halves){both, both};
}
static inline xt_lanes xt_json_text_copy_few(char *p, xt_slice s)
{
    uint64_t all = UINT64_C(0x2020202020202020);
    for (size_t i = 0; i < s.n; i++) {
        p[i] = s.p[i];
        all = all << 8 | (unsigned char)s.p[i];
    }
    return (xt_lanes)(xt_lane_halves){all, all};
}

/* Copies s, 16 bytes at a time, the last ones overlapping; false when it is not plain: then nothing is said of p. */
static inline bool xt_json_text_put_plain(char *p, xt_slice s)
{
    if (s.n < XT_LANES) {
        xt_lanes v = s.n >= 8   ? xt_json_text_copy8(p, s)
                     : s.n >= 4 ? xt_json_text_copy4(p, s)
                                : xt_json_text_copy_few(p, s);
        return xt_json_text_care(v) == 0;
    }
    size_t last = s.n - XT_LANES;
    xt_lanes v = xt_lanes_load(s.p + last);
    unsigned care = xt_json_text_care(v);
    memcpy(p + last, &v, sizeof v);
    for (size_t i = 0; i < last && care == 0; i += XT_LANES) {
        v = xt_lanes_load(s.p + i);
        memcpy(p + i, &v, sizeof v);
        care = xt_json_text_care(v);
    }
    return care == 0;
}

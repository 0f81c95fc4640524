/*
 * base/slice - a borrowed run of bytes; how all text is passed
 *
 * Shape:     {p, n}; no NUL behind it, any byte inside it; p may be NULL when n is 0.
 * Ownership: borrowed: valid as long as what it was cut from. Never written through.
 * Threads:   values.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"

typedef struct xt_slice {
    const char *p;
    size_t n;
} xt_slice;

#define XT_S(literal) ((xt_slice){"" literal, sizeof(literal) - 1})
#define XT_S_NULL     ((xt_slice){NULL, 0})
/* for printf: printf("%.*s", XT_S_ARGS(s)) */
#define XT_S_ARGS(s)  (int)(s).n, (s).p

static inline xt_slice xt_slice_of(const void *p, size_t n)
{
    return (xt_slice){(const char *)p, n};
}

static inline xt_slice xt_slice_str(const char *z)
{
    return z ? (xt_slice){z, strlen(z)} : XT_S_NULL;
}

static inline bool xt_slice_eq(xt_slice a, xt_slice b)
{
    return a.n == b.n && (b.n == 0 || memcmp(a.p, b.p, b.n) == 0); /* b is often a literal: its length is known */
}

static inline bool xt_slice_starts(xt_slice s, xt_slice prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool xt_slice_ends(xt_slice s, xt_slice suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

/* The part from `from` on (empty past the end), and the first n bytes (all if shorter). */
static inline xt_slice xt_slice_skip(xt_slice s, size_t from)
{
    if (from > s.n)
        from = s.n;
    return from ? (xt_slice){s.p + from, s.n - from} : s; /* never adds to a NULL */
}

static inline xt_slice xt_slice_head(xt_slice s, size_t n)
{
    return (xt_slice){s.p, n < s.n ? n : s.n};
}

/* Order as memcmp, shorter first: <0, 0, >0. */
int xt_slice_cmp(xt_slice a, xt_slice b);

/* ASCII letters without case; all other bytes as they are. */
bool xt_slice_eq_nocase(xt_slice a, xt_slice b);
bool xt_slice_starts_nocase(xt_slice s, xt_slice prefix);
bool xt_slice_ends_nocase(xt_slice s, xt_slice suffix);

/* Offset of the first occurrence, or -1. An empty needle is found at 0. */
ptrdiff_t xt_slice_find(xt_slice s, xt_slice needle);
ptrdiff_t xt_slice_find_nocase(xt_slice s, xt_slice needle);
ptrdiff_t xt_slice_find_byte(xt_slice s, char byte);

/* Without leading and trailing bytes of " \t\r\n". */
xt_slice xt_slice_trim(xt_slice s);

/* Cuts the next piece before `sep` off *rest; false when *rest was exhausted (p == NULL). */
bool xt_slice_cut(xt_slice *rest, char sep, xt_slice *ret_piece);

/*
 * Wildcard match, ASCII case ignored: `*` any run (newlines too), `?` one byte when `question` is true.
 * A backslash takes the next byte literally (the last one of a pattern stands for itself).
 * Linear in practice: no recursion, last-star backtracking.
 */
bool xt_slice_glob_nocase(xt_slice s, xt_slice pattern, bool question);

/* The whole slice is one number, no sign but `-` in i64, no prefix: false otherwise (overflow too), *ret untouched. */
XT_MUST_USE bool xt_slice_parse_u64(xt_slice s, uint64_t *ret);
XT_MUST_USE bool xt_slice_parse_i64(xt_slice s, int64_t *ret);
XT_MUST_USE bool xt_slice_parse_hex(xt_slice s, uint64_t *ret);
XT_MUST_USE bool xt_slice_parse_octal(xt_slice s, uint64_t *ret);

/* XXH3; the 128-bit form is what ids and chains are made of. */
uint64_t xt_slice_hash(xt_slice s);
typedef struct xt_hash128 {
    uint8_t b[16];
} xt_hash128;
xt_hash128 xt_slice_hash128(xt_slice s);
static inline bool xt_hash128_eq(xt_hash128 a, xt_hash128 b)
{
    return memcmp(a.b, b.b, sizeof a.b) == 0;
}

/* Lower-case hex, NUL-ended: ret has room for 33 bytes; and back (32 digits, either case). */
void xt_hash128_format(xt_hash128 h, char ret[static 33]);
XT_MUST_USE bool xt_hash128_parse(xt_slice s, xt_hash128 *ret);

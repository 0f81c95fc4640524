/*
 * Case folding is ASCII only and by arithmetic, so that it never depends on a locale. The search compares
 * the first and the last byte of the needle at sixteen places at once (vector types of the compiler, no intrinsics):
 * text seldom has both at the right distance, so the full compare is rare. On command lines that is two to three
 * times as fast as memmem, which stays for long needles: it is linear whatever the text.
 */
#include "base/slice.h"

#include <xxhash.h>

static inline uint8_t fold(uint8_t c)
{
    return (uint8_t)(c + ((uint8_t)(c - 'A') < 26 ? 32 : 0));
}

static bool equal_nocase(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fold((uint8_t)a[i]) != fold((uint8_t)b[i]))
            return false;
    return true;
}

int xt_slice_cmp(xt_slice a, xt_slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;

    return order ? order : (a.n > b.n) - (a.n < b.n);
}

bool xt_slice_eq_nocase(xt_slice a, xt_slice b)
{
    return a.n == b.n && equal_nocase(a.p, b.p, a.n);
}

bool xt_slice_starts_nocase(xt_slice s, xt_slice prefix)
{
    return s.n >= prefix.n && equal_nocase(s.p, prefix.p, prefix.n);
}

bool xt_slice_ends_nocase(xt_slice s, xt_slice suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || equal_nocase(s.p + (s.n - suffix.n), suffix.p, suffix.n));
}

ptrdiff_t xt_slice_find_byte(xt_slice s, char byte)
{
    const char *hit = s.n ? memchr(s.p, byte, s.n) : NULL;

    return hit ? hit - s.p : -1;
}

#define LANES                  16
#define MAX_LANES_NEEDLE_BYTES 32
typedef uint8_t lanes __attribute__((vector_size(LANES)));
typedef uint64_t lane_halves __attribute__((vector_size(LANES)));

/* A byte to look for: found where (byte | bits) == want, so either case of a letter when bits is 0x20. */
typedef struct lanes_byte {
    lanes bits, want;
} lanes_byte;

static inline lanes_byte lanes_byte_of(char c, bool nocase)
{
    uint8_t want = nocase ? fold((uint8_t)c) : (uint8_t)c;
    uint8_t bits = nocase && (uint8_t)(want - 'a') < 26 ? 0x20 : 0;

    return (lanes_byte){(lanes){0} + bits, (lanes){0} + want};
}

static inline lanes load_lanes(const char *p)
{
    lanes v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline bool equal(const char *a, xt_slice b, bool nocase)
{
    return nocase ? equal_nocase(a, b.p, b.n) : memcmp(a, b.p, b.n) == 0;
}

/* Place of the first match among the LANES places from p on, or -1. */
static inline ptrdiff_t find_in_lanes(const char *p, xt_slice needle, lanes_byte first, lanes_byte last, bool nocase)
{
    lanes a = (lanes)((load_lanes(p) | first.bits) == first.want);
    lanes b = (lanes)((load_lanes(p + needle.n - 1) | last.bits) == last.want);
    lanes both = a & b;
    lane_halves halves = (lane_halves)both;

    if (!(halves[0] | halves[1]))
        return -1;
    for (int i = 0; i < LANES; i++)
        if (both[i] && equal(p + i, needle, nocase))
            return i;
    return -1;
}

/* For fewer than LANES places. */
static inline ptrdiff_t find_plain(xt_slice s, xt_slice needle, bool nocase)
{
    for (size_t i = 0; i + needle.n <= s.n; i++)
        if (equal(s.p + i, needle, nocase))
            return (ptrdiff_t)i;
    return -1;
}

static inline ptrdiff_t find(xt_slice s, xt_slice needle, bool nocase)
{
    if (needle.n == 0)
        return 0;
    if (s.n < needle.n)
        return -1;
    size_t n_places = s.n - needle.n + 1;
    if (n_places < LANES)
        return find_plain(s, needle, nocase);

    lanes_byte first = lanes_byte_of(needle.p[0], nocase), last = lanes_byte_of(needle.p[needle.n - 1], nocase);
    for (size_t i = 0;; i += LANES) {
        if (i > n_places - LANES)
            i = n_places - LANES; /* the last places once more with those before them */
        ptrdiff_t at = find_in_lanes(s.p + i, needle, first, last, nocase);
        if (at >= 0)
            return (ptrdiff_t)i + at;
        if (i == n_places - LANES)
            return -1;
    }
}

ptrdiff_t xt_slice_find(xt_slice s, xt_slice needle)
{
    if (needle.n <= MAX_LANES_NEEDLE_BYTES)
        return find(s, needle, false);
    const char *hit = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
    return hit ? hit - s.p : -1;
}

ptrdiff_t xt_slice_find_nocase(xt_slice s, xt_slice needle)
{
    return find(s, needle, true);
}

static inline bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

xt_slice xt_slice_trim(xt_slice s)
{
    while (s.n && is_space(s.p[0]))
        s = (xt_slice){s.p + 1, s.n - 1};
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool xt_slice_cut(xt_slice *rest, char sep, xt_slice *ret_piece)
{
    if (!rest->p)
        return false;
    ptrdiff_t at = xt_slice_find_byte(*rest, sep);
    if (at < 0) {
        *ret_piece = *rest;
        *rest = XT_S_NULL;
    } else {
        *ret_piece = xt_slice_head(*rest, (size_t)at);
        *rest = xt_slice_skip(*rest, (size_t)at + 1);
    }
    return true;
}

/* The bytes of a pattern up to its next special one. */
static xt_slice literal_head(xt_slice pattern, bool question)
{
    size_t n = 0;

    while (n < pattern.n && pattern.p[n] != '*' && pattern.p[n] != '\\' && !(question && pattern.p[n] == '?'))
        n++;
    return xt_slice_head(pattern, n);
}

/* What a pattern has at one place: a byte to be equal to, or any. Returns the bytes of the pattern it takes, or 0. */
static inline size_t glob_step(xt_slice pattern, size_t at, bool question, char c)
{
    if (at >= pattern.n)
        return 0;
    if (question && pattern.p[at] == '?')
        return 1;
    size_t escaped = pattern.p[at] == '\\' && at + 1 < pattern.n;
    return fold((uint8_t)pattern.p[at + escaped]) == fold((uint8_t)c) ? 1 + escaped : 0;
}

bool xt_slice_glob_nocase(xt_slice s, xt_slice pattern, bool question)
{
    size_t i = 0, j = 0, n;
    size_t run_end = 0, star = SIZE_MAX; /* where the last star's run ends so far, and the pattern behind it */
    xt_slice literal = XT_S_NULL;        /* what must stand at run_end */

    for (;;) {
        if (j < pattern.n && pattern.p[j] == '*') {
            star = ++j;
            run_end = i;
            literal = literal_head(xt_slice_skip(pattern, star), question);
        } else if (i < s.n && (n = glob_step(pattern, j, question, s.p[i])) != 0) {
            i++;
            j += n;
            continue;
        } else if (i == s.n && j == pattern.n) {
            return true;
        } else if (star == SIZE_MAX || run_end == s.n) {
            return false;
        } else {
            run_end++;
        }
        if (star == pattern.n)
            return true;
        ptrdiff_t at = xt_slice_find_nocase(xt_slice_skip(s, run_end), literal);
        if (at < 0)
            return false;
        run_end += (size_t)at;
        i = run_end + literal.n;
        j = star + literal.n;
    }
}

/* The value of a digit of any base up to 16; 255 for what is none. */
static inline unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    char low = (char)(c | 0x20);
    return low >= 'a' && low <= 'f' ? (unsigned)(low - 'a' + 10) : 255;
}

static bool parse_base(xt_slice s, unsigned base, uint64_t *ret)
{
    uint64_t v = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = digit_value(s.p[i]);
        if (digit >= base || __builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *ret = v;
    return true;
}

bool xt_slice_parse_u64(xt_slice s, uint64_t *ret)
{
    return parse_base(s, 10, ret);
}

bool xt_slice_parse_hex(xt_slice s, uint64_t *ret)
{
    return parse_base(s, 16, ret);
}

bool xt_slice_parse_octal(xt_slice s, uint64_t *ret)
{
    return parse_base(s, 8, ret);
}

bool xt_slice_parse_i64(xt_slice s, int64_t *ret)
{
    bool minus = s.n && s.p[0] == '-';
    uint64_t v;

    if (!parse_base(minus ? xt_slice_skip(s, 1) : s, 10, &v) || v > (uint64_t)INT64_MAX + minus)
        return false;
    *ret = minus ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

uint64_t xt_slice_hash(xt_slice s)
{
    return XXH3_64bits(s.p, s.n);
}

xt_hash128 xt_slice_hash128(xt_slice s)
{
    XXH128_canonical_t canonical;
    xt_hash128 h;

    XXH128_canonicalFromHash(&canonical, XXH3_128bits(s.p, s.n));
    memcpy(h.b, canonical.digest, sizeof h.b);
    return h;
}

void xt_hash128_format(xt_hash128 h, char ret[static 33])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < sizeof h.b; i++) {
        ret[2 * i] = digits[h.b[i] >> 4];
        ret[2 * i + 1] = digits[h.b[i] & 15];
    }
    ret[32] = '\0';
}

bool xt_hash128_parse(xt_slice s, xt_hash128 *ret)
{
    xt_hash128 h;

    if (s.n != 2 * sizeof h.b)
        return false;
    for (size_t i = 0; i < sizeof h.b; i++) {
        unsigned high = digit_value(s.p[2 * i]), low = digit_value(s.p[2 * i + 1]);
        if (high > 15 || low > 15)
            return false;
        h.b[i] = (uint8_t)(high << 4 | low);
    }
    *ret = h;
    return true;
}

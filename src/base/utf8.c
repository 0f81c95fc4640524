/*
 * Nearly all text is plain ASCII, so every function here first skips what xt_text_plain_head counts: sixteen bytes at
 * a time with the compiler's vector types. Compared as signed bytes, one "less than a space" finds the controls and
 * everything beyond ASCII.
 */
#include "base/utf8.h"

#include <endian.h>

#define LANES 16
typedef int8_t lanes __attribute__((vector_size(LANES)));
typedef uint64_t lane_halves __attribute__((vector_size(LANES)));

static inline bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* How many of the LANES bytes from p on are plain before the first that is not. */
static inline size_t plain_lanes(const char *p)
{
    lanes v;
    memcpy(&v, p, sizeof v);
    lane_halves special = (lane_halves)((v < 0x20) | (v == 0x7f) | (v == '"') | (v == '\\'));

    if (!(special[0] | special[1]))
        return LANES;
    size_t first = special[0] ? 0 : 1;
    return first * 8 + (size_t)__builtin_ctzll(le64toh(special[first])) / 8;
}

size_t xt_text_plain_head(xt_slice s)
{
    size_t i = 0;

    if (s.n < LANES) {
        while (i < s.n && is_plain((uint8_t)s.p[i]))
            i++;
        return i;
    }
    for (;; i += LANES) {
        if (i > s.n - LANES)
            i = s.n - LANES; /* the last bytes once more with those before them */
        size_t n = plain_lanes(s.p + i);
        if (n < LANES || i == s.n - LANES)
            return i + n;
    }
}

static inline bool is_tail(uint8_t c)
{
    return (c & 0xc0) == 0x80;
}

size_t xt_utf8_sequence(xt_slice s)
{
    const uint8_t *p = (const uint8_t *)s.p;

    if (s.n == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || s.n < 2 || !is_tail(p[1]))
        return 0;
    if (p[0] < 0xe0)
        return 2;
    if (s.n < 3 || !is_tail(p[2]))
        return 0;
    if (p[0] < 0xf0) /* neither overlong nor a surrogate */
        return (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ? 0 : 3;
    if (p[0] > 0xf4 || s.n < 4 || !is_tail(p[3]))
        return 0;
    return (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f) ? 0 : 4;
}

bool xt_utf8_is_valid(xt_slice s)
{
    for (;;) {
        s = xt_slice_skip(s, xt_text_plain_head(s));
        if (s.n == 0)
            return true;
        size_t n = xt_utf8_sequence(s);
        if (n == 0)
            return false;
        s = xt_slice_skip(s, n);
    }
}

static inline bool is_control(uint8_t c)
{
    return c < 0x20 || c == 0x7f;
}

/* Bytes of the clean character at the front (a backslash counts as clean), or 0. */
static inline size_t clean_sequence(xt_slice s)
{
    return s.n && is_control((uint8_t)s.p[0]) ? 0 : xt_utf8_sequence(s);
}

/* Bytes of clean characters at the front. */
static size_t clean_head(xt_slice s)
{
    size_t i = 0;

    for (;;) {
        i += xt_text_plain_head(xt_slice_skip(s, i));
        size_t n = clean_sequence(xt_slice_skip(s, i));
        if (n == 0)
            return i;
        i += n;
    }
}

bool xt_text_is_clean(xt_slice s)
{
    return clean_head(s) == s.n;
}

static void put_hex_byte(xt_buf *out, uint8_t c)
{
    static const char digits[] = "0123456789abcdef";

    xt_buf_put(out, xt_slice_of((char[]){'\\', 'x', digits[c >> 4], digits[c & 15]}, 4));
}

void xt_text_escape(xt_buf *out, xt_slice s)
{
    while (s.n) {
        size_t n = clean_head(s);
        xt_slice clean = xt_slice_head(s, n);
        for (ptrdiff_t at; (at = xt_slice_find_byte(clean, '\\')) >= 0; clean = xt_slice_skip(clean, (size_t)at + 1)) {
            xt_buf_put(out, xt_slice_head(clean, (size_t)at + 1));
            xt_buf_putc(out, '\\');
        }
        xt_buf_put(out, clean);
        if (n < s.n)
            put_hex_byte(out, (uint8_t)s.p[n++]);
        s = xt_slice_skip(s, n);
    }
}

/* The value of one lower-case hex digit, or -1. */
static int low_hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool xt_text_unescape(xt_buf *out, xt_slice s)
{
    for (ptrdiff_t at; (at = xt_slice_find_byte(s, '\\')) >= 0;) {
        xt_buf_put(out, xt_slice_head(s, (size_t)at));
        s = xt_slice_skip(s, (size_t)at + 1);
        int high = s.n >= 3 && s.p[0] == 'x' ? low_hex(s.p[1]) : -1;
        int low = high >= 0 ? low_hex(s.p[2]) : -1;
        if (s.n >= 1 && s.p[0] == '\\') {
            xt_buf_putc(out, '\\');
            s = xt_slice_skip(s, 1);
        } else if (high >= 0 && low >= 0) {
            xt_buf_putc(out, (char)(high << 4 | low));
            s = xt_slice_skip(s, 3);
        } else {
            return false;
        }
    }
    xt_buf_put(out, s);
    return true;
}

static uint32_t code_point(xt_slice sequence)
{
    const uint8_t *p = (const uint8_t *)sequence.p;

    switch (sequence.n) {
    case 1:
        return p[0];
    case 2:
        return (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
    case 3:
        return (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
    default:
        return (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
    }
}

/* Characters beyond ASCII that show nothing, or move what is around them (Unicode 15: Cc, Bidi_Control, Cf, Zl, Zp). */
static bool is_invisible(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x0080, 0x009f}, {0x00ad, 0x00ad}, {0x061c, 0x061c}, {0x180e, 0x180e}, {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
    };

    for (size_t i = 0; i < XT_COUNT_OF(ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

/* Writes the character at the front of s so that it can be seen; returns its bytes in s. */
static size_t put_visible(xt_buf *out, xt_slice s)
{
    size_t n = clean_sequence(s);

    if (n == 0) {
        put_hex_byte(out, (uint8_t)s.p[0]);
        return 1;
    }
    xt_slice sequence = xt_slice_head(s, n);
    uint32_t c = code_point(sequence);
    if (c >= 0x80 && is_invisible(c))
        xt_buf_printf(out, "\\u{%04x}", (unsigned)c);
    else
        xt_buf_put(out, sequence);
    return n;
}

void xt_text_visible(xt_buf *out, xt_slice s)
{
    while (s.n) {
        size_t n = xt_text_plain_head(s);
        xt_buf_put(out, xt_slice_head(s, n));
        s = xt_slice_skip(s, n);
        if (s.n)
            s = xt_slice_skip(s, put_visible(out, s));
    }
}

size_t xt_text_mark_cut(char *text, size_t n)
{
    static const char mark[] = "\xe2\x80\xa6";
    size_t at = n - (sizeof mark - 1);
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    memcpy(text + at, mark, sizeof mark - 1);
    return at + sizeof mark - 1;
}

bool xt_text_visible_head(xt_buf *out, xt_slice s)
{
    while (s.n && !out->failed) {
        size_t n = put_visible(out, s);
        if (out->failed) {
            out->failed = false;
            return false;
        }
        s = xt_slice_skip(s, n);
    }
    return s.n == 0;
}

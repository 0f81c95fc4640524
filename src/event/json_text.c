/*
 * Nearly all text is ASCII without a quote or a backslash: eight bytes at a time are looked at and copied at once.
 */
#include "event/json_text.h"

#include "base/utf8.h"

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* Not 0 when a byte of v is 0. */
static inline uint64_t has_zero(uint64_t v)
{
    return (v - ONES) & ~v & HIGHS;
}

/* Not 0 when a byte of v is a quote, a backslash, below 0x20, 0x7f or above. */
static inline uint64_t needs_care(uint64_t v)
{
    return ((v | (v - ONES * 0x20) | (v + ONES)) & HIGHS) | has_zero(v ^ ONES * '"') | has_zero(v ^ ONES * '\\');
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* One character that needs care; *n bytes of s were used. NULL when only escaping could write it. */
static char *put_careful(char *p, xt_slice s, bool escape, bool *has_backslash, size_t *n)
{
    unsigned char c = (unsigned char)s.p[0];
    *n = 1;
    if (c == '"' || c == '\\') {
        size_t n_slashes = c == '"' ? 1 : escape ? 3 : 1;
        for (size_t i = 0; i < n_slashes; i++)
            *p++ = '\\';
        *has_backslash |= c == '\\' && !escape;
        *p++ = (char)c;
        return p;
    }
    *n = c < 0x80 ? 0 : xt_utf8_sequence(s);
    if (*n > 0) {
        for (size_t i = 0; i < *n; i++)
            *p++ = s.p[i];
        return p;
    }
    *n = 1;
    if (!escape)
        return NULL;
    const char text[] = {'\\', '\\', 'x', "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15]};
    memcpy(p, text, sizeof text);
    return p + sizeof text;
}

static char *put_inside(char *p, xt_slice s, bool escape, bool *has_backslash)
{
    const char *from = s.p, *end = s.p + s.n;
    while (from < end) {
        uint64_t v;
        while (end - from >= 8) {
            memcpy(&v, from, 8);
            if (needs_care(v))
                break;
            memcpy(p, &v, 8);
            p += 8;
            from += 8;
        }
        while (from < end && is_plain((unsigned char)*from))
            *p++ = *from++;
        if (from == end)
            break;
        size_t n;
        p = put_careful(p, xt_slice_of(from, (size_t)(end - from)), escape, has_backslash, &n);
        if (!p)
            return NULL;
        from += n;
    }
    return p;
}

char *xt_json_text_string(char *p, xt_slice s, bool escape, bool *has_backslash)
{
    *p++ = '"';
    p = put_inside(p, s, escape, has_backslash);
    if (p)
        *p++ = '"';
    return p;
}

char *xt_json_text_dec(char *p, uint64_t v)
{
    char digits[20];
    int n = 0;
    do
        digits[n++] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    while (n > 0)
        *p++ = digits[--n];
    return p;
}

/*
 * Nearly all text is ASCII without a quote or a backslash: sixteen bytes at a time are looked at and copied at once.
 */
#include "event/json_text.h"

#include "base/utf8.h"

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
        *has_backslash |= c == '\\';
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

char *xt_json_text_put(char *p, xt_slice s, bool escape, bool *has_backslash)
{
    const char *from = s.p, *end = s.p + s.n;
    while (from < end) {
        while (end - from >= XT_LANES) {
            xt_lanes v = xt_lanes_load(from);
            unsigned care = xt_json_text_care(v), n = care ? (unsigned)__builtin_ctz(care) : XT_LANES;
            memcpy(p, &v, sizeof v);
            p += n;
            from += n;
            if (care)
                break;
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

static const char pairs[] = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243"
                            "4445464748495051525354555657585960616263646566676869707172737475767778798081828384858687"
                            "888990919293949596979899";

char *xt_json_text_dec(char *p, uint64_t v)
{
    char digits[20], *at = digits + sizeof digits;
    if (v < 10) {
        *p = (char)('0' + v);
        return p + 1;
    }
    for (; v >= 100; v /= 100)
        memcpy(at -= 2, pairs + v % 100 * 2, 2);
    if (v >= 10)
        memcpy(at -= 2, pairs + v * 2, 2);
    else
        *--at = (char)('0' + v);
    size_t n = (size_t)(digits + sizeof digits - at);
    for (size_t i = 0; i < n; i++)
        p[i] = at[i];
    return p + n;
}

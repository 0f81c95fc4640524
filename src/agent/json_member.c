/* How it works: values that are passed over are measured by counting brackets outside of strings, whatever is in them. */
#include "agent/json_member.h"

static xt_slice skip_blanks(xt_slice s)
{
    size_t i = 0;
    while (i < s.n && memchr(" \t\r\n", s.p[i], 4))
        i++;
    return xt_slice_skip(s, i);
}

/* Length of the string at the beginning, with its quotes; 0: it is none, or has no end. */
static size_t string_length(xt_slice s)
{
    if (s.n < 2 || s.p[0] != '"')
        return 0;
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '"')
            return i + 1;
        i += s.p[i] == '\\';
    }
    return 0;
}

/* Length of the value at the beginning; 0: it has no end. */
static size_t value_length(xt_slice s)
{
    size_t depth = 0, i = 0;
    while (i < s.n) {
        char c = s.p[i];
        size_t n = c == '"' ? string_length(xt_slice_skip(s, i)) : 1;
        if (n == 0)
            return 0;
        if (depth == 0 && memchr(",}] \t\r\n", c, 7))
            return i;
        depth += c == '{' || c == '[';
        i += n;
        if (c == '}' || c == ']')
            depth--;
        if (depth == 0 && memchr("\"}]", c, 3))
            return i;
    }
    return 0;
}

bool xt_json_member(xt_slice object, xt_slice name, xt_slice *ret_value)
{
    xt_slice s = skip_blanks(object);
    if (s.n == 0 || s.p[0] != '{')
        return false;
    s = skip_blanks(xt_slice_skip(s, 1));
    for (;;) {
        size_t n = string_length(s);
        if (n == 0)
            return false;
        xt_slice key = xt_slice_of(s.p + 1, n - 2);
        s = skip_blanks(xt_slice_skip(s, n));
        if (s.n == 0 || s.p[0] != ':')
            return false;
        s = skip_blanks(xt_slice_skip(s, 1));
        n = value_length(s);
        if (n == 0)
            return false;
        if (xt_slice_eq(key, name)) {
            *ret_value = xt_slice_head(s, n);
            return true;
        }
        s = skip_blanks(xt_slice_skip(s, n));
        if (s.n == 0 || s.p[0] != ',')
            return false;
        s = skip_blanks(xt_slice_skip(s, 1));
    }
}

static bool hex4(xt_slice s, uint32_t *ret)
{
    uint32_t v = 0;
    for (size_t i = 0; i < 4; i++) {
        char c = i < s.n ? s.p[i] : '\0', small = c | 0x20;
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if (small >= 'a' && small <= 'f')
            v = v << 4 | (uint32_t)(small - 'a' + 10);
        else
            return false;
    }
    *ret = v;
    return true;
}

static void put_utf8(xt_buf *out, uint32_t c)
{
    if (c < 0x80) {
        xt_buf_putc(out, (char)c);
        return;
    }
    if (c >= 0x10000)
        xt_buf_putc(out, (char)(0xf0 | c >> 18));
    if (c >= 0x800)
        xt_buf_putc(out, (char)(c >= 0x10000 ? 0x80 | (c >> 12 & 0x3f) : 0xe0 | c >> 12));
    xt_buf_putc(out, (char)(c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6));
    xt_buf_putc(out, (char)(0x80 | (c & 0x3f)));
}

/* Behind \u; how many bytes that took, 0: it is none. */
static size_t put_unicode(xt_slice s, xt_buf *out)
{
    uint32_t high, low;
    if (!hex4(s, &high))
        return 0;
    if (high < 0xd800 || high > 0xdfff) {
        put_utf8(out, high);
        return 4;
    }
    bool is_pair = high < 0xdc00 && s.n >= 10 && s.p[4] == '\\' && s.p[5] == 'u' && hex4(xt_slice_skip(s, 6), &low) &&
                   low >= 0xdc00 && low <= 0xdfff;
    put_utf8(out, is_pair ? 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00) : 0xfffd);
    return is_pair ? 10 : 4;
}

bool xt_json_text(xt_slice value, xt_buf *out)
{
    static const char letters[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    size_t n = string_length(value);
    if (n == 0)
        return false;
    xt_slice s = xt_slice_of(value.p + 1, n - 2);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\\') {
            xt_buf_putc(out, s.p[i]);
            continue;
        }
        const char *letter = ++i < s.n && s.p[i] ? strchr(letters, s.p[i]) : NULL;
        size_t taken = i < s.n && s.p[i] == 'u' ? put_unicode(xt_slice_skip(s, i + 1), out) : 0;
        if (letter)
            xt_buf_putc(out, means[letter - letters]);
        else if (taken == 0)
            return false;
        i += taken;
    }
    return true;
}

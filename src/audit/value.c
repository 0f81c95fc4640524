/*
 * Hex is decoded through a table of digit values without a branch a digit: errors are gathered and looked at once
 * at the end. The names of string fields are a sorted list in groups of equal length, so a name that cannot match
 * costs one look at its length.
 */
#include "audit/value.h"

#include <errno.h>
#include <linux/audit.h>

#define DIGIT   0x40 /* a hex digit at all */
#define CAPITAL 0x80 /* and not in small letters */
#define D(v)    (DIGIT | CAPITAL | (v))
#define S(v)    (DIGIT | (v))
/* clang-format off */
static const uint8_t digit_values[256] = {
    ['0'] = D(0), D(1), D(2), D(3), D(4), D(5), D(6), D(7), D(8), D(9),
    ['A'] = D(10), D(11), D(12), D(13), D(14), D(15),
    ['a'] = S(10), S(11), S(12), S(13), S(14), S(15),
};
/* clang-format on */

/* The flags that all digits have; out holds nonsense where DIGIT is not among them. n_digits is even. */
static unsigned unhex(const char *digits, size_t n_digits, char *out)
{
    const unsigned char *p = (const unsigned char *)digits;
    unsigned all = DIGIT | CAPITAL;
    for (size_t i = 0; i < n_digits / 2; i++) {
        unsigned high = digit_values[p[2 * i]], low = digit_values[p[2 * i + 1]];
        all &= high & low;
        out[i] = (char)((high & 0xf) << 4 | (low & 0xf));
    }
    return all;
}

bool xt_value_unhex(xt_slice digits, char *out)
{
    return digits.n % 2 == 0 && (unhex(digits.p, digits.n, out) & DIGIT);
}

static bool is_one_of(xt_slice name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(name.p, names[i], name.n) == 0)
            return true;
    return false;
}

#define IS_ONE_OF(name, ...) \
    is_one_of((name), (const char *const[]){__VA_ARGS__}, XT_COUNT_OF(((const char *const[]){__VA_ARGS__})))

static bool is_string_name(xt_slice name)
{
    switch (name.n) {
    case 2:
        return IS_ONE_OF(name, "vm", "sw");
    case 3:
        return IS_ONE_OF(name, "exe", "cwd", "key", "cmd", "dir", "grp");
    case 4:
        return IS_ONE_OF(name, "name", "comm", "path", "data", "acct", "file", "peer", "kmod");
    case 5:
        return IS_ONE_OF(name, "watch", "ocomm", "label");
    case 6:
        return IS_ONE_OF(name, "device", "cgroup", "old-fs", "new-fs", "target");
    case 7:
        return IS_ONE_OF(name, "profile", "srcname");
    case 8:
        return IS_ONE_OF(name, "old-disk", "new-disk", "root_dir");
    case 9:
        return IS_ONE_OF(name, "proctitle");
    case 11:
        return IS_ONE_OF(name, "old-chardev", "new-chardev");
    case 15:
        return IS_ONE_OF(name, "invalid_context");
    default:
        return false;
    }
}

/* a0, a17, a17[3]; not a17_len. */
static bool is_execve_argument(xt_slice name)
{
    size_t i = 1;
    while (i < name.n && name.p[i] >= '0' && name.p[i] <= '9')
        i++;
    return i > 1 && name.p[0] == 'a' && (i == name.n || name.p[i] == '[');
}

bool xt_value_is_string_field(uint16_t record_type, xt_slice name)
{
    if (record_type == AUDIT_EXECVE)
        return is_execve_argument(name);
    if (is_string_name(name))
        return true;
    /* a file system's device by name; elsewhere MAJOR:MINOR, or an interface in plain text */
    bool names_device = (record_type >= AUDIT_AVC && record_type < AUDIT_FIRST_KERN_ANOM_MSG) ||
                        (record_type >= AUDIT_INTEGRITY_DATA && record_type < AUDIT_KERNEL);
    return names_device && xt_slice_eq(name, XT_S("dev"));
}

int xt_value_text(xt_arena *arena, const xt_audit_field *field, xt_slice *ret, bool *ret_null)
{
    xt_slice value = field->value;
    bool is_null = field->quoting == XT_BARE && xt_slice_eq(value, XT_S("(null)"));
    if (is_null) {
        value = XT_S_NULL;
    } else if (field->quoting == XT_BARE && value.n > 0 && value.n % 2 == 0) {
        xt_arena_mark mark = xt_arena_mark_get(arena);
        char *text = xt_arena_alloc(arena, value.n / 2);
        if (!text)
            return xt_error_origin(-ENOMEM);
        if (unhex(value.p, value.n, text) & CAPITAL)
            value = xt_slice_of(text, value.n / 2);
        else
            xt_arena_mark_reset(arena, mark);
    }
    *ret = value;
    *ret_null = is_null;
    return 0;
}

/* Any 18 digits fit; the rest is for the careful parser. */
bool xt_value_u64(xt_slice text, uint64_t *ret)
{
    uint64_t v = 0;
    if (text.n == 0 || text.n > 18)
        return xt_slice_parse_u64(text, ret);
    for (size_t i = 0; i < text.n; i++) {
        unsigned digit = (unsigned char)text.p[i] - (unsigned)'0';
        if (digit > 9)
            return false;
        v = v * 10 + digit;
    }
    *ret = v;
    return true;
}

bool xt_value_i64(xt_slice text, int64_t *ret)
{
    return xt_slice_parse_i64(text, ret);
}

bool xt_value_id(xt_slice text, uint32_t *ret)
{
    uint64_t v;
    if (!xt_value_u64(text, &v)) {
        if (!xt_slice_eq(text, XT_S("unset")) && !xt_slice_eq(text, XT_S("-1")))
            return false;
        v = XT_ID_UNSET;
    }
    if (v > UINT32_MAX)
        return false;
    *ret = (uint32_t)v;
    return true;
}

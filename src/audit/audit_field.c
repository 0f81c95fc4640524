/*
 * The field iterator. A name is short, so it is looked for eight bytes at a time; a value may be 7 KiB of hex, so
 * after some words memchr takes over. Every byte is looked at a bounded number of times: a quote that is never
 * closed takes all that is left with it.
 */
#include <endian.h>

#include "audit/record.h"

#define ONES UINT64_C(0x0101010101010101)

/* A mark in the top bit of the bytes of v that equal c; the lowest mark is exact. */
static inline uint64_t marks(uint64_t v, char c)
{
    uint64_t x = v ^ ONES * (unsigned char)c;
    return (x - ONES) & ~x & ONES << 7;
}

static inline uint64_t load(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return le64toh(v);
}

static inline const char *find_space_or_equals(const char *p, const char *end)
{
    for (; end - p >= 8; p += 8) {
        uint64_t v = load(p), m = marks(v, '=') | marks(v, ' ');
        if (m)
            return p + (__builtin_ctzll(m) >> 3);
    }
    while (p < end && *p != '=' && *p != ' ')
        p++;
    return p;
}

static inline const char *find_space(const char *p, const char *end)
{
    for (int i = 0; i < 4 && end - p >= 8; i++, p += 8) {
        uint64_t m = marks(load(p), ' ');
        if (m)
            return p + (__builtin_ctzll(m) >> 3);
    }
    const char *found = p < end ? memchr(p, ' ', (size_t)(end - p)) : NULL;
    return found ? found : end;
}

/* Sets the value from p to the closing byte at `close` (NULL: cut off, to the end); what follows it. */
static const char *closed(xt_audit_field *field, xt_quoting quoting, const char *p, const char *close, const char *end)
{
    field->quoting = quoting;
    field->is_cut = !close;
    field->value = xt_slice_of(p, (size_t)((close ? close : end) - p));
    return close ? close + 1 : end;
}

/*
 * '...': msg='...' is the last thing the kernel writes and may hold quotes, so it ends at the last one; others
 * (error_msg='...' of device mapper) end at the next. NULL when it is not such a value.
 */
static const char *single_quoted(xt_audit_field *field, const char *p, const char *end)
{
    if (xt_slice_eq(field->name, XT_S("msg")))
        return closed(field, XT_SINGLE, p, memrchr(p, '\'', (size_t)(end - p)), end);
    const char *close = memchr(p, '\'', (size_t)(end - p));
    return close ? closed(field, XT_SINGLE, p, close, end) : NULL;
}

/* auditd's { a=b c=d }, ended by " }" before a space or the end; cut off, it takes all that is left. */
static const char *braced(xt_audit_field *field, const char *p, const char *end)
{
    const char *close = p;
    while ((close = memchr(close, '}', (size_t)(end - close))) != NULL) {
        if (close[-1] == ' ' && (close + 1 == end || close[1] == ' '))
            break;
        close++;
    }
    const char *next = closed(field, XT_BRACED, p, close, end);
    field->value = xt_slice_trim(field->value);
    return next;
}

/* " (enforce)" behind a label that AppArmor wrote: lower-case letters in brackets. */
static const char *label_mode(const char *p, const char *end)
{
    const char *q = p + 2;
    if (end - p < 4 || p[1] != '(')
        return p;
    while (q < end && *q >= 'a' && *q <= 'z')
        q++;
    return q < end && *q == ')' && q > p + 2 ? q + 1 : p;
}

static const char *bare(xt_audit_field *field, const char *p, const char *end)
{
    const char *stop = find_space(p, end);
    if (stop < end && (xt_slice_eq(field->name, XT_S("subj")) || xt_slice_eq(field->name, XT_S("obj"))))
        stop = label_mode(stop, end);
    xt_slice value = xt_slice_of(p, (size_t)(stop - p));
    /* old programs' "(hostname=?, addr=?, terminal=cron res=success)"; but (null) and (none) are values */
    if (value.n > 0 && value.p[value.n - 1] == ')' && !memchr(value.p, '(', value.n))
        value.n--;
    if (value.n > 0 && value.p[value.n - 1] == ',')
        value.n--;
    field->quoting = XT_BARE;
    field->is_cut = false;
    field->value = value;
    return stop;
}

static const char *take_value(xt_audit_field *field, const char *p, const char *end)
{
    if (p < end && *p == '"')
        return closed(field, XT_DOUBLE, p + 1, memchr(p + 1, '"', (size_t)(end - p - 1)), end);
    /* only auditd writes names in capitals: the name of a network device may start with a brace */
    if (p < end && *p == '{' && field->name.p[0] >= 'A' && field->name.p[0] <= 'Z')
        return braced(field, p + 1, end);
    const char *next = p < end && *p == '\'' ? single_quoted(field, p + 1, end) : NULL;
    return next ? next : bare(field, p, end);
}

bool xt_audit_field_next(xt_slice *rest, xt_audit_field *ret)
{
    if (rest->n == 0)
        return false;
    const char *p = rest->p, *end = p + rest->n;
    while (p < end && *p == ' ')
        p++;
    if (p == end) {
        *rest = xt_slice_of(end, 0);
        return false;
    }
    const char *stop = find_space_or_equals(p, end);
    if (stop == end || *stop == ' ' || stop == p) {
        stop = find_space(stop, end);
        *ret = (xt_audit_field){xt_slice_of(p, 0), xt_slice_of(p, (size_t)(stop - p)), XT_BARE, false};
    } else {
        if (*p == '(' && stop > p + 1)
            p++;
        ret->name = xt_slice_of(p, (size_t)(stop - p));
        stop = take_value(ret, stop + 1, end);
    }
    *rest = xt_slice_of(stop, (size_t)(end - stop));
    return true;
}

bool xt_audit_field_find(xt_slice body, xt_slice name, xt_audit_field *ret)
{
    xt_audit_field field;
    while (xt_audit_field_next(&body, &field)) {
        if (field.name.n > 0 && xt_slice_eq(field.name, name)) {
            *ret = field;
            return true;
        }
    }
    return false;
}

/*
 * The field iterator. A name or a short value is looked for sixteen bytes at a time; a value may be 7 KiB of hex, so
 * after some words memchr takes over. Where a table says which name the kernel writes next, that name is compared as
 * one number where it should stand, and only when it does not, the field is cut off first and its row looked for.
 * Every byte is looked at a bounded number of times: a quote that is never closed takes all that is left with it.
 */
#include <endian.h>

#include "audit/field_row.h"
#include "base/lanes.h"

static inline const char *find_space_or_equals(const char *p, const char *end)
{
    for (; end - p >= XT_LANES; p += XT_LANES) {
        xt_lanes v = xt_lanes_load(p);
        unsigned found = xt_lanes_mask((v == '=') | (v == ' '));
        if (found)
            return p + __builtin_ctz(found);
    }
    while (p < end && *p != '=' && *p != ' ')
        p++;
    return p;
}

static inline const char *find_space(const char *p, const char *end)
{
    const char *found = xt_lanes_find_near(p, end, ' ');
    return found ? found : end;
}

/* Sets the value from p to the closing byte at `close` (NULL: cut off, to the end); what follows it. */
static inline const char *closed(xt_audit_field *field, xt_quoting quoting, const char *p, const char *close,
                                 const char *end)
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

/*
 * What is not part of a bare value that ends at stop: the last byte is a bracket or a comma of an old program's making,
 * "(hostname=?, addr=?, terminal=cron res=success)"; but (null) and (none) are values.
 */
static __attribute__((noinline)) xt_slice without_framing(xt_slice value)
{
    if (value.p[value.n - 1] == ')' && !memchr(value.p, '(', value.n))
        value.n--;
    if (value.n > 0 && value.p[value.n - 1] == ',')
        value.n--;
    return value;
}

static inline bool has_label(const xt_audit_field *field)
{
    return xt_slice_eq(field->name, XT_S("subj")) || xt_slice_eq(field->name, XT_S("obj"));
}

static inline __attribute__((always_inline)) const char *bare(xt_audit_field *field, const char *p, const char *end)
{
    const char *stop = find_space(p, end);
    if (end - stop >= 4 && stop[1] == '(' && has_label(field))
        stop = label_mode(stop, end);
    xt_slice value = xt_slice_of(p, (size_t)(stop - p));
    if (value.n > 0 && (stop[-1] == ')' || stop[-1] == ','))
        value = without_framing(value);
    field->quoting = XT_BARE;
    field->is_cut = false;
    field->value = value;
    return stop;
}

/* What begins with a brace or a single quote. */
static __attribute__((noinline)) const char *take_rare(xt_audit_field *field, const char *p, const char *end)
{
    /* only auditd writes names in capitals: the name of a network device may start with a brace */
    if (p < end && *p == '{' && field->name.p[0] >= 'A' && field->name.p[0] <= 'Z')
        return braced(field, p + 1, end);
    const char *next = p < end && *p == '\'' ? single_quoted(field, p + 1, end) : NULL;
    return next ? next : bare(field, p, end);
}

static inline __attribute__((always_inline)) const char *take_value(xt_audit_field *field, const char *p,
                                                                    const char *end)
{
    if (p < end && *p == '"')
        return closed(field, XT_DOUBLE, p + 1, xt_lanes_find_near(p + 1, end, '"'), end);
    if (p < end && (*p == '{' || *p == '\''))
        return take_rare(field, p, end);
    return bare(field, p, end);
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

/* ---- rows ---- */

/* The bytes of a name of up to 8 bytes as one number. */
static inline uint64_t name_number(xt_slice name)
{
    uint32_t a, b;
    uint16_t c, d;
    if (name.n >= 4) {
        memcpy(&a, name.p, 4);
        memcpy(&b, name.p + name.n - 4, 4);
        return le32toh(a) | (uint64_t)le32toh(b) << (8 * (name.n - 4));
    }
    if (name.n >= 2) {
        memcpy(&c, name.p, 2);
        memcpy(&d, name.p + name.n - 2, 2);
        return le16toh(c) | (uint64_t)le16toh(d) << (8 * (name.n - 2));
    }
    return name.n == 1 ? (unsigned char)name.p[0] : 0;
}

static inline const xt_row_name *row_name(const xt_row_table *table, size_t i)
{
    return (const xt_row_name *)(const void *)((const char *)table->rows + i * table->row_bytes);
}

static inline uint64_t load_name(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return le64toh(v);
}

size_t xt_row_find(const xt_row_table *table, xt_slice name, size_t *cursor)
{
    if (name.n > 8)
        return table->n;
    uint64_t wanted = name_number(name);
    size_t at = *cursor;
    for (size_t i = 0; i < table->n; i++, at++) {
        if (at >= table->n)
            at = 0;
        if (load_name(row_name(table, at)->text) == wanted) {
            *cursor = at + 1;
            return at;
        }
    }
    return table->n;
}

/* Whether the text at p is name=. */
static inline bool stands_at(const xt_row_name *name, const char *p, const char *end)
{
    if (end - p < 9) /* a name of 8 and its = */
        return false;
    uint64_t there = load_name(p) & UINT64_MAX >> (64 - 8 * name->n);
    return there == load_name(name->text) && p[name->n] == '=';
}

bool xt_row_next(const xt_row_table *table, xt_slice *rest, size_t *cursor, xt_audit_field *ret, size_t *ret_row)
{
    if (rest->n == 0)
        return false;
    const char *p = rest->p, *end = p + rest->n;
    size_t at = *cursor;
    if (*p == ' ')
        p++;
    if (at < table->n && stands_at(row_name(table, at), p, end)) {
        ret->name = xt_slice_of(p, row_name(table, at)->n);
        p = take_value(ret, p + ret->name.n + 1, end);
        *rest = xt_slice_of(p, (size_t)(end - p));
        *cursor = at + 1;
        *ret_row = at;
        return true;
    }
    if (!xt_audit_field_next(rest, ret))
        return false;
    *ret_row = xt_row_find(table, ret->name, cursor);
    return true;
}

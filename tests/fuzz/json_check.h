/*
 * tests/fuzz/json_check - a strict reader of JSON, written apart from what it checks, and the check of a document
 * against its event
 *
 * Shape:     json_skip walks one value (RFC 8259, valid UTF-8, no name twice in an object of up to 64 names).
 */
#pragma once
#include "base/utf8.h"
#include "event/event_json.h"

static const char *json_skip(const char *p, const char *end, int depth);

static inline const char *json_skip_string(const char *p, const char *end)
{
    if (p == end || *p++ != '"')
        return NULL;
    while (p < end && *p != '"') {
        if ((unsigned char)*p < 0x20)
            return NULL;
        if (*p != '\\') {
            size_t n = xt_utf8_sequence(xt_slice_of(p, (size_t)(end - p)));
            if (n == 0)
                return NULL;
            p += n;
        } else {
            if (end - p < 2 || !memchr("\"\\/bfnrt", p[1], 8)) /* \u is never written */
                return NULL;
            p += 2;
        }
    }
    return p < end ? p + 1 : NULL;
}

static inline const char *json_skip_number(const char *p, const char *end)
{
    if (p < end && *p == '-')
        p++;
    const char *first = p;
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p == first || (*first == '0' && p - first > 1) ? NULL : p;
}

static inline const char *json_skip_object(const char *p, const char *end, int depth)
{
    xt_slice names[64];
    size_t n = 0;
    if (p < end && *p == '}')
        return p + 1;
    for (;; p++) {
        const char *stop = json_skip_string(p, end);
        if (!stop || stop == end || *stop != ':')
            return NULL;
        xt_slice name = xt_slice_of(p, (size_t)(stop - p));
        for (size_t i = 0; i < n; i++)
            if (xt_slice_eq(names[i], name))
                return NULL;
        if (n < XT_COUNT_OF(names))
            names[n++] = name;
        p = json_skip(stop + 1, end, depth + 1);
        if (!p || p == end || (*p != ',' && *p != '}'))
            return NULL;
        if (*p == '}')
            return p + 1;
    }
}

static inline const char *json_skip_array(const char *p, const char *end, int depth)
{
    if (p < end && *p == ']')
        return p + 1;
    for (;; p++) {
        p = json_skip(p, end, depth + 1);
        if (!p || p == end || (*p != ',' && *p != ']'))
            return NULL;
        if (*p == ']')
            return p + 1;
    }
}

static const char *json_skip(const char *p, const char *end, int depth)
{
    if (!p || p >= end || depth > 16)
        return NULL;
    if (*p == '{')
        return json_skip_object(p + 1, end, depth);
    if (*p == '[')
        return json_skip_array(p + 1, end, depth);
    return *p == '"' ? json_skip_string(p, end) : json_skip_number(p, end);
}

/* The value of a name in the object that `object` is; p == NULL when it is not there. */
static inline xt_slice json_member(xt_slice object, xt_slice name)
{
    const char *p = object.p + 1, *end = object.p + object.n;
    while (object.n > 2 && p && p < end && *p == '"') {
        const char *stop = json_skip_string(p, end), *next = json_skip(stop + 1, end, 0);
        if (xt_slice_eq(xt_slice_of(p + 1, (size_t)(stop - p) - 2), name))
            return xt_slice_of(stop + 1, (size_t)(next - stop) - 1);
        p = next + 1;
    }
    return XT_S_NULL;
}

static inline xt_slice json_path(xt_slice document, xt_slice path)
{
    xt_slice name;
    while (document.p && xt_slice_cut(&path, '.', &name))
        document = *document.p == '{' ? json_member(document, name) : XT_S_NULL;
    return document;
}

/* The bytes that a string stands for: JSON undone, then the escaping. False when it is no string of that kind. */
static inline bool json_bytes(xt_slice string, bool is_escaped, xt_buf *out)
{
    xt_buf text = XT_BUF_INIT;
    if (string.n < 2 || *string.p != '"')
        return false;
    for (const char *p = string.p + 1; p < string.p + string.n - 1; p++) {
        p += *p == '\\'; /* only \" and \\ are written */
        xt_buf_putc(&text, *p);
    }
    xt_buf_reset(out);
    bool ok = true;
    if (is_escaped)
        ok = xt_text_unescape(out, xt_buf_slice(&text));
    else
        xt_buf_put(out, xt_buf_slice(&text));
    xt_buf_fini(&text);
    return ok;
}

static inline bool json_is_escaped(xt_slice document)
{
    return xt_slice_find(json_path(document, XT_S("exectrail.flags")), XT_S("\"escaped\"")) >= 0;
}

static inline bool json_holds(xt_slice value, xt_slice bytes, bool is_escaped)
{
    xt_buf text = XT_BUF_INIT;
    bool is_same = json_bytes(value, is_escaped, &text) && xt_slice_eq(xt_buf_slice(&text), bytes);
    xt_buf_fini(&text);
    return is_same;
}

/* Items of a list one after the other; `extra` more may follow (the flag "escaped"). */
static inline bool json_holds_list(xt_slice array, xt_slice list, bool is_escaped)
{
    const char *p = array.p + 1, *end = array.p + array.n;
    xt_list_iter iter = xt_list_iterate(list);
    for (xt_slice item; xt_list_next(&iter, &item); p++) {
        const char *stop = json_skip(p, end, 0);
        if (!stop || !json_holds(xt_slice_of(p, (size_t)(stop - p)), item, is_escaped))
            return false;
        p = stop;
    }
    return true;
}

/* NULL, or what is wrong with the document of that event. */
static inline const char *json_check_document(const xt_event *event, xt_slice document)
{
    if (json_skip(document.p, document.p + document.n, 0) != document.p + document.n)
        return "this is not JSON";
    bool is_escaped = json_is_escaped(document);
    for (unsigned id = 1; id < XT_F_END; id++) {
        const xt_field_info *info = xt_field_find(id);
        if (!info || !xt_event_has(event, info->id) || id == XT_F_RECORDS)
            continue;
        xt_slice value = json_path(document, xt_slice_str(info->name)), bytes = event->values[id].bytes;
        if (!value.p)
            return info->name;
        if (*value.p == '[' && info->type == XT_TEXT) /* RECORDS holds the name as well */
            value = xt_slice_of(value.p + 1, (size_t)(json_skip(value.p + 1, value.p + value.n, 0) - value.p) - 1);
        if (info->type == XT_TEXT && !json_holds(value, bytes, is_escaped))
            return info->name;
        if (info->type == XT_LIST && !json_holds_list(value, bytes, is_escaped))
            return info->name;
    }
    return NULL;
}

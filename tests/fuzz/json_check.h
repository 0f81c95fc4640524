/*
 * tests/fuzz/json_check - whether a document is JSON and says what its event says
 *
 * Shape:     two readers that are not the writer's: json_skip walks one value (RFC 8259, valid UTF-8, no name twice in an
 *            object of up to 64 names, no \u), and jansson, whose strings are turned back into the event's bytes.
 */
#pragma once
#include <jansson.h>
#include <string.h>

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

static inline bool json_is_escaped(xt_slice document)
{
    return xt_slice_find(json_path(document, XT_S("exectrail.flags")), XT_S("\"escaped\"")) >= 0;
}

/* ---- a document against its event, read by a parser of others ---- */

/* Integers above the signed 64 bits are read as fractions: that they are JSON is what matters. */
static inline json_t *json_read(xt_slice document)
{
    json_t *root = json_loadb(document.p, document.n, JSON_REJECT_DUPLICATES, NULL);
    return root ? root : json_loadb(document.p, document.n, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
}

/* The value of a path with dots; NULL when there is none. */
static inline json_t *json_at(json_t *object, xt_slice path)
{
    xt_slice name;
    while (object && xt_slice_cut(&path, '.', &name))
        object = json_object_getn(object, name.p, name.n);
    return object;
}

static inline bool json_says_escaped(json_t *root)
{
    size_t i;
    json_t *flag;
    json_array_foreach(json_at(root, XT_S("exectrail.flags")), i,
                       flag) if (json_is_string(flag) && strcmp(json_string_value(flag), "escaped") == 0) return true;
    return false;
}

/* Whether the string stands for these bytes. */
static inline bool json_stands_for(json_t *string, xt_slice bytes, bool is_escaped)
{
    xt_buf text = XT_BUF_INIT;
    if (!json_is_string(string))
        return false;
    xt_slice value = xt_slice_of(json_string_value(string), json_string_length(string));
    bool is_same = is_escaped ? xt_text_unescape(&text, value) && xt_slice_eq(xt_buf_slice(&text), bytes)
                              : xt_slice_eq(value, bytes);
    xt_buf_fini(&text);
    return is_same;
}

/* Items of a list one after the other; more may follow (the flag "escaped"). */
static inline bool json_stands_for_list(json_t *array, xt_slice list, bool is_escaped)
{
    xt_list_iter iter = xt_list_iterate(list);
    size_t i = 0;
    for (xt_slice item; xt_list_next(&iter, &item); i++)
        if (!json_stands_for(json_array_get(array, i), item, is_escaped))
            return false;
    return json_is_array(array);
}

static inline bool json_stands_for_number(json_t *value, const xt_field_info *info, uint64_t number)
{
    char digits[24];
    xt_buf text = {.p = digits, .cap = sizeof digits, .max_bytes = sizeof digits};
    if (json_is_real(value))
        return true;
    if (json_is_integer(value))
        return (uint64_t)json_integer_value(value) == number;
    xt_buf_put_dec(&text, number);
    return info->type == XT_TIME || json_stands_for(value, xt_buf_slice(&text), false);
}

static inline bool json_has_value(json_t *root, const xt_event *event, const xt_field_info *info, bool is_escaped)
{
    json_t *value = json_at(root, xt_slice_str(info->name));
    xt_slice bytes = event->values[info->id].bytes;
    if (info->type == XT_TEXT) /* RECORDS may hold the name as well */
        return json_stands_for(json_is_array(value) ? json_array_get(value, 0) : value, bytes, is_escaped);
    if (info->type == XT_LIST)
        return json_stands_for_list(value, bytes, is_escaped);
    if (info->type <= XT_INT)
        return json_stands_for_number(json_is_array(value) ? json_array_get(value, 0) : value, info,
                                      event->values[info->id].num);
    return value != NULL;
}

/* A member of the object's own: a field of that name, with any number of _ behind it, has one more. */
static inline bool json_is_own_name(xt_slice name)
{
    while (name.n > 0 && name.p[name.n - 1] == '_')
        name.n--;
    return xt_slice_eq(name, XT_S("type")) || xt_slice_eq(name, XT_S("raw")) || xt_slice_eq(name, XT_S("untrusted")) ||
           xt_slice_eq(name, XT_S("interpreted"));
}

static inline bool json_record_has(json_t *record, const xt_rec_field *field, bool is_escaped)
{
    xt_buf text = XT_BUF_INIT;
    xt_slice name = field->name.n > 0 ? field->name : XT_S("text");
    bool found = false;
    size_t i;
    json_t *item;
    if (is_escaped)
        xt_text_escape(&text, name);
    else
        xt_buf_put(&text, name);
    if (json_is_own_name(name))
        xt_buf_putc(&text, '_');
    json_t *value = json_object_getn(record, text.n > 0 ? text.p : "", text.n);
    xt_buf_fini(&text);
    found |= json_stands_for(value, field->value, is_escaped);
    json_array_foreach(value, i, item) found |= json_stands_for(item, field->value, is_escaped);
    return found;
}

/* Every field of RECORDS in the object of its record. */
static inline bool json_has_records(json_t *records, xt_slice list, bool is_escaped)
{
    xt_rec_iter iter = xt_recs_iterate(list);
    size_t n = 0;
    for (uint16_t type; xt_recs_next(&iter, &type); n++)
        for (xt_rec_field field; xt_recs_next_field(&iter, &field);)
            if (!json_record_has(json_array_get(records, n), &field, is_escaped))
                return false;
    return json_array_size(records) == n;
}

static inline const char *json_check_values(const xt_event *event, json_t *root)
{
    bool is_escaped = json_says_escaped(root);
    for (unsigned id = 1; id < XT_F_END; id++) {
        const xt_field_info *info = xt_field_find(id);
        if (info && id != XT_F_RECORDS && xt_event_has(event, info->id) &&
            !json_has_value(root, event, info, is_escaped))
            return info->name;
    }
    json_t *records = json_at(root, XT_S("auditd.records"));
    return !records || json_has_records(records, xt_event_bytes(event, XT_F_RECORDS), is_escaped) ? NULL
                                                                                                  : "auditd.records";
}

/* NULL, or what is wrong with the document of that event. */
static inline const char *json_check_document(const xt_event *event, xt_slice document)
{
    if (json_skip(document.p, document.p + document.n, 0) != document.p + document.n)
        return "this is not JSON as it is written here";
    json_t *root = json_read(document);
    const char *wrong = root ? json_check_values(event, root) : "this is not JSON";
    json_decref(root);
    return wrong;
}

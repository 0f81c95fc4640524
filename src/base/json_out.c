/*
 * `has_item` holds one bit for each open object or array: whether the next item needs a comma before it. Strings are
 * copied in spans between the bytes that need an escape; a string that turns out not to be UTF-8 is begun again in
 * its escaped form, because both forms must not mix within one value.
 */
#include "base/json_out.h"

#include <assert.h>

#include "base/utf8.h"

/* What stands before any value, or before a key. Values at the top follow each other bare, as NDJSON wants. */
static void begin_item(xt_json *json)
{
    uint32_t bit = json->depth ? UINT32_C(1) << (json->depth - 1) : 0;

    if (json->after_key)
        json->after_key = false;
    else if (json->has_item & bit)
        xt_buf_putc(json->out, ',');
    json->has_item |= bit;
}

static void open_with(xt_json *json, char c)
{
    begin_item(json);
    assert(json->depth < XT_JSON_MAX_DEPTH);
    json->has_item &= ~(UINT32_C(1) << json->depth);
    json->depth++;
    xt_buf_putc(json->out, c);
}

static void close_with(xt_json *json, char c)
{
    assert(json->depth > 0 && !json->after_key);
    json->depth--;
    xt_buf_putc(json->out, c);
}

void xt_json_object_begin(xt_json *json)
{
    open_with(json, '{');
}

void xt_json_object_end(xt_json *json)
{
    close_with(json, '}');
}

void xt_json_array_begin(xt_json *json)
{
    open_with(json, '[');
}

void xt_json_array_end(xt_json *json)
{
    close_with(json, ']');
}

static void put_escape(xt_buf *out, uint8_t c)
{
    static const char digits[] = "0123456789abcdef";
    static const char shorts[0x20] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};

    if (c >= 0x20)
        xt_buf_put(out, xt_slice_of((char[]){'\\', (char)c}, 2));
    else if (shorts[c])
        xt_buf_put(out, xt_slice_of((char[]){'\\', shorts[c]}, 2));
    else
        xt_buf_put(out, xt_slice_of((char[]){'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]}, 6));
}

/* The content of a string; false at a byte that is not UTF-8, with part of it written. */
static bool put_content(xt_buf *out, xt_slice s)
{
    size_t from = 0, i = 0; /* what is between them is copied as it is */

    for (;;) {
        i += xt_text_plain_head(xt_slice_skip(s, i));
        if (i >= s.n)
            break;
        uint8_t c = (uint8_t)s.p[i];
        size_t n = xt_utf8_sequence(xt_slice_skip(s, i));
        if (n == 0)
            return false;
        if (c < 0x20 || c == '"' || c == '\\') {
            xt_buf_put(out, xt_slice_of(s.p + from, i - from));
            put_escape(out, c);
            from = i + 1;
        }
        i += n;
    }
    xt_buf_put(out, xt_slice_skip(s, from));
    return true;
}

static void put_escaped_content(xt_buf *out, xt_slice s)
{
    xt_buf text = XT_BUF_INIT;

    xt_text_escape(&text, s);
    if (text.failed)
        out->failed = true;
    else
        put_content(out, xt_buf_slice(&text));
    xt_buf_fini(&text);
}

static void put_string(xt_buf *out, xt_slice s)
{
    if (xt_text_plain_head(s) == s.n) {
        char *to = xt_buf_reserve(out, s.n + 2);
        if (to) {
            to[0] = '"';
            if (s.n)
                memcpy(to + 1, s.p, s.n);
            to[s.n + 1] = '"';
            out->n += s.n + 2;
        }
        return;
    }
    xt_buf_putc(out, '"');
    size_t start = out->n;
    if (!put_content(out, s)) {
        out->n = start;
        put_escaped_content(out, s);
    }
    xt_buf_putc(out, '"');
}

void xt_json_key(xt_json *json, xt_slice key)
{
    assert(json->depth > 0 && !json->after_key);
    begin_item(json);
    put_string(json->out, key);
    xt_buf_putc(json->out, ':');
    json->after_key = true;
}

void xt_json_string(xt_json *json, xt_slice value)
{
    begin_item(json);
    put_string(json->out, value);
}

void xt_json_u64(xt_json *json, uint64_t value)
{
    begin_item(json);
    xt_buf_put_dec(json->out, value);
}

void xt_json_i64(xt_json *json, int64_t value)
{
    begin_item(json);
    xt_buf_put_sdec(json->out, value);
}

void xt_json_bool(xt_json *json, bool value)
{
    xt_json_raw(json, value ? XT_S("true") : XT_S("false"));
}

void xt_json_null(xt_json *json)
{
    xt_json_raw(json, XT_S("null"));
}

void xt_json_raw(xt_json *json, xt_slice value)
{
    begin_item(json);
    xt_buf_put(json->out, value);
}

void xt_json_field_string(xt_json *json, const char *key, xt_slice value)
{
    xt_json_key(json, xt_slice_str(key));
    xt_json_string(json, value);
}

void xt_json_field_u64(xt_json *json, const char *key, uint64_t value)
{
    xt_json_key(json, xt_slice_str(key));
    xt_json_u64(json, value);
}

void xt_json_field_i64(xt_json *json, const char *key, int64_t value)
{
    xt_json_key(json, xt_slice_str(key));
    xt_json_i64(json, value);
}

void xt_json_field_bool(xt_json *json, const char *key, bool value)
{
    xt_json_key(json, xt_slice_str(key));
    xt_json_bool(json, value);
}

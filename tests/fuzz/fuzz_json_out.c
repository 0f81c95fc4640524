/*
 * Any bytes as a key, a string, and the steps of a nesting: the output must be JSON (RFC 8259, by the small reader
 * here and by jansson), and each string must read back alike in both: as it was when it is UTF-8, else as its escaped
 * form, which unescapes to it.
 */
#include <jansson.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define CHECK(what)  \
    do {             \
        if (!(what)) \
            abort(); \
    } while (0)

/* ---- a reader of JSON that stops at the first mistake ---- */

static bool take(xt_slice *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = xt_slice_skip(*s, 1);
    return true;
}

static bool take_word(xt_slice *s, xt_slice word)
{
    if (!xt_slice_starts(*s, word))
        return false;
    *s = xt_slice_skip(*s, word.n);
    return true;
}

/* Behind a backslash. The writer needs \u for control characters alone. */
static bool read_escape(xt_slice *s, xt_buf *value)
{
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    uint64_t c;

    CHECK(s->n > 0);
    const char *name = memchr(names, s->p[0], sizeof names - 1);
    if (name) {
        xt_buf_putc(value, bytes[name - names]);
        *s = xt_slice_skip(*s, 1);
        return true;
    }
    if (!take(s, 'u') || s->n < 4 || !xt_slice_parse_hex(xt_slice_head(*s, 4), &c) || c >= 0x20)
        return false;
    xt_buf_putc(value, (char)c);
    *s = xt_slice_skip(*s, 4);
    return true;
}

static bool read_string(xt_slice *s, xt_buf *value)
{
    if (!take(s, '"'))
        return false;
    while (s->n && s->p[0] != '"') {
        size_t n = xt_utf8_sequence(*s);
        if (n == 0 || (uint8_t)s->p[0] < 0x20)
            return false;
        if (take(s, '\\')) {
            if (!read_escape(s, value))
                return false;
            continue;
        }
        xt_buf_put(value, xt_slice_head(*s, n));
        *s = xt_slice_skip(*s, n);
    }
    return take(s, '"');
}

static bool read_number(xt_slice *s)
{
    size_t n = 0;

    take(s, '-');
    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
        n++;
    bool ok = n > 0 && (n == 1 || s->p[0] != '0');
    *s = xt_slice_skip(*s, n);
    return ok;
}

static bool read_value(xt_slice *s);

static bool read_items(xt_slice *s, char end, bool keys)
{
    xt_buf key = XT_BUF_INIT;
    bool ok = true;

    if (take(s, end))
        return true;
    do {
        ok = (!keys || (read_string(s, &key) && take(s, ':'))) && read_value(s);
    } while (ok && take(s, ','));
    xt_buf_fini(&key);
    return ok && take(s, end);
}

static bool read_value(xt_slice *s)
{
    xt_buf text = XT_BUF_INIT;

    if (take(s, '{'))
        return read_items(s, '}', true);
    if (take(s, '['))
        return read_items(s, ']', false);
    if (take_word(s, XT_S("true")) || take_word(s, XT_S("false")) || take_word(s, XT_S("null")))
        return true;
    if (s->n && s->p[0] != '"')
        return read_number(s);
    bool ok = read_string(s, &text);
    xt_buf_fini(&text);
    return ok;
}

/* ---- what is checked ---- */

static void check_by_jansson(xt_slice json, xt_slice string)
{
    json_t *root = json_loadb(json.p, json.n, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
    CHECK(root);
    if (json_is_string(root))
        CHECK(xt_slice_eq(xt_slice_of(json_string_value(root), json_string_length(root)), string));
    json_decref(root);
}

static void check_string(xt_slice input)
{
    xt_buf out = XT_BUF_INIT, value = XT_BUF_INIT, back = XT_BUF_INIT;
    xt_json json = xt_json_to(&out);

    xt_json_string(&json, input);
    xt_slice rest = xt_buf_slice(&out);
    CHECK(read_string(&rest, &value) && rest.n == 0);
    check_by_jansson(xt_buf_slice(&out), xt_buf_slice(&value));
    if (xt_utf8_is_valid(input)) {
        CHECK(xt_slice_eq(xt_buf_slice(&value), input));
    } else {
        CHECK(xt_text_unescape(&back, xt_buf_slice(&value)));
        CHECK(xt_slice_eq(xt_buf_slice(&back), input));
    }
    xt_buf_fini(&out);
    xt_buf_fini(&value);
    xt_buf_fini(&back);
}

/* One step of a nesting; `kinds` remembers which of the open ones are objects. */
static void step(xt_json *json, uint8_t op, xt_slice text, bool kinds[XT_JSON_MAX_DEPTH])
{
    bool room = json->depth < XT_JSON_MAX_DEPTH;

    if (op % 8 == 7 && json->depth > 1) {
        if (kinds[json->depth - 1])
            xt_json_object_end(json);
        else
            xt_json_array_end(json);
        return;
    }
    if (kinds[json->depth - 1])
        xt_json_key(json, text);
    if (op % 8 < 2 && room) {
        kinds[json->depth] = op % 8;
        if (op % 8)
            xt_json_object_begin(json);
        else
            xt_json_array_begin(json);
    } else if (op % 8 == 2) {
        xt_json_u64(json, op * UINT64_C(0x0101010101010101));
    } else if (op % 8 == 3) {
        xt_json_i64(json, -(int64_t)op);
    } else if (op % 8 == 4) {
        xt_json_bool(json, op & 8);
    } else {
        xt_json_string(json, text);
    }
}

static void check_nesting(xt_slice input)
{
    bool kinds[XT_JSON_MAX_DEPTH] = {false};
    xt_buf out = XT_BUF_INIT;
    xt_json json = xt_json_to(&out);

    xt_json_array_begin(&json);
    for (size_t i = 0; i < input.n; i++)
        step(&json, (uint8_t)input.p[i], xt_slice_head(xt_slice_skip(input, i), 5), kinds);
    while (json.depth) {
        if (kinds[json.depth - 1])
            xt_json_object_end(&json);
        else
            xt_json_array_end(&json);
    }
    xt_slice rest = xt_buf_slice(&out);
    CHECK(read_value(&rest) && rest.n == 0);
    if (!memchr(input.p, '\0', input.n)) /* jansson takes no NUL in a name */
        check_by_jansson(xt_buf_slice(&out), XT_S_NULL);
    xt_buf_fini(&out);
}

static void check_text(xt_slice input)
{
    xt_buf out = XT_BUF_INIT;

    xt_text_visible(&out, input);
    CHECK(xt_text_is_clean(xt_buf_slice(&out)));
    xt_buf_reset(&out);
    xt_text_escape(&out, input);
    CHECK(xt_text_is_clean(xt_buf_slice(&out)));
    xt_buf_reset(&out);
    (void)!xt_text_unescape(&out, input);
    xt_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xt_slice input = xt_slice_of(data, n);

    check_string(input);
    check_nesting(input);
    check_text(input);
    return 0;
}

/* base/json_out: nesting and commas, numbers, and strings of any bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json_out.h"

static void assert_string_becomes(xt_slice value, const char *want)
{
    xt_buf out = XT_BUF_INIT;
    xt_json json = xt_json_to(&out);

    xt_json_string(&json, value);
    xt_buf_putc(&out, '\0');
    assert_string_equal(out.p, want);
    xt_buf_fini(&out);
}

static void test_nesting(void **state)
{
    xt_buf out = XT_BUF_INIT;
    xt_json json = xt_json_to(&out);

    xt_json_object_begin(&json);
    xt_json_field_string(&json, "a", XT_S("x"));
    xt_json_key(&json, XT_S("b"));
    xt_json_array_begin(&json);
    xt_json_u64(&json, UINT64_MAX);
    xt_json_i64(&json, INT64_MIN);
    xt_json_array_begin(&json);
    xt_json_array_end(&json);
    xt_json_object_begin(&json);
    xt_json_object_end(&json);
    xt_json_null(&json);
    for (unsigned i = 0; i < 2; i++) { /* the second begins without a comma, too */
        xt_json_array_begin(&json);
        xt_json_u64(&json, i);
        xt_json_array_end(&json);
    }
    xt_json_array_end(&json);
    xt_json_field_bool(&json, "c", true);
    xt_json_field_i64(&json, "d", -1);
    xt_json_field_u64(&json, "e", 1);
    xt_json_key(&json, XT_S("f"));
    xt_json_raw(&json, XT_S("{\"g\":[]}"));
    xt_json_object_end(&json);
    assert_int_equal(json.depth, 0);
    xt_buf_putc(&out, '\n');
    xt_json_bool(&json, false); /* a second document: no comma */
    xt_buf_putc(&out, '\0');
    assert_string_equal(out.p, "{\"a\":\"x\",\"b\":[18446744073709551615,-9223372036854775808,[],{},null,[0],[1]],"
                               "\"c\":true,\"d\":-1,\"e\":1,\"f\":{\"g\":[]}}\nfalse");
    xt_buf_fini(&out);
}

static void test_depth(void **state)
{
    xt_buf out = XT_BUF_INIT;
    xt_json json = xt_json_to(&out);

    for (int i = 0; i < XT_JSON_MAX_DEPTH; i++)
        xt_json_array_begin(&json);
    xt_json_null(&json);
    xt_json_null(&json);
    for (int i = 0; i < XT_JSON_MAX_DEPTH; i++)
        xt_json_array_end(&json);
    xt_json_array_begin(&json);
    xt_json_array_end(&json);
    assert_int_equal(out.n, XT_JSON_MAX_DEPTH * 2 + 9 + 2);
    assert_true(xt_slice_find(xt_buf_slice(&out), XT_S("[null,null]")) > 0);
    xt_buf_fini(&out);
}

static void test_strings(void **state)
{
    assert_string_becomes(XT_S_NULL, "\"\"");
    assert_string_becomes(XT_S("plain text that is longer than eight"), "\"plain text that is longer than eight\"");
    assert_string_becomes(XT_S("\"q\" \\ /"), "\"\\\"q\\\" \\\\ /\"");
    assert_string_becomes(xt_slice_of("\0\b\f\n\r\t\x1f\x7f", 8), "\"\\u0000\\b\\f\\n\\r\\t\\u001f\x7f\"");
    assert_string_becomes(XT_S("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

static void test_strings_that_are_not_utf8(void **state)
{
    assert_string_becomes(XT_S("a\xff"), "\"a\\\\xff\"");
    /* As xt_text_escape makes the whole, so that it can be undone. */
    assert_string_becomes(XT_S("\"\n\\ \xc3\xa4 \xc3"), "\"\\\"\\\\x0a\\\\\\\\ \xc3\xa4 \\\\xc3\"");
}

static void test_hostile_key(void **state)
{
    xt_buf out = XT_BUF_INIT;
    xt_json json = xt_json_to(&out);

    xt_json_object_begin(&json);
    xt_json_key(&json, XT_S("a\"\xff"));
    xt_json_null(&json);
    xt_json_object_end(&json);
    xt_buf_putc(&out, '\0');
    assert_string_equal(out.p, "{\"a\\\"\\\\xff\":null}");
    xt_buf_fini(&out);
}

static void test_failure_shows_at_the_end(void **state)
{
    xt_buf out = {.max_bytes = 6};
    xt_json json = xt_json_to(&out);

    xt_json_string(&json, XT_S("1234\xff"));
    assert_true(xt_buf_done(&out) < 0);
    xt_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nesting),     cmocka_unit_test(test_depth),
        cmocka_unit_test(test_strings),     cmocka_unit_test(test_strings_that_are_not_utf8),
        cmocka_unit_test(test_hostile_key), cmocka_unit_test(test_failure_shows_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

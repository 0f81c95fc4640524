#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "audit/value.h"

static void check_text(const char *body, const char *want, size_t n)
{
    xt_arena arena;
    xt_arena_init(&arena, 4096);
    xt_slice rest = xt_slice_str(body), text;
    xt_audit_field field;
    bool is_null;
    assert_true(xt_audit_field_next(&rest, &field));
    assert_int_equal(xt_value_text(&arena, &field, &text, &is_null), 0);
    if (is_null != (want == NULL) || !xt_slice_eq(text, xt_slice_of(want, n)))
        fail_msg("%s: <%.*s>", body, XT_S_ARGS(text));
    xt_arena_fini(&arena);
}

static void test_text(void **state)
{
    check_text("a=\"DEADBEEF\"", "DEADBEEF", 8);
    check_text("a=DEADBEEF", "\xde\xad\xbe\xef", 4);
    check_text("a=610062", "a\0b", 3);
    check_text("a=\"(null)\"", "(null)", 6);
    check_text("a=(null)", NULL, 0);
    check_text("a=\"\"", "", 0);
    check_text("a=", "", 0);
    check_text("a=?", "?", 1);
    check_text("a=ABC", "ABC", 3); /* odd */
    check_text("a=root", "root", 4);
    check_text("a=dead", "dead", 4); /* nobody encodes in small letters */
    check_text("a=DEAd", "DEAd", 4);
    check_text("a=2F62696E2F7368", "/bin/sh", 7);
}

static void test_text_without_memory(void **state)
{
    xt_arena arena;
    xt_arena_init(&arena, 1);
    xt_audit_field field = {XT_S("a"), XT_S("41424344"), XT_BARE};
    xt_slice text = XT_S("kept");
    bool is_null = true;
    assert_int_equal(xt_value_text(&arena, &field, &text, &is_null), -ENOMEM);
    assert_true(is_null && xt_slice_eq(text, XT_S("kept")));
    xt_arena_fini(&arena);
}

static void test_unhex_all_pairs(void **state)
{
    for (int high = 0; high < 256; high++) {
        for (int low = 0; low < 256; low++) {
            char digits[2] = {(char)high, (char)low}, out = 0;
            char z[3] = {digits[0], digits[1], 0};
            unsigned value = 0;
            /* independent: the C library's idea of two hex digits */
            bool want = strspn(z, "0123456789abcdefABCDEF") == 2 && sscanf(z, "%2x", &value) == 1;
            assert_int_equal(xt_value_unhex(xt_slice_of(digits, 2), &out), want);
            if (want)
                assert_int_equal((unsigned char)out, value);
        }
    }
    char out[1];
    assert_false(xt_value_unhex(XT_S("414"), out));
    assert_true(xt_value_unhex(XT_S_NULL, out));
}

static void test_numbers(void **state)
{
    uint64_t u = 9;
    int64_t i = 9;
    assert_true(xt_value_u64(XT_S("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_true(xt_value_u64(XT_S("0"), &u) && u == 0);
    assert_true(xt_value_u64(XT_S("123456789012345678"), &u) && u == UINT64_C(123456789012345678));
    assert_false(xt_value_u64(XT_S("18446744073709551616"), &u));
    assert_false(xt_value_u64(XT_S(""), &u));
    assert_false(xt_value_u64(XT_S("1x"), &u));
    assert_false(xt_value_u64(XT_S("-1"), &u));
    assert_true(xt_value_i64(XT_S("-13"), &i) && i == -13);
    assert_false(xt_value_i64(XT_S("-"), &i));
}

static void test_id(void **state)
{
    uint32_t id = 5;
    assert_true(xt_value_id(XT_S("1001"), &id) && id == 1001);
    assert_true(xt_value_id(XT_S("4294967295"), &id) && id == XT_ID_UNSET);
    id = 5;
    assert_true(xt_value_id(XT_S("unset"), &id) && id == XT_ID_UNSET);
    id = 5;
    assert_true(xt_value_id(XT_S("-1"), &id) && id == XT_ID_UNSET);
    id = 5;
    assert_false(xt_value_id(XT_S("4294967296"), &id));
    assert_false(xt_value_id(XT_S("-2"), &id));
    assert_false(xt_value_id(XT_S(""), &id));
    assert_int_equal(id, 5);
}

static void test_string_fields(void **state)
{
    assert_true(xt_value_is_string_field(1300, XT_S("comm")));
    assert_true(xt_value_is_string_field(1300, XT_S("exe")));
    assert_false(xt_value_is_string_field(1300, XT_S("a0")));
    assert_false(xt_value_is_string_field(1300, XT_S("arch")));
    assert_true(xt_value_is_string_field(1309, XT_S("a0")));
    assert_true(xt_value_is_string_field(1309, XT_S("a12[3]")));
    assert_false(xt_value_is_string_field(1309, XT_S("a12_len")));
    assert_false(xt_value_is_string_field(1309, XT_S("argc")));
    assert_false(xt_value_is_string_field(1309, XT_S("a")));
    assert_false(xt_value_is_string_field(1302, XT_S("dev")));
    assert_true(xt_value_is_string_field(1400, XT_S("dev")));
    assert_false(xt_value_is_string_field(1700, XT_S("dev")));
    assert_true(xt_value_is_string_field(1327, XT_S("proctitle")));
    assert_false(xt_value_is_string_field(1300, XT_S_NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),    cmocka_unit_test(test_text_without_memory),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_unhex_all_pairs),
        cmocka_unit_test(test_id),      cmocka_unit_test(test_string_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

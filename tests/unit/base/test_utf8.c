/* base/utf8: validity by decoding every code point, escapes that go there and back, and what a terminal may see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"

/* By the table of RFC 3629 backwards: a code point's bytes. */
static size_t encode(uint32_t c, char ret[4])
{
    if (c < 0x80) {
        ret[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; c >>= 6)
        ret[i] = (char)(0x80 | (c & 0x3f));
    ret[0] = (char)((0xf00 >> n & 0xff) | c);
    return n;
}

static void test_every_code_point(void **state)
{
    char bytes[4];

    for (uint32_t c = 0; c < 0x1fffff; c++) {
        size_t n = encode(c, bytes);
        bool good = c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
        assert_int_equal(xt_utf8_sequence(xt_slice_of(bytes, n)), good ? n : 0);
        if (n > 1)
            assert_int_equal(xt_utf8_sequence(xt_slice_of(bytes, n - 1)), 0);
    }
}

static void test_overlong_and_stray(void **state)
{
    const xt_slice bad[] = {XT_S("\xc0\x80"),
                            XT_S("\xc1\xbf"),
                            XT_S("\xe0\x80\x80"),
                            XT_S("\xe0\x9f\xbf"),
                            XT_S("\xf0\x80\x80\x80"),
                            XT_S("\xf0\x8f\xbf\xbf"),
                            XT_S("\x80"),
                            XT_S("\xbf"),
                            XT_S("\xf5\x80\x80\x80"),
                            XT_S("\xff"),
                            XT_S("\xe2\x28\xa1"),
                            XT_S("\xe2\x82")};

    for (size_t i = 0; i < XT_COUNT_OF(bad); i++) {
        assert_int_equal(xt_utf8_sequence(bad[i]), 0);
        assert_false(xt_utf8_is_valid(bad[i]));
        assert_false(xt_text_is_clean(bad[i]));
    }
    assert_int_equal(xt_utf8_sequence(XT_S_NULL), 0);
    assert_true(xt_utf8_is_valid(XT_S_NULL) && xt_text_is_clean(XT_S_NULL));
}

static void test_each_byte_at_each_place(void **state)
{
    char text[20];

    for (int c = 0; c < 256; c++) {
        for (size_t at = 0; at < sizeof text; at++) {
            memset(text, 'a', sizeof text);
            text[at] = (char)c;
            xt_slice s = xt_slice_of(text, sizeof text);
            bool control = c < 0x20 || c == 0x7f, plain = !control && c < 0x80 && c != '"' && c != '\\';
            assert_int_equal(xt_text_plain_head(s), plain ? sizeof text : at);
            assert_int_equal(xt_text_is_clean(s), !control && c < 0x80);
            assert_int_equal(xt_utf8_is_valid(s), c < 0x80);
        }
    }
}

static void assert_becomes(void (*how)(xt_buf *, xt_slice), xt_slice s, const char *want)
{
    xt_buf out = XT_BUF_INIT;

    how(&out, s);
    xt_buf_putc(&out, '\0');
    assert_string_equal(out.p, want);
    xt_buf_fini(&out);
}

static void test_escape_examples(void **state)
{
    assert_becomes(xt_text_escape, XT_S("a\tb\\c\"\x7f"), "a\\x09b\\\\c\"\\x7f");
    assert_becomes(xt_text_escape, XT_S("\xc3\xa4\xff\xe2\x80\xae"), "\xc3\xa4\\xff\xe2\x80\xae");
    assert_becomes(xt_text_visible, XT_S("a\\b\x1b[0m\xc3\xa4\x9b"), "a\\b\\x1b[0m\xc3\xa4\\x9b");
    assert_becomes(xt_text_visible,
                   XT_S("\xc2\x9b|\xe2\x80\xae|\xe2\x80\x8b|\xe2\x80\xa8|\xef\xbb\xbf|\xf3\xa0\x81\x81"),
                   "\\u{009b}|\\u{202e}|\\u{200b}|\\u{2028}|\\u{feff}|\\u{e0041}");
    assert_becomes(xt_text_visible, XT_S("\xf0\x9f\x98\x80 \xe2\x82\xac"), "\xf0\x9f\x98\x80 \xe2\x82\xac");
}

static void test_escape_there_and_back(void **state)
{
    xt_buf escaped = XT_BUF_INIT, back = XT_BUF_INIT;
    uint32_t random = 2463534242;
    char text[64];

    for (int round = 0; round < 20000; round++) {
        size_t n = random % sizeof text;
        for (size_t i = 0; i < n; i++) {
            random = random * 1664525 + 1013904223;
            text[i] = (char)(random >> 30 ? random >> 20 : '\\');
        }
        random = random * 1664525 + 1013904223;
        xt_buf_reset(&escaped);
        xt_buf_reset(&back);
        xt_text_escape(&escaped, xt_slice_of(text, n));
        assert_true(xt_text_is_clean(xt_buf_slice(&escaped)));
        assert_true(xt_text_unescape(&back, xt_buf_slice(&escaped)));
        assert_true(xt_slice_eq(xt_buf_slice(&back), xt_slice_of(text, n)));
    }
    xt_buf_fini(&escaped);
    xt_buf_fini(&back);
}

static void test_unescape_refuses(void **state)
{
    const char *bad[] = {"ab\\", "ab\\n", "ab\\x", "ab\\x1", "ab\\xFF", "ab\\xg0", "ab\\\\\\"};
    xt_buf out = XT_BUF_INIT;

    for (size_t i = 0; i < XT_COUNT_OF(bad); i++) {
        xt_buf_reset(&out);
        assert_false(xt_text_unescape(&out, xt_slice_str(bad[i])));
        assert_true(xt_slice_starts(xt_buf_slice(&out), XT_S("ab")));
    }
    xt_buf_fini(&out);
}

static void test_visible_head_stops_at_a_character(void **state)
{
    char bytes[8];
    xt_buf out = XT_BUF_ON(bytes);

    assert_true(xt_text_visible_head(&out, XT_S("abc\x01")));
    assert_int_equal(out.n, 7);
    xt_buf_reset(&out);
    assert_false(xt_text_visible_head(&out, XT_S("abcd\x01")));
    assert_true(xt_slice_eq(xt_buf_slice(&out), XT_S("abcd")));
    assert_false(out.failed);
}

static void test_cut_text_ends_with_a_whole_character(void **state)
{
    char text[] = "abcde\xc3\xa9\xc3\xa9";
    size_t n = xt_text_mark_cut(text, 8); /* within the second e acute */
    assert_true(xt_slice_eq(xt_slice_of(text, n), XT_S("abcde\xe2\x80\xa6")));
    char other[] = "abcd\xc3\xa9gh";
    n = xt_text_mark_cut(other, 8);
    assert_true(xt_slice_eq(xt_slice_of(other, n), XT_S("abcd\xe2\x80\xa6")));
    char plain[] = "abcdefgh";
    n = xt_text_mark_cut(plain, 8);
    assert_true(xt_slice_eq(xt_slice_of(plain, n), XT_S("abcde\xe2\x80\xa6")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_overlong_and_stray),
        cmocka_unit_test(test_each_byte_at_each_place),
        cmocka_unit_test(test_escape_examples),
        cmocka_unit_test(test_escape_there_and_back),
        cmocka_unit_test(test_unescape_refuses),
        cmocka_unit_test(test_visible_head_stops_at_a_character),
        cmocka_unit_test(test_cut_text_ends_with_a_whole_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

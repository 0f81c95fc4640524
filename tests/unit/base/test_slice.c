/* base/slice: searches against plain loops, globs, numbers, hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <strings.h>

#include "base/slice.h"

static uint32_t next_random(void)
{
    static uint32_t x = 2463534242;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x;
}

static void test_parts(void **state)
{
    xt_slice s = XT_S("hello");

    assert_true(xt_slice_eq(xt_slice_skip(s, 2), XT_S("llo")));
    assert_int_equal(xt_slice_skip(s, 9).n, 0);
    assert_int_equal(xt_slice_skip(XT_S_NULL, 9).n, 0);
    assert_true(xt_slice_eq(xt_slice_head(s, 2), XT_S("he")));
    assert_true(xt_slice_eq(xt_slice_head(s, 99), s));
    assert_true(xt_slice_starts(s, XT_S("he")) && !xt_slice_starts(s, XT_S("hello!")));
    assert_true(xt_slice_ends(s, XT_S("llo")) && xt_slice_ends(s, XT_S_NULL) && !xt_slice_ends(s, XT_S("Llo")));
    assert_true(xt_slice_starts_nocase(s, XT_S("HE")) && xt_slice_ends_nocase(s, XT_S("LO")));
    assert_true(xt_slice_eq_nocase(XT_S("aZ[@"), XT_S("Az[@")) && !xt_slice_eq_nocase(XT_S("["), XT_S("{")));
    assert_false(xt_slice_eq_nocase(XT_S("\xc4"), XT_S("\xe4"))); /* no letters beyond ASCII */
    assert_true(xt_slice_eq(xt_slice_trim(XT_S(" \t\r\n a b \n")), XT_S("a b")));
    assert_int_equal(xt_slice_trim(XT_S(" \n ")).n, 0);
}

static void test_order(void **state)
{
    const xt_slice ordered[] = {XT_S(""), XT_S("a"), XT_S("aa"), XT_S("ab"), XT_S("b"), XT_S("\xff")};

    for (size_t i = 0; i < XT_COUNT_OF(ordered); i++)
        for (size_t k = 0; k < XT_COUNT_OF(ordered); k++) {
            int order = xt_slice_cmp(ordered[i], ordered[k]);
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
}

static void test_cut(void **state)
{
    xt_slice rest = XT_S("a,,b,"), piece;
    const char *want[] = {"a", "", "b", ""};

    for (size_t i = 0; i < XT_COUNT_OF(want); i++) {
        assert_true(xt_slice_cut(&rest, ',', &piece));
        assert_true(xt_slice_eq(piece, xt_slice_str(want[i])));
    }
    assert_false(xt_slice_cut(&rest, ',', &piece));
    rest = XT_S("");
    assert_true(xt_slice_cut(&rest, ',', &piece));
    assert_false(xt_slice_cut(&rest, ',', &piece));
}

/* The plain way to search: libc's compare at every place. */
static ptrdiff_t plain_find(xt_slice s, xt_slice needle, bool nocase)
{
    for (size_t i = 0; i + needle.n <= s.n; i++)
        if (nocase ? strncasecmp(s.p + i, needle.p, needle.n) == 0 : memcmp(s.p + i, needle.p, needle.n) == 0)
            return (ptrdiff_t)i;
    return -1;
}

static void test_find_against_plain(void **state)
{
    static const char alphabet[] = "aAbB[{@`1 ";

    for (int round = 0; round < 20000; round++) {
        /* Exactly as long as needed, so that AddressSanitizer sees a read past either end. */
        size_t n = next_random() % 70, m = next_random() % 6;
        char *text = malloc(n + 1), *word = malloc(m + 1);
        assert_true(text && word);
        for (size_t i = 0; i < n; i++)
            text[i] = alphabet[next_random() % (sizeof alphabet - 1)];
        for (size_t i = 0; i < m; i++)
            word[i] = alphabet[next_random() % (sizeof alphabet - 1)];
        text = realloc(text, n ? n : 1);
        word = realloc(word, m ? m : 1);
        xt_slice s = xt_slice_of(text, n), needle = xt_slice_of(word, m);
        assert_int_equal(xt_slice_find(s, needle), plain_find(s, needle, false));
        assert_int_equal(xt_slice_find_nocase(s, needle), plain_find(s, needle, true));
        free(text);
        free(word);
    }
    assert_int_equal(xt_slice_find_nocase(XT_S_NULL, XT_S_NULL), 0);
    assert_int_equal(xt_slice_find_nocase(XT_S_NULL, XT_S("a")), -1);
    assert_int_equal(xt_slice_find_byte(XT_S_NULL, 'a'), -1);
    assert_int_equal(xt_slice_find_byte(XT_S("ba"), 'a'), 1);
}

/* The plain way to match: try every length for a star. */
static bool plain_glob(const char *s, const char *p, bool question)
{
    if (*p == '\0')
        return *s == '\0';
    if (*p == '*')
        return plain_glob(s, p + 1, question) || (*s && plain_glob(s + 1, p, question));
    if (*p == '?' && question)
        return *s && plain_glob(s + 1, p + 1, question);
    if (*p == '\\' && p[1])
        p++;
    return *s && strncasecmp(s, p, 1) == 0 && plain_glob(s + 1, p + 1, question);
}

static void test_glob_against_plain(void **state)
{
    static const char texts[] = "abA\\*?", patterns[] = "aB*?\\";
    char s[10], p[7];

    for (int round = 0; round < 50000; round++) {
        size_t n = next_random() % (sizeof s), m = next_random() % (sizeof p);
        for (size_t i = 0; i < n; i++)
            s[i] = texts[next_random() % (sizeof texts - 1)];
        for (size_t i = 0; i < m; i++)
            p[i] = patterns[next_random() % (sizeof patterns - 1)];
        s[n] = p[m] = '\0';
        for (int question = 0; question < 2; question++)
            assert_int_equal(xt_slice_glob_nocase(xt_slice_str(s), xt_slice_str(p), question),
                             plain_glob(s, p, question));
    }
}

static void test_glob_examples(void **state)
{
    assert_true(xt_slice_glob_nocase(XT_S("/usr/bin/NMAP -sS\nx"), XT_S("*nmap*"), false));
    assert_true(xt_slice_glob_nocase(XT_S_NULL, XT_S("**"), false));
    assert_false(xt_slice_glob_nocase(XT_S("a"), XT_S_NULL, false));
    assert_true(xt_slice_glob_nocase(XT_S("a*b"), XT_S("a\\*b"), false));
    assert_false(xt_slice_glob_nocase(XT_S("axb"), XT_S("a\\*b"), false));
    assert_true(xt_slice_glob_nocase(XT_S("a\\"), XT_S("a\\"), false));
    assert_true(xt_slice_glob_nocase(XT_S("a?"), XT_S("a?"), false));
    assert_false(xt_slice_glob_nocase(XT_S("ab"), XT_S("a?"), false));
}

static void test_numbers(void **state)
{
    uint64_t u = 7;
    int64_t i = 7;

    assert_true(xt_slice_parse_u64(XT_S("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_true(xt_slice_parse_hex(XT_S("fFfFfFfFfFfFfFfF"), &u) && u == UINT64_MAX);
    assert_true(xt_slice_parse_octal(XT_S("0100755"), &u) && u == 0100755);
    assert_true(xt_slice_parse_i64(XT_S("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_true(xt_slice_parse_i64(XT_S("9223372036854775807"), &i) && i == INT64_MAX);
    assert_true(xt_slice_parse_u64(XT_S("007"), &u) && u == 7);

    const char *bad[] = {"", " 1", "1 ", "+1", "-1", "0x1", "1.0", "18446744073709551616", "99999999999999999999"};
    for (size_t k = 0; k < XT_COUNT_OF(bad); k++)
        assert_false(xt_slice_parse_u64(xt_slice_str(bad[k]), &u));
    const char *bad_signed[] = {"", "-", "--1", "9223372036854775808", "-9223372036854775809"};
    for (size_t k = 0; k < XT_COUNT_OF(bad_signed); k++)
        assert_false(xt_slice_parse_i64(xt_slice_str(bad_signed[k]), &i));
    assert_false(xt_slice_parse_hex(XT_S("10000000000000000"), &u) || xt_slice_parse_hex(XT_S("g"), &u));
    assert_false(xt_slice_parse_octal(XT_S("8"), &u));
    assert_int_equal(u, 7);
    assert_int_equal(i, INT64_MAX);
}

static void test_hashes(void **state)
{
    char text[33];
    xt_hash128 back;

    /* The published values of XXH3 for no input. */
    assert_true(xt_slice_hash(XT_S_NULL) == UINT64_C(0x2d06800538d394c2));
    xt_hash128 h = xt_slice_hash128(XT_S_NULL);
    xt_hash128_format(h, text);
    assert_string_equal(text, "99aa06d3014798d86001c324468d497f");
    assert_true(xt_hash128_parse(XT_S("99AA06D3014798d86001c324468d497f"), &back));
    assert_true(xt_hash128_eq(h, back));
    assert_false(xt_hash128_eq(h, xt_slice_hash128(XT_S("a"))));
    assert_false(xt_hash128_parse(XT_S("99aa06d3014798d86001c324468d497"), &back));
    assert_false(xt_hash128_parse(XT_S("99aa06d3014798d86001c324468d497g"), &back));
    assert_true(xt_hash128_eq(h, back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_find_against_plain),
        cmocka_unit_test(test_glob_against_plain),
        cmocka_unit_test(test_glob_examples),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

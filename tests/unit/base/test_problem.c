/* base/problem: what is printed, and that no part of it can break the line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/problem.h"

static void assert_prints(const xt_problem *problem, const char *want)
{
    xt_buf out = XT_BUF_INIT;

    xt_problem_format(problem, &out);
    xt_buf_putc(&out, '\0');
    assert_int_equal(xt_buf_done(&out), 0);
    assert_string_equal(out.p, want);
    xt_buf_fini(&out);
}

static void test_places(void **state)
{
    xt_problem p = XT_PROBLEM_INIT;

    assert_false(xt_problem_is_set(&p));
    xt_problem_set(&p, "no %s here", "field");
    assert_prints(&p, "no field here");
    xt_problem_at_offset(&p, 17);
    assert_prints(&p, "byte 17: no field here");
    xt_problem_source(&p, "query");
    assert_prints(&p, "query: byte 17: no field here");
    xt_problem_at(&p, 3, 0);
    assert_prints(&p, "query:3: no field here");
    xt_problem_at(&p, 3, 9);
    xt_problem_excerpt(&p, XT_S("usr:x"));
    xt_problem_hint(&p, "did you mean %s?", "user");
    assert_prints(&p, "query:3:9: no field here (near \"usr:x\"); did you mean user?");
    xt_problem_source(&p, NULL);
    assert_prints(&p, "line 3:9: no field here (near \"usr:x\"); did you mean user?");
}

static void test_set_forgets_all_but_the_source(void **state)
{
    xt_problem p = XT_PROBLEM_INIT;

    xt_problem_source(&p, "a.yml");
    xt_problem_at(&p, 1, 2);
    xt_problem_excerpt(&p, XT_S("x"));
    xt_problem_set(&p, "first");
    xt_problem_set(&p, "second after %s", p.sentence);
    assert_prints(&p, "a.yml: second after first");
    assert_true(p.line == 0 && p.column == 0 && p.offset == -1);
}

static void test_null_is_accepted(void **state)
{
    xt_buf out = XT_BUF_INIT;

    xt_problem_set(NULL, "x");
    xt_problem_hint(NULL, "x");
    xt_problem_source(NULL, "x");
    xt_problem_at(NULL, 1, 1);
    xt_problem_at_offset(NULL, 1);
    xt_problem_excerpt(NULL, XT_S("x"));
    xt_problem_format(NULL, &out);
    assert_int_equal(out.n, 0);
}

static void test_hostile_text(void **state)
{
    xt_problem p = XT_PROBLEM_INIT;

    xt_problem_source(&p, "a\nb");
    xt_problem_set(&p, "bad \x1b[31m\xff");
    xt_problem_excerpt(&p, xt_slice_of("\0\n\xe2\x80\xae", 5));
    assert_prints(&p, "a\\x0ab: bad \\x1b[31m\\xff (near \"\\x00\\x0a\\u{202e}\")");
}

static void test_long_text_is_cut_at_a_character(void **state)
{
    xt_problem p = XT_PROBLEM_INIT;
    char text[2000];

    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa4", 2);
    text[sizeof text - 2] = '\0';
    xt_problem_set(&p, "%s", text);
    assert_int_equal(strlen(p.sentence), 398);
    xt_problem_set(&p, "x%s", text);
    assert_int_equal(strlen(p.sentence), 399);
    xt_problem_source(&p, text);
    assert_int_equal(strlen(p.source), 198);
    xt_problem_excerpt(&p, xt_slice_str(text));
    assert_int_equal(strlen(p.excerpt), 92 + 3);
    assert_string_equal(p.excerpt + 92, "...");
    memset(text, 0x1b, sizeof text);
    xt_problem_excerpt(&p, xt_slice_of(text, sizeof text));
    assert_int_equal(strlen(p.excerpt), 92 + 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_set_forgets_all_but_the_source),
        cmocka_unit_test(test_null_is_accepted),
        cmocka_unit_test(test_hostile_text),
        cmocka_unit_test(test_long_text_is_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

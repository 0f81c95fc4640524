#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/token.h"

static const xt_token token = {.id = {1, 255, 3}, .ca_sha256 = {0xfe, 0xff}, .secret = {[15] = 9}};

static void test_round_trip(void **state)
{
    xt_buf out = XT_BUF_INIT;
    xt_token back;
    xt_buf_puts(&out, "  ");
    xt_token_format(&token, &out);
    xt_buf_puts(&out, "\n");
    assert_int_equal(out.n, 2 + 4 + 91 + 1);
    assert_int_equal(xt_token_parse(xt_buf_slice(&out), &back, NULL), 0);
    assert_memory_equal(&back, &token, sizeof token);
    xt_buf_fini(&out);
}

static void test_typing_errors(void **state)
{
    xt_buf out = XT_BUF_INIT;
    xt_token back;
    xt_token_format(&token, &out);
    for (size_t i = 0; i < out.n; i++) {
        xt_problem problem = XT_PROBLEM_INIT;
        char was = out.p[i];
        out.p[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(xt_token_parse(xt_buf_slice(&out), &back, &problem), XT_TOKEN_E_INVALID);
        assert_true(xt_problem_is_set(&problem));
        out.p[i] = '\0';
        assert_int_equal(xt_token_parse(xt_buf_slice(&out), &back, NULL), XT_TOKEN_E_INVALID);
        out.p[i] = was;
        assert_int_equal(xt_token_parse(xt_slice_of(out.p, i), &back, NULL), XT_TOKEN_E_INVALID);
    }
    xt_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_typing_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

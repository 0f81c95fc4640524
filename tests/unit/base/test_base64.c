/* base/base64: the examples of RFC 4648, in its alphabet for addresses and without padding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"

static void test_examples(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xff\xef\xbe", "_---"}};
    for (size_t i = 0; i < XT_COUNT_OF(rows); i++) {
        xt_buf text = XT_BUF_INIT, bytes = XT_BUF_INIT;
        xt_base64_put(&text, xt_slice_str(rows[i][0]));
        assert_true(xt_slice_eq(xt_buf_slice(&text), xt_slice_str(rows[i][1])));
        assert_true(xt_base64_get(&bytes, xt_buf_slice(&text)));
        assert_true(xt_slice_eq(xt_buf_slice(&bytes), xt_slice_str(rows[i][0])));
        xt_buf_fini(&text);
        xt_buf_fini(&bytes);
    }
}

static void test_refused(void **state)
{
    static const char *const rows[] = {"Zg==", "Zh", "Z", "Zm9v ", "Zm+v", "Zm/v", "Zm8\n"};
    for (size_t i = 0; i < XT_COUNT_OF(rows); i++) {
        xt_buf bytes = XT_BUF_INIT;
        assert_false(xt_base64_get(&bytes, xt_slice_str(rows[i])));
        xt_buf_fini(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_examples), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

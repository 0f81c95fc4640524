/* base/error: values pass unchanged, and the trace says where. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

static void test_values(void **state)
{
    assert_int_equal(xt_error_trace(0), 0);
    assert_int_equal(xt_error_trace(3), 3);
    assert_int_equal(xt_error_fold(0), 0);
    assert_int_equal(xt_error_fold(7), -ENOTRECOVERABLE);
    assert_int_equal(xt_error_fold(-EIO), -EIO);
}

static void test_trace_names_the_place_and_keeps_errno(void **state)
{
    FILE *f = tmpfile();
    int saved = dup(STDERR_FILENO);
    char text[512];

    assert_non_null(f);
    dup2(fileno(f), STDERR_FILENO);
    errno = EAGAIN;
    int r = xt_error_origin(-ENOMEM);
    int after = errno;
    r = xt_error_trace(r);
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_int_equal(r, -ENOMEM);
    assert_int_equal(after, EAGAIN);
    rewind(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    char *second = strstr(text, "trace: test_trace_names_the_place_and_keeps_errno (");
    assert_non_null(second);
    assert_ptr_equal(strstr(text, "origin: test_trace_names_the_place_and_keeps_errno ("), text);
    assert_non_null(strstr(second, "test_error.c:"));
    assert_non_null(strstr(text, "Cannot allocate memory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_trace_names_the_place_and_keeps_errno),
    };
    setenv("EXECTRAIL_TRACE", "1", 1); /* read once, so before anything else */
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A shipper that was taken over says what it likes: root's STATE/status has its own words of it, and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "agent/shipper_words.h"

static void check(const char *report, const char *want)
{
    xt_buf out = XT_BUF_INIT;
    xt_shipper_words_take(xt_slice_str(report), &out);
    xt_buf_putc(&out, '\0');
    assert_int_equal(xt_buf_done(&out), 0);
    assert_string_equal(out.p, want);
    xt_buf_fini(&out);
}

static void test_own_words(void **state)
{
    static const char report[] =
        "host_id=00ff\nserver=a.example:1\nconnection=up: \\ as text\nspool=empty\nspool_batches=0\n"
        "spool_events=1\nspool_bytes=2\nspool_dropped_events=3\nacked_number=4\nacked_ms=5\n"
        "retry_ms=6\ncertificate_ms=7\nrun=18446744073709551615\nrun_from_ms=8\nbeat_ms=9\n"
        "collector_stopped=10\n";
    check(report, report);
}

static void test_words_of_others(void **state)
{
    check("pid=1\nalarm=none\ncompleteness=complete\nblind=x\nserver=a\nlost=0\n", "server=a\n");
    check("server=a\nserver=b\nrun=1\nrun=2\n", "server=a\nrun=1\n");
    check("run=x\nrun=2\nbeat_ms=-1\nacked_ms=\n", "");
    check("server\n=a\n\nserver=\n", "server=\n");
    check(" server=a\nServer=a\nserver =a\nserver=a=b", "server=a=b\n");
    check("", "");
}

static void test_values(void **state)
{
    check("server=\033[2Ja\rb\n", "server=\\x1b[2Ja\\x0db\n");
    check("spool=\xe2\x80\xae\xff\n", "spool=\\u{202e}\\xff\n");
    char *report = malloc(5001);
    xt_buf out = XT_BUF_INIT;
    assert_non_null(report);
    memset(report, 'a', 5001);
    memcpy(report, "server=", 7);
    xt_shipper_words_take(xt_slice_of(report, 5001), &out);
    assert_int_equal(out.n, 7 + XT_SHIPPER_WORD_BYTES + 1);
    xt_buf_fini(&out);
    free(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_words),
        cmocka_unit_test(test_words_of_others),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

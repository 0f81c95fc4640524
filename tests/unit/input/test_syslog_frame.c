#include "input/syslog_frame.h"

#include "cmocka_head.h"

#include <errno.h>

/* Messages in the order in which they come, each behind "|" or, cut, "!". */
static int collect(void *context, xt_slice message, bool is_cut)
{
    xt_buf_putc(context, is_cut ? '!' : '|');
    xt_buf_put(context, message);
    return 0;
}

static void assert_frames(xt_slice stream, size_t piece, const char *want)
{
    XT_CLEANUP(xt_buf_fini) xt_buf got = XT_BUF_INIT;
    xt_syslog_framer f;
    xt_syslog_framer_init(&f, collect, &got);
    for (size_t at = 0; at < stream.n; at += piece)
        assert_int_equal(xt_syslog_framer_feed(&f, xt_slice_head(xt_slice_skip(stream, at), piece)), 0);
    assert_int_equal(xt_syslog_framer_finish(&f), 0);
    xt_syslog_framer_fini(&f);
    assert_int_equal(got.n, strlen(want));
    assert_memory_equal(got.p, want, got.n);
}

static void test_each_message_has_its_framing(void **state)
{
    static const struct {
        const char *stream, *want;
    } cases[] = {
        {"<1>a\n<2>b\n", "|<1>a|<2>b"},
        {"4 <1>a4 <2>b", "|<1>a|<2>b"},
        {"4 <1>a<2>b\n6 <3>c\nd<4>e\n", "|<1>a|<2>b|<3>c\nd|<4>e"},
        {"\n\n<1>a\n\n", "|<1>a"},
        {"12 monkeys\n4 <1>a", "|12 monkeys|<1>a"}, /* a length has a message with < behind it */
        {"04 <1>a\n", "|04 <1>a"},
        {"1234567890 <1>a\n", "|1234567890 <1>a"},
        {"type=X\n17", "|type=X!17"},
        {"<1>a", "!<1>a"},
        {"9 <1>a", "!<1>a"},
        {"0", "!0"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < XT_COUNT_OF(cases); i++)
        for (size_t piece = 1; piece < 12; piece++)
            assert_frames(xt_slice_str(cases[i].stream), piece, cases[i].want);
    assert_frames(XT_S("<1>a\0<2>b\n"), 3, "|<1>a|<2>b");
}

/* Too long: its beginning, then what comes behind it. */
static void test_a_message_is_bounded(void **state)
{
    (void)state;
    for (int counted = 0; counted < 2; counted++) {
        XT_CLEANUP(xt_buf_fini) xt_buf stream = XT_BUF_INIT, want = XT_BUF_INIT;
        size_t n = XT_SYSLOG_MAX_MESSAGE + 100;
        if (counted)
            xt_buf_printf(&stream, "%zu ", n);
        xt_buf_puts(&want, "!");
        xt_buf_puts(&stream, "<1>");
        xt_buf_puts(&want, "<1>");
        for (size_t i = 3; i < n; i++) {
            xt_buf_putc(&stream, (char)('a' + i % 26));
            if (i < XT_SYSLOG_MAX_MESSAGE)
                xt_buf_putc(&want, (char)('a' + i % 26));
        }
        xt_buf_puts(&stream, counted ? "4 <2>b" : "\n<2>b\n");
        xt_buf_puts(&want, "|<2>b");
        xt_buf_putc(&want, '\0');
        for (size_t piece = 1000; piece < 3 * XT_SYSLOG_MAX_MESSAGE; piece *= 3)
            assert_frames(xt_buf_slice(&stream), piece, want.p);
    }
}

static int refuse_second(void *context, xt_slice message, bool is_cut)
{
    (void)message;
    (void)is_cut;
    return ++*(int *)context == 2 ? -ENOMEM : 0;
}

static void test_a_call_ends_the_feed(void **state)
{
    int n = 0;
    xt_syslog_framer f;
    (void)state;
    xt_syslog_framer_init(&f, refuse_second, &n);
    assert_int_equal(xt_syslog_framer_feed(&f, XT_S("<1>a\n<2>b\n<3>c\n")), -ENOMEM);
    assert_int_equal(n, 2);
    xt_syslog_framer_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_message_has_its_framing),
                                       cmocka_unit_test(test_a_message_is_bounded),
                                       cmocka_unit_test(test_a_call_ends_the_feed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

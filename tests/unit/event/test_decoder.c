#include "support.h"

#define CALL(stamp)                                                                                                    \
    "type=SYSCALL msg=audit(" stamp "): arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=1 pid=2 comm=\"x\"\n" \
    "type=EXECVE msg=audit(" stamp "): argc=1 a0=\"x\"\ntype=PROCTITLE msg=audit(" stamp "): proctitle=\"x\"\n"

static const char stream[] =
    CALL("1.000:1") "junk\n\n" CALL("1.004:2") "type=USER_LOGIN msg=audit(1.008:3): pid=1 uid=0 "
                                               "msg='op=login res=success'\n" CALL("9.000:4");

/* However the bytes are cut, the events are the same. */
static void test_pieces(void **state)
{
    seen whole = seen_text(stream);
    assert_int_equal(whole.n, 5);
    assert_int_equal(whole.n_problems, 1);
    assert_int_equal(whole.problem.line, 4);
    assert_string_equal(whole.problem.source, "test");
    for (size_t piece = 1; piece < 200; piece++) {
        seen s = {0};
        xt_decoder_settings settings = seen_settings(&s);
        seen_feed(&s, &settings, xt_slice_str(stream), piece);
        assert_true(xt_slice_eq(xt_buf_slice(&s.batch), xt_buf_slice(&whole.batch)));
        assert_int_equal(s.n_problems, 1);
        seen_fini(&s);
    }
    seen_fini(&whole);
}

static void test_last_line_without_newline(void **state)
{
    seen s = seen_text("type=USER_LOGIN msg=audit(1.008:3): pid=1 uid=0 msg='op=login res=success'");
    assert_int_equal(s.n, 1);
    seen_fini(&s);
}

/* A line above the limit is one unparsed event of its first bytes, and the next line is read as ever. */
static void check_long_line(size_t n, size_t piece)
{
    xt_buf text = XT_BUF_INIT;
    seen s = {0};
    for (size_t i = 0; i < n; i++)
        xt_buf_putc(&text, 'x');
    xt_buf_puts(&text, "\ntype=USER_LOGIN msg=audit(1.008:3): pid=1 uid=0 msg='op=login res=success'\n");
    xt_decoder_settings settings = seen_settings(&s);
    seen_feed(&s, &settings, xt_buf_slice(&text), piece);
    assert_int_equal(s.n, 2);
    xt_event first = seen_get(&s, 0), second = seen_get(&s, 1);
    assert_int_equal(xt_event_bytes(&first, XT_F_ORIGINAL).n, n < 1 << 20 ? n : 1 << 20);
    assert_slice_eq(xt_event_bytes(&second, XT_F_ACTION), "logged-in");
    assert_int_equal(s.problem.line, 1);
    seen_fini(&s);
    xt_buf_fini(&text);
}

static void test_long_lines(void **state)
{
    check_long_line(1000, 100);
    check_long_line(1 << 20, 65536);
    check_long_line((1 << 20) + 1, 1 << 22);
    check_long_line(3 << 20, 1 << 22);
    check_long_line(3 << 20, 100000);
}

static int refuse(void *context, xt_event *event, xt_arena *arena)
{
    (void)event;
    (void)arena;
    return ++*(int *)context == 2 ? 77 : 0;
}

static void test_callback_ends_the_stream(void **state)
{
    int n = 0;
    xt_decoder_settings settings = {.on_event = refuse, .context = &n};
    xt_decoder *decoder;
    assert_int_equal(xt_decoder_new(&settings, &decoder), 0);
    assert_int_equal(xt_decoder_feed(decoder, xt_slice_str(stream)), 77);
    assert_int_equal(n, 2);
    xt_decoder_free(decoder);
}

/* A live source: time is the caller's, and what has no end is given out by it. */
static void test_live(void **state)
{
    seen s = {0};
    xt_decoder_settings settings = seen_settings(&s);
    xt_decoder *decoder;
    settings.live = true;
    assert_int_equal(xt_decoder_new(&settings, &decoder), 0);
    assert_int_equal(xt_decoder_tick(decoder, 1000), 0);
    assert_int_equal(xt_decoder_feed_payload(decoder, 1300, XT_S("audit(1.000:1): arch=c000003e syscall=59 pid=5")), 0);
    assert_int_equal(xt_decoder_feed_payload(decoder, 1300, XT_S("audit(99.000:2): arch=c000003e syscall=59 pid=6")),
                     0);
    assert_int_equal(xt_decoder_tick(decoder, 1500), 0);
    assert_int_equal(s.n, 0);
    assert_int_equal(xt_decoder_feed_payload(decoder, 1320, XT_S("audit(99.000:2): ")), 0);
    assert_int_equal(s.n, 1);
    assert_int_equal(xt_decoder_tick(decoder, 5000), 0);
    assert_int_equal(s.n, 2);
    xt_event e = seen_get(&s, 1);
    assert_int_equal(xt_event_num(&e, XT_F_PID, 0), 5);
    assert_true(list_has(xt_event_bytes(&e, XT_F_FLAGS), "timeout"));
    assert_int_equal(xt_decoder_stats_get(decoder).n_timeout, 1);
    assert_int_equal(xt_decoder_stats_get(decoder).n_records, 3);
    xt_decoder_free(decoder);
    seen_fini(&s);
}

/* An event that does not fit becomes one that says so; the stream goes on. */
static void test_too_large_an_event(void **state)
{
    xt_buf text = XT_BUF_INIT;
    seen s = {0};
    xt_buf_puts(&text, "type=USER_LOGIN msg=audit(1.000:1): ");
    for (int i = 0; i < 20000; i++)
        xt_buf_puts(&text, "a= ");
    xt_buf_puts(&text, "\ntype=USER_LOGIN msg=audit(2.000:2): pid=1\n");
    xt_decoder_settings settings = seen_settings(&s);
    settings.max_memory_bytes = 300000;
    seen_feed(&s, &settings, xt_buf_slice(&text), 1000);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.n_problems, 1);
    xt_event first = seen_get(&s, 0), second = seen_get(&s, 1);
    assert_slice_eq(xt_event_bytes(&first, XT_F_ACTION), "unparsed");
    assert_slice_eq(xt_event_bytes(&second, XT_F_ACTION), "logged-in");
    seen_fini(&s);
    xt_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),     cmocka_unit_test(test_last_line_without_newline),
        cmocka_unit_test(test_long_lines), cmocka_unit_test(test_callback_ends_the_stream),
        cmocka_unit_test(test_live),       cmocka_unit_test(test_too_large_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

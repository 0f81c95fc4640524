/* Where a session was opened from, on its events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "event/decoder.h"
#include "event/session_table.h"

typedef struct seen {
    char text[4096];
    size_t n;
} seen;

/* SES:FROM of each event. */
static int on_event(void *context, xt_event *event, xt_arena *arena)
{
    seen *s = context;
    s->n += (size_t)snprintf(s->text + s->n, sizeof s->text - s->n, "%s%d:%.*s", s->n ? " " : "",
                             (int)xt_event_num(event, XT_F_SES, 0), XT_S_ARGS(xt_event_bytes(event, XT_F_FROM)));
    return 0;
}

static void check(const char *lines, bool follows, const char *expected)
{
    seen s = {.n = 0};
    xt_decoder *decoder;
    const xt_decoder_settings settings = {
        .origin = {.host_name = XT_S("h")}, .follows_sessions = follows, .on_event = on_event, .context = &s};
    assert_int_equal(xt_decoder_new(&settings, &decoder), 0);
    assert_int_equal(xt_decoder_feed(decoder, xt_slice_str(lines)), 0);
    assert_int_equal(xt_decoder_finish(decoder), 0);
    xt_decoder_free(decoder);
    assert_string_equal(s.text, expected);
}

#define LOGIN(t, ses)                     \
    "type=LOGIN msg=audit(" #t ".000:" #t \
    "): pid=9 uid=0 old-auid=4294967295 auid=5 tty=(none) old-ses=4294967295 ses=" #ses " res=1\n"
#define EOE(t) "type=EOE msg=audit(" #t ".000:" #t "):\n"
#define BOOT(t)                                 \
    "type=SYSTEM_BOOT msg=audit(" #t ".000:" #t \
    "): pid=1 uid=0 auid=4294967295 ses=4294967295 msg='comm=\"systemd-update-utmp\" res=success'\n"
#define START(t, ses, addr, res)                                                 \
    "type=USER_START msg=audit(" #t ".000:" #t "): pid=9 uid=0 auid=5 ses=" #ses \
    " msg='op=PAM:session_open acct=\"a\" exe=\"/usr/sbin/sshd\" hostname=x addr=" addr " terminal=ssh res=" res "'\n"
#define OTHER(t, ses) \
    "type=USER_ACCT msg=audit(" #t ".000:" #t "): pid=9 uid=0 auid=5 ses=" #ses " msg='op=x res=success'\n"

static void test_carried(void **state)
{
    check(START(1, 3, "192.0.2.7", "success") OTHER(2, 3) OTHER(3, 4), true, "3:192.0.2.7 3:192.0.2.7 4:");
    check(START(1, 3, "2001:db8::1", "success") OTHER(2, 3), true, "3:2001:db8::1 3:2001:db8::1");
    check(START(1, 3, "192.0.2.7", "success") OTHER(2, 3), false, "3:192.0.2.7 3:");
    check(OTHER(1, 4294967295) OTHER(2, 3), true, "0: 3:");
}

/* Neither a login that failed nor a second one in the session, and none of the boot before. */
static void test_not_carried(void **state)
{
    check(START(1, 3, "192.0.2.7", "failed") OTHER(2, 3), true, "3:192.0.2.7 3:");
    check(START(1, 3, "?", "success") OTHER(2, 3), true, "3: 3:");
    check(START(1, 3, "192.0.2.7", "success") START(2, 3, "192.0.2.8", "success") OTHER(3, 3), true,
          "3:192.0.2.7 3:192.0.2.8 3:192.0.2.7");
    check(START(1, 3, "192.0.2.7", "success") LOGIN(2, 3) EOE(2) OTHER(3, 3), true, "3:192.0.2.7 3: 3:");
    check(LOGIN(1, 3) START(2, 3, "192.0.2.7", "success") OTHER(3, 3), true, "3:192.0.2.7 3:192.0.2.7 3:192.0.2.7");
    check(START(1, 3, "192.0.2.7", "success") BOOT(2) OTHER(3, 3), true, "3:192.0.2.7 0: 3:");
    check("node=a " START(1, 3, "192.0.2.7", "success") "node=b " OTHER(2, 3) "node=a " OTHER(3, 3), true,
          "3:192.0.2.7 3: 3:192.0.2.7");
}

static xt_slice from_of(xt_session_table *table, uint32_t ses, xt_arena *arena, int *ret)
{
    xt_event event;
    xt_event_reset(&event);
    xt_event_set_num(&event, XT_F_SES, ses);
    xt_event_set_bytes(&event, XT_F_HOST_ID, XT_S("h"));
    *ret = xt_session_table_apply(table, &event, arena);
    return xt_event_bytes(&event, XT_F_FROM);
}

static void test_inferred_and_bound(void **state)
{
    xt_session_table *table;
    xt_arena arena;
    int r;
    uint64_t host = xt_slice_hash(XT_S("h"));
    xt_arena_init(&arena, 1 << 20);
    assert_int_equal(xt_session_table_new(&table), 0);
    xt_session_table_put(table, host, 1, XT_S("192.0.2.1"), true);
    assert_true(xt_slice_eq(from_of(table, 1, &arena, &r), XT_S("192.0.2.1")));
    assert_int_equal(r, XT_SESSION_E_INFERRED);
    xt_session_table_put(table, host, 1, XT_S("192.0.2.2"), false); /* what was seen goes before */
    xt_session_table_put(table, host, 1, XT_S("192.0.2.3"), true);
    assert_true(xt_slice_eq(from_of(table, 1, &arena, &r), XT_S("192.0.2.2")));
    assert_int_equal(r, 0);
    xt_session_table_put(table, host, 2, XT_S("no address"), false);
    xt_session_table_put(table, host, 2, XT_S("1.2.3.4 and far too much text behind it for any address"), false);
    assert_int_equal(from_of(table, 2, &arena, &r).n, 0);
    for (uint32_t ses = 10; ses < 100000; ses++)
        xt_session_table_put(table, host, ses, XT_S("192.0.2.9"), false);
    size_t n = 0, i = 0;
    while (xt_session_table_next(table, &i))
        n++;
    assert_in_range(n, 1, XT_SESSION_MAX);
    assert_true(from_of(table, 99999, &arena, &r).n > 0);
    xt_session_table_free(table);
    xt_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_carried),
        cmocka_unit_test(test_not_carried),
        cmocka_unit_test(test_inferred_and_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

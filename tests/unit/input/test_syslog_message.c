#include "input/syslog_message.h"

#include "cmocka_head.h"

#define RECORD "type=SYSCALL msg=audit(1700000000.123:7): arch=c000003e"

static void assert_parsed(xt_slice message, const char *host, const char *app, const char *text)
{
    xt_syslog_message m;
    xt_syslog_message_parse(message, &m);
    print_message("%.*s\n", XT_S_ARGS(message));
    assert_int_equal(m.host.n, strlen(host));
    assert_memory_equal(m.host.p, host, m.host.n);
    assert_int_equal(m.app.n, strlen(app));
    assert_memory_equal(m.app.p, app, m.app.n);
    assert_int_equal(m.text.n, strlen(text));
    assert_memory_equal(m.text.p, text, m.text.n);
}

static void test_5424(void **state)
{
    (void)state;
    assert_parsed(XT_S("<13>1 2026-11-23T15:04:05.123456+00:00 web-1 audit - - - " RECORD), "web-1", "audit", RECORD);
    assert_parsed(XT_S("<13>1 - - - - - - " RECORD), "", "", RECORD);
    assert_parsed(
        XT_S("<13>1 2026-11-23T15:04:05Z web-1 a 1 ID [x@1 k=\"a]\\\"]b\" l=\"\"][y] \xef\xbb\xbf" RECORD "\n"),
        "web-1", "a", RECORD);
    assert_parsed(XT_S("<13>1 2026-11-23T15:04:05Z web-1 a 1 ID [x@1 k=\"v\"]"), "web-1", "a", "");
    /* no header after all: the text is all of it */
    assert_parsed(XT_S("<13>1 2026-11-23T15:04:05Z web-1 a 1 ID [x@1 k=\"v\" "), "", "",
                  "1 2026-11-23T15:04:05Z web-1 a 1 ID [x@1 k=\"v\" ");
    assert_parsed(XT_S("<13>1 2026-11-23T15:04:05Z"), "", "", "1 2026-11-23T15:04:05Z");
}

static void test_3164(void **state)
{
    (void)state;
    assert_parsed(XT_S("<13>Nov 23 15:04:05 web-1 audit-log: " RECORD), "web-1", "audit-log", RECORD);
    assert_parsed(XT_S("<13>Nov  3 15:04:05 web-1 audispd: node=web-2 " RECORD), "web-1", "audispd",
                  "node=web-2 " RECORD);
    assert_parsed(XT_S("<13>Nov 23 15:04:05 web-1 audisp-syslog[123]: " RECORD), "web-1", "audisp-syslog[123]", RECORD);
    assert_parsed(XT_S("<13>2026-11-23T15:04:05.123456+01:00 db.example.org tag: " RECORD), "db.example.org", "tag",
                  RECORD);
    assert_parsed(XT_S("<13>Nov 23 2026 15:04:05 fe80::1 " RECORD), "fe80::1", "", RECORD);
    assert_parsed(XT_S("<13>Nov 23 15:04:05 2026 web-1 " RECORD), "web-1", "", RECORD);
    assert_parsed(XT_S("<4>Nov 23 15:04:05 web-1 kernel: [   12.345678] audit: type=1400 audit(1.234:5): x=y"), "web-1",
                  "kernel", "[   12.345678] audit: type=1400 audit(1.234:5): x=y");
    /* without a host */
    assert_parsed(XT_S("<13>Nov 23 15:04:05 tag: " RECORD), "", "tag", RECORD);
    assert_parsed(XT_S("<13>tag: " RECORD), "", "tag", RECORD);
    assert_parsed(XT_S("<13>" RECORD), "", "", RECORD);
    /* nothing but text */
    assert_parsed(XT_S(RECORD), "", "", RECORD);
    assert_parsed(XT_S("node=a " RECORD "\r\n"), "", "", "node=a " RECORD);
    assert_parsed(XT_S("<>x"), "", "", "<>x");
    assert_parsed(XT_S("<12345>x"), "", "", "<12345>x");
    assert_parsed(XT_S("<13>"), "", "", "");
    assert_parsed(XT_S(""), "", "", "");
    assert_parsed(XT_S("\n"), "", "", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_5424), cmocka_unit_test(test_3164)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

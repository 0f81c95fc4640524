/*
 * docs/audit-cases.md, 4 to 22: how lines are framed, which event a record belongs to, when an event is complete.
 */
#include "cases.h"

static void check_same_as(const char *text, const char *plain)
{
    seen a = seen_text(text), b = seen_text(plain);
    if (!xt_slice_eq(xt_buf_slice(&a.batch), xt_buf_slice(&b.batch)))
        fail_msg("differs from the plain form: %s", text);
    seen_fini(&a);
    seen_fini(&b);
}

static void case_04_two_spaces_after_the_colon(void **state)
{
    seen s = case_read(EXEC("1.000:1", "7") "type=EXECVE msg=audit(1.000:1):  argc=2 a0=\"x\" a1_len=4 a1[0]=\"ab\"\n"
                                            "type=EXECVE msg=audit(1.000:1):  a1[1]=\"cd\"\n"
                                            "type=CWD msg=audit(1.000:1):  cwd=\"/\"\n" TITLE("1.000:1"),
                       1);
    xt_event e = seen_get(&s, 0);
    assert_arg(&e, 1, "abcd");
    assert_text(&e, XT_F_CWD, "/");
    seen_fini(&s);
}

#define BODY  "arch=c000003e syscall=59 success=yes exit=0 items=0 " TASK("7") "comm=\"x\" exe=\"/bin/x\" key=(null)"
#define PLAIN "type=SYSCALL msg=audit(1.000:1): " BODY "\n"

static void case_05_prefixes(void **state)
{
    check_same_as("type=SYSCALL audit(1.000:1): " BODY "\n", PLAIN);
    check_same_as("type=1300 msg=audit(1.000:1): " BODY "\n", PLAIN);
    check_same_as("audit: type=1300 audit(1.000:1): " BODY "\n", PLAIN);
    check_same_as("[   12.345678] audit: type=1300 audit(1.000:1): " BODY "\n", PLAIN);
    check_same_as("Nov 23 03:00:00 web-1 kernel: audit: type=1300 audit(1.000:1): " BODY "\n", PLAIN);
    check_same_as("Nov 23 03:00:00 web-1 audispd: type=SYSCALL msg=audit(1.000:1): " BODY "\n", PLAIN);
    check_same_as("Nov 23 03:00:00 x audisp-syslog[71]: node=db-9 type=SYSCALL msg=audit(1.000:1): " BODY "\n",
                  "node=db-9 " PLAIN);
    check_same_as("Nov 23 03:00:00 x audispd: type=SYSCALL msg=audit(1.000:1): " BODY "#035AUID=\"alice\"\n",
                  "type=SYSCALL msg=audit(1.000:1): " BODY "\x1d"
                  "AUID=\"alice\"\n");
    seen s = case_read("node=db-9 " PLAIN, 1);
    xt_event e = seen_get(&s, 0);
    assert_text(&e, XT_F_HOST, "db-9");
    seen_fini(&s);
    s = case_read(
        "type=USER_AUTH msg=audit(1.000:2): user pid=5 uid=0 auid=4294967295 "
        "msg='PAM: authentication acct=root : exe=\"/bin/su\" (hostname=?, addr=?, terminal=pts/1 res=success)'\n",
        1);
    e = seen_get(&s, 0);
    assert_int_equal(xt_event_num(&e, XT_F_PID, 0), 5);
    assert_text(&e, XT_F_OUTCOME, "success");
    seen_fini(&s);
}

static void case_06_unknown_by_number(void **state)
{
    seen s = case_read(
        EXEC("1.000:1", "7")
            EXECVE("1.000:1", "argc=1 a0=\"x\"") "type=UNKNOWN[1327] msg=audit(1.000:1): proctitle=\"x\"\n" COMMAND(
                "1.000:2", "8"),
        2);
    xt_event e = seen_get(&s, 0);
    assert_int_equal(xt_event_num(&e, XT_F_SERIAL, 0), 1);
    assert_false(xt_event_has(&e, XT_F_FLAGS));
    seen_fini(&s);
    s = case_read("type=UNKNOWN[1998] msg=audit(1.000:1): a=1\n", 1);
    e = seen_get(&s, 0);
    assert_text(&e, XT_F_CODE, "UNKNOWN[1998]");
    assert_data(&e, "a", "1");
    seen_fini(&s);
}

static void case_07_serials_wrap_and_start_anew(void **state)
{
    seen s = case_read(COMMAND("1.000:4294967295", "7") COMMAND("1.000:1", "8") COMMAND("9.000:1", "9"), 3);
    for (size_t i = 0; i < 3; i++) {
        xt_event e = seen_get(&s, i);
        assert_int_equal(xt_event_num(&e, XT_F_PID, 0), 7 + i);
        assert_false(xt_event_has(&e, XT_F_FLAGS));
    }
    seen_fini(&s);
}

static void case_08_nodes_are_kept_apart(void **state)
{
    seen s = case_read("node=a " EXEC("1.000:1", "7") "node=b " EXEC("1.000:1", "8")
                           EXEC("1.000:1", "9") "node=b " EXECVE("1.000:1", "argc=1 a0=\"b\"") "node=a " EXECVE(
                               "1.000:1", "argc=1 a0=\"a\"") EXECVE("1.000:1", "argc=1 a0=\"none\""),
                       3);
    static const char *const args[] = {"a", "b", "none"};
    for (size_t i = 0; i < 3; i++) {
        xt_event e = seen_get(&s, i);
        assert_arg(&e, 0, args[xt_event_num(&e, XT_F_PID, 0) - 7]);
    }
    seen_fini(&s);
}

static void case_09_a_gap_in_serials_is_no_loss(void **state)
{
    seen s = case_read(COMMAND("1.000:1", "7") COMMAND("1.004:90", "8"), 2);
    for (size_t i = 0; i < 2; i++) {
        xt_event e = seen_get(&s, i);
        assert_false(xt_event_has(&e, XT_F_FLAGS));
    }
    seen_fini(&s);
}

static void case_10_partial_events_say_what_is_missing(void **state)
{
    seen s = case_read(EXEC("1.000:1", "7") TITLE("1.000:1") COMMAND("1.004:2", "8"), 2);
    xt_event e = seen_get(&s, 0);
    assert_true(has_flag(&e, "missing-execve"));
    assert_false(xt_event_has(&e, XT_F_ARGS));
    seen_fini(&s);
}

static void case_11_records_interleave(void **state)
{
    seen s = case_read(EXEC("1.000:4", "7") EXEC("1.000:3", "8") EXECVE("1.000:3", "argc=1 a0=\"three\"")
                           EXECVE("1.000:4", "argc=1 a0=\"four\"") TITLE("1.000:4") TITLE("1.000:3"),
                       2);
    for (size_t i = 0; i < 2; i++) {
        xt_event e = seen_get(&s, i);
        assert_arg(&e, 0, xt_event_num(&e, XT_F_SERIAL, 0) == 3 ? "three" : "four");
        assert_false(xt_event_has(&e, XT_F_FLAGS));
    }
    seen_fini(&s);
}

static void case_12_events_of_one_millisecond(void **state)
{
    seen s = case_read(COMMAND("1.000:1", "7") COMMAND("1.000:2", "8"), 2);
    xt_event a = seen_get(&s, 0), b = seen_get(&s, 1);
    assert_int_equal(xt_event_num(&a, XT_F_TIME, 0), xt_event_num(&b, XT_F_TIME, 0));
    assert_int_equal(xt_event_num(&a, XT_F_SERIAL, 0), 1);
    assert_int_equal(xt_event_num(&b, XT_F_SERIAL, 0), 2);
    seen_fini(&s);
}

/* Logged 3.3 s after it was entered, between the records of a younger one. */
static void case_13_a_slow_call_has_an_old_stamp(void **state)
{
    seen s = case_read(EXEC("104.000:7", "7") EXEC("100.700:9", "9") EXECVE("104.000:7", "argc=1 a0=\"seven\"")
                           EXECVE("100.700:9", "argc=1 a0=\"nine\"") TITLE("100.700:9") TITLE("104.000:7"),
                       2);
    for (size_t i = 0; i < 2; i++) {
        xt_event e = seen_get(&s, i);
        assert_arg(&e, 0, xt_event_num(&e, XT_F_PID, 0) == 7 ? "seven" : "nine");
        assert_false(xt_event_has(&e, XT_F_FLAGS));
    }
    seen_fini(&s);
}

/* An hour ahead and back while an event is open: it is not torn. */
static void case_14_the_clock_steps(void **state)
{
    seen s = case_read(EXEC("100.000:1", "7") COMMAND("3700.000:2", "8") EXECVE("100.000:1", "argc=1 a0=\"one\"")
                           TITLE("100.000:1") COMMAND("101.000:3", "9"),
                       3);
    for (size_t i = 0; i < 3; i++) {
        xt_event e = seen_get(&s, i);
        assert_false(xt_event_has(&e, XT_F_FLAGS));
        if (xt_event_num(&e, XT_F_PID, 0) == 7)
            assert_arg(&e, 0, "one");
    }
    seen_fini(&s);
}

static void case_15_without_an_end_record(void **state)
{
    seen s = case_read(COMMAND("1.000:1", "7") EXEC("1.004:2", "8") EXECVE("1.004:2", "argc=1 a0=\"x\""), 2);
    xt_event first = seen_get(&s, 0), second = seen_get(&s, 1);
    assert_false(xt_event_has(&first, XT_F_FLAGS));
    assert_true(has_flag(&second, "timeout")); /* neither end record nor title */
    assert_arg(&second, 0, "x");
    seen_fini(&s);
}

/* Old kernels have none: events end by time, and by it alone. */
static void case_16_without_a_title(void **state)
{
    xt_buf text = XT_BUF_INIT;
    for (int i = 1; i <= 60; i++)
        xt_buf_printf(&text,
                      "type=SYSCALL msg=audit(%d.000:%d): arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=1 "
                      "pid=%d comm=\"x\" exe=\"/x\"\ntype=EXECVE msg=audit(%d.000:%d): argc=1 a0=\"%d\"\n",
                      i, i, i, i, i, i);
    seen s;
    xt_decoder_settings settings = seen_settings(&s);
    seen_feed(&s, &settings, xt_buf_slice(&text), SIZE_MAX / 2);
    assert_int_equal(s.n, 60);
    for (size_t i = 0; i < 60; i++) {
        xt_event e = seen_get(&s, i);
        char number[12];
        snprintf(number, sizeof number, "%u", (unsigned)xt_event_num(&e, XT_F_PID, 0));
        assert_arg(&e, 0, number);
    }
    seen_fini(&s);
    xt_buf_fini(&text);
}

static void case_17_late_records_are_amendments(void **state)
{
    seen s =
        case_read(COMMAND("1.000:1", "7") COMMAND("1.004:2", "8")
                      TITLE("1.000:1") "type=EOE msg=audit(1.000:1): \ntype=CWD msg=audit(1.000:1): cwd=\"/late\"\n",
                  3);
    xt_event first = {0}, late = {0};
    for (size_t i = 0; i < 3; i++) {
        xt_event e = seen_get(&s, i);
        if (has_flag(&e, "late"))
            late = e;
        else if (xt_event_num(&e, XT_F_PID, 0) == 7)
            first = e;
    }
    assert_text(&late, XT_F_ACTION, "amended");
    assert_text(&late, XT_F_CWD, "/late");
    char id[33];
    xt_hash128_format(xt_event_id_of(xt_event_bytes(&first, XT_F_HOST_ID), 1000, 1), id);
    assert_slice_eq(xt_event_bytes(&late, XT_F_OF), id);
    seen_fini(&s);
}

static void case_18_events_without_a_system_call(void **state)
{
    static const char *const lines[] = {
        "type=TIME_ADJNTPVAL msg=audit(1.000:1): op=offset old=0 new=5\n"
        "type=TIME_ADJNTPVAL msg=audit(1.000:1): op=freq old=1 new=2\n",
        "type=BPF msg=audit(1.000:1): prog-id=7 op=UNLOAD\n",
        "type=AVC msg=audit(1.000:1): avc:  denied  { read } for  pid=3 comm=\"a\" scontext=a tcontext=b tclass=file\n",
        "type=NETFILTER_CFG msg=audit(1.000:1): table=filter family=2 entries=4 op=xt_replace pid=9 "
        "comm=\"iptables\"\n",
        "type=CONFIG_CHANGE msg=audit(1.000:1): op=set audit_backlog_limit=8192 old=64 auid=0 ses=1 res=1\n",
        "type=SECCOMP msg=audit(1.000:1): auid=0 uid=0 gid=0 ses=1 pid=3 comm=\"a\" exe=\"/a\" sig=31 arch=c000003e "
        "syscall=2 compat=0 ip=0x0 code=0x7ffc0000\n",
        "type=ANOM_ABEND msg=audit(1.000:1): auid=0 uid=0 gid=0 ses=1 pid=3 comm=\"a\" exe=\"/a\" sig=11 res=1\n",
        "type=KERNEL msg=audit(1.000:1): state=initialized audit_enabled=0 res=1\n",
    };
    for (size_t i = 0; i < XT_COUNT_OF(lines); i++) {
        seen s = case_read(lines[i], 1);
        xt_event e = seen_get(&s, 0);
        assert_true(xt_event_has(&e, XT_F_ACTION) && !has_flag(&e, "no-syscall") && !has_flag(&e, "unparsed"));
        seen_fini(&s);
    }
    seen s = case_read(lines[0], 1);
    xt_event e = seen_get(&s, 0);
    xt_slice second;
    assert_true(xt_recs_find(xt_event_bytes(&e, XT_F_RECORDS), XT_S("op"), 1, &second));
    assert_slice_eq(second, "freq");
    seen_fini(&s);
}

static void case_19_a_login_is_one_event(void **state)
{
    seen s = case_read("type=LOGIN msg=audit(1.000:1): pid=7 uid=0 old-auid=4294967295 auid=1001 tty=(none) "
                       "old-ses=4294967295 ses=5 res=1\n" SYSCALL("1.000:1", "7", "1", "yes", "4") TITLE("1.000:1"),
                       1);
    xt_event e = seen_get(&s, 0);
    assert_text(&e, XT_F_CODE, "LOGIN");
    assert_text(&e, XT_F_SYSCALL, "write");
    assert_int_equal(xt_event_num(&e, XT_F_AUID, 0), 1001);
    seen_fini(&s);
}

static void case_20_io_uring_heads_an_event(void **state)
{
    seen s =
        case_read("type=URINGOP msg=audit(1.000:1): uring_op=18 success=yes exit=5 items=1 ppid=1 pid=7 uid=0 gid=0 "
                  "euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 subj=x key=(null)\n"
                  "type=PATH msg=audit(1.000:1): item=0 name=\"/etc/passwd\" nametype=NORMAL\n" TITLE("1.000:1"),
                  1);
    xt_event e = seen_get(&s, 0);
    assert_text(&e, XT_F_CODE, "URINGOP");
    assert_int_equal(xt_event_num(&e, XT_F_PID, 0), 7);
    assert_data(&e, "uring_op", "18");
    assert_false(xt_event_has(&e, XT_F_FLAGS));
    seen_fini(&s);
}

#define PATH(stamp, item, name) "type=PATH " AT(stamp) "item=" item " name=\"" name "\" nametype=NORMAL\n"

/* Every line twice: the event is what it would be. */
static void case_21_delivered_twice(void **state)
{
    static const char once[] = EXEC("1.000:1", "7") EXECVE("1.000:1", "argc=2 a0=\"x\" a1_len=4 a1[0]=\"ab\"")
        EXECVE("1.000:1", "a1[1]=\"cd\"") PATH("1.000:1", "0", "/a") PATH("1.000:1", "1", "/a") TITLE("1.000:1");
    xt_buf twice = XT_BUF_INIT;
    xt_slice rest = xt_slice_str(once), line;
    while (xt_slice_cut(&rest, '\n', &line) && line.n > 0)
        for (int i = 0; i < 2; i++) {
            xt_buf_put(&twice, line);
            xt_buf_putc(&twice, '\n');
        }
    xt_buf_putc(&twice, '\0');
    seen a = case_read(once, 1), b = case_read(twice.p, 1);
    xt_event x = seen_get(&a, 0), y = seen_get(&b, 0);
    static const xt_field same[] = {XT_F_ARGS, XT_F_PATHS, XT_F_FLAGS, XT_F_MISSING, XT_F_KEY};
    for (size_t i = 0; i < XT_COUNT_OF(same); i++)
        assert_true(xt_slice_eq(xt_event_bytes(&x, same[i]), xt_event_bytes(&y, same[i])));
    assert_false(xt_event_has(&y, XT_F_FLAGS));
    seen_fini(&a);
    seen_fini(&b);
    xt_buf_fini(&twice);
}

/* The file was rotated in the middle of an event; lines are counted in each file. */
static void case_22_an_event_in_two_files(void **state)
{
    seen s = {0};
    xt_decoder_settings settings = seen_settings(&s);
    xt_decoder *decoder;
    assert_int_equal(xt_decoder_new(&settings, &decoder), 0);
    assert_int_equal(xt_decoder_feed(decoder, xt_slice_str(EXEC("1.000:1", "7"))), 0);
    assert_int_equal(xt_decoder_begin(decoder, "second"), 0);
    assert_int_equal(xt_decoder_feed(decoder, xt_slice_str(EXECVE("1.000:1", "argc=1 a0=\"x\"") "junk\n")), 0);
    assert_int_equal(xt_decoder_feed(decoder, xt_slice_str(TITLE("1.000:1"))), 0);
    assert_int_equal(xt_decoder_finish(decoder), 0);
    xt_decoder_free(decoder);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.problem.source, "second");
    assert_int_equal(s.problem.line, 2);
    xt_event e = seen_get(&s, 1);
    assert_arg(&e, 0, "x");
    assert_false(xt_event_has(&e, XT_F_FLAGS));
    seen_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_04_two_spaces_after_the_colon),
        cmocka_unit_test(case_05_prefixes),
        cmocka_unit_test(case_06_unknown_by_number),
        cmocka_unit_test(case_07_serials_wrap_and_start_anew),
        cmocka_unit_test(case_08_nodes_are_kept_apart),
        cmocka_unit_test(case_09_a_gap_in_serials_is_no_loss),
        cmocka_unit_test(case_10_partial_events_say_what_is_missing),
        cmocka_unit_test(case_11_records_interleave),
        cmocka_unit_test(case_12_events_of_one_millisecond),
        cmocka_unit_test(case_13_a_slow_call_has_an_old_stamp),
        cmocka_unit_test(case_14_the_clock_steps),
        cmocka_unit_test(case_15_without_an_end_record),
        cmocka_unit_test(case_16_without_a_title),
        cmocka_unit_test(case_17_late_records_are_amendments),
        cmocka_unit_test(case_18_events_without_a_system_call),
        cmocka_unit_test(case_19_a_login_is_one_event),
        cmocka_unit_test(case_20_io_uring_heads_an_event),
        cmocka_unit_test(case_21_delivered_twice),
        cmocka_unit_test(case_22_an_event_in_two_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

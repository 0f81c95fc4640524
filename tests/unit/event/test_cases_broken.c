/*
 * docs/audit-cases.md, 58 and 59: lines that are broken, and how lines end.
 */
#include "cases.h"

#define LONG "arch=c000003e syscall=59 success=yes exit=0 items=0 " TASK("123")
/* The writer stopped halfway and another began: neither gets anything of the other, and the first says it. */
static void check_spliced(const char *first, const char *second)
{
    xt_buf text = XT_BUF_INIT;
    xt_buf_printf(&text, "%s%s", first, second);
    xt_buf_puts(&text, EXECVE("2.000:2", "argc=1 a0=\"two\"") TITLE("2.000:2"));
    xt_buf_putc(&text, '\0');
    seen s = seen_text(text.p);
    assert_int_equal(s.n_problems, 1);
    assert_int_equal(s.n, 3);
    unsigned found = 0;
    for (size_t i = 0; i < 3; i++) {
        xt_event e = seen_get(&s, i);
        if (has_flag(&e, "unparsed")) {
            found |= 1;
            assert_true(xt_slice_starts(xt_event_bytes(&e, XT_F_ORIGINAL), xt_slice_str(first)));
        } else if (xt_event_num(&e, XT_F_SERIAL, 0) == 1) {
            found |= 2;
            assert_true(has_flag(&e, "truncated"));
            assert_true(xt_event_num(&e, XT_F_PID, 123) == 123 && xt_event_num(&e, XT_F_EXIT, 0) == 0);
        } else {
            found |= 4;
            assert_false(xt_event_has(&e, XT_F_FLAGS));
            assert_int_equal(xt_event_num(&e, XT_F_PID, 0), 9);
            assert_arg(&e, 0, "two");
        }
    }
    assert_int_equal(found, 7);
    seen_fini(&s);
    xt_buf_fini(&text);
}

static void case_58_spliced_with_a_node(void **state)
{
    seen s = seen_text("type=SYSCALL msg=audit(1.000:1): " LONG "comm=\"cnode=db " EXEC("2.000:2", "9"));
    assert_int_equal(s.n, 3);
    for (size_t i = 0; i < 3; i++) {
        xt_event e = seen_get(&s, i);
        if (xt_event_num(&e, XT_F_SERIAL, 0) == 2)
            assert_text(&e, XT_F_HOST, "db");
        if (xt_event_num(&e, XT_F_SERIAL, 0) == 1)
            assert_false(xt_event_has(&e, XT_F_COMM));
    }
    seen_fini(&s);
}

static void case_58_spliced_lines(void **state)
{
    static const char line[] = "type=SYSCALL msg=audit(1.000:1): " LONG "comm=\"cat\" exe=\"/bin/cat\" key=\"k\"";
    static const char enriched[] =
        "type=SYSCALL msg=audit(1.000:1): " LONG "comm=\"cat\" exe=\"/bin/cat\" key=\"k\"\x1d"
        "AUID=\"alice\" UID=\"root\"";
    char first[600];
    for (size_t n = sizeof "type=SYSCALL msg=audit(1.000:1): "; n < sizeof line; n++) {
        snprintf(first, sizeof first, "%.*s", (int)n, line);
        check_spliced(first, EXEC("2.000:2", "9"));
    }
    for (size_t n = sizeof line; n < sizeof enriched; n++) {
        snprintf(first, sizeof first, "%.*s", (int)n, enriched);
        check_spliced(first, EXEC("2.000:2", "9"));
    }
    check_spliced("type=DAEMON_END msg=audit(1.000:1): auditd normal halt, sending auid=0 pi", EXEC("2.000:2", "9"));
}

/* What a program wrote is its text, whatever it looks like. */
static void case_58_no_splice_in_a_message(void **state)
{
    seen s =
        case_read("type=USER_CMD msg=audit(1.000:1): pid=6 uid=0 msg='cwd=\"/\" x type=SYSCALL msg=audit(2.000:2): "
                  "arch=c000003e syscall=59 pid=99 res=success'\n",
                  1);
    xt_event e = seen_get(&s, 0);
    assert_int_equal(xt_event_num(&e, XT_F_PID, 0), 6);
    assert_false(has_flag(&e, "truncated"));
    seen_fini(&s);
}

static void case_58_cut_lines(void **state)
{
    static const char line[] = "type=SYSCALL msg=audit(1.000:1): " LONG "comm=\"cat\" exe=\"/bin/cat\" key=\"k\"";
    char cut[600];
    for (size_t n = sizeof "type=SYSCALL msg=audit(1.000:1): "; n < sizeof line; n++) {
        snprintf(cut, sizeof cut, "%.*s", (int)n, line);
        seen s = case_read(cut, 1);
        xt_event e = seen_get(&s, 0);
        assert_true(has_flag(&e, "truncated")); /* no newline */
        seen_fini(&s);
    }
    /* with one, but words of the record are missing */
    static const char *const ends[] = {"exe=\"/bin/c\n", "comm=\"cat\"\n", "comm=\"cat\" exe=\"/bin/cat\"\n", "\n"};
    for (size_t i = 0; i < XT_COUNT_OF(ends); i++) {
        snprintf(cut, sizeof cut, "type=SYSCALL msg=audit(1.000:1): " LONG "%s", ends[i]);
        seen s = case_read(cut, 1);
        xt_event e = seen_get(&s, 0);
        assert_true(has_flag(&e, "truncated"));
        seen_fini(&s);
    }
}

static void case_58_nul_bytes(void **state)
{
    static const char text[] =
        "\0\0\0\0" EXEC("1.000:1", "7") "\0\0\0\n" EXECVE("1.000:1", "argc=1 a0=\"x\"") TITLE("1.000:1");
    seen s = {0};
    xt_decoder_settings settings = seen_settings(&s);
    seen_feed(&s, &settings, xt_slice_of(text, sizeof text - 1), SIZE_MAX / 2);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.n_problems, 1);
    xt_event kept = seen_get(&s, 0), e = seen_get(&s, 1);
    assert_int_equal(xt_event_bytes(&kept, XT_F_ORIGINAL).n, 3);
    assert_arg(&e, 0, "x");
    assert_false(xt_event_has(&e, XT_F_FLAGS));
    seen_fini(&s);
}

static void case_58_lines_over_8_kib(void **state)
{
    xt_buf text = XT_BUF_INIT;
    xt_buf_puts(&text, EXEC("1.000:1", "7") "type=EXECVE msg=audit(1.000:1): argc=1 a0=\"");
    for (int i = 0; i < 100000; i++)
        xt_buf_putc(&text, 'y');
    xt_buf_puts(&text, "\"\n" TITLE("1.000:1"));
    seen s;
    xt_decoder_settings settings = seen_settings(&s);
    seen_feed(&s, &settings, xt_buf_slice(&text), 8192);
    assert_int_equal(s.n, 1);
    xt_event e = seen_get(&s, 0);
    assert_int_equal(list_item(xt_event_bytes(&e, XT_F_ARGS), 0).n, 100000);
    seen_fini(&s);
    xt_buf_fini(&text);
}

/* Lines before the first record have its time, or 0: whoever imports a file twice gets the same events. */
static void case_58_time_of_unread_lines(void **state)
{
    seen a = seen_text("junk\nmore junk\n" COMMAND("5.000:1", "7") "late junk\n"), b = seen_text("only junk\n");
    for (size_t i = 0; i < 2; i++) {
        xt_event e = seen_get(&a, i);
        assert_true(has_flag(&e, "unparsed"));
        assert_int_equal(xt_event_num(&e, XT_F_TIME, 0), 5000);
    }
    xt_event e = seen_get(&b, 0);
    assert_int_equal(xt_event_num(&e, XT_F_TIME, 1), 0);
    seen_fini(&a);
    seen_fini(&b);
}

static void case_59_ends_of_lines(void **state)
{
    seen s = case_read("type=EXECVE msg=audit(1.000:1): argc=2 a0=\"x\" a1=6120 \r\n"
                       "type=PROCTITLE msg=audit(1.000:1): proctitle=\"x\" \n",
                       1);
    xt_event e = seen_get(&s, 0);
    assert_int_equal(n_args(&e), 2);
    assert_arg(&e, 1, "a ");
    assert_false(has_flag(&e, "args-mismatch"));
    seen_fini(&s);
    s = seen_text("type=SYSCALL msg=audit(11/14/23 22:13:20.001:1) : arch=x86_64 syscall=execve\n");
    assert_int_equal(s.n, 1);
    assert_non_null(strstr(s.problem.hint, "ausearch --raw"));
    e = seen_get(&s, 0);
    assert_text(&e, XT_F_ACTION, "unparsed");
    seen_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_58_spliced_with_a_node),
        cmocka_unit_test(case_58_spliced_lines),
        cmocka_unit_test(case_58_no_splice_in_a_message),
        cmocka_unit_test(case_58_cut_lines),
        cmocka_unit_test(case_58_nul_bytes),
        cmocka_unit_test(case_58_lines_over_8_kib),
        cmocka_unit_test(case_58_time_of_unread_lines),
        cmocka_unit_test(case_59_ends_of_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

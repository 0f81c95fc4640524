/*
 * docs/audit-cases.md, 23 to 40: the arguments of a command and the program that ran.
 */
#include "cases.h"

/* One exec with these EXECVE records. */
static seen read_exec(const char *execves)
{
    xt_buf text = XT_BUF_INIT;
    xt_buf_puts(&text, EXEC("1.000:1", "7"));
    xt_buf_puts(&text, execves);
    xt_buf_puts(&text, TITLE("1.000:1"));
    xt_buf_putc(&text, '\0');
    seen s = case_read(text.p, 1);
    xt_buf_fini(&text);
    return s;
}

static void check_argument(const char *written, const char *wanted)
{
    char record[600];
    snprintf(record, sizeof record, "type=EXECVE msg=audit(1.000:1): argc=1 a0=%s\n", written);
    seen s = read_exec(record);
    xt_event e = seen_get(&s, 0);
    assert_int_equal(n_args(&e), 1);
    assert_arg(&e, 0, wanted);
    assert_false(xt_event_has(&e, XT_F_FLAGS));
    seen_fini(&s);
}

static void case_23_hex_or_quoted(void **state)
{
    check_argument("\"plain\"", "plain");
    check_argument("612062", "a b");
    check_argument("6122", "a\"");
    check_argument("C3A9", "\xc3\xa9");
}

static void case_24_quoted_values_are_literal(void **state)
{
    static const char *const values[] = {"a=b",
                                         "it's",
                                         "(",
                                         ")",
                                         ",",
                                         "a:b",
                                         "{",
                                         "?",
                                         "key=x",
                                         "type=EXECVE",
                                         "msg=audit(1.000:9):",
                                         "(null)",
                                         "DEADBEEF",
                                         "trailing,",
                                         "msg='x",
                                         "pid=1",
                                         "}",
                                         "a0=",
                                         "audit(1.0:1)",
                                         "#035AUID="};
    char written[100];
    for (size_t i = 0; i < XT_COUNT_OF(values); i++) {
        snprintf(written, sizeof written, "\"%s\"", values[i]);
        check_argument(written, values[i]);
    }
}

static void case_25_bare_hex_is_bytes(void **state)
{
    check_argument("DEADBEEF", "\xde\xad\xbe\xef");
    check_argument("\"DEADBEEF\"", "DEADBEEF");
}

static void case_26_null(void **state)
{
    check_argument("\"(null)\"", "(null)");
    seen s = case_read("type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=59 success=no exit=-2 items=1 " TASK(
                           "7") "comm=\"x\" exe=(null) key=(null)\ntype=CWD msg=audit(1.000:1): cwd=\"/\"\n"
                                "type=PATH msg=audit(1.000:1): item=0 name=(null) nametype=UNKNOWN\n"
                                "type=PROCTITLE msg=audit(1.000:1): proctitle=\"(null)\"\n",
                       1);
    xt_event e = seen_get(&s, 0);
    assert_false(xt_event_has(&e, XT_F_EXE) || xt_event_has(&e, XT_F_KEY) || xt_event_has(&e, XT_F_ARGS));
    xt_path path;
    xt_path_iter iter = xt_paths_iterate(xt_event_bytes(&e, XT_F_PATHS));
    assert_true(xt_paths_next(&iter, &path) && !path.has_name);
    seen_fini(&s);
}

/* The cuts go through a UTF-8 sequence. */
static void case_27_fragments(void **state)
{
    seen s = read_exec("type=EXECVE msg=audit(1.000:1): argc=3 a0=\"x\" a1_len=10 a1[0]=61C3 a1[1]=A962 a1[2]=63\n"
                       "type=EXECVE msg=audit(1.000:1):  a2_len=4 a2[0]=\"ab\"\n"
                       "type=EXECVE msg=audit(1.000:1):  a2[1]=\"cd\"\n");
    xt_event e = seen_get(&s, 0);
    assert_int_equal(n_args(&e), 3);
    assert_arg(&e, 1,
               "a\xc3\xa9"
               "bc");
    assert_arg(&e, 2, "abcd");
    assert_false(xt_event_has(&e, XT_F_FLAGS));
    seen_fini(&s);
}

static void case_28_lengths_are_not_trusted(void **state)
{
    seen s = read_exec("type=EXECVE msg=audit(1.000:1): argc=1 a0_len=4000000000 a0[0]=\"ab\" a0[1]=\"cd\"\n");
    xt_event e = seen_get(&s, 0);
    assert_arg(&e, 0, "abcd");
    assert_true(has_flag(&e, "args-mismatch"));
    seen_fini(&s);
    s = read_exec("type=EXECVE msg=audit(1.000:1): argc=2 a0=\"x\" a1_len=9000\n"); /* nothing of the argument itself */
    e = seen_get(&s, 0);
    assert_int_equal(n_args(&e), 1);
    assert_text(&e, XT_F_MISSING, "1");
    seen_fini(&s);
}

static void case_29_many_records(void **state)
{
    xt_buf text = XT_BUF_INIT;
    xt_buf_puts(&text, "type=EXECVE msg=audit(1.000:1): argc=2000 a0=\"0\"\n");
    for (int i = 1; i < 2000; i++)
        xt_buf_printf(&text, i % 50 == 1 ? "type=EXECVE msg=audit(1.000:1): a%d=\"%d\"%s" : " a%d=\"%d\"%s", i, i,
                      i % 50 == 0 || i == 1999 ? "\n" : "");
    xt_buf_putc(&text, '\0');
    seen s = read_exec(text.p);
    xt_event e = seen_get(&s, 0);
    assert_int_equal(n_args(&e), 2000);
    assert_arg(&e, 1999, "1999");
    assert_arg(&e, 51, "51");
    assert_false(xt_event_has(&e, XT_F_FLAGS));
    xt_buf_fini(&text);
    seen_fini(&s);
}

/* An argument of 128 KiB in hex, then a list above the bound of one event: kept at its head, flagged. */
static void case_30_sizes(void **state)
{
    xt_buf text = XT_BUF_INIT;
    xt_buf_puts(&text, "type=EXECVE msg=audit(1.000:1): argc=1 a0_len=262144 ");
    for (int i = 0; i < 35; i++) {
        xt_buf_printf(&text, "a0[%d]=", i);
        for (int k = 0; k < (i < 34 ? 7500 : 262144 - 34 * 7500); k++)
            xt_buf_putc(&text, k % 2 ? '1' : 'A');
        xt_buf_puts(&text, i < 34 ? "\ntype=EXECVE msg=audit(1.000:1): " : "\n");
    }
    xt_buf_putc(&text, '\0');
    seen s = read_exec(text.p);
    xt_event e = seen_get(&s, 0);
    assert_int_equal(list_item(xt_event_bytes(&e, XT_F_ARGS), 0).n, 131072);
    assert_false(xt_event_has(&e, XT_F_FLAGS));
    seen_fini(&s);
    text.n--;
    xt_decoder_settings settings = seen_settings(&s);
    settings.max_memory_bytes = 100000; /* the bound of a group comes down with it */
    seen_feed(&s, &settings, xt_buf_slice(&text), SIZE_MAX / 2);
    assert_int_equal(s.n, 1);
    e = seen_get(&s, 0);
    assert_true(has_flag(&e, "truncated") || has_flag(&e, "unparsed"));
    seen_fini(&s);
    xt_buf_fini(&text);
}

static void case_31_empty_arguments_of_old_kernels(void **state)
{
    seen s = read_exec("type=EXECVE msg=audit(1.000:1): argc=3 a0=\"x\" a2=\"y\"\n");
    xt_event e = seen_get(&s, 0);
    assert_int_equal(n_args(&e), 3);
    assert_arg(&e, 1, "");
    assert_false(xt_event_has(&e, XT_F_FLAGS));
    seen_fini(&s);
    s = read_exec("type=EXECVE msg=audit(1.000:1): argc=4 a0=\"x\"\ntype=EXECVE msg=audit(1.000:1): a3=\"y\"\n");
    e = seen_get(&s, 0);
    assert_int_equal(n_args(&e), 2);
    assert_text(&e, XT_F_MISSING, "1-2");
    assert_true(has_flag(&e, "missing-args"));
    seen_fini(&s);
    check_argument("\"\"", "");
}

static void case_32_argc_is_no_size(void **state)
{
    seen s = read_exec("type=EXECVE msg=audit(1.000:1): argc=4000000000 a0=\"x\" a1=\"y\"\n");
    xt_event e = seen_get(&s, 0);
    assert_int_equal(n_args(&e), 2);
    assert_text(&e, XT_F_MISSING, "2-3999999999");
    seen_fini(&s);
    s = read_exec("type=EXECVE msg=audit(1.000:1): argc=70000 a0=\"x\"\n");
    e = seen_get(&s, 0);
    assert_text(&e, XT_F_MISSING, "1-69999");
    seen_fini(&s);
}

static void case_33_records_in_any_order(void **state)
{
    seen s = read_exec("type=EXECVE msg=audit(1.000:1): a2=\"z\"\ntype=EXECVE msg=audit(1.000:1): a1[1]=\"cd\"\n"
                       "type=EXECVE msg=audit(1.000:1): argc=3 a0=\"x\" a1_len=4 a1[0]=\"ab\"\n");
    xt_event e = seen_get(&s, 0);
    assert_int_equal(n_args(&e), 3);
    assert_arg(&e, 1, "abcd");
    assert_arg(&e, 2, "z");
    assert_false(xt_event_has(&e, XT_F_FLAGS));
    seen_fini(&s);
}

/* PROCTITLE holds NULs between arguments, and an address may begin with one: all bytes are kept. */
static void case_34_nul_in_hex(void **state)
{
    seen s = case_read(
        SYSCALL("1.000:1", "7", "42", "yes", "0") "type=PROCTITLE msg=audit(1.000:1): proctitle=00610062\n", 1);
    xt_event e = seen_get(&s, 0);
    assert_true(xt_slice_eq(case_data(&e, "proctitle"), xt_slice_of("\0a\0b", 4)));
    seen_fini(&s);
}

static void case_35_odd_bytes_come_back_from_json(void **state)
{
    seen s = read_exec("type=EXECVE msg=audit(1.000:1): argc=2 a0=\"x\" a1=FF1B5B6DC080E280A8E280AE5C09\n");
    xt_event e = seen_get(&s, 0);
    xt_arena arena;
    xt_buf json = XT_BUF_INIT;
    xt_arena_init(&arena, 1 << 20);
    assert_int_equal(xt_event_json(&e, 0, &arena, &json), 0);
    for (size_t i = 0; i < json.n; i++)
        assert_true((unsigned char)json.p[i] >= 0x20 && json.p[i] != 0x7f);
    xt_slice wanted = XT_S("\\\\xff\\\\x1b[m\\\\xc0\\\\x80\xe2\x80\xa8\xe2\x80\xae\\\\\\\\\\\\x09");
    assert_non_null(memmem(json.p, json.n, wanted.p, wanted.n));
    assert_non_null(memmem(json.p, json.n, "\"escaped\"", 9));
    xt_buf_fini(&json);
    xt_arena_fini(&arena);
    seen_fini(&s);
}

static void case_36_a_failed_exec_has_no_arguments(void **state)
{
    seen s = case_read(SYSCALL("1.000:1", "7", "59", "no",
                               "-2") "type=CWD msg=audit(1.000:1): cwd=\"/srv\"\n"
                                     "type=PATH msg=audit(1.000:1): item=0 name=\"bin/tool\" nametype=UNKNOWN\n"
                                     "type=PROCTITLE msg=audit(1.000:1): proctitle=6A617661002D6A6172\n",
                       1);
    xt_event e = seen_get(&s, 0);
    assert_text(&e, XT_F_ACTION, "executed");
    assert_text(&e, XT_F_OUTCOME, "failure");
    assert_text(&e, XT_F_EXE, "/srv/bin/tool");
    assert_false(xt_event_has(&e, XT_F_ARGS) || xt_event_has(&e, XT_F_FLAGS));
    seen_fini(&s);
}

typedef struct program {
    const char *exe, *args, *item0, *item1;
} program;

static seen read_program(program p)
{
    xt_buf text = XT_BUF_INIT;
    xt_buf_printf(&text,
                  "type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=59 success=yes exit=0 items=1 " TASK(
                      "7") "comm=\"x\" exe=%s key=(null)\ntype=EXECVE msg=audit(1.000:1): %s\n"
                           "type=CWD msg=audit(1.000:1): cwd=\"/w\"\n"
                           "type=PATH msg=audit(1.000:1): item=0 name=%s nametype=NORMAL\n",
                  p.exe, p.args, p.item0);
    if (p.item1)
        xt_buf_printf(&text, "type=PATH msg=audit(1.000:1): item=1 name=%s nametype=NORMAL\n", p.item1);
    xt_buf_puts(&text, TITLE("1.000:1"));
    xt_buf_putc(&text, '\0');
    seen s = case_read(text.p, 1);
    xt_buf_fini(&text);
    return s;
}

/* flag NULL: none at all */
static void check_flag(program p, const char *flag)
{
    seen s = read_program(p);
    xt_event e = seen_get(&s, 0);
    if (flag ? !has_flag(&e, flag) : xt_event_has(&e, XT_F_FLAGS))
        fail_msg("%s %s by %s: should be flagged %s", p.exe, p.args, p.item0, flag ? flag : "by nothing");
    seen_fini(&s);
}

static void case_37_scripts(void **state)
{
    program script = {"\"/usr/bin/dash\"", "argc=2 a0=\"/bin/sh\" a1=\"./run.sh\"", "\"./run.sh\"", "\"/bin/sh\""};
    seen s = read_program(script);
    xt_event e = seen_get(&s, 0);
    assert_text(&e, XT_F_EXE, "/usr/bin/dash");
    assert_text(&e, XT_F_SCRIPT, "/w/run.sh");
    assert_false(xt_event_has(&e, XT_F_FLAGS));
    seen_fini(&s);
}

static void case_38_from_memory_and_deleted(void **state)
{
    check_flag((program){"2F6D656D66643A6D656D202864656C6574656429", "argc=1 a0=\"x\"", "\"\"", NULL}, "memfd");
    check_flag((program){"2F746D702F61202864656C6574656429", "argc=1 a0=\"/tmp/a\"", "\"/tmp/a\"", NULL}, "deleted");
    /* a file that is called so */
    check_flag(
        (program){"2F746D702F61202864656C6574656429", "argc=1 a0=612864656C6574656429", "612864656C6574656429", NULL},
        "deleted");
    check_flag((program){"2F746D702F61202864656C6574656429", "argc=1 a0=61202864656C6574656429",
                         "61202864656C6574656429", NULL},
               NULL);
    seen s =
        read_program((program){"2F6D656D66643A6D656D202864656C6574656429", "argc=1 a0=\"x\"", "\"/dev/fd/3\"", NULL});
    xt_event e = seen_get(&s, 0);
    assert_text(&e, XT_F_EXE, "/memfd:mem (deleted)");
    assert_true(!has_flag(&e, "deleted"));
    seen_fini(&s);
}

/* The thread that execs takes the leader's pid, and the parent may be gone: what is written stands. */
static void case_39_pid_is_the_process(void **state)
{
    seen s = case_read(COMMAND("1.000:1", "7"), 1);
    xt_event e = seen_get(&s, 0);
    assert_int_equal(xt_event_num(&e, XT_F_PID, 0), 7);
    assert_int_equal(xt_event_num(&e, XT_F_PPID, 0), 1);
    assert_false(xt_event_has(&e, XT_F_PARENT_EXE));
    seen_fini(&s);
}

static void case_40_argv0_is_not_the_program(void **state)
{
    static const char nmap[] = "\"/usr/bin/nmap\"";
    check_flag((program){nmap, "argc=1 a0=\"innocent\"", nmap, NULL}, "argv0-mismatch");
    check_flag((program){nmap, "argc=1 a0=\"\"", nmap, NULL}, "argv0-mismatch");
    check_flag((program){nmap, "argc=1 a0=\"-nmap\"", nmap, NULL}, NULL);
    check_flag((program){nmap, "argc=1 a0=\"../x/nmap\"", nmap, NULL}, NULL);
    check_flag((program){nmap, "argc=1 a0=\"--nmap\"", nmap, NULL}, "argv0-mismatch");
    /* alternatives and other links: the name that was given to the kernel */
    check_flag((program){"\"/usr/bin/vim.basic\"", "argc=1 a0=\"vi\"", "\"/usr/bin/vi\"", NULL}, NULL);
    check_flag((program){"\"/usr/bin/vim.basic\"", "argc=1 a0=\"ls\"", "\"/usr/bin/vi\"", NULL}, "argv0-mismatch");
    check_flag((program){"\"/bin/busybox\"", "argc=1 a0=\"wget\"", "\"/proc/self/exe\"", NULL}, NULL);
    /* the first argument is not known */
    check_flag((program){nmap, "a1=\"-sS\"", nmap, NULL}, "missing-args");
    seen s = read_program((program){nmap, "a1=\"-sS\"", nmap, NULL});
    xt_event e = seen_get(&s, 0);
    assert_false(has_flag(&e, "argv0-mismatch"));
    seen_fini(&s);
}

static void case_40_the_loader_runs_a_program(void **state)
{
    static const char so[] = "\"/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2\"",
                      name[] = "\"/lib64/ld-linux-x86-64.so.2\"";
    static const char *const runs[] = {"a1=\"/usr/bin/nmap\"", "a1=\"--library-path\" a2=\"/x\" a3=\"/usr/bin/nmap\"",
                                       "a1=\"--argv0\" a2=\"ls\" a3=\"./n\"", "a1=\"--inhibit-cache\" a2=\"n\""};
    static const char *const looks[] = {"", "a1=\"--help\"", "a1=\"--list\" a2=\"/usr/bin/nmap\"",
                                        "a1=\"--library-path\" a2=\"/x\"", "a1=\"--verify\" a2=\"/x\""};
    char args[200];
    for (size_t i = 0; i < XT_COUNT_OF(runs); i++) {
        snprintf(args, sizeof args, "argc=%d a0=%s %s", i == 0 ? 2 : i == 3 ? 3 : 4, name, runs[i]);
        check_flag((program){so, args, name, NULL}, "loader");
    }
    for (size_t i = 0; i < XT_COUNT_OF(looks); i++) {
        snprintf(args, sizeof args, "argc=%d a0=%s %s", i == 0 ? 1 : i == 1 ? 2 : 3, name, looks[i]);
        check_flag((program){so, args, name, NULL}, NULL);
    }
    check_flag((program){"\"/usr/bin/ld.gold\"", "argc=2 a0=\"ld.gold\" a1=\"x\"", "\"/usr/bin/ld.gold\"", NULL}, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_23_hex_or_quoted),
        cmocka_unit_test(case_24_quoted_values_are_literal),
        cmocka_unit_test(case_25_bare_hex_is_bytes),
        cmocka_unit_test(case_26_null),
        cmocka_unit_test(case_27_fragments),
        cmocka_unit_test(case_28_lengths_are_not_trusted),
        cmocka_unit_test(case_29_many_records),
        cmocka_unit_test(case_30_sizes),
        cmocka_unit_test(case_31_empty_arguments_of_old_kernels),
        cmocka_unit_test(case_32_argc_is_no_size),
        cmocka_unit_test(case_33_records_in_any_order),
        cmocka_unit_test(case_34_nul_in_hex),
        cmocka_unit_test(case_35_odd_bytes_come_back_from_json),
        cmocka_unit_test(case_36_a_failed_exec_has_no_arguments),
        cmocka_unit_test(case_37_scripts),
        cmocka_unit_test(case_38_from_memory_and_deleted),
        cmocka_unit_test(case_39_pid_is_the_process),
        cmocka_unit_test(case_40_argv0_is_not_the_program),
        cmocka_unit_test(case_40_the_loader_runs_a_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

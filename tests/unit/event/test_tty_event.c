/* TTY and USER_TTY records in a stream of events: lines across records, whose they are, and what is masked. */
#include <errno.h>

#include "support.h"

typedef struct typed_text {
    xt_buf text;
    unsigned serial;
} typed_text;

static void put_head(typed_text *t, const char *type)
{
    t->serial++;
    xt_buf_printf(&t->text, "type=%s msg=audit(%u.000:%u): ", type, t->serial, t->serial);
}

static void put_hex(xt_buf *out, xt_slice keys)
{
    for (size_t i = 0; i < keys.n; i++)
        xt_buf_printf(out, "%02X", (uint8_t)keys.p[i]);
}

static void put_tty(typed_text *t, const char *task, const char *comm, xt_slice keys)
{
    put_head(t, "TTY");
    xt_buf_printf(&t->text, "tty %s comm=\"%s\" data=", task, comm);
    put_hex(&t->text, keys);
    xt_buf_puts(&t->text, "\n");
}

static void put_keys(typed_text *t, const char *comm, const char *keys)
{
    put_tty(t, "pid=7 uid=1001 auid=1001 ses=3 major=136 minor=2", comm, xt_slice_str(keys));
}

static seen decode_with(typed_text *t, bool shows_secrets)
{
    seen s = {0};
    xt_decoder_settings settings = seen_settings(&s);
    settings.shows_typed_secrets = shows_secrets;
    seen_feed(&s, &settings, xt_buf_slice(&t->text), SIZE_MAX / 2);
    xt_buf_fini(&t->text);
    return s;
}

static seen decode(typed_text *t)
{
    return decode_with(t, false);
}

/* By its place in the text: what has no end of its own is given out later. */
static xt_event get_event(const seen *s, size_t number)
{
    for (size_t i = 0; i < s->n; i++) {
        xt_event e = seen_get(s, i);
        if (xt_event_num(&e, XT_F_SERIAL, 0) == number + 1)
            return e;
    }
    fail_msg("event %zu is not there", number);
    return (xt_event){0};
}

static bool has_flag(const xt_event *e, const char *flag)
{
    return list_has(xt_event_bytes(e, XT_F_FLAGS), flag);
}

static void assert_lines(const seen *s, size_t number, const char *lines, const char *unfinished)
{
    xt_event e = get_event(s, number);
    xt_buf joined = XT_BUF_INIT;
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(&e, XT_F_TTY_LINE));
    for (xt_slice line; xt_list_next(&iter, &line);) {
        xt_buf_put(&joined, line);
        xt_buf_putc(&joined, '|');
    }
    assert_slice_eq(xt_buf_slice(&joined), lines);
    assert_slice_eq(xt_event_bytes(&e, XT_F_TTY_UNFINISHED), unfinished);
    xt_buf_fini(&joined);
}

static bool holds(const seen *s, const char *needle)
{
    return xt_slice_find(xt_buf_slice(&s->batch), xt_slice_str(needle)) >= 0;
}

static void test_lines_and_session(void **state)
{
    typed_text t = {0};
    put_keys(&t, "bash", "cd /tmp\rhistory -c\runset PROMPT_COMMAND\r");
    seen s = decode(&t);
    xt_event e = get_event(&s, 0);
    assert_lines(&s, 0, "cd /tmp|history -c|unset PROMPT_COMMAND|", "");
    assert_slice_eq(xt_event_bytes(&e, XT_F_TTY), "pts2");
    assert_int_equal(xt_event_num(&e, XT_F_SES, 0), 3);
    assert_int_equal(xt_event_num(&e, XT_F_AUID, 0), 1001);
    assert_slice_eq(xt_event_bytes(&e, XT_F_ACTION), "typed");
    assert_false(has_flag(&e, "masked") || has_flag(&e, "truncated"));
    assert_true(holds(&s, "cd /tmp\rhistory -c\r")); /* the keystrokes stay */
    seen_fini(&s);
}

static void test_continued(void **state)
{
    typed_text t = {0};
    put_keys(&t, "bash", "rm -r");
    put_keys(&t, "bash",
             "x\x7f"
             "f /tm\x1b");
    put_keys(&t, "bash", "[D0\xc3");
    put_keys(&t, "bash", "\xa9\rnext");
    seen s = decode(&t);
    assert_lines(&s, 0, "", "rm -r");
    assert_lines(&s, 1, "", "rm -rf /tm");
    assert_lines(&s, 2, "", "rm -rf /t0m");
    assert_lines(&s, 3, "rm -rf /t0\xc3\xa9m|", "next");
    seen_fini(&s);
}

/* Another host, session, login, terminal, process or program: another line. */
static void test_whose(void **state)
{
    static const char *const tasks[] = {
        "pid=7 uid=1 auid=1 ses=3 major=136 minor=2", "pid=8 uid=1 auid=1 ses=3 major=136 minor=2",
        "pid=7 uid=1 auid=2 ses=3 major=136 minor=2", "pid=7 uid=1 auid=1 ses=4 major=136 minor=2",
        "pid=7 uid=1 auid=1 ses=3 major=4 minor=2",   "pid=7 uid=1 auid=1 ses=3 major=136 minor=3",
    };
    typed_text t = {0};
    for (int twice = 0; twice < 2; twice++) {
        for (unsigned i = 0; i < XT_COUNT_OF(tasks); i++) {
            char keys[] = {(char)('a' + (int)i), twice ? '\r' : '-'};
            put_tty(&t, tasks[i], "bash", xt_slice_of(keys, 2));
        }
        put_tty(&t, tasks[0], "zsh", twice ? XT_S("y\r") : XT_S("x"));
        xt_buf_puts(&t.text, "node=other ");
        put_tty(&t, tasks[0], "bash", twice ? XT_S("w\r") : XT_S("v"));
    }
    seen s = decode(&t);
    static const char *const wanted[] = {"a-a|", "b-b|", "c-c|", "d-d|", "e-e|", "f-f|", "xy|", "vw|"};
    for (unsigned i = 0; i < XT_COUNT_OF(wanted); i++)
        assert_lines(&s, XT_COUNT_OF(wanted) + i, wanted[i], "");
    seen_fini(&s);
}

static void test_terminals(void **state)
{
    static const char *const tasks[] = {
        "pid=1 major=136 minor=300", "pid=1 major=137 minor=1", "pid=1 major=4 minor=1", "pid=1 major=4 minor=65",
        "pid=1 major=5 minor=1",     "pid=1 major=229 minor=0", "pid=1 major=99 minor=9"};
    static const char *const wanted[] = {"pts300", "pts257", "tty1", "ttyS1", "console", "hvc0", ""};
    typed_text t = {0};
    for (unsigned i = 0; i < XT_COUNT_OF(tasks); i++)
        put_tty(&t, tasks[i], "bash", XT_S("a\r"));
    seen s = decode(&t);
    for (unsigned i = 0; i < XT_COUNT_OF(tasks); i++) {
        xt_event e = get_event(&s, i);
        assert_slice_eq(xt_event_bytes(&e, XT_F_TTY), wanted[i]);
    }
    seen_fini(&s);
}

static void test_case_47_user_tty(void **state)
{
    typed_text t = {0};
    put_head(&t, "USER_TTY");
    xt_buf_puts(&t.text, "pid=7 uid=1001 auid=1001 ses=3 data=\"ls\"\n");
    put_head(&t, "USER_TTY");
    xt_buf_puts(&t.text, "pid=7 uid=1001 auid=1001 ses=3 data=6364202F746D70\n");
    put_head(&t, "USER_TTY");
    xt_buf_puts(&t.text, "pid=7 uid=1001 auid=1001 ses=3 data=(null)\n");
    put_head(&t, "TTY"); /* before Linux 2.6.34 */
    xt_buf_puts(&t.text, "tty pid=7 uid=1001 auid=1001 major=4 minor=1 comm=\"bash\" data=6C730D\n");
    seen s = decode(&t);
    assert_lines(&s, 0, "ls|", "");
    assert_lines(&s, 1, "cd /tmp|", "");
    assert_lines(&s, 2, "", "");
    assert_lines(&s, 3, "ls|", "");
    seen_fini(&s);
}

/* Keys are recorded when they are read, not when the command runs: only their own order makes the lines. */
static void test_case_60_among_other_events(void **state)
{
    typed_text t = {0};
    put_keys(&t, "bash", "sle");
    put_head(&t, "USER_LOGIN");
    xt_buf_puts(&t.text, "pid=1 uid=0 auid=1001 ses=3 msg='op=login res=success'\n");
    put_keys(&t, "cat", "text\n");
    put_keys(&t, "bash", "ep 1\r");
    seen s = decode(&t);
    assert_lines(&s, 0, "", "sle");
    assert_lines(&s, 2, "text|", "");
    assert_lines(&s, 3, "sleep 1|", "");
    seen_fini(&s);
}

static void test_masked(void **state)
{
    static const char *const programs[] = {"sudo",        "su",    "ssh",       "passwd",  "login",           "gpg",
                                           "cryptsetup",  "mysql", "mysqldump", "mariadb", "pinentry-curses", "psql",
                                           "tmux: client"};
    for (unsigned i = 0; i < XT_COUNT_OF(programs); i++) {
        typed_text t = {0};
        put_keys(&t, programs[i], "hunter2\n");
        put_keys(&t, programs[i], "hun");
        seen s = decode(&t);
        xt_event e = get_event(&s, 0);
        assert_lines(&s, 0, "<masked>|", "");
        assert_lines(&s, 1, "<masked>|", "");
        assert_true(has_flag(&e, "masked"));
        assert_false(holds(&s, "hun"));
        assert_true(holds(&s, "major"));
        seen_fini(&s);
    }
}

static void test_not_masked(void **state)
{
    typed_text t = {0};
    put_keys(&t, "sudo", "hunter2\n");
    seen s = decode_with(&t, true);
    assert_lines(&s, 0, "hunter2|", "");
    seen_fini(&s);
    t = (typed_text){0};
    put_keys(&t, "bash", "<masked>\r");
    s = decode(&t);
    xt_event e = get_event(&s, 0);
    assert_false(has_flag(&e, "masked")); /* a look-alike has no flag */
    seen_fini(&s);
}

/* A shell that calls itself sudo hides nothing; sudo whose record stands beside a system call is masked as ever. */
static void check_beside_a_call(const char *exe, const char *line)
{
    typed_text t = {0};
    put_keys(&t, "sudo", "hunter2\n");
    xt_buf_printf(
        &t.text,
        "type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=0 success=yes exit=8 a0=0 items=0 ppid=6 pid=7 "
        "auid=1001 uid=1001 tty=pts2 ses=3 comm=\"sudo\" exe=\"%s\" key=(null)\n",
        exe);
    seen s = decode(&t);
    assert_int_equal(s.n, 1);
    assert_lines(&s, 0, line, "");
    assert_int_equal(holds(&s, "hunter2"), strcmp(line, "<masked>|") != 0);
    seen_fini(&s);
}

static void test_who_masks(void **state)
{
    check_beside_a_call("/usr/bin/sudo", "<masked>|");
    check_beside_a_call("/usr/bin/bash", "hunter2|");
}

static void test_injected(void **state)
{
    typed_text t = {0};
    put_keys(&t, "bash", "l");
    put_head(&t, "TTY");
    xt_buf_puts(&t.text, "ioctl=TIOCSTI pid=7 uid=1001 auid=1001 ses=3 major=136 minor=2 comm=\"bash\" data=0D\n");
    put_keys(&t, "bash", "s\r");
    seen s = decode(&t);
    xt_event e = get_event(&s, 1);
    assert_true(has_flag(&e, "injected"));
    assert_lines(&s, 2, "ls|", "");
    seen_fini(&s);
}

/* What a process left unfinished is not continued by the next process of that number. */
static void test_exit(void **state)
{
    typed_text t = {0};
    put_keys(&t, "bash", "left");
    xt_buf_puts(&t.text,
                "type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=231 a0=0 items=0 ppid=6 pid=7 auid=1001 "
                "uid=1001 tty=pts2 ses=3 comm=\"bash\" exe=\"/bin/bash\" key=(null)\n");
    put_keys(&t, "bash", "ls\r");
    seen s = decode(&t);
    assert_lines(&s, 0, "", "left");
    assert_lines(&s, 1, "ls|", "");
    seen_fini(&s);
}

/* More unfinished lines than are kept: the oldest begin anew, memory stays, each line that ends is right. */
static void test_many_states(void **state)
{
    typed_text t = {0};
    char task[100];
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(task, sizeof task, "pid=%u uid=1 auid=1 ses=3 major=136 minor=2", i);
        put_tty(&t, task, "bash", XT_S("x"));
    }
    put_tty(&t, "pid=4999 uid=1 auid=1 ses=3 major=136 minor=2", "bash", XT_S("y\r"));
    put_tty(&t, "pid=0 uid=1 auid=1 ses=3 major=136 minor=2", "bash", XT_S("y\r"));
    seen s = decode(&t);
    assert_lines(&s, 5000, "xy|", "");
    assert_lines(&s, 5001, "y|", "");
    seen_fini(&s);
}

static void test_megabytes_without_an_end(void **state)
{
    typed_text t = {0};
    xt_buf keys = XT_BUF_INIT;
    for (unsigned i = 0; i < 200000; i++)
        xt_buf_putc(&keys, 'k');
    for (unsigned i = 0; i < 3; i++)
        put_tty(&t, "pid=7 uid=1 auid=1 ses=3 major=136 minor=2", "bash", xt_buf_slice(&keys));
    put_keys(&t, "bash", "\r");
    put_tty(&t, "pid=7 uid=1 auid=1 ses=3 major=136 minor=2", "bash", XT_S("\rls\r"));
    seen s = decode(&t);
    xt_event first = get_event(&s, 0), last = get_event(&s, 4);
    assert_int_equal(xt_event_bytes(&first, XT_F_TTY_UNFINISHED).n, 1024);
    assert_true(has_flag(&first, "truncated"));
    assert_int_equal(list_item(xt_event_bytes(&last, XT_F_TTY_LINE), 0).n, 64 << 10);
    assert_true(has_flag(&last, "truncated"));
    assert_slice_eq(list_item(xt_event_bytes(&last, XT_F_TTY_LINE), 1), "ls");
    seen_fini(&s);
    xt_buf_fini(&keys);
}

/* A damaged line is kept, but not what was typed at sudo. */
static void test_masked_in_damage(void **state)
{
    static const char *const lines[] = {
        "type=TTY msg=audit(1.000:1: tty pid=7 major=136 minor=2 comm=\"sudo\" data=68756E746572320A",
        "9 minor=2 comm=\"tmux: client\" data=68756E746572320A\x1dUID=\"a\"",
        "x comm=\"bash\" data=6C730D y comm=\"su\" data=68756E746572320A z",
    };
    for (unsigned i = 0; i < XT_COUNT_OF(lines); i++) {
        typed_text t = {0};
        xt_buf_puts(&t.text, lines[i]);
        seen s = decode(&t);
        xt_event e = seen_get(&s, 0);
        assert_slice_eq(xt_event_bytes(&e, XT_F_ACTION), "unparsed");
        assert_false(holds(&s, "68756E74"));
        assert_true(holds(&s, " data=<masked>"));
        assert_int_equal(holds(&s, "data=6C730D"), i == 2);
        seen_fini(&s);
    }
}

/* Whatever does not fit into memory, nothing of a secret is in what comes out. */
static void test_masked_in_little_memory(void **state)
{
    unsigned n_typed = 0;
    for (size_t n_bytes = 64; n_bytes < 4096; n_bytes += 32) {
        typed_text t = {0};
        seen s = {0};
        xt_decoder_settings settings = seen_settings(&s);
        settings.max_memory_bytes = n_bytes;
        put_keys(&t, "sudo", "hunter2\n");
        xt_decoder *decoder;
        assert_int_equal(xt_decoder_new(&settings, &decoder), 0);
        int r = xt_decoder_feed(decoder, xt_buf_slice(&t.text));
        if (r == 0)
            r = xt_decoder_finish(decoder);
        assert_true(r == 0 || r == -ENOMEM);
        xt_decoder_free(decoder);
        assert_false(holds(&s, "hunter2") || holds(&s, "68756E74"));
        n_typed += holds(&s, "<masked>");
        xt_buf_fini(&t.text);
        seen_fini(&s);
    }
    assert_true(n_typed > 10);
}

static void put_again(typed_text *t, unsigned serial, const char *keys)
{
    xt_buf_printf(
        &t->text,
        "type=TTY msg=audit(%u.000:%u): tty pid=7 uid=1001 auid=1001 ses=3 major=136 minor=2 comm=\"bash\" data=",
        serial, serial);
    put_hex(&t->text, xt_slice_str(keys));
    xt_buf_puts(&t->text, "\n");
}

/* A record that came twice was typed once. */
static void test_duplicate(void **state)
{
    typed_text t = {0};
    put_keys(&t, "bash", "ls -");
    put_again(&t, 1, "ls -");
    put_keys(&t, "bash", "la\r");
    seen s = decode(&t);
    assert_int_equal(s.n, 2);
    assert_lines(&s, 0, "", "ls -");
    assert_lines(&s, 1, "ls -la|", "");
    seen_fini(&s);
}

/* One system call may fill the kernel's buffer twice: what was typed then is not read once only. */
static void test_full_buffers(void **state)
{
    typed_text t = {0};
    char keys[4097];
    memset(keys, 'a', 4095);
    keys[4095] = '\r';
    keys[4096] = '\0';
    put_keys(&t, "bash", keys);
    put_again(&t, 1, keys);
    seen s = decode(&t);
    xt_event e = seen_get(&s, 0);
    assert_int_equal(xt_list_count(xt_event_bytes(&e, XT_F_TTY_LINE)), 2);
    seen_fini(&s);
}

/* Behind its event a record is read by itself: the terminal's line goes on as if it had not come. */
static void test_late(void **state)
{
    typed_text t = {0};
    unsigned n_late = 0;
    put_keys(&t, "bash", "ls ");
    xt_buf_puts(&t.text, "type=PROCTITLE msg=audit(1.000:1): proctitle=\"bash\"\n");
    put_keys(&t, "bash", "-");
    put_again(&t, 1, "ls ");
    put_again(&t, 1, "id\rx");
    put_keys(&t, "bash", "la\r");
    seen s = decode(&t);
    for (size_t i = 0; i < s.n; i++) {
        xt_event e = seen_get(&s, i);
        if (!has_flag(&e, "late"))
            continue;
        assert_slice_eq(xt_event_bytes(&e, XT_F_TTY_UNFINISHED), n_late == 0 ? "ls " : "x");
        assert_int_equal(xt_list_count(xt_event_bytes(&e, XT_F_TTY_LINE)), n_late);
        n_late++;
    }
    assert_int_equal(n_late, 2);
    assert_lines(&s, 1, "", "ls -");
    assert_lines(&s, 2, "ls -la|", "");
    seen_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_and_session),
        cmocka_unit_test(test_continued),
        cmocka_unit_test(test_whose),
        cmocka_unit_test(test_terminals),
        cmocka_unit_test(test_case_47_user_tty),
        cmocka_unit_test(test_case_60_among_other_events),
        cmocka_unit_test(test_masked),
        cmocka_unit_test(test_not_masked),
        cmocka_unit_test(test_who_masks),
        cmocka_unit_test(test_injected),
        cmocka_unit_test(test_exit),
        cmocka_unit_test(test_many_states),
        cmocka_unit_test(test_megabytes_without_an_end),
        cmocka_unit_test(test_masked_in_damage),
        cmocka_unit_test(test_masked_in_little_memory),
        cmocka_unit_test(test_duplicate),
        cmocka_unit_test(test_full_buffers),
        cmocka_unit_test(test_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

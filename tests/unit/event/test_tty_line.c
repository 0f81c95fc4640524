/* What the keys of readline do to a line, key by key: wanted is what stands in the line when Enter is pressed. */
#include "support.h"

#include "event/tty_line.h"

static void render(xt_slice typed, bool edits, xt_buf *out)
{
    xt_key_reader reader = {0};
    xt_tty_line line;
    xt_tty_line_init(&line, edits);
    for (size_t i = 0; i < typed.n; i++) {
        uint32_t keys[XT_KEY_MAX];
        unsigned n = xt_key_read(&reader, (uint8_t)typed.p[i], keys);
        for (unsigned k = 0; k < n; k++) {
            int r = xt_tty_line_key(&line, keys[k]);
            assert_in_range(r, 0, XT_TTY_LINE_ENDS);
            if (r != XT_TTY_LINE_ENDS)
                continue;
            assert_true(xt_tty_line_put(&line, 0, out));
            xt_buf_putc(out, '|');
            xt_tty_line_reset(&line);
        }
    }
    xt_tty_line_put(&line, 0, out);
    xt_tty_line_fini(&line);
    assert_int_equal(xt_buf_done(out), 0);
}

typedef struct line_case {
    const char *typed, *wanted;
} line_case;

static void check(const line_case *cases, size_t n, bool edits)
{
    for (size_t i = 0; i < n; i++) {
        xt_buf out = XT_BUF_INIT;
        render(xt_slice_str(cases[i].typed), edits, &out);
        if (!xt_slice_eq(xt_buf_slice(&out), xt_slice_str(cases[i].wanted)))
            fail_msg("case %zu: is \"%.*s\", should be \"%s\"", i, XT_S_ARGS(xt_buf_slice(&out)), cases[i].wanted);
        xt_buf_fini(&out);
    }
}

#define LEFT  "\x1b[D"
#define RIGHT "\x1b[C"
#define UP    "\x1b[A"

static void test_editing(void **state)
{
    static const line_case cases[] = {
        {"cd /var/log\r", "cd /var/log|"},
        {"two\rlines\n", "two|lines|"},
        {"unfinished", "unfinished"},
        {"ecoh\x7f\x7fho fixed\r", "echo fixed|"},
        {"a\b\bb\r", "b|"},
        {"one two\x17three\r", "one three|"},
        {"one two  \x17three\r", "one three|"},
        {"path/to/x\x17y\r", "y|"},
        {"wrong\x15right\r", "right|"},
        {"world\x01hello \r", "hello world|"},
        {"ac\x02"
         "b\r",
         "abc|"},
        {"abd\x02\x02\x06"
         "X\x05"
         "e\r",
         "abXde|"},
        {"keep gone\x01\x06\x06\x06\x06\x0b\r", "keep|"},
        {"gone\x15kept \x19\r", "kept gone|"},
        {"a b\x17\x17\x19\r", "a b|"}, /* kills that follow each other are one */
        {"a b\x01\x0b\x19\x19\r", "a ba b|"},
        {"one\x15two\x17\x19\r", "two|"},
        {"one\x15two \x02\x06\x15\x19\r", "two |"},
        {"ls\x14\r", "sl|"},
        {"abc\x02\x14\r", "acb|"},
        {"a\x14\r", "a|"},
        {"abc" LEFT LEFT "X" RIGHT "Y\r", "aXbYc|"},
        {"abc\x1bOD\x1bODX\x1bOCY\r", "aXbYc|"},
        {"bc\x1b[Ha\x1b[F!\r", "abc!|"},
        {"bc\x1b[1~a\x1b[4~!\r", "abc!|"},
        {"bc\x1bOHa\x1bOF!\r", "abc!|"},
        {"abc" LEFT LEFT "\x1b[3~\r", "ac|"},
        {"abc\x01\x04\r", "bc|"},
        {"abc\x04\r", "abc|"},
        {"one two\x1b"
         "bX\r",
         "one Xtwo|"},
        {"one two\x01\x1b"
         "fX\r",
         "oneX two|"},
        {"one two\x01\x1b"
         "dX\r",
         "X two|"},
        {"one-two\x1b\x7fX\r", "one-X|"},
        {"one two\x1b[1;5DX\x1b[1;5CY\r", "one XtwoY|"},
        {"ab\x0c"
         "c\r",
         "abc|"},
        {"\r\n\r", "|||"},
        {"gr\xc3\xbc\xc3\x9f\x7f\x7fn\r", "grn|"}, /* whole characters */
        {"\xff\xc3(\r", "\xff\xc3(|"},             /* and bytes that are none */
    };
    check(cases, XT_COUNT_OF(cases), true);
}

static void test_named(void **state)
{
    static const line_case cases[] = {
        {"ls /va\t\r", "ls /va<tab>|"},
        {UP "\r", "<up>|"},
        {UP UP "\x1b[B\r", "<up><up><down>|"},
        {"\x12ssh\r", "<ctrl-r>ssh|"},
        {"\x12sxh\x7f\x7fsh\r", "<ctrl-r>ssh|"},
        {"sleep 9\x03ls\r", "sleep 9<ctrl-c>|ls|"},
        {"\x04", "<ctrl-d>|"},
        {"ls\x0f", "ls<ctrl-o>|"},
        {"\x1b.\r", "<esc>.|"},
        {"\x1b\x1b\r", "<esc><esc>|"},
        {"\x1bOP\x1b[15~\x1b[24~\x1b[[B\r", "<f1><f5><f12><f2>|"},
        {"\x1b[2~\x1b[5~\x1b[6~\r", "<insert><page-up><page-down>|"},
        {"\x1b[99;99R\r", "<esc>[99;99R|"},
        {"\x1b[1111111111111111111;1H\r", "<esc>[1111111111111111111;1H|"},
        {"\x18\x05ls\r", "<ctrl-x><ctrl-e>ls|"},
        {"\x18\x15ls\r", "<ctrl-x><ctrl-u>ls|"},
        {"a\x16\x1b[Ab\x16\t\r", "a<up>b<tab>|"},
        {"a\x16\tb\x7f\x7f\r", "a|"}, /* a character like others */
        {"\x19\r", "<ctrl-y>|"},      /* killed before anything was seen */
        {"a\x1f\r", "a<ctrl-_>|"},
    };
    check(cases, XT_COUNT_OF(cases), true);
}

/* What history or completion brought is not known: edits that reach it are named, others are applied. */
static void test_unknown_places(void **state)
{
    static const line_case cases[] = {
        {UP "\x7f\r", "<up><backspace>|"},
        {UP "ab\x7f\x7f\x7f\r", "<up><backspace>|"},
        {UP "\x01sudo \r", "sudo <up>|"},
        {UP "\x01sudo \x05 -n\r", "sudo <up> -n|"},
        {UP "\x17\r", "<up><ctrl-w>|"},
        {UP " a b\x17"
            "c\r",
         "<up> a c|"},
        {UP "\x15ls\r", "ls|"},
        {UP "\x0b\r", "<up><ctrl-k>|"},
        {UP LEFT LEFT RIGHT "\r", "<up><left><left><right>|"},
        {UP "\x14\r", "<up><ctrl-t>|"},
        {UP "\x04\r", "<up><ctrl-d>|"},
        {UP "\x1b"
            "b\r",
         "<up><alt-b>|"},
        {"ls /v\t\x7f\r", "ls /v<tab><backspace>|"},
        {"a" UP "\x01\x0b"
         "b\r",
         "b|"},
    };
    check(cases, XT_COUNT_OF(cases), true);
}

static void test_paste(void **state)
{
    static const line_case cases[] = {
        {"\x1b[200~ls -l\x1b[201~\r", "ls -l|"},
        {"\x1b[200~a\tb\x1b[201~\x7f\r", "a<tab>|"},
        {"\x1b[200~one\rtwo\x1b[201~\r", "one|two|"},
        {"\x1b[200~one\rtwo\x15three\r", "one|two<ctrl-u>three|"}, /* without an end it hides nothing */
        {"\x1b[201~x\r", "x|"},
    };
    check(cases, XT_COUNT_OF(cases), true);
}

static void test_full_screen(void **state)
{
    static const line_case cases[] = {
        {"ihello\x7f\x1b:wq\r", "ihello<backspace><esc>:wq|"},
        {"\x15\x0b" UP "dd\r", "<ctrl-u><ctrl-k><up>dd|"},
    };
    check(cases, XT_COUNT_OF(cases), false);
}

static void put_times(xt_buf *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        xt_buf_puts(out, text);
}

/* Megabytes: a line is bounded, and editing in its middle costs no more than what was typed is worth. */
static void check_hostile(const char *first, const char *then, bool is_cut)
{
    xt_buf typed = XT_BUF_INIT, out = XT_BUF_INIT;
    xt_key_reader reader = {0};
    xt_tty_line line;
    put_times(&typed, first, 70000);
    put_times(&typed, then, 300000);
    xt_tty_line_init(&line, true);
    for (size_t i = 0; i < typed.n; i++) {
        uint32_t keys[XT_KEY_MAX];
        unsigned n = xt_key_read(&reader, (uint8_t)typed.p[i], keys);
        for (unsigned k = 0; k < n; k++)
            assert_int_equal(xt_tty_line_key(&line, keys[k]), 0);
    }
    assert_true(xt_tty_line_memory(&line) <= 2 * XT_TTY_LINE_MAX * sizeof(uint32_t));
    assert_int_equal(line.is_truncated, is_cut);
    xt_tty_line_put(&line, 0, &out);
    assert_true(out.n <= XT_TTY_LINE_MAX);
    xt_tty_line_fini(&line);
    xt_buf_fini(&typed);
    xt_buf_fini(&out);
}

static void test_hostile(void **state)
{
    check_hostile("a", "a", true);
    check_hostile("\x12", "\x12", true);
    check_hostile("a", "\x01x\x05\x7f", true);
    check_hostile("a",
                  "\x1b"
                  "b\x1b"
                  "f",
                  true);
    check_hostile("a", "\x15\x19", true);
    check_hostile("a ", "\x17", true);
    check_hostile("a", "\x01\x04", true);
    check_hostile("a\x7f", "a\x7f", false);
    check_hostile("\x1b[", "\x1b[", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_editing), cmocka_unit_test(test_named),       cmocka_unit_test(test_unknown_places),
        cmocka_unit_test(test_paste),   cmocka_unit_test(test_full_screen), cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "event/secret_redact.h"
#include "support.h"

#include "base/arena.h"

typedef struct fixture {
    xt_secret_rules *rules;
    xt_arena arena;
    xt_event event;
} fixture;

static int open_fixture(void **state)
{
    static fixture f;
    assert_int_equal(xt_secret_rules_builtin(&f.rules), 0);
    xt_arena_init(&f.arena, 64 << 20);
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    fixture *f = *state;
    xt_secret_rules_unref(f->rules);
    xt_arena_fini(&f->arena);
    return 0;
}

/* An event of these arguments, a tab between them, redacted; as canonical bytes. */
static xt_slice encoded(fixture *f, const char *line, bool redact)
{
    xt_slice items[64], rest = xt_slice_str(line);
    xt_buf list = XT_BUF_INIT, bytes = XT_BUF_INIT;
    size_t n = 0;
    while (n < 64 && xt_slice_cut(&rest, '\t', &items[n]))
        n++;
    xt_list_put(&list, items, n);
    xt_event_reset(&f->event);
    xt_event_set_bytes(&f->event, XT_F_ARGS, xt_arena_copy(&f->arena, xt_buf_slice(&list)));
    if (redact)
        assert_int_equal(xt_secret_redact(f->rules, &f->event, NULL, &f->arena), 0);
    xt_event_encode(&f->event, &bytes);
    xt_slice kept = xt_arena_copy(&f->arena, xt_buf_slice(&bytes));
    xt_buf_fini(&list);
    xt_buf_fini(&bytes);
    return kept;
}

static void each_line(fixture *f, const char *name, void (*check)(fixture *f, const char *line))
{
    char path[512], line[4096];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/secrets/%s", getenv("XT_TEST_DATA"), name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#')
            continue;
        line[strcspn(line, "\n")] = '\0';
        xt_arena_reset(&f->arena);
        check(f, line);
        n++;
    }
    fclose(file);
    assert_true(n > 50);
}

static void check_planted(fixture *f, const char *line)
{
    xt_slice shown = encoded(f, line, false);
    assert_true(xt_slice_find(shown, XT_S("{S}")) >= 0);
    char text[4096];
    size_t n = 0;
    for (const char *p = line; *p && n + 16 < sizeof text;) {
        bool at_secret = strncmp(p, "{S}", 3) == 0;
        n += (size_t)snprintf(text + n, sizeof text - n, "%.*s", at_secret ? 9 : 1, at_secret ? "hUnter2xy" : p);
        p += at_secret ? 3 : 1;
    }
    shown = encoded(f, text, true);
    if (xt_slice_find(shown, XT_S("hUnter2xy")) >= 0)
        fail_msg("a secret is left in: %s", line);
    assert_true(xt_list_count(xt_event_bytes(&f->event, XT_F_REDACTIONS)) > 0);
    assert_false(list_has(xt_event_bytes(&f->event, XT_F_FLAGS), "secret-suspected"));
    /* what is done is done: a second pass changes nothing */
    xt_buf again = XT_BUF_INIT;
    assert_int_equal(xt_secret_redact(f->rules, &f->event, NULL, &f->arena), 0);
    xt_event_encode(&f->event, &again);
    assert_true(xt_slice_eq(xt_buf_slice(&again), shown));
    xt_buf_fini(&again);
}

static void test_planted(void **state)
{
    each_line(*state, "planted.txt", check_planted);
}

static void check_plain(fixture *f, const char *line)
{
    if (!xt_slice_eq(encoded(f, line, true), encoded(f, line, false)))
        fail_msg("changed: %s", line);
}

static void test_plain(void **state)
{
    each_line(*state, "plain.txt", check_plain);
}

/* {what is given, what is left of its last argument, its mark}; NULL: it stays. */
static void test_places(void **state)
{
    static const char *const rows[][3] = {
        {"mysql\t-phunter2", "-p[redacted]", "args[1]:2:mysql-password"},
        {"sh\t-c\tmysql -p'a b'", NULL, NULL},
        {"sh\t-c\tmysql -p\"hunter2\" x", "mysql -p\"[redacted]\" x", "args[2]:9:mysql-password"},
        {"sh\t-c\tmysql -pa\\'b x", "mysql -p[redacted] x", "args[2]:8:mysql-password"},
        {"bash\t-c\techo \"$(mysql -phunter2)\"", "echo \"$(mysql -p[redacted])\"", "args[2]:16:mysql-password"},
        {"sh\t-c\tsh -c 'sh -c \"mysql -phunter2\"'", "sh -c 'sh -c \"mysql -p[redacted]\"'",
         "args[2]:22:mysql-password"},
        {"sh\t-c\tx 2>&1; if y; then mysql -phunter2; fi", "x 2>&1; if y; then mysql -p[redacted]; fi",
         "args[2]:27:mysql-password"},
        {"curl\t-H\tCookie: a=1; b=2", "Cookie: [redacted]", "args[2]:8:cookie"},
        {"curl\t-H\tAuthorization: Digest username=\"u\", response=\"x\"", "Authorization: Digest [redacted]",
         "args[2]:22:authorization"},
        {"curl\thttps://u:p@ss@h/x", "https://u:[redacted]@h/x", "args[1]:10:uri-password"},
        {"curl\t-d\ta=1&password=x&b=2", "a=1&password=[redacted]&b=2", "args[2]:13:assignment"},
        {"curl\t-d\t{\"token\": \"x\", \"b\": 1}", "{\"token\": \"[redacted]\", \"b\": 1}", "args[2]:11:assignment"},
        {"x\t-----BEGIN EC PRIVATE KEY-----AA$(BB)-----END", "-----BEGIN EC PRIVATE KEY-----[redacted]-----END",
         "args[1]:30:private-key"},
        {"sh\t-c\techo hunter2 | sudo -S id", "echo [redacted] | sudo -S id", "args[2]:5:sudo-stdin"},
        {"sh\t-c\tprintf '%s' 'a:hunter2' |& sudo chpasswd", "printf '%s' 'a:[redacted]' |& sudo chpasswd",
         "args[2]:15:chpasswd"},
        {"sh\t-c\t(echo hunter2; echo hunter2) | smbpasswd -s", "(echo [redacted]; echo [redacted]) | smbpasswd -s",
         "args[2]:6:smbpasswd"},
        {"sh\t-c\tsudo -S <<<\"hunter2\" id", "sudo -S <<<\"[redacted]\" id", "args[2]:12:sudo-stdin"},
        {"sqlplus\tscott/p@ss@db", "scott/[redacted]@db", "args[1]:6:sqlplus"},
        {"htpasswd\t-b\t-C\t5\tf\tu\thunter2", "[redacted]", "args[6]:0:htpasswd"},
        {"useradd\t-p\t$6$salt$hash", "[redacted]", "args[2]:0:useradd-hash"},
        {"mysql\t-e\tcreate user a identified  BY 'x'", "create user a identified  BY '[redacted]'",
         "args[2]:30:sql-password"},
        {"sh\t-c\techo 'a b' | sudo -S id", NULL, NULL},
        {"/opt/mysql\t--host=x\t-phunter2", "-p[redacted]", "args[2]:2:mysql-password"},
    };
    fixture *f = *state;
    for (size_t i = 0; i < XT_COUNT_OF(rows); i++) {
        (void)encoded(f, rows[i][0], true);
        xt_slice args = xt_event_bytes(&f->event, XT_F_ARGS);
        xt_slice last = list_item(args, (unsigned)xt_list_count(args) - 1);
        if (rows[i][1]) {
            assert_slice_eq(last, rows[i][1]);
            assert_slice_eq(list_item(xt_event_bytes(&f->event, XT_F_REDACTIONS), 0), rows[i][2]);
        } else {
            assert_slice_eq(last, strrchr(rows[i][0], '\t') + 1);
            assert_false(xt_event_has(&f->event, XT_F_REDACTIONS));
            assert_true(list_has(xt_event_bytes(&f->event, XT_F_FLAGS), "secret-suspected"));
        }
    }
}

/* The name that the program goes by does not hide what it is. */
static void test_renamed_program(void **state)
{
    fixture *f = *state;
    (void)encoded(f, "innocent\t-phunter2", false);
    xt_event_set_bytes(&f->event, XT_F_EXE, XT_S("/usr/bin/mysql"));
    assert_int_equal(xt_secret_redact(f->rules, &f->event, NULL, &f->arena), 0);
    assert_slice_eq(list_item(xt_event_bytes(&f->event, XT_F_ARGS), 1), "-p[redacted]");
}

static void test_argv_of_proc(void **state)
{
    fixture *f = *state;
    xt_buf out = XT_BUF_INIT, marks = XT_BUF_INIT;
    assert_int_equal(xt_secret_redact_argv(f->rules, XT_S("mysql\0-pa b\0x\0"), &f->arena, &out, &marks), 0);
    assert_true(xt_slice_eq(xt_buf_slice(&out), XT_S("mysql\0-pa b\0x\0")));
    xt_buf_reset(&out);
    assert_int_equal(xt_secret_redact_argv(f->rules, XT_S("mysql\0-phunter2\0x\0"), &f->arena, &out, &marks), 0);
    assert_true(xt_slice_eq(xt_buf_slice(&out), XT_S("mysql\0-p[redacted]\0x\0")));
    assert_slice_eq(xt_slice_skip(xt_buf_slice(&marks), 1), "parent.cmd:8:mysql-password");
    xt_buf_fini(&out);
    xt_buf_fini(&marks);
}

/* What is erased while it is typed goes too, and what was typed wrongly before it. */
static void test_typed(void **state)
{
    static const char text[] = "type=TTY msg=audit(1.000:1): tty pid=9 uid=0 auid=1000 ses=3 major=136 minor=0 "
                               "comm=\"bash\" data=6D7973716C202D70666F6F7F7F7F6261720D\n";
    fixture *f = *state;
    seen s = {0};
    xt_decoder_settings settings = seen_settings(&s);
    settings.secrets = f->rules;
    seen_feed(&s, &settings, xt_slice_str(text), sizeof text);
    assert_int_equal(s.n, 1);
    assert_true(xt_slice_find(xt_buf_slice(&s.batch), XT_S("mysql -p")) >= 0);
    assert_int_equal(xt_slice_find(xt_buf_slice(&s.batch), XT_S("bar")), -1);
    assert_int_equal(xt_slice_find(xt_buf_slice(&s.batch), XT_S("foo")), -1);
    seen_fini(&s);
}

#define EXEC(stamp, pid, ppid, args)                                                                                \
    "type=SYSCALL msg=audit(" stamp "): arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=" ppid " pid=" pid \
    " uid=0 comm=\"x\" exe=\"/x\"\ntype=EXECVE msg=audit(" stamp "): " args "\ntype=PROCTITLE msg=audit(" stamp     \
    "): proctitle=\"x\"\n"

/* Also as the command line of a parent, and without a trace of it in the parent's memory. */
static void test_parent(void **state)
{
    fixture *f = *state;
    seen s = {0};
    xt_decoder_settings settings = seen_settings(&s);
    settings.secrets = f->rules;
    static const char text[] = EXEC("1.000:1", "5", "1", "argc=2 a0=\"mysql\" a1=\"-phunter2\"")
        EXEC("1.100:2", "6", "5", "argc=1 a0=\"sh\"") EXEC("9.000:3", "7", "1", "argc=1 a0=\"sh\"");
    seen_feed(&s, &settings, xt_slice_str(text), sizeof text);
    assert_int_equal(s.n, 3);
    xt_event child = seen_get(&s, 1);
    assert_slice_eq(xt_event_bytes(&child, XT_F_PARENT_CMD), "mysql -p[redacted]");
    assert_slice_eq(list_item(xt_event_bytes(&child, XT_F_REDACTIONS), 0), "parent.cmd:8:mysql-password");
    assert_int_equal(xt_slice_find(xt_buf_slice(&s.batch), XT_S("hunter2")), -1);
    seen_fini(&s);
}

static void test_bad_tables(void **state)
{
    static const struct {
        const char *text;
        uint64_t line, column;
    } rows[] = {
        {"magic x y", 1, 1},
        {"# fine\n\noption x mysql -p sideways", 3, 19},
        {"option x mysql -p attached behind", 1, 28},
        {"assign x ab", 1, 10},
        {"assign x *password*,,y", 1, 10},
        {"token x ghp_ many alnum", 1, 14},
        {"option x mysql,* -p attached", 1, 10},
        {"wrapper sudo", 1, 1},
        {"word x htpasswd -b none", 1, 20},
        {"word x htpasswd -b", 1, 1},
        {"word x htpasswd -b 0", 1, 20},
        {"stdin x sudo -S sideways", 1, 17},
        {"stdin x s -S", 1, 9},
        {"phrase x by_", 1, 10},
        {"word x htpasswd -b 3 skip=,", 1, 22},
    };
    for (size_t i = 0; i < XT_COUNT_OF(rows); i++) {
        xt_secret_rules *rules = NULL;
        xt_problem problem = XT_PROBLEM_INIT;
        assert_int_equal(xt_secret_rules_parse(xt_slice_str(rows[i].text), "t", &rules, &problem), XT_SECRET_E_INVALID);
        assert_null(rules);
        assert_int_equal(problem.line, rows[i].line);
        assert_int_equal(problem.column, rows[i].column);
    }
}

/* What would be quadratic if anything were. */
static void test_long_input(void **state)
{
    static const char *const units[] = {"password", "a_token=", "://", "eyJ",        "-----BEGIN ",
                                        "Cookie: ", "\"$(",     "'",   "x;mysql -p "};
    fixture *f = *state;
    for (size_t i = 0; i < XT_COUNT_OF(units); i++) {
        xt_buf text = XT_BUF_INIT;
        xt_buf_puts(&text, "sh\t-c\tmysql ");
        while (text.n < 1 << 20)
            xt_buf_puts(&text, units[i]);
        xt_buf_putc(&text, '\0');
        xt_arena_reset(&f->arena);
        (void)encoded(f, text.p, true);
        xt_buf_fini(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_planted),         cmocka_unit_test(test_plain),        cmocka_unit_test(test_places),
        cmocka_unit_test(test_renamed_program), cmocka_unit_test(test_argv_of_proc), cmocka_unit_test(test_typed),
        cmocka_unit_test(test_parent),          cmocka_unit_test(test_bad_tables),   cmocka_unit_test(test_long_input),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}

/* Rules and groups from text: what is taken, and what is refused where; test_rule_kernel.c compares the bytes with auditctl's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/rule_parse.h"
#include "rule_lines.h"

static bool is_folder(const char *path)
{
    return strcmp(path, "/etc/pam.d") == 0;
}

/* What is printed is read as the same rule. */
static void test_round_trip(void **state)
{
    for (size_t i = 0; i < XT_COUNT_OF(rule_lines); i++) {
        xt_buf text = XT_BUF_INIT;
        xt_arena arena;
        xt_rule rule, again;
        xt_arena_init(&arena, 1 << 20);
        assert_int_equal(xt_rule_parse(xt_slice_str(rule_lines[i]), is_folder, &arena, &rule, NULL), 0);
        xt_rule_format(rule.data, rule.n_bytes, &text);
        assert_int_equal(xt_rule_parse(xt_buf_slice(&text), is_folder, &arena, &again, NULL), 0);
        if (!xt_rule_eq(rule.data, rule.n_bytes, again.data, again.n_bytes))
            fail_msg("%s: printed as %.*s", rule_lines[i], XT_S_ARGS(xt_buf_slice(&text)));
        xt_arena_fini(&arena);
        xt_buf_fini(&text);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *line, *sentence;
        unsigned column;
    } cases[] = {
        {"-D", "no option of a rule", 1},
        {"-a always,exit -e 0", "no option of a rule", 16},
        {"-a sometimes,exit", "no list and action", 4},
        {"-a always,entry -S open", "no list and action", 4},
        {"-a", "needs a value", 1},
        {"-S open", "after -a", 1},
        {"-a always,exit -S nosuchcall", "no such system call", 19},
        {"-a always,exit -S open,nosuchcall", "no such system call", 24},
        {"-a always,io_uring -S execve", "no such operation of io_uring", 23},
        {"-a always,io_uring -k x", "names its operations", 1},
        {"-a always,exit -S open -F arch=b64", "the arch comes before", 27},
        {"-a always,exit -F nosuch=5", "no such field", 19},
        {"-a always,exit -F auid", "NAME, an operator, VALUE", 19},
        {"-a always,exit -F auid>=alice", "none that the field can have", 25},
        {"-a always,exit -F uid=4294967296", "none that the field can have", 23},
        {"-a always,exit -F path>/etc", "cannot be compared", 19},
        {"-a always,exit -F path=etc", "none that the field can have", 24},
        {"-a always,exit -F exit=-EWHAT", "none that the field can have", 24},
        {"-a always,exit -F perm=q", "none that the field can have", 24},
        {"-a always,exit -F msgtype=CWD", "means nothing on that list", 19},
        {"-a always,exclude -F path=/x", "means nothing on that list", 22},
        {"-a always,task -S fork", "no system calls", 16},
        {"-a always,exit -C uid!=cwd", "does not compare", 19},
        {"-a always,exit -C uid>euid", "= and !=", 19},
        {"-w etc", "begins with a slash", 4},
        {"-w /etc/../x", "begins with a slash", 4},
        {"-w /etc/*.conf", "no patterns", 4},
        {"-w /etc -p wz", "none that the field can have", 12},
        {"-w /etc -w /usr", "one rule", 9},
        {"-p wa", "after -w", 1},
        {"-k word", "after -a or -w", 1},
        {"nonsense", "an option is expected", 1},
    };
    for (size_t i = 0; i < XT_COUNT_OF(cases); i++) {
        xt_problem problem = XT_PROBLEM_INIT;
        xt_arena arena;
        xt_rule rule;
        xt_arena_init(&arena, 1 << 20);
        int r = xt_rule_parse(xt_slice_str(cases[i].line), NULL, &arena, &rule, &problem);
        if (r != XT_RULE_E_INVALID || !strstr(problem.sentence, cases[i].sentence) || problem.column != cases[i].column)
            fail_msg("%s: %d, column %llu: %s", cases[i].line, r, (unsigned long long)problem.column, problem.sentence);
        xt_arena_fini(&arena);
    }
}

static void test_group(void **state)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_rule_group group;
    xt_arena arena;
    xt_arena_init(&arena, 1 << 20);
    assert_int_equal(xt_rule_group_parse(XT_S("# name: web\n# reason: uploads\n#cost: little\n\n-w /srv -p wa -k up\n"),
                                         "web.rules", 1, is_folder, &arena, &group, &problem),
                     0);
    assert_true(xt_slice_eq(group.name, XT_S("web")));
    assert_true(xt_slice_eq(group.reason, XT_S("uploads")));
    assert_true(xt_slice_eq(group.cost, XT_S("little")));
    assert_int_equal(group.n, 1);
    assert_int_equal(group.lines[0], 5);
    assert_int_equal(xt_rule_group_parse(XT_S("# a\n\n-w /srv -p wa\n  -w srv\n"), "web.rules", 7, is_folder, &arena,
                                         &group, &problem),
                     XT_RULE_E_INVALID);
    assert_string_equal(problem.source, "web.rules");
    assert_int_equal(problem.line, 10);
    assert_int_equal(problem.column, 6);
    xt_arena_fini(&arena);
}

/* Each says why it is there and what it costs, hides nothing, and can be found by a key. */
static void test_built_in(void **state)
{
    for (const xt_rule_text *t = xt_rule_texts; t->name; t++) {
        xt_problem problem = XT_PROBLEM_INIT;
        xt_rule_group group;
        xt_arena arena;
        xt_arena_init(&arena, 4 << 20);
        if (xt_rule_group_parse(xt_slice_str(t->text), t->name, 1, NULL, &arena, &group, &problem) != 0)
            fail_msg("%s:%llu:%llu: %s", t->name, (unsigned long long)problem.line, (unsigned long long)problem.column,
                     problem.sentence);
        assert_true(xt_slice_eq(group.name, xt_slice_str(t->name)));
        assert_true(group.reason.n > 20 && group.cost.n > 10 && group.n > 0);
        for (size_t i = 0; i < group.n; i++) {
            const struct audit_rule_data *rule = group.rules[i].data;
            assert_int_equal(rule->action, AUDIT_ALWAYS);
            assert_int_equal(xt_rule_blinds_get(rule), XT_RULE_BLINDS_NOTHING);
            assert_int_equal(rule->fields[rule->field_count - 1], AUDIT_FILTERKEY);
        }
        xt_arena_fini(&arena);
    }
    assert_true(xt_rule_text_find(XT_S("io-uring")).n > 0);
    assert_null(xt_rule_text_find(XT_S("nosuch")).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_group),
        cmocka_unit_test(test_built_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

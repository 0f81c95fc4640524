/* Rules as text; test_audit_kernel.c compares them with auditctl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "audit/names.h"
#include "audit/rule.h"

#define EQ AUDIT_EQUAL

typedef struct condition {
    uint32_t field, op, value;
    const char *text;
} condition;

static struct audit_rule_data *rule_of(unsigned list, unsigned action, const char *calls, const condition *conditions,
                                       size_t n)
{
    struct audit_rule_data *rule = calloc(1, XT_RULE_MAX_BYTES);
    rule->flags = list;
    rule->action = action;
    if (strcmp(calls, "all") == 0)
        memset(rule->mask, 0xff, sizeof rule->mask);
    xt_slice rest = xt_slice_str(calls), name;
    while (calls[0] && xt_slice_cut(&rest, ',', &name)) {
        int number = xt_syscall_by_name(XT_ARCH_X86_64, name);
        if (number >= 0)
            rule->mask[AUDIT_WORD(number)] |= AUDIT_BIT(number);
    }
    for (size_t i = 0; i < n; i++) {
        rule->fields[i] = conditions[i].field;
        rule->fieldflags[i] = conditions[i].op;
        rule->values[i] = conditions[i].value;
        if (conditions[i].text) {
            size_t length = strlen(conditions[i].text);
            memcpy(rule->buf + rule->buflen, conditions[i].text, length);
            rule->values[i] = (uint32_t)length;
            rule->buflen += (uint32_t)length;
        }
    }
    rule->field_count = (uint32_t)n;
    return rule;
}

#define RULE(list, action, calls, ...)                                   \
    rule_of((list), (action), (calls), (const condition[]){__VA_ARGS__}, \
            XT_COUNT_OF(((const condition[]){__VA_ARGS__})))

static void check(struct audit_rule_data *rule, const char *text, xt_rule_blinds blinds)
{
    xt_buf out = XT_BUF_INIT;
    xt_rule_format(rule, sizeof *rule + rule->buflen, &out);
    if (!xt_slice_eq(xt_buf_slice(&out), xt_slice_str(text)))
        fail_msg("got <%.*s>, not <%s>", XT_S_ARGS(xt_buf_slice(&out)), text);
    if (xt_rule_blinds_get(rule) != blinds)
        fail_msg("%s: %d", text, xt_rule_blinds_get(rule));
    xt_buf_fini(&out);
    free(rule);
}

static void test_exec(void **state)
{
    xt_arena arena;
    xt_arena_init(&arena, 1 << 16);
    xt_rule rule, other;
    assert_int_equal(xt_rule_exec(&arena, XT_ARCH_X86_64, &rule), 0);
    assert_int_equal(xt_rule_exec(&arena, XT_ARCH_I386, &other), 0);
    xt_buf out = XT_BUF_INIT;
    xt_rule_format(rule.data, rule.n_bytes, &out);
    xt_buf_puts(&out, "\n");
    xt_rule_format(other.data, other.n_bytes, &out);
    assert_true(
        xt_slice_eq(xt_buf_slice(&out), XT_S("-a always,exit -F arch=b64 -S execve,execveat -F key=exectrail\n"
                                             "-a always,exit -F arch=b32 -S execve,execveat -F key=exectrail")));
    assert_int_equal(xt_rule_blinds_get(rule.data), XT_RULE_BLINDS_NOTHING);
    assert_false(xt_rule_eq(rule.data, rule.n_bytes, other.data, other.n_bytes));
    assert_int_equal(xt_rule_exec(&arena, XT_ARCH_X86_64, &other), 0);
    assert_true(xt_rule_eq(rule.data, rule.n_bytes, other.data, other.n_bytes));
    other.data->flags |= AUDIT_FILTER_PREPEND;
    assert_true(xt_rule_eq(rule.data, rule.n_bytes, other.data, other.n_bytes));
    other.data->buf[0] = 'X';
    assert_false(xt_rule_eq(rule.data, rule.n_bytes, other.data, other.n_bytes));
    xt_buf_fini(&out);
    xt_arena_fini(&arena);
}

static void test_conditions(void **state)
{
    check(RULE(AUDIT_FILTER_EXIT, AUDIT_ALWAYS, "execve", {AUDIT_ARCH, EQ, XT_ARCH_X86_64},
               {AUDIT_LOGINUID, AUDIT_GREATER_THAN_OR_EQUAL, 1000}, {AUDIT_LOGINUID, AUDIT_NOT_EQUAL, UINT32_MAX},
               {AUDIT_FILTERKEY, EQ, 0, "a\1b"}),
          "-a always,exit -F arch=b64 -S execve -F auid>=1000 -F auid!=-1 -F key=a -F key=b", XT_RULE_BLINDS_AUID);
    check(RULE(AUDIT_FILTER_EXIT, AUDIT_ALWAYS, "all", {AUDIT_DIR, EQ, 0, "/tmp"}, {AUDIT_PERM, EQ, 6},
               {AUDIT_EXIT, EQ, (uint32_t)-13}, {AUDIT_EXE, AUDIT_NOT_EQUAL, 0, "/bin/a"}),
          "-a always,exit -S all -F dir=/tmp -F perm=rw -F exit=-EACCES -F exe!=/bin/a", XT_RULE_BLINDS_NOTHING);
    check(RULE(AUDIT_FILTER_EXIT, AUDIT_ALWAYS, "open,mount", {AUDIT_ARG0, EQ, 16}, {AUDIT_ARG1, AUDIT_BIT_MASK, 1},
               {AUDIT_FIELD_COMPARE, AUDIT_NOT_EQUAL, AUDIT_COMPARE_AUID_TO_OBJ_UID}, {99, EQ, 3}),
          "-a always,exit -S open,mount -F a0=0x10 -F a1&0x1 -C auid!=obj_uid -F f99=3", XT_RULE_BLINDS_NOTHING);
}

static void test_watch(void **state)
{
    check(RULE(AUDIT_FILTER_EXIT, AUDIT_ALWAYS, "all", {AUDIT_WATCH, EQ, 0, "/etc/passwd"}, {AUDIT_PERM, EQ, 10},
               {AUDIT_FILTERKEY, EQ, 0, "k"}),
          "-w /etc/passwd -p wa -k k", XT_RULE_BLINDS_NOTHING);
}

static void test_blinds(void **state)
{
    check(RULE(AUDIT_FILTER_EXIT, AUDIT_NEVER, "execve", {AUDIT_EXE, EQ, 0, "/x"}), "-a never,exit -S execve -F exe=/x",
          XT_RULE_BLINDS_NEVER);
    check(RULE(AUDIT_FILTER_EXIT, AUDIT_NEVER, "kill", {AUDIT_UID, EQ, 0}), "-a never,exit -S kill -F uid=0",
          XT_RULE_BLINDS_NOTHING);
    check(RULE(AUDIT_FILTER_TASK, AUDIT_NEVER, "", {AUDIT_UID, EQ, 33}), "-a never,task -F uid=33",
          XT_RULE_BLINDS_NEVER);
    check(RULE(AUDIT_FILTER_EXCLUDE, AUDIT_ALWAYS, "", {AUDIT_MSGTYPE, EQ, 1307}), "-a always,exclude -F msgtype=CWD",
          XT_RULE_BLINDS_NEVER);
    check(RULE(AUDIT_FILTER_EXCLUDE, AUDIT_NEVER, "", {AUDIT_MSGTYPE, EQ, 1327}),
          "-a never,exclude -F msgtype=PROCTITLE", XT_RULE_BLINDS_NOTHING);
    check(RULE(AUDIT_FILTER_EXCLUDE, AUDIT_NEVER, "", {AUDIT_MSGTYPE, AUDIT_GREATER_THAN_OR_EQUAL, 1308},
               {AUDIT_MSGTYPE, AUDIT_LESS_THAN, 1310}),
          "-a never,exclude -F msgtype>=1308 -F msgtype<1310", XT_RULE_BLINDS_NEVER);
    check(RULE(AUDIT_FILTER_EXCLUDE, AUDIT_NEVER, "", {AUDIT_MSGTYPE, AUDIT_GREATER_THAN, 1309}),
          "-a never,exclude -F msgtype>EXECVE", XT_RULE_BLINDS_NOTHING);
    check(RULE(AUDIT_FILTER_EXCLUDE, AUDIT_NEVER, "", {AUDIT_LOGINUID, EQ, 5}), "-a never,exclude -F auid=5",
          XT_RULE_BLINDS_NEVER);
}

/* Lengths that lie: nothing is read behind the buffer (the address sanitizer looks). */
static void test_lengths_that_lie(void **state)
{
    struct audit_rule_data *rule = calloc(1, sizeof *rule + 4);
    memcpy(rule->buf, "abcd", 4);
    rule->flags = AUDIT_FILTER_EXIT;
    rule->buflen = UINT32_MAX;
    rule->field_count = UINT32_MAX;
    for (size_t i = 0; i < AUDIT_MAX_FIELDS; i++) {
        rule->fields[i] = AUDIT_EXE;
        rule->values[i] = 3;
    }
    xt_buf out = XT_BUF_INIT;
    xt_rule_format(rule, sizeof *rule + 4, &out);
    /* without a comparison bit set the operator prints as = */
    assert_true(xt_slice_starts(xt_buf_slice(&out), XT_S("-a never,exit -F exe=abc -F exe=d -F exe= -F")));
    assert_false(xt_rule_eq(rule, sizeof *rule + 4, rule, sizeof *rule + 4));
    (void)xt_rule_blinds_get(rule);
    xt_buf_fini(&out);
    free(rule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exec),   cmocka_unit_test(test_conditions),       cmocka_unit_test(test_watch),
        cmocka_unit_test(test_blinds), cmocka_unit_test(test_lengths_that_lie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

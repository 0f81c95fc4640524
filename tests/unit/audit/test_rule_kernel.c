/*
 * The same rules, loaded by auditctl and by us, are the same bytes in the kernel; and auditctl -l prints ours as we do. Skips where
 * audit cannot be had, or there is no auditctl. One process of a machine at a time: the lock is that of all who test audit.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit/netlink.h"
#include "audit/rule_parse.h"
#include "rule_lines.h"

#define LOCK "/tmp/exectrail-audit.lock"

static int lock = -1;
static xt_netlink *control;

static void put_rule(void *context, const struct audit_rule_data *rule, size_t n_bytes)
{
    xt_buf_put_block(context, xt_slice_of(rule, n_bytes));
}

static void list_rules(xt_buf *out)
{
    xt_buf_reset(out);
    assert_int_equal(xt_netlink_rules_list(control, put_rule, out, NULL), 0);
}

static int set_up(void **state)
{
    xt_buf rules = XT_BUF_INIT;
    xt_audit_status status;
    *state = NULL;
    lock = open(LOCK, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
    if (lock < 0 || flock(lock, LOCK_EX) < 0 || access("/usr/sbin/auditctl", X_OK) < 0 ||
        xt_netlink_open(&control, NULL) != 0)
        return 0;
    if (xt_netlink_status_get(control, &status, NULL) == 0 && status.pid == 0 && status.enabled != 2) {
        list_rules(&rules);
        if (rules.n == 0)
            *state = &lock;
    }
    xt_buf_fini(&rules);
    return 0;
}

static void delete_all(void)
{
    xt_buf rules = XT_BUF_INIT;
    char bytes[XT_RULE_MAX_BYTES] __attribute__((aligned(8)));
    assert_int_equal(xt_netlink_rules_list(control, put_rule, &rules, NULL), 0);
    xt_reader reader = xt_reader_of(xt_buf_slice(&rules));
    while (xt_reader_left(&reader) > 0) {
        xt_slice rule = xt_reader_block(&reader);
        memcpy(bytes, rule.p, rule.n);
        assert_int_equal(xt_netlink_rule_delete(control, (void *)bytes, rule.n, NULL), 0);
    }
    xt_buf_fini(&rules);
}

static int tear_down(void **state)
{
    if (*state)
        delete_all();
    control = xt_netlink_close(control);
    if (lock >= 0)
        close(lock);
    return 0;
}

/* Runs auditctl with the words of a line; its output, if out is not NULL. */
static int auditctl(const char *line, xt_buf *out)
{
    char command[8300], *rest = command, *word;
    char program[] = "/usr/sbin/auditctl", *argv[80] = {program};
    size_t n = 1;
    snprintf(command, sizeof command, "%s", line);
    while (n < 79 && (word = strsep(&rest, " ")) != NULL)
        argv[n++] = word;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        if (!out)
            dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        close(pipes[0]);
        execv(argv[0], argv);
        _exit(127);
    }
    close(pipes[1]);
    char bytes[4096];
    ssize_t got;
    while ((got = read(pipes[0], bytes, sizeof bytes)) > 0)
        if (out)
            xt_buf_put(out, xt_slice_of(bytes, (size_t)got));
    close(pipes[0]);
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void load_ours(const xt_rule *rule, const char *line)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_netlink_rule_add(control, rule->data, rule->n_bytes, &problem);
    if (r != 0)
        fail_msg("%s: %d %s", line, r, problem.sentence);
}

static void compare_line(const char *line)
{
    xt_buf theirs = XT_BUF_INIT, ours = XT_BUF_INIT, printed = XT_BUF_INIT, text = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_arena arena;
    xt_rule rule;
    xt_arena_init(&arena, 1 << 20);
    delete_all();
    if (auditctl(line, NULL) != 0)
        fail_msg("auditctl does not take: %s", line);
    list_rules(&theirs);
    delete_all();
    if (xt_rule_parse(xt_slice_str(line), xt_rule_is_folder_now, &arena, &rule, &problem) != 0)
        fail_msg("%s: column %llu: %s", line, (unsigned long long)problem.column, problem.sentence);
    load_ours(&rule, line);
    list_rules(&ours);
    if (!xt_slice_eq(xt_buf_slice(&theirs), xt_buf_slice(&ours))) {
        size_t at = 0;
        while (at < theirs.n && at < ours.n && theirs.p[at] == ours.p[at])
            at++;
        fail_msg("%s: %zu bytes by auditctl, %zu by us, the first difference at %zu", line, theirs.n, ours.n, at);
    }
    assert_int_equal(auditctl("-l", &printed), 0);
    xt_rule_format(rule.data, rule.n_bytes, &text);
    xt_buf_putc(&text, '\n');
    /* auditctl 3.0.9 prints exe!= as exe=, and the number of a file type, which it does not take itself */
    bool misprinted = strstr(line, "exe!=") || strstr(line, "filetype=");
    if (!misprinted && !xt_slice_eq(xt_buf_slice(&printed), xt_buf_slice(&text)))
        fail_msg("auditctl -l prints %.*s, we print %.*s", XT_S_ARGS(xt_buf_slice(&printed)),
                 XT_S_ARGS(xt_buf_slice(&text)));
    xt_arena_fini(&arena);
    xt_buf_fini(&theirs);
    xt_buf_fini(&ours);
    xt_buf_fini(&printed);
    xt_buf_fini(&text);
}

static void test_lines(void **state)
{
    if (!*state)
        skip();
    for (size_t i = 0; i < XT_COUNT_OF(rule_lines); i++)
        compare_line(rule_lines[i]);
}

/* This auditctl does not know that list, and has another name for that call. */
static bool is_unknown(xt_slice line)
{
    return xt_slice_find(line, XT_S("always,io_uring")) >= 0 || xt_slice_find(line, XT_S("b32 -S kexec_load")) >= 0;
}

/* One auditctl for a whole group; -i goes on where a watched folder is not there. */
static void compare_group(const xt_rule_text *group)
{
    char path[64] = "/tmp/xt-rules-XXXXXX", command[128];
    xt_buf theirs = XT_BUF_INIT, ours = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_rule_group parsed;
    xt_arena arena;
    xt_slice rest = xt_slice_str(group->text), line;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(dprintf(fd, "-i\n") > 0);
    while (xt_slice_cut(&rest, '\n', &line))
        if (!is_unknown(line))
            assert_true(dprintf(fd, "%.*s\n", XT_S_ARGS(line)) > 0);
    close(fd);
    delete_all();
    snprintf(command, sizeof command, "-R %s", path);
    (void)auditctl(command, NULL);
    unlink(path);
    list_rules(&theirs);
    delete_all();
    xt_arena_init(&arena, 4 << 20);
    if (xt_rule_group_parse(xt_slice_str(group->text), group->name, 1, xt_rule_is_folder_now, &arena, &parsed,
                            &problem) != 0)
        fail_msg("%s:%llu: %s", group->name, (unsigned long long)problem.line, problem.sentence);
    rest = xt_slice_str(group->text);
    size_t i = 0;
    for (uint32_t number = 1; xt_slice_cut(&rest, '\n', &line); number++) {
        if (i == parsed.n || parsed.lines[i] != number)
            continue;
        if (!is_unknown(line))
            (void)!xt_netlink_rule_add(control, parsed.rules[i].data, parsed.rules[i].n_bytes, NULL);
        i++;
    }
    assert_int_equal(i, parsed.n);
    list_rules(&ours);
    if (theirs.n == 0 || !xt_slice_eq(xt_buf_slice(&theirs), xt_buf_slice(&ours)))
        fail_msg("%s: %zu bytes by auditctl, %zu by us", group->name, theirs.n, ours.n);
    xt_arena_fini(&arena);
    xt_buf_fini(&theirs);
    xt_buf_fini(&ours);
}

static void test_groups(void **state)
{
    if (!*state)
        skip();
    for (const xt_rule_text *group = xt_rule_texts; group->name; group++)
        compare_group(group);
}

/* List 7, which auditctl of Debian 12 refuses: the kernel gives back what we gave it. */
static void test_io_uring(void **state)
{
    static const char line[] = "-a always,io_uring -S connect,openat,unlinkat -F uid>=0 -F key=ring";
    xt_buf listed = XT_BUF_INIT, text = XT_BUF_INIT;
    xt_arena arena;
    xt_rule rule;
    if (!*state)
        skip();
    delete_all();
    assert_int_not_equal(auditctl("-a always,io_uring -S 18 -F key=ring", NULL), 0);
    xt_arena_init(&arena, 1 << 20);
    assert_int_equal(xt_rule_parse(XT_S("-a always,io_uring -S openat,connect,unlinkat -F uid>=0 -F key=ring"), NULL,
                                   &arena, &rule, NULL),
                     0);
    load_ours(&rule, line);
    list_rules(&listed);
    xt_reader reader = xt_reader_of(xt_buf_slice(&listed));
    xt_slice bytes = xt_reader_block(&reader);
    xt_slice aligned = xt_arena_copy(&arena, bytes);
    assert_true(xt_rule_eq((const void *)aligned.p, aligned.n, rule.data, rule.n_bytes));
    xt_rule_format((const void *)aligned.p, aligned.n, &text);
    if (!xt_slice_eq(xt_buf_slice(&text), xt_slice_str(line)))
        fail_msg("printed as %.*s", XT_S_ARGS(xt_buf_slice(&text)));
    xt_arena_fini(&arena);
    xt_buf_fini(&listed);
    xt_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_groups, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_io_uring, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

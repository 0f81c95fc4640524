/*
 * The real kernel: status, rules, the owner's socket. Skips where audit cannot be had. Only one process of a machine
 * can own it, so the test takes a lock, and leaves audit as it found it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit/joiner.h"
#include "audit/names.h"
#include "audit/netlink.h"
#include "audit/rule.h"
#include "audit/value.h"

#define LOCK "/tmp/exectrail-audit.lock"

/* On every test's way out, whatever failed: rules gone, owner gone, as it was. */
typedef struct fixture {
    int lock;
    xt_netlink *control;
    xt_audit_status before;
    xt_arena arena;
} fixture;

static void count_rule(void *context, const struct audit_rule_data *rule, size_t n_bytes)
{
    assert_true(n_bytes >= sizeof *rule);
    ++*(size_t *)context;
}

static size_t n_rules(xt_netlink *nl)
{
    size_t n = 0;
    xt_problem problem = XT_PROBLEM_INIT;
    if (xt_netlink_rules_list(nl, count_rule, &n, &problem) != 0)
        fail_msg("%s", problem.sentence);
    return n;
}

static int set_up(void **state)
{
    static fixture f;
    f = (fixture){.lock = -1};
    *state = NULL;
    f.lock = open(LOCK, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
    if (f.lock < 0 || flock(f.lock, LOCK_EX) < 0)
        return 0;
    if (xt_netlink_open(&f.control, NULL) != 0 || xt_netlink_status_get(f.control, &f.before, NULL) != 0 ||
        f.before.pid != 0 || f.before.enabled == 2 || n_rules(f.control) > 0) {
        xt_netlink_close(f.control);
        close(f.lock);
        return 0;
    }
    xt_arena_init(&f.arena, 1 << 20);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    if (!f)
        return 0;
    const uint32_t arches[] = {XT_ARCH_X86_64, XT_ARCH_I386, XT_ARCH_AARCH64};
    xt_rule rule;
    for (size_t i = 0; i < XT_COUNT_OF(arches); i++)
        if (xt_rule_exec(&f->arena, arches[i], &rule) == 0)
            (void)!xt_netlink_rule_delete(f->control, rule.data, rule.n_bytes, NULL);
    (void)!xt_netlink_status_set(f->control, AUDIT_STATUS_PID, &(xt_audit_status){.pid = 0}, NULL);
    (void)!xt_netlink_status_set(f->control, AUDIT_STATUS_ENABLED | AUDIT_STATUS_BACKLOG_LIMIT, &f->before, NULL);
    xt_netlink_close(f->control);
    xt_arena_fini(&f->arena);
    close(f->lock);
    return 0;
}

static fixture *fixture_or_skip(void **state)
{
    if (!*state)
        skip();
    return *state;
}

static void require_done(int r, const xt_problem *problem)
{
    if (r != 0)
        fail_msg("%d: %s", r, problem->sentence);
}

/* What a program prints, without its last newline. */
static xt_slice output_of(char *room, size_t size, const char *program, const char *option)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], 1);
        close(fds[0]);
        execlp(program, program, option, NULL);
        _exit(127);
    }
    close(fds[1]);
    size_t n = 0;
    for (ssize_t got; n < size && (got = read(fds[0], room + n, size - n)) > 0;)
        n += (size_t)got;
    close(fds[0]);
    waitpid(pid, NULL, 0);
    return xt_slice_trim(xt_slice_of(room, n));
}

static void test_status(void **state)
{
    fixture *f = fixture_or_skip(state);
    xt_audit_status status;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_audit_status want = {.backlog_limit = 777};
    require_done(xt_netlink_status_set(f->control, AUDIT_STATUS_BACKLOG_LIMIT, &want, &problem), &problem);
    require_done(xt_netlink_status_get(f->control, &status, &problem), &problem);
    assert_int_equal(status.backlog_limit, 777);
    assert_int_equal(status.failure, f->before.failure);
    assert_int_equal(status.pid, 0);
    assert_true(status.features & AUDIT_FEATURE_BITMAP_BACKLOG_LIMIT);
    /* auditctl's opinion */
    char room[4096];
    xt_slice text = output_of(room, sizeof room, "auditctl", "-s");
    if (text.n > 0)
        assert_true(xt_slice_find(text, XT_S("backlog_limit 777\n")) > 0);
}

typedef struct printed {
    xt_buf text;
} printed;

static void print_rule(void *context, const struct audit_rule_data *rule, size_t n_bytes)
{
    printed *p = context;
    if (p->text.n > 0)
        xt_buf_putc(&p->text, '\n');
    xt_rule_format(rule, n_bytes, &p->text);
}

static void test_rules(void **state)
{
    fixture *f = fixture_or_skip(state);
    xt_rule rule;
    xt_problem problem = XT_PROBLEM_INIT;
    assert_int_equal(xt_rule_exec(&f->arena, XT_ARCH_X86_64, &rule), 0);
    assert_int_equal(n_rules(f->control), 0);
    require_done(xt_netlink_rule_add(f->control, rule.data, rule.n_bytes, &problem), &problem);
    assert_int_equal(xt_netlink_rule_add(f->control, rule.data, rule.n_bytes, &problem), XT_NETLINK_E_EXISTS);
    assert_true(xt_problem_is_set(&problem));
    printed p = {XT_BUF_INIT};
    require_done(xt_netlink_rules_list(f->control, print_rule, &p, &problem), &problem);
    assert_true(
        xt_slice_eq(xt_buf_slice(&p.text), XT_S("-a always,exit -F arch=b64 -S execve,execveat -F key=exectrail")));
    xt_buf_fini(&p.text);
    require_done(xt_netlink_rule_delete(f->control, rule.data, rule.n_bytes, &problem), &problem);
    assert_int_equal(xt_netlink_rule_delete(f->control, rule.data, rule.n_bytes, &problem), XT_NETLINK_E_UNKNOWN);
    assert_int_equal(n_rules(f->control), 0);
}

static int run_auditctl(const char *arguments)
{
    char room[512];
    char *argv[32] = {(char[]){"auditctl"}}, *rest = room;
    size_t n = 1;
    snprintf(room, sizeof room, "%s", arguments);
    for (char *word; n < 31 && (word = strsep(&rest, " ")) != NULL;)
        argv[n++] = word;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        dup2(null, 2);
        execvp(argv[0], argv);
        _exit(127);
    }
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Each rule alone: loaded by auditctl, printed by it and by us. */
static void test_text_against_auditctl(void **state)
{
    fixture *f = fixture_or_skip(state);
    static const char *const rules[] = {
        "-a always,exit -F arch=b64 -S execve,execveat -F key=exectrail",
        "-a always,exit -F arch=b32 -S execve -S execveat -F auid>=1000 -F auid!=unset -k cmd",
        "-a always,exit -S all -F pid=1",
        "-a never,exit -F arch=b64 -S execve -F exe=/usr/bin/true",
        "-a never,task -F uid=33",
        "-a always,exclude -F msgtype=CWD",
        "-a never,exclude -F msgtype>=1300 -F msgtype<=1309",
        "-a never,user -F uid=0",
        "-w /etc/passwd -p wa -k passwd",
        "-w /etc/ssh -p rwxa",
        "-a always,exit -F path=/etc/shadow -F perm=r -F key=a -F key=b",
        "-a always,exit -F dir=/tmp -F perm=wa -F success=0 -F exit=-EACCES",
        "-a always,exit -F arch=b64 -S open,openat,connect -F a0=0x10 -F a1&1 -F exit!=0 -F gid>100",
        "-a always,exit -F arch=b64 -S ptrace -F a0=0x4 -F inode=42 -F devmajor=8 -F devminor=1",
        "-a never,filesystem -F fstype=tracefs",
        "-a always,exit -F arch=b64 -S kill -F auid=-1 -F sessionid!=unset",
        "-a always,exit -F arch=b64 -S all -F key=x",
        "-a always,exit -F arch=b64 -S mount -C auid!=obj_uid -C uid=euid",
        "-a always,exit -F arch=b64 -S bind -F saddr_fam=2",
        "-a never,exclude -F exe=/usr/bin/x -F auid=5",
    };
    size_t n = 0;
    for (size_t i = 0; i < XT_COUNT_OF(rules); i++) {
        if (run_auditctl(rules[i]) != 0)
            continue; /* absent, or too old for it */
        char room[4096];
        xt_slice want = output_of(room, sizeof room, "auditctl", "-l");
        printed p = {XT_BUF_INIT};
        xt_problem problem = XT_PROBLEM_INIT;
        int r = xt_netlink_rules_list(f->control, print_rule, &p, &problem);
        assert_int_equal(run_auditctl("-D"), 0);
        require_done(r, &problem);
        if (!xt_slice_eq(want, xt_buf_slice(&p.text)))
            fail_msg("%s: <%.*s>, auditctl has <%.*s>", rules[i], XT_S_ARGS(xt_buf_slice(&p.text)), XT_S_ARGS(want));
        xt_buf_fini(&p.text);
        n++;
    }
    if (n == 0)
        skip();
    assert_true(n > XT_COUNT_OF(rules) / 2);
}

/* An exec that nobody else makes, by its argument. */
static pid_t run_marked(const char *mark)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/true", "true", mark, NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
    return pid;
}

static bool has_argument(const xt_group *group, const char *mark)
{
    xt_audit_field field;
    for (size_t i = 0; i < group->n_records; i++)
        if (group->records[i].type == AUDIT_EXECVE && xt_audit_field_find(group->records[i].body, XT_S("a1"), &field))
            return xt_slice_eq(field.value, xt_slice_str(mark));
    return false;
}

static bool has_type(const xt_group *group, uint16_t type)
{
    for (size_t i = 0; i < group->n_records; i++)
        if (group->records[i].type == type)
            return true;
    return false;
}

/* One round of receiving; true when the marked exec was among the groups. */
static bool receive_marked(xt_netlink *nl, xt_joiner *joiner, const char *mark)
{
    const xt_netlink_message *messages;
    size_t n;
    xt_problem problem = XT_PROBLEM_INIT;
    require_done(xt_netlink_receive(nl, 1000, &messages, &n, &problem), &problem);
    bool is_found = false;
    for (size_t i = 0; i < n; i++) {
        xt_record record;
        int r = xt_record_parse_payload(messages[i].type, messages[i].payload, &record, &problem);
        require_done(r, &problem);
        assert_true(xt_joiner_push(joiner, &record, 0) >= 0);
        for (const xt_group *group; (group = xt_joiner_next(joiner, 0)) != NULL;) {
            if (!has_argument(group, mark))
                continue;
            is_found = true;
            assert_true(has_type(group, AUDIT_SYSCALL) && has_type(group, AUDIT_CWD) && has_type(group, AUDIT_PATH));
            assert_int_equal(group->flags, XT_GROUP_EOE);
        }
    }
    return is_found;
}

static void test_owner(void **state)
{
    fixture *f = fixture_or_skip(state);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_netlink *owner;
    xt_joiner *joiner;
    xt_rule rule;
    assert_int_equal(xt_joiner_new(NULL, &joiner), 0);
    require_done(xt_netlink_open(&owner, &problem), &problem);
    require_done(xt_netlink_own(owner, &problem), &problem);
    xt_audit_status status = {.enabled = 1, .backlog_limit = 8192};
    uint32_t mask = AUDIT_STATUS_ENABLED | AUDIT_STATUS_BACKLOG_LIMIT;
    require_done(xt_netlink_status_set(f->control, mask, &status, &problem), &problem);
    require_done(xt_netlink_status_get(f->control, &status, &problem), &problem);
    assert_int_equal(status.pid, getpid());
    assert_int_equal(xt_rule_exec(&f->arena, XT_ARCH_X86_64, &rule), 0);
    require_done(xt_netlink_rule_add(f->control, rule.data, rule.n_bytes, &problem), &problem);

    /* a second owner is refused and told who has it */
    assert_int_equal(xt_netlink_own(f->control, &problem), XT_NETLINK_E_OWNED);
    char pid[32];
    snprintf(pid, sizeof pid, "process %d ", getpid());
    assert_true(xt_slice_find(xt_slice_str(problem.sentence), xt_slice_str(pid)) == 0);

    char mark[64];
    snprintf(mark, sizeof mark, "exectrail-test-%d", getpid());
    run_marked(mark);
    bool is_found = false;
    for (int i = 0; i < 50 && !is_found; i++)
        is_found = receive_marked(owner, joiner, mark);
    require_done(xt_netlink_disown(owner, &problem), &problem);
    require_done(xt_netlink_status_get(f->control, &status, &problem), &problem);
    assert_int_equal(status.pid, 0);
    assert_true(is_found);
    xt_netlink_counters counters = xt_netlink_counters_get(owner);
    assert_true(counters.n_messages > 0 && counters.n_bytes > 0);
    assert_int_equal(counters.n_truncated + counters.n_forged + counters.n_overruns, 0);
    xt_joiner_free(joiner);
    xt_netlink_close(owner);
}

static void test_listener(void **state)
{
    fixture *f = fixture_or_skip(state);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_netlink *listener;
    xt_joiner *joiner;
    xt_rule rule;
    assert_int_equal(xt_joiner_new(NULL, &joiner), 0);
    require_done(xt_netlink_open_multicast(&listener, &problem), &problem);
    xt_audit_status status = {.enabled = 1};
    require_done(xt_netlink_status_set(f->control, AUDIT_STATUS_ENABLED, &status, &problem), &problem);
    assert_int_equal(xt_rule_exec(&f->arena, XT_ARCH_X86_64, &rule), 0);
    require_done(xt_netlink_rule_add(f->control, rule.data, rule.n_bytes, &problem), &problem);
    char mark[64];
    snprintf(mark, sizeof mark, "exectrail-listen-%d", getpid());
    run_marked(mark);
    bool is_found = false;
    for (int i = 0; i < 50 && !is_found; i++)
        is_found = receive_marked(listener, joiner, mark);
    assert_true(is_found);
    xt_joiner_free(joiner);
    xt_netlink_close(listener);
}

/* Anyone may send to a netlink socket's port: such a record is not the kernel's. */
static void test_forged(void **state)
{
    (void)fixture_or_skip(state);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_netlink *victim, *forger;
    require_done(xt_netlink_open(&victim, &problem), &problem);
    require_done(xt_netlink_open(&forger, &problem), &problem);
    struct sockaddr_nl address;
    socklen_t n_address = sizeof address;
    assert_int_equal(getsockname(xt_netlink_fd(victim), (struct sockaddr *)&address, &n_address), 0);
    static const char datagram[] = "\0\0\0\0\x14\x05\0\0\0\0\0\0\0\0\0\0audit(1.000:1): forged=1";
    ssize_t sent = sendto(xt_netlink_fd(forger), datagram, sizeof datagram, 0, (struct sockaddr *)&address, n_address);
    const xt_netlink_message *messages;
    size_t n;
    require_done(xt_netlink_receive(victim, 0, &messages, &n, &problem), &problem);
    assert_int_equal(n, 0);
    /* a kernel that lets nobody send has nothing to drop */
    assert_int_equal(xt_netlink_counters_get(victim).n_forged, sent > 0);
    xt_netlink_close(forger);
    xt_netlink_close(victim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_status, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_text_against_auditctl, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_owner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_listener, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forged, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

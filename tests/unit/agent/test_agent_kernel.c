/*
 * The agent against the real kernel: what it writes is what was executed, and the audit state afterwards is what it was.
 * Skipped where the kernel gives no audit to this process, or somebody else watches. One at a time on a machine: the
 * lock is shared with whoever tests audit here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/netlink.h"
#include "base/buf.h"
#include "io/vfs.h"

#define LOCK "/tmp/exectrail-audit.lock"

static char dir[64], agent[512];
static int lock = -1;

static int setup(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/xt-kernel-XXXXXX");
    assert_non_null(mkdtemp(dir));
    ssize_t n = readlink("/proc/self/exe", agent, sizeof agent - 32);
    assert_true(n > 0);
    agent[n] = '\0';
    char *slash = strrchr(agent, '/');
    snprintf(slash, 32, "/../exectrail-agent");
    assert_int_equal(access(agent, X_OK), 0);
    lock = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    return lock >= 0 ? flock(lock, LOCK_EX) : 0;
}

static int teardown(void **state)
{
    static const char *const files[] = {"out",
                                        "log",
                                        "state/shipper/spool",
                                        "state/shipper",
                                        "state/status",
                                        "state/lock",
                                        "state/audit-before",
                                        "state/audit-rules",
                                        "state",
                                        ""};
    char path[256];
    for (size_t i = 0; i < XT_COUNT_OF(files); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        remove(path);
    }
    if (lock >= 0)
        close(lock);
    return 0;
}

typedef struct picture {
    xt_audit_status status;
    unsigned n_rules, n_ours;
} picture;

static void count_rule(void *context, const struct audit_rule_data *rule, size_t n_bytes)
{
    picture *p = context;
    p->n_rules++;
    p->n_ours += xt_slice_find(xt_slice_of(rule->buf, rule->buflen), XT_S("exectrail")) >= 0;
}

/* False: the kernel gives no audit. */
static bool take_picture(picture *ret)
{
    xt_netlink *nl;
    *ret = (picture){0};
    if (xt_netlink_open(&nl, NULL) != 0)
        return false;
    bool ok =
        xt_netlink_status_get(nl, &ret->status, NULL) == 0 && xt_netlink_rules_list(nl, count_rule, ret, NULL) == 0;
    xt_netlink_close(nl);
    return ok;
}

static void skip_unless_free(picture *ret)
{
    if (!take_picture(ret) || ret->status.pid != 0 || ret->status.enabled == 2)
        skip();
}

static bool written_has(const char *name, const char *text)
{
    char path[128];
    xt_buf all = XT_BUF_INIT;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    bool found = xt_vfs_read_file(&xt_vfs_system, path, 64 << 20, &all) == 0 &&
                 xt_slice_find(xt_buf_slice(&all), xt_slice_str(text)) >= 0;
    xt_buf_fini(&all);
    return found;
}

static pid_t agent_start(void)
{
    char out[128], log[128], folder[128];
    snprintf(out, sizeof out, "%s/out", dir);
    snprintf(log, sizeof log, "%s/log", dir);
    snprintf(folder, sizeof folder, "%s/state", dir);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
        execl(agent, agent, "--config", "/dev/null", "--output", out, "--state", folder, "--host", "unit",
              (char *)NULL);
        _exit(127);
    }
    for (unsigned i = 0; i < 100; i++) { /* until it watches */
        picture now;
        poll(NULL, 0, 50);
        if (take_picture(&now) && now.n_ours == 2 && now.status.enabled == 1 && now.status.pid == (uint32_t)pid &&
            written_has("log", "watching as"))
            return pid;
    }
    fail_msg("the agent does not watch");
    return pid;
}

static int agent_stop(pid_t pid, int signal)
{
    int status;
    kill(pid, signal);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void execute(const char *word)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/true", "/bin/true", word, "", "type=EXECVE msg=audit(1.1:1): a0=\"x\"", "\xff\x01 'q\"",
              (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

static void assert_restored(const picture *before)
{
    picture after;
    assert_true(take_picture(&after));
    assert_int_equal(after.n_ours, before->n_ours);
    assert_int_equal(after.n_rules, before->n_rules);
    assert_int_equal(after.status.enabled, before->status.enabled);
    assert_int_equal(after.status.pid, before->status.pid);
    assert_int_equal(after.status.backlog_limit, before->status.backlog_limit);
    assert_int_equal(after.status.backlog_wait_time, before->status.backlog_wait_time);
    assert_int_equal(after.status.failure, before->status.failure);
}

static void test_exec_and_restore(void **state)
{
    picture before;
    skip_unless_free(&before);
    pid_t pid = agent_start();
    execute("word-one");
    bool found = false;
    for (unsigned i = 0; i < 40 && !found; i++) {
        poll(NULL, 0, 50);
        found = written_has("out", "[\"/bin/true\",\"word-one\",\"\",\"type=EXECVE msg=audit(1.1:1): "
                                   "a0=\\\"x\\\"\",\"\\\\xff\\\\x01 'q\\\"\"]");
    }
    assert_int_equal(agent_stop(pid, SIGTERM), 0);
    assert_true(found);
    assert_restored(&before);
    assert_true(written_has("out", "\"agent-started\""));
    assert_true(written_has("out", "\"agent-stopped\""));
    assert_true(written_has("state/status", "\nended=1\n"));
}

/* After SIGKILL the next agent says what it missed, and gives back what was there before the first. */
static void test_killed(void **state)
{
    picture before;
    skip_unless_free(&before);
    pid_t pid = agent_start();
    assert_int_equal(agent_stop(pid, SIGKILL), -1);
    pid = agent_start();
    execute("word-two");
    poll(NULL, 0, 500);
    assert_int_equal(agent_stop(pid, SIGINT), 0);
    assert_restored(&before);
    assert_true(written_has("out", "not watching from"));
    assert_true(written_has("out", "killed"));
    assert_true(written_has("out", "word-two"));
}

/* A child that dies takes the agent with it, but not the audit state. */
static void test_helper_dies(void **state)
{
    picture before;
    char path[64], text[64] = "";
    skip_unless_free(&before);
    pid_t pid = agent_start();
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof text, f));
    fclose(f);
    pid_t helper = (pid_t)strtol(text, NULL, 10);
    assert_true(helper > 1);
    kill(helper, SIGKILL);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    assert_restored(&before);
    assert_true(written_has("log", "helper process was killed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_exec_and_restore, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_helper_dies, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

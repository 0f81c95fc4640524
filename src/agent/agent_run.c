/*
 * How it works: the state folder is locked (children hold the lock too, so that a shipper which still sends what a killed
 * collector left is waited for), the kernel is asked whether there is audit at all, and then the family is forked,
 * before there are threads or open sockets to be inherited.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent_commands.h"
#include "agent/agent_settings.h"
#include "agent/audit_watch.h"
#include "agent/collector.h"
#include "agent/exe_digest.h"
#include "agent/helper.h"
#include "agent/memory_trim.h"
#include "agent/privilege.h"
#include "agent/sandbox.h"
#include "agent/shipper.h"
#include "agent/state_folder.h"
#include "base/log.h"

#define DIGESTER_NICE 10 /* behind all that people wait for */

/* Pairs of sockets: [0] stays with who is named first. */
typedef struct family_sockets {
    int shipper[2];   /* collector, shipper */
    int helper[2];    /* collector, helper */
    int canary[2];    /* collector, helper */
    int addresses[2]; /* shipper, helper */
    int digests[2];   /* collector, digester; -1: none are taken */
    int inherited[3]; /* the collector's, from the agent before */
} family_sockets;

static int open_sockets(family_sockets *s, bool takes_digests)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s->shipper) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->helper) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->canary) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->addresses) < 0)
        return xt_error_origin(-errno);
    if (takes_digests && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->digests) < 0)
        return xt_error_origin(-errno);
    return 0;
}

/* A child keeps standard error and the descriptors named; signals of the terminal are the collector's. */
static void become_child(const char *name, const int *closing, size_t n)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    if (null > STDERR_FILENO)
        close(null);
    for (size_t i = 0; i < n; i++)
        if (closing[i] >= 0)
            close(closing[i]);
    prctl(PR_SET_NAME, name);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
}

/* What cannot be had here is left; the collector's status says what each has (agent/agent_status). */
static int contain_child(const xt_privilege_user *user, xt_sandbox_role role, int folder, size_t max_files)
{
    int r = xt_privilege_drop(user);
    if (r == 0)
        r = xt_sandbox_limits(max_files);
    if (r == 0)
        r = xt_sandbox_writes(folder);
    if (r >= 0 && role == XT_SANDBOX_HELPER && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        r = -errno;
    if (r >= 0)
        r = xt_sandbox_filter(role);
    if (r < 0)
        xt_log(XT_LOG_ERROR, "the %s process cannot give up its rights: %s",
               role == XT_SANDBOX_HELPER ? "helper" : "shipper", strerror(-r));
    return r;
}

static int run_helper(const family_sockets *s, const xt_privilege_user *user)
{
    const int closing[] = {s->shipper[0], s->shipper[1], s->helper[0],    s->canary[0],    s->addresses[0],
                           s->digests[0], s->digests[1], s->inherited[0], s->inherited[1], s->inherited[2]};
    const int mine[] = {s->helper[1], s->canary[1], s->addresses[1]};
    become_child("exectrail-help", closing, XT_COUNT_OF(closing));
    if (chdir("/") < 0 || contain_child(user, XT_SANDBOX_HELPER, -1, 64) < 0)
        return 1;
    xt_memory_trim();
    xt_helper_run(mine, XT_COUNT_OF(mine));
    return 0;
}

static int run_shipper(const xt_agent_settings *settings, const family_sockets *s, const xt_privilege_user *user,
                       int folder)
{
    const int closing[] = {s->shipper[0],   s->helper[0],    s->helper[1],   s->canary[0],
                           s->canary[1],    s->digests[0],   s->digests[1],  s->addresses[1],
                           s->inherited[0], s->inherited[1], s->inherited[2]};
    become_child("exectrail-ship", closing, XT_COUNT_OF(closing));
    if (fchdir(folder) < 0 || contain_child(user, XT_SANDBOX_SHIPPER, folder, 256) < 0)
        return 1;
    return xt_shipper_run(settings, s->shipper[1], s->addresses[0]);
}

/* It reads every file of the host, and can do nothing else: see agent/privilege and agent/sandbox. */
static int run_digester(const family_sockets *s, const xt_privilege_user *user)
{
    const int closing[] = {s->shipper[0], s->shipper[1],   s->helper[0],    s->helper[1],
                           s->canary[0],  s->canary[1],    s->addresses[0], s->addresses[1],
                           s->digests[0], s->inherited[0], s->inherited[1], s->inherited[2]};
    become_child("exectrail-hash", closing, XT_COUNT_OF(closing));
    (void)setpriority(PRIO_PROCESS, 0, DIGESTER_NICE);
    int r = chdir("/") < 0 ? -errno : xt_privilege_read(user);
    if (r == 0)
        r = xt_sandbox_limits(64);
    if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        r = -errno;
    if (r == 0)
        r = xt_sandbox_filter(XT_SANDBOX_DIGESTER);
    if (r < 0) {
        xt_log(XT_LOG_ERROR, "the digest process cannot give up its rights: %s", strerror(-r));
        return 1;
    }
    xt_exe_digest_run(s->digests[1]);
    return 0;
}

/* In a child: the value is the exit status, *ret_child is true. */
static int fork_family(const xt_agent_settings *settings, const xt_privilege_user *user, int folder,
                       xt_collector_family *ret, bool *ret_child)
{
    bool takes_digests = settings->takes_digests && !settings->is_text;
    family_sockets s = {.digests = {-1, -1},
                        .inherited = {ret->inherited.audit_fd, ret->inherited.connector_fd, ret->inherited.note_fd}};
    *ret_child = true;
    if (open_sockets(&s, takes_digests) < 0)
        return -errno;
    ret->helper = fork();
    if (ret->helper == 0)
        return run_helper(&s, user);
    ret->shipper = settings->output ? 0 : fork();
    if (ret->shipper == 0 && !settings->output)
        return run_shipper(settings, &s, user, folder);
    ret->digester = takes_digests ? fork() : 0;
    if (ret->digester == 0 && takes_digests)
        return run_digester(&s, user);
    *ret_child = false;
    if (ret->helper < 0 || ret->shipper < 0 || ret->digester < 0)
        return xt_error_origin(-errno);
    close(s.shipper[1]);
    close(s.helper[1]);
    close(s.canary[1]);
    close(s.addresses[0]);
    close(s.addresses[1]);
    if (takes_digests)
        close(s.digests[1]);
    ret->digester_fd = s.digests[0];
    ret->helper_fd = s.helper[0];
    ret->canary_fd = s.canary[0];
    ret->shipper_fd = settings->output ? -1 : s.shipper[0];
    if (settings->output)
        close(s.shipper[0]);
    return 0;
}

static int run(xt_agent_settings *settings, xt_problem *problem)
{
    xt_privilege_user user;
    int folder = -1, lock = -1;
    bool child = false;
    xt_collector_family family = {.shipper_fd = -1, .helper_fd = -1, .canary_fd = -1, .digester_fd = -1};
    int r = settings->is_text ? 0 : xt_watch_probe(problem);
    if (xt_notify_open(&family.notify) < 0)
        xt_log(XT_LOG_WARN, "the service manager cannot be told anything: %s", strerror(errno));
    settings->supervised = family.notify.fd >= 0;
    xt_handover_receive(&family.inherited);
    if (r == 0)
        r = xt_privilege_user_find(settings->user, &user, problem);
    if (r == 0)
        r = xt_state_folder_open(settings->state, &user, &folder, &lock, problem);
    if (r != 0) {
        xt_log_problem(XT_LOG_ERROR, problem);
        return 1;
    }
    r = fork_family(settings, &user, folder, &family, &child);
    close(folder);
    if (child)
        return r < 0 ? 1 : r;
    if (r < 0) {
        xt_log(XT_LOG_ERROR, "the agent's processes cannot be started: %s", strerror(-r));
        return 1;
    }
    r = xt_collector_run(settings, &family);
    close(lock);
    return r;
}

int xt_agent_run(const xt_opt_args *args)
{
    xt_agent_settings settings;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_log_init("agent", getenv("EXECTRAIL_DEBUG") ? XT_LOG_DEBUG : XT_LOG_INFO);
    int r = xt_agent_settings_read(args, &settings, &problem);
    if (r != 0) {
        xt_log_problem(XT_LOG_ERROR, &problem);
        return r > 0 ? 2 : 1;
    }
    r = run(&settings, &problem);
    xt_agent_settings_fini(&settings);
    return r;
}

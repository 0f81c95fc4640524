/*
 * Each process's list of system calls, applied in a child that then asks for what it must not have, and for what it needs.
 * In builds with a sanitizer there is no filter; what Landlock and the mount namespace keep from being written is tried in all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/notify.h"
#include "agent/privilege.h"
#include "agent/sandbox.h"

#define DONE    0  /* it was possible */
#define REFUSED 42 /* it was not */
#define KILLED  43
#define NO_WAY  77 /* this kernel or build has no such thing */

static int outcome(bool possible)
{
    return possible ? DONE : REFUSED;
}

/* What `act` says in a child of that role. */
static int in_role(xt_sandbox_role role, int (*act)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        int r = xt_sandbox_limits(64);
        if (r == 0)
            r = xt_sandbox_filter(role);
        _exit(r > 0 ? NO_WAY : r < 0 ? 1 : act());
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? KILLED : 1;
    return WEXITSTATUS(status);
}

/* ---- what they may try ---- */

static int act_execve(void)
{
    char name[] = "true", *argv[] = {name, NULL}, *none[] = {NULL};
    execve("/bin/true", argv, none);
    return REFUSED;
}

static int act_spawn(void)
{
    char name[] = "true", *argv[] = {name, NULL}, *none[] = {NULL};
    pid_t pid;
    int status = 1;
    if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, none) != 0)
        return REFUSED;
    return outcome(waitpid(pid, &status, 0) == pid && status == 0);
}

static int act_fork(void)
{
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return outcome(pid > 0);
}

static int act_ptrace(void)
{
    return outcome(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
}

static int act_memory(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return outcome(p != MAP_FAILED);
}

static int socket_of(int family, int type)
{
    int fd = socket(family, type, family == AF_NETLINK ? NETLINK_AUDIT : 0);
    return outcome(fd >= 0);
}

static int act_routes(void)
{
    return outcome(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) >= 0);
}

static int act_firewall(void)
{
    return outcome(socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER) >= 0);
}

static int pair_of(int type)
{
    int fds[2];
    return outcome(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) == 0);
}

static int act_stream_pair(void)
{
    return pair_of(SOCK_STREAM);
}

static int act_datagram_pair(void) /* one that goes on to any other local socket */
{
    return pair_of(SOCK_DGRAM);
}

static int act_inet(void)
{
    return socket_of(AF_INET, SOCK_STREAM);
}

static int act_unix(void)
{
    return socket_of(AF_UNIX, SOCK_DGRAM);
}

static int act_netlink(void)
{
    return socket_of(AF_NETLINK, SOCK_RAW);
}

static int act_packet(void)
{
    return socket_of(AF_PACKET, SOCK_RAW);
}

static int act_module(void)
{
    return outcome(syscall(SYS_finit_module, -1, "", 0) == 0 || errno == EBADF);
}

static int act_bpf(void)
{
    return outcome(syscall(SYS_bpf, 0, NULL, 0) == 0 || errno == EFAULT || errno == EINVAL);
}

static int act_ring(void)
{
    return outcome(syscall(SYS_io_uring_setup, 1, NULL) == 0 || errno == EFAULT);
}

static int act_setuid(void)
{
    return outcome(setresuid(0, 0, 0) == 0);
}

static int act_kill(void)
{
    return outcome(kill(getpid(), 0) == 0);
}

static int act_kill_other(void)
{
    return outcome(kill(getppid(), SIGCHLD) == 0); /* which the parent ignores */
}

static int act_thread_kill_other(void)
{
    return outcome(syscall(SYS_tgkill, getppid(), getppid(), SIGCHLD) == 0);
}

static int act_abort(void)
{
    return outcome(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 0) == 0);
}

static int act_limits_other(void)
{
    struct rlimit limit;
    return outcome(prlimit(getppid(), RLIMIT_CORE, NULL, &limit) == 0);
}

static int act_priority(void)
{
    return outcome(setpriority(PRIO_PROCESS, (id_t)getppid(), 0) == 0);
}

static int act_owner(void)
{
    return outcome(fchownat(AT_FDCWD, "/nowhere", 0, 0, 0) == 0 || errno == ENOENT);
}

static int act_namespace(void)
{
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return outcome(pid > 0);
}

static int act_namespaces(void)
{
    return outcome(unshare(CLONE_NEWUSER) == 0);
}

static int act_write_memory(void)
{
    return outcome(syscall(SYS_process_vm_writev, getppid(), NULL, 0, NULL, 0, 0) == 0);
}

static int act_compare(void)
{
    return outcome(syscall(SYS_kcmp, getpid(), getppid(), 0, 0, 0) >= 0);
}

static int act_take_file(void)
{
    return outcome(syscall(SYS_pidfd_getfd, -1, 0, 0) == 0 || errno == EBADF);
}

static int act_mount(void)
{
    return outcome(syscall(SYS_fsopen, "proc", 0) >= 0);
}

static int act_wake(void)
{
    return outcome(kill(getpid(), SIGCONT) == 0);
}

static void *nothing(void *context)
{
    return context;
}

static int act_thread(void)
{
    pthread_t thread;
    int r = pthread_create(&thread, NULL, nothing, NULL);
    return outcome(r == 0 && pthread_join(thread, NULL) == 0);
}

static int act_read_proc(void)
{
    char path[256];
    return outcome(readlink("/proc/self/exe", path, sizeof path) > 0 && open("/proc/self/stat", O_RDONLY) >= 0);
}

/* A new call that a C library of tomorrow tries: it must hear that there is no such thing, not be ended. */
static int act_unknown(void)
{
    return outcome(syscall(4095) == 0 || errno != ENOSYS);
}

typedef struct
try {
    const char *name;
    int (*act)(void);
    int collector, shipper, helper, digester;
}
try;

static const try tries[] = {
    {"another program", act_execve, KILLED, KILLED, DONE, KILLED},
    {"a child with another program", act_spawn, REFUSED, REFUSED, DONE, REFUSED},
    {"a process", act_fork, REFUSED, REFUSED, DONE, REFUSED},
    {"to trace", act_ptrace, KILLED, KILLED, KILLED, KILLED},
    {"memory to execute", act_memory, REFUSED, REFUSED, DONE, REFUSED},
    {"the network", act_inet, REFUSED, DONE, DONE, REFUSED},
    {"local sockets", act_unix, REFUSED, REFUSED, DONE, REFUSED},
    {"a pair of streams", act_stream_pair, REFUSED, REFUSED, DONE, REFUSED},
    {"a pair of datagrams", act_datagram_pair, REFUSED, REFUSED, REFUSED, REFUSED},
    {"audit's socket", act_netlink, DONE, REFUSED, REFUSED, REFUSED},
    {"the kernel's routes", act_routes, REFUSED, REFUSED, DONE, REFUSED},
    {"the firewall", act_firewall, REFUSED, REFUSED, REFUSED, REFUSED},
    {"raw packets", act_packet, REFUSED, REFUSED, REFUSED, REFUSED},
    {"a kernel module", act_module, KILLED, KILLED, KILLED, KILLED},
    {"a BPF program", act_bpf, KILLED, KILLED, KILLED, KILLED},
    {"an io_uring", act_ring, KILLED, KILLED, KILLED, KILLED},
    {"another user", act_setuid, REFUSED, REFUSED, REFUSED, REFUSED},
    {"a look whether one lives", act_kill, DONE, REFUSED, REFUSED, REFUSED},
    {"a signal to another", act_kill_other, REFUSED, REFUSED, REFUSED, REFUSED},
    {"one to its thread", act_thread_kill_other, REFUSED, REFUSED, REFUSED, REFUSED},
    {"one to oneself", act_abort, DONE, DONE, DONE, DONE},
    {"limits of another", act_limits_other, REFUSED, REFUSED, REFUSED, REFUSED},
    {"another's priority", act_priority, REFUSED, REFUSED, REFUSED, REFUSED},
    {"another owner of a file", act_owner, REFUSED, REFUSED, REFUSED, REFUSED},
    {"a process with namespaces", act_namespace, REFUSED, REFUSED, REFUSED, REFUSED},
    {"namespaces", act_namespaces, KILLED, KILLED, KILLED, KILLED},
    {"another's memory", act_write_memory, KILLED, KILLED, KILLED, KILLED},
    {"another's files", act_take_file, KILLED, KILLED, KILLED, KILLED},
    {"to compare processes", act_compare, KILLED, KILLED, KILLED, KILLED},
    {"to mount", act_mount, KILLED, KILLED, KILLED, KILLED},
    {"to send one on", act_wake, DONE, DONE, REFUSED, REFUSED},
    {"a thread", act_thread, DONE, REFUSED, DONE, REFUSED},
    {"to read /proc", act_read_proc, DONE, DONE, DONE, DONE},
    {"a call that nobody knows", act_unknown, REFUSED, REFUSED, REFUSED, REFUSED},
};

static void test_filters(void **state)
{
    unsigned n_wrong = 0;
    (void)state;
    for (size_t i = 0; i < XT_COUNT_OF(tries); i++) {
        const int expected[] = {tries[i].collector, tries[i].shipper, tries[i].helper, tries[i].digester};
        for (unsigned role = 0; role < XT_COUNT_OF(expected); role++) {
            int got = in_role((xt_sandbox_role)role, tries[i].act);
            if (got == NO_WAY)
                skip();
            if (got != expected[role]) {
                print_error("role %u, %s: %d, expected %d\n", role, tries[i].name, got, expected[role]);
                n_wrong++;
            }
        }
    }
    assert_int_equal(n_wrong, 0);
}

/* Beside auditd it connects to a local socket, again and again. */
static void test_beside(void **state)
{
    (void)state;
    static const try more[] = {{.name = "local sockets", .act = act_unix, .collector = DONE},
                               {.name = "a pair of datagrams", .act = act_datagram_pair, .collector = REFUSED},
                               {.name = "the kernel's routes", .act = act_routes, .collector = REFUSED},
                               {.name = "another program", .act = act_execve, .collector = KILLED}};
    for (size_t i = 0; i < XT_COUNT_OF(more); i++) {
        int got = in_role(XT_SANDBOX_COLLECTOR_BESIDE, more[i].act);
        if (got == NO_WAY)
            skip();
        if (got != more[i].collector)
            fail_msg("%s: %d, expected %d", more[i].name, got, more[i].collector);
    }
}

/* ---- files ---- */

static char folder[64];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/xt-sandbox-XXXXXX");
    char path[80];
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/mine", folder);
    return mkdir(path, 0700);
}

static int teardown(void **state)
{
    (void)state;
    static const char *const names[] = {"mine/file", "mine/made", "mine", "other", ""};
    char path[80];
    for (size_t i = 0; i < XT_COUNT_OF(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove(path);
    }
    return 0;
}

static bool can_write(const char *name)
{
    char path[80];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    close(fd);
    return unlink(path) == 0;
}

static int expect_only_mine(void)
{
    if (!can_write("mine/file"))
        return 1;
    if (can_write("other") || open("/etc/hostname", O_WRONLY | O_CLOEXEC) >= 0)
        return 2;
    return open("/etc/hostname", O_RDONLY | O_CLOEXEC) >= 0 || errno == ENOENT ? 0 : 3;
}

static int landlock(void)
{
    char path[80];
    snprintf(path, sizeof path, "%s/mine", folder);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 ? -errno : xt_sandbox_writes(fd);
    return r > 0 ? NO_WAY : r < 0 ? 10 : expect_only_mine();
}

static int landlock_nothing(void)
{
    int r = xt_sandbox_writes(-1);
    return r > 0 ? NO_WAY : r < 0 ? 10 : can_write("mine/file") ? 1 : 0;
}

static int open_of_parent(const char *name, int flags)
{
    char path[192];
    snprintf(path, sizeof path, "/proc/%d/%s", getppid(), name);
    return open(path, flags | O_CLOEXEC, 0600);
}

/* What root with SYS_PTRACE could do by files alone: the memory of others, and their view of the file system. */
static int expect_no_way_out(void)
{
    char path[160], text[32];
    snprintf(path, sizeof path, "root%s/other", folder);
    if (open_of_parent("mem", O_RDWR) >= 0)
        return 4;
    if (open_of_parent("stat", O_RDONLY) < 0)
        return 5;
    if (open("/proc/sys/kernel/printk", O_WRONLY | O_CLOEXEC) >= 0 || chmod("/etc/hostname", 0644) == 0)
        return 6;
    if (open("/dev/null", O_RDWR | O_CLOEXEC) >= 0)
        return 7; /* as any disk */
    if (open_of_parent(path, O_WRONLY | O_CREAT) >= 0 || open_of_parent("cwd", O_RDONLY) >= 0)
        return 8;
    if (open_of_parent("root/proc/1/mem", O_RDWR) >= 0 || open_of_parent("fd/0", O_RDONLY) >= 0)
        return 9;
    snprintf(path, sizeof path, "/proc/%d/exe", getppid());
    return readlink(path, text, sizeof text) > 0 ? 0 : 11;
}

static int mounts(void)
{
    char path[80], gone[80];
    snprintf(path, sizeof path, "%s/mine", folder);
    snprintf(gone, sizeof gone, "%s/gone", folder);
    const char *const writable[] = {gone, path};
    int r = xt_sandbox_mounts(writable, XT_COUNT_OF(writable));
    if (r > 0)
        return NO_WAY;
    if (r == 0)
        r = xt_privilege_keep();
    if (r == 0 && (r = expect_only_mine()) == 0)
        return expect_no_way_out();
    return r < 0 ? 10 : r;
}

/* ---- the digester: it reads, and answers ---- */

static int channel[2]; /* open before the filter is */

static int open_as(const char *name, int flags)
{
    char path[80];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    return outcome(fd >= 0);
}

static int act_read(void)
{
    char path[80], byte;
    snprintf(path, sizeof path, "%s/mine/file", folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    return outcome(fd >= 0 && pread(fd, &byte, 1, 0) == 1 && byte == 'x');
}

static int act_answer(void)
{
    return outcome(send(channel[1], "y", 1, MSG_NOSIGNAL) == 1);
}

static int act_open_write(void)
{
    return open_as("mine/file", O_WRONLY);
}

static int act_open_append(void)
{
    return open_as("mine/file", O_WRONLY | O_APPEND);
}

static int act_open_both(void)
{
    return open_as("mine/file", O_RDWR);
}

static int act_open_neither(void) /* the fourth mode, for ioctl: it asks for both rights */
{
    return open_as("mine/file", O_ACCMODE);
}

static int act_open_truncate(void) /* though it is opened to be read, Linux cuts it */
{
    return open_as("mine/file", O_RDONLY | O_TRUNC);
}

static int act_open_create(void)
{
    return open_as("mine/made", O_RDONLY | O_CREAT);
}

static int act_open_nameless(void)
{
    return open_as("mine", O_TMPFILE | O_RDWR);
}

static int act_old_open(void) /* C libraries take openat */
{
    char path[80];
    snprintf(path, sizeof path, "%s/mine/file", folder);
#ifdef SYS_open
    for (int mode = O_WRONLY; mode <= O_ACCMODE; mode++)
        if (syscall(SYS_open, path, mode, 0) >= 0)
            return DONE;
    return outcome(syscall(SYS_open, path, O_RDONLY | O_TRUNC, 0) >= 0 || syscall(SYS_creat, path, 0600) >= 0);
#else
    return REFUSED;
#endif
}

static int act_new_open(void) /* its flags are not seen by a filter */
{
    char path[80];
    const uint64_t how[3] = {O_WRONLY, 0, 0};
    snprintf(path, sizeof path, "%s/mine/file", folder);
    return outcome(syscall(SYS_openat2, AT_FDCWD, path, how, sizeof how) >= 0);
}

static int act_cut(void)
{
    char path[80];
    snprintf(path, sizeof path, "%s/mine/file", folder);
    return outcome(truncate(path, 0) == 0);
}

static int act_remove(void)
{
    char path[80];
    snprintf(path, sizeof path, "%s/mine/file", folder);
    return outcome(unlink(path) == 0);
}

static int act_rename(void)
{
    char path[80], to[80];
    snprintf(path, sizeof path, "%s/mine/file", folder);
    snprintf(to, sizeof to, "%s/mine/made", folder);
    return outcome(rename(path, to) == 0 || link(path, to) == 0);
}

static int act_mode(void)
{
    char path[80];
    snprintf(path, sizeof path, "%s/mine/file", folder);
    return outcome(chmod(path, 0777) == 0);
}

static int act_make_folder(void)
{
    char path[80];
    snprintf(path, sizeof path, "%s/mine/made", folder);
    return outcome(mkdir(path, 0700) == 0);
}

static int act_connect(void) /* with a socket that it was given */
{
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    return outcome(connect(channel[1], &none, sizeof none) == 0 || errno != ENOSYS);
}

static int act_accept(void)
{
    return outcome(accept4(channel[1], NULL, NULL, 0) >= 0 || errno != ENOSYS);
}

static void expect_file(const char *path)
{
    char text[8];
    struct stat st = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(read(fd, text, sizeof text), 1);
    close(fd);
}

/* It is root here: nothing but the filter says no, and each of these is possible without. */
static void test_digester(void **state)
{
    static const try more[] = {{.name = "to read", .act = act_read, .digester = DONE},
                               {.name = "to answer", .act = act_answer, .digester = DONE},
                               {.name = "to write", .act = act_open_write, .digester = REFUSED},
                               {.name = "to append", .act = act_open_append, .digester = REFUSED},
                               {.name = "to read and write", .act = act_open_both, .digester = REFUSED},
                               {.name = "to do neither", .act = act_open_neither, .digester = REFUSED},
                               {.name = "to cut while opening", .act = act_open_truncate, .digester = REFUSED},
                               {.name = "to create", .act = act_open_create, .digester = REFUSED},
                               {.name = "to create without a name", .act = act_open_nameless, .digester = REFUSED},
                               {.name = "by open", .act = act_old_open, .digester = REFUSED},
                               {.name = "by openat2", .act = act_new_open, .digester = REFUSED},
                               {.name = "to cut", .act = act_cut, .digester = REFUSED},
                               {.name = "to remove", .act = act_remove, .digester = REFUSED},
                               {.name = "another name", .act = act_rename, .digester = REFUSED},
                               {.name = "another mode", .act = act_mode, .digester = REFUSED},
                               {.name = "a folder", .act = act_make_folder, .digester = REFUSED},
                               {.name = "to connect", .act = act_connect, .digester = REFUSED},
                               {.name = "to accept", .act = act_accept, .digester = REFUSED}};
    unsigned n_wrong = 0;
    char path[80], made[80], byte;
    (void)state;
    snprintf(path, sizeof path, "%s/mine/file", folder);
    snprintf(made, sizeof made, "%s/mine/made", folder);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel), 0);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && write(fd, "x", 1) == 1);
    close(fd);
    for (size_t i = 0; i < XT_COUNT_OF(more); i++) {
        int got = in_role(XT_SANDBOX_DIGESTER, more[i].act);
        if (got == NO_WAY)
            skip();
        if (got != more[i].digester) {
            print_error("%s: %d, expected %d\n", more[i].name, got, more[i].digester);
            n_wrong++;
        }
    }
    assert_int_equal(n_wrong, 0);
    assert_int_equal(recv(channel[0], &byte, 1, MSG_DONTWAIT), 1);
    expect_file(path);
    assert_int_equal(access(made, F_OK), -1);
    unlink(path);
    close(channel[0]);
    close(channel[1]);
}

static void expect_in_child(int (*act)(void))
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(act());
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_WAY)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_landlock(void **state)
{
    (void)state;
    expect_in_child(landlock);
    expect_in_child(landlock_nothing);
    assert_true(can_write("other"));
}

static void test_mounts(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    expect_in_child(mounts);
    assert_true(can_write("other"));
}

/* ---- capabilities ---- */

static uint64_t field_of(const char *name)
{
    char line[256];
    unsigned long long v = 0;
    FILE *f = fopen("/proc/thread-self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            v = strtoull(line + strlen(name), NULL, 16);
    if (f)
        fclose(f);
    return v;
}

static int keep(void)
{
    /* DAC_READ_SEARCH 2, NET_ADMIN 12, SYS_PTRACE 19, AUDIT_WRITE 29, AUDIT_CONTROL 30, AUDIT_READ 37 */
    const uint64_t all = 1u << 2 | 1u << 12 | 1u << 19 | 1u << 29 | 1u << 30 | UINT64_C(1) << 37;
    uint64_t before = field_of("CapEff:");
    if (xt_privilege_keep() < 0)
        return 1;
    if (field_of("CapEff:") != (all & before) || field_of("CapPrm:") != (all & before))
        return 2;
    return field_of("CapBnd:") & ~all ? 3 : field_of("NoNewPrivs:") == 1 ? 0 : 4;
}

static void test_capabilities(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    expect_in_child(keep);
}

/* ---- the service manager ---- */

static int listen_at(const char *name, size_t n)
{
    struct {
        sa_family_t family;
        char path[108];
    } address = {.family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    memcpy(address.path, name, n);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, (socklen_t)(sizeof(sa_family_t) + n)), 0);
    return fd;
}

static void expect_messages(const char *name, int fd)
{
    char text[256], control[CMSG_SPACE(sizeof(int))];
    xt_notify notify;
    setenv("NOTIFY_SOCKET", name, 1);
    setenv("WATCHDOG_USEC", "6000000", 1);
    unsetenv("WATCHDOG_PID");
    assert_int_equal(xt_notify_open(&notify), 0);
    assert_int_equal(notify.watchdog_ms, 6000);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_int_equal(xt_notify_say(&notify, "READY=1\nSTATUS=%s", "watching"), 0);
    ssize_t n = recv(fd, text, sizeof text, 0);
    assert_int_equal(n, 23);
    assert_memory_equal(text, "READY=1\nSTATUS=watching", 23);

    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(xt_notify_store(&notify, "audit", pipes[1]), 0);
    struct iovec part = {text, sizeof text};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    assert_true(n > 23 && memcmp(text, "FDSTORE=1\nFDNAME=audit\n", 23) == 0);
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    assert_non_null(head);
    int passed;
    memcpy(&passed, CMSG_DATA(head), sizeof passed);
    assert_int_equal(write(passed, "x", 1), 1);
    assert_int_equal(read(pipes[0], text, 1), 1);
    close(passed);
    close(pipes[0]);
    close(pipes[1]);
    xt_notify_close(&notify);
    close(fd);
}

static void test_notify(void **state)
{
    (void)state;
    char path[80], abstract[80];
    xt_notify none;
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(xt_notify_open(&none), 0);
    assert_int_equal(none.fd, -1);
    assert_int_equal(xt_notify_say(&none, "READY=1"), 0);
    int n = snprintf(path, sizeof path, "%s/other", folder);
    expect_messages(path, listen_at(path, (size_t)n + 1));
    n = snprintf(abstract, sizeof abstract, "@%s", folder);
    path[0] = '\0';
    memcpy(path + 1, folder, (size_t)n - 1);
    expect_messages(abstract, listen_at(path, (size_t)n));
    setenv("NOTIFY_SOCKET", "nowhere", 1);
    assert_true(xt_notify_open(&none) < 0);
    assert_int_equal(none.fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),  cmocka_unit_test(test_beside), cmocka_unit_test(test_digester),
        cmocka_unit_test(test_landlock), cmocka_unit_test(test_mounts), cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_notify),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/*
 * How it works: a list for each role on top of a common one. The default is ENOSYS and not the end, for C libraries try newer calls
 * than those that are named here and know how to go on without; the kernel logs each one. Calls are allowed whole
 * where that can be, since the kernel then answers from a bitmap without running the filter; arguments are looked at
 * where they make the difference: which sockets, memory that can be executed, threads and not processes.
 *
 * The collector lives in a mount namespace, not under Landlock: a process under Landlock may not look at /proc/PID/exe of
 * one that is not. In there everything is read-only, /proc/PID/mem too, devices cannot be opened, and /proc's links,
 * which lead out of it, are not followed.
 */
#include "agent/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

#define C(name)     SCMP_SYS(name)
#define SOCKET_KIND 0xf /* of a socket's type: without SOCK_CLOEXEC and SOCK_NONBLOCK */
#define NAMESPACES \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

/* Memory, time, signals to oneself, descriptors, reading files. */
static const int calls_common[] = {C(read),
                                   C(readv),
                                   C(pread64),
                                   C(preadv),
                                   C(write),
                                   C(writev),
                                   C(pwrite64),
                                   C(pwritev),
                                   C(close),
                                   C(close_range),
                                   C(lseek),
                                   C(fstat),
                                   C(newfstatat),
                                   C(stat),
                                   C(lstat),
                                   C(statx),
                                   C(statfs),
                                   C(fstatfs),
                                   C(fcntl),
                                   C(dup),
                                   C(dup2),
                                   C(dup3),
                                   C(poll),
                                   C(ppoll),
                                   C(select),
                                   C(pselect6),
                                   C(epoll_create1),
                                   C(epoll_ctl),
                                   C(epoll_wait),
                                   C(epoll_pwait),
                                   C(epoll_pwait2),
                                   C(eventfd2),
                                   C(timerfd_create),
                                   C(timerfd_settime),
                                   C(nanosleep),
                                   C(clock_nanosleep),
                                   C(clock_getres),
                                   C(clock_gettime),
                                   C(gettimeofday),
                                   C(time),
                                   C(times),
                                   C(getpid),
                                   C(gettid),
                                   C(getppid),
                                   C(getuid),
                                   C(geteuid),
                                   C(getgid),
                                   C(getegid),
                                   C(getresuid),
                                   C(getresgid),
                                   C(getgroups),
                                   C(getpgrp),
                                   C(getsid),
                                   C(getrandom),
                                   C(futex),
                                   C(futex_waitv),
                                   C(set_robust_list),
                                   C(get_robust_list),
                                   C(rseq),
                                   C(membarrier),
                                   C(sched_yield),
                                   C(getcpu),
                                   C(munmap),
                                   C(mremap),
                                   C(madvise),
                                   C(brk),
                                   C(rt_sigaction),
                                   C(rt_sigprocmask),
                                   C(rt_sigpending),
                                   C(rt_sigreturn),
                                   C(rt_sigtimedwait),
                                   C(sigaltstack),
                                   C(restart_syscall),
                                   C(exit),
                                   C(exit_group),
                                   C(uname),
                                   C(sysinfo),
                                   C(getrlimit),
                                   C(getrusage),
                                   C(arch_prctl),
                                   C(prctl),
                                   C(set_tid_address),
                                   C(open),
                                   C(openat),
                                   C(openat2),
                                   C(readlink),
                                   C(readlinkat),
                                   C(access),
                                   C(faccessat),
                                   C(faccessat2),
                                   C(getdents64),
                                   C(getcwd),
                                   C(umask),
                                   C(fadvise64),
                                   C(recvfrom),
                                   C(recvmsg),
                                   C(recvmmsg),
                                   C(sendto),
                                   C(sendmsg),
                                   C(sendmmsg),
                                   C(shutdown),
                                   C(getsockopt),
                                   C(setsockopt),
                                   C(getsockname),
                                   C(getpeername),
                                   C(pipe),
                                   C(pipe2),
                                   C(sched_getaffinity)};

/* Writing files; where, is said by the mount namespace and by Landlock. */
static const int calls_files[] = {
    C(unlink), C(unlinkat),  C(rename),   C(renameat),        C(renameat2), C(mkdir),  C(mkdirat),
    C(rmdir),  C(ftruncate), C(fsync),    C(fdatasync),       C(fallocate), C(link),   C(linkat),
    C(flock),  C(fchmod),    C(fchmodat), C(sync_file_range), C(utimensat), C(symlink)};

static const int calls_collector[] = {
    C(signalfd4),         C(wait4),           C(waitid), C(memfd_create), C(bind), C(inotify_init1),
    C(inotify_add_watch), C(inotify_rm_watch)};

/* The host's name services may want much; and the canary is another process with another program. */
static const int calls_helper[] = {C(bind),         C(connect),       C(mmap),        C(mprotect), C(clone3),
                                   C(vfork),        C(execve),        C(wait4),       C(waitid),   C(ioctl),
                                   C(listen),       C(accept4),       C(mlock),       C(munlock),  C(capget),
                                   C(timer_create), C(timer_settime), C(timer_delete)};

/* What nobody here asks for unless somebody else speaks. */
static const int calls_deadly[] = {C(execveat),
                                   C(ptrace),
                                   C(process_vm_readv),
                                   C(process_vm_writev),
                                   C(init_module),
                                   C(finit_module),
                                   C(delete_module),
                                   C(kexec_load),
                                   C(kexec_file_load),
                                   C(bpf),
                                   C(perf_event_open),
                                   C(userfaultfd),
                                   C(io_uring_setup),
                                   C(mount),
                                   C(umount2),
                                   C(pivot_root),
                                   C(chroot),
                                   C(setns),
                                   C(unshare),
                                   C(keyctl),
                                   C(add_key),
                                   C(request_key),
                                   C(reboot),
                                   C(swapon),
                                   C(pidfd_getfd),
                                   C(open_by_handle_at),
                                   C(iopl),
                                   C(ioperm),
                                   C(kcmp),
                                   C(open_tree),
                                   C(move_mount),
                                   C(fsopen),
                                   C(fsmount),
                                   C(mount_setattr),
                                   C(process_madvise)};

static int allow(scmp_filter_ctx ctx, const int *calls, size_t n)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
    return r;
}

static struct scmp_arg_cmp is_equal(unsigned argument, uint32_t value)
{
    return (struct scmp_arg_cmp){.arg = argument, .op = SCMP_CMP_EQ, .datum_a = value};
}

static int allow_if(scmp_filter_ctx ctx, int call, struct scmp_arg_cmp condition)
{
    return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, 1, &condition);
}

/* What is done to a process is done to this one alone: whoever is root may signal and bound root's others. */
static int allow_on_itself(scmp_filter_ctx ctx)
{
    int r = allow_if(ctx, C(tgkill), is_equal(0, (uint32_t)getpid()));
    return r == 0 ? allow_if(ctx, C(prlimit64), is_equal(0, 0)) : r;
}

/* A netlink socket speaks with one part of the kernel; CAP_NET_ADMIN would otherwise be routes and the firewall too. */
static int allow_netlink(scmp_filter_ctx ctx, int protocol)
{
    const struct scmp_arg_cmp conditions[] = {is_equal(0, AF_NETLINK), is_equal(2, (uint32_t)protocol)};
    return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, C(socket), XT_COUNT_OF(conditions), conditions);
}

static int allow_sockets(scmp_filter_ctx ctx, const int *families, size_t n)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = allow_if(ctx, C(socket), is_equal(0, (uint32_t)families[i]));
    return r;
}

/* Neither memory that can be executed nor terminals that can be typed into. */
static int allow_plain_memory(scmp_filter_ctx ctx)
{
    static const uint32_t requests[] = {FIONREAD, FIONBIO, TCGETS};
    int r = allow_if(ctx, C(mmap), SCMP_CMP32(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (r == 0)
        r = allow_if(ctx, C(mprotect), SCMP_CMP32(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    for (size_t i = 0; r == 0 && i < XT_COUNT_OF(requests); i++)
        r = allow_if(ctx, C(ioctl), is_equal(1, requests[i]));
    return r;
}

/* clone3 hides its flags in memory: it is answered with ENOSYS, and the C library takes clone. */
static int allow_collector(scmp_filter_ctx ctx, bool is_beside)
{
    static const int local[] = {AF_UNIX}, probes[] = {0, SIGCONT};
    int r = allow(ctx, calls_collector, XT_COUNT_OF(calls_collector));
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, C(clone3), 0); /* by this filter; refuse_quietly has the last word */
    if (r == 0)
        r = allow(ctx, calls_files, XT_COUNT_OF(calls_files));
    if (r == 0)
        r = allow_if(ctx, C(clone), SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    for (size_t i = 0; r == 0 && i < XT_COUNT_OF(probes); i++)
        r = allow_if(ctx, C(kill), is_equal(1, (uint32_t)probes[i]));
    if (r == 0)
        r = allow_plain_memory(ctx);
    if (r == 0)
        r = allow_netlink(ctx, NETLINK_AUDIT);
    if (r == 0)
        r = allow_netlink(ctx, NETLINK_CONNECTOR);
    if (r == 0 && is_beside)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, C(connect), 0);
    return r == 0 && is_beside ? allow_sockets(ctx, local, XT_COUNT_OF(local)) : r;
}

static int allow_shipper(scmp_filter_ctx ctx)
{
    static const int families[] = {AF_INET, AF_INET6};
    int r = allow(ctx, calls_files, XT_COUNT_OF(calls_files));
    if (r == 0)
        r = allow_if(ctx, C(kill), is_equal(1, SIGCONT));
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, C(connect), 0);
    if (r == 0)
        r = allow_plain_memory(ctx);
    return r == 0 ? allow_sockets(ctx, families, XT_COUNT_OF(families)) : r;
}

static int allow_helper(scmp_filter_ctx ctx)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6}, pairs[] = {SOCK_STREAM, SOCK_SEQPACKET};
    int r = allow(ctx, calls_helper, XT_COUNT_OF(calls_helper));
    if (r == 0)
        r = allow_if(ctx, C(clone), SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, NAMESPACES, 0));
    for (size_t i = 0; r == 0 && i < XT_COUNT_OF(pairs); i++)
        r = allow_if(ctx, C(socketpair), SCMP_CMP32(1, SCMP_CMP_MASKED_EQ, SOCKET_KIND, (uint32_t)pairs[i]));
    if (r == 0)
        r = allow_netlink(ctx, NETLINK_ROUTE);
    return r == 0 ? allow_sockets(ctx, families, XT_COUNT_OF(families)) : r;
}

static int fill(scmp_filter_ctx ctx, xt_sandbox_role role)
{
    int r = allow(ctx, calls_common, XT_COUNT_OF(calls_common));
    if (r == 0)
        r = allow_on_itself(ctx);
    for (size_t i = 0; r == 0 && i < XT_COUNT_OF(calls_deadly); i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, calls_deadly[i], 0);
    if (r == 0 && role != XT_SANDBOX_HELPER)
        r = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, C(execve), 0);
    if (r < 0)
        return r;
    switch (role) {
    case XT_SANDBOX_COLLECTOR:
    case XT_SANDBOX_COLLECTOR_BESIDE:
        return allow_collector(ctx, role == XT_SANDBOX_COLLECTOR_BESIDE);
    case XT_SANDBOX_SHIPPER:
        return allow_shipper(ctx);
    case XT_SANDBOX_HELPER:
        return allow_helper(ctx);
    case XT_SANDBOX_DIGESTER:
        return allow_plain_memory(ctx);
    }
    return -EINVAL;
}

/* Asked for at each start of a thread, by every C library that is not old: not worth a record. */
static int refuse_quietly(int call)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int r = ctx ? seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), call, 0) : -ENOMEM;
    if (r == 0)
        r = seccomp_load(ctx);
    if (ctx)
        seccomp_release(ctx);
    return r;
}

static int refuse_flags(scmp_filter_ctx ctx, uint32_t mask, uint32_t flags)
{
    const struct scmp_arg_cmp at = SCMP_CMP32(2, SCMP_CMP_MASKED_EQ, mask, flags);
    const struct scmp_arg_cmp plain = SCMP_CMP32(1, SCMP_CMP_MASKED_EQ, mask, flags);
    int r = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EROFS), C(openat), 1, &at);
    return r == 0 ? seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EROFS), C(open), 1, &plain) : r;
}

/*
 * A filter of its own, for of several the strictest counts: openat2 hides its flags in memory. A file that is opened to be read is made
 * and cut all the same where the flags say so.
 */
static int refuse_writing(void)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int r = ctx ? seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), C(openat2), 0) : -ENOMEM;
    for (uint32_t mode = O_WRONLY; r == 0 && mode <= O_ACCMODE; mode++)
        r = refuse_flags(ctx, O_ACCMODE, mode);
    if (r == 0)
        r = refuse_flags(ctx, O_CREAT, O_CREAT);
    if (r == 0)
        r = refuse_flags(ctx, O_TRUNC, O_TRUNC);
    if (r == 0)
        r = seccomp_load(ctx);
    if (ctx)
        seccomp_release(ctx);
    return r;
}

int xt_sandbox_filter(xt_sandbox_role role)
{
    if (HAS_SANITIZER)
        return XT_SANDBOX_E_ABSENT;
    if (role == XT_SANDBOX_DIGESTER && refuse_writing() < 0)
        return XT_SANDBOX_E_ABSENT;
    if (refuse_quietly(C(clone3)) < 0)
        return XT_SANDBOX_E_ABSENT;
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!ctx)
        return xt_error_origin(-ENOMEM);
    int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (r == 0)
        r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    /* Older kernels have neither; the filter is as good without. */
    (void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1);
    (void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (r == 0)
        r = fill(ctx, role);
    if (r == 0)
        r = seccomp_load(ctx);
    seccomp_release(ctx);
    return r == -EINVAL || r == -ENOSYS ? XT_SANDBOX_E_ABSENT : r;
}

/* ---- the file system ---- */

static int change(const char *path, unsigned flags, uint64_t set, uint64_t clear)
{
    struct mount_attr attributes = {.attr_set = set, .attr_clr = clear};
    return mount_setattr(AT_FDCWD, path, flags, &attributes, sizeof attributes) < 0 ? -errno : 0;
}

/*
 * /proc/PID/root, cwd and fd lead to other views of the file system, where everything can be written to: links of /proc are read and
 * not followed. mountinfo has the mount's place in the 5th field, and its kind behind " - ".
 */
static int cut_links(void)
{
    char line[8192], place[4096];
    FILE *file = fopen("/proc/self/mountinfo", "re");
    int r = file ? 0 : -errno;
    while (r == 0 && fgets(line, sizeof line, file)) {
        const char *kind = strstr(line, " - ");
        if (kind && strncmp(kind, " - proc ", 8) == 0 && sscanf(line, "%*s %*s %*s %*s %4095s", place) == 1)
            r = change(place, 0, MOUNT_ATTR_NOSYMFOLLOW, 0);
    }
    if (file)
        (void)fclose(file);
    return r;
}

/* Folders become mounts of their own first, so that the rest can change around them. */
int xt_sandbox_mounts(const char *const *writable, size_t n)
{
    if (unshare(CLONE_NEWNS) < 0)
        return errno == EPERM || errno == ENOSYS || errno == EINVAL ? XT_SANDBOX_E_ABSENT : -errno;
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return XT_SANDBOX_E_ABSENT;
    for (size_t i = 0; i < n; i++)
        if (mount(writable[i], writable[i], NULL, MS_BIND | MS_REC, NULL) < 0 && errno != ENOENT)
            return -errno;
    if (change("/", AT_RECURSIVE, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, 0) < 0)
        return XT_SANDBOX_E_ABSENT;
    for (size_t i = 0; i < n; i++) {
        int r = change(writable[i], 0, 0, MOUNT_ATTR_RDONLY);
        if (r < 0 && r != -ENOENT)
            return xt_error_origin(r);
    }
    return cut_links() < 0 ? XT_SANDBOX_E_LINKS : 0;
}

/* All ways of writing that this version of Landlock knows. */
static uint64_t writing(int version)
{
    uint64_t all = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                   LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                   LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                   LANDLOCK_ACCESS_FS_MAKE_SYM;
    if (version >= 2)
        all |= UINT64_C(1) << 13; /* REFER: to another folder */
    if (version >= 3)
        all |= UINT64_C(1) << 14; /* TRUNCATE */
    return all;
}

int xt_sandbox_writes(int folder)
{
    int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return XT_SANDBOX_E_ABSENT;
    const struct landlock_ruleset_attr attributes = {.handled_access_fs = writing(version)};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    if (rules < 0)
        return -errno;
    const struct landlock_path_beneath_attr below = {.allowed_access = writing(version), .parent_fd = folder};
    int r = 0;
    if (folder >= 0 && syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0) < 0)
        r = -errno;
    if (r == 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_landlock_restrict_self, rules, 0) < 0))
        r = -errno;
    close(rules);
    return r < 0 ? xt_error_origin(r) : 0;
}

int xt_sandbox_limits(size_t max_files)
{
    const struct rlimit none = {0, 0}, files = {max_files, max_files};
    if (setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_MEMLOCK, &none) < 0 ||
        setrlimit(RLIMIT_NOFILE, &files) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return xt_error_origin(-errno);
    return 0;
}

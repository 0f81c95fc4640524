/*
 * What values mean. The expected texts come from manual pages (open(2), mmap(2), clone(2), capabilities(7), inode(7),
 * errno(3), signal(7)), from what strace prints of such calls, and from the kernel's headers where those are silent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "audit/interpret.h"
#include "audit/sockaddr.h"
#include "audit/value.h"

static xt_slice name_user(void *context, uint32_t id)
{
    return id == 1001 ? XT_S("alice") : XT_S_NULL;
}

static xt_slice name_group(void *context, uint32_t id)
{
    return id == 27 ? XT_S("sudo") : XT_S_NULL;
}

static const xt_name_source names = {.user = name_user, .group = name_group};

#define NOTHING ((const char *)NULL)

static void expect_in(const xt_interpret_context *context, const char *name, xt_slice value, const char *want)
{
    xt_buf out = XT_BUF_INIT;
    xt_buf_puts(&out, "+");
    bool says = xt_interpret(context, xt_slice_str(name), value, &out);
    xt_slice got = xt_slice_skip(xt_buf_slice(&out), 1);
    if (says != (want != NULL) || !xt_slice_eq(got, xt_slice_str(want)))
        fail_msg("%s %s=%.*s is [%.*s], not %s", xt_record_type_name(context->record_type), name, XT_S_ARGS(value),
                 XT_S_ARGS(got), want ? want : "nothing");
    xt_buf_fini(&out);
}

static void expect(const char *type, const char *name, const char *value, const char *want)
{
    xt_interpret_context context = {.record_type = xt_record_type_by_name(xt_slice_str(type)),
                                    .arch = XT_ARCH_X86_64,
                                    .syscall = XT_S("openat"),
                                    .names = &names};
    assert_int_not_equal(context.record_type, 0);
    expect_in(&context, name, xt_slice_str(value), want);
}

static void test_fields(void **state)
{
    expect("SYSCALL", "exit", "-13", "EACCES(Permission denied)");
    expect("SYSCALL", "exit", "-512", "ERESTARTSYS");
    expect("SYSCALL", "exit", "0", NOTHING);
    expect("SYSCALL", "exit", "3", NOTHING);
    expect("SYSCALL", "exit", "-4096", NOTHING);
    expect("SYSCALL", "auid", "4294967295", "unset");
    expect("SYSCALL", "ses", "4294967295", "unset");
    expect("SYSCALL", "ses", "12", NOTHING);
    expect("SYSCALL", "uid", "1001", "alice");
    expect("SYSCALL", "uid", "1002", NOTHING);
    expect("SYSCALL", "gid", "27", "sudo");
    expect("SYSCALL", "success", "yes", NOTHING);
    expect("SYSCALL", "per", "40000", "PER_LINUX|ADDR_NO_RANDOMIZE");
    expect("SYSCALL", "per", "8", "PER_LINUX32");
    expect("SYSCALL", "comm", "11", NOTHING);
    expect("ANOM_ABEND", "sig", "11", "SIGSEGV");
    expect("ANOM_ABEND", "sig", "36", "SIGRTMIN+2");
    expect("ANOM_ABEND", "sig", "99", NOTHING);
    expect("SECCOMP", "code", "0x7ffc0000", "SECCOMP_RET_LOG");
    expect("SECCOMP", "code", "0x80000000", "SECCOMP_RET_KILL_PROCESS");
    expect("CONFIG_CHANGE", "res", "1", "yes");
    expect("USER_CMD", "res", "success", NOTHING);
    expect("CONFIG_CHANGE", "list", "4", "exit");
    expect("CONFIG_CHANGE", "audit_enabled", "2", "immutable");
    expect("AVC", "capability", "21", "sys_admin");
    expect("AVC", "ioctlcmd", "0x5401", "TCGETS");
    expect("NETFILTER_CFG", "family", "10", "ipv6");
    expect("NETFILTER_PKT", "proto", "17", "udp");
    expect("EVENT_LISTENER", "nl-mcgrp", "1", "AUDIT_NLGRP_READLOG");
    expect("FANOTIFY", "resp", "2", "FAN_DENY");
    expect("FANOTIFY", "fan_info", "1F", "31");
    expect("FANOTIFY", "subj_trust", "2", "unknown");
    expect("URINGOP", "uring_op", "18", "IORING_OP_OPENAT");
    expect("URINGOP", "exit", "-2", "ENOENT(No such file or directory)");
    expect("OPENAT2", "oflag", "02000101", "O_WRONLY|O_CREAT|O_CLOEXEC");
    expect("OPENAT2", "resolve", "0xa", "RESOLVE_NO_MAGICLINKS|RESOLVE_BENEATH");
    expect("INTEGRITY_DATA", "errno", "-13", "EACCES(Permission denied)");
    expect("ANOM_PROMISCUOUS", "prom", "256", "yes");
    expect("MAC_STATUS", "enforcing", "0", "permissive");
    expect("LOGIN", "old-auid", "4294967295", "unset");
    expect("ADD_USER", "id", "1001", "alice");
    expect("ADD_GROUP", "id", "27", "sudo");
}

static void test_files(void **state)
{
    expect("PATH", "mode", "0100755", "file,755");
    expect("PATH", "mode", "0104755", "file,suid,755");
    expect("PATH", "mode", "041777", "dir,sticky,777");
    expect("PATH", "mode", "042755", "dir,sgid,755");
    expect("PATH", "mode", "0120777", "link,777");
    expect("PATH", "mode", "0140600", "socket,600");
    expect("PATH", "mode", "020620", "character,620");
    expect("PATH", "mode", "060660", "block,660");
    expect("PATH", "mode", "010644", "fifo,644");
    expect("PATH", "dev", "fe:00", "254:0");
    expect("PATH", "dev", "08:01", "8:1");
    expect("PATH", "rdev", "00:00", NOTHING);
    expect("PATH", "rdev", "88:03", "136:3");
    expect("PATH", "ouid", "1001", "alice");
    expect("PATH", "inode", "1001", NOTHING);
    expect("PATH", "cap_fp", "0000000000003400", "net_bind_service,net_admin,net_raw");
    expect("PATH", "cap_fi", "0", "none");
    expect("PATH", "cap_fp", "8000000000000001", "chown,63");
}

/* Case 49: the same name is something else in another record. */
static void case_49_same_name_other_record(void **state)
{
    expect("BPRM_FCAPS", "fp", "0000000000000001", "chown");
    expect("CRYPTO_KEY_USER", "fp", "01", NOTHING);
    expect("MMAP", "flags", "0x22", "MAP_PRIVATE|MAP_ANONYMOUS");
    expect("USER", "flags", "0x22", NOTHING);
    expect("MQ_OPEN", "mode", "04600", "suid,0600");
    expect("MQ_OPEN", "mode", "0600", NOTHING); /* says it itself */
    expect("USER", "mode", "0100755", NOTHING);
    expect("SOCKADDR", "saddr", "02000035C0000201", "inet 192.0.2.1:53");
    expect("NETFILTER_PKT", "saddr", "02000035", NOTHING);
    expect("AVC", "saddr", "02000035", NOTHING);
    expect("KERN_MODULE", "name", "6E6674", NOTHING);
    expect("EXECVE", "a0", "ffffff9c", NOTHING);
    expect("USER", "a0", "ffffff9c", NOTHING);
    expect("IPC", "mode", "01666", "sticky,0666");
    expect("USER_AVC", "sig", "9", NOTHING);
    expect("DAEMON_END", "id", "0", NOTHING);
}

/* Case 48: bases. */
static void case_48_bases(void **state)
{
    expect("SYSCALL", "a2", "10", "O_RDONLY|0x10");
    expect("ANOM_ABEND", "sig", "10", "SIGUSR1");
    expect("SECCOMP", "code", "50000", "SECCOMP_RET_ERRNO");
    expect("PATH", "mode", "9", NOTHING);
    expect("SYSCALL", "a2", "xyz", NOTHING);
    expect("SYSCALL", "exit", "99999999999999999999999", NOTHING);
    expect("SYSCALL", "auid", "-1", "unset");
}

static void test_text(void **state)
{
    xt_interpret_context context = {.record_type = xt_record_type_by_name(XT_S("PROCTITLE"))};
    expect_in(&context, "proctitle", XT_S("ls\0-l\0/tmp"), "ls -l /tmp");
    expect_in(&context, "proctitle", XT_S("ls"), NOTHING);
    context.record_type = xt_record_type_by_name(XT_S("TTY"));
    expect_in(&context, "data", XT_S("ls -l\r\x03\x1b[A\x7fq\x1b"), "ls -l<ret><^C><up><backspace>q<esc>");
    expect_in(&context, "data", XT_S("plain"), NOTHING);
    context.record_type = xt_record_type_by_name(XT_S("CONFIG_CHANGE"));
    expect_in(&context, "key", XT_S("exec\1root"), "exec, root");
    expect_in(&context, "key", XT_S("exec"), NOTHING);
}

typedef struct call {
    uint32_t arch;
    const char *name;
    uint64_t args[4];
    unsigned index;
    const char *want;
} call;

#define X86 XT_ARCH_X86_64

static void test_arguments(void **state)
{
    static const call calls[] = {
        {X86, "open", {0, 0x241, 0644}, 1, "O_WRONLY|O_CREAT|O_TRUNC"},
        {X86, "open", {0, 0x241, 0644}, 2, "0644"},
        {X86, "open", {0, 0x80000, 0x7fff}, 2, NOTHING},
        {X86, "openat", {0xffffff9c, 0, 0x90800}, 0, "AT_FDCWD"},
        {X86, "openat", {3, 0, 0x90800}, 0, NOTHING},
        {X86, "openat", {0, 0, 0x90800}, 2, "O_RDONLY|O_NONBLOCK|O_DIRECTORY|O_CLOEXEC"},
        {X86, "openat", {0, 0, 0x101002}, 2, "O_RDWR|O_SYNC"},
        {X86, "openat", {0, 0, 0x410002, 0600}, 3, "0600"},
        {XT_ARCH_AARCH64, "openat", {0, 0, 0x4000}, 2, "O_RDONLY|O_DIRECTORY"},
        {0xc0000015, "openat", {0, 0, 0x20000}, 2, "O_RDONLY|O_DIRECT"},
        {0x8, "open", {0, 0x301}, 1, NOTHING},
        {X86, "access", {0, 4}, 1, "R_OK"},
        {X86, "access", {0, 0}, 1, "F_OK"},
        {X86, "faccessat2", {0, 0, 3, 0x200}, 2, "X_OK|W_OK"},
        {X86, "faccessat2", {0, 0, 3, 0x200}, 3, "AT_EACCESS"},
        {X86, "faccessat", {0, 0, 3, 0x200}, 3, NOTHING}, /* it has three arguments */
        {X86, "mmap", {0, 4096, 3, 0x22}, 2, "PROT_READ|PROT_WRITE"},
        {X86, "mmap", {0, 4096, 0, 0x22}, 2, "PROT_NONE"},
        {X86, "mmap", {0, 4096, 3, 0x802}, 3, "MAP_PRIVATE|MAP_DENYWRITE"},
        {XT_ARCH_I386, "mmap", {0, 4096, 3, 0x22}, 3, NOTHING}, /* a pointer to all */
        {XT_ARCH_I386, "mmap2", {0, 4096, 3, 0x22}, 3, "MAP_PRIVATE|MAP_ANONYMOUS"},
        {X86, "mprotect", {0, 4096, 5}, 2, "PROT_READ|PROT_EXEC"},
        {X86, "clone", {0x1200011}, 0, "CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD"},
        {X86, "clone", {0x11}, 0, "SIGCHLD"},
        {X86, "unshare", {0x10020000}, 0, "CLONE_NEWNS|CLONE_NEWUSER"},
        {X86, "setns", {3, 0x40000000}, 1, "CLONE_NEWNET"},
        {X86, "kill", {1, 9}, 1, "SIGKILL"},
        {X86, "tgkill", {1, 1, 15}, 2, "SIGTERM"},
        {X86, "ptrace", {16}, 0, "PTRACE_ATTACH"},
        {X86, "ptrace", {0x4206}, 0, "PTRACE_SEIZE"},
        {X86, "prctl", {15}, 0, "PR_SET_NAME"},
        {X86, "prctl", {1, 9}, 1, "SIGKILL"},
        {X86, "prctl", {24, 12}, 1, "net_admin"},
        {X86, "prctl", {38, 1}, 0, "PR_SET_NO_NEW_PRIVS"},
        {X86, "prctl", {38, 1}, 1, NOTHING},
        {X86, "fcntl", {3, 2, 1}, 1, "F_SETFD"},
        {X86, "fcntl", {3, 2, 1}, 2, "FD_CLOEXEC"},
        {X86, "fcntl", {3, 4, 0x802}, 2, "O_RDWR|O_NONBLOCK"},
        {X86, "fcntl", {3, 1033, 15}, 2, "F_SEAL_SEAL|F_SEAL_SHRINK|F_SEAL_GROW|F_SEAL_WRITE"},
        {X86, "fcntl", {3, 8, 1001}, 2, NOTHING}, /* F_SETOWN takes a process */
        {X86, "socket", {2, 0x80802, 17}, 0, "AF_INET"},
        {X86, "socket", {2, 0x80802, 17}, 1, "SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC"},
        {X86, "socket", {2, 0x80802, 17}, 2, "IPPROTO_UDP"},
        {X86, "socket", {16, 3, 9}, 2, "NETLINK_AUDIT"},
        {X86, "socket", {17, 3, 0x300}, 2, "ETH_P_ALL"},
        {X86, "socket", {1, 1, 0}, 2, NOTHING},
        {X86, "setsockopt", {3, 1, 2}, 1, "SOL_SOCKET"},
        {X86, "setsockopt", {3, 1, 2}, 2, "SO_REUSEADDR"},
        {X86, "setsockopt", {3, 6, 1}, 1, "IPPROTO_TCP"},
        {X86, "setsockopt", {3, 6, 1}, 2, "TCP_NODELAY"},
        {X86, "setsockopt", {3, 41, 26}, 2, "IPV6_V6ONLY"},
        {X86, "sendto", {3, 0, 0, 0x4000}, 3, "MSG_NOSIGNAL"},
        {X86, "mount", {0, 0, 0, 0xc0ed0001}, 3, "MS_RDONLY"},
        {X86, "mount", {0, 0, 0, 0x1006}, 3, "MS_NOSUID|MS_NODEV|MS_BIND"},
        {X86, "umount2", {0, 2}, 1, "MNT_DETACH"},
        {X86, "chmod", {0, 04755}, 1, "suid,0755"},
        {X86, "mknod", {0, 020666}, 1, "character,666"},
        {X86, "chown", {0, 1001, 27}, 1, "alice"},
        {X86, "chown", {0, 1001, 27}, 2, "sudo"},
        {X86, "chown", {0, 0xffffffff, 27}, 1, "unset"},
        {X86, "fchownat", {0xffffff9c, 0x7ffd00001001, 1001, 27}, 1, NOTHING}, /* a pointer */
        {X86, "setresuid", {1001, 0xffffffff, 0}, 0, "alice"},
        {X86, "lseek", {3, 0, 2}, 2, "SEEK_END"},
        {X86, "unlinkat", {0xffffff9c, 0, 0x200}, 2, "AT_REMOVEDIR"},
        {X86, "epoll_ctl", {3, 1}, 1, "EPOLL_CTL_ADD"},
        {X86, "bpf", {5}, 0, "BPF_PROG_LOAD"},
        {X86, "ioctl", {0, 0x5413}, 1, "TIOCGWINSZ"},
        {X86, "ioctl", {0, 0x5412}, 1, "TIOCSTI"},
        {X86, "prlimit64", {0, 7}, 1, "RLIMIT_NOFILE"},
        {X86, "sched_setscheduler", {0, 0x40000001}, 1, "SCHED_FIFO|SCHED_RESET_ON_FORK"},
        {X86, "seccomp", {1, 1}, 0, "SECCOMP_SET_MODE_FILTER"},
        {X86, "personality", {0x0040000}, 0, "PER_LINUX|ADDR_NO_RANDOMIZE"},
        {X86, "reboot", {0xfee1dead, 672274793, 0x4321fedc}, 2, "LINUX_REBOOT_CMD_POWER_OFF"},
        {X86, "quotactl", {0x80000200}, 0, "Q_QUOTAON"},
        {X86, "futex", {0, 0x81}, 1, "FUTEX_WAKE|FUTEX_PRIVATE_FLAG"},
        {X86, "memfd_create", {0, 3}, 1, "MFD_CLOEXEC|MFD_ALLOW_SEALING"},
        {X86, "shmget", {0, 4096, 0x3b6}, 2, "IPC_CREAT|0666"},
        {X86, "statx", {0xffffff9c, 0, 0x100, 0xfff}, 3, "STATX_ALL"},
        {X86, "getrusage", {0xffffffff}, 0, "RUSAGE_CHILDREN"},
        {X86, "timerfd_create", {1, 0x80800}, 1, "TFD_NONBLOCK|TFD_CLOEXEC"},
        {X86, "wait4", {0, 0, 1}, 2, "WNOHANG"},
        {XT_ARCH_I386, "socketcall", {3}, 0, "SYS_CONNECT"},
        {XT_ARCH_I386, "ipc", {23}, 0, "SHMGET"},
        {X86, "exit_group", {1}, 0, "EXIT_FAILURE"},
        {X86, "setsockopt", {3, 0, 64}, 2, "IPT_SO_SET_REPLACE"},
        {X86, "getsockopt", {3, 0, 64}, 2, "IPT_SO_GET_INFO"},
        {X86, "pipe2", {0, 0x80800}, 1, "O_NONBLOCK|O_CLOEXEC"},
        {X86, "prctl", {34}, 0, "PR_MCE_KILL_GET"},
        {X86, "", {1}, 0, NOTHING},
        {X86, "zzz", {1}, 0, NOTHING},
        {X86, "read", {1}, 0, NOTHING},
        {X86, "open", {0, 1}, 4, NOTHING},
    };
    for (size_t i = 0; i < XT_COUNT_OF(calls); i++) {
        const call *c = &calls[i];
        xt_interpret_context context = {.arch = c->arch, .syscall = xt_slice_str(c->name), .names = &names};
        memcpy(context.args, c->args, sizeof context.args);
        xt_buf out = XT_BUF_INIT;
        bool says = xt_interpret_argument(&context, c->index, c->index < 4 ? c->args[c->index] : 0, &out);
        if (says != (c->want != NULL) || !xt_slice_eq(xt_buf_slice(&out), xt_slice_str(c->want)))
            fail_msg("%s a%u is [%.*s], not %s", c->name, c->index, XT_S_ARGS(xt_buf_slice(&out)),
                     c->want ? c->want : "nothing");
        xt_buf_fini(&out);
    }
}

/* Case 54: what socketcall was asked for says what its arguments are. */
static void case_54_socketcall(void **state)
{
    xt_interpret_context context = {.record_type = xt_record_type_by_name(XT_S("SOCKETCALL")),
                                    .arch = XT_ARCH_I386,
                                    .syscall = XT_S("socketcall"),
                                    .args = {2, 1, 6},
                                    .called = 1};
    expect_in(&context, "a0", XT_S("2"), "AF_INET");
    expect_in(&context, "a1", XT_S("1"), "SOCK_STREAM");
    expect_in(&context, "a2", XT_S("6"), "IPPROTO_TCP");
    context.called = 99;
    expect_in(&context, "a0", XT_S("2"), NOTHING);
}

/* What returns an address. */
static void test_address_exit(void **state)
{
    xt_interpret_context context = {.record_type = xt_record_type_by_name(XT_S("SYSCALL")), .syscall = XT_S("mmap")};
    expect_in(&context, "exit", XT_S("140737354121216"), "0x7ffff7ffc000");
    expect_in(&context, "exit", XT_S("-12"), "ENOMEM(Cannot allocate memory)");
    context.arch = 0x8; /* of mips 35 and above are others */
    expect_in(&context, "exit", XT_S("-12"), "ENOMEM(Cannot allocate memory)");
    expect_in(&context, "exit", XT_S("-110"), NOTHING);
}

typedef struct address {
    uint32_t arch;
    const char *hex, *want;
} address;

static void case_50_socket_addresses(void **state)
{
    static const address addresses[] = {
        {X86, "02000035C00002010000000000000000", "inet 192.0.2.1:53"},
        {X86, "0200", "inet (2 of 8 bytes)"},
        {X86, "02000035C0", "inet 192.0.0.0:53 (5 of 8 bytes)"},
        {X86, "0A0000350000000020010DB800000000000000000000000100000000", "inet6 [2001:db8::1]:53"},
        {X86, "0A00003500000000FE80000000000000000000000000000102000000", "inet6 [fe80::1%2]:53"},
        {0x80000016, "000A003500000000FE80000000000000000000000000000100000002", "inet6 [fe80::1%2]:53"},
        {0x80000016, "00020035C0000201", "inet 192.0.2.1:53"},
        {0, "00020035C0000201", "inet 192.0.2.1:53"},
        {X86, "00020035C0000201", "inet 192.0.2.1:53"}, /* a log carried over from another machine */
        {X86, "0100", "unix (unnamed)"},
        {X86, "01002F72756E2F7800", "unix /run/x"},
        {X86, "01002F72756E2F78", "unix /run/x"},
        {X86, "0100006100", "unix @a\\x00"},
        {X86, "010000", "unix @"},
        {X86, "01002F1B5B41", "unix /\\x1b[A"},
        {X86, "100000000100000002000000", "netlink pid=1 groups=0x2"},
        {X86, "1100080002000000010000060102030405060000", "packet ETH_P_IP if=2 hw=01:02:03:04:05:06"},
        {X86, "280000000004000002000000", "vsock cid=2 port=1024"},
        {X86, "28000000FFFFFFFFFFFFFFFF", "vsock cid=any port=any"},
        {X86, "260068617368000000000000000000000000000000000000736861323536", "alg hash sha256"},
        {X86, "1D00000003000000", "can if=3"},
        {X86, "1F0000000100", "bluetooth hci dev=0 channel=1"},
        {X86, "1F0006050403020101", "bluetooth rfcomm 01:02:03:04:05:06 channel=1"},
        {X86, "1F0001000605040302010000", "bluetooth l2cap 01:02:03:04:05:06 psm=1"},
        {X86, "0300A884A640404062", "ax25 TBS-1"},
        {X86, "09003132333400", "x25 1234"},
        {X86, "04000451000000010203040506070000", "ipx 00000001:02:03:04:05:06:07 port=0x0451"},
        {X86, "05000400001705", "appletalk 23.5:4"},
        {X86, "2C000000020000000300000000000000", "xdp if=2 queue=3 flags=0x0"},
        {X86, "1E000200010000000200000000000000", "tipc service=1 instance=2 node=0x0"},
        {X86, "2A0000000100000002000000", "qipcrtr node=1 port=2"},
        {X86, "1800000000000001020304050607", "pppox proto=0 session=1 02:03:04:05:06:07 dev="},
        {X86, "0000", "unspec"},
        {X86, "0000000000000000", "unspec"},
        {X86, "0F0001020304", "key"},
        {X86, "FFFF00", "family 65535"},
    };
    char bytes[128];
    for (size_t i = 0; i < XT_COUNT_OF(addresses); i++) {
        xt_slice hex = xt_slice_str(addresses[i].hex);
        xt_buf out = XT_BUF_INIT;
        assert_true(xt_value_unhex(hex, bytes));
        assert_true(xt_sockaddr_put(xt_slice_of(bytes, hex.n / 2), addresses[i].arch, &out));
        if (!xt_slice_eq(xt_buf_slice(&out), xt_slice_str(addresses[i].want)))
            fail_msg("%s is [%.*s], not [%s]", addresses[i].hex, XT_S_ARGS(xt_buf_slice(&out)), addresses[i].want);
        xt_buf_fini(&out);
    }
    xt_buf out = XT_BUF_INIT;
    assert_false(xt_sockaddr_put(XT_S("\2"), X86, &out));
    assert_false(xt_sockaddr_put(XT_S_NULL, X86, &out));
    assert_int_equal(out.n, 0);
    xt_buf_fini(&out);
    expect("SOCKADDR", "saddr", "020", NOTHING);
    expect("SOCKADDR", "saddr", "zz", NOTHING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_files),
        cmocka_unit_test(case_48_bases),
        cmocka_unit_test(case_49_same_name_other_record),
        cmocka_unit_test(case_50_socket_addresses),
        cmocka_unit_test(case_54_socketcall),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_address_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * audit/value_sets - numbers of arguments and fields by name: flags, commands, families, ...
 *
 * Source:    the kernel's and libc's headers; the names are theirs (O_CREAT, PTRACE_ATTACH, CAP_SYS_ADMIN), and so
 *            are the values: those that asm-generic gives to most architectures. OPEN_ARM is that of arm and aarch64,
 *            OPEN_PPC that of ppc and ppc64. tools/gen_audit_values.py writes the tables.
 * Threads:   constant tables.
 */
#pragma once
#include "base/buf.h"

/* clang-format off */
#define XT_VALUE_SETS(X) \
    X(OPEN, open) X(PROT, prot) X(MAP, map) X(MREMAP, mremap) X(MADVISE, madvise) X(MSYNC, msync) \
    X(MLOCKALL, mlockall) X(MLOCK2, mlock2) X(CLONE, clone) X(UNSHARE, unshare) X(SCHED, sched) X(SIGNAL, signal) \
    X(SIGMASK, sigmask) X(FAMILY, family) X(SOCK_TYPE, sock_type) X(SOCK_FLAG, sock_flag) X(IP_PROTO, ip_proto) \
    X(NETLINK_PROTO, netlink_proto) X(CAN_PROTO, can_proto) X(ETHER, ether) X(SOL, sol) X(SO, so) \
    X(IP_OPT, ip_opt) X(IPT_SET, ipt_set) X(IPT_GET, ipt_get) X(IP6T_SET, ip6t_set) X(IP6T_GET, ip6t_get) \
    X(IPV6_OPT, ipv6_opt) X(TCP_OPT, tcp_opt) X(UDP_OPT, udp_opt) X(PACKET_OPT, packet_opt) \
    X(NETLINK_OPT, netlink_opt) X(MSG, msg) X(SHUTDOWN, shutdown) X(PTRACE, ptrace) X(PRCTL, prctl) \
    X(AMBIENT, ambient) X(ARCH_PRCTL, arch_prctl) X(FCNTL, fcntl) X(SEAL, seal) X(LEASE, lease) \
    X(DNOTIFY, dnotify) X(AT, at) X(UNLINK, unlink) X(ACCESS_FLAG, access_flag) X(ACCESS, access) X(SEEK, seek) \
    X(FLOCK, flock) X(RENAME, rename) X(RESOLVE, resolve) X(FALLOCATE, fallocate) X(FADVISE, fadvise) \
    X(STATX_MASK, statx_mask) X(MOUNT, mount) X(UMOUNT, umount) X(MOUNT_ATTR, mount_attr) X(FSOPEN, fsopen) \
    X(FSMOUNT, fsmount) X(FSPICK, fspick) X(FSCONFIG, fsconfig) X(OPEN_TREE, open_tree) X(EPOLL, epoll) \
    X(RLIMIT, rlimit) X(PRIORITY, priority) X(RUSAGE, rusage) X(ITIMER, itimer) X(CLOCK, clock) \
    X(TIMERFD, timerfd) X(WAIT, wait) X(WAITID, waitid) X(FUTEX, futex) X(FUTEX_FLAG, futex_flag) \
    X(KEYCTL, keyctl) X(REBOOT, reboot) X(QUOTA, quota) X(MEMBARRIER, membarrier) X(INOTIFY, inotify) \
    X(INOTIFY_INIT, inotify_init) X(FANOTIFY_INIT, fanotify_init) X(FANOTIFY_MARK, fanotify_mark) \
    X(FANOTIFY, fanotify) X(MEMFD, memfd) X(GETRANDOM, getrandom) X(MODULE_INIT, module_init) \
    X(SOCKETCALL, socketcall) X(IPC_CALL, ipc_call) X(IPC_FLAG, ipc_flag) X(IPC_COMMAND, ipc_command) \
    X(SHM_GET, shm_get) X(SHM_AT, shm_at) X(BPF, bpf) X(SECCOMP_OP, seccomp_op) X(SECCOMP_FLAG, seccomp_flag) \
    X(SECCOMP_MODE, seccomp_mode) X(SECCOMP_RETURN, seccomp_return) X(PERSONALITY, personality) \
    X(PERSONALITY_FLAG, personality_flag) X(CAPABILITY, capability) X(SECUREBITS, securebits) \
    X(URING_OP, uring_op) X(URING_REGISTER, uring_register) X(LANDLOCK_RULE, landlock_rule) \
    X(NF_FAMILY, nf_family) X(NF_HOOK, nf_hook) X(ICMP, icmp) X(AUDIT_FILTER, audit_filter) \
    X(AUDIT_GROUP, audit_group) X(IOCTL, ioctl) X(OPEN_ARM, open_arm) X(OPEN_PPC, open_ppc)
/* clang-format on */

typedef enum xt_value_set {
    XT_VALUES_NONE,
#define XT_X(symbol, table) XT_VALUES_##symbol,
    XT_VALUE_SETS(XT_X)
#undef XT_X
} xt_value_set;

/* NULL when no name has this value. */
const char *xt_value_set_name(xt_value_set set, uint64_t value);
/*
 * Appends the names of all flags, | between them, and what no name covers as 0x...; for 0 the name that has 0, if any.
 * False: nothing has a name, nothing was appended.
 */
bool xt_value_set_put_flags(xt_value_set set, uint64_t value, xt_buf *out);

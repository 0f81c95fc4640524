#!/usr/bin/env python3
"""Writes src/audit/value_sets_data.h: the numbers that arguments of system calls and fields of records hold, by name.

    tools/gen_audit_values.py > src/audit/value_sets_data.h

Reads the kernel's and libc's headers through the compiler: of each set all macros and enumerators whose names match,
with the values that a small program prints. The open flags of arm and ppc come from the headers of packages
linux-libc-dev-{armhf,ppc64el}-cross. The output is committed: a build needs none of these headers.
"""
import re
import subprocess
import tempfile

# set: headers, names wanted, names left out; the first of two names of one value stays
SETS = {
    'open': ('linux/fcntl.h', r'O_\w+', r'O_ACCMODE|O_NDELAY|O_RDONLY|O_WRONLY|O_RDWR'),
    'prot': ('linux/mman.h', r'PROT_\w+', r''),
    'map': ('linux/mman.h', r'MAP_(SHARED|PRIVATE|SHARED_VALIDATE|FIXED|ANONYMOUS|32BIT|GROWSDOWN|DENYWRITE|EXECUTABLE|LOCKED'
            r'|NORESERVE|POPULATE|NONBLOCK|STACK|HUGETLB|SYNC|FIXED_NOREPLACE)', r''),
    'mremap': ('linux/mman.h', r'MREMAP_\w+', r''),
    'madvise': ('linux/mman.h', r'MADV_\w+', r''),
    'msync': ('linux/mman.h', r'MS_(ASYNC|SYNC|INVALIDATE)', r''),
    'mlockall': ('linux/mman.h', r'MCL_\w+', r''),
    'mlock2': ('linux/mman.h', r'MLOCK_ONFAULT', r''),
    'clone': ('linux/sched.h', r'CLONE_\w+', r'CLONE_ARGS_\w+|CLONE_NEWTIME'),
    'unshare': ('linux/sched.h', r'CLONE_\w+', r'CLONE_ARGS_\w+|CLONE_CLEAR_SIGHAND|CLONE_INTO_CGROUP'),
    'sched': ('linux/sched.h', r'SCHED_\w+', r'SCHED_FLAG_\w+|SCHED_RESET_\w+|SCHED_GETATTR\w+'),
    'signal': ('asm-generic/signal.h', r'SIG[A-Z]+\d?', r'SIGRTM\w+|SIGSTKSZ|SIGPOLL|SIGUNUSED|SIGIOT|SIGLOST'),
    'sigmask': ('asm-generic/signal-defs.h', r'SIG_(BLOCK|UNBLOCK|SETMASK)', r''),
    'family': ('sys/socket.h', r'AF_\w+', r'AF_(LOCAL|FILE|ROUTE|MAX)'),
    'sock_type': ('sys/socket.h', r'SOCK_(STREAM|DGRAM|RAW|RDM|SEQPACKET|DCCP|PACKET)', r''),
    'sock_flag': ('sys/socket.h', r'SOCK_(NONBLOCK|CLOEXEC)', r''),
    'ip_proto': ('linux/in.h linux/in6.h linux/icmpv6.h', r'IPPROTO_\w+', r'IPPROTO_MAX|IPPROTO_HOPOPTS'),
    'netlink_proto': ('linux/netlink.h', r'NETLINK_(ROUTE|UNUSED|USERSOCK|FIREWALL|SOCK_DIAG|NFLOG|XFRM|SELINUX|ISCSI|AUDIT'
                      r'|FIB_LOOKUP|CONNECTOR|NETFILTER|IP6_FW|DNRTMSG|KOBJECT_UEVENT|GENERIC|SCSITRANSPORT|ECRYPTFS|RDMA'
                      r'|CRYPTO|SMC)', r''),
    'can_proto': ('linux/can.h', r'CAN_(RAW|BCM|TP16|TP20|MCNET|ISOTP|J1939)', r''),
    'ether': ('linux/if_ether.h', r'ETH_P_\w+', r'ETH_P_802_3_MIN|ETH_P_EDP2'),
    'sol': ('sys/socket.h linux/netlink.h linux/tipc.h', r'SOL_\w+', r''),
    'so': ('asm-generic/socket.h', r'SO_\w+', r'SO_\w+_OLD|SO_(GET_FILTER|PEERNAMESPACE)'),
    'ip_opt': ('linux/in.h', r'IP_[A-Z]\w+|MCAST_\w+',
               r'IP_PMTUDISC_\w+|IP_DEFAULT_\w+|IP_MAX_\w+|IP_RECVRETOPTS|IP_CE|IP_DF|IP_MF|IP_OFFSET|IP_MSFILTER_SIZE'
               r'|IP_LOCAL_PORT_RANGE_\w+|MCAST_(EXCLUDE|INCLUDE)'),
    'ipt_set': ('linux/netfilter_ipv4/ip_tables.h', r'IPT_SO_SET_\w+', r'IPT_SO_SET_MAX'),
    'ipt_get': ('linux/netfilter_ipv4/ip_tables.h', r'IPT_SO_GET_\w+', r'IPT_SO_GET_MAX'),
    'ip6t_set': ('linux/netfilter_ipv6/ip6_tables.h', r'IP6T_SO_SET_\w+', r'IP6T_SO_SET_MAX'),
    'ip6t_get': ('linux/netfilter_ipv6/ip6_tables.h', r'IP6T_SO_GET_\w+', r'IP6T_SO_GET_MAX'),
    'ipv6_opt': ('linux/in6.h linux/in.h', r'IPV6_\w+|MCAST_\w+',
                 r'IPV6_(FL|PRIORITY|PMTUDISC|TLV|PREFER|SRCRT)_\w+|IPV6_FLOWINFO_(FLOWLABEL|PRIORITY)|MCAST_(EXCLUDE|INCLUDE)'),
    'tcp_opt': ('linux/tcp.h', r'TCP_[A-Z0-9_]+', r'TCP_(FLAG|CA|NLA|RECEIVE|DATA|RESERVED|MSS)_\w+'
                r'|TCP_(NO_QUEUE|RECV_QUEUE|SEND_QUEUE|QUEUES_NR)|TCP_REPAIR_O(N|FF)\w*|TCP_MD5SIG_(FLAG|MAXKEYLEN)\w*'),
    'udp_opt': ('linux/udp.h', r'UDP_[A-Z0-9_]+', r'UDP_ENCAP_[ELGR]\w+'),
    'packet_opt': ('linux/if_packet.h', r'PACKET_\w+', r'PACKET_(HOST|BROADCAST|MULTICAST|OTHERHOST|OUTGOING|LOOPBACK|USER'
                   r'|KERNEL|FASTROUTE|MR_\w+|FANOUT_(HASH|LB|CPU|ROLLOVER|RND|QM|CBPF|EBPF|FLAG_\w+))|PACKET_MR\w+'),
    'netlink_opt': ('linux/netlink.h', r'NETLINK_(ADD_MEMBERSHIP|DROP_MEMBERSHIP|PKTINFO|BROADCAST_ERROR|NO_ENOBUFS|RX_RING'
                    r'|TX_RING|LISTEN_ALL_NSID|LIST_MEMBERSHIPS|CAP_ACK|EXT_ACK|GET_STRICT_CHK)', r''),
    'msg': ('sys/socket.h', r'MSG_\w+', r'MSG_TRYHARD'),
    'shutdown': ('sys/socket.h', r'SHUT_\w+', r''),
    'ptrace': ('linux/ptrace.h asm/ptrace.h', r'PTRACE_\w+', r'PTRACE_(EVENT|O|SYSCALL_INFO|RSEQ|PEEKSIGINFO_)_?\w*'
               r'|PTRACE_SYSEMU_\w+|PTRACE_OLD\w+'),
    'prctl': ('linux/prctl.h', r'PR_\w+',
              r'PR_(UNALIGN|FPEMU|FP_EXC|TIMING|TSC|MCE_KILL|FP_MODE|SPEC|TAGGED|MTE|ENDIAN|MDWE|SYS_DISPATCH)_\w+'
              r'|PR_MCE_KILL_(CLEAR|SET|LATE|EARLY|DEFAULT)|PR_SET_MM_\w+|PR_CAP_AMBIENT_\w+|PR_SVE_VL\w+|PR_SVE_SET_VL_\w+'
              r'|PR_SME_VL\w+|PR_SME_SET_VL_\w+|PR_PAC_AP\w+|PR_SCHED_CORE_\w+|PR_SET_VMA_\w+|PR_SET_PTRACER_ANY|PR_MPX\w+'),
    'ambient': ('linux/prctl.h', r'PR_CAP_AMBIENT_\w+', r''),
    'arch_prctl': ('asm/prctl.h', r'ARCH_\w+', r'ARCH_SHSTK_\w+'),
    'fcntl': ('linux/fcntl.h', r'F_\w+', r'F_(RDLCK|WRLCK|UNLCK|EXLCK|SHLCK|OWNER_\w+|SEAL_\w+|LINUX_SPECIFIC_BASE)'),
    'seal': ('linux/fcntl.h', r'F_SEAL_\w+', r''),
    'lease': ('linux/fcntl.h', r'F_(RDLCK|WRLCK|UNLCK)', r''),
    'dnotify': ('linux/fcntl.h', r'DN_\w+', r''),
    'at': ('linux/fcntl.h', r'AT_(SYMLINK_\w+|NO_AUTOMOUNT|EMPTY_PATH|RECURSIVE|STATX_FORCE_SYNC|STATX_DONT_SYNC)', r''),
    'unlink': ('linux/fcntl.h', r'AT_REMOVEDIR', r''),
    'access_flag': ('linux/fcntl.h', r'AT_(EACCESS|SYMLINK_NOFOLLOW|EMPTY_PATH)', r''),
    'access': ('unistd.h', r'[RWXF]_OK', r''),
    'seek': ('linux/fs.h', r'SEEK_\w+', r'SEEK_MAX'),
    'flock': ('linux/fcntl.h', r'LOCK_(SH|EX|NB|UN|MAND|READ|WRITE|RW)', r''),
    'rename': ('linux/fs.h', r'RENAME_\w+', r''),
    'resolve': ('linux/openat2.h', r'RESOLVE_\w+', r''),
    'fallocate': ('linux/falloc.h', r'FALLOC_FL_\w+', r''),
    'fadvise': ('linux/fadvise.h', r'POSIX_FADV_\w+', r''),
    'statx_mask': ('linux/stat.h', r'STATX_[A-Z_]+', r'STATX_ATTR_\w+|STATX__RESERVED'),
    'mount': ('linux/mount.h', r'MS_\w+', r'MS_(RMT_MASK|MGC_\w+|VERBOSE)'),
    'umount': ('sys/mount.h', r'MNT_\w+|UMOUNT_NOFOLLOW', r''),
    'mount_attr': ('linux/mount.h', r'MOUNT_ATTR_\w+', r'MOUNT_ATTR_(_ATIME|SIZE\w*|RELATIME)'),
    'fsopen': ('linux/mount.h', r'FSOPEN_\w+', r''),
    'fsmount': ('linux/mount.h', r'FSMOUNT_\w+', r''),
    'fspick': ('linux/mount.h', r'FSPICK_\w+', r''),
    'fsconfig': ('linux/mount.h', r'FSCONFIG_\w+', r''),
    'open_tree': ('linux/mount.h linux/fcntl.h', r'OPEN_TREE_\w+|AT_(RECURSIVE|SYMLINK_NOFOLLOW|NO_AUTOMOUNT|EMPTY_PATH)', r''),
    'epoll': ('linux/eventpoll.h', r'EPOLL_CTL_\w+', r''),
    'rlimit': ('sys/resource.h', r'RLIMIT_\w+', r'RLIMIT_(OFILE|NLIMITS)'),
    'priority': ('linux/resource.h', r'PRIO_(PROCESS|PGRP|USER)', r''),
    'rusage': ('linux/resource.h', r'RUSAGE_(SELF|THREAD)', r''),
    'itimer': ('linux/time.h', r'ITIMER_\w+', r''),
    'clock': ('linux/time.h', r'CLOCK_\w+', r''),
    'timerfd': ('sys/timerfd.h', r'TFD_(NONBLOCK|CLOEXEC)', r''),
    'wait': ('linux/wait.h', r'W(NOHANG|UNTRACED|EXITED|CONTINUED|NOWAIT)|__W(NOTHREAD|ALL|CLONE)', r''),
    'waitid': ('linux/wait.h', r'P_\w+', r''),
    'futex': ('linux/futex.h', r'FUTEX_\w+', r'FUTEX_(WAITERS|OWNER_DIED|TID_MASK|BITSET_\w+|OP_\w+|CMD_MASK|\w+_PRIVATE|32'
              r'|WAITV_MAX|PRIVATE_FLAG|CLOCK_REALTIME)'),
    'futex_flag': ('linux/futex.h', r'FUTEX_(PRIVATE_FLAG|CLOCK_REALTIME)', r''),
    'keyctl': ('linux/keyctl.h', r'KEYCTL_\w+', r'KEYCTL_(MOVE_EXCL|SUPPORTS_\w+|CAPS\d?_\w+)'),
    'reboot': ('linux/reboot.h', r'LINUX_REBOOT_CMD_\w+', r''),
    'quota': ('linux/quota.h linux/dqblk_xfs.h', r'Q_\w+', r''),
    'membarrier': ('linux/membarrier.h', r'MEMBARRIER_CMD_[A-Z_]+', r'MEMBARRIER_CMD_(SHARED|FLAG_\w+)'),
    'inotify': ('linux/inotify.h', r'IN_\w+', r'IN_(ALL_EVENTS|MOVE|CLOSE|CLOEXEC|NONBLOCK)'),
    'inotify_init': ('linux/inotify.h', r'IN_(CLOEXEC|NONBLOCK)', r''),
    'fanotify_init': ('linux/fanotify.h', r'FAN_(CLOEXEC|NONBLOCK|CLASS_\w+|UNLIMITED_\w+|ENABLE_AUDIT|REPORT_\w+)',
                      r'FAN_REPORT_(DFID_NAME\w*)'),
    'fanotify_mark': ('linux/fanotify.h', r'FAN_MARK_\w+', r'FAN_MARK_IGNORE_SURV'),
    'fanotify': ('linux/fanotify.h', r'FAN_(ALLOW|DENY)', r''),
    'memfd': ('linux/memfd.h', r'MFD_\w+', r'MFD_HUGE_\w+'),
    'getrandom': ('linux/random.h', r'GRND_\w+', r''),
    'module_init': ('linux/module.h', r'MODULE_INIT_\w+', r''),
    'socketcall': ('linux/net.h', r'SYS_\w+', r''),
    'ipc_call': ('linux/ipc.h', r'SEMOP|SEMGET|SEMCTL|SEMTIMEDOP|MSGSND|MSGRCV|MSGGET|MSGCTL|SHMAT|SHMDT|SHMGET|SHMCTL', r''),
    'ipc_flag': ('linux/ipc.h', r'IPC_(CREAT|EXCL|NOWAIT)', r''),
    'ipc_command': ('linux/ipc.h linux/shm.h linux/sem.h linux/msg.h',
                    r'IPC_(RMID|SET|STAT|INFO)|(SHM|SEM|MSG)_(STAT|INFO|STAT_ANY|LOCK|UNLOCK)'
                    r'|GETPID|GETVAL|GETALL|GETNCNT|GETZCNT|SETVAL|SETALL', r''),
    'shm_get': ('linux/shm.h linux/ipc.h', r'SHM_(HUGETLB|NORESERVE)|IPC_(CREAT|EXCL)', r''),
    'shm_at': ('linux/shm.h', r'SHM_(RDONLY|RND|REMAP|EXEC)', r''),
    'bpf': ('linux/bpf.h', r'BPF_(MAP_(CREATE|LOOKUP_ELEM|UPDATE_ELEM|DELETE_ELEM|GET_NEXT_KEY|GET_NEXT_ID|GET_FD_BY_ID'
            r'|LOOKUP_AND_DELETE_ELEM|FREEZE|LOOKUP_BATCH|LOOKUP_AND_DELETE_BATCH|UPDATE_BATCH|DELETE_BATCH)'
            r'|PROG_(LOAD|ATTACH|DETACH|TEST_RUN|GET_NEXT_ID|GET_FD_BY_ID|QUERY|BIND_MAP)|OBJ_(PIN|GET|GET_INFO_BY_FD)'
            r'|RAW_TRACEPOINT_OPEN|BTF_(LOAD|GET_FD_BY_ID|GET_NEXT_ID)|TASK_FD_QUERY|LINK_(CREATE|UPDATE|GET_FD_BY_ID'
            r'|GET_NEXT_ID|DETACH)|ENABLE_STATS|ITER_CREATE)', r''),
    'seccomp_op': ('linux/seccomp.h', r'SECCOMP_(SET_MODE_\w+|GET_\w+)', r''),
    'seccomp_flag': ('linux/seccomp.h', r'SECCOMP_FILTER_FLAG_\w+', r''),
    'seccomp_mode': ('linux/seccomp.h', r'SECCOMP_MODE_\w+', r''),
    'seccomp_return': ('linux/seccomp.h', r'SECCOMP_RET_\w+', r'SECCOMP_RET_(KILL|ACTION_FULL|ACTION|DATA)'),
    'personality': ('linux/personality.h', r'PER_\w+', r'PER_MASK'),
    'personality_flag': ('linux/personality.h', r'UNAME26|ADDR_\w+|FDPIC_FUNCPTRS|MMAP_PAGE_ZERO|READ_IMPLIES_EXEC|SHORT_INODE'
                         r'|WHOLE_SECONDS|STICKY_TIMEOUTS', r''),
    'capability': ('linux/capability.h', r'CAP_\w+', r'CAP_LAST_CAP'),
    'securebits': ('linux/securebits.h', r'SECBIT_\w+', r''),
    'uring_op': ('linux/io_uring.h', r'IORING_OP_\w+', r'IORING_OP_LAST'),
    'uring_register': ('linux/io_uring.h', r'IORING_(UN)?REGISTER_\w+', r'IORING_REGISTER_(LAST|USE_\w+|FILES_SKIP)'),
    'landlock_rule': ('linux/landlock.h', r'LANDLOCK_RULE_\w+', r''),
    'nf_family': ('linux/netfilter.h', r'NFPROTO_\w+', r'NFPROTO_NUMPROTO'),
    'nf_hook': ('linux/netfilter.h', r'NF_INET_\w+', r'NF_INET_NUMHOOKS|NF_INET_INGRESS'),
    'icmp': ('linux/icmp.h', r'ICMP_(ECHOREPLY|DEST_UNREACH|SOURCE_QUENCH|REDIRECT|ECHO|TIME_EXCEEDED|PARAMETERPROB|TIMESTAMP'
             r'|TIMESTAMPREPLY|INFO_REQUEST|INFO_REPLY|ADDRESS|ADDRESSREPLY)', r''),
    'audit_filter': ('linux/audit.h', r'AUDIT_FILTER_\w+', r'AUDIT_FILTER_(PREPEND|TYPE)'),
    'audit_group': ('linux/audit.h', r'AUDIT_NLGRP_\w+', r'AUDIT_NLGRP_MAX'),
    'ioctl': ('asm-generic/ioctls.h linux/sockios.h linux/fs.h linux/kd.h linux/vt.h linux/loop.h linux/if_tun.h linux/random.h'
              ' linux/perf_event.h linux/userfaultfd.h linux/seccomp.h linux/cdrom.h linux/nsfs.h linux/dm-ioctl.h'
              ' linux/watchdog.h linux/fiemap.h linux/fsverity.h linux/fscrypt.h',
              r'TC[GSFX]\w+|TIOC[A-Z]\w+|FIO\w+|SIOC\w+|KD[GSM]\w+|KIOCSOUND|VT_\w+|BLK\w+|FS_IOC\w*|FI(BMAP|GETBSZ|FREEZE|THAW'
              r'|TRIM|CLONE|CLONERANGE|DEDUPERANGE)|LOOP_\w+|TUN(SET|GET|ATTACH|DETACH)\w+|RND\w+|PERF_EVENT_IOC_\w+|UFFDIO_\w+'
              r'|SECCOMP_IOCTL_\w+|CDROM\w+|NS_GET_\w+|DM_\w+|WDIOC_\w+|GIO_\w+|PIO_\w+',
              r'TIOCINQ|SIOCINQ|SIOCOUTQ|TIOCPKT_\w+|TIOCM_\w+|TIOCSER_\w+|SIOC(PROTO|DEV)PRIVATE|VT_(AUTO|PROCESS|ACKACQ|EVENT_\w+|MAX_EVENT)|UFFDIO_\w+_MODE_\w+|TUN_\w+|BLKTRACE\w+_\w+|DM_(DIR|VERSION_EXTRA|CONTROL_NODE)'),
}
# what the headers here do not have yet
NEWER = {
    'open': {0x2000: 'O_ASYNC'},  # the kernel's FASYNC
    'ip_proto': {143: 'IPPROTO_ETHERNET', 144: 'IPPROTO_AGGFRAG', 256: 'IPPROTO_SMC'},
    'uring_op': {47: 'IORING_OP_SEND_ZC', 48: 'IORING_OP_SENDMSG_ZC', 49: 'IORING_OP_READ_MULTISHOT', 50: 'IORING_OP_WAITID',
                 51: 'IORING_OP_FUTEX_WAIT', 52: 'IORING_OP_FUTEX_WAKE', 53: 'IORING_OP_FUTEX_WAITV',
                 54: 'IORING_OP_FIXED_FD_INSTALL', 55: 'IORING_OP_FTRUNCATE', 56: 'IORING_OP_BIND', 57: 'IORING_OP_LISTEN'},
    'bpf': {36: 'BPF_TOKEN_CREATE', 37: 'BPF_PROG_STREAM_READ_BY_FD'},
    'fcntl': {12: 'F_GETLK64', 13: 'F_SETLK64', 14: 'F_SETLKW64'},  # 32 bit
    'tcp_opt': {15: 'TCP_COOKIE_TRANSACTIONS'},  # until 3.10
    'ipv6_opt': {63: 'IPV6_USE_MIN_MTU'},  # of RFC 3542; the kernel has no use for it
    'prctl': {33: 'PR_MCE_KILL', 34: 'PR_MCE_KILL_GET'},
    'seal': {0x20: 'F_SEAL_EXEC'},
    'memfd': {8: 'MFD_NOEXEC_SEAL', 16: 'MFD_EXEC'},
    'nf_hook': {5: 'NF_INET_INGRESS'},
}


def run(arguments, text):
    return subprocess.run(arguments, input=text, capture_output=True, text=True, check=True).stdout


def names_of(includes, wanted, left_out, flags=()):
    """Names of object-like macros with a value, and of enumerators, of these headers and what they include."""
    source = ''.join(f'#include <{name}>\n' for name in includes.split())
    names = re.findall(r'^#define (\w+) \S', run(['cc', '-E', '-dM', '-x', 'c', *flags, '-'], source), re.M)
    for body in re.findall(r'\benum\b[^{;]*\{([^}]*)\}', run(['cc', '-E', '-P', '-x', 'c', *flags, '-'], source)):
        names += re.findall(r'(?:^|,)\s*(\w+)', body)
    keep = re.compile(wanted)
    drop = re.compile(left_out or r'(?!)')
    return source, [n for n in dict.fromkeys(names) if keep.fullmatch(n) and not drop.fullmatch(n)]


def values_of(source, names):
    """What the compiler says each name is; names that are no number are left out one by one."""
    names = list(names)
    while True:
        program = source + '#include <stdio.h>\nint main(void) {\n' + ''.join(
            f'printf("%lld {n}\\n", (long long)({n}));\n' for n in names) + 'return 0; }\n'
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(['cc', '-w', '-x', 'c', '-', '-o', folder + '/p'], input=program, capture_output=True, text=True)
            if done.returncode == 0:
                return [(int(v), n) for v, n in (line.split() for line in run([folder + '/p'], '').splitlines())]
        bad = {names[int(line) - source.count('\n') - 3] for line in re.findall(r'<stdin>:(\d+):\d+: error', done.stderr)
               if 0 <= int(line) - source.count('\n') - 3 < len(names)}
        if not bad:
            raise SystemExit(done.stderr)
        names = [n for n in names if n not in bad]


def table(name):
    source, names = names_of(*SETS[name])
    found = {}
    order = sorted(values_of(source, names), key=lambda row: row[0]) if name != 'ioctl' else values_of(source, names)
    for value, text in order:
        if name == 'ioctl' and value & 0xffffffff < 0x1200:
            continue
        found.setdefault(value & 0xffffffff if value >= -0x80000000 and value < 0 else value, text)
    for value, text in NEWER.get(name, {}).items():
        found.setdefault(value, text)
    return found


def other_open(triplet):
    """The open flags of another architecture: plain octal numbers in its header."""
    flags = ['-undef', '-nostdinc', f'-I/usr/{triplet}/include']
    source, names = names_of('linux/fcntl.h', SETS['open'][1], SETS['open'][2], flags)
    found = {}
    for n in names:
        line = run(['cc', '-E', '-P', '-x', 'c', *flags, '-'], source + f'value {n}\n').splitlines()[-1]
        value = 0
        for digits in re.findall(r'\b0[0-7]*\b', line):  # octal numbers with | between
            value |= int(digits, 8)
        found.setdefault(value, n)
    return {**found, **NEWER['open']}


def pieces(items):
    line = '   '
    for item in items:
        if len(line) + len(item) + 2 > 120:
            yield line
            line = '   '
        line += ' ' + item + ','
    yield line


def put(name, found):
    print(f'static const xt_named values_{name}[] = {{')
    print('\n'.join(pieces('{%s, "%s"}' % (hex(v) if v > 9 else v, text) for v, text in sorted(found.items()))))
    print('};\n')


def main():
    print('/* Made by tools/gen_audit_values.py; do not edit. */\n/* clang-format off */\n#pragma once\n')
    for name in SETS:
        put(name, table(name))
    put('open_arm', other_open('arm-linux-gnueabihf'))
    put('open_ppc', other_open('powerpc64le-linux-gnu'))


main()

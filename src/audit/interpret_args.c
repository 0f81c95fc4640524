/*
 * One row per system call says what its first four arguments are; rows are sorted by name. An argument whose meaning
 * depends on another one (the value behind fcntl's command, a mode only when something is created) has a form of its
 * own. Pointers, sizes and descriptors have none: the number says it all.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "audit/interpret_private.h"
#include "audit/value_sets.h"

typedef enum arg_form {
    ARG_NONE,
    ARG_VALUE, /* one name of a set */
    ARG_FLAGS, /* names of a set */
    ARG_DIRFD,
    ARG_OPEN,
    ARG_RIGHTS,
    ARG_RIGHTS_IF_CREATED, /* by the flags in the argument before */
    ARG_NODE_MODE,
    ARG_USER,
    ARG_GROUP,
    ARG_SIGNAL,
    ARG_CLONE,
    ARG_FCNTL,
    ARG_SOCK_TYPE,
    ARG_SOCK_PROTO,
    ARG_SOCK_LEVEL,
    ARG_SOCK_OPTION,
    ARG_PRCTL,
    ARG_PERSONALITY,
    ARG_FUTEX,
    ARG_QUOTA,
    ARG_SCHED,
    ARG_IPC_GET,
    ARG_SHM_GET,
    ARG_IPC_COMMAND, /* with the bit of the 64-bit structures */
    ARG_MOUNT,
    ARG_RUSAGE,
    ARG_STATUS,
} arg_form;

typedef struct arg {
    uint8_t form, set;
} arg;

#define N_ARGS 4

typedef struct call_row {
    char name[24];
    arg args[N_ARGS];
} call_row;

#define V(set)                     \
    {                              \
        ARG_VALUE, XT_VALUES_##set \
    }
#define F(set)                     \
    {                              \
        ARG_FLAGS, XT_VALUES_##set \
    }
#define A(form)       \
    {                 \
        ARG_##form, 0 \
    }
#define O           \
    {               \
        ARG_NONE, 0 \
    }

/* clang-format off */
static const call_row calls[] = {
    {"accept4", {O, O, O, F(SOCK_FLAG)}},
    {"access", {O, F(ACCESS), O, O}},
    {"arch_prctl", {V(ARCH_PRCTL), O, O, O}},
    {"bpf", {V(BPF), O, O, O}},
    {"chmod", {O, A(RIGHTS), O, O}},
    {"chown", {O, A(USER), A(GROUP), O}},
    {"chown32", {O, A(USER), A(GROUP), O}},
    {"clock_adjtime", {V(CLOCK), O, O, O}},
    {"clock_adjtime64", {V(CLOCK), O, O, O}},
    {"clock_getres", {V(CLOCK), O, O, O}},
    {"clock_gettime", {V(CLOCK), O, O, O}},
    {"clock_gettime64", {V(CLOCK), O, O, O}},
    {"clock_nanosleep", {V(CLOCK), O, O, O}},
    {"clock_settime", {V(CLOCK), O, O, O}},
    {"clock_settime64", {V(CLOCK), O, O, O}},
    {"clone", {A(CLONE), O, O, O}},
    {"creat", {O, A(RIGHTS), O, O}},
    {"delete_module", {O, F(OPEN), O, O}},
    {"dup3", {O, O, F(OPEN), O}},
    {"epoll_create1", {F(OPEN), O, O, O}},
    {"epoll_ctl", {O, V(EPOLL), O, O}},
    {"eventfd2", {O, F(OPEN), O, O}},
    {"execveat", {A(DIRFD), O, O, O}},
    {"exit", {A(STATUS), O, O, O}},
    {"exit_group", {A(STATUS), O, O, O}},
    {"faccessat", {A(DIRFD), O, F(ACCESS), O}},
    {"faccessat2", {A(DIRFD), O, F(ACCESS), F(ACCESS_FLAG)}},
    {"fadvise64", {O, O, O, V(FADVISE)}},
    {"fallocate", {O, F(FALLOCATE), O, O}},
    {"fanotify_init", {F(FANOTIFY_INIT), A(OPEN), O, O}},
    {"fanotify_mark", {O, F(FANOTIFY_MARK), O, O}},
    {"fchmod", {O, A(RIGHTS), O, O}},
    {"fchmodat", {A(DIRFD), O, A(RIGHTS), O}},
    {"fchmodat2", {A(DIRFD), O, A(RIGHTS), F(AT)}},
    {"fchown", {O, A(USER), A(GROUP), O}},
    {"fchown32", {O, A(USER), A(GROUP), O}},
    {"fchownat", {A(DIRFD), O, A(USER), A(GROUP)}},
    {"fcntl", {O, V(FCNTL), A(FCNTL), O}},
    {"fcntl64", {O, V(FCNTL), A(FCNTL), O}},
    {"finit_module", {O, O, F(MODULE_INIT), O}},
    {"flock", {O, F(FLOCK), O, O}},
    {"fsconfig", {O, V(FSCONFIG), O, O}},
    {"fsmount", {O, F(FSMOUNT), F(MOUNT_ATTR), O}},
    {"fsopen", {O, F(FSOPEN), O, O}},
    {"fspick", {A(DIRFD), O, F(FSPICK), O}},
    {"fstatat64", {A(DIRFD), O, O, F(AT)}},
    {"futex", {O, A(FUTEX), O, O}},
    {"futex_time64", {O, A(FUTEX), O, O}},
    {"futimesat", {A(DIRFD), O, O, O}},
    {"getitimer", {V(ITIMER), O, O, O}},
    {"getpriority", {V(PRIORITY), O, O, O}},
    {"getrandom", {O, O, F(GETRANDOM), O}},
    {"getrlimit", {V(RLIMIT), O, O, O}},
    {"getrusage", {A(RUSAGE), O, O, O}},
    {"getsockopt", {O, A(SOCK_LEVEL), A(SOCK_OPTION), O}},
    {"inotify_add_watch", {O, O, F(INOTIFY), O}},
    {"inotify_init1", {F(INOTIFY_INIT), O, O, O}},
    {"io_uring_register", {O, V(URING_REGISTER), O, O}},
    {"ioctl", {O, V(IOCTL), O, O}},
    {"ipc", {V(IPC_CALL), O, O, O}},
    {"keyctl", {V(KEYCTL), O, O, O}},
    {"kill", {O, A(SIGNAL), O, O}},
    {"lchown", {O, A(USER), A(GROUP), O}},
    {"lchown32", {O, A(USER), A(GROUP), O}},
    {"linkat", {A(DIRFD), O, A(DIRFD), O}},
    {"lseek", {O, O, V(SEEK), O}},
    {"madvise", {O, O, V(MADVISE), O}},
    {"membarrier", {V(MEMBARRIER), O, O, O}},
    {"memfd_create", {O, F(MEMFD), O, O}},
    {"mkdir", {O, A(RIGHTS), O, O}},
    {"mkdirat", {A(DIRFD), O, A(RIGHTS), O}},
    {"mknod", {O, A(NODE_MODE), O, O}},
    {"mknodat", {A(DIRFD), O, A(NODE_MODE), O}},
    {"mlock2", {O, O, F(MLOCK2), O}},
    {"mlockall", {F(MLOCKALL), O, O, O}},
    {"mmap", {O, O, F(PROT), F(MAP)}},
    {"mmap2", {O, O, F(PROT), F(MAP)}},
    {"mount", {O, O, O, A(MOUNT)}},
    {"mount_setattr", {A(DIRFD), O, F(AT), O}},
    {"move_mount", {A(DIRFD), O, A(DIRFD), O}},
    {"mprotect", {O, O, F(PROT), O}},
    {"mq_open", {O, A(OPEN), A(RIGHTS_IF_CREATED), O}},
    {"mremap", {O, O, O, F(MREMAP)}},
    {"msgctl", {O, A(IPC_COMMAND), O, O}},
    {"msgget", {O, A(IPC_GET), O, O}},
    {"msync", {O, O, F(MSYNC), O}},
    {"name_to_handle_at", {A(DIRFD), O, O, O}},
    {"newfstatat", {A(DIRFD), O, O, F(AT)}},
    {"open", {O, A(OPEN), A(RIGHTS_IF_CREATED), O}},
    {"open_by_handle_at", {O, O, A(OPEN), O}},
    {"open_tree", {A(DIRFD), O, F(OPEN_TREE), O}},
    {"openat", {A(DIRFD), O, A(OPEN), A(RIGHTS_IF_CREATED)}},
    {"openat2", {A(DIRFD), O, O, O}},
    {"personality", {A(PERSONALITY), O, O, O}},
    {"pidfd_send_signal", {O, A(SIGNAL), O, O}},
    {"pipe2", {O, F(OPEN), O, O}},
    {"pkey_mprotect", {O, O, F(PROT), O}},
    {"prctl", {V(PRCTL), A(PRCTL), O, O}},
    {"prlimit64", {O, V(RLIMIT), O, O}},
    {"ptrace", {V(PTRACE), O, O, O}},
    {"quotactl", {A(QUOTA), O, O, O}},
    {"quotactl_fd", {O, A(QUOTA), O, O}},
    {"readlinkat", {A(DIRFD), O, O, O}},
    {"reboot", {O, O, V(REBOOT), O}},
    {"recv", {O, O, O, F(MSG)}},
    {"recvfrom", {O, O, O, F(MSG)}},
    {"recvmmsg", {O, O, O, F(MSG)}},
    {"recvmmsg_time64", {O, O, O, F(MSG)}},
    {"recvmsg", {O, O, F(MSG), O}},
    {"renameat", {A(DIRFD), O, A(DIRFD), O}},
    {"renameat2", {A(DIRFD), O, A(DIRFD), O}},
    {"rt_sigaction", {A(SIGNAL), O, O, O}},
    {"rt_sigprocmask", {V(SIGMASK), O, O, O}},
    {"rt_sigqueueinfo", {O, A(SIGNAL), O, O}},
    {"rt_tgsigqueueinfo", {O, O, A(SIGNAL), O}},
    {"sched_setscheduler", {O, A(SCHED), O, O}},
    {"seccomp", {V(SECCOMP_OP), F(SECCOMP_FLAG), O, O}},
    {"semctl", {O, O, A(IPC_COMMAND), O}},
    {"semget", {O, O, A(IPC_GET), O}},
    {"send", {O, O, O, F(MSG)}},
    {"sendmmsg", {O, O, O, F(MSG)}},
    {"sendmsg", {O, O, F(MSG), O}},
    {"sendto", {O, O, O, F(MSG)}},
    {"setfsgid", {A(GROUP), O, O, O}},
    {"setfsgid32", {A(GROUP), O, O, O}},
    {"setfsuid", {A(USER), O, O, O}},
    {"setfsuid32", {A(USER), O, O, O}},
    {"setgid", {A(GROUP), O, O, O}},
    {"setgid32", {A(GROUP), O, O, O}},
    {"setitimer", {V(ITIMER), O, O, O}},
    {"setns", {O, F(UNSHARE), O, O}},
    {"setpriority", {V(PRIORITY), O, O, O}},
    {"setregid", {A(GROUP), A(GROUP), O, O}},
    {"setregid32", {A(GROUP), A(GROUP), O, O}},
    {"setresgid", {A(GROUP), A(GROUP), A(GROUP), O}},
    {"setresgid32", {A(GROUP), A(GROUP), A(GROUP), O}},
    {"setresuid", {A(USER), A(USER), A(USER), O}},
    {"setresuid32", {A(USER), A(USER), A(USER), O}},
    {"setreuid", {A(USER), A(USER), O, O}},
    {"setreuid32", {A(USER), A(USER), O, O}},
    {"setrlimit", {V(RLIMIT), O, O, O}},
    {"setsockopt", {O, A(SOCK_LEVEL), A(SOCK_OPTION), O}},
    {"setuid", {A(USER), O, O, O}},
    {"setuid32", {A(USER), O, O, O}},
    {"shmat", {O, O, F(SHM_AT), O}},
    {"shmctl", {O, A(IPC_COMMAND), O, O}},
    {"shmget", {O, O, A(SHM_GET), O}},
    {"shutdown", {O, V(SHUTDOWN), O, O}},
    {"sigaction", {A(SIGNAL), O, O, O}},
    {"signal", {A(SIGNAL), O, O, O}},
    {"signalfd4", {O, O, O, F(OPEN)}},
    {"socket", {V(FAMILY), A(SOCK_TYPE), A(SOCK_PROTO), O}},
    {"socketcall", {V(SOCKETCALL), O, O, O}},
    {"socketpair", {V(FAMILY), A(SOCK_TYPE), A(SOCK_PROTO), O}},
    {"statx", {A(DIRFD), O, F(AT), F(STATX_MASK)}},
    {"symlinkat", {O, A(DIRFD), O, O}},
    {"tgkill", {O, O, A(SIGNAL), O}},
    {"timer_create", {V(CLOCK), O, O, O}},
    {"timerfd_create", {V(CLOCK), F(TIMERFD), O, O}},
    {"tkill", {O, A(SIGNAL), O, O}},
    {"umask", {A(RIGHTS), O, O, O}},
    {"umount2", {O, F(UMOUNT), O, O}},
    {"unlinkat", {A(DIRFD), O, F(UNLINK), O}},
    {"unshare", {F(UNSHARE), O, O, O}},
    {"userfaultfd", {F(OPEN), O, O, O}},
    {"utimensat", {A(DIRFD), O, O, F(AT)}},
    {"utimensat_time64", {A(DIRFD), O, O, F(AT)}},
    {"wait4", {O, O, F(WAIT), O}},
    {"waitid", {V(WAITID), O, O, F(WAIT)}},
};
/* clang-format on */

static int compare_name(const char *row, xt_slice name)
{
    size_t n = strlen(row);
    int order = memcmp(row, name.p, n < name.n ? n : name.n);
    return order != 0 ? order : (n > name.n) - (n < name.n);
}

static const call_row *find_call(xt_slice name)
{
    size_t low = 0, high = XT_COUNT_OF(calls);
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_name(calls[middle].name, name);
        if (order == 0)
            return &calls[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool put_name(xt_value_set set, uint64_t value, xt_buf *out)
{
    const char *name = xt_value_set_name(set, value);
    if (name)
        xt_buf_puts(out, name);
    return name != NULL;
}

/* linux/elf-em.h */
enum {
    MACHINE_I386 = 3,
    MACHINE_MIPS = 8,
    MACHINE_PPC = 20,
    MACHINE_PPC64 = 21,
    MACHINE_S390 = 22,
    MACHINE_ARM = 40,
    MACHINE_AARCH64 = 183,
};

static uint32_t machine_of(uint32_t arch)
{
    return arch & 0xffff;
}

bool xt_interpret_is_generic(uint32_t arch)
{
    return machine_of(arch) != MACHINE_MIPS;
}

static xt_value_set open_set(uint32_t arch)
{
    uint32_t machine = machine_of(arch);
    if (machine == MACHINE_PPC || machine == MACHINE_PPC64)
        return XT_VALUES_OPEN_PPC;
    return machine == MACHINE_ARM || machine == MACHINE_AARCH64 ? XT_VALUES_OPEN_ARM : XT_VALUES_OPEN;
}

bool xt_interpret_open_flags(uint32_t arch, uint64_t flags, xt_buf *out)
{
    static const char *const access_names[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_WRONLY|O_RDWR"};
    uint64_t others = flags & ~UINT64_C(3);
    xt_buf_puts(out, access_names[flags & 3]);
    if (others == 0)
        return true;
    xt_buf_putc(out, '|');
    if (!xt_value_set_put_flags(open_set(arch), others, out))
        xt_buf_printf(out, "0x%llx", (unsigned long long)others);
    return true;
}

bool xt_interpret_signal(uint64_t number, xt_buf *out)
{
    enum { FIRST_REAL_TIME = 34, LAST_REAL_TIME = 64 }; /* libc keeps 32 and 33 to itself */
    if (number == FIRST_REAL_TIME)
        xt_buf_puts(out, "SIGRTMIN");
    else if (number > FIRST_REAL_TIME && number <= LAST_REAL_TIME)
        xt_buf_printf(out, "SIGRTMIN+%u", (unsigned)number - FIRST_REAL_TIME);
    else
        return put_name(XT_VALUES_SIGNAL, number, out);
    return true;
}

static bool put_clone(uint64_t value, xt_buf *out)
{
    enum { EXIT_SIGNAL = 0xff };
    bool has_flags = (value & ~(uint64_t)EXIT_SIGNAL) != 0;
    if (has_flags && !xt_value_set_put_flags(XT_VALUES_CLONE, value & ~(uint64_t)EXIT_SIGNAL, out))
        return false;
    if ((value & EXIT_SIGNAL) == 0)
        return has_flags;
    if (has_flags)
        xt_buf_putc(out, '|');
    if (!xt_interpret_signal(value & EXIT_SIGNAL, out))
        xt_buf_printf(out, "0x%x", (unsigned)value & EXIT_SIGNAL);
    return true;
}

static bool put_fcntl(const xt_interpret_context *c, uint64_t value, xt_buf *out)
{
    switch ((uint32_t)c->args[1]) {
    case F_SETFD:
        xt_buf_puts(out, value & FD_CLOEXEC ? "FD_CLOEXEC" : "");
        return value & FD_CLOEXEC;
    case F_SETFL:
        return xt_interpret_open_flags(c->arch, value, out);
    case F_SETLEASE:
        return put_name(XT_VALUES_LEASE, value, out);
    case F_SETSIG:
        return xt_interpret_signal(value, out);
    case F_NOTIFY:
        return xt_value_set_put_flags(XT_VALUES_DNOTIFY, (uint32_t)value, out);
    case F_ADD_SEALS:
        return xt_value_set_put_flags(XT_VALUES_SEAL, value, out);
    default:
        return false;
    }
}

static bool put_sock_type(uint64_t value, xt_buf *out)
{
    if (!put_name(XT_VALUES_SOCK_TYPE, value & 0xf, out))
        return false;
    if (value & ~UINT64_C(0xf)) {
        xt_buf_putc(out, '|');
        if (!xt_value_set_put_flags(XT_VALUES_SOCK_FLAG, value & ~UINT64_C(0xf), out))
            xt_buf_printf(out, "0x%llx", (unsigned long long)(value & ~UINT64_C(0xf)));
    }
    return true;
}

/* A protocol belongs to the family. */
static bool put_sock_proto(const xt_interpret_context *c, uint64_t value, xt_buf *out)
{
    switch ((uint32_t)c->args[0]) {
    case AF_INET:
    case AF_INET6:
        return put_name(XT_VALUES_IP_PROTO, value, out);
    case AF_NETLINK:
        return put_name(XT_VALUES_NETLINK_PROTO, value, out);
    case AF_PACKET: /* in network order, of whichever machine that was */
        return put_name(XT_VALUES_ETHER, c->arch & 0x40000000u || c->arch == 0 ? ntohs((uint16_t)value) : value, out);
    case AF_CAN:
        return put_name(XT_VALUES_CAN_PROTO, value, out);
    default:
        return false;
    }
}

static bool put_sock_level(uint64_t value, xt_buf *out)
{
    return put_name(XT_VALUES_SOL, value, out) || put_name(XT_VALUES_IP_PROTO, value, out);
}

static bool put_sock_option(const xt_interpret_context *c, uint64_t value, xt_buf *out)
{
    bool is_set = xt_slice_starts(c->syscall, XT_S("set")); /* netfilter numbers what is set and what is asked apart */
    switch ((uint32_t)c->args[1]) {
    case SOL_SOCKET:
        return put_name(XT_VALUES_SO, value, out);
    case IPPROTO_IP:
        return put_name(XT_VALUES_IP_OPT, value, out) ||
               put_name(is_set ? XT_VALUES_IPT_SET : XT_VALUES_IPT_GET, value, out);
    case IPPROTO_IPV6:
        return put_name(XT_VALUES_IPV6_OPT, value, out) ||
               put_name(is_set ? XT_VALUES_IP6T_SET : XT_VALUES_IP6T_GET, value, out);
    case IPPROTO_TCP:
        return put_name(XT_VALUES_TCP_OPT, value, out);
    case IPPROTO_UDP:
        return put_name(XT_VALUES_UDP_OPT, value, out);
    case SOL_PACKET:
        return put_name(XT_VALUES_PACKET_OPT, value, out);
    case SOL_NETLINK:
        return put_name(XT_VALUES_NETLINK_OPT, value, out);
    default:
        return false;
    }
}

static bool put_prctl(const xt_interpret_context *c, uint64_t value, xt_buf *out)
{
    switch ((uint32_t)c->args[0]) {
    case PR_SET_PDEATHSIG:
        return xt_interpret_signal(value, out);
    case PR_CAPBSET_READ:
    case PR_CAPBSET_DROP:
        return xt_interpret_capability(value, out);
    case PR_CAP_AMBIENT:
        return put_name(XT_VALUES_AMBIENT, value, out);
    case PR_SET_SECCOMP:
        return put_name(XT_VALUES_SECCOMP_MODE, value, out);
    case PR_SET_SECUREBITS:
        return xt_value_set_put_flags(XT_VALUES_SECUREBITS, value, out);
    default:
        return false;
    }
}

static bool put_futex(uint64_t value, xt_buf *out)
{
    enum { FLAGS = 0x180 };
    if (!put_name(XT_VALUES_FUTEX, value & ~(uint64_t)FLAGS, out))
        return false;
    if (value & FLAGS) {
        xt_buf_putc(out, '|');
        (void)xt_value_set_put_flags(XT_VALUES_FUTEX_FLAG, value & FLAGS, out);
    }
    return true;
}

static bool put_sched(uint64_t value, xt_buf *out)
{
    enum { RESET_ON_FORK = 0x40000000 };
    if (!put_name(XT_VALUES_SCHED, value & ~(uint64_t)RESET_ON_FORK, out))
        return false;
    xt_buf_puts(out, value & RESET_ON_FORK ? "|SCHED_RESET_ON_FORK" : "");
    return true;
}

/* Flags above the rights of what is made. */
static bool put_ipc_get(xt_value_set set, uint64_t value, xt_buf *out)
{
    uint64_t flags = value & ~UINT64_C(0777);
    if (flags) {
        if (!xt_value_set_put_flags(set, flags, out))
            return false;
        xt_buf_putc(out, '|');
    }
    xt_buf_printf(out, "0%03o", (unsigned)value & 0777);
    return true;
}

static bool put_dirfd(uint64_t value, xt_buf *out)
{
    if ((int32_t)value != AT_FDCWD)
        return false;
    xt_buf_puts(out, "AT_FDCWD");
    return true;
}

static bool put_mount(uint64_t value, xt_buf *out)
{
    enum { MAGIC = 0xc0ed };
    if (value >> 16 == MAGIC) /* what programs put there once */
        value &= 0xffff;
    return xt_value_set_put_flags(XT_VALUES_MOUNT, value, out);
}

static bool put_rusage(uint64_t value, xt_buf *out)
{
    if ((int32_t)value >= 0)
        return put_name(XT_VALUES_RUSAGE, value, out);
    xt_buf_puts(out, (int32_t)value == -1 ? "RUSAGE_CHILDREN" : "RUSAGE_BOTH");
    return true;
}

#define CREATES (O_CREAT | 020000000) /* and O_TMPFILE without O_DIRECTORY */

/* Of an int the upper half of a register says nothing; only what is a pointer or a long has 64 bits. */
static bool put_form(const xt_interpret_context *c, arg what, unsigned index, uint64_t value, xt_buf *out)
{
    switch ((arg_form)what.form) {
    case ARG_NONE:
        return false;
    case ARG_VALUE:
        return put_name(what.set, (uint32_t)value, out);
    case ARG_FLAGS:
        return xt_value_set_put_flags(what.set, (uint32_t)value, out);
    case ARG_DIRFD:
        return put_dirfd(value, out);
    case ARG_OPEN:
        return xt_interpret_open_flags(c->arch, (uint32_t)value, out);
    case ARG_RIGHTS:
        return xt_interpret_rights(value, out);
    case ARG_RIGHTS_IF_CREATED:
        return c->args[index - 1] & CREATES && xt_interpret_rights(value, out);
    case ARG_NODE_MODE:
        xt_interpret_mode(value, out);
        return true;
    case ARG_USER:
    case ARG_GROUP:
        return xt_interpret_id(c->names, (uint32_t)value, what.form == ARG_GROUP, out);
    case ARG_SIGNAL:
        return xt_interpret_signal((uint32_t)value, out);
    case ARG_CLONE:
        return put_clone(value, out);
    case ARG_FCNTL:
        return put_fcntl(c, value, out);
    case ARG_SOCK_TYPE:
        return put_sock_type((uint32_t)value, out);
    case ARG_SOCK_PROTO:
        return put_sock_proto(c, (uint32_t)value, out);
    case ARG_SOCK_LEVEL:
        return put_sock_level((uint32_t)value, out);
    case ARG_SOCK_OPTION:
        return put_sock_option(c, (uint32_t)value, out);
    case ARG_PRCTL:
        return put_prctl(c, value, out);
    case ARG_PERSONALITY:
        return xt_interpret_personality((uint32_t)value, out);
    case ARG_FUTEX:
        return put_futex((uint32_t)value, out);
    case ARG_QUOTA:
        return put_name(XT_VALUES_QUOTA, (uint32_t)value >> 8, out);
    case ARG_SCHED:
        return put_sched((uint32_t)value, out);
    case ARG_IPC_GET:
    case ARG_SHM_GET:
        return put_ipc_get(what.form == ARG_SHM_GET ? XT_VALUES_SHM_GET : XT_VALUES_IPC_FLAG, (uint32_t)value, out);
    case ARG_IPC_COMMAND:
        return put_name(XT_VALUES_IPC_COMMAND, (uint32_t)value & ~0x100u, out);
    case ARG_MOUNT:
        return put_mount((uint32_t)value, out);
    case ARG_RUSAGE:
        return put_rusage(value, out);
    case ARG_STATUS:
        xt_buf_puts(out, value == 0 ? "EXIT_SUCCESS" : value == 1 ? "EXIT_FAILURE" : "");
        return value <= 1;
    }
    return false;
}

/* What asm-generic's numbers do not say of the other architectures. */
static bool depends_on_numbers(arg what)
{
    return what.form != ARG_DIRFD && what.form != ARG_RIGHTS && what.form != ARG_USER && what.form != ARG_GROUP &&
           what.form != ARG_NODE_MODE;
}

/* A pointer to all arguments, another order, or numbers of 64 bits in two registers. */
static bool has_other_arguments(const xt_interpret_context *c)
{
    uint32_t machine = machine_of(c->arch);
    bool is_32_bit = c->arch != 0 && !(c->arch & 0x80000000u);
    if (xt_slice_eq(c->syscall, XT_S("mmap")))
        return machine == MACHINE_I386 || machine == MACHINE_S390;
    return (machine == MACHINE_S390 && xt_slice_eq(c->syscall, XT_S("clone"))) ||
           (is_32_bit && xt_slice_eq(c->syscall, XT_S("fadvise64")));
}

bool xt_interpret_argument(const xt_interpret_context *context, unsigned index, uint64_t value, xt_buf *out)
{
    const call_row *row = context->syscall.n > 0 ? find_call(context->syscall) : NULL;
    if (!row || index >= N_ARGS || has_other_arguments(context))
        return false;
    arg what = row->args[index];
    if (!xt_interpret_is_generic(context->arch) && depends_on_numbers(what))
        return false;
    size_t start = out->n;
    return put_form(context, what, index, value, out) && out->n > start;
}

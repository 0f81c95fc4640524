/*
 * The tables are made by tools/gen_audit_names.py. Types are found by name through a small hash table made with
 * them, since every text line needs that; by number with a binary search; system calls and errors by index. The names of
 * system calls stand once in one text, which a table per architecture points into: nothing of it is relocated at start.
 */
#include "audit/names.h"

#include <linux/audit.h>

#include "audit/names_data.h"

#define X32_BIT UINT64_C(0x40000000)

static uint32_t slot_of(xt_slice name)
{
    uint32_t h = 0;
    for (size_t i = 0; i < name.n; i++)
        h = h * 31 + (unsigned char)name.p[i];
    return (h ^ h >> 9) % N_TYPE_SLOTS;
}

static uint16_t type_by_number(xt_slice digits)
{
    uint64_t n;
    return xt_slice_parse_u64(digits, &n) && n <= UINT16_MAX ? (uint16_t)n : 0;
}

/* What nearly every record is. */
static inline uint16_t usual_type(xt_slice name)
{
    switch (name.n) {
    case 3:
        return memcmp(name.p, "CWD", 3) == 0 ? AUDIT_CWD : 0;
    case 4:
        return memcmp(name.p, "PATH", 4) == 0 ? AUDIT_PATH : 0;
    case 6:
        return memcmp(name.p, "EXECVE", 6) == 0 ? AUDIT_EXECVE : 0;
    case 7:
        return memcmp(name.p, "SYSCALL", 7) == 0 ? AUDIT_SYSCALL : 0;
    case 9:
        return memcmp(name.p, "PROCTITLE", 9) == 0 ? AUDIT_PROCTITLE : 0;
    default:
        return 0;
    }
}

uint16_t xt_record_type_by_name(xt_slice name)
{
    uint16_t usual = usual_type(name);
    if (usual != 0 || name.n == 0)
        return usual;
    for (uint32_t at = slot_of(name); type_slots[at]; at = (at + 1) % N_TYPE_SLOTS) {
        size_t i = type_slots[at] - 1;
        if (record_types[i].n == name.n && memcmp(record_types[i].name, name.p, name.n) == 0)
            return record_types[i].type;
    }
    xt_slice unknown = XT_S("UNKNOWN[");
    if (xt_slice_starts(name, unknown) && name.p[name.n - 1] == ']')
        return type_by_number(xt_slice_of(name.p + unknown.n, name.n - unknown.n - 1));
    return type_by_number(name);
}

const char *xt_record_type_name(uint16_t type)
{
    size_t low = 0, high = XT_COUNT_OF(record_types);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (record_types[middle].type < type)
            low = middle + 1;
        else
            high = middle;
    }
    return low < XT_COUNT_OF(record_types) && record_types[low].type == type ? record_types[low].name : NULL;
}

typedef struct arch {
    char name[12];
    uint16_t n_syscalls;
    uint16_t first; /* number of the first in the table */
    const uint16_t *syscalls;
    uint32_t number;
    uint16_t execve, execveat;
} arch;

#define TABLE(t)          XT_COUNT_OF(t), 0, (t)
#define TABLE_FROM(t, at) XT_COUNT_OF(t), (at), (t)
#define NO_TABLE          0, 0, NULL

/* Numbers from linux/audit.h (an ELF machine with its word size and byte order), names as uname -m has them. */
static const arch arches[] = {
    {"x86_64", TABLE(syscalls_x86_64), XT_ARCH_X86_64, 59, 322},
    {"i386", TABLE(syscalls_i386), XT_ARCH_I386, 11, 358},
    {"aarch64", TABLE(syscalls_aarch64), XT_ARCH_AARCH64, 221, 281},
    {"arm", TABLE(syscalls_arm), 0x40000028, 11, 387},
    {"armeb", TABLE(syscalls_arm), 0x00000028, 11, 387},
    {"ppc", TABLE(syscalls_ppc), 0x00000014, 11, 362},
    {"ppc64", TABLE(syscalls_ppc64), 0x80000015, 11, 362},
    {"ppc64le", TABLE(syscalls_ppc64), 0xc0000015, 11, 362},
    {"s390", TABLE(syscalls_s390), 0x00000016, 11, 354},
    {"s390x", TABLE(syscalls_s390x), 0x80000016, 11, 354},
    {"riscv32", NO_TABLE, 0x400000f3, 221, 281},
    {"riscv64", TABLE(syscalls_riscv64), 0xc00000f3, 221, 281},
    {"loongarch64", TABLE(syscalls_loongarch64), 0xc0000102, 221, 281},
    {"mips", TABLE_FROM(syscalls_mips_o32, 4000), 0x00000008, 4011, 4356},
    {"mipsel", TABLE_FROM(syscalls_mips_o32, 4000), 0x40000008, 4011, 4356},
    {"mips64", TABLE_FROM(syscalls_mips_n64, 5000), 0x80000008, 5057, 5316},
    {"mips64el", TABLE_FROM(syscalls_mips_n64, 5000), 0xc0000008, 5057, 5316},
    {"mipsn32", TABLE_FROM(syscalls_mips_n32, 6000), 0xa0000008, 6057, 6320},
    {"mipsn32el", TABLE_FROM(syscalls_mips_n32, 6000), 0xe0000008, 6057, 6320},
    {"ia64", NO_TABLE, 0xc0000032, 1033, 1338},
};

static const arch *arch_find(uint32_t number)
{
    for (size_t i = 0; i < XT_COUNT_OF(arches); i++)
        if (arches[i].number == number)
            return &arches[i];
    return NULL;
}

const char *xt_arch_name(uint32_t number)
{
    const arch *a = arch_find(number);
    return a ? a->name : NULL;
}

uint32_t xt_arch_by_name(xt_slice name)
{
    for (size_t i = 0; i < XT_COUNT_OF(arches); i++)
        if (xt_slice_eq(name, xt_slice_str(arches[i].name)))
            return arches[i].number;
    return 0;
}

const char *xt_syscall_name(uint32_t number, uint64_t syscall)
{
    const arch *a = arch_find(number);
    if (number == XT_ARCH_X86_64)
        syscall &= ~X32_BIT;
    if (!a || syscall - a->first >= a->n_syscalls || a->syscalls[syscall - a->first] == 0)
        return NULL;
    return &syscall_text[a->syscalls[syscall - a->first]];
}

int xt_syscall_by_name(uint32_t number, xt_slice name)
{
    const arch *a = arch_find(number);
    for (size_t i = 0; a && i < a->n_syscalls && name.n > 0; i++)
        if (xt_slice_eq(name, xt_slice_str(&syscall_text[a->syscalls[i]])))
            return (int)(a->first + i);
    return -1;
}

bool xt_syscall_is_exec(uint32_t number, uint64_t syscall)
{
    const arch *a = arch_find(number);
    /* x32 has numbers of its own for calls that take pointers to pointers */
    if (number == XT_ARCH_X86_64 && (syscall & X32_BIT))
        return syscall == (X32_BIT | 520) || syscall == (X32_BIT | 545);
    return a && (syscall == a->execve || syscall == a->execveat);
}

const char *xt_errno_name(int number)
{
    return number > 0 && number < (int)XT_COUNT_OF(errno_names) ? errno_names[number] : NULL;
}

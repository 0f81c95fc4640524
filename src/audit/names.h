/*
 * audit/names - numbers of the audit world by name
 *
 * Source:    linux/audit.h, libaudit's user message types, the syscall tables of the kernel (asm/unistd_64.h,
 *            asm/unistd_32.h), errno of asm-generic.
 * Threads:   constant tables.
 */
#pragma once
#include "base/slice.h"

/* 0 when unknown; accepts "SYSCALL", "UNKNOWN[1337]" and plain numbers. */
uint16_t xt_record_type_by_name(xt_slice name);
/* Upper-case name, or NULL when there is none (print UNKNOWN[n]). */
const char *xt_record_type_name(uint16_t type);

#define XT_ARCH_X86_64  0xc000003eU
#define XT_ARCH_I386    0x40000003U
#define XT_ARCH_AARCH64 0xc00000b7U
/* "x86_64", "i386", "aarch64", ... or NULL; and back (0 unknown). */
const char *xt_arch_name(uint32_t arch);
uint32_t xt_arch_by_name(xt_slice name);
/*
 * NULL when unknown for that arch. Tables: x86_64 (x32 too), i386, aarch64, arm, ppc, ppc64, s390, s390x, riscv64,
 * loongarch64, mips (o32, n32, n64); others have numbers only. x32's bit 30 is masked off for x86_64.
 */
const char *xt_syscall_name(uint32_t arch, uint64_t number);
int xt_syscall_by_name(uint32_t arch, xt_slice name); /* -1 unknown */
/* execve or execveat in that arch (known for more arches than have a table of names). */
bool xt_syscall_is_exec(uint32_t arch, uint64_t number);
/* "ENOENT" for 2; NULL when unknown. */
const char *xt_errno_name(int number);

/* Names of ids, asked on the host; NULL members: not resolved (enriched suffixes are used where they are). */
typedef struct xt_name_source {
    /* A borrowed name valid until the next call, or an empty slice. */
    xt_slice (*user)(void *context, uint32_t uid);
    xt_slice (*group)(void *context, uint32_t gid);
    void *context;
} xt_name_source;

#!/usr/bin/env python3
"""Writes src/audit/names_data.h: record types, system calls and errors by number.

    tools/gen_audit_names.py [--libaudit FILE] > src/audit/names_data.h

Reads linux/audit.h, asm/unistd_{64,32}.h, asm-generic/unistd.h (the table of aarch64, riscv and loongarch64) and
errno.h through the compiler, libaudit.h (package libaudit-dev) for the types that programs send, and for the system
calls of other architectures the headers of packages linux-libc-dev-ARCH-cross (armhf, powerpc, ppc64el, s390x, mips).
What newer kernels added since those headers stands in NEWER_* below. The output is committed: a build needs none of
these headers.
"""
import argparse
import re
import subprocess

# linux/audit.h after 6.1
NEWER_TYPES = {
    1420: 'IPE_ACCESS', 1421: 'IPE_CONFIG_CHANGE', 1422: 'IPE_POLICY_LOAD', 1423: 'LANDLOCK_ACCESS',
    1424: 'LANDLOCK_DOMAIN', 1425: 'MAC_TASK_CONTEXTS', 1426: 'MAC_OBJ_CONTEXTS',
}
# Since 5.1 new calls have one number everywhere.
NEWER_SYSCALLS = {
    451: 'cachestat', 452: 'fchmodat2', 453: 'map_shadow_stack', 454: 'futex_wake', 455: 'futex_wait',
    456: 'futex_requeue', 457: 'statmount', 458: 'listmount', 459: 'lsm_get_self_attr', 460: 'lsm_set_self_attr',
    461: 'lsm_list_modules', 462: 'mseal', 463: 'setxattrat', 464: 'getxattrat', 465: 'listxattrat',
    466: 'removexattrat', 467: 'open_tree_attr', 468: 'file_getattr', 469: 'file_setattr',
}
# linux/errno.h: what a traced or restarted call leaves in exit=
KERNEL_ERRORS = {
    512: 'ERESTARTSYS', 513: 'ERESTARTNOINTR', 514: 'ERESTARTNOHAND', 515: 'ENOIOCTLCMD', 516: 'ERESTART_RESTARTBLOCK',
    517: 'EPROBE_DEFER', 518: 'EOPENSTALE', 519: 'ENOPARAM', 524: 'ENOTSUPP',
}
RENAMED_TYPES = {1500: 'APPARMOR'}
N_SLOTS = 512
# Those of m68k, sparc and others that share no table come by number.
GENERIC = ['__BITS_PER_LONG=64']
RISCV64 = ['__ARCH_WANT_NEW_STAT', '__ARCH_WANT_SET_GET_RLIMIT', '__BITS_PER_LONG=64']
RISCV_OWN = {258: 'riscv_hwprobe', 259: 'riscv_flush_icache'}
LOONGARCH_OWN = {79: 'newfstatat', 80: 'fstat'}  # since 6.11
AARCH64 = ['__ARCH_WANT_RENAMEAT', '__ARCH_WANT_NEW_STAT', '__ARCH_WANT_SET_GET_RLIMIT', '__ARCH_WANT_TIME32_SYSCALLS',
           '__ARCH_WANT_SYS_CLONE3', '__ARCH_WANT_MEMFD_SECRET', '__BITS_PER_LONG=64']
# Requests, not records; range marks; names libaudit does not print.
NOT_TYPES = re.compile(r'^(FIRST|LAST)_|_(FIRST|LAST)_|^(GET|SET|LIST|ADD|DEL|WATCH_INS|WATCH_REM|WATCH_LIST|SIGNAL_INFO'
                       r'|ADD_RULE|DEL_RULE|LIST_RULES|TRIM|MAKE_EQUIV|TTY_GET|TTY_SET|SET_FEATURE|GET_FEATURE)$')


NOT_CALLS = re.compile(r'^(syscalls|arch_specific_syscall|Linux|Linux_syscalls|[ON]?(32|64)_Linux.*|SYSCALL_BASE|unused.*)$')


def macros(include, defines=(), triplet=None):
    """All object-like macros of a header, as text; triplet: of another architecture."""
    other = ['-undef', '-nostdinc', f'-I/usr/{triplet}/include'] if triplet else []
    out = subprocess.run(['cc', '-E', '-dM', '-x', 'c', '-', *other] + ['-D' + d for d in defines],
                         input=f'#include {include}\n', capture_output=True, text=True, check=True).stdout
    return dict(m for m in re.findall(r'^#define (\w+) (.*)$', out, re.M))


def number(value, table):
    for _ in range(8):
        value = value.strip().strip('()')
        if re.fullmatch(r'-?(0x[0-9a-fA-F]+|\d+)U?', value):
            return int(value.rstrip('U'), 0)
        sum_ = re.fullmatch(r'(\w+) ?\+ ?(\w+)', value)
        if sum_:
            parts = [number(part, table) for part in sum_.groups()]
            return None if None in parts else sum(parts)
        if value not in table:
            return None
        value = table[value]
    return None


def record_types(libaudit):
    types = dict(NEWER_TYPES)
    for table in (macros('<linux/audit.h>'), macros(f'"{libaudit}"')):
        for name, value in table.items():
            n = number(value, table)
            if not name.startswith('AUDIT_') or n is None or not 1005 <= n <= 2999:
                continue
            short = name[len('AUDIT_'):]
            if not NOT_TYPES.search(short) and (n in (1005, 1006) or n >= 1100):
                types.setdefault(n, short)
    return {**types, **RENAMED_TYPES}


def syscalls(include, defines=(), triplet=None, base=0):
    table = macros(include, defines, triplet)
    found = {}
    for name, value in table.items():
        m = re.fullmatch(r'__NR3?264_(\w+)|__NR_(\w+)', name)
        n = number(value, table)
        short = m and (m[2] or m[1])
        if m and n is not None and 0 <= n - base < 2048 and not NOT_CALLS.search(short):
            if m[2] or n - base not in found:
                found[n - base] = short
    return {**NEWER_SYSCALLS, **found}


def x32_syscalls():
    """The calls that x32 has to itself, 512 and up; __X32_SYSCALL_BIT masked off."""
    found = {}
    for name, value in macros('<asm/unistd_x32.h>').items():
        m = re.fullmatch(r'\(__X32_SYSCALL_BIT \+ (\d+)\)', value)
        if m and name.startswith('__NR_') and int(m[1]) >= 512:
            found[int(m[1])] = name[len('__NR_'):]
    return found


def errors():
    table = macros('<errno.h>')
    found = dict(KERNEL_ERRORS)
    for name, value in sorted(table.items()):
        n = number(value, table)
        if re.fullmatch(r'E[A-Z0-9]+', name) and n is not None and re.fullmatch(r'\d+', value):
            found[n] = name
    return found


def pieces(items):
    line = '   '
    for item in items:
        if len(line) + len(item) + 2 > 120:
            yield line
            line = '   '
        line += ' ' + item + ','
    yield line


def slot_of(name):
    """As slot_of() in names.c."""
    h = 0
    for c in name.encode():
        h = (h * 31 + c) & 0xffffffff
    return (h ^ h >> 9) % N_SLOTS


def types_and_slots(types):
    slots = [0] * N_SLOTS
    for i, (_, name) in enumerate(types):
        at = slot_of(name)
        while slots[at]:
            at = (at + 1) % N_SLOTS
        slots[at] = i + 1
    assert len(types) < 255
    print('static const struct {\n    uint16_t type;\n    uint8_t n;\n    char name[29];\n} record_types[] = {')
    print('\n'.join(pieces(f'{{{n}, {len(name)}, "{name}"}}' for n, name in types)))
    print('};\n\n/* 1 + index into record_types by hash of the name; open addressing. */')
    print(f'#define N_TYPE_SLOTS {N_SLOTS}\nstatic const uint8_t type_slots[N_TYPE_SLOTS] = {{')
    print('\n'.join(pieces(str(i) for i in slots)))
    print('};\n')


def by_number(c_name, table):
    print(f'static const char *const {c_name}[] = {{')
    print('\n'.join(pieces(f'[{n}] = "{name}"' for n, name in sorted(table.items()))))
    print('};\n')


def call_tables():
    """By the name of the C table: number less the architecture's first one, and name."""
    arm, ppc, ppc64, s390, mips = (('arm-linux-gnueabihf', 'powerpc-linux-gnu', 'powerpc64le-linux-gnu',
                                    's390x-linux-gnu', 'mips64el-linux-gnuabi64'))
    return {
        'x86_64': {335: 'uretprobe', 336: 'uprobe', **syscalls('<asm/unistd_64.h>'), **x32_syscalls()},
        'i386': syscalls('<asm/unistd_32.h>'),
        'aarch64': syscalls('<asm-generic/unistd.h>', AARCH64),
        'riscv64': {**syscalls('<asm-generic/unistd.h>', RISCV64), **RISCV_OWN},
        'loongarch64': {**syscalls('<asm-generic/unistd.h>', GENERIC), **LOONGARCH_OWN},
        'arm': {**syscalls('<asm/unistd.h>', (), arm, 0x900000), **syscalls('<asm/unistd.h>', ['__ARM_EABI__'], arm)},
        'ppc': syscalls('<asm/unistd_32.h>', (), ppc),
        'ppc64': syscalls('<asm/unistd_64.h>', (), ppc64),
        's390': syscalls('<asm/unistd_32.h>', (), s390),
        's390x': syscalls('<asm/unistd_64.h>', (), s390),
        'mips_o32': syscalls('<asm/unistd_o32.h>', ['__NR_Linux=4000'], mips, 4000),
        'mips_n64': syscalls('<asm/unistd_n64.h>', ['__NR_Linux=5000'], mips, 5000),
        'mips_n32': syscalls('<asm/unistd_n32.h>', ['__NR_Linux=6000'], mips, 6000),
    }


def put_calls():
    """All names once in one text, and per architecture where the name of each number begins in it."""
    tables = call_tables()
    text, offsets = '', {'': 0}
    lines = []
    for name in sorted({name for table in tables.values() for name in table.values()}):
        offsets[name] = 1 + len(text)
        text += name + chr(0)
        lines.append(f'"{name}\\0"')
    print('#pragma GCC diagnostic push\n#pragma GCC diagnostic ignored "-Woverlength-strings"')
    print('/* The names of system calls; an offset of 0 is none. */\nstatic const char syscall_text[] = "\\0"')
    for at in range(0, len(lines), 6):
        print('    ' + ' '.join(lines[at:at + 6]) + (';' if at + 6 >= len(lines) else ''))
    print('#pragma GCC diagnostic pop\n')
    for c_name, table in tables.items():
        print(f'static const uint16_t syscalls_{c_name}[] = {{')
        print('\n'.join(pieces(str(offsets[table.get(n, "")]) for n in range(max(table) + 1))))
        print('};\n')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--libaudit', default='/usr/include/libaudit.h')
    args = parser.parse_args()
    print('/* Made by tools/gen_audit_names.py; do not edit. */\n/* clang-format off */\n#pragma once\n')
    types_and_slots(sorted(record_types(args.libaudit).items()))
    put_calls()
    by_number('errno_names', errors())


main()

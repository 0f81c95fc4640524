/* The tables, checked against auditd's tools where they are installed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit/names.h"
#include "base/buf.h"

static void test_types(void **state)
{
    assert_int_equal(xt_record_type_by_name(XT_S("SYSCALL")), 1300);
    assert_int_equal(xt_record_type_by_name(XT_S("LOGIN")), 1006);
    assert_int_equal(xt_record_type_by_name(XT_S("USER_CMD")), 1123);
    assert_int_equal(xt_record_type_by_name(XT_S("ANOM_ABEND")), 1701);
    assert_int_equal(xt_record_type_by_name(XT_S("CRYPTO_KEY_USER")), 2404);
    assert_int_equal(xt_record_type_by_name(XT_S("VIRT_CONTROL")), 2500);
    assert_int_equal(xt_record_type_by_name(XT_S("UNKNOWN[1337]")), 1337);
    assert_int_equal(xt_record_type_by_name(XT_S("1337")), 1337);
    assert_int_equal(xt_record_type_by_name(XT_S("UNKNOWN[]")), 0);
    assert_int_equal(xt_record_type_by_name(XT_S("UNKNOWN[65536]")), 0);
    assert_int_equal(xt_record_type_by_name(XT_S("UNKNOWN[")), 0);
    assert_int_equal(xt_record_type_by_name(XT_S("syscall")), 0);
    assert_int_equal(xt_record_type_by_name(XT_S("")), 0);
    assert_null(xt_record_type_name(0));
    assert_null(xt_record_type_name(2999));
    assert_null(xt_record_type_name(UINT16_MAX));
    unsigned n = 0;
    for (unsigned type = 0; type <= UINT16_MAX; type++) {
        const char *name = xt_record_type_name((uint16_t)type);
        n += name != NULL;
        if (name)
            assert_int_equal(xt_record_type_by_name(xt_slice_str(name)), type);
    }
    assert_true(n > 180);
}

static void test_syscalls(void **state)
{
    assert_string_equal(xt_syscall_name(XT_ARCH_X86_64, 59), "execve");
    assert_string_equal(xt_syscall_name(XT_ARCH_X86_64, 59 | 0x40000000), "execve");
    assert_string_equal(xt_syscall_name(XT_ARCH_X86_64, 520 | 0x40000000), "execve");
    assert_string_equal(xt_syscall_name(XT_ARCH_I386, 11), "execve");
    assert_string_equal(xt_syscall_name(XT_ARCH_AARCH64, 221), "execve");
    assert_null(xt_syscall_name(XT_ARCH_X86_64, 100000));
    assert_null(xt_syscall_name(XT_ARCH_X86_64, UINT64_MAX));
    assert_null(xt_syscall_name(12345, 59));
    assert_int_equal(xt_syscall_by_name(XT_ARCH_X86_64, XT_S("execve")), 59);
    assert_int_equal(xt_syscall_by_name(XT_ARCH_I386, XT_S("execveat")), 358);
    assert_int_equal(xt_syscall_by_name(XT_ARCH_AARCH64, XT_S("nonsense")), -1);
    assert_int_equal(xt_syscall_by_name(0, XT_S("execve")), -1);
}

static void test_exec(void **state)
{
    /* all that have a table */
    const uint32_t arches[] = {XT_ARCH_X86_64, XT_ARCH_I386, XT_ARCH_AARCH64, 0x40000028, 0x14,       0x80000015,
                               0xc0000015,     0x16,         0x80000016,      0xc00000f3, 0xc0000102, 0x8,
                               0x40000008,     0x80000008,   0xc0000008,      0xa0000008, 0xe0000008};
    for (size_t i = 0; i < XT_COUNT_OF(arches); i++) {
        assert_true(xt_syscall_by_name(arches[i], XT_S("execveat")) > 0);
        for (unsigned number = 0; number < (arches[i] == XT_ARCH_X86_64 ? 512 : 8192); number++) {
            const char *name = xt_syscall_name(arches[i], number);
            bool is_exec = name && (strcmp(name, "execve") == 0 || strcmp(name, "execveat") == 0);
            assert_int_equal(xt_syscall_is_exec(arches[i], number), is_exec);
        }
    }
    assert_true(xt_syscall_is_exec(XT_ARCH_X86_64, 0x40000000 | 520));
    assert_false(xt_syscall_is_exec(XT_ARCH_X86_64, 0x40000000 | 59));
    assert_false(xt_syscall_is_exec(0, 59));
}

static void test_arches_and_errors(void **state)
{
    assert_string_equal(xt_arch_name(XT_ARCH_AARCH64), "aarch64");
    assert_null(xt_arch_name(1));
    assert_int_equal(xt_arch_by_name(XT_S("i386")), XT_ARCH_I386);
    assert_int_equal(xt_arch_by_name(XT_S("")), 0);
    for (int n = 1; n < 134; n++) {
        const char *want = strerrorname_np(n);
        const char *got = xt_errno_name(n);
        if (want && strcmp(want, "0") != 0)
            assert_string_equal(got, want);
    }
    assert_null(xt_errno_name(0));
    assert_null(xt_errno_name(-2));
    assert_null(xt_errno_name(100000));
}

/* What a program prints; empty when it cannot be run. */
static void output_of(xt_buf *out, char *const argv[])
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], 1);
        dup2(fds[1], 2);
        close(fds[0]);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(fds[1]);
    char piece[4096];
    for (ssize_t n; (n = read(fds[0], piece, sizeof piece)) > 0;)
        xt_buf_put(out, xt_slice_of(piece, (size_t)n));
    close(fds[0]);
    int status;
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        xt_buf_reset(out);
}

/* ausyscall shortens some names and calls others by older ones. */
static bool is_other_name(xt_slice theirs, const char *ours)
{
    static const char *const known[][2] = {
        {"pread", "pread64"},
        {"pwrite", "pwrite64"},
        {"newfstat", "fstat"},
        {"getdents", "getdents64"},
        {"sys_kexec_load", "kexec_load"},
        {"sched_rr_get_interval64", "sched_rr_get_interval_time64"},
        {"llseek", "_llseek"},
        {"newselect", "_newselect"},
        {"sysctl", "_sysctl"},
        {"fadvise64_64", "arm_fadvise64_64"},
        {"sync_file_range", "sync_file_range2"},
        {"timerfd", "timerfd_create"},
        {"perf_counter_open", "perf_event_open"},
    };
    for (size_t i = 0; i < XT_COUNT_OF(known); i++)
        if (xt_slice_eq(theirs, xt_slice_str(known[i][0])) && strcmp(ours, known[i][1]) == 0)
            return true;
    return false;
}

static size_t compare_dump(xt_slice dump, uint32_t arch)
{
    size_t n = 0;
    xt_slice line, number;
    while (xt_slice_cut(&dump, '\n', &line)) {
        uint64_t value;
        if (!xt_slice_cut(&line, '\t', &number) || !xt_slice_parse_u64(number, &value))
            continue;
        const char *ours = xt_syscall_name(arch, value);
        if (!ours && arch == 0x14 && value == 392) /* semtimedop, which 32 bit does not have in the kernel's headers */
            continue;
        if (!ours || (!xt_slice_eq(line, xt_slice_str(ours)) && !is_other_name(line, ours)))
            fail_msg("%s %d: %.*s, not %s", xt_arch_name(arch), (int)value, XT_S_ARGS(line), ours ? ours : "nothing");
        n++;
    }
    return n;
}

/* Not ppc64: auditd's table mixes the calls of 32 bit into it. */
static void test_against_ausyscall(void **state)
{
    char *const arches[] = {(char[]){"x86_64"}, (char[]){"i386"}, (char[]){"aarch64"}, (char[]){"arm"},
                            (char[]){"ppc"},    (char[]){"s390"}, (char[]){"s390x"}};
    for (size_t i = 0; i < XT_COUNT_OF(arches); i++) {
        xt_buf out = XT_BUF_INIT;
        char program[] = "ausyscall", dump[] = "--dump";
        output_of(&out, (char *[]){program, arches[i], dump, NULL});
        size_t n = compare_dump(xt_buf_slice(&out), xt_arch_by_name(xt_slice_str(arches[i])));
        bool is_absent = out.n == 0;
        xt_buf_fini(&out);
        if (is_absent)
            skip();
        assert_true(n > 250);
    }
}

static void test_against_ausearch(void **state)
{
    xt_buf out = XT_BUF_INIT;
    char program[] = "ausearch", option[] = "-m", what[] = "list";
    output_of(&out, (char *[]){program, option, what, NULL});
    xt_slice rest = xt_buf_slice(&out), name;
    ptrdiff_t at = xt_slice_find(rest, XT_S(": ALL "));
    if (at < 0) {
        xt_buf_fini(&out);
        skip();
    }
    rest = xt_slice_trim(xt_slice_skip(rest, (size_t)at + 6));
    size_t n = 0;
    while (xt_slice_cut(&rest, ' ', &name)) {
        if (xt_record_type_by_name(name) == 0)
            fail_msg("%.*s is not known", XT_S_ARGS(name));
        n++;
    }
    xt_buf_fini(&out);
    assert_true(n > 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_syscalls),
        cmocka_unit_test(test_exec),
        cmocka_unit_test(test_arches_and_errors),
        cmocka_unit_test(test_against_ausyscall),
        cmocka_unit_test(test_against_ausearch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

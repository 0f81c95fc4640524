/*
 * What an exec says about its program that its arguments do not. Whether argv[0] is another program's name is told by
 * the names that the exec itself used: the file's own, or the one that was given to the kernel (PATH item 0), which is
 * how links (vi, sh, alternatives) are no mismatch. A script's argv[0] was made by the kernel. Without a PATH record
 * nothing is said.
 */
#include "event/conversion.h"

static xt_slice base_name(xt_slice path)
{
    const char *slash = path.n > 0 ? memrchr(path.p, '/', path.n) : NULL;
    return slash ? xt_slice_skip(path, (size_t)(slash + 1 - path.p)) : path;
}

static bool is_one_of(xt_slice name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (xt_slice_eq(name, xt_slice_str(names[i])))
            return true;
    return false;
}

/* Programs that run themselves by the names of what they can be, through /proc/self/exe. */
static bool is_many_programs(xt_slice name)
{
    static const char *const names[] = {"busybox", "busybox.static", "toybox", "coreutils"};
    return is_one_of(name, names, XT_COUNT_OF(names));
}

/* ld-linux-x86-64.so.2, ld-linux.so.2, ld-musl-x86_64.so.1, ld64.so.2, ld-2.31.so, ld.so */
static bool is_loader(xt_slice name)
{
    xt_slice so = XT_S(".so");
    if (!xt_slice_starts(name, XT_S("ld")) || !memmem(name.p, name.n, so.p, so.n))
        return false;
    name = xt_slice_skip(name, 2);
    return name.p[0] == '-' || name.p[0] == '.' || xt_slice_starts(name, XT_S("64.so")) ||
           xt_slice_starts(name, XT_S("32.so"));
}

/* Whether the loader was told to run a program; --list and --verify only look at one. */
static bool runs_a_program(xt_slice args)
{
    static const char *const with_value[] = {
        "--library-path",         "--preload",          "--argv0", "--audit", "--inhibit-rpath",
        "--glibc-hwcaps-prepend", "--glibc-hwcaps-mask"};
    static const char *const only_look[] = {"--list",    "--verify",        "--help",
                                            "--version", "--list-tunables", "--list-diagnostics"};
    xt_list_iter iter = xt_list_iterate(args);
    xt_slice arg;
    (void)xt_list_next(&iter, &arg);
    while (xt_list_next(&iter, &arg)) {
        if (!xt_slice_starts(arg, XT_S("--")))
            return true;
        if (is_one_of(arg, only_look, XT_COUNT_OF(only_look)))
            return false;
        if (is_one_of(arg, with_value, XT_COUNT_OF(with_value)))
            (void)xt_list_next(&iter, &arg);
    }
    return false;
}

/* The first argument, unless it is the one that was lost. */
static bool first_argument(const xt_conversion *c, xt_slice *ret)
{
    xt_slice missing = c->args.missing;
    xt_list_iter iter = xt_list_iterate(c->args.list);
    return !(missing.n > 0 && missing.p[0] == '0') && xt_list_next(&iter, ret);
}

static bool is_either(xt_slice name, xt_slice a, xt_slice b)
{
    return xt_slice_eq(name, a) || xt_slice_eq(name, b);
}

static bool is_named_so(const xt_conversion *c, xt_slice argv0, xt_slice exe_name, xt_slice given)
{
    if (given.n == 0) /* by a descriptor: there was no name */
        given = exe_name;
    if (is_either(base_name(argv0), exe_name, base_name(given)))
        return true;
    /* login shells */
    if (xt_slice_starts(argv0, XT_S("-")) && is_either(base_name(xt_slice_skip(argv0, 1)), exe_name, base_name(given)))
        return true;
    return is_many_programs(exe_name) || xt_event_has(c->event, XT_F_SCRIPT);
}

void xt_conversion_flag_program(xt_conversion *c, const xt_path *first)
{
    xt_slice exe = xt_event_bytes(c->event, XT_F_EXE), deleted = XT_S(" (deleted)"), argv0;
    bool is_known = first && first->has_name;
    if (exe.n == 0)
        return;
    /* a file may be called so */
    if (xt_slice_ends(exe, deleted) && !(is_known && xt_slice_ends(first->name, deleted))) {
        exe.n -= deleted.n;
        c->flags |= xt_slice_starts(exe, XT_S("/memfd:")) ? XT_FLAG_MEMFD : XT_FLAG_DELETED;
    }
    xt_slice name = base_name(exe);
    if (is_loader(name) && runs_a_program(c->args.list))
        c->flags |= XT_FLAG_LOADER;
    if (is_known && first_argument(c, &argv0) && !is_named_so(c, argv0, name, first->name))
        c->flags |= XT_FLAG_ARGV0_MISMATCH;
}

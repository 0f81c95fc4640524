/*
 * Text of a rule follows auditctl: a rule that watches a file is printed as -w, every other as -a with arch first,
 * then the system calls, then the conditions in their order. Strings of conditions lie behind the struct, one
 * after the other in the order of their fields; their lengths are in values[].
 */
#include "audit/names.h"
#include "audit/rule_read.h"

typedef enum kind {
    KIND_NUMBER, /* signed: -1 is "unset" */
    KIND_HEX,
    KIND_STRING,
    KIND_ARCH,
    KIND_EXIT,
    KIND_TYPE,
    KIND_PERM,
    KIND_KEY,
    KIND_COMPARE,
    KIND_FILETYPE,
    KIND_FSTYPE,
} kind;

typedef struct field {
    uint16_t id;
    uint8_t kind;
    char name[13];
} field;

static const field fields[] = {
    {AUDIT_PID, KIND_NUMBER, "pid"},
    {AUDIT_UID, KIND_NUMBER, "uid"},
    {AUDIT_EUID, KIND_NUMBER, "euid"},
    {AUDIT_SUID, KIND_NUMBER, "suid"},
    {AUDIT_FSUID, KIND_NUMBER, "fsuid"},
    {AUDIT_GID, KIND_NUMBER, "gid"},
    {AUDIT_EGID, KIND_NUMBER, "egid"},
    {AUDIT_SGID, KIND_NUMBER, "sgid"},
    {AUDIT_FSGID, KIND_NUMBER, "fsgid"},
    {AUDIT_LOGINUID, KIND_NUMBER, "auid"},
    {AUDIT_LOGINUID_SET, KIND_NUMBER, "loginuid_set"},
    {AUDIT_SESSIONID, KIND_NUMBER, "sessionid"},
    {AUDIT_PERS, KIND_HEX, "pers"},
    {AUDIT_ARCH, KIND_ARCH, "arch"},
    {AUDIT_MSGTYPE, KIND_TYPE, "msgtype"},
    {AUDIT_SUBJ_USER, KIND_STRING, "subj_user"},
    {AUDIT_SUBJ_ROLE, KIND_STRING, "subj_role"},
    {AUDIT_SUBJ_TYPE, KIND_STRING, "subj_type"},
    {AUDIT_SUBJ_SEN, KIND_STRING, "subj_sen"},
    {AUDIT_SUBJ_CLR, KIND_STRING, "subj_clr"},
    {AUDIT_PPID, KIND_NUMBER, "ppid"},
    {AUDIT_OBJ_USER, KIND_STRING, "obj_user"},
    {AUDIT_OBJ_ROLE, KIND_STRING, "obj_role"},
    {AUDIT_OBJ_TYPE, KIND_STRING, "obj_type"},
    {AUDIT_OBJ_LEV_LOW, KIND_STRING, "obj_lev_low"},
    {AUDIT_OBJ_LEV_HIGH, KIND_STRING, "obj_lev_high"},
    {AUDIT_FSTYPE, KIND_FSTYPE, "fstype"},
    {AUDIT_DEVMAJOR, KIND_NUMBER, "devmajor"},
    {AUDIT_DEVMINOR, KIND_NUMBER, "devminor"},
    {AUDIT_INODE, KIND_NUMBER, "inode"},
    {AUDIT_EXIT, KIND_EXIT, "exit"},
    {AUDIT_SUCCESS, KIND_NUMBER, "success"},
    {AUDIT_WATCH, KIND_STRING, "path"},
    {AUDIT_PERM, KIND_PERM, "perm"},
    {AUDIT_DIR, KIND_STRING, "dir"},
    {AUDIT_FILETYPE, KIND_FILETYPE, "filetype"},
    {AUDIT_OBJ_UID, KIND_NUMBER, "obj_uid"},
    {AUDIT_OBJ_GID, KIND_NUMBER, "obj_gid"},
    {AUDIT_FIELD_COMPARE, KIND_COMPARE, ""},
    {AUDIT_EXE, KIND_STRING, "exe"},
    {AUDIT_SADDR_FAM, KIND_NUMBER, "saddr_fam"},
    {AUDIT_ARG0, KIND_HEX, "a0"},
    {AUDIT_ARG1, KIND_HEX, "a1"},
    {AUDIT_ARG2, KIND_HEX, "a2"},
    {AUDIT_ARG3, KIND_HEX, "a3"},
    {AUDIT_FILTERKEY, KIND_KEY, "key"},
};

/* AUDIT_COMPARE_A_TO_B by its number. */
static const char *const comparisons[][2] = {
    [AUDIT_COMPARE_UID_TO_OBJ_UID] = {"uid", "obj_uid"},     [AUDIT_COMPARE_GID_TO_OBJ_GID] = {"gid", "obj_gid"},
    [AUDIT_COMPARE_EUID_TO_OBJ_UID] = {"euid", "obj_uid"},   [AUDIT_COMPARE_EGID_TO_OBJ_GID] = {"egid", "obj_gid"},
    [AUDIT_COMPARE_AUID_TO_OBJ_UID] = {"auid", "obj_uid"},   [AUDIT_COMPARE_SUID_TO_OBJ_UID] = {"suid", "obj_uid"},
    [AUDIT_COMPARE_SGID_TO_OBJ_GID] = {"sgid", "obj_gid"},   [AUDIT_COMPARE_FSUID_TO_OBJ_UID] = {"fsuid", "obj_uid"},
    [AUDIT_COMPARE_FSGID_TO_OBJ_GID] = {"fsgid", "obj_gid"}, [AUDIT_COMPARE_UID_TO_AUID] = {"uid", "auid"},
    [AUDIT_COMPARE_UID_TO_EUID] = {"uid", "euid"},           [AUDIT_COMPARE_UID_TO_FSUID] = {"uid", "fsuid"},
    [AUDIT_COMPARE_UID_TO_SUID] = {"uid", "suid"},           [AUDIT_COMPARE_AUID_TO_FSUID] = {"auid", "fsuid"},
    [AUDIT_COMPARE_AUID_TO_SUID] = {"auid", "suid"},         [AUDIT_COMPARE_AUID_TO_EUID] = {"auid", "euid"},
    [AUDIT_COMPARE_EUID_TO_SUID] = {"euid", "suid"},         [AUDIT_COMPARE_EUID_TO_FSUID] = {"euid", "fsuid"},
    [AUDIT_COMPARE_SUID_TO_FSUID] = {"suid", "fsuid"},       [AUDIT_COMPARE_GID_TO_EGID] = {"gid", "egid"},
    [AUDIT_COMPARE_GID_TO_FSGID] = {"gid", "fsgid"},         [AUDIT_COMPARE_GID_TO_SGID] = {"gid", "sgid"},
    [AUDIT_COMPARE_EGID_TO_FSGID] = {"egid", "fsgid"},       [AUDIT_COMPARE_EGID_TO_SGID] = {"egid", "sgid"},
    [AUDIT_COMPARE_SGID_TO_FSGID] = {"sgid", "fsgid"},
};

static const field *field_find(uint32_t id)
{
    for (size_t i = 0; i < XT_COUNT_OF(fields); i++)
        if (fields[i].id == id)
            return &fields[i];
    return NULL;
}

static bool has_string(uint32_t id)
{
    const field *f = field_find(id);
    return f && (f->kind == KIND_STRING || f->kind == KIND_KEY);
}

static bool rule_has_all_syscalls(const struct audit_rule_data *rule)
{
    for (size_t i = 0; i < ALL_WORDS; i++)
        if (rule->mask[i] != UINT32_MAX)
            return false;
    return true;
}

static bool rule_has_syscalls(const struct audit_rule_data *rule)
{
    for (size_t i = 0; i < AUDIT_BITMASK_SIZE; i++)
        if (rule->mask[i])
            return true;
    return false;
}

/* The place in the strings while the conditions are gone through. */
typedef struct walk {
    const struct audit_rule_data *rule;
    const char *strings;
    size_t n_left;
} walk;

static walk walk_begin(const struct audit_rule_data *rule, size_t n_bytes)
{
    size_t room = n_bytes - sizeof *rule;
    return (walk){rule, rule->buf, rule->buflen < room ? rule->buflen : room};
}

/* The string of condition i, which must be asked for in order, once each. */
static xt_slice walk_string(walk *w, uint32_t i)
{
    if (!has_string(w->rule->fields[i]))
        return XT_S_NULL;
    size_t n = w->rule->values[i] < w->n_left ? w->rule->values[i] : w->n_left;
    xt_slice s = xt_slice_of(w->strings, n);
    w->strings += n;
    w->n_left -= n;
    return s;
}

static const char *operator_text(uint32_t flags)
{
    switch (flags & (AUDIT_OPERATORS | AUDIT_NEGATE)) {
    case AUDIT_NOT_EQUAL:
    case AUDIT_NEGATE:
        return "!=";
    case AUDIT_LESS_THAN:
        return "<";
    case AUDIT_GREATER_THAN:
        return ">";
    case AUDIT_LESS_THAN_OR_EQUAL:
        return "<=";
    case AUDIT_GREATER_THAN_OR_EQUAL:
        return ">=";
    case AUDIT_BIT_MASK:
        return "&";
    case AUDIT_BIT_TEST:
        return "&=";
    default:
        return "=";
    }
}

static const char *list_text(unsigned list)
{
    static const char *const names[] = {
        [AUDIT_FILTER_USER] = "user",     [AUDIT_FILTER_TASK] = "task",           [AUDIT_FILTER_ENTRY] = "entry",
        [AUDIT_FILTER_EXIT] = "exit",     [AUDIT_FILTER_WATCH] = "watch",         [AUDIT_FILTER_EXCLUDE] = "exclude",
        [AUDIT_FILTER_FS] = "filesystem", [AUDIT_FILTER_URING_EXIT] = "io_uring",
    };
    return list < XT_COUNT_OF(names) ? names[list] : "unknown";
}

static const char *action_text(uint32_t action)
{
    return action == AUDIT_NEVER ? "never" : action == AUDIT_POSSIBLE ? "possible" : "always";
}

static void put_perm(xt_buf *out, uint32_t perm)
{
    static const struct {
        uint32_t bit;
        char letter;
    } letters[] = {{AUDIT_PERM_READ, 'r'}, {AUDIT_PERM_WRITE, 'w'}, {AUDIT_PERM_EXEC, 'x'}, {AUDIT_PERM_ATTR, 'a'}};
    for (size_t i = 0; i < XT_COUNT_OF(letters); i++)
        if (perm & letters[i].bit)
            xt_buf_putc(out, letters[i].letter);
}

static void put_exit(xt_buf *out, int32_t value)
{
    const char *name = xt_errno_name(value < 0 ? -value : value);
    if (name && value < 0)
        xt_buf_printf(out, "-%s", name);
    else
        xt_buf_put_sdec(out, value);
}

static void put_type(xt_buf *out, uint32_t value)
{
    const char *name = value <= UINT16_MAX ? xt_record_type_name((uint16_t)value) : NULL;
    if (name)
        xt_buf_puts(out, name);
    else
        xt_buf_put_dec(out, value);
}

static void put_filetype(xt_buf *out, uint32_t value)
{
    static const char *const names[16] = {
        [1] = "fifo", [2] = "character", [4] = "dir", [6] = "block", [8] = "file", [10] = "link", [12] = "socket",
    };
    const char *name = names[value >> 12 & 15];
    if (name)
        xt_buf_puts(out, name);
    else
        xt_buf_put_dec(out, value);
}

static void put_fstype(xt_buf *out, uint32_t value)
{
    if (value == 0x64626720)
        xt_buf_puts(out, "debugfs");
    else if (value == 0x74726163)
        xt_buf_puts(out, "tracefs");
    else
        xt_buf_printf(out, "0x%x", value);
}

static void put_number(xt_buf *out, kind k, uint32_t value)
{
    switch (k) {
    case KIND_HEX:
        xt_buf_printf(out, "0x%x", value);
        return;
    case KIND_ARCH:
        xt_buf_puts(out, value & __AUDIT_ARCH_64BIT ? "b64" : "b32");
        return;
    case KIND_EXIT:
        put_exit(out, (int32_t)value);
        return;
    case KIND_TYPE:
        put_type(out, value);
        return;
    case KIND_PERM:
        put_perm(out, value);
        return;
    case KIND_FILETYPE:
        put_filetype(out, value);
        return;
    case KIND_FSTYPE:
        put_fstype(out, value);
        return;
    default:
        xt_buf_put_sdec(out, (int32_t)value);
    }
}

/* Several keys lie in one string, parted by a byte 1. */
static void put_keys(xt_buf *out, const char *option, xt_slice keys)
{
    xt_slice key;
    while (xt_slice_cut(&keys, '\1', &key)) {
        xt_buf_puts(out, option);
        xt_buf_put(out, key);
    }
}

static void put_comparison(xt_buf *out, uint32_t flags, uint32_t value)
{
    const char *left = "?", *right = "?";
    if (value > 0 && value < XT_COUNT_OF(comparisons)) {
        left = comparisons[value][0];
        right = comparisons[value][1];
    }
    xt_buf_printf(out, " -C %s%s%s", left, operator_text(flags), right);
}

static void put_condition(xt_buf *out, const struct audit_rule_data *rule, uint32_t i, xt_slice string)
{
    const field *f = field_find(rule->fields[i]);
    uint32_t flags = rule->fieldflags[i];
    if (f && f->kind == KIND_KEY) {
        put_keys(out, " -F key=", string);
    } else if (f && f->kind == KIND_COMPARE) {
        put_comparison(out, flags, rule->values[i]);
    } else if (!f) {
        xt_buf_printf(out, " -F f%u%s%d", rule->fields[i], operator_text(flags), (int)rule->values[i]);
    } else {
        xt_buf_printf(out, " -F %s%s", f->name, operator_text(flags));
        if (f->kind == KIND_STRING)
            xt_buf_put(out, string);
        else
            put_number(out, f->kind, rule->values[i]);
    }
}

static uint32_t native_arch(void)
{
#if defined(__aarch64__)
    return XT_ARCH_AARCH64;
#else
    return XT_ARCH_X86_64;
#endif
}

static void put_syscalls(xt_buf *out, const struct audit_rule_data *rule)
{
    if (!rule_has_syscalls(rule))
        return;
    if (rule_has_all_syscalls(rule)) {
        xt_buf_puts(out, " -S all");
        return;
    }
    uint32_t arch = rule_arch(rule);
    const char *before = " -S ";
    for (unsigned number = 0; number < ALL_WORDS * 32; number++) {
        if (!rule_has_syscall(rule, number))
            continue;
        const char *name = xt_syscall_name(arch ? arch : native_arch(), number);
        xt_buf_puts(out, before);
        if (name)
            xt_buf_puts(out, name);
        else
            xt_buf_put_dec(out, number);
        before = ",";
    }
}

/* always,exit, all calls, one path or dir, a perm, keys, nothing else. */
static bool is_watch(const struct audit_rule_data *rule)
{
    unsigned n_paths = 0, n_perms = 0;
    if (rule_list(rule) != AUDIT_FILTER_EXIT || rule->action != AUDIT_ALWAYS || !rule_has_all_syscalls(rule))
        return false;
    for (uint32_t i = 0; i < n_fields(rule); i++) {
        uint32_t id = rule->fields[i];
        if (rule->fieldflags[i] != AUDIT_EQUAL)
            return false;
        if (id == AUDIT_WATCH || id == AUDIT_DIR)
            n_paths++;
        else if (id == AUDIT_PERM)
            n_perms++;
        else if (id != AUDIT_FILTERKEY)
            return false;
    }
    return n_paths == 1 && n_perms == 1;
}

static void put_watch(xt_buf *out, const struct audit_rule_data *rule, size_t n_bytes)
{
    xt_slice path = XT_S_NULL, keys = XT_S_NULL;
    uint32_t perm = 0;
    walk w = walk_begin(rule, n_bytes);
    for (uint32_t i = 0; i < n_fields(rule); i++) {
        xt_slice string = walk_string(&w, i);
        if (rule->fields[i] == AUDIT_PERM)
            perm = rule->values[i];
        else if (rule->fields[i] == AUDIT_FILTERKEY)
            keys = string;
        else
            path = string;
    }
    xt_buf_puts(out, "-w ");
    xt_buf_put(out, path);
    xt_buf_puts(out, " -p ");
    put_perm(out, perm);
    if (keys.p)
        put_keys(out, " -k ", keys);
}

void xt_rule_format(const struct audit_rule_data *rule, size_t n_bytes, xt_buf *out)
{
    if (n_bytes < sizeof *rule)
        return;
    if (is_watch(rule)) {
        put_watch(out, rule, n_bytes);
        return;
    }
    unsigned list = rule_list(rule);
    bool has_calls = list == AUDIT_FILTER_EXIT || list == AUDIT_FILTER_ENTRY || list == AUDIT_FILTER_URING_EXIT;
    xt_buf_printf(out, "-a %s,%s", action_text(rule->action), list_text(list));
    uint32_t arch_at = 0;
    while (arch_at < n_fields(rule) && rule->fields[arch_at] != AUDIT_ARCH)
        arch_at++;
    if (arch_at < n_fields(rule))
        put_condition(out, rule, arch_at, XT_S_NULL);
    if (has_calls)
        put_syscalls(out, rule);
    walk w = walk_begin(rule, n_bytes);
    for (uint32_t i = 0; i < n_fields(rule); i++) {
        xt_slice string = walk_string(&w, i);
        if (i != arch_at)
            put_condition(out, rule, i, string);
    }
}

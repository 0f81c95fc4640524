/*
 * Text of a rule follows auditctl: a rule that watches a file is printed as -w, every other as -a with arch first,
 * then the system calls, then the conditions in their order. Strings of conditions lie behind the struct, one
 * after the other in the order of their fields; their lengths are in values[].
 */
#include "audit/names.h"
#include "audit/rule_read.h"
#include "audit/value_sets.h"

static bool has_string(uint32_t id)
{
    const xt_rule_field *f = xt_rule_field_find(id);
    return f && (f->kind == XT_RULE_KIND_STRING || f->kind == XT_RULE_KIND_PATH || f->kind == XT_RULE_KIND_KEY);
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

/* b64 and b32 are this machine's alone. */
static void put_arch(xt_buf *out, uint32_t value)
{
    const char *name = xt_arch_name(value);
    if (value == xt_rule_arch(64) || value == xt_rule_arch(32))
        xt_buf_puts(out, value == xt_rule_arch(64) ? "b64" : "b32");
    else if (name)
        xt_buf_puts(out, name);
    else
        xt_buf_printf(out, "0x%x", value);
}

static void put_number(xt_buf *out, xt_rule_kind k, uint32_t value)
{
    switch (k) {
    case XT_RULE_KIND_HEX:
        xt_buf_printf(out, "0x%x", value);
        return;
    case XT_RULE_KIND_ARCH:
        put_arch(out, value);
        return;
    case XT_RULE_KIND_EXIT:
        put_exit(out, (int32_t)value);
        return;
    case XT_RULE_KIND_TYPE:
        put_type(out, value);
        return;
    case XT_RULE_KIND_PERM:
        put_perm(out, value);
        return;
    case XT_RULE_KIND_FILETYPE:
        put_filetype(out, value);
        return;
    case XT_RULE_KIND_FSTYPE:
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
    if (value > 0 && value < XT_RULE_N_COMPARISONS) {
        left = xt_rule_comparisons[value][0];
        right = xt_rule_comparisons[value][1];
    }
    xt_buf_printf(out, " -C %s%s%s", left, operator_text(flags), right);
}

static void put_condition(xt_buf *out, const struct audit_rule_data *rule, uint32_t i, xt_slice string)
{
    const xt_rule_field *f = xt_rule_field_find(rule->fields[i]);
    uint32_t flags = rule->fieldflags[i];
    if (f && f->kind == XT_RULE_KIND_KEY) {
        put_keys(out, " -F key=", string);
    } else if (f && f->kind == XT_RULE_KIND_COMPARE) {
        put_comparison(out, flags, rule->values[i]);
    } else if (!f) {
        xt_buf_printf(out, " -F f%u%s%d", rule->fields[i], operator_text(flags), (int)rule->values[i]);
    } else {
        xt_buf_printf(out, " -F %s%s", f->name, operator_text(flags));
        if (f->kind == XT_RULE_KIND_STRING || f->kind == XT_RULE_KIND_PATH)
            xt_buf_put(out, string);
        else
            put_number(out, f->kind, rule->values[i]);
    }
}

/* "openat" for IORING_OP_OPENAT. */
static void put_uring_op(xt_buf *out, const char *name)
{
    for (const char *p = name + strlen("IORING_OP_"); *p; p++)
        xt_buf_putc(out, *p >= 'A' && *p <= 'Z' ? (char)(*p + 'a' - 'A') : *p);
}

static void put_call(xt_buf *out, const struct audit_rule_data *rule, unsigned number)
{
    bool uring = rule_list(rule) == AUDIT_FILTER_URING_EXIT;
    uint32_t arch = rule_arch(rule);
    const char *name =
        uring ? xt_value_set_name(XT_VALUES_URING_OP, number) : xt_syscall_name(arch ? arch : xt_rule_arch(64), number);
    if (!name)
        xt_buf_put_dec(out, number);
    else if (uring)
        put_uring_op(out, name);
    else
        xt_buf_puts(out, name);
}

static void put_syscalls(xt_buf *out, const struct audit_rule_data *rule)
{
    if (!rule_has_syscalls(rule))
        return;
    if (rule_has_all_syscalls(rule)) {
        xt_buf_puts(out, " -S all");
        return;
    }
    const char *before = " -S ";
    for (unsigned number = 0; number < ALL_WORDS * 32; number++) {
        if (!rule_has_syscall(rule, number))
            continue;
        xt_buf_puts(out, before);
        put_call(out, rule, number);
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

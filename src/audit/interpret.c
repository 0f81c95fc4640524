/*
 * Two steps: what kind of thing a field is, from its name and the record's type, and then what a value of that kind
 * says. Names that mean one thing everywhere stand in a sorted table; those that mean it in some records only have the
 * range of types beside them, so that the same name elsewhere stays as it is.
 */
#include <linux/audit.h>

#include "audit/interpret_private.h"
#include "audit/sockaddr.h"
#include "audit/value.h"
#include "audit/value_sets.h"

typedef enum field_kind {
    FIELD_USER,
    FIELD_GROUP,
    FIELD_SESSION,
    FIELD_EXIT,
    FIELD_ERRNO,
    FIELD_MODE,
    FIELD_RIGHTS,
    FIELD_SOCKADDR,
    FIELD_CAPABILITY,
    FIELD_CAPABILITIES,
    FIELD_SIGNAL,
    FIELD_YES_NO,
    FIELD_ARGUMENT,
    FIELD_OPEN,
    FIELD_PERSONALITY,
    FIELD_VALUE, /* a name of the set */
    FIELD_LOWER, /* the same in small letters, without the set's prefix */
    FIELD_FLAGS, /* names of the set */
    FIELD_DEVICE,
    FIELD_TITLE,
    FIELD_TYPED,
    FIELD_KEYS,
    FIELD_PERMISSIONS,
    FIELD_WORD,    /* one of words[set] */
    FIELD_DECIMAL, /* of hex */
} field_kind;

/* What small numbers mean, in the order of the numbers. */
typedef enum word_list {
    WORDS_TRUST,
    WORDS_FAN_TYPE,
    WORDS_ENFORCING,
    WORDS_AUDIT_ENABLED,
    WORDS_AUDIT_FAILURE,
    WORDS_NET_ACTION,
} word_list;

static const char *const words[][3] = {
    [WORDS_TRUST] = {"no", "yes", "unknown"},
    [WORDS_FAN_TYPE] = {"none", "rule", NULL},
    [WORDS_ENFORCING] = {"permissive", "enforcing", NULL},
    [WORDS_AUDIT_ENABLED] = {"disabled", "enabled", "immutable"},
    [WORDS_AUDIT_FAILURE] = {"silent", "printk", "panic"},
    [WORDS_NET_ACTION] = {"drop", "accept", NULL},
};

typedef struct field_row {
    char name[14];
    uint8_t kind;
    uint8_t set;          /* xt_value_set or word_list */
    uint8_t base;         /* of the number: 8, 10, 16 */
    uint16_t first, last; /* types of records; 0, 0: all */
} field_row;

enum { ADD_GROUP = 1116, DEL_GROUP = 1117, GROUP_MGMT = 1132 }; /* libaudit.h */
#define EVERYWHERE 0, 0
#define ONLY(type) (type), (type)

/* clang-format off */
static const field_row rows[] = {
    {"a0", FIELD_ARGUMENT, 0, 16, ONLY(AUDIT_SYSCALL)},
    {"a0", FIELD_ARGUMENT, 0, 16, ONLY(AUDIT_SOCKETCALL)},
    {"a1", FIELD_ARGUMENT, 1, 16, ONLY(AUDIT_SYSCALL)},
    {"a1", FIELD_ARGUMENT, 1, 16, ONLY(AUDIT_SOCKETCALL)},
    {"a2", FIELD_ARGUMENT, 2, 16, ONLY(AUDIT_SYSCALL)},
    {"a2", FIELD_ARGUMENT, 2, 16, ONLY(AUDIT_SOCKETCALL)},
    {"a3", FIELD_ARGUMENT, 3, 16, ONLY(AUDIT_SYSCALL)},
    {"a3", FIELD_ARGUMENT, 3, 16, ONLY(AUDIT_SOCKETCALL)},
    {"action", FIELD_WORD, WORDS_NET_ACTION, 10, ONLY(AUDIT_NETFILTER_PKT)},
    {"audit_enabled", FIELD_WORD, WORDS_AUDIT_ENABLED, 10, ONLY(AUDIT_CONFIG_CHANGE)},
    {"audit_failure", FIELD_WORD, WORDS_AUDIT_FAILURE, 10, ONLY(AUDIT_CONFIG_CHANGE)},
    {"auid", FIELD_USER, 0, 10, EVERYWHERE},
    {"cap_fi", FIELD_CAPABILITIES, 0, 16, EVERYWHERE},
    {"cap_fp", FIELD_CAPABILITIES, 0, 16, EVERYWHERE},
    {"cap_frootid", FIELD_USER, 0, 10, EVERYWHERE},
    {"cap_pa", FIELD_CAPABILITIES, 0, 16, EVERYWHERE},
    {"cap_pe", FIELD_CAPABILITIES, 0, 16, EVERYWHERE},
    {"cap_pi", FIELD_CAPABILITIES, 0, 16, EVERYWHERE},
    {"cap_pp", FIELD_CAPABILITIES, 0, 16, EVERYWHERE},
    {"capability", FIELD_CAPABILITY, 0, 10, ONLY(AUDIT_AVC)},
    {"capability", FIELD_CAPABILITY, 0, 10, 1500, 1599},
    {"code", FIELD_VALUE, XT_VALUES_SECCOMP_RETURN, 16, ONLY(AUDIT_SECCOMP)},
    {"data", FIELD_TYPED, 0, 0, ONLY(AUDIT_TTY)},
    {"data", FIELD_TYPED, 0, 0, ONLY(AUDIT_USER_TTY)},
    {"dev", FIELD_DEVICE, 0, 16, ONLY(AUDIT_PATH)},
    {"egid", FIELD_GROUP, 0, 10, EVERYWHERE},
    {"enabled", FIELD_YES_NO, 0, 10, ONLY(AUDIT_MAC_STATUS)},
    {"enforcing", FIELD_WORD, WORDS_ENFORCING, 10, ONLY(AUDIT_MAC_STATUS)},
    {"errno", FIELD_ERRNO, 0, 10, 1800, 1899},
    {"euid", FIELD_USER, 0, 10, EVERYWHERE},
    {"exit", FIELD_EXIT, 0, 10, ONLY(AUDIT_SYSCALL)},
    {"exit", FIELD_EXIT, 0, 10, ONLY(AUDIT_URINGOP)},
    {"family", FIELD_LOWER, XT_VALUES_NF_FAMILY, 10, AUDIT_NETFILTER_PKT, AUDIT_NETFILTER_CFG},
    {"fan_info", FIELD_DECIMAL, 0, 16, ONLY(AUDIT_FANOTIFY)},
    {"fan_type", FIELD_WORD, WORDS_FAN_TYPE, 10, ONLY(AUDIT_FANOTIFY)},
    {"fi", FIELD_CAPABILITIES, 0, 16, ONLY(AUDIT_BPRM_FCAPS)},
    {"flags", FIELD_FLAGS, XT_VALUES_MAP, 16, ONLY(AUDIT_MMAP)},
    {"fp", FIELD_CAPABILITIES, 0, 16, ONLY(AUDIT_BPRM_FCAPS)},
    {"frootid", FIELD_USER, 0, 10, ONLY(AUDIT_BPRM_FCAPS)},
    {"fsgid", FIELD_GROUP, 0, 10, EVERYWHERE},
    {"fsuid", FIELD_USER, 0, 10, EVERYWHERE},
    {"gid", FIELD_GROUP, 0, 10, EVERYWHERE},
    {"hook", FIELD_LOWER, XT_VALUES_NF_HOOK, 10, ONLY(AUDIT_NETFILTER_PKT)},
    {"icmptype", FIELD_LOWER, XT_VALUES_ICMP, 10, ONLY(AUDIT_NETFILTER_PKT)},
    {"id", FIELD_GROUP, 0, 10, ADD_GROUP, DEL_GROUP},
    {"id", FIELD_GROUP, 0, 10, ONLY(GROUP_MGMT)},
    {"id", FIELD_USER, 0, 10, AUDIT_FIRST_USER_MSG, AUDIT_LAST_USER_MSG},
    {"igid", FIELD_GROUP, 0, 10, EVERYWHERE},
    {"inode_gid", FIELD_GROUP, 0, 10, EVERYWHERE},
    {"inode_uid", FIELD_USER, 0, 10, EVERYWHERE},
    {"ioctlcmd", FIELD_VALUE, XT_VALUES_IOCTL, 16, ONLY(AUDIT_AVC)},
    {"iuid", FIELD_USER, 0, 10, EVERYWHERE},
    {"key", FIELD_KEYS, 0, 0, EVERYWHERE},
    {"list", FIELD_LOWER, XT_VALUES_AUDIT_FILTER, 10, ONLY(AUDIT_CONFIG_CHANGE)},
    {"macproto", FIELD_LOWER, XT_VALUES_ETHER, 16, ONLY(AUDIT_NETFILTER_PKT)},
    {"mode", FIELD_MODE, 0, 8, ONLY(AUDIT_PATH)},
    {"mode", FIELD_RIGHTS, 0, 8, ONLY(AUDIT_MQ_OPEN)},
    {"mode", FIELD_RIGHTS, 0, 8, ONLY(AUDIT_IPC)},
    {"mode", FIELD_RIGHTS, 0, 8, ONLY(AUDIT_IPC_SET_PERM)},
    {"mode", FIELD_RIGHTS, 0, 8, ONLY(AUDIT_OPENAT2)},
    {"new-auid", FIELD_USER, 0, 10, EVERYWHERE},
    {"new-ses", FIELD_SESSION, 0, 10, EVERYWHERE},
    {"new_gid", FIELD_GROUP, 0, 10, EVERYWHERE},
    {"new_pe", FIELD_CAPABILITIES, 0, 16, EVERYWHERE},
    {"new_pi", FIELD_CAPABILITIES, 0, 16, EVERYWHERE},
    {"new_pp", FIELD_CAPABILITIES, 0, 16, EVERYWHERE},
    {"nl-mcgrp", FIELD_VALUE, XT_VALUES_AUDIT_GROUP, 10, ONLY(AUDIT_EVENT_LISTENER)},
    {"oauid", FIELD_USER, 0, 10, EVERYWHERE},
    {"obj_gid", FIELD_GROUP, 0, 10, EVERYWHERE},
    {"obj_trust", FIELD_WORD, WORDS_TRUST, 10, ONLY(AUDIT_FANOTIFY)},
    {"obj_uid", FIELD_USER, 0, 10, EVERYWHERE},
    {"oflag", FIELD_OPEN, 0, 16, ONLY(AUDIT_MQ_OPEN)},
    {"oflag", FIELD_OPEN, 0, 8, ONLY(AUDIT_OPENAT2)},
    {"ogid", FIELD_GROUP, 0, 10, EVERYWHERE},
    {"old-auid", FIELD_USER, 0, 10, EVERYWHERE},
    {"old-enabled", FIELD_YES_NO, 0, 10, ONLY(AUDIT_MAC_STATUS)},
    {"old-ses", FIELD_SESSION, 0, 10, EVERYWHERE},
    {"old_enforcing", FIELD_WORD, WORDS_ENFORCING, 10, ONLY(AUDIT_MAC_STATUS)},
    {"old_pa", FIELD_CAPABILITIES, 0, 16, EVERYWHERE},
    {"old_pe", FIELD_CAPABILITIES, 0, 16, EVERYWHERE},
    {"old_pi", FIELD_CAPABILITIES, 0, 16, EVERYWHERE},
    {"old_pp", FIELD_CAPABILITIES, 0, 16, EVERYWHERE},
    {"old_prom", FIELD_YES_NO, 0, 10, ONLY(AUDIT_ANOM_PROMISCUOUS)},
    {"oses", FIELD_SESSION, 0, 10, EVERYWHERE},
    {"ouid", FIELD_USER, 0, 10, EVERYWHERE},
    {"pa", FIELD_CAPABILITIES, 0, 16, ONLY(AUDIT_BPRM_FCAPS)},
    {"pe", FIELD_CAPABILITIES, 0, 16, ONLY(AUDIT_BPRM_FCAPS)},
    {"per", FIELD_PERSONALITY, 0, 16, ONLY(AUDIT_SYSCALL)},
    {"perm", FIELD_PERMISSIONS, 0, 10, ONLY(AUDIT_CONFIG_CHANGE)},
    {"permissive", FIELD_YES_NO, 0, 10, ONLY(AUDIT_AVC)},
    {"pi", FIELD_CAPABILITIES, 0, 16, ONLY(AUDIT_BPRM_FCAPS)},
    {"pp", FIELD_CAPABILITIES, 0, 16, ONLY(AUDIT_BPRM_FCAPS)},
    {"proctitle", FIELD_TITLE, 0, 0, ONLY(AUDIT_PROCTITLE)},
    {"prom", FIELD_YES_NO, 0, 10, ONLY(AUDIT_ANOM_PROMISCUOUS)},
    {"proto", FIELD_LOWER, XT_VALUES_IP_PROTO, 10, ONLY(AUDIT_NETFILTER_PKT)},
    {"rdev", FIELD_DEVICE, 0, 16, ONLY(AUDIT_PATH)},
    {"res", FIELD_YES_NO, 0, 10, EVERYWHERE},
    {"resolve", FIELD_FLAGS, XT_VALUES_RESOLVE, 16, ONLY(AUDIT_OPENAT2)},
    {"resp", FIELD_VALUE, XT_VALUES_FANOTIFY, 10, ONLY(AUDIT_FANOTIFY)},
    {"result", FIELD_YES_NO, 0, 10, EVERYWHERE},
    {"saddr", FIELD_SOCKADDR, 0, 0, ONLY(AUDIT_SOCKADDR)},
    {"sauid", FIELD_USER, 0, 10, EVERYWHERE},
    {"ses", FIELD_SESSION, 0, 10, EVERYWHERE},
    {"sgid", FIELD_GROUP, 0, 10, EVERYWHERE},
    {"sig", FIELD_SIGNAL, 0, 10, ONLY(AUDIT_ANOM_ABEND)},
    {"sig", FIELD_SIGNAL, 0, 10, ONLY(AUDIT_SECCOMP)},
    {"sigev_signo", FIELD_SIGNAL, 0, 10, ONLY(AUDIT_MQ_NOTIFY)},
    {"subj_trust", FIELD_WORD, WORDS_TRUST, 10, ONLY(AUDIT_FANOTIFY)},
    {"suid", FIELD_USER, 0, 10, EVERYWHERE},
    {"uid", FIELD_USER, 0, 10, EVERYWHERE},
    {"uring_op", FIELD_VALUE, XT_VALUES_URING_OP, 10, ONLY(AUDIT_URINGOP)},
};
/* clang-format on */

static bool is_in_range(const field_row *row, uint16_t type)
{
    return row->last == 0 || (type >= row->first && type <= row->last);
}

static int compare_name(const field_row *row, xt_slice name)
{
    size_t n = strnlen(row->name, sizeof row->name);
    int order = memcmp(row->name, name.p, n < name.n ? n : name.n);
    return order != 0 ? order : (n > name.n) - (n < name.n);
}

/* The first row of that name whose range holds the type. */
static const field_row *find_row(uint16_t type, xt_slice name)
{
    size_t low = 0, high = XT_COUNT_OF(rows);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare_name(&rows[middle], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < XT_COUNT_OF(rows) && compare_name(&rows[low], name) == 0; low++)
        if (is_in_range(&rows[low], type))
            return &rows[low];
    return NULL;
}

/* Digits in the base of the row; a 0x in front of hex is no digit. */
static bool parse_number(const field_row *row, xt_slice text, uint64_t *ret)
{
    int64_t with_sign;
    switch (row->base) {
    case 8:
        return xt_slice_parse_octal(text, ret);
    case 16:
        return xt_slice_parse_hex(xt_slice_starts(text, XT_S("0x")) ? xt_slice_skip(text, 2) : text, ret);
    default:
        if (!xt_value_i64(text, &with_sign))
            return xt_value_u64(text, ret);
        *ret = (uint64_t)with_sign;
        return true;
    }
}

static bool gives_an_address(xt_slice syscall)
{
    static const char *const names[] = {"mmap", "mmap2", "mremap", "brk", "shmat"};
    for (size_t i = 0; i < XT_COUNT_OF(names); i++)
        if (xt_slice_eq(syscall, xt_slice_str(names[i])))
            return true;
    return false;
}

static bool put_exit(const xt_interpret_context *c, int64_t value, xt_buf *out)
{
    enum { LAST_SAME = 34 }; /* of the errors that all architectures share */
    if (value < 0 && (xt_interpret_is_generic(c->arch) || value >= -LAST_SAME))
        return xt_interpret_error((uint64_t)-value, out);
    if (value <= 0 || !gives_an_address(c->syscall))
        return false;
    xt_buf_printf(out, "0x%llx", (unsigned long long)value);
    return true;
}

/* Of AUDIT_FILTER_EXIT and its like what stands behind the set's prefix. */
static size_t prefix_of(xt_value_set set)
{
    switch (set) {
    case XT_VALUES_AUDIT_FILTER:
        return strlen("AUDIT_FILTER_");
    case XT_VALUES_NF_FAMILY:
        return strlen("NFPROTO_");
    case XT_VALUES_NF_HOOK:
        return strlen("NF_INET_");
    case XT_VALUES_IP_PROTO:
        return strlen("IPPROTO_");
    case XT_VALUES_ETHER:
        return strlen("ETH_P_");
    case XT_VALUES_ICMP:
        return strlen("ICMP_");
    default:
        return 0;
    }
}

#define MAX_SOCKADDR 128 /* bytes, of sockaddr_storage */

static bool put_sockaddr(const xt_interpret_context *c, xt_slice digits, xt_buf *out)
{
    char bytes[MAX_SOCKADDR];
    if (digits.n > 2 * sizeof bytes || digits.n % 2 != 0 || !xt_value_unhex(digits, bytes))
        return false;
    return xt_sockaddr_put(xt_slice_of(bytes, digits.n / 2), c->arch, out);
}

static bool put_plain_name(const char *name, xt_buf *out)
{
    if (name)
        xt_buf_puts(out, name);
    return name != NULL;
}

static bool put_word(const field_row *row, uint64_t number, xt_buf *out)
{
    return number < XT_COUNT_OF(words[0]) && put_plain_name(words[row->set][number], out);
}

static bool put_hex_in_decimal(uint64_t number, xt_buf *out)
{
    xt_buf_put_dec(out, number);
    return number > 9;
}

/* SOCKETCALL's arguments are those of the call that the number in a0 of the system call stands for. */
static bool put_argument(const xt_interpret_context *c, const field_row *row, uint64_t value, xt_buf *out)
{
    char text[32];
    xt_buf name = XT_BUF_ON(text);
    xt_interpret_context inner = *c;
    if (c->record_type != AUDIT_SOCKETCALL)
        return xt_interpret_argument(c, row->set, value, out);
    if (!xt_interpret_lower(xt_value_set_name(XT_VALUES_SOCKETCALL, c->called), strlen("SYS_"), &name))
        return false;
    inner.syscall = xt_buf_slice(&name);
    return xt_interpret_argument(&inner, row->set, value, out);
}

static bool put_number(const xt_interpret_context *c, const field_row *row, uint64_t number, xt_buf *out)
{
    switch ((field_kind)row->kind) {
    case FIELD_USER:
    case FIELD_GROUP:
        return xt_interpret_id(c->names, number, row->kind == FIELD_GROUP, out);
    case FIELD_SESSION:
        return xt_interpret_id(NULL, number, false, out);
    case FIELD_EXIT:
        return put_exit(c, (int64_t)number, out);
    case FIELD_ERRNO:
        return number != 0 && xt_interpret_error((int64_t)number < 0 ? -number : number, out);
    case FIELD_MODE:
        xt_interpret_mode(number, out);
        return true;
    case FIELD_RIGHTS:
        return xt_interpret_rights(number, out);
    case FIELD_CAPABILITY:
        return xt_interpret_capability(number, out);
    case FIELD_CAPABILITIES:
        return xt_interpret_capabilities(number, out);
    case FIELD_SIGNAL:
        return xt_interpret_is_generic(c->arch) && xt_interpret_signal(number, out);
    case FIELD_YES_NO:
        return put_plain_name(number == 0 ? "no" : "yes", out);
    case FIELD_ARGUMENT:
        return put_argument(c, row, number, out);
    case FIELD_OPEN:
        return xt_interpret_is_generic(c->arch) && xt_interpret_open_flags(c->arch, number, out);
    case FIELD_PERSONALITY:
        return xt_interpret_personality(number, out);
    case FIELD_VALUE:
        return put_plain_name(xt_value_set_name(row->set, number), out);
    case FIELD_LOWER:
        return xt_interpret_lower(xt_value_set_name(row->set, number), prefix_of(row->set), out);
    case FIELD_FLAGS:
        return xt_value_set_put_flags(row->set, number, out);
    case FIELD_PERMISSIONS:
        return xt_interpret_permissions(number, out);
    case FIELD_WORD:
        return put_word(row, number, out);
    case FIELD_DECIMAL:
        return put_hex_in_decimal(number, out);
    default:
        return false;
    }
}

static bool says_the_same(const xt_buf *out, size_t start, xt_slice value)
{
    return out->n > start && xt_slice_eq(xt_slice_of(out->p + start, out->n - start), value);
}

bool xt_interpret(const xt_interpret_context *context, xt_slice name, xt_slice value, xt_buf *out)
{
    const field_row *row = name.n > 0 ? find_row(context->record_type, name) : NULL;
    uint64_t number;
    size_t start = out->n;
    if (!row)
        return false;
    switch ((field_kind)row->kind) {
    case FIELD_SOCKADDR:
        return put_sockaddr(context, value, out);
    case FIELD_DEVICE:
        return xt_interpret_device(value, out);
    case FIELD_TITLE:
        return xt_interpret_title(value, out);
    case FIELD_TYPED:
        if (!xt_interpret_typed(value, out))
            out->n = start; /* the value says it itself */
        return out->n > start;
    case FIELD_KEYS:
        return xt_interpret_rule_keys(value, out);
    default:
        break;
    }
    if (!parse_number(row, value, &number))
        return false;
    if (!put_number(context, row, number, out) || says_the_same(out, start, value))
        out->n = start;
    return out->n > start;
}

/*
 * Fields that are one value of one field of one record. The system call's record alone fills them; without one, the
 * first record that has a value of that kind.
 */
#include <arpa/inet.h>
#include <linux/audit.h>

#include "audit/names.h"
#include "audit/value.h"
#include "event/explain_build.h"

typedef enum value_kind { OF_ARCH, OF_SYSCALL, OF_UINT, OF_INT, OF_ID, OF_SET_ID, OF_WORD, OF_TEXT } value_kind;

typedef struct field_source {
    xt_field field;
    const char *name;
    value_kind kind;
} field_source;

static const field_source table[] = {
    {XT_F_UID, "uid", OF_ID},
    {XT_F_EUID, "euid", OF_ID},
    {XT_F_AUID, "auid", OF_SET_ID},
    {XT_F_GID, "gid", OF_ID},
    {XT_F_SES, "ses", OF_SET_ID},
    {XT_F_PID, "pid", OF_UINT},
    {XT_F_PPID, "ppid", OF_UINT},
    {XT_F_COMM, "comm", OF_TEXT},
    {XT_F_TTY, "tty", OF_WORD},
    {XT_F_EXIT, "exit", OF_INT},
    {XT_F_SUCCESS, "success", OF_WORD},
    {XT_F_ARCH, "arch", OF_ARCH},
    {XT_F_SYSCALL, "syscall", OF_SYSCALL},
    {XT_F_SUID, "suid", OF_ID},
    {XT_F_FSUID, "fsuid", OF_ID},
    {XT_F_EGID, "egid", OF_ID},
    {XT_F_SGID, "sgid", OF_ID},
    {XT_F_FSGID, "fsgid", OF_ID},
    {XT_F_ITEMS, "items", OF_UINT},
    {XT_F_EXE, "exe", OF_TEXT},
};

static bool convert_arch(xt_slice value, xt_slice *ret, xt_explain_how *ret_how)
{
    uint64_t number;
    if (!xt_slice_parse_hex(value, &number) || number > UINT32_MAX)
        number = xt_arch_by_name(value);
    const char *name = number > 0 ? xt_arch_name((uint32_t)number) : NULL;
    *ret = name ? xt_slice_str(name) : value;
    *ret_how = name ? XT_EXPLAIN_TABLE : XT_EXPLAIN_LITERAL;
    return number > 0;
}

static bool convert_syscall(const xt_explain_build *b, xt_slice value, xt_slice *ret, xt_explain_how *ret_how)
{
    uint64_t number;
    const char *name = xt_value_u64(value, &number) ? xt_syscall_name(b->arch, number) : NULL;
    *ret = name ? xt_slice_str(name) : value;
    *ret_how = name ? XT_EXPLAIN_TABLE : XT_EXPLAIN_LITERAL;
    return true;
}

static bool convert_number(xt_explain_build *b, value_kind kind, xt_slice value, xt_slice *ret)
{
    uint64_t number;
    int64_t with_sign;
    uint32_t id;
    if (kind == OF_INT && xt_value_i64(value, &with_sign))
        *ret = xt_explain_format(b, "%lld", (long long)with_sign);
    else if (kind == OF_UINT && xt_value_u64(value, &number) && number <= UINT32_MAX)
        *ret = xt_explain_format(b, "%llu", (unsigned long long)number);
    else if ((kind == OF_ID || kind == OF_SET_ID) && xt_value_id(value, &id) && (kind == OF_ID || id != XT_ID_UNSET))
        *ret = xt_explain_format(b, "%u", (unsigned)id);
    else
        return false;
    return true;
}

/* The field's value as text; false when it is none of that kind. */
static bool convert(xt_explain_build *b, value_kind kind, const xt_audit_field *field, xt_slice *ret,
                    xt_explain_how *ret_how)
{
    *ret_how = XT_EXPLAIN_DECIMAL;
    switch (kind) {
    case OF_ARCH:
        return convert_arch(field->value, ret, ret_how);
    case OF_SYSCALL:
        return convert_syscall(b, field->value, ret, ret_how);
    case OF_TEXT:
        return xt_explain_text(b, field, ret, ret_how);
    case OF_WORD:
        *ret = field->value;
        *ret_how = XT_EXPLAIN_LITERAL;
        return field->quoting == XT_BARE;
    default:
        return convert_number(b, kind, field->value, ret);
    }
}

static bool may_fill(const xt_explain_build *b, const xt_explain_source *s)
{
    uint16_t type = s->record->record.type;
    return b->head ? s->record == b->head
                   : type != AUDIT_EXECVE && type != AUDIT_PATH && type != AUDIT_CWD && type != AUDIT_PROCTITLE;
}

/* True when the body of a record has such a field: the row is added then. */
static bool explain_plain(xt_explain_build *b, xt_field field)
{
    const field_source *way = table;
    while (way->field != field)
        way++;
    for (size_t i = 0; i < b->n_sources; i++) {
        const xt_explain_source *s = &b->sources[i];
        xt_slice again;
        xt_explain_how how;
        if (s->place != XT_EXPLAIN_BODY || s->is_old || !may_fill(b, s) ||
            !xt_slice_eq(s->field.name, xt_slice_str(way->name)) || !convert(b, way->kind, &s->field, &again, &how))
            continue;
        xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
        xt_explain_source_of(b, v, s, how);
        xt_explain_prove(v, again);
        return true;
    }
    return false;
}

/* What auditd wrote behind the record. */
static void explain_enriched(xt_explain_build *b, xt_field field, xt_slice name)
{
    for (size_t i = 0; i < b->n_sources; i++) {
        const xt_explain_source *s = &b->sources[i];
        xt_slice value = s->field.value;
        if (s->place != XT_EXPLAIN_ENRICHED || (b->head && s->record != b->head) || !xt_slice_eq(s->field.name, name) ||
            xt_slice_eq(value, XT_S("unset")) || xt_slice_starts(value, XT_S("unknown(")))
            continue;
        xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
        xt_explain_source_of(b, v, s, s->field.quoting == XT_BARE ? XT_EXPLAIN_LITERAL : XT_EXPLAIN_QUOTED);
        xt_explain_rule(b, v, "added by auditd (log_format = ENRICHED)");
        xt_explain_prove(v, value);
        return;
    }
}

void xt_explain_ordinary(xt_explain_build *b, xt_field field)
{
    if (explain_plain(b, field))
        return;
    if (field == XT_F_ARCH || field == XT_F_SYSCALL)
        explain_enriched(b, field, field == XT_F_ARCH ? XT_S("ARCH") : XT_S("SYSCALL"));
}

void xt_explain_name_of_id(xt_explain_build *b, xt_field field)
{
    xt_slice name = field == XT_F_USER    ? XT_S("UID")
                    : field == XT_F_EUSER ? XT_S("EUID")
                    : field == XT_F_LOGIN ? XT_S("AUID")
                                          : XT_S("GID");
    explain_enriched(b, field, name);
}

/* /dev/pts/1 and pts/1 are pts1; anything else that a program calls its terminal is none. */
static bool convert_terminal(xt_explain_build *b, xt_slice text, xt_slice *ret)
{
    char tty[33];
    size_t n = 0;
    if (xt_slice_starts(text, XT_S("/dev/")))
        text = xt_slice_skip(text, 5);
    if (text.n > 32 || (!xt_slice_starts(text, XT_S("pts/")) && !xt_slice_starts(text, XT_S("tty"))))
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '/')
            tty[n++] = text.p[i];
    *ret = xt_explain_format(b, "%.*s", (int)n, tty);
    return true;
}

void xt_explain_tty(xt_explain_build *b, xt_field field)
{
    xt_slice again;
    if (explain_plain(b, field))
        return;
    for (size_t i = 0; i < b->n_sources; i++) {
        const xt_explain_source *s = &b->sources[i];
        if (s->place != XT_EXPLAIN_MSG || !xt_slice_eq(s->field.name, XT_S("terminal")) ||
            !convert_terminal(b, s->field.value, &again))
            continue;
        xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
        xt_explain_source_of(b, v, s, XT_EXPLAIN_LITERAL);
        xt_explain_rule(b, v, "the terminal that the program named, without /dev/ and slashes");
        xt_explain_prove(v, again);
        return;
    }
    xt_explain_typed(b, field);
}

static bool is_address(xt_slice text)
{
    char z[INET6_ADDRSTRLEN] = "";
    struct in6_addr ignored;
    if (text.n >= sizeof z)
        return false;
    memcpy(z, text.p, text.n);
    return text.n > 1 && (inet_pton(AF_INET, z, &ignored) == 1 || inet_pton(AF_INET6, z, &ignored) == 1);
}

void xt_explain_from(xt_explain_build *b, xt_field field)
{
    for (size_t i = 0; i < b->n_sources; i++) {
        const xt_explain_source *s = &b->sources[i];
        if (s->place != XT_EXPLAIN_MSG || !xt_slice_eq(s->field.name, XT_S("addr")) || !is_address(s->field.value))
            continue;
        xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
        xt_explain_source_of(b, v, s, XT_EXPLAIN_LITERAL);
        xt_explain_rule(b, v, "the first addr= that is an address, as the program wrote it");
        xt_explain_prove(v, s->field.value);
        return;
    }
}

#define KEY_SEPARATOR 1

void xt_explain_keys(xt_explain_build *b, xt_field field)
{
    const xt_explain_source *s = xt_explain_find_in_head(b, XT_S("key"));
    xt_slice text, again = XT_S_NULL, key;
    xt_explain_how how;
    if (!s || !xt_explain_text(b, &s->field, &text, &how))
        return;
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(b->event, field));
    for (unsigned i = 0; xt_list_next(&iter, &key); i++) {
        xt_explain_value *v =
            xt_explain_row_of(b, field, xt_explain_format(b, "%s[%u]", xt_field_find(field)->name, i), key);
        bool is_there = xt_slice_cut(&text, KEY_SEPARATOR, &again);
        xt_explain_source_of(b, v, s, how);
        if (i > 0 || text.p)
            xt_explain_rule(b, v, "keys stand with the byte 01 between them");
        xt_explain_prove(v, again);
        v->is_proved &= is_there && (iter.left > 0 || !text.p);
    }
}

void xt_explain_cwd(xt_explain_build *b, xt_field field)
{
    xt_slice again;
    xt_explain_how how;
    for (size_t i = 0; i < b->n_sources; i++) {
        const xt_explain_source *s = &b->sources[i];
        if (s->record->record.type != AUDIT_CWD || s->place != XT_EXPLAIN_BODY ||
            !xt_slice_eq(s->field.name, XT_S("cwd")) || !xt_explain_text(b, &s->field, &again, &how))
            continue;
        xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
        xt_explain_source_of(b, v, s, how);
        xt_explain_prove(v, again);
        return;
    }
}

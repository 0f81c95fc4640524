/*
 * One table says which fields of a record are fields of the schema and how their values are read; all others are kept
 * in RECORDS as they are. What a program wrote (inside of msg='...') is always kept there; a few of its fields are
 * copied to where people look for them.
 */
#include <arpa/inet.h>
#include <linux/audit.h>

#include "audit/field_row.h"
#include "audit/names.h"
#include "audit/sockaddr.h"
#include "audit/value.h"
#include "event/conversion.h"

typedef enum field_kind {
    KIND_KEEP,
    KIND_ARCH,
    KIND_SYSCALL,
    KIND_POINTER, /* a0 to a3 */
    KIND_UINT,
    KIND_INT,
    KIND_ID,
    KIND_ID_OR_UNSET, /* absent in the event when unset */
    KIND_WORD,        /* bare text */
    KIND_TEXT,        /* quoted or hex */
    KIND_KEY,
    KIND_RES,
} field_kind;

typedef struct field_row {
    xt_row_name name;
    field_kind kind;
    xt_field field;
} field_row;

/* in the order of linux kernel/auditsc.c audit_log_exit and audit_log_task_info */
static const field_row rows[] = {
    {XT_ROW_NAME("arch"), KIND_ARCH, XT_F_ARCH},       {XT_ROW_NAME("syscall"), KIND_SYSCALL, XT_F_SYSCALL},
    {XT_ROW_NAME("success"), KIND_WORD, XT_F_SUCCESS}, {XT_ROW_NAME("exit"), KIND_INT, XT_F_EXIT},
    {XT_ROW_NAME("a0"), KIND_POINTER, XT_F_INVALID},   {XT_ROW_NAME("a1"), KIND_POINTER, XT_F_INVALID},
    {XT_ROW_NAME("a2"), KIND_POINTER, XT_F_INVALID},   {XT_ROW_NAME("a3"), KIND_POINTER, XT_F_INVALID},
    {XT_ROW_NAME("items"), KIND_UINT, XT_F_ITEMS},     {XT_ROW_NAME("ppid"), KIND_UINT, XT_F_PPID},
    {XT_ROW_NAME("pid"), KIND_UINT, XT_F_PID},         {XT_ROW_NAME("auid"), KIND_ID_OR_UNSET, XT_F_AUID},
    {XT_ROW_NAME("uid"), KIND_ID, XT_F_UID},           {XT_ROW_NAME("gid"), KIND_ID, XT_F_GID},
    {XT_ROW_NAME("euid"), KIND_ID, XT_F_EUID},         {XT_ROW_NAME("suid"), KIND_ID, XT_F_SUID},
    {XT_ROW_NAME("fsuid"), KIND_ID, XT_F_FSUID},       {XT_ROW_NAME("egid"), KIND_ID, XT_F_EGID},
    {XT_ROW_NAME("sgid"), KIND_ID, XT_F_SGID},         {XT_ROW_NAME("fsgid"), KIND_ID, XT_F_FSGID},
    {XT_ROW_NAME("tty"), KIND_WORD, XT_F_TTY},         {XT_ROW_NAME("ses"), KIND_ID_OR_UNSET, XT_F_SES},
    {XT_ROW_NAME("comm"), KIND_TEXT, XT_F_COMM},       {XT_ROW_NAME("exe"), KIND_TEXT, XT_F_EXE},
    {XT_ROW_NAME("subj"), KIND_KEEP, XT_F_INVALID},    {XT_ROW_NAME("key"), KIND_KEY, XT_F_KEY},
    {XT_ROW_NAME("res"), KIND_RES, XT_F_INVALID},
};

static const xt_row_table table = XT_ROW_TABLE(rows);

static bool is_head(const xt_conversion *c)
{
    return c->record == c->head;
}

static void read_arch(xt_conversion *c, const xt_audit_field *field)
{
    uint64_t number;
    if (!xt_slice_parse_hex(field->value, &number) || number > UINT32_MAX)
        number = xt_arch_by_name(field->value);
    if (number == 0) {
        xt_conversion_keep(c, field, false);
        return;
    }
    const char *name = xt_arch_name((uint32_t)number);
    if (is_head(c) || !c->head)
        c->arch = (uint32_t)number;
    xt_conversion_fill_bytes(c, XT_F_ARCH, name ? xt_slice_str(name) : field->value, field);
}

#define X32_BIT UINT64_C(0x40000000)

static void read_syscall(xt_conversion *c, const xt_audit_field *field)
{
    uint64_t number;
    if (!xt_value_u64(field->value, &number)) {
        int by_name = xt_syscall_by_name(c->arch, field->value);
        number = by_name >= 0 ? (uint64_t)by_name : UINT64_MAX;
    }
    const char *name = number == UINT64_MAX ? NULL : xt_syscall_name(c->arch, number);
    if (is_head(c)) {
        c->syscall = number;
        c->is_exec |= number != UINT64_MAX && xt_syscall_is_exec(c->arch, number);
    }
    xt_conversion_fill_bytes(c, XT_F_SYSCALL, name ? xt_slice_str(name) : field->value, field);
    if (name && number & X32_BIT) /* the name alone does not say so */
        xt_conversion_keep(c, field, false);
}

static void read_id(xt_conversion *c, const field_row *row, const xt_audit_field *field)
{
    uint32_t id;
    c->has_ses |= row->field == XT_F_SES && is_head(c);
    if (!xt_value_id(field->value, &id))
        xt_conversion_keep(c, field, false);
    else if (row->kind == KIND_ID || id != XT_ID_UNSET)
        xt_conversion_fill_num(c, row->field, id, field);
    else if (xt_event_has(c->event, row->field))
        xt_conversion_keep(c, field, false);
    else if (c->head)
        xt_conversion_keep_repeated(c, field);
}

static void read_number(xt_conversion *c, const field_row *row, const xt_audit_field *field)
{
    uint64_t number;
    int64_t with_sign;
    if (row->kind == KIND_UINT && xt_value_u64(field->value, &number) && number <= UINT32_MAX)
        xt_conversion_fill_num(c, row->field, number, field);
    else if (row->kind == KIND_INT && xt_value_i64(field->value, &with_sign))
        xt_conversion_fill_num(c, row->field, (uint64_t)with_sign, field);
    else
        xt_conversion_keep(c, field, false);
}

static void read_text(xt_conversion *c, const field_row *row, const xt_audit_field *field)
{
    xt_slice text = field->value;
    c->has_comm |= row->field == XT_F_COMM && is_head(c);
    if (row->field == XT_F_EXE && is_head(c) && !c->exe.name.p)
        c->exe = *field; /* whose it is depends on whether the exec failed */
    else if (row->kind == KIND_WORD ? field->quoting == XT_BARE : xt_conversion_text(c, field, &text))
        xt_conversion_fill_bytes(c, row->field, text, field);
    else
        xt_conversion_keep(c, field, false);
}

#define KEY_SEPARATOR 1

/* Keys of all rules that matched, as one text with 0x01 between them; (null) for none. */
static void read_key(xt_conversion *c, const xt_audit_field *field)
{
    xt_slice text, key;
    c->has_key |= is_head(c);
    if (!is_head(c) || xt_event_has(c->event, XT_F_KEY)) {
        xt_conversion_keep(c, field, false);
        return;
    }
    if (!xt_conversion_text(c, field, &text))
        return;
    size_t n = 0;
    for (xt_slice rest = text; xt_slice_cut(&rest, KEY_SEPARATOR, &key);)
        n++;
    xt_slice *keys = xt_conversion_alloc(c, n * sizeof *keys + 1);
    xt_buf out = {.cap = text.n + 10 * n + 10, .max_bytes = text.n + 10 * n + 10};
    out.p = xt_conversion_alloc(c, out.cap);
    if (!keys || !out.p)
        return;
    n = 0;
    for (xt_slice rest = text; xt_slice_cut(&rest, KEY_SEPARATOR, &key);)
        keys[n++] = key;
    xt_list_put(&out, keys, n);
    xt_event_set_bytes(c->event, XT_F_KEY, xt_buf_slice(&out));
}

static void read_field(xt_conversion *c, const field_row *row, const xt_audit_field *field)
{
    switch (row->kind) {
    case KIND_ARCH:
        read_arch(c, field);
        break;
    case KIND_SYSCALL:
        read_syscall(c, field);
        break;
    case KIND_POINTER:
        if (!c->is_exec || !is_head(c))
            xt_conversion_keep(c, field, false);
        else if (row->name.text[1] == '0')
            c->a0 = field->value;
        break;
    case KIND_UINT:
    case KIND_INT:
        read_number(c, row, field);
        break;
    case KIND_ID:
    case KIND_ID_OR_UNSET:
        read_id(c, row, field);
        break;
    case KIND_WORD:
    case KIND_TEXT:
        read_text(c, row, field);
        break;
    case KIND_KEY:
        read_key(c, field);
        break;
    case KIND_RES:
        if (c->record == c->deciding)
            c->res = field->value;
        xt_conversion_keep(c, field, false);
        break;
    case KIND_KEEP:
        xt_conversion_keep(c, field, false);
        break;
    }
}

static bool is_address(xt_slice text)
{
    char z[INET6_ADDRSTRLEN];
    struct in6_addr ignored;
    if (text.n < 2 || text.n >= sizeof z)
        return false;
    memcpy(z, text.p, text.n);
    z[text.n] = '\0';
    return inet_pton(AF_INET, z, &ignored) == 1 || inet_pton(AF_INET6, z, &ignored) == 1;
}

/* /dev/pts/1 and pts/1 are pts1 for the kernel; ssh, cron and ? are no terminals. */
static void copy_terminal(xt_conversion *c, xt_slice text)
{
    if (xt_slice_starts(text, XT_S("/dev/")))
        text = xt_slice_skip(text, 5);
    if (xt_event_has(c->event, XT_F_TTY) || text.n > 32 ||
        (!xt_slice_starts(text, XT_S("pts/")) && !xt_slice_starts(text, XT_S("tty"))))
        return;
    char *tty = xt_conversion_alloc(c, text.n);
    size_t n = 0;
    for (size_t i = 0; tty && i < text.n; i++)
        if (text.p[i] != '/')
            tty[n++] = text.p[i];
    if (tty)
        xt_event_set_bytes(c->event, XT_F_TTY, xt_slice_of(tty, n));
}

static void read_msg(xt_conversion *c, xt_slice msg)
{
    xt_audit_field field;
    while (xt_audit_field_next(&msg, &field)) {
        xt_conversion_see_cut(c, &field);
        if (xt_slice_eq(field.name, XT_S("res")) && c->record == c->deciding)
            c->res = field.value;
        else if (xt_slice_eq(field.name, XT_S("terminal")))
            copy_terminal(c, field.value);
        else if (xt_slice_eq(field.name, XT_S("addr")) && !xt_event_has(c->event, XT_F_FROM) && is_address(field.value))
            xt_event_set_bytes(c->event, XT_F_FROM, field.value);
        xt_conversion_keep(c, &field, true);
    }
}

void xt_conversion_read_fields(xt_conversion *c)
{
    xt_slice body = xt_conversion_take_fields(c);
    xt_audit_field field;
    size_t cursor = 0;
    bool is_old = false; /* "old auid=0 new auid=5": the first is no field of the event */
    for (size_t i; xt_row_next(&table, &body, &cursor, &field, &i);) {
        xt_conversion_see_cut(c, &field);
        if (i < table.n && !is_old)
            read_field(c, &rows[i], &field);
        else if (field.quoting == XT_SINGLE && xt_slice_eq(field.name, XT_S("msg")))
            read_msg(c, field.value);
        else
            xt_conversion_keep(c, &field, false);
        is_old = field.name.n == 0 && xt_slice_eq(field.value, XT_S("old"));
    }
}

/* What auditd appends: a field in capitals names the id in the field of the same name in small letters. */
typedef struct enriched_row {
    xt_row_name name;
    xt_field id, text; /* INVALID: of the path; no field of the schema */
    bool is_group;
} enriched_row;

static const enriched_row enriched_rows[] = {
    {XT_ROW_NAME("ARCH"), XT_F_ARCH, XT_F_ARCH, false},
    {XT_ROW_NAME("SYSCALL"), XT_F_SYSCALL, XT_F_SYSCALL, false},
    {XT_ROW_NAME("AUID"), XT_F_AUID, XT_F_LOGIN, false},
    {XT_ROW_NAME("UID"), XT_F_UID, XT_F_USER, false},
    {XT_ROW_NAME("GID"), XT_F_GID, XT_F_GROUP, true},
    {XT_ROW_NAME("EUID"), XT_F_EUID, XT_F_EUSER, false},
    {XT_ROW_NAME("SUID"), XT_F_SUID, XT_F_INVALID, false},
    {XT_ROW_NAME("FSUID"), XT_F_FSUID, XT_F_INVALID, false},
    {XT_ROW_NAME("EGID"), XT_F_EGID, XT_F_INVALID, true},
    {XT_ROW_NAME("SGID"), XT_F_SGID, XT_F_INVALID, true},
    {XT_ROW_NAME("FSGID"), XT_F_FSGID, XT_F_INVALID, true},
    {XT_ROW_NAME("OUID"), XT_F_INVALID, XT_F_INVALID, false},
    {XT_ROW_NAME("OGID"), XT_F_INVALID, XT_F_INVALID, true},
};

static const xt_row_table enriched_table = XT_ROW_TABLE(enriched_rows);

#define ENRICHED_OUID 11 /* where those of a PATH begin */

static bool is_named(const xt_event *event, xt_field id_field, xt_field name_field, uint64_t id, xt_slice name)
{
    return xt_event_has(event, id_field) && event->values[id_field].num == id && xt_event_has(event, name_field) &&
           xt_slice_eq(event->values[name_field].bytes, name);
}

/* Whether the event says already that this id has this name. */
static bool is_known(const xt_event *event, uint64_t id, xt_slice name, bool is_group)
{
    if (id == 0 && xt_slice_eq(name, XT_S("root")))
        return true;
    if (is_group)
        return is_named(event, XT_F_GID, XT_F_GROUP, id, name);
    return is_named(event, XT_F_UID, XT_F_USER, id, name) || is_named(event, XT_F_EUID, XT_F_EUSER, id, name) ||
           is_named(event, XT_F_AUID, XT_F_LOGIN, id, name);
}

/* unset, unknown(1001): no name */
static bool is_no_name(xt_slice name)
{
    return xt_slice_eq(name, XT_S("unset")) || xt_slice_starts(name, XT_S("unknown("));
}

/*
 * What auditd appended says something else than the record: another architecture or call, a name for an unset id or
 * none for one that is set, root for another id. Names that are not known here contradict nothing.
 */
static bool contradicts(const xt_conversion *c, const enriched_row *row, xt_slice name)
{
    uint64_t number;
    if ((c->head && !is_head(c)) || row->id == XT_F_INVALID)
        return false;
    if (row->id == XT_F_ARCH) {
        uint32_t arch = xt_arch_by_name(name);
        return arch != 0 && c->arch != 0 && (arch ^ c->arch) & 0x8000ffffu; /* machine and word size */
    }
    if (row->id == XT_F_SYSCALL) {
        int syscall = xt_syscall_by_name(c->arch, name);
        return syscall >= 0 && c->syscall != UINT64_MAX && (uint64_t)syscall != (c->syscall & ~X32_BIT) &&
               !xt_slice_eq(xt_event_bytes(c->event, XT_F_SYSCALL), name);
    }
    if (!xt_event_has(c->event, row->id))
        return row->id == XT_F_AUID && !is_no_name(name);
    uint64_t id = c->event->values[row->id].num;
    if (name.n > 9 && xt_slice_starts(name, XT_S("unknown(")))
        return xt_slice_parse_u64(xt_slice_of(name.p + 8, name.n - 9), &number) && number != id;
    return id == XT_ID_UNSET ? !is_no_name(name)
                             : xt_slice_eq(name, XT_S("unset")) || (id != 0 && xt_slice_eq(name, XT_S("root")));
}

static bool fill_name(xt_conversion *c, const enriched_row *row, xt_slice name)
{
    if (!xt_event_has(c->event, row->text) && (!c->head || is_head(c)) && !contradicts(c, row, name))
        xt_event_set_bytes(c->event, row->text, name);
    return xt_slice_eq(xt_event_bytes(c->event, row->text), name);
}

/* True when the event holds what the field says. */
static bool read_enriched(xt_conversion *c, const enriched_row *row, xt_slice name, const xt_path *path)
{
    if (row->id == XT_F_INVALID)
        return path && path->has_inode &&
               is_known(c->event, row->is_group ? path->ogid : path->ouid, name, row->is_group);
    if (row->text != XT_F_INVALID)
        return fill_name(c, row, name);
    return xt_event_has(c->event, row->id) && is_known(c->event, c->event->values[row->id].num, name, row->is_group);
}

/* SADDR={ saddr_fam=inet laddr=192.0.2.1 lport=53 } beside saddr=02000035...: the one form that is written alike. */
static bool contradicts_address(const xt_conversion *c, xt_slice words)
{
    enum { INET_DIGITS = 16 };
    char bytes[INET_DIGITS / 2], address_text[40], wanted_text[80];
    xt_buf address = XT_BUF_ON(address_text), wanted = XT_BUF_ON(wanted_text);
    xt_audit_field saddr, family, host, port;
    if (!xt_audit_field_find(c->record->body, XT_S("saddr"), &saddr) || saddr.value.n < INET_DIGITS ||
        !xt_value_unhex(xt_slice_head(saddr.value, INET_DIGITS), bytes) ||
        !xt_sockaddr_put(xt_slice_of(bytes, sizeof bytes), c->arch, &address))
        return false;
    bool is_inet = xt_slice_starts(xt_buf_slice(&address), XT_S("inet "));
    if (!xt_audit_field_find(words, XT_S("saddr_fam"), &family))
        return false;
    if (!xt_slice_eq(family.value, XT_S("inet")) || !is_inet)
        return xt_slice_eq(family.value, XT_S("inet")) != is_inet;
    if (!xt_audit_field_find(words, XT_S("laddr"), &host) || !xt_audit_field_find(words, XT_S("lport"), &port))
        return false;
    xt_buf_printf(&wanted, "inet %.*s:%.*s", XT_S_ARGS(host.value), XT_S_ARGS(port.value));
    return !xt_slice_eq(xt_buf_slice(&wanted), xt_buf_slice(&address));
}

/* What the event does not say already. */
static void keep_enriched(xt_conversion *c, const enriched_row *row, const xt_audit_field *field)
{
    bool is_wrong =
        row ? contradicts(c, row, field->value) : field->quoting == XT_BRACED && contradicts_address(c, field->value);
    if (is_wrong)
        c->flags |= XT_FLAG_ENRICHED_MISMATCH;
    if (is_wrong || !is_no_name(field->value))
        xt_conversion_keep_enriched(c, field);
}

void xt_conversion_read_enriched(xt_conversion *c, const xt_path *path)
{
    xt_slice rest = c->record->enriched;
    xt_audit_field field;
    size_t cursor = c->record->type == AUDIT_PATH ? ENRICHED_OUID : 0;
    for (size_t i; xt_row_next(&enriched_table, &rest, &cursor, &field, &i);) {
        xt_conversion_see_cut(c, &field);
        const enriched_row *row = i < enriched_table.n ? &enriched_rows[i] : NULL;
        if (!row || is_no_name(field.value) || !read_enriched(c, row, field.value, path))
            keep_enriched(c, row, &field);
    }
}

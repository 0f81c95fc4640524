/*
 * The fields of all records are read once into an array; then each field that the event has is explained by the function
 * that a table names for it. A field without one is told as not explained: a new row of the schema that decode sets has
 * to be entered here.
 */
#include "event/explain_event.h"

#include <errno.h>
#include <linux/audit.h>

#include "audit/names.h"
#include "audit/value.h"
#include "event/event_action.h"
#include "event/explain_build.h"

const char *xt_explain_how_name(xt_explain_how how)
{
    static const char *const names[] = {"as it stands", "quoted",   "hex",   "decimal",  "hexadecimal number",
                                        "octal",        "by table", "stamp", "looked at"};
    return names[how];
}

typedef void (*explain_fn)(xt_explain_build *b, xt_field field);

static const explain_fn ways[XT_F_END] = {
    [XT_F_TIME] = xt_explain_stamps,
    [XT_F_SERIAL] = xt_explain_stamps,
    [XT_F_EVENT_ID] = xt_explain_id,
    [XT_F_ACTION] = xt_explain_action,
    [XT_F_CATEGORY] = xt_explain_action,
    [XT_F_EVENT_TYPE] = xt_explain_action,
    [XT_F_OUTCOME] = xt_explain_outcome,
    [XT_F_CODE] = xt_explain_code,
    [XT_F_HOST] = xt_explain_host,
    [XT_F_HOST_ID] = xt_explain_host,
    [XT_F_BOOT_ID] = xt_explain_host,
    [XT_F_UID] = xt_explain_ordinary,
    [XT_F_USER] = xt_explain_name_of_id,
    [XT_F_EUID] = xt_explain_ordinary,
    [XT_F_EUSER] = xt_explain_name_of_id,
    [XT_F_AUID] = xt_explain_ordinary,
    [XT_F_LOGIN] = xt_explain_name_of_id,
    [XT_F_GID] = xt_explain_ordinary,
    [XT_F_GROUP] = xt_explain_name_of_id,
    [XT_F_SES] = xt_explain_ordinary,
    [XT_F_PID] = xt_explain_ordinary,
    [XT_F_PPID] = xt_explain_ordinary,
    [XT_F_ENTITY] = xt_explain_process_of,
    [XT_F_PARENT_ENTITY] = xt_explain_process_of,
    [XT_F_EXE] = xt_explain_exe,
    [XT_F_COMM] = xt_explain_ordinary,
    [XT_F_ARGS] = xt_explain_args,
    [XT_F_ARGC] = xt_explain_virtual,
    [XT_F_CMD] = xt_explain_virtual,
    [XT_F_CWD] = xt_explain_cwd,
    [XT_F_TTY] = xt_explain_tty,
    [XT_F_PARENT_EXE] = xt_explain_process_of,
    [XT_F_PARENT_CMD] = xt_explain_process_of,
    [XT_F_PARENT_COMM] = xt_explain_process_of,
    [XT_F_EXIT] = xt_explain_ordinary,
    [XT_F_SUCCESS] = xt_explain_ordinary,
    [XT_F_SCRIPT] = xt_explain_script,
    [XT_F_KEY] = xt_explain_keys,
    [XT_F_PATH] = xt_explain_virtual,
    [XT_F_PATHS] = xt_explain_paths,
    [XT_F_FROM] = xt_explain_from,
    [XT_F_FLAGS] = xt_explain_flags,
    [XT_F_OF] = xt_explain_id,
    [XT_F_ARCH] = xt_explain_ordinary,
    [XT_F_SYSCALL] = xt_explain_ordinary,
    [XT_F_SUID] = xt_explain_ordinary,
    [XT_F_FSUID] = xt_explain_ordinary,
    [XT_F_EGID] = xt_explain_ordinary,
    [XT_F_SGID] = xt_explain_ordinary,
    [XT_F_FSGID] = xt_explain_ordinary,
    [XT_F_ITEMS] = xt_explain_ordinary,
    [XT_F_RECORDS] = xt_explain_records,
    [XT_F_ORIGINAL] = xt_explain_original,
    [XT_F_MISSING] = xt_explain_missing,
    [XT_F_TTY_LINE] = xt_explain_typed,
    [XT_F_TTY_UNFINISHED] = xt_explain_typed,
};

static size_t count_fields(xt_slice text)
{
    size_t n = 1;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == ' ';
    return n;
}

/* Programs' messages are read in records that have no reader of their own. */
static bool has_own_reader(uint16_t type)
{
    return type == AUDIT_EXECVE || type == AUDIT_PATH || type == AUDIT_CWD || type == AUDIT_PROCTITLE;
}

static void add_source(xt_explain_build *b, const xt_explain_source *source)
{
    b->sources[b->n_sources++] = *source;
}

static void read_record(xt_explain_build *b, const xt_explain_record *record)
{
    xt_slice body = record->record.body, enriched = record->record.enriched, msg;
    xt_explain_source s = {.record = record};
    bool is_old = false;
    if (record->record.type == XT_RECORD_NAMED && xt_record_cut_name(body, &s.field.value, &body)) {
        s.field.name = XT_S("type");
        s.place = XT_EXPLAIN_BODY;
        add_source(b, &s);
    }
    while (xt_audit_field_next(&body, &s.field)) {
        s.is_old = is_old;
        s.place = XT_EXPLAIN_BODY;
        is_old = s.field.name.n == 0 && xt_slice_eq(s.field.value, XT_S("old"));
        bool is_msg = s.field.quoting == XT_SINGLE && xt_slice_eq(s.field.name, XT_S("msg")) &&
                      !has_own_reader(record->record.type);
        if (!is_msg || s.field.is_cut)
            add_source(b, &s);
        if (!is_msg)
            continue;
        msg = s.field.value;
        s.place = XT_EXPLAIN_MSG;
        while (xt_audit_field_next(&msg, &s.field))
            add_source(b, &s);
    }
    s.is_old = false;
    s.place = XT_EXPLAIN_ENRICHED;
    while (xt_audit_field_next(&enriched, &s.field))
        add_source(b, &s);
}

static bool is_head(const xt_explain_record *record)
{
    return record->record.type == AUDIT_SYSCALL || record->record.type == AUDIT_URINGOP;
}

static void find_deciding(xt_explain_build *b)
{
    for (size_t i = 0; i < b->in->n_records; i++) {
        const xt_explain_record *record = &b->in->records[i];
        if (!b->head && is_head(record))
            b->head = record;
        else if (!b->deciding && !xt_action_is_about_a_syscall(record->record.type))
            b->deciding = record;
    }
}

static int read_records(xt_explain_build *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->in->n_records; i++) {
        const xt_record *record = &b->in->records[i].record;
        n += 2 * count_fields(record->body) + count_fields(record->enriched);
    }
    b->sources = xt_arena_alloc(b->arena, n * sizeof *b->sources + 1);
    if (!b->sources)
        return xt_error_origin(-ENOMEM);
    if (b->head)
        read_record(b, b->head);
    for (size_t i = 0; i < b->in->n_records; i++)
        if (!b->in->records[i].is_repeated && &b->in->records[i] != b->head)
            read_record(b, &b->in->records[i]);
    return 0;
}

static uint32_t arch_of(xt_slice text)
{
    uint64_t number;
    return xt_slice_parse_hex(text, &number) && number <= UINT32_MAX ? (uint32_t)number : xt_arch_by_name(text);
}

/* Whether it is an exec: an EXECVE record says so, or the system call's number. */
static void find_call(xt_explain_build *b)
{
    const xt_explain_source *arch = NULL, *call = NULL;
    uint64_t number = UINT64_MAX;
    for (size_t i = 0; i < b->n_sources && b->sources[i].record == b->head; i++) {
        if (xt_slice_eq(b->sources[i].field.name, XT_S("arch")) && !arch)
            arch = &b->sources[i];
        if (xt_slice_eq(b->sources[i].field.name, XT_S("syscall")) && !call)
            call = &b->sources[i];
    }
    for (size_t i = 0; i < b->in->n_records; i++)
        b->is_exec |= b->in->records[i].record.type == AUDIT_EXECVE;
    b->arch = arch ? arch_of(arch->field.value) : 0;
    if (call && !xt_value_u64(call->field.value, &number)) {
        int by_name = xt_syscall_by_name(b->arch, call->field.value);
        number = by_name < 0 ? UINT64_MAX : (uint64_t)by_name;
    }
    b->is_exec |= call && number != UINT64_MAX && xt_syscall_is_exec(b->arch, number);
    b->has_failed = b->is_exec && xt_slice_eq(xt_event_bytes(b->event, XT_F_SUCCESS), XT_S("no"));
}

static void explain_field(xt_explain_build *b, xt_field field)
{
    size_t n = b->out->n_values;
    if (ways[field])
        ways[field](b, field);
    if (b->out->n_values > n || b->no_memory)
        return;
    xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
    if (xt_field_find(field)->type == XT_LIST && xt_list_count(xt_event_bytes(b->event, field)) == 0) {
        v->is_proved = true;
        xt_explain_rule(b, v, "an empty list");
    } else {
        xt_explain_rule(b, v, "no source is known");
    }
}

int xt_explain_event(const xt_explain_input *input, xt_arena *arena, xt_explanation *ret)
{
    xt_explanation result = {.event = input->event,
                             .id = xt_event_bytes(input->event, XT_F_EVENT_ID),
                             .records = input->records,
                             .n_records = input->n_records,
                             .line = input->line};
    xt_explain_value *first = NULL;
    xt_explain_build b = {.in = input, .event = input->event, .arena = arena, .out = &result};
    b.last = &first;
    find_deciding(&b);
    int r = read_records(&b);
    if (r < 0)
        return xt_error_trace(r);
    find_call(&b);
    for (unsigned id = 1; id < XT_F_END; id++)
        if (xt_event_has(input->event, (xt_field)id))
            explain_field(&b, (xt_field)id);
    if (b.no_memory)
        return xt_error_origin(-ENOMEM);
    result.values = first;
    for (const xt_explain_value *v = first; v; v = v->next)
        result.n_unproved += !v->is_proved;
    *ret = result;
    return 0;
}

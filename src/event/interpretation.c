/*
 * A name of an id is looked for where the log says it most closely: auditd's word for this field of this record, then
 * the ids of the event that have names of their own.
 */
#include "event/interpretation.h"

#include <errno.h>
#include <linux/audit.h>

#include "audit/value.h"
#include "event/event_json.h"
#include "event/record_view.h"

/* auditd's "unset" and "unknown(1001)" are no names, and root is not that of another id than 0. */
static bool is_name(xt_slice text, uint32_t id)
{
    return text.n > 0 && !xt_slice_eq(text, XT_S("unset")) && !xt_slice_starts(text, XT_S("unknown(")) &&
           (id == 0 || !xt_slice_eq(text, XT_S("root")));
}

/* OUID for ouid. */
static bool is_word_for(xt_slice word, xt_slice field)
{
    return word.n == field.n && xt_slice_eq_nocase(word, field) && !xt_slice_eq(word, field);
}

static xt_slice find_word(const xt_interpretation *of, uint32_t id)
{
    enum { MAX_WORDS = 32 }; /* more than auditd has; so no record costs more than its length */
    xt_rec_iter iter = of->words;
    xt_rec_field field;
    for (int i = 0; i < MAX_WORDS && xt_recs_next_field(&iter, &field); i++)
        if (field.form == XT_REC_ENRICHED && is_word_for(field.name, of->field))
            return is_name(field.value, id) ? field.value : XT_S_NULL;
    return XT_S_NULL;
}

static xt_slice find_of(const xt_event *event, xt_field id_field, xt_field name_field, uint32_t id)
{
    bool is_it = xt_event_has(event, id_field) && event->values[id_field].num == id;
    return is_it ? xt_event_bytes(event, name_field) : XT_S_NULL;
}

static xt_slice find_user(void *context, uint32_t id)
{
    static const xt_field pairs[][2] = {{XT_F_UID, XT_F_USER}, {XT_F_EUID, XT_F_EUSER}, {XT_F_AUID, XT_F_LOGIN}};
    const xt_interpretation *of = context;
    xt_slice name = find_word(of, id);
    for (size_t i = 0; i < XT_COUNT_OF(pairs) && name.n == 0; i++)
        name = find_of(of->event, pairs[i][0], pairs[i][1], id);
    return name.n == 0 && id == 0 ? XT_S("root") : name;
}

static xt_slice find_group(void *context, uint32_t id)
{
    const xt_interpretation *of = context;
    xt_slice name = find_word(of, id);
    if (name.n == 0)
        name = find_of(of->event, XT_F_GID, XT_F_GROUP, id);
    return name.n == 0 && id == 0 ? XT_S("root") : name;
}

static void read_args(xt_rec_iter iter, uint64_t args[4])
{
    xt_rec_field field;
    memset(args, 0, 4 * sizeof *args);
    while (xt_recs_next_field(&iter, &field)) {
        uint64_t value;
        if (field.form == XT_REC_BARE && field.name.n == 2 && field.name.p[0] == 'a' && field.name.p[1] >= '0' &&
            field.name.p[1] <= '3' && xt_slice_parse_hex(field.value, &value))
            args[field.name.p[1] - '0'] = value;
    }
}

/* arch= of SECCOMP and others beside a system call says the same; the number is kept where no name is known. */
static uint32_t arch_of(const xt_event *event)
{
    xt_slice text = xt_event_bytes(event, XT_F_ARCH);
    uint32_t arch = xt_arch_by_name(text);
    uint64_t number;
    if (arch == 0 && xt_slice_parse_hex(text, &number) && number <= UINT32_MAX)
        arch = (uint32_t)number;
    return arch;
}

void xt_interpretation_init(xt_interpretation *of, const xt_event *event)
{
    uint64_t args[4];
    *of = (xt_interpretation){.event = event};
    of->names = (xt_name_source){.user = find_user, .group = find_group, .context = of};
    of->context = (xt_interpret_context){
        .arch = arch_of(event), .syscall = xt_event_bytes(event, XT_F_SYSCALL), .names = &of->names};
    xt_rec_iter iter = xt_recs_iterate(xt_event_bytes(event, XT_F_RECORDS));
    for (uint16_t type; xt_recs_next(&iter, &type);)
        if (type == AUDIT_SYSCALL) {
            read_args(iter, args);
            of->first_arg = args[0];
            return;
        }
}

void xt_interpretation_open(xt_interpretation *of, uint16_t type, xt_rec_iter own)
{
    xt_rec_iter iter = own;
    xt_rec_field field;
    do
        of->words = iter;
    while (xt_recs_next_field(&iter, &field) && field.form != XT_REC_ENRICHED);
    of->context.record_type = type;
    of->context.called = of->first_arg;
    read_args(own, of->context.args);
}

bool xt_interpretation_put(xt_interpretation *of, xt_slice name, xt_slice value, xt_buf *out)
{
    of->field = name;
    return xt_interpret(&of->context, name, value, out);
}

#define X32_BIT UINT64_C(0x40000000)

bool xt_interpretation_raw(const xt_event *event, xt_field field, xt_buf *out)
{
    uint32_t arch = xt_arch_by_name(xt_event_bytes(event, XT_F_ARCH));
    if (arch == 0 || (field == XT_F_SYSCALL && !xt_event_has(event, XT_F_SYSCALL)))
        return false;
    if (field == XT_F_ARCH) {
        xt_buf_printf(out, "%x", (unsigned)arch);
        return true;
    }
    xt_slice number; /* of x32, kept beside the name */
    uint64_t ignored;
    if (xt_recs_find(xt_event_bytes(event, XT_F_RECORDS), XT_S("syscall"), 0, &number) &&
        xt_slice_parse_u64(number, &ignored) && ignored & X32_BIT) {
        xt_buf_put(out, number);
        return true;
    }
    int found = xt_syscall_by_name(arch, xt_event_bytes(event, XT_F_SYSCALL));
    if (found >= 0)
        xt_buf_put_dec(out, (uint64_t)found);
    return found >= 0;
}

int xt_meanings_init(xt_meanings *meanings, size_t n, xt_arena *arena)
{
    int r = xt_json_group_init(&meanings->group, n, arena);
    if (r < 0)
        return xt_error_trace(r);
    meanings->says = xt_arena_alloc(arena, n + 1);
    return meanings->says ? 0 : xt_error_origin(-ENOMEM);
}

bool xt_meanings_add(xt_meanings *meanings, xt_interpretation *of, xt_slice name, xt_slice value, xt_arena *arena)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    bool says = xt_interpretation_put(of, name, value, &text);
    xt_slice copy = says ? xt_arena_copy(arena, xt_buf_slice(&text)) : value;
    if (text.failed || (says && !copy.p))
        return false;
    meanings->says[meanings->group.n] = says;
    xt_json_group_add(&meanings->group, name, copy);
    return true;
}

bool xt_meanings_say(const xt_meanings *meanings, uint32_t first)
{
    for (uint32_t i = first; i != XT_JSON_GROUP_NONE; i = meanings->group.items[i].next)
        if (meanings->says[i])
            return true;
    return false;
}

/* The columns that stand in auditd.data and may mean something. */
static const struct {
    const char *name;
    xt_field field;
} columns[] = {
    {"exit", XT_F_EXIT}, {"suid", XT_F_SUID}, {"fsuid", XT_F_FSUID},
    {"egid", XT_F_EGID}, {"sgid", XT_F_SGID}, {"fsgid", XT_F_FSGID},
};

/* They belong to the system call's record, or to the first one where there is none. */
static bool add_columns(xt_meanings *meanings, xt_interpretation *of, xt_arena *arena)
{
    xt_rec_iter iter = xt_recs_iterate(xt_event_bytes(of->event, XT_F_RECORDS)), first = iter;
    uint16_t type = 0, first_type = 0;
    for (bool is_first = true; xt_recs_next(&iter, &type); is_first = false) {
        if (is_first) {
            first = iter;
            first_type = type;
        }
        if (type == AUDIT_SYSCALL || type == AUDIT_URINGOP)
            break;
    }
    bool has_head = type == AUDIT_SYSCALL || type == AUDIT_URINGOP;
    xt_interpretation_open(of, has_head ? type : first_type, has_head ? iter : first);
    for (size_t i = 0; i < XT_COUNT_OF(columns); i++) {
        char digits[32];
        xt_buf value = XT_BUF_ON(digits);
        if (!xt_event_has(of->event, columns[i].field))
            continue;
        xt_event_field_text(of->event, columns[i].field, &value);
        xt_slice copy = xt_arena_copy(arena, xt_buf_slice(&value));
        if (!copy.p || !xt_meanings_add(meanings, of, xt_slice_str(columns[i].name), copy, arena))
            return false;
    }
    return true;
}

static bool add_records(xt_meanings *meanings, xt_interpretation *of, xt_arena *arena)
{
    xt_rec_iter iter = xt_recs_iterate(xt_event_bytes(of->event, XT_F_RECORDS));
    xt_rec_field field;
    for (uint16_t type; xt_recs_next(&iter, &type);) {
        xt_interpretation_open(of, type, iter);
        while (!xt_record_is_callers_title(of->event, type) && xt_recs_next_field(&iter, &field))
            if (!xt_rec_is_repeated(field.form) && field.name.n > 0 &&
                !xt_meanings_add(meanings, of, field.name, field.value, arena))
                return false;
    }
    return true;
}

int xt_meanings_of_event(xt_meanings *meanings, const xt_event *event, xt_arena *arena)
{
    xt_interpretation of;
    xt_rec_iter iter = xt_recs_iterate(xt_event_bytes(event, XT_F_RECORDS));
    size_t n = XT_COUNT_OF(columns);
    for (uint16_t type; xt_recs_next(&iter, &type);)
        n += iter.fields_left;
    int r = xt_meanings_init(meanings, n, arena);
    if (r < 0)
        return xt_error_trace(r);
    xt_interpretation_init(&of, event);
    if (!add_columns(meanings, &of, arena) || !add_records(meanings, &of, arena))
        return xt_error_origin(-ENOMEM);
    return 0;
}

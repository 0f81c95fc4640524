/*
 * The system call's record is read first, wherever it stands, since it says what the others mean (whether an argument
 * was executed, whose exe it is); EXECVE next; then all others in their order. A record's fields go to the schema, or
 * to the record's own span for RECORDS, in one pass.
 */
#include "event/from_audit.h"

#include <errno.h>
#include <linux/audit.h>

#include "audit/names.h"
#include "event/conversion.h"
#include "event/event_action.h"
#include "event/pack.h"

static const char *const flag_names[] = {
    "missing-execve", "missing-args",   "args-mismatch",     "missing-path",   "late",  "truncated", "timeout",
    "evicted",        "no-syscall",     "unparsed",          "argv0-mismatch", "memfd", "deleted",   "loader",
    "missing-cwd",    "missing-record", "enriched-mismatch",
};

static void put_flags(xt_conversion *c)
{
    size_t n = 0, n_bytes = XT_PACK_MAX_VARINT;
    for (size_t i = 0; i < XT_COUNT_OF(flag_names); i++) {
        n += c->flags >> i & 1;
        n_bytes += c->flags >> i & 1 ? 1 + strlen(flag_names[i]) : 0;
    }
    char *start = n > 0 ? xt_conversion_alloc(c, n_bytes) : NULL;
    if (!start)
        return;
    char *p = xt_pack_varint(start, n);
    for (size_t i = 0; i < XT_COUNT_OF(flag_names); i++)
        if (c->flags >> i & 1)
            p = xt_pack_block(p, xt_slice_str(flag_names[i]));
    xt_event_set_bytes(c->event, XT_F_FLAGS, xt_slice_of(start, (size_t)(p - start)));
}

static xt_slice copy_hash(xt_conversion *c, xt_hash128 hash)
{
    char *text = xt_conversion_alloc(c, 33);
    if (!text)
        return XT_S_NULL;
    xt_hash128_format(hash, text);
    return xt_slice_of(text, 32);
}

/* The record's own node, or the source's host; boot and id are known of the source's host only. */
static void put_host(xt_conversion *c, xt_slice node)
{
    const xt_event_origin *origin = c->origin;
    bool is_other = node.n > 0 && !xt_slice_eq(node, origin->host_name);
    xt_slice name = is_other ? node : origin->host_name;
    xt_slice id = is_other ? XT_S_NULL : origin->host_id;
    if (id.n == 0 && name.n > 0)
        id = copy_hash(c, xt_event_import_host_id(name));
    if (name.n > 0)
        xt_event_set_bytes(c->event, XT_F_HOST, name);
    if (id.n > 0)
        xt_event_set_bytes(c->event, XT_F_HOST_ID, id);
    if (!is_other && origin->boot_id.n > 0)
        xt_event_set_bytes(c->event, XT_F_BOOT_ID, origin->boot_id);
}

static xt_slice type_name(xt_conversion *c, const xt_record *record)
{
    const char *name = xt_record_type_name(record->type);
    xt_slice own, fields;
    if (name)
        return xt_slice_str(name);
    if (record->type == XT_RECORD_NAMED && xt_record_cut_name(record->body, &own, &fields))
        return own;
    xt_buf out = {.cap = 32, .max_bytes = 32};
    out.p = xt_conversion_alloc(c, out.cap);
    if (!out.p)
        return XT_S_NULL;
    xt_buf_puts(&out, "UNKNOWN[");
    xt_buf_put_dec(&out, record->type);
    xt_buf_putc(&out, ']');
    return xt_buf_slice(&out);
}

/* Finds head and deciding record, counts what needs room. */
static void survey(xt_conversion *c)
{
    const xt_group *group = c->group;
    size_t n_paths = 0;
    for (size_t i = 0; i < group->n_records; i++) {
        const xt_record *record = &group->records[i];
        bool is_head = record->type == AUDIT_SYSCALL || record->type == AUDIT_URINGOP;
        if (is_head && !c->head)
            c->head = record;
        else if (!c->deciding && !xt_action_is_about_a_syscall(record->type))
            c->deciding = record;
        n_paths += record->type == AUDIT_PATH;
    }
    c->spans = xt_conversion_alloc(c, group->n_records * sizeof *c->spans + 1);
    c->paths = xt_conversion_alloc(c, n_paths * sizeof *c->paths + 1);
}

/* Whether the title only says again how the arguments begin, NUL between them. */
static bool repeats_args(xt_slice title, xt_slice args)
{
    xt_list_iter iter = xt_list_iterate(args);
    for (xt_slice arg; title.n > 0 && xt_list_next(&iter, &arg);) {
        if (!xt_slice_eq(xt_slice_head(title, arg.n), xt_slice_head(arg, title.n)))
            return false;
        title = xt_slice_skip(title, arg.n);
        if (title.n > 0 && title.p[0] != '\0')
            return false;
        title = xt_slice_skip(title, 1);
    }
    return title.n == 0;
}

static void read_proctitle(xt_conversion *c)
{
    xt_slice body = c->record->body, title;
    xt_audit_field field;
    while (xt_audit_field_next(&body, &field)) {
        xt_conversion_see_cut(c, &field);
        if (!xt_slice_eq(field.name, XT_S("proctitle")) || c->args.list.n == 0 ||
            !xt_conversion_text(c, &field, &title) || !repeats_args(title, c->args.list))
            xt_conversion_keep(c, &field, false);
    }
    xt_conversion_read_enriched(c, NULL);
}

/* The arguments were read before; here is what else such a record may hold. */
static void read_execve(xt_conversion *c)
{
    xt_slice body = c->record->body;
    xt_audit_field field;
    bool keeps_argc = c->flags & (XT_FLAG_ARGS_MISMATCH | XT_FLAG_MISSING_ARGS);
    while ((c->args.n_other > 0 || keeps_argc) && xt_audit_field_next(&body, &field))
        if (!xt_exec_args_is_argument(field.name) || (keeps_argc && xt_slice_eq(field.name, XT_S("argc"))))
            xt_conversion_keep(c, &field, false);
    xt_conversion_read_enriched(c, NULL);
}

static void read_record(xt_conversion *c, const xt_record *record)
{
    xt_conversion_open(c, record);
    switch (record->type) {
    case AUDIT_EXECVE:
        read_execve(c);
        break;
    case AUDIT_PATH:
        xt_conversion_read_path(c);
        break;
    case AUDIT_CWD:
        xt_conversion_read_cwd(c);
        break;
    case AUDIT_PROCTITLE:
        read_proctitle(c);
        break;
    case AUDIT_EOE:
        break;
    default:
        xt_conversion_read_fields(c);
        xt_conversion_read_enriched(c, NULL);
    }
}

/* The caller's exe is the event's unless an exec failed: then it only says who tried. */
static void settle_exe(xt_conversion *c)
{
    bool has_failed = c->is_exec && xt_slice_eq(xt_event_bytes(c->event, XT_F_SUCCESS), XT_S("no"));
    xt_slice exe;
    if (!c->exe.name.p)
        return;
    if (!has_failed && xt_conversion_text(c, &c->exe, &exe))
        xt_event_set_bytes(c->event, XT_F_EXE, exe);
    else
        xt_conversion_keep(c, &c->exe, false);
}

static void read_head(xt_conversion *c)
{
    if (!c->head)
        return;
    xt_conversion_open(c, c->head);
    xt_conversion_read_fields(c);
    settle_exe(c);
    xt_conversion_read_enriched(c, NULL);
}

static void put_args(xt_conversion *c)
{
    if (c->args.n_records == 0)
        return;
    xt_event_set_bytes(c->event, XT_F_ARGS, c->args.list);
    if (c->args.missing.n > 0)
        xt_event_set_bytes(c->event, XT_F_MISSING, c->args.missing);
    c->flags |= c->args.missing.n > 0 ? XT_FLAG_MISSING_ARGS : 0;
    c->flags |= c->args.has_mismatch ? XT_FLAG_ARGS_MISMATCH : 0;
    c->flags |= c->args.is_cut ? XT_FLAG_TRUNCATED : 0;
}

/*
 * The kernel writes comm, exe and key last in a SYSCALL record; key came before ses did (2.6.18 and 2.6.25), so a record
 * with ses has all of them.
 */
static bool is_head_cut(const xt_conversion *c)
{
    if (!c->head || c->head->type != AUDIT_SYSCALL || !xt_event_has(c->event, XT_F_ARCH))
        return false;
    return !c->has_comm || (c->has_ses && (!c->exe.name.p || !c->has_key));
}

static void set_flags(xt_conversion *c)
{
    const xt_group *group = c->group;
    c->flags |= group->flags & XT_GROUP_TIMEOUT ? XT_FLAG_TIMEOUT : 0;
    c->flags |= group->flags & XT_GROUP_EVICTED ? XT_FLAG_EVICTED : 0;
    c->flags |= group->flags & (XT_GROUP_TRUNCATED | XT_GROUP_CUT) || is_head_cut(c) ? XT_FLAG_TRUNCATED : 0;
    if (group->flags & XT_GROUP_LATE) {
        c->flags |= XT_FLAG_LATE;
        return;
    }
    xt_conversion_flag_losses(c);
}

static xt_action choose_action(const xt_conversion *c)
{
    if (c->group->flags & XT_GROUP_LATE)
        return xt_action_amended;
    if (c->is_exec)
        return xt_action_executed;
    if (c->deciding)
        return xt_action_of_record(c->deciding->type, c->arena);
    if (c->head && xt_event_has(c->event, XT_F_SYSCALL))
        return xt_action_of_syscall(xt_event_bytes(c->event, XT_F_SYSCALL), c->arena);
    return xt_action_of_record(c->group->records[0].type, c->arena);
}

static xt_slice outcome_of(xt_slice word)
{
    static const char *const good[] = {"success", "yes", "1"}, *const bad[] = {"failed", "fail", "failure", "no", "0"};
    for (size_t i = 0; i < XT_COUNT_OF(good); i++)
        if (xt_slice_eq_nocase(word, xt_slice_str(good[i])))
            return XT_S("success");
    for (size_t i = 0; i < XT_COUNT_OF(bad); i++)
        if (xt_slice_eq_nocase(word, xt_slice_str(bad[i])))
            return XT_S("failure");
    return XT_S("unknown");
}

static void put_action(xt_conversion *c)
{
    xt_action action = choose_action(c);
    if (!action.name.p)
        c->no_memory = true;
    xt_slice success = xt_event_bytes(c->event, XT_F_SUCCESS);
    xt_event_set_bytes(c->event, XT_F_ACTION, action.name);
    xt_event_set_bytes(c->event, XT_F_CATEGORY, action.category);
    xt_event_set_bytes(c->event, XT_F_EVENT_TYPE, action.type);
    xt_event_set_bytes(c->event, XT_F_OUTCOME, outcome_of(!c->is_exec && c->res.n > 0 ? c->res : success));
    /* the kernel writes what decides before the system call; and this does not depend on the order of arrival */
    const xt_record *first = c->deciding ? c->deciding : c->head ? c->head : c->group->records;
    if (c->group->n_records > 0)
        xt_event_set_bytes(c->event, XT_F_CODE, type_name(c, first));
}

/* A late record's event is one of its own that names the one it belongs to; the same on every delivery. */
static void put_amendment(xt_conversion *c)
{
    if (!(c->group->flags & XT_GROUP_LATE))
        return;
    xt_hash128 of = xt_event_id_of(xt_event_bytes(c->event, XT_F_HOST_ID), c->group->time_ms, c->group->serial);
    size_t n = sizeof of;
    for (size_t i = 0; i < c->group->n_records; i++)
        n += 2 + c->group->records[i].body.n;
    char *input = xt_conversion_alloc(c, n);
    if (!input)
        return;
    char *p = xt_pack_bytes(input, xt_slice_of(of.b, sizeof of.b));
    for (size_t i = 0; i < c->group->n_records; i++) {
        *p++ = (char)c->group->records[i].type;
        *p++ = (char)(c->group->records[i].type >> 8);
        p = xt_pack_bytes(p, c->group->records[i].body);
    }
    xt_event_set_bytes(c->event, XT_F_OF, copy_hash(c, of));
    xt_event_set_bytes(c->event, XT_F_EVENT_ID, copy_hash(c, xt_slice_hash128(xt_slice_of(input, n))));
}

static void put_name(xt_conversion *c, const xt_name_source *names, xt_field id, xt_field name, bool is_group)
{
    xt_slice (*ask)(void *context, uint32_t id) = is_group ? names->group : names->user;
    if (!ask || !xt_event_has(c->event, id) || xt_event_has(c->event, name))
        return;
    xt_slice text = ask(names->context, (uint32_t)c->event->values[id].num);
    if (text.n == 0)
        return;
    text = xt_arena_copy(c->arena, text);
    if (text.p)
        xt_event_set_bytes(c->event, name, text);
    else
        c->no_memory = true;
}

static void put_names(xt_conversion *c, const xt_name_source *names)
{
    if (!names)
        return;
    put_name(c, names, XT_F_UID, XT_F_USER, false);
    put_name(c, names, XT_F_EUID, XT_F_EUSER, false);
    put_name(c, names, XT_F_AUID, XT_F_LOGIN, false);
    put_name(c, names, XT_F_GID, XT_F_GROUP, true);
}

#define MAX_COMPARED 64 /* records of a group: no group makes its records cost more than that */

/*
 * Of these the kernel writes no two alike in an event; of EXECVE, which may be many, the reader of arguments knows. Of
 * keys a system call gives out at most one buffer that is not full (drivers/tty/tty_audit.c: 4096 bytes, here in hex).
 */
static bool is_unique(const xt_record *record)
{
    return record->type == AUDIT_SYSCALL || record->type == AUDIT_PATH || record->type == AUDIT_CWD ||
           record->type == AUDIT_PROCTITLE || (record->type == AUDIT_TTY && record->body.n < 2 * 4096);
}

static bool is_duplicate(const xt_group *group, const xt_record *record)
{
    if (!is_unique(record))
        return false;
    for (const xt_record *known = group->records; known < record && known < group->records + MAX_COMPARED; known++) {
        if (known->type == record->type && xt_slice_eq(known->body, record->body) &&
            xt_slice_eq(known->enriched, record->enriched))
            return true;
    }
    return false;
}

static void read_group(xt_conversion *c)
{
    xt_event_set_num(c->event, XT_F_TIME, (uint64_t)c->group->time_ms);
    xt_event_set_num(c->event, XT_F_SERIAL, c->group->serial);
    put_host(c, c->group->node);
    if (xt_exec_args_join(c->group, c->arena, &c->args) < 0)
        c->no_memory = true;
    c->is_exec = c->args.n_records > 0;
    put_args(c);
    read_head(c);
    for (size_t i = 0; i < c->group->n_records; i++)
        if (is_duplicate(c->group, &c->group->records[i]))
            xt_conversion_skip(c, &c->group->records[i]);
        else if (&c->group->records[i] != c->head)
            read_record(c, &c->group->records[i]);
}

int xt_event_from_group(const xt_group *group, const xt_event_origin *origin, const xt_name_source *names,
                        xt_arena *arena, xt_event *ret)
{
    xt_event_reset(ret);
    xt_conversion c = {.group = group, .origin = origin, .arena = arena, .event = ret, .syscall = UINT64_MAX};
    survey(&c);
    if (c.no_memory)
        return xt_error_origin(-ENOMEM);
    read_group(&c);
    put_names(&c, names);
    set_flags(&c);
    xt_conversion_put_program(&c);
    xt_conversion_put_paths(&c);
    xt_conversion_put_records(&c);
    put_action(&c);
    put_amendment(&c);
    put_flags(&c);
    return c.no_memory ? xt_error_origin(-ENOMEM) : 0;
}

int xt_event_from_garbage(xt_slice line, int64_t time_ms, uint64_t line_number, const xt_event_origin *origin,
                          xt_arena *arena, xt_event *ret)
{
    xt_event_reset(ret);
    xt_conversion c = {.origin = origin, .arena = arena, .event = ret, .flags = XT_FLAG_UNPARSED};
    put_host(&c, XT_S_NULL);
    xt_slice host_id = xt_event_bytes(ret, XT_F_HOST_ID);
    char *input = xt_conversion_alloc(&c, host_id.n + 1 + 8 + line.n);
    if (!input)
        return xt_error_origin(-ENOMEM);
    char *p = xt_pack_bytes(input, host_id);
    *p++ = '\0';
    for (int i = 0; i < 8; i++)
        *p++ = (char)(line_number >> (8 * i));
    p = xt_pack_bytes(p, line);
    xt_event_set_num(ret, XT_F_TIME, (uint64_t)time_ms);
    xt_event_set_bytes(ret, XT_F_EVENT_ID, copy_hash(&c, xt_slice_hash128(xt_slice_of(input, (size_t)(p - input)))));
    xt_event_set_bytes(ret, XT_F_ACTION, xt_action_unparsed.name);
    xt_event_set_bytes(ret, XT_F_CATEGORY, xt_action_unparsed.category);
    xt_event_set_bytes(ret, XT_F_EVENT_TYPE, xt_action_unparsed.type);
    xt_event_set_bytes(ret, XT_F_OUTCOME, XT_S("unknown"));
    xt_event_set_bytes(ret, XT_F_ORIGINAL, line);
    put_flags(&c);
    return c.no_memory ? xt_error_origin(-ENOMEM) : 0;
}

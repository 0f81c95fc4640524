/*
 * The fields that became fields of the schema are written as text to the arena and gathered by name together with
 * those of RECORDS, so that no name stands twice.
 */
#include "event/record_view.h"

#include <linux/audit.h>
#include <stdio.h>

#include "audit/record.h"
#include "event/event_json.h"
#include "event/json_text.h"

/* At least two hex digits, as the kernel prints devices. */
static char *put_hex(char *p, uint64_t v)
{
    int n_digits = v > 0xff ? (67 - __builtin_clzll(v)) / 4 : 2;
    for (int i = n_digits - 1; i >= 0; i--)
        *p++ = "0123456789abcdef"[v >> 4 * i & 15];
    return p;
}

size_t xt_record_format_device(char *to, uint64_t major, uint64_t minor)
{
    char *p = put_hex(to, major);
    *p++ = ':';
    return (size_t)(put_hex(p, minor) - to);
}

/* Octal with a 0 in front. */
size_t xt_record_format_mode(char *to, uint64_t mode)
{
    int n_digits = mode ? (66 - __builtin_clzll(mode)) / 3 : 1;
    char *p = to;
    *p++ = '0';
    for (int i = n_digits - 1; i >= 0; i--)
        *p++ = (char)('0' + (mode >> 3 * i & 7));
    return (size_t)(p - to);
}

/* A program's message: its terminal is not a field tty= of the record. */
static bool is_user_message(uint16_t type)
{
    return (type >= AUDIT_FIRST_USER_MSG && type <= AUDIT_LAST_USER_MSG) ||
           (type >= AUDIT_FIRST_USER_MSG2 && type <= AUDIT_LAST_USER_MSG2);
}

/* Copies a field of the event as text. */
static void add_field(xt_record_view *v, const char *name, xt_field field)
{
    xt_buf text = XT_BUF_INIT;
    if (!xt_event_has(v->event, field))
        return;
    xt_event_field_text(v->event, field, &text);
    xt_slice copy = xt_arena_copy(v->arena, xt_buf_slice(&text));
    v->no_memory |= text.failed || !copy.p;
    xt_buf_fini(&text);
    if (copy.p)
        xt_json_group_add(&v->group, xt_slice_str(name), copy);
}

typedef struct task_field {
    const char *name;
    xt_field field;
    bool in_call_only; /* of the system call's record alone */
} task_field;

static const task_field task_fields[] = {
    {"arch", XT_F_ARCH, false},   {"syscall", XT_F_SYSCALL, false}, {"success", XT_F_SUCCESS, true},
    {"exit", XT_F_EXIT, true},    {"items", XT_F_ITEMS, true},      {"ppid", XT_F_PPID, true},
    {"pid", XT_F_PID, false},     {"auid", XT_F_AUID, false},       {"uid", XT_F_UID, false},
    {"gid", XT_F_GID, false},     {"euid", XT_F_EUID, false},       {"suid", XT_F_SUID, false},
    {"fsuid", XT_F_FSUID, false}, {"egid", XT_F_EGID, false},       {"sgid", XT_F_SGID, false},
    {"fsgid", XT_F_FSGID, false}, {"tty", XT_F_TTY, false},         {"ses", XT_F_SES, false},
    {"comm", XT_F_COMM, false},   {"exe", XT_F_EXE, false},         {"key", XT_F_KEY, true},
};

static void add_task(xt_record_view *v)
{
    bool is_call = v->type == AUDIT_SYSCALL || v->type == AUDIT_URINGOP;
    for (size_t i = 0; i < XT_COUNT_OF(task_fields); i++) {
        const task_field *f = &task_fields[i];
        if ((f->in_call_only && !is_call) || (f->field == XT_F_EXE && v->has_failed) ||
            (f->field == XT_F_TTY && (is_user_message(v->type) || v->type == AUDIT_TTY)))
            continue;
        add_field(v, f->name, f->field);
    }
}

static void add_slice(xt_record_view *v, xt_slice name, xt_slice text)
{
    xt_slice copy = xt_arena_copy(v->arena, text);
    v->no_memory |= !copy.p;
    if (copy.p)
        xt_json_group_add(&v->group, name, copy);
}

static void add_text(xt_record_view *v, const char *name, xt_slice text)
{
    add_slice(v, xt_slice_str(name), text);
}

static void add_dec(xt_record_view *v, const char *name, uint64_t number)
{
    char digits[20];
    add_text(v, name, xt_slice_of(digits, (size_t)(xt_json_text_dec(digits, number) - digits)));
}

static void add_args(xt_record_view *v)
{
    xt_slice args = xt_event_bytes(v->event, XT_F_ARGS), arg;
    xt_list_iter iter = xt_list_iterate(args);
    if (v->has_args)
        return;
    v->has_args = true;
    if (!xt_recs_find(xt_event_bytes(v->event, XT_F_RECORDS), XT_S("argc"), 0, &arg))
        add_dec(v, "argc", xt_list_count(args));
    for (unsigned i = 0; xt_list_next(&iter, &arg); i++) {
        char text[16];
        int n = snprintf(text, sizeof text, "a%u", i);
        xt_slice name = xt_arena_copy(v->arena, xt_slice_of(text, (size_t)n));
        if (!name.p) {
            v->no_memory = true;
            return;
        }
        xt_json_group_add(&v->group, name, arg);
    }
}

/* Fields of a path, and words of its rest: each of those has two bytes at least. */
static size_t count_path_fields(xt_path_iter paths)
{
    enum { MAX_PATH_FIELDS = 9 };
    xt_path path;
    return xt_paths_next(&paths, &path) ? MAX_PATH_FIELDS + path.rest.n / 2 + 1 : 0;
}

static void add_path(xt_record_view *v, const xt_path *path)
{
    char text[XT_RECORD_NUMBER_TEXT];
    xt_audit_field field;
    add_dec(v, "item", path->item);
    if (path->has_name)
        add_text(v, "name", path->name);
    if (path->has_inode) {
        add_dec(v, "inode", path->inode);
        add_text(v, "dev", xt_slice_of(text, xt_record_format_device(text, path->dev_major, path->dev_minor)));
        add_text(v, "mode", xt_slice_of(text, xt_record_format_mode(text, path->mode)));
        add_dec(v, "ouid", path->ouid);
        add_dec(v, "ogid", path->ogid);
        add_text(v, "rdev", xt_slice_of(text, xt_record_format_device(text, path->rdev_major, path->rdev_minor)));
    }
    if (path->nametype.n > 0)
        add_text(v, "nametype", path->nametype);
    for (xt_slice rest = path->rest; xt_audit_field_next(&rest, &field);)
        add_slice(v, field.name.n > 0 ? field.name : XT_S("text"), field.value);
}

/* Room for one record: its own fields (counted on a copy of the iterator), and those of the event. */
static bool open_group(xt_record_view *v)
{
    size_t n = XT_COUNT_OF(task_fields) + 1 + count_path_fields(v->paths);
    n += v->iter.fields_left;
    if (v->type == AUDIT_EXECVE && !v->has_args)
        n += xt_list_count(xt_event_bytes(v->event, XT_F_ARGS));
    if (xt_json_group_init(&v->group, n, v->arena) == 0)
        return true;
    v->no_memory = true;
    return false;
}

static void add_from_event(xt_record_view *v)
{
    xt_path path;
    if (v->type == AUDIT_EXECVE)
        add_args(v);
    else if (v->type == AUDIT_CWD)
        add_field(v, "cwd", XT_F_CWD);
    else if (v->type == AUDIT_PATH && xt_paths_next(&v->paths, &path))
        add_path(v, &path);
    else if (v->type == AUDIT_SYSCALL || v->type == AUDIT_URINGOP || !v->has_head)
        add_task(v);
}

static bool find_head(xt_slice records)
{
    xt_rec_iter iter = xt_recs_iterate(records);
    for (uint16_t type; xt_recs_next(&iter, &type);)
        if (type == AUDIT_SYSCALL || type == AUDIT_URINGOP)
            return true;
    return false;
}

void xt_record_view_init(xt_record_view *v, const xt_event *event, xt_arena *arena)
{
    xt_slice records = xt_event_bytes(event, XT_F_RECORDS);
    *v = (xt_record_view){.event = event, .arena = arena, .has_head = find_head(records)};
    v->has_failed = xt_slice_eq(xt_event_bytes(event, XT_F_ACTION), XT_S("executed")) &&
                    xt_slice_eq(xt_event_bytes(event, XT_F_SUCCESS), XT_S("no"));
    v->paths = xt_paths_iterate(xt_event_bytes(event, XT_F_PATHS));
    v->iter = xt_recs_iterate(records);
}

bool xt_record_view_next(xt_record_view *v)
{
    xt_rec_field field;
    if (v->no_memory || !xt_recs_next(&v->iter, &v->type))
        return false;
    v->own = v->iter;
    if (!open_group(v))
        return false;
    add_from_event(v);
    while (xt_recs_next_field(&v->iter, &field))
        xt_json_group_add(&v->group, field.name.n > 0 ? field.name : XT_S("text"), field.value);
    return !v->no_memory;
}

bool xt_record_is_callers_title(const xt_event *event, uint16_t type)
{
    return type == AUDIT_PROCTITLE && xt_slice_eq(xt_event_bytes(event, XT_F_ACTION), XT_S("executed")) &&
           xt_slice_eq(xt_event_bytes(event, XT_F_OUTCOME), XT_S("failure"));
}

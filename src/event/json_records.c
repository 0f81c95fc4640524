/*
 * For a record's own object the fields that became fields of the schema are written as text to the arena and gathered
 * by name together with those of RECORDS, so that no name stands twice.
 */
#include "event/json_records.h"

#include <linux/audit.h>
#include <stdio.h>

#include "audit/names.h"
#include "event/event_json.h"

static void put_dec(xt_json_writer *w, xt_slice before, uint64_t v, xt_slice after)
{
    char digits[20];
    xt_json_writer_raw(w, before);
    xt_json_writer_raw(w, xt_slice_of(digits, (size_t)(xt_json_text_dec(digits, v) - digits)));
    xt_json_writer_raw(w, after);
}

static void put_text(xt_json_writer *w, xt_slice before, xt_slice text)
{
    xt_json_writer_raw(w, before);
    xt_json_writer_string(w, text);
}

/* At least two hex digits, as the kernel prints devices. */
static char *put_hex(char *p, uint64_t v)
{
    int n_digits = v > 0xff ? (67 - __builtin_clzll(v)) / 4 : 2;
    for (int i = n_digits - 1; i >= 0; i--)
        *p++ = "0123456789abcdef"[v >> 4 * i & 15];
    return p;
}

static size_t format_device(char *to, uint64_t major, uint64_t minor)
{
    char *p = put_hex(to, major);
    *p++ = ':';
    return (size_t)(put_hex(p, minor) - to);
}

/* Octal with a 0 in front. */
static size_t format_mode(char *to, uint64_t mode)
{
    int n_digits = mode ? (66 - __builtin_clzll(mode)) / 3 : 1;
    char *p = to;
    *p++ = '0';
    for (int i = n_digits - 1; i >= 0; i--)
        *p++ = (char)('0' + (mode >> 3 * i & 7));
    return (size_t)(p - to);
}

#define MAX_NUMBER_TEXT 48

static void put_path(xt_json_writer *w, const xt_path *path)
{
    char text[MAX_NUMBER_TEXT];
    put_dec(w, XT_S("{\"item\":"), path->item, XT_S_NULL);
    if (path->has_name)
        put_text(w, XT_S(",\"name\":"), path->name);
    if (path->has_inode) {
        put_dec(w, XT_S(",\"inode\":\""), path->inode, XT_S("\""));
        put_text(w, XT_S(",\"dev\":"), xt_slice_of(text, format_device(text, path->dev_major, path->dev_minor)));
        put_text(w, XT_S(",\"mode\":"), xt_slice_of(text, format_mode(text, path->mode)));
        put_dec(w, XT_S(",\"ouid\":\""), path->ouid, XT_S("\""));
        put_dec(w, XT_S(",\"ogid\":\""), path->ogid, XT_S("\""));
        put_text(w, XT_S(",\"rdev\":"), xt_slice_of(text, format_device(text, path->rdev_major, path->rdev_minor)));
    }
    if (path->nametype.n > 0)
        put_text(w, XT_S(",\"nametype\":"), path->nametype);
    if (path->rest.n > 0)
        put_text(w, XT_S(",\"rest\":"), path->rest);
    xt_json_writer_char(w, '}');
}

void xt_json_put_paths(xt_json_writer *w, xt_slice paths)
{
    xt_path_iter iter = xt_paths_iterate(paths);
    xt_path path;
    xt_json_writer_char(w, '[');
    for (bool is_first = true; xt_paths_next(&iter, &path); is_first = false) {
        if (!is_first)
            xt_json_writer_char(w, ',');
        put_path(w, &path);
    }
    xt_json_writer_char(w, ']');
}

/* One record on its way into an object. */
typedef struct record_view {
    xt_json_writer *writer;
    const xt_event *event;
    xt_json_group group;
    uint16_t type;
    bool has_failed; /* a failed exec: EXE is not the record's */
    bool has_head;   /* SYSCALL or URINGOP is among the records: it holds the fields of the task */
    bool has_args;   /* the arguments stood in an EXECVE record already */
} record_view;

/* A program's message: its terminal is not a field tty= of the record. */
static bool is_user_message(uint16_t type)
{
    return (type >= AUDIT_FIRST_USER_MSG && type <= AUDIT_LAST_USER_MSG) ||
           (type >= AUDIT_FIRST_USER_MSG2 && type <= AUDIT_LAST_USER_MSG2);
}

/* Copies a field of the event as text. */
static void add_field(record_view *v, const char *name, xt_field field)
{
    xt_buf text = XT_BUF_INIT;
    if (!xt_event_has(v->event, field))
        return;
    xt_event_field_text(v->event, field, &text);
    xt_slice copy = xt_arena_copy(v->writer->arena, xt_buf_slice(&text));
    v->writer->no_memory |= text.failed || !copy.p;
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

static void add_task(record_view *v)
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

static void add_text(record_view *v, const char *name, xt_slice text)
{
    xt_slice copy = xt_arena_copy(v->writer->arena, text);
    v->writer->no_memory |= !copy.p;
    if (copy.p)
        xt_json_group_add(&v->group, xt_slice_str(name), copy);
}

static void add_dec(record_view *v, const char *name, uint64_t number)
{
    char digits[20];
    add_text(v, name, xt_slice_of(digits, (size_t)(xt_json_text_dec(digits, number) - digits)));
}

static void add_args(record_view *v)
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
        xt_slice name = xt_arena_copy(v->writer->arena, xt_slice_of(text, (size_t)n));
        if (!name.p) {
            v->writer->no_memory = true;
            return;
        }
        xt_json_group_add(&v->group, name, arg);
    }
}

#define MAX_PATH_FIELDS 9

static void add_path(record_view *v, const xt_path *path)
{
    char text[MAX_NUMBER_TEXT];
    add_dec(v, "item", path->item);
    if (path->has_name)
        add_text(v, "name", path->name);
    if (path->has_inode) {
        add_dec(v, "inode", path->inode);
        add_text(v, "dev", xt_slice_of(text, format_device(text, path->dev_major, path->dev_minor)));
        add_text(v, "mode", xt_slice_of(text, format_mode(text, path->mode)));
        add_dec(v, "ouid", path->ouid);
        add_dec(v, "ogid", path->ogid);
        add_text(v, "rdev", xt_slice_of(text, format_device(text, path->rdev_major, path->rdev_minor)));
    }
    if (path->nametype.n > 0)
        add_text(v, "nametype", path->nametype);
    if (path->rest.n > 0)
        add_text(v, "rest", path->rest);
}

/* Room for one record: its own fields (counted on a copy of the iterator), and those of the event. */
static bool open_group(record_view *v, xt_rec_iter iter)
{
    size_t n = XT_COUNT_OF(task_fields) + MAX_PATH_FIELDS + 1;
    xt_rec_field ignored;
    while (xt_recs_next_field(&iter, &ignored))
        n++;
    if (v->type == AUDIT_EXECVE && !v->has_args)
        n += xt_list_count(xt_event_bytes(v->event, XT_F_ARGS));
    if (xt_json_group_init(&v->group, n, v->writer->arena) == 0)
        return true;
    v->writer->no_memory = true;
    return false;
}

static void add_from_event(record_view *v, xt_path_iter *paths)
{
    xt_path path;
    if (v->type == AUDIT_EXECVE)
        add_args(v);
    else if (v->type == AUDIT_CWD)
        add_field(v, "cwd", XT_F_CWD);
    else if (v->type == AUDIT_PATH && xt_paths_next(paths, &path))
        add_path(v, &path);
    else if (v->type == AUDIT_SYSCALL || v->type == AUDIT_URINGOP || !v->has_head)
        add_task(v);
}

static bool is_type(void *context, xt_slice name)
{
    return xt_slice_eq(name, XT_S("type"));
}

static void put_record(record_view *v)
{
    xt_json_writer *w = v->writer;
    const char *name = xt_record_type_name(v->type);
    char unknown[24];
    if (!name) {
        snprintf(unknown, sizeof unknown, "UNKNOWN[%u]", (unsigned)v->type);
        name = unknown;
    }
    put_text(w, XT_S("{\"type\":"), xt_slice_str(name));
    uint32_t own = xt_json_group_find(&v->group, XT_S("type")); /* a field of that name, of a program's making */
    if (own != XT_JSON_GROUP_NONE)
        put_text(w, XT_S(",\"type_\":"), v->group.items[own].value);
    xt_json_put_group(w, &v->group, is_type, NULL, true);
    xt_json_writer_char(w, '}');
}

static bool find_head(xt_slice records)
{
    xt_rec_iter iter = xt_recs_iterate(records);
    for (uint16_t type; xt_recs_next(&iter, &type);)
        if (type == AUDIT_SYSCALL || type == AUDIT_URINGOP)
            return true;
    return false;
}

void xt_json_put_records(xt_json_writer *w, const xt_event *event)
{
    xt_slice records = xt_event_bytes(event, XT_F_RECORDS);
    record_view v = {.writer = w, .event = event, .has_head = find_head(records)};
    v.has_failed = xt_slice_eq(xt_event_bytes(event, XT_F_ACTION), XT_S("executed")) &&
                   xt_slice_eq(xt_event_bytes(event, XT_F_SUCCESS), XT_S("no"));
    xt_path_iter paths = xt_paths_iterate(xt_event_bytes(event, XT_F_PATHS));
    xt_rec_iter iter = xt_recs_iterate(records);
    bool is_first = true;
    xt_json_writer_char(w, '[');
    for (; xt_recs_next(&iter, &v.type) && !w->no_memory; is_first = false) {
        xt_rec_field field;
        if (!open_group(&v, iter))
            break;
        add_from_event(&v, &paths);
        while (xt_recs_next_field(&iter, &field))
            xt_json_group_add(&v.group, field.name.n > 0 ? field.name : XT_S("text"), field.value);
        if (!is_first)
            xt_json_writer_char(w, ',');
        put_record(&v);
    }
    xt_json_writer_char(w, ']');
}

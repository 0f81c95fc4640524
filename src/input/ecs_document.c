/*
 * A document is walked once; the path of each value is looked up in one table, which is small enough to be searched from its
 * front. jansson reads it: documents of others come with escapes, nested as they like, and a hostile one must cost no more
 * than its bytes.
 */
#include "input/ecs_document.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "audit/names.h"
#include "base/timestamp.h"
#include "input/syslog_message.h"

#define MAX_PATH_BYTES 256
#define MAX_PATHS      512
#define MAX_FIELDS     512
#define LAST_ERRNO     133

/* What a value becomes. */
typedef enum kind { NUMBER, TEXT, UPPER, LIST, TIME, RESULT, EXIT, NOTHING } kind;

typedef struct mapping {
    const char *path;
    kind kind;
    xt_field field;
} mapping;

/* clang-format off */
static const mapping mappings[] = {
    {"@timestamp",                    TIME,    XT_F_TIME},
    {"auditd.sequence",               NUMBER,  XT_F_SERIAL},
    {"auditd.session",                NUMBER,  XT_F_SES},
    {"auditd.message_type",           UPPER,   XT_F_CODE},
    {"auditd.result",                 RESULT,  XT_F_SUCCESS},
    {"auditd.data.arch",              TEXT,    XT_F_ARCH},
    {"auditd.data.exit",              EXIT,    XT_F_EXIT},
    {"auditd.data.syscall",           TEXT,    XT_F_SYSCALL},
    {"auditd.data.tty",               TEXT,    XT_F_TTY},
    {"auditd.data.items",             NUMBER,  XT_F_ITEMS},
    {"event.action",                  TEXT,    XT_F_ACTION},
    {"event.category",                LIST,    XT_F_CATEGORY},
    {"event.type",                    LIST,    XT_F_EVENT_TYPE},
    {"event.outcome",                 TEXT,    XT_F_OUTCOME},
    {"host.name",                     TEXT,    XT_F_HOST},
    {"host.boot.id",                  TEXT,    XT_F_BOOT_ID},
    {"user.id",                       NUMBER,  XT_F_UID},
    {"user.name",                     TEXT,    XT_F_USER},
    {"user.effective.id",             NUMBER,  XT_F_EUID},
    {"user.effective.name",           TEXT,    XT_F_EUSER},
    {"user.effective.group.id",       NUMBER,  XT_F_EGID},
    {"user.audit.id",                 NUMBER,  XT_F_AUID},
    {"user.audit.name",               TEXT,    XT_F_LOGIN},
    {"user.saved.id",                 NUMBER,  XT_F_SUID},
    {"user.saved.group.id",           NUMBER,  XT_F_SGID},
    {"user.filesystem.id",            NUMBER,  XT_F_FSUID},
    {"user.filesystem.group.id",      NUMBER,  XT_F_FSGID},
    {"user.group.id",                 NUMBER,  XT_F_GID},
    {"user.group.name",               TEXT,    XT_F_GROUP},
    {"group.id",                      NUMBER,  XT_F_GID},
    {"group.name",                    TEXT,    XT_F_GROUP},
    {"process.pid",                   NUMBER,  XT_F_PID},
    {"process.ppid",                  NUMBER,  XT_F_PPID},
    {"process.parent.pid",            NUMBER,  XT_F_PPID},
    {"process.parent.executable",     TEXT,    XT_F_PARENT_EXE},
    {"process.parent.command_line",   TEXT,    XT_F_PARENT_CMD},
    {"process.parent.name",           TEXT,    XT_F_PARENT_COMM},
    {"process.executable",            TEXT,    XT_F_EXE},
    {"process.name",                  TEXT,    XT_F_COMM},
    {"process.args",                  LIST,    XT_F_ARGS},
    {"process.working_directory",     TEXT,    XT_F_CWD},
    {"process.hash.sha256",           TEXT,    XT_F_HASH},
    {"container.id",                  TEXT,    XT_F_CONTAINER},
    {"container.image.name",          TEXT,    XT_F_IMAGE},
    {"source.ip",                     TEXT,    XT_F_FROM},
    {"tags",                          LIST,    XT_F_KEY},
    /* said elsewhere in the document, made by Auditbeat of what is kept, or of the shipper itself */
    {"auditd.data.argc",              NOTHING, XT_F_INVALID},
    {"auditd.data.success",           NOTHING, XT_F_INVALID},
    {"process.args_count",            NOTHING, XT_F_INVALID},
    {"process.command_line",          NOTHING, XT_F_INVALID},
    {"process.title",                 NOTHING, XT_F_INVALID},
    {"host.hostname",                 NOTHING, XT_F_INVALID},
    {"event.kind",                    NOTHING, XT_F_INVALID},
    {"event.module",                  NOTHING, XT_F_INVALID},
    {"event.dataset",                 NOTHING, XT_F_INVALID},
    {"service.type",                  NOTHING, XT_F_INVALID},
};
/* Whole objects of that kind. */
static const char *const ignored[] = {"agent", "ecs", "@metadata", "@version", "auditd.summary", "related", "input", "cloud"};
/* clang-format on */

typedef struct walk {
    xt_arena *arena;
    xt_ecs_document *document;
    xt_rec_field fields[MAX_FIELDS]; /* of auditd.data that no other field holds */
    size_t n_fields;
    bool no_memory;
} walk;

static const mapping *find(xt_slice path)
{
    for (size_t i = 0; i < XT_COUNT_OF(mappings); i++)
        if (xt_slice_eq(path, xt_slice_str(mappings[i].path)))
            return &mappings[i];
    return NULL;
}

static bool is_ignored(xt_slice path)
{
    for (size_t i = 0; i < XT_COUNT_OF(ignored); i++)
        if (xt_slice_eq(path, xt_slice_str(ignored[i])))
            return true;
    return false;
}

/* ---- values ---- */

/* A copy; numbers and truth values as JSON writes them. p NULL: it is no such value. */
static xt_slice text_of(walk *w, const json_t *value)
{
    char number[32];
    int n = 0;
    xt_slice text = XT_S_NULL;
    if (json_is_string(value))
        text = xt_slice_of(json_string_value(value), json_string_length(value));
    else if (json_is_integer(value))
        n = snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
    else if (json_is_boolean(value))
        text = json_is_true(value) ? XT_S("true") : XT_S("false");
    if (n > 0)
        text = xt_slice_of(number, (size_t)n);
    if (!text.p)
        return XT_S_NULL;
    xt_slice copy = xt_arena_copy(w->arena, text);
    w->no_memory |= !copy.p;
    return copy;
}

/* Of an error its negative number, as the kernel has it. */
static bool exit_of(xt_slice text, int64_t *ret)
{
    if (xt_slice_parse_i64(text, ret))
        return true;
    for (int i = 1; i <= LAST_ERRNO; i++) {
        const char *name = xt_errno_name(i);
        if (name && xt_slice_eq(text, xt_slice_str(name))) {
            *ret = -i;
            return true;
        }
    }
    return false;
}

static bool set_list(walk *w, xt_field field, const json_t *value)
{
    size_t n = json_is_array(value) ? json_array_size(value) : 1;
    xt_slice *items = xt_arena_array(w->arena, n + 1, sizeof *items);
    XT_CLEANUP(xt_buf_fini) xt_buf list = XT_BUF_INIT;
    if (!items) {
        w->no_memory = true;
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        items[i] = text_of(w, json_is_array(value) ? json_array_get(value, i) : value);
        if (!items[i].p)
            return false;
    }
    if (n == 0)
        return true;
    xt_list_put(&list, items, n);
    xt_slice copy = xt_buf_done(&list) ? XT_S_NULL : xt_arena_copy(w->arena, xt_buf_slice(&list));
    w->no_memory |= !copy.p;
    xt_event_set_bytes(&w->document->event, field, copy);
    return true;
}

static bool set_number(xt_event *event, xt_field field, xt_slice text)
{
    uint64_t n;
    if (xt_slice_eq(text, XT_S("unset")) || xt_slice_eq(text, XT_S("4294967295")) || xt_slice_eq(text, XT_S("-1")))
        return true; /* of a login: nobody's; absent here */
    if (!xt_slice_parse_u64(text, &n))
        return false;
    xt_event_set_num(event, field, n);
    return true;
}

static bool set_time(xt_event *event, xt_slice text)
{
    int64_t t;
    if (xt_timestamp_parse(text, 0, false, &t, NULL) != 0)
        return false;
    xt_event_set_num(event, XT_F_TIME, (uint64_t)t);
    return true;
}

static xt_slice upper(walk *w, xt_slice text)
{
    char *copy = xt_arena_alloc(w->arena, text.n + 1);
    w->no_memory |= !copy;
    for (size_t i = 0; copy && i < text.n; i++)
        copy[i] = text.p[i] >= 'a' && text.p[i] <= 'z' ? (char)(text.p[i] - 32) : text.p[i];
    return xt_slice_of(copy, copy ? text.n : 0);
}

/* False: the value does not fit. */
static bool set(walk *w, const mapping *m, const json_t *value)
{
    xt_event *event = &w->document->event;
    int64_t exit_value;
    if (m->kind == NOTHING)
        return true;
    if (m->kind == LIST)
        return set_list(w, m->field, value);
    xt_slice text = text_of(w, value);
    if (!text.p)
        return false;
    if (m->kind == NUMBER)
        return set_number(event, m->field, text);
    if (m->kind == TIME)
        return set_time(event, text);
    if (m->kind == EXIT) {
        if (!exit_of(text, &exit_value))
            return false;
        xt_event_set_num(event, m->field, (uint64_t)exit_value);
        return true;
    }
    if (m->kind == RESULT)
        text = xt_slice_eq(text, XT_S("success")) ? XT_S("yes") : xt_slice_eq(text, XT_S("fail")) ? XT_S("no") : text;
    xt_event_set_bytes(event, m->field, m->kind == UPPER ? upper(w, text) : text);
    return true;
}

/* ---- PATH records ---- */

static xt_slice member(walk *w, const json_t *of, const char *name)
{
    return text_of(w, json_object_get(of, name));
}

static void read_device(xt_slice text, uint64_t *ret_major, uint64_t *ret_minor)
{
    xt_slice rest = text, major = XT_S_NULL;
    if (!xt_slice_cut(&rest, ':', &major) || !xt_slice_parse_hex(major, ret_major) ||
        !xt_slice_parse_hex(rest, ret_minor))
        *ret_major = *ret_minor = 0;
}

static void read_path(walk *w, const json_t *from, xt_path *to)
{
    xt_slice mode = member(w, from, "mode");
    *to = (xt_path){.nametype = member(w, from, "nametype"), .name = member(w, from, "name"), .rest = XT_S("")};
    to->has_name = to->name.p != NULL;
    to->nametype = to->nametype.p ? to->nametype : XT_S("UNKNOWN");
    (void)!xt_slice_parse_u64(member(w, from, "item"), &to->item);
    to->has_inode = xt_slice_parse_u64(member(w, from, "inode"), &to->inode);
    (void)!xt_slice_parse_octal(mode, &to->mode);
    (void)!xt_slice_parse_u64(member(w, from, "ouid"), &to->ouid);
    (void)!xt_slice_parse_u64(member(w, from, "ogid"), &to->ogid);
    read_device(member(w, from, "dev"), &to->dev_major, &to->dev_minor);
    read_device(member(w, from, "rdev"), &to->rdev_major, &to->rdev_minor);
}

static void set_paths(walk *w, const json_t *array)
{
    size_t n = json_array_size(array) < MAX_PATHS ? json_array_size(array) : MAX_PATHS;
    xt_path *paths = xt_arena_array(w->arena, n + 1, sizeof *paths);
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    for (size_t i = 0; paths && i < n; i++)
        read_path(w, json_array_get(array, i), &paths[i]);
    w->document->n_unmapped += json_array_size(array) - n;
    if (paths)
        xt_paths_put(&out, paths, n);
    xt_slice copy = !paths || xt_buf_done(&out) ? XT_S_NULL : xt_arena_copy(w->arena, xt_buf_slice(&out));
    w->no_memory |= !copy.p;
    if (n > 0)
        xt_event_set_bytes(&w->document->event, XT_F_PATHS, copy);
}

/* ---- the walk ---- */

/* auditd.data.NAME */
static bool set_data(walk *w, xt_slice path, const json_t *value)
{
    xt_slice prefix = XT_S("auditd.data.");
    if (!xt_slice_starts(path, prefix) || w->n_fields == MAX_FIELDS)
        return false;
    xt_slice text = text_of(w, value), name = xt_arena_copy(w->arena, xt_slice_skip(path, prefix.n));
    w->no_memory |= !name.p;
    if (!text.p || !name.p)
        return w->no_memory;
    w->fields[w->n_fields++] = (xt_rec_field){.name = name, .value = text, .form = XT_REC_BARE};
    return true;
}

static void visit(walk *w, xt_slice path, const json_t *value, unsigned depth);

static void visit_members(walk *w, xt_slice path, const json_t *object, unsigned depth)
{
    char text[MAX_PATH_BYTES];
    const char *key;
    const json_t *value;
    json_t *walked;
    memcpy(&walked, &object, sizeof walked); /* jansson walks what is not const */
    json_object_foreach(walked, key, value)
    {
        xt_slice name = xt_slice_str(key);
        size_t n = path.n > 0 ? path.n + 1 : 0;
        if (depth == XT_ECS_MAX_DEPTH || n + name.n > sizeof text) {
            w->document->n_unmapped++;
            continue;
        }
        if (n > 0) {
            memcpy(text, path.p, path.n);
            text[path.n] = '.';
        }
        memcpy(text + n, name.p, name.n);
        visit(w, xt_slice_of(text, n + name.n), value, depth + 1);
    }
}

static void visit(walk *w, xt_slice path, const json_t *value, unsigned depth)
{
    const mapping *m = find(path);
    if (json_is_null(value) || is_ignored(path))
        return;
    if (!m && json_is_object(value)) {
        visit_members(w, path, value, depth);
        return;
    }
    if (xt_slice_eq(path, XT_S("auditd.paths")) && json_is_array(value)) {
        set_paths(w, value);
        return;
    }
    if (m ? !set(w, m, value) : !set_data(w, path, value))
        w->document->n_unmapped++;
}

/* The first text at one of those places. */
static xt_slice text_at(walk *w, const json_t *document, const char *object, const char *name)
{
    const json_t *of = object ? json_object_get(document, object) : document;
    const json_t *value = json_object_get(of, name);
    return json_is_string(value) ? text_of(w, value) : XT_S_NULL;
}

static xt_slice host_of(walk *w, const json_t *document)
{
    xt_slice host = text_at(w, document, "host", "name");
    host = host.n ? host : text_at(w, document, "host", "hostname");
    host = host.n ? host : text_at(w, document, NULL, "host.name");
    host = host.n ? host : text_at(w, document, NULL, "host");     /* of a Logstash without ECS */
    host = host.n ? host : text_at(w, document, NULL, "hostname"); /* as Fluent Bit's users add it */
    host = host.n ? host : text_at(w, document, "agent", "hostname");
    return host.n ? host : text_at(w, document, "agent", "name");
}

/* A line of an audit log, or of a system log that holds one. */
static bool read_line(walk *w, const json_t *document)
{
    static const char *const places[][2] = {{NULL, "message"}, {"event", "original"}, {NULL, "event.original"}};
    xt_syslog_message message;
    for (size_t i = 0; i < XT_COUNT_OF(places); i++) {
        xt_slice line = text_at(w, document, places[i][0], places[i][1]);
        if (xt_slice_find(line, XT_S("audit(")) < 0)
            continue;
        xt_syslog_message_parse(line, &message);
        w->document->is_line = true;
        w->document->line = message.text;
        w->document->host = host_of(w, document);
        if (w->document->host.n == 0)
            w->document->host = message.host;
        return true;
    }
    return false;
}

static void finish_records(walk *w)
{
    xt_event *event = &w->document->event;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    uint16_t type = xt_record_type_by_name(xt_event_bytes(event, XT_F_CODE));
    xt_buf_put_varint(&out, 1);
    xt_buf_put_varint(&out, type);
    xt_buf_put_varint(&out, w->n_fields);
    for (size_t i = 0; i < w->n_fields; i++) {
        xt_buf_put_block(&out, w->fields[i].name);
        xt_buf_put_u8(&out, (uint8_t)w->fields[i].form);
        xt_buf_put_block(&out, w->fields[i].value);
    }
    xt_slice copy = xt_buf_done(&out) ? XT_S_NULL : xt_arena_copy(w->arena, xt_buf_slice(&out));
    w->no_memory |= !copy.p;
    xt_event_set_bytes(event, XT_F_RECORDS, copy);
}

static int other(xt_problem *reterr_problem)
{
    xt_problem_set(reterr_problem,
                   "neither a line of audit records (message) nor a document of Auditbeat's auditd module");
    xt_problem_hint(reterr_problem, "it is not kept");
    return XT_ECS_E_OTHER;
}

static int read_event(walk *w, const json_t *document, xt_problem *reterr_problem)
{
    xt_event *event = &w->document->event;
    visit_members(w, XT_S(""), document, 0);
    if (!xt_event_has(event, XT_F_TIME) || !xt_event_has(event, XT_F_SERIAL))
        return other(reterr_problem);
    if (!xt_event_has(event, XT_F_HOST))
        xt_event_set_bytes(event, XT_F_HOST, host_of(w, document));
    if (xt_event_bytes(event, XT_F_HOST).n == 0)
        xt_event_set_bytes(event, XT_F_HOST, XT_S("unknown"));
    finish_records(w);
    return 0;
}

int xt_ecs_document_read(xt_slice text, xt_arena *arena, xt_ecs_document *ret, xt_problem *reterr_problem)
{
    json_error_t error;
    if (text.n > XT_ECS_MAX_BYTES) {
        xt_problem_set(reterr_problem, "the document has more than %zu bytes", XT_ECS_MAX_BYTES);
        return XT_ECS_E_INVALID;
    }
    walk *w = xt_arena_new(arena, walk);
    if (!w)
        return xt_error_origin(-ENOMEM);
    *ret = (xt_ecs_document){.host = XT_S(""), .line = XT_S("")};
    w->arena = arena;
    w->document = ret;
    w->n_fields = 0;
    w->no_memory = false;
    json_t *document = json_loadb(text.p, text.n, JSON_ALLOW_NUL, &error);
    if (!json_is_object(document)) {
        json_decref(document);
        xt_problem_set(reterr_problem, "failed to parse: %s", document ? "it is no object" : error.text);
        return XT_ECS_E_INVALID;
    }
    int r = read_line(w, document) ? 0 : read_event(w, document, reterr_problem);
    json_decref(document);
    return w->no_memory ? xt_error_origin(-ENOMEM) : r;
}

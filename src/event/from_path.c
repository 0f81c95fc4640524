/*
 * PATH and CWD, and what follows from them. A script is told from a program that was started through a link by what
 * the kernel does to its arguments: the interpreter's path comes first and the script's own, exactly as it was given,
 * behind it; both are then names of PATH records.
 */
#include <linux/audit.h>
#include <stdlib.h>

#include "audit/field_row.h"
#include "audit/value.h"
#include "event/conversion.h"
#include "event/pack.h"

typedef enum path_kind {
    PATH_ITEM,
    PATH_NAME,
    PATH_NAMETYPE,
    PATH_INODE, /* this and the next five come together or not at all */
    PATH_DEV,
    PATH_MODE,
    PATH_OUID,
    PATH_OGID,
    PATH_RDEV,
    PATH_CAP, /* said only where it is not 0 */
} path_kind;

#define N_INODE_FIELDS 6

typedef struct path_row {
    xt_row_name name;
    path_kind kind;
} path_row;

/* in the order of linux kernel/auditsc.c audit_log_name */
static const path_row path_rows[] = {
    {XT_ROW_NAME("item"), PATH_ITEM},    {XT_ROW_NAME("name"), PATH_NAME},  {XT_ROW_NAME("inode"), PATH_INODE},
    {XT_ROW_NAME("dev"), PATH_DEV},      {XT_ROW_NAME("mode"), PATH_MODE},  {XT_ROW_NAME("ouid"), PATH_OUID},
    {XT_ROW_NAME("ogid"), PATH_OGID},    {XT_ROW_NAME("rdev"), PATH_RDEV},  {XT_ROW_NAME("nametype"), PATH_NAMETYPE},
    {XT_ROW_NAME("cap_fp"), PATH_CAP},   {XT_ROW_NAME("cap_fi"), PATH_CAP}, {XT_ROW_NAME("cap_fe"), PATH_CAP},
    {XT_ROW_NAME("cap_fver"), PATH_CAP},
};

static const xt_row_table path_table = XT_ROW_TABLE(path_rows);

#define MAX_REST 24

/* One PATH record being read. */
typedef struct path_reading {
    xt_path path;
    bool has_item, has_nametype;
    unsigned inode_seen;                         /* bit per field of PATH_INODE to PATH_RDEV */
    xt_audit_field inode_fields[N_INODE_FIELDS]; /* as written, should not all be there */
    xt_slice rest[MAX_REST];                     /* as written */
    size_t n_rest;
} path_reading;

/* name=value as it stands in the record, quotes included. */
static xt_slice as_written(const xt_audit_field *field)
{
    const char *end = field->value.p + field->value.n;
    return xt_slice_of(field->name.p, (size_t)(end - field->name.p) + (field->quoting == XT_DOUBLE));
}

static void add_rest(xt_conversion *c, path_reading *r, const xt_audit_field *field)
{
    if (r->n_rest < MAX_REST && field->name.n > 0 && field->quoting != XT_SINGLE)
        r->rest[r->n_rest++] = as_written(field);
    else
        xt_conversion_keep(c, field, false);
}

static inline unsigned hex_digit(char c)
{
    return c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 255;
}

/* MAJOR:MINOR in hex, two digits each as a rule. */
static bool parse_device(xt_slice text, uint64_t *ret_major, uint64_t *ret_minor)
{
    xt_slice major;
    if (text.n == 5 && text.p[2] == ':') {
        unsigned a = hex_digit(text.p[0]), b = hex_digit(text.p[1]), c = hex_digit(text.p[3]), d = hex_digit(text.p[4]);
        if ((a | b | c | d) < 16) {
            *ret_major = a << 4 | b;
            *ret_minor = c << 4 | d;
            return true;
        }
    }
    return xt_slice_cut(&text, ':', &major) && text.p && xt_slice_parse_hex(major, ret_major) &&
           xt_slice_parse_hex(text, ret_minor);
}

static bool parse_inode_field(path_reading *r, path_kind kind, xt_slice text)
{
    xt_path *path = &r->path;
    uint32_t id;
    switch (kind) {
    case PATH_INODE:
        return xt_value_u64(text, &path->inode);
    case PATH_DEV:
        return parse_device(text, &path->dev_major, &path->dev_minor);
    case PATH_MODE:
        return xt_slice_parse_octal(text, &path->mode);
    case PATH_OUID:
    case PATH_OGID:
        if (!xt_value_id(text, &id))
            return false;
        *(kind == PATH_OUID ? &path->ouid : &path->ogid) = id;
        return true;
    default:
        return parse_device(text, &path->rdev_major, &path->rdev_minor);
    }
}

static void read_inode_field(xt_conversion *c, path_reading *r, path_kind kind, const xt_audit_field *field)
{
    unsigned bit = 1u << (kind - PATH_INODE);
    if (r->inode_seen & bit || !parse_inode_field(r, kind, field->value)) {
        add_rest(c, r, field);
        return;
    }
    r->inode_seen |= bit;
    r->inode_fields[kind - PATH_INODE] = *field;
}

static void read_path_field(xt_conversion *c, path_reading *r, path_kind kind, const xt_audit_field *field)
{
    xt_slice text;
    if (kind >= PATH_INODE && kind <= PATH_RDEV) {
        read_inode_field(c, r, kind, field);
    } else if (kind == PATH_ITEM && !r->has_item && xt_value_u64(field->value, &r->path.item)) {
        r->has_item = true;
    } else if (kind == PATH_NAMETYPE && !r->has_nametype) {
        r->path.nametype = field->value;
        r->has_nametype = true;
    } else if (kind == PATH_NAME && !r->path.has_name) {
        r->path.has_name = xt_conversion_text(c, field, &text);
        if (r->path.has_name)
            r->path.name = text;
    } else if (kind != PATH_CAP || !xt_slice_eq(field->value, XT_S("0"))) {
        add_rest(c, r, field);
    }
}

static void join_rest(xt_conversion *c, path_reading *r)
{
    size_t n = r->n_rest;
    for (size_t i = 0; i < r->n_rest; i++)
        n += r->rest[i].n;
    char *start = n > 0 ? xt_conversion_alloc(c, n) : NULL;
    if (!start)
        return;
    char *p = start;
    for (size_t i = 0; i < r->n_rest; i++) {
        if (i > 0)
            *p++ = ' ';
        p = xt_pack_bytes(p, r->rest[i]);
    }
    r->path.rest = xt_slice_of(start, (size_t)(p - start));
}

static void settle_inode(xt_conversion *c, path_reading *r)
{
    r->path.has_inode = r->inode_seen == (1u << N_INODE_FIELDS) - 1;
    for (unsigned i = 0; !r->path.has_inode && i < N_INODE_FIELDS; i++)
        if (r->inode_seen & 1u << i)
            add_rest(c, r, &r->inode_fields[i]);
}

void xt_conversion_read_path(xt_conversion *c)
{
    path_reading r;
    r.path = (xt_path){.item = c->n_paths};
    r.has_item = r.has_nametype = false;
    r.inode_seen = 0;
    r.n_rest = 0;
    xt_slice body = c->record->body;
    xt_audit_field field;
    size_t cursor = 0;
    for (size_t i; xt_row_next(&path_table, &body, &cursor, &field, &i);) {
        xt_conversion_see_cut(c, &field);
        if (i < path_table.n)
            read_path_field(c, &r, path_rows[i].kind, &field);
        else if (!xt_slice_eq(field.name, XT_S("cap_frootid")) || !xt_slice_eq(field.value, XT_S("0")))
            add_rest(c, &r, &field);
    }
    settle_inode(c, &r);
    join_rest(c, &r);
    xt_conversion_read_enriched(c, &r.path);
    c->paths[c->n_paths++] = r.path;
}

void xt_conversion_read_cwd(xt_conversion *c)
{
    xt_slice body = c->record->body, text;
    xt_audit_field field;
    while (xt_audit_field_next(&body, &field)) {
        xt_conversion_see_cut(c, &field);
        if (xt_slice_eq(field.name, XT_S("cwd")) && !xt_event_has(c->event, XT_F_CWD) &&
            xt_conversion_text(c, &field, &text))
            xt_event_set_bytes(c->event, XT_F_CWD, text);
        else
            xt_conversion_keep(c, &field, false);
    }
    xt_conversion_read_enriched(c, NULL);
}

void xt_conversion_put_paths(xt_conversion *c)
{
    if (c->n_paths == 0)
        return;
    size_t n = xt_paths_bound(c->paths, c->n_paths);
    xt_buf out = {.cap = n, .max_bytes = n};
    out.p = xt_conversion_alloc(c, n);
    if (!out.p)
        return;
    xt_paths_put(&out, c->paths, c->n_paths);
    xt_event_set_bytes(c->event, XT_F_PATHS, xt_buf_slice(&out));
}

static const xt_path *find_item(const xt_conversion *c, uint64_t item)
{
    for (size_t i = 0; i < c->n_paths; i++)
        if (c->paths[i].item == item)
            return &c->paths[i];
    return NULL;
}

/* AT_FDCWD (-100) as the kernel prints it in 64 and in 32 bits. */
static bool is_at_cwd(xt_slice a0)
{
    return xt_slice_eq(a0, XT_S("ffffff9c")) || xt_slice_eq(a0, XT_S("ffffffffffffff9c"));
}

/* name as an absolute path; as it is when it counts from a directory that is not known. */
static xt_slice make_absolute(xt_conversion *c, xt_slice name)
{
    xt_slice cwd = xt_event_bytes(c->event, XT_F_CWD);
    bool is_at = xt_slice_eq(xt_event_bytes(c->event, XT_F_SYSCALL), XT_S("execveat"));
    if (name.n == 0 || name.p[0] == '/' || cwd.n == 0 || (is_at && !is_at_cwd(c->a0)))
        return name;
    while (xt_slice_starts(name, XT_S("./")))
        name = xt_slice_skip(name, 2);
    char *start = xt_conversion_alloc(c, cwd.n + 1 + name.n);
    if (!start)
        return name;
    char *p = xt_pack_bytes(start, cwd);
    if (p[-1] != '/')
        *p++ = '/';
    p = xt_pack_bytes(p, name);
    return xt_slice_of(start, (size_t)(p - start));
}

/* How deep scripts may name scripts as interpreters is 5 in the kernel; each may add one argument of its own. */
#define MAX_SCRIPT_ARGUMENTS 12

static bool is_script(const xt_conversion *c, const xt_path *first)
{
    xt_list_iter iter = xt_list_iterate(c->args.list);
    xt_slice interpreter, arg;
    bool is_opened = false;
    if (c->n_paths < 2 || !first->has_name || !xt_list_next(&iter, &interpreter))
        return false;
    for (size_t i = 0; i < c->n_paths && !is_opened; i++)
        is_opened = &c->paths[i] != first && c->paths[i].has_name && xt_slice_eq(c->paths[i].name, interpreter);
    for (int i = 0; is_opened && i < MAX_SCRIPT_ARGUMENTS && xt_list_next(&iter, &arg); i++)
        if (xt_slice_eq(arg, first->name))
            return true;
    return false;
}

void xt_conversion_put_program(xt_conversion *c)
{
    const xt_path *first = find_item(c, 0);
    if (!c->is_exec)
        return;
    bool has_failed = xt_slice_eq(xt_event_bytes(c->event, XT_F_SUCCESS), XT_S("no")),
         is_known = first && first->has_name;
    if (has_failed && is_known) {
        xt_slice tried = make_absolute(c, first->name);
        if (tried.n > 0)
            xt_event_set_bytes(c->event, XT_F_EXE, tried);
    } else if (!has_failed && is_known && is_script(c, first)) {
        xt_slice script = make_absolute(c, first->name);
        if (!xt_slice_eq(script, xt_event_bytes(c->event, XT_F_EXE)))
            xt_event_set_bytes(c->event, XT_F_SCRIPT, script);
    }
    if (!has_failed)
        xt_conversion_flag_program(c, first);
}

/*
 * PATH records, a row per part of each; and what is read off the first of them: the program that a failed exec tried, the
 * script that another program was started for.
 */
#include <linux/audit.h>

#include "audit/value.h"
#include "event/explain_build.h"

/* The k-th PATH record that was read. */
static const xt_explain_record *find_path(const xt_explain_build *b, uint64_t k)
{
    for (size_t i = 0; i < b->in->n_records; i++)
        if (b->in->records[i].record.type == AUDIT_PATH && !b->in->records[i].is_repeated && k-- == 0)
            return &b->in->records[i];
    return NULL;
}

typedef struct path_rows {
    xt_explain_build *b;
    const xt_explain_record *record;
    unsigned number;
} path_rows;

static xt_explain_value *path_row(const path_rows *rows, const char *part, xt_slice text)
{
    return xt_explain_row_of(rows->b, XT_F_PATHS, xt_explain_format(rows->b, "auditd.paths[%u].%s", rows->number, part),
                             text);
}

/* The next field of that name in the record, from *i on. */
static xt_explain_source *next_source(const path_rows *rows, xt_slice name, size_t *i)
{
    for (; *i < rows->b->n_sources; (*i)++) {
        xt_explain_source *s = &rows->b->sources[*i];
        if (s->record == rows->record && s->place == XT_EXPLAIN_BODY && xt_slice_eq(s->field.name, name)) {
            (*i)++;
            return s;
        }
    }
    return NULL;
}

static bool parse_device(xt_slice text, unsigned long long *ret)
{
    xt_slice major;
    uint64_t a, b;
    if (!xt_slice_cut(&text, ':', &major) || !text.p || !xt_slice_parse_hex(major, &a) || !xt_slice_parse_hex(text, &b))
        return false;
    ret[0] = a;
    ret[1] = b;
    return true;
}

/* The value of an inode's field as the event would show it. */
static bool convert(const path_rows *rows, const char *part, xt_slice value, xt_slice *ret, xt_explain_how *ret_how)
{
    xt_explain_build *b = rows->b;
    unsigned long long device[2];
    uint64_t number;
    uint32_t id;
    bool is_device = strcmp(part, "dev") == 0 || strcmp(part, "rdev") == 0, is_mode = strcmp(part, "mode") == 0;
    *ret_how = is_device ? XT_EXPLAIN_BASE16 : is_mode ? XT_EXPLAIN_OCTAL : XT_EXPLAIN_DECIMAL;
    if (is_device && parse_device(value, device))
        *ret = xt_explain_format(b, "%02llx:%02llx", device[0], device[1]);
    else if (is_mode && xt_slice_parse_octal(value, &number))
        *ret = xt_explain_format(b, "%#llo", (unsigned long long)number);
    else if (part[0] == 'o' && xt_value_id(value, &id))
        *ret = xt_explain_format(b, "%u", (unsigned)id);
    else if (!is_device && !is_mode && part[0] != 'o' && xt_value_u64(value, &number))
        *ret = xt_explain_format(b, "%llu", (unsigned long long)number);
    else
        return false;
    return true;
}

static void add_number(const path_rows *rows, const char *part, xt_slice text)
{
    xt_explain_value *v = path_row(rows, part, text);
    xt_explain_source *s;
    for (size_t i = 0; (s = next_source(rows, xt_slice_str(part), &i)) != NULL;) {
        xt_slice again;
        xt_explain_how how;
        if (!convert(rows, part, s->field.value, &again, &how))
            continue;
        xt_explain_source_of(rows->b, v, s, how);
        xt_explain_prove(v, again);
        return;
    }
    if (strcmp(part, "item") != 0)
        return;
    xt_explain_bytes_of(rows->b, v, rows->record, xt_explain_type_word(rows->record), XT_EXPLAIN_CLUE);
    xt_explain_rule(rows->b, v, "no item=: its place among the PATH records, from 0");
    xt_explain_prove(v, xt_explain_format(rows->b, "%u", rows->number));
}

static void add_text(const path_rows *rows, const char *part, xt_slice text)
{
    xt_explain_value *v = path_row(rows, part, text);
    xt_explain_source *s;
    for (size_t i = 0; (s = next_source(rows, xt_slice_str(part), &i)) != NULL;) {
        xt_slice again = s->field.value;
        xt_explain_how how = XT_EXPLAIN_LITERAL;
        if (strcmp(part, "name") == 0 && !xt_explain_text(rows->b, &s->field, &again, &how))
            continue;
        xt_explain_source_of(rows->b, v, s, how);
        xt_explain_prove(v, again);
        return;
    }
}

static void add_inode(const path_rows *rows, const xt_path *path)
{
    xt_explain_build *b = rows->b;
    add_number(rows, "inode", xt_explain_format(b, "%llu", (unsigned long long)path->inode));
    add_number(rows, "dev",
               xt_explain_format(b, "%02llx:%02llx", (unsigned long long)path->dev_major,
                                 (unsigned long long)path->dev_minor));
    add_number(rows, "mode", xt_explain_format(b, "%#llo", (unsigned long long)path->mode));
    add_number(rows, "ouid", xt_explain_format(b, "%u", (unsigned)path->ouid));
    add_number(rows, "ogid", xt_explain_format(b, "%u", (unsigned)path->ogid));
    add_number(rows, "rdev",
               xt_explain_format(b, "%02llx:%02llx", (unsigned long long)path->rdev_major,
                                 (unsigned long long)path->rdev_minor));
}

static xt_slice as_written(const xt_explain_source *s)
{
    xt_slice raw = xt_explain_raw(s);
    const char *start = s->field.name.n > 0 ? s->field.name.p : raw.p;
    return xt_slice_of(start, (size_t)(raw.p + raw.n - start));
}

/* Fields with no place of their own, as they stand, one space between: found one after the other. */
static void add_rest(const path_rows *rows, xt_slice rest)
{
    xt_explain_value *v = path_row(rows, "rest", rest);
    size_t at = 0;
    for (bool is_found = true; is_found && at < rest.n;) {
        is_found = false;
        for (size_t i = 0; i < rows->b->n_sources && !is_found; i++) {
            xt_explain_source *s = &rows->b->sources[i];
            xt_slice text = as_written(s), left = xt_slice_skip(rest, at);
            if (s->record != rows->record || s->place != XT_EXPLAIN_BODY || s->is_used ||
                !xt_slice_starts(left, text) || (left.n > text.n && left.p[text.n] != ' '))
                continue;
            is_found = s->is_used = true;
            xt_explain_source_of(rows->b, v, s, XT_EXPLAIN_LITERAL);
            at += text.n + 1;
        }
    }
    v->is_proved = at == rest.n + 1;
}

void xt_explain_paths(xt_explain_build *b, xt_field field)
{
    xt_path_iter iter = xt_paths_iterate(xt_event_bytes(b->event, field));
    path_rows rows = {.b = b};
    for (xt_path path; xt_paths_next(&iter, &path); rows.number++) {
        rows.record = find_path(b, rows.number);
        if (!rows.record) {
            xt_explain_rule(b, path_row(&rows, "item", XT_S("")), "no PATH record is left for it");
            continue;
        }
        add_number(&rows, "item", xt_explain_format(b, "%llu", (unsigned long long)path.item));
        if (path.has_name)
            add_text(&rows, "name", path.name);
        if (path.nametype.n > 0)
            add_text(&rows, "nametype", path.nametype);
        if (path.has_inode)
            add_inode(&rows, &path);
        if (path.rest.n > 0)
            add_rest(&rows, path.rest);
    }
}

const xt_explain_source *xt_explain_first_path(xt_explain_build *b, xt_slice *ret_name)
{
    path_rows rows = {.b = b};
    xt_explain_how how;
    for (uint64_t k = 0; (rows.record = find_path(b, k)) != NULL; k++) {
        uint64_t item = k;
        size_t i = 0;
        for (xt_explain_source *s; (s = next_source(&rows, XT_S("item"), &i)) != NULL;)
            if (xt_value_u64(s->field.value, &item))
                break;
        if (item != 0)
            continue;
        i = 0;
        for (xt_explain_source *s; (s = next_source(&rows, XT_S("name"), &i)) != NULL;)
            if (xt_explain_text(b, &s->field, ret_name, &how))
                return s;
        return NULL;
    }
    return NULL;
}

/* AT_FDCWD: execveat's directory is the working directory. */
static bool counts_from_cwd(const xt_explain_build *b)
{
    if (!xt_slice_eq(xt_event_bytes(b->event, XT_F_SYSCALL), XT_S("execveat")))
        return true;
    const xt_explain_source *a0 = xt_explain_find_in_head(b, XT_S("a0"));
    return a0 &&
           (xt_slice_eq(a0->field.value, XT_S("ffffff9c")) || xt_slice_eq(a0->field.value, XT_S("ffffffffffffff9c")));
}

xt_slice xt_explain_absolute(const xt_explain_build *b, xt_slice name)
{
    xt_slice cwd = xt_event_bytes(b->event, XT_F_CWD);
    if (name.n == 0 || name.p[0] == '/' || cwd.n == 0 || !counts_from_cwd(b))
        return name;
    while (xt_slice_starts(name, XT_S("./")))
        name = xt_slice_skip(name, 2);
    bool needs_slash = cwd.p[cwd.n - 1] != '/';
    char *text = xt_arena_alloc(b->arena, cwd.n + 1 + name.n);
    if (!text)
        return name;
    memcpy(text, cwd.p, cwd.n);
    text[cwd.n] = '/';
    memcpy(text + cwd.n + needs_slash, name.p, name.n);
    return xt_slice_of(text, cwd.n + needs_slash + name.n);
}

/* The row of a field that is PATH item 0 as an absolute path. */
static void add_first_path(xt_explain_build *b, xt_field field, const char *rule)
{
    xt_slice name;
    const xt_explain_source *s = xt_explain_first_path(b, &name), *cwd = xt_explain_find(b, AUDIT_CWD, XT_S("cwd"));
    if (!s)
        return;
    xt_slice absolute = xt_explain_absolute(b, name);
    xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
    xt_explain_source_of(b, v, s,
                         s->field.quoting == XT_DOUBLE       ? XT_EXPLAIN_QUOTED
                         : xt_slice_eq(name, s->field.value) ? XT_EXPLAIN_LITERAL
                                                             : XT_EXPLAIN_HEX);
    if (cwd && absolute.p != name.p)
        xt_explain_source_of(b, v, cwd, XT_EXPLAIN_CLUE);
    xt_explain_rule(b, v, "%s%s", rule, absolute.p != name.p ? "; made absolute with process.working_directory" : "");
    xt_explain_prove(v, absolute);
}

void xt_explain_script(xt_explain_build *b, xt_field field)
{
    add_first_path(b, field, "the path given to the kernel (PATH item 0), whose interpreter runs");
}

void xt_explain_exe(xt_explain_build *b, xt_field field)
{
    if (b->head && b->has_failed)
        add_first_path(b, field, "the exec failed: the path tried (PATH item 0), not the caller's exe=");
    else
        xt_explain_ordinary(b, field);
}

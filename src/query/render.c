/*
 * A table's columns have fixed widths, so that rows can be shown as they come; what is longer is cut with an ellipsis
 * but in the last column. Widths count characters of what is shown (xt_text_visible), not of what is stored.
 */
#include "query/render.h"

#include <errno.h>

#include "base/utf8.h"
#include "event/render_raw.h"
#include "query/kql.h"

bool xt_format_by_name(xt_slice name, xt_format *ret)
{
    static const char *const names[] = {"table", "ndjson", "csv", "raw"};

    for (size_t i = 0; i < XT_COUNT_OF(names); i++)
        if (xt_slice_eq_nocase(name, xt_slice_str(names[i]))) {
            *ret = (xt_format)i;
            return true;
        }
    return false;
}

/* ------------------------------------------------------------------------------------------------ fields */

static const xt_field table_fields[] = {XT_F_TIME, XT_F_HOST, XT_F_USER,      XT_F_TTY, XT_F_SES,
                                        XT_F_CWD,  XT_F_EXIT, XT_F_EXIT_CODE, XT_F_CMD};
static const xt_field csv_fields[] = {XT_F_TIME, XT_F_HOST, XT_F_LOGIN,  XT_F_USER,    XT_F_TTY,
                                      XT_F_SES,  XT_F_PID,  XT_F_PPID,   XT_F_EXE,     XT_F_CWD,
                                      XT_F_EXIT, XT_F_CMD,  XT_F_ACTION, XT_F_EVENT_ID};

typedef struct columns {
    const xt_field *fields;
    size_t n;
} columns;

static columns columns_of(const xt_render *render)
{
    if (render->fields)
        return (columns){render->fields, render->n_fields};
    if (render->format == XT_FORMAT_TABLE)
        return (columns){table_fields, XT_COUNT_OF(table_fields)};
    return (columns){csv_fields, XT_COUNT_OF(csv_fields)};
}

xt_field_set xt_render_fields(const xt_render *render)
{
    columns c = columns_of(render);
    xt_field_set set = {{0, 0}};

    if (render->format == XT_FORMAT_RAW || (render->format == XT_FORMAT_NDJSON && !render->fields)) {
        for (unsigned id = 1; id < XT_F_END; id++)
            if (xt_field_find(id) && !(xt_field_find(id)->flags & XT_VIRTUAL))
                xt_field_set_add(&set, (xt_field)id);
        return set;
    }
    for (size_t i = 0; i < c.n; i++)
        xt_field_set_add_all(&set, xt_field_sources(c.fields[i]));
    if (!render->fields && render->format == XT_FORMAT_TABLE) { /* what stands in for a name or a command */
        static const xt_field more[] = {XT_F_LOGIN,  XT_F_AUID,    XT_F_UID,     XT_F_EXE,
                                        XT_F_ACTION, XT_F_MESSAGE, XT_F_DURATION};
        for (size_t i = 0; i < XT_COUNT_OF(more); i++)
            xt_field_set_add(&set, more[i]);
    }
    return set;
}

int xt_fields_parse(xt_slice list, xt_field *ret, size_t max, size_t *ret_n, xt_problem *reterr_problem)
{
    size_t n = 0, at = 1;

    for (xt_slice rest = list, name; xt_slice_cut(&rest, ',', &name); at += name.n + 1) {
        const xt_field_info *field = xt_field_by_name(xt_slice_trim(name));
        if (field && n < max) {
            ret[n++] = field->id;
            continue;
        }
        const char *near = field ? NULL : xt_field_nearest(xt_slice_trim(name));
        if (field)
            xt_problem_set(reterr_problem, "there are more than %zu fields", max);
        else
            xt_problem_set(reterr_problem, "there is no field of this name");
        xt_problem_source(reterr_problem, "fields");
        xt_problem_at(reterr_problem, 1, at);
        xt_problem_excerpt(reterr_problem, name);
        if (near)
            xt_problem_hint(reterr_problem, "did you mean %s?", near);
        return XT_RENDER_E_FIELD;
    }
    *ret_n = n;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ table */

static unsigned width_of(xt_field field)
{
    switch (field) {
    case XT_F_TIME:
        return 24;
    case XT_F_HOST:
    case XT_F_USER:
        return 16;
    case XT_F_CWD:
    case XT_F_EXE:
    case XT_F_SCRIPT:
    case XT_F_PARENT_EXE:
        return 24;
    case XT_F_EVENT_ID:
    case XT_F_HOST_ID:
        return 32;
    case XT_F_TTY:
        return 6;
    case XT_F_EXIT_CODE:
        return 10;
    case XT_F_CMD:
    case XT_F_PARENT_CMD:
    case XT_F_MESSAGE:
        return 40;
    default:
        return xt_field_find(field)->type == XT_TEXT || xt_field_find(field)->type == XT_LIST ? 16 : 7;
    }
}

static const char *title_of(const xt_render *render, xt_field field)
{
    const xt_field_info *info = xt_field_find(field);

    if (!render->fields && field == XT_F_USER)
        return "login>user";
    if (!render->fields && field == XT_F_CMD)
        return "command";
    if (!render->fields && field == XT_F_EXIT_CODE)
        return "ended";
    return info->alias[0] ? info->alias : info->name;
}

/* The cell in its width: padded, or cut with an ellipsis; the last one as it is. */
static void put_cell(xt_buf *out, xt_slice cell, unsigned width, bool last)
{
    size_t n_chars = 0, keep = 0, i = 0;

    while (i < cell.n) {
        size_t n = xt_utf8_sequence(xt_slice_skip(cell, i));
        if (n_chars + 1 < width)
            keep = i + (n ? n : 1);
        n_chars++;
        i += n ? n : 1;
    }
    if (last) {
        xt_buf_put(out, cell);
        return;
    }
    if (n_chars > width) {
        xt_buf_put(out, xt_slice_head(cell, keep));
        xt_buf_puts(out, "\xe2\x80\xa6");
        n_chars = width;
    } else {
        xt_buf_put(out, cell);
    }
    for (; n_chars < width; n_chars++)
        xt_buf_putc(out, ' ');
    xt_buf_putc(out, ' ');
}

/* The first field that the event has, as text. */
static void put_first_of(const xt_event *event, const xt_field *fields, size_t n, xt_buf *out)
{
    for (size_t i = 0; i < n; i++)
        if (xt_event_has(event, fields[i])) {
            xt_event_field_text(event, fields[i], out);
            return;
        }
}

/* alice>root where they differ, root where not. */
static void put_who(const xt_event *event, xt_buf *out)
{
    xt_buf user = XT_BUF_INIT;

    put_first_of(event, (const xt_field[]){XT_F_LOGIN, XT_F_AUID}, 2, out);
    put_first_of(event, (const xt_field[]){XT_F_USER, XT_F_UID}, 2, &user);
    if (user.n && !xt_slice_eq(xt_buf_slice(out), xt_buf_slice(&user))) {
        if (out->n)
            xt_buf_putc(out, '>');
        xt_buf_put(out, xt_buf_slice(&user));
    }
    out->failed |= user.failed;
    xt_buf_fini(&user);
}

/* What is no command says what it is: a failed exec the path it tried, others their action. */
static void put_command(const xt_event *event, xt_buf *out)
{
    if (xt_event_has(event, XT_F_CMD)) {
        xt_event_field_text(event, XT_F_CMD, out);
        return;
    }
    xt_buf_putc(out, '(');
    put_first_of(event, (const xt_field[]){XT_F_ACTION}, 1, out);
    xt_buf_puts(out, ") ");
    put_first_of(event, (const xt_field[]){XT_F_MESSAGE, XT_F_EXE}, 2, out);
}

/* How the process ended and what it took, where that is known: "0 12ms", "137 2h05m". */
static void put_end(const xt_event *event, xt_buf *out)
{
    uint64_t ms = xt_event_num(event, XT_F_DURATION, 0) / 1000000;

    if (!xt_event_has(event, XT_F_EXIT_CODE))
        return;
    xt_event_field_text(event, XT_F_EXIT_CODE, out);
    if (!xt_event_has(event, XT_F_DURATION))
        return;
    if (ms < 1000)
        xt_buf_printf(out, " %llums", (unsigned long long)ms);
    else if (ms < 60000)
        xt_buf_printf(out, " %llu.%llus", (unsigned long long)ms / 1000, (unsigned long long)ms % 1000 / 100);
    else if (ms < 3600000)
        xt_buf_printf(out, " %llum%02llus", (unsigned long long)ms / 60000, (unsigned long long)ms / 1000 % 60);
    else
        xt_buf_printf(out, " %lluh%02llum", (unsigned long long)ms / 3600000, (unsigned long long)ms / 60000 % 60);
}

static void cell_text(const xt_render *render, const xt_event *event, xt_field field, xt_buf *out)
{
    if (!render->fields && render->format == XT_FORMAT_TABLE && field == XT_F_USER)
        put_who(event, out);
    else if (!render->fields && render->format == XT_FORMAT_TABLE && field == XT_F_CMD)
        put_command(event, out);
    else if (!render->fields && render->format == XT_FORMAT_TABLE && field == XT_F_EXIT_CODE)
        put_end(event, out);
    else
        xt_event_field_text(event, field, out);
}

static void trim_line(xt_buf *out)
{
    while (out->n && out->p[out->n - 1] == ' ')
        out->n--;
    xt_buf_putc(out, '\n');
}

static void table_row(const xt_render *render, const xt_event *event)
{
    columns c = columns_of(render);
    xt_buf text = XT_BUF_INIT, visible = XT_BUF_INIT;

    for (size_t i = 0; i < c.n; i++) {
        xt_buf_reset(&text);
        xt_buf_reset(&visible);
        cell_text(render, event, c.fields[i], &text);
        xt_text_visible(&visible, xt_buf_slice(&text));
        put_cell(render->out, xt_buf_slice(&visible), width_of(c.fields[i]), i + 1 == c.n);
    }
    trim_line(render->out);
    render->out->failed |= text.failed | visible.failed;
    xt_buf_fini(&text);
    xt_buf_fini(&visible);
}

/* ------------------------------------------------------------------------------------------------ csv */

/* Control characters and broken UTF-8 as \xHH; in quotes where needed; no text that a spreadsheet would run. */
static void put_csv(xt_buf *out, xt_slice cell, bool is_text)
{
    xt_buf escaped = XT_BUF_INIT;
    bool clean = xt_text_is_clean(cell);

    if (!clean)
        xt_text_escape(&escaped, cell);
    xt_slice s = clean ? cell : xt_buf_slice(&escaped);
    bool runs = is_text && s.n && strchr("=+-@", s.p[0]) && s.p[0];
    bool quotes = xt_slice_find_byte(s, '"') >= 0 || xt_slice_find_byte(s, ',') >= 0;
    if (quotes)
        xt_buf_putc(out, '"');
    if (runs)
        xt_buf_putc(out, '\'');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            xt_buf_putc(out, '"');
        xt_buf_putc(out, s.p[i]);
    }
    if (quotes)
        xt_buf_putc(out, '"');
    out->failed |= escaped.failed;
    xt_buf_fini(&escaped);
}

static void csv_row(const xt_render *render, const xt_event *event)
{
    columns c = columns_of(render);
    xt_buf text = XT_BUF_INIT;

    for (size_t i = 0; i < c.n; i++) {
        xt_type type = xt_field_find(c.fields[i])->type;
        if (i)
            xt_buf_putc(render->out, ',');
        xt_buf_reset(&text);
        xt_event_field_text(event, c.fields[i], &text);
        put_csv(render->out, xt_buf_slice(&text), type != XT_TIME && type != XT_UINT && type != XT_INT);
    }
    xt_buf_puts(render->out, "\r\n");
    render->out->failed |= text.failed;
    xt_buf_fini(&text);
}

/* ------------------------------------------------------------------------------------------------ all */

void xt_render_begin(xt_render *render)
{
    columns c = columns_of(render);

    if (render->format == XT_FORMAT_TABLE) {
        for (size_t i = 0; i < c.n; i++)
            put_cell(render->out, xt_slice_str(title_of(render, c.fields[i])), width_of(c.fields[i]), i + 1 == c.n);
        trim_line(render->out);
    }
    if (render->format == XT_FORMAT_CSV) {
        for (size_t i = 0; i < c.n; i++) {
            if (i)
                xt_buf_putc(render->out, ',');
            xt_buf_puts(render->out, xt_field_find(c.fields[i])->name);
        }
        xt_buf_puts(render->out, "\r\n");
    }
}

static int ndjson_row(xt_render *render, xt_event *event, xt_arena *arena)
{
    int r = render->fields ? xt_event_json_fields(event, render->fields, render->n_fields, arena, render->out)
                           : xt_event_json(event, 0, arena, render->out);

    xt_buf_putc(render->out, '\n');
    return xt_error_trace(r);
}

int xt_render_row(xt_render *render, xt_event *event, xt_arena *arena)
{
    columns c = columns_of(render);
    xt_field_set wanted = {{0, 0}};

    if (render->format == XT_FORMAT_RAW) {
        xt_render_raw(event, render->out);
        return xt_error_trace(xt_buf_done(render->out));
    }
    if (render->format == XT_FORMAT_NDJSON)
        return ndjson_row(render, event, arena);
    for (size_t i = 0; i < c.n; i++)
        xt_field_set_add(&wanted, c.fields[i]);
    int r = xt_event_derive(event, wanted, arena);
    if (r)
        return xt_error_trace(r);
    if (render->format == XT_FORMAT_TABLE)
        table_row(render, event);
    else
        csv_row(render, event);
    return xt_error_trace(xt_buf_done(render->out));
}

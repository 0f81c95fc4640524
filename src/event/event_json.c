/*
 * A document is written in one pass over the plan (json_plan.h), straight into the buffer: before each value the room
 * it needs at most is reserved, then there are no checks. Text is looked at while it is copied: escaping begins at the
 * first that is not clean; only when something before it would have looked otherwise (a backslash, the flags) is the
 * pass made again.
 */
#include "event/event_json.h"

#include <errno.h>

#include "base/timestamp.h"
#include "base/utf8.h"
#include "event/field_row.h"
#include "event/json_records.h"
#include "event/json_writer.h"
#include "event/record_view.h"

#define IS_UNCLEAN 1

/* At most the digits of a number, of a time, and quotes. */
#define MAX_NUMBER_BYTES 32

static void put_time(xt_json_writer *w, int64_t time_ms)
{
    char text[25];
    xt_timestamp_format(time_ms, text);
    xt_json_writer_raw(w, XT_S("\""));
    xt_json_writer_raw(w, xt_slice_of(text, 24));
    xt_json_writer_raw(w, XT_S("\""));
}

static void put_list(xt_json_writer *w, xt_slice list, xt_slice extra)
{
    xt_list_iter iter = xt_list_iterate(list);
    char separator = '[';
    for (xt_slice item; xt_list_next(&iter, &item); separator = ',') {
        xt_json_writer_char(w, separator);
        xt_json_writer_string(w, item);
    }
    if (extra.n > 0) {
        xt_json_writer_char(w, separator);
        xt_json_writer_string(w, extra);
        separator = ',';
    }
    if (separator == '[')
        xt_json_writer_char(w, '[');
    xt_json_writer_char(w, ']');
}

static void put_number(xt_json_writer *w, const xt_field_info *info, uint64_t num)
{
    bool is_negative = info->type == XT_INT && (int64_t)num < 0;
    char *p = xt_json_writer_reserve(w, MAX_NUMBER_BYTES), *start = p;
    if (!p)
        return;
    if (info->flags & XT_ID)
        *p++ = '"';
    if (is_negative)
        *p++ = '-';
    p = xt_json_text_dec(p, is_negative ? -num : num);
    if (info->flags & XT_ID)
        *p++ = '"';
    w->out->n += (size_t)(p - start);
}

static void put_value(xt_json_writer *w, const xt_event *event, const xt_field_info *info)
{
    const xt_value *value = &event->values[info->id];
    switch (info->type) {
    case XT_TIME:
        put_time(w, (int64_t)value->num);
        break;
    case XT_UINT:
    case XT_INT:
        put_number(w, info, value->num);
        break;
    case XT_TEXT:
        xt_json_writer_string(w, value->bytes);
        break;
    case XT_LIST:
        put_list(w, value->bytes, info->id == XT_F_FLAGS && w->escape ? XT_S("escaped") : XT_S_NULL);
        break;
    case XT_PATHS:
        xt_json_put_paths(w, event);
        break;
    case XT_RECORDS:
        xt_json_put_records(w, event);
        break;
    }
}

/* A document under way. */
typedef struct document {
    xt_json_writer writer;
    const xt_event *event;
    unsigned options;
    xt_json_group data;    /* auditd.data of RECORDS, by name */
    xt_meanings *meanings; /* of auditd.data; NULL: not asked for */
    unsigned n_open;
    uint8_t open[XT_JSON_PLAN_DEPTH];
    bool needs_comma;
} document;

/* Closes and opens objects up to the step's, and writes its key. */
static void put_key(document *d, const xt_json_plan *plan, const xt_json_step *step)
{
    char *p = xt_json_writer_reserve(&d->writer, plan->max_key_bytes), *start = p;
    unsigned common = 0;
    if (!p)
        return;
    while (common < d->n_open && common < step->n_open && d->open[common] == step->open[common])
        common++;
    for (; d->n_open > common; d->n_open--) {
        *p++ = '}';
        d->needs_comma = true;
    }
    if (d->needs_comma)
        *p++ = ',';
    for (; d->n_open < step->n_open; d->n_open++) {
        xt_slice key = plan->open_key[step->open[d->n_open]];
        memcpy(p, key.p, key.n);
        p += key.n;
        d->open[d->n_open] = step->open[d->n_open];
    }
    memcpy(p, step->key.p ? step->key.p : "", step->key.n);
    p += step->key.n;
    d->writer.out->n += (size_t)(p - start);
    d->needs_comma = true;
}

/* The values of one name: a string, or a list of strings. */
void xt_json_put_values(xt_json_writer *w, const xt_json_group *group, uint32_t first)
{
    const xt_json_item *item = &group->items[first];
    bool is_list = item->next != XT_JSON_GROUP_NONE;
    if (is_list)
        xt_json_writer_char(w, '[');
    xt_json_writer_string(w, item->value);
    for (uint32_t i = item->next; i != XT_JSON_GROUP_NONE; i = group->items[i].next) {
        xt_json_writer_char(w, ',');
        xt_json_writer_string(w, group->items[i].value);
    }
    if (is_list)
        xt_json_writer_char(w, ']');
}

void xt_json_put_group(xt_json_writer *w, const xt_json_group *group, bool (*leaves_out)(void *context, xt_slice name),
                       void *context, bool needs_comma)
{
    for (uint32_t i = 0; i < group->n; i++) {
        const xt_json_item *item = &group->items[i];
        if (!item->is_first || (leaves_out && leaves_out(context, item->name)))
            continue;
        if (needs_comma)
            xt_json_writer_char(w, ',');
        needs_comma = true;
        xt_json_writer_string(w, item->name);
        xt_json_writer_char(w, ':');
        xt_json_put_values(w, group, i);
    }
}

/* Whether a field of the table stands as auditd.data.NAME in this event. */
static bool is_data_field(void *context, xt_slice name)
{
    static const struct {
        char name[8];
        xt_field field;
    } rows[] = {
        {"tty", XT_F_TTY},   {"exit", XT_F_EXIT},   {"success", XT_F_SUCCESS}, {"arch", XT_F_ARCH},
        {"suid", XT_F_SUID}, {"fsuid", XT_F_FSUID}, {"syscall", XT_F_SYSCALL}, {"egid", XT_F_EGID},
        {"sgid", XT_F_SGID}, {"fsgid", XT_F_FSGID}, {"items", XT_F_ITEMS},
    };
    const document *d = context;
    size_t cursor = 0, i = xt_row_find(rows, sizeof rows[0], XT_COUNT_OF(rows), name, &cursor);
    return i < XT_COUNT_OF(rows) && xt_event_has(d->event, rows[i].field);
}

/* A field of the table that RECORDS holds once more with other values becomes a list. */
static void put_field(document *d, const xt_json_plan *plan, const xt_json_step *step)
{
    xt_json_writer *w = &d->writer;
    const xt_field_info *info = xt_field_find(step->field);
    uint32_t more = XT_JSON_GROUP_NONE;
    put_key(d, plan, step);
    if (d->data.n > 0 && step->is_data)
        more = xt_json_group_find(&d->data, step->name);
    if (more == XT_JSON_GROUP_NONE) {
        put_value(w, d->event, info);
        return;
    }
    xt_json_writer_char(w, '[');
    put_value(w, d->event, info);
    for (uint32_t i = more; i != XT_JSON_GROUP_NONE; i = d->data.items[i].next) {
        xt_json_writer_char(w, ',');
        xt_json_writer_string(w, d->data.items[i].value);
    }
    xt_json_writer_char(w, ']');
}

static void put_data(document *d, const xt_json_plan *plan, const xt_json_step *step)
{
    bool has_any = false;
    for (uint32_t i = 0; i < d->data.n && !has_any; i++)
        has_any = d->data.items[i].is_first && !is_data_field(d, d->data.items[i].name);
    if (!has_any)
        return;
    put_key(d, plan, step);
    xt_json_put_group(&d->writer, &d->data, is_data_field, d, false);
}

static bool has_meaning(const xt_meanings *meanings)
{
    for (uint32_t i = 0; i < meanings->group.n; i++)
        if (meanings->says[i])
            return true;
    return false;
}

static void put_meanings(document *d, const xt_json_plan *plan, const xt_json_step *step)
{
    if (step->field == XT_JSON_STEP_RAW && xt_json_has_raw(d->event)) {
        put_key(d, plan, step);
        xt_json_put_raw(&d->writer, d->event);
    } else if (step->field == XT_JSON_STEP_INTERPRETED && has_meaning(d->meanings)) {
        put_key(d, plan, step);
        xt_json_put_meanings(&d->writer, d->meanings);
    }
}

static void put_step(document *d, const xt_json_plan *plan, const xt_json_step *step)
{
    d->writer.may_not_begin |= step->field == XT_F_FLAGS;
    if (step->field == XT_JSON_STEP_DATA) {
        put_data(d, plan, step);
    } else if (step->field == XT_JSON_STEP_TAGS) {
        if (!xt_event_has(d->event, XT_F_KEY))
            return;
        put_key(d, plan, step);
        put_list(&d->writer, d->event->values[XT_F_KEY].bytes, XT_S_NULL);
    } else if (step->field > XT_JSON_STEP_TAGS) {
        if (d->meanings)
            put_meanings(d, plan, step);
    } else if (xt_event_has(d->event, (xt_field)step->field)) {
        if (step->field != XT_F_RECORDS || d->options & XT_EVENT_JSON_RECORDS)
            put_field(d, plan, step);
    } else if (step->field == XT_F_FLAGS && d->writer.escape) {
        put_key(d, plan, step);
        put_list(&d->writer, XT_S_NULL, XT_S("escaped"));
    }
}

static int put_document(document *d)
{
    const xt_json_plan *plan = xt_json_plan_get();
    xt_json_writer_char(&d->writer, '{');
    for (size_t i = 0; i < plan->n_steps; i++)
        put_step(d, plan, &plan->steps[i]);
    for (unsigned i = 0; i <= d->n_open; i++)
        xt_json_writer_char(&d->writer, '}');
    if (d->writer.is_unclean)
        return IS_UNCLEAN;
    if (d->writer.no_memory)
        return xt_error_origin(-ENOMEM);
    return xt_buf_done(d->writer.out);
}

static int gather_data(document *d, xt_arena *arena)
{
    xt_slice records = xt_event_bytes(d->event, XT_F_RECORDS);
    xt_rec_iter iter = xt_recs_iterate(records);
    xt_rec_field field;
    size_t n = 0;
    for (uint16_t type; xt_recs_next(&iter, &type);)
        n += iter.fields_left;
    if (n == 0)
        return 0;
    int r = xt_json_group_init(&d->data, n, arena);
    if (r < 0)
        return xt_error_trace(r);
    iter = xt_recs_iterate(records);
    for (uint16_t type; xt_recs_next(&iter, &type);)
        while (!xt_record_is_callers_title(d->event, type) && xt_recs_next_field(&iter, &field))
            if (!xt_rec_is_repeated(field.form))
                xt_json_group_add(&d->data, field.name.n > 0 ? field.name : XT_S("text"), field.value);
    return 0;
}

static const xt_field_set derived = {
    {1ull << XT_F_EVENT_ID | 1ull << XT_F_ENTITY | 1ull << XT_F_ARGC | 1ull << XT_F_CMD | 1ull << XT_F_PATH, 0}};

int xt_event_json(const xt_event *event, unsigned options, xt_arena *arena, xt_buf *out)
{
    size_t start = out->n;
    xt_event whole = *event;
    document d = {.writer = {.out = out, .arena = arena}, .event = &whole, .options = options};
    xt_meanings meanings;
    int r = xt_event_derive(&whole, derived, arena);
    if (r == 0)
        r = gather_data(&d, arena);
    if (r == 0 && options & XT_EVENT_JSON_INTERPRET) {
        d.writer.interprets = true;
        d.meanings = &meanings;
        r = xt_meanings_of_event(&meanings, &whole, arena);
    }
    if (r < 0)
        return xt_error_trace(r);
    r = put_document(&d);
    if (r == IS_UNCLEAN) {
        out->n = start;
        document again = {.writer = {.out = out, .arena = arena, .escape = true, .interprets = d.writer.interprets},
                          .event = &whole,
                          .options = options,
                          .data = d.data,
                          .meanings = d.meanings};
        r = put_document(&again);
    }
    return r == 0 ? 0 : xt_error_trace(xt_error_fold(r));
}

static int put_flat(xt_json_writer *w, const xt_event *event, const xt_field *fields, size_t n)
{
    bool has_flags = false;
    char separator = '{';
    for (size_t i = 0; i < n; i++) {
        const xt_field_info *info = xt_field_find(fields[i]);
        if (!info || !xt_event_has(event, fields[i]))
            continue;
        has_flags |= fields[i] == XT_F_FLAGS;
        w->may_not_begin |= has_flags;
        xt_json_writer_char(w, separator);
        separator = ',';
        xt_json_writer_string(w, xt_slice_str(info->name));
        xt_json_writer_char(w, ':');
        put_value(w, event, info);
    }
    if (w->escape && !has_flags) {
        xt_json_writer_char(w, separator);
        separator = ',';
        xt_json_writer_raw(w, XT_S("\"exectrail.flags\":[\"escaped\"]"));
    }
    if (separator == '{')
        xt_json_writer_char(w, '{');
    xt_json_writer_char(w, '}');
    if (w->is_unclean)
        return IS_UNCLEAN;
    return w->no_memory ? xt_error_origin(-ENOMEM) : xt_buf_done(w->out);
}

int xt_event_json_fields(const xt_event *event, const xt_field *fields, size_t n, xt_arena *arena, xt_buf *out)
{
    size_t start = out->n;
    xt_event whole = *event;
    xt_field_set wanted = {{0, 0}};
    for (size_t i = 0; i < n; i++)
        if (xt_field_find(fields[i]))
            xt_field_set_add(&wanted, fields[i]);
    int r = xt_event_derive(&whole, wanted, arena);
    if (r < 0)
        return xt_error_trace(r);
    xt_json_writer w = {.out = out, .arena = arena};
    r = put_flat(&w, &whole, fields, n);
    if (r == IS_UNCLEAN) {
        out->n = start;
        w = (xt_json_writer){.out = out, .arena = arena, .escape = true};
        r = put_flat(&w, &whole, fields, n);
    }
    return r == 0 ? 0 : xt_error_trace(xt_error_fold(r));
}

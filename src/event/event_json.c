/*
 * A document is written in one pass over its shape (json_shape.h), straight into the buffer. What follows from other
 * fields (ids, the command line) is computed where it is written. Text is looked at while it is copied: escaping begins
 * at the first that is not clean; only when something before it would have looked otherwise (a backslash, the flags) is
 * the pass made again.
 */
#include "event/event_json.h"

#include <errno.h>

#include "audit/field_row.h"
#include "base/timestamp.h"
#include "event/event_derive.h"
#include "event/json_records.h"
#include "event/json_shape.h"
#include "event/json_writer.h"
#include "event/record_view.h"

#define IS_UNCLEAN 1

/* At most a number, a time or a hash, and quotes. */
#define MAX_FIXED_BYTES 64

static void put_time(xt_json_writer *w, int64_t time_ms)
{
    if (!xt_json_writer_room(w, MAX_FIXED_BYTES))
        return;
    w->p[0] = '"';
    xt_timestamp_format(time_ms, w->p + 1);
    w->p[25] = '"';
    w->p += 26;
}

static void put_number(xt_json_writer *w, const xt_field_info *info, uint64_t num)
{
    bool is_negative = info->type == XT_INT && (int64_t)num < 0;
    if (!xt_json_writer_room(w, MAX_FIXED_BYTES))
        return;
    char *p = w->p;
    if (info->flags & XT_ID)
        *p++ = '"';
    if (is_negative)
        *p++ = '-';
    p = xt_json_text_dec(p, is_negative ? -num : num);
    if (info->flags & XT_ID)
        *p++ = '"';
    w->p = p;
}

static void put_event_id(xt_json_writer *w, const xt_event *event)
{
    if (!xt_json_writer_room(w, MAX_FIXED_BYTES))
        return;
    w->p[0] = '"';
    xt_hash128_format(xt_event_own_id(event), w->p + 1);
    w->p[33] = '"';
    w->p += 34;
}

static void put_entity(xt_json_writer *w, const xt_event *event)
{
    if (!xt_json_writer_room(w, MAX_FIXED_BYTES))
        return;
    w->p[0] = '"';
    xt_event_own_entity(event, w->p + 1);
    w->p[1 + XT_EVENT_ENTITY_LEN] = '"';
    w->p += XT_EVENT_ENTITY_LEN + 2;
}

static void put_list(xt_json_writer *w, xt_slice list, xt_slice extra)
{
    xt_list_iter iter = xt_list_iterate(list);
    char separator = '[';
    for (xt_slice item; xt_list_next(&iter, &item); separator = ',')
        xt_json_writer_string_after(w, separator, item);
    if (extra.n > 0) {
        xt_json_writer_string_after(w, separator, extra);
        separator = ',';
    }
    if (separator == '[')
        xt_json_writer_char(w, '[');
    xt_json_writer_char(w, ']');
}

/* NAME=VALUE each, as an object. */
static void put_labels(xt_json_writer *w, xt_slice list)
{
    xt_list_iter iter = xt_list_iterate(list);
    char separator = '{';
    for (xt_slice item, name; xt_list_next(&iter, &item); separator = ',') {
        (void)xt_slice_cut(&item, '=', &name);
        xt_json_writer_string_after(w, separator, name);
        xt_json_writer_string_after(w, ':', item);
    }
    if (separator == '{')
        xt_json_writer_char(w, '{');
    xt_json_writer_char(w, '}');
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
        if (info->id == XT_F_LABELS) {
            put_labels(w, value->bytes);
            break;
        }
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

/* A field that the event does not hold: it follows from those that it does. */
static void put_derived(xt_json_writer *w, const xt_event *event, const xt_field_info *info)
{
    switch (info->id) {
    case XT_F_EVENT_ID:
        put_event_id(w, event);
        break;
    case XT_F_ENTITY:
        put_entity(w, event);
        break;
    case XT_F_ARGC:
        put_number(w, info, xt_list_count(xt_event_bytes(event, XT_F_ARGS)));
        break;
    case XT_F_CMD:
        xt_json_writer_joined(w, xt_event_bytes(event, XT_F_ARGS));
        break;
    case XT_F_PATH:
        xt_json_put_path_names(w, xt_event_bytes(event, XT_F_PATHS));
        break;
    default: /* the flags, which say that the event is escaped */
        put_list(w, XT_S_NULL, XT_S("escaped"));
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
    bool has_data;         /* one of them at least is no field of the table */
    xt_field_set listed;   /* fields of the table that data holds once more */
    xt_json_steps steps;
} document;

/* The values of one name: a string, or a list of strings. */
void xt_json_put_values(xt_json_writer *w, const xt_json_group *group, uint32_t first)
{
    const xt_json_item *item = &group->items[first];
    bool is_list = item->next != XT_JSON_GROUP_NONE;
    if (is_list)
        xt_json_writer_char(w, '[');
    xt_json_writer_string(w, item->value);
    for (uint32_t i = item->next; i != XT_JSON_GROUP_NONE; i = group->items[i].next)
        xt_json_writer_string_after(w, ',', group->items[i].value);
    if (is_list)
        xt_json_writer_char(w, ']');
}

void xt_json_put_group(xt_json_writer *w, const xt_json_group *group, bool needs_comma)
{
    for (uint32_t i = 0; i < group->n; i++) {
        const xt_json_item *item = &group->items[i];
        if (!item->is_first || item->is_hidden)
            continue;
        if (needs_comma)
            xt_json_writer_char(w, ',');
        needs_comma = true;
        xt_json_writer_string(w, item->name);
        xt_json_writer_char(w, ':');
        xt_json_put_values(w, group, i);
    }
}

/* A field of the table that RECORDS holds once more with other values: a list. */
static void put_repeated(document *d, const xt_json_value *value)
{
    xt_json_writer *w = &d->writer;
    uint32_t more = xt_json_group_find(&d->data, value->step->name);
    xt_json_writer_char(w, '[');
    put_value(w, d->event, value->info);
    for (uint32_t i = more; i != XT_JSON_GROUP_NONE; i = d->data.items[i].next)
        xt_json_writer_string_after(w, ',', d->data.items[i].value);
    xt_json_writer_char(w, ']');
}

/* What is no row of the table. */
static void put_special(document *d, unsigned step)
{
    if (step == XT_JSON_STEP_DATA)
        xt_json_put_group(&d->writer, &d->data, false);
    else if (step == XT_JSON_STEP_TAGS)
        put_list(&d->writer, xt_event_bytes(d->event, XT_F_KEY), XT_S_NULL);
    else if (step == XT_JSON_STEP_RAW)
        xt_json_put_raw(&d->writer, d->event);
    else
        xt_json_put_meanings(&d->writer, d->meanings);
}

static void put_step(document *d, const xt_json_value *value)
{
    const xt_field_info *info = value->info;
    d->writer.may_not_begin |= value->step->field == XT_F_FLAGS; /* they say whether there is escaping */
    if (!info)
        put_special(d, value->step->field);
    else if (!xt_event_has(d->event, info->id))
        put_derived(&d->writer, d->event, info);
    else if (xt_field_set_has(&d->listed, info->id))
        put_repeated(d, value);
    else
        put_value(&d->writer, d->event, info);
}

/* Escaping began: the flags will say so. The same place in the shape that has them, unless it lies behind them. */
static const xt_json_shape *add_flags(document *d, const xt_json_shape *shape, size_t at)
{
    const xt_json_step *now = shape->values[at].step;
    xt_field_set_add(&d->steps, XT_F_FLAGS);
    shape = xt_json_shape_get(&d->steps, d->writer.arena);
    d->writer.no_memory |= !shape;
    d->writer.is_unclean |= shape && shape->values[at].step != now;
    return shape;
}

static int put_document(document *d)
{
    xt_json_writer *w = &d->writer;
    const xt_json_shape *shape = xt_json_shape_get(&d->steps, w->arena);
    w->no_memory |= !shape;
    for (size_t i = 0; shape && i < shape->n_values && !w->is_unclean; i++) {
        const xt_json_value *value = &shape->values[i];
        if (!xt_json_writer_room(w, value->before.n + XT_JSON_SHAPE_SLACK))
            break;
        w->p = xt_json_shape_put(w->p, value->before);
        put_step(d, value);
        if (w->escape && !xt_field_set_has(&d->steps, XT_F_FLAGS))
            shape = add_flags(d, shape, i);
    }
    if (shape)
        xt_json_writer_raw(w, shape->end);
    xt_json_writer_flush(w);
    if (w->no_memory || xt_buf_done(w->out) < 0)
        return xt_error_origin(-ENOMEM);
    return w->is_unclean ? IS_UNCLEAN : 0;
}

/* The field of the table that stands as auditd.data.NAME; XT_F_INVALID when none does. */
static xt_field data_field(xt_slice name)
{
    static const struct {
        xt_row_name name;
        xt_field field;
    } rows[] = {
        {XT_ROW_NAME("tty"), XT_F_TTY},         {XT_ROW_NAME("exit"), XT_F_EXIT},
        {XT_ROW_NAME("success"), XT_F_SUCCESS}, {XT_ROW_NAME("arch"), XT_F_ARCH},
        {XT_ROW_NAME("suid"), XT_F_SUID},       {XT_ROW_NAME("fsuid"), XT_F_FSUID},
        {XT_ROW_NAME("syscall"), XT_F_SYSCALL}, {XT_ROW_NAME("egid"), XT_F_EGID},
        {XT_ROW_NAME("sgid"), XT_F_SGID},       {XT_ROW_NAME("fsgid"), XT_F_FSGID},
        {XT_ROW_NAME("items"), XT_F_ITEMS},
    };
    static const xt_row_table table = XT_ROW_TABLE(rows);
    size_t cursor = 0, i = xt_row_find(&table, name, &cursor);
    return i < table.n ? rows[i].field : XT_F_INVALID;
}

/* What stands in auditd.data already is not shown there twice. */
static void settle_data(document *d)
{
    for (uint32_t i = 0; i < d->data.n; i++) {
        xt_json_item *item = &d->data.items[i];
        if (!item->is_first)
            continue;
        xt_field field = data_field(item->name);
        item->is_hidden = field != XT_F_INVALID && xt_event_has(d->event, field);
        if (item->is_hidden)
            xt_field_set_add(&d->listed, field);
        d->has_data |= !item->is_hidden;
    }
}

static int gather_data(document *d)
{
    xt_slice records = xt_event_bytes(d->event, XT_F_RECORDS);
    xt_rec_iter iter = xt_recs_iterate(records);
    xt_rec_field field;
    size_t n = 0;
    for (uint16_t type; xt_recs_next(&iter, &type);)
        n += iter.fields_left;
    if (n == 0)
        return 0;
    int r = xt_json_group_init(&d->data, n, d->writer.arena);
    if (r < 0)
        return xt_error_trace(r);
    iter = xt_recs_iterate(records);
    for (uint16_t type; xt_recs_next(&iter, &type);)
        while (!xt_record_is_callers_title(d->event, type) && xt_recs_next_field(&iter, &field))
            if (!xt_rec_is_repeated(field.form))
                xt_json_group_add(&d->data, field.name.n > 0 ? field.name : XT_S("text"), field.value);
    settle_data(d);
    return 0;
}

static bool has_meaning(const xt_meanings *meanings)
{
    for (uint32_t i = 0; i < meanings->group.n; i++)
        if (meanings->says[i])
            return true;
    return false;
}

/* What the document will have. */
static void choose_steps(document *d)
{
    d->steps = d->event->present;
    xt_field_set_add_all(&d->steps, xt_event_derivable(d->event));
    if (!(d->options & XT_EVENT_JSON_RECORDS))
        xt_field_set_remove(&d->steps, XT_F_RECORDS);
    if (d->has_data)
        xt_field_set_add(&d->steps, (xt_field)XT_JSON_STEP_DATA);
    if (xt_event_has(d->event, XT_F_KEY))
        xt_field_set_add(&d->steps, (xt_field)XT_JSON_STEP_TAGS);
    if (d->meanings && xt_json_has_raw(d->event))
        xt_field_set_add(&d->steps, (xt_field)XT_JSON_STEP_RAW);
    if (d->meanings && has_meaning(d->meanings))
        xt_field_set_add(&d->steps, (xt_field)XT_JSON_STEP_INTERPRETED);
    if (d->writer.escape)
        xt_field_set_add(&d->steps, XT_F_FLAGS);
}

int xt_event_json(const xt_event *event, unsigned options, xt_arena *arena, xt_buf *out)
{
    size_t start = out->n;
    document d = {.writer = xt_json_writer_to(out, arena), .event = event, .options = options};
    xt_meanings meanings;
    int r = gather_data(&d);
    if (r == 0 && options & XT_EVENT_JSON_INTERPRET) {
        d.writer.interprets = true;
        d.meanings = &meanings;
        r = xt_meanings_of_event(&meanings, event, arena);
    }
    if (r < 0)
        return xt_error_trace(r);
    choose_steps(&d);
    r = put_document(&d);
    if (r == IS_UNCLEAN) {
        out->n = start;
        d.writer = xt_json_writer_to(out, arena);
        d.writer.escape = true;
        d.writer.interprets = d.meanings;
        choose_steps(&d);
        r = put_document(&d);
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
        xt_json_writer_string_after(w, separator, xt_slice_str(info->name));
        separator = ',';
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
    xt_json_writer_flush(w);
    if (w->no_memory || xt_buf_done(w->out) < 0)
        return xt_error_origin(-ENOMEM);
    return w->is_unclean ? IS_UNCLEAN : 0;
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
    xt_json_writer w = xt_json_writer_to(out, arena);
    r = put_flat(&w, &whole, fields, n);
    if (r == IS_UNCLEAN) {
        out->n = start;
        w = xt_json_writer_to(out, arena);
        w.escape = true;
        r = put_flat(&w, &whole, fields, n);
    }
    return r == 0 ? 0 : xt_error_trace(xt_error_fold(r));
}

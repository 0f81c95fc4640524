#include "event/json_records.h"

#include <linux/audit.h>
#include <stdio.h>

#include "audit/names.h"
#include "event/event_json.h"
#include "event/record_view.h"

static void put_text(xt_json_writer *w, xt_slice before, xt_slice text)
{
    xt_json_writer_raw(w, before);
    xt_json_writer_string(w, text);
}

#define MAX_INODE_TEXT 384 /* eight numbers and the names around them */

#define PUT XT_JSON_TEXT_PUT

static char *put_inode(char *p, const xt_path *path)
{
    p = xt_json_text_dec(PUT(p, ",\"inode\":\""), path->inode);
    p = PUT(p, "\",\"dev\":\"");
    p += xt_record_format_device(p, path->dev_major, path->dev_minor);
    p = PUT(p, "\",\"mode\":\"");
    p += xt_record_format_mode(p, path->mode);
    p = xt_json_text_dec(PUT(p, "\",\"ouid\":\""), path->ouid);
    p = xt_json_text_dec(PUT(p, "\",\"ogid\":\""), path->ogid);
    p = PUT(p, "\",\"rdev\":\"");
    p += xt_record_format_device(p, path->rdev_major, path->rdev_minor);
    *p++ = '"';
    return p;
}

static void put_path(xt_json_writer *w, const xt_path *path, xt_interpretation *of)
{
    if (!xt_json_writer_room(w, XT_RECORD_NUMBER_TEXT))
        return;
    w->p = xt_json_text_dec(PUT(w->p, "{\"item\":"), path->item);
    if (path->has_name)
        put_text(w, XT_S(",\"name\":"), path->name);
    if (path->has_inode && xt_json_writer_room(w, MAX_INODE_TEXT))
        w->p = put_inode(w->p, path);
    if (path->nametype.n > 0)
        put_text(w, XT_S(",\"nametype\":"), path->nametype);
    if (path->rest.n > 0)
        put_text(w, XT_S(",\"rest\":"), path->rest);
    if (of)
        xt_json_put_path_meanings(w, of, path);
    xt_json_writer_char(w, '}');
}

void xt_json_put_path_names(xt_json_writer *w, xt_slice paths)
{
    xt_path_iter iter = xt_paths_iterate(paths);
    xt_path path;
    char separator = '[';
    while (xt_paths_next(&iter, &path)) {
        if (!path.has_name)
            continue;
        xt_json_writer_string_after(w, separator, path.name);
        separator = ',';
    }
    xt_json_writer_char(w, ']');
}

/* The record that this path was read of: its n-th. */
static bool next_path_record(xt_rec_iter *iter)
{
    for (uint16_t type; xt_recs_next(iter, &type);)
        if (type == AUDIT_PATH)
            return true;
    return false;
}

void xt_json_put_paths(xt_json_writer *w, const xt_event *event)
{
    xt_path_iter iter = xt_paths_iterate(xt_event_bytes(event, XT_F_PATHS));
    xt_rec_iter records = xt_recs_iterate(xt_event_bytes(event, XT_F_RECORDS));
    xt_interpretation of;
    xt_path path;
    if (w->interprets)
        xt_interpretation_init(&of, event);
    xt_json_writer_char(w, '[');
    for (bool is_first = true; xt_paths_next(&iter, &path); is_first = false) {
        bool is_there = w->interprets && next_path_record(&records);
        if (is_there)
            xt_interpretation_open(&of, AUDIT_PATH, records);
        if (!is_first)
            xt_json_writer_char(w, ',');
        put_path(w, &path, is_there ? &of : NULL);
    }
    xt_json_writer_char(w, ']');
}

/* type, raw, untrusted, interpreted, each with any number of _ behind. */
static bool is_reserved(xt_slice name)
{
    while (name.n > 0 && name.p[name.n - 1] == '_')
        name.n--;
    return xt_slice_eq(name, XT_S("type")) || xt_slice_eq(name, XT_S("raw")) || xt_slice_eq(name, XT_S("untrusted")) ||
           xt_slice_eq(name, XT_S("interpreted"));
}

static void put_reserved(xt_json_writer *w, xt_record_view *v)
{
    for (uint32_t i = 0; i < v->group.n; i++) {
        xt_json_item *item = &v->group.items[i];
        if (!item->is_first || !is_reserved(item->name))
            continue;
        item->is_hidden = true;
        char *longer = xt_arena_alloc(w->arena, item->name.n + 1);
        w->no_memory |= !longer;
        if (!longer)
            return;
        memcpy(longer, item->name.p, item->name.n);
        longer[item->name.n] = '_';
        put_text(w, XT_S(","), xt_slice_of(longer, item->name.n + 1));
        xt_json_writer_char(w, ':');
        xt_json_put_values(w, &v->group, i);
    }
}

static bool is_of_program(xt_rec_form form)
{
    return form == XT_REC_MSG || form == XT_REC_MSG_HEX || form == XT_REC_MSG_QUOTED;
}

/* Names of what stands inside of msg='...', each once. */
static void put_untrusted(xt_json_writer *w, const xt_record_view *v)
{
    xt_rec_iter iter = v->own;
    xt_rec_field field;
    xt_json_group names;
    if (iter.fields_left == 0)
        return;
    if (xt_json_group_init(&names, iter.fields_left, w->arena) < 0) {
        w->no_memory = true;
        return;
    }
    while (xt_recs_next_field(&iter, &field))
        if (is_of_program(field.form))
            xt_json_group_add(&names, field.name.n > 0 ? field.name : XT_S("text"), XT_S_NULL);
    for (uint32_t i = 0; i < names.n; i++)
        if (names.items[i].is_first)
            put_text(w, i == 0 ? XT_S(",\"untrusted\":[") : XT_S(","), names.items[i].name);
    if (names.n > 0)
        xt_json_writer_char(w, ']');
}

static void put_record_meanings(xt_json_writer *w, const xt_record_view *v, xt_interpretation *of)
{
    xt_meanings meanings;
    bool has_any = false;
    w->no_memory |= xt_meanings_init(&meanings, v->group.n, w->arena) < 0;
    xt_interpretation_open(of, v->type, v->own);
    for (uint32_t i = 0; i < v->group.n && !w->no_memory; i++) {
        const xt_json_item *item = &v->group.items[i];
        w->no_memory |= !xt_meanings_add(&meanings, of, item->name, item->value, w->arena);
        has_any |= meanings.says[i];
    }
    if (w->no_memory || !has_any)
        return;
    xt_json_writer_raw(w, XT_S(",\"interpreted\":"));
    xt_json_put_meanings(w, &meanings);
}

static void put_record(xt_json_writer *w, xt_record_view *v, xt_interpretation *of)
{
    const char *name = xt_record_type_name(v->type);
    char unknown[24];
    if (!name) {
        snprintf(unknown, sizeof unknown, "UNKNOWN[%u]", (unsigned)v->type);
        name = unknown;
    }
    put_text(w, XT_S("{\"type\":"), xt_slice_str(name));
    put_reserved(w, v);
    xt_json_put_group(w, &v->group, true);
    put_untrusted(w, v);
    if (of && xt_json_group_find(&v->group, XT_S("arch")) != XT_JSON_GROUP_NONE && xt_json_has_raw(v->event)) {
        xt_json_writer_raw(w, XT_S(",\"raw\":"));
        xt_json_put_raw(w, v->event);
    }
    if (of)
        put_record_meanings(w, v, of);
    xt_json_writer_char(w, '}');
}

void xt_json_put_records(xt_json_writer *w, const xt_event *event)
{
    xt_record_view view;
    xt_interpretation of;
    bool is_first = true;
    if (w->interprets)
        xt_interpretation_init(&of, event);
    xt_record_view_init(&view, event, w->arena);
    xt_json_writer_char(w, '[');
    for (; !w->no_memory && xt_record_view_next(&view); is_first = false) {
        if (!is_first)
            xt_json_writer_char(w, ',');
        put_record(w, &view, w->interprets ? &of : NULL);
    }
    w->no_memory |= view.no_memory;
    xt_json_writer_char(w, ']');
}

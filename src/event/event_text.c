/* One field as plain text: what tables and CSV show. */
#include "base/timestamp.h"
#include "event/event_json.h"

static void put_path_names(xt_slice paths, xt_buf *out)
{
    xt_path_iter iter = xt_paths_iterate(paths);
    xt_path path;
    for (bool is_first = true; xt_paths_next(&iter, &path);) {
        if (!path.has_name)
            continue;
        if (!is_first)
            xt_buf_putc(out, ' ');
        is_first = false;
        xt_buf_put(out, path.name);
    }
}

/* name=value of every record, one space between. */
static void put_record_fields(xt_slice records, xt_buf *out)
{
    xt_rec_iter iter = xt_recs_iterate(records);
    xt_rec_field field;
    bool is_first = true;
    for (uint16_t type; xt_recs_next(&iter, &type);) {
        while (xt_recs_next_field(&iter, &field)) {
            if (!is_first)
                xt_buf_putc(out, ' ');
            is_first = false;
            xt_buf_put(out, field.name);
            if (field.name.n > 0)
                xt_buf_putc(out, '=');
            xt_buf_put(out, field.value);
        }
    }
}

static void put_value(const xt_field_info *info, const xt_value *value, xt_buf *out)
{
    char time[25];
    switch (info->type) {
    case XT_TIME:
        xt_timestamp_format((int64_t)value->num, time);
        xt_buf_puts(out, time);
        break;
    case XT_UINT:
        xt_buf_put_dec(out, value->num);
        break;
    case XT_INT:
        xt_buf_put_sdec(out, (int64_t)value->num);
        break;
    case XT_TEXT:
        xt_buf_put(out, value->bytes);
        break;
    case XT_LIST:
        xt_list_join(value->bytes, out);
        break;
    case XT_PATHS:
        put_path_names(value->bytes, out);
        break;
    case XT_RECORDS:
        put_record_fields(value->bytes, out);
        break;
    }
}

/* What is not stored but follows from other fields, without an arena. */
static void put_virtual(const xt_event *event, xt_field field, xt_buf *out)
{
    xt_slice args = xt_event_bytes(event, XT_F_ARGS);
    char text[33];
    if (field == XT_F_CMD) {
        xt_list_join(args, out);
    } else if (field == XT_F_ARGC && xt_event_has(event, XT_F_ARGS)) {
        xt_buf_put_dec(out, xt_list_count(args));
    } else if (field == XT_F_PATH) {
        put_path_names(xt_event_bytes(event, XT_F_PATHS), out);
    } else if (field == XT_F_EVENT_ID && xt_event_has(event, XT_F_SERIAL)) {
        xt_hash128_format(xt_event_id_of(xt_event_bytes(event, XT_F_HOST_ID),
                                         (int64_t)xt_event_num(event, XT_F_TIME, 0),
                                         (uint32_t)xt_event_num(event, XT_F_SERIAL, 0)),
                          text);
        xt_buf_puts(out, text);
    } else if (field == XT_F_ENTITY && xt_event_is_own_entity(event)) {
        xt_event_entity_of(xt_event_bytes(event, XT_F_HOST_ID), xt_event_bytes(event, XT_F_BOOT_ID),
                           (uint32_t)xt_event_num(event, XT_F_PID, 0), (int64_t)xt_event_num(event, XT_F_TIME, 0),
                           text);
        xt_buf_put(out, xt_slice_of(text, XT_EVENT_ENTITY_LEN));
    }
}

void xt_event_field_text(const xt_event *event, xt_field field, xt_buf *out)
{
    const xt_field_info *info = xt_field_find(field);
    if (!info)
        return;
    if (xt_event_has(event, field))
        put_value(info, &event->values[field], out);
    else if (info->flags & (XT_VIRTUAL | XT_DERIVED))
        put_virtual(event, field, out);
}

/*
 * Lists, paths and records: bytes inside of an event. Iterators stop at the first thing that is wrong and then leave
 * `left` above 0, which is how xt_event_decode tells whole from broken; a count is never believed before its items
 * were seen.
 */
#include "event/event.h"
#include "event/pack.h"

/* Most numbers here are below 128, nearly all below 2^21; longer ones are left to base/buf. */
static inline uint64_t take_varint(xt_reader *reader)
{
    const uint8_t *p = reader->p;
    if (reader->end - p < 3)
        return xt_reader_varint(reader);
    if (p[0] < 0x80) {
        reader->p = p + 1;
        return p[0];
    }
    if (p[1] < 0x80) {
        reader->p = p + 2;
        return (p[0] & 0x7fu) | (uint64_t)p[1] << 7;
    }
    if (p[2] < 0x80) {
        reader->p = p + 3;
        return (p[0] & 0x7fu) | (p[1] & 0x7fu) << 7 | (uint64_t)p[2] << 14;
    }
    return xt_reader_varint(reader);
}

static inline uint8_t take_byte(xt_reader *reader)
{
    return reader->p < reader->end ? *reader->p++ : xt_reader_u8(reader);
}

static inline xt_slice take_block(xt_reader *reader)
{
    uint64_t n = take_varint(reader);
    if (n > xt_reader_left(reader)) {
        reader->failed = true;
        return XT_S_NULL;
    }
    xt_slice block = xt_slice_of(reader->p, n);
    reader->p += n;
    return block;
}

uint64_t xt_list_count(xt_slice list)
{
    return xt_list_iterate(list).left;
}

xt_list_iter xt_list_iterate(xt_slice list)
{
    xt_list_iter iter = {.reader = xt_reader_of(list)};
    if (list.n == 0)
        return iter;
    iter.left = take_varint(&iter.reader);
    return iter;
}

bool xt_list_next(xt_list_iter *iter, xt_slice *ret_item)
{
    if (iter->left == 0)
        return false;
    xt_slice item = take_block(&iter->reader);
    if (iter->reader.failed)
        return false;
    iter->left--;
    *ret_item = item;
    return true;
}

void xt_list_put(xt_buf *out, const xt_slice *items, size_t n)
{
    xt_buf_put_varint(out, n);
    for (size_t i = 0; i < n; i++)
        xt_buf_put_block(out, items[i]);
}

void xt_list_join(xt_slice list, xt_buf *out)
{
    xt_list_iter iter = xt_list_iterate(list);
    bool first = true;
    for (xt_slice item; xt_list_next(&iter, &item); first = false) {
        if (!first)
            xt_buf_putc(out, ' ');
        xt_buf_put(out, item);
    }
}

size_t xt_paths_bound(const xt_path *paths, size_t n)
{
    size_t bound = XT_PACK_MAX_VARINT;
    for (size_t i = 0; i < n; i++)
        bound += 2 + 12 * XT_PACK_MAX_VARINT + paths[i].name.n + paths[i].nametype.n + paths[i].rest.n;
    return bound;
}

static char *put_path(char *p, const xt_path *path)
{
    p = xt_pack_varint(p, path->item);
    *p++ = path->has_name;
    if (path->has_name)
        p = xt_pack_block(p, path->name);
    p = xt_pack_block(p, path->nametype);
    *p++ = path->has_inode;
    if (path->has_inode) {
        const uint64_t numbers[] = {path->inode, path->dev_major, path->dev_minor,  path->mode,
                                    path->ouid,  path->ogid,      path->rdev_major, path->rdev_minor};
        for (size_t i = 0; i < XT_COUNT_OF(numbers); i++)
            p = xt_pack_varint(p, numbers[i]);
    }
    return xt_pack_block(p, path->rest);
}

void xt_paths_put(xt_buf *out, const xt_path *paths, size_t n)
{
    char *start = xt_buf_reserve(out, xt_paths_bound(paths, n));
    if (!start)
        return;
    char *p = xt_pack_varint(start, n);
    for (size_t i = 0; i < n; i++)
        p = put_path(p, &paths[i]);
    out->n += (size_t)(p - start);
}

xt_path_iter xt_paths_iterate(xt_slice paths)
{
    xt_list_iter list = xt_list_iterate(paths);
    return (xt_path_iter){list.reader, list.left};
}

static void take_inode(xt_reader *reader, xt_path *path)
{
    path->inode = take_varint(reader);
    path->dev_major = take_varint(reader);
    path->dev_minor = take_varint(reader);
    path->mode = take_varint(reader);
    path->ouid = take_varint(reader);
    path->ogid = take_varint(reader);
    path->rdev_major = take_varint(reader);
    path->rdev_minor = take_varint(reader);
}

bool xt_paths_next(xt_path_iter *iter, xt_path *ret)
{
    xt_reader reader = iter->reader;
    if (iter->left == 0)
        return false;
    xt_path path = {.item = take_varint(&reader)};
    path.has_name = take_byte(&reader) != 0;
    if (path.has_name)
        path.name = take_block(&reader);
    path.nametype = take_block(&reader);
    path.has_inode = take_byte(&reader) != 0;
    if (path.has_inode)
        take_inode(&reader, &path);
    path.rest = take_block(&reader);
    iter->reader = reader;
    if (reader.failed)
        return false;
    iter->left--;
    *ret = path;
    return true;
}

xt_rec_iter xt_recs_iterate(xt_slice records)
{
    xt_list_iter list = xt_list_iterate(records);
    return (xt_rec_iter){list.reader, list.left, 0};
}

bool xt_recs_next(xt_rec_iter *iter, uint16_t *ret_type)
{
    xt_rec_field skipped;
    while (xt_recs_next_field(iter, &skipped))
        ;
    if (iter->records_left == 0 || iter->fields_left > 0)
        return false;
    uint64_t type = take_varint(&iter->reader);
    uint64_t n_fields = take_varint(&iter->reader);
    if (iter->reader.failed || type > UINT16_MAX)
        return false;
    iter->records_left--;
    iter->fields_left = n_fields;
    *ret_type = (uint16_t)type;
    return true;
}

bool xt_recs_next_field(xt_rec_iter *iter, xt_rec_field *ret)
{
    if (iter->fields_left == 0)
        return false;
    xt_rec_field field = {.name = take_block(&iter->reader)};
    uint8_t form = take_byte(&iter->reader);
    field.form = form <= XT_REC_REPEATED_HEX ? (xt_rec_form)form : XT_REC_BARE;
    field.value = take_block(&iter->reader);
    if (iter->reader.failed)
        return false;
    iter->fields_left--;
    *ret = field;
    return true;
}

bool xt_recs_find(xt_slice records, xt_slice name, unsigned nth, xt_slice *ret_value)
{
    bool words = xt_slice_eq(name, XT_S("text"));
    xt_rec_iter iter = xt_recs_iterate(records);
    xt_rec_field field;
    for (uint16_t type; xt_recs_next(&iter, &type);) {
        while (xt_recs_next_field(&iter, &field)) {
            if (xt_rec_is_repeated(field.form) || (!xt_slice_eq(field.name, name) && !(words && field.name.n == 0)))
                continue;
            if (nth-- > 0)
                continue;
            *ret_value = field.value;
            return true;
        }
    }
    return false;
}

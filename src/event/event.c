/*
 * Encoding measures first and then writes without checks; fields are walked over the bits of `present`, so an event
 * costs what it holds, not what the schema has. Decoding checks everything that later readers rely on (order, kinds,
 * whole lists, paths and records), so that nobody behind it meets a broken event.
 */
#include "event/event.h"

#include "event/pack.h"

static bool is_number(xt_type type)
{
    return type <= XT_INT;
}

/* The field's number as it stands in the encoding. */
static uint64_t wire_number(const xt_field_info *info, uint64_t num)
{
    return info->type == XT_UINT ? num : xt_pack_zigzag((int64_t)num);
}

/* Takes the lowest field out of the set; XT_F_INVALID when it is empty. */
static xt_field take_field(xt_field_set *set)
{
    for (unsigned word = 0; word < XT_COUNT_OF(set->bits); word++) {
        if (set->bits[word] == 0)
            continue;
        unsigned bit = (unsigned)__builtin_ctzll(set->bits[word]);
        set->bits[word] &= set->bits[word] - 1;
        return (xt_field)(word * 64 + bit);
    }
    return XT_F_INVALID;
}

static size_t encoded_bound(const xt_event *event)
{
    size_t n = 1;
    xt_field_set set = event->present;
    for (xt_field f; (f = take_field(&set)) != XT_F_INVALID;)
        n += 2 + XT_PACK_MAX_VARINT + (is_number(xt_field_find(f)->type) ? 0 : event->values[f].bytes.n);
    return n;
}

static char *put_event(char *p, const xt_event *event)
{
    *p++ = XT_EVENT_VERSION;
    xt_field_set set = event->present;
    for (xt_field f; (f = take_field(&set)) != XT_F_INVALID;) {
        const xt_field_info *info = xt_field_find(f);
        if (info->flags & XT_VIRTUAL)
            continue;
        bool is_bytes = !is_number(info->type);
        p = xt_pack_varint(p, (uint64_t)f << 1 | is_bytes);
        p = is_bytes ? xt_pack_block(p, event->values[f].bytes)
                     : xt_pack_varint(p, wire_number(info, event->values[f].num));
    }
    return p;
}

void xt_event_encode(const xt_event *event, xt_buf *out)
{
    char *p = xt_buf_reserve(out, encoded_bound(event));
    if (p)
        out->n += (size_t)(put_event(p, event) - p);
}

void xt_event_batch_put(xt_buf *out, const xt_event *event)
{
    size_t bound = encoded_bound(event);
    size_t n_length = xt_pack_varint_size(bound);
    char *p = xt_buf_reserve(out, n_length + bound);
    if (!p)
        return;
    size_t n = (size_t)(put_event(p + n_length, event) - (p + n_length));
    size_t n_shorter = xt_pack_varint_size(n);
    if (n_shorter < n_length)
        memmove(p + n_shorter, p + n_length, n);
    xt_pack_varint(p, n);
    out->n += n_shorter + n;
}

bool xt_event_batch_next(xt_slice *rest, xt_slice *ret_bytes)
{
    xt_reader reader = xt_reader_of(*rest);
    xt_slice bytes = xt_reader_block(&reader);
    if (rest->n == 0 || reader.failed)
        return false;
    *ret_bytes = bytes;
    *rest = xt_slice_of(reader.p, xt_reader_left(&reader));
    return true;
}

static int corrupt(xt_problem *problem, const char *sentence, size_t offset)
{
    xt_problem_set(problem, "%s", sentence);
    xt_problem_at_offset(problem, (int64_t)offset);
    return XT_EVENT_E_CORRUPT;
}

static bool bytes_are_whole(xt_type type, xt_slice bytes)
{
    switch (type) {
    case XT_LIST: {
        xt_list_iter iter = xt_list_iterate(bytes);
        for (xt_slice item; xt_list_next(&iter, &item);)
            ;
        return iter.left == 0 && xt_reader_done(&iter.reader);
    }
    case XT_PATHS: {
        xt_path_iter iter = xt_paths_iterate(bytes);
        for (xt_path path; xt_paths_next(&iter, &path);)
            ;
        return iter.left == 0 && xt_reader_done(&iter.reader);
    }
    case XT_RECORDS: {
        xt_rec_iter iter = xt_recs_iterate(bytes);
        xt_rec_field field;
        for (uint16_t rec_type; xt_recs_next(&iter, &rec_type);)
            while (xt_recs_next_field(&iter, &field))
                ;
        return iter.records_left == 0 && iter.fields_left == 0 && xt_reader_done(&iter.reader);
    }
    default:
        return true;
    }
}

/* One field behind its key; a field that the table does not know is passed over. */
static bool decode_field(xt_reader *reader, uint64_t id, bool is_bytes, xt_event *event)
{
    uint64_t num = 0;
    xt_slice bytes = XT_S_NULL;
    if (is_bytes)
        bytes = xt_reader_block(reader);
    else
        num = xt_reader_varint(reader);
    const xt_field_info *info = id < XT_F_END ? xt_field_find((unsigned)id) : NULL;
    if (reader->failed)
        return false;
    if (!info || (info->flags & XT_VIRTUAL))
        return true;
    if (is_number(info->type) == is_bytes || !bytes_are_whole(info->type, bytes))
        return false;
    if (is_bytes)
        xt_event_set_bytes(event, info->id, bytes);
    else
        xt_event_set_num(event, info->id, info->type == XT_UINT ? num : (uint64_t)xt_pack_unzigzag(num));
    return true;
}

static int decode_fields(xt_slice bytes, xt_event *event, xt_problem *problem)
{
    xt_reader reader = xt_reader_of(xt_slice_skip(bytes, 1));
    uint64_t last_id = 0;
    while (xt_reader_left(&reader) > 0) {
        size_t at = bytes.n - xt_reader_left(&reader);
        uint64_t key = xt_reader_varint(&reader);
        if (reader.failed || key >> 1 <= last_id)
            return corrupt(problem, "the fields of this event are not in ascending order", at);
        last_id = key >> 1;
        if (!decode_field(&reader, last_id, key & 1, event))
            return corrupt(problem, "a field of this event is cut off or of another kind", at);
    }
    return 0;
}

int xt_event_decode(xt_slice bytes, xt_event *ret, xt_problem *reterr_problem)
{
    if (bytes.n == 0 || bytes.p[0] == 0)
        return corrupt(reterr_problem, "these bytes are no event", 0);
    if (bytes.n > XT_EVENT_MAX_BYTES)
        return corrupt(reterr_problem, "the event is longer than an event may be", 0);
    if ((uint8_t)bytes.p[0] > XT_EVENT_VERSION) {
        xt_problem_set(reterr_problem, "the event is of version %u, known is up to %u", (uint8_t)bytes.p[0],
                       XT_EVENT_VERSION);
        return XT_EVENT_E_NEWER;
    }
    xt_field_set before = ret->present;
    xt_event_reset(ret);
    int r = decode_fields(bytes, ret, reterr_problem);
    if (r != 0)
        ret->present = before;
    return r;
}

static char *put_le(char *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *p++ = (char)(v >> (8 * i));
    return p;
}

/* What is hashed stands in one run of memory; longer texts count by their first MAX_HASHED bytes. */
#define MAX_HASHED 255

static char *put_hashed(char *p, xt_slice s)
{
    return xt_pack_bytes(p, xt_slice_head(s, MAX_HASHED));
}

xt_hash128 xt_event_id_of(xt_slice host_id, int64_t time_ms, uint32_t serial)
{
    char input[MAX_HASHED + 1 + 8 + 4];
    char *p = put_hashed(input, host_id);
    *p++ = 0;
    p = put_le(p, (uint64_t)time_ms, 8);
    p = put_le(p, serial, 4);
    return xt_slice_hash128(xt_slice_of(input, (size_t)(p - input)));
}

xt_hash128 xt_event_import_host_id(xt_slice host_name)
{
    char input[MAX_HASHED + 7];
    char *p = put_hashed(xt_pack_bytes(input, XT_S("import:")), host_name);
    return xt_slice_hash128(xt_slice_of(input, (size_t)(p - input)));
}

void xt_event_entity_of(xt_slice host_id, xt_slice boot_id, uint32_t pid, int64_t start_ms,
                        char ret[static XT_EVENT_ENTITY_LEN])
{
    char input[2 * MAX_HASHED + 2 + 4 + 8];
    char *p = put_hashed(input, host_id);
    *p++ = 0;
    p = put_hashed(p, boot_id);
    *p++ = 0;
    p = put_le(p, pid, 4);
    p = put_le(p, (uint64_t)start_ms, 8);
    uint64_t hash = xt_slice_hash(xt_slice_of(input, (size_t)(p - input)));
    for (int i = 0; i < XT_EVENT_ENTITY_LEN; i++)
        ret[i] = "0123456789abcdef"[hash >> (60 - 4 * i) & 15];
}

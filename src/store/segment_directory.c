/*
 * The directory is written column by column too: for each field the encodings of all groups, then all least values, and
 * so on, each under a frame of reference, so that what is alike packs to nothing. A year of a fleet has some hundred
 * thousand places; reading them all at opening takes milliseconds and 80 bytes each.
 */
#include "store/segment_directory.h"

#include <errno.h>

#include "store/segment_codec.h"

#define N_CHUNK_ARRAYS 4

static uint64_t form_of(const xt_segment_chunk *chunk)
{
    return (uint64_t)chunk->codec << 8 | chunk->encoding;
}

/* ------------------------------------------------------------------------------------------------ encoding */

/* A member of each of n items; a part of a member that is a chunk. */
#define PUT_EACH(out, items, n, member, scratch)          \
    do {                                                  \
        for (uint32_t i_ = 0; i_ < (n); i_++)             \
            (scratch)[i_] = (uint64_t)(items)[i_].member; \
        xt_segment_put_for((out), (scratch), (n));        \
    } while (0)

#define PUT_PART(out, items, n, member, part, scratch)         \
    do {                                                       \
        for (uint32_t i_ = 0; i_ < (n); i_++)                  \
            (scratch)[i_] = (uint64_t)(items)[i_].member.part; \
        xt_segment_put_for((out), (scratch), (n));             \
    } while (0)

#define PUT_CHUNKS(out, items, n, member, scratch)                      \
    do {                                                                \
        PUT_PART((out), (items), (n), member, stored_bytes, (scratch)); \
        PUT_PART((out), (items), (n), member, raw_bytes, (scratch));    \
        for (uint32_t i_ = 0; i_ < (n); i_++)                           \
            (scratch)[i_] = form_of(&(items)[i_].member);               \
        xt_segment_put_for((out), (scratch), (n));                      \
        PUT_PART((out), (items), (n), member, checksum, (scratch));     \
    } while (0)

static void put_field(const xt_segment_field *field, uint32_t n_groups, xt_buf *out, uint64_t *scratch)
{
    xt_buf_put_u16(out, field->id);
    xt_buf_put_u8(out, field->kind);
    xt_buf_put_u8(out, 0);
    if (field->kind == XT_SEGMENT_CODES) {
        xt_buf_put_u32(out, field->n_dict);
        xt_buf_put_u32(out, field->n_dict_chunks);
        PUT_EACH(out, field->dict_chunks, field->n_dict_chunks, n, scratch);
        PUT_CHUNKS(out, field->dict_chunks, field->n_dict_chunks, chunk, scratch);
        PUT_EACH(out, field->dict_chunks, field->n_dict_chunks, filter_bytes, scratch);
        PUT_CHUNKS(out, field, 1, filter, scratch);
    }
    PUT_EACH(out, field->places, n_groups, encoding, scratch);
    PUT_EACH(out, field->places, n_groups, source, scratch);
    PUT_EACH(out, field->places, n_groups, low, scratch);
    PUT_EACH(out, field->places, n_groups, high, scratch);
    PUT_CHUNKS(out, field->places, n_groups, a, scratch);
    PUT_CHUNKS(out, field->places, n_groups, b, scratch);
}

void xt_segment_directory_encode(const xt_segment_directory *directory, xt_buf *out, uint64_t *scratch)
{
    const xt_segment_head *head = &directory->head;

    xt_buf_put(out, xt_slice_of((const char *)head, sizeof *head));
    PUT_EACH(out, directory->groups, head->n_groups, n_rows, scratch);
    PUT_EACH(out, directory->groups, head->n_groups, min_ms, scratch);
    PUT_EACH(out, directory->groups, head->n_groups, max_ms, scratch);
    for (uint32_t f = 0; f < head->n_fields; f++)
        put_field(&directory->fields[f], head->n_groups, out, scratch);
}

/* ------------------------------------------------------------------------------------------------ decoding */

typedef struct decoding {
    xt_reader reader;
    uint64_t offset, end; /* where the next chunk stands; where chunks end */
    uint64_t *scratch;
    uint32_t cap_scratch;
    xt_arena *arena;
    xt_segment_directory *directory;
    bool no_memory;
} decoding;

/* The next array; NULL: damaged. */
static const uint64_t *next_array(decoding *d, uint32_t n)
{
    if (n > d->cap_scratch) {
        d->scratch = xt_arena_alloc(d->arena, n * sizeof *d->scratch);
        d->cap_scratch = d->scratch ? n : 0;
        d->no_memory |= !d->scratch;
    }
    return n <= d->cap_scratch && xt_segment_next_for(&d->reader, d->scratch, n) ? d->scratch : NULL;
}

/* The same; NULL too when one is greater than `max`. */
static const uint64_t *next_within(decoding *d, uint32_t n, uint64_t max)
{
    const uint64_t *values = next_array(d, n);

    for (uint32_t i = 0; values && i < n; i++)
        if (values[i] > max)
            return NULL;
    return values;
}

#define GET_EACH(d, items, n, member, max)                                  \
    do {                                                                    \
        const uint64_t *from_ = next_within((d), (n), (max));               \
        if (!from_)                                                         \
            return false;                                                   \
        for (uint32_t i_ = 0; i_ < (n); i_++)                               \
            (items)[i_].member = (__typeof__((items)[i_].member))from_[i_]; \
    } while (0)

#define GET_PART(d, items, n, member, part, max)                                      \
    do {                                                                              \
        const uint64_t *from_ = next_within((d), (n), (max));                         \
        if (!from_)                                                                   \
            return false;                                                             \
        for (uint32_t i_ = 0; i_ < (n); i_++)                                         \
            (items)[i_].member.part = (__typeof__((items)[i_].member.part))from_[i_]; \
    } while (0)

#define GET_CHUNKS(d, items, n, member)                                              \
    do {                                                                             \
        GET_PART((d), (items), (n), member, stored_bytes, XT_SEGMENT_MAX_CHUNK_RAW); \
        GET_PART((d), (items), (n), member, raw_bytes, XT_SEGMENT_MAX_CHUNK_RAW);    \
        const uint64_t *form_ = next_array((d), (n));                                \
        for (uint32_t i_ = 0; form_ && i_ < (n); i_++) {                             \
            (items)[i_].member.encoding = (uint8_t)form_[i_];                        \
            (items)[i_].member.codec = (uint8_t)(form_[i_] >> 8);                    \
        }                                                                            \
        GET_PART((d), (items), (n), member, checksum, UINT64_MAX);                   \
    } while (0)

/* Takes the chunk's bytes from the file. */
static bool chunk_is_sound(decoding *d, const xt_segment_chunk *chunk)
{
    if (chunk->stored_bytes > d->end - d->offset || (chunk->stored_bytes == 0) != (chunk->raw_bytes == 0))
        return false;
    if (chunk->codec != XT_SEGMENT_ZSTD &&
        (chunk->codec != XT_SEGMENT_STORED || chunk->stored_bytes != chunk->raw_bytes))
        return false;
    d->offset += chunk->stored_bytes;
    return true;
}

static bool dict_chunks_are_sound(decoding *d, xt_segment_field *field)
{
    uint64_t first = 0, filter_at = 0;

    for (uint32_t i = 0; i < field->n_dict_chunks; i++) {
        xt_segment_dict_chunk *chunk = &field->dict_chunks[i];
        chunk->offset = d->offset;
        chunk->first = (uint32_t)first;
        chunk->filter_at = (uint32_t)filter_at;
        first += chunk->n;
        filter_at += chunk->filter_bytes;
        if (chunk->n == 0 || first > field->n_dict || chunk->chunk.stored_bytes == 0 ||
            filter_at > field->filter.raw_bytes || !chunk_is_sound(d, &chunk->chunk))
            return false;
    }
    field->filter_offset = d->offset;
    return first == field->n_dict && (field->filter.stored_bytes == 0 || filter_at == field->filter.raw_bytes) &&
           chunk_is_sound(d, &field->filter);
}

/* Where each chunk's codes begin, and where the last's end. */
static bool firsts_make(decoding *d, xt_segment_field *field)
{
    uint32_t *firsts = xt_arena_alloc(d->arena, (field->n_dict_chunks + (size_t)1) * sizeof *firsts);

    d->no_memory |= !firsts;
    if (!firsts)
        return false;
    for (uint32_t i = 0; i < field->n_dict_chunks; i++)
        firsts[i] = field->dict_chunks[i].first;
    firsts[field->n_dict_chunks] = field->n_dict;
    const xt_field_info *info = xt_field_find(field->id);
    field->dict = (xt_dict){field->n_dict, field->n_dict_chunks, firsts, info && info->type == XT_TEXT};
    return true;
}

static bool dict_decode(decoding *d, xt_segment_field *field)
{
    field->n_dict = xt_reader_u32(&d->reader);
    field->n_dict_chunks = xt_reader_u32(&d->reader);
    /* No chunk is empty. */
    if (d->reader.failed || field->n_dict == 0 || field->n_dict > d->directory->head.n_rows ||
        field->n_dict_chunks == 0 || field->n_dict_chunks > d->end - d->offset)
        return false;
    field->dict_chunks = xt_arena_array(d->arena, field->n_dict_chunks, sizeof *field->dict_chunks);
    d->no_memory |= !field->dict_chunks;
    if (!field->dict_chunks)
        return false;
    GET_EACH(d, field->dict_chunks, field->n_dict_chunks, n, UINT32_MAX);
    GET_CHUNKS(d, field->dict_chunks, field->n_dict_chunks, chunk);
    GET_EACH(d, field->dict_chunks, field->n_dict_chunks, filter_bytes, XT_SEGMENT_MAX_CHUNK_RAW);
    GET_CHUNKS(d, field, 1, filter);
    return dict_chunks_are_sound(d, field) && firsts_make(d, field);
}

/* SAME refers to a field that stands earlier, so that it ends somewhere. */
static bool source_is_sound(const xt_segment_directory *directory, const xt_segment_field *field, uint32_t g)
{
    const xt_segment_place *place = &field->places[g];

    if (place->encoding != XT_SEGMENT_SAME)
        return place->source == 0;
    if (place->source >= XT_F_END || directory->index[place->source] == 0 || field->kind != XT_SEGMENT_NUMBERS)
        return false;
    const xt_segment_field *source = &directory->fields[directory->index[place->source] - 1];
    return source < field && source->kind == XT_SEGMENT_NUMBERS && source->places[g].encoding != XT_SEGMENT_ABSENT;
}

static bool place_is_sound(decoding *d, const xt_segment_field *field, uint32_t g)
{
    xt_segment_place *place = &field->places[g];
    bool has_chunks = place->encoding == XT_SEGMENT_PLAIN;

    place->offset = d->offset;
    if (place->encoding > XT_SEGMENT_PLAIN || has_chunks != (place->b.stored_bytes != 0) ||
        (!has_chunks && place->a.stored_bytes != 0))
        return false;
    if (field->kind == XT_SEGMENT_CODES && place->encoding != XT_SEGMENT_ABSENT) {
        bool has_set = place->low > 1 && place->low < field->n_dict;
        if (place->low == 0 || place->low > field->n_dict || place->low > d->directory->groups[g].n_rows ||
            has_set != (place->a.stored_bytes != 0) || (place->low == 1 && place->high >= field->n_dict) ||
            (place->encoding == XT_SEGMENT_CONST && place->low != 1))
            return false;
    }
    return chunk_is_sound(d, &place->a) && chunk_is_sound(d, &place->b);
}

static bool is_number(const xt_field_info *info)
{
    return info->type == XT_TIME || info->type == XT_UINT || info->type == XT_INT;
}

static bool field_decode(decoding *d, xt_segment_field *field)
{
    uint32_t n_groups = d->directory->head.n_groups;

    field->id = xt_reader_u16(&d->reader);
    field->kind = xt_reader_u8(&d->reader);
    uint8_t reserved = xt_reader_u8(&d->reader);
    const xt_field_info *info = xt_field_find(field->id);
    if (d->reader.failed || reserved || (field->kind != XT_SEGMENT_NUMBERS && field->kind != XT_SEGMENT_CODES) ||
        (info && is_number(info) != (field->kind == XT_SEGMENT_NUMBERS)) ||
        (field->id == XT_SEGMENT_ARRIVAL && field->kind != XT_SEGMENT_NUMBERS))
        return false;
    if (field->id < XT_F_END && d->directory->index[field->id])
        return false;
    if (field->kind == XT_SEGMENT_CODES && !dict_decode(d, field))
        return false;
    field->places = xt_arena_array(d->arena, n_groups, sizeof *field->places);
    d->no_memory |= !field->places;
    if (!field->places)
        return false;
    GET_EACH(d, field->places, n_groups, encoding, UINT8_MAX);
    GET_EACH(d, field->places, n_groups, source, UINT8_MAX);
    GET_EACH(d, field->places, n_groups, low, UINT64_MAX);
    GET_EACH(d, field->places, n_groups, high, UINT64_MAX);
    GET_CHUNKS(d, field->places, n_groups, a);
    GET_CHUNKS(d, field->places, n_groups, b);
    for (uint32_t g = 0; g < n_groups; g++)
        if (!place_is_sound(d, field, g) || !source_is_sound(d->directory, field, g))
            return false;
    return true;
}

static bool groups_decode(decoding *d)
{
    xt_segment_directory *directory = d->directory;
    const xt_segment_head *head = &directory->head;
    uint64_t n_rows = 0;

    GET_EACH(d, directory->groups, head->n_groups, n_rows, XT_STORE_GROUP_ROWS);
    GET_EACH(d, directory->groups, head->n_groups, min_ms, UINT64_MAX);
    GET_EACH(d, directory->groups, head->n_groups, max_ms, UINT64_MAX);
    for (uint32_t g = 0; g < head->n_groups; g++) {
        const xt_segment_rows *group = &directory->groups[g];
        if (group->n_rows == 0 || group->min_ms > group->max_ms || group->min_ms < head->min_ms ||
            group->max_ms > head->max_ms)
            return false;
        n_rows += group->n_rows;
    }
    return n_rows == head->n_rows && head->first_arrival > 0 && head->last_arrival >= head->first_arrival &&
           head->last_arrival - head->first_arrival >= n_rows - 1;
}

static bool all_decode(decoding *d)
{
    xt_segment_directory *directory = d->directory;
    xt_segment_head *head = &directory->head;
    xt_slice bytes = xt_reader_bytes(&d->reader, sizeof *head);

    if (d->reader.failed)
        return false;
    memcpy(head, bytes.p, sizeof *head);
    if (head->reserved || head->n_groups == 0 || head->n_groups > XT_SEGMENT_MAX_GROUPS ||
        head->n_fields > XT_SEGMENT_MAX_FIELDS)
        return false;
    directory->groups = xt_arena_array(d->arena, head->n_groups, sizeof *directory->groups);
    directory->fields = xt_arena_array(d->arena, head->n_fields + 1, sizeof *directory->fields);
    d->no_memory |= !directory->groups || !directory->fields;
    if (d->no_memory || !groups_decode(d))
        return false;
    for (uint32_t f = 0; f < head->n_fields; f++) {
        if (!field_decode(d, &directory->fields[f]))
            return false;
        if (directory->fields[f].id < XT_F_END)
            directory->index[directory->fields[f].id] = (uint8_t)(f + 1);
    }
    return xt_reader_done(&d->reader) && d->offset == d->end;
}

int xt_segment_directory_decode(xt_slice raw, uint64_t data_end, xt_arena *arena, xt_segment_directory *ret,
                                bool *ret_sound)
{
    xt_segment_directory directory = {0};
    decoding d = {.reader = xt_reader_of(raw),
                  .offset = sizeof(xt_segment_header),
                  .end = data_end,
                  .arena = arena,
                  .directory = &directory};
    bool sound = all_decode(&d);

    if (d.no_memory)
        return xt_error_origin(-ENOMEM);
    *ret = directory;
    *ret_sound = sound;
    return 0;
}

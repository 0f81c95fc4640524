/*
 * Opening reads header, trailer and directory and checks all that the directory says against the file's size and the
 * limits. A chunk's bytes are read, summed, unpacked and decoded anew by every reader: what is cached is left to the
 * kernel, and to the callers that know what they will want again.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>
#include <zstd.h>

#include "store/dict_filter.h"
#include "store/dict_form.h"
#include "store/segment_codec.h"
#include "store/segment_private.h"

#define MAX_DIRECTORY_BYTES ((size_t)1 << 30) /* in memory */

static bool checksums_ignored;

void xt_segment_ignore_checksums(bool ignore)
{
    checksums_ignored = ignore;
}

static int damaged(const char *path, xt_problem *reterr_problem, int64_t offset, const char *what)
{
    xt_problem_set(reterr_problem, "the segment is damaged: %s", what);
    xt_problem_source(reterr_problem, path);
    xt_problem_at_offset(reterr_problem, offset);
    return XT_SEGMENT_E_DAMAGED;
}

/* Errors that say something of the file are damage; those that say something of us end the work. */
static int io_failed(int r, const char *path, xt_problem *reterr_problem)
{
    if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
        return xt_error_origin(r);
    return damaged(path, reterr_problem, -1, strerror(-r));
}

/* ------------------------------------------------------------------------------------------------ file */

static int header_read(xt_segment *segment, xt_problem *reterr_problem)
{
    xt_segment_header header;
    int r = xt_vfs_read_all(segment->vfs, segment->fd, &header, sizeof header, 0);

    if (r < 0)
        return io_failed(r, segment->path, reterr_problem);
    if (memcmp(header.magic, XT_SEGMENT_MAGIC, sizeof header.magic) != 0)
        return damaged(segment->path, reterr_problem, 0, "it does not begin as a segment does");
    if (header.checksum != XXH3_64bits(&header, offsetof(xt_segment_header, checksum)) && !checksums_ignored)
        return damaged(segment->path, reterr_problem, 0, "the header's checksum");
    if (header.version != XT_SEGMENT_VERSION || header.incompatible) {
        xt_problem_set(reterr_problem, "version %u wrote this segment, this is version %u", header.version,
                       XT_SEGMENT_VERSION);
        xt_problem_source(reterr_problem, segment->path);
        return XT_SEGMENT_E_VERSION;
    }
    segment->info.id = header.id;
    snprintf(segment->name, sizeof segment->name, "%016llx.xts", (unsigned long long)header.id);
    return 0;
}

static int trailer_read(xt_segment *segment, xt_segment_trailer *ret, xt_problem *reterr_problem)
{
    uint64_t size;
    int r = segment->vfs->size(segment->vfs, segment->fd, &size);

    if (r == 0 && size < sizeof(xt_segment_header) + sizeof *ret)
        return damaged(segment->path, reterr_problem, -1, "it is too short");
    if (r == 0)
        r = xt_vfs_read_all(segment->vfs, segment->fd, ret, sizeof *ret, size - sizeof *ret);
    if (r != 0)
        return io_failed(r, segment->path, reterr_problem);
    uint64_t at = size - sizeof *ret;
    if (memcmp(ret->magic, XT_SEGMENT_END_MAGIC, sizeof ret->magic) != 0 || ret->raw_bytes > XT_SEGMENT_MAX_CHUNK_RAW ||
        ret->raw_bytes < sizeof(xt_segment_head) || ret->stored_bytes > ret->raw_bytes ||
        ret->stored_bytes > at - sizeof(xt_segment_header) || ret->directory_offset != at - ret->stored_bytes)
        return damaged(segment->path, reterr_problem, (int64_t)at, "it does not end as a segment does");
    segment->info.bytes = size;
    memcpy(segment->info.hash.b, ret->hash, sizeof ret->hash);
    return 0;
}

static void info_fill(xt_segment *segment)
{
    const xt_segment_head *head = &segment->directory.head;
    xt_segment_info *info = &segment->info;

    info->made_ms = head->made_ms;
    info->n_rows = head->n_rows;
    info->first_arrival = head->first_arrival;
    info->last_arrival = head->last_arrival;
    info->min_ms = head->min_ms;
    info->max_ms = head->max_ms;
    info->n_groups = head->n_groups;
    info->level = head->level;
}

/* stored and raw: room for the directory's bytes. */
static int directory_read(xt_segment *segment, const xt_segment_trailer *trailer, char *stored, char *raw,
                          xt_problem *reterr_problem)
{
    int64_t at = (int64_t)trailer->directory_offset;
    bool is_packed = trailer->stored_bytes != trailer->raw_bytes, sound = false;
    int r = xt_vfs_read_all(segment->vfs, segment->fd, stored, trailer->stored_bytes, trailer->directory_offset);

    if (r < 0)
        return io_failed(r, segment->path, reterr_problem);
    if (!xt_hash128_eq(segment->info.hash, xt_slice_hash128(xt_slice_of(stored, trailer->stored_bytes))) &&
        !checksums_ignored)
        return damaged(segment->path, reterr_problem, at, "the directory's checksum");
    if (is_packed && ZSTD_decompress(raw, trailer->raw_bytes, stored, trailer->stored_bytes) != trailer->raw_bytes)
        return damaged(segment->path, reterr_problem, at, "the directory cannot be unpacked");
    r = xt_segment_directory_decode(xt_slice_of(is_packed ? raw : stored, trailer->raw_bytes),
                                    trailer->directory_offset, &segment->arena, &segment->directory, &sound);
    if (r < 0)
        return xt_error_trace(r);
    if (!sound || segment->directory.head.id != segment->info.id)
        return damaged(segment->path, reterr_problem, at, "the directory's content");
    info_fill(segment);
    return 0;
}

static int file_read(xt_segment *segment, xt_problem *reterr_problem)
{
    xt_segment_trailer trailer;
    int r = header_read(segment, reterr_problem);

    if (r == 0)
        r = trailer_read(segment, &trailer, reterr_problem);
    if (r != 0)
        return r;
    char *stored = malloc((size_t)trailer.stored_bytes + 1), *raw = malloc((size_t)trailer.raw_bytes + 1);
    r = stored && raw ? directory_read(segment, &trailer, stored, raw, reterr_problem) : xt_error_origin(-ENOMEM);
    free(stored);
    free(raw);
    return r;
}

int xt_segment_open(const xt_vfs *vfs, const char *path, xt_segment **ret, xt_problem *reterr_problem)
{
    static _Atomic(uint64_t) n_opened;
    xt_segment *segment = calloc(1, sizeof *segment);

    if (!segment || !(segment->path = strdup(path))) {
        free(segment);
        return xt_error_origin(-ENOMEM);
    }
    atomic_init(&segment->n_refs, 1);
    segment->serial = atomic_fetch_add(&n_opened, 1) + 1;
    xt_arena_init(&segment->arena, MAX_DIRECTORY_BYTES);
    segment->vfs = vfs;
    segment->fd = vfs->open(vfs, path, O_RDONLY | O_NOFOLLOW, 0);
    int r = segment->fd < 0 ? io_failed(segment->fd, path, reterr_problem) : file_read(segment, reterr_problem);
    if (r != 0) {
        xt_segment_unref(segment);
        return r;
    }
    *ret = segment;
    return 0;
}

xt_segment *xt_segment_ref(xt_segment *segment)
{
    atomic_fetch_add_explicit(&segment->n_refs, 1, memory_order_relaxed);
    return segment;
}

xt_segment *xt_segment_unref(xt_segment *segment)
{
    if (segment && atomic_fetch_sub_explicit(&segment->n_refs, 1, memory_order_acq_rel) == 1) {
        if (segment->fd >= 0)
            segment->vfs->close(segment->vfs, segment->fd);
        xt_arena_fini(&segment->arena);
        free(segment->path);
        free(segment);
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ shape */

const xt_segment_info *xt_segment_info_get(const xt_segment *segment)
{
    return &segment->info;
}

const char *xt_segment_name(const xt_segment *segment)
{
    return segment->name;
}

ssize_t xt_segment_pread(const xt_segment *segment, void *p, size_t n, uint64_t at)
{
    return segment->vfs->pread(segment->vfs, segment->fd, p, n, at);
}

xt_segment_group xt_segment_group_get(const xt_segment *segment, uint32_t group)
{
    const xt_segment_rows *rows = &segment->directory.groups[group];

    return (xt_segment_group){rows->n_rows, rows->min_ms, rows->max_ms};
}

xt_field xt_segment_dict_field(const xt_dict *dict)
{
    return (xt_field)((const xt_segment_field *)((const char *)dict - offsetof(xt_segment_field, dict)))->id;
}

uint64_t xt_segment_serial(const xt_segment *segment)
{
    return segment->serial;
}

const xt_segment_directory *xt_segment_directory_get(const xt_segment *segment)
{
    return &segment->directory;
}

const xt_segment_field *xt_segment_field_find(const xt_segment *segment, unsigned field)
{
    uint8_t place = segment->directory.index[field];

    return place ? &segment->directory.fields[place - 1] : NULL;
}

bool xt_segment_range(const xt_segment *segment, uint32_t group, xt_field id, uint64_t *ret_min, uint64_t *ret_max)
{
    const xt_segment_field *field = xt_segment_field_find(segment, id);

    if (!field || field->kind != XT_SEGMENT_NUMBERS || field->places[group].encoding == XT_SEGMENT_ABSENT)
        return false;
    *ret_min = field->places[group].low;
    *ret_max = field->places[group].high;
    return true;
}

const xt_dict *xt_segment_dict(const xt_segment *segment, xt_field id)
{
    const xt_segment_field *field = xt_segment_field_find(segment, id);

    return field && field->kind == XT_SEGMENT_CODES ? &field->dict : NULL;
}

/* ------------------------------------------------------------------------------------------------ chunks */

xt_segment_reader *xt_segment_reader_new(void)
{
    xt_segment_reader *reader = calloc(1, sizeof *reader);

    if (!reader)
        return NULL;
    reader->zstd = ZSTD_createDCtx();
    reader->scratch = calloc(XT_STORE_GROUP_ROWS + 1, sizeof *reader->scratch);
    return reader->zstd && reader->scratch ? reader : xt_segment_reader_free(reader);
}

xt_segment_reader *xt_segment_reader_free(xt_segment_reader *reader)
{
    if (reader) {
        xt_buf_fini(&reader->stored);
        xt_buf_fini(&reader->raw);
        xt_buf_fini(&reader->filter);
        xt_buf_fini(&reader->dict);
        ZSTD_freeDCtx(reader->zstd);
        free(reader->scratch);
        free(reader);
    }
    return NULL;
}

void xt_segment_reader_cost(const xt_segment_reader *reader, uint64_t *ret_bytes, uint64_t *ret_chunks,
                            uint64_t *ret_dict_chunks)
{
    *ret_bytes = reader->n_bytes;
    *ret_chunks = reader->n_chunks;
    *ret_dict_chunks = reader->n_dict_chunks;
}

/* Reads and unpacks a chunk to `to`, which has room for raw_bytes. */
static int chunk_read(xt_segment_reader *reader, const xt_segment *segment, const xt_segment_chunk *chunk,
                      uint64_t offset, char *to, xt_problem *reterr_problem)
{
    xt_buf_reset(&reader->stored);
    char *stored = chunk->codec == XT_SEGMENT_STORED ? to : xt_buf_reserve(&reader->stored, chunk->stored_bytes);
    if (!stored)
        return xt_error_origin(-ENOMEM);
    int r = xt_vfs_read_all(segment->vfs, segment->fd, stored, chunk->stored_bytes, offset);
    if (r < 0)
        return io_failed(r, segment->path, reterr_problem);
    reader->n_bytes += chunk->stored_bytes;
    reader->n_chunks++;
    if (XXH3_64bits(stored, chunk->stored_bytes) != chunk->checksum && !checksums_ignored)
        return damaged(segment->path, reterr_problem, (int64_t)offset, "a chunk's checksum");
    if (chunk->codec == XT_SEGMENT_ZSTD &&
        ZSTD_decompressDCtx(reader->zstd, to, chunk->raw_bytes, stored, chunk->stored_bytes) != chunk->raw_bytes)
        return damaged(segment->path, reterr_problem, (int64_t)offset, "a chunk cannot be unpacked");
    return 0;
}

/* The same, to the reader's own room, valid until the next. */
int xt_segment_chunk_read(xt_segment_reader *reader, const xt_segment *segment, const xt_segment_chunk *chunk,
                          uint64_t offset, xt_slice *ret, xt_problem *reterr_problem)
{
    xt_buf_reset(&reader->raw);
    char *to = xt_buf_reserve(&reader->raw, (size_t)chunk->raw_bytes + 1);
    if (!to)
        return xt_error_origin(-ENOMEM);
    int r = chunk_read(reader, segment, chunk, offset, to, reterr_problem);
    if (r == 0)
        *ret = xt_slice_of(to, chunk->raw_bytes);
    return r;
}

int xt_segment_undecodable(const xt_segment *segment, uint64_t offset, xt_problem *reterr_problem)
{
    return damaged(segment->path, reterr_problem, (int64_t)offset, "a chunk cannot be decoded");
}

/* ------------------------------------------------------------------------------------------------ numbers */

uint32_t xt_segment_bits_count(const uint8_t *bits, uint32_t n)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < n / 8; i++)
        count += (uint32_t)__builtin_popcount(bits[i]);
    return n % 8 ? count + (uint32_t)__builtin_popcount(bits[n / 8] & ((1u << n % 8) - 1)) : count;
}

/* The bitmap of a column and how many of its rows have a value; *ret NULL: all have. */
int xt_segment_presence_read(xt_segment_reader *reader, const xt_segment *segment, const xt_segment_place *place,
                             uint32_t n_rows, xt_arena *arena, const uint8_t **ret, uint32_t *ret_n,
                             xt_problem *reterr_problem)
{
    if (place->a.stored_bytes == 0) {
        *ret = NULL;
        *ret_n = n_rows;
        return 0;
    }
    if (place->a.encoding != XT_SEGMENT_BITMAP || place->a.raw_bytes != (n_rows + 7) / 8)
        return xt_segment_undecodable(segment, place->offset, reterr_problem);
    char *bits = xt_arena_alloc(arena, place->a.raw_bytes);
    if (!bits)
        return xt_error_origin(-ENOMEM);
    int r = chunk_read(reader, segment, &place->a, place->offset, bits, reterr_problem);
    if (r == 0) {
        *ret = (const uint8_t *)bits;
        *ret_n = xt_segment_bits_count(*ret, n_rows);
    }
    return r;
}

/* Moves the n values at the front to the rows that are present, from the last on; the others become 0. */
static void spread(uint64_t *values, const uint8_t *present, uint32_t n, uint32_t n_rows)
{
    for (uint32_t row = n_rows; row-- > 0;)
        values[row] = present[row / 8] >> row % 8 & 1 ? values[--n] : 0;
}

static int values_read(xt_segment_reader *reader, const xt_segment *segment, const xt_segment_place *place,
                       uint32_t n_rows, uint64_t *values, xt_arena *arena, xt_column *ret, xt_problem *reterr_problem)
{
    const uint8_t *present = NULL;
    uint64_t at = place->offset + place->a.stored_bytes;
    uint32_t n = 0;
    xt_slice raw;
    int r = xt_segment_presence_read(reader, segment, place, n_rows, arena, &present, &n, reterr_problem);

    if (r == 0)
        r = xt_segment_chunk_read(reader, segment, &place->b, at, &raw, reterr_problem);
    if (r != 0)
        return r;
    bool ok = place->b.encoding == XT_SEGMENT_FOR     ? xt_segment_get_for(raw, values, n)
              : place->b.encoding == XT_SEGMENT_DELTA ? xt_segment_get_delta(raw, values, n)
                                                      : false;
    if (!ok)
        return xt_segment_undecodable(segment, at, reterr_problem);
    if (present)
        spread(values, present, n, n_rows);
    *ret = (xt_column){.kind = XT_COLUMN_NUMBERS, .numbers = values, .present = present};
    return 0;
}

static int numbers_read(xt_segment_reader *reader, const xt_segment *segment, const xt_segment_field *field,
                        uint32_t group, xt_arena *arena, xt_column *ret, xt_problem *reterr_problem)
{
    const xt_segment_place *place = &field->places[group];
    uint32_t n_rows = segment->directory.groups[group].n_rows;

    if (place->encoding == XT_SEGMENT_SAME) { /* of a field that stands earlier: opening made sure */
        const xt_segment_field *source = xt_segment_field_find(segment, place->source);
        return numbers_read(reader, segment, source, group, arena, ret, reterr_problem);
    }
    uint64_t *values = xt_arena_alloc(arena, n_rows * sizeof *values);
    if (!values)
        return xt_error_origin(-ENOMEM);
    if (place->encoding == XT_SEGMENT_PLAIN)
        return values_read(reader, segment, place, n_rows, values, arena, ret, reterr_problem);
    for (uint32_t row = 0; row < n_rows; row++)
        values[row] = place->low;
    *ret = (xt_column){.kind = XT_COLUMN_NUMBERS, .numbers = values};
    return 0;
}

/* ------------------------------------------------------------------------------------------------ codes */

/* Which codes occur. */
static int set_read(xt_segment_reader *reader, const xt_segment *segment, const xt_segment_field *field,
                    const xt_segment_place *place, uint32_t *values, xt_problem *reterr_problem)
{
    uint32_t n = (uint32_t)place->low;
    xt_slice raw;

    if (n == 1)
        values[0] = (uint32_t)place->high;
    for (uint32_t i = 0; n > 1 && n == field->n_dict && i < n; i++)
        values[i] = i;
    if (place->a.stored_bytes == 0)
        return 0;
    int r = xt_segment_chunk_read(reader, segment, &place->a, place->offset, &raw, reterr_problem);
    if (r != 0)
        return r;
    bool ok = place->a.encoding == XT_SEGMENT_DELTA && xt_segment_get_delta(raw, reader->scratch, n);
    for (uint32_t i = 0; i < n && ok; i++) {
        ok = reader->scratch[i] < field->n_dict && (i == 0 || reader->scratch[i] > values[i - 1]);
        values[i] = (uint32_t)reader->scratch[i];
    }
    return ok ? 0 : xt_segment_undecodable(segment, place->offset, reterr_problem);
}

static int codes_read(xt_segment_reader *reader, const xt_segment *segment, const xt_segment_field *field,
                      uint32_t group, bool rows, xt_arena *arena, xt_column *ret, xt_problem *reterr_problem)
{
    const xt_segment_place *place = &field->places[group];
    uint32_t n_rows = segment->directory.groups[group].n_rows, n = (uint32_t)place->low;
    uint64_t at = place->offset + place->a.stored_bytes;
    uint32_t *values = xt_arena_alloc(arena, n * sizeof *values);
    uint32_t *codes = rows ? xt_arena_alloc(arena, n_rows * sizeof *codes) : NULL;
    xt_slice raw;

    if (!values || (rows && !codes))
        return xt_error_origin(-ENOMEM);
    int r = set_read(reader, segment, field, place, values, reterr_problem);
    if (r != 0)
        return r;
    if (rows && place->encoding == XT_SEGMENT_CONST)
        for (uint32_t row = 0; row < n_rows; row++)
            codes[row] = 1;
    if (rows && place->encoding == XT_SEGMENT_PLAIN) {
        r = xt_segment_chunk_read(reader, segment, &place->b, at, &raw, reterr_problem);
        if (r == 0 && !xt_segment_get_codes(place->b.encoding, raw, codes, n_rows, n, reader->scratch))
            r = xt_segment_undecodable(segment, at, reterr_problem);
    }
    if (r == 0)
        *ret =
            (xt_column){.kind = XT_COLUMN_CODES, .codes = codes, .values = values, .n_values = n, .dict = &field->dict};
    return r;
}

static int column_read(xt_segment_reader *reader, const xt_segment *segment, uint32_t group, unsigned id, bool rows,
                       xt_arena *arena, xt_column *ret, xt_problem *reterr_problem)
{
    const xt_segment_field *field = xt_segment_field_find(segment, id);

    if (!field || field->places[group].encoding == XT_SEGMENT_ABSENT) {
        *ret = (xt_column){.kind = XT_COLUMN_ABSENT};
        return 0;
    }
    return field->kind == XT_SEGMENT_NUMBERS
               ? numbers_read(reader, segment, field, group, arena, ret, reterr_problem)
               : codes_read(reader, segment, field, group, rows, arena, ret, reterr_problem);
}

int xt_segment_read(xt_segment_reader *reader, const xt_segment *segment, uint32_t group, xt_field field,
                    xt_arena *arena, xt_column *ret, xt_problem *reterr_problem)
{
    return column_read(reader, segment, group, field, true, arena, ret, reterr_problem);
}

int xt_segment_read_values(xt_segment_reader *reader, const xt_segment *segment, uint32_t group, xt_field field,
                           xt_arena *arena, xt_column *ret, xt_problem *reterr_problem)
{
    return column_read(reader, segment, group, field, false, arena, ret, reterr_problem);
}

int xt_segment_read_arrivals(xt_segment_reader *reader, const xt_segment *segment, uint32_t group, xt_arena *arena,
                             const uint64_t **ret, xt_problem *reterr_problem)
{
    xt_column column;
    int r = column_read(reader, segment, group, XT_SEGMENT_ARRIVAL, true, arena, &column, reterr_problem);

    if (r == 0)
        *ret = column.kind == XT_COLUMN_NUMBERS && !column.present ? column.numbers : NULL;
    return r;
}

/* ------------------------------------------------------------------------------------------------ dictionaries */

/* The raw bytes of a dictionary chunk to the arena, cut into stored forms. */
static int dict_cut(xt_segment_reader *reader, const xt_segment *segment, const xt_segment_field *field,
                    const xt_segment_dict_chunk *chunk, xt_arena *arena, xt_slice *entries, xt_problem *reterr_problem)
{
    const xt_field_info *info = xt_field_find(field->id);
    bool is_text = xt_dict_is_text(info->type);
    char *raw = xt_arena_alloc(arena, chunk->chunk.raw_bytes);
    bool is_here = reader->dict_of == segment->serial && reader->dict_chunk == chunk;

    if (!raw)
        return xt_error_origin(-ENOMEM);
    if (is_here && reader->dict.n)
        memcpy(raw, reader->dict.p, reader->dict.n);
    int r = is_here ? 0 : chunk_read(reader, segment, &chunk->chunk, chunk->offset, raw, reterr_problem);
    if (r != 0)
        return r;
    xt_slice bytes = xt_slice_of(raw, chunk->chunk.raw_bytes);
    bool ok =
        chunk->chunk.encoding == (is_text ? XT_SEGMENT_TEXT : XT_SEGMENT_DICT) &&
        (is_text ? xt_dict_cut(info->type, bytes, entries, chunk->n) : xt_segment_get_dict(bytes, entries, chunk->n));
    return ok ? 0 : xt_segment_undecodable(segment, chunk->offset, reterr_problem);
}

int xt_segment_read_dict(xt_segment_reader *reader, const xt_segment *segment, xt_field id, uint32_t i, bool stored,
                         xt_arena *arena, xt_slice **ret_entries, xt_problem *reterr_problem)
{
    const xt_segment_field *field = xt_segment_field_find(segment, id);
    const xt_segment_dict_chunk *chunk = &field->dict_chunks[i];
    xt_slice *entries;
    bool sound = true;

    assert(field->kind == XT_SEGMENT_CODES && i < field->n_dict_chunks);
    if (chunk->n > chunk->chunk.raw_bytes && xt_dict_is_text(xt_field_find(id)->type)) /* each has an end at least */
        return xt_segment_undecodable(segment, chunk->offset, reterr_problem);
    entries = xt_arena_alloc(arena, chunk->n * sizeof *entries);
    if (!entries)
        return xt_error_origin(-ENOMEM);
    reader->n_dict_chunks++;
    int r = dict_cut(reader, segment, field, chunk, arena, entries, reterr_problem);
    if (r == 0 && !stored)
        r = xt_dict_values(xt_field_find(id)->type, entries, chunk->n, arena, &sound);
    if (r == 0 && !sound)
        r = xt_segment_undecodable(segment, chunk->offset, reterr_problem);
    if (r == 0)
        *ret_entries = entries;
    return r;
}

/* The filters of a dictionary stay in the reader until another's are asked for. */
static int filter_read(xt_segment_reader *reader, const xt_segment *segment, const xt_segment_field *field,
                       xt_problem *reterr_problem)
{
    if (reader->filter_field == field->id && reader->filter_of == segment->serial)
        return 0;
    reader->filter_of = 0;
    xt_buf_reset(&reader->filter);
    char *to = xt_buf_reserve(&reader->filter, field->filter.raw_bytes);
    if (!to)
        return xt_error_origin(-ENOMEM);
    int r = chunk_read(reader, segment, &field->filter, field->filter_offset, to, reterr_problem);
    if (r != 0)
        return r;
    reader->filter.n = field->filter.raw_bytes;
    reader->filter_field = field->id;
    reader->filter_of = segment->serial;
    return 0;
}

int xt_segment_may_hold(xt_segment_reader *reader, const xt_segment *segment, xt_field id, uint32_t i, xt_slice literal,
                        bool *ret, xt_problem *reterr_problem)
{
    const xt_segment_field *field = xt_segment_field_find(segment, id);
    const xt_segment_dict_chunk *chunk = &field->dict_chunks[i];

    assert(field->kind == XT_SEGMENT_CODES && i < field->n_dict_chunks);
    *ret = true;
    if (field->filter.stored_bytes == 0)
        return 0;
    int r = filter_read(reader, segment, field, reterr_problem);
    if (r == 0)
        *ret = xt_dict_filter_may_hold(xt_slice_of(reader->filter.p + chunk->filter_at, chunk->filter_bytes), literal);
    return r;
}

/* The chunk's bytes stay in the reader until another's are asked for. */
static int dict_read(xt_segment_reader *reader, const xt_segment *segment, const xt_segment_dict_chunk *chunk,
                     xt_problem *reterr_problem)
{
    if (reader->dict_of == segment->serial && reader->dict_chunk == chunk)
        return 0;
    reader->dict_of = 0;
    xt_buf_reset(&reader->dict);
    char *to = xt_buf_reserve(&reader->dict, chunk->chunk.raw_bytes + 1);
    if (!to)
        return xt_error_origin(-ENOMEM);
    int r = chunk_read(reader, segment, &chunk->chunk, chunk->offset, to, reterr_problem);
    if (r != 0)
        return r;
    reader->dict.n = chunk->chunk.raw_bytes;
    reader->dict_of = segment->serial;
    reader->dict_chunk = chunk;
    return 0;
}

int xt_segment_chunk_holds(xt_segment_reader *reader, const xt_segment *segment, xt_field id, uint32_t i,
                           xt_slice literal, bool *ret, xt_problem *reterr_problem)
{
    const xt_segment_field *field = xt_segment_field_find(segment, id);

    assert(field->kind == XT_SEGMENT_CODES && i < field->n_dict_chunks);
    int r = dict_read(reader, segment, &field->dict_chunks[i], reterr_problem);
    if (r == 0)
        *ret = xt_slice_find_nocase(xt_buf_slice(&reader->dict), literal) >= 0;
    return r;
}

/*
 * Opening reads header, trailer and footer and checks all that the footer says against the file's size and the limits;
 * after that a column is found by one look in `index`. A chunk's bytes are read, summed, unpacked and decoded anew by
 * every reader: what is cached is left to the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <xxhash.h>
#include <zstd.h>

#include "store/segment.h"
#include "store/segment_codec.h"
#include "store/segment_format.h"

struct xt_segment {
    _Atomic(uint32_t) n_refs;
    char *path;
    xt_segment_info info;
    uint64_t data_end; /* where the footer begins */
    xt_buf footer;
    const xt_segment_footer_group *groups; /* in footer */
    const xt_segment_column *columns;      /* in footer */
    uint32_t (*index)[XT_F_END];           /* by group and field: place in columns + 1, 0: absent */
};

struct xt_segment_reader {
    const xt_vfs *vfs;
    ZSTD_DCtx *zstd;
    const xt_segment *segment; /* whose file is open */
    int fd;
    xt_buf stored, raw;
    uint64_t *scratch; /* XT_STORE_GROUP_ROWS */
};

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

/* ------------------------------------------------------------------------------------------------ footer */

static bool chunk_is_sound(const xt_segment *segment, const xt_segment_chunk *chunk)
{
    return chunk->reserved == 0 && chunk->reserved2 == 0 && chunk->raw_bytes <= XT_SEGMENT_MAX_CHUNK_RAW &&
           chunk->offset >= sizeof(xt_segment_header) && chunk->offset <= segment->data_end &&
           chunk->stored_bytes <= segment->data_end - chunk->offset &&
           (chunk->codec == XT_SEGMENT_ZSTD ||
            (chunk->codec == XT_SEGMENT_STORED && chunk->stored_bytes == chunk->raw_bytes));
}

static bool is_number(const xt_field_info *info)
{
    return info->type == XT_TIME || info->type == XT_UINT || info->type == XT_INT;
}

static bool column_is_sound(const xt_segment *segment, const xt_segment_column *column, uint32_t n_rows)
{
    const xt_field_info *info = xt_field_find(column->field);
    bool has_b = column->kind == XT_SEGMENT_CODES || column->b.offset != 0;

    if (column->reserved || !chunk_is_sound(segment, &column->a) || (has_b && !chunk_is_sound(segment, &column->b)))
        return false;
    if (column->kind == XT_SEGMENT_CODES && (column->n_dict == 0 || column->n_dict > n_rows))
        return false;
    return !info || is_number(info) == (column->kind == XT_SEGMENT_NUMBERS);
}

/* Enters a group's columns into the index; those of fields that we do not know are passed over. */
static bool group_index(xt_segment *segment, uint32_t g, uint32_t first)
{
    const xt_segment_footer_group *group = &segment->groups[g];
    unsigned before = 0;

    for (uint32_t i = first; i < first + group->n_columns; i++) {
        const xt_segment_column *column = &segment->columns[i];
        if (column->field <= before || (column->kind != XT_SEGMENT_NUMBERS && column->kind != XT_SEGMENT_CODES) ||
            !column_is_sound(segment, column, group->n_rows))
            return false;
        before = column->field;
        if (column->field < XT_F_END)
            segment->index[g][column->field] = i + 1;
    }
    return true;
}

static bool groups_are_sound(xt_segment *segment, const xt_segment_footer *head)
{
    uint64_t n_rows = 0, next_arrival = head->first_arrival;
    uint32_t n_columns = 0;

    for (uint32_t g = 0; g < head->n_groups; g++) {
        const xt_segment_footer_group *group = &segment->groups[g];
        if (group->n_rows == 0 || group->n_rows > XT_STORE_GROUP_ROWS || group->first_arrival < next_arrival ||
            group->min_ms < head->min_ms || group->max_ms > head->max_ms ||
            group->n_columns > head->n_columns - n_columns || !group_index(segment, g, n_columns))
            return false;
        n_rows += group->n_rows;
        n_columns += group->n_columns;
        if (__builtin_add_overflow(group->first_arrival, group->n_rows, &next_arrival))
            return false;
    }
    return n_rows == head->n_rows && n_columns == head->n_columns && next_arrival - 1 == head->last_arrival &&
           head->first_arrival > 0;
}

static int footer_parse(xt_segment *segment, xt_problem *reterr_problem)
{
    const xt_segment_footer *head = (const xt_segment_footer *)segment->footer.p;
    size_t n = segment->footer.n;

    if (n < sizeof *head || head->n_groups == 0 || head->n_groups > XT_SEGMENT_MAX_GROUPS ||
        n != sizeof *head + head->n_groups * sizeof *segment->groups +
                 (uint64_t)head->n_columns * sizeof *segment->columns)
        return damaged(segment->path, reterr_problem, (int64_t)segment->data_end, "the footer's size");
    segment->groups = (const xt_segment_footer_group *)(head + 1);
    segment->columns = (const xt_segment_column *)(segment->groups + head->n_groups);
    segment->index = calloc(head->n_groups, sizeof *segment->index);
    if (!segment->index)
        return xt_error_origin(-ENOMEM);
    if (!groups_are_sound(segment, head) || head->id != segment->info.id)
        return damaged(segment->path, reterr_problem, (int64_t)segment->data_end, "the footer's content");
    xt_segment_info *info = &segment->info;
    info->made_ms = head->made_ms;
    info->n_rows = head->n_rows;
    info->first_arrival = head->first_arrival;
    info->last_arrival = head->last_arrival;
    info->min_ms = head->min_ms;
    info->max_ms = head->max_ms;
    info->n_groups = head->n_groups;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ file */

static int header_read(xt_segment *segment, const xt_vfs *vfs, int fd, xt_problem *reterr_problem)
{
    xt_segment_header header;
    int r = xt_vfs_read_all(vfs, fd, &header, sizeof header, 0);

    if (r < 0)
        return io_failed(r, segment->path, reterr_problem);
    if (memcmp(header.magic, XT_SEGMENT_MAGIC, sizeof header.magic) != 0)
        return damaged(segment->path, reterr_problem, 0, "it does not begin as a segment does");
    if (header.checksum != XXH3_64bits(&header, offsetof(xt_segment_header, checksum)) && !checksums_ignored)
        return damaged(segment->path, reterr_problem, 0, "the header's checksum");
    if (header.version > XT_SEGMENT_VERSION || header.incompatible) {
        xt_problem_set(reterr_problem, "a later version wrote this segment");
        xt_problem_source(reterr_problem, segment->path);
        return XT_SEGMENT_E_NEWER;
    }
    segment->info.id = header.id;
    return 0;
}

static int footer_read(xt_segment *segment, const xt_vfs *vfs, int fd, xt_problem *reterr_problem)
{
    xt_segment_trailer trailer;
    uint64_t size;
    int r = vfs->size(vfs, fd, &size);

    if (r == 0 && size < sizeof(xt_segment_header) + sizeof trailer)
        return damaged(segment->path, reterr_problem, -1, "it is too short");
    if (r == 0)
        r = xt_vfs_read_all(vfs, fd, &trailer, sizeof trailer, size - sizeof trailer);
    if (r != 0)
        return io_failed(r, segment->path, reterr_problem);
    uint64_t at = size - sizeof trailer;
    if (memcmp(trailer.magic, XT_SEGMENT_END_MAGIC, sizeof trailer.magic) != 0 || trailer.reserved ||
        trailer.footer_bytes > XT_SEGMENT_MAX_CHUNK_RAW || trailer.footer_bytes > at - sizeof(xt_segment_header) ||
        trailer.footer_offset != at - trailer.footer_bytes)
        return damaged(segment->path, reterr_problem, (int64_t)at, "it does not end as a segment does");
    segment->data_end = trailer.footer_offset;
    segment->info.bytes = size;
    memcpy(segment->info.hash.b, trailer.footer_hash, sizeof trailer.footer_hash);
    char *to = xt_buf_reserve(&segment->footer, trailer.footer_bytes);
    if (!to)
        return xt_error_origin(-ENOMEM);
    r = xt_vfs_read_all(vfs, fd, to, trailer.footer_bytes, trailer.footer_offset);
    if (r < 0)
        return io_failed(r, segment->path, reterr_problem);
    segment->footer.n = trailer.footer_bytes;
    if (!xt_hash128_eq(segment->info.hash, xt_slice_hash128(xt_buf_slice(&segment->footer))) && !checksums_ignored)
        return damaged(segment->path, reterr_problem, (int64_t)segment->data_end, "the footer's checksum");
    return footer_parse(segment, reterr_problem);
}

int xt_segment_open(const xt_vfs *vfs, const char *path, xt_segment **ret, xt_problem *reterr_problem)
{
    xt_segment *segment = calloc(1, sizeof *segment);

    if (!segment || !(segment->path = strdup(path))) {
        free(segment);
        return xt_error_origin(-ENOMEM);
    }
    atomic_init(&segment->n_refs, 1);
    int fd = vfs->open(vfs, path, O_RDONLY | O_NOFOLLOW, 0);
    int r = fd < 0 ? io_failed(fd, path, reterr_problem) : header_read(segment, vfs, fd, reterr_problem);
    if (r == 0)
        r = footer_read(segment, vfs, fd, reterr_problem);
    if (fd >= 0)
        vfs->close(vfs, fd);
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
        xt_buf_fini(&segment->footer);
        free(segment->index);
        free(segment->path);
        free(segment);
    }
    return NULL;
}

const xt_segment_info *xt_segment_info_get(const xt_segment *segment)
{
    return &segment->info;
}

const char *xt_segment_name(const xt_segment *segment)
{
    const char *slash = strrchr(segment->path, '/');

    return slash ? slash + 1 : segment->path;
}

xt_segment_group xt_segment_group_get(const xt_segment *segment, uint32_t group)
{
    const xt_segment_footer_group *g = &segment->groups[group];

    return (xt_segment_group){g->n_rows, g->first_arrival, g->min_ms, g->max_ms};
}

static const xt_segment_column *column_find(const xt_segment *segment, uint32_t group, xt_field field)
{
    uint32_t place = segment->index[group][field];

    return place ? &segment->columns[place - 1] : NULL;
}

bool xt_segment_range(const xt_segment *segment, uint32_t group, xt_field field, uint64_t *ret_min, uint64_t *ret_max)
{
    const xt_segment_column *column = column_find(segment, group, field);

    if (!column || column->kind != XT_SEGMENT_NUMBERS)
        return false;
    *ret_min = column->min;
    *ret_max = column->max;
    return true;
}

/* ------------------------------------------------------------------------------------------------ columns */

xt_segment_reader *xt_segment_reader_new(const xt_vfs *vfs)
{
    xt_segment_reader *reader = calloc(1, sizeof *reader);

    if (!reader)
        return NULL;
    reader->vfs = vfs;
    reader->fd = -1;
    reader->zstd = ZSTD_createDCtx();
    reader->scratch = calloc(XT_STORE_GROUP_ROWS, sizeof *reader->scratch);
    return reader->zstd && reader->scratch ? reader : xt_segment_reader_free(reader);
}

xt_segment_reader *xt_segment_reader_free(xt_segment_reader *reader)
{
    if (reader) {
        if (reader->fd >= 0)
            reader->vfs->close(reader->vfs, reader->fd);
        xt_buf_fini(&reader->stored);
        xt_buf_fini(&reader->raw);
        ZSTD_freeDCtx(reader->zstd);
        free(reader->scratch);
        free(reader);
    }
    return NULL;
}

static int reader_turn_to(xt_segment_reader *reader, const xt_segment *segment, xt_problem *reterr_problem)
{
    if (reader->segment == segment)
        return 0;
    if (reader->fd >= 0)
        reader->vfs->close(reader->vfs, reader->fd);
    reader->segment = NULL;
    reader->fd = reader->vfs->open(reader->vfs, segment->path, O_RDONLY | O_NOFOLLOW, 0);
    if (reader->fd < 0)
        return io_failed(reader->fd, segment->path, reterr_problem);
    reader->segment = segment;
    return 0;
}

/* Reads and unpacks a chunk to `to`, which has room for raw_bytes. */
static int chunk_read(xt_segment_reader *reader, const xt_segment_chunk *chunk, char *to, xt_problem *reterr_problem)
{
    const char *path = reader->segment->path;

    xt_buf_reset(&reader->stored);
    char *stored = chunk->codec == XT_SEGMENT_STORED ? to : xt_buf_reserve(&reader->stored, chunk->stored_bytes);
    if (!stored)
        return xt_error_origin(-ENOMEM);
    int r = xt_vfs_read_all(reader->vfs, reader->fd, stored, chunk->stored_bytes, chunk->offset);
    if (r < 0)
        return io_failed(r, path, reterr_problem);
    if (XXH3_64bits(stored, chunk->stored_bytes) != chunk->checksum && !checksums_ignored)
        return damaged(path, reterr_problem, (int64_t)chunk->offset, "a chunk's checksum");
    if (chunk->codec == XT_SEGMENT_ZSTD &&
        ZSTD_decompressDCtx(reader->zstd, to, chunk->raw_bytes, stored, chunk->stored_bytes) != chunk->raw_bytes)
        return damaged(path, reterr_problem, (int64_t)chunk->offset, "a chunk cannot be unpacked");
    return 0;
}

/* The same, to the reader's own room, valid until the next. */
static int chunk_read_raw(xt_segment_reader *reader, const xt_segment_chunk *chunk, xt_slice *ret,
                          xt_problem *reterr_problem)
{
    xt_buf_reset(&reader->raw);
    char *to = xt_buf_reserve(&reader->raw, (size_t)chunk->raw_bytes + 1);
    if (!to)
        return xt_error_origin(-ENOMEM);
    int r = chunk_read(reader, chunk, to, reterr_problem);
    if (r == 0)
        *ret = xt_slice_of(to, chunk->raw_bytes);
    return r;
}

static int undecodable(const xt_segment_reader *reader, const xt_segment_chunk *chunk, xt_problem *reterr_problem)
{
    return damaged(reader->segment->path, reterr_problem, (int64_t)chunk->offset, "a chunk cannot be decoded");
}

static uint32_t bits_count(const uint8_t *bits, uint32_t n)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < n / 8; i++)
        count += (uint32_t)__builtin_popcount(bits[i]);
    return n % 8 ? count + (uint32_t)__builtin_popcount(bits[n / 8] & ((1u << n % 8) - 1)) : count;
}

static int presence_read(xt_segment_reader *reader, const xt_segment_chunk *chunk, uint32_t n_rows, xt_arena *arena,
                         const uint8_t **ret, uint32_t *ret_n, xt_problem *reterr_problem)
{
    if (chunk->offset == 0) {
        *ret = NULL;
        *ret_n = n_rows;
        return 0;
    }
    if (chunk->encoding != XT_SEGMENT_BITMAP || chunk->raw_bytes != (n_rows + 7) / 8)
        return undecodable(reader, chunk, reterr_problem);
    char *bits = xt_arena_alloc(arena, chunk->raw_bytes);
    if (!bits)
        return xt_error_origin(-ENOMEM);
    int r = chunk_read(reader, chunk, bits, reterr_problem);
    if (r == 0) {
        *ret = (const uint8_t *)bits;
        *ret_n = bits_count(*ret, n_rows);
    }
    return r;
}

/* Moves the n values at the front to the rows that are present, from the last on; the others become 0. */
static void spread(uint64_t *values, const uint8_t *present, uint32_t n, uint32_t n_rows)
{
    for (uint32_t row = n_rows; row-- > 0;)
        values[row] = present[row / 8] >> row % 8 & 1 ? values[--n] : 0;
}

static int numbers_read(xt_segment_reader *reader, const xt_segment_column *column, uint32_t n_rows, xt_arena *arena,
                        xt_open_column *ret, xt_problem *reterr_problem)
{
    const uint8_t *present = NULL;
    uint32_t n = 0;
    xt_slice raw;
    uint64_t *values = xt_arena_alloc(arena, n_rows * sizeof *values);
    int r = presence_read(reader, &column->b, n_rows, arena, &present, &n, reterr_problem);

    if (r == 0 && !values)
        r = xt_error_origin(-ENOMEM);
    if (r == 0)
        r = chunk_read_raw(reader, &column->a, &raw, reterr_problem);
    if (r != 0)
        return r;
    bool ok = column->a.encoding == XT_SEGMENT_FOR     ? xt_segment_get_for(raw, values, n)
              : column->a.encoding == XT_SEGMENT_DELTA ? xt_segment_get_delta(raw, values, n)
                                                       : false;
    if (!ok)
        return undecodable(reader, &column->a, reterr_problem);
    if (present)
        spread(values, present, n, n_rows);
    *ret = (xt_open_column){.kind = XT_COLUMN_NUMBERS, .numbers = values, .present = present};
    return 0;
}

static int codes_read(xt_segment_reader *reader, const xt_segment_column *column, uint32_t n_rows, xt_arena *arena,
                      xt_open_column *ret, xt_problem *reterr_problem)
{
    uint32_t *codes = xt_arena_alloc(arena, n_rows * sizeof *codes);
    xt_slice *dict = xt_arena_alloc(arena, column->n_dict * sizeof *dict);
    char *text = xt_arena_alloc(arena, column->b.raw_bytes);
    xt_slice raw;

    if (!codes || !dict || !text)
        return xt_error_origin(-ENOMEM);
    int r = chunk_read_raw(reader, &column->a, &raw, reterr_problem);
    if (r != 0)
        return r;
    if (!xt_segment_get_codes(column->a.encoding, raw, codes, n_rows, column->n_dict, reader->scratch))
        return undecodable(reader, &column->a, reterr_problem);
    r = chunk_read(reader, &column->b, text, reterr_problem);
    if (r != 0)
        return r;
    if (column->b.encoding != XT_SEGMENT_DICT ||
        !xt_segment_get_dict(xt_slice_of(text, column->b.raw_bytes), dict, column->n_dict, reader->scratch))
        return undecodable(reader, &column->b, reterr_problem);
    *ret = (xt_open_column){.kind = XT_COLUMN_CODES, .codes = codes, .dict = dict, .n_dict = column->n_dict};
    return 0;
}

int xt_segment_read(xt_segment_reader *reader, const xt_segment *segment, uint32_t group, xt_field field,
                    xt_arena *arena, xt_open_column *ret, xt_problem *reterr_problem)
{
    const xt_segment_column *column = column_find(segment, group, field);
    uint32_t n_rows = segment->groups[group].n_rows;

    if (!column) {
        *ret = (xt_open_column){.kind = XT_COLUMN_ABSENT};
        return 0;
    }
    int r = reader_turn_to(reader, segment, reterr_problem);
    if (r != 0)
        return r;
    return column->kind == XT_SEGMENT_NUMBERS ? numbers_read(reader, column, n_rows, arena, ret, reterr_problem)
                                              : codes_read(reader, column, n_rows, arena, ret, reterr_problem);
}

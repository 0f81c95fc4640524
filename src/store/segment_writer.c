/*
 * Of the encodings that a column may have each is tried, and the one that is smallest when packed is kept: at 32K rows
 * this costs little and needs no guessing. They are compared at zstd's lowest level, which tells them apart as well. The
 * directory is built in memory as the reader has it, and is written last.
 *
 * Number columns that are equal in a group (euid, suid and fsuid mostly are) are stored once. They are known by a hash
 * with a secret seed, for the earlier column is not in memory any more.
 */
#include "store/segment_writer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>
#include <zstd.h>

#include "store/dict_filter.h"
#include "store/dict_form.h"
#include "store/segment_codec.h"
#include "store/segment_directory.h"

#define LEVEL_TRIAL      1
#define LEVEL_FRESH      3
#define LEVEL_SMALL      6
#define FLUSH_BYTES      ((size_t)1 << 20)
#define MIN_PACK_BYTES   32 /* below, packing gains nothing */
#define DICT_CHUNK_BYTES ((size_t)128 << 10)

struct xt_segment_writer {
    const xt_vfs *vfs;
    char *path;
    int fd; /* -1: a part, all of it in memory */
    int zstd_level;
    bool has_filters;
    uint64_t offset; /* of what is in `out` first */
    xt_buf out;      /* not written yet */
    xt_buf raw, packed;
    xt_buf best;       /* of what was tried for the chunk at hand */
    size_t best_bytes; /* packed for trial, from the second one on */
    unsigned n_tried;
    ZSTD_CCtx *zstd;
    int error;

    xt_segment_directory directory;
    xt_segment_field *field; /* the one under way */
    uint32_t group;          /* next */
    XXH128_hash_t *hashes;   /* of number columns, by field and group */
    uint64_t seed;

    xt_buf entries; /* of the dictionary chunk under way, in stored form */
    xt_buf lengths; /* u64 each */
    uint32_t n_entries, cap_dict_chunks;
    xt_buf filters;
    xt_dict_grams *grams;

    uint32_t *local; /* by code of the dictionary: code in the group; 0 between groups */
    uint32_t cap_local;
    uint32_t *values, *codes, *order; /* XT_STORE_GROUP_ROWS + 1 each */
    uint64_t *numbers, *scratch;      /* the same, and at least a value a group */
};

static void fail(xt_segment_writer *w, int error)
{
    w->error = w->error ? w->error : error;
}

bool xt_segment_writer_failed(const xt_segment_writer *writer)
{
    return writer->error != 0;
}

static void flush(xt_segment_writer *w)
{
    if (w->fd < 0)
        return;
    if (w->error == 0)
        w->error = xt_buf_done(&w->out);
    if (w->error == 0)
        w->error = xt_vfs_write_all(w->vfs, w->fd, w->out.p, w->out.n, w->offset);
    w->offset += w->out.n;
    xt_buf_reset(&w->out);
}

static void put(xt_segment_writer *w, const void *p, size_t n)
{
    xt_buf_put(&w->out, xt_slice_of(p, n));
    if (w->out.n >= FLUSH_BYTES)
        flush(w);
}

/* ------------------------------------------------------------------------------------------------ chunks */

/* Packs at this level, to `packed`; false: it did not become smaller, or failed. */
static bool pack(xt_segment_writer *w, const xt_buf *raw, int level)
{
    size_t room = ZSTD_compressBound(raw->n), n = raw->n;

    xt_buf_reset(&w->packed);
    char *to = raw->failed || raw->n > XT_SEGMENT_MAX_CHUNK_RAW ? NULL : xt_buf_reserve(&w->packed, room);
    if (to && n >= MIN_PACK_BYTES)
        n = ZSTD_compressCCtx(w->zstd, to, room, raw->p, raw->n, level);
    if (!to || ZSTD_isError(n)) {
        fail(w, -ENOMEM);
        return false;
    }
    w->packed.n = n < raw->n ? n : 0;
    return n < raw->n;
}

static size_t packed_bytes(xt_segment_writer *w, const xt_buf *raw)
{
    return pack(w, raw, LEVEL_TRIAL) ? w->packed.n : raw->n;
}

/* `raw` is one way to write the chunk: it is kept in `best` when it is the first or will be smaller. */
static void chunk_try(xt_segment_writer *w, uint8_t encoding, xt_segment_chunk *chunk)
{
    size_t n = 0;

    if (w->n_tried > 0) {
        w->best_bytes = w->n_tried == 1 ? packed_bytes(w, &w->best) : w->best_bytes;
        n = packed_bytes(w, &w->raw);
    }
    if (w->n_tried++ > 0 && n >= w->best_bytes)
        return;
    chunk->encoding = encoding;
    w->best_bytes = n;
    xt_buf swap = w->best;
    w->best = w->raw;
    w->raw = swap;
}

/* Packs the best that was tried. */
static xt_slice chunk_pack(xt_segment_writer *w, xt_segment_chunk *chunk)
{
    bool is_packed = pack(w, &w->best, w->zstd_level);
    xt_slice stored = xt_buf_slice(is_packed ? &w->packed : &w->best);

    chunk->codec = is_packed ? XT_SEGMENT_ZSTD : XT_SEGMENT_STORED;
    chunk->raw_bytes = (uint32_t)w->best.n;
    chunk->stored_bytes = (uint32_t)stored.n;
    w->n_tried = 0;
    return stored;
}

static void chunk_write(xt_segment_writer *w, xt_segment_chunk *chunk)
{
    xt_slice stored = chunk_pack(w, chunk);

    chunk->checksum = XXH3_64bits(stored.p, stored.n);
    put(w, stored.p, stored.n);
}

/* ------------------------------------------------------------------------------------------------ dictionary */

static xt_segment_dict_chunk *dict_chunk_new(xt_segment_writer *w)
{
    xt_segment_field *field = w->field;

    if (field->n_dict_chunks == w->cap_dict_chunks) {
        uint32_t cap = w->cap_dict_chunks ? w->cap_dict_chunks * 2 : 4;
        xt_segment_dict_chunk *chunks = reallocarray(field->dict_chunks, cap, sizeof *chunks);
        if (!chunks) {
            fail(w, -ENOMEM);
            return NULL;
        }
        field->dict_chunks = chunks;
        w->cap_dict_chunks = cap;
    }
    xt_segment_dict_chunk *chunk = &field->dict_chunks[field->n_dict_chunks++];
    *chunk = (xt_segment_dict_chunk){.first = field->n_dict - w->n_entries, .n = w->n_entries};
    return chunk;
}

static xt_type type_of(const xt_segment_field *field)
{
    return xt_field_find(field->id)->type;
}

static void dict_chunk_end(xt_segment_writer *w)
{
    xt_segment_dict_chunk *chunk = w->n_entries ? dict_chunk_new(w) : NULL;
    bool is_text = xt_dict_is_text(type_of(w->field));

    if (!chunk)
        return;
    xt_buf_reset(&w->raw);
    if (!is_text && !w->lengths.failed)
        xt_segment_put_for(&w->raw, (const uint64_t *)w->lengths.p, w->n_entries);
    xt_buf_put(&w->raw, xt_buf_slice(&w->entries));
    w->raw.failed |= w->entries.failed || w->lengths.failed;
    chunk_try(w, is_text ? XT_SEGMENT_TEXT : XT_SEGMENT_DICT, &chunk->chunk);
    chunk_write(w, &chunk->chunk);
    if (w->has_filters) {
        size_t before = w->filters.n;
        xt_dict_grams_put(w->grams, &w->filters);
        chunk->filter_bytes = (uint32_t)(w->filters.n - before);
    }
    xt_buf_reset(&w->entries);
    xt_buf_reset(&w->lengths);
    w->n_entries = 0;
}

void xt_segment_writer_entry(xt_segment_writer *w, xt_slice stored)
{
    uint64_t length = stored.n;

    if (w->n_entries && w->entries.n + stored.n > DICT_CHUNK_BYTES)
        dict_chunk_end(w);
    xt_buf_put(&w->entries, stored);
    if (!xt_dict_is_text(type_of(w->field)))
        xt_buf_put(&w->lengths, xt_slice_of((const char *)&length, sizeof length));
    if (w->has_filters)
        xt_dict_grams_add(w->grams, stored);
    w->n_entries++;
    w->field->n_dict++;
}

/* Where all the dictionary is one chunk it is looked through at once, without a filter. */
static void dict_end(xt_segment_writer *w)
{
    xt_segment_field *field = w->field;

    dict_chunk_end(w);
    if (w->has_filters && field->n_dict_chunks > 1 && w->filters.n <= XT_SEGMENT_MAX_CHUNK_RAW) {
        xt_buf_reset(&w->raw);
        xt_buf_put(&w->raw, xt_buf_slice(&w->filters));
        chunk_try(w, XT_SEGMENT_FILTER, &field->filter);
        chunk_write(w, &field->filter);
    } else {
        for (uint32_t i = 0; i < field->n_dict_chunks; i++)
            field->dict_chunks[i].filter_bytes = 0;
    }
    xt_buf_reset(&w->filters);
    if (w->cap_local < field->n_dict) {
        free(w->local);
        w->local = calloc(field->n_dict, sizeof *w->local);
        w->cap_local = w->local ? field->n_dict : 0;
        if (!w->local)
            fail(w, -ENOMEM);
    }
}

/* ------------------------------------------------------------------------------------------------ numbers */

static void values_write(xt_segment_writer *w, const uint64_t *values, uint32_t n, xt_segment_chunk *chunk)
{
    xt_buf_reset(&w->raw);
    xt_segment_put_for(&w->raw, values, n);
    chunk_try(w, XT_SEGMENT_FOR, chunk);
    xt_buf_reset(&w->raw);
    xt_segment_put_delta(&w->raw, values, n, w->scratch);
    chunk_try(w, XT_SEGMENT_DELTA, chunk);
    chunk_write(w, chunk);
}

static bool is_signed(const xt_segment_field *field)
{
    const xt_field_info *info = xt_field_find(field->id);

    return info && info->type != XT_UINT;
}

/* The values that are there to w->numbers; how many, and their range. */
static uint32_t numbers_collect(xt_segment_writer *w, const xt_column *column, uint32_t n_rows, xt_segment_place *place)
{
    uint64_t flip = (uint64_t)is_signed(w->field) << 63, low = UINT64_MAX, high = 0;
    uint32_t n = 0;

    for (uint32_t row = 0; row < n_rows; row++) {
        if (column->present && !(column->present[row / 8] >> row % 8 & 1))
            continue;
        uint64_t v = column->numbers[row] ^ flip;
        low = v < low ? v : low;
        high = v > high ? v : high;
        w->numbers[n++] = column->numbers[row];
    }
    place->low = low ^ flip;
    place->high = high ^ flip;
    return n;
}

/* Events without a time count as 0. */
static void times_note(xt_segment_writer *w, const xt_segment_place *place, bool all)
{
    xt_segment_rows *rows = &w->directory.groups[w->group];
    int64_t low = (int64_t)place->low, high = (int64_t)place->high;

    rows->min_ms = !all && low > 0 ? 0 : low;
    rows->max_ms = !all && high < 0 ? 0 : high;
}

static XXH128_hash_t *hash_at(xt_segment_writer *w, const xt_segment_field *field)
{
    return &w->hashes[(size_t)(field - w->directory.fields) * w->directory.head.n_groups + w->group];
}

/* An earlier column of the group that is the same in every row. */
static const xt_segment_field *equal_find(xt_segment_writer *w, const uint64_t *values, uint32_t n,
                                          const uint8_t *present, uint32_t n_rows)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(values, n * sizeof *values, w->seed);

    if (present) /* its bits beyond the last row are none */
        hash.low64 ^= XXH3_64bits_withSeed(present, (n_rows + 7) / 8, w->seed);
    *hash_at(w, w->field) = hash;
    for (const xt_segment_field *field = w->directory.fields; field < w->field; field++)
        if (field->kind == XT_SEGMENT_NUMBERS && field->places[w->group].encoding == XT_SEGMENT_PLAIN &&
            XXH128_isEqual(*hash_at(w, field), hash))
            return field;
    return NULL;
}

/* A bitmap without bits behind the last row. */
static void presence_put(xt_buf *out, const uint8_t *present, uint32_t n_rows)
{
    xt_buf_put(out, xt_slice_of((const char *)present, (n_rows + 7) / 8));
    if (n_rows % 8 && !out->failed)
        out->p[out->n - 1] = (char)(out->p[out->n - 1] & ((1 << n_rows % 8) - 1));
}

static void numbers_write(xt_segment_writer *w, const xt_column *column, uint32_t n_rows, xt_segment_place *place)
{
    uint32_t n = numbers_collect(w, column, n_rows, place);

    if (n == 0) {
        *place = (xt_segment_place){0};
        return;
    }
    if (w->field->id == XT_F_TIME)
        times_note(w, place, n == n_rows);
    place->encoding = XT_SEGMENT_CONST;
    if (n == n_rows && place->low == place->high)
        return;
    place->encoding = XT_SEGMENT_PLAIN;
    xt_buf_reset(&w->raw);
    if (n < n_rows)
        presence_put(&w->raw, column->present, n_rows);
    const xt_segment_field *equal = equal_find(w, w->numbers, n, n < n_rows ? (const uint8_t *)w->raw.p : NULL, n_rows);
    if (equal) {
        place->encoding = XT_SEGMENT_SAME;
        place->source = (uint8_t)equal->id;
        return;
    }
    if (n < n_rows) {
        chunk_try(w, XT_SEGMENT_BITMAP, &place->a);
        chunk_write(w, &place->a);
    }
    values_write(w, w->numbers, n, &place->b);
}

/* ------------------------------------------------------------------------------------------------ codes */

static int code_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* The codes that occur, ascending, to w->values, and those of the group to w->codes; how many values there are. */
static uint32_t localise(xt_segment_writer *w, const uint32_t *codes, uint32_t n_rows, bool *ret_any_absent)
{
    uint32_t n = 0;

    *ret_any_absent = false;
    for (uint32_t row = 0; row < n_rows; row++) {
        uint32_t code = codes[row];
        assert(code <= w->field->n_dict);
        if (code == 0) {
            *ret_any_absent = true;
        } else if (!w->local[code - 1]) {
            w->local[code - 1] = 1;
            w->values[n++] = code - 1;
        }
    }
    qsort(w->values, n, sizeof *w->values, code_order);
    for (uint32_t i = 0; i < n; i++)
        w->local[w->values[i]] = i + 1;
    for (uint32_t row = 0; row < n_rows; row++)
        w->codes[row] = codes[row] ? w->local[codes[row] - 1] : 0;
    for (uint32_t i = 0; i < n; i++)
        w->local[w->values[i]] = 0;
    return n;
}

static void local_codes_write(xt_segment_writer *w, uint32_t n_rows, uint32_t n_values, xt_segment_chunk *chunk)
{
    for (uint32_t row = 0; row < n_rows; row++)
        w->numbers[row] = w->codes[row];
    xt_buf_reset(&w->raw);
    xt_segment_put_for(&w->raw, w->numbers, n_rows);
    chunk_try(w, XT_SEGMENT_FOR, chunk);
    if (n_values > 255) {
        xt_buf_reset(&w->raw);
        xt_segment_put_words(&w->raw, w->codes, n_rows);
        chunk_try(w, XT_SEGMENT_WORDS, chunk);
    }
    if (n_values > 1) {
        xt_buf_reset(&w->raw);
        xt_segment_put_recent(&w->raw, w->codes, n_rows, n_values, w->scratch, w->order);
        chunk_try(w, XT_SEGMENT_RECENT, chunk);
    }
    chunk_write(w, chunk);
}

static void codes_write(xt_segment_writer *w, const uint32_t *codes, uint32_t n_rows, xt_segment_place *place)
{
    bool any_absent;
    uint32_t n = localise(w, codes, n_rows, &any_absent);

    if (n == 0)
        return;
    place->low = n;
    place->high = n == 1 ? w->values[0] : 0;
    place->encoding = n == 1 && !any_absent ? XT_SEGMENT_CONST : XT_SEGMENT_PLAIN;
    if (place->encoding == XT_SEGMENT_CONST)
        return;
    if (n > 1 && n < w->field->n_dict) {
        for (uint32_t i = 0; i < n; i++)
            w->numbers[i] = w->values[i];
        xt_buf_reset(&w->raw);
        xt_segment_put_delta(&w->raw, w->numbers, n, w->scratch);
        chunk_try(w, XT_SEGMENT_DELTA, &place->a);
        chunk_write(w, &place->a);
    }
    local_codes_write(w, n_rows, n, &place->b);
}

/* ------------------------------------------------------------------------------------------------ fields */

uint32_t xt_segment_writer_group_rows(const xt_segment_writer *w, uint32_t group)
{
    return w->directory.groups[group].n_rows;
}

void xt_segment_writer_begin(xt_segment_writer *w, unsigned id)
{
    const xt_field_info *info = xt_field_find(id);
    bool is_number = !info || info->type == XT_TIME || info->type == XT_UINT || info->type == XT_INT;

    assert(w->directory.head.n_fields < XT_SEGMENT_MAX_FIELDS && (info || id == XT_SEGMENT_ARRIVAL));
    w->field = &w->directory.fields[w->directory.head.n_fields++];
    w->field->id = (uint16_t)id;
    w->field->kind = is_number ? XT_SEGMENT_NUMBERS : XT_SEGMENT_CODES;
    w->field->places = calloc(w->directory.head.n_groups, sizeof *w->field->places);
    if (!w->field->places)
        fail(w, -ENOMEM);
    w->cap_dict_chunks = 0;
    w->group = 0;
}

void xt_segment_writer_column(xt_segment_writer *w, const xt_column *column)
{
    uint32_t n_rows = w->directory.groups[w->group].n_rows;

    if (w->group == 0 && w->field->kind == XT_SEGMENT_CODES)
        dict_end(w);
    if (w->error == 0 && column->kind != XT_COLUMN_ABSENT) {
        xt_segment_place *place = &w->field->places[w->group];
        assert((column->kind == XT_COLUMN_NUMBERS) == (w->field->kind == XT_SEGMENT_NUMBERS));
        if (column->kind == XT_COLUMN_NUMBERS)
            numbers_write(w, column, n_rows, place);
        else
            codes_write(w, column->codes, n_rows, place);
    }
    w->group++;
}

/* ------------------------------------------------------------------------------------------------ file */

static xt_segment_writer *writer_free(xt_segment_writer *w)
{
    xt_buf *bufs[] = {&w->out, &w->raw, &w->packed, &w->best, &w->entries, &w->lengths, &w->filters};

    for (size_t i = 0; i < XT_COUNT_OF(bufs); i++)
        xt_buf_fini(bufs[i]);
    for (uint32_t f = 0; w->directory.fields && f < w->directory.head.n_fields; f++) {
        free(w->directory.fields[f].dict_chunks);
        free(w->directory.fields[f].places);
    }
    free(w->directory.fields);
    free(w->directory.groups);
    ZSTD_freeCCtx(w->zstd);
    xt_dict_grams_free(w->grams);
    free(w->hashes);
    free(w->local);
    free(w->values);
    free(w->codes);
    free(w->order);
    free(w->numbers);
    free(w->scratch);
    free(w->path);
    free(w);
    return NULL;
}

static void groups_init(xt_segment_writer *w, const xt_segment_layout *layout)
{
    xt_segment_head *head = &w->directory.head;

    *head = (xt_segment_head){
        .id = layout->id,
        .made_ms = layout->made_ms,
        .n_rows = layout->n_rows,
        .first_arrival = layout->first_arrival,
        .last_arrival = layout->last_arrival,
        .level = layout->level,
        .n_groups = (uint32_t)((layout->n_rows + XT_STORE_GROUP_ROWS - 1) / XT_STORE_GROUP_ROWS),
    };
    w->directory.groups = calloc(head->n_groups, sizeof *w->directory.groups);
    for (uint32_t g = 0; w->directory.groups && g < head->n_groups; g++)
        w->directory.groups[g].n_rows = g + 1 < head->n_groups
                                            ? XT_STORE_GROUP_ROWS
                                            : (uint32_t)(layout->n_rows - (uint64_t)g * XT_STORE_GROUP_ROWS);
}

static xt_segment_writer *writer_new(const xt_vfs *vfs, const char *path, const xt_segment_layout *layout)
{
    size_t n = XT_STORE_GROUP_ROWS + 1;
    xt_segment_writer *w = calloc(1, sizeof *w);

    assert(layout->n_rows > 0 && layout->n_rows <= (uint64_t)XT_SEGMENT_MAX_GROUPS * XT_STORE_GROUP_ROWS);
    if (!w)
        return NULL;
    w->vfs = vfs;
    w->fd = -1;
    w->zstd_level = layout->is_small ? LEVEL_SMALL : LEVEL_FRESH;
    w->has_filters = layout->level > 0 && !layout->no_filters;
    groups_init(w, layout);
    w->path = path ? strdup(path) : NULL;
    w->zstd = ZSTD_createCCtx();
    w->grams = w->has_filters ? xt_dict_grams_new() : NULL;
    w->directory.fields = calloc(XT_SEGMENT_MAX_FIELDS, sizeof *w->directory.fields);
    w->hashes = calloc((size_t)XT_SEGMENT_MAX_FIELDS * w->directory.head.n_groups, sizeof *w->hashes);
    w->values = calloc(n, sizeof *w->values);
    w->codes = calloc(n, sizeof *w->codes);
    w->order = calloc(n, sizeof *w->order);
    w->numbers = calloc(n, sizeof *w->numbers);
    w->scratch = calloc(n, sizeof *w->scratch);
    bool ok = (w->path || !path) && w->zstd && (w->grams || !w->has_filters) && w->directory.fields &&
              w->directory.groups && w->hashes && w->values && w->codes && w->order && w->numbers && w->scratch &&
              getrandom(&w->seed, sizeof w->seed, 0) == sizeof w->seed;
    return ok ? w : writer_free(w);
}

xt_segment_writer *xt_segment_writer_part(const xt_segment_writer *whole)
{
    xt_segment_layout layout = {.n_rows = whole->directory.head.n_rows,
                                .level = whole->directory.head.level,
                                .is_small = whole->zstd_level == LEVEL_SMALL,
                                .no_filters = !whole->has_filters};

    return writer_new(whole->vfs, NULL, &layout);
}

void xt_segment_writer_take(xt_segment_writer *part, xt_segment_piece *ret)
{
    xt_segment_head *head = &part->directory.head;

    *ret = (xt_segment_piece){.bytes = part->out, .error = part->error};
    if (part->out.failed)
        ret->error = -ENOMEM;
    if (head->n_fields)
        ret->field = part->directory.fields[--head->n_fields];
    part->directory.fields[head->n_fields] = (xt_segment_field){0};
    part->field = NULL;
    part->out = XT_BUF_INIT;
}

void xt_segment_writer_put(xt_segment_writer *w, xt_segment_piece *piece)
{
    fail(w, piece->error);
    if (piece->field.n_dict == 0) { /* its rows were all left out */
        xt_segment_piece_fini(piece);
        return;
    }
    put(w, piece->bytes.p, piece->bytes.n);
    w->field = &w->directory.fields[w->directory.head.n_fields++];
    *w->field = piece->field;
    piece->field = (xt_segment_field){0};
    xt_segment_piece_fini(piece);
}

void xt_segment_piece_fini(xt_segment_piece *piece)
{
    xt_buf_fini(&piece->bytes);
    free(piece->field.dict_chunks);
    free(piece->field.places);
    *piece = (xt_segment_piece){0};
}

static int failed(int r, const char *path, xt_problem *reterr_problem)
{
    if (r < 0) {
        xt_problem_set(reterr_problem, "a segment cannot be written: %s", strerror(-r));
        xt_problem_source(reterr_problem, path);
        return xt_error_origin(r);
    }
    return 0;
}

int xt_segment_writer_open(const xt_vfs *vfs, const char *path, const xt_segment_layout *layout,
                           xt_segment_writer **ret, xt_problem *reterr_problem)
{
    xt_segment_writer *w = writer_new(vfs, path, layout);

    if (!w)
        return xt_error_origin(-ENOMEM);
    w->fd = vfs->open(vfs, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    if (w->fd < 0) {
        int r = w->fd;
        writer_free(w);
        return failed(r, path, reterr_problem);
    }
    xt_segment_header header = {.magic = XT_SEGMENT_MAGIC, .version = XT_SEGMENT_VERSION, .id = layout->id};
    header.checksum = XXH3_64bits(&header, offsetof(xt_segment_header, checksum));
    put(w, &header, sizeof header);
    *ret = w;
    return 0;
}

static void head_times(xt_segment_writer *w)
{
    xt_segment_head *head = &w->directory.head;
    const xt_segment_rows *groups = w->directory.groups;

    head->min_ms = groups[0].min_ms;
    head->max_ms = groups[0].max_ms;
    for (uint32_t g = 1; g < head->n_groups; g++) {
        head->min_ms = groups[g].min_ms < head->min_ms ? groups[g].min_ms : head->min_ms;
        head->max_ms = groups[g].max_ms > head->max_ms ? groups[g].max_ms : head->max_ms;
    }
}

/* A directory array has as many values as there are groups, or chunks of a dictionary. */
static uint64_t *directory_scratch(const xt_segment_writer *w)
{
    uint32_t n = w->directory.head.n_groups;

    for (uint32_t f = 0; f < w->directory.head.n_fields; f++)
        n = w->directory.fields[f].n_dict_chunks > n ? w->directory.fields[f].n_dict_chunks : n;
    return calloc(n, sizeof(uint64_t));
}

static void directory_write(xt_segment_writer *w, xt_segment_info *info)
{
    xt_segment_trailer trailer = {.directory_offset = w->offset + w->out.n, .magic = XT_SEGMENT_END_MAGIC};
    const xt_segment_head *head = &w->directory.head;
    uint64_t *scratch = directory_scratch(w);
    xt_segment_chunk chunk = {0};

    head_times(w);
    if (!scratch) {
        fail(w, -ENOMEM);
        return;
    }
    xt_buf_reset(&w->raw);
    xt_segment_directory_encode(&w->directory, &w->raw, scratch);
    free(scratch);
    chunk_try(w, 0, &chunk);
    xt_slice stored = chunk_pack(w, &chunk);
    xt_hash128 hash = xt_slice_hash128(stored);
    memcpy(trailer.hash, hash.b, sizeof hash.b);
    trailer.raw_bytes = chunk.raw_bytes;
    trailer.stored_bytes = chunk.stored_bytes;
    put(w, stored.p, stored.n);
    put(w, &trailer, sizeof trailer);
    flush(w);
    *info = (xt_segment_info){
        .id = head->id,
        .n_rows = head->n_rows,
        .first_arrival = head->first_arrival,
        .last_arrival = head->last_arrival,
        .bytes = w->offset,
        .min_ms = head->min_ms,
        .max_ms = head->max_ms,
        .made_ms = head->made_ms,
        .hash = hash,
        .n_groups = head->n_groups,
        .level = head->level,
    };
}

void xt_segment_writer_set_arrivals(xt_segment_writer *w, uint64_t first, uint64_t last)
{
    w->directory.head.first_arrival = first;
    w->directory.head.last_arrival = last;
}

int xt_segment_writer_sync(xt_segment_writer *w, xt_problem *reterr_problem)
{
    flush(w);
    if (w->error == 0)
        w->error = w->vfs->fdatasync(w->vfs, w->fd);
    return failed(w->error, w->path, reterr_problem);
}

xt_segment_writer *xt_segment_writer_abort(xt_segment_writer *w)
{
    if (!w)
        return NULL;
    if (w->fd >= 0) {
        w->vfs->close(w->vfs, w->fd);
        w->vfs->unlink(w->vfs, w->path);
    }
    return writer_free(w);
}

int xt_segment_writer_close(xt_segment_writer *w, xt_segment_info *ret, xt_problem *reterr_problem)
{
    xt_segment_info info;

    if (w->error == 0)
        directory_write(w, &info);
    int r = w->error ? w->error : w->vfs->fdatasync(w->vfs, w->fd);
    int closed = w->vfs->close(w->vfs, w->fd);
    r = failed(r ? r : closed, w->path, reterr_problem);
    writer_free(w);
    if (r == 0)
        *ret = info;
    return r;
}

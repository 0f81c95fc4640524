/*
 * A file is written front to back: each chunk packed as it comes, the footer at the end when all is known. Of the
 * encodings that a column may have each is tried, and the one that is smallest when packed is kept: at 32K rows this
 * costs milliseconds and needs no guessing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <xxhash.h>
#include <zstd.h>

#include "store/segment.h"
#include "store/segment_codec.h"
#include "store/segment_format.h"

#define ZSTD_LEVEL     3
#define FLUSH_BYTES    ((size_t)1 << 20)
#define MIN_PACK_BYTES 32 /* below, packing gains nothing */

typedef struct segment_writer {
    const xt_vfs *vfs;
    int fd;
    uint64_t offset; /* of what is in `out` first */
    xt_buf out;      /* not written yet */
    xt_buf raw, packed, best;
    xt_buf groups, columns; /* of the footer */
    uint32_t n_columns;
    ZSTD_CCtx *zstd;
    uint64_t *numbers, *scratch; /* XT_STORE_GROUP_ROWS each */
    int error;
} segment_writer;

static void flush(segment_writer *w)
{
    if (w->error == 0)
        w->error = xt_buf_done(&w->out);
    if (w->error == 0)
        w->error = xt_vfs_write_all(w->vfs, w->fd, w->out.p, w->out.n, w->offset);
    w->offset += w->out.n;
    xt_buf_reset(&w->out);
}

static void put(segment_writer *w, const void *p, size_t n)
{
    xt_buf_put(&w->out, xt_slice_of(p, n));
    if (w->out.n >= FLUSH_BYTES)
        flush(w);
}

/* ------------------------------------------------------------------------------------------------ chunks */

/* Packs `raw`; when it is smaller than what the chunk is already (stored_bytes 0: nothing) it takes its place. */
static void chunk_try(segment_writer *w, uint8_t encoding, xt_segment_chunk *chunk)
{
    size_t room = ZSTD_compressBound(w->raw.n);

    xt_buf_reset(&w->packed);
    char *to = w->raw.failed || w->raw.n > XT_SEGMENT_MAX_CHUNK_RAW ? NULL : xt_buf_reserve(&w->packed, room);
    if (!to) {
        w->error = w->error ? w->error : -ENOMEM;
        return;
    }
    size_t n = w->raw.n;
    if (n >= MIN_PACK_BYTES)
        n = ZSTD_compressCCtx(w->zstd, to, room, w->raw.p, w->raw.n, ZSTD_LEVEL);
    if (ZSTD_isError(n)) {
        w->error = w->error ? w->error : -ENOMEM;
        return;
    }
    bool is_packed = n < w->raw.n;
    w->packed.n = is_packed ? n : 0;
    if (!is_packed)
        xt_buf_put(&w->packed, xt_buf_slice(&w->raw));
    if (chunk->stored_bytes && chunk->stored_bytes <= w->packed.n)
        return;
    chunk->encoding = encoding;
    chunk->codec = is_packed ? XT_SEGMENT_ZSTD : XT_SEGMENT_STORED;
    chunk->raw_bytes = (uint32_t)w->raw.n;
    chunk->stored_bytes = (uint32_t)w->packed.n;
    xt_buf swap = w->best;
    w->best = w->packed;
    w->packed = swap;
}

/* Writes the best that was tried. */
static void chunk_write(segment_writer *w, xt_segment_chunk *chunk)
{
    chunk->offset = w->offset + w->out.n;
    chunk->checksum = XXH3_64bits(w->best.p, w->best.n);
    put(w, w->best.p, w->best.n);
}

static void values_write(segment_writer *w, const uint64_t *values, uint32_t n, xt_segment_chunk *chunk)
{
    xt_buf_reset(&w->raw);
    xt_segment_put_for(&w->raw, values, n);
    chunk_try(w, XT_SEGMENT_FOR, chunk);
    xt_buf_reset(&w->raw);
    xt_segment_put_delta(&w->raw, values, n, w->scratch);
    chunk_try(w, XT_SEGMENT_DELTA, chunk);
    chunk_write(w, chunk);
}

/* Columns that are the same in every row (euid, suid and fsuid mostly are) share their chunks. */
static bool numbers_equal(const xt_open_column *x, const xt_open_column *y, uint32_t n_rows)
{
    return !x->present == !y->present && (!x->present || memcmp(x->present, y->present, (n_rows + 7) / 8) == 0) &&
           memcmp(x->numbers, y->numbers, n_rows * sizeof *x->numbers) == 0;
}

/* The entry of an equal column of this group, or NULL. first: bytes of w->columns before this group. */
static const xt_segment_column *equal_find(const segment_writer *w, const xt_open_view *view, unsigned field,
                                           size_t first)
{
    for (size_t at = first; at < w->columns.n; at += sizeof(xt_segment_column)) {
        const xt_segment_column *entry = (const xt_segment_column *)(w->columns.p + at);
        if (entry->kind == XT_SEGMENT_NUMBERS &&
            numbers_equal(&view->columns[field], &view->columns[entry->field], view->n_rows))
            return entry;
    }
    return NULL;
}

static void numbers_write(segment_writer *w, const xt_open_column *column, uint32_t n_rows, xt_segment_column *entry)
{
    const uint64_t *values = column->numbers;
    uint32_t n = n_rows;

    if (column->present) {
        n = 0;
        for (uint32_t row = 0; row < n_rows; row++)
            if (column->present[row / 8] >> row % 8 & 1)
                w->numbers[n++] = column->numbers[row];
        values = w->numbers;
    }
    values_write(w, values, n, &entry->a);
    if (column->present) {
        xt_buf_reset(&w->raw);
        xt_buf_put(&w->raw, xt_slice_of(column->present, (n_rows + 7) / 8));
        chunk_try(w, XT_SEGMENT_BITMAP, &entry->b);
        chunk_write(w, &entry->b);
    }
}

static void codes_write(segment_writer *w, const xt_open_column *column, uint32_t n_rows, xt_segment_column *entry)
{
    for (uint32_t row = 0; row < n_rows; row++)
        w->numbers[row] = column->codes[row];
    xt_buf_reset(&w->raw);
    xt_segment_put_for(&w->raw, w->numbers, n_rows);
    chunk_try(w, XT_SEGMENT_FOR, &entry->a);
    if (column->n_dict > 1) {
        xt_buf_reset(&w->raw);
        xt_segment_put_recent(&w->raw, column->codes, n_rows, w->scratch);
        chunk_try(w, XT_SEGMENT_RECENT, &entry->a);
    }
    chunk_write(w, &entry->a);
    xt_buf_reset(&w->raw);
    xt_segment_put_dict(&w->raw, column->dict, column->n_dict, w->scratch);
    chunk_try(w, XT_SEGMENT_DICT, &entry->b);
    chunk_write(w, &entry->b);
}

static void group_write(segment_writer *w, const xt_open_view *view)
{
    xt_segment_footer_group group = {view->first_arrival, view->min_ms, view->max_ms, view->n_rows, 0};
    size_t first = w->columns.n;

    for (unsigned f = 1; f < XT_F_END && w->error == 0; f++) {
        const xt_open_column *column = &view->columns[f];
        xt_segment_column entry = {.field = (uint16_t)f};
        if (column->kind == XT_COLUMN_ABSENT)
            continue;
        if (column->kind == XT_COLUMN_NUMBERS) {
            entry.kind = XT_SEGMENT_NUMBERS;
            entry.min = view->min[f];
            entry.max = view->max[f];
            const xt_segment_column *equal = equal_find(w, view, f, first);
            if (equal) {
                entry.a = equal->a;
                entry.b = equal->b;
            } else {
                numbers_write(w, column, view->n_rows, &entry);
            }
        } else {
            entry.kind = XT_SEGMENT_CODES;
            entry.n_dict = column->n_dict;
            codes_write(w, column, view->n_rows, &entry);
        }
        xt_buf_put(&w->columns, xt_slice_of(&entry, sizeof entry));
        group.n_columns++;
    }
    w->n_columns += group.n_columns;
    xt_buf_put(&w->groups, xt_slice_of(&group, sizeof group));
}

/* ------------------------------------------------------------------------------------------------ file */

static void header_write(segment_writer *w, uint64_t id)
{
    xt_segment_header header = {.magic = XT_SEGMENT_MAGIC, .version = XT_SEGMENT_VERSION, .id = id};

    header.checksum = XXH3_64bits(&header, offsetof(xt_segment_header, checksum));
    put(w, &header, sizeof header);
}

static xt_segment_info info_of(uint64_t id, int64_t made_ms, xt_open_view *const *views, size_t n)
{
    xt_segment_info info = {.id = id, .made_ms = made_ms, .n_groups = (uint32_t)n};

    info.first_arrival = views[0]->first_arrival;
    info.last_arrival = views[n - 1]->first_arrival + views[n - 1]->n_rows - 1;
    info.min_ms = views[0]->min_ms;
    info.max_ms = views[0]->max_ms;
    for (size_t i = 0; i < n; i++) {
        info.n_rows += views[i]->n_rows;
        info.min_ms = views[i]->min_ms < info.min_ms ? views[i]->min_ms : info.min_ms;
        info.max_ms = views[i]->max_ms > info.max_ms ? views[i]->max_ms : info.max_ms;
    }
    return info;
}

static void footer_write(segment_writer *w, xt_segment_info *info)
{
    xt_segment_footer head = {info->id,     info->made_ms, info->n_rows,   info->first_arrival, info->last_arrival,
                              info->min_ms, info->max_ms,  info->n_groups, w->n_columns};
    xt_segment_trailer trailer = {.footer_offset = w->offset + w->out.n, .magic = XT_SEGMENT_END_MAGIC};
    xt_buf *footer = &w->raw;

    xt_buf_reset(footer);
    xt_buf_put(footer, xt_slice_of(&head, sizeof head));
    xt_buf_put(footer, xt_buf_slice(&w->groups));
    xt_buf_put(footer, xt_buf_slice(&w->columns));
    if (footer->failed || w->groups.failed || w->columns.failed || footer->n > XT_SEGMENT_MAX_CHUNK_RAW) {
        w->error = w->error ? w->error : -ENOMEM;
        return;
    }
    info->hash = xt_slice_hash128(xt_buf_slice(footer));
    trailer.footer_bytes = (uint32_t)footer->n;
    memcpy(trailer.footer_hash, info->hash.b, sizeof info->hash.b);
    put(w, footer->p, footer->n);
    put(w, &trailer, sizeof trailer);
    flush(w);
    info->bytes = w->offset;
}

static void writer_fini(segment_writer *w)
{
    xt_buf_fini(&w->out);
    xt_buf_fini(&w->raw);
    xt_buf_fini(&w->packed);
    xt_buf_fini(&w->best);
    xt_buf_fini(&w->groups);
    xt_buf_fini(&w->columns);
    ZSTD_freeCCtx(w->zstd);
    free(w->numbers);
    free(w->scratch);
}

static int writer_init(segment_writer *w, const xt_vfs *vfs)
{
    *w = (segment_writer){.vfs = vfs, .fd = -1};
    w->zstd = ZSTD_createCCtx();
    w->numbers = calloc(XT_STORE_GROUP_ROWS, sizeof *w->numbers);
    w->scratch = calloc(XT_STORE_GROUP_ROWS, sizeof *w->scratch);
    if (w->zstd && w->numbers && w->scratch)
        return 0;
    writer_fini(w);
    return xt_error_origin(-ENOMEM);
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

int xt_segment_write(const xt_vfs *vfs, const char *path, uint64_t id, int64_t made_ms, xt_open_view *const *views,
                     size_t n, xt_segment_info *ret, xt_problem *reterr_problem)
{
    segment_writer w;
    xt_segment_info info = info_of(id, made_ms, views, n);
    int r = writer_init(&w, vfs);

    if (r < 0)
        return xt_error_trace(r);
    w.fd = vfs->open(vfs, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    if (w.fd < 0) {
        writer_fini(&w);
        return failed(w.fd, path, reterr_problem);
    }
    header_write(&w, id);
    for (size_t i = 0; i < n && w.error == 0; i++)
        group_write(&w, views[i]);
    footer_write(&w, &info);
    r = w.error ? w.error : vfs->fdatasync(vfs, w.fd);
    int closed = vfs->close(vfs, w.fd);
    writer_fini(&w);
    r = failed(r ? r : closed, path, reterr_problem);
    if (r == 0)
        *ret = info;
    return r;
}

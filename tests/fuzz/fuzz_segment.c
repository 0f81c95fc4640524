/*
 * Arbitrary bytes as a segment file: read with its checksums and again without them, so that what stands behind the
 * checksums is reached too. Every code must have its entry, every entry be readable to its last byte.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "store/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* A table with one file, which stands in memory. */
static const uint8_t *file_bytes;
static size_t file_size;

static int memory_open(const xt_vfs *vfs, const char *path, int flags, mode_t mode)
{
    return 0;
}

static int memory_close(const xt_vfs *vfs, int fd)
{
    return 0;
}

static ssize_t memory_pread(const xt_vfs *vfs, int fd, void *p, size_t n, uint64_t offset)
{
    if (offset >= file_size)
        return 0;
    if (n > file_size - offset)
        n = file_size - offset;
    memcpy(p, file_bytes + offset, n);
    return (ssize_t)n;
}

static int memory_size(const xt_vfs *vfs, int fd, uint64_t *ret)
{
    *ret = file_size;
    return 0;
}

static const xt_vfs memory_vfs = {
    .open = memory_open, .close = memory_close, .pread = memory_pread, .size = memory_size};

static volatile uint64_t sink;

static void column_touch(const xt_column *column, uint32_t n_rows)
{
    uint64_t sum = 0;

    for (uint32_t row = 0; column->kind == XT_COLUMN_CODES && row < n_rows; row++)
        assert(column->codes[row] <= column->n_values);
    for (uint32_t i = 0; column->kind == XT_COLUMN_CODES && i < column->n_values; i++)
        assert(column->values[i] < column->dict->n);
    for (uint32_t row = 0; column->kind == XT_COLUMN_NUMBERS && row < n_rows; row++)
        sum += column->numbers[row] + (column->present ? column->present[row / 8] : 0);
    sink += sum;
}

static void dict_touch(xt_segment_reader *reader, const xt_segment *segment, xt_field f, xt_arena *arena)
{
    const xt_dict *dict = xt_segment_dict(segment, f);

    for (uint32_t chunk = 0; dict && chunk < dict->n_chunks; chunk++)
        for (int stored = 0; stored < 2; stored++) {
            xt_problem problem = XT_PROBLEM_INIT;
            xt_slice *entries;
            uint64_t sum = 0;
            bool held;
            xt_arena_reset(arena);
            int r = xt_segment_read_dict(reader, segment, f, chunk, stored, arena, &entries, &problem);
            assert(r <= 0 || xt_problem_is_set(&problem));
            for (uint32_t i = 0; r == 0 && i < dict->firsts[chunk + 1] - dict->firsts[chunk]; i++)
                for (size_t k = 0; k < entries[i].n; k++)
                    sum += (uint8_t)entries[i].p[k];
            r = xt_segment_may_hold(reader, segment, f, chunk, XT_S("curl"), &held, &problem);
            assert(r <= 0 || xt_problem_is_set(&problem));
            sink += sum;
        }
}

static void cells_touch(xt_segment_reader *reader, const xt_segment *segment, uint32_t g, xt_field f, xt_arena *arena)
{
    uint32_t n_rows = xt_segment_group_get(segment, g).n_rows, rows[] = {0, n_rows / 2, n_rows - 1};
    size_t n = n_rows > 2 ? 3 : 1;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_cells cells;
    int r = xt_segment_read_cells(reader, segment, g, f, rows, n, arena, &cells, &problem);

    assert(r <= 0 || xt_problem_is_set(&problem));
    for (size_t i = 0; r == 0 && i < n; i++) {
        assert(!cells.codes || cells.codes[i] <= cells.dict->n);
        sink += cells.numbers ? cells.numbers[i] + (cells.present && cells.present[i]) : 0;
    }
}

static void group_touch(xt_segment_reader *reader, const xt_segment *segment, uint32_t g, xt_arena *arena)
{
    uint32_t n_rows = xt_segment_group_get(segment, g).n_rows;
    xt_problem problem = XT_PROBLEM_INIT;
    const uint64_t *arrivals;

    for (unsigned f = 1; f < XT_F_END; f++) {
        xt_column column;
        xt_arena_reset(arena);
        int r = xt_segment_read_values(reader, segment, g, (xt_field)f, arena, &column, &problem);
        assert(r <= 0 || xt_problem_is_set(&problem));
        r = xt_segment_read(reader, segment, g, (xt_field)f, arena, &column, &problem);
        assert(r <= 0 || xt_problem_is_set(&problem));
        if (r == 0)
            column_touch(&column, n_rows);
        cells_touch(reader, segment, g, (xt_field)f, arena);
    }
    xt_arena_reset(arena);
    int r = xt_segment_read_arrivals(reader, segment, g, arena, &arrivals, &problem);
    for (uint32_t row = 0; r == 0 && arrivals && row < n_rows; row++)
        sink += arrivals[row];
}

static void segment_touch(const xt_segment *segment)
{
    xt_segment_reader *reader = xt_segment_reader_new();
    xt_arena arena;

    xt_arena_init(&arena, (size_t)512 << 20);
    for (unsigned f = 1; reader && f < XT_F_END; f++)
        dict_touch(reader, segment, (xt_field)f, &arena);
    for (uint32_t g = 0; reader && g < xt_segment_info_get(segment)->n_groups && g < 64; g++)
        group_touch(reader, segment, g, &arena);
    xt_arena_fini(&arena);
    xt_segment_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    file_bytes = data;
    file_size = n;
    for (int ignore = 0; ignore < 2; ignore++) {
        xt_problem problem = XT_PROBLEM_INIT;
        xt_segment *segment = NULL;
        xt_segment_ignore_checksums(ignore);
        int r = xt_segment_open(&memory_vfs, "memory/segment", &segment, &problem);
        assert(r <= 0 || xt_problem_is_set(&problem));
        if (r == 0)
            segment_touch(segment);
        xt_segment_unref(segment);
    }
    return 0;
}

/*
 * Field by field: the codes that the rows to be kept have are found first, so that the dictionary is written without the
 * others; then the column is read again and its rows are dealt out to the new row groups.
 */
#include "store/segment_select.h"

#include <errno.h>
#include <stdlib.h>

#include "store/segment_directory.h"
#include "store/segment_writer.h"

typedef struct selecting {
    const xt_segment *from;
    const uint64_t *keep;
    uint32_t n_groups; /* of the new file */
    xt_segment_reader *reader;
    xt_segment_writer *writer;
    const xt_segment_steps *steps;
    xt_arena arena;
    bool any;        /* a kept row has the field under way */
    uint32_t *codes; /* of the field under way: by old code, new code + 1; 0: no row has it */
    uint32_t *row_codes;
    uint64_t *row_numbers;
    uint8_t *row_present;
    uint32_t n, n_present, group; /* rows of the new group so far, and which it is */
    xt_problem *problem;
} selecting;

static bool is_kept(const selecting *s, uint64_t row)
{
    return s->keep[row / 64] >> row % 64 & 1;
}

/* Of a column of the old file: reads row group after row group and gives those that have rows to be kept. */
static int each_group(selecting *s, unsigned f,
                      void (*fn)(selecting *s, const xt_column *column, uint64_t first, uint32_t n_rows))
{
    uint32_t n_groups = xt_segment_info_get(s->from)->n_groups;
    uint64_t first = 0;

    for (uint32_t g = 0; g < n_groups; g++) {
        xt_segment_group group = xt_segment_group_get(s->from, g);
        xt_column column = {.kind = XT_COLUMN_NUMBERS};
        xt_arena_reset(&s->arena);
        int r = f == XT_SEGMENT_ARRIVAL
                    ? xt_segment_read_arrivals(s->reader, s->from, g, &s->arena, &column.numbers, s->problem)
                    : xt_segment_read(s->reader, s->from, g, (xt_field)f, &s->arena, &column, s->problem);
        if (r == 0 && s->steps && s->steps->step(s->steps->context, group.n_rows))
            r = xt_error_origin(-ECANCELED);
        if (r != 0)
            return r;
        fn(s, &column, first, group.n_rows);
        first += group.n_rows;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ dictionary */

static uint32_t code_of(const xt_column *column, uint32_t row)
{
    uint32_t local = column->codes[row];

    return column->values ? column->values[local - 1] : local - 1;
}

static bool has_number(const xt_column *column, uint32_t row)
{
    return column->kind == XT_COLUMN_NUMBERS && column->numbers &&
           (!column->present || column->present[row / 8] >> row % 8 & 1);
}

/* Which codes the kept rows have, and whether they have the field at all. */
static void values_mark(selecting *s, const xt_column *column, uint64_t first, uint32_t n_rows)
{
    bool is_codes = column->kind == XT_COLUMN_CODES;

    for (uint32_t i = 0; i < n_rows; i++) {
        if (!is_kept(s, first + i) || !(is_codes ? column->codes[i] != 0 : has_number(column, i)))
            continue;
        s->any = true;
        if (is_codes)
            s->codes[code_of(column, i)] = 1;
    }
}

static int dictionary_write(selecting *s, xt_field f, const xt_dict *dict)
{
    uint32_t next = 0;

    for (uint32_t chunk = 0; chunk < dict->n_chunks; chunk++) {
        xt_slice *entries;
        xt_arena_reset(&s->arena);
        int r = xt_segment_read_dict(s->reader, s->from, f, chunk, true, &s->arena, &entries, s->problem);
        if (r != 0)
            return r;
        for (uint32_t code = dict->firsts[chunk]; code < dict->firsts[chunk + 1]; code++) {
            if (!s->codes[code])
                continue;
            s->codes[code] = ++next;
            xt_segment_writer_entry(s->writer, entries[code - dict->firsts[chunk]]);
        }
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ columns */

static void group_flush(selecting *s, bool is_codes)
{
    xt_column column = {.kind = s->n_present == 0 ? XT_COLUMN_ABSENT
                                : is_codes        ? XT_COLUMN_CODES
                                                  : XT_COLUMN_NUMBERS,
                        .codes = s->row_codes,
                        .numbers = s->row_numbers,
                        .present = s->n_present < s->n ? s->row_present : NULL};

    xt_segment_writer_column(s->writer, &column);
    s->n = s->n_present = 0;
    s->group++;
    memset(s->row_present, 0, XT_STORE_GROUP_ROWS / 8);
}

static void row_put(selecting *s, const xt_column *column, uint32_t row, bool is_codes)
{
    bool has = false;

    s->row_codes[s->n] = 0;
    s->row_numbers[s->n] = 0;
    if (column->kind == XT_COLUMN_CODES && column->codes[row]) {
        s->row_codes[s->n] = s->codes[code_of(column, row)];
        has = true;
    } else if (has_number(column, row)) {
        s->row_numbers[s->n] = column->numbers[row];
        s->row_present[s->n / 8] |= (uint8_t)(1u << s->n % 8);
        has = true;
    }
    s->n_present += has;
    if (++s->n == xt_segment_writer_group_rows(s->writer, s->group))
        group_flush(s, is_codes);
}

static void codes_deal(selecting *s, const xt_column *column, uint64_t first, uint32_t n_rows)
{
    for (uint32_t i = 0; i < n_rows; i++)
        if (is_kept(s, first + i))
            row_put(s, column, i, true);
}

static void numbers_deal(selecting *s, const xt_column *column, uint64_t first, uint32_t n_rows)
{
    for (uint32_t i = 0; i < n_rows; i++)
        if (is_kept(s, first + i))
            row_put(s, column, i, false);
}

static int field_select(selecting *s, unsigned f)
{
    const xt_dict *dict = f == XT_SEGMENT_ARRIVAL ? NULL : xt_segment_dict(s->from, (xt_field)f);
    int r;

    free(s->codes);
    s->codes = calloc(dict ? dict->n + 1 : 1, sizeof *s->codes);
    if (!s->codes)
        return xt_error_origin(-ENOMEM);
    s->any = false;
    r = each_group(s, f, values_mark);
    if (r != 0 || !s->any) /* a field that no row has is not written */
        return r;
    xt_segment_writer_begin(s->writer, f);
    if (dict)
        r = dictionary_write(s, (xt_field)f, dict);
    s->n = s->n_present = s->group = 0;
    return r == 0 ? each_group(s, f, dict ? codes_deal : numbers_deal) : r;
}

/* ------------------------------------------------------------------------------------------------ file */

static int fields_select(selecting *s)
{
    const xt_segment_directory *directory = xt_segment_directory_get(s->from);
    int r = 0;

    for (uint32_t i = 0; i < directory->head.n_fields && r == 0 && !xt_segment_writer_failed(s->writer); i++) {
        unsigned id = directory->fields[i].id;
        if (id != XT_SEGMENT_ARRIVAL && !xt_field_find(id)) {
            xt_problem_set(s->problem, "it has a field %u that this version does not know", id);
            xt_problem_source(s->problem, xt_segment_name(s->from));
            return XT_SEGMENT_E_VERSION;
        }
        r = field_select(s, id);
    }
    return r;
}

static int selecting_init(selecting *s)
{
    xt_arena_init(&s->arena, SIZE_MAX);
    s->reader = xt_segment_reader_new();
    s->row_codes = calloc(XT_STORE_GROUP_ROWS, sizeof *s->row_codes);
    s->row_numbers = calloc(XT_STORE_GROUP_ROWS, sizeof *s->row_numbers);
    s->row_present = calloc(XT_STORE_GROUP_ROWS / 8, 1);
    return s->reader && s->row_codes && s->row_numbers && s->row_present ? 0 : xt_error_origin(-ENOMEM);
}

static void selecting_fini(selecting *s)
{
    xt_segment_reader_free(s->reader);
    xt_arena_fini(&s->arena);
    free(s->codes);
    free(s->row_codes);
    free(s->row_numbers);
    free(s->row_present);
}

int xt_segment_select(const xt_vfs *vfs, const char *path, uint64_t id, int64_t made_ms, const xt_segment *from,
                      const uint64_t *keep, uint64_t n_keep, const xt_segment_steps *steps, xt_segment_info *ret,
                      xt_problem *reterr_problem)
{
    const xt_segment_info *info = xt_segment_info_get(from);
    selecting s = {.from = from, .keep = keep, .steps = steps, .problem = reterr_problem};
    xt_segment_layout layout = {.id = id,
                                .n_rows = n_keep,
                                .first_arrival = info->first_arrival,
                                .last_arrival = info->last_arrival,
                                .made_ms = made_ms,
                                .level = info->level,
                                .is_small = true};
    int r = selecting_init(&s);

    if (r == 0)
        r = xt_segment_writer_open(vfs, path, &layout, &s.writer, reterr_problem);
    if (r == 0) {
        int selected = fields_select(&s);
        r = xt_segment_writer_close(s.writer, ret, reterr_problem);
        r = selected ? selected : r;
    }
    selecting_fini(&s);
    return r;
}

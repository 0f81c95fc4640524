/*
 * No event is decoded. First the order of the rows is found from host id, time and serial alone: for each row of the
 * result a byte says which input it comes from, and within an input the order is that of the input. Then field by field:
 * the dictionaries, which are sorted, are merged entry by entry, giving for each input an array from old to new codes;
 * and each input's column is read once, row group by row group, and dealt out by those bytes.
 */
#include "store/segment_merge.h"

#include <errno.h>
#include <stdlib.h>

#include "store/dict_form.h"
#include "store/segment_directory.h"
#include "store/segment_writer.h"

/* Where one input stands. */
typedef struct merge_input {
    const xt_segment *segment;
    uint32_t next_group, row, n_rows; /* the group at hand is the one before next_group */
    xt_arena arena;
    xt_column columns[3];
    uint32_t *codes; /* of the field under way: by old code, new code + 1 */
    uint32_t next_chunk, entry, n_entries;
    uint32_t code; /* old code of the entry at hand */
    xt_slice *entries;
} merge_input;

typedef struct merging {
    merge_input *inputs;
    size_t n_inputs;
    uint64_t n_rows;
    uint8_t *order; /* by row: the input that it comes from */
    xt_segment_reader *reader;
    xt_segment_writer *writer;
    const xt_segment_steps *steps;
    uint32_t *row_codes; /* XT_STORE_GROUP_ROWS */
    uint64_t *row_numbers;
    uint8_t *row_present;
    size_t at; /* the input that is read now */
    xt_problem *problem;
} merging;

static int step(const merging *m, uint64_t n_values)
{
    return m->steps && m->steps->step(m->steps->context, n_values) ? xt_error_origin(-ECANCELED) : 0;
}

/* ------------------------------------------------------------------------------------------------ dictionaries */

/* Turns to the input's next entry; n_entries 0: there is none. */
static int entry_next(merging *m, merge_input *in, xt_field f)
{
    const xt_dict *dict = xt_segment_dict(in->segment, f);

    in->code++;
    if (++in->entry < in->n_entries)
        return 0;
    in->entry = 0;
    if (!dict || in->next_chunk == dict->n_chunks) {
        in->n_entries = 0;
        return 0;
    }
    uint32_t chunk = in->next_chunk++;
    in->n_entries = dict->firsts[chunk + 1] - dict->firsts[chunk];
    in->code = dict->firsts[chunk];
    m->at = (size_t)(in - m->inputs);
    xt_arena_reset(&in->arena);
    return xt_segment_read_dict(m->reader, in->segment, f, chunk, true, &in->arena, &in->entries, m->problem);
}

static int dictionary_begin(merging *m, xt_field f)
{
    int r = 0;

    for (size_t i = 0; i < m->n_inputs && r == 0; i++) {
        merge_input *in = &m->inputs[i];
        const xt_dict *dict = xt_segment_dict(in->segment, f);
        free(in->codes);
        in->codes = calloc(dict ? dict->n : 1, sizeof *in->codes);
        in->next_chunk = in->entry = in->n_entries = 0;
        r = in->codes ? entry_next(m, in, f) : xt_error_origin(-ENOMEM);
    }
    return r;
}

/* The least entry that is at hand; p NULL: all have ended. */
static xt_slice least_entry(const merging *m)
{
    xt_slice least = XT_S_NULL;

    for (size_t i = 0; i < m->n_inputs; i++) {
        const merge_input *in = &m->inputs[i];
        if (in->n_entries && (!least.p || xt_dict_order(in->entries[in->entry], least) < 0))
            least = in->entries[in->entry];
    }
    return least;
}

/* Merges the dictionaries of a field into the writer's; without a writer only the codes are made. */
static int dictionary_merge(merging *m, xt_field f, xt_segment_writer *writer)
{
    uint32_t code = 0;
    int r = dictionary_begin(m, f);

    for (xt_slice least; r == 0 && (least = least_entry(m)).p;) {
        code++;
        if (writer)
            xt_segment_writer_entry(writer, least);
        /* The first input may turn to its next chunk, and with it goes what `least` points at: so it comes last. */
        merge_input *holder = NULL;
        for (size_t i = 0; i < m->n_inputs && r == 0; i++) {
            merge_input *in = &m->inputs[i];
            if (!in->n_entries || !xt_slice_eq(in->entries[in->entry], least))
                continue;
            in->codes[in->code] = code;
            if (in->entries[in->entry].p == least.p)
                holder = in;
            else
                r = entry_next(m, in, f);
        }
        if (r == 0 && holder)
            r = entry_next(m, holder, f);
    }
    return r;
}

/* ------------------------------------------------------------------------------------------------ columns */

static void inputs_rewind(merging *m)
{
    for (size_t i = 0; i < m->n_inputs; i++)
        m->inputs[i].next_group = m->inputs[i].row = m->inputs[i].n_rows = 0;
}

/* Makes the input's row one that is there, of the group that follows; false in *ret_more at its end. */
static int group_next(merging *m, merge_input *in, const unsigned *fields, size_t n_fields, bool *ret_more)
{
    if (in->next_group == xt_segment_info_get(in->segment)->n_groups) {
        *ret_more = false;
        return 0;
    }
    *ret_more = true;
    m->at = (size_t)(in - m->inputs);
    xt_arena_reset(&in->arena);
    in->row = 0;
    in->n_rows = xt_segment_group_get(in->segment, in->next_group).n_rows;
    for (size_t k = 0; k < n_fields; k++) {
        int r = xt_segment_read(m->reader, in->segment, in->next_group, (xt_field)fields[k], &in->arena,
                                &in->columns[k], m->problem);
        if (r != 0)
            return r;
    }
    in->next_group++;
    return step(m, in->n_rows * n_fields);
}

static uint32_t code_of(const merge_input *in, const xt_column *column)
{
    uint32_t local = column->kind == XT_COLUMN_CODES ? column->codes[in->row] : 0;

    return local ? in->codes[column->values[local - 1]] : 0;
}

static bool number_of(const merge_input *in, const xt_column *column, uint64_t *ret)
{
    bool has =
        column->kind == XT_COLUMN_NUMBERS && (!column->present || column->present[in->row / 8] >> in->row % 8 & 1);

    *ret = has ? column->numbers[in->row] : 0;
    return has;
}

/* Deals the next n rows of the field out. */
static int rows_deal(merging *m, unsigned f, bool is_codes, const uint8_t *order, uint32_t n, uint32_t *ret_n_present)
{
    uint32_t n_present = 0;

    for (uint32_t i = 0; i < n; i++) {
        merge_input *in = &m->inputs[order[i]];
        bool more = true, has;
        int r = in->row == in->n_rows ? group_next(m, in, &f, 1, &more) : 0;
        if (r != 0)
            return r;
        if (is_codes) {
            m->row_codes[i] = code_of(in, &in->columns[0]);
            has = m->row_codes[i] != 0;
        } else {
            has = number_of(in, &in->columns[0], &m->row_numbers[i]);
            m->row_present[i / 8] |= (uint8_t)(has << i % 8);
        }
        n_present += has;
        in->row++;
    }
    *ret_n_present = n_present;
    return 0;
}

static int field_merge(merging *m, unsigned f, bool is_codes, uint32_t n_groups)
{
    int r = 0;
    uint64_t done = 0;

    xt_segment_writer_begin(m->writer, f);
    if (is_codes)
        r = dictionary_merge(m, (xt_field)f, m->writer);
    inputs_rewind(m);
    for (uint32_t g = 0; g < n_groups && r == 0; g++) {
        uint32_t n = xt_segment_writer_group_rows(m->writer, g), n_present = 0;
        memset(m->row_present, 0, XT_STORE_GROUP_ROWS / 8);
        r = rows_deal(m, f, is_codes, m->order + done, n, &n_present);
        xt_column column = {.kind = n_present == 0 ? XT_COLUMN_ABSENT
                                    : is_codes     ? XT_COLUMN_CODES
                                                   : XT_COLUMN_NUMBERS,
                            .codes = m->row_codes,
                            .numbers = m->row_numbers,
                            .present = n_present < n ? m->row_present : NULL};
        if (r == 0)
            xt_segment_writer_column(m->writer, &column);
        done += n;
    }
    return r;
}

/* ------------------------------------------------------------------------------------------------ order of rows */

typedef struct merge_key {
    uint32_t host;
    uint64_t time, serial;
} merge_key;

static const unsigned key_fields[] = {XT_F_HOST_ID, XT_F_TIME, XT_F_SERIAL};

static merge_key key_of(const merge_input *in)
{
    merge_key key = {.host = code_of(in, &in->columns[0])};

    number_of(in, &in->columns[1], &key.time);
    number_of(in, &in->columns[2], &key.serial);
    key.time ^= UINT64_C(1) << 63;
    return key;
}

static int key_order(const merge_key *a, const merge_key *b)
{
    if (a->host != b->host)
        return a->host < b->host ? -1 : 1;
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    return (a->serial > b->serial) - (a->serial < b->serial);
}

/* The input whose row comes next, and the least key of the others; false: all have ended. */
static bool least_find(const merging *m, const merge_key *keys, const bool *more, size_t *ret, merge_key *ret_second)
{
    const merge_key last = {UINT32_MAX, UINT64_MAX, UINT64_MAX};
    const merge_key *second = &last;
    size_t least = SIZE_MAX;

    for (size_t i = 0; i < m->n_inputs; i++) {
        if (!more[i])
            continue;
        if (least == SIZE_MAX || key_order(&keys[i], &keys[least]) < 0) {
            second = least == SIZE_MAX ? second : &keys[least];
            least = i;
        } else if (key_order(&keys[i], second) < 0) {
            second = &keys[i];
        }
    }
    if (least == SIZE_MAX)
        return false;
    *ret = least;
    *ret_second = *second;
    return true;
}

/* Takes rows of one input as long as they come before those of all others. */
static int run_take(merging *m, size_t i, const merge_key *second, merge_key *key, bool *more, uint64_t *n_rows)
{
    merge_input *in = &m->inputs[i];
    int r = 0;

    do {
        m->order[(*n_rows)++] = (uint8_t)i;
        if (++in->row == in->n_rows)
            r = group_next(m, in, key_fields, XT_COUNT_OF(key_fields), more);
        if (r == 0 && *more)
            *key = key_of(in);
    } while (r == 0 && *more && key_order(key, second) < 0);
    return r;
}

static int order_find(merging *m)
{
    merge_key keys[XT_SEGMENT_MERGE_MAX] = {{0}}, second;
    bool more[XT_SEGMENT_MERGE_MAX] = {false};
    uint64_t n_rows = 0;
    size_t i;
    int r = dictionary_merge(m, XT_F_HOST_ID, NULL);

    inputs_rewind(m);
    for (i = 0; i < m->n_inputs && r == 0; i++) {
        r = group_next(m, &m->inputs[i], key_fields, XT_COUNT_OF(key_fields), &more[i]);
        if (r == 0)
            keys[i] = key_of(&m->inputs[i]);
    }
    while (r == 0 && least_find(m, keys, more, &i, &second))
        r = run_take(m, i, &second, &keys[i], &more[i], &n_rows);
    return r;
}

/* ------------------------------------------------------------------------------------------------ file */

static void merging_fini(merging *m)
{
    for (size_t i = 0; m->inputs && i < m->n_inputs; i++) {
        xt_arena_fini(&m->inputs[i].arena);
        free(m->inputs[i].codes);
    }
    free(m->inputs);
    free(m->order);
    free(m->row_codes);
    free(m->row_numbers);
    free(m->row_present);
    xt_segment_reader_free(m->reader);
}

static int merging_init(merging *m, xt_segment *const *inputs, size_t n)
{
    m->inputs = calloc(n, sizeof *m->inputs);
    m->n_inputs = n;
    for (size_t i = 0; m->inputs && i < n; i++) {
        m->inputs[i].segment = inputs[i];
        xt_arena_init(&m->inputs[i].arena, SIZE_MAX);
        m->n_rows += xt_segment_info_get(inputs[i])->n_rows;
    }
    m->order = calloc(m->n_rows + 1, 1);
    m->reader = xt_segment_reader_new();
    m->row_codes = calloc(XT_STORE_GROUP_ROWS, sizeof *m->row_codes);
    m->row_numbers = calloc(XT_STORE_GROUP_ROWS, sizeof *m->row_numbers);
    m->row_present = calloc(XT_STORE_GROUP_ROWS / 8, 1);
    return m->inputs && m->order && m->reader && m->row_codes && m->row_numbers && m->row_present
               ? 0
               : xt_error_origin(-ENOMEM);
}

/* Whether the field is one of codes in any input; *ret_any: whether any has it at all. */
static bool field_kind(const merging *m, unsigned f, bool *ret_any)
{
    bool is_codes = false;

    *ret_any = false;
    for (size_t i = 0; i < m->n_inputs; i++) {
        const xt_segment_directory *directory = xt_segment_directory_get(m->inputs[i].segment);
        uint8_t place = directory->index[f];
        *ret_any |= place != 0;
        is_codes |= place && directory->fields[place - 1].kind == XT_SEGMENT_CODES;
    }
    return is_codes;
}

static int fields_merge(merging *m, uint32_t n_groups)
{
    int r = 0;

    for (unsigned f = 1; f < XT_F_END && r == 0 && !xt_segment_writer_failed(m->writer); f++) {
        bool any, is_codes = field_kind(m, f, &any);
        if (any)
            r = field_merge(m, f, is_codes, n_groups);
    }
    return r;
}

/* A field that is not known here would be lost. */
static int fields_check(const xt_segment *segment, xt_problem *reterr_problem)
{
    const xt_segment_directory *directory = xt_segment_directory_get(segment);

    for (uint32_t f = 0; f < directory->head.n_fields; f++) {
        unsigned id = directory->fields[f].id;
        if (id == XT_SEGMENT_ARRIVAL || xt_field_find(id))
            continue;
        xt_problem_set(reterr_problem, "it has a field %u that this version does not know", id);
        xt_problem_source(reterr_problem, xt_segment_name(segment));
        return XT_SEGMENT_E_VERSION;
    }
    return 0;
}

static xt_segment_layout layout_of(const merging *m, uint64_t id, int64_t made_ms)
{
    xt_segment_layout layout = {
        .id = id, .made_ms = made_ms, .n_rows = m->n_rows, .first_arrival = UINT64_MAX, .is_small = true};

    for (size_t i = 0; i < m->n_inputs; i++) {
        const xt_segment_info *info = xt_segment_info_get(m->inputs[i].segment);
        layout.first_arrival = info->first_arrival < layout.first_arrival ? info->first_arrival : layout.first_arrival;
        layout.last_arrival = info->last_arrival > layout.last_arrival ? info->last_arrival : layout.last_arrival;
        layout.level = info->level > layout.level ? info->level : layout.level;
    }
    layout.level++;
    return layout;
}

static int merge(merging *m, const xt_vfs *vfs, const char *path, const xt_segment_layout *layout, xt_segment_info *ret)
{
    int r = order_find(m);

    if (r == 0)
        r = xt_segment_writer_open(vfs, path, layout, &m->writer, m->problem);
    if (r != 0)
        return r;
    int merged = fields_merge(m, (uint32_t)((m->n_rows + XT_STORE_GROUP_ROWS - 1) / XT_STORE_GROUP_ROWS));
    r = xt_segment_writer_close(m->writer, ret, m->problem);
    return merged ? merged : r;
}

int xt_segment_merge(const xt_vfs *vfs, const char *path, uint64_t id, int64_t made_ms, xt_segment *const *inputs,
                     size_t n, const xt_segment_steps *steps, size_t *ret_bad, xt_segment_info *ret,
                     xt_problem *reterr_problem)
{
    merging m = {.steps = steps, .problem = reterr_problem};
    xt_segment_info info;
    int r = merging_init(&m, inputs, n);

    for (size_t i = 0; i < n && r == 0; i++) {
        m.at = i;
        r = fields_check(inputs[i], reterr_problem);
    }
    if (r == 0) {
        xt_segment_layout layout = layout_of(&m, id, made_ms);
        r = merge(&m, vfs, path, &layout, &info);
    }
    if (r > 0 && ret_bad)
        *ret_bad = m.at;
    if (r == 0)
        *ret = info;
    merging_fini(&m);
    return r;
}

/*
 * A segment from open views. What is open is in memory, so that sealing can sort: first the rows by (host id, time,
 * serial), then for each field the distinct values of all views into one dictionary, by their stored form. Then row
 * group by row group each column is gathered in the order of the rows, with the views' codes turned into the
 * dictionary's.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/dict_form.h"
#include "store/segment_format.h"
#include "store/segment_writer.h"

/* A row's place in the order of the file. */
typedef struct row_key {
    uint64_t time; /* turned so that it compares as unsigned */
    uint64_t serial;
    uint32_t host; /* code in the dictionary of host ids + 1; 0: none */
    uint16_t row;
    uint32_t view;
} row_key;

/* A view's entry on its way into the dictionary. */
typedef struct merging_entry {
    uint64_t prefix; /* the first bytes of the stored form, big endian */
    xt_slice stored;
    uint32_t place; /* in `codes` of the build */
} merging_entry;

typedef struct build {
    xt_open_view *const *views;
    size_t n_views;
    uint64_t n_rows;
    row_key *rows; /* in the order of the file */
    uint32_t n_groups;

    xt_buf stored;
    merging_entry *entries;
    uint32_t *codes; /* by view and entry of its dictionary: code in the new dictionary + 1 */
    size_t *firsts;  /* by view: where its entries begin in codes */
    size_t cap_entries;

    uint32_t *row_codes; /* XT_STORE_GROUP_ROWS */
    uint64_t *row_numbers;
    uint8_t *row_present;
} build;

/* ------------------------------------------------------------------------------------------------ dictionary */

static int entry_order(const void *a, const void *b)
{
    const merging_entry *x = a, *y = b;

    if (x->prefix != y->prefix)
        return x->prefix < y->prefix ? -1 : 1;
    return xt_dict_order(x->stored, y->stored);
}

static uint64_t prefix_of(xt_slice s)
{
    uint64_t v = 0;

    memcpy(&v, s.p, s.n < sizeof v ? s.n : sizeof v);
    return __builtin_bswap64(v);
}

static int entries_reserve(build *b, size_t n)
{
    if (n <= b->cap_entries)
        return 0;
    free(b->entries);
    free(b->codes);
    b->entries = calloc(n, sizeof *b->entries);
    b->codes = calloc(n, sizeof *b->codes);
    b->cap_entries = b->entries && b->codes ? n : 0;
    return b->cap_entries ? 0 : xt_error_origin(-ENOMEM);
}

/* All views' entries in stored form. */
static int entries_collect(build *b, xt_field f, size_t *ret_n)
{
    xt_type type = xt_field_find(f)->type;
    size_t n = 0, at = 0, i = 0;

    for (size_t v = 0; v < b->n_views; v++)
        n += b->views[v]->columns[f].n_dict;
    int r = entries_reserve(b, n);
    if (r < 0)
        return xt_error_trace(r);
    xt_buf_reset(&b->stored);
    for (size_t v = 0; v < b->n_views; v++) {
        const xt_open_column *column = &b->views[v]->columns[f];
        b->firsts[v] = i;
        for (uint32_t k = 0; k < column->n_dict; k++, i++) {
            xt_dict_put_stored(&b->stored, type, column->dict[k]);
            b->entries[i].stored.n = b->stored.n - at;
            b->entries[i].place = (uint32_t)i;
            at = b->stored.n;
        }
    }
    if (xt_buf_done(&b->stored) < 0)
        return xt_error_origin(-ENOMEM);
    at = 0;
    for (i = 0; i < n; i++) {
        b->entries[i].stored.p = b->stored.p + at;
        b->entries[i].prefix = prefix_of(b->entries[i].stored);
        at += b->entries[i].stored.n;
    }
    *ret_n = n;
    return 0;
}

/* Makes b->codes; gives the entries to the writer (which may be NULL). */
static int dictionary_make(build *b, xt_field f, xt_segment_writer *writer)
{
    size_t n;
    uint32_t code = 0;
    int r = entries_collect(b, f, &n);

    if (r < 0)
        return xt_error_trace(r);
    if (n > 1)
        qsort(b->entries, n, sizeof *b->entries, entry_order);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !xt_slice_eq(b->entries[i].stored, b->entries[i - 1].stored)) {
            code++;
            if (writer)
                xt_segment_writer_entry(writer, b->entries[i].stored);
        }
        b->codes[b->entries[i].place] = code;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ order of rows */

static bool has_number(const xt_open_column *column, uint32_t row)
{
    return column->kind == XT_COLUMN_NUMBERS && (!column->present || column->present[row / 8] >> row % 8 & 1);
}

static int row_order(const void *a, const void *b)
{
    const row_key *x = a, *y = b;

    if (x->host != y->host)
        return x->host < y->host ? -1 : 1;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    if (x->serial != y->serial)
        return x->serial < y->serial ? -1 : 1;
    if (x->view != y->view)
        return x->view < y->view ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static void keys_make(build *b, uint32_t v, row_key *to)
{
    const xt_open_view *view = b->views[v];
    const xt_open_column *host = &view->columns[XT_F_HOST_ID], *time = &view->columns[XT_F_TIME],
                         *serial = &view->columns[XT_F_SERIAL];

    for (uint32_t row = 0; row < view->n_rows; row++) {
        uint32_t local = host->kind == XT_COLUMN_CODES ? host->codes[row] : 0;
        to[row] = (row_key){
            .time = (has_number(time, row) ? time->numbers[row] : 0) ^ UINT64_C(1) << 63,
            .serial = has_number(serial, row) ? serial->numbers[row] : 0,
            .host = local ? b->codes[b->firsts[v] + local - 1] : 0,
            .row = (uint16_t)row,
            .view = v,
        };
    }
}

static int rows_sort(build *b)
{
    int r = dictionary_make(b, XT_F_HOST_ID, NULL);
    size_t n = 0, i = 1;

    if (r < 0)
        return xt_error_trace(r);
    for (size_t v = 0; v < b->n_views; v++) {
        keys_make(b, (uint32_t)v, b->rows + n);
        n += b->views[v]->n_rows;
    }
    while (i < n && row_order(&b->rows[i - 1], &b->rows[i]) < 0)
        i++;
    if (i < n)
        qsort(b->rows, n, sizeof *b->rows, row_order);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ columns */

static xt_column codes_gather(build *b, xt_field f, const row_key *rows, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const xt_open_column *column = &b->views[rows[i].view]->columns[f];
        uint32_t local = column->kind == XT_COLUMN_CODES ? column->codes[rows[i].row] : 0;
        b->row_codes[i] = local ? b->codes[b->firsts[rows[i].view] + local - 1] : 0;
    }
    return (xt_column){.kind = XT_COLUMN_CODES, .codes = b->row_codes};
}

static xt_column numbers_gather(build *b, xt_field f, const row_key *rows, uint32_t n)
{
    uint32_t n_present = 0;

    memset(b->row_present, 0, (n + 7) / 8);
    for (uint32_t i = 0; i < n; i++) {
        const xt_open_column *column = &b->views[rows[i].view]->columns[f];
        bool has = has_number(column, rows[i].row);
        b->row_numbers[i] = has ? column->numbers[rows[i].row] : 0;
        b->row_present[i / 8] |= (uint8_t)(has << i % 8);
        n_present += has;
    }
    return (xt_column){
        .kind = XT_COLUMN_NUMBERS, .numbers = b->row_numbers, .present = n_present < n ? b->row_present : NULL};
}

static xt_column arrivals_gather(build *b, const row_key *rows, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        b->row_numbers[i] = b->views[rows[i].view]->first_arrival + rows[i].row;
    return (xt_column){.kind = XT_COLUMN_NUMBERS, .numbers = b->row_numbers};
}

static int field_write(build *b, unsigned f, int kind, xt_segment_writer *writer)
{
    uint64_t done = 0;
    int r = 0;

    xt_segment_writer_begin(writer, f);
    if (kind == XT_COLUMN_CODES)
        r = dictionary_make(b, (xt_field)f, writer);
    for (uint32_t g = 0; g < b->n_groups && r == 0; g++) {
        uint32_t n = xt_segment_writer_group_rows(writer, g);
        const row_key *rows = b->rows + done;
        xt_column column = f == XT_SEGMENT_ARRIVAL   ? arrivals_gather(b, rows, n)
                           : kind == XT_COLUMN_CODES ? codes_gather(b, (xt_field)f, rows, n)
                                                     : numbers_gather(b, (xt_field)f, rows, n);
        xt_segment_writer_column(writer, &column);
        done += n;
    }
    return r;
}

/* ABSENT: no view has the field. */
static int kind_of(const build *b, unsigned f)
{
    int kind = XT_COLUMN_ABSENT;

    for (size_t v = 0; v < b->n_views && kind == XT_COLUMN_ABSENT; v++)
        kind = b->views[v]->columns[f].kind;
    return kind;
}

static int fields_write(build *b, xt_segment_writer *writer)
{
    int r = field_write(b, XT_SEGMENT_ARRIVAL, XT_COLUMN_NUMBERS, writer);

    for (unsigned f = 1; f < XT_F_END && r == 0 && !xt_segment_writer_failed(writer); f++) {
        int kind = kind_of(b, f);
        if (kind != XT_COLUMN_ABSENT)
            r = field_write(b, f, kind, writer);
    }
    return r;
}

/* ------------------------------------------------------------------------------------------------ file */

static void build_fini(build *b)
{
    xt_buf_fini(&b->stored);
    free(b->rows);
    free(b->entries);
    free(b->codes);
    free(b->firsts);
    free(b->row_codes);
    free(b->row_numbers);
    free(b->row_present);
}

static int build_init(build *b, xt_open_view *const *views, size_t n)
{
    assert(n > 0);
    *b = (build){.views = views, .n_views = n};
    for (size_t i = 0; i < n; i++)
        b->n_rows += views[i]->n_rows;
    b->n_groups = (uint32_t)((b->n_rows + XT_STORE_GROUP_ROWS - 1) / XT_STORE_GROUP_ROWS);
    b->rows = calloc(b->n_rows + 1, sizeof *b->rows);
    b->firsts = calloc(n, sizeof *b->firsts);
    b->row_codes = calloc(XT_STORE_GROUP_ROWS, sizeof *b->row_codes);
    b->row_numbers = calloc(XT_STORE_GROUP_ROWS, sizeof *b->row_numbers);
    b->row_present = calloc(XT_STORE_GROUP_ROWS / 8, 1);
    if (b->rows && b->firsts && b->row_codes && b->row_numbers && b->row_present)
        return 0;
    build_fini(b);
    return xt_error_origin(-ENOMEM);
}

int xt_segment_write(const xt_vfs *vfs, const char *path, uint64_t id, int64_t made_ms, bool is_small,
                     xt_open_view *const *views, size_t n, xt_segment_info *ret, xt_problem *reterr_problem)
{
    xt_segment_writer *writer = NULL;
    xt_segment_info info;
    build b;
    int r = build_init(&b, views, n);

    if (r < 0)
        return xt_error_trace(r);
    xt_segment_layout layout = {
        .id = id,
        .n_rows = b.n_rows,
        .first_arrival = views[0]->first_arrival,
        .last_arrival = views[n - 1]->first_arrival + views[n - 1]->n_rows - 1,
        .made_ms = made_ms,
        .is_small = is_small,
    };
    r = rows_sort(&b);
    if (r == 0)
        r = xt_segment_writer_open(vfs, path, &layout, &writer, reterr_problem);
    if (r == 0) {
        int written = fields_write(&b, writer);
        r = xt_segment_writer_close(writer, &info, reterr_problem);
        r = written ? written : r;
    }
    build_fini(&b);
    if (r == 0)
        *ret = info;
    return r;
}

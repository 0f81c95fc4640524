/*
 * A segment from open views. What is open is in memory, so that sealing can sort: first the rows by (host id, time,
 * serial), then for each field the distinct values of all views into one dictionary, by their stored form. Then row
 * group by row group each column is gathered in the order of the rows, with the views' codes turned into the
 * dictionary's.
 *
 * Fields of numbers are compared with each other (segment_writer.c), those of codes are not: threads may share them, the one
 * with the most text first. Each has what it works with, and the rows and views in common, which nobody changes.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "store/dict_form.h"
#include "store/segment_build.h"
#include "store/segment_format.h"

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
    const uint64_t *const *left_out; /* by view: a bit a row that is not wanted; NULL: all are */
    uint64_t n_rows;
    row_key *rows; /* in the order of the file */
    uint32_t n_groups;

    xt_buf stored;
    merging_entry *entries;
    uint8_t *used;   /* by entry of the view at hand: a row that is wanted has it */
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
    free(b->used);
    b->entries = calloc(n, sizeof *b->entries);
    b->codes = calloc(n, sizeof *b->codes);
    b->used = calloc(n, 1);
    b->cap_entries = b->entries && b->codes && b->used ? n : 0;
    return b->cap_entries ? 0 : xt_error_origin(-ENOMEM);
}

static bool is_left_out(const build *b, size_t v, uint32_t row)
{
    return b->left_out && b->left_out[v] && (b->left_out[v][row / 64] >> row % 64 & 1);
}

/* A value that only rows have which are left out does not go into the dictionary. */
static void used_note(build *b, size_t v, const xt_open_column *column)
{
    bool all = !b->left_out || !b->left_out[v];

    if (column->n_dict == 0)
        return;
    memset(b->used, all, column->n_dict);
    for (uint32_t row = 0; !all && row < b->views[v]->n_rows; row++)
        if (column->codes[row] && !is_left_out(b, v, row))
            b->used[column->codes[row] - 1] = 1;
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
    n = 0;
    for (size_t v = 0; v < b->n_views; v++) {
        const xt_open_column *column = &b->views[v]->columns[f];
        b->firsts[v] = i;
        used_note(b, v, column);
        for (uint32_t k = 0; k < column->n_dict; k++, i++) {
            if (!b->used[k])
                continue;
            xt_dict_put_stored(&b->stored, type, column->dict[k]);
            b->entries[n].stored.n = b->stored.n - at;
            b->entries[n++].place = (uint32_t)i;
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

/* How many there are. */
static size_t keys_make(build *b, uint32_t v, row_key *to)
{
    const xt_open_view *view = b->views[v];
    const xt_open_column *host = &view->columns[XT_F_HOST_ID], *time = &view->columns[XT_F_TIME],
                         *serial = &view->columns[XT_F_SERIAL];

    size_t n = 0;
    for (uint32_t row = 0; row < view->n_rows; row++) {
        if (is_left_out(b, v, row))
            continue;
        uint32_t local = host->kind == XT_COLUMN_CODES ? host->codes[row] : 0;
        to[n++] = (row_key){
            .time = (has_number(time, row) ? time->numbers[row] : 0) ^ UINT64_C(1) << 63,
            .serial = has_number(serial, row) ? serial->numbers[row] : 0,
            .host = local ? b->codes[b->firsts[v] + local - 1] : 0,
            .row = (uint16_t)row,
            .view = v,
        };
    }
    return n;
}

static int rows_sort(build *b)
{
    int r = dictionary_make(b, XT_F_HOST_ID, NULL);
    size_t n = 0, i = 1;

    if (r < 0)
        return xt_error_trace(r);
    for (size_t v = 0; v < b->n_views; v++)
        n += keys_make(b, (uint32_t)v, b->rows + n);
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

static int numbers_write_all(build *b, xt_segment_writer *writer)
{
    int r = 0;

    for (unsigned f = 1; f < XT_F_END && r == 0 && !xt_segment_writer_failed(writer); f++)
        if (kind_of(b, f) == XT_COLUMN_NUMBERS)
            r = field_write(b, f, XT_COLUMN_NUMBERS, writer);
    return r;
}

/* ------------------------------------------------------------------------------------------------ file */

static void scratch_fini(build *b)
{
    xt_buf_fini(&b->stored);
    free(b->entries);
    free(b->codes);
    free(b->used);
    free(b->firsts);
    free(b->row_codes);
    free(b->row_numbers);
    free(b->row_present);
}

static void build_fini(build *b)
{
    scratch_fini(b);
    free(b->rows);
}

static int scratch_init(build *b)
{
    b->firsts = calloc(b->n_views, sizeof *b->firsts);
    b->row_codes = calloc(XT_STORE_GROUP_ROWS, sizeof *b->row_codes);
    b->row_numbers = calloc(XT_STORE_GROUP_ROWS, sizeof *b->row_numbers);
    b->row_present = calloc(XT_STORE_GROUP_ROWS / 8, 1);
    return b->firsts && b->row_codes && b->row_numbers && b->row_present ? 0 : xt_error_origin(-ENOMEM);
}

static uint64_t rows_count(const build *b)
{
    uint64_t n = 0;

    for (size_t v = 0; v < b->n_views; v++)
        for (uint32_t row = 0; row < b->views[v]->n_rows; row++)
            n += !is_left_out(b, v, row);
    return n;
}

static int build_init(build *b, xt_open_view *const *views, size_t n, const uint64_t *const *left_out)
{
    assert(n > 0);
    *b = (build){.views = views, .n_views = n, .left_out = left_out};
    b->n_rows = rows_count(b);
    b->n_groups = (uint32_t)((b->n_rows + XT_STORE_GROUP_ROWS - 1) / XT_STORE_GROUP_ROWS);
    int r = scratch_init(b);
    b->rows = calloc(b->n_rows + 1, sizeof *b->rows);
    if (r == 0 && b->rows)
        return 0;
    build_fini(b);
    return xt_error_origin(-ENOMEM);
}

/* ------------------------------------------------------------------------------------------------ threads */

/* A field of codes, to be written by whoever takes it. */
typedef struct code_field {
    unsigned id;
    uint64_t n_bytes; /* of distinct values in the views */
    xt_segment_piece piece;
} code_field;

typedef struct sharing {
    build common; /* what the threads have in common, and no memory to work with */
    const xt_segment_writer *whole;
    code_field fields[XT_F_END];
    unsigned order[XT_F_END]; /* of fields, the greatest first */
    unsigned n;
    atomic_uint n_taken;
    atomic_int failure;
} sharing;

static uint64_t text_bytes(const build *b, unsigned f)
{
    uint64_t n = 0;

    for (size_t v = 0; v < b->n_views; v++)
        for (uint32_t i = 0; i < b->views[v]->columns[f].n_dict; i++)
            n += b->views[v]->columns[f].dict[i].n + 1;
    return n;
}

static void sharing_init(sharing *s, const build *b, const xt_segment_writer *whole)
{
    s->common = (build){.views = b->views,
                        .n_views = b->n_views,
                        .left_out = b->left_out,
                        .n_rows = b->n_rows,
                        .rows = b->rows,
                        .n_groups = b->n_groups};
    s->whole = whole;
    for (unsigned f = 1; f < XT_F_END; f++) {
        if (kind_of(b, f) != XT_COLUMN_CODES)
            continue;
        unsigned at = s->n;
        s->fields[s->n] = (code_field){.id = f, .n_bytes = text_bytes(b, f)};
        for (; at > 0 && s->fields[s->order[at - 1]].n_bytes < s->fields[s->n].n_bytes; at--)
            s->order[at] = s->order[at - 1];
        s->order[at] = s->n++;
    }
}

/* Writes fields until all are taken. */
static int share_write(sharing *s, build *mine)
{
    xt_segment_writer *part = xt_segment_writer_part(s->whole);
    unsigned i;
    int r = part ? 0 : xt_error_origin(-ENOMEM);

    while (r == 0 && (i = atomic_fetch_add(&s->n_taken, 1)) < s->n) {
        code_field *field = &s->fields[s->order[i]];
        r = field_write(mine, field->id, XT_COLUMN_CODES, part);
        xt_segment_writer_take(part, &field->piece);
    }
    xt_segment_writer_abort(part);
    return r;
}

static void *share_run(void *context)
{
    sharing *s = context;
    build mine = s->common;
    int r = scratch_init(&mine);

    if (r == 0)
        r = share_write(s, &mine);
    if (r < 0)
        atomic_store(&s->failure, r);
    scratch_fini(&mine);
    return NULL;
}

/* Fields of numbers by this thread; those of codes by all: a thread that cannot be begun is not missed. */
static int fields_share(build *b, sharing *s, unsigned n_threads, xt_segment_writer *writer)
{
    pthread_t threads[XT_SEGMENT_BUILD_MAX_THREADS];
    unsigned n = 0;

    while (n + 1 < n_threads && n < XT_SEGMENT_BUILD_MAX_THREADS &&
           pthread_create(&threads[n], NULL, share_run, s) == 0)
        n++;
    int r = numbers_write_all(b, writer);
    if (r == 0)
        r = share_write(s, b);
    while (n > 0)
        pthread_join(threads[--n], NULL);
    r = r ? r : atomic_load(&s->failure);
    for (unsigned i = 0; i < s->n; i++) {
        if (r == 0)
            xt_segment_writer_put(writer, &s->fields[i].piece);
        xt_segment_piece_fini(&s->fields[i].piece);
    }
    return r;
}

static int fields_write(build *b, unsigned n_threads, xt_segment_writer *writer)
{
    sharing *s = calloc(1, sizeof *s);
    int r = s ? 0 : xt_error_origin(-ENOMEM);

    if (r == 0) {
        sharing_init(s, b, writer);
        r = fields_share(b, s, n_threads, writer);
    }
    free(s);
    return r;
}

int xt_segment_build(const xt_vfs *vfs, const char *path, const xt_segment_layout *layout, xt_open_view *const *views,
                     size_t n, const uint64_t *const *left_out, unsigned n_threads, xt_segment_writer **ret,
                     xt_problem *reterr_problem)
{
    xt_segment_layout whole = *layout;
    build b;
    int r = build_init(&b, views, n, left_out);

    if (r < 0)
        return xt_error_trace(r);
    whole.n_rows = b.n_rows;
    r = rows_sort(&b);
    if (r == 0)
        r = xt_segment_writer_open(vfs, path, &whole, ret, reterr_problem);
    if (r == 0) {
        r = whole.level == 0 ? field_write(&b, XT_SEGMENT_ARRIVAL, XT_COLUMN_NUMBERS, *ret) : 0;
        if (r == 0)
            r = fields_write(&b, n_threads, *ret);
        if (r < 0)
            *ret = xt_segment_writer_abort(*ret);
    }
    build_fini(&b);
    return r;
}

int xt_segment_write(const xt_vfs *vfs, const char *path, uint64_t id, int64_t made_ms, bool is_small,
                     xt_open_view *const *views, size_t n, xt_segment_info *ret, xt_problem *reterr_problem)
{
    xt_segment_writer *writer = NULL;
    xt_segment_layout layout = {
        .id = id,
        .first_arrival = views[0]->first_arrival,
        .last_arrival = views[n - 1]->first_arrival + views[n - 1]->n_rows - 1,
        .made_ms = made_ms,
        .is_small = is_small,
    };
    int r = xt_segment_build(vfs, path, &layout, views, n, NULL, 1, &writer, reterr_problem);

    return r == 0 ? xt_segment_writer_close(writer, ret, reterr_problem) : r;
}

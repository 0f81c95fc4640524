/*
 * Rows as events, for who wants whole events rather than columns: one by one, all of a scan, the one with an id.
 */
#include <errno.h>

#include "store/scan_cells.h"

/* The code of a text in its dictionary, or the number; false: the row has none. */
typedef struct cell {
    const xt_dict *dict; /* NULL: a number */
    uint64_t number;
    uint32_t code;
} cell;

static bool cell_of_column(const xt_column *column, uint32_t row, cell *ret)
{
    if (column->kind == XT_COLUMN_NUMBERS) {
        *ret = (cell){.number = column->numbers[row]};
        return !column->present || column->present[row / 8] >> row % 8 & 1;
    }
    uint32_t local = column->kind == XT_COLUMN_CODES ? column->codes[row] : 0;
    if (local)
        *ret = (cell){.dict = column->dict, .code = column->values ? column->values[local - 1] : local - 1};
    return local != 0;
}

static bool cell_of_few(const xt_cells *cells, size_t place, cell *ret)
{
    if (cells->numbers) {
        *ret = (cell){.number = cells->numbers[place]};
        return !cells->present || cells->present[place];
    }
    uint32_t code = cells->codes ? cells->codes[place] : 0;
    *ret = (cell){.dict = cells->dict, .code = code - 1};
    return code != 0;
}

static int cell_get(xt_scan_reader *reader, xt_field field, uint32_t row, cell *ret, bool *ret_has, xt_problem *problem)
{
    const xt_column *column;
    const xt_cells *cells;
    int r = xt_scan_cells(reader, field, &cells, problem);

    if (r == 0 && cells) {
        *ret_has = cell_of_few(cells, xt_scan_place_of(reader, row), ret);
        return 0;
    }
    if (r == 0)
        r = xt_scan_column(reader, field, &column, problem);
    if (r == 0)
        *ret_has = cell_of_column(column, row, ret);
    return r;
}

int xt_scan_event(xt_scan_reader *reader, uint32_t row, xt_field_set fields, xt_arena *arena, xt_event *ret,
                  xt_problem *reterr_problem)
{
    xt_slice bytes;
    cell found;
    bool has;

    xt_event_reset(ret);
    for (unsigned f = 1; f < XT_F_END; f++) {
        const xt_field_info *info = xt_field_set_has(&fields, (xt_field)f) ? xt_field_find(f) : NULL;
        if (!info || info->flags & XT_VIRTUAL)
            continue;
        int r = cell_get(reader, (xt_field)f, row, &found, &has, reterr_problem);
        if (r == 0 && has && found.dict)
            r = xt_dict_entry(reader, found.dict, found.code, arena, &bytes, reterr_problem);
        if (r)
            return r;
        if (has && found.dict)
            xt_event_set_bytes(ret, (xt_field)f, bytes);
        else if (has)
            xt_event_set_num(ret, (xt_field)f, found.number);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ all rows */

/* What goes through the rows of a scan. */
typedef struct row_run {
    const xt_scan_spec *spec;
    xt_scan *scan;
    xt_scan_reader *reader;
    xt_arena arena; /* of one row */
    xt_problem *problem;
} row_run;

static int row_run_open(row_run *run, xt_store *store)
{
    xt_arena_init(&run->arena, SIZE_MAX);
    int r = xt_scan_open(store, run->spec, &run->scan, run->problem);
    if (r == 0)
        run->reader = xt_scan_reader_new(run->scan);
    return r == 0 && !run->reader ? xt_error_origin(-ENOMEM) : xt_error_trace(r);
}

static void row_run_close(row_run *run)
{
    xt_scan_reader_free(run->reader);
    xt_scan_close(run->scan);
    xt_arena_fini(&run->arena);
}

static bool is_in_time(const xt_scan_spec *spec, const xt_column *times, uint32_t row)
{
    int64_t t = times->kind == XT_COLUMN_NUMBERS ? (int64_t)times->numbers[row] : 0;

    return (spec->from_ms <= 0 || t >= spec->from_ms) && (spec->to_ms >= XT_TIMESTAMP_MAX_MS || t <= spec->to_ms);
}

typedef struct each {
    row_run run;
    xt_field_set fields;
    int (*on_row)(void *context, const xt_event *event, uint64_t arrival);
    void *context;
} each;

static int each_row(each *e, uint32_t row, uint64_t arrival, bool *ret_stopped)
{
    xt_event event;

    xt_arena_reset(&e->run.arena);
    int r = xt_scan_event(e->run.reader, row, e->fields, &e->run.arena, &event, NULL);
    if (r)
        return r;
    r = e->on_row(e->context, &event, arrival);
    *ret_stopped = r != 0;
    return r < 0 ? r : 0;
}

static int each_part(each *e, size_t part, bool *ret_stopped)
{
    xt_scan_reader *reader = e->run.reader;
    const xt_scan_spec *spec = e->run.spec;
    const uint64_t *arrivals;
    const xt_column *times;

    xt_scan_reader_begin(reader, part);
    const xt_zone *zone = xt_scan_reader_zone(reader);
    int r = xt_scan_column(reader, XT_F_TIME, &times, NULL);
    if (r == 0)
        r = xt_scan_arrivals(reader, &arrivals, NULL);
    for (uint32_t row = 0; r == 0 && row < zone->n_rows && !*ret_stopped; row++) {
        uint64_t arrival = arrivals ? arrivals[row] : zone->first_arrival;
        bool is_old = arrivals && arrival <= spec->after_arrival;
        if (!is_old && is_in_time(spec, times, row))
            r = each_row(e, row, arrival, ret_stopped);
    }
    return r;
}

int xt_scan_each(xt_store *store, const xt_scan_spec *spec, xt_field_set fields,
                 int (*on_row)(void *context, const xt_event *event, uint64_t arrival), void *context,
                 xt_scan_info *ret_info, xt_problem *reterr_problem)
{
    each e = {.run = {.spec = spec, .problem = reterr_problem}, .fields = fields, .on_row = on_row, .context = context};
    bool stopped = false;
    int r = row_run_open(&e.run, store);

    for (size_t i = 0; r == 0 && !stopped && i < xt_scan_parts(e.run.scan); i++) {
        r = each_part(&e, i, &stopped);
        r = r == XT_SCAN_E_DAMAGED ? 0 : r; /* the scan names it */
    }
    if (r == 0 && ret_info)
        *ret_info = xt_scan_info_get(e.run.scan);
    row_run_close(&e.run);
    return xt_error_trace(r);
}

/* ------------------------------------------------------------------------------------------------ one event */

typedef struct wanted_event {
    xt_hash128 id;
    char text[33]; /* id in hex, as EVENT_ID holds it where it is stored */
} wanted_event;

static bool event_is(const xt_event *event, const wanted_event *wanted)
{
    if (xt_event_has(event, XT_F_EVENT_ID))
        return xt_slice_eq_nocase(xt_event_bytes(event, XT_F_EVENT_ID), xt_slice_of(wanted->text, 32));
    if (!xt_event_has(event, XT_F_SERIAL))
        return false;
    return xt_hash128_eq(wanted->id,
                         xt_event_id_of(xt_event_bytes(event, XT_F_HOST_ID), (int64_t)xt_event_num(event, XT_F_TIME, 0),
                                        (uint32_t)xt_event_num(event, XT_F_SERIAL, 0)));
}

/* Looks in one part, by the few fields that an id is made of; the row found, with all fields, goes to the arena. */
static int part_find(row_run *run, size_t part, const wanted_event *wanted, xt_arena *arena, xt_event *ret,
                     bool *ret_found)
{
    static const xt_field fields[] = {XT_F_TIME, XT_F_SERIAL, XT_F_HOST_ID, XT_F_EVENT_ID};
    const xt_column *times;
    xt_field_set few = {{0, 0}};
    xt_event event;

    for (size_t i = 0; i < XT_COUNT_OF(fields); i++)
        xt_field_set_add(&few, fields[i]);
    xt_scan_reader_begin(run->reader, part);
    int r = xt_scan_column(run->reader, XT_F_TIME, &times, NULL);
    for (uint32_t row = xt_scan_reader_zone(run->reader)->n_rows; r == 0 && row-- > 0 && !*ret_found;) {
        if (!is_in_time(run->spec, times, row))
            continue;
        xt_arena_reset(&run->arena);
        r = xt_scan_event(run->reader, row, few, &run->arena, &event, NULL);
        if (r || !event_is(&event, wanted))
            continue;
        r = xt_scan_event(run->reader, row, (xt_field_set){{UINT64_MAX, UINT64_MAX}}, arena, &event, NULL);
        if (r == 0) {
            *ret = event;
            *ret_found = true;
        }
    }
    return r;
}

static int find_in(xt_store *store, const xt_scan_spec *spec, const wanted_event *wanted, xt_arena *arena,
                   xt_event *ret, bool *ret_found, xt_problem *problem)
{
    row_run run = {.spec = spec, .problem = problem};
    int r = row_run_open(&run, store);

    for (size_t i = 0; r == 0 && !*ret_found && i < xt_scan_parts(run.scan); i++) {
        r = part_find(&run, i, wanted, arena, ret, ret_found);
        r = r == XT_SCAN_E_DAMAGED ? 0 : r;
    }
    row_run_close(&run);
    return xt_error_trace(r);
}

int xt_store_event_find(xt_store *store, xt_hash128 id, int64_t time_hint_ms, xt_arena *arena, xt_event *ret,
                        bool *ret_found, xt_problem *reterr_problem)
{
    xt_scan_spec hinted = {.from_ms = time_hint_ms, .to_ms = time_hint_ms}, all = {.to_ms = XT_TIMESTAMP_MAX_MS};
    wanted_event wanted = {.id = id};
    bool found = false;
    xt_event event;
    int r = 0;

    xt_hash128_format(id, wanted.text);
    if (time_hint_ms > 0)
        r = find_in(store, &hinted, &wanted, arena, &event, &found, reterr_problem);
    if (r == 0 && !found)
        r = find_in(store, &all, &wanted, arena, &event, &found, reterr_problem);
    if (r)
        return xt_error_trace(r);
    if (found)
        *ret = event;
    *ret_found = found;
    return 0;
}

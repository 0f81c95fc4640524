/*
 * The execs are sorted by serial; of each part only the rows of action `exited` are looked at, of these the serial, and of those that
 * fit the id, which is text and dear. Most processes end soon, so the second and longer look is seldom taken for few.
 */
#include "query/ends.h"

#include <errno.h>
#include <stdlib.h>

#include "query/walk.h"

#define SOON_MS (INT64_C(3600) * 1000)

typedef struct search {
    xt_end *ends;
    size_t n, n_found;
} search;

/* Of ids that servers hand out: short, and equal only with those that are. */
static xt_hash128 host_of(const xt_event *event)
{
    return xt_slice_hash128(xt_event_bytes(event, XT_F_HOST_ID));
}

bool xt_end_init(xt_end *end, const xt_event *event)
{
    *end = (xt_end){.host = host_of(event),
                    .time_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0),
                    .serial = (uint32_t)xt_event_num(event, XT_F_SERIAL, 0)};
    return xt_event_has(event, XT_F_SERIAL) && xt_slice_eq(xt_event_bytes(event, XT_F_ACTION), XT_S("executed")) &&
           xt_slice_eq(xt_event_bytes(event, XT_F_OUTCOME), XT_S("success")) &&
           xt_hash128_parse(xt_event_bytes(event, XT_F_EVENT_ID), &end->of);
}

xt_field_set xt_end_fields(void)
{
    static const xt_field fields[] = {XT_F_TIME, XT_F_SERIAL, XT_F_ACTION, XT_F_OUTCOME, XT_F_HOST_ID, XT_F_EVENT_ID};
    xt_field_set set = {{0, 0}};

    for (size_t i = 0; i < XT_COUNT_OF(fields); i++)
        xt_field_set_add(&set, fields[i]);
    return set;
}

static int by_serial(const void *a, const void *b)
{
    const xt_end *x = a, *y = b;

    return x->serial < y->serial ? -1 : x->serial > y->serial;
}

/* The first of that serial; n: none. */
static size_t first_of(const xt_end *ends, size_t n, uint32_t serial)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ends[middle].serial < serial)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && ends[low].serial == serial ? low : n;
}

static void keep(search *s, size_t first, const xt_event *exited)
{
    xt_hash128 of, host = host_of(exited);

    if (!xt_hash128_parse(xt_event_bytes(exited, XT_F_OF), &of))
        return;
    for (size_t i = first; i < s->n && s->ends[i].serial == s->ends[first].serial; i++) {
        xt_end *end = &s->ends[i];
        if (end->found || !xt_hash128_eq(end->of, of) || !xt_hash128_eq(end->host, host))
            continue;
        end->found = true;
        end->has_code = xt_event_has(exited, XT_F_EXIT_CODE);
        end->code = xt_event_num(exited, XT_F_EXIT_CODE, 0);
        end->has_duration = xt_event_has(exited, XT_F_DURATION);
        end->duration_ns = xt_event_num(exited, XT_F_DURATION, 0);
        end->has_signal = xt_event_has(exited, XT_F_SIGNAL);
        end->signal = xt_event_num(exited, XT_F_SIGNAL, 0);
        s->n_found++;
    }
}

static int each_part(void *state, const xt_walk_part *part)
{
    static const xt_field fields[] = {XT_F_HOST_ID, XT_F_OF, XT_F_EXIT_CODE, XT_F_DURATION, XT_F_SIGNAL};
    search *s = state;
    xt_field_set wanted = {{0, 0}};
    const xt_column *serials;
    xt_walk_rows rows = xt_walk_rows_of(part);
    xt_event event;
    uint32_t row;
    int r = xt_walk_column(part, XT_F_SERIAL, &serials);

    for (size_t i = 0; i < XT_COUNT_OF(fields); i++)
        xt_field_set_add(&wanted, fields[i]);
    while (r == 0 && serials && xt_walk_rows_next(&rows, &row)) {
        if (!xt_column_has(serials, row))
            continue;
        size_t first = first_of(s->ends, s->n, (uint32_t)serials->numbers[row]);
        if (first == s->n)
            continue;
        r = xt_scan_event(part->reader, row, wanted, part->arena, &event, part->problem);
        if (r == 0)
            keep(s, first, &event);
    }
    return r;
}

static int look(xt_store *store, search *s, const xt_query *query, xt_problem *reterr_problem)
{
    xt_walk walk = {.store = store, .query = query, .from_ms = query->from_ms, .to_ms = query->to_ms};
    void *states[] = {s};
    int r = xt_walk_open(&walk, reterr_problem);

    if (r == 0)
        r = xt_walk_run(&walk, each_part, states, reterr_problem);
    xt_walk_close(&walk, NULL);
    return r;
}

int xt_ends_find(xt_store *store, xt_end *ends, size_t n, const atomic_bool *cancel, xt_problem *reterr_problem)
{
    search s = {.ends = ends, .n = n};
    xt_filter *filter = NULL;
    xt_query query = {.from_ms = INT64_MAX, .cancel = cancel, .n_threads = 1};
    int64_t last_ms = 0;

    if (n == 0)
        return 0;
    qsort(ends, n, sizeof *ends, by_serial);
    for (size_t i = 0; i < n; i++) {
        query.from_ms = ends[i].time_ms < query.from_ms ? ends[i].time_ms : query.from_ms;
        last_ms = ends[i].time_ms > last_ms ? ends[i].time_ms : last_ms;
    }
    int r = xt_filter_compile(XT_S("action:exited"), 0, &filter, reterr_problem);
    if (r)
        return r > 0 ? xt_error_origin(-EINVAL) : xt_error_trace(r);
    query.filter = filter;
    query.to_ms = last_ms + SOON_MS;
    r = look(store, &s, &query, reterr_problem);
    if (r == 0 && s.n_found < n) {
        query.from_ms = query.to_ms + 1;
        query.to_ms = last_ms + XT_ENDS_MS;
        r = look(store, &s, &query, reterr_problem);
    }
    xt_filter_free(filter);
    return r;
}

const xt_end *xt_ends_of(const xt_end *ends, size_t n, xt_hash128 of, uint32_t serial)
{
    for (size_t i = first_of(ends, n, serial); i < n && ends[i].serial == serial; i++)
        if (ends[i].found && xt_hash128_eq(ends[i].of, of))
            return &ends[i];
    return NULL;
}

void xt_end_apply(const xt_end *end, xt_event *event)
{
    if (end->has_code)
        xt_event_set_num(event, XT_F_EXIT_CODE, end->code);
    if (end->has_duration)
        xt_event_set_num(event, XT_F_DURATION, end->duration_ns);
    if (end->has_signal)
        xt_event_set_num(event, XT_F_SIGNAL, end->signal);
}

bool xt_ends_are_asked(const xt_field_set *fields)
{
    static const xt_field of_ends[] = {XT_F_ACTION,   XT_F_OF,     XT_F_EXIT_CODE,
                                       XT_F_DURATION, XT_F_SIGNAL, XT_F_EVENT_TYPE};

    for (size_t i = 0; i < XT_COUNT_OF(of_ends); i++)
        if (xt_field_set_has(fields, of_ends[i]))
            return true;
    return false;
}

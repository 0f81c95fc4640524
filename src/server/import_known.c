/*
 * One scan over the batch's own span of time: a log is nearly sorted, so blocks of other times are skipped unread, and an
 * import into an empty store scans nothing.
 */
#include "server/import_known.h"

#include <errno.h>

#include "base/map.h"

int xt_import_event_id(const xt_event *event, xt_hash128 *ret)
{
    if (xt_event_has(event, XT_F_EVENT_ID) && xt_hash128_parse(xt_event_bytes(event, XT_F_EVENT_ID), ret))
        return 0;
    *ret = xt_event_id_of(xt_event_bytes(event, XT_F_HOST_ID), (int64_t)xt_event_num(event, XT_F_TIME, 0),
                          (uint32_t)xt_event_num(event, XT_F_SERIAL, 0));
    return 0;
}

static int fill(xt_map *map, xt_import_event *events, size_t n, xt_scan_spec *spec)
{
    spec->from_ms = INT64_MAX;
    spec->to_ms = INT64_MIN;
    for (size_t i = 0; i < n; i++) {
        xt_slice key = xt_slice_of(events[i].id.b, sizeof events[i].id.b);
        spec->from_ms = events[i].time_ms < spec->from_ms ? events[i].time_ms : spec->from_ms;
        spec->to_ms = events[i].time_ms > spec->to_ms ? events[i].time_ms : spec->to_ms;
        int r = xt_map_find(map, key) ? 0 : xt_map_put(map, key, &events[i], NULL);
        if (r)
            return xt_error_trace(r);
    }
    return 0;
}

typedef struct marking {
    const xt_map *map;
    uint64_t arrival; /* what came later is not meant */
} marking;

static int mark(void *context, const xt_event *event, uint64_t arrival)
{
    const marking *m = context;
    xt_hash128 id;

    if (arrival > m->arrival)
        return 0;
    int r = xt_import_event_id(event, &id);
    xt_import_event *found = r ? NULL : xt_map_find(m->map, xt_slice_of(id.b, sizeof id.b));
    if (found)
        found->known = true;
    return xt_error_trace(r);
}

/* Twins of one id are known together; the map holds the first of them. */
static size_t spread(const xt_map *map, xt_import_event *events, size_t n)
{
    size_t n_known = 0;

    for (size_t i = 0; i < n; i++) {
        const xt_import_event *first = xt_map_find(map, xt_slice_of(events[i].id.b, sizeof events[i].id.b));
        events[i].known = first->known;
        n_known += events[i].known;
    }
    return n_known;
}

int xt_import_mark_known(xt_store *store, uint64_t arrival, xt_import_event *events, size_t n, size_t *ret_n,
                         xt_problem *reterr_problem)
{
    static const xt_field fields[] = {XT_F_TIME, XT_F_SERIAL, XT_F_EVENT_ID, XT_F_HOST_ID};
    XT_CLEANUP(xt_map_fini) xt_map map = XT_MAP_INIT;
    xt_scan_spec spec = {0};
    xt_field_set wanted = {{0, 0}};
    marking m = {&map, arrival};
    int r;

    *ret_n = 0;
    if (!arrival || !n)
        return 0;
    for (size_t i = 0; i < XT_COUNT_OF(fields); i++)
        xt_field_set_add(&wanted, fields[i]);
    r = fill(&map, events, n, &spec);
    if (r == 0)
        r = xt_error_fold(xt_scan_each(store, &spec, wanted, mark, &m, NULL, reterr_problem));
    if (r)
        return xt_error_trace(r);
    *ret_n = spread(&map, events, n);
    return 0;
}

/* The map holds the first of each id. */
static int first_put(xt_map *map, xt_import_event *event)
{
    xt_slice key = xt_slice_of(event->id.b, sizeof event->id.b);

    return xt_map_find(map, key) ? 0 : xt_error_trace(xt_map_put(map, key, event, NULL));
}

int xt_import_mark_repeated(xt_import_event *before, size_t n_before, xt_import_event *events, size_t n)
{
    XT_CLEANUP(xt_map_fini) xt_map map = XT_MAP_INIT;
    int r = 0;

    for (size_t i = 0; i < n_before && r == 0; i++)
        r = first_put(&map, &before[i]);
    for (size_t i = 0; i < n && r == 0; i++) {
        r = first_put(&map, &events[i]);
        const xt_import_event *first =
            r == 0 ? xt_map_find(&map, xt_slice_of(events[i].id.b, sizeof events[i].id.b)) : NULL;
        events[i].known |= first && first->file < events[i].file;
    }
    return xt_error_trace(r);
}

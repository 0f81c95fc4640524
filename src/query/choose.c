/* A filter after the other over all parts; of a part that the zone or its distinct values exclude no rows are read. */
#include "query/choose.h"

#include <errno.h>
#include <string.h>

#include "query/filter.h"

#define PART_MAX_BYTES (256u << 20)

typedef struct choosing {
    const xt_filter *filter;
    xt_matches *matches;
    xt_scan_reader *reader;
    xt_arena arena;
    xt_problem *problem;
} choosing;

static int part_choose(choosing *c, const xt_zone *zone, size_t part, uint64_t *mask)
{
    size_t n_words = (zone->n_rows + 63) / 64;
    bool may = true;

    xt_arena_reset(&c->arena);
    xt_scan_reader_begin(c->reader, part);
    uint64_t *rows = xt_arena_alloc(&c->arena, n_words * sizeof *rows);
    if (!rows)
        return xt_error_origin(-ENOMEM);
    int r = xt_filter_run_values(c->filter, c->matches, c->reader, &c->arena, &may, c->problem);
    if (r || !may)
        return r;
    memset(rows, 0xff, n_words * sizeof *rows);
    if (zone->n_rows % 64)
        rows[n_words - 1] = (UINT64_C(1) << zone->n_rows % 64) - 1;
    r = xt_filter_run(c->filter, c->matches, c->reader, &c->arena, rows, c->problem);
    for (size_t w = 0; w < n_words && r == 0; w++)
        mask[w] |= rows[w];
    return r;
}

static int filter_choose(choosing *c, const xt_filter *filter, xt_scan *scan, uint64_t *const *masks)
{
    uint64_t gave_up = xt_filter_gave_up(filter);
    int r = xt_matches_new(xt_scan_sources(scan), filter->n_leaves, NULL, NULL, &c->matches);

    c->filter = filter;
    for (size_t i = 0; i < xt_scan_parts(scan) && r == 0; i++)
        if (xt_filter_may_match(filter, xt_scan_zone(scan, i)))
            r = part_choose(c, xt_scan_zone(scan, i), i, masks[i]);
    c->matches = xt_matches_free(c->matches);
    if (r == 0 && xt_filter_gave_up(filter) != gave_up) {
        xt_problem_set(c->problem, "an expression needs too many steps on some value: nobody can tell what it matches");
        r = XT_SCAN_E_DAMAGED;
    }
    return r;
}

int xt_filters_choose(xt_filter *const *filters, size_t n, xt_scan *scan, uint64_t *const *masks,
                      xt_problem *reterr_problem)
{
    choosing c = {.reader = xt_scan_reader_new(scan), .problem = reterr_problem};
    int r = c.reader ? 0 : xt_error_origin(-ENOMEM);

    xt_arena_init(&c.arena, PART_MAX_BYTES);
    for (size_t i = 0; i < n && r == 0; i++)
        r = filter_choose(&c, filters[i], scan, masks);
    xt_arena_fini(&c.arena);
    xt_scan_reader_free(c.reader);
    return r;
}

/*
 * A store in memory for tests of queries: events in arrival order, cut into blocks of any size, so that blocks overlap
 * in time as badly as the test likes. It stands in for store_scan.c: same functions, same promises.
 */
#pragma once
#include "unit/query/query_fixture.h"

struct xt_store {
    const xt_event *events;
    uint32_t n;
    const uint32_t *block_ends; /* ascending, the last is n */
    uint32_t n_blocks;
    unsigned n_scans, n_read; /* how often scans were opened, blocks read */
    uint32_t damaged;         /* this block (from 1) cannot be read with ARGS */
};

struct xt_scan {
    xt_store *store;
    xt_scan_spec spec;
    uint32_t order[512], n, next;
    xt_arena arena;
    xt_block block;
    xt_scan_info info;
};

static UNUSED uint32_t fake_begin(const xt_store *store, uint32_t b)
{
    return b ? store->block_ends[b - 1] : 0;
}

static UNUSED void fake_times(const xt_store *store, uint32_t b, int64_t *min_ms, int64_t *max_ms)
{
    *min_ms = INT64_MAX;
    *max_ms = INT64_MIN;
    for (uint32_t i = fake_begin(store, b); i < store->block_ends[b]; i++) {
        int64_t t = (int64_t)store->events[i].values[XT_F_TIME].num;
        *min_ms = t < *min_ms ? t : *min_ms;
        *max_ms = t > *max_ms ? t : *max_ms;
    }
}

static UNUSED int fake_order(const void *a, const void *b, void *store)
{
    int64_t min, x, y;

    fake_times(store, *(const uint32_t *)a, &min, &x);
    fake_times(store, *(const uint32_t *)b, &min, &y);
    return (x < y) - (x > y);
}

int xt_scan_open(xt_store *store, const xt_scan_spec *spec, xt_scan **ret, xt_problem *reterr_problem)
{
    xt_scan *scan = calloc(1, sizeof *scan);

    scan->store = store;
    scan->spec = *spec;
    xt_arena_init(&scan->arena, 64 << 20);
    for (uint32_t b = 0; b < store->n_blocks; b++)
        scan->order[scan->n++] = b;
    qsort_r(scan->order, scan->n, sizeof scan->order[0], fake_order, store);
    scan->info.last_arrival = store->n;
    store->n_scans++;
    *ret = scan;
    return 0;
}

int xt_scan_next(xt_scan *scan, const xt_block **ret, xt_problem *reterr_problem)
{
    const xt_store *store = scan->store;

    *ret = NULL;
    while (scan->next < scan->n) {
        uint32_t b = scan->order[scan->next++], begin = fake_begin(store, b), end = store->block_ends[b];
        xt_zone zone = {.n_rows = end - begin};
        fake_times(store, b, &zone.min_ms, &zone.max_ms);
        if (zone.max_ms < scan->spec.from_ms || zone.min_ms > scan->spec.to_ms || end <= scan->spec.after_arrival ||
            (scan->spec.may_match && !scan->spec.may_match(scan->spec.context, &zone))) {
            scan->info.n_blocks_skipped++;
            continue;
        }
        if (b + 1 == store->damaged && xt_field_set_has(&scan->spec.fields, XT_F_ARGS)) {
            scan->info.n_damaged++;
            snprintf(scan->info.damaged, sizeof scan->info.damaged, "block %u", b);
            continue;
        }
        if (begin < scan->spec.after_arrival)
            begin = (uint32_t)scan->spec.after_arrival;
        xt_arena_reset(&scan->arena);
        scan->block = block_of(scan->spec.fields, store->events + begin, end - begin, &scan->arena);
        scan->block.first_arrival = begin + 1;
        scan->info.n_blocks++;
        scan->info.n_rows_read += end - begin;
        scan->store->n_read++;
        *ret = &scan->block;
        break;
    }
    return 0;
}

xt_scan_info xt_scan_info_get(const xt_scan *scan)
{
    return scan->info;
}

xt_scan *xt_scan_close(xt_scan *scan)
{
    if (scan)
        xt_arena_fini(&scan->arena);
    free(scan);
    return NULL;
}

void xt_block_event(const xt_block *block, uint32_t row, xt_event *ret)
{
    xt_event_reset(ret);
    for (unsigned f = 1; f < XT_F_END; f++) {
        const xt_column *column = block->columns[f];
        if (!column || column->kind == XT_COLUMN_ABSENT)
            continue;
        if (column->kind == XT_COLUMN_NUMBERS && (!column->present || column->present[row / 8] >> row % 8 & 1))
            xt_event_set_num(ret, (xt_field)f, column->numbers[row]);
        if (column->kind == XT_COLUMN_CODES && column->codes[row])
            xt_event_set_bytes(ret, (xt_field)f, column->dict[column->codes[row] - 1]);
    }
}

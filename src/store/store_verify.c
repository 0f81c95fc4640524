/*
 * Everything that can be held against something else: chunks against their checksums, files against the catalog, the
 * ledger's rows against their chain, and its counts against what segments and pending rows hold. What pending.db says is
 * read under the write lock, the segments, which may take hours, without it.
 */
#include "store/store_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct verifying {
    xt_store *store;
    void (*report)(void *context, const xt_problem *problem);
    void *context;
    xt_ledger_check check;
    uint64_t n_in_segments; /* rows that the catalog says are in segments */
    xt_buf catalog;         /* xt_pending_segment, one behind the other */
    xt_segment_reader *reader;
    xt_arena arena;
} verifying;

static void report(verifying *v, const xt_problem *problem)
{
    if (v->report)
        v->report(v->context, problem);
}

/* ------------------------------------------------------------------------------------------------ ledger */

static int on_ledger(void *context, uint64_t id, const xt_ledger_row *row, bool chained)
{
    verifying *v = context;
    xt_problem problem = XT_PROBLEM_INIT;

    v->check.n_rows++;
    if (row->kind == XT_LEDGER_RECEIVED)
        v->check.n_received += row->n_events;
    else if (row->kind == XT_LEDGER_SEALED)
        v->check.n_sealed += row->n_events;
    else if (row->kind == XT_LEDGER_RETIRED)
        v->check.n_retired += row->n_events;
    if (!chained) {
        v->check.chain_ok = false;
        xt_problem_set(&problem, "ledger row %llu does not follow from the row before it", (unsigned long long)id);
        xt_problem_source(&problem, "ledger");
        report(v, &problem);
    }
    return 0;
}

static int on_row(void *context, const xt_pending_row *row, bool intact)
{
    verifying *v = context;
    xt_problem problem = XT_PROBLEM_INIT;

    v->check.n_pending += row->n_events;
    if (!intact) {
        xt_problem_set(&problem, "the checksum of pending batch %lld does not hold", (long long)row->id);
        xt_problem_source(&problem, "pending.db");
        report(v, &problem);
    }
    return 0;
}

static void counts_check(verifying *v)
{
    xt_ledger_check *check = &v->check;
    xt_problem problem = XT_PROBLEM_INIT;

    check->counts_ok = check->n_received == check->n_sealed + check->n_pending &&
                       check->n_sealed == v->n_in_segments + check->n_retired;
    if (check->counts_ok)
        return;
    xt_problem_set(&problem,
                   "the counts do not agree: received %llu, sealed %llu (in segments %llu, retired %llu), pending %llu",
                   (unsigned long long)check->n_received, (unsigned long long)check->n_sealed,
                   (unsigned long long)v->n_in_segments, (unsigned long long)check->n_retired,
                   (unsigned long long)check->n_pending);
    xt_problem_source(&problem, "ledger");
    report(v, &problem);
}

/* ------------------------------------------------------------------------------------------------ segments */

static int group_check(verifying *v, const xt_segment *segment, uint32_t group, xt_problem *problem)
{
    xt_open_column column;

    for (unsigned f = 1; f < XT_F_END; f++) {
        xt_arena_reset(&v->arena);
        int r = xt_segment_read(v->reader, segment, group, (xt_field)f, &v->arena, &column, problem);
        if (r != 0)
            return r;
    }
    return 0;
}

/* Reads all of a segment anew; each damaged row group is reported. */
static int segment_check(verifying *v, const xt_pending_segment *row, const char *path)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_segment *segment = NULL;
    int r = xt_segment_open(v->store->vfs, path, &segment, &problem);

    if (r > 0)
        report(v, &problem);
    if (r != 0)
        return r < 0 ? r : 0;
    if (!xt_hash128_eq(xt_segment_info_get(segment)->hash, row->hash)) {
        xt_problem_set(&problem, "this is not the segment that the catalog names");
        xt_problem_source(&problem, path);
        report(v, &problem);
    }
    for (uint32_t g = 0; g < xt_segment_info_get(segment)->n_groups && r >= 0; g++) {
        r = group_check(v, segment, g, &problem);
        if (r > 0)
            report(v, &problem);
    }
    /* The reader knows its file by the segment's address, which the next one may have again. */
    v->reader = xt_segment_reader_free(v->reader);
    xt_segment_unref(segment);
    return r < 0 ? r : 0;
}

static int on_segment(void *context, const xt_pending_segment *row)
{
    verifying *v = context;

    v->n_in_segments += row->n_rows;
    xt_buf_put(&v->catalog, xt_slice_of(row, sizeof *row));
    return 0;
}

static int segments_check(verifying *v)
{
    int r = xt_buf_done(&v->catalog);

    for (size_t at = 0; at < v->catalog.n && r == 0; at += sizeof(xt_pending_segment)) {
        const xt_pending_segment *row = (const xt_pending_segment *)(v->catalog.p + at);
        char *path = xt_store_segment_path(v->store, row->id, ".xts");
        if (!v->reader)
            v->reader = xt_segment_reader_new(v->store->vfs);
        r = path && v->reader ? segment_check(v, row, path) : xt_error_origin(-ENOMEM);
        free(path);
    }
    return r;
}

static int records_check(verifying *v, xt_problem *reterr_problem)
{
    xt_pending *pending = v->store->pending;

    pthread_mutex_lock(&v->store->write_lock);
    int r = xt_pending_each_ledger(pending, on_ledger, v, reterr_problem);
    if (r == 0)
        r = xt_pending_each_row(pending, on_row, v, reterr_problem);
    if (r == 0)
        r = xt_pending_each_segment(pending, on_segment, v, reterr_problem);
    pthread_mutex_unlock(&v->store->write_lock);
    return r;
}

int xt_store_verify(xt_store *store, void (*report_fn)(void *context, const xt_problem *problem), void *context,
                    xt_ledger_check *ret, xt_problem *reterr_problem)
{
    verifying v = {.store = store, .report = report_fn, .context = context, .check = {.chain_ok = true}};

    xt_arena_init(&v.arena, SIZE_MAX);
    int r = records_check(&v, reterr_problem);
    if (r == 0)
        r = segments_check(&v);
    if (r == 0) {
        counts_check(&v);
        *ret = v.check;
    }
    xt_segment_reader_free(v.reader);
    xt_buf_fini(&v.catalog);
    xt_arena_fini(&v.arena);
    return r;
}

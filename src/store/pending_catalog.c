/*
 * The catalog says which segments there are: one that is not in it does not exist, whatever files there are. With a
 * segment the marks are stored, up to which rows and arrivals are sealed. Legal holds stand beside it: they say what
 * no segment may lose.
 */
#include "store/pending_private.h"

static int put_mark(xt_pending *pending, const char *name, uint64_t value, xt_problem *reterr_problem)
{
    xt_sqlite_bind_slice(pending->stmts[XT_PENDING_PUT_MARK], 1, xt_slice_str(name));
    xt_pending_bind_u64(pending->stmts[XT_PENDING_PUT_MARK], 2, value);
    return xt_pending_run(pending, XT_PENDING_PUT_MARK, "storing a mark", reterr_problem);
}

static int put_marks(xt_pending *pending, xt_problem *reterr_problem)
{
    const xt_pending_marks *marks = &pending->now.marks;
    int r = put_mark(pending, "sealed_row", (uint64_t)marks->sealed_row, reterr_problem);

    if (r == 0)
        r = put_mark(pending, "last_row", (uint64_t)marks->last_row, reterr_problem);
    if (r == 0)
        r = put_mark(pending, "sealed_arrival", marks->sealed_arrival, reterr_problem);
    if (r == 0)
        r = put_mark(pending, "next_segment", marks->next_segment, reterr_problem);
    return r;
}

static int put_segment(xt_pending *pending, const xt_pending_segment *segment, xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = pending->stmts[XT_PENDING_PUT_SEGMENT];

    xt_pending_bind_u64(stmt, 1, segment->id);
    xt_pending_bind_u64(stmt, 2, segment->n_rows);
    xt_pending_bind_u64(stmt, 3, segment->first_arrival);
    xt_pending_bind_u64(stmt, 4, segment->last_arrival);
    sqlite3_bind_int64(stmt, 5, segment->min_ms);
    sqlite3_bind_int64(stmt, 6, segment->max_ms);
    xt_pending_bind_u64(stmt, 7, segment->bytes);
    sqlite3_bind_int64(stmt, 8, segment->made_ms);
    xt_pending_bind_hash(stmt, 9, &segment->hash);
    int r = xt_pending_run(pending, XT_PENDING_PUT_SEGMENT, "adding a segment to the catalog", reterr_problem);
    if (r == 0 && pending->now.marks.next_segment <= segment->id)
        pending->now.marks.next_segment = segment->id + 1;
    return r;
}

int xt_pending_put_segment(xt_pending *pending, const xt_pending_segment *segment, int64_t sealed_row,
                           xt_problem *reterr_problem)
{
    int r = put_segment(pending, segment, reterr_problem);

    if (r < 0)
        return xt_error_trace(r);
    pending->now.marks.sealed_row = sealed_row;
    pending->now.marks.sealed_arrival = segment->last_arrival;
    return put_marks(pending, reterr_problem);
}

int xt_pending_drop_segment(xt_pending *pending, uint64_t id, xt_problem *reterr_problem)
{
    xt_pending_bind_u64(pending->stmts[XT_PENDING_DELETE_SEGMENT], 1, id);
    return xt_pending_run(pending, XT_PENDING_DELETE_SEGMENT, "taking a segment out of the catalog", reterr_problem);
}

int xt_pending_add_segment(xt_pending *pending, const xt_pending_segment *segment, xt_problem *reterr_problem)
{
    int r = put_segment(pending, segment, reterr_problem);

    return r == 0 ? put_marks(pending, reterr_problem) : r;
}

int xt_pending_replace_segments(xt_pending *pending, const uint64_t *ids, size_t n, const xt_pending_segment *merged,
                                xt_problem *reterr_problem)
{
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        r = xt_pending_drop_segment(pending, ids[i], reterr_problem);
    return r == 0 ? xt_pending_add_segment(pending, merged, reterr_problem) : r;
}

typedef struct segment_context {
    int (*fn)(void *context, const xt_pending_segment *segment);
    void *context;
} segment_context;

static int on_segment(void *context, sqlite3_stmt *stmt)
{
    const segment_context *c = context;
    xt_pending_segment segment = {
        .id = xt_pending_column_u64(stmt, 0),
        .n_rows = xt_pending_column_u64(stmt, 1),
        .first_arrival = xt_pending_column_u64(stmt, 2),
        .last_arrival = xt_pending_column_u64(stmt, 3),
        .min_ms = sqlite3_column_int64(stmt, 4),
        .max_ms = sqlite3_column_int64(stmt, 5),
        .bytes = xt_pending_column_u64(stmt, 6),
        .made_ms = sqlite3_column_int64(stmt, 7),
        .hash = xt_pending_column_hash(stmt, 8),
    };
    return c->fn(c->context, &segment);
}

int xt_pending_each_segment(xt_pending *pending, int (*fn)(void *context, const xt_pending_segment *segment),
                            void *context, xt_problem *reterr_problem)
{
    segment_context c = {fn, context};
    return xt_pending_select(
        pending,
        "SELECT id, n_rows, first_arrival, last_arrival, min_ms, max_ms, bytes, made_ms, hash FROM segments"
        " ORDER BY id",
        NULL, on_segment, &c, reterr_problem);
}

int xt_pending_put_hold(xt_pending *pending, const xt_pending_hold *hold, xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = pending->stmts[XT_PENDING_PUT_HOLD];

    xt_pending_bind_u64(stmt, 1, hold->id);
    sqlite3_bind_int64(stmt, 2, hold->at_ms);
    xt_sqlite_bind_slice(stmt, 3, hold->query);
    xt_sqlite_bind_slice(stmt, 4, hold->reason);
    xt_sqlite_bind_slice(stmt, 5, hold->who);
    return xt_pending_run(pending, XT_PENDING_PUT_HOLD, "storing a hold", reterr_problem);
}

int xt_pending_drop_hold(xt_pending *pending, uint64_t id, xt_problem *reterr_problem)
{
    xt_pending_bind_u64(pending->stmts[XT_PENDING_DELETE_HOLD], 1, id);
    return xt_pending_run(pending, XT_PENDING_DELETE_HOLD, "removing a hold", reterr_problem);
}

typedef struct hold_context {
    int (*fn)(void *context, const xt_pending_hold *hold);
    void *context;
} hold_context;

static int on_hold(void *context, sqlite3_stmt *stmt)
{
    const hold_context *c = context;
    xt_pending_hold hold = {
        .id = xt_pending_column_u64(stmt, 0),
        .at_ms = sqlite3_column_int64(stmt, 1),
        .query = xt_sqlite_slice(stmt, 2),
        .reason = xt_sqlite_slice(stmt, 3),
        .who = xt_sqlite_slice(stmt, 4),
    };
    return c->fn(c->context, &hold);
}

int xt_pending_each_hold(xt_pending *pending, int (*fn)(void *context, const xt_pending_hold *hold), void *context,
                         xt_problem *reterr_problem)
{
    hold_context c = {fn, context};
    return xt_pending_select(pending, "SELECT id, at_ms, query, reason, who FROM holds ORDER BY id", NULL, on_hold, &c,
                             reterr_problem);
}

/*
 * A row is a batch as it came and what was derived from it, with a checksum of both; its stream's number goes with it.
 * A row whose checksum does not hold is set aside under a negative id, where neither sealing nor deleting finds it.
 */
#include <xxhash.h>

#include "store/pending_private.h"

static uint64_t row_checksum(const xt_pending_row *row)
{
    char head[64];
    xt_buf buf = XT_BUF_ON(head);

    xt_buf_put(&buf, xt_slice_of(row->stream.b, sizeof row->stream.b));
    xt_buf_put_u64(&buf, row->number);
    xt_buf_put_u64(&buf, row->n_events);
    xt_buf_put_u64(&buf, row->first_arrival);
    xt_buf_put_u32(&buf, row->codec);
    XXH64_hash_t h = XXH3_64bits(buf.p, buf.n);
    h = XXH3_64bits_withSeed(row->derived.p, row->derived.n, h);
    return XXH3_64bits_withSeed(row->frame.p, row->frame.n, h);
}

int xt_pending_put_row(xt_pending *pending, const xt_pending_row *row, xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = pending->stmts[XT_PENDING_PUT_ROW];

    sqlite3_bind_int64(stmt, 1, row->id);
    xt_pending_bind_hash(stmt, 2, &row->stream);
    xt_pending_bind_u64(stmt, 3, row->number);
    xt_pending_bind_u64(stmt, 4, row->n_events);
    xt_pending_bind_u64(stmt, 5, row->first_arrival);
    sqlite3_bind_int64(stmt, 6, row->received_ms);
    sqlite3_bind_int64(stmt, 7, row->codec);
    xt_pending_bind_u64(stmt, 8, row_checksum(row));
    xt_sqlite_bind_blob(stmt, 9, row->derived);
    xt_sqlite_bind_blob(stmt, 10, row->frame);
    int r = xt_pending_run(pending, XT_PENDING_PUT_ROW, "storing a batch", reterr_problem);
    if (r == 0)
        pending->now.marks.last_row = row->id;
    return r;
}

int xt_pending_set_aside(xt_pending *pending, int64_t id, xt_problem *reterr_problem)
{
    sqlite3_bind_int64(pending->stmts[XT_PENDING_SET_ASIDE], 1, id);
    int r = xt_pending_run(pending, XT_PENDING_SET_ASIDE, "setting a damaged batch aside", reterr_problem);
    if (r == 0)
        pending->now.marks.n_damaged++;
    return r;
}

typedef struct row_context {
    int (*fn)(void *context, const xt_pending_row *row, bool intact);
    void *context;
} row_context;

static int on_row(void *context, sqlite3_stmt *stmt)
{
    const row_context *c = context;
    xt_pending_row row = {
        .id = sqlite3_column_int64(stmt, 0),
        .stream = xt_pending_column_hash(stmt, 1),
        .number = xt_pending_column_u64(stmt, 2),
        .n_events = xt_pending_column_u64(stmt, 3),
        .first_arrival = xt_pending_column_u64(stmt, 4),
        .received_ms = sqlite3_column_int64(stmt, 5),
        .codec = (uint32_t)sqlite3_column_int64(stmt, 6),
        .derived = xt_sqlite_slice(stmt, 8),
        .frame = xt_sqlite_slice(stmt, 9),
    };
    return c->fn(c->context, &row, row_checksum(&row) == xt_pending_column_u64(stmt, 7));
}

int xt_pending_each_row(xt_pending *pending, int (*fn)(void *context, const xt_pending_row *row, bool intact),
                        void *context, xt_problem *reterr_problem)
{
    row_context c = {fn, context};
    return xt_pending_select(
        pending,
        "SELECT id, stream, number, n_events, first_arrival, received_ms, codec, checksum, derived, frame"
        " FROM pending WHERE id > ?1 ORDER BY id",
        &pending->now.marks.sealed_row, on_row, &c, reterr_problem);
}

int xt_pending_put_stream(xt_pending *pending, const xt_pending_stream *stream, xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = pending->stmts[XT_PENDING_PUT_STREAM];

    xt_pending_bind_hash(stmt, 1, &stream->stream);
    xt_sqlite_bind_slice(stmt, 2, stream->host_id);
    xt_pending_bind_u64(stmt, 3, stream->number);
    xt_pending_bind_hash(stmt, 4, &stream->hash);
    return xt_pending_run(pending, XT_PENDING_PUT_STREAM, "storing a stream's number", reterr_problem);
}

int xt_pending_set_watermark(xt_pending *pending, xt_hash128 stream, uint64_t sealed_number, xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = pending->stmts[XT_PENDING_PUT_WATERMARK];

    xt_pending_bind_hash(stmt, 1, &stream);
    xt_pending_bind_u64(stmt, 2, sealed_number);
    return xt_pending_run(pending, XT_PENDING_PUT_WATERMARK, "storing a stream's watermark", reterr_problem);
}

typedef struct stream_context {
    int (*fn)(void *context, const xt_pending_stream *stream);
    void *context;
} stream_context;

static int on_stream(void *context, sqlite3_stmt *stmt)
{
    const stream_context *c = context;
    xt_pending_stream stream = {
        .stream = xt_pending_column_hash(stmt, 0),
        .host_id = xt_sqlite_slice(stmt, 1),
        .number = xt_pending_column_u64(stmt, 2),
        .hash = xt_pending_column_hash(stmt, 3),
        .sealed_number = xt_pending_column_u64(stmt, 4),
    };
    return c->fn(c->context, &stream);
}

int xt_pending_each_stream(xt_pending *pending, int (*fn)(void *context, const xt_pending_stream *stream),
                           void *context, xt_problem *reterr_problem)
{
    stream_context c = {fn, context};
    return xt_pending_select(pending, "SELECT stream, host_id, number, hash, sealed_number FROM streams", NULL,
                             on_stream, &c, reterr_problem);
}

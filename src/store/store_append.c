/*
 * One append is one transaction. The rows are built into the tail first, where no reader sees them, then committed,
 * then shown by a new picture: all that can fail comes before the commit, all that cannot comes after it. What a
 * refused batch (or a failed commit) has built is taken back by marks.
 */
#include <errno.h>
#include <stdlib.h>

#include "event/batch_codec.h"
#include "store/growth.h"

#define SEAL_BY_WRITER_FACTOR 4 /* open rows, in seal_rows, at which the writer itself seals */

typedef struct stream_undo {
    xt_stream *stream;
    xt_stream before;
} stream_undo;

/* An append under way. */
typedef struct append_group {
    xt_store *store;
    xt_growth growth;
    stream_undo *undos;
    size_t n_undos;
    xt_ledger_row received; /* the run of batches of one stream, not written yet */
    int64_t next_row, now_ms;
    size_t n_accepted;
} append_group;

/* ------------------------------------------------------------------------------------------------ batches */

int xt_stream_get(xt_store *store, xt_hash128 key, xt_stream **ret)
{
    xt_stream *stream = xt_map_find(&store->streams, xt_slice_of(key.b, sizeof key.b));

    if (!stream) {
        stream = calloc(1, sizeof *stream);
        if (!stream)
            return xt_error_origin(-ENOMEM);
        stream->key = key;
        if (xt_map_put(&store->streams, xt_slice_of(stream->key.b, sizeof stream->key.b), stream, NULL) < 0) {
            free(stream);
            return xt_error_origin(-ENOMEM);
        }
    }
    *ret = stream;
    return 0;
}

/* Is this the batch that has to come next? */
static int batch_place(const xt_stream *stream, const xt_store_batch *batch, xt_problem *reterr_problem)
{
    if (stream->number > 0 && !xt_hash128_eq(stream->owner, xt_slice_hash128(batch->host_id)))
        return xt_growth_corrupt(reterr_problem, "its stream is another host's");
    if (batch->number == stream->number && batch->number > 0 && !xt_hash128_eq(batch->hash, stream->hash))
        return xt_growth_corrupt(reterr_problem, "its number was used for another batch");
    if (batch->number <= stream->number)
        return XT_STORE_E_DUPLICATE;
    if (batch->number != stream->number + 1) {
        xt_problem_set(reterr_problem, "batch %llu came where %llu has to come", (unsigned long long)batch->number,
                       (unsigned long long)stream->number + 1);
        return XT_STORE_E_GAP;
    }
    if (!xt_hash128_eq(batch->chain, stream->hash))
        return xt_growth_corrupt(reterr_problem, "its chain is not the hash of the batch before it");
    return 0;
}

/* Whether the frame can be unpacked again from its own bytes, with what this program has. */
static bool frame_is_whole(const xt_store_batch *batch)
{
    uint64_t raw_bytes;
    return xt_codec_is_known(batch->frame_codec) &&
           xt_codec_raw_bytes(batch->frame_codec, batch->frame, &raw_bytes) == 0 && raw_bytes == batch->events.n;
}

/* The frame as it is kept: as it came, or packed anew where it could not be unpacked. */
static int frame_keep(xt_store *store, const xt_store_batch *batch, xt_slice *ret_frame, uint32_t *ret_codec)
{
    if (frame_is_whole(batch)) {
        *ret_frame = batch->frame;
        *ret_codec = batch->frame_codec;
        return 0;
    }
    uint64_t codec;
    xt_buf_reset(&store->scratch);
    int r = xt_codec_pack(batch->events, XT_CODEC_ZSTD, &store->scratch, &codec);
    if (r < 0)
        return xt_error_trace(r);
    *ret_frame = xt_buf_slice(&store->scratch);
    *ret_codec = (uint32_t)codec;
    return 0;
}

/* Writes the run of received batches to the ledger and to its stream. */
static int run_flush(append_group *group, xt_slice host_id, xt_problem *reterr_problem)
{
    const xt_ledger_row *run = &group->received;

    if (run->kind == 0)
        return 0;
    xt_pending_stream stream = {.stream = run->subject, .hash = run->hash, .host_id = host_id, .number = run->last};
    int r = xt_pending_put_stream(group->store->pending, &stream, reterr_problem);
    if (r == 0)
        r = xt_pending_put_ledger(group->store->pending, run, reterr_problem);
    group->received.kind = 0;
    return r;
}

static void run_extend(append_group *group, const xt_store_batch *batch)
{
    xt_ledger_row *run = &group->received;

    if (run->kind == 0)
        *run = (xt_ledger_row){
            .kind = XT_LEDGER_RECEIVED,
            .at_ms = group->now_ms,
            .first_arrival = group->growth.next_arrival - batch->n_events,
            .subject = batch->stream,
            .first = batch->number,
        };
    run->n_events += batch->n_events;
    run->last = batch->number;
    run->hash = batch->hash;
}

/* The batch is sound and its rows are built: into the transaction with it. */
static int batch_put(append_group *group, const xt_store_batch *batch, xt_stream *stream, xt_problem *reterr_problem)
{
    xt_pending_row row = {
        .id = group->next_row,
        .stream = batch->stream,
        .number = batch->number,
        .n_events = batch->n_events,
        .first_arrival = group->growth.next_arrival - batch->n_events,
        .received_ms = group->now_ms,
        .derived = batch->derived,
    };
    int r = frame_keep(group->store, batch, &row.frame, &row.codec);

    if (r == 0)
        r = xt_pending_put_row(group->store->pending, &row, reterr_problem);
    if (r < 0)
        return xt_error_trace(r);
    run_extend(group, batch);
    group->next_row++;
    group->undos[group->n_undos++] = (stream_undo){stream, *stream};
    stream->number = batch->number;
    stream->hash = batch->hash;
    stream->owner = xt_slice_hash128(batch->host_id);
    group->n_accepted++;
    return 0;
}

/* *previous: the batch accepted before this one; where the stream changes its run ends. */
static int batch_accept(append_group *group, const xt_store_batch *batch, const xt_store_batch **previous,
                        xt_problem *reterr_problem)
{
    xt_stream *stream = NULL;
    int r = xt_stream_get(group->store, batch->stream, &stream);

    if (r == 0)
        r = batch_place(stream, batch, reterr_problem);
    if (r == 0 && batch->events.n > XT_GROWTH_MAX_BATCH_BYTES)
        r = xt_growth_corrupt(reterr_problem, "it is too big");
    if (r != 0)
        return r;
    r = xt_growth_add(&group->growth, batch->events, batch->derived, batch->n_events, reterr_problem);
    if (r != 0)
        return r;
    if (*previous && !xt_hash128_eq((*previous)->stream, batch->stream))
        r = run_flush(group, (*previous)->host_id, reterr_problem);
    if (r == 0)
        r = batch_put(group, batch, stream, reterr_problem);
    if (r == 0)
        *previous = batch;
    return r;
}

/* ------------------------------------------------------------------------------------------------ transaction */

static int group_init(append_group *group, xt_store *store, size_t n)
{
    *group = (append_group){
        .store = store,
        .next_row = xt_pending_marks_get(store->pending).last_row + 1,
        .now_ms = xt_clock_wall_ms(store->clock),
        .undos = calloc(n, sizeof *group->undos),
    };
    int r = group->undos ? xt_growth_init(&group->growth, store) : xt_error_origin(-ENOMEM);
    if (r < 0)
        free(group->undos);
    return r;
}

static void group_undo(append_group *group)
{
    xt_growth_undo(&group->growth);
    while (group->n_undos > 0) {
        stream_undo *u = &group->undos[--group->n_undos];
        *u->stream = u->before;
    }
    xt_pending_rollback(group->store->pending);
}

static int group_commit(append_group *group, xt_slice host_id, xt_problem *reterr_problem)
{
    xt_picture *picture = NULL;
    int r = run_flush(group, host_id, reterr_problem);

    if (r == 0)
        r = xt_growth_picture(&group->growth, &picture);
    if (r == 0)
        r = xt_pending_commit(group->store->pending, reterr_problem);
    if (r < 0) {
        xt_picture_unref(picture);
        return xt_error_trace(r);
    }
    atomic_fetch_add(&group->store->n_pending_rows, group->n_accepted);
    xt_growth_adopt(&group->growth, picture);
    return 0;
}

static int append_locked(xt_store *store, const xt_store_batch *batches, size_t n, int *ret_outcomes,
                         xt_problem *reterr_problem)
{
    append_group group;
    const xt_store_batch *previous = NULL;
    int r = group_init(&group, store, n);

    if (r < 0)
        return xt_error_trace(r);
    r = xt_pending_begin(store->pending, reterr_problem);
    for (size_t i = 0; i < n && r == 0; i++) {
        int outcome = batch_accept(&group, &batches[i], &previous, reterr_problem);
        if (outcome < 0)
            r = outcome;
        else
            ret_outcomes[i] = outcome;
    }
    if (r == 0 && previous)
        r = group_commit(&group, previous->host_id, reterr_problem);
    if (r < 0 || group.n_accepted == 0)
        group_undo(&group);
    xt_growth_fini(&group.growth);
    free(group.undos);
    return r;
}

/* Where nobody maintains the store (or too slowly), the writer waits for a sealing before memory fills. */
static int seal_when_far_behind(xt_store *store, xt_problem *reterr_problem)
{
    xt_picture *picture = xt_picture_take(store);
    uint64_t n_rows = xt_picture_open_rows(picture);

    xt_picture_unref(picture);
    return n_rows >= SEAL_BY_WRITER_FACTOR * store->seal_rows ? xt_store_seal(store, reterr_problem) : 0;
}

int xt_store_append(xt_store *store, const xt_store_batch *batches, size_t n, int *ret_outcomes,
                    xt_problem *reterr_problem)
{
    if (n == 0)
        return 0;
    if (xt_store_is_full(store)) {
        xt_problem_set(reterr_problem, "the disk is full: no event is accepted until there is room");
        return xt_error_origin(-ENOSPC);
    }
    int r = seal_when_far_behind(store, reterr_problem);
    if (r < 0)
        return xt_error_trace(r);
    atomic_fetch_add(&store->n_appending, 1);
    pthread_mutex_lock(&store->write_lock);
    r = append_locked(store, batches, n, ret_outcomes, reterr_problem);
    pthread_mutex_unlock(&store->write_lock);
    atomic_fetch_sub(&store->n_appending, 1);
    xt_store_note_error(store, r);
    return r;
}

int xt_store_stream_get(xt_store *store, xt_hash128 key, uint64_t *ret_number, xt_hash128 *ret_hash)
{
    pthread_mutex_lock(&store->write_lock);
    const xt_stream *stream = xt_map_find(&store->streams, xt_slice_of(key.b, sizeof key.b));
    *ret_number = stream ? stream->number : 0;
    *ret_hash = stream ? stream->hash : (xt_hash128){{0}};
    pthread_mutex_unlock(&store->write_lock);
    return 0;
}

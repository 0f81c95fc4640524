/*
 * One append is one transaction. The rows are built into the tail first, where no reader sees them, then committed,
 * then shown by a new picture: all that can fail comes before the commit, all that cannot comes after it. What a
 * refused batch (or a failed commit) has built is taken back by marks.
 *
 * SERVER fields in a host's own bytes are left out: only what the server derived may set them.
 */
#include "store/store_private.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

#include "store/derived.h"

#define MAX_BATCH_BYTES       ((size_t)256 << 20)
#define SEAL_BY_WRITER_FACTOR 4 /* open rows, in seal_rows, at which the writer itself seals */
#define ZSTD_LEVEL            3

typedef struct stream_undo {
    xt_stream *stream;
    xt_stream before;
} stream_undo;

/* An append under way. */
typedef struct append_group {
    xt_store *store;
    xt_open_block **blocks; /* the tail as it was, then those begun since */
    size_t n_blocks, cap_blocks;
    xt_open_mark *group_mark, *batch_mark;
    stream_undo *undos;
    size_t n_undos;
    xt_ledger_row received; /* the run of batches of one stream, not written yet */
    uint64_t next_arrival;
    int64_t next_row, now_ms;
    size_t n_accepted;
} append_group;

/* ------------------------------------------------------------------------------------------------ rows */

static int group_add_block(append_group *group, xt_open_block *block)
{
    if (!block)
        return xt_error_origin(-ENOMEM);
    if (group->n_blocks == group->cap_blocks) {
        size_t cap = group->cap_blocks ? group->cap_blocks * 2 : 4;
        xt_open_block **blocks = reallocarray(group->blocks, cap, sizeof *blocks);
        if (!blocks) {
            xt_open_block_unref(block);
            return xt_error_origin(-ENOMEM);
        }
        group->blocks = blocks;
        group->cap_blocks = cap;
    }
    group->blocks[group->n_blocks++] = block;
    return 0;
}

static int group_add_row(append_group *group, const xt_event *event)
{
    xt_open_block *block = group->blocks[group->n_blocks - 1];

    if (xt_open_block_is_full(block)) {
        int r = group_add_block(group, xt_open_block_new(group->next_arrival, group->store->seed));
        if (r < 0)
            return xt_error_trace(r);
        block = group->blocks[group->n_blocks - 1];
    }
    int r = xt_open_block_add(block, event);
    if (r == 0)
        group->next_arrival++;
    return r;
}

static void leave_server_fields_out(xt_event *event)
{
#define X(symbol, id, ecs, type, alias, sigma, flags, help) \
    if (XT_##flags & XT_SERVER)                             \
        event->present.bits[(id) >> 6] &= ~(UINT64_C(1) << ((id)&63));
    XT_FIELDS(X)
#undef X
}

static int corrupt(xt_problem *reterr_problem, const char *what)
{
    xt_problem_set(reterr_problem, "the batch is damaged: %s", what);
    return XT_STORE_E_CORRUPT;
}

static int event_decode(xt_slice bytes, xt_event *event, xt_problem *reterr_problem)
{
    int r = xt_event_decode(bytes, event, reterr_problem);

    return r == XT_EVENT_E_CORRUPT ? XT_STORE_E_CORRUPT : r == XT_EVENT_E_NEWER ? XT_STORE_E_NEWER : r;
}

/* All events of a batch as rows: 0, XT_STORE_E_CORRUPT, XT_STORE_E_NEWER or <0; the caller takes back what was added. */
static int group_add_events(append_group *group, xt_slice events, xt_slice derived, uint64_t n_events,
                            xt_problem *reterr_problem)
{
    xt_derived_reader reader;
    xt_event event;
    xt_slice bytes;
    uint64_t n = 0;

    if (xt_derived_read(derived, &reader) != 0)
        return corrupt(reterr_problem, "its derived fields cannot be read");
    for (; xt_event_batch_next(&events, &bytes); n++) {
        int r = n < n_events ? event_decode(bytes, &event, reterr_problem)
                             : corrupt(reterr_problem, "it holds more events than it says");
        if (r != 0)
            return r;
        leave_server_fields_out(&event);
        if (xt_derived_apply(&reader, n, &event) != 0)
            return corrupt(reterr_problem, "its derived fields cannot be read");
        r = group_add_row(group, &event);
        if (r < 0)
            return xt_error_trace(r);
    }
    if (events.n || n != n_events || reader.ready)
        return corrupt(reterr_problem, "its bytes and its count do not hold together");
    return 0;
}

/* ------------------------------------------------------------------------------------------------ group */

static void group_fini(append_group *group)
{
    xt_open_mark_free(group->group_mark);
    xt_open_mark_free(group->batch_mark);
    free(group->undos);
    free(group->blocks);
}

static int group_init(append_group *group, xt_store *store, size_t n)
{
    *group = (append_group){
        .store = store,
        .next_arrival = store->next_arrival,
        .next_row = xt_pending_marks_get(store->pending).last_row + 1,
        .now_ms = xt_clock_wall_ms(store->clock),
    };
    if (!store->tail || xt_open_block_is_full(store->tail)) {
        xt_open_block_unref(store->tail);
        store->tail = xt_open_block_new(store->next_arrival, store->seed);
    }
    if (!store->tail)
        return xt_error_origin(-ENOMEM);
    group->undos = calloc(n ? n : 1, sizeof *group->undos);
    group->group_mark = xt_open_mark_new(store->tail);
    group->batch_mark = xt_open_mark_new(store->tail);
    if (!group->undos || !group->group_mark || !group->batch_mark || group_add_block(group, store->tail) < 0) {
        group_fini(group);
        return xt_error_origin(-ENOMEM);
    }
    return 0;
}

/* Drops the blocks begun since and goes back in the one that was the last then. */
static void group_back(append_group *group, size_t n_blocks, const xt_open_mark *mark)
{
    while (group->n_blocks > n_blocks)
        xt_open_block_unref(group->blocks[--group->n_blocks]);
    xt_open_block_back(group->blocks[n_blocks - 1], mark);
}

static void group_undo(append_group *group)
{
    group_back(group, 1, group->group_mark);
    while (group->n_undos > 0) {
        stream_undo *u = &group->undos[--group->n_undos];
        *u->stream = u->before;
    }
    xt_pending_rollback(group->store->pending);
}

/* ------------------------------------------------------------------------------------------------ batches */

static int stream_get(xt_store *store, xt_hash128 key, xt_stream **ret)
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
    if (batch->number == stream->number && batch->number > 0 && !xt_hash128_eq(batch->hash, stream->hash))
        return corrupt(reterr_problem, "its number was used for another batch");
    if (batch->number <= stream->number)
        return XT_STORE_E_DUPLICATE;
    if (batch->number != stream->number + 1) {
        xt_problem_set(reterr_problem, "batch %llu came where %llu has to come", (unsigned long long)batch->number,
                       (unsigned long long)stream->number + 1);
        return XT_STORE_E_GAP;
    }
    if (!xt_hash128_eq(batch->chain, stream->hash))
        return corrupt(reterr_problem, "its chain is not the hash of the batch before it");
    return 0;
}

static bool frame_is_plain(const xt_store_batch *batch)
{
    if (batch->frame_codec == 0)
        return batch->frame.n == batch->events.n;
    return batch->frame_codec == 1 && ZSTD_getFrameContentSize(batch->frame.p, batch->frame.n) == batch->events.n;
}

/* The frame as it is kept: as it came, or packed anew where reopening could not unpack it from its own bytes. */
static int frame_keep(xt_store *store, const xt_store_batch *batch, xt_slice *ret_frame, uint32_t *ret_codec)
{
    if (frame_is_plain(batch)) {
        *ret_frame = batch->frame;
        *ret_codec = batch->frame_codec;
        return 0;
    }
    xt_buf_reset(&store->scratch);
    size_t room = ZSTD_compressBound(batch->events.n);
    char *to = xt_buf_reserve(&store->scratch, room);
    if (!to)
        return xt_error_origin(-ENOMEM);
    size_t n = ZSTD_compress(to, room, batch->events.p, batch->events.n, ZSTD_LEVEL);
    if (ZSTD_isError(n))
        return xt_error_origin(-ENOMEM);
    *ret_frame = xt_slice_of(to, n);
    *ret_codec = 1;
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
            .first_arrival = group->next_arrival - batch->n_events,
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
        .first_arrival = group->next_arrival - batch->n_events,
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
    group->n_accepted++;
    return 0;
}

/* *previous: the batch accepted before this one; where the stream changes its run ends. */
static int batch_accept(append_group *group, const xt_store_batch *batch, const xt_store_batch **previous,
                        xt_problem *reterr_problem)
{
    xt_stream *stream = NULL;
    int r = stream_get(group->store, batch->stream, &stream);

    if (r == 0)
        r = batch_place(stream, batch, reterr_problem);
    if (r == 0 && batch->events.n > MAX_BATCH_BYTES)
        r = corrupt(reterr_problem, "it is too big");
    if (r != 0)
        return r;
    size_t n_blocks = group->n_blocks;
    uint64_t arrival = group->next_arrival;
    xt_open_mark_set(group->batch_mark, group->blocks[n_blocks - 1]);
    r = group_add_events(group, batch->events, batch->derived, batch->n_events, reterr_problem);
    if (r > 0) {
        group_back(group, n_blocks, group->batch_mark);
        group->next_arrival = arrival;
    }
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

/* ------------------------------------------------------------------------------------------------ showing */

/* A picture with what the group built: the views before it, but the tail's, and new ones of the blocks touched. */
static int group_picture(const append_group *group, xt_picture **ret)
{
    const xt_picture *old = group->store->picture;
    size_t keep = old->n_views, n = 0;

    if (keep && old->views[keep - 1]->block == group->blocks[0])
        keep--;
    xt_open_view **views = calloc(keep + group->n_blocks, sizeof *views);
    if (!views)
        return xt_error_origin(-ENOMEM);
    for (; n < keep; n++)
        views[n] = xt_open_view_ref(old->views[n]);
    bool failed = false;
    for (size_t i = 0; i < group->n_blocks && !failed; i++) {
        if (xt_open_block_rows(group->blocks[i]) == 0)
            continue;
        views[n] = xt_open_view_new(group->blocks[i]);
        failed = !views[n++];
    }
    xt_picture *picture = failed ? NULL : xt_picture_new(old->segments, views, n, group->next_arrival - 1);
    for (size_t i = 0; i < n; i++)
        xt_open_view_unref(views[i]);
    free(views);
    if (!picture)
        return xt_error_origin(-ENOMEM);
    *ret = picture;
    return 0;
}

/* The group is committed: its last block is the tail, the others are left to their views. */
static void group_adopt(append_group *group, xt_picture *picture)
{
    xt_store *store = group->store;

    for (size_t i = 0; i + 1 < group->n_blocks; i++) {
        xt_open_block_close(group->blocks[i]);
        xt_open_block_unref(group->blocks[i]);
    }
    store->tail = group->blocks[group->n_blocks - 1];
    if (store->next_arrival != group->next_arrival && store->oldest_open_ms == 0)
        store->oldest_open_ms = xt_clock_mono_ms(store->clock);
    store->next_arrival = group->next_arrival;
    atomic_fetch_add(&store->n_pending_rows, group->n_accepted);
    xt_picture_swap(store, picture);
}

static int group_commit(append_group *group, xt_slice host_id, xt_problem *reterr_problem)
{
    xt_picture *picture = NULL;
    int r = run_flush(group, host_id, reterr_problem);

    if (r == 0)
        r = group_picture(group, &picture);
    if (r == 0)
        r = xt_pending_commit(group->store->pending, reterr_problem);
    if (r < 0)
        xt_picture_unref(picture);
    else
        group_adopt(group, picture);
    return r;
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
    if (r == 0 && group.n_accepted > 0)
        r = group_commit(&group, previous->host_id, reterr_problem);
    if (r < 0 || group.n_accepted == 0)
        group_undo(&group);
    group_fini(&group);
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
    int r = seal_when_far_behind(store, reterr_problem);
    if (r < 0)
        return xt_error_trace(r);
    atomic_fetch_add(&store->n_appending, 1);
    pthread_mutex_lock(&store->write_lock);
    r = append_locked(store, batches, n, ret_outcomes, reterr_problem);
    pthread_mutex_unlock(&store->write_lock);
    atomic_fetch_sub(&store->n_appending, 1);
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

/* ------------------------------------------------------------------------------------------------ rebuilding */

typedef struct rebuild_state {
    append_group *group;
    ZSTD_DCtx *zstd;
    int64_t *damaged; /* rows to be set aside */
    size_t n_damaged, cap_damaged;
} rebuild_state;

/* The canonical batch of a row; false when it cannot be had. */
static bool frame_open(const rebuild_state *rebuild, const xt_pending_row *row, xt_slice *ret)
{
    xt_store *store = rebuild->group->store;

    if (row->codec == 0) {
        *ret = row->frame;
        return true;
    }
    unsigned long long size = ZSTD_getFrameContentSize(row->frame.p, row->frame.n);
    if (row->codec != 1 || size > MAX_BATCH_BYTES)
        return false;
    xt_buf_reset(&store->scratch);
    char *to = xt_buf_reserve(&store->scratch, (size_t)size + 1);
    if (!to || ZSTD_decompressDCtx(rebuild->zstd, to, (size_t)size, row->frame.p, row->frame.n) != size)
        return false;
    *ret = xt_slice_of(to, (size_t)size);
    return true;
}

static int damaged_add(rebuild_state *rebuild, int64_t id)
{
    if (rebuild->n_damaged == rebuild->cap_damaged) {
        size_t cap = rebuild->cap_damaged ? rebuild->cap_damaged * 2 : 16;
        int64_t *damaged = reallocarray(rebuild->damaged, cap, sizeof *damaged);
        if (!damaged)
            return xt_error_origin(-ENOMEM);
        rebuild->damaged = damaged;
        rebuild->cap_damaged = cap;
    }
    rebuild->damaged[rebuild->n_damaged++] = id;
    return 0;
}

/* Rows of a block are consecutive arrivals: where some are missing another block begins. */
static int group_skip_to(append_group *group, uint64_t arrival)
{
    if (arrival == group->next_arrival)
        return 0;
    group->next_arrival = arrival;
    return group_add_block(group, xt_open_block_new(arrival, group->store->seed));
}

static int on_row(void *context, const xt_pending_row *row, bool intact)
{
    rebuild_state *rebuild = context;
    append_group *group = rebuild->group;
    xt_slice events;
    int r = group_skip_to(group, row->first_arrival);

    if (r < 0)
        return xt_error_trace(r);
    size_t n_blocks = group->n_blocks;
    xt_open_mark_set(group->batch_mark, group->blocks[n_blocks - 1]);
    if (intact && frame_open(rebuild, row, &events))
        r = group_add_events(group, events, row->derived, row->n_events, NULL);
    else
        r = XT_STORE_E_CORRUPT;
    if (r > 0) {
        group_back(group, n_blocks, group->batch_mark);
        group->next_arrival = row->first_arrival;
        r = damaged_add(rebuild, row->id);
        if (r == 0 && row->n_events <= UINT32_MAX)
            r = group_skip_to(group, row->first_arrival + row->n_events);
    } else if (r == 0) {
        group->n_accepted++;
    }
    return r;
}

static int damaged_set_aside(xt_store *store, const rebuild_state *rebuild, xt_problem *reterr_problem)
{
    if (rebuild->n_damaged == 0)
        return 0;
    int r = xt_pending_begin(store->pending, reterr_problem);
    for (size_t i = 0; i < rebuild->n_damaged && r == 0; i++) {
        r = xt_pending_set_aside(store->pending, rebuild->damaged[i], reterr_problem);
        xt_store_name_damaged(store, "pending:%lld", (long long)rebuild->damaged[i]);
    }
    if (r == 0)
        r = xt_pending_commit(store->pending, reterr_problem);
    if (r < 0)
        xt_pending_rollback(store->pending);
    return r;
}

int xt_store_rebuild(xt_store *store, xt_problem *reterr_problem)
{
    append_group group;
    xt_picture *picture;
    int r = group_init(&group, store, 1);

    if (r < 0)
        return xt_error_trace(r);
    rebuild_state rebuild = {.group = &group, .zstd = ZSTD_createDCtx()};
    r = rebuild.zstd ? xt_pending_each_row(store->pending, on_row, &rebuild, reterr_problem) : xt_error_origin(-ENOMEM);
    uint64_t last_arrival = xt_pending_marks_get(store->pending).last_arrival;
    if (r == 0 && group.next_arrival <= last_arrival)
        r = group_skip_to(&group, last_arrival + 1);
    if (r == 0)
        r = damaged_set_aside(store, &rebuild, reterr_problem);
    if (r == 0)
        r = group_picture(&group, &picture);
    if (r == 0)
        group_adopt(&group, picture);
    else
        group_back(&group, 1, group.group_mark);
    ZSTD_freeDCtx(rebuild.zstd);
    free(rebuild.damaged);
    group_fini(&group);
    return r;
}

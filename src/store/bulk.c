/*
 * What an import brings is read again from its file after a crash, so none of it has to be durable before it is packed:
 * no frame, no pending row, no write-ahead log for it.
 *
 * All rows of a bulk arrive at one moment. So the file has no column of arrivals (it is of level 1, as if merged), and
 * the two numbers that the directory wants are known when it is committed, which leaves the directory to be written then.
 * As only the writer thread gives arrival numbers, the store is locked for the transaction alone. The file keeps its name
 * ID.tmp until that is done, as when segments are merged (store_merge.c).
 */
#include "store/bulk.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/segment_build.h"
#include "store/store_private.h"
#include "store/store_replace.h"

#define MAX_BLOCKS  64 /* a block may end early, by its bytes */
#define BLOCK_WORDS (XT_STORE_GROUP_ROWS / 64)

struct xt_bulk {
    xt_store *store;
    xt_open_block *blocks[MAX_BLOCKS];
    uint64_t *left_out[MAX_BLOCKS]; /* NULL: none of the block */
    uint32_t firsts[MAX_BLOCKS];    /* number of the block's first row */
    size_t n_blocks;
    uint32_t n_rows, n_left_out;
    size_t n_bytes; /* of blocks that are full */
    xt_open_view *views[MAX_BLOCKS];
    uint64_t id;
    char *beside; /* NULL: there is no file */
    xt_segment_writer *writer;
};

int xt_bulk_new(xt_store *store, xt_bulk **ret)
{
    xt_bulk *bulk = calloc(1, sizeof *bulk);

    if (!bulk)
        return xt_error_origin(-ENOMEM);
    bulk->store = store;
    *ret = bulk;
    return 0;
}

static void views_unref(xt_bulk *bulk)
{
    for (size_t i = 0; i < bulk->n_blocks; i++)
        bulk->views[i] = xt_open_view_unref(bulk->views[i]);
}

static void file_remove(xt_bulk *bulk)
{
    bulk->writer = xt_segment_writer_abort(bulk->writer);
    if (bulk->beside)
        bulk->store->vfs->unlink(bulk->store->vfs, bulk->beside);
    free(bulk->beside);
    bulk->beside = NULL;
}

xt_bulk *xt_bulk_free(xt_bulk *bulk)
{
    if (!bulk)
        return NULL;
    file_remove(bulk);
    views_unref(bulk);
    for (size_t i = 0; i < bulk->n_blocks; i++) {
        xt_open_block_unref(bulk->blocks[i]);
        free(bulk->left_out[i]);
    }
    free(bulk);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ rows */

static int block_begin(xt_bulk *bulk)
{
    xt_open_block *block = xt_open_block_new(1, bulk->store->seed);

    if (!block)
        return xt_error_origin(-ENOMEM);
    if (bulk->n_blocks) {
        xt_open_block *full = bulk->blocks[bulk->n_blocks - 1];
        xt_open_block_close(full);
        bulk->n_bytes += xt_open_block_bytes(full);
    }
    bulk->firsts[bulk->n_blocks] = bulk->n_rows;
    bulk->blocks[bulk->n_blocks++] = block;
    return 0;
}

int xt_bulk_add(xt_bulk *bulk, const xt_event *event)
{
    bool begins = !bulk->n_blocks || xt_open_block_is_full(bulk->blocks[bulk->n_blocks - 1]);
    int r = begins ? block_begin(bulk) : 0;

    assert(bulk->n_rows < XT_BULK_MAX_ROWS);
    if (r == 0)
        r = xt_open_block_add(bulk->blocks[bulk->n_blocks - 1], event);
    if (r < 0)
        return xt_error_trace(r);
    bulk->n_rows++;
    return 0;
}

uint32_t xt_bulk_rows(const xt_bulk *bulk)
{
    bool is_full = bulk->n_blocks == MAX_BLOCKS && xt_open_block_is_full(bulk->blocks[MAX_BLOCKS - 1]);

    return is_full ? XT_BULK_MAX_ROWS : bulk->n_rows;
}

size_t xt_bulk_bytes(const xt_bulk *bulk)
{
    return bulk->n_bytes + (bulk->n_blocks ? xt_open_block_bytes(bulk->blocks[bulk->n_blocks - 1]) : 0);
}

uint32_t xt_bulk_rows_left(const xt_bulk *bulk)
{
    return bulk->n_rows - bulk->n_left_out;
}

int xt_bulk_leave_out(xt_bulk *bulk, uint32_t row)
{
    size_t b = bulk->n_blocks - 1;

    assert(row < bulk->n_rows);
    while (bulk->firsts[b] > row)
        b--;
    if (!bulk->left_out[b])
        bulk->left_out[b] = calloc(BLOCK_WORDS, sizeof(uint64_t));
    if (!bulk->left_out[b])
        return xt_error_origin(-ENOMEM);
    row -= bulk->firsts[b];
    bulk->n_left_out += !(bulk->left_out[b][row / 64] >> row % 64 & 1);
    bulk->left_out[b][row / 64] |= UINT64_C(1) << row % 64;
    return 0;
}

static int views_make(xt_bulk *bulk)
{
    for (size_t i = 0; i < bulk->n_blocks; i++)
        if (!bulk->views[i] && !(bulk->views[i] = xt_open_view_new(bulk->blocks[i])))
            return xt_error_origin(-ENOMEM);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ hosts */

typedef struct host_tally {
    xt_slice name;
    uint64_t n_rows;
    int64_t last_ms;
} host_tally;

static void hosts_count(const xt_open_view *view, const uint64_t *left_out, host_tally *tallies)
{
    const xt_open_column *id = &view->columns[XT_F_HOST_ID], *name = &view->columns[XT_F_HOST],
                         *time = &view->columns[XT_F_TIME];

    for (uint32_t row = 0; row < view->n_rows; row++) {
        if (!id->codes[row] || (left_out && left_out[row / 64] >> row % 64 & 1))
            continue;
        host_tally *tally = &tallies[id->codes[row] - 1];
        int64_t t = time->kind == XT_COLUMN_NUMBERS ? (int64_t)time->numbers[row] : 0;
        if (tally->n_rows++ == 0 || t > tally->last_ms)
            tally->last_ms = t;
        if (name->kind == XT_COLUMN_CODES && name->codes[row])
            tally->name = name->dict[name->codes[row] - 1];
    }
}

int xt_bulk_each_host(xt_bulk *bulk,
                      int (*fn)(void *context, xt_slice host_id, xt_slice host, uint64_t n_rows, int64_t last_ms),
                      void *context)
{
    int r = views_make(bulk);

    for (size_t v = 0; v < bulk->n_blocks && r == 0; v++) {
        const xt_open_column *id = &bulk->views[v]->columns[XT_F_HOST_ID];
        if (id->kind != XT_COLUMN_CODES)
            continue;
        host_tally *tallies = calloc(id->n_dict, sizeof *tallies);
        if (!tallies)
            return xt_error_origin(-ENOMEM);
        hosts_count(bulk->views[v], bulk->left_out[v], tallies);
        for (uint32_t i = 0; i < id->n_dict && r == 0; i++)
            if (tallies[i].n_rows)
                r = fn(context, id->dict[i], tallies[i].name, tallies[i].n_rows, tallies[i].last_ms);
        free(tallies);
    }
    return r;
}

/* ------------------------------------------------------------------------------------------------ file */

static int write_beside(xt_bulk *bulk, unsigned n_threads, xt_problem *reterr_problem)
{
    xt_store *store = bulk->store;
    xt_segment_layout layout = {
        .id = bulk->id, .made_ms = xt_clock_wall_ms(store->clock), .level = 1, .is_small = true, .no_filters = true};
    int r = views_make(bulk);

    if (r == 0)
        r = xt_segment_build(store->vfs, bulk->beside, &layout, bulk->views, bulk->n_blocks,
                             (const uint64_t *const *)bulk->left_out, n_threads, &bulk->writer, reterr_problem);
    if (r == 0)
        r = xt_segment_writer_sync(bulk->writer, reterr_problem);
    return r;
}

int xt_bulk_write(xt_bulk *bulk, unsigned n_threads, xt_problem *reterr_problem)
{
    xt_store *store = bulk->store;

    assert(xt_bulk_rows_left(bulk) > 0 && !bulk->beside);
    pthread_mutex_lock(&store->write_lock);
    bulk->id = store->next_segment++;
    pthread_mutex_unlock(&store->write_lock);
    bulk->beside = xt_store_segment_path(store, bulk->id, ".tmp");
    int r = bulk->beside ? write_beside(bulk, n_threads, reterr_problem) : xt_error_origin(-ENOMEM);
    if (r < 0)
        file_remove(bulk);
    xt_store_note_error(store, r);
    return r;
}

/* ------------------------------------------------------------------------------------------------ commit */

/* What the commit enters. */
typedef struct bulk_batch {
    xt_pending_stream stream;
    xt_digest digest;
    xt_segment *segment;
} bulk_batch;

static int ledger_put(const xt_bulk *bulk, const bulk_batch *batch, xt_problem *reterr_problem)
{
    const xt_segment_info *info = xt_segment_info_get(batch->segment);
    xt_ledger_row row = {
        .kind = XT_LEDGER_RECEIVED,
        .at_ms = info->made_ms,
        .n_events = info->n_rows,
        .first_arrival = info->first_arrival,
        .subject = batch->stream.stream,
        .first = batch->stream.number,
        .last = batch->stream.number,
        .hash = info->hash,
    };
    int r = xt_pending_put_ledger(bulk->store->pending, &row, reterr_problem);

    row.kind = XT_LEDGER_SEALED;
    row.subject = (xt_hash128){{0}};
    row.first = row.last = info->id;
    row.digest = batch->digest;
    return r == 0 ? xt_pending_put_ledger(bulk->store->pending, &row, reterr_problem) : r;
}

static int catalog_put(const xt_bulk *bulk, const bulk_batch *batch, xt_problem *reterr_problem)
{
    xt_pending *pending = bulk->store->pending;
    xt_pending_segment row = xt_store_catalog_row(xt_segment_info_get(batch->segment));
    int r = xt_pending_begin(pending, reterr_problem);

    if (r == 0)
        r = xt_pending_add_segment(pending, &row, reterr_problem);
    if (r == 0)
        r = xt_pending_put_stream(pending, &batch->stream, reterr_problem);
    if (r == 0)
        r = xt_pending_set_watermark(pending, batch->stream.stream, batch->stream.number, reterr_problem);
    if (r == 0)
        r = ledger_put(bulk, batch, reterr_problem);
    if (r == 0)
        r = xt_pending_commit(pending, reterr_problem);
    if (r < 0)
        xt_pending_rollback(pending);
    return r;
}

/* The picture of now, and the segment. */
static int picture_with(const xt_store *store, xt_segment *segment, xt_picture **ret)
{
    const xt_picture *now = store->picture;
    xt_segment_list *list = xt_segment_list_with(now->segments, segment);

    if (!list)
        return xt_error_origin(-ENOMEM);
    *ret = xt_picture_new(list, now->views, now->n_views, xt_segment_info_get(segment)->last_arrival);
    xt_segment_list_unref(list);
    return *ret ? 0 : xt_error_origin(-ENOMEM);
}

/* Rows of the tail have consecutive arrivals: what comes next begins another one. */
static void show(xt_store *store, xt_stream *stream, const bulk_batch *batch, xt_picture *picture)
{
    stream->number = stream->sealed_number = batch->stream.number;
    stream->hash = batch->stream.hash;
    stream->owner = xt_slice_hash128(batch->stream.host_id);
    if (store->tail)
        xt_open_block_close(store->tail);
    store->tail = xt_open_block_unref(store->tail);
    store->next_arrival = picture->last_arrival + 1;
    xt_picture_swap(store, picture);
}

/* Under the write lock. *ret_tried: the catalog may name the file, whatever is returned. */
static int commit_locked(xt_bulk *bulk, const bulk_batch *batch, bool *ret_tried, xt_problem *reterr_problem)
{
    xt_store *store = bulk->store;
    xt_picture *picture = NULL;
    xt_stream *stream = NULL;
    int r = xt_stream_get(store, batch->stream.stream, &stream);

    if (r == 0 && batch->stream.number != stream->number + 1)
        r = xt_error_origin(-EINVAL);
    if (r == 0)
        r = picture_with(store, batch->segment, &picture);
    if (r == 0) {
        *ret_tried = true;
        r = catalog_put(bulk, batch, reterr_problem);
        if (r < 0)
            xt_store_commit_failed(store, bulk->id);
    }
    if (r != 0) {
        xt_picture_unref(picture);
        return xt_error_trace(r);
    }
    xt_store_commit_done(store);
    show(store, stream, batch, picture);
    return 0;
}

/* The directory, with the arrivals that come next; then the file is read as a segment. */
static int file_end(xt_bulk *bulk, bulk_batch *batch, xt_problem *reterr_problem)
{
    xt_store *store = bulk->store;
    xt_segment_writer *writer = bulk->writer;
    xt_segment_info info;

    xt_segment_writer_set_arrivals(writer, store->next_arrival, store->next_arrival + xt_bulk_rows_left(bulk) - 1);
    bulk->writer = NULL;
    int r = xt_segment_writer_close(writer, &info, reterr_problem);
    if (r == 0)
        r = xt_digest_of_file(store->vfs, bulk->beside, &batch->digest, NULL);
    if (r == 0)
        r = store->vfs->sync_folder(store->vfs, store->segments_dir);
    if (r == 0)
        r = xt_segment_open(store->vfs, bulk->beside, &batch->segment, reterr_problem);
    if (r == 0)
        batch->stream.hash = info.hash;
    return r > 0 ? xt_error_origin(-EIO) : r;
}

int xt_bulk_commit(xt_bulk *bulk, xt_hash128 stream, uint64_t number, xt_slice host_id, uint64_t *ret_last_arrival,
                   xt_problem *reterr_problem)
{
    xt_store *store = bulk->store;
    bulk_batch batch = {.stream = {.stream = stream, .number = number, .host_id = host_id}};
    bool tried = false;

    if (xt_store_is_full(store)) {
        xt_problem_set(reterr_problem, "the disk is full: no event is accepted until there is room");
        return xt_error_origin(-ENOSPC);
    }
    int r = file_end(bulk, &batch, reterr_problem);
    if (r == 0) {
        pthread_mutex_lock(&store->write_lock);
        r = commit_locked(bulk, &batch, &tried, reterr_problem);
        pthread_mutex_unlock(&store->write_lock);
    }
    if (r == 0) {
        if (xt_store_name_file(store, bulk->id)) /* what fails here is done when the store is opened */
            (void)store->vfs->sync_folder(store->vfs, store->segments_dir);
        *ret_last_arrival = xt_segment_info_get(batch.segment)->last_arrival;
    } else if (!tried) {
        file_remove(bulk);
    }
    free(bulk->beside);
    bulk->beside = NULL;
    xt_segment_unref(batch.segment);
    xt_store_note_error(store, r);
    if (r < 0 && !xt_problem_is_set(reterr_problem))
        xt_problem_set(reterr_problem, "storing a segment failed: %s", strerror(-r));
    return r;
}

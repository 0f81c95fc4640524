/*
 * Pending rows become open blocks again, under the arrival numbers that they had. A row whose checksum does not hold, or
 * that cannot be unpacked or decoded, is set aside: named, kept, and out of the way of sealing.
 */
#include <errno.h>
#include <stdlib.h>

#include "event/batch_codec.h"
#include "store/growth.h"

typedef struct rebuild_state {
    xt_growth *growth;
    uint64_t n_rows;  /* sound ones */
    int64_t *damaged; /* rows to be set aside */
    size_t n_damaged, cap_damaged;
} rebuild_state;

/* The canonical batch of a row; false when it cannot be had. */
static bool frame_open(const rebuild_state *rebuild, const xt_pending_row *row, xt_slice *ret)
{
    xt_store *store = rebuild->growth->store;

    if (row->codec == XT_CODEC_PLAIN) {
        *ret = row->frame;
        return true;
    }
    xt_buf_reset(&store->scratch);
    if (xt_codec_unpack(row->codec, row->frame, XT_GROWTH_MAX_BATCH_BYTES, &store->scratch) != 0)
        return false;
    *ret = xt_buf_slice(&store->scratch);
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

static int on_row(void *context, const xt_pending_row *row, bool intact)
{
    rebuild_state *rebuild = context;
    xt_growth *growth = rebuild->growth;
    xt_slice events;

    /* Of a row that is not intact nothing is believed; one out of its order is in a segment, or another came before it. */
    if (!intact || row->first_arrival < growth->next_arrival || row->first_arrival > XT_PENDING_MAX_NUMBER)
        return damaged_add(rebuild, row->id);
    int r = xt_growth_skip_to(growth, row->first_arrival);
    if (r < 0)
        return xt_error_trace(r);
    r = frame_open(rebuild, row, &events) ? xt_growth_add(growth, events, row->derived, row->n_events, NULL)
                                          : XT_STORE_E_CORRUPT;
    if (r == 0)
        rebuild->n_rows++;
    return r <= 0 ? r : damaged_add(rebuild, row->id);
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

static int rebuild_run(rebuild_state *rebuild, xt_problem *reterr_problem)
{
    xt_store *store = rebuild->growth->store;
    xt_picture *picture = NULL;
    int r = xt_pending_each_row(store->pending, on_row, rebuild, reterr_problem);
    uint64_t last_arrival = xt_pending_marks_get(store->pending).last_arrival;

    if (r == 0 && rebuild->growth->next_arrival <= last_arrival)
        r = xt_growth_skip_to(rebuild->growth, last_arrival + 1);
    if (r == 0)
        r = damaged_set_aside(store, rebuild, reterr_problem);
    if (r == 0)
        r = xt_growth_picture(rebuild->growth, &picture);
    if (r < 0) {
        xt_growth_undo(rebuild->growth);
        return xt_error_trace(r);
    }
    xt_growth_adopt(rebuild->growth, picture);
    atomic_fetch_add(&store->n_pending_rows, rebuild->n_rows);
    return 0;
}

int xt_store_rebuild(xt_store *store, xt_problem *reterr_problem)
{
    xt_growth growth;
    int r = xt_growth_init(&growth, store);

    if (r < 0)
        return xt_error_trace(r);
    rebuild_state rebuild = {.growth = &growth};
    r = rebuild_run(&rebuild, reterr_problem);
    free(rebuild.damaged);
    xt_growth_fini(&growth);
    return r;
}

/*
 * What is built stands in the blocks themselves, behind the rows that any view shows, so that showing it costs a
 * picture and taking it back a mark.
 *
 * SERVER fields in a host's own bytes are left out: only what the server derived may set them.
 */
#include "store/growth.h"

#include <errno.h>
#include <stdlib.h>

#include "store/derived.h"

static int block_add(xt_growth *growth, xt_open_block *block)
{
    if (!block)
        return xt_error_origin(-ENOMEM);
    if (growth->n_blocks == growth->cap_blocks) {
        size_t cap = growth->cap_blocks ? growth->cap_blocks * 2 : 4;
        xt_open_block **blocks = reallocarray(growth->blocks, cap, sizeof *blocks);
        if (!blocks) {
            xt_open_block_unref(block);
            return xt_error_origin(-ENOMEM);
        }
        growth->blocks = blocks;
        growth->cap_blocks = cap;
    }
    growth->blocks[growth->n_blocks++] = block;
    return 0;
}

static int row_add(xt_growth *growth, const xt_event *event)
{
    xt_open_block *block = growth->blocks[growth->n_blocks - 1];

    if (xt_open_block_is_full(block)) {
        int r = block_add(growth, xt_open_block_new(growth->next_arrival, growth->store->seed));
        if (r < 0)
            return xt_error_trace(r);
        block = growth->blocks[growth->n_blocks - 1];
    }
    int r = xt_open_block_add(block, event);
    if (r == 0)
        growth->next_arrival++;
    return r;
}

/* The SERVER fields of the table as bits of a field set, by its words. */
static const xt_field_set of_server = {{
#define X(symbol, id, ecs, type, alias, sigma, flags, help) \
    | ((XT_##flags & XT_SERVER) && (id) < 64 ? UINT64_C(1) << ((id)&63) : 0)
    0 XT_FIELDS(X),
#undef X
#define X(symbol, id, ecs, type, alias, sigma, flags, help) \
    | ((XT_##flags & XT_SERVER) && (id) >= 64 ? UINT64_C(1) << ((id)&63) : 0)
    0 XT_FIELDS(X),
#undef X
}};

static void leave_server_fields_out(xt_event *event)
{
    for (size_t i = 0; i < XT_COUNT_OF(of_server.bits); i++)
        event->present.bits[i] &= ~of_server.bits[i];
}

int xt_growth_corrupt(xt_problem *reterr_problem, const char *what)
{
    xt_problem_set(reterr_problem, "the batch is damaged: %s", what);
    return XT_STORE_E_CORRUPT;
}

static int event_decode(xt_slice bytes, xt_event *event, xt_problem *reterr_problem)
{
    int r = xt_event_decode(bytes, event, reterr_problem);

    return r == XT_EVENT_E_CORRUPT ? XT_STORE_E_CORRUPT : r == XT_EVENT_E_NEWER ? XT_STORE_E_NEWER : r;
}

static int events_add(xt_growth *growth, xt_slice events, xt_slice derived, uint64_t n_events,
                      xt_problem *reterr_problem)
{
    xt_derived_reader reader;
    xt_event event;
    xt_slice bytes;
    uint64_t n = 0;

    if (xt_derived_read(derived, &reader) != 0)
        return xt_growth_corrupt(reterr_problem, "its derived fields cannot be read");
    for (; xt_event_batch_next(&events, &bytes); n++) {
        int r = n < n_events ? event_decode(bytes, &event, reterr_problem)
                             : xt_growth_corrupt(reterr_problem, "it holds more events than it says");
        if (r != 0)
            return r;
        leave_server_fields_out(&event);
        if (xt_derived_apply(&reader, n, &event) != 0)
            return xt_growth_corrupt(reterr_problem, "its derived fields cannot be read");
        r = row_add(growth, &event);
        if (r < 0)
            return xt_error_trace(r);
    }
    if (events.n || n != n_events || reader.ready)
        return xt_growth_corrupt(reterr_problem, "its bytes and its count do not hold together");
    return 0;
}

/* Drops the blocks begun since and goes back in the one that was the last then. */
static void go_back(xt_growth *growth, size_t n_blocks, const xt_open_mark *mark, uint64_t next_arrival)
{
    while (growth->n_blocks > n_blocks)
        xt_open_block_unref(growth->blocks[--growth->n_blocks]);
    xt_open_block_back(growth->blocks[n_blocks - 1], mark);
    growth->next_arrival = next_arrival;
}

int xt_growth_add(xt_growth *growth, xt_slice events, xt_slice derived, uint64_t n_events, xt_problem *reterr_problem)
{
    size_t n_blocks = growth->n_blocks;
    uint64_t arrival = growth->next_arrival;

    xt_open_mark_set(growth->batch, growth->blocks[n_blocks - 1]);
    int r = events_add(growth, events, derived, n_events, reterr_problem);
    if (r > 0)
        go_back(growth, n_blocks, growth->batch, arrival);
    return r;
}

int xt_growth_skip_to(xt_growth *growth, uint64_t arrival)
{
    if (arrival == growth->next_arrival)
        return 0;
    growth->next_arrival = arrival;
    return block_add(growth, xt_open_block_new(arrival, growth->store->seed));
}

void xt_growth_undo(xt_growth *growth)
{
    go_back(growth, 1, growth->start, growth->store->next_arrival);
}

void xt_growth_fini(xt_growth *growth)
{
    xt_open_mark_free(growth->start);
    xt_open_mark_free(growth->batch);
    free(growth->blocks);
}

int xt_growth_init(xt_growth *growth, xt_store *store)
{
    *growth = (xt_growth){.store = store, .next_arrival = store->next_arrival};
    if (!store->tail || xt_open_block_is_full(store->tail)) {
        xt_open_block_unref(store->tail);
        store->tail = xt_open_block_new(store->next_arrival, store->seed);
    }
    if (!store->tail)
        return xt_error_origin(-ENOMEM);
    growth->start = xt_open_mark_new(store->tail);
    growth->batch = xt_open_mark_new(store->tail);
    growth->blocks = calloc(4, sizeof *growth->blocks);
    if (!growth->start || !growth->batch || !growth->blocks) {
        xt_growth_fini(growth);
        return xt_error_origin(-ENOMEM);
    }
    growth->cap_blocks = 4;
    growth->blocks[growth->n_blocks++] = store->tail;
    return 0;
}

/* A picture with what was built: the views before it, but the tail's, and new ones of the blocks touched. */
int xt_growth_picture(const xt_growth *growth, xt_picture **ret)
{
    const xt_picture *old = growth->store->picture;
    size_t keep = old->n_views, n = 0;

    if (keep && old->views[keep - 1]->block == growth->blocks[0])
        keep--;
    xt_open_view **views = calloc(keep + growth->n_blocks, sizeof *views);
    if (!views)
        return xt_error_origin(-ENOMEM);
    for (; n < keep; n++)
        views[n] = xt_open_view_ref(old->views[n]);
    bool failed = false;
    for (size_t i = 0; i < growth->n_blocks && !failed; i++) {
        if (xt_open_block_rows(growth->blocks[i]) == 0)
            continue;
        views[n] = xt_open_view_new(growth->blocks[i]);
        failed = !views[n++];
    }
    xt_picture *picture = failed ? NULL : xt_picture_new(old->segments, views, n, growth->next_arrival - 1);
    for (size_t i = 0; i < n; i++)
        xt_open_view_unref(views[i]);
    free(views);
    if (!picture)
        return xt_error_origin(-ENOMEM);
    *ret = picture;
    return 0;
}

/* The last block is the tail now, the others are left to their views. */
void xt_growth_adopt(xt_growth *growth, xt_picture *picture)
{
    xt_store *store = growth->store;

    for (size_t i = 0; i + 1 < growth->n_blocks; i++) {
        xt_open_block_close(growth->blocks[i]);
        xt_open_block_unref(growth->blocks[i]);
    }
    store->tail = growth->blocks[growth->n_blocks - 1];
    if (store->next_arrival != growth->next_arrival && store->oldest_open_ms == 0)
        store->oldest_open_ms = xt_clock_mono_ms(store->clock);
    store->next_arrival = growth->next_arrival;
    xt_picture_swap(store, picture);
}

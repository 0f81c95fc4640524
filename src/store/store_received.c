/* All of the ledger is read, for the chain and the numbers are proved from their beginning, or not at all. */
#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "store/store_private.h"

typedef struct receiving {
    xt_slice host_id;
    int64_t from_ms;
    xt_map streams; /* of the host: xt_received by their id, which points into the value */
    bool chained;
} receiving;

typedef struct stream_end {
    xt_received of;
    uint64_t number;
} stream_end;

static int on_stream(void *context, const xt_pending_stream *stream)
{
    receiving *c = context;

    if (!xt_slice_eq(stream->host_id, c->host_id))
        return 0;
    stream_end *end = calloc(1, sizeof *end);
    if (!end)
        return xt_error_origin(-ENOMEM);
    end->of.stream = stream->stream;
    int r = xt_map_put(&c->streams, xt_slice_of(end->of.stream.b, sizeof end->of.stream.b), end, NULL);
    if (r < 0)
        free(end);
    return xt_error_trace(r);
}

static int on_ledger(void *context, const xt_ledger_head *at, const xt_ledger_row *row, bool chained)
{
    receiving *c = context;

    c->chained &= chained;
    if (row->kind != XT_LEDGER_RECEIVED)
        return 0;
    stream_end *end = xt_map_find(&c->streams, xt_slice_of(row->subject.b, sizeof row->subject.b));
    if (!end)
        return 0;
    end->of.n_missing += row->first > end->number + 1 ? row->first - end->number - 1 : 0;
    end->number = row->last;
    if (row->at_ms < c->from_ms)
        return 0;
    if (!end->of.last) {
        end->of.first = row->first;
        end->of.first_ms = row->at_ms;
    }
    end->of.last = row->last;
    end->of.last_ms = row->at_ms;
    end->of.hash = row->hash;
    end->of.n_events += row->n_events;
    return 0;
}

static int tell(receiving *c, int (*fn)(void *context, const xt_received *received), void *context)
{
    size_t i = 0;
    int r = 0;

    for (xt_map_entry *entry; r == 0 && (entry = xt_map_next(&c->streams, &i)) != NULL;) {
        stream_end *end = entry->value;
        end->of.chained = c->chained;
        if (end->of.last)
            r = fn(context, &end->of);
    }
    return r;
}

int xt_store_each_received(xt_store *store, xt_slice host_id, int64_t from_ms,
                           int (*fn)(void *context, const xt_received *received), void *context,
                           xt_problem *reterr_problem)
{
    receiving c = {.host_id = host_id, .from_ms = from_ms, .streams = XT_MAP_INIT, .chained = true};
    xt_pending *snapshot = NULL;
    int r = xt_store_snapshot(store, &snapshot, reterr_problem);

    if (r == 0)
        r = xt_pending_each_stream(snapshot, on_stream, &c, reterr_problem);
    if (r == 0)
        r = xt_pending_each_ledger(snapshot, on_ledger, &c, reterr_problem);
    if (r == 0)
        r = tell(&c, fn, context);
    size_t i = 0;
    for (xt_map_entry *entry; (entry = xt_map_next(&c.streams, &i)) != NULL;)
        free(entry->value);
    xt_map_fini(&c.streams);
    xt_pending_close(snapshot);
    return r;
}

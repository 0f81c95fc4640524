/*
 * bench/generate/sink - where generated events go
 *
 * Shape:     a sink takes events one by one; finish ends it. Lines go to a file descriptor, batches to a file or into a
 *            data folder, rows into SQLite.
 * Errors:    <0 errno, with a problem from those that open something.
 * Threads:   one at a time; the sink of a data folder has a thread of its own that stores, and one that seals.
 */
#pragma once
#include "fleet.h"

typedef struct xt_sink xt_sink;
struct xt_sink {
    int (*put)(xt_sink *sink, unsigned host, const xt_event *event);
    int (*finish)(xt_sink *sink, xt_problem *reterr_problem); /* flushes; may be NULL */
    void (*free)(xt_sink *sink);
};

/* format: text, ndjson, columns or none. */
XT_MUST_USE int xt_sink_lines_open(const char *format, int fd, xt_sink **ret, xt_problem *reterr_problem);
/* A table `events` with the columns of columns.h. */
XT_MUST_USE int xt_sink_sqlite_open(const char *path, xt_sink **ret, xt_problem *reterr_problem);

/*
 * Batches as agents cut them: of `most` events, or of what an hour brought.
 * File: per batch u32 LE number of the host, u32 LE events, u32 LE bytes, then the payload of a BATCH frame.
 */
XT_MUST_USE int xt_sink_batches_open(int fd, unsigned most, xt_sink **ret, xt_problem *reterr_problem);
/* Through the store's own append, sealed at the end. host_id: text of each host. */
XT_MUST_USE int xt_sink_store_open(const char *data, const xt_fleet *fleet, unsigned most, xt_sink **ret,
                                   xt_problem *reterr_problem);

static inline int xt_sink_put(xt_sink *sink, unsigned host, const xt_event *event)
{
    return sink->put(sink, host, event);
}

/*
 * server/writer - one thread that makes batches durable, of each host in the order in which they came
 *
 * Shape:     a bounded queue of batch payloads, of the hosts in turn (server/fair_queue). The thread takes what is there up to a bound, decodes, tags noise, matches
 *            rules, appends all of it as one commit, writes the alerts, then calls done for each.
 * Errors:    done gets what xt_app_ingest says. put: -EAGAIN when the queue is full and the caller does not wait.
 * Ownership: put copies the payload; events, where given, are taken (the buf is empty afterwards).
 * Threads:   put from any; done on the writer's thread, which must not wait for long there.
 * Limits:    those of the queue.
 */
#pragma once
#include "server/app.h"

typedef struct xt_writer xt_writer;

typedef struct xt_writer_put_args {
    xt_slice host_id; /* whose events these must be; empty: an import, each event names its host */
    xt_slice payload;
    xt_buf *events; /* the canonical events of the payload where the caller has them, else NULL */
    xt_app_done_fn done;
    void *context;
    bool wait; /* for room in the queue */
} xt_writer_put_args;

XT_MUST_USE int xt_writer_open(xt_app *app, xt_writer **ret);
xt_writer *xt_writer_close(xt_writer *writer); /* finishes what is in the queue */
XT_MUST_USE int xt_writer_put(xt_writer *writer, const xt_writer_put_args *args);
/* May this host put one now? Asked before a batch is unpacked or copied for nothing. */
bool xt_writer_admits(xt_writer *writer, xt_slice host_id);
/*
 * 0; or, when the queue has been full for some seconds and will take some more to be worked off, about how many ms: who is new
 * had better come later.
 */
uint64_t xt_writer_busy_ms(xt_writer *writer);

/* Has the queue been full, and is still more than half full? */
bool xt_writer_is_behind(xt_writer *writer);

typedef struct xt_writer_put_bulk_args {
    struct xt_bulk *bulk;       /* written; borrowed until done */
    struct xt_ingest_hit *hits; /* of the rows that stay; the same */
    xt_hash128 stream;
    uint64_t number;
    uint64_t *ret_last_arrival; /* set before done, when it is stored */
    xt_app_done_fn done;
    void *context;
} xt_writer_put_bulk_args;
/* Commits a bulk in its turn, and raises its alerts; waits for room in the queue. */
XT_MUST_USE int xt_writer_put_bulk(xt_writer *writer, const xt_writer_put_bulk_args *args);

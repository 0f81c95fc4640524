/*
 * server/fair_queue - batches that wait for the writer, a lane a host, taken in turn
 *
 * Shape:     whoever sends much waits behind himself: the writer takes batches of the hosts that have any in turn, a small one in
 *            each turn and a big one for the turns that it needs by what it costs, in the order of coming within a host. A host that
 *            has none waiting is let in when the queue is full, too.
 * Units:     bytes of a batch are those that wait, packed; its cost is the writer's work (server/ingest).
 * Errors:    put: -EAGAIN when there is no room for this host now; -ENOMEM.
 * Ownership: a job that was put is the queue's until it is taken.
 * Threads:   one at a time.
 * Limits:    XT_FAIR_QUEUE_JOBS and _BYTES; from half of that on a host has no more than its share; twice that is never passed but
 *            by one batch. Of a host XT_FAIR_QUEUE_COST, passed by one batch at most.
 */
#pragma once
#include "base/map.h"
#include "server/ingest.h"

#define XT_FAIR_QUEUE_JOBS  ((size_t)4096)
#define XT_FAIR_QUEUE_BYTES ((size_t)16 << 20)
#define XT_FAIR_QUEUE_COST  ((size_t)64 << 20)
#define XT_FAIR_TURN_COST   ((size_t)16 << 10) /* that each turn gives */

typedef struct xt_fair_lane xt_fair_lane;
typedef struct xt_fair_queue {
    xt_map lanes;              /* host id -> lane with jobs */
    xt_fair_lane *turn, **end; /* in the order in which they are served */
    size_t n_jobs, n_bytes, cost;
} xt_fair_queue;

void xt_fair_queue_init(xt_fair_queue *queue);
void xt_fair_queue_fini(xt_fair_queue *queue); /* frees the jobs that are left */
/* May this host put another one? */
bool xt_fair_queue_admits(const xt_fair_queue *queue, xt_slice host_id);
/* Is there room only for hosts that have none waiting? */
bool xt_fair_queue_is_full(const xt_fair_queue *queue);
XT_MUST_USE int xt_fair_queue_put(xt_fair_queue *queue, xt_ingest_job *job);
/* The next in turn; NULL: there is none. */
xt_ingest_job *xt_fair_queue_take(xt_fair_queue *queue);

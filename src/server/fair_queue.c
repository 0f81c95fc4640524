#include "server/fair_queue.h"

#include <errno.h>
#include <stdlib.h>

#include "server/secret.h"

enum { JOB_COST = 4096 }; /* what a batch costs beside its events: as much as six of them */

struct xt_fair_lane {
    xt_fair_lane *next;
    size_t credit; /* that its turns have given it and that it has not used */
    size_t cost;   /* of what waits */
    xt_ingest_job *first, **end;
    size_t n;
    char host_id[33];
};

void xt_fair_queue_init(xt_fair_queue *queue)
{
    *queue = (xt_fair_queue){.lanes = XT_MAP_INIT};
    queue->end = &queue->turn;
}

void xt_fair_queue_fini(xt_fair_queue *queue)
{
    for (xt_ingest_job *job; (job = xt_fair_queue_take(queue)) != NULL;)
        xt_ingest_job_free(job);
    xt_map_fini(&queue->lanes);
}

bool xt_fair_queue_is_full(const xt_fair_queue *queue)
{
    return queue->n_jobs >= XT_FAIR_QUEUE_JOBS || queue->n_bytes >= XT_FAIR_QUEUE_BYTES;
}

bool xt_fair_queue_admits(const xt_fair_queue *queue, xt_slice host_id)
{
    const xt_fair_lane *lane = xt_map_find(&queue->lanes, host_id);

    if (!lane)
        return queue->n_jobs < 2 * XT_FAIR_QUEUE_JOBS && queue->n_bytes < 2 * XT_FAIR_QUEUE_BYTES;
    if (xt_fair_queue_is_full(queue) || lane->cost >= XT_FAIR_QUEUE_COST)
        return false;
    if (queue->n_jobs < XT_FAIR_QUEUE_JOBS / 2 && queue->n_bytes < XT_FAIR_QUEUE_BYTES / 2)
        return true;
    return lane->n < XT_FAIR_QUEUE_JOBS / queue->lanes.n;
}

static xt_fair_lane *lane_new(xt_fair_queue *queue, xt_slice host_id)
{
    xt_fair_lane *lane = calloc(1, sizeof *lane);

    if (!lane)
        return NULL;
    xt_text_copy(lane->host_id, sizeof lane->host_id, host_id);
    lane->end = &lane->first;
    if (xt_map_put(&queue->lanes, xt_slice_str(lane->host_id), lane, NULL) < 0) {
        free(lane);
        return NULL;
    }
    *queue->end = lane;
    queue->end = &lane->next;
    return lane;
}

int xt_fair_queue_put(xt_fair_queue *queue, xt_ingest_job *job)
{
    xt_slice host_id = xt_slice_str(job->host_id);

    if (!xt_fair_queue_admits(queue, host_id))
        return -EAGAIN; /* an everyday answer */
    xt_fair_lane *lane = xt_map_find(&queue->lanes, host_id);
    if (!lane)
        lane = lane_new(queue, host_id);
    if (!lane)
        return xt_error_origin(-ENOMEM);
    job->next = NULL;
    *lane->end = job;
    lane->end = &job->next;
    lane->n++;
    queue->n_jobs++;
    queue->n_bytes += job->payload.n;
    lane->cost += job->cost;
    queue->cost += job->cost;
    return 0;
}

static void to_end(xt_fair_queue *queue, xt_fair_lane *lane)
{
    lane->next = NULL;
    *queue->end = lane;
    queue->end = &lane->next;
}

static xt_fair_lane *first_lane(xt_fair_queue *queue)
{
    xt_fair_lane *lane = queue->turn;

    queue->turn = lane->next;
    if (!queue->turn)
        queue->end = &queue->turn;
    return lane;
}

/* The next that can pay for its job: whoever is alone pays at once, who has others beside him saves over some turns. */
static xt_fair_lane *next_lane(xt_fair_queue *queue)
{
    for (;;) {
        xt_fair_lane *lane = first_lane(queue);
        size_t cost = JOB_COST + lane->first->cost;
        lane->credit += XT_FAIR_TURN_COST;
        if (lane->credit >= cost || !queue->turn) {
            size_t left = lane->credit > cost ? lane->credit - cost : 0;
            lane->credit = left < XT_FAIR_TURN_COST ? left : XT_FAIR_TURN_COST;
            return lane;
        }
        to_end(queue, lane);
    }
}

xt_ingest_job *xt_fair_queue_take(xt_fair_queue *queue)
{
    if (!queue->turn)
        return NULL;
    xt_fair_lane *lane = next_lane(queue);
    xt_ingest_job *job = lane->first;
    lane->first = job->next;
    lane->n--;
    lane->cost -= job->cost;
    if (lane->first) {
        to_end(queue, lane);
    } else {
        xt_map_remove(&queue->lanes, xt_slice_str(lane->host_id));
        free(lane);
    }
    queue->n_jobs--;
    queue->n_bytes -= job->payload.n;
    queue->cost -= job->cost;
    job->next = NULL;
    return job;
}

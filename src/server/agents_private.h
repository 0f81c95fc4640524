/*
 * server/agents_private - the listener's inside, for agents.c, agent_link.c and agent_frames.c
 *
 * Threads:   all of it is the loop's but what stands behind `lock`.
 */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "server/agent_link.h"
#include "server/gather.h"

/* What the writer said of a batch. */
typedef struct xt_agent_outcome {
    xt_agent_link *link;
    int outcome;
    uint64_t number;
} xt_agent_outcome;

#define XT_AGENTS_PIECE_BYTES (64 << 10)

struct xt_agents {
    xt_app *app;
    struct event_base *base;
    SSL_CTX *context;
    uint64_t generation; /* of the CAs that the context is of */
    atomic_bool fleet_changed;
    int listen_fd;
    struct event *listener;
    int port;
    xt_agent_link *links;
    xt_agent_link *paused_first, *paused_last; /* the first was paused first */
    xt_agent_link *new_first, *new_last;       /* links without a hello, the oldest first */
    size_t n_new, max_new;
    int frame_s;                /* for a message from its first byte to its last, and more for a long one */
    int64_t crowded_ms;         /* monotonic; when it was said last that there are too many of them */
    xt_map by_host;             /* host id -> talking link */
    xt_gather gather;
    struct event *retry;        /* for paused links and a listener that is out of descriptors */
    struct event *look;         /* at what takes too long */
    char *piece;                /* where links read to */
    struct event *policy;       /* looks whether orders changed, and sends some of them at a time */
    uint64_t policy_generation; /* all links have been looked at since it was that */

    int wake_fd; /* eventfd: outcomes are there */
    struct event *wake;
    pthread_mutex_t lock;
    pthread_cond_t settled;
    xt_agent_outcome *outcomes;
    size_t n_outcomes, cap_outcomes;
    size_t n_waiting; /* batches with the writer */
};

/* Hands a batch to the writer; -EAGAIN: not now. */
XT_MUST_USE int xt_agents_ingest(xt_agent_link *link, xt_slice payload);
/* Has the retry timer look at paused links soon. */
void xt_agents_retry_later(xt_agents *agents);

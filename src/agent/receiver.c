/*
 * How it works: while nothing comes, the thread sleeps in poll. After the first records it rests for some milliseconds
 * between drains, so that a burst of execs costs a wake-up per drain and not one per record; the socket's buffer
 * holds far more than can come meanwhile. A drain that filled its batch goes on at once.
 */
#include "agent/receiver.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define REST_NS     (8 * 1000 * 1000L)
#define WAIT_MAX_MS 500 /* how long a stop may have to wait */

struct xt_receiver {
    pthread_t thread;
    xt_netlink *nl;
    xt_ring *ring;
    atomic_bool stop;
};

/* How many records came. */
static size_t drain(xt_receiver *receiver, int timeout_ms)
{
    const xt_netlink_message *messages;
    size_t n = 0;
    if (xt_netlink_receive(receiver->nl, timeout_ms, &messages, &n, NULL) < 0) {
        nanosleep(&(struct timespec){.tv_nsec = REST_NS}, NULL);
        return 0;
    }
    xt_netlink_counters counters = xt_netlink_counters_get(receiver->nl);
    if (n > 0)
        xt_ring_put(receiver->ring, messages, n, &counters);
    return n;
}

static void *run(void *context)
{
    xt_receiver *receiver = context;
    while (!atomic_load(&receiver->stop)) {
        size_t n = drain(receiver, WAIT_MAX_MS);
        while (n == XT_NETLINK_BATCH)
            n = drain(receiver, 0);
        if (n > 0)
            nanosleep(&(struct timespec){.tv_nsec = REST_NS}, NULL);
    }
    while (drain(receiver, 0) > 0) {
    }
    return NULL;
}

int xt_receiver_start(xt_netlink *nl, xt_ring *ring, xt_receiver **ret)
{
    xt_receiver *receiver = calloc(1, sizeof *receiver);
    if (!receiver)
        return xt_error_origin(-ENOMEM);
    receiver->nl = nl;
    receiver->ring = ring;
    int r = pthread_create(&receiver->thread, NULL, run, receiver);
    if (r != 0) {
        free(receiver);
        return xt_error_origin(-r);
    }
    *ret = receiver;
    return 0;
}

xt_receiver *xt_receiver_stop(xt_receiver *receiver)
{
    if (!receiver)
        return NULL;
    atomic_store(&receiver->stop, true);
    pthread_join(receiver->thread, NULL);
    free(receiver);
    return NULL;
}

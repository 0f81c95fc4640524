/*
 * How it works: while nothing comes, the thread sleeps in poll. When something does it rests for some milliseconds and
 * then takes everything at once, so that an exec with its six records, or a burst of them, costs one wake-up of this
 * thread and one of the main thread. The socket's buffer holds far more than can come meanwhile.
 */
#include "agent/receiver.h"

#include <errno.h>
#include <poll.h>
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

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = REST_NS}, NULL);
}

/* Everything that stands in the socket. */
static void drain(xt_receiver *receiver)
{
    const xt_netlink_message *messages;
    size_t n;
    do {
        n = 0;
        if (xt_netlink_receive(receiver->nl, 0, &messages, &n, NULL) < 0)
            return;
        xt_netlink_counters counters = xt_netlink_counters_get(receiver->nl);
        if (n > 0)
            xt_ring_put(receiver->ring, messages, n, &counters);
    } while (n > 0);
}

static void *run(void *context)
{
    xt_receiver *receiver = context;
    struct pollfd fd = {.fd = xt_netlink_fd(receiver->nl), .events = POLLIN};
    while (!atomic_load(&receiver->stop)) {
        drain(receiver);
        if (poll(&fd, 1, WAIT_MAX_MS) > 0)
            rest();
    }
    drain(receiver);
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

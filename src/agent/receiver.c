/*
 * How it works: while nothing comes, the thread sleeps in poll. When something does it rests for some milliseconds and
 * then takes everything at once, so that an exec with its six records, or a burst of them, costs one wake-up of this
 * thread and one of the main thread. The sockets' buffers hold far more than can come meanwhile. The first message after
 * a silence is taken sooner, for what /proc still says of a process is read when its message is, and it may live for a
 * millisecond only; on a busy host the rests are long and follow each other without poll, since a wake-up of both threads
 * costs as much as some execs.
 *
 * What the main thread has no time for stays in the sockets: once the ring is well filled nothing is taken until there is
 * room, so that what comes after the agent stood still, or faster than it can be decoded, is kept by the kernel as long
 * as the sockets have room (agent/protect.h).
 *
 * Audit's records are taken first and put last, with the connector drained between: so a record never overtakes what
 * the connector said before it.
 */
#include "agent/receiver.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define REST_NS       (8 * 1000 * 1000L)
#define REST_MAX_NS   (80 * 1000 * 1000L)
#define BUSY          32 /* messages in a rest: then the longer one costs less, and no process is read in time anyway */
#define STILL_BUSY    64 /* messages in a longer one */
#define REST_MIN_NS   (1 * 1000 * 1000L)
#define SILENCE_MS    50
#define WAKE_MESSAGES 4096
#define MAX_ROUNDS    64  /* of the connector's messages before audit's turn again */
#define WAIT_MAX_MS   500 /* how long a stop may have to wait */
#define ROOM_NS       (2 * 1000 * 1000L)
#define LAST_WAITS    4000 /* of ROOM_NS, at the end: then what still stands in the sockets is given up */

struct xt_receiver {
    pthread_t thread;
    xt_netlink *nl;
    xt_proc_connector *connector;
    xt_ring *ring;
    atomic_bool stop, is_done, is_busy;
    atomic_uint n_turns;
    unsigned n_last_waits;
};

static void rest(long ns)
{
    nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

/* How many messages came. */
static size_t drain_connector(xt_receiver *receiver)
{
    const xt_netlink_message *messages;
    size_t n = receiver->connector ? XT_NETLINK_BATCH : 0, all = 0;
    for (unsigned i = 0; i < MAX_ROUNDS && n == XT_NETLINK_BATCH; i++) {
        n = xt_proc_connector_receive(receiver->connector, &messages);
        if (n > 0)
            xt_ring_put(receiver->ring, messages, n, NULL);
        all += n;
    }
    return all;
}

static size_t drain_audit(xt_receiver *receiver, const xt_netlink_message **ret)
{
    size_t n = 0;
    return receiver->nl && xt_netlink_receive(receiver->nl, 0, ret, &n, NULL) == 0 ? n : 0;
}

/* False when the thread is to end, and there is none. */
static bool wait_room(xt_receiver *receiver)
{
    while (!xt_ring_has_room(receiver->ring)) {
        if (atomic_load(&receiver->stop) && --receiver->n_last_waits == 0)
            return false;
        atomic_fetch_add_explicit(&receiver->n_turns, 1, memory_order_relaxed);
        xt_ring_wake(receiver->ring);
        rest(ROOM_NS);
    }
    return true;
}

/*
 * Everything that stands in the sockets; how many messages that were. The reader is woken for all of it, or when much
 * has come.
 */
static size_t drain(xt_receiver *receiver)
{
    const xt_netlink_message *messages;
    size_t n = 0, waiting = 0, all = 0;
    do {
        if (!wait_room(receiver))
            break;
        n = drain_audit(receiver, &messages);
        size_t came = drain_connector(receiver) + n;
        waiting += came;
        all += came;
        if (n > 0) {
            xt_netlink_counters counters = xt_netlink_counters_get(receiver->nl);
            xt_ring_put(receiver->ring, messages, n, &counters);
        }
        if (waiting > WAKE_MESSAGES || (n == 0 && waiting > 0)) {
            xt_ring_wake(receiver->ring);
            waiting = 0;
        }
    } while (n > 0);
    return all;
}

static void *run(void *context)
{
    xt_receiver *receiver = context;
    bool is_busy = false;
    struct pollfd fds[] = {
        {.fd = receiver->nl ? xt_netlink_fd(receiver->nl) : -1, .events = POLLIN},
        {.fd = receiver->connector ? xt_proc_connector_fd(receiver->connector) : -1, .events = POLLIN},
    };
    while (!atomic_load(&receiver->stop)) {
        atomic_fetch_add_explicit(&receiver->n_turns, 1, memory_order_relaxed);
        is_busy = drain(receiver) >= (is_busy ? STILL_BUSY : BUSY);
        atomic_store_explicit(&receiver->is_busy, is_busy, memory_order_relaxed);
        if (is_busy) {
            rest(REST_MAX_NS);
            continue;
        }
        bool is_silent = poll(fds, XT_COUNT_OF(fds), SILENCE_MS) == 0;
        if (is_silent && poll(fds, XT_COUNT_OF(fds), WAIT_MAX_MS) == 0)
            continue;
        rest(is_silent ? REST_MIN_NS : REST_NS);
    }
    (void)drain(receiver);
    atomic_store(&receiver->is_done, true);
    return NULL;
}

int xt_receiver_start(xt_netlink *nl, xt_proc_connector *connector, xt_ring *ring, xt_receiver **ret)
{
    xt_receiver *receiver = calloc(1, sizeof *receiver);
    if (!receiver)
        return xt_error_origin(-ENOMEM);
    receiver->nl = nl;
    receiver->connector = connector;
    receiver->ring = ring;
    receiver->n_last_waits = LAST_WAITS;
    int r = pthread_create(&receiver->thread, NULL, run, receiver);
    if (r != 0) {
        free(receiver);
        return xt_error_origin(-r);
    }
    *ret = receiver;
    return 0;
}

void xt_receiver_end(xt_receiver *receiver)
{
    atomic_store(&receiver->stop, true);
}

bool xt_receiver_is_done(const xt_receiver *receiver)
{
    return atomic_load(&receiver->is_done);
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

unsigned xt_receiver_turns(const xt_receiver *receiver)
{
    return atomic_load_explicit(&receiver->n_turns, memory_order_relaxed);
}

bool xt_receiver_is_busy(const xt_receiver *receiver)
{
    return atomic_load_explicit(&receiver->is_busy, memory_order_relaxed);
}

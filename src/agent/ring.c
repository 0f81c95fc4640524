/*
 * How it works: put copies a whole batch of datagrams under one short lock; take changes the areas and reads without a
 * lock. The writer wakes the reader by an eventfd once for all that it has put, so a burst costs one wake-up.
 */
#include "agent/ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/proc_connector.h"

#define KEEP_BYTES ((size_t)256 << 10) /* of an area; what a burst touched beyond is given back */
#define HEAD_BYTES 8
#define ROOM_BYTES \
    ((size_t)3 << 20) /* a batch of the connector (half a megabyte) still fits in its half, audit's behind it */

struct xt_ring {
    pthread_mutex_t lock;
    char *areas[2];
    size_t n[2];
    unsigned writing; /* the area that is filled */
    uint64_t n_dropped;
    xt_netlink_counters counters;
    int fd;
};

int xt_ring_open(xt_ring **ret)
{
    xt_ring *ring = calloc(1, sizeof *ring);
    if (!ring)
        return xt_error_origin(-ENOMEM);
    ring->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    char *p = mmap(NULL, 2 * XT_RING_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ring->fd < 0 || p == MAP_FAILED || pthread_mutex_init(&ring->lock, NULL) != 0) {
        if (p != MAP_FAILED)
            munmap(p, 2 * XT_RING_BYTES);
        if (ring->fd >= 0)
            close(ring->fd);
        free(ring);
        return xt_error_origin(-ENOMEM);
    }
    ring->areas[0] = p;
    ring->areas[1] = p + XT_RING_BYTES;
    *ret = ring;
    return 0;
}

xt_ring *xt_ring_close(xt_ring *ring)
{
    if (!ring)
        return NULL;
    munmap(ring->areas[0], 2 * XT_RING_BYTES);
    pthread_mutex_destroy(&ring->lock);
    close(ring->fd);
    free(ring);
    return NULL;
}

int xt_ring_fd(const xt_ring *ring)
{
    return ring->fd;
}

static void put_one(xt_ring *ring, const xt_netlink_message *message)
{
    size_t *n = &ring->n[ring->writing];
    uint32_t head[HEAD_BYTES / 4] = {(uint32_t)message->payload.n, message->type};
    bool is_witness = message->type == XT_PROC_CONNECTOR_TYPE;
    if ((is_witness ? XT_RING_BYTES / 2 : XT_RING_BYTES) < *n + sizeof head + message->payload.n) {
        ring->n_dropped += !is_witness;
        return;
    }
    memcpy(ring->areas[ring->writing] + *n, head, sizeof head);
    if (message->payload.n > 0)
        memcpy(ring->areas[ring->writing] + *n + sizeof head, message->payload.p, message->payload.n);
    *n += sizeof head + message->payload.n;
}

void xt_ring_put(xt_ring *ring, const xt_netlink_message *messages, size_t n, const xt_netlink_counters *counters)
{
    pthread_mutex_lock(&ring->lock);
    for (size_t i = 0; i < n; i++)
        put_one(ring, &messages[i]);
    if (counters)
        ring->counters = *counters;
    pthread_mutex_unlock(&ring->lock);
}

bool xt_ring_has_room(xt_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    bool has_room = ring->n[ring->writing] <= ROOM_BYTES;
    pthread_mutex_unlock(&ring->lock);
    return has_room;
}

void xt_ring_wake(xt_ring *ring)
{
    uint64_t one = 1;
    if (write(ring->fd, &one, sizeof one) < 0) {
        /* Only a counter that is full fails, and then the fd is readable anyway. */
    }
}

xt_slice xt_ring_take(xt_ring *ring)
{
    uint64_t count;
    while (read(ring->fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
    pthread_mutex_lock(&ring->lock);
    unsigned full = ring->writing, used = 1 - full;
    size_t was_used = ring->n[used], n = ring->n[full];
    if (n > 0) {
        ring->writing = used;
        ring->n[used] = 0;
    }
    if (was_used > KEEP_BYTES)
        madvise(ring->areas[used] + KEEP_BYTES, XT_RING_BYTES - KEEP_BYTES, MADV_DONTNEED);
    pthread_mutex_unlock(&ring->lock);
    return n > 0 ? xt_slice_of(ring->areas[full], n) : XT_S_NULL;
}

bool xt_ring_next(xt_slice *rest, xt_netlink_message *ret)
{
    uint32_t head[HEAD_BYTES / 4];
    if (rest->n < sizeof head)
        return false;
    memcpy(head, rest->p, sizeof head);
    ret->type = (uint16_t)head[1];
    ret->payload = xt_slice_of(rest->p + sizeof head, head[0]);
    *rest = xt_slice_skip(*rest, sizeof head + head[0]);
    return true;
}

uint64_t xt_ring_dropped(xt_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    uint64_t n = ring->n_dropped;
    pthread_mutex_unlock(&ring->lock);
    return n;
}

xt_netlink_counters xt_ring_counters(xt_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    xt_netlink_counters counters = ring->counters;
    pthread_mutex_unlock(&ring->lock);
    return counters;
}

/*
 * agent/ring - records on their way from the receive thread to the main thread
 *
 * Shape:     two areas of memory of fixed size: one is filled while the other is read, and they change places. The writer
 *            never waits for the reader and never allocates: what does not fit is dropped and counted. A writer that asks for
 *            room first leaves what has none where it is, in the kernel's sockets, which hold far more.
 * Threads:   one writer (put, counters_set), one reader (take, get).
 * Limits:    XT_RING_BYTES each; untouched memory costs nothing, and a burst's is given back. Messages of the process
 *            connector may fill half of an area; what of them does not fit is not counted, for their own numbers tell.
 */
#pragma once
#include "audit/netlink.h"

#define XT_RING_BYTES ((size_t)8 << 20)

typedef struct xt_ring xt_ring;

XT_MUST_USE int xt_ring_open(xt_ring **ret);
xt_ring *xt_ring_close(xt_ring *ring);
/* Readable after xt_ring_wake, until the next take. */
int xt_ring_fd(const xt_ring *ring);
/* counters: NULL where they stay as they are. */
void xt_ring_put(xt_ring *ring, const xt_netlink_message *messages, size_t n, const xt_netlink_counters *counters);
/* True when a batch of records, and all that the connector may say before it, will fit. */
bool xt_ring_has_room(xt_ring *ring);
void xt_ring_wake(xt_ring *ring);
/* Everything put since the last take, as records that xt_ring_next cuts; valid until the next take. */
xt_slice xt_ring_take(xt_ring *ring);
bool xt_ring_next(xt_slice *rest, xt_netlink_message *ret);
/* What was dropped so far, and the socket's own counters as of the last put. */
uint64_t xt_ring_dropped(xt_ring *ring);
xt_netlink_counters xt_ring_counters(xt_ring *ring);

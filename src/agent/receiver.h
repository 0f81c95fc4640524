/*
 * agent/receiver - the thread that only takes messages off the kernel's sockets
 *
 * Shape:     audit's records and the process connector's messages to the ring, nothing else: no allocation, no file, no
 *            name, no lock but the ring's. Whatever the connector had said before audit gave a record stands in the ring
 *            before that record.
 * Threads:   start and stop from one thread.
 */
#pragma once
#include "agent/proc_connector.h"
#include "agent/ring.h"

typedef struct xt_receiver xt_receiver;
/* Either of the sockets may be NULL. */
XT_MUST_USE int xt_receiver_start(xt_netlink *nl, xt_proc_connector *connector, xt_ring *ring, xt_receiver **ret);
/* Takes what still stands in the sockets, as long as the ring is read, and is done then. */
void xt_receiver_end(xt_receiver *receiver);
bool xt_receiver_is_done(const xt_receiver *receiver);
/* Waits for the thread, at most some seconds; what it took stands in the ring. */
xt_receiver *xt_receiver_stop(xt_receiver *receiver);
/* Much comes, and the ring is woken several times a second, whatever else. Any thread. */
bool xt_receiver_is_busy(const xt_receiver *receiver);
/* Grows at least twice a second while the thread is alive. Any thread. */
unsigned xt_receiver_turns(const xt_receiver *receiver);

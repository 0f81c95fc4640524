/*
 * agent/receiver - the thread that only takes records off the kernel's socket
 *
 * Shape:     socket to ring, nothing else: no allocation, no file, no name, no lock but the ring's.
 * Threads:   start and stop from one thread.
 */
#pragma once
#include "agent/ring.h"

typedef struct xt_receiver xt_receiver;
XT_MUST_USE int xt_receiver_start(xt_netlink *nl, xt_ring *ring, xt_receiver **ret);
/* Waits for the thread, at most a second; what it took stands in the ring. */
xt_receiver *xt_receiver_stop(xt_receiver *receiver);

/*
 * agent/channel - messages between collector and shipper
 *
 * Shape:     frames (wire/frame) over a socketpair, with types of their own.
 *            The collector never waits for the shipper: what finds no room in the socket waits in a queue of its own, whole
 *            and in order. The shipper waits for the collector.
 * Errors:    <0 errno; -EPIPE when the other side is gone.
 * Threads:   each end one at a time.
 */
#pragma once
#include "wire/frame.h"

#define XT_CHANNEL_MAX_BYTES ((size_t)512 << 10) /* of a message of the shipper; the longest is an order */

typedef enum xt_channel_type {
    /* collector to shipper */
    XT_CHANNEL_EVENTS = 32, /* varint n_events, then a batch of canonical events */
    XT_CHANNEL_READY =
        33, /* xt_hello: what is known of the host; the server may be told that we watch; trust: of the CAs for policies */
    XT_CHANNEL_HEARTBEAT = 34, /* xt_heartbeat without what the shipper knows */
    XT_CHANNEL_END = 35,       /* send what is there, then end */
    XT_CHANNEL_SERIALS = 36,   /* xt_serial_count as it is: of all events that were sent until now */
    XT_CHANNEL_LEAVE = 40,     /* keep what is there for the next agent, and end at once */
    XT_CHANNEL_MARK = 37,      /* to be written down once the EVENTS that follow are in the spool (collector_input.c) */
    XT_CHANNEL_POLICY_STATE = 38, /* xt_policy_state: the answer to every XT_CHANNEL_POLICY, and when it changes */
    XT_CHANNEL_SPOOL = 39,        /* varint: the spool's bound in bytes from now on */
    XT_CHANNEL_RESUME = 41, /* u64 run, from_ms, at_ms: the heartbeats of the agent before go on (agent/beat_book) */
    /* shipper to collector */
    XT_CHANNEL_IDENTITY = 48, /* the host id: the host is enrolled */
    XT_CHANNEL_REPORT = 49,   /* lines of name=value for STATE/status: agent/shipper_words */
    XT_CHANNEL_POLICY = 50,   /* a POLICY message as the server sent it; one at a time is unanswered */
    XT_CHANNEL_TRUST = 51,    /* a TRUST message as the server sent it; after READY those that came since its `trust` */
} xt_channel_type;

typedef struct xt_channel_queue {
    int fd;
    xt_buf bytes;
    size_t first, sent; /* where the first frame stands that is not gone whole; up to where bytes are gone */
} xt_channel_queue;

#define XT_CHANNEL_QUEUE_ON(socket) ((xt_channel_queue){.fd = (socket)})

void xt_channel_queue_fini(xt_channel_queue *queue);
/* Never waits: what has no room now goes with a later put or pump. On -EPIPE the message stands in the queue too. */
XT_MUST_USE int xt_channel_put(xt_channel_queue *queue, xt_channel_type type, xt_slice payload);
/* Sends what the socket has room for; to be called when it is writable. */
XT_MUST_USE int xt_channel_pump(xt_channel_queue *queue);
static inline size_t xt_channel_waiting(const xt_channel_queue *queue)
{
    return queue->bytes.n - queue->sent;
}
/* The frames that did not go, or not whole; to be cut with xt_frame_next. */
static inline xt_slice xt_channel_unsent(const xt_channel_queue *queue)
{
    return xt_slice_skip(xt_buf_slice(&queue->bytes), queue->first);
}

/* Waits until the other side has room. */
XT_MUST_USE int xt_channel_send(int fd, xt_channel_type type, xt_slice payload);
/* Never waits: a message that has no room now is left out whole (-EAGAIN). For small ones. */
XT_MUST_USE int xt_channel_try(int fd, xt_channel_type type, xt_slice payload);
/* Appends what is there to in; -EAGAIN when nothing is. Then xt_frame_next cuts messages off it. */
XT_MUST_USE int xt_channel_receive(int fd, xt_buf *in);
/* As xt_frame_next, of what the shipper says, who is believed less: CORRUPT when a message is longer than XT_CHANNEL_MAX_BYTES. */
XT_MUST_USE int xt_channel_next(xt_slice bytes, xt_frame *ret, size_t *ret_n);

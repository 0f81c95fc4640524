/* The process connector's messages, made by tests. */
#pragma once
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <string.h>

#include "base/slice.h"

typedef struct proc_datagram {
    uint32_t idx, val, number, ack;
    uint16_t n_event, flags;
    struct proc_event event;
    char bytes[sizeof(struct cn_msg) + sizeof(struct proc_event)];
} proc_datagram;

static inline proc_datagram proc_datagram_of(uint32_t what, uint32_t thread, uint32_t pid)
{
    proc_datagram d = {.idx = CN_IDX_PROC, .val = CN_VAL_PROC, .n_event = sizeof d.event};
    memcpy(&d.event.what, &what, sizeof what);
    d.event.event_data.exec.process_pid = (int)thread;
    d.event.event_data.exec.process_tgid = (int)pid;
    return d;
}

static inline xt_slice proc_datagram_bytes(proc_datagram *d)
{
    memcpy(d->bytes, &d->idx, 16);
    memcpy(d->bytes + 16, &d->n_event, 2);
    memcpy(d->bytes + 18, &d->flags, 2);
    memcpy(d->bytes + sizeof(struct cn_msg), &d->event, sizeof d->event);
    return xt_slice_of(d->bytes, sizeof d->bytes);
}

/*
 * How it works: the bytes are copied into the kernel's structures as far as they reach; what they must reach to goes by
 * kind.
 */
#include "agent/proc_message.h"

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <stddef.h>

#define NEEDS(member) (offsetof(struct proc_event, event_data) + sizeof((struct proc_event *)0)->event_data.member)

static uint32_t u32(int pid)
{
    return (uint32_t)pid;
}

/* How many bytes of a proc_event that kind has at least. */
static size_t bytes_needed(uint32_t what)
{
    switch (what) {
    case PROC_EVENT_NONE:
        return NEEDS(ack);
    case PROC_EVENT_FORK:
        return NEEDS(fork);
    case PROC_EVENT_EXEC:
        return NEEDS(exec);
    case PROC_EVENT_UID:
        return NEEDS(id);
    case PROC_EVENT_SID:
        return NEEDS(sid);
    case PROC_EVENT_COMM:
        return NEEDS(comm);
    case PROC_EVENT_EXIT:
        /* later kernels send the parent too */
        return offsetof(struct proc_event, event_data.exit.exit_signal) + sizeof(uint32_t);
    default:
        return offsetof(struct proc_event, event_data);
    }
}

static void fill(const struct proc_event *event, xt_proc_message *m)
{
    /* process_pid, process_tgid stand first in all kinds but FORK and ACK */
    m->thread = u32(event->event_data.exec.process_pid);
    m->pid = u32(event->event_data.exec.process_tgid);
    switch ((uint32_t)event->what) {
    case PROC_EVENT_NONE:
        m->kind = XT_PROC_ACK;
        m->pid = m->thread = 0;
        m->code = (int32_t)event->event_data.ack.err;
        break;
    case PROC_EVENT_FORK:
        m->kind = XT_PROC_FORK;
        m->thread = u32(event->event_data.fork.child_pid);
        m->pid = u32(event->event_data.fork.child_tgid);
        m->parent = u32(event->event_data.fork.parent_tgid);
        break;
    case PROC_EVENT_EXEC:
        m->kind = XT_PROC_EXEC;
        break;
    case PROC_EVENT_UID:
        m->kind = XT_PROC_UID;
        m->uid = event->event_data.id.r.ruid;
        m->euid = event->event_data.id.e.euid;
        break;
    case PROC_EVENT_SID:
        m->kind = XT_PROC_SID;
        break;
    case PROC_EVENT_COMM:
        m->kind = XT_PROC_COMM;
        memcpy(m->comm, event->event_data.comm.comm, sizeof m->comm);
        break;
    case PROC_EVENT_EXIT:
        m->kind = XT_PROC_EXIT;
        m->code = (int32_t)event->event_data.exit.exit_code;
        break;
    default:
        m->kind = XT_PROC_OTHER;
    }
}

int xt_proc_message_parse(xt_slice payload, xt_proc_message *ret)
{
    struct cn_msg head;
    struct proc_event event = {0};
    xt_proc_message m = {0};
    if (payload.n < sizeof head)
        return XT_PROC_MESSAGE_E_FOREIGN;
    memcpy(&head, payload.p, sizeof head);
    payload = xt_slice_skip(payload, sizeof head);
    if (head.id.idx != CN_IDX_PROC || head.id.val != CN_VAL_PROC || head.len > payload.n)
        return XT_PROC_MESSAGE_E_FOREIGN;
    payload = xt_slice_head(payload, head.len < sizeof event ? head.len : sizeof event);
    if (payload.n < offsetof(struct proc_event, event_data))
        return XT_PROC_MESSAGE_E_FOREIGN;
    memcpy(&event, payload.p, payload.n);
    if (payload.n < bytes_needed((uint32_t)event.what))
        return XT_PROC_MESSAGE_E_FOREIGN;
    m.cpu = event.cpu;
    m.number = head.seq;
    m.time_ns = event.timestamp_ns;
    fill(&event, &m);
    *ret = m;
    return 0;
}

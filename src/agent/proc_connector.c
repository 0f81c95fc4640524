/*
 * How it works: an older kernel does not answer a subscription that it does not take, so the answer is waited for with a
 * bound. Messages are small and many: recvmmsg takes them in batches into slots of this object.
 */
#include "agent/proc_connector.h"

#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/proc_message.h"
#include "base/clock.h"

#define SLOT_BYTES        256 /* the kernel's messages have 76 bytes */
#define ANSWER_TIMEOUT_MS 500

typedef union proc_slot {
    struct nlmsghdr header;
    char bytes[SLOT_BYTES];
} proc_slot;

struct xt_proc_connector {
    int fd;
    xt_netlink_message messages[XT_NETLINK_BATCH];
    struct mmsghdr headers[XT_NETLINK_BATCH];
    struct iovec vectors[XT_NETLINK_BATCH];
    struct sockaddr_nl senders[XT_NETLINK_BATCH];
    proc_slot slots[XT_NETLINK_BATCH];
};

static void slots_prepare(xt_proc_connector *c)
{
    for (size_t i = 0; i < XT_NETLINK_BATCH; i++) {
        c->vectors[i] = (struct iovec){c->slots[i].bytes, SLOT_BYTES};
        c->headers[i].msg_hdr.msg_iov = &c->vectors[i];
        c->headers[i].msg_hdr.msg_iovlen = 1;
        c->headers[i].msg_hdr.msg_name = &c->senders[i];
        c->headers[i].msg_hdr.msg_namelen = sizeof c->senders[i];
    }
}

int xt_proc_connector_listen(xt_proc_connector *c)
{
    struct {
        struct nlmsghdr header;
        char data[sizeof(struct cn_msg) + sizeof(uint32_t)];
    } request = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof request.data), .nlmsg_type = NLMSG_DONE}};
    const struct cn_msg head = {.id = {CN_IDX_PROC, CN_VAL_PROC}, .len = sizeof(uint32_t)};
    const uint32_t op = PROC_CN_MCAST_LISTEN;
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    memcpy(request.data, &head, sizeof head);
    memcpy(request.data + sizeof head, &op, sizeof op);
    if (sendto(c->fd, &request, request.header.nlmsg_len, MSG_DONTWAIT, (const struct sockaddr *)&kernel,
               sizeof kernel) < 0)
        return xt_error_origin(-errno);
    return 0;
}

static int socket_open(xt_proc_connector *c, size_t buffer_bytes)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};
    int bytes = (int)buffer_bytes, on = 1;
    c->fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR);
    if (c->fd < 0 || bind(c->fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    if (setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
        (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (setsockopt(c->fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on) < 0)
        return -errno;
    return xt_proc_connector_listen(c);
}

/* 0 when one of them is the answer and it is yes, -EAGAIN when none is. What else came before it is not needed yet. */
static int answer_find(xt_proc_connector *c)
{
    const xt_netlink_message *messages;
    size_t n;
    while ((n = xt_proc_connector_receive(c, &messages)) > 0) {
        for (size_t i = 0; i < n; i++) {
            xt_proc_message m;
            if (xt_proc_message_parse(messages[i].payload, &m) == 0 && m.kind == XT_PROC_ACK)
                return -m.code;
        }
    }
    return -EAGAIN;
}

static int answer_wait(xt_proc_connector *c)
{
    int64_t end_ms = xt_clock_mono_ms(&xt_clock_system) + ANSWER_TIMEOUT_MS;
    int r;
    while ((r = answer_find(c)) == -EAGAIN) {
        int64_t left_ms = end_ms - xt_clock_mono_ms(&xt_clock_system);
        struct pollfd fd = {.fd = c->fd, .events = POLLIN};
        if (left_ms <= 0)
            return -ETIMEDOUT;
        if (poll(&fd, 1, (int)left_ms) < 0 && errno != EINTR)
            return -errno;
    }
    return r;
}

int xt_proc_connector_open(size_t buffer_bytes, xt_proc_connector **ret, xt_problem *reterr_problem)
{
    xt_proc_connector *c = calloc(1, sizeof *c);
    if (!c)
        return xt_error_origin(-ENOMEM);
    slots_prepare(c);
    int r = socket_open(c, buffer_bytes);
    if (r == 0)
        r = answer_wait(c);
    if (r != 0) {
        xt_proc_connector_close(c);
        xt_problem_set(reterr_problem, "the kernel does not tell this process of others (process connector): %s",
                       r == -ETIMEDOUT ? "it does not answer" : strerror(r < 0 ? -r : r));
        xt_problem_hint(reterr_problem, "it takes CAP_NET_ADMIN in the host's own pid, user and network namespaces, "
                                        "and a kernel with CONFIG_PROC_EVENTS");
        return XT_PROC_CONNECTOR_E_ABSENT;
    }
    *ret = c;
    return 0;
}

int xt_proc_connector_adopt(int fd, xt_proc_connector **ret)
{
    xt_proc_connector *c = calloc(1, sizeof *c);
    if (!c)
        return xt_error_origin(-ENOMEM);
    c->fd = fd;
    slots_prepare(c);
    *ret = c;
    return 0;
}

xt_proc_connector *xt_proc_connector_close(xt_proc_connector *c)
{
    if (c && c->fd >= 0)
        (void)close(c->fd);
    free(c);
    return NULL;
}

int xt_proc_connector_fd(const xt_proc_connector *c)
{
    return c->fd;
}

size_t xt_proc_connector_receive(xt_proc_connector *c, const xt_netlink_message **ret_messages)
{
    int came = recvmmsg(c->fd, c->headers, XT_NETLINK_BATCH, MSG_DONTWAIT, NULL);
    size_t n = 0;
    for (int i = 0; i < came; i++) {
        const struct mmsghdr *m = &c->headers[i];
        if (c->senders[i].nl_pid != 0 || m->msg_len <= NLMSG_HDRLEN || m->msg_len > SLOT_BYTES)
            continue;
        c->messages[n++] = (xt_netlink_message){
            .type = XT_PROC_CONNECTOR_TYPE,
            .payload = xt_slice_of(c->slots[i].bytes + NLMSG_HDRLEN, m->msg_len - NLMSG_HDRLEN),
        };
    }
    *ret_messages = c->messages;
    return n;
}

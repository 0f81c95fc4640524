#include "agent/channel.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define READ_BYTES ((size_t)64 << 10)

static int send_all(int fd, xt_slice bytes)
{
    while (bytes.n > 0) {
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        if (n < 0) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            poll(&p, 1, 1000);
            continue;
        }
        bytes = xt_slice_skip(bytes, (size_t)n);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------------- queue */

#define KEPT_BYTES ((size_t)512 << 10) /* of memory, for what comes next */

void xt_channel_queue_fini(xt_channel_queue *queue)
{
    xt_buf_fini(&queue->bytes);
    queue->first = queue->sent = 0;
}

/* Frames that are gone are forgotten, in steps that grow with what waits. */
static void forget_gone(xt_channel_queue *queue)
{
    xt_frame frame;
    size_t taken;
    if (queue->sent == queue->bytes.n) {
        xt_buf_reset(&queue->bytes);
        queue->first = queue->sent = 0;
        if (queue->bytes.cap > KEPT_BYTES)
            xt_buf_fini(&queue->bytes);
        return;
    }
    while (xt_frame_next(xt_channel_unsent(queue), &frame, &taken, NULL) == 0 && queue->first + taken <= queue->sent)
        queue->first += taken;
    if (queue->first > queue->bytes.n / 2) {
        xt_buf_consume(&queue->bytes, queue->first);
        queue->sent -= queue->first;
        queue->first = 0;
    }
}

int xt_channel_pump(xt_channel_queue *queue)
{
    int r = 0;
    while (r == 0 && queue->sent < queue->bytes.n) {
        ssize_t n =
            send(queue->fd, queue->bytes.p + queue->sent, xt_channel_waiting(queue), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0 && errno != EINTR)
            r = errno == ECONNRESET ? -EPIPE : -errno;
        queue->sent += n > 0 ? (size_t)n : 0;
    }
    forget_gone(queue);
    return r;
}

int xt_channel_put(xt_channel_queue *queue, xt_channel_type type, xt_slice payload)
{
    size_t n = queue->bytes.n;
    xt_frame_put(&queue->bytes, (xt_frame_type)type, payload);
    if (xt_buf_done(&queue->bytes) < 0) {
        queue->bytes.n = n;
        queue->bytes.failed = false;
        return xt_error_origin(-ENOMEM);
    }
    return xt_channel_pump(queue);
}

/* ------------------------------------------------------------------------------------------------------ waiting */

int xt_channel_send(int fd, xt_channel_type type, xt_slice payload)
{
    xt_buf out = XT_BUF_INIT;
    xt_frame_put(&out, (xt_frame_type)type, payload);
    int r = xt_buf_done(&out);
    if (r >= 0)
        r = send_all(fd, xt_buf_slice(&out));
    xt_buf_fini(&out);
    return r;
}

int xt_channel_try(int fd, xt_channel_type type, xt_slice payload)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    if (poll(&p, 1, 0) <= 0)
        return -EAGAIN;
    return xt_channel_send(fd, type, payload);
}

int xt_channel_receive(int fd, xt_buf *in)
{
    char *p = xt_buf_reserve(in, READ_BYTES);
    if (!p)
        return xt_error_origin(-ENOMEM);
    ssize_t n = recv(fd, p, READ_BYTES, MSG_DONTWAIT);
    if (n < 0)
        return errno == EINTR ? -EAGAIN : errno == ECONNRESET ? -EPIPE : -errno;
    if (n == 0)
        return -EPIPE;
    in->n += (size_t)n;
    return 0;
}

int xt_channel_next(xt_slice bytes, xt_frame *ret, size_t *ret_n)
{
    xt_reader reader = xt_reader_of(bytes);
    uint32_t claims = xt_reader_u32(&reader);
    if (reader.failed)
        return XT_FRAME_E_MORE;
    return claims > XT_CHANNEL_MAX_BYTES ? XT_FRAME_E_CORRUPT : xt_frame_next(bytes, ret, ret_n, NULL);
}

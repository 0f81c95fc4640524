/* How it works: the socket is connected once, before the process gives its rights up, so that later it only sends. */
#include "agent/notify.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"

#define MESSAGE_BYTES 1024
#define FULL_MS       20 /* that a manager with much to read is waited for */

static int connect_to(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || n < 2 || n >= sizeof address.sun_path)
        return xt_error_origin(-EINVAL);
    memcpy(address.sun_path, name, n);
    if (name[0] == '@')
        address.sun_path[0] = '\0'; /* an abstract name, which no NUL ends */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (name[0] == '/'));
    if (connect(fd, (const struct sockaddr *)&address, length) == 0)
        return fd;
    int r = -errno;
    close(fd);
    return xt_error_origin(r);
}

static uint64_t number_of(const char *name)
{
    const char *text = getenv(name);
    uint64_t v = 0;
    return text && xt_slice_parse_u64(xt_slice_str(text), &v) ? v : 0;
}

int xt_notify_open(xt_notify *ret)
{
    const char *name = getenv("NOTIFY_SOCKET");
    uint64_t pid = number_of("WATCHDOG_PID");
    *ret = (xt_notify){.fd = -1};
    int fd = name ? connect_to(name) : -1;
    if (fd >= 0 && (pid == 0 || pid == (uint64_t)getpid()))
        ret->watchdog_ms = (int64_t)(number_of("WATCHDOG_USEC") / 1000);
    ret->fd = fd >= 0 ? fd : -1;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return name && fd < 0 ? fd : 0;
}

void xt_notify_close(xt_notify *notify)
{
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
}

/* passed: -1, or a descriptor that goes along. */
static int send_one(const xt_notify *notify, xt_slice text, int passed)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part;
    if (notify->fd < 0)
        return 0;
    part = (struct iovec){.iov_base = (void *)(uintptr_t)text.p, .iov_len = text.n};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (passed >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        control.head =
            (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof passed), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.head), &passed, sizeof passed);
    }
    struct pollfd fd = {.fd = notify->fd, .events = POLLOUT};
    ssize_t n = sendmsg(notify->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN && poll(&fd, 1, FULL_MS) > 0)
        n = sendmsg(notify->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n < 0 ? -errno : 0;
}

int xt_notify_say(const xt_notify *notify, const char *format, ...)
{
    char text[MESSAGE_BYTES];
    xt_buf out = XT_BUF_ON(text);
    va_list args;
    va_start(args, format);
    xt_buf_vprintf(&out, format, args);
    va_end(args);
    int r = xt_buf_done(&out);
    return r < 0 ? xt_error_trace(r) : send_one(notify, xt_buf_slice(&out), -1);
}

int xt_notify_store(const xt_notify *notify, const char *name, int fd)
{
    char text[MESSAGE_BYTES];
    xt_buf out = XT_BUF_ON(text);
    /* Not polled: an audit socket that was overrun for a moment is not one that has ended. */
    xt_buf_printf(&out, "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
    int r = xt_buf_done(&out);
    return r < 0 ? xt_error_trace(r) : send_one(notify, xt_buf_slice(&out), fd);
}

/* The manager closes the pipe's end when it comes to this message. */
void xt_notify_wait(const xt_notify *notify, int timeout_ms)
{
    int ends[2];
    if (notify->fd < 0 || pipe(ends) < 0)
        return;
    int r = send_one(notify, XT_S("BARRIER=1"), ends[1]);
    close(ends[1]);
    struct pollfd fd = {.fd = ends[0], .events = 0};
    if (r == 0)
        (void)poll(&fd, 1, timeout_ms);
    close(ends[0]);
}

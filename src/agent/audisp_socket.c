/*
 * How it works: the socket is read without waiting and fast, for auditd serves all of its plugins from one queue. A
 * connection that breaks is tried again twice a second; connecting to a local socket costs microseconds.
 */
#include "agent/audisp_socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_BYTES ((size_t)64 << 10)
#define MAX_READS  16

void xt_audisp_socket_init(xt_audisp_socket *s, const char *path)
{
    *s = (xt_audisp_socket){.path = path, .fd = -1};
}

static void hang_up(xt_audisp_socket *s, int64_t now_ms)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->retry_ms = now_ms + XT_AUDISP_RETRY_MS;
    xt_audisp_stream_reset(&s->stream);
}

void xt_audisp_socket_fini(xt_audisp_socket *s)
{
    hang_up(s, 0);
    xt_audisp_stream_fini(&s->stream);
}

static int dial(const char *path, int *ret)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, n + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    struct ucred peer = {0};
    socklen_t peer_bytes = sizeof peer;
    int r = 0;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_bytes) < 0)
        r = -errno;
    else if (peer.uid != 0 && peer.uid != geteuid())
        r = -EPERM;
    if (r < 0)
        close(fd);
    else
        *ret = fd;
    return r;
}

int xt_audisp_socket_connect(xt_audisp_socket *s, int64_t now_ms, xt_problem *reterr_problem)
{
    static const char *const usual[] = {"/run/audit/audispd_events", "/run/audispd_events"};
    const char *const *paths = s->path ? &s->path : usual;
    size_t n = s->path ? 1 : XT_COUNT_OF(usual);
    int r = -ENOENT;
    for (size_t i = 0; i < n && r == -ENOENT; i++)
        r = dial(paths[i], &s->fd);
    s->retry_ms = now_ms + XT_AUDISP_RETRY_MS;
    if (r == 0) {
        s->n_connected++;
        return 0;
    }
    xt_problem_source(reterr_problem, s->path ? s->path : usual[0]);
    if (r == -EPERM) {
        xt_problem_set(reterr_problem,
                       "the socket belongs to another user than root: records from there prove nothing");
    } else {
        xt_problem_set(reterr_problem, "auditd's af_unix socket cannot be connected to: %s", strerror(-r));
        xt_problem_hint(reterr_problem,
                        "write active = yes in /etc/audit/plugins.d/af_unix.conf, then auditctl --signal reload");
    }
    return XT_AUDISP_SOCKET_E_ABSENT;
}

int xt_audisp_socket_read(xt_audisp_socket *s, const xt_audisp_calls *calls, int64_t now_ms, xt_problem *reterr_problem)
{
    static char bytes[READ_BYTES];
    for (unsigned i = 0; s->fd >= 0 && i < MAX_READS; i++) {
        ssize_t n = recv(s->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (n <= 0) {
            xt_problem_set(reterr_problem, "auditd has closed its af_unix socket%s%s", n < 0 ? ": " : "",
                           n < 0 ? strerror(errno) : "");
            hang_up(s, now_ms);
            return XT_AUDISP_SOCKET_E_LOST;
        }
        int r = xt_audisp_stream_feed(&s->stream, xt_slice_of(bytes, (size_t)n), calls, reterr_problem);
        if (r == XT_AUDISP_E_CORRUPT) {
            hang_up(s, now_ms);
            return XT_AUDISP_SOCKET_E_LOST;
        }
        if (r != 0)
            return r;
    }
    return 0;
}

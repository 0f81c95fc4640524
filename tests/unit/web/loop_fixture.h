/* An event loop in a thread of its own, and a raw client. */
#pragma once
#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"

typedef struct loop {
    struct event_base *base;
    struct event *stop;
    int pipe[2];
    pthread_t thread;
} loop;

static void loop_on_stop(evutil_socket_t fd, short what, void *context)
{
    char byte;
    (void)what;
    (void)!read(fd, &byte, 1);
    event_base_loopbreak(((loop *)context)->base);
}

static void *loop_run(void *context)
{
    event_base_dispatch(((loop *)context)->base);
    return NULL;
}

static inline void loop_init(loop *l)
{
    signal(SIGPIPE, SIG_IGN);
    l->base = event_base_new();
    assert_int_equal(pipe2(l->pipe, O_CLOEXEC), 0);
    l->stop = event_new(l->base, l->pipe[0], EV_READ | EV_PERSIST, loop_on_stop, l);
    event_add(l->stop, NULL);
}

static inline void loop_start(loop *l)
{
    assert_int_equal(pthread_create(&l->thread, NULL, loop_run, l), 0);
}

/* From here on the loop does not run: what lives on it may be closed. */
static inline void loop_stop(loop *l)
{
    assert_int_equal(write(l->pipe[1], "x", 1), 1);
    pthread_join(l->thread, NULL);
}

static inline void loop_fini(loop *l)
{
    event_free(l->stop);
    event_base_free(l->base);
    close(l->pipe[0]);
    close(l->pipe[1]);
}

static inline int client_tcp(int port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

static inline int client_unix(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

static inline void client_send(int fd, const char *text)
{
    size_t n = strlen(text);
    assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* Reads until `until` has come (n_times), or the end; false at the end or after 20 s. */
static inline bool client_read(int fd, xt_buf *out, const char *until, size_t n_times)
{
    char piece[4096];
    for (;;) {
        xt_slice rest = xt_buf_slice(out);
        size_t seen = 0;
        for (ptrdiff_t at; until && (at = xt_slice_find(rest, xt_slice_str(until))) >= 0; seen++)
            rest = xt_slice_skip(rest, (size_t)at + 1);
        if (until && seen >= n_times)
            return true;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 20000) <= 0)
            return false;
        ssize_t n = read(fd, piece, sizeof piece);
        if (n <= 0)
            return false;
        xt_buf_put(out, xt_slice_of(piece, (size_t)n));
    }
}

static inline bool has(const xt_buf *text, const char *what)
{
    return xt_slice_find(xt_buf_slice(text), xt_slice_str(what)) >= 0;
}

/* One request, Connection: close; the whole answer. Its status. */
static inline int client_ask(int fd, const char *request, xt_buf *answer)
{
    xt_buf_reset(answer);
    client_send(fd, request);
    client_read(fd, answer, NULL, 0);
    close(fd);
    uint64_t status = 0;
    return answer->n > 12 && xt_slice_parse_u64(xt_slice_of(answer->p + 9, 3), &status) ? (int)status : 0;
}

/*
 * Listeners, the two pools, and the way back: a handler puts its exchange on the ready list and writes to an eventfd;
 * the loop takes the list and passes the bytes on. So libevent needs no locks.
 */
#include "io/http/http_server.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/http/http_private.h"
#include "io/unix_address.h"

#define DEFAULT_WORKERS 8
#define BACKLOG         128
#define PAUSE_MS        200

void xt_http_server_ready(xt_http_server *server, xt_http_exchange *exchange)
{
    if (exchange->is_ready)
        return;
    exchange->is_ready = true;
    xt_http_exchange_ref(exchange);
    pthread_mutex_lock(&server->ready_lock);
    exchange->next_ready = server->ready;
    server->ready = exchange;
    pthread_mutex_unlock(&server->ready_lock);
    const uint64_t one = 1;
    (void)!write(server->wake_fd, &one, sizeof one); /* full only if it is awake anyway */
}

static void on_wake(evutil_socket_t fd, short what, void *context)
{
    xt_http_server *server = context;
    uint64_t n;
    (void)what;
    (void)!read(fd, &n, sizeof n);
    pthread_mutex_lock(&server->ready_lock);
    xt_http_exchange *exchange = server->ready, *next;
    server->ready = NULL;
    pthread_mutex_unlock(&server->ready_lock);
    for (; exchange; exchange = next) {
        pthread_mutex_lock(&exchange->lock);
        next = exchange->next_ready;
        exchange->is_ready = false;
        pthread_mutex_unlock(&exchange->lock);
        if (exchange->conn)
            xt_http_conn_flush(exchange->conn, exchange);
        xt_http_exchange_unref(exchange);
    }
}

int xt_http_server_new(struct event_base *base, const xt_http_settings *settings, xt_http_server **ret)
{
    xt_http_server *server = calloc(1, sizeof *server);
    if (!server)
        return xt_error_origin(-ENOMEM);
    server->base = base;
    server->settings = *settings;
    if (!settings->max_bodies_bytes)
        server->settings.max_bodies_bytes = XT_HTTP_MAX_BODIES_BYTES;
    pthread_mutex_init(&server->ready_lock, NULL);
    unsigned n_workers = settings->n_workers ? settings->n_workers : DEFAULT_WORKERS;
    if (n_workers > XT_HTTP_MAX_STREAMS)
        n_workers = XT_HTTP_MAX_STREAMS;
    xt_http_pool_init(&server->workers, n_workers, XT_HTTP_MAX_WAITING);
    xt_http_pool_init(&server->streams, XT_HTTP_MAX_STREAMS, 0);
    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->wake_fd >= 0)
        server->wake = event_new(base, server->wake_fd, EV_READ | EV_PERSIST, on_wake, server);
    if (!server->wake || event_add(server->wake, NULL) != 0) {
        xt_http_server_close(server);
        return xt_error_origin(-ENOMEM);
    }
    *ret = server;
    return 0;
}

static xt_http_listener *listener_free(xt_http_listener *listener)
{
    if (listener->listener)
        evconnlistener_free(listener->listener);
    if (listener->pause)
        event_free(listener->pause);
    if (listener->unix_path)
        unlink(listener->unix_path);
    free(listener->unix_path);
    free(listener);
    return NULL;
}

xt_http_server *xt_http_server_close(xt_http_server *server)
{
    if (!server)
        return NULL;
    for (xt_http_conn *conn; (conn = server->conns);)
        xt_http_conn_close(conn);
    for (xt_http_listener *listener; (listener = server->listeners);) {
        server->listeners = listener->next;
        listener_free(listener);
    }
    xt_http_pool_fini(&server->workers);
    xt_http_pool_fini(&server->streams);
    for (xt_http_exchange *exchange; (exchange = server->ready);) {
        server->ready = exchange->next_ready;
        xt_http_exchange_unref(exchange);
    }
    if (server->wake)
        event_free(server->wake);
    if (server->wake_fd >= 0)
        close(server->wake_fd);
    pthread_mutex_destroy(&server->ready_lock);
    free(server);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------- listening */

static void on_accept(struct evconnlistener *evconn, evutil_socket_t fd, struct sockaddr *peer, int n, void *context)
{
    (void)evconn;
    (void)peer;
    (void)n;
    xt_http_conn_accept(context, fd);
}

static void on_pause_over(evutil_socket_t fd, short what, void *context)
{
    xt_http_listener *listener = context;
    (void)fd;
    (void)what;
    evconnlistener_enable(listener->listener);
}

static void on_accept_error(struct evconnlistener *evconn, void *context)
{
    xt_http_listener *listener = context;
    const struct timeval pause = {.tv_usec = PAUSE_MS * 1000};
    evconnlistener_disable(evconn);
    event_add(listener->pause, &pause);
}

/* Takes fd in any case. */
static int add_listener(xt_http_server *server, int fd, SSL_CTX *tls, const void *door, const char *unix_path)
{
    xt_http_listener *listener = calloc(1, sizeof *listener);
    if (!listener) {
        close(fd);
        return xt_error_origin(-ENOMEM);
    }
    *listener = (xt_http_listener){.server = server, .tls = tls, .door = door};
    listener->pause = evtimer_new(server->base, on_pause_over, listener);
    listener->unix_path = unix_path ? strdup(unix_path) : NULL;
    evutil_make_socket_nonblocking(fd);
    if (listener->pause && (!unix_path || listener->unix_path))
        listener->listener = evconnlistener_new(server->base, on_accept, listener,
                                                LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
    if (!listener->listener) {
        close(fd);
        listener_free(listener);
        return xt_error_origin(-ENOMEM);
    }
    evconnlistener_set_error_cb(listener->listener, on_accept_error);
    listener->next = server->listeners;
    server->listeners = listener;
    return 0;
}

/* HOST:PORT apart; false when there is no port. getaddrinfo would take 99999 for 34463. */
static bool split_address(const char *address, char host[static 256], const char **ret_port)
{
    uint64_t port;
    const char *colon = strrchr(address, ':');
    xt_slice name = xt_slice_of(address, colon ? (size_t)(colon - address) : 0);
    if (xt_slice_starts(name, XT_S("[")) && xt_slice_ends(name, XT_S("]")))
        name = xt_slice_of(name.p + 1, name.n - 2);
    if (!colon || name.n >= 256 || !xt_slice_parse_u64(xt_slice_str(colon + 1), &port) || port > UINT16_MAX)
        return false;
    memcpy(host, name.p, name.n);
    host[name.n] = '\0';
    *ret_port = colon + 1;
    return true;
}

static int resolve(const char *address, struct addrinfo **ret, xt_problem *reterr_problem)
{
    char host[256];
    const char *port;
    if (!split_address(address, host, &port)) {
        xt_problem_set(reterr_problem, "'%s' is not an address to listen on", address);
        xt_problem_hint(reterr_problem, "write HOST:PORT, for example 127.0.0.1:8514");
        return XT_HTTP_E_LISTEN;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int r = getaddrinfo(host[0] ? host : NULL, port, &hints, ret);
    if (r != 0) {
        xt_problem_set(reterr_problem, "cannot find the address %s: %s", address, gai_strerror(r));
        xt_problem_hint(reterr_problem, "write HOST:PORT, for example 127.0.0.1:8514");
        return XT_HTTP_E_LISTEN;
    }
    return 0;
}

static bool is_loopback(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24 == 127;
    return sa->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

bool xt_http_address_is_loopback(const char *address)
{
    struct addrinfo *info;
    char host[256];
    const char *port;
    if (!split_address(address, host, &port))
        return true;
    if (resolve(address, &info, NULL) != 0)
        return false;
    bool all = true;
    for (struct addrinfo *one = info; one; one = one->ai_next)
        all &= is_loopback(one->ai_addr);
    freeaddrinfo(info);
    return all;
}

static int port_of(int fd)
{
    struct sockaddr_in6 sa = {.sin6_port = 0}; /* the port of IPv4 stands at the same place */
    socklen_t n = sizeof sa;
    return getsockname(fd, (struct sockaddr *)&sa, &n) == 0 ? ntohs(sa.sin6_port) : 0;
}
_Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port), "ports");

static int listening_problem(const char *where, int error, xt_problem *reterr_problem)
{
    xt_problem_set(reterr_problem, "cannot listen on %s: %s", where, strerror(error));
    if (error == EADDRINUSE)
        xt_problem_hint(reterr_problem, "another program has it; choose another port, 0 takes a free one");
    return XT_HTTP_E_LISTEN;
}

int xt_http_server_listen(xt_http_server *server, const char *address, SSL_CTX *tls, const void *door, int *ret_port,
                          xt_problem *reterr_problem)
{
    struct addrinfo *info;
    int r = resolve(address, &info, reterr_problem);
    if (r != 0)
        return r;
    int on = 1, fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        freeaddrinfo(info);
        return listening_problem(address, error, reterr_problem);
    }
    freeaddrinfo(info);
    int port = port_of(fd);
    r = add_listener(server, fd, tls, door, NULL);
    if (r == 0 && ret_port)
        *ret_port = port;
    return r;
}

/* Something answers there: the socket of a server that lives. */
static bool answers(const struct sockaddr_un *sa)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool yes = fd >= 0 && (connect(fd, (const struct sockaddr *)sa, sizeof *sa) == 0 || errno == EAGAIN);
    if (fd >= 0)
        close(fd);
    return yes;
}

static void close_folder(int fd)
{
    if (fd >= 0)
        close(fd);
}

int xt_http_server_listen_unix(xt_http_server *server, const char *path, const void *door, xt_problem *reterr_problem)
{
    struct sockaddr_un sa;
    int folder, r = xt_unix_address(path, &sa, &folder);
    if (r < 0)
        return listening_problem(path, -r, reterr_problem);
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        if (answers(&sa)) {
            close_folder(folder);
            return listening_problem(path, EADDRINUSE, reterr_problem);
        }
        unlink(path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* Linux gives the file the mode of the socket: it never stands there with another. */
    if (fd < 0 || fchmod(fd, 0600) != 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 ||
        listen(fd, BACKLOG) != 0) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        close_folder(folder);
        return listening_problem(path, error, reterr_problem);
    }
    close_folder(folder);
    return add_listener(server, fd, NULL, door, path);
}

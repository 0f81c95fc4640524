/*
 * Datagrams are taken many at a time. The kernel tells with each how many it had no room for before (SO_RXQ_OVFL). When the
 * intake is full nothing is read for a moment: TCP's windows close, and UDP's buffer, which is large, fills.
 */
#include "server/syslog_door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "input/syslog_message.h"
#include "io/vfs.h"
#include "server/app_parts.h"
#include "server/app_tls.h"
#include "server/syslog_private.h"

enum {
    DATAGRAMS = 32,
    ROUNDS = 16, /* of so many, then others have their turn */
    RESUME_MS = 20,
    SWEEP_S = 2,
    BACKLOG = 256,
    RECEIVE_BYTES = 8 << 20,
    CA_BYTES = 1 << 20,
};

typedef struct xt_syslog_datagrams {
    struct mmsghdr headers[DATAGRAMS];
    struct iovec pieces[DATAGRAMS];
    struct sockaddr_storage peers[DATAGRAMS];
    char control[DATAGRAMS][CMSG_SPACE(sizeof(uint32_t))];
    char bytes[DATAGRAMS][XT_SYSLOG_MAX_MESSAGE];
} datagrams;

/* ------------------------------------------------------------------------------------------------- messages */

int xt_syslog_take(xt_syslog_door *door, xt_slice message, const char *address, bool is_cut)
{
    xt_syslog_message parsed;
    xt_slice line;
    int r = 0;
    xt_syslog_message_parse(message, &parsed);
    xt_slice host = parsed.host.n > 0 ? parsed.host : xt_slice_str(address);
    pthread_mutex_lock(&door->lock);
    door->stats.n_messages++;
    door->stats.n_bytes += message.n;
    door->stats.n_cut += is_cut;
    pthread_mutex_unlock(&door->lock);
    while (r >= 0 && xt_slice_cut(&parsed.text, '\n', &line))
        r = line.n > 0 ? xt_intake_line(door->intake, host, line) : 0;
    return r < 0 ? r : 0;
}

static void on_resume(evutil_socket_t fd, short what, void *context)
{
    xt_syslog_door *door = context;
    const struct timeval later = {.tv_usec = RESUME_MS * 1000};
    xt_syslog_conn *next;
    (void)fd;
    (void)what;
    if (xt_intake_is_full(door->intake)) {
        event_add(door->resume, &later);
        return;
    }
    door->is_paused = false;
    if (door->udp)
        event_add(door->udp, NULL);
    for (xt_syslog_conn *conn = door->conns; conn && !door->is_paused; conn = next) {
        next = conn->next;
        xt_syslog_conn_resume(conn);
    }
}

void xt_syslog_pause(xt_syslog_door *door)
{
    const struct timeval later = {.tv_usec = RESUME_MS * 1000};
    if (door->is_paused)
        return;
    door->is_paused = true;
    if (door->udp)
        event_del(door->udp);
    for (xt_syslog_conn *conn = door->conns; conn; conn = conn->next)
        bufferevent_disable(conn->bev, EV_READ);
    event_add(door->resume, &later);
}

/* ------------------------------------------------------------------------------------------------------ UDP */

static void see_overflow(xt_syslog_door *door, struct msghdr *header)
{
    uint32_t n;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
            continue;
        memcpy(&n, CMSG_DATA(c), sizeof n);
        pthread_mutex_lock(&door->lock);
        door->stats.n_overflowed += n - door->overflowed;
        pthread_mutex_unlock(&door->lock);
        door->overflowed = n;
    }
}

static void count_stranger(xt_syslog_door *door)
{
    pthread_mutex_lock(&door->lock);
    door->stats.n_strangers++;
    pthread_mutex_unlock(&door->lock);
}

static void take_datagram(xt_syslog_door *door, datagrams *d, unsigned i)
{
    const struct sockaddr *peer = (const void *)&d->peers[i];
    char address[NI_MAXHOST] = "";
    see_overflow(door, &d->headers[i].msg_hdr);
    if (!xt_networks_has(&door->networks, peer)) {
        count_stranger(door);
        return;
    }
    (void)!getnameinfo(peer, d->headers[i].msg_hdr.msg_namelen, address, sizeof address, NULL, 0, NI_NUMERICHOST);
    int r = xt_syslog_take(door, xt_slice_of(d->bytes[i], d->headers[i].msg_len), address,
                           (d->headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0);
    if (r < 0)
        xt_log(XT_LOG_ERROR, "syslog from %s: %s", address, strerror(-r));
}

static void make_ready(datagrams *d)
{
    for (size_t i = 0; i < DATAGRAMS; i++) {
        d->pieces[i] = (struct iovec){.iov_base = d->bytes[i], .iov_len = sizeof d->bytes[i]};
        d->headers[i].msg_hdr = (struct msghdr){.msg_name = &d->peers[i],
                                                .msg_namelen = sizeof d->peers[i],
                                                .msg_iov = &d->pieces[i],
                                                .msg_iovlen = 1,
                                                .msg_control = d->control[i],
                                                .msg_controllen = sizeof d->control[i]};
    }
}

static void on_udp(evutil_socket_t fd, short what, void *context)
{
    xt_syslog_door *door = context;
    datagrams *d = door->datagrams;
    int n = DATAGRAMS;
    (void)what;
    for (unsigned round = 0; round < ROUNDS && n == DATAGRAMS; round++) {
        if (xt_intake_is_full(door->intake)) {
            xt_syslog_pause(door);
            return;
        }
        make_ready(d);
        n = recvmmsg(fd, d->headers, DATAGRAMS, MSG_DONTWAIT, NULL);
        for (int i = 0; i < n; i++)
            take_datagram(door, d, (unsigned)i);
    }
}

/* -------------------------------------------------------------------------------------------------- accepting */

static void accept_one(xt_syslog_door *door, evutil_socket_t fd, const struct sockaddr *peer, bool is_tls)
{
    if (xt_networks_has(&door->networks, peer)) {
        xt_syslog_conn_open(door, fd, peer, is_tls);
        return;
    }
    evutil_closesocket(fd);
    count_stranger(door);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer, int n, void *context)
{
    xt_syslog_door *door = context;
    (void)n;
    accept_one(door, fd, peer, listener == door->tls_listener);
}

static void on_accept_error(struct evconnlistener *listener, void *context)
{
    xt_syslog_door *door = context;
    xt_log(XT_LOG_ERROR, "syslog: a connection cannot be accepted: %s", strerror(EVUTIL_SOCKET_ERROR()));
    evconnlistener_disable(listener); /* out of descriptors, most likely: the next sweep tries again */
    (void)door;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    xt_syslog_door *door = context;
    (void)fd;
    (void)what;
    xt_syslog_conns_sweep(door);
    if (door->tcp)
        evconnlistener_enable(door->tcp);
    if (door->tls_listener)
        evconnlistener_enable(door->tls_listener);
}

static void on_ending(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(context);
}

static void *run(void *context)
{
    xt_syslog_door *door = context;
    event_base_dispatch(door->base);
    return NULL;
}

/* -------------------------------------------------------------------------------------------- open and close */

static int listening_problem(const char *address, const char *why, xt_problem *reterr_problem)
{
    xt_problem_set(reterr_problem, "%s: syslog cannot be listened for: %s", address, why);
    return XT_SYSLOG_E_LISTEN;
}

static bool is_loopback(const struct addrinfo *info)
{
    xt_networks here = {.n = 0};
    return xt_networks_parse(XT_S("127.0.0.0/8,::1"), &here, NULL) == 0 && xt_networks_has(&here, info->ai_addr);
}

/* Whoever may send may say anything of any host, so beyond this machine somebody has to say who. */
static int check_address(const xt_syslog_settings *settings, const char *address, bool is_tls,
                         const struct addrinfo *info, xt_problem *reterr_problem)
{
    if (is_loopback(info) || settings->from || (is_tls && settings->ca_file))
        return 0;
    xt_problem_set(reterr_problem, "%s is not this machine alone, and nothing says who may send", address);
    xt_problem_hint(
        reterr_problem, "%s",
        is_tls ? "name the networks with --syslog-from, or the CA of the senders' certificates with --syslog-ca"
               : "name the networks with --syslog-from 10.0.0.0/8,192.168.7.9");
    return XT_SYSLOG_E_LISTEN;
}

static int resolve(const char *address, struct addrinfo **ret, xt_problem *reterr_problem)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    char host[256];
    const char *colon = strrchr(address, ':');
    uint64_t number;
    size_t n = colon ? (size_t)(colon - address) : 0;
    if (n == 0 || n >= sizeof host || !xt_slice_parse_u64(xt_slice_str(colon + 1), &number) || number > UINT16_MAX)
        return listening_problem(address, "an address is HOST:PORT", reterr_problem);
    bool has_brackets = address[0] == '[' && address[n - 1] == ']';
    n -= has_brackets ? 2 : 0;
    memcpy(host, address + (has_brackets ? 1 : 0), n);
    host[n] = '\0';
    int e = getaddrinfo(host, colon + 1, &hints, ret);
    return e ? listening_problem(address, gai_strerror(e), reterr_problem) : 0;
}

static int port_of(int fd)
{
    struct sockaddr_in6 sa = {.sin6_port = 0}; /* the port of IPv4 stands at the same place */
    socklen_t n = sizeof sa;
    return getsockname(fd, (struct sockaddr *)&sa, &n) == 0 ? ntohs(sa.sin6_port) : 0;
}

static int listen_stream(xt_syslog_door *door, const char *address, const struct addrinfo *info,
                         struct evconnlistener **ret, xt_problem *reterr_problem)
{
    *ret = evconnlistener_new_bind(door->base, on_accept, door,
                                   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG,
                                   info->ai_addr, (int)info->ai_addrlen);
    if (!*ret)
        return listening_problem(address, strerror(errno), reterr_problem);
    evconnlistener_set_error_cb(*ret, on_accept_error);
    return 0;
}

/* At the address and port that TCP has. */
static int listen_udp(xt_syslog_door *door, const char *address, xt_problem *reterr_problem)
{
    struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
    socklen_t n = sizeof own;
    int bytes = RECEIVE_BYTES, one = 1;
    if (getsockname(evconnlistener_get_fd(door->tcp), (struct sockaddr *)&own, &n))
        return xt_error_origin(-errno);
    int fd = socket(own.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return listening_problem(address, strerror(errno), reterr_problem);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes))
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    (void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof one);
    door->datagrams = calloc(1, sizeof *door->datagrams);
    if (bind(fd, (struct sockaddr *)&own, n) || !door->datagrams) {
        int r = listening_problem(address, strerror(errno), reterr_problem);
        close(fd);
        return r;
    }
    door->udp = event_new(door->base, fd, EV_READ | EV_PERSIST, on_udp, door);
    if (!door->udp)
        close(fd);
    return door->udp && event_add(door->udp, NULL) == 0 ? 0 : xt_error_origin(-ENOMEM);
}

static int open_plain(xt_syslog_door *door, const xt_syslog_settings *settings, xt_problem *reterr_problem)
{
    struct addrinfo *info = NULL;
    int r = resolve(settings->address, &info, reterr_problem);
    if (r == 0)
        r = check_address(settings, settings->address, false, info, reterr_problem);
    if (r == 0)
        r = listen_stream(door, settings->address, info, &door->tcp, reterr_problem);
    if (r == 0)
        r = listen_udp(door, settings->address, reterr_problem);
    if (r == 0)
        door->port = port_of(evconnlistener_get_fd(door->tcp));
    if (info)
        freeaddrinfo(info);
    return r;
}

/* The server's own certificate. Senders older than TLS 1.3 are many; no client certificate of agents is asked for. */
static int make_context(xt_syslog_door *door, xt_app *app, const char *ca_file, xt_problem *reterr_problem)
{
    int r = xt_app_tls_context(app, &door->tls, reterr_problem);
    if (r)
        return xt_error_fold(r);
    SSL_CTX_set_min_proto_version(door->tls, TLS1_2_VERSION);
    SSL_CTX_set_cert_verify_callback(door->tls, NULL, NULL);
    SSL_CTX_set_verify(door->tls, ca_file ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE, NULL);
    if (!ca_file)
        return 0;
    X509_STORE *only = X509_STORE_new(); /* a certificate of an agent is none of a sender of syslog */
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca_file);
    if (only)
        SSL_CTX_set_cert_store(door->tls, only);
    if (only && names && SSL_CTX_load_verify_locations(door->tls, ca_file, NULL) == 1) {
        SSL_CTX_set_client_CA_list(door->tls, names);
        return 0;
    }
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    xt_problem_set(reterr_problem, "%s: no certificates of a CA can be read there", ca_file);
    return XT_SYSLOG_E_LISTEN;
}

static int open_tls(xt_syslog_door *door, xt_app *app, const xt_syslog_settings *settings, xt_problem *reterr_problem)
{
    struct addrinfo *info = NULL;
    int r = resolve(settings->tls_address, &info, reterr_problem);
    if (r == 0)
        r = check_address(settings, settings->tls_address, true, info, reterr_problem);
    if (r == 0)
        r = make_context(door, app, settings->ca_file, reterr_problem);
    if (r == 0)
        r = listen_stream(door, settings->tls_address, info, &door->tls_listener, reterr_problem);
    if (r == 0)
        door->tls_port = port_of(evconnlistener_get_fd(door->tls_listener));
    if (info)
        freeaddrinfo(info);
    return r;
}

static int read_networks(xt_syslog_door *door, const xt_syslog_settings *settings, xt_problem *reterr_problem)
{
    const char *from = settings->from ? settings->from : settings->ca_file ? "0.0.0.0/0,::/0" : "127.0.0.0/8,::1";
    int r = xt_networks_parse(xt_slice_str(from), &door->networks, reterr_problem);
    return r > 0 ? XT_SYSLOG_E_LISTEN : r;
}

static int open_loop(xt_syslog_door *door)
{
    const struct timeval period = {.tv_sec = SWEEP_S};
    door->base = event_base_new();
    door->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!door->base || door->wake_fd < 0)
        return xt_error_origin(-ENOMEM);
    door->timer = event_new(door->base, -1, EV_PERSIST, on_timer, door);
    door->resume = evtimer_new(door->base, on_resume, door);
    door->ending = event_new(door->base, door->wake_fd, EV_READ, on_ending, door->base);
    if (!door->timer || !door->resume || !door->ending || event_add(door->timer, &period) ||
        event_add(door->ending, NULL))
        return xt_error_origin(-ENOMEM);
    return 0;
}

static void announce(xt_app *app, xt_syslog_door *door)
{
    pthread_mutex_lock(&app->intake_lock);
    app->syslog = door;
    pthread_mutex_unlock(&app->intake_lock);
}

int xt_syslog_door_open(xt_app *app, const xt_syslog_settings *settings, xt_syslog_door **ret,
                        xt_problem *reterr_problem)
{
    xt_syslog_door *door = calloc(1, sizeof *door);
    if (!door)
        return xt_error_origin(-ENOMEM);
    door->app = app;
    door->wake_fd = -1;
    pthread_mutex_init(&door->lock, NULL);
    int r = read_networks(door, settings, reterr_problem);
    if (r == 0)
        r = xt_app_intake(app, &door->intake);
    if (r == 0)
        r = open_loop(door);
    if (r == 0 && settings->address)
        r = open_plain(door, settings, reterr_problem);
    if (r == 0 && settings->tls_address)
        r = open_tls(door, app, settings, reterr_problem);
    if (r == 0)
        r = -pthread_create(&door->thread, NULL, run, door);
    door->runs = r == 0;
    if (r) {
        xt_syslog_door_close(door);
        return r < 0 ? xt_error_trace(r) : r;
    }
    announce(app, door);
    *ret = door;
    return 0;
}

int xt_syslog_door_port(const xt_syslog_door *door)
{
    return door->port;
}

int xt_syslog_door_tls_port(const xt_syslog_door *door)
{
    return door->tls_port;
}

xt_syslog_stats xt_app_syslog_stats(xt_app *app)
{
    xt_syslog_stats stats = {0};
    pthread_mutex_lock(&app->intake_lock);
    xt_syslog_door *door = app->syslog;
    if (door) {
        pthread_mutex_lock(&door->lock);
        stats = door->stats;
        pthread_mutex_unlock(&door->lock);
    }
    pthread_mutex_unlock(&app->intake_lock);
    return stats;
}

static void close_events(xt_syslog_door *door)
{
    struct event *all[] = {door->udp, door->timer, door->resume, door->ending};
    if (door->udp)
        close(event_get_fd(door->udp));
    for (size_t i = 0; i < XT_COUNT_OF(all); i++)
        if (all[i])
            event_free(all[i]);
    if (door->tcp)
        evconnlistener_free(door->tcp);
    if (door->tls_listener)
        evconnlistener_free(door->tls_listener);
    if (door->wake_fd >= 0)
        close(door->wake_fd);
}

xt_syslog_door *xt_syslog_door_close(xt_syslog_door *door)
{
    uint64_t one = 1;
    if (!door)
        return NULL;
    announce(door->app, NULL);
    if (door->runs && write(door->wake_fd, &one, sizeof one) == sizeof one)
        pthread_join(door->thread, NULL);
    while (door->conns)
        xt_syslog_conn_close(door->conns);
    close_events(door);
    if (door->base)
        event_base_free(door->base);
    SSL_CTX_free(door->tls);
    free(door->datagrams);
    pthread_mutex_destroy(&door->lock);
    free(door);
    return NULL;
}

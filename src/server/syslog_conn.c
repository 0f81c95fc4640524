/* One connection: bytes go from its buffer through the framer; what the intake has no room for stays where it is. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/tls.h"
#include "server/syslog_private.h"

enum {
    READ_BYTES = 256 << 10, /* in one go, then others have their turn */
    HIGH_WATER = 128 << 10, /* of what waits in a connection's buffer */
    STUCK_MS = 60000,       /* a message */
    HANDSHAKE_MS = 10000,   /* all of it */
    MUTE_MS = 300000,       /* until the first message of who has shown no certificate */
    SILENT_MS = 600000,     /* since the last bytes of one that has spoken, when there are too many */
    PROBE_S = 600,          /* of a silent peer, whether it is still there */
    TELL_AGAIN_MS = 60000,
};

static int64_t now_ms(void)
{
    return xt_clock_mono_ms(&xt_clock_system);
}

static int on_message(void *context, xt_slice message, bool is_cut)
{
    xt_syslog_conn *conn = context;
    conn->has_spoken = true;
    return xt_syslog_take(conn->door, message, conn->address, is_cut);
}

void xt_syslog_conn_close(xt_syslog_conn *conn)
{
    xt_syslog_door *door = conn->door;
    *(conn->previous ? &conn->previous->next : &door->conns) = conn->next;
    if (conn->next)
        conn->next->previous = conn->previous;
    pthread_mutex_lock(&door->lock);
    door->stats.n_connections--;
    pthread_mutex_unlock(&door->lock);
    bufferevent_free(conn->bev);
    xt_syslog_framer_fini(&conn->framer);
    free(conn);
}

/* False: the connection is gone. */
static bool feed(xt_syslog_conn *conn, size_t max)
{
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    size_t n;
    while ((n = evbuffer_get_contiguous_space(input)) > 0 && max > 0 && !xt_intake_is_full(conn->door->intake)) {
        n = n < max ? n : max;
        const unsigned char *p = evbuffer_pullup(input, (ssize_t)n);
        int r = xt_syslog_framer_feed(&conn->framer, xt_slice_of(p, n));
        if (r) {
            xt_log(XT_LOG_ERROR, "syslog from %s: %s", conn->address, strerror(-r));
            xt_syslog_conn_close(conn);
            return false;
        }
        evbuffer_drain(input, n);
        max -= n;
        conn->moved_ms = now_ms();
    }
    return true;
}

static void read_on(xt_syslog_conn *conn)
{
    if (!feed(conn, READ_BYTES))
        return;
    if (evbuffer_get_length(bufferevent_get_input(conn->bev)) == 0)
        return;
    if (xt_intake_is_full(conn->door->intake))
        xt_syslog_pause(conn->door);
    else
        bufferevent_trigger(conn->bev, EV_READ, BEV_OPT_DEFER_CALLBACKS);
}

static void on_read(struct bufferevent *bev, void *context)
{
    (void)bev;
    read_on(context);
}

void xt_syslog_conn_resume(xt_syslog_conn *conn)
{
    bufferevent_enable(conn->bev, EV_READ);
    read_on(conn);
}

static void say_why(const xt_syslog_conn *conn, short what)
{
    xt_problem problem = XT_PROBLEM_INIT;
    unsigned long code = bufferevent_get_openssl_error(conn->bev);
    SSL *ssl = bufferevent_openssl_get_ssl(conn->bev);
    if (!ssl || !(what & BEV_EVENT_ERROR) || conn->is_ready)
        return;
    xt_tls_problem_of(ssl, code, &problem);
    xt_log(XT_LOG_WARN, "syslog over TLS from %s: %s", conn->address, problem.sentence);
}

static void on_event(struct bufferevent *bev, short what, void *context)
{
    xt_syslog_conn *conn = context;
    (void)bev;
    if (what & BEV_EVENT_CONNECTED) {
        conn->is_ready = true;
        conn->moved_ms = now_ms();
        return;
    }
    if (!(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)))
        return;
    say_why(conn, what);
    if (!feed(conn, SIZE_MAX))
        return;
    if (evbuffer_get_length(bufferevent_get_input(conn->bev)) >
        0) { /* the intake is full; resume comes by here again */
        xt_syslog_pause(conn->door);
        return;
    }
    (void)!xt_syslog_framer_finish(&conn->framer);
    xt_syslog_conn_close(conn);
}

/* ------------------------------------------------------------------------------------------------- too many */

/* How much there is to lose; and who of two alike has had the longer time. */
typedef enum rank { SHAKES_HANDS, IS_MUTE, HAS_SPOKEN } rank;

static rank rank_of(const xt_syslog_conn *conn)
{
    return !conn->is_ready ? SHAKES_HANDS : !conn->has_spoken ? IS_MUTE : HAS_SPOKEN;
}

static int64_t since_ms(const xt_syslog_conn *conn)
{
    return conn->has_spoken ? conn->moved_ms : conn->opened_ms;
}

static bool goes_before(const xt_syslog_conn *a, const xt_syslog_conn *b)
{
    return !b || rank_of(a) < rank_of(b) || (rank_of(a) == rank_of(b) && since_ms(a) < since_ms(b));
}

/* Of one address, NULL: of all. How many there are, and who is to go; *ret NULL: nobody. */
static size_t find_victim(const xt_syslog_door *door, const struct in6_addr *peer, xt_syslog_conn **ret)
{
    int64_t now = now_ms();
    size_t n = 0;
    *ret = NULL;
    for (xt_syslog_conn *conn = door->conns; conn; conn = conn->next) {
        if (peer && memcmp(&conn->peer, peer, sizeof *peer) != 0)
            continue;
        n++;
        if ((!conn->has_spoken || now - conn->moved_ms > SILENT_MS) && goes_before(conn, *ret))
            *ret = conn;
    }
    return n;
}

static void count_refused(xt_syslog_door *door)
{
    pthread_mutex_lock(&door->lock);
    door->stats.n_refused++;
    pthread_mutex_unlock(&door->lock);
}

static void tell_crowded(xt_syslog_door *door, const char *address, const char *what)
{
    int64_t now = now_ms();
    if (!door->told_ms || now - door->told_ms > TELL_AGAIN_MS)
        xt_log(XT_LOG_WARN, "syslog: too many connections (at most %d, %d of one address): that of %s is %s",
               XT_SYSLOG_CONNECTIONS, XT_SYSLOG_FROM_ONE, address, what);
    door->told_ms = now;
}

static void give_up(xt_syslog_conn *conn)
{
    count_refused(conn->door);
    (void)!xt_syslog_framer_finish(&conn->framer);
    xt_syslog_conn_close(conn);
}

/* For one more of that address. False: there is none. */
static bool make_room(xt_syslog_door *door, const struct in6_addr *peer)
{
    const struct {
        const struct in6_addr *of;
        size_t most;
    } bounds[] = {{peer, XT_SYSLOG_FROM_ONE}, {NULL, XT_SYSLOG_CONNECTIONS}};
    for (size_t i = 0; i < XT_COUNT_OF(bounds); i++) {
        xt_syslog_conn *victim;
        if (find_victim(door, bounds[i].of, &victim) < bounds[i].most)
            continue;
        if (!victim)
            return false;
        tell_crowded(door, victim->address, victim->has_spoken ? "silent, and closed" : "mute, and closed");
        give_up(victim);
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------- opening */

static void peer_of(const struct sockaddr *sa, struct in6_addr *ret, char *text)
{
    const struct sockaddr_in *v4 = (const void *)sa;
    *ret = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    if (sa->sa_family == AF_INET)
        memcpy(ret->s6_addr + 12, &v4->sin_addr, 4);
    else
        *ret = ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(ret))
        inet_ntop(AF_INET, ret->s6_addr + 12, text, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, ret, text, INET6_ADDRSTRLEN);
}

static void refuse(xt_syslog_door *door, evutil_socket_t fd, const char *address)
{
    evutil_closesocket(fd);
    count_refused(door);
    tell_crowded(door, address, "refused");
}

/* A peer that went without a word does not hold its place for ever. */
static void probe_silent(evutil_socket_t fd)
{
    int on = 1, idle_s = PROBE_S;
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
}

static struct bufferevent *bufferevent_of(xt_syslog_door *door, evutil_socket_t fd, bool is_tls)
{
    int options = BEV_OPT_CLOSE_ON_FREE;
    if (!is_tls)
        return bufferevent_socket_new(door->base, fd, options);
    SSL *ssl = SSL_new(door->tls);
    struct bufferevent *bev =
        ssl ? bufferevent_openssl_socket_new(door->base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, options) : NULL;
    if (ssl && !bev)
        SSL_free(ssl);
    if (bev)
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    return bev;
}

void xt_syslog_conn_open(xt_syslog_door *door, evutil_socket_t fd, const struct sockaddr *peer, bool is_tls)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr in6;
    peer_of(peer, &in6, address);
    if (!make_room(door, &in6)) {
        refuse(door, fd, address);
        return;
    }
    probe_silent(fd);
    xt_syslog_conn *conn = calloc(1, sizeof *conn);
    struct bufferevent *bev = conn ? bufferevent_of(door, fd, is_tls) : NULL;
    if (!bev) {
        free(conn);
        refuse(door, fd, address);
        return;
    }
    *conn = (xt_syslog_conn){
        .door = door, .bev = bev, .peer = in6, .is_ready = !is_tls, .opened_ms = now_ms(), .moved_ms = now_ms()};
    memcpy(conn->address, address, sizeof address);
    xt_syslog_framer_init(&conn->framer, on_message, conn);
    conn->next = door->conns;
    if (door->conns)
        door->conns->previous = conn;
    door->conns = conn;
    pthread_mutex_lock(&door->lock);
    door->stats.n_connections++;
    pthread_mutex_unlock(&door->lock);
    bufferevent_setcb(bev, on_read, NULL, on_event, conn);
    bufferevent_setwatermark(bev, EV_READ, 0, HIGH_WATER);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
    if (door->is_paused)
        bufferevent_disable(bev, EV_READ);
}

static bool is_over(const xt_syslog_conn *conn, int64_t now)
{
    bool waits = conn->framer.partial.n > 0 || conn->framer.is_counted || conn->framer.skips;
    SSL *ssl = bufferevent_openssl_get_ssl(conn->bev);
    bool is_certified = ssl && (SSL_get_verify_mode(ssl) & SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
    if (!conn->is_ready)
        return now - conn->opened_ms > HANDSHAKE_MS;
    return (waits && now - conn->moved_ms > STUCK_MS) ||
           (!conn->has_spoken && !is_certified && now - conn->opened_ms > MUTE_MS);
}

void xt_syslog_conns_sweep(xt_syslog_door *door)
{
    int64_t now = now_ms();
    xt_syslog_conn *next;
    for (xt_syslog_conn *conn = door->conns; conn; conn = next) {
        next = conn->next;
        if (!door->is_paused && is_over(conn, now))
            give_up(conn);
    }
}

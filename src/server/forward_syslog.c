/*
 * All waiting is by poll in short steps, so that a forward that is to end does so soon. Over TCP and TLS it is known that messages were
 * read only when the receiver has closed behind our end of the stream: a process that ends with bytes unread makes its kernel reset the
 * connection. A receiver that resets every connection at its end, though it has read everything, would get the same
 * messages for ever; so after RESETS_MAX in a row it is believed. One that does not close at all is believed when its kernel has
 * acknowledged every byte.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "io/tls.h"
#include "server/forward_sink.h"

enum {
    CONNECT_MS = 10 * 1000,
    STALLED_MS = 30 * 1000,
    CLOSE_MS = 10 * 1000,
    STEP_MS = 200,
    RESETS_MAX = 3,
    UDP_BURST = 32, /* messages between pauses: a receiver's buffer is small, and what does not fit is lost */
    UDP_PAUSE_US = 4000,
    UDP_LISTEN_MS = 10, /* for a refusal */
};

typedef struct syslog_sink {
    xt_sink sink; /* first */
    xt_forward_kind kind;
    char *target, *ca, *cert, *key;
    char host[256], port[8];
    const atomic_bool *stops;
    SSL_CTX *context;
    SSL *ssl;
    int fd;
    unsigned n_resets;
} syslog_sink;

static int64_t now_ms(void)
{
    return xt_clock_mono_ms(&xt_clock_system);
}

static void shut(syslog_sink *s)
{
    SSL_free(s->ssl);
    s->ssl = NULL;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

static int away(syslog_sink *s, xt_problem *reterr_problem, const char *doing, const char *why)
{
    shut(s);
    SSL_CTX_free(s->context); /* the files may be others next time */
    s->context = NULL;
    xt_problem_set(reterr_problem, "%s %s: %s", doing, s->target, why);
    return XT_SINK_E_AWAY;
}

/* 0; -ETIMEDOUT at `until`, -ECANCELED when the forward is to end. */
static int wait_for(const syslog_sink *s, short events, int64_t until)
{
    struct pollfd p = {.fd = s->fd, .events = events};

    for (;;) {
        int64_t left = until - now_ms();
        if (s->stops && atomic_load(s->stops))
            return -ECANCELED;
        if (left <= 0)
            return -ETIMEDOUT;
        int n = poll(&p, 1, (int)(left < STEP_MS ? left : STEP_MS));
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
    }
}

/* ------------------------------------------------------------------------------------------------ TLS */

static int context_files(syslog_sink *s)
{
    int ok =
        s->ca ? SSL_CTX_load_verify_locations(s->context, s->ca, NULL) : SSL_CTX_set_default_verify_paths(s->context);

    if (ok == 1 && s->cert)
        ok = SSL_CTX_use_certificate_chain_file(s->context, s->cert);
    if (ok == 1 && s->key)
        ok = SSL_CTX_use_PrivateKey_file(s->context, s->key, SSL_FILETYPE_PEM);
    return ok == 1 ? 0 : XT_SINK_E_AWAY;
}

/* What OpenSSL's queue says, without its codes. */
static void tls_why(char *ret, size_t n)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    snprintf(ret, n, "%s", reason ? reason : "the peer went away");
    ERR_clear_error();
}

static int context_make(syslog_sink *s, xt_problem *reterr_problem)
{
    char why[120];

    ERR_clear_error();
    s->context = SSL_CTX_new(TLS_client_method());
    if (!s->context)
        return xt_error_origin(-ENOMEM);
    SSL_CTX_set_min_proto_version(s->context, TLS1_2_VERSION);
    SSL_CTX_set_verify(s->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(s->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (context_files(s) == 0)
        return 0;
    tls_why(why, sizeof why);
    return away(s, reterr_problem, "reading certificates for", why);
}

/* The certificate must name the host, or its address where one was given. */
static bool name_expected(SSL *ssl, char *host /* as the macro of OpenSSL wants it */)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1)
        return true;
    ERR_clear_error();
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

static int handshake(syslog_sink *s, xt_problem *reterr_problem)
{
    int64_t until = now_ms() + CONNECT_MS;
    char why[160];
    int r = s->context ? 0 : context_make(s, reterr_problem);

    if (r)
        return r;
    s->ssl = SSL_new(s->context);
    if (!s->ssl || SSL_set_fd(s->ssl, s->fd) != 1 || !name_expected(s->ssl, s->host))
        return xt_error_origin(-ENOMEM);
    for (;;) {
        ERR_clear_error();
        int n = SSL_connect(s->ssl);
        int e = n == 1 ? SSL_ERROR_NONE : SSL_get_error(s->ssl, n);
        if (e == SSL_ERROR_NONE)
            return 0;
        if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
            break;
        r = wait_for(s, e == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until);
        if (r)
            return away(s, reterr_problem, "TLS with", strerror(-r));
    }
    long verify = SSL_get_verify_result(s->ssl);
    tls_why(why, sizeof why);
    return away(s, reterr_problem, "TLS with", verify == X509_V_OK ? why : X509_verify_cert_error_string(verify));
}

/* ------------------------------------------------------------------------------------------------ connecting */

static int connect_to(syslog_sink *s, const struct addrinfo *a)
{
    int one = 1, e = 0;
    socklen_t n = sizeof e;

    s->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    if (s->fd < 0)
        return -errno;
    if (s->kind != XT_FORWARD_UDP)
        setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int r = connect(s->fd, a->ai_addr, a->ai_addrlen) < 0 ? -errno : 0;
    if (r == -EINPROGRESS) {
        r = wait_for(s, POLLOUT, now_ms() + CONNECT_MS);
        if (r == 0 && getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &e, &n) == 0)
            r = -e;
    }
    if (r)
        shut(s);
    return r;
}

static int connect_any(syslog_sink *s, xt_problem *reterr_problem)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = s->kind == XT_FORWARD_UDP ? SOCK_DGRAM : SOCK_STREAM},
                    *list = NULL;
    int r = getaddrinfo(s->host, s->port, &hints, &list);

    if (r)
        return away(s, reterr_problem, "looking up", gai_strerror(r));
    r = -EHOSTUNREACH;
    for (const struct addrinfo *a = list; a && r != 0 && r != -ECANCELED; a = a->ai_next)
        r = connect_to(s, a);
    freeaddrinfo(list);
    if (r)
        return away(s, reterr_problem, "connecting to", strerror(-r));
    return s->kind == XT_FORWARD_TLS ? handshake(s, reterr_problem) : 0;
}

/* ------------------------------------------------------------------------------------------------ streams */

/* Bytes that could be written or read (then 0: the end); -EAGAIN with *ret_events to wait for, else -errno. */
static ssize_t put_some(syslog_sink *s, xt_slice bytes, short *ret_events)
{
    *ret_events = POLLOUT;
    if (!s->ssl) {
        ssize_t n = send(s->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        return n < 0 ? -errno : n;
    }
    ERR_clear_error();
    errno = 0;
    int n = SSL_write(s->ssl, bytes.p, bytes.n < INT32_MAX ? (int)bytes.n : INT32_MAX);
    int e = n > 0 ? SSL_ERROR_NONE : SSL_get_error(s->ssl, n);
    if (e == SSL_ERROR_WANT_READ)
        *ret_events = POLLIN;
    return n > 0 ? n : e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? -EAGAIN : errno ? -errno : -ECONNRESET;
}

static ssize_t get_some(syslog_sink *s, void *p, size_t size)
{
    if (!s->ssl) {
        ssize_t n = recv(s->fd, p, size, 0);
        return n < 0 ? -errno : n;
    }
    ERR_clear_error();
    errno = 0;
    int n = SSL_read(s->ssl, p, (int)size);
    int e = n > 0 ? SSL_ERROR_NONE : SSL_get_error(s->ssl, n);
    if (n > 0)
        return n;
    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
        return -EAGAIN;
    if (e == SSL_ERROR_ZERO_RETURN || ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return 0;
    return errno ? -errno : -ECONNRESET;
}

/* What a receiver sends is of no interest; that it went away is. */
static int still_there(syslog_sink *s, xt_problem *reterr_problem)
{
    char swallowed[512];
    ssize_t n;

    while ((n = get_some(s, swallowed, sizeof swallowed)) > 0)
        ;
    if (n == -EAGAIN || n == -EINTR)
        return 0;
    return away(s, reterr_problem, "sending to", n == 0 ? "the receiver closed the connection" : strerror((int)-n));
}

static int stream_send(syslog_sink *s, xt_slice bytes, xt_problem *reterr_problem)
{
    int r = still_there(s, reterr_problem);

    while (r == 0 && bytes.n) {
        short events;
        ssize_t n = put_some(s, bytes, &events);
        if (n > 0) {
            bytes = xt_slice_skip(bytes, (size_t)n);
            continue;
        }
        r = n == -EAGAIN || n == -EINTR ? wait_for(s, events, now_ms() + STALLED_MS) : (int)n;
        if (r)
            return away(s, reterr_problem, "sending to", strerror(-r));
    }
    return r;
}

/* How the receiver ended the connection behind our end: 0 in order, else -errno. */
static int wait_closed(syslog_sink *s)
{
    int64_t until = now_ms() + CLOSE_MS;
    char swallowed[512];

    for (;;) {
        ssize_t n = get_some(s, swallowed, sizeof swallowed);
        if (n == 0)
            return 0;
        if (n > 0)
            continue;
        int r = n == -EAGAIN || n == -EINTR ? wait_for(s, POLLIN, until) : (int)n;
        if (r)
            return r;
    }
}

static int settle(xt_sink *sink, xt_problem *reterr_problem)
{
    syslog_sink *s = (syslog_sink *)sink;
    int left = 0;

    if (s->fd < 0)
        return 0;
    if (s->ssl)
        SSL_shutdown(s->ssl);
    shutdown(s->fd, SHUT_WR);
    int r = wait_closed(s);
    if (r == -ETIMEDOUT && ioctl(s->fd, SIOCOUTQ, &left) == 0 && left == 0)
        r = 0;
    s->n_resets = r == -ECONNRESET || r == -EPIPE ? s->n_resets + 1 : 0;
    if (s->n_resets >= RESETS_MAX)
        r = 0;
    if (r == 0) {
        shut(s);
        return 0;
    }
    return away(s, reterr_problem, "ending the connection to", strerror(-r));
}

/* ------------------------------------------------------------------------------------------------ datagrams */

static int datagram_send(syslog_sink *s, xt_slice message, xt_problem *reterr_problem)
{
    for (;;) {
        if (send(s->fd, message.p, message.n, MSG_NOSIGNAL) >= 0)
            return 0;
        int r = errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? wait_for(s, POLLOUT, now_ms() + STALLED_MS)
                                                                      : -errno;
        if (r)
            return away(s, reterr_problem, "sending to", strerror(-r));
    }
}

static int datagrams_send(syslog_sink *s, const xt_forward_batch *batch, xt_problem *reterr_problem)
{
    struct pollfd p = {.fd = s->fd};
    size_t n = xt_forward_batch_count(batch);
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++) {
        r = datagram_send(s, xt_forward_batch_part(batch, i, i + 1), reterr_problem);
        if (i % UDP_BURST == UDP_BURST - 1)
            usleep(UDP_PAUSE_US);
    }
    if (r == 0 && poll(&p, 1, UDP_LISTEN_MS) > 0)
        r = away(s, reterr_problem, "sending to", "nobody listens there");
    return r;
}

/* ------------------------------------------------------------------------------------------------ making */

static int syslog_send(xt_sink *sink, const xt_forward_batch *batch, xt_problem *reterr_problem)
{
    syslog_sink *s = (syslog_sink *)sink;
    int r = s->fd < 0 ? connect_any(s, reterr_problem) : 0;

    if (r)
        return r;
    return s->kind == XT_FORWARD_UDP ? datagrams_send(s, batch, reterr_problem)
                                     : stream_send(s, xt_buf_slice(&batch->bytes), reterr_problem);
}

static void syslog_free(xt_sink *sink)
{
    syslog_sink *s = (syslog_sink *)sink;

    shut(s);
    SSL_CTX_free(s->context);
    free(s->target);
    free(s->ca);
    free(s->cert);
    free(s->key);
    free(s);
}

static bool copy(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

int xt_sink_syslog_new(const xt_sink_settings *settings, xt_sink **ret)
{
    syslog_sink *s = calloc(1, sizeof *s);

    if (!s)
        return xt_error_origin(-ENOMEM);
    s->sink =
        (xt_sink){.send = syslog_send, .settle = settings->kind == XT_FORWARD_UDP ? NULL : settle, .free = syslog_free};
    s->kind = settings->kind;
    s->stops = settings->stops;
    s->fd = -1;
    if (!copy(&s->target, settings->target) || !copy(&s->ca, settings->ca) || !copy(&s->cert, settings->cert) ||
        !copy(&s->key, settings->key)) {
        syslog_free(&s->sink);
        return xt_error_origin(-ENOMEM);
    }
    if (!xt_sink_host_port(s->target, s->host, sizeof s->host, s->port, sizeof s->port)) {
        syslog_free(&s->sink);
        return xt_error_origin(-EINVAL);
    }
    *ret = &s->sink;
    return 0;
}

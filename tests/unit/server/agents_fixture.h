/*
 * The agents' door on a loop of its own, and a client that speaks its frames over TLS. Each test program includes this once.
 */
#pragma once
#include "server_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "io/tls.h"
#include "io/tls_trust.h"
#include "server/agents_private.h"
#include "server/app_parts.h"
#include "wire/frame.h"
#include "wire/message.h"
#include "wire/short_form.h"
#include "wire/token.h"

/* ------------------------------------------------------------------------------------- the server's loop */

typedef struct door {
    fixture *f;
    struct event_base *base;
    xt_agents *agents;
    int port, stop[2];
    struct event *stopper;
    pthread_t thread;
} door;

static void on_stop(evutil_socket_t fd, short what, void *context)
{
    event_base_loopbreak(context);
}

static void *loop(void *context)
{
    door *d = context;
    event_base_dispatch(d->base);
    xt_agents_close(d->agents);
    return NULL;
}

/* 0: the door's own. */
static struct {
    size_t max_new;
    int frame_s;
} limits;

static inline void door_open(door *d, fixture *f)
{
    xt_problem problem = XT_PROBLEM_INIT;
    *d = (door){.f = f, .base = event_base_new()};
    assert_int_equal(pipe(d->stop), 0);
    d->stopper = event_new(d->base, d->stop[0], EV_READ, on_stop, d->base);
    event_add(d->stopper, NULL);
    assert_int_equal(xt_agents_open(f->app, d->base, "127.0.0.1:0", &d->agents, &problem), 0);
    d->agents->max_new = limits.max_new ? limits.max_new : d->agents->max_new;
    d->agents->frame_s = limits.frame_s ? limits.frame_s : d->agents->frame_s;
    d->port = xt_agents_port(d->agents);
    assert_int_equal(pthread_create(&d->thread, NULL, loop, d), 0);
}

static inline void door_close(door *d)
{
    assert_int_equal(write(d->stop[1], "x", 1), 1);
    pthread_join(d->thread, NULL);
    event_free(d->stopper);
    event_base_free(d->base);
    close(d->stop[0]);
    close(d->stop[1]);
}

/* --------------------------------------------------------------------------------------------- the client */

static inline int connect_raw(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

typedef struct client {
    int fd;
    SSL *ssl;
    xt_buf in, frame;
} client;

/* Takes the context. */
static inline void client_open(client *c, int port, SSL_CTX *context)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {.tv_sec = 20};

    *c = (client){.in = XT_BUF_INIT, .frame = XT_BUF_INIT};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&a, sizeof a), 0);
    c->ssl = SSL_new(context);
    SSL_set_fd(c->ssl, c->fd);
    assert_int_equal(SSL_connect(c->ssl), 1);
    SSL_CTX_free(context);
}

static inline void client_close(client *c)
{
    SSL_free(c->ssl);
    close(c->fd);
    xt_buf_fini(&c->in);
    xt_buf_fini(&c->frame);
}

static inline void client_send(client *c, xt_frame_type type, const xt_buf *payload)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_frame_put(&out, type, xt_buf_slice(payload));
    assert_int_equal(xt_buf_done(&out), 0);
    for (size_t at = 0; at < out.n;) { /* partial writes are on */
        int k = SSL_write(c->ssl, out.p + at, (int)(out.n - at));
        assert_true(k > 0);
        at += (size_t)k;
    }
}

/* The next frame, or type 0 when the server has closed. */
static inline xt_frame client_next(client *c)
{
    xt_frame frame = {0};
    size_t n;
    char piece[4096];

    while (xt_frame_next(xt_buf_slice(&c->in), &frame, &n, NULL) != 0) {
        int k = SSL_read(c->ssl, piece, sizeof piece);
        if (k <= 0)
            return (xt_frame){0};
        xt_buf_put(&c->in, xt_slice_of(piece, (size_t)k));
    }
    xt_buf_reset(&c->frame);
    xt_buf_put(&c->frame, frame.payload);
    xt_buf_consume(&c->in, n);
    return (xt_frame){frame.type, xt_buf_slice(&c->frame)};
}

static inline uint64_t refusal_in(client *c, uint64_t *ret_retry_ms)
{
    xt_refused refused;
    xt_frame frame = client_next(c);

    while (frame.type == XT_FRAME_ACK)
        frame = client_next(c);
    assert_int_equal(frame.type, XT_FRAME_REFUSED);
    assert_int_equal(xt_refused_decode(frame.payload, &refused, NULL), 0);
    assert_true(refused.sentence.n > 10);
    uint64_t reason = refused.reason;
    *ret_retry_ms = refused.retry_ms;
    assert_int_equal(client_next(c).type, 0); /* and closes */
    return reason;
}

static inline uint64_t refusal_of(client *c)
{
    uint64_t retry_ms;
    return refusal_in(c, &retry_ms);
}

static inline uint64_t ack_of(client *c)
{
    xt_ack ack;
    xt_frame frame = client_next(c);
    assert_int_equal(frame.type, XT_FRAME_ACK);
    assert_int_equal(xt_ack_decode(frame.payload, &ack, NULL), 0);
    return ack.number;
}

/* ---------------------------------------------------------------------------------------------- the host */

typedef struct host {
    char id[33];
    xt_buf key, cert, ca;
} host;

static inline void host_fini(host *h)
{
    xt_buf_fini(&h->key);
    xt_buf_fini(&h->cert);
    xt_buf_fini(&h->ca);
}

static inline void token_make(fixture *f, int64_t valid_ms, uint64_t uses, xt_token *ret)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    assert_int_equal(xt_app_token_new(f->app, valid_ms, uses, XT_S(""), &text, NULL), 0);
    assert_int_equal(xt_token_parse(xt_buf_slice(&text), ret, NULL), 0);
}

static inline void enroll_send(client *c, const xt_token *token, xt_slice csr, uint64_t version)
{
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    char secret[32];
    memcpy(secret, token->id, 16);
    memcpy(secret + 16, token->secret, 16);
    xt_enroll m = {.version = version,
                   .secret = xt_slice_of(secret, 32),
                   .csr_der = csr,
                   .host_name = XT_S("web-1"),
                   .machine_id = XT_S("m"),
                   .os = XT_S("Debian 12")};
    xt_enroll_put(&payload, &m);
    client_send(c, XT_FRAME_ENROLL, &payload);
}

static inline void pinned_open(client *c, const door *d, const xt_token *token)
{
    SSL_CTX *context;
    assert_int_equal(xt_tls_pinned_context(token->ca_sha256, &context, NULL), 0);
    client_open(c, d->port, context);
}

static inline void enroll(door *d, host *h)
{
    XT_CLEANUP(xt_buf_fini) xt_buf csr = XT_BUF_INIT;
    xt_enrolled enrolled;
    xt_token token;
    client c;

    *h = (host){0};
    token_make(d->f, 60000, 1, &token);
    assert_int_equal(xt_tls_key_make(&h->key), 0);
    assert_int_equal(xt_tls_csr_make(xt_buf_slice(&h->key), XT_S("web-1"), &csr), 0);
    pinned_open(&c, d, &token);
    enroll_send(&c, &token, xt_buf_slice(&csr), XT_WIRE_VERSION);
    xt_frame frame = client_next(&c);
    assert_int_equal(frame.type, XT_FRAME_ENROLLED);
    assert_int_equal(xt_enrolled_decode(frame.payload, &enrolled, NULL), 0);
    snprintf(h->id, sizeof h->id, "%.*s", XT_S_ARGS(enrolled.host_id));
    xt_buf_put(&h->cert, enrolled.cert_pem);
    xt_buf_put(&h->ca, enrolled.ca_pem);
    client_close(&c);
}

static inline void mutual_open(client *c, const door *d, const host *h)
{
    SSL_CTX *context;
    assert_int_equal(
        xt_tls_client_context(xt_buf_slice(&h->ca), xt_buf_slice(&h->cert), xt_buf_slice(&h->key), &context, NULL), 0);
    client_open(c, d->port, context);
}

/* What the next hellos say of the machine; features 0: an agent of before renewal. */
static struct {
    const char *machine, *boot;
    uint64_t features, trust, clock_ms;
} says = {.machine = "m", .boot = "b"};

static inline void hello_send(client *c, const char *host_id, xt_hash128 stream, uint64_t version)
{
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    xt_hello m = {.version = version,
                  .host_id = xt_slice_str(host_id),
                  .host_name = XT_S("web-1"),
                  .boot_id = xt_slice_str(says.boot),
                  .machine_id = xt_slice_str(says.machine),
                  .features = says.features,
                  .trust = says.trust,
                  .clock_ms = says.clock_ms,
                  .agent_version = XT_S("0.1.0"),
                  .os = XT_S("Debian 12"),
                  .stream = stream,
                  .audit_mode = XT_S("owner"),
                  .completeness = XT_S("everything")};
    xt_hello_put(&payload, &m);
    client_send(c, XT_FRAME_HELLO, &payload);
}

static inline xt_welcome welcome_of(client *c)
{
    xt_welcome welcome;
    xt_frame frame = client_next(c);
    assert_int_equal(frame.type, XT_FRAME_WELCOME);
    assert_int_equal(xt_welcome_decode(frame.payload, &welcome, NULL), 0);
    return welcome;
}

static inline void talk(client *c, const door *d, const host *h, const fixture_stream *s)
{
    mutual_open(c, d, h);
    hello_send(c, h->id, s->stream, XT_WIRE_VERSION);
}

static inline void batch_make(const host *h, fixture_stream *s, xt_buf *payload)
{
    XT_CLEANUP(xt_buf_fini) xt_buf events = XT_BUF_INIT;
    uint32_t serial = (uint32_t)s->number + 1;
    fixture_event(&events, h->id, T0 + serial, serial, "/bin/echo", "hello", "/bin/bash");
    fixture_batch(s, xt_buf_slice(&events), 1, payload);
}

static inline void batch_send(client *c, const host *h, fixture_stream *s)
{
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    batch_make(h, s, &payload);
    client_send(c, XT_FRAME_BATCH, &payload);
}

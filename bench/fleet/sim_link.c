/*
 * Sockets are non-blocking under one epoll, OpenSSL works on them directly: a bufferevent each would cost more than the agent
 * itself. Connections come from several addresses of 127/8, so that ports do not run out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "event/batch_codec.h"
#include "io/tls.h"
#include "sim.h"

enum {
    WAIT_FIRST_MS = 500,
    WAIT_MAX_MS = 30000,
    ANSWER_MS = 15000,
    UNANSWERED_MS = 60000,
    OUT_BYTES = 64 << 10,
    IN_BYTES = 16 << 10,
    ADDRESSES = 16,
};

static uint64_t random_below(uint64_t n)
{
    uint64_t v = 0;
    return getrandom(&v, sizeof v, 0) == sizeof v && n ? v % n : 0;
}

/* ------------------------------------------------------------------------------------------------ phases */

static void enter(sim_agent *a, sim_phase phase)
{
    sim *s = a->all;

    s->n_up -= a->phase == SIM_UP;
    s->n_shaking -= a->phase == SIM_SHAKING || a->phase == SIM_ASKED;
    s->n_up += phase == SIM_UP;
    s->n_shaking += phase == SIM_SHAKING || phase == SIM_ASKED;
    a->phase = phase;
    a->since_ms = s->now_ms;
}

static void close_link(sim_agent *a)
{
    SSL_free(a->ssl);
    a->ssl = NULL;
    if (a->fd >= 0)
        close(a->fd);
    a->fd = -1;
    xt_buf_fini(&a->in);
    xt_buf_fini(&a->out);
    a->in = a->out = XT_BUF_INIT;
}

/* retry_ms: what the server asked for, 0: nothing. */
static void broken(sim_agent *a, uint64_t retry_ms)
{
    unsigned shift = a->n_failures < 6 ? a->n_failures : 6;
    uint64_t bound = (uint64_t)WAIT_FIRST_MS << shift;

    if (a->phase == SIM_UP && a->all->now_ms - a->since_ms > 10000) /* it worked */
        bound = WAIT_FIRST_MS, a->n_failures = 0;
    a->n_failures++;
    a->all->n_breaks++;
    close_link(a);
    enter(a, SIM_WAITING);
    if (bound > WAIT_MAX_MS)
        bound = WAIT_MAX_MS;
    a->due_ms = a->all->now_ms + (int64_t)(retry_ms ? retry_ms + random_below(retry_ms / 2) : random_below(bound));
}

/* ------------------------------------------------------------------------------------------------ out */

static void want(sim_agent *a, uint32_t interest)
{
    struct epoll_event event = {.events = interest, .data.ptr = a};

    if (a->interest == interest)
        return;
    a->interest = interest;
    (void)epoll_ctl(a->all->epoll_fd, EPOLL_CTL_MOD, a->fd, &event);
}

/* False: the link is gone. */
static bool flush(sim_agent *a)
{
    while (a->out.n) {
        ERR_clear_error();
        int n = SSL_write(a->ssl, a->out.p, (int)a->out.n);
        if (n <= 0) {
            int error = SSL_get_error(a->ssl, n);
            if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) {
                want(a, EPOLLIN | EPOLLOUT);
                return true;
            }
            broken(a, 0);
            return false;
        }
        xt_buf_consume(&a->out, (size_t)n);
    }
    xt_buf_fini(&a->out);
    a->out = XT_BUF_INIT;
    want(a, EPOLLIN);
    return true;
}

static void put(sim_agent *a, xt_frame_type type, const xt_buf *payload)
{
    xt_frame_put(&a->out, type, xt_buf_slice(payload));
}

void sim_link_send(sim_agent *a)
{
    if (a->phase != SIM_UP)
        return;
    do {
        for (; a->unsent && a->sent - a->acked < a->window && a->out.n < OUT_BYTES; a->unsent = a->unsent->next) {
            xt_buf_put(&a->out, xt_slice_of(a->unsent->frame, a->unsent->n));
            a->sent = a->unsent->number;
        }
        if (!a->out.n || !flush(a))
            return;
    } while (!a->out.n);
}

void sim_link_beat(sim_agent *a)
{
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    uint64_t now_ms = (uint64_t)xt_clock_wall_ms(&xt_clock_system);
    xt_heartbeat beat = {.time_ms = now_ms,
                         .sent_ms = now_ms,
                         .enabled = 1,
                         .audit_pid = 1,
                         .failure = 1,
                         .backlog_limit = 8192,
                         .backlog_wait_time = 60000,
                         .n_events = a->n_made,
                         .n_batches = a->number,
                         .spool_batches = a->number - a->acked,
                         .cpu_us = a->n_made * 20,
                         .rss_bytes = 10 << 20,
                         .rules_hash = XT_S("3f0c6d4e9b2a71c85f0e6d4c9b2a71c8"),
                         .audit_mode = XT_S("owner"),
                         .completeness = XT_S("every record the kernel hands out, its losses counted"),
                         .state = XT_BEAT_WATCHING,
                         .process = 1,
                         .run = 1,
                         .unbroken_ms = (uint64_t)(a->all->now_ms - a->all->begin_ms),
                         .witness = 1,
                         .n_exec_both = a->n_made};

    if (a->phase != SIM_UP)
        return;
    xt_heartbeat_put(&payload, &beat);
    put(a, XT_FRAME_HEARTBEAT, &payload);
    (void)flush(a);
}

static void say_hello(sim_agent *a)
{
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    xt_hello hello = {.version = XT_WIRE_VERSION,
                      .host_id = xt_slice_str(a->id),
                      .host_name = xt_slice_str(a->name),
                      .boot_id = XT_S("simulated"),
                      .agent_version = XT_S("simulated"),
                      .os = XT_S("Linux"),
                      .stream = a->stream,
                      .dictionary = xt_codec_newest(),
                      .audit_mode = XT_S("owner"),
                      .features = XT_FEATURE_RENEWAL,
                      .machine_id = xt_slice_str(a->name),
                      .clock_ms = (uint64_t)xt_clock_wall_ms(&xt_clock_system)};

    xt_hello_put(&payload, &hello);
    put(a, XT_FRAME_HELLO, &payload);
}

static void ask_for_certificate(sim_agent *a)
{
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    uint8_t secret[32];

    memcpy(secret, a->all->token.id, 16);
    memcpy(secret + 16, a->all->token.secret, 16);
    xt_enroll_put(&payload, &(xt_enroll){.version = XT_WIRE_VERSION,
                                         .secret = xt_slice_of(secret, sizeof secret),
                                         .csr_der = xt_buf_slice(&a->all->csr),
                                         .host_name = xt_slice_str(a->name),
                                         .machine_id = xt_slice_str(a->name),
                                         .os = XT_S("Linux")});
    put(a, XT_FRAME_ENROLL, &payload);
}

/* ------------------------------------------------------------------------------------------------ in */

static void drop_until(sim_agent *a, uint64_t number, bool timed)
{
    sim *s = a->all;
    sim_histogram *took = &s->took[a->index < s->n_busy];

    while (a->first && a->first->number <= number) {
        sim_parcel *p = a->first;
        int64_t ms = s->now_ms - p->made_ms;
        a->first = p->next;
        if (a->unsent == p)
            a->unsent = p->next;
        a->n_acked += p->n_events;
        s->n_acked += p->n_events;
        if (timed) {
            took->n++;
            took->at_ms[ms < 0 ? 0 : ms > SIM_MAX_LATENCY_MS ? SIM_MAX_LATENCY_MS : ms]++;
        }
        free(p);
    }
    if (!a->first)
        a->end = &a->first;
    if (number > a->acked)
        a->acked = number;
}

static bool on_enrolled(sim_agent *a, xt_slice payload)
{
    xt_enrolled m;
    sim *s = a->all;

    if (xt_enrolled_decode(payload, &m, NULL) || m.host_id.n != 32)
        return false;
    BIO *bio = BIO_new_mem_buf(m.cert_pem.p, (int)m.cert_pem.n);
    a->cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (!a->cert || (!s->tls && xt_tls_client_context(m.ca_pem, XT_S_NULL, XT_S_NULL, &s->tls, NULL)))
        return false;
    memcpy(a->id, m.host_id.p, 32);
    s->n_enrolled++;
    close_link(a);
    enter(a, SIM_OFF);
    return false;
}

static bool on_welcome(sim_agent *a, xt_slice payload)
{
    xt_welcome m;

    if (xt_welcome_decode(payload, &m, NULL)) {
        broken(a, 0);
        return false;
    }
    a->all->n_forgot += m.number < a->acked;
    enter(a, SIM_UP);
    a->all->n_connections++;
    a->n_failures = 0;
    a->window = m.window;
    a->gather_ms = m.gather_ms < XT_GATHER_MAX_MS ? m.gather_ms : XT_GATHER_MAX_MS;
    a->unsent = a->first;
    drop_until(a, m.number, true);
    a->sent = m.number;
    sim_link_send(a);
    return a->phase == SIM_UP;
}

static bool on_ack(sim_agent *a, xt_slice payload)
{
    xt_ack m;

    if (xt_ack_decode(payload, &m, NULL))
        return false;
    drop_until(a, m.number, true);
    a->since_ms = a->all->now_ms;
    a->gather_ms = m.gather_ms < XT_GATHER_MAX_MS ? m.gather_ms : XT_GATHER_MAX_MS;
    sim_link_send(a);
    return a->phase == SIM_UP;
}

static bool on_refused(sim_agent *a, xt_slice payload)
{
    xt_refused m = {0};

    if (xt_refused_decode(payload, &m, NULL) == 0)
        a->all->n_refused[m.reason < SIM_REFUSALS ? m.reason : 0]++;
    broken(a, m.retry_ms);
    return false;
}

/* False: the link is gone. */
static bool take(sim_agent *a, const xt_frame *frame)
{
    switch (frame->type) {
    case XT_FRAME_ENROLLED:
        return on_enrolled(a, frame->payload);
    case XT_FRAME_WELCOME:
        return on_welcome(a, frame->payload);
    case XT_FRAME_ACK:
        return on_ack(a, frame->payload);
    case XT_FRAME_REFUSED:
        return on_refused(a, frame->payload);
    default:
        return true; /* TRUST and what comes later */
    }
}

static void receive(sim_agent *a)
{
    char piece[IN_BYTES];
    xt_frame frame;
    size_t taken;
    int n;

    ERR_clear_error();
    while ((n = SSL_read(a->ssl, piece, sizeof piece)) > 0) {
        xt_buf_put(&a->in, xt_slice_of(piece, (size_t)n));
        while (a->in.n && xt_frame_next(xt_buf_slice(&a->in), &frame, &taken, NULL) == 0) {
            if (!take(a, &frame))
                return;
            xt_buf_consume(&a->in, taken);
        }
    }
    int error = SSL_get_error(a->ssl, n);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        broken(a, 0);
    } else if (!a->in.n) {
        xt_buf_fini(&a->in);
        a->in = XT_BUF_INIT;
    }
}

static void shake(sim_agent *a)
{
    ERR_clear_error();
    int n = SSL_connect(a->ssl);

    if (n == 1) {
        enter(a, SIM_ASKED);
        if (a->cert)
            say_hello(a);
        else
            ask_for_certificate(a);
        (void)flush(a);
        return;
    }
    int error = SSL_get_error(a->ssl, n);
    if (error == SSL_ERROR_WANT_READ)
        want(a, EPOLLIN);
    else if (error == SSL_ERROR_WANT_WRITE)
        want(a, EPOLLIN | EPOLLOUT);
    else
        broken(a, 0);
}

void sim_link_on(sim_agent *a)
{
    if (a->fd < 0)
        return;
    if (a->phase == SIM_SHAKING)
        shake(a);
    if (a->fd >= 0 && a->phase != SIM_SHAKING && a->out.n && !flush(a))
        return;
    if (a->fd >= 0 && a->phase != SIM_SHAKING)
        receive(a);
    if (a->fd >= 0)
        sim_link_send(a);
}

void sim_link_look(sim_agent *a)
{
    int64_t ms = a->all->now_ms - a->since_ms;

    if ((a->phase == SIM_SHAKING || a->phase == SIM_ASKED) && ms > ANSWER_MS)
        broken(a, 0);
    else if (a->phase == SIM_UP && a->sent > a->acked && ms > UNANSWERED_MS)
        broken(a, 0);
}

/* ------------------------------------------------------------------------------------------------ open and close */

static int open_socket(sim_agent *a)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    uint64_t port = 0;

    if (fd < 0 || !xt_slice_parse_u64(xt_slice_str(a->all->settings->port), &port))
        return fd < 0 ? -errno : -EINVAL;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 0x100 + a->index % ADDRESSES);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)port);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) ||
        (connect(fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS)) {
        int r = -errno;
        close(fd);
        return r;
    }
    a->fd = fd;
    return 0;
}

void sim_link_connect(sim_agent *a)
{
    sim *s = a->all;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = a};

    enter(a, SIM_SHAKING);
    a->ssl = SSL_new(a->cert ? s->tls : s->pinned);
    if (!a->ssl || open_socket(a) || SSL_set_fd(a->ssl, a->fd) != 1 ||
        (a->cert && (SSL_use_certificate(a->ssl, a->cert) != 1 || SSL_use_PrivateKey(a->ssl, s->key) != 1))) {
        broken(a, 0);
        return;
    }
    a->interest = event.events;
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, a->fd, &event))
        broken(a, 0);
}

int sim_links_open(sim *s, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf key = XT_BUF_INIT;

    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll_fd < 0)
        return xt_error_origin(-errno);
    int r = xt_token_parse(xt_slice_str(s->settings->token), &s->token, reterr_problem);
    if (r == 0)
        r = xt_tls_pinned_context(s->token.ca_sha256, &s->pinned, reterr_problem);
    if (r == 0)
        r = xt_tls_key_make(&key);
    if (r == 0)
        r = xt_tls_csr_make(xt_buf_slice(&key), XT_S("simulated"), &s->csr);
    if (r)
        return xt_error_fold(r);
    BIO *bio = BIO_new_mem_buf(key.p, (int)key.n);
    s->key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return s->key ? 0 : xt_error_origin(-ENOMEM);
}

void sim_links_close(sim *s)
{
    for (unsigned i = 0; s->agents && i < s->settings->n_agents; i++) {
        close_link(&s->agents[i]);
        drop_until(&s->agents[i], UINT64_MAX, false);
        X509_free(s->agents[i].cert);
        free(s->agents[i].mark);
    }
    EVP_PKEY_free(s->key);
    SSL_CTX_free(s->pinned);
    SSL_CTX_free(s->tls);
    xt_buf_fini(&s->csr);
    if (s->epoll_fd >= 0)
        close(s->epoll_fd);
}

/*
 * How it works: one state at a time: waiting, resolving, connecting, asked (for the first answer), up. Whatever goes
 * wrong leads through broken() to waiting, with the next server in the list; only refusals that name a cause a
 * person has to remove end the program. A certificate that is refused is followed by another, where there is one: the one
 * before the renewal, then what a token gives.
 */
#include "agent/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "agent/helper.h"
#include "agent/link_bounds.h"
#include "agent/memory_trim.h"
#include "agent/server_list.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "io/tls.h"

#define MAX_ADDRESSES  8
#define ANSWER_MS      15000   /* to resolve, to connect and shake hands, to answer */
#define WORKS_AFTER_MS 10000   /* a server that keeps us so long is not a failing one */
#define SEEK_AGAIN_MS  60000   /* for what somebody has to put right first, when the server does not say when */
#define RENEW_LOOK_MS  3600000 /* the longest wait of the timer: clocks are set */
#define RENEW_AGAIN_MS 60000   /* when a renewal was not answered; less for short-lived certificates */
#define DEAD_AFTER_MS  30000   /* unanswered bytes on the wire */
#define RENEW_LEAST_MS 1000    /* between two requests, whatever a server asks for */

typedef enum link_phase { WAITING, RESOLVING, CONNECTING, ASKED, UP } link_phase;

struct xt_link {
    struct event_base *base;
    const xt_agent_settings *settings;
    xt_identity *identity;
    const xt_token *token;
    xt_link_calls calls;
    int helper_fd;
    struct event *helper_event, *timer;
    link_phase phase;
    bool ready;
    xt_server_list servers;
    uint32_t question;
    struct sockaddr_storage addresses[MAX_ADDRESSES];
    socklen_t address_sizes[MAX_ADDRESSES];
    unsigned n_addresses, address_at;
    int64_t up_ms;    /* monotonic; since when it is up */
    int64_t retry_ms; /* wall; when the timer is due */
    SSL_CTX *tls;
    struct bufferevent *stream;
    struct event *pace; /* pending: nothing is read until then */
    xt_link_bounds bounds;
    bool enrolling;   /* this connection is to enrol */
    bool enrols;      /* the next one is */
    bool token_spent; /* it was tried in place of a certificate that was refused */
    bool proving;     /* this connection is with the certificate that waits to be proved */

    struct event *renewal;
    uint64_t features; /* of the server */
    int64_t renew_ms;  /* wall; when to renew, 0: not known yet */
    int64_t renew_again_ms;
    int64_t renewed_ms; /* monotonic; when it was asked for last */
    xt_buf renewal_key; /* a request made with it is under way */
    char state[700], logged[700];
};

static void attempt(xt_link *link);

static void timer_set(xt_link *link, uint64_t ms)
{
    struct timeval tv = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    evtimer_add(link->timer, &tv);
    link->retry_ms = xt_clock_wall_ms(&xt_clock_system) + (int64_t)ms;
}

static void stream_close(xt_link *link)
{
    if (link->stream)
        bufferevent_free(link->stream);
    link->stream = NULL;
    evtimer_del(link->pace);
    if (link->tls)
        SSL_CTX_free(link->tls);
    link->tls = NULL;
}

static void complain(xt_link *link, const xt_problem *problem)
{
    if (xt_link_bounds_line(&link->bounds, xt_clock_mono_ms(&xt_clock_system)))
        xt_log_problem(XT_LOG_WARN, problem);
}

/* One line a cause: the same one is not said again until something else happened. */
static void say(xt_link *link, const xt_problem *problem)
{
    xt_buf out = XT_BUF_ON(link->state);
    xt_problem_format(problem, &out);
    link->state[out.n] = '\0';
    if (strcmp(link->state, link->logged) == 0)
        return;
    memcpy(link->logged, link->state, sizeof link->logged);
    complain(link, problem);
}

/* Ends what there is of a connection. */
static void leave(xt_link *link)
{
    int64_t now_ms = xt_clock_mono_ms(&xt_clock_system);
    if (link->phase == UP && now_ms - link->up_ms > WORKS_AFTER_MS)
        xt_server_list_worked(&link->servers);
    stream_close(link);
    evtimer_del(link->renewal);
    xt_buf_reset(&link->renewal_key);
    link->phase = WAITING;
}

/* To the same server again, soon. */
static void again(xt_link *link, uint64_t ms)
{
    leave(link);
    link->n_addresses = 0;
    timer_set(link, ms);
}

/* retry_ms: what the server asked for, 0: nothing. */
static void broken(xt_link *link, const xt_problem *problem, uint64_t retry_ms)
{
    say(link, problem);
    leave(link);
    if (++link->address_at < link->n_addresses && retry_ms == 0) {
        timer_set(link, 1);
        return;
    }
    link->n_addresses = 0;
    timer_set(link, xt_server_list_failed(&link->servers, retry_ms, xt_clock_mono_ms(&xt_clock_system)));
}

static void problem_of(const xt_link *link, xt_problem *problem, const char *sentence)
{
    *problem = XT_PROBLEM_INIT;
    xt_problem_source(problem, xt_server_list_get(&link->servers)->text);
    xt_problem_set(problem, "%s", sentence);
}

static void fatal(xt_link *link, const xt_problem *problem)
{
    leave(link);
    xt_log_problem(XT_LOG_ERROR, problem);
    link->calls.on_fatal(link->calls.context);
}

/* The certificate is of no use at that server. True: there is another way in, and it is taken. */
static bool try_another(xt_link *link, const xt_problem *problem)
{
    if (link->proving) {
        say(link, problem);
        xt_log(XT_LOG_WARN, "the renewed certificate is not accepted: the one before it is used again");
        xt_identity_next_drop(link->identity);
        again(link, 1);
        return true;
    }
    if (!link->token || link->token_spent || link->enrolling)
        return false;
    say(link, problem);
    xt_log(XT_LOG_INFO, "enrolling again with the token that was given");
    link->token_spent = link->enrols = true;
    again(link, 1);
    return true;
}

/* The cause by name and in our words, then what the server adds to it. */
static void put_cause(const xt_refusal_words *words, const xt_refused *refused, xt_problem *problem)
{
    char text[360];
    xt_buf said = XT_BUF_ON(text);
    bool same = xt_slice_starts(refused->sentence, xt_slice_str(words->sentence));
    xt_text_visible_head(&said, refused->sentence);
    text[said.failed ? 0 : said.n] = '\0';
    xt_problem_set(problem, "%s: %s", words->name, same && text[0] ? text : words->sentence);
    if (!same)
        xt_problem_excerpt(problem, refused->sentence);
    if (!same || xt_slice_find(refused->sentence, xt_slice_str(words->hint)) < 0)
        xt_problem_hint(problem, "%s", words->hint);
}

static void on_refused(xt_link *link, xt_slice payload)
{
    xt_refused refused;
    xt_problem problem;
    problem_of(link, &problem, "the server refused");
    if (xt_refused_decode(payload, &refused, &problem) != 0) {
        broken(link, &problem, 0);
        return;
    }
    const xt_refusal_words *words = xt_refusal_words_get(refused.reason);
    put_cause(words, &refused, &problem);
    if (words->of_certificate && try_another(link, &problem))
        return;
    if (link->enrolling && link->identity->host_id[0]) { /* the token does not help: wait for somebody */
        link->enrols = false;
        broken(link, &problem, SEEK_AGAIN_MS);
    } else if (words->kind == XT_REFUSAL_LASTS && refused.retry_ms == 0) {
        fatal(link, &problem);
    } else {
        bool waits = words->kind != XT_REFUSAL_PASSES && refused.retry_ms == 0;
        broken(link, &problem, waits ? SEEK_AGAIN_MS : refused.retry_ms);
    }
}

static void send_enroll(xt_link *link)
{
    xt_problem problem;
    xt_buf csr = XT_BUF_INIT, out = XT_BUF_INIT, frame = XT_BUF_INIT;
    uint8_t secret[32];
    problem_of(link, &problem, "out of memory");
    memcpy(secret, link->token->id, 16);
    memcpy(secret + 16, link->token->secret, 16);
    if (xt_identity_request(link->identity, xt_slice_str(link->settings->host_name), &csr, &problem) != 0) {
        xt_buf_fini(&csr);
        fatal(link, &problem);
        return;
    }
    xt_enroll_put(&out, &(xt_enroll){.version = XT_WIRE_VERSION,
                                     .secret = xt_slice_of(secret, sizeof secret),
                                     .csr_der = xt_buf_slice(&csr),
                                     .host_name = xt_slice_str(link->settings->host_name),
                                     .machine_id = xt_slice_str(link->settings->machine_id),
                                     .os = xt_slice_str(link->settings->os),
                                     .host_id = xt_slice_str(link->identity->host_id)});
    xt_frame_put(&frame, XT_FRAME_ENROLL, xt_buf_slice(&out));
    if (xt_buf_done(&frame) == 0)
        bufferevent_write(link->stream, frame.p, frame.n);
    xt_buf_fini(&csr);
    xt_buf_fini(&out);
    xt_buf_fini(&frame);
}

static void send_hello(xt_link *link)
{
    xt_hello hello = {
        .version = XT_WIRE_VERSION,
        .host_id = xt_slice_str(link->identity->host_id),
        .host_name = xt_slice_str(link->settings->host_name),
        .boot_id = xt_slice_str(link->settings->boot_id),
        .agent_version = xt_slice_str(XT_VERSION),
        .os = xt_slice_str(link->settings->os),
        .features = XT_FEATURE_RENEWAL | XT_FEATURE_SHORT | XT_FEATURE_POLICY,
        .machine_id = xt_slice_str(link->settings->machine_id),
        .clock_ms = (uint64_t)xt_clock_wall_ms(&xt_clock_system),
        .trust = xt_identity_trust_hash(link->identity),
    };
    xt_buf out = XT_BUF_INIT, frame = XT_BUF_INIT;
    link->calls.on_hello(link->calls.context, &hello);
    xt_hello_put(&out, &hello);
    xt_frame_put(&frame, XT_FRAME_HELLO, xt_buf_slice(&out));
    if (xt_buf_done(&frame) == 0)
        bufferevent_write(link->stream, frame.p, frame.n);
    xt_buf_fini(&out);
    xt_buf_fini(&frame);
}

static void on_enrolled(xt_link *link, xt_slice payload)
{
    xt_enrolled enrolled;
    xt_problem problem;
    problem_of(link, &problem, "the enrolment failed");
    if (xt_enrolled_decode(payload, &enrolled, &problem) != 0) {
        broken(link, &problem, 0);
        return;
    }
    if (xt_identity_accept(link->identity, &enrolled, link->token->ca_sha256, &problem) != 0) {
        fatal(link, &problem);
        return;
    }
    xt_log(XT_LOG_INFO, "enrolled at %s as host %s", xt_server_list_get(&link->servers)->text, link->identity->host_id);
    bool first = !link->token_spent;
    link->enrols = false;
    link->token_spent = true;
    link->renew_ms = 0;
    again(link, 1);
    if (first)
        link->calls.on_enrolled(link->calls.context);
}

/* ------------------------------------------------------------------------------------------------- renewal */

static void renewal_set(xt_link *link)
{
    int64_t span_ms, now_ms = xt_clock_wall_ms(&xt_clock_system);
    if (!(link->features & XT_FEATURE_RENEWAL))
        return;
    if (link->renew_ms == 0) {
        link->renew_ms = xt_identity_renewal_ms(link->identity, &span_ms);
        link->renew_again_ms = span_ms / 20 < RENEW_AGAIN_MS ? span_ms / 20 + 1 : RENEW_AGAIN_MS;
    }
    int64_t ms = link->renew_ms > now_ms ? link->renew_ms - now_ms : 1;
    int64_t since_ms = xt_clock_mono_ms(&xt_clock_system) - link->renewed_ms;
    if (link->renewed_ms && since_ms + ms < RENEW_LEAST_MS)
        ms = RENEW_LEAST_MS - since_ms;
    ms = ms < RENEW_LOOK_MS ? ms : RENEW_LOOK_MS;
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    evtimer_add(link->renewal, &tv);
}

static void on_renewal_timer(evutil_socket_t fd, short what, void *context)
{
    xt_link *link = context;
    int64_t now_ms = xt_clock_wall_ms(&xt_clock_system);
    XT_CLEANUP(xt_buf_fini) xt_buf csr = XT_BUF_INIT, out = XT_BUF_INIT;
    if (link->phase != UP)
        return;
    if (now_ms >= link->renew_ms) {
        link->renewed_ms = xt_clock_mono_ms(&xt_clock_system);
        xt_buf_reset(&link->renewal_key);
        if (xt_identity_next_request(xt_slice_str(link->settings->host_name), &link->renewal_key, &csr) == 0) {
            xt_renew_put(&out, &(xt_renew){.csr_der = xt_buf_slice(&csr)});
            if (xt_buf_done(&out) == 0)
                (void)xt_link_send(link, XT_FRAME_RENEW, xt_buf_slice(&out));
        }
        link->renew_ms = now_ms + link->renew_again_ms;
    }
    renewal_set(link);
}

static void on_renewed(xt_link *link, xt_slice payload)
{
    xt_renewed renewed;
    xt_problem problem;
    problem_of(link, &problem, "the renewal of the certificate failed");
    if (link->renewal_key.n == 0)
        return; /* of an earlier request, or of none */
    int r = xt_renewed_decode(payload, &renewed, &problem);
    if (r == 0)
        r = xt_identity_next_accept(link->identity, xt_buf_slice(&link->renewal_key), renewed.cert_pem, &problem);
    xt_buf_reset(&link->renewal_key);
    if (r != 0) {
        complain(link, &problem);
        return; /* the old one is there; the timer asks again */
    }
    snprintf(link->state, sizeof link->state, "proving the renewed certificate");
    again(link, 1);
}

static void on_trust(xt_link *link, xt_slice payload)
{
    xt_trust trust;
    xt_problem problem;
    bool changed;
    problem_of(link, &problem, "bad list of CAs");
    int r = xt_identity_trust(link->identity, payload, &changed, &problem);
    if (r != 0 || xt_trust_decode(payload, &trust, &problem) != 0) {
        complain(link, &problem);
        return; /* what was trusted still is */
    }
    link->calls.on_trust(link->calls.context, payload);
    if (changed)
        xt_log(XT_LOG_INFO, "%s: the list of trusted CAs changed", xt_server_list_get(&link->servers)->text);
    uint64_t spread_ms = trust.spread_ms < RENEW_LOOK_MS ? trust.spread_ms : RENEW_LOOK_MS, chance = 0;
    if (trust.renew && getrandom(&chance, sizeof chance, 0) == sizeof chance) {
        link->renew_ms = xt_clock_wall_ms(&xt_clock_system) + (int64_t)(chance % (spread_ms + 1));
        renewal_set(link);
    }
}

/* The certificate was welcomed: it takes the old one's place. */
static void keep_proved(xt_link *link)
{
    xt_problem problem = XT_PROBLEM_INIT;
    if (xt_identity_next_keep(link->identity, &problem) != 0) {
        xt_log_problem(XT_LOG_ERROR, &problem); /* it waits on disk, and the next start proves it again */
        return;
    }
    link->renew_ms = 0;
    xt_log(XT_LOG_INFO, "the host's certificate is renewed");
}

static void on_welcome(xt_link *link, xt_slice payload)
{
    xt_welcome welcome;
    xt_problem problem;
    problem_of(link, &problem, "bad welcome");
    if (xt_welcome_decode(payload, &welcome, &problem) != 0) {
        broken(link, &problem, 0);
        return;
    }
    welcome.gather_ms = welcome.gather_ms < XT_GATHER_MAX_MS ? welcome.gather_ms : XT_GATHER_MAX_MS;
    link->phase = UP;
    link->up_ms = xt_clock_mono_ms(&xt_clock_system);
    evtimer_del(link->timer);
    link->features = welcome.features;
    link->logged[0] = '\0';
    snprintf(link->state, sizeof link->state, "connected");
    if (xt_link_bounds_line(&link->bounds, link->up_ms))
        xt_log(XT_LOG_INFO, "connected to %s", xt_server_list_get(&link->servers)->text);
    if (link->proving)
        keep_proved(link);
    link->proving = false;
    renewal_set(link);
    link->calls.on_welcome(link->calls.context, &welcome);
    xt_memory_trim(); /* of the handshake */
}

static void on_acked(xt_link *link, xt_ack *ack)
{
    ack->gather_ms = ack->gather_ms < XT_GATHER_MAX_MS ? ack->gather_ms : XT_GATHER_MAX_MS;
    if (!link->calls.on_ack(link->calls.context, ack))
        return;
    xt_server_list_worked(&link->servers);
    xt_link_bounds_worked(&link->bounds);
}

static void on_frame(xt_link *link, const xt_frame *frame)
{
    xt_ack ack;
    xt_problem problem;
    problem_of(link, &problem, "the server sent something that has no place here");
    if (frame->type != XT_FRAME_ACK && !xt_link_bounds_message(&link->bounds, xt_clock_mono_ms(&xt_clock_system))) {
        problem_of(link, &problem, "the server sends more messages than it can have a reason for");
        broken(link, &problem, 0);
    } else if (frame->type == XT_FRAME_REFUSED)
        on_refused(link, frame->payload);
    else if (frame->type == XT_FRAME_ENROLLED && link->phase == ASKED && link->enrolling)
        on_enrolled(link, frame->payload);
    else if (frame->type == XT_FRAME_WELCOME && link->phase == ASKED && !link->enrolling)
        on_welcome(link, frame->payload);
    else if (frame->type == XT_FRAME_ACK && link->phase == UP && xt_ack_decode(frame->payload, &ack, &problem) == 0)
        on_acked(link, &ack);
    else if (frame->type == XT_FRAME_RENEWED && link->phase == UP)
        on_renewed(link, frame->payload);
    else if (frame->type == XT_FRAME_TRUST && link->phase == UP)
        on_trust(link, frame->payload);
    else if (frame->type == XT_FRAME_POLICY && link->phase == UP)
        link->calls.on_policy(link->calls.context, frame->payload);
    else if (frame->type <= XT_FRAME_TRUST || link->phase != UP)
        broken(link, &problem, 0);
    /* else a later version's message, which is passed over */
}

/* What comes faster than a server has a reason for waits in the socket. (libevent's own limits tear what is written.) */
static void rest_from(xt_link *link, size_t n_bytes)
{
    const struct timeval tv = {.tv_sec = XT_LINK_REST_S};
    if (xt_link_bounds_bytes(&link->bounds, n_bytes, xt_clock_mono_ms(&xt_clock_system)))
        return;
    bufferevent_disable(link->stream, EV_READ);
    evtimer_add(link->pace, &tv);
}

static void on_read(struct bufferevent *stream, void *context)
{
    xt_link *link = context;
    struct evbuffer *in = bufferevent_get_input(stream);
    while (link->stream == stream && !evtimer_pending(link->pace, NULL)) {
        size_t n = evbuffer_get_length(in), taken;
        xt_frame frame;
        xt_problem problem;
        problem_of(link, &problem, "bad frame");
        const unsigned char *p = n ? evbuffer_pullup(in, -1) : NULL;
        int r = p ? xt_link_bounds_frame(xt_slice_of(p, n), &frame, &taken, &problem) : XT_FRAME_E_MORE;
        if (r == XT_FRAME_E_MORE)
            return;
        if (r != 0) {
            broken(link, &problem, 0);
            return;
        }
        on_frame(link, &frame);
        if (link->stream != stream)
            return;
        evbuffer_drain(in, taken);
        rest_from(link, taken);
    }
}

static void on_pace(evutil_socket_t fd, short what, void *context)
{
    xt_link *link = context;
    if (!link->stream)
        return;
    bufferevent_enable(link->stream, EV_READ);
    on_read(link->stream, link);
}

static void on_write(struct bufferevent *stream, void *context)
{
    xt_link *link = context;
    if (link->phase == UP)
        link->calls.on_writable(link->calls.context);
}

static void tune_socket(int fd)
{
    int on = 1, idle = 15, interval = 5, count = 3, dead = DEAD_AFTER_MS;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof dead);
}

/* The server's certificate is not good. A token of another server never becomes right, and a server with a new CA may want one. */
static void on_untrusted(xt_link *link, xt_problem *problem)
{
    long verdict = SSL_get_verify_result(bufferevent_openssl_get_ssl(link->stream));
    bool clock = verdict == X509_V_ERR_CERT_HAS_EXPIRED || verdict == X509_V_ERR_CERT_NOT_YET_VALID;
    if (link->enrolling && verdict == X509_V_ERR_CERT_UNTRUSTED) {
        problem_of(link, problem,
                   "wrong-ca-pin: the server's certificate is of another CA than the one that the token pins");
        xt_problem_hint(problem,
                        "check the address; a token is good for the server that made it, until its CA is retired");
    }
    if (link->enrolling && !clock && !link->identity->host_id[0]) {
        fatal(link, problem);
    } else if (clock || !try_another(link, problem)) {
        link->enrols = link->enrols && !link->identity->host_id[0];
        broken(link, problem, 0);
    }
}

static void on_event(struct bufferevent *stream, short what, void *context)
{
    xt_link *link = context;
    xt_problem problem;
    if (what & BEV_EVENT_CONNECTED) {
        tune_socket(bufferevent_getfd(stream));
        link->phase = ASKED;
        timer_set(link, ANSWER_MS);
        if (link->enrolling)
            send_enroll(link);
        else
            send_hello(link);
        return;
    }
    int error = EVUTIL_SOCKET_ERROR();
    unsigned long code = bufferevent_get_openssl_error(stream);
    if (ERR_GET_LIB(code) == 0)
        code = 0; /* of no library: libevent hands on what SSL_get_error said, here that the socket failed */
    bool untrusted = SSL_get_verify_result(bufferevent_openssl_get_ssl(stream)) != X509_V_OK;
    problem_of(link, &problem,
               link->phase == CONNECTING ? "cannot connect: refused, or closed at once; is the server running there?"
                                         : "the server closed the connection");
    if (code || untrusted)
        xt_tls_problem_of(bufferevent_openssl_get_ssl(stream), code, &problem);
    else if (what & BEV_EVENT_ERROR && error)
        xt_problem_set(&problem, "%s: %s", link->phase == CONNECTING ? "cannot connect" : "the connection broke",
                       evutil_socket_error_to_string(error));
    if (untrusted)
        on_untrusted(link, &problem);
    else
        broken(link, &problem, 0);
}

/* The enrolling context trusts what the token pins, the other what enrolment gave. */
static int tls_open(xt_link *link, xt_problem *problem)
{
    const xt_identity *identity = link->identity;
    link->enrolling = link->enrols;
    link->proving = !link->enrolling && xt_identity_has_next(identity);
    if (link->enrolling)
        return xt_tls_pinned_context(link->token->ca_sha256, &link->tls, problem);
    return xt_tls_client_context(
        xt_buf_slice(&identity->ca), xt_buf_slice(link->proving ? &identity->next_cert : &identity->cert),
        xt_buf_slice(link->proving ? &identity->next_key : &identity->key), &link->tls, problem);
}

static void connect_next(xt_link *link)
{
    xt_problem problem;
    problem_of(link, &problem, "out of memory");
    link->phase = CONNECTING;
    if (tls_open(link, &problem) != 0) {
        fatal(link, &problem);
        return;
    }
    SSL *ssl = SSL_new(link->tls);
    link->stream =
        ssl ? bufferevent_openssl_socket_new(link->base, -1, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE)
            : NULL;
    if (!link->stream) {
        SSL_free(ssl);
        broken(link, &problem, 0);
        return;
    }
    timer_set(link, ANSWER_MS);
    bufferevent_openssl_set_allow_dirty_shutdown(link->stream, 1);
    bufferevent_setcb(link->stream, on_read, on_write, on_event, link);
    bufferevent_setwatermark(link->stream, EV_READ, 0, XT_LINK_READ_BYTES);
    xt_link_bounds_begin(&link->bounds);
    bufferevent_enable(link->stream, EV_READ | EV_WRITE);
    if (bufferevent_socket_connect(link->stream, (struct sockaddr *)&link->addresses[link->address_at],
                                   (int)link->address_sizes[link->address_at]) < 0 &&
        link->phase == CONNECTING && link->stream) {
        xt_problem_set(&problem, "cannot connect: %s", strerror(errno));
        broken(link, &problem, 0);
    }
}

static void resolve(xt_link *link)
{
    char bytes[512];
    xt_buf out = XT_BUF_ON(bytes);
    xt_buf_puts(&out, xt_server_list_get(&link->servers)->host);
    xt_buf_putc(&out, '\0');
    xt_buf_puts(&out, xt_server_list_get(&link->servers)->port);
    link->phase = RESOLVING;
    if (xt_helper_ask(link->helper_fd, XT_HELPER_ADDRESS, ++link->question, xt_buf_slice(&out)) == 0) {
        timer_set(link, ANSWER_MS);
        return;
    }
    xt_problem problem;
    problem_of(link, &problem, "the helper process does not take questions");
    broken(link, &problem, 0);
}

static void on_resolved(xt_link *link, xt_slice data)
{
    xt_reader reader = xt_reader_of(data);
    link->n_addresses = link->address_at = 0;
    while (xt_reader_left(&reader) > 0 && link->n_addresses < MAX_ADDRESSES) {
        xt_slice address = xt_reader_bytes(&reader, xt_reader_u8(&reader));
        if (reader.failed || address.n > sizeof link->addresses[0])
            break;
        memcpy(&link->addresses[link->n_addresses], address.p, address.n);
        link->address_sizes[link->n_addresses++] = (socklen_t)address.n;
    }
    evtimer_del(link->timer);
    if (link->n_addresses > 0) {
        connect_next(link);
        return;
    }
    xt_problem problem;
    problem_of(link, &problem, "this server's name has no address");
    xt_problem_hint(&problem, "check the name, and this host's DNS");
    broken(link, &problem, 0);
}

static void on_helper(evutil_socket_t fd, short what, void *context)
{
    xt_link *link = context;
    xt_helper_answer answer;
    int r = xt_helper_take(fd, 0, &answer);
    if (r == -EAGAIN)
        return;
    if (r < 0) {
        event_del(link->helper_event);
        return;
    }
    if (link->phase == RESOLVING && answer.number == link->question)
        on_resolved(link, answer.data);
}

static void attempt(xt_link *link)
{
    if (!link->enrols && !link->ready)
        return; /* nothing to say to a server yet */
    if (link->address_at < link->n_addresses)
        connect_next(link);
    else
        resolve(link);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    xt_link *link = context;
    xt_problem problem;
    if (link->phase == RESOLVING) {
        problem_of(link, &problem, "this host's name service does not answer");
        broken(link, &problem, 0);
    } else if (link->phase == CONNECTING || link->phase == ASKED) {
        problem_of(link, &problem, "the server does not answer");
        broken(link, &problem, 0);
    } else if (link->phase == WAITING) {
        attempt(link);
    }
}

int xt_link_new(struct event_base *base, const xt_agent_settings *settings, int helper_fd, xt_identity *identity,
                const xt_token *token, const xt_link_calls *calls, xt_link **ret, xt_problem *reterr_problem)
{
    xt_link *link = calloc(1, sizeof *link);
    if (!link)
        return xt_error_origin(-ENOMEM);
    link->base = base;
    link->settings = settings;
    link->identity = identity;
    link->token = token;
    link->calls = *calls;
    link->helper_fd = helper_fd;
    link->enrols = !identity->host_id[0];
    snprintf(link->state, sizeof link->state, "not connected yet");
    int r = xt_server_list_parse(&link->servers, settings->servers, reterr_problem);
    link->renewal = evtimer_new(base, on_renewal_timer, link);
    link->timer = evtimer_new(base, on_timer, link);
    link->pace = evtimer_new(base, on_pace, link);
    link->helper_event = event_new(base, helper_fd, EV_READ | EV_PERSIST, on_helper, link);
    if (r == 0 && (!link->timer || !link->pace || !link->renewal || !link->helper_event ||
                   event_add(link->helper_event, NULL) < 0))
        r = -ENOMEM;
    if (r < 0) {
        xt_link_free(link);
        return xt_error_trace(r);
    }
    *ret = link;
    return 0;
}

xt_link *xt_link_free(xt_link *link)
{
    if (!link)
        return NULL;
    if (link->pace) {
        stream_close(link);
        event_free(link->pace);
    }
    if (link->timer)
        event_free(link->timer);
    if (link->renewal)
        event_free(link->renewal);
    xt_buf_fini(&link->renewal_key);
    if (link->helper_event)
        event_free(link->helper_event);
    free(link);
    return NULL;
}

void xt_link_start(xt_link *link, bool ready)
{
    link->ready |= ready;
    if (link->phase == WAITING)
        timer_set(link, 1);
}

bool xt_link_send(xt_link *link, xt_frame_type type, xt_slice payload)
{
    if (link->phase != UP)
        return false;
    xt_buf frame = XT_BUF_INIT;
    xt_frame_put(&frame, type, payload);
    bool ok = xt_buf_done(&frame) == 0 && bufferevent_write(link->stream, frame.p, frame.n) == 0;
    xt_buf_fini(&frame);
    return ok;
}

bool xt_link_is_up(const xt_link *link)
{
    return link->phase == UP;
}

bool xt_link_has(const xt_link *link, uint64_t feature)
{
    return link->phase == UP && (link->features & feature);
}

size_t xt_link_queued(const xt_link *link)
{
    return link->stream ? evbuffer_get_length(bufferevent_get_output(link->stream)) : 0;
}

void xt_link_restart(xt_link *link)
{
    snprintf(link->state, sizeof link->state, "saying hello again");
    leave(link);
    link->n_addresses = 0;
    timer_set(link, xt_server_list_failed(&link->servers, 0, xt_clock_mono_ms(&xt_clock_system)));
}

const char *xt_link_state(const xt_link *link)
{
    return link->state;
}

const char *xt_link_server(const xt_link *link)
{
    return xt_server_list_get(&link->servers)->text;
}

int64_t xt_link_retry_ms(const xt_link *link)
{
    return link->phase == WAITING ? link->retry_ms : 0;
}

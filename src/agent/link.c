/*
 * How it works: one state at a time: waiting, resolving, connecting, asked (for the first answer), up. Whatever goes
 * wrong leads through broken() to waiting, with the next server in the list; only refusals that name a cause a
 * person has to remove end the program.
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
#include "base/log.h"
#include "io/tls.h"

#define MAX_SERVERS     16
#define MAX_ADDRESSES   8
#define WAIT_FIRST_MS   250
#define WAIT_MAX_MS     30000
#define ANSWER_SECONDS  15    /* to connect, to shake hands, to answer */
#define DEAD_AFTER_MS   30000 /* unanswered bytes on the wire */
#define READ_HIGH_BYTES ((size_t)1 << 20)

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
    struct {
        char host[256], port[16], text[280];
    } servers[MAX_SERVERS];
    unsigned n_servers, at;
    uint32_t question;
    struct sockaddr_storage addresses[MAX_ADDRESSES];
    socklen_t address_sizes[MAX_ADDRESSES];
    unsigned n_addresses, address_at;
    uint64_t wait_ms;
    SSL_CTX *tls;
    struct bufferevent *stream;
    bool enrolling;
    char state[512], logged[512];
};

static void attempt(xt_link *link);

static uint64_t random_below(uint64_t n)
{
    uint64_t v;
    return getrandom(&v, sizeof v, 0) == sizeof v && n > 0 ? v % n : 0;
}

static void timer_set(xt_link *link, uint64_t ms)
{
    struct timeval tv = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    evtimer_add(link->timer, &tv);
}

static void stream_close(xt_link *link)
{
    if (link->stream)
        bufferevent_free(link->stream);
    link->stream = NULL;
    if (link->tls)
        SSL_CTX_free(link->tls);
    link->tls = NULL;
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
    xt_log_problem(XT_LOG_WARN, problem);
}

/* wait_ms 0: the growing wait. */
static void broken(xt_link *link, const xt_problem *problem, uint64_t wait_ms)
{
    say(link, problem);
    stream_close(link);
    link->phase = WAITING;
    if (++link->address_at < link->n_addresses && wait_ms == 0) {
        timer_set(link, 1);
        return;
    }
    link->n_addresses = 0;
    link->at = (link->at + 1) % link->n_servers;
    if (wait_ms == 0) {
        wait_ms = link->wait_ms;
        link->wait_ms = link->wait_ms * 2 < WAIT_MAX_MS ? link->wait_ms * 2 : WAIT_MAX_MS;
    }
    timer_set(link, wait_ms / 2 + random_below(wait_ms / 2 + 1));
}

static void problem_of(const xt_link *link, xt_problem *problem, const char *sentence)
{
    *problem = XT_PROBLEM_INIT;
    xt_problem_source(problem, link->servers[link->at].text);
    xt_problem_set(problem, "%s", sentence);
}

static void fatal(xt_link *link, const xt_problem *problem)
{
    stream_close(link);
    link->phase = WAITING;
    xt_log_problem(XT_LOG_ERROR, problem);
    link->calls.on_fatal(link->calls.context);
}

static void hint_refusal(uint64_t reason, xt_problem *problem)
{
    switch (reason) {
    case XT_REFUSED_TOKEN_UNKNOWN:
    case XT_REFUSED_TOKEN_EXPIRED:
    case XT_REFUSED_TOKEN_USED:
        xt_problem_hint(problem, "make another with `exectrail token new` on the server");
        break;
    case XT_REFUSED_REVOKED:
    case XT_REFUSED_IDENTITY:
        xt_problem_hint(problem, "remove the shipper folder in the state folder and enrol again with a new token");
        break;
    case XT_REFUSED_VERSION:
        xt_problem_hint(problem, "install an agent that fits the server's version");
        break;
    default:
        break;
    }
}

static void on_refused(xt_link *link, xt_slice payload)
{
    static const char *const causes[] = {
        [XT_REFUSED_TOKEN_UNKNOWN] = "the server does not know this enrolment token",
        [XT_REFUSED_TOKEN_EXPIRED] = "the enrolment token has expired",
        [XT_REFUSED_TOKEN_USED] = "the enrolment token was used up",
        [XT_REFUSED_REVOKED] = "this host was revoked on the server",
        [XT_REFUSED_VERSION] = "the server speaks another version of the protocol",
        [XT_REFUSED_GAP] = "the server misses a batch before this one",
        [XT_REFUSED_CORRUPT] = "the server could not read what was sent",
        [XT_REFUSED_BUSY] = "the server is busy",
        [XT_REFUSED_IDENTITY] = "the certificate is of another host than the one that says hello",
    };
    xt_refused refused;
    xt_problem problem;
    problem_of(link, &problem, "the server refused");
    if (xt_refused_decode(payload, &refused, &problem) != 0) {
        broken(link, &problem, 0);
        return;
    }
    const char *cause = refused.reason < XT_COUNT_OF(causes) ? causes[refused.reason] : NULL;
    if (cause)
        xt_problem_set(&problem, "%s", cause);
    xt_problem_excerpt(&problem, refused.sentence);
    hint_refusal(refused.reason, &problem);
    bool lasting = refused.reason <= XT_REFUSED_VERSION || refused.reason == XT_REFUSED_IDENTITY;
    if (lasting && refused.retry_ms == 0)
        fatal(link, &problem);
    else
        broken(link, &problem, refused.retry_ms);
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
                                     .os = xt_slice_str(link->settings->os)});
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
    xt_log(XT_LOG_INFO, "enrolled at %s as host %s", link->servers[link->at].text, link->identity->host_id);
    stream_close(link);
    link->phase = WAITING;
    link->token = NULL;
    link->calls.on_enrolled(link->calls.context);
    timer_set(link, 1);
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
    link->phase = UP;
    link->wait_ms = WAIT_FIRST_MS;
    link->logged[0] = '\0';
    snprintf(link->state, sizeof link->state, "connected");
    bufferevent_set_timeouts(link->stream, NULL, NULL);
    xt_log(XT_LOG_INFO, "connected to %s", link->servers[link->at].text);
    link->calls.on_welcome(link->calls.context, &welcome);
}

static void on_frame(xt_link *link, const xt_frame *frame)
{
    xt_ack ack;
    xt_problem problem;
    problem_of(link, &problem, "the server sent something that has no place here");
    if (frame->type == XT_FRAME_REFUSED)
        on_refused(link, frame->payload);
    else if (frame->type == XT_FRAME_ENROLLED && link->phase == ASKED && link->enrolling)
        on_enrolled(link, frame->payload);
    else if (frame->type == XT_FRAME_WELCOME && link->phase == ASKED && !link->enrolling)
        on_welcome(link, frame->payload);
    else if (frame->type == XT_FRAME_ACK && link->phase == UP && xt_ack_decode(frame->payload, &ack, &problem) == 0)
        link->calls.on_ack(link->calls.context, ack.number);
    else
        broken(link, &problem, 0);
}

static void on_read(struct bufferevent *stream, void *context)
{
    xt_link *link = context;
    struct evbuffer *in = bufferevent_get_input(stream);
    while (link->stream == stream) {
        size_t n = evbuffer_get_length(in), taken;
        xt_frame frame;
        xt_problem problem;
        problem_of(link, &problem, "bad frame");
        const unsigned char *p = n ? evbuffer_pullup(in, -1) : NULL;
        int r = p ? xt_frame_next(xt_slice_of(p, n), &frame, &taken, &problem) : XT_FRAME_E_MORE;
        if (r == XT_FRAME_E_MORE)
            return;
        if (r != 0) {
            broken(link, &problem, 0);
            return;
        }
        on_frame(link, &frame);
        if (link->stream == stream)
            evbuffer_drain(in, taken);
    }
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

static void on_event(struct bufferevent *stream, short what, void *context)
{
    xt_link *link = context;
    xt_problem problem;
    if (what & BEV_EVENT_CONNECTED) {
        tune_socket(bufferevent_getfd(stream));
        link->phase = ASKED;
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
    if (what & BEV_EVENT_TIMEOUT)
        xt_problem_set(&problem, "the server does not answer");
    else if (link->phase == CONNECTING && (code || untrusted))
        xt_tls_problem_of(bufferevent_openssl_get_ssl(stream), code, &problem);
    else if (what & BEV_EVENT_ERROR && error)
        xt_problem_set(&problem, "%s: %s", link->phase == CONNECTING ? "cannot connect" : "the connection broke",
                       evutil_socket_error_to_string(error));
    if (untrusted && link->enrolling) {
        fatal(link, &problem); /* the token is of another server: waiting does not help */
        return;
    }
    broken(link, &problem, 0);
}

/* The enrolling context trusts what the token pins, the other what enrolment gave. */
static int tls_open(xt_link *link, xt_problem *problem)
{
    link->enrolling = link->token != NULL;
    if (link->enrolling)
        return xt_tls_pinned_context(link->token->ca_sha256, &link->tls, problem);
    return xt_tls_client_context(xt_buf_slice(&link->identity->ca), xt_buf_slice(&link->identity->cert),
                                 xt_buf_slice(&link->identity->key), &link->tls, problem);
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
    const struct timeval timeout = {.tv_sec = ANSWER_SECONDS};
    bufferevent_openssl_set_allow_dirty_shutdown(link->stream, 1);
    bufferevent_setcb(link->stream, on_read, on_write, on_event, link);
    bufferevent_setwatermark(link->stream, EV_READ, 0, READ_HIGH_BYTES);
    bufferevent_set_timeouts(link->stream, &timeout, &timeout);
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
    xt_buf_puts(&out, link->servers[link->at].host);
    xt_buf_putc(&out, '\0');
    xt_buf_puts(&out, link->servers[link->at].port);
    link->phase = RESOLVING;
    if (xt_helper_ask(link->helper_fd, XT_HELPER_ADDRESS, ++link->question, xt_buf_slice(&out)) == 0) {
        timer_set(link, ANSWER_SECONDS * 1000);
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
    if (!link->token && !link->ready)
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
    } else if (link->phase == WAITING) {
        attempt(link);
    }
}

/* "name:port", "name", "[v6]:port" */
static bool parse_server(xt_link *link, xt_slice text)
{
    text = xt_slice_trim(text);
    if (!text.p || text.n == 0)
        return false;
    xt_slice host = text, port = XT_S(XT_AGENT_PORT);
    const char *colon = memrchr(text.p, ':', text.n), *bracket = memrchr(text.p, ']', text.n);
    if (colon && (!bracket || colon > bracket)) {
        host = xt_slice_head(text, (size_t)(colon - text.p));
        port = xt_slice_skip(text, host.n + 1);
    }
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = xt_slice_of(host.p + 1, host.n - 2);
    uint64_t number;
    if (host.n == 0 || host.n >= sizeof link->servers[0].host || !xt_slice_parse_u64(port, &number) || number < 1 ||
        number > 65535)
        return false;
    unsigned i = link->n_servers++;
    snprintf(link->servers[i].host, sizeof link->servers[i].host, "%.*s", XT_S_ARGS(host));
    snprintf(link->servers[i].port, sizeof link->servers[i].port, "%.*s", XT_S_ARGS(port));
    snprintf(link->servers[i].text, sizeof link->servers[i].text, "%.*s", XT_S_ARGS(text));
    return true;
}

static int parse_servers(xt_link *link, xt_problem *reterr_problem)
{
    xt_slice rest = xt_slice_str(link->settings->servers), piece;
    while (link->n_servers < MAX_SERVERS && xt_slice_cut(&rest, ',', &piece)) {
        if (parse_server(link, piece))
            continue;
        xt_problem_set(reterr_problem, "--server holds something that is not HOST:PORT");
        xt_problem_excerpt(reterr_problem, piece);
        return xt_error_origin(-EINVAL);
    }
    link->at = (unsigned)random_below(link->n_servers);
    return 0;
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
    link->wait_ms = WAIT_FIRST_MS;
    snprintf(link->state, sizeof link->state, "not connected yet");
    int r = parse_servers(link, reterr_problem);
    link->timer = evtimer_new(base, on_timer, link);
    link->helper_event = event_new(base, helper_fd, EV_READ | EV_PERSIST, on_helper, link);
    if (r == 0 && (!link->timer || !link->helper_event || event_add(link->helper_event, NULL) < 0))
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
    stream_close(link);
    if (link->timer)
        event_free(link->timer);
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

size_t xt_link_queued(const xt_link *link)
{
    return link->stream ? evbuffer_get_length(bufferevent_get_output(link->stream)) : 0;
}

void xt_link_restart(xt_link *link)
{
    xt_problem problem;
    problem_of(link, &problem, "saying hello again");
    broken(link, &problem, 1);
}

const char *xt_link_state(const xt_link *link)
{
    return link->state;
}

const char *xt_link_server(const xt_link *link)
{
    return link->servers[link->at].text;
}

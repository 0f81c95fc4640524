/*
 * A refusal must arrive: closing a socket with unread input makes the kernel send a reset, and the peer may lose what it
 * had not read yet. So the last word is followed by close_notify and the end of our side, and what the agent still sends is
 * read and thrown away until it closes too, or two seconds have passed.
 */
#include "server/agent_link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>

#include "base/log.h"
#include "io/tls.h"
#include "server/agents_private.h"
#include "server/app_parts.h"
#include "server/secret.h"

enum {
    HELLO_S = 10,
    FAREWELL_S = 2,
    SILENCE_S = 120, /* heartbeats come every few seconds */
    WRITE_S = 60,
    SMALL_FRAME = 64 << 10,
    READ_AHEAD = 64 << 10,
    FRAME_BYTES_PER_S = 4 << 10,
};

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
    xt_agent_link *link = context;

    if (link->phase == XT_AGENT_NEW)
        xt_log(XT_LOG_INFO, "agent %s: said no hello within %d s", link->address, HELLO_S);
    else if (link->phase == XT_AGENT_TALKING)
        xt_log(XT_LOG_WARN, "agent %s (host %s): began a message and did not end it in time", link->address,
               link->host_id);
    xt_agent_link_close(link);
}

static void set_deadline(xt_agent_link *link, int seconds)
{
    struct timeval t = {.tv_sec = seconds};

    evtimer_add(link->deadline, &t);
}

static void on_read(struct bufferevent *bev, void *context)
{
    xt_agent_link_advance(context);
}

/* Everything that was written has been taken. */
static void on_write(struct bufferevent *bev, void *context)
{
    xt_agent_link *link = context;

    if (link->phase != XT_AGENT_LEAVING)
        return;
    SSL_shutdown(link->ssl);
    shutdown(bufferevent_getfd(bev), SHUT_WR);
    set_deadline(link, FAREWELL_S);
}

static void on_event(struct bufferevent *bev, short what, void *context)
{
    xt_agent_link *link = context;
    xt_problem problem = XT_PROBLEM_INIT;

    if (what & BEV_EVENT_CONNECTED)
        return;
    if (link->phase == XT_AGENT_NEW && (what & BEV_EVENT_ERROR)) {
        xt_tls_problem_of(link->ssl, bufferevent_get_openssl_error(bev), &problem);
        xt_log(XT_LOG_INFO, "agent %s: %s", link->address, problem.sentence);
    }
    if ((what & BEV_EVENT_TIMEOUT) && link->phase == XT_AGENT_TALKING)
        xt_log(XT_LOG_WARN, "agent %s (host %s): silent for %d s, its connection is closed", link->address,
               link->host_id, SILENCE_S);
    xt_agent_link_close(link);
}

static void link_in(xt_agent_link *link)
{
    xt_agents *agents = link->agents;

    link->next = agents->links;
    if (link->next)
        link->next->prev = link;
    agents->links = link;
    link->prev_new = agents->new_last;
    if (link->prev_new)
        link->prev_new->next_new = link;
    else
        agents->new_first = link;
    agents->new_last = link;
    agents->n_new++;
}

void xt_agent_link_known(xt_agent_link *link)
{
    xt_agents *agents = link->agents;

    *(link->prev_new ? &link->prev_new->next_new : &agents->new_first) = link->next_new;
    *(link->next_new ? &link->next_new->prev_new : &agents->new_last) = link->prev_new;
    link->prev_new = link->next_new = NULL;
    agents->n_new--;
}

static void link_out(xt_agent_link *link)
{
    xt_agents *agents = link->agents;

    if (link->prev)
        link->prev->next = link->next;
    else
        agents->links = link->next;
    if (link->next)
        link->next->prev = link->prev;
    if (!link->host_id[0]) {
        xt_agent_link_known(link);
    } else if (xt_map_find(&agents->by_host, xt_slice_str(link->host_id)) == link) {
        xt_map_remove(&agents->by_host, xt_slice_str(link->host_id));
        xt_hosts_gone(agents->app->hosts, xt_slice_str(link->host_id));
    }
}

static int begin(xt_agent_link *link, SSL_CTX *context, int fd)
{
    struct timeval silence = {.tv_sec = SILENCE_S}, write = {.tv_sec = WRITE_S};
    int one = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    link->ssl = SSL_new(context);
    link->deadline = evtimer_new(link->agents->base, on_deadline, link);
    if (link->ssl && link->deadline)
        link->bev = bufferevent_openssl_socket_new(link->agents->base, fd, link->ssl, BUFFEREVENT_SSL_ACCEPTING,
                                                   BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (!link->bev)
        return xt_error_origin(-ENOMEM);
    bufferevent_setcb(link->bev, on_read, on_write, on_event, link);
    bufferevent_set_timeouts(link->bev, &silence, &write);
    bufferevent_setwatermark(link->bev, EV_READ, 0, READ_AHEAD);
    bufferevent_enable(link->bev, EV_READ | EV_WRITE);
    set_deadline(link, HELLO_S);
    return 0;
}

int xt_agent_link_open(xt_agents *agents, SSL_CTX *context, int fd, const char *address, xt_agent_link **ret)
{
    xt_agent_link *link = calloc(1, sizeof *link);
    int r;

    if (!link) {
        close(fd);
        return xt_error_origin(-ENOMEM);
    }
    link->agents = agents;
    xt_text_copy(link->address, sizeof link->address, xt_slice_str(address));
    r = begin(link, context, fd);
    if (r) {
        SSL_free(link->ssl);
        if (link->deadline)
            event_free(link->deadline);
        close(fd);
        free(link);
        return xt_error_trace(r);
    }
    link_in(link);
    *ret = link;
    return 0;
}

void xt_agent_link_close(xt_agent_link *link)
{
    if (link->phase == XT_AGENT_DEAD)
        return;
    link_out(link);
    event_free(link->deadline);
    bufferevent_free(link->bev);
    link->bev = NULL;
    link->phase = XT_AGENT_DEAD;
    xt_agent_link_reap(link);
}

void xt_agent_link_reap(xt_agent_link *link)
{
    if (link->phase != XT_AGENT_DEAD || link->n_pending > 0 || link->touched)
        return;
    xt_short_fini(&link->form);
    free(link);
}

void xt_agent_link_send(xt_agent_link *link, xt_frame_type type, const xt_buf *payload)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;

    xt_frame_put(&out, type, xt_buf_slice(payload));
    if (xt_buf_done(payload) == 0 && xt_buf_done(&out) == 0)
        bufferevent_write(link->bev, out.p, out.n);
}

void xt_agent_link_leave(xt_agent_link *link)
{
    link->phase = XT_AGENT_LEAVING;
    link->paused = false;
    bufferevent_setwatermark(link->bev, EV_READ, 0, READ_AHEAD);
    bufferevent_enable(link->bev, EV_READ);
    set_deadline(link, HELLO_S);
}

void xt_agent_link_refuse(xt_agent_link *link, uint64_t reason, uint64_t retry_ms, const char *detail)
{
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT, text = XT_BUF_INIT;
    const xt_refusal_words *words = xt_refusal_words_get(reason);

    if (link->phase == XT_AGENT_LEAVING)
        return;
    xt_buf_printf(&text, "%s%s%s", words->sentence, detail ? ": " : "", detail ? detail : "");
    if (words->hint[0])
        xt_buf_printf(&text, "; %s", words->hint);
    xt_log(XT_LOG_INFO, "agent %s%s%s refused (%s): %.*s", link->address, link->host_id[0] ? " host " : "",
           link->host_id, words->name, XT_S_ARGS(xt_buf_slice(&text)));
    xt_refused refused = {.reason = reason, .retry_ms = retry_ms, .sentence = xt_buf_slice(&text)};
    xt_refused_put(&payload, &refused);
    xt_agent_link_send(link, XT_FRAME_REFUSED, &payload);
    xt_agent_link_leave(link);
}

/* A message that has begun ends in time: whoever gives a byte now and then holds nothing for long. */
static void expect_end(xt_agent_link *link, size_t need, size_t have)
{
    size_t expects = link->phase == XT_AGENT_TALKING && have > 0 ? need + 1 : 0; /* 1: not even its length is there */

    if (expects > link->expects)
        set_deadline(link, link->agents->frame_s + (int)(need / FRAME_BYTES_PER_S));
    else if (!expects && link->expects)
        evtimer_del(link->deadline);
    link->expects = expects;
}

static void pause_reading(xt_agent_link *link)
{
    expect_end(link, 0, 0); /* it is not to blame */
    link->paused = true;
    bufferevent_disable(link->bev, EV_READ);
    xt_agents_retry_later(link->agents);
}

/* Bytes of the frame at the front, 0 while its length is not known, SIZE_MAX when it is too long. */
static size_t frame_bytes(xt_agent_link *link, struct evbuffer *input)
{
    uint8_t head[4];
    size_t limit = link->phase == XT_AGENT_NEW ? SMALL_FRAME : XT_FRAME_MAX_BYTES;

    if (evbuffer_copyout(input, head, sizeof head) < (ssize_t)sizeof head)
        return 0;
    size_t n = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    return n > limit ? SIZE_MAX : n + XT_FRAME_HEADER_BYTES;
}

/* 0: a frame was worked on; 1: there is no whole one; -EAGAIN: one is there, but not now. */
static int step(xt_agent_link *link, struct evbuffer *input)
{
    size_t need = frame_bytes(link, input), n;
    xt_frame frame;

    if (need == SIZE_MAX) {
        xt_agent_link_refuse(link, XT_REFUSED_CORRUPT, 0, "a frame is longer than the protocol allows");
        return 1;
    }
    if (need == 0 || evbuffer_get_length(input) < need) {
        expect_end(link, need, evbuffer_get_length(input));
        bufferevent_setwatermark(link->bev, EV_READ, need, need + READ_AHEAD);
        return 1;
    }
    const char *bytes = (const char *)evbuffer_pullup(input, (ev_ssize_t)need);
    if (!bytes || xt_frame_next(xt_slice_of(bytes, need), &frame, &n, NULL)) {
        xt_agent_link_refuse(link, XT_REFUSED_CORRUPT, 1000, "a frame's checksum does not hold");
        return 1;
    }
    expect_end(link, 0, 0);
    int r = xt_agent_frame(link, &frame);
    if (r)
        return r;
    evbuffer_drain(input, need);
    bufferevent_setwatermark(link->bev, EV_READ, 0, READ_AHEAD);
    return 0;
}

void xt_agent_link_advance(xt_agent_link *link)
{
    struct evbuffer *input = bufferevent_get_input(link->bev);
    int r = 0;

    if (link->paused) {
        link->paused = false;
        bufferevent_enable(link->bev, EV_READ);
    }
    while (r == 0 && link->phase != XT_AGENT_LEAVING)
        r = link->n_pending >= XT_AGENT_WINDOW ? -EAGAIN : step(link, input);
    if (link->phase == XT_AGENT_LEAVING)
        evbuffer_drain(input, evbuffer_get_length(input));
    else if (r == -EAGAIN)
        pause_reading(link);
}

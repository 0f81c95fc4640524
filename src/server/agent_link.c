/*
 * OpenSSL works on the socket directly, under one edge-triggered event for as long as the connection lasts: pausing and going on
 * cost no call of the kernel's, and a connection at rest holds no buffer. So whoever stops reading before the socket says that
 * there is no more has to come back by himself: a paused link when it is advanced, one that had its share by activating its event.
 *
 * A refusal must arrive: closing a socket with unread input makes the kernel send a reset, and the peer may lose what it
 * had not read yet. So the last word is followed by close_notify and the end of our side, and what the agent still sends is
 * read and thrown away until it closes too, or two seconds have passed.
 */
#include "server/agent_link.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

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
    SHARE_BYTES = 256 << 10, /* read of one connection before others have their turn */
    UNTAKEN_BYTES = 64 << 10,
    FRAME_BYTES_PER_S = 4 << 10,
};

static int64_t now(void)
{
    return xt_clock_mono_ms(&xt_clock_system);
}

static void set_deadline(xt_agent_link *link, int seconds)
{
    link->deadline_ms = now() + (int64_t)seconds * 1000;
}

/* Not here and now: those who call may still work on it. */
static void break_link(xt_agent_link *link)
{
    link->broken = true;
    event_active(link->io, EV_READ, 0);
}

void xt_agent_link_look(xt_agent_link *link, int64_t now_ms)
{
    bool late = link->deadline_ms && now_ms > link->deadline_ms;
    bool deaf = link->blocked_ms && now_ms - link->blocked_ms > WRITE_S * 1000;
    bool silent = now_ms - link->heard_ms > SILENCE_S * 1000 && !link->paused;

    if (!late && !deaf && !silent)
        return;
    if (link->phase == XT_AGENT_NEW)
        xt_log(XT_LOG_INFO, "agent %s: said no hello within %d s", link->address, HELLO_S);
    else if (link->phase == XT_AGENT_TALKING && late)
        xt_log(XT_LOG_WARN, "agent %s (host %s): began a message and did not end it in time", link->address,
               link->host_id);
    else if (link->phase == XT_AGENT_TALKING && silent)
        xt_log(XT_LOG_WARN, "agent %s (host %s): silent for %d s, its connection is closed", link->address,
               link->host_id, SILENCE_S);
    else if (link->phase == XT_AGENT_TALKING)
        xt_log(XT_LOG_WARN, "agent %s (host %s): took nothing for %d s, its connection is closed", link->address,
               link->host_id, WRITE_S);
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

static void on_io(evutil_socket_t fd, short what, void *context);

static int begin(xt_agent_link *link, SSL_CTX *context)
{
    int one = 1;

    (void)setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    link->ssl = SSL_new(context);
    if (!link->ssl || SSL_set_fd(link->ssl, link->fd) != 1)
        return xt_error_origin(-ENOMEM);
    SSL_set_accept_state(link->ssl);
    SSL_set_read_ahead(link->ssl, 1);
    link->io = event_new(link->agents->base, link->fd, EV_READ | EV_WRITE | EV_ET | EV_PERSIST, on_io, link);
    if (!link->io || event_add(link->io, NULL))
        return xt_error_origin(-ENOMEM);
    link->shaking = true;
    link->heard_ms = now();
    set_deadline(link, HELLO_S);
    return 0;
}

/* What a connection holds beside the link itself. */
static void release(xt_agent_link *link)
{
    if (link->io)
        event_free(link->io);
    SSL_free(link->ssl);
    ERR_clear_error();
    close(link->fd);
    xt_buf_fini(&link->in);
    xt_buf_fini(&link->out);
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
    link->fd = fd;
    xt_text_copy(link->address, sizeof link->address, xt_slice_str(address));
    r = begin(link, context);
    if (r) {
        release(link);
        free(link);
        return xt_error_trace(r);
    }
    link_in(link);
    *ret = link;
    return 0;
}

static void unpause(xt_agent_link *link)
{
    xt_agents *agents = link->agents;

    if (!link->paused)
        return;
    link->paused = false;
    link->heard_ms = now(); /* it could not be heard */
    *(link->prev_paused ? &link->prev_paused->next_paused : &agents->paused_first) = link->next_paused;
    *(link->next_paused ? &link->next_paused->prev_paused : &agents->paused_last) = link->prev_paused;
    link->prev_paused = link->next_paused = NULL;
}

void xt_agent_link_close(xt_agent_link *link)
{
    if (link->phase == XT_AGENT_DEAD)
        return;
    unpause(link);
    link_out(link);
    release(link);
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

/* ------------------------------------------------------------------------------------------------ out */

/* All that was to be said is said. */
static void say_farewell(xt_agent_link *link)
{
    SSL_shutdown(link->ssl);
    ERR_clear_error();
    shutdown(link->fd, SHUT_WR);
    set_deadline(link, FAREWELL_S);
}

static void flush(xt_agent_link *link)
{
    while (link->out.n && !link->broken && !link->shaking) {
        ERR_clear_error();
        int n = SSL_write(link->ssl, link->out.p, link->out.n < INT_MAX ? (int)link->out.n : INT_MAX);
        if (n <= 0 && SSL_get_error(link->ssl, n) == SSL_ERROR_WANT_WRITE) {
            if (!link->blocked_ms)
                link->blocked_ms = now();
            return;
        }
        if (n <= 0) {
            ERR_clear_error();
            break_link(link);
            return;
        }
        link->blocked_ms = 0;
        xt_buf_consume(&link->out, (size_t)n);
    }
    if (link->out.n)
        return;
    xt_buf_fini(&link->out);
    link->out = XT_BUF_INIT;
    if (link->phase == XT_AGENT_LEAVING && !link->broken)
        say_farewell(link);
}

void xt_agent_link_send(xt_agent_link *link, xt_frame_type type, const xt_buf *payload)
{
    if (xt_buf_done(payload))
        return;
    xt_frame_put(&link->out, type, xt_buf_slice(payload));
    if (xt_buf_done(&link->out))
        break_link(link); /* a frame may be cut */
    else
        flush(link);
}

void xt_agent_link_leave(xt_agent_link *link)
{
    link->phase = XT_AGENT_LEAVING;
    unpause(link);
    set_deadline(link, HELLO_S);
    flush(link);
    event_active(link->io, EV_READ, 0); /* to read what comes, or came, and throw it away */
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

/* ------------------------------------------------------------------------------------------------ in */

/* A message that has begun ends in time: whoever gives a byte now and then holds nothing for long. */
static void expect_end(xt_agent_link *link, size_t need, size_t have)
{
    size_t expects = link->phase == XT_AGENT_TALKING && have > 0 ? need + 1 : 0; /* 1: not even its length is there */

    if (expects > link->expects)
        set_deadline(link, link->agents->frame_s + (int)(need / FRAME_BYTES_PER_S));
    else if (!expects && link->expects)
        link->deadline_ms = 0;
    link->expects = expects;
}

static void pause_reading(xt_agent_link *link)
{
    xt_agents *agents = link->agents;

    expect_end(link, 0, 0); /* it is not to blame */
    if (link->paused)
        return;
    link->paused = true;
    link->prev_paused = agents->paused_last;
    *(agents->paused_last ? &agents->paused_last->next_paused : &agents->paused_first) = link;
    agents->paused_last = link;
    xt_agents_retry_later(agents);
}

/* Bytes of the frame at the front, 0 while its length is not known, SIZE_MAX when it is too long. */
static size_t frame_bytes(const xt_agent_link *link, xt_slice bytes)
{
    size_t limit = link->phase == XT_AGENT_NEW ? SMALL_FRAME : XT_FRAME_MAX_BYTES;
    xt_reader reader = xt_reader_of(bytes);

    if (bytes.n < 4)
        return 0;
    size_t n = xt_reader_u32(&reader);
    return n > limit ? SIZE_MAX : n + XT_FRAME_HEADER_BYTES;
}

/* 0: *ret_n bytes of a frame were worked on; 1: there is no whole one; -EAGAIN: one is there, but not now. */
static int step(xt_agent_link *link, xt_slice bytes, size_t *ret_n)
{
    size_t need = frame_bytes(link, bytes);
    xt_frame frame;

    if (need == SIZE_MAX) {
        xt_agent_link_refuse(link, XT_REFUSED_CORRUPT, 0, "a frame is longer than the protocol allows");
        return 1;
    }
    if (need == 0 || bytes.n < need) {
        expect_end(link, need, bytes.n);
        return 1;
    }
    if (xt_frame_next(bytes, &frame, ret_n, NULL)) {
        xt_agent_link_refuse(link, XT_REFUSED_CORRUPT, 1000, "a frame's checksum does not hold");
        return 1;
    }
    expect_end(link, 0, 0);
    return link->n_pending >= XT_AGENT_WINDOW || link->out.n > UNTAKEN_BYTES ? -EAGAIN : xt_agent_frame(link, &frame);
}

/* Works on whole frames, and returns what is left. */
static xt_slice take_frames(xt_agent_link *link, xt_slice bytes)
{
    size_t n;
    int r = 0;

    while (r == 0 && bytes.n && link->phase != XT_AGENT_LEAVING && !link->broken) {
        r = step(link, bytes, &n);
        if (r == 0)
            bytes = xt_slice_skip(bytes, n);
    }
    if (link->phase == XT_AGENT_LEAVING || link->broken)
        return XT_S_NULL;
    if (r == -EAGAIN)
        pause_reading(link);
    return bytes;
}

/* What came: with what is there already, or, which is usual, without having been copied. */
static void take_bytes(xt_agent_link *link, xt_slice bytes)
{
    bool alone = link->in.n == 0;

    if (!alone)
        xt_buf_put(&link->in, bytes);
    xt_slice rest = take_frames(link, alone ? bytes : xt_buf_slice(&link->in));
    if (alone && rest.n)
        xt_buf_put(&link->in, rest);
    else if (!alone)
        xt_buf_consume(&link->in, link->in.n - rest.n);
    if (link->in.n == 0) {
        xt_buf_fini(&link->in);
        link->in = XT_BUF_INIT;
    } else if (xt_buf_done(&link->in)) {
        break_link(link);
    }
}

static void tell_failure(xt_agent_link *link)
{
    xt_problem problem = XT_PROBLEM_INIT;

    if (link->phase == XT_AGENT_NEW && ERR_peek_error()) {
        xt_tls_problem(link->ssl, &problem);
        xt_log(XT_LOG_INFO, "agent %s: %s", link->address, problem.sentence);
    }
    ERR_clear_error();
}

/* Reads until there is no more, or not now. False: the connection has ended. */
static bool read_some(xt_agent_link *link)
{
    char *piece = link->agents->piece;
    size_t n_read = 0;

    while (!link->paused && !link->broken && n_read < SHARE_BYTES) {
        ERR_clear_error();
        int n = SSL_read(link->ssl, piece, XT_AGENTS_PIECE_BYTES);
        if (n <= 0) {
            int error = SSL_get_error(link->ssl, n);
            if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
                return true;
            tell_failure(link);
            return false;
        }
        n_read += (size_t)n;
        link->heard_ms = now();
        if (link->phase != XT_AGENT_LEAVING)
            take_bytes(link, xt_slice_of(piece, (size_t)n));
    }
    if (!link->paused && !link->broken)
        event_active(link->io, EV_READ, 0);
    return true;
}

/* False: the connection has ended. */
static bool shake(xt_agent_link *link)
{
    ERR_clear_error();
    int n = SSL_accept(link->ssl);

    if (n == 1) {
        link->shaking = false;
        return true;
    }
    int error = SSL_get_error(link->ssl, n);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return true;
    tell_failure(link);
    return false;
}

static void on_io(evutil_socket_t fd, short what, void *context)
{
    xt_agent_link *link = context;
    bool good = !link->broken;

    if (good && link->shaking)
        good = shake(link);
    if (good && !link->shaking) {
        flush(link);
        good = read_some(link) && !link->broken;
    }
    if (!good)
        xt_agent_link_close(link);
}

void xt_agent_link_advance(xt_agent_link *link)
{
    unpause(link);
    if (link->in.n && link->phase != XT_AGENT_LEAVING)
        take_bytes(link, XT_S_NULL);
    if (!link->paused)
        event_active(link->io, EV_READ, 0); /* what the socket has said before is not said again */
}

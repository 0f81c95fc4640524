/*
 * One connection on the loop: head, body, then nothing is read but for what the client pipelines, until the answer is
 * out. Why not evhttp: that of libevent 2.1 cannot bound how long a head takes, tells nobody of a new or closed connection,
 * answers errors without our headers, and ends the process on states that a client can bring about.
 */
#include "io/http/http_private.h"

#include <assert.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_S           75
#define STALL_S          30
#define LINGER_S         2
#define MAX_INPUT_BYTES  (128u << 10) /* more than a head; what is pipelined behind it waits in the socket */
#define LOW_WATER_BYTES  (256u << 10)
#define UNIX_CONNECTIONS 64 /* above those of all addresses */

void xt_http_conn_timer(xt_http_conn *conn, time_t seconds)
{
    struct timeval tv = {.tv_sec = seconds};
    event_add(conn->timer, &tv);
}

static void drop_exchange(xt_http_conn *conn)
{
    if (!conn->exchange)
        return;
    xt_http_exchange_cancel(conn->exchange);
    conn->exchange->conn = NULL;
    conn->exchange = xt_http_exchange_unref(conn->exchange);
}

xt_http_conn *xt_http_conn_close(xt_http_conn *conn)
{
    drop_exchange(conn);
    *conn->link = conn->next;
    if (conn->next)
        conn->next->link = conn->link;
    conn->server->n_conns--;
    if (conn->timer)
        event_free(conn->timer);
    SSL *ssl = conn->bev ? bufferevent_openssl_get_ssl(conn->bev) : NULL;
    if (ssl) {
        SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN);
        SSL_shutdown(ssl);
        ERR_clear_error();
    }
    if (conn->bev)
        bufferevent_free(conn->bev);
    free(conn);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------- answering */

void xt_http_conn_refuse(xt_http_conn *conn, int status, const char *sentence)
{
    xt_buf body = XT_BUF_INIT, head = XT_BUF_INIT;
    char length[128];
    xt_buf_printf(&body, "{\"error\":{\"sentence\":\"%s\"}}\n", sentence);
    snprintf(length, sizeof length, "Cache-Control: no-store\r\nContent-Length: %zu\r\n%s", body.n,
             status == 429 || status == 503 ? "Retry-After: 5\r\n" : "");
    xt_http_answer_head(&head, conn->server->settings.fixed_headers, status, "application/json", length, false, true);
    drop_exchange(conn);
    conn->state = XT_HTTP_REFUSING;
    event_del(conn->timer);
    bufferevent_write(conn->bev, head.p, head.n);
    bufferevent_write(conn->bev, body.p, body.n);
    xt_buf_fini(&head);
    xt_buf_fini(&body);
}

static void linger(xt_http_conn *conn)
{
    conn->state = XT_HTTP_LINGERING;
    if (conn->listener->tls)
        SSL_shutdown(bufferevent_openssl_get_ssl(conn->bev));
    else
        shutdown(bufferevent_getfd(conn->bev), SHUT_WR);
    xt_http_conn_timer(conn, LINGER_S);
    xt_http_conn_read(conn);
}

static void next_request(xt_http_conn *conn)
{
    assert(conn->exchange);
    conn->exchange->conn = NULL;
    conn->exchange = xt_http_exchange_unref(conn->exchange);
    conn->answered = conn->is_known = false;
    conn->state = XT_HTTP_HEAD;
    bool more = evbuffer_get_length(bufferevent_get_input(conn->bev)) > 0;
    xt_http_conn_timer(conn, more ? XT_HTTP_HEAD_S : IDLE_S);
    if (more)
        bufferevent_trigger(conn->bev, EV_READ, BEV_OPT_DEFER_CALLBACKS);
}

/* The output buffer is empty: what comes now. */
static void on_drained(xt_http_conn *conn)
{
    if (conn->state == XT_HTTP_REFUSING)
        linger(conn);
    else if (conn->state == XT_HTTP_ANSWERING && conn->answered && conn->is_last)
        linger(conn);
    else if (conn->state == XT_HTTP_ANSWERING && conn->answered)
        next_request(conn);
}

static void count_unsent(xt_http_conn *conn)
{
    xt_http_exchange *exchange = conn->exchange;
    size_t n = evbuffer_get_length(bufferevent_get_output(conn->bev));
    pthread_mutex_lock(&exchange->lock);
    exchange->n_unsent = n + exchange->out.n;
    pthread_cond_signal(&exchange->sent);
    pthread_mutex_unlock(&exchange->lock);
}

static void on_write(struct bufferevent *bev, void *context)
{
    xt_http_conn *conn = context;
    if (conn->exchange)
        count_unsent(conn);
    if (evbuffer_get_length(bufferevent_get_output(bev)) == 0)
        on_drained(conn);
}

static void free_bytes(const void *data, size_t n, void *p)
{
    (void)data;
    (void)n;
    free(p);
}

void xt_http_conn_flush(xt_http_conn *conn, xt_http_exchange *exchange)
{
    pthread_mutex_lock(&exchange->lock);
    xt_buf out = exchange->out;
    bool broken = exchange->aborted || out.failed, admitted = exchange->admitted;
    exchange->out = XT_BUF_INIT;
    exchange->admitted = false;
    conn->answered = exchange->ended;
    conn->is_last = exchange->close_after;
    pthread_mutex_unlock(&exchange->lock);
    if (admitted) {
        xt_http_conn_admitted(conn);
        return;
    }
    if (conn->state == XT_HTTP_ADMITTING) { /* refused: what comes of the body is thrown away behind the answer */
        conn->state = XT_HTTP_ANSWERING;
        bufferevent_enable(conn->bev, EV_READ);
    }
    struct evbuffer *output = bufferevent_get_output(conn->bev);
    if (out.n == 0 || broken || evbuffer_add_reference(output, out.p, out.n, free_bytes, out.p) != 0) {
        broken |= out.n > 0;
        xt_buf_fini(&out);
    }
    if (broken)
        xt_http_conn_close(conn);
    else if (evbuffer_get_length(output) == 0)
        on_drained(conn);
}

static void on_read(struct bufferevent *bev, void *context)
{
    (void)bev;
    xt_http_conn_read(context);
}

static void on_event(struct bufferevent *bev, short what, void *context)
{
    xt_http_conn *conn = context;
    (void)bev;
    if (what & BEV_EVENT_CONNECTED)
        return;
    ERR_clear_error();
    xt_http_conn_close(conn);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    xt_http_conn *conn = context;
    (void)fd;
    (void)what;
    if (conn->state == XT_HTTP_LINGERING || !conn->exchange)
        xt_http_conn_close(conn);
    else
        xt_http_conn_refuse(conn, 408, "the request did not come in time");
}

/* ------------------------------------------------------------------------------------------------- beginning */

static struct bufferevent *bev_of(xt_http_listener *listener, int fd)
{
    struct event_base *base = listener->server->base;
    if (!listener->tls)
        return bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    SSL *ssl = SSL_new(listener->tls);
    if (!ssl)
        return NULL;
    struct bufferevent *bev =
        bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (bev)
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    else
        SSL_free(ssl);
    return bev;
}

/*
 * The oldest that asks for nothing yet, else the oldest that is still asking, else the oldest whose body is coming: whoever only
 * holds connections open does not shut the door for others. Nobody who is being answered, and not on the administrator's socket.
 */
static void drop_oldest(xt_http_server *server)
{
    xt_http_conn *silent = NULL, *asking = NULL, *known = NULL;
    for (xt_http_conn *conn = server->conns; conn; conn = conn->next) { /* the newest first */
        if (conn->listener->unix_path || conn->state == XT_HTTP_ANSWERING)
            continue;
        *(!conn->exchange ? &silent : !conn->is_known ? &asking : &known) = conn;
    }
    xt_http_conn *gone = silent ? silent : asking ? asking : known;
    if (gone)
        xt_http_conn_close(gone);
}

void xt_http_conn_accept(xt_http_listener *listener, int fd)
{
    xt_http_server *server = listener->server;
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* unix sockets have none */
    /* Whoever fills the address with connections does not shut the administrator's socket. */
    size_t most = XT_HTTP_MAX_CONNECTIONS + (listener->unix_path ? UNIX_CONNECTIONS : 0);
    if (server->n_conns >= most)
        drop_oldest(server);
    xt_http_conn *conn = server->n_conns < most ? calloc(1, sizeof *conn) : NULL;
    struct bufferevent *bev = conn ? bev_of(listener, fd) : NULL;
    if (!bev) {
        free(conn);
        close(fd);
        return;
    }
    *conn = (xt_http_conn){
        .server = server, .listener = listener, .bev = bev, .next = server->conns, .link = &server->conns};
    if (conn->next)
        conn->next->link = &conn->next;
    server->conns = conn;
    server->n_conns++;
    conn->timer = evtimer_new(server->base, on_timer, conn);
    const struct timeval stall = {.tv_sec = STALL_S};
    bufferevent_setcb(bev, on_read, on_write, on_event, conn);
    bufferevent_setwatermark(bev, EV_READ, 0, MAX_INPUT_BYTES);
    bufferevent_setwatermark(bev, EV_WRITE, LOW_WATER_BYTES, 0);
    bufferevent_set_timeouts(bev, NULL, &stall);
    if (!conn->timer || bufferevent_enable(bev, EV_READ | EV_WRITE) != 0)
        xt_http_conn_close(conn);
    else
        xt_http_conn_timer(conn, XT_HTTP_HEAD_S);
}

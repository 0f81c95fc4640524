/*
 * One connection on the loop: head, body, then nothing is read but for what the client pipelines, until the answer is
 * out. Why not evhttp: that of libevent 2.1 cannot bound how long a head takes, tells nobody of a new or closed connection,
 * answers errors without our headers, and ends the process on states that a client can bring about.
 */
#include "io/http/http_private.h"

#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_S            30
#define IDLE_S            75
#define STALL_S           30
#define LINGER_S          2
#define BODY_BYTES_PER_S  (16u << 10)
#define MAX_INPUT_BYTES   (128u << 10) /* more than a head; what is pipelined behind it waits in the socket */
#define MAX_CHUNK_LINE    1024
#define LOW_WATER_BYTES   (256u << 10)
#define MAX_TRAILER_BYTES (8u << 10)
#define UNIX_CONNECTIONS  64 /* above those of all addresses */

typedef enum xt_http_state {
    XT_HTTP_HEAD,
    XT_HTTP_BODY,
    XT_HTTP_CHUNK_SIZE,
    XT_HTTP_CHUNK_DATA,
    XT_HTTP_CHUNK_END,
    XT_HTTP_TRAILER,
    XT_HTTP_ANSWERING,
    XT_HTTP_REFUSING, /* an answer of the door itself goes out */
    XT_HTTP_LINGERING /* what still comes is thrown away, so that the answer is not */
} xt_http_state;

struct xt_http_conn {
    xt_http_server *server;
    xt_http_listener *listener;
    xt_http_conn *next, **link;
    struct bufferevent *bev;
    struct event *timer;
    xt_http_state state;
    xt_http_exchange *exchange;
    uint64_t left; /* of the body, of the chunk, of what trailers may take */
    bool is_last;  /* the answer has its end, the connection too */
    bool answered; /* the whole answer is in the output buffer */
};

static void on_read(struct bufferevent *bev, void *context);

static void set_timer(xt_http_conn *conn, time_t seconds)
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

static void answer_error(xt_http_conn *conn, int status, const char *sentence)
{
    xt_buf body = XT_BUF_INIT, head = XT_BUF_INIT;
    char length[64];
    xt_buf_printf(&body, "{\"error\":{\"sentence\":\"%s\"}}\n", sentence);
    snprintf(length, sizeof length, "Cache-Control: no-store\r\nContent-Length: %zu\r\n", body.n);
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
    set_timer(conn, LINGER_S);
    on_read(conn->bev, conn);
}

static void next_request(xt_http_conn *conn)
{
    conn->exchange->conn = NULL;
    conn->exchange = xt_http_exchange_unref(conn->exchange);
    conn->answered = false;
    conn->state = XT_HTTP_HEAD;
    bool more = evbuffer_get_length(bufferevent_get_input(conn->bev)) > 0;
    set_timer(conn, more ? HEAD_S : IDLE_S);
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
    bool broken = exchange->aborted || out.failed;
    exchange->out = XT_BUF_INIT;
    conn->answered = exchange->ended;
    conn->is_last = exchange->close_after;
    pthread_mutex_unlock(&exchange->lock);
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

/* --------------------------------------------------------------------------------------------------- reading */

static void dispatch(xt_http_conn *conn)
{
    xt_http_server *server = conn->server;
    xt_http_exchange *exchange = conn->exchange;
    event_del(conn->timer);
    conn->state = XT_HTTP_ANSWERING;
    const xt_http_settings *settings = &server->settings;
    bool is_stream = settings->is_stream && settings->is_stream(settings->context, exchange);
    xt_http_exchange_ref(exchange);
    if (!xt_http_pool_push(is_stream ? &server->streams : &server->workers, exchange)) {
        xt_http_exchange_unref(exchange);
        answer_error(conn, 503, is_stream ? "too many live views are open" : "the server is busy");
    }
}

static int begin_body(xt_http_conn *conn)
{
    const xt_http_head *head = &conn->exchange->head;
    if (head->length > XT_HTTP_MAX_BODY_BYTES) {
        answer_error(conn, 413, "the body is larger than 32 MiB");
        return -1;
    }
    if (!head->chunked && head->length == 0) {
        dispatch(conn);
        return 0;
    }
    uint64_t most = head->chunked ? XT_HTTP_MAX_BODY_BYTES : head->length;
    conn->exchange->body.max_bytes = XT_HTTP_MAX_BODY_BYTES;
    conn->left = head->length;
    conn->state = head->chunked ? XT_HTTP_CHUNK_SIZE : XT_HTTP_BODY;
    set_timer(conn, (time_t)(HEAD_S + most / BODY_BYTES_PER_S));
    if (head->expects_continue && evbuffer_get_length(bufferevent_get_input(conn->bev)) == 0)
        bufferevent_write(conn->bev, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    return 1;
}

/* Each read_*: 1 go on, 0 wait, <0 the connection has another state or is gone. */
static int read_head(xt_http_conn *conn, struct evbuffer *input)
{
    while (evbuffer_get_length(input) >= 2 && memcmp(evbuffer_pullup(input, 2), "\r\n", 2) == 0)
        evbuffer_drain(input, 2);
    size_t length = evbuffer_get_length(input);
    if (length == 0)
        return 0;
    struct evbuffer_ptr end = evbuffer_search(input, "\r\n\r\n", 4, NULL);
    size_t n = end.pos < 0 ? length : (size_t)end.pos + 4;
    if (n > XT_HTTP_MAX_HEAD_BYTES) {
        answer_error(conn, 431, "the head of the request is larger than 64 KiB");
        return -1;
    }
    if (end.pos < 0)
        return 0;
    xt_http_exchange *exchange = xt_http_exchange_new(conn->server, conn);
    if (exchange)
        exchange->head_bytes = malloc(n);
    if (!exchange || !exchange->head_bytes) {
        xt_http_exchange_unref(exchange);
        answer_error(conn, 503, "the server has no memory left");
        return -1;
    }
    conn->exchange = exchange;
    exchange->door = conn->listener->door;
    evbuffer_remove(input, exchange->head_bytes, n);
    const char *sentence;
    int status = xt_http_head_parse(xt_slice_of(exchange->head_bytes, n), &exchange->head, &sentence);
    if (status != 0) {
        answer_error(conn, status, sentence);
        return -1;
    }
    return begin_body(conn);
}

/* Moves up to conn->left bytes into the body. */
static int take_body(xt_http_conn *conn, struct evbuffer *input)
{
    xt_buf *body = &conn->exchange->body;
    size_t n = evbuffer_get_length(input);
    n = n < conn->left ? n : (size_t)conn->left;
    char *to = xt_buf_reserve(body, n);
    if (!to) {
        answer_error(conn, 413, "the body is larger than 32 MiB");
        return -1;
    }
    evbuffer_remove(input, to, n);
    body->n += n;
    conn->left -= n;
    return conn->left == 0 ? 1 : 0;
}

static int read_body(xt_http_conn *conn, struct evbuffer *input)
{
    int r = take_body(conn, input);
    if (r > 0)
        dispatch(conn);
    return r;
}

/* A line of the chunked coding, without its end; NULL: not there yet, or answered 400 (state REFUSING). */
static char *chunk_line(xt_http_conn *conn, struct evbuffer *input, size_t *ret_n)
{
    char *line = evbuffer_readln(input, ret_n, EVBUFFER_EOL_CRLF_STRICT);
    if (line ? *ret_n > MAX_CHUNK_LINE : evbuffer_get_length(input) > MAX_CHUNK_LINE) {
        free(line);
        answer_error(conn, 400, "a chunk of the body is malformed");
        return NULL;
    }
    return line;
}

static int read_chunk_size(xt_http_conn *conn, struct evbuffer *input)
{
    size_t n;
    char *line = chunk_line(conn, input, &n);
    if (!line)
        return conn->state == XT_HTTP_REFUSING ? -1 : 0;
    xt_slice rest = xt_slice_of(line, n), size;
    bool ok = xt_slice_cut(&rest, ';', &size) && xt_slice_parse_hex(xt_slice_trim(size), &conn->left);
    free(line);
    if (!ok || conn->left > XT_HTTP_MAX_BODY_BYTES) {
        answer_error(conn, ok ? 413 : 400, ok ? "the body is larger than 32 MiB" : "a chunk of the body is malformed");
        return -1;
    }
    conn->state = conn->left ? XT_HTTP_CHUNK_DATA : XT_HTTP_TRAILER;
    if (conn->left == 0)
        conn->left = MAX_TRAILER_BYTES;
    return 1;
}

static int read_chunk_data(xt_http_conn *conn, struct evbuffer *input)
{
    int r = take_body(conn, input);
    if (r > 0)
        conn->state = XT_HTTP_CHUNK_END;
    return r;
}

static int read_chunk_end(xt_http_conn *conn, struct evbuffer *input)
{
    char end[2];
    if (evbuffer_get_length(input) < 2)
        return 0;
    evbuffer_remove(input, end, 2);
    if (memcmp(end, "\r\n", 2) != 0) {
        answer_error(conn, 400, "a chunk of the body is malformed");
        return -1;
    }
    conn->state = XT_HTTP_CHUNK_SIZE;
    return 1;
}

static int read_trailer(xt_http_conn *conn, struct evbuffer *input)
{
    size_t n;
    char *line = chunk_line(conn, input, &n);
    if (!line)
        return conn->state == XT_HTTP_REFUSING ? -1 : 0;
    free(line);
    if (n == 0) {
        dispatch(conn);
    } else if (n > conn->left) {
        answer_error(conn, 400, "the trailer is too long");
        return -1;
    } else {
        conn->left -= n;
    }
    return 1;
}

static int read_some(xt_http_conn *conn, struct evbuffer *input)
{
    switch (conn->state) {
    case XT_HTTP_HEAD:
        return read_head(conn, input);
    case XT_HTTP_BODY:
        return read_body(conn, input);
    case XT_HTTP_CHUNK_SIZE:
        return read_chunk_size(conn, input);
    case XT_HTTP_CHUNK_DATA:
        return read_chunk_data(conn, input);
    case XT_HTTP_CHUNK_END:
        return read_chunk_end(conn, input);
    case XT_HTTP_TRAILER:
        return read_trailer(conn, input);
    case XT_HTTP_ANSWERING:
        return 0;
    case XT_HTTP_REFUSING:
    case XT_HTTP_LINGERING:
        evbuffer_drain(input, evbuffer_get_length(input));
        return 0;
    }
    return 0;
}

static void on_read(struct bufferevent *bev, void *context)
{
    xt_http_conn *conn = context;
    struct evbuffer *input = bufferevent_get_input(bev);
    /* The first byte of a request starts its clock: idle time is over. */
    struct timeval due;
    if (conn->state == XT_HTTP_HEAD && evbuffer_get_length(input) > 0 && event_pending(conn->timer, EV_TIMEOUT, &due)) {
        struct timeval now, most = {.tv_sec = HEAD_S};
        event_base_gettimeofday_cached(conn->server->base, &now);
        evutil_timeradd(&now, &most, &most);
        if (evutil_timercmp(&due, &most, >))
            set_timer(conn, HEAD_S);
    }
    while (read_some(conn, input) > 0)
        ;
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
        answer_error(conn, 408, "the request did not come in time");
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

void xt_http_conn_accept(xt_http_listener *listener, int fd)
{
    xt_http_server *server = listener->server;
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* unix sockets have none */
    /* Whoever fills the address with connections does not shut the administrator's socket. */
    size_t most = XT_HTTP_MAX_CONNECTIONS + (listener->unix_path ? UNIX_CONNECTIONS : 0);
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
        set_timer(conn, HEAD_S);
}

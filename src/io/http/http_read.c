/*
 * A request as it comes in: head, then body by length or in chunks, then it goes to a worker. What is read while an
 * answer goes out is the next request, and waits in the input buffer.
 *
 * Each read_*: 1 go on, 0 wait for more, <0 there is nothing to go on with.
 */
#include <stdlib.h>

#include "io/http/http_private.h"

#define BODY_BYTES_PER_S  (16u << 10)
#define MAX_CHUNK_LINE    1024
#define MAX_TRAILER_BYTES (8u << 10)

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
        xt_http_conn_refuse(conn, 503, is_stream ? "too many live views are open" : "the server is busy");
    }
}

/* For n bytes more of a body. False: it was refused. Of unix sockets there are few: not counted. */
static bool has_room(xt_http_conn *conn, uint64_t n)
{
    const xt_http_server *server = conn->server;
    if (conn->listener->unix_path || conn->exchange->body.n + n <= XT_HTTP_SMALL_BODY_BYTES ||
        atomic_load(&server->n_bodies_bytes) + n <= server->settings.max_bodies_bytes)
        return true;
    xt_http_conn_refuse(conn, 429, "too many large requests at once: send it again");
    return false;
}

/* A worker says whether the body may come; what comes of it meanwhile stays in the socket. */
static void ask(xt_http_conn *conn)
{
    xt_http_exchange *exchange = conn->exchange;
    event_del(conn->timer);
    bufferevent_disable(conn->bev, EV_READ);
    conn->state = XT_HTTP_ADMITTING;
    exchange->is_asking = true;
    xt_http_exchange_ref(exchange);
    if (!xt_http_pool_push(&conn->server->workers, exchange)) {
        xt_http_exchange_unref(exchange);
        bufferevent_enable(conn->bev, EV_READ);
        xt_http_conn_refuse(conn, 503, "the server is busy");
    }
}

static int take_up_body(xt_http_conn *conn)
{
    const xt_http_head *head = &conn->exchange->head;
    if (!has_room(conn, head->length))
        return -1;
    uint64_t most = head->chunked ? XT_HTTP_MAX_BODY_BYTES : head->length;
    conn->exchange->body.max_bytes = XT_HTTP_MAX_BODY_BYTES;
    conn->left = head->length;
    conn->state = head->chunked ? XT_HTTP_CHUNK_SIZE : XT_HTTP_BODY;
    xt_http_conn_timer(conn, (time_t)(XT_HTTP_HEAD_S + most / BODY_BYTES_PER_S));
    if (head->expects_continue && evbuffer_get_length(bufferevent_get_input(conn->bev)) == 0)
        bufferevent_write(conn->bev, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    return 1;
}

static int begin_body(xt_http_conn *conn)
{
    const xt_http_head *head = &conn->exchange->head;
    if (head->length > XT_HTTP_MAX_BODY_BYTES) {
        xt_http_conn_refuse(conn, 413, "the body is larger than 32 MiB");
        return -1;
    }
    if (!head->chunked && head->length == 0) {
        dispatch(conn);
        return 0;
    }
    if (!conn->server->settings.admit || (!head->chunked && head->length <= XT_HTTP_SMALL_BODY_BYTES))
        return take_up_body(conn);
    ask(conn);
    return 0;
}

void xt_http_conn_admitted(xt_http_conn *conn)
{
    conn->is_known = true;
    bufferevent_enable(conn->bev, EV_READ);
    if (take_up_body(conn) > 0)
        xt_http_conn_read(conn);
}

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
        xt_http_conn_refuse(conn, 431, "the head of the request is larger than 64 KiB");
        return -1;
    }
    if (end.pos < 0)
        return 0;
    xt_http_exchange *exchange = xt_http_exchange_new(conn->server, conn);
    if (exchange)
        exchange->head_bytes = malloc(n);
    if (!exchange || !exchange->head_bytes) {
        xt_http_exchange_unref(exchange);
        xt_http_conn_refuse(conn, 503, "the server has no memory left");
        return -1;
    }
    conn->exchange = exchange;
    exchange->door = conn->listener->door;
    evbuffer_remove(input, exchange->head_bytes, n);
    const char *sentence;
    int status = xt_http_head_parse(xt_slice_of(exchange->head_bytes, n), &exchange->head, &sentence);
    if (status != 0) {
        xt_http_conn_refuse(conn, status, sentence);
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
    if (!has_room(conn, n))
        return -1;
    char *to = xt_buf_reserve(body, n);
    if (!to) {
        xt_http_conn_refuse(conn, 413, "the body is larger than 32 MiB");
        return -1;
    }
    evbuffer_remove(input, to, n);
    body->n += n;
    if (!conn->listener->unix_path) {
        conn->exchange->n_counted += n;
        atomic_fetch_add(&conn->server->n_bodies_bytes, n);
    }
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
        xt_http_conn_refuse(conn, 400, "a chunk of the body is malformed");
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
        xt_http_conn_refuse(conn, ok ? 413 : 400,
                            ok ? "the body is larger than 32 MiB" : "a chunk of the body is malformed");
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
        xt_http_conn_refuse(conn, 400, "a chunk of the body is malformed");
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
        xt_http_conn_refuse(conn, 400, "the trailer is too long");
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
    case XT_HTTP_ADMITTING:
    case XT_HTTP_ANSWERING:
        return 0;
    case XT_HTTP_REFUSING:
    case XT_HTTP_LINGERING:
        evbuffer_drain(input, evbuffer_get_length(input));
        return 0;
    }
    return 0;
}

void xt_http_conn_read(xt_http_conn *conn)
{
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    /* The first byte of a request starts its clock: idle time is over. */
    struct timeval due;
    if (conn->state == XT_HTTP_HEAD && evbuffer_get_length(input) > 0 && event_pending(conn->timer, EV_TIMEOUT, &due)) {
        struct timeval now, most = {.tv_sec = XT_HTTP_HEAD_S};
        event_base_gettimeofday_cached(conn->server->base, &now);
        evutil_timeradd(&now, &most, &most);
        if (evutil_timercmp(&due, &most, >))
            xt_http_conn_timer(conn, XT_HTTP_HEAD_S);
    }
    while (read_some(conn, input) > 0)
        ;
}

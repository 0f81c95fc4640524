/*
 * The handler's side. What it writes is framed here (chunks) and gathers in `out`; the loop takes it whole and tells how
 * much of it the client has not taken yet. That count, not the size of `out`, is what holds the handler back.
 */
#include "io/http/http_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

xt_http_exchange *xt_http_exchange_new(xt_http_server *server, xt_http_conn *conn)
{
    xt_http_exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange)
        return NULL;
    exchange->server = server;
    exchange->conn = conn;
    atomic_init(&exchange->n_refs, 1);
    atomic_init(&exchange->cancelled, false);
    pthread_mutex_init(&exchange->lock, NULL);
    pthread_cond_init(&exchange->sent, NULL);
    return exchange;
}

xt_http_exchange *xt_http_exchange_ref(xt_http_exchange *exchange)
{
    atomic_fetch_add(&exchange->n_refs, 1);
    return exchange;
}

xt_http_exchange *xt_http_exchange_unref(xt_http_exchange *exchange)
{
    if (!exchange || atomic_fetch_sub(&exchange->n_refs, 1) > 1)
        return NULL;
    pthread_cond_destroy(&exchange->sent);
    pthread_mutex_destroy(&exchange->lock);
    atomic_fetch_sub(&exchange->server->n_bodies_bytes, exchange->n_counted);
    xt_buf_fini(&exchange->body);
    xt_buf_fini(&exchange->out);
    free(exchange->head_bytes);
    free(exchange);
    return NULL;
}

void xt_http_exchange_cancel(xt_http_exchange *exchange)
{
    pthread_mutex_lock(&exchange->lock);
    atomic_store(&exchange->cancelled, true);
    pthread_cond_broadcast(&exchange->sent);
    pthread_mutex_unlock(&exchange->lock);
}

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {{200, "OK"},
                   {201, "Created"},
                   {204, "No Content"},
                   {304, "Not Modified"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {406, "Not Acceptable"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {413, "Content Too Large"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {503, "Service Unavailable"},
                   {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < XT_COUNT_OF(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Answer";
}

void xt_http_answer_head(xt_buf *out, const char *fixed_headers, int status, const char *content_type,
                         const char *extra, bool chunked, bool close)
{
    char date[64];
    struct tm tm;
    time_t now = time(NULL);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    xt_buf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, reason_of(status), date);
    if (content_type)
        xt_buf_printf(out, "Content-Type: %s\r\n", content_type);
    xt_buf_puts(out, fixed_headers ? fixed_headers : "");
    xt_buf_puts(out, extra ? extra : "");
    if (chunked)
        xt_buf_puts(out, "Transfer-Encoding: chunked\r\n");
    if (close)
        xt_buf_puts(out, "Connection: close\r\n");
    xt_buf_puts(out, "\r\n");
}

/* With the lock held: the loop is to see what changed. */
static int hand_over(xt_http_exchange *exchange)
{
    xt_http_server_ready(exchange->server, exchange);
    return xt_buf_done(&exchange->out);
}

int xt_http_begin(xt_http_exchange *exchange, int status, const char *content_type, const char *extra)
{
    assert(!exchange->begun);
    const xt_http_head *head = &exchange->head;
    bool has_length = extra && xt_slice_find_nocase(xt_slice_str(extra), XT_S("content-length:")) >= 0;
    exchange->begun = true;
    exchange->no_body = strcmp(head->method, "HEAD") == 0 || status == 204 || status == 304;
    exchange->chunked = !exchange->no_body && !has_length && head->minor == 1;
    pthread_mutex_lock(&exchange->lock);
    exchange->close_after =
        exchange->is_asking || !head->keep_alive || (!has_length && !exchange->no_body && !exchange->chunked);
    size_t before = exchange->out.n;
    xt_http_answer_head(&exchange->out, exchange->server->settings.fixed_headers, status, content_type, extra,
                        exchange->chunked, exchange->close_after);
    exchange->n_unsent += exchange->out.n - before;
    int r = hand_over(exchange);
    pthread_mutex_unlock(&exchange->lock);
    return r;
}

static bool is_cancelled(const xt_http_exchange *exchange)
{
    return atomic_load(&exchange->cancelled);
}

int xt_http_write(xt_http_exchange *exchange, xt_slice bytes)
{
    assert(exchange->begun && !exchange->has_ended);
    int r = 0;
    pthread_mutex_lock(&exchange->lock);
    while (exchange->n_unsent > XT_HTTP_MAX_UNSENT && !is_cancelled(exchange))
        pthread_cond_wait(&exchange->sent, &exchange->lock);
    if (is_cancelled(exchange)) {
        r = -EPIPE; /* an ordinary end: no trace */
    } else if (bytes.n > 0 && !exchange->no_body) {
        size_t before = exchange->out.n;
        if (exchange->chunked)
            xt_buf_printf(&exchange->out, "%zx\r\n", bytes.n);
        xt_buf_put(&exchange->out, bytes);
        if (exchange->chunked)
            xt_buf_puts(&exchange->out, "\r\n");
        exchange->n_unsent += exchange->out.n - before;
        r = hand_over(exchange);
    }
    pthread_mutex_unlock(&exchange->lock);
    return r;
}

int xt_http_end_with(xt_http_exchange *exchange, const char *trailer)
{
    assert(exchange->begun && !exchange->has_ended);
    exchange->has_ended = true;
    pthread_mutex_lock(&exchange->lock);
    if (exchange->chunked)
        xt_buf_printf(&exchange->out, "0\r\n%s\r\n", trailer ? trailer : "");
    exchange->ended = true;
    int r = hand_over(exchange);
    pthread_mutex_unlock(&exchange->lock);
    return r;
}

int xt_http_end(xt_http_exchange *exchange)
{
    return xt_http_end_with(exchange, NULL);
}

static void abort_answer(xt_http_exchange *exchange)
{
    pthread_mutex_lock(&exchange->lock);
    exchange->aborted = true;
    (void)hand_over(exchange);
    pthread_mutex_unlock(&exchange->lock);
}

/* A handler that answered nothing. */
static bool answer_for_it(xt_http_exchange *exchange)
{
    return xt_http_begin(exchange, 500, NULL, "Content-Length: 0\r\n") == 0 && xt_http_end(exchange) == 0;
}

static void say_admitted(xt_http_exchange *exchange)
{
    exchange->is_asking = false;
    pthread_mutex_lock(&exchange->lock);
    exchange->admitted = true;
    (void)hand_over(exchange);
    pthread_mutex_unlock(&exchange->lock);
}

/* True: there is an end, or it goes on elsewhere. */
static bool run(xt_http_exchange *exchange)
{
    const xt_http_settings *settings = &exchange->server->settings;
    if (is_cancelled(exchange))
        return true;
    if (!exchange->is_asking) {
        settings->handle(settings->context, exchange);
    } else if (settings->admit(settings->context, exchange)) {
        say_admitted(exchange);
        return true;
    }
    return exchange->has_ended || (!exchange->begun && !is_cancelled(exchange) && answer_for_it(exchange));
}

void xt_http_exchange_run(xt_http_exchange *exchange)
{
    if (!run(exchange))
        abort_answer(exchange);
    xt_http_exchange_unref(exchange);
}

const char *xt_http_method(const xt_http_exchange *exchange)
{
    return exchange->head.method;
}

xt_slice xt_http_path(const xt_http_exchange *exchange)
{
    return exchange->head.path;
}

xt_slice xt_http_query(const xt_http_exchange *exchange)
{
    return exchange->head.query;
}

xt_slice xt_http_header(const xt_http_exchange *exchange, const char *name)
{
    return xt_http_head_find(&exchange->head, xt_slice_str(name));
}

ssize_t xt_http_read(xt_http_exchange *exchange, void *p, size_t n)
{
    xt_slice rest = xt_slice_head(xt_slice_skip(xt_buf_slice(&exchange->body), exchange->n_body_read), n);
    if (rest.n > 0)
        memcpy(p, rest.p, rest.n);
    exchange->n_body_read += rest.n;
    return (ssize_t)rest.n;
}

const atomic_bool *xt_http_cancelled(const xt_http_exchange *exchange)
{
    return &exchange->cancelled;
}

const void *xt_http_door(const xt_http_exchange *exchange)
{
    return exchange->door;
}

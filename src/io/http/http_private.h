/*
 * io/http/http_private - the inside of the HTTP door, for src/io/http alone
 *
 * Shape:     server -> listeners; server -> connections -> at most one exchange each; two pools of threads.
 * Threads:   connections, listeners and bufferevents belong to the loop. An exchange is shared: what stands below `lock` under
 *            its lock, `conn` by the loop alone, the rest by its handler. Workers hand it to the loop through
 *            server->ready and an eventfd; no libevent call is ever made by a worker.
 * Ownership: an exchange is counted: its connection, its handler and the ready list hold one each.
 */
#pragma once
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <pthread.h>

#include "io/http/http_head.h"
#include "io/http/http_server.h"

typedef struct xt_http_conn xt_http_conn;

struct xt_http_exchange {
    xt_http_server *server;
    const void *door;
    char *head_bytes;
    xt_http_head head;
    xt_buf body;
    size_t n_body_read;
    size_t n_counted;   /* of the server's n_bodies_bytes */
    xt_http_conn *conn; /* NULL: gone */
    bool is_asking;     /* a worker is to admit it, not to handle it: of whoever has it in hand */
    atomic_bool cancelled;
    atomic_uint n_refs;
    bool begun, chunked, no_body, has_ended; /* the handler's */
    xt_http_exchange *next_queued, *next_ready;

    pthread_mutex_t lock;
    pthread_cond_t sent;
    xt_buf out;      /* for the loop to take */
    size_t n_unsent; /* with what the loop has taken and the client has not */
    bool is_ready;   /* stands in server->ready */
    bool admitted;   /* its body may come */
    bool ended;
    bool close_after; /* the answer's end is the connection's end */
    bool aborted;     /* the handler left in the middle */
};

/* http_exchange.c */
xt_http_exchange *xt_http_exchange_new(xt_http_server *server, xt_http_conn *conn);
xt_http_exchange *xt_http_exchange_ref(xt_http_exchange *exchange);
xt_http_exchange *xt_http_exchange_unref(xt_http_exchange *exchange);
/* The client is gone, or the server goes. */
void xt_http_exchange_cancel(xt_http_exchange *exchange);
/* Runs the handler or asks `admit`, sees to it that there is an end, and gives the worker's reference up. */
void xt_http_exchange_run(xt_http_exchange *exchange);
/* Status line and header lines, the empty line too. length <0: unknown. */
void xt_http_answer_head(xt_buf *out, const char *fixed_headers, int status, const char *content_type,
                         const char *extra, bool chunked, bool close);

/* http_conn.c */
typedef struct xt_http_listener {
    xt_http_server *server;
    struct evconnlistener *listener;
    struct event *pause; /* out of descriptors: listen again a little later */
    SSL_CTX *tls;
    const void *door;
    char *unix_path;
    struct xt_http_listener *next;
} xt_http_listener;

#define XT_HTTP_HEAD_S 30 /* a head must be in within */

typedef enum xt_http_state {
    XT_HTTP_HEAD,
    XT_HTTP_ADMITTING, /* nothing is read until it is said whether the body may come */
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
    bool is_known; /* its request was admitted: others go first when there are too many */
    bool is_last;  /* the answer has its end, the connection too */
    bool answered; /* the whole answer is in the output buffer */
};

void xt_http_conn_accept(xt_http_listener *listener, int fd);
xt_http_conn *xt_http_conn_close(xt_http_conn *conn);
void xt_http_conn_timer(xt_http_conn *conn, time_t seconds);
/* Answers with an error of the door itself; the connection is closed behind it. */
void xt_http_conn_refuse(xt_http_conn *conn, int status, const char *sentence);
/* Passes on what an exchange has written. */
void xt_http_conn_flush(xt_http_conn *conn, xt_http_exchange *exchange);

/* http_read.c: takes what is in the input buffer as far as it goes. */
void xt_http_conn_read(xt_http_conn *conn);
/* The body of its request may come. */
void xt_http_conn_admitted(xt_http_conn *conn);

/* http_pool.c */
typedef struct xt_http_pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    xt_http_exchange *first, **last;
    unsigned n_threads, n_idle, n_waiting;
    unsigned max_threads, max_waiting;
    bool stop;
    pthread_t threads[XT_HTTP_MAX_STREAMS];
} xt_http_pool;

void xt_http_pool_init(xt_http_pool *pool, unsigned max_threads, unsigned max_waiting);
/* False: all are busy and as many wait as may. Takes the reference otherwise. */
bool xt_http_pool_push(xt_http_pool *pool, xt_http_exchange *exchange);
/* Lets go what waits, waits for what runs. */
void xt_http_pool_fini(xt_http_pool *pool);

struct xt_http_server {
    struct event_base *base;
    xt_http_settings settings;
    xt_http_listener *listeners;
    xt_http_conn *conns;
    size_t n_conns;
    xt_http_pool workers, streams;
    int wake_fd;
    struct event *wake;
    pthread_mutex_t ready_lock;
    xt_http_exchange *ready;
    atomic_size_t n_bodies_bytes; /* in memory */
};
/* From a handler: the loop is to look at this exchange. Called with its lock held. */
void xt_http_server_ready(xt_http_server *server, xt_http_exchange *exchange);

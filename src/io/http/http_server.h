/*
 * io/http/http_server - an HTTP/1.1 door on an event base
 *
 * Shape:     a server owns worker threads and any number of listeners (TCP, TLS, unix sockets). A request is read whole on the
 *            loop, handed to a worker, and answered from there in pieces that go back through the loop; requests
 *            that stay open (server-sent events) have threads of their own and cannot starve the others.
 * Bodies:    before a body is taken that is larger than XT_HTTP_SMALL_BODY_BYTES, or of unknown length, a worker asks `admit`
 *            whether it may come; meanwhile nothing is read. All bodies together are bounded: 429 above it.
 * Errors:    <0 errno; XT_HTTP_E_LISTEN with a problem: address unknown, in use, not allowed.
 * Ownership: an exchange is valid while its handler runs; what its getters return, too.
 * Threads:   new, listen and close on the loop's thread (or while the loop does not run); handlers on workers; the
 *            functions of an exchange on its handler's thread.
 * Signals:   the program ignores SIGPIPE (a peer may go while OpenSSL writes).
 * Gone:      a client that closes its connection, or its sending half, is gone: `cancelled` becomes true, writes
 *            answer -EPIPE. So does close of the server for every handler.
 * Limits:    XT_HTTP_MAX_*. A head must be in within 30 s, a body at 16 KiB/s at least; an answer that nobody takes for 30 s is
 *            given up, and so is a connection idle for 75 s; of too many connections the oldest that asks for nothing goes. What waits for a worker is bounded too: 503.
 * Source:    RFC 9110, RFC 9112.
 */
#pragma once
#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/problem.h"

#define XT_HTTP_MAX_HEAD_BYTES   (64u << 10)
#define XT_HTTP_MAX_BODY_BYTES   (32u << 20)
#define XT_HTTP_SMALL_BODY_BYTES (8u << 10)   /* is taken from anybody */
#define XT_HTTP_MAX_BODIES_BYTES (256u << 20) /* of all connections but those of unix sockets; more are answered 429 */
#define XT_HTTP_MAX_UNSENT       (1u << 20)   /* bytes of one answer in memory: write blocks above */
#define XT_HTTP_MAX_STREAMS      64           /* requests that stay open; more are answered 503 */
#define XT_HTTP_MAX_WAITING      256          /* requests that wait for a worker; more are answered 503 */
#define XT_HTTP_MAX_CONNECTIONS  1024

enum {
    XT_HTTP_E_LISTEN = 1,
};

typedef struct xt_http_server xt_http_server;
typedef struct xt_http_exchange xt_http_exchange; /* one request and its answer */

typedef struct xt_http_settings {
    /* Answers with begin, write and end; 500 is answered when it returns without a begin. May block. */
    void (*handle)(void *context, xt_http_exchange *exchange);
    /*
     * Whether the body, which is not there yet, may come. Not: the answer was begun and ended, as by handle; the connection is
     * closed behind it. On a worker; may block. NULL: all may.
     */
    bool (*admit)(void *context, xt_http_exchange *exchange);
    /* Whether the request will stay open; on the loop's thread, must not block. NULL: none does. */
    bool (*is_stream)(void *context, const xt_http_exchange *exchange);
    void *context;
    const char
        *fixed_headers; /* sent with every answer, those of the server itself too; lines ended by "\r\n"; or NULL */
    unsigned n_workers; /* 0: 8 */
    size_t max_bodies_bytes; /* 0: XT_HTTP_MAX_BODIES_BYTES */
} xt_http_settings;

XT_MUST_USE int xt_http_server_new(struct event_base *base, const xt_http_settings *settings, xt_http_server **ret);
/*
 * Listens on HOST:PORT ("127.0.0.1:8514", "[::1]:0"); port 0 takes a free one; *ret_port (may be NULL) is the one taken.
 * tls: borrowed until close, NULL: plain. door: handed to handlers by xt_http_door.
 */
XT_MUST_USE int xt_http_server_listen(xt_http_server *server, const char *address, SSL_CTX *tls, const void *door,
                                      int *ret_port, xt_problem *reterr_problem);
/* Listens on a socket file of mode 0600; what stands there from a dead server is replaced. */
XT_MUST_USE int xt_http_server_listen_unix(xt_http_server *server, const char *path, const void *door,
                                           xt_problem *reterr_problem);
/* Stops listening, cancels every handler, waits for them, removes socket files. Accepts NULL, returns NULL. */
xt_http_server *xt_http_server_close(xt_http_server *server);

/* The request. */
const char *xt_http_method(const xt_http_exchange *exchange);
xt_slice xt_http_path(const xt_http_exchange *exchange);  /* as sent, percent-encoded, without the query */
xt_slice xt_http_query(const xt_http_exchange *exchange); /* as sent, without the `?`; empty when there is none */
/* A header's value by name (any case); p NULL when it was not sent. */
xt_slice xt_http_header(const xt_http_exchange *exchange, const char *name);
/* The next bytes of the body: how many, 0 at its end. */
ssize_t xt_http_read(xt_http_exchange *exchange, void *p, size_t n);
const atomic_bool *xt_http_cancelled(const xt_http_exchange *exchange);
const void *xt_http_door(const xt_http_exchange *exchange);

/*
 * The answer. extra: more header lines, each ended by "\r\n", or NULL. Of Content-Length in it the length is trusted;
 * without it the answer is chunked. HEAD and 204, 304 have no body: what is written is left out.
 */
XT_MUST_USE int xt_http_begin(xt_http_exchange *exchange, int status, const char *content_type, const char *extra);
/* Blocks above XT_HTTP_MAX_UNSENT. -EPIPE: the client is gone. */
XT_MUST_USE int xt_http_write(xt_http_exchange *exchange, xt_slice bytes);
XT_MUST_USE int xt_http_end(xt_http_exchange *exchange);
/* The same with trailer lines, each ended by "\r\n"; left out where the answer is not chunked. */
XT_MUST_USE int xt_http_end_with(xt_http_exchange *exchange, const char *trailer);

/* Whether HOST:PORT names this machine alone; true where it is no such text: listening says what is wrong with it. */
bool xt_http_address_is_loopback(const char *address);

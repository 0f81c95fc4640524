/* server/syslog_private - the inside of the syslog door, for syslog_*.c alone; all of it belongs to the door's thread */
#pragma once
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>

#include "input/syslog_frame.h"
#include "server/intake.h"
#include "server/syslog_door.h"

typedef struct xt_syslog_conn {
    struct xt_syslog_conn *next, *previous;
    xt_syslog_door *door;
    struct bufferevent *bev;
    xt_syslog_framer framer;
    struct in6_addr peer; /* IPv4 mapped */
    char address[INET6_ADDRSTRLEN];
    bool is_ready;     /* the handshake is done */
    bool has_spoken;   /* a whole message came */
    int64_t opened_ms; /* monotonic, as all here */
    int64_t moved_ms;  /* when bytes came last */
} xt_syslog_conn;

struct xt_syslog_door {
    xt_app *app;
    xt_intake *intake;
    xt_networks networks;
    SSL_CTX *tls;
    struct event_base *base;
    pthread_t thread;
    bool runs;
    struct event *udp, *timer, *resume, *ending;
    struct evconnlistener *tcp, *tls_listener;
    int wake_fd, port, tls_port;
    xt_syslog_conn *conns;
    struct xt_syslog_datagrams *datagrams;
    uint32_t overflowed; /* as the kernel last said */
    bool is_paused;
    int64_t told_ms; /* of connections too many */
    pthread_mutex_t lock;
    xt_syslog_stats stats; /* under the lock */
};

/* Gives a message to the intake; address: who sent it, where it does not say itself. <0. */
XT_MUST_USE int xt_syslog_take(xt_syslog_door *door, xt_slice message, const char *address, bool is_cut);
/* Stops reading until the intake has room. */
void xt_syslog_pause(xt_syslog_door *door);
/* syslog_conn.c: an accepted connection, TLS or not. Takes the descriptor. */
void xt_syslog_conn_open(xt_syslog_door *door, evutil_socket_t fd, const struct sockaddr *peer, bool is_tls);
void xt_syslog_conn_close(xt_syslog_conn *conn);
/* Goes on with what was left in its buffer. */
void xt_syslog_conn_resume(xt_syslog_conn *conn);
void xt_syslog_conns_sweep(xt_syslog_door *door);

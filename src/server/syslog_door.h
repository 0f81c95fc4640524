/*
 * server/syslog_door - hosts that send their audit records as syslog: UDP, TCP, TLS
 *
 * Shape:     a thread and an event loop of its own, so that decoding never holds up the agents' and the page's doors. UDP and TCP share
 *            a port; TLS has its own. Messages become lines of the intake (server/intake).
 * Who:       only addresses in `networks` are heard; with a client CA a TLS sender must also have a certificate of it.
 * Loss:      syslog acknowledges nothing. When the intake is full, TCP and TLS are not read, so that senders that can wait do; UDP
 *            overflows in the kernel, which is counted. What is lost on the way of UDP nobody can see.
 * Errors:    <0 errno; XT_SYSLOG_E_LISTEN with a problem.
 * Threads:   open and close on any one thread; the app must outlive the door.
 * Limits:    XT_SYSLOG_MAX_MESSAGE a message; XT_SYSLOG_CONNECTIONS, of one address XT_SYSLOG_FROM_ONE. A TLS handshake has
 *            10 s; a message that does not get on for a minute ends its connection; who has shown no certificate and sent no message
 *            within 5 minutes is closed. Where there is one too many, of all or of its address, the oldest goes whose handshake is not
 *            done, else the oldest that has sent nothing, else who was silent for longest, 10 minutes at least; else the new one.
 * Source:    RFC 5424, 5425, 5426, 6587, 3164.
 */
#pragma once
#include "input/networks.h"
#include "server/app.h"

#define XT_SYSLOG_CONNECTIONS 1024
#define XT_SYSLOG_FROM_ONE    128

enum {
    XT_SYSLOG_E_LISTEN = 1,
};

typedef struct xt_syslog_settings {
    const char *address;     /* HOST:PORT for UDP and TCP, port 0 takes a free one; NULL: none */
    const char *tls_address; /* HOST:PORT for TLS; NULL: none */
    const char *from;        /* networks (input/networks); NULL: this machine alone */
    const char *ca_file;     /* PEM: senders over TLS must show a certificate of it; NULL: none is asked for */
} xt_syslog_settings;

typedef struct xt_syslog_stats {
    uint64_t n_messages, n_bytes;
    uint64_t n_cut;         /* messages longer than XT_SYSLOG_MAX_MESSAGE, or cut by their connection's end */
    uint64_t n_overflowed;  /* datagrams that the socket had no room for, told by the kernel */
    uint64_t n_strangers;   /* datagrams and connections from elsewhere */
    uint64_t n_refused;     /* connections too many, mute, or that did not get on */
    uint64_t n_connections; /* open now */
} xt_syslog_stats;

typedef struct xt_syslog_door xt_syslog_door;
XT_MUST_USE int xt_syslog_door_open(xt_app *app, const xt_syslog_settings *settings, xt_syslog_door **ret,
                                    xt_problem *reterr_problem);
int xt_syslog_door_port(const xt_syslog_door *door);
int xt_syslog_door_tls_port(const xt_syslog_door *door);
/* Of the door that is open, zeros without one. */
xt_syslog_stats xt_app_syslog_stats(xt_app *app);
xt_syslog_door *xt_syslog_door_close(xt_syslog_door *door); /* accepts NULL, returns NULL */

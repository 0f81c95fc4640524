/*
 * server/forward_sink - where a forward's messages go: syslog, HTTP, a file
 *
 * Shape:     send hands a batch over; settle makes sure of all that was handed over since the last time. Nothing is connected or opened
 *            before the first send. After XT_SINK_E_AWAY the sink is closed, and what was not settled has to be sent again.
 * Settled:   HTTP: by its answer. A file: written and synced. TCP and TLS: our side is shut, and the receiver closes its own after it
 *            has read to the end (a receiver that went away before that resets the connection); the next send connects
 *            anew. UDP: nobody says; a refusal by ICMP is noticed.
 * Errors:    XT_SINK_E_AWAY with a problem, in which nothing of a secret stands; <0 memory.
 * Threads:   one at a time.
 * Limits:    10 s to connect, 30 s without getting on, 10 s for the receiver to close.
 */
#pragma once
#include <stdatomic.h>

#include "io/vfs.h"
#include "server/forward_form.h"

enum {
    XT_SINK_E_AWAY = 1, /* not taken, or not surely: again later */
};

typedef enum xt_forward_kind {
    XT_FORWARD_UDP,  /* syslog+udp://HOST:PORT */
    XT_FORWARD_TCP,  /* syslog+tcp://HOST:PORT */
    XT_FORWARD_TLS,  /* syslog+tls://HOST:PORT */
    XT_FORWARD_HTTP, /* http://... or https://... */
    XT_FORWARD_ES,   /* the same, the address of a _bulk endpoint */
    XT_FORWARD_FILE, /* file:PATH */
} xt_forward_kind;

typedef struct xt_sink_settings {
    xt_forward_kind kind;
    const char *target;                     /* all are copied */
    const char *ca, *cert, *key;            /* files, NULL: none */
    const char *bearer_file, *headers_file; /* of HTTP */
    bool gzip;
    uint64_t rotate_bytes; /* of a file; 0: never */
    unsigned n_keep;       /* rotated files that stay */
    const atomic_bool *stops;
    const xt_vfs *vfs; /* NULL: the system's */
} xt_sink_settings;

typedef struct xt_sink xt_sink;
struct xt_sink {
    int (*send)(xt_sink *sink, const xt_forward_batch *batch, xt_problem *reterr_problem);
    int (*settle)(xt_sink *sink, xt_problem *reterr_problem); /* NULL: what was sent is settled */
    void (*free)(xt_sink *sink);
    uint64_t n_refused; /* messages that the target will never take */
    char refusal[120];  /* why, of the last */
};

/* What a target's address means. XT_APP_E_INVALID with a problem. */
XT_MUST_USE int xt_sink_kind_of(const char *target, bool bulk, xt_forward_kind *ret, xt_problem *reterr_problem);
XT_MUST_USE int xt_sink_new(const xt_sink_settings *settings, xt_sink **ret);
xt_sink *xt_sink_free(xt_sink *sink); /* accepts NULL, returns NULL */

/* The makers of each. */
XT_MUST_USE int xt_sink_syslog_new(const xt_sink_settings *settings, xt_sink **ret);
XT_MUST_USE int xt_sink_http_new(const xt_sink_settings *settings, xt_sink **ret);
XT_MUST_USE int xt_sink_file_new(const xt_sink_settings *settings, xt_sink **ret);

/* HOST:PORT or [ADDRESS]:PORT of a syslog target, cut from it; false: it is none. */
bool xt_sink_host_port(const char *target, char *host, size_t n_host, char *port, size_t n_port);
/* The path of file:PATH and file:///PATH. */
const char *xt_sink_path(const char *target);

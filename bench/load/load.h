/*
 * bench/load/load - a fleet's agents in one process, to load a server's socket
 *
 * Shape:     enroll gives every host a key and a certificate, kept as DIR/NAME.pem (key, then certificate) and DIR/ca.pem, and
 *            prints NAME ID lines that bench-generate takes. send opens one TLS connection a host and sends the host's
 *            batches of a file that bench-generate made, as fast as the server's window lets it, until all are
 *            acknowledged.
 * Errors:    <0 errno with a problem.
 * Threads:   one.
 */
#pragma once
#include "io/tls.h"
#include "wire/frame.h"
#include "wire/message.h"

typedef struct xt_load_settings {
    const char *host, *port; /* of the server */
    const char *token;       /* enroll */
    const char *dir;
    const char *file;  /* send: the batches */
    const char *names; /* send: the NAME ID lines, NUL-ended; enroll: NAME lines */
} xt_load_settings;

XT_MUST_USE int xt_load_enroll(const xt_load_settings *settings, xt_problem *reterr_problem);
/* Prints what was sent and how long it took, as JSON. */
XT_MUST_USE int xt_load_send(const xt_load_settings *settings, xt_problem *reterr_problem);

/* A whole file. */
XT_MUST_USE int xt_load_read(const char *path, xt_buf *out, xt_problem *reterr_problem);
/* A connected socket. */
XT_MUST_USE int xt_load_connect(const xt_load_settings *settings, int *ret_fd, xt_problem *reterr_problem);

/*
 * agent/audisp_socket - auditd's af_unix socket, again and again
 *
 * Shape:     connects where auditd's af_unix plugin listens, and again when auditd went away.
 * Errors:    read: XT_AUDISP_SOCKET_E_LOST: the connection is gone, and the stream is at its beginning again; the next
 *            attempt comes by itself. connect: XT_AUDISP_SOCKET_E_ABSENT with a problem.
 * Threads:   one at a time; nothing waits.
 * Limits:    one client at a time is served by auditd: a second one waits in its queue and gets nothing.
 */
#pragma once
#include "agent/audisp_stream.h"

#define XT_AUDISP_RETRY_MS 500

enum {
    XT_AUDISP_SOCKET_E_LOST = 1,
    XT_AUDISP_SOCKET_E_ABSENT = 2,
};

typedef struct xt_audisp_socket {
    const char *path; /* NULL: where auditd has it by default */
    int fd;           /* -1: not connected */
    int64_t retry_ms; /* monotonic: not before */
    uint64_t n_connected;
    xt_audisp_stream stream;
} xt_audisp_socket;

void xt_audisp_socket_init(xt_audisp_socket *s, const char *path);
void xt_audisp_socket_fini(xt_audisp_socket *s);
/* 0: connected. Only what belongs to root is spoken with: anybody else's socket could make up records. */
XT_MUST_USE int xt_audisp_socket_connect(xt_audisp_socket *s, int64_t now_ms, xt_problem *reterr_problem);
/* Takes what is there, up to 1 MiB. */
XT_MUST_USE int xt_audisp_socket_read(xt_audisp_socket *s, const xt_audisp_calls *calls, int64_t now_ms,
                                      xt_problem *reterr_problem);

/*
 * agent/helper - the process that uses the host's libraries: names of users and groups, addresses of servers
 *
 * Shape:     clients ask over sequenced-packet sockets, one datagram a question and one an answer, told apart by number:
 *            u8 kind, u32 number, data. XT_HELPER_ADDRESS: "HOST" NUL "PORT", answered by u8 length and sockaddr each.
 *            XT_HELPER_CANARY: a word, answered by the u32 pid that executed this program with it (agent/canary).
 * Errors:    an answer without data: there is no such thing.
 * Threads:   each client one at a time.
 */
#pragma once
#include "base/buf.h"

#define XT_HELPER_MAX_BYTES 2048

typedef enum xt_helper_kind {
    XT_HELPER_USER = 'u',
    XT_HELPER_GROUP = 'g',
    XT_HELPER_ADDRESS = 'a',
    XT_HELPER_CANARY = 'c',
} xt_helper_kind;

/* The process itself: answers until all of the n sockets are closed. */
void xt_helper_run(const int *fds, size_t n);

typedef struct xt_helper_answer {
    xt_helper_kind kind;
    uint32_t number;
    xt_slice data;
    char bytes[XT_HELPER_MAX_BYTES];
} xt_helper_answer;

XT_MUST_USE int xt_helper_ask(int fd, xt_helper_kind kind, uint32_t number, xt_slice data);
/* The next answer within timeout_ms (0: what is there); -EAGAIN when none came, -EPIPE when the helper is gone. */
XT_MUST_USE int xt_helper_take(int fd, int timeout_ms, xt_helper_answer *ret);

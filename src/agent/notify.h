/*
 * agent/notify - words to the service manager that started the agent
 *
 * Shape:     one datagram a message of NAME=value lines to the socket that NOTIFY_SOCKET names. Without one every call
 *            does nothing and says 0.
 * Errors:    <0 errno; a manager that does not listen is hardly waited for (-EAGAIN after 20 ms).
 * Threads:   one at a time.
 * Source:    sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3) of systemd.
 */
#pragma once
#include <stdint.h>

#include "base/error.h"

typedef struct xt_notify {
    int fd;              /* -1: nobody is to be told */
    int64_t watchdog_ms; /* within which the manager wants to hear WATCHDOG=1; 0: it does not */
} xt_notify;

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and takes them out of the environment. */
XT_MUST_USE int xt_notify_open(xt_notify *ret);
void xt_notify_close(xt_notify *notify);
int xt_notify_say(const xt_notify *notify, const char *format, ...) XT_PRINTF(2, 3);
/* The manager keeps a copy of fd under that name until it is told to drop it, and gives it to the next start. */
XT_MUST_USE int xt_notify_store(const xt_notify *notify, const char *name, int fd);
/* Until the manager has read all that was said, at most timeout_ms. */
void xt_notify_wait(const xt_notify *notify, int timeout_ms);

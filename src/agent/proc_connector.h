/*
 * agent/proc_connector - the kernel's process connector, a second witness beside audit
 *
 * Shape:     one object is one NETLINK_CONNECTOR socket that is subscribed to CN_IDX_PROC.
 * Errors:    XT_PROC_CONNECTOR_E_ABSENT with a problem: no connector in this kernel, no CAP_NET_ADMIN, or not in the
 *            first pid, user and network namespace. What the socket had no room for is not told by it (the kernel's
 *            numbers in the messages tell, see agent/witness). Datagrams that are not the kernel's are dropped.
 * Threads:   one at a time; listen may be called beside receive.
 * Limits:    nothing is filtered in the kernel: the per-cpu numbers count what was filtered too, and a hole could not be
 *            told from a loss.
 * Source:    connector.rst; drivers/connector/cn_proc.c.
 */
#pragma once
#include "audit/netlink.h"

#define XT_PROC_CONNECTOR_TYPE 1 /* of its messages, below every type of an audit record */

enum {
    XT_PROC_CONNECTOR_E_ABSENT = 1,
};

typedef struct xt_proc_connector xt_proc_connector;

/* Subscribes, and waits for the kernel's answer; buffer_bytes: of the socket, the kernel lets twice as many wait. */
XT_MUST_USE int xt_proc_connector_open(size_t buffer_bytes, xt_proc_connector **ret, xt_problem *reterr_problem);
/* One that an earlier process opened and that listens since; fd is taken. */
XT_MUST_USE int xt_proc_connector_adopt(int fd, xt_proc_connector **ret);
xt_proc_connector *xt_proc_connector_close(xt_proc_connector *connector); /* accepts NULL, returns NULL */
int xt_proc_connector_fd(const xt_proc_connector *connector);
/* Subscribes again: somebody may have ended what older kernels count for all listeners together. */
XT_MUST_USE int xt_proc_connector_listen(xt_proc_connector *connector);
/* Takes what is there, up to XT_NETLINK_BATCH messages, and never waits; payloads are borrowed until the next receive. */
size_t xt_proc_connector_receive(xt_proc_connector *connector, const xt_netlink_message **ret_messages);

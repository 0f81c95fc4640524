/*
 * audit/netlink - the kernel's audit socket
 *
 * Shape:     one object is one NETLINK_AUDIT socket: for control (status, rules), as the owner that receives
 *            every record (unicast), or as a listener (multicast, best effort).
 * Errors:    <0 errno as the kernel gave it. XT_NETLINK_E_DENIED (no capability, or not the first pid or user
 *            namespace), XT_NETLINK_E_OWNED (another process owns it: status.pid says which), XT_NETLINK_E_IMMUTABLE
 *            (enabled is 2), XT_NETLINK_E_ABSENT (kernel without audit), each with a problem that says what to do.
 * Threads:   one at a time per socket.
 * Source:    linux/audit.h, kernel/audit.c. nlmsg_len of unicast records leaves out the header: the received length
 *            counts. Datagrams whose sender's nl_pid is not 0 are forged and are dropped and counted.
 */
#pragma once
#include <linux/audit.h>

#include "base/problem.h"

enum {
    XT_NETLINK_E_DENIED = 1,
    XT_NETLINK_E_OWNED = 2,
    XT_NETLINK_E_IMMUTABLE = 3,
    XT_NETLINK_E_ABSENT = 4,
    XT_NETLINK_E_EXISTS = 5,  /* add_rule: the same rule is there */
    XT_NETLINK_E_UNKNOWN = 6, /* delete_rule: no such rule */
};

/* One audit_status, with what an older kernel left out set to 0. */
typedef struct xt_audit_status {
    uint32_t enabled; /* 0 off, 1 on, 2 immutable */
    uint32_t failure, pid, rate_limit, backlog_limit, lost, backlog, features;
    uint32_t backlog_wait_time, backlog_wait_time_actual; /* in the kernel's jiffies */
} xt_audit_status;

typedef struct xt_netlink xt_netlink;

XT_MUST_USE int xt_netlink_open(xt_netlink **ret, xt_problem *reterr_problem);
/* Joins AUDIT_NLGRP_READLOG. */
XT_MUST_USE int xt_netlink_open_multicast(xt_netlink **ret, xt_problem *reterr_problem);
xt_netlink *xt_netlink_close(xt_netlink *nl); /* accepts NULL, returns NULL */
/* One that an earlier process opened, and told the kernel of; fd is taken. */
XT_MUST_USE int xt_netlink_adopt(int fd, xt_netlink **ret);
int xt_netlink_fd(const xt_netlink *nl);

XT_MUST_USE int xt_netlink_status_get(xt_netlink *nl, xt_audit_status *ret, xt_problem *reterr_problem);
/* mask: AUDIT_STATUS_ENABLED | _PID | _BACKLOG_LIMIT | _BACKLOG_WAIT_TIME | ...; the fields it names are set. */
XT_MUST_USE int xt_netlink_status_set(xt_netlink *nl, uint32_t mask, const xt_audit_status *status,
                                      xt_problem *reterr_problem);
/*
 * Become the owner (pid) / stop being it (pid 0; what waits in the socket can still be received). The receive buffer
 * is raised with SO_RCVBUFFORCE, NETLINK_NO_ENOBUFS set. As the owner, ask for status and rules on another socket.
 */
XT_MUST_USE int xt_netlink_own(xt_netlink *nl, xt_problem *reterr_problem);
/* Asks to become the owner again and does not wait for the answer (status tells it): may be called beside receive. */
XT_MUST_USE int xt_netlink_own_again(xt_netlink *nl);
XT_MUST_USE int xt_netlink_disown(xt_netlink *nl, xt_problem *reterr_problem);

/* Sets the receive buffer (SO_RCVBUFFORCE, else what the system allows); the kernel lets twice as many bytes wait. */
void xt_netlink_buffer_set(xt_netlink *nl, size_t n_bytes);

/* Calls `each` for every loaded rule; rule is valid during the call. */
typedef void (*xt_netlink_rule_fn)(void *context, const struct audit_rule_data *rule, size_t n_bytes);
XT_MUST_USE int xt_netlink_rules_list(xt_netlink *nl, xt_netlink_rule_fn each, void *context,
                                      xt_problem *reterr_problem);
XT_MUST_USE int xt_netlink_rule_add(xt_netlink *nl, const struct audit_rule_data *rule, size_t n_bytes,
                                    xt_problem *reterr_problem);
XT_MUST_USE int xt_netlink_rule_delete(xt_netlink *nl, const struct audit_rule_data *rule, size_t n_bytes,
                                       xt_problem *reterr_problem);

/* One datagram: type, and payload behind the header, borrowed from the socket's buffers until the next receive. */
typedef struct xt_netlink_message {
    uint16_t type;
    xt_slice payload;
} xt_netlink_message;
#define XT_NETLINK_BATCH 64

typedef struct xt_netlink_counters {
    uint64_t n_messages, n_bytes, n_truncated, n_forged;
    uint64_t n_control;  /* ACK, REPLACE and such */
    uint64_t n_overruns; /* ENOBUFS: a listener was too slow and records are lost; never on the owner's socket */
} xt_netlink_counters;

/*
 * Takes up to XT_NETLINK_BATCH records with one recvmmsg, waiting at most timeout_ms (-1: for ever, 0: not) for the
 * first. *ret_n 0: nothing came, or a signal did. Control messages are consumed; AUDIT_REPLACE (the kernel asks whether
 * the owner lives) needs no answer: that it could be delivered is one.
 */
XT_MUST_USE int xt_netlink_receive(xt_netlink *nl, int timeout_ms, const xt_netlink_message **ret_messages,
                                   size_t *ret_n, xt_problem *reterr_problem);
xt_netlink_counters xt_netlink_counters_get(const xt_netlink *nl);

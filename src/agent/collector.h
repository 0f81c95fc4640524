/*
 * agent/collector - the process with root's rights: the kernel's records become events, events go to the shipper
 *
 * Shape:     one loop over records (the receiver's ring or standard input), the shipper, signals and a heartbeat.
 * Errors:    the return value is the process's exit status: 0 when it was told to end, 1 with a line in the log.
 */
#pragma once
#include <sys/types.h>

#include "agent/agent_settings.h"
#include "agent/handover.h"
#include "agent/notify.h"

typedef struct xt_collector_family {
    pid_t shipper, helper, digester;                   /* 0: there is none */
    int shipper_fd, helper_fd, canary_fd, digester_fd; /* -1: there is none */
    xt_notify notify;
    xt_handover inherited; /* from the agent before this one */
} xt_collector_family;

/* Takes what was inherited. */
XT_MUST_USE int xt_collector_run(const xt_agent_settings *settings, const xt_collector_family *family);

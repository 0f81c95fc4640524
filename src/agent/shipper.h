/*
 * agent/shipper - the process that speaks with the server: spool, TLS, acknowledgements
 *
 * Shape:     events come from the collector over a channel, stand in the spool, go to the server, and leave the spool when
 *            the server says they are durable. It has no privilege and needs none to connect again.
 * Format:    its files are relative to the working folder: see agent/identity, and spool/.
 * Errors:    the return value is the process's exit status: 0 done, 1 with a line in the log.
 */
#pragma once
#include "agent/agent_settings.h"

XT_MUST_USE int xt_shipper_run(const xt_agent_settings *settings, int collector_fd, int helper_fd);

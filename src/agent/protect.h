/*
 * agent/protect - whose side the agent takes when records come faster than they go: the host's or the record's
 *
 * Shape:     host: an exec never waits for audit; what finds no room is lost, and said. record: an exec waits, within a
 *            bound, and the sockets hold far more. Both are settings of the kernel for as long as the agent watches.
 * Units:     wait_ticks in the kernel's ticks, for each record: an exec has about seven of them. Bytes as setsockopt takes them:
 *            the kernel allows twice as many, counts a record of audit with about 1,000 and a message of the connector with
 *            about 800, and takes memory only while something waits.
 * Limits:    of the host's memory, so that an agent that stands still does not take a small host's.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum xt_protect { XT_PROTECT_HOST, XT_PROTECT_RECORD } xt_protect;

typedef struct xt_protect_limits {
    uint32_t backlog_limit, wait_ticks;
    size_t audit_bytes, connector_bytes; /* of the receive buffers */
} xt_protect_limits;

const char *xt_protect_name(xt_protect protect);
/* For this host: its memory and the length of its kernel's tick are asked. */
xt_protect_limits xt_protect_limits_get(xt_protect protect);
/* The same, for a host with that memory and tick. */
xt_protect_limits xt_protect_limits_of(xt_protect protect, uint64_t memory_bytes, uint32_t ticks_per_second);

/*
 * wire/message - the payloads of frames
 *
 * Errors:    decode: XT_MESSAGE_E_CORRUPT with a problem.
 * Ownership: slices of a decoded message point into the payload.
 */
#pragma once
#include "base/problem.h"

enum {
    XT_MESSAGE_E_CORRUPT = 1,
};

/* First frame of a host that has a token and no certificate yet. */
typedef struct xt_enroll {
    uint64_t version;
    xt_slice secret;  /* the token's secret part */
    xt_slice csr_der; /* PKCS#10, key made on the host, P-256 */
    xt_slice host_name, machine_id, os;
} xt_enroll;
typedef struct xt_enrolled {
    xt_slice host_id; /* 32 hex digits */
    xt_slice cert_pem, ca_pem;
} xt_enrolled;

/* First frame over mutual TLS. The host id is the certificate's; the one here must equal it. */
typedef struct xt_hello {
    uint64_t version;
    xt_slice host_id, host_name, boot_id, agent_version, os;
    xt_hash128 stream;     /* the spool's */
    uint64_t dictionary;   /* id of the compression dictionary the agent has, 0 none */
    xt_slice audit_mode;   /* owner, plugin, multicast */
    xt_slice completeness; /* what that mode can claim, one sentence */
} xt_hello;
typedef struct xt_welcome {
    uint64_t version;
    uint64_t number;     /* last batch of this stream that is durable here, 0 none */
    xt_hash128 hash;     /* and its hash */
    uint64_t dictionary; /* id to use, 0 none */
    uint64_t window;     /* batches that may be unacknowledged at once */
} xt_welcome;

/* Everything up to this number of the stream is durable. */
typedef struct xt_ack {
    uint64_t number;
} xt_ack;

typedef enum xt_refusal {
    XT_REFUSED_TOKEN_UNKNOWN = 1,
    XT_REFUSED_TOKEN_EXPIRED = 2,
    XT_REFUSED_TOKEN_USED = 3,
    XT_REFUSED_REVOKED = 4,
    XT_REFUSED_VERSION = 5,
    XT_REFUSED_GAP = 6, /* a batch is missing before this one: say hello again */
    XT_REFUSED_CORRUPT = 7,
    XT_REFUSED_BUSY = 8,     /* come back after retry_ms */
    XT_REFUSED_IDENTITY = 9, /* certificate and hello disagree */
} xt_refusal;
typedef struct xt_refused {
    uint64_t reason;   /* xt_refusal */
    uint64_t retry_ms; /* 0: do not come back by yourself */
    xt_slice sentence; /* for the log: what, and what to do */
} xt_refused;

/* Every few seconds, and at once when something changes. */
typedef struct xt_heartbeat {
    uint64_t time_ms;
    uint64_t enabled, audit_pid, failure, lost, backlog, backlog_limit, backlog_wait_time, backlog_wait_time_actual;
    uint64_t lost_since_start;    /* kernel's lost less what it was when the agent began */
    uint64_t n_events, n_batches; /* made since start */
    uint64_t spool_batches, spool_bytes, spool_dropped_events;
    uint64_t n_truncated, n_forged, n_unparsed;
    uint64_t cpu_us, rss_bytes; /* of all the agent's processes */
    xt_slice rules_hash;        /* hex, of the loaded rules */
    xt_slice audit_mode, completeness;
    xt_slice blind; /* rules of others that hide execs, one a line; empty: none */
} xt_heartbeat;

void xt_enroll_put(xt_buf *out, const xt_enroll *m);
XT_MUST_USE int xt_enroll_decode(xt_slice payload, xt_enroll *ret, xt_problem *reterr_problem);
void xt_enrolled_put(xt_buf *out, const xt_enrolled *m);
XT_MUST_USE int xt_enrolled_decode(xt_slice payload, xt_enrolled *ret, xt_problem *reterr_problem);
void xt_hello_put(xt_buf *out, const xt_hello *m);
XT_MUST_USE int xt_hello_decode(xt_slice payload, xt_hello *ret, xt_problem *reterr_problem);
void xt_welcome_put(xt_buf *out, const xt_welcome *m);
XT_MUST_USE int xt_welcome_decode(xt_slice payload, xt_welcome *ret, xt_problem *reterr_problem);
void xt_ack_put(xt_buf *out, const xt_ack *m);
XT_MUST_USE int xt_ack_decode(xt_slice payload, xt_ack *ret, xt_problem *reterr_problem);
void xt_refused_put(xt_buf *out, const xt_refused *m);
XT_MUST_USE int xt_refused_decode(xt_slice payload, xt_refused *ret, xt_problem *reterr_problem);
void xt_heartbeat_put(xt_buf *out, const xt_heartbeat *m);
XT_MUST_USE int xt_heartbeat_decode(xt_slice payload, xt_heartbeat *ret, xt_problem *reterr_problem);

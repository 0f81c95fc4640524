/*
 * wire/message - the payloads of frames
 *
 * Shape:     messages grow at their end alone. What stands behind "later" in a list was added after version 1 of the protocol: a
 *            peer that does not send it yet is understood, and its members are 0 and empty.
 * Errors:    decode: XT_MESSAGE_E_CORRUPT with a problem.
 * Ownership: slices of a decoded message point into the payload.
 */
#pragma once
#include "base/problem.h"
#include "wire/refusal.h"

enum {
    XT_MESSAGE_E_CORRUPT = 1,
};

/* First frame of a host that has a token and no certificate yet. */
typedef struct xt_enroll {
    uint64_t version;
    xt_slice secret;  /* the token's secret part */
    xt_slice csr_der; /* PKCS#10, key made on the host, P-256 */
    xt_slice host_name, machine_id, os;
    /* later */
    xt_slice
        host_id; /* who it was before, when its certificate is of no use any more and its key is the same; else empty */
} xt_enroll;
typedef struct xt_enrolled {
    xt_slice host_id;          /* 32 hex digits */
    xt_slice cert_pem, ca_pem; /* ca_pem: all CAs that are trusted, the first is the one of the server's certificate */
} xt_enrolled;

/* First frame over mutual TLS. The host id is the certificate's; the one here must equal it. */
typedef struct xt_hello {
    uint64_t version;
    xt_slice host_id, host_name, boot_id, agent_version, os;
    xt_hash128 stream;     /* the spool's */
    uint64_t dictionary;   /* id of the compression dictionary the agent has, 0 none */
    xt_slice audit_mode;   /* owner, plugin, multicast */
    xt_slice completeness; /* what that mode can claim, one sentence */
    /* later */
    uint64_t features; /* XT_FEATURE_... of the agent */
    xt_slice machine_id;
    uint64_t clock_ms; /* wall time of the host when this was sent */
    uint64_t trust;    /* xt_slice_hash of the bundle of CAs that it trusts */
} xt_hello;
typedef struct xt_welcome {
    uint64_t version;
    uint64_t number;     /* last batch of this stream that is durable here, 0 none */
    xt_hash128 hash;     /* and its hash */
    uint64_t dictionary; /* id to use, 0 none */
    uint64_t window;     /* batches that may be unacknowledged at once */
    /* later */
    uint64_t features; /* XT_FEATURE_... of the server */
    /* later still */
    uint64_t gather_ms; /* as in xt_ack */
} xt_welcome;

/* The longest that an agent gathers events beyond what it does by itself, whatever a server asks for. */
#define XT_GATHER_MAX_MS 1000

/* A peer that does not say that it knows a message is not sent it. */
enum {
    XT_FEATURE_RENEWAL = 1, /* RENEW, RENEWED and TRUST */
    XT_FEATURE_POLICY = 2,  /* POLICY and POLICY_STATE */
    XT_FEATURE_SHORT = 4,   /* BATCH_SHORT and HEARTBEAT_SHORT */
};

/* A certificate for a new key, asked for over a welcomed connection. */
typedef struct xt_renew {
    xt_slice csr_der;
} xt_renew;
typedef struct xt_renewed {
    xt_slice cert_pem;
} xt_renewed;
/* The CAs that are trusted from now on, signed by those that may vouch for them (io/tls_trust.h). */
typedef struct xt_trust {
    xt_slice ca_pem;
    xt_slice signature, signature2; /* the second may be empty */
    uint64_t renew;                 /* 1: the host's certificate should be renewed now */
    uint64_t spread_ms;             /* each host waits a random part of it before */
} xt_trust;

/* What the host is to do, signed (wire/policy_order.h), with the CAs that are trusted and who vouches for them. */
typedef struct xt_policy_message {
    xt_slice order, signature;
    xt_slice ca_pem;
    xt_slice vouch, vouch2; /* signatures of ca_pem, as in xt_trust */
} xt_policy_message;
/* What became of the last order; said after each welcome and when it changes. */
typedef struct xt_policy_state {
    uint64_t serial;          /* of that order; 0: there is none */
    uint64_t outcome;         /* xt_policy_outcome */
    uint64_t paused_until_ms; /* by the host's clock; 0: it is not paused */
    xt_slice sentence;        /* why it was refused */
} xt_policy_state;
typedef enum xt_policy_outcome {
    XT_POLICY_NONE,
    XT_POLICY_APPLIED,
    XT_POLICY_REFUSED, /* by the agent, or by the kernel: everything is as it was before */
    XT_POLICY_PINNED,  /* the host's own settings do not let the server decide all of it; the rest is applied */
} xt_policy_outcome;
/* The signed bytes: what one host is to do, all of it. */
typedef struct xt_policy_order {
    xt_slice magic; /* XT_POLICY_MAGIC */
    xt_slice host_id;
    uint64_t serial; /* greater with each order of that host: an older one is never taken again */
    uint64_t made_ms;
    xt_slice name; /* of the policy, and its version; empty: there is none (any more) */
    uint64_t version;
    xt_slice text;     /* audit/policy.h */
    uint64_t pause_ms; /* from made_ms on; 0: no pause */
    xt_slice who, why; /* of the pause */
} xt_policy_order;

/* Everything up to this number of the stream is durable. */
typedef struct xt_ack {
    uint64_t number;
    /* later */
    uint64_t
        gather_ms; /* for how long the agent should gather events before it makes a batch of them; 0: as it likes */
} xt_ack;

typedef struct xt_refused {
    uint64_t reason;   /* xt_refusal (wire/refusal.h) */
    uint64_t retry_ms; /* not before; 0: nothing is said */
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
    /* later */
    uint64_t sent_ms; /* wall time of the host when this was sent; time_ms is when it was measured */
    /* later still; times that count back from the sending, by no clock that can be set (server/coverage.h) */
    uint64_t state;       /* xt_beat_state */
    uint64_t process;     /* random, another one for each start of the agent */
    uint64_t run;         /* random, another one for each time of watching without a break; 0: nobody watches */
    uint64_t unbroken_ms; /* how long that time was when this was measured */
    uint64_t age_ms;      /* how long ago this was measured: it was kept while there was no connection */
    uint64_t settled_ms;  /* what was made before that long ago is acknowledged; 0: not known */
    uint64_t n_unread;    /* records that the agent had no room for, or was too slow for, since its start */
    /* later still */
    uint64_t witness;                                           /* 1: the process connector tells of every exec too */
    uint64_t n_exec_both, n_exec_unaudited, n_exec_unwitnessed; /* since start: told of by both, by one of the two */
    uint64_t n_exec_unexplained; /* of the unaudited: neither the kernel's helpers nor older than audit */
    uint64_t n_witness_gaps;     /* messages of the connector that are missing */
    uint64_t n_canary_sent, n_canary_lost;
    uint64_t canary_ms,
        canary_took_ms; /* wall time of the last one that came back whole (0: none), and its round trip */
    /* later still */
    uint64_t n_unseen;  /* audit events of this boot that were made and never seen, by their serials */
    uint64_t unseen_ms; /* the last of them were made since that long ago */
    /* later still */
    uint64_t spool_max_bytes; /* what the spool may grow to now; 0: not told */
    uint64_t n_unspooled;     /* of spool_dropped_events those that the disk never had: counted since the start */
    uint64_t n_flood;         /* events that summaries of storms stand for, since the start */
    uint64_t canary_is_lost;  /* 1: a canary was lost, and none came back since */
} xt_heartbeat;

typedef enum xt_beat_state {
    XT_BEAT_UNKNOWN,
    XT_BEAT_WATCHING,
    XT_BEAT_OFF,     /* audit is switched off in the kernel */
    XT_BEAT_TAKEN,   /* the agent is to own the audit socket, and another process does */
    XT_BEAT_PAUSED,  /* by an order of the server: it records nothing */
    XT_BEAT_STOPPED, /* the last one: the agent was told to end */
} xt_beat_state;

void xt_enroll_put(xt_buf *out, const xt_enroll *m);
XT_MUST_USE int xt_enroll_decode(xt_slice payload, xt_enroll *ret, xt_problem *reterr_problem);
void xt_enrolled_put(xt_buf *out, const xt_enrolled *m);
XT_MUST_USE int xt_enrolled_decode(xt_slice payload, xt_enrolled *ret, xt_problem *reterr_problem);
void xt_hello_put(xt_buf *out, const xt_hello *m);
XT_MUST_USE int xt_hello_decode(xt_slice payload, xt_hello *ret, xt_problem *reterr_problem);
void xt_welcome_put(xt_buf *out, const xt_welcome *m);
XT_MUST_USE int xt_welcome_decode(xt_slice payload, xt_welcome *ret, xt_problem *reterr_problem);
void xt_renew_put(xt_buf *out, const xt_renew *m);
XT_MUST_USE int xt_renew_decode(xt_slice payload, xt_renew *ret, xt_problem *reterr_problem);
void xt_renewed_put(xt_buf *out, const xt_renewed *m);
XT_MUST_USE int xt_renewed_decode(xt_slice payload, xt_renewed *ret, xt_problem *reterr_problem);
void xt_trust_put(xt_buf *out, const xt_trust *m);
XT_MUST_USE int xt_trust_decode(xt_slice payload, xt_trust *ret, xt_problem *reterr_problem);
void xt_policy_message_put(xt_buf *out, const xt_policy_message *m);
XT_MUST_USE int xt_policy_message_decode(xt_slice payload, xt_policy_message *ret, xt_problem *reterr_problem);
void xt_policy_state_put(xt_buf *out, const xt_policy_state *m);
XT_MUST_USE int xt_policy_state_decode(xt_slice payload, xt_policy_state *ret, xt_problem *reterr_problem);
void xt_policy_order_put(xt_buf *out, const xt_policy_order *m);
XT_MUST_USE int xt_policy_order_decode(xt_slice payload, xt_policy_order *ret, xt_problem *reterr_problem);
void xt_ack_put(xt_buf *out, const xt_ack *m);
XT_MUST_USE int xt_ack_decode(xt_slice payload, xt_ack *ret, xt_problem *reterr_problem);
void xt_refused_put(xt_buf *out, const xt_refused *m);
XT_MUST_USE int xt_refused_decode(xt_slice payload, xt_refused *ret, xt_problem *reterr_problem);
void xt_heartbeat_put(xt_buf *out, const xt_heartbeat *m);
XT_MUST_USE int xt_heartbeat_decode(xt_slice payload, xt_heartbeat *ret, xt_problem *reterr_problem);
/*
 * What changed since the heartbeat before: for each 32 members in their order a varint with a bit for each, lowest first, then of
 * each that is set a zigzag difference or a block. `before` as the peer has it.
 */
void xt_heartbeat_put_change(xt_buf *out, const xt_heartbeat *before, const xt_heartbeat *m);
/* ret: slices point into the payload or are those of before. */
XT_MUST_USE int xt_heartbeat_decode_change(xt_slice payload, const xt_heartbeat *before, xt_heartbeat *ret,
                                           xt_problem *reterr_problem);

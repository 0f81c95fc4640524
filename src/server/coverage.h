/*
 * server/coverage - whether a host was watched without a break, and what it lost, from its heartbeats
 *
 * Shape:     a host is watched from its first heartbeat to its last but for gaps. A gap is a time in which nobody looked, or in
 *            which a number of records or events was lost; the numbers of a heartbeat count on from the one before.
 * Units:     times are wall times of the server, in ms: a heartbeat says how long ago it was measured and for how long the
 *            agent had then watched unbroken, so that no clock of a host matters, and what was watched while there was no
 *            connection counts when it is back.
 * Errors:    none. A heartbeat of an agent that does not tell of its runs covers the time since the one before, if that is short.
 * Threads:   one at a time.
 */
#pragma once
#include "base/buf.h"
#include "wire/message.h"

/* Numbers are stored; never given anew. */
typedef enum xt_gap_kind {
    XT_GAP_SILENT = 1,     /* no heartbeat */
    XT_GAP_OFF = 2,        /* audit was switched off in the kernel */
    XT_GAP_TAKEN = 3,      /* the audit socket was another process's */
    XT_GAP_KERNEL = 4,     /* n records that the kernel lost */
    XT_GAP_AGENT = 5,      /* n records that the agent had no room for, or that were cut */
    XT_GAP_SPOOL = 6,      /* n events that the spool had no room for */
    XT_GAP_STREAM = 7,     /* a stream of batches ended and another began; n batches were known to wait then */
    XT_GAP_BLIND = 8,      /* rules of others hid commands */
    XT_GAP_MODE = 9,       /* the agent does not own the audit socket: losses are not counted */
    XT_GAP_UNAUDITED = 10, /* n execs that the process connector told of and audit did not, for no known reason */
    XT_GAP_PAUSED = 11,    /* somebody paused the host: it recorded nothing */
    XT_GAP_UNSEEN = 12,    /* n audit events that were made, as their serials tell, and never seen */
    XT_GAP_STOPPED = 13,   /* the agent was told to end, and said so: nobody watched */
    XT_GAP_CANARY = 14, /* n known execs whose records did not come back: what else was executed may be missing too */
    XT_GAP_KINDS,
} xt_gap_kind;

typedef struct xt_gap {
    xt_gap_kind kind;
    int64_t from_ms, to_ms;
    uint64_t n;
} xt_gap;

typedef struct xt_coverage {
    int64_t first_ms, to_ms; /* watched between them, but for the gaps; 0: never */
    int64_t beat_ms;         /* of the last heartbeat, whatever it said */
    int64_t settled_ms;      /* what was made before has arrived; 0: not known */
    uint64_t run, process, state;
    uint64_t lost, n_unread, n_dropped, n_waiting, n_unaudited, n_unseen; /* as in the last heartbeat */
    uint64_t n_unspooled, n_canary_lost, canary_ms;
    uint64_t is_canary_lost; /* and none came back since */
    xt_hash128 stream;       /* zero: none yet */
} xt_coverage;

enum {
    XT_GAPS_AT_ONCE = 10,
    XT_COVERAGE_TAIL_MS = 20000, /* heartbeats come every 5 s: less than this before now is no silence yet */
};

/* "silent"; and in words, "no heartbeat". */
const char *xt_gap_name(xt_gap_kind kind);
const char *xt_gap_words(xt_gap_kind kind);
/* Does n count something, or is it the time alone that counts? */
bool xt_gap_counts(xt_gap_kind kind);

/* Takes a heartbeat that came now. Returns how many gaps it shows. */
unsigned xt_coverage_beat(xt_coverage *coverage, const xt_heartbeat *beat, int64_t now_ms,
                          xt_gap ret[static XT_GAPS_AT_ONCE]);
/* Takes a hello: is_new_boot, and the stream, of which the server has batches or not. */
unsigned xt_coverage_hello(xt_coverage *coverage, bool is_new_boot, xt_hash128 stream, int64_t now_ms,
                           xt_gap ret[static XT_GAPS_AT_ONCE]);
/* What lies open at the ends of [from_ms, to_ms): before the first heartbeat, after the last one. */
unsigned xt_coverage_ends(const xt_coverage *coverage, int64_t from_ms, int64_t to_ms, int64_t now_ms,
                          xt_gap ret[static XT_GAPS_AT_ONCE]);
void xt_coverage_put(const xt_coverage *coverage, xt_buf *out);
/* What a later version put behind is passed over; what cannot be read is as if there never was a heartbeat. */
void xt_coverage_get(xt_slice bytes, xt_coverage *ret);

/*
 * input/senders - hosts that send audit text without an agent of ours: a decoder each
 *
 * Shape:     lines go in with the name of the host that they are of; events come out when they are whole. Records of one event join
 *            whatever packets, connections or requests they came in, and whatever came between them.
 * Host:      node= in front of a record, else what the caller says. Its id is asked for when it is first heard of and
 *            now and then later.
 * Repeated:  a line that came before is passed over, unless it follows right behind itself while its event waits for records: the
 *            kernel does write such twins.
 *            The last XT_SENDERS_LINES lines of all hosts together are known.
 * Errors:    feed: XT_SENDERS_E_OTHER: the line holds no stamp of a record ("audit("): it is not kept. XT_SENDERS_E_REPEATED.
 *            <0 memory, or what on_event said: something may be lost; what comes again is heard again then. What claims to be a record and cannot be read is an event (unparsed).
 * Threads:   one at a time.
 * Limits:    XT_SENDERS_HOSTS: beyond, the host that was silent longest is forgotten, what waits of it given out.
 *            XT_SENDERS_OPEN_BYTES of records that wait, of all: beyond, those of the host at hand are given out.
 */
#pragma once
#include "event/event.h"
#include "event/secret_rules.h"
#include "event/secret_seal.h"

#define XT_SENDERS_HOSTS      1024
#define XT_SENDERS_LINES      (1u << 18)
#define XT_SENDERS_OPEN_BYTES ((size_t)128 << 20)
#define XT_SENDERS_MAX_NAME   255
#define XT_SENDERS_KEPT_MS    10000 /* that records wait of a host whose lines come in requests, which follow slowly */

enum {
    XT_SENDERS_E_OTHER = 1,
    XT_SENDERS_E_REPEATED = 2,
};

typedef struct xt_senders_settings {
    xt_secret_rules *secrets;          /* NULL: they stay; ref is taken */
    const xt_secret_seal_key *seal_to; /* NULL: they are gone */
    /* The id of the host of that name. */
    void (*host_id)(void *context, xt_slice name, char ret[static 33]);
    int (*on_event)(void *context, xt_event *event); /* valid during the call */
    void *context;
    size_t n_lines; /* that are known, a power of two; 0: XT_SENDERS_LINES */
} xt_senders_settings;

typedef struct xt_senders_stats {
    uint64_t n_lines, n_records, n_events, n_unparsed, n_late, n_timeout;
    uint64_t n_other, n_repeated; /* lines that were not kept */
    uint64_t n_hosts, n_open_bytes;
} xt_senders_stats;

typedef struct xt_senders xt_senders;
XT_MUST_USE int xt_senders_new(const xt_senders_settings *settings, xt_senders **ret);
xt_senders *xt_senders_free(xt_senders *senders); /* what waits is lost: finish before; accepts NULL, returns NULL */
/* One line without its newline. now_ms: monotonic. */
XT_MUST_USE int xt_senders_feed(xt_senders *senders, xt_slice host, xt_slice line, int64_t now_ms);
/* The same, of a host whose records that wait are kept elsewhere too, from then on (open_each). */
XT_MUST_USE int xt_senders_feed_kept(xt_senders *senders, xt_slice host, xt_slice line, int64_t now_ms);
/* Gives out what had its PROCTITLE. */
XT_MUST_USE int xt_senders_finish_titled(xt_senders *senders);
/*
 * Of each host that is kept and had lines, or records that waited, since the last call: the records that wait now, a line each; empty
 * when there are none. Non-zero ends it and is returned.
 */
XT_MUST_USE int xt_senders_open_each(xt_senders *senders, int (*each)(void *context, xt_slice host, xt_slice lines),
                                     void *context);
/* Lets time pass: events whose last record came two seconds ago are given out; of hosts that began as kept XT_SENDERS_KEPT_MS. */
XT_MUST_USE int xt_senders_tick(xt_senders *senders, int64_t now_ms);
/* Gives out all that waits. */
XT_MUST_USE int xt_senders_finish(xt_senders *senders);
xt_senders_stats xt_senders_stats_get(const xt_senders *senders);

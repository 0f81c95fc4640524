/*
 * event/decoder - a stream of audit text becomes events: reader, joiner, from_audit and process table in one
 *
 * Shape:     bytes in (any pieces), events out in the order in which they are finished. Used by `decode`, `import`,
 *            the agent's --stdin, the server's import route and the demo replay.
 * Errors:    a line that is no record becomes an event of action `unparsed` and calls on_problem with file and line;
 *            it never stops the stream. <0: memory.
 * Ownership: the event is valid during on_event.
 * Limits:    a line above 1 MiB is cut there, kept as unparsed, and counted. 65536 processes, 16384 open groups; one of many:
 *            4096 processes, 1024 open groups in 8 MiB.
 * Damage:    a line in which another record begins gives both records, the first flagged truncated, and is also kept
 *            as it stands, unparsed. A last line without its newline is flagged truncated.
 * Time:      of a file, time is what the records say: forward steps count for a little only, so that a clock set
 *            ahead does not end what is open; of a line that is no record, it is that of the record before it or, at
 *            the beginning, of the first one behind it (0 where there is none near): a repeated import is the same.
 * Threads:   one at a time. With n_workers on_event and on_problem are called on threads of the decoder, one call at a time
 *            of each; what was fed is all given out when begin or finish returns, and what on_event said comes back from
 *            a later call. The events and their order are the same.
 */
#pragma once
#include "event/from_audit.h"
#include "event/proc_table.h"
#include "event/secret_rules.h"
#include "event/secret_seal.h"

typedef struct xt_decoder_settings {
    xt_event_origin origin;
    const xt_name_source *names; /* may be NULL */
    xt_secret_rules *secrets;    /* what they name is gone before the event is given out; NULL: nothing; ref is taken */
    const xt_secret_seal_key *seal_to; /* what is taken out is sealed to it; NULL: it is gone */
    bool live;                /* timeouts by the caller's clock (xt_decoder_tick) instead of the records' times */
    bool shows_typed_secrets; /* what was typed at programs that ask for passwords is not masked */
    bool is_logged;           /* lines came through a system log, which writes 0x1d as #035 */
    bool is_one_of_many;      /* there is one a host: smaller bounds (Limits) */
    bool follows_sessions;    /* events get the FROM of their session */
    int64_t timeout_ms;       /* since the last record of an event; 0: the joiner's */
    bool leaves_parents;      /* whoever takes the events knows processes better: no process table */
    const char *source;       /* file name for problems */
    size_t max_memory_bytes;  /* 0: 64 MiB */
    unsigned n_workers;       /* threads that make events, beside one that calls on_event; 0, live, or names: none */
    int (*on_event)(void *context, xt_event *event, xt_arena *arena); /* non-zero ends the stream and is returned */
    void (*on_problem)(void *context, const xt_problem *problem);     /* may be NULL */
    void (*on_file)(void *context); /* what follows is of another file (begin); may be NULL */
    void *context;
} xt_decoder_settings;

typedef struct xt_decoder_stats {
    uint64_t n_bytes, n_lines, n_records, n_events, n_unparsed, n_late, n_timeout, n_spliced;
} xt_decoder_stats;

typedef struct xt_decoder xt_decoder;
XT_MUST_USE int xt_decoder_new(const xt_decoder_settings *settings, xt_decoder **ret);
xt_decoder *xt_decoder_free(xt_decoder *decoder);
XT_MUST_USE int xt_decoder_feed(xt_decoder *decoder, xt_slice bytes);
/*
 * What follows comes from another file (rotation): lines count from 1 again, what is open stays open. The name is
 * borrowed as long as it is fed.
 */
XT_MUST_USE int xt_decoder_begin(xt_decoder *decoder, const char *source);
/* From now on these rules (ref is taken), or none; and this key (copied), or none. With workers: before anything is fed. */
void xt_decoder_set_secrets(xt_decoder *decoder, xt_secret_rules *secrets, const xt_secret_seal_key *seal_to);
/* One line, whole, without its newline. */
XT_MUST_USE int xt_decoder_feed_line(xt_decoder *decoder, xt_slice line);
/* Whether records of the same event were read and wait for more; the bytes of all that wait. */
bool xt_decoder_is_open(const xt_decoder *decoder, const xt_record *record);
size_t xt_decoder_open_bytes(const xt_decoder *decoder);
/* Each record that waits; non-zero ends it and is returned. */
int xt_decoder_open_each(const xt_decoder *decoder, int (*each)(void *context, const xt_record *record), void *context);
/* Something was lost: what is read again may give out again what was given out; what is open takes no record twice. */
void xt_decoder_forget(xt_decoder *decoder);
/* What had its PROCTITLE is given out now. */
XT_MUST_USE int xt_decoder_flush_titled(xt_decoder *decoder);
/* What waits for more is given out now; what comes of it later is late. */
XT_MUST_USE int xt_decoder_flush(xt_decoder *decoder);
/* A record that came by netlink instead of text. */
XT_MUST_USE int xt_decoder_feed_payload(xt_decoder *decoder, uint16_t type, xt_slice payload);
/* Live sources: lets time pass (monotonic milliseconds), so that groups without an end are given out. */
XT_MUST_USE int xt_decoder_tick(xt_decoder *decoder, int64_t now_ms);
/* End of input: everything open is given out. */
XT_MUST_USE int xt_decoder_finish(xt_decoder *decoder);
xt_decoder_stats xt_decoder_stats_get(xt_decoder *decoder);

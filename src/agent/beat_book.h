/*
 * agent/beat_book - the heartbeats of the collector, and what they mean together: watching without a break, and since when
 *
 * Shape:     a heartbeat is completed with its run (a time of watching without a break) and kept while there is no connection, if
 *            something changed after it: the end of a run, a loss. So little is kept, and a server can tell afterwards when
 *            nobody watched and between which times something was lost.
 * Units:     now_ms counts on while the machine sleeps (CLOCK_BOOTTIME).
 * Limits:    XT_BEATS_KEPT; then every second one goes, which makes gaps longer, never shorter.
 * Threads:   one at a time.
 */
#pragma once
#include "base/buf.h"
#include "wire/message.h"

enum {
    XT_BEATS_KEPT = 64,
    XT_BEAT_BREAK_MS = 15000, /* three periods: longer than that nobody looked */
};

typedef struct xt_kept_beat {
    xt_buf payload; /* of a heartbeat; empty: there is none */
    int64_t at_ms;
} xt_kept_beat;

typedef struct xt_beat_book {
    xt_kept_beat last, kept[XT_BEATS_KEPT];
    unsigned n_kept;
    bool last_sent;
    uint64_t process, run, state;
    int64_t run_from_ms;
    uint64_t lost, n_unread, n_dropped;
} xt_beat_book;

int64_t xt_beat_now_ms(void);
/*
 * Takes one; its slices are copied. owner_pid: the process that is to own the audit socket. connected: it is sent now, so it need
 * not be kept. <0 errno: memory; the book is as before.
 */
XT_MUST_USE int xt_beat_book_take(xt_beat_book *book, const xt_heartbeat *beat, uint64_t owner_pid, bool connected,
                                  int64_t now_ms);
/* An agent before this one watched without a break, from from_ms to at_ms in that run; it goes on. */
void xt_beat_book_resume(xt_beat_book *book, uint64_t run, int64_t from_ms, int64_t at_ms);
/* Calls those that were kept and the last one, each with its age; they need not be kept any more. */
void xt_beat_book_send(xt_beat_book *book, int64_t now_ms, void (*send)(void *context, xt_heartbeat *beat),
                       void *context);
void xt_beat_book_fini(xt_beat_book *book);

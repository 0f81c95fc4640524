/*
 * agent/canary - a known exec at intervals, whose records must come back
 *
 * Shape:     one canary is under way at a time: asked of the helper, executed (its pid is known), seen whole, or lost. The
 *            word is random, so that nobody else's exec passes for it.
 * Units:     now_ms: the caller's clock, which must not run while the caller does not.
 * Errors:    outcomes of take: see the enum.
 * Threads:   one at a time.
 */
#pragma once
#include "base/buf.h"
#include "event/event.h"

#define XT_CANARY_VERB     "canary"
#define XT_CANARY_BOUND_MS 4000 /* within which its event must be there */

enum {
    XT_CANARY_E_OTHER = 1,      /* not the canary's event */
    XT_CANARY_E_INCOMPLETE = 2, /* it is, and records are missing; missing names them */
};

typedef struct xt_canary {
    uint64_t interval_ms; /* 0: none */
    bool expects_eoe;     /* whether the end of an event is told here */
    int64_t due_ms, asked_ms, last_ms;
    bool is_asked, is_executed;
    uint32_t pid;
    uint32_t parent; /* the helper */
    char word[17];
    uint64_t n_sent, n_lost;
    bool is_lost;             /* the last one was */
    int64_t took_ms, back_ms; /* the last whole one: round trip, and when by wall time; 0: none */
} xt_canary;

/* Whether this very process was started to be one: it does nothing. */
bool xt_canary_is(int argc, char **argv);
/* parent: pid of the helper, which executes nothing else. */
void xt_canary_init(xt_canary *canary, uint64_t interval_ms, uint32_t parent, bool expects_eoe, int64_t now_ms);
/* Something changed: the next one is due soon. */
void xt_canary_hurry(xt_canary *canary, int64_t now_ms);
/* Whether one is to be asked for now; its word is then in `word`. */
bool xt_canary_next(xt_canary *canary, int64_t now_ms);
/* The helper answered; 0: it could not execute it, which says nothing of audit. */
void xt_canary_executed(xt_canary *canary, uint32_t pid, int64_t now_ms);
/* An event of audit's. missing: names of records, separated by one space. */
XT_MUST_USE int xt_canary_take(xt_canary *canary, const xt_event *event, int64_t wall_ms, int64_t now_ms,
                               xt_buf *missing);
/* The canary was executed, and its event is overdue: it is lost. */
bool xt_canary_expired(xt_canary *canary, int64_t now_ms);
/* Until when nothing has to be done; -1: for ever. */
int64_t xt_canary_wait_ms(const xt_canary *canary, int64_t now_ms);

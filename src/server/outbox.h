/*
 * server/outbox - messages on their way to the webhook, kept until it took them
 *
 * Shape:     a row of state.db per message (a JSON body), put in the transaction of what it tells; one thread posts them in the
 *            order of their due times. 2xx: done, the row goes. Else it is tried again after 1 s, doubling, at most 5 min,
 *            for 7 days. A kill between the answer and the row's end posts a message twice: receivers go by alert.id.
 * Errors:    <0 errno with a problem.
 * Threads:   put and wake from any.
 * Limits:    10 s a try; redirects are not followed.
 */
#pragma once
#include "base/clock.h"
#include "server/state_db.h"

typedef struct xt_outbox xt_outbox;

/* webhook NULL: nothing is kept and no thread runs. */
XT_MUST_USE int xt_outbox_open(xt_state *state, const xt_clock *clock, const char *webhook, xt_outbox **ret,
                               xt_problem *reterr_problem);
xt_outbox *xt_outbox_close(xt_outbox *outbox); /* what is not delivered stays for the next start */
XT_MUST_USE int xt_outbox_put(xt_outbox *outbox, uint64_t alert_id, xt_slice body, xt_problem *reterr_problem);
/* After the commit of what was put. */
void xt_outbox_wake(xt_outbox *outbox);

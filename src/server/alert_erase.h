/*
 * server/alert_erase - what state.db says of events that are erased
 *
 * Shape:     an alert counts such an event no more, and goes with the last one; messages about it go. One whose document
 *            was of such an event and that counts others stays, without document, event and user, and nothing is folded
 *            into it any more.
 * Errors:    <0 errno with a problem; >0 what the scan says of a part that cannot be read.
 * Threads:   under app->erase_lock, until the rows are gone: nobody makes their alerts anew.
 */
#pragma once
#include "server/app.h"

/* Of the rows whose bits are set. *n_alerts grows by those that went or lost their document. */
XT_MUST_USE int xt_alerts_erase(xt_app *app, xt_scan *scan, uint64_t *const *masks, uint64_t *n_alerts,
                                xt_problem *reterr_problem);

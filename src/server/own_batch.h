/*
 * server/own_batch - an event that the server makes itself
 *
 * Shape:     it is a batch of one in a stream of its own, by the same writer as all others: it is in the ledger, can be
 *            searched, is matched by rules.
 * Errors:    <0 errno.
 * Threads:   any but the writer's.
 */
#pragma once
#include "server/app.h"

/* A random event.id. */
XT_MUST_USE int xt_own_batch_id(char ret[static 33]);
/* Durable when it returns 0. The event has a time and a host id. */
XT_MUST_USE int xt_own_batch_enter(xt_app *app, const xt_event *event);

/*
 * server/agents - the door for agents: TLS, enrolment, hello, batches, acknowledgements, heartbeats
 *
 * Threads:   lives on the event base it is given; acknowledgements come from the writer's thread and are handed over.
 * Signals:   the program ignores SIGPIPE (a peer may go while OpenSSL writes).
 * Limits:    a connection that sends no hello in 10 s is closed, and so is one that begins a message and does not end it in 30 s and
 *            at 4 KiB/s; of those without a hello 4096, then the oldest goes. Reading stops while the writer's queue has no room
 *            for the host; when it is full for seconds, who says hello is told when to come again.
 */
#pragma once
#include <event2/event.h>

#include "server/app.h"

typedef struct xt_agents xt_agents;
/* address: HOST:PORT, port 0 takes a free one. */
XT_MUST_USE int xt_agents_open(xt_app *app, struct event_base *base, const char *address, xt_agents **ret,
                               xt_problem *reterr_problem);
int xt_agents_port(const xt_agents *agents);
/* On the loop's thread, when the loop has ended: what is left of connections is worked off on the base. Before xt_app_close. */
xt_agents *xt_agents_close(xt_agents *agents);

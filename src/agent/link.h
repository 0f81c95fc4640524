/*
 * agent/link - the connection to one of the servers, made again whenever it breaks
 *
 * Shape:     resolves a name by the helper, connects, enrols when the host has no certificate, says hello, and then hands
 *            on acknowledgements. agent/server_list says which server is tried when. The certificate is renewed over the
 *            connection, and proved by another.
 * Errors:    what cannot heal by itself (a token that is wrong, a revoked host) ends with on_fatal.
 * Limits:    agent/link_bounds; a renewal each second; a phase before the welcome lasts 15 s, however much comes in it.
 * Threads:   the event base's.
 */
#pragma once
#include <event2/event.h>

#include "agent/agent_settings.h"
#include "agent/identity.h"
#include "wire/frame.h"
#include "wire/token.h"

typedef struct xt_link xt_link;

typedef struct xt_link_calls {
    void (*on_enrolled)(void *context);
    /* Fills what is said of the spool's stream. */
    void (*on_hello)(void *context, xt_hello *hello);
    /* gather_ms of both is at most XT_GATHER_MAX_MS. */
    void (*on_welcome)(void *context, const xt_welcome *welcome);
    /* True when something was acknowledged by that: only then is it a server that works. */
    bool (*on_ack)(void *context, const xt_ack *ack);
    void (*on_policy)(void *context, xt_slice payload); /* a POLICY message, as it came */
    void (*on_trust)(void *context, xt_slice payload);  /* a TRUST message that was believed, as it came */
    void (*on_writable)(void *context);                 /* what was queued has gone out */
    void (*on_fatal)(void *context);
    void *context;
} xt_link_calls;

/*
 * token: may be NULL when the host is enrolled; else it is for enrolling again when the certificate is refused. All stay the
 * caller's.
 */
XT_MUST_USE int xt_link_new(struct event_base *base, const xt_agent_settings *settings, int helper_fd,
                            xt_identity *identity, const xt_token *token, const xt_link_calls *calls, xt_link **ret,
                            xt_problem *reterr_problem);
xt_link *xt_link_free(xt_link *link);
/* Connects as soon as it can; without `ready` only to enrol. */
void xt_link_start(xt_link *link, bool ready);
/* False when there is no welcomed connection. */
bool xt_link_send(xt_link *link, xt_frame_type type, xt_slice payload);
bool xt_link_is_up(const xt_link *link);
/* Whether the server said in its welcome that it knows XT_FEATURE_... */
bool xt_link_has(const xt_link *link, uint64_t feature);
/* Bytes that wait in memory to be sent. */
size_t xt_link_queued(const xt_link *link);
/* Breaks the connection and makes it anew; the server waits as one that failed. */
void xt_link_restart(xt_link *link);
/* "connected", or why not; and the server tried last. */
const char *xt_link_state(const xt_link *link);
const char *xt_link_server(const xt_link *link);
/* Wall time in ms of the next attempt; 0 when none is waited for. */
int64_t xt_link_retry_ms(const xt_link *link);

/*
 * agent/own_event - events that the agent makes itself: started, lost, dropped, audit changed
 *
 * Shape:     category host, type info, a sentence in MESSAGE, a random event.id (there is no audit serial).
 */
#pragma once
#include "event/event.h"
#include "event/from_audit.h"
#include "wire/spool.h"

/* Appends one event as in a batch. */
void xt_own_event_put(xt_buf *out, const xt_event_origin *origin, int64_t time_ms, const char *action,
                      xt_slice message);
/* `dropped`: what the spool had no room for. */
void xt_own_event_put_dropped(xt_buf *out, const xt_event_origin *origin, int64_t time_ms, const xt_spool_loss *loss);
/* `lost-by-server`: batches known + 1 to acked of the stream were acknowledged, and the server does not have them. */
void xt_own_event_put_lost_by_server(xt_buf *out, const xt_event_origin *origin, int64_t time_ms, uint64_t known,
                                     uint64_t acked);
/* Fills *ret, which borrows from all that is given and from scratch (64 bytes for the id and lists). */
void xt_own_event_fill(xt_event *ret, const xt_event_origin *origin, int64_t time_ms, const char *action,
                       xt_slice message, char scratch[static 64]);
/* The same without id and message. */
void xt_own_event_head(xt_event *ret, const xt_event_origin *origin, int64_t time_ms, const char *action);
bool xt_own_event_has_flag(const xt_event *event, xt_slice flag);
/* One more flag of the event. */
XT_MUST_USE int xt_own_event_flag(xt_event *event, xt_slice flag, xt_arena *arena);

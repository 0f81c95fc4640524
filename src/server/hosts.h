/*
 * server/hosts - the fleet as the server knows it
 *
 * Shape:     every host in memory, by id; what changed is written to state.db every few seconds (flush) and at close. What
 *            must survive at once (enrolment, revocation) is written at once.
 * Errors:    <0 errno; XT_APP_E_* where a function says so.
 * Threads:   any.
 */
#pragma once
#include "server/app.h"
#include "server/state_db.h"
#include "wire/message.h"

typedef struct xt_hosts xt_hosts;

XT_MUST_USE int xt_hosts_open(xt_state *state, const xt_clock *clock, xt_hosts **ret, xt_problem *reterr_problem);
xt_hosts *xt_hosts_close(xt_hosts *hosts); /* does not flush */

/* A new host's row with a random id, inside the caller's transaction; known to nobody until it is admitted. */
XT_MUST_USE int xt_hosts_enroll(xt_hosts *hosts, const xt_enroll *enroll, const char *address, const char *group,
                                char ret_id[static 33], xt_problem *reterr_problem);
/* After the commit: the host may come. */
XT_MUST_USE int xt_hosts_admit(xt_hosts *hosts, const xt_enroll *enroll, const char *address, const char *group,
                               const char *id);
/* 0, XT_APP_E_NOT_FOUND, XT_APP_E_DENIED (revoked). */
XT_MUST_USE int xt_hosts_check(xt_hosts *hosts, xt_slice id);
void xt_hosts_hello(xt_hosts *hosts, const xt_hello *hello, const char *address);
void xt_hosts_heartbeat(xt_hosts *hosts, xt_slice id, const xt_heartbeat *beat);
void xt_hosts_gone(xt_hosts *hosts, xt_slice id);
/* Events that became durable; a host that is not known is an imported one. */
void xt_hosts_count(xt_hosts *hosts, xt_slice id, xt_slice name, uint64_t n_events, int64_t last_event_ms);
/* Id of the enrolled host of that name (the latest, not revoked); false when there is none. */
bool xt_hosts_id_of(xt_hosts *hosts, xt_slice name, char ret_id[static 33]);
/* XT_APP_E_NOT_FOUND. host: id or name. */
XT_MUST_USE int xt_hosts_revoke(xt_hosts *hosts, xt_slice host, bool revoked, xt_problem *reterr_problem);
/* The group of hosts: a short name without spaces. XT_APP_E_INVALID. */
#define XT_HOST_GROUP_BYTES 64 /* with its NUL */
XT_MUST_USE int xt_host_group_check(xt_slice group, xt_problem *reterr_problem);
/* host: id, or a name, of which the latest counts, and an enrolled one before an imported one. XT_APP_E_NOT_FOUND, _INVALID. */
XT_MUST_USE int xt_hosts_set_group(xt_hosts *hosts, xt_slice host, xt_slice group, xt_problem *reterr_problem);
/* Of the host of that id; "": it has none, or is not known. */
void xt_hosts_group_of(xt_hosts *hosts, xt_slice id, char ret[static XT_HOST_GROUP_BYTES]);
/* Grows whenever a host gets another group. */
unsigned xt_hosts_group_changes(xt_hosts *hosts);
XT_MUST_USE int xt_hosts_list(xt_hosts *hosts, int (*each)(void *context, const xt_host *host), void *context);
XT_MUST_USE int xt_hosts_flush(xt_hosts *hosts, xt_problem *reterr_problem);

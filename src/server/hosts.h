/*
 * server/hosts - the fleet as the server knows it
 *
 * Shape:     every host in memory, by id; what changed is written to state.db every few seconds (flush) and at close. What
 *            must survive at once (enrolment, revocation) is written at once.
 * Clones:    a host is the machine (machine id) that enrolled; another one that comes with its certificate is a clone. Where
 *            the machine ids are equal or not known, boots tell: one that was followed by another boot never comes back,
 *            so when it does, two machines are up. The one that was there first stays, the other is refused.
 * Errors:    <0 errno; XT_APP_E_* where a function says so.
 * Threads:   any.
 */
#pragma once
#include "server/app.h"
#include "server/note.h"
#include "server/state_db.h"
#include "wire/message.h"

typedef struct xt_hosts xt_hosts;

/* notes: where events about hosts go; stays the caller's. */
XT_MUST_USE int xt_hosts_open(xt_state *state, const xt_clock *clock, xt_notes *notes, xt_hosts **ret,
                              xt_problem *reterr_problem);
xt_hosts *xt_hosts_close(xt_hosts *hosts); /* does not flush */
/*
 * How many hosts without an agent have a row of their own: whoever may send events without one says whose they are. Those of more
 * hosts are stored all the same, and counted with the host XT_HOSTS_REST.
 */
#define XT_HOSTS_MAX_SENT 10000
#define XT_HOSTS_REST     "(further senders)"
void xt_hosts_limit_sent(xt_hosts *hosts, uint64_t max); /* 0: XT_HOSTS_MAX_SENT */

/*
 * The row of a new host with a random id, or of the one that comes again, inside the caller's transaction; in force when it is
 * admitted. key: hex digest of its public key. XT_APP_E_NOT_FOUND, XT_APP_E_DENIED (revoked), XT_APP_E_INVALID (the key or the
 * machine is another one): it cannot come again as that host.
 */
XT_MUST_USE int xt_hosts_enroll(xt_hosts *hosts, const xt_enroll *enroll, const char *key, const char *address,
                                const char *group, char ret_id[static 33], xt_problem *reterr_problem);
/* After the commit: the host may come. */
XT_MUST_USE int xt_hosts_admit(xt_hosts *hosts, const xt_enroll *enroll, const char *key, const char *address,
                               const char *group, const char *id);
/* May a host with a good certificate stay connected? boot_id, machine_id: as its hello said. 0, or why not. */
uint64_t xt_hosts_refusal(xt_hosts *hosts, xt_slice id, xt_slice boot_id, xt_slice machine_id);
/* The same for one that says hello, who is then the one connected. ret_other: the host's other machine is refused from now on. */
uint64_t xt_hosts_hello(xt_hosts *hosts, const xt_hello *hello, const char *address, bool *ret_other);
/* What it came with: id of the CA, end of the certificate, digest of the key. */
void xt_hosts_certificate(xt_hosts *hosts, xt_slice id, const char *ca, int64_t to_ms, const char *key);
void xt_hosts_refused(xt_hosts *hosts, xt_slice id, uint64_t reason);
void xt_hosts_heartbeat(xt_hosts *hosts, xt_slice id, const xt_heartbeat *beat);
void xt_hosts_gone(xt_hosts *hosts, xt_slice id);
/* Events that became durable; a host that is not known is an imported one, or of the rest. */
void xt_hosts_count(xt_hosts *hosts, xt_slice id, xt_slice name, uint64_t n_events, int64_t last_event_ms);
size_t xt_hosts_n_enrolled(xt_hosts *hosts);
/* Id of the enrolled host of that name (the latest, not revoked); false when there is none. */
bool xt_hosts_id_of(xt_hosts *hosts, xt_slice name, char ret_id[static 33]);
/* XT_APP_E_NOT_FOUND. host: id or name. */
XT_MUST_USE int xt_hosts_revoke(xt_hosts *hosts, xt_slice host, bool revoked, xt_slice who, xt_problem *reterr_problem);
XT_MUST_USE int xt_hosts_quarantine(xt_hosts *hosts, xt_slice host, xt_slice who, xt_problem *reterr_problem);
XT_MUST_USE int xt_hosts_release(xt_hosts *hosts, xt_slice host, xt_slice who, xt_problem *reterr_problem);
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

/*
 * agent/session_source - the addresses of open sessions, over a restart of the agent
 *
 * Shape:     STATE/sessions holds what was seen, of one boot. What is not there is looked for in utmp, which knows the
 *            process that logged in and from where; /proc knows that process's audit session. That is inferred.
 * Format:    boot=ID, then a line `ses=SES ADDRESS` or `inferred=SES ADDRESS` each.
 * Source:    utmp(5), /proc/PID/sessionid.
 * Threads:   one at a time.
 */
#pragma once
#include "event/session_table.h"

#define XT_UTMP "/var/run/utmp"

void xt_session_source_load(xt_session_table *table, uint64_t host, const char *state, const char *boot_id);
XT_MUST_USE int xt_session_source_save(const xt_session_table *table, const char *state, const char *boot_id);
/* session_of: the audit session of a process; UINT32_MAX: none. */
void xt_session_source_infer(xt_session_table *table, uint64_t host, const char *utmp,
                             uint32_t (*session_of)(uint32_t pid));
uint32_t xt_session_source_of_process(uint32_t pid);

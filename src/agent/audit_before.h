/*
 * agent/audit_before - STATE/audit-before: what to give back of the audit state, on disk while the agent watches
 *
 * Format:    lines of name=value, the boot id among them: another boot's file means nothing.
 */
#pragma once
#include "agent/audit_watch.h"

XT_MUST_USE int xt_audit_before_write(const xt_agent_settings *settings, const xt_watch_before *before,
                                      xt_problem *reterr_problem);
/* True when an agent that was killed left one in this boot. */
bool xt_audit_before_read(const xt_agent_settings *settings, xt_watch_before *ret);
void xt_audit_before_remove(const xt_agent_settings *settings);

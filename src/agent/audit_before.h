/*
 * agent/audit_before - STATE/audit-before and STATE/audit-rules: what to give back of the audit state, while the agent watches
 *
 * Format:    audit-before: lines of name=value, the boot id among them: another boot's file means nothing.
 *            audit-rules: blocks, one for each rule that the agent added (struct audit_rule_data as the kernel takes it). A rule
 *            is written down before it is loaded.
 */
#pragma once
#include "agent/audit_watch.h"

XT_MUST_USE int xt_audit_before_write(const xt_agent_settings *settings, const xt_watch_before *before,
                                      const xt_rule_book *book, xt_problem *reterr_problem);
/* audit-rules alone: the entries of both books that are `added`; `other` may be NULL. */
XT_MUST_USE int xt_audit_rules_write(const xt_agent_settings *settings, const xt_rule_book *book,
                                     const xt_rule_book *other, xt_problem *reterr_problem);
/* True when an agent that was killed left one in this boot; its rules are added to the book. */
bool xt_audit_before_read(const xt_agent_settings *settings, xt_watch_before *ret, xt_rule_book *rules);
void xt_audit_before_remove(const xt_agent_settings *settings);

/*
 * detect/noise - tagging what a login runs before its prompt, and other noise
 *
 * Shape:     noise rules stand in the rule set; the first that fits tags the event with its name. Each has an owner and a
 *            reason. An event that raised an alert keeps its tag but is never hidden (the caller's part).
 *            Two kinds: `match` (selections and a condition as in Sigma), and `login-shell` (one rule): what PAM runs when
 *            a session opens, and what start-up files run while a login shell begins. docs/rules.md says how that is told.
 * Method:    per (host, session) a small state, kept only while a login is under way: it begins with a LOGIN record or a
 *            login shell, and ends with a pause above `quiet`, after `max`, or with the first exec that does not belong.
 * Limits:    16,384 logins at once; the oldest is forgotten first, and what it runs is then shown.
 * Errors:    -ENOMEM.
 * Threads:   the state belongs to one writer thread.
 */
#pragma once
#include "detect/detect.h"

typedef struct xt_noise_state xt_noise_state;
XT_MUST_USE int xt_noise_state_new(xt_noise_state **ret);
xt_noise_state *xt_noise_state_free(xt_noise_state *state);
/* Events in order of arrival. The tag's name, borrowed from the set, or an empty slice. */
XT_MUST_USE int xt_noise_tag(const xt_ruleset *set, xt_noise_state *state, const xt_event *event, xt_arena *arena,
                             xt_slice *ret_name);

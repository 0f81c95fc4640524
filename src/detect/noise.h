/*
 * detect/noise - tagging what a login shell runs before its prompt, and other noise
 *
 * Shape:     a noise file (rules/noise/NAME.yml) holds named rules; the first that fits tags the event with its name. Each has
 *            an owner and a reason. An event that raised an alert keeps its tag but is never hidden.
 *            Two kinds of rule: `match` (selections and a condition as in Sigma), and `login-shell`: what is run by
 *            a login's start-up files: execs of a session, from its session leader shell (argv[0] begins with '-', or PAM/sshd
 *            parents) and its descendants, before the first exec that a person can have typed. See docs/rules.md for how that is told.
 * Method:    per session (host, ses) a small state: time of login, the login shell's pid and start, and whether the prompt was reached. Start-up
 *            ends when a child of the login shell starts later than `quiet_ms` after the one before it ended up being started, or after `max_ms`.
 * Limits:    sessions kept: bounded, least recently used first.
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

/*
 * agent/host_context - what each event of this host says of it: its labels and its system
 *
 * Shape:     label texts NAME=VALUE from the settings, as a list for LABELS.
 * Errors:    XT_HOST_CONTEXT_E_LABEL with a problem: a label that cannot be one, or holds what a rule for secrets names.
 * Limits:    XT_MAX_LABELS labels, names of 64 and values of 256 bytes.
 */
#pragma once
#include "base/problem.h"
#include "event/secret_rules.h"

#define XT_MAX_LABELS 32

enum {
    XT_HOST_CONTEXT_E_LABEL = 1,
};

/* One label, trimmed; names are letters, digits, `_`, `-`, `.` and `/`. */
XT_MUST_USE int xt_label_check(const xt_secret_rules *secrets, xt_slice text, xt_problem *reterr_problem);
/* Appends the list; the last value of a name counts. */
void xt_labels_put(xt_buf *out, const xt_slice *labels, size_t n);

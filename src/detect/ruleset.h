/*
 * detect/ruleset - what a rule set is made of; for src/detect alone
 */
#pragma once
#include <stdatomic.h>

#include "detect/rule_index.h"

struct xt_ruleset {
    atomic_uint n_refs;
    xt_sigma_program program;
    xt_sigma_rule *rules; /* in order of loading */
    size_t n_rules, cap_rules;
    xt_rule_index index;
    xt_noise_rule *noise;
    size_t n_noise, cap_noise;
    size_t n_refused, n_not_ours, n_disabled;
};

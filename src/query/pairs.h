/*
 * query/pairs - a set of (group, column, value): the distinct values of each group
 *
 * Errors:    XT_KEYS_E_FULL, -ENOMEM.
 */
#pragma once
#include "query/keys.h"

typedef struct xt_pair {
    uint32_t group, set;
    uint64_t value;
} xt_pair;

typedef struct xt_pairs {
    xt_keys *keys; /* charged for what is held here; may be NULL: then it is not limited */
    xt_pair *slots;
    size_t n, n_slots;
} xt_pairs;

void xt_pairs_fini(xt_pairs *pairs);
XT_MUST_USE int xt_pairs_add(xt_pairs *pairs, const xt_pair *pair, bool *ret_is_new);
/* Ends being a set: the pairs stand in the first n slots, those of a group and column together. */
void xt_pairs_sort(xt_pairs *pairs);

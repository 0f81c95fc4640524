/*
 * detect/sigma_values - the values of a rule's field in an event, as texts
 *
 * Ownership: borrowed from the event or the arena.
 */
#pragma once
#include "detect/sigma_program.h"

typedef struct xt_sigma_values {
    bool is_fetched;
    bool has_lower, has_signature;
    size_t n;
    xt_slice one[2]; /* where `all` points for up to two values */
    const xt_slice *all;
    const xt_slice *lower;     /* in ASCII lower case; see xt_sigma_values_lower */
    const uint64_t *signature; /* bit per hashed pair of neighbours in any value; NULL: may hold anything */
} xt_sigma_values;

/* Fetches the values; n is 0 when the event has none. -ENOMEM. */
XT_MUST_USE int xt_sigma_values_fetch(const xt_sigma_field *field, const xt_event *event, xt_arena *arena,
                                      xt_sigma_values *ret);
/* Fills `lower`, and `signature`. */
XT_MUST_USE int xt_sigma_values_lower(xt_sigma_values *values, xt_arena *arena);
XT_MUST_USE int xt_sigma_values_sign(xt_sigma_values *values, xt_arena *arena);

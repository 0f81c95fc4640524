/*
 * agent/policy_pin - what a host has bound itself to: who it is, its last order, the CAs that it will not believe again
 *
 * Shape:     STATE/policy-pin, root's and out of the shipper's reach: lines of name=value. It goes when STATE/shipper is made anew, for
 *            then somebody with root's rights enrols the host anew.
 * Limits:    XT_PIN_RETIRED CAs; the oldest goes for one more.
 * Errors:    <0 errno with a problem.
 * Threads:   one at a time.
 */
#pragma once
#include "base/problem.h"

#define XT_PIN_FILE    "policy-pin"
#define XT_PIN_RETIRED 16

typedef struct xt_policy_pin {
    char host_id[33];                   /* empty: not bound yet */
    xt_hash128 token;                   /* of the token's text that it was bound with; zeros: none */
    uint64_t serial;                    /* of the last order that was taken; 0: none */
    xt_hash128 order;                   /* of its bytes */
    xt_hash128 retired[XT_PIN_RETIRED]; /* the first half of a CA's SHA-256 */
    size_t n_retired;
} xt_policy_pin;

/* What is not there, or cannot be read, is empty. */
void xt_policy_pin_read(const char *state, xt_policy_pin *ret);
XT_MUST_USE int xt_policy_pin_write(const char *state, const xt_policy_pin *pin, xt_problem *reterr_problem);
/* Is one of these CAs one that was given up? */
bool xt_policy_pin_is_retired(const xt_policy_pin *pin, xt_slice bundle_pem);
/* Those of the old ones that are not among the new ones are given up; false: there are none. */
bool xt_policy_pin_retire(xt_policy_pin *pin, xt_slice old_pem, xt_slice new_pem);

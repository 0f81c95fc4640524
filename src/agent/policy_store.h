/*
 * agent/policy_store - the server's last order to this host, and the CAs whose signature it needs
 *
 * Shape:     files of root's, out of the shipper's reach: STATE/policy-ca.pem (CAs) and STATE/policy (the order in force, its
 *            signature, until when it pauses). The CAs come once from where the shipper keeps its own: on the start that enrols, if
 *            the token pins one of them; else when there is no such file yet. Later ones have to be vouched for by those.
 * Errors:    take: XT_ORDER_E_* with a problem; XT_POLICY_STORE_SAME: it is the order in force.
 * Ownership: slices of `order` point into the store, until the next keep.
 * Threads:   one at a time.
 */
#pragma once
#include "agent/agent_settings.h"
#include "wire/policy_order.h"

enum {
    XT_POLICY_STORE_SAME = 3,
};

typedef struct xt_policy_store {
    const char *state;
    char host_id[33];
    xt_buf trusted;
    xt_buf bytes, signature; /* of the order in force; empty: there is none */
    xt_policy_order order;
    int64_t pause_until_ms; /* by this host's clock; 0: no pause */
} xt_policy_store;

/* token: may be NULL; host_id NULL: whosever order is there (to look at it). What is there and does not hold together is as if it was not there, and said in the log. */
void xt_policy_store_open(xt_policy_store *store, const char *state, const char *token, const char *host_id,
                          int64_t now_ms);
void xt_policy_store_close(xt_policy_store *store);
static inline bool xt_policy_store_has_order(const xt_policy_store *store)
{
    return store->bytes.n > 0;
}
/* A POLICY message from the shipper, who is not believed. *ret points into payload. */
XT_MUST_USE int xt_policy_store_take(xt_policy_store *store, xt_slice payload, xt_policy_message *ret_message,
                                     xt_policy_order *ret, xt_problem *reterr_problem);
/*
 * A TRUST message from the shipper: the CAs that it names are trusted, when one that is trusted vouches for them. XT_POLICY_STORE_SAME: they
 * are already. XT_ORDER_E_REFUSED with a problem.
 */
XT_MUST_USE int xt_policy_store_trust(xt_policy_store *store, xt_slice payload, xt_problem *reterr_problem);
/* It was carried out: it is in force from now on, also at the next start. */
XT_MUST_USE int xt_policy_store_keep(xt_policy_store *store, const xt_policy_message *message, int64_t now_ms,
                                     xt_problem *reterr_problem);
/* The pause is over. */
void xt_policy_store_unpause(xt_policy_store *store);

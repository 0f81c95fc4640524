/*
 * agent/policy_store - the server's last order to this host, and the CAs whose signature it needs
 *
 * Shape:     files of root's, out of the shipper's reach: STATE/policy-ca.pem (CAs), STATE/policy (the order in force, its
 *            signature, its pause) and STATE/policy-pin (agent/policy_pin.h). The CAs come once from where the shipper keeps its own: on
 *            the start that enrols, if the token pins one of them; else when the host is not bound yet. Later ones have
 *            to be vouched for by those, and none that was given up comes back.
 * Pauses:    count from when the order was made, and are never longer than it says: what is left is counted by CLOCK_BOOTTIME, which
 *            nobody can set. After a reboot it is the least of what the wall clock tells and what was left when it was written down.
 * Errors:    take: XT_ORDER_E_* with a problem (also XT_ORDER_E_OLD); XT_POLICY_STORE_SAME: it is the order in force.
 * Ownership: slices of `order` point into the store, until the next keep.
 * Threads:   one at a time.
 */
#pragma once
#include "agent/agent_settings.h"
#include "agent/policy_pin.h"
#include "wire/policy_order.h"

enum {
    XT_POLICY_STORE_SAME = 3,
};

typedef struct xt_policy_time {
    int64_t wall_ms, up_ms; /* up_ms: CLOCK_BOOTTIME */
    const char *boot_id;
} xt_policy_time;

typedef struct xt_policy_store {
    const char *state;
    char host_id[33];   /* to which the host is bound */
    bool is_other_host; /* and which is not the one that the shipper says */
    xt_policy_pin pin;
    xt_buf trusted;
    xt_buf bytes, signature; /* of the order in force; empty: there is none */
    xt_policy_order order;
    int64_t pause_end_ms; /* CLOCK_BOOTTIME; 0: no pause */
} xt_policy_store;

/* token: may be NULL; host_id NULL: whosever order is there (to look at it). What is there and does not hold together is as if it was not there, and said in the log. */
void xt_policy_store_open(xt_policy_store *store, const char *state, const char *token, const char *host_id,
                          const xt_policy_time *now);
void xt_policy_store_close(xt_policy_store *store);
static inline bool xt_policy_store_has_order(const xt_policy_store *store)
{
    return store->bytes.n > 0;
}
/* A POLICY message from the shipper, who is not believed. *ret points into payload. */
XT_MUST_USE int xt_policy_store_take(xt_policy_store *store, xt_slice payload, const xt_policy_time *now,
                                     xt_policy_message *ret_message, xt_policy_order *ret, xt_problem *reterr_problem);
/*
 * A TRUST message from the shipper: the CAs that it names are trusted, when one that is trusted vouches for them. XT_POLICY_STORE_SAME: they
 * are already. XT_ORDER_E_REFUSED with a problem.
 */
XT_MUST_USE int xt_policy_store_trust(xt_policy_store *store, xt_slice payload, xt_problem *reterr_problem);
/* It was carried out: it is in force from now on, also at the next start. */
XT_MUST_USE int xt_policy_store_keep(xt_policy_store *store, const xt_policy_message *message,
                                     const xt_policy_time *now, xt_problem *reterr_problem);
/* What is left of an order's pause; of the one in force. */
int64_t xt_policy_pause_left_ms(const xt_policy_order *order, int64_t wall_ms);
int64_t xt_policy_store_left_ms(const xt_policy_store *store, const xt_policy_time *now);
/* Writes down what is left of a pause, now and then, for a reboot. */
void xt_policy_store_note(xt_policy_store *store, const xt_policy_time *now);
/* The pause is over. */
void xt_policy_store_unpause(xt_policy_store *store, const xt_policy_time *now);

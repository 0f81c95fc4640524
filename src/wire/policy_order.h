/*
 * wire/policy_order - an order to one host: signed by the server's CA, checked by the process that carries it out
 *
 * Shape:     xt_policy_order as bytes, beginning with a word that nothing else that a CA signs begins with, and an ECDSA signature of
 *            them by one of the CAs. It names the host and grows in serial, so that it is of no use elsewhere or again.
 * Errors:    XT_ORDER_E_REFUSED with a problem that says why.
 * Threads:   any.
 */
#pragma once
#include "wire/message.h"

#define XT_POLICY_MAGIC         "exectrail-policy-1\n"
#define XT_POLICY_ORDER_BYTES   98304
#define XT_POLICY_MESSAGE_BYTES (XT_POLICY_ORDER_BYTES + 32768)
#define XT_POLICY_TRUST_BYTES   32768
#define XT_PAUSE_MAX_MS         UINT64_C(86400000) /* a day: no order pauses a host for longer */

enum {
    XT_ORDER_E_REFUSED = 1,
    XT_ORDER_E_OLD = 2, /* older than the one before: nothing to be said about, it may come late */
};

/* The bytes that are signed. magic is filled in. */
XT_MUST_USE int xt_policy_order_encode(const xt_policy_order *order, xt_buf *ret_order);
XT_MUST_USE int xt_policy_order_sign(const xt_policy_order *order, xt_slice key_pem, xt_buf *ret_order,
                                     xt_buf *ret_signature);
/*
 * Is it signed by one of the CAs in trusted_pem, for this host, and not older than last_serial? *ret points into order. The same
 * serial again is good: whoever asks knows whether the bytes are the same.
 */
XT_MUST_USE int xt_policy_order_check(xt_slice order, xt_slice signature, xt_slice trusted_pem, xt_slice host_id,
                                      uint64_t last_serial, xt_policy_order *ret, xt_problem *reterr_problem);
/*
 * The CAs that are trusted from now on, when a message brings others that one of those vouches for; out is untouched otherwise.
 * True: out holds other ones.
 */
bool xt_policy_trust_follow(const xt_trust *trust, xt_slice trusted_pem, xt_buf *out);

#include "wire/policy_order.h"

#include <errno.h>

#include "io/tls_trust.h"

int xt_policy_order_encode(const xt_policy_order *order, xt_buf *ret_order)
{
    xt_policy_order whole = *order;
    whole.magic = XT_S(XT_POLICY_MAGIC);
    xt_policy_order_put(ret_order, &whole);
    return xt_buf_done(ret_order);
}

int xt_policy_order_sign(const xt_policy_order *order, xt_slice key_pem, xt_buf *ret_order, xt_buf *ret_signature)
{
    int r = xt_policy_order_encode(order, ret_order);
    return r == 0 ? xt_error_trace(xt_tls_bundle_sign(xt_buf_slice(ret_order), key_pem, ret_signature))
                  : xt_error_trace(r);
}

static int refuse(xt_problem *problem, const char *sentence)
{
    xt_problem_set(problem, "%s", sentence);
    return XT_ORDER_E_REFUSED;
}

int xt_policy_order_check(xt_slice order, xt_slice signature, xt_slice trusted_pem, xt_slice host_id,
                          uint64_t last_serial, xt_policy_order *ret, xt_problem *reterr_problem)
{
    xt_policy_order o;
    if (order.n > XT_POLICY_ORDER_BYTES || signature.n > 256)
        return refuse(reterr_problem, "the policy's message is too long");
    if (!xt_tls_bundle_is_signed(order, signature, trusted_pem))
        return refuse(reterr_problem, "the policy is not signed by a CA that this host trusts");
    if (xt_policy_order_decode(order, &o, NULL) != 0 || !xt_slice_eq(o.magic, XT_S(XT_POLICY_MAGIC)))
        return refuse(reterr_problem, "what is signed is no policy that this agent understands");
    if (!xt_slice_eq(o.host_id, host_id))
        return refuse(reterr_problem, "the policy is for another host");
    if (o.serial < last_serial)
        return XT_ORDER_E_OLD;
    if (o.pause_ms > XT_PAUSE_MAX_MS)
        return refuse(reterr_problem, "the pause is longer than a day");
    *ret = o;
    return 0;
}

bool xt_policy_trust_follow(const xt_trust *trust, xt_slice trusted_pem, xt_buf *out)
{
    if (trust->ca_pem.n > XT_POLICY_TRUST_BYTES || xt_slice_eq(trust->ca_pem, trusted_pem) ||
        !xt_tls_bundle_is_good(trust->ca_pem) ||
        !(xt_tls_bundle_is_signed(trust->ca_pem, trust->signature, trusted_pem) ||
          xt_tls_bundle_is_signed(trust->ca_pem, trust->signature2, trusted_pem)))
        return false;
    xt_buf_reset(out);
    xt_buf_put(out, trust->ca_pem);
    return xt_buf_done(out) == 0;
}

/* What a server says of policies: messages and orders as bytes, and the text in them; a rule that is taken records and hides nothing. */
#include <assert.h>

#include "audit/policy.h"
#include "wire/policy_order.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_text(xt_slice text)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_policy policy;
    xt_arena arena;
    xt_arena_init(&arena, 8 << 20);
    int r = xt_policy_parse(text, "policy", NULL, &arena, &policy, &problem);
    assert(r <= 0 || xt_problem_is_set(&problem));
    for (size_t i = 0; r == 0 && i < policy.n_groups; i++)
        for (size_t k = 0; k < policy.groups[i].n; k++) {
            assert(policy.groups[i].rules[k].data->action == AUDIT_ALWAYS);
            assert(xt_rule_blinds_get(policy.groups[i].rules[k].data) != XT_RULE_BLINDS_NEVER);
        }
    if (r == 0 && (policy.has & XT_POLICY_CANARY))
        assert(policy.canary_s >= 10 && policy.canary_s <= 3600);
    if (r == 0 && (policy.has & XT_POLICY_SPOOL))
        assert(policy.spool_mib >= 64);
    xt_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xt_slice bytes = xt_slice_of(data, n);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_policy_message message;
    xt_policy_order order;
    xt_policy_state state;
    if (xt_policy_message_decode(bytes, &message, &problem) == 0) {
        xt_buf trusted = XT_BUF_INIT;
        const xt_trust trust = {.ca_pem = message.ca_pem, .signature = message.vouch, .signature2 = message.vouch2};
        assert(!xt_policy_trust_follow(&trust, XT_S_NULL, &trusted));
        assert(xt_policy_order_check(message.order, message.signature, message.ca_pem, XT_S("host"), 0, &order,
                                     &problem) != 0);
        xt_buf_fini(&trusted);
    }
    if (xt_policy_order_decode(bytes, &order, NULL) == 0)
        check_text(order.text);
    (void)!xt_policy_state_decode(bytes, &state, NULL);
    check_text(bytes);
    return 0;
}

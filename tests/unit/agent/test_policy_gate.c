/* A shipper that sends without end costs a bounded number of looks; one that is itself is always looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "agent/policy_gate.h"
#include "wire/policy_order.h"

static void test_flood(void **state)
{
    xt_policy_gate gate = {.paid_ms = 0};
    xt_buf order = XT_BUF_INIT;
    uint64_t n_looks = 0, n_passed = 0, n_tells = 0, n_sent = 0;
    int64_t now_ms = 1000;
    for (; now_ms < 601000; now_ms += 10) { /* ten minutes, two messages each 10 ms */
        n_looks += xt_policy_gate_open(&gate, now_ms);
        n_looks += xt_policy_gate_order(&gate, XT_S("order"), now_ms);
        n_sent += 2;
        if (xt_policy_gate_next(&gate, now_ms, &order)) {
            assert_true(xt_slice_eq(xt_buf_slice(&order), XT_S("order")));
            xt_buf_fini(&order);
            n_looks++;
        }
        uint64_t n = xt_policy_gate_tell(&gate, now_ms);
        n_passed += n;
        n_tells += n > 0;
    }
    assert_true(n_looks <= XT_GATE_BURST + 600000 / XT_GATE_EACH_MS);
    assert_true(n_looks >= 600000 / XT_GATE_EACH_MS);
    assert_true(n_tells <= 11 && n_tells >= 9);
    n_passed += gate.n_passed + (gate.waiting.n > 0);
    assert_int_equal(n_looks + n_passed, n_sent); /* each was looked at or counted */
    xt_policy_gate_fini(&gate);
}

static void test_orders(void **state)
{
    xt_policy_gate gate = {.paid_ms = 0};
    xt_buf order = XT_BUF_INIT;
    char *large = calloc(1, XT_POLICY_MESSAGE_BYTES + 1);
    assert_non_null(large);
    for (unsigned i = 0; i < XT_GATE_BURST; i++)
        assert_true(xt_policy_gate_order(&gate, XT_S("early"), 5));
    assert_false(xt_policy_gate_order(&gate, XT_S("first"), 6));
    assert_false(xt_policy_gate_next(&gate, 7, &order));
    assert_false(xt_policy_gate_order(&gate, XT_S("last"), 8));
    assert_true(xt_policy_gate_next(&gate, 8 + XT_GATE_EACH_MS, &order));
    assert_true(xt_slice_eq(xt_buf_slice(&order), XT_S("last"))); /* what was ordered last holds */
    assert_false(xt_policy_gate_next(&gate, 600000, &(xt_buf){0}));
    assert_int_equal(xt_policy_gate_tell(&gate, 600000), 1);
    assert_true(xt_policy_gate_order(&gate, xt_slice_of(large, XT_POLICY_MESSAGE_BYTES), 600000));
    assert_false(xt_policy_gate_order(&gate, xt_slice_of(large, XT_POLICY_MESSAGE_BYTES + 1), 600000));
    assert_int_equal(gate.waiting.n, 0);
    assert_int_equal(gate.n_passed, 1);
    free(large);
    xt_buf_fini(&order);
    xt_policy_gate_fini(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event/event.h"
#include "wire/batch.h"

static const xt_hash128 stream = {{7}}, chain = {{9}};

/* n events of one field each, as a batch's canonical events. */
static void make_events(xt_buf *out, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        xt_event event;
        xt_event_reset(&event);
        xt_event_set_num(&event, XT_F_PID, i);
        xt_event_set_bytes(&event, XT_F_EXE, XT_S("/usr/bin/id"));
        xt_event_batch_put(out, &event);
    }
}

static void check_round_trip(unsigned n_events, uint64_t codec)
{
    xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT, back = XT_BUF_INIT;
    make_events(&events, n_events);
    assert_int_equal(xt_batch_encode(stream, 5, n_events, chain, xt_buf_slice(&events), &payload), 0);
    xt_batch batch;
    assert_int_equal(xt_batch_decode(xt_buf_slice(&payload), &batch, NULL), 0);
    assert_int_equal(batch.number, 5);
    assert_int_equal(batch.n_events, n_events);
    assert_int_equal(batch.codec, codec);
    assert_true(xt_hash128_eq(batch.stream, stream) && xt_hash128_eq(batch.chain, chain));
    assert_int_equal(xt_batch_events(&batch, &back, NULL), 0);
    assert_true(xt_slice_eq(xt_buf_slice(&back), xt_buf_slice(&events)));
    xt_buf_fini(&events);
    xt_buf_fini(&payload);
    xt_buf_fini(&back);
}

static void test_round_trip(void **state)
{
    check_round_trip(0, 0);
    check_round_trip(1, 0);
    check_round_trip(500, 1);
}

/* Whatever bit flips, reading ends with an outcome; under ASan no byte outside is touched. */
static void test_bit_flips(void **state)
{
    xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT, back = XT_BUF_INIT;
    make_events(&events, 40);
    assert_int_equal(xt_batch_encode(stream, 5, 40, chain, xt_buf_slice(&events), &payload), 0);
    xt_hash128 hash = xt_batch_hash(xt_buf_slice(&payload));
    for (size_t bit = 0; bit < payload.n * 8; bit++) {
        xt_batch batch;
        payload.p[bit / 8] ^= (char)(1 << bit % 8);
        assert_false(xt_hash128_eq(hash, xt_batch_hash(xt_buf_slice(&payload))));
        int r = xt_batch_decode(xt_buf_slice(&payload), &batch, NULL);
        assert_in_range(r, 0, XT_BATCH_E_CORRUPT);
        if (r == 0)
            assert_in_range(xt_batch_events(&batch, &back, NULL), 0, XT_BATCH_E_DICTIONARY);
        xt_buf_reset(&back);
        payload.p[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(xt_batch_decode(xt_slice_of(payload.p, bit / 8), &batch, NULL), XT_BATCH_E_CORRUPT);
    }
    xt_buf_fini(&events);
    xt_buf_fini(&payload);
    xt_buf_fini(&back);
}

static void test_false_claims(void **state)
{
    xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT, back = XT_BUF_INIT;
    xt_batch batch;
    xt_problem problem = XT_PROBLEM_INIT;
    make_events(&events, 3);
    /* Another count than there are events. */
    assert_int_equal(xt_batch_encode(stream, 1, 4, chain, xt_buf_slice(&events), &payload), 0);
    assert_int_equal(xt_batch_decode(xt_buf_slice(&payload), &batch, NULL), 0);
    assert_int_equal(xt_batch_events(&batch, &back, &problem), XT_BATCH_E_CORRUPT);
    assert_int_equal(back.n, 0);
    /* More raw bytes than a batch may have; a dictionary nobody has. */
    batch.codec = 1;
    batch.raw_bytes = UINT64_MAX;
    assert_int_equal(xt_batch_events(&batch, &back, &problem), XT_BATCH_E_CORRUPT);
    batch.codec = 77;
    assert_int_equal(xt_batch_events(&batch, &back, &problem), XT_BATCH_E_DICTIONARY);
    xt_buf_fini(&events);
    xt_buf_fini(&payload);
    xt_buf_fini(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bit_flips),
        cmocka_unit_test(test_false_claims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

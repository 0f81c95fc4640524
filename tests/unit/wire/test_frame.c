#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/frame.h"

static void test_round_trip(void **state)
{
    xt_buf out = XT_BUF_INIT;
    xt_frame_put(&out, XT_FRAME_HELLO, XT_S("hello"));
    xt_frame_put(&out, XT_FRAME_ACK, XT_S(""));
    xt_slice rest = xt_buf_slice(&out);
    xt_frame frame;
    size_t n = 0;
    assert_int_equal(xt_frame_next(rest, &frame, &n, NULL), 0);
    assert_int_equal(frame.type, XT_FRAME_HELLO);
    assert_true(xt_slice_eq(frame.payload, XT_S("hello")));
    assert_int_equal(n, XT_FRAME_HEADER_BYTES + 5);
    rest = xt_slice_skip(rest, n);
    assert_int_equal(xt_frame_next(rest, &frame, &n, NULL), 0);
    assert_int_equal(frame.type, XT_FRAME_ACK);
    assert_int_equal(frame.payload.n, 0);
    assert_int_equal(n, rest.n);
    xt_buf_fini(&out);
}

static void test_every_cut_asks_for_more(void **state)
{
    xt_buf out = XT_BUF_INIT;
    xt_frame_put(&out, XT_FRAME_BATCH, XT_S("some bytes"));
    for (size_t n = 0; n < out.n; n++) {
        xt_frame frame;
        size_t taken;
        assert_int_equal(xt_frame_next(xt_slice_of(out.p, n), &frame, &taken, NULL), XT_FRAME_E_MORE);
    }
    xt_buf_fini(&out);
}

/* A flipped bit is never another message: corrupt, or (in the length) more bytes that never come. */
static void test_every_bit_matters(void **state)
{
    xt_buf out = XT_BUF_INIT;
    xt_frame_put(&out, XT_FRAME_BATCH, XT_S("some bytes"));
    for (size_t bit = 0; bit < out.n * 8; bit++) {
        xt_frame frame;
        size_t taken;
        xt_problem problem = XT_PROBLEM_INIT;
        out.p[bit / 8] ^= (char)(1 << bit % 8);
        int r = xt_frame_next(xt_buf_slice(&out), &frame, &taken, &problem);
        assert_true(r == XT_FRAME_E_CORRUPT || (r == XT_FRAME_E_MORE && bit < 32));
        assert_int_equal(xt_problem_is_set(&problem), r == XT_FRAME_E_CORRUPT);
        out.p[bit / 8] ^= (char)(1 << bit % 8);
    }
    xt_buf_fini(&out);
}

static void test_limit(void **state)
{
    xt_buf out = XT_BUF_INIT;
    xt_buf_put_u32(&out, XT_FRAME_MAX_BYTES + 1);
    xt_buf_put_u32(&out, XT_FRAME_BATCH);
    xt_buf_put_u64(&out, 0);
    xt_frame frame;
    size_t taken;
    assert_int_equal(xt_frame_next(xt_buf_slice(&out), &frame, &taken, NULL), XT_FRAME_E_CORRUPT);
    xt_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_cut_asks_for_more),
        cmocka_unit_test(test_every_bit_matters),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

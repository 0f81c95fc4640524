/* What a hostile server may make an agent do, and when it comes again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/link_bounds.h"
#include "agent/server_list.h"

static void test_messages(void **state)
{
    xt_link_bounds b = {0};
    unsigned n = 0;
    for (unsigned i = 0; i < 1000; i++)
        n += xt_link_bounds_message(&b, 100000);
    assert_int_equal(n, 60);
    xt_link_bounds_begin(&b); /* who came before is not to the next one's account */
    assert_true(xt_link_bounds_message(&b, 100001));
    for (unsigned i = 0; i < 1000; i++)
        (void)xt_link_bounds_message(&b, 100001);
    assert_true(xt_link_bounds_message(&b, 100001 + 60001));
}

static void test_lines(void **state)
{
    xt_link_bounds b = {0};
    unsigned n = 0;
    for (unsigned second = 0; second < 3600; second++)
        n += xt_link_bounds_line(&b, 1000 * (1 + second));
    assert_in_range(n, 70, 85); /* an hour: twenty, and one a minute */
    xt_link_bounds_worked(&b);
    for (unsigned i = 0; i < 20; i++)
        assert_true(xt_link_bounds_line(&b, 3601000));
    assert_false(xt_link_bounds_line(&b, 3601000));
}

static void test_bytes(void **state)
{
    xt_link_bounds b = {0};
    size_t n = 0;
    for (int64_t ms = 1; ms < 60000; n += 1000) /* as much as it lets in, for a minute */
        ms += xt_link_bounds_bytes(&b, 1000, ms) ? 0 : XT_LINK_REST_S * 1000;
    assert_in_range(n, XT_LINK_BYTES_PER_S * 59, XT_LINK_READ_BYTES + XT_LINK_BYTES_PER_S * 61);
    xt_link_bounds slow = {0};
    for (int64_t ms = 1; ms < 600000; ms += 10) /* and who keeps to it is never stopped */
        assert_true(xt_link_bounds_bytes(&slow, XT_LINK_BYTES_PER_S / 100, ms));
}

static void test_frame(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_frame frame;
    size_t n;
    for (uint64_t claim = XT_LINK_READ_BYTES - 15; claim <= UINT32_MAX; claim *= 2) {
        xt_buf_reset(&out);
        xt_buf_put_u32(&out, (uint32_t)claim);
        assert_int_equal(xt_link_bounds_frame(xt_buf_slice(&out), &frame, &n, NULL), XT_FRAME_E_CORRUPT);
    }
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(xt_link_bounds_frame(xt_slice_of("\xff\xff\xff\xff", i), &frame, &n, NULL), XT_FRAME_E_MORE);
    xt_buf_reset(&out);
    xt_frame_put(&out, XT_FRAME_ACK, XT_S("x"));
    assert_int_equal(xt_link_bounds_frame(xt_buf_slice(&out), &frame, &n, NULL), 0);
    assert_int_equal(n, out.n);
}

/* How often in an hour a server is tried that always asks for that wait. */
static unsigned tries(uint64_t asked_ms)
{
    xt_server_list list;
    unsigned n = 0;
    assert_int_equal(xt_server_list_parse(&list, "a:1", NULL), 0);
    for (uint64_t ms = 1; ms < 3600000; n++)
        ms += xt_server_list_failed(&list, asked_ms, (int64_t)ms);
    return n;
}

static void test_waits(void **state)
{
    assert_in_range(tries(0), 100, 500);
    assert_in_range(tries(1), 3600 * 10 / 10, 7201); /* between 0.5 and 0.75 s */
    assert_in_range(tries(20000), 120, 181);
    for (unsigned i = 0; i < 100; i++) {
        xt_server_list list;
        assert_int_equal(xt_server_list_parse(&list, "a:1", NULL), 0);
        assert_in_range(xt_server_list_failed(&list, UINT64_MAX - i, 1), XT_SERVER_WAIT_MAX_MS,
                        XT_SERVER_WAIT_MAX_MS * 3 / 2);
    }
}

/* One of two that sends agents away for as long as it may does not keep them from the other. */
static void test_the_other(void **state)
{
    xt_server_list list;
    unsigned n[2] = {0};
    assert_int_equal(xt_server_list_parse(&list, "bad:1,good:1", NULL), 0);
    for (uint64_t ms = 1; ms < 600000;) {
        bool bad = strcmp(xt_server_list_get(&list)->host, "bad") == 0;
        n[bad]++;
        ms += xt_server_list_failed(&list, bad ? UINT64_MAX : 0, (int64_t)ms);
    }
    assert_int_equal(n[true], 1);
    assert_true(n[false] > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages), cmocka_unit_test(test_lines), cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_frame),    cmocka_unit_test(test_waits), cmocka_unit_test(test_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

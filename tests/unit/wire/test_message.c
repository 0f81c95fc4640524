#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/message.h"

static const xt_hash128 stream = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static void test_hello(void **state)
{
    const xt_hello in = {
        .version = 1,
        .host_id = XT_S("00112233445566778899aabbccddeeff"),
        .host_name = XT_S("web-1"),
        .boot_id = XT_S("b"),
        .agent_version = XT_S("0.1.0"),
        .os = XT_S("Debian 12"),
        .stream = stream,
        .dictionary = 7,
        .audit_mode = XT_S("owner"),
        .completeness = XT_S("every record"),
    };
    xt_buf out = XT_BUF_INIT;
    xt_hello_put(&out, &in);
    xt_buf_puts(&out, "a later version's member");
    xt_hello back;
    assert_int_equal(xt_hello_decode(xt_buf_slice(&out), &back, NULL), 0);
    assert_int_equal(back.version, 1);
    assert_true(xt_slice_eq(back.host_id, in.host_id));
    assert_true(xt_slice_eq(back.os, in.os));
    assert_true(xt_hash128_eq(back.stream, stream));
    assert_int_equal(back.dictionary, 7);
    assert_true(xt_slice_eq(back.completeness, in.completeness));
    xt_buf_fini(&out);
}

static void test_heartbeat_cut(void **state)
{
    const xt_heartbeat in = {
        .time_ms = UINT64_C(1790000000000), .lost = 300, .rss_bytes = 1 << 24, .blind = XT_S("-a never,task")};
    xt_buf out = XT_BUF_INIT;
    xt_heartbeat_put(&out, &in);
    xt_heartbeat back = {.lost = 99};
    for (size_t n = 0; n < out.n; n++) {
        xt_problem problem = XT_PROBLEM_INIT;
        assert_int_equal(xt_heartbeat_decode(xt_slice_of(out.p, n), &back, &problem), XT_MESSAGE_E_CORRUPT);
        assert_true(xt_problem_is_set(&problem));
        assert_int_equal(back.lost, 99);
    }
    assert_int_equal(xt_heartbeat_decode(xt_buf_slice(&out), &back, NULL), 0);
    assert_int_equal(back.time_ms, in.time_ms);
    assert_int_equal(back.lost, 300);
    assert_int_equal(back.rss_bytes, 1 << 24);
    assert_true(xt_slice_eq(back.blind, in.blind));
    xt_buf_fini(&out);
}

static void test_small_ones(void **state)
{
    xt_buf out = XT_BUF_INIT;
    xt_ack_put(&out, &(xt_ack){.number = 1u << 20});
    xt_ack ack;
    assert_int_equal(xt_ack_decode(xt_buf_slice(&out), &ack, NULL), 0);
    assert_int_equal(ack.number, 1u << 20);
    xt_buf_reset(&out);
    xt_refused_put(&out, &(xt_refused){.reason = XT_REFUSED_GAP, .retry_ms = 5, .sentence = XT_S("why")});
    xt_refused refused;
    assert_int_equal(xt_refused_decode(xt_buf_slice(&out), &refused, NULL), 0);
    assert_int_equal(refused.reason, XT_REFUSED_GAP);
    assert_true(xt_slice_eq(refused.sentence, XT_S("why")));
    xt_buf_reset(&out);
    xt_welcome_put(&out, &(xt_welcome){.version = 1, .number = 4, .hash = stream, .window = 16});
    xt_welcome welcome;
    assert_int_equal(xt_welcome_decode(xt_buf_slice(&out), &welcome, NULL), 0);
    assert_true(xt_hash128_eq(welcome.hash, stream));
    assert_int_equal(welcome.window, 16);
    xt_buf_reset(&out);
    xt_enroll_put(&out, &(xt_enroll){.version = 1, .secret = XT_S("s\0s"), .csr_der = XT_S("d"), .os = XT_S("o")});
    xt_enroll enroll;
    assert_int_equal(xt_enroll_decode(xt_buf_slice(&out), &enroll, NULL), 0);
    assert_true(xt_slice_eq(enroll.secret, XT_S("s\0s")));
    assert_true(xt_slice_eq(enroll.os, XT_S("o")));
    xt_buf_reset(&out);
    xt_enrolled_put(&out, &(xt_enrolled){.host_id = XT_S("h"), .cert_pem = XT_S("c"), .ca_pem = XT_S("a")});
    xt_enrolled enrolled;
    assert_int_equal(xt_enrolled_decode(xt_buf_slice(&out), &enrolled, NULL), 0);
    assert_true(xt_slice_eq(enrolled.ca_pem, XT_S("a")));
    xt_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_heartbeat_cut),
        cmocka_unit_test(test_small_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/frame.h"
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
    xt_hello back = {.features = 9};
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
        if (n == out.n - 24 || n == out.n - 23 || n == out.n - 16 || n == out.n - 6 || n == out.n - 4)
            continue; /* sent_ms was added later, then seven members, then ten, then two, then four */
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
    xt_buf_put_varint(&out, 7); /* of a server that asks for nothing yet */
    ack.gather_ms = 9;
    assert_int_equal(xt_ack_decode(xt_buf_slice(&out), &ack, NULL), 0);
    assert_int_equal(ack.number, 7);
    assert_int_equal(ack.gather_ms, 0);
    xt_buf_reset(&out);
    xt_ack_put(&out, &(xt_ack){.number = 8, .gather_ms = 500});
    assert_int_equal(xt_ack_decode(xt_buf_slice(&out), &ack, NULL), 0);
    assert_int_equal(ack.gather_ms, 500);
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

/* What agents and servers of version 0.1.0 sent, byte for byte: it has to be understood for ever. */
static const char old_hello[] =
    "9400000003000000abe779f90b9c6d31"
    "01203031323334353637383961626364656630313233343536373839616263646566057765622d31243763306164"
    "3462612d386138632d346636622d396131342d30643763356132663965313105302e312e301e44656269616e2047"
    "4e552f4c696e75782031322028626f6f6b776f726d290102030405060708090a0b0c0d0e0f1000056f776e65720a"
    "65766572797468696e67";
static const char old_welcome[] = "15000000040000002be08ec4fe93fb5a01ac02090000000000000000000000000000000020";
static const char old_heartbeat[] = "3100000007000000f6512b64596f52b980d8c1a28c34014d0003040000000000000000000000"
                                    "0000c0a8a504026162056f776e65720a65766572797468696e6700";
static const char old_enroll[] = "3500000001000000a4c5d826893b2b0401203031323334353637383961626364656630313233343536"
                                 "373839616263646566036373720577"
                                 "65622d31016d0644656269616e";

/* The frame that these digits are; its bytes stand in *bytes. */
static xt_frame golden(const char *digits, xt_buf *bytes)
{
    xt_frame frame;
    size_t taken;
    xt_buf_reset(bytes);
    for (; *digits; digits += 2) {
        uint64_t byte;
        assert_true(xt_slice_parse_hex(xt_slice_of(digits, 2), &byte));
        xt_buf_putc(bytes, (char)byte);
    }
    assert_int_equal(xt_frame_next(xt_buf_slice(bytes), &frame, &taken, NULL), 0);
    assert_int_equal(taken, bytes->n);
    return frame;
}

static void test_golden(void **state)
{
    xt_buf bytes = XT_BUF_INIT;
    xt_hello hello;
    xt_welcome welcome;
    xt_heartbeat beat;
    xt_enroll enroll;
    xt_frame frame = golden(old_hello, &bytes);
    assert_int_equal(frame.type, XT_FRAME_HELLO);
    assert_int_equal(xt_hello_decode(frame.payload, &hello, NULL), 0);
    assert_true(xt_slice_eq(hello.boot_id, XT_S("7c0ad4ba-8a8c-4f6b-9a14-0d7c5a2f9e11")));
    assert_true(xt_hash128_eq(hello.stream, stream));
    assert_true(xt_slice_eq(hello.completeness, XT_S("everything")));
    assert_int_equal(hello.features, 0);
    assert_int_equal(hello.machine_id.n, 0);
    frame = golden(old_welcome, &bytes);
    assert_int_equal(frame.type, XT_FRAME_WELCOME);
    assert_int_equal(xt_welcome_decode(frame.payload, &welcome, NULL), 0);
    assert_int_equal(welcome.number, 300);
    assert_int_equal(welcome.window, 32);
    assert_int_equal(welcome.features, 0);
    frame = golden(old_heartbeat, &bytes);
    assert_int_equal(frame.type, XT_FRAME_HEARTBEAT);
    assert_int_equal(xt_heartbeat_decode(frame.payload, &beat, NULL), 0);
    assert_int_equal(beat.time_ms, UINT64_C(1790000000000));
    assert_int_equal(beat.rss_bytes, 9000000);
    assert_int_equal(beat.sent_ms, 0);
    frame = golden(old_enroll, &bytes);
    assert_int_equal(frame.type, XT_FRAME_ENROLL);
    assert_int_equal(xt_enroll_decode(frame.payload, &enroll, NULL), 0);
    assert_true(xt_slice_eq(enroll.os, XT_S("Debian")));
    assert_int_equal(enroll.host_id.n, 0);
    xt_buf_fini(&bytes);
}

/* A message may end where members were added later, and nowhere else; cut inside them it is damaged. */
static void test_later_members(void **state)
{
    xt_buf out = XT_BUF_INIT;
    xt_hello hello, whole = {.version = 1, .machine_id = XT_S("machine"), .clock_ms = UINT64_C(1790000000000)};
    xt_hello_put(&out, &whole);
    size_t later = out.n - 1 - 1 - strlen("machine") - 6 - 1; /* features, length, id, clock, trust */
    for (size_t n = 0; n < out.n; n++)
        assert_int_equal(xt_hello_decode(xt_slice_of(out.p, n), &hello, NULL), n == later ? 0 : XT_MESSAGE_E_CORRUPT);
    assert_int_equal(xt_hello_decode(xt_buf_slice(&out), &hello, NULL), 0);
    assert_true(xt_slice_eq(hello.machine_id, XT_S("machine")));
    xt_buf_fini(&out);
}

/* Every number has its own name, and one of a later version has words too. */
static void test_refusals(void **state)
{
    for (uint64_t i = 1; i <= XT_REFUSED_QUARANTINED; i++) {
        const xt_refusal_words *words = xt_refusal_words_get(i);
        assert_non_null(words->name);
        assert_true(strlen(words->sentence) > 10);
        for (uint64_t k = 0; k < i; k++)
            assert_string_not_equal(words->name, xt_refusal_words_get(k)->name);
    }
    assert_string_equal(xt_refusal_words_get(UINT64_MAX)->name, "unknown-reason");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello),  cmocka_unit_test(test_heartbeat_cut), cmocka_unit_test(test_small_ones),
        cmocka_unit_test(test_golden), cmocka_unit_test(test_later_members), cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

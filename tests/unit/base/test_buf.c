/* base/buf: growth, limits, formatting, and reading back. */
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"

#define assert_text(buf, z) assert_true(xt_slice_eq(xt_buf_slice(buf), xt_slice_str(z)))

static void test_text(void **state)
{
    xt_buf buf = XT_BUF_INIT;

    assert_true(xt_buf_slice(&buf).n == 0);
    xt_buf_put(&buf, XT_S_NULL);
    xt_buf_puts(&buf, "a");
    xt_buf_putc(&buf, 'b');
    xt_buf_printf(&buf, "%d-%s", 12, "c");
    xt_buf_put_hex(&buf, xt_slice_of("\x00\xff\x1a", 3));
    assert_text(&buf, "ab12-c00ff1a");
    xt_buf_consume(&buf, 5);
    assert_text(&buf, "c00ff1a");
    xt_buf_consume(&buf, 7);
    assert_text(&buf, "");
    assert_int_equal(xt_buf_done(&buf), 0);
    xt_buf_fini(&buf);
}

static void test_decimals_as_printf(void **state)
{
    const uint64_t seeds[] = {0, 9, 10, 99, 100, 101, 12345, UINT32_MAX, INT64_MAX, UINT64_MAX};
    xt_buf buf = XT_BUF_INIT;
    char want[64];

    for (size_t i = 0; i < XT_COUNT_OF(seeds); i++) {
        for (unsigned shift = 0; shift < 64; shift++) {
            xt_buf_reset(&buf);
            xt_buf_put_dec(&buf, seeds[i] >> shift);
            xt_buf_putc(&buf, ' ');
            xt_buf_put_sdec(&buf, (int64_t)(seeds[i] << shift));
            snprintf(want, sizeof want, "%" PRIu64 " %" PRId64, seeds[i] >> shift, (int64_t)(seeds[i] << shift));
            assert_text(&buf, want);
        }
    }
    xt_buf_fini(&buf);
}

static void test_printf_of_any_length(void **state)
{
    xt_buf buf = XT_BUF_INIT;
    char text[300];

    for (int n = 0; n < (int)sizeof text; n++) {
        memset(text, 'a' + n % 26, sizeof text);
        size_t before = buf.n;
        xt_buf_printf(&buf, "%.*s", n, text);
        assert_int_equal(buf.n, before + (size_t)n);
        assert_memory_equal(buf.p + before, text, (size_t)n);
    }
    xt_buf_fini(&buf);
}

static void test_byte_by_byte(void **state)
{
    xt_buf buf = XT_BUF_INIT;

    for (size_t n = 0; n < 1000; n++) {
        assert_true(buf.n <= buf.cap);
        xt_buf_putc(&buf, (char)n);
        assert_int_equal((uint8_t)buf.p[n], (uint8_t)n);
    }
    xt_buf_fini(&buf);
}

static void test_printf_that_just_fits(void **state)
{
    char text[200];

    memset(text, 'x', sizeof text);
    for (int n = 0; n < (int)sizeof text; n++) {
        xt_buf buf = XT_BUF_INIT;
        assert_non_null(xt_buf_reserve(&buf, 1));
        xt_buf_printf(&buf, "%.*s", n, text); /* the NUL has no room where n is the capacity */
        assert_true(xt_slice_eq(xt_buf_slice(&buf), xt_slice_of(text, (size_t)n)));
        xt_buf_fini(&buf);
    }
}

static void test_limit_is_sticky(void **state)
{
    xt_buf buf = {.max_bytes = 10};

    xt_buf_puts(&buf, "12345678");
    xt_buf_printf(&buf, "%s", "90");
    assert_int_equal(xt_buf_done(&buf), 0);
    assert_text(&buf, "1234567890");
    xt_buf_putc(&buf, 'x');
    xt_buf_consume(&buf, 5);
    xt_buf_printf(&buf, "x");
    assert_text(&buf, "67890");
    assert_true(xt_buf_done(&buf) < 0);
    xt_buf_reset(&buf);
    xt_buf_printf(&buf, "%s", "12345678901");
    assert_true(buf.failed);
    xt_buf_reset(&buf);
    assert_null(xt_buf_reserve(&buf, SIZE_MAX));
    xt_buf_fini(&buf);
}

static void test_on_an_array(void **state)
{
    char bytes[8];
    xt_buf buf = XT_BUF_ON(bytes);

    xt_buf_puts(&buf, "1234567");
    assert_false(buf.failed);
    assert_ptr_equal(buf.p, bytes);
    xt_buf_putc(&buf, '8');
    assert_true(buf.failed);
    xt_buf_reset(&buf);
    xt_buf_printf(&buf, "%d", 1234567);
    assert_text(&buf, "1234567");
    assert_string_equal(bytes, "1234567");
}

static void test_binary_layout(void **state)
{
    xt_buf buf = XT_BUF_INIT;
    static const char want[] = "\x01\x03\x02\x07\x06\x05\x04\x0f\x0e\x0d\x0c\x0b\x0a\x09\x08\xac\x02\x05\x02hi";

    xt_buf_put_u8(&buf, 1);
    xt_buf_put_u16(&buf, 0x0203);
    xt_buf_put_u32(&buf, 0x04050607);
    xt_buf_put_u64(&buf, 0x08090a0b0c0d0e0f);
    xt_buf_put_varint(&buf, 300); /* the example of the Protocol Buffers encoding guide */
    xt_buf_put_zigzag(&buf, -3);
    xt_buf_put_block(&buf, XT_S("hi"));
    assert_true(xt_slice_eq(xt_buf_slice(&buf), xt_slice_of(want, sizeof want - 1)));

    xt_reader r = xt_reader_of(xt_buf_slice(&buf));
    assert_int_equal(xt_reader_u8(&r), 1);
    assert_int_equal(xt_reader_u16(&r), 0x0203);
    assert_int_equal(xt_reader_u32(&r), 0x04050607);
    assert_true(xt_reader_u64(&r) == 0x08090a0b0c0d0e0f);
    assert_int_equal(xt_reader_varint(&r), 300);
    assert_int_equal(xt_reader_zigzag(&r), -3);
    assert_true(xt_slice_eq(xt_reader_block(&r), XT_S("hi")));
    assert_true(xt_reader_done(&r));
    xt_buf_fini(&buf);
}

static void test_varints_there_and_back(void **state)
{
    xt_buf buf = XT_BUF_INIT;

    for (unsigned shift = 0; shift < 64; shift++) {
        for (int64_t d = -1; d <= 1; d++) {
            uint64_t v = (UINT64_C(1) << shift) + (uint64_t)d;
            xt_buf_reset(&buf);
            xt_buf_put_varint(&buf, v);
            xt_buf_put_zigzag(&buf, (int64_t)v);
            xt_reader r = xt_reader_of(xt_buf_slice(&buf));
            assert_true(xt_reader_varint(&r) == v);
            assert_true(xt_reader_zigzag(&r) == (int64_t)v);
            assert_true(xt_reader_done(&r));
        }
    }
    xt_buf_fini(&buf);
}

static void test_reader_fails_for_good(void **state)
{
    xt_reader r = xt_reader_of(xt_slice_of("\x01\x02\x03", 3));

    assert_int_equal(xt_reader_u32(&r), 0);
    assert_true(r.failed);
    assert_int_equal(xt_reader_u8(&r), 0);
    assert_int_equal(xt_reader_bytes(&r, 1).n, 0);
    assert_false(xt_reader_done(&r));

    r = xt_reader_of(XT_S("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")); /* 65 bits */
    assert_int_equal(xt_reader_varint(&r), 0);
    assert_true(r.failed);
    r = xt_reader_of(XT_S("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00")); /* eleven bytes */
    assert_int_equal(xt_reader_varint(&r), 0);
    assert_true(r.failed);
    r = xt_reader_of(XT_S("\x80"));
    assert_int_equal(xt_reader_varint(&r), 0);
    assert_true(r.failed);
    r = xt_reader_of(XT_S("\x05hi")); /* a block longer than what there is */
    assert_null(xt_reader_block(&r).p);
    assert_true(r.failed);
    r = xt_reader_of(XT_S_NULL);
    assert_int_equal(xt_reader_bytes(&r, 0).n, 0);
    assert_true(xt_reader_done(&r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_decimals_as_printf),
        cmocka_unit_test(test_printf_of_any_length),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_printf_that_just_fits),
        cmocka_unit_test(test_limit_is_sticky),
        cmocka_unit_test(test_on_an_array),
        cmocka_unit_test(test_binary_layout),
        cmocka_unit_test(test_varints_there_and_back),
        cmocka_unit_test(test_reader_fails_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

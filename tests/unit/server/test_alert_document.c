#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "server/alert_document.h"

static const char document[] = "{\"rule\":{\"id\":\"1\",\"name\":\"a "
                               "shell\"},\"event\":{\"sequence\":7,\"action\":\"executed\"},\"user\":{\"id\":\"33\"},"
                               "\"process\":{\"pid\":4711,\"executable\":\"/usr/bin/dash\",\"args\":[\"/bin/"
                               "sh\",\"-c\",\"id\"],\"args_count\":3}}";

static void what_is_packed_comes_back(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf packed = XT_BUF_INIT, back = XT_BUF_INIT;
    (void)state;

    assert_int_equal(xt_alert_document_pack(xt_slice_str(document), &packed), 0);
    assert_true(packed.n < sizeof document * 2 / 3);
    assert_int_equal(xt_alert_document_unpack(xt_buf_slice(&packed), &back), 0);
    assert_true(xt_slice_eq(xt_buf_slice(&back), xt_slice_str(document)));
}

/* Written when the format was made: the dictionary must stay what it was then. */
static void what_was_packed_long_ago_is_read(void **state)
{
    static const unsigned char old[] = {
        0x28, 0xb5, 0x2f, 0xfd, 0x20, 0xc2, 0x6d, 0x01, 0x00, 0x48, 0x37, 0x34, 0x37, 0x31, 0x31, 0x69, 0x64, 0x7d,
        0x7d, 0x0b, 0x00, 0xef, 0x3b, 0x63, 0xfb, 0xaa, 0xc3, 0x13, 0xd1, 0x50, 0x20, 0x91, 0x00, 0x42, 0x39, 0x01,
        0xc6, 0x32, 0x7d, 0x98, 0x65, 0x46, 0xe0, 0x05, 0x50, 0x32, 0x67, 0x70, 0x3a, 0x1b, 0x10, 0x77, 0x97, 0x81,
    };
    XT_CLEANUP(xt_buf_fini) xt_buf back = XT_BUF_INIT;
    (void)state;

    assert_int_equal(xt_alert_document_unpack(xt_slice_of(old, sizeof old), &back), 0);
    assert_true(xt_slice_eq(xt_buf_slice(&back), xt_slice_str(document)));
}

static void plain_documents_are_read_as_they_are(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf back = XT_BUF_INIT;
    (void)state;

    assert_int_equal(xt_alert_document_unpack(xt_slice_str(document), &back), 0);
    assert_true(xt_slice_eq(xt_buf_slice(&back), xt_slice_str(document)));
}

static void damage_is_an_error(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf packed = XT_BUF_INIT;
    (void)state;

    assert_int_equal(xt_alert_document_pack(xt_slice_str(document), &packed), 0);
    for (size_t n = 1; n < packed.n; n++) {
        XT_CLEANUP(xt_buf_fini) xt_buf back = XT_BUF_INIT;
        assert_int_equal(xt_alert_document_unpack(xt_slice_of(packed.p, n), &back), -EIO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_comes_back),
        cmocka_unit_test(what_was_packed_long_ago_is_read),
        cmocka_unit_test(plain_documents_are_read_as_they_are),
        cmocka_unit_test(damage_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

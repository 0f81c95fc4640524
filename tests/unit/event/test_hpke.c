/* event/hpke: the vector of RFC 9180 appendix A.2.1 (base mode, sequence number 0), and what must not open. */
#include "support.h"

#include "event/hpke.h"

static xt_slice unhex(const char *text, xt_buf *out)
{
    for (xt_buf_reset(out); *text; text += 2) {
        uint64_t byte = 0;
        assert_true(xt_slice_parse_hex(xt_slice_of(text, 2), &byte));
        xt_buf_putc(out, (char)byte);
    }
    return xt_buf_slice(out);
}

static xt_hpke_key key_of(const char *text)
{
    xt_hpke_key key;
    xt_buf bytes = XT_BUF_INIT;
    assert_int_equal(unhex(text, &bytes).n, sizeof key.b);
    memcpy(key.b, bytes.p, sizeof key.b);
    xt_buf_fini(&bytes);
    return key;
}

#define INFO       XT_S("Ode on a Grecian Urn")
#define MESSAGE    XT_S("Beauty is truth, truth beauty")
#define AAD        XT_S("Count-0")
#define ENC        "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"
#define CIPHERTEXT "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
#define PUBLIC     "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a"
#define PRIVATE    "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb"
#define EPHEMERAL  "f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600"

static void test_vector(void **state)
{
    xt_hpke_key receiver = key_of(PUBLIC), own = key_of(PRIVATE), ephemeral = key_of(EPHEMERAL), public_key;
    xt_buf sealed = XT_BUF_INIT, wanted = XT_BUF_INIT, opened = XT_BUF_INIT;
    assert_int_equal(xt_hpke_public_of(&own, &public_key), 0);
    assert_memory_equal(public_key.b, receiver.b, sizeof receiver.b);
    assert_int_equal(xt_hpke_seal(&receiver, &ephemeral, INFO, AAD, MESSAGE, &sealed), 0);
    assert_true(xt_slice_eq(xt_buf_slice(&sealed), unhex(ENC CIPHERTEXT, &wanted)));
    assert_int_equal(xt_hpke_open(&own, INFO, AAD, xt_buf_slice(&wanted), &opened), 0);
    assert_true(xt_slice_eq(xt_buf_slice(&opened), MESSAGE));
    xt_buf_fini(&sealed);
    xt_buf_fini(&wanted);
    xt_buf_fini(&opened);
}

static void test_refused(void **state)
{
    xt_hpke_key receiver = key_of(PUBLIC), own = key_of(PRIVATE), other = key_of(EPHEMERAL), zero = {.b = {0}};
    xt_buf sealed = XT_BUF_INIT, opened = XT_BUF_INIT;
    assert_int_equal(xt_hpke_seal(&receiver, NULL, INFO, AAD, MESSAGE, &sealed), 0);
    assert_int_equal(sealed.n, MESSAGE.n + XT_HPKE_OVERHEAD_BYTES);
    xt_slice box = xt_buf_slice(&sealed);
    assert_int_equal(xt_hpke_open(&other, INFO, AAD, box, &opened), XT_HPKE_E_REFUSED);
    assert_int_equal(xt_hpke_open(&own, XT_S("x"), AAD, box, &opened), XT_HPKE_E_REFUSED);
    assert_int_equal(xt_hpke_open(&own, INFO, XT_S_NULL, box, &opened), XT_HPKE_E_REFUSED);
    assert_int_equal(xt_hpke_open(&own, INFO, AAD, xt_slice_head(box, box.n - 1), &opened), XT_HPKE_E_REFUSED);
    assert_int_equal(xt_hpke_open(&own, INFO, AAD, xt_slice_head(box, 47), &opened), XT_HPKE_E_REFUSED);
    for (size_t i = 0; i < box.n; i++) { /* of the last byte of the first 32 the highest bit does not count */
        sealed.p[i] ^= 1;
        assert_int_equal(xt_hpke_open(&own, INFO, AAD, box, &opened), XT_HPKE_E_REFUSED);
        sealed.p[i] ^= 1;
    }
    assert_int_equal(opened.n, 0);
    assert_int_equal(xt_hpke_seal(&zero, NULL, INFO, AAD, MESSAGE, &opened), XT_HPKE_E_REFUSED);
    xt_buf_fini(&sealed);
    xt_buf_fini(&opened);
}

/* Each sealing has a key of its own. */
static void test_fresh(void **state)
{
    xt_hpke_key receiver = key_of(PUBLIC), own = key_of(PRIVATE);
    xt_buf first = XT_BUF_INIT, second = XT_BUF_INIT, opened = XT_BUF_INIT;
    assert_int_equal(xt_hpke_seal(&receiver, NULL, INFO, XT_S_NULL, XT_S_NULL, &first), 0);
    assert_int_equal(xt_hpke_seal(&receiver, NULL, INFO, XT_S_NULL, XT_S_NULL, &second), 0);
    assert_memory_not_equal(first.p, second.p, XT_HPKE_KEY_BYTES);
    assert_int_equal(xt_hpke_open(&own, INFO, XT_S_NULL, xt_buf_slice(&first), &opened), 0);
    assert_int_equal(opened.n, 0);
    xt_buf_fini(&first);
    xt_buf_fini(&second);
    xt_buf_fini(&opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vector), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_fresh)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

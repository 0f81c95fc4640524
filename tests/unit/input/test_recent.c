#include "input/recent.h"

#include "cmocka_head.h"

#define N 64

static uint64_t hash(uint64_t i)
{
    return i * UINT64_C(0x9e3779b97f4a7c15);
}

static bool knows(uint64_t n_put, uint64_t i)
{
    xt_recent recent;
    assert_int_equal(xt_recent_init(&recent, N), 0);
    for (uint64_t k = 0; k < n_put; k++)
        assert_false(xt_recent_put(&recent, hash(k)));
    bool known = xt_recent_put(&recent, hash(i));
    assert_true(xt_recent_put(&recent, hash(i)));
    xt_recent_fini(&recent);
    return known;
}

/* The last N are known, what is older than twice that is not. */
static void test_the_last_are_known(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 6 * N; n += 13) {
        for (uint64_t back = 1; back <= N && back <= n; back++)
            assert_true(knows(n, n - back));
        if (n > 2 * N + 2)
            assert_false(knows(n, n - 2 * N - 3));
        assert_false(knows(n, n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_last_are_known)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* base/clock: the system's clocks, and one of a test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

static int64_t fixed_ms(const xt_clock *clock)
{
    return *(const int64_t *)clock->context;
}

static void test_system(void **state)
{
    int64_t before = (int64_t)time(NULL) * 1000, now = xt_clock_wall_ms(&xt_clock_system);

    assert_true(now >= before - 1000 && now <= before + 60000);
    int64_t mono = xt_clock_mono_ms(&xt_clock_system);
    assert_true(xt_clock_mono_ms(&xt_clock_system) >= mono);
}

static void test_injected(void **state)
{
    int64_t now = 42;
    xt_clock clock = {.wall_ms = fixed_ms, .mono_ms = fixed_ms, .context = &now};

    assert_int_equal(xt_clock_wall_ms(&clock), 42);
    now = 43;
    assert_int_equal(xt_clock_mono_ms(&clock), 43);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_system), cmocka_unit_test(test_injected)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Roll-outs over simulated hosts: which heartbeats make one halt, and which do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/wave_judge.h"

#define N    20
#define BEAT 5000

typedef struct fleet {
    xt_wave_host hosts[N];
    uint64_t lost[N], cpu_us[N];
    int64_t seen_ms[N], now_ms;
    char reason[256];
} fleet;

/* What a host does in one beat. */
typedef struct load {
    uint64_t lost, cpu_us;
    bool silent;
} load;

static const load quiet = {0, 15000, false}; /* 0.3 % of a core */

static void beat(fleet *f, unsigned n_with, load with, load without)
{
    f->now_ms += BEAT;
    for (unsigned i = 0; i < N; i++) {
        const load *l = i < n_with ? &with : &without;
        f->lost[i] += l->lost;
        f->cpu_us[i] += l->cpu_us;
        if (!l->silent)
            f->seen_ms[i] = f->now_ms;
        xt_wave_host_take(&f->hosts[i], f->lost[i], f->cpu_us[i], f->seen_ms[i], f->now_ms);
        xt_wave_host_give(&f->hosts[i], i < n_with);
    }
}

static xt_wave_verdict judge(fleet *f)
{
    xt_wave_side sides[2] = {{0}};
    for (unsigned i = 0; i < N; i++)
        xt_wave_side_add(&sides[f->hosts[i].has_policy], &f->hosts[i]);
    return xt_wave_judge(&sides[1], &sides[0], f->reason);
}

static fleet begin(void)
{
    fleet f = {.now_ms = 1000000};
    for (unsigned i = 0; i < 60; i++)
        beat(&f, 0, quiet, quiet);
    return f;
}

static void mark(fleet *f)
{
    for (unsigned i = 0; i < N; i++)
        xt_wave_host_mark(&f->hosts[i]);
}

static xt_wave_verdict after(unsigned n_beats, unsigned n_with, load with, load without)
{
    fleet f = begin();
    xt_wave_verdict v = XT_WAVE_GOOD;
    mark(&f);
    for (unsigned i = 0; i < n_beats && v == XT_WAVE_GOOD; i++) {
        beat(&f, n_with, with, without);
        v = judge(&f);
    }
    if (v != XT_WAVE_GOOD)
        assert_true(f.reason[0] != '\0');
    return v;
}

static void test_good(void **state)
{
    assert_int_equal(after(100, 1, quiet, quiet), XT_WAVE_GOOD);
    assert_int_equal(after(100, 2, (load){0, 18000, false}, quiet), XT_WAVE_GOOD);
    assert_int_equal(after(100, N, (load){0, 20000, false}, quiet), XT_WAVE_GOOD);
}

static void test_loss(void **state)
{
    assert_int_equal(after(100, 1, (load){1, 15000, false}, quiet), XT_WAVE_LOSES);
    assert_int_equal(after(100, N, (load){1, 15000, false}, quiet), XT_WAVE_LOSES);
    /* all hosts lose: the policy is not to blame */
    assert_int_equal(after(100, 2, (load){3, 15000, false}, (load){3, 15000, false}), XT_WAVE_GOOD);
}

static void test_cpu(void **state)
{
    assert_int_equal(after(100, 1, (load){0, 60000, false}, quiet), XT_WAVE_COSTS);
    assert_int_equal(after(100, N, (load){0, 60000, false}, quiet), XT_WAVE_COSTS);
    assert_int_equal(after(100, 2, (load){0, 60000, false}, (load){0, 60000, false}), XT_WAVE_GOOD);
    fleet f = begin();
    for (unsigned i = 0; i < 200; i++) /* the load rose everywhere before */
        beat(&f, 0, quiet, (load){0, 60000, false});
    for (unsigned i = 0; i < 100; i++) {
        beat(&f, 2, (load){0, 60000, false}, (load){0, 60000, false});
        assert_int_equal(judge(&f), XT_WAVE_GOOD);
    }
}

static void test_silence(void **state)
{
    assert_int_equal(after(100, 1, (load){0, 0, true}, quiet), XT_WAVE_SILENCES);
    assert_int_equal(after(100, 4, (load){0, 0, true}, quiet), XT_WAVE_SILENCES);
    /* the network is down for all */
    assert_int_equal(after(20, 4, (load){0, 0, true}, (load){0, 0, true}), XT_WAVE_GOOD);
    fleet f = begin();
    for (unsigned i = 0; i < 10; i++) /* the first was silent before it had the policy */
        beat(&f, 1, (load){0, 0, true}, quiet), xt_wave_host_give(&f.hosts[0], false);
    for (unsigned i = 0; i < 10; i++) {
        beat(&f, 1, (load){0, 0, true}, quiet);
        assert_int_equal(judge(&f), XT_WAVE_GOOD);
    }
}

static void test_refused(void **state)
{
    fleet f = begin();
    beat(&f, 2, quiet, quiet);
    f.hosts[1].is_refused = true;
    assert_int_equal(judge(&f), XT_WAVE_REFUSED);
}

/* An agent that starts anew counts from nothing. */
static void test_counters_begin_anew(void **state)
{
    fleet f = begin();
    f.lost[0] = 1000;
    for (unsigned i = 0; i < 60; i++)
        beat(&f, 0, quiet, quiet);
    f.lost[0] = f.cpu_us[0] = 0;
    for (unsigned i = 0; i < 60; i++) {
        beat(&f, 1, quiet, quiet);
        assert_int_equal(judge(&f), XT_WAVE_GOOD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),    cmocka_unit_test(test_loss),    cmocka_unit_test(test_cpu),
        cmocka_unit_test(test_silence), cmocka_unit_test(test_refused), cmocka_unit_test(test_counters_begin_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

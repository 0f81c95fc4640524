/* A fleet of agents that follow what they are told, beside the rule that tells them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/gather.h"
#include "wire/message.h"

/* Batches a second of n agents with so many single events a second each, evenly spread: the first one waits 100 ms and what is asked. */
static uint64_t batches(uint64_t n, uint64_t per_s, unsigned gather_ms)
{
    uint64_t own_ms = 100 + gather_ms, apart_ms = 1000 / per_s;
    uint64_t every_ms = own_ms < apart_ms ? apart_ms : (own_ms / apart_ms + 1) * apart_ms;

    return n * 1000 / every_ms;
}

static void run(xt_gather *gather, uint64_t n, uint64_t per_s, unsigned seconds, int64_t *now_ms)
{
    for (unsigned i = 0; i < seconds; i++) {
        gather->n_batches += batches(n, per_s, gather->ms);
        *now_ms += 1000;
        (void)xt_gather_look(gather, false, *now_ms);
    }
}

static void few_are_asked_for_nothing(void **state)
{
    xt_gather gather;
    int64_t now_ms = 1;

    xt_gather_init(&gather, 1, now_ms);
    run(&gather, 1, 5, 30, &now_ms);
    assert_int_equal(gather.ms, 0);
    run(&gather, 500, 5, 30, &now_ms);
    assert_int_equal(gather.ms, 0);
}

static void many_gather_and_come_to_rest(void **state)
{
    const struct {
        uint64_t n, per_s;
    } fleets[] = {{1000, 5}, {2000, 5}, {5000, 2}, {3000, 10}, {10000, 1}, {10000, 5}, {10000, 50}};
    int64_t now_ms = 1;

    for (size_t i = 0; i < sizeof fleets / sizeof *fleets; i++) {
        xt_gather gather;
        xt_gather_init(&gather, 0, now_ms);
        run(&gather, fleets[i].n, fleets[i].per_s, 10, &now_ms);
        unsigned rest_ms = gather.ms;
        assert_true(batches(fleets[i].n, fleets[i].per_s, rest_ms) <= XT_GATHER_MANY || rest_ms == XT_GATHER_MAX_MS);
        for (unsigned k = 0; k < 60; k++) {
            run(&gather, fleets[i].n, fleets[i].per_s, 1, &now_ms);
            assert_int_equal(gather.ms, rest_ms);
        }
        run(&gather, 10, 5, 60, &now_ms); /* they are gone */
        assert_int_equal(gather.ms, 0);
    }
}

/* All of them come back at once with what waited: they are asked before the first batch. */
static void a_fleet_that_is_known(void **state)
{
    xt_gather gather;

    xt_gather_init(&gather, 10000, 1);
    assert_int_equal(gather.ms, XT_GATHER_MAX_MS);
    xt_gather_init(&gather, 1000000, 1);
    assert_int_equal(gather.ms, XT_GATHER_MAX_MS);
    xt_gather_init(&gather, 500, 1);
    assert_int_equal(gather.ms, 0);
}

/* A slower machine has too much with fewer batches; one great batch is nothing that gathering helps against. */
static void a_writer_that_is_behind(void **state)
{
    xt_gather gather;

    xt_gather_init(&gather, 0, 1);
    gather.n_batches = 3000;
    assert_true(xt_gather_look(&gather, true, 1001));
    assert_true(gather.ms > 0);
    assert_int_equal(gather.per_s, 3000);
    xt_gather_init(&gather, 0, 1);
    gather.n_batches = 20;
    assert_false(xt_gather_look(&gather, true, 1001));
    assert_int_equal(gather.ms, 0);
    gather.n_batches = 9000;
    assert_false(xt_gather_look(&gather, true, 1500)); /* not a second yet */
    assert_int_equal(gather.n_batches, 9000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_are_asked_for_nothing),
        cmocka_unit_test(many_gather_and_come_to_rest),
        cmocka_unit_test(a_fleet_that_is_known),
        cmocka_unit_test(a_writer_that_is_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

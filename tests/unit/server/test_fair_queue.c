#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>

#include "server/fair_queue.h"

static int put_cost(xt_fair_queue *queue, const char *host, uint64_t number, size_t n_bytes, size_t cost)
{
    xt_ingest_job *job = calloc(1, sizeof *job);
    assert_non_null(job);
    snprintf(job->host_id, sizeof job->host_id, "%s", host);
    job->batch.number = number;
    job->cost = cost;
    job->payload.n = n_bytes; /* only its length is looked at; there is no memory behind it */
    int r = xt_fair_queue_put(queue, job);
    if (r)
        free(job);
    return r;
}

static int put(xt_fair_queue *queue, const char *host, uint64_t number, size_t n_bytes)
{
    return put_cost(queue, host, number, n_bytes, n_bytes);
}

static void take(xt_fair_queue *queue, char ret_host[static 33])
{
    xt_ingest_job *job = xt_fair_queue_take(queue);
    assert_non_null(job);
    snprintf(ret_host, 33, "%s", job->host_id);
    free(job);
}

static void expect(xt_fair_queue *queue, const char *host, uint64_t number)
{
    xt_ingest_job *job = xt_fair_queue_take(queue);
    assert_non_null(job);
    assert_string_equal(job->host_id, host);
    assert_int_equal(job->batch.number, number);
    free(job);
}

static void hosts_are_served_in_turn(void **state)
{
    xt_fair_queue queue;

    xt_fair_queue_init(&queue);
    assert_null(xt_fair_queue_take(&queue));
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(put(&queue, "a", i, 10), 0);
    assert_int_equal(put(&queue, "b", 1, 10), 0);
    assert_int_equal(put(&queue, "c", 1, 10), 0);
    assert_int_equal(put(&queue, "c", 2, 10), 0);
    expect(&queue, "a", 1);
    expect(&queue, "b", 1);
    assert_int_equal(put(&queue, "b", 2, 10), 0); /* behind those that wait longer */
    expect(&queue, "c", 1);
    expect(&queue, "a", 2);
    expect(&queue, "b", 2);
    expect(&queue, "c", 2);
    expect(&queue, "a", 3);
    assert_null(xt_fair_queue_take(&queue));
    assert_int_equal(queue.n_jobs, 0);
    assert_int_equal(queue.n_bytes, 0);
    assert_int_equal(put(&queue, "a", 4, 10), 0);
    xt_fair_queue_fini(&queue);
}

static void who_sends_much_waits_and_who_sends_little_does_not(void **state)
{
    xt_fair_queue queue;
    char host[33];
    uint64_t n = 0;

    xt_fair_queue_init(&queue);
    while (put(&queue, "loud", n + 1, 1000) == 0)
        n++;
    assert_int_equal(n, XT_FAIR_QUEUE_JOBS); /* alone it may have all of it */
    assert_true(xt_fair_queue_is_full(&queue));
    for (int i = 0; i < 100; i++) {
        snprintf(host, sizeof host, "quiet-%d", i);
        assert_int_equal(put(&queue, host, 1, 1000), 0);
        assert_int_equal(put(&queue, host, 2, 1000), -EAGAIN);
    }
    expect(&queue, "loud", 1);
    for (int i = 0; i < 100; i++) {
        char expected[33];
        snprintf(expected, sizeof expected, "quiet-%d", i);
        take(&queue, host);
        assert_string_equal(host, expected);
    }
    while (queue.n_jobs)
        take(&queue, host);
    xt_fair_queue_fini(&queue);
}

/* In turn by cost: beside one big batch others send as much in small ones. */
static void big_batches_take_more_turns(void **state)
{
    enum { BIG = 10 * XT_FAIR_TURN_COST, SMALL = 500, N = 20 };
    xt_fair_queue queue;
    char host[33];
    unsigned between = 0, n_big = 0;

    xt_fair_queue_init(&queue);
    for (unsigned i = 1; i <= N; i++)
        assert_int_equal(put(&queue, "big", i, BIG), 0);
    for (unsigned i = 1; i <= N * 10; i++)
        assert_int_equal(put(&queue, "small", i, SMALL), 0);
    while (n_big < N) {
        take(&queue, host);
        if (strcmp(host, "small") == 0) {
            between++;
        } else if (++n_big < N / 2) {
            assert_in_range(between, 9, 12);
            between = 0;
        }
    }
    while (queue.n_jobs)
        take(&queue, host);
    for (unsigned i = 1; i <= 3; i++) /* alone it does not wait */
        assert_int_equal(put(&queue, "big", i, BIG), 0);
    for (unsigned i = 1; i <= 3; i++)
        expect(&queue, "big", i);
    xt_fair_queue_fini(&queue);
}

/* Few bytes that become many: they count as what they become, and a host has no more of them waiting than some. */
static void what_is_packed_tightly_costs_what_it_is(void **state)
{
    enum { BYTES = 5000, COST = 48 << 20 };
    xt_fair_queue queue;
    unsigned n = 0;

    xt_fair_queue_init(&queue);
    while (put_cost(&queue, "bomb", n + 1, BYTES, COST) == 0)
        n++;
    assert_int_equal(n, 2);
    for (unsigned i = 1; i <= 1000; i++)
        assert_int_equal(put(&queue, "good", i, BYTES), 0);
    for (unsigned i = 1; i <= 1000; i++)
        expect(&queue, "good", i);
    expect(&queue, "bomb", 1);
    expect(&queue, "bomb", 2);
    assert_int_equal(queue.cost, 0);
    xt_fair_queue_fini(&queue);
}

static void shares_and_bytes(void **state)
{
    enum { HOSTS = 8 };
    xt_fair_queue queue;
    size_t n[HOSTS] = {0};
    char host[33];
    bool any = true;

    xt_fair_queue_init(&queue);
    while (any) {
        any = false;
        for (int i = 0; i < HOSTS; i++) {
            snprintf(host, sizeof host, "%d", i);
            bool ok = put(&queue, host, 1, 100) == 0;
            n[i] += ok;
            any |= ok;
        }
    }
    for (int i = 0; i < HOSTS; i++)
        assert_int_equal(n[i], XT_FAIR_QUEUE_JOBS / HOSTS);
    while (queue.n_jobs)
        take(&queue, host);
    for (int i = 0; i < 16; i++)
        assert_int_equal(put(&queue, "big", 1, XT_FAIR_QUEUE_BYTES / 16), 0);
    assert_int_equal(put(&queue, "big", 1, 1), -EAGAIN);
    assert_int_equal(put(&queue, "other", 1, XT_FAIR_QUEUE_BYTES), 0);
    assert_int_equal(put(&queue, "third", 1, 1), -EAGAIN); /* twice the limit is the end for all */
    while (queue.n_jobs)
        take(&queue, host);
    xt_fair_queue_fini(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_served_in_turn),
        cmocka_unit_test(who_sends_much_waits_and_who_sends_little_does_not),
        cmocka_unit_test(big_batches_take_more_turns),
        cmocka_unit_test(what_is_packed_tightly_costs_what_it_is),
        cmocka_unit_test(shares_and_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

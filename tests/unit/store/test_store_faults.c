/*
 * Every call on files is made to fail in turn. Whatever the store answers, what it acknowledged is there exactly once
 * after a restart, and a sender that goes on where the acknowledgements ended loses nothing and doubles nothing.
 */
#include "fault_files.h"

#define N_BATCHES 6

typedef struct story {
    xt_store_batch batches[N_BATCHES];
    truth truth;
    size_t n_before[N_BATCHES + 1]; /* events before batch i */
    xt_arena arena;
    sender s;
} story;

static void story_init(story *st)
{
    truth_init(&st->truth);
    xt_arena_init(&st->arena, SIZE_MAX);
    sender_init(&st->s, 31);
    for (size_t i = 0; i < N_BATCHES; i++) {
        st->n_before[i] = st->truth.n;
        st->batches[i] = sender_next(&st->s, 3 + i, &st->truth);
        st->batches[i].events = xt_arena_copy(&st->arena, st->batches[i].events);
        st->batches[i].frame = xt_arena_copy(&st->arena, st->batches[i].frame);
        st->batches[i].derived = xt_arena_copy(&st->arena, st->batches[i].derived);
    }
    st->n_before[N_BATCHES] = st->truth.n;
}

static void story_fini(story *st)
{
    truth_fini(&st->truth);
    xt_arena_fini(&st->arena);
    sender_fini(&st->s);
}

/* Sends batches from *acked to upto, two a call; stops at the first error. */
static void send_some(xt_store *store, const story *st, size_t *acked, size_t upto)
{
    while (*acked < upto) {
        int outcomes[2] = {-1, -1};
        size_t n = upto - *acked > 1 ? 2 : 1;
        if (xt_store_append(store, st->batches + *acked, n, outcomes, NULL) < 0)
            return;
        for (size_t i = 0; i < n; i++)
            assert_true(outcomes[i] == 0 || outcomes[i] == XT_STORE_E_DUPLICATE);
        *acked += n;
    }
}

/* A life of a store in which anything may fail; how many batches were acknowledged. */
static size_t live(const char *dir, const story *st)
{
    xt_store_settings settings = {.vfs = &fault_vfs};
    xt_store *store = NULL;
    size_t acked = 0;

    for (int round = 0; round < 2; round++) {
        if (xt_store_open(dir, &settings, &store, NULL) != 0)
            continue;
        for (size_t upto = 2; upto <= 3 + 3 * (size_t)round; upto += 2) {
            send_some(store, st, &acked, upto);
            if (xt_store_seal(store, NULL) != 0 && !the_faults.forever)
                assert_int_equal(xt_store_seal(store, NULL), 0); /* the next one goes through */
        }
        if ((round ? xt_store_compact : xt_store_maintain)(store, NULL) < 0) /* compacting merges */
            assert_true(failed_ever());
        xt_scan_info info;
        if (!failed_ever()) { /* reading may be what fails */
            size_t n = truth_compare(&st->truth, store, &info);
            assert_true(failed_ever() ? info.n_damaged >= 1 && n < st->n_before[acked] : n == st->n_before[acked]);
        }
        store = xt_store_close(store);
    }
    return acked;
}

static void must_be_whole(const char *dir, const story *st, size_t acked)
{
    xt_store *store = store_open(dir, NULL);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_ledger_check check;
    xt_scan_info info;

    size_t n = truth_compare(&st->truth, store, &info);
    if (info.n_damaged)
        fail_msg("damaged: %s", info.damaged);
    assert_true(n >= st->n_before[acked]);
    send_some(store, st, &acked, N_BATCHES);
    assert_int_equal(acked, N_BATCHES);
    assert_int_equal(truth_compare(&st->truth, store, &info), st->truth.n);
    must(xt_store_compact(store, &problem), &problem);
    assert_int_equal(truth_compare(&st->truth, store, &info), st->truth.n);
    assert_int_equal(info.n_segments, 1);
    assert_int_equal(info.n_damaged, 0);
    must(xt_store_verify(store, NULL, NULL, &check, &problem), &problem);
    assert_true(check.chain_ok && check.counts_ok);
    assert_int_equal(check.n_received, st->truth.n);
    xt_store_close(store);
}

/* Of calls 1, 2, ... every step-th from first on. */
static void fail_each_call(bool forever, int error, unsigned first, unsigned step)
{
    dice d = {5};
    story st;

    story_init(&st);
    for (unsigned n = first;; n += step) {
        char *dir = folder_new();
        faults_begin(n, forever, error);
        size_t acked = live(dir, &st);
        bool reached = failed_ever();
        if (reached)
            crash_files(&d);
        faults_begin(0, false, 0);
        if (getenv("XT_TEST_VERBOSE"))
            fprintf(stderr, "call %u, %zu acknowledged\n", n, acked);
        must_be_whole(dir, &st, acked);
        folder_drop(dir);
        if (!reached) {
            assert_true(n > 100); /* there were that many calls to fail */
            break;
        }
    }
    story_fini(&st);
}

static void one_call_fails(void **state)
{
    fail_each_call(false, EIO, 1, 1);
}

static void the_disk_is_full_from_a_call_on(void **state)
{
    fail_each_call(true, ENOSPC, 1, 2); /* the others: below */
}

static void the_machine_goes_down_at_a_call(void **state)
{
    fail_each_call(true, EIO, 2, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_call_fails),
        cmocka_unit_test(the_disk_is_full_from_a_call_on),
        cmocka_unit_test(the_machine_goes_down_at_a_call),
    };
    fault_sqlite_register();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

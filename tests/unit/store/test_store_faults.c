/*
 * Every call on files is made to fail in turn, and the machine goes down at any call, in two lives one after the other.
 * Whatever the store answers, what it acknowledged is there exactly once after the last start, but for what retention was
 * asked to take; nothing is there that was not sent; the ledger adds up; and a sender that goes on where the
 * acknowledgements ended loses nothing and doubles nothing.
 *
 * A life appends, seals, holds, retires, merges, deletes what is sealed and starts anew in between. XT_TORTURE=N: N times
 * as many of the calls, with N seeds.
 */
#include "fault_files.h"

#define N_BATCHES 9

typedef struct story {
    xt_store_batch batches[N_BATCHES];
    truth truth;
    size_t n_before[N_BATCHES + 1]; /* events before batch i */
    xt_arena arena;
    sender s;
    /* of one run */
    size_t n_acked;     /* batches */
    size_t n_retirable; /* of them, when retention was last tried */
    bool *seen;
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
    st->seen = calloc(st->truth.n, sizeof *st->seen);
}

static void story_fini(story *st)
{
    truth_fini(&st->truth);
    xt_arena_fini(&st->arena);
    sender_fini(&st->s);
    free(st->seen);
}

/* Sends batches up to upto, two a call; stops at the first error. */
static void send_some(xt_store *store, story *st, size_t upto)
{
    while (st->n_acked < upto) {
        int outcomes[2] = {-1, -1};
        size_t n = upto - st->n_acked > 1 ? 2 : 1;
        if (xt_store_append(store, st->batches + st->n_acked, n, outcomes, NULL) < 0)
            return;
        for (size_t i = 0; i < n; i++)
            assert_true(outcomes[i] == 0 || outcomes[i] == XT_STORE_E_DUPLICATE);
        st->n_acked += n;
    }
}

/* Events with an odd pid are held. */
static int choose_odd(void *context, xt_scan *scan, uint64_t *const *masks, xt_problem *reterr_problem)
{
    xt_scan_reader *reader = xt_scan_reader_new(scan);
    int r = reader ? 0 : -ENOMEM;

    for (size_t i = 0; i < xt_scan_parts(scan) && r == 0; i++) {
        const xt_column *pid;
        xt_scan_reader_begin(reader, i);
        r = xt_scan_column(reader, XT_F_PID, &pid, reterr_problem);
        for (uint32_t row = 0; r == 0 && pid->kind == XT_COLUMN_NUMBERS && row < xt_scan_zone(scan, i)->n_rows; row++)
            masks[i][row / 64] |= (pid->numbers[row] & 1) << row % 64;
    }
    xt_scan_reader_free(reader);
    return r;
}

static bool is_held(xt_slice canonical)
{
    xt_event event;

    assert_int_equal(xt_event_decode(canonical, &event, NULL), 0);
    return xt_event_num(&event, XT_F_PID, 0) & 1;
}

/* Retires the oldest segment but for what is held. */
static void retire(xt_store *store, story *st)
{
    const xt_store_choice odd = {choose_odd, NULL};
    xt_store_limits limits = {.max_bytes = 1};
    xt_retire_why why;

    if (st->n_acked > st->n_retirable) /* a batch that failed may be there as well */
        st->n_retirable = st->n_acked + 2 < N_BATCHES ? st->n_acked + 2 : N_BATCHES;
    if (xt_store_retain(store, &limits, &odd, &why, NULL) < 0)
        assert_true(failed_ever());
}

/* One life of a store in which anything may fail. */
static void live(const char *dir, story *st)
{
    xt_store_settings settings = {.vfs = &fault_vfs};
    xt_store *store = NULL;
    uint64_t hold;

    for (size_t round = 0; round < 2; round++) {
        if (xt_store_open(dir, &settings, &store, NULL) != 0)
            continue;
        for (size_t upto = 2 + round * 2; upto <= 4 + round * 4; upto += 2) {
            send_some(store, st, upto);
            if (xt_store_seal(store, NULL) != 0)
                assert_true(failed_ever());
        }
        if (xt_store_hold_add(store, XT_S("pid:odd"), XT_S("case"), XT_S("me"), &hold, NULL) == 0 && round == 0)
            retire(store, st);
        if ((round ? xt_store_compact : xt_store_maintain)(store, NULL) < 0) /* compacting merges */
            assert_true(failed_ever());
        if (round && xt_store_hold_remove(store, hold, XT_S("me"), NULL) != 0)
            assert_true(failed_ever());
        store = xt_store_close(store);
    }
    if (xt_store_open(dir, &settings, &store, NULL) == 0)
        send_some(store, st, N_BATCHES); /* the last one stays pending */
    xt_store_close(store);
}

static void print_problem(void *context, const xt_problem *problem)
{
    char text[1000];
    xt_buf out = XT_BUF_ON(text);

    xt_problem_format(problem, &out);
    fprintf(stderr, "%.*s\n", (int)out.n, text);
}

static void must_be_there(xt_store *store, const story *st, uint64_t *ret_n)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_ledger_check check;
    xt_scan_info info;

    size_t n = truth_compare_seen(&st->truth, store, &info, st->seen);
    if (info.n_damaged)
        fail_msg("damaged: %s", info.damaged);
    for (size_t i = 0; i < st->n_before[st->n_acked]; i++)
        if (!st->seen[i] && (i >= st->n_before[st->n_retirable] || is_held(st->truth.events[i])))
            fail_msg("event %zu is lost: %zu batches were acknowledged", i, st->n_acked);
    must(xt_store_verify(store, print_problem, NULL, &check, &problem), &problem);
    assert_true(check.chain_ok && check.counts_ok);
    assert_int_equal(check.n_received, n + check.n_retired);
    *ret_n = n + check.n_retired;
}

static void must_be_whole(const char *dir, story *st)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_scan_info info;
    uint64_t n;

    xt_store *store = store_open(dir, NULL);
    must_be_there(store, st, &n);
    assert_true(n >= st->n_before[st->n_acked]);
    send_some(store, st, N_BATCHES);
    assert_int_equal(st->n_acked, N_BATCHES);
    must_be_there(store, st, &n);
    assert_int_equal(n, st->truth.n);
    must(xt_store_compact(store, &problem), &problem);
    must_be_there(store, st, &n);
    assert_int_equal(n, st->truth.n);
    truth_compare(&st->truth, store, &info);
    assert_in_range(info.n_segments, 1, 3);
    xt_store_close(store);
}

typedef struct plan {
    const char *name;
    int error;
    unsigned n_fails;    /* in a row */
    unsigned down_after; /* the machine goes down up to so many calls later */
} plan;

/* Two lives; the call of the first that fails is n, that of the second anywhere. Whether n was reached. */
static bool two_lives(story *st, const plan *how, unsigned n, dice *d)
{
    char *root = folder_new(), dir[PATH_BYTES];
    bool reached = false;

    snprintf(dir, sizeof dir, "%s/data", root);
    st->n_acked = st->n_retirable = 0;
    disk_begin(root, dice_next(d));
    for (int life = 0; life < 2; life++) {
        faults_begin(life ? 1 + (unsigned)dice_below(d, 150) : n, how->n_fails, how->error);
        if (how->down_after)
            the_faults.down_at = the_faults.fail_at + (unsigned)dice_below(d, how->down_after);
        live(dir, st);
        if (life == 0)
            reached = failed_ever();
        disk_crash();
    }
    faults_begin(0, 0, 0);
    if (getenv("XT_TEST_VERBOSE"))
        fprintf(stderr, "%s, call %u: %zu acknowledged\n", how->name, n, st->n_acked);
    must_be_whole(dir, st);
    disk_free();
    folder_drop(root);
    return reached;
}

/* Of calls 1, 2, ... every step-th. */
static void fail_each_call(const plan *how, unsigned step)
{
    story st;

    story_init(&st);
    for (unsigned seed = 0; seed < (torture() ? torture() : 1); seed++) {
        dice d = {seed + 1};
        unsigned n = torture() ? 1 : 1 + (unsigned)dice_below(&d, step);
        while (two_lives(&st, how, n, &d))
            n += torture() ? 1 : step;
        assert_true(n > 300); /* there were that many calls to fail */
    }
    story_fini(&st);
}

static void one_call_fails(void **state)
{
    fail_each_call(&(plan){"one call fails", EIO, 1, 0}, 13);
}

static void one_call_fails_and_the_machine_goes_down(void **state)
{
    fail_each_call(&(plan){"a call fails, down soon", EIO, 1, 40}, 13);
}

static void the_disk_is_full_for_a_while(void **state)
{
    fail_each_call(&(plan){"the disk is full", ENOSPC, 30, 0}, 29);
}

static void the_disk_is_full_from_a_call_on(void **state)
{
    fail_each_call(&(plan){"the disk is full for good", ENOSPC, UINT32_MAX, 0}, 29);
}

static void the_machine_goes_down_at_a_call(void **state)
{
    fail_each_call(&(plan){"down", EIO, UINT32_MAX, 1}, 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_call_fails),
        cmocka_unit_test(one_call_fails_and_the_machine_goes_down),
        cmocka_unit_test(the_disk_is_full_for_a_while),
        cmocka_unit_test(the_disk_is_full_from_a_call_on),
        cmocka_unit_test(the_machine_goes_down_at_a_call),
    };
    fault_sqlite_register();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

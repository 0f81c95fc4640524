/*
 * Rows that become a segment at once, beside batches that are pending: what is found afterwards is held against a plain
 * list of the events. Then every call on files fails in turn: of each bulk all is there or nothing, and all when its
 * commit said so.
 */
#include "fault_files.h"

#include "store/bulk.h"

enum {
    N_GROUPS = 4, /* a batch, a bulk, a batch, a bulk */
#ifdef __SANITIZE_THREAD__
    STRIDE = 4, /* one thread does all where calls fail */
#else
    STRIDE = 1,
#endif
};

typedef struct group {
    truth rows;     /* that must be found */
    truth left_out; /* rows of a bulk that must not */
    xt_store_batch batch;
    sender s;
} group;

static void groups_init(group *groups, size_t n_rows)
{
    dice d = {77};
    xt_arena arena;
    xt_event event;

    xt_arena_init(&arena, SIZE_MAX);
    for (size_t g = 0; g < N_GROUPS; g++) {
        truth_init(&groups[g].rows);
        truth_init(&groups[g].left_out);
        sender_init(&groups[g].s, 100 + g);
        if (g % 2 == 0)
            groups[g].batch = sender_next(&groups[g].s, 5, &groups[g].rows);
        for (size_t i = 0; g % 2 && i < n_rows; i++) {
            dice_event(&d, 1700000000000 + (int64_t)i, false, &arena, &event);
            truth_add(dice_below(&d, 3) ? &groups[g].rows : &groups[g].left_out, &event);
            xt_arena_reset(&arena);
        }
    }
    xt_arena_fini(&arena);
}

static void groups_fini(group *groups)
{
    for (size_t g = 0; g < N_GROUPS; g++) {
        truth_fini(&groups[g].rows);
        truth_fini(&groups[g].left_out);
        sender_fini(&groups[g].s);
    }
}

static int add_all(xt_bulk *bulk, const truth *events, bool leave_out)
{
    xt_event event;
    int r = 0;

    for (size_t i = 0; i < events->n && r == 0; i++) {
        assert_int_equal(xt_event_decode(events->events[i], &event, NULL), 0);
        r = xt_bulk_add(bulk, &event);
        if (r == 0 && leave_out)
            r = xt_bulk_leave_out(bulk, xt_bulk_rows(bulk) - 1);
    }
    return r;
}

static int bulk_store(xt_store *store, const group *g, uint64_t number, unsigned n_threads)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_hash128 stream = {{42}};
    xt_bulk *bulk = NULL;
    uint64_t last = 0;

    must(xt_bulk_new(store, &bulk), &problem);
    int r = add_all(bulk, &g->left_out, true);
    if (r == 0)
        r = add_all(bulk, &g->rows, false);
    assert_int_equal(r, 0);
    assert_int_equal(xt_bulk_rows_left(bulk), g->rows.n);
    r = xt_bulk_write(bulk, n_threads, &problem);
    if (r == 0)
        r = xt_bulk_commit(bulk, stream, number, XT_S("import"), &last, &problem);
    if (r == 0)
        assert_int_equal(last, xt_store_wait(store, 0, 0));
    xt_bulk_free(bulk);
    return r;
}

/* ------------------------------------------------------------------------------------------------ what is found */

static int slice_order(const void *a, const void *b)
{
    const xt_slice *x = a, *y = b;
    int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static int on_row(void *context, const xt_event *event, uint64_t arrival)
{
    (void)arrival;
    truth_add(context, event);
    return 0;
}

static void found_get(xt_store *store, truth *found)
{
    xt_scan_spec spec = {.to_ms = XT_TIMESTAMP_MAX_MS};

    truth_init(found);
    assert_int_equal(xt_scan_each(store, &spec, ALL_FIELDS, on_row, found, NULL, NULL), 0);
    if (found->n)
        qsort(found->events, found->n, sizeof *found->events, slice_order);
}

/* How many of these events are there. */
static size_t count_of(const truth *found, const truth *events)
{
    size_t n = 0;

    for (size_t i = 0; found->n && i < events->n; i++)
        n += bsearch(&events->events[i], found->events, found->n, sizeof *found->events, slice_order) != NULL;
    return n;
}

/* All of a group or nothing of it, and nothing else; there: those that have to be. */
static void must_hold(xt_store *store, const group *groups, const bool *there, bool *ret_there)
{
    truth found;
    size_t n = 0;

    found_get(store, &found);
    for (size_t g = 0; g < N_GROUPS; g++) {
        size_t n_of = count_of(&found, &groups[g].rows);
        assert_true(n_of == groups[g].rows.n || (n_of == 0 && !there[g]));
        assert_int_equal(count_of(&found, &groups[g].left_out), 0);
        ret_there[g] = n_of > 0;
        n += n_of;
    }
    assert_int_equal(found.n, n);
    truth_fini(&found);
}

static void must_verify(xt_store *store, const group *groups, const bool *there)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_ledger_check check;
    size_t n = 0;

    for (size_t g = 0; g < N_GROUPS; g++)
        n += there[g] ? groups[g].rows.n : 0;
    must(xt_store_verify(store, NULL, NULL, &check, &problem), &problem);
    assert_true(check.chain_ok && check.counts_ok);
    assert_int_equal(check.n_received, n);
}

/* ------------------------------------------------------------------------------------------------ tests */

static void beside_batches(void **state)
{
    static const unsigned threads[] = {1, 4};

    (void)state;
    for (size_t t = 0; t < XT_COUNT_OF(threads); t++) {
        group groups[N_GROUPS] = {0};
        bool there[N_GROUPS] = {true, true, true, true};
        char *dir = folder_new();
        xt_store *store = store_open(dir, NULL);
        groups_init(groups, 2000);
        assert_int_equal(append_one(store, &groups[0].batch), 0);
        must(bulk_store(store, &groups[1], 1, threads[t]), NULL);
        assert_true(bulk_store(store, &groups[3], 1, 1) < 0); /* that number is there already */
        assert_int_equal(append_one(store, &groups[2].batch), 0);
        must(bulk_store(store, &groups[3], 2, threads[t]), NULL);
        must_hold(store, groups, there, there);
        for (int round = 0; round < 3; round++) {
            must_verify(store, groups, there);
            if (round == 1)
                must(xt_store_compact(store, NULL), NULL);
            store = xt_store_close(store);
            store = store_open(dir, NULL);
            must_hold(store, groups, there, there);
        }
        xt_store_close(store);
        groups_fini(groups);
        folder_drop(dir);
    }
}

/* A life in which anything may fail. */
static void live(const char *dir, const group *groups, bool *there)
{
    xt_store_settings settings = {.vfs = &fault_vfs};
    xt_store *store = NULL;
    int outcome;

    if (xt_store_open(dir, &settings, &store, NULL) != 0)
        return;
    there[0] = xt_store_append(store, &groups[0].batch, 1, &outcome, NULL) == 0;
    there[1] = bulk_store(store, &groups[1], 1, 1) == 0;
    there[2] = xt_store_append(store, &groups[2].batch, 1, &outcome, NULL) == 0;
    there[3] = there[1] && bulk_store(store, &groups[3], 2, 1) == 0;
    if (xt_store_compact(store, NULL) < 0)
        assert_true(failed_ever());
    xt_store_close(store);
}

/* How a life goes wrong. */
typedef struct plan {
    int error;
    unsigned n_fails;     /* in a row */
    unsigned down_after;  /* the machine goes down up to so many calls later; 0: it does not */
    unsigned first, step; /* calls; each in the long form */
} plan;

/* Whether call n was reached. */
static bool fail_at_call(const group *groups, const plan *how, unsigned n, dice *d)
{
    char *root = folder_new(), dir[PATH_BYTES];
    bool there[N_GROUPS] = {false};

    snprintf(dir, sizeof dir, "%s/data", root);
    disk_begin(root, dice_next(d));
    faults_begin(n, how->n_fails, how->error);
    if (how->down_after)
        the_faults.down_at = n + (unsigned)dice_below(d, how->down_after);
    live(dir, groups, there);
    bool reached = failed_ever();
    disk_crash();
    faults_begin(0, 0, 0);
    xt_store *store = store_open(dir, NULL);
    must_hold(store, groups, there, there);
    must_verify(store, groups, there);
    if (!there[1]) /* again, as an import would */
        must(bulk_store(store, &groups[1], 1, 1), NULL);
    there[1] = true;
    if (n % 3 == 0)
        must(xt_store_compact(store, NULL), NULL);
    must_hold(store, groups, there, there);
    must_verify(store, groups, there);
    xt_store_close(store);
    disk_free();
    folder_drop(root);
    return reached;
}

static void fail_each_call(const plan *how)
{
    group groups[N_GROUPS] = {0};
    dice d = {9};
    unsigned n = how->first, step = torture() ? 1 : how->step * STRIDE;

    groups_init(groups, 30);
    while (fail_at_call(groups, how, n, &d))
        n += step;
    assert_true(n > 60);
    groups_fini(groups);
}

static void one_call_fails(void **state)
{
    (void)state;
    fail_each_call(&(plan){EIO, 1, 0, 1, 4});
    fail_each_call(&(plan){ENOSPC, 1, 0, 3, 8});
}

static void one_call_fails_and_the_machine_goes_down(void **state)
{
    (void)state;
    fail_each_call(&(plan){EIO, 1, 40, 1, 7});
}

static void the_machine_goes_down_at_a_call(void **state)
{
    (void)state;
    fail_each_call(&(plan){EIO, UINT32_MAX, 1, 1, 4});
}

/* What is said to be stored is, and an import fails until there is room. */
static void the_disk_fills_up(void **state)
{
    (void)state;
    fail_each_call(&(plan){ENOSPC, UINT32_MAX, 0, 1, 7});
    fail_each_call(&(plan){ENOSPC, 30, 0, 2, 9});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beside_batches),
        cmocka_unit_test(one_call_fails),
        cmocka_unit_test(one_call_fails_and_the_machine_goes_down),
        cmocka_unit_test(the_machine_goes_down_at_a_call),
        cmocka_unit_test(the_disk_fills_up),
    };
    fault_sqlite_register();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

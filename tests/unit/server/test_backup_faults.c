/*
 * Every call on files is made to fail in turn, through a backup and through a restore, and the machine goes down at each.
 * Former generations stay whole, one that exists is whole, the next backup has everything; what a failed restore leaves no
 * store opens. XT_TORTURE=N: every call instead of some, with N seeds.
 */
#include "../store/fault_files.h"

#include "backup_fixture.h"

typedef struct life {
    box b;
    size_t n_former; /* events in the former generation */
    char former[XT_BACKUP_NAME_BYTES + 1];
} life;

static void life_begin(life *l, uint64_t seed)
{
    box_init(&l->b, 21);
    box_close(&l->b);
    disk_begin(l->b.dir, seed);
    l->b.settings.vfs = l->b.vfs = &fault_vfs;
    box_open(&l->b);
    box_append(&l->b, 12);
    box_seal(&l->b);
    box_append(&l->b, 4);
    xt_backup_result former = take(&l->b);
    memcpy(l->former, former.generation, sizeof l->former);
    l->n_former = l->b.truth.n;
    box_append(&l->b, 9);
    box_seal(&l->b);
    box_append(&l->b, 5);
}

static void life_end(life *l)
{
    box_fini(&l->b);
    disk_free();
}

/* All generations that exist are whole, but for what was told of the newest when it was taken; `name` is one of them. */
static void generations_check(life *l, const char *name, bool newest_told)
{
    xt_backup_folder folder;
    xt_backup_names names;
    xt_problem problem = XT_PROBLEM_INIT;
    bool found = false;

    must(xt_backup_folder_open_to_read(&folder, &xt_vfs_system, l->b.to, &problem), &problem);
    must(xt_backup_folder_names(&folder, &names, &problem), &problem);
    xt_backup_folder_close(&folder);
    assert_true(names.n == 1 || names.n == 2);
    for (size_t i = 0; i < names.n; i++) {
        bool is_former = strcmp(names.names[i], l->former) == 0;
        xt_backup_checked checked = check(&l->b, names.names[i]);
        found = found || strcmp(names.names[i], name) == 0;
        if (checked.n_problems && (is_former || !newest_told))
            fail_msg("%.*s", XT_S_ARGS(xt_buf_slice(&l->b.told)));
    }
    assert_true(found);
    free(names.names);
}

typedef struct plan {
    const char *name;
    int error;
    unsigned n_fails; /* in a row */
    bool goes_down;   /* the machine, at the call that fails or, if that is one alone, later */
} plan;

static void machine_goes_down(life *l, dice *d, bool is_down)
{
    if (!is_down)
        the_faults.down_at = the_faults.n_calls + 1 + (unsigned)dice_below(d, 10);
    box_close(&l->b);
    disk_crash();
    faults_begin(0, 0, 0);
    box_open(&l->b);
}

/* Whether there was a call n to fail. */
static bool one_life(const plan *how, unsigned n, unsigned keep, dice *d)
{
    xt_backup_result result = {.n_problems = 0};
    xt_problem problem = XT_PROBLEM_INIT;
    life l;

    faults_begin(0, 0, 0);
    life_begin(&l, dice_next(d));
    faults_begin(n, how->n_fails, how->error);
    if (how->goes_down && how->n_fails > 1)
        the_faults.down_at = n;
    int r = take_with(&l.b, l.b.to, keep, &result, &problem);
    bool reached = failed_ever();
    if (getenv("XT_TEST_VERBOSE"))
        fprintf(stderr, "%s, call %u: %d, %d problems: %s\n", how->name, n, r, (int)result.n_problems,
                problem.sentence);
    assert_true(reached ? r <= 0 : r == 0 && result.n_problems == 0);
    if (r < 0)
        assert_true(xt_problem_is_set(&problem) || r == -ENOMEM);
    if (how->goes_down)
        machine_goes_down(&l, d, how->n_fails > 1);
    faults_begin(0, 0, 0);
    generations_check(&l, r == 0 ? result.generation : l.former, result.n_problems > 0);
    if (r != 0)
        must_restore(&l.b, l.former, l.n_former);
    assert_int_equal(take(&l.b).n_problems, 0);
    must_restore(&l.b, NULL, l.b.truth.n);
    life_end(&l);
    return reached;
}

/* Of calls 1, 2, ... every step-th; with the former generation kept and pruned. */
static void fail_each_call(const plan *how, unsigned step)
{
    for (unsigned seed = 0; seed < (torture() ? torture() : 1); seed++) {
        dice d = {seed + 7};
        for (unsigned keep = 1; keep <= 2; keep++) {
            unsigned n = torture() ? 1 : 1 + (unsigned)dice_below(&d, step);
            while (one_life(how, n, keep, &d))
                n += torture() ? 1 : step;
            assert_true(n > 60);
        }
    }
}

static void one_call_of_a_backup_fails(void **state)
{
    fail_each_call(&(plan){"one call fails", EIO, 1, false}, 7);
}

static void one_call_of_a_backup_fails_and_the_machine_goes_down(void **state)
{
    fail_each_call(&(plan){"one call fails, down soon", EIO, 1, true}, 7);
}

static void all_calls_of_a_backup_fail_from_one_on(void **state)
{
    fail_each_call(&(plan){"the disk is full for good", ENOSPC, UINT32_MAX, false}, 13);
    fail_each_call(&(plan){"the disk is gone", EIO, UINT32_MAX, false}, 13);
}

static void the_machine_goes_down_in_a_backup(void **state)
{
    fail_each_call(&(plan){"down", EIO, UINT32_MAX, true}, 7);
}

static void each_call_of_a_restore_fails(void **state)
{
    bool reached = true;
    life l;

    faults_begin(0, 0, 0);
    life_begin(&l, 1);
    take(&l.b);
    box_close(&l.b);
    for (unsigned n = 1; reached; n++) {
        xt_problem problem = XT_PROBLEM_INIT;
        xt_restored restored;
        xt_store *store = NULL;
        disk_begin(l.b.dir, n);
        faults_begin(n, n % 2 ? UINT32_MAX : 1, EIO);
        int r = restore_with(&l.b, NULL, &restored, &problem);
        reached = failed_ever();
        faults_begin(0, 0, 0);
        if (getenv("XT_TEST_VERBOSE"))
            fprintf(stderr, "call %u: %d: %s\n", n, r, problem.sentence);
        assert_true(reached || r == 0);
        char *pending = path_join(l.b.back, "pending.db");
        bool is_there = access(pending, F_OK) == 0;
        free(pending);
        assert_true(is_there || r != 0);
        int opened = is_there ? xt_store_open(l.b.back, NULL, &store, &problem) : XT_STORE_E_RESTORING;
        if (opened != XT_STORE_E_RESTORING) { /* then all of it is there */
            assert_int_equal(opened, 0);
            assert_int_equal(truth_compare(&l.b.truth, store, NULL), l.b.truth.n);
            xt_store_close(store);
        } else {
            assert_true(r != 0);
        }
        folder_remove(l.b.back);
        must_restore(&l.b, NULL, l.b.truth.n);
        assert_true(reached || n > 60);
    }
    life_end(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_call_of_a_backup_fails),
        cmocka_unit_test(one_call_of_a_backup_fails_and_the_machine_goes_down),
        cmocka_unit_test(all_calls_of_a_backup_fail_from_one_on),
        cmocka_unit_test(the_machine_goes_down_in_a_backup),
        cmocka_unit_test(each_call_of_a_restore_fails),
    };
    fault_sqlite_register();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

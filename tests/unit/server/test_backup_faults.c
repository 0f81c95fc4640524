/*
 * Every call on files is made to fail in turn, through a backup and through a restore. Former generations stay whole, one
 * that exists is whole, the next backup has everything; what a failed restore leaves no store opens.
 */
#include "../store/fault_files.h"

#include "backup_fixture.h"

typedef struct life {
    box b;
    size_t n_former; /* events in the former generation */
    char former[XT_BACKUP_NAME_BYTES + 1];
} life;

static void life_begin(life *l)
{
    box_init(&l->b, 21);
    box_close(&l->b);
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

/* All generations that exist are whole, but for what was told of the newest when it was taken. */
static void generations_check(life *l, bool newest_told)
{
    xt_backup_folder folder;
    xt_backup_names names;
    xt_problem problem = XT_PROBLEM_INIT;

    must(xt_backup_folder_open_to_read(&folder, &xt_vfs_system, l->b.to, &problem), &problem);
    must(xt_backup_folder_names(&folder, &names, &problem), &problem);
    xt_backup_folder_close(&folder);
    assert_true(names.n == 1 || names.n == 2);
    assert_string_equal(names.names[0], l->former);
    for (size_t i = 0; i < names.n; i++) {
        xt_backup_checked checked = check(&l->b, names.names[i]);
        if (checked.n_problems && (i == 0 || !newest_told))
            fail_msg("%.*s", XT_S_ARGS(xt_buf_slice(&l->b.told)));
    }
    free(names.names);
}

static unsigned take_each(bool forever, int error, unsigned first, unsigned step)
{
    dice d = {7};
    for (unsigned n = first;; n += step) {
        xt_backup_result result = {.n_problems = 0};
        xt_problem problem = XT_PROBLEM_INIT;
        life l;

        faults_begin(0, false, 0);
        life_begin(&l);
        faults_begin(n, forever, error);
        int r = take_with(&l.b, l.b.to, 1 + n % 2, &result, &problem); /* half of them prune the former */
        bool reached = failed_ever();
        if (reached)
            crash_files(&d);
        faults_begin(0, false, 0);
        if (getenv("XT_TEST_VERBOSE"))
            fprintf(stderr, "call %u: %d, %d problems: %s\n", n, r, (int)result.n_problems, problem.sentence);
        assert_true(reached ? r <= 0 : r == 0 && result.n_problems == 0);
        if (r < 0)
            assert_true(xt_problem_is_set(&problem) || r == -ENOMEM);
        if (r != 0 || n % 2)
            generations_check(&l, result.n_problems > 0);
        if (r != 0)
            must_restore(&l.b, l.former, l.n_former);
        assert_int_equal(take(&l.b).n_problems, 0);
        must_restore(&l.b, NULL, l.b.truth.n);
        box_fini(&l.b);
        if (!reached)
            return n;
    }
}

static void one_call_of_a_backup_fails(void **state)
{
    assert_true(take_each(false, EIO, 1, 1) > 60);
}

static void all_calls_of_a_backup_fail_from_one_on(void **state)
{
    take_each(true, ENOSPC, 1, 5);
    take_each(true, EIO, 3, 5);
}

static void each_call_of_a_restore_fails(void **state)
{
    bool reached = true;
    life l;

    faults_begin(0, false, 0);
    life_begin(&l);
    take(&l.b);
    for (unsigned n = 1; reached; n++) {
        xt_problem problem = XT_PROBLEM_INIT;
        xt_restored restored;
        xt_store *store = NULL;
        faults_begin(n, n % 2, EIO);
        int r = restore_with(&l.b, NULL, &restored, &problem);
        reached = failed_ever();
        faults_begin(0, false, 0);
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
    box_fini(&l.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_call_of_a_backup_fails),
        cmocka_unit_test(all_calls_of_a_backup_fail_from_one_on),
        cmocka_unit_test(each_call_of_a_restore_fails),
    };
    fault_sqlite_register();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

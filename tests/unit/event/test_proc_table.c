#include "support.h"

typedef struct exec {
    uint32_t pid, ppid;
    int64_t time_ms;
    const char *exe, *arg;
    int ses; /* below 0: unset */
    bool has_failed;
} exec;

typedef struct fixture {
    xt_proc_table *table;
    xt_arena arena;
} fixture;

static fixture setup(size_t max_entries, xt_proc_lookup_fn lookup, void *context)
{
    fixture f;
    assert_int_equal(xt_proc_table_new(max_entries, lookup, context, &f.table), 0);
    xt_arena_init(&f.arena, 1 << 20);
    return f;
}

static void teardown(fixture *f)
{
    assert_null(xt_proc_table_free(f->table));
    xt_arena_fini(&f->arena);
}

static xt_event apply(fixture *f, exec x)
{
    xt_event e = {0};
    char *bytes = xt_arena_alloc(&f->arena, 256);
    xt_buf out = {.p = bytes, .cap = 256, .max_bytes = 256};
    const xt_slice items[] = {xt_slice_str(x.exe), xt_slice_str(x.arg)};
    xt_list_put(&out, items, 2);
    xt_event_set_num(&e, XT_F_TIME, (uint64_t)x.time_ms);
    xt_event_set_num(&e, XT_F_PID, x.pid);
    xt_event_set_num(&e, XT_F_PPID, x.ppid);
    if (x.ses >= 0)
        xt_event_set_num(&e, XT_F_SES, (uint64_t)x.ses);
    xt_event_set_bytes(&e, XT_F_HOST_ID, XT_S("h"));
    xt_event_set_bytes(&e, XT_F_ACTION, XT_S("executed"));
    xt_event_set_bytes(&e, XT_F_OUTCOME, x.has_failed ? XT_S("failure") : XT_S("success"));
    xt_event_set_bytes(&e, XT_F_EXE, xt_slice_str(x.exe));
    xt_event_set_bytes(&e, XT_F_COMM, XT_S("comm"));
    xt_event_set_bytes(&e, XT_F_ARGS, xt_buf_slice(&out));
    assert_int_equal(xt_proc_table_apply(f->table, &e, &f->arena), 0);
    return e;
}

static xt_slice entity(fixture *f, xt_event *e)
{
    xt_field_set wanted = {{UINT64_C(1) << XT_F_ENTITY, 0}};
    assert_int_equal(xt_event_derive(e, wanted, &f->arena), 0);
    return xt_event_bytes(e, XT_F_ENTITY);
}

static void test_parent(void **state)
{
    fixture f = setup(100, NULL, NULL);
    xt_event shell = apply(&f, (exec){10, 1, 1000, "/bin/sh", "-c x", 5, false});
    xt_event child = apply(&f, (exec){11, 10, 1004, "/bin/ls", "-l", 5, false});
    assert_false(xt_event_has(&shell, XT_F_PARENT_EXE));
    assert_slice_eq(xt_event_bytes(&child, XT_F_PARENT_EXE), "/bin/sh");
    assert_slice_eq(xt_event_bytes(&child, XT_F_PARENT_CMD), "/bin/sh -c x");
    assert_slice_eq(xt_event_bytes(&child, XT_F_PARENT_COMM), "comm");
    assert_true(xt_slice_eq(xt_event_bytes(&child, XT_F_PARENT_ENTITY), entity(&f, &shell)));
    assert_false(xt_slice_eq(entity(&f, &child), entity(&f, &shell)));
    teardown(&f);
}

/* The same pid executes something else: it is what its children have as parent from then on. */
static void test_newer_exec_replaces(void **state)
{
    fixture f = setup(100, NULL, NULL);
    apply(&f, (exec){10, 1, 1000, "/bin/sh", "a", 5, false});
    apply(&f, (exec){10, 1, 2000, "/bin/env", "b", 5, false});
    apply(&f, (exec){10, 1, 1500, "/bin/late", "c", 5, false}); /* an older event that came late */
    apply(&f, (exec){10, 1, 2500, "/bin/tried", "d", 5, true});
    xt_event child = apply(&f, (exec){11, 10, 3000, "/bin/ls", "", 5, false});
    assert_slice_eq(xt_event_bytes(&child, XT_F_PARENT_EXE), "/bin/env");
    teardown(&f);
}

static void test_reused_pids_are_not_believed(void **state)
{
    fixture f = setup(100, NULL, NULL);
    apply(&f, (exec){10, 1, 5000, "/bin/sh", "a", 5, false});
    xt_event before = apply(&f, (exec){11, 10, 4000, "/bin/ls", "", 5, false});
    xt_event other = apply(&f, (exec){12, 10, 6000, "/bin/ls", "", 6, false});
    xt_event none = apply(&f, (exec){13, 10, 6000, "/bin/ls", "", -1, false});
    assert_false(xt_event_has(&before, XT_F_PARENT_EXE));
    assert_false(xt_event_has(&other, XT_F_PARENT_EXE));
    assert_false(xt_event_has(&none, XT_F_PARENT_EXE));
    /* sshd without a session starts one: its child has one */
    apply(&f, (exec){20, 1, 5000, "/usr/sbin/sshd", "a", -1, false});
    xt_event login = apply(&f, (exec){21, 20, 6000, "/bin/sh", "", 7, false});
    assert_slice_eq(xt_event_bytes(&login, XT_F_PARENT_EXE), "/usr/sbin/sshd");
    teardown(&f);
}

static void test_least_recently_used_goes(void **state)
{
    fixture f = setup(2, NULL, NULL);
    apply(&f, (exec){10, 1, 1000, "/a", "", 5, false});
    apply(&f, (exec){20, 1, 1000, "/b", "", 5, false});
    apply(&f, (exec){10, 1, 1001, "/a", "", 5, false});
    apply(&f, (exec){30, 1, 1000, "/c", "", 5, false});               /* 20 goes */
    xt_event a = apply(&f, (exec){40, 10, 2000, "/x", "", 5, false}); /* and here 30 */
    xt_event b = apply(&f, (exec){41, 20, 2000, "/x", "", 5, false});
    assert_true(xt_event_has(&a, XT_F_PARENT_EXE));
    assert_false(xt_event_has(&b, XT_F_PARENT_EXE));
    teardown(&f);
}

static bool look_up(void *context, uint32_t pid, xt_proc_info *ret)
{
    ++*(int *)context;
    if (pid != 10 && pid != 11)
        return false;
    *ret = (xt_proc_info){.pid = pid,
                          .ppid = 1,
                          .start_ms = pid == 10 ? 500 : 9000,
                          .exe = XT_S("/sbin/init"),
                          .comm = XT_S("init"),
                          .cmd = XT_S("init --x")};
    return true;
}

static void test_lookup(void **state)
{
    int n = 0;
    fixture f = setup(100, look_up, &n);
    xt_event a = apply(&f, (exec){20, 10, 1000, "/x", "", 5, false});
    xt_event b = apply(&f, (exec){21, 10, 1000, "/x", "", 6, false}); /* known now, and of no session */
    xt_event c = apply(&f, (exec){22, 11, 1000, "/x", "", 5, false}); /* began after its child: another */
    xt_event d = apply(&f, (exec){23, 12, 1000, "/x", "", 5, false});
    assert_slice_eq(xt_event_bytes(&a, XT_F_PARENT_CMD), "init --x");
    assert_true(xt_event_has(&b, XT_F_PARENT_EXE));
    assert_false(xt_event_has(&c, XT_F_PARENT_EXE) || xt_event_has(&d, XT_F_PARENT_EXE));
    assert_int_equal(n, 3);
    teardown(&f);
}

static void test_seed(void **state)
{
    fixture f = setup(100, NULL, NULL);
    xt_proc_info info = {.pid = 10, .start_ms = 1, .exe = XT_S("/e"), .comm = XT_S("c"), .cmd = XT_S("e f")};
    assert_int_equal(xt_proc_table_seed(f.table, &info, XT_S("h"), XT_S("b")), 0);
    xt_event a = apply(&f, (exec){20, 10, 1000, "/x", "", 5, false});
    assert_slice_eq(xt_event_bytes(&a, XT_F_PARENT_CMD), "e f");
    teardown(&f);
}

static void test_other_events_are_left_alone(void **state)
{
    fixture f = setup(100, NULL, NULL);
    xt_event e = {0};
    xt_event_set_num(&e, XT_F_PID, 10);
    xt_event_set_bytes(&e, XT_F_ACTION, XT_S("logged-in"));
    xt_field_set before = e.present;
    assert_int_equal(xt_proc_table_apply(f.table, &e, &f.arena), 0);
    assert_memory_equal(&before, &e.present, sizeof before);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parent),
        cmocka_unit_test(test_newer_exec_replaces),
        cmocka_unit_test(test_reused_pids_are_not_believed),
        cmocka_unit_test(test_least_recently_used_goes),
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_other_events_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

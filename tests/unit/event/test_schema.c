#include "support.h"

#include "event/event_action.h"
#include "event/json_plan.h"

static void test_rows_are_unique(void **state)
{
    for (unsigned a = 1; a < XT_F_END; a++) {
        const xt_field_info *x = xt_field_find(a);
        if (!x)
            continue;
        assert_int_equal(x->id, a);
        assert_true(strlen(x->help) > 0);
        for (unsigned b = a + 1; b < XT_F_END; b++) {
            const xt_field_info *y = xt_field_find(b);
            if (!y)
                continue;
            assert_string_not_equal(x->name, y->name);
            assert_string_not_equal(x->symbol, y->symbol);
            assert_true(*x->alias == '\0' || strcmp(x->alias, y->alias) != 0);
            assert_true(*x->alias == '\0' || strcmp(x->alias, y->name) != 0);
            assert_true(*x->sigma == '\0' || strcmp(x->sigma, y->sigma) != 0);
        }
    }
}

/* Numbers are in segments and on the wire: these may never change. */
static void test_ids_stay(void **state)
{
    static const struct {
        const char *symbol;
        unsigned id;
    } fixed[] = {{"TIME", 1}, {"HOST", 9},  {"UID", 12},   {"AUID", 16},    {"PID", 21},
                 {"EXE", 25}, {"ARGS", 27}, {"PATHS", 40}, {"RECORDS", 60}, {"MESSAGE", 65}};
    for (size_t i = 0; i < XT_COUNT_OF(fixed); i++)
        assert_string_equal(xt_field_find(fixed[i].id)->symbol, fixed[i].symbol);
}

static void test_names_are_found(void **state)
{
    assert_int_equal(xt_field_by_name(XT_S("process.executable"))->id, XT_F_EXE);
    assert_int_equal(xt_field_by_name(XT_S("EXE"))->id, XT_F_EXE);
    assert_int_equal(xt_field_by_name(XT_S("Parent.Cmd"))->id, XT_F_PARENT_CMD);
    assert_int_equal(xt_field_by_name(XT_S("tags"))->id, XT_F_KEY);
    assert_null(xt_field_by_name(XT_S("")));
    assert_null(xt_field_by_name(XT_S("exec")));
    assert_null(xt_field_by_name(XT_S("auditd.data.op")));
    assert_int_equal(xt_field_by_sigma(XT_S("CommandLine"))->id, XT_F_CMD);
    assert_null(xt_field_by_sigma(XT_S("commandline")));
    assert_null(xt_field_by_sigma(XT_S("")));
    assert_null(xt_field_find(0));
    assert_null(xt_field_find(XT_F_END));
    assert_null(xt_field_find(100000));
}

static void test_nearest(void **state)
{
    assert_string_equal(xt_field_nearest(XT_S("exee")), "exe");
    assert_string_equal(xt_field_nearest(XT_S("prcess.pid")), "process.pid");
    assert_string_equal(xt_field_nearest(XT_S("Outcmoe")), "outcome");
    assert_null(xt_field_nearest(XT_S("zzzzzzzzzzzz")));
    assert_null(xt_field_nearest(XT_S("")));
}

/* An object opens once: no two runs of steps may stand in the same one. */
static void test_plan_nests(void **state)
{
    const xt_json_plan *plan = xt_json_plan_get();
    unsigned closed[XT_JSON_PLAN_MAX] = {0};
    assert_int_equal(plan->n_steps, XT_F_END - 1 + 4); /* data, tags, raw, interpreted */
    for (size_t i = 1; i < plan->n_steps; i++) {
        const xt_json_step *before = &plan->steps[i - 1], *now = &plan->steps[i];
        for (unsigned k = 0; k < before->n_open; k++)
            if (k >= now->n_open || now->open[k] != before->open[k])
                closed[before->open[k]] = 1;
        for (unsigned k = 0; k < now->n_open; k++)
            assert_false(closed[now->open[k]]);
    }
}

static void assert_whole_list(xt_slice list)
{
    xt_list_iter iter = xt_list_iterate(list);
    xt_slice item;
    size_t n = 0;
    for (; xt_list_next(&iter, &item); n++)
        for (size_t i = 0; i < item.n; i++)
            assert_true((item.p[i] >= 'a' && item.p[i] <= 'z') || item.p[i] == '_');
    assert_true(n > 0 && iter.left == 0 && xt_reader_done(&iter.reader));
}

static void test_actions(void **state)
{
    xt_arena arena;
    xt_arena_init(&arena, 1 << 20);
    for (unsigned type = 1000; type < 3000; type++) {
        xt_action action = xt_action_of_record((uint16_t)type, &arena);
        assert_true(action.name.n > 0);
        assert_whole_list(action.category);
        assert_whole_list(action.type);
    }
    assert_slice_eq(xt_action_of_record(1112, &arena).name, "logged-in");
    assert_slice_eq(xt_action_of_record(1123, &arena).name, "ran-sudo");
    assert_slice_eq(xt_action_of_record(1305, &arena).name, "changed-audit-configuration");
    assert_slice_eq(xt_action_of_record(2400, &arena).name, "crypto-test-user");
    assert_slice_eq(xt_action_of_syscall(XT_S("openat"), &arena).name, "opened-file");
    assert_slice_eq(xt_action_of_syscall(XT_S("accept"), &arena).name, "accepted-connection");
    assert_slice_eq(xt_action_of_syscall(XT_S("wrote"), &arena).name, "called-wrote");
    assert_whole_list(xt_action_executed.category);
    xt_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_unique), cmocka_unit_test(test_ids_stay),
        cmocka_unit_test(test_names_are_found), cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_plan_nests),      cmocka_unit_test(test_actions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "input/ecs_document.h"

#include "cmocka_head.h"

static xt_arena arena;

static int read_text(const char *json, xt_ecs_document *ret)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_ecs_document_read(xt_slice_str(json), &arena, ret, &problem);
    assert_int_equal(r > 0, xt_problem_is_set(&problem));
    return r;
}

static void assert_line(const char *json, const char *host, const char *line)
{
    xt_ecs_document d;
    assert_int_equal(read_text(json, &d), 0);
    assert_true(d.is_line);
    assert_true(xt_slice_eq(d.host, xt_slice_str(host)));
    assert_true(xt_slice_eq(d.line, xt_slice_str(line)));
}

#define RECORD "type=CWD msg=audit(1.000:1): cwd=\\\"/\\\""
#define LINE   "type=CWD msg=audit(1.000:1): cwd=\"/\""

static void test_lines(void **state)
{
    (void)state;
    assert_line("{\"message\":\"" RECORD "\",\"host\":{\"name\":\"h\"},\"agent\":{\"name\":\"a\"}}", "h", LINE);
    assert_line("{\"message\":\"" RECORD "\",\"agent\":{\"name\":\"a\"}}", "a", LINE);
    assert_line("{\"message\":\"" RECORD "\",\"host.name\":\"h\"}", "h", LINE);
    assert_line("{\"message\":\"" RECORD "\",\"host\":\"h\"}", "h", LINE);
    assert_line("{\"message\":\"" RECORD "\",\"hostname\":\"h\"}", "h", LINE);
    assert_line("{\"message\":\"x\",\"event\":{\"original\":\"<13>Nov 23 15:04:05 s audispd: " RECORD "\"}}", "s",
                LINE);
    assert_line("{\"message\":\"" RECORD "\"}", "", LINE);
}

static void test_what_is_neither(void **state)
{
    static const struct {
        const char *json;
        int r;
    } cases[] = {
        {"{\"message\":\"hello\"}", XT_ECS_E_OTHER},
        {"{}", XT_ECS_E_OTHER},
        {"{\"@timestamp\":\"2026-11-22T13:40:00Z\"}", XT_ECS_E_OTHER},
        {"{\"@timestamp\":\"yesterday\",\"auditd\":{\"sequence\":1}}", XT_ECS_E_OTHER},
        {"[]", XT_ECS_E_INVALID},
        {"{", XT_ECS_E_INVALID},
        {"", XT_ECS_E_INVALID},
        {"{\"a\":\"\xff\"}", XT_ECS_E_INVALID},
    };
    xt_ecs_document d;
    (void)state;
    for (size_t i = 0; i < XT_COUNT_OF(cases); i++)
        assert_int_equal(read_text(cases[i].json, &d), cases[i].r);
}

/* Values of other kinds than their field's are counted and left out; so is what is nested too deep. */
static void test_values_that_do_not_fit(void **state)
{
    xt_ecs_document d;
    (void)state;
    assert_int_equal(
        read_text(
            "{\"@timestamp\":\"2026-11-22T13:40:00Z\",\"auditd\":{\"sequence\":7,\"session\":\"unset\",\"data\":"
            "{\"exit\":\"EACCES\",\"x\":{\"y\":1},\"z\":\"v\"}},\"process\":{\"pid\":\"x\",\"args\":[\"a\",{}]},"
            "\"user\":{\"id\":-5},\"other\":1,\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":{\"g\":{\"h\":{\"i\":1}}}}}}}}}",
            &d),
        0);
    assert_false(d.is_line);
    assert_int_equal(d.n_unmapped, 5); /* pid, args, user.id, other, a... */
    assert_int_equal((int64_t)xt_event_num(&d.event, XT_F_EXIT, 0), -13);
    assert_false(xt_event_has(&d.event, XT_F_SES));
    assert_false(xt_event_has(&d.event, XT_F_PID));
    xt_slice value;
    assert_true(xt_recs_find(xt_event_bytes(&d.event, XT_F_RECORDS), XT_S("z"), 0, &value));
    assert_true(xt_slice_eq(value, XT_S("v")));
    assert_true(xt_recs_find(xt_event_bytes(&d.event, XT_F_RECORDS), XT_S("x.y"), 0, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_what_is_neither),
                                       cmocka_unit_test(test_values_that_do_not_fit)};
    xt_arena_init(&arena, 64 << 20);
    int r = cmocka_run_group_tests(tests, NULL, NULL);
    xt_arena_fini(&arena);
    return r;
}

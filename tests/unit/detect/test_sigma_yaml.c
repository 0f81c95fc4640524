/* The tree of a YAML text, its places, and what is refused. */
#include "detect/sigma_yaml.h"
#include "detect_fixture.h"

static int parse(xt_arena *arena, const char *text, xt_yaml_node ***ret, size_t *ret_n, xt_problem *problem)
{
    *problem = XT_PROBLEM_INIT;
    xt_arena_init(arena, 64u << 20);
    return xt_yaml_parse(arena, xt_slice_str(text), ret, ret_n, problem);
}

static void test_tree(void **state)
{
    const xt_yaml_node *a, *b;
    xt_yaml_node **roots;
    xt_problem problem;
    xt_arena arena;
    size_t n;

    assert_int_equal(parse(&arena, "a: x\nb:\n  - 'q'\n  - {c: ~}\n---\n- y\n", &roots, &n, &problem), 0);
    assert_int_equal(n, 2);
    a = xt_yaml_find(roots[0], "a");
    b = xt_yaml_find(roots[0], "b");
    assert_true(a->kind == XT_YAML_SCALAR && a->plain && xt_slice_eq(a->text, XT_S("x")));
    assert_true(a->line == 1 && a->column == 4 && a->key->column == 1);
    assert_true(b->kind == XT_YAML_LIST && b->n == 2 && b->first->line == 3 && !b->first->plain);
    assert_true(xt_yaml_is_null(xt_yaml_find(b->first->next, "c")));
    assert_null(xt_yaml_find(roots[0], "c"));
    assert_null(xt_yaml_find(b, "a"));
    assert_true(roots[1]->kind == XT_YAML_LIST);
    xt_arena_fini(&arena);
}

static void test_null(void **state)
{
    static const struct {
        const char *text;
        bool is_null;
    } cases[] = {{"a:", true},     {"a: ~", true},       {"a: null", true},  {"a: NULL", true},
                 {"a: ''", false}, {"a: 'null'", false}, {"a: nUll", false}, {"a: 0", false}};

    for (size_t i = 0; i < XT_COUNT_OF(cases); i++) {
        xt_yaml_node **roots;
        xt_problem problem;
        xt_arena arena;
        size_t n;
        assert_int_equal(parse(&arena, cases[i].text, &roots, &n, &problem), 0);
        assert_int_equal(xt_yaml_is_null(xt_yaml_find(roots[0], "a")), cases[i].is_null);
        xt_arena_fini(&arena);
    }
}

static void test_alias(void **state)
{
    xt_yaml_node **roots;
    const xt_yaml_node *b;
    xt_problem problem;
    xt_arena arena;
    size_t n;

    assert_int_equal(parse(&arena, "a: &x [p, q]\nb: *x\nc: &y 1\nd: [*y, *y]\n", &roots, &n, &problem), 0);
    b = xt_yaml_find(roots[0], "b");
    assert_true(b->kind == XT_YAML_LIST && b->n == 2 && b->line == 2 && xt_slice_eq(b->first->next->text, XT_S("q")));
    assert_true(xt_slice_eq(xt_yaml_find(roots[0], "d")->first->next->text, XT_S("1")));
    xt_arena_fini(&arena);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *text;
        uint64_t line, column;
        const char *sentence;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", 3, 1, "twice"},
        {"x: {a: 1, a: 2}", 1, 11, "twice"},
        {"a: *x\n", 1, 4, "names no anchor"},
        {"a: &x [*x]\n", 1, 8, "names no anchor"},
        {"? [a]\n: b\n", 1, 3, "must be a plain text"},
        {"a: [\n", 2, 1, "not YAML"},
        {"a: b: c\n", 1, 5, "not YAML"},
        {"\t- a\n", 1, 1, "not YAML"},
    };

    for (size_t i = 0; i < XT_COUNT_OF(cases); i++) {
        xt_yaml_node **roots;
        xt_problem problem;
        xt_arena arena;
        size_t n;
        assert_int_equal(parse(&arena, cases[i].text, &roots, &n, &problem), XT_SIGMA_YAML_E_BAD);
        if (problem.line != cases[i].line || problem.column != cases[i].column ||
            !strstr(problem.sentence, cases[i].sentence))
            fail_msg("%s: %llu:%llu %s", cases[i].text, (unsigned long long)problem.line,
                     (unsigned long long)problem.column, problem.sentence);
        xt_arena_fini(&arena);
    }
}

static void assert_limit(const char *text, const char *sentence)
{
    xt_yaml_node **roots;
    xt_problem problem;
    xt_arena arena;
    size_t n;

    assert_int_equal(parse(&arena, text, &roots, &n, &problem), XT_SIGMA_YAML_E_BAD);
    assert_non_null(strstr(problem.sentence, sentence));
    assert_true(problem.line > 0);
    assert_true(arena.used_bytes < 16u << 20);
    xt_arena_fini(&arena);
}

/* A text that grows tenfold with each line, a deep one and a long one. */
static void test_limits(void **state)
{
    char *text = calloc(1, 400000);
    size_t n = 0;

    n += (size_t)sprintf(text + n, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 20; i++)
        n += (size_t)sprintf(text + n, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i,
                             i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    assert_limit(text, "too large");
    memset(text, '[', 100);
    text[100] = '\0';
    assert_limit(text, "too deeply");
    strcpy(text, "[");
    for (n = 1; n < 150000; n += 2)
        memcpy(text + n, "x,", 3);
    assert_limit(text, "too large");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),     cmocka_unit_test(test_null),   cmocka_unit_test(test_alias),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

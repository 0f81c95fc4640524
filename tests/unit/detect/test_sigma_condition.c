/*
 * Conditions against truth tables: selections a, b, c and _d are command lines that hold that letter, every combination
 * is tried, and the expected answer is a C expression of the same letters.
 */
#include "detect_fixture.h"

#define SELECTIONS                               \
    "detection:\n"                               \
    "    a:\n        CommandLine|contains: a\n"  \
    "    b1:\n        CommandLine|contains: b\n" \
    "    b2:\n        CommandLine|contains: c\n" \
    "    _d:\n        CommandLine|contains: d\n" \
    "    not_a_word:\n        CommandLine|contains: e\n"

#define ALL_WAYS(X)                                           \
    X("a", a)                                                 \
    X("not a", !a)                                            \
    X("not not a", a)                                         \
    X("a and b1", a &&b)                                      \
    X("a or b1", a || b)                                      \
    X("a or b1 and b2", a || (b && c))                        \
    X("a and b1 or b2", (a && b) || c)                        \
    X("(a or b1) and b2", (a || b) && c)                      \
    X("not a and b1", !a && b)                                \
    X("not (a and b1)", !(a && b))                            \
    X("not a or not b1 and not b2", !a || (!b && !c))         \
    X("a and (b1 or (b2 and not _d))", a && (b || (c && !d))) \
    X("(a and b1)or(b2)", (a && b) || c)                      \
    X("1 of b*", b || c)                                      \
    X("any of b*", b || c)                                    \
    X("all of b*", b &&c)                                     \
    X("not 1 of b*", !(b || c))                               \
    X("a and not 1 of b*", a && !(b || c))                    \
    X("not all of b* and a", !(b && c) && a)                  \
    X("1 of b1", b)                                           \
    X("all of *1", b)                                         \
    X("1 of *", a || b || c || d || e)                        \
    X("1 of *a*", a || e)                                     \
    X("1 of them", a || b || c || e)                          \
    X("any of them", a || b || c || e)                        \
    X("all of them", a &&b &&c &&e)                           \
    X("1 of _*", d)                                           \
    X("not_a_word and a", e &&a)                              \
    X("  a\tand   b1 ", a &&b)                                \
    X("1 of them and not 1 of _*", (a || b || c || e) && !d)

static bool truth(size_t which, unsigned bits)
{
    bool a = bits & 1, b = bits & 2, c = bits & 4, d = bits & 8, e = bits & 16;
    size_t i = 0;

#define X(text, answer) \
    if (i++ == which)   \
        return answer;
    ALL_WAYS(X)
#undef X
    fail();
    return false;
}

static const char *const texts[] = {
#define X(text, answer) text,
    ALL_WAYS(X)
#undef X
};

static void check(const xt_ruleset *set, size_t which)
{
    for (unsigned bits = 0; bits < 32; bits++) {
        char cmd[8] = "-";
        xt_arena arena;
        xt_event event;
        for (unsigned k = 0; k < 5; k++)
            if (bits >> k & 1)
                strncat(cmd, &"abcde"[k], 1);
        xt_arena_init(&arena, 1u << 20);
        set_exec(&event, &arena, "/usr/bin/x", cmd);
        if (count_matches(set, &event) != truth(which, bits))
            fail_msg("\"%s\" on %s", texts[which], cmd);
        xt_arena_fini(&arena);
    }
}

static void test_truth(void **state)
{
    for (size_t i = 0; i < XT_COUNT_OF(texts); i++) {
        char text[2048];
        xt_ruleset *set;

        snprintf(text, sizeof text, RULE_HEAD SELECTIONS "    condition: %s\n", texts[i]);
        set = load_good(text);
        check(set, i);
        xt_ruleset_unref(set);
    }
}

/* A list of conditions is any of them: the same as "a or b1". */
static void test_list(void **state)
{
    xt_ruleset *set = load_good(RULE_HEAD SELECTIONS "    condition:\n        - a\n        - b1\n");

    check(set, 4);
    xt_ruleset_unref(set);
}

/* The condition stands in line 17, its text begins in column 16. */
static const struct {
    const char *condition, *problem;
} refusals[] = {
    {"a | count() by b > 3", "17:18: aggregations behind | are no longer part of Sigma"},
    {"a and | count()", "17:22: aggregations behind |"},
    {"x", "17:16: there is no selection of this name (near \"x\")"},
    {"a and x", "17:22: there is no selection of this name"},
    {"a AND b1", "17:18: 'and' or 'or' is expected here"},
    {"a b1", "17:18: 'and' or 'or' is expected here"},
    {"a and", "17:21: the condition ends where a selection is expected"},
    {"''", "17:17: the condition ends where a selection is expected"},
    {"(a or b1", "17:24: a closing parenthesis is missing here"},
    {"a)", "17:17: 'and' or 'or' is expected here"},
    {"1 of x*", "17:21: no selection fits this name"},
    {"1 of B*", "17:21: no selection fits this name"},
    {"1 of *1x", "17:21: no selection fits this name"},
    {"1 of", "17:20: a name must follow 'of'"},
    {"2 of b*", "17:16: only 1, any or all can stand before 'of'"},
    {"not", "17:19: the condition ends where a selection is expected"},
    {"{a: b}", "17:16: a condition must be a text"},
    {"[]", "17:16: a condition must be a text"},
    {"[a, x]", "17:20: there is no selection of this name"},
    {"[a, [a]]", "17:20: a condition must be a text"},
    {"'a and x'", "17:23: there is no selection of this name"},
};

static void test_refusals(void **state)
{
    for (size_t i = 0; i < XT_COUNT_OF(refusals); i++) {
        char text[2048];

        snprintf(text, sizeof text, RULE_HEAD SELECTIONS "    condition: %s\n", refusals[i].condition);
        assert_refused(text, refusals[i].problem);
    }
}

static void fill(char *text, const char *before, const char *unit, size_t n, const char *after)
{
    memcpy(text, before, strlen(before) + 1);
    for (size_t i = 0; i < n; i++)
        strcat(text, unit);
    strcat(text, after);
}

/* Deep and long conditions end with a problem and not with the stack. */
static void test_limits(void **state)
{
    char *text = malloc(1u << 20);

    fill(text, RULE_HEAD SELECTIONS "    condition: ", "(", 40, "a");
    for (size_t i = 0; i < 40; i++)
        strcat(text, ")");
    strcat(text, "\n");
    xt_ruleset_unref(load_good(text));
    fill(text, RULE_HEAD SELECTIONS "    condition: ", "(", 41, "a\n");
    assert_refused(text, "17:56: the condition is nested too deeply");
    fill(text, RULE_HEAD SELECTIONS "    condition: ", "a and ", 499, "a\n");
    xt_ruleset_unref(load_good(text));
    fill(text, RULE_HEAD SELECTIONS "    condition: ", "a and ", 600, "a\n");
    assert_refused(text, "the condition has too many words");
    fill(text, RULE_HEAD SELECTIONS "    condition: ", "1 of them and ", 400, "a\n");
    assert_refused(text, "the condition has too many words");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truth),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

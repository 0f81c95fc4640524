/*
 * A set of rules loaded and matched with every request for memory refused in turn: -ENOMEM, or every rule is there and
 * the event matches as it should. A rule is never left out, and no match is lost, because memory was out.
 */
#include "detect_fixture.h"

#include "../alloc_faults.h"

static const char rules[] = RULE_HEAD "detection:\n"
                                      "    tool:\n"
                                      "        Image|endswith:\n"
                                      "            - '/nmap'\n"
                                      "            - '/masscan'\n"
                                      "    flags:\n"
                                      "        CommandLine|contains|all:\n"
                                      "            - ' -A'\n"
                                      "            - '192.0.2.'\n"
                                      "    wide:\n"
                                      "        CommandLine|re: 'nmap\\s+-[A-Z]'\n"
                                      "    filter:\n"
                                      "        User: root\n"
                                      "    condition: tool and (flags or wide) and not filter\n"
                                      "level: high\n"
                                      "---\n"
                                      "title: U\n"
                                      "id: r2\n"
                                      "logsource:\n"
                                      "    product: linux\n"
                                      "    category: process_creation\n"
                                      "detection:\n"
                                      "    a:\n"
                                      "        CommandLine|startswith: 'secret'\n"
                                      "    b:\n"
                                      "        ParentImage: '/bin/sh'\n"
                                      "    condition: 1 of them\n";

static void count_refused(void *context, const xt_problem *problem)
{
    bool was_armed = alloc_pause();
    if (!alloc_has_failed())
        fail_msg("line %u: %s", (unsigned)problem->line, problem->sentence);
    ++*(unsigned *)context;
    alloc_resume(was_armed);
}

static int match(const xt_ruleset *set, size_t *ret_n)
{
    xt_match matches[XT_DETECT_MAX_MATCHES];
    xt_event event;
    xt_arena arena;
    xt_arena_init(&arena, 1 << 20);
    bool was_armed = alloc_pause();
    set_exec(&event, &arena, "/usr/bin/nmap", "nmap -A 192.0.2.10");
    alloc_resume(was_armed);
    int r = xt_ruleset_match(set, &event, &arena, matches, ret_n);
    xt_arena_fini(&arena);
    return r;
}

static int load_and_match(void *context)
{
    unsigned n_refused = 0;
    size_t n = 0;
    xt_ruleset *set = NULL;
    int r = xt_ruleset_load_text("rules", xt_slice_str(rules), count_refused, &n_refused, &set);
    size_t n_rules = r == 0 ? xt_ruleset_count(set) : 0;
    if (r == 0)
        r = match(set, &n);
    xt_ruleset_unref(set);
    bool was_armed = alloc_pause();
    assert_true(r == 0 || r == -ENOMEM);
    assert_int_equal(n_refused, 0);
    if (r == 0) {
        assert_int_equal(n_rules, 2);
        assert_int_equal(n, 1);
    }
    alloc_resume(was_armed);
    return r;
}

static void test_rules(void **state)
{
    assert_true(alloc_fail_each(load_and_match, NULL) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

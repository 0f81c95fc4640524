/* Loading files and folders, what is refused, counted or switched off; levels; explanations and match documents. */
#include <sys/stat.h>

#include "detect_fixture.h"

#define DETECTION "detection:\n    s:\n        CommandLine|contains: x\n    condition: s\n"

static void test_levels(void **state)
{
    xt_level level = XT_LEVEL_LOW;

    for (int i = XT_LEVEL_INFORMATIONAL; i <= XT_LEVEL_CRITICAL; i++) {
        assert_true(xt_level_by_name(xt_slice_str(xt_level_name((xt_level)i)), &level));
        assert_int_equal(level, i);
    }
    assert_false(xt_level_by_name(XT_S("fatal"), &level));
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[300];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    fclose(f);
}

static void make_rule(char *text, size_t size, const char *id, const char *source, const char *more)
{
    snprintf(text, size, "title: T\n%s%s%slogsource: {%s}\n%s%s", *id ? "id: " : "", id, *id ? "\n" : "", source,
             DETECTION, more);
}

static void remove_files(const char *folder)
{
    static const char *const names[] = {
        "b-second.yml",
        "ignored.txt",
        ".hidden.yml",
        "a-first.yml",
        "broken.yml",
        "empty.yml",
        "sub/c-third.yaml",
        "sub/d-same-id.yml",
        "sub/windows.yml",
        "sub/auditd.yml",
        "secrets/other.yml",
        "secrets",
        "sub",
        "",
    };

    for (size_t k = 0; k < XT_COUNT_OF(names); k++) {
        char path[300];
        snprintf(path, sizeof path, "%s/%s", folder, names[k]);
        assert_int_equal(remove(path), 0);
    }
}

static void test_folder(void **state)
{
    char folder[] = "/tmp/xt-detect-test-XXXXXX", sub[64], text[1024];
    const char *paths[] = {folder};
    xt_buf problems = XT_BUF_INIT;
    xt_ruleset *set = NULL;
    xt_ruleset_stats stats;

    assert_non_null(mkdtemp(folder));
    snprintf(sub, sizeof sub, "%s/sub", folder);
    assert_int_equal(mkdir(sub, 0700), 0);
    make_rule(text, sizeof text, "", "product: linux, category: process_creation", "");
    write_file(folder, "b-second.yml", text);
    write_file(folder, "ignored.txt", text);
    snprintf(sub, sizeof sub, "%s/secrets", folder);
    assert_int_equal(mkdir(sub, 0700), 0);
    write_file(sub, "other.yml", "not: a rule\n");
    snprintf(sub, sizeof sub, "%s/sub", folder);
    write_file(folder, ".hidden.yml", "{");
    make_rule(text, sizeof text, "X-1", "product: linux, category: process_creation", "exectrail: {enabled: false}\n");
    write_file(sub, "c-third.yaml", text);
    make_rule(text, sizeof text, "x-1", "product: exectrail, category: process_creation", "");
    write_file(sub, "d-same-id.yml", text);
    make_rule(text, sizeof text, "x-2", "product: windows, category: process_creation", "");
    write_file(sub, "windows.yml", text);
    make_rule(text, sizeof text, "x-3", "product: linux, service: auditd", "");
    write_file(sub, "auditd.yml", text);
    make_rule(text, sizeof text, "a-1", "product: exectrail, service: event", "");
    write_file(folder, "a-first.yml", text);
    write_file(folder, "broken.yml", "title: [\n");
    write_file(folder, "empty.yml", "# nothing\n---\n");

    assert_int_equal(xt_ruleset_load(paths, 1, note_problem, &problems, &set, NULL), 0);
    stats = xt_ruleset_stats_get(set);
    /* a-first refuses: CommandLine is no name of the event log source */
    assert_int_equal(stats.n_rules, 2);
    assert_int_equal(stats.n_refused, 3);
    assert_int_equal(stats.n_not_ours, 2);
    assert_int_equal(stats.n_disabled, 1);
    assert_int_equal(xt_ruleset_count(set), 2);
    assert_string_equal(xt_ruleset_rule(set, 0)->file + strlen(folder), "/b-second.yml");
    assert_true(xt_slice_eq(xt_ruleset_rule(set, 0)->id, XT_S("b-second")));
    assert_true(xt_slice_eq(xt_ruleset_rule(set, 1)->id, XT_S("X-1")));
    assert_false(xt_ruleset_rule(set, 1)->enabled);
    assert_ptr_equal(xt_ruleset_find(set, XT_S("x-1")), xt_ruleset_rule(set, 1));
    assert_null(xt_ruleset_find(set, XT_S("x-9")));
    assert_null(xt_ruleset_unref(xt_ruleset_ref(set)));
    xt_ruleset_unref(set);
    xt_buf_fini(&problems);
    remove_files(folder);
}

static void test_missing_path(void **state)
{
    const char *paths[] = {"/nonexistent/rules"};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_ruleset *set = NULL;

    assert_int_equal(xt_ruleset_load(paths, 1, NULL, NULL, &set, &problem), XT_RULESET_E_PATH);
    assert_null(set);
    assert_string_equal(problem.source, "/nonexistent/rules");
    assert_true(xt_problem_is_set(&problem));
}

#define SOURCE "logsource: {product: linux, category: process_creation}\n"

static const struct {
    const char *text, *problem;
} refusals[] = {
    {"- a\n", "1:1: a rule must be a map"},
    {"title: T\n" DETECTION, "1:1: a rule needs a map 'logsource'"},
    {"title: T\nlogsource: linux\n" DETECTION, "2:12: a rule needs a map 'logsource'"},
    {SOURCE DETECTION, "1:1: a rule needs a title"},
    {"title: T\n" SOURCE, "1:1: a rule needs a map 'detection'"},
    {"title: T\n" SOURCE "detection:\n    s: x\n", "4:5: a detection needs a condition"},
    {"title: T\n" SOURCE "detection:\n    condition: s\n", "4:16: there is no selection of this name"},
    {"title: T\n" SOURCE "detection:\n    s:\n    condition: s\n", "4:7: this selection is empty"},
    {"title: T\n" SOURCE "detection:\n    s: {}\n    condition: s\n", "4:8: this selection is empty"},
    {"title: T\n" SOURCE "detection:\n    s: []\n    condition: s\n", "4:8: this selection is empty"},
    {"title: T\n" SOURCE "detection:\n    s: [[a]]\n    condition: s\n", "4:9: a list cannot stand in a list here"},
    {"title: T\n" SOURCE "detection:\n    s: x\n    timeframe: 5m\n    condition: s\n", "5:5: timeframe belongs"},
    {"title: T\nlevel: fatal\n" SOURCE DETECTION, "2:8: there is no such level (near \"fatal\")"},
    {"title: T\ncorrelation:\n    type: event_count\n", "2:1: correlations are not supported yet"},
    {"title: T\n" SOURCE "filter:\n    rules: any\n", "3:1: filters are not supported yet"},
    {"action: global\ntitle: T\n", "1:1: 'action' collections are not supported"},
    {"title: T\n" SOURCE DETECTION "exectrail: {raised: x}\n", "'exectrail' knows no such key (near \"raised\")"},
    {"title: T\n" SOURCE DETECTION "exectrail: {enabled: maybe}\n", "7:22: this must be true or false"},
    {"title: T\nlevel: high\n" SOURCE DETECTION "exectrail: {raise: {high: {uid: 1}}}\n",
     "8:21: this is not above the rule's own level"},
    {"title: T\n" SOURCE DETECTION "exectrail: {raise: {top: {uid: 1}}}\n", "7:21: there is no such level"},
    {"title: T\n" SOURCE DETECTION "exectrail: {raise: {high: {uidd: 1}}}\n", "7:28: there is no field uidd"},
    {"title: T\nlogsource: {product: exectrail, service: x}\n" DETECTION, "2:12: product exectrail has service event"},
    {"title: T\nlogsource: {product: exectrail, service: event}\ndetection:\n    s: [x]\n    condition: s\n",
     "4:9: keywords without a field are not supported"},
    {"title: T\nlogsource: {product: exectrail, service: event}\ndetection:\n    s: {Image: x}\n    condition: s\n",
     ""},
    {"title: T\nnoise: {name: n, kind: match, owner: o}\n" SOURCE DETECTION, "2:8: a noise rule needs a name"},
    {"title: T\nnoise: {name: n, kind: m, owner: o, reason: r}\n" SOURCE DETECTION, "2:8: a noise rule's kind is"},
    {"title: T\nnoise: {name: n, kind: match, owner: o, reason: r, quiet: 3x}\n" SOURCE DETECTION,
     "2:59: this must be a time"},
    {"title: T\nnoise: {name: n, kind: login-shell, owner: o, reason: r}\n" SOURCE DETECTION,
     "5:5: the detection of kind login-shell knows no such key"},
    {"noise: {name: n, kind: match, owner: o, reason: r}\nlogsource: {product: windows}\n" DETECTION,
     "2:12: noise rules are for"},
};

static void test_refusals(void **state)
{
    for (size_t i = 0; i < XT_COUNT_OF(refusals); i++)
        if (refusals[i].problem[0])
            assert_refused(refusals[i].text, refusals[i].problem);
}

/* One document that is refused does not take the others of its file with it. */
static void test_documents(void **state)
{
    xt_buf problems = XT_BUF_INIT;
    xt_ruleset *set =
        load_text("title: A\nid: a\n" SOURCE DETECTION "---\ntitle: B\nid: b\n---\ntitle: C\nid: c\n" SOURCE DETECTION,
                  &problems);

    assert_int_equal(xt_ruleset_count(set), 2);
    assert_int_equal(xt_ruleset_stats_get(set).n_refused, 1);
    assert_true(xt_slice_eq(xt_ruleset_rule(set, 1)->title, XT_S("C")));
    assert_int_equal(xt_ruleset_rule(set, 1)->line, 12);
    xt_ruleset_unref(set);
    xt_buf_fini(&problems);
}

/* Failed execs and other events are no process creation; switched off rules never match. */
static void test_scope(void **state)
{
    xt_ruleset *set = load_good("title: A\nid: a\n" SOURCE "detection: {s: {CommandLine: '*'}, condition: s or not s}\n"
                                "---\ntitle: E\nid: e\nlogsource: {product: exectrail, service: event}\n"
                                "detection: {s: {action: executed}, condition: s}\n"
                                "---\ntitle: O\nid: o\nexectrail: {enabled: false}\n" SOURCE
                                "detection: {s: {CommandLine: '*'}, condition: s}\n");
    xt_arena arena;
    xt_event event;

    xt_arena_init(&arena, 1u << 20);
    set_exec(&event, &arena, "/usr/bin/x", "x");
    assert_int_equal(count_matches(set, &event), 2);
    set_exec(&event, &arena, "/usr/bin/x", NULL);
    assert_int_equal(count_matches(set, &event), 1);
    xt_event_set_bytes(&event, XT_F_ACTION, XT_S("logged-in"));
    assert_int_equal(count_matches(set, &event), 0);
    xt_arena_fini(&arena);
    xt_ruleset_unref(set);
}

/* Seventy rules match: the 64 with the highest levels are told, highest first, raised levels counted. */
static void test_order_and_raise(void **state)
{
    static const char *const levels[] = {"informational", "low", "medium", "high"};
    xt_match matches[XT_DETECT_MAX_MATCHES];
    xt_buf text = XT_BUF_INIT;
    xt_ruleset *set;
    xt_arena arena;
    xt_event event;
    size_t n = 0;

    for (size_t i = 0; i < 70; i++)
        xt_buf_printf(&text, "title: T\nid: r%zu\nlevel: %s\n" SOURCE DETECTION "%s---\n", i, levels[i % 4],
                      i == 69 ? "exectrail: {raise: {high: {uid: 1}, critical: {Image|endswith: /nc}}}\n" : "");
    xt_buf_putc(&text, '\0');
    set = load_good(text.p);
    xt_arena_init(&arena, 1u << 20);
    set_exec(&event, &arena, "/usr/bin/nc", "x");
    assert_int_equal(xt_ruleset_match(set, &event, &arena, matches, &n), 0);
    assert_int_equal(n, XT_DETECT_MAX_MATCHES);
    assert_int_equal(matches[0].level, XT_LEVEL_CRITICAL);
    assert_true(xt_slice_eq(matches[0].rule->id, XT_S("r69")));
    assert_int_equal(matches[0].rule->level, XT_LEVEL_LOW);
    assert_true(matches[0].rule->raised_by_exe);
    for (size_t i = 1; i < n; i++)
        assert_true(matches[i - 1].level >= matches[i].level);
    set_exec(&event, &arena, "/usr/bin/cat", "x");
    xt_event_set_num(&event, XT_F_UID, 1);
    assert_int_equal(xt_ruleset_match(set, &event, &arena, matches, &n), 0);
    assert_int_equal(matches[0].level, XT_LEVEL_HIGH);
    xt_arena_fini(&arena);
    xt_ruleset_unref(set);
    xt_buf_fini(&text);
}

/* Rules that a name of the file decides are found by it, by either of the two paths, once; the others always. */
static void test_index(void **state)
{
    static const struct {
        const char *condition;
        const char *expected; /* which of nc, NC called as /bin/sh, bash, and a name of 300 bytes */
    } cases[] = {
        {"nc", "yy--"},
        {"not nc", "--yy"},
        {"nc or bash", "yyy-"},
        {"nc and bash", "----"},
        {"nc and not sh", "y---"},
        {"sh", "-y--"},
        {"nc and sh", "-y--"},
        {"nc or any", "yyyy"},
        {"nc and any", "yy--"},
        {"path", "yy--"},
        {"not (nc or sh)", "--yy"},
        {"long", "---y"},
        {"nc or not bash", "yy-y"},
        {"cased", "y---"},
        {"not not sh", "-y--"},
    };
    char name[302] = "/";
    xt_arena arena;

    memset(name + 1, 'n', 300);
    xt_arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < XT_COUNT_OF(cases); i++) {
        const char *exes[] = {"/usr/bin/nc", "/opt/NC", "/usr/bin/bash", name};
        char text[2000];
        xt_ruleset *set;
        snprintf(text, sizeof text,
                 RULE_HEAD "detection:\n    nc: {Image|endswith: /Nc}\n    bash: {Image|endswith: /bash}\n"
                           "    sh: {Image|endswith: [/sh, /ksh]}\n    any: {CommandLine: '*'}\n"
                           "    path: {Image: [/usr/bin/nc, /opt/nc]}\n    long: {Image|endswith: '%s'}\n"
                           "    cased: {Image|endswith|cased: /nc}\n    condition: %s\n",
                 name, cases[i].condition);
        set = load_good(text);
        for (size_t k = 0; k < 4; k++) {
            xt_event event;
            set_exec(&event, &arena, exes[k], "x");
            if (k == 1)
                xt_event_set_bytes(&event, XT_F_SCRIPT, XT_S("/bin/SH"));
            if (count_matches(set, &event) != (cases[i].expected[k] == 'y'))
                fail_msg("%s on %s", cases[i].condition, exes[k]);
        }
        xt_ruleset_unref(set);
    }
    xt_arena_fini(&arena);
}

/* A full arena is an error and never a wrong answer. */
static void test_no_memory(void **state)
{
    xt_ruleset *set = load_good(RULE_HEAD DETECTION);
    xt_match matches[XT_DETECT_MAX_MATCHES];
    xt_arena arena, small;
    xt_event event;
    size_t n = 99, max;

    xt_arena_init(&arena, 1u << 20);
    set_exec(&event, &arena, "/usr/bin/x", "some words and an x");
    for (max = 1;; max += 16) {
        int r;
        xt_arena_init(&small, max);
        r = xt_ruleset_match(set, &event, &small, matches, &n);
        xt_arena_fini(&small);
        if (r == 0)
            break;
        assert_int_equal(r, -ENOMEM);
        assert_int_equal(n, 99);
    }
    assert_int_equal(n, 1);
    assert_true(max > 1);
    xt_arena_fini(&arena);
    xt_ruleset_unref(set);
}

static void test_explain(void **state)
{
    xt_ruleset *set =
        load_good("title: T\nid: r1\n" SOURCE
                  "detection:\n    a:\n        Image|endswith: /nc\n        CommandLine|contains: [' -e', ' -c']\n"
                  "    b:\n        cwd: null\n    condition: a and not b\n");
    xt_problem problem = XT_PROBLEM_INIT;
    xt_buf out = XT_BUF_INIT;
    xt_arena arena;
    xt_event event;

    xt_arena_init(&arena, 1u << 20);
    set_exec(&event, &arena, "/usr/bin/nc", "nc -e sh");
    assert_int_equal(xt_ruleset_explain(set, XT_S("R1"), &event, &arena, &out, &problem), 0);
    xt_buf_putc(&out, '\0');
    assert_string_equal(strstr(out.p, ": T"), ": T: does not match\n"
                                              "  selection a: yes\n"
                                              "    line 6: Image ends with \"/nc\": yes, it is \"/usr/bin/nc\"\n"
                                              "    line 7: CommandLine contains \" -e\": yes, it is \"nc -e sh\"\n"
                                              "    line 7: CommandLine contains \" -c\": no, it is \"nc -e sh\"\n"
                                              "  selection b: yes\n"
                                              "    line 9: cwd is absent: yes, the event has no such field\n");
    assert_int_equal(xt_ruleset_explain(set, XT_S("r2"), &event, &arena, &out, &problem), XT_RULESET_E_UNKNOWN);
    assert_true(xt_problem_is_set(&problem));
    xt_buf_fini(&out);
    xt_arena_fini(&arena);
    xt_ruleset_unref(set);
}

/* A match is one object: the rule, then the event's own fields; what the server said of all rules is left out. */
static void test_match_json(void **state)
{
    xt_ruleset *set =
        load_good("title: A \"quoted\" title\nid: r1\nauthor: Someone\nlevel: low\n"
                  "tags: [attack.execution, attack.t1059.004, ATTACK.T1021, attack.tx]\n" SOURCE DETECTION);
    xt_match matches[XT_DETECT_MAX_MATCHES];
    xt_buf out = XT_BUF_INIT;
    xt_arena arena;
    xt_event event;
    size_t n;

    xt_arena_init(&arena, 1u << 20);
    set_exec(&event, &arena, "/usr/bin/nc", "x");
    xt_event_set_bytes(&event, XT_F_RULE_LEVEL, XT_S("critical"));
    assert_int_equal(xt_ruleset_match(set, &event, &arena, matches, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(xt_match_json(&matches[0], &event, &arena, &out), 0);
    xt_buf_putc(&out, '\0');
    assert_non_null(strstr(out.p,
                           "{\"rule\":{\"id\":\"r1\",\"name\":\"A \\\"quoted\\\" title\",\"author\":\"Someone\","
                           "\"level\":\"low\"},\"threat\":{\"framework\":\"MITRE ATT&CK\",\"technique\":{\"id\":["
                           "\"T1059.004\",\"T1021\"]}},\"@timestamp\":"));
    assert_null(strstr(out.p, "critical"));
    assert_non_null(strstr(out.p, "\"executable\":\"/usr/bin/nc\""));
    assert_true(xt_event_has(&event, XT_F_RULE_LEVEL));
    xt_buf_fini(&out);
    xt_arena_fini(&arena);
    xt_ruleset_unref(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),          cmocka_unit_test(test_folder),     cmocka_unit_test(test_missing_path),
        cmocka_unit_test(test_refusals),        cmocka_unit_test(test_documents),  cmocka_unit_test(test_scope),
        cmocka_unit_test(test_order_and_raise), cmocka_unit_test(test_no_memory),  cmocka_unit_test(test_explain),
        cmocka_unit_test(test_index),           cmocka_unit_test(test_match_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

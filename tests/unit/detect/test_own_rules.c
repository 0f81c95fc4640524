/*
 * The rules that ship, on samples: every event of rules/tests/STEM.positive.log matches rules/.../STEM.yml, none of
 * STEM.negative.log does, and no rule is without both. Events that server and agent make themselves are in no audit
 * log: their samples are STEM.positive.actions and STEM.negative.actions, an action and perhaps a reason a line. Then the rules together on captures of attacks.
 */
#include "detect_stream.h"

static xt_ruleset *load_own(void)
{
    char path[400];
    const char *paths[] = {source_path(path, "rules")};
    xt_buf problems = XT_BUF_INIT;
    xt_ruleset *set = NULL;

    assert_int_equal(xt_ruleset_load(paths, 1, note_problem, &problems, &set, NULL), 0);
    xt_buf_putc(&problems, '\0');
    if (problems.n > 1)
        fail_msg("%s", problems.p);
    xt_buf_fini(&problems);
    assert_int_equal(xt_ruleset_stats_get(set).n_not_ours, 0);
    return set;
}

struct sample {
    const xt_ruleset *set;
    const xt_rule_info *rule;
    const char *path;
    bool expected;
    size_t n;
};

static const xt_match *find_match(const xt_match *matches, size_t n, const xt_rule_info *rule)
{
    for (size_t i = 0; i < n; i++)
        if (matches[i].rule == rule)
            return &matches[i];
    return NULL;
}

static void check_sample(void *context, xt_event *event, xt_arena *arena)
{
    struct sample *s = context;
    xt_match matches[XT_DETECT_MAX_MATCHES];
    size_t n = 0;

    s->n++;
    assert_int_equal(xt_ruleset_match(s->set, event, arena, matches, &n), 0);
    if ((find_match(matches, n, s->rule) != NULL) != s->expected) {
        xt_buf out = XT_BUF_INIT;
        assert_int_equal(xt_ruleset_explain(s->set, s->rule->id, event, arena, &out, NULL), 0);
        fail_msg("%s: event %llu: %.*s", s->path, (unsigned long long)xt_event_num(event, XT_F_SERIAL, 0),
                 XT_S_ARGS(xt_buf_slice(&out)));
    }
}

/* Events of our own. */
static void check_actions(struct sample *s, const char *path)
{
    char line[100];
    FILE *f = fopen(path, "r");
    xt_arena arena;

    assert_non_null(f);
    xt_arena_init(&arena, 1 << 20);
    while (fgets(line, sizeof line, f)) {
        xt_event event;
        xt_event_reset(&event);
        xt_event_set_num(&event, XT_F_TIME, UINT64_C(1790000000000));
        xt_event_set_bytes(&event, XT_F_HOST, XT_S("web-1"));
        xt_slice reason = xt_slice_trim(xt_slice_str(line)), action;
        (void)xt_slice_cut(&reason, ' ', &action);
        xt_event_set_bytes(&event, XT_F_ACTION, action);
        if (reason.n > 0)
            xt_event_set_bytes(&event, XT_F_REASON, reason);
        check_sample(s, &event, &arena);
        xt_arena_reset(&arena);
    }
    xt_arena_fini(&arena);
    fclose(f);
}

static void check_samples(const xt_ruleset *set, const xt_rule_info *rule, const char *kind, bool expected)
{
    char name[200], path[400];
    const char *slash = strrchr(rule->file, '/');
    struct sample s = {.set = set, .rule = rule, .path = path, .expected = expected};

    snprintf(name, sizeof name, "rules/tests/%.*s.%s.log", (int)(strlen(slash + 1) - strlen(".yml")), slash + 1, kind);
    source_path(path, name);
    if (is_file(path)) {
        stream_file(path, check_sample, &s);
    } else {
        strcpy(strrchr(name, '.'), ".actions");
        source_path(path, name);
        if (!is_file(path))
            fail_msg("%s and its .log are missing", path);
        check_actions(&s, path);
    }
    assert_true(s.n > 0);
}

static void test_samples(void **state)
{
    xt_ruleset *set = load_own();

    assert_true(xt_ruleset_count(set) >= 9);
    for (size_t i = 0; i < xt_ruleset_count(set); i++) {
        check_samples(set, xt_ruleset_rule(set, i), "positive", true);
        check_samples(set, xt_ruleset_rule(set, i), "negative", false);
    }
    xt_ruleset_unref(set);
}

/* What rules said about a capture: "SERIAL LEVEL FILE" a line. */
struct verdicts {
    const xt_ruleset *set;
    xt_buf out;
    size_t n_execs, n_matched_execs;
};

static void add_verdicts(void *context, xt_event *event, xt_arena *arena)
{
    struct verdicts *v = context;
    xt_match matches[XT_DETECT_MAX_MATCHES];
    size_t n = 0;
    bool is_exec = xt_event_has(event, XT_F_ARGS);

    assert_int_equal(xt_ruleset_match(v->set, event, arena, matches, &n), 0);
    v->n_execs += is_exec;
    v->n_matched_execs += is_exec && n > 0;
    for (size_t i = 0; i < n; i++)
        xt_buf_printf(&v->out, "%llu %s %s\n", (unsigned long long)xt_event_num(event, XT_F_SERIAL, 0),
                      xt_level_name(matches[i].level), strrchr(matches[i].rule->file, '/') + 1);
}

static bool says(const struct verdicts *v, const char *line)
{
    return xt_slice_find(xt_buf_slice(&v->out), xt_slice_str(line)) >= 0;
}

static void begin(struct verdicts *v, const char *path)
{
    *v = (struct verdicts){.set = load_own()};
    stream_file(path, add_verdicts, v);
}

static void end(struct verdicts *v)
{
    xt_buf_fini(&v->out);
    xt_ruleset_unref((xt_ruleset *)(uintptr_t)v->set);
}

static void test_webshell(void **state)
{
    char path[400];
    struct verdicts v;

    if (!corpus_path(path, "webshell.log"))
        skip();
    begin(&v, path);
    assert_true(says(&v, "68156 critical service_without_login.yml\n")); /* sh -c id */
    assert_true(says(&v, "68157 medium service_without_login.yml\n"));   /* id */
    assert_true(v.n_matched_execs > 10);
    end(&v);
}

static void test_tamper(void **state)
{
    static const char *const expected[] = {
        "68408 high audit_rule_removed.yml\n", "68409 high audit_file_changed.yml\n",
        "68410 high audit_file_changed.yml\n", "68411 critical audit_disabled.yml\n",
        "68412 high audit_starved.yml\n",      "68413 high audit_rule_removed.yml\n",
        "68414 high audit_rule_removed.yml\n", "68415 high audit_rule_removed.yml\n",
        "68416 high audit_rule_removed.yml\n", "68417 high audit_rule_removed.yml\n",
        "68401 low audit_daemon_owns.yml\n",
    };
    char path[400];
    struct verdicts v;
    size_t n_lines = 0;

    if (!corpus_path(path, "tamper.log"))
        skip();
    begin(&v, path);
    for (size_t i = 0; i < XT_COUNT_OF(expected); i++)
        if (!says(&v, expected[i]))
            fail_msg("missing: %s", expected[i]);
    for (size_t i = 0; i < v.out.n; i++)
        n_lines += v.out.p[i] == '\n';
    assert_int_equal(n_lines, XT_COUNT_OF(expected));
    end(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_webshell),
        cmocka_unit_test(test_tamper),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A rule set is built once and then only read. Everything of its rules stands in the program's arena, file texts
 * excepted: the YAML tree holds copies.
 *
 * Matching asks the rules that the index lets in (detect/rule_index). Of these, most end at their first test, and tests
 * that rules share are asked once (detect/sigma_match).
 */
#include "detect/ruleset.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "detect/rule_files.h"
#include "detect/sigma_match.h"

static const char *const level_names[] = {"informational", "low", "medium", "high", "critical"};

const char *xt_level_name(xt_level level)
{
    return level_names[level];
}

bool xt_level_by_name(xt_slice name, xt_level *ret)
{
    for (size_t i = 0; i < XT_COUNT_OF(level_names); i++)
        if (xt_slice_eq(name, xt_slice_str(level_names[i]))) {
            *ret = (xt_level)i;
            return true;
        }
    return false;
}

struct loading {
    xt_ruleset *set;
    void (*refused)(void *context, const xt_problem *problem);
    void *context;
};

static void tell_refused(struct loading *l, const xt_problem *problem)
{
    l->set->n_refused++;
    if (l->refused)
        l->refused(l->context, problem);
}

static int grow(void **array, size_t n, size_t *cap, size_t each)
{
    size_t wanted = *cap ? *cap * 2 : 64;
    void *bigger;

    if (n < *cap)
        return 0;
    bigger = reallocarray(*array, wanted, each);
    if (!bigger)
        return xt_error_origin(-ENOMEM);
    *array = bigger;
    *cap = wanted;
    return 0;
}

static const xt_sigma_rule *find_rule(const xt_ruleset *set, xt_slice id)
{
    for (size_t i = 0; i < set->n_rules; i++)
        if (xt_slice_eq_nocase(set->rules[i].info.id, id))
            return &set->rules[i];
    return NULL;
}

static int add_rule(xt_ruleset *set, const xt_sigma_rule *rule, xt_problem *problem)
{
    const xt_sigma_rule *other = find_rule(set, rule->info.id);
    int r;

    if (other) {
        xt_problem_set(problem, "this rule's id is that of %s", other->info.file);
        xt_problem_at(problem, rule->info.line, 1);
        xt_problem_excerpt(problem, rule->info.id);
        return XT_SIGMA_E_BAD;
    }
    r = grow((void **)&set->rules, set->n_rules, &set->cap_rules, sizeof *rule);
    if (r)
        return xt_error_trace(r);
    set->rules[set->n_rules++] = *rule;
    set->n_disabled += !rule->info.enabled;
    return 0;
}

/* There is one state per login, so one rule for it. */
static int add_noise(xt_ruleset *set, const xt_noise_rule *rule, const xt_yaml_node *root, xt_problem *problem)
{
    int r = grow((void **)&set->noise, set->n_noise, &set->cap_noise, sizeof *rule);

    if (r)
        return xt_error_trace(r);
    for (size_t i = 0; i < set->n_noise; i++) {
        bool both_login = rule->kind == XT_NOISE_LOGIN_SHELL && set->noise[i].kind == XT_NOISE_LOGIN_SHELL;
        if (!both_login && !xt_slice_eq(set->noise[i].name, rule->name))
            continue;
        xt_problem_set(problem, both_login ? "there is a noise rule of kind login-shell already"
                                           : "there is a noise rule of this name already");
        xt_yaml_at(problem, xt_yaml_find(root, "noise"));
        return XT_SIGMA_E_BAD;
    }
    set->noise[set->n_noise++] = *rule;
    return 0;
}

static int load_document(struct loading *l, const xt_yaml_node *root, const char *file, xt_slice stem,
                         xt_problem *problem)
{
    xt_noise_rule noise;
    xt_sigma_rule rule;
    int r;

    if (xt_sigma_is_noise(root)) {
        r = xt_sigma_noise_compile(&l->set->program, root, &noise, problem);
        return r ? r : add_noise(l->set, &noise, root, problem);
    }
    r = xt_sigma_rule_compile(&l->set->program, root, file, stem, &rule, problem);
    if (r == XT_SIGMA_E_NOT_OURS) {
        l->set->n_not_ours++;
        return 0;
    }
    return r ? r : add_rule(l->set, &rule, problem);
}

static xt_slice stem_of(xt_slice file)
{
    xt_slice rest = file, piece, name = file;
    ptrdiff_t dot = -1;

    while (xt_slice_cut(&rest, '/', &piece))
        name = piece;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '.')
            dot = (ptrdiff_t)i;
    return dot > 0 ? xt_slice_head(name, (size_t)dot) : name;
}

/* One file's text. What is wrong with it is told and counted; only memory ends the loading. */
static int load_text(struct loading *l, const char *path, xt_slice text)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_arena *arena = &l->set->program.arena;
    xt_slice file = xt_arena_copy(arena, xt_slice_str(path));
    xt_yaml_node **roots;
    size_t n;
    int r;

    if (!file.p)
        return xt_error_origin(-ENOMEM);
    xt_problem_source(&problem, path);
    r = xt_yaml_parse(arena, text, &roots, &n, &problem);
    if (r > 0)
        tell_refused(l, &problem);
    if (r)
        return r < 0 ? xt_error_trace(r) : 0;
    for (size_t i = 0; i < n; i++) {
        r = load_document(l, roots[i], file.p, stem_of(file), &problem);
        if (r < 0)
            return xt_error_trace(r);
        if (r > 0)
            tell_refused(l, &problem);
    }
    return 0;
}

static int on_file(void *context, const char *path, xt_slice text)
{
    return load_text(context, path, text);
}

static void on_unreadable(void *context, const xt_problem *problem)
{
    tell_refused(context, problem);
}

static int new_set(xt_ruleset **ret)
{
    xt_ruleset *set = calloc(1, sizeof *set);
    int r;

    if (!set)
        return xt_error_origin(-ENOMEM);
    set->n_refs = 1;
    r = xt_sigma_program_init(&set->program);
    if (r) {
        xt_ruleset_unref(set);
        return xt_error_trace(r);
    }
    *ret = set;
    return 0;
}

static int build_index(xt_ruleset *set)
{
    return xt_rule_index_build(&set->index, &set->program, set->rules, set->n_rules);
}

int xt_ruleset_load_text(const char *name, xt_slice text, void (*refused)(void *context, const xt_problem *problem),
                         void *context, xt_ruleset **ret)
{
    struct loading l = {.refused = refused, .context = context};
    int r = new_set(&l.set);

    if (r)
        return xt_error_trace(r);
    r = load_text(&l, name, text);
    if (!r)
        r = build_index(l.set);
    if (r) {
        xt_ruleset_unref(l.set);
        return xt_error_trace(r);
    }
    *ret = l.set;
    return 0;
}

int xt_ruleset_load(const char *const *paths, size_t n_paths, void (*refused)(void *context, const xt_problem *problem),
                    void *context, xt_ruleset **ret, xt_problem *reterr_problem)
{
    struct loading l = {.refused = refused, .context = context};
    int r = new_set(&l.set);

    if (r)
        return xt_error_trace(r);
    for (size_t i = 0; !r && i < n_paths; i++)
        r = xt_rule_files_read(paths[i], on_file, on_unreadable, &l, reterr_problem);
    if (!r)
        r = build_index(l.set);
    if (r) {
        xt_ruleset_unref(l.set);
        return r < 0 ? xt_error_trace(r) : XT_RULESET_E_PATH;
    }
    *ret = l.set;
    return 0;
}

xt_ruleset *xt_ruleset_ref(xt_ruleset *set)
{
    atomic_fetch_add_explicit(&set->n_refs, 1, memory_order_relaxed);
    return set;
}

xt_ruleset *xt_ruleset_unref(xt_ruleset *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->n_refs, 1, memory_order_acq_rel) > 1)
        return NULL;
    xt_rule_index_fini(&set->index);
    xt_sigma_program_fini(&set->program);
    free(set->rules);
    free(set->noise);
    free(set);
    return NULL;
}

xt_ruleset_stats xt_ruleset_stats_get(const xt_ruleset *set)
{
    return (xt_ruleset_stats){.n_rules = set->n_rules,
                              .n_refused = set->n_refused,
                              .n_not_ours = set->n_not_ours,
                              .n_disabled = set->n_disabled,
                              .n_noise = set->n_noise};
}

size_t xt_ruleset_count(const xt_ruleset *set)
{
    return set->n_rules;
}

const xt_rule_info *xt_ruleset_rule(const xt_ruleset *set, size_t i)
{
    assert(i < set->n_rules);
    return &set->rules[i].info;
}

const xt_rule_info *xt_ruleset_find(const xt_ruleset *set, xt_slice id)
{
    const xt_sigma_rule *rule = find_rule(set, id);

    return rule ? &rule->info : NULL;
}

/* Higher levels first, then in order of loading. */
static bool goes_before(const xt_match *a, const xt_match *b)
{
    return a->level != b->level ? a->level > b->level : a->rule < b->rule; /* both in one array */
}

/* Keeps the first XT_DETECT_MAX_MATCHES; one rule, found under two names, once. */
static void keep(xt_match *matches, size_t *n, xt_match match)
{
    size_t at = *n;

    for (size_t i = 0; i < *n; i++)
        if (matches[i].rule == match.rule)
            return;
    if (*n < XT_DETECT_MAX_MATCHES)
        ++*n;
    else if (goes_before(&match, &matches[--at]))
        matches[at] = match;
    else
        return;
    for (; at > 0 && goes_before(&match, &matches[at - 1]); at--)
        matches[at] = matches[at - 1];
    matches[at] = match;
}

static xt_level level_of(xt_sigma_match *m, const xt_sigma_rule *rule)
{
    for (size_t i = 0; i < rule->n_raises; i++)
        if (xt_sigma_match_eval(m, rule->raises[i].when))
            return rule->raises[i].level;
    return rule->info.level;
}

static void match_list(const xt_ruleset *set, const xt_rule_list *list, xt_sigma_match *m, xt_match *ret, size_t *n)
{
    for (size_t i = 0; list && i < list->n; i++) {
        const xt_sigma_rule *rule = &set->rules[list->numbers[i]];
        if (xt_sigma_match_eval(m, rule->detection.condition))
            keep(ret, n, (xt_match){&rule->info, level_of(m, rule)});
    }
}

static size_t match_all(const xt_ruleset *set, xt_sigma_match *m, xt_match *ret)
{
    const xt_rule_index *index = &set->index;
    xt_slice image;
    size_t n = 0;

    match_list(set, &index->events, m, ret, &n);
    if (!xt_sigma_is_process(m->event))
        return n;
    match_list(set, &index->processes, m, ret, &n);
    for (size_t i = 0; index->has_image && xt_sigma_match_value(m, index->image, i, &image); i++)
        match_list(set, xt_rule_index_find(index, image), m, ret, &n);
    return n;
}

int xt_ruleset_match(const xt_ruleset *set, const xt_event *event, xt_arena *arena, xt_match *ret, size_t *ret_n)
{
    xt_arena_mark mark = xt_arena_mark_get(arena);
    xt_sigma_match m;
    size_t n = 0;
    int r = xt_sigma_match_begin(&m, &set->program, event, arena);

    if (!r) {
        n = match_all(set, &m, ret);
        r = xt_sigma_match_end(&m);
    }
    xt_arena_mark_reset(arena, mark);
    if (r)
        return xt_error_trace(r);
    *ret_n = n;
    return 0;
}

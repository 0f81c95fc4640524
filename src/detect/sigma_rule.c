/*
 * What a rule says of itself is read leniently, because the format lets people add keys of their own; what decides
 * whether it fires (log source, detection, level, our own attributes) is read strictly, because a rule that is half
 * understood is worse than one that is refused.
 */
#include "detect/sigma_rule.h"

#include <errno.h>

#include "base/timestamp.h"
#include "detect/sigma_detection.h"

static int refuse(xt_problem *problem, const xt_yaml_node *node, const char *sentence)
{
    xt_problem_set(problem, "%s", sentence);
    xt_yaml_at(problem, node);
    return XT_SIGMA_E_BAD;
}

/* A scalar's text, or an empty slice. */
static xt_slice text_of(const xt_yaml_node *map, const char *key)
{
    const xt_yaml_node *node = xt_yaml_find(map, key);

    return node && node->kind == XT_YAML_SCALAR && !xt_yaml_is_null(node) ? node->text : XT_S("");
}

/* True for a key of map that none of the names is; the names end with NULL. */
static const xt_yaml_node *find_foreign_key(const xt_yaml_node *map, const char *const *names)
{
    for (const xt_yaml_node *m = map->first; m; m = m->next) {
        bool known = false;
        for (size_t i = 0; names[i]; i++)
            known = known || xt_slice_eq(m->key->text, xt_slice_str(names[i]));
        if (!known)
            return m->key;
    }
    return NULL;
}

static int check_keys(const xt_yaml_node *map, const char *const *names, const char *what, xt_problem *problem)
{
    const xt_yaml_node *foreign = map->kind == XT_YAML_MAP ? find_foreign_key(map, names) : NULL;

    if (map->kind != XT_YAML_MAP) {
        xt_problem_set(problem, "%s must be a map", what);
        xt_yaml_at(problem, map);
        return XT_SIGMA_E_BAD;
    }
    if (!foreign)
        return 0;
    xt_problem_set(problem, "%s knows no such key", what);
    xt_yaml_at(problem, foreign);
    xt_problem_excerpt(problem, foreign->text);
    return XT_SIGMA_E_BAD;
}

/* Log sources are matched exactly: one attribute more (a service beside the category) is another source. */
static int read_logsource(const xt_yaml_node *root, xt_sigma_scope *ret, xt_problem *problem)
{
    const xt_yaml_node *source = xt_yaml_find(root, "logsource");
    xt_slice product = text_of(source, "product"), category = text_of(source, "category"),
             service = text_of(source, "service");
    bool is_exectrail = xt_slice_eq(product, XT_S("exectrail"));

    if (!source || source->kind != XT_YAML_MAP)
        return refuse(problem, source ? source : root, "a rule needs a map 'logsource'");
    if ((is_exectrail || xt_slice_eq(product, XT_S("linux"))) && xt_slice_eq(category, XT_S("process_creation")) &&
        service.n == 0) {
        *ret = XT_SIGMA_PROCESS;
        return 0;
    }
    if (!is_exectrail)
        return XT_SIGMA_E_NOT_OURS;
    if (xt_slice_eq(service, XT_S("event")) && category.n == 0) {
        *ret = XT_SIGMA_EVENT;
        return 0;
    }
    return refuse(problem, source, "product exectrail has service event and category process_creation");
}

static int read_selections(xt_sigma_program *program, const xt_yaml_node *detection, xt_sigma_scope scope,
                           xt_sigma_detection *ret, xt_problem *problem)
{
    if (detection->n > XT_SIGMA_MAX_SELECTIONS)
        return refuse(problem, detection, "there are too many selections");
    ret->selections = xt_arena_array(&program->arena, detection->n + 1, sizeof *ret->selections);
    if (!ret->selections)
        return xt_error_origin(-ENOMEM);
    for (const xt_yaml_node *m = detection->first; m; m = m->next) {
        xt_sigma_selection *s = &ret->selections[ret->n_selections];
        int r;
        if (xt_slice_eq(m->key->text, XT_S("condition")))
            continue;
        if (xt_slice_eq(m->key->text, XT_S("timeframe")))
            return refuse(problem, m->key, "timeframe belongs to the old aggregations: use a correlation");
        *s = (xt_sigma_selection){.name = m->key->text, .line = m->key->line};
        r = xt_sigma_selection_compile(program, m, scope, &s->expr, problem);
        if (r)
            return r;
        ret->n_selections++;
    }
    return 0;
}

static int read_detection(xt_sigma_program *program, const xt_yaml_node *root, xt_sigma_scope scope,
                          xt_sigma_detection *ret, xt_problem *problem)
{
    const xt_yaml_node *detection = xt_yaml_find(root, "detection");
    const xt_yaml_node *condition = xt_yaml_find(detection, "condition");
    int r;

    if (!detection || detection->kind != XT_YAML_MAP)
        return refuse(problem, detection ? detection : root, "a rule needs a map 'detection'");
    if (!condition)
        return refuse(problem, detection, "a detection needs a condition");
    r = read_selections(program, detection, scope, ret, problem);
    if (r)
        return r;
    return xt_sigma_condition_compile(program, condition, ret->selections, ret->n_selections, &ret->condition, problem);
}

static int read_tags(xt_sigma_program *program, const xt_yaml_node *root, xt_rule_info *ret)
{
    const xt_yaml_node *list = xt_yaml_find(root, "tags");
    xt_slice *tags;

    if (!list || list->kind != XT_YAML_LIST || list->n == 0)
        return 0;
    tags = xt_arena_array(&program->arena, list->n, sizeof *tags);
    if (!tags)
        return xt_error_origin(-ENOMEM);
    for (const xt_yaml_node *m = list->first; m; m = m->next)
        if (m->kind == XT_YAML_SCALAR)
            tags[ret->n_tags++] = m->text;
    ret->tags = tags;
    return 0;
}

static int read_level(const xt_yaml_node *node, xt_slice text, xt_level *ret, xt_problem *problem)
{
    if (xt_level_by_name(text, ret))
        return 0;
    xt_problem_set(problem, "there is no such level");
    xt_problem_hint(problem, "informational, low, medium, high or critical");
    xt_yaml_at(problem, node);
    xt_problem_excerpt(problem, text);
    return XT_SIGMA_E_BAD;
}

static int read_info(xt_sigma_program *program, const xt_yaml_node *root, const char *file, xt_slice stem,
                     xt_rule_info *ret, xt_problem *problem)
{
    const xt_yaml_node *level = xt_yaml_find(root, "level");
    int r;

    *ret = (xt_rule_info){
        .id = text_of(root, "id"),
        .title = text_of(root, "title"),
        .author = text_of(root, "author"),
        .status = text_of(root, "status"),
        .description = text_of(root, "description"),
        .level = XT_LEVEL_MEDIUM,
        .file = file,
        .line = root->line,
        .enabled = true,
    };
    if (ret->id.n == 0)
        ret->id = stem;
    if (ret->title.n == 0)
        return refuse(problem, root, "a rule needs a title");
    r = level ? read_level(level, level->text, &ret->level, problem) : 0;
    return r ? r : read_tags(program, root, ret);
}

/* `raise`: LEVEL: SELECTION. Kept with the highest level first, so that the first that fits decides. */
static int read_raises(xt_sigma_program *program, const xt_yaml_node *map, xt_sigma_rule *rule, xt_problem *problem)
{
    if (map->kind != XT_YAML_MAP || map->n == 0)
        return refuse(problem, map, "'raise' needs a map from levels to selections");
    for (const xt_yaml_node *m = map->first; m; m = m->next) {
        size_t at = rule->n_raises;
        const xt_sigma_expr *when;
        xt_level level;
        int r = read_level(m->key, m->key->text, &level, problem);
        if (!r && level <= rule->info.level)
            r = refuse(problem, m->key, "this is not above the rule's own level");
        if (!r)
            r = xt_sigma_selection_compile(program, m, rule->scope, &when, problem);
        if (r)
            return r;
        for (; at > 0 && rule->raises[at - 1].level < level; at--)
            rule->raises[at] = rule->raises[at - 1];
        rule->raises[at].level = level;
        rule->raises[at].when = when;
        rule->n_raises++;
    }
    rule->info.raised_by_exe = true;
    return 0;
}

static int read_bool(const xt_yaml_node *node, bool *ret, xt_problem *problem)
{
    bool yes = xt_slice_eq(node->text, XT_S("true")), no = xt_slice_eq(node->text, XT_S("false"));

    if (node->kind != XT_YAML_SCALAR || (!yes && !no))
        return refuse(problem, node, "this must be true or false");
    *ret = yes;
    return 0;
}

/* Our own attributes of a rule, under `exectrail`. */
static int read_own(xt_sigma_program *program, const xt_yaml_node *root, xt_sigma_rule *rule, xt_problem *problem)
{
    static const char *const names[] = {"enabled", "raise", NULL};
    const xt_yaml_node *own = xt_yaml_find(root, "exectrail"), *enabled = xt_yaml_find(own, "enabled"),
                       *raise = xt_yaml_find(own, "raise");
    int r = own ? check_keys(own, names, "'exectrail'", problem) : 0;

    if (!r && enabled)
        r = read_bool(enabled, &rule->info.enabled, problem);
    if (!r && raise)
        r = read_raises(program, raise, rule, problem);
    return r;
}

/* Kinds of documents that Sigma knows and that are not built. */
static int check_kind(const xt_yaml_node *root, xt_problem *problem)
{
    const xt_yaml_node *node;

    if (root->kind != XT_YAML_MAP)
        return refuse(problem, root, "a rule must be a map");
    if ((node = xt_yaml_find(root, "correlation")))
        return refuse(problem, node->key, "correlations are not supported yet");
    if ((node = xt_yaml_find(root, "filter")))
        return refuse(problem, node->key, "filters are not supported yet");
    if ((node = xt_yaml_find(root, "action")))
        return refuse(problem, node->key, "'action' collections are not supported");
    return 0;
}

static int compile_rule(xt_sigma_program *program, const xt_yaml_node *root, const char *file, xt_slice stem,
                        xt_sigma_rule *rule, xt_problem *problem)
{
    int r = check_kind(root, problem);

    if (!r)
        r = read_logsource(root, &rule->scope, problem);
    if (!r)
        r = read_info(program, root, file, stem, &rule->info, problem);
    if (!r)
        r = read_detection(program, root, rule->scope, &rule->detection, problem);
    return r ? r : read_own(program, root, rule, problem);
}

int xt_sigma_rule_compile(xt_sigma_program *program, const xt_yaml_node *root, const char *file, xt_slice stem,
                          xt_sigma_rule *ret, xt_problem *reterr_problem)
{
    xt_sigma_rule rule = {0};
    int r = compile_rule(program, root, file, stem, &rule, reterr_problem);

    if (r)
        return r < 0 ? xt_error_trace(r) : r;
    *ret = rule;
    return 0;
}

bool xt_sigma_is_noise(const xt_yaml_node *root)
{
    return xt_yaml_find(root, "noise") != NULL;
}

static int read_duration(const xt_yaml_node *map, const char *key, int64_t otherwise, int64_t *ret, xt_problem *problem)
{
    const xt_yaml_node *node = xt_yaml_find(map, key);

    *ret = otherwise;
    if (!node || (node->kind == XT_YAML_SCALAR && xt_duration_parse(node->text, ret, NULL) == 0 && *ret > 0))
        return 0;
    return refuse(problem, node, "this must be a time such as 300ms or 10s");
}

static const xt_sigma_expr *find_selection(const xt_sigma_detection *detection, const char *name)
{
    for (size_t i = 0; i < detection->n_selections; i++)
        if (xt_slice_eq(detection->selections[i].name, xt_slice_str(name)))
            return detection->selections[i].expr;
    return NULL;
}

static int compile_login_shell(xt_sigma_program *program, const xt_yaml_node *root, xt_noise_rule *rule,
                               xt_problem *problem)
{
    static const char *const names[] = {"session", "startup", "shown", NULL};
    const xt_yaml_node *detection = xt_yaml_find(root, "detection");
    int r;

    if (rule->scope != XT_SIGMA_PROCESS)
        return refuse(problem, root, "kind login-shell is for process_creation");
    if (!detection)
        return refuse(problem, root, "a rule needs a map 'detection'");
    r = check_keys(detection, names, "the detection of kind login-shell", problem);
    if (!r)
        r = read_selections(program, detection, rule->scope, &rule->detection, problem);
    if (r)
        return r;
    rule->session = find_selection(&rule->detection, "session");
    rule->startup = find_selection(&rule->detection, "startup");
    rule->shown = find_selection(&rule->detection, "shown");
    if (!rule->session || !rule->startup)
        return refuse(problem, detection, "kind login-shell needs the selections session and startup");
    return 0;
}

static int read_noise(const xt_yaml_node *noise, xt_noise_rule *rule, xt_problem *problem)
{
    static const char *const names[] = {"name", "kind", "owner", "reason", "quiet", "max", NULL};
    xt_slice kind = text_of(noise, "kind");
    int r = check_keys(noise, names, "'noise'", problem);

    if (r)
        return r;
    rule->name = text_of(noise, "name");
    rule->owner = text_of(noise, "owner");
    rule->reason = text_of(noise, "reason");
    rule->kind = xt_slice_eq(kind, XT_S("login-shell")) ? XT_NOISE_LOGIN_SHELL : XT_NOISE_MATCH;
    if (rule->name.n == 0 || rule->owner.n == 0 || rule->reason.n == 0)
        return refuse(problem, noise, "a noise rule needs a name, an owner and a reason");
    if (rule->kind == XT_NOISE_MATCH && !xt_slice_eq(kind, XT_S("match")))
        return refuse(problem, noise, "a noise rule's kind is match or login-shell");
    r = read_duration(noise, "quiet", 300, &rule->quiet_ms, problem);
    return r ? r : read_duration(noise, "max", 10000, &rule->max_ms, problem);
}

static int compile_noise(xt_sigma_program *program, const xt_yaml_node *root, xt_noise_rule *rule, xt_problem *problem)
{
    int r = read_noise(xt_yaml_find(root, "noise"), rule, problem);

    if (!r)
        r = read_logsource(root, &rule->scope, problem);
    if (r == XT_SIGMA_E_NOT_OURS)
        r = refuse(problem, xt_yaml_find(root, "logsource"), "noise rules are for process_creation and for our events");
    if (r)
        return r;
    return rule->kind == XT_NOISE_MATCH ? read_detection(program, root, rule->scope, &rule->detection, problem)
                                        : compile_login_shell(program, root, rule, problem);
}

int xt_sigma_noise_compile(xt_sigma_program *program, const xt_yaml_node *root, xt_noise_rule *ret,
                           xt_problem *reterr_problem)
{
    xt_noise_rule rule = {0};
    int r = compile_noise(program, root, &rule, reterr_problem);

    if (r)
        return r < 0 ? xt_error_trace(r) : r;
    *ret = rule;
    return 0;
}

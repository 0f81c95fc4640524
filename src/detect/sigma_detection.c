/*
 * Every level gathers the expressions of the level below in an array of the arena and joins them once.
 */
#include "detect/sigma_detection.h"

#include <errno.h>

#include "detect/sigma_value.h"

static int refuse(xt_problem *problem, const xt_yaml_node *node, const char *sentence)
{
    xt_problem_set(problem, "%s", sentence);
    xt_yaml_at(problem, node);
    return XT_SIGMA_E_BAD;
}

struct item {
    xt_sigma_program *program;
    xt_slice name; /* of the field as the rule writes it; CommandLine for keywords */
    uint32_t field;
    xt_sigma_modifiers modifiers;
    xt_problem *problem;
};

static int compile_value(const struct item *item, const xt_yaml_node *value, const xt_sigma_expr **ret)
{
    uint32_t test;
    bool negated;
    int r = xt_sigma_value_compile(item->program, item->field, &item->modifiers, value, &test, &negated, item->problem);

    if (!r)
        r = xt_sigma_expr_test(item->program, test, item->name, value->line, ret);
    if (!r && negated)
        r = xt_sigma_expr_join(item->program, XT_SIGMA_NOT, ret, 1, ret);
    return r;
}

static int compile_values(const struct item *item, const xt_yaml_node *list, const xt_sigma_expr **ret)
{
    const xt_sigma_expr **kids;
    size_t n = 0;

    if (list->n == 0)
        return refuse(item->problem, list, "this list is empty");
    kids = xt_arena_array(&item->program->arena, list->n, sizeof *kids);
    if (!kids)
        return xt_error_origin(-ENOMEM);
    for (const xt_yaml_node *m = list->first; m; m = m->next) {
        int r = xt_yaml_is_null(m) ? refuse(item->problem, m, "null cannot stand in a list")
                                   : compile_value(item, m, &kids[n++]);
        if (r)
            return r;
    }
    return xt_sigma_expr_join(item->program, item->modifiers.all ? XT_SIGMA_AND : XT_SIGMA_OR, kids, n, ret);
}

/* A scalar or a list of them, under a field and its modifiers. */
static int compile_item(const struct item *item, const xt_yaml_node *value, const xt_sigma_expr **ret)
{
    if (value->kind == XT_YAML_MAP)
        return refuse(item->problem, value, "a field's value cannot be a map");
    if (item->modifiers.all && value->n < 2)
        return refuse(item->problem, value, "modifier all needs a list of two values or more");
    return value->kind == XT_YAML_LIST ? compile_values(item, value, ret) : compile_value(item, value, ret);
}

/* Keywords are looked for in the command line. */
static int set_keyword(struct item *item, xt_sigma_scope scope, const xt_yaml_node *at)
{
    if (scope != XT_SIGMA_PROCESS)
        return refuse(item->problem, at, "keywords without a field are not supported for this log source yet");
    if (item->modifiers.op == XT_SIGMA_EQ)
        item->modifiers.op = XT_SIGMA_CONTAINS;
    item->name = XT_S("CommandLine");
    return xt_sigma_field_add(item->program, item->name, scope, &item->field, item->problem);
}

static int compile_member(xt_sigma_program *program, const xt_yaml_node *member, xt_sigma_scope scope,
                          const xt_sigma_expr **ret, xt_problem *problem)
{
    struct item item = {.program = program, .problem = problem};
    int r = xt_sigma_modifiers_parse(member->key, &item.name, &item.modifiers, problem);

    if (r)
        return r;
    if (item.name.n == 0) {
        r = set_keyword(&item, scope, member->key);
    } else {
        r = xt_sigma_field_add(program, item.name, scope, &item.field, problem);
        if (r > 0)
            xt_yaml_at(problem, member->key);
    }
    return r ? r : compile_item(&item, member, ret);
}

static int compile_map(xt_sigma_program *program, const xt_yaml_node *map, xt_sigma_scope scope,
                       const xt_sigma_expr **ret, xt_problem *problem)
{
    const xt_sigma_expr **kids;
    size_t n = 0;

    if (map->n == 0)
        return refuse(problem, map, "this selection is empty");
    kids = xt_arena_array(&program->arena, map->n, sizeof *kids);
    if (!kids)
        return xt_error_origin(-ENOMEM);
    for (const xt_yaml_node *m = map->first; m; m = m->next) {
        int r = compile_member(program, m, scope, &kids[n++], problem);
        if (r)
            return r;
    }
    return xt_sigma_expr_join(program, XT_SIGMA_AND, kids, n, ret);
}

static int compile_keyword(xt_sigma_program *program, const xt_yaml_node *node, xt_sigma_scope scope,
                           const xt_sigma_expr **ret, xt_problem *problem)
{
    struct item item = {.program = program, .problem = problem};
    int r = xt_yaml_is_null(node) ? refuse(problem, node, "this selection is empty") : set_keyword(&item, scope, node);

    return r ? r : compile_value(&item, node, ret);
}

static int compile_list(xt_sigma_program *program, const xt_yaml_node *list, xt_sigma_scope scope,
                        const xt_sigma_expr **ret, xt_problem *problem)
{
    const xt_sigma_expr **kids;
    size_t n = 0;

    if (list->n == 0)
        return refuse(problem, list, "this selection is empty");
    kids = xt_arena_array(&program->arena, list->n, sizeof *kids);
    if (!kids)
        return xt_error_origin(-ENOMEM);
    for (const xt_yaml_node *m = list->first; m; m = m->next) {
        int r;
        if (m->kind == XT_YAML_LIST)
            return refuse(problem, m, "a list cannot stand in a list here");
        r = m->kind == XT_YAML_MAP ? compile_map(program, m, scope, &kids[n++], problem)
                                   : compile_keyword(program, m, scope, &kids[n++], problem);
        if (r)
            return r;
    }
    return xt_sigma_expr_join(program, XT_SIGMA_OR, kids, n, ret);
}

int xt_sigma_selection_compile(xt_sigma_program *program, const xt_yaml_node *node, xt_sigma_scope scope,
                               const xt_sigma_expr **ret, xt_problem *reterr_problem)
{
    int r;

    if (node->kind == XT_YAML_MAP)
        r = compile_map(program, node, scope, ret, reterr_problem);
    else if (node->kind == XT_YAML_LIST)
        r = compile_list(program, node, scope, ret, reterr_problem);
    else
        r = compile_keyword(program, node, scope, ret, reterr_problem);
    return r < 0 ? xt_error_trace(r) : r;
}

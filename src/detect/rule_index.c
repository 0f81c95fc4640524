/*
 * A rule is put under names when its condition cannot be true without one of them: a test that Image ends in "/name" or is
 * a path that ends so, an `or` of nothing but such, or an `and` with one such member. Most
 * rules for processes are of this kind, so that an event meets a handful of rules instead of all.
 */
#include "detect/rule_index.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_NAMES 256 /* of one rule */

struct names {
    xt_slice names[MAX_NAMES];
    size_t n;
};

static xt_slice file_name(xt_slice path)
{
    size_t from = path.n;

    while (from > 0 && path.p[from - 1] != '/')
        from--;
    return xt_slice_skip(path, from);
}

/* The one name that a test demands; false when it demands none. */
static bool name_of_test(const xt_rule_index *index, const xt_sigma_test *test, xt_slice *ret)
{
    if (!index->has_image || test->field != index->image || test->cased)
        return false;
    if (test->op != XT_SIGMA_EQ && test->op != XT_SIGMA_SUFFIX)
        return false;
    if (xt_slice_find_byte(test->text, '/') < 0)
        return false;
    *ret = file_name(test->text);
    return ret->n <= XT_RULE_INDEX_MAX_NAME;
}

static bool names_of(const xt_rule_index *index, const xt_sigma_program *program, const xt_sigma_expr *expr,
                     struct names *ret);

static bool names_of_or(const xt_rule_index *index, const xt_sigma_program *program, const xt_sigma_expr *expr,
                        struct names *ret)
{
    for (uint32_t i = 0; i < expr->n; i++)
        if (!names_of(index, program, expr->kids[i], ret))
            return false;
    return true;
}

/* The first member that demands names will do: members stand in order of cost, and names are cheap. */
static bool names_of_and(const xt_rule_index *index, const xt_sigma_program *program, const xt_sigma_expr *expr,
                         struct names *ret)
{
    size_t before = ret->n;

    for (uint32_t i = 0; i < expr->n; i++) {
        if (names_of(index, program, expr->kids[i], ret))
            return true;
        ret->n = before;
    }
    return false;
}

/* Adds the names that decide expr; false (with *ret worth nothing) when none do. */
static bool names_of(const xt_rule_index *index, const xt_sigma_program *program, const xt_sigma_expr *expr,
                     struct names *ret)
{
    xt_slice name;

    if (expr->kind == XT_SIGMA_OR)
        return names_of_or(index, program, expr, ret);
    if (expr->kind == XT_SIGMA_AND)
        return names_of_and(index, program, expr, ret);
    if (expr->kind == XT_SIGMA_NOT || !name_of_test(index, &program->tests[expr->test], &name) || ret->n == MAX_NAMES)
        return false;
    ret->names[ret->n++] = name;
    return true;
}

/* Once at most: a rule may demand the same name twice. */
static int add_number(xt_rule_list *list, size_t number)
{
    size_t wanted = list->cap ? list->cap * 2 : 8;
    uint32_t *bigger;

    if (list->n > 0 && list->numbers[list->n - 1] == number)
        return 0;
    if (list->n == list->cap) {
        bigger = reallocarray(list->numbers, wanted, sizeof *bigger);
        if (!bigger)
            return xt_error_origin(-ENOMEM);
        list->numbers = bigger;
        list->cap = wanted;
    }
    list->numbers[list->n++] = (uint32_t)number;
    return 0;
}

static int add_name(xt_rule_index *index, xt_slice name, size_t number)
{
    xt_rule_list *list = xt_map_find(&index->by_name, name);
    int r;

    if (!list) {
        list = calloc(1, sizeof *list);
        if (!list)
            return xt_error_origin(-ENOMEM);
        r = xt_map_put(&index->by_name, name, list, NULL);
        if (r) {
            free(list);
            return xt_error_trace(r);
        }
    }
    return add_number(list, number);
}

static int add_rule(xt_rule_index *index, const xt_sigma_program *program, const xt_sigma_rule *rule, size_t number)
{
    struct names names = {.n = 0};

    if (!rule->info.enabled)
        return 0;
    if (rule->scope == XT_SIGMA_EVENT)
        return add_number(&index->events, number);
    if (!names_of(index, program, rule->detection.condition, &names))
        return add_number(&index->processes, number);
    for (size_t i = 0; i < names.n; i++) {
        int r = add_name(index, names.names[i], number);
        if (r)
            return xt_error_trace(r);
    }
    return 0;
}

int xt_rule_index_build(xt_rule_index *index, xt_sigma_program *program, const xt_sigma_rule *rules, size_t n_rules)
{
    for (uint32_t i = 0; i < program->n_fields; i++)
        if (program->fields[i].source == XT_SIGMA_IMAGE) {
            index->image = i;
            index->has_image = true;
        }
    for (size_t i = 0; i < n_rules; i++) {
        int r = add_rule(index, program, &rules[i], i);
        if (r)
            return xt_error_trace(r);
    }
    return 0;
}

void xt_rule_index_fini(xt_rule_index *index)
{
    size_t i = 0;

    for (xt_map_entry *e; (e = xt_map_next(&index->by_name, &i));) {
        free(((xt_rule_list *)e->value)->numbers);
        free(e->value);
    }
    xt_map_fini(&index->by_name);
    free(index->events.numbers);
    free(index->processes.numbers);
}

const xt_rule_list *xt_rule_index_find(const xt_rule_index *index, xt_slice image)
{
    char lower[XT_RULE_INDEX_MAX_NAME];
    xt_slice name = file_name(image);

    if (name.n > sizeof lower)
        return NULL;
    for (size_t i = 0; i < name.n; i++)
        lower[i] = xt_sigma_lower(name.p[i]);
    return xt_map_find(&index->by_name, xt_slice_of(lower, name.n));
}

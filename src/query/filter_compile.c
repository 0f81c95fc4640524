/*
 * Chains of `and` and of `or` become one node each, so that depth is that of the parentheses alone, and parts are
 * sorted by cost: what is cheap narrows the rows that what is dear has to look at.
 */
#include "query/filter.h"

#include <errno.h>
#include <stdlib.h>

#define FILTER_MAX_BYTES (64u << 20)

typedef struct compiler {
    xt_arena *arena;
    xt_problem *problem;
    unsigned *n_leaves;
} compiler;

static int compile(const compiler *c, const xt_kql_node *tree, xt_filter_node **ret);

static size_t count_chain(const xt_kql_node *tree, xt_kql_kind kind)
{
    size_t n = 1;

    for (; tree->kind == kind; tree = tree->left)
        n++;
    return n;
}

static int by_cost(const void *a, const void *b)
{
    const xt_filter_node *x = *(xt_filter_node *const *)a, *y = *(xt_filter_node *const *)b;

    return (x->cost > y->cost) - (x->cost < y->cost);
}

static int compile_chain(const compiler *c, const xt_kql_node *tree, xt_filter_node *node)
{
    xt_kql_kind kind = tree->kind;
    size_t n = count_chain(tree, kind);

    node->parts = xt_arena_array(c->arena, n, sizeof(*node->parts));
    if (!node->parts)
        return xt_error_origin(-ENOMEM);
    for (; node->n_parts < n; tree = tree->left) {
        const xt_kql_node *part = tree->kind == kind && node->n_parts + 1 < n ? tree->right : tree;
        xt_filter_node **slot = &node->parts[node->n_parts++];
        int r = compile(c, part, slot);
        if (r)
            return r;
        node->cost += (*slot)->cost;
    }
    qsort(node->parts, n, sizeof(*node->parts), by_cost);
    return 0;
}

static int compile_not(const compiler *c, const xt_kql_node *tree, xt_filter_node *node)
{
    node->parts = xt_arena_array(c->arena, 1, sizeof(*node->parts));
    if (!node->parts)
        return xt_error_origin(-ENOMEM);
    node->n_parts = 1;
    int r = compile(c, tree->left, &node->parts[0]);
    if (r)
        return r;
    node->cost = node->parts[0]->cost;
    return 0;
}

/* The node hangs in the tree, and is counted there, before it is compiled: an expression is freed whatever comes after. */
static int compile(const compiler *c, const xt_kql_node *tree, xt_filter_node **ret)
{
    xt_filter_node *node = xt_arena_new(c->arena, xt_filter_node);
    int r;

    if (!node)
        return xt_error_origin(-ENOMEM);
    *ret = node;
    node->kind = tree->kind;
    switch (tree->kind) {
    case XT_KQL_ALL:
        return 0;
    case XT_KQL_AND:
    case XT_KQL_OR:
        return compile_chain(c, tree, node);
    case XT_KQL_NOT:
        return compile_not(c, tree, node);
    default:
        node->kind = XT_KQL_EQUAL;
        node->leaf = (*c->n_leaves)++;
        node->tree = tree;
        r = xt_term_compile(tree, c->arena, &node->match, c->problem);
        if (r == 0)
            node->cost = xt_term_cost(&node->match);
        return r;
    }
}

static void fini_node(xt_filter_node *node)
{
    if (!node)
        return;
    for (size_t i = 0; i < node->n_parts; i++)
        fini_node(node->parts[i]);
    xt_term_fini(&node->match);
}

static xt_filter *filter_new(void)
{
    xt_filter *filter = calloc(1, sizeof *filter);

    if (!filter)
        return NULL;
    xt_arena_init(&filter->arena, FILTER_MAX_BYTES);
    filter->n_gave_up = xt_arena_new(&filter->arena, atomic_uint_least64_t);
    return filter->n_gave_up ? filter : xt_filter_free(filter);
}

static int compile_tree(xt_filter *filter, const xt_kql_node *tree, xt_problem *problem)
{
    compiler c = {&filter->arena, problem, &filter->n_leaves};

    filter->fields = xt_kql_fields(tree);
    return compile(&c, tree, &filter->root);
}

int xt_filter_of_tree(const xt_kql_node *tree, xt_filter **ret, xt_problem *reterr_problem)
{
    xt_problem ignored = XT_PROBLEM_INIT;
    xt_filter *filter = filter_new();
    int r = filter ? compile_tree(filter, tree, reterr_problem ? reterr_problem : &ignored) : xt_error_origin(-ENOMEM);

    if (r) {
        xt_filter_free(filter);
        return r;
    }
    *ret = filter;
    return 0;
}

int xt_filter_compile(xt_slice kql, int64_t now_ms, xt_filter **ret, xt_problem *reterr_problem)
{
    xt_problem ignored = XT_PROBLEM_INIT;
    xt_problem *problem = reterr_problem ? reterr_problem : &ignored;
    xt_filter *filter = filter_new();
    xt_kql_node *tree;
    int r = filter ? xt_kql_parse(kql, now_ms, &filter->arena, &tree, problem) : xt_error_origin(-ENOMEM);

    if (r == 0)
        r = compile_tree(filter, tree, problem);
    if (r) {
        xt_filter_free(filter);
        return r;
    }
    *ret = filter;
    return 0;
}

xt_filter *xt_filter_free(xt_filter *filter)
{
    if (filter) {
        fini_node(filter->root);
        xt_arena_fini(&filter->arena);
        free(filter);
    }
    return NULL;
}

static size_t leaves_of(const xt_filter_node *node, const xt_filter_node **ret, size_t n, size_t max)
{
    if (node->kind == XT_KQL_EQUAL && n < max)
        ret[n++] = node;
    for (size_t i = 0; i < node->n_parts; i++)
        n = leaves_of(node->parts[i], ret, n, max);
    return n;
}

size_t xt_filter_leaves(const xt_filter *filter, const xt_filter_node **ret, size_t max)
{
    return leaves_of(filter->root, ret, 0, max);
}

xt_field_set xt_filter_fields(const xt_filter *filter)
{
    return filter->fields;
}

bool xt_filter_is_all(const xt_filter *filter)
{
    return filter->root->kind == XT_KQL_ALL;
}

uint64_t xt_filter_gave_up(const xt_filter *filter)
{
    return atomic_load(filter->n_gave_up);
}

/* ------------------------------------------------------------------------------------------------ zones */

static bool number_may_match(const xt_term *match, const xt_zone *zone)
{
    uint64_t low, high;

    if (match->op != XT_TERM_RANGE)
        return true;
    if (match->min > match->max)
        return false;
    if (match->field == XT_F_TIME) {
        low = (uint64_t)zone->min_ms;
        high = (uint64_t)zone->max_ms;
    } else if (!zone->number_range || !zone->number_range(zone, match->field, &low, &high)) {
        return true;
    }
    uint64_t low_key = xt_term_key(match->type, low), high_key = xt_term_key(match->type, high);
    return low_key > high_key || (match->min <= high_key && match->max >= low_key);
}

static bool may_match(const xt_filter_node *node, const xt_zone *zone)
{
    switch (node->kind) {
    case XT_KQL_AND:
        for (size_t i = 0; i < node->n_parts; i++)
            if (!may_match(node->parts[i], zone))
                return false;
        return true;
    case XT_KQL_OR:
        for (size_t i = 0; i < node->n_parts; i++)
            if (may_match(node->parts[i], zone))
                return true;
        return false;
    case XT_KQL_EQUAL:
        return node->match.form != XT_TERM_NUMBER || number_may_match(&node->match, zone);
    default:
        return true;
    }
}

bool xt_filter_may_match(const xt_filter *filter, const xt_zone *zone)
{
    return may_match(filter->root, zone);
}

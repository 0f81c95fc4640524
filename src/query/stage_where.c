/* The tree is walked for each row; its leaves are the same terms that filters have, so that they mean the same. */
#include <errno.h>
#include <stdlib.h>

#include "query/stage.h"
#include "query/term.h"

typedef struct where_node {
    xt_kql_kind kind;
    struct where_node *left, *right;
    size_t cell;
    xt_term term;
} where_node;

typedef struct where {
    xt_arena arena;
    where_node *root;
    xt_term_run run;
} where;

static int compile(xt_stage_op *op, const xt_kql_node *tree, where_node **ret, xt_problem *problem)
{
    where *w = op->state;
    where_node *node = xt_arena_new(&w->arena, where_node);
    int r = 0;

    if (!node)
        return xt_error_origin(-ENOMEM);
    node->kind = tree->kind;
    *ret = node;
    if (tree->kind >= XT_KQL_EQUAL) {
        node->cell = xt_stage_column(op, tree->field);
        return xt_term_compile(tree, &w->arena, &node->term, problem);
    }
    if (tree->left)
        r = compile(op, tree->left, &node->left, problem);
    if (r == 0 && tree->right)
        r = compile(op, tree->right, &node->right, problem);
    return r;
}

static bool leaf_matches(const where_node *node, const xt_field_info *column, const xt_cell *cell, xt_term_run *run)
{
    if (!cell->has || node->term.op == XT_TERM_EXISTS)
        return cell->has;
    if (xt_cell_is_number(column))
        return xt_term_number(&node->term, cell->number, run);
    if (column->type != XT_LIST)
        return xt_term_text(&node->term, cell->text, run);
    xt_list_iter iter = xt_list_iterate(cell->text);
    for (xt_slice item; xt_list_next(&iter, &item);)
        if (xt_term_text(&node->term, item, run))
            return true;
    return false;
}

static bool matches(const xt_stage_op *op, const where_node *node, const xt_cell *cells)
{
    where *w = op->state;

    switch (node->kind) {
    case XT_KQL_ALL:
        return true;
    case XT_KQL_AND:
        return matches(op, node->left, cells) && matches(op, node->right, cells);
    case XT_KQL_OR:
        return matches(op, node->left, cells) || matches(op, node->right, cells);
    case XT_KQL_NOT:
        return !matches(op, node->left, cells);
    default:
        return leaf_matches(node, op->columns[node->cell], &cells[node->cell], &w->run);
    }
}

static int where_push(xt_stage_op *op, const xt_stage_row *row)
{
    where *w = op->state;
    bool yes = matches(op, w->root, row->cells);

    if (w->run.no_memory)
        return xt_error_origin(-ENOMEM);
    if (w->run.n_gave_up)
        op->shared->reason = "an expression passed its limit of steps on some values";
    op->n_out += yes;
    return yes ? xt_stage_push(op->next, row) : 0;
}

static void node_fini(where_node *node)
{
    if (!node)
        return;
    node_fini(node->left);
    node_fini(node->right);
    xt_term_fini(&node->term);
}

static void where_fini(xt_stage_op *op)
{
    where *w = op->state;

    node_fini(w->root);
    xt_term_run_fini(&w->run);
    xt_arena_fini(&w->arena);
    free(w);
}

int xt_stage_where_init(xt_stage_op *op, xt_problem *reterr_problem)
{
    where *w = calloc(1, sizeof *w);

    if (!w)
        return xt_error_origin(-ENOMEM);
    w->run = XT_TERM_RUN_INIT;
    xt_arena_init(&w->arena, SIZE_MAX);
    op->state = w;
    op->push = where_push;
    op->fini = where_fini;
    return compile(op, op->stage->where, &w->root, reterr_problem);
}

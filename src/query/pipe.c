/*
 * where, sort and keep do not change which events a stats behind them sees but by what where says: such a where goes into the
 * filter, and the stats is answered on codes.
 */
#include <errno.h>
#include <stdlib.h>

#include "query/filter.h"
#include "query/pipe_private.h"

#define PIPE_MAX_BYTES (64u << 20)

static bool is_folded(const xt_stage *stage)
{
    return stage->kind == XT_STAGE_WHERE || stage->kind == XT_STAGE_SORT || stage->kind == XT_STAGE_KEEP;
}

/* Joins a where to what is asked already. */
static int fold_where(xt_pipe *pipe, xt_kql_node **tree, xt_kql_node *where)
{
    xt_kql_node *both = xt_arena_new(&pipe->arena, xt_kql_node);

    if (!both)
        return xt_error_origin(-ENOMEM);
    *both = (xt_kql_node){.kind = XT_KQL_AND, .left = *tree, .right = where, .column = where->column};
    *tree = both;
    return 0;
}

static int plan_filter(xt_pipe *pipe, xt_problem *problem)
{
    xt_kql_pipe *tree = pipe->tree;
    xt_kql_node *node = tree->filter;
    size_t i = 0;
    int r = 0;

    for (; i < tree->n_stages && is_folded(&tree->stages[i]) && r == 0; i++)
        if (tree->stages[i].kind == XT_STAGE_WHERE)
            r = fold_where(pipe, &node, tree->stages[i].where);
    pipe->source = i < tree->n_stages && tree->stages[i].n_stats ? i : tree->n_stages;
    if (r == 0)
        r = xt_filter_of_tree(node, &pipe->filter, problem);
    if (r == 0 && pipe->source < tree->n_stages && tree->stages[i].kind == XT_STAGE_FIRST)
        r = xt_filter_compile(XT_S(""), 0, &pipe->all, problem);
    return r;
}

static void need_cell(xt_pipe *pipe, const xt_field_info *column)
{
    for (size_t i = 0; i < pipe->n_cells; i++)
        if (xt_column_same(pipe->cells[i], column))
            return;
    pipe->cells[pipe->n_cells++] = column;
}

static void need_where(xt_pipe *pipe, const xt_kql_node *node)
{
    if (!node)
        return;
    if (node->field)
        need_cell(pipe, node->field);
    need_where(pipe, node->left);
    need_where(pipe, node->right);
}

/* What of events stages look at, up to the first that makes other rows. */
static int plan_cells(xt_pipe *pipe)
{
    bool folds = true;

    pipe->cells = xt_arena_array(&pipe->arena, XT_F_END + 1, sizeof(*pipe->cells));
    if (!pipe->cells)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < pipe->tree->n_stages; i++) {
        const xt_stage *stage = &pipe->tree->stages[i];
        folds &= is_folded(stage);
        if (!folds)
            need_where(pipe, stage->where);
        for (size_t k = 0; k < stage->n_keys && stage->kind != XT_STAGE_KEEP; k++)
            need_cell(pipe, stage->keys[k].of);
        for (size_t k = 0; k < stage->n_stats; k++)
            if (stage->stats[k].of)
                need_cell(pipe, stage->stats[k].of);
        if (stage->n_stats)
            break;
    }
    return 0;
}

int xt_pipe_compile(xt_slice text, int64_t now_ms, xt_pipe **ret, xt_problem *reterr_problem)
{
    xt_pipe *pipe = calloc(1, sizeof *pipe);

    if (!pipe)
        return xt_error_origin(-ENOMEM);
    xt_arena_init(&pipe->arena, PIPE_MAX_BYTES);
    int r = xt_kql_pipe_parse(text, now_ms, &pipe->arena, &pipe->tree, reterr_problem);
    if (r == 0)
        r = plan_filter(pipe, reterr_problem);
    if (r == 0)
        r = plan_cells(pipe);
    if (r) {
        xt_pipe_free(pipe);
        return r;
    }
    size_t n = pipe->tree->n_stages;
    pipe->gives_events = n == 0 || pipe->tree->stages[n - 1].gives_events;
    pipe->columns = n ? pipe->tree->stages[n - 1].columns : NULL;
    pipe->n_columns = n ? pipe->tree->stages[n - 1].n_columns : 0;
    *ret = pipe;
    return 0;
}

xt_pipe *xt_pipe_free(xt_pipe *pipe)
{
    if (pipe) {
        xt_filter_free(pipe->filter);
        xt_filter_free(pipe->all);
        xt_arena_fini(&pipe->arena);
        free(pipe);
    }
    return NULL;
}

const xt_filter *xt_pipe_filter(const xt_pipe *pipe)
{
    return pipe->filter;
}

void xt_pipe_filter_print(const xt_pipe *pipe, xt_buf *out)
{
    xt_kql_print(pipe->tree->filter, out);
}

size_t xt_pipe_stages(const xt_pipe *pipe)
{
    return pipe->tree->n_stages;
}

bool xt_pipe_gives_events(const xt_pipe *pipe)
{
    return pipe->gives_events;
}

const xt_field_info *const *xt_pipe_columns(const xt_pipe *pipe, size_t *ret_n)
{
    *ret_n = pipe->n_columns;
    return pipe->columns;
}

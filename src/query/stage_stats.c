/*
 * Groups and distinct values are found by bytes that stand for their cells. A row counts for every combination of the
 * distinct items of its lists, as on codes (query/stats_parts).
 */
#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "query/field_values.h"
#include "query/stage.h"
#include "query/stat.h"
#include "query/term.h"

typedef struct value {
    struct value *next;
    xt_cell cell;
} value;

/* A stat of a group. */
typedef struct group_stat {
    xt_stat_state state;
    value *values;
    size_t n_values;
} group_stat;

typedef struct group {
    struct group *next;
    uint64_t number, count;
    xt_cell *keys;
    group_stat stats[];
} group;

typedef struct stats {
    xt_arena arena;
    xt_arena row_arena; /* of the row at hand */
    xt_map groups;      /* of key bytes */
    xt_map values;      /* of (group, stat, cell) */
    group *first, *last;
    size_t n_groups;
    xt_buf key;
} stats;

/* ------------------------------------------------------------------------------------------------ groups */

static xt_cell cell_copy(stats *s, const xt_cell *cell)
{
    xt_cell copy = *cell;

    if (cell->has && cell->text.p)
        copy.text = xt_arena_copy(&s->arena, cell->text);
    return copy;
}

static group *group_new(xt_stage_op *op, const xt_cell *keys)
{
    stats *s = op->state;
    const xt_stage *stage = op->stage;
    group *g = xt_arena_array(&s->arena, 1, sizeof *g + stage->n_stats * sizeof g->stats[0]);

    if (!g)
        return NULL;
    g->keys = xt_arena_array(&s->arena, stage->n_keys + 1, sizeof *g->keys);
    if (!g->keys)
        return NULL;
    for (size_t k = 0; k < stage->n_keys; k++)
        g->keys[k] = cell_copy(s, &keys[k]);
    g->number = s->n_groups++;
    if (s->last)
        s->last->next = g;
    else
        s->first = g;
    s->last = g;
    return g;
}

static int group_find(xt_stage_op *op, const xt_cell *keys, group **ret)
{
    stats *s = op->state;
    const xt_stage *stage = op->stage;

    xt_buf_reset(&s->key);
    for (size_t k = 0; k < stage->n_keys; k++) {
        xt_cell_key(stage->keys[k].column, &keys[k], &s->key);
    }
    if (xt_buf_done(&s->key))
        return xt_error_origin(-ENOMEM);
    *ret = xt_map_find(&s->groups, xt_buf_slice(&s->key));
    if (*ret)
        return 0;
    size_t n_bytes = 2 * s->key.n + sizeof(group) + stage->n_stats * sizeof(group_stat) + 2 * sizeof(xt_map_entry);
    if (s->n_groups == XT_QUERY_MAX_GROUPS) {
        op->shared->reason = "there are more groups than the query may hold";
        return XT_STAGE_E_ENOUGH;
    }
    if (!xt_stage_charge(op->shared, n_bytes))
        return XT_STAGE_E_ENOUGH;
    xt_slice key = xt_arena_copy(&s->arena, xt_buf_slice(&s->key));
    group *g = group_new(op, keys);
    if (!key.p || !g)
        return xt_error_origin(-ENOMEM);
    *ret = g;
    return xt_map_put(&s->groups, key, g, NULL);
}

/* ------------------------------------------------------------------------------------------------ values */

/* The distinct items of a list, else the cell itself; n 0 when absent. */
static int cell_values(stats *s, const xt_field_info *column, const xt_cell *cell, xt_cell **ret, size_t *ret_n)
{
    xt_slice *items;
    size_t n = 1;

    *ret_n = 0;
    if (!cell->has)
        return 0;
    int r = column->type == XT_LIST ? xt_field_values(XT_F_KEY, cell->text, &s->row_arena, &items, &n) : 0;
    *ret = r ? NULL : xt_arena_array(&s->row_arena, n + 1, sizeof(**ret));
    if (!*ret)
        return xt_error_origin(-ENOMEM);
    (*ret)[0] = *cell;
    for (size_t i = 0; i < n && column->type == XT_LIST; i++)
        (*ret)[i] = (xt_cell){.has = true, .text = items[i]};
    *ret_n = n;
    return 0;
}

static int value_add(xt_stage_op *op, group *g, size_t i, const xt_cell *cell)
{
    stats *s = op->state;
    xt_field_info one = *op->stage->stats[i].of;

    one.type = one.type == XT_LIST ? XT_TEXT : one.type;
    xt_buf_reset(&s->key);
    xt_buf_put_varint(&s->key, g->number);
    xt_buf_put_varint(&s->key, i);
    xt_cell_key(&one, cell, &s->key);
    if (xt_buf_done(&s->key))
        return xt_error_origin(-ENOMEM);
    if (xt_map_find(&s->values, xt_buf_slice(&s->key)))
        return 0;
    if (!xt_stage_charge(op->shared, s->key.n + cell->text.n + sizeof(value) + 2 * sizeof(xt_map_entry)))
        return XT_STAGE_E_ENOUGH;
    xt_slice key = xt_arena_copy(&s->arena, xt_buf_slice(&s->key));
    value *v = xt_arena_new(&s->arena, value);
    if (!key.p || !v)
        return xt_error_origin(-ENOMEM);
    *v = (value){g->stats[i].values, cell_copy(s, cell)};
    g->stats[i].values = v;
    g->stats[i].n_values++;
    return xt_map_put(&s->values, key, v, NULL);
}

/* ------------------------------------------------------------------------------------------------ rows */

static int group_add(xt_stage_op *op, const xt_cell *keys, const xt_stage_row *row)
{
    stats *s = op->state;
    group *g;
    int r = group_find(op, keys, &g);

    if (r)
        return r;
    g->count++;
    for (size_t i = 0; i < op->stage->n_stats && r == 0; i++) {
        const xt_stage_stat *stat = &op->stage->stats[i];
        const xt_cell *cell = stat->of ? &row->cells[xt_stage_column(op, stat->of)] : NULL;
        xt_cell *values = NULL;
        size_t n = 0;
        if (cell && cell->has && !xt_stat_needs_values(stat))
            xt_stat_add(&g->stats[i].state, stat->of->type != XT_UINT, xt_term_key(stat->of->type, cell->number),
                        cell->number);
        else if (cell)
            r = cell_values(s, stat->of, cell, &values, &n);
        for (size_t v = 0; v < n && r == 0; v++)
            r = value_add(op, g, i, &values[v]);
    }
    return r;
}

/* Every combination of the values of the keys from k on. */
static int add_tuples(xt_stage_op *op, xt_cell *keys, size_t k, const xt_stage_row *row)
{
    const xt_stage_key *key = &op->stage->keys[k];
    xt_cell *values = NULL;
    size_t n = 0;

    if (k == op->stage->n_keys)
        return group_add(op, keys, row);
    int r = cell_values(op->state, key->of, &row->cells[xt_stage_column(op, key->of)], &values, &n);
    if (r == 0 && n == 0) {
        keys[k] = (xt_cell){.has = false};
        r = add_tuples(op, keys, k + 1, row);
    }
    for (size_t i = 0; i < n && r == 0; i++) {
        keys[k] = values[i];
        if (key->bin_ms) {
            int64_t t = (int64_t)values[i].number, rest = t % key->bin_ms;
            keys[k].number = (uint64_t)(t - (rest < 0 ? rest + key->bin_ms : rest));
        }
        r = add_tuples(op, keys, k + 1, row);
    }
    return r;
}

static int stats_push(xt_stage_op *op, const xt_stage_row *row)
{
    xt_cell keys[XT_PIPE_MAX_BY];
    stats *s = op->state;

    xt_arena_reset(&s->row_arena);
    return add_tuples(op, keys, 0, row);
}

/* ------------------------------------------------------------------------------------------------ answer */

static int stat_cell(xt_stage_op *op, const group *g, size_t i, xt_cell *ret)
{
    stats *s = op->state;
    const xt_stage_stat *stat = &op->stage->stats[i];
    const group_stat *of = &g->stats[i];
    bool cut = false;
    size_t n = 0;

    if (stat->stat == XT_STAT_COUNT)
        *ret = (xt_cell){.has = true, .number = g->count};
    else if (!xt_stat_needs_values(stat))
        *ret = xt_stat_cell(stat, &of->state);
    if (!xt_stat_needs_values(stat))
        return 0;
    xt_cell *values = xt_arena_array(&s->arena, of->n_values + 1, sizeof *values);
    if (!values)
        return xt_error_origin(-ENOMEM);
    for (const value *v = of->values; v; v = v->next)
        values[n++] = v->cell;
    int r = xt_stat_of_values(stat, values, n, &s->arena, ret, &cut);
    op->shared->n_cut_values += cut;
    return r;
}

static int stats_finish(xt_stage_op *op)
{
    stats *s = op->state;
    const xt_stage *stage = op->stage;
    size_t n_cells = stage->n_keys + stage->n_stats, n = 0;
    group *none;
    int r = stage->n_keys ? 0 : group_find(op, NULL, &none);

    if (r == XT_STAGE_E_ENOUGH)
        r = 0;
    xt_cell *cells = xt_arena_array(&s->arena, s->n_groups * n_cells + 1, sizeof *cells);
    if (!cells)
        return xt_error_origin(-ENOMEM);
    for (const group *g = s->first; g && r == 0; g = g->next, n++) {
        for (size_t k = 0; k < stage->n_keys; k++)
            cells[n * n_cells + k] = g->keys[k];
        for (size_t i = 0; i < stage->n_stats && r == 0; i++)
            r = stat_cell(op, g, i, &cells[n * n_cells + stage->n_keys + i]);
    }
    op->n_out = n;
    return r ? r : xt_stage_give(stage, cells, n, op->next);
}

static void stats_fini(xt_stage_op *op)
{
    stats *s = op->state;

    xt_map_fini(&s->groups);
    xt_map_fini(&s->values);
    xt_arena_fini(&s->arena);
    xt_arena_fini(&s->row_arena);
    xt_buf_fini(&s->key);
    free(s);
}

int xt_stage_stats_init(xt_stage_op *op)
{
    stats *s = calloc(1, sizeof *s);

    if (!s)
        return xt_error_origin(-ENOMEM);
    xt_arena_init(&s->arena, SIZE_MAX);
    xt_arena_init(&s->row_arena, SIZE_MAX);
    op->state = s;
    op->push = stats_push;
    op->finish = stats_finish;
    op->fini = stats_fini;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ order */

/* By the computed columns where the stage is about them, then by the fields. */
static int by_order(const void *a, const void *b, void *context)
{
    const xt_stage *stage = context;
    const xt_cell *x = a, *y = b;
    size_t n_keys = stage->n_keys;
    int r = 0;

    if (stage->kind == XT_STAGE_RARE || stage->kind == XT_STAGE_FIRST)
        r = xt_cell_cmp(stage->columns[n_keys], stage->kind == XT_STAGE_FIRST, &x[n_keys], &y[n_keys]);
    for (size_t k = 0; k < n_keys && r == 0; k++)
        r = xt_cell_cmp(stage->columns[k], false, &x[k], &y[k]);
    return r;
}

int xt_stage_give(const xt_stage *stage, xt_cell *cells, size_t n, xt_stage_op *next)
{
    size_t n_cells = stage->n_keys + stage->n_stats;
    xt_stage of = *stage;
    int r = 0;

    if (n)
        qsort_r(cells, n, n_cells * sizeof *cells, by_order, &of);
    for (size_t i = 0; i < n && r == 0; i++)
        r = xt_stage_push(next, &(xt_stage_row){&cells[i * n_cells], NULL});
    return r;
}

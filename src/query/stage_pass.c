/* Stages that let rows through or not, and hold at most what tells them apart. */
#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "query/stage.h"

int xt_stage_push(xt_stage_op *op, const xt_stage_row *row)
{
    op->n_in++;
    return op->push(op, row);
}

static int pass(xt_stage_op *op, const xt_stage_row *row)
{
    op->n_out++;
    return xt_stage_push(op->next, row);
}

size_t xt_stage_column(const xt_stage_op *op, const xt_field_info *column)
{
    size_t i = 0;

    while (i + 1 < op->n_columns && !xt_column_same(op->columns[i], column))
        i++;
    return i;
}

bool xt_stage_charge(xt_stage_shared *shared, size_t n_bytes)
{
    shared->n_bytes += n_bytes;
    if (shared->n_bytes <= shared->max_bytes)
        return true;
    shared->reason = "the stages need more memory than the query may use";
    return false;
}

/* ------------------------------------------------------------------------------------------------ limit */

static int limit_push(xt_stage_op *op, const xt_stage_row *row)
{
    if (op->n_out == op->stage->limit)
        return XT_STAGE_E_ENOUGH;
    int r = pass(op, row);
    return r == 0 && op->n_out == op->stage->limit ? XT_STAGE_E_ENOUGH : r;
}

int xt_stage_limit_init(xt_stage_op *op)
{
    op->push = limit_push;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ keep */

static int keep_push(xt_stage_op *op, const xt_stage_row *row)
{
    xt_cell cells[XT_PIPE_MAX_COLUMNS];

    if (op->of_events) /* which of their fields are given is said in the end */
        return pass(op, row);
    for (size_t i = 0; i < op->stage->n_keys; i++)
        cells[i] = row->cells[xt_stage_column(op, op->stage->keys[i].of)];
    return pass(op, &(xt_stage_row){cells, NULL});
}

int xt_stage_keep_init(xt_stage_op *op)
{
    op->push = keep_push;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ dedup */

typedef struct dedup {
    xt_map seen;
    xt_arena arena;
    xt_buf key;
} dedup;

static int dedup_push(xt_stage_op *op, const xt_stage_row *row)
{
    dedup *d = op->state;

    xt_buf_reset(&d->key);
    for (size_t i = 0; i < op->stage->n_keys; i++) {
        const xt_field_info *column = op->stage->keys[i].of;
        xt_cell_key(column, &row->cells[xt_stage_column(op, column)], &d->key);
    }
    int r = xt_buf_done(&d->key);
    if (r || xt_map_find(&d->seen, xt_buf_slice(&d->key)))
        return xt_error_trace(r);
    if (!xt_stage_charge(op->shared, d->key.n + 2 * sizeof(xt_map_entry)))
        return XT_STAGE_E_ENOUGH;
    xt_slice key = xt_arena_copy(&d->arena, xt_buf_slice(&d->key));
    r = key.p ? xt_map_put(&d->seen, key, d, NULL) : xt_error_origin(-ENOMEM);
    return r ? r : pass(op, row);
}

static void dedup_fini(xt_stage_op *op)
{
    dedup *d = op->state;

    xt_map_fini(&d->seen);
    xt_arena_fini(&d->arena);
    xt_buf_fini(&d->key);
    free(d);
}

int xt_stage_dedup_init(xt_stage_op *op)
{
    dedup *d = calloc(1, sizeof *d);

    if (!d)
        return xt_error_origin(-ENOMEM);
    xt_arena_init(&d->arena, SIZE_MAX);
    op->state = d;
    op->push = dedup_push;
    op->fini = dedup_fini;
    return 0;
}

/*
 * Rows are copied, one piece of memory each, and sorted at the end; each knows its number, so that equal ones keep their
 * order. With a limit behind it, directly or behind keep, the best so far stand in a heap whose top is the worst of them, and no
 * others are held.
 */
#include <errno.h>
#include <stdlib.h>

#include "query/stage.h"

#define FIRST_ROWS 64

typedef struct kept_row {
    uint64_t number;
    size_t n_bytes;
    xt_slice event; /* encoded; p NULL: none */
    xt_cell cells[];
} kept_row;

typedef struct sort {
    kept_row **rows;
    size_t n, cap;
    uint64_t limit; /* 0: all */
    xt_buf event;
    size_t places[XT_PIPE_MAX_COLUMNS]; /* of the columns in the rows */
} sort;

static int by_keys(const void *a, const void *b, void *context)
{
    const xt_stage_op *op = context;
    const kept_row *x = *(kept_row *const *)a, *y = *(kept_row *const *)b;
    const sort *s = op->state;

    for (size_t i = 0; i < op->stage->n_keys; i++) {
        const xt_stage_key *key = &op->stage->keys[i];
        int r = xt_cell_cmp(key->of, key->descending, &x->cells[s->places[i]], &y->cells[s->places[i]]);
        if (r)
            return r;
    }
    return (x->number > y->number) - (x->number < y->number);
}

static char *copy_text(char *to, xt_slice *text)
{
    if (text->n)
        memcpy(to, text->p, text->n);
    *text = xt_slice_of(to, text->n);
    return to + text->n;
}

static kept_row *row_copy(xt_stage_op *op, const xt_stage_row *row)
{
    sort *s = op->state;
    size_t n_bytes = sizeof(kept_row) + op->n_columns * sizeof(xt_cell);

    xt_buf_reset(&s->event);
    if (row->event)
        xt_event_encode(row->event, &s->event);
    if (xt_buf_done(&s->event))
        return NULL;
    size_t n_texts = s->event.n;
    for (size_t i = 0; i < op->n_columns; i++)
        n_texts += row->cells[i].text.n;
    kept_row *copy = malloc(n_bytes + n_texts);
    if (!copy)
        return NULL;
    char *to = (char *)copy + n_bytes;
    *copy =
        (kept_row){.number = op->n_in, .n_bytes = n_bytes + n_texts + sizeof copy, .event = xt_buf_slice(&s->event)};
    if (op->n_columns)
        memcpy(copy->cells, row->cells, op->n_columns * sizeof(xt_cell));
    for (size_t i = 0; i < op->n_columns; i++)
        to = copy_text(to, &copy->cells[i].text);
    if (row->event)
        copy_text(to, &copy->event);
    return copy;
}

static void swap(sort *s, size_t i, size_t j)
{
    kept_row *row = s->rows[i];

    s->rows[i] = s->rows[j];
    s->rows[j] = row;
}

static void sift_up(xt_stage_op *op, size_t i)
{
    sort *s = op->state;

    for (; i > 0 && by_keys(&s->rows[i], &s->rows[(i - 1) / 2], op) > 0; i = (i - 1) / 2)
        swap(s, i, (i - 1) / 2);
}

static void sift_down(xt_stage_op *op)
{
    sort *s = op->state;

    for (size_t i = 0, worst;; i = worst) {
        worst = i;
        for (size_t child = 2 * i + 1; child < s->n && child <= 2 * i + 2; child++)
            if (by_keys(&s->rows[child], &s->rows[worst], op) > 0)
                worst = child;
        if (worst == i)
            return;
        swap(s, i, worst);
    }
}

/* Of those that are wanted the worst has to go for the row. */
static bool is_better(const xt_stage_op *op, const xt_stage_row *row)
{
    const sort *s = op->state;
    int r = 0;

    for (size_t i = 0; i < op->stage->n_keys && r == 0; i++) {
        const xt_stage_key *key = &op->stage->keys[i];
        r = xt_cell_cmp(key->of, key->descending, &row->cells[s->places[i]], &s->rows[0]->cells[s->places[i]]);
    }
    return r < 0; /* the same comes later */
}

static int rows_grow(sort *s)
{
    size_t cap = s->cap ? 2 * s->cap : FIRST_ROWS;

    if (s->n < s->cap)
        return 0;
    kept_row **rows = realloc(s->rows, cap * sizeof(*rows));
    if (!rows)
        return xt_error_origin(-ENOMEM);
    s->rows = rows;
    s->cap = cap;
    return 0;
}

static int sort_push(xt_stage_op *op, const xt_stage_row *row)
{
    sort *s = op->state;
    bool is_full = s->limit && s->n == s->limit;

    if (is_full && !is_better(op, row))
        return 0;
    int r = rows_grow(s);
    kept_row *copy = r == 0 ? row_copy(op, row) : NULL;
    if (!copy)
        return xt_error_origin(-ENOMEM);
    if (is_full) {
        op->shared->n_bytes -= s->rows[0]->n_bytes;
        free(s->rows[0]);
        s->rows[0] = copy;
        sift_down(op);
    } else {
        s->rows[s->n++] = copy;
        if (s->limit)
            sift_up(op, s->n - 1);
    }
    return xt_stage_charge(op->shared, copy->n_bytes) ? 0 : XT_STAGE_E_ENOUGH;
}

static int sort_finish(xt_stage_op *op)
{
    sort *s = op->state;
    xt_problem problem = XT_PROBLEM_INIT;
    int r = 0;

    if (s->n)
        qsort_r(s->rows, s->n, sizeof(*s->rows), by_keys, op);
    for (size_t i = 0; i < s->n && r == 0; i++) {
        kept_row *kept = s->rows[i];
        xt_stage_row row = {kept->cells, NULL};
        xt_event event;
        if (op->of_events) {
            r = xt_error_fold(xt_event_decode(kept->event, &event, &problem));
            row.event = &event;
        }
        op->n_out++;
        if (r == 0)
            r = xt_stage_push(op->next, &row);
    }
    return r;
}

static void sort_fini(xt_stage_op *op)
{
    sort *s = op->state;

    for (size_t i = 0; i < s->n; i++)
        free(s->rows[i]);
    free(s->rows);
    xt_buf_fini(&s->event);
    free(s);
}

/* How many of the rows will be wanted. */
static uint64_t limit_behind(const xt_stage_op *op)
{
    const xt_stage_op *next = op->next;

    while (next->stage && next->stage->kind == XT_STAGE_KEEP)
        next = next->next;
    return next->stage && next->stage->kind == XT_STAGE_LIMIT ? next->stage->limit : 0;
}

int xt_stage_sort_init(xt_stage_op *op)
{
    sort *s = calloc(1, sizeof *s);

    if (!s)
        return xt_error_origin(-ENOMEM);
    op->state = s;
    op->push = sort_push;
    op->finish = sort_finish;
    op->fini = sort_fini;
    s->limit = limit_behind(op);
    if (s->limit > UINT32_MAX)
        s->limit = 0;
    for (size_t i = 0; i < op->stage->n_keys; i++)
        s->places[i] = xt_stage_column(op, op->stage->keys[i].of);
    return 0;
}

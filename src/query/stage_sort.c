/*
 * Rows are copied, one piece of memory each, and sorted at the end; each knows its number, so that equal ones keep their
 * order. With a limit behind it, directly or behind keep, the worst half is thrown away whenever there are twice as many rows as are wanted.
 */
#include <errno.h>
#include <stdlib.h>

#include "query/stage.h"

#define LEAST_ROWS 1024

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

/* The best n. */
static void sort_rows(xt_stage_op *op, uint64_t n)
{
    sort *s = op->state;

    if (s->n)
        qsort_r(s->rows, s->n, sizeof(*s->rows), by_keys, op);
    while (s->n > n) {
        op->shared->n_bytes -= s->rows[--s->n]->n_bytes;
        free(s->rows[s->n]);
    }
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

static int sort_push(xt_stage_op *op, const xt_stage_row *row)
{
    sort *s = op->state;

    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : LEAST_ROWS;
        kept_row **rows = realloc(s->rows, cap * sizeof(*rows));
        if (!rows)
            return xt_error_origin(-ENOMEM);
        s->rows = rows;
        s->cap = cap;
    }
    kept_row *copy = row_copy(op, row);
    if (!copy)
        return xt_error_origin(-ENOMEM);
    s->rows[s->n++] = copy;
    if (s->limit && s->n >= 2 * s->limit && s->n >= LEAST_ROWS)
        sort_rows(op, s->limit);
    return xt_stage_charge(op->shared, copy->n_bytes) ? 0 : XT_STAGE_E_ENOUGH;
}

static int sort_finish(xt_stage_op *op)
{
    sort *s = op->state;
    xt_problem problem = XT_PROBLEM_INIT;
    int r = 0;

    sort_rows(op, s->limit ? s->limit : UINT64_MAX);
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

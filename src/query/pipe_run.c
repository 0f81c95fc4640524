/*
 * The stages behind the source are made into a chain that ends at the caller. Rows of a table come all at once from the
 * codes (query/stats_parts), events one by one, newest first (query/query_rows).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "query/pipe_private.h"
#include "query/stage.h"
#include "query/stats_parts.h"
#include "query/walk.h"

#define EVENT_MAX_BYTES (64u << 20)

typedef struct pipe_run {
    const xt_pipe *pipe;
    const xt_pipe_run *spec;
    xt_store *store;
    xt_arena arena; /* rows of the source */
    xt_arena event_arena;
    xt_stage_shared shared;
    xt_stage_op ops[XT_PIPE_MAX_STAGES + 1]; /* the last one gives to the caller */
    size_t n_ops;
    xt_field_set derive;
    uint64_t n_given, n_events;
    bool truncated, stopped;
    uint64_t source_in, source_out;
} pipe_run;

/* ------------------------------------------------------------------------------------------------ the end of the chain */

static int give_push(xt_stage_op *op, const xt_stage_row *row)
{
    pipe_run *run = op->state;
    const xt_pipe_run *spec = run->spec;

    if (run->stopped)
        return XT_STAGE_E_ENOUGH;
    if (spec->limit && run->n_given == spec->limit) {
        run->truncated = true;
        return XT_STAGE_E_ENOUGH;
    }
    run->n_given++;
    int r =
        run->pipe->gives_events ? spec->on_event(spec->context, row->event) : spec->on_row(spec->context, row->cells);
    if (r <= 0)
        return r;
    run->truncated = run->stopped = true;
    return XT_STAGE_E_ENOUGH;
}

/* ------------------------------------------------------------------------------------------------ the chain */

static int op_init(xt_stage_op *op, xt_problem *problem)
{
    switch (op->stage->kind) {
    case XT_STAGE_WHERE:
        return xt_stage_where_init(op, problem);
    case XT_STAGE_SORT:
        return xt_stage_sort_init(op);
    case XT_STAGE_LIMIT:
        return xt_stage_limit_init(op);
    case XT_STAGE_KEEP:
        return xt_stage_keep_init(op);
    case XT_STAGE_DEDUP:
        return xt_stage_dedup_init(op);
    default:
        return xt_stage_stats_init(op);
    }
}

/* What of the events the stages keep for the caller. */
static bool is_in_filter(const xt_pipe *pipe, size_t i)
{
    for (size_t k = 0; k <= i; k++)
        if (pipe->tree->stages[k].kind != XT_STAGE_WHERE && pipe->tree->stages[k].kind != XT_STAGE_SORT &&
            pipe->tree->stages[k].kind != XT_STAGE_KEEP)
            return false;
    return pipe->tree->stages[i].kind == XT_STAGE_WHERE;
}

static int chain_make(pipe_run *run, xt_problem *problem)
{
    const xt_kql_pipe *tree = run->pipe->tree;
    bool by_codes = run->pipe->source < tree->n_stages;
    const xt_field_info *const *columns = by_codes ? tree->stages[run->pipe->source].columns : run->pipe->cells;
    size_t n_columns = by_codes ? tree->stages[run->pipe->source].n_columns : run->pipe->n_cells, n = 0;
    bool of_events = !by_codes;
    int r = 0;

    for (size_t i = by_codes ? run->pipe->source + 1 : 0; i < tree->n_stages; i++) {
        if (!by_codes && is_in_filter(run->pipe, i))
            continue;
        run->ops[n++] = (xt_stage_op){
            .stage = &tree->stages[i], .columns = columns, .n_columns = n_columns, .of_events = of_events};
        of_events = tree->stages[i].gives_events;
        columns = of_events ? columns : tree->stages[i].columns;
        n_columns = of_events ? n_columns : tree->stages[i].n_columns;
    }
    run->ops[n] = (xt_stage_op){.push = give_push, .state = run};
    for (size_t i = 0; i < n; i++) {
        run->ops[i].shared = &run->shared;
        run->ops[i].next = &run->ops[i + 1];
    }
    run->n_ops = n;
    for (size_t i = 0; i < n && r == 0; i++)
        r = op_init(&run->ops[i], problem);
    return r;
}

static int chain_finish(pipe_run *run)
{
    int r = 0;

    for (size_t i = 0; i < run->n_ops && r == 0; i++) {
        if (run->ops[i].finish)
            r = run->ops[i].finish(&run->ops[i]);
        if (r == XT_STAGE_E_ENOUGH)
            r = 0; /* what stands behind it has what it needs, and may hold it */
    }
    return r;
}

static void chain_fini(pipe_run *run)
{
    for (size_t i = 0; i < run->n_ops; i++)
        if (run->ops[i].fini && run->ops[i].state)
            run->ops[i].fini(&run->ops[i]);
}

/* ------------------------------------------------------------------------------------------------ events */

static int on_event(void *context, xt_event *event, xt_slice cursor)
{
    pipe_run *run = context;
    const xt_pipe *pipe = run->pipe;
    xt_cell cells[XT_F_END];
    (void)cursor;

    xt_arena_reset(&run->event_arena);
    run->n_events++;
    int r = xt_event_derive(event, run->derive, &run->event_arena);
    if (r)
        return xt_error_trace(r);
    for (size_t i = 0; i < pipe->n_cells; i++)
        cells[i] = xt_cell_of_event(event, pipe->cells[i]);
    return xt_stage_push(&run->ops[0], &(xt_stage_row){cells, event});
}

static int run_events(pipe_run *run, xt_answer *answer, xt_problem *problem)
{
    const xt_pipe_run *spec = run->spec;
    xt_query_rows rows = {.query = spec->query, .on_row = on_event, .context = run};

    if (run->pipe->gives_events)
        rows.fields = spec->fields;
    for (size_t i = 0; i < run->pipe->n_cells; i++) {
        xt_field_set_add(&run->derive, run->pipe->cells[i]->id);
        xt_field_set_add(&rows.fields, run->pipe->cells[i]->id);
    }
    int r = xt_query_rows_run(run->store, &rows, answer, problem);
    answer->truncated = false;
    return r;
}

/* ------------------------------------------------------------------------------------------------ tables */

static int run_stats(pipe_run *run, xt_answer *answer, xt_problem *problem)
{
    const xt_stage *stage = &run->pipe->tree->stages[run->pipe->source];
    xt_stats_rows rows;
    int r = xt_stats_parts(run->store, &run->spec->query, stage, &run->arena, &rows, answer, problem);

    if (r)
        return r;
    run->shared.n_cut_values += rows.n_cut;
    run->source_in = answer->n_matched;
    run->source_out = rows.n;
    return xt_stage_give(stage, rows.cells, rows.n, &run->ops[0]);
}

/* The times of the values that were found, from those of all that are stored. */
static int first_join(pipe_run *run, const xt_stage *stage, const xt_stats_rows *found, const xt_stats_rows *all,
                      xt_cell *cells, size_t *ret_n)
{
    XT_CLEANUP(xt_map_fini) xt_map times = XT_MAP_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf key = XT_BUF_INIT;
    int r = 0;

    for (size_t i = 0; i < all->n && r == 0; i++) {
        xt_buf_reset(&key);
        xt_cell_key(stage->columns[0], &all->cells[2 * i], &key);
        xt_slice copy = xt_arena_copy(&run->arena, xt_buf_slice(&key));
        r = xt_buf_done(&key) || !copy.p ? xt_error_origin(-ENOMEM)
                                         : xt_map_put(&times, copy, &all->cells[2 * i + 1], NULL);
    }
    for (size_t i = 0; i < found->n && r == 0; i++) {
        if (!found->cells[2 * i].has)
            continue;
        xt_buf_reset(&key);
        xt_cell_key(stage->columns[0], &found->cells[2 * i], &key);
        const xt_cell *time = xt_map_find(&times, xt_buf_slice(&key));
        xt_cell *row = &cells[3 * (*ret_n)++];
        row[0] = found->cells[2 * i];
        row[1] = time ? *time : (xt_cell){.has = false};
        row[2] = found->cells[2 * i + 1];
        r = xt_buf_done(&key);
    }
    return xt_error_trace(r);
}

static int run_first(pipe_run *run, xt_answer *answer, xt_problem *problem)
{
    const xt_stage *stage = &run->pipe->tree->stages[run->pipe->source];
    xt_stage count = *stage, min = *stage;
    xt_query everything = run->spec->query;
    xt_stats_rows found, all;
    xt_answer of_all;
    size_t n = 0;

    min.n_stats = count.n_stats = 1;
    count.stats = &stage->stats[1];
    everything.filter = run->pipe->all;
    everything.from_ms = 0;
    everything.to_ms = XT_TIMESTAMP_MAX_MS;
    everything.noise = XT_NOISE_SHOW;
    int r = xt_stats_parts(run->store, &run->spec->query, &count, &run->arena, &found, answer, problem);
    if (r == 0)
        r = xt_stats_parts(run->store, &everything, &min, &run->arena, &all, &of_all, problem);
    if (r)
        return r;
    answer->took_us += of_all.took_us;
    if (of_all.partial && !answer->partial)
        run->shared.reason = of_all.reason;
    xt_cell *cells = xt_arena_array(&run->arena, 3 * found.n + 1, sizeof *cells);
    r = cells ? first_join(run, stage, &found, &all, cells, &n) : xt_error_origin(-ENOMEM);
    run->source_in = answer->n_matched;
    run->source_out = n;
    return r ? r : xt_stage_give(stage, cells, n, &run->ops[0]);
}

/* ------------------------------------------------------------------------------------------------ run */

static void explain_one(xt_query_cost *cost, const xt_stage *stage, uint64_t n_in, uint64_t n_out)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_query_stage *to = &cost->stages[cost->n_stages++];

    xt_stage_print(stage, &text);
    snprintf(to->text, sizeof to->text, "%.*s", XT_S_ARGS(xt_buf_slice(&text)));
    to->n_in = n_in;
    to->n_out = n_out;
}

static void explain(const pipe_run *run, xt_answer *answer)
{
    const xt_kql_pipe *tree = run->pipe->tree;

    _Static_assert(XT_PIPE_MAX_STAGES <= XT_QUERY_EXPLAINED_STAGES, "each stage is explained");
    if (run->pipe->source < tree->n_stages)
        explain_one(&answer->cost, &tree->stages[run->pipe->source], run->source_in, run->source_out);
    for (size_t i = 0; i < run->n_ops; i++)
        explain_one(&answer->cost, run->ops[i].stage, run->ops[i].n_in, run->ops[i + 1].n_in);
}

static int run_source(pipe_run *run, xt_answer *answer, xt_problem *problem)
{
    const xt_kql_pipe *tree = run->pipe->tree;
    bool by_codes = run->pipe->source < tree->n_stages;
    int r;

    if (!by_codes)
        r = run_events(run, answer, problem);
    else if (tree->stages[run->pipe->source].kind == XT_STAGE_FIRST)
        r = run_first(run, answer, problem);
    else
        r = run_stats(run, answer, problem);
    return r == XT_STAGE_E_ENOUGH ? 0 : r;
}

int xt_pipe_run_on(xt_store *store, const xt_pipe *pipe, const xt_pipe_run *spec, xt_answer *ret,
                   xt_problem *reterr_problem)
{
    pipe_run *run = calloc(1, sizeof *run);
    xt_answer answer = {.took_us = 0};

    if (!run)
        return xt_error_origin(-ENOMEM);
    run->pipe = pipe;
    run->spec = spec;
    run->store = store;
    run->shared.max_bytes = spec->query.max_memory_bytes ? spec->query.max_memory_bytes : XT_QUERY_MEMORY_BYTES;
    xt_arena_init(&run->arena, SIZE_MAX);
    xt_arena_init(&run->event_arena, EVENT_MAX_BYTES);
    int r = chain_make(run, reterr_problem);
    if (r == 0)
        r = run_source(run, &answer, reterr_problem);
    int64_t finish_us = -xt_walk_now_us();
    if (r == 0)
        r = chain_finish(run);
    finish_us += xt_walk_now_us();
    answer.cost.finish_us += finish_us;
    answer.took_us += finish_us;
    if (r == 0) {
        answer.truncated = run->truncated;
        answer.reason = run->shared.reason ? run->shared.reason : answer.reason;
        answer.partial |= answer.reason != NULL;
        answer.n_cut_values = run->shared.n_cut_values;
        answer.n_matched = run->n_given;
        explain(run, &answer);
        *ret = answer;
    }
    chain_fini(run);
    xt_arena_fini(&run->arena);
    xt_arena_fini(&run->event_arena);
    free(run);
    return r;
}

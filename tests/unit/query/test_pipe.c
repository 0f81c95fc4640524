/*
 * Stages of queries: text to tree and back, against tests/golden/query/pipe.txt (XT_GOLDEN_UPDATE=1 rewrites it, and the difference is
 * read); what is said of answers that are cut. That answers are right is what
 * tests/e2e/test_queries.py asks, with an evaluator of its own.
 */
#include "unit/query/store_fake.h"

#include <errno.h>

#include "query/kql_pipe.h"
#include "query/pipe.h"
#include "unit/query/golden_queries.h"

#define NOW_MS   INT64_C(1795401043120) /* 2026-11-23T02:30:43.120Z */
#define N_EVENTS 600
#define N_BLOCKS 40

static void put_case(xt_slice query, xt_arena *arena, xt_buf *out)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_kql_pipe *pipe = NULL, *again = NULL;
    xt_buf text = XT_BUF_INIT;

    xt_arena_reset(arena);
    int r = xt_kql_pipe_parse(query, NOW_MS, arena, &pipe, &problem);
    xt_buf_puts(out, "? ");
    xt_buf_put(out, query);
    if (r) {
        assert_int_equal(r, XT_KQL_E_SYNTAX);
        assert_true(problem.column > 0);
        xt_buf_printf(out, "\n! %llu: %s%s%s\n", (unsigned long long)problem.column, problem.sentence,
                      problem.hint[0] ? "; " : "", problem.hint);
        return;
    }
    xt_kql_pipe_print(pipe, &text);
    if (xt_kql_pipe_parse(xt_buf_slice(&text), NOW_MS, arena, &again, &problem) || !xt_kql_pipe_equal(pipe, again))
        fail_msg("%.*s prints as another query: %.*s", XT_S_ARGS(query), XT_S_ARGS(xt_buf_slice(&text)));
    xt_buf_puts(out, "\n> ");
    xt_buf_put(out, xt_buf_slice(&text));
    const xt_stage *last = pipe->n_stages ? &pipe->stages[pipe->n_stages - 1] : NULL;
    for (size_t i = 0; last && i < last->n_columns; i++)
        xt_buf_printf(out, "%s%s %s", i ? ", " : "\n: ", xt_column_name(last->columns[i]),
                      (const char *[]){"time", "uint", "int", "text", "list"}[last->columns[i]->type]);
    xt_buf_putc(out, '\n');
    xt_buf_fini(&text);
}

static void test_goldens(void **state)
{
    golden_queries("tests/golden/query/pipe.txt", 50, put_case);
}

/* ------------------------------------------------------------------------------------------------ runs */

typedef struct world {
    xt_arena arena;
    xt_event events[N_EVENTS];
    uint32_t ends[N_BLOCKS];
    xt_store store;
} world;

static int world_new(void **state)
{
    world *w = calloc(1, sizeof *w);
    dice d = {.state = 5};

    xt_arena_init(&w->arena, 16 << 20);
    for (uint32_t i = 0; i < N_EVENTS; i++)
        dice_event(&d, i, &w->arena, &w->events[i]);
    for (uint32_t i = 0; i < N_BLOCKS; i++)
        w->ends[i] = (i + 1) * (N_EVENTS / N_BLOCKS);
    w->store = (xt_store){.events = w->events, .n = N_EVENTS, .block_ends = w->ends, .n_blocks = N_BLOCKS};
    *state = w;
    return 0;
}

static int world_free(void **state)
{
    world *w = *state;

    xt_arena_fini(&w->arena);
    free(w);
    return 0;
}

typedef struct asked {
    world *world;
    const char *query;
    size_t max_memory_bytes;
    uint64_t limit, n_rows, last;
    unsigned n_threads;
    xt_buf *rows; /* as text, may be NULL */
    const xt_field_info *const *columns;
    size_t n_columns;
    xt_answer answer;
} asked;

static int on_row(void *context, const xt_cell *cells)
{
    asked *a = context;

    a->n_rows++;
    a->last = cells[0].number;
    for (size_t i = 0; a->rows && i < a->n_columns; i++) {
        xt_cell_key(a->columns[i], &cells[i], a->rows);
        xt_buf_putc(a->rows, ' ');
    }
    return 0;
}

static int on_event(void *context, xt_event *event)
{
    asked *a = context;

    a->n_rows++;
    if (a->rows)
        xt_buf_printf(a->rows, "%llu %llu, ", (unsigned long long)event->values[XT_F_TIME].num,
                      (unsigned long long)xt_event_num(event, XT_F_SERIAL, 0));
    return xt_event_has(event, XT_F_TIME) ? 0 : -EINVAL;
}

static int ask(void *context)
{
    asked *a = context;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_pipe *pipe = NULL;

    a->n_rows = 0;
    assert_true(a->n_threads > 0);
    int r = xt_pipe_compile(xt_slice_str(a->query), NOW_MS, &pipe, &problem);
    if (r == 0) {
        a->columns = xt_pipe_columns(pipe, &a->n_columns);
        xt_pipe_run run = {.query = {.filter = xt_pipe_filter(pipe),
                                     .to_ms = XT_TIMESTAMP_MAX_MS,
                                     .n_threads = a->n_threads,
                                     .max_memory_bytes = a->max_memory_bytes},
                           .limit = a->limit,
                           .on_event = on_event,
                           .on_row = on_row,
                           .context = a};
        r = xt_pipe_run_on(&a->world->store, pipe, &run, &a->answer, &problem);
    }
    xt_pipe_free(pipe);
    if (r && r != -ENOMEM)
        fail_msg("%s ends with %d: %s", a->query, r, problem.sentence);
    return r;
}

static asked ask_once(void **state, const char *query, size_t max_memory_bytes, uint64_t limit)
{
    asked a = {.world = *state, .query = query, .max_memory_bytes = max_memory_bytes, .limit = limit, .n_threads = 1};

    assert_int_equal(ask(&a), 0);
    return a;
}

static void test_cut(void **state)
{
    asked a = ask_once(state, "* | stats count() by pid", 0, 3);
    assert_int_equal(a.n_rows, 3);
    assert_true(a.answer.truncated && !a.answer.partial);
    a = ask_once(state, "* | limit 3", 0, 3);
    assert_int_equal(a.n_rows, 3);
    assert_false(a.answer.truncated);
    a = ask_once(state, "* | sort time", 100, 0);
    assert_true(a.answer.partial && a.answer.reason && a.n_rows > 0 && a.n_rows < N_EVENTS);
    a = ask_once(state, "* | sort time | keep time, cmd | limit 3", 8192, 0); /* holds three rows */
    assert_true(!a.answer.partial && a.n_rows == 3);
    a = ask_once(state, "* | dedup serial, pid, time", 500, 0);
    assert_true(a.answer.partial && a.n_rows > 0);
    a = ask_once(state, "* | stats count() by args", 100, 0);
    assert_true(a.answer.partial && a.answer.reason);
    a = ask_once(state, "* | limit 50 | stats count() by serial, pid", 500, 0);
    assert_true(a.answer.partial && a.answer.reason);
}

/* Any number of threads gives the same table. */
static void test_threads(void **state)
{
    static const char *const queries[] = {
        ("* | stats count(), values(user), count_distinct(args), avg(argc), min(exe), max(pid), sum(exit) by key, "
         "bin(time, 200ms)"),
        "uid < 9 | stats count_distinct(id), values(path), min(time), max(tty) by user, host",
        "* | rare args, user",
        "* | first path | where count() > 1",
    };
    for (size_t i = 0; i < XT_COUNT_OF(queries); i++) {
        xt_buf one = XT_BUF_INIT, many = XT_BUF_INIT;
        asked a = {.world = *state, .query = queries[i], .n_threads = 1, .rows = &one};
        assert_int_equal(ask(&a), 0);
        assert_true(a.n_rows > 5);
        for (unsigned round = 0; round < 5; round++) {
            xt_buf_reset(&many);
            a.rows = &many;
            a.n_threads = 2 + round;
            assert_int_equal(ask(&a), 0);
            assert_true(a.answer.cost.n_threads > 1);
            assert_true(xt_slice_eq(xt_buf_slice(&one), xt_buf_slice(&many)));
        }
        xt_buf_fini(&one);
        xt_buf_fini(&many);
    }
}

/* A sort that keeps the best alone gives what one of all rows begins with. */
static void test_sort_and_limit(void **state)
{
    xt_buf all = XT_BUF_INIT, some = XT_BUF_INIT;
    asked a = {.world = *state, .query = "* | sort outcome desc", .n_threads = 1, .rows = &all};
    asked b = {.world = *state, .query = "* | sort outcome desc | limit 37", .n_threads = 1, .rows = &some};

    assert_int_equal(ask(&a), 0);
    assert_int_equal(ask(&b), 0);
    assert_int_equal(a.n_rows, N_EVENTS);
    assert_int_equal(b.n_rows, 37);
    assert_true(xt_slice_starts(xt_buf_slice(&all), xt_buf_slice(&some)));
    xt_buf_fini(&all);
    xt_buf_fini(&some);
}

/* A table without rows still has the one that counts none. */
static void test_none(void **state)
{
    asked a = ask_once(state, "user:nobody-here | stats count()", 0, 0);
    assert_int_equal(a.n_rows, 1);
    assert_int_equal(a.last, 0);
    a = ask_once(state, "user:nobody-here | limit 1 | stats count()", 0, 0);
    assert_int_equal(a.n_rows, 1);
    a = ask_once(state, "user:nobody-here | stats count() by user", 0, 0);
    assert_int_equal(a.n_rows, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_goldens), cmocka_unit_test(test_cut),
                                       cmocka_unit_test(test_threads), cmocka_unit_test(test_sort_and_limit),
                                       cmocka_unit_test(test_none)};

    return cmocka_run_group_tests(tests, world_new, world_free);
}

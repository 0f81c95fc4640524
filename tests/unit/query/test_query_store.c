/*
 * Queries on a real store, while everything is pending, half of it sealed, and all of it: counts and all rows in order
 * against the naive evaluator; pages and threads.
 */
#include "unit/query/query_fixture.h"

#include <unistd.h>

#include "../folder.h"
#include "query/row_order.h"
#include "store/derived.h"

#define N_EVENTS  3000
#define PER_BATCH 100

typedef struct world {
    dice dice;
    xt_arena events_arena, arena;
    xt_event events[N_EVENTS];
    char dir[64];
    xt_store *store;
    uint64_t number;
    xt_hash128 last;
} world;

static void must(int r, const xt_problem *problem)
{
    if (r)
        fail_msg("%d: %s", r, problem->sentence);
}

static int world_new(void **state)
{
    world *w = calloc(1, sizeof *w);
    xt_problem problem = XT_PROBLEM_INIT;

    w->dice.state = 13;
    xt_arena_init(&w->events_arena, 64 << 20);
    xt_arena_init(&w->arena, 256 << 20);
    for (uint32_t i = 0; i < N_EVENTS; i++) { /* some come twice */
        if (i > 0 && dice_below(&w->dice, 12) == 0)
            w->events[i] = w->events[dice_below(&w->dice, i)];
        else
            dice_event(&w->dice, i, &w->events_arena, &w->events[i]);
    }
    snprintf(w->dir, sizeof w->dir, "/tmp/xt-query-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    must(xt_store_open(w->dir, NULL, &w->store, &problem), &problem);
    *state = w;
    return 0;
}

static int world_free(void **state)
{
    world *w = *state;

    xt_store_close(w->store);
    remove_folder(w->dir);
    xt_arena_fini(&w->events_arena);
    xt_arena_fini(&w->arena);
    free(w);
    return 0;
}

static void append(world *w, uint32_t first, uint32_t n)
{
    xt_buf events = XT_BUF_INIT, derived = XT_BUF_INIT;
    xt_derived_writer writer = xt_derived_write_to(&derived);
    xt_problem problem = XT_PROBLEM_INIT;
    int outcome = -1;

    for (uint32_t i = 0; i < n; i++) {
        xt_event server;
        xt_event_batch_put(&events, &w->events[first + i]);
        xt_event_reset(&server);
        dice_server_fields(&w->dice, &w->events_arena, &server);
        if (server.present.bits[0] | server.present.bits[1])
            xt_derived_put(&writer, i, &server);
        for (unsigned f = 1; f < XT_F_END; f++)
            if (xt_event_has(&server, (xt_field)f))
                xt_event_set_bytes(&w->events[first + i], (xt_field)f, server.values[f].bytes);
    }
    xt_store_batch batch = {.stream = {{1}},
                            .number = ++w->number,
                            .n_events = n,
                            .chain = w->last,
                            .hash = xt_slice_hash128(xt_buf_slice(&events)),
                            .host_id = XT_S("0123456789abcdef0123456789abcdef"),
                            .frame = xt_buf_slice(&events),
                            .events = xt_buf_slice(&events),
                            .derived = xt_buf_slice(&derived)};
    must(xt_store_append(w->store, &batch, 1, &outcome, &problem), &problem);
    assert_int_equal(outcome, 0);
    w->last = batch.hash;
    xt_buf_fini(&events);
    xt_buf_fini(&derived);
}

typedef struct seen {
    xt_row_key last;
    char host[40];
    uint64_t n, time_sum;
} seen;

static int on_row(void *context, xt_event *event, xt_slice cursor)
{
    static const xt_row_order order = {XT_F_INVALID, false};
    seen *s = context;
    xt_arena arena;
    xt_row_key key;

    xt_arena_init(&arena, 4096);
    assert_int_equal(xt_row_cursor_parse(&order, cursor, &arena, &key, NULL), 0);
    assert_true(key.time_ms == (int64_t)event->values[XT_F_TIME].num);
    int before = s->n ? xt_row_key_cmp(&order, &s->last, &key) : -1;
    assert_true(before < 0 || (before == 0 && key.has_tie && s->last.has_tie && key.n_same == s->last.n_same + 1));
    s->last = key;
    snprintf(s->host, sizeof s->host, "%.*s", XT_S_ARGS(key.host_id));
    s->last.host_id = xt_slice_str(s->host);
    s->n++;
    s->time_sum += event->values[XT_F_TIME].num;
    xt_arena_fini(&arena);
    return 0;
}

/* One random query over the first n events. */
static void check(world *w, uint32_t n)
{
    xt_buf kql = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_filter *filter;
    xt_kql_node *tree;
    xt_answer answer;
    uint64_t want = 0, time_sum = 0;

    xt_arena_reset(&w->arena);
    put_query(&w->dice, dice_below(&w->dice, 3), &kql);
    must(xt_filter_compile(xt_buf_slice(&kql), FIXTURE_START_MS, &filter, &problem), &problem);
    must(xt_kql_parse(xt_buf_slice(&kql), FIXTURE_START_MS, &w->arena, &tree, &problem), &problem);
    for (uint32_t i = 0; i < n; i++) {
        bool yes = naive(tree, &w->events[i], &w->arena);
        want += yes;
        time_sum += yes ? w->events[i].values[XT_F_TIME].num : 0;
    }
    xt_query query = {.filter = filter, .to_ms = INT64_C(253402300799999), .n_threads = 1u << dice_below(&w->dice, 3)};
    must(xt_query_count(w->store, &query, &answer, &problem), &problem);
    if (answer.n_matched != want)
        fail_msg("%.*s: %llu rows of %u, not %llu", XT_S_ARGS(xt_buf_slice(&kql)), (unsigned long long)answer.n_matched,
                 n, (unsigned long long)want);
    seen s = {.n = 0};
    xt_query_rows rows = {.query = query, .on_row = on_row, .context = &s, .max_memory_bytes = 40000};
    must(xt_query_rows_run(w->store, &rows, &answer, &problem), &problem);
    assert_int_equal(s.n, want);
    assert_true(s.time_sum == time_sum);
    xt_filter_free(filter);
    xt_buf_fini(&kql);
}

static void test_life_of_a_store(void **state)
{
    world *w = *state;
    xt_problem problem = XT_PROBLEM_INIT;

    for (uint32_t n = 0; n < N_EVENTS; n += PER_BATCH) {
        append(w, n, PER_BATCH);
        for (unsigned i = 0; i < 4; i++)
            check(w, n + PER_BATCH);
        if (n == N_EVENTS / 2 || n == N_EVENTS / 3)
            must(xt_store_seal(w->store, &problem), &problem);
    }
    must(xt_store_seal(w->store, &problem), &problem);
    for (unsigned i = 0; i < 200; i++)
        check(w, N_EVENTS);
}

/* The rows that a run gave, one behind the other as their hashes, and its last cursor. */
typedef struct given {
    uint64_t rows[N_EVENTS + 1];
    uint32_t n;
    char cursor[1024];
    size_t n_cursor;
} given;

static int give(void *context, xt_event *event, xt_slice cursor)
{
    given *g = context;
    xt_buf out = XT_BUF_INIT;

    assert_true(g->n < N_EVENTS && cursor.n < sizeof g->cursor);
    xt_event_encode(event, &out);
    g->rows[g->n++] = xt_slice_hash(xt_buf_slice(&out));
    xt_buf_fini(&out);
    memcpy(g->cursor, cursor.p, cursor.n);
    g->n_cursor = cursor.n;
    return 0;
}

static void run_rows(world *w, const xt_filter *filter, unsigned n_threads, uint64_t limit, xt_field sort, given *g,
                     xt_answer *answer)
{
    xt_query query = {.filter = filter, .to_ms = INT64_C(253402300799999), .n_threads = n_threads};
    xt_query_rows rows = {.query = query, .limit = limit, .sort_field = sort, .on_row = give, .context = g};
    char after[1024];
    xt_problem problem = XT_PROBLEM_INIT;

    memcpy(after, g->cursor, g->n_cursor);
    rows.after = xt_slice_of(after, g->n_cursor);
    rows.fields = (xt_field_set){{UINT64_MAX, UINT64_MAX}};
    must(xt_query_rows_run(w->store, &rows, answer, &problem), &problem);
}

static void reopen(world *w)
{
    xt_problem problem = XT_PROBLEM_INIT;

    xt_store_close(w->store);
    must(xt_store_open(w->dir, NULL, &w->store, &problem), &problem);
}

/* Pages between which the store is sealed and opened anew hold each row once, in the order of one run. */
static void pages_outlive_sealing(world *w, const xt_filter *filter, xt_field sort)
{
    given *whole = calloc(1, sizeof *whole), *paged = calloc(1, sizeof *paged);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_answer answer = {.truncated = true};

    run_rows(w, filter, 2, 0, sort, whole, &answer);
    for (answer.truncated = true; answer.truncated;) {
        run_rows(w, filter, 1u << dice_below(&w->dice, 3), 60 + dice_below(&w->dice, 200), sort, paged, &answer);
        uint32_t what = dice_below(&w->dice, 6);
        if (what == 0)
            must(xt_store_seal(w->store, &problem), &problem);
        else if (what == 1)
            reopen(w);
    }
    assert_int_equal(paged->n, whole->n);
    for (uint32_t i = 0; i < whole->n; i++)
        assert_true(paged->rows[i] == whole->rows[i]);
    free(whole);
    free(paged);
}

/* One answer from any number of threads. */
static void threads_agree(world *w, const xt_filter *filter)
{
    static const xt_query_key by[] = {{XT_F_USER, 0}, {XT_F_TIME, 100}, {XT_F_KEY, 0}};
    xt_query_group *groups, *want = NULL;
    size_t n, n_want = 0;
    xt_answer answer;
    xt_problem problem = XT_PROBLEM_INIT;

    for (unsigned n_threads = 1; n_threads <= 4; n_threads *= 2) {
        xt_query query = {.filter = filter, .to_ms = INT64_C(253402300799999), .n_threads = n_threads};
        must(xt_query_by(w->store, &query, by, 3, 0, &w->arena, &groups, &n, &answer, &problem), &problem);
        if (n_threads == 1) {
            want = groups;
            n_want = n;
        }
        assert_int_equal(n, n_want);
        for (size_t i = 0; i < n; i++) {
            assert_true(groups[i].count == want[i].count);
            for (size_t k = 0; k < 3; k++)
                assert_true(xt_slice_eq(groups[i].values[k], want[i].values[k]));
        }
    }
}

static void test_pages_and_threads(void **state)
{
    static const char *const queries[] = {"", "cmd:nmap", "not user:alice", "uid < 7 or key:*"};
    static const xt_field sorts[] = {XT_F_INVALID, XT_F_USER, XT_F_UID};
    world *w = *state;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_filter *filter;

    for (uint32_t n = 0, i = 0; n < N_EVENTS; n += PER_BATCH, i++) {
        append(w, n, PER_BATCH);
        if (i % 4 != 3)
            continue;
        must(xt_filter_compile(xt_slice_str(queries[i / 4 % 4]), 0, &filter, &problem), &problem);
        pages_outlive_sealing(w, filter, sorts[i / 4 % 3]);
        xt_arena_reset(&w->arena);
        threads_agree(w, filter);
        xt_filter_free(filter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life_of_a_store, world_new, world_free),
        cmocka_unit_test_setup_teardown(test_pages_and_threads, world_new, world_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

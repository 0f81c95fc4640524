/* Queries with stages on a store, with every request for memory refused in turn: -ENOMEM, a partial answer, or the answer. */
#include "unit/query/query_fixture.h"

#include <errno.h>
#include <unistd.h>

#include "../alloc_faults.h"
#include "../folder.h"
#include "query/pipe.h"
#include "store/store.h"

#define NOW_MS   INT64_C(1795401043120)
#define N_EVENTS 40

typedef struct asked {
    xt_store *store;
    const char *query;
    uint64_t n_rows, n_want;
} asked;

static int on_row(void *context, const xt_cell *cells)
{
    ((asked *)context)->n_rows++;
    return cells ? 0 : -EINVAL;
}

static int on_event(void *context, xt_event *event)
{
    ((asked *)context)->n_rows++;
    return event ? 0 : -EINVAL;
}

static int ask(void *context)
{
    asked *a = context;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_pipe *pipe = NULL;
    xt_answer answer = {.partial = false};

    a->n_rows = 0;
    int r = xt_pipe_compile(xt_slice_str(a->query), NOW_MS, &pipe, &problem);
    if (r == 0) {
        xt_pipe_run run = {.query = {.filter = xt_pipe_filter(pipe), .to_ms = XT_TIMESTAMP_MAX_MS, .n_threads = 1},
                           .on_event = on_event,
                           .on_row = on_row,
                           .context = a};
        r = xt_pipe_run_on(a->store, pipe, &run, &answer, &problem);
    }
    xt_pipe_free(pipe);
    bool was_armed = alloc_pause();
    if (r && r != -ENOMEM)
        fail_msg("%s ends with %d: %s", a->query, r, problem.sentence);
    if (r == 0 && a->n_want)
        assert_true(answer.partial || a->n_rows == a->n_want);
    alloc_resume(was_armed);
    return r;
}

static xt_store *store_of_events(const char *dir, xt_arena *arena)
{
    xt_buf events = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    dice d = {.state = 5};
    xt_store *store;
    int outcome = -1;

    for (uint32_t i = 0; i < N_EVENTS; i++) {
        xt_event event;
        dice_event(&d, i, arena, &event);
        xt_event_batch_put(&events, &event);
    }
    xt_store_batch batch = {.stream = {{1}},
                            .number = 1,
                            .n_events = N_EVENTS,
                            .hash = xt_slice_hash128(xt_buf_slice(&events)),
                            .host_id = XT_S("0123456789abcdef0123456789abcdef"),
                            .frame = xt_buf_slice(&events),
                            .events = xt_buf_slice(&events)};
    assert_int_equal(xt_store_open(dir, NULL, &store, &problem), 0);
    assert_int_equal(xt_store_append(store, &batch, 1, &outcome, &problem), 0);
    assert_int_equal(outcome, 0);
    xt_buf_fini(&events);
    return store;
}

static void test_stages(void **state)
{
    static const char *const queries[] = {
        "user:alice or uid < 3 | stats count(), values(user), avg(argc), min(exe) by key, bin(time, 1m)",
        "* | sort uid desc, user | limit 5 | where user:*a* or uid:/1/ | dedup user | keep user, uid",
        "* | limit 30 | stats values(args), count_distinct(user), sum(uid) by path | rare path",
        "* | first user | where first_seen > 1970-01-02",
    };
    char dir[] = "/tmp/xt-pipe-XXXXXX";
    xt_arena arena;

    xt_arena_init(&arena, 16 << 20);
    assert_non_null(mkdtemp(dir));
    xt_store *store = store_of_events(dir, &arena);
    for (size_t i = 0; i < XT_COUNT_OF(queries); i++) {
        asked a = {.store = store, .query = queries[i]};
        assert_int_equal(ask(&a), 0);
        assert_true(a.n_rows > 0);
        a.n_want = a.n_rows;
        assert_true(alloc_fail_each(ask, &a) >= 10);
    }
    xt_store_close(store);
    remove_folder(dir);
    xt_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stages)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

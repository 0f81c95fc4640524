/*
 * Following a store that is appended to, imported into, sealed, merged, retired from and opened again between any two rows: what was given
 * is held against what was put in. With a fence each row comes once; without one, and from positions gone back to, at least
 * once; what was retired before its turn is counted.
 */
#include "unit/query/query_fixture.h"

#include <unistd.h>

#include "../folder.h"
#include "query/follow.h"
#include "store/bulk.h"

#define MAX_EVENTS 20000

typedef struct world {
    dice dice;
    char dir[64];
    xt_store *store;
    xt_filter *filter;
    uint64_t numbers[2];
    xt_hash128 last[2];
    uint32_t n;                      /* events put in: their serials are 0 .. n - 1 */
    unsigned char times[MAX_EVENTS]; /* how often each was given */
    uint64_t n_given;
    uint32_t stop_after; /* rows; then the callback ends the run */
    uint64_t latest;     /* the latest serial given, of live rows */
    bool in_order;
    xt_follow_position after; /* the latest row's */
} world;

static void must(int r, const xt_problem *problem)
{
    if (r)
        fail_msg("%d: %s", r, problem->sentence);
}

static void open_store(world *w)
{
    /* merged however young */
    const xt_store_settings settings = {.merge_after_ms = 1};
    xt_problem problem = XT_PROBLEM_INIT;

    must(xt_store_open(w->dir, &settings, &w->store, &problem), &problem);
}

static void begin(world *w, uint64_t seed, const char *kql)
{
    xt_problem problem = XT_PROBLEM_INIT;

    *w = (world){.dice = {.state = seed}};
    snprintf(w->dir, sizeof w->dir, "%s/xt-follow-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(w->dir));
    open_store(w);
    must(xt_filter_compile(xt_slice_str(kql), 0, &w->filter, &problem), &problem);
}

static void end(world *w)
{
    xt_filter_free(w->filter);
    xt_store_close(w->store);
    remove_folder(w->dir);
}

/* Serial is the event's number; uid tells whether it matches `uid < 6`. */
static void make_event(world *w, uint32_t i, xt_event *ret)
{
    xt_event_reset(ret);
    xt_event_set_num(ret, XT_F_TIME, (uint64_t)(FIXTURE_START_MS + (int64_t)dice_below(&w->dice, 100000)));
    xt_event_set_num(ret, XT_F_SERIAL, i);
    xt_event_set_bytes(ret, XT_F_HOST_ID, dice_below(&w->dice, 2) ? XT_S("h1") : XT_S("h2"));
    xt_event_set_bytes(ret, XT_F_EXE, dice_below(&w->dice, 2) ? XT_S("/usr/bin/id") : XT_S("/bin/sh"));
    xt_event_set_num(ret, XT_F_UID, i % 12);
}

static void append(world *w, uint32_t n)
{
    xt_buf events = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_event event;
    int outcome = -1;

    for (uint32_t i = 0; i < n; i++) {
        make_event(w, w->n++, &event);
        xt_event_batch_put(&events, &event);
    }
    xt_store_batch batch = {.stream = {{1}},
                            .number = ++w->numbers[0],
                            .n_events = n,
                            .chain = w->last[0],
                            .hash = xt_slice_hash128(xt_buf_slice(&events)),
                            .host_id = XT_S("0123456789abcdef0123456789abcdef"),
                            .frame = xt_buf_slice(&events),
                            .events = xt_buf_slice(&events)};
    must(xt_store_append(w->store, &batch, 1, &outcome, &problem), &problem);
    assert_int_equal(outcome, 0);
    w->last[0] = batch.hash;
    xt_buf_fini(&events);
}

static void import(world *w, uint32_t n)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_bulk *bulk = NULL;
    uint64_t last;
    xt_event event;

    assert_int_equal(xt_bulk_new(w->store, &bulk), 0);
    for (uint32_t i = 0; i < n; i++) {
        make_event(w, w->n++, &event);
        assert_int_equal(xt_bulk_add(bulk, &event), 0);
    }
    must(xt_bulk_write(bulk, 1, &problem), &problem);
    must(xt_bulk_commit(bulk, (xt_hash128){{2}}, ++w->numbers[1], XT_S("0123456789abcdef0123456789abcdef"), &last,
                        &problem),
         &problem);
    xt_bulk_free(bulk);
}

static int on_row(void *context, xt_event *event, const xt_follow_position *after)
{
    world *w = context;
    uint64_t serial = xt_event_num(event, XT_F_SERIAL, UINT64_MAX);

    assert_true(serial < w->n);
    assert_int_equal(xt_event_num(event, XT_F_UID, 99), serial % 12);
    w->in_order &= w->n_given == 0 || serial > w->latest;
    w->latest = serial;
    w->times[serial]++;
    w->n_given++;
    w->after = *after;
    return w->stop_after && --w->stop_after == 0 ? 1 : 0;
}

/* From a position; where the callback ended it, to behind the last row that it took. */
static uint64_t follow(world *w, xt_follow_position *at, uint32_t stop_after)
{
    xt_follow spec = {.filter = w->filter, .on_row = on_row, .context = w};
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t last = 0;

    xt_field_set_add(&spec.fields, XT_F_SERIAL);
    xt_field_set_add(&spec.fields, XT_F_UID);
    w->stop_after = stop_after;
    must(xt_follow_run(w->store, &spec, at, &last, &problem), &problem);
    if (stop_after && w->stop_after == 0)
        *at = w->after;
    return last;
}

static void change(world *w)
{
    xt_problem problem = XT_PROBLEM_INIT;

    switch (dice_below(&w->dice, 12)) {
    case 0:
    case 1:
        must(xt_store_seal(w->store, &problem), &problem);
        break;
    case 2:
        must(xt_store_compact(w->store, &problem), &problem);
        break;
    case 3:
    case 4:
        import(w, 1 + dice_below(&w->dice, 90));
        break;
    case 5:
        xt_store_close(w->store);
        open_store(w);
        break;
    default:
        append(w, 1 + dice_below(&w->dice, 40));
    }
}

static void check_times(const world *w, bool all, unsigned most)
{
    for (uint32_t i = 0; i < w->n; i++) {
        bool wanted = all || i % 12 < 6;
        if (wanted ? w->times[i] < 1 || w->times[i] > most : w->times[i] > 0)
            fail_msg("event %u of %u was given %u times", i, w->n, w->times[i]);
    }
}

static void each_row_comes_once(void **state)
{
    for (uint64_t seed = 1; seed <= 9; seed++) {
        bool all = seed % 3 != 0;
        world w;
        xt_follow_position at = {0};
        begin(&w, seed, all ? "*" : "uid < 6");
        for (unsigned i = 0; i < 150; i++) {
            uint64_t lo, hi;
            change(&w);
            xt_follow_fence(&at, &at, &lo, &hi);
            assert_true(xt_store_fence_set(w.store, &w, lo, hi));
            if (dice_below(&w.dice, 3) == 0)
                (void)follow(&w, &at, 1 + dice_below(&w.dice, 60));
            xt_follow_fence(&at, &at, &lo, &hi);
            assert_true(xt_store_fence_set(w.store, &w, lo, hi));
        }
        assert_true(w.n_given > 100);
        uint64_t last = follow(&w, &at, 0);
        assert_int_equal(at.arrival, last);
        assert_int_equal(last, w.n);
        assert_int_equal(at.n_gone, 0);
        check_times(&w, all, 1);
        end(&w);
    }
}

/* Positions of a while ago are gone back to, and nothing keeps the store from merging. */
static void each_row_comes(void **state)
{
    for (uint64_t seed = 100; seed <= 105; seed++) {
        world w;
        xt_follow_position at = {0}, sure = {0};
        begin(&w, seed, "*");
        for (unsigned i = 0; i < 150; i++) {
            change(&w);
            if (dice_below(&w.dice, 3) == 0)
                (void)follow(&w, &at, 1 + dice_below(&w.dice, 60));
            if (dice_below(&w.dice, 10) == 0)
                at = sure;
            else if (dice_below(&w.dice, 5) == 0)
                sure = at;
        }
        (void)follow(&w, &at, 0);
        check_times(&w, true, 255);
        end(&w);
    }
}

/* What is live comes in the order of arrival, whatever its time, and only what comes behind the beginning. */
static void live_rows_come_in_order(void **state)
{
    world w;
    begin(&w, 5, "*");
    append(&w, 100);
    xt_follow_position at = xt_follow_now(w.store);
    w.in_order = true;
    for (unsigned i = 0; i < 50; i++) {
        append(&w, 1 + dice_below(&w.dice, 40));
        (void)follow(&w, &at, i % 2 ? 7 : 0);
    }
    (void)follow(&w, &at, 0);
    assert_true(w.in_order);
    assert_int_equal(w.n_given, w.n - 100);
    assert_int_equal(w.times[99], 0);
    end(&w);
}

static void what_was_retired_is_counted(void **state)
{
    static const xt_store_limits limits = {.max_bytes = 1};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_retire_why why = XT_RETIRE_BYTES;
    world w;
    xt_follow_position at = {0};

    begin(&w, 6, "*");
    append(&w, 40);
    (void)follow(&w, &at, 25);
    must(xt_store_seal(w.store, &problem), &problem);
    import(&w, 30);
    append(&w, 5);
    while (why != XT_RETIRE_NOT)
        must(xt_store_retain(w.store, &limits, NULL, &why, &problem), &problem);
    append(&w, 3);
    (void)follow(&w, &at, 0);
    assert_int_equal(w.n_given, 25 + 8);
    assert_int_equal(at.n_gone, 15 + 30);
    assert_int_equal(at.arrival, 78);
    end(&w);
}

/* Two owners each have a fence, and the last is not forgotten when another goes. */
static void a_fence_keeps_neighbours_apart(void **state)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_store_stats stats;
    world w;

    begin(&w, 7, "*");
    for (int i = 0; i < 4; i++) {
        append(&w, 50);
        must(xt_store_seal(w.store, &problem), &problem);
    }
    assert_true(xt_store_fence_set(w.store, &w, 100, 100));
    assert_true(xt_store_fence_set(w.store, &stats, 30, 30));
    must(xt_store_compact(w.store, &problem), &problem);
    assert_int_equal(xt_store_stats_get(w.store, &stats), 0);
    assert_int_equal(stats.n_segments, 3); /* 1-50, 51-100, 101-200 */
    xt_store_fence_remove(w.store, &stats);
    must(xt_store_compact(w.store, &problem), &problem);
    assert_int_equal(xt_store_stats_get(w.store, &stats), 0);
    assert_int_equal(stats.n_segments, 2);
    xt_store_fence_remove(w.store, &w);
    must(xt_store_compact(w.store, &problem), &problem);
    assert_int_equal(xt_store_stats_get(w.store, &stats), 0);
    assert_int_equal(stats.n_segments, 1);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_comes_once),
        cmocka_unit_test(each_row_comes),
        cmocka_unit_test(live_rows_come_in_order),
        cmocka_unit_test(what_was_retired_is_counted),
        cmocka_unit_test(a_fence_keeps_neighbours_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

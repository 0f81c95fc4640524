/*
 * The filter on blocks and on single events against a naive evaluator, over random events and queries.
 */
#include "unit/query/store_fake.h"

#include "query/filter.h"

#define N_EVENTS  331
#define N_QUERIES 6000

typedef struct world {
    dice dice;
    xt_arena events_arena, arena;
    xt_event events[N_EVENTS];
} world;

static int world_new(void **state)
{
    world *w = calloc(1, sizeof *w);

    w->dice.state = 7;
    xt_arena_init(&w->events_arena, 64 << 20);
    xt_arena_init(&w->arena, 64 << 20);
    for (uint32_t i = 0; i < N_EVENTS; i++) {
        dice_event(&w->dice, i, &w->events_arena, &w->events[i]);
        dice_server_fields(&w->dice, &w->events_arena, &w->events[i]);
    }
    *state = w;
    return 0;
}

static int world_free(void **state)
{
    world *w = *state;

    xt_arena_fini(&w->events_arena);
    xt_arena_fini(&w->arena);
    free(w);
    return 0;
}

static xt_filter *filter_of(xt_slice query)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_filter *filter = NULL;
    int r = xt_filter_compile(query, FIXTURE_START_MS, &filter, &problem);

    if (r)
        fail_msg("%.*s\ncolumn %llu: %s", XT_S_ARGS(query), (unsigned long long)problem.column, problem.sentence);
    return filter;
}

/* The rows of events that match, as one part; there are none when its values alone say so. */
static void run_part(const xt_filter *filter, const xt_event *events, uint32_t n, xt_arena *arena, uint64_t *bits)
{
    xt_store store = {.events = events, .n = n, .block_ends = &n, .n_blocks = 1};
    xt_scan_spec spec = {.to_ms = INT64_MAX};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_matches *matches;
    xt_scan *scan;
    bool may;

    assert_int_equal(xt_scan_open(&store, &spec, &scan, &problem), 0);
    assert_int_equal(xt_matches_new(xt_scan_sources(scan), filter->n_leaves, NULL, NULL, &matches), 0);
    xt_scan_reader *reader = xt_scan_reader_new(scan);
    xt_scan_reader_begin(reader, 0);
    memset(bits, 0xff, (n + 63) / 64 * sizeof *bits);
    if (n % 64)
        bits[n / 64] = (UINT64_C(1) << n % 64) - 1;
    assert_int_equal(xt_filter_run_values(filter, matches, reader, arena, &may, &problem), 0);
    assert_int_equal(xt_filter_run(filter, matches, reader, arena, bits, &problem), 0);
    for (uint32_t w = 0; w < (n + 63) / 64; w++)
        assert_true(may || bits[w] == 0);
    xt_scan_reader_free(reader);
    xt_matches_free(matches);
    xt_scan_close(scan);
}

/* Number of rows that match; fails where the three ways differ. */
static unsigned compare(world *w, xt_slice query)
{
    xt_kql_node *tree;
    xt_filter *filter = filter_of(query);
    uint64_t bits[(N_EVENTS + 63) / 64];
    unsigned n = 0;

    xt_arena_reset(&w->arena);
    assert_int_equal(xt_kql_parse(query, FIXTURE_START_MS, &w->arena, &tree, NULL), 0);
    run_part(filter, w->events, N_EVENTS, &w->arena, bits);
    for (uint32_t i = 0; i < N_EVENTS; i++) {
        bool on_block = bits[i / 64] >> i % 64 & 1, alone, want = naive(tree, &w->events[i], &w->arena);
        assert_int_equal(xt_filter_event(filter, &w->events[i], &w->arena, &alone), 0);
        if (on_block != want || alone != want)
            fail_msg("%.*s\nevent %u: block %d, event %d, naive %d", XT_S_ARGS(query), i, on_block, alone, want);
        n += want;
    }
    if (N_EVENTS % 64)
        assert_int_equal(bits[N_EVENTS / 64] >> N_EVENTS % 64, 0);
    xt_filter_free(filter);
    return n;
}

static void test_random(void **state)
{
    world *w = *state;
    unsigned n_some = 0;

    for (unsigned i = 0; i < N_QUERIES; i++) {
        xt_buf query = XT_BUF_INIT;
        put_query(&w->dice, i % 4, &query);
        unsigned n = compare(w, xt_buf_slice(&query));
        n_some += n > 0 && n < N_EVENTS;
        xt_buf_fini(&query);
    }
    assert_in_range(n_some, N_QUERIES / 3, N_QUERIES); /* the queries tell rows apart */
}

static void test_ids(void **state)
{
    world *w = *state;
    char query[100];

    for (uint32_t i = 0; i < 20; i++) {
        xt_event event = w->events[i];
        xt_field_set wanted = {{0, 0}};
        xt_field_set_add(&wanted, XT_F_EVENT_ID);
        xt_field_set_add(&wanted, XT_F_ENTITY);
        assert_int_equal(xt_event_derive(&event, wanted, &w->events_arena), 0);
        xt_slice id = xt_event_bytes(&event, XT_F_EVENT_ID), entity = xt_event_bytes(&event, XT_F_ENTITY);
        snprintf(query, sizeof query, "id:%.*s", XT_S_ARGS(id));
        assert_true(compare(w, xt_slice_str(query)) >= 1);
        snprintf(query, sizeof query, "id:%.8s*", id.p);
        assert_true(compare(w, xt_slice_str(query)) >= 1);
        if (entity.n) {
            snprintf(query, sizeof query, "entity:%.*s", XT_S_ARGS(entity));
            assert_true(compare(w, xt_slice_str(query)) >= 1);
        }
    }
    assert_int_equal(compare(w, XT_S("id:ffffffffffffffffffffffffffffffff")), 0);
    assert_int_equal(compare(w, XT_S("id:ffff")), 0);
    assert_int_equal(compare(w, XT_S("id:*")), N_EVENTS);
    assert_true(compare(w, XT_S("entity:*")) > 10);
}

static void test_edges_of_numbers(void **state)
{
    static const struct {
        const char *query;
        unsigned n;
    } cases[] = {
        {"serial:18446744073709551615", 1},
        {"serial > 18446744073709551615", 0},
        {"serial < 0", 0},
        {"serial >= 0", 2},
        {"serial <= 18446744073709551615", 2},
        {"exit < -9223372036854775808", 0},
        {"exit:-9223372036854775808", 1},
        {"exit > 9223372036854775807", 0},
        {"exit < 0", 1},
        {"exit > 0", 1},
        {"exit >= -9223372036854775808", 2},
    };
    world *w = *state;
    xt_event events[2];

    for (size_t i = 0; i < 2; i++) {
        xt_event_reset(&events[i]);
        xt_event_set_num(&events[i], XT_F_TIME, 5);
        xt_event_set_num(&events[i], XT_F_SERIAL, i ? UINT64_MAX : 0);
        xt_event_set_num(&events[i], XT_F_EXIT, (uint64_t)(i ? INT64_MAX : INT64_MIN));
    }
    for (size_t c = 0; c < XT_COUNT_OF(cases); c++) {
        xt_filter *filter = filter_of(xt_slice_str(cases[c].query));
        uint64_t bits;
        run_part(filter, events, 2, &w->arena, &bits);
        if ((unsigned)__builtin_popcountll(bits) != cases[c].n)
            fail_msg("%s: %d rows", cases[c].query, __builtin_popcountll(bits));
        xt_filter_free(filter);
    }
}

/* A fixed range for uid and exit; nothing is known of the others. */
static bool range_of(const xt_zone *zone, xt_field field, uint64_t *ret_min, uint64_t *ret_max)
{
    if (field != XT_F_UID && field != XT_F_EXIT)
        return false;
    *ret_min = field == XT_F_UID ? 10 : (uint64_t)INT64_C(-5);
    *ret_max = field == XT_F_UID ? 20 : 5;
    return true;
}

static void test_zones(void **state)
{
    static const struct {
        const char *query;
        bool may;
    } cases[] = {
        {"uid:9", false},
        {"uid:10", true},
        {"uid:20", true},
        {"uid:21", false},
        {"uid < 10", false},
        {"uid <= 10", true},
        {"uid > 20", false},
        {"uid >= 20", true},
        {"not uid:9", true},
        {"exit:-5", true},
        {"exit < -5", false},
        {"exit > 5", false},
        {"exit >= 0", true},
        {"uid:9 or uid:10", true},
        {"uid:9 and user:x", false},
        {"pid:1", true},
        {"user:x", true},
        {"uid:1*", true},
        {"time < 100", false},
        {"", true},
    };
    xt_zone zone = {
        .n_rows = 10, .min_ms = FIXTURE_START_MS, .max_ms = FIXTURE_START_MS + 100, .number_range = range_of};

    for (size_t c = 0; c < XT_COUNT_OF(cases); c++) {
        xt_filter *filter = filter_of(xt_slice_str(cases[c].query));
        if (xt_filter_may_match(filter, &zone) != cases[c].may)
            fail_msg("%s", cases[c].query);
        xt_filter_free(filter);
    }
}

/* An expression that would take for ever gives up, says so, and the rest of the answer stands. */
static void test_expression_gives_up(void **state)
{
    world *w = *state;
    xt_event event;
    xt_slice arg = XT_S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac");
    xt_buf list = XT_BUF_INIT;
    bool yes;

    xt_list_put(&list, &arg, 1);
    xt_event_reset(&event);
    xt_event_set_bytes(&event, XT_F_ARGS, xt_buf_slice(&list));
    xt_filter *filter = filter_of(XT_S("cmd:/^(a*)*(a*)*(a*)*b/ or cmd:c"));
    assert_int_equal(xt_filter_event(filter, &event, &w->arena, &yes), 0);
    assert_true(yes);
    xt_filter_free(filter);
    filter = filter_of(XT_S("cmd:/^(a*)*(a*)*(a*)*[bd]/"));
    assert_int_equal(xt_filter_event(filter, &event, &w->arena, &yes), 0);
    assert_false(yes);
    assert_true(xt_filter_gave_up(filter) > 0);
    xt_filter_free(filter);
    xt_buf_fini(&list);
}

static void test_refused(void **state)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_filter *filter = NULL;

    assert_int_equal(xt_filter_compile(XT_S("user:x and cmd:/a(b/"), 0, &filter, &problem), XT_KQL_E_SYNTAX);
    assert_int_equal(problem.column, 12);
    assert_null(filter);
    assert_null(xt_filter_free(NULL));
}

/* Bytes that are no UTF-8 do not end the match of a dot, and case is that of ASCII. */
static void test_bytes(void **state)
{
    world *w = *state;
    xt_event event;
    xt_slice arg = XT_S("nc \xff\xfe -e \xc3\x84");
    xt_buf list = XT_BUF_INIT;
    static const struct {
        const char *query;
        bool want;
    } cases[] = {{"cmd:/nc.*-E/", true},
                 {"cmd:/^NC ..\\s-e/", true},
                 {"cmd:\xc3\x84", true},
                 {"cmd:\xc3\xa4", false},
                 {"cmd:/\xc3\xa4/", false},
                 {"cmd:nc*\xc3\x84", true},
                 {"args:\"nc \xff\xfe -E \xc3\x84\"", true}};

    xt_list_put(&list, &arg, 1);
    xt_event_reset(&event);
    xt_event_set_bytes(&event, XT_F_ARGS, xt_buf_slice(&list));
    for (size_t c = 0; c < XT_COUNT_OF(cases); c++) {
        xt_filter *filter = filter_of(xt_slice_str(cases[c].query));
        bool yes;
        assert_int_equal(xt_filter_event(filter, &event, &w->arena, &yes), 0);
        if (yes != cases[c].want)
            fail_msg("%s", cases[c].query);
        xt_filter_free(filter);
    }
    xt_buf_fini(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),  cmocka_unit_test(test_ids),   cmocka_unit_test(test_edges_of_numbers),
        cmocka_unit_test(test_zones),   cmocka_unit_test(test_bytes), cmocka_unit_test(test_expression_gives_up),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, world_new, world_free);
}

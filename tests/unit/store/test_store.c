#include "store_fixture.h"

static xt_hash128 stream_hash(xt_store *store, xt_hash128 stream, uint64_t *ret_number)
{
    xt_hash128 hash;
    assert_int_equal(xt_store_stream_get(store, stream, ret_number, &hash), 0);
    return hash;
}

static void append_many(xt_store *store, sender *s, truth *t, unsigned n_batches, uint64_t max_events)
{
    for (unsigned i = 0; i < n_batches; i++) {
        xt_store_batch batch = sender_next(s, dice_below(&s->d, max_events + 1), t);
        assert_int_equal(append_one(store, &batch), 0);
    }
}

static void scan_gives_what_was_appended(void **state)
{
    char *dir = folder_new();
    xt_store *store = store_open(dir, NULL);
    sender s;
    truth t;

    truth_init(&t);
    sender_init(&s, 7);
    for (int i = 0; i < 300; i++)
        append_many(store, &s, &t, 1, 1);
    append_many(store, &s, &t, 20, 200);
    assert_int_equal(truth_compare(&t, store, NULL), t.n);
    store = xt_store_close(store);
    store = store_open(dir, NULL);
    assert_int_equal(truth_compare(&t, store, NULL), t.n);
    append_many(store, &s, &t, 20, 50);
    assert_int_equal(truth_compare(&t, store, NULL), t.n);
    xt_store_close(store);
    sender_fini(&s);
    truth_fini(&t);
    folder_drop(dir);
}

static void must_verify(xt_store *store)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_ledger_check check;

    must(xt_store_verify(store, NULL, NULL, &check, &problem), &problem);
    assert_true(check.chain_ok && check.counts_ok);
}

static void sealing_changes_no_answer(void **state)
{
    char *dir = folder_new();
    xt_store *store = store_open(dir, NULL);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_store_stats stats;
    xt_scan_info info;
    sender s;
    truth t;

    truth_init(&t);
    sender_init(&s, 21);
    for (unsigned round = 1; round <= 4; round++) {
        append_many(store, &s, &t, 30, 100);
        must(xt_store_seal(store, &problem), &problem);
        assert_int_equal(truth_compare(&t, store, &info), t.n);
        assert_int_equal(info.n_segments, round - (round > 2)); /* compacting after the second merged all to one */
        assert_int_equal(info.n_damaged, 0);
        append_many(store, &s, &t, 3, 10);
        assert_int_equal(truth_compare(&t, store, NULL), t.n);
        if (round == 2)
            must(xt_store_compact(store, &problem), &problem);
        must_verify(store);
        store = xt_store_close(store);
        store = store_open(dir, NULL);
        assert_int_equal(truth_compare(&t, store, NULL), t.n);
        must_verify(store);
    }
    must(xt_store_compact(store, &problem), &problem);
    must(xt_store_stats_get(store, &stats), &problem);
    assert_int_equal(stats.n_events, t.n);
    assert_int_equal(stats.n_open_events, 0);
    assert_int_equal(stats.n_pending_rows, 0);
    assert_int_equal(truth_compare(&t, store, NULL), t.n);
    xt_store_close(store);
    sender_fini(&s);
    truth_fini(&t);
    folder_drop(dir);
}

static void many_rows_fill_many_blocks(void **state)
{
    char *dir = folder_new();
    xt_store *store = store_open(dir, NULL);
    sender s;
    truth t;
    xt_scan_info info;

    truth_init(&t);
    sender_init(&s, 8);
    while (t.n < 3 * XT_STORE_GROUP_ROWS)
        append_many(store, &s, &t, 1, 4000);
    assert_int_equal(truth_compare(&t, store, &info), t.n);
    assert_int_equal(parts_check(store), (t.n + XT_STORE_GROUP_ROWS - 1) / XT_STORE_GROUP_ROWS);
    xt_problem problem = XT_PROBLEM_INIT;
    must(xt_store_seal(store, &problem), &problem);
    assert_int_equal(truth_compare(&t, store, NULL), t.n);
    xt_store_close(store);
    sender_fini(&s);
    truth_fini(&t);
    folder_drop(dir);
}

static void duplicates_gaps_and_chains(void **state)
{
    char *dir = folder_new();
    xt_store *store = store_open(dir, NULL);
    xt_problem problem = XT_PROBLEM_INIT;
    sender s;
    truth t;
    uint64_t number;

    truth_init(&t);
    sender_init(&s, 9);
    xt_store_batch batch = sender_next(&s, 5, &t);
    xt_store_batch gap = batch;
    gap.number = 2;
    assert_int_equal(append_one(store, &gap), XT_STORE_E_GAP);
    xt_store_batch unchained = batch;
    unchained.chain.b[3] = 1;
    assert_int_equal(append_one(store, &unchained), XT_STORE_E_CORRUPT);
    xt_store_batch uncounted = batch;
    uncounted.n_events = 6;
    assert_int_equal(append_one(store, &uncounted), XT_STORE_E_CORRUPT);
    uncounted.n_events = 4;
    assert_int_equal(append_one(store, &uncounted), XT_STORE_E_CORRUPT);
    stream_hash(store, s.stream, &number);
    assert_int_equal(number, 0);

    /* One call: the batch, itself again, a batch after it that is damaged, and one that follows the damaged one. */
    xt_store_batch batches[4] = {batch, batch, batch, batch};
    int outcomes[4];
    batches[2].number = 2;
    batches[2].chain = batch.hash;
    batches[2].events.n--;
    batches[3].number = 3;
    must(xt_store_append(store, batches, 4, outcomes, &problem), &problem);
    assert_int_equal(outcomes[0], 0);
    assert_int_equal(outcomes[1], XT_STORE_E_DUPLICATE);
    assert_int_equal(outcomes[2], XT_STORE_E_CORRUPT);
    assert_int_equal(outcomes[3], XT_STORE_E_GAP);
    assert_int_equal(truth_compare(&t, store, NULL), 5);

    xt_store_batch fork = batch;
    fork.hash.b[0] ^= 1;
    assert_int_equal(append_one(store, &fork), XT_STORE_E_CORRUPT);
    store = xt_store_close(store);
    store = store_open(dir, NULL);
    assert_int_equal(append_one(store, &batch), XT_STORE_E_DUPLICATE);
    assert_true(xt_hash128_eq(stream_hash(store, s.stream, &number), batch.hash));
    assert_int_equal(number, 1);
    assert_int_equal(truth_compare(&t, store, NULL), 5);
    xt_store_close(store);
    sender_fini(&s);
    truth_fini(&t);
    folder_drop(dir);
}

static void a_host_sets_no_server_field(void **state)
{
    char *dir = folder_new();
    xt_store *store = store_open(dir, NULL);
    sender s;
    truth t;
    xt_event event;

    truth_init(&t);
    sender_init(&s, 10);
    xt_event_reset(&event);
    xt_event_set_num(&event, XT_F_TIME, 5);
    truth_add(&t, &event);
    xt_event_set_bytes(&event, XT_F_NOISE, XT_S("quiet"));
    xt_event_batch_put(&s.events, &event);
    xt_store_batch batch = sender_batch(&s, 1, false);
    assert_int_equal(append_one(store, &batch), 0);
    assert_int_equal(truth_compare(&t, store, NULL), 1);
    xt_store_close(store);
    sender_fini(&s);
    truth_fini(&t);
    folder_drop(dir);
}

static void one_process_has_the_folder(void **state)
{
    char *dir = folder_new();
    xt_store *store = store_open(dir, NULL), *second = NULL;
    xt_problem problem = XT_PROBLEM_INIT;

    assert_int_equal(xt_store_open(dir, NULL, &second, &problem), XT_STORE_E_LOCKED);
    assert_null(second);
    assert_true(xt_problem_is_set(&problem));
    xt_store_close(store);
    xt_store_close(store_open(dir, NULL));
    folder_drop(dir);
}

static int scan_row(void *context, const xt_event *event, uint64_t arrival)
{
    (void)arrival;
    assert_false(xt_event_has(event, XT_F_CWD));
    ++*(size_t *)context;
    return 0;
}

static size_t scan_rows(xt_store *store, xt_scan_spec spec, xt_scan_info *ret_info)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_field_set fields = {{0, 0}};
    size_t n = 0;

    xt_field_set_add(&fields, XT_F_AUID);
    must(xt_scan_each(store, &spec, fields, scan_row, &n, ret_info, &problem), &problem);
    return n;
}

static void a_tail_goes_on_where_it_was(void **state)
{
    char *dir = folder_new();
    xt_store *store = store_open(dir, NULL);
    xt_scan_spec spec = {.to_ms = XT_TIMESTAMP_MAX_MS};
    xt_scan_info info;
    sender s;
    truth t;

    truth_init(&t);
    sender_init(&s, 11);
    size_t seen = 0;
    for (int i = 0; i < 40; i++) {
        append_many(store, &s, &t, 1, 30);
        spec.after_arrival = seen;
        size_t n = scan_rows(store, spec, &info);
        assert_int_equal(n, t.n - seen);
        assert_int_equal(info.last_arrival, t.n);
        assert_int_equal(xt_store_wait(store, seen, 0), t.n);
        seen = info.last_arrival;
    }
    assert_int_equal(xt_store_wait(store, t.n, 5), t.n);
    spec = (xt_scan_spec){.from_ms = s.time_ms + 1000000, .to_ms = XT_TIMESTAMP_MAX_MS};
    assert_int_equal(scan_rows(store, spec, &info), 0);
    assert_int_equal(info.n_parts_skipped, 1);
    xt_store_close(store);
    sender_fini(&s);
    truth_fini(&t);
    folder_drop(dir);
}

static void an_event_is_found_by_its_id(void **state)
{
    char *dir = folder_new();
    xt_store *store = store_open(dir, NULL);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_arena arena;
    sender s;
    truth t;
    xt_event event;
    bool found;

    truth_init(&t);
    xt_arena_init(&arena, SIZE_MAX);
    sender_init(&s, 12);
    for (unsigned i = 0; i < 50; i++) {
        xt_event_reset(&event);
        xt_event_set_num(&event, XT_F_TIME, 1000 + i / 3);
        xt_event_set_num(&event, XT_F_SERIAL, i);
        xt_event_set_bytes(&event, XT_F_HOST_ID, XT_S("00ff00ff00ff00ff00ff00ff00ff00ff"));
        xt_event_set_bytes(&event, XT_F_EXE, XT_S("/bin/true"));
        xt_event_batch_put(&s.events, &event);
    }
    xt_store_batch batch = sender_batch(&s, 50, true);
    assert_int_equal(append_one(store, &batch), 0);
    for (unsigned i = 0; i < 50; i += 7) {
        xt_hash128 id = xt_event_id_of(XT_S("00ff00ff00ff00ff00ff00ff00ff00ff"), 1000 + i / 3, i);
        for (int hint = 0; hint < 3; hint++) {
            int64_t hints[] = {0, 1000 + i / 3, 999};
            must(xt_store_event_find(store, id, hints[hint], &arena, &event, &found, &problem), &problem);
            assert_true(found);
            assert_int_equal(xt_event_num(&event, XT_F_SERIAL, 999), i);
            assert_true(xt_slice_eq(xt_event_bytes(&event, XT_F_EXE), XT_S("/bin/true")));
        }
    }
    must(xt_store_event_find(store, (xt_hash128){{1}}, 0, &arena, &event, &found, &problem), &problem);
    assert_false(found);
    xt_store_close(store);
    sender_fini(&s);
    truth_fini(&t);
    xt_arena_fini(&arena);
    folder_drop(dir);
}

static off_t pending_bytes(const char *dir)
{
    char path[200];
    struct stat st;
    snprintf(path, sizeof path, "%s/pending.db", dir);
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

/* What a burst made of pending.db shrinks again when its rows are sealed, a little each time, and no answer changes. */
static void pending_shrinks_after_a_burst(void **state)
{
    char *dir = folder_new();
    xt_store *store = store_open(dir, NULL);
    sender s;
    truth t;

    truth_init(&t);
    sender_init(&s, 11);
    while (pending_bytes(dir) < 16 << 20)
        append_many(store, &s, &t, 20, 60);
    must(xt_store_seal(store, NULL), NULL);
    must(xt_store_maintain(store, NULL), NULL);
    must(xt_store_maintain(store, NULL), NULL);
    assert_in_range(pending_bytes(dir), 10 << 20, 64 << 20); /* not all at once */
    for (int i = 0; i < 40; i++)
        must(xt_store_maintain(store, NULL), NULL);
    assert_in_range(pending_bytes(dir), 0, 6 << 20);
    append_many(store, &s, &t, 20, 60);
    assert_int_equal(truth_compare(&t, store, NULL), t.n);
    must_verify(store);
    xt_store_close(store);
    store = store_open(dir, NULL);
    assert_int_equal(truth_compare(&t, store, NULL), t.n);
    xt_store_close(store);
    sender_fini(&s);
    truth_fini(&t);
    folder_drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan_gives_what_was_appended),  cmocka_unit_test(sealing_changes_no_answer),
        cmocka_unit_test(many_rows_fill_many_blocks),    cmocka_unit_test(duplicates_gaps_and_chains),
        cmocka_unit_test(a_host_sets_no_server_field),   cmocka_unit_test(one_process_has_the_folder),
        cmocka_unit_test(a_tail_goes_on_where_it_was),   cmocka_unit_test(an_event_is_found_by_its_id),
        cmocka_unit_test(pending_shrinks_after_a_burst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Events of real captures through the store: what the decoder gave is what every kind of scan gives back. */
#include "event/decoder.h"
#include "store_fixture.h"

typedef struct capture {
    sender s;
    truth truth;
    uint64_t n;
} capture;

static int on_event(void *context, xt_event *event, xt_arena *arena)
{
    capture *c = context;

    xt_event_batch_put(&c->s.events, event);
    xt_slice rest = xt_buf_slice(&c->s.events), bytes = XT_S_NULL;
    /* What went into the batch, not the event that it was made of: virtual fields are not stored. */
    xt_event stored = *event;
    xt_buf one = XT_BUF_INIT;
    xt_event_encode(&stored, &one);
    bytes = xt_buf_slice(&one);
    assert_true(xt_slice_ends(rest, bytes));
    if (xt_event_decode(bytes, &stored, NULL) != 0)
        fail_msg("event %zu cannot be decoded", (size_t)c->n);
    truth_add(&c->truth, &stored);
    xt_buf_fini(&one);
    c->n++;
    return 0;
}

static void feed_file(capture *c, const char *path)
{
    xt_decoder_settings settings = {
        .origin = {.host_name = XT_S("web-1")}, .source = path, .on_event = on_event, .context = c};
    xt_buf text = XT_BUF_INIT;
    xt_decoder *decoder = NULL;

    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, 1 << 30, &text), 0);
    assert_int_equal(xt_decoder_new(&settings, &decoder), 0);
    assert_int_equal(xt_decoder_feed(decoder, xt_buf_slice(&text)), 0);
    assert_int_equal(xt_decoder_finish(decoder), 0);
    xt_decoder_free(decoder);
    xt_buf_fini(&text);
}

static void captures_come_back(void **state)
{
    static const char *const names[] = {"args.log",     "session.log",   "tamper.log",       "tty.log",
                                        "webshell.log", "argv-head.log", "compat32-head.log"};
    const char *data = getenv("XT_TEST_DATA");
    xt_problem problem = XT_PROBLEM_INIT;
    char *dir = folder_new(), path[600];
    xt_store *store = store_open(dir, NULL);
    unsigned n_files = 0;
    capture c = {0};

    truth_init(&c.truth);
    sender_init(&c.s, 81);
    for (size_t i = 0; i < XT_COUNT_OF(names); i++) {
        snprintf(path, sizeof path, "%s/capture/%s", data ? data : "tests/data", names[i]);
        if (access(path, R_OK) < 0)
            continue;
        n_files++;
        xt_buf_reset(&c.s.events);
        c.n = 0;
        feed_file(&c, path);
        xt_store_batch batch = sender_batch(&c.s, c.n, true);
        assert_int_equal(append_one(store, &batch), 0);
        assert_int_equal(truth_compare(&c.truth, store, NULL), c.truth.n);
    }
    assert_true(n_files > 0);
    xt_store_close(store);
    store = store_open(dir, NULL);
    assert_int_equal(truth_compare(&c.truth, store, NULL), c.truth.n);
    must(xt_store_compact(store, &problem), &problem);
    assert_int_equal(truth_compare(&c.truth, store, NULL), c.truth.n);
    xt_store_close(store);
    store = store_open(dir, NULL);
    assert_int_equal(truth_compare(&c.truth, store, NULL), c.truth.n);
    xt_store_close(store);
    sender_fini(&c.s);
    truth_fini(&c.truth);
    folder_drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(captures_come_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

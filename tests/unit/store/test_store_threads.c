/* Readers beside a writer and a sealer: meant for ThreadSanitizer, and true without it. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "store_fixture.h"

#define RUN_MS     2000
#define MAX_EVENTS 400000

static atomic_bool ended;
static _Atomic(uint64_t) n_appended; /* arrivals that the writer has been told of */

static int64_t now_ms(void)
{
    return xt_clock_mono_ms(&xt_clock_system);
}

/* Each event carries its own arrival number, as number and as text, so that a reader can tell a wrong row. */
static void event_numbered(xt_event *event, uint64_t arrival, char text[static 24])
{
    xt_event_reset(event);
    snprintf(text, 24, "%llu", (unsigned long long)arrival);
    xt_event_set_num(event, XT_F_TIME, 1000000 + arrival / 10);
    xt_event_set_num(event, XT_F_SERIAL, arrival);
    xt_event_set_bytes(event, XT_F_EXE, xt_slice_str(arrival % 3 ? "/bin/sh" : "/bin/true"));
    xt_event_set_bytes(event, XT_F_CWD, xt_slice_str(text));
    if (arrival % 2)
        xt_event_set_num(event, XT_F_AUID, arrival);
}

static void *writer(void *context)
{
    xt_store *store = context;
    sender s;
    uint64_t arrival = 0;
    char text[24];

    sender_init(&s, 51);
    for (int64_t until = now_ms() + RUN_MS; now_ms() < until && arrival < MAX_EVENTS;) {
        uint64_t n = 1 + dice_below(&s.d, dice_below(&s.d, 10) ? 20 : 5000);
        xt_event event;
        xt_buf_reset(&s.events);
        for (uint64_t i = 0; i < n; i++) {
            event_numbered(&event, ++arrival, text);
            xt_event_batch_put(&s.events, &event);
        }
        xt_store_batch batch = sender_batch(&s, n, true);
        assert_int_equal(append_one(store, &batch), 0);
        atomic_store(&n_appended, arrival);
    }
    atomic_store(&ended, true);
    sender_fini(&s);
    return NULL;
}

static void *sealer(void *context)
{
    xt_store *store = context;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_store_stats stats;

    for (int turn = 1; !atomic_load(&ended); turn++) {
        struct timespec pause = {0, 30000000};
        must((turn % 5 ? xt_store_maintain : xt_store_compact)(store, &problem), &problem); /* which merges */
        must(xt_store_seal(store, &problem), &problem);
        must(xt_store_stats_get(store, &stats), &problem);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

typedef struct one_scan {
    char *seen;
    uint64_t n;
} one_scan;

static int scan_row(void *context, const xt_event *event, uint64_t arrival)
{
    one_scan *one = context;
    char text[24];

    assert_true(xt_event_num(event, XT_F_SERIAL, 0) >= arrival);
    arrival = xt_event_num(event, XT_F_SERIAL, 0); /* merging forgets it */
    snprintf(text, sizeof text, "%llu", (unsigned long long)arrival);
    assert_true(xt_slice_eq(xt_event_bytes(event, XT_F_CWD), xt_slice_str(text)));
    assert_int_equal(xt_event_has(event, XT_F_AUID), arrival % 2);
    assert_int_equal(one->seen[arrival]++, 0);
    one->n++;
    return 0;
}

/* One scan sees each arrival once, all that were acknowledged before it began, each row whole. */
static void scan_once(xt_store *store, char *seen)
{
    xt_scan_spec spec = {.to_ms = XT_TIMESTAMP_MAX_MS};
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t acknowledged = atomic_load(&n_appended);
    one_scan one = {.seen = seen};
    xt_scan_info info;

    memset(seen, 0, MAX_EVENTS + 6000);
    must(xt_scan_each(store, &spec, ALL_FIELDS, scan_row, &one, &info, &problem), &problem);
    assert_true(one.n >= acknowledged);
    assert_int_equal(one.n, info.last_arrival);
}

static void *reader(void *context)
{
    char *seen = malloc(MAX_EVENTS + 6000);

    while (!atomic_load(&ended)) {
        scan_once(context, seen);
        xt_store_wait(context, atomic_load(&n_appended), 1);
    }
    free(seen);
    return NULL;
}

static void readers_beside_a_writer(void **state)
{
    char *dir = folder_new();
    xt_store_settings settings = {.seal_rows = 20000};
    xt_store *store = store_open(dir, &settings);
    void *(*const work[])(void *) = {writer, sealer, reader, reader};
    pthread_t threads[XT_COUNT_OF(work)];

    for (size_t i = 0; i < XT_COUNT_OF(work); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work[i], store), 0);
    for (size_t i = 0; i < XT_COUNT_OF(work); i++)
        pthread_join(threads[i], NULL);
    char *seen = malloc(MAX_EVENTS + 6000);
    scan_once(store, seen);
    free(seen);
    xt_store_close(store);
    folder_drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(readers_beside_a_writer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

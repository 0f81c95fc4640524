/*
 * A process that appends, seals and deletes is killed at any moment. Outside of the store it keeps a ledger of what was
 * acknowledged to it; who opens the folder afterwards must find each of these events exactly once.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "store_fixture.h"

#define N_KILLS   10
#define PER_BATCH 40

/* What parent and child share: written by the child after each acknowledgement, read by the parent after its death. */
typedef struct kill_ledger {
    volatile uint64_t n_acknowledged; /* batches */
} kill_ledger;

/* Batch i of the only stream, made of its number alone, so that parent and child agree on it. */
static xt_store_batch batch_make(sender *s, uint64_t number)
{
    xt_event event;
    char text[32];

    xt_buf_reset(&s->events);
    for (uint64_t i = 0; i < PER_BATCH; i++) {
        xt_event_reset(&event);
        xt_event_set_num(&event, XT_F_TIME, number * 1000 + i);
        xt_event_set_num(&event, XT_F_SERIAL, (number - 1) * PER_BATCH + i + 1);
        snprintf(text, sizeof text, "arg %llu", (unsigned long long)number);
        xt_event_set_bytes(&event, XT_F_CWD, xt_slice_str(text));
        xt_event_batch_put(&s->events, &event);
    }
    s->number = number - 1;
    return sender_batch(s, PER_BATCH, number % 2);
}

static void child_run(const char *dir, kill_ledger *shared)
{
    xt_store_settings settings = {.seal_rows = 2000};
    xt_store *store = NULL;
    sender s;
    uint64_t number;

    sender_init(&s, 61);
    if (xt_store_open(dir, &settings, &store, NULL) != 0 || xt_store_stream_get(store, s.stream, &number, &s.last) != 0)
        _exit(1);
    for (;;) {
        xt_store_batch batch = batch_make(&s, ++number);
        int outcome = -1;
        if (xt_store_append(store, &batch, 1, &outcome, NULL) != 0 || outcome != 0)
            _exit(1);
        shared->n_acknowledged = number;
        if ((number % 50 ? xt_store_maintain : xt_store_compact)(store, NULL) != 0) /* which merges */
            _exit(1);
    }
}

typedef struct tally {
    uint64_t n, sum;
} tally;

static int tally_row(void *context, const xt_event *event, uint64_t arrival)
{
    tally *t = context;

    uint64_t serial = xt_event_num(event, XT_F_SERIAL, 0);
    assert_true(serial >= arrival); /* merging forgets it */
    t->n++;
    t->sum += serial;
    return 0;
}

/* Every serial from 1 to the last is there once, and the last is not before what was acknowledged. */
static void must_be_exactly_once(const char *dir, uint64_t n_acknowledged)
{
    xt_store *store = store_open(dir, NULL);
    xt_scan_spec spec = {.to_ms = XT_TIMESTAMP_MAX_MS};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_ledger_check check;
    xt_scan_info info;
    tally t = {0};

    must(xt_scan_each(store, &spec, ALL_FIELDS, tally_row, &t, &info, &problem), &problem);
    assert_int_equal(info.n_damaged, 0);
    uint64_t n = t.n, sum = t.sum;
    assert_true(n >= n_acknowledged * PER_BATCH);
    assert_true(n <= (n_acknowledged + 1) * PER_BATCH);
    assert_int_equal(n % PER_BATCH, 0);
    assert_true(sum == n * (n + 1) / 2);
    must(xt_store_verify(store, NULL, NULL, &check, &problem), &problem);
    assert_true(check.chain_ok && check.counts_ok);
    xt_store_close(store);
}

static void killed_at_any_moment(void **state)
{
    char *dir = folder_new();
    kill_ledger *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    dice d = {(uint64_t)getpid()};
    uint64_t before = 0;

    assert_true(shared != MAP_FAILED);
    for (int i = 0; i < N_KILLS; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            child_run(dir, shared);
        struct timespec pause = {0, 20000000 + (long)dice_below(&d, 300000000)};
        nanosleep(&pause, NULL);
        kill(pid, SIGKILL);
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status)); /* it had not given up by itself */
        assert_true(shared->n_acknowledged >= before);
        before = shared->n_acknowledged;
        must_be_exactly_once(dir, before);
    }
    assert_true(before > 10);
    munmap(shared, sizeof *shared);
    folder_drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_at_any_moment)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A process that appends, seals, merges and takes backups is killed at any moment. Every generation that is there is whole;
 * the newest has what was acknowledged before the last backup that ended was begun; the next process goes on.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "backup_fixture.h"

#define N_KILLS   6
#define PER_BATCH 30

typedef struct shared_page {
    volatile uint64_t n_kept; /* events that the last backup that ended must have */
    volatile uint64_t n_backups;
} shared_page;

/* Batch i of the only stream, made of its number alone. */
static xt_store_batch batch_make(sender *s, uint64_t number)
{
    xt_event event;

    xt_buf_reset(&s->events);
    for (uint64_t i = 0; i < PER_BATCH; i++) {
        xt_event_reset(&event);
        xt_event_set_num(&event, XT_F_TIME, number * 1000 + i);
        xt_event_set_num(&event, XT_F_SERIAL, (number - 1) * PER_BATCH + i + 1);
        xt_event_batch_put(&s->events, &event);
    }
    s->number = number - 1;
    return sender_batch(s, PER_BATCH, false);
}

static void child_run(box *b, shared_page *shared)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_backup_result result;
    uint64_t number;

    box_open(b);
    if (xt_store_stream_get(b->store, b->s.stream, &number, &b->s.last) != 0)
        _exit(1);
    for (unsigned turn = 1;; turn++) {
        for (unsigned i = 0; i < 1 + turn % 7; i++) {
            xt_store_batch batch = batch_make(&b->s, ++number);
            int outcome = -1;
            if (xt_store_append(b->store, &batch, 1, &outcome, NULL) != 0 || outcome != 0)
                _exit(2);
        }
        if ((turn % 5 ? xt_store_seal : xt_store_compact)(b->store, &problem) != 0)
            _exit(3);
        if (take_with(b, b->to, 3, &result, &problem) != 0 || result.n_problems) {
            fprintf(stderr, "%s %.*s\n", problem.sentence, XT_S_ARGS(xt_buf_slice(&b->told)));
            _exit(4);
        }
        shared->n_kept = number * PER_BATCH;
        shared->n_backups++;
    }
}

static int add_serial(void *context, const xt_event *event, uint64_t arrival)
{
    *(uint64_t *)context += xt_event_num(event, XT_F_SERIAL, 0);
    return 0;
}

/* The newest generation has the serials from 1 on, each once. */
static void newest_check(box *b, uint64_t n_kept)
{
    xt_scan_spec spec = {.to_ms = XT_TIMESTAMP_MAX_MS};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_restored restored;
    xt_ledger_check ledger;
    uint64_t sum = 0;

    must(restore_with(b, NULL, &restored, &problem), &problem);
    assert_true(restored.n_events >= n_kept);
    xt_store *store = store_open(b->back, NULL);
    must(xt_scan_each(store, &spec, ALL_FIELDS, add_serial, &sum, NULL, &problem), &problem);
    assert_int_equal(sum, restored.n_events * (restored.n_events + 1) / 2);
    must(xt_store_verify(store, NULL, NULL, &ledger, &problem), &problem);
    assert_true(ledger.chain_ok && ledger.counts_ok);
    xt_store_close(store);
    folder_remove(b->back);
}

static void killed_at_any_moment(void **state)
{
    shared_page *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    dice d = {3};
    box b;

    assert_ptr_not_equal(shared, MAP_FAILED);
    box_init(&b, 71);
    box_close(&b);
    for (unsigned round = 0; round < N_KILLS; round++) {
        uint64_t before = shared->n_backups;
        int status;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            child_run(&b, shared);
        for (unsigned i = 0; i < 6000 && shared->n_backups < before + 1 + round % 3; i++)
            nanosleep(&(struct timespec){0, 10000000}, NULL);
        nanosleep(&(struct timespec){0, (long)dice_below(&d, 40000000)}, NULL);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status))
            fail_msg("the child gave up: %d", WEXITSTATUS(status));
        if (check(&b, NULL).n_problems)
            fail_msg("%.*s", XT_S_ARGS(xt_buf_slice(&b.told)));
        newest_check(&b, shared->n_kept);
    }
    assert_true(shared->n_backups >= N_KILLS);
    munmap(shared, sizeof *shared);
    box_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_at_any_moment)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Backups beside a writer (of batches, and of bulks as an import's), a thread that seals and merges and one that retires: meant for ThreadSanitizer, and true without
 * it. Each generation, restored, is whole and has all that was acknowledged before it was begun, but for what was retired.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "backup_fixture.h"

#include "store/bulk.h"

#define N_BACKUPS 5

static atomic_bool ended;
static _Atomic(uint64_t) n_appended;

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
}

static void event_make(uint64_t serial, xt_event *event)
{
    xt_event_reset(event);
    xt_event_set_num(event, XT_F_TIME, (int64_t)(1000000 + serial));
    xt_event_set_num(event, XT_F_SERIAL, serial);
    xt_event_set_bytes(event, XT_F_EXE, xt_slice_str(serial % 3 ? "/bin/sh" : "/bin/true"));
}

static void batch_store(box *b, uint64_t first, uint64_t n)
{
    xt_event event;

    xt_buf_reset(&b->s.events);
    for (uint64_t i = 0; i < n; i++) {
        event_make(first + i, &event);
        xt_event_batch_put(&b->s.events, &event);
    }
    xt_store_batch batch = sender_batch(&b->s, n, true);
    assert_int_equal(append_one(b->store, &batch), 0);
}

/* As an import does. */
static void bulk_store(box *b, uint64_t number, uint64_t first, uint64_t n)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_event event;
    uint64_t last;
    xt_bulk *bulk;

    must(xt_bulk_new(b->store, &bulk), &problem);
    for (uint64_t i = 0; i < n; i++) {
        event_make(first + i, &event);
        must(xt_bulk_add(bulk, &event), &problem);
    }
    must(xt_bulk_write(bulk, 2, &problem), &problem);
    must(xt_bulk_commit(bulk, (xt_hash128){{7}}, number, XT_S("import"), &last, &problem), &problem);
    xt_bulk_free(bulk);
}

static void *writer(void *context)
{
    box *b = context;
    uint64_t serial = 0, n_bulks = 0;

    for (int turn = 1; !atomic_load(&ended); turn++) {
        uint64_t n = 1 + dice_below(&b->s.d, 300);
        if (turn % 8 == 0)
            bulk_store(b, ++n_bulks, serial + 1, n);
        else
            batch_store(b, serial + 1, n);
        serial += n;
        atomic_store(&n_appended, serial);
        pause_ms(1);
    }
    return NULL;
}

static void *sealer(void *context)
{
    box *b = context;
    xt_problem problem = XT_PROBLEM_INIT;

    for (int turn = 1; !atomic_load(&ended); turn++) {
        must((turn % 6 ? xt_store_maintain : xt_store_compact)(b->store, &problem), &problem); /* which merges */
        must(xt_store_seal(b->store, &problem), &problem);
        pause_ms(15);
    }
    return NULL;
}

static void *retirer(void *context)
{
    box *b = context;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_store_limits limits = {.max_bytes = 60000};
    xt_retire_why why;

    while (!atomic_load(&ended)) {
        must(xt_store_retain(b->store, &limits, NULL, &why, &problem), &problem);
        pause_ms(10);
    }
    return NULL;
}

static int count_row(void *context, const xt_event *event, uint64_t arrival)
{
    ++*(uint64_t *)context;
    return 0;
}

static void restored_check(box *b, const char *generation, uint64_t n_acknowledged)
{
    xt_scan_spec spec = {.to_ms = XT_TIMESTAMP_MAX_MS};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_ledger_check ledger;
    xt_restored restored;
    uint64_t n = 0;

    must(restore_with(b, generation, &restored, &problem), &problem);
    xt_store *store = store_open(b->back, NULL);
    must(xt_store_verify(store, box_tell, b, &ledger, &problem), &problem);
    if (!ledger.chain_ok || !ledger.counts_ok || b->told.n)
        fail_msg("%.*s", XT_S_ARGS(xt_buf_slice(&b->told)));
    must(xt_scan_each(store, &spec, ALL_FIELDS, count_row, &n, NULL, &problem), &problem);
    assert_int_equal(n, ledger.n_received - ledger.n_retired);
    assert_int_equal(n, restored.n_events);
    assert_true(ledger.n_received >= n_acknowledged);
    xt_store_close(store);
    folder_remove(b->back);
}

static void backups_beside_a_writer(void **state)
{
    pthread_t threads[3];
    void *(*const runs[])(void *) = {writer, sealer, retirer};
    char names[N_BACKUPS][XT_BACKUP_NAME_BYTES + 1];
    uint64_t acknowledged[N_BACKUPS];
    xt_problem problem = XT_PROBLEM_INIT;
    xt_ledger_check ledger;
    box b;

    box_init(&b, 81);
    for (size_t i = 0; i < XT_COUNT_OF(runs); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, runs[i], &b), 0);
    for (size_t i = 0; i < N_BACKUPS; i++) {
        pause_ms(200);
        acknowledged[i] = atomic_load(&n_appended);
        xt_backup_result result = take(&b);
        if (result.n_problems)
            fail_msg("%.*s", XT_S_ARGS(xt_buf_slice(&b.told)));
        memcpy(names[i], result.generation, sizeof names[i]);
    }
    atomic_store(&ended, true);
    for (size_t i = 0; i < XT_COUNT_OF(runs); i++)
        pthread_join(threads[i], NULL);
    if (check(&b, NULL).n_problems)
        fail_msg("%.*s", XT_S_ARGS(xt_buf_slice(&b.told)));
    for (size_t i = 0; i < N_BACKUPS; i++)
        restored_check(&b, names[i], acknowledged[i]);
    must(xt_store_verify(b.store, box_tell, &b, &ledger, &problem), &problem);
    if (!ledger.chain_ok || !ledger.counts_ok || b.told.n)
        fail_msg("%.*s", XT_S_ARGS(xt_buf_slice(&b.told)));
    assert_true(ledger.n_retired > 0);
    box_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(backups_beside_a_writer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Queries beside a writer, while segments are sealed, merged and retired: meant for ThreadSanitizer, and true without it.
 *
 * Of the events some are kept (pid 7): a hold has them, and they are numbered from 1 in the order of their times. So what
 * any query has to say of them is known from one number, how many there are, and that number is never less than what was
 * acknowledged before the query began, never less than what this reader was told before, and always the end of a batch.
 * The others are retired as fast as it goes.
 *
 * XT_SOAK_SECONDS: how long; ./dev torture readers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../dice.h"
#include "../folder.h"
#include "query/query.h"

#define SHORT_SECONDS 3
#define KEPT_PID      7
#define OTHER_PID     8
#define N_EXES        3
#define PAGE_ROWS     150
#define MAX_BATCHES   4000000
#define START_MS      INT64_C(1700000000000)

static struct {
    xt_store *store;
    atomic_bool ends;
    _Atomic(uint64_t) n_acked; /* kept events */
    _Atomic(uint64_t) n_queries, n_retired, n_sealed, n_merged;
    uint64_t *boundaries; /* kept events at the end of batch i, ascending; written before the batch is appended */
    _Atomic(uint64_t) n_batches;
} soak;

static void must(int r, const xt_problem *problem)
{
    if (r != 0) {
        fprintf(stderr, "%d: %s\n", r, problem->sentence);
        abort(); /* on a thread cmocka cannot fail */
    }
}

#define MUST_BE(condition)                                                  \
    do                                                                      \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    while (0)

static void rest_ms(long ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static const char *exe_of(uint64_t number)
{
    static const char *const exes[N_EXES] = {"/bin/a", "/bin/b", "/bin/c"};
    return exes[number % N_EXES];
}

/* ------------------------------------------------------------------------------------------------ who changes it */

static void event_make(xt_event *event, bool kept, uint64_t number, char text[static 24])
{
    xt_event_reset(event);
    snprintf(text, 24, "%llu", (unsigned long long)number);
    xt_event_set_num(event, XT_F_TIME, (uint64_t)START_MS + number / 4);
    xt_event_set_num(event, XT_F_SERIAL, number);
    xt_event_set_num(event, XT_F_PID, kept ? KEPT_PID : OTHER_PID);
    xt_event_set_bytes(event, XT_F_EXE, xt_slice_str(exe_of(number)));
    xt_event_set_bytes(event, XT_F_CWD, xt_slice_str(text));
    if (number % 2)
        xt_event_set_num(event, XT_F_PPID, number);
}

static uint64_t batch_make(xt_buf *out, dice *d, uint64_t *n_kept, uint64_t *n_others)
{
    uint64_t n = 1 + dice_next(d) % (dice_next(d) % 20 ? 60 : 3000);
    xt_event event;
    char text[24];

    xt_buf_reset(out);
    for (uint64_t i = 0; i < n; i++) {
        bool kept = dice_next(d) % 6 == 0;
        event_make(&event, kept, kept ? ++*n_kept : ++*n_others, text);
        xt_event_batch_put(out, &event);
    }
    return n;
}

static void *writer(void *context)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf events = XT_BUF_INIT;
    xt_hash128 stream = {{9}}, last = {{0}};
    uint64_t n_kept = 0, n_others = 0;
    dice d = {17};

    for (uint64_t number = 1; !atomic_load(&soak.ends) && number < MAX_BATCHES; number++) {
        uint64_t n = batch_make(&events, &d, &n_kept, &n_others);
        int outcome = -1;
        xt_store_batch batch = {.stream = stream,
                                .number = number,
                                .n_events = n,
                                .chain = last,
                                .hash = xt_slice_hash128(xt_buf_slice(&events)),
                                .host_id = XT_S("0123456789abcdef0123456789abcdef"),
                                .frame = xt_buf_slice(&events),
                                .events = xt_buf_slice(&events)};
        last = batch.hash;
        soak.boundaries[number] = n_kept;
        atomic_store(&soak.n_batches, number);
        must(xt_store_append(soak.store, &batch, 1, &outcome, &problem), &problem);
        MUST_BE(outcome == 0);
        atomic_store(&soak.n_acked, n_kept);
        rest_ms(dice_next(&d) % 8);
    }
    return NULL;
}

static void *sealer(void *context)
{
    xt_problem problem = XT_PROBLEM_INIT;

    while (!atomic_load(&soak.ends)) {
        must(xt_store_seal(soak.store, &problem), &problem);
        must(xt_store_maintain(soak.store, &problem), &problem);
        atomic_fetch_add(&soak.n_sealed, 1);
        rest_ms(60);
    }
    return NULL;
}

static void *merger(void *context)
{
    xt_problem problem = XT_PROBLEM_INIT;

    for (unsigned turn = 1; !atomic_load(&soak.ends); turn++) {
        bool done = turn == 40 || turn % 1500 == 0;
        if (done) /* which merges all that it can, and shrinks pending.db */
            must(xt_store_compact(soak.store, &problem), &problem);
        else
            must(xt_store_merge_due(soak.store, &done, &problem), &problem);
        atomic_fetch_add(&soak.n_merged, done);
        rest_ms(20);
    }
    return NULL;
}

static int choose_kept(void *context, xt_scan *scan, uint64_t *const *masks, xt_problem *reterr_problem)
{
    xt_scan_reader *reader = xt_scan_reader_new(scan);
    int r = reader ? 0 : -ENOMEM;

    for (size_t i = 0; i < xt_scan_parts(scan) && r == 0; i++) {
        const xt_column *pid;
        xt_scan_reader_begin(reader, i);
        r = xt_scan_column(reader, XT_F_PID, &pid, reterr_problem);
        for (uint32_t row = 0; r == 0 && row < xt_scan_zone(scan, i)->n_rows; row++)
            masks[i][row / 64] |= (uint64_t)(pid->numbers[row] == KEPT_PID) << row % 64;
    }
    xt_scan_reader_free(reader);
    return r;
}

static void *retirer(void *context)
{
    const xt_store_choice kept = {choose_kept, NULL};
    const xt_store_limits limits = {.max_bytes = 1};
    xt_problem problem = XT_PROBLEM_INIT;

    while (!atomic_load(&soak.ends)) {
        xt_retire_why why;
        must(xt_store_retain(soak.store, &limits, &kept, &why, &problem), &problem);
        atomic_fetch_add(&soak.n_retired, why != XT_RETIRE_NOT);
        rest_ms(110);
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ who asks */

typedef struct asker {
    dice d;
    uint64_t n_before; /* kept events that an answer showed */
    xt_filter *kept;
    xt_arena arena;
} asker;

static xt_query query_of(const xt_filter *filter)
{
    return (xt_query){.filter = filter, .to_ms = XT_TIMESTAMP_MAX_MS, .n_threads = 2};
}

static void answer_check(const xt_answer *answer)
{
    MUST_BE(!answer->partial && answer->scan.n_damaged == 0);
    atomic_fetch_add(&soak.n_queries, 1);
}

/* An answer showed the first n kept events; n_acked were acknowledged before it was asked for. */
static void shown_check(asker *a, uint64_t n, uint64_t n_acked)
{
    uint64_t low = 0, high = atomic_load(&soak.n_batches);

    MUST_BE(n >= n_acked);
    MUST_BE(n >= a->n_before);
    a->n_before = n;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (soak.boundaries[middle] < n)
            low = middle + 1;
        else
            high = middle;
    }
    MUST_BE(soak.boundaries[low] == n); /* a batch is there whole or not at all */
}

static void ask_count(asker *a)
{
    uint64_t n_acked = atomic_load(&soak.n_acked);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_query query = query_of(a->kept);
    xt_answer answer;

    must(xt_query_count(soak.store, &query, &answer, &problem), &problem);
    answer_check(&answer);
    shown_check(a, answer.n_matched, n_acked);
}

static void ask_groups(asker *a)
{
    uint64_t n_acked = atomic_load(&soak.n_acked), n = 0, counts[N_EXES] = {0};
    const xt_query_key by = {.field = XT_F_EXE};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_query query = query_of(a->kept);
    xt_query_group *groups;
    xt_answer answer;
    size_t n_groups;

    xt_arena_reset(&a->arena);
    must(xt_query_by(soak.store, &query, &by, 1, 0, &a->arena, &groups, &n_groups, &answer, &problem), &problem);
    answer_check(&answer);
    for (size_t i = 0; i < n_groups; i++) {
        n += groups[i].count;
        for (uint64_t exe = 0; exe < N_EXES; exe++)
            if (xt_slice_eq(groups[i].values[0], xt_slice_str(exe_of(exe))))
                counts[exe] = groups[i].count;
    }
    for (uint64_t exe = 0; exe < N_EXES; exe++)
        MUST_BE(counts[exe] == (n + N_EXES - exe) / N_EXES - (exe == 0)); /* of 1 .. n */
    shown_check(a, n, n_acked);
}

/* One event that was acknowledged is there, once. */
static void ask_one(asker *a)
{
    uint64_t n_acked = atomic_load(&soak.n_acked);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_filter *filter = NULL;
    xt_answer answer;
    char text[80];

    if (n_acked == 0)
        return;
    uint64_t number = dice_next(&a->d) % 2 ? n_acked : 1 + dice_next(&a->d) % n_acked;
    snprintf(text, sizeof text, "pid:%d and cwd:%llu", KEPT_PID, (unsigned long long)number);
    must(xt_filter_compile(xt_slice_str(text), 0, &filter, &problem), &problem);
    xt_query query = query_of(filter);
    must(xt_query_count(soak.store, &query, &answer, &problem), &problem);
    answer_check(&answer);
    MUST_BE(answer.n_matched == 1);
    xt_filter_free(filter);
}

typedef struct page {
    uint64_t n, newest, oldest;
    char cursor[400];
    size_t n_cursor;
} page;

static int on_row(void *context, xt_event *event, xt_slice cursor)
{
    uint64_t number = xt_event_num(event, XT_F_SERIAL, 0);
    page *p = context;
    char text[24];

    MUST_BE(p->n == 0 || number == p->oldest - 1); /* none twice, none left out */
    p->newest = p->n++ == 0 ? number : p->newest;
    p->oldest = number;
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    MUST_BE(xt_slice_eq(xt_event_bytes(event, XT_F_CWD), xt_slice_str(text)));
    MUST_BE(xt_slice_eq(xt_event_bytes(event, XT_F_EXE), xt_slice_str(exe_of(number))));
    MUST_BE(xt_event_num(event, XT_F_TIME, 0) == (uint64_t)START_MS + number / 4);
    MUST_BE(xt_event_has(event, XT_F_PPID) == number % 2 && xt_event_num(event, XT_F_PPID, number) == number);
    MUST_BE(cursor.n <= sizeof p->cursor);
    memcpy(p->cursor, cursor.p, cursor.n);
    p->n_cursor = cursor.n;
    return 0;
}

/* The newest rows, and those behind them by the cursor: the events from the last one downwards, each whole. */
static void ask_pages(asker *a)
{
    uint64_t n_acked = atomic_load(&soak.n_acked);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_query_rows rows = {.query = query_of(a->kept), .limit = PAGE_ROWS, .on_row = on_row};
    xt_answer answer;
    page p = {0};

    rows.context = &p;
    for (xt_field f = (xt_field)1; f < XT_F_END; f++)
        xt_field_set_add(&rows.fields, f);
    must(xt_query_rows_run(soak.store, &rows, &answer, &problem), &problem);
    answer_check(&answer);
    MUST_BE(p.n == (p.newest < PAGE_ROWS ? p.newest : PAGE_ROWS));
    shown_check(a, p.newest, n_acked);
    for (int i = 0; i < 3 && p.oldest > 1; i++) {
        uint64_t n = p.n, oldest = p.oldest;
        char cursor[sizeof p.cursor];
        memcpy(cursor, p.cursor, p.n_cursor);
        rows.after = xt_slice_of(cursor, p.n_cursor);
        must(xt_query_rows_run(soak.store, &rows, &answer, &problem), &problem);
        answer_check(&answer);
        MUST_BE(p.n - n == (oldest - 1 < PAGE_ROWS ? oldest - 1 : PAGE_ROWS));
    }
}

static void *reader(void *context)
{
    static void (*const questions[])(asker *) = {ask_count, ask_groups, ask_one, ask_pages};
    xt_problem problem = XT_PROBLEM_INIT;
    asker a = {.d = {(uint64_t)(uintptr_t)context}};
    char text[20];

    snprintf(text, sizeof text, "pid:%d", KEPT_PID);
    must(xt_filter_compile(xt_slice_str(text), 0, &a.kept, &problem), &problem);
    xt_arena_init(&a.arena, (size_t)64 << 20);
    while (!atomic_load(&soak.ends))
        questions[dice_next(&a.d) % XT_COUNT_OF(questions)](&a);
    xt_arena_fini(&a.arena);
    xt_filter_free(a.kept);
    return NULL;
}

static void readers_beside_everything(void **state)
{
    void *(*const work[])(void *) = {writer, sealer, merger, retirer, reader, reader, reader};
    const char *given = getenv("XT_SOAK_SECONDS");
    long seconds = given ? strtol(given, NULL, 10) : SHORT_SECONDS;
    xt_store_settings settings = {.merge_after_ms = 1};
    xt_problem problem = XT_PROBLEM_INIT;
    pthread_t threads[XT_COUNT_OF(work)];
    xt_ledger_check check;
    char dir[] = "/tmp/xt-soak-XXXXXX";

    assert_non_null(mkdtemp(dir));
    soak.boundaries = calloc(MAX_BATCHES, sizeof *soak.boundaries);
    must(xt_store_open(dir, &settings, &soak.store, &problem), &problem);
    for (size_t i = 0; i < XT_COUNT_OF(work); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work[i], (void *)(uintptr_t)(i + 1)), 0);
    for (long s = 0; s < seconds; s++) {
        rest_ms(1000);
        if (given && s % 30 == 29)
            fprintf(stderr, "%ld s: %llu kept events, %llu queries, %llu sealings, %llu mergings, %llu retired\n",
                    s + 1, (unsigned long long)soak.n_acked, (unsigned long long)soak.n_queries,
                    (unsigned long long)soak.n_sealed, (unsigned long long)soak.n_merged,
                    (unsigned long long)soak.n_retired);
    }
    atomic_store(&soak.ends, true);
    for (size_t i = 0; i < XT_COUNT_OF(work); i++)
        pthread_join(threads[i], NULL);
    must(xt_store_verify(soak.store, NULL, NULL, &check, &problem), &problem);
    assert_true(check.chain_ok && check.counts_ok);
    assert_true(soak.n_acked > 0 && soak.n_queries > 10 && soak.n_retired > 0 && soak.n_sealed > 5);
    assert_true(soak.n_merged > 0);
    xt_store_close(soak.store);
    free(soak.boundaries);
    remove_folder(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(readers_beside_everything)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

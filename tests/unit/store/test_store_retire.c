/*
 * Retention and holds: what goes is the oldest segment whole, what is held stays, and a call that fails at any point
 * leaves the one or the other, never half.
 */
#include "fault_files.h"

#define HOUR_MS INT64_C(3600000)

static int64_t now_ms;

static int64_t wall(const xt_clock *clock)
{
    return now_ms;
}

static int64_t mono(const xt_clock *clock)
{
    return now_ms;
}

static const xt_clock clock_set = {.wall_ms = wall, .mono_ms = mono};

/* Rows whose pid is odd. */
static int choose_odd(void *context, xt_scan *scan, uint64_t *const *masks, xt_problem *reterr_problem)
{
    xt_scan_reader *reader = xt_scan_reader_new(scan);
    int r = reader ? 0 : -ENOMEM;

    for (size_t i = 0; i < xt_scan_parts(scan) && r == 0; i++) {
        const xt_column *pid;
        xt_scan_reader_begin(reader, i);
        r = xt_scan_column(reader, XT_F_PID, &pid, reterr_problem);
        for (uint32_t row = 0; r == 0 && pid->kind == XT_COLUMN_NUMBERS && row < xt_scan_zone(scan, i)->n_rows; row++)
            masks[i][row / 64] |= (pid->numbers[row] & 1) << row % 64;
    }
    xt_scan_reader_free(reader);
    return r;
}

static int choose_all(void *context, xt_scan *scan, uint64_t *const *masks, xt_problem *reterr_problem)
{
    for (size_t i = 0; i < xt_scan_parts(scan); i++)
        for (uint32_t row = 0; row < xt_scan_zone(scan, i)->n_rows; row++)
            masks[i][row / 64] |= UINT64_C(1) << row % 64;
    return 0;
}

static int choose_unknown(void *context, xt_scan *scan, uint64_t *const *masks, xt_problem *reterr_problem)
{
    return XT_SCAN_E_DAMAGED;
}

static const xt_store_choice odd = {choose_odd, NULL}, all = {choose_all, NULL}, unknown = {choose_unknown, NULL};

static bool is_odd(xt_slice canonical)
{
    xt_event event;

    assert_int_equal(xt_event_decode(canonical, &event, NULL), 0);
    return xt_event_num(&event, XT_F_PID, 0) & 1;
}

/* N segments of n events, an hour apart; the truth's place of the first event of each. */
static void fill(xt_store *store, sender *s, truth *t, size_t n_segments, uint64_t n, size_t *firsts)
{
    xt_problem problem = XT_PROBLEM_INIT;

    for (size_t i = 0; i < n_segments; i++) {
        firsts[i] = t->n;
        xt_store_batch batch = sender_next(s, n, t);
        assert_int_equal(append_one(store, &batch), 0);
        must(xt_store_seal(store, &problem), &problem);
        s->time_ms += HOUR_MS;
        now_ms = s->time_ms;
    }
    firsts[n_segments] = t->n;
}

static xt_retire_why retain(xt_store *store, const xt_store_limits *limits, const xt_store_choice *held)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_retire_why why;

    must(xt_store_retain(store, limits, held, &why, &problem), &problem);
    return why;
}

static void report(void *context, const xt_problem *problem)
{
    print_error("%s: %s\n", problem->source, problem->sentence);
}

static xt_ledger_check verify(xt_store *store)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_ledger_check check;

    must(xt_store_verify(store, report, NULL, &check, &problem), &problem);
    assert_true(check.chain_ok && check.counts_ok);
    return check;
}

static size_t n_files(const char *dir)
{
    char path[300];
    snprintf(path, sizeof path, "%s/segments", dir);
    DIR *d = opendir(path);
    size_t n = 0;

    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static size_t count_odd(const truth *t, size_t from, size_t to)
{
    size_t n = 0;

    for (size_t i = from; i < to; i++)
        n += is_odd(t->events[i]);
    return n;
}

static void the_oldest_go_by_age(void **state)
{
    char *dir = folder_new();
    xt_store_settings settings = {.clock = &clock_set};
    xt_store *store = store_open(dir, &settings);
    size_t firsts[5];
    sender s;
    truth t;

    truth_init(&t);
    sender_init(&s, 91);
    now_ms = s.time_ms;
    fill(store, &s, &t, 4, 50, firsts);
    xt_store_batch pending = sender_next(&s, 7, &t);
    assert_int_equal(append_one(store, &pending), 0);
    xt_store_limits limits = {.max_age_ms = HOUR_MS * 5 / 2};
    assert_int_equal(retain(store, &limits, NULL), XT_RETIRE_AGE);
    assert_int_equal(truth_compare(&t, store, NULL), t.n - firsts[1]);
    assert_int_equal(retain(store, &limits, NULL), XT_RETIRE_AGE);
    assert_int_equal(retain(store, &limits, NULL), XT_RETIRE_NOT);
    assert_int_equal(truth_compare(&t, store, NULL), t.n - firsts[2]);
    assert_int_equal(n_files(dir), 2);
    assert_int_equal(verify(store).n_retired, firsts[2]);
    limits.max_age_ms = 1;
    now_ms += 100 * HOUR_MS;
    for (int i = 0; i < 2; i++)
        assert_int_equal(retain(store, &limits, NULL), XT_RETIRE_AGE);
    assert_int_equal(retain(store, &limits, NULL), XT_RETIRE_NOT); /* what is pending stays */
    xt_store_close(store);
    store = store_open(dir, &settings);
    assert_int_equal(truth_compare(&t, store, NULL), 7);
    assert_int_equal(verify(store).n_pending, 7);
    xt_store_close(store);
    sender_fini(&s);
    truth_fini(&t);
    folder_drop(dir);
}

static void the_oldest_go_by_room(void **state)
{
    char *dir = folder_new();
    xt_store_settings settings = {.clock = &clock_set};
    xt_store *store = store_open(dir, &settings);
    xt_store_room room;
    size_t firsts[5];
    sender s;
    truth t;

    truth_init(&t);
    sender_init(&s, 92);
    now_ms = s.time_ms;
    fill(store, &s, &t, 4, 100, firsts);
    assert_int_equal(xt_store_room_get(store, &room), 0);
    assert_true(room.bytes_used > 0 && room.next_id == 1 && room.next_rows == 100 && room.bytes_a_day > 0);
    xt_store_limits limits = {.max_bytes = room.bytes_used - 1};
    assert_int_equal(retain(store, &limits, NULL), XT_RETIRE_BYTES);
    limits.max_bytes = room.bytes_used;
    assert_int_equal(retain(store, &limits, NULL), XT_RETIRE_NOT);
    limits = (xt_store_limits){.min_free_bytes = UINT64_MAX >> 1};
    assert_int_equal(retain(store, &limits, NULL), XT_RETIRE_FREE);
    limits.min_free_bytes = 1;
    assert_int_equal(retain(store, &limits, NULL), XT_RETIRE_NOT);
    assert_int_equal(truth_compare(&t, store, NULL), 200);
    verify(store);
    xt_store_close(store);
    sender_fini(&s);
    truth_fini(&t);
    folder_drop(dir);
}

static void what_is_held_stays(void **state)
{
    char *dir = folder_new();
    xt_store_settings settings = {.clock = &clock_set};
    xt_store *store = store_open(dir, &settings);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_store_limits limits = {.max_age_ms = 1};
    size_t firsts[3];
    uint64_t id;
    sender s;
    truth t;

    truth_init(&t);
    sender_init(&s, 93);
    now_ms = s.time_ms;
    fill(store, &s, &t, 2, 400, firsts);
    size_t n_odd = count_odd(&t, 0, t.n);
    assert_true(n_odd > 20 && n_odd < t.n - 20);
    assert_int_equal(retain(store, &limits, &unknown), XT_RETIRE_NOT);
    assert_int_equal(retain(store, &limits, &all), XT_RETIRE_NOT);
    assert_int_equal(truth_compare(&t, store, NULL), t.n);
    /* Both are remembered as held, until a hold comes. */
    assert_int_equal(retain(store, &limits, NULL), XT_RETIRE_NOT);
    must(xt_store_hold_add(store, XT_S("pid:odd"), XT_S("case 1"), XT_S("me"), &id, &problem), &problem);
    assert_int_equal(retain(store, &limits, &odd), XT_RETIRE_AGE);
    assert_int_equal(truth_compare(&t, store, NULL), t.n - firsts[1] + count_odd(&t, 0, firsts[1]));
    assert_int_equal(retain(store, &limits, &odd), XT_RETIRE_AGE);
    assert_int_equal(retain(store, &limits, &odd), XT_RETIRE_NOT);
    assert_int_equal(truth_compare(&t, store, NULL), n_odd);
    assert_int_equal(verify(store).n_retired, t.n - n_odd);
    xt_store_close(store);
    store = store_open(dir, &settings);
    assert_int_equal(truth_compare(&t, store, NULL), n_odd);
    assert_int_equal(xt_store_hold_remove(store, id + 1, XT_S("me"), &problem), XT_STORE_E_UNKNOWN);
    must(xt_store_hold_remove(store, id, XT_S("me"), &problem), &problem);
    while (retain(store, &limits, NULL))
        ;
    assert_int_equal(truth_compare(&t, store, NULL), 0);
    assert_int_equal(verify(store).n_retired, t.n);
    xt_store_close(store);
    sender_fini(&s);
    truth_fini(&t);
    folder_drop(dir);
}

/* ------------------------------------------------------------------------------------------------ ages of hosts */

#define DAY_MS (24 * HOUR_MS)

/* A batch of one event of each host a day, from day 0 on, as the sender's next batch; host h has the id "h". */
static void fill_days(xt_store *store, sender *s, unsigned n_days, unsigned n_hosts, truth *t)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int64_t first_ms = s->time_ms;
    xt_event event;

    xt_buf_reset(&s->events);
    xt_buf_reset(&s->derived);
    for (unsigned i = 0; i < n_days * n_hosts; i++) {
        char host[8];
        snprintf(host, sizeof host, "%u", i % n_hosts);
        xt_event_reset(&event);
        xt_event_set_num(&event, XT_F_TIME, (uint64_t)first_ms + (uint64_t)(i / n_hosts) * (uint64_t)DAY_MS);
        xt_event_set_num(&event, XT_F_PID, i);
        xt_event_set_bytes(&event, XT_F_HOST_ID, xt_slice_str(host));
        xt_event_batch_put(&s->events, &event);
        truth_add(t, &event);
    }
    s->time_ms = first_ms + n_days * DAY_MS;
    now_ms = s->time_ms;
    xt_store_batch batch = sender_batch(s, n_days * n_hosts, true);
    assert_int_equal(append_one(store, &batch), 0);
    must(xt_store_seal(store, &problem), &problem);
}

/* Host 0: 10 days; host 1: for ever; the others 100 days. */
static int64_t age_of(void *context, xt_slice host_id)
{
    if (context)
        ++*(unsigned *)context;
    return xt_slice_eq(host_id, XT_S("0")) ? 10 * DAY_MS : xt_slice_eq(host_id, XT_S("1")) ? 0 : 100 * DAY_MS;
}

static unsigned retain_all(xt_store *store, const xt_store_ages *ages, const xt_store_choice *held)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_retire_why why;
    unsigned n = 0;

    for (;; n++) {
        must(xt_store_retain_ages(store, ages, held, &why, &problem), &problem);
        if (why == XT_RETIRE_NOT)
            return n;
    }
}

/* What is there, held against what has to go and what has to stay. */
typedef struct ages_seen {
    bool odd_is_held;
    uint64_t n, n_must_stay;
} ages_seen;

static int see_row(void *context, const xt_event *event, uint64_t arrival)
{
    ages_seen *seen = context;
    int64_t age = age_of(NULL, xt_event_bytes(event, XT_F_HOST_ID));
    int64_t old = now_ms - (int64_t)xt_event_num(event, XT_F_TIME, 0);
    bool held = seen->odd_is_held && xt_event_num(event, XT_F_PID, 0) & 1;

    seen->n++;
    assert_true(held || age == 0 || old < age + age / 10);
    seen->n_must_stay += held || age == 0 || old < age;
    return 0;
}

static uint64_t must_stay(const truth *t, bool odd_is_held)
{
    uint64_t n = 0;

    for (size_t i = 0; i < t->n; i++) {
        xt_event event;
        assert_int_equal(xt_event_decode(t->events[i], &event, NULL), 0);
        int64_t age = age_of(NULL, xt_event_bytes(&event, XT_F_HOST_ID));
        n += (odd_is_held && xt_event_num(&event, XT_F_PID, 0) & 1) || age == 0 ||
             now_ms - (int64_t)xt_event_num(&event, XT_F_TIME, 0) < age;
    }
    return n;
}

static uint64_t ages_check(xt_store *store, const truth *t, bool odd_is_held)
{
    xt_scan_spec spec = {.to_ms = XT_TIMESTAMP_MAX_MS};
    xt_problem problem = XT_PROBLEM_INIT;
    ages_seen seen = {.odd_is_held = odd_is_held};

    must(xt_scan_each(store, &spec, ALL_FIELDS, see_row, &seen, NULL, &problem), &problem);
    assert_int_equal(seen.n_must_stay, must_stay(t, odd_is_held));
    assert_int_equal(truth_compare(t, store, NULL), seen.n);
    assert_int_equal(verify(store).n_retired, t->n - seen.n);
    return seen.n;
}

static void days_pass(bool odd_is_held, uint64_t n_at_last, unsigned max_rewrites)
{
    char *dir = folder_new();
    xt_store_settings settings = {.clock = &clock_set};
    xt_store *store = store_open(dir, &settings);
    xt_problem problem = XT_PROBLEM_INIT;
    unsigned n_asked = 0, n_done = 0;
    xt_store_ages ages = {.of_host = age_of, .context = &n_asked, .least_ms = 10 * DAY_MS};
    uint64_t id;
    sender s;
    truth t;

    truth_init(&t);
    sender_init(&s, 95);
    now_ms = s.time_ms;
    fill_days(store, &s, 8, 5, &t);
    fill_days(store, &s, 8, 5, &t);
    if (odd_is_held)
        must(xt_store_hold_add(store, XT_S("pid:odd"), XT_S("case"), XT_S("me"), &id, &problem), &problem);
    for (unsigned day = 0; day < 130; day++) {
        n_done += retain_all(store, &ages, odd_is_held ? &odd : NULL);
        ages_check(store, &t, odd_is_held);
        n_asked = 0; /* a second look on the same day is free */
        assert_int_equal(retain_all(store, &ages, odd_is_held ? &odd : NULL), 0);
        assert_int_equal(n_asked, 0);
        if (day % 40 == 7) {
            store = xt_store_close(store);
            store = store_open(dir, &settings);
        }
        now_ms += DAY_MS;
    }
    assert_int_equal(ages_check(store, &t, odd_is_held), n_at_last);
    assert_in_range(n_done, 3, max_rewrites);
    ages.version++; /* asked again, and nothing to do */
    n_asked = 0;
    assert_int_equal(retain_all(store, &ages, odd_is_held ? &odd : NULL), 0);
    assert_true(n_asked > 0);
    xt_store_close(store);
    sender_fini(&s);
    truth_fini(&t);
    folder_drop(dir);
}

/* 16 days of five hosts: 16 rows of host 1 are for ever. */
static void rows_go_by_the_age_of_their_host(void **state)
{
    days_pass(false, 16, 24);
}

/* Every other row is held, whatever its age: 40 and those of host 1 that are not. */
static void what_is_held_stays_whatever_its_age(void **state)
{
    days_pass(true, 48, 24);
}

/* ------------------------------------------------------------------------------------------------ faults */

/* Retires the first segment but for what is held, by a store whose calls may fail. */
static void live(const char *dir)
{
    xt_store_settings settings = {.vfs = &fault_vfs, .clock = &clock_set};
    xt_store_limits limits = {.max_age_ms = HOUR_MS * 3 / 2};
    xt_store *store = NULL;
    xt_retire_why why;

    if (xt_store_open(dir, &settings, &store, NULL) != 0)
        return;
    if (xt_store_retain(store, &limits, &odd, &why, NULL) < 0)
        assert_true(failed_ever());
    xt_store_close(store);
}

static void calls_of_retiring_fail(unsigned n_fails, int error, uint64_t seed)
{
    char *origin = folder_new();
    xt_store_settings settings = {.clock = &clock_set};
    xt_problem problem = XT_PROBLEM_INIT;
    size_t firsts[3], n_before = 0, n_after = 0;
    sender s;
    truth t;

    truth_init(&t);
    sender_init(&s, 94);
    now_ms = s.time_ms;
    xt_store *store = store_open(origin, &settings);
    fill(store, &s, &t, 2, 60, firsts);
    xt_store_close(store);
    size_t n_kept = t.n - firsts[1] + count_odd(&t, 0, firsts[1]);
    for (unsigned n = 1;; n++) {
        char *dir = folder_new();
        folder_copy(origin, dir);
        disk_begin(dir, seed + n);
        faults_begin(n, n_fails, error);
        live(dir);
        bool reached = failed_ever();
        if (reached)
            disk_crash();
        faults_begin(0, 0, 0);
        if (getenv("XT_TEST_VERBOSE"))
            fprintf(stderr, "call %u\n", n);
        store = store_open(dir, &settings);
        xt_scan_info info;
        size_t there = truth_compare(&t, store, &info);
        if (info.n_damaged)
            fail_msg("call %u: damaged: %s", n, info.damaged);
        assert_true(there == t.n || there == n_kept);
        n_before += there == t.n;
        n_after += there == n_kept;
        verify(store);
        xt_store_limits limits = {.max_age_ms = HOUR_MS * 3 / 2};
        xt_retire_why why;
        must(xt_store_retain(store, &limits, &odd, &why, &problem), &problem);
        assert_int_equal(truth_compare(&t, store, NULL), n_kept);
        verify(store);
        assert_int_equal(n_files(dir), 2);
        xt_store_close(store);
        folder_drop(dir);
        if (!reached)
            break;
    }
    assert_true(n_before > 20 && n_after > 1);
    disk_free();
    sender_fini(&s);
    truth_fini(&t);
    folder_drop(origin);
}

/* XT_TORTURE=N: with N seeds. */
static void each_call_of_retiring_fails(unsigned n_fails, int error)
{
    for (unsigned seed = 0; seed < (torture() ? torture() : 1); seed++)
        calls_of_retiring_fail(n_fails, error, seed * 100000);
}

static void one_call_fails(void **state)
{
    each_call_of_retiring_fails(1, EIO);
}

static void the_disk_fills_up(void **state)
{
    each_call_of_retiring_fails(UINT32_MAX, ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_go_by_age),
        cmocka_unit_test(the_oldest_go_by_room),
        cmocka_unit_test(what_is_held_stays),
        cmocka_unit_test(rows_go_by_the_age_of_their_host),
        cmocka_unit_test(what_is_held_stays_whatever_its_age),
        cmocka_unit_test(one_call_fails),
        cmocka_unit_test(the_disk_fills_up),
    };
    fault_sqlite_register();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

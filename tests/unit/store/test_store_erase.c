/*
 * Erasing: what is meant is in no byte of any file afterwards, all else is as it was, and a call that fails at any point
 * leaves a store whose erasure another one completes. Events carry a number; every fifth is meant, and says so in each of its
 * texts.
 */
#include "fault_files.h"

#include <pthread.h>
#include <stdatomic.h>

#include "store/pending.h"
#include "store/segment.h"

#define MARK "erase-me"

static int64_t now_ms = 1700000000000;

static int64_t wall(const xt_clock *clock)
{
    return now_ms;
}

static int64_t mono(const xt_clock *clock)
{
    return now_ms;
}

static const xt_clock clock_set = {.wall_ms = wall, .mono_ms = mono};

static bool is_meant(uint64_t serial)
{
    return serial % 5 == 0;
}

/* ------------------------------------------------------------------------------------------------ events */

static void event_make(uint64_t serial, char text[static 64], xt_buf *list, xt_event *ret)
{
    xt_slice items[2];

    snprintf(text, 64, "%s%llu", is_meant(serial) ? MARK "-" : "stays-", (unsigned long long)serial);
    items[0] = XT_S("/bin/sh");
    items[1] = xt_slice_str(text);
    xt_buf_reset(list);
    xt_list_put(list, items, 2);
    xt_event_reset(ret);
    xt_event_set_num(ret, XT_F_TIME, (uint64_t)now_ms + serial);
    xt_event_set_num(ret, XT_F_SERIAL, serial);
    xt_event_set_bytes(ret, XT_F_CWD, xt_slice_str(text));
    xt_event_set_bytes(ret, XT_F_EXE, is_meant(serial) ? XT_S("/bin/" MARK) : XT_S("/bin/sh"));
    xt_event_set_bytes(ret, XT_F_ARGS, xt_buf_slice(list));
}

/* A batch of n events, numbered on from *serial; every other one is packed. */
static xt_store_batch batch_make(sender *s, uint64_t *serial, uint64_t n, truth *t)
{
    XT_CLEANUP(xt_buf_fini) xt_buf list = XT_BUF_INIT;
    char text[64];
    xt_event event;

    xt_buf_reset(&s->events);
    xt_buf_reset(&s->derived);
    for (uint64_t i = 0; i < n; i++) {
        event_make(++*serial, text, &list, &event);
        xt_event_batch_put(&s->events, &event);
        if (t)
            truth_add(t, &event);
    }
    return sender_batch(s, n, s->number % 2);
}

static void fill(xt_store *store, sender *s, uint64_t *serial, truth *t, size_t n_segments, uint64_t n)
{
    xt_problem problem = XT_PROBLEM_INIT;

    for (size_t i = 0; i < n_segments; i++) {
        xt_store_batch batch = batch_make(s, serial, n, t);
        assert_int_equal(append_one(store, &batch), 0);
        must(xt_store_seal(store, &problem), &problem);
    }
}

/* ------------------------------------------------------------------------------------------------ orders */

/* Rows whose number is a multiple of *context. */
static int choose_multiples(void *context, xt_scan *scan, uint64_t *const *masks, xt_problem *reterr_problem)
{
    uint64_t of = *(const uint64_t *)context;
    xt_scan_reader *reader = xt_scan_reader_new(scan);
    int r = reader ? 0 : -ENOMEM;

    for (size_t i = 0; i < xt_scan_parts(scan) && r == 0; i++) {
        const xt_column *serial, *exe;
        xt_scan_reader_begin(reader, i);
        r = xt_scan_column(reader, XT_F_SERIAL, &serial, reterr_problem);
        if (r == 0)
            r = xt_scan_column(reader, XT_F_EXE, &exe, reterr_problem); /* one more to be damaged */
        for (uint32_t row = 0; r == 0 && row < xt_scan_zone(scan, i)->n_rows; row++)
            if (serial->numbers[row] % of == 0)
                masks[i][row / 64] |= UINT64_C(1) << row % 64;
    }
    xt_scan_reader_free(reader);
    return r;
}

static const uint64_t five = 5, twenty = 20, fifty = 50;
#define MULTIPLES(of)                                \
    {                                                \
        choose_multiples, (void *)(uintptr_t) & (of) \
    }
static const xt_store_choice meant = MULTIPLES(five);
static const xt_store_choice holds[] = {MULTIPLES(twenty), MULTIPLES(fifty)};

static int note(void *context, const xt_tombstone *t, xt_buf *out, xt_problem *reterr_problem)
{
    xt_buf_printf(out, "erased %llu of %llx", (unsigned long long)t->n_rows, (unsigned long long)t->segment);
    return 0;
}

/* What an erasure came to. */
typedef struct outcome {
    uint64_t n_rows, n_steps, n_damaged, n_reported, n_told;
    uint64_t n_held[2];
} outcome;

static int count_rows(void *context, xt_scan *scan, uint64_t *const *masks, xt_problem *reterr_problem)
{
    outcome *o = context;

    for (size_t i = 0; i < xt_scan_parts(scan); i++)
        for (uint32_t w = 0; w < (xt_scan_zone(scan, i)->n_rows + 63) / 64; w++)
            o->n_told += (uint64_t)__builtin_popcountll(masks[i][w]);
    return 0;
}

static void count_report(void *context, const xt_problem *problem)
{
    ((outcome *)context)->n_reported++;
    if (getenv("XT_TEST_VERBOSE"))
        print_message("  %s: %s\n", problem->source, problem->sentence);
}

/* <0: what failed. */
static int erase(xt_store *store, size_t n_holds, bool is_dry, outcome *ret)
{
    uint64_t n_held[2];
    xt_erase_orders orders = {.what = &meant,
                              .holds = holds,
                              .n_holds = n_holds,
                              .n_held = n_held,
                              .is_dry = is_dry,
                              .before = count_rows,
                              .note = note,
                              .context = ret};
    xt_erasing *erasing = NULL;
    xt_erase_step step = {0};

    *ret = (outcome){0};
    orders.n_hold_changes = xt_store_hold_changes(store);
    int r = xt_store_erase_open(store, &erasing, NULL);
    while (r == 0 && (r = xt_store_erase_next(erasing, &orders, &step, NULL)) != XT_ERASE_E_END && r >= 0) {
        ret->n_damaged += r == XT_ERASE_E_DAMAGED;
        ret->n_rows += r == 0 ? step.n_rows : 0;
        ret->n_steps++;
        for (size_t i = 0; i < n_holds && r == 0; i++)
            ret->n_held[i] += n_held[i];
        r = 0;
    }
    xt_store_erase_close(erasing);
    if (r == XT_ERASE_E_END && !is_dry)
        r = xt_store_scrub(store, count_report, ret, NULL);
    return r < 0 ? r : 0;
}

/* ------------------------------------------------------------------------------------------------ looking for it */

static bool has_mark(xt_slice bytes)
{
    return xt_slice_find(bytes, XT_S(MARK)) >= 0;
}

/* Every dictionary of a segment, unpacked. */
static size_t marks_in_segment(const char *path)
{
    xt_segment *segment = NULL;
    xt_segment_reader *reader = xt_segment_reader_new();
    xt_problem problem = XT_PROBLEM_INIT;
    xt_arena arena;
    xt_slice *entries;
    size_t n = 0;

    xt_arena_init(&arena, SIZE_MAX);
    must(xt_segment_open(&xt_vfs_system, path, &segment, &problem), &problem);
    for (unsigned f = 1; f < XT_F_END; f++) {
        const xt_dict *dict = xt_segment_dict(segment, (xt_field)f);
        for (uint32_t chunk = 0; dict && chunk < dict->n_chunks; chunk++) {
            bool held = false;
            must(xt_segment_read_dict(reader, segment, (xt_field)f, chunk, true, &arena, &entries, &problem), &problem);
            for (uint32_t i = 0; i < dict->firsts[chunk + 1] - dict->firsts[chunk]; i++)
                n += has_mark(entries[i]);
            if (xt_segment_info_get(segment)->level > 0 && dict->n_chunks > 1) {
                must(xt_segment_may_hold(reader, segment, (xt_field)f, chunk, XT_S(MARK), &held, &problem), &problem);
                n += held;
            }
        }
    }
    xt_segment_unref(segment);
    xt_segment_reader_free(reader);
    xt_arena_fini(&arena);
    return n;
}

/* In every byte of every file below, and in what is packed in it. Its own process's locks on SQLite's files do not matter. */
static size_t marks_in(const char *folder)
{
    DIR *dir = opendir(folder);
    size_t n = 0;

    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[600];
        xt_buf bytes = XT_BUF_INIT;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.')
            continue;
        if (e->d_type == DT_DIR) {
            n += marks_in(path);
            continue;
        }
        assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, SIZE_MAX, &bytes), 0);
        n += has_mark(xt_buf_slice(&bytes));
        xt_buf_fini(&bytes);
        if (xt_slice_ends(xt_slice_str(path), XT_S(".xts")))
            n += marks_in_segment(path);
    }
    closedir(dir);
    return n;
}

static uint64_t n_multiples(uint64_t of, uint64_t upto)
{
    return upto / of;
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

static int tombstone_add(void *context, const xt_tombstone *t)
{
    char text[60];

    snprintf(text, sizeof text, "erased %llu of %llx", (unsigned long long)t->n_rows, (unsigned long long)t->segment);
    assert_true(xt_slice_eq(t->note, xt_slice_str(text)));
    assert_true(t->erasure > 0 && t->ledger_id >= t->erasure && t->at_ms == now_ms);
    *(uint64_t *)context += t->n_rows;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ tests */

/* What a SQLite that does not overwrite what it deletes leaves in free pages. */
static void free_pages_plant(const char *dir)
{
    char path[300];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/pending.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "PRAGMA secure_delete = OFF; CREATE TABLE gone(text);"
                                  "INSERT INTO gone SELECT hex(zeroblob(5000)) || '" MARK "'; DROP TABLE gone",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void nothing_of_it_is_left(void **state)
{
    char *dir = folder_new();
    xt_store_settings settings = {.clock = &clock_set};
    xt_store *store = store_open(dir, &settings);
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t serial = 0, n_buried = 0;
    outcome o;
    sender s;
    truth t;

    truth_init(&t);
    sender_init(&s, 21);
    fill(store, &s, &serial, &t, 2, 20000);            /* two row groups, dictionaries of several chunks */
    must(xt_store_compact(store, &problem), &problem); /* merged, with filters */
    fill(store, &s, &serial, &t, 2, 77);
    xt_store_close(store);
    free_pages_plant(dir);
    store = store_open(dir, &settings);
    xt_store_batch open = batch_make(&s, &serial, 9, &t);
    assert_int_equal(append_one(store, &open), 0);
    assert_true(marks_in(dir) > 4);
    assert_int_equal(erase(store, 0, true, &o), 0);
    assert_int_equal(o.n_rows, n_multiples(5, serial));
    assert_int_equal(truth_compare(&t, store, NULL), t.n);
    assert_int_equal(o.n_told, 0);

    assert_int_equal(erase(store, 0, false, &o), 0);
    assert_int_equal(o.n_rows, n_multiples(5, serial));
    assert_int_equal(o.n_told, o.n_rows);
    assert_int_equal(o.n_steps, 4);
    assert_int_equal(o.n_reported, 0);
    assert_int_equal(truth_compare(&t, store, NULL), t.n - o.n_rows);
    assert_int_equal(marks_in(dir), 0);
    assert_int_equal(verify(store).n_erased, o.n_rows);
    must(xt_store_each_tombstone(store, tombstone_add, &n_buried, &problem), &problem);
    assert_int_equal(n_buried, o.n_rows);
    xt_store_batch more = batch_make(&s, &serial, 3, &t);
    assert_int_equal(append_one(store, &more), 0); /* it goes on */
    xt_store_close(store);

    store = store_open(dir, &settings);
    assert_int_equal(truth_compare(&t, store, NULL), t.n - o.n_rows);
    must(xt_store_compact(store, &problem), &problem);
    assert_int_equal(truth_compare(&t, store, NULL), t.n - o.n_rows);
    verify(store);
    xt_store_close(store);
    sender_fini(&s);
    truth_fini(&t);
    folder_drop(dir);
}

static void a_segment_of_which_all_goes_leaves_no_file(void **state)
{
    char *dir = folder_new();
    xt_store_settings settings = {.clock = &clock_set};
    xt_store *store = store_open(dir, &settings);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_store_stats stats;
    uint64_t serial = 0;
    outcome o;
    sender s;

    sender_init(&s, 22);
    fill(store, &s, &serial, NULL, 1, 4);
    fill(store, &s, &serial, NULL, 1, 1); /* the fifth */
    assert_int_equal(erase(store, 0, false, &o), 0);
    assert_int_equal(o.n_rows, 1);
    must(xt_store_stats_get(store, &stats), &problem);
    assert_true(stats.n_segments == 1 && stats.n_events == 4);
    assert_int_equal(verify(store).n_erased, 1);
    assert_int_equal(erase(store, 0, false, &o), 0); /* nothing is left to do, and nothing is done */
    assert_int_equal(o.n_rows, 0);
    assert_int_equal(verify(store).n_erased, 1);
    xt_store_close(store);
    sender_fini(&s);
    folder_drop(dir);
}

static void what_is_held_stays(void **state)
{
    char *dir = folder_new();
    xt_store_settings settings = {.clock = &clock_set};
    xt_store *store = store_open(dir, &settings);
    uint64_t serial = 0;
    outcome o;
    sender s;
    truth t;

    truth_init(&t);
    sender_init(&s, 23);
    fill(store, &s, &serial, &t, 3, 333);
    assert_int_equal(erase(store, 2, false, &o), 0);
    assert_int_equal(o.n_held[0], n_multiples(20, serial));
    assert_int_equal(o.n_held[1], n_multiples(50, serial));
    uint64_t n_kept = o.n_held[0] + o.n_held[1] - n_multiples(100, serial);
    assert_int_equal(o.n_rows, n_multiples(5, serial) - n_kept);
    assert_int_equal(truth_compare(&t, store, NULL), t.n - o.n_rows);
    assert_int_equal(verify(store).n_erased, o.n_rows);
    assert_int_equal(erase(store, 0, false, &o), 0);
    assert_int_equal(o.n_rows, n_kept);
    assert_int_equal(marks_in(dir), 0);
    xt_store_close(store);
    sender_fini(&s);
    truth_fini(&t);
    folder_drop(dir);
}

/* A hold that comes when the rows are already chosen is not too late. */
static int hold_comes(void *context, const xt_tombstone *t, xt_buf *out, xt_problem *reterr_problem)
{
    uint64_t id;

    return xt_store_hold_add(context, XT_S("a"), XT_S("b"), XT_S("c"), &id, reterr_problem);
}

static bool at_once(void *context)
{
    return true;
}

static void it_stops_for_a_hold_and_when_asked_to(void **state)
{
    char *dir = folder_new();
    xt_store *store = store_open(dir, NULL);
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t serial = 0;
    xt_erasing *erasing;
    xt_erase_step step;
    outcome o;
    sender s;

    sender_init(&s, 24);
    fill(store, &s, &serial, NULL, 1, 100);
    xt_erase_orders orders = {.what = &meant, .note = hold_comes, .context = store};
    must(xt_store_erase_open(store, &erasing, &problem), &problem);
    assert_int_equal(xt_store_erase_next(erasing, &orders, &step, &problem), -ECANCELED);
    orders.n_hold_changes = xt_store_hold_changes(store);
    orders.stops = at_once;
    assert_int_equal(xt_store_erase_next(erasing, &orders, &step, &problem), -ECANCELED);
    assert_int_equal(verify(store).n_erased, 0);
    orders.stops = NULL;
    orders.note = note;
    must(xt_store_erase_next(erasing, &orders, &step, &problem), &problem); /* the same segment, after all */
    assert_int_equal(step.n_rows, 20);
    assert_int_equal(xt_store_erase_next(erasing, &orders, &step, &problem), XT_ERASE_E_END);
    xt_store_erase_close(erasing);
    assert_int_equal(erase(store, 0, false, &o), 0);
    assert_int_equal(o.n_reported, 0);
    xt_store_close(store);
    sender_fini(&s);
    folder_drop(dir);
}

static void flip(const char *dir, const char *name, long at)
{
    char path[300];

    snprintf(path, sizeof path, "%s/segments/%s", dir, name);
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    int c = getc(f);
    assert_int_equal(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    putc(c ^ 1, f);
    fclose(f);
}

static void what_is_damaged_is_named_and_not_touched(void **state)
{
    char *dir = folder_new(), path[300];
    xt_store *store = store_open(dir, NULL);
    uint64_t serial = 0;
    outcome o;
    sender s;

    sender_init(&s, 25);
    fill(store, &s, &serial, NULL, 4, 500);
    xt_store_close(store);
    flip(dir, "0000000000000001.xts", 60);  /* a chunk */
    flip(dir, "0000000000000002.xts", -10); /* the trailer: it is not opened */
    snprintf(path, sizeof path, "%s/segments/00000000000000ff.xts.stray", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    store = store_open(dir, NULL);
    assert_int_equal(erase(store, 0, false, &o), 0);
    assert_int_equal(o.n_damaged, 1);
    assert_int_equal(o.n_reported, 2);
    assert_int_equal(o.n_rows, 200);
    for (int i = 1; i <= 2; i++) {
        snprintf(path, sizeof path, "%s/segments/000000000000000%d.xts", dir, i);
        assert_int_equal(access(path, F_OK), 0);
    }
    xt_store_close(store);
    sender_fini(&s);
    folder_drop(dir);
}

/* ------------------------------------------------------------------------------------------------ faults */

static void live(const char *dir)
{
    xt_store_settings settings = {.vfs = &fault_vfs, .clock = &clock_set};
    xt_store *store = NULL;
    outcome o;

    if (xt_store_open(dir, &settings, &store, NULL) != 0)
        return;
    if (erase(store, 0, false, &o) < 0)
        assert_true(failed_ever());
    xt_store_close(store);
}

/* Of calls first, first + step, ...: whatever is left, opening and erasing again leaves nothing. */
static void calls_of_erasing_fail(unsigned n_fails, int error, unsigned first, unsigned step, uint64_t seed)
{
    char *origin = folder_new();
    xt_store_settings settings = {.clock = &clock_set};
    uint64_t serial = 0;
    size_t n_whole = 0, n_half = 0, n_done = 0;
    outcome o;
    sender s;
    truth t;

    truth_init(&t);
    sender_init(&s, 26);
    xt_store *store = store_open(origin, &settings);
    fill(store, &s, &serial, &t, 2, 30);
    xt_store_batch open = batch_make(&s, &serial, 5, &t);
    assert_int_equal(append_one(store, &open), 0);
    xt_store_close(store);
    size_t n_left = t.n - n_multiples(5, serial);
    for (unsigned n = first;; n += step) {
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
        n_whole += there == t.n;
        n_done += there == n_left;
        n_half += there < t.n && there > n_left;
        assert_true(there <= t.n && there >= n_left);
        assert_int_equal(verify(store).n_erased, t.n - there);
        assert_int_equal(erase(store, 0, false, &o), 0);
        assert_int_equal(o.n_rows, there - n_left);
        assert_int_equal(o.n_reported, 0);
        assert_int_equal(truth_compare(&t, store, NULL), n_left);
        if (marks_in(dir))
            fail_msg("call %u: something is left", n);
        assert_int_equal(verify(store).n_erased, n_multiples(5, serial));
        xt_store_close(store);
        folder_drop(dir);
        if (!reached)
            break;
    }
    assert_true(n_whole > 1 && n_half > 1 && n_done > 0);
    disk_free();
    sender_fini(&s);
    truth_fini(&t);
    folder_drop(origin);
}

/* XT_TORTURE=N: every call, with N seeds. */
static void each_call_of_erasing_fails(unsigned n_fails, int error, unsigned step)
{
    for (unsigned seed = 0; seed < torture(); seed++)
        calls_of_erasing_fail(n_fails, error, 1, 1, seed * 100000);
    if (!torture())
        calls_of_erasing_fail(n_fails, error, step / 2, step, 0);
}

static void one_call_fails(void **state)
{
    each_call_of_erasing_fails(1, EIO, 9);
}

static void the_machine_goes_down_at_a_call(void **state)
{
    each_call_of_erasing_fails(UINT32_MAX, EIO, 7);
}

static void the_disk_fills_up(void **state)
{
    each_call_of_erasing_fails(UINT32_MAX, ENOSPC, 11);
}

/* ------------------------------------------------------------------------------------------------ threads */

#define RUN_MS     1500
#define MAX_EVENTS 300000

static atomic_bool ended;

static void *writer(void *context)
{
    uint64_t serial = 0;
    sender s;

    sender_init(&s, 27);
    for (int64_t until = xt_clock_mono_ms(&xt_clock_system) + RUN_MS;
         xt_clock_mono_ms(&xt_clock_system) < until && serial < MAX_EVENTS;) {
        xt_store_batch batch = batch_make(&s, &serial, 1 + dice_below(&s.d, 700), NULL);
        assert_int_equal(append_one(context, &batch), 0);
    }
    atomic_store(&ended, true);
    sender_fini(&s);
    return NULL;
}

typedef struct seen {
    uint64_t n_stay, n_meant;
} seen;

static int see(void *context, const xt_event *event, uint64_t arrival)
{
    seen *c = context;
    bool marked = has_mark(xt_event_bytes(event, XT_F_CWD));

    assert_int_equal(marked, is_meant(xt_event_num(event, XT_F_SERIAL, 0)));
    *(marked ? &c->n_meant : &c->n_stay) += 1;
    return 0;
}

static seen look(xt_store *store)
{
    xt_scan_spec spec = {.to_ms = XT_TIMESTAMP_MAX_MS};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_scan_info info;
    seen c = {0};

    must(xt_scan_each(store, &spec, ALL_FIELDS, see, &c, &info, &problem), &problem);
    assert_int_equal(info.n_damaged, 0);
    assert_int_equal(c.n_stay, info.last_arrival - info.last_arrival / 5);
    return c;
}

static void *reader(void *context)
{
    while (!atomic_load(&ended))
        (void)look(context);
    return NULL;
}

static void *keeper(void *context)
{
    xt_problem problem = XT_PROBLEM_INIT;
    bool done;

    while (!atomic_load(&ended)) {
        must(xt_store_maintain(context, &problem), &problem);
        must(xt_store_merge_due(context, &done, &problem), &problem);
        usleep(10000);
    }
    return NULL;
}

static void *eraser(void *context)
{
    outcome o;

    while (!atomic_load(&ended))
        assert_int_equal(erase(context, 0, false, &o), 0);
    return NULL;
}

static void beside_a_writer_and_readers(void **state)
{
    char *dir = folder_new();
    xt_store_settings settings = {.seal_rows = 5000};
    xt_store *store = store_open(dir, &settings);
    void *(*const work[])(void *) = {writer, reader, reader, keeper, eraser};
    pthread_t threads[XT_COUNT_OF(work)];
    outcome o;

    for (size_t i = 0; i < XT_COUNT_OF(work); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work[i], store), 0);
    for (size_t i = 0; i < XT_COUNT_OF(work); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(erase(store, 0, false, &o), 0);
    seen c = look(store);
    assert_true(c.n_stay > 0 && c.n_meant == 0);
    assert_int_equal(marks_in(dir), 0);
    xt_ledger_check check = verify(store);
    assert_int_equal(check.n_erased, check.n_received / 5);
    xt_store_close(store);
    folder_drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_of_it_is_left),
        cmocka_unit_test(a_segment_of_which_all_goes_leaves_no_file),
        cmocka_unit_test(what_is_held_stays),
        cmocka_unit_test(it_stops_for_a_hold_and_when_asked_to),
        cmocka_unit_test(what_is_damaged_is_named_and_not_touched),
        cmocka_unit_test(one_call_fails),
        cmocka_unit_test(the_machine_goes_down_at_a_call),
        cmocka_unit_test(the_disk_fills_up),
        cmocka_unit_test(beside_a_writer_and_readers),
    };
    fault_sqlite_register();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

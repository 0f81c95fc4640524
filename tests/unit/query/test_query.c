/*
 * Rows, pages, counts, groups and histograms over a store in memory, against a full sort and plain loops.
 */
#include "unit/query/store_fake.h"

#define N_EVENTS 700

typedef struct world {
    dice dice;
    xt_arena events_arena, arena;
    xt_event events[N_EVENTS];
    uint32_t block_ends[N_EVENTS];
    xt_store store;
} world;

static int world_new(void **state)
{
    world *w = calloc(1, sizeof *w);

    w->dice.state = 11;
    xt_arena_init(&w->events_arena, 64 << 20);
    xt_arena_init(&w->arena, 256 << 20);
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

/* Some rows are there twice, and three times. */
static void make_twins(world *w)
{
    for (uint32_t i = 0; i < N_EVENTS / 20; i++)
        w->events[dice_below(&w->dice, N_EVENTS)] = w->events[dice_below(&w->dice, N_EVENTS)];
}

/* Another cut into blocks; now and then times are shuffled, so that every block covers all of them. */
static void cut_blocks(world *w, bool shuffle)
{
    uint32_t n = 0;

    for (uint32_t end = 0; end < N_EVENTS;) {
        end += 1 + dice_below(&w->dice, 90);
        w->block_ends[n++] = end < N_EVENTS ? end : N_EVENTS;
    }
    for (uint32_t i = N_EVENTS; shuffle && i-- > 1;) {
        uint32_t k = dice_below(&w->dice, i + 1);
        xt_event swap = w->events[i];
        w->events[i] = w->events[k];
        w->events[k] = swap;
    }
    w->store = (xt_store){.events = w->events, .n = N_EVENTS, .block_ends = w->block_ends, .n_blocks = n};
}

/* ------------------------------------------------------------------------------------------------ naive side */

typedef struct wanted {
    world *world;
    xt_field sort;
    bool reverse;
    uint32_t rows[N_EVENTS]; /* indexes of events, in order */
    uint32_t n, n_hidden;
} wanted;

static int cmp_number(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static xt_slice first_text(world *w, const xt_event *event, xt_field field)
{
    xt_slice bytes = event->values[field].bytes, item = XT_S("");
    xt_list_iter iter;

    if (xt_field_find(field)->type != XT_LIST)
        return bytes;
    iter = xt_list_iterate(bytes);
    xt_list_next(&iter, &item);
    return item;
}

static int cmp_values(wanted *want, const xt_event *a, const xt_event *b)
{
    xt_field f = want->sort;
    xt_event x = *a, y = *b;
    xt_field_set all = {{UINT64_MAX, UINT64_MAX}};
    xt_type type = xt_field_find(f)->type;

    assert_int_equal(xt_event_derive(&x, all, &want->world->arena), 0);
    assert_int_equal(xt_event_derive(&y, all, &want->world->arena), 0);
    bool has_x = xt_event_has(&x, f), has_y = xt_event_has(&y, f);
    if (type == XT_LIST) {
        has_x = has_x && xt_list_count(x.values[f].bytes) > 0;
        has_y = has_y && xt_list_count(y.values[f].bytes) > 0;
    }
    if (!has_x || !has_y)
        return has_y - has_x;
    int r;
    if (type == XT_INT)
        r = (int64_t)x.values[f].num < (int64_t)y.values[f].num   ? 1
            : (int64_t)x.values[f].num > (int64_t)y.values[f].num ? -1
                                                                  : 0;
    else if (type == XT_UINT)
        r = cmp_number(y.values[f].num, x.values[f].num);
    else
        r = xt_slice_cmp(first_text(want->world, &y, f), first_text(want->world, &x, f));
    return want->reverse ? -r : r;
}

static uint64_t content_hash(const xt_event *event)
{
    xt_buf out = XT_BUF_INIT;

    xt_event_encode(event, &out);
    uint64_t hash = xt_slice_hash(xt_buf_slice(&out));
    xt_buf_fini(&out);
    return hash;
}

static int cmp_rows(const void *pa, const void *pb, void *context)
{
    wanted *want = context;
    uint32_t i = *(const uint32_t *)pa, k = *(const uint32_t *)pb;
    const xt_event *a = &want->world->events[i], *b = &want->world->events[k];
    int r = want->sort ? cmp_values(want, a, b) : 0;

    if (r)
        return r;
    r = cmp_number(b->values[XT_F_TIME].num, a->values[XT_F_TIME].num);
    if (!r)
        r = xt_slice_cmp(xt_event_bytes(a, XT_F_HOST_ID), xt_event_bytes(b, XT_F_HOST_ID));
    if (!r)
        r = cmp_number(xt_event_has(b, XT_F_SERIAL) ? b->values[XT_F_SERIAL].num + 1 : 0,
                       xt_event_has(a, XT_F_SERIAL) ? a->values[XT_F_SERIAL].num + 1 : 0);
    if (!r)
        r = cmp_number(content_hash(a), content_hash(b));
    if (!r)
        r = k < i ? -1 : 1;
    return want->reverse ? -r : r;
}

static bool naive_counts(world *w, const xt_query *query, const xt_kql_node *tree, const xt_event *event,
                         bool *ret_hidden)
{
    int64_t t = (int64_t)event->values[XT_F_TIME].num;
    bool noise = xt_event_has(event, XT_F_NOISE) && !xt_event_has(event, XT_F_RULES);

    *ret_hidden = false;
    if (t < query->from_ms || t > query->to_ms || !naive(tree, event, &w->arena))
        return false;
    *ret_hidden = query->noise == XT_NOISE_HIDE && noise;
    return query->noise == XT_NOISE_SHOW || noise == (query->noise == XT_NOISE_ONLY);
}

static void want_rows(world *w, const xt_query *query, xt_slice kql, wanted *want)
{
    xt_kql_node *tree;
    bool hidden;

    want->world = w;
    want->n = want->n_hidden = 0;
    assert_int_equal(xt_kql_parse(kql, FIXTURE_START_MS, &w->arena, &tree, NULL), 0);
    for (uint32_t i = 0; i < N_EVENTS; i++) {
        if (naive_counts(w, query, tree, &w->events[i], &hidden))
            want->rows[want->n++] = i;
        want->n_hidden += hidden;
    }
    qsort_r(want->rows, want->n, sizeof want->rows[0], cmp_rows, want);
}

/* ------------------------------------------------------------------------------------------------ our side */

typedef struct seen {
    world *world;
    const wanted *want;
    uint32_t n;
    uint32_t stop_at; /* 0: never */
    char cursor[1024];
    size_t n_cursor;
} seen;

static int on_row(void *context, xt_event *event, xt_slice cursor)
{
    seen *s = context;

    if (s->n >= s->want->n)
        fail_msg("row %u is one too many", s->n);
    const xt_event *want = &s->world->events[s->want->rows[s->n]];
    for (unsigned f = 1; f < XT_F_END; f++) {
        if (f != XT_F_TIME && f != XT_F_SERIAL && f != XT_F_HOST_ID && f != XT_F_ARGS)
            continue;
        assert_int_equal(xt_event_has(event, (xt_field)f), xt_event_has(want, (xt_field)f));
        if (xt_event_has(want, (xt_field)f) && (f == XT_F_TIME || f == XT_F_SERIAL))
            assert_true(event->values[f].num == want->values[f].num);
        else
            assert_true(xt_slice_eq(xt_event_bytes(event, (xt_field)f), xt_event_bytes(want, (xt_field)f)));
    }
    assert_true(cursor.n < sizeof s->cursor);
    memcpy(s->cursor, cursor.p, cursor.n);
    s->n_cursor = cursor.n;
    for (size_t i = 0; i < cursor.n; i++)
        assert_non_null(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", cursor.p[i]));
    s->n++;
    return s->stop_at && s->n == s->stop_at ? 2 : 0;
}

static xt_query random_query(world *w, xt_buf *kql)
{
    xt_filter *filter = NULL;
    xt_problem problem = XT_PROBLEM_INIT;

    if (dice_below(&w->dice, 4))
        put_query(&w->dice, dice_below(&w->dice, 3), kql);
    int r = xt_filter_compile(xt_buf_slice(kql), FIXTURE_START_MS, &filter, &problem);
    if (r)
        fail_msg("%.*s: %s", XT_S_ARGS(xt_buf_slice(kql)), problem.sentence);
    xt_query query = {.filter = filter, .from_ms = 0, .to_ms = INT64_C(253402300799999)};
    if (dice_below(&w->dice, 3) == 0) {
        query.from_ms = FIXTURE_START_MS + dice_below(&w->dice, 500);
        query.to_ms = query.from_ms + dice_below(&w->dice, 800);
    }
    query.noise = (xt_noise)dice_below(&w->dice, 3);
    query.n_threads = 1u << dice_below(&w->dice, 3);
    return query;
}

static void query_fini(xt_query *query, xt_buf *kql)
{
    xt_filter *filter;

    memcpy(&filter, &query->filter, sizeof filter);
    xt_filter_free(filter);
    xt_buf_fini(kql);
}

static const xt_field sort_fields[] = {XT_F_INVALID, XT_F_INVALID, XT_F_INVALID, XT_F_UID, XT_F_EXIT,
                                       XT_F_USER,    XT_F_CMD,     XT_F_ARGC,    XT_F_KEY, XT_F_PATH};

/* All pages together are the full sort; each page tells rightly whether there is more. */
static void check_pages(world *w, const xt_query *query, const wanted *want, uint64_t limit)
{
    xt_query_rows rows = {.query = *query, .limit = limit, .oldest_first = want->reverse, .sort_field = want->sort};
    seen s = {.world = w, .want = want};
    char after[1024];

    xt_field_set_add(&rows.fields, XT_F_CMD);
    rows.max_memory_bytes = dice_below(&w->dice, 2) ? 0 : 1000 + dice_below(&w->dice, 5000); /* many passes */
    rows.on_row = on_row;
    rows.context = &s;
    for (bool more = true; more;) {
        xt_answer answer;
        xt_problem problem = XT_PROBLEM_INIT;
        uint32_t before = s.n;
        int r = xt_query_rows_run(&w->store, &rows, &answer, &problem);
        if (r)
            fail_msg("%d: %s", r, problem.sentence);
        assert_int_equal(answer.n_matched, s.n - before);
        assert_false(answer.partial);
        more = answer.truncated;
        assert_int_equal(more, s.n < want->n);
        if (more)
            assert_int_equal(s.n - before, limit);
        memcpy(after, s.cursor, s.n_cursor);
        rows.after = xt_slice_of(after, s.n_cursor);
    }
    assert_int_equal(s.n, want->n);
}

static void test_rows(void **state)
{
    world *w = *state;
    static wanted want;

    for (unsigned i = 0; i < 600; i++) {
        xt_buf kql = XT_BUF_INIT;
        xt_arena_reset(&w->arena);
        if (i % 60 == 0)
            make_twins(w);
        cut_blocks(w, i == 300);
        xt_query query = random_query(w, &kql);
        want.sort = sort_fields[dice_below(&w->dice, XT_COUNT_OF(sort_fields))];
        want.reverse = dice_below(&w->dice, 3) == 0;
        want_rows(w, &query, xt_buf_slice(&kql), &want);
        check_pages(w, &query, &want, dice_below(&w->dice, 3) ? 40 + dice_below(&w->dice, 300) : 0);
        query_fini(&query, &kql);
    }
}

static void test_stop_early(void **state)
{
    world *w = *state;
    static wanted want;
    xt_buf kql = XT_BUF_INIT;
    xt_filter *filter;
    xt_answer answer;
    xt_problem problem = XT_PROBLEM_INIT;

    assert_int_equal(xt_filter_compile(XT_S(""), 0, &filter, &problem), 0);
    for (uint32_t i = 0; i < N_EVENTS; i++)
        xt_event_set_num(&w->events[i], XT_F_TIME, (uint64_t)FIXTURE_START_MS + i);
    cut_blocks(w, false);
    xt_query query = {.filter = filter, .to_ms = INT64_MAX, .n_threads = 1};
    want.sort = XT_F_INVALID;
    want_rows(w, &query, XT_S(""), &want);
    seen s = {.world = w, .want = &want};
    xt_query_rows rows = {.query = query, .limit = 3, .on_row = on_row, .context = &s};
    xt_field_set_add(&rows.fields, XT_F_ARGS);
    assert_int_equal(xt_query_rows_run(&w->store, &rows, &answer, &problem), 0);
    assert_int_equal(s.n, 3);
    assert_in_range(w->store.n_read, 1, 7); /* of many parts only the newest: to find and to fetch */
    s = (seen){.world = w, .want = &want, .stop_at = 2};
    assert_int_equal(xt_query_rows_run(&w->store, &rows, &answer, &problem), 0);
    assert_int_equal(s.n, 2);
    assert_true(answer.truncated);
    rows.after_arrival = N_EVENTS - 2;
    s = (seen){.world = w, .want = &want};
    assert_int_equal(xt_query_rows_run(&w->store, &rows, &answer, &problem), 0);
    assert_int_equal(s.n, 2);
    assert_false(answer.truncated);
    assert_int_equal(answer.scan.last_arrival, N_EVENTS);
    query_fini(&query, &kql);
}

static int count_row(void *context, xt_event *event, xt_slice cursor)
{
    ++*(unsigned *)context;
    return 0;
}

/* Rows that are found but cannot be read are left out, named, and do not keep the run from going on. */
static void test_damage(void **state)
{
    world *w = *state;
    xt_filter *filter;
    xt_answer answer;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_buf none = XT_BUF_INIT;
    unsigned n = 0;

    assert_int_equal(xt_filter_compile(XT_S(""), 0, &filter, &problem), 0);
    cut_blocks(w, false);
    w->store.damaged = w->store.n_blocks / 2;
    xt_query_rows rows = {.query = {.filter = filter, .to_ms = INT64_MAX}, .on_row = count_row, .context = &n};
    rows.max_memory_bytes = 500;
    xt_field_set_add(&rows.fields, XT_F_ARGS);
    assert_int_equal(xt_query_rows_run(&w->store, &rows, &answer, &problem), 0);
    uint32_t b = w->store.damaged - 1;
    assert_int_equal(n, N_EVENTS - (w->block_ends[b] - fake_begin(&w->store, b)));
    assert_int_equal(answer.n_matched, n);
    assert_true(answer.scan.n_damaged > 0);
    assert_true(strncmp(answer.scan.damaged, "block ", 6) == 0);
    query_fini(&rows.query, &none);
}

static void test_cancel_and_cursors(void **state)
{
    world *w = *state;
    atomic_bool cancel = true;
    xt_filter *filter;
    xt_answer answer = {.n_matched = 77};
    xt_problem problem = XT_PROBLEM_INIT;
    static wanted want;
    xt_buf none = XT_BUF_INIT;

    assert_int_equal(xt_filter_compile(XT_S(""), 0, &filter, &problem), 0);
    cut_blocks(w, false);
    xt_query query = {.filter = filter, .to_ms = INT64_MAX, .cancel = &cancel};
    assert_int_equal(xt_query_count(&w->store, &query, &answer, &problem), XT_QUERY_E_CANCELLED);
    assert_int_equal(answer.n_matched, 77);
    want.sort = XT_F_INVALID;
    want_rows(w, &query, XT_S(""), &want);
    seen s = {.world = w, .want = &want};
    xt_query_rows rows = {.query = query, .limit = 3, .on_row = on_row, .context = &s};
    xt_field_set_add(&rows.fields, XT_F_ARGS);
    assert_int_equal(xt_query_rows_run(&w->store, &rows, &answer, &problem), XT_QUERY_E_CANCELLED);
    cancel = false;
    assert_int_equal(xt_query_rows_run(&w->store, &rows, &answer, &problem), 0);
    char cursor[1024];
    memcpy(cursor, s.cursor, s.n_cursor);
    for (size_t i = 0; i <= s.n_cursor; i++) { /* every change of one character, and every shorter one */
        rows.after = xt_slice_of(cursor, s.n_cursor);
        if (i < s.n_cursor)
            cursor[i] = cursor[i] == 'A' ? 'B' : 'A';
        else
            rows.after.n = 5;
        assert_int_equal(xt_query_rows_run(&w->store, &rows, &answer, &problem), XT_QUERY_E_BAD_CURSOR);
        assert_true(problem.sentence[0]);
        if (i < s.n_cursor)
            cursor[i] = s.cursor[i];
    }
    rows.after = xt_slice_of(cursor, s.n_cursor);
    rows.oldest_first = true; /* a cursor of another order */
    assert_int_equal(xt_query_rows_run(&w->store, &rows, &answer, &problem), XT_QUERY_E_BAD_CURSOR);
    rows.after = XT_S("not a cursor!");
    assert_int_equal(xt_query_rows_run(&w->store, &rows, &answer, &problem), XT_QUERY_E_BAD_CURSOR);
    query_fini(&query, &none);
}

static void test_counts(void **state)
{
    world *w = *state;
    static wanted want;

    for (unsigned i = 0; i < 400; i++) {
        xt_buf kql = XT_BUF_INIT;
        xt_answer answer;
        xt_problem problem = XT_PROBLEM_INIT;
        xt_arena_reset(&w->arena);
        cut_blocks(w, i == 200);
        xt_query query = random_query(w, &kql);
        want.sort = XT_F_INVALID;
        want.reverse = false;
        want_rows(w, &query, xt_buf_slice(&kql), &want);
        assert_int_equal(xt_query_count(&w->store, &query, &answer, &problem), 0);
        assert_int_equal(answer.n_matched, want.n);
        assert_int_equal(answer.n_hidden, want.n_hidden);

        xt_query_bucket buckets[30], expect[30] = {{0, 0}};
        int64_t interval = 1 + dice_below(&w->dice, 90);
        query.from_ms = FIXTURE_START_MS + dice_below(&w->dice, 300);
        want_rows(w, &query, xt_buf_slice(&kql), &want);
        uint64_t n = 0;
        for (uint32_t k = 0; k < want.n; k++) {
            const xt_event *event = &w->events[want.rows[k]];
            uint64_t b = (event->values[XT_F_TIME].num - (uint64_t)query.from_ms) / (uint64_t)interval;
            if (b >= 30)
                continue;
            n++;
            expect[b].count++;
            expect[b].n_alerts += xt_event_has(event, XT_F_RULES);
        }
        assert_int_equal(xt_query_histogram(&w->store, &query, interval, buckets, 30, &answer, &problem), 0);
        assert_memory_equal(buckets, expect, sizeof buckets);
        assert_int_equal(answer.n_matched, n);
        query_fini(&query, &kql);
    }
}

/* ------------------------------------------------------------------------------------------------ groups */

typedef struct tally {
    char key[XT_QUERY_MAX_BY][800];
    uint64_t count;
} tally;
typedef struct tallies {
    tally items[20000];
    size_t n;
} tallies;

/* The distinct texts of a field, "absent" spelled as one byte 1. */
static size_t naive_texts(world *w, const xt_event *event, xt_field field, char texts[][800])
{
    xt_event full = *event;
    xt_field_set all = {{UINT64_MAX, UINT64_MAX}};
    const xt_field_info *info = xt_field_find(field);
    size_t n = 0;

    assert_int_equal(xt_event_derive(&full, all, &w->arena), 0);
    if (xt_event_has(&full, field) && info->type == XT_LIST) {
        xt_list_iter iter = xt_list_iterate(full.values[field].bytes);
        for (xt_slice item; xt_list_next(&iter, &item);) {
            memset(texts[n], 0, 800);
            snprintf(texts[n], 800, "%.*s", XT_S_ARGS(item));
            bool again = false;
            for (size_t i = 0; i < n; i++)
                again |= strcmp(texts[i], texts[n]) == 0;
            n += !again;
        }
    } else if (xt_event_has(&full, field) && info->type == XT_TEXT) {
        snprintf(texts[n++], 800, "%.*s", XT_S_ARGS(full.values[field].bytes));
    } else if (xt_event_has(&full, field)) {
        snprintf(texts[n++], 800, "%lld", (long long)full.values[field].num);
    }
    if (n == 0) {
        memset(texts[n], 0, 800);
        texts[n++][0] = 1;
    }
    return n;
}

static void tally_add(tallies *t, const tally *key)
{
    for (size_t i = 0; i < t->n; i++)
        if (memcmp(t->items[i].key, key->key, sizeof key->key) == 0) {
            t->items[i].count++;
            return;
        }
    assert_true(t->n < XT_COUNT_OF(t->items));
    t->items[t->n] = *key;
    t->items[t->n++].count = 1;
}

static void naive_tuples(world *w, const xt_event *event, const xt_query_key *by, size_t n_by, size_t k, tally *key,
                         tallies *t)
{
    char texts[16][800] = {{0}};

    if (k == n_by) {
        tally_add(t, key);
        return;
    }
    size_t n = naive_texts(w, event, by[k].field, texts);
    if (by[k].bin_ms) {
        memset(texts[0], 0, 800);
        xt_timestamp_format(
            (int64_t)(event->values[XT_F_TIME].num - event->values[XT_F_TIME].num % (uint64_t)by[k].bin_ms), texts[0]);
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(key->key[k], texts[i], sizeof key->key[k]);
        naive_tuples(w, event, by, n_by, k + 1, key, t);
    }
}

static int by_count(const void *x, const void *y)
{
    const tally *a = x, *b = y;

    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    for (size_t k = 0; k < XT_QUERY_MAX_BY; k++) {
        bool no_a = a->key[k][0] == 1, no_b = b->key[k][0] == 1;
        int r = no_a || no_b ? no_a - no_b : strcmp(a->key[k], b->key[k]);
        if (r)
            return r;
    }
    return 0;
}

static const xt_field by_fields[] = {XT_F_USER, XT_F_HOST, XT_F_UID,  XT_F_EXIT, XT_F_KEY,
                                     XT_F_CMD,  XT_F_ARGC, XT_F_PATH, XT_F_AUID, XT_F_ENTITY};

static void check_groups(world *w, const xt_query *query, const wanted *want, tallies *t)
{
    xt_query_key by[XT_QUERY_MAX_BY] = {{XT_F_INVALID, 0}};
    size_t n_by = 1 + dice_below(&w->dice, 3), n;
    uint64_t limit = dice_below(&w->dice, 3) ? 0 : 5;
    xt_query_group *groups;
    xt_answer answer;
    xt_problem problem = XT_PROBLEM_INIT;

    for (size_t k = 0; k < n_by; k++)
        by[k].field = by_fields[dice_below(&w->dice, XT_COUNT_OF(by_fields))];
    if (dice_below(&w->dice, 3) == 0)
        by[0] = (xt_query_key){XT_F_TIME, 1 + dice_below(&w->dice, 100)};
    t->n = 0;
    for (uint32_t i = 0; i < want->n; i++) {
        tally key;
        memset(&key, 0, sizeof key);
        naive_tuples(w, &w->events[want->rows[i]], by, n_by, 0, &key, t);
    }
    qsort(t->items, t->n, sizeof t->items[0], by_count);
    assert_int_equal(xt_query_by(&w->store, query, by, n_by, limit, &w->arena, &groups, &n, &answer, &problem), 0);
    assert_int_equal(n, limit && limit < t->n ? limit : t->n);
    assert_int_equal(answer.truncated, n < t->n);
    assert_int_equal(answer.n_matched, want->n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(groups[i].count, t->items[i].count);
        for (size_t k = 0; k < n_by; k++) {
            xt_slice text = groups[i].values[k].p ? groups[i].values[k] : XT_S("\x01");
            if (!xt_slice_eq(text, xt_slice_str(t->items[i].key[k])))
                fail_msg("group %zu by %s: [%.*s], not [%s]", i, xt_field_find(by[k].field)->name, XT_S_ARGS(text),
                         t->items[i].key[k]);
        }
    }
}

static void test_groups(void **state)
{
    world *w = *state;
    tallies *t = calloc(1, sizeof *t);
    static wanted want;

    for (unsigned i = 0; i < 150; i++) {
        xt_buf kql = XT_BUF_INIT;
        xt_arena_reset(&w->arena);
        cut_blocks(w, i == 75);
        xt_query query = random_query(w, &kql);
        want.sort = XT_F_INVALID;
        want_rows(w, &query, xt_buf_slice(&kql), &want);
        check_groups(w, &query, &want, t);
        query_fini(&query, &kql);
    }
    free(t);
}

/* What a budget ended says so, and is less than the whole; what it did not end says nothing. */
static void test_budgets(void **state)
{
    world *w = *state;
    xt_query_key by = {XT_F_CMD, 0};
    xt_filter *filter;
    xt_query_group *groups;
    size_t n, n_all;
    xt_answer answer;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_buf none = XT_BUF_INIT;

    assert_int_equal(xt_filter_compile(XT_S("cmd:* or not cmd:nmap"), 0, &filter, &problem), 0);
    cut_blocks(w, false);
    xt_query query = {.filter = filter, .to_ms = INT64_MAX, .n_threads = 2, .explain = true};
    assert_int_equal(xt_query_by(&w->store, &query, &by, 1, 0, &w->arena, &groups, &n_all, &answer, &problem), 0);
    assert_false(answer.partial);
    assert_null(answer.reason);
    assert_int_equal(answer.n_matched, N_EVENTS);
    assert_int_equal(answer.cost.n_parts, w->store.n_blocks);
    assert_int_equal(answer.cost.n_read, w->store.n_blocks);
    assert_int_equal(answer.cost.n_terms, 2);
    const xt_query_term *term = &answer.cost.terms[strstr(answer.cost.terms[0].text, "nmap") ? 0 : 1];
    assert_non_null(strstr(term->text, "nmap"));
    assert_true(term->n_values_matched > 0 && term->n_values_matched < term->n_values_looked_at);
    assert_true(term->n_chunks_skipped > 0);
    query.max_memory_bytes = 4000;
    assert_int_equal(xt_query_by(&w->store, &query, &by, 1, 0, &w->arena, &groups, &n, &answer, &problem), 0);
    assert_true(answer.partial && answer.reason && n < n_all);
    query.max_memory_bytes = 0;
    query.max_ms = 2;
    w->store.pause_us = 1000;
    assert_int_equal(xt_query_count(&w->store, &query, &answer, &problem), 0);
    assert_true(answer.partial && answer.reason && answer.n_matched < N_EVENTS);
    w->store.pause_us = 0;
    query_fini(&query, &none);
}

static void test_groups_refused(void **state)
{
    world *w = *state;
    xt_query_key by = {XT_F_RECORDS, 0};
    xt_filter *filter;
    xt_query_group *groups;
    size_t n;
    xt_answer answer;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_buf none = XT_BUF_INIT;

    assert_int_equal(xt_filter_compile(XT_S(""), 0, &filter, &problem), 0);
    xt_query query = {.filter = filter, .to_ms = INT64_MAX};
    assert_int_equal(xt_query_by(&w->store, &query, &by, 1, 0, &w->arena, &groups, &n, &answer, &problem),
                     XT_KQL_E_SYNTAX);
    assert_non_null(strstr(problem.sentence, "auditd.records"));
    query_fini(&query, &none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),       cmocka_unit_test(test_counts),
        cmocka_unit_test(test_groups),     cmocka_unit_test(test_groups_refused),
        cmocka_unit_test(test_budgets),    cmocka_unit_test(test_cancel_and_cursors),
        cmocka_unit_test(test_stop_early), cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, world_new, world_free);
}

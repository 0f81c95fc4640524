/*
 * What the tests of the store share: a folder, a seeded generator of events, and the list of what must be there.
 */
#pragma once
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <zstd.h>

#include "../dice.h"
#include "event/batch_codec.h"
#include "store/derived.h"
#include "store/store.h"

#define UNUSED __attribute__((unused))

/* ------------------------------------------------------------------------------------------------ folder */

static UNUSED void folder_remove(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        char sub[600];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(sub, sizeof sub, "%s/%s", path, e->d_name);
        if (unlink(sub) < 0)
            folder_remove(sub);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

static UNUSED char *folder_new_in(const char *parent)
{
    char *path;
    assert_true(asprintf(&path, "%s/xt-store-XXXXXX", parent) > 0);
    assert_non_null(mkdtemp(path));
    return path;
}

/* In memory where there is such a place: what these tests ask of a sync is the order, not the disk. */
static UNUSED char *folder_new(void)
{
    return folder_new_in(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
}

/* Files and folders; to is there. */
static UNUSED void folder_copy(const char *from, const char *to)
{
    DIR *dir = opendir(from);
    char source[600], target[600];

    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        xt_buf bytes = XT_BUF_INIT;
        struct stat st;
        snprintf(source, sizeof source, "%s/%s", from, e->d_name);
        snprintf(target, sizeof target, "%s/%s", to, e->d_name);
        if (e->d_name[0] == '.' || stat(source, &st) < 0)
            continue;
        if (S_ISDIR(st.st_mode)) {
            assert_int_equal(mkdir(target, 0700), 0);
            folder_copy(source, target);
            continue;
        }
        assert_int_equal(xt_vfs_read_file(&xt_vfs_system, source, SIZE_MAX, &bytes), 0);
        FILE *f = fopen(target, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(bytes.p, 1, bytes.n, f), bytes.n);
        assert_int_equal(fclose(f), 0);
        xt_buf_fini(&bytes);
    }
    closedir(dir);
}

static UNUSED char *folder_drop(char *path)
{
    folder_remove(path);
    free(path);
    return NULL;
}

static UNUSED void must(int r, const xt_problem *problem)
{
    if (r != 0) {
        char text[1000];
        xt_buf out = XT_BUF_ON(text);
        xt_problem_format(problem, &out);
        text[out.n] = '\0';
        fail_msg("%d: %s", r, text);
    }
}

static UNUSED xt_store *store_open(const char *dir, const xt_store_settings *settings)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_store *store = NULL;
    must(xt_store_open(dir, settings, &store, &problem), &problem);
    return store;
}

/* ------------------------------------------------------------------------------------------------ generator */

static UNUSED uint64_t dice_below(dice *d, uint64_t n)
{
    return dice_next(d) % n;
}

static UNUSED xt_slice dice_text(dice *d, xt_arena *arena)
{
    static const char *const words[] = {"", "bash", "/usr/bin/env", "root", "a b", "exec"};
    if (dice_below(d, 3))
        return xt_slice_str(words[dice_below(d, XT_COUNT_OF(words))]);
    size_t n = dice_below(d, dice_below(d, 40) ? 30 : 3000);
    char *p = xt_arena_alloc(arena, n);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)dice_next(d);
    return xt_slice_of(p, n);
}

static UNUSED uint64_t dice_number(dice *d)
{
    switch (dice_below(d, 6)) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX - dice_below(d, 100); /* a small negative number */
    case 2:
        return dice_next(d);
    default:
        return dice_below(d, 70000);
    }
}

/* LIST, PATHS and RECORDS as the codec of events has them. */
static UNUSED xt_slice dice_bytes(dice *d, xt_type type, xt_arena *arena)
{
    xt_slice items[4] = {dice_text(d, arena), dice_text(d, arena), dice_text(d, arena), dice_text(d, arena)};
    xt_buf out = XT_BUF_INIT;

    if (type == XT_LIST) {
        xt_list_put(&out, items, dice_below(d, 5));
    } else if (type == XT_PATHS) {
        xt_path paths[2] = {{.item = 0,
                             .has_name = true,
                             .name = items[0],
                             .nametype = XT_S("NORMAL"),
                             .has_inode = true,
                             .inode = dice_next(d),
                             .mode = 0100755},
                            {.item = 1, .nametype = XT_S("UNKNOWN"), .rest = items[1]}};
        xt_paths_put(&out, paths, dice_below(d, 3));
    } else if (type == XT_RECORDS) {
        xt_buf_put_varint(&out, 1);
        xt_buf_put_varint(&out, 1300);
        xt_buf_put_varint(&out, 1);
        xt_buf_put_block(&out, items[0]);
        xt_buf_put_u8(&out, XT_REC_HEX);
        xt_buf_put_block(&out, items[1]);
    } else {
        return items[0];
    }
    xt_slice s = xt_arena_copy(arena, xt_buf_slice(&out));
    xt_buf_fini(&out);
    return s;
}

/* Any stored field, each with its own likelihood; SERVER fields only when asked. */
static UNUSED void dice_event(dice *d, int64_t time_ms, bool server, xt_arena *arena, xt_event *event)
{
    xt_event_reset(event);
    for (unsigned f = 1; f < XT_F_END; f++) {
        const xt_field_info *info = xt_field_find(f);
        if (!info || info->flags & XT_VIRTUAL || !!(info->flags & XT_SERVER) != server)
            continue;
        if (f == XT_F_TIME)
            xt_event_set_num(event, XT_F_TIME, (uint64_t)time_ms);
        else if (f % 4 == 3 ? dice_below(d, 40) : f % 4 == 2 && dice_below(d, 2))
            continue;
        else if (info->type == XT_TIME || info->type == XT_UINT || info->type == XT_INT)
            xt_event_set_num(event, info->id, dice_number(d));
        else
            xt_event_set_bytes(event, info->id, dice_bytes(d, info->type, arena));
    }
}

/* ------------------------------------------------------------------------------------------------ what must be there */

/* Canonical bytes by arrival (from 1), SERVER fields applied. */
typedef struct truth {
    xt_slice *events;
    size_t n, cap;
    xt_arena arena;
} truth;

static UNUSED void truth_init(truth *t)
{
    *t = (truth){0};
    xt_arena_init(&t->arena, SIZE_MAX);
}

static UNUSED void truth_fini(truth *t)
{
    free(t->events);
    xt_arena_fini(&t->arena);
}

static UNUSED void truth_add(truth *t, const xt_event *event)
{
    xt_buf out = XT_BUF_INIT;
    xt_event_encode(event, &out);
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->events = reallocarray(t->events, t->cap, sizeof *t->events);
    }
    t->events[t->n++] = xt_arena_copy(&t->arena, xt_buf_slice(&out));
    xt_buf_fini(&out);
}

/* ------------------------------------------------------------------------------------------------ batches */

/* One sender: batches numbered and chained. */
typedef struct sender {
    xt_hash128 stream, last;
    uint64_t number;
    dice d;
    int64_t time_ms;
    xt_buf events, derived, frame;
} sender;

static UNUSED void sender_init(sender *s, uint64_t seed)
{
    *s = (sender){.d = {seed}, .time_ms = 1700000000000};
    memcpy(s->stream.b, &seed, sizeof seed);
    s->stream.b[15] = 1;
}

static UNUSED void sender_fini(sender *s)
{
    xt_buf_fini(&s->events);
    xt_buf_fini(&s->derived);
    xt_buf_fini(&s->frame);
}

/* With zstd alone and with the dictionary of today, in turn: both stand in pending.db as they came. */
static UNUSED uint32_t sender_pack(sender *s)
{
    uint64_t codec;
    xt_buf_reset(&s->frame);
    assert_int_equal(
        xt_codec_pack(xt_buf_slice(&s->events), s->number % 2 ? XT_CODEC_ZSTD : xt_codec_newest(), &s->frame, &codec),
        0);
    return (uint32_t)codec;
}

/* The batch of what events and derived hold now; valid until the next. */
static UNUSED xt_store_batch sender_batch(sender *s, uint64_t n, bool packed)
{
    xt_store_batch batch = {
        .stream = s->stream,
        .number = ++s->number,
        .n_events = n,
        .chain = s->last,
        .hash = xt_slice_hash128(xt_buf_slice(&s->events)),
        .host_id = XT_S("0123456789abcdef0123456789abcdef"),
        .frame = xt_buf_slice(&s->events),
        .events = xt_buf_slice(&s->events),
        .derived = xt_buf_slice(&s->derived),
    };
    if (packed) {
        batch.frame_codec = sender_pack(s);
        batch.frame = xt_buf_slice(&s->frame);
    }
    s->last = batch.hash;
    return batch;
}

/* A batch of n random events; what must be found of it is added to the truth (may be NULL). */
static UNUSED xt_store_batch sender_next(sender *s, uint64_t n, truth *t)
{
    xt_arena arena;
    xt_event event, more;

    xt_arena_init(&arena, SIZE_MAX);
    xt_buf_reset(&s->events);
    xt_buf_reset(&s->derived);
    bool any = dice_below(&s->d, 3) > 0;
    xt_derived_writer writer = {0};
    if (any)
        writer = xt_derived_write_to(&s->derived);
    for (uint64_t i = 0; i < n; i++) {
        s->time_ms += (int64_t)dice_below(&s->d, 9) - 2;
        dice_event(&s->d, s->time_ms, false, &arena, &event);
        xt_event_batch_put(&s->events, &event);
        if (any && dice_below(&s->d, 4) == 0) {
            dice_event(&s->d, 0, true, &arena, &more);
            xt_derived_put(&writer, i, &more);
            for (unsigned f = 1; f < XT_F_END; f++)
                if (xt_event_has(&more, (xt_field)f)) {
                    event.values[f] = more.values[f];
                    xt_field_set_add(&event.present, (xt_field)f);
                }
        }
        if (t)
            truth_add(t, &event);
        xt_arena_reset(&arena);
    }
    xt_arena_fini(&arena);
    return sender_batch(s, n, dice_below(&s->d, 2));
}

static UNUSED int append_one(xt_store *store, const xt_store_batch *batch)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int outcome = -1;
    must(xt_store_append(store, batch, 1, &outcome, &problem), &problem);
    return outcome;
}

/* ------------------------------------------------------------------------------------------------ comparing */

#define ALL_FIELDS ((xt_field_set){{~UINT64_C(0), ~UINT64_C(0)}})

typedef struct comparison {
    const truth *t;
    xt_buf out;
    char *seen;
    size_t *by_content; /* places in the truth */
    size_t n;
} comparison;

static const truth *truth_sorted; /* qsort has no context */

static int truth_order(const void *a, const void *b)
{
    size_t i = *(const size_t *)a, j = *(const size_t *)b;
    xt_slice x = truth_sorted->events[i], y = truth_sorted->events[j];
    int c = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);
    return c ? c : x.n != y.n ? (x.n > y.n) - (x.n < y.n) : (i > j) - (i < j);
}

/* The first event of these bytes that was not seen; t->n: there is none. */
static size_t truth_find(comparison *c, xt_slice bytes)
{
    size_t low = 0, high = c->t->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        xt_slice at = c->t->events[c->by_content[middle]];
        int order = memcmp(at.p, bytes.p, at.n < bytes.n ? at.n : bytes.n);
        if (order < 0 || (order == 0 && at.n < bytes.n))
            low = middle + 1;
        else
            high = middle;
    }
    while (low < c->t->n && c->seen[c->by_content[low]])
        low++;
    return low < c->t->n && xt_slice_eq(c->t->events[c->by_content[low]], bytes) ? c->by_content[low] : c->t->n;
}

/* Where merging dropped a row's arrival the one given is not above it. */
static int compare_row(void *context, const xt_event *event, uint64_t arrival)
{
    comparison *c = context;

    assert_in_range(arrival, 1, c->t->n);
    xt_buf_reset(&c->out);
    xt_event_encode(event, &c->out);
    size_t at = arrival - 1;
    if (c->seen[at] || !xt_slice_eq(xt_buf_slice(&c->out), c->t->events[at]))
        at = truth_find(c, xt_buf_slice(&c->out));
    assert_in_range(at, arrival - 1, c->t->n - 1);
    c->seen[at] = 1;
    c->n++;
    return 0;
}

/* Every row of a scan of everything is the truth's, each at most once; returns how many there were, and which. */
static UNUSED size_t truth_compare_seen(const truth *t, xt_store *store, xt_scan_info *ret_info, bool *ret_seen)
{
    xt_scan_spec spec = {.to_ms = XT_TIMESTAMP_MAX_MS};
    xt_problem problem = XT_PROBLEM_INIT;
    comparison c = {.t = t, .seen = calloc(1, t->n + 1), .by_content = calloc(t->n + 1, sizeof(size_t))};
    xt_scan_info info;

    for (size_t i = 0; i < t->n; i++)
        c.by_content[i] = i;
    truth_sorted = t;
    qsort(c.by_content, t->n, sizeof *c.by_content, truth_order);
    must(xt_scan_each(store, &spec, ALL_FIELDS, compare_row, &c, &info, &problem), &problem);
    if (ret_info)
        *ret_info = info;
    for (size_t i = 0; ret_seen && i < t->n; i++)
        ret_seen[i] = c.seen[i];
    xt_buf_fini(&c.out);
    free(c.seen);
    free(c.by_content);
    return c.n;
}

static UNUSED size_t truth_compare(const truth *t, xt_store *store, xt_scan_info *ret_info)
{
    return truth_compare_seen(t, store, ret_info, NULL);
}

/* Parts of a scan: newest first, each with times that its rows have; returns how many there are. */
static UNUSED size_t parts_check(xt_store *store)
{
    xt_scan_spec spec = {.to_ms = XT_TIMESTAMP_MAX_MS};
    xt_problem problem = XT_PROBLEM_INIT;
    int64_t before = INT64_MAX;
    const xt_column *times;
    xt_scan *scan;

    must(xt_scan_open(store, &spec, &scan, &problem), &problem);
    xt_scan_reader *reader = xt_scan_reader_new(scan);
    size_t n = xt_scan_parts(scan);
    for (size_t i = 0; i < n; i++) {
        const xt_zone *zone = xt_scan_zone(scan, i);
        assert_true(zone->max_ms <= before && zone->source < xt_scan_sources(scan));
        before = zone->max_ms;
        xt_scan_reader_begin(reader, i);
        must(xt_scan_column(reader, XT_F_TIME, &times, &problem), &problem);
        for (uint32_t row = 0; row < zone->n_rows; row++)
            assert_true((int64_t)times->numbers[row] >= zone->min_ms && (int64_t)times->numbers[row] <= zone->max_ms);
    }
    xt_scan_reader_free(reader);
    xt_scan_close(scan);
    return n;
}

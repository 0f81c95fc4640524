/*
 * How long queries take on a folder of events, and what a row group costs them. Usage: query_bench DIR [REPEAT [THREADS [NAME]]]
 * (a server's data folder, not in use), or query_bench DIR load < audit.log to fill a new one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "event/decoder.h"
#include "query/query.h"

#define BATCH_EVENTS 5000

typedef struct load {
    xt_store *store;
    xt_buf events;
    uint64_t number, n;
    xt_hash128 stream, last;
} load;

static void die(const char *what, int r, const xt_problem *problem)
{
    fprintf(stderr, "%s: %d %s\n", what, r, problem ? problem->sentence : "");
    exit(1);
}

static int flush(load *l)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int outcome = 0;
    xt_store_batch batch = {.stream = l->stream,
                            .number = ++l->number,
                            .n_events = l->n,
                            .chain = l->last,
                            .hash = xt_slice_hash128(xt_buf_slice(&l->events)),
                            .host_id = XT_S("0123456789abcdef0123456789abcdef"),
                            .frame = xt_buf_slice(&l->events),
                            .events = xt_buf_slice(&l->events)};
    int r = xt_store_append(l->store, &batch, 1, &outcome, &problem);

    if (r || outcome)
        die("append", r ? r : outcome, &problem);
    l->last = batch.hash;
    xt_buf_reset(&l->events);
    l->n = 0;
    return 0;
}

static int on_event(void *context, xt_event *event, xt_arena *arena)
{
    load *l = context;

    xt_event_batch_put(&l->events, event);
    return ++l->n == BATCH_EVENTS ? flush(l) : 0;
}

static void fill(xt_store *store)
{
    static char piece[1 << 16];
    load l = {.store = store, .stream = {{1}}};
    xt_decoder_settings settings = {
        .origin = {.host_name = {"bench", 5}}, .source = "stdin", .on_event = on_event, .context = &l};
    xt_decoder *decoder;
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_decoder_new(&settings, &decoder);

    for (size_t n; r == 0 && (n = fread(piece, 1, sizeof piece, stdin)) > 0;)
        r = xt_decoder_feed(decoder, xt_slice_of(piece, n));
    if (r == 0)
        r = xt_decoder_finish(decoder);
    if (r == 0 && l.n)
        r = flush(&l);
    xt_decoder_free(decoder);
    if (r == 0)
        r = xt_store_compact(store, &problem);
    if (r)
        die("load", r, &problem);
    xt_buf_fini(&l.events);
}

static int on_row(void *context, xt_event *event, xt_slice cursor)
{
    ++*(uint64_t *)context;
    return 0;
}

typedef enum work {
    WORK_COUNT,
    WORK_ROWS,
    WORK_ALL,
    WORK_BY,
    WORK_BY_TWO,
    WORK_BY_HOUR,
    WORK_BY_HOST,
    WORK_HISTOGRAM
} work;

static int run(xt_store *store, work what, const xt_query *query, xt_answer *answer, uint64_t *result)
{
    static const xt_query_key keys[][2] = {[WORK_BY] = {{XT_F_EXE, 0}},
                                           [WORK_BY_TWO] = {{XT_F_EXE, 0}, {XT_F_USER, 0}},
                                           [WORK_BY_HOUR] = {{XT_F_EXE, 0}, {XT_F_TIME, 3600000}},
                                           [WORK_BY_HOST] = {{XT_F_USER, 0}, {XT_F_HOST, 0}}};
    static xt_query_bucket buckets[100];
    xt_problem problem = XT_PROBLEM_INIT;
    xt_query_group *groups;
    xt_query_rows rows = {.query = *query, .limit = what == WORK_ALL ? 0 : 100, .on_row = on_row, .context = result};
    xt_store_stats stats;
    xt_arena arena;
    size_t n;
    int r;

    rows.fields = (xt_field_set){{UINT64_MAX, UINT64_MAX}};
    xt_arena_init(&arena, 1 << 30);
    *result = 0;
    switch (what) {
    case WORK_COUNT:
        r = xt_query_count(store, query, answer, &problem);
        *result = answer->n_matched;
        break;
    case WORK_ROWS:
    case WORK_ALL:
        r = xt_query_rows_run(store, &rows, answer, &problem);
        break;
    case WORK_HISTOGRAM:
        r = xt_store_stats_get(store, &stats);
        if (r == 0) {
            xt_query narrow = *query;
            narrow.from_ms = stats.first_ms;
            r = xt_query_histogram(store, &narrow, (stats.last_ms - stats.first_ms) / 99 + 1, buckets, 100, answer,
                                   &problem);
            *result = answer->n_matched;
        }
        break;
    default:
        r = xt_query_by(store, query, keys[what], what == WORK_BY ? 1 : 2, 10, &arena, &groups, &n, answer, &problem);
        *result = n;
    }
    xt_arena_fini(&arena);
    if (r)
        die("query", r, &problem);
    return r;
}

static const struct {
    const char *name;
    work work;
    const char *kql;
} cases[] = {
    {"count all", WORK_COUNT, ""},
    {"count substring", WORK_COUNT, "cmd:apt"},
    {"count phrase", WORK_COUNT, "cmd:\"-c echo\""},
    {"count expression", WORK_COUNT, "cmd:/apt(-get)? +install/"},
    {"count uid < 1000, no tty", WORK_COUNT, "uid < 1000 and tty:\"(none)\" and not auid:*"},
    {"count exe pattern", WORK_COUNT, "exe:/usr/bin/*"},
    {"count path", WORK_COUNT, "path:/etc/passwd"},
    {"by exe", WORK_BY, ""},
    {"by exe, user", WORK_BY_TWO, ""},
    {"by exe, hour", WORK_BY_HOUR, ""},
    {"by user, host", WORK_BY_HOST, ""},
    {"by exe, of a substring", WORK_BY, "cmd:apt"},
    {"histogram", WORK_HISTOGRAM, ""},
    {"newest 100", WORK_ROWS, ""},
    {"newest 100 of a user", WORK_ROWS, "user:root"},
    {"newest 100 of a substring", WORK_ROWS, "cmd:apt"},
    {"needle: 100 of a rare one", WORK_ROWS, "cmd:needle-in-a-haystack"},
    {"needle: event id", WORK_ROWS, "id:ffffffffffffffffffffffffffffffff"},
    {"export all rows", WORK_ALL, ""},
};

static int64_t cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * INT64_C(1000000) + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

int main(int argc, char **argv)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_store *store = NULL;
    uint64_t repeat = 5, n_threads = 0;
    int r = argc > 1 ? xt_store_open(argv[1], NULL, &store, &problem) : -1;

    if (r)
        die("usage: query_bench DIR [REPEAT|load]", r, &problem);
    if (argc > 2 && !xt_slice_parse_u64(xt_slice_str(argv[2]), &repeat)) {
        repeat = 0;
        fill(store);
    }
    if (argc > 3 && !xt_slice_parse_u64(xt_slice_str(argv[3]), &n_threads))
        die("THREADS", 1, NULL);
    for (size_t c = 0; c < XT_COUNT_OF(cases) && repeat > 0; c++) {
        xt_filter *filter;
        xt_answer answer = {0};
        if (argc > 4 && strcmp(argv[4], cases[c].name) != 0)
            continue;
        int64_t best = INT64_MAX, best_cpu = INT64_MAX;
        uint64_t result;
        if (xt_filter_compile(xt_slice_str(cases[c].kql), 0, &filter, &problem))
            die(cases[c].kql, 1, &problem);
        xt_query query = {.filter = filter, .to_ms = INT64_C(253402300799999), .n_threads = (unsigned)n_threads};
        for (int i = 0; i < (cases[c].work == WORK_ALL ? 1 : (int)repeat); i++) {
            int64_t cpu = -cpu_us();
            run(store, cases[c].work, &query, &answer, &result);
            cpu += cpu_us();
            best_cpu = cpu < best_cpu ? cpu : best_cpu;
            best = answer.took_us < best ? answer.took_us : best;
        }
        uint64_t n_parts = answer.cost.n_parts ? answer.cost.n_parts : 1;
        printf("%-28s %10.2f ms %10.2f ms CPU, %8.1f us a part  %9llu  (%llu parts, %llu read)\n", cases[c].name,
               (double)best / 1e3, (double)best_cpu / 1e3, (double)best_cpu / (double)n_parts,
               (unsigned long long)result, (unsigned long long)n_parts, (unsigned long long)answer.cost.n_read);
        xt_filter_free(filter);
    }
    xt_store_close(store);
    return 0;
}

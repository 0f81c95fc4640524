/*
 * A data folder of its own, a clock that a test sets, a rule, events and batches. Each test program includes this once.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fts.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/timestamp.h"
#include "server/app.h"
#include "wire/batch.h"

#define T0    INT64_C(1790000000000)
#define HOST  "0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210"

static const char evil_rule[] = "title: Evil in the arguments\n"
                                "id: 11111111-1111-1111-1111-111111111111\n"
                                "status: test\n"
                                "description: for tests\n"
                                "author: tests\n"
                                "logsource: {product: linux, category: process_creation}\n"
                                "detection:\n"
                                "  selection:\n"
                                "    CommandLine|contains: evil\n"
                                "  condition: selection\n"
                                "level: high\n";

static atomic_int_least64_t fixture_now = T0;

static int64_t fixture_wall(const xt_clock *clock)
{
    return atomic_load(&fixture_now);
}

static int64_t fixture_mono(const xt_clock *clock)
{
    return xt_clock_mono_ms(&xt_clock_system);
}

static const xt_clock fixture_clock = {.wall_ms = fixture_wall, .mono_ms = fixture_mono};

typedef struct fixture {
    char dir[64], data[80], rules[80], rule[100];
    const char *rule_paths[1];
    xt_app_settings settings;
    xt_app *app;
} fixture;

static inline void fixture_write(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static inline int fixture_setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/xt-server-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->data, sizeof f->data, "%s/data", f->dir);
    snprintf(f->rules, sizeof f->rules, "%s/rules", f->dir);
    snprintf(f->rule, sizeof f->rule, "%s/evil.yml", f->rules);
    assert_int_equal(mkdir(f->rules, 0700), 0);
    fixture_write(f->rule, evil_rule);
    f->rule_paths[0] = f->rules;
    f->settings = (xt_app_settings){
        .data = f->data, .rules = f->rule_paths, .n_rules = 1, .no_own_rules = true, .clock = &fixture_clock};
    atomic_store(&fixture_now, T0);
    *state = f;
    return 0;
}

static inline void fixture_open(fixture *f)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_app_open(&f->settings, &f->app, &problem);
    if (r)
        print_error("open: %d %s\n", r, problem.sentence);
    assert_int_equal(r, 0);
}

static inline void fixture_close(fixture *f)
{
    f->app = xt_app_close(f->app);
}

static inline int fixture_teardown(void **state)
{
    fixture *f = *state;
    char *paths[] = {f->dir, NULL};

    xt_app_close(f->app);
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *e; (e = fts_read(tree)) != NULL;)
        if (e->fts_info != FTS_D)
            (void)remove(e->fts_accpath);
    fts_close(tree);
    free(f);
    return 0;
}

/* An exec of `program argument` by uid 33 whose parent is `parent`. */
static inline void fixture_event(xt_buf *out, const char *host_id, int64_t t_ms, uint32_t serial, const char *program,
                                 const char *argument, const char *parent)
{
    XT_CLEANUP(xt_buf_fini) xt_buf args = XT_BUF_INIT;
    xt_slice items[] = {xt_slice_str(program), xt_slice_str(argument)};
    xt_event event;

    xt_event_reset(&event);
    xt_list_put(&args, items, 2);
    xt_event_set_num(&event, XT_F_TIME, (uint64_t)t_ms);
    xt_event_set_num(&event, XT_F_SERIAL, serial);
    xt_event_set_bytes(&event, XT_F_ACTION, XT_S("executed"));
    xt_event_set_bytes(&event, XT_F_OUTCOME, XT_S("success"));
    xt_event_set_bytes(&event, XT_F_HOST, XT_S("web-1"));
    xt_event_set_bytes(&event, XT_F_HOST_ID, xt_slice_str(host_id));
    xt_event_set_num(&event, XT_F_UID, 33);
    xt_event_set_bytes(&event, XT_F_USER, XT_S("www-data"));
    xt_event_set_num(&event, XT_F_PID, 100 + serial);
    xt_event_set_num(&event, XT_F_PPID, 99);
    xt_event_set_bytes(&event, XT_F_EXE, xt_slice_str(program));
    xt_event_set_bytes(&event, XT_F_ARGS, xt_buf_slice(&args));
    xt_event_set_bytes(&event, XT_F_PARENT_EXE, xt_slice_str(parent));
    xt_event_batch_put(out, &event);
}

typedef struct fixture_stream {
    xt_hash128 stream, chain;
    uint64_t number;
} fixture_stream;

/* The next batch of a stream. */
static inline void fixture_batch(fixture_stream *s, xt_slice events, uint64_t n, xt_buf *payload)
{
    assert_int_equal(xt_batch_encode(s->stream, ++s->number, n, s->chain, events, payload), 0);
    s->chain = xt_batch_hash(xt_buf_slice(payload));
}

/* Ingests and waits for the outcome. */
typedef struct fixture_waiter {
    atomic_int n;
    int outcome;
    uint64_t number;
} fixture_waiter;

static inline void fixture_done(void *context, int outcome, uint64_t number)
{
    fixture_waiter *w = context;
    w->outcome = outcome;
    w->number = number;
    atomic_fetch_add(&w->n, 1);
}

static inline bool fixture_until(atomic_int *n, int at_least)
{
    for (int i = 0; i < 20000 && atomic_load(n) < at_least; i++)
        usleep(1000);
    return atomic_load(n) >= at_least;
}

static inline int fixture_ingest(fixture *f, const char *host_id, xt_slice payload)
{
    fixture_waiter w = {0};
    assert_int_equal(xt_app_ingest(f->app, xt_slice_str(host_id), payload, fixture_done, &w), 0);
    assert_true(fixture_until(&w.n, 1));
    return w.outcome;
}

static inline uint64_t fixture_count(fixture *f, const char *kql)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_filter *filter = NULL;
    xt_answer answer = {0};
    assert_int_equal(xt_filter_compile(xt_slice_str(kql), T0, &filter, &problem), 0);
    xt_query query = {.filter = filter, .to_ms = XT_TIMESTAMP_MAX_MS};
    assert_int_equal(xt_query_count(xt_app_store(f->app), &query, &answer, &problem), 0);
    xt_filter_free(filter);
    return answer.n_matched;
}

typedef struct fixture_alerts {
    size_t n;
    xt_alert all[16];
    char document[4096];
} fixture_alerts;

static inline int fixture_keep_alert(void *context, const xt_alert *alert)
{
    fixture_alerts *a = context;
    if (a->n < XT_COUNT_OF(a->all))
        a->all[a->n] = *alert;
    a->n++;
    snprintf(a->document, sizeof a->document, "%.*s", XT_S_ARGS(alert->document));
    return 0;
}

static inline void fixture_alerts_get(fixture *f, const char *status, fixture_alerts *ret)
{
    *ret = (fixture_alerts){0};
    assert_int_equal(xt_app_alerts_list(f->app, status, 0, fixture_keep_alert, ret, NULL), 0);
}

/*
 * The stamp inside each line is rewritten before the line is decoded, so a replayed event is in nothing different from one
 * that happens now; serials repeat with each round, times do not.
 */
#include "server/demo.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "io/vfs.h"
#include "server/app_parts.h"
#include "server/import.h"

enum {
    MAX_BYTES = 256 << 20,
    MAX_PAUSE_MS = 5000,
    TICK_MS = 100,
};

struct xt_demo {
    xt_app *app;
    xt_import *import;
    xt_buf text, line;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    int64_t shift_ms; /* what is added to a record's time */
    bool shift_known;
};

bool xt_demo_stamp(xt_slice line, size_t *ret_at, size_t *ret_n, int64_t *ret_ms)
{
    ptrdiff_t at = xt_slice_find(line, XT_S("audit("));
    xt_slice stamp, s;
    uint64_t sec, ms;

    if (at < 0)
        return false;
    xt_slice rest = xt_slice_skip(line, (size_t)at + 6);
    ptrdiff_t colon = xt_slice_find_byte(rest, ':');
    if (colon < 0)
        return false;
    stamp = xt_slice_head(rest, (size_t)colon);
    xt_slice left = stamp;
    if (!xt_slice_cut(&left, '.', &s) || !xt_slice_parse_u64(s, &sec) || left.n != 3 ||
        !xt_slice_parse_u64(left, &ms) || sec > INT64_MAX / 2000)
        return false;
    *ret_at = (size_t)at + 6;
    *ret_n = stamp.n;
    *ret_ms = (int64_t)(sec * 1000 + ms);
    return true;
}

/* Waits at most ms; true when the replay is to end. */
static bool pause_ms(xt_demo *demo, int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&demo->lock);
    while (!demo->stop)
        if (pthread_cond_timedwait(&demo->wake, &demo->lock, &until) == ETIMEDOUT)
            break;
    bool stop = demo->stop;
    pthread_mutex_unlock(&demo->lock);
    return stop;
}

/* 1: the replay is to end. */
static int wait_until(xt_demo *demo, int64_t due_ms, xt_problem *reterr_problem)
{
    for (;;) {
        int64_t left = due_ms - xt_clock_wall_ms(demo->app->clock);
        if (left <= 0)
            return 0;
        if (pause_ms(demo, left < TICK_MS ? left : TICK_MS))
            return 1;
        int r = xt_import_tick(demo->import, xt_clock_mono_ms(demo->app->clock), reterr_problem);
        if (r)
            return xt_error_trace(r);
    }
}

static int play_line(xt_demo *demo, xt_slice line, xt_problem *reterr_problem)
{
    size_t at, n;
    int64_t t;

    xt_buf_reset(&demo->line);
    if (!xt_demo_stamp(line, &at, &n, &t)) {
        xt_buf_put(&demo->line, line);
    } else {
        int64_t now = xt_clock_wall_ms(demo->app->clock);
        if (!demo->shift_known || t + demo->shift_ms > now + MAX_PAUSE_MS)
            demo->shift_ms = now + (demo->shift_known ? MAX_PAUSE_MS : 0) - t;
        demo->shift_known = true;
        int r = wait_until(demo, t + demo->shift_ms, reterr_problem);
        if (r)
            return r;
        t += demo->shift_ms;
        xt_buf_put(&demo->line, xt_slice_head(line, at));
        xt_buf_printf(&demo->line, "%lld.%03d", (long long)(t / 1000), (int)(t % 1000));
        xt_buf_put(&demo->line, xt_slice_skip(line, at + n));
    }
    xt_buf_putc(&demo->line, '\n');
    if (xt_buf_done(&demo->line))
        return xt_error_origin(-ENOMEM);
    return xt_error_trace(xt_import_feed(demo->import, xt_buf_slice(&demo->line), reterr_problem));
}

static void *run(void *context)
{
    xt_demo *demo = context;
    xt_problem problem = XT_PROBLEM_INIT;
    int r = 0;

    while (r == 0) {
        xt_slice rest = xt_buf_slice(&demo->text), line;
        demo->shift_known = false;
        while (r == 0 && xt_slice_cut(&rest, '\n', &line))
            if (line.n)
                r = play_line(demo, line, &problem);
        if (r == 0)
            r = wait_until(demo, xt_clock_wall_ms(demo->app->clock) + MAX_PAUSE_MS, &problem);
    }
    if (r < 0)
        xt_log(XT_LOG_ERROR, "the demo has ended: %s", problem.sentence[0] ? problem.sentence : strerror(-r));
    return NULL;
}

static int load(xt_demo *demo, const char *path, xt_problem *reterr_problem)
{
    int r = xt_vfs_read_file(&xt_vfs_system, path, MAX_BYTES, &demo->text);
    size_t at, n;
    int64_t t;

    if (r)
        xt_problem_set(reterr_problem, "%s: the capture to replay cannot be read: %s", path, strerror(-r));
    else if (!xt_demo_stamp(xt_buf_slice(&demo->text), &at, &n, &t)) {
        xt_problem_set(reterr_problem, "%s holds no audit record", path);
        r = -EINVAL;
    }
    return xt_error_trace(r);
}

int xt_demo_open(xt_app *app, const char *path, xt_demo **ret, xt_problem *reterr_problem)
{
    xt_demo *demo = calloc(1, sizeof *demo);
    int r;

    if (!demo)
        return xt_error_origin(-ENOMEM);
    demo->app = app;
    pthread_mutex_init(&demo->lock, NULL);
    pthread_cond_init(&demo->wake, NULL);
    r = load(demo, path, reterr_problem);
    if (r == 0)
        r = xt_import_open_live(app, "demo", path, &demo->import, reterr_problem);
    if (r == 0)
        r = -pthread_create(&demo->thread, NULL, run, demo);
    demo->running = r == 0;
    if (r) {
        xt_demo_close(demo);
        return xt_error_trace(r);
    }
    *ret = demo;
    return 0;
}

xt_demo *xt_demo_close(xt_demo *demo)
{
    if (!demo)
        return NULL;
    pthread_mutex_lock(&demo->lock);
    demo->stop = true;
    pthread_cond_broadcast(&demo->wake);
    pthread_mutex_unlock(&demo->lock);
    if (demo->running)
        pthread_join(demo->thread, NULL);
    xt_import_abort(demo->import);
    xt_buf_fini(&demo->text);
    xt_buf_fini(&demo->line);
    pthread_cond_destroy(&demo->wake);
    pthread_mutex_destroy(&demo->lock);
    free(demo);
    return NULL;
}

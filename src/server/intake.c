/*
 * Whoever feeds holds the lock while lines are decoded, which is quick; what is slow (looking up what the store has, packing,
 * the disk) is done by the thread with the lock given back. Only one batch is under way, so a batch that failed is tried
 * again in its place, and what a waiter waits for is a count.
 */
#include "server/intake_private.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "event/secret_redact.h"
#include "server/app_parts.h"
#include "server/import_known.h"
#include "server/secret.h"
#include "wire/batch.h"

enum {
    GATHER_MS = 50,         /* a batch waits so long for more */
    GATHER_BYTES = 1 << 20, /* but no longer than for this */
    TICK_MS = 250,
    RETRY_MS = 1000,
    CLOSE_MS = 5000, /* for room on disk */
    RECENT_EVENTS = 1 << 16,
    ROOM_BYTES =
        10 << 20, /* of events that a line can give out: all that waits of its host, and itself (event/decoder.h) */
    ROOM_EVENTS = 1 << 16, /* and bytes of their entries */
    FAR_MS = 60000,        /* events that lie further apart are looked for by themselves */
};

/* ---------------------------------------------------------------------------------------------- what comes in */

static bool is_late(const xt_event *event)
{
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(event, XT_F_FLAGS));
    xt_slice flag;
    while (xt_list_next(&iter, &flag))
        if (xt_slice_eq(flag, XT_S("late")))
            return true;
    return false;
}

/* False: no memory; then all is as it was. */
static bool gather(xt_intake_load *l, const xt_event *event, xt_import_event *entry)
{
    size_t n_events = l->events.n, n_index = l->index.n;
    xt_event_batch_put(&l->events, event);
    entry->end = l->events.n;
    xt_buf_put(&l->index, xt_slice_of(entry, sizeof *entry));
    if (!xt_buf_done(&l->events) && !xt_buf_done(&l->index))
        return true;
    l->events.n = n_events;
    l->index.n = n_index;
    l->events.failed = l->index.failed = false;
    return false;
}

static int put(xt_intake *in, const xt_event *event)
{
    xt_import_event entry = {.time_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0)};
    uint64_t hash = 0;
    if (!is_late(event)) { /* its id is that of the event that it belongs to */
        int r = xt_import_event_id(event, &entry.id);
        if (r)
            return xt_error_trace(r);
        memcpy(&hash, entry.id.b, sizeof hash);
        if (xt_recent_has(&in->ids, hash)) {
            in->stats.n_events++;
            in->stats.n_known++;
            return 0;
        }
    }
    if (!gather(&in->due, event, &entry))
        return xt_error_origin(-ENOMEM);
    if (hash)
        (void)xt_recent_put(&in->ids, hash);
    if (in->due.n++ == 0)
        in->due.since_ms = xt_clock_mono_ms(&xt_clock_system);
    in->stats.n_events++;
    in->n_put++;
    if (in->due.n == 1 || in->due.events.n >= GATHER_BYTES)
        pthread_cond_signal(&in->filled);
    return 0;
}

static int on_event(void *context, xt_event *event)
{
    return put(context, event);
}

static void host_id(void *context, xt_slice name, char ret[static 33])
{
    const xt_intake *in = context;
    if (!xt_hosts_id_of(in->app->hosts, name, ret))
        xt_hash128_format(xt_event_import_host_id(name), ret);
}

/*
 * A line gives out events that were taken long ago, and told to be there. So room for what can come out at once is made
 * before anything is taken, and where there is none all stays as it was. Memory that is not written to costs nothing.
 */
static int make_room(xt_intake *in)
{
    bool has_room = xt_buf_reserve(&in->due.events, ROOM_BYTES) && xt_buf_reserve(&in->due.index, ROOM_EVENTS);
    in->due.events.failed = in->due.index.failed = false;
    return has_room ? 0 : xt_error_origin(-ENOMEM);
}

int xt_intake_line(xt_intake *in, xt_slice host, xt_slice line)
{
    pthread_mutex_lock(&in->lock);
    int r = make_room(in);
    if (r == 0)
        r = xt_senders_feed(in->senders, host, line, xt_clock_mono_ms(&xt_clock_system));
    pthread_mutex_unlock(&in->lock);
    return r;
}

int xt_intake_line_kept(xt_intake *in, xt_slice host, xt_slice line)
{
    pthread_mutex_lock(&in->lock);
    int r = make_room(in);
    if (r == 0)
        r = xt_senders_feed_kept(in->senders, host, line, xt_clock_mono_ms(&xt_clock_system));
    pthread_mutex_unlock(&in->lock);
    return r < 0 ? r : 0;
}

static int clean(const xt_intake *in, xt_event *event, xt_arena *arena)
{
    const xt_secret_seal_key *key = xt_app_seal_key(in->app);
    xt_secret_values values = {0};
    if (in->app->keeps_secrets)
        return 0;
    int r = xt_secret_redact(in->app->secrets, event, key ? &values : NULL, arena);
    if (r >= 0 && key)
        r = xt_secret_seal(key, &values, event, arena);
    xt_secret_values_fini(&values);
    return r < 0 ? xt_error_trace(r) : 0;
}

int xt_intake_event(xt_intake *in, xt_event *event, xt_arena *arena)
{
    char *id = xt_arena_alloc(arena, 33);
    if (!id)
        return xt_error_origin(-ENOMEM);
    host_id(in, xt_event_bytes(event, XT_F_HOST), id);
    xt_event_set_bytes(event, XT_F_HOST_ID, xt_slice_of(id, 32));
    int r = clean(in, event, arena);
    if (r)
        return xt_error_trace(r);
    pthread_mutex_lock(&in->lock);
    r = put(in, event);
    pthread_mutex_unlock(&in->lock);
    return r;
}

bool xt_intake_is_full(xt_intake *in)
{
    pthread_mutex_lock(&in->lock);
    bool full = in->due.events.n >= XT_INTAKE_BYTES;
    pthread_mutex_unlock(&in->lock);
    return full;
}

static struct timespec after(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

int xt_intake_settle(xt_intake *in, int64_t timeout_ms)
{
    struct timespec until = after(timeout_ms);
    int r = 0;
    pthread_mutex_lock(&in->lock);
    uint64_t all = in->n_put, n_lost = in->n_lost;
    in->n_waiters++;
    pthread_cond_signal(&in->filled);
    while (in->n_settled < all && r == 0)
        r = -pthread_cond_timedwait(&in->settled, &in->lock, &until);
    in->n_waiters--;
    r = in->n_settled < all ? r : in->n_lost != n_lost ? -EIO : 0;
    pthread_mutex_unlock(&in->lock);
    return r;
}

xt_intake_stats xt_intake_stats_get(xt_intake *in)
{
    pthread_mutex_lock(&in->lock);
    xt_intake_stats stats = in->stats;
    stats.senders = xt_senders_stats_get(in->senders);
    stats.n_bytes_due = in->due.events.n;
    pthread_mutex_unlock(&in->lock);
    return stats;
}

/* ---------------------------------------------------------------------------------------- what the store has */

static int by_time(const void *a, const void *b)
{
    int64_t x = ((const xt_import_event *)a)->time_ms, y = ((const xt_import_event *)b)->time_ms;
    return x < y ? -1 : x > y;
}

/* One look-up for each run of events that lie near each other, so that one host's wrong clock costs the others nothing. */
static int mark_known(xt_intake *in, xt_import_event *sorted, size_t n, xt_problem *problem)
{
    uint64_t arrival = xt_store_wait(in->app->store, 0, 0);
    int r = 0;
    for (size_t i = 0, from = 0; i < n && r == 0; i++) {
        size_t ignored;
        if (i + 1 < n && sorted[i + 1].time_ms - sorted[i].time_ms < FAR_MS)
            continue;
        r = xt_import_mark_known(in->app->store, arrival, sorted + from, i + 1 - from, &ignored, problem);
        from = i + 1;
    }
    return xt_error_trace(r);
}

/* Closes the gaps that known events leave, in the index too: what fails behind this begins again with what is left. */
void xt_intake_drop_known(xt_intake_load *l)
{
    xt_import_event *index = (void *)l->index.p;
    size_t from = 0, to = 0, kept = 0;
    for (size_t i = 0; i < l->n; i++) {
        size_t n = index[i].end - from;
        if (!index[i].known) {
            memmove(l->events.p + to, l->events.p + from, n);
            to += n;
            index[kept] = index[i];
            index[kept++].end = to;
        }
        from += n;
    }
    l->events.n = to;
    l->index.n = kept * sizeof *index;
    l->n = kept;
}

static int by_end(const void *a, const void *b)
{
    size_t x = ((const xt_import_event *)a)->end, y = ((const xt_import_event *)b)->end;
    return x < y ? -1 : x > y;
}

static int leave_out(xt_intake *in, xt_intake_load *l, xt_problem *problem)
{
    xt_import_event *index = (void *)l->index.p;
    qsort(index, l->n, sizeof *index, by_time);
    int r = mark_known(in, index, l->n, problem);
    if (r)
        return xt_error_trace(r);
    qsort(index, l->n, sizeof *index, by_end);
    xt_intake_drop_known(l);
    return 0;
}

/* -------------------------------------------------------------------------------------------------- the thread */

static void done(void *context, int outcome, uint64_t number)
{
    xt_intake *in = context;
    (void)number;
    pthread_mutex_lock(&in->lock);
    in->answered = true;
    in->outcome = outcome;
    pthread_cond_broadcast(&in->settled);
    pthread_mutex_unlock(&in->lock);
}

/* Hands it to the writer and waits for the outcome. */
static int write_once(xt_intake *in)
{
    in->answered = false;
    xt_writer_put_args args = {.payload = xt_buf_slice(&in->payload), .done = done, .context = in, .wait = true};
    int r = xt_writer_put(in->app->writer, &args);
    if (r)
        return r;
    pthread_mutex_lock(&in->lock);
    while (!in->answered)
        pthread_cond_wait(&in->settled, &in->lock);
    r = in->outcome;
    pthread_mutex_unlock(&in->lock);
    return r;
}

/* False: the server ends, and has waited long enough. */
static bool wait_to_retry(xt_intake *in, int64_t *stop_ms)
{
    int64_t now_ms = xt_clock_mono_ms(&xt_clock_system);
    struct timespec until = after(RETRY_MS);
    pthread_mutex_lock(&in->lock);
    if (in->stop && !*stop_ms)
        *stop_ms = now_ms + CLOSE_MS;
    bool more = !in->stop || now_ms < *stop_ms;
    if (more)
        (void)pthread_cond_timedwait(&in->settled, &in->lock, &until);
    pthread_mutex_unlock(&in->lock);
    return more;
}

static int stream_begin(xt_intake *in)
{
    in->number = 0;
    in->chain = (xt_hash128){{0}};
    return xt_error_trace(xt_secret_random(in->stream.b, sizeof in->stream.b));
}

static int encode(xt_intake *in, xt_intake_load *l, xt_problem *problem)
{
    int r = leave_out(in, l, problem);
    if (r || l->n == 0)
        return xt_error_trace(r);
    xt_buf_reset(&in->payload);
    r = xt_batch_encode(in->stream, in->number + 1, l->n, in->chain, xt_buf_slice(&l->events), &in->payload);
    return xt_error_trace(r);
}

static void report(int r, const xt_problem *problem, bool *told)
{
    if (!*told)
        xt_log(XT_LOG_ERROR, "events of other senders are not stored, and will be tried again: %s",
               xt_problem_is_set(problem) ? problem->sentence : strerror(-r));
    *told = true;
}

/* The batch is encoded: stored, however long it takes. False: it was not. */
static bool store(xt_intake *in)
{
    int64_t stop_ms = 0;
    bool told = false;
    for (;;) {
        xt_problem problem = XT_PROBLEM_INIT;
        int r = write_once(in);
        if (r == 0 || r == XT_STORE_E_DUPLICATE) {
            in->number++;
            in->chain = xt_batch_hash(xt_buf_slice(&in->payload));
            return true;
        }
        if (r > 0) {
            xt_log(XT_LOG_ERROR, "a batch of events of other senders was refused by the store (outcome %d)", r);
            (void)!stream_begin(in);
            return false;
        }
        report(r, &problem, &told);
        if (!wait_to_retry(in, &stop_ms))
            return false;
    }
}

/* All of it is stored, or known, or given up. Without the lock. */
static void commit(xt_intake *in, xt_intake_load *l)
{
    size_t n = l->n;
    int64_t stop_ms = 0;
    bool told = false, stored = true;
    for (;;) {
        xt_problem problem = XT_PROBLEM_INIT;
        int r = encode(in, l, &problem);
        if (r == 0)
            break;
        report(r, &problem, &told);
        if (!wait_to_retry(in, &stop_ms)) {
            stored = false;
            break;
        }
    }
    if (stored && l->n > 0)
        stored = store(in);
    if (!stored)
        xt_log(XT_LOG_ERROR, "%zu events of other senders were not stored", l->n);
    pthread_mutex_lock(&in->lock);
    in->n_settled += n;
    in->n_lost += stored ? 0 : l->n;
    in->stats.n_known += n - l->n;
    *(stored ? &in->stats.n_stored : &in->stats.n_refused) += l->n;
    pthread_cond_broadcast(&in->settled);
    pthread_mutex_unlock(&in->lock);
    l->n = 0;
    xt_buf_reset(&l->events);
    xt_buf_reset(&l->index);
}

static bool is_due(const xt_intake *in, int64_t now_ms)
{
    const xt_intake_load *l = &in->due;
    return l->n > 0 &&
           (in->stop || in->n_waiters > 0 || l->events.n >= GATHER_BYTES || now_ms - l->since_ms >= GATHER_MS);
}

static bool tick(xt_intake *in, int64_t now_ms, int64_t *last_ms)
{
    if (now_ms - *last_ms < TICK_MS)
        return false;
    *last_ms = now_ms;
    int r = make_room(in);
    if (r == 0)
        r = xt_senders_tick(in->senders, now_ms);
    if (r < 0)
        xt_log(XT_LOG_ERROR, "events of other senders: %s", strerror(-r));
    return true;
}

static void *run(void *context)
{
    xt_intake *in = context;
    int64_t ticked_ms = 0;
    pthread_mutex_lock(&in->lock);
    for (;;) {
        int64_t now_ms = xt_clock_mono_ms(&xt_clock_system);
        bool ticked = tick(in, now_ms, &ticked_ms);
        if (is_due(in, now_ms)) {
            xt_intake_load taken = in->due;
            in->due = in->under_way;
            in->under_way = taken;
            pthread_mutex_unlock(&in->lock);
            commit(in, &in->under_way);
            pthread_mutex_lock(&in->lock);
            continue;
        }
        if (in->stop)
            break;
        if (ticked && in->due.n == 0)
            xt_intake_open_sweep(in);
        struct timespec until = after(in->due.n > 0 ? GATHER_MS - (now_ms - in->due.since_ms) : TICK_MS);
        (void)pthread_cond_timedwait(&in->filled, &in->lock, &until);
    }
    pthread_mutex_unlock(&in->lock);
    return NULL;
}

/* -------------------------------------------------------------------------------------------- open and close */

static void init_locks(xt_intake *in)
{
    pthread_condattr_t attr;
    pthread_mutex_init(&in->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&in->filled, &attr);
    pthread_cond_init(&in->settled, &attr);
    pthread_condattr_destroy(&attr);
}

int xt_intake_open(xt_app *app, xt_intake **ret)
{
    xt_intake *in = calloc(1, sizeof *in);
    if (!in)
        return xt_error_origin(-ENOMEM);
    in->app = app;
    init_locks(in);
    xt_senders_settings settings = {.secrets = app->keeps_secrets ? NULL : app->secrets,
                                    .seal_to = xt_app_seal_key(app),
                                    .host_id = host_id,
                                    .on_event = on_event,
                                    .context = in};
    int r = xt_recent_init(&in->ids, RECENT_EVENTS);
    if (r == 0)
        r = xt_senders_new(&settings, &in->senders);
    if (r == 0)
        r = stream_begin(in);
    if (r == 0)
        r = xt_intake_key_get(in);
    if (r == 0)
        r = xt_intake_open_records(in);
    if (r == 0)
        r = -pthread_create(&in->thread, NULL, run, in);
    in->runs = r == 0;
    if (r) {
        xt_intake_close(in);
        return xt_error_trace(r);
    }
    *ret = in;
    return 0;
}

static void load_fini(xt_intake_load *l)
{
    xt_buf_fini(&l->events);
    xt_buf_fini(&l->index);
}

xt_intake *xt_intake_close(xt_intake *in)
{
    if (!in)
        return NULL;
    pthread_mutex_lock(&in->lock);
    if (in->runs && xt_senders_finish(in->senders) < 0)
        xt_log(XT_LOG_ERROR, "events of other senders that waited for records are lost: no memory");
    in->stop = true;
    pthread_cond_broadcast(&in->filled);
    pthread_cond_broadcast(&in->settled);
    pthread_mutex_unlock(&in->lock);
    if (in->runs)
        pthread_join(in->thread, NULL);
    if (in->runs && in->stats.n_refused == 0)
        xt_intake_open_clear(in);
    xt_senders_free(in->senders);
    xt_recent_fini(&in->ids);
    load_fini(&in->due);
    load_fini(&in->under_way);
    xt_buf_fini(&in->payload);
    pthread_cond_destroy(&in->filled);
    pthread_cond_destroy(&in->settled);
    pthread_mutex_destroy(&in->lock);
    free(in);
    return NULL;
}

int xt_app_intake(xt_app *app, xt_intake **ret)
{
    int r = 0;
    pthread_mutex_lock(&app->intake_lock);
    if (!app->intake)
        r = xt_intake_open(app, &app->intake);
    *ret = app->intake;
    pthread_mutex_unlock(&app->intake_lock);
    return xt_error_trace(r);
}

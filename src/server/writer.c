/*
 * Group commit: while one commit runs, batches gather in the queue, and the next commit takes them all. So a
 * lone batch waits for nobody, and under load one fsync serves many.
 */
#include "server/writer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "server/alerts.h"
#include "server/app_parts.h"
#include "server/fair_queue.h"
#include "server/secret.h"
#include "store/bulk.h"

enum {
    GROUP_JOBS = 4096,     /* all that wait: a slow disk takes a second for a commit, however many are in it */
    GROUP_COST = 32 << 20, /* of a commit: who comes meanwhile waits for no more, or for one batch that costs more */
    BUSY_AFTER_MS = 3000,  /* a burst is no reason to send anybody away */
    BUSY_LEAST_MS = 2000,
    BUSY_MOST_MS = 60000,
    EVENT_ARENA_BYTES = 128 << 20,
    GROUP_ARENA_BYTES = 64 << 20,
    GROUP_ARENA_FULL = 16 << 20, /* one batch of a host takes no more than what is left then */
};

struct xt_writer {
    xt_app *app;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t filled, drained;
    xt_fair_queue queue;
    int64_t full_ms;  /* monotonic; since when it is full, 0: it is not */
    uint64_t n_taken; /* cost since then */
    bool stop;
    xt_ingest in; /* the thread's own, as all below */
    xt_store_batch batches[GROUP_JOBS];
    xt_ingest_job *appended[GROUP_JOBS];
    int outcomes[GROUP_JOBS];
};

/* Waits for work; a list of jobs, or NULL when there will be no more. */
static xt_ingest_job *take(xt_writer *writer)
{
    xt_ingest_job *first, **end = &first;
    size_t n = 0, cost = 0;

    pthread_mutex_lock(&writer->lock);
    while (!writer->queue.n_jobs && !writer->stop)
        pthread_cond_wait(&writer->filled, &writer->lock);
    for (; n < GROUP_JOBS && cost < GROUP_COST && (*end = xt_fair_queue_take(&writer->queue)) != NULL; n++) {
        cost += (*end)->cost;
        end = &(*end)->next;
    }
    *end = NULL;
    writer->n_taken += cost;
    if (writer->queue.n_jobs < XT_FAIR_QUEUE_JOBS / 2 && writer->queue.n_bytes < XT_FAIR_QUEUE_BYTES / 2)
        writer->full_ms = 0;
    pthread_cond_broadcast(&writer->drained);
    pthread_mutex_unlock(&writer->lock);
    return first;
}

static xt_store_batch store_batch(const xt_ingest_job *job)
{
    return (xt_store_batch){
        .stream = job->batch.stream,
        .number = job->batch.number,
        .n_events = job->batch.n_events,
        .chain = job->batch.chain,
        .hash = xt_batch_hash(xt_buf_slice(&job->payload)),
        .host_id = xt_slice_str(job->host_id[0] ? job->host_id : "import"),
        .frame = job->batch.data,
        .frame_codec = (uint32_t)job->batch.codec,
        .events = xt_buf_slice(&job->events),
        .derived = xt_buf_slice(&job->derived),
    };
}

/* The rows of a bulk are packed already: what is left is a commit of its own. */
static void commit_bulk(xt_ingest_job *job)
{
    xt_problem problem = XT_PROBLEM_INIT;

    job->outcome = xt_bulk_commit(job->bulk, job->batch.stream, job->batch.number, XT_S("import"),
                                  job->ret_last_arrival, &problem);
    if (job->outcome)
        xt_log_problem(XT_LOG_ERROR, &problem);
}

static void append(xt_writer *writer, xt_ingest_job *jobs)
{
    xt_problem problem = XT_PROBLEM_INIT;
    size_t n = 0;

    if (jobs->bulk) {
        commit_bulk(jobs);
        return;
    }

    for (xt_ingest_job *job = jobs; job; job = job->next) {
        if (job->outcome)
            continue;
        writer->batches[n] = store_batch(job);
        writer->appended[n++] = job;
    }
    if (!n)
        return;
    bool was_full = xt_store_is_full(writer->app->store);
    int r = xt_store_append(writer->app->store, writer->batches, n, writer->outcomes, &problem);
    if (r && !(was_full && r == -ENOSPC)) /* which the maintenance thread has said */
        xt_log_problem(XT_LOG_ERROR, &problem);
    for (size_t i = 0; i < n; i++)
        writer->appended[i]->outcome = r ? r : writer->outcomes[i];
}

static int raise_hit(xt_writer *writer, const xt_ingest_hit *hit, xt_problem *reterr_problem)
{
    xt_event event;
    int r = 0;

    xt_arena_reset(&writer->in.event_arena);
    for (size_t i = 0; r == 0 && i < hit->n_matches; i++) {
        r = xt_ingest_hit_event(&writer->in, hit, &event);
        if (r == 0)
            r = xt_alerts_raise(writer->app, &event, &hit->matches[i], &writer->in.event_arena, reterr_problem);
    }
    return xt_error_trace(r);
}

/* Whether no alerts before those of this group are missing. */
static bool are_whole(xt_app *app)
{
    return atomic_load(&app->alerts_failed) == atomic_load(&app->alerts_repaired);
}

static int raise_all(xt_writer *writer, const xt_ingest_job *jobs, xt_problem *reterr_problem)
{
    int r = xt_state_begin(writer->app->state, reterr_problem);

    if (r)
        return xt_error_trace(r);
    for (const xt_ingest_job *job = jobs; job; job = job->next)
        for (const xt_ingest_hit *hit = job->outcome ? NULL : job->hits; hit && r == 0; hit = hit->next)
            r = raise_hit(writer, hit, reterr_problem);
    if (r == 0 && are_whole(writer->app))
        r = xt_alerts_mark(writer->app, xt_store_wait(writer->app->store, 0, 0), reterr_problem);
    return xt_error_trace(xt_state_end(writer->app->state, r, reterr_problem));
}

static void alerts(xt_writer *writer, const xt_ingest_job *jobs)
{
    xt_app *app = writer->app;
    xt_problem problem = XT_PROBLEM_INIT;
    bool any = false, stored = false;
    int r = 0;

    for (const xt_ingest_job *job = jobs; job; job = job->next) {
        stored |= job->outcome == 0;
        any |= job->outcome == 0 && job->hits;
    }
    if (any)
        r = raise_all(writer, jobs, &problem);
    if (r) {
        xt_log_problem(XT_LOG_ERROR, &problem);
        atomic_fetch_add(&app->alerts_failed, 1); /* the events are durable: the maintenance thread looks again */
    } else if (stored && are_whole(app)) {
        atomic_store(&app->alerts_arrival, xt_store_wait(app->store, 0, 0));
    }
    if (any)
        xt_outbox_wake(app->outbox);
}

static int count_host(void *context, xt_slice host_id, xt_slice host, uint64_t n_rows, int64_t last_ms)
{
    xt_hosts_count(context, host_id, host, n_rows, last_ms);
    return 0;
}

static void tell(xt_writer *writer, xt_ingest_job *job)
{
    for (const xt_ingest_run *run = job->outcome ? NULL : job->runs; run; run = run->next)
        xt_hosts_count(writer->app->hosts, run->host_id, run->host_name, run->n_events, run->last_ms);
    if (job->bulk && !job->outcome && xt_bulk_each_host(job->bulk, count_host, writer->app->hosts) < 0)
        xt_log(XT_LOG_WARN, "no memory to count the events of an import by host");
    if (job->outcome == XT_STORE_E_CORRUPT && xt_problem_is_set(&job->problem))
        xt_log(XT_LOG_WARN, "batch %llu of host %s refused: %s", (unsigned long long)job->batch.number,
               job->host_id[0] ? job->host_id : "(import)", job->problem.sentence);
    job->done(job->context, job->outcome, job->batch.number);
    xt_ingest_job_free(job);
}

/* Is the commit whole, so that the next job begins another one? */
static bool is_whole(const xt_writer *writer, size_t cost, const xt_ingest_job *job, const xt_ingest_job *next)
{
    return job->bulk || next->bulk || cost + next->cost > GROUP_COST ||
           writer->in.group_arena.used_bytes > GROUP_ARENA_FULL;
}

/* Prepares jobs until they fill a commit; cuts the list behind them and returns the rest. */
static xt_ingest_job *prepare(xt_writer *writer, xt_ingest_job *jobs)
{
    size_t cost = 0;

    for (xt_ingest_job *job = jobs; job; job = job->next) {
        if (!job->bulk)
            xt_ingest_prepare(&writer->in, job);
        cost += job->cost;
        if (job->next && is_whole(writer, cost, job, job->next)) {
            xt_ingest_job *rest = job->next;
            job->next = NULL;
            return rest;
        }
    }
    return NULL;
}

/* One commit. Returns the jobs that it had no room for. */
static xt_ingest_job *commit(xt_writer *writer, xt_ingest_job *jobs)
{
    writer->in.rules = xt_app_rules(writer->app);
    xt_ingest_job *rest = prepare(writer, jobs), *next;
    append(writer, jobs);
    alerts(writer, jobs);
    for (; jobs; jobs = next) {
        next = jobs->next;
        tell(writer, jobs);
    }
    xt_arena_reset(&writer->in.group_arena);
    writer->in.rules = xt_ruleset_unref(writer->in.rules);
    return rest;
}

static void *run(void *context)
{
    xt_writer *writer = context;
    xt_ingest_job *jobs;

    while ((jobs = take(writer)) != NULL)
        while (jobs)
            jobs = commit(writer, jobs);
    return NULL;
}

int xt_writer_open(xt_app *app, xt_writer **ret)
{
    xt_writer *writer = calloc(1, sizeof *writer);
    int r;

    if (!writer)
        return xt_error_origin(-ENOMEM);
    writer->app = writer->in.app = app;
    xt_fair_queue_init(&writer->queue);
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->filled, NULL);
    pthread_cond_init(&writer->drained, NULL);
    xt_arena_init(&writer->in.event_arena, EVENT_ARENA_BYTES);
    xt_arena_init(&writer->in.group_arena, GROUP_ARENA_BYTES);
    r = xt_noise_state_new(&writer->in.noise);
    if (r == 0)
        r = -pthread_create(&writer->thread, NULL, run, writer);
    writer->running = r == 0;
    if (r) {
        xt_writer_close(writer);
        return xt_error_trace(r);
    }
    *ret = writer;
    return 0;
}

xt_writer *xt_writer_close(xt_writer *writer)
{
    if (!writer)
        return NULL;
    pthread_mutex_lock(&writer->lock);
    writer->stop = true;
    pthread_cond_broadcast(&writer->filled);
    pthread_mutex_unlock(&writer->lock);
    if (writer->running)
        pthread_join(writer->thread, NULL);
    xt_fair_queue_fini(&writer->queue);
    xt_noise_state_free(writer->in.noise);
    xt_arena_fini(&writer->in.event_arena);
    xt_arena_fini(&writer->in.group_arena);
    xt_buf_fini(&writer->in.scratch);
    pthread_cond_destroy(&writer->filled);
    pthread_cond_destroy(&writer->drained);
    pthread_mutex_destroy(&writer->lock);
    free(writer);
    return NULL;
}

static int enqueue(xt_writer *writer, xt_ingest_job *job, bool wait)
{
    xt_slice host_id = xt_slice_str(job->host_id);

    pthread_mutex_lock(&writer->lock);
    while (wait && !xt_fair_queue_admits(&writer->queue, host_id))
        pthread_cond_wait(&writer->drained, &writer->lock);
    int r = xt_fair_queue_put(&writer->queue, job);
    if (r == 0)
        pthread_cond_signal(&writer->filled);
    if (!writer->full_ms && xt_fair_queue_is_full(&writer->queue)) {
        writer->full_ms = xt_clock_mono_ms(&xt_clock_system);
        writer->n_taken = 0;
    }
    pthread_mutex_unlock(&writer->lock);
    return r;
}

bool xt_writer_admits(xt_writer *writer, xt_slice host_id)
{
    pthread_mutex_lock(&writer->lock);
    bool admits = xt_fair_queue_admits(&writer->queue, host_id);
    pthread_mutex_unlock(&writer->lock);
    return admits;
}

bool xt_writer_is_behind(xt_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    bool is_behind = writer->full_ms != 0;
    pthread_mutex_unlock(&writer->lock);
    return is_behind;
}

uint64_t xt_writer_busy_ms(xt_writer *writer)
{
    int64_t now_ms = xt_clock_mono_ms(&xt_clock_system);

    pthread_mutex_lock(&writer->lock);
    int64_t full_ms = writer->full_ms;
    uint64_t n_taken = writer->n_taken, cost = writer->queue.cost;
    pthread_mutex_unlock(&writer->lock);
    if (!full_ms || now_ms - full_ms < BUSY_AFTER_MS)
        return 0;
    uint64_t need_ms = n_taken ? cost * (uint64_t)(now_ms - full_ms) / n_taken : BUSY_MOST_MS;
    if (need_ms < BUSY_LEAST_MS) /* it goes fast: to let him wait costs less than to shake hands with him again */
        return 0;
    return need_ms > BUSY_MOST_MS ? BUSY_MOST_MS : need_ms;
}

int xt_writer_put_bulk(xt_writer *writer, const xt_writer_put_bulk_args *args)
{
    xt_ingest_job *job = calloc(1, sizeof *job);

    if (!job)
        return xt_error_origin(-ENOMEM);
    job->problem = XT_PROBLEM_INIT;
    job->bulk = args->bulk;
    job->hits = args->hits;
    job->batch.stream = args->stream;
    job->batch.number = args->number;
    job->ret_last_arrival = args->ret_last_arrival;
    job->done = args->done;
    job->context = args->context;
    int r = enqueue(writer, job, true);
    if (r)
        xt_ingest_job_free(job);
    return r;
}

int xt_writer_put(xt_writer *writer, const xt_writer_put_args *args)
{
    xt_ingest_job *job = calloc(1, sizeof *job);
    int r;

    if (!job)
        return xt_error_origin(-ENOMEM);
    xt_text_copy(job->host_id, sizeof job->host_id, args->host_id);
    xt_buf_put(&job->payload, args->payload);
    job->cost = xt_ingest_cost(args->payload);
    job->done = args->done;
    job->context = args->context;
    r = xt_buf_done(&job->payload);
    if (args->events) {
        job->events = *args->events;
        *args->events = XT_BUF_INIT;
    }
    if (r == 0)
        r = enqueue(writer, job, args->wait);
    if (r) {
        if (args->events) {
            *args->events = job->events;
            job->events = XT_BUF_INIT;
        }
        xt_ingest_job_free(job);
    }
    return r; /* -EAGAIN is an everyday answer, not worth a trace */
}

/*
 * Three counters say it all: slots put, begun and finished, each of which only grows; slot n stands at n modulo the size
 * of the ring. A slot holds enough work (some hundred events) that one lock for all costs nothing.
 */
#include "base/pipeline.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

struct xt_pipeline {
    xt_pipeline_settings settings;
    pthread_mutex_t lock;
    pthread_cond_t filled, worked, freed;
    uint64_t n_put, n_begun, n_finished;
    bool *is_done; /* by place in the ring: its work */
    int failure;
    bool stop;
    pthread_t workers[XT_PIPELINE_MAX_WORKERS], finisher;
    unsigned n_running;
    bool finishes;
};

static void *work(void *context)
{
    xt_pipeline *p = context;

    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->stop && p->n_begun == p->n_put)
            pthread_cond_wait(&p->filled, &p->lock);
        if (p->stop)
            break;
        uint64_t at = p->n_begun++ % p->settings.n_slots;
        bool skip = p->failure != 0;
        pthread_mutex_unlock(&p->lock);
        if (!skip)
            p->settings.work(p->settings.context, p->settings.slots[at]);
        pthread_mutex_lock(&p->lock);
        p->is_done[at] = true;
        pthread_cond_signal(&p->worked);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void *finish(void *context)
{
    xt_pipeline *p = context;

    pthread_mutex_lock(&p->lock);
    for (;;) {
        uint64_t at = p->n_finished % p->settings.n_slots;
        while (!p->stop && !p->is_done[at])
            pthread_cond_wait(&p->worked, &p->lock);
        if (p->stop)
            break;
        int r = p->failure;
        pthread_mutex_unlock(&p->lock);
        if (r == 0)
            r = p->settings.finish(p->settings.context, p->settings.slots[at]);
        pthread_mutex_lock(&p->lock);
        p->failure = r;
        p->is_done[at] = false;
        p->n_finished++;
        pthread_cond_signal(&p->freed);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static int threads_start(xt_pipeline *p)
{
    int r = -pthread_create(&p->finisher, NULL, finish, p);

    p->finishes = r == 0;
    while (r == 0 && p->n_running < p->settings.n_workers) {
        r = -pthread_create(&p->workers[p->n_running], NULL, work, p);
        p->n_running += r == 0;
    }
    return xt_error_trace(r);
}

int xt_pipeline_new(const xt_pipeline_settings *settings, xt_pipeline **ret)
{
    xt_pipeline *p = calloc(1, sizeof *p);

    if (!p)
        return xt_error_origin(-ENOMEM);
    p->settings = *settings;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->filled, NULL);
    pthread_cond_init(&p->worked, NULL);
    pthread_cond_init(&p->freed, NULL);
    p->is_done = calloc(settings->n_slots, sizeof *p->is_done);
    int r = p->is_done ? threads_start(p) : xt_error_origin(-ENOMEM);
    if (r < 0) {
        xt_pipeline_free(p);
        return xt_error_trace(r);
    }
    *ret = p;
    return 0;
}

xt_pipeline *xt_pipeline_free(xt_pipeline *p)
{
    if (!p)
        return NULL;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->filled);
    pthread_cond_broadcast(&p->worked);
    pthread_mutex_unlock(&p->lock);
    while (p->n_running > 0)
        pthread_join(p->workers[--p->n_running], NULL);
    if (p->finishes)
        pthread_join(p->finisher, NULL);
    pthread_cond_destroy(&p->filled);
    pthread_cond_destroy(&p->worked);
    pthread_cond_destroy(&p->freed);
    pthread_mutex_destroy(&p->lock);
    free(p->is_done);
    free(p);
    return NULL;
}

int xt_pipeline_take(xt_pipeline *p, void **ret)
{
    pthread_mutex_lock(&p->lock);
    while (p->n_put - p->n_finished == p->settings.n_slots)
        pthread_cond_wait(&p->freed, &p->lock);
    int r = p->failure;
    *ret = p->settings.slots[p->n_put % p->settings.n_slots];
    pthread_mutex_unlock(&p->lock);
    return r;
}

void xt_pipeline_put(xt_pipeline *p)
{
    pthread_mutex_lock(&p->lock);
    p->n_put++;
    pthread_cond_signal(&p->filled);
    pthread_mutex_unlock(&p->lock);
}

int xt_pipeline_drain(xt_pipeline *p)
{
    pthread_mutex_lock(&p->lock);
    while (p->n_finished != p->n_put)
        pthread_cond_wait(&p->freed, &p->lock);
    int r = p->failure;
    pthread_mutex_unlock(&p->lock);
    return r;
}

unsigned xt_cores(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

    return n < 1 ? 1 : (unsigned)n;
}

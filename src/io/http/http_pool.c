/*
 * Threads are started when one is wanted and none is idle, up to the limit, and stay until the end.
 */
#include "io/http/http_private.h"

void xt_http_pool_init(xt_http_pool *pool, unsigned max_threads, unsigned max_waiting)
{
    *pool = (xt_http_pool){.max_threads = max_threads, .max_waiting = max_waiting};
    pool->last = &pool->first;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
}

static xt_http_exchange *next_queued(xt_http_pool *pool)
{
    xt_http_exchange *exchange = pool->first;
    pool->first = exchange->next_queued;
    if (!pool->first)
        pool->last = &pool->first;
    pool->n_waiting--;
    return exchange;
}

static void *work(void *context)
{
    xt_http_pool *pool = context;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        pool->n_idle++;
        while (!pool->first && !pool->stop)
            pthread_cond_wait(&pool->wake, &pool->lock);
        pool->n_idle--;
        if (pool->stop)
            break;
        xt_http_exchange *exchange = next_queued(pool);
        pthread_mutex_unlock(&pool->lock);
        xt_http_exchange_run(exchange);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

bool xt_http_pool_push(xt_http_pool *pool, xt_http_exchange *exchange)
{
    pthread_mutex_lock(&pool->lock);
    bool wants_thread = pool->n_waiting >= pool->n_idle;
    if (wants_thread && pool->n_threads < pool->max_threads &&
        pthread_create(&pool->threads[pool->n_threads], NULL, work, pool) == 0) {
        pool->n_threads++;
        wants_thread = false;
    }
    bool taken = pool->n_threads > 0 && (!wants_thread || pool->n_waiting < pool->n_idle + pool->max_waiting);
    if (taken) {
        exchange->next_queued = NULL;
        *pool->last = exchange;
        pool->last = &exchange->next_queued;
        pool->n_waiting++;
        pthread_cond_signal(&pool->wake);
    }
    pthread_mutex_unlock(&pool->lock);
    return taken;
}

void xt_http_pool_fini(xt_http_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->n_threads; i++)
        pthread_join(pool->threads[i], NULL);
    while (pool->first)
        xt_http_exchange_unref(next_queued(pool));
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
}

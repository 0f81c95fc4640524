/* The writer answers on its own thread; whoever enters an event waits for it. */
#include "server/own_batch.h"

#include "server/app_parts.h"
#include "server/secret.h"
#include "wire/batch.h"

typedef struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t settled;
    bool done;
    int outcome;
} waiter;

static void on_done(void *context, int outcome, uint64_t number)
{
    waiter *w = context;
    (void)number;
    pthread_mutex_lock(&w->lock);
    w->done = true;
    w->outcome = outcome;
    pthread_cond_signal(&w->settled);
    pthread_mutex_unlock(&w->lock);
}

static int put_and_wait(xt_app *app, xt_slice payload)
{
    waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER, .settled = PTHREAD_COND_INITIALIZER};
    xt_writer_put_args args = {.payload = payload, .done = on_done, .context = &w, .wait = true};
    int r = xt_writer_put(app->writer, &args);
    pthread_mutex_lock(&w.lock);
    while (r == 0 && !w.done)
        pthread_cond_wait(&w.settled, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_cond_destroy(&w.settled);
    pthread_mutex_destroy(&w.lock);
    return r == 0 ? w.outcome : r;
}

int xt_own_batch_id(char ret[static 33])
{
    xt_hash128 id;
    int r = xt_secret_random(id.b, sizeof id.b);

    if (r == 0)
        xt_hash128_format(id, ret);
    return r;
}

int xt_own_batch_enter(xt_app *app, const xt_event *event)
{
    XT_CLEANUP(xt_buf_fini) xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT;
    xt_hash128 stream, chain = {.b = {0}};
    int r = xt_secret_random(stream.b, sizeof stream.b);

    if (r < 0)
        return xt_error_trace(r);
    xt_event_batch_put(&events, event);
    r = xt_buf_done(&events);
    if (r == 0)
        r = xt_batch_encode(stream, 1, 1, chain, xt_buf_slice(&events), &payload);
    return r == 0 ? xt_error_fold(put_and_wait(app, xt_buf_slice(&payload))) : xt_error_trace(r);
}

/*
 * When the receiver does not answer at all, everything that is due is put off together, so that a long queue does not wait ten
 * seconds for each message; an answer of "no" puts off that message alone. A new message is due at once and so
 * finds out whether the receiver is back.
 */
#include "server/outbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "server/http_post.h"

enum {
    TIMEOUT_MS = 10 * 1000,
    FIRST_RETRY_MS = 1000,
    MAX_RETRY_MS = 5 * 60 * 1000,
    KEEP_MS = 7 * 24 * 60 * 60 * 1000,
    IDLE_MS = 60 * 1000,
};

struct xt_outbox {
    xt_state *state;
    const xt_clock *clock;
    char *webhook;
    xt_http_post *post;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool woken;
    atomic_bool stop;
};

typedef struct message {
    int64_t id, due_ms, tries;
    xt_buf body;
} message;

/* The message that is due next; id 0: there is none. */
static int next_message(xt_outbox *outbox, message *ret)
{
    sqlite3_stmt *stmt = NULL;
    int r;

    ret->id = 0;
    xt_buf_reset(&ret->body);
    xt_state_lock(outbox->state);
    r = xt_state_select(outbox->state, NULL, &stmt,
                        "SELECT id, due_ms, tries, body FROM outbox ORDER BY due_ms, id LIMIT 1", "");
    if (r == 0)
        r = xt_state_next(outbox->state, stmt, NULL);
    if (r == 1) {
        ret->id = sqlite3_column_int64(stmt, 0);
        ret->due_ms = sqlite3_column_int64(stmt, 1);
        ret->tries = sqlite3_column_int64(stmt, 2);
        xt_buf_put(&ret->body, xt_sqlite_slice(stmt, 3));
        r = xt_buf_done(&ret->body);
    }
    xt_state_finish(&stmt);
    xt_state_unlock(outbox->state);
    return xt_error_trace(r);
}

static int64_t backoff_ms(int64_t tries)
{
    return tries >= 9 ? MAX_RETRY_MS : (int64_t)FIRST_RETRY_MS << tries;
}

static int put_off(xt_outbox *outbox, const message *m, bool all_due)
{
    int64_t now = xt_clock_wall_ms(outbox->clock), due = now + backoff_ms(m->tries);
    int r = xt_state_run(outbox->state, NULL, NULL, "UPDATE outbox SET due_ms = ?, tries = tries + 1 WHERE id = ?",
                         "ii", due, m->id);

    if (r == 0 && all_due)
        r = xt_state_run(outbox->state, NULL, NULL, "UPDATE outbox SET due_ms = ?1 WHERE due_ms < ?1", "i", due);
    if (r == 0)
        r = xt_state_run(outbox->state, NULL, NULL, "DELETE FROM outbox WHERE made_ms < ?", "i", now - KEEP_MS);
    return xt_error_trace(r);
}

static int deliver(xt_outbox *outbox, const message *m)
{
    const char *why;
    long status = xt_http_post_send(outbox->post, xt_buf_slice(&m->body), NULL, NULL, &why);

    if (status >= 200 && status < 300)
        return xt_error_trace(xt_state_run(outbox->state, NULL, NULL, "DELETE FROM outbox WHERE id = ?", "i", m->id));
    if (atomic_load(&outbox->stop))
        return 0;
    if (m->tries == 0 && status)
        xt_log(XT_LOG_WARN, "webhook %s: answered %ld; the alert is kept and sent again", outbox->webhook, status);
    else if (m->tries == 0)
        xt_log(XT_LOG_WARN, "webhook %s: %s; the alert is kept and sent again", outbox->webhook, why);
    return xt_error_trace(put_off(outbox, m, status == 0));
}

static void wait_ms(xt_outbox *outbox, int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&outbox->lock);
    while (!outbox->woken && !atomic_load(&outbox->stop))
        if (pthread_cond_timedwait(&outbox->wake, &outbox->lock, &until) == ETIMEDOUT)
            break;
    outbox->woken = false;
    pthread_mutex_unlock(&outbox->lock);
}

static void *run(void *context)
{
    xt_outbox *outbox = context;
    message m = {.body = XT_BUF_INIT};

    while (!atomic_load(&outbox->stop)) {
        int r = next_message(outbox, &m);
        int64_t left = m.due_ms - xt_clock_wall_ms(outbox->clock);
        if (r == 0 && m.id && left <= 0)
            r = deliver(outbox, &m);
        else if (r == 0)
            wait_ms(outbox, m.id && left < IDLE_MS ? left : IDLE_MS);
        if (r) {
            xt_log(XT_LOG_ERROR, "outbox: state.db: %s; trying again", strerror(-r));
            wait_ms(outbox, FIRST_RETRY_MS);
        }
    }
    xt_buf_fini(&m.body);
    return NULL;
}

static int start(xt_outbox *outbox, const char *webhook, xt_problem *reterr_problem)
{
    outbox->webhook = strdup(webhook);
    if (!outbox->webhook)
        return xt_error_origin(-ENOMEM);
    if (!xt_http_post_is_address(webhook)) {
        xt_problem_set(reterr_problem, "a webhook is an address that begins with http:// or https://");
        xt_problem_excerpt(reterr_problem, xt_slice_str(webhook));
        return xt_error_origin(-EINVAL);
    }
    const xt_http_post_settings settings = {
        .url = webhook, .content_type = "application/json", .timeout_ms = TIMEOUT_MS, .stops = &outbox->stop};
    int r = xt_http_post_open(&settings, &outbox->post);
    if (r)
        return xt_error_trace(r);
    r = -pthread_create(&outbox->thread, NULL, run, outbox);
    outbox->running = r == 0;
    return xt_error_trace(r);
}

int xt_outbox_open(xt_state *state, const xt_clock *clock, const char *webhook, xt_outbox **ret,
                   xt_problem *reterr_problem)
{
    xt_outbox *outbox = calloc(1, sizeof *outbox);
    pthread_condattr_t attr;
    int r = 0;

    if (!outbox)
        return xt_error_origin(-ENOMEM);
    outbox->state = state;
    outbox->clock = clock;
    pthread_mutex_init(&outbox->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&outbox->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (webhook)
        r = start(outbox, webhook, reterr_problem);
    if (r) {
        xt_outbox_close(outbox);
        return xt_error_trace(r);
    }
    *ret = outbox;
    return 0;
}

xt_outbox *xt_outbox_close(xt_outbox *outbox)
{
    if (!outbox)
        return NULL;
    pthread_mutex_lock(&outbox->lock);
    atomic_store(&outbox->stop, true);
    pthread_cond_broadcast(&outbox->wake);
    pthread_mutex_unlock(&outbox->lock);
    if (outbox->running)
        pthread_join(outbox->thread, NULL);
    xt_http_post_close(outbox->post);
    pthread_cond_destroy(&outbox->wake);
    pthread_mutex_destroy(&outbox->lock);
    free(outbox->webhook);
    free(outbox);
    return NULL;
}

int xt_outbox_put(xt_outbox *outbox, uint64_t alert_id, xt_slice body, xt_problem *reterr_problem)
{
    int64_t now = xt_clock_wall_ms(outbox->clock);

    if (!outbox->webhook)
        return 0;
    return xt_error_trace(xt_state_run(outbox->state, reterr_problem, NULL,
                                       "INSERT INTO outbox(alert_id, body, made_ms, due_ms) VALUES(?,?,?,?)", "ibii",
                                       (int64_t)alert_id, body, now, now));
}

void xt_outbox_wake(xt_outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    outbox->woken = true;
    pthread_cond_signal(&outbox->wake);
    pthread_mutex_unlock(&outbox->lock);
}

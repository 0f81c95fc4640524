/*
 * Three positions: where reading is (`next`), what was handed to the sink (`sent`), what the target surely has (`sure`). Only the last is
 * written down, at most once a second, and to it everything goes back when the target fails; so whatever happens, what is
 * sent again begins at or before what the target lacks. Sinks that have to be settled are so after SETTLE_BYTES or SETTLE_MS.
 * Between oldest and newest position the store merges nothing (xt_store_fence_set).
 */
#include "server/forward_run.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "detect/detect.h"
#include "server/alerts.h"
#include "server/app_parts.h"
#include "server/forward_rows.h"
#include "server/secret.h"

enum {
    BATCH_BYTES = 512 << 10,
    BATCH_MESSAGES = 2000,
    SETTLE_BYTES = 8 << 20,
    SETTLE_MS = 5 * 1000,
    TURN_MS = 2000, /* of one picture of the store: what it holds is not given back before */
    WAIT_MS = 250,
    ALERTS_MS = 500,
    FIRST_RETRY_MS = 250,
    MAX_RETRY_MS = 60 * 1000,
    TELL_AFTER_MS = 3000,
    TELL_EVERY_MS = 60 * 1000,
    SAVE_MS = 1000,
    NICE = 5,
    EVENT_ARENA = 256 << 20,
    MAX_DOUBLINGS = 8,
};

struct xt_forward_run {
    xt_app *app;
    xt_arena texts; /* of the spec */
    xt_forward_spec spec;
    xt_forward_form form;
    xt_filter *filter; /* of events */
    xt_sink *sink;
    pthread_t thread;
    bool started;
    atomic_bool stops, hurries, ended;

    pthread_mutex_t lock; /* what is shown */
    xt_forward_state sure;
    int64_t failing_ms;
    char error[400], refusal[120];

    /* the thread's */
    xt_arena arena;
    xt_forward_batch batch;
    xt_forward_state sent, saved;
    xt_follow_position next;
    int64_t batch_event_ms;
    uint64_t unsettled_bytes;
    int64_t unsettled_ms, next_try_ms, failed_ms, saved_ms, told_ms; /* monotonic; unsettled_ms 0: all is */
    unsigned n_tries;
    bool failed, told, is_done; /* in this turn; forward-failed was entered; there is nothing to be read */
    uint64_t gone_told, refused_told;
};

static int64_t mono_ms(void)
{
    return xt_clock_mono_ms(&xt_clock_system);
}

static void note(xt_app *app, const char *action, const char *message)
{
    char name[256] = "";

    if (gethostname(name, sizeof name - 1))
        xt_text_copy(name, sizeof name, XT_S("server"));
    const xt_note of = {
        .host_name = xt_slice_str(name), .action = xt_slice_str(action), .message = xt_slice_str(message)};
    xt_notes_add(app->notes, &of);
}

/* ------------------------------------------------------------------------------------------------ failing */

static void fail(xt_forward_run *f, const xt_problem *problem, int r)
{
    const char *why = xt_problem_is_set(problem) ? problem->sentence : strerror(r < 0 ? -r : EIO);
    unsigned doublings = f->n_tries < MAX_DOUBLINGS ? f->n_tries : (unsigned)MAX_DOUBLINGS;
    int64_t delay = (int64_t)FIRST_RETRY_MS << doublings;

    if (f->n_tries++ == 0) {
        f->failed_ms = mono_ms();
        xt_log(XT_LOG_WARN, "forward %s: %s; it is tried again", f->spec.name, why);
    }
    f->next_try_ms = mono_ms() + (delay < MAX_RETRY_MS ? delay : (int64_t)MAX_RETRY_MS);
    f->failed = true;
    f->unsettled_ms = 0;
    f->unsettled_bytes = 0;
    xt_forward_batch_reset(&f->batch);
    pthread_mutex_lock(&f->lock);
    f->sent = f->sure;
    f->next = f->sure.at;
    snprintf(f->error, sizeof f->error, "%s", why);
    if (!f->failing_ms)
        f->failing_ms = xt_clock_wall_ms(f->app->clock);
    pthread_mutex_unlock(&f->lock);
}

static void works_again(xt_forward_run *f)
{
    char message[200];

    if (f->n_tries == 0)
        return;
    f->n_tries = 0;
    pthread_mutex_lock(&f->lock);
    f->failing_ms = 0;
    f->error[0] = '\0';
    pthread_mutex_unlock(&f->lock);
    if (!f->told)
        return;
    f->told = false;
    snprintf(message, sizeof message, "forward %s works again after %lld s; what it owes is being sent", f->spec.name,
             (long long)(mono_ms() - f->failed_ms) / 1000);
    note(f->app, "forward-resumed", message);
}

/* What the target never gets, and that it gets nothing, is said, not more than once a minute. */
static void tell(xt_forward_run *f)
{
    int64_t now = mono_ms();
    char message[700];

    if (f->n_tries && !f->told && now - f->failed_ms >= TELL_AFTER_MS) {
        snprintf(message, sizeof message, "forward %s fails: %s; nothing is lost while the store keeps its events",
                 f->spec.name, f->error);
        note(f->app, "forward-failed", message);
        f->told = true;
    }
    if (now - f->told_ms < TELL_EVERY_MS && f->told_ms)
        return;
    if (f->sure.at.n_gone > f->gone_told) {
        snprintf(message, sizeof message,
                 "forward %s: %llu events had left the store (retired, erased or damaged) before they could be sent",
                 f->spec.name, (unsigned long long)(f->sure.at.n_gone - f->gone_told));
        note(f->app, "forward-gap", message);
        f->gone_told = f->sure.at.n_gone;
        f->told_ms = now;
    }
    if (f->sure.n_refused > f->refused_told) {
        snprintf(message, sizeof message, "forward %s: the target refused %llu messages for good: %s", f->spec.name,
                 (unsigned long long)(f->sure.n_refused - f->refused_told), f->refusal);
        note(f->app, "forward-refused", message);
        f->refused_told = f->sure.n_refused;
        f->told_ms = now;
    }
}

/* ------------------------------------------------------------------------------------------------ sending */

static void settled(xt_forward_run *f)
{
    pthread_mutex_lock(&f->lock);
    f->sent.paused = f->sure.paused;
    f->sure = f->sent;
    pthread_mutex_unlock(&f->lock);
    f->unsettled_ms = 0;
    f->unsettled_bytes = 0;
}

/* Nothing is unsettled where a sink has no such call: what it sent is surely there. */
static int settle(xt_forward_run *f)
{
    xt_problem problem = XT_PROBLEM_INIT;

    if (!f->unsettled_ms || !f->sink->settle)
        return 0;
    int r = f->sink->settle(f->sink, &problem);
    if (r) {
        fail(f, &problem, r);
        return r;
    }
    settled(f);
    works_again(f);
    return 0;
}

/* The counts of a batch that was handed over. */
static void count_batch(xt_forward_run *f, uint64_t n_refused)
{
    const xt_forward_batch *batch = &f->batch;

    f->sent.n_sent += batch->n_items - batch->n_textless - n_refused;
    f->sent.n_bytes += batch->bytes.n;
    f->sent.n_refused += n_refused;
    f->sent.n_cut += batch->n_cut;
    f->sent.n_textless += batch->n_textless;
    f->sent.sent_ms = xt_clock_wall_ms(f->app->clock);
    f->sent.event_ms = f->batch_event_ms;
}

static int flush(xt_forward_run *f)
{
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t n_refused = f->sink->n_refused;
    bool has_items = f->batch.n_items > 0;
    int r = has_items ? f->sink->send(f->sink, &f->batch, &problem) : 0;

    if (r) {
        fail(f, &problem, r);
        return r;
    }
    if (has_items)
        count_batch(f, f->sink->n_refused - n_refused);
    if (f->sink->n_refused > n_refused) {
        pthread_mutex_lock(&f->lock);
        snprintf(f->refusal, sizeof f->refusal, "%s", f->sink->refusal);
        pthread_mutex_unlock(&f->lock);
    }
    f->sent.at = f->next;
    if (has_items && f->sink->settle && !f->unsettled_ms)
        f->unsettled_ms = mono_ms();
    f->unsettled_bytes += f->batch.bytes.n;
    xt_forward_batch_reset(&f->batch);
    if (!f->unsettled_ms)
        settled(f);
    if (has_items && !f->sink->settle)
        works_again(f);
    /* After a failure it is found out at once whether the target takes anything. */
    return f->unsettled_ms && (f->n_tries || f->unsettled_bytes >= SETTLE_BYTES) ? settle(f) : 0;
}

static int flush_when_full(xt_forward_run *f)
{
    if (f->batch.bytes.n < BATCH_BYTES && xt_forward_batch_count(&f->batch) < BATCH_MESSAGES)
        return 0;
    return flush(f) ? 1 : 0;
}

/* ------------------------------------------------------------------------------------------------ reading */

static int on_row(void *context, xt_event *event, const xt_follow_position *after)
{
    xt_forward_run *f = context;

    xt_arena_reset(&f->arena);
    int r = xt_forward_put_event(&f->form, event, &f->arena, &f->batch);
    if (r)
        return xt_error_trace(r);
    f->next = *after;
    f->batch_event_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0);
    return flush_when_full(f);
}

static void fence(xt_forward_run *f)
{
    uint64_t lo, hi;

    xt_follow_fence(&f->sure.at, &f->sent.at, &lo, &hi);
    (void)xt_store_fence_set(f->app->store, f, lo, hi);
}

static int turn_events(xt_forward_run *f, xt_problem *reterr_problem)
{
    const xt_follow follow = {.filter = f->filter,
                              .fields = xt_forward_form_fields(&f->form),
                              .cancel = &f->stops,
                              .max_ms = TURN_MS,
                              .on_row = on_row,
                              .context = f};
    xt_follow_position at = f->sent.at;
    uint64_t last;

    f->is_done = !at.upto && xt_store_wait(f->app->store, at.arrival, WAIT_MS) <= at.arrival;
    if (f->is_done)
        return 0;
    fence(f);
    int r = xt_follow_run(f->app->store, &follow, &at, &last, reterr_problem);
    if (r || f->failed)
        return r;
    f->next = at;
    (void)flush(f);
    fence(f);
    return 0;
}

/* When its level rises later, it is told again. */
static bool is_high_enough(const xt_forward_run *f, const xt_alert *alert)
{
    xt_level least, level;

    return !xt_level_by_name(xt_slice_str(f->spec.query), &least) ||
           !xt_level_by_name(xt_slice_str(alert->level), &level) || level >= least;
}

static int on_alert(void *context, const xt_alert *alert, int64_t told)
{
    xt_forward_run *f = context;

    f->next.arrival = (uint64_t)told;
    if (!is_high_enough(f, alert))
        return 0;
    int r = xt_forward_put_alert(&f->form, alert, &f->batch);
    if (r)
        return xt_error_trace(r);
    f->batch_event_ms = alert->last_ms;
    return flush_when_full(f);
}

static int turn_alerts(xt_forward_run *f, xt_problem *reterr_problem)
{
    int64_t after = (int64_t)f->sent.at.arrival;
    int r = xt_alerts_each_told(f->app, after, BATCH_MESSAGES, on_alert, f, reterr_problem);

    f->is_done = r == 0 && f->next.arrival == (uint64_t)after && !f->failed;
    if (r == 0 && !f->failed && !f->is_done)
        (void)flush(f);
    return r;
}

/* ------------------------------------------------------------------------------------------------ turns */

static bool is_same_place(const xt_follow_position *a, const xt_follow_position *b)
{
    return a->arrival == b->arrival && a->upto == b->upto && a->base == b->base && a->n_seen == b->n_seen &&
           a->segment == b->segment && a->row == b->row && a->n_gone == b->n_gone;
}

/* By members: bytes between them are nobody's. */
static bool is_same_state(const xt_forward_state *a, const xt_forward_state *b)
{
    return is_same_place(&a->at, &b->at) && a->n_sent == b->n_sent && a->n_bytes == b->n_bytes &&
           a->n_refused == b->n_refused && a->n_cut == b->n_cut && a->n_textless == b->n_textless &&
           a->sent_ms == b->sent_ms && a->event_ms == b->event_ms && a->paused == b->paused;
}

static void save(xt_forward_run *f)
{
    xt_problem problem = XT_PROBLEM_INIT;

    if (is_same_state(&f->sure, &f->saved))
        return;
    int r = xt_forward_row_save(f->app->state, f->spec.name, &f->sure, &problem);
    if (r)
        xt_log_problem(XT_LOG_ERROR, &problem); /* it is tried again with the next turn */
    else
        f->saved = f->sure;
    f->saved_ms = mono_ms();
}

static void wait_a_little(const xt_forward_run *f, int64_t ms)
{
    for (int64_t until = mono_ms() + ms; !atomic_load(&f->stops) && mono_ms() < until;)
        usleep(20000);
}

static void turn(xt_forward_run *f)
{
    xt_problem problem = XT_PROBLEM_INIT;

    f->failed = f->is_done = false;
    f->next = f->sent.at;
    xt_forward_batch_reset(&f->batch);
    int r = f->spec.alerts ? turn_alerts(f, &problem) : turn_events(f, &problem);
    if (r && !f->failed)
        fail(f, &problem, r);
    if (f->unsettled_ms && mono_ms() - f->unsettled_ms >= SETTLE_MS)
        (void)settle(f);
}

static void *work(void *context)
{
    xt_forward_run *f = context;

    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE); /* ingest comes first */
    while (!atomic_load(&f->stops)) {
        if (mono_ms() >= f->next_try_ms)
            turn(f);
        else
            wait_a_little(f, WAIT_MS);
        if (mono_ms() - f->saved_ms >= SAVE_MS)
            save(f);
        tell(f);
        if (f->is_done && f->spec.alerts)
            wait_a_little(f, ALERTS_MS);
    }
    (void)settle(f);
    save(f);
    f->sink = xt_sink_free(f->sink);
    atomic_store(&f->ended, true);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ life */

static const char *or_null(const char *text)
{
    return text && *text ? text : NULL;
}

static int make_sink(xt_forward_run *f, xt_problem *reterr_problem)
{
    const xt_forward_spec *spec = &f->spec;
    xt_sink_settings settings = {.target = spec->target,
                                 .ca = or_null(spec->ca),
                                 .cert = or_null(spec->cert),
                                 .key = or_null(spec->key),
                                 .bearer_file = or_null(spec->bearer_file),
                                 .headers_file = or_null(spec->headers_file),
                                 .gzip = spec->gzip,
                                 .rotate_bytes = spec->rotate_bytes,
                                 .n_keep = spec->n_keep,
                                 .stops = &f->hurries};
    int r = xt_sink_kind_of(spec->target, spec->bulk, &settings.kind, reterr_problem);

    if (r)
        return r;
    f->form = (xt_forward_form){spec->format, settings.kind == XT_FORWARD_UDP   ? XT_FORWARD_DATAGRAM
                                              : settings.kind <= XT_FORWARD_TLS ? XT_FORWARD_OCTETS
                                              : settings.kind == XT_FORWARD_ES  ? XT_FORWARD_BULK
                                                                                : XT_FORWARD_LINES};
    return xt_error_trace(xt_sink_new(&settings, &f->sink));
}

static int copy_spec(xt_forward_run *f, const xt_forward_spec *spec)
{
    const char **texts[] = {&f->spec.name, &f->spec.query, &f->spec.target,      &f->spec.ca,
                            &f->spec.cert, &f->spec.key,   &f->spec.bearer_file, &f->spec.headers_file};

    f->spec = *spec;
    for (size_t i = 0; i < XT_COUNT_OF(texts); i++) {
        xt_slice copy = xt_arena_copy(&f->texts, xt_slice_str(*texts[i] ? *texts[i] : ""));
        if (!copy.p)
            return xt_error_origin(-ENOMEM);
        *texts[i] = copy.p;
    }
    return 0;
}

/* A store or a table of alerts that is shorter than the position was restored from an older backup. */
static int clamp(xt_forward_run *f, xt_problem *reterr_problem)
{
    int64_t told = 0;
    int r = f->spec.alerts ? xt_alerts_last_told(f->app, &told, reterr_problem) : 0;
    uint64_t last = f->spec.alerts ? (uint64_t)told : xt_follow_now(f->app->store).arrival;

    if (f->sure.at.arrival > last)
        f->sure.at = (xt_follow_position){.arrival = last, .n_gone = f->sure.at.n_gone};
    return r;
}

int xt_forward_run_new(xt_app *app, const xt_forward_spec *spec, const xt_forward_state *state, xt_forward_run **ret,
                       xt_problem *reterr_problem)
{
    xt_forward_run *f = calloc(1, sizeof *f);

    if (!f)
        return xt_error_origin(-ENOMEM);
    f->app = app;
    f->sure = *state;
    pthread_mutex_init(&f->lock, NULL);
    xt_arena_init(&f->texts, 1 << 20);
    xt_arena_init(&f->arena, EVENT_ARENA);
    int r = copy_spec(f, spec);
    if (r == 0)
        r = make_sink(f, reterr_problem);
    if (r == 0 && !f->spec.alerts)
        r = xt_filter_compile(xt_slice_str(f->spec.query), xt_clock_wall_ms(app->clock), &f->filter, reterr_problem);
    r = r > 0 ? XT_APP_E_INVALID : r;
    if (r == 0)
        r = clamp(f, reterr_problem);
    if (r) {
        xt_forward_run_free(f);
        return r;
    }
    f->sent = f->saved = f->sure;
    f->gone_told = f->sure.at.n_gone;
    f->refused_told = f->sure.n_refused;
    if (!f->spec.alerts)
        fence(f);
    *ret = f;
    return 0;
}

int xt_forward_run_start(xt_forward_run *f)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = f->sink ? 0 : make_sink(f, &problem);

    atomic_store(&f->stops, false);
    atomic_store(&f->hurries, false);
    atomic_store(&f->ended, false);
    f->sent = f->sure;
    f->n_tries = 0;
    f->next_try_ms = 0;
    if (r == 0)
        r = -pthread_create(&f->thread, NULL, work, f);
    f->started = r == 0;
    return xt_error_trace(r);
}

void xt_forward_run_ask_to_end(xt_forward_run *f, bool hurry)
{
    atomic_store(&f->stops, true);
    if (hurry)
        atomic_store(&f->hurries, true);
}

bool xt_forward_run_has_ended(xt_forward_run *f)
{
    return !f->started || atomic_load(&f->ended);
}

void xt_forward_run_join(xt_forward_run *f)
{
    if (f->started)
        pthread_join(f->thread, NULL);
    f->started = false;
}

xt_forward_run *xt_forward_run_free(xt_forward_run *f)
{
    xt_forward_run_ask_to_end(f, true);
    xt_forward_run_join(f);
    xt_store_fence_remove(f->app->store, f);
    xt_sink_free(f->sink);
    xt_filter_free(f->filter);
    xt_forward_batch_fini(&f->batch);
    xt_arena_fini(&f->arena);
    xt_arena_fini(&f->texts);
    pthread_mutex_destroy(&f->lock);
    free(f);
    return NULL;
}

/* Of a cluster of segments under way the rows passed count, of which the position does not know where they lie. */
static uint64_t behind(const xt_follow_position *at, uint64_t last)
{
    uint64_t passed = at->upto ? at->base + at->n_seen : at->arrival;

    return last > passed ? last - passed : 0;
}

void xt_forward_run_info(xt_forward_run *f, xt_forward_info *ret)
{
    int64_t told = 0;

    if (f->spec.alerts && xt_alerts_last_told(f->app, &told, NULL) < 0)
        told = 0;
    uint64_t last = f->spec.alerts ? (uint64_t)told : xt_follow_now(f->app->store).arrival;
    pthread_mutex_lock(&f->lock);
    *ret = (xt_forward_info){.spec = f->spec, .state = f->sure, .failing_ms = f->failing_ms};
    memcpy(ret->error, f->error, sizeof ret->error);
    memcpy(ret->refusal, f->refusal, sizeof ret->refusal);
    pthread_mutex_unlock(&f->lock);
    ret->n_behind = behind(&ret->state.at, last);
    ret->word = ret->state.paused ? "paused" : !f->started ? "off" : ret->failing_ms ? "failing" : "running";
}

void xt_forward_run_set_paused(xt_forward_run *f, bool paused)
{
    pthread_mutex_lock(&f->lock);
    f->sure.paused = paused;
    if (paused) {
        f->failing_ms = 0;
        f->error[0] = '\0';
    }
    pthread_mutex_unlock(&f->lock);
}

const char *xt_forward_run_name(const xt_forward_run *f)
{
    return f->spec.name;
}

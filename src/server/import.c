/*
 * Text is decoded on the caller's thread. A small import, and a live one, is cut into batches of a stream of its own (a random
 * id: an import is never resumed) that go through the same writer as those of agents. What is more than a batch becomes
 * segments at once (import_bulk.c): then nothing is packed into frames, written to pending.db and unpacked again.
 */
#include "server/import.h"

#include <errno.h>
#include <stdlib.h>

#include "event/decoder.h"
#include "server/app_parts.h"
#include "server/import_bulk.h"
#include "server/import_known.h"
#include "server/secret.h"
#include "wire/batch.h"

enum {
    BATCH_BYTES = 1 << 20,
    BATCH_EVENTS = 8192,
};

struct xt_import {
    xt_app *app;
    xt_decoder *decoder;
    char host[256], host_id[33];
    char source[200];        /* the file that is fed */
    uint64_t number_of_file; /* as the caller counts */
    uint32_t file;           /* as we do, from 0 */
    bool live;
    xt_import_bulk *bulk;      /* NULL: what there is fits a batch so far */
    xt_problem first_unparsed; /* not set: no line was */
    xt_hash128 stream, chain;
    uint64_t number, arrival; /* arrival: the store's newest when this began */
    xt_buf events, payload;
    xt_import_event *index;
    size_t n;
    uint64_t n_stored, n_known;
    pthread_mutex_t lock;
    pthread_cond_t settled;
    size_t n_waiting;   /* batches with the writer */
    int failure;        /* the first bad outcome */
    xt_problem problem; /* of a flush inside the decoder */
};

static void done(void *context, int outcome, uint64_t number)
{
    xt_import *import = context;

    pthread_mutex_lock(&import->lock);
    if (outcome && outcome != XT_STORE_E_DUPLICATE && !import->failure)
        import->failure = outcome;
    if (--import->n_waiting == 0)
        pthread_cond_broadcast(&import->settled);
    pthread_mutex_unlock(&import->lock);
}

static int failure_of(xt_import *import, xt_problem *reterr_problem)
{
    pthread_mutex_lock(&import->lock);
    int r = import->failure;
    pthread_mutex_unlock(&import->lock);
    if (r < 0)
        xt_problem_set(reterr_problem, "the store does not take the events: %s", strerror(-r));
    else if (r > 0)
        xt_problem_set(reterr_problem, "the store refused a batch of this import (outcome %d)", r);
    return r > 0 ? xt_error_origin(-EIO) : xt_error_trace(r);
}

static void wait_settled(xt_import *import)
{
    pthread_mutex_lock(&import->lock);
    while (import->n_waiting)
        pthread_cond_wait(&import->settled, &import->lock);
    pthread_mutex_unlock(&import->lock);
}

/* Closes the gaps that known events leave. */
static void drop_known(xt_import *import)
{
    size_t from = 0, to = 0, kept = 0;

    for (size_t i = 0; i < import->n; i++) {
        size_t n = import->index[i].end - from;
        if (!import->index[i].known) {
            memmove(import->events.p + to, import->events.p + from, n);
            to += n;
            kept++;
        }
        from += n;
    }
    import->events.n = to;
    import->n_known += import->n - kept;
    import->n = kept;
}

static int send(xt_import *import)
{
    int r = xt_batch_encode(import->stream, import->number + 1, import->n, import->chain, xt_buf_slice(&import->events),
                            &import->payload);

    if (r)
        return xt_error_trace(r);
    xt_writer_put_args args = {.payload = xt_buf_slice(&import->payload),
                               .events = &import->events,
                               .done = done,
                               .context = import,
                               .wait = true};
    import->number++;
    import->chain = xt_batch_hash(args.payload);
    import->n_stored += import->n;
    pthread_mutex_lock(&import->lock);
    import->n_waiting++;
    pthread_mutex_unlock(&import->lock);
    r = xt_writer_put(import->app->writer, &args);
    if (r)
        done(import, r, import->number);
    return xt_error_trace(r);
}

static int flush(xt_import *import, xt_problem *reterr_problem)
{
    size_t n_known = 0;
    int r = xt_buf_done(&import->events);

    if (r || import->n == 0)
        return xt_error_trace(r);
    r = xt_import_mark_known(import->app->store, import->arrival, import->index, import->n, &n_known, reterr_problem);
    if (r == 0 && import->file)
        r = xt_import_mark_repeated(NULL, 0, import->index, import->n);
    if (r == 0)
        drop_known(import);
    if (r == 0 && import->n)
        r = send(import);
    import->n = 0;
    xt_buf_reset(&import->events);
    xt_buf_reset(&import->payload);
    return xt_error_trace(r);
}

/* What was gathered for a batch goes into a bulk, and all that follows. */
static int begin_bulk(xt_import *import)
{
    xt_slice rest = xt_buf_slice(&import->events), bytes;
    xt_event event;
    xt_import_bulk *bulk = NULL;
    int r = xt_import_bulk_new(import->app, import->stream, import->arrival, &bulk);

    pthread_mutex_lock(&import->lock);
    import->bulk = bulk;
    pthread_mutex_unlock(&import->lock);
    for (size_t i = 0; r == 0 && xt_event_batch_next(&rest, &bytes); i++) {
        r = xt_event_decode(bytes, &event, &import->problem);
        if (r == 0)
            r = xt_import_bulk_add(import->bulk, &event, import->index[i].file, &import->problem);
    }
    import->n = 0;
    xt_buf_fini(&import->events);
    return xt_error_fold(r);
}

static int on_event(void *context, xt_event *event, xt_arena *arena)
{
    xt_import *import = context;

    (void)arena;
    if (import->bulk)
        return xt_error_trace(xt_import_bulk_add(import->bulk, event, import->file, &import->problem));
    xt_import_event *entry = &import->index[import->n];
    int r = xt_import_event_id(event, &entry->id);
    if (r)
        return xt_error_trace(r);
    xt_event_batch_put(&import->events, event);
    entry->time_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0);
    entry->end = import->events.n;
    entry->file = import->file;
    entry->known = false;
    import->n++;
    if (import->n < BATCH_EVENTS && import->events.n < BATCH_BYTES)
        return 0;
    return import->live ? flush(import, &import->problem) : begin_bulk(import);
}

static void on_problem(void *context, const xt_problem *problem)
{
    xt_import *import = context;

    pthread_mutex_lock(&import->lock);
    if (!xt_problem_is_set(&import->first_unparsed))
        import->first_unparsed = *problem;
    pthread_mutex_unlock(&import->lock);
}

static void on_file(void *context)
{
    ((xt_import *)context)->file++;
}

static int name_host(xt_import *import, const char *host)
{
    xt_text_copy(import->host, sizeof import->host, xt_slice_str(host));
    if (!xt_hosts_id_of(import->app->hosts, xt_slice_str(import->host), import->host_id))
        xt_hash128_format(xt_event_import_host_id(xt_slice_str(import->host)), import->host_id);
    return xt_error_trace(xt_secret_random(import->stream.b, sizeof import->stream.b));
}

static int open_decoder(xt_import *import, const char *source, bool live)
{
    xt_text_copy(import->source, sizeof import->source, xt_slice_str(source));
    xt_decoder_settings settings = {
        .origin = {.host_name = xt_slice_str(import->host), .host_id = xt_slice_str(import->host_id)},
        .live = live,
        .follows_sessions = true,
        .n_workers = import->app->n_cores - 1,
        .source = import->source,
        .secrets = import->app->keeps_secrets ? NULL : import->app->secrets,
        .seal_to = xt_app_seal_key(import->app),
        .on_event = on_event,
        .on_problem = on_problem,
        .on_file = on_file,
        .context = import,
    };
    return xt_error_trace(xt_decoder_new(&settings, &import->decoder));
}

static void import_free(xt_import *import)
{
    if (import->decoder)
        xt_decoder_free(import->decoder); /* whose threads add to the bulk */
    xt_import_bulk_free(import->bulk);
    xt_buf_fini(&import->events);
    xt_buf_fini(&import->payload);
    free(import->index);
    pthread_cond_destroy(&import->settled);
    pthread_mutex_destroy(&import->lock);
    free(import);
}

static int import_open(xt_app *app, const char *host, const char *source, bool live, xt_import **ret)
{
    xt_import *import = calloc(1, sizeof *import);
    int r;

    if (!import)
        return xt_error_origin(-ENOMEM);
    import->app = app;
    import->problem = import->first_unparsed = XT_PROBLEM_INIT;
    pthread_mutex_init(&import->lock, NULL);
    pthread_cond_init(&import->settled, NULL);
    import->live = live;
    import->arrival = live ? 0 : xt_store_wait(app->store, 0, 0);
    import->index = calloc(BATCH_EVENTS, sizeof *import->index);
    r = import->index ? name_host(import, host) : xt_error_origin(-ENOMEM);
    if (r == 0)
        r = open_decoder(import, source, live);
    if (r) {
        import_free(import);
        return xt_error_trace(r);
    }
    *ret = import;
    return 0;
}

int xt_import_open(xt_app *app, const char *host, const char *source, xt_import **ret, xt_problem *reterr_problem)
{
    if (!host || !*host) {
        xt_problem_set(reterr_problem, "an import needs the name of the host that the records are from");
        xt_problem_hint(reterr_problem, "give it with --host NAME");
        return XT_APP_E_INVALID;
    }
    return xt_error_trace(import_open(app, host, source, false, ret));
}

int xt_import_open_live(xt_app *app, const char *host, const char *source, xt_import **ret, xt_problem *reterr_problem)
{
    return xt_error_trace(import_open(app, host, source, true, ret));
}

void xt_import_set_secrets(xt_import *import, bool keep, const xt_secret_seal_key *seal_to)
{
    xt_decoder_set_secrets(import->decoder, keep ? NULL : import->app->secrets, seal_to);
}

static int failed_inside(xt_import *import, int r, xt_problem *reterr_problem)
{
    if (r && reterr_problem && xt_problem_is_set(&import->problem))
        *reterr_problem = import->problem;
    return xt_error_fold(r);
}

/* The decoder holds import->source: what it says of the end of the file before still has that file's name. */
int xt_import_begin(xt_import *import, const char *source, uint64_t number, xt_problem *reterr_problem)
{
    bool is_first = xt_decoder_stats_get(import->decoder).n_bytes == 0;
    char name[sizeof import->source];
    int r = 0;

    xt_text_copy(name, sizeof name, xt_slice_str(source));
    if (strcmp(name, import->source) == 0 && number == import->number_of_file)
        return 0;
    if (!is_first)
        r = xt_decoder_begin(import->decoder, import->source);
    import->number_of_file = number;
    memcpy(import->source, name, sizeof name);
    return failed_inside(import, r, reterr_problem);
}

int xt_import_feed(xt_import *import, xt_slice bytes, xt_problem *reterr_problem)
{
    int r = failure_of(import, reterr_problem);

    if (r)
        return xt_error_trace(r);
    r = xt_decoder_feed(import->decoder, bytes);
    return failed_inside(import, r, reterr_problem);
}

int xt_import_tick(xt_import *import, int64_t now_ms, xt_problem *reterr_problem)
{
    int r = xt_decoder_tick(import->decoder, now_ms);

    if (r == 0)
        r = flush(import, reterr_problem);
    return xt_error_fold(r);
}

xt_import_stats xt_import_stats_get(xt_import *import)
{
    xt_decoder_stats from = xt_decoder_stats_get(import->decoder);
    uint64_t n_stored = 0, n_known = 0;

    pthread_mutex_lock(&import->lock);
    if (import->bulk)
        xt_import_bulk_counts(import->bulk, &n_stored, &n_known);
    xt_import_stats stats = {.n_bytes = from.n_bytes,
                             .n_lines = from.n_lines,
                             .n_read = from.n_events,
                             .n_events = import->n_stored + n_stored,
                             .n_unparsed = from.n_unparsed,
                             .n_duplicate = import->n_known + n_known,
                             .problem = import->first_unparsed};
    pthread_mutex_unlock(&import->lock);
    return stats;
}

int xt_import_finish(xt_import *import, bool compact, xt_import_stats *ret, xt_problem *reterr_problem)
{
    int r = failed_inside(import, xt_decoder_finish(import->decoder), reterr_problem);

    if (r == 0)
        r = import->bulk ? xt_import_bulk_finish(import->bulk, reterr_problem) : flush(import, reterr_problem);
    wait_settled(import);
    if (r == 0)
        r = failure_of(import, reterr_problem);
    if (r == 0 && compact)
        r = xt_store_compact(import->app->store, reterr_problem);
    if (r == 0 && ret)
        *ret = xt_import_stats_get(import);
    import_free(import);
    return xt_error_fold(r);
}

xt_import *xt_import_abort(xt_import *import)
{
    if (!import)
        return NULL;
    wait_settled(import);
    import_free(import);
    return NULL;
}

/*
 * Events gather by host until the batch is full or an hour old, then it is numbered and chained as an agent's spool does.
 * Into a data folder it goes over a short queue to a thread that appends many batches a commit, while another seals.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "sink.h"
#include "store/store.h"
#include "wire/batch.h"

#define MAX_AGE_MS  3600000
#define PIECE_BYTES (1u << 20)
#define GROUP       64 /* batches a commit */
#define QUEUE       (4 * GROUP)

typedef struct stream {
    xt_hash128 stream, chain;
    uint64_t number, n_events;
    int64_t first_ms;
    xt_buf events;
} stream;

/* A batch on its way to the store. */
typedef struct parcel {
    unsigned host;
    xt_hash128 chain, hash;
    uint64_t number, n_events;
    xt_buf events, payload;
} parcel;

typedef struct batches {
    xt_sink sink;
    unsigned most;
    stream streams[XT_FLEET_HOSTS];
    xt_buf out, payload;
    int fd;
    /* of a data folder */
    xt_store *store;
    const xt_fleet *fleet;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    parcel *queue[QUEUE];
    size_t first, n;
    bool ends, keeper_ends;
    int failure;
    xt_problem problem;
    pthread_t writer, keeper;
} batches;

/* ------------------------------------------------------------------------------------------------ batches */

static int write_out(batches *b)
{
    size_t done = 0;
    while (done < b->out.n) {
        ssize_t n = write(b->fd, b->out.p + done, b->out.n - done);
        if (n < 0 && errno != EINTR)
            return xt_error_origin(-errno);
        done += n > 0 ? (size_t)n : 0;
    }
    xt_buf_reset(&b->out);
    return 0;
}

static int to_file(batches *b, unsigned host, const stream *s)
{
    xt_buf_put_u32(&b->out, host);
    xt_buf_put_u32(&b->out, (uint32_t)s->n_events);
    xt_buf_put_u32(&b->out, (uint32_t)b->payload.n);
    xt_buf_put(&b->out, xt_buf_slice(&b->payload));
    int r = xt_buf_done(&b->out);
    return r == 0 && b->out.n >= PIECE_BYTES ? write_out(b) : r;
}

static void parcel_free(parcel *p)
{
    xt_buf_fini(&p->events);
    xt_buf_fini(&p->payload);
    free(p);
}

/* Takes the bytes of the stream and of the payload along. */
static int to_queue(batches *b, unsigned host, stream *s, xt_hash128 hash)
{
    parcel *p = calloc(1, sizeof *p);
    if (!p)
        return xt_error_origin(-ENOMEM);
    *p = (parcel){host, s->chain, hash, s->number, s->n_events, s->events, b->payload};
    s->events = b->payload = XT_BUF_INIT;
    pthread_mutex_lock(&b->lock);
    while (b->n == QUEUE && !b->failure)
        pthread_cond_wait(&b->changed, &b->lock);
    int r = b->failure;
    if (r == 0) {
        b->queue[(b->first + b->n++) % QUEUE] = p;
        pthread_cond_broadcast(&b->changed);
    }
    pthread_mutex_unlock(&b->lock);
    if (r)
        parcel_free(p);
    return r;
}

static int close_batch(batches *b, unsigned host)
{
    stream *s = &b->streams[host];
    if (s->n_events == 0)
        return 0;
    xt_buf_reset(&b->payload);
    int r = xt_batch_encode(s->stream, ++s->number, s->n_events, s->chain, xt_buf_slice(&s->events), &b->payload);
    if (r < 0)
        return xt_error_trace(r);
    xt_hash128 hash = xt_batch_hash(xt_buf_slice(&b->payload));
    r = b->store ? to_queue(b, host, s, hash) : to_file(b, host, s);
    s->chain = hash;
    s->n_events = 0;
    xt_buf_reset(&s->events);
    return r;
}

static int put(xt_sink *sink, unsigned host, const xt_event *event)
{
    batches *b = (batches *)sink;
    stream *s = &b->streams[host];
    int64_t now_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0);
    if (s->n_events > 0 && now_ms - s->first_ms > MAX_AGE_MS) {
        int r = close_batch(b, host);
        if (r < 0)
            return r;
    }
    if (s->n_events++ == 0)
        s->first_ms = now_ms;
    xt_event_batch_put(&s->events, event);
    return s->n_events == b->most ? close_batch(b, host) : 0;
}

/* ------------------------------------------------------------------------------------------------ the store */

static xt_store_batch store_batch(const batches *b, const parcel *p, const xt_batch *frame)
{
    return (xt_store_batch){
        .stream = b->streams[p->host].stream,
        .number = p->number,
        .n_events = p->n_events,
        .chain = p->chain,
        .hash = p->hash,
        .host_id = xt_slice_str(xt_fleet_host_id(b->fleet, p->host)),
        .frame = frame->data,
        .frame_codec = (uint32_t)frame->codec,
        .events = xt_buf_slice(&p->events),
    };
}

static int append(batches *b, parcel **parcels, size_t n, xt_problem *problem)
{
    xt_store_batch rows[GROUP];
    int outcomes[GROUP], r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        xt_batch frame;
        r = xt_batch_decode(xt_buf_slice(&parcels[i]->payload), &frame, problem);
        if (r == 0)
            rows[i] = store_batch(b, parcels[i], &frame);
    }
    if (r == 0)
        r = xt_store_append(b->store, rows, n, outcomes, problem);
    for (size_t i = 0; i < n && r == 0; i++)
        r = outcomes[i];
    return xt_error_fold(r);
}

/* Up to a group of parcels; 0 when there will be none. */
static size_t take(batches *b, parcel **ret)
{
    size_t n = 0;
    pthread_mutex_lock(&b->lock);
    while (b->n < GROUP && !b->ends)
        pthread_cond_wait(&b->changed, &b->lock);
    for (; n < GROUP && b->n > 0; b->n--) {
        ret[n++] = b->queue[b->first];
        b->first = (b->first + 1) % QUEUE;
    }
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    return n;
}

static void *write_all(void *context)
{
    batches *b = context;
    parcel *parcels[GROUP];
    for (size_t n; (n = take(b, parcels)) > 0;) {
        xt_problem problem = XT_PROBLEM_INIT;
        int r = b->failure ? 0 : append(b, parcels, n, &problem);
        for (size_t i = 0; i < n; i++)
            parcel_free(parcels[i]);
        if (r == 0)
            continue;
        pthread_mutex_lock(&b->lock);
        b->failure = r;
        b->problem = problem;
        pthread_cond_broadcast(&b->changed);
        pthread_mutex_unlock(&b->lock);
    }
    return NULL;
}

static void *keep(void *context)
{
    batches *b = context;
    for (;;) {
        pthread_mutex_lock(&b->lock);
        bool ends = b->keeper_ends;
        pthread_mutex_unlock(&b->lock);
        if (ends || xt_store_maintain(b->store, NULL) < 0)
            return NULL;
        usleep(50000);
    }
}

static int finish_store(batches *b, xt_problem *reterr_problem)
{
    pthread_mutex_lock(&b->lock);
    b->ends = true;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    pthread_join(b->writer, NULL);
    pthread_mutex_lock(&b->lock);
    b->keeper_ends = true;
    pthread_mutex_unlock(&b->lock);
    pthread_join(b->keeper, NULL);
    if (b->failure) {
        *reterr_problem = b->problem;
        return b->failure;
    }
    return xt_store_compact(b->store, reterr_problem);
}

/* ------------------------------------------------------------------------------------------------ the sink */

static int finish(xt_sink *sink, xt_problem *reterr_problem)
{
    batches *b = (batches *)sink;
    int r = 0;
    for (unsigned i = 0; i < XT_FLEET_HOSTS && r == 0; i++)
        r = close_batch(b, i);
    if (b->store) {
        int ended = finish_store(b, reterr_problem);
        return r ? r : ended;
    }
    return r ? r : write_out(b);
}

static void sink_free(xt_sink *sink)
{
    batches *b = (batches *)sink;
    for (unsigned i = 0; i < XT_FLEET_HOSTS; i++)
        xt_buf_fini(&b->streams[i].events);
    xt_buf_fini(&b->out);
    xt_buf_fini(&b->payload);
    xt_store_close(b->store);
    free(b);
}

int xt_sink_batches_open(int fd, unsigned most, xt_sink **ret, xt_problem *reterr_problem)
{
    batches *b = calloc(1, sizeof *b);
    if (!b)
        return xt_error_origin(-ENOMEM);
    b->sink = (xt_sink){put, finish, sink_free};
    b->fd = fd;
    b->most = most;
    b->problem = XT_PROBLEM_INIT;
    for (unsigned i = 0; i < XT_FLEET_HOSTS; i++) {
        char name[32];
        xt_fleet_name_of(i, name);
        b->streams[i].stream = xt_slice_hash128(xt_slice_str(name));
    }
    *ret = &b->sink;
    return 0;
}

int xt_sink_store_open(const char *data, const xt_fleet *fleet, unsigned most, xt_sink **ret,
                       xt_problem *reterr_problem)
{
    xt_sink *sink = NULL;
    int r = xt_sink_batches_open(-1, most, &sink, reterr_problem);
    if (r < 0)
        return r;
    batches *b = (batches *)sink;
    b->fleet = fleet;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    r = xt_store_open(data, NULL, &b->store, reterr_problem);
    if (r == 0)
        r = -pthread_create(&b->writer, NULL, write_all, b);
    if (r == 0)
        r = -pthread_create(&b->keeper, NULL, keep, b);
    if (r) {
        sink_free(sink);
        return xt_error_fold(r);
    }
    *ret = sink;
    return 0;
}

/*
 * A bulk is looked at for known events when it is full and all before it are committed: so one question to the store
 * serves a quarter of a million rows, and what is asked for is either in the store or in the bulk itself. Only the file
 * that goes on from an earlier bulk needs more than that: rows of files before it that came with the bulk in which it began
 * have the same arrivals as its own first ones. The ids of that bulk are kept as long as the file goes on.
 */
#include "server/import_bulk.h"

#include <errno.h>
#include <stdlib.h>

#include "server/app_parts.h"
#include "server/import_known.h"
#include "server/ingest.h"
#include "server/secret.h"
#include "store/bulk.h"

enum {
    LOOK_EVERY = 256,              /* rows, at the memory that they take */
    HITS_BYTES = 16 << 20,         /* of events that rules match, in a bulk */
    PART_ARENA_BYTES = 80 << 20,   /* and one more event */
    EVENT_ARENA_BYTES = 128 << 20, /* as the writer's */
};

/* Events by row. */
typedef struct part_events {
    xt_import_event *items;
    size_t n, cap;
} part_events;

typedef struct import_part {
    xt_bulk *bulk;
    part_events events; /* none where nothing can be known */
    xt_ruleset *rules;  /* that the hits are of */
    xt_ingest_hit *hits, **hits_end;
    xt_arena arena; /* of hits */
} import_part;

struct xt_import_bulk {
    xt_app *app;
    xt_hash128 stream;
    xt_ingest in;
    import_part *part;               /* being gathered; NULL: none */
    char host_id[64];                /* of the event before */
    char group[XT_HOST_GROUP_BYTES]; /* that this host is of */
    xt_buf encoded;

    uint64_t number;
    uint64_t arrival;      /* up to here events are of before the import, or of files before the one that goes on */
    uint64_t last_arrival; /* of what was committed */
    uint32_t file;         /* that goes on */
    part_events began;     /* of the bulk in which that file began; none: it is the first of all */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool settled; /* the writer is done with the bulk at hand */
    int failure;  /* the writer's */
    uint64_t n_stored, n_known;
};

/* ------------------------------------------------------------------------------------------------ parts */

static import_part *part_free(import_part *part)
{
    if (!part)
        return NULL;
    xt_bulk_free(part->bulk);
    xt_ruleset_unref(part->rules);
    xt_arena_fini(&part->arena);
    free(part->events.items);
    free(part);
    return NULL;
}

static int part_new(xt_import_bulk *in, import_part **ret)
{
    import_part *part = calloc(1, sizeof *part);

    if (!part)
        return xt_error_origin(-ENOMEM);
    xt_arena_init(&part->arena, PART_ARENA_BYTES);
    part->hits_end = &part->hits;
    part->rules = in->in.rules = xt_app_rules(in->app);
    in->host_id[0] = in->group[0] = '\0';
    int r = xt_bulk_new(in->app->store, &part->bulk);
    if (r < 0) {
        part_free(part);
        return xt_error_trace(r);
    }
    *ret = part;
    return 0;
}

static int event_note(import_part *part, const xt_event *event, uint32_t file)
{
    part_events *events = &part->events;

    if (events->n == events->cap) {
        size_t cap = events->cap ? events->cap * 2 : 4096;
        xt_import_event *items = reallocarray(events->items, cap, sizeof *items);
        if (!items)
            return xt_error_origin(-ENOMEM);
        events->items = items;
        events->cap = cap;
    }
    xt_import_event *entry = &events->items[events->n++];
    *entry = (xt_import_event){.time_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0), .file = file};
    return xt_error_trace(xt_import_event_id(event, &entry->id));
}

/* ------------------------------------------------------------------------------------------------ packing */

static void done(void *context, int outcome, uint64_t number)
{
    xt_import_bulk *in = context;

    (void)number;
    pthread_mutex_lock(&in->lock);
    if (outcome && !in->failure)
        in->failure = outcome < 0 ? outcome : -EIO;
    in->settled = true;
    pthread_cond_broadcast(&in->changed);
    pthread_mutex_unlock(&in->lock);
}

/* Marks what is known: of the file that goes on, and of those that began here. */
static int known_mark(xt_import_bulk *in, import_part *part, xt_problem *reterr_problem)
{
    xt_import_event *events = part->events.items;
    size_t n = part->events.n, n_on = 0, n_known;

    while (n_on < n && events[n_on].file == in->file)
        n_on++;
    int r = xt_import_mark_known(in->app->store, in->arrival, events, n_on, &n_known, reterr_problem);
    if (r == 0)
        r = xt_import_mark_known(in->app->store, in->last_arrival, events + n_on, n - n_on, &n_known, reterr_problem);
    if (r == 0 && (in->began.n || n_on < n))
        r = xt_import_mark_repeated(in->began.items, in->began.n, events, n);
    return xt_error_trace(r);
}

/* Takes known rows and their hits out. */
static int known_leave_out(import_part *part)
{
    const part_events *events = &part->events;
    int r = 0;

    for (size_t i = 0; i < events->n && r == 0; i++)
        if (events->items[i].known)
            r = xt_bulk_leave_out(part->bulk, (uint32_t)i);
    for (xt_ingest_hit **at = &part->hits; events->n && *at;)
        if (events->items[(*at)->index].known)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    return r;
}

/* From here on the newest file of the part is the one that goes on. before: the newest arrival before the part. */
static void file_goes_on(xt_import_bulk *in, import_part *part, uint64_t before)
{
    part_events *events = &part->events;

    if (!events->n || events->items[events->n - 1].file == in->file)
        return;
    in->file = events->items[events->n - 1].file;
    in->arrival = before;
    free(in->began.items);
    in->began = *events;
    *events = (part_events){0};
}

static int commit(xt_import_bulk *in, import_part *part, xt_problem *reterr_problem)
{
    xt_writer_put_bulk_args args = {.bulk = part->bulk,
                                    .hits = part->hits,
                                    .stream = in->stream,
                                    .number = in->number + 1,
                                    .ret_last_arrival = &in->last_arrival,
                                    .done = done,
                                    .context = in};

    in->settled = false;
    int r = xt_writer_put_bulk(in->app->writer, &args);
    if (r)
        return xt_error_trace(r);
    pthread_mutex_lock(&in->lock);
    while (!in->settled)
        pthread_cond_wait(&in->changed, &in->lock);
    r = in->failure;
    pthread_mutex_unlock(&in->lock);
    in->number += r == 0;
    if (r < 0)
        xt_problem_set(reterr_problem, "the store does not take the events: %s", strerror(-r));
    return xt_error_trace(r);
}

/* What was gathered becomes a segment. */
static int part_end(xt_import_bulk *in, xt_problem *reterr_problem)
{
    import_part *part = in->part;
    uint64_t before = in->last_arrival;
    int r = known_mark(in, part, reterr_problem);

    if (r == 0)
        r = known_leave_out(part);
    uint32_t n_rows = xt_bulk_rows(part->bulk), n_left = r == 0 ? xt_bulk_rows_left(part->bulk) : 0;
    if (n_left)
        r = xt_bulk_write(part->bulk, in->app->n_cores, reterr_problem);
    if (n_left && r == 0)
        r = commit(in, part, reterr_problem);
    if (r == 0)
        file_goes_on(in, part, before);
    in->part = part_free(part);
    pthread_mutex_lock(&in->lock);
    in->n_stored += r == 0 ? n_left : 0;
    in->n_known += r == 0 ? n_rows - n_left : 0;
    pthread_mutex_unlock(&in->lock);
    return xt_error_trace(r);
}

/* ------------------------------------------------------------------------------------------------ gathering */

static bool part_is_full(const xt_import_bulk *in, const import_part *part)
{
    uint32_t n = xt_bulk_rows(part->bulk);

    if (n >= XT_BULK_MAX_ROWS || (in->app->bulk_rows && n >= in->app->bulk_rows) ||
        part->arena.used_bytes >= HITS_BYTES)
        return true;
    return n % LOOK_EVERY == 0 &&
           xt_bulk_bytes(part->bulk) >= XT_IMPORT_BULK_BYTES / (size_t)atomic_load(&in->app->n_bulks);
}

/* Asked for again when the host changes, and with each part. */
static xt_slice group_of(xt_import_bulk *in, const xt_event *event)
{
    xt_slice host_id = xt_event_bytes(event, XT_F_HOST_ID);

    if (!xt_slice_eq(host_id, xt_slice_str(in->host_id))) {
        xt_text_copy(in->host_id, sizeof in->host_id, host_id);
        xt_hosts_group_of(in->app->hosts, host_id, in->group);
    }
    return xt_slice_str(in->group);
}

static int hit_keep(xt_import_bulk *in, const xt_event *event, xt_slice noise, xt_slice group, const xt_match *matches,
                    size_t n)
{
    import_part *part = in->part;

    xt_buf_reset(&in->encoded);
    xt_event_encode(event, &in->encoded);
    int r = xt_buf_done(&in->encoded);
    xt_slice bytes = r == 0 ? xt_arena_copy(&part->arena, xt_buf_slice(&in->encoded)) : XT_S_NULL;
    group = xt_arena_copy(&part->arena, group);
    if (r == 0 && bytes.p && group.p)
        *part->hits_end = xt_ingest_hit_new(&part->arena, xt_bulk_rows(part->bulk), bytes, noise, group, matches, n);
    if (r || !*part->hits_end)
        return xt_error_origin(-ENOMEM);
    part->hits_end = &(*part->hits_end)->next;
    return 0;
}

int xt_import_bulk_add(xt_import_bulk *in, xt_event *event, uint32_t file, xt_problem *reterr_problem)
{
    xt_match matches[XT_DETECT_MAX_MATCHES];
    xt_slice noise;
    size_t n;
    int r = in->part ? 0 : part_new(in, &in->part);
    xt_slice group = group_of(in, event);

    if (r == 0)
        r = xt_ingest_judge(&in->in, event, group, &noise, matches, &n);
    if (r == 0 && n)
        r = hit_keep(in, event, noise, group, matches, n);
    if (r == 0)
        r = event_note(in->part, event, file);
    if (r == 0)
        r = xt_bulk_add(in->part->bulk, event);
    if (r < 0)
        return xt_error_trace(r);
    return part_is_full(in, in->part) ? part_end(in, reterr_problem) : 0;
}

int xt_import_bulk_finish(xt_import_bulk *in, xt_problem *reterr_problem)
{
    return in->part ? part_end(in, reterr_problem) : 0;
}

void xt_import_bulk_counts(xt_import_bulk *in, uint64_t *ret_stored, uint64_t *ret_known)
{
    pthread_mutex_lock(&in->lock);
    *ret_stored = in->n_stored;
    *ret_known = in->n_known;
    pthread_mutex_unlock(&in->lock);
}

/* ------------------------------------------------------------------------------------------------ begin and end */

int xt_import_bulk_new(xt_app *app, xt_hash128 stream, uint64_t arrival, xt_import_bulk **ret)
{
    xt_import_bulk *in = calloc(1, sizeof *in);

    if (!in)
        return xt_error_origin(-ENOMEM);
    in->app = in->in.app = app;
    in->stream = stream;
    in->arrival = in->last_arrival = arrival;
    pthread_mutex_init(&in->lock, NULL);
    pthread_cond_init(&in->changed, NULL);
    xt_arena_init(&in->in.event_arena, EVENT_ARENA_BYTES);
    atomic_fetch_add(&app->n_bulks, 1);
    int r = xt_noise_state_new(&in->in.noise);
    if (r) {
        xt_import_bulk_free(in);
        return xt_error_trace(r);
    }
    *ret = in;
    return 0;
}

xt_import_bulk *xt_import_bulk_free(xt_import_bulk *in)
{
    if (!in)
        return NULL;
    atomic_fetch_sub(&in->app->n_bulks, 1);
    part_free(in->part);
    xt_noise_state_free(in->in.noise);
    xt_arena_fini(&in->in.event_arena);
    xt_buf_fini(&in->in.scratch);
    xt_buf_fini(&in->encoded);
    free(in->began.items);
    pthread_cond_destroy(&in->changed);
    pthread_mutex_destroy(&in->lock);
    free(in);
    return NULL;
}

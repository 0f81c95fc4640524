/*
 * With workers a file goes through three stages: the caller's thread cuts lines and joins records into groups; workers make
 * events of the groups, batch by batch, and take the secrets out; one thread more does what depends on the events before
 * (terminals, parents) and gives them out, in the order in which the groups were finished. Without workers one thread does
 * all three, by the same functions: the events are the same.
 *
 * Whole lines are read where the caller has them; only a line that is cut by the end of a piece is copied. One arena
 * serves one event after the other. An event that the arena cannot hold becomes a small one that says so: the stream
 * goes on.
 */
#include "event/decoder.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/pipeline.h"
#include "event/secret_redact.h"
#include "event/session_table.h"
#include "event/tty_mask.h"
#include "event/tty_table.h"

#define DEFAULT_MEMORY (64u << 20)
#define MAX_LINE       (1u << 20)
#define MAX_PROCESSES  65536
#define FEW_PROCESSES  4096 /* of one decoder of many, as the rest of these */
#define FEW_GROUPS     1024
#define FEW_RECENT     4096
#define FEW_BYTES      ((size_t)8 << 20)
#define FEW_KEPT_BYTES ((size_t)64 << 10)
#define MAX_KEPT       4096         /* bytes of an event that was too large */
#define MAX_EARLY      (256u << 10) /* bytes of lines that wait for the first record and its time */
#define MAX_STEP_MS    100          /* by which one record of a file moves time */
#define MAX_LATE_MS    5000         /* older than the record before it by more: the clock was set back */

#define BATCH_ITEMS 64                 /* small enough for what the threads hand on to stay in a cache */
#define BATCH_BYTES ((size_t)96 << 10) /* of text; and one more group */
#define GREAT_BYTES ((size_t)1 << 20)
#define KEEP_BYTES  ((size_t)2 << 20) /* of memory that a batch keeps for the next */
#define MAX_BATCHES (2 * XT_PIPELINE_MAX_WORKERS)

/* A group, or a line that is no record, on its way through the stages. */
typedef struct item {
    bool is_group;
    xt_group group; /* copied to the batch's arena */
    xt_slice line;  /* the same, where it is no group */
    int64_t time_ms;
    uint64_t line_number;
    int outcome; /* of making its event */
} item;

typedef struct batch {
    item items[BATCH_ITEMS];
    xt_event events[BATCH_ITEMS];
    size_t n, n_bytes;
    xt_arena arena;
    xt_secret_values values; /* of the event at hand */
} batch;

struct xt_decoder {
    xt_decoder_settings settings;
    char host_id[33]; /* of the source's host, where the origin has none */
    xt_joiner *joiner;
    xt_proc_table *processes;
    xt_tty_table *terminals;
    xt_session_table *sessions;
    xt_arena arena;
    xt_secret_seal_key seal_to;
    xt_secret_values values; /* of the event at hand */
    xt_buf partial;          /* a line that has not ended yet */
    xt_buf early;            /* lines before the first record: line number and block each */
    bool is_cut;             /* the line at hand ended without a newline */
    bool skips_line;         /* its beginning was given out, its end is awaited */
    bool is_new_file;        /* no record of the file at hand was read yet, but others were */
    uint64_t line_number;
    int64_t now_ms;     /* of the joiner's clock */
    int64_t time_ms;    /* of the last record; 0: none yet */
    int64_t ahead_ms;   /* the newest record's since the clock was last set back */
    xt_problem problem; /* of the line at hand; big, and so made ready once */
    xt_decoder_stats stats;

    xt_pipeline *pipeline; /* NULL: one thread does it all */
    batch *batches[MAX_BATCHES];
    unsigned n_batches;
    batch *batch;           /* being filled; NULL: none */
    pthread_mutex_t lock;   /* of what follows, and of on_problem */
    xt_decoder_stats given; /* what the last stage adds to the stats */
};

static void set_origin(xt_decoder *d)
{
    xt_event_origin *origin = &d->settings.origin;
    if (origin->host_id.n > 0 || origin->host_name.n == 0)
        return;
    xt_hash128_format(xt_event_import_host_id(origin->host_name), d->host_id);
    origin->host_id = xt_slice_of(d->host_id, 32);
}

static int pipeline_start(xt_decoder *d);

/* For one event. */
static size_t max_memory(const xt_decoder *d)
{
    return d->settings.max_memory_bytes ? d->settings.max_memory_bytes : DEFAULT_MEMORY;
}

int xt_decoder_new(const xt_decoder_settings *settings, xt_decoder **ret)
{
    xt_decoder *d = calloc(1, sizeof *d);
    if (!d)
        return xt_error_origin(-ENOMEM);
    d->settings = *settings;
    xt_joiner_settings joining = {.max_bytes = max_memory(d)};
    if (settings->is_one_of_many)
        joining = (xt_joiner_settings){.max_groups = FEW_GROUPS, .max_bytes = FEW_BYTES, .max_recent = FEW_RECENT};
    joining.timeout_ms = settings->timeout_ms;
    d->problem = XT_PROBLEM_INIT;
    d->settings.secrets = NULL;
    xt_decoder_set_secrets(d, settings->secrets, settings->seal_to);
    set_origin(d);
    pthread_mutex_init(&d->lock, NULL);
    xt_arena_init(&d->arena, max_memory(d));
    d->arena.keep_bytes = settings->is_one_of_many ? FEW_KEPT_BYTES : 0;
    int r = xt_joiner_new(&joining, &d->joiner);
    if (r == 0 && !settings->leaves_parents)
        r = xt_proc_table_new(settings->is_one_of_many ? FEW_PROCESSES : MAX_PROCESSES, NULL, NULL, &d->processes);
    if (r == 0 && settings->follows_sessions)
        r = xt_session_table_new(&d->sessions);
    if (r == 0)
        r = xt_tty_table_new(settings->shows_typed_secrets, &d->terminals);
    if (r == 0 && settings->n_workers > 0 && !settings->live && !settings->names)
        r = pipeline_start(d);
    if (r != 0) {
        xt_decoder_free(d);
        return xt_error_trace(r);
    }
    *ret = d;
    return 0;
}

xt_decoder *xt_decoder_free(xt_decoder *d)
{
    if (!d)
        return NULL;
    xt_pipeline_free(d->pipeline);
    while (d->n_batches > 0) {
        batch *b = d->batches[--d->n_batches];
        xt_arena_fini(&b->arena);
        xt_secret_values_fini(&b->values);
        free(b);
    }
    pthread_mutex_destroy(&d->lock);
    xt_joiner_free(d->joiner);
    xt_proc_table_free(d->processes);
    xt_secret_rules_unref(d->settings.secrets);
    xt_tty_table_free(d->terminals);
    xt_session_table_free(d->sessions);
    xt_arena_fini(&d->arena);
    xt_buf_fini(&d->partial);
    xt_buf_fini(&d->early);
    xt_secret_values_fini(&d->values);
    free(d);
    return NULL;
}

void xt_decoder_set_secrets(xt_decoder *d, xt_secret_rules *secrets, const xt_secret_seal_key *seal_to)
{
    (void)xt_secret_rules_ref(secrets);
    xt_secret_rules_unref(d->settings.secrets);
    d->settings.secrets = secrets;
    d->settings.seal_to = seal_to ? &d->seal_to : NULL;
    if (seal_to)
        d->seal_to = *seal_to;
}

/* What they name leaves the event, and is sealed where there is a key. */
static int redact(const xt_decoder *d, xt_secret_values *values, xt_event *event, xt_arena *arena)
{
    xt_secret_values_reset(values);
    return xt_error_trace(xt_secret_redact(d->settings.secrets, event, d->settings.seal_to ? values : NULL, arena));
}

static int seal(const xt_decoder *d, const xt_secret_values *values, xt_event *event, xt_arena *arena)
{
    return d->settings.seal_to ? xt_error_trace(xt_secret_seal(d->settings.seal_to, values, event, arena)) : 0;
}

static int clean(const xt_decoder *d, xt_secret_values *values, xt_event *event, xt_arena *arena)
{
    int r = redact(d, values, event, arena);
    return r < 0 ? xt_error_trace(r) : seal(d, values, event, arena);
}

static void report(xt_decoder *d, xt_problem *problem)
{
    if (!d->settings.on_problem)
        return;
    xt_problem_source(problem, d->settings.source ? d->settings.source : "input");
    if (d->settings.secrets)
        problem->excerpt[0] = '\0';
    pthread_mutex_lock(&d->lock);
    d->settings.on_problem(d->settings.context, problem);
    pthread_mutex_unlock(&d->lock);
}

static void count(xt_decoder *d, const xt_group *group, unsigned n_unparsed)
{
    pthread_mutex_lock(&d->lock);
    d->given.n_late += group && (group->flags & XT_GROUP_LATE);
    d->given.n_timeout += group && (group->flags & XT_GROUP_TIMEOUT);
    d->given.n_unparsed += n_unparsed;
    d->given.n_events++;
    pthread_mutex_unlock(&d->lock);
}

/* The line's id is a hash of it, so its secrets go before. */
static int redact_line(const xt_decoder *d, xt_secret_values *values, xt_slice *line, xt_slice *ret_marks,
                       xt_arena *arena)
{
    xt_event event;
    xt_event_reset(&event);
    xt_event_set_bytes(&event, XT_F_ORIGINAL, *line);
    int r = redact(d, values, &event, arena);
    if (r < 0)
        return xt_error_trace(r);
    *line = xt_event_bytes(&event, XT_F_ORIGINAL);
    *ret_marks = xt_event_bytes(&event, XT_F_REDACTIONS);
    return 0;
}

/* ---- the second stage: from a group or a line to an event, by itself ---- */

static int garbage_read(const xt_decoder *d, xt_secret_values *values, const item *from, xt_arena *arena,
                        xt_event *event)
{
    xt_slice line = from->line, marks = XT_S_NULL;
    int r = d->settings.shows_typed_secrets ? 0 : xt_tty_mask_line(&line, arena);
    if (r == 0)
        r = redact_line(d, values, &line, &marks, arena);
    if (r == 0)
        r = xt_event_from_garbage(line, from->time_ms, from->line_number, &d->settings.origin, arena, event);
    if (r < 0)
        return xt_error_trace(r);
    if (marks.n > 0)
        xt_event_set_bytes(event, XT_F_REDACTIONS, marks);
    return seal(d, values, event, arena);
}

static bool has_typed(const xt_group *group)
{
    for (size_t i = 0; i < group->n_records; i++)
        if (xt_tty_is_typed(group->records[i].type))
            return true;
    return false;
}

/* What was typed is read with what was typed before: the third stage does that, and takes the secrets out then. */
static int group_read(const xt_decoder *d, xt_secret_values *values, const xt_group *group, xt_arena *arena,
                      xt_event *event)
{
    int r = xt_event_from_group(group, &d->settings.origin, d->settings.names, arena, event);
    if (r == 0 && !has_typed(group))
        r = clean(d, values, event, arena);
    return r < 0 ? xt_error_trace(r) : r;
}

static int item_read(const xt_decoder *d, xt_secret_values *values, const item *from, xt_arena *arena, xt_event *event)
{
    return from->is_group ? group_read(d, values, &from->group, arena, event)
                          : garbage_read(d, values, from, arena, event);
}

/* ---- the third stage: what depends on the events before ---- */

static int group_end(xt_decoder *d, const xt_group *group, xt_arena *arena, xt_event *event)
{
    int r = 0;
    if (has_typed(group)) {
        r = xt_tty_apply(d->terminals, event, arena);
        if (r == 0)
            r = clean(d, &d->values, event, arena);
    }
    if (r == 0 && d->processes) /* which keeps command lines, and so comes after */
        r = xt_proc_table_apply(d->processes, event, arena);
    if (r == 0 && d->sessions)
        r = xt_session_table_apply(d->sessions, event, arena);
    return r < 0 ? xt_error_trace(r) : r;
}

/* An event that says so, with as much as can be kept. */
static int too_large_read(xt_decoder *d, const item *from, xt_arena *arena, xt_event *event)
{
    const xt_group *group = &from->group;
    xt_problem problem = XT_PROBLEM_INIT;
    item kept = {.line = XT_S_NULL, .time_ms = from->time_ms, .line_number = from->line_number};
    xt_problem_set(&problem, "the event with serial %u is larger than the memory for one event", group->serial);
    xt_problem_hint(&problem, "only its first %d bytes were kept", MAX_KEPT);
    report(d, &problem);
    if (group->n_records > 0 && !xt_tty_is_typed(group->records[0].type)) /* keystrokes may be secrets */
        kept.line = xt_slice_head(group->records[0].body, MAX_KEPT);
    return garbage_read(d, &d->values, &kept, arena, event);
}

/* r: of the second stage. */
static int item_give_out(xt_decoder *d, const item *from, int r, xt_arena *arena, xt_event *event)
{
    bool is_too_large = false;
    if (r == 0 && from->is_group)
        r = group_end(d, &from->group, arena, event);
    if (r == -ENOMEM && from->is_group) {
        is_too_large = true;
        arena->max_bytes = arena->used_bytes + max_memory(d);
        r = too_large_read(d, from, arena, event);
    }
    if (r < 0)
        return xt_error_trace(r);
    count(d, from->is_group ? &from->group : NULL, is_too_large);
    return d->settings.on_event(d->settings.context, event, arena);
}

/* ---- batches ---- */

static void batch_work(void *context, void *slot)
{
    const xt_decoder *d = context;
    batch *b = slot;
    for (size_t i = 0; i < b->n; i++) {
        b->arena.max_bytes = b->arena.used_bytes + max_memory(d); /* as much for each */
        b->items[i].outcome = item_read(d, &b->values, &b->items[i], &b->arena, &b->events[i]);
    }
}

static int batch_finish(void *context, void *slot)
{
    xt_decoder *d = context;
    batch *b = slot;
    int r = 0;
    for (size_t i = 0; i < b->n && r == 0; i++) {
        b->arena.max_bytes = b->arena.used_bytes + max_memory(d);
        r = item_give_out(d, &b->items[i], b->items[i].outcome, &b->arena, &b->events[i]);
    }
    return r;
}

static int pipeline_start(xt_decoder *d)
{
    unsigned n = d->settings.n_workers < XT_PIPELINE_MAX_WORKERS ? d->settings.n_workers : XT_PIPELINE_MAX_WORKERS;
    while (d->n_batches < 2 * n + 2 && d->n_batches < MAX_BATCHES) {
        batch *b = calloc(1, sizeof *b);
        if (!b)
            return xt_error_origin(-ENOMEM);
        xt_arena_init(&b->arena, SIZE_MAX);
        b->arena.keep_bytes = KEEP_BYTES;
        d->batches[d->n_batches++] = b;
    }
    xt_pipeline_settings settings = {.n_workers = n,
                                     .n_slots = d->n_batches,
                                     .slots = (void *const *)d->batches,
                                     .work = batch_work,
                                     .finish = batch_finish,
                                     .context = d};
    return xt_error_trace(xt_pipeline_new(&settings, &d->pipeline));
}

static void batch_put(xt_decoder *d)
{
    d->batch = NULL;
    xt_pipeline_put(d->pipeline);
}

/* The batch to be filled, with room for one item. */
static int batch_get(xt_decoder *d, batch **ret)
{
    void *slot = d->batch;
    if (!slot) {
        int r = xt_pipeline_take(d->pipeline, &slot);
        if (r != 0)
            return r;
        d->batch = slot;
        d->batch->n = d->batch->n_bytes = 0;
        xt_arena_reset(&d->batch->arena);
        d->batch->arena.max_bytes = SIZE_MAX;
    }
    *ret = slot;
    return 0;
}

/* Waits until all that was read is given out. */
static int batches_end(xt_decoder *d)
{
    if (!d->pipeline)
        return 0;
    if (d->batch)
        batch_put(d);
    return xt_pipeline_drain(d->pipeline);
}

static bool bytes_copy(xt_arena *arena, xt_slice *bytes)
{
    char *p = xt_arena_alloc(arena, bytes->n);
    if (p && bytes->n > 0)
        memcpy(p, bytes->p, bytes->n);
    bytes->p = p;
    return p != NULL;
}

static bool group_copy(xt_arena *arena, xt_group *group)
{
    xt_record *records = xt_arena_alloc(arena, group->n_records * sizeof *records);
    bool ok = records && bytes_copy(arena, &group->node);
    for (size_t i = 0; i < group->n_records && ok; i++) {
        records[i] = group->records[i];
        records[i].node = group->node;
        ok = bytes_copy(arena, &records[i].body) && bytes_copy(arena, &records[i].enriched);
    }
    group->records = records;
    return ok;
}

static int item_put(xt_decoder *d, const item *from)
{
    batch *b = NULL;
    int r = batch_get(d, &b);
    if (r != 0)
        return r;
    item *to = &b->items[b->n];
    size_t before = b->arena.used_bytes;
    *to = *from;
    if (!(from->is_group ? group_copy(&b->arena, &to->group) : bytes_copy(&b->arena, &to->line)))
        return xt_error_origin(-ENOMEM);
    b->n++;
    b->n_bytes += b->arena.used_bytes - before;
    if (b->n == BATCH_ITEMS || b->n_bytes >= BATCH_BYTES)
        batch_put(d);
    return 0;
}

/* A great event, of which only one is to be in memory. */
static bool is_great(const item *from)
{
    size_t n = from->line.n;
    for (size_t i = 0; from->is_group && i < from->group.n_records; i++)
        n += from->group.records[i].body.n + from->group.records[i].enriched.n;
    return n > GREAT_BYTES;
}

/* Through all stages: by the workers, or here when they have nothing left to do. */
static int item_take(xt_decoder *d, const item *from)
{
    xt_event event;
    if (d->pipeline && !is_great(from))
        return item_put(d, from);
    int r = batches_end(d);
    if (r != 0)
        return r;
    xt_arena_reset(&d->arena);
    d->arena.max_bytes = max_memory(d);
    r = item_read(d, &d->values, from, &d->arena, &event);
    return item_give_out(d, from, r, &d->arena, &event);
}

/* ---- the first stage: lines and records ---- */

static int give_out_garbage(xt_decoder *d, xt_slice line, uint64_t line_number)
{
    int64_t time_ms = d->settings.live && !d->time_ms ? xt_clock_wall_ms(&xt_clock_system) : d->time_ms;
    item it = {.line = line, .time_ms = time_ms, .line_number = line_number};
    return item_take(d, &it);
}

/* What waited for a time; whole lines, since nobody else writes there. */
static int give_out_early(xt_decoder *d)
{
    xt_reader reader = xt_reader_of(xt_buf_slice(&d->early));
    while (xt_reader_left(&reader) > 0) {
        uint64_t line_number = xt_reader_varint(&reader);
        int r = give_out_garbage(d, xt_reader_block(&reader), line_number);
        if (r != 0)
            return r;
    }
    xt_buf_reset(&d->early);
    return 0;
}

static int give_out_unparsed(xt_decoder *d, xt_slice line)
{
    d->stats.n_unparsed++;
    if (d->time_ms != 0 || d->settings.live)
        return give_out_garbage(d, line, d->line_number);
    if (d->early.n + line.n > MAX_EARLY) {
        int r = give_out_early(d);
        return r != 0 ? r : give_out_garbage(d, line, d->line_number);
    }
    xt_buf_put_varint(&d->early, d->line_number);
    xt_buf_put_block(&d->early, line);
    return xt_buf_done(&d->early);
}

static int give_out_group(xt_decoder *d, const xt_group *group)
{
    item it = {.is_group = true, .group = *group, .time_ms = d->time_ms, .line_number = d->line_number};
    return item_take(d, &it);
}

static int drain(xt_decoder *d)
{
    const xt_group *group;
    while ((group = xt_joiner_next(d->joiner, d->now_ms)) != NULL) {
        int r = give_out_group(d, group);
        if (r != 0)
            return r;
    }
    return 0;
}

static void see_time(xt_decoder *d, int64_t time_ms)
{
    int64_t step = time_ms - d->ahead_ms;
    if (step > 0)
        d->now_ms += step < MAX_STEP_MS ? step : MAX_STEP_MS;
    if (step > 0 || step < -MAX_LATE_MS)
        d->ahead_ms = time_ms;
}

/*
 * The first record of another file. It goes on where the one before ended, and events that are open go on with it; or it
 * overlaps with that, and what it says again is not late; or it is of another time (a copy), and what is open is over.
 */
static int begin_records(xt_decoder *d, const xt_record *record)
{
    bool is_far = record->time_ms < d->ahead_ms - MAX_LATE_MS;
    int r = 0;
    d->is_new_file = false;
    if (is_far)
        xt_joiner_finish(d->joiner);
    if (is_far || xt_joiner_is_late(d->joiner, record) ||
        (record->time_ms < d->ahead_ms && !xt_joiner_is_open(d->joiner, record)))
        xt_joiner_forget(d->joiner);
    r = drain(d);
    if (r == 0)
        r = batches_end(d);
    if (r == 0 && d->settings.on_file)
        d->settings.on_file(d->settings.context);
    return r;
}

static int take_record(xt_decoder *d, const xt_record *record)
{
    int begun = d->is_new_file ? begin_records(d, record) : 0;
    if (begun != 0)
        return begun;
    d->stats.n_records++;
    d->time_ms = record->time_ms;
    if (!d->settings.live)
        see_time(d, record->time_ms);
    int r = d->early.n > 0 ? give_out_early(d) : 0;
    if (r != 0)
        return r;
    r = xt_joiner_push(d->joiner, record, d->now_ms);
    if (r < 0)
        return xt_error_trace(r);
    return drain(d); /* late (the only outcome above 0) is a group of its own */
}

static int take_corrupt(xt_decoder *d, xt_slice line, xt_problem *problem)
{
    if (problem->line == 0)
        xt_problem_at(problem, d->line_number, problem->column);
    report(d, problem);
    *problem = XT_PROBLEM_INIT;
    return give_out_unparsed(d, line);
}

/* Another record begins within this one: each of them, and the line as it stands. */
static int take_spliced(xt_decoder *d, const xt_record *first, xt_slice line, xt_slice rest)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_record record = *first;
    xt_problem_set(&problem, "another record begins within this line");
    xt_problem_hint(&problem, "both are read, the first as far as it goes; the line is kept too");
    xt_problem_at(&problem, d->line_number, (size_t)(rest.p - line.p) + 1);
    xt_problem_excerpt(&problem, rest);
    d->stats.n_spliced++;
    int r = take_record(d, &record);
    if (r == 0)
        r = take_corrupt(d, line, &problem);
    while (r == 0 && rest.p) {
        xt_slice text = rest;
        rest = XT_S_NULL;
        r = xt_record_parse_line(text, &record, &problem);
        if (r > 0)
            return 0; /* kept with the line */
        bool is_last = r == 0 && !xt_record_split(&record, &rest);
        record.flags |= is_last && d->is_cut ? XT_RECORD_CUT : 0;
        if (r == 0)
            r = take_record(d, &record);
    }
    return r;
}

static int take_parsed(xt_decoder *d, xt_record *record, xt_slice line)
{
    xt_slice rest;
    if (memchr(record->body.p, '(', record->body.n + record->enriched.n) && xt_record_split(record, &rest))
        return take_spliced(d, record, line, rest);
    if (d->settings.is_logged)
        xt_record_cut_escaped(record);
    record->flags |= d->is_cut ? XT_RECORD_CUT : 0;
    return take_record(d, record);
}

static int take_line(xt_decoder *d, xt_slice line)
{
    xt_record record;
    d->line_number++;
    d->stats.n_lines++;
    if (line.n > MAX_LINE) {
        xt_problem_set(&d->problem, "the line is longer than %u bytes", MAX_LINE);
        xt_problem_at(&d->problem, d->line_number, MAX_LINE + 1);
        xt_problem_hint(&d->problem, "its beginning is kept, the rest is passed over");
        return take_corrupt(d, xt_slice_head(line, MAX_LINE), &d->problem);
    }
    int r = xt_record_parse_line(line, &record, &d->problem);
    if (r == 0)
        return take_parsed(d, &record, line);
    if (r == XT_RECORD_E_EMPTY)
        return 0;
    return r < 0 ? xt_error_trace(r) : take_corrupt(d, line, &d->problem);
}

/* The end of a piece without a newline: kept, up to the length of a line. */
static int take_partial(xt_decoder *d, xt_slice bytes)
{
    if (d->skips_line)
        return 0;
    xt_buf_put(&d->partial, xt_slice_head(bytes, MAX_LINE + 1 - d->partial.n));
    int r = xt_buf_done(&d->partial);
    if (r < 0 || d->partial.n <= MAX_LINE)
        return r < 0 ? xt_error_trace(r) : 0;
    d->skips_line = true;
    r = take_line(d, xt_buf_slice(&d->partial));
    xt_buf_reset(&d->partial);
    return r;
}

static int take_end_of_line(xt_decoder *d, xt_slice bytes)
{
    if (d->partial.n == 0 && !d->skips_line)
        return take_line(d, bytes);
    int r = take_partial(d, bytes);
    if (r == 0 && !d->skips_line)
        r = take_line(d, xt_buf_slice(&d->partial));
    d->skips_line = false;
    xt_buf_reset(&d->partial);
    return r;
}

int xt_decoder_feed(xt_decoder *d, xt_slice bytes)
{
    d->stats.n_bytes += bytes.n;
    while (bytes.n > 0) {
        const char *newline = memchr(bytes.p, '\n', bytes.n);
        if (!newline)
            return take_partial(d, bytes);
        size_t n = (size_t)(newline - bytes.p);
        int r = take_end_of_line(d, xt_slice_head(bytes, n));
        if (r != 0)
            return r;
        bytes = xt_slice_skip(bytes, n + 1);
    }
    return 0;
}

int xt_decoder_feed_line(xt_decoder *d, xt_slice line)
{
    d->stats.n_bytes += line.n;
    return take_line(d, line);
}

bool xt_decoder_is_open(const xt_decoder *d, const xt_record *record)
{
    return xt_joiner_is_open(d->joiner, record);
}

size_t xt_decoder_open_bytes(const xt_decoder *d)
{
    return xt_joiner_open_bytes(d->joiner);
}

int xt_decoder_open_each(const xt_decoder *d, int (*each)(void *context, const xt_record *record), void *context)
{
    return xt_joiner_open_each(d->joiner, each, context);
}

int xt_decoder_flush_titled(xt_decoder *d)
{
    xt_joiner_finish_titled(d->joiner);
    return drain(d);
}

int xt_decoder_flush(xt_decoder *d)
{
    xt_joiner_finish(d->joiner);
    return drain(d);
}

int xt_decoder_feed_payload(xt_decoder *d, uint16_t type, xt_slice payload)
{
    xt_record record;
    d->stats.n_bytes += payload.n;
    d->line_number++;
    int r = xt_record_parse_payload(type, payload, &record, &d->problem);
    if (r == 0)
        return take_record(d, &record);
    if (r == XT_RECORD_E_EMPTY)
        return 0;
    return r < 0 ? xt_error_trace(r) : take_corrupt(d, xt_slice_head(payload, MAX_LINE), &d->problem);
}

int xt_decoder_tick(xt_decoder *d, int64_t now_ms)
{
    if (now_ms > d->now_ms)
        d->now_ms = now_ms;
    return drain(d);
}

/* The end of a file; a last line without a newline was not written to its end. */
static int end_source(xt_decoder *d)
{
    int r = 0;
    d->is_cut = true;
    if (d->partial.n > 0)
        r = take_end_of_line(d, XT_S_NULL);
    d->is_cut = d->skips_line = false;
    return r;
}

int xt_decoder_begin(xt_decoder *d, const char *source)
{
    int r = end_source(d);
    if (r == 0)
        r = batches_end(d);
    d->settings.source = source;
    d->line_number = 0;
    d->is_new_file = d->stats.n_records > 0;
    return r;
}

void xt_decoder_forget(xt_decoder *d)
{
    xt_joiner_forget(d->joiner);
}

int xt_decoder_finish(xt_decoder *d)
{
    int r = end_source(d);
    if (r == 0)
        r = give_out_early(d);
    xt_joiner_finish(d->joiner);
    if (r == 0)
        r = drain(d);
    return r != 0 ? r : batches_end(d);
}

xt_decoder_stats xt_decoder_stats_get(xt_decoder *d)
{
    xt_decoder_stats stats = d->stats;
    pthread_mutex_lock(&d->lock);
    stats.n_events = d->given.n_events;
    stats.n_unparsed += d->given.n_unparsed;
    stats.n_late = d->given.n_late;
    stats.n_timeout = d->given.n_timeout;
    pthread_mutex_unlock(&d->lock);
    return stats;
}

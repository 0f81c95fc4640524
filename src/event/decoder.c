/*
 * Whole lines are read where the caller has them; only a line that is cut by the end of a piece is copied. One arena
 * serves one event after the other. An event that the arena cannot hold becomes a small one that says so: the stream
 * goes on.
 */
#include "event/decoder.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

#define DEFAULT_MEMORY (64u << 20)
#define MAX_LINE       (1u << 20)
#define MAX_PROCESSES  65536
#define MAX_KEPT       4096 /* bytes of an event that was too large */

struct xt_decoder {
    xt_decoder_settings settings;
    char host_id[33]; /* of the source's host, where the origin has none */
    xt_joiner *joiner;
    xt_proc_table *processes;
    xt_arena arena;
    xt_buf partial;  /* a line that has not ended yet */
    bool skips_line; /* its beginning was given out, its end is awaited */
    uint64_t line_number;
    int64_t now_ms;  /* of the joiner's clock */
    int64_t time_ms; /* of the newest record; 0: none yet */
    xt_decoder_stats stats;
};

static void set_origin(xt_decoder *d)
{
    xt_event_origin *origin = &d->settings.origin;
    if (origin->host_id.n > 0 || origin->host_name.n == 0)
        return;
    xt_hash128_format(xt_event_import_host_id(origin->host_name), d->host_id);
    origin->host_id = xt_slice_of(d->host_id, 32);
}

int xt_decoder_new(const xt_decoder_settings *settings, xt_decoder **ret)
{
    xt_decoder *d = calloc(1, sizeof *d);
    if (!d)
        return xt_error_origin(-ENOMEM);
    size_t max_bytes = settings->max_memory_bytes ? settings->max_memory_bytes : DEFAULT_MEMORY;
    xt_joiner_settings joining = {.max_bytes = max_bytes};
    d->settings = *settings;
    set_origin(d);
    xt_arena_init(&d->arena, max_bytes);
    int r = xt_joiner_new(&joining, &d->joiner);
    if (r == 0)
        r = xt_proc_table_new(MAX_PROCESSES, NULL, NULL, &d->processes);
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
    xt_joiner_free(d->joiner);
    xt_proc_table_free(d->processes);
    xt_arena_fini(&d->arena);
    xt_buf_fini(&d->partial);
    free(d);
    return NULL;
}

static void report(xt_decoder *d, xt_problem *problem)
{
    if (!d->settings.on_problem)
        return;
    xt_problem_source(problem, d->settings.source ? d->settings.source : "input");
    d->settings.on_problem(d->settings.context, problem);
}

static int give_out(xt_decoder *d, xt_event *event)
{
    d->stats.n_events++;
    return d->settings.on_event(d->settings.context, event, &d->arena);
}

static int give_out_unparsed(xt_decoder *d, xt_slice line)
{
    xt_event event;
    int64_t time_ms = d->time_ms ? d->time_ms : xt_clock_wall_ms(&xt_clock_system);
    xt_arena_reset(&d->arena);
    int r = xt_event_from_garbage(line, time_ms, d->line_number, &d->settings.origin, &d->arena, &event);
    if (r < 0)
        return xt_error_trace(r);
    d->stats.n_unparsed++;
    return give_out(d, &event);
}

static int give_out_too_large(xt_decoder *d, const xt_group *group)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_problem_set(&problem, "the event with serial %u is larger than the memory for one event", group->serial);
    xt_problem_hint(&problem, "only its first %d bytes were kept", MAX_KEPT);
    report(d, &problem);
    xt_slice kept = group->n_records > 0 ? xt_slice_head(group->records[0].body, MAX_KEPT) : XT_S_NULL;
    return give_out_unparsed(d, kept);
}

static int give_out_group(xt_decoder *d, const xt_group *group)
{
    xt_event event;
    xt_arena_reset(&d->arena);
    d->stats.n_late += (group->flags & XT_GROUP_LATE) != 0;
    d->stats.n_timeout += (group->flags & XT_GROUP_TIMEOUT) != 0;
    int r = xt_event_from_group(group, &d->settings.origin, d->settings.names, &d->arena, &event);
    if (r == 0)
        r = xt_proc_table_apply(d->processes, &event, &d->arena);
    if (r == -ENOMEM)
        return give_out_too_large(d, group);
    return r < 0 ? xt_error_trace(r) : give_out(d, &event);
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

static int take_record(xt_decoder *d, const xt_record *record)
{
    d->stats.n_records++;
    if (record->time_ms > d->time_ms)
        d->time_ms = record->time_ms;
    if (!d->settings.live && record->time_ms > d->now_ms)
        d->now_ms = record->time_ms;
    int r = xt_joiner_push(d->joiner, record, d->now_ms);
    if (r < 0)
        return xt_error_trace(r);
    return drain(d); /* late (the only outcome above 0) is a group of its own */
}

static int take_corrupt(xt_decoder *d, xt_slice line, xt_problem *problem)
{
    if (problem->line == 0)
        xt_problem_at(problem, d->line_number, problem->column);
    report(d, problem);
    return give_out_unparsed(d, line);
}

static int take_line(xt_decoder *d, xt_slice line)
{
    xt_record record;
    xt_problem problem = XT_PROBLEM_INIT;
    d->line_number++;
    d->stats.n_lines++;
    if (line.n > MAX_LINE) {
        xt_problem_set(&problem, "the line is longer than %u bytes", MAX_LINE);
        return take_corrupt(d, xt_slice_head(line, MAX_LINE), &problem);
    }
    int r = xt_record_parse_line(line, &record, &problem);
    if (r == 0)
        return take_record(d, &record);
    if (r == XT_RECORD_E_EMPTY)
        return 0;
    return r < 0 ? xt_error_trace(r) : take_corrupt(d, line, &problem);
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

int xt_decoder_feed_payload(xt_decoder *d, uint16_t type, xt_slice payload)
{
    xt_record record;
    xt_problem problem = XT_PROBLEM_INIT;
    d->stats.n_bytes += payload.n;
    d->line_number++;
    int r = xt_record_parse_payload(type, payload, &record, &problem);
    if (r == 0)
        return take_record(d, &record);
    if (r == XT_RECORD_E_EMPTY)
        return 0;
    return r < 0 ? xt_error_trace(r) : take_corrupt(d, xt_slice_head(payload, MAX_LINE), &problem);
}

int xt_decoder_tick(xt_decoder *d, int64_t now_ms)
{
    if (now_ms > d->now_ms)
        d->now_ms = now_ms;
    return drain(d);
}

int xt_decoder_finish(xt_decoder *d)
{
    int r = 0;
    if (d->partial.n > 0)
        r = take_end_of_line(d, XT_S_NULL);
    d->skips_line = false;
    xt_joiner_finish(d->joiner);
    return r != 0 ? r : drain(d);
}

xt_decoder_stats xt_decoder_stats_get(const xt_decoder *d)
{
    return d->stats;
}

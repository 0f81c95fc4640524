/*
 * Whole lines are read where the caller has them; only a line that is cut by the end of a piece is copied. One arena
 * serves one event after the other. An event that the arena cannot hold becomes a small one that says so: the stream
 * goes on.
 */
#include "event/decoder.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "event/secret_redact.h"
#include "event/tty_mask.h"
#include "event/tty_table.h"

#define DEFAULT_MEMORY (64u << 20)
#define MAX_LINE       (1u << 20)
#define MAX_PROCESSES  65536
#define MAX_KEPT       4096         /* bytes of an event that was too large */
#define MAX_EARLY      (256u << 10) /* bytes of lines that wait for the first record and its time */
#define MAX_STEP_MS    100          /* by which one record of a file moves time */
#define MAX_LATE_MS    5000         /* older than the record before it by more: the clock was set back */

struct xt_decoder {
    xt_decoder_settings settings;
    char host_id[33]; /* of the source's host, where the origin has none */
    xt_joiner *joiner;
    xt_proc_table *processes;
    xt_tty_table *terminals;
    xt_arena arena;
    xt_secret_seal_key seal_to;
    xt_secret_values values; /* of the event at hand */
    xt_buf partial;          /* a line that has not ended yet */
    xt_buf early;            /* lines before the first record: line number and block each */
    bool is_cut;             /* the line at hand ended without a newline */
    bool skips_line;         /* its beginning was given out, its end is awaited */
    uint64_t line_number;
    int64_t now_ms;     /* of the joiner's clock */
    int64_t time_ms;    /* of the last record; 0: none yet */
    int64_t ahead_ms;   /* the newest record's since the clock was last set back */
    xt_problem problem; /* of the line at hand; big, and so made ready once */
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
    d->problem = XT_PROBLEM_INIT;
    d->settings.secrets = NULL;
    xt_decoder_set_secrets(d, settings->secrets, settings->seal_to);
    set_origin(d);
    xt_arena_init(&d->arena, max_bytes);
    int r = xt_joiner_new(&joining, &d->joiner);
    if (r == 0 && !settings->leaves_parents)
        r = xt_proc_table_new(MAX_PROCESSES, NULL, NULL, &d->processes);
    if (r == 0)
        r = xt_tty_table_new(settings->shows_typed_secrets, &d->terminals);
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
    xt_secret_rules_unref(d->settings.secrets);
    xt_tty_table_free(d->terminals);
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

static int redact(xt_decoder *d, xt_event *event)
{
    xt_secret_values *values = d->settings.seal_to ? &d->values : NULL;
    xt_secret_values_reset(&d->values);
    return xt_error_trace(xt_secret_redact(d->settings.secrets, event, values, &d->arena));
}

static int seal(xt_decoder *d, xt_event *event)
{
    if (!d->settings.seal_to)
        return 0;
    return xt_error_trace(xt_secret_seal(d->settings.seal_to, &d->values, event, &d->arena));
}

static void report(xt_decoder *d, xt_problem *problem)
{
    if (!d->settings.on_problem)
        return;
    xt_problem_source(problem, d->settings.source ? d->settings.source : "input");
    if (d->settings.secrets)
        problem->excerpt[0] = '\0';
    d->settings.on_problem(d->settings.context, problem);
}

static int give_out(xt_decoder *d, xt_event *event)
{
    d->stats.n_events++;
    return d->settings.on_event(d->settings.context, event, &d->arena);
}

/* The line's id is a hash of it, so its secrets go before. */
static int redact_line(xt_decoder *d, xt_slice *line, xt_slice *ret_marks)
{
    xt_event event;
    xt_event_reset(&event);
    xt_event_set_bytes(&event, XT_F_ORIGINAL, *line);
    int r = redact(d, &event);
    if (r < 0)
        return xt_error_trace(r);
    *line = xt_event_bytes(&event, XT_F_ORIGINAL);
    *ret_marks = xt_event_bytes(&event, XT_F_REDACTIONS);
    return 0;
}

static int give_out_garbage(xt_decoder *d, xt_slice line, uint64_t line_number)
{
    xt_event event;
    xt_slice marks = XT_S_NULL;
    int64_t time_ms = d->settings.live && !d->time_ms ? xt_clock_wall_ms(&xt_clock_system) : d->time_ms;
    xt_arena_reset(&d->arena);
    int r = d->settings.shows_typed_secrets ? 0 : xt_tty_mask_line(&line, &d->arena);
    if (r == 0)
        r = redact_line(d, &line, &marks);
    if (r == 0)
        r = xt_event_from_garbage(line, time_ms, line_number, &d->settings.origin, &d->arena, &event);
    if (r < 0)
        return xt_error_trace(r);
    if (marks.n > 0)
        xt_event_set_bytes(&event, XT_F_REDACTIONS, marks);
    r = seal(d, &event);
    return r < 0 ? xt_error_trace(r) : give_out(d, &event);
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

static int give_out_too_large(xt_decoder *d, const xt_group *group)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_problem_set(&problem, "the event with serial %u is larger than the memory for one event", group->serial);
    xt_problem_hint(&problem, "only its first %d bytes were kept", MAX_KEPT);
    report(d, &problem);
    xt_slice kept = XT_S_NULL;
    if (group->n_records > 0 && !xt_tty_is_typed(group->records[0].type)) /* keystrokes may be secrets */
        kept = xt_slice_head(group->records[0].body, MAX_KEPT);
    return give_out_unparsed(d, kept);
}

static bool has_typed(const xt_group *group)
{
    for (size_t i = 0; i < group->n_records; i++)
        if (xt_tty_is_typed(group->records[i].type))
            return true;
    return false;
}

static int give_out_group(xt_decoder *d, const xt_group *group)
{
    xt_event event;
    xt_arena_reset(&d->arena);
    d->stats.n_late += (group->flags & XT_GROUP_LATE) != 0;
    d->stats.n_timeout += (group->flags & XT_GROUP_TIMEOUT) != 0;
    int r = xt_event_from_group(group, &d->settings.origin, d->settings.names, &d->arena, &event);
    if (r == 0 && has_typed(group))
        r = xt_tty_apply(d->terminals, &event, &d->arena);
    if (r == 0)
        r = redact(d, &event);
    if (r == 0)
        r = seal(d, &event);
    if (r == 0 && d->processes) /* which keeps command lines, and so comes after */
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

static void see_time(xt_decoder *d, int64_t time_ms)
{
    int64_t step = time_ms - d->ahead_ms;
    if (step > 0)
        d->now_ms += step < MAX_STEP_MS ? step : MAX_STEP_MS;
    if (step > 0 || step < -MAX_LATE_MS)
        d->ahead_ms = time_ms;
}

static int take_record(xt_decoder *d, const xt_record *record)
{
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
    d->settings.source = source;
    d->line_number = 0;
    return r;
}

int xt_decoder_finish(xt_decoder *d)
{
    int r = end_source(d);
    if (r == 0)
        r = give_out_early(d);
    xt_joiner_finish(d->joiner);
    return r != 0 ? r : drain(d);
}

xt_decoder_stats xt_decoder_stats_get(const xt_decoder *d)
{
    return d->stats;
}

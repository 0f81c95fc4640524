/*
 * What was typed at programs that ask for passwords is masked in the records shown, as it is in the event, unless all is
 * to be shown.
 */
#include "cli/decode_explain.h"

#include <errno.h>
#include <stdio.h>

#include "audit/names.h"
#include "base/json_out.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/shell_quote.h"
#include "event/event_json.h"
#include "event/explain_stream.h"

#define MAX_SHOWN 120 /* bytes of a piece in the text form */

typedef struct explain_job {
    bool as_json, shows_typed_secrets;
    size_t n_events, n_unproved;
    xt_buf out;
} explain_job;

static xt_slice type_name(uint16_t type, xt_buf *to)
{
    const char *name = xt_record_type_name(type);
    xt_buf_reset(to);
    if (name)
        xt_buf_puts(to, name);
    else
        xt_buf_printf(to, "UNKNOWN[%u]", (unsigned)type);
    return xt_buf_slice(to);
}

static bool is_masked(const explain_job *job, const xt_event *event)
{
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(event, XT_F_FLAGS));
    for (xt_slice flag; !job->shows_typed_secrets && xt_list_next(&iter, &flag);)
        if (xt_slice_eq(flag, XT_S("masked")))
            return true;
    return false;
}

/* The record's line; of a masked event without the keys in it. */
static void put_record_text(const explain_job *job, const xt_explanation *e, xt_slice text, xt_buf *to)
{
    const xt_slice keys = XT_S(" data=");
    ptrdiff_t at;
    while (is_masked(job, e->event) && (at = xt_slice_find(text, keys)) >= 0) {
        xt_buf_put(to, xt_slice_head(text, (size_t)at + keys.n));
        xt_buf_puts(to, "<masked>");
        text = xt_slice_skip(text, (size_t)at + keys.n);
        while (text.n > 0 && text.p[0] != ' ' && text.p[0] != 0x1d)
            text = xt_slice_skip(text, 1);
    }
    xt_buf_put(to, text);
}

/* ---- text ---- */

static void put_padded(xt_buf *out, xt_slice text, size_t width)
{
    xt_text_visible(out, text);
    for (size_t i = text.n; i < width; i++)
        xt_buf_putc(out, ' ');
}

static void put_place(xt_buf *out, const xt_explain_line *line)
{
    xt_text_visible(out, xt_slice_str(line->source));
    xt_buf_printf(out, ":%llu", (unsigned long long)line->number);
}

static void put_text_records(explain_job *job, const xt_explanation *e)
{
    xt_buf *out = &job->out;
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    for (size_t i = 0; i < e->n_records; i++) {
        const xt_explain_line *line = e->records[i].line;
        xt_buf_printf(out, "  [%zu] ", i + 1);
        put_place(out, line);
        xt_buf_printf(out, " at byte %llu%s\n    ", (unsigned long long)line->offset,
                      e->records[i].is_repeated ? " (came twice)" : "");
        xt_buf_reset(&text);
        put_record_text(job, e, line->text, &text);
        xt_text_visible(out, xt_buf_slice(&text));
        xt_buf_putc(out, '\n');
    }
    if (!e->line)
        return;
    xt_buf_puts(out, "  ");
    put_place(out, e->line);
    xt_buf_printf(out, " at byte %llu\n    ", (unsigned long long)e->line->offset);
    xt_text_visible(out, xt_event_bytes(e->event, XT_F_ORIGINAL));
    xt_buf_putc(out, '\n');
}

/* <- [1] SYSCALL columns 150-154 pid=11481 (decimal) */
static void put_text_bytes(xt_buf *out, const xt_explanation *e, const xt_explain_bytes *b)
{
    XT_CLEANUP(xt_buf_fini) xt_buf type = XT_BUF_INIT;
    size_t i = 0;
    while (i < e->n_records && e->records[i].line != b->line)
        i++;
    xt_buf_puts(out, "      <- ");
    if (i < e->n_records) {
        xt_buf_printf(out, "[%zu]", i + 1);
    } else {
        put_place(out, b->line);
    }
    if (b->type != 0) {
        xt_buf_putc(out, ' ');
        xt_buf_put(out, type_name(b->type, &type));
    }
    xt_buf_printf(out, " columns %zu-%zu ", xt_explain_column(b), xt_explain_end(b));
    xt_text_visible(out, b->name);
    xt_buf_puts(out, b->name.n > 0 ? "=" : "");
    xt_text_visible(out, xt_slice_head(b->raw, MAX_SHOWN));
    if (b->raw.n > MAX_SHOWN)
        xt_buf_printf(out, "... (%zu bytes)", b->raw.n);
    xt_buf_printf(out, " (%s)\n", xt_explain_how_name(b->how));
}

static void put_text_value(xt_buf *out, const xt_explanation *e, const xt_explain_value *v)
{
    xt_buf_puts(out, "  ");
    put_padded(out, v->name, 28);
    xt_buf_putc(out, ' ');
    xt_shell_quote(out, v->text);
    xt_buf_puts(out, v->is_proved ? "\n" : "   NOT PROVED: what is named does not give this value\n");
    for (const xt_explain_bytes *b = v->bytes; b; b = b->next)
        put_text_bytes(out, e, b);
    if (v->rule.n == 0)
        return;
    xt_buf_puts(out, "      ");
    xt_text_visible(out, v->rule);
    xt_buf_putc(out, '\n');
}

static void put_text(explain_job *job, const xt_explanation *e)
{
    xt_buf *out = &job->out;
    xt_buf_puts(out, "event ");
    xt_text_visible(out, e->id);
    xt_buf_putc(out, '\n');
    put_text_records(job, e);
    xt_buf_puts(out, "fields\n");
    for (const xt_explain_value *v = e->values; v; v = v->next)
        put_text_value(out, e, v);
}

/* ---- NDJSON ---- */

static void put_string(xt_json *json, const char *key, xt_slice value)
{
    XT_CLEANUP(xt_buf_fini) xt_buf escaped = XT_BUF_INIT;
    char mark[64];
    if (xt_text_is_clean(value)) {
        xt_json_field_string(json, key, value);
        return;
    }
    xt_text_escape(&escaped, value);
    xt_json_field_string(json, key, xt_buf_slice(&escaped));
    snprintf(mark, sizeof mark, "%s_escaped", key);
    xt_json_field_bool(json, mark, true);
}

static void put_json_line(xt_json *json, uint16_t record_type, const xt_explain_line *line)
{
    XT_CLEANUP(xt_buf_fini) xt_buf type = XT_BUF_INIT;
    xt_json_object_begin(json);
    if (record_type != 0)
        xt_json_field_string(json, "type", type_name(record_type, &type));
    put_string(json, "source", xt_slice_str(line->source));
    xt_json_field_u64(json, "line", line->number);
}

static void put_json_records(const explain_job *job, xt_json *json, const xt_explanation *e)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_json_key(json, XT_S("records"));
    xt_json_array_begin(json);
    for (size_t i = 0; i < e->n_records; i++) {
        xt_buf_reset(&text);
        put_record_text(job, e, e->records[i].line->text, &text);
        put_json_line(json, e->records[i].record.type, e->records[i].line);
        xt_json_field_u64(json, "offset", e->records[i].line->offset);
        put_string(json, "text", xt_buf_slice(&text));
        if (e->records[i].is_repeated)
            xt_json_field_bool(json, "repeated", true);
        xt_json_object_end(json);
    }
    if (e->line) {
        put_json_line(json, 0, e->line);
        xt_json_field_u64(json, "offset", e->line->offset);
        put_string(json, "text", xt_event_bytes(e->event, XT_F_ORIGINAL));
        xt_json_object_end(json);
    }
    xt_json_array_end(json);
}

static void put_json_bytes(xt_json *json, const xt_explain_bytes *b)
{
    put_json_line(json, b->type, b->line);
    xt_json_field_u64(json, "column", xt_explain_column(b));
    xt_json_field_u64(json, "end", xt_explain_end(b));
    if (b->name.n > 0)
        put_string(json, "field", b->name);
    put_string(json, "raw", b->raw);
    xt_json_field_string(json, "how", xt_slice_str(xt_explain_how_name(b->how)));
    xt_json_object_end(json);
}

static void put_json_value(xt_json *json, const xt_explain_value *v)
{
    xt_json_object_begin(json);
    put_string(json, "name", v->name);
    put_string(json, "value", v->text);
    if (v->rule.n > 0)
        put_string(json, "rule", v->rule);
    xt_json_field_bool(json, "proved", v->is_proved);
    xt_json_key(json, XT_S("from"));
    xt_json_array_begin(json);
    for (const xt_explain_bytes *b = v->bytes; b; b = b->next)
        put_json_bytes(json, b);
    xt_json_array_end(json);
    xt_json_object_end(json);
}

static void put_json(explain_job *job, const xt_explanation *e)
{
    XT_CLEANUP(xt_buf_fini) xt_buf time = XT_BUF_INIT;
    xt_json json = xt_json_to(&job->out);
    xt_event_field_text(e->event, XT_F_TIME, &time);
    xt_json_object_begin(&json);
    xt_json_key(&json, XT_S("event"));
    xt_json_object_begin(&json);
    xt_json_field_string(&json, "id", e->id);
    if (xt_event_has(e->event, XT_F_SERIAL))
        xt_json_field_u64(&json, "sequence", xt_event_num(e->event, XT_F_SERIAL, 0));
    xt_json_field_string(&json, "@timestamp", xt_buf_slice(&time));
    xt_json_object_end(&json);
    put_json_records(job, &json, e);
    xt_json_key(&json, XT_S("fields"));
    xt_json_array_begin(&json);
    for (const xt_explain_value *v = e->values; v; v = v->next)
        put_json_value(&json, v);
    xt_json_array_end(&json);
    xt_json_object_end(&json);
    xt_buf_putc(&job->out, '\n');
}

static int on_explained(void *context, const xt_explanation *explanation)
{
    explain_job *job = context;
    if (job->as_json)
        put_json(job, explanation);
    else
        put_text(job, explanation);
    job->n_events++;
    job->n_unproved += explanation->n_unproved;
    int r = xt_buf_done(&job->out);
    if (r == 0 && fwrite(job->out.p, 1, job->out.n, stdout) != job->out.n)
        r = -EPIPE;
    xt_buf_reset(&job->out);
    return r;
}

/* ---- the command ---- */

static int explain_file(xt_explain_stream *stream, const char *path)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_input *input = NULL;
    xt_slice piece = XT_S_NULL;
    int r = xt_input_open(path, &input, &problem);
    if (r == 0)
        r = xt_explain_stream_begin(stream, xt_input_name(input));
    for (bool more = true; r == 0 && more;) {
        r = xt_input_next(input, &piece, &problem);
        more = piece.n > 0;
        if (r == 0)
            r = xt_explain_stream_feed(stream, piece);
    }
    (void)xt_input_close(input);
    if (r == 0 || r == -EPIPE)
        return 0;
    if (!xt_problem_is_set(&problem)) {
        xt_problem_source(&problem, path);
        xt_problem_set(&problem, "cannot be explained: %s", strerror(r < 0 ? -r : EPROTO));
    }
    return xt_cli_fail(&problem);
}

static int conclude(const explain_job *job, const char *wanted, uint64_t n_lines)
{
    xt_problem problem = XT_PROBLEM_INIT;
    if (job->n_events == 0) {
        xt_problem_set(&problem, "no event %s in %llu lines", wanted, (unsigned long long)n_lines);
        xt_problem_hint(&problem, "an event.id depends on the host: give the same --host as where it was seen");
    } else if (job->n_unproved > 0) {
        xt_problem_set(&problem, "%zu values could not be proved from the bytes named", job->n_unproved);
        xt_problem_hint(&problem, "this is a defect of exectrail: please report it with the records shown");
    } else {
        return 0;
    }
    return xt_cli_fail(&problem);
}

static int explain_files(explain_job *job, const xt_opt_args *args, const xt_explain_settings *settings)
{
    xt_explain_stream *stream = NULL;
    int status = 0, r = xt_explain_stream_new(settings, &stream);
    if (r == 0 && args->n_operands == 0)
        status = explain_file(stream, "-");
    for (unsigned i = 0; r == 0 && i < args->n_operands; i++)
        status |= explain_file(stream, args->operands[i]);
    if (r == 0)
        r = xt_explain_stream_finish(stream);
    uint64_t n_lines = stream ? xt_explain_stream_stats(stream).n_lines : 0;
    (void)xt_explain_stream_free(stream);
    if (fflush(stdout) != 0 || r == -EPIPE)
        return status;
    if (r == 0)
        return status != 0 ? status : conclude(job, xt_opt_get(args, "explain"), n_lines);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_problem_set(&problem, "cannot be explained: %s", strerror(r < 0 ? -r : EPROTO));
    return xt_cli_fail(&problem);
}

static int refuse(const char *what, const char *why, const char *hint)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_problem_set(&problem, "--explain %s%s", what, why);
    xt_problem_hint(&problem, "%s", hint);
    (void)xt_cli_fail(&problem);
    return 2;
}

int xt_decode_explain(const xt_opt_args *args)
{
    static const char *const others[] = {"follow", "stats",        "records", "interpret",
                                         "redact", "secret-rules", "seal-to"};
    xt_slice format = xt_slice_str(xt_opt_has(args, "format") ? xt_opt_get(args, "format") : "text");
    explain_job job = {.as_json = xt_slice_eq(format, XT_S("ndjson")),
                       .shows_typed_secrets = xt_opt_has(args, "unmasked")};
    xt_explain_settings settings = {
        .decoder = {.origin = {.host_name = xt_slice_str(xt_opt_get(args, "host"))},
                    .shows_typed_secrets = job.shows_typed_secrets},
        .on_explained = on_explained,
        .context = &job,
    };
    for (size_t i = 0; i < XT_COUNT_OF(others); i++)
        if (xt_opt_has(args, others[i]))
            return refuse("does not go with --", others[i], "it shows the bytes as they stand");
    if (!xt_explain_wanted_parse(xt_slice_str(xt_opt_get(args, "explain")), &settings.wanted))
        return refuse(xt_opt_get(args, "explain"), " is no event",
                      "give an event.id (32 hex digits), a serial, or SECONDS.MMM:SERIAL as in msg=audit(...)");
    int status = explain_files(&job, args, &settings);
    xt_buf_fini(&job.out);
    return status;
}

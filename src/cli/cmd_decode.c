/*
 * exectrail decode: audit text to documents, without a store. Output is gathered in a big buffer and written when it
 * is full or, on a terminal or a pipe that is waited for, at the end of each piece of input.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/decode_explain.h"
#include "cli/decode_stats.h"
#include "cli/decode_text.h"
#include "cli/input.h"
#include "cli/record_text.h"
#include "cli/seal_key.h"
#include "event/decoder.h"
#include "event/event_json.h"
#include "io/vfs.h"

#define OUTPUT_BYTES (64u << 10)

typedef struct decode_job {
    xt_buf out;
    int write_error; /* of standard output */
    bool as_text;
    bool shows_typed_secrets;
    unsigned options;
    xt_secret_rules *secrets; /* NULL: everything is shown */
    xt_secret_seal_key seal_to;
    bool seals;
    xt_decode_stats *stats; /* NULL: not asked for */
} decode_job;

static int flush(decode_job *job)
{
    size_t done = 0;
    if (xt_buf_done(&job->out) != 0)
        return -ENOMEM;
    while (done < job->out.n) {
        ssize_t n = write(STDOUT_FILENO, job->out.p + done, job->out.n - done);
        if (n < 0 && errno != EINTR) {
            job->write_error = errno;
            return -errno;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    xt_buf_reset(&job->out);
    return 0;
}

static int on_event(void *context, xt_event *event, xt_arena *arena)
{
    decode_job *job = context;
    if (job->stats)
        xt_decode_stats_see(job->stats, event);
    if (job->as_text) {
        xt_decode_text(event, &job->out);
        if (job->options & XT_EVENT_JSON_RECORDS) {
            int r = xt_record_text_put(event, job->options & XT_EVENT_JSON_INTERPRET, arena, &job->out);
            if (r != 0)
                return r;
        }
    } else {
        int r = xt_event_json(event, job->options, arena, &job->out);
        if (r != 0)
            return r;
        xt_buf_putc(&job->out, '\n');
    }
    return job->out.n >= OUTPUT_BYTES ? flush(job) : 0;
}

static void on_problem(void *context, const xt_problem *problem)
{
    (void)context;
    (void)xt_cli_fail(problem);
}

/* What ended the stream, as one line; the exit status. */
static int fail_stream(const decode_job *job, const char *source, int r)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_problem_source(&problem, job->write_error ? "standard output" : source);
    xt_problem_set(&problem, "cannot be %s: %s", job->write_error ? "written" : "decoded",
                   strerror(r < 0 ? -r : EPROTO));
    return xt_cli_fail(&problem);
}

static int decode_stream(decode_job *job, xt_input *input, xt_decoder *decoder, xt_problem *problem)
{
    bool eager = isatty(STDOUT_FILENO) || xt_input_size(input) == 0;
    for (;;) {
        xt_slice piece = XT_S_NULL;
        int r = xt_input_next(input, &piece, problem);
        if (r == 0 && piece.n)
            r = xt_decoder_feed(decoder, piece);
        if (r == 0 && eager)
            r = flush(job);
        if (r != 0 || !piece.n)
            return r;
    }
}

static int decode_file(decode_job *job, xt_decoder *decoder, const char *path)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_input *input = NULL;
    int r = xt_input_open(path, &input, &problem);
    if (r == 0)
        r = xt_decoder_begin(decoder, xt_input_name(input));
    if (r == 0)
        r = decode_stream(job, input, decoder, &problem);
    (void)xt_input_close(input);
    if (r == 0 || r == -EPIPE)
        return 0;
    return xt_problem_is_set(&problem) ? xt_cli_fail(&problem) : fail_stream(job, path, r);
}

#define FOLLOW_MS 200

/* Records that come now are of now: what is open is given out when nothing more came for it. */
static int pass_time(xt_decoder *decoder)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return xt_decoder_tick(decoder, now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

/* One file to its end, where it is read again until another has its name; what was written until then is read first. */
static int follow_file(decode_job *job, xt_decoder *decoder, xt_input *input, xt_problem *problem)
{
    for (bool is_last = false;;) {
        xt_slice piece = XT_S_NULL;
        int r = xt_input_next(input, &piece, problem);
        if (r == 0)
            r = pass_time(decoder);
        if (r == 0 && piece.n)
            r = xt_decoder_feed(decoder, piece);
        if (r == 0 && !piece.n)
            r = flush(job);
        if (r != 0 || (!piece.n && is_last))
            return r;
        if (piece.n)
            continue;
        is_last = xt_input_is_replaced(input);
        if (!is_last)
            (void)nanosleep(&(struct timespec){.tv_nsec = FOLLOW_MS * 1000000L}, NULL);
        xt_input_again(input);
    }
}

static int follow(decode_job *job, xt_decoder *decoder, const char *path)
{
    xt_problem problem = XT_PROBLEM_INIT;
    for (int r = 0; r == 0;) {
        xt_input *input = NULL;
        r = xt_input_open(path, &input, &problem);
        if (r == 0)
            r = xt_decoder_begin(decoder, path);
        if (r == 0)
            r = follow_file(job, decoder, input, &problem);
        (void)xt_input_close(input);
        if (r == -EPIPE)
            return 0;
        if (r != 0 && !xt_problem_is_set(&problem))
            return fail_stream(job, path, r);
    }
    return xt_cli_fail(&problem);
}

/* All files are one stream: an event may begin in one and end in the next. */
static int decode_files(decode_job *job, const xt_opt_args *args)
{
    xt_decoder_settings settings = {
        .origin = {.host_name = xt_slice_str(xt_opt_get(args, "host"))},
        .shows_typed_secrets = job->shows_typed_secrets,
        .secrets = job->secrets,
        .seal_to = job->seals ? &job->seal_to : NULL,
        .live = xt_opt_has(args, "follow"),
        .follows_sessions = true,
        .on_event = on_event,
        .on_problem = on_problem,
        .context = job,
    };
    xt_decoder *decoder = NULL;
    int status = 0, r = xt_decoder_new(&settings, &decoder);
    if (r == 0 && !settings.live && args->n_operands == 0)
        status = decode_file(job, decoder, "-");
    if (r == 0 && settings.live)
        status = follow(job, decoder, args->operands[0]);
    for (unsigned i = 0; r == 0 && !settings.live && i < args->n_operands; i++)
        status |= decode_file(job, decoder, args->operands[i]);
    if (r == 0)
        r = xt_decoder_finish(decoder);
    if (r == 0)
        r = flush(job);
    if (job->stats && decoder)
        xt_decode_stats_print(job->stats, xt_decoder_stats_get(decoder), stderr);
    (void)xt_decoder_free(decoder);
    if (r == 0 || r == -EPIPE || (status != 0 && job->write_error))
        return status;
    return fail_stream(job, "the input", r);
}

static int open_secrets(decode_job *job, const xt_opt_args *args, xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    const char *path = xt_opt_get(args, "secret-rules"), *key = xt_opt_get(args, "seal-to");
    job->seals = key != NULL;
    if (key && !path && !xt_opt_has(args, "redact")) {
        xt_problem_set(problem, "--seal-to is of use with --redact or --secret-rules");
        return -EINVAL;
    }
    if (key && xt_seal_key_read(key, &job->seal_to, problem) < 0)
        return -EINVAL;
    if (!path)
        return xt_opt_has(args, "redact") ? xt_secret_rules_builtin(&job->secrets) : 0;
    int r = xt_vfs_read_file(&xt_vfs_system, path, 1 << 20, &text);
    if (r == 0)
        return xt_secret_rules_parse(xt_buf_slice(&text), path, &job->secrets, problem);
    xt_problem_source(problem, path);
    xt_problem_set(problem, "%s", strerror(-r));
    return r;
}

int xt_cmd_decode(const xt_opt_args *args)
{
    xt_slice format = xt_slice_str(xt_opt_get(args, "format"));
    decode_job job = {.as_text = xt_slice_eq(format, XT_S("text")),
                      .shows_typed_secrets = xt_opt_has(args, "unmasked"),
                      .options = (xt_opt_has(args, "records") ? XT_EVENT_JSON_RECORDS : 0u) |
                                 (xt_opt_has(args, "interpret") ? XT_EVENT_JSON_INTERPRET : 0u)};
    if (!job.as_text && !xt_slice_eq(format, XT_S("ndjson"))) {
        xt_problem problem = XT_PROBLEM_INIT;
        xt_problem_set(&problem, "--format %.*s is not known", XT_S_ARGS(format));
        xt_problem_hint(&problem, "ndjson or text");
        (void)xt_cli_fail(&problem);
        return 2;
    }
    if (xt_opt_has(args, "explain"))
        return xt_decode_explain(args);
    xt_problem problem = XT_PROBLEM_INIT;
    if (xt_opt_has(args, "follow") && (args->n_operands != 1 || strcmp(args->operands[0], "-") == 0)) {
        xt_problem_set(&problem, "--follow takes one FILE, not standard input");
        xt_problem_hint(&problem, "a pipe is read as it comes without --follow");
        (void)xt_cli_fail(&problem);
        return 2;
    }
    if (open_secrets(&job, args, &problem) != 0)
        return xt_cli_fail(&problem);
    if (xt_opt_has(args, "stats") && xt_decode_stats_new(&job.stats) < 0)
        return 1;
    int status = decode_files(&job, args);
    job.stats = xt_decode_stats_free(job.stats);
    xt_buf_fini(&job.out);
    xt_secret_rules_unref(job.secrets);
    return status;
}

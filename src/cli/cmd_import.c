/*
 * exectrail import: all files are one import, so that an event may go on in the next one and no small segment is made of
 * each. They are read in the order of their first records, whatever the order of their names: the log that is written now is
 * audit.log, the oldest has the highest number.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/timestamp.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/progress.h"
#include "cli/seal_key.h"

typedef struct import_file {
    const char *path;
    int64_t first_ms; /* of its first record; INT64_MAX: none is near its beginning */
    uint64_t n_bytes;
    unsigned place; /* on the command line */
} import_file;

typedef struct import_job {
    import_file *files;
    unsigned n_files, at;
    xt_input *input; /* of files[at]; NULL: not opened yet */
    xt_buf params;   /* that name it to the route */
    xt_progress progress;
    uint64_t n_before; /* bytes of the files before */
    uint64_t n_events;
    int status;
} import_job;

/* ------------------------------------------------------------------------------------------------ order of files */

/* Of the first stamp in a piece of a log: msg=audit(SECONDS.MMM:SERIAL). */
static int64_t first_stamp(xt_slice text)
{
    xt_slice mark = XT_S("audit(");
    uint64_t seconds, ms;

    for (ptrdiff_t at; (at = xt_slice_find(text, mark)) >= 0;) {
        text = xt_slice_skip(text, (size_t)at + mark.n);
        xt_slice rest = text, whole, fraction;
        if (xt_slice_cut(&rest, '.', &whole) && xt_slice_cut(&rest, ':', &fraction) &&
            xt_slice_parse_u64(whole, &seconds) && xt_slice_parse_u64(fraction, &ms) &&
            seconds < XT_TIMESTAMP_MAX_MS / 1000)
            return (int64_t)(seconds * 1000 + ms);
    }
    return INT64_MAX;
}

/* Opens it once, which also tells at once that one of many cannot be read. */
static int file_look(import_file *file, xt_problem *reterr_problem)
{
    xt_input *input = NULL;
    xt_slice piece = XT_S_NULL;
    int r = xt_input_open(file->path, &input, reterr_problem);

    if (r == 0)
        r = xt_input_next(input, &piece, reterr_problem);
    if (r == 0) {
        file->n_bytes = xt_input_size(input);
        file->first_ms = first_stamp(piece);
    }
    (void)xt_input_close(input);
    return r;
}

static int file_order(const void *a, const void *b)
{
    const import_file *x = a, *y = b;

    if (x->first_ms != y->first_ms)
        return x->first_ms < y->first_ms ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

/* Standard input, a pipe. */
static bool is_stream(const char *path)
{
    struct stat st;

    return strcmp(path, "-") == 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode));
}

/* A stream cannot be looked at beforehand: then the order is the caller's. */
static int files_look(import_job *job, const xt_opt_args *args, uint64_t *ret_bytes, xt_problem *reterr_problem)
{
    bool has_stream = false;
    int r = 0;

    for (unsigned i = 0; i < args->n_operands && r == 0; i++) {
        import_file *file = &job->files[job->n_files++];
        bool streams = is_stream(args->operands[i]);
        *file = (import_file){.path = args->operands[i], .first_ms = INT64_MAX, .place = i};
        has_stream |= streams;
        r = streams ? 0 : file_look(file, reterr_problem);
        *ret_bytes += file->n_bytes;
    }
    *ret_bytes = has_stream ? 0 : *ret_bytes;
    if (r == 0 && !has_stream)
        qsort(job->files, job->n_files, sizeof *job->files, file_order);
    return r;
}

/* ------------------------------------------------------------------------------------------------ body */

/* What is wrong with one file does not keep the others out. */
static void file_fail(import_job *job, const xt_problem *problem)
{
    xt_progress_clear(&job->progress);
    job->status = xt_cli_fail(problem);
}

static void file_end(import_job *job)
{
    job->n_before += job->input ? xt_input_position(job->input) : 0;
    job->input = xt_input_close(job->input);
    job->at++;
}

static int file_begin(import_job *job, xt_problem *reterr_problem)
{
    const char *path = job->files[job->at].path;

    xt_buf_reset(&job->params);
    xt_call_put_param(&job->params, "source", path);
    xt_buf_printf(&job->params, "&file=%u", job->at + 1);
    return xt_input_open(path, &job->input, reterr_problem);
}

static int next_body(void *context, xt_slice *ret, xt_slice *ret_params)
{
    import_job *job = context;

    *ret = XT_S_NULL;
    while (job->at < job->n_files && ret->n == 0) {
        xt_problem problem = XT_PROBLEM_INIT;
        int r = job->input ? 0 : file_begin(job, &problem);
        if (r == 0)
            r = xt_input_next(job->input, ret, &problem);
        if (r != 0) {
            file_fail(job, &problem);
            *ret = XT_S_NULL;
        }
        if (ret->n == 0)
            file_end(job);
    }
    *ret_params = xt_buf_slice(&job->params);
    return xt_buf_done(&job->params);
}

static long long count_of(const json_t *document, const char *name)
{
    return json_integer_value(json_object_get(document, name));
}

static void on_more(void *context, xt_slice answer)
{
    import_job *job = context;
    json_t *d = json_loadb(answer.p ? answer.p : "", answer.n, 0, NULL);

    job->n_events = (uint64_t)count_of(d, "read");
    json_decref(d);
    if (job->at < job->n_files)
        xt_progress_show(&job->progress, job->files[job->at].path,
                         job->n_before + (job->input ? xt_input_position(job->input) : 0), job->n_events);
}

/* ------------------------------------------------------------------------------------------------ command */

static void summary(const import_job *job, const xt_buf *answer)
{
    json_t *d = json_loadb(answer->p, answer->n, 0, NULL);
    const char *unparsed = json_string_value(json_object_get(d, "problem"));

    if (unparsed)
        fprintf(stderr, "exectrail: the first line that is no record: %s\n", unparsed);
    if (job->n_files == 1)
        fprintf(stderr, "%s: ", job->files[0].path);
    else
        fprintf(stderr, "%u files: ", job->n_files);
    fprintf(stderr, "%lld events of %lld lines, %lld of them unparsed", count_of(d, "events"), count_of(d, "lines"),
            count_of(d, "unparsed"));
    if (count_of(d, "duplicate"))
        fprintf(stderr, "; %lld more were there already", count_of(d, "duplicate"));
    fputc('\n', stderr);
    json_decref(d);
}

static int import_all(const xt_opt_args *args, import_job *job, const char *seal_to)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    xt_call call;

    xt_call_init(&call, "POST", "/api/v1/import");
    xt_call_options(&call, args, "host,secrets");
    xt_call_param(&call, "seal-to", seal_to);
    xt_call_param(&call, "compact", xt_opt_get(args, "server") ? NULL : "1");
    call.next_body = next_body;
    call.in_pieces = true;
    call.on_more = on_more;
    call.context = job;
    call.make = true;
    int status = xt_call_fetch(args, &call, &answer);
    xt_progress_clear(&job->progress);
    if (status == 0 && !job->progress.is_quiet)
        summary(job, &answer);
    return status ? status : job->status;
}

int xt_cmd_import(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    const char *seal_to = xt_opt_get(args, "seal-to");
    xt_secret_seal_key key;
    uint64_t n_bytes = 0;
    if (seal_to && xt_seal_key_read(seal_to, &key, &problem) < 0)
        return xt_cli_fail(&problem);
    if (seal_to) { /* the server cannot read a file of this machine */
        xt_secret_seal_key_format(&key, &text);
        xt_buf_putc(&text, '\0');
    }
    import_job job = {.files = calloc(args->n_operands, sizeof *job.files)};
    int status = job.files ? 0 : xt_error_origin(-ENOMEM);
    if (status == 0)
        status = files_look(&job, args, &n_bytes, &problem);
    if (status == 0) {
        xt_progress_begin(&job.progress, n_bytes, xt_opt_has(args, "quiet"));
        status = import_all(args, &job, text.p);
    } else {
        status = xt_cli_fail(&problem);
    }
    (void)xt_input_close(job.input);
    xt_buf_fini(&job.params);
    free(job.files);
    return status;
}

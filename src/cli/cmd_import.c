/* exectrail import: files through the import route, one request a file; progress on a terminal. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/seal_key.h"

typedef struct import_job {
    xt_input *input;
    xt_problem problem;
    unsigned last_percent;
} import_job;

static void show_progress(import_job *job)
{
    uint64_t size = xt_input_size(job->input);
    unsigned percent = size ? (unsigned)(xt_input_position(job->input) * 100 / size) : 0;
    if (size && percent != job->last_percent && isatty(STDERR_FILENO))
        fprintf(stderr, "\r%s %u %%%s", xt_input_name(job->input), percent, percent == 100 ? "\n" : "");
    job->last_percent = percent;
}

static int next_body(void *context, xt_slice *ret)
{
    import_job *job = context;
    int r = xt_input_next(job->input, ret, &job->problem);
    if (r == 0)
        show_progress(job);
    return r;
}

static long long count_of(const json_t *document, const char *name)
{
    return json_integer_value(json_object_get(document, name));
}

static int import_file(const xt_opt_args *args, const char *path, const char *seal_to)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    import_job job = {.problem = XT_PROBLEM_INIT};
    if (xt_input_open(path, &job.input, &job.problem) != 0)
        return xt_cli_fail(&job.problem);
    xt_call call;
    xt_call_init(&call, "POST", "/api/v1/import");
    xt_call_options(&call, args, "host,secrets");
    xt_call_param(&call, "seal-to", seal_to);
    xt_call_param(&call, "source", path);
    xt_call_param(&call, "compact", xt_opt_get(args, "server") ? NULL : "1");
    call.next_body = next_body;
    call.context = &job;
    call.make = true;
    int status = xt_call_fetch(args, &call, &answer);
    (void)xt_input_close(job.input);
    if (xt_problem_is_set(&job.problem))
        return xt_cli_fail(&job.problem);
    if (status != 0)
        return status;
    json_t *d = json_loadb(answer.p, answer.n, 0, NULL);
    const char *unparsed = json_string_value(json_object_get(d, "problem"));
    if (unparsed)
        fprintf(stderr, "exectrail: the first line that is no record: %s\n", unparsed);
    fprintf(stderr, "%s: %lld events of %lld lines, %lld of them unparsed\n", path, count_of(d, "events"),
            count_of(d, "lines"), count_of(d, "unparsed"));
    json_decref(d);
    return 0;
}

int xt_cmd_import(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    const char *seal_to = xt_opt_get(args, "seal-to");
    xt_secret_seal_key key;
    int status = 0;
    if (seal_to && xt_seal_key_read(seal_to, &key, &problem) < 0)
        return xt_cli_fail(&problem);
    if (seal_to) { /* the server cannot read a file of this machine */
        xt_secret_seal_key_format(&key, &text);
        xt_buf_putc(&text, '\0');
    }
    for (unsigned i = 0; i < args->n_operands && status == 0; i++)
        status = import_file(args, args->operands[i], text.p);
    return status;
}

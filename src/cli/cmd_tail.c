/*
 * exectrail tail: the route's server-sent events, one line each. Rows come as ECS documents; the table is made of them
 * here, because each row is an answer of its own.
 */
#include <jansson.h>
#include <stdio.h>

#include "base/utf8.h"
#include "cli/call.h"
#include "cli/commands.h"

typedef struct tail_job {
    bool as_json;
    xt_buf line; /* what came of the line so far */
    bool is_row; /* the event being read is a row */
} tail_job;

static const char *text_at(const json_t *document, const char *a, const char *b, const char *c)
{
    const json_t *value = json_object_get(document, a);
    if (b)
        value = json_object_get(value, b);
    if (c)
        value = json_object_get(value, c);
    return json_is_string(value) ? json_string_value(value) : "-";
}

/* " (exited 1 after 2.3 s)", with the signal where one ended it. */
static void put_end(const json_t *d, xt_buf *line)
{
    const json_t *process = json_object_get(d, "process"), *event = json_object_get(d, "event");
    const json_t *signal = json_object_get(process, "exit_signal"), *ns = json_object_get(event, "duration");
    if (signal)
        xt_buf_printf(line, "(killed by signal %lld", (long long)json_integer_value(signal));
    else
        xt_buf_printf(line, "(exited %lld", (long long)json_integer_value(json_object_get(process, "exit_code")));
    if (ns)
        xt_buf_printf(line, " after %.1f s", (double)json_integer_value(ns) / 1e9);
    xt_buf_putc(line, ')');
}

/* The command; without one the action and the program, with the outcome where it failed. */
static void put_what(const json_t *d, xt_buf *line)
{
    const char *command = text_at(d, "process", "command_line", NULL), *exe = text_at(d, "process", "executable", NULL);
    xt_buf_putc(line, ' ');
    if (strcmp(command, "-") != 0) {
        xt_text_visible(line, xt_slice_str(command));
        return;
    }
    bool failed = strcmp(text_at(d, "event", "outcome", NULL), "failure") == 0;
    if (strcmp(text_at(d, "event", "action", NULL), "exited") == 0)
        put_end(d, line);
    else
        xt_buf_printf(line, "(%s%s)", text_at(d, "event", "action", NULL), failed ? ", failed" : "");
    if (strcmp(exe, "-") != 0) {
        xt_buf_putc(line, ' ');
        xt_text_visible(line, xt_slice_str(exe));
    }
}

static void print_row(xt_slice data)
{
    json_t *d = json_loadb(data.p, data.n, 0, NULL);
    if (!d)
        return;
    XT_CLEANUP(xt_buf_fini) xt_buf line = XT_BUF_INIT;
    const char *words[] = {text_at(d, "@timestamp", NULL, NULL), text_at(d, "host", "name", NULL),
                           text_at(d, "user", "audit", "name"), text_at(d, "user", "name", NULL),
                           text_at(d, "auditd", "data", "tty")};
    for (size_t i = 0; i < XT_COUNT_OF(words); i++) {
        if (i)
            xt_buf_putc(&line, i == 3 ? '>' : ' ');
        xt_text_visible(&line, xt_slice_str(words[i]));
    }
    put_what(d, &line);
    json_decref(d);
    if (xt_buf_done(&line) == 0)
        printf("%.*s\n", XT_S_ARGS(xt_buf_slice(&line)));
}

static void on_line(tail_job *job, xt_slice line)
{
    if (xt_slice_starts(line, XT_S("event:"))) {
        job->is_row = xt_slice_eq(xt_slice_trim(xt_slice_skip(line, 6)), XT_S("row"));
    } else if (job->is_row && xt_slice_starts(line, XT_S("data:"))) {
        xt_slice data = xt_slice_trim(xt_slice_skip(line, 5));
        if (job->as_json)
            printf("%.*s\n", XT_S_ARGS(data));
        else
            print_row(data);
        fflush(stdout);
    }
}

static int on_bytes(void *context, xt_slice bytes)
{
    tail_job *job = context;
    xt_buf_put(&job->line, bytes);
    for (;;) {
        ptrdiff_t end = xt_slice_find_byte(xt_buf_slice(&job->line), '\n');
        if (end < 0)
            return xt_buf_done(&job->line);
        on_line(job, xt_slice_head(xt_buf_slice(&job->line), (size_t)end));
        xt_buf_consume(&job->line, (size_t)end + 1);
    }
}

int xt_cmd_tail(const xt_opt_args *args)
{
    const char *format = xt_opt_get(args, "format");
    tail_job job = {.as_json = strcmp(format, "ndjson") == 0};
    if (!job.as_json && strcmp(format, "table") != 0) {
        xt_problem problem = XT_PROBLEM_INIT;
        xt_problem_set(&problem, "--format %s is not known", format);
        xt_problem_hint(&problem, "table or ndjson");
        (void)xt_cli_fail(&problem);
        return 2;
    }
    if (!xt_call_is_remote(args)) {
        xt_problem problem = XT_PROBLEM_INIT;
        xt_problem_set(&problem, "tail needs a running server");
        xt_problem_hint(&problem, "--server URL, or --data DIR of one that runs");
        return xt_cli_fail(&problem);
    }
    xt_call call;
    xt_call_init(&call, "GET", "/api/v1/tail");
    xt_call_param(&call, "q", args->n_operands ? args->operands[0] : "");
    xt_call_options(&call, args, "noise");
    xt_call_param(&call, "ends", xt_opt_has(args, "ends") ? xt_opt_get(args, "ends") : job.as_json ? "rows" : "fold");
    call.on_bytes = on_bytes;
    call.context = &job;
    int status = xt_call_run(args, &call);
    xt_buf_fini(&job.line);
    return status;
}

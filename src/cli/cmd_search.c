/* exectrail search, export and session: the same route in three dresses, and a session as a tree. */
#include <stdio.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/commands.h"

#define TERMINAL_ROWS "1000"

static const char *operand(const xt_opt_args *args)
{
    return args->n_operands ? args->operands[0] : "";
}

static bool is_table(const xt_opt_args *args)
{
    return strcmp(xt_opt_get(args, "format"), "table") == 0;
}

int xt_cmd_search(const xt_opt_args *args)
{
    xt_call call;
    xt_call_init(&call, "GET", "/api/v1/search");
    xt_call_param(&call, "q", operand(args));
    xt_call_options(&call, args, "from,to,fields,sort,by,after,noise,ends,format,timeout,memory");
    if (xt_opt_has(args, "explain"))
        xt_call_param(&call, "explain", "1");
    const char *limit = xt_opt_get(args, "limit");
    bool counting = xt_opt_has(args, "count");
    if (!limit && is_table(args) && !counting && isatty(STDOUT_FILENO)) {
        limit = TERMINAL_ROWS;
        fputs("exectrail: at most " TERMINAL_ROWS " rows on a terminal; --limit N for more\n", stderr);
    }
    xt_call_param(&call, "limit", limit ? limit : "0");
    if (counting)
        xt_call_param(&call, "count", "1");
    return xt_call_run(args, &call);
}

int xt_cmd_export(const xt_opt_args *args)
{
    xt_call call;
    xt_call_init(&call, "GET", "/api/v1/search");
    xt_call_param(&call, "q", operand(args));
    xt_call_options(&call, args, "from,to,format");
    xt_call_param(&call, "sort", "time:asc");
    xt_call_param(&call, "limit", "0");
    return xt_call_run(args, &call);
}

/* The value as a quoted string of the query language. */
static void put_quoted(xt_buf *out, const char *text)
{
    xt_buf_putc(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            xt_buf_putc(out, '\\');
        xt_buf_putc(out, *text);
    }
    xt_buf_putc(out, '"');
}

int xt_cmd_session(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf query = XT_BUF_INIT;
    uint64_t session;
    if (!xt_slice_parse_u64(xt_slice_str(args->operands[1]), &session)) {
        xt_problem problem = XT_PROBLEM_INIT;
        xt_problem_set(&problem, "a session is a whole number");
        xt_problem_excerpt(&problem, xt_slice_str(args->operands[1]));
        xt_problem_hint(&problem, "exectrail search --by host,ses lists what there is");
        (void)xt_cli_fail(&problem);
        return 2;
    }
    const char *format = xt_opt_get(args, "format");
    xt_call call;
    if (strcmp(format, "tree") == 0 || strcmp(format, "ndjson") == 0) {
        xt_call_init(&call, "GET", "/api/v1/sessions");
        xt_call_segment(&call, args->operands[0]);
        xt_call_segment(&call, args->operands[1]);
        xt_call_segment(&call, "tree");
        xt_call_options(&call, args, "from,to,noise");
        xt_call_param(&call, "format", strcmp(format, "tree") == 0 ? "text" : format);
        return xt_call_run(args, &call);
    }
    xt_buf_puts(&query, "host:");
    put_quoted(&query, args->operands[0]);
    xt_buf_puts(&query, " and ses:");
    put_quoted(&query, args->operands[1]);
    xt_buf_putc(&query, '\0');
    xt_call_init(&call, "GET", "/api/v1/search");
    xt_call_param(&call, "q", query.p);
    xt_call_options(&call, args, "from,to,noise,format");
    xt_call_param(&call, "sort", "time:asc");
    xt_call_param(&call, "limit", "0");
    return xt_call_run(args, &call);
}

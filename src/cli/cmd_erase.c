/*
 * exectrail store erase: a dry run that says what would go, the question whether it may, then the erasure. The answer comes
 * as lines of JSON, of which the last one counts.
 */
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/commands.h"
#include "cli/own_name.h"

#define MAX_QUERY_BYTES (16u << 10) /* what fits into an address, encoded */

typedef struct erase_answer {
    xt_buf line;   /* that is not whole yet */
    json_t *last;  /* the last line */
    bool shows;    /* progress, on a terminal */
    bool is_shown; /* a line of it stands there */
} erase_answer;

static const char *text_of(const json_t *d, const char *name)
{
    const char *s = json_string_value(json_object_get(d, name));

    return s ? s : "";
}

static unsigned long long number_of(const json_t *d, const char *name)
{
    return (unsigned long long)json_integer_value(json_object_get(d, name));
}

static int fail(const char *sentence, const char *hint)
{
    xt_problem problem = XT_PROBLEM_INIT;

    xt_problem_set(&problem, "%s", sentence);
    xt_problem_hint(&problem, "%s", hint);
    return xt_cli_fail(&problem);
}

/* ------------------------------------------------------------------------------------------------ the answer */

static void line_take(erase_answer *a)
{
    json_t *d = json_loadb(a->line.p, a->line.n, 0, NULL);
    const json_t *progress = json_object_get(d, "progress");

    xt_buf_reset(&a->line);
    if (!d)
        return;
    json_decref(a->last);
    a->last = d;
    if (!progress || !a->shows)
        return;
    fprintf(stderr, "\rsegment %llu of %llu, %llu events ", number_of(progress, "done"), number_of(progress, "of"),
            number_of(progress, "events"));
    fflush(stderr);
    a->is_shown = true;
}

static int on_bytes(void *context, xt_slice bytes)
{
    erase_answer *a = context;

    for (size_t i = 0; i < bytes.n; i++) {
        if (bytes.p[i] == '\n')
            line_take(a);
        else
            xt_buf_putc(&a->line, bytes.p[i]);
    }
    return 0;
}

/* The result, to be freed; NULL: it failed, which was said, with *ret_status. */
static json_t *ask(const xt_opt_args *args, const char *query, bool is_dry, int *ret_status)
{
    erase_answer a = {.shows = isatty(STDERR_FILENO)};
    xt_call call;

    xt_call_init(&call, "POST", "/api/v1/erasures");
    xt_call_param(&call, "q", query);
    xt_call_param(&call, "reason", xt_opt_get(args, "reason"));
    xt_call_param(&call, "dry_run", is_dry ? "1" : NULL);
    xt_call_param(&call, "private", xt_opt_has(args, "private") ? "1" : NULL);
    xt_call_param(&call, "by", xt_opt_get(args, "server") ? NULL : xt_cli_own_name());
    call.on_bytes = on_bytes;
    call.context = &a;
    *ret_status = xt_call_run(args, &call);
    if (a.is_shown)
        fprintf(stderr, "\r%*s\r", 60, "");
    json_t *result = json_incref(json_object_get(a.last, "result"));
    const json_t *error = json_object_get(a.last, "error");
    if (*ret_status == 0 && !result)
        *ret_status = fail(error ? text_of(error, "sentence") : "the answer is cut",
                           error ? text_of(error, "hint") : "run the same again: what is left to do is done");
    json_decref(a.last);
    xt_buf_fini(&a.line);
    return *ret_status == 0 ? result : (json_decref(result), NULL);
}

/* ------------------------------------------------------------------------------------------------ printing */

static void print_result(const json_t *d)
{
    bool is_dry = json_is_true(json_object_get(d, "dry_run"));
    size_t i;
    json_t *one;

    if (is_dry)
        printf("%llu events of %llu segments would be erased\n", number_of(d, "events"), number_of(d, "segments"));
    else if (number_of(d, "erasure"))
        printf("erasure %llu: %llu events of %llu segments, %llu alerts\n", number_of(d, "erasure"),
               number_of(d, "events"), number_of(d, "segments"), number_of(d, "alerts"));
    else
        printf("nothing was there to be erased\n");
    json_array_foreach(json_object_get(d, "held"), i, one)
        printf("%llu events stay: hold %llu\n", number_of(one, "events"), number_of(one, "hold"));
    json_array_foreach(json_object_get(d, "backups"), i, one)
        printf("%s: backup of %s, %s/%s\n", is_dry ? "may hold it" : "holds it still", text_of(one, "at"),
               text_of(one, "place"), text_of(one, "generation"));
    if (text_of(d, "salt")[0])
        printf("the ledger has the SHA-256 of salt and query: %s\nkeep the salt, it is kept nowhere else: %s\n",
               text_of(d, "query_sha256"), text_of(d, "salt"));
    json_array_foreach(json_object_get(d, "not_looked_at"), i, one)
        fprintf(stderr, "exectrail: %s: %s\n", text_of(one, "source"), text_of(one, "sentence"));
}

/* ------------------------------------------------------------------------------------------------ asking */

/* 0: it may go on. */
static int confirm(const xt_opt_args *args, const char *query, bool query_from_stdin)
{
    char answer[16] = "";
    int status = 0;

    if (xt_opt_has(args, "yes"))
        return 0;
    if (query_from_stdin || !isatty(STDIN_FILENO))
        return fail("this is no terminal to ask on whether it may be erased", "say --yes, after a --dry-run");
    json_t *would = ask(args, query, true, &status);
    if (!would)
        return status;
    print_result(would);
    json_decref(would);
    printf("This cannot be undone. Type yes to erase: ");
    fflush(stdout);
    if (!fgets(answer, sizeof answer, stdin) || strcmp(answer, "yes\n") != 0)
        return fail("nothing was erased", "");
    return 0;
}

static int erase(const xt_opt_args *args, const char *query, bool query_from_stdin)
{
    bool is_dry = xt_opt_has(args, "dry-run");
    int status = is_dry ? 0 : confirm(args, query, query_from_stdin);

    if (status != 0)
        return status;
    json_t *result = ask(args, query, is_dry, &status);
    if (!result)
        return status;
    print_result(result);
    bool whole = json_array_size(json_object_get(result, "not_looked_at")) == 0;
    json_decref(result);
    return whole ? 0 : 1;
}

static int query_read(xt_buf *out)
{
    char *to = xt_buf_reserve(out, MAX_QUERY_BYTES);
    size_t n = to ? fread(to, 1, MAX_QUERY_BYTES, stdin) : 0;

    if (!to || n == MAX_QUERY_BYTES)
        return fail("the query on standard input is too long", "");
    out->n = n;
    while (out->n > 0 && (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == '\r'))
        out->n--;
    xt_buf_putc(out, '\0');
    return 0;
}

static int list(const xt_opt_args *args)
{
    xt_call call;

    xt_call_init(&call, "GET", "/api/v1/erasures");
    xt_call_options(&call, args, "format");
    return xt_call_run(args, &call);
}

int xt_cmd_store_erase(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf query = XT_BUF_INIT;
    bool from_stdin = args->n_operands > 0 && strcmp(args->operands[0], "-") == 0;

    if (xt_opt_has(args, "list"))
        return list(args);
    if (args->n_operands == 0) {
        (void)fail("what is to be erased is not said", "a query: exectrail store erase 'user:alice' --reason TEXT");
        return 2;
    }
    if (!xt_opt_has(args, "reason") && !xt_opt_has(args, "dry-run")) {
        (void)fail("--reason TEXT is missing", "why; it is kept with who and when, signed, in the ledger");
        return 2;
    }
    int status = from_stdin ? query_read(&query) : 0;
    return status == 0 ? erase(args, from_stdin ? query.p : args->operands[0], from_stdin) : status;
}

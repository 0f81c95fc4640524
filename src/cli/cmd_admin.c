/* exectrail alerts, hosts, ca, rules list, verify, token, user: each is one route. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "io/vfs.h"

#define MAX_HEAD_BYTES 4096

static int list(const xt_opt_args *args, const char *path, const char *options)
{
    xt_call call;
    xt_call_init(&call, "GET", path);
    xt_call_options(&call, args, options);
    return xt_call_run(args, &call);
}

int xt_cmd_rules_list(const xt_opt_args *args)
{
    return list(args, "/api/v1/rules", "format");
}

int xt_cmd_alerts_list(const xt_opt_args *args)
{
    xt_call call;
    xt_call_init(&call, "GET", "/api/v1/alerts");
    xt_call_options(&call, args, "format,status");
    xt_call_param(&call, "limit", xt_opt_has(args, "limit") ? xt_opt_get(args, "limit") : "0"); /* all */
    return xt_call_run(args, &call);
}

int xt_cmd_hosts(const xt_opt_args *args)
{
    return list(args, "/api/v1/hosts", "format,from,to");
}

int xt_cmd_hosts_completeness(const xt_opt_args *args)
{
    return list(args, "/api/v1/completeness", "format,from,to,host");
}

int xt_cmd_hosts_group(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    xt_call call;
    xt_call_init(&call, "POST", "/api/v1/hosts");
    xt_call_segment(&call, args->operands[0]);
    xt_call_segment(&call, "group");
    xt_call_param(&call, "group", args->operands[1]);
    return xt_call_fetch(args, &call, &answer);
}

/* A POST whose answer says nothing. */
static int set(const xt_opt_args *args, const char *path, const char *what, const char *verb)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    xt_call call;
    xt_call_init(&call, "POST", path);
    xt_call_segment(&call, what);
    xt_call_segment(&call, verb);
    return xt_call_fetch(args, &call, &answer);
}

/* The command's last word is the route's. */
int xt_cmd_hosts_set(const xt_opt_args *args)
{
    return set(args, "/api/v1/hosts", args->operands[0], strchr(args->command->name, ' ') + 1);
}

int xt_cmd_token_revoke(const xt_opt_args *args)
{
    return set(args, "/api/v1/tokens", args->operands[0], "revoke");
}

int xt_cmd_token_list(const xt_opt_args *args)
{
    return list(args, "/api/v1/tokens", "format");
}

int xt_cmd_ca_list(const xt_opt_args *args)
{
    return list(args, "/api/v1/cas", "format");
}

int xt_cmd_ca_change(const xt_opt_args *args)
{
    xt_call call;
    const char *verb = strchr(args->command->name, ' ') + 1;
    xt_call_init(&call, "POST", "/api/v1/cas");
    xt_call_segment(&call, verb);
    xt_call_options(&call, args, "format");
    if (strcmp(verb, "retire") == 0)
        xt_call_param(&call, "force", xt_opt_has(args, "force") ? "1" : NULL);
    return xt_call_run(args, &call);
}

static int next_of_file(void *context, xt_slice *ret, xt_slice *ret_params)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_input_next(context, ret, &problem);
    return r < 0 ? xt_cli_fail(&problem) : 0;
}

int xt_cmd_hosts_expect(const xt_opt_args *args)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_input *input = NULL;
    xt_call call;
    if (args->n_operands == 0)
        return list(args, "/api/v1/inventory", "format");
    if (xt_input_open(args->operands[0], &input, &problem))
        return xt_cli_fail(&problem);
    xt_call_init(&call, "POST", "/api/v1/inventory");
    xt_call_options(&call, args, "format");
    call.next_body = next_of_file;
    call.context = input;
    int status = xt_call_run(args, &call);
    xt_input_close(input);
    return status;
}

int xt_cmd_user_list(const xt_opt_args *args)
{
    return list(args, "/api/v1/users", "format");
}

static int print_fetched(int status, const xt_buf *answer)
{
    if (status == 0)
        printf("%.*s\n", XT_S_ARGS(xt_slice_trim(xt_buf_slice(answer))));
    return status;
}

/* What it says holds values of the event: nothing of them reaches a terminal as it is. */
int xt_cmd_rules_explain(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT, shown = XT_BUF_INIT;
    xt_call call;
    xt_call_init(&call, "GET", "/api/v1/rules");
    xt_call_segment(&call, args->operands[0]);
    xt_call_segment(&call, "explain");
    xt_call_param(&call, "event", args->operands[1]);
    int status = xt_call_fetch(args, &call, &answer);
    xt_slice rest = xt_slice_trim(xt_buf_slice(&answer)), line;
    while (status == 0 && xt_slice_cut(&rest, '\n', &line)) {
        xt_text_visible(&shown, line);
        xt_buf_putc(&shown, '\n');
    }
    if (status == 0 && xt_buf_done(&shown) == 0)
        printf("%.*s", XT_S_ARGS(xt_buf_slice(&shown)));
    return status;
}

int xt_cmd_alerts_show(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    xt_call call;
    xt_call_init(&call, "GET", "/api/v1/alerts");
    xt_call_segment(&call, args->operands[0]);
    return print_fetched(xt_call_fetch(args, &call, &answer), &answer);
}

/* The command's last word is the route's. */
int xt_cmd_alerts_set(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    xt_call call;
    xt_call_init(&call, "POST", "/api/v1/alerts");
    xt_call_segment(&call, args->operands[0]);
    xt_call_segment(&call, strchr(args->command->name, ' ') + 1);
    return print_fetched(xt_call_fetch(args, &call, &answer), &answer);
}

/* One member of a JSON object as text; empty when it is not there. */
static xt_slice member(const json_t *document, const char *name)
{
    return xt_slice_str(json_string_value(json_object_get(document, name)));
}

static void print_erasures(json_t *erasures)
{
    const json_t *one;
    size_t i;
    json_array_foreach(erasures, i, one)
    {
        bool is_private = json_object_get(one, "query_sha256") != NULL;
        printf("erased: %" JSON_INTEGER_FORMAT " events on %.*s by %.*s: %s%.*s (%.*s)\n",
               json_integer_value(json_object_get(one, "events")), XT_S_ARGS(member(one, "at")),
               XT_S_ARGS(member(one, "who")), is_private ? "a query whose salted SHA-256 is " : "",
               XT_S_ARGS(member(one, is_private ? "query_sha256" : "query")), XT_S_ARGS(member(one, "reason")));
    }
}

int xt_cmd_verify(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf head = XT_BUF_INIT;
    const char *against = xt_opt_get(args, "against");
    xt_call call;
    if (xt_opt_has(args, "completeness"))
        return xt_cmd_completeness(args);
    if (xt_opt_has(args, "head")) {
        xt_call_init(&call, "GET", "/api/v1/verify/head");
        return xt_call_run(args, &call);
    }
    xt_call_init(&call, "GET", "/api/v1/verify");
    int r = against ? xt_vfs_read_file(&xt_vfs_system, against, MAX_HEAD_BYTES, &head) : 0;
    if (r < 0) {
        xt_problem problem = XT_PROBLEM_INIT;
        xt_problem_set(&problem, "%s", strerror(-r));
        xt_problem_source(&problem, against);
        xt_call_fini(&call);
        return xt_cli_fail(&problem);
    }
    xt_buf_putc(&head, '\0');
    xt_call_param(&call, "against", against ? head.p : NULL);
    int status = xt_call_fetch(args, &call, &answer);
    if (status != 0)
        return status;
    json_t *d = json_loadb(answer.p, answer.n, 0, NULL);
    bool ok = json_is_true(json_object_get(d, "ok"));
    printf("%s: received %" JSON_INTEGER_FORMAT ", sealed %" JSON_INTEGER_FORMAT ", pending %" JSON_INTEGER_FORMAT
           " events; retired %" JSON_INTEGER_FORMAT ", erased %" JSON_INTEGER_FORMAT "%s\n",
           ok ? "whole" : "damaged", json_integer_value(json_object_get(d, "received")),
           json_integer_value(json_object_get(d, "sealed")), json_integer_value(json_object_get(d, "pending")),
           json_integer_value(json_object_get(d, "retired")), json_integer_value(json_object_get(d, "erased")),
           ok && against ? "; the ledger contains that head" : "");
    print_erasures(json_object_get(d, "erasures"));
    size_t i;
    json_t *problem;
    json_array_foreach(json_object_get(d, "problems"), i, problem)
        fprintf(stderr, "exectrail: %.*s: %.*s\n", XT_S_ARGS(member(problem, "source")),
                XT_S_ARGS(member(problem, "sentence")));
    json_decref(d);
    return ok ? 0 : 1;
}

/* Asks a route that answers one secret and prints it after `before` as the last word. */
static int print_secret(const xt_opt_args *args, xt_call *call, const char *name, const char *before, const char *hint)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    call->make = true;
    int status = xt_call_fetch(args, call, &answer);
    if (status != 0)
        return status;
    json_t *d = json_loadb(answer.p, answer.n, 0, NULL);
    fprintf(stderr, "%s\n", hint);
    printf("%s%.*s\n", before, XT_S_ARGS(member(d, name)));
    json_decref(d);
    return 0;
}

int xt_cmd_token_new(const xt_opt_args *args)
{
    xt_call call;
    xt_call_init(&call, "POST", "/api/v1/tokens");
    xt_call_param(&call, "valid", xt_opt_get(args, "valid"));
    xt_call_param(&call, "uses", xt_opt_get(args, "uses"));
    xt_call_param(&call, "group", xt_opt_get(args, "group"));
    return print_secret(args, &call, "token", "",
                        "exectrail-agent --server HOST:PORT --state DIR --token with this token, once:");
}

int xt_cmd_sender_add(const xt_opt_args *args)
{
    xt_call call;
    xt_call_init(&call, "POST", "/api/v1/senders/tokens");
    xt_call_param(&call, "name", args->operands[0]);
    return print_secret(args, &call, "token", "", "the password of any user, or an API key, of who sends to /es:");
}

int xt_cmd_sender_list(const xt_opt_args *args)
{
    return list(args, "/api/v1/senders/tokens", "format");
}

int xt_cmd_sender_remove(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    xt_call call;
    xt_call_init(&call, "POST", "/api/v1/senders/tokens");
    xt_call_segment(&call, args->operands[0]);
    xt_call_segment(&call, "remove");
    return xt_call_fetch(args, &call, &answer);
}

int xt_cmd_user_add(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    xt_call call;
    xt_call_init(&call, "POST", "/api/v1/users");
    xt_call_param(&call, "name", args->operands[0]);
    xt_call_param(&call, "role", xt_opt_get(args, "role"));
    call.make = true;
    return xt_call_fetch(args, &call, &answer);
}

/* The running server's page: member "http" of DIR/server.json; the default address when there is none. */
static void page_address(const xt_opt_args *args, xt_buf *out)
{
    XT_CLEANUP(xt_buf_fini) xt_buf path = XT_BUF_INIT;
    const char *data = xt_opt_get(args, "data");
    const char *given = xt_opt_get(args, "http") ? xt_opt_get(args, "http") : xt_opt_get(args, "server");
    xt_buf_printf(&path, "%s/server.json", data ? data : "");
    xt_buf_putc(&path, '\0');
    json_t *d = given ? NULL : json_load_file(path.p, 0, NULL);
    xt_slice http = member(d, "http");
    if (given)
        xt_buf_puts(out, given);
    else if (http.n)
        xt_buf_put(out, http);
    else
        xt_buf_puts(out, "http://127.0.0.1:8514");
    json_decref(d);
}

int xt_cmd_user_link(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf address = XT_BUF_INIT;
    page_address(args, &address);
    xt_buf_putc(&address, '\0');
    xt_call call;
    xt_call_init(&call, "POST", "/api/v1/users");
    xt_call_segment(&call, args->operands[0]);
    xt_call_segment(&call, "link");
    return print_secret(args, &call, "path", address.p, "open this address within ten minutes; it works once:");
}

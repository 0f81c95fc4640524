/* exectrail policy, hosts pause, hosts resume: each is one route. */
#include <jansson.h>
#include <stdio.h>

#include "base/timestamp.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/own_name.h"

static const char *last_word(const xt_opt_args *args)
{
    return strchr(args->command->name, ' ') + 1;
}

/* --for and --soak as whole seconds; false: said on standard error. */
static bool put_seconds(xt_call *call, const xt_opt_args *args, const char *option, const char *param)
{
    xt_problem problem = XT_PROBLEM_INIT;
    char text[32];
    int64_t ms = 0;
    const char *value = xt_opt_get(args, option);
    if (!value)
        return true;
    if (strcmp(value, "0") != 0 && xt_duration_parse(xt_slice_str(value), &ms, &problem)) {
        (void)xt_cli_fail(&problem);
        return false;
    }
    snprintf(text, sizeof text, "%lld", (long long)ms / 1000);
    xt_call_param(call, param, text);
    return true;
}

static void put_by(xt_call *call, const xt_opt_args *args)
{
    xt_call_param(call, "by", xt_opt_get(args, "server") ? NULL : xt_cli_own_name());
}

int xt_cmd_policy_list(const xt_opt_args *args)
{
    xt_call call;
    xt_call_init(&call, "GET", "/api/v1/policies");
    xt_call_options(&call, args, "format");
    return xt_call_run(args, &call);
}

int xt_cmd_policy_history(const xt_opt_args *args)
{
    xt_call call;
    xt_call_init(&call, "GET", "/api/v1/policies");
    xt_call_segment(&call, args->operands[0]);
    xt_call_options(&call, args, "format");
    return xt_call_run(args, &call);
}

int xt_cmd_policy_show(const xt_opt_args *args)
{
    xt_call call;
    xt_call_init(&call, "GET", "/api/v1/policies");
    xt_call_segment(&call, args->operands[0]);
    xt_call_segment(&call, "text");
    xt_call_options(&call, args, "version");
    return xt_call_run(args, &call);
}

static int next_of_file(void *context, xt_slice *ret, xt_slice *ret_params)
{
    xt_problem problem = XT_PROBLEM_INIT;
    (void)ret_params;
    int r = xt_input_next(context, ret, &problem);
    return r < 0 ? xt_cli_fail(&problem) : 0;
}

static int fetch_set(const xt_opt_args *args, xt_input *input, xt_buf *answer)
{
    xt_call call;
    xt_call_init(&call, "POST", "/api/v1/policies");
    xt_call_segment(&call, args->operands[0]);
    put_by(&call, args);
    call.next_body = next_of_file;
    call.context = input;
    return xt_call_fetch(args, &call, answer);
}

int xt_cmd_policy_set(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_input *input = NULL;
    json_error_t error;
    if (xt_input_open(args->operands[1], &input, &problem))
        return xt_cli_fail(&problem);
    int status = fetch_set(args, input, &answer);
    xt_input_close(input);
    if (status)
        return status;
    json_t *document = json_loadb(answer.p, answer.n, 0, &error);
    json_int_t version = json_integer_value(json_object_get(document, "version"));
    json_decref(document);
    fprintf(stderr, "not in force yet: exectrail policy roll-out %s\n", args->operands[0]);
    printf("policy %s version %lld\n", args->operands[0], (long long)version);
    return 0;
}

/* roll-out, halt, resume, rollback: the command's last word is the route's. */
int xt_cmd_policy_change(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    xt_call call;
    const char *verb = last_word(args);
    xt_call_init(&call, "POST", "/api/v1/policies");
    xt_call_segment(&call, args->operands[0]);
    xt_call_segment(&call, verb);
    put_by(&call, args);
    if (strcmp(verb, "roll-out") == 0) {
        xt_call_options(&call, args, "version,waves");
        if (!put_seconds(&call, args, "soak", "soak")) {
            xt_call_fini(&call);
            return 1;
        }
    } else if (strcmp(verb, "halt") == 0) {
        xt_call_options(&call, args, "why");
    }
    return xt_call_fetch(args, &call, &answer);
}

int xt_cmd_hosts_pause(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    xt_call call;
    const char *verb = last_word(args);
    xt_call_init(&call, "POST", "/api/v1/hosts");
    xt_call_segment(&call, args->operands[0]);
    xt_call_segment(&call, verb);
    put_by(&call, args);
    xt_call_options(&call, args, "why");
    if (strcmp(verb, "pause") == 0 && !put_seconds(&call, args, "for", "seconds")) {
        xt_call_fini(&call);
        return 1;
    }
    return xt_call_fetch(args, &call, &answer);
}
